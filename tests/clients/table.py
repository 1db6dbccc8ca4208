"""Which clients are tested, in which versions, and by which scenarios."""

from typing import NamedTuple

SCENARIOS = {
    "codecs": "produce with each codec, read back byte-identical and in order",
    "idempotent": "idempotent produce, exactly once and in order",
    "transactions": "committed records are seen, aborted ones are not",
    "resume": "a group's second run goes on at the committed offset",
    "rebalance": "two members share partitions, one leaves, the other takes over",
    "cooperative": "the same with the cooperative-sticky assignor",
    "static": "a static member restarts without a rebalance",
    "kip848": "the same sharing by the consumer group protocol of KIP-848",
    "admin": "create, grow, configure, search by time, truncate, groups, delete",
    "first": "a fresh group's first record, under 2 s",
    "autocreate": "a topic made by producing to it",
    "kill9": "the broker killed with -9 under the client and started again",
}

# Scenarios for what is not served (docs/wire-support.md). They run against other brokers, or when asked for by name.
NOT_SERVED = ("transactions", "kip848")

TOPIC_MAKER = "confluent-2.16.1"  # makes the topics of clients that cannot
SHARED_KILL = "kill9"  # one kill for all clients at once
SECONDS = {"kip848": 90, "codecs": 90, SHARED_KILL: 150}  # limits; any other scenario has 60


class Tested(NamedTuple):
    name: str
    kind: str  # python, node, java or kcat
    folder: str
    requirements: tuple


SIX = 'six==1.17.0; python_version >= "3.12"'  # what 2.0.2 carries of it cannot be imported there
CODECS = ("lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0")

CLIENTS = (
    Tested("java-4.3.1", "java", "java", ("4.3.1",)),
    Tested("java-3.9.2", "java", "java", ("3.9.2",)),
    Tested("confluent-2.16.1", "python", "confluent", ("confluent-kafka==2.16.1",)),
    Tested("confluent-2.6.1", "python", "confluent", ("confluent-kafka==2.6.1",)),
    Tested("kafka-python-3.0.12", "python", "kafka_python", ("kafka-python==3.0.12", *CODECS)),
    Tested("kafka-python-2.3.0", "python", "kafka_python", ("kafka-python==2.3.0", *CODECS)),
    Tested("kafka-python-2.0.2", "python", "kafka_python", ("kafka-python==2.0.2", SIX, *CODECS)),
    Tested("aiokafka-0.14.0", "python", "aiokafka", ("aiokafka==0.14.0", "cramjam==2.14.0")),
    Tested("kafkajs-2.2.4", "node", "kafkajs", ()),
    Tested("kcat", "kcat", "kcat", ()),
)
