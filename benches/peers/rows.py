"""What is measured: every row of the table, and how its values come about."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass

from peers import Failed, Running

MB, GB = 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class Scale:
    """How long and how much. A quick run shows that everything works; its tails mean little."""

    seconds: float
    bytes: int
    small_records: int
    large_records: int
    warm_seconds: float
    recovery_bytes: int


FULL = Scale(5, GB, 3_000_000, 1_000_000, 30, GB)
QUICK = Scale(1.5, 256 * MB, 1_000_000, 250_000, 8, 256 * MB)

# key, label
ROWS = [
    ("start_ms", "exec to first Metadata, ms"),
    ("idle_rss", "idle RSS, MB"),
    ("idle_threads", "idle threads"),
    ("conn_kib", "RSS per idle connection, KiB"),
    ("conn_wait_kib", "RSS per waiting consumer, KiB"),
    ("conn_ms", "300 consumers connect, ms"),
    ("idle_cores", "300 idle consumers, broker cores"),
    ("part_create", "create 1,000 partitions, ms"),
    ("part_kib", "RSS per partition, KiB"),
    ("part_meta", "Metadata of 1,000 partitions, ms"),
    ("rtt_p50", "one record, one in flight, p50, us"),
    ("rtt_p99", "... p99, us"),
    ("e2e_p50", "end to end at 1,000/s, p50, us"),
    ("e2e_p99", "... p99, us"),
    ("e2e_p999", "... p99.9, us"),
    ("e2e_cores", "... broker cores"),
    ("flood_p50", "at 500/s beside a 50 MB/s flood, p50, us"),
    ("flood_p99", "... p99, us"),
    ("flood_p999", "... p99.9, us"),
    ("fan_p50", "fan-out 1 x 300 at 20/s, p50, us"),
    ("fan_p99", "... p99, us"),
    ("fan_cores", "... broker cores"),
    ("raw_p16", "raw produce, 16 KiB batches, MB/s"),
    ("raw_p16_cpu", "... broker CPU s/GB"),
    ("raw_p16_client", "... client cores"),
    ("raw_p1m", "raw produce, 1 MB batches, MB/s"),
    ("raw_p1m_cpu", "... broker CPU s/GB"),
    ("raw_f1", "raw fetch, 1 connection, MB/s"),
    ("raw_f1_cpu", "... broker CPU s/GB"),
    ("raw_f1_client", "... client cores"),
    ("raw_f4", "raw fetch, 4 connections, MB/s"),
    ("raw_f4_cpu", "... broker CPU s/GB"),
    ("raw_f4_client", "... client cores"),
    ("lib_p100", "librdkafka produce 100 B, k rec/s"),
    ("lib_p100_us", "... broker CPU us per record"),
    ("lib_p100_client", "... client cores"),
    ("lib_p1k", "librdkafka produce 1 KiB, k rec/s"),
    ("lib_p1k_us", "... broker CPU us per record"),
    ("lib_p1k_client", "... client cores"),
    ("lib_c100", "librdkafka consume 100 B, k rec/s"),
    ("lib_c100_us", "... broker CPU us per record"),
    ("lib_c1k", "librdkafka consume 1 KiB, k rec/s"),
    ("lib_c1k_us", "... broker CPU us per record"),
    ("d2_p50", "flush.messages=1, 4 KiB, acks p50, us"),
    ("d2_p99", "... p99, us"),
    ("sync_p50", "the raw fdatasync beside it, p50, us"),
    ("sync_p99", "... p99, us"),
    ("kill_ms", "kill -9 with 1 GB: all of it served after, ms"),
    ("kill_rss", "... RSS then, MB"),
    ("kill10_ms", "kill -9 with 10 GB: all of it served after, ms"),
    ("kill10_rss", "... RSS then, MB"),
]


class Bench:
    """Measures one broker after the other with the same client."""

    def __init__(self, client, lib, scale, folder, port, say):
        self.client, self.lib, self.scale, self.folder, self.port, self.say = client, lib, scale, folder, port, say

    def ask(self, measurement, running=None, **options):
        command = [str(self.client), measurement]
        if running:
            command += ["-address", running.address, "-pid", str(running.pid)]
        for name, value in options.items():
            command += [f"-{name}", str(value)]
        return self.json(command)

    def json(self, command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            raise Failed("no end after ten minutes") from None
        if done.returncode:
            raise Failed(done.stderr.strip()[-300:])
        return json.loads(done.stdout)

    def round(self, peer):
        """Every row but those of recovery, on a fresh process and folder."""
        values = {}
        with Running(self.client, peer, self.folder / peer.name, self.port) as running:
            values["start_ms"] = running.boot["metadata_ms"]
            for part in (self.rest, self.partitions, self.warm, self.connections, self.latency, self.fan_out, self.raw, self.librdkafka, self.disk):
                if part == self.warm and not peer.warm:
                    continue
                try:
                    part(running, values, peer)
                except Failed as reason:
                    self.say(f"{peer.title}, {part.__name__}: {reason}")
        os.sync()
        return values

    @property
    def length(self):
        return f"{self.scale.seconds}s"

    def rest(self, running, values, _):
        found = self.ask("resting", running)
        values["idle_rss"], values["idle_threads"] = found["rss_mb"], found["threads"]

    def warm(self, running, values, _):
        self.ask("warm", running, topic="warm", length=f"{self.scale.warm_seconds}s")
        if self.lib:
            self.ask_lib("produce", running, "warm-lib", 1024, self.scale.large_records, {}, "")
            self.ask_lib("consume", running, "warm-lib", 1024, self.scale.large_records, {}, "")

    def connections(self, running, values, _):
        found = self.ask("idle", running, topic="idle", connections=300, length=self.length)
        values["conn_kib"], values["conn_wait_kib"] = found["kib_each"], found["kib_each_waiting"]
        values["conn_ms"], values["idle_cores"] = found["connect_ms"], found["cores"]

    def partitions(self, running, values, _):
        found = self.ask("partitions", running, topic="many", partitions=1000)
        values["part_create"], values["part_kib"], values["part_meta"] = found["create_ms"], found["kib_each"], found["metadata_ms"]

    def latency(self, running, values, _):
        found = self.ask("roundtrip", running, topic="single", size=100, length=self.length)
        values["rtt_p50"], values["rtt_p99"] = found["p50"], found["p99"]
        found = self.ask("endtoend", running, topic="steady", size=100, rate=1000, length=self.length)
        for quantile in ("p50", "p99", "p999"):
            values[f"e2e_{quantile}"] = found[quantile]
        values["e2e_cores"] = found["cores"]
        found = self.ask("endtoend", running, topic="beside", size=100, rate=500, flood=50, length=self.length)
        for quantile in ("p50", "p99", "p999"):
            values[f"flood_{quantile}"] = found[quantile]

    def fan_out(self, running, values, _):
        found = self.ask("fanout", running, topic="fan", size=100, rate=20, connections=300, length=self.length)
        values["fan_p50"], values["fan_p99"], values["fan_cores"] = found["p50"], found["p99"], found["cores"]

    def raw(self, running, values, _):
        for key, batch in (("raw_p16", 16 << 10), ("raw_p1m", 1_000_000)):
            found = self.ask("produce", running, topic=key, batch=batch, bytes=self.scale.bytes)
            values[key], values[f"{key}_cpu"], values[f"{key}_client"] = found["mb_s"], found["cpu_gb"], found["client_cores"]
        for key, connections in (("raw_f1", 1), ("raw_f4", 4)):
            total = connections * 100 * MB
            found = self.ask("fetch", running, topic=key, batch=64 << 10, bytes=total, connections=connections, partitions=connections,
                             length=f"{self.scale.seconds / 2}s")
            values[key], values[f"{key}_cpu"], values[f"{key}_client"] = found["mb_s"], found["cpu_gb"], found["client_cores"]

    def ask_lib(self, verb, running, topic, size, count, values, key):
        found = self.json([str(self.lib), verb, running.address, topic, str(size), str(count), str(running.pid)])
        values[key], values[f"{key}_us"], values[f"{key}_client"] = found["krec_s"], found["us_rec"], found["client_cores"]

    def librdkafka(self, running, values, _):
        if not self.lib:
            return
        for short, size, count in (("100", 100, self.scale.small_records), ("1k", 1024, self.scale.large_records)):
            topic = f"lib-{short}"
            self.ask("partitions", running, topic=topic, partitions=1)
            self.ask_lib("produce", running, topic, size, count, values, f"lib_p{short}")
            self.ask_lib("consume", running, topic, size, count, values, f"lib_c{short}")

    def disk(self, running, values, peer):
        if peer.name not in ("headwater", "kafka"):
            return  # the others know no such setting
        half = f"{self.scale.seconds / 2}s"
        syncs = [self.ask("fdatasync", folder=running.folder, size=4096, length=half)]
        found = self.ask("roundtrip", running, topic="flushed", size=4096, flush=1, length=self.length)
        syncs.append(self.ask("fdatasync", folder=running.folder, size=4096, length=half))
        values["d2_p50"], values["d2_p99"] = found["p50"], found["p99"]
        for quantile in ("p50", "p99"):
            values[f"sync_{quantile}"] = sum(one[quantile] for one in syncs) / len(syncs)

    def ceiling(self):
        """librdkafka against its own mock cluster, which keeps next to nothing."""
        values = {}
        for short, size, count in (("100", 100, self.scale.small_records), ("1k", 1024, self.scale.large_records)):
            mock = subprocess.Popen([str(self.lib), "mock", "ceiling"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                mock.address = mock.stdout.readline().strip()
                self.ask_lib("produce", mock, "ceiling", size, count, values, f"lib_p{short}")
            finally:
                mock.stdin.close()
                mock.wait()
        return values

    def recovery(self, peer, total, key):
        """Fills, kills at once, starts again, and waits until the last acknowledged record is served."""
        values, folder = {}, self.folder / peer.name
        running = Running(self.client, peer, folder, self.port)
        try:
            topic = "kept"
            filled = self.ask("produce", running, topic=topic, batch=64 << 10, bytes=total)
            running.kill()
            with Running(self.client, peer, folder, self.port, expect=(topic, int(filled["end"]))) as again:
                values[f"{key}_ms"] = again.boot["ready_ms"]
                time.sleep(1)
                values[f"{key}_rss"] = self.ask("resting", again)["rss_mb"]
        except Failed as reason:
            running.kill()
            self.say(f"{peer.title}, recovery: {reason}")
        shutil.rmtree(folder, ignore_errors=True)
        os.sync()
        return values
