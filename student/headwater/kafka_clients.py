"""Reading topics with whichever Kafka client is installed. No group takes part: partitions are assigned by hand, nothing is committed.

A reader has `partitions(topic)`, `bounds(topic, partitions)` and `read(begin, ends)`; the last two speak of offsets by (topic, partition).
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
import sys
import time

from headwater import surroundings
from headwater.http import HttpError
from headwater.landing import Record
from headwater.target import Target
from headwater.wire import clean

CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka")
ANSWER_S = 15.0
SILENCE_S = 30.0
POLL_S = 0.5
AT_ONCE = 1000


class Away(Exception):
    """The broker does not answer now: it may again later."""


class Reader:
    def __init__(self, target: Target):
        self.target = target

    def partitions(self, topic: str) -> list:
        raise NotImplementedError

    def bounds(self, topic: str, partitions: list) -> dict:
        """By (topic, partition), the first offset that is left and the one after the last."""
        raise NotImplementedError

    def read(self, begin: dict, ends: dict):
        """Yields (records, position by (topic, partition)): what came, and up to where each of its partitions is read with it. Ends when
        all of them are at their end."""
        self.assign(begin)
        open_ones, last = set(begin), time.monotonic()
        try:
            while open_ones:
                records, positions, stopped = self.poll()
                open_ones -= {at for at in open_ones if positions.get(at, -1) >= ends[at]} | stopped
                if records or stopped:
                    last = time.monotonic()
                elif time.monotonic() - last > SILENCE_S:
                    raise Away("no record came in time")
                if records or positions:
                    yield records, positions
        finally:
            self.assign({})

    def assign(self, begin: dict) -> None:
        raise NotImplementedError

    def poll(self) -> tuple:
        """(records, positions, partitions that are to be left for this time)"""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def tls(self) -> ssl.SSLContext | None:
        if not self.target.tls:
            return None
        context = ssl.create_default_context(cafile=self.target.ca)
        context.check_hostname = self.target.check_name and self.target.verify
        if not self.target.verify:
            context.verify_mode = ssl.CERT_NONE
        return context

    @property
    def mechanism(self) -> str:
        return self.target.mechanism or "SCRAM-SHA-256"


class Confluent(Reader):
    def __init__(self, target: Target):
        super().__init__(target)
        self.library = importlib.import_module("confluent_kafka")
        self.told = ""
        settings = {
            "bootstrap.servers": target.address,
            "security.protocol": target.protocol,
            "client.id": "headwater-bridge",
            # The library asks for a name, though nobody joins a group here.
            "group.id": f"{target.group_prefix or 'headwater'}-bridge",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            "queued.max.messages.kbytes": 16384,
            "fetch.wait.max.ms": 100,
            "log_level": 0,
            "error_cb": self._complained,
        }
        if target.login:
            settings.update({"sasl.mechanism": self.mechanism, "sasl.username": target.user, "sasl.password": target.password})
        if target.tls:
            settings["ssl.endpoint.identification.algorithm"] = "https" if target.check_name else "none"
            settings["enable.ssl.certificate.verification"] = target.verify
            if target.ca:
                settings["ssl.ca.location"] = target.ca
        try:
            self.consumer = self.library.Consumer(settings)
        except self.library.KafkaException as reason:
            raise HttpError(f"confluent-kafka refuses the settings: {clean(_words(reason))}.", "`doctor` looks for the reason.") from reason

    def _complained(self, error):
        self.told = error.str()

    def _away(self, reason) -> Away:
        return Away(clean(self.told or _words(reason)))

    def partitions(self, topic):
        try:
            found = self.consumer.list_topics(topic, timeout=ANSWER_S).topics.get(topic)
        except self.library.KafkaException as reason:
            raise self._away(reason) from reason
        if found is None or found.error:
            if found is not None and found.error.retriable():
                raise Away(clean(found.error.str()))
            return []
        return sorted(found.partitions)

    def bounds(self, topic, partitions):
        found = {}
        for partition in partitions:
            wanted = self.library.TopicPartition(topic, partition)
            try:
                found[topic, partition] = self.consumer.get_watermark_offsets(wanted, timeout=ANSWER_S)
            except self.library.KafkaException as reason:
                raise self._away(reason) from reason
            if found[topic, partition] is None:
                raise Away("no answer in time")
        return found

    def assign(self, begin):
        self.told = ""
        if begin:
            self.consumer.assign([self.library.TopicPartition(topic, partition, at) for (topic, partition), at in begin.items()])
        else:
            self.consumer.unassign()

    def poll(self):
        records, positions, stopped = [], {}, set()
        try:
            messages = self.consumer.consume(AT_ONCE, POLL_S)
        except self.library.KafkaException as reason:
            raise self._away(reason) from reason
        for message in messages:
            at, error = (message.topic(), message.partition()), message.error()
            if not error:
                kind, milliseconds = message.timestamp()
                when = milliseconds if kind else -1
                records.append(Record(*at, message.offset(), when, message.key(), message.value(), message.headers() or []))
                positions[at] = message.offset() + 1
            elif error.code() == self.library.KafkaError._PARTITION_EOF:
                # behind the last record there may be marks of transactions
                positions[at] = max(positions.get(at, 0), message.offset() or 0)
                stopped.add(at)
            elif error.code() == self.library.KafkaError._AUTO_OFFSET_RESET:
                stopped.add(at)  # the next look at the bounds says why
            elif not error.retriable():
                raise Away(clean(error.str()))
        return records, positions, stopped

    def close(self):
        self.consumer.close()


class KafkaPython(Reader):
    def __init__(self, target: Target):
        super().__init__(target)
        self.library = importlib.import_module("kafka")
        self.errors = importlib.import_module("kafka.errors")
        self.consumer = None

    def _consumer(self):
        if self.consumer is None:
            settings = {
                "bootstrap_servers": self.target.address,
                "security_protocol": self.target.protocol,
                "client_id": "headwater-bridge",
                "group_id": None,
                "enable_auto_commit": False,
                "auto_offset_reset": "none",
                "allow_auto_create_topics": False,
                "isolation_level": "read_committed",
                "max_poll_records": AT_ONCE,
                "fetch_max_wait_ms": 100,
                "request_timeout_ms": int(ANSWER_S * 1000),
                "bootstrap_timeout_ms": int(ANSWER_S * 1000),
                "ssl_context": self.tls(),
            }
            if self.target.login:
                settings.update(
                    sasl_mechanism=self.mechanism, sasl_plain_username=self.target.user, sasl_plain_password=self.target.password
                )
            known = self.library.KafkaConsumer.DEFAULT_CONFIG
            try:
                self.consumer = self.library.KafkaConsumer(**{name: value for name, value in settings.items() if name in known})
            except self.errors.KafkaError as reason:
                raise Away(clean(_words(reason))) from reason
        return self.consumer

    def _asked(self, question):
        try:
            return question()
        except self.errors.KafkaError as reason:
            raise Away(clean(_words(reason))) from reason

    def partitions(self, topic):
        return sorted(self._asked(lambda: self._consumer().partitions_for_topic(topic)) or [])

    def bounds(self, topic, partitions):
        wanted = [self.library.TopicPartition(topic, partition) for partition in partitions]
        low = self._asked(lambda: self._consumer().beginning_offsets(wanted))
        high = self._asked(lambda: self._consumer().end_offsets(wanted))
        return {(topic, one.partition): (low[one], high[one]) for one in wanted}

    def assign(self, begin):
        self.assigned = {self.library.TopicPartition(*at): offset for at, offset in begin.items()}
        self.consumer.assign(list(self.assigned))
        for partition, offset in self.assigned.items():
            self.consumer.seek(partition, offset)

    def poll(self):
        try:
            return _found(self.consumer.poll(timeout_ms=int(POLL_S * 1000)), self._positions())
        except self.errors.OffsetOutOfRangeError:
            return [], {}, {(one.topic, one.partition) for one in self.assigned}
        except self.errors.KafkaError as reason:
            raise Away(clean(_words(reason))) from reason

    def _positions(self):
        return {(one.topic, one.partition): self.consumer.position(one) for one in self.assigned}

    def close(self):
        if self.consumer is not None:
            self.consumer.close()


class Aiokafka(Reader):
    def __init__(self, target: Target):
        super().__init__(target)
        self.library = importlib.import_module("aiokafka")
        self.errors = importlib.import_module("aiokafka.errors")
        self.loop = asyncio.new_event_loop()
        self.consumer = None

    def _asked(self, question):
        async def answer():
            return await asyncio.wait_for(question(await self._consumer()), ANSWER_S)

        try:
            return self.loop.run_until_complete(answer())
        except (self.errors.KafkaError, asyncio.TimeoutError) as reason:
            raise Away(clean(_words(reason))) from reason

    async def _consumer(self):
        if self.consumer is None:
            login = {}
            if self.target.login:
                login = {
                    "sasl_mechanism": self.mechanism,
                    "sasl_plain_username": self.target.user,
                    "sasl_plain_password": self.target.password,
                }
            consumer = self.library.AIOKafkaConsumer(
                bootstrap_servers=self.target.address,
                security_protocol=self.target.protocol,
                client_id="headwater-bridge",
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                fetch_max_wait_ms=100,
                ssl_context=self.tls(),
                **login,
            )
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self.consumer = consumer
        return self.consumer

    def partitions(self, topic):
        async def ask(consumer):
            # partitions_for_topic() of the consumer knows only the topics that are assigned to it
            return sorted((await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or [])

        return self._asked(ask)

    def bounds(self, topic, partitions):
        wanted = [self.library.TopicPartition(topic, partition) for partition in partitions]

        async def ask(consumer):
            return await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)

        low, high = self._asked(ask)
        return {(topic, one.partition): (low[one], high[one]) for one in wanted}

    def assign(self, begin):
        self.assigned = {self.library.TopicPartition(*at): offset for at, offset in begin.items()}

        async def ask(consumer):
            if not self.assigned:
                consumer.unsubscribe()
                return
            consumer.assign(list(self.assigned))
            for partition, offset in self.assigned.items():
                consumer.seek(partition, offset)

        self._asked(ask)

    def poll(self):
        async def ask(consumer):
            found = await consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=AT_ONCE)
            return found, {(one.topic, one.partition): await consumer.position(one) for one in self.assigned}

        try:
            return _found(*self._asked(ask))
        except Away as reason:
            if isinstance(reason.__cause__, self.errors.OffsetOutOfRangeError):
                return [], {}, {(one.topic, one.partition) for one in self.assigned}
            raise

    def close(self):
        if self.consumer is not None:
            self.loop.run_until_complete(self.consumer.stop())
        self.loop.close()


def _found(fetched, positions):
    records = [
        Record(
            at.topic, at.partition, one.offset, one.timestamp if one.timestamp_type in (0, 1) else -1, one.key, one.value, list(one.headers)
        )
        for at, found in fetched.items()
        for one in found
    ]
    return records, positions, set()


def _words(reason) -> str:
    error = reason.args[0] if reason.args else None
    return error.str() if hasattr(error, "str") else str(reason) or type(reason).__name__


KINDS = {"confluent-kafka": Confluent, "kafka-python": KafkaPython, "aiokafka": Aiokafka}


def reader(target: Target, wanted: str | None = None) -> tuple:
    """(reader, the client's name and version) of the client that was asked for, or of the first that is installed and can be loaded."""
    if target.login and not (target.user and target.password):
        raise HttpError(
            f"{target.address} wants a login, and the password is not known here.", "Type: new-password (it makes another, and keeps it)"
        )
    broken = ""
    for name in (wanted,) if wanted else CLIENTS:
        version = surroundings.installed(name)
        if version is None:
            continue
        try:
            return KINDS[name](target), f"{name} {version}"
        except ImportError as reason:
            broken = f" ({name} {version} cannot be loaded: {clean(str(reason))})"
    what = f"{wanted} is not installed" if wanted else "No Kafka client is installed"
    raise HttpError(
        f"{what} in this Python, {sys.executable}{broken}.",
        f"{_quoted(sys.executable)} -m pip install {wanted or 'confluent-kafka'}"
        + ("" if wanted else "    (kafka-python where there is no ready-made one)"),
    )


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
