"""Many readers of records that are on a slow disk only, and a watch over how long the broker leaves others waiting.

    cold_reads.py --binary target/release/headwater [--iops 150] [--readers 32] [--seconds 20]

Root and the blkio controller of cgroups (version 1) are needed. The broker's reads are throttled to as many a second as a
hard disk does; readers fetch cold records from partitions of their own while another connection asks for ApiVersions every
5 ms. Each answer has to come soon: the broker's one network thread serves all of them.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "budget"))

from instructions import Connection, batch, fetch, frame, produce_to, text  # noqa: E402  (the path must be known first)

BLKIO = Path("/sys/fs/cgroup/blkio")
GAP_P99_MS, GAP_MAX_MS = 20.0, 100.0
TICK_SECONDS = 0.005
FETCH_BYTES = 1 << 20
# A read of a hard disk that has to move its head; the kernel would put megabytes into one otherwise.
READ_BYTES = 128 << 10
RECORDS = 8000  # in a batch of close to a megabyte


def device_of(folder):
    number = os.stat(folder).st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    # A partition is throttled by its disk.
    disk = Path(f"/sys/dev/block/{name}")
    return (disk.resolve().parent / "dev").read_text().strip() if (disk / "partition").exists() else name


def start(binary, folder):
    command = [str(binary), "--listen", "127.0.0.1:0", "--http", "off", "--generators", "off", "--num-partitions", "32"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder / "data")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in process.stdout:
        address = re.search(r"Kafka clients\s+([\d.]+):(\d+)", line)
        if address:
            return process, (address[1], int(address[2]))
    raise SystemExit("the broker did not start")


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def forget(folder):
    """Throws the log files out of memory; nobody has them mapped."""
    for path in (folder / "data").rglob("*.log"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def faults_of(pid):
    """Page faults of the network thread that waited for the disk."""
    return int(Path(f"/proc/{pid}/task/{pid}/stat").read_text().rsplit(")", 1)[1].split()[9])


def read_all(address, partition, until, counts):
    connection, offset = Connection(address), 0
    while time.monotonic() < until:
        answer = connection.ask(fetch(FETCH_BYTES, partition=partition, offset=offset))
        if len(answer) < 1000:
            return  # A second time they would not be cold.
        counts[partition] += len(answer)
        offset += RECORDS


def watch(address, until, readers=()):
    """Milliseconds until each answer, as long as somebody reads."""
    connection, gaps = Connection(address), []
    while time.monotonic() < until and (not readers or any(reader.is_alive() for reader in readers)):
        begun = time.monotonic()
        connection.ask(frame(18, 0, b""))
        gaps.append((time.monotonic() - begun) * 1000)
        time.sleep(TICK_SECONDS)
    return sorted(gaps)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--iops", type=int, default=150)
    parser.add_argument("--readers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to throttle")
    arguments = parser.parse_args()
    if os.geteuid() or not (BLKIO / "cgroup.procs").exists():
        print("root and cgroup v1 blkio are needed\n0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        process, address = start(arguments.binary, folder)
        connection = Connection(address)
        connection.ask(frame(3, 4, b"\0\0\0\1" + text(b"budget") + b"\1"))
        data = batch(RECORDS)
        for partition in range(arguments.readers):
            for _ in range(20):
                connection.ask(produce_to(partition, data))
        stop(process)
        forget(folder)
        process, address = start(arguments.binary, folder)
        group = BLKIO / f"headwater-{process.pid}"
        group.mkdir()
        try:
            (group / "cgroup.procs").write_text(str(process.pid))
            # The start has read the end of each log.
            faults = faults_of(process.pid)
            alone = watch(address, time.monotonic() + 2)
            (group / "blkio.throttle.read_iops_device").write_text(f"{device_of(folder)} {arguments.iops}")
            (group / "blkio.throttle.read_bps_device").write_text(f"{device_of(folder)} {arguments.iops * READ_BYTES}")
            until, counts = time.monotonic() + arguments.seconds, [0] * arguments.readers
            readers = [threading.Thread(target=read_all, args=(address, n, until, counts)) for n in range(arguments.readers)]
            for reader in readers:
                reader.start()
            gaps = watch(address, until, readers)
            faults = faults_of(process.pid) - faults
            for limit in ("read_iops_device", "read_bps_device"):
                (group / f"blkio.throttle.{limit}").write_text(f"{device_of(folder)} 0")
            for reader in readers:
                reader.join()
            read_bytes = int(re.search(r"read_bytes: (\d+)", Path(f"/proc/{process.pid}/io").read_text())[1])
        finally:
            stop(process)
            group.rmdir()
    p99, worst = gaps[len(gaps) * 99 // 100], gaps[-1]
    print(
        f"{arguments.readers} cold readers at {arguments.iops} reads a second took {sum(counts) / 1e6:.0f} MB, "
        f"{read_bytes / 1e6:.0f} MB from the disk; the network thread waited for the disk {faults} times"
    )
    print(f"a request beside them: p50 {statistics.median(gaps):.2f}, p99 {p99:.2f}, longest {worst:.2f} ms (alone p99 {alone[len(alone) * 99 // 100]:.2f})")
    passed = faults == 0 and p99 <= GAP_P99_MS and worst <= GAP_MAX_MS and read_bytes > 0
    print(f"{int(passed)} passed, {int(not passed)} failed")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
