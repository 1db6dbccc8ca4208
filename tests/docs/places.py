"""Where blocks run: one broker for one person, one classroom, a folder a page, and how the addresses of a text become theirs."""

import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import clusters
from broker import free_ports

CODE = "otter-4821"
SECRET = secrets.token_hex(12)
START_LIMIT = 60
STOP_LIMIT = 15
# Two that look for free ports at the same time would find the same ones.
STARTS = threading.Lock()


class Broker:
    """`classroom`: two listeners that log in, one of them inside TLS."""

    def __init__(self, binary, classroom, more=(), secret=SECRET):
        self.folder, self.classroom = Path(tempfile.mkdtemp(prefix="headwater-docs-")), classroom
        self.more, self.secret, self.generates = more, secret, "--generators" not in more
        self.log = self.folder / "log"
        with STARTS:
            # Another program may take a port between the look at it and the start.
            started = any(self.started(binary) for _ in range(3))
        if not started:
            raise RuntimeError(f"the broker did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    def started(self, binary):
        self.kafka, self.tls, self.http = random.sample(free_ports(200), 3)
        words = ["--listen", f"127.0.0.1:{self.kafka}"]
        if self.classroom:
            doors = [f"CLEAR=SASL_PLAINTEXT://127.0.0.1:{self.kafka}", f"TLS=SASL_SSL://127.0.0.1:{self.tls}"]
            words = ["--classroom", "--workshop-code", CODE, *(word for door in doors for word in ("--listener", door)), "--https", "off"]
        command = [binary, "serve", *words, "--http", f"127.0.0.1:{self.http}", "--data-dir", str(self.folder / "data"), *self.more]
        environment = {**clean_environment(), "HEADWATER_INSTRUCTOR_SECRET": self.secret} if self.classroom else clean_environment()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        begin = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None:
                return False
            if time.monotonic() - begin > START_LIMIT:
                self.process.kill()
                return False
            time.sleep(0.05)
        return True

    def answers(self):
        """It serves, and where that may be asked without a login its streams have reached the present: before, they take no orders."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/healthz", timeout=2) as answer:
                ready = answer.status == 200
            if ready and self.generates and not self.classroom:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/api/generators", timeout=2) as answer:
                    ready = json.load(answer)["phase"] == "live"
            return ready
        except OSError:
            return False

    def ask(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def placed(self, text):
        """A text with the addresses of this broker in place of the usual ones, and of the words that stand for them."""
        host = r"(?:127\.0\.0\.1|localhost|HOST|YOUR-ADDRESS|ADDRESS)"
        text = re.sub(rf"\b{host}:(?:9092|PORT)\b", f"127.0.0.1:{self.kafka}", text)
        text = re.sub(rf"\b(?:{host}:9093|kafka\.example\.org:9094)\b", f"127.0.0.1:{self.tls}", text)
        text = re.sub(rf"\b{host}:8080\b", f"127.0.0.1:{self.http}", text)
        text = re.sub(rf"(['\"]){host}\1, 9092\b", f"'127.0.0.1', {self.kafka}", text)
        return re.sub(r"\bCODE\b", CODE, re.sub(r"(?<![-\w/])HOST(?![-\w])", "127.0.0.1", text))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Brokers:
    """Each is started when the first block wants it."""

    def __init__(self, binary, python):
        self.binary, self.python, self.started, self.locks = binary, python, {}, {}
        self.lock = threading.Lock()

    def of(self, kind):
        kind = "class" if kind == "student" else kind
        with self.lock:
            own = self.locks.setdefault(kind, threading.Lock())
        # Apache Kafka takes its time; the other pages do not wait for it.
        with own:
            if kind not in self.started:
                self.started[kind] = self.made(kind)
            return self.started[kind]

    def made(self, kind):
        if kind == "kafka":
            return clusters.ApacheKafka(self.python)
        return clusters.Pair(self.binary, self.python) if kind == "pair" else Broker(self.binary, kind == "class")

    def close(self):
        for broker in self.started.values():
            broker.close()


def clean_environment():
    """Ours without what would change what the programs do."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HEADWATER_", "KAFKA_", "PYTHON", "CARGO_"))}


class Folder:
    """What the blocks of one page share: files, the programs on PATH, and who joined."""

    def __init__(self, brokers, python):
        self.brokers, self.python = brokers, python
        self.path = Path(tempfile.mkdtemp(prefix="headwater-page-"))
        programs = self.path / ".programs"
        (self.path / "target" / "release").mkdir(parents=True)
        programs.mkdir()
        for place in (programs, self.path / "target" / "release"):
            (place / "headwater").symlink_to(brokers.binary)
        self.environment = {
            **clean_environment(),
            "PATH": os.pathsep.join([str(programs), str(Path(python).parent), os.environ["PATH"]]),
            "HOME": str(self.path),
            "HEADWATER_HOME": str(self.path / ".headwater"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            # A program that a page starts takes free ports of this machine alone.
            "HEADWATER_LISTEN": "127.0.0.1:0",
            "HEADWATER_HTTP": "127.0.0.1:0",
            "HEADWATER_HTTPS": "off",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            # pip keeps what it fetched where it always does, not in the page's folder
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
        }
        self.student, self.ports = None, {}

    def run(self, block):
        """None, or what went wrong."""
        kind = block.named.get("with")
        text, environment = block.text, dict(self.environment)
        if kind:
            broker = self.brokers.of(kind)
            text = broker.placed(text)
            environment["HEADWATER_HTTP"] = f"127.0.0.1:{broker.http}"
            environment["HEADWATER_INSTRUCTOR_SECRET"] = SECRET
            if kind == "kafka":
                broker.furnish(self.path)
            if kind == "student":
                self.join(broker)
                environment.update(self.student)
        else:
            # Whatever listens, listens on this machine only, at a free port: at one that the block knows, or at any.
            if "ports" in block.named:
                text = re.sub(r"\b127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{self.free_port(found[1])}", text)
            else:
                text = re.sub(r"\b(?:127\.0\.0\.1|0\.0\.0\.0):\d+", "127.0.0.1:0", text)
            if "--listener" in text:
                del environment["HEADWATER_LISTEN"]
        runner = RUNNERS.get(block.language)
        name = block.named.get("file") or f"block-{block.line}"
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if runner is None:
            return None if "file" in block.named else f"nothing here can run {block.language}"
        return finished([*runner(self), name], self.path, environment, block.named)

    def free_port(self, named):
        if named not in self.ports:
            self.ports[named] = random.choice(sorted(set(free_ports(100)) - set(self.ports.values())))
        return self.ports[named]

    def keep(self, block):
        """A block that is a file of the page and does not run."""
        target = self.path / block.named["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text)

    def join(self, broker):
        if self.student is None:
            with urllib.request.urlopen(f"http://127.0.0.1:{broker.http}/headwater.pyz", timeout=20) as answer:
                (self.path / "headwater.pyz").write_bytes(answer.read())
            done = subprocess.run(
                [self.python, "headwater.pyz", "join", CODE], cwd=self.path, env=self.environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"join: {done.stdout}{done.stderr}")
            kept = json.loads(next((self.path / ".headwater").glob("*.json")).read_text())
            self.student = {"KAFKA_BOOTSTRAP": f"127.0.0.1:{broker.kafka}", "KAFKA_USER": kept["user"], "KAFKA_PASSWORD": kept["password"]}

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


RUNNERS = {
    "sh": lambda _: ["bash", "-e"],
    "bash": lambda _: ["bash", "-e"],
    "python": lambda folder: [folder.python],
}


def finished(command, folder, environment, named):
    """Runs a program to its end, or until it has printed what is waited for. None, or what went wrong."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    said = []
    reader = threading.Thread(target=lambda: said.extend(iter(lambda: process.stdout.read1(65536), b"")), daemon=True)
    reader.start()

    def text():
        return b"".join(said).decode(errors="replace")

    def fault(what):
        return f"{what}:\n{text()[-1500:].strip()}"

    within = float(named.get("within", 30))
    until, wanted = named.get("until"), named.get("prints")
    begin = time.monotonic()
    try:
        while process.poll() is None and not (until and until in text()):
            if time.monotonic() - begin > within:
                return fault(f"did not print {until!r} within {within:.0f} s" if until else f"did not end within {within:.0f} s")
            time.sleep(0.02)
        ended = process.poll()
        if until:
            # What was printed last may not be read yet.
            reader.join(0.5 if ended is not None else 0)
            if until not in text():
                return fault(f"ended with {ended} before it printed {until!r}")
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                return fault("did not end after Ctrl+C")
        elif ended:
            reader.join(0.5)
            return fault(f"ended with {ended}")
        # What it left running may hold its output open.
        reader.join(0.5)
        return fault(f"did not print {wanted!r}") if wanted and wanted not in text() else None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
