"""Doctor's steps for Spark, with what is on this computer put in."""

import os
import subprocess
import sys
from unittest import mock

from doubles import free_port
from rig import STUDENT, Case

from headwater import doctor, surroundings
from headwater.look_spark import JARS

RIGHT = tuple(JARS.values())


class Spark(Case):
    def spark(self, installed=None, jars=RIGHT, named=False, maven=False, home=None, worker=None):
        """The broker is not there: that is a FAIL, and keeps nobody from looking at this computer."""
        found = surroundings.SparkJars("spark-jars", tuple(jars), named, maven)
        facts = {"spark_jars": found, "other_spark_home": home, "other_worker_python": worker}
        with mock.patch.multiple(surroundings, **{name: (lambda value=value: value) for name, value in facts.items()}):
            with mock.patch.object(surroundings, "installed", {"confluent-kafka": "2.16.1", **(installed or {"pyspark": "4.2.0"})}.get):
                return self.look(f"127.0.0.1:{free_port()}")

    def noted(self, report, step, *causes):
        found = [finding for finding in report.findings if finding.step == step]
        shown = "\n".join([*map(doctor.line_text, report.lines), *doctor.findings_text(report)])
        self.assertEqual(list(causes), [finding.text.cause.id for finding in found], shown)
        self.assertEqual("note" if causes else "ok", report.status(step), shown)
        self.assertEqual({"note"} if causes else set(), {finding.status for finding in found})
        return " ".join(f"{finding.what} {finding.text.fix}" for finding in found)

    def test_all_is_well(self):
        report = self.spark()
        self.noted(report, "PySpark")
        self.noted(report, "jars")
        self.assertEqual("6 in spark-jars", next(line.detail for line in report.lines if line.step == "jars"))

    def test_without_spark_it_is_a_line_and_no_finding(self):
        report = self.spark({"pyspark": None})
        self.assertEqual(["skipped", "skipped"], [report.status("PySpark"), report.status("jars")])
        self.assertIn("requirements-spark.txt", next(line.detail for line in report.lines if line.step == "PySpark"))
        self.assertEqual(["refused"], report.causes())

    def test_an_older_and_a_newer_spark(self):
        for version, told in (("3.5.9", "older"), ("4.1.4", "older"), ("4.2.1", "newer"), ("4.10.0", "newer")):
            self.assertIn(told, self.noted(self.spark({"pyspark": version}), "PySpark", "spark-version"))

    def test_databricks_connect_in_its_place(self):
        for installed in ({"databricks-connect": "18.0.1"}, {"databricks-connect": "18.0.1", "pyspark": "4.2.0"}):
            self.noted(self.spark(installed), "PySpark", "databricks-connect")

    def test_another_spark_and_another_python_in_the_environment(self):
        report = self.spark(home="/opt/spark-3.5", worker="/usr/bin/python3")
        self.assertIn("/opt/spark-3.5", self.noted(report, "PySpark", "spark-home", "python-worker"))
        self.assertIn("PYSPARK_PYTHON is /usr/bin/python3", self.noted(report, "PySpark", "spark-home", "python-worker"))

    def test_jars_that_are_still_to_be_fetched(self):
        for words, told in (({"maven": True}, "Maven"), ({"maven": False}, "Spark"), ({"maven": True, "named": True}, "Maven")):
            report = self.spark(jars=(), **words)
            self.noted(report, "jars")
            self.assertIn(f"{told} fetches them", next(line.detail for line in report.lines if line.step == "jars"))
        self.noted(self.spark(jars=RIGHT[:2], named=True), "jars", "spark-jars-missing")

    def test_jars_of_another_version_and_jars_that_are_missing(self):
        def with_(name, *more):
            return tuple(one for one in RIGHT if one != JARS[name]) + more

        for name, other in (
            ("kafka-clients", "kafka-clients-3.4.1.jar"),
            ("delta-spark", "delta-spark_2.13-4.0.0.jar"),
            ("delta-spark", "delta-core_2.12-2.4.0.jar"),
            ("spark-sql-kafka-0-10", "spark-sql-kafka-0-10_2.12-3.5.9.jar"),
            ("delta-storage", "delta-storage-4.4.1-SNAPSHOT.jar"),
        ):
            self.assertIn(other, self.noted(self.spark(jars=with_(name, other)), "jars", "spark-jar-versions"))
        self.assertIn(
            "kafka-clients-3.4.1.jar", self.noted(self.spark(jars=(*RIGHT, "kafka-clients-3.4.1.jar")), "jars", "spark-jar-versions")
        )
        self.assertIn("commons-pool2", self.noted(self.spark(jars=with_("commons-pool2")), "jars", "spark-jars-missing"))
        self.noted(
            self.spark(jars=(*with_("commons-pool2"), "kafka-clients-4.0.0.jar")), "jars", "spark-jar-versions", "spark-jars-missing"
        )
        self.noted(self.spark(jars=(*RIGHT, "postgresql-42.7.3.jar", "kafka-schema-registry-client-7.8.0.jar")), "jars")


class Looking(Case):
    """What a look at this computer finds."""

    def test_jars_where_the_notebooks_look_for_them(self):
        kept = self.home / "kept" / "spark-jars"
        kept.mkdir(parents=True)
        (kept / "a.jar").touch()
        (kept / "b.txt").touch()
        self.assertEqual((str(kept), ("a.jar",), False), surroundings.spark_jars()[:3])
        with mock.patch.dict(os.environ, {"HEADWATER_SPARK_JARS": str(self.home / "none")}):
            self.assertEqual((str(self.home / "none"), (), True), surroundings.spark_jars()[:3])

    def test_another_python_for_the_workers(self):
        beside = os.path.join(os.path.dirname(sys.executable), "no-such-python")
        for given, other in ((sys.executable, False), ("", False), ("/usr/bin/no-such-python", True), (beside, True)):
            with mock.patch.dict(os.environ, {"PYSPARK_PYTHON": given}):
                self.assertEqual(given if other else None, surroundings.other_worker_python())
        venv = self.home / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(venv)], check=True, timeout=60)
        python = next(place for place in (venv / "bin" / "python", venv / "Scripts" / "python.exe") if place.exists())
        look = "from headwater import surroundings; print(surroundings.other_worker_python())"
        for given, told in ((sys.executable, sys.executable), (str(python) + "3", "None")):
            if os.name != "nt":
                environment = {**os.environ, "PYTHONPATH": str(STUDENT), "PYSPARK_PYTHON": given}
                done = subprocess.run([str(python), "-c", look], env=environment, capture_output=True, text=True, timeout=60, check=True)
                self.assertEqual(told, done.stdout.strip())

    def test_another_spark_in_spark_home(self):
        own = self.home / "lib" / "pyspark"
        own.mkdir(parents=True)
        (own / "__init__.py").touch()
        with mock.patch.object(sys, "path", [str(self.home / "lib"), *sys.path]):
            for given, other in (("", False), (str(own), False), ("/opt/spark", True)):
                with mock.patch.dict(os.environ, {"SPARK_HOME": given}):
                    self.assertEqual(given if other else None, surroundings.other_spark_home())
