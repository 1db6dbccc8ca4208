"""What the Spark notebooks of the workshop share: a session, the streams from wherever they can be had, tables and their checkpoints.

    spark = lakehouse.session(globals())           # the session, and a schema of your own
    lakehouse.preflight("ecommerce-events")        # can Spark read from the broker here? If not: which step fails, and what to do
    ticket = lakehouse.ticket("c05")               # which records the challenge is about
    frame = lakehouse.stream("ecommerce-events", startingOffsets="earliest")

The same notebook runs on Databricks and on a computer of your own, with PySpark. Tables have plain names in both: on Databricks they lie in
the schema `workspace.ws_YOU`, here in the folder `warehouse` beside the folder of the challenge.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import checkpoints
import workshop

HERE = Path(__file__).resolve().parent
PYSPARK = "4.2.0"
PACKAGES = (
    "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
    "io.delta:delta-spark_4.2_2.13:4.4.0",
)
# On Databricks Kafka's classes have other names, as the platform carries its own copy of them.
ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ or importlib.util.find_spec("dbruntime") is not None
LOGIN = ("kafkashaded." if ON_DATABRICKS else "") + "org.apache.kafka.common.security"
CATALOG = os.environ.get("HEADWATER_CATALOG", "workspace")

# Every source gives these columns.
COLUMNS = ("key", "value", "topic", "partition", "offset", "timestamp", "headers")
# Lines of JSON that `headwater.pyz bridge` writes. Bytes that are no text are in the columns that end in _base64.
LANDED = (
    "key string, value string, key_base64 string, value_base64 string, topic string, partition int, offset bigint,"
    " timestamp timestamp, headers array<struct<key: string, value: string, value_base64: string>>"
)
BRONZE = ("key", "value", "topic", "partition", "offset", "timestamp", "ingested_at")

# A ticket's last records are produced in the seconds after it was issued.
LIVE_SECONDS = 7
PATIENCE = 150

# Where the streams come from: "kafka" on Databricks, "local" here, "volume" from files. `preflight` decides.
SOURCE = os.environ.get("HEADWATER_SOURCE") or ("kafka" if ON_DATABRICKS else "local")

_spark = None
_names: dict = {}
_taken: dict[str, float] = {}


# Session and places


def session(names: dict | None = None):
    """The Spark session: the one that is there, or a new one. `names` is globals(): what a notebook offers, such as display()."""
    global _spark, _names
    _names = names or {}
    if ON_DATABRICKS:
        if (HERE / "headwater.json").is_file():
            # What `join` wrote down on a computer of yours.
            os.environ.setdefault("HEADWATER_HOME", str(HERE))
        from pyspark.sql import SparkSession

        workshop.PREFER_TLS = True
        _spark = _names.get("spark") or SparkSession.builder.getOrCreate()
        _spark.sql(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{schema()}")
        _spark.sql(f"CREATE VOLUME IF NOT EXISTS {CATALOG}.{schema()}.ws")
        _spark.sql(f"USE {CATALOG}.{schema()}")
    else:
        _spark = _own_session()
        _open_warehouse()
    # What a time means must not depend on where the computer stands.
    _spark.conf.set("spark.sql.session.timeZone", "UTC")
    where = f"{CATALOG}.{schema()}" if ON_DATABRICKS else warehouse()
    print(f"Spark {_spark.version}, Python {sys.version.split()[0]}; tables in {where}")
    return _spark


def schema() -> str:
    """The schema that is yours."""
    return "ws_" + re.sub(r"\W", "_", workshop.identity(), flags=re.ASCII)


def warehouse() -> Path:
    """The folder of the tables, on a computer of your own."""
    return Path(os.environ.get("HEADWATER_WAREHOUSE") or HERE.parent / "warehouse").resolve()


def _volume() -> Path:
    return Path(f"/Volumes/{CATALOG}/{schema()}/ws")


def checkpoint(name: str) -> str:
    """Where a query keeps how far it has read. It and the table that the query writes are one: reset both or neither."""
    return ((_volume() if ON_DATABRICKS else warehouse()) / "_ckpt" / name).as_posix()


def landing(topic: str) -> Path:
    """Where `headwater.pyz bridge` puts a topic."""
    if os.environ.get("HEADWATER_LANDING"):
        return Path(os.environ["HEADWATER_LANDING"]) / topic
    return (_volume() if ON_DATABRICKS else warehouse().parent) / "landing" / topic


def _own_session():
    _need_java()
    # Otherwise Spark's workers are whatever `python3` is first in the path.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    try:
        import pyspark
        from pyspark.sql import SparkSession
    except ImportError:
        raise workshop.WorkshopError(
            f"PySpark is not installed for {sys.executable}.", "python -m pip install -r requirements-spark.txt"
        ) from None
    if not pyspark.__version__.startswith("4.2."):
        print(f"PySpark is {pyspark.__version__}; these notebooks and their jars are for {PYSPARK}: pip install pyspark=={PYSPARK}")
    settings = {
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # The usual 200 tasks a shuffle are for clusters: with this much data they only take time.
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.session.timeZone": "UTC",
        # On Databricks a table is a Delta table unless one says otherwise; here too.
        "spark.sql.sources.default": "delta",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(warehouse()),
        # Spark keeps its consumers for the next run, two connections for each partition that a query has read: not for minutes.
        "spark.kafka.consumer.cache.timeout": "10s",
        "spark.kafka.consumer.cache.evictorThreadRunInterval": "5s",
        "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={(HERE / 'log4j2.properties').as_uri()}"
        " -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=160m",
    }
    found = jars()
    if found:
        settings["spark.driver.extraClassPath"] = os.pathsep.join(map(str, found))
    else:
        print("fetching Spark's Kafka and Delta packages; the first time this takes a minute")
        settings["spark.jars.packages"] = ",".join(PACKAGES)
    remote = os.environ.get("HEADWATER_SPARK_REMOTE")
    builder = SparkSession.builder.appName("headwater")
    builder = builder.remote(remote) if remote else builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def jars() -> list[Path]:
    """The jars of Kafka and Delta, fetched by Maven where it is there. None: Spark fetches them itself."""
    home = Path(os.environ.get("HEADWATER_HOME") or Path.home() / ".headwater")
    folder = Path(os.environ.get("HEADWATER_SPARK_JARS") or home / "spark-jars")
    if not any(folder.glob("delta-spark*.jar")) and shutil.which("mvn"):
        print(f"fetching Spark's Kafka and Delta jars into {folder}")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
        command = [shutil.which("mvn"), "-B", "-q", "-f", str(HERE / "spark-jars.xml"), goal, f"-DoutputDirectory={folder}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"Maven could not fetch them, Spark will try: {done.stdout.strip()[-300:]}")
    return sorted(folder.glob("*.jar")) if any(folder.glob("delta-spark*.jar")) else []


def _need_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = (shutil.which("java", path=str(Path(home) / "bin")) if home else None) or shutil.which("java")
    if not java:
        raise workshop.WorkshopError("Spark needs Java 17, and there is no Java on this computer.", "`headwater.pyz doctor` says more.")


def _open_warehouse() -> None:
    """Tells Spark which tables are in the folder: without a catalogue that lasts, each session begins with none."""
    warehouse().mkdir(parents=True, exist_ok=True)
    _spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema()} LOCATION '{_quoted(warehouse())}'")
    _spark.sql(f"USE {schema()}")
    # A table whose first commit was interrupted has an empty log: it is none.
    for table in sorted({commit.parent.parent for commit in warehouse().glob("*/_delta_log/*.json")}):
        _spark.sql(f"CREATE TABLE IF NOT EXISTS `{table.name}` USING delta LOCATION '{_quoted(table)}'")


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "/").replace("'", "\\'")


def sql(query: str):
    return _spark.sql(query)


def exists(table: str) -> bool:
    return _spark.catalog.tableExists(table)


def reset(*tables: str) -> None:
    """Drops tables and the checkpoints of the queries that write them. One without the other gives rows twice, or an error."""
    for name in tables:
        _spark.sql(f"DROP TABLE IF EXISTS `{name}`")
        if not ON_DATABRICKS:
            shutil.rmtree(warehouse() / name, ignore_errors=True)
        shutil.rmtree(checkpoint(name), ignore_errors=True)
        if Path(checkpoint(name)).exists():
            sentence = f"The checkpoint {checkpoint(name)} could not be deleted."
            raise workshop.WorkshopError(sentence, "Delete it by hand, then run the cell again.")


# Where the records come from


def kafka_options() -> dict[str, str]:
    """Address and login, as Spark's Kafka source and sink want them."""
    known = workshop.confluent()
    options = {"kafka.bootstrap.servers": known["bootstrap.servers"], "kafka.request.timeout.ms": "20000"}
    if "security.protocol" in known:
        options["kafka.security.protocol"] = known["security.protocol"]
    if "sasl.mechanism" in known:
        module = "scram.ScramLoginModule" if known["sasl.mechanism"].startswith("SCRAM") else "plain.PlainLoginModule"
        user, password = (known[f"sasl.{what}"].replace("\\", "\\\\").replace('"', '\\"') for what in ("username", "password"))
        login = f'username="{user}" password="{password}"'
        options["kafka.sasl.mechanism"] = known["sasl.mechanism"]
        options["kafka.sasl.jaas.config"] = f"{LOGIN}.{module} required {login};"
    if "ssl.ca.location" in known:
        options["kafka.ssl.truststore.type"] = "PEM"
        options["kafka.ssl.truststore.certificates"] = Path(known["ssl.ca.location"]).read_text(encoding="ascii")
    return options


def stream(topic: str, **options):
    """A topic as a stream. The options are those of Spark's Kafka source."""
    return _records(_spark.readStream, topic, options)


def batch(topic: str, **options):
    """The same records as a table of now. It does not grow while it is read."""
    return _records(_spark.read, topic, options)


def _records(reader, topic: str, options: dict):
    if SOURCE == "volume":
        return _as_from_kafka(reader.schema(LANDED).json(str(landing(topic))))
    reader = reader.format("kafka").options(**kafka_options()).option("subscribe", topic)
    # The names of Spark's groups begin with yours: others may not use them.
    reader = reader.option("groupIdPrefix", workshop.group("spark")).option("includeHeaders", True)
    return reader.options(**options).load().select(*COLUMNS)


def _as_from_kafka(landed):
    return landed.selectExpr(
        "coalesce(unbase64(key_base64), cast(key AS binary)) AS key",
        "coalesce(unbase64(value_base64), cast(value AS binary)) AS value",
        "topic",
        "partition",
        "offset",
        "timestamp",
        "transform(headers, header -> struct(header.key AS key,"
        " coalesce(unbase64(header.value_base64), cast(header.value AS binary)) AS value)) AS headers",
    )


def preflight(*topics: str) -> str:
    """Chooses the source: the broker itself, or files that the bridge has put here. Says which step fails, and what to do then."""
    global SOURCE
    failure = ("HEADWATER_SOURCE is volume, and there are no files", "Take it out of the environment to read from the broker.")
    if os.environ.get("HEADWATER_SOURCE") != "volume":
        SOURCE = "kafka" if ON_DATABRICKS else "local"
        failure = _looked(topics[0])
    what = " and ".join(topics)
    if failure is None:
        print(f'SOURCE = "{SOURCE}": Spark reads {what} from the broker.')
        return SOURCE
    place = landing(topics[0]).parent
    if all(any(landing(topic).glob("*.ndjson")) for topic in topics):
        SOURCE = "volume"
        print(f'SOURCE = "volume": {what} {"come" if len(topics) > 1 else "comes"} from the files in {place}.')
        return SOURCE
    sentence, fix = failure
    wanted = " ".join(f"--topic {topic}" for topic in topics)
    bridge = f"on a computer that reaches the broker: python headwater.pyz bridge {wanted} --to {place.parent}"
    raise workshop.WorkshopError(f"Spark cannot read {what}: {sentence}.", f"{fix}\nOr let files take the broker's place; {bridge}")


def _looked(topic: str):
    """None, or what fails and what to do, step by step."""
    options = kafka_options()
    host, _, port = options["kafka.bootstrap.servers"].rpartition(":")
    host = host.strip("[]")
    step = "name"
    try:
        address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        _done(step, f"{host} is {address[4][0]}")
        step = "port"
        with socket.create_connection((host, int(port)), timeout=3) as connection:
            _done(step, f"{host}:{port} takes connections")
            if options.get("kafka.security.protocol", "").endswith("SSL"):
                step = "TLS"
                trusted = options.get("kafka.ssl.truststore.certificates")
                with ssl.create_default_context(cadata=trusted).wrap_socket(connection, server_hostname=host) as secure:
                    _done(step, f"{secure.version()}, the certificate is trusted")
    except (OSError, ValueError) as reason:
        _failed(step, reason)
        return f"{host}:{port} fails at the step {step} ({reason})", FIXES[step]
    try:
        found = batch(topic).limit(1).count()
    except Exception as reason:  # whatever Spark throws: its last sentence says what Kafka said
        words = _last_cause(reason)
        _failed("record", words)
        fix = FIXES["jar"] if "find data source" in words or "DATA_SOURCE_NOT_FOUND" in words else FIXES["record"]
        return f"the step record fails ({words})", fix
    _done("record", "one was read" if found else "the topic is empty so far")
    return None


FIXES = {
    "name": "A free Databricks workspace resolves few names: use the bridge. Elsewhere: compare the address with the one on the board.",
    "port": "A firewall, another network, or an address that only the classroom reaches. `headwater.pyz doctor` looks closer.",
    "TLS": "The certificate is not trusted here: put the server's /ca.pem beside the notebook, as ca.pem.",
    "record": "Log in anew with `headwater.pyz login USER`; if that does not help, `headwater.pyz doctor`.",
    "jar": "The jars of Kafka are missing or for another Spark: `headwater.pyz doctor` looks for them.",
}


def _done(step: str, words: str) -> None:
    print(f"  ok    {step:<7} {words}")


def _failed(step: str, words) -> None:
    print(f"  FAIL  {step:<7} {words}")


def _last_cause(reason: Exception) -> str:
    causes = re.findall(r"(?:Caused by: )?[\w.]*(?:Exception|Error): ([^\n]+)", str(reason)) or str(reason).splitlines()
    return (causes or [type(reason).__name__])[-1].strip()[:300]


# Tickets and answers


def ticket(challenge: str, pasted: str = "") -> workshop.Ticket:
    """A new ticket. Where the server is out of reach, paste the line that begins with WT1.: `headwater.pyz ticket c05` prints it."""
    taken = workshop.pasted_ticket(pasted) if pasted else workshop.ticket(challenge)
    _taken[taken.nonce] = time.monotonic()
    for topic, ranges in taken.topics.items():
        print(f"ticket {taken.nonce}: {sum(end - start for start, end in ranges.values())} records of {topic}")
    return taken


def until_complete(ticket: workshop.Ticket, run, covered: str) -> None:
    """Waits until the ticket's last records are there, then calls `run`, and again until `covered` reaches them all. `covered` is a table
    with the columns partition and offset, or the name of a query's checkpoint."""
    end = time.monotonic() + PATIENCE
    time.sleep(max(0.0, _taken.get(ticket.nonce, 0.0) + LIVE_SECONDS - time.monotonic()))
    while True:
        run()
        missing = _missing(ticket, covered)
        if not missing:
            return
        if time.monotonic() > end:
            print(f"{missing} records of the ticket have not arrived in {covered}. Does the query read all partitions, and to the end?")
            return
        print(f"{missing} records of the ticket are still to come")
        time.sleep(3)


def _missing(ticket, covered):
    has_rows = exists(covered) and {"partition", "offset"} <= set(_spark.table(covered).columns)
    read = {ticket.topic: offsets_of(covered)} if has_rows else offsets_read(covered)
    ends = lambda topic, partition: read.get(topic, {}).get(partition, (0, 0))[1]  # noqa: E731
    return sum(max(0, end - ends(topic, p)) for topic, ranges in ticket.topics.items() for p, (start, end) in ranges.items() if end > start)


def offsets_of(table: str) -> dict[int, tuple[int, int]]:
    """By partition the first offset in a table, and the one after the last."""
    rows = _spark.sql(f"SELECT partition, min(offset) low, max(offset) + 1 high FROM {table} GROUP BY partition").collect()
    return {row["partition"]: (row["low"], row["high"]) for row in rows}


def offsets_read(name: str) -> dict[str, dict[int, tuple[int, int]]]:
    """What a query has read: by topic and partition the first offset, and the one after the last."""
    return checkpoints.offsets_read(Path(checkpoint(name)))


def watermark_of(name: str) -> str | None:
    """The watermark that a query's last batch began with. None: it has none."""
    return checkpoints.watermark(Path(checkpoint(name)))


def submit(ticket: workshop.Ticket, receipt: dict) -> dict | None:
    """Hands a receipt in and prints the verdict. Where the server is out of reach, prints it as a line to paste on its page."""
    receipt = {**receipt, "ticket": ticket.nonce}
    try:
        return workshop.submit(ticket.challenge, **receipt)
    except workshop.WorkshopError as reason:
        if reason.status:
            raise
    line = "WS1." + base64.urlsafe_b64encode(json.dumps(receipt).encode()).decode().rstrip("=")
    print("The server is out of reach. On a computer that reaches it, with this line, or with a file that has it where it is too long:")
    print(f"python headwater.pyz check {ticket.challenge} LINE\n{line}")
    return None


# What a notebook shows


def update_bronze(ticket: workshop.Ticket) -> None:
    """Brings the table bronze of C5 up to the ticket's records; makes it where there is none."""
    if exists("bronze"):
        lacking = [name for name in BRONZE if name not in _spark.table("bronze").columns]
        if lacking:
            sentence = f"Your table bronze has no column {', '.join(lacking)}."
            raise workshop.WorkshopError(sentence, 'Solve C5 first, or: lakehouse.reset("bronze")')

    def run() -> None:
        frame = stream(ticket.topic, startingOffsets="earliest", maxOffsetsPerTrigger=60_000, failOnDataLoss=False)
        rows = frame.selectExpr(
            "cast(key AS string) AS key",
            "cast(value AS string) AS value",
            *BRONZE[2:6],
            "current_timestamp() AS ingested_at",
        )
        query = rows.writeStream.option("checkpointLocation", checkpoint("bronze")).trigger(availableNow=True).toTable("bronze")
        query.awaitTermination()

    until_complete(ticket, run, covered="bronze")
    print(f"bronze has {_spark.table('bronze').count()} rows")


def progress(query) -> None:
    """The batches of a query, one a line: what came in, how long it took, and how much it has to remember."""
    print(f"{'batch':>6} {'rows in':>9} {'rows/s':>8} {'seconds':>8} {'rows kept':>10}  watermark")
    for one in query.recentProgress[-12:]:
        kept = sum(operator.numRowsTotal for operator in one.stateOperators or [])
        watermark = (one.eventTime or {}).get("watermark", "-")
        seconds = (one.durationMs or {}).get("triggerExecution", 0) / 1000
        # The rows/s that Spark reports are those of the reading alone.
        rate = f"{one.numInputRows / seconds:.0f}" if seconds else "-"
        print(f"{one.batchId:>6} {one.numInputRows or 0:>9} {rate:>8} {seconds:>8.1f} {kept:>10}  {watermark}")


def show(frame, n: int = 10) -> None:
    """The first rows, as well as the place allows."""
    display = _display()
    if display is None:
        frame.show(n, truncate=60)
    elif ON_DATABRICKS:
        display(frame.limit(n))
    else:
        display(frame.limit(n).toPandas())


def picture(figure, name: str) -> None:
    """A picture in a notebook; a file beside the script otherwise."""
    display = _display()
    if display is not None and ON_DATABRICKS:
        display(figure)
        return
    if display is not None:
        # Jupyter knows how to show a figure only after pyplot was imported.
        from IPython.display import Image

        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110)
        display(Image(drawn.getvalue()))
        return
    figure.savefig(HERE / f"{name}.png", dpi=110)
    print(f"picture: {HERE / name}.png")


def _display():
    if "display" in _names:
        return _names["display"]
    ipython = sys.modules.get("IPython")
    return ipython.display.display if ipython and ipython.get_ipython() else None
