"""What kafka-acls and kafka-configs say: the commands, run against a broker, with their output as text.

The jars of Apache Kafka are those that the other tests install; $KAFKA_HOME/lib goes first.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import environments

ACLS, CONFIGS = "org.apache.kafka.tools.AclCommand", "kafka.admin.ConfigCommand"
JAVA = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
COMMANDS = """
kafka-acls --add --allow-principal User:ada --operation Read --operation Write --topic orders
kafka-acls --add --allow-principal User:ada --producer --topic sent
kafka-acls --add --allow-principal User:bob --consumer --topic read. --group bob --resource-pattern-type prefixed
kafka-acls --add --deny-principal User:eve --deny-host 10.0.0.7 --operation All --topic '*'
kafka-acls --add --allow-principal ada --operation Read --topic orders
kafka-acls --list
kafka-acls --list --topic read.x --resource-pattern-type match
kafka-acls --list --principal User:ada
kafka-acls --remove --allow-principal User:ada --operation Read --topic orders --force
kafka-acls --remove --topic '*' --force
kafka-acls --list
kafka-configs --alter --add-config 'SCRAM-SHA-256=[iterations=8192,password=secret]' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'SCRAM-SHA-512=[password=secret]' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'SCRAM-SHA-512=[iterations=1000,password=secret]' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'producer_byte_rate=1048576,consumer_byte_rate=2097152' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'request_percentage=50' --entity-type users --entity-name ada --entity-type clients --entity-name app
kafka-configs --alter --add-config 'producer_byte_rate=1024' --entity-type users --entity-default
kafka-configs --alter --add-config 'producer_byte_rate=x' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'speed=5' --entity-type users --entity-name ada
kafka-configs --alter --add-config 'connection_creation_rate=5' --entity-type ips --entity-name 10.0.0.7
kafka-configs --describe --entity-type users
kafka-configs --describe --entity-type users --entity-name ada
kafka-configs --describe --entity-type users --entity-type clients
kafka-configs --describe --entity-type ips
kafka-configs --describe --entity-type users --entity-name nobody
kafka-configs --alter --delete-config 'SCRAM-SHA-256' --entity-type users --entity-name nobody
kafka-configs --alter --delete-config 'SCRAM-SHA-256,producer_byte_rate' --entity-type users --entity-name ada
kafka-configs --describe --entity-type users --entity-name ada
kafka-configs --alter --delete-config 'SCRAM-SHA-256' --entity-type users --entity-name ada
kafka-configs --alter --delete-config 'SCRAM-SHA-512' --entity-type users --entity-name ada
kafka-configs --alter --delete-config 'producer_byte_rate,consumer_byte_rate' --entity-type users --entity-name ada
kafka-configs --alter --delete-config 'request_percentage' --entity-type users --entity-name ada --entity-type clients --entity-name app
kafka-configs --alter --delete-config 'producer_byte_rate' --entity-type users --entity-default
kafka-configs --alter --delete-config 'connection_creation_rate' --entity-type ips --entity-name 10.0.0.7
kafka-acls --remove --topic orders --force
kafka-acls --remove --topic sent --force
kafka-acls --remove --topic read. --resource-pattern-type prefixed --force
kafka-acls --remove --group bob --resource-pattern-type prefixed --force
kafka-acls --list
kafka-configs --describe --entity-type users
"""


def missing():
    if shutil.which("java") is None:
        return "java is not installed"
    try:
        jars()
    except environments.Missing as reason:
        return str(reason)
    return None


@functools.cache
def jars():
    home = os.environ.get("KAFKA_HOME")
    return Path(home) / "lib" if home else environments.kafka_tools()


def run(address, command):
    name, *arguments = shlex.split(command)
    tool = ACLS if name == "kafka-acls" else CONFIGS
    line = [*JAVA, "-cp", f"{jars()}/*", tool, "--bootstrap-server", address, *arguments]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return f"$ {command}\n{plain(done.stdout, address)}"


def plain(output, address):
    """Without stack traces and what depends on the address; lines and lists that come in any order sorted."""
    lines = [line.rstrip() for line in output.replace(address, "BROKER").splitlines() if line.strip() and not re.match(r"\s+at ", line)]
    lines = [re.sub(r"(are |configs: )(.*, .*)", lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), line) for line in lines]
    return "".join(line + "\n" for line in sorted(lines))


def transcript(address):
    return "\n".join(run(address, command) for command in COMMANDS.strip().splitlines())
