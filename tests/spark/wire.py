"""A proxy between Kafka clients and a broker that notes what they ask, and looks into the answers about offsets and records.

It parses ListOffsets, Fetch and Metadata in their flexible versions, as Kafka's Java client asks them today. Everything else is passed on
with its key, version and client id noted.
"""

import asyncio
import threading
from collections import Counter
from typing import NamedTuple

FETCH, LIST_OFFSETS, METADATA, API_VERSIONS = 1, 2, 3, 18
# From these versions on a request is written in the flexible way.
FLEXIBLE = {FETCH: 12, LIST_OFFSETS: 6, METADATA: 9, API_VERSIONS: 3}
LATEST = -1


class Request(NamedTuple):
    client: str
    key: int
    version: int


class Reader:
    """The types of the Kafka protocol, one after the other."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big", signed=True)

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def raw(self, size):
        self.at += size
        return self.data[self.at - size : self.at]

    def compact(self):
        """A text or bytes; None for null."""
        size = self.varint()
        return self.raw(size - 1) if size else None

    def text(self):
        found = self.compact()
        return None if found is None else found.decode()

    def array(self, read):
        return [read() for _ in range(self.varint() - 1)]

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.raw(self.varint())


class Wanted(NamedTuple):
    """What a Fetch asks of a partition, with the offset that was known to be the end of it at that time."""

    offset: int
    end: int


class Notes:
    """What was asked and answered, over all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.software = set()
        # Topic ids by name, and the highest end of each partition that has been told so far.
        self.ids, self.ends = {}, {}
        self.faults, self.counts = [], Counter()

    def end_of(self, topic, partition):
        return self.ends.get((topic, partition), 0)

    def told_end(self, topic, partition, end):
        self.ends[topic, partition] = max(end, self.end_of(topic, partition))

    def mark(self):
        return len(self.requests)


class Connection:
    """What is known of one connection: its open questions, and the partitions of its fetch session."""

    def __init__(self, notes):
        self.notes, self.open, self.session = notes, {}, {}

    def asked(self, frame):
        reader = Reader(frame)
        key, version, correlation = reader.number(2), reader.number(2), reader.number(4)
        length = reader.number(2)
        client = reader.raw(length).decode() if length >= 0 else ""
        flexible = version >= FLEXIBLE.get(key, 1 << 15)
        if flexible:
            reader.tags()
        with self.notes.lock:
            self.notes.requests.append(Request(client, key, version))
            detail = None
            if key == API_VERSIONS and flexible:
                self.notes.software.add((reader.text(), reader.text()))
            elif key == LIST_OFFSETS and flexible:
                detail = self.list_offsets(reader)
            elif key == FETCH and flexible:
                detail = self.fetch(reader, version)
            elif key in (LIST_OFFSETS, FETCH):
                self.notes.faults.append(f"key {key} was asked in version {version}, which this test cannot read")
            # An answer to acks=0 never comes: no answer is waited for by more than its number.
            self.open[correlation] = (key, version, detail)

    def list_offsets(self, reader):
        reader.number(4), reader.number(1)
        wanted = {}

        def topic():
            name = reader.text()

            def partition():
                index, _, timestamp = reader.number(4), reader.number(4), reader.number(8)
                reader.tags()
                if timestamp == LATEST:
                    wanted[name, index] = self.notes.end_of(self.notes.ids.get(name, name), index)

            reader.array(partition)
            reader.tags()

        reader.array(topic)
        return wanted

    def fetch(self, reader, version):
        if version < 15:
            reader.number(4)
        reader.number(4), reader.number(4)
        most, _, _, epoch = reader.number(4), reader.number(1), reader.number(4), reader.number(4)
        if epoch in (0, -1):
            self.session = {}

        def topic():
            name = reader.raw(16) if version >= 13 else reader.text()

            def partition():
                index, _, offset = reader.number(4), reader.number(4), reader.number(8)
                reader.number(4), reader.number(8), reader.number(4)
                reader.tags()
                self.session[name, index] = offset

            reader.array(partition)
            reader.tags()

        def forgotten():
            name = reader.raw(16) if version >= 13 else reader.text()
            for index in reader.array(lambda: reader.number(4)):
                self.session.pop((name, index), None)
            reader.tags()

        reader.array(topic)
        reader.array(forgotten)
        wanted = {place: Wanted(offset, self.notes.end_of(*place)) for place, offset in self.session.items()}
        return most, wanted

    def answered(self, frame):
        key, version, detail = self.open.pop(int.from_bytes(frame[:4], "big", signed=True), (None, 0, None))
        if key not in (FETCH, LIST_OFFSETS, METADATA) or version < FLEXIBLE[key]:
            return
        reader = Reader(frame, 4)
        reader.tags()
        with self.notes.lock:
            if key == METADATA:
                self.topics(reader, version)
            elif key == LIST_OFFSETS:
                self.offsets(reader, detail)
            else:
                self.records(reader, version, *detail)

    def topics(self, reader, version):
        reader.number(4)
        reader.array(lambda: (reader.number(4), reader.text(), reader.number(4), reader.text(), reader.tags()))
        reader.text(), reader.number(4)

        def partition():
            reader.number(2), reader.number(4), reader.number(4), reader.number(4)
            for _ in range(3):
                reader.array(lambda: reader.number(4))
            reader.tags()

        def topic():
            reader.number(2)
            name = reader.text()
            if version >= 10:
                self.notes.ids[name] = reader.raw(16)
            reader.number(1)
            reader.array(partition)
            reader.number(4)
            reader.tags()

        reader.array(topic)

    def offsets(self, reader, wanted):
        reader.number(4)

        def topic():
            name = reader.text()

            def partition():
                index, error, _, offset, _ = (reader.number(size) for size in (4, 2, 8, 8, 4))
                reader.tags()
                if error or (name, index) not in wanted:
                    return
                self.notes.counts["latest offsets"] += 1
                if offset < wanted[name, index]:
                    self.notes.faults.append(f"the end of {name}-{index} stepped back from {wanted[name, index]} to {offset}")
                self.notes.told_end(self.notes.ids.get(name, name), index, offset)

            reader.array(partition)
            reader.tags()

        reader.array(topic)

    def records(self, reader, version, most, wanted):
        reader.number(4)
        error = reader.number(2)
        reader.number(4)
        found = {}

        def topic():
            name = reader.raw(16) if version >= 13 else reader.text()

            def partition():
                index, wrong, end = reader.number(4), reader.number(2), reader.number(8)
                reader.number(8), reader.number(8)
                reader.array(lambda: (reader.number(8), reader.number(8), reader.tags()))
                reader.number(4)
                found[name, index] = (wrong, end, reader.compact() or b"")
                reader.tags()

            reader.array(partition)
            reader.tags()

        reader.array(topic)
        self.notes.counts["fetch answers"] += 1
        if error:
            self.notes.counts[f"fetch error {error}"] += 1
            return
        full = sum(len(records) for _, _, records in found.values()) >= most
        for place, ask in wanted.items():
            self.judge(place, ask, found.get(place), full)
        for (name, index), (wrong, end, _) in found.items():
            if not wrong:
                self.notes.told_end(name, index, end)

    def judge(self, place, ask, answer, full):
        """Whether an answer to a Fetch holds what there is of a partition."""
        wrong, end, records = answer or (0, ask.end, b"")
        if wrong:
            self.notes.counts[f"partition error {wrong}"] += 1
            return
        name = next((name for name, topic in self.notes.ids.items() if topic == place[0]), place[0])
        self.notes.counts["partitions fetched"] += 1
        self.notes.counts["with records"] += bool(records)
        if end < ask.end:
            self.notes.faults.append(f"the end of {name}-{place[1]} stepped back from {ask.end} to {end}")
        if not records and end > ask.offset:
            self.notes.counts["left out of a full answer" if full else "empty"] += 1
            if not full:
                how = "an empty answer" if answer else "no answer"
                self.notes.faults.append(f"{how} for {name}-{place[1]} at {ask.offset}, where the end is {end}")
        if len(records) >= 27 and int.from_bytes(records[:8], "big") + int.from_bytes(records[23:27], "big") < ask.offset:
            self.notes.faults.append(f"the records of {name}-{place[1]} end before {ask.offset}, which was asked for")


class Proxy:
    """Passes on what comes to `port` to another port of this machine, and back."""

    def __init__(self, notes, port, target):
        self.notes, self.port, self.target = notes, port, target
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(ready,), daemon=True)
        self.thread.start()
        if not ready.wait(10):
            raise RuntimeError(f"the proxy on port {port} did not start")

    def serve(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.client, "127.0.0.1", self.port))
        ready.set()
        self.loop.run_forever()

    async def client(self, reader, writer):
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        connection = Connection(self.notes)
        sides = (self.passed(reader, server_writer, connection.asked), self.passed(server_reader, writer, connection.answered))
        await asyncio.gather(*sides)

    async def passed(self, reader, writer, note):
        """Frames of one direction until its end. What cannot be read is passed on, and is a fault."""
        try:
            while True:
                head = await reader.readexactly(4)
                frame = await reader.readexactly(int.from_bytes(head, "big"))
                try:
                    note(frame)
                except (IndexError, UnicodeDecodeError, KeyError, TypeError) as reason:
                    self.notes.faults.append(f"a frame that cannot be read: {type(reason).__name__} {reason}")
                writer.write(head + frame)
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
