"""One node of Apache Kafka on loopback, from the jars that `make test` installs or $KAFKA_JARS names."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from environments import Missing, kafka_tools

READY_LIMIT = 90
JVM = ("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


def find_jars():
    """The folder of Apache Kafka's jars; raises `Missing`."""
    named = os.environ.get("KAFKA_JARS")
    if named and shutil.which("java") is None:
        raise Missing("java is not installed")
    return Path(named) if named else kafka_tools()


def free_port():
    """Kafka takes its time until it listens, so none of those that every test tries first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Kafka:
    def __init__(self, more=""):
        """`more`: further lines of its properties."""
        jars = find_jars()
        port, controller = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        properties = self.folder / "server.properties"
        properties.write_text(
            f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}\nadvertised.listeners=PLAINTEXT://{self.address}\n"
            f"controller.listener.names=CONTROLLER\nlog.dirs={self.folder / 'log'}\ngroup.initial.rebalance.delay.ms=0\n"
            "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\ntransaction.state.log.replication.factor=1\n"
            f"log.cleaner.backoff.ms=3600000\ntransaction.state.log.min.isr=1\ntransaction.state.log.num.partitions=1\n{more}"
        )
        self.log = (self.folder / "kafka.txt").open("ab")
        java = [*JVM, "-cp", f"{jars}/*"]
        subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(properties)],
                       cwd=self.folder, stdout=self.log, stderr=self.log, check=True)
        self.process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def wait(self):
        begin = time.monotonic()
        host, port = self.address.split(":")
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() - begin > READY_LIMIT:
                raise RuntimeError(f"Apache Kafka did not start:\n{(self.folder / 'kafka.txt').read_text()[-2000:]}")
            time.sleep(0.1)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
