"""A Kafka client for a few questions: one connection, one request at a time, versions that every broker of today has."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import NamedTuple

from headwater import __version__
from headwater.scram import MECHANISMS, Scram

SOFTWARE = "headwater-doctor"
LARGEST_ANSWER = 32 * 1024 * 1024

UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE = 3, 5
TOPIC_DENIED, GROUP_DENIED, CLUSTER_DENIED = 29, 30, 31
UNSUPPORTED_MECHANISM, ILLEGAL_SASL_STATE, UNSUPPORTED_VERSION, TOPIC_EXISTS, LOGIN_FAILED = 33, 34, 35, 36, 58

# The ones a student can meet, in Kafka's words.
ERRORS = {
    -1: "UNKNOWN_SERVER_ERROR",
    1: "OFFSET_OUT_OF_RANGE",
    2: "CORRUPT_MESSAGE",
    3: "UNKNOWN_TOPIC_OR_PARTITION",
    5: "LEADER_NOT_AVAILABLE",
    6: "NOT_LEADER_OR_FOLLOWER",
    7: "REQUEST_TIMED_OUT",
    10: "MESSAGE_TOO_LARGE",
    15: "COORDINATOR_NOT_AVAILABLE",
    16: "NOT_COORDINATOR",
    17: "INVALID_TOPIC_EXCEPTION",
    29: "TOPIC_AUTHORIZATION_FAILED",
    30: "GROUP_AUTHORIZATION_FAILED",
    31: "CLUSTER_AUTHORIZATION_FAILED",
    33: "UNSUPPORTED_SASL_MECHANISM",
    34: "ILLEGAL_SASL_STATE",
    35: "UNSUPPORTED_VERSION",
    36: "TOPIC_ALREADY_EXISTS",
    44: "POLICY_VIOLATION",
    56: "KAFKA_STORAGE_ERROR",
    58: "SASL_AUTHENTICATION_FAILED",
    87: "INVALID_RECORD",
    89: "THROTTLING_QUOTA_EXCEEDED",
}


def error_name(code: int) -> str:
    return ERRORS.get(code, f"error {code}")


class WireError(Exception):
    """The other side does not speak as a Kafka broker would. `first` is what it sent instead, as far as it was read."""

    def __init__(self, sentence: str, first: bytes = b""):
        super().__init__(sentence)
        self.first = first


class Closed(WireError):
    """The other side hung up."""


class Silent(WireError):
    """The other side took the connection and says nothing."""


class Refused(Exception):
    """The broker answered with an error code."""

    def __init__(self, code: int, message: str | None = None, mechanisms: tuple[str, ...] = ()):
        super().__init__(clean(message or error_name(code)))
        self.code, self.mechanisms = code, mechanisms


class Broker(NamedTuple):
    node: int
    host: str
    port: int


class Topic(NamedTuple):
    error: int
    name: str
    partitions: list
    leaders: dict
    """The node that leads each partition."""


class Metadata(NamedTuple):
    brokers: list
    cluster_id: str
    topics: list


class Member(NamedTuple):
    member: str
    client: str
    host: str


def clean(text: str) -> str:
    """Text of another machine, made fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]


class Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise WireError("an answer of the broker is cut off", self.data[:16])
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, kind: str) -> int:
        return struct.unpack(">" + kind, self.take(struct.calcsize(">" + kind)))[0]

    def string(self):
        length = self.number("h")
        return None if length < 0 else self.take(length).decode("utf-8", "replace")

    def bytes(self) -> bytes:
        length = self.number("i")
        return b"" if length < 0 else self.take(length)

    def array(self, read) -> list:
        count = self.number("i")
        if count > len(self.data):
            raise WireError("an answer of the broker is cut off", self.data[:16])
        return [read(self) for _ in range(count)]

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift > 35:
                return value


def string(text) -> bytes:
    if text is None:
        return b"\xff\xff"
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def array(parts) -> bytes:
    return struct.pack(">i", len(parts)) + b"".join(parts)


def compact(text: str) -> bytes:
    return bytes([len(text) + 1]) + text.encode()


def dial(host: str, port: int, timeout: float) -> socket.socket:
    """Raises OSError as the operating system does."""
    connected = socket.create_connection((host, port), timeout)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


class Connection:
    """Frames on a socket that is connected already, encrypted or not."""

    def __init__(self, connected: socket.socket, timeout: float):
        self.socket, self.correlation = connected, 0
        self.socket.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def _read(self, count: int, what: bytes = b"") -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                part = self.socket.recv(min(count - len(data), 1 << 16))
            except (TimeoutError, socket.timeout) as reason:
                raise Silent("no answer", what + bytes(data)) from reason
            except (OSError, ssl.SSLError) as reason:
                raise Closed("the connection was cut", what + bytes(data)) from reason
            if not part:
                raise Closed("the connection was closed", what + bytes(data))
            data += part
        return bytes(data)

    def call(self, key: int, version: int, body: bytes, flexible: bool = False) -> Reader:
        """`flexible`: a header with a section of tags, as ApiVersions 3 has it. The header of its answer has none."""
        self.correlation += 1
        header = struct.pack(">hhi", key, version, self.correlation) + string(SOFTWARE) + (b"\0" if flexible else b"")
        message = header + body
        try:
            self.socket.sendall(struct.pack(">i", len(message)) + message)
        except (TimeoutError, socket.timeout) as reason:
            raise Silent("nothing is taken") from reason
        except OSError as reason:
            raise Closed("the connection was cut") from reason
        size = self._read(4)
        (length,) = struct.unpack(">i", size)
        if not 4 <= length <= LARGEST_ANSWER:
            raise WireError("this is no answer of a Kafka broker", size)
        reader = Reader(self._read(length, size))
        if reader.number("i") != self.correlation:
            raise WireError("this is no answer of a Kafka broker", size + reader.data[:12])
        return reader

    def api_versions(self) -> dict:
        """{key: (lowest, highest)}. Tells the broker who asks."""
        answer = self.call(18, 3, compact(SOFTWARE) + compact(__version__) + b"\0", flexible=True)
        error = answer.number("h")
        if error == UNSUPPORTED_VERSION:
            answer = self.call(18, 0, b"")
            error = answer.number("h")
            served = answer.array(lambda r: (r.number("h"), (r.number("h"), r.number("h"))))
        else:
            served = []
            for _ in range(max(0, answer.uvarint() - 1)):
                served.append((answer.number("h"), (answer.number("h"), answer.number("h"))))
                if answer.uvarint():
                    raise WireError("this is no answer of a Kafka broker", answer.data[:16])
        if error:
            raise Refused(error)
        return dict(served)

    def handshake(self, mechanism: str) -> tuple:
        """The mechanisms that the broker offers. Raises Refused where this one is not among them, or no login is wanted here."""
        answer = self.call(17, 1, string(mechanism))
        error = answer.number("h")
        offered = tuple(clean(name or "") for name in answer.array(Reader.string))
        if error:
            raise Refused(error, mechanisms=offered)
        return offered

    def token(self, token: bytes) -> bytes:
        answer = self.call(36, 0, struct.pack(">i", len(token)) + token)
        error, message, told = answer.number("h"), answer.string(), answer.bytes()
        if error:
            raise Refused(error, message)
        return told

    def log_in(self, mechanism: str, user: str, password: str) -> None:
        self.handshake(mechanism)
        if mechanism not in MECHANISMS:
            self.token(b"\0" + user.encode() + b"\0" + password.encode())
            return
        scram = Scram(mechanism, user, password)
        scram.check(self.token(scram.final(self.token(scram.first()))))

    def metadata(self, topics=None, create=False) -> Metadata:
        """Of all topics where none are named."""
        asked = struct.pack(">i", -1) if topics is None else array([string(topic) for topic in topics])
        answer = self.call(3, 4, asked + struct.pack(">?", create))
        answer.number("i")
        brokers = answer.array(lambda r: (r.number("i"), clean(r.string() or ""), r.number("i"), r.string()))
        cluster = clean(answer.string() or "")
        answer.number("i")

        def partition(r):
            found = r.number("h"), r.number("i"), r.number("i")
            r.array(lambda x: x.number("i"))
            r.array(lambda x: x.number("i"))
            return found

        def topic(r):
            error, name = r.number("h"), clean(r.string() or "")
            r.number("?")
            leaders = {index: leader for _, index, leader in r.array(partition)}
            return Topic(error, name, sorted(leaders), leaders)

        return Metadata([Broker(*found[:3]) for found in brokers], cluster, answer.array(topic))

    def create_topic(self, name: str, partitions: int = 1) -> int:
        """With as many copies as the cluster gives a new topic."""
        body = array([string(name) + struct.pack(">ih", partitions, -1) + array([]) + array([])]) + struct.pack(">i?", 5000, False)
        answer = self.call(19, 4, body)
        answer.number("i")
        return _first(answer.array(lambda r: (r.string(), r.number("h"), r.string())), 1)

    def delete_topic(self, name: str) -> int:
        answer = self.call(20, 1, array([string(name)]) + struct.pack(">i", 5000))
        answer.number("i")
        return _first(answer.array(lambda r: (r.string(), r.number("h"))), 1)

    def produce(self, topic: str, partition: int, batch: bytes) -> tuple:
        """(error, offset)"""
        part = struct.pack(">ii", partition, len(batch)) + batch
        answer = self.call(0, 3, string(None) + struct.pack(">hi", -1, 5000) + array([string(topic) + array([part])]))
        found = answer.array(lambda r: (r.string(), r.array(lambda p: (p.number("i"), p.number("h"), p.number("q"), p.number("q")))))
        _, error, offset, _ = _only(_first(found, 1))
        return error, offset

    def offset(self, topic: str, partition: int, at: int) -> tuple:
        """(error, offset): the first for `at` -2, the next to be written for -1."""
        body = struct.pack(">i", -1) + array([string(topic) + array([struct.pack(">iq", partition, at)])])
        answer = self.call(2, 1, body)
        found = answer.array(lambda r: (r.string(), r.array(lambda p: (p.number("i"), p.number("h"), p.number("q"), p.number("q")))))
        _, error, _, offset = _only(_first(found, 1))
        return error, offset

    def fetch(self, topic: str, partition: int, offset: int, wait_ms: int = 1000) -> tuple:
        """(error, record batches)"""
        part = struct.pack(">iqi", partition, offset, 1 << 20)
        body = struct.pack(">iiiib", -1, wait_ms, 1, 1 << 20, 0) + array([string(topic) + array([part])])
        answer = self.call(1, 4, body)
        answer.number("i")

        def one(r):
            _, error, _, _ = r.number("i"), r.number("h"), r.number("q"), r.number("q")
            r.array(lambda x: (x.number("q"), x.number("q")))
            return error, r.bytes()

        return _only(_first(answer.array(lambda r: (r.string(), r.array(one))), 1))

    def coordinator(self, group: str) -> tuple:
        """(error, host, port)"""
        answer = self.call(10, 0, string(group))
        error, _, host, port = answer.number("h"), answer.number("i"), clean(answer.string() or ""), answer.number("i")
        return error, host, port

    def group(self, name: str) -> tuple:
        """(error, state, members)"""
        answer = self.call(15, 0, array([string(name)]))

        def member(r):
            found = Member(clean(r.string() or ""), clean(r.string() or ""), clean(r.string() or ""))
            r.bytes()
            r.bytes()
            return found

        def one(r):
            error, _, state, _, _ = r.number("h"), r.string(), r.string(), r.string(), r.string()
            return error, clean(state or ""), r.array(member)

        return _only(answer.array(one))

    def committed(self, group: str, topic: str, partitions: list) -> dict:
        """{partition: offset} of those that have one."""
        body = string(group) + array([string(topic) + array([struct.pack(">i", index) for index in partitions])])
        answer = self.call(9, 1, body)
        found = answer.array(lambda r: (r.string(), r.array(lambda p: (p.number("i"), p.number("q"), p.string(), p.number("h")))))
        return {index: offset for _, rows in found for index, offset, _, error in rows if not error and offset >= 0}


def _only(found: list):
    if not found:
        raise WireError("the broker's answer is empty")
    return found[0]


def _first(found: list, at: int):
    return _only(found)[at]
