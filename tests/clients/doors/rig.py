"""A classroom of its own on loopback: one listener in clear, one with TLS, students by HTTP."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from broker import free_ports  # noqa: E402  (the path must be known first)

CODE, SECRET = "otter-4821", "a-secret-for-tests-only"
READY_LIMIT = 120
STREAMS = ("ecommerce-events", "iot-sensor-data", "social-media-feed", "financial-transactions")


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Classroom:
    def __init__(self, binary, data=None, more=()):
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-doors-"))
        clear, tls, http = free_ports(3)
        self.http, self.addresses = f"127.0.0.1:{http}", {"SASL_PLAINTEXT": f"127.0.0.1:{clear}", "SASL_SSL": f"127.0.0.1:{tls}"}
        listeners = [word for name, (protocol, address) in zip(("CLEAR", "TLS"), self.addresses.items()) for word in ("--listener", f"{name}={protocol}://{address}")]
        command = [str(Path(binary).resolve()), "serve", "--classroom", "--workshop-code", CODE, *listeners, "--http", self.http, "--https", "off",
                   "--data-dir", str(data or self.folder / "data"), *more]
        self.log = self.folder / "broker.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment | {"HEADWATER_INSTRUCTOR_SECRET": SECRET})
        self.wait_until("the broker to start", lambda: self.healthy(), READY_LIMIT)
        self.ca = self.folder / "ca.pem"
        self.ca.write_text(self.get("/ca.pem"))

    def wait_until(self, what, condition, limit):
        """The seconds until it was so."""
        begin = time.monotonic()
        while not condition():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() - begin > limit:
                raise RuntimeError(f"waited {limit} s for {what}:\n{self.tail()}")
            time.sleep(0.05)
        return time.monotonic() - begin

    def healthy(self):
        try:
            self.get("/healthz")
            return True
        except (Refused, OSError):
            return False

    def get(self, path, token=None):
        return self.ask("GET", path, None, token)

    def post(self, path, body, token=None):
        return json.loads(self.ask("POST", path, body, token))

    def ask(self, method, path, body, token):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://{self.http}{path}", data, headers, method=method), timeout=100) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as refused:
            raise Refused(refused.code, refused.read().decode(errors="replace")) from None

    def join(self):
        return self.post("/api/join", {"code": CODE})

    def instructor(self):
        return self.post("/api/login", {"user": "instructor", "password": SECRET})["token"]

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def problem(self):
        if self.process.poll() is not None:
            return f"the broker ended by itself with {self.process.returncode}: {self.tail()}"
        return "the broker panicked" if "panicked at" in self.log.read_text(errors="replace") else None

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
