"""The table, the ratios and the goals as Markdown."""

import os
import platform
from pathlib import Path
from statistics import median

from goals import GOALS, REQUIRED
from rows import ROWS

LABELS = dict(ROWS)
PAGE = """# Benchmarks

```sh checked
make bench            # five rounds, medians; about half an hour
make bench QUICK=1    # one short round, to see that everything works
```

One client measures every broker over its socket: a Go program for raw requests, waits and memory (`benches/peers/client`), and librdkafka
2.16.1 from C (`benches/peers/librdkafka.c`). Each broker gets a fresh process and an empty folder in every round, and the rounds rotate their
order. CPU is the broker's own user and system time, read from its process clock; memory is its resident set, mapped pages included.
Client and broker share the machine, so **compare inside a run, never between two**.

- Apache Kafka: one KRaft node, 1 GB heap, G1, its settings as shipped. It runs every path before it is measured, after its start, its
  idle memory and its threads are.
- kfake: the broker for tests of franz-go, in memory and with a data folder. noida-db: one binary that speaks several protocols.
- ceiling: librdkafka against its own mock cluster, which keeps next to nothing. A broker close to it is no longer what limits.
- client cores: what the client itself used. Near 1 on one connection, the client is what limits.
- `end to end`: from the write of a record until a reader that was waiting has it. `kill -9`: from exec until the last record
  acknowledged before is read back; killed at once after the last acknowledgement.
- `flush.messages=1`: acknowledgements wait for the disk. Beside it appends of the same size with one fdatasync each, before and after.
- A dash: not measured, or the broker cannot do it.

Machine: {machine}. {rounds}.

{table}

## Goals

Headwater's value divided by the other's. Goals in bold are required.

{goals}
"""


def medians(rounds):
    """One value for each row, of all rounds that have it."""
    keys = {key for values in rounds for key in values}
    return {key: median(values[key] for values in rounds if key in values) for key in keys}


def number(value):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def aligned(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def table(values, titles):
    """`values`: peer to row to value."""
    rows = [["", *titles.values()]]
    for key, label in ROWS:
        cells = [values[peer].get(key) for peer in titles]
        if any(cell is not None for cell in cells):
            rows.append([label, *map(number, cells)])
    return aligned(rows)


SHORT = {text: text.removesuffix(", p50, us") for _, text in ROWS if text.endswith(", p50, us")}
SHORT |= {text: text.removesuffix(" p50, us") for _, text in ROWS if text.endswith("acks p50, us")}


def label(key):
    """A row's label, with that of the row above from which it goes on."""
    own, begun = LABELS[key], ""
    for other, text in ROWS:
        begun = begun if text.startswith("...") else text
        if other == key:
            break
    return own.replace("...", f"{SHORT.get(begun, begun.rpartition(',')[0])}:") if own.startswith("...") else own


def goals(values, titles):
    rows = [["#", "row", "than", "goal", "reached", ""]]
    for goal in GOALS:
        reached = goal.judge(values)
        mark = f"**{goal.number}**" if goal.number in REQUIRED else str(goal.number)
        other = titles.get(goal.of) or (label(goal.of) if goal.of in LABELS else "-")
        verdict = "not measured" if reached is None else "met" if goal.met(reached) else "MISSED"
        rows.append([mark, label(goal.row), other, f"{goal.sign} {number(goal.limit)}", number(reached), verdict])
    return aligned(rows)


def missed(values):
    return [goal for goal in GOALS if (reached := goal.judge(values)) is not None and not goal.met(reached)]


def machine(folder):
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = ".".join(platform.release().split(".")[:2])
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {file_system(folder)}, Linux {release}, TCP {congestion}"


def file_system(folder):
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [(point, kind) for point, kind in mounts if Path(folder).resolve().is_relative_to(point)]
    return max(inside, key=lambda mount: len(mount[0]))[1]


def page(values, titles, folder, rounds):
    return PAGE.format(machine=machine(folder), rounds=rounds, table=table(values, titles), goals=goals(values, titles))
