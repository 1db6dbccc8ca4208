"""PySpark on a laptop, Databricks, and the bridge between them. Doctor sees what is on this computer; the rest happens in another place."""

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
                "Take PYSPARK_PYTHON out of your environment: lakehouse.session sets it. In a program of your own, before the session:"
                " import os, sys; os.environ['PYSPARK_PYTHON'] = sys.executable; os.environ['SPARK_LOCAL_IP'] = '127.0.0.1'",
                'python -c "import sys; print(sys.executable)"',
                "PySpark",
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
                "spark = lakehouse.session(globals()) brings it. In a program of your own: .config('spark.jars.packages', '{coordinate}')"
                " for PySpark 4.2.0, before the first session of this Python is made",
                'python -c "import pyspark; print(pyspark.__version__)"',
            ),
            Cause(
                "spark-jars-missing",
                "lakehouse.py looks for six jars in HEADWATER_SPARK_JARS, else in ~/.headwater/spark-jars. Where Delta's is not there, it"
                " lets Maven fetch all of them, and without Maven Spark.",
                "Delete {file} and take HEADWATER_SPARK_JARS out of your environment: the next start fetches them. Without the Internet:"
                " copy the folder from someone who has it.",
                "{hw} doctor",
                "jars",
            ),
        ),
    ),
    Case(
        "spark-versions",
        "PySpark: classes or methods that do not exist",
        (
            "java.lang.NoSuchMethodError: org.apache.spark",
            "java.lang.NoClassDefFoundError: org/apache/spark",
            "NoClassDefFoundError: scala/",
            "java.lang.IncompatibleClassChangeError",
            "ServiceConfigurationError: org.apache.spark.sql.sources.DataSourceRegister",
        ),
        (
            Cause(
                "spark-version",
                "The notebooks and their jars are for PySpark 4.2.0: Delta and the Kafka source exist for one version of Spark each.",
                'python -m pip install "pyspark[connect,sql]==4.2.0"',
                'python -c "import pyspark; print(pyspark.__version__)"',
                "PySpark",
            ),
            Cause(
                "spark-jar-versions",
                "A jar of another version of Spark, Scala or Delta is among those that Spark loads: {names}.",
                "Delete {file}: the next start fetches the right ones (Kafka source 4.2.0, kafka-clients 3.9.2, Delta 4.4.0, Scala 2.13).",
                "{hw} doctor",
                "jars",
                {"names": "kafka-clients-3.4.1.jar, delta-spark_2.13-4.0.0.jar, ...", "file": "~/.headwater/spark-jars"},
            ),
            Cause(
                "spark-home",
                "SPARK_HOME names another Spark than the one in PySpark. Python then speaks to a Spark of another version.",
                "Take SPARK_HOME out of your environment, and open the terminal again.",
                "python -c \"import os; print(os.environ.get('SPARK_HOME'))\"",
                "PySpark",
            ),
            Cause(
                "databricks-connect",
                "databricks-connect replaces PySpark by one that only speaks to a workspace.",
                "A virtual environment of its own for the workshop: python -m venv spark, then pip install -r requirements-spark.txt in it",
                "python -m pip list",
                "PySpark",
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
                "{hw} bridge --topic {topic} --to /Volumes/workspace/ws_YOU/ws on a computer that reaches the broker, then run the"
                ' preflight cell again: it finds the files (SOURCE = "volume").',
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
                'Run the same file on your laptop, "python c05.py" (SOURCE = "local"), or pair up with someone.',
                "java -version (PySpark on a laptop needs 17)",
            ),
        ),
    ),
    Case(
        "bridge",
        "The bridge, and files in the broker's place",
        (
            "PATH_NOT_FOUND /Volumes/workspace/ws_YOU/ws/landing",
            "There is no volume /Volumes/",
            "Databricks does not accept the token",
            "Databricks knows the token and refuses",
            "was made anew since it was copied",
            "No Kafka client is installed in this Python",
            "the records of the ticket have not arrived (SOURCE = volume)",
        ),
        (
            Cause(
                "bridge-idle",
                "The bridge makes a folder for a topic when it starts, and a file when there are records. The notebook reads what is there"
                " when it runs; the last records of a ticket come a round later.",
                "Let the bridge run with the notebook's topics, into the notebook's volume (the preflight cell prints the line), and run"
                " the cell again.",
                "{hw} bridge --topic {topic} --to /Volumes/workspace/ws_YOU/ws --once",
            ),
            Cause(
                "bridge-token",
                "A token belongs to one workspace and ends some day; its owner needs rights on the volume. Volumes are not made by writing"
                " to them.",
                "Make a token in the workspace (Settings, Developer, Access tokens); set DATABRICKS_HOST and DATABRICKS_TOKEN anew. The"
                " first cell of a notebook makes the volume.",
                "GRANT READ VOLUME, WRITE VOLUME ON VOLUME workspace.ws_YOU.ws TO `you@example.org`",
            ),
            Cause(
                "bridge-anew",
                "The instructor has reset the streams, or somebody deleted the topic: its offsets begin at 0 again, and the files are of"
                " before.",
                "Delete the folder landing/TOPIC, lakehouse.reset(...) for all tables made from it, then start the bridge again.",
                "{hw} bridge --topic {topic} --to PLACE --once",
            ),
            Cause(
                "bridge-client",
                "The bridge reads with the Kafka client of the Python that runs it, and this one has none.",
                "python -m pip install confluent-kafka, with the same python that you start headwater.pyz with",
                "{hw} doctor",
            ),
        ),
    ),
)
