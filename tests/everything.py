"""`make test`: every part, two at a time where they allow it, and a summary of all at the end.

The clients are installed while the Rust tests are built. Most parts wait more than they compute, so two of them share the machine; what
one says is printed when it has ended. A part that fails does not keep the others from running, except that without a binary there is
nothing for the clients to talk to.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from environments import Missing, kafka_tools  # noqa: E402  (the path must be known first)

BINARY = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "headwater"
COUNTS = re.compile(r"(?:test result: \w+\. )?(\d+) passed[;,] (\d+) failed(?:[;,] (\d+) (?:skipped|ignored))?")
AT_ONCE = 2


class Part(NamedTuple):
    name: str
    command: tuple
    # Uses both cores, or measures.
    alone: bool = False
    needs_binary: bool = False


def on_binary(name, script, alone=False):
    return Part(name, (sys.executable, script, "--binary", str(BINARY)), alone, needs_binary=True)


# The longest of those that share the machine come first, so that none is left over at the end.
PARTS = (
    Part("format", ("cargo", "fmt", "--check"), alone=True),
    Part("lints", ("cargo", "clippy", "--all-targets", "--locked", "--", "-D", "warnings"), alone=True),
    Part("compile", ("cargo", "test", "--locked", "--no-run"), alone=True),
    Part("build", ("make", "build")),
    Part("rust", ("cargo", "test", "--locked", "--no-fail-fast")),
    Part("full disk", ("cargo", "test", "--locked", "--test", "full_disk", "--", "--ignored")),
    Part("dashboard", ("make", "check-dashboard")),
    on_binary("spark", "tests/spark/run.py"),
    on_binary("student", "tests/student/run.py"),
    on_binary("cluster", "tests/cluster/run.py"),
    on_binary("challenges", "tests/challenges/run.py"),
    on_binary("clients", "tests/clients/run.py"),
    on_binary("browser", "tests/browser/run.py"),
    on_binary("docs", "tests/docs/run.py"),
    on_binary("image", "tests/image/run.py"),
    on_binary("dist", "tests/dist/run.py"),
    on_binary("examples", "tests/examples/run.py"),
    on_binary("doors", "tests/clients/doors.py"),
    on_binary("settings", "tests/clients/settings.py"),
    on_binary("mirror", "tests/mirror/run.py"),
    on_binary("kill9", "tests/durability/kill9.py"),
    on_binary("security", "tests/clients/security/run.py"),
    Part("checker", (sys.executable, "tests/soak/test_checker.py")),
    on_binary("budget", "tests/budget/instructions.py", alone=True),
)

WITHOUT_KAFKA = ("--", "--skip", "apache_kafka")


class Result(NamedTuple):
    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


class Runner:
    """Runs parts in their order, two at a time."""

    def __init__(self, parts, installing):
        self.waiting = list(parts)
        self.installing = installing
        self.results = []
        self.running = {}
        self.change = threading.Condition()
        self.begin = time.monotonic()

    def next_part(self):
        """The next part that may begin now; with the lock held."""
        if any(part.alone for part in self.running):
            return None
        building = any(part.name == "build" for part in (*self.waiting, *self.running))
        for part in self.waiting:
            if part.alone:
                return None if self.running else part
            if len(self.running) < AT_ONCE and not (part.needs_binary and building):
                return part
        return None

    def run(self):
        with self.change:
            while self.waiting or self.running:
                part = self.next_part()
                if part is None:
                    self.change.wait()
                    continue
                self.waiting.remove(part)
                self.running[part] = []
                threading.Thread(target=self.work, args=(part,), daemon=True).start()
        return self.results

    def work(self, part):
        begin = time.monotonic()
        print(f"-- {self.minutes()} {part.name} begins", flush=True)
        passed, failed, skipped = self.outcome(part)
        with self.change:
            self.show(part, self.running.pop(part), time.monotonic() - begin)
            self.results.append(Result(part.name, passed, failed, skipped, time.monotonic() - begin))
            self.change.notify_all()

    def minutes(self):
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        return f"{minutes:02}:{seconds:02}"

    @staticmethod
    def show(part, said, seconds):
        print(f"\n== {part.name}, {seconds:.0f} s: {' '.join(part.command)}\n{''.join(said)}", flush=True)

    def outcome(self, part):
        """Counts of a part: the sum of its closing lines, or its exit code where it has none."""
        said = self.running[part]
        if part.needs_binary or part.name == "rust":
            self.installing.join()
        if part.name == "full disk" and not can_mount():
            said.append("left out, because this user cannot mount a file system\n")
            return (0, 1, 0) if os.environ.get("CI") else (0, 0, 1)
        if part.needs_binary and (not BINARY.is_file() or any(result.name == "build" and result.failed for result in self.results)):
            said.append("there is no binary to test\n")
            return 0, 1, 0
        process = subprocess.Popen(
            part.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        counts = (0, 0, 0)
        for line in process.stdout:
            said.append(line)
            closing = COUNTS.match(line)
            if closing:
                counts = tuple(sum(pair) for pair in zip(counts, (int(n or 0) for n in closing.groups())))
        code = process.wait()
        passed, failed, skipped = counts
        if code and not failed:
            failed = 1
        if not code and not any(counts):
            passed = 1
        return passed, failed, skipped

    def stopped(self, *_):
        """The time is over: what the unfinished parts said is all there is to find out why."""
        for part, said in list(self.running.items()):
            self.show(part, [*said[-200:], "unfinished\n"], 0)
        summary([*self.results, *(Result(part.name, 0, 1, 0, 0.0) for part in (*self.running, *self.waiting))])
        os._exit(1)


def install_kafka_tools():
    """Installs what one Rust test needs. Where it cannot be had, the test is left out and counted: as skipped, in CI as failed."""
    try:
        os.environ["KAFKA_JARS"] = str(kafka_tools())
    except Missing as reason:
        print(f"Apache Kafka's tools cannot be had, so the test that reads our folders with them is left out: {reason}", flush=True)
        ci = bool(os.environ.get("CI"))
        return Result("kafka's tools", 0, int(ci), int(not ci), 0.0)
    return None


def can_mount():
    """The test of a full disk mounts one of its own."""
    return os.geteuid() == 0 and subprocess.run(("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"), capture_output=True, check=False).returncode == 0


def install_clients():
    for part in ("clients", "challenges", "spark", "image"):
        subprocess.run([sys.executable, f"tests/{part}/run.py", "--install-only"], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)


def summary(results):
    print()
    for result in results:
        state = "FAIL" if result.failed else "ok"
        print(f"{state:5}{result.name:10} {result.seconds:6.0f} s  {result.passed} passed, {result.failed} failed, {result.skipped} skipped")
    passed, failed, skipped = (sum(getattr(result, field) for result in results) for field in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"only these of {', '.join(part.name for part in PARTS)}")
    wanted = parser.parse_args().parts
    chosen = [part for part in PARTS if not wanted or part.name in wanted]
    installing = threading.Thread(target=install_clients)
    installing.start()
    results = []
    if any(part.name == "rust" for part in chosen):
        left_out = install_kafka_tools()
        if left_out:
            results.append(left_out)
            chosen = [part._replace(command=(*part.command, *WITHOUT_KAFKA)) if part.name == "rust" else part for part in chosen]
    runner = Runner(chosen, installing)
    signal.signal(signal.SIGTERM, runner.stopped)
    return summary([*results, *runner.run()])


if __name__ == "__main__":
    sys.exit(main())
