"""Writes tests/spark_tables/warehouse and receipts.json again, with a real Spark, Delta and Kafka client.

    make.py JARS BOOTSTRAP

JARS is a folder with delta-spark_4.2_2.13 4.4.0, delta-storage 4.4.0, spark-sql-kafka-0-10_2.13 4.2.0,
spark-token-provider-kafka-0-10_2.13 4.2.0, kafka-clients 3.9.2 and commons-pool2; the interpreter has PySpark 4.2.0. BOOTSTRAP is an
empty broker that creates topics with two partitions:

    headwater --generators off --num-partitions 2 --listen 127.0.0.1:19492 --http off --data-dir FOLDER

The receipts are computed with Spark SQL functions alone, as notebooks compute them. A Rust test reads the tables and must find the same.
"""

import glob
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

from pyspark.sql import DataFrame, SparkSession  # noqa: E402

HERE = Path(__file__).parent
WAREHOUSE = HERE / "warehouse"
NONCE = "n-spark"
SHOP, BANK = "ecommerce-events", "financial-transactions"

SHOP_SCHEMA = (
    "event_id string, user_id string, event_type string, product_id string, price double, quantity int, timestamp timestamp,"
    " order_id string, is_test boolean, product struct<category: string, brand: string>,"
    " context struct<device: struct<type: string>, geo: struct<country: string>>"
)
BANK_SCHEMA = (
    "event_id string, transaction_id string, user_id string, order_id string, amount double, amount_usd double, risk_score double,"
    " country string, status string, timestamp timestamp"
)


def session(jars: str) -> SparkSession:
    conf = {
        "spark.master": "local[2]",
        "spark.driver.extraClassPath": ":".join(sorted(glob.glob(f"{jars}/*.jar"))),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def at(minute: int, second: int = 0) -> str:
    return f"2026-01-05T{10 + minute // 60:02}:{minute % 60:02}:{second:02}.250Z"


def shop_values() -> list[str]:
    """Forty events, an order every fifth; one is repeated, one is damaged, one has no user, one is a test."""
    values = []
    for n in range(40):
        event = {
            "event_id": f"01M841{n:020}",
            "user_id": f"u-{n % 7:04}",
            "event_type": "purchase" if n % 5 == 0 else "view",
            "product_id": f"p-{n:03}",
            "price": 12.5 + n,
            "timestamp": at(n),
            "quantity": 1 + n % 3,
            "is_test": n == 12,
            "product": {"category": "toys" if n % 2 else "bücher", "brand": "Oskuma"},
            "context": {"device": {"type": "mobile"}, "geo": {"country": None if n == 8 else "DE"}},
        }
        if n % 5 == 0:
            event["order_id"] = f"o-{n:04}"
        if n == 17:
            event["user_id"] = None
        values.append(json.dumps(event, ensure_ascii=False))
    values.insert(5, values[4])
    values.insert(9, values[9][:70])
    return values


def bank_values() -> list[str]:
    """A payment a minute, and for each order but the last two one after twenty seconds."""
    values = []
    for n in range(40):
        order = f"o-{n:04}" if n % 5 == 0 and n < 30 else None
        values.append(
            json.dumps(
                {
                    "event_id": f"01M842{n:020}",
                    "transaction_id": f"t-{n:04}",
                    "user_id": f"u-{n % 7:04}",
                    "order_id": order,
                    "amount": 10.0 + n,
                    "amount_usd": 11.25 + n,
                    "risk_score": 0.8 if n % 4 == 0 else 0.1,
                    "country": "DE" if n % 3 else "FR",
                    "status": "approved",
                    "timestamp": at(n, 20),
                }
            )
        )
    return values


def kafka(spark: SparkSession, bootstrap: str, topic: str) -> DataFrame:
    stream = spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    return stream.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", 9).load()


def write(frame: DataFrame, name: str) -> None:
    writer = frame.coalesce(1).writeStream.format("delta").option("checkpointLocation", str(WAREHOUSE / "_ckpt" / name))
    writer.trigger(availableNow=True).start(str(WAREHOUSE / name)).awaitTermination()


def table(name: str) -> str:
    return f"delta.`{WAREHOUSE / name}`"


def tables(spark: SparkSession, bootstrap: str) -> None:
    for topic, values in ((SHOP, shop_values()), (BANK, bank_values())):
        rows = [(value[14:40], value) for value in values]
        sink = spark.createDataFrame(rows, "key string, value string").coalesce(1).write.format("kafka")
        sink.option("kafka.bootstrap.servers", bootstrap).option("topic", topic).save()
    spark.sql(
        f"CREATE TABLE {table('bronze')} (key string, value string, topic string, partition int, offset bigint, timestamp timestamp,"
        " ingested_at timestamp) USING delta TBLPROPERTIES ('delta.checkpointInterval' = '3')"
    )
    shop = kafka(spark, bootstrap, SHOP).selectExpr(
        "cast(key as string) key", "cast(value as string) value", "topic", "partition", "offset", "timestamp", "current_timestamp() ingested_at"
    )
    write(shop, "bronze")
    parsed = spark.sql(f"SELECT value, timestamp arrived_at, from_json(value, '{SHOP_SCHEMA}') e FROM {table('bronze')}")
    parsed.where("e.user_id IS NULL").select("value").coalesce(1).write.format("parquet").save(str(WAREHOUSE / "quarantine"))
    good = parsed.where("e.user_id IS NOT NULL AND NOT e.is_test").selectExpr(
        "e.event_id", "e.user_id", "e.event_type", "e.product_id", "cast(e.price as decimal(10,2)) price", "e.quantity",
        "e.timestamp event_time",
        # As if the first three had come a quarter of an hour late, and the others at once.
        "e.timestamp + make_interval(0, 0, 0, 0, 0, CASE WHEN e.product_id < 'p-003' THEN 15 ELSE 0 END) arrived_at",
        "e.product.category", "e.product.brand", "e.context.device.type device_type", "e.context.geo.country",
        "hour(e.timestamp) hour_of_day", "dayofweek(e.timestamp) day_of_week",
    ).dropDuplicates(["event_id"]).coalesce(1)  # fmt: skip
    for mode in ("hour_of_day = 10 AND event_id < '01M84100000000000000000020'", "event_id >= '01M84100000000000000000020'"):
        good.where(mode).write.format("delta").mode("append").save(str(WAREHOUSE / "silver"))
    bank = kafka(spark, bootstrap, BANK).selectExpr(f"from_json(cast(value as string), '{BANK_SCHEMA}') e", "timestamp arrived_at")
    windows = bank.selectExpr("e.*").withWatermark("timestamp", "10 minutes").groupBy("country", window()).agg(
        *map(expr, ("count(*) payments", "avg(amount_usd) average_usd", "count_if(risk_score > 0.7) high_risk"))
    )
    write(windows.selectExpr("window.start window_start", "country", "payments", "average_usd", "high_risk", "payments > 4 spike"), "gold")
    purchases = kafka(spark, bootstrap, SHOP).selectExpr(f"from_json(cast(value as string), '{SHOP_SCHEMA}') e", "timestamp arrived_at")
    purchases = purchases.where("e.event_type = 'purchase'").selectExpr("e.*", "e.timestamp purchased_at", "e.timestamp purchase_arrived_at")
    payments = bank.selectExpr(
        "e.transaction_id", "e.user_id payer", "e.order_id paid_order", "e.amount", "e.status", "e.timestamp paid_at",
        "e.timestamp + make_interval(0, 0, 0, 0, 0, CASE WHEN e.transaction_id = 't-0010' THEN 15 ELSE 0 END) payment_arrived_at",
    )  # fmt: skip
    joined = purchases.withWatermark("purchased_at", "10 minutes").join(
        payments.withWatermark("paid_at", "10 minutes"),
        expr("user_id = payer AND order_id = paid_order AND paid_at BETWEEN purchased_at AND purchased_at + INTERVAL 2 MINUTES"),
        "left_outer",
    )
    write(
        joined.selectExpr(
            "order_id", "transaction_id", "user_id", "product_id", "price", "quantity", "amount", "status", "purchased_at", "paid_at",
            "purchase_arrived_at", "payment_arrived_at",
        ),
        "joined",
    )  # fmt: skip


def window():
    from pyspark.sql import functions as F

    return F.window("timestamp", "5 minutes")


def expr(text: str):
    from pyspark.sql import functions as F

    return F.expr(text)


def digest(ids: str) -> str:
    """The digest of an SQL expression, as columns."""
    crc = f"crc32(concat('{NONCE}', '|', {ids}))"
    return f"count({crc}) count, coalesce(sum({crc}), 0) sum, bit_xor({crc}) xor"


def one(spark: SparkSession, query: str) -> dict:
    return spark.sql(query).first().asDict()


def about(spark: SparkSession, name: str) -> dict:
    history = spark.sql(f"DESCRIBE HISTORY {table(name)}").collect()
    metric = lambda row: int((row["operationMetrics"] or {}).get("numOutputRows", 0))  # noqa: E731
    epoch = lambda row: (row["operationParameters"] or {}).get("epochId")  # noqa: E731
    versions = sorted([row["version"], metric(row), epoch(row) and int(epoch(row))] for row in history)
    schema = [f"{column}:{kind}" for column, kind in spark.read.format("delta").load(str(WAREHOUSE / name)).dtypes]
    return {"ticket": NONCE, "table": name, "schema": schema, "versions": versions}


def offsets(name: str) -> dict:
    """What a query read, from its checkpoint: a notebook takes it from the query's progress."""
    last = max((WAREHOUSE / "_ckpt" / name / "commits").iterdir(), key=lambda path: int(path.name) if path.name.isdigit() else -1).name
    lines = (WAREHOUSE / "_ckpt" / name / "offsets" / last).read_text().splitlines()
    return {topic: {p: [0, end] for p, end in ends.items()} for line in lines[2:] for topic, ends in json.loads(line).items()}


def receipts(spark: SparkSession) -> dict:
    late = "unix_millis({}) - unix_millis({}) >= 570000"
    is_late = late.format("arrived_at", "event_time")
    rows = spark.sql(
        f"SELECT cast(partition as string) partition, count(*) rows, count(distinct offset) offsets, min(offset) min, max(offset) max,"
        f" {digest(PARTS)} FROM {table('bronze')} GROUP BY partition"
    ).collect()
    parts = {row["partition"]: {name: row[name] for name in ("rows", "offsets", "min", "max", "sum", "xor")} for row in rows}
    nested = ", '|', ".join(f"coalesce({name}, 'null')" for name in ("category", "brand", "device_type", "country"))
    silver = lambda ids, where: one(spark, f"SELECT {digest(ids)} FROM {table('silver')} WHERE {where}")  # noqa: E731
    windows = spark.sql(
        "SELECT date_format(window_start, \"yyyy-MM-dd'T'HH:mm'Z'\") w, country, payments, average_usd, high_risk, spike"
        f" FROM {table('gold')} ORDER BY w, country"
    ).collect()
    pair_late = f"({late.format('purchase_arrived_at', 'purchased_at')} OR {late.format('payment_arrived_at', 'paid_at')})"
    crcs = lambda ids, where: sorted(  # noqa: E731
        row[0] for row in spark.sql(f"SELECT crc32(concat('{NONCE}', '|', {ids})) FROM {table('joined')} WHERE {where}").collect()
    )
    pair = "order_id, '|', transaction_id"
    quarantine = f"SELECT {digest('value')} FROM parquet.`{WAREHOUSE / 'quarantine'}`"
    return {
        "bronze": about(spark, "bronze") | {"partitions": parts},
        "silver": about(spark, "silver")
        | {
            "offsets": {id: [part["min"], part["max"] + 1] for id, part in parts.items()},
            "on_time": silver("event_id", f"NOT {is_late}"),
            "late": silver("event_id", is_late),
            "derived": silver("event_id, '|', hour_of_day, '|', day_of_week", f"NOT {is_late}"),
            "nested": silver(f"event_id, '|', {nested}", f"NOT {is_late}"),
            "quarantine": one(spark, quarantine),
        },
        "fraud-windows": about(spark, "gold") | {"offsets": offsets("gold")[BANK], "windows": [list(row) for row in windows]},
        "payment-join": about(spark, "joined")
        | {
            "offsets": offsets("joined"),
            "on_time": one(spark, f"SELECT {digest(pair)} FROM {table('joined')} WHERE transaction_id IS NOT NULL AND NOT {pair_late}"),
            "late": crcs(pair, f"transaction_id IS NOT NULL AND {pair_late}"),
            "unmatched": crcs("order_id", "transaction_id IS NULL"),
        },
    }


PARTS = "partition, '|', offset, '|', coalesce(value, '')"


def tidy() -> None:
    """Keeps what a reader looks at."""
    for path in WAREHOUSE.rglob("*"):
        if path.is_file() and (path.name.endswith(".crc") or path.name in ("_SUCCESS", "metadata")):
            path.unlink()
    for name in ("bronze", "silver"):
        shutil.rmtree(WAREHOUSE / "_ckpt" / name, ignore_errors=True)
    for state in (WAREHOUSE / "_ckpt").glob("*/state"):
        shutil.rmtree(state)
    for sub in ("commits", "offsets"):
        for folder in (WAREHOUSE / "_ckpt").glob(f"*/{sub}"):
            files = sorted(folder.iterdir(), key=lambda path: int(path.name))
            for file in files[:-1]:
                file.unlink()
    for folder in sorted(WAREHOUSE.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def main() -> None:
    jars, bootstrap = sys.argv[1:]
    shutil.rmtree(WAREHOUSE, ignore_errors=True)
    spark = session(jars)
    tables(spark, bootstrap)
    found = receipts(spark)
    (HERE / "receipts.json").write_text(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    tidy()


if __name__ == "__main__":
    main()
