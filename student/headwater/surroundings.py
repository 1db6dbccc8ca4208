"""What is to be known of this computer: where this Python runs, what is installed in it, which Java there is."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from headwater import settings

OLDEST_PYTHON, NEWEST_PYTHON = (3, 9), (3, 14)
OLDEST_JAVA, NEWEST_JAVA = 17, 21
WHEELS = {
    ("linux", "x86_64"),
    ("linux", "aarch64"),
    ("darwin", "x86_64"),
    ("darwin", "arm64"),
    ("win32", "amd64"),
}


class Python(NamedTuple):
    version: tuple
    bits: int
    system: str
    machine: str
    libc: str
    free_threaded: bool

    def __str__(self):
        extra = " without GIL" if self.free_threaded else ""
        libc = f", {self.libc}" if self.libc and self.libc != "glibc" else ""
        return f"Python {self.version[0]}.{self.version[1]}{extra}, {self.bits} bits, {self.system} {self.machine}{libc}"


def python() -> Python:
    libc = ""
    if sys.platform.startswith("linux"):
        libc = platform.libc_ver()[0] or ("musl" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") or _is_alpine() else "")
    return Python(
        sys.version_info[:2],
        struct.calcsize("P") * 8,
        "linux" if sys.platform.startswith("linux") else sys.platform,
        platform.machine().lower(),
        libc,
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    )


def _is_alpine():
    return Path("/etc/alpine-release").exists()


def wheel_fault(found: Python) -> str | None:
    """The cause why pip would find no ready-made confluent-kafka, if there is one."""
    if found.bits != 64:
        return "python-32-bit"
    served = (found.system, found.machine) in WHEELS and found.libc != "musl" and not found.free_threaded
    return None if served and OLDEST_PYTHON <= found.version <= NEWEST_PYTHON else "no-wheel"


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def confluent_kafka_fault() -> str | None:
    """Why the installed library cannot be loaded. Asked in another process: a crash in it would end this one."""
    command = [sys.executable, "-c", "import confluent_kafka; confluent_kafka.libversion()"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.SubprocessError) as reason:
        return str(reason)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]


def old_kafka_python() -> str | None:
    for name in ("kafka", "kafka-python-ng"):
        version = installed(name)
        if version:
            return f"{name} {version}"
    version = installed("kafka-python")
    if version and version.split(".")[0].isdigit() and int(version.split(".")[0]) < 3:
        return f"kafka-python {version}"
    return None


def java() -> tuple[int, str] | None:
    """(major version, its path) of the Java that Spark would take: JAVA_HOME first, then the path."""
    home = os.environ.get("JAVA_HOME")
    places = [shutil.which("java", path=str(Path(home) / "bin"))] if home else []
    for place in [*places, shutil.which("java")]:
        if not place or _is_stub(place):
            continue
        try:
            done = subprocess.run([place, "-version"], capture_output=True, text=True, errors="replace", timeout=20, check=False)
        except (OSError, subprocess.SubprocessError):
            continue
        told = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
        if told:
            major = int(told.group(1))
            return (int(told.group(2) or 1) if major == 1 else major), place
    return None


def _is_stub(place):
    """macOS has a /usr/bin/java that only opens a window when no Java is installed."""
    if sys.platform != "darwin" or place != "/usr/bin/java":
        return False
    return subprocess.run(["/usr/libexec/java_home"], capture_output=True, check=False).returncode != 0


def inside() -> str | None:
    """The box that this Python runs in, if localhost is another computer's there."""
    if os.environ.get("CODESPACES"):
        return "a Codespace"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or os.environ.get("REMOTE_CONTAINERS"):
        return "a container"
    try:
        if "microsoft" in Path("/proc/version").read_text(encoding="utf-8", errors="replace").lower():
            return "WSL"
    except OSError:
        pass
    return None


class SparkJars(NamedTuple):
    folder: str
    names: tuple
    named: bool  # by HEADWATER_SPARK_JARS
    maven: bool


def spark_jars() -> SparkJars:
    """Where the notebooks' lakehouse.py looks for jars, and what is there."""
    named = os.environ.get("HEADWATER_SPARK_JARS")
    place = Path(named or settings.folder() / "spark-jars")
    names = tuple(sorted(file.name for file in place.glob("*.jar")))
    return SparkJars(str(place), names, bool(named), bool(shutil.which("mvn")))


def other_worker_python() -> str | None:
    """The Python that Spark would start for its workers, if it is not this one."""
    given = os.environ.get("PYSPARK_PYTHON")
    if not given:
        return None
    found = shutil.which(given) or given
    # a link is what makes a virtual environment, so links are not followed; python and python3 beside each other are the same
    here, there = (os.path.normcase(os.path.abspath(path)) for path in (sys.executable, found))
    same = here == there or (os.path.dirname(here) == os.path.dirname(there) and os.path.realpath(here) == os.path.realpath(there))
    return None if same else given


def other_spark_home() -> str | None:
    """A Spark that PySpark would run in place of its own."""
    given = os.environ.get("SPARK_HOME")
    if not given:
        return None
    own = importlib.util.find_spec("pyspark")
    places = own.submodule_search_locations if own and own.submodule_search_locations else []
    return None if any(os.path.realpath(place) == os.path.realpath(given) for place in places) else given
