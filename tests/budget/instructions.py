"""What one record costs the broker's processor, in instructions: a figure that does not depend on how fast the machine is.

    instructions.py --binary target/release/headwater [--update]

The binary runs under valgrind's callgrind. Each kind of request is sent a number of times in one run and three times that
often in another; the difference of the two totals, by record, is its cost, without start and stop. A cost of more than a
tenth above `budget.toml` fails. `--update` writes what was measured as the new budget.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

BUDGET = Path(__file__).resolve().parent / "budget.toml"
TOPIC = b"budget"
ALLOWED = 1.10
RECORD_BYTES = 100
REST_SECONDS = 0.002
# Nothing runs by the clock while instructions are counted.
QUIET = ("--generators", "off", "--http", "off", "--num-partitions", "1", "--set", "log.flush.interval.ms=9223372036854775807")

# Whether the C library copies by `rep movsb`, of which each byte counts as an instruction, is up to the processor; here it never does.
SAME_COPIES = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM"}


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def batch(records):
    value = b"v" * RECORD_BYTES
    bodies = [b"\0" + varint(0) + varint(n) + varint(-1) + varint(len(value)) + value + varint(0) for n in range(records)]
    rest = struct.pack(">hiqqqhii", 0, records - 1, 1, 1, -1, -1, -1, records) + b"".join(varint(len(b)) + b for b in bodies)
    head = struct.pack(">ibI", 0, 2, crc32c(rest)) + rest
    return struct.pack(">qi", 0, len(head)) + head


def text(data):
    return struct.pack(">h", len(data)) + data


def frame(key, version, body):
    header = struct.pack(">hhi", key, version, 7) + text(b"budget")
    return struct.pack(">i", len(header) + len(body)) + header + body


def metadata():
    return frame(3, 4, struct.pack(">i", 1) + text(TOPIC) + b"\1")


def produce_to(partition, data):
    topic = struct.pack(">i", 1) + text(TOPIC) + struct.pack(">iii", 1, partition, len(data)) + data
    return frame(0, 7, struct.pack(">hhi", -1, 1, 30000) + topic)


def produce(records):
    return produce_to(0, batch(records))


def fetch(max_bytes, partition=0, offset=0):
    asked = struct.pack(">iiqi", 1, partition, offset, max_bytes)
    return frame(1, 4, struct.pack(">iiiib", -1, 0, 1, max_bytes, 0) + struct.pack(">i", 1) + text(TOPIC) + asked)


class Kind(NamedTuple):
    name: str
    request: bytes
    # The records that one request writes or reads.
    records: int
    times: int


BULK = 160
# As much as a fetch gets below, and no record more.
FILL = 50

# Fetched is before the log has grown: only what was written last is read without asking the disk.
KINDS = (
    Kind("metadata of one topic", metadata(), 1, 200),
    Kind("fetched record, one batch in an answer", fetch(1), BULK, 200),
    Kind(f"fetched record, {FILL} batches in an answer", fetch(FILL * len(batch(BULK))), FILL * BULK, 100),
    Kind("produced record, one in a batch", produce(1), 1, 200),
    Kind(f"produced record, {BULK} in a batch", produce(BULK), BULK, 100),
)


class Connection:
    """Sends frames and reads answers."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        self.socket.sendall(request)
        (size,) = struct.unpack(">i", self.read(4))
        return self.read(size)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise SystemExit("the broker closed the connection")
            data += piece
        return bytes(data)


class Broker:
    """The binary under callgrind."""

    def __init__(self, binary, folder):
        self.out = folder / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self.out}", str(binary), "--listen", "127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")} | SAME_COPIES
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data"), *QUIET], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for line in self.process.stdout:
            address = re.search(r"Kafka clients\s+([\d.]+):(\d+)", line)
            if address:
                break
        else:
            raise SystemExit(f"the broker did not start:\n{self.process.stderr.read()}")
        self.connection = Connection((address[1], int(address[2])))
        self.ask = self.connection.ask

    def stop(self):
        """Ends it and gives the number of instructions of the whole run."""
        self.connection.socket.close()
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=120)
        if self.process.returncode:
            raise SystemExit(f"the broker ended with {self.process.returncode}:\n{log}")
        total = re.search(r"^(?:summary|totals): (\d+)", self.out.read_text(), re.MULTILINE)
        return int(total[1])


def run(binary, times):
    """One run in which each kind of request is sent so many times."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(binary, Path(folder))
        broker.ask(metadata())
        for _ in range(FILL):
            broker.ask(produce(BULK))
        for kind, count in zip(KINDS, times):
            size = None
            for _ in range(count):
                # The broker is at rest before each request: whether it is decides over one more round of its loop.
                time.sleep(REST_SECONDS)
                answer = len(broker.ask(kind.request))
                assert size in (None, answer), f"{kind.name}: answers differ"
                size = answer
        return broker.stop()


def measure(binary, is_enough):
    """Costs by name. A busy machine adds wake-ups, so the lowest totals count, of as many rounds as it takes or three."""
    usual = [kind.times for kind in KINDS]
    shapes = [usual, *([3 * count if other == place else count for other, count in enumerate(usual)] for place in range(len(KINDS)))]
    lowest = [sys.maxsize] * len(shapes)
    for _ in range(3):
        lowest = [min(before, run(binary, shape)) for before, shape in zip(lowest, shapes)]
        base, *more = lowest
        costs = {kind.name: (total - base) / (2 * kind.times * kind.records) for kind, total in zip(KINDS, more)}
        if is_enough(costs):
            break
    return costs


def write(costs):
    """Puts the costs into the budget; what else it holds stays."""
    lines = BUDGET.read_text().splitlines()
    start = lines.index("[instructions]") + 1
    end = next((n for n in range(start, len(lines)) if lines[n].startswith("[")), len(lines))
    rows = [f'"{name}" = {cost:.1f}' for name, cost in costs.items()]
    BUDGET.write_text("\n".join([*lines[:start], *rows, *([""] if end < len(lines) else []), *lines[end:]]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        ci = bool(os.environ.get("CI"))
        print("valgrind is not installed, so instructions are not counted")
        print("0 passed, 1 failed" if ci else "0 passed, 0 failed, 1 skipped")
        return int(ci)
    budget = tomllib.loads(BUDGET.read_text())["instructions"]
    within = lambda costs: all(cost <= budget.get(name, 0.0) * ALLOWED for name, cost in costs.items())  # noqa: E731
    costs = measure(arguments.binary, (lambda _: False) if arguments.update else within)
    if arguments.update:
        write(costs)
        budget = costs
    failed = 0
    for name, cost in costs.items():
        allowed = budget.get(name, 0.0)
        over = cost > allowed * ALLOWED
        failed += over
        note = "too much" if over else "a tenth below: lower the budget" if cost * ALLOWED < allowed else "ok"
        print(f"{name:45} {cost:10.1f} instructions, budget {allowed:10.1f}  {note}")
    print(f"{len(costs) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
