"""Builds the clients and fetches the peers, once, below .cache/bench. A peer that cannot be had is skipped by name."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "clients"))

from environments import Missing, digest, kafka_tools, need, only_one_installs, run, stamped  # noqa: E402

CACHE = HERE.parent.parent / ".cache" / "bench"
CONFLUENT, NOIDA = "confluent-kafka==2.16.1", "noida-db==0.2.3"

__all__ = ["CACHE", "Missing", "go_programs", "kafka_tools", "librdkafka", "noida"]


def wheel(name, requirement):
    """A virtual environment with one wheel in it; returns its site-packages."""
    folder = CACHE / name

    def install(_, log):
        run([sys.executable, "-m", "venv", str(folder)], log)
        run([str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps", requirement], log)

    with only_one_installs():
        stamped(folder, digest(sys.version, str(folder), requirement), install)
    return next(folder.glob("lib/python*/site-packages"))


def go_programs():
    """The raw client and kfake as a program."""
    need("go")
    folder = CACHE / "go"
    folder.mkdir(parents=True, exist_ok=True)
    run(["go", "build", "-trimpath", "-o", f"{folder}/", "./client", "./kfaked"], CACHE / "go.log", cwd=HERE)
    return folder / "client", folder / "kfaked"


def librdkafka():
    """Our C program, linked with the library inside confluent-kafka's wheel."""
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        raise Missing("there is no C compiler")
    libraries = wheel("confluent", CONFLUENT) / "confluent_kafka.libs"
    library = next(libraries.glob("librdkafka-*.so*"), None)
    if library is None:
        raise Missing("the wheel of confluent-kafka has no librdkafka beside it")
    program = CACHE / "librdkafka"
    command = [compiler, "-O2", "-o", str(program), str(HERE / "librdkafka.c"), str(library)]
    run([*command, f"-Wl,-rpath,{libraries}", "-Wl,--allow-shlib-undefined"], CACHE / "librdkafka.log")
    return program


def noida():
    program = wheel("noida", NOIDA) / "noida_db" / "noida-db"
    if not program.is_file():
        raise Missing("the wheel of noida-db has no binary for this machine")
    program.chmod(0o755)
    return program
