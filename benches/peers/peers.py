"""The brokers that are measured: how each is started, on a folder of its own, and killed."""

import json
import shutil
import subprocess
from pathlib import Path

KAFKA_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=1
message.max.bytes=2097152
"""
HEAP = ("-Xms512m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")


class Failed(Exception):
    """What a broker or the client said when a measurement could not be made."""


class Peer:
    """`warm`: its compiler needs a while. `durable`: it has its records again after it was killed."""

    warm = durable = False

    def __init__(self, name, title):
        self.name, self.title = name, title

    def prepare(self, folder, port):
        """What is done before the clock starts."""

    def command(self, folder, port):
        raise NotImplementedError


class Headwater(Peer):
    durable = True

    def __init__(self, binary):
        super().__init__("headwater", "Headwater")
        self.binary = str(Path(binary).resolve())

    def command(self, folder, port):
        return [self.binary, "serve", "--listen", f"127.0.0.1:{port}", "--http", "off", "--generators", "off", "--data-dir", str(folder / "data"),
                "--set", "message.max.bytes=2097152"]


class Kafka(Peer):
    warm = durable = True

    def __init__(self, jars):
        super().__init__("kafka", "Apache Kafka 4.3.1")
        self.java = ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*"]

    def prepare(self, folder, port):
        if (folder / "data").exists():
            return
        properties = folder / "server.properties"
        properties.write_text(KAFKA_PROPERTIES.format(port=port, controller=port + 100, folder=folder))
        command = [*self.java, "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(properties)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.strip()[-300:])

    def command(self, folder, port):
        return [self.java[0], *HEAP, *self.java[1:], "kafka.Kafka", str(folder / "server.properties")]


class Kfake(Peer):
    def __init__(self, program, disk):
        super().__init__("kfake-disk" if disk else "kfake-mem", "kfake, disk" if disk else "kfake, memory")
        self.program, self.durable = str(program), disk

    def command(self, folder, port):
        return [self.program, str(port), *([str(folder / "data")] if self.durable else [])]


class Noida(Peer):
    def __init__(self, program):
        super().__init__("noida", "noida-db 0.2.3")
        self.program = str(program)

    def command(self, folder, port):
        return [self.program, "start", "--data-dir", str(folder / "data"), "--only", "kafka", "--kafka-port", str(port)]


class Running:
    """A started broker. It dies with its `client boot`, which ends when we do."""

    def __init__(self, client, peer, folder, port, expect=None):
        self.address, self.folder = f"127.0.0.1:{port}", folder
        folder.mkdir(parents=True, exist_ok=True)
        peer.prepare(folder, port)
        boot = [str(client), "boot", "-address", self.address, "-folder", str(folder), "-log", str(folder / "broker.log")]
        if expect:
            boot += ["-topic", expect[0], "-expect", str(expect[1])]
        self.process = subprocess.Popen([*boot, "--", *peer.command(folder, port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.process.stderr.read().strip()}: {tail(folder / 'broker.log')}")
        self.boot = json.loads(line)
        self.pid = int(self.boot["pid"])

    def kill(self):
        """SIGKILL, and waits until it is gone."""
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def tail(path):
    return path.read_text(errors="replace").strip()[-300:] if path.is_file() else "no output"
