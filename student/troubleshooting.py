"""Writes docs/troubleshooting.md from the table of doctor: python student/troubleshooting.py"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from headwater import cases, doctor  # noqa: E402  (the path must be known first)

TARGET = HERE.parent / "docs" / "troubleshooting.md"

HEAD = """# Troubleshooting

Search this page for the text of your error (Ctrl+F), or let the tool look:

```sh checked
python headwater.pyz doctor                       # the broker that you joined
python headwater.pyz doctor HOST:PORT             # another one; --user, --password, --tls and --ca go with it
python headwater.pyz doctor --config FILE         # your own settings: key=value lines, or your Python program
```

`doctor` goes from the broker's name to the Spark on your computer ({steps}), stops where nothing more can work, and says what to type.
Where it can tell a cause by itself, the step that does so stands beside it. `headwater.pyz` is at the address of the web page:
`curl -O http://HOST:8080/headwater.pyz`.

This page is written from the table of `doctor`; `python student/troubleshooting.py` writes it again.

## By error text

| you see | look at |
|---|---|
"""


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    rows = sorted(((symptom, case) for case in cases.CASES for symptom in case.symptoms), key=lambda row: row[0].lower())
    parts = [HEAD.replace("{steps}", ", ".join(doctor.STEPS))]
    parts += [f"| `{cell(symptom)}` | [{case.title}](#{case.id}) |\n" for symptom, case in rows]
    for case in cases.CASES:
        parts.append(f'\n<a id="{case.id}"></a>\n\n## {case.title}\n')
        parts += [_cause(cause) for cause in case.causes]
    return "".join(parts)


def _cause(cause) -> str:
    where = f" (doctor: {cause.step})" if cause.step else ""
    lines = [
        f"\n- **Why**{where}: {cases.general(cause, cause.why)}",
        f"  **Fix**: {cases.general(cause, cause.fix)}",
        f"  **Look**: `{cases.general(cause, cause.probe)}`",
    ]
    return "  \n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"{TARGET} is written: {len(cases.CASES)} cases, {sum(len(case.causes) for case in cases.CASES)} causes")
