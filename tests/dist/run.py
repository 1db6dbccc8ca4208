"""What a release consists of, as its user has it: the archive unpacked, the wheel installed, a record read from what was installed. And what a
student installs from a running broker.

run.py --binary target/release/headwater
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "clients"))

from environments import only_one_installs, python_with  # noqa: E402  (the path must be known first)

READ_WITHIN_S = 20
FIRST_RECORD = """
import sys, time
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "dist", "auto.offset.reset": "earliest"})
consumer.subscribe(["ecommerce-events"])
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    message = consumer.poll(0.5)
    if message is not None and not message.error():
        print(message.value().decode())
        break
consumer.close()
"""


def output(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def one(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def sums_fit(dist, _):
    lines = [line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines()]
    assert len(lines) == 3, lines
    for digest, name in lines:
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest, name


def archive_is_whole(dist, work):
    with tarfile.open(one(dist, "*.tar.gz")) as tar:
        tar.extractall(work, filter="data")
    folder = one(work, "headwater-*")
    assert output(folder / "headwater", "--version").startswith("headwater ")
    subprocess.run(("bash", "-n", folder / "headwater.bash"), check=True)
    completed = output("bash", "-c", 'source "$0"; COMP_WORDS=(headwater inc); COMP_CWORD=1; _headwater headwater inc headwater; echo "${COMPREPLY[*]}"', folder / "headwater.bash")
    assert completed.split() == ["incident"], completed
    manual = (folder / "headwater.1").read_text()
    assert ".TH headwater 1" in manual and "disk\\-floor\\-mib" in manual
    for name in ("_headwater", "headwater.fish", "headwater.elv", "headwater.ps1"):
        assert "incident" in (folder / name).read_text(), name
    # Static: no interpreter and no library that another machine might lack.
    head = (folder / "headwater").read_bytes()
    assert b"/lib64/ld-linux" not in head[:4096], "the binary asks for the system's C library"


def bill_names_what_is_inside(dist, _):
    bill = json.loads(one(dist, "*.cdx.json").read_text())
    names = {component["name"]: component for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and len(names) > 100, len(names)
    for name in ("tokio", "rdkafka-sys", "ring", "preact"):
        assert re.match(r"\d+\.\d+", names[name]["version"]) and names[name]["licenses"], names[name]
    assert not {"criterion", "proptest", "playwright"} & set(names), "what only tests use is not in the binary"


def wheel_gives_a_broker(dist, work, python):
    wheel = one(dist, "*.whl")
    assert re.fullmatch(r"headwater-[\d.]+-py3-none-manylinux_2_17_(\w+)\.musllinux_1_1_\1\.whl", wheel.name), wheel.name
    venv = work / "venv"
    output(sys.executable, "-m", "venv", venv)
    output(venv / "bin" / "python", "-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check", wheel)
    begin = time.monotonic()
    command = (venv / "bin" / "headwater", "--listen", "127.0.0.1:0", "--http", "off", "--data-dir", work / "data")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as broker:
        try:
            address = next(found[1] for line in broker.stdout if (found := re.search(r"Kafka clients\s+(\S+:\d+)", line)))
            record = json.loads(output(python, "-c", FIRST_RECORD, address, str(READ_WITHIN_S)))
            print(f"  wheel of {wheel.stat().st_size / 1e6:.1f} MB: a record of {record['event_type']} {time.monotonic() - begin:.1f} s after the start")
        finally:
            broker.send_signal(signal.SIGTERM)
    assert broker.returncode == 0, broker.returncode


def wheelhouse_is_enough_to_install(_, work, binary):
    """Packages come from the broker alone, and the client among them reads a record."""
    house, begin = work / "wheelhouse", time.monotonic()
    system = "linux-arm" if platform.machine() == "aarch64" else "linux"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    output(sys.executable, "-m", "venv", work / "student")
    python = work / "student" / "bin" / "python"
    output(python, ROOT / "student" / "wheelhouse.py", "--into", house, "--for", system, "--python", version)
    filled = time.monotonic()
    command = (binary, "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", work / "class", "--wheelhouse", house)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as broker:
        try:
            address = next(found[1] for line in broker.stdout if (found := re.search(r"Kafka clients\s+(\S+:\d+)", line)))
            page = next(found[1] for line in broker.stdout if (found := re.search(r"Web page\s+(\S+)", line)))
            alone = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))} | {"PIP_CONFIG_FILE": os.devnull}
            index = ("--index-url", f"{page}wheels/", "--trusted-host", "127.0.0.1")
            said = output(python, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", *index, "confluent-kafka", "kafka-python", env=alone)
            came = re.findall(r"Downloading (\S+)", said)
            assert len(came) == 2 and all(url.startswith(f"{page}wheels/") for url in came), said
            record = json.loads(output(python, "-c", FIRST_RECORD, address, str(READ_WITHIN_S)))
            assert record["event_type"], record
            refused = subprocess.run((python, "-m", "pip", "install", "--no-cache-dir", *index, "not-there"), env=alone, capture_output=True, text=True)
            assert refused.returncode == 1 and "No matching distribution found for not-there" in refused.stderr, refused
        finally:
            broker.send_signal(signal.SIGTERM)
    assert broker.returncode == 0, broker.returncode
    print(f"  filled in {filled - begin:.0f} s, installed and read in {time.monotonic() - filled:.0f} s")


def same_again(dist, work, binary):
    output(sys.executable, ROOT / "docker" / "dist.py", "--binary", binary, "--into", work / "again")
    for path in (one(dist, "*.tar.gz"), one(dist, "*.whl")):
        assert path.read_bytes() == (work / "again" / path.name).read_bytes(), f"{path.name} is another the second time"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    binary = parser.parse_args().binary.resolve()
    with only_one_installs():
        python = python_with("challenges", ROOT / "challenges" / "shared" / "requirements.txt")
    failed = 0
    work = Path(tempfile.mkdtemp())
    try:
        print(output(sys.executable, ROOT / "docker" / "dist.py", "--binary", binary, "--into", work / "dist"), end="")
        tests = (
            (sums_fit, work),
            (archive_is_whole, work),
            (bill_names_what_is_inside, work),
            (wheel_gives_a_broker, work, python),
            (wheelhouse_is_enough_to_install, work, binary),
            (same_again, work, binary),
        )
        for test, *more in tests:
            try:
                test(work / "dist", *more)
                print(f"ok   {test.__name__.replace('_', ' ')}")
            except (AssertionError, StopIteration, subprocess.CalledProcessError, ValueError, OSError, KeyError) as error:
                failed += 1
                print(f"FAIL {test.__name__.replace('_', ' ')}: {error!r} {getattr(error, 'stderr', '') or ''}")
    except subprocess.CalledProcessError as error:
        tests, failed = [1], 1
        print(f"FAIL dist: {error} {error.stderr}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
