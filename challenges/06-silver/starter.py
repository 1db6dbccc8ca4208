# Databricks notebook source
# MAGIC %md
# MAGIC # C6: From bronze to silver
# MAGIC
# MAGIC Bronze holds what arrived, byte for byte: cut-off values, tests, events that came twice. Silver holds what an analyst may count on:
# MAGIC valid events, once each, flat, with a type for every column. What is not valid goes into a quarantine, so that nothing is lost.
# MAGIC
# MAGIC Run the cells from the top. The notebook stops at the first step that is still to do and says which.

# COMMAND ----------

import lakehouse
import receipts
import workshop
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

spark = lakehouse.session(globals())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Bronze
# MAGIC
# MAGIC If you have a bronze table from C5, it will do. If not, `update_bronze` makes one with C5's query. The ticket is good for an hour:
# MAGIC run its cell again if you come back later.

# COMMAND ----------

SOURCE = lakehouse.preflight("ecommerce-events")
ticket = lakehouse.ticket("c06")
if not lakehouse.exists("bronze"):
    lakehouse.update_bronze(ticket)

# COMMAND ----------

# MAGIC %md
# MAGIC The raw value: one text. Spark knows nothing of what is in it. `product` and `context` are objects within the object.

# COMMAND ----------

lakehouse.show(spark.table("bronze").select("partition", "offset", "timestamp", "value"), 3)
print(spark.table("bronze").select("value").first()["value"])

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 1: the schema
# MAGIC
# MAGIC `from_json` needs to know the fields and their types, written as in `CREATE TABLE` (DDL). An object is a `STRUCT`, and structs nest:
# MAGIC
# MAGIC     price DOUBLE, product STRUCT<category: STRING, brand: STRING>
# MAGIC
# MAGIC **One wrong type is silent.** A value that does not fit its type comes out as null, and so does a field whose name is not there.
# MAGIC There is no error and no warning. That is useful for damaged records, and a trap for a wrong schema: the next cell shows it.

# COMMAND ----------

EVENT = """
    event_id STRING, user_id STRING, event_type STRING, product_id STRING, price DOUBLE, quantity INT,
    timestamp TIMESTAMP, order_id STRING, is_test BOOLEAN"""

workshop.todo("EVENT += the nested fields: product (category, brand) and context (device.type, geo.country, campaign), each a STRUCT")

# COMMAND ----------

some = spark.table("bronze").limit(1000)
for schema in ("price DOUBLE", "price INT", "prize DOUBLE"):
    nulls = some.where(F.from_json("value", schema)[schema.split()[0]].isNull()).count()
    print(f"{schema:<12} gives null for {nulls} of 1000 records")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 2: what is not valid
# MAGIC
# MAGIC An event is valid if all of these are true:
# MAGIC
# MAGIC - it is JSON and has `event_id`, `timestamp`, `user_id` and `product_id`;
# MAGIC - `event_type` is view, search, add_to_cart, remove_from_cart, checkout or purchase;
# MAGIC - `price` is a number (not `"12.50"`) above 0;
# MAGIC - `timestamp` is at most five minutes after the record's arrival. Clocks differ, but not by days.
# MAGIC
# MAGIC Each entry of `RULES` says what is **wrong** with an event: a name, and a condition in SQL. The first that is true becomes `why`.
# MAGIC
# MAGIC **A comparison with null is neither true nor false.** `price <= 0` is null where `price` is null, and null does not count as true.
# MAGIC So ask for null itself, with `IS NULL`. `from_json` turns `"12.50"` into null, too.
# MAGIC
# MAGIC Of a value that was cut off, `from_json` may keep what stands before the cut. That is no event either, so the first rule asks
# MAGIC whether the whole value is JSON.

# COMMAND ----------

# `value` is the text, `e` the parsed event, `arrived_at` the record's own timestamp.
RULES = {
    "no JSON": "try_parse_json(value) IS NULL",
    "no event_id": "e.event_id IS NULL",
    "no timestamp": "e.timestamp IS NULL",
}

workshop.todo("RULES: add user_id, product_id, event_type, price (two ways to be wrong) and a timestamp in the future")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 3: tests
# MAGIC
# MAGIC The shop's testers use the real shop. An event is a test if `is_test` is true **or** `user_id` begins with `test-`. Tests go
# MAGIC nowhere: neither into silver nor, as they are not damaged, into the quarantine. The answer has to be true or false, never null: an
# MAGIC event that does not say whether it is a test is none (`coalesce`).

# COMMAND ----------

workshop.todo("IS_TEST = a condition in SQL that is true for tests (two ways to say so) and false, not null, for all others")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 4: one function for everything
# MAGIC
# MAGIC Nested fields become plain columns, and two columns are derived from `event_time`, in UTC: `hour_of_day` (0 to 23) and
# MAGIC `day_of_week`. Spark has three ways to number days; silver counts 1 for Sunday to 7 for Saturday.

# COMMAND ----------


def refined(bronze: DataFrame) -> DataFrame:
    """Each record of bronze with the columns of silver, `is_test`, and `why` it is not valid (null: it is)."""
    events = bronze.select(
        "value", "partition", "offset", F.col("timestamp").alias("arrived_at"), F.from_json("value", EVENT).alias("e")
    )
    why = F.coalesce(*[F.when(F.expr(wrong), F.lit(name)) for name, wrong in RULES.items()])
    events = events.withColumn("why", why).withColumn("is_test", F.expr(IS_TEST))
    workshop.todo("set hour, day (of the week), category, brand, device, country: F.hour('e.timestamp'), F.col('e.product.brand'), ...")
    return events.select(
        "e.event_id",
        "e.user_id",
        "e.event_type",
        "e.product_id",
        "e.price",
        "e.quantity",
        F.col("e.timestamp").alias("event_time"),
        "arrived_at",
        category.alias("category"),
        brand.alias("brand"),
        device.alias("device_type"),
        country.alias("country"),
        hour.alias("hour_of_day"),
        day.alias("day_of_week"),
        "why",
        "is_test",
        "value",
        "partition",
        "offset",
    )


def good(bronze: DataFrame) -> DataFrame:
    """The rows of silver, some of them twice."""
    return refined(bronze).where("why IS NULL AND NOT is_test").drop("why", "is_test", "value", "partition", "offset")


def bad(bronze: DataFrame) -> DataFrame:
    """What is not valid: as it came, where it came from, and why it is here."""
    return refined(bronze).where("why IS NOT NULL AND NOT is_test").select("value", "why", "partition", "offset", "arrived_at")


# COMMAND ----------

# MAGIC %md
# MAGIC ## Batch and stream, side by side
# MAGIC
# MAGIC | | `spark.table("bronze")` | `spark.readStream.table("bronze")` |
# MAGIC |---|---|---|
# MAGIC | what it is | the table as it is now | its rows, as they are added |
# MAGIC | runs | when you ask for rows; answers and is done | as a query with a checkpoint; the next run takes only what is new |
# MAGIC | good for | looking, counting, trying a rule | keeping silver up to date |
# MAGIC
# MAGIC The function does not know which it got. So try it as a batch, and run it as a stream.

# COMMAND ----------

batch = good(spark.table("bronze"))
stream = good(spark.readStream.table("bronze"))
print(f"batch:  isStreaming={batch.isStreaming}   {len(batch.columns)} columns")
print(f"stream: isStreaming={stream.isStreaming}    {len(stream.columns)} columns, the same: {batch.dtypes == stream.dtypes}")
lakehouse.show(batch, 5)

# COMMAND ----------

# MAGIC %md
# MAGIC Look before you write: how many records does each rule find, and is a column empty that should not be? A column that is null in all
# MAGIC rows is the sign of a wrong type or name in the schema.

# COMMAND ----------

lakehouse.show(refined(spark.table("bronze")).groupBy("why", "is_test").count().orderBy("why", "is_test"), 30)
lakehouse.show(batch.select([F.count_if(F.col(name).isNull()).alias(name) for name in batch.columns]), 1)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The tables
# MAGIC
# MAGIC Silver's columns are fixed before the first row comes. A checkpoint remembers what has been read and a table what was written: they
# MAGIC belong together, and `lakehouse.reset` drops both. After a change of a rule silver has to be made anew, which costs seconds: bronze
# MAGIC still has everything. With `START_OVER = False` the queries go on where they stopped.

# COMMAND ----------

START_OVER = True
if START_OVER:
    lakehouse.reset("silver", "quarantine")

spark.sql("""
    CREATE TABLE IF NOT EXISTS silver (
        event_id STRING NOT NULL, user_id STRING NOT NULL, event_type STRING NOT NULL, product_id STRING NOT NULL,
        price DOUBLE NOT NULL, quantity INT, event_time TIMESTAMP NOT NULL, arrived_at TIMESTAMP NOT NULL,
        category STRING, brand STRING, device_type STRING, country STRING, hour_of_day INT, day_of_week INT
    ) USING delta
""")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 5: each event once
# MAGIC
# MAGIC A producer that got no answer sends again, so a few events came twice. To know that an event is a repeated one, the query has to
# MAGIC remember ids: that is its **state**. It cannot remember all of them for ever. The **watermark** says how long: it is the latest
# MAGIC `event_time` of the batches before, less ten minutes. An event from before the watermark is late and is dropped, as nobody can tell
# MAGIC any more whether it is a repeated one; and an id that only late events could repeat is forgotten.
# MAGIC
# MAGIC The watermark comes after the rules. A single event from the day after tomorrow would move it there, and everything else would be
# MAGIC late.

# COMMAND ----------


def write_silver() -> None:
    """Takes what is new in bronze and ends."""
    workshop.todo("once = good(spark.readStream.table('bronze')) with a watermark of 10 minutes on event_time, each event_id once")
    query = (
        once.writeStream.format("delta")
        .outputMode("append")
        .option("checkpointLocation", lakehouse.checkpoint("silver"))
        .trigger(availableNow=True)
        .toTable("silver")
    )
    query.awaitTermination()
    lakehouse.progress(query)


write_silver()

# COMMAND ----------

# MAGIC %md
# MAGIC ### How to read a query's progress
# MAGIC
# MAGIC | | |
# MAGIC |---|---|
# MAGIC | rows in | how many rows of bronze the batch took. 0 is a batch that only cleans up the state |
# MAGIC | rows/s | against 25 records a second that arrive: the room that is left |
# MAGIC | seconds | a batch costs a second or two even if it is empty: few large batches are faster than many small ones |
# MAGIC | watermark | about ten minutes before the latest event. 1970: not set yet. In two days: an event from the future got through |
# MAGIC | rows kept | ids that are remembered. From run to run it stays about the same: those of the last minutes |

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 6: the quarantine
# MAGIC
# MAGIC A second query reads the same bronze, with a checkpoint of its own, and keeps what is not valid: the value as it came, and why. When
# MAGIC a rule turns out to be wrong, its events can be taken from here.

# COMMAND ----------


def write_quarantine() -> None:
    workshop.todo("write bad(spark.readStream.table('bronze')) to the table quarantine, with a checkpoint of its own")


write_quarantine()
lakehouse.show(spark.table("quarantine").groupBy("why").agg(F.count("*").alias("records"), F.min("value").alias("one of them")), 10)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Once more, with what has come since
# MAGIC
# MAGIC The ticket names offsets, and the last of them were yet to come. `update_bronze` takes bronze up to them, then both queries go on
# MAGIC where they stopped. Each batch is a new version of the table.

# COMMAND ----------

lakehouse.update_bronze(ticket)
write_silver()
write_quarantine()

# COMMAND ----------

# MAGIC %md
# MAGIC ## Versions and time travel
# MAGIC
# MAGIC A Delta table is files and a log of what was added and removed. An old version is the log read up to there.

# COMMAND ----------

history = spark.sql("DESCRIBE HISTORY silver").selectExpr(
    "version", "timestamp", "operation", "operationMetrics['numOutputRows'] AS rows"
)
lakehouse.show(history.orderBy("version"), 20)
# The first version with rows in it; the one before made the empty table.
filled = history.where("CAST(rows AS BIGINT) > 0").agg(F.min("version")).first()[0] or 0
then = spark.sql(f"SELECT count(*) AS rows, max(arrived_at) AS latest FROM silver VERSION AS OF {filled}").first()
now = spark.sql("SELECT count(*) AS rows, max(arrived_at) AS latest FROM silver").first()
print(f"version {filled}: {then['rows']} rows, the latest of {then['latest']}")
print(f"now:       {now['rows']} rows, the latest of {now['latest']}")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Step 7: a write that does not fit
# MAGIC
# MAGIC Somebody appends a row with a column that silver does not have. Delta checks the schema before it writes anything. Catch the error
# MAGIC and keep its text in `rejected`: it goes into the receipt.

# COMMAND ----------

row = spark.table("silver").limit(1).withColumn("discount", F.lit(0.1))
rejected = None
workshop.todo("append `row` to silver (row.write.format('delta').mode('append')...), catch the exception, and set rejected = str(...)")
print(f"silver has {spark.table('silver').count()} rows, as before")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Hand it in
# MAGIC
# MAGIC The receipt says what is in your tables without sending them: names, types, versions, and digests of ids and columns.

# COMMAND ----------

verdict = lakehouse.submit(ticket, receipts.silver(ticket, rejected))
