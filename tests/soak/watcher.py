"""Asks the broker itself, past the proxy, for what must only grow: `watcher.py NAME FOLDER SETTINGS`.

Lines of its history, each with invoke and complete:

    ends         ends: the end and the leader epoch of each place (ListOffsets version 4)
    epochs       epochs: the leader epoch of each place (Metadata version 7)
    committed    group, offsets (OffsetFetch version 5)
"""

import json
import socket
import struct
import sys
import time

from worker import Journal

EVERY_SECONDS = 0.2
PATIENCE = 15  # longer than the broker is ever stopped


def text(name):
    return struct.pack(">h", len(name)) + name.encode()


class Answer:
    """Reads one answer from front to back."""

    def __init__(self, data):
        self.data, self.at = data, 4  # after the correlation id

    def take(self, form):
        size = struct.calcsize(form)
        values = struct.unpack_from(form, self.data, self.at)
        self.at += size
        return values if len(values) > 1 else values[0]

    def text(self):
        size = self.take(">h")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def each(self, read):
        return [read() for _ in range(self.take(">i"))]


class Asker:
    def __init__(self, address, places):
        self.address, self.connection = address, None
        self.topics = {}
        for topic, partition in places:
            self.topics.setdefault(topic, []).append(partition)

    def ask(self, key, version, body):
        try:
            if self.connection is None:
                self.connection = socket.create_connection(self.address, timeout=PATIENCE)
            header = struct.pack(">hhi", key, version, 1) + text("watcher")
            self.connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            return Answer(self.read(struct.unpack(">i", self.read(4))[0]))
        except OSError:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            raise

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data

    def by_topic(self, each):
        """An array of topics with an array of partitions each."""
        return struct.pack(">i", len(self.topics)) + b"".join(
            text(topic) + struct.pack(">i", len(partitions)) + b"".join(map(each, partitions)) for topic, partitions in self.topics.items())

    def ends(self):
        answer = self.ask(2, 4, struct.pack(">ib", -1, 0) + self.by_topic(lambda p: struct.pack(">iiq", p, -1, -1)))
        answer.take(">i")
        found = {}

        def topic():
            name = answer.text()
            answer.each(lambda: partition(name))

        def partition(name):
            number, error, _, offset, epoch = answer.take(">ihqqi")
            if not error:
                found[f"{name}/{number}"] = [offset, epoch]

        answer.each(topic)
        return found

    def epochs(self):
        answer = self.ask(3, 7, struct.pack(">i", len(self.topics)) + b"".join(map(text, self.topics)) + b"\0")
        answer.take(">i")
        answer.each(lambda: (answer.take(">i"), answer.text(), answer.take(">i"), answer.text()))
        answer.text(), answer.take(">i")
        found = {}

        def topic():
            answer.take(">h")
            name = answer.text()
            answer.take(">b")
            answer.each(lambda: partition(name))

        def partition(name):
            error, number, _, epoch = answer.take(">hiii")
            for _ in range(3):  # replicas, those in sync, those offline
                answer.each(lambda: answer.take(">i"))
            if not error:
                found[f"{name}/{number}"] = epoch

        answer.each(topic)
        return found

    def committed(self, group):
        answer = self.ask(9, 5, text(group) + self.by_topic(lambda p: struct.pack(">i", p)))
        answer.take(">i")
        found = {}

        def topic():
            name = answer.text()
            answer.each(lambda: partition(name))

        def partition(name):
            number, offset, _ = answer.take(">iqi")
            answer.text()
            if not answer.take(">h"):
                found[f"{name}/{number}"] = offset

        answer.each(topic)
        return {} if answer.take(">h") else found


def watch(journal, asker, groups):
    """One round; what could not be asked because the broker is down is asked in the next."""
    def one(op, field, ask, **fields):
        invoke = time.monotonic_ns()
        found = ask()
        if found:
            journal.write(op, invoke=invoke, complete=time.monotonic_ns(), **{field: found}, **fields)

    try:
        for group in groups:
            one("committed", "offsets", lambda group=group: asker.committed(group), group=group)
        one("ends", "ends", asker.ends)
        one("epochs", "epochs", asker.epochs)
    except OSError as error:
        journal.trouble(repr(error))


def main():
    name, folder, settings = sys.argv[1:]
    settings = json.loads(settings)
    journal = Journal(name, folder)
    host, port = settings["broker"].rsplit(":", 1)
    asker = Asker((host, int(port)), settings["places"])
    while not journal.stopping.wait(EVERY_SECONDS):
        journal.turn()
        watch(journal, asker, settings["groups"])
    watch(journal, asker, settings["groups"])


if __name__ == "__main__":
    main()
