# Databricks notebook source
# MAGIC %md
# MAGIC # C9, second half: What is trending
# MAGIC
# MAGIC The Python half has written what people really say into a topic of your own, with a sentiment. Spark reads that topic, counts
# MAGIC hashtags in windows of ten minutes, and ranks them. Two streams write `hashtag_counts` and `mood`; a second pass makes `trending` of
# MAGIC the first.
# MAGIC
# MAGIC **First** run `python c09.py` to its end, on a computer that reaches the broker. Then run the cells from the top.

# COMMAND ----------

import dataclasses
import json

from pyspark.sql import functions as F

import lakehouse
import trending_pictures
import workshop

spark = lakehouse.session(globals())

# COMMAND ----------

# The ticket says how your topic is named; nothing is answered to it. Without the server: lakehouse.ticket("c09", "WT1....")
asked = lakehouse.ticket("c09")
FIRST_HALF = f"run the first half: python c09.py makes {asked.results} and fills it; then run this notebook again"
try:
    SOURCE = lakehouse.preflight(asked.results)
except workshop.WorkshopError as reason:
    if "does not host this topic" not in str(reason):
        raise
    workshop.todo(FIRST_HALF)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What has the Python half written?
# MAGIC
# MAGIC Each of its records has the header `ticket`. Each run of the script took another ticket, and all runs are in the one topic. The
# MAGIC newest one counts, so this notebook takes its ticket from there: the ranking belongs to the same answer as the records.

# COMMAND ----------

# The header of a record that has one; get() gives null for what is not there.
RUN = "cast(get(filter(headers, header -> header.key = 'ticket'), 0).value AS string)"


def runs():
    """The runs of the Python half, the newest first."""
    records = lakehouse.batch(asked.results, startingOffsets="earliest").withColumn("run", F.expr(RUN)).where("run IS NOT NULL")
    found = records.groupBy("run").agg(F.count("*").alias("records"), F.max("timestamp").alias("newest"))
    return found.orderBy("newest", ascending=False).collect()


found = runs()
if not found:
    workshop.todo(FIRST_HALF)
for run in found[:5]:
    print(f"  run {run['run']}: {run['records']} records")
newest = found[0]["run"]
ticket = dataclasses.replace(asked, nonce=newest)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Parse
# MAGIC
# MAGIC As in C7, the same functions take a batch and a stream. The record's own `timestamp` says when your script wrote it: all within a
# MAGIC minute or two. When somebody said it stands in the value.

# COMMAND ----------

SAID = "post_id string, action_type string, sentiment string, score int, hashtags array<string>, timestamp timestamp"


def said(records):
    """A row for each record; `event_time` is when somebody said it."""
    parsed = records.withColumn("run", F.expr(RUN)).withColumn("said", F.from_json(F.col("value").cast("string"), SAID))
    return parsed.select("run", F.col("said.timestamp").alias("event_time"), "said.sentiment", "said.score", "said.hashtags").where(
        "run IS NOT NULL AND event_time IS NOT NULL"
    )


everything = said(lakehouse.batch(asked.results, startingOffsets="earliest"))
lakehouse.show(everything.where(F.col("run") == newest).orderBy("event_time"), 5)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Count, by windows of ten minutes
# MAGIC
# MAGIC A record with two hashtags counts for both: `explode` makes two rows of it. That is right for hashtags and wrong for records, so the
# MAGIC mood of a window is counted from the records themselves.

# COMMAND ----------

WINDOW = F.window("event_time", "10 minutes")


def hashtags_of(rows):
    """By run, window and hashtag: how often it was used, and the sum of the scores."""
    ### BEGIN SOLUTION
    tags = rows.select("run", "event_time", "score", F.explode("hashtags").alias("hashtag"))
    counted = tags.groupBy("run", WINDOW, "hashtag").agg(F.count("*").alias("mentions"), F.sum("score").alias("score"))
    #> workshop.todo('explode the hashtags, groupBy("run", WINDOW, "hashtag"), agg: mentions (how many), score (their sum)')
    #> counted = rows
    ### END SOLUTION
    return counted.select("run", F.col("window.start").alias("window_start"), "hashtag", "mentions", "score")


def mood_of(rows):
    """By run and window: how many records, and of which sentiment."""
    kinds = [F.count_if(F.col("sentiment") == kind).alias(kind) for kind in ("positive", "neutral", "negative")]
    counted = rows.groupBy("run", WINDOW).agg(F.count("*").alias("records"), *kinds, F.sum("score").alias("score"))
    return counted.select("run", F.col("window.start").alias("window_start"), "records", "positive", "neutral", "negative", "score")


# COMMAND ----------

# MAGIC %md
# MAGIC ## Why not `append`?
# MAGIC
# MAGIC In C7 time only moved forwards: `append` with a watermark gave each window once. Here the past comes again. Your script may run a
# MAGIC second time, and each run begins half an hour ago, behind any watermark: all of it would be dropped as late. `complete` keeps all
# MAGIC counts and replaces the table at each batch. That is right where the result is small, and wrong where it grows for ever: windows
# MAGIC times hashtags times runs.
# MAGIC
# MAGIC | | `append` (C7) | `complete` (here) |
# MAGIC |---|---|---|
# MAGIC | a window is in the table | once it is closed | at once, as far as it is known |
# MAGIC | late records | dropped | counted |
# MAGIC | state | open windows | everything there ever was |

# COMMAND ----------


def write(rows, table):
    """Brings a table of counts up to date. Each query has a checkpoint of its own."""
    ### BEGIN SOLUTION
    query = (
        rows.writeStream.outputMode("complete")
        .option("checkpointLocation", lakehouse.checkpoint(table))
        .trigger(availableNow=True)
        .toTable(table)
    )
    #> workshop.todo('writeStream: outputMode("complete"), checkpointLocation, .trigger(availableNow=True), .toTable(table)')
    #> query = None
    ### END SOLUTION
    query.awaitTermination()
    return query


def stream():
    return said(lakehouse.stream(asked.results, startingOffsets="earliest", maxOffsetsPerTrigger=60_000, failOnDataLoss=False))


# COMMAND ----------

# MAGIC %md
# MAGIC ## Rank, in a second pass
# MAGIC
# MAGIC `trending` is made anew each time, of the newest run: `place` 1 to 3 in each window. Of hashtags that are used as often, any order
# MAGIC is right; the alphabet makes it the same at each run.

# COMMAND ----------

### BEGIN SOLUTION
TRENDING = f"""
CREATE OR REPLACE TABLE trending AS
SELECT window_start, hashtag, mentions, score, row_number() OVER (PARTITION BY window_start ORDER BY mentions DESC, hashtag) AS place
FROM hashtag_counts WHERE run = '{newest}'"""
#> TRENDING = f"""
#> CREATE OR REPLACE TABLE trending AS
#> SELECT window_start, hashtag, mentions, score, 1 AS place  -- to do: 1, 2, 3 in each window; row_number() OVER (PARTITION BY ...)
#> FROM hashtag_counts WHERE run = '{newest}'"""
#> workshop.todo("write the rule for `place` into TRENDING, then take this line out")
### END SOLUTION


def update():
    """Run it again when the Python half has run again; on Databricks, as a job."""
    lakehouse.progress(write(hashtags_of(stream()), "hashtag_counts"))
    write(mood_of(stream()), "mood_counts")
    spark.sql(TRENDING)
    spark.sql(f"CREATE OR REPLACE TABLE mood AS SELECT * EXCEPT (run) FROM mood_counts WHERE run = '{newest}'")


update()
top = spark.sql(
    "SELECT date_format(window_start, \"yyyy-MM-dd'T'HH:mm:ss'Z'\") AS start,"
    " transform(array_sort(collect_list(struct(place, hashtag))), one -> one.hashtag) AS top"
    " FROM trending WHERE place <= 3 GROUP BY window_start ORDER BY window_start"
)
lakehouse.show(top, 20)
lakehouse.show(spark.sql("SELECT *, round(score / records, 2) AS mean_score FROM mood ORDER BY window_start"), 20)

# COMMAND ----------

# MAGIC %md
# MAGIC ## See it
# MAGIC
# MAGIC Which topic comes, which goes? And is what is used most also what people like?

# COMMAND ----------

lakehouse.picture(trending_pictures.figure(spark.table("trending"), spark.table("mood")), "trending")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The same as a dashboard
# MAGIC
# MAGIC This cell writes a copy of `trending.lvdash.json` that knows where your tables are. On Databricks: Dashboards, the arrow beside
# MAGIC Create dashboard, Import dashboard from file.

# COMMAND ----------

dashboard = json.loads((lakehouse.HERE / "trending.lvdash.json").read_text(encoding="utf-8"))
place = spark.sql("SELECT current_catalog() AS catalog, current_schema() AS schema").first().asDict()
for dataset in dashboard["datasets"]:
    dataset.update(place)
(lakehouse.HERE / "my-trending.lvdash.json").write_text(json.dumps(dashboard, indent=2), encoding="utf-8")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Hand it in
# MAGIC
# MAGIC The ranking goes to the same ticket as the records of your newest run. A ticket is good for an hour: run the Python half again where
# MAGIC it is older.

# COMMAND ----------

verdict = lakehouse.submit(ticket, {"windows": [row.asDict() for row in top.collect()]})
