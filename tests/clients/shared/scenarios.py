"""The scenarios, written once for every Python client over the verbs that its own program supplies.

A client's program subclasses `Client`; what it leaves out raises `NotSupported` and becomes `n/a` in the matrix.
"""

import os
import sys
import time
import uuid
from typing import NamedTuple, Optional

from members import Member, wait_for
from samples import samples
from verdict import NotSupported, check, judge, say

FIRST_RECORD_LIMIT = 2.0  # ten times the 0.2 s that the project promises


class Record(NamedTuple):
    partition: int
    offset: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: tuple
    timestamp: int


class Client:
    """The verbs of one client library. `protocol` is classic, cooperative, static:NAME or consumer (KIP-848)."""

    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    cannot = {}  # scenario -> reason

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def producer(self, codec="none", idempotent=False, transactional_id=None):
        raise NotImplementedError

    def consumer(self, group, topic, protocol="classic", auto_commit=True):
        raise NotImplementedError

    def reader(self, topic, committed_only=False):
        """A consumer without a group, standing at the beginning of every partition of `topic`."""
        raise NotImplementedError

    def end_offsets(self, topic):
        raise NotImplementedError

    def create_topic(self, topic, partitions, configs=None):
        raise NotImplementedError

    def delete_topic(self, topic):
        raise NotImplementedError

    def list_topics(self):
        raise NotImplementedError


def read_all(client, topic, seconds=20, committed_only=False):
    """Every record of the topic, partition by partition in the order read."""
    ends = client.end_offsets(topic)
    reader = client.reader(topic, committed_only)
    found = {partition: [] for partition in ends}
    deadline = time.monotonic() + seconds
    try:
        while not reader.reached(ends):
            check(time.monotonic() < deadline, f"only {sum(map(len, found.values()))} records read within {seconds} s, ends {ends}")
            for record in reader.poll(0.2):
                found[record.partition].append(record)
    finally:
        reader.close()
    return found


class Scenarios:
    def __init__(self, client, prefix, arguments):
        self.client, self.prefix, self.arguments = client, prefix, arguments
        self.topics = []

    def topic(self, name, partitions=None, configs=None):
        topic = f"{self.prefix}-{name}"
        self.topics.append(topic)
        if partitions is not None:
            self.client.create_topic(topic, partitions, configs)
            # Apache Kafka answers before its own metadata knows the topic
            wait_for("a new topic is listed", lambda: topic in self.client.list_topics(), 10)
        return topic

    def clean(self):
        for topic in self.topics:
            try:
                self.client.delete_topic(topic)
            except Exception as error:  # tidying up is no part of the verdict
                print(f"could not delete {topic}: {error}", file=sys.stderr)

    def codecs(self):
        for codec in self.client.codecs:
            topic = self.topic(codec, 1)
            sent = samples()
            producer = self.client.producer(codec=codec)
            for sample in sent:
                producer.send(topic, sample.value, sample.key, sample.headers, 0, sample.timestamp)
            producer.close()
            read = read_all(self.client, topic)[0]
            check(len(read) == len(sent), f"{codec}: sent {len(sent)} records, read {len(read)}")
            for place, (record, sample) in enumerate(zip(read, sent)):
                check(record.offset == place, f"{codec}: offset {record.offset} at place {place}")
                for part in ("key", "value", "headers", "timestamp"):
                    got, wanted = getattr(record, part), getattr(sample, part)
                    check(got == wanted, f"{codec}: record {place} came back with another {part}: {str(got)[:80]!r} for {str(wanted)[:80]!r}")
        return " ".join(self.client.codecs)

    def idempotent(self):
        topic = self.topic("idempotent", 2)
        acknowledged = []
        producer = self.client.producer(idempotent=True)
        for number in range(1000):
            producer.send(topic, b"%d" % number, partition=number % 2, on_ack=lambda p, o, e, n=number: acknowledged.append((p, o, e, n)))
        producer.close()
        errors = [error for _, _, error, _ in acknowledged if error]
        check(not errors, f"{len(errors)} deliveries failed, the first with {errors[:1]}")
        check(len(acknowledged) == 1000, f"{len(acknowledged)} of 1000 records acknowledged")
        for partition, records in read_all(self.client, topic).items():
            check([int(r.value) for r in records] == list(range(partition, 1000, 2)), f"partition {partition} is not 0..999 once and in order")
            check([r.offset for r in records] == list(range(500)), f"partition {partition} has gaps in its offsets")

    def transactions(self):
        topic = self.topic("transactions", 1)
        producer = self.client.producer(transactional_id=f"{self.prefix}-producer")
        for number, fate in enumerate(("commit", "abort", "commit", "abort")):
            producer.begin()
            for place in range(10):
                producer.send(topic, b"%d-%d" % (number, place), partition=0)
            producer.flush()
            producer.commit() if fate == "commit" else producer.abort()
        producer.close()
        wanted = [b"%d-%d" % (number, place) for number in (0, 2) for place in range(10)]
        committed = [r.value for r in read_all(self.client, topic, committed_only=True)[0]]
        check(committed == wanted, f"read_committed saw {len(committed)} records: {committed[:30]}")
        everything = read_all(self.client, topic)[0]
        check(len(everything) == 40, f"read_uncommitted saw {len(everything)} records of 40")

    def resume(self):
        topic, group = self.topic("resume", 2), f"{self.prefix}-resume"
        producer = self.client.producer()
        for number in range(60):
            producer.send(topic, b"%d" % number, partition=number % 2)
        producer.close()
        runs = []
        for most in (25, 60):
            consumer = self.client.consumer(group, topic, auto_commit=False)
            seen, deadline = [], time.monotonic() + 20
            while len(seen) < (most if not runs else 60 - len(runs[0])):
                check(time.monotonic() < deadline, f"run {len(runs) + 1} read {len(seen)} records in 20 s")
                seen.extend(consumer.poll(0.2, most - len(seen)))
            consumer.commit()
            consumer.close()
            runs.append([int(r.value) for r in seen])
        check(len(runs[0]) == 25, f"the first run took {len(runs[0])} records")
        check(sorted(runs[0] + runs[1]) == list(range(60)), f"the second run did not resume: {sorted(runs[0])} then {sorted(runs[1])}")

    def share(self, protocol, seconds=20):
        """Two members share four partitions; one leaves and the other takes over."""
        topic, group = self.topic(protocol, 4), f"{self.prefix}-{protocol}"
        first = Member(self.client, group, topic, protocol)
        wait_for("one member has all four partitions", lambda: len(first.assignment) == 4, seconds, [first])
        second = Member(self.client, group, topic, protocol)
        both = [first, second]
        joined = wait_for(
            "two members share the partitions two and two",
            lambda: len(first.assignment) == len(second.assignment) == 2 and not first.assignment & second.assignment, seconds, both)
        kept = first.assignments[2:] if protocol != "classic" else []
        check(all(a for a in kept), "the first member lost every partition in between")
        self.produce_numbers(topic, 0, 100)
        wait_for("both together read 100 records", lambda: len({r.value for m in both for r in m.records}) == 100, seconds, both)
        check(second.records, "the second member read nothing")
        second.leave()
        taken = wait_for("the first member takes over", lambda: len(first.assignment) == 4, seconds, [first])
        self.produce_numbers(topic, 100, 200)
        wait_for("the first member reads the next 100 alone",
                 lambda: {int(r.value) for r in first.records} >= set(range(100, 200)), seconds, [first])
        first.leave()
        return f"shared after {joined:.1f} s, taken over after {taken:.1f} s"

    def produce_numbers(self, topic, begin, end, partitions=4):
        producer = self.client.producer()
        for number in range(begin, end):
            producer.send(topic, b"%d" % number, partition=number % partitions)
        producer.close()

    def rebalance(self):
        return self.share("classic")

    def cooperative(self):
        return self.share("cooperative")

    def kip848(self):
        return self.share("consumer", 40)

    def static(self):
        topic, group = self.topic("static", 4), f"{self.prefix}-static"
        steady = Member(self.client, group, topic, "static:steady")
        wait_for("the first static member has all partitions", lambda: len(steady.assignment) == 4, 20, [steady])
        restarting = Member(self.client, group, topic, "static:restarting")
        wait_for("two static members share", lambda: len(steady.assignment) == len(restarting.assignment) == 2, 20, [steady, restarting])
        before, changes = restarting.assignment, len(steady.assignments)
        restarting.leave()
        again = Member(self.client, group, topic, "static:restarting")
        took = wait_for("the restarted member has its partitions back", lambda: again.assignment == before, 20, [steady, again])
        self.produce_numbers(topic, 0, 40)
        wait_for("both read on", lambda: len({r.value for m in (steady, again) for r in m.records}) == 40, 20, [steady, again])
        check(len(steady.assignments) == changes, "the other member was rebalanced though the member came back in time")
        again.leave()
        steady.leave()
        return f"back after {took:.1f} s"

    def first(self):
        topic = self.topic("first", 4)
        self.produce_numbers(topic, 0, 8)
        times = []
        for attempt in range(3):
            consumer = self.client.consumer(f"{self.prefix}-first-{attempt}", None)
            begin = time.monotonic()
            consumer.subscribe(topic)
            while not consumer.poll(0.1):
                check(time.monotonic() - begin < 30, "no record within 30 s")
            times.append(time.monotonic() - begin)
            consumer.close()
        text = "first record after " + ", ".join(f"{t:.3f}" for t in times) + " s"
        check(min(times) < FIRST_RECORD_LIMIT, text)
        return text

    def autocreate(self):
        topic = self.topic(f"auto-{uuid.uuid4().hex[:8]}")
        failures = []
        producer = self.client.producer()
        for number in range(10):
            producer.send(topic, b"%d" % number, on_ack=lambda p, o, e: failures.append(e) if e else None)
        producer.close()
        check(not failures, f"producing to a new name failed: {failures[:1]}")
        read = read_all(self.client, topic)
        numbers = sorted(int(r.value) for records in read.values() for r in records)
        check(numbers == list(range(10)), f"read back {numbers}")
        return f"{len(read)} partitions"

    def kill9(self):
        """Produces without a pause until the harness, which kills the broker meanwhile, lays down the stop file."""
        stop_file = self.arguments[0]
        idempotent = "idempotent" not in self.client.cannot
        topic = self.topic("kill9", 2)
        member = Member(self.client, f"{self.prefix}-kill9", topic, "classic")
        acknowledged, failures, number, ready = [], [], 0, False

        def on_ack(partition, offset, error, number):
            failures.append(error) if error else acknowledged.append((partition, offset, number))

        producer = self.client.producer(idempotent=idempotent)
        while not os.path.exists(stop_file):
            producer.send(topic, b"%d" % number, partition=number % 2, on_ack=lambda p, o, e, n=number: on_ack(p, o, e, n))
            number += 1
            time.sleep(0.005)
            if not ready and len(acknowledged) >= 100 and member.records:
                ready = True
                say(event="ready")
        producer.close()
        check(not failures, f"{len(failures)} of {number} deliveries failed, the first with {failures[:1]}")
        check(len(acknowledged) == number, f"{len(acknowledged)} of {number} records acknowledged")
        self.verify_log(read_all(self.client, topic), acknowledged, idempotent)
        everything = {number for _, _, number in acknowledged}
        wait_for("the consumer read every acknowledged record", lambda: {int(r.value) for r in member.records} >= everything, 40, [member])
        member.leave()
        return f"{number} records acknowledged, {'exactly once, in order' if idempotent else 'at least once'}"

    @staticmethod
    def verify_log(read, acknowledged, idempotent):
        for partition, records in read.items():
            numbers = [int(r.value) for r in records]
            check([r.offset for r in records] == list(range(len(records))), f"partition {partition} has gaps in its offsets")
            lost = {n for p, _, n in acknowledged if p == partition} - set(numbers)
            check(not lost, f"partition {partition} lost {len(lost)} acknowledged records, such as {sorted(lost)[:5]}")
            if idempotent:
                check(len(numbers) == len(set(numbers)), f"partition {partition} has {len(numbers) - len(set(numbers))} records twice")
                check(numbers == sorted(numbers), f"partition {partition} is out of order")
        for partition, offset, number in acknowledged:
            if offset is not None and offset >= 0:
                check(int(read[partition][offset].value) == number, f"record {number} was acknowledged at {partition}/{offset}, another is there")

    def admin(self):
        from admin import administer

        return administer(self)


def main(client_class):
    bootstrap, scenario, prefix, *arguments = sys.argv[1:]
    client = client_class(bootstrap)

    def run():
        if scenario in client.cannot:
            raise NotSupported(client.cannot[scenario])
        scenarios = Scenarios(client, prefix, arguments)
        try:
            return getattr(scenarios, scenario)()
        finally:
            scenarios.clean()

    code = judge(run)
    sys.stdout.flush()
    os._exit(code)  # a client's forgotten thread must not hold up the verdict
