# Databricks notebook source
# MAGIC %md
# MAGIC # C8: purchases and payments
# MAGIC
# MAGIC Two streams tell one story: `ecommerce-events` knows who bought what, `financial-transactions` who paid how much. This notebook
# MAGIC joins them into a Delta table named `joined`. Run the cells from the top; it ends with what is still to do, or with your verdict.

# COMMAND ----------

import json

from pyspark.sql import functions as F

import lakehouse
import receipts
import workshop

spark = lakehouse.session(globals())
SOURCE = lakehouse.preflight("ecommerce-events", "financial-transactions")
# Which records the challenge is about. The last ones are yet to come.
ticket = lakehouse.ticket("c08")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The two sides
# MAGIC
# MAGIC Each of these functions takes a table or a stream. `..._at` is when something happened, `..._arrived_at` when its record came.
# MAGIC The names differ on purpose, as a join has the columns of both sides in one row. Events that are not valid are left out, as in C6.

# COMMAND ----------

PURCHASE = """
    event_id string, user_id string, event_type string, product_id string, price double, quantity int, order_id string, timestamp timestamp
"""
PAYMENT = """
    event_id string, user_id string, order_id string, transaction_id string, amount double, status string, timestamp timestamp
"""


def purchases(frame):
    """The purchases among the events of the shop."""
    parsed = frame.select(F.from_json(F.col("value").cast("string"), PURCHASE).alias("e"), F.col("timestamp").alias("arrived_at"))
    valid = parsed.where("e.event_type = 'purchase' AND e.user_id IS NOT NULL AND e.product_id IS NOT NULL AND e.price > 0")
    # One with a time in the future would carry the watermark with it.
    valid = valid.where("e.timestamp <= arrived_at + INTERVAL 5 MINUTES")
    return valid.selectExpr(
        "e.event_id",
        "e.order_id",
        "e.user_id",
        "e.product_id",
        "e.price",
        "e.quantity",
        "e.timestamp AS purchased_at",
        "arrived_at AS purchase_arrived_at",
    )


def payments(frame):
    """All payments: of the shop, at tills, at cash machines. Only those of the shop have an order."""
    parsed = frame.select(F.from_json(F.col("value").cast("string"), PAYMENT).alias("e"), F.col("timestamp").alias("arrived_at"))
    return parsed.where("e.user_id IS NOT NULL AND e.amount > 0").selectExpr(
        "e.event_id",
        "e.order_id AS paid_order",
        "e.user_id AS payer",
        "e.transaction_id",
        "e.amount",
        "e.status",
        "e.timestamp AS paid_at",
        "arrived_at AS payment_arrived_at",
    )


# COMMAND ----------

# MAGIC %md
# MAGIC ## First in batch, on a slice
# MAGIC
# MAGIC A condition is easier to find where nothing moves. These are the records of the first quarter of the ticket, as two ordinary tables.
# MAGIC A purchase and its payment have the same user, and the payment comes **at the time of the purchase or up to two minutes after it**.

# COMMAND ----------


def slice_of(topic, side, table):
    """The first quarter of the ticket's records: those are there already. Kept as a table, so that they are read from the broker once."""
    begin = {partition: start for partition, (start, end) in ticket.topics[topic].items()}
    until = {partition: start + (end - start) // 4 for partition, (start, end) in ticket.topics[topic].items()}
    records = lakehouse.batch(topic, startingOffsets=json.dumps({topic: begin}), endingOffsets=json.dumps({topic: until}))
    # The files of the bridge have more than that.
    quarter = " OR ".join(f"partition = {p} AND offset >= {begin[p]} AND offset < {until[p]}" for p in begin)
    side(records.where(quarter)).write.mode("overwrite").saveAsTable(table)
    return spark.table(table)


some_purchases = slice_of("ecommerce-events", purchases, "some_purchases")
some_payments = slice_of("financial-transactions", payments, "some_payments")

### BEGIN SOLUTION
BY_USER = "user_id = payer AND paid_at BETWEEN purchased_at AND purchased_at + INTERVAL 2 MINUTES"
#> BY_USER = "user_id = payer"  # To do: AND paid_at between its two bounds, in SQL
#> workshop.todo("complete BY_USER: paid_at lies between purchased_at and two minutes later")
### END SOLUTION

rows = some_purchases.join(some_payments, F.expr(BY_USER))
right = rows.where("order_id = paid_order")
print(f"joined by user and time: {rows.count()} rows, of which {right.count()} are a purchase with its own payment")
lakehouse.show(
    rows.where("paid_order IS NULL OR order_id <> paid_order").select(
        "user_id", "order_id", "paid_order", "price", "quantity", "amount", "purchased_at", "paid_at"
    )
)

# COMMAND ----------

# MAGIC %md
# MAGIC The rows above are the surplus. Whoever buys twice and pays twice within two minutes makes four rows, and a coffee that is paid at
# MAGIC a till joins a purchase with which it has nothing to do. Look at `order_id` and `paid_order`.

# COMMAND ----------

### BEGIN SOLUTION
PAIR = f"{BY_USER} AND order_id = paid_order"
#> PAIR = BY_USER  # To do: what else has to be equal?
#> workshop.todo("complete PAIR, so that a payment joins the purchase that it was made for and no other")
### END SOLUTION

print(f"joined with PAIR: {some_purchases.join(some_payments, F.expr(PAIR)).count()} rows")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The same on streams, and what it costs to never forget
# MAGIC
# MAGIC A batch has all rows before it. A stream has to **remember**: a purchase waits in the query's *state* for its payment, and a payment
# MAGIC for its purchase. Some events arrive twice, and a purchase with two copies of its payment is two rows: `dropDuplicates` lets one
# MAGIC copy through and remembers its id.
# MAGIC
# MAGIC Look at the column `rows kept`: this query has no reason to forget anything, and it does not.
# MAGIC
# MAGIC `maxOffsetsPerTrigger` differs because the shop has six events for each payment: so both sides move through time side by side.

# COMMAND ----------

COLUMNS = [
    "order_id",
    "transaction_id",
    "user_id",
    "product_id",
    "price",
    "quantity",
    "amount",
    "status",
    "purchased_at",
    "paid_at",
    "purchase_arrived_at",
    "payment_arrived_at",
]
# Without startingOffsets a new query begins at the end. Records that retention has deleted meanwhile do not end the query.
FROM_THE_BEGINNING = {"startingOffsets": "earliest", "failOnDataLoss": False}


def shop():
    """The purchases as they come."""
    return purchases(lakehouse.stream("ecommerce-events", maxOffsetsPerTrigger=60_000, **FROM_THE_BEGINNING))


def bank():
    """The payments as they come."""
    return payments(lakehouse.stream("financial-transactions", maxOffsetsPerTrigger=10_000, **FROM_THE_BEGINNING))


lakehouse.reset("joined_for_ever")
forever = (
    shop()
    .dropDuplicates(["event_id"])
    .join(bank().dropDuplicates(["event_id"]), F.expr(PAIR))
    .select(COLUMNS)
    .writeStream.option("checkpointLocation", lakehouse.checkpoint("joined_for_ever"))
    .trigger(availableNow=True)
    .toTable("joined_for_ever")
)
forever.awaitTermination()
lakehouse.progress(forever)
lakehouse.reset("joined_for_ever")

# COMMAND ----------

# MAGIC %md
# MAGIC ## How long to wait: the watermark
# MAGIC
# MAGIC `withWatermark("paid_at", "10 minutes")` says that an event may be ten minutes late. The watermark is the newest time seen less ten
# MAGIC minutes, and of the two sides the older one counts. What is so old that its partner cannot come any more leaves the state. An event
# MAGIC that is behind the watermark when it comes is dropped.
# MAGIC
# MAGIC Each side needs, in this order:
# MAGIC
# MAGIC 1. `withWatermark`, on the time when it happened;
# MAGIC 2. `dropDuplicatesWithinWatermark(["event_id"])`: it forgets ids that are behind the watermark, too;
# MAGIC 3. then the join. `"inner"` keeps pairs. `"left_outer"`, for the star, keeps purchases that nobody paid as well: such a row is
# MAGIC    written when the watermark has passed the end of its two minutes. Without a watermark or without an upper bound Spark refuses
# MAGIC    it, as it could never be sure.
# MAGIC
# MAGIC A query that remembers cannot be changed under its checkpoint. So the cell begins anew each time; without the line with `reset` it
# MAGIC goes on where it ended. `reset` drops the table and its checkpoint, both: that is also what to do when the instructor has let the
# MAGIC streams begin anew.

# COMMAND ----------


def waiting_purchases():
    ### BEGIN SOLUTION
    return shop().withWatermark("purchased_at", "10 minutes").dropDuplicatesWithinWatermark(["event_id"])
    #> return shop()  # To do: the watermark, then the duplicates
    ### END SOLUTION


def waiting_payments():
    ### BEGIN SOLUTION
    return bank().withWatermark("paid_at", "10 minutes").dropDuplicatesWithinWatermark(["event_id"])
    #> return bank()  # To do: the same here
    ### END SOLUTION


### BEGIN SOLUTION
HOW = "left_outer"
#> HOW = "inner"  # For the star: "left_outer"
### END SOLUTION


def run():
    """Reads what there is, to its end."""
    joined = waiting_purchases().join(waiting_payments(), F.expr(PAIR), HOW).select(COLUMNS)
    query = (
        joined.writeStream.option("checkpointLocation", lakehouse.checkpoint("joined")).trigger(availableNow=True).toTable("joined")
    )
    query.awaitTermination()
    lakehouse.progress(query)


### BEGIN SOLUTION
#> workshop.todo("give both sides a watermark of ten minutes and drop repeated events; then take this line out")
### END SOLUTION
lakehouse.reset("joined")
# Until the ticket's last records are in it. Each run goes on where the one before ended.
lakehouse.until_complete(ticket, run, covered="joined")

# COMMAND ----------

# MAGIC %md
# MAGIC Compare `rows kept` with the query above: it no longer grows with all that ever came, and falls at the end, as what is old enough is
# MAGIC forgotten. The watermark in a line is the one that its batch began with.
# MAGIC
# MAGIC ## What the analysts get

# COMMAND ----------

lakehouse.show(spark.table("joined").orderBy(F.desc("purchased_at")))
lakehouse.show(
    spark.sql(
        """
        SELECT
            count(transaction_id) AS pairs,
            count_if(transaction_id IS NULL) AS without_payment,
            count_if(status = 'declined') AS declined,
            round(avg(unix_millis(paid_at) - unix_millis(purchased_at)) / 1000, 1) AS seconds_to_pay,
            count_if(payment_arrived_at > paid_at + INTERVAL 10 MINUTES) AS late_payments,
            max(purchased_at) FILTER (WHERE transaction_id IS NULL) AS newest_without_payment,
            max(purchased_at) AS newest
        FROM joined
        """
    )
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The receipt
# MAGIC
# MAGIC What the table holds, in a few numbers that only your ticket makes: no row leaves this notebook.

# COMMAND ----------

verdict = lakehouse.submit(ticket, receipts.joined(ticket))
