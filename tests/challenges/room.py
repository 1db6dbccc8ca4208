"""A broker with a class in it: students who joined with the student's tool, each with a folder and a home of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from broker import free_ports
from folders import ROOT

CODE = "otter-4821"
READY_LIMIT = 120
TOOL = [sys.executable, str(ROOT / "student")]


class Room:
    """`headwater serve` with its streams and two hours of history. Without `classroom` for one person. `cluster`: what is given of
    another Kafka cluster, in place of a broker of its own."""

    def __init__(self, binary, *words, classroom=True, cluster=None):
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-challenges-"))
        self.classroom, self.count, self.lock = classroom, 0, threading.Lock()
        port, http = free_ports(2)
        self.base = f"http://127.0.0.1:{http}"
        places = ["--listen", f"127.0.0.1:{port}"]
        if classroom:
            places = ["--classroom", "--workshop-code", CODE, "--listener", f"CLEAR=SASL_PLAINTEXT://127.0.0.1:{port}", "--https", "off"]
        if cluster:
            places = ["--classroom", "--workshop-code", CODE, "--https", "off", *cluster]
        else:
            places += ["--data-dir", str(self.folder / "data")]
        command = [binary, "serve", *places, "--http", f"127.0.0.1:{http}", *words]
        self.log = self.folder / "log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + READY_LIMIT
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the broker did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        scout = self.student()
        while not self.is_live(scout):
            # The streams write their two hours of history first.
            if time.monotonic() > end:
                raise RuntimeError("the streams do not come to the present")
            time.sleep(0.3)

    def is_live(self, scout):
        if self.classroom:
            return any(scout.ask("/api/ticket/c02", {}).get("live", {}).values())
        # Whoever is alone would have a ticket then.
        return scout.ask("/api/generators").get("phase") == "live"

    def healthy(self):
        try:
            with urllib.request.urlopen(self.base + "/healthz", timeout=5):
                return True
        except OSError:
            return False

    def student(self):
        with self.lock:
            self.count += 1
            return Student(self, self.folder / f"student-{self.count}")

    def reset(self):
        """Lets the streams begin anew, as the instructor does."""
        token = self.instructor()
        word = self.ask("/api/reset", {}, token)["confirm"]
        self.ask("/api/reset", {"confirm": word, "secret": self.secret()}, token)

    def secret(self):
        return re.search(r"user instructor, password (\S+)", self.log.read_text(errors="replace"))[1]

    def instructor(self):
        """A session of the instructor's."""
        return self.ask("/api/login", {"user": "instructor", "password": self.secret()})["token"]

    def ask(self, path, body=None, token=None):
        """An answer of the HTTP API; an error's text too."""
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers), timeout=90) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as reason:
            return json.loads(reason.read())

    def problem(self):
        if self.process.poll() is not None:
            return f"the broker ended by itself with {self.process.returncode}"
        return "the broker panicked" if "panicked at" in self.log.read_text(errors="replace") else None

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Student:
    def __init__(self, room, folder):
        self.room, self.folder = room, folder
        folder.mkdir()
        self.home = folder / "home"
        self.environment = {**os.environ, "HEADWATER_HOME": str(self.home), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if room.classroom:
            self.tool("join", CODE)
        else:
            self.environment["HEADWATER_SERVER"] = room.base

    def tool(self, *words, may_fail=False):
        """What the student's tool prints."""
        command = [*TOOL, words[0], "--server", self.room.base, *words[1:]]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode and not may_fail:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def begin(self, challenge, client="confluent-kafka"):
        """The folder that the student's tool makes, with the starter and what it needs."""
        place = self.folder / f"{challenge}-{client}"
        self.tool("start", challenge, "--client", client, "--folder", str(place))
        return place

    def ask(self, path, body=None):
        """As the student."""
        kept = json.loads(next(self.home.glob("*.json")).read_text()) if self.room.classroom else {}
        return self.room.ask(path, body, kept.get("token"))

    def run(self, python, script, limit=120, **more):
        """Exit code and output of a script, run in its folder as a person does."""
        environment = {**self.environment, **more}
        try:
            done = subprocess.run(
                [python, script.name],
                cwd=script.parent,
                env=environment,
                capture_output=True,
                text=True,
                timeout=limit,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return None, f"did not end within {limit} s: {(late.stdout or b'')[-400:]}"
        return done.returncode, done.stdout + done.stderr
