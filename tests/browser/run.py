"""The dashboard in real Chromium, driven by Playwright: every page, every main act, hostile contents, a broker that goes away.

run.py --binary target/release/headwater [WORD...]   only files with one of these words in their name

Pictures of every page are left in target/browser. Chromium is the system's; CHROMIUM names another one.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "clients"))

from environments import Missing, only_one_installs, python_with  # noqa: E402  (the path must be known first)

WEB = ROOT / "web"
COUNT = re.compile(r"^\s*(\d+) (passed|failed|skipped|flaky|did not run)", re.MULTILINE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args()
    begin = time.monotonic()
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("there is no Chromium here; install it, or name one by CHROMIUM")
        print("0 passed, 1 failed")
        return 1
    try:
        with only_one_installs():
            python = python_with("challenges", ROOT / "challenges" / "shared" / "requirements.txt")
    except Missing as reason:
        print(f"a Python with confluent-kafka cannot be had: {reason}")
        print("0 passed, 1 failed")
        return 1
    if not (WEB / "node_modules" / "@playwright").is_dir():
        subprocess.run(("npm", "ci", "--silent"), cwd=WEB, check=True)
    environment = {**os.environ, "HEADWATER_BINARY": str(Path(asked.binary).resolve()), "CLIENT_PYTHON": str(python), "CHROMIUM": browser}
    process = subprocess.Popen(("npx", "playwright", "test", *asked.words), cwd=WEB, env=environment, stdout=subprocess.PIPE, text=True, errors="replace")
    lines = []
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    code = process.wait()
    counts = {kind: int(number) for number, kind in COUNT.findall("".join(lines))}
    failed = counts.get("failed", 0) + counts.get("flaky", 0) + counts.get("did not run", 0)
    if code and not failed:
        failed = 1
    print(f"{counts.get('passed', 0)} passed, {failed} failed, {counts.get('skipped', 0)} skipped")
    print(f"in {time.monotonic() - begin:.0f} s; pictures are in target/browser")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
