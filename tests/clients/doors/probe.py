"""What is in the broker, asked byte by byte: no client's cache stands between."""

import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "clients" / "security"), str(ROOT / "student")]

from headwater.records import batch  # noqa: E402  (the path must be known first)
from protocol import Connection, Out  # noqa: E402  (the path must be known first)

PRODUCE, METADATA, LIST_OFFSETS, COMMIT, CREATE, HANDSHAKE, AUTHENTICATE, LIST_GROUPS = 0, 3, 2, 8, 19, 17, 36, 16
FIRST, END, NEWEST = -2, -1, -3


class Probe:
    """A connection of one user, logged in by PLAIN, which loopback allows."""

    def __init__(self, address, user, password):
        host, port = address.rsplit(":", 1)
        self.connection = Connection(host, int(port))
        assert self.connection.ask(HANDSHAKE, 1, Out().text("PLAIN")).take("h") == 0
        answer = self.connection.ask(AUTHENTICATE, 0, Out().blob(f"\0{user}\0{password}".encode()))
        assert answer.take("h") == 0, answer.text()

    def topics(self, names):
        """(id, partitions) of those that exist."""
        put = lambda out, name: out.pack("16s", bytes(16)).text(name).tags()
        answer = self.connection.ask(METADATA, 12, Out(True).array(names, put).pack("??", False, False).tags())
        answer.take("i")
        answer.array(lambda a: (a.take("i"), a.text(), a.take("i"), a.text(), a.tags()))
        answer.text(), answer.take("i")

        def partition(a):
            index = a.take("hi")[1]
            a.take("ii")
            [a.array(lambda b: b.take("i")) for _ in range(3)]
            a.tags()
            return index

        def topic(a):
            error, name, id_, _ = a.take("h"), a.text(), a.take("16s"), a.take("?")
            found = (error, name, uuid.UUID(bytes=id_), sorted(a.array(partition)))
            a.take("i"), a.tags()
            return found

        return {name: (id_, partitions) for error, name, id_, partitions in answer.array(topic) if error == 0}

    def offsets(self, topic, partitions, at):
        """(timestamp, offset) by partition; `at` is a time or one of the names above."""
        put = lambda out, partition: out.pack("iiq", partition, -1, at).tags()
        body = Out(True).pack("ib", -1, 0).array([topic], lambda out, name: out.text(name).array(partitions, put).tags())
        answer = self.connection.ask(LIST_OFFSETS, 7, body.tags())
        answer.take("i")

        def partition(a):
            index, error, time, offset, _ = a.take("ihqqi")
            a.tags()
            return index, error, time, offset

        found = answer.array(lambda a: (a.text(), a.array(partition), a.tags()))[0][1]
        return {index: (time, offset) for index, error, time, offset in found if error == 0}

    def create(self, topic):
        row = lambda out, name: out.text(name).pack("ih", 1, 1).array([], None).array([], None)
        answer = self.connection.ask(CREATE, 2, Out().array([topic], row).pack("i?", 20_000, False))
        answer.take("i")
        return answer.array(lambda a: (a.text(), a.take("h"), a.text()))[0]

    def write(self, topic, mib):
        """So much, one MiB less a little at a time; the first error."""
        one = batch(b"", bytes(1_000_000), 1)
        row = lambda out, records: out.pack("i", 0).blob(records)
        for _ in range(mib):
            body = Out().text(None).pack("hi", -1, 20_000).array([topic], lambda out, name: out.text(name).array([one], row))
            error = self.connection.ask(PRODUCE, 3, body).array(lambda a: (a.text(), a.array(lambda b: b.take("ihqq"))))[0][1][0][1]
            if error:
                return error
        return 0

    def commit(self, group, topic, offset):
        row = lambda out, at: out.pack("iq", 0, at).text(None)
        body = Out().text(group).pack("i", -1).text("").pack("q", -1)
        answer = self.connection.ask(COMMIT, 2, body.array([topic], lambda out, name: out.text(name).array([offset], row)))
        return answer.array(lambda a: (a.text(), a.array(lambda b: b.take("ih"))))[0][1][0][1]

    def groups(self):
        answer = self.connection.ask(LIST_GROUPS, 1, Out())
        assert answer.take("ih")[1] == 0
        return {name for name, _ in answer.array(lambda a: (a.text(), a.text()))}
