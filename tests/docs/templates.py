"""The files of docs/templates, each with the program it is for: at a broker for one person, and in a classroom.

What a person types in is put in here: addresses, user and password, and the # taken from the lines that say so.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path

import environments
import places
import stack
import syntax
from environments import Missing

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "templates"
LIMIT = 60
# The places where a template may meet a broker.
ONE, CLEAR, TLS = "one person", "class", "class with TLS"
DRIVER = Path(__file__).resolve().parent / "spark_twice.py"


class Who:
    """A place with a student who has joined, if it is one for students."""

    def __init__(self, brokers, place):
        self.place, self.broker = place, brokers.of("broker" if place == ONE else "class")
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-template-"))
        self.bootstrap = f"127.0.0.1:{self.broker.tls if place == TLS else self.broker.kafka}"
        self.user = self.password = self.ca = ""
        if place != ONE:
            joined = self.broker.ask("/api/join", {"code": places.CODE})
            self.user, self.password = joined["user"], joined["password"]
        if place == TLS:
            self.ca = str(self.folder / "ca.pem")
            with urllib.request.urlopen(f"http://127.0.0.1:{self.broker.http}/ca.pem", timeout=20) as answer:
                Path(self.ca).write_bytes(answer.read())

    @property
    def variables(self):
        return {"KAFKA_BOOTSTRAP": self.bootstrap, "KAFKA_USER": self.user, "KAFKA_PASSWORD": self.password, "KAFKA_CA": self.ca}

    @property
    def environment(self):
        return {**places.clean_environment(), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def filled(self, name):
        """A settings file as a person fills it in. In a class: the lines of one's own machine go, those with # come."""
        text = (FOLDER / name).read_text()
        if self.place != ONE:
            text = re.sub(r"^(bootstrap\.servers|security\.protocol)=.*\n", "", text, count=1, flags=re.MULTILINE)
            text = re.sub(r"^#(?=[a-z][\w.]*=)", "", text, flags=re.MULTILINE)
            if self.place == CLEAR:
                text = re.sub(r"^ssl\..*\n", "", text, flags=re.MULTILINE)
            else:
                text = text.replace("SASL_PLAINTEXT", "SASL_SSL")
        text = re.sub(r"(127\.0\.0\.1|HOST):909[23]", self.bootstrap, text)
        target = self.folder / name
        target.write_text(re.sub(r"\bUSER\b", self.user, re.sub(r"\bPASSWORD\b", self.password, text)))
        return syntax.properties(target.read_text())

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def cases(brokers, python, wanted):
    """Each as a function that gives a row: name, kind, outcome, seconds."""
    tests = [
        ("databricks.py", (ONE, CLEAR), spark),
        ("python-consumer.py", (ONE, CLEAR, TLS), partial(consumer, python)),
        ("python-producer.py", (ONE, CLEAR, TLS), partial(producer, python)),
        ("kafka-python-consumer.py", (ONE, CLEAR, TLS), partial(consumer, python)),
        ("client.properties", (ONE, CLEAR, TLS), java),
        ("kcat.conf", (ONE, TLS), kcat),
        (".env", (ONE, CLEAR), partial(env_file, python)),
    ]
    for name, kinds, test in tests:
        if not wanted(f"docs/templates/{name}"):
            continue
        if test is spark:
            yield partial(row, name, "template", partial(spark, brokers, kinds))
            continue
        for kind in kinds:
            yield partial(row, f"{name}, {kind}", "template", partial(one, brokers, kind, test, name))
    if wanted("docs/templates/.vscode/settings.json"):
        yield partial(row, ".vscode/settings.json", "template", partial(parsed, ".vscode/settings.json"))


def one(brokers, kind, test, name):
    who = Who(brokers, kind)
    try:
        return test(who, name)
    finally:
        who.close()


def row(name, kind, test):
    begin = time.monotonic()
    try:
        fault = test()
        told = f"FAIL: {fault}" if fault else "ok"
    except Missing as reason:
        told = f"{'FAIL' if os.environ.get('CI') else 'skip'}: {reason}"
    except Exception as reason:  # one template must not keep the others from being tried
        told = f"FAIL: {type(reason).__name__}: {reason}"
    return name, kind, told, time.monotonic() - begin


def parsed(name):
    return syntax.one_json((FOLDER / name).read_text())


def consumer(python, who, name):
    """Reads, and ends with Ctrl+C as its last lines promise."""
    named = {"until": "purchase", "within": str(LIMIT), "prints": "closed; "}
    return places.finished([python, str(FOLDER / name)], who.folder, {**who.environment, **who.variables}, named)


def producer(python, who, name):
    topic = f"ws.{who.user or 'me'}.play"
    named = {"prints": f"10 delivered to {topic}, 0 still waiting", "within": str(LIMIT)}
    return places.finished([python, str(FOLDER / name)], who.folder, {**who.environment, **who.variables}, named)


def five(done):
    """Five records of the stream came."""
    records = [line for line in done.stdout.splitlines() if line.startswith('{"event_id"')]
    return None if len(records) == 5 else f"{len(records)} records, ended with {done.returncode}: {(done.stderr or done.stdout)[-800:]}"


def asked(command, who):
    return subprocess.run(command, cwd=who.folder, env=who.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)


def java(who, name):
    fault = who.filled(name)
    if fault:
        return fault
    jars = environments.kafka_tools()
    command = ["java", *environments.JVM, "-cp", f"{jars}/*", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", who.bootstrap]
    command += ["--command-config", name, "--topic", "ecommerce-events", "--from-beginning", "--max-messages", "5", "--timeout-ms", "20000"]
    return five(asked(command, who))


def kcat(who, name):
    if shutil.which("kcat") is None:
        raise Missing("kcat is not installed")
    return who.filled(name) or five(asked(["kcat", "-F", name, "-C", "-t", "ecommerce-events", "-o", "beginning", "-c", "5", "-e", "-q"], who))


def env_file(python, who, name):
    """What stands in the file reaches the program, as VS Code reads it."""
    text = (FOLDER / name).read_text()
    for variable, value in who.variables.items():
        text, count = re.subn(rf"^{variable}=.*$", f"{variable}={value}", text, flags=re.MULTILINE)
        if count != 1:
            return f"{variable} stands {count} times in it"
    fault = syntax.properties(text)
    if fault:
        return fault
    read = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return places.finished([python, str(FOLDER / "python-consumer.py")], who.folder, {**who.environment, **read}, {"until": "purchase", "within": str(LIMIT)})


def spark(brokers, kinds):
    """All places in one Java, as its start takes longer than the template."""
    found = stack.stack()
    people = [Who(brokers, kind) for kind in kinds]
    try:
        words = [f"{who.bootstrap} {who.user or '-'} {who.password or '-'} {who.folder}" for who in people]
        environment = {**people[0].environment, "HEADWATER_SPARK_JARS": found.jars}
        done = subprocess.run(
            [found.python, str(DRIVER), str(FOLDER / "databricks.py"), *words],
            cwd=people[0].folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=2 * LIMIT, check=False,
        )  # fmt: skip
        told = re.findall(r"^(\d+) rows in ", done.stdout, re.MULTILINE)
        shown = len(re.findall(r'\{"event_id"', done.stdout))
        if done.returncode or len(told) != len(kinds) or not all(map(int, told)) or shown != 5 * len(kinds):
            return f"ended with {done.returncode} after {shown} records, {told} rows: {(done.stderr or done.stdout)[-1200:]}"
        return None
    finally:
        for who in people:
            who.close()
