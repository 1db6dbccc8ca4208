"""Each check of checker.py finds what it is for: histories of a broker that did it, and one of a broker that did nothing wrong."""

import sys

from checker import CHECKS, History, violations
from report import Fault, Traffic

A, B = "t/0", "t/1"


def send(at, *records, process="p", session=1, idempotent=True):
    rows = [[place, value, status, offset, "MSG_SIZE_TOO_LARGE" if status == "fail" else None] for place, value, status, offset in records]
    return {"op": "send", "process": process, "session": session, "idempotent": idempotent, "invoke": at, "complete": at + 5,
            "records": rows}


def poll(at, *runs, process="a", session=1, group=None, generation=(1, 1), final=False):
    rows = [[place, first, values.split()] for place, first, values in runs]
    return {"op": "poll", "process": process, "session": session, "group": group, "generation": list(generation), "final": final,
            "invoke": at, "complete": at + 5, "records": rows}


def assign(process, session=1, **_):
    return {"op": "assign", "process": process, "session": session, "offsets": {A: 0, B: 0}}


def commit(at, offset, status="ok"):
    return {"op": "commit", "process": "g", "session": 1, "group": "group", "status": status, "invoke": at, "complete": at + 5,
            "offsets": {A: offset}}


def committed(at, offset):
    return {"op": "committed", "process": "w", "group": "group", "invoke": at, "complete": at + 1, "offsets": {A: offset}}


def ends(at, end, epoch=0):
    return {"op": "ends", "process": "w", "invoke": at, "complete": at + 1, "ends": {A: [end, epoch]}}


def epochs(at, epoch):
    return {"op": "epochs", "process": "w", "invoke": at, "complete": at + 1, "epochs": {A: epoch}}


def clean():
    """Two partitions, of which the first gets v0 to v5 (v3 without an answer) and the second u0; `big` is refused."""
    return {
        "sends": [
            send(10, (A, "v0", "ok", 0), (A, "v1", "ok", 1), (B, "u0", "ok", 0)),
            send(20, (A, "v2", "ok", 2), (A, "v3", "info", None), (B, "big", "fail", None)),
            send(30, (A, "v4", "ok", 4), (A, "v5", "ok", 5)),
            send(40, (B, "never", "info", None)),
        ],
        "assigned": [assign("a"), poll(50, (A, 0, "v0 v1"), (B, 0, "u0"), (A, 2, "v2 v3")), poll(60, (A, 4, "v4 v5"))],
        # Back at what was committed after a rebalance.
        "group": [
            {"op": "subscribe", "process": "g", "session": 1, "group": "group"},
            poll(50, (A, 0, "v0 v1"), process="g", group="group"),
            poll(52, (A, 2, "v2 v3"), (B, 0, "u0"), process="g", group="group"),
            poll(70, (A, 2, "v2 v3 v4"), process="g", group="group", generation=(3, 3)),
        ],
        "commits": [commit(51, 2), commit(60, 3, "info"), commit(75, 5)],
        "watch": [committed(40, -1), ends(41, 3), committed(58, 2), ends(70, 6), committed(90, 5), ends(91, 6), ends(95, 5, 1),
                  epochs(96, 1)],
        "final": [assign("f"), poll(100, (A, 0, "v0 v1 v2 v3"), (B, 0, "u0"), process="f", final=True),
                  poll(110, (A, 4, "v4 v5"), process="f", final=True)],
        "trouble": [{"op": "trouble", "process": "a", "at": 45, "code": "_TRANSPORT"}],
    }


def found(parts):
    history = History([line for part in parts.values() for line in part])
    return {name for name, sentences in violations(history).items() if sentences}


def changed(part, index, line):
    parts = clean()
    parts[part][index] = line
    return parts


def added(part, *lines):
    parts = clean()
    parts[part] += lines
    return parts


def without(part, index):
    parts = clean()
    del parts[part][index]
    return parts


READ = (A, 0, "v0 v1 v2 v3 v4 v5"), (B, 0, "u0")

# The check, a history that it is to find fault with, and the other checks that cannot but find the same.
DOCTORED = {
    "inconsistent-offsets": (changed("assigned", 2, poll(60, (A, 4, "v4 never"))), {"unseen"}),
    "duplicate": (added("assigned", poll(65, (A, 6, "v5")), poll(66, process="f", final=True)), {"unseen"}),
    "lost-write": (added("sends", send(45, (B, "w", "ok", None))), {"unseen"}),
    "unseen": (without("final", 2), set()),
    "hole": (changed("final", 2, poll(110, (A, 4, "v4 v5"), (A, 7, "never"), process="f", final=True)), set()),
    "G1a": (changed("final", 2, poll(110, (A, 4, "v4 v5 big"), process="f", final=True)), set()),
    "invented": (changed("final", 2, poll(110, (A, 4, "v4 v5 nobodys"), process="f", final=True)), set()),
    "int-poll-skip": (changed("assigned", 1, poll(50, (A, 0, "v0"), (B, 0, "u0"), (A, 2, "v2 v3"))), set()),
    "int-nonmonotonic-poll": (changed("assigned", 1, poll(50, (A, 0, "v0 v1 v2"), (B, 0, "u0"), (A, 2, "v2 v3"))), set()),
    "poll-skip": (changed("assigned", 1, poll(50, (A, 0, "v0 v1 v2"), (B, 0, "u0"))), set()),
    "nonmonotonic-poll": (changed("group", 3, poll(70, (A, 2, "v2 v3 v4"), process="g", group="group")), set()),
    "int-nonmonotonic-send": (changed("sends", 2, send(30, (A, "v5", "ok", 5), (A, "v4", "ok", 4))), set()),
    "nonmonotonic-send": (added("sends", send(5, (A, "w", "ok", 6))), {"unseen"}),
    "offset-reset": (added("assigned", {"op": "offset-reset", "process": "a", "session": 1, "detail": "OFFSET_OUT_OF_RANGE"}), set()),
    "committed-beyond-end": (changed("watch", 5, ends(91, 4, 1)), set()),
    "commit-lost": (added("watch", committed(98, 2), ends(99, 6, 1)), set()),
    "commit-skip": (changed("group", 2, poll(52, (A, 2, "v2"), (B, 0, "u0"), process="g", group="group", generation=(2, 2))), set()),
    "high-watermark-back": (changed("watch", 6, ends(95, 5)), set()),
    "epoch-back": (added("watch", epochs(97, 0)), set()),
}
DOCTORED["commit-skip"][0]["group"][3] = poll(70, (A, 4, "v4"), process="g", group="group", generation=(3, 3))

# What looks wrong and is allowed.
ALLOWED = {
    "a clean history": clean(),
    "a rebalance within a poll": changed("group", 3, poll(70, (A, 2, "v2 v3 v4"), process="g", group="group", generation=(1, 2))),
    "a record that a producer without idempotence wrote twice": added(
        "final", send(45, (A, "w", "ok", 7), process="q", idempotent=False), poll(115, (A, 6, "w w"), process="f", final=True)),
    "an unanswered record that arrived late": added("sends", send(6, (A, "late", "info", None), process="q")),
    "a commit whose answer was lost": added("watch", committed(74, 3), ends(75, 6)),
}


def second(at):
    return at * 1_000_000_000


def traffic(begin, end, error=None, trouble=None):
    """A send from second `begin` to `end`, and a client that tells of a lost connection at second `trouble`."""
    line = send(second(begin), (A, "v", "info" if error else "ok", None if error else 0))
    line["complete"], line["records"][0][4] = second(end), error
    told = [{"op": "trouble", "process": "p", "at": second(trouble), "code": "_TRANSPORT"}] if trouble else []
    return Traffic(History([line, *told]))


# A fault from second 10 to 15, what went on then, and whether the fault met it.
MET = (
    ("kill", traffic(9, 16, trouble=11), True),
    ("kill", traffic(9, 16), False),
    ("kill", traffic(9, 16, trouble=18), False),
    ("reset", traffic(11, 16, trouble=11), False),
    ("stop", traffic(9, 16), True),
    ("stop", traffic(9, 12), False),
    ("full", traffic(9, 12, error="KAFKA_STORAGE_ERROR"), True),
    ("full", traffic(9, 12, error="_MSG_TIMED_OUT"), False),
)


def main():
    failed = 0
    for number, (kind, went_on, expected) in enumerate(MET):
        if went_on.met(Fault(kind, second(10), second(15))) != expected:
            failed += 1
            print(f"FAIL a fault that met traffic, or did not: row {number}, {kind}")
    unknown = {check.name for check in CHECKS} ^ DOCTORED.keys()
    cases = [(name, parts, set(), set()) for name, parts in ALLOWED.items()]
    cases += [(name, parts, {name}, others) for name, (parts, others) in DOCTORED.items()]
    for name, parts, expected, others in cases:
        got = found(parts)
        if not expected <= got <= expected | others:
            failed += 1
            print(f"FAIL {name}: found {sorted(got)}")
    if unknown:
        failed += 1
        print(f"FAIL checks without a doctored history, or the other way round: {sorted(unknown)}")
    print(f"{len(cases) + len(MET) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
