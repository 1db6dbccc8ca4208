"""There, on to a third cluster, and back: the mirror between two brokers of our own and Apache Kafka."""

import signal
import time
import traceback

import records
from kafka import Kafka
from runs import Broker, Runs

PLAIN, TABLE, EMPTY, TX, SMALL = "plain", "table", "empty", "tx", "small"
GROUPS = ("from-the-start", "in-the-middle", "at-the-end")
KILLS = 5


class Rounds(Runs):
    def __init__(self, binary, seed):
        super().__init__(binary)
        self.dice = records.dice(seed)
        # Kafka comes last: it takes its time until its port is taken.
        self.first, self.second, self.kafka = Broker(binary, compacts=True), Broker(binary), Kafka()

    def same(self, what, source, target, topics, groups=GROUPS, uncommitted=True):
        for topic in topics:
            here, there = records.contents(source.address, topic), records.contents(target.address, topic)
            self.check(f"{what}: {topic} has the same {sum(n for n, _ in here)} records", here == there, f"{here} {there}")
            if uncommitted:
                self.check(f"{what}: {topic} has nothing else for a reader of uncommitted ones", records.contents(target.address, topic, "read_uncommitted") == there)
            ours, theirs = records.overrides(source.address, topic), records.overrides(target.address, topic)
            self.check(f"{what}: {topic} has its configs", ours == theirs, f"{ours} {theirs}")
        for group in groups:
            here, there = records.next_records(source.address, group), records.next_records(target.address, group)
            self.check(f"{what}: {group} goes on at the same records in {len(here)} partitions", here and here == there, f"{here} {there}")

    def fill(self):
        address = self.first.address
        records.create(address, PLAIN, 3, {"retention.ms": "-1", "max.message.bytes": "200000"})
        records.create(address, TABLE, 2, {"cleanup.policy": "compact", "segment.ms": "500", "min.cleanable.dirty.ratio": "0.01", "retention.ms": "-1"})
        records.create(address, EMPTY, 1)
        records.fill(address, PLAIN, self.dice, 20_000)
        for partition in range(2):
            keyed = [(b"key-%d" % self.dice.randrange(200), None if self.dice.random() < 0.1 else b"%d" % n, 1_767_571_200_000 + n, []) for n in range(4000)]
            records.produce(address, TABLE, partition, keyed, **{"batch.num.messages": 50})
        place = records.TopicPartition(PLAIN, 0, 777)
        next(iter(records.admin(address).delete_records([place]).values())).result()
        begin, held = time.monotonic(), [8000]
        while (held[-1] > 6000 or held[-1] != held[-2]) and time.monotonic() - begin < 30:
            time.sleep(1)
            held.append(sum(count for count, _ in records.contents(address, TABLE)))
        self.check("the table has gaps", held[-1] <= 6000, held)
        ends = {topic: records.ends(address, topic) for topic in (PLAIN, TABLE)}
        everywhere = [(topic, partition, end) for topic in ends for partition, end in enumerate(ends[topic])]
        records.commit(address, GROUPS[0], [(topic, partition, 0, "") for topic, partition, _ in everywhere])
        records.commit(address, GROUPS[1], [(topic, partition, self.dice.randrange(800, end), f"by {topic}") for topic, partition, end in everywhere])
        records.commit(address, GROUPS[2], [(topic, partition, end, "") for topic, partition, end in everywhere])

    def there(self):
        status, said, _ = self.mirror(self.first, self.kafka, "--dry-run")
        self.check("a dry run says what would be done, and does nothing", status == 0 and PLAIN in said and GROUPS[1] in said and not records.topics_of(self.kafka.address), said)
        killed = 0
        for _ in range(KILLS):
            process = self.start(self.first, self.kafka)
            time.sleep(self.dice.uniform(0.1, 1.6))
            killed += process.poll() is None
            process.kill()
            process.communicate()
        self.check("the mirror was killed under way", killed >= 3, killed)
        status, said, copied = self.mirror(self.first, self.kafka)
        print(said)
        self.check("it ends well", status == 0 and "equal" in said, said)
        self.same("there", self.first, self.kafka, (PLAIN, TABLE, EMPTY))
        ends = records.ends(self.kafka.address, PLAIN)
        status, said, copied = self.mirror(self.first, self.kafka)
        self.check("a second run copies nothing", status == 0 and copied == 0 and records.ends(self.kafka.address, PLAIN) == ends, said)

    def on(self):
        """The class went on at Apache Kafka; then all of it comes to a fresh broker, which is killed meanwhile."""
        address = self.kafka.address
        records.create(address, TX, 2, {"retention.ms": "-1"})
        records.transactions(address, TX, self.dice, 40)
        records.produce(address, PLAIN, 1, records.made(self.dice, 500), **{"compression.type": "zstd"})
        # The offset of a marker, of an aborted record or of none.
        records.commit(address, GROUPS[1], [(TX, partition, self.dice.randrange(end), "") for partition, end in enumerate(records.ends(address, TX))])
        records.commit(address, GROUPS[2], [(PLAIN, 1, records.ends(address, PLAIN)[1] - 100, "")])
        process = self.start(self.kafka, self.second)
        begin = time.monotonic()
        while time.monotonic() - begin < 20 and not sum(records.ends(self.second.address, PLAIN) if PLAIN in records.topics_of(self.second.address) else [0]):
            time.sleep(0.02)
        self.second.kill()
        time.sleep(1)
        self.second.start()
        said, _ = process.communicate(timeout=120)
        print(said)
        self.check("it lives through a kill of the target", process.returncode == 0 and "equal" in said, said)
        self.same("on", self.kafka, self.second, (PLAIN, TABLE, EMPTY, TX))

    def back(self):
        before = {topic: sum(records.ends(self.first.address, topic)) for topic in (PLAIN, TABLE)}
        status, said, copied = self.mirror(self.kafka, self.first)
        new = 500 + sum(count for count, _ in records.contents(self.kafka.address, TX))
        print(said)
        self.check("the way back copies only what is new", status == 0 and copied == new, f"{copied} of {new}: {said}")
        after = {topic: sum(records.ends(self.first.address, topic)) for topic in (PLAIN, TABLE)}
        self.check("and nothing twice", after == {PLAIN: before[PLAIN] + 500, TABLE: before[TABLE]}, f"{before} {after}")
        self.same("back", self.kafka, self.first, (PLAIN, TX), uncommitted=False)
        status, said, copied = self.mirror(self.first, self.kafka)
        self.check("and there again there is nothing to copy", status == 0 and copied == 0, said)

    def refused(self):
        first, second = self.first.address, self.second.address
        records.create(first, SMALL, 1)
        records.produce(first, SMALL, 0, records.made(self.dice, 20))
        records.create(second, SMALL, 2)
        status, said, _ = self.mirror(self.first, self.second, "--topics", SMALL)
        self.check("another number of partitions is refused", status == 1 and "has 2 partitions there and 1 here" in said, said)
        records.admin(second).delete_topics([SMALL])[SMALL].result()
        status, said, _ = self.mirror(self.first, self.second, "--topics", PLAIN)
        self.check("records that no mirror brought are refused", status == 1 and "no mirror brought" in said, said)
        status, said, copied = self.mirror(self.first, self.second, "--topics", SMALL, "--no-groups")
        self.check("one topic alone is moved", status == 0 and copied == 20, said)
        records.admin(first).delete_topics([SMALL])[SMALL].result()
        time.sleep(0.3)
        records.create(first, SMALL, 1)
        records.produce(first, SMALL, 0, records.made(self.dice, 30))
        status, said, _ = self.mirror(self.first, self.second, "--topics", SMALL, "--no-groups")
        self.check("a topic that was made anew is named", status == 1 and "made anew" in said, said)
        records.admin(second).delete_topics([SMALL])[SMALL].result()
        status, said, copied = self.mirror(self.first, self.second, "--topics", SMALL, "--no-groups")
        self.check("and copied anew when it is deleted at the target", status == 0 and copied == 30, said)
        status, said, _ = self.mirror(self.first, self.first)
        self.check("a cluster is not moved to itself", status == 1 and "same cluster" in said, said)
        records.produce(second, SMALL, 0, records.made(self.dice, 1))
        status, said, _ = self.mirror(self.first, self.second, "--topics", SMALL, "--no-groups")
        self.check("a stranger's record at the target is named", status == 1 and "no mirror brought" in said, said)

    def groups(self):
        member = records.Consumer({"bootstrap.servers": self.second.address, "group.id": GROUPS[0], "session.timeout.ms": 6000})
        member.subscribe([EMPTY])
        begin = time.monotonic()
        while not member.assignment() and time.monotonic() - begin < 30:
            member.poll(0.1)
        kept = records.committed(self.second.address, GROUPS[0])
        records.commit(self.kafka.address, GROUPS[0], [(PLAIN, 2, 5000, "")])
        records.commit(self.second.address, GROUPS[1], [(PLAIN, 2, 3, "own")])
        status, said, _ = self.mirror(self.kafka, self.second)
        self.check("a group with members is left alone and named", status == 0 and f"group {GROUPS[0]} was left alone: it has members" in said
                   and records.committed(self.second.address, GROUPS[0]) == kept, said)
        self.check("a group that went its own way is too", f"group {GROUPS[1]} was left alone: it has committed by itself" in said
                   and records.committed(self.second.address, GROUPS[1])[(PLAIN, 2)] == (3, "own"), said)
        member.close()
        self.mirror(self.kafka, self.second)
        self.same("without members", self.kafka, self.second, (), groups=(GROUPS[0],))

    def follow(self):
        process = self.start(self.kafka, self.second, "--follow")
        wanted = records.ends(self.kafka.address, TX)
        time.sleep(2)
        records.transactions(self.kafka.address, TX, self.dice, 6)
        count = sum(count for count, _ in records.contents(self.kafka.address, TX))
        begin = time.monotonic()
        while sum(records.ends(self.second.address, TX)) < count and time.monotonic() - begin < 20:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
        self.check("what comes is followed, and Ctrl+C ends it well", process.returncode == 0 and records.ends(self.kafka.address, TX) != wanted, said)
        self.same("followed", self.kafka, self.second, (TX,), groups=())

    def close(self):
        for broker in (self.first, self.second):
            if problem := broker.problem():
                self.check("the broker is well", False, problem)
            broker.close(False)
        self.kafka.close()


def rounds(binary, seed):
    """With Apache Kafka."""
    made = Rounds(binary, seed)
    try:
        made.fill()
        made.kafka.wait()
        for part in (made.there, made.on, made.back, made.refused, made.groups, made.follow):
            part()
    except Exception:
        traceback.print_exc()
        made.check("the run came to its end", False, "see above")
    finally:
        made.close()
    return made
