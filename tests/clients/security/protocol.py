"""Just enough of the Kafka protocol to ask an admin question byte by byte, also one that no client library would ask."""

import socket
import struct


class Out:
    def __init__(self, flexible=False):
        self.bytes, self.flexible = b"", flexible

    def pack(self, form, *values):
        self.bytes += struct.pack(">" + form, *values)
        return self

    def varint(self, value):
        while value >= 0x80:
            self.bytes += bytes([value & 0x7F | 0x80])
            value >>= 7
        self.bytes += bytes([value])
        return self

    def length(self, length, form):
        if self.flexible:
            return self.varint(0 if length is None else length + 1)
        return self.pack(form, -1 if length is None else length)

    def text(self, value):
        raw = None if value is None else value.encode()
        self.length(None if raw is None else len(raw), "h")
        self.bytes += raw or b""
        return self

    def blob(self, raw):
        self.length(len(raw), "i")
        self.bytes += raw
        return self

    def array(self, items, put):
        self.length(None if items is None else len(items), "i")
        for item in items or []:
            put(self, item)
        return self

    def tags(self):
        return self.varint(0) if self.flexible else self


class In:
    def __init__(self, raw, flexible=False):
        self.raw, self.at, self.flexible = raw, 0, flexible

    def take(self, form):
        size = struct.calcsize(">" + form)
        values = struct.unpack_from(">" + form, self.raw, self.at)
        self.at += size
        return values[0] if len(values) == 1 else values

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, form):
        return self.varint() - 1 if self.flexible else self.take(form)

    def text(self):
        size = self.length("h")
        if size < 0:
            return None
        self.at += size
        return self.raw[self.at - size:self.at].decode()

    def array(self, get):
        size = self.length("i")
        return None if size < 0 else [get(self) for _ in range(size)]

    def tags(self):
        assert not self.flexible or self.varint() == 0


class Closed(Exception):
    """The broker hung up instead of answering."""


class Connection:
    def __init__(self, host, port, client_id="admin-calls", timeout=40):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.client_id, self.correlation = client_id, 0

    def ask(self, key, version, body):
        """The answer's body."""
        self.correlation += 1
        head = Out().pack("hhi", key, version, self.correlation).text(self.client_id)
        frame = head.bytes + (b"\0" if body.flexible else b"") + body.bytes
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        answer = In(self.read(struct.unpack(">i", self.read(4))[0]), body.flexible)
        assert answer.take("i") == self.correlation
        answer.tags()
        return answer

    def read(self, size):
        raw = b""
        while len(raw) < size:
            try:
                more = self.socket.recv(size - len(raw))
            except ConnectionError:
                more = b""
            if not more:
                raise Closed
            raw += more
        return raw
