"""Fills a folder with the packages of a class, for `headwater serve --wheelhouse FOLDER`: for several systems and versions of Python, whatever this
machine is.

wheelhouse.py --into FOLDER [--for windows --for linux] [--python 3.12 --python 3.13] [--board] [--spark]

Without --board and --spark: what the Python challenges need, 24 MB for each version of Python. --board adds the dashboard of C3, --spark what the
Spark challenges need on laptops.
"""

import argparse
import subprocess
import sys
from pathlib import Path

CHALLENGES = Path(__file__).resolve().parent.parent / "challenges"
SYSTEMS = {
    "windows": ("win_amd64",),
    "macos": ("macosx_15_0_arm64",),
    "macos-intel": ("macosx_15_0_x86_64",),
    "linux": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux-arm": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
}
# pip asks this machine, and not the one that it downloads for, whether a package needs these.
ONLY_SOMEWHERE = ("colorama", "tzdata")


def files(board, spark):
    return [
        CHALLENGES / "shared" / "requirements.txt",
        *([CHALLENGES / "03-sales-dashboard" / "requirements.txt"] if board else []),
        *([CHALLENGES / "shared" / "spark" / "requirements-spark.txt"] if spark else []),
    ]


def wanted(requirements):
    lines = [line.strip() for file in requirements for line in file.read_text().splitlines()]
    return [line for line in dict.fromkeys(lines) if line and not line.startswith("#")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--for", dest="systems", action="append", choices=list(SYSTEMS), help="all of them if it is left out")
    parser.add_argument("--python", dest="pythons", action="append", help="3.11, 3.12 and 3.13 if it is left out")
    parser.add_argument("--board", action="store_true")
    parser.add_argument("--spark", action="store_true")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    failed = []
    lines = wanted(files(asked.board, asked.spark))
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    # PySpark comes as a source package. What is made of it here is the same for all systems, and students need not make it.
    for line in (line for line in lines if line.startswith("pyspark")):
        if subprocess.run((*pip, "wheel", "--no-deps", "--wheel-dir", str(asked.into), line)).returncode:
            failed.append(line)
    binary = ("download", "--only-binary=:all:", "--find-links", str(asked.into), "--dest", str(asked.into))
    for python in asked.pythons or ("3.11", "3.12", "3.13"):
        for system in asked.systems or SYSTEMS:
            platforms = [word for platform in SYSTEMS[system] for word in ("--platform", platform)]
            command = (*pip, *binary, "--python-version", python, *platforms, *lines, *ONLY_SOMEWHERE)
            print(f"{system}, Python {python}", flush=True)
            if subprocess.run(command).returncode:
                failed.append(f"{system} with Python {python}")
    found = [path for path in asked.into.iterdir() if path.is_file()]
    print(f"{len(found)} files, {sum(path.stat().st_size for path in found) / 1e6:.0f} MB in {asked.into}")
    if failed:
        print(f"not all of it could be downloaded: {', '.join(failed)}; pip says why above")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
