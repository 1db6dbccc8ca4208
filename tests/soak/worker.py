"""One client of the history checker, as a process of its own: `worker.py LIBRARY ROLE NAME FOLDER SETTINGS`.

It works until its standard input is closed, and tells on standard output, a few times a second, how many records it has had
acknowledged, has read, and how often the connection made trouble. Every call of a library is given a time limit; if one does
not come back for long after it, the library is stuck in itself, and the process ends with STUCK.

What it did is in FOLDER/NAME.jsonl, a line for each operation, written when the operation is over; times are nanoseconds of the
machine's monotonic clock:

    send         session, idempotent, invoke, complete, records: [topic/partition, value, ok | fail | info, offset, error] in the order sent
    assign       session, offsets by topic/partition
    subscribe    session, group
    poll         session, group or null, generation before and after, final, invoke, complete, records: [place, first offset, values]
    commit       session, group, status, invoke, complete, offsets
    offset-reset session, detail: the broker said that an offset does not exist
    trouble      at, code
"""

import importlib
import json
import os
import random
import sys
import threading
import time
import zlib
from pathlib import Path

FILLER = random.Random(0).randbytes(1 << 17)
LONGEST_BODY, OVERSIZED = 400, 400_000
OUTSTANDING = 2000
COMMIT_SECONDS = 0.5
FLUSH_SECONDS = 60
TELL_SECONDS = 0.1
STUCK, STUCK_SECONDS = 75, 120


def body(value, length):
    start = zlib.crc32(value) % 65_536
    return (FILLER[start:] + FILLER * (length >> 17))[:length]


def encoded(value, length=None):
    name = value.encode()
    return name + b"|" + body(name, zlib.crc32(name) % LONGEST_BODY if length is None else length)


def decoded(data):
    """The value, if every byte after it is as it was sent."""
    name, _, rest = (data or b"").partition(b"|")
    intact = rest == body(name, len(rest)) and len(rest) in (zlib.crc32(name) % LONGEST_BODY, OVERSIZED)
    return name.decode() if intact else f"damaged {name[:40]!r}"


class Journal:
    """The history file, and the figures that are told. Clients call back from threads of their own."""

    def __init__(self, name, folder):
        self.name, self.lock = name, threading.Lock()
        self.file = (Path(folder) / f"{name}.jsonl").open("w")
        self.acknowledged = self.polled = self.troubles = 0
        self.stopping = threading.Event()
        self.turned, self.before_end = time.monotonic(), lambda: None
        threading.Thread(target=self.tell, daemon=True).start()
        threading.Thread(target=self.listen, daemon=True).start()

    def write(self, op, **fields):
        line = json.dumps({"op": op, "process": self.name, **fields}, separators=(",", ":"))
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()

    def trouble(self, code):
        self.troubles += 1
        self.write("trouble", at=time.monotonic_ns(), code=str(code))

    def turn(self):
        """Called whenever the libraries let us go on."""
        self.turned = time.monotonic()

    def tell(self):
        while True:
            print(self.acknowledged, self.polled, self.troubles, flush=True)
            time.sleep(TELL_SECONDS)
            if time.monotonic() - self.turned > STUCK_SECONDS:
                self.before_end()
                self.trouble("the library is stuck")
                os._exit(STUCK)

    def listen(self):
        sys.stdin.read()
        self.stopping.set()


class Burst:
    """Records that were sent in one go; written once the fate of all is known, or the session ends."""

    def __init__(self, journal, session, idempotent):
        self.journal, self.session, self.idempotent = journal, session, idempotent
        self.invoke, self.records, self.open, self.sealed = time.monotonic_ns(), [], 0, False

    def add(self, place, value):
        self.records.append([place, value, "info", None, "no answer"])
        self.open += 1
        return len(self.records) - 1

    def done(self, index, status, offset, error):
        """Called once for each record."""
        record = self.records[index]
        record[2:] = status, offset if offset is not None and offset >= 0 else None, error
        self.open -= 1
        if status == "ok":
            self.journal.acknowledged += 1
        if self.sealed and not self.open:
            self.write()

    def seal(self):
        self.sealed = True
        if not self.open:
            self.write()

    def write(self):
        if self.records:
            self.journal.write("send", session=self.session, idempotent=self.idempotent, invoke=self.invoke, complete=time.monotonic_ns(),
                               records=self.records)
        self.records = []


class Producer:
    """Sends bursts, by one client object after the other. Keys belong to a session, and a key to a partition."""

    def __init__(self, library, journal, settings, dice):
        self.library, self.journal, self.settings, self.dice = library, journal, settings, dice
        self.lock, self.session, self.number, self.bursts = threading.RLock(), 0, 0, []
        journal.before_end = self.write_open

    def write_open(self):
        """What nobody will hear of any more. Not under the lock: whoever is stuck may have it."""
        for burst in self.bursts:
            burst.write()

    def run(self):
        while not self.journal.stopping.is_set():
            self.session += 1
            self.journal.turn()
            try:
                self.one_session()
            except self.library.ERRORS as error:
                self.journal.trouble(repr(error))
                time.sleep(0.2)

    def one_session(self):
        client = self.library.Producer(self.settings, self.dice, self.journal.trouble)
        end = time.monotonic() + self.dice.uniform(*self.settings["life"])
        try:
            while time.monotonic() < end and not self.journal.stopping.is_set() and not client.failed:
                self.bursts = [burst for burst in self.bursts if burst.records]
                self.burst(client)
                rest = time.monotonic() + self.dice.expovariate(self.settings["bursts_a_second"])
                while time.monotonic() < rest or sum(burst.open for burst in self.bursts) > OUTSTANDING:
                    client.serve(0.005)
                    self.journal.turn()
                    if self.journal.stopping.is_set() or client.failed:
                        break
        finally:
            # A client that goes away without waiting for its answers is a client that crashed.
            crash = self.dice.random() < 0.3 and not self.journal.stopping.is_set()
            client.close(0 if crash else FLUSH_SECONDS)
            self.journal.turn()
            with self.lock:
                self.write_open()
                self.bursts = []

    def burst(self, client):
        burst = Burst(self.journal, self.session, self.settings["idempotent"])
        self.bursts.append(burst)
        size = self.dice.choice((1, 1, 3, 10, 25))
        oversized = self.settings["oversized"] and self.dice.random() < 0.02
        for _ in range(size):
            self.number += 1
            key = f"{self.journal.name}.{self.session}.{self.number % 8}"
            topic, partition = self.settings["places"][zlib.crc32(key.encode()) % len(self.settings["places"])]
            value = f"{key}.{self.number}"
            with self.lock:
                index = burst.add(f"{topic}/{partition}", value)

            def done(status, offset, error, index=index):
                with self.lock:
                    if burst.records:  # else it was written as unknown
                        burst.done(index, status, offset, error)

            client.send(topic, partition, key.encode(), encoded(value, OVERSIZED if oversized else None), done)
        with self.lock:
            burst.seal()


def by_name(offsets):
    return {f"{topic}/{partition}": offset for (topic, partition), offset in offsets.items()}


def runs(records):
    """Runs of following offsets, in the order in which they came."""
    found, last = [], {}
    for topic, partition, offset, value in records:
        place = f"{topic}/{partition}"
        run = last.get(place)
        if run and run[1] + len(run[2]) == offset:
            run[2].append(decoded(value))
        else:
            last[place] = [place, offset, [decoded(value)]]
            found.append(last[place])
    return found


class Consumer:
    """Reads all places, assigned or as a member of a group that commits, by one client object after the other."""

    def __init__(self, library, journal, settings, dice):
        self.library, self.journal, self.settings, self.dice = library, journal, settings, dice
        self.group, self.session = settings["group"], 0
        self.next = {tuple(place): 0 for place in settings["places"]}

    def run(self):
        while not self.journal.stopping.is_set():
            self.session += 1
            self.journal.turn()
            try:
                self.one_session()
            except self.library.ERRORS as error:
                self.journal.trouble(repr(error))
                time.sleep(0.2)

    def open(self):
        client = self.library.Consumer(self.settings, self.journal.trouble)
        if self.group:
            self.journal.write("subscribe", session=self.session, group=self.group)
            client.subscribe(sorted({topic for topic, _ in self.next}))
        else:
            self.assign(client, self.starts())
        return client

    def assign(self, client, offsets):
        self.journal.write("assign", session=self.session, offsets=by_name(offsets))
        client.assign(offsets)
        self.next = dict(offsets)

    def starts(self):
        """Mostly where the session before stopped; at times somewhere before that."""
        if self.session == 1 or self.dice.random() < 0.7:
            return dict(self.next)
        return {place: max(0, offset - self.dice.choice((1, 100, 10_000))) for place, offset in self.next.items()}

    def one_session(self):
        client = self.open()
        end, commit_at = time.monotonic() + self.dice.uniform(*self.settings["life"]), 0
        uncommitted, generation = {}, None
        try:
            while time.monotonic() < end and not self.journal.stopping.is_set():
                records, before, after = self.poll(client)
                if (before, after) != (generation, generation):
                    uncommitted, generation = {}, after
                for topic, partition, offset, _ in records:
                    uncommitted[topic, partition] = offset + 1
                if self.group and uncommitted and time.monotonic() > commit_at:
                    commit_at = time.monotonic() + COMMIT_SECONDS
                    self.commit(client, uncommitted)
                    uncommitted = {}
        finally:
            client.close()

    def poll(self, client, final=False):
        self.journal.turn()
        invoke = time.monotonic_ns()
        try:
            records, before, after = client.poll(0.2)
        except self.library.ERRORS as error:
            if self.library.is_offset_reset(error):
                self.journal.write("offset-reset", session=self.session, detail=repr(error))
            raise
        if records:
            self.journal.polled += len(records)
            for topic, partition, offset, _ in records:
                self.next[topic, partition] = offset + 1
            self.journal.write("poll", session=self.session, group=self.group, generation=[before, after], final=final, invoke=invoke,
                               complete=time.monotonic_ns(), records=runs(records))
        return records, before, after

    def commit(self, client, offsets):
        invoke, status = time.monotonic_ns(), "ok"
        try:
            client.commit(offsets)
        except self.library.ERRORS as error:
            status = "info"
            self.journal.trouble(repr(error))
        self.journal.write("commit", session=self.session, group=self.group, status=status, invoke=invoke, complete=time.monotonic_ns(),
                           offsets=by_name(offsets))

    def read_all(self):
        """The final phase: from the beginning until `goals` are reached, as often as it takes."""
        goals = {tuple(place): goal for place, goal in self.settings["goals"]}
        deadline = time.monotonic() + self.settings["seconds"]
        while time.monotonic() < deadline:
            self.session += 1
            client = None
            try:
                client = self.library.Consumer(self.settings, self.journal.trouble)
                self.assign(client, dict.fromkeys(goals, 0))
                last = time.monotonic()
                while any(self.next[place] < goal for place, goal in goals.items()):
                    if self.poll(client, final=True)[0]:
                        last = time.monotonic()
                    if time.monotonic() > min(deadline, last + 20):
                        break
                else:
                    return
            except self.library.ERRORS as error:
                self.journal.trouble(repr(error))
                time.sleep(0.2)
            finally:
                if client:
                    client.close()


def main():
    library, role, name, folder, settings = sys.argv[1:]
    settings = json.loads(settings)
    dice = random.Random(f"{settings['seed']}/{name}")
    journal, library = Journal(name, folder), importlib.import_module(f"client_{library}")
    if role == "producer":
        Producer(library, journal, settings, dice).run()
    elif role == "final":
        Consumer(library, journal, settings, dice).read_all()
    else:
        Consumer(library, journal, settings, dice).run()
    print(journal.acknowledged, journal.polled, journal.troubles, flush=True)


if __name__ == "__main__":
    main()
