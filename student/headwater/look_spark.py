"""Steps that look at Spark on this computer: PySpark and the jars that its Kafka source and Delta need. The broker works without them, so
whatever is wrong is a note."""

from __future__ import annotations

import re
import sys

from headwater import surroundings
from headwater.steps import Fault, Skip

PYSPARK = "4.2.0"
# Their names carry the version of Scala, Delta's that of Spark too.
JARS = {
    "spark-sql-kafka-0-10": "spark-sql-kafka-0-10_2.13-4.2.0.jar",
    "spark-token-provider-kafka-0-10": "spark-token-provider-kafka-0-10_2.13-4.2.0.jar",
    "kafka-clients": "kafka-clients-3.9.2.jar",
    "commons-pool2": "commons-pool2-2.13.1.jar",
    "delta-spark": "delta-spark_4.2_2.13-4.4.0.jar",
    "delta-storage": "delta-storage-4.4.0.jar",
}
# What Delta's jar was called for Spark 3.
FORMER = {"delta-core": "delta-spark"}


class SparkHere:
    def __init__(self, note):
        self.note = note

    def pyspark(self) -> str:
        version = surroundings.installed("pyspark")
        connect = surroundings.installed("databricks-connect")
        if not (version or connect):
            raise Skip("not installed (only the Spark challenges need it: pip install -r requirements-spark.txt)")
        faults = []
        if connect:
            faults.append(Fault("databricks-connect", f"databricks-connect {connect} is installed.", version=connect))
        elif version != PYSPARK:
            told = "older" if _numbers(version) < _numbers(PYSPARK) else "newer"
            faults.append(Fault("spark-version", f"PySpark {version} is {told} than {PYSPARK}.", version=version))
        home, worker = surroundings.other_spark_home(), surroundings.other_worker_python()
        if home:
            faults.append(Fault("spark-home", f"SPARK_HOME is {home}.", given=home))
        if worker:
            faults.append(Fault("python-worker", f"PYSPARK_PYTHON is {worker}, and this is {sys.executable}.", given=worker))
        return self._noted("PySpark", faults) or f"PySpark {version}"

    def jars(self) -> str:
        if not surroundings.installed("pyspark"):
            raise Skip("PySpark is not installed")
        found = surroundings.spark_jars()
        families = [_family(name) for name in found.names]
        if "delta-spark" not in families:
            if found.named and not found.maven:
                what = f"HEADWATER_SPARK_JARS is {found.folder}, and Delta's jar is not there."
                return self._noted("jars", [Fault("spark-jars-missing", what, file=found.folder)])
            return f"{'Maven' if found.maven else 'Spark'} fetches them at the first start (it needs the Internet)"
        faults = []
        wrong = ", ".join(name for name, family in zip(found.names, families) if family and name != JARS[family])
        missing = ", ".join(JARS[family] for family in JARS if family not in families)
        if wrong:
            faults.append(Fault("spark-jar-versions", f"{found.folder} has {wrong}.", file=found.folder, names=wrong))
        if missing:
            faults.append(Fault("spark-jars-missing", f"{found.folder} has no {missing}.", file=found.folder))
        return self._noted("jars", faults) or f"{len(JARS)} in {found.folder}"

    def _noted(self, step, faults) -> str:
        """The line then tells the first of them."""
        for fault in faults:
            self.note(step, fault)
        return faults[0].args[0] if faults else ""


def _family(jar: str):
    name = re.sub(r"(?:_[\d.]+)*-\d[^-]*(?:-[A-Za-z][\w.]*)?\.jar$", "", jar)
    name = FORMER.get(name, name)
    return name if name in JARS else None


def _numbers(version: str):
    return [int(part) for part in re.findall(r"\d+", version)[:3]]
