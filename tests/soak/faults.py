"""What is done to the broker: killed, stopped for a while, told to end, its connections reset, its disk filled."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from broker import OwnBroker, free_ports  # noqa: E402  (the path must be known first)
from report import Fault  # noqa: E402

KINDS = {
    "kill": "kill -9, at times in the middle of many requests or with their answers lost; started again 0 to 2 s later, at times killed "
            "again while it starts",
    "stop": "SIGSTOP for 1 to 10 s",
    "term": "SIGTERM, started again 0 to 2 s later",
    "reset": "every TCP connection reset, at times with answers lost, and new ones too for up to 3 s",
    "full": "the disk filled to the last block by a foreign file for 2 to 6 s, at times with a kill -9",
}
DISK_MIB = 4096
TERM_LIMIT = 30
LOST_BYTES = 2000


def end_of(segment):
    """Where the last batch ends: base offset (8 bytes), length (4), and as many more bytes. What follows was not written yet."""
    at = 0
    while at + 12 <= len(segment):
        (length,) = struct.unpack_from(">i", segment, at + 8)
        if length <= 0 or at + 12 + length > len(segment):
            break
        at += 12 + length
    return at


def can_mount():
    return os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None


class SmallDisk:
    """ext4 on a loop device, in a sparse file."""

    def __init__(self, folder):
        image, self.path = folder / "image", folder / "disk"
        self.path.mkdir()
        with image.open("wb") as file:
            file.truncate(DISK_MIB << 20)
        # Without blocks that only root may fill: this runs as root.
        subprocess.run(("mkfs.ext4", "-q", "-F", "-m", "0", str(image)), check=True)
        subprocess.run(("mount", "-o", "loop", str(image), str(self.path)), check=True)
        self.foreign = self.path / "foreign"

    def fill(self):
        with self.foreign.open("wb") as file:
            at, step = 0, 64 << 20
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), at, step)
                    at += step
                except OSError:
                    step //= 2

    def free(self):
        self.foreign.unlink(missing_ok=True)

    def end(self):
        """Its content stays, so that it can be looked at."""
        try:
            if (self.path / "data").is_dir():
                shutil.copytree(self.path / "data", self.path.with_name("data"))
        finally:
            subprocess.run(("umount", "-l", str(self.path)), check=False)
            self.path.with_name("image").unlink(missing_ok=True)


class HurtBroker(OwnBroker):
    """`headwater serve` behind the proxy, its data on `disk`, its log beside it."""

    def __init__(self, binary, folder, data, proxy):
        self.data, self.proxy = data, proxy
        super().__init__(binary, folder)

    def launch(self):
        command = [self.binary, "serve", "--listen", self.address, "--advertise", self.proxy, "--http", self.http,
                   "--data-dir", str(self.data), "--generators", "off", "--auto-create-topics", "off",
                   # It is killed often, and on purpose, and its disk is small.
                   "--read-only-after", "0", "--disk-floor-mib", "16", "--disk-floor-percent", "0", "--ballast-mib", "8",
                   "--set", "group.initial.rebalance.delay.ms=200"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


def proxy_address():
    """The broker takes the first two free ports."""
    return f"127.0.0.1:{free_ports(3)[-1]}"


class Proxy:
    """`proxy.py` as a process, and how many connections it has reset."""

    def __init__(self, address, target, seed):
        self.count, self.address = 0, address
        self.process = subprocess.Popen((sys.executable, str(HERE / "proxy.py"), address, target, str(seed)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the proxy did not start")
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for _ in self.process.stdout:
            self.count += 1

    def order(self, what, seconds):
        self.process.stdin.write(f"{what} {seconds}\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()


class Faults:
    """Does one fault at a time and notes when it was."""

    def __init__(self, broker, proxy, disk, dice, control=False):
        self.broker, self.proxy, self.disk, self.dice, self.control = broker, proxy, disk, dice, control
        self.done, self.problems, self.slowest_start = [], [], 0.0

    def one(self, kind):
        begin = time.monotonic_ns()
        getattr(self, kind)()
        self.done.append(Fault(kind, begin, time.monotonic_ns()))

    def start(self):
        self.slowest_start = max(self.slowest_start, self.broker.start())

    def ended_by_itself(self):
        if self.broker.process.poll() is not None:
            self.problems.append(f"the broker ended by itself with {self.broker.process.returncode}:\n{self.broker.tail()}")
            return True
        return False

    def kill(self):
        if not self.ended_by_itself():
            self.dice.choice((self.lose_answers, self.let_requests_pile_up, lambda: None))()
            self.broker.kill()
        if self.control:
            self.lose()
        time.sleep(self.dice.uniform(0, 2))
        if self.dice.random() < 0.25:
            self.broker.launch()
            time.sleep(self.dice.uniform(0, 0.1))
            self.broker.kill()
        self.start()

    def lose_answers(self):
        """What is written from now on is sent again: whether it was written has to be known after the fault."""
        seconds = self.dice.uniform(0.05, 0.4)
        self.proxy.order("mute", seconds)
        time.sleep(seconds * self.dice.random())

    def let_requests_pile_up(self):
        """Many are then being written when the broker is killed."""
        self.broker.process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.3, 1))
        self.broker.process.send_signal(signal.SIGCONT)
        time.sleep(self.dice.uniform(0, 0.02))

    def lose(self):
        """What no crash of a process may do: the newest bytes of a partition are gone."""
        newest = max(self.broker.data.rglob("ledger-0/*.log"))
        with newest.open("r+b") as file:
            file.truncate(max(0, end_of(newest.read_bytes()) - LOST_BYTES))

    def stop(self):
        self.broker.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(self.dice.uniform(1, 10))
        finally:
            self.broker.process.send_signal(signal.SIGCONT)

    def term(self):
        if not self.ended_by_itself():
            self.broker.process.terminate()
            try:
                code = self.broker.process.wait(TERM_LIMIT)
            except subprocess.TimeoutExpired:
                self.problems.append(f"the broker did not end within {TERM_LIMIT} s of a SIGTERM")
                self.broker.kill()
            else:
                if code:
                    self.problems.append(f"the broker ended with {code} after a SIGTERM:\n{self.broker.tail()}")
        time.sleep(self.dice.uniform(0, 2))
        self.start()

    def reset(self):
        seconds = self.dice.choice((0, 0, self.dice.uniform(0.5, 3)))
        if self.dice.random() < 0.5:
            self.lose_answers()
        self.proxy.order("reset", seconds)
        time.sleep(seconds + 0.2)

    def full(self):
        self.disk.fill()
        try:
            time.sleep(self.dice.uniform(2, 6))
            if self.dice.random() < 0.25 and not self.ended_by_itself():
                self.broker.kill()
                self.broker.launch()
                time.sleep(self.dice.uniform(0.5, 2))
        finally:
            self.disk.free()
        if not self.broker.healthy() and not self.ended_by_itself():
            begin = time.monotonic()
            while not self.broker.healthy() and time.monotonic() < begin + 30:
                time.sleep(0.05)
