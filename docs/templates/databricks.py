# Databricks notebook source
# MAGIC %md
# MAGIC # A topic as a table
# MAGIC
# MAGIC The connection stands in the first cell. The same file runs in a workspace and as `python databricks.py` with PySpark 4.2.0.

# COMMAND ----------

import os

# The connection. On your own machine the address is all; in a class also user and password, as joining showed them.
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
USER = os.environ.get("KAFKA_USER", "")
PASSWORD = os.environ.get("KAFKA_PASSWORD", "")  # in a workspace: dbutils.secrets.get("workshop", "password")
CA = os.environ.get("KAFKA_CA", "")  # the server's ca.pem, where its certificate is not a public one
PROTOCOL = os.environ.get("KAFKA_PROTOCOL") or ("SASL_SSL" if CA else "SASL_PLAINTEXT" if USER else "PLAINTEXT")

TOPIC = "ecommerce-events"

# COMMAND ----------

ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ or "dbutils" in globals()
# Databricks carries Kafka's classes under another name.
LOGIN = ("kafkashaded." if ON_DATABRICKS else "") + "org.apache.kafka.common.security.scram.ScramLoginModule"

options = {
    "kafka.bootstrap.servers": BOOTSTRAP,
    "kafka.security.protocol": PROTOCOL,
    "kafka.request.timeout.ms": "10000",
    "subscribe": TOPIC,
    "startingOffsets": "earliest",  # without it a stream's first run begins at the end, reads nothing and remembers that
    "groupIdPrefix": f"{USER or 'me'}-spark",  # in a class it has to begin with your user
    "failOnDataLoss": "false",
}
if USER:
    options["kafka.sasl.mechanism"] = "SCRAM-SHA-256"
    options["kafka.sasl.jaas.config"] = f'{LOGIN} required username="{USER}" password="{PASSWORD}";'
if CA:
    options["kafka.ssl.truststore.type"] = "PEM"
    with open(CA, encoding="ascii") as file:
        options["kafka.ssl.truststore.certificates"] = file.read()

# COMMAND ----------

if "spark" not in globals():
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars.packages", "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
spark.conf.set("spark.sql.session.timeZone", "UTC")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What is there now

# COMMAND ----------

events = spark.read.format("kafka").options(**options).load()
shown = events.selectExpr("partition", "offset", "timestamp", "CAST(value AS STRING) AS value").limit(5).collect()
for event in shown:
    print(event.partition, event.offset, event.timestamp, event.value)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What comes, as a table
# MAGIC
# MAGIC Serverless compute takes only `availableNow`: the cell reads what has come since its last run, and ends. Table and checkpoint belong
# MAGIC together: drop both or neither.

# COMMAND ----------

PLACE = f"/Volumes/workspace/ws_{USER.replace('-', '_') or 'me'}/ws" if ON_DATABRICKS else os.environ.get("PLACE", "warehouse")

stream = spark.readStream.format("kafka").options(**options, maxOffsetsPerTrigger="20000").load()
query = (
    stream.selectExpr("CAST(key AS STRING) AS key", "CAST(value AS STRING) AS value", "topic", "partition", "offset", "timestamp")
    .writeStream.format("delta" if ON_DATABRICKS else "parquet")
    .option("checkpointLocation", f"{PLACE}/_ckpt/bronze")
    .trigger(availableNow=True)
    .start(f"{PLACE}/bronze")
)
query.awaitTermination()
print(spark.read.format("delta" if ON_DATABRICKS else "parquet").load(f"{PLACE}/bronze").count(), "rows in", f"{PLACE}/bronze")
