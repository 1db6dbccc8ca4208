"""Three Apache Kafka brokers on loopback, each a controller too, with replication 3. One can be killed and come back.

Each has a listener without a login and one with TLS and SCRAM. Needs Java and Maven.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "clients")]

from broker import free_ports  # noqa: E402  (the path must be known first)
from environments import kafka_tools, need  # noqa: E402

NODES = (1, 2, 3)
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
STORE_PASSWORD = "headwater-tests"
HEADWATER, STUDENT = ("headwater", "feeds-the-town"), ("students", "read-and-learn")
JVM = ("-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
READY_LIMIT = 120

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.location={folder}/keystore.p12
ssl.keystore.type=PKCS12
ssl.keystore.password={password}
ssl.key.password={password}
log.dirs={data}
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=3
min.insync.replicas=2
initial.broker.registration.timeout.ms=120000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
share.coordinator.state.topic.replication.factor=3
group.initial.rebalance.delay.ms=0
"""


class Kafka3:
    def __init__(self):
        need("java", "keytool")
        self.jars = kafka_tools()
        try:
            self._open()
        except RuntimeError as reason:
            # A port may have been taken between the look at it and the start, which takes seconds.
            print(f"once more: {str(reason)[:200]}", flush=True)
            self.close()
            self._open()

    def _open(self):
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-kafka3-"))
        ports = random.sample(free_ports(120), 9)
        self.ports = {node: ports[3 * place : 3 * place + 3] for place, node in enumerate(NODES)}
        self.processes = {}
        self.certificate = self.folder / "ca.pem"
        self._make_certificate()
        for node in NODES:
            self._format(node)
        for node in NODES:
            self.start(node)
        try:
            self.wait()
        except RuntimeError:
            self.close()
            raise

    @property
    def plain(self):
        return ",".join(f"127.0.0.1:{self.ports[node][0]}" for node in NODES)

    @property
    def sasl(self):
        return ",".join(f"127.0.0.1:{self.ports[node][1]}" for node in NODES)

    def properties(self, user, password, name):
        """A file as any client of the second listener has it."""
        lines = ["security.protocol=SASL_SSL", "sasl.mechanism=SCRAM-SHA-256", f"sasl.username={user}", f"sasl.password={password}"]
        file = self.folder / name
        file.write_text("\n".join([*lines, f"ssl.ca.location={self.certificate}", f"bootstrap.servers={self.sasl}", ""]), encoding="utf-8")
        return str(file)

    def _keytool(self, *words):
        store = ["-keystore", str(self.folder / "keystore.p12"), "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-alias", "kafka"]
        subprocess.run(["keytool", *words, *store], check=True, capture_output=True, timeout=60)

    def _make_certificate(self):
        name = ["-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1,DNS:localhost", "-ext", "BC=ca:true"]
        self._keytool("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30", *name)
        self._keytool("-exportcert", "-rfc", "-file", str(self.certificate))

    def _java(self, *words):
        return ["java", *JVM, "-cp", f"{self.jars}/*", *words]

    def _format(self, node):
        plain, sasl, controller = self.ports[node]
        voters = ",".join(f"{other}@127.0.0.1:{self.ports[other][2]}" for other in NODES)
        places = {"node": node, "voters": voters, "plain": plain, "sasl": sasl, "controller": controller, "folder": self.folder}
        text = PROPERTIES.format(**places, password=STORE_PASSWORD, data=self.folder / f"data-{node}")
        (self.folder / f"{node}.properties").write_text(text, encoding="utf-8")
        users = [word for user, password in (HEADWATER, STUDENT) for word in ("-S", f"SCRAM-SHA-256=[name={user},password={password}]")]
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.folder / f"{node}.properties"), *users)
        done = subprocess.run(command, capture_output=True, text=True, timeout=READY_LIMIT, check=False)
        if done.returncode:
            raise RuntimeError(f"the folder of broker {node} cannot be made: {done.stdout}{done.stderr}")

    def start(self, node):
        with (self.folder / f"{node}.log").open("ab") as out:
            command = self._java("kafka.Kafka", str(self.folder / f"{node}.properties"))
            self.processes[node] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "TZ": "UTC"})

    def kill(self, node):
        """As a power cut does."""
        self.processes[node].send_signal(signal.SIGKILL)
        self.processes[node].wait()

    def freeze(self):
        """All of them are there, and none says a word."""
        for process in self.processes.values():
            process.send_signal(signal.SIGSTOP)

    def thaw(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)

    def wait(self, nodes=NODES):
        """Until each of them takes connections."""
        end = time.monotonic() + READY_LIMIT
        for node in nodes:
            while not self._listens(self.ports[node][0]):
                if self.processes[node].poll() is not None or time.monotonic() > end:
                    log = (self.folder / f"{node}.log").read_text(errors="replace")
                    raise RuntimeError(f"broker {node} does not start: {log[-2000:]}")
                time.sleep(0.2)

    @staticmethod
    def _listens(port):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
