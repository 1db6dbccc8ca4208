"""A reset under running clients: what becomes of them, and how soon the streams are there again."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from probe import END, FIRST, NEWEST, Probe
from rig import SECRET, STREAMS, Classroom

STREAM = STREAMS[0]
HOUR = 3_600_000
STREAMS_LIMIT = 50  # to be there within 5 s; the test fails at ten times that
CLIENTS_LIMIT = 60
CAUGHT_UP_LIMIT = 90
COMMITTED_AFTER = 6  # the clients commit every five seconds
DISK_MIB, STUDENT_MIB = 800, 300
# It can take a topic that is made anew under the same name for one cut short (KIP-320), and goes on from where that ended just then.
MAY_KEEP_ITS_PLACES = "kafka-python"
KEPT_PLACES_AFTER = 10
STORAGE_ERROR = 56
READY = 120


class Staying:
    """A client's program that reads and writes until it is told to end."""

    def __init__(self, client, command, job):
        self.client, self.job, self.heard, self.lock = client, job, [], threading.Lock()
        self.err = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True, errors="replace")
        self.process.stdin.write("\t".join(f"{name}={value}" for name, value in job.items()) + "\n")
        self.process.stdin.flush()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                with self.lock:
                    self.heard.append(json.loads(line))

    def since(self, at, what):
        """What it told after this time: (seconds after it, value)."""
        with self.lock:
            return [(said["at"] - at, said[what]) for said in self.heard if what in said and said["at"] >= at]

    def places(self, at=0):
        """By partition the highest of the first offsets of what it read."""
        found = {}
        for _, read in self.since(at, "read"):
            for partition, offset, _ in read:
                found[partition] = max(found.get(partition, -1), offset)
        return found

    def read_from(self, at):
        """The seconds until each partition was read from its beginning."""
        return {partition: after for after, read in reversed(self.since(at, "read")) for partition, offset, _ in read if offset == 0}

    def end(self):
        try:
            self.process.stdin.close()
            self.process.wait(15)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.thread.join(5)
        self.err.close()


def history(probe, before=None):
    """Whether each stream exists, not with the id it had before, with an hour of records up to now."""
    found, now = probe.topics(STREAMS), time.time() * 1000
    if len(found) != len(STREAMS) or any(before and before[name][0] == found[name][0] for name in STREAMS):
        return None
    for name, (_, partitions) in found.items():
        oldest = [time_ for time_, _ in probe.offsets(name, partitions, 0).values() if time_ >= 0]
        newest = [time_ for time_, _ in probe.offsets(name, partitions, NEWEST).values() if time_ >= 0]
        if not oldest or now - min(oldest) < HOUR or now - max(newest) > 60_000:
            return None
    return found


def wait_for_history(room, probe, before=None, limit=STREAMS_LIMIT):
    """The streams, and the seconds until they were there."""
    found = []
    took = room.wait_until("an hour of history", lambda: found.append(history(probe, before)) or found[-1], limit)
    return found[-1], took


def reset(room):
    """Both steps; what was told first, and the answer."""
    token = room.instructor()
    told = room.post("/api/reset", {}, token)
    return told, room.post("/api/reset", {"confirm": told["confirm"], "secret": SECRET}, token)


def start(room, commands):
    staying = []
    for client, command in commands.items():
        student = room.join()
        for reset_to, protocol in (("earliest", "SASL_PLAINTEXT"), ("latest", "SASL_SSL")):
            staying.append(Staying(client, command, {
                "id": f"{client} {reset_to}", "kind": "stay", "bootstrap": room.addresses[protocol], "protocol": protocol, "mechanism": "SCRAM-SHA-256", "ca": str(room.ca) if protocol == "SASL_SSL" else "",
                "user": student["user"], "password": student["password"], "topic": STREAM, "group": f"{student['group_prefix']}-{reset_to}",
                "reset": reset_to, "out": f"{student['prefix']}{reset_to}",
            }))
    return staying


def caught_up(probe, one, ends):
    """Whether it has read about everything, and written."""
    if not one.since(0, "wrote"):
        return False
    if one.job["reset"] == "latest":
        return bool(one.since(0, "read"))
    places = one.places()
    return all(places.get(partition, -1) >= end - 200 for partition, (_, end) in ends.items() if end)


def recovered(one, at, done, partitions):
    """Whether it reads again as auto.offset.reset says, and writes again; the seconds since `at`, or None. Until `done` it may have been
    the old topics."""
    wrote = [after + done - at for after, _ in one.since(done, "wrote")]
    read = [after + done - at for after, _ in one.since(done, "read")]
    if not wrote or not read:
        return None
    if one.job["reset"] == "latest":
        return read[0], wrote[0]
    begun = one.read_from(at)
    if set(begun) >= set(partitions):
        return max(begun.values()), wrote[0]
    kept = one.client.startswith(MAY_KEEP_ITS_PLACES) and time.time() - at > KEPT_PLACES_AFTER
    return (read[0], wrote[0]) if kept else None


def under_clients(binary, commands, count, words):
    room, staying = Classroom(binary), []
    try:
        probe = Probe(room.addresses["SASL_PLAINTEXT"], "instructor", SECRET)
        before, took = wait_for_history(room, probe, limit=READY)
        print(f"the first start has an hour of history after {took:.1f} s", flush=True)
        staying = start(room, commands)
        filled = {index for index, (_, end) in probe.offsets(STREAM, before[STREAM][1], END).items() if end}
        for one in staying:
            try:
                room.wait_until("", lambda: caught_up(probe, one, probe.offsets(STREAM, before[STREAM][1], END)), CAUGHT_UP_LIMIT)
            except RuntimeError:
                one.err.seek(0)
                print(f"{one.job['id']} did not catch up: read {one.places()}, {one.since(0, 'words')[-3:]}, {one.err.read()[-500:]}")
        time.sleep(COMMITTED_AFTER)
        at = time.time()
        told, answer = reset(room)
        done = time.time()
        after, streams = wait_for_history(room, probe, before)
        streams = time.time() - at
        print(f"reset of {len(told['topics'])} topics and {len(told['groups'])} groups: answered after {answer['took_ms']} ms; the streams are there anew, with an hour of history, after "
              f"{streams:.1f} s (to be within 5 s)", flush=True)
        count.take("new ids", None if all(before[name][0] != after[name][0] for name in STREAMS) else "a stream has its old id")
        waiting = list(staying)
        while waiting and time.time() - at < CLIENTS_LIMIT:
            waiting = [one for one in waiting if recovered(one, at, done, filled) is None]
            time.sleep(0.2)
        for one in staying:
            told_since = [text for _, text in one.since(at, "words")]
            went = recovered(one, at, done, filled)
            if went:
                count.take(one.job["id"], None)
                if one.job["reset"] == "earliest" and not set(one.read_from(at)) >= set(filled):
                    print(f"{one.job['id']:<26} went on where it was, from the beginning only in {sorted(one.read_from(at))}")
                begun = [read for _, read in one.since(done, "read")][0][0]
                print(f"{one.job['id']:<26} reads as it should after {went[0]:4.1f} s (first partition {begun[0]}, offset {begun[1]}), writes after {went[1]:4.1f} s", flush=True)
            else:
                one.err.seek(0)
                read = one.since(at, "read")
                count.take(one.job["id"], f"after {CLIENTS_LIMIT} s it has read {len(read)} times, first {read[:1]}, from the beginning of {sorted(one.read_from(at))}; "
                           f"wrote {len(one.since(at, 'wrote'))} times; it said {told_since[:6]}; {one.err.read()[-300:]}")
            if words:
                print("".join(f"      {text[:300]}\n" for text in dict.fromkeys(told_since)), end="")
        count.take("the broker", room.problem())
    finally:
        for one in staying:
            one.end()
        room.close()


def own_only(room, probe, count):
    """A student's reset takes what is theirs."""
    mine, other = room.join(), room.join()
    for who in (mine, other):
        own = Probe(room.addresses["SASL_PLAINTEXT"], who["user"], who["password"])
        topic, group = who["prefix"] + "c02", who["group_prefix"] + "-1"
        own.create(topic)
        count.take(f"{group} commits", None if own.commit(group, topic, 0) == 0 and own.commit(group, STREAM, 1) == 0 else "refused")
    names = [*STREAMS, mine["prefix"] + "c02", other["prefix"] + "c02"]
    before = probe.topics(names)
    told = room.post("/api/me/reset", {}, mine["token"])
    room.post("/api/me/reset", {"confirm": told["confirm"]}, mine["token"])
    after, groups = probe.topics(names), probe.groups()
    gone = [name for name in names if name not in after]
    problem = None if gone == [mine["prefix"] + "c02"] and all(before[name][0] == after[name][0] for name in after) else f"gone: {gone}"
    count.take("an own reset takes one's own topics", problem)
    problem = None if mine["group_prefix"] + "-1" not in groups and other["group_prefix"] + "-1" in groups else f"left: {groups}"
    count.take("an own reset takes one's own groups", problem)


def mount(folder):
    """A small file system there, or the reason why not."""
    if os.geteuid() != 0:
        return "only root may mount"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)], capture_output=True, text=True)
    return done.stderr.strip() or "mount failed" if done.returncode else None


def fill(folder):
    """Takes what is left, to the last block."""
    file = os.open(folder / "foreign", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for size in (1 << 20, 4096):
            try:
                while os.write(file, b"x" * size):
                    pass
            except OSError:
                pass
    finally:
        os.close(file)


def on_full_disk(binary, count):
    folder = Path(tempfile.mkdtemp(prefix="headwater-disk-"))
    reason = mount(folder / "disk")
    if reason:
        count.leave_out("a reset on a full disk", reason)
        shutil.rmtree(folder, ignore_errors=True)
        return
    room = None
    try:
        room = Classroom(binary, folder / "disk" / "data", ("--disk-floor-mib", "16", "--disk-floor-percent", "0", "--ballast-mib", "16"))
        probe = Probe(room.addresses["SASL_PLAINTEXT"], "instructor", SECRET)
        before, _ = wait_for_history(room, probe, limit=READY)
        own_only(room, probe, count)
        at = time.time()
        reset(room)
        before, _ = wait_for_history(room, probe, before)
        print(f"without clients the streams are there anew, with an hour of history, after {time.time() - at:.1f} s (to be within 5 s)", flush=True)
        student = room.join()
        own, topic = Probe(room.addresses["SASL_PLAINTEXT"], student["user"], student["password"]), student["prefix"] + "much"
        own.create(topic)
        count.take("a student writes much", f"error {error}" if (error := own.write(topic, STUDENT_MIB)) else None)
        room.wait_until("the disk to be found full", lambda: fill(folder / "disk") or own.write(topic, 1) == STORAGE_ERROR, 20)
        at = time.time()
        reset(room)
        wait_for_history(room, probe, before)
        print(f"on a full disk of {DISK_MIB} MiB they are after {time.time() - at:.1f} s (to be within 5 s)", flush=True)
        count.take("a reset on a full disk", room.problem())
    except RuntimeError as error:
        count.take("a reset on a full disk", str(error))
    finally:
        if room:
            room.close()
        subprocess.run(["umount", "-l", str(folder / "disk")], check=False)
        shutil.rmtree(folder, ignore_errors=True)
