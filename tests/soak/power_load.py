"""The load of power_cut.py: producers and a committer over plain sockets, what they were told, and the topic read back."""

import os
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "budget"))

from instructions import crc32c, frame, text, varint  # noqa: E402  (the path must be known first)

TOPIC, GROUP = b"power", b"power-readers"
PRODUCERS = 4
PATIENCE = 60
FETCH_BYTES = 4 << 20
POSIX_FADV_DONTNEED = 4
# While a coordinator reads its log: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
NOT_YET = (14, 15, 16)
CORRUPT_MESSAGE = 2


class Refused(Exception):
    """The broker answered with an error."""


class Corrupt(Refused):
    """What stood there is damaged."""


class Answer:
    """Reads an answer's fields one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 4  # the correlation id

    def take(self, layout):
        found = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return found if len(found) > 1 else found[0]

    def bytes(self, size):
        self.at += max(size, 0)
        return self.data[self.at - max(size, 0):self.at]

    def text(self):
        return self.bytes(self.take("h"))

    def each(self):
        return range(self.take("i"))


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, key, version, body):
        self.socket.sendall(frame(key, version, body))
        return Answer(self.read(*struct.unpack(">i", self.read(4))))

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            data += piece
        return bytes(data)

    def create_topic(self, partitions, configs):
        pairs = b"".join(text(name.encode()) + text(value.encode()) for name, value in configs.items())
        topic = text(TOPIC) + struct.pack(">ihi", partitions, 1, 0) + struct.pack(">i", len(configs)) + pairs
        answer = self.ask(19, 2, struct.pack(">i", 1) + topic + struct.pack(">ib", 30_000, 0))
        answer.take("ii")
        answer.text()
        error = answer.take("h")
        if error:
            raise Refused(f"CreateTopics: {error}")

    def epochs(self):
        """The leader epoch of each partition; nothing if there is no such topic."""
        answer = self.ask(3, 7, struct.pack(">i", 1) + text(TOPIC) + b"\0")
        answer.take("i")
        for _ in answer.each():
            answer.take("i")
            answer.text()
            answer.take("i")
            answer.text()
        answer.text()
        answer.take("ii")
        found, _ = {}, (answer.take("h"), answer.text(), answer.take("b"))
        for _ in answer.each():
            _, partition, _, epoch = answer.take("hiii")
            for _ in range(3):
                answer.bytes(4 * answer.take("i"))
            found[partition] = epoch
        return found

    def produce(self, partition, data):
        topic = struct.pack(">i", 1) + text(TOPIC) + struct.pack(">iii", 1, partition, len(data)) + data
        answer = self.ask(0, 3, struct.pack(">hhi", -1, -1, 30_000) + topic)
        answer.take("i")
        answer.text()
        _, _, error, offset = answer.take("iihq")
        if error:
            raise Refused(f"Produce: {error}")
        return offset

    def bounds(self, partition):
        """First offset and end."""
        return self.listed(partition, -2), self.listed(partition, -1)

    def listed(self, partition, moment):
        answer = self.ask(2, 1, struct.pack(">ii", -1, 1) + text(TOPIC) + struct.pack(">iiq", 1, partition, moment))
        answer.take("i")
        answer.text()
        _, _, error, _, offset = answer.take("iihqq")
        if error:
            raise Refused(f"ListOffsets: {error}")
        return offset

    def fetch(self, partition, offset):
        asked = struct.pack(">i", 1) + text(TOPIC) + struct.pack(">iiqi", 1, partition, offset, FETCH_BYTES)
        answer = self.ask(1, 4, struct.pack(">iiiib", -1, 0, 1, FETCH_BYTES, 0) + asked)
        answer.take("ii")
        answer.text()
        _, _, error, _, _ = answer.take("iihqq")
        if error == CORRUPT_MESSAGE:
            raise Corrupt(f"partition {partition} at {offset}")
        if error:
            raise Refused(f"Fetch of partition {partition} at {offset}: {error}")
        answer.bytes(16 * answer.take("i"))
        return answer.bytes(answer.take("i"))

    def commit(self, partition, offset):
        topic = struct.pack(">i", 1) + text(TOPIC) + struct.pack(">iiq", 1, partition, offset) + text(b"")
        answer = self.ask(8, 2, text(GROUP) + struct.pack(">i", -1) + text(b"") + struct.pack(">q", -1) + topic)
        answer.take("i")
        answer.text()
        return answer.take("iih")[2]

    def committed(self, partitions):
        """Each partition's committed offset, -1 without one. Waits for a coordinator that reads its log."""
        asked = struct.pack(f">i{partitions}i", partitions, *range(partitions))
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.ask(9, 1, text(GROUP) + struct.pack(">i", 1) + text(TOPIC) + asked)
            answer.take("i")
            answer.text()
            found, errors = {}, set()
            for _ in answer.each():
                partition, offset = answer.take("iq")
                answer.text()
                errors.add(answer.take("h"))
                found[partition] = offset
            errors.discard(0)
            if not errors:
                return found
            if errors - set(NOT_YET) or time.monotonic() > deadline:
                raise Refused(f"OffsetFetch: {sorted(errors)}")
            time.sleep(0.02)


def payload(partition, producer, sequence):
    return b"%d/%d/%d/" % (partition, producer, sequence) + b"." * (sequence * 37 % 300)


def batch(values):
    now = int(time.time() * 1000)
    bodies = [b"\0" + varint(0) + varint(n) + varint(-1) + varint(len(value)) + value + varint(0) for n, value in enumerate(values)]
    checked = struct.pack(">hiqqqhii", 0, len(values) - 1, now, now, -1, -1, -1, len(values))
    checked += b"".join(varint(len(body)) + body for body in bodies)
    rest = struct.pack(">ibI", 0, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def number(data, at):
    """A zigzag number, and the place after it."""
    shift = found = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return found >> 1 ^ -(found & 1), at


def records(data):
    """(offset, leader epoch, value) of each record in whole batches."""
    place = 0
    while place + 61 <= len(data):
        base, length, epoch = struct.unpack_from(">qii", data, place)
        end = place + 12 + length
        if end > len(data):
            return
        at = place + 61
        while at < end:
            size, at = number(data, at)
            after = at + size
            _, at = number(data, at + 1)
            delta, at = number(data, at)
            _, at = number(data, at)
            size, at = number(data, at)
            yield base + delta, epoch, data[at:at + size]
            at = after
        place = end


def read_back(connection, partition):
    """Everything in a partition, as (offset, leader epoch, value), and its end."""
    offset, end = connection.bounds(partition)
    found = []
    while offset < end:
        try:
            data = connection.fetch(partition, offset)
        except Corrupt:
            offset += 1
            continue
        some = [record for record in records(data) if record[0] >= offset]
        if not some:
            raise Refused(f"partition {partition} ends at {end}, a fetch at {offset} gives nothing")
        found += some
        offset = found[-1][0] + 1
    return found, end


class Acknowledged(NamedTuple):
    at: float
    partition: int
    offset: int
    producer: int
    sequence: int
    count: int


class Load:
    """What was sent and acknowledged. `sent` goes on over power cuts, the rest is of one run between two."""

    def __init__(self, partitions, seed):
        self.partitions, self.dice = partitions, random.Random(seed)
        # By producer: the partition of each record.
        self.sent = [[] for _ in range(PRODUCERS)]
        self.acknowledged, self.commits, self.commits_sent, self.syncs, self.problems = [], [], set(), [], []
        self.ending, self.threads = threading.Event(), []

    def start(self, address, nudged, probe):
        """`nudged`: a folder whose files are written back now and then, in an order that nobody asked for, as the kernel does.
        `probe`: a file beside the images, to see how long the disk takes."""
        self.acknowledged, self.commits, self.commits_sent, self.syncs = [], [], set(), []
        self.ending.clear()
        works = [(self.produce, address, producer, random.Random(self.dice.random())) for producer in range(PRODUCERS)]
        works.append((self.commit, address, random.Random(self.dice.random())))
        works.append((self.sync, probe))
        if nudged:
            works.append((self.write_back, nudged, random.Random(self.dice.random())))
        self.threads = [threading.Thread(target=self.guarded, args=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(PATIENCE + 10)

    def guarded(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as error:
            if not self.ending.is_set():
                self.problems.append(f"{work.__name__}: {error!r}")

    def produce(self, address, producer, dice):
        sent = self.sent[producer]
        with Connection(address) as connection:
            while not self.ending.is_set():
                partition, first, count = dice.randrange(self.partitions), len(sent), dice.randint(1, 8)
                data = batch([payload(partition, producer, first + n) for n in range(count)])
                sent.extend([partition] * count)
                offset = connection.produce(partition, data)
                self.acknowledged.append(Acknowledged(time.monotonic(), partition, offset, producer, first, count))
                time.sleep(dice.uniform(0, 0.002))

    def commit(self, address, dice):
        with Connection(address) as connection:
            while not self.ending.is_set():
                time.sleep(dice.uniform(0.005, 0.03))
                if not self.acknowledged:
                    continue
                last = self.acknowledged[-1]
                offset = last.offset + last.count
                # A commit that goes back is no mistake of the broker's.
                if any(partition == last.partition and offset <= before for _, partition, before in self.commits):
                    continue
                self.commits_sent.add((last.partition, offset))
                error = connection.commit(last.partition, offset)
                if not error:
                    self.commits.append((time.monotonic(), last.partition, offset))
                elif error not in NOT_YET:
                    raise Refused(f"OffsetCommit: {error}")

    def sync(self, probe):
        with probe.open("wb", buffering=0) as file:
            while not self.ending.is_set():
                file.write(bytes(4096))
                begun = time.monotonic()
                os.fdatasync(file.fileno())
                self.syncs.append(time.monotonic() - begun)
                time.sleep(0.05)

    def write_back(self, folder, dice):
        while not self.ending.is_set():
            time.sleep(dice.uniform(0.005, 0.05))
            files = [path for path in folder.glob("*-*/*") if path.is_file()]
            if not files:
                continue
            try:
                file = os.open(dice.choice(files), os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                # The first begins to write the file's pages and waits for none; the second brings the journal along.
                os.posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
                if dice.random() < 0.3:
                    os.fsync(file)
            finally:
                os.close(file)
