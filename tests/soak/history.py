"""Histories: real clients work while the broker is hurt, then everything they saw is compared.

    history.py --binary target/release/headwater [--seed N] [--seconds 300] [--faults kill,stop,term,reset,full]

Producers and consumers of three libraries run as processes of their own, through a proxy, and write down what they did.
Faults come one after the other; after each the load has to go on. At the end fresh clients read everything, and `checker.py`
looks for what must never happen. A fault of which no client took notice makes the run fail too: it proves nothing.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from checker import ACKNOWLEDGED, CHECKS, History, violations  # noqa: E402  (the path must be known first)
from environments import Missing, prepare  # noqa: E402
from faults import KINDS, Faults, HurtBroker, Proxy, SmallDisk, can_mount, proxy_address  # noqa: E402
from report import Traffic, describe, proves, verdict  # noqa: E402
from table import CLIENTS  # noqa: E402
from worker import STUCK  # noqa: E402

LIBRARIES = {"confluent": "confluent-2.16.1", "aiokafka": "aiokafka-0.14.0", "kafka_python": "kafka-python-3.0.12"}
PRODUCERS = (("p-confluent-1", "confluent"), ("p-confluent-2", "confluent"), ("p-aiokafka", "aiokafka"), ("p-kafka-python", "kafka_python"),
             ("p-plain", "confluent"))
# By group; without one they are assigned all partitions.
CONSUMERS = (("a-confluent", "confluent", None), ("a-aiokafka", "aiokafka", None), ("g-confluent-1", "confluent", "mixed"),
             ("g-aiokafka", "aiokafka", "mixed"), ("g-confluent-2", "confluent", "others"), ("g-kafka-python", "kafka_python", "others"))
FINAL = (("f-confluent", "confluent"), ("f-aiokafka", "aiokafka"), ("f-kafka-python", "kafka_python"))
TOPICS = {
    "ledger": (4, {}),
    "rolling": (2, {"segment.bytes": "1048576"}),
    "flushed": (2, {"flush.messages": "1"}),
}
PLACES = [(topic, partition) for topic, (partitions, _) in TOPICS.items() for partition in range(partitions)]
ENOUGH, PROGRESS_SECONDS = 5, 30
FINAL_SECONDS = 200
# Longer than STUCK_SECONDS of a worker.
END_LIMIT = 150
# librdkafka 2.16.1 was seen to deadlock once in ten thousand reset connections (rd_kafka_toppar_handle_OffsetForLeaderEpoch
# against rd_kafka_broker_fail); its poll() then never returns.
STUCK_ALLOWED = 3
# What must find that acknowledged records were taken away, and their offsets given to others.
CONTROL = {"inconsistent-offsets", "unseen", "high-watermark-back"}


class Client:
    """A worker process, and the figures that it told last."""

    def __init__(self, name, command, folder, before=(0, 0, 0)):
        self.name, self.command, self.before, self.told = name, command, before, before
        self.errors = folder / f"{name}.err"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.listening = threading.Thread(target=self.listen, daemon=True)
        self.listening.start()

    def listen(self):
        for line in self.process.stdout:
            self.told = tuple(before + int(now) for before, now in zip(self.before, line.split()))

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def ended(self, limit):
        """What went wrong, if anything did."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"{self.name} did not end within {limit:.0f} s"
        return f"{self.name} ended with {code}, see {self.errors}" if code not in (0, STUCK) else None


class Run:
    def __init__(self, commands, broker, proxy, folder, seed):
        self.commands, self.broker, self.proxy, self.folder, self.seed = commands, broker, proxy, folder, seed
        self.histories = folder / "histories"
        self.histories.mkdir()
        self.producers, self.consumers, self.others, self.stuck = [], [], [], []
        self.problems, self.slowest, self.slowest_client = [], 0.0, 0.0

    def everyone(self):
        return [*self.producers, *self.consumers, *self.others]

    def client(self, name, library, role, **settings):
        settings = {"seed": self.seed, "address": self.proxy.address, "places": PLACES, **settings}
        command = (self.commands[library], str(HERE / "worker.py"), library, role, name, str(self.histories), json.dumps(settings))
        return Client(name, command, self.folder)

    def start(self, rate):
        settings = {"broker": self.broker.address, "places": PLACES, "groups": sorted({group for _, _, group in CONSUMERS if group})}
        command = (sys.executable, str(HERE / "watcher.py"), "watcher", str(self.histories), json.dumps(settings))
        self.others.append(Client("watcher", command, self.folder))
        for name, library in PRODUCERS:
            kind = {"idempotent": name != "p-plain", "oversized": name == "p-plain"}
            self.producers.append(self.client(name, library, "producer", **kind, life=(20, 60), bursts_a_second=rate))
        for name, library, group in CONSUMERS:
            self.consumers.append(self.client(name, library, "consumer", group=group, life=(30, 90)))

    def totals(self):
        return sum(client.told[0] for client in self.producers), sum(client.told[1] for client in self.consumers)

    def flows(self, limit):
        """Waits until more than a few records were acknowledged and read from now on; false if they were not."""
        begin, (acknowledged, polled) = time.monotonic(), self.totals()
        while time.monotonic() < begin + limit:
            now = self.totals()
            if now[0] > acknowledged + ENOUGH and now[1] > polled + ENOUGH:
                self.slowest = max(self.slowest, time.monotonic() - begin)
                return True
            time.sleep(0.02)
        return False

    def everyone_goes_on(self, limit):
        """The same for each client by itself, after the last fault."""
        begin = time.monotonic()
        before = {client: client.told for client in (*self.producers, *self.consumers)}
        waiting = set(before)
        while waiting and time.monotonic() < begin + limit:
            self.replace_stuck()
            waiting = {client for client in waiting & {*self.producers, *self.consumers}
                       if max(client.told[i] - before[client][i] for i in (0, 1)) <= ENOUGH}
            time.sleep(0.02)
        self.slowest_client = time.monotonic() - begin
        if waiting:
            names = ", ".join(sorted(client.name for client in waiting))
            self.problems.append(f"after the last fault nothing came of {names} for {limit} s")

    def hurt(self, faults, kinds, seconds, pause):
        """One fault after the other, each kind as often."""
        end, bag = time.monotonic() + seconds, []
        while time.monotonic() < end and not self.problems:
            bag = bag or faults.dice.sample(kinds, len(kinds))
            faults.one(bag.pop())
            with (self.folder / "faults").open("a") as noted:
                print(*faults.done[-1], file=noted)
            if not self.flows(PROGRESS_SECONDS):
                self.problems.append(f"{PROGRESS_SECONDS} s after {faults.done[-1].kind} not {ENOUGH} more acknowledged and read")
            self.replace_stuck()
            ended = [client for client in self.everyone() if client.process.poll() is not None]
            self.problems += [f"{client.name} ended by itself, see {client.errors}" for client in ended]
            time.sleep(faults.dice.uniform(min(0.3, pause), pause))

    def replace_stuck(self):
        """A library that deadlocked in itself is no fault of the broker; another client goes on in its stead."""
        for clients in (self.producers, self.consumers):
            for at, client in enumerate(clients):
                if client.process.poll() == STUCK:
                    self.stuck.append(client.name)
                    clients[at] = Client(f"{client.name}-again", self.renamed(client), self.folder, client.told)

    @staticmethod
    def renamed(client):
        return tuple(f"{client.name}-again" if part == client.name else part for part in client.command)

    def stop(self, clients):
        for client in clients:
            client.stop()
        self.problems += filter(None, [client.ended(END_LIMIT) for client in clients])
        self.stuck += [client.name for client in clients if client.process.returncode == STUCK]

    def final(self, goals):
        settings = {"group": None, "goals": goals, "seconds": FINAL_SECONDS}
        readers = [self.client(name, library, "final", **settings) for name, library in FINAL]
        self.others += readers
        self.problems += filter(None, [reader.ended(FINAL_SECONDS + 30) for reader in readers])

    def end(self):
        """Whatever still runs."""
        for client in self.everyone():
            if client.process.poll() is None:
                client.process.kill()
                client.process.wait()


def with_library():
    """The Python of each library; this program is run again by that of confluent-kafka if this one lacks it."""
    commands = prepare([client for client in CLIENTS if client.name in LIBRARIES.values()])
    missing = [f"{name}: {command}" for name, command in commands.items() if isinstance(command, Missing)]
    if missing:
        print("\n".join(missing))
        print("0 passed, 1 failed" if os.environ.get("CI") else "0 passed, 0 failed, 1 skipped")
        sys.exit(1 if os.environ.get("CI") else 0)
    pythons = {library: commands[name][0] for library, name in LIBRARIES.items()}
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        os.execv(pythons["confluent"], [pythons["confluent"], *sys.argv])
    return pythons


def make_topics(address):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    common = {"max.message.bytes": "200000", "retention.ms": "-1"}
    topics = [NewTopic(name, count, 1, config={**common, **config}) for name, (count, config) in TOPICS.items()]
    for future in admin.create_topics(topics).values():
        future.result(20)


def goals(history):
    """The offset after the last acknowledged or read one of each place."""
    return [(place, max(history.known[f"{place[0]}/{place[1]}"], default=-1) + 1) for place in PLACES]


def play(run, faults, kinds, arguments):
    """The whole run up to the final phase. Returns the history."""
    run.start(arguments.rate)
    if not run.flows(60):
        run.problems.append("nothing was acknowledged or read in the first minute")
        return History.read(run.histories)
    time.sleep(3)
    run.slowest = 0.0
    run.hurt(faults, kinds, arguments.seconds, arguments.pause)
    run.everyone_goes_on(END_LIMIT)
    run.stop(run.producers)
    time.sleep(3)
    run.stop(run.consumers)
    if "kill" in kinds:  # what is read now was not kept in memory
        faults.broker.kill()
        faults.start()
    run.final(goals(History.read(run.histories)))
    time.sleep(0.5)
    run.stop(run.others[:1])
    return History.read(run.histories)


def choose(wanted):
    kinds = [kind for kind in wanted.split(",") if kind]
    unknown = set(kinds) - KINDS.keys()
    if unknown or not kinds:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    return kinds


def judge(run, faults, kinds, history):
    """Prints all verdicts. Returns how many hold and how many do not."""
    traffic = Traffic(history)
    met = Counter(fault.kind for fault in faults.done if traffic.met(fault))
    describe(history, faults.done, met)
    print(f"slowest progress after a fault: {run.slowest:.1f} s, of a single client after the last one: {run.slowest_client:.1f} s; "
          f"slowest start: {faults.slowest_start:.2f} s; {run.proxy.count} connections reset by the proxy; "
          f"stuck in their own library: {', '.join(run.stuck) or 'none'}")
    found = violations(history)
    print("violations: " + ", ".join(f"{name} {len(sentences)}" for name, sentences in found.items()))
    verdicts = {check.name: "; ".join(found[check.name][:3]) for check in CHECKS}
    verdicts["something was acknowledged"] = "" if any(True for _ in history.sent(ACKNOWLEDGED)) else "nothing"
    verdicts.update(proves(kinds, faults.done, met))
    verdicts["few clients got stuck in themselves"] = "" if len(run.stuck) <= STUCK_ALLOWED else ", ".join(run.stuck)
    verdicts["the load went on after each fault"] = "; ".join(run.problems)
    verdicts["the broker ended only when told to"] = "; ".join(filter(None, [*faults.problems, faults.broker.problem()]))
    failed = sum(verdict(name, problem) for name, problem in verdicts.items())
    return len(verdicts) - failed, failed


def controlled(history):
    """Records were taken away, so the checks that are for this have to say so."""
    found = {name for name, sentences in violations(history).items() if sentences}
    missed = CONTROL - found
    verdict("the loss was found", f"not by {', '.join(sorted(missed))}" if missed else "")
    return (0, 1) if missed else (1, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=int, default=300, help="how long faults are done")
    parser.add_argument("--faults", default=",".join(KINDS), help="; ".join(f"{kind}: {what}" for kind, what in KINDS.items()))
    parser.add_argument("--rate", type=float, default=12, help="bursts a second of each producer, a burst being 8 records on average")
    parser.add_argument("--pause", type=float, default=4, help="seconds between two faults, at most")
    parser.add_argument("--control", action="store_true",
                        help="with each kill, cut off the newest records of a partition: a run that finds nothing wrong then fails")
    parser.add_argument("--keep", action="store_true", help="keep the histories of a run that passed, too")
    arguments = parser.parse_args()
    kinds, pythons = choose(arguments.faults), with_library()
    skipped = 0
    if "full" in kinds and not can_mount():
        print("full: left out, because this user cannot mount a file system")
        kinds.remove("full")
        skipped = 1
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"histories: seed {seed}, {arguments.seconds} s, faults {', '.join(kinds)}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="headwater-history-"))
    begin, passed, failed = time.monotonic(), 0, 1
    disk = broker = proxy = run = None
    try:
        disk = SmallDisk(folder) if "full" in kinds else None
        address = proxy_address()
        broker = HurtBroker(arguments.binary, folder, (disk.path if disk else folder) / "data", address)
        proxy = Proxy(address, broker.address, seed)
        make_topics(address)
        run = Run(pythons, broker, proxy, folder, seed)
        faults = Faults(broker, proxy, disk, random.Random(seed), arguments.control)
        history = play(run, faults, kinds, arguments)
        passed, failed = judge(run, faults, kinds, history)
        if arguments.control:
            passed, failed = controlled(history)
    finally:
        for part in (run, proxy, broker, disk):
            if part:
                part.end()
        if failed or arguments.keep:
            print(f"the histories, the broker's log and its data are kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    failed += skipped if os.environ.get("CI") else 0
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped and not os.environ.get("CI") else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
