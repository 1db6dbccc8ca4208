"""The bridge: what it writes, where it goes on, and every offset exactly once however often it is killed."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

from files_api import FilesApi
from rig import ROOT, STUDENT, Broker, Case

from headwater import bridge, kafka_clients, landing, wire
from headwater.http import HttpError
from headwater.landing import Record

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "clients"
# Which of the environments that other tests install has which client.
PYTHONS = {
    "confluent-kafka": CACHE / "challenges" / "bin" / "python",
    "kafka-python": CACHE / "challenges" / "bin" / "python",
    "aiokafka": CACHE / "aiokafka-0.14.0" / "bin" / "python",
}
TOPIC = "events"
# Small files, so that a kill falls between two of them, or into one.
SMALL = """import sys
from headwater import bridge, cli, databricks, kafka_clients
bridge.MOST_RECORDS, databricks.FIRST_PAUSE, kafka_clients.ANSWER_S = 150, 0.02, 2.0
sys.exit(cli.main(sys.argv[1:]))
"""
LIMIT = 120
ADD_PARTITIONS_TO_TXN = 24


class Log(kafka_clients.Reader):
    """Topics in memory. `low`: what retention has left."""

    def __init__(self):
        self.topics, self.low, self.away = {}, {}, 0

    def add(self, count, topic=TOPIC, partition=0, text="v"):
        kept = self.topics.setdefault(topic, {}).setdefault(partition, [])
        for number in range(len(kept), len(kept) + count):
            kept.append(Record(topic, partition, number, 1000 + number, b"k", f"{text}{number}".encode(), []))

    def partitions(self, topic):
        return sorted(self.topics.get(topic, {}))

    def bounds(self, topic, partitions):
        return {(topic, one): (self.low.get((topic, one), 0), len(self.topics[topic][one])) for one in partitions}

    def read(self, begin, ends):
        for (topic, partition), first in begin.items():
            kept = self.topics[topic][partition]
            for at in range(first, len(kept), 7):
                if self.away:
                    self.away -= 1
                    raise kafka_clients.Away("pulled the plug")
                part = [record for record in kept[at : at + 7] if record]
                yield part, {(topic, partition): min(at + 7, len(kept))}


class Folders(Case):
    def setUp(self):
        super().setUp()
        self.log, self.told = Log(), []
        self.root = self.home / "lake"

    def bridge(self, *topics, **words):
        return bridge.Bridge(self.log, landing.Folder(str(self.root)), topics or (TOPIC,), say=self.told.append, **words)

    def copy(self, *topics, **words):
        made = self.bridge(*topics, **words)
        try:
            made.round()
        finally:
            for lock in made.place.locks:
                lock.close()
        return made

    def names(self, topic=TOPIC):
        return sorted(file.name for file in (self.root / "landing" / topic).iterdir() if file.name != landing.LOCK)

    def offsets(self, topic=TOPIC, partition=0):
        found = []
        for name in self.names(topic):
            if not name.startswith(f"p{partition:03}"):
                continue
            lines = [json.loads(line) for line in (self.root / "landing" / topic / name).read_text(encoding="utf-8").splitlines()]
            first, end = (int(part) for part in name[: -len(".ndjson")].split("-")[1:])
            self.assertTrue(all(first <= line["offset"] < end for line in lines), name)
            found += [line["offset"] for line in lines]
        return found

    def refused(self, *told, **words):
        with self.assertRaises(HttpError) as caught:
            self.copy(**words)
        for text in told:
            self.assertIn(text, f"{caught.exception} {caught.exception.fix}")


class Writing(Folders):
    def test_names_say_what_is_in_the_files_and_idle_topics_make_none(self):
        self.log.add(30)
        self.log.add(0, partition=1)
        self.log.add(5, topic="other", partition=12)
        self.copy(TOPIC, "other")
        self.assertEqual(["p000-000000000000-000000000030.ndjson"], self.names())
        self.assertEqual(["p012-000000000000-000000000005.ndjson"], self.names("other"))
        self.copy(TOPIC, "other")
        self.assertEqual(1, len(self.names()))
        self.log.add(3)
        self.assertEqual("events 3 records in 1 file", self.copy(TOPIC, "other").told_so_far())
        self.assertEqual(list(range(33)), self.offsets())

    def test_a_line_has_everything_of_its_record(self):
        record = Record("t", 3, 17, 1_700_000_000_007, b"\xff", "\u00e4\n".encode(), [("a", b"1"), ("b", b"\xfe"), ("c", None)])
        self.assertEqual(
            {
                "key": None,
                "key_base64": "/w==",
                "value": "\u00e4\n",
                "topic": "t",
                "partition": 3,
                "offset": 17,
                "timestamp": "2023-11-14T22:13:20.007Z",
                "headers": [{"key": "a", "value": "1"}, {"key": "b", "value": None, "value_base64": "/g=="}, {"key": "c", "value": None}],
            },
            json.loads(landing.line(record)),
        )
        for text in (b"", None):
            self.assertEqual(None if text is None else "", json.loads(landing.line(record._replace(value=text)))["value"])
        self.assertEqual(1, landing.line(record).count(b"\n"))
        for at, told in ((0, "1970-01-01T00:00:00.000Z"), (-1, None), (10**18, None)):
            self.assertEqual(told, landing.rfc3339(at))

    def test_files_have_so_many_records_and_bytes_and_no_more(self):
        self.log.add(50)
        with mock.patch.object(bridge, "MOST_RECORDS", 20):
            self.copy()
        self.assertEqual([20, 20, 10], [int(name[18:30]) - int(name[5:17]) for name in self.names()])
        self.log.add(50)
        with mock.patch.object(bridge, "MOST_BYTES", 1000):
            self.copy()
        self.assertTrue(
            all(file.stat().st_size <= 1000 for file in (self.root / "landing" / TOPIC).glob("p*") if int(file.name[5:17]) >= 50)
        )
        self.log.add(40)
        self.log.add(140, partition=1)
        with mock.patch.object(bridge, "MOST_HELD", 2000):
            self.copy()
        self.assertEqual([list(range(140))] * 2, [self.offsets(partition=0), self.offsets(partition=1)])

    def test_what_spark_must_not_see_begins_with_an_underscore(self):
        self.log.add(20)
        with mock.patch("os.replace", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            self.copy()
        self.assertEqual(["_p000-000000000000-000000000020.new"], self.names())
        self.log.add(1)
        self.copy()
        self.assertEqual(["p000-000000000000-000000000021.ndjson"], self.names())

    def test_an_interrupted_round_begins_again(self):
        self.log.add(50)
        made = self.bridge()
        self.log.away = 1
        with self.assertRaises(kafka_clients.Away):
            made.round()
        made.round()
        self.assertEqual(list(range(50)), self.offsets())

    def test_one_bridge_at_a_time(self):
        first = self.bridge()
        self.log.add(1)
        first.round()
        self.refused("Another bridge writes to")

    def test_files_that_overlap_are_not_gone_on_from(self):
        self.log.add(30)
        self.copy()
        place = self.root / "landing" / TOPIC
        (place / "p000-000000000020-000000000040.ndjson").write_bytes(b"")
        self.refused("two bridges", "lakehouse.reset")


class GoingOn(Folders):
    def test_latest_begins_where_the_topic_ended_when_it_was_first_looked_at(self):
        self.log.add(10)
        self.log.add(4, partition=1)
        self.copy(begin="latest")
        self.log.add(5)
        self.copy(begin="latest")
        self.log.add(6, partition=1)
        self.copy(begin="latest")
        self.assertEqual([list(range(10, 15)), list(range(4, 10))], [self.offsets(), self.offsets(partition=1)])

    def test_a_partition_that_is_new_is_read_from_its_first_record(self):
        self.log.add(10)
        self.copy(begin="latest")
        self.log.add(3, partition=1)
        made = self.copy(begin="latest")
        self.log.add(2, partition=2)
        made.round()
        self.assertEqual([list(range(3)), list(range(2))], [self.offsets(partition=1), self.offsets(partition=2)])

    def test_what_retention_took_is_a_gap_that_is_told(self):
        self.log.add(10)
        self.copy()
        self.log.add(20)
        self.log.low[TOPIC, 0] = 15
        self.copy()
        self.assertEqual(["p000-000000000000-000000000010.ndjson", "p000-000000000015-000000000030.ndjson"], self.names())
        self.assertIn("offsets 10 to 14 were deleted", self.told[0])

    def test_marks_of_transactions_are_no_records_and_no_gap(self):
        self.log.add(10)
        self.log.topics[TOPIC][0][9] = self.log.topics[TOPIC][0][4] = None
        self.copy()
        self.log.add(1)
        self.log.topics[TOPIC][0] += [None]
        self.copy()
        self.copy()
        self.assertEqual(["p000-000000000000-000000000010.ndjson", "p000-000000000010-000000000012.ndjson"], self.names())
        self.assertEqual([0, 1, 2, 3, 5, 6, 7, 8, 10], self.offsets())

    def test_a_topic_that_was_made_anew_is_told_and_not_gone_on_with(self):
        self.log.add(30)
        running = self.bridge()
        running.round()
        running.place.locks.pop().close()
        for count in (0, 29, 31, 60):
            self.log.topics = {}
            self.log.add(count, text="anew")
            self.refused("events was made anew", "Delete", "lakehouse.reset", str(self.root / "landing" / TOPIC))
            with self.assertRaisesRegex(HttpError, "made anew"):
                running.round()
        self.assertEqual(1, len(self.names()))

    def test_a_last_line_that_is_long_is_found(self):
        self.log.add(3, text="x" * 2 * landing.TAIL_BYTES)
        self.copy()
        self.log.add(1)
        self.copy()
        self.assertEqual([0, 1, 2, 3], self.offsets())

    def test_a_topic_that_is_not_there_is_told(self):
        self.refused("There is no topic events", "doctor")


class Real(Case):
    """Against the broker, as a student runs it: a process of its own, ended without warning."""

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker("--generators", "off")
        cls.addClassCleanup(cls.broker.__exit__)
        cls.numbers = iter(range(1000))

    def python(self, client):
        if not PYTHONS[client].exists():
            if os.environ.get("CI"):
                self.fail(f"{PYTHONS[client]} is not there: tests/clients/run.py --install-only, tests/challenges/run.py --install-only")
            self.skipTest(f"no Python with {client}")
        return str(PYTHONS[client])

    def topic(self, partitions=3):
        name = f"events-{next(self.numbers)}"
        self.make(name, partitions)
        return name

    def make(self, name, partitions=3, delete=False):
        with wire.Connection(wire.dial("127.0.0.1", self.broker.port, 5), 5) as asked:
            if delete:
                asked.delete_topic(name)
            self.assertEqual(0, asked.create_topic(name, partitions))

    def write(self, topic, count, seed=1, pause=0.0):
        command = [self.python("confluent-kafka"), str(HERE / "records_of.py"), "write", self.broker.address, topic, count, seed, pause]
        return subprocess.Popen([str(word) for word in command])

    def start(self, client, topic, to, *words, environment=()):
        command = [self.python(client), "-c", SMALL, "bridge", "--client", client, "--broker", self.broker.address, "--topic", topic]
        command += ["--to", str(to), "--every", "0.5", "--server", self.broker.base, *words]
        environment = {**os.environ, "PYTHONPATH": str(STUDENT), "PYTHONUNBUFFERED": "1", **dict(environment)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def once(self, *words, **named):
        process = self.start(*words, "--once", **named)
        told, _ = process.communicate(timeout=LIMIT)
        return process.returncode, told

    def killed_again_and_again(self, client, topic, to, dice, **named):
        """Until the writer has ended; then what is left is copied."""
        writer, kills = self.write(topic, 9000, dice.randrange(1000), 0.12), 0
        while writer.poll() is None:
            process = self.start(client, topic, to, **named)
            process.stdout.readline()
            time.sleep(dice.uniform(0.02, 0.5))
            process.kill()
            process.communicate()
            kills += 1
        self.assertEqual(0, writer.returncode)
        code, told = self.once(client, topic, to, **named)
        self.assertEqual(0, code, told)
        return kills

    def direct(self, topic):
        command = [self.python("confluent-kafka"), str(HERE / "records_of.py"), "read", self.broker.address, topic]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def same(self, topic, files):
        """`files`: name and bytes. Each record that a client reads stands in them once, as it is, in a file whose name covers it."""
        copied, times = {}, collections.Counter()
        for name, data in files:
            partition, first, end = (int(part) for part in name[1 : -len(".ndjson")].split("-"))
            for line in map(json.loads, data.decode("utf-8").split("\n")[:-1]):
                self.assertTrue(line["partition"] == partition and first <= line["offset"] < end, name)
                copied[partition, line["offset"]] = line
                times[partition, line["offset"]] += 1
        there = {(record["partition"], record["offset"]): record for record in self.direct(topic)}
        self.assertEqual([], [at for at, count in times.items() if count != 1])
        self.assertEqual(set(there), set(copied))
        self.assertEqual([], [at for at in there if there[at] != copied[at]][:3])
        return len(there)

    def files(self, to, topic):
        return [(file.name, file.read_bytes()) for file in (to / "landing" / topic).glob("p*.ndjson")]

    def exactly_once(self, client):
        dice, topic, to = random.Random(time.time_ns()), self.topic(), self.home / "lake"
        kills = self.killed_again_and_again(client, topic, to, dice)
        count, files = self.same(topic, self.files(to, topic)), self.files(to, topic)
        self.assertEqual(9000, count)
        print(f"{client}: killed {kills} times, {count} records exactly once in {len(files)} files", flush=True)

    def test_every_offset_exactly_once_with_confluent_kafka(self):
        self.exactly_once("confluent-kafka")

    def test_every_offset_exactly_once_with_kafka_python(self):
        self.exactly_once("kafka-python")

    def test_every_offset_exactly_once_with_aiokafka(self):
        self.exactly_once("aiokafka")

    def test_every_offset_exactly_once_in_a_volume_with_faults(self):
        dice, topic = random.Random(time.time_ns()), self.topic()
        faults = lambda method: dice.choice([None] * 12 + ["lost", "dropped", 503])  # noqa: E731
        with FilesApi(dice=faults) as api:
            environment = {"DATABRICKS_HOST": api.host, "DATABRICKS_TOKEN": api.token}
            kills = self.killed_again_and_again("confluent-kafka", topic, api.volume, dice, environment=environment)
            files = [(path.rpartition("/")[2], data) for path, data in api.files.items()]
            self.assertEqual(9000, self.same(topic, files))
            contents = collections.defaultdict(set)
            for path, data in api.stored:
                contents[path].add(data)
            self.assertEqual([], [path for path, found in contents.items() if len(found) > 1], "a file was stored with two contents")
            again = len(api.stored) - len(api.files)
            print(f"volume: killed {kills} times, {len(files)} files, {again} of them sent twice as the answer was lost", flush=True)

    def test_transactions_with_each_client(self):
        """What was aborted is left out, an open one is not waited for, and marks at a topic's end keep nobody waiting."""
        with wire.Connection(wire.dial("127.0.0.1", self.broker.port, 5), 5) as asked:
            if ADD_PARTITIONS_TO_TXN not in asked.api_versions():
                self.skipTest("this broker has no transactions")
        topic = self.topic(1)
        command = [self.python("confluent-kafka"), str(HERE / "records_of.py"), "transact", self.broker.address, topic]
        writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        begun = time.monotonic()
        for answer in ("\n", "\n", "open\n", "end\n"):
            writer.stdout.readline()
            for client in PYTHONS:
                code, told = self.once(client, topic, self.home / client)
                self.assertEqual((0, True), (code, "does not answer" not in told), told)
                self.same(topic, self.files(self.home / client, topic))
            writer.stdin.write(answer)
        writer.communicate(timeout=LIMIT)
        self.assertLess(time.monotonic() - begun, LIMIT)

    def test_a_reset_is_noticed_with_each_client(self):
        for client, count in (("confluent-kafka", 50), *((client, 2000) for client in PYTHONS)):
            topic, to = self.topic(1), self.home / f"{client}-{count}"
            self.write(topic, 1000).wait(LIMIT)
            self.assertEqual(0, self.once(client, topic, to)[0])
            self.make(topic, 1, delete=True)
            self.write(topic, count, 2).wait(LIMIT)
            code, told = self.once(client, topic, to)
            self.assertEqual(2, code, told)
            self.assertIn(f"{topic} was made anew since it was copied", told)

    def test_a_reset_under_a_running_bridge_ends_it(self):
        topic, to = self.topic(1), self.home / "lake"
        self.write(topic, 1000).wait(LIMIT)
        process = self.start("confluent-kafka", topic, to)
        self.until(process, "1000 records")
        self.make(topic, 1, delete=True)
        self.write(topic, 2000, 2).wait(LIMIT)
        told, _ = process.communicate(timeout=LIMIT)
        self.assertEqual((2, True), (process.returncode, "was made anew" in told or "There is no topic" in told), told)

    def until(self, process, text):
        for line in process.stdout:
            if text in line:
                return
        self.fail(f"the bridge ended before it said {text}")

    @unittest.skipIf(sys.platform == "win32", "signals")
    def test_ctrl_c_ends_it_with_a_sentence(self):
        topic = self.topic(1)
        self.write(topic, 100).wait(LIMIT)
        for client in PYTHONS:
            process = self.start(client, topic, self.home / client)
            self.until(process, "nothing new")
            process.send_signal(signal.SIGINT)
            told, _ = process.communicate(timeout=LIMIT)
            self.assertEqual((0, "Stopped. The next start goes on from here."), (process.returncode, told.splitlines()[-1]), told)

    def test_a_broker_that_goes_away_is_waited_for(self):
        with Broker("--generators", "off") as away, mock.patch.object(self.__class__, "broker", away):
            for client in ("confluent-kafka", "kafka-python"):
                topic = self.topic(1)
                self.write(topic, 100).wait(LIMIT)
                process = self.start(client, topic, self.home / client)
                self.until(process, "100 records")
                away.process.kill()
                away.process.wait()
                self.until(process, "trying again")
                command = away.process.args
                away.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                away.wait_for(away.port)
                self.write(topic, 100, 2).wait(LIMIT)
                self.until(process, "100 records")
                process.kill()
                process.communicate()
                self.assertEqual(200, self.same(topic, self.files(self.home / client, topic)))

    def test_without_a_client_it_says_what_to_install(self):
        process = subprocess.run(
            [sys.executable, "-S", "-m", "headwater", "bridge", "--broker", self.broker.address, "--topic", "t", "--to", str(self.home)],
            env={**os.environ, "PYTHONPATH": str(STUDENT)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        self.assertEqual(2, process.returncode)
        self.assertIn("No Kafka client is installed in this Python", process.stderr)
        self.assertIn("pip install confluent-kafka", process.stderr)
