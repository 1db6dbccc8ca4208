"""The load of kill9.py: producers and a reading group that live through every kill, and the books they keep."""

import struct
import threading
import time

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

PRODUCERS, PER_PRODUCER = 2, 2
PARTITIONS = PRODUCERS * PER_PRODUCER
PADDING = b"." * 80
# a client that waits long between two attempts would spend the round waiting
QUICK = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100}
QUIET = {"log_level": 2}  # connections refused while the broker is down are no news
PATIENCE = 60


def payload(partition, number):
    return b"%d/%d/%s" % (partition, number, PADDING)


class Writer(threading.Thread):
    """Numbers the records of each of its partitions from 0 and notes where each acknowledged one stands."""

    def __init__(self, address, topic, partitions, idempotent, errors):
        super().__init__(daemon=True)
        self.topic, self.idempotent, self.errors = topic, idempotent, errors
        self.next = dict.fromkeys(partitions, 0)
        self.places = {partition: {} for partition in partitions}
        self.stopping = threading.Event()
        self.client = ck.Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": idempotent, "linger.ms": 2, **QUICK, **QUIET})
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                for partition in self.next:
                    for _ in range(5):
                        self.send(partition)
                self.client.poll(0)
                time.sleep(0.002)
            if self.client.flush(PATIENCE):
                self.errors.append(f"{len(self.client)} records undelivered after {PATIENCE} s")
        except Exception as error:
            self.errors.append(repr(error))

    def send(self, partition):
        number = self.next[partition]

        def delivered(error, message):
            if error:
                self.errors.append(f"{partition}/{number}: {error}")
            else:
                self.places[partition][number] = message.offset()

        while True:
            try:
                self.client.produce(self.topic, payload(partition, number), partition=partition, on_delivery=delivered)
                break
            except BufferError:
                self.client.poll(0.05)
        self.next[partition] = number + 1

    def acknowledged(self):
        return sum(map(len, self.places.values()))

    def sent(self):
        return sum(self.next.values())


class Reader(threading.Thread):
    """A group of one that commits what it read; `commits` holds what the broker said yes to."""

    def __init__(self, address, topic, group):
        super().__init__(daemon=True)
        self.topic, self.seen, self.commits, self.count = topic, {p: set() for p in range(PARTITIONS)}, {}, 0
        self.stopping = threading.Event()
        self.client = ck.Consumer({"bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                   "session.timeout.ms": 10_000, "heartbeat.interval.ms": 500, **QUICK, **QUIET})
        self.start()

    def run(self):
        self.client.subscribe([self.topic])
        last = time.monotonic()
        while not self.stopping.is_set():
            for message in self.client.consume(500, 0.05):
                if not message.error():
                    self.seen[message.partition()].add(message.offset())
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                self.commit()
        self.client.close()

    def commit(self):
        try:
            for place in self.client.commit(asynchronous=False):
                if place.error is None and place.offset >= 0:
                    self.commits[place.partition] = max(place.offset, self.commits.get(place.partition, -1))
                    self.count += 1
        except ck.KafkaException:
            pass  # nothing new to commit, or the broker is down


class Load:
    def __init__(self, address, topic, plain, group):
        self.address, self.topic, self.plain, self.group = address, topic, plain, group
        self.errors, self.plain_twice = [], 0
        admin = AdminClient({"bootstrap.servers": address, **QUIET})
        for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1), NewTopic(plain, 1, 1)]).values():
            future.result(20)
        self.asker = ck.Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False, **QUICK, **QUIET})
        self.writers = [
            Writer(address, topic, range(n * PER_PRODUCER, (n + 1) * PER_PRODUCER), True, self.errors) for n in range(PRODUCERS)
        ]
        self.plain_writer = Writer(address, plain, range(1), False, self.errors)
        self.reader = Reader(address, topic, group)

    def all_writers(self):
        return [*self.writers, self.plain_writer]

    def acknowledged(self):
        return sum(writer.acknowledged() for writer in self.all_writers())

    def sent(self):
        return sum(writer.sent() for writer in self.all_writers())

    @property
    def commits_acknowledged(self):
        return self.reader.count

    def flows_again(self, count=200):
        """Waits until every writer has heard of `count` more records; false if one has given up."""
        goals = [(writer, writer.acknowledged() + count) for writer in self.all_writers()]
        deadline = time.monotonic() + PATIENCE
        while any(writer.acknowledged() < goal for writer, goal in goals):
            if time.monotonic() > deadline:
                self.errors.append(f"a writer heard of nothing for {PATIENCE} s")
            if self.errors:
                return False
            time.sleep(0.005)
        return True

    def kill(self, broker):
        """Kills the broker. Returns how many of the records sent before stay unacknowledged, the acknowledged end of
        each partition, and the acknowledged commits."""
        before = [(writer, partition, following) for writer in self.all_writers() for partition, following in writer.next.items()]
        broker.kill()
        time.sleep(0.05)  # answers that were on their way have arrived
        unacknowledged = sum(max(0, following - len(writer.places[partition])) for writer, partition, following in before)
        ends = {p: max(places.copy().values(), default=-1) + 1 for writer in self.writers for p, places in writer.places.items()}
        return unacknowledged, ends, dict(self.reader.commits)

    def on_disk(self, folder):
        """The end offsets of the idempotent partitions by the batch headers in their newest segments, added up."""
        total = 0
        for partition in range(PARTITIONS):
            segments = sorted(folder.rglob(f"{self.topic}-{partition}/*.log"))
            total += end_of(segments[-1].read_bytes()) if segments else 0
        return total

    def committed(self):
        places = [ck.TopicPartition(self.topic, p) for p in range(PARTITIONS)]
        return {place.partition: place.offset for place in self.retried(lambda: self.asker.committed(places, timeout=5)) if place.offset >= 0}

    def ends(self, topic):
        count = PARTITIONS if topic == self.topic else 1
        return {p: self.retried(lambda p=p: self.asker.get_watermark_offsets(ck.TopicPartition(topic, p), timeout=5))[1] for p in range(count)}

    @staticmethod
    def retried(ask):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except ck.KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self):
        for writer in self.all_writers():
            writer.stopping.set()
        for writer in self.all_writers():
            writer.join(PATIENCE + 10)
        ends, deadline = self.ends(self.topic), time.monotonic() + (5 if self.errors else PATIENCE)
        while any(len(self.reader.seen[p]) < end for p, end in ends.items()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.reader.stopping.set()
        self.reader.join(30)

    def unread(self):
        missing = {p: end - len(self.reader.seen[p]) for p, end in self.ends(self.topic).items() if end > len(self.reader.seen[p])}
        return f"unread by partition: {missing}" if missing else ""

    def read(self, topic):
        """The whole topic: per partition a list of (offset, value) in the order read."""
        ends = self.ends(topic)
        reader = ck.Consumer({"bootstrap.servers": self.address, "group.id": "full-read", "enable.auto.commit": False,
                              "isolation.level": "read_uncommitted", "auto.offset.reset": "earliest", **QUIET})
        reader.assign([ck.TopicPartition(topic, p, 0) for p in ends])
        found, deadline = {p: [] for p in ends}, time.monotonic() + PATIENCE
        while any(not found[p] or found[p][-1][0] + 1 < end for p, end in ends.items() if end) and time.monotonic() < deadline:
            for message in reader.consume(2000, 0.1):
                if not message.error():
                    found[message.partition()].append((message.offset(), message.value()))
        reader.close()
        return found

    def compare(self, ledger, plain):
        """The books against the log."""
        problems = {name: [] for name in ("nothing acknowledged is lost", "nothing is there twice", "nothing is out of order",
                                          "offsets have no holes", "every record is where it was acknowledged")}
        lost, twice, order, holes, elsewhere = problems.values()
        books = {p: (writer, ledger[p]) for writer in self.writers for p in writer.places}
        books["plain"] = (self.plain_writer, plain[0])
        for partition, (writer, records) in books.items():
            named = 0 if partition == "plain" else partition
            if [offset for offset, _ in records] != list(range(len(records))):
                holes.append(str(partition))
            numbers = [int(value.split(b"/")[1]) for _, value in records]
            missing = writer.places[named].keys() - set(numbers)
            if missing:
                lost.append(f"{partition} lacks {len(missing)}, such as {sorted(missing)[:3]}")
            values = dict(records)
            if any(offset >= 0 and values.get(offset) != payload(named, number) for number, offset in writer.places[named].items()):
                elsewhere.append(str(partition))
            if partition == "plain":
                self.plain_twice = len(numbers) - len(set(numbers))
                continue
            if len(numbers) != len(set(numbers)):
                twice.append(f"{partition} has {len(numbers) - len(set(numbers))}")
            if numbers != sorted(numbers):
                order.append(str(partition))
        return {name: "; ".join(found) for name, found in problems.items()}


def end_of(segment):
    """The offset after the last whole batch: base offset (8 bytes), length (4), and at 23 the last offset delta (4)."""
    place, end = 0, 0
    while place + 61 <= len(segment):
        base, length = struct.unpack_from(">qi", segment, place)
        if length <= 0 or place + 12 + length > len(segment):
            break
        end = base + struct.unpack_from(">i", segment, place + 23)[0] + 1
        place += 12 + length
    return end
