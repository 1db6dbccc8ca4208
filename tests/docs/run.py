"""Every code block of docs/ and README.md by its mark (blocks.py says which there are), every link, and the templates with real clients.

run.py --binary target/release/headwater [WORD...]   only pages and templates with one of these words in their name
"""

import argparse
import signal
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "clients"), str(ROOT / "tests" / "spark")]
sys.dont_write_bytecode = True

import commands  # noqa: E402  (the paths must be known first)
import links  # noqa: E402
import places  # noqa: E402
import templates  # noqa: E402
from page import Page  # noqa: E402
from environments import Missing, only_one_installs, python_with  # noqa: E402

AT_ONCE = 4
INDEX = ROOT / "docs" / "README.md"


def pages():
    return [ROOT / "README.md", ROOT / "docker" / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "templates").glob("*.md")), *sorted((ROOT / "docs" / "examples").glob("*/README.md"))]


def link_results(chosen):
    for page in chosen:
        faults = list(links.wrong(page, page.read_text(encoding="utf-8")))
        yield page.name, "links", "FAIL: " + "; ".join(faults) if faults else "ok", 0.0
    missing = links.forgotten(INDEX, pages()) if INDEX in chosen else []
    if missing:
        yield INDEX.name, "index", f"FAIL: it does not name {', '.join(missing)}", 0.0


def own_tests():
    """The mistakes that this program is there to find."""
    suite = unittest.defaultTestLoader.discover(str(HERE), "test_*.py", str(HERE))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    return result.testsRun, len(result.failures) + len(result.errors), len(result.skipped)


def main():
    # Who was started in the background ignores Ctrl+C, and so would all that is run here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    begin = time.monotonic()
    binary = str(Path(arguments.binary).resolve())
    commands.Program.binary = binary
    try:
        with only_one_installs():
            python = python_with("challenges", ROOT / "challenges" / "shared" / "requirements.txt")
    except Missing as reason:
        print(f"a Python with the clients cannot be had: {reason}\n0 passed, 1 failed, 0 skipped")
        return 1

    def wanted(name):
        return not arguments.words or any(word in name for word in arguments.words)

    run, failed, skipped = own_tests()
    passed = run - failed - skipped
    marks = {}
    brokers = places.Brokers(binary, python)
    chosen = [page for page in pages() if wanted(page.relative_to(ROOT).as_posix())]
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # Spark takes the longest, so the templates begin first.
            tried = [pool.submit(one) for one in templates.cases(brokers, python, wanted)]
            read = [pool.submit(lambda page=page: list(Page(page, brokers, python).results())) for page in chosen]
            results = [row for page in read for row in page.result()] + list(link_results(chosen)) + [one.result() for one in tried]
    finally:
        brokers.close()
    for name, kind, told, seconds in results:
        print(f"{name:<34} {kind:<22} {told}" + (f", {seconds:.1f} s" if seconds >= 0.1 else ""), flush=True)
        mark = kind.split()[-1]
        marks[mark] = marks.get(mark, 0) + 1
        passed += told == "ok"
        failed += told.startswith("FAIL")
        skipped += told.startswith(("skip", "unverified"))
    print(", ".join(f"{count} {mark}" for mark, count in sorted(marks.items())) + f"; {time.monotonic() - begin:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
