"""Spark as the challenges want it: a Python with PySpark and a folder of jars, made once below .cache. `make spark` calls it.

A second call costs nothing while the files that say what is wanted are the same.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from environments import CACHE, Missing, digest, need, only_one_installs, run, stamped  # noqa: E402  (the path must be known first)

SHARED = ROOT / "challenges" / "shared" / "spark"
# The tests look into notebooks and run one as Jupyter does.
FOR_TESTS = ("nbformat==5.10.4", "nbclient==0.10.2", "ipykernel==7.1.0")


class Stack(NamedTuple):
    python: str
    jars: str


def stack() -> Stack:
    need("java", "mvn")
    wanted, pom = SHARED / "requirements-spark.txt", SHARED / "spark-jars.xml"
    folder, jars = CACHE / "spark", CACHE / "spark-jars"
    python = folder / "bin" / "python"

    def install(_, log):
        run([sys.executable, "-m", "venv", str(folder)], log)
        run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(wanted), *FOR_TESTS], log)

    def fetch(into, log):
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
        run(["mvn", "-B", "-q", "-f", str(pom), goal, f"-DoutputDirectory={into}"], log)

    with only_one_installs():
        stamped(folder, digest(sys.version, str(folder), wanted, *FOR_TESTS), install)
        stamped(jars, digest(pom), fetch)
    return Stack(str(python), str(jars))


def left_out(reason) -> int:
    """What a test ends with where Spark cannot be had: skipped, in CI failed."""
    failed = int(bool(os.environ.get("CI")))
    print(f"Spark cannot be had: {reason}\n0 passed, {failed} failed, {1 - failed} skipped")
    return failed


def main():
    try:
        found = stack()
    except Missing as reason:
        print(f"Spark cannot be had: {reason}")
        return 1
    version = next(Path(found.jars).glob("spark-sql-kafka-*.jar")).stem.rsplit("-", 1)[1]
    print(f"PySpark {version} in {os.path.relpath(found.python)}, its jars for Kafka and Delta in {os.path.relpath(found.jars)}.")
    print(f"Java is {shutil.which('java')}. A notebook that `headwater.pyz start` has written, with what lies beside it, runs with:")
    print(f"  HEADWATER_SPARK_JARS={found.jars} {os.path.abspath(found.python)} NOTEBOOK.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
