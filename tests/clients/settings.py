"""The programs of /api/settings, as a student pastes them: fetched, the password filled in, run. Each must print five records and end.

A classroom with a listener of each kind that logs in, and a broker for one person. The Databricks program needs Databricks and is only
compiled.
"""

import argparse
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "spark"))

import environments  # noqa: E402  (the path must be known first)
import stack  # noqa: E402
from broker import free_ports  # noqa: E402
from table import CLIENTS  # noqa: E402

CODE = "otter-4821"
LIMIT = 90
READY_LIMIT = 120
VERSIONS = {"confluent-kafka": "confluent-2.16.1", "kafka-python": "kafka-python-3.0.12", "aiokafka": "aiokafka-0.14.0", "kafkajs": "kafkajs-2.2.4", "java": "java-4.3.1"}


class Broker:
    def __init__(self, binary, *mode):
        self.folder = Path(tempfile.mkdtemp(prefix="headwater-settings-"))
        port, tls, http = free_ports(3)
        self.http = f"127.0.0.1:{http}"
        listeners = ["--listen", f"127.0.0.1:{port}"]
        if mode:
            listeners = ["--listener", f"CLEAR=SASL_PLAINTEXT://127.0.0.1:{port}", "--listener", f"TLS=SASL_SSL://127.0.0.1:{tls}", "--https", "off"]
        self.log = (self.folder / "log").open("wb")
        command = [binary, "serve", *mode, *listeners, "--http", self.http, "--data-dir", str(self.folder / "data")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        begin = time.monotonic()
        while not self.get("/healthz"):
            if self.process.poll() is not None or time.monotonic() - begin > READY_LIMIT:
                raise RuntimeError(f"the broker did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def get(self, path, body=None, token=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"http://{self.http}{path}", body and json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def command(client, folder, found):
    """How a program is run that was pasted into a file, or the reason why not."""
    if client == "kcat":
        return (["sh", "first.sh"], "first.sh") if shutil.which("kcat") else "kcat is not installed"
    if client == "spark":
        try:
            return [stack.stack().python, "first.py"], "first.py"
        except environments.Missing as reason:
            return str(reason)
    if client == "databricks":
        return [sys.executable, "-m", "py_compile", "first.py"], "first.py"
    prepared = found[VERSIONS[client]]
    if isinstance(prepared, environments.Missing):
        return str(prepared)
    if client == "kafkajs":
        return [*prepared[:2], "node", "first.js"], "first.js"
    if client == "java":
        classes = prepared[prepared.index("-cp") + 1]
        return ["java", "-cp", classes, "FirstLook.java"], "FirstLook.java"
    return [prepared[0], "first.py"], "first.py"


def tried(broker, client, listener, who, found):
    """`ok`, or what is wrong."""
    text = broker.get(f"/api/settings?client={client}" + (f"&listener={listener}" if listener else ""), token=who.get("token"))
    if text is None:
        return "there are no settings"
    folder = Path(tempfile.mkdtemp(prefix=f"first-{client}-", dir=broker.folder))
    run = command(client, folder, found)
    if isinstance(run, str):
        return f"skip: {run}"
    arguments, file = run
    (folder / file).write_text(text.replace("{password}", who.get("password") or ""))
    fetch = next((line.split("folder:", 1)[1].strip() for line in text.splitlines() if "Once, in this folder:" in line), None)
    if fetch:
        subprocess.run(["sh", "-c", fetch], cwd=folder, check=True, capture_output=True, timeout=LIMIT)
    begin = time.monotonic()
    try:
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"FAIL: did not end within {LIMIT} s"
    records = [line for line in done.stdout.splitlines() if line.startswith("{") and "\"logger\"" not in line]
    wanted = 0 if client == "databricks" else 5
    if done.returncode or len(records) != wanted:
        return f"FAIL: ended with {done.returncode} after {len(records)} records: {(done.stderr or done.stdout)[-600:]}"
    return "compiled" if client == "databricks" else f"ok, {time.monotonic() - begin:.1f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/headwater")
    parser.add_argument("--only", default="", help="clients with commas between them")
    given = parser.parse_args()
    found = environments.prepare([tested for tested in CLIENTS if tested.name in VERSIONS.values()])
    clients = ["confluent-kafka", "kafka-python", "aiokafka", "kcat", "kafkajs", "java", "spark", "databricks"]
    clients = [client for client in clients if not given.only or client in given.only.split(",")]
    passed, failed, skipped = 0, 0, 0
    for mode, listeners in (((), [None]), (("--classroom", "--workshop-code", CODE), ["CLEAR", "TLS"])):
        broker = Broker(str(Path(given.binary).resolve()), *mode)
        try:
            who = json.loads(broker.get("/api/join", {"code": CODE})) if mode else {}
            for client in clients:
                for listener in listeners:
                    outcome = tried(broker, client, listener, who, found)
                    if outcome.startswith("skip") and os.environ.get("CI"):
                        outcome = f"FAIL: {outcome}"
                    failed += outcome.startswith("FAIL")
                    skipped += outcome.startswith("skip")
                    passed += outcome.startswith(("ok", "compiled"))
                    print(f"{client:<16} {listener or 'PLAINTEXT':<10} {outcome}", flush=True)
        finally:
            broker.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
