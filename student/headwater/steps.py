"""How steps of doctor are run and told: each ends as ok, FAIL, note or skipped; a FAIL keeps those that stand on it from running."""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater import cases
from headwater.wire import clean


class Fault(Exception):
    """A step found one of the causes in the table. `what`: what happened, with what was seen."""

    def __init__(self, cause: str, what: str, **found):
        super().__init__(what)
        self.cause, self.what, self.found = cause, what, found


class Skip(Exception):
    """A step has nothing to look at. `needed`: those that stand on it cannot run either."""

    def __init__(self, reason: str, needed: bool = False):
        super().__init__(reason)
        self.needed = needed


@dataclass
class Finding:
    step: str
    status: str
    what: str
    text: cases.Text


@dataclass
class Line:
    step: str
    status: str
    detail: str


@dataclass
class Report:
    target: str = ""
    lines: list = field(default_factory=list)
    findings: list = field(default_factory=list)
    blocked: dict = field(default_factory=dict)

    def ok(self) -> bool:
        return not any(line.status == "FAIL" for line in self.lines)

    def causes(self) -> list:
        return [finding.text.cause.id for finding in self.findings]

    def status(self, step: str) -> str | None:
        return next((line.status for line in self.lines if line.step == step), None)

    def as_json(self) -> dict:
        return {
            "ok": self.ok(),
            "target": self.target,
            "steps": [{"step": line.step, "status": line.status, "detail": line.detail} for line in self.lines],
            "findings": [
                {
                    "step": found.step,
                    "status": found.status,
                    "case": found.text.case.id,
                    "cause": found.text.cause.id,
                    "what": found.what,
                    "why": found.text.why,
                    "fix": found.text.fix,
                    "try": found.text.probe,
                }
                for found in self.findings
            ],
        }


class Runner:
    """`say` gets each line when it is known: a person waits for it."""

    def __init__(self, target: str, known: dict, say=lambda line: None):
        self.report, self.known, self.say = Report(target), known, say

    def run(self, name: str, step, *needs: str) -> None:
        missing = [need for need in needs if need in self.report.blocked]
        if missing:
            root = self.report.blocked[missing[0]]
            self._line(name, "skipped", f"needs {root}")
            self.report.blocked[name] = root
            return
        before = len(self.report.findings)
        try:
            detail = step()
        except Skip as reason:
            self._line(name, "skipped", str(reason))
            if reason.needed:
                self.report.blocked[name] = name
            return
        except Fault as fault:
            self.find(name, fault, "FAIL")
            self._line(name, "FAIL", fault.what)
            self.report.blocked[name] = name
            return
        found = self.report.findings[before:]
        worst = "FAIL" if any(one.status == "FAIL" for one in found) else "note" if found else "ok"
        told = next((one.what for one in found if one.status == "FAIL"), detail or (found[0].what if found else ""))
        self._line(name, worst, told)

    def find(self, step: str, fault: Fault, status: str) -> None:
        text = cases.text(fault.cause, {**self.known, **{name: clean(str(value)) for name, value in fault.found.items()}})
        self.report.findings.append(Finding(step, status, clean(fault.what), text))

    def _line(self, step, status, detail):
        line = Line(step, status, clean(detail))
        self.report.lines.append(line)
        self.say(line)
