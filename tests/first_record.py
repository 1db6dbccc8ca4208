"""Seconds from `make run` in a fresh clone to the first record in Python, the build apart.

    first_record.py [--topic ecommerce-events] [--bootstrap 127.0.0.1:9092] [--command "make run"]

The clone is made from this repository's HEAD into a temporary folder, with a target folder of its own. The Python client is
installed beforehand: a person's `pip install` is not what is measured.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from environments import Missing, prepare
from table import CLIENTS

LIBRARY = "confluent-2.16.1"
LIMIT = 1800


def wait_for_record(bootstrap, topic, process, out):
    import socket

    import confluent_kafka as ck

    host, port = bootstrap.rsplit(":", 1)
    listening = None
    while listening is None:
        try:
            socket.create_connection((host, int(port)), 1).close()
            listening = time.monotonic()
        except OSError:
            check_alive(process, out)
            time.sleep(0.01)
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": f"first-record-{os.getpid()}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    while True:
        message = consumer.poll(0.05)
        if message is not None and not message.error():
            seen = time.monotonic()
            consumer.close()
            return listening, seen, message.value()
        check_alive(process, out)


def check_alive(process, out):
    if process.poll() is not None:
        sys.exit(f"the command ended with {process.returncode}:\n{out.read_text(errors='replace')[-2000:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topic", default="ecommerce-events")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--command", default="make run")
    arguments = parser.parse_args()
    command = prepare([client for client in CLIENTS if client.name == LIBRARY])[LIBRARY]
    if isinstance(command, Missing):
        sys.exit(f"{LIBRARY}: {command}")
    if sys.executable != command[0] and not os.environ.get("FIRST_RECORD_INNER"):
        os.environ["FIRST_RECORD_INNER"] = "1"
        os.execv(command[0], [command[0], *sys.argv])
    with tempfile.TemporaryDirectory(prefix="headwater-clone-") as folder:
        clone, out = Path(folder) / "headwater", Path(folder) / "out"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"no record after {LIMIT} s"))
        signal.alarm(LIMIT)
        begin = time.monotonic()
        with out.open("wb") as log:
            process = subprocess.Popen(shlex.split(arguments.command), cwd=clone, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, start_new_session=True)
        try:
            listening, seen, value = wait_for_record(arguments.bootstrap, arguments.topic, process, out)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)
    print(f"{seen - begin:.1f} s from `{arguments.command}` to the first record in Python: "
          f"{listening - begin:.1f} s to build and listen, {seen - listening:.3f} s to the record {value[:60]!r}")


if __name__ == "__main__":
    main()
