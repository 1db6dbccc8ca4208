"""What the bridge writes: a line of JSON for each record, in files whose names say which offsets are in them.

A topic lies in `landing/<topic>/`. `p003-000000000100-000000000350.ndjson` has what there was of partition 3 from offset 100 up to, and
without, 350. Ranges of a partition never overlap, so the names alone say where to go on: nothing else is remembered. Spark does not see
names that begin with `_`: files that are not whole yet, the lock, and where a partition began that was empty (`--from latest`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from headwater.http import HttpError
from headwater.wire import clean

NAME = re.compile(r"p(\d{3,})-(\d{12,})-(\d{12,})\.ndjson")
BEGUN = re.compile(r"_p(\d{3,})-(\d{12,})\.begin")
HALF_WRITTEN = re.compile(r"_p\d{3,}-\d{12,}-\d{12,}\.new")
LOCK = "_lock"
TAIL_BYTES = 64 * 1024


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    milliseconds: int
    key: bytes | None
    value: bytes | None
    headers: list


class Held(NamedTuple):
    """What there is of a partition: the offset to go on from, and the name of the last file."""

    next: int
    file: str | None


def name_of(partition: int, first: int, end: int) -> str:
    return f"p{partition:03}-{first:012}-{end:012}.ndjson"


def begun(partition: int, offset: int) -> str:
    return f"_p{partition:03}-{offset:012}.begin"


def line(record: Record) -> bytes:
    found = {"key": None, "value": None, "topic": record.topic, "partition": record.partition, "offset": record.offset}
    found["timestamp"] = rfc3339(record.milliseconds)
    found["headers"] = [{"key": name, **_told("value", value)} for name, value in record.headers]
    found.update(_told("key", record.key))
    found.update(_told("value", record.value))
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _told(name: str, data: bytes | None) -> dict:
    if data is None:
        return {name: None}
    try:
        return {name: bytes(data).decode("utf-8")}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(data).decode("ascii")}


def rfc3339(milliseconds: int) -> str | None:
    """None where a record has no time, or one that no calendar has."""
    if milliseconds < 0:
        return None
    try:
        at = datetime.fromtimestamp(milliseconds // 1000, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None
    return f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


def fingerprint(text: bytes) -> tuple:
    """Offset and content of a line: whether a record is still the one that was copied."""
    found = json.loads(text)
    told = [found.get(name) for name in ("timestamp", "key", "key_base64", "value", "value_base64")]
    return found["offset"], hashlib.sha256(json.dumps(told).encode()).hexdigest()


def last_line(data: bytes, whole: bool) -> bytes | None:
    """Of the end of a file; None where the line begins before it."""
    before, newline, found = data.rstrip(b"\n").rpartition(b"\n")
    return found if newline or whole else None


def held(names, place: str) -> dict:
    """By partition, what a listing says. Raises HttpError where two files have the same records in them."""
    ranges: dict = {}
    state: dict = {}
    for name in names:
        found, started = NAME.fullmatch(name), BEGUN.fullmatch(name)
        if found:
            ranges.setdefault(int(found[1]), []).append((int(found[2]), int(found[3]), name))
        elif started:
            partition, offset = int(started[1]), int(started[2])
            state[partition] = Held(max(offset, state.get(partition, Held(0, None)).next), None)
    for partition, files in ranges.items():
        files.sort()
        for (_, end, name), (first, _, other) in zip(files, files[1:]):
            if first < end:
                raise HttpError(
                    f"{name} and {other} in {place} have records in common: two bridges wrote there at the same time.",
                    f"Let one bridge run. Delete {place}, reset the tables that were made from it (lakehouse.reset), and start it again.",
                )
        state[partition] = Held(files[-1][1], files[-1][2])
    return state


class Folder:
    """A folder on this computer. A file is written under another name and then renamed: Spark sees all of it or nothing."""

    def __init__(self, root: str):
        self.root = Path(root).expanduser() / "landing"
        self.locks: list = []

    def place(self, topic: str) -> str:
        return str(self.root / topic)

    def names(self, topic: str) -> list:
        folder = self.root / topic
        folder.mkdir(parents=True, exist_ok=True)
        self._lock(folder)
        found = os.listdir(folder)
        for name in found:
            if HALF_WRITTEN.fullmatch(name):
                (folder / name).unlink()
        return found

    def put(self, topic: str, name: str, data: bytes) -> None:
        target = self.root / topic / name
        new = target.with_name(name if name.startswith("_") else "_" + name.replace(".ndjson", ".new"))
        with open(new, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        if new != target:
            os.replace(new, target)

    def last_line(self, topic: str, name: str) -> bytes:
        file = self.root / topic / name
        with open(file, "rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - TAIL_BYTES))
            return last_line(source.read(), size <= TAIL_BYTES) or last_line(file.read_bytes(), True)

    def _lock(self, folder: Path) -> None:
        """The system lets go of it when this process ends, however that happens."""
        opened = open(folder / LOCK, "ab")  # noqa: SIM115  (it stays open)
        self.locks.append(opened)
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise HttpError(
                f"Another bridge writes to {clean(str(folder))} already.", "One is enough: let it run, or end it first."
            ) from None
        except OSError:
            pass  # a file system without locks
