#!/usr/bin/env python3
"""make bench: Headwater beside other brokers, in one run, with one client. Prints the table, the ratios and the goals."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import install  # noqa: E402
import report  # noqa: E402
from peers import Failed, Headwater, Kafka, Kfake, Noida  # noqa: E402
from rows import FULL, GB, QUICK, Bench  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="headwater, built for release")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="five, or one if quick")
    parser.add_argument("--only", default="", help="peers, with commas between; Headwater is always there")
    parser.add_argument("--big", action="store_true", help="also kill -9 with 10 GB")
    parser.add_argument("--no-recovery", action="store_true")
    parser.add_argument("--port", type=int, default=19_400)
    parser.add_argument("--folder", help="where the brokers keep their data; a temporary folder beside .cache otherwise")
    parser.add_argument("--page", type=Path, help="a Markdown page that gets the tables")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def peers(asked, binary):
    """The brokers that can be had here. Go must be there: the client is made with it."""
    client, kfaked = install.go_programs()
    makers = {
        "kafka": lambda: Kafka(install.kafka_tools()),
        "kfake-mem": lambda: Kfake(kfaked, disk=False),
        "kfake-disk": lambda: Kfake(kfaked, disk=True),
        "noida": lambda: Noida(install.noida()),
    }
    found = [Headwater(binary)]
    for name, make in makers.items():
        if name not in (asked.split(",") if asked else makers):
            continue
        try:
            found.append(make())
        except (install.Missing, OSError) as reason:
            say(f"skipped: {name}: {reason}")
    return client, found


def measure(bench, brokers, args, rounds):
    """Rounds of every broker, each round beginning with the next one."""
    results = {peer.name: [] for peer in brokers}
    results["ceiling"] = []
    for number in range(rounds):
        turn = number % len(brokers)
        for peer in brokers[turn:] + brokers[:turn]:
            began = time.monotonic()
            try:
                values = bench.round(peer)
                if peer.durable and not args.no_recovery:
                    values |= bench.recovery(peer, bench.scale.recovery_bytes, "kill")
                    if args.big and number == 0:
                        values |= bench.recovery(peer, 10 * GB, "kill10")
                results[peer.name].append(values)
            except Failed as reason:
                say(f"{peer.title}: {reason}")
            say(f"round {number + 1} of {rounds}: {peer.title}, {time.monotonic() - began:.0f} s")
        if bench.lib:
            results["ceiling"].append(bench.ceiling())
    return results


def main():
    args = arguments()
    scale, rounds = (QUICK, args.rounds or 1) if args.quick else (FULL, args.rounds or 5)
    install.CACHE.mkdir(parents=True, exist_ok=True)
    try:
        client, brokers = peers(args.only, args.binary)
    except install.Missing as reason:
        sys.exit(f"no bench: {reason}")
    try:
        lib = install.librdkafka()
    except (install.Missing, OSError) as reason:
        lib = say(f"skipped: the rows of librdkafka: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=args.folder or install.CACHE))
    try:
        results = measure(Bench(client, lib, scale, folder, args.port, say), brokers, args, rounds)
        titles = {peer.name: peer.title for peer in brokers} | {"ceiling": "ceiling"}
        (install.CACHE / "results.json").write_text(json.dumps(results, indent=1))
        values = {name: report.medians(found) for name, found in results.items()}
        told = f"{rounds} rounds, medians" if rounds > 1 else "One round"
        page = report.page(values, titles, folder, f"{told}{', short ones' if args.quick else ''}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.page:
        # What people have added there stays.
        _, notes, text = args.page.read_text().partition("\n## Notes\n") if args.page.exists() else ("", "", "")
        args.page.write_text(page.rstrip() + "\n" + notes + text)
    print(page[page.index("Machine:"):])
    missed = report.missed(values)
    print(f"{len(missed)} goals missed" + (f": {', '.join(sorted({f'#{goal.number}' for goal in missed}, key=lambda m: int(m[1:])))}" if missed else ""))


if __name__ == "__main__":
    main()
