"""Runs a notebook at one place after another in one Java, with the jars that the tests have.

spark_twice.py NOTEBOOK "BOOTSTRAP USER PASSWORD FOLDER"...     a dash where nobody logs in
"""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

jars = ":".join(map(str, sorted(Path(os.environ["HEADWATER_SPARK_JARS"]).glob("*.jar"))))
os.environ["PYSPARK_PYTHON"] = sys.executable
settings = {
    "spark.driver.extraClassPath": jars, "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR", "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}  # fmt: skip
builder = SparkSession.builder.master("local[2]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
notebook = Path(sys.argv[1])
# The smallest of the streams: what is tried is the connection.
text = notebook.read_text(encoding="utf-8").replace('TOPIC = "ecommerce-events"', 'TOPIC = "financial-transactions"')
code = compile(text, str(notebook), "exec")
for words in sys.argv[2:]:
    bootstrap, user, password, folder = words.split(" ")
    login = {"KAFKA_USER": user, "KAFKA_PASSWORD": password} if user != "-" else {"KAFKA_USER": "", "KAFKA_PASSWORD": ""}
    os.environ.update(login, KAFKA_BOOTSTRAP=bootstrap, PLACE=f"{folder}/warehouse")
    exec(code, {"__name__": "__main__", "spark": spark})
spark.stop()
