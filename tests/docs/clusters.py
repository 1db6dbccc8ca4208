"""What pages about other clusters need: two brokers, one of them with records to move, and Apache Kafka with its own tools."""

import subprocess
import sys
from pathlib import Path

import places

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests" / "mirror"))

import kafka  # noqa: E402  (the path must be known first)

# The password that docs/mirror.md shows.
SECRET = "a-sentence-of-your-own"
TOOLS = {"kafka-acls.sh": "org.apache.kafka.tools.AclCommand", "kafka-configs.sh": "kafka.admin.ConfigCommand"}
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
RECORDS = """
import sys
from confluent_kafka import Consumer, Producer
producer = Producer({"bootstrap.servers": sys.argv[1]})
for number in range(200):
    producer.produce("orders", str(number), str(number % 7))
assert producer.flush(20) == 0
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "readers", "auto.offset.reset": "earliest"})
consumer.subscribe(["orders"])
assert len(consumer.consume(100, 20)) == 100
consumer.commit(asynchronous=False)
consumer.close()
"""
RIGHTS = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:ANONYMOUS\n"


class Pair:
    """`laptop`, which has a topic and a group, and the empty `cluster`, which wants a login."""

    def __init__(self, binary, python):
        self.laptop = places.Broker(binary, False, ("--generators", "off"))
        self.cluster = places.Broker(binary, True, ("--generators", "off"), SECRET)
        self.http = self.laptop.http
        subprocess.run([python, "-c", RECORDS, f"127.0.0.1:{self.laptop.kafka}"], check=True, capture_output=True, timeout=60)

    def placed(self, text):
        text = text.replace("kafka://laptop:9092", f"kafka://127.0.0.1:{self.laptop.kafka}")
        return text.replace("kafka://cluster:9092", f"kafka://127.0.0.1:{self.cluster.kafka}")

    def close(self):
        self.laptop.close()
        self.cluster.close()


class ApacheKafka:
    """One node with rules, the streams' topics, and an administrator's properties and tools for a page's folder."""

    http = 0

    def __init__(self, python):
        self.jars = kafka.find_jars()
        self.node = kafka.Kafka(RIGHTS)
        try:
            self.node.wait()
            topic = "import sys; from confluent_kafka import Producer; p = Producer({'bootstrap.servers': sys.argv[1]}); p.produce('ecommerce-events', 'x'); assert p.flush(30) == 0"
            subprocess.run([python, "-c", topic, self.node.address], check=True, capture_output=True, timeout=60)
        except BaseException:
            self.node.close()
            raise

    def placed(self, text):
        return text.replace("HOST:PORT", self.node.address)

    def furnish(self, folder):
        (folder / "admin.properties").write_text("security.protocol=PLAINTEXT\n")
        for name, program in TOOLS.items():
            tool = folder / ".programs" / name
            tool.write_text(f'#!/bin/sh\nexec java {" ".join(JVM)} -cp "{self.jars}/*" {program} "$@"\n')
            tool.chmod(0o755)

    def close(self):
        self.node.close()
