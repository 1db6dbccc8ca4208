"""Tests of the student's tool: its table, its parts, and doctor against what is broken on purpose.

run.py --binary target/release/headwater [NAME...]     only tests with one of these words in their name
"""

import argparse
import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import rig  # noqa: E402  (the path must be known first)


def chosen(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, words)
        elif not words or any(word in test.id() for word in words):
            yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    rig.Settings.binary = str(Path(arguments.binary).resolve())
    told = subprocess.run([rig.Settings.binary, "serve", "--help"], capture_output=True, text=True, check=False).stdout
    rig.Settings.classroom = "--classroom" in told
    suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(str(HERE), "test_*.py"), arguments.words))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    for test, reason in result.skipped:
        print(f"skipped {test.id()}: {reason}")
    passed = result.testsRun - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    # threads of the doubles may still wait for a client
    os._exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
