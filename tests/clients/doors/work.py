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
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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
    """What a library logs, for all jobs of this thread and those it started."""

    def __init__(self, job):
        super().__init__(logging.WARNING)
        self.job = job

    def emit(self, record):
        self.job.said(f"{record.levelname} {record.getMessage()}")


def overhear(logger, job):
    """A thread a job: what a library logs about the one does not become the other's words, if the library logs where it is called."""
    handler, own = Overheard(job), threading.get_ident()
    handler.addFilter(lambda record: job.stays or record.thread == own)
    logging.getLogger(logger).addHandler(handler)
    return handler


def main(read, produce, stay):
    """Runs the jobs. `stay(job, ended)` returns soon after the event `ended` is set."""
    ended = threading.Event()

    def one(job):
        job.begin = time.monotonic()
        try:
            stay(job, ended) if job.stays else {"read": read, "produce": produce}[job.kind](job)
        except Exception as error:  # what the client raised is what it says
            job.said(error)
        if not job.stays:
            job.report()

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for line in sys.stdin:
            pool.submit(one, Job(line))
        ended.set()
