# Databricks notebook source
# MAGIC %md
# MAGIC # C7: Fraud windows
# MAGIC
# MAGIC A bank watches card payments. Most fraud hides in single payments; some of it comes as a wave: for a few minutes one country pays
# MAGIC five times as often as it does otherwise. You count payments in windows of five minutes, keep the result in a Delta table, and mark
# MAGIC the waves.
# MAGIC
# MAGIC Two tables: a stream appends to `closed_windows`, and a second pass makes `gold` of it. Run the cells from the top.

# COMMAND ----------

import json

from pyspark.sql import functions as F

import fraud_pictures
import lakehouse
import receipts
import workshop

spark = lakehouse.session(globals())

# COMMAND ----------

SOURCE = lakehouse.preflight("financial-transactions")
# Where the server is out of reach: lakehouse.ticket("c07", "WT1....") with the line that `python headwater.pyz ticket c07` prints.
ticket = lakehouse.ticket("c07")

# COMMAND ----------

# MAGIC %md
# MAGIC ## A payment has two times
# MAGIC
# MAGIC The column `timestamp` that Kafka keeps says when a record *arrived*. The field `timestamp` in the value says when the payment *was
# MAGIC made*. A few come ten minutes late or more, and a few are damaged: of what is no JSON, `from_json` makes nulls.
# MAGIC
# MAGIC The functions below take a batch as well as a stream. Try them on a batch: it ends by itself and shows its rows.

# COMMAND ----------

# Only fields that are needed. What is not named here is not parsed.
PAYMENT = "timestamp timestamp, country string, amount double, currency string, amount_usd double, risk_score double"


def payments_of(records):
    """A row for each payment; `event_time` is when it was made."""
    parsed = records.select(
        F.col("timestamp").alias("arrived_at"),
        F.from_json(F.col("value").cast("string"), PAYMENT).alias("payment"),
    )
    ### BEGIN SOLUTION
    payments = parsed.select("arrived_at", F.col("payment.timestamp").alias("event_time"), "payment.*").drop("timestamp")
    return payments.where("event_time IS NOT NULL AND country IS NOT NULL")
    #> workshop.todo("select arrived_at, payment.timestamp as event_time and the other fields; leave out what has no time or no country")
    #> return parsed
    ### END SOLUTION


batch = lakehouse.batch("financial-transactions", startingOffsets="earliest")
late = "unix_seconds(arrived_at) - unix_seconds(event_time) AS seconds_late"
shown = payments_of(batch).selectExpr("event_time", late, "country", "amount", "currency", "amount_usd", "risk_score")
lakehouse.show(shown.orderBy("seconds_late", ascending=False), 5)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Windows
# MAGIC
# MAGIC One row for each five minutes of event time and each country: how many `payments`, their `average_usd`, and how many of them are
# MAGIC `high_risk`, with a `risk_score` above 0.7. Averages are of `amount_usd`: `amount` is in the payer's own money.
# MAGIC
# MAGIC When is a window complete? Never for certain. The **watermark** is the promise that nothing comes later than ten minutes: it stands
# MAGIC ten minutes before the newest event time seen so far. A window that ends before the watermark is closed; a payment that still comes
# MAGIC for it is dropped. In a batch a watermark has no effect, as a batch has all of its rows.

# COMMAND ----------


def windows_of(payments):
    """By windows of five minutes and countries."""
    ### BEGIN SOLUTION
    windows = (
        payments.withWatermark("event_time", "10 minutes")
        .groupBy(F.window("event_time", "5 minutes"), "country")
        .agg(
            F.count("*").alias("payments"),
            F.round(F.avg("amount_usd"), 2).alias("average_usd"),
            F.count_if(F.col("risk_score") > 0.7).alias("high_risk"),
        )
    )
    #> workshop.todo('withWatermark, groupBy(F.window("event_time", "5 minutes"), "country"), agg: payments, average_usd, high_risk')
    #> windows = payments
    ### END SOLUTION
    begin, end = F.col("window.start").alias("window_start"), F.col("window.end").alias("window_end")
    return windows.select(begin, end, "country", "payments", "average_usd", "high_risk")


lakehouse.show(windows_of(payments_of(batch)).orderBy("high_risk", ascending=False), 5)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The stream writes what is closed
# MAGIC
# MAGIC | `outputMode` | a batch writes | with a Delta table |
# MAGIC |---|---|---|
# MAGIC | `append` | windows that the watermark has closed, each once | what is wanted here |
# MAGIC | `complete` | all windows there ever were, again | replaces the table; the state grows for ever, nothing is dropped |
# MAGIC | `update` | windows that have changed, as they are by now | refused; needs `foreachBatch` and `MERGE`, or every draft stays |
# MAGIC
# MAGIC The checkpoint is named `gold`, after the table that all of this is for. You changed a window, and the query that read the old one
# MAGIC has left a checkpoint behind? `lakehouse.reset("closed_windows", "gold")` drops tables and checkpoint together.

# COMMAND ----------


def append_closed_windows():
    """Reads what has come since the last run, and appends the windows that are closed by now."""
    records = lakehouse.stream("financial-transactions", startingOffsets="earliest", maxOffsetsPerTrigger=60_000, failOnDataLoss=False)
    windows = windows_of(payments_of(records))
    ### BEGIN SOLUTION
    query = (
        windows.writeStream.outputMode("append")
        .option("checkpointLocation", lakehouse.checkpoint("gold"))
        .trigger(availableNow=True)
        .toTable("closed_windows")
    )
    #> workshop.todo('writeStream: outputMode, checkpointLocation, .trigger(availableNow=True), .toTable("closed_windows")')
    #> query = None
    ### END SOLUTION
    query.awaitTermination()
    return query


lakehouse.progress(append_closed_windows())

# COMMAND ----------

# MAGIC %md
# MAGIC How to read the progress: `rows in` is what the batch read, `rows kept` how many windows are open and have to be remembered. The
# MAGIC watermark moves between batches, never within one: it stands at what the batches *before* have seen. So the last batch has no rows.
# MAGIC It is there to write what the one before it has closed.
# MAGIC
# MAGIC ## Spikes, in a second pass
# MAGIC
# MAGIC A **spike**: at least 20 payments in a window, and at least three times the mean of the same country's three windows before. A
# MAGIC stream cannot compare a window with others that way; a table can. `gold` is made anew each time, in one commit: whoever reads it
# MAGIC meanwhile sees the version before.

# COMMAND ----------

### BEGIN SOLUTION
GOLD = """
CREATE OR REPLACE TABLE gold AS
SELECT *, payments >= 20 AND count(*) OVER before = 3 AND payments >= 3 * avg(payments) OVER before AS spike
FROM closed_windows
WINDOW before AS (
  PARTITION BY country ORDER BY window_start RANGE BETWEEN INTERVAL 15 MINUTES PRECEDING AND INTERVAL 5 MINUTES PRECEDING
)"""
#> GOLD = """
#> CREATE OR REPLACE TABLE gold AS
#> SELECT *, false AS spike  -- to do: when is it true? `avg(payments) OVER (PARTITION BY country ORDER BY ...)` looks at other rows
#> FROM closed_windows"""
#> workshop.todo("write the rule for `spike` into GOLD, then take this line out")
### END SOLUTION


def update():
    """Both passes. On Databricks, a job that runs this every five minutes is what "real time" means; here, run the cell again."""
    query = append_closed_windows()
    spark.sql(GOLD)
    return query


# Waits for the ticket's last records. This second run goes on where the first one stopped.
lakehouse.until_complete(ticket, update, covered="gold")
if spark.table("gold").isEmpty():
    raise workshop.WorkshopError("gold is empty: no window has been closed.", "Are window and watermark over event_time?")
lakehouse.show(spark.sql("SELECT * FROM gold WHERE spike ORDER BY window_start"), 20)

# COMMAND ----------

# MAGIC %md
# MAGIC ## My last windows are missing
# MAGIC
# MAGIC They are not: they are open. Nothing is broken, and the check does not count them. The rows below are what is still to come, as far
# MAGIC as it is known by now.
# MAGIC
# MAGIC Each question to a batch reads the topic again. Several questions to the same records are better asked of a table, so this cell
# MAGIC keeps them in one: `payments_now`.

# COMMAND ----------

payments_of(batch).write.mode("overwrite").saveAsTable("payments_now")
everything = spark.table("payments_now")
lakehouse.show(
    spark.sql(
        "SELECT max(event_time) AS newest_payment, max(event_time) - INTERVAL 10 MINUTES AS watermark,"
        " (SELECT max(window_end) FROM gold) AS closed_up_to FROM payments_now"
    )
)
closed = spark.sql("SELECT unix_seconds(max(window_end)) AS at FROM gold").first()["at"]
still_open = windows_of(everything).where(F.unix_seconds("window_end") > closed).groupBy("window_start", "window_end")
lakehouse.show(still_open.agg(F.count("*").alias("countries"), F.sum("payments").alias("payments_so_far")).orderBy("window_start"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Tumbling beside sliding
# MAGIC
# MAGIC Tumbling windows lie end to end, each payment is in one of them. A spike of six minutes seldom begins when a window does, so two
# MAGIC windows share it. Sliding windows of the same five minutes begin every minute: one of them fits better, at the price of five rows
# MAGIC for one. `gold` stays with tumbling windows, as they can be added up.

# COMMAND ----------

busiest = spark.sql(
    "SELECT country, unix_seconds(window_start) AS at FROM gold ORDER BY spike DESC, payments DESC, window_start LIMIT 1"
).first()
there = everything.where(F.col("country") == busiest["country"])
around = F.unix_seconds("start").between(busiest["at"] - 660, busiest["at"] + 660)


def counted(window, name):
    return there.groupBy(window.alias("window")).agg(F.count("*").alias(name)).select("window.start", name).where(around)


tumbling = counted(F.window("event_time", "5 minutes"), "tumbling")
sliding = counted(F.window("event_time", "5 minutes", "1 minute"), "sliding")
print(f"payments in {busiest['country']}, by the beginning of the window")
lakehouse.show(sliding.join(tumbling, "start", "left").orderBy("start"), 30)

# COMMAND ----------

# MAGIC %md
# MAGIC ## See it
# MAGIC
# MAGIC A person should see the spike before reading a number. Look for more than the frames: two dark windows side by side without a frame
# MAGIC are a wave on the border of two windows. The first was not yet three times the mean, and the second is compared with the first. The
# MAGIC rule does not find it, you do; sliding windows would.

# COMMAND ----------

lakehouse.picture(fraud_pictures.figure(spark.table("gold")), "fraud-windows")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The same as a dashboard
# MAGIC
# MAGIC `fraud.lvdash.json` is a dashboard of Databricks SQL; its data sets read `gold`. This cell writes a copy beside the notebook that
# MAGIC knows in which catalog and schema your table is. On Databricks: Dashboards, the arrow beside Create dashboard, Import dashboard from
# MAGIC file. Change it there as you like, export it, and hand in yours.

# COMMAND ----------

dashboard = json.loads((lakehouse.HERE / "fraud.lvdash.json").read_text(encoding="utf-8"))
place = spark.sql("SELECT current_catalog() AS catalog, current_schema() AS schema").first().asDict()
for dataset in dashboard["datasets"]:
    dataset.update(place)
(lakehouse.HERE / "my-fraud.lvdash.json").write_text(json.dumps(dashboard, indent=2), encoding="utf-8")
spikes = next(dataset for dataset in dashboard["datasets"] if dataset["name"] == "spikes")
lakehouse.show(spark.sql("".join(spikes["queryLines"])))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Hand it in
# MAGIC
# MAGIC The receipt has the rows of `gold`, the offsets that the query has read, and the dashboard; no code.

# COMMAND ----------

verdict = lakehouse.submit(ticket, receipts.gold(ticket, dashboard=dashboard))
