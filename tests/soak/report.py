"""What a run of the history checker says at its end: whether it proves anything, and what it found."""

from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

from checker import ACKNOWLEDGED, REFUSED, UNKNOWN

STORAGE_ERROR = "KAFKA_STORAGE_ERROR"
DISCONNECTING = ("kill", "term", "reset")
AFTERWARDS = 2_000_000_000  # a client may say a little later that its connection was lost


class Fault(NamedTuple):
    kind: str
    begin: int  # nanoseconds of the monotonic clock
    end: int


class Traffic:
    """What was going on when a fault came, for the question whether the fault met anything."""

    def __init__(self, history):
        self.history = history
        self.troubles = sorted(line["at"] for line in history.troubles if line["process"] != "watcher")

    def met(self, fault):
        """A send was waiting for its answer, and clients felt what this kind of fault is to do to them."""
        waiting = [send for send in self.history.sends if send.invoke < fault.begin < send.complete]
        if not waiting:
            return False
        if fault.kind in DISCONNECTING:
            at = bisect_left(self.troubles, fault.begin)
            return at < len(self.troubles) and self.troubles[at] < fault.end + AFTERWARDS
        if fault.kind == "stop":
            return any(send.complete > fault.end for send in waiting)
        during = (send for send in self.history.sends if send.invoke < fault.end and send.complete > fault.begin)
        return any(record.error == STORAGE_ERROR for send in during for record in send.records)


def proves(kinds, faults, met):
    """Why a run proves nothing, by kind of fault; empty where it does."""
    done = Counter(fault.kind for fault in faults)
    nothing = {kind: f"proves nothing: {done[kind]} times, none of which met what it is for" for kind in kinds}
    return {f"{kind} happened and met live traffic": "" if met[kind] else nothing[kind] for kind in kinds}


def lag(history):
    """Milliseconds from an acknowledgement to the first poll: median, 99th percentile, greatest."""
    first = {}
    for poll in history.polls:
        for _, _, values in poll.records:
            for value in values:
                first[value] = min(first.get(value, poll.complete), poll.complete)
    times = sorted(
        max(0, first[record.value] - send.complete) / 1e6
        for send in history.sends for record in send.records if record.status == ACKNOWLEDGED and record.value in first)
    return [times[int((len(times) - 1) * part)] for part in (0.5, 0.99, 1)] if times else [0.0, 0.0, 0.0]


def describe(history, faults, met):
    done = Counter(fault.kind for fault in faults)
    statuses = Counter(record.status for send in history.sends for record in send.records)
    errors = Counter((record.error or "")[:40] for record in history.sent(REFUSED, UNKNOWN))
    read = {value for _, _, value, _ in history.polled()}
    landed = sum(record.value in read for record in history.sent(UNKNOWN))
    commits = Counter(commit.status for commit in history.commits)
    print("faults: " + ", ".join(f"{kind} {count} ({met[kind]} met live traffic)" for kind, count in sorted(done.items())))
    polled = sum(len(values) for poll in history.polls for _, _, values in poll.records)
    watched = len(history.ends) + len(history.epochs) + len(history.committed)
    clients = {send.client for send in history.sends} | {poll.client for poll in history.polls}
    print(f"operations: {len(history.sends)} sends of {sum(statuses.values())} records, {len(history.polls)} polls of {polled} records, "
          f"{len(history.commits)} commits, {watched} of the watcher; "
          f"{len(clients)} client objects, {len(history.troubles)} troubles told by them")
    print(f"records: {statuses[ACKNOWLEDGED]} acknowledged, {statuses[REFUSED]} refused, {statuses[UNKNOWN]} unknown, {landed} of which "
          f"were written ({', '.join(f'{error}: {count}' for error, count in errors.most_common(4))}); "
          f"commits: {commits[ACKNOWLEDGED]} acknowledged, {commits[UNKNOWN]} unknown")
    print("from acknowledged to read: {:.0f} ms (median), {:.0f} ms (99 %), {:.0f} ms at most".format(*lag(history)))


def verdict(name, problem):
    print(f"  {'FAIL' if problem else 'ok'} {name}{': ' + problem if problem else ''}")
    return bool(problem)
