"""The example of a course's repository, docs/examples/ci, as its user has it: cloned, its script run, its workflow's steps run.

run.py --binary target/release/headwater
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from broker import free_ports  # noqa: E402  (the path must be known first)
from environments import Missing, only_one_installs, python_with  # noqa: E402

EXAMPLE = ROOT / "docs" / "examples" / "ci"
SOLVED = ("c01", "c02", "c04")
WITHIN_S = 90
AT_ONCE = 3
AS_JSON = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
GIT = ("git", "-c", "user.name=student", "-c", "user.email=student@example.org", "-c", "init.defaultBranch=main")


class Repository:
    """A fresh clone of the example, and the environment of somebody who has the binary and the client on PATH."""

    def __init__(self, work, binary, python, change=None):
        self.place = Path(tempfile.mkdtemp(prefix="repository-", dir=work))
        origin, self.clone = self.place / "origin", self.place / "clone"
        shutil.copytree(EXAMPLE, origin, ignore=shutil.ignore_patterns("__pycache__", "results.xml"))
        if change:
            change(origin)
        for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "solutions")):
            subprocess.run((*GIT, *command), cwd=origin, check=True)
        subprocess.run((*GIT, "clone", "-q", origin, self.clone), check=True)
        programs, self.scratch = self.place / "bin", self.place / "tmp"
        programs.mkdir()
        self.scratch.mkdir()
        if binary:
            (programs / "headwater").symlink_to(binary)
        self.kafka, self.http = random.sample(free_ports(200), 2)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWATER_", "KAFKA_", "PYTHON"))}
        self.environment = {
            **clean,
            "PATH": os.pathsep.join((str(programs), str(Path(python).parent), os.environ["PATH"])),
            "TMPDIR": str(self.scratch),
            "HOME": str(self.place),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HEADWATER_LISTEN": f"127.0.0.1:{self.kafka}",
            "HEADWATER_HTTP": f"127.0.0.1:{self.http}",
        }

    def start(self, command=("./ci.sh", "results.xml"), **more):
        return subprocess.Popen(
            command, cwd=self.clone, env={**self.environment, **more}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )

    def run(self, wanted, *command, **more):
        """What it said, if it ended with the wanted status and left nothing behind."""
        process = self.start(*([command] if command else []), **more)
        try:
            said, _ = process.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == wanted, f"ended with {process.returncode} instead of {wanted}:\n{said[-3000:]}"
        self.nothing_is_left()
        return said

    def nothing_is_left(self):
        for port in (self.kafka, self.http):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)), f"something still listens on {port}"
        assert not list(self.scratch.iterdir()), f"left behind: {list(self.scratch.iterdir())}"

    def results(self):
        """By challenge, each case with how it ended; the totals of the file are compared with what is in it."""
        root = ElementTree.parse(self.clone / "results.xml").getroot()
        assert root.tag == "testsuites", root.tag
        found, counts = {}, {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for suite in root.iter("testsuite"):
            for case in suite.iter("testcase"):
                assert case.get("classname") == suite.get("name"), case.attrib
                kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
                counts["tests"] += 1
                for kind in kinds:
                    counts[{"failure": "failures", "error": "errors"}.get(kind, kind)] += 1
                words = " ".join(f"{child.get('message') or ''} {child.text or ''}" for child in case)
                found.setdefault(suite.get("name"), {})[case.get("name")] = (kinds[0] if kinds else "passed", words)
        assert {name: int(root.get(name)) for name in counts} == counts, (root.attrib, counts)
        return found

    def ended(self, challenge):
        return {name: how for name, (how, _) in self.results()[challenge].items()}


def changed(name, old, new):
    def change(folder):
        file = folder / name
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} is in {name} {text.count(old)} times"
        file.write_text(text.replace(old, new))

    return change


def all_pass(found, challenges):
    for id in challenges:
        ends = {how for how, _ in found[id].values()}
        assert len(found[id]) == 3 and ends == {"passed"}, (id, found[id])


def right_solutions_pass_as_the_readme_says(make):
    """The lines of its README.md, in a Python that has nothing yet."""
    repository = make()
    (lines,) = re.findall(r"^```sh executed by=tests/examples/run.py\n(.*?)^```$", (repository.clone / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    path = os.pathsep.join((str(repository.place / "bin"), os.environ["PATH"]))
    said = repository.run(0, "sh", "-e", "-c", lines, PATH=path, PIP_CACHE_DIR=cache)
    found = repository.results()
    all_pass(found, SOLVED)
    others = {how for id, cases in found.items() if id not in SOLVED for how, _ in cases.values()}
    assert others == {"skipped"}, others
    assert re.search(r"^3 passed, 0 failed, \d+ not tried$", said, re.MULTILINE), said[-500:]
    changes = subprocess.run((*GIT, "status", "--porcelain"), cwd=repository.clone, check=True, capture_output=True, text=True).stdout
    assert not changes, f"the run leaves in the repository: {changes}"


def a_wrong_solution_is_named_with_what_to_do(make):
    repository = make(change=changed("solutions/c02.py", ' * event["quantity"]', ""))
    repository.run(1)
    assert repository.ended("c02") == {"filter": "passed", "revenue": "failure", "summaries": "skipped"}, repository.ended("c02")
    all_pass(repository.results(), ("c01", "c04"))
    words = repository.results()["c02"]["revenue"][1]
    assert "quantity" in words and "C02" in words, words


def a_solution_that_takes_no_ticket_fails(make):
    def emptied(folder):
        (folder / "solutions" / "c04.py").write_text("print('to do')\n")

    said = make(change=emptied).run(1)
    assert "2 passed, 1 failed" in said and "there is no ticket for c04" in said, said[-800:]


def one_that_crashes_or_hangs_is_named(make):
    def broken(folder):
        (folder / "solutions" / "c01.py").write_text("import workshop\nworkshop.ticket('c01')\nraise ValueError('broken')\n")
        (folder / "solutions" / "c02.py").write_text("import time, workshop\nworkshop.ticket('c02')\ntime.sleep(600)\n")

    repository = make(change=broken)
    said = repository.run(1, LIMIT="5")
    assert "solutions/c01.py ended with status 1" in said and "solutions/c02.py did not end within 5 s" in said, said
    assert (repository.ended("c01"), repository.ended("c02")) == ({"answer": "error"}, {"answer": "error"}), repository.results()
    all_pass(repository.results(), ("c04",))


def a_missing_solution_is_named(make):
    said = make(change=lambda folder: (folder / "solutions" / "c04.py").unlink()).run(2)
    assert said == "ci.sh: missing: solutions/c04.py; add it, or take it out of CHALLENGES in ci.sh\n", said


def without_the_binary_one_line_says_so(make):
    repository = make(binary=None)
    # PATH of this machine may have a headwater.
    path = os.pathsep.join(part for part in repository.environment["PATH"].split(os.pathsep) if not (Path(part) / "headwater").exists())
    said = repository.run(2, PATH=path)
    assert said.startswith("ci.sh: there is no headwater on PATH") and said.count("\n") == 1, said


def without_the_client_one_line_says_how_to_get_it(make):
    repository = make()
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", repository.place / "bare"), check=True)
    said = repository.run(2, PATH=os.pathsep.join((str(repository.place / "bare" / "bin"), repository.environment["PATH"])))
    assert said.splitlines()[-1] == "ci.sh: the Kafka client cannot be loaded: python3 -m pip install -r requirements.txt", said


def a_taken_port_is_named(make):
    repository = make()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", repository.kafka))
        taken.listen()
        process = repository.start()
        said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2 and f"port {repository.kafka} on 127.0.0.1 is taken" in said, (process.returncode, said)
    assert said.splitlines()[-1].startswith("ci.sh: the broker did not start"), said


def a_headwater_that_runs_already_is_not_taken_for_ours(make, binary):
    repository = make()
    other = random.choice([port for port in free_ports(300)[200:] if port not in (repository.kafka, repository.http)])
    command = (binary, "serve", "--listen", f"127.0.0.1:{other}", "--http", f"127.0.0.1:{repository.http}", "--data-dir", repository.place / "other")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_until(lambda: listens(repository.http))
            process = repository.start()
            said, _ = process.communicate(timeout=WITHIN_S)
        finally:
            running.terminate()
    assert process.returncode == 2 and said.startswith(f"ci.sh: another Headwater answers at 127.0.0.1:{repository.http}"), said


def a_run_that_is_cancelled_stops_its_broker(make):
    def endless(folder):
        (folder / "solutions" / "c01.py").write_text("import time\nprint('here I am')\ntime.sleep(600)\n")

    repository = make(change=endless)
    process = repository.start()
    try:
        next(line for line in process.stdout if "here I am" in line)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 143 and time.monotonic() - begin < 10, process.returncode
    repository.nothing_is_left()


def the_workflow_is_made_of_these_commands(make, binary, yaml, work):
    """Its steps are run one after another as a runner does, in a fresh Python, with the wheel of this binary."""
    text = (EXAMPLE / ".github" / "workflows" / "challenges.yaml").read_text()
    (job,) = json.loads(subprocess.run((yaml, "-c", AS_JSON), input=text, check=True, capture_output=True, text=True).stdout)["jobs"].values()
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert lines[-1] == "./ci.sh results.xml", lines
    assert job["steps"][-1]["with"]["path"] == "results.xml" and job["steps"][-1]["if"] == "always()", job["steps"][-1]
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step) and re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/checkout@v4")), step
    subprocess.run((sys.executable, ROOT / "docker" / "dist.py", "--binary", binary, "--into", work / "dist"), check=True, capture_output=True)
    (wheel,) = (work / "dist").glob("*.whl")
    named = job["env"]["HEADWATER_WHEEL"].rsplit("/", 1)[1]
    assert named.replace("x86_64", "*") == wheel.name.replace(os.uname().machine, "*"), (named, wheel.name)
    repository = make(binary=None)
    subprocess.run((sys.executable, "-m", "venv", repository.place / "venv"), check=True)
    cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    path = os.pathsep.join((str(repository.place / "venv" / "bin"), os.environ["PATH"]))
    for line in lines:
        subprocess.run(("sh", "-n", "-c", line), check=True)
        repository.run(0, "bash", "-e", "-c", line, PATH=path, HEADWATER_WHEEL=str(wheel), PIP_CACHE_DIR=cache)
    all_pass(repository.results(), SOLVED)


def scripts_are_plain_shell(_):
    for shell in filter(shutil.which, ("sh", "dash", "bash")):
        subprocess.run((shell, "-n", EXAMPLE / "ci.sh"), check=True)
    assert os.access(EXAMPLE / "ci.sh", os.X_OK), "ci.sh cannot be run"


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "not within 30 s"
        time.sleep(0.1)


def outcome(case):
    """1 if it failed."""
    test, *more = case
    begin = time.monotonic()
    try:
        test(*more)
    except (AssertionError, StopIteration, subprocess.SubprocessError, ValueError, OSError, KeyError, ElementTree.ParseError) as error:
        print(f"FAIL {test.__name__.replace('_', ' ')}: {error!r} {getattr(error, 'stderr', '') or ''}", flush=True)
        return 1
    print(f"ok   {test.__name__.replace('_', ' ')}, {time.monotonic() - begin:.1f} s", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    binary = parser.parse_args().binary.resolve()
    try:
        with only_one_installs():
            python = python_with("challenges", ROOT / "challenges" / "shared" / "requirements.txt")
            yaml = python_with("examples", HERE / "requirements.txt")
    except Missing as reason:
        failed = int(bool(os.environ.get("CI")))
        print(f"a Python with the client cannot be had: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
        return failed
    work = Path(tempfile.mkdtemp(prefix="headwater-examples-"))

    def make(binary=binary, change=None):
        return Repository(work, binary, python, change)

    # The longest first.
    tests = (
        (the_workflow_is_made_of_these_commands, make, binary, yaml, work),
        (one_that_crashes_or_hangs_is_named, make),
        (right_solutions_pass_as_the_readme_says, make),
        (a_wrong_solution_is_named_with_what_to_do, make),
        (a_solution_that_takes_no_ticket_fails, make),
        (a_run_that_is_cancelled_stops_its_broker, make),
        (a_headwater_that_runs_already_is_not_taken_for_ours, make, binary),
        (a_taken_port_is_named, make),
        (a_missing_solution_is_named, make),
        (without_the_binary_one_line_says_so, make),
        (without_the_client_one_line_says_how_to_get_it, make),
        (scripts_are_plain_shell, make),
    )
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            failed = sum(pool.map(outcome, tests))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
