"""PySpark on a laptop, and Databricks. No step of doctor sees these: they happen in another program or another place."""

from __future__ import annotations

from headwater.case import Case, Cause

SPARK = (
    Case(
        "python-worker",
        "PySpark: the Python worker does not connect back",
        ("Python worker failed to connect back", "Python in worker has different version than that in driver", "PYTHON_VERSION_MISMATCH"),
        (
            Cause(
                "python-worker",
                "Spark starts another Python than yours for its workers, or cannot reach it by the name of your computer (macOS, VPN).",
                "Before the session: import os, sys; os.environ['PYSPARK_PYTHON'] = sys.executable; os.environ['SPARK_LOCAL_IP'] ="
                " '127.0.0.1'",
                'python -c "import sys; print(sys.executable)"',
            ),
        ),
    ),
    Case(
        "spark-jar",
        "PySpark: no data source kafka",
        (
            "Failed to find data source: kafka",
            "AnalysisException: Failed to find data source: kafka. Please deploy the application as per the deployment section",
            "ClassNotFoundException: org.apache.spark.sql.kafka010",
        ),
        (
            Cause(
                "spark-jar",
                "Spark's Kafka source is a package of its own, and its version has to be that of Spark.",
                ".config('spark.jars.packages', '{coordinate}') for PySpark 4.2.0, before the first session of this Python is made",
                'python -c "import pyspark; print(pyspark.__version__)"',
            ),
        ),
    ),
    Case(
        "databricks-trigger",
        "Databricks: this trigger is not supported",
        ("INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED", "Trigger type ProcessingTime is not supported for this cluster type"),
        (
            Cause(
                "databricks-trigger",
                "On serverless compute a stream has to end. No trigger at all counts as one without end.",
                ".trigger(availableNow=True), then .awaitTermination(). Run the cell again for what came since.",
                "print(query.lastProgress)",
            ),
        ),
    ),
    Case(
        "databricks-egress",
        "Databricks: the broker's name cannot be resolved",
        (
            "Failed to resolve bootstrap",
            "No resolvable bootstrap urls given in bootstrap.servers (in a notebook)",
            "KafkaException: Failed to construct kafka consumer",
            "Failed to create new KafkaAdminClient",
        ),
        (
            Cause(
                "databricks-egress",
                "A free workspace may reach only a short list of addresses on the Internet, and an address of the classroom's network"
                " not at all.",
                'SOURCE="volume" in the notebook: files brought into a volume take the broker\'s place. Run the preflight cell to see'
                " which works.",
                "%sh nslookup {host}",
            ),
        ),
    ),
    Case(
        "databricks-login-module",
        "Databricks: no LoginModule",
        (
            "No LoginModule found for org.apache.kafka.common.security.plain.PlainLoginModule",
            "No LoginModule found for org.apache.kafka.common.security.scram.ScramLoginModule",
            "No LoginModule found for kafkashaded.org.apache.kafka.common.security",
        ),
        (
            Cause(
                "databricks-login-module",
                "Databricks carries Kafka's classes under kafkashaded; Spark on a laptop carries them under their own name.",
                "On Databricks: kafkashaded.org.apache.kafka.common.security.scram.ScramLoginModule. On a laptop: the same without"
                " kafkashaded.",
                "{hw} settings databricks",
            ),
        ),
    ),
    Case(
        "databricks-rows",
        "Databricks: no rows, or rows twice",
        (
            "0 rows after the first availableNow run",
            "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE",
            "numInputRows: 0",
            "duplicates after deleting the checkpoint",
        ),
        (
            Cause(
                "starting-offsets",
                "Without startingOffsets a stream starts at the end of the topic, so its first run reads nothing. Later runs follow"
                " the checkpoint.",
                ".option('startingOffsets', 'earliest'), and a new checkpoint folder",
                "print(query.lastProgress['numInputRows'])",
            ),
            Cause(
                "checkpoint",
                "Checkpoint and target table belong together. With one of them gone, rows come twice or the source is refused.",
                "Delete both, the table and its checkpoint folder, then run again.",
                "DESCRIBE HISTORY your_table",
            ),
        ),
    ),
    Case(
        "spark-anew",
        "Spark: the topic began anew, or records are gone",
        (
            "offset was changed from",
            "Some data may have been lost because they are not available in Kafka any more",
            "report available offset which is less than end offset during running query with Trigger.AvailableNow",
            "Cannot fetch offset",
            "org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
            "a query reads nothing since the streams were reset",
            "rows from before and after a reset in one table",
        ),
        (
            Cause(
                "streams-reset",
                "The instructor let the streams begin anew: the topics are new ones, whose offsets begin at 0, and the checkpoint is about"
                " the old ones. Restarting the query does not help.",
                'lakehouse.reset("bronze") with the names of all tables that came of the topic: it drops them and their checkpoints. Then'
                " run the notebook from the top, for a new ticket.",
                'print(lakehouse.offsets_read("bronze"))',
            ),
            Cause(
                "streams-reset-unseen",
                "Where the new topic has more records than the checkpoint had read, or with failOnDataLoss=False, there is no error: the"
                " query goes on in the middle of the new topic, or waits for it to grow. The table has rows of both, and the check fails.",
                'lakehouse.reset("bronze") here too, whenever the instructor has reset the streams',
                "SELECT partition, offset, count(*) FROM bronze GROUP BY ALL HAVING count(*) > 1",
            ),
            Cause(
                "retention",
                "Retention has deleted records that the query had not read yet.",
                ".option('failOnDataLoss', False) goes on with the first record that is left. Where all are wanted: lakehouse.reset and"
                " startingOffsets=earliest give those that there are.",
                'print(lakehouse.offsets_read("bronze"))',
            ),
        ),
    ),
    Case(
        "databricks-windows",
        "Databricks: the last windows are missing",
        ("the last window is missing", "append mode prints nothing", "windowed aggregation is empty", "fewer windows than expected"),
        (
            Cause(
                "open-windows",
                "In append mode a window is written when it is closed: when the largest event time seen, less the watermark's"
                " delay, is past its end. The last ones are still open.",
                "Nothing is broken: run again when newer events are there. Compare closed windows only.",
                "print(query.lastProgress['eventTime'])",
            ),
        ),
    ),
    Case(
        "databricks-quota",
        "Databricks: compute is used up",
        ("quota exceeded", "You have exceeded your daily compute limit", "compute is unavailable until tomorrow"),
        (
            Cause(
                "databricks-quota",
                "A free workspace has so much compute a day. What you stored stays.",
                'Open the same notebook file in PySpark on your laptop (SOURCE="local"), or pair up with someone.',
                "java -version (PySpark on a laptop needs 17)",
            ),
        ),
    ),
)
