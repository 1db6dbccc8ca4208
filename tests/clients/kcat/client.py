"""kcat, driven as from a shell: `client.py BOOTSTRAP SCENARIO PREFIX`."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

from members import wait_for
from samples import HEADERS
from verdict import NotSupported, check, judge

CANNOT = {
    "transactions": "kcat has no transactions",
    "kip848": "the librdkafka it is built with has classic groups only",
    "kill9": "kcat ends by itself when its only broker is down",
}


def kcat(*arguments, feed=None, seconds=20):
    done = subprocess.run(["kcat", "-b", BOOTSTRAP, *arguments], input=feed, capture_output=True, timeout=seconds, check=False)
    check(done.returncode == 0, f"kcat {' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def create(topic, partitions):
    """kcat cannot create a topic with a partition count, so the harness names a tool that can."""
    subprocess.run([*os.environ["CREATE_TOPIC"].split("\t"), BOOTSTRAP, topic, str(partitions)], check=True, timeout=30)


class Member:
    """`kcat -G`, whose assignment is read from what it reports on standard error."""

    def __init__(self, group, topic, *settings):
        self.lines, self.assignment, self.changes, self.error = [], frozenset(), 0, None
        command = ["kcat", "-b", BOOTSTRAP, "-u", "-f", "%p %o %s\n", "-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=500"]
        self.process = subprocess.Popen([*command, *settings, "-G", group, topic], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for read in (self.read_records, self.read_reports):
            threading.Thread(target=read, daemon=True).start()

    def read_records(self):
        for line in self.process.stdout:
            self.lines.append(tuple(line.split()))

    def read_reports(self):
        for line in self.process.stderr:
            if "rebalanced" not in line:
                continue
            self.changes += 1
            named = frozenset(int(n) for n in re.findall(r" \[(\d+)\]", line))
            if "revoke" in line:
                self.assignment = self.assignment - named if "incremental" in line else frozenset()
            else:
                self.assignment = self.assignment | named if "incremental" in line else named

    def leave(self):
        self.process.terminate()
        self.process.wait(20)


class Scenarios:
    def __init__(self, prefix):
        self.prefix = prefix

    def codecs(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = f"{self.prefix}-{codec}"
            create(topic, 1)
            values = [f"order {i} \u20ac".encode() if i % 3 else b'{"sku":"A-1","qty":3},' * 2500 for i in range(60)]
            feed = b"".join(b"key-%d:%b\n" % (i, value) for i, value in enumerate(values))
            headers = [argument for name, value in HEADERS[2:] for argument in ("-H", f"{name}={value.decode()}")]
            kcat("-P", "-t", topic, "-p", "0", "-K", ":", "-z", codec, *headers, feed=feed)
            with tempfile.TemporaryDirectory() as folder:
                whole = Path(folder) / "file.bin"
                whole.write_bytes(bytes(range(256)) * 200)
                kcat("-P", "-t", topic, "-p", "0", "-z", codec, str(whole))
                values.append(whole.read_bytes())
            read = kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%o %K %S %h\\n%k%s")
            check(read == self.expected(values), f"{codec}: {len(read)} bytes came back, not those that were sent")
        return "none gzip snappy lz4 zstd"

    @staticmethod
    def expected(values):
        wanted, header = b"", ",".join(f"{name}={value.decode()}" for name, value in HEADERS[2:]).encode()
        for i, value in enumerate(values):
            key = b"" if i == len(values) - 1 else b"key-%d" % i
            wanted += b"%d %d %d %b\n%b%b" % (i, len(key) or -1, len(value), header if key else b"", key, value)
        return wanted

    def idempotent(self):
        topic = f"{self.prefix}-idempotent"
        create(topic, 1)
        kcat("-P", "-t", topic, "-p", "0", "-X", "enable.idempotence=true", feed=b"".join(b"%d\n" % n for n in range(1000)))
        read = kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%o %s\\n")
        check(read == b"".join(b"%d %d\n" % (n, n) for n in range(1000)), "not 0..999 once and in order")

    def resume(self):
        topic, group = f"{self.prefix}-resume", f"{self.prefix}-resume"
        create(topic, 2)
        self.numbers(topic, 0, 60, 2)
        settings = ("-q", "-f", "%s\\n", "-X", "auto.offset.reset=earliest", "-G", group, topic)
        runs = [[int(n) for n in kcat("-c", str(count), *settings).split()] for count in (25, 35)]
        check(sorted(runs[0] + runs[1]) == list(range(60)), f"the second run did not resume: {sorted(runs[0])} then {sorted(runs[1])}")

    def numbers(self, topic, begin, end, partitions):
        for partition in range(partitions):
            kcat("-P", "-t", topic, "-p", str(partition), feed=b"".join(b"%d\n" % n for n in range(begin, end) if n % partitions == partition))

    def share(self, name, *settings):
        topic, group = f"{self.prefix}-{name}", f"{self.prefix}-{name}"
        create(topic, 4)
        first = Member(group, topic, *settings)
        wait_for("one member has all four partitions", lambda: len(first.assignment) == 4, 20, [first])
        second = Member(group, topic, *settings)
        both = [first, second]
        joined = wait_for("two members share the partitions two and two",
                          lambda: len(first.assignment) == len(second.assignment) == 2 and not first.assignment & second.assignment, 20, both)
        self.numbers(topic, 0, 100, 4)
        wait_for("both together read 100 records", lambda: len({line[2] for m in both for line in list(m.lines)}) == 100, 20, both)
        second.leave()
        taken = wait_for("the first member takes over", lambda: len(first.assignment) == 4, 20, [first])
        self.numbers(topic, 100, 200, 4)
        wait_for("the first member reads the next 100 alone",
                 lambda: {int(line[2]) for line in list(first.lines)} >= set(range(100, 200)), 20, [first])
        first.leave()
        return f"shared after {joined:.1f} s, taken over after {taken:.1f} s"

    def rebalance(self):
        return self.share("classic")

    def cooperative(self):
        return self.share("cooperative", "-X", "partition.assignment.strategy=cooperative-sticky")

    def static(self):
        topic, group = f"{self.prefix}-static", f"{self.prefix}-static"
        create(topic, 4)

        def named(name):
            return Member(group, topic, "-X", f"group.instance.id={name}", "-X", "session.timeout.ms=10000")

        steady = named("steady")
        wait_for("the first static member has all partitions", lambda: len(steady.assignment) == 4, 20, [steady])
        restarting = named("restarting")
        wait_for("two static members share", lambda: len(steady.assignment) == len(restarting.assignment) == 2, 20, [steady, restarting])
        before, changes = restarting.assignment, steady.changes
        restarting.leave()
        again = named("restarting")
        took = wait_for("the restarted member has its partitions back", lambda: again.assignment == before, 20, [again])
        check(steady.changes == changes, "the other member was rebalanced though the member came back in time")
        steady.leave()
        again.leave()
        return f"back after {took:.1f} s"

    def first(self):
        topic = f"{self.prefix}-first"
        create(topic, 4)
        self.numbers(topic, 0, 8, 4)
        times = []
        for attempt in range(3):
            begin = time.monotonic()
            kcat("-c", "1", "-q", "-X", "auto.offset.reset=earliest", "-f", "%s\\n", "-G", f"{self.prefix}-first-{attempt}", topic)
            times.append(time.monotonic() - begin)
        text = "start to end of the program " + ", ".join(f"{t:.3f}" for t in times) + " s"
        check(min(times) < 2.0, text)
        return text

    def autocreate(self):
        topic = f"{self.prefix}-auto-{os.getpid()}"
        kcat("-P", "-t", topic, feed=b"".join(b"%d\n" % n for n in range(10)))
        read = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%s\\n")
        check(sorted(int(n) for n in read.split()) == list(range(10)), f"read back {read!r}")

    def admin(self):
        topic = f"{self.prefix}-admin"
        create(topic, 2)
        check(kcat("-L", "-t", topic).count(b"partition ") == 2, "the topic is not listed with two partitions")
        self.numbers(topic, 0, 20, 2)
        now = int(time.time() * 1000)
        for timestamp, wanted in ((now - 3_600_000, b"offset 0"), (now + 3_600_000, b"offset -1")):
            answer = kcat("-Q", "-t", f"{topic}:0:{timestamp}")
            check(answer.strip().endswith(wanted), f"the first offset at {timestamp} is said to be {answer.strip()!r}, not {wanted!r}")
        return "list topics and offsets by time; kcat has no other admin command"


BOOTSTRAP, scenario, prefix = sys.argv[1:4]


def run():
    if scenario in CANNOT:
        raise NotSupported(CANNOT[scenario])
    return getattr(Scenarios(prefix), scenario)()


sys.exit(judge(run))
