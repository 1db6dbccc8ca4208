"""One cell of the matrix: one client's program run for one scenario, within a time limit."""

import json
import os
import signal
import subprocess
import threading
import time
from typing import NamedTuple

from environments import CACHE


class Cell(NamedTuple):
    state: str  # ok, FAIL, n/a or skip
    seconds: float
    detail: str


class Running:
    """A client's program at work. Its verdict is the last JSON line that it prints."""

    def __init__(self, command, client, scenario, address, prefix, arguments=()):
        self.begin = time.monotonic()
        self.verdict, self.ready = None, threading.Event()
        self.log = CACHE / "logs" / f"{client}-{scenario}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, address, scenario, prefix, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, errors="replace", start_new_session=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if "verdict" in said:
                self.verdict = said
            elif said.get("event") == "ready":
                self.ready.set()
        self.ready.set()

    def finish(self, limit):
        """The cell, after the program has ended or has been ended at `limit` seconds."""
        overdue = False
        try:
            self.process.wait(max(0.1, limit - (time.monotonic() - self.begin)))
        except subprocess.TimeoutExpired:
            overdue = True
        try:  # also what the program started and left behind
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.reader.join(5)
        seconds = time.monotonic() - self.begin
        if self.verdict is None:
            said = f"no verdict within {limit} s" if overdue else f"the program ended with {self.process.returncode} and no verdict"
            return Cell("FAIL", seconds, f"{said}; {self.last_words()}")
        state = {"ok": "ok", "fail": "FAIL", "n/a": "n/a"}[self.verdict["verdict"]]
        return Cell(state, seconds, self.verdict["detail"])

    def last_words(self):
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-3:])[-400:] or "it wrote nothing to standard error"
