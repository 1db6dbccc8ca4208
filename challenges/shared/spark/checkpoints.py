"""What a streaming query's checkpoint says: how far each source was read, and where the watermark stood."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path


def offsets_read(folder: Path) -> dict[str, dict[int, tuple[int, int]]]:
    """What the query has read: by topic and partition the first offset, and the one after the last."""
    read: dict = {}
    for number, line in enumerate(_last_batch(folder)[2:]):
        end = json.loads(line) if line.startswith("{") else {}
        if "logOffset" in end:
            _from_files(folder / "sources" / str(number), end["logOffset"], read)
            continue
        starts = json.loads("{" + (folder / "sources" / str(number) / "0").read_text(encoding="utf-8").partition("{")[2])
        for topic, partitions in end.items():
            for partition, offset in partitions.items():
                # A partition that was added later was read from its first record on.
                read.setdefault(topic, {})[int(partition)] = (starts.get(topic, {}).get(partition, 0), offset)
    return read


def watermark(folder: Path) -> str | None:
    """The watermark that the query's last batch began with. None: it has none."""
    millis = json.loads((_last_batch(folder) or ["", "{}"])[1]).get("batchWatermarkMs")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(millis // 1000)) if millis else None


def _last_batch(folder: Path) -> list[str]:
    """What is noted of the last batch that is done: a version, the batch, and for each source where it ends."""
    commits = [int(file.name) for file in (folder / "commits").glob("*") if file.name.isdigit()] if folder.is_dir() else []
    return (folder / "offsets" / str(max(commits))).read_text(encoding="utf-8").splitlines() if commits else []


def _from_files(folder: Path, last: int, read: dict) -> None:
    """The bridge writes into a file's name what is in it."""
    for log in folder.glob("*"):
        number = log.name.removesuffix(".compact")
        if not number.isdigit() or int(number) > last:
            continue
        for topic, partition, start, end in re.findall(r"/([^/\"]+)/p(\d+)-(\d+)-(\d+)\.ndjson", log.read_text(encoding="utf-8")):
            ranges, partition = read.setdefault(topic, {}), int(partition)
            low, high = ranges.get(partition, (int(start), int(end)))
            ranges[partition] = (min(low, int(start)), max(high, int(end)))
