"""The 28 things that go wrong most: the text that a student sees leads to its case on the page, and the fix stands there."""

import re
import unittest

from rig import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = [(symptom.replace("\\|", "|"), case) for symptom, case in re.findall(r"^\| `(.+)` \| \[.+\]\(#([\w-]+)\) \|$", PAGE, re.MULTILINE)]
SECTIONS = dict(re.findall(r'<a id="([\w-]+)"></a>\n+(.*?)(?=\n<a id=|\Z)', PAGE, re.DOTALL))

# What is on the screen, where it leads, and words of the fix.
TEXTS = (
    ("%3|FAIL|rdkafka#consumer-1| KafkaError{code=_TRANSPORT,val=-195,str=\"Local: Broker transport failure\"}", "no-connection", "doctor HOST:PORT"),
    ("%4|FAIL| [thrd:172.17.0.2:9092/1]: 172.17.0.2:9092/1: Connection setup timed out in state CONNECT (after 30036ms)", "advertised-address", "--advertise"),
    ("%3|FAIL| localhost:9092/bootstrap: Connect to ipv6#[::1]:9092 failed: Connection refused", "localhost-elsewhere", "host.docker.internal"),
    ("%4|FAIL| 192.168.1.20:9092/bootstrap: Connection setup timed out in state CONNECT (after 30029ms in state CONNECT)", "firewall", "port 443"),
    ("%3|FAIL| SASL authentication error: Authentication failed during authentication due to invalid credentials", "login-failed", "SCRAM-SHA-256"),
    ("%4|FAIL| Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication", "wrong-protocol", "SASL_PLAINTEXT"),
    ("%3|FAIL| SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified", "certificate", "ssl.ca.location=ca.pem"),
    ("ssl.SSLCertVerificationError: Hostname mismatch, certificate is not valid for '192.168.1.20'", "host-name", "bootstrap.servers=NAME"),
    ("SSL handshake failed: certificate verify failed: certificate is not yet valid", "clock", "timedatectl"),
    ("my consumer prints nothing", "no-messages", "earliest"),
    ("the second consumer in the same group receives nothing", "idle-member", "own group id"),
    ("AttributeError: 'NoneType' object has no attribute 'value'", "poll-none", "continue"),
    ("after Ctrl+C my consumer hangs at start for 45 seconds", "ghost-member", "finally: consumer.close()"),
    ("KafkaError{code=UNKNOWN_TOPIC_OR_PART,val=3,str=\"Broker: Unknown topic or partition\"}", "unknown-topic", "ws.quiet-otter."),
    ("BufferError: Local: Queue full", "no-flush", "producer.flush()"),
    ("TypeError: a bytes-like object is required, not 'str'", "bytes", "encode('utf-8')"),
    ("ImportError: DLL load failed while importing cimpl: The specified module could not be found.", "no-wheel", "x64"),
    ("ModuleNotFoundError: No module named 'kafka.vendor.six.moves'", "old-kafka-python", "kafka-python>=3"),
    ("Thread 'MainThread': missing ScriptRunContext! This warning can be ignored when running in bare mode.", "streamlit", "cache_resource"),
    ("pyspark.errors.PySparkRuntimeError: [JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.", "java", "Java 17"),
    ("org.apache.spark.SparkException: Python worker failed to connect back.", "python-worker", "PYSPARK_PYTHON"),
    ("pyspark.errors.AnalysisException: Failed to find data source: kafka. Please deploy the application", "spark-jar", "spark-sql-kafka-0-10_2.13:4.2.0"),
    ("[INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED] Trigger type ProcessingTime is not supported for this cluster type.", "databricks-trigger", "availableNow=True"),
    ("org.apache.kafka.common.config.ConfigException: Failed to resolve bootstrap urls", "databricks-egress", "bridge"),
    ("No LoginModule found for org.apache.kafka.common.security.plain.PlainLoginModule", "databricks-login-module", "kafkashaded"),
    ("[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] The streaming query was reading from an unexpected Delta table", "databricks-rows", "both"),
    ("the last window is missing in my result", "databricks-windows", "closed"),
    ("quota exceeded", "databricks-quota", "on your laptop"),
)
# What the 28 name beside their first text.
ALSO = (
    ("Message(s) (3 bytes) still in queue or transit", "no-flush"), ("json.decoder.JSONDecodeError: Expecting value: line 1", "bytes"),
    ("TypeError: NewTopic.__init__() got an unexpected keyword argument 'partitions'", "old-kafka-python"), ("Port 8501 is already in use", "streamlit"),
    ("java.io.FileNotFoundException: HADOOP_HOME and hadoop.home.dir are unset.", "java"), ("Did not find winutils.exe", "java"),
    ("numInputRows: 0", "databricks-rows"), ("all events are late / windows stay empty", "clock"),
)  # fmt: skip


def leads_to(text):
    """The cases of all rows whose text is in this one; three dots in a row stand for anything."""
    return [case for symptom, case in ROWS if all(part.strip() in text for part in symptom.split("..."))]


class Texts(unittest.TestCase):
    def test_there_are_28_and_no_case_is_there_twice(self):
        self.assertEqual(28, len(TEXTS))
        self.assertEqual(28, len({case for _, case, _ in TEXTS}))

    def test_each_text_leads_to_its_case_and_to_few_others(self):
        for text, case, _ in TEXTS:
            found = set(leads_to(text))
            self.assertIn(case, found, text)
            self.assertLessEqual(len(found), 3, f"{text}: {found}")
        for text, case in ALSO:
            self.assertIn(case, leads_to(text), text)

    def test_the_case_says_what_to_do(self):
        for _, case, fix in TEXTS:
            self.assertIn(fix, SECTIONS[case], case)

    def test_a_text_that_is_nowhere_leads_nowhere(self):
        self.assertEqual([], leads_to("ZeroDivisionError: division by zero"))
