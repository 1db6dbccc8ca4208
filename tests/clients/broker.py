"""The broker under test: one of our own, which can be killed and started again, or one that already runs."""

import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_LIMIT = 60


def free_ports(count):
    """Ports that nobody listens on now, outside the range that outgoing connections take theirs from. Of chance, as other tests look for
    theirs at the same time."""
    found = []
    candidates = range(21_000, 32_000, 7)
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free port")


class RunningBroker:
    """Somebody else's broker at `address`: it is not ours to kill."""

    can_kill = False

    def __init__(self, address):
        self.address = address

    def problem(self):
        return None

    def close(self, keep):
        pass


class OwnBroker:
    """`headwater serve` on a folder of its own."""

    can_kill = True

    def __init__(self, binary, folder=None):
        self.binary = str(Path(binary).resolve())
        port, http = free_ports(2)
        self.address, self.http = f"127.0.0.1:{port}", f"127.0.0.1:{http}"
        self.folder = Path(folder or tempfile.mkdtemp(prefix="headwater-"))
        self.log = self.folder / "broker.log"
        self.process = None
        self.start()

    def launch(self):
        command = [self.binary, "serve", "--listen", self.address, "--http", self.http, "--data-dir", str(self.folder / "data"), "--generators", "off",
                   # It is killed often, and on purpose.
                   "--read-only-after", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Starts the broker and waits until it says it is ready; returns the seconds that took."""
        begin = time.monotonic()
        self.launch()
        while not self.healthy():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode} while starting:\n{self.tail()}")
            if time.monotonic() - begin > READY_LIMIT:
                self.kill()
                raise RuntimeError(f"the broker was not ready after {READY_LIMIT} s:\n{self.tail()}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def healthy(self):
        try:
            with urllib.request.urlopen(f"http://{self.http}/healthz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self):
        """kill -9: nothing is flushed, nothing is said goodbye to."""
        self.process.kill()
        self.process.wait()

    def problem(self):
        """What a run must not end with: a broker that went down by itself, or a panic in its log."""
        if self.process.poll() is not None:
            return f"the broker ended by itself with {self.process.returncode}:\n{self.tail()}"
        if "panicked at" in self.log.read_text(errors="replace"):
            return f"the broker panicked, see its log:\n{self.tail('panicked at')}"
        return None

    def tail(self, around=None):
        lines = self.log.read_text(errors="replace").splitlines()
        if around:
            first = next(i for i, line in enumerate(lines) if around in line)
            return "\n".join(lines[max(0, first - 5) : first + 15])
        return "\n".join(lines[-20:])

    def close(self, keep):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        if keep:
            print(f"the broker's folder is kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
