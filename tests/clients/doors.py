"""The doors of a classroom, tried by real clients.

    doors.py --binary target/release/headwater             logins, then resets
    doors.py --binary ... --only logins --words            also what each client says, as a table

Each client logs in on a listener in clear and on one with TLS, with the right password and a wrong one, as somebody who does not exist, and
asks for what is not theirs. Then everything is reset under clients that read and write.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "doors"), str(HERE.parent / "student")]

import certificates  # noqa: E402  (the path must be known first)
import logins  # noqa: E402
import programs  # noqa: E402
import resets  # noqa: E402
from environments import Missing  # noqa: E402
from rig import Classroom  # noqa: E402


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def take(self, name, problem):
        self.passed += problem is None
        self.failed += problem is not None
        if problem is not None:
            print(f"FAIL {name}: {problem}", flush=True)

    def leave_out(self, name, reason):
        """In CI nothing may be missing."""
        if os.environ.get("CI"):
            self.take(name, reason)
        else:
            self.skipped += 1
            print(f"skip {name}: {reason}", flush=True)


def foreign_authority(folder, count):
    try:
        return certificates.Authority(Path(folder), "foreign").pem
    except certificates.Missing as reason:
        count.leave_out("a foreign certificate authority", str(reason))
        return None


def show_words(outcomes):
    print("\nwhat the clients say")
    for outcome in outcomes:
        if outcome.words:
            print(f"  {outcome.client}, {outcome.job['id']} ({outcome.seconds:.1f} s)")
            print("".join(f"      {text[:300]}\n" for text in dict.fromkeys(outcome.words)), end="")


def grid(outcomes):
    """Seconds by client and question."""
    clients = list(dict.fromkeys(outcome.client for outcome in outcomes))
    found = {(outcome.client, outcome.job["id"]): outcome for outcome in outcomes}
    ids = sorted({outcome.job["id"] for outcome in outcomes}, key=[outcome.job["id"] for outcome in outcomes].index)
    cell = lambda outcome: "-" if outcome is None else f"{'FAIL ' if outcome.problem else ''}{outcome.seconds:.1f}"
    rows = [["", *clients]] + [[id_, *(cell(found.get((client, id_))) for client in clients)] for id_ in ids]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip() for row in rows)


def try_logins(binary, commands, count, words):
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        foreign = foreign_authority(folder, count)
        room = Classroom(binary)
        try:
            outcomes = logins.try_all(room, commands, foreign)
            count.take("the broker", room.problem())
        finally:
            room.close()
    print(f"\nseconds, {len(commands)} clients\n{grid(outcomes)}")
    for outcome in outcomes:
        count.take(f"{outcome.client}, {outcome.job['id']}", outcome.problem)
    wrong = [outcome for outcome in outcomes if outcome.problem is None and outcome.job["until"] == logins.LOGIN_REFUSED]
    slowest = max(wrong, key=lambda outcome: outcome.seconds, default=None)
    if slowest:
        print(f"a refused login is told after {slowest.seconds:.1f} s at most ({slowest.client}; to be under 5 s); all took {time.monotonic() - begin:.0f} s")
    if words:
        show_words(outcomes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/headwater")
    parser.add_argument("--client", action="append", default=[], choices=list(programs.VERSIONS), help="only this client (repeatable)")
    parser.add_argument("--only", choices=("logins", "resets", "disk"), help="a part of it")
    parser.add_argument("--words", action="store_true", help="print all that the clients say")
    given = parser.parse_args()
    count, found = Count(), programs.commands(given.client or list(programs.VERSIONS))
    for client, command in found.items():
        if isinstance(command, Missing):
            count.leave_out(client, str(command))
    commands = {client: command for client, command in found.items() if not isinstance(command, Missing)}
    if given.only in (None, "logins"):
        try_logins(given.binary, commands, count, given.words)
    if given.only in (None, "resets"):
        resets.under_clients(given.binary, {client: command for client, command in commands.items() if client != "kcat"}, count, given.words)
    if given.only in (None, "disk"):
        resets.on_full_disk(given.binary, count)
    print(f"\n{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
