"""Installs each client once, below .cache/clients, and tells the command that runs its program.

A stamp file holds a digest of everything an environment is made from, so an unchanged one costs nothing.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import Tested

HERE = Path(__file__).resolve().parent
CACHE = (HERE.parent.parent / ".cache" / "clients").resolve()
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
LIMIT = 600


class Missing(Exception):
    """A tool that this machine lacks, or a package that could not be had: the client is skipped."""


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")


def run(command, log, cwd=None):
    with log.open("ab") as out:
        try:
            done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise Missing(f"{Path(command[0]).name} took more than {LIMIT} s, see {log}") from None
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed, see {log}")


def digest(*parts):
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
        whole.update(b"\0")
    return whole.hexdigest()


@contextlib.contextmanager
def only_one_installs():
    """Two runs at once must not install into the same folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stamped(folder, stamp, install):
    """Runs `install(folder, log)` in an emptied folder unless the folder's stamp says that it was done."""
    mark = folder / ".stamp"
    if mark.is_file() and mark.read_text() == stamp:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    install(folder, CACHE / f"{folder.name}.install.log")
    mark.write_text(stamp)


def python_command(tested):
    folder = CACHE / tested.name
    python = folder / "bin" / "python"

    def install(_, log):
        run([sys.executable, "-m", "venv", str(folder)], log)
        run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", *tested.requirements], log)

    stamped(folder, digest(sys.version, str(folder), *tested.requirements), install)
    return [str(python), str(HERE / tested.folder / "client.py")]


def python_with(name, requirements):
    """A Python with what a file of requirements asks for."""
    lines = [line.strip() for line in requirements.read_text().splitlines()]
    return python_command(Tested(name, "python", "", tuple(line for line in lines if line and not line.startswith("#"))))[0]


def node_command(tested):
    need("node", "npm")
    folder, source = CACHE / tested.name, HERE / tested.folder
    manifests = [source / "package.json", source / "package-lock.json"]

    def install(_, log):
        for manifest in manifests:
            shutil.copy(manifest, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], log, cwd=folder)

    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    stamped(folder, digest(node, *manifests), install)
    return ["env", f"NODE_PATH={folder / 'node_modules'}", "node", str(source / "client.js")]


def java_command(tested):
    need("java", "javac", "mvn")
    (version,) = tested.requirements
    source, jars, classes = HERE / tested.folder, CACHE / f"{tested.name}-jars", CACHE / f"{tested.name}-classes"
    pom, programs = source / "pom.xml", sorted(source.glob("*.java"))

    def fetch(folder, log):
        shutil.copy(pom, folder)
        run(["mvn", "-q", "-B", "dependency:copy-dependencies", f"-Dkafka.version={version}", "-DoutputDirectory=lib", "-DincludeScope=runtime"], log, cwd=folder)

    def compile_programs(folder, log):
        run(["javac", "-nowarn", "-d", str(folder), "-cp", f"{jars / 'lib'}/*", *map(str, programs)], log)

    stamped(jars, digest(version, pom), fetch)
    stamped(classes, digest(version, pom, *programs), compile_programs)
    return ["java", *JVM, "-cp", f"{jars / 'lib'}/*:{classes}", "Client"]


def kcat_command(tested):
    need("kcat")
    return [sys.executable, str(HERE / tested.folder / "client.py")]


def kafka_tools():
    """Apache Kafka's own tools, for the Rust test that reads our folders with them. Returns the folder of jars."""
    need("java", "mvn")
    folder, pom = CACHE / "kafka-tools", HERE.parent / "kafka-tools" / "pom.xml"

    def fetch(_, log):
        shutil.copy(pom, folder)
        run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"], log, cwd=folder)

    with only_one_installs():
        stamped(folder, digest(pom), fetch)
    return folder / "lib"


COMMANDS = {"python": python_command, "node": node_command, "java": java_command, "kcat": kcat_command}


def prepare(clients, topic_maker=None):
    """The command of each client, or the reason why it is skipped. Maven's local repository takes one writer at a time.

    kcat cannot create a topic with a partition count: `topic_maker` is the client that does it in its stead.
    """
    with only_one_installs():
        return prepare_locked(clients, topic_maker)


def prepare_locked(clients, topic_maker):
    def one(tested):
        try:
            return COMMANDS[tested.kind](tested)
        except (Missing, OSError, subprocess.SubprocessError) as reason:
            return Missing(str(reason))

    def several(group):
        return [(tested.name, one(tested)) for tested in group]

    java = [tested for tested in clients if tested.kind == "java"]
    groups = [java] + [[tested] for tested in clients if tested.kind != "java"]
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = dict(pair for group in pool.map(several, groups) for pair in group)
    if "kcat" in found and not isinstance(found["kcat"], Missing):
        helper = found.get(topic_maker.name) or one(topic_maker)
        if isinstance(helper, Missing):
            found["kcat"] = Missing(f"its topics are made by {topic_maker.name}: {helper}")
        else:
            os.environ["CREATE_TOPIC"] = "\t".join([helper[0], str(HERE / topic_maker.folder / "create_topic.py")])
    return found
