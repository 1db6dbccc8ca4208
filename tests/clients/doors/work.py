"""What the programs of the Python clients share.

A program is given jobs on standard input, one a line, as NAME=VALUE with tabs between them, and prints JSON lines.

    kind=read      reads five records of `topic` in the group `group`
    kind=produce   writes one record to `topic`
    kind=stay      reads `topic` in `group` and writes to `out` until standard input ends

A job of the first two kinds ends with {"id", "records", "seconds", "words"}: how many records it got (or wrote), and what the client said,
each with the seconds since the client was made. It is broken off when the client has said something that `until` matches, when the client
gives up, or after `limit` seconds. One that stays prints what it does as it happens.
"""

import json
import logging
import os
import re
import sys
import threading
import time

AT_ONCE = 4
PRINTING = threading.Lock()


def say(**line):
    with PRINTING:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Job:
    def __init__(self, line):
        self.fields = dict(field.split("=", 1) for field in line.rstrip("\n").split("\t"))
        self.id, self.limit = self.fields["id"], float(self.fields.get("limit", 0))
        self.until = re.compile(self.fields.get("until") or r"(?!)", re.IGNORECASE)
        self.begin, self.words, self.records, self.told = time.monotonic(), [], 0, False
        self.ending = lambda: None  # what has to end with it

    def __getattr__(self, name):
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def stays(self):
        return self.kind == "stay"

    def said(self, words):
        """What the client says; an exception with its name."""
        if isinstance(words, BaseException):
            words = f"{type(words).__name__}: {words}"
        words = " ".join(str(words).split())
        if self.stays:
            say(id=self.id, at=time.time(), words=words)
        else:
            self.words.append((round(time.monotonic() - self.begin, 2), words))
            self.told = self.told or bool(self.until.search(words))

    @property
    def over(self):
        return self.told or time.monotonic() - self.begin > self.limit

    def read(self, places):
        """(partition, offset, timestamp) of records that came together."""
        places = list(places)
        self.records += len(places)
        if self.stays and places:
            say(id=self.id, at=time.time(), read=[list(min(p for p in places if p[0] == n)) for n in sorted({p[0] for p in places})])

    def wrote(self, partition, offset):
        self.records += 1
        if self.stays:
            say(id=self.id, at=time.time(), wrote=[partition, offset])

    def report(self):
        say(id=self.id, records=self.records, seconds=round(time.monotonic() - self.begin, 2), words=self.words)


class Overheard(logging.Handler):
    """What a library logs, as a student sees it who has set up no logging."""

    def __init__(self, job):
        super().__init__(logging.WARNING)
        self.job = job

    def emit(self, record):
        self.job.said(f"{record.levelname} {record.getMessage()}")


def overhear(library, job):
    logging.getLogger(library).addHandler(Overheard(job))


def child(job, work):
    """Does one job and ends. A client that goes on trying does not keep the job from being over."""

    def watch():
        while not job.over:
            time.sleep(0.02)
        finish()

    once = threading.Lock()

    def finish():
        if once.acquire(blocking=False):
            job.report()
            job.ending()
            os._exit(0)
        time.sleep(60)

    threading.Thread(target=watch, daemon=True).start()
    try:
        work(job)
    except Exception as error:  # what the client raised is what it says
        job.said(error)
    finish()


def main(read, produce, stay=None):
    """Runs the jobs, each in a process of its own so that what is logged belongs to one. `stay(job, ended)` returns soon after the event
    `ended` is set."""
    running = 0
    for line in sys.stdin:
        job = Job(line)
        if job.stays:
            ended = threading.Event()
            threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
            stay(job, ended)
            os._exit(0)
        if running == AT_ONCE:
            os.wait()
            running -= 1
        if os.fork() == 0:
            job.begin = time.monotonic()
            child(job, {"read": read, "produce": produce}[job.kind])
        running += 1
    while running:
        os.wait()
        running -= 1
