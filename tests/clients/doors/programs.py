"""The commands of the programs in this folder, for each client that can be had here."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import environments  # noqa: E402  (the path must be known first)
from environments import CACHE, Missing, digest, only_one_installs, stamped  # noqa: E402
from table import CLIENTS  # noqa: E402

VERSIONS = {
    "confluent-kafka": "confluent-2.16.1", "kafka-python": "kafka-python-3.0.12", "aiokafka": "aiokafka-0.14.0", "KafkaJS": "kafkajs-2.2.4",
    "Java": "java-4.3.1", "kcat": "kcat",
}
FILES = {"confluent-kafka": "with_confluent.py", "kafka-python": "with_kafka_python.py", "aiokafka": "with_aiokafka.py", "KafkaJS": "with_kafkajs.js", "kcat": "with_kcat.py"}


def compiled(java):
    """The Java program, compiled with the jars that the tests of all clients have fetched."""
    source, path = HERE / "Doors.java", java[java.index("-cp") + 1].split(":")[0]
    folder = CACHE / "doors-classes"
    with only_one_installs():
        stamped(folder, digest(path, source), lambda at, log: environments.run(["javac", "-nowarn", "-d", str(at), "-cp", path, str(source)], log))
    return [*java[: java.index("-cp")], "-cp", f"{path}:{folder}", "Doors"]


def commands(wanted):
    """For each client its command, or Missing with the reason why there is none."""
    by_name = {tested.name: tested for tested in CLIENTS}
    topic_maker = by_name[VERSIONS["confluent-kafka"]]
    prepared = environments.prepare([by_name[VERSIONS[client]] for client in wanted], topic_maker)
    found = {}
    for client in wanted:
        command = prepared[VERSIONS[client]]
        try:
            if isinstance(command, Missing):
                found[client] = command
            elif client == "Java":
                found[client] = compiled(command)
            else:
                found[client] = [*command[:-1], str(HERE / FILES[client])]
        except Missing as reason:
            found[client] = reason
    return found
