"""In a student's own program, and in the Python and Java under it."""

from __future__ import annotations

from headwater.case import Case, Cause

CODE = (
    Case(
        "poll-none",
        "poll() returns None",
        (
            "AttributeError: 'NoneType' object has no attribute 'value'",
            "AttributeError: 'NoneType' object has no attribute 'error'",
            "poll returns None",
        ),
        (
            Cause(
                "poll-none",
                "None says only that nothing came within the time given to poll(). It is not the end of the topic.",
                "Poll in a loop that goes on: `if message is None: continue`. Do not `break` at None.",
                'python -c "from confluent_kafka import Consumer; help(Consumer.poll)"',
            ),
        ),
    ),
    Case(
        "ghost-member",
        "After Ctrl+C the next start waits",
        (
            "consumer hangs at start for 45 seconds",
            "Group ... is rebalancing",
            "member ... has left the group (session timeout)",
            "no messages after restart",
        ),
        (
            Cause(
                "ghost-member",
                "A consumer that ends without close() stays a member of its group until its session runs out (45 s). Its partitions"
                " wait for it.",
                "try: ... finally: consumer.close(). This once, wait 45 seconds or take another group id.",
                "{hw} doctor --config {file}",
                "group",
            ),
        ),
    ),
    Case(
        "no-flush",
        "What was produced never arrives",
        (
            "BufferError: Local: Queue full",
            "producer sends nothing",
            "messages are missing at the end",
            "Message(s) (... bytes) still in queue or transit",
        ),
        (
            Cause(
                "no-flush",
                "produce() only puts a record into a queue. A program that ends without flush() throws the queue away; without poll()"
                " it fills up.",
                "producer.poll(0) after each produce(), producer.flush() at the end, and a delivery callback that prints errors.",
                'python -c "from confluent_kafka import Producer; help(Producer.flush)"',
            ),
        ),
    ),
    Case(
        "bytes",
        "Keys and values are bytes",
        (
            "TypeError: a bytes-like object is required, not 'str'",
            "TypeError: a bytes-like object is required, not 'dict'",
            "AssertionError: value must be bytes",
            "json.decoder.JSONDecodeError: Expecting value",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte",
        ),
        (
            Cause(
                "bytes",
                "Kafka carries bytes. A dict or a text has to be made into bytes and back, and some records of the streams are no JSON"
                " on purpose.",
                "Write: json.dumps(value).encode('utf-8'). Read: try: json.loads(message.value().decode('utf-8')) except ValueError:"
                " count it, go on.",
                "python -c \"import json; print(json.dumps({{'a': 1}}).encode('utf-8'))\"",
            ),
        ),
    ),
    Case(
        "no-wheel",
        "The client library cannot be installed or loaded",
        (
            "ImportError: DLL load failed while importing cimpl",
            "error: Microsoft Visual C++ 14.0 or greater is required",
            "fatal error: librdkafka/rdkafka.h: No such file or directory",
            "Failed building wheel for confluent-kafka",
            "ModuleNotFoundError: No module named 'confluent_kafka'",
            "ERROR: No matching distribution found for confluent-kafka",
        ),
        (
            Cause(
                "python-32-bit",
                "This is a 32-bit Python. confluent-kafka is made for 64 bits only.",
                "Install Python 3.12, 64-bit (x64), from python.org, and use that: py -3.12 -m pip install confluent-kafka",
                "python -c \"import struct; print(struct.calcsize('P') * 8)\"",
                "packages",
            ),
            Cause(
                "no-wheel",
                "There is no ready-made confluent-kafka for {python}, so pip tries to compile it.",
                "Use Python 3.12 for x64 (it runs on Windows ARM too); on Alpine take python:3.12-slim. Or: pip install kafka-python,"
                " which is pure Python.",
                'python -c "import platform, sys; print(sys.version, platform.machine())"',
                "packages",
            ),
            Cause(
                "client-missing",
                "No Kafka client is installed in this Python ({python}). It may be in another one.",
                "python -m pip install confluent-kafka",
                'python -c "import sys; print(sys.executable)"',
                "packages",
            ),
            Cause(
                "client-broken",
                "confluent-kafka is installed but cannot be loaded: {given}.",
                "python -m pip install --force-reinstall --no-cache-dir confluent-kafka",
                'python -c "import confluent_kafka; print(confluent_kafka.libversion())"',
                "packages",
            ),
        ),
    ),
    Case(
        "old-kafka-python",
        "Code for an old kafka-python",
        (
            "ModuleNotFoundError: No module named 'kafka.vendor.six.moves'",
            "ModuleNotFoundError: No module named 'kafka.vendor'",
            "TypeError: NewTopic.__init__() got an unexpected keyword argument",
            "SyntaxError: invalid syntax (kafka/producer/simple.py, async=)",
            "UnrecognizedBrokerVersion",
        ),
        (
            Cause(
                "old-kafka-python",
                "An old kafka-python is installed ({version}). It is no longer kept up and fails with this Python or this broker.",
                'python -m pip uninstall -y kafka kafka-python kafka-python-ng, then python -m pip install "kafka-python>=3" (or'
                " confluent-kafka)",
                "python -m pip list",
                "packages",
            ),
            Cause(
                "old-kafka-python-code",
                "Your program uses {given}, which was in kafka-python 1 and 2. Many answers on the web and of AI tools still show it.",
                "Ask for kafka-python 3, or use confluent-kafka: {hw} settings confluent-kafka",
                "python -m pip list",
                "settings",
            ),
        ),
    ),
    Case(
        "streamlit",
        "Streamlit: the page starts over, nothing moves",
        (
            "missing ScriptRunContext! This warning can be ignored when running in bare mode.",
            "Port 8501 is already in use",
            "a new consumer at every rerun",
            "the chart restarts at every click",
        ),
        (
            Cause(
                "streamlit",
                "Streamlit runs the whole program again at every click. A consumer made in it is a new member each time; a thread has"
                " no page.",
                "Make the consumer in a function with @st.cache_resource, poll it in an @st.fragment(run_every=1). A second page:"
                " streamlit run app.py --server.port 8502",
                "streamlit run app.py --server.port 8502",
            ),
        ),
    ),
    Case(
        "java",
        "PySpark does not start",
        (
            "JAVA_GATEWAY_EXITED",
            "PySparkRuntimeError: [JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number",
            "UnsupportedClassVersionError",
            "JAVA_HOME is not set",
            "Did not find winutils.exe",
            "HADOOP_HOME and hadoop.home.dir are unset",
            "UnsupportedOperationException: getSubject is not supported",
        ),
        (
            Cause(
                "java-missing",
                "No Java was found. Only Spark on this computer needs one; Python clients and Databricks do not.",
                "Install Java 17 (for example Temurin 17), open a new terminal. Spark on Windows: use WSL, where Hadoop's winutils is"
                " not needed.",
                "java -version",
                "Java",
            ),
            Cause(
                "java-old",
                "The Java found here is too old ({version}). Spark 4 needs 17 or 21.",
                "Install Java 17 and set JAVA_HOME to its folder. Open a new terminal.",
                "java -version",
                "Java",
            ),
            Cause(
                "java-new",
                "The Java found here is too new ({version}): from 24 on it lacks what Hadoop, a part of Spark, asks of it.",
                "Install Java 17 beside it and set JAVA_HOME to the folder of that one. Open a new terminal.",
                "java -version",
                "Java",
            ),
        ),
    ),
)
