"""The power is cut under a running broker, again and again: what each durability level promises is there afterwards.

    power_cut.py --binary target/release/headwater [--cuts 200] [--seed N] [--inner ext4,xfs,btrfs] [--levels D0,D1,D2]
                 [--folder DIR] [--keep DIR]

The data folder is on a file system of its own, on a loop device whose image lies in an XFS file system. A reflink copy of the
image is all that the device had at one moment. The copy is mounted (its journal is replayed), the broker starts on it as after
another boot, everything is read back and compared with what the producers were told; then the load goes on, to the next cut.

D0 never flushes and has to lose acknowledged records, or the cuts prove nothing; D1, the default, loses the last moment only; D2
loses nothing. Each level gets `--cuts` on the first file system and a fifth of that on each other. Root is needed.
"""

import argparse
import ctypes
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import power_disks
from power_load import Connection, Load, Refused, payload, read_back

NEVER = "9223372036854775807"
# The worst age of a lost acknowledgement of D1: what is promised, and from where on the rig fails, whatever the machine.
D1_PROMISED_SECONDS, D1_FAILED_SECONDS = 0.150, 1.5
CUTS_ON_A_DISK, TELL_EVERY = 10, 20
PARTITIONS = (4, 24, 48)  # more than 32 files are flushed by one syncfs
WAYS = ("running",) * 7 + ("starting", "starting", "stopping")
PR_SET_PDEATHSIG = 1
FLAGS = ("--listen", "127.0.0.1:0", "--http", "off", "--generators", "off", "--read-only-after", "0", "--ballast-mib", "1",
         "--disk-floor-mib", "16", "--set", "log.segment.bytes=1048576")


class Arm(NamedTuple):
    level: str
    # Of the broker, or of the topic alone: then commits are as by default.
    flags: tuple
    configs: dict


ARMS = {
    "D0": (Arm("D0", ("--set", f"log.flush.interval.ms={NEVER}"), {}), Arm("D0", (), {"flush.ms": NEVER})),
    "D1": (Arm("D1", (), {}),),
    "D2": (Arm("D2", ("--set", "log.flush.interval.messages=1"), {}), Arm("D2", (), {"flush.messages": "1"})),
}


class Broker:
    def __init__(self, binary, disk, flags, log):
        self.binary, self.disk, self.flags, self.log, self.process, self.address = binary, disk, flags, log, None, None

    @property
    def data(self):
        return self.disk.at / "data"

    def launch(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *FLAGS, *self.flags, "--data-dir", str(self.data)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent)

    def start(self):
        """Seconds from exec to the first answer."""
        begin = time.monotonic()
        self.launch()
        for line in self.process.stdout:
            found = re.search(r"Kafka clients\s+([\d.]+):(\d+)", line)
            if found:
                self.address = (found[1], int(found[2]))
                with Connection(self.address) as connection:
                    connection.epochs()
                return time.monotonic() - begin
        raise Refused(f"the broker ended with {self.process.wait()}: {self.log.read_text()[-1500:]}")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def alarms(self):
        """Files that tell of damage, and errors in the log."""
        names = [str(path.relative_to(self.data)) for path in self.data.rglob("*")
                 if path.name.endswith((".quarantine", ".unknown")) or path.name == "damaged-ranges"]
        return names + [line for line in self.log.read_text().splitlines() if re.search(r"\bERROR\b|panicked", line)]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cut(NamedTuple):
    """One cut and the start after it."""

    way: str
    acknowledged: int
    lost: int
    # Age of the oldest lost acknowledgement when the copy was begun, and when it was made.
    oldest: tuple
    commits_lost: int
    snapshot: float
    start: float
    problems: list
    # Offsets in the middle that are reported as damaged: a segment was written back before the end of the one before it.
    holes: int
    # How long a sync of the disk below took meanwhile, without the broker: what the machine makes of the figures above.
    syncs: list


class Lineage:
    """One disk from its making over some cuts: each time, what was left is what the next run begins with."""

    def __init__(self, binary, outer, kind, arm, dice):
        self.arm, self.dice, self.outer = arm, dice, outer
        self.partitions = dice.choice(PARTITIONS)
        self.disk = outer.disk(kind)
        self.broker = Broker(binary, self.disk, arm.flags, outer.folder / f"{self.disk.at.name}.log")
        self.load = Load(self.partitions, dice.random())
        # What was there after the last cut, value by value; commits; leader epochs.
        self.survived = {partition: {} for partition in range(self.partitions)}
        self.committed = dict.fromkeys(range(self.partitions), -1)
        self.epochs = {}

    def begin(self):
        self.broker.start()
        with Connection(self.broker.address) as connection:
            connection.create_topic(self.partitions, self.arm.configs)
            self.epochs = connection.epochs()

    def end(self):
        self.load.stop()
        self.broker.kill()
        self.outer.discard(self.disk)

    def one(self):
        """Load, a cut, the start after it, and what is wrong then."""
        way = self.dice.choice(WAYS)
        nudged = self.broker.data if self.dice.random() < 0.3 else None
        self.load.start(self.broker.address, nudged, self.outer.at / "probe")
        time.sleep(self.dice.uniform(0.05, 1.0))
        if way == "stopping":
            self.load.ending.set()  # the connections break
            self.broker.process.send_signal(signal.SIGTERM)
            time.sleep(self.dice.uniform(0, 0.1))
        stopped = self.broker.process.poll() == 0
        copy, begun, ended = self.disk.cut()
        self.load.stop()
        self.broker.kill()
        self.reboot(copy)
        if way == "starting":
            self.broker.launch()
            time.sleep(self.dice.uniform(0, 0.06))
            copy, _, _ = self.disk.cut()
            self.broker.kill()
            self.reboot(copy)
        seconds = self.broker.start()
        with Connection(self.broker.address) as connection:
            lost, oldest, commits_lost, holes, problems = self.judge(connection, begun, ended, stopped)
        acknowledged = sum(each.count for each in self.load.acknowledged if each.at <= begun)
        alarms = self.broker.alarms()
        # What was written back out of order, and nobody was promised, may be missing before what is there, if it is said.
        excused = holes and nudged and alarms
        if holes and not excused:
            problems.append(f"{holes} offsets are missing before the end")
        problems += self.load.problems + ([] if excused else alarms)
        self.load.problems = []
        way = "stopped" if stopped else way
        return Cut(way, acknowledged, lost, oldest, commits_lost, ended - begun, seconds, problems, holes, self.load.syncs)

    def reboot(self, copy):
        self.outer.boots.another()
        self.disk.restore(copy)

    def judge(self, connection, begun, ended, stopped):
        epochs = connection.epochs()
        if len(epochs) != self.partitions:
            raise Refused(f"of the topic's {self.partitions} partitions {len(epochs)} are there")
        ends, values, holes, problems = {}, {}, 0, []
        for partition in range(self.partitions):
            found, ends[partition] = read_back(connection, partition)
            values[partition] = {offset: value for offset, _, value in found}
            holes += ends[partition] - len(found)
            problems += self.look(partition, found, ends[partition])
            if not stopped and self.survived[partition] and epochs[partition] <= self.epochs[partition]:
                problems.append(f"partition {partition}: the leader epoch is {epochs[partition]}, before the cut {self.epochs[partition]}")
        lost, at = self.compare(values, begun, problems)
        if lost and (self.arm.level == "D2" or stopped):
            problems.append(f"{lost} acknowledged records lost, the oldest {begun - at:.3f} s before the cut")
        commits_lost = self.look_at_commits(connection.committed(self.partitions), ends, begun, problems)
        self.survived, self.epochs = values, epochs
        return lost, ((begun - at, ended - at) if lost else (0.0, 0.0)), commits_lost, holes, problems

    def look(self, partition, found, end):
        """What is served is what was sent, once, in order; what survived an earlier cut is as it was."""
        problems, before = [], self.survived[partition]
        offsets = [offset for offset, _, _ in found]
        if any(one >= next_one for one, next_one in zip(offsets, offsets[1:])) or (offsets and offsets[-1] >= end):
            problems.append(f"partition {partition} has an offset twice, or one beyond its end {end}")
        of_batches = [epoch for _, epoch, _ in found]
        if of_batches != sorted(of_batches):
            problems.append(f"partition {partition}: the leader epochs of its batches go back")
        values = [value for _, _, value in found]
        if values[:len(before)] != list(before.values()):
            problems.append(f"partition {partition} had {len(before)} records after an earlier cut, which are not there any more")
        if len(set(values)) != len(values):
            problems.append(f"partition {partition} has a record twice")
        for value in values[len(before):]:
            if not self.was_sent(partition, value):
                problems.append(f"partition {partition} serves what nobody sent to it: {value[:60]!r}")
                break
        return problems

    def was_sent(self, partition, value):
        named = re.match(rb"(\d+)/(\d+)/(\d+)/", value)
        if not named:
            return False
        _, producer, sequence = map(int, named.groups())
        sent = self.load.sent[producer]
        return sequence < len(sent) and sent[sequence] == partition and value == payload(partition, producer, sequence)

    def compare(self, values, begun, problems):
        """How many acknowledged records are gone, and when the oldest of them was acknowledged. Those of the moment of the cut may be."""
        lost, oldest = 0, begun
        for each in self.load.acknowledged:
            told = {each.offset + n: payload(each.partition, each.producer, each.sequence + n) for n in range(each.count)}
            there = {offset: values[each.partition][offset] for offset in told if offset in values[each.partition]}
            if any(told[offset] != value for offset, value in there.items()):
                problems.append(f"partition {each.partition}: {shown(there)} is there, {shown(told)} was acknowledged")
            if len(there) < each.count and each.at <= begun:
                lost += each.count - len(there)
                oldest = min(oldest, each.at)
        return lost, oldest

    def look_at_commits(self, committed, ends, begun, problems):
        """A commit is one that was made, is not beyond the end, and goes back only as far as the level allows."""
        lost = 0
        for partition, offset in committed.items():
            before, end = self.committed[partition], ends[partition]
            promised = [made for at, where, made in self.load.commits if where == partition and at <= begun]
            possible = {before, end} | {made for where, made in self.load.commits_sent if where == partition}
            if offset > end or offset not in possible:
                problems.append(f"partition {partition} is committed at {offset}, ends at {end} and was committed at {before}")
            # An end that went back takes the commit with it.
            if offset < min(before, end):
                problems.append(f"partition {partition}: the commit at {before} outlived an earlier cut, and now it is at {offset}")
            gone = [made for made in promised if offset < min(made, end)]
            lost += len(gone)
            if gone and self.arm.level == "D2" and self.arm.flags:
                problems.append(f"partition {partition}: commit of {max(gone)} lost, {offset} is there")
        self.committed = committed
        return lost


def shown(values):
    return " ".join(f"{offset}: {value.rstrip(b'.').decode(errors='replace')}" for offset, value in values.items())


class Run:
    """All cuts of one level on one file system."""

    def __init__(self, level, kind, count, dice, keep):
        self.level, self.kind, self.count, self.dice, self.keep, self.cuts, self.problems = level, kind, count, dice, keep, [], []

    def __str__(self):
        return f"{self.kind:5} {self.level}"

    def go(self, binary, outer):
        lineages = 0
        while len(self.cuts) < self.count and len(self.problems) < 5:
            lineage = Lineage(binary, outer, self.kind, ARMS[self.level][lineages % len(ARMS[self.level])], self.dice)
            lineages += 1
            try:
                self.on_one_disk(lineage)
            except (Refused, OSError) as error:
                self.note(lineage, [f"cut {len(self.cuts) + 1}: {error!r}"])
            finally:
                lineage.end()

    def on_one_disk(self, lineage):
        lineage.begin()
        for _ in range(min(CUTS_ON_A_DISK, self.count - len(self.cuts))):
            cut = lineage.one()
            self.cuts.append(cut)
            if len(self.cuts) % TELL_EVERY == 0:
                print(self.line(), flush=True)
            if cut.problems:
                self.note(lineage, [f"cut {len(self.cuts)} ({cut.way}): {problem}" for problem in cut.problems])
            if cut.problems or cut.holes:
                return

    def note(self, lineage, problems):
        """The data folder as it is now is kept for whoever wants to look."""
        self.problems += problems
        for problem in problems[:5]:
            print(f"  PROBLEM {self}, {lineage.partitions} partitions, {lineage.arm.flags or lineage.arm.configs}: {problem}", flush=True)
        if self.keep:
            place = self.keep / f"{self.kind}-{self.level}-{len(self.cuts)}"
            shutil.copytree(lineage.broker.data, place, dirs_exist_ok=True)
            shutil.copy(lineage.broker.log, place / "broker.log")

    def total(self, field):
        return sum(getattr(cut, field) for cut in self.cuts)

    def oldest(self):
        return max((cut.oldest for cut in self.cuts), default=(0.0, 0.0))

    def line(self):
        starts = [cut.start for cut in self.cuts] or [0.0]
        age = f", the oldest {self.oldest()[0] * 1000:.0f} ms before the cut" if self.total("lost") else ""
        return (f"{self}  {len(self.cuts):4} cuts  {self.total('acknowledged'):7} acknowledged, {self.total('lost'):7} lost{age}; "
                f"start {statistics.median(starts) * 1000:.0f} ms, worst {max(starts) * 1000:.0f} ms")


def verdicts(runs):
    """Each check by name, with what is wrong or nothing."""
    checks = {}
    for run in runs:
        name = str(run).replace("  ", " ")
        missing = "" if len(run.cuts) == run.count else f"only {len(run.cuts)} cuts"
        checks[f"{name}: every cut is sound"] = "; ".join(run.problems[:2]) or missing
        lost = run.total("lost")
        if run.level == "D0":
            checks[f"{name}: loses acknowledged records"] = "" if lost else "none: the cuts prove nothing"
        elif run.level == "D1":
            worst = run.oldest()[0]
            checks[f"{name}: loses the last moment only"] = "" if worst <= D1_FAILED_SECONDS else f"{worst:.3f} s"
        else:
            checks[f"{name}: loses nothing"] = f"{lost} records" if lost else ""
    return checks


def report(runs, seconds, seed):
    cuts = [cut for run in runs for cut in run.cuts]
    starts = [cut.start for cut in cuts] or [0.0]
    ways = {way: sum(cut.way == way for cut in cuts) for way in ("running", "starting", "stopping", "stopped")}
    print(f"\n{len(cuts)} cuts in {seconds:.0f} s: {ways['running']} under load, {ways['starting']} again in the start after it, "
          f"{ways['stopping']} while stopping, {ways['stopped']} just after a clean stop; seed {seed}")
    for run in runs:
        print(f"{run.line()}; commits lost {run.total('commits_lost')}")
    worst = max((run.oldest() for run in runs if run.level == "D1"), default=(0.0, 0.0))
    in_time = "within" if worst[0] <= D1_PROMISED_SECONDS else "over"
    syncs = [sync for run in runs if run.level == "D1" for cut in run.cuts for sync in cut.syncs] or [0.0]
    print(f"D1: the oldest lost acknowledgement was {worst[0] * 1000:.0f} ms old when the cut began, {worst[1] * 1000:.0f} ms when it was "
          f"made: {in_time} {D1_PROMISED_SECONDS * 1000:.0f} ms")
    print(f"meanwhile a sync of 4 KiB beside the broker took {statistics.median(syncs) * 1000:.0f} ms (median), "
          f"{max(syncs) * 1000:.0f} ms (worst)")
    print(f"start after a cut: median {statistics.median(starts) * 1000:.0f} ms, worst {max(starts) * 1000:.0f} ms; "
          f"a cut took {statistics.median([cut.snapshot for cut in cuts] or [0]) * 1000:.1f} ms (median)")
    print(f"{sum(cut.holes > 0 for cut in cuts)} times the disk had a segment, not the end of the one before, and the broker said so")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--inner", default="ext4,xfs,btrfs")
    parser.add_argument("--levels", default="D0,D1,D2")
    parser.add_argument("--folder", type=Path, default=None, help="where the images lie")
    parser.add_argument("--keep", type=Path, default=None, help="where the data folders of failed cuts are copied to")
    arguments = parser.parse_args()
    kinds, levels = arguments.inner.split(","), arguments.levels.split(",")
    nothing, absent = power_disks.missing(kinds)
    if nothing:
        print(f"power cuts: {nothing}\n0 passed, 0 failed, {len(kinds)} skipped")
        return 0
    power_disks.own_mounts()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.setswitchinterval(0.001)  # a thread that notes an acknowledgement is not to wait for the others
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    counts = {kind: arguments.cuts if n == 0 else max(1, arguments.cuts // 5) for n, kind in enumerate(kinds)}
    print(f"power cuts: {', '.join(f'{count} for each level on {kind}' for kind, count in counts.items())}; seed {seed}", flush=True)
    for kind in absent:
        print(f"{kind}: left out, there is no {power_disks.MKFS[kind][0]}")
    begin = time.monotonic()
    runs = [Run(level, kind, count, random.Random(f"{seed}/{kind}/{level}"), arguments.keep)
            for kind, count in counts.items() if kind not in absent for level in levels]
    with power_disks.Outer(arguments.folder) as outer:
        for run in runs:
            run.go(arguments.binary.resolve(), outer)
    report(runs, time.monotonic() - begin, seed)
    checks = verdicts(runs)
    for name, problem in checks.items():
        print(f"  {'FAIL' if problem else 'ok'} {name}{': ' + problem if problem else ''}")
    failed = sum(bool(problem) for problem in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed, {len(absent)} skipped")
    return 1 if failed or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
