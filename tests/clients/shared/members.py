"""A consumer group member that polls in its own thread, as a program of its own would."""

import threading
import time

from verdict import Failed


class Member(threading.Thread):
    def __init__(self, client, group, topic, protocol):
        super().__init__(daemon=True)
        self.client, self.group, self.topic, self.protocol = client, group, topic, protocol
        self.records = []
        self.assignments = [frozenset()]
        self.error = None
        self.leaving = threading.Event()
        self.start()

    def run(self):
        try:
            consumer = self.client.consumer(self.group, self.topic, self.protocol)
            try:
                while not self.leaving.is_set():
                    self.records.extend(consumer.poll(0.2))
                    now = frozenset(consumer.assignment())
                    if now != self.assignments[-1]:
                        self.assignments.append(now)
            finally:
                consumer.close()
        except Exception as error:
            self.error = error

    @property
    def assignment(self):
        return self.assignments[-1]

    def leave(self):
        self.leaving.set()
        self.join(30)
        if self.is_alive():
            raise Failed("a member did not close within 30 s")
        if self.error is not None:
            raise self.error


def wait_for(what, condition, seconds, members=()):
    """Polls `condition` until it holds; returns how long that took."""
    begin = time.monotonic()
    while not condition():
        for member in members:
            if member.error is not None:
                raise member.error
        if time.monotonic() - begin > seconds:
            state = "; ".join(str(sorted(member.assignment)) for member in members)
            raise Failed(f"after {seconds} s still not: {what}" + (f" (assignments {state})" if members else ""))
        time.sleep(0.02)
    return time.monotonic() - begin
