"""The Spark challenges for real: each solution, each starter and wrong solutions, on one JVM, against a classroom.

run.py --binary target/release/headwater [WORD...]   only cases with one of these words in their name
run.py --binary ... --all                            every wrong solution, and all solutions under Spark Connect and as Jupyter runs them

Without --all two wrong solutions a challenge, one solution under Spark Connect, and one from the bridge's files or as Jupyter runs it:
others each time, in a town with another seed each time. SEED and DIRT in the environment choose it.
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
# C6 reads bronze a dozen times. Two hours of it show no more than what a ticket reaches back.
RECENT_BRONZE = """
import time

import lakehouse

spark = lakehouse.session(globals())
records = lakehouse.stream("ecommerce-events", startingTimestamp=int(time.time() - 26 * 60) * 1000)
rows = records.selectExpr(
    "cast(key AS string) AS key", "cast(value AS string) AS value", "topic", "partition", "offset", "timestamp",
    "current_timestamp() AS ingested_at",
)
place = lakehouse.checkpoint("bronze")
rows.writeStream.option("checkpointLocation", place).trigger(availableNow=True).toTable("bronze").awaitTermination()
"""
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
        self.id = self.student.ask("/api/me")["id"]
        self.schema = "ws_" + re.sub(r"\W", "_", self.id)
        # C6 works on what C5 made.
        self.keep = ["bronze"] if folder.id == "c06" else []
        (self.solution,) = [name for name, client in folder.sheet["solutions"].items() if client == SPARK]
        # C9's Spark half reads what its Python half has written.
        self.first_half = next((name for name, client in folder.sheet["solutions"].items() if client != SPARK), None)

    def script(self):
        return self.place / self.solution.replace("solution", self.folder.id, 1)

    def run(self, text=None, driver=None, **more):
        """What became of a notebook; without a text of what the student's tool has put there."""
        if text is not None:
            self.script().write_text(text, encoding="utf-8")
        environment = {name: value for name, value in self.student.environment.items() if os.environ.get(name) != value}
        request = {"script": str(self.script()), "environment": {**environment, **more}, "schema": self.schema, "keep": self.keep}
        return (driver or self.driver).ask(**request)

    def begin(self):
        """What has to be there before a notebook can do its work."""
        self.bronze()
        if self.first_half:
            script = self.place / "first_half.py"
            script.write_text(self.folder.text(self.first_half), encoding="utf-8")
            code, output = self.student.run(self.found.python, script)
            if code != 0:
                raise RuntimeError(f"{self.first_half} ended with {code}: {output[-500:]}")
            self.first_half = None

    def bronze(self):
        if self.keep and not (self.student.folder / "warehouse" / "bronze").is_dir():
            ended = self.run(RECENT_BRONZE)
            if ended["code"]:
                raise RuntimeError(f"bronze could not be made: {ended['output'][-500:]}")

    def verdict(self, text, driver=None, **more):
        self.begin()
        ended = self.run(text, driver, **more)
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
    desk.bronze()
    ended = desk.run(told)
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


def shows(desk):
    """The dashboards beside the notebook, on the tables that the solution has written."""
    files = sorted(desk.folder.path.glob("*.lvdash.json"))
    asked = [desk.driver.ask(call="dashboards.problems", arguments={"file": str(file), "schema": desk.schema}) for file in files]
    # Whatever ends the question itself comes as a text.
    found = [problem for answer in asked for problem in ([answer["outcome"]] if isinstance(answer["outcome"], str) else answer["outcome"])]
    return f"FAIL: {'; '.join(found)}" if found else f"pass: every query of {', '.join(file.name for file in files)} has rows to show"


def from_files(desk, binary):
    """The broker's machine reads the tables themselves, after the solution has written them."""
    words = ["--http", desk.room.base.removeprefix("http://"), "--secret", desk.room.secret(), "--student", desk.id]
    command = [binary, "check", desk.folder.id, *words, "--path", str(desk.student.folder / "warehouse")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = (done.stdout + done.stderr)[-900:]
    return f"pass: {told.strip().splitlines()[-1]}" if done.returncode == 0 else f"FAIL: {told}"


def as_jupyter(desk):
    """The notebook that the instructor gets, in a kernel of its own."""
    desk.begin()
    name = desk.solution.replace(".py", ".ipynb")
    book = desk.room.ask(f"/api/challenges/{desk.folder.id}/{name}", token=desk.room.instructor())
    file = desk.place / name
    file.write_text(json.dumps(book), encoding="utf-8")
    desk.driver.ask(clear=str(desk.student.folder), schema=desk.schema, keep=desk.keep)
    environment = {**desk.student.environment, "HEADWATER_SPARK_JARS": desk.found.jars}
    command = [desk.found.python, str(HERE / "jupyter.py"), str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        return f"FAIL: {(done.stdout + done.stderr)[-1200:]}"
    outcome = expected(desk.student.ask(f"/api/verdict/{desk.folder.id}"), ("pass",))
    return f"{outcome} ({done.stdout.strip()})"


def bridged(desk):
    """The broker is out of reach: its records come as files that the student's tool writes, while the notebook runs."""
    words = [word for topic in desk.folder.sheet["topics"] for word in ("--topic", topic)]
    command = [desk.found.python, str(stack.ROOT / "student"), "bridge", "--server", desk.room.base, *words, "--to", str(desk.student.folder)]
    log = desk.student.folder / "bridge.log"
    with log.open("wb") as out:
        bridge = subprocess.Popen([*command, "--every", "2"], env=desk.student.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 60
        while not all(any((desk.student.folder / "landing" / topic).glob("*.ndjson")) for topic in desk.folder.sheet["topics"]):
            if time.monotonic() > end or bridge.poll() is not None:
                return f"FAIL: the bridge brings nothing: {log.read_text(errors='replace')[-600:]}"
            time.sleep(0.2)
        # A checkpoint belongs to its source: what was read from the broker goes.
        desk.driver.ask(clear=str(desk.student.folder), schema=desk.schema, keep=[])
        desk.keep, kept = [], desk.keep
        verdict = desk.verdict(desk.folder.text(desk.solution), HEADWATER_SOURCE="volume")
        desk.keep = kept
    finally:
        bridge.terminate()
        bridge.wait(30)
    # Spark reads no record from the broker, so the broker has seen the bridge's client alone.
    return expected(verdict, ("pass",))


def connected(desk, remote):
    return solved(desk, remote())


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


def cases(room, driver, remote, found, everything, turn, dirt, binary):
    desks = []
    for folder, solution in notebooks():
        desk = Desk(room, folder, driver, found)
        desks.append(desk)
        yield Case(folder.id, "starter", partial(untouched, desk))
        yield Case(folder.id, "solution", partial(solved, desk))
        if folder.sheet["track"] == SPARK:
            yield Case(folder.id, "its tables, read by the broker", partial(from_files, desk, binary))
        if any(folder.path.glob("*.lvdash.json")):
            yield Case(folder.id, "dashboard", partial(shows, desk))
        wrong = own_wrong(folder, solution)
        for one in wrong if everything else turning(wrong, WRONG_A_RUN, turn):
            yield Case(folder.id, f"wrong: {one.name}", partial(mistaken, desk, one, dirt))
    for desk in desks if everything else turning(desks, 1, turn):
        yield Case(desk.folder.id, "solution, Spark Connect", partial(connected, desk, remote))
    reads_streams = [desk for desk in desks if desk.folder.sheet["track"] == SPARK]
    for desk in reads_streams if everything else turning(reads_streams, turn % 2, turn // 2):
        yield Case(desk.folder.id, "solution, from the bridge's files", partial(bridged, desk))
    for desk in desks if everything else turning(desks, 1 - turn % 2, turn // 2):
        yield Case(desk.folder.id, "solution, as Jupyter runs it", partial(as_jupyter, desk))


def in_the_jvm(driver, function, **arguments):
    return driver.ask(call=function, arguments=arguments)["outcome"]


def at_the_broker(driver, binary, folder):
    """What happens to a query when the broker is killed, and when its topics begin anew."""
    arguments = {"binary": binary, "folder": str(folder)}
    yield Case("broker", "killed and started again under a query", partial(in_the_jvm, driver, "restarts.restarted", **arguments))
    yield Case("broker", "reset under a query", partial(in_the_jvm, driver, "restarts.reset_under_query", **arguments))


def connector(driver, binary, folder):
    """What Spark's connector asks, case by case."""
    outcomes = in_the_jvm(driver, "connector.through", binary=binary, folder=str(folder))
    if isinstance(outcomes, str):
        outcomes = [("connector", outcomes, 0.0)]
    for name, outcome, seconds in outcomes:
        case = Case("connector", name, None)
        shown(case, outcome, seconds)
        yield outcome, case, seconds


def shown(case, outcome, seconds):
    most = 1500 if outcome.startswith("FAIL") else 190
    print(f"{case.challenge:<9}  {case.name:<38} {seconds:5.1f} s  {' '.join(outcome.split())[:most]}", flush=True)


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
    parser.add_argument("--challenges", help="a folder of challenges in the place of those that the binary was built with")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    try:
        found = stack.stack()
    except Missing as reason:
        return stack.left_out(reason)
    if given.install_only:
        return 0
    return report(run(given, found))


def run(given, found):
    binary, turn = str(Path(given.binary).resolve()), int(time.time()) // 60
    seed, dirt = int(os.environ.get("SEED", 1 + turn % 9973)), int(os.environ.get("DIRT", turn % 3))
    print(f"seed {seed}, dirt {dirt}", flush=True)
    wanted = lambda case: not given.words or any(word in f"{case.challenge} {case.name}" for word in given.words)  # noqa: E731
    results = [tried(case) for case in (Case("all", "lint", linted),) if wanted(case)]
    more = ("--challenges", str(Path(given.challenges).resolve())) if given.challenges else ()
    room = Room(binary, "--seed", str(seed), "--dirt", str(dirt), *more)
    drivers = [Driver(found, room.folder / "spark.log")]

    def remote():
        """Spark Connect has a JVM of its own, a new one for each notebook; for tests Spark lets it choose its port."""
        while len(drivers) > 1:
            drivers.pop().close()
        drivers.append(Driver(found, room.folder / "connect.log", HEADWATER_SPARK_REMOTE="local[2]", SPARK_TESTING="1"))
        return drivers[1]

    try:
        for case in filter(wanted, cases(room, drivers[0], remote, found, given.all, turn, dirt, binary)):
            results.append(tried(case))
        for case in filter(wanted, at_the_broker(drivers[0], binary, room.folder)):
            results.append(tried(case))
        if wanted(Case("connector", "", None)):
            results += connector(drivers[0], binary, room.folder)
        if room.problem():
            results.append((f"FAIL: {room.problem()}", Case("all", "broker", None), 0.0))
            print(results[-1][0])
    finally:
        for driver in drivers:
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
