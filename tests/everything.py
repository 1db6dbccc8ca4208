"""`make test`: every part one after the other, a summary of all at the end.

The clients are installed while the Rust tests are built. A part that fails does not keep the others from running, except
that without a binary there is nothing for the clients to talk to.
"""

import argparse
import os
import re
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


class Part(NamedTuple):
    name: str
    command: tuple
    needs_binary: bool = False


PARTS = (
    Part("format", ("cargo", "fmt", "--check")),
    Part("lints", ("cargo", "clippy", "--all-targets", "--locked", "--", "-D", "warnings")),
    Part("rust", ("cargo", "test", "--locked", "--no-fail-fast")),
    Part("full disk", ("cargo", "test", "--locked", "--test", "full_disk", "--", "--ignored")),
    Part("checker", (sys.executable, "tests/soak/test_checker.py")),
    Part("dashboard", ("make", "check-dashboard")),
    Part("build", ("make", "build")),
    Part("clients", (sys.executable, "tests/clients/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("settings", (sys.executable, "tests/clients/settings.py", "--binary", str(BINARY)), needs_binary=True),
    Part("security", (sys.executable, "tests/clients/security/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("student", (sys.executable, "tests/student/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("browser", (sys.executable, "tests/browser/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("challenges", (sys.executable, "tests/challenges/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("spark", (sys.executable, "tests/spark/run.py", "--binary", str(BINARY)), needs_binary=True),
    Part("doors", (sys.executable, "tests/clients/doors.py", "--binary", str(BINARY)), needs_binary=True),
    Part("budget", (sys.executable, "tests/budget/instructions.py", "--binary", str(BINARY)), needs_binary=True),
    Part("kill9", (sys.executable, "tests/durability/kill9.py", "--binary", str(BINARY)), needs_binary=True),
)


WITHOUT_KAFKA = ("--", "--skip", "apache_kafka")


class Result(NamedTuple):
    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def run(part):
    """Runs one part with its output shown; its counts are the sum of its closing lines, or its exit code where it has none."""
    print(f"\n== {part.name}: {' '.join(part.command)}", flush=True)
    begin, counts = time.monotonic(), [0, 0, 0]
    process = subprocess.Popen(part.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        closing = COUNTS.match(line)
        if closing:
            counts = [sum(pair) for pair in zip(counts, (int(n or 0) for n in closing.groups()))]
    code = process.wait()
    if code and not counts[1]:
        counts[1] = 1
    if not code and not any(counts):
        counts[0] = 1
    return Result(part.name, *counts, time.monotonic() - begin)


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
    for part in ("clients", "challenges", "spark"):
        subprocess.run([sys.executable, f"tests/{part}/run.py", "--install-only"], cwd=ROOT, stdout=subprocess.DEVNULL, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"only these of {', '.join(part.name for part in PARTS)}")
    wanted = parser.parse_args().parts
    chosen = [part for part in PARTS if not wanted or part.name in wanted]
    installing = threading.Thread(target=install_clients)
    if any(part.needs_binary or part.name == "rust" for part in chosen):
        installing.start()
    results = []
    if any(part.name == "rust" for part in chosen):
        left_out = install_kafka_tools()
        if left_out:
            results.append(left_out)
            chosen = [part._replace(command=(*part.command, *WITHOUT_KAFKA)) if part.name == "rust" else part for part in chosen]
    for part in chosen:
        if part.name == "full disk" and not can_mount():
            ci = bool(os.environ.get("CI"))
            print("\n== full disk: left out, because this user cannot mount a file system")
            results.append(Result(part.name, 0, int(ci), int(not ci), 0.0))
            continue
        if part.needs_binary or part.name == "rust":
            installing.join()
        if part.needs_binary:
            if not BINARY.is_file() or any(result.name == "build" and result.failed for result in results):
                print(f"\n== {part.name}: there is no binary to test")
                results.append(Result(part.name, 0, 1, 0, 0.0))
                continue
        results.append(run(part))
    print()
    for result in results:
        state = "FAIL" if result.failed else "ok"
        print(f"{state:5}{result.name:9} {result.seconds:6.0f} s  {result.passed} passed, {result.failed} failed, {result.skipped} skipped")
    passed, failed, skipped = (sum(getattr(result, field) for result in results) for field in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
