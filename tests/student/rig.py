"""What the tests share: the tool as a module, a broker of our own, and a look at a target with this computer's facts fixed."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from doubles import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
STUDENT = ROOT / "student"
sys.path.insert(0, str(STUDENT))

from headwater import cli, doctor, surroundings, target  # noqa: E402  (the path must be known first)

# machines are noisy; where waiting is what is tested, the test waits SHORT
TIMEOUT = 4.0
SHORT = 0.7
START = 60
PYTHON = surroundings.Python((3, 12), 64, "linux", "x86_64", "glibc", False)


class Settings:
    """Set by run.py."""

    binary = None
    classroom = False


class Broker:
    def __init__(self, *words, port=None, listen=True):
        self.port, self.http = port or free_port(), free_port()
        self.folder = tempfile.mkdtemp(prefix="headwater-student-")
        self.log = Path(self.folder) / "log"
        places = ("--listen", self.address) if listen else ()
        places += ("--http", f"127.0.0.1:{self.http}", "--data-dir", str(Path(self.folder) / "data"))
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([Settings.binary, "serve", *places, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.wait_for(self.port)
        self.wait_for(self.http)

    def wait_for(self, port):
        end = time.monotonic() + START
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"the broker did not start:\n{self.log.read_text(errors='replace')[-2000:]}") from None
                time.sleep(0.05)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def base(self):
        return f"http://127.0.0.1:{self.http}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """A home of its own, and a computer on which all is well."""

    box = None
    java = (17, "java")
    hosts = {}

    def setUp(self):
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(mock.patch.dict(os.environ, {"HEADWATER_HOME": str(self.home / "kept")}))
        stack.enter_context(mock.patch.object(surroundings, "inside", lambda: self.box))
        stack.enter_context(mock.patch.object(surroundings, "java", lambda: self.java))
        stack.enter_context(mock.patch.object(surroundings, "python", lambda: PYTHON))
        stack.enter_context(mock.patch.object(surroundings, "installed", {"confluent-kafka": "2.16.1"}.get))
        stack.enter_context(mock.patch.object(surroundings, "confluent_kafka_fault", lambda: None))
        real = socket.getaddrinfo

        def resolve(host, *words, **named):
            return real(self.hosts.get(host, host), *words, **named)

        stack.enter_context(mock.patch.object(socket, "getaddrinfo", resolve))

    def look(self, *words, timeout=TIMEOUT):
        arguments = cli._parser().parse_args(["doctor", *words])
        return doctor.look(target.choose(arguments), "hw", timeout=timeout)

    def file(self, text, name="client.properties"):
        place = self.home / name
        place.write_text(text, encoding="utf-8")
        return str(place)

    def cause(self, report, cause, step, status="FAIL"):
        """The report names this cause first in this step, and no step failed before."""
        shown = "\n".join([*map(doctor.line_text, report.lines), *doctor.findings_text(report)])
        found = [finding for finding in report.findings if finding.step == step]
        self.assertTrue(found, f"nothing was found in {step}:\n{shown}")
        self.assertEqual(cause, found[0].text.cause.id, shown)
        self.assertEqual(status, report.status(step), shown)
        if status == "FAIL":
            self.assertFalse(report.ok())
        return found[0].text.fix

    def well(self, report, *steps):
        shown = "\n".join([*map(doctor.line_text, report.lines), *doctor.findings_text(report)])
        self.assertTrue(report.ok(), shown)
        for step in steps:
            self.assertEqual("ok", report.status(step), shown)
