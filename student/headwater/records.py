"""Record batches, format v2: one is written, many are read.

| bytes | field |
|---|---|
| 0-7 | base offset |
| 8-11 | length of what follows |
| 12-15 | leader epoch |
| 16 | magic, 2 |
| 17-20 | CRC-32C of all that follows |
| 21-22 | attributes: codec in bits 0-2, control in bit 5 |
| 23-26 | last offset delta |
| 27-42 | base and largest timestamp |
| 43-56 | producer id, epoch, first sequence number |
| 57-60 | number of records |
"""

from __future__ import annotations

import struct

HEADER = struct.Struct(">qiib I hiqqqhii")
CRC_FROM = 21


def _table():
    rows = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_CRC = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value: int) -> bytes:
    """Zig-zag, as record fields have it."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if shift > 63 or at >= len(data):
            raise ValueError("a record is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7


def batch(key: bytes, value: bytes, timestamp: int) -> bytes:
    """One record, without compression and without a producer id."""
    body = b"\0" + varint(0) + varint(0) + varint(len(key)) + key + varint(len(value)) + value + varint(0)
    record = varint(len(body)) + body
    checked = struct.pack(">hiqqqhii", 0, 0, timestamp, timestamp, -1, -1, -1, 1) + record
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def records(data: bytes) -> list[tuple[int, bytes | None, bytes | None]]:
    """(offset, key, value) of all records in uncompressed batches. Control batches and what is cut off at the end are left out."""
    found, at = [], 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        end = at + 12 + length
        if length < 49 or end > len(data):
            break
        attributes, count = struct.unpack_from(">h", data, at + 21)[0], struct.unpack_from(">i", data, at + 57)[0]
        if data[at + 16] == 2 and not attributes & 0x27:
            found += _of_one_batch(data[at + 61 : end], base, count)
        at = end
    return found


def _of_one_batch(data, base, count):
    at, found = 0, []
    for _ in range(count):
        length, at = read_varint(data, at)
        end = at + length
        _, inside = read_varint(data, at + 1)
        delta, inside = read_varint(data, inside)
        key, inside = _bytes(data, inside)
        value, inside = _bytes(data, inside)
        found.append((base + delta, key, value))
        at = end
    return found


def _bytes(data, at):
    length, at = read_varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)
