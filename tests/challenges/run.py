"""The challenges for real: each solution, each starter and each wrong solution, with the clients that students use, in a classroom.

run.py --binary target/release/headwater [WORD...]   only cases with one of these words in their name
run.py --binary ... --matrix                         three seeds, each with every level of dirt

One seed and one level of dirt a run, others each time; SEED and DIRT in the environment choose them.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Callable, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

import board  # noqa: E402  (the paths must be known first)
import scripts  # noqa: E402
from environments import Missing, only_one_installs, python_with  # noqa: E402
from folders import CHALLENGES, folders  # noqa: E402
from room import Room  # noqa: E402

# Most of a case is waiting for records that are still to come.
AT_ONCE = 6
SEEDS = (42, 1729, 31337)


class Case(NamedTuple):
    challenge: str
    name: str
    run: Callable
    # Long ones begin first.
    long: bool = False


def cases(room, pythons, dirt):
    for folder in folders("python"):
        if folder.sheet["topics"] and "board" in folder.sheet["truth"]["kind"]:
            for name, run, long in board.cases(room, folder, pythons["board"], dirt):
                yield Case(folder.id, name, run, long)
            continue
        for name, run in scripts.cases(room, folder, pythons["scripts"], dirt):
            yield Case(folder.id, name, run)


def tried(case):
    begin = time.monotonic()
    try:
        outcome = case.run()
    except Exception as reason:  # one case must not keep the others from running
        outcome = f"FAIL: {type(reason).__name__}: {reason}"
    return case, outcome, time.monotonic() - begin


def shown(found):
    case, outcome, seconds = found
    most = 1200 if outcome.startswith("FAIL") else 170
    print(f"{case.challenge}  {case.name:<38} {seconds:5.1f} s  {' '.join(outcome.split())[:most]}", flush=True)


def wanted(name, words):
    return not words or any(word in name for word in words)


def one_town(binary, seed, dirt, words, pythons):
    """Passed, failed and skipped, of a town of its own."""
    begin = time.monotonic()
    print(f"\nseed {seed}, dirt {dirt}", flush=True)
    room = Room(binary, "--seed", str(seed), "--dirt", str(dirt))
    try:
        chosen = [case for case in cases(room, pythons, dirt) if wanted(f"{case.challenge} {case.name}", words)]
        chosen.sort(key=lambda case: not case.long)
        found = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for one in pool.map(tried, chosen):
                found.append(one)
                shown(one)
        if not words or "stale" in words:
            found.append(tried(Case("c01", "stale: the streams began anew", partial(scripts.stale, room))))
            shown(found[-1])
        problem = room.problem()
        if problem:
            print(f"FAIL: {problem}")
    finally:
        room.close()
    failed = sum(outcome.startswith("FAIL") for _, outcome, _ in found) + bool(problem)
    skipped = sum(outcome.startswith("skip") for _, outcome, _ in found)
    print(f"{len(found)} cases in {time.monotonic() - begin:.0f} s")
    return max(0, len(found) - failed - skipped), failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/headwater")
    parser.add_argument("--matrix", action="store_true")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    try:
        with only_one_installs():
            pythons = {
                "scripts": python_with("challenges", CHALLENGES / "shared" / "requirements.txt"),
                "board": python_with("challenges-board", CHALLENGES / "03-sales-dashboard" / "requirements.txt"),
            }
    except Missing as reason:
        failed = int(bool(os.environ.get("CI")))
        print(f"the clients cannot be had: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
        return failed
    if given.install_only:
        return 0
    binary, turn = str(Path(given.binary).resolve()), int(time.time()) // 60
    towns = [(seed, dirt) for seed in SEEDS for dirt in (0, 1, 2)]
    if not given.matrix:
        towns = [(int(os.environ.get("SEED", 1 + turn % 9973)), int(os.environ.get("DIRT", turn % 3)))]
    counts = [one_town(binary, seed, dirt, given.words, pythons) for seed, dirt in towns]
    own = [tried(Case("own", name, run)) for name, run in scripts.own_challenge(binary, pythons["scripts"]) if wanted("own", given.words)]
    for one in own:
        shown(one)
        counts.append((int(not one[1].startswith("FAIL")), int(one[1].startswith("FAIL")), 0))
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
