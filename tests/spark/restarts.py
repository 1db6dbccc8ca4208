"""What a broker's end and a reset do to a query of Spark's. run.py calls both functions with its session; by itself: restarts.py --binary B

`restarted`: kill -9 of the broker in the middle of a query that fills a table like bronze; every record is in the table once.
`reset_under_query`: the instructor lets the streams begin anew under queries; each ends in a message that the troubleshooting page has.
"""

import json
import re
import shutil
import sys
import tempfile
import time
import zlib
from functools import reduce
from operator import xor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ("challenges", "clients")), str(HERE.parent.parent / "student")]

from broker import OwnBroker  # noqa: E402  (the paths must be known first)
from room import Room  # noqa: E402

RECORDS, A_BATCH, PARTITIONS = 24_000, 3_000, 3
KILLS = 2
# Where queries begin that need not read all of a topic: each of the six partitions is longer before a reset.
LATE = json.dumps({"ecommerce-events": dict.fromkeys("012345", 30_000)})
PATIENCE = 90
ID = "concat_ws('|', partition, offset, value)"


def started(reader, place, **trigger):
    """A query that writes what it reads as it came."""
    rows = reader.load().selectExpr("partition", "offset", "cast(value AS string) AS value")
    writer = rows.writeStream.format("delta").option("checkpointLocation", f"{place}-ckpt")
    return writer.trigger(**(trigger or {"availableNow": True})).start(str(place))


def waited(what, reached, limit=PATIENCE):
    end = time.monotonic() + limit
    while not reached():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} within {limit} s")
        time.sleep(0.1)


def batches(query):
    return len([one for one in query.recentProgress if one.numInputRows])


# A broker that is killed


def filled(address):
    """Produces a topic, and returns the digest of what the broker has acknowledged."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "acks": "all", "queue.buffering.max.messages": 1_000_000, "log_level": 0})
    crcs = []

    def kept(error, record):
        if error is None:
            crcs.append(zlib.crc32(f"{record.partition()}|{record.offset()}|".encode() + record.value()))

    for number in range(RECORDS):
        producer.produce("shop", f"purchase {number}: {'a word ' * 20}", partition=number % PARTITIONS, on_delivery=kept)
        producer.poll(0)
    producer.flush(30)
    return len(crcs), len(crcs), sum(crcs), reduce(xor, crcs)


def restarted(spark, binary, folder) -> str:
    folder = Path(tempfile.mkdtemp(prefix="killed-", dir=folder))
    broker = OwnBroker(binary, folder)
    try:
        produced = filled(broker.address)
        options = {"kafka.bootstrap.servers": broker.address, "subscribe": "shop", "startingOffsets": "earliest"}
        query = started(spark.readStream.format("kafka").options(**options, maxOffsetsPerTrigger=A_BATCH), folder / "bronze")
        killed_after = []
        for kill in range(KILLS):
            waited("no batch came", lambda least=2 + 3 * kill: batches(query) >= least or not query.isActive)
            if not query.isActive:
                break
            broker.kill()
            killed_after.append(batches(query))
            time.sleep(1)
            broker.start()
        ended = query.awaitTermination(PATIENCE)
        if not ended:
            query.stop()
            return f"FAIL: the query did not end within {PATIENCE} s of the restart"
        if len(killed_after) < KILLS:
            return f"FAIL: the query was through before the broker was killed {KILLS} times"
        table, log = told(spark, folder / "bronze"), told(spark, None, options)
        sentence = f"{produced[0]} records, killed after {' and '.join(map(str, killed_after))} of {batches(query)} batches"
        if broker.problem():
            return f"FAIL: {broker.problem()}"
        if not produced == table == log:
            return f"FAIL: {sentence}; (rows, offsets, sum, xor) acknowledged {produced}, in the log {log}, in the table {table}"
        return f"ok: {sentence}; table: {table[0]} rows, {table[1]} offsets, digest equal to the log's and to the producer's"
    finally:
        broker.close(False)


def told(spark, place, options=None):
    """The digest of a table, or of a topic."""
    frame = spark.read.format("kafka").options(**options).load() if options else spark.read.format("delta").load(str(place))
    rows = frame.selectExpr("partition", "offset", "cast(value AS string) AS value").selectExpr(
        "struct(partition, offset) AS place", f"crc32({ID}) AS crc"
    )
    return tuple(rows.selectExpr("count(*)", "count(distinct place)", "sum(crc)", "bit_xor(crc)").first())


# A topic that begins anew


def login(student):
    """What Spark needs to read as this student."""
    kept = json.loads(next(student.home.glob("*.json")).read_text())
    listener = next(one for one in student.ask("/api/server")["listeners"] if one["protocol"] == "SASL_PLAINTEXT")
    user = f'username="{kept["user"]}" password="{kept["password"]}"'
    return {
        "kafka.bootstrap.servers": f"127.0.0.1:{listener['port']}",
        "kafka.security.protocol": "SASL_PLAINTEXT",
        "kafka.sasl.mechanism": "SCRAM-SHA-256",
        "kafka.sasl.jaas.config": f"org.apache.kafka.common.security.scram.ScramLoginModule required {user};",
        "groupIdPrefix": f"{kept['id']}-reset",
        "subscribe": "ecommerce-events",
        "startingOffsets": "earliest",
    }


def an_hour_later(room, address):
    """Makes the topic longer, as an hour of a lesson does: as the instructor, who may write to it."""
    from confluent_kafka import Producer

    secret = re.search(r"user instructor, password (\S+)", room.log.read_text(errors="replace"))[1]
    user = {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "instructor", "sasl.password": secret}
    producer = Producer({"bootstrap.servers": address, "security.protocol": "SASL_PLAINTEXT", "log_level": 0, **user})
    for number in range(60_000):
        producer.produce("ecommerce-events", "{}", partition=number % 6)
        producer.poll(0)
    if producer.flush(30):
        raise RuntimeError("the topic cannot be made longer")


def message(query):
    """All that Spark says of a query's end, causes too."""
    failure = query._jsq.exception()
    words, cause = [], failure.get() if failure.isDefined() else None
    while cause is not None:
        words.append(str(cause.getMessage()))
        cause = cause.getCause()
    return "\n".join(words)


def explained(words):
    """The case of the troubleshooting page that has a part of these words, and which part."""
    from headwater import cases

    page = (HERE.parent.parent / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    for case in cases.CASES:
        for symptom in case.symptoms:
            if symptom in words and f"`{symptom}`" in page and any("lakehouse.reset" in cause.fix for cause in case.causes):
                return case.id, symptom
    return None


def reset_under_query(spark, binary, folder) -> str:
    folder = Path(tempfile.mkdtemp(prefix="reset-", dir=folder))
    room = Room(binary)
    queries = {}
    try:
        options = login(room.student())
        an_hour_later(room, options["kafka.bootstrap.servers"])

        def query(name, lossy, begin=LATE, most=1_000_000, **trigger):
            more = {"startingOffsets": begin, "failOnDataLoss": not lossy, "maxOffsetsPerTrigger": most}
            return started(spark.readStream.format("kafka").options(**{**options, **more}), folder / name, **trigger)

        for name, lossy in (("between runs", False), ("between runs, lossy", True)):
            query(name, lossy).awaitTermination()
        queries["going on"] = query("going on", False, processingTime="1 second")
        waited("nothing was read", lambda: batches(queries["going on"]) > 0)
        queries["in the middle"] = query("in the middle", True, "earliest", 20_000)
        waited("nothing was read", lambda: batches(queries["in the middle"]) > 0)
        room.reset()
        waited("the queries go on", lambda: not any(one.isActive for one in queries.values()))
        waited("the streams do not come back", lambda: told_ends(spark, options) > 100_000)
        for name, lossy in (("between runs", False), ("between runs, lossy", True)):
            queries[name] = query(name, lossy)
            waited(f"{name} does not end", lambda name=name: not queries[name].isActive)
        return judged(spark, folder, queries, query) if not room.problem() else f"FAIL: {room.problem()}"
    finally:
        for one in queries.values():
            one.stop()
        room.close()
        shutil.rmtree(folder, ignore_errors=True)


def told_ends(spark, options):
    """How many records the topic has; 0 while it is not there."""
    try:
        return spark.read.format("kafka").options(**options).load().count()
    except Exception:  # it is being made
        return 0


def judged(spark, folder, queries, query):
    outcomes, wrong = [], []
    for name, one in queries.items():
        words = message(one)
        found = explained(words)
        if name == "between runs, lossy":
            # No message: what was told not to fail does not, and reads nothing of the new topic.
            read = sum(p.numInputRows for p in one.recentProgress)
            (wrong if words or read else outcomes).append(f"{name}: {words[:200] or 'no error'}, {read} rows")
        elif found:
            outcomes.append(f"{name}: {found[1]!r} is explained in {found[0]}")
        else:
            wrong.append(f"{name} ended in words that no case explains: {words[:900] or 'none'}")
    # What the page says to do.
    for place in (folder / "between runs", folder / "between runs-ckpt"):
        shutil.rmtree(place)
    query("between runs", False, "earliest").awaitTermination()
    rows, offsets, *_ = told(spark, folder / "between runs")
    if rows != offsets or not rows:
        wrong.append(f"with table and checkpoint reset there are {rows} rows for {offsets} offsets")
    outcomes.append(f"after lakehouse.reset {rows} rows, each once")
    return f"FAIL: {'; '.join(wrong + outcomes)}" if wrong else f"ok: {'; '.join(outcomes)}"


def main():
    from own_session import own_session

    binary = str(Path(sys.argv[sys.argv.index("--binary") + 1] if "--binary" in sys.argv else "target/release/headwater").resolve())
    folder = Path(tempfile.mkdtemp(prefix="headwater-restarts-"))
    spark, failed, cases = own_session(folder), 0, (restarted, reset_under_query)
    try:
        for case in cases:
            begin = time.monotonic()
            outcome = case(spark, binary, str(folder))
            failed += outcome.startswith("FAIL")
            print(f"restarts  {case.__name__:<20} {time.monotonic() - begin:5.1f} s  {outcome}", flush=True)
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
