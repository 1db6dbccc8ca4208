"""Time from kill -9 to the first answer, and the memory of it, for logs of several sizes.

    recovery.py --binary target/release/headwater [--gigabytes 1,10] [--rounds 3] [--folder DIR]

Four producers fill four partitions as fast as they can, then write 50 MB/s together until the broker is killed: at every size the
same is on its way. Each start is measured twice: as after a kill, where the page cache has survived, and as after a power cut, told
by another boot id in the folder's marker.
"""

import argparse
import json
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

from broker import free_ports

PARTITIONS, TOPIC = 4, b"bulk"
VALUE_BYTES, RECORDS = 1024, 900
# Between two batches of a producer, once the log is large enough; for so long, and up to one checkpoint more.
PAUSE_SECONDS, STEADY_SECONDS, CHECKPOINT_SECONDS = 0.074, 8.0, 5.0
# How much longer the larger log may take than the smaller one: the machine's own noise, not a factor.
SLACK_SECONDS = 0.5


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def record_batch():
    """One batch of the newest format. The offset is outside its checksum, so the same bytes can be sent again and again."""
    records = bytearray()
    for delta in range(RECORDS):
        record = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(VALUE_BYTES) + b"v" * VALUE_BYTES + varint(0)
        records += varint(len(record)) + record
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 0, RECORDS - 1, now, now, -1, -1, -1, RECORDS) + records
    rest = struct.pack(">ibI", 0, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def request(key, version, body):
    head = struct.pack(">hhih", key, version, 1, 4) + b"load"
    return struct.pack(">i", len(head) + len(body)) + head + body


def produce_request(partition, batch):
    body = struct.pack(">hhii", -1, 1, 30_000, 1) + struct.pack(">h", len(TOPIC)) + TOPIC
    return request(0, 3, body + struct.pack(">iii", 1, partition, len(batch)) + batch)


METADATA = request(3, 1, struct.pack(">ih", 1, len(TOPIC)) + TOPIC)


def answer(sock):
    """One whole answer, or nothing if the other end is gone."""
    with_size = sock.recv(4, socket.MSG_WAITALL)
    if len(with_size) < 4:
        return b""
    return sock.recv(struct.unpack(">i", with_size)[0], socket.MSG_WAITALL)


class Broker:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.port = free_ports(1)[0]
        self.process = None

    def start(self):
        """Seconds from exec to the first answer to Metadata."""
        begin = time.monotonic()
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--listen", f"127.0.0.1:{self.port}", "--http", "off", "--generators", "off", "--read-only-after", "0",
                 "--data-dir", str(self.folder / "data"), "--num-partitions", str(PARTITIONS)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        while time.monotonic() - begin < 300:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 0.2) as sock:
                    sock.settimeout(60)
                    sock.sendall(METADATA)
                    if answer(sock):
                        return time.monotonic() - begin
            except OSError:
                time.sleep(0.001)
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{(self.folder / 'broker.log').read_text()[-2000:]}")
        raise RuntimeError("the broker is not ready after 300 s")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def resident(self):
        """MiB in memory of its own, and with mapped files."""
        rows = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if ":" in line)
        return tuple(int(rows[name].split()[0]) / 1024 for name in ("RssAnon", "VmRSS"))

    def written(self):
        return sum(path.stat().st_size for path in (self.folder / "data").glob("bulk-*/*.log"))


class Load:
    """Producers that write until the broker is gone."""

    def __init__(self, broker, batch):
        self.acknowledged = [0] * PARTITIONS
        self.pause = 0.0
        self.threads = [threading.Thread(target=self.run, args=(broker.port, partition, batch)) for partition in range(PARTITIONS)]
        for thread in self.threads:
            thread.start()

    def run(self, port, partition, batch):
        frame = produce_request(partition, batch)
        try:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                while True:
                    sock.sendall(frame)
                    body = answer(sock)
                    if len(body) < 4 + 4 + 2 + len(TOPIC) + 4 + 4 + 2:
                        return
                    error, offset = struct.unpack_from(">hq", body, 4 + 4 + 2 + len(TOPIC) + 4 + 4)
                    if error == 0:
                        self.acknowledged[partition] = offset + RECORDS
                    time.sleep(self.pause)
        except OSError:
            return

    def join(self):
        for thread in self.threads:
            thread.join()


def end_offset(broker, partition):
    body = struct.pack(">ii", -1, 1) + struct.pack(">h", len(TOPIC)) + TOPIC + struct.pack(">iiq", 1, partition, -1)
    with socket.create_connection(("127.0.0.1", broker.port), 10) as sock:
        sock.sendall(request(2, 1, body))
        return struct.unpack(">q", answer(sock)[-8:])[0]


def as_after_a_power_cut(folder):
    marker = folder / "data" / "shutdown.json"
    told = json.loads(marker.read_text())
    told["boot_id"] = "another"
    marker.write_text(json.dumps(told))


def grow_and_kill(broker, batch, size):
    """Writes until the log has this size, and on for a while. Gives what was acknowledged at the kill."""
    load = Load(broker, batch)
    while broker.written() < size:
        time.sleep(0.01)
    load.pause = PAUSE_SECONDS
    time.sleep(STEADY_SECONDS + random.uniform(0, CHECKPOINT_SECONDS))
    broker.kill()
    load.join()
    return load.acknowledged


def measure(broker, batch, size, rounds):
    """Starts in both ways, each after a kill under load. Seconds, memory, and records that are missing."""
    found = {"kill -9": [], "power cut": []}
    lost = 0
    for _ in range(rounds):
        for way, starts in found.items():
            acknowledged = grow_and_kill(broker, batch, size)
            if way == "power cut":
                as_after_a_power_cut(broker.folder)
            seconds = broker.start()
            starts.append((seconds, *broker.resident()))
            lost += sum(max(0, acknowledged[p] - end_offset(broker, p)) for p in range(PARTITIONS))
    return found, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--gigabytes", default="1,10")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    batch = record_batch()
    root = Path(tempfile.mkdtemp(prefix="headwater-recovery-", dir=arguments.folder))
    medians, lost = {}, 0
    broker = Broker(str(Path(arguments.binary).resolve()), root)
    try:
        broker.start()
        print("GB up to after      ready s (median, worst)   MiB of its own   MiB with maps")
        for size in sorted(float(part) for part in arguments.gigabytes.split(",")):
            found, missing = measure(broker, batch, size * 1e9, arguments.rounds)
            lost += missing
            for way, starts in found.items():
                seconds, own, all_memory = zip(*starts)
                medians.setdefault(way, []).append(statistics.median(seconds))
                print(f"{broker.written() / 1e9:6.1f}   {way:9}  {statistics.median(seconds):7.3f} {max(seconds):7.3f}"
                      f"           {statistics.median(own):6.0f}           {statistics.median(all_memory):6.0f}", flush=True)
    finally:
        broker.kill()
        shutil.rmtree(root, ignore_errors=True)
    flat = all(times[-1] - times[0] < SLACK_SECONDS for times in medians.values())
    print(f"{'ok' if flat else 'FAIL'} the time does not grow with the log; {'ok' if not lost else 'FAIL'} {lost} acknowledged records lost")
    print(f"{flat + (not lost)} passed, {2 - flat - (not lost)} failed")
    return 0 if flat and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
