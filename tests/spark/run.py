"""The Spark challenges for real: each solution, each starter and wrong solutions, on one JVM, against a classroom.

run.py --binary target/release/headwater [WORD...]   only cases with one of these words in their name
run.py --binary ... --all                            every wrong solution, and all solutions under Spark Connect and as Jupyter runs them

Without --all two wrong solutions a challenge and one solution under Spark Connect, others each time, in a town with another seed each time;
SEED and DIRT in the environment choose it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "challenges"), str(HERE.parent / "clients")]

import lint  # noqa: E402  (the paths must be known first)
import stack  # noqa: E402
from environments import Missing  # noqa: E402
from folders import folders, starter  # noqa: E402
from room import Room  # noqa: E402
from scripts import expected  # noqa: E402

SPARK = "spark"
LIMIT = 240
WRONG_A_RUN = 2


class Case(NamedTuple):
    challenge: str
    name: str
    run: Callable


class Driver:
    """A Python with one JVM, which runs what it is sent."""

    def __init__(self, found, log, **environment):
        self.log = log.open("wb")
        command = [found.python, str(HERE / "driver.py")]
        environment = {**os.environ, "HEADWATER_SPARK_JARS": found.jars, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg", **environment}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd="/"
        )

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"Spark's Python ended: {Path(self.log.name).read_text(errors='replace')[-1500:]}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Desk:
    """A student with a folder for one challenge, where one notebook after the other is put."""

    def __init__(self, room, folder, driver, found):
        self.room, self.folder, self.driver, self.found = room, folder, driver, found
        self.student = room.student()
        self.place = self.student.begin(folder.id, SPARK)
        self.schema = "ws_" + re.sub(r"\W", "_", self.student.ask("/api/me")["id"])
        # C6 works on what C5 made.
        self.keep = ["bronze"] if folder.id == "c06" else []
        (self.solution,) = [name for name, client in folder.sheet["solutions"].items() if client == SPARK]

    def script(self):
        return self.place / self.solution.replace("solution", self.folder.id, 1)

    def run(self, text=None, driver=None):
        """What became of a notebook; without a text of what the student's tool has put there."""
        if text is not None:
            self.script().write_text(text, encoding="utf-8")
        environment = {name: value for name, value in self.student.environment.items() if os.environ.get(name) != value}
        request = {"script": str(self.script()), "environment": environment, "schema": self.schema, "keep": self.keep}
        return (driver or self.driver).ask(**request)

    def verdict(self, text, driver=None):
        ended = self.run(text, driver)
        if ended["code"]:
            return {"error": f"ended with {ended['code']}: {ended['output'][-900:]}"}
        return self.student.ask(f"/api/verdict/{self.folder.id}")


def solved(desk, driver=None):
    verdict = desk.verdict(desk.folder.text(desk.solution), driver)
    outcome = expected(verdict, ("pass",))
    stars = [star["id"] for star in desk.folder.sheet.get("star", [])]
    lacking = [star for star in stars if star not in verdict.get("stars", [])]
    if lacking and not outcome.startswith("FAIL"):
        return f"FAIL: the star {lacking[0]} is missing: {outcome}"
    return outcome + (f" (with {', '.join(stars)})" if stars else "")


def untouched(desk):
    """As the student's tool has written it: it ends by itself, says what is to do, and hands nothing in."""
    told = desk.script().read_text(encoding="utf-8")
    if told != starter(desk.folder.text(desk.solution)):
        return "FAIL: the student's tool wrote another starter"
    ended = desk.run()
    if ended["code"] or "Still to do" not in ended["output"]:
        return f"FAIL: ended with {ended['code']}: {ended['output'][-500:]}"
    todo = " ".join(ended["output"][ended["output"].index("Still to do") :].split())
    outcome = expected(desk.student.ask(f"/api/check/{desk.folder.id}", {}), ("error",), words="nothing has")
    return outcome if outcome.startswith("FAIL") else f"{outcome}  [{todo}]"


def mistaken(desk, wrong, dirt):
    verdict = desk.verdict(wrong.text)
    if wrong.timing and verdict.get("status") == "pass":
        verdict = desk.verdict(wrong.text)
    return expected(verdict, ("fail", "partial"), wrong.mistake or None, also_pass=wrong.rare or (wrong.dirt and dirt == 0))


def from_files(desk, binary):
    """The broker's machine reads the tables themselves, after the solution has written them."""
    command = [binary, "check", desk.folder.id, "--server", desk.room.base, "--path", str(desk.student.folder / "warehouse"), "--junit"]
    done = subprocess.run(command, env=desk.student.environment, capture_output=True, text=True, timeout=120, check=False)
    return f"{'ok' if done.returncode == 0 else 'FAIL'}: {(done.stdout + done.stderr)[-400:]}"


def linted():
    blind = lint.blind_rules()
    if blind:
        return f"FAIL: rules that find nothing: {', '.join(blind)}"
    counted = 0
    for folder, name in notebooks():
        text = folder.text(name)
        for kind, version in (("solution", text), ("starter", starter(text))):
            found = lint.problems(version)
            if found:
                return f"FAIL: {folder.path.name}/{name} ({kind}): {'; '.join(found[:4])}"
            counted += 1
    return f"ok: {len(lint.RULES) + 4} rules, {counted} notebooks"


def notebooks():
    for folder in folders():
        for name, client in folder.sheet["solutions"].items():
            if client == SPARK:
                yield folder, name


def own_wrong(folder, solution):
    return [wrong for wrong in folder.wrong() if wrong.text.startswith(lint.FIRST_LINE)]


def turning(items, count, turn):
    """So many of them, others at each turn."""
    count = min(count, len(items))
    return [items[(turn * count + number) % len(items)] for number in range(count)]


def cases(room, driver, found, everything, turn, dirt, binary):
    for folder, solution in notebooks():
        desk = Desk(room, folder, driver, found)
        yield Case(folder.id, "starter", partial(untouched, desk))
        yield Case(folder.id, "solution", partial(solved, desk))
        wrong = own_wrong(folder, solution)
        for one in wrong if everything else turning(wrong, WRONG_A_RUN, turn):
            yield Case(folder.id, f"wrong: {one.name}", partial(mistaken, desk, one, dirt))


def shown(case, outcome, seconds):
    most = 1500 if outcome.startswith("FAIL") else 190
    print(f"{case.challenge}  {case.name:<32} {seconds:5.1f} s  {' '.join(outcome.split())[:most]}", flush=True)


def tried(case):
    begin = time.monotonic()
    try:
        outcome = case.run()
    except Exception as reason:  # one case must not keep the others from running
        outcome = f"FAIL: {type(reason).__name__}: {reason}"
    shown(case, outcome, time.monotonic() - begin)
    return outcome, case, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/headwater")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    try:
        found = stack.stack()
    except Missing as reason:
        failed = int(bool(os.environ.get("CI")))
        print(f"Spark cannot be had: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
        return failed
    if given.install_only:
        return 0
    return report(run(given, found))


def run(given, found):
    binary, turn = str(Path(given.binary).resolve()), int(time.time()) // 60
    seed, dirt = int(os.environ.get("SEED", 1 + turn % 9973)), int(os.environ.get("DIRT", turn % 3))
    print(f"seed {seed}, dirt {dirt}", flush=True)
    wanted = lambda case: not given.words or any(word in f"{case.challenge} {case.name}" for word in given.words)  # noqa: E731
    results = [tried(Case("all", "lint", linted))] if wanted(Case("all", "lint", linted)) else []
    room = Room(binary, "--seed", str(seed), "--dirt", str(dirt))
    driver = Driver(found, room.folder / "spark.log")
    try:
        for case in filter(wanted, cases(room, driver, found, given.all, turn, dirt, binary)):
            results.append(tried(case))
        if room.problem():
            results.append((f"FAIL: {room.problem()}", Case("all", "broker", linted), 0.0))
            print(results[-1][0])
    finally:
        driver.close()
        room.close()
    return results


def report(results):
    seconds: dict = {}
    for _, case, took in results:
        seconds[case.challenge] = seconds.get(case.challenge, 0.0) + took
    print("seconds: " + ", ".join(f"{challenge} {took:.0f}" for challenge, took in seconds.items()) + f"; all {sum(seconds.values()):.0f}")
    failed = sum(outcome.startswith("FAIL") for outcome, _, _ in results)
    skipped = sum(outcome.startswith("skip") for outcome, _, _ in results)
    print(f"{len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or len(results) == skipped else 0


if __name__ == "__main__":
    sys.exit(main())
