"""Steps that look at this computer alone: its clock, its Python, its Java."""

from __future__ import annotations

import sys

from headwater import surroundings
from headwater.look_network import SKEW, Network
from headwater.steps import Fault, Skip


class Machine:
    def __init__(self, network: Network, note):
        self.network, self.note = network, note

    def clock(self) -> str:
        skew = self.network.skew
        if skew is None:
            raise Skip("no web page told the time")
        if abs(skew) > SKEW:
            told = self.network.skew_in_words()
            raise Fault("clock", f"The clock of this computer is {told}.", seconds=told)
        return "the same as the broker's" if abs(skew) < 2 else f"{self.network.skew_in_words()}"

    def packages(self) -> str:
        python = surroundings.python()
        told = [str(python)]
        confluent = surroundings.installed("confluent-kafka")
        others = [
            f"{name} {version}" for name in ("kafka-python", "aiokafka", "pyspark") for version in [surroundings.installed(name)] if version
        ]
        if confluent:
            broken = surroundings.confluent_kafka_fault()
            if broken:
                raise Fault(
                    surroundings.wheel_fault(python) or "client-broken",
                    f"confluent-kafka {confluent}: {broken}",
                    given=broken,
                    python=str(python),
                )
            told.append(f"confluent-kafka {confluent}")
        old = surroundings.old_kafka_python()
        if old:
            self.note("packages", Fault("old-kafka-python", f"{old} is installed.", version=old))
        if not confluent and not others:
            cause = surroundings.wheel_fault(python)
            if cause:
                raise Fault(cause, f"confluent-kafka is not installed, and there is none ready-made for {python}.", python=str(python))
            self.note("packages", Fault("client-missing", "No Kafka client is installed in this Python.", python=sys.executable))
        return ", ".join(told + others)

    def java(self) -> str:
        found = surroundings.java()
        if not found:
            self.note("Java", Fault("java-missing", "There is no Java (only Spark on this computer needs one)."))
            return ""
        version, place = found
        if version < surroundings.OLDEST_JAVA:
            self.note(
                "Java", Fault("java-old", f"{place} is Java {version} (only Spark on this computer needs a newer one).", version=version)
            )
            return ""
        if version > surroundings.NEWEST_JAVA:
            self.note("Java", Fault("java-new", f"{place} is Java {version}, which Spark 4.2 was not made for.", version=version))
            return ""
        return f"Java {version}"
