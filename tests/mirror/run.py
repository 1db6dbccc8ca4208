"""`headwater mirror` between two Headwater brokers and Apache Kafka: there, on to a third one, and back, with everything that gets in the way.

    run.py --binary target/release/headwater [--seed N]
    run.py --binary ... --quick        only what needs no Apache Kafka, in less than a minute

Needs confluent-kafka, which is installed below .cache, and without --quick Java and Maven for Apache Kafka (or its jars in $KAFKA_JARS).
"""

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from environments import Missing, prepare  # noqa: E402  (the paths must be known first)
from table import CLIENTS  # noqa: E402

LIBRARY = "confluent-2.16.1"


def left_out(reason):
    print(f"left out: {reason}")
    print("0 passed, 1 failed, 0 skipped" if os.environ.get("CI") else "0 passed, 0 failed, 1 skipped")
    sys.exit(1 if os.environ.get("CI") else 0)


def with_library():
    """Runs this program again by the Python that has confluent-kafka."""
    command = prepare([client for client in CLIENTS if client.name == LIBRARY])[LIBRARY]
    if isinstance(command, Missing):
        left_out(f"{LIBRARY}: {command}")
    os.execv(command[0], [command[0], *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    begin = time.monotonic()
    print(f"--seed {given.seed}", flush=True)
    quick = Quick(given.binary, given.seed)
    quick.run(slow=not given.quick)
    passed, failed, skipped = quick.passed, quick.failed, 0
    try:
        if not given.quick:
            find_jars()
            done = rounds(given.binary, given.seed)
            passed, failed = passed + done.passed, failed + done.failed
    except Missing as reason:
        print(f"left out: {reason}")
        failed, skipped = (failed + 1, 0) if os.environ.get("CI") else (failed, 1)
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        with_library()
    from kafka import find_jars
    from quick import Quick
    from rounds import rounds

    main()
