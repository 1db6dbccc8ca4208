"""What Spark's Kafka connector asks of a broker, seen by a proxy between them: keys, versions, ends that never step back, no empty answers.

connector.py --binary target/release/headwater

Each case is read or written by real Spark in both ways of asking for offsets; what it has to ask stands in a table. What it asks beyond
that is printed. Answers are judged over the whole run, while records come in all the time. Transactions are not served: `read_committed`
reads what is not part of one.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from broker import OwnBroker, free_ports  # noqa: E402  (the paths must be known first)
from test_wire import blind  # noqa: E402
from wire import Notes, Proxy  # noqa: E402

DEPRECATED = "spark.sql.streaming.kafka.useDeprecatedOffsetFetching"
SOFTWARE = ("apache-kafka-java", "3.9.2")
TOPIC, PARTITIONS, RECORDS = "shop", 3, 30_000
USER, PASSWORD = "spark", "quiet-otter-4821"
NAMES = {
    0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch", 10: "FindCoordinator",
    11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 17: "SaslHandshake", 18: "ApiVersions", 22: "InitProducerId",
    36: "SaslAuthenticate", 60: "DescribeCluster", 75: "DescribeTopicPartitions",
}  # fmt: skip

# Who asks, by the client id.
ROLES = {
    "admin": r"adminclient-\d+",
    "driver": r"consumer-.+-driver-0-\d+",
    "executor": r"consumer-.+-executor-\d+",
    "sink": r"producer-\d+",
    "login": "",
}
HELLO = (18, 4)
# The new way leaves the offsets of a batch from the earliest to the latest to the executors.
ADMIN = {HELLO, (3, 12), (60, 1), (75, 0)}
ADMIN_OFFSETS = ADMIN | {(2, 9)}
# Kafka 4 has FindCoordinator 6, for share groups. The client takes the highest that both know.
ASSIGNED = {HELLO, (3, 12), (10, 5), (9, 9), (2, 9)}
GROUP = ASSIGNED | {(11, 9), (14, 5), (13, 5)}
EXECUTOR = {HELLO, (3, 12), (2, 9), (1, 17)}
PLAIN_SINK = {HELLO, (3, 12), (0, 11)}
SINK = PLAIN_SINK | {(22, 5)}
LOGIN = {(18, 0), (17, 1), (36, 2)}


class Case(NamedTuple):
    name: str
    run: object
    # By role, the (key, version) pairs that must be seen while it runs, with the default way of asking for offsets and with the old one.
    # None: it is not run so.
    new: dict | None
    old: dict | None


class Watched(OwnBroker):
    """A broker whose two listeners, without and with a login, are reached through proxies alone."""

    def __init__(self, binary, folder):
        self.notes, self.proxies = Notes(), []
        super().__init__(binary, folder)

    def launch(self):
        ports = [port for port in free_ports(6) if not self.http.endswith(f":{port}")][:4]
        clear, login, *outside = ports
        self.proxies = [Proxy(self.notes, own, of) for own, of in zip(outside, (clear, login))]
        self.address, self.login_address = (f"127.0.0.1:{port}" for port in outside)
        clear = f"CLEAR=PLAINTEXT://127.0.0.1:{clear}@{self.address}"
        login = f"LOGIN=SASL_PLAINTEXT://127.0.0.1:{login}@{self.login_address}"
        command = [self.binary, "serve", "--http", self.http, "--data-dir", str(self.folder / "data"), "--generators", "off"]
        command += ["--listener", clear, "--listener", login]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self, keep=False):
        super().close(keep)
        for proxy in self.proxies:
            proxy.close()


class Town:
    """A topic with records an hour old, and a few more all the time until it is closed."""

    def __init__(self, address):
        from confluent_kafka import Producer
        from confluent_kafka import admin as ka

        self.admin = ka.AdminClient({"bootstrap.servers": address})
        topics = [ka.NewTopic(TOPIC, PARTITIONS, 1), ka.NewTopic("sunk", PARTITIONS, 1)]
        [made.result(20) for made in self.admin.create_topics(topics).values()]
        user = ka.UserScramCredentialUpsertion(USER, ka.ScramCredentialInfo(ka.ScramMechanism.SCRAM_SHA_256, 4096), PASSWORD.encode())
        [made.result(20) for made in self.admin.alter_user_scram_credentials([user]).values()]
        anything = [(kind, "*", ka.ResourcePatternType.LITERAL) for kind in (ka.ResourceType.TOPIC, ka.ResourceType.GROUP)]
        acls = [ka.AclBinding(*which, f"User:{USER}", "*", ka.AclOperation.ALL, ka.AclPermissionType.ALLOW) for which in anything]
        [made.result(20) for made in self.admin.create_acls(acls).values()]
        self.producer = Producer({"bootstrap.servers": address, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000, "log_level": 0})
        self.begin_ms = int(time.time() * 1000) - 3_600_000
        for number in range(RECORDS):
            self.put(number, self.begin_ms + number * 100)
        self.producer.flush(30)
        self.open = True
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def put(self, number, timestamp):
        value = f'{{"number": {number}, "words": "{"a purchase, a view, a payment " * 8}"}}'
        partition = number % PARTITIONS
        self.producer.produce(TOPIC, value, f"u-{number % 97}", partition, timestamp=timestamp, headers=[("number", str(number).encode())])
        self.producer.poll(0)

    def live(self):
        number = RECORDS
        while self.open:
            for number in range(number, number + 5):
                self.put(number, int(time.time() * 1000))
            number += 1
            time.sleep(0.02)

    def close(self):
        self.open = False
        self.thread.join(10)
        self.producer.flush(10)


class Run:
    """What the cases share. Each has options, checkpoints and producers of its own: what Spark keeps of one must not serve another."""

    def __init__(self, spark, broker, town, folder):
        self.spark, self.broker, self.town, self.folder, self.count = spark, broker, town, folder, 0

    def options(self, more):
        self.count += 1
        return {"kafka.bootstrap.servers": self.broker.address, "kafka.metadata.max.age.ms": str(200_000 + self.count), **more}

    def reader(self, reader, more):
        place = {} if {"assign", "subscribePattern"} & set(more) else {"subscribe": TOPIC}
        return reader.format("kafka").options(**self.options({"startingOffsets": "earliest", **place, **more})).load()

    def batch(self, at_least=RECORDS, look="count(*) AS found", **more):
        frame = self.reader(self.spark.read, more)
        found = frame.selectExpr(look).first()["found"]
        assert found >= at_least, f"{found} where {at_least} are expected"
        return f"{found} records"

    def stream(self, at_least=RECORDS, seconds=0, **more):
        """To the end that it has when it begins; with `seconds`, so long."""
        frame = self.reader(self.spark.readStream, {"maxOffsetsPerTrigger": 20_000, **more})
        writer = frame.writeStream.format("noop").option("checkpointLocation", str(self.folder / f"ckpt-{self.count}"))
        query = (writer.trigger(processingTime="1 second") if seconds else writer.trigger(availableNow=True)).start()
        query.awaitTermination(seconds) if seconds else query.awaitTermination()
        query.stop()
        found = sum(one.numInputRows for one in query.recentProgress)
        assert found >= at_least, f"{found} where {at_least} are expected"
        return f"{found} records in {len(query.recentProgress)} batches"

    def parts(self):
        frame = self.reader(self.spark.read, {"minPartitions": 12})
        assert frame.rdd.getNumPartitions() == 12, f"{frame.rdd.getNumPartitions()} tasks"
        return self.batch(minPartitions=12) + ", 12 tasks"

    def write(self, **more):
        rows = self.spark.range(2_000).selectExpr("cast(id AS string) AS key", "repeat('a line ', 20) AS value")
        rows.write.format("kafka").options(**self.options({"topic": "sunk", **more})).save()
        return f"{self.batch(2_000, subscribe='sunk')} in the topic"

    def write_stream(self):
        frame = self.reader(self.spark.readStream, {}).select("key", "value")
        options = self.options({"topic": "sunk", "checkpointLocation": str(self.folder / f"ckpt-sink-{self.count}")})
        query = frame.writeStream.format("kafka").options(**options).trigger(availableNow=True).start()
        query.awaitTermination()
        return f"{sum(one.numInputRows for one in query.recentProgress)} records"

    def login(self):
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        return {
            "kafka.bootstrap.servers": self.broker.login_address,
            "kafka.security.protocol": "SASL_PLAINTEXT",
            "kafka.sasl.mechanism": "SCRAM-SHA-256",
            "kafka.sasl.jaas.config": f'{module} required username="{USER}" password="{PASSWORD}";',
        }


def cases(run):
    half = RECORDS // 2
    at = str(run.town.begin_ms + half * 100)
    assign = f'{{"{TOPIC}": [{", ".join(map(str, range(PARTITIONS)))}]}}'
    new, old = {"admin": ADMIN_OFFSETS, "executor": EXECUTOR}, {"driver": GROUP, "executor": EXECUTOR}
    batch_new = {"admin": ADMIN, "executor": EXECUTOR}
    # In the old way too; the driver's consumer may ask before Spark pauses it, or not.
    batch_old = {"driver": GROUP - {(2, 9)}, "executor": EXECUTOR}
    yield Case("batch", run.batch, batch_new, batch_old)
    yield Case("batch, assign", lambda: run.batch(assign=assign), batch_new, {"driver": ASSIGNED - {(2, 9)}, "executor": EXECUTOR})
    yield Case("batch, startingTimestamp", lambda: run.batch(half, startingTimestamp=at), new, old)
    yield Case("batch, minPartitions", run.parts, new, old)
    headers = "count_if(headers[0].key = 'number') AS found"
    yield Case("batch, includeHeaders", lambda: run.batch(look=headers, includeHeaders="true"), batch_new, batch_old)
    yield Case("batch, read_committed", lambda: run.batch(**{"kafka.isolation.level": "read_committed"}), batch_new, batch_old)
    yield Case("stream, subscribe", run.stream, new, old)
    yield Case("stream, subscribePattern", lambda: run.stream(subscribePattern="sho.*"), new, old)
    # A group's heartbeat comes three seconds after it was joined, and the new way has no group.
    yield Case("stream, for some seconds", lambda: run.stream(seconds=5), None, {"driver": GROUP | {(12, 4)}, "executor": EXECUTOR})
    # The admin client logs in without its name, the others with it.
    login_new, login_old = {**new, "login": LOGIN, "executor": EXECUTOR | LOGIN}, {"driver": GROUP | LOGIN, "executor": EXECUTOR | LOGIN}
    yield Case("stream, with a login", lambda: run.stream(**run.login()), login_new, login_old)
    # Looks at what it has written, which is a batch. A sink asks for no offsets.
    yield Case("sink, batch", run.write, {**batch_new, "sink": SINK}, None)
    plain = {"kafka.enable.idempotence": "false"}
    yield Case("sink, not idempotent", lambda: run.write(**plain), {**batch_new, "sink": PLAIN_SINK}, None)
    yield Case("sink, stream", run.write_stream, {**new, "sink": SINK}, {**old, "sink": SINK})


def role_of(request):
    """Who asks; None is not Spark."""
    return next((role for role, form in ROLES.items() if re.fullmatch(form, request.client)), None)


def told(role, pair):
    return f"{role} {NAMES.get(pair[0], pair[0])} v{pair[1]}"


def tried(case, wanted, notes):
    """Outcome, and what was asked that no table has."""
    begin = notes.mark()
    outcome = case.run()
    seen = {(role_of(request), (request.key, request.version)) for request in notes.requests[begin:]}
    missing = [told(role, pair) for role, pairs in wanted.items() for pair in sorted(pairs) if (role, pair) not in seen]
    surplus = sorted(told(role, pair) for role, pair in seen if role and pair not in wanted.get(role, ()))
    pairs = sum(len(pairs) for pairs in wanted.values())
    outcome = f"FAIL: never asked: {', '.join(missing)}; {outcome}" if missing else f"ok: {pairs} pairs, {outcome}"
    return outcome, surplus


def answers(notes):
    """Cases about all answers of the run."""
    counts = notes.counts
    looked = f"{counts['latest offsets']} latest offsets, {counts['fetch answers']} answers to Fetch with {counts['partitions fetched']}"
    looked += f" partitions, {counts['with records']} with records, {counts['left out of a full answer']} left out of full answers"
    back = [fault for fault in notes.faults if "stepped back" in fault]
    rest = [fault for fault in notes.faults if fault not in back]
    enough = counts["latest offsets"] > 50 and counts["with records"] > 50
    yield "ends never step back", f"FAIL: {len(back)}: {back[:3]}" if back else f"{'ok' if enough else 'FAIL'}: {looked}"
    yield "no empty answer", f"FAIL: {len(rest)}: {rest[:3]}" if rest else f"{'ok' if enough else 'FAIL'}: {looked}"
    others = {f"{name} {number}" for name, number in counts.items() if "error" in name}
    yield "software", f"{'ok' if SOFTWARE in notes.software else 'FAIL'}: {' '.join(SOFTWARE)} among {len(notes.software)}"
    yield "errors", f"FAIL: {', '.join(sorted(others))}" if others else "ok: no answer to Fetch has one"
    commits = sum(request.key == 8 for request in notes.requests)
    yield "no commit", "ok: Spark commits nothing" if not commits else f"FAIL: {commits} times OffsetCommit"


def through(spark, binary, folder, words=()):
    """Runs all cases on a session, and returns (name, outcome, seconds) of each."""
    folder = Path(tempfile.mkdtemp(prefix="connector-", dir=folder))
    wrong, looked = blind()
    results = [("proxy", f"FAIL: it is blind for {wrong}" if wrong else f"ok: {looked} answers made by hand", 0.0)]
    shown(*results[0])
    broker = Watched(binary, folder)
    town = Town(broker.address)
    run, modes = Run(spark, broker, town, folder), ("false", "true")
    try:
        for mode in modes:
            spark.conf.set(DEPRECATED, mode)
            for case in cases(run):
                wanted = case.old if mode == "true" else case.new
                if wanted is None or not chosen(case.name, words):
                    continue
                begin = time.monotonic()
                try:
                    outcome, surplus = tried(case, wanted, broker.notes)
                except Exception as reason:  # one case must not keep the others from running
                    outcome, surplus = f"FAIL: {type(reason).__name__}: {str(reason)[:600]}", []
                if surplus:
                    outcome += f" (besides: {', '.join(surplus)})"
                results.append((f"{case.name}, {'old' if mode == 'true' else 'new'} way", outcome, time.monotonic() - begin))
                shown(*results[-1])
        if not words:
            ends = [(name, outcome, 0.0) for name, outcome in answers(broker.notes)]
            ends.append(("broker", f"FAIL: {broker.problem()}" if broker.problem() else "ok: it runs", 0.0))
            for one in ends:
                shown(*one)
            results += ends
    finally:
        spark.conf.unset(DEPRECATED)
        town.close()
        broker.close(False)
    return results


def chosen(name, words):
    return not words or any(word in name for word in words)


def shown(name, outcome, seconds):
    most = 1500 if outcome.startswith("FAIL") else 230
    print(f"connector  {name:<34} {seconds:5.1f} s  {' '.join(outcome.split())[:most]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/headwater")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    if "HEADWATER_SPARK_JARS" not in os.environ:
        return in_sparks_python(given)
    from own_session import own_session

    folder, begin = Path(tempfile.mkdtemp(prefix="headwater-connector-")), time.monotonic()
    spark = own_session(folder)
    try:
        results = through(spark, str(Path(given.binary).resolve()), folder, given.words)
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)
    failed = sum(outcome.startswith("FAIL") for _, outcome, _ in results)
    print(f"{time.monotonic() - begin:.0f} s\n{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not results else 0


def in_sparks_python(given):
    """This file again, in a Python that has PySpark."""
    import stack
    from environments import Missing

    try:
        found = stack.stack()
    except Missing as reason:
        return stack.left_out(reason)
    command = [found.python, str(HERE / "connector.py"), "--binary", str(Path(given.binary).resolve()), *given.words]
    return subprocess.run(command, env={**os.environ, "HEADWATER_SPARK_JARS": found.jars}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
