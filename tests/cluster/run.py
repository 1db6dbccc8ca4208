"""The workshop on another cluster: three Apache Kafka brokers, of which one dies in the middle and comes back.

run.py --binary target/release/headwater

Solutions and some wrong solutions of the Python challenges get the verdicts that they get elsewhere; the streams have neither gap nor
duplicate; TLS with a login works; what cannot work says why.
"""

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "challenges"), str(HERE.parent / "clients")]
sys.path.append(str(HERE.parent / "student"))

import importlib.util  # noqa: E402  (the paths must be known first)

import certificates  # noqa: E402
from broker import free_ports  # noqa: E402
from environments import Missing, only_one_installs, python_with  # noqa: E402
from folders import CHALLENGES  # noqa: E402
from kafka3 import HEADWATER, STUDENT, Kafka3  # noqa: E402
from room import Room  # noqa: E402

SEED, DIRT = 4242, 1
AT_ONCE = 4
VICTIM = 2
# The class is at work before the broker dies, and goes on while it is away.
DIES_AFTER, COMES_BACK_AFTER = 12, 20
WRONG_OF_EACH = 2
# The student's scripts wait so long for a ticket.
WAITS_AT_MOST = 30
# SIGTERM, to the end of the process.
ENDS_WITHIN = 3
# What is wrong with these only a broker sees.
WITNESSED = ("not-closed", "new-consumer-per-rerun", "acks-ignored")


def challenge_cases():
    """`cases` of tests/challenges/run.py, whose name is this file's too."""
    spec = importlib.util.spec_from_file_location("challenges_run", HERE.parent / "challenges" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def few(cases):
    """Of each challenge the solutions, some wrong ones, and another student's ticket."""
    wrong = {}
    for case in cases:
        if case.name.startswith("solution") or case.name.startswith("another student"):
            yield case
        elif case.name.startswith("wrong") and case.name.removeprefix("wrong: ") not in WITNESSED:
            wrong[case.challenge] = wrong.get(case.challenge, 0) + 1
            if wrong[case.challenge] <= WRONG_OF_EACH:
                yield case


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, why=None, seconds=0.0):
        self.passed, self.failed = self.passed + (why is None), self.failed + (why is not None)
        print(f"{'ok  ' if why is None else 'FAIL'}  {name:<60} {seconds:5.1f} s  {why or ''}", flush=True)

    def check(self, name, run, *given):
        begin = time.monotonic()
        try:
            run(*given)
        except Exception as reason:  # one check must not keep the others from running
            self.note(name, f"{type(reason).__name__}: {reason} {traceback.format_exc(limit=-2) if os.environ.get('VERBOSE') else ''}", 0.0)
        else:
            self.note(name, None, time.monotonic() - begin)


def answer(base, path, token=None, body=None):
    """Status and text."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, data, headers), timeout=30) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as reason:
        return reason.code, reason.read().decode()


def until(what, limit, look):
    end = time.monotonic() + limit
    while True:
        found = look()
        if found is True:
            return
        assert time.monotonic() < end, f"{what} did not come within {limit} s: {found}"
        time.sleep(0.5)


def refused(binary, *words):
    """The sentence of a start that fails."""
    command = [binary, "serve", *words, "--http", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, None), f"started: {done.stdout}"
    lines = [line for line in done.stderr.splitlines() if line.startswith("headwater: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


class Watchers:
    """Ask for tickets, verdicts and pages over and over, each for itself, while a broker dies: they wait for another one to take over, and
    are not refused."""

    def __init__(self, room):
        self.room, self.over, self.lock, self.asked = room, threading.Event(), threading.Lock(), {}
        students, token = [room.student() for _ in range(3)], room.instructor()
        self.questions = {f"ticket {id}": (student, f"/api/ticket/{id}", {}) for student, id in zip(students, ("c02", "c03", "c09"))}
        self.questions["check c01"] = (students[0], "/api/check/c01", {})
        self.pages = ["/api/overview", "/api/groups", "/api/topics/ecommerce-events", "/api/challenges"]
        asks = [threading.Thread(target=self.keep_asking, args=(name, who.ask, path, body)) for name, (who, path, body) in self.questions.items()]
        asks += [threading.Thread(target=self.keep_asking, args=(path, lambda path, _: room.ask(path, None, token), path, None)) for path in self.pages]
        self.threads = asks

    def keep_asking(self, name, ask, path, body):
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                found = ask(path, body)
                why = found.get("error") if isinstance(found, dict) else None
            except (OSError, ValueError) as reason:
                why = repr(reason)
            with self.lock:
                self.asked.setdefault(name, []).append((time.monotonic() - begin, why))
            self.over.wait(2)

    def during(self, act):
        for thread in self.threads:
            thread.start()
        try:
            act()
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join()

    def judge(self):
        for name in (*self.questions, *self.pages):
            refused = [why for _, why in self.asked[name] if why]
            slowest = max(seconds for seconds, _ in self.asked[name])
            assert not refused, f"{name}: {refused[0]} ({len(refused)} of {len(self.asked[name])})"
            assert slowest < WAITS_AT_MOST, f"{name} took {slowest:.1f} s"
            print(f"      {name}: {len(self.asked[name])} times, the slowest {slowest:.1f} s", flush=True)


class Class:
    """The challenges, while a broker dies and comes back."""

    def __init__(self, kafka, room, results):
        self.kafka, self.room, self.results, self.trouble = kafka, room, results, None
        self.watchers = Watchers(room)

    def power_cut(self):
        try:
            time.sleep(DIES_AFTER)
            self.watchers.during(self.dies)
        except Exception as reason:  # told by the main thread
            self.trouble = reason

    def dies(self):
        self.kafka.kill(VICTIM)
        print(f"broker {VICTIM} is killed", flush=True)
        time.sleep(COMES_BACK_AFTER)
        self.comes_back()

    def comes_back(self):
        self.kafka.start(VICTIM)
        self.kafka.wait([VICTIM])
        print(f"broker {VICTIM} is back", flush=True)

    def at_work(self, pythons):
        run = challenge_cases()
        chosen = sorted(few(run.cases(self.room, pythons, DIRT)), key=lambda case: not case.long)
        cut = threading.Thread(target=self.power_cut)
        cut.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for case, outcome, seconds in pool.map(run.tried, chosen):
                why = " ".join(outcome.split())[:900] if outcome.startswith("FAIL") else None
                self.results.note(f"{case.challenge} {case.name}", why, seconds)
        cut.join()
        assert self.trouble is None, self.trouble
        assert chosen, "there is no case"
        self.results.check("tickets, verdicts and pages wait for the next leader", self.watchers.judge)


def evidence_is_named(room, python):
    """What a check does not see stands in the verdict and on the challenge's page."""
    page = room.ask("/api/challenges/c01", None, room.instructor())
    assert [one["check"] for one in page["not_seen"]] == ["seen", "committed"], page["not_seen"]
    overview = room.ask("/api/overview", None, room.instructor())
    assert overview["cluster"]["kind"] == "external" and len(overview["cluster"]["missing"]) >= 4, overview["cluster"]
    assert overview["connections"] is None, overview["connections"]
    student = room.student()
    place = student.begin("c01")
    (script,) = (place / "c01.py",)
    script.write_text((next(CHALLENGES.glob("01-*")) / "solution.py").read_text(encoding="utf-8"), encoding="utf-8")
    code, output = student.run(python, script)
    assert code == 0, output
    assert output.count("Not seen on this cluster:") == 2, output
    for path in ("/api/seen", "/api/requests"):
        said = student.ask(path)
        assert "cannot be shown" in said["error"] and "another-cluster.md" in said["fix"], said


def groups_are_known(room, python, kafka):
    """Members, assignment, lag; offsets set back when it is empty, and not before."""
    source = (
        "import sys\nfrom confluent_kafka import Consumer\n"
        "c = Consumer({'bootstrap.servers': sys.argv[1], 'group.id': 'watched', 'auto.offset.reset': 'earliest'})\n"
        "c.subscribe(['iot-sensor-data'])\n"
        "found = c.consume(300, timeout=30)\nc.commit(asynchronous=False)\nprint('read', len(found), flush=True)\n"
        "sys.stdin.readline()\nc.close()\n"
    )
    token = room.instructor()
    reading = subprocess.Popen([python, "-c", source, kafka.plain], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reading.stdout.readline().strip() == "read 300"

        def seen():
            _, text = answer(room.base, "/api/groups/watched", token)
            group = json.loads(text)
            members = group.get("members") or []
            given = [part for member in members for part in member.get("assignment", [])]
            return len(members) == 1 and bool(given) and group.get("lag", 0) > 300 or text[:600]

        until("the group's member", 30, seen)
        reset = {"topic": "iot-sensor-data", "to": "earliest", "apply": True}
        status, text = answer(room.base, "/api/groups/watched/offsets", token, reset)
        assert status == 409, (status, text)
    finally:
        reading.communicate("\n", timeout=60)
    until("the group's end", 30, lambda: answer(room.base, "/api/groups/watched/offsets", token, reset)[0] == 200 or "refused")


def assigned_is_shown(room, python, kafka):
    """Who reads and has committed nothing yet: its partitions are there, and what it lags behind is not counted."""
    source = (
        "import sys\nfrom confluent_kafka import Consumer\n"
        "c = Consumer({'bootstrap.servers': sys.argv[1], 'group.id': 'uncommitted', 'enable.auto.commit': False})\n"
        "c.subscribe(['social-media-feed'])\n"
        "while len(c.assignment()) < 3:\n    c.poll(0.2)\n"
        "print('has them', flush=True)\nsys.stdin.readline()\nc.close()\n"
    )
    token = room.instructor()
    reading = subprocess.Popen([python, "-c", source, kafka.plain], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reading.stdout.readline().strip() == "has them"

        def seen():
            _, text = answer(room.base, "/api/groups/uncommitted", token)
            group = json.loads(text)
            parts = group.get("partitions") or []
            empty = [(part["topic"], part["partition"]) for part in parts if part["committed"] is None and part["lag"] is None and part["owner"]]
            wanted = [("social-media-feed", partition) for partition in range(3)]
            return empty == wanted and group["lag"] is None and group["uncounted"] == 3 or text[:600]

        until("its partitions", 30, seen)
    finally:
        reading.communicate("\n", timeout=60)


COMPARE = """
import sys
from confluent_kafka import Consumer, TopicPartition
bootstrap, prefix = sys.argv[1:3]
TOPICS = {"ecommerce-events": 6, "iot-sensor-data": 3, "social-media-feed": 3, "financial-transactions": 6}
client = Consumer({"bootstrap.servers": bootstrap, "group.id": "compare", "enable.auto.commit": False, "auto.offset.reset": "earliest"})

def held(topic, partition, most=None):
    end = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
    end = min(end, most) if most is not None else end
    client.assign([TopicPartition(topic, partition, 0)])
    records = []
    while len(records) < end:
        for message in client.consume(min(5000, end - len(records)), timeout=20):
            assert message.error() is None, message.error()
            assert message.offset() == len(records), (topic, partition, message.offset(), len(records))
            records.append((message.timestamp()[1], message.key(), message.value()))
    return records

total = 0
for topic, partitions in TOPICS.items():
    for partition in range(partitions):
        there = held(topic, partition)
        wanted = held(prefix + topic, partition)
        # The town goes on while this looks at it.
        assert abs(len(there) - len(wanted)) < 1000, (topic, partition, len(there), len(wanted))
        for place, (one, other) in enumerate(zip(there, wanted)):
            assert one == other, (topic, partition, place, one, other)
        total += len(there)
print(total)
"""

COPY_JOURNAL = """
import sys
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
bootstrap, prefix = sys.argv[1:3]
client = Consumer({"bootstrap.servers": bootstrap, "group.id": "compare", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
end = client.get_watermark_offsets(TopicPartition("_headwater", 0), timeout=30)[1]
client.assign([TopicPartition("_headwater", 0, 0)])
admin = AdminClient({"bootstrap.servers": bootstrap})
made = admin.create_topics([NewTopic(prefix + "_headwater", 1, config={"cleanup.policy": "compact"})])
[future.result(30) for future in made.values()]
producer, at = Producer({"bootstrap.servers": bootstrap}), 0
while at < end:
    message = client.poll(20)
    if message is None:
        break  # compaction has taken the last ones
    assert message.error() is None, message.error()
    at = message.offset() + 1
    producer.produce(prefix + "_headwater", message.value(), message.key(), 0, timestamp=message.timestamp()[1])
assert producer.flush(30) == 0
"""


def streams_are_whole(binary, kafka, python):
    """The same seed, beginning and orders make the same town once more beside it: each partition holds the same records, from the first
    to the last, as the one that went through the outage."""
    prefix = "again."
    done = subprocess.run([python, "-c", COPY_JOURNAL, kafka.plain, prefix], check=False, timeout=90, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-900:]
    command = [binary, "generate", "--to", f"kafka://{kafka.plain}", "--topic-prefix", prefix, "--seed", str(SEED), "--dirt", str(DIRT)]
    with tempfile.TemporaryFile("w+") as said:
        again = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:

            def live():
                said.seek(0)
                text = said.read()
                return "events a second" in text or text[-300:]

            until("the second town's present", 90, live)
        finally:
            # It stands behind what is compared until it has written a moment longer.
            time.sleep(2)
            again.terminate()
            again.wait(30)
    done = subprocess.run([python, "-c", COMPARE, kafka.plain, prefix], check=False, timeout=180, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-900:]
    assert int(done.stdout) > 100_000, done.stdout


def doctor_is_sensible(room):
    """Where the cluster has no logins, every step up to the first record works."""
    said = room.student().tool("doctor", may_fail=True)
    assert "the record came back" in said and "ecommerce-events has" in said, said
    assert "FAIL" not in said and "Traceback" not in said, said


def with_a_login(binary, kafka, python):
    """TLS and SCRAM for Headwater and for students, who get a login of their own. The pages have a certificate of the class's own."""
    http, https = free_ports(2)
    base = f"http://127.0.0.1:{http}"
    authority = certificates.Authority(kafka.folder, "pages")
    certificate, key = authority.certificate("pages", "IP:127.0.0.1")
    files = [kafka.properties(*HEADWATER, "headwater.properties"), kafka.properties(*STUDENT, "students.properties")]
    command = [binary, "serve", "--cluster", f"kafka://{kafka.sasl}", "--cluster-config", files[0], "--cluster-student-config", files[1]]
    command += ["--generators", "off", "--http", f"127.0.0.1:{http}"]
    command += ["--https", f"127.0.0.1:{https}", "--tls-cert", certificate, "--tls-key", key]
    with tempfile.TemporaryFile() as out:
        serving = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            until("the page", 60, lambda: reachable(base) or serving.poll() or "not yet")
            trusted = ssl.create_default_context(cafile=authority.pem)
            with urllib.request.urlopen(f"https://127.0.0.1:{https}/healthz", timeout=10, context=trusted) as found:
                assert found.status == 200
            _, text = answer(base, "/api/topics")
            assert {topic["name"] for topic in json.loads(text)["topics"]} >= {"ecommerce-events", "iot-sensor-data"}, text[:300]
            status, program = answer(base, "/api/settings?client=confluent-kafka")
            assert status == 200 and f'"{STUDENT[0]}"' in program and "SASL_SSL" in program and HEADWATER[1] not in program, program
            folder = Path(tempfile.mkdtemp(prefix="headwater-first-"))
            (folder / "headwater-ca.pem").write_text(answer(base, "/ca.pem")[1], encoding="utf-8")
            (folder / "first.py").write_text(program, encoding="utf-8")
            done = subprocess.run([python, "first.py"], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
            assert done.returncode == 0 and done.stdout.count("event_id") == 5, done.stdout + done.stderr
        finally:
            ended(serving)


def ended(process):
    """Told to end, it does so in time."""
    process.terminate()
    begin = time.monotonic()
    process.wait(30)
    took = time.monotonic() - begin
    assert took < ENDS_WITHIN, f"it ended {took:.2f} s after SIGTERM"


def reachable(base):
    try:
        return answer(base, "/healthz")[0] == 200
    except OSError:
        return False


def says_what_is_wrong(binary, kafka):
    wrong = kafka.properties(HEADWATER[0], "guessed", "wrong.properties")
    tried = (
        (("--cluster", f"kafka://{kafka.sasl}", "--cluster-config", wrong), ("Authentication failed", "check sasl.username, sasl.password")),
        (("--cluster", "kafka://127.0.0.1:1"), ("no Kafka cluster answers at 127.0.0.1", "check that it runs")),
        (("--cluster", f"kafka://{kafka.plain}", "--listen", "127.0.0.1:0"), ("with --cluster there is none here",)),
    )
    # Each takes the time that a cluster has to answer.
    with ThreadPoolExecutor(len(tried)) as pool:
        for (_, wanted), said in zip(tried, pool.map(lambda one: refused(binary, *one[0]), tried)):
            assert all(words in said for words in wanted), said


def second_one_waits(binary, kafka):
    """Two that feed the same streams would write everything twice."""
    (http,) = free_ports(1)
    base = f"http://127.0.0.1:{http}"
    with tempfile.TemporaryFile() as out:
        command = [binary, "serve", "--cluster", f"kafka://{kafka.plain}", "--http", f"127.0.0.1:{http}", "--seed", str(SEED)]
        serving = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            until("the page", 60, lambda: reachable(base) or serving.poll() or "not yet")

            def warned():
                warning = json.loads(answer(base, "/api/overview")[1])["warning"] or ""
                return warning.startswith("another Headwater feeds this cluster") or warning

            until("the warning", 40, warned)
            # Brokers that are there and say nothing.
            kafka.freeze()
            try:
                for _ in range(3):
                    threading.Thread(target=answer, args=(base, "/api/overview"), daemon=True).start()
                time.sleep(1)
                ended(serving)
            finally:
                kafka.thaw()
        finally:
            serving.kill()
            serving.wait()


def outage_is_told(room, kafka):
    """All brokers die: the pages say so and go on when they are back, and so do the generators."""
    for node in (1, 2, 3):
        kafka.kill(node)

    def told():
        status, text = answer(room.base, "/healthz")
        return status == 503 and "does not answer" in text or (status, text)

    until("503", 45, told)
    begin = time.monotonic()
    said = room.student_of_before.ask("/api/ticket/c02", {})
    assert "error" in said and time.monotonic() - begin < 20, said
    for node in (1, 2, 3):
        kafka.start(node)
    kafka.wait()
    until("health", 90, lambda: answer(room.base, "/healthz")[0] == 200 or "503")
    token = room.instructor()

    def goes_on():
        streams = json.loads(answer(room.base, "/api/generators", token)[1])
        return streams.get("trouble") is None and all(one["events_per_s"] > 0 for one in streams["streams"]) or streams.get("trouble")

    until("events", 60, goes_on)

    def has_a_ticket():
        found = room.student_of_before.ask("/api/ticket/c02", {})
        return any(found.get("live", {}).values()) or str(found)[:600]

    until("a ticket", 60, has_a_ticket)
    assert room.problem() is None, room.problem()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/headwater")
    given = parser.parse_args()
    binary, results, begin = str(Path(given.binary).resolve()), Results(), time.monotonic()
    try:
        with only_one_installs():
            pythons = {
                "scripts": python_with("challenges", CHALLENGES / "shared" / "requirements.txt"),
                "board": python_with("challenges-board", CHALLENGES / "03-sales-dashboard" / "requirements.txt"),
            }
        kafka = Kafka3()
    except Missing as reason:
        failed = int(bool(os.environ.get("CI")))
        print(f"what this needs cannot be had: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
        return failed
    print(f"three brokers after {time.monotonic() - begin:.0f} s", flush=True)
    room = None
    try:
        room = Room(binary, "--seed", str(SEED), "--dirt", str(DIRT), cluster=["--cluster", f"kafka://{kafka.plain}"])
        room.student_of_before = room.student()
        python = pythons["scripts"]
        results.check("the class went through the death of a broker", Class(kafka, room, results).at_work, pythons)
        results.check("what is not seen is named", evidence_is_named, room, python)
        results.check("groups: members, lag, offsets", groups_are_known, room, python, kafka)
        results.check("groups: what was assigned and not committed", assigned_is_shown, room, python, kafka)
        results.check("the student's doctor", doctor_is_sensible, room)
        results.check("TLS and a login, and pages by HTTPS", with_a_login, binary, kafka, python)
        results.check("what cannot work says why", says_what_is_wrong, binary, kafka)
        results.check("a second one waits, and ends when told to", second_one_waits, binary, kafka)
        results.check("the cluster goes away and comes back", outage_is_told, room, kafka)
        results.check("the streams have no gap and no duplicate", streams_are_whole, binary, kafka, python)
        if room.problem():
            results.note("Headwater runs", room.problem())
    finally:
        if room is not None:
            room.close()
        kafka.close()
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{results.passed} passed, {results.failed} failed, 0 skipped")
    return 1 if results.failed or not results.passed else 0


if __name__ == "__main__":
    sys.exit(main())
