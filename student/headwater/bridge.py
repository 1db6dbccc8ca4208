"""`bridge`: copies topics into a folder or a volume every few seconds, for a Spark that cannot reach the broker.

A round looks at where each topic begins and ends now, reads what is new up to there, and writes it as files (landing.py says how). The
names of the files are the only memory, and a file appears whole or not at all: whenever this ends, the next start goes on where it was.
"""

from __future__ import annotations

import signal
import time
from argparse import ArgumentTypeError, Namespace

from headwater import databricks, kafka_clients, landing, target
from headwater.http import HttpError
from headwater.kafka_clients import Away

MOST_RECORDS, MOST_BYTES, MOST_HELD = 20_000, 8 * 1024 * 1024, 48 * 1024 * 1024
# With --once there is nobody who would wait for ever.
PATIENCE_ONCE_S = 120.0
TELL_EVERY_S = 10.0
AGAIN_FIRST_S, AGAIN_LONGEST_S = 1.0, 30.0


class Stopped(Exception):
    """Somebody typed Ctrl+C."""


class Patience:
    """Ctrl+C ends what waits at once, and what is being written when it is written. A second one ends everything."""

    def __init__(self):
        self.asked = False

    def __enter__(self):
        try:
            self.before = signal.signal(signal.SIGINT, self._ask)
        except ValueError:  # not in the main thread
            self.before = None
        return self

    def __exit__(self, *_):
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _ask(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def look(self) -> None:
        if self.asked:
            raise Stopped

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.look()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))


class Waiting:
    """Lines of one partition that are not in a file yet."""

    def __init__(self, first: int):
        self.first = self.next = first
        self.lines: list = []
        self.bytes = 0


class Bridge:
    def __init__(self, reader, place, topics, begin="earliest", say=print, look=lambda: None):
        self.reader, self.place, self.topics, self.begin, self.say, self.look = reader, place, topics, begin, say, look
        self.next: dict = {}
        self.last: dict = {}
        self.waiting: dict = {}
        self.opened: set = set()
        self.copied: dict = {}
        self.files = 0
        self.told = time.monotonic()

    def round(self) -> None:
        """Copies what there is now. Raises Away where the broker is not there, HttpError where a person has to do something."""
        self.copied, self.files = {}, 0
        # what an interrupted round had read and not written is read again
        self.waiting = {}
        begin, ends = {}, {}
        for topic in self.topics:
            self.look()
            for at, (low, high) in self._bounds(topic).items():
                first = self._first(at, low, high)
                if high > first:
                    self.waiting[at] = Waiting(first)
                    begin[at], ends[at] = self._one_before(at, first, low), high
        if not begin:
            return
        for records, positions in self.reader.read(begin, ends):
            for record in records:
                self._take(record)
            self._write_what_is_full()
            for at, position in positions.items():
                self.waiting[at].next = max(self.waiting[at].next, position)
            self.look()
        for at in list(self.waiting):
            self._write(at)

    def _bounds(self, topic) -> dict:
        partitions = self.reader.partitions(topic)
        if not partitions:
            raise HttpError(
                f"There is no topic {topic} that you may read.",
                "`doctor` lists what there is: doctor --topic NAME finds one that is misspelt.",
            )
        bounds = self.reader.bounds(topic, partitions)
        if topic not in self.opened:
            self._open(topic, bounds)
        return bounds

    def _open(self, topic, bounds):
        """What is there already says where to go on."""
        held = landing.held(self.place.names(topic), self.place.place(topic))
        for partition, found in held.items():
            self.next[topic, partition] = found.next
            if found.file:
                self.last[topic, partition] = found.file
        if self.begin == "latest" and not held:
            for (_, partition), (_, high) in bounds.items():
                # without it, a restart would begin at another end
                self.place.put(topic, landing.begun(partition, high), b"")
                self.next[topic, partition] = high
        self.opened.add(topic)

    def _first(self, at, low, high) -> int:
        first = self.next.setdefault(at, low)
        topic, partition = at
        if first > high:
            raise self._made_anew(topic, f"partition {partition} ends at {high}, and it has been copied up to {first}")
        if first < low:
            if at in self.last:
                self.say(f"{topic}, partition {partition}: offsets {first} to {low - 1} were deleted before they could be copied.")
            self.next[at] = first = low
        return first

    def _one_before(self, at, first, low) -> int:
        """The last record that was copied is read once more: if it is another one, the topic is another one."""
        known = self.last.get(at)
        if isinstance(known, str):
            known = self.last[at] = landing.fingerprint(self.place.last_line(at[0], known))
        return known[0] if known and known[0] >= low else first

    def _made_anew(self, topic, why) -> HttpError:
        return HttpError(
            f"{topic} was made anew since it was copied: {why}.",
            f"Delete {self.place.place(topic)}, then the tables that were made from it, with their checkpoints"
            " (lakehouse.reset in the notebook), and start the bridge again.",
        )

    def _take(self, record) -> None:
        at = record.topic, record.partition
        waiting = self.waiting[at]
        if record.offset < waiting.first:
            known = self.last.get(at)
            if known and known[0] == record.offset and known != landing.fingerprint(landing.line(record)):
                raise self._made_anew(record.topic, f"the record at offset {record.offset} of partition {record.partition} is another one")
            return
        text = landing.line(record)
        if waiting.lines and (len(waiting.lines) >= MOST_RECORDS or waiting.bytes + len(text) > MOST_BYTES):
            self._write(at)
            waiting = self.waiting[at]
        waiting.lines.append(text)
        waiting.bytes += len(text)
        waiting.next = record.offset + 1

    def _write_what_is_full(self) -> None:
        while sum(waiting.bytes for waiting in self.waiting.values()) > MOST_HELD:
            self._write(max(self.waiting, key=lambda at: self.waiting[at].bytes))

    def _write(self, at) -> None:
        waiting = self.waiting[at]
        if not waiting.lines:
            return
        topic, partition = at
        self.place.put(topic, landing.name_of(partition, waiting.first, waiting.next), b"".join(waiting.lines))
        self.next[at], self.last[at] = waiting.next, landing.fingerprint(waiting.lines[-1])
        self.copied[topic] = self.copied.get(topic, 0) + len(waiting.lines)
        self.files += 1
        self.waiting[at] = Waiting(waiting.next)
        if time.monotonic() - self.told > TELL_EVERY_S:
            self.say(f"{time.strftime('%H:%M:%S')}  {self.told_so_far()} so far")
        self.look()

    def told_so_far(self) -> str:
        self.told = time.monotonic()
        if not self.files:
            return "nothing new"
        counts = ", ".join(f"{topic} {count}" for topic, count in self.copied.items())
        return f"{counts} records in {self.files} file{'' if self.files == 1 else 's'}"


def run(arguments, say) -> int:
    path = databricks.volume_path(arguments.to)
    topics = list(dict.fromkeys(name for given in arguments.topic for name in given.split(",") if name))
    with Patience() as patience:
        try:
            return _run(arguments, say, path, topics, patience)
        except Stopped:
            say("Stopped. The next start goes on from here.")
            return 0


def _run(arguments, say, path, topics, patience) -> int:
    limit = PATIENCE_ONCE_S if arguments.once else None
    if path:
        place = databricks.volume(path, arguments.host, arguments.token, limit, say, patience.wait)
    else:
        place = landing.Folder(arguments.to)
    reader, client = kafka_clients.reader(_target(arguments), arguments.client)
    bridge = Bridge(reader, place, topics, arguments.begin, say, patience.look)
    say(f"{', '.join(topics)} from {reader.target.address} to {place.root}, with {client}. Ctrl+C ends this.")
    try:
        begun, again = time.monotonic(), AGAIN_FIRST_S
        while True:
            round_begun = time.monotonic()
            try:
                bridge.round()
            except Away as reason:
                told = f"{reader.target.address} does not answer ({reason})"
                if limit is not None and time.monotonic() - begun + again > limit:
                    raise HttpError(f"{told}.", "`doctor` looks for the reason.") from reason
                say(f"{time.strftime('%H:%M:%S')}  {told}: trying again in {again:.0f} s")
                patience.wait(again)
                again = min(2 * again, AGAIN_LONGEST_S)
                continue
            again = AGAIN_FIRST_S
            say(f"{time.strftime('%H:%M:%S')}  {bridge.told_so_far()}")
            if arguments.once:
                return 0
            patience.wait(max(0.0, arguments.every - (time.monotonic() - round_begun)))
    finally:
        reader.close()


def _target(arguments) -> target.Target:
    """Where `join` was, unless another broker or a file with settings is named."""
    named = {"mechanism": None, "tls": False, "topic": None, "group": None}
    given = {name: getattr(arguments, name) for name in ("server", "config", "user", "password", "listener", "ca")}
    return target.choose(Namespace(address=arguments.broker, **given, **named))


def add_arguments(command) -> None:
    command.add_argument("--topic", action="append", required=True, metavar="TOPIC", help="what to copy; may be given several times")
    command.add_argument("--to", required=True, metavar="PLACE", help="a folder, or /Volumes/CATALOG/SCHEMA/VOLUME")
    command.add_argument("--every", type=_seconds, default=10.0, metavar="SECONDS", help="how often (10)")
    command.add_argument(
        "--from", dest="begin", choices=("earliest", "latest"), default="earliest", help="where to begin what was never copied (earliest)"
    )
    command.add_argument("--once", action="store_true", help="copy what there is now, then end")
    command.add_argument("--host", metavar="URL", help="the Databricks workspace; without it DATABRICKS_HOST")
    command.add_argument("--token", metavar="TOKEN", help="its token; better in DATABRICKS_TOKEN, where no list of processes shows it")
    command.add_argument("--client", choices=kafka_clients.CLIENTS, help="the Kafka client to use, where several are installed")
    command.add_argument("--broker", metavar="HOST:PORT", help="the broker; without it the one that you joined")
    command.add_argument("--listener", metavar="NAME", help="this listener of the server that you joined")
    command.add_argument("--config", metavar="FILE", help="settings of the connection: key=value lines, or a Python program")
    command.add_argument("--user", help="log in as this user")
    command.add_argument("--password", help="with this password")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 3600:
        raise ArgumentTypeError("0.5 to 3600 seconds")
    return seconds
