# Databricks notebook source
# MAGIC %md
# MAGIC # C5: Bronze, a stream as a table
# MAGIC
# MAGIC Spark reads `ecommerce-events` and writes every record, as it came, into a Delta table named `bronze`. Run the cells from the top.
# MAGIC The notebook is the same file on Databricks and on a computer of your own.

# COMMAND ----------

import lakehouse
import receipts
import workshop

spark = lakehouse.session(globals())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Can Spark read from here?
# MAGIC
# MAGIC Four steps: the broker's name, its port, TLS where there is any, one record. If one fails, the message says which and what to do.

# COMMAND ----------

SOURCE = lakehouse.preflight("ecommerce-events")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The ticket
# MAGIC
# MAGIC It says which records the check will look at: some lie in the past, the last ones are produced in the next seconds. Your
# MAGIC table may hold more than them. Where this notebook does not reach the server: `lakehouse.ticket("c05", "WT1....")`, with the line that
# MAGIC `python headwater.pyz ticket c05` prints on your computer.

# COMMAND ----------

ticket = lakehouse.ticket("c05")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What Spark gets
# MAGIC
# MAGIC A batch first: the topic as it is now, like any table. Key and value are `binary`. Kafka does not know what is in them, so Spark does
# MAGIC not either.

# COMMAND ----------

now = lakehouse.batch("ecommerce-events", startingOffsets="earliest")
now.printSchema()
lakehouse.show(now.selectExpr("partition", "offset", "timestamp", "cast(value AS string) AS value").orderBy("timestamp", ascending=False), 5)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The same as a stream, into a table
# MAGIC
# MAGIC | | `batch` | `stream` |
# MAGIC |---|---|---|
# MAGIC | reads | what is there when it begins | that, and at the next run what has come since |
# MAGIC | remembers how far it got | no | in its checkpoint |
# MAGIC | begins | where you say | where the checkpoint says; `startingOffsets` counts for the first run only |
# MAGIC
# MAGIC A first run without `startingOffsets="earliest"` would begin at the end of the topic and read nothing.
# MAGIC
# MAGIC `bronze` has seven columns: `key` and `value` as text, `topic`, `partition`, `offset`, `timestamp` (all from Kafka), and
# MAGIC `ingested_at`, when Spark got it. Nothing is parsed here: what cannot be parsed today may be worth something tomorrow.

# COMMAND ----------


def read_into_bronze():
    """Reads what has come since the last run, to its end."""
    records = lakehouse.stream(
        "ecommerce-events",
        startingOffsets="earliest",
        # No more than this in one batch: a long past becomes several batches, each of them safe when it is written.
        maxOffsetsPerTrigger=60_000,
        # Records that retention has deleted meanwhile do not end the query.
        failOnDataLoss=False,
    )
    workshop.todo("select the seven columns of bronze from `records`; cast(value AS string) makes text of bytes")
    rows = records
    workshop.todo('write them: rows.writeStream, with a checkpointLocation, .trigger(availableNow=True) and .toTable("bronze")')
    query = None
    query.awaitTermination()
    return query


# COMMAND ----------

first = read_into_bronze()
lakehouse.progress(first)
before = spark.table("bronze").count()
print(f"{before} rows in bronze")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Run it again
# MAGIC
# MAGIC The second run goes on at the checkpoint: only what is new comes in, and no row twice. On Databricks a job that runs this cell
# MAGIC every few minutes is what "real time" means; a query that never ends is not allowed on serverless compute.

# COMMAND ----------

# Waits for the ticket's last records, then reads.
lakehouse.until_complete(ticket, read_into_bronze, covered="bronze")
after = spark.table("bronze").count()
print(f"{after} rows, {after - before} of them new")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Look at the table
# MAGIC
# MAGIC It is a table like any other, and it has a history: each batch is a version.

# COMMAND ----------

lakehouse.show(
    spark.sql(
        "SELECT get_json_object(value, '$.event_type') AS event_type, count(*) AS events, max(timestamp) AS newest"
        " FROM bronze GROUP BY 1 ORDER BY events DESC"
    )
)
lakehouse.show(
    spark.sql("DESCRIBE HISTORY bronze")
    .selectExpr("version", "timestamp", "operation", "operationMetrics.numOutputRows AS rows")
    .orderBy("version")
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Hand it in
# MAGIC
# MAGIC The receipt has counts and checksums of your table, no code. Something went wrong and you want to begin anew?
# MAGIC `lakehouse.reset("bronze")` drops the table *and* its checkpoint. One without the other gives rows twice, or an error.

# COMMAND ----------

verdict = lakehouse.submit(ticket, receipts.bronze(ticket))
