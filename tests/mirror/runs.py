"""What all parts share: brokers of our own, runs of the mirror, and what came of them."""

import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]

from broker import OwnBroker  # noqa: E402  (the paths must be known first)

LIMIT = 120
# Many brokers start and stop at once here: no port is given twice, and none that other tests try first.
PORTS = iter(range(26_000, 32_000))
ONE_ASKS = threading.Lock()


def new_port():
    with ONE_ASKS:
        for port in PORTS:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return port
    raise RuntimeError("no free port")


class Broker(OwnBroker):
    """It compacts at once, or never: what both ends hold is compared. `advertised`: where clients are sent instead."""

    def __init__(self, binary, compacts=False, advertised=None, folder=None):
        self.backoff = 300 if compacts else 3_600_000
        self.advertised = advertised
        self.binary, self.process = str(Path(binary).resolve()), None
        self.address, self.http = f"127.0.0.1:{new_port()}", f"127.0.0.1:{new_port()}"
        self.folder = folder or Path(tempfile.mkdtemp(prefix="headwater-"))
        self.log = self.folder / "broker.log"
        self.start()

    def launch(self):
        command = [self.binary, "serve", "--listen", self.address, "--http", self.http, "--https", "off", "--data-dir", str(self.folder / "data"),
                   "--generators", "off", "--read-only-after", "0", "--set", f"log.cleaner.backoff.ms={self.backoff}"]
        if self.advertised:
            command += ["--advertise", self.advertised]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Runs:
    def __init__(self, binary):
        self.binary = str(Path(binary).resolve())
        self.passed, self.failed, self.lock = 0, 0, threading.Lock()

    def check(self, name, holds, said=""):
        with self.lock:
            self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
            print(f"{'ok  ' if holds else 'FAIL'} {name}{'' if holds else f': {said}'}", flush=True)

    def start(self, source, target, *more):
        """`source` and `target` have an `address`."""
        command = [self.binary, "mirror", "--from", f"kafka://{source.address}", "--to", f"kafka://{target.address}", *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, process):
        """Status, output, records that were copied."""
        try:
            said, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0] + f"\n(not ended after {LIMIT} s)"
        copied = re.search(r"^(\d+) records copied", said, re.MULTILINE)
        return process.returncode, said, int(copied[1]) if copied else None

    def mirror(self, source, target, *more):
        return self.end(self.start(source, target, *more))

    def well(self, *brokers):
        for broker in brokers:
            if problem := broker.problem():
                self.check("the broker is well", False, problem)
            broker.close(False)
