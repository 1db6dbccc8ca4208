"""What needs no Apache Kafka: the mirror between brokers of our own, ended between any two steps, and with ends that fail it."""

import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
from pathlib import Path

import records
from proxy import CREATE_TOPICS, FETCH, LIST_OFFSETS, LOST, OFFSET_COMMIT, PRODUCE, Proxy
from runs import Broker, Runs

PLAIN, TABLE, LARGE, LATE, GONE = "plain", "table", "large", "late", "gone"
GROUPS = ("in-the-middle", "at-the-end")
PLACES = [(topic, partition) for topic in (PLAIN, TABLE) for partition in range(2)]
WRITES = {PRODUCE: "Produce", OFFSET_COMMIT: "OffsetCommit", CREATE_TOPICS: "CreateTopics"}
# They mostly wait.
WORKERS = 12
# Longer than one question is waited for.
OUTAGE = 31
T0 = 1_767_571_200_000


class Victim:
    """The mirror, which is ended before its n-th write gets to the target, or before it compares."""

    def __init__(self, at):
        self.at, self.process, self.seen, self.commits, self.killed = at, None, [], 0, None
        self.started = threading.Event()

    def watch(self, key, request):
        """Whether the request goes through."""
        self.started.wait()
        if self.killed:
            return False
        if key in WRITES:
            what = WRITES[key] + next((f" of {name}" for name in ("_mirror", PLAIN, TABLE) if key == PRODUCE and name.encode() in request[:200]), "")
            self.seen.append(what)
            self.commits += key == OFFSET_COMMIT
            if len(self.seen) - 1 == self.at:
                return self.kill(what)
        elif self.at == "compare" and key == LIST_OFFSETS and self.commits == len(GROUPS):
            return self.kill("the comparison")
        return True

    def kill(self, what):
        self.killed = what
        self.process.kill()
        return False


class Target:
    """A broker behind a proxy."""

    def __init__(self, binary):
        self.proxy = Proxy()
        self.address = self.proxy.address
        self.broker = Broker(binary, advertised=self.address)
        self.watch = None
        self.proxy.route = lambda key, request: self.broker.address if self.watch is None or self.watch(key, request) else LOST

    def close(self, runs):
        runs.well(self.broker)
        self.proxy.close()


class Quick(Runs):
    def __init__(self, binary, seed):
        super().__init__(binary)
        self.seed = seed
        # How many there are to be ended before, once that is known.
        self.writes = 200

    def run(self, slow=False):
        """`slow`: also what takes longer than 40 s."""
        parts = [self.kill_points, self.ends_that_fail, self.early_end, self.outage]
        parts += [self.long_journal] if slow else []
        threads = [threading.Thread(target=self.part, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def part(self, part):
        begin = time.monotonic()
        try:
            part()
        except Exception:
            traceback.print_exc()
            self.check(f"{part.__name__} came to its end", False, "see above")
        print(f"{part.__name__}: {time.monotonic() - begin:.0f} s", flush=True)

    # ---- ended between any two steps

    def kill_points(self):
        source = Broker(self.binary, compacts=True)
        dice, address = records.dice(self.seed), source.address
        records.create(address, PLAIN, 2, {"retention.ms": "-1", "max.message.bytes": "4000"})
        records.create(address, TABLE, 2, {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "retention.ms": "-1"})
        for partition in range(2):
            records.produce(address, PLAIN, partition, records.made(dice, 150), **{"batch.size": 3000})
            for n in range(5):
                keyed = [(b"key-%d" % dice.randrange(30), b"%d" % k, T0 + k, []) for k in range(n * 40, n * 40 + 40)]
                records.produce(address, TABLE, partition, keyed, **{"batch.num.messages": 20})
                time.sleep(0.12)
        self.check("the source has gaps, and deletes no more", self.until(lambda: self.is_compacted(address)), records.contents(address, TABLE))
        for at, group in enumerate(GROUPS):
            places = [(topic, partition, end if at else end // 2, group) for topic in (PLAIN, TABLE) for partition, end in enumerate(records.ends(address, topic))]
            records.commit(address, group, places)
        wanted = records.holdings(address, (PLAIN, TABLE), GROUPS, "read_committed")
        self.check("groups stand at records and at ends", len(wanted) == 2 + 4 + 2 * 4 and sum(not wanted[group, *place][0] for group in GROUPS for place in PLACES) == 4, wanted)
        points, found, partial = iter(["compare", "again and again", *range(200)]), [], []
        over = threading.Event()

        def work():
            while not over.is_set():
                with self.lock:
                    point = next(points)
                if isinstance(point, int) and point > self.writes:
                    return
                target = Target(self.binary)
                try:
                    killed = self.point(source, target, point, wanted, partial)
                    if killed is None:
                        over.set()
                    else:
                        found.extend(killed)
                except Exception:
                    over.set()
                    raise
                finally:
                    target.close(self)

        workers = [threading.Thread(target=self.part, args=(work,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        kinds = {"CreateTopics", "Produce of _mirror", f"Produce of {PLAIN}", f"Produce of {TABLE}", "OffsetCommit", "the comparison"}
        self.check(f"the mirror was ended at {len(found)} places: before {', '.join(sorted(set(found)))}", kinds <= set(found), found)
        self.check(f"in {len(partial)} of them some records of a plan had come and some had not", len(partial) >= 3, partial)
        self.well(source)

    def is_compacted(self, address):
        before = records.contents(address, TABLE)
        time.sleep(1)
        return before == records.contents(address, TABLE) and sum(count for count, _ in before) < 360

    def point(self, source, target, point, wanted, partial):
        """What it was ended before; none if it ended by itself."""
        killed = []
        for at in (9, 7, 8, 10) if point == "again and again" else (point,):
            victim = Victim(at)
            target.watch = victim.watch
            victim.process = self.start(source, target)
            victim.started.set()
            status, said, _ = self.end(victim.process)
            target.watch = None
            if victim.killed is None:
                break
            killed.append(victim.killed)
            if point == "compare":
                self.writes = len(victim.seen)
        if not killed:
            self.check(f"without an end it ends well after {len(victim.seen)} writes", status == 0, said)
            return None
        topics = records.topics_of(target.address)
        there = {topic: sum(records.ends(target.address, topic)) if topic in topics else 0 for topic in (PLAIN, TABLE)}
        whole = {topic: sum(len(wanted[place]) for place in PLACES if place[0] == topic) for topic in there}
        if any(0 < there[topic] < whole[topic] for topic in whole):
            partial.append(point)
        status, said, copied = self.mirror(source, target)
        found = records.holdings(target.address, (PLAIN, TABLE), GROUPS, "read_uncommitted")
        problems = [what for what in wanted | found if wanted.get(what) != found.get(what)]
        if copied != sum(whole.values()) - sum(there.values()):
            problems.append(f"{there} were there, {copied} came to {whole}")
        self.check(f"ended before {' and '.join(killed)} ({point}) it goes on, and all is there once", status == 0 and not problems, f"{problems} {said}")
        return killed

    # ---- ends that fail it

    def ends_that_fail(self):
        source, target = Broker(self.binary), Broker(self.binary)
        self.refused_batch(source, target)
        self.deleted_there(source, target)
        nowhere = Proxy()
        nowhere.close()
        status, said, _ = self.mirror(source, nowhere)
        self.check("a cluster that is not there is named, with what to look at", status == 1 and f"--to {nowhere.address}: no Kafka cluster answers" in said
                   and "; check " in said, said)
        self.well(source, target)

    def refused_batch(self, source, target):
        """The target refuses the first record, and those behind it are on their way already."""
        records.create(source.address, LARGE, 1)
        records.create(target.address, LARGE, 1, {"max.message.bytes": "20000"})
        dice, headers = records.dice(self.seed), [(f"k{n}", b"value") for n in range(25)]
        records.produce(source.address, LARGE, 0, [(b"large", dice.randbytes(100_000), T0, [])], **{"batch.size": 1})
        records.produce(source.address, LARGE, 0, ((None, b"%06d" % n + dice.randbytes(40), T0 + n, headers) for n in range(8999)))
        status, said, _ = self.mirror(source, target, "--topics", LARGE)
        end = records.ends(target.address, LARGE)
        self.check("a record that is refused ends it before those that follow, and it says why",
                   status == 1 and "raise max.message.bytes" in said and end == [0], f"{end} {said}")
        records.alter(target.address, LARGE, "max.message.bytes", "1000000")
        status, said, copied = self.mirror(source, target, "--topics", LARGE)
        self.check("and then it goes on as it said", status == 0 and copied == 9000 and records.contents(source.address, LARGE) == records.contents(target.address, LARGE), said)

    def deleted_there(self, source, target):
        """A topic is deleted at the target while it is followed; then somebody makes one of the same name there."""
        dice = records.dice(self.seed)
        records.create(source.address, GONE, 2)
        for partition in range(2):
            records.produce(source.address, GONE, partition, records.made(dice, 100))
        process = self.start(source, target, "--topics", GONE, "--follow")
        self.until(lambda: GONE in records.topics_of(target.address) and sum(records.ends(target.address, GONE)) == 200)
        records.admin(target.address).delete_topics([GONE])[GONE].result()
        self.until(lambda: GONE in records.topics_of(target.address) and sum(records.ends(target.address, GONE)) == 200)
        records.produce(source.address, GONE, 1, records.made(dice, 50))
        came = self.until(lambda: GONE in records.topics_of(target.address) and sum(records.ends(target.address, GONE)) == 250)
        process.send_signal(signal.SIGINT)
        status, said, _ = self.end(process)
        self.check("a topic that is deleted there is copied anew", came and status == 0 and "copied anew" in said, said)
        status, said, copied = self.mirror(source, target, "--topics", GONE)
        self.check("and is whole", status == 0 and copied == 0 and records.contents(source.address, GONE) == records.contents(target.address, GONE), said)
        records.admin(target.address).delete_topics([GONE])[GONE].result()
        records.create(target.address, GONE, 2)
        records.produce(target.address, GONE, 0, records.made(dice, 40))
        status, said, _ = self.mirror(source, target, "--topics", GONE)
        self.check("one that somebody made there meanwhile is named", status == 1 and f"{GONE}-0 has another record at offset 39" in said
                   and records.ends(target.address, GONE) == [40, 0], said)
        own = records.overrides(target.address, "_mirror")
        self.check("the journal stays small", own.get("segment.bytes") == "16777216" and own.get("cleanup.policy") == "compact", own)

    def early_end(self):
        """A leader that is new knows late up to where records are committed: first the reader is led to one that lacks the last."""
        proxy, target = Proxy(), Broker(self.binary)
        full = Broker(self.binary, advertised=proxy.address)
        proxy.route = lambda key, request: full.address
        dice = records.dice(self.seed)
        records.create(full.address, LATE, 1)
        records.produce(full.address, LATE, 0, records.made(dice, 950))
        full.kill()
        folder = Path(tempfile.mkdtemp(prefix="headwater-"))
        shutil.copytree(full.folder / "data", folder / "data")
        full.start()
        behind = Broker(self.binary, advertised=proxy.address, folder=folder)
        records.produce(full.address, LATE, 0, records.made(dice, 50, 950))
        state = {"behind": True, "fetched": False, "turns": 0}

        def route(key, request):
            if key == LIST_OFFSETS and state["fetched"]:
                # The leader says where the partition ends: from now on it knows.
                state["behind"], state["fetched"], state["turns"] = not state["behind"], False, state["turns"] + 1
            return (behind if key == FETCH and state["behind"] else full).address

        def answered(key):
            state["fetched"] |= key == FETCH

        proxy.route, proxy.answered = route, answered
        status, said, copied = self.mirror(proxy, target, "--topics", LATE, "--no-groups")
        proxy.route = lambda key, request: full.address
        same = records.contents(proxy.address, LATE) == records.contents(target.address, LATE)
        self.check("an end that comes too early ends neither the copy nor the comparison",
                   status == 0 and copied == 1000 and same and state["turns"] >= 3, f"{state} {said}")
        self.well(full, behind, target)
        proxy.close()

    def outage(self):
        source, target = Broker(self.binary), Broker(self.binary)
        records.create(source.address, PLAIN, 1)
        records.produce(source.address, PLAIN, 0, records.made(records.dice(self.seed), 100))
        process = self.start(source, target, "--follow")
        self.until(lambda: PLAIN in records.topics_of(target.address) and records.ends(target.address, PLAIN) == [100])
        os.kill(source.process.pid, signal.SIGSTOP)
        time.sleep(OUTAGE)
        os.kill(source.process.pid, signal.SIGCONT)
        records.produce(source.address, PLAIN, 0, records.made(records.dice(self.seed), 20, 100))
        came = self.until(lambda: records.ends(target.address, PLAIN) == [120])
        alive = process.poll() is None
        process.send_signal(signal.SIGINT)
        status, said, _ = self.end(process)
        self.check("followed, it lives through an outage of the source", came and alive and status == 0, said)
        self.well(source, target)

    def long_journal(self):
        """A journal of which each part takes its time."""
        source, target = Broker(self.binary), Target(self.binary)
        records.create(source.address, PLAIN, 1)
        status, said, _ = self.mirror(source, target, "--no-groups")
        records.produce(target.address, "_mirror", 0, [(b"%d" % n, bytes(900_000), T0, []) for n in range(4)])

        def slowly(key, request):
            if key == FETCH:
                time.sleep(9)
            return True

        target.watch = slowly
        begin = time.monotonic()
        status, said, _ = self.mirror(source, target, "--no-groups", "--dry-run")
        took = time.monotonic() - begin
        target.watch = None
        self.check("a journal that takes long to read is read to its end", status == 0 and took > 31, f"{took} {said}")
        target.close(self)
        self.well(source)

    def until(self, holds, limit=30):
        begin = time.monotonic()
        while not holds():
            if time.monotonic() - begin > limit:
                return False
            time.sleep(0.1)
        return True
