"""Reads the histories that clients wrote while the broker was hurt, and looks for what must never happen.

A history is a folder of files of JSON lines, one file for each process. `worker.py` and `watcher.py` say what is in a line.
Each check is a row of CHECKS: a function that takes the history and yields a sentence for each violation.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate, islice
from pathlib import Path
from typing import Callable, NamedTuple

MOST = 1000  # violations of one check that are kept
ACKNOWLEDGED, REFUSED, UNKNOWN = "ok", "fail", "info"


class Sent(NamedTuple):
    """A record of a send. `offset` is known of what was acknowledged, though a client may not tell it."""

    place: str  # topic/partition
    value: str
    status: str
    offset: int | None
    error: str | None


class Send(NamedTuple):
    """A burst of records that a client was given in one go, in this order."""

    client: tuple  # the process and its session: a session is one client object
    idempotent: bool
    invoke: int
    complete: int
    records: list


class Poll(NamedTuple):
    client: tuple
    group: str | None
    generation: list  # how often partitions were given to or taken from this consumer, before and after
    final: bool
    invoke: int
    complete: int
    records: list  # runs of following offsets: place, first offset, values


class Commit(NamedTuple):
    group: str
    status: str
    invoke: int
    complete: int
    offsets: dict


class History:
    def __init__(self, lines):
        """`lines`: the decoded lines of all processes; those of one process in the order in which they were written."""
        self.sends, self.polls, self.commits = [], [], []
        self.assigned, self.resets, self.troubles = {}, [], []
        self.ends, self.epochs, self.committed = [], [], []
        self.canonical = {}
        for line in lines:
            getattr(self, f"take_{line['op'].replace('-', '_')}")(line)
        self.sends.sort(key=lambda send: send.invoke)
        # place -> offset -> the first value that anybody saw there
        self.known = defaultdict(dict)
        for place, offset, value, _ in self.observations():
            self.known[place].setdefault(offset, value)

    @classmethod
    def read(cls, folder):
        def lines():
            for path in sorted(Path(folder).glob("*.jsonl")):
                with path.open() as file:
                    for line in file:
                        if line.endswith("\n"):  # a process that was ended may have left half a line
                            yield json.loads(line)

        return cls(lines())

    def one(self, value):
        return self.canonical.setdefault(value, value)

    @staticmethod
    def client(line):
        return line["process"], line["session"]

    def take_send(self, line):
        records = [Sent(self.one(place), self.one(value), status, offset, error) for place, value, status, offset, error in line["records"]]
        self.sends.append(Send(self.client(line), line["idempotent"], line["invoke"], line["complete"], records))

    def take_poll(self, line):
        records = [(self.one(place), first, [self.one(value) for value in values]) for place, first, values in line["records"]]
        final = line.get("final", False)
        self.polls.append(Poll(self.client(line), line.get("group"), line["generation"], final, line["invoke"], line["complete"], records))

    def take_assign(self, line):
        self.assigned[self.client(line)] = line["offsets"]

    def take_subscribe(self, line):
        pass

    def take_commit(self, line):
        self.commits.append(Commit(line["group"], line["status"], line["invoke"], line["complete"], line["offsets"]))

    def take_offset_reset(self, line):
        self.resets.append(line)

    def take_trouble(self, line):
        self.troubles.append(line)

    def take_ends(self, line):
        self.ends.append(line)

    def take_epochs(self, line):
        self.epochs.append(line)

    def take_committed(self, line):
        self.committed.append(line)

    def sent(self, *statuses):
        for send in self.sends:
            for record in send.records:
                if record.status in statuses:
                    yield record

    def polled(self):
        """Every record that was read: place, offset, value, and the poll."""
        for poll in self.polls:
            for place, first, values in poll.records:
                for offset, value in enumerate(values, first):
                    yield place, offset, value, poll

    def observations(self):
        """Everything that somebody knows of the log."""
        for send in self.sends:
            for record in send.records:
                if record.status == ACKNOWLEDGED and record.offset is not None:
                    yield record.place, record.offset, record.value, send
        yield from self.polled()


def who(operation):
    process, session = operation.client
    return f"{process} (session {session})"


def inconsistent_offsets(history):
    for place, offset, value, operation in history.observations():
        first = history.known[place][offset]
        if first != value:
            yield f"{place} offset {offset}: {first}, and {value} for {who(operation)}"


def duplicate(history):
    """Only what an idempotent producer sent is there once: librdkafka sends again even when it is told to send once."""
    several, places = {record.value for send in history.sends if not send.idempotent for record in send.records}, {}
    for place, offset, value, operation in history.observations():
        if value in several:
            continue
        first = places.setdefault(value, (place, offset))
        if first != (place, offset):
            yield f"{value} is at {first[0]} offset {first[1]} and, for {who(operation)}, at {place} offset {offset}"


def highest_polled(history):
    highest = defaultdict(lambda: -1)
    for poll in history.polls:
        for place, first, values in poll.records:
            highest[place] = max(highest[place], first + len(values) - 1)
    return highest


def lost_write(history):
    highest = highest_polled(history)
    polled = {value for _, _, value, _ in history.polled()}
    for record in history.sent(ACKNOWLEDGED):
        if record.value not in polled and (record.offset is None or record.offset <= highest[record.place]):
            yield f"{record.value}, acknowledged at {record.place} offset {record.offset}, was never read"


def final_readers(history):
    """What each reader of the final phase saw: process -> place -> offset -> value."""
    seen = defaultdict(lambda: defaultdict(dict))
    for poll in history.polls:
        if poll.final:
            for place, first, values in poll.records:
                seen[poll.client[0]][place].update(enumerate(values, first))
    return seen


def unseen(history):
    """Whatever was acknowledged or read before is there for whoever begins at the beginning."""
    readers = final_readers(history)
    if not readers and history.known:
        yield "there was no final phase"
    for reader, seen in readers.items():
        values = {value for offsets in seen.values() for value in offsets.values()}
        there = {value: (place, offset) for place, offset, value, _ in history.observations() if value not in values}
        for value, (place, offset) in there.items():
            yield f"{reader} did not see {value}, which was at {place} offset {offset}"
        for record in history.sent(ACKNOWLEDGED):
            if record.offset is None and record.value not in values:
                yield f"{reader} did not see {record.value}, acknowledged in {record.place}"


def hole(history):
    """Without transactions and compaction every offset has a record."""
    for reader, seen in final_readers(history).items():
        for place, offsets in seen.items():
            for offset in sorted(set(range(max(offsets))) - offsets.keys() - history.known[place].keys()):
                yield f"{reader}: nothing at {place} offset {offset}"


def aborted_read(history):
    refused = {record.value: record.error for record in history.sent(REFUSED)}
    for place, offset, value, poll in history.polled():
        if value in refused:
            yield f"{who(poll)} read {value} at {place} offset {offset}, which was refused with {refused[value]}"


def invented(history):
    sent = {record.value for record in history.sent(ACKNOWLEDGED, REFUSED, UNKNOWN)}
    for place, offset, value, poll in history.polled():
        if value not in sent:
            yield f"{who(poll)} read {value} at {place} offset {offset}, which nobody sent"


def poll_steps(history):
    """The steps that are no step to the next record: whether within one poll, whether back, and a sentence.

    A consumer whose partitions changed goes on wherever its group has committed, so nothing is asked of its next step.
    """
    following, generations = {}, {}
    for poll in history.polls:
        if poll.client not in following:
            following[poll.client] = dict(history.assigned.get(poll.client, {}))
        places, inside = following[poll.client], set()
        before, after = poll.generation
        if poll.group and generations.get(poll.client, before) != before:
            places.clear()
        generations[poll.client] = after
        changed = poll.group and before != after
        for place, first, values in poll.records:
            expected = None if changed else places.get(place)
            if expected is not None and first < expected:
                yield place in inside, True, f"{who(poll)}: {place} offset {first} after offset {expected - 1}"
            elif expected is not None and any(offset in history.known[place] for offset in range(expected, first)):
                yield place in inside, False, f"{who(poll)}: {place} offset {first} after offset {expected - 1}"
            places[place] = first + len(values)
            inside.add(place)
        if changed:
            places.clear()


def send_steps(history):
    """Acknowledged records of one client that stand before an earlier one. What is unknown may still arrive late."""
    last = {}
    for number, send in enumerate(history.sends):
        for record in send.records:
            if record.status != ACKNOWLEDGED or record.offset is None:
                continue
            key = send.client, record.place
            offset, value, before = last.get(key, (-1, None, None))
            if record.offset <= offset:
                places = f"{record.value} at {record.place} offset {record.offset}, {value} before it at {offset}"
                yield before == number, f"{who(send)}: {places}"
            last[key] = record.offset, record.value, number


def poll_step(inside, back):
    def check(history):
        return (sentence for inner, backwards, sentence in poll_steps(history) if (inner, backwards) == (inside, back))

    return check


def send_step(inside):
    def check(history):
        return (sentence for inner, sentence in send_steps(history) if inner == inside)

    return check


def offset_reset(history):
    """Nothing is ever deleted, so nobody may be told that there is nothing where the log goes on."""
    for line in history.resets:
        yield f"{line['process']} (session {line['session']}): {line['detail']}"


def committed_beyond_end(history):
    """A group's offsets, and the ends of the partitions asked for after them."""
    ends = sorted(history.ends, key=lambda line: line["invoke"])
    at = 0
    for line in sorted(history.committed, key=lambda line: line["complete"]):
        while at < len(ends) and ends[at]["invoke"] < line["complete"]:
            at += 1
        if at == len(ends):
            break
        for place, offset in line["offsets"].items():
            end = ends[at]["ends"].get(place)
            if end and offset > end[0]:
                yield f"{line['group']} has committed {offset} of {place}, which ends at {end[0]}"


class Commits:
    """The commits of one place by one group."""

    def __init__(self):
        self.by_offset, self.acknowledged = defaultdict(list), []

    def add(self, commit, offset):
        self.by_offset[offset].append(commit)
        if commit.status == ACKNOWLEDGED:
            self.acknowledged.append((commit.complete, commit.invoke))

    def arrange(self):
        """`since`: the latest begin of all that were acknowledged up to then."""
        self.acknowledged.sort()
        self.since = list(accumulate((invoke for _, invoke in self.acknowledged), max))

    def may_be_read(self, offset, begin, end):
        """Whether it was written before `end`, and not replaced by another before `begin`."""
        at = bisect_left(self.acknowledged, (begin, 0))
        replaced = self.since[at - 1] if at else 0
        if offset < 0:
            return not replaced
        standing = (commit for commit in self.by_offset[offset] if commit.status != ACKNOWLEDGED or commit.complete >= replaced)
        return any(commit.invoke < end for commit in standing)


def commit_lost(history):
    """A committed offset that was read must be one that was written, and not one that another had replaced before."""
    written = defaultdict(Commits)
    for commit in history.commits:
        for place, offset in commit.offsets.items():
            written[commit.group, place].add(commit, offset)
    for commits in written.values():
        commits.arrange()
    for line in history.committed:
        for place, offset in line["offsets"].items():
            commits = written.get((line["group"], place))
            if commits is None and offset < 0 or commits and commits.may_be_read(offset, line["invoke"], line["complete"]):
                continue
            yield f"{line['group']} is at {offset} of {place}, which nobody committed or another commit had replaced"


def commit_skip(history):
    """A group has read everything before what it has committed."""
    read, committed = defaultdict(set), defaultdict(int)
    for poll in history.polls:
        if poll.group:
            for place, first, values in poll.records:
                read[poll.group, place].update(range(first, first + len(values)))
    for commit in history.commits:
        if commit.status == ACKNOWLEDGED:
            for place, offset in commit.offsets.items():
                committed[commit.group, place] = max(committed[commit.group, place], offset)
    for (group, place), offset in committed.items():
        for missed in sorted(known for known in history.known[place].keys() - read[group, place] if known < offset):
            yield f"{group} has committed {offset} of {place} without having read offset {missed}"


def high_watermark_back(history):
    last = {}
    for line in sorted(history.ends, key=lambda line: line["invoke"]):
        for place, (end, epoch) in line["ends"].items():
            end_before, epoch_before = last.get(place, (-1, -1))
            if end < end_before and epoch <= epoch_before:
                yield f"{place}: the end went from {end_before} back to {end} in epoch {epoch}"
            last[place] = end, epoch


def epoch_back(history):
    last = {}
    asked = [(line["invoke"], place, epoch) for line in history.epochs for place, epoch in line["epochs"].items()]
    asked += [(line["invoke"], place, epoch) for line in history.ends for place, (_, epoch) in line["ends"].items()]
    for _, place, epoch in sorted(asked):
        if epoch < last.get(place, -1):
            yield f"{place}: the epoch went from {last[place]} back to {epoch}"
        last[place] = epoch


class Check(NamedTuple):
    name: str
    find: Callable


CHECKS = (
    Check("inconsistent-offsets", inconsistent_offsets),
    Check("duplicate", duplicate),
    Check("lost-write", lost_write),
    Check("unseen", unseen),
    Check("hole", hole),
    Check("G1a", aborted_read),
    Check("invented", invented),
    Check("int-poll-skip", poll_step(inside=True, back=False)),
    Check("int-nonmonotonic-poll", poll_step(inside=True, back=True)),
    Check("poll-skip", poll_step(inside=False, back=False)),
    Check("nonmonotonic-poll", poll_step(inside=False, back=True)),
    Check("int-nonmonotonic-send", send_step(inside=True)),
    Check("nonmonotonic-send", send_step(inside=False)),
    Check("offset-reset", offset_reset),
    Check("committed-beyond-end", committed_beyond_end),
    Check("commit-lost", commit_lost),
    Check("commit-skip", commit_skip),
    Check("high-watermark-back", high_watermark_back),
    Check("epoch-back", epoch_back),
)


def violations(history):
    """What each check found, at most MOST of each."""
    return {check.name: list(islice(check.find(history), MOST)) for check in CHECKS}
