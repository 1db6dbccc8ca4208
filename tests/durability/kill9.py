"""kill -9 at random moments under load, then a full read: what was acknowledged is there, once and in order.

    kill9.py --binary target/release/headwater [--rounds 20] [--seed N]

Two idempotent producers own two partitions each, a plain acks=all producer writes beside them and a group reads and
commits. All of them live through every kill. Each round starts the broker again on the same folder.
"""

import argparse
import os
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

from broker import OwnBroker
from environments import Missing, prepare
from table import CLIENTS

LIBRARY = "confluent-2.16.1"
TOPIC, PLAIN, GROUP = "ledger", "plain", "ledger-readers"


def with_library():
    """Runs this program again by the Python that has confluent-kafka."""
    command = prepare([client for client in CLIENTS if client.name == LIBRARY])[LIBRARY]
    if isinstance(command, Missing):
        print(f"{LIBRARY}: {command}")
        print("0 passed, 1 failed" if os.environ.get("CI") else "0 passed, 0 failed, 1 skipped")
        sys.exit(1 if os.environ.get("CI") else 0)
    os.execv(command[0], [command[0], *sys.argv])


class Rounds:
    """The kills, and what was seen at each."""

    def __init__(self, broker, load, dice):
        self.broker, self.load, self.dice = broker, load, dice
        self.unacknowledged, self.unheard, self.starts, self.killed_starting = [], [], [], 0
        self.problems = []

    def run(self, count):
        """`count` kills, or fewer if the load does not get going again."""
        while len(self.starts) < count and self.load.flows_again():
            self.one()

    def one(self):
        time.sleep(self.dice.uniform(0.0, 1.5))
        unacknowledged, acknowledged_ends, commits = self.load.kill(self.broker)
        self.unacknowledged.append(unacknowledged)
        self.unheard.append(self.load.on_disk(self.broker.folder) > sum(acknowledged_ends.values()))
        if self.dice.random() < 0.25:  # and once more while it recovers
            self.broker.launch()
            time.sleep(self.dice.uniform(0.0, 0.1))
            self.broker.kill()
            self.killed_starting += 1
        self.starts.append(self.broker.start())
        self.look(acknowledged_ends, commits)

    def look(self, acknowledged_ends, commits):
        committed = self.load.committed()
        ends = self.load.ends(TOPIC)
        for partition, end in ends.items():
            if end < acknowledged_ends[partition]:
                self.problems.append(f"round {len(self.starts)}: partition {partition} ends at {end}, acknowledged was {acknowledged_ends[partition]}")
            if not commits.get(partition, -1) <= committed.get(partition, -1) <= end:
                self.problems.append(
                    f"round {len(self.starts)}: partition {partition} is committed at {committed.get(partition)}, "
                    f"{commits.get(partition)} was acknowledged, the end is {end}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    try:
        from load import Load
    except ImportError:
        with_library()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"kill -9: {arguments.rounds} rounds, seed {seed}", flush=True)
    begin = time.monotonic()
    broker = OwnBroker(arguments.binary)
    checks, failed = {}, True
    try:
        load = Load(broker.address, TOPIC, PLAIN, GROUP)
        rounds = Rounds(broker, load, random.Random(seed))
        rounds.run(arguments.rounds)
        load.stop()
        checks = {"all rounds were run": "" if len(rounds.starts) == arguments.rounds else f"only {len(rounds.starts)}", **verdicts(rounds, load, broker)}
        failed = any(checks.values())
    finally:
        broker.close(keep=failed)
    report(rounds, load, checks)
    print(f"{time.monotonic() - begin:.0f} s")
    bad = sum(bool(problem) for problem in checks.values())
    print(f"{len(checks) - bad} passed, {bad} failed")
    return 1 if bad else 0


def verdicts(rounds, load, broker):
    """Each check by name, with what is wrong or nothing."""
    found = load.compare(load.read(TOPIC), load.read(PLAIN))
    half = len(rounds.starts) / 2
    return {
        **found,
        "no commit went back or beyond the end": "; ".join(rounds.problems[:3]),
        "the group read every record": load.unread(),
        "most kills met unacknowledged records": "" if sum(map(bool, rounds.unacknowledged)) >= half else f"only {sum(map(bool, rounds.unacknowledged))}",
        "the producers never gave up": "; ".join(load.errors[:3]),
        "the broker ended only when killed": broker.problem() or "",
    }


def report(rounds, load, checks):
    for name, problem in checks.items():
        print(f"  {'FAIL' if problem else 'ok'} {name}{': ' + problem if problem else ''}")
    print(
        f"{load.sent()} records sent and {load.acknowledged()} acknowledged; at the kill {statistics.median(rounds.unacknowledged):.0f} records (median) "
        f"were unacknowledged, in {sum(map(bool, rounds.unacknowledged))} of {len(rounds.starts)} rounds; "
        f"in {sum(rounds.unheard)} the disk held records whose acknowledgement was lost; {rounds.killed_starting} times killed again while starting")
    print(f"ready again after {statistics.median(rounds.starts):.2f} s (median), {max(rounds.starts):.2f} s at most; {load.commits_acknowledged} commits; "
          f"{load.plain_twice} records of the plain producer are there twice, as at least once allows")


if __name__ == "__main__":
    sys.exit(main())
