"""aiokafka: `client.py BOOTSTRAP SCENARIO PREFIX [STOP_FILE]`. One event loop in a thread, the scenarios wait for it."""

import asyncio
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from scenarios import Client, Record, main
from verdict import Failed, NotSupported

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def wait(coroutine, seconds=60):
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(seconds)


async def built(kind, *arguments, **settings):
    return kind(*arguments, **settings)


def to_record(message):
    return Record(message.partition, message.offset, message.key, message.value, tuple(message.headers or ()), message.timestamp)


def raise_errors(rows):
    for row in rows:
        if row[1]:
            raise Failed(f"{row[0]}: error {row[1]}")


class Producer:
    def __init__(self, settings):
        self.client = wait(built(aiokafka.AIOKafkaProducer, **settings))
        self.failures = []
        wait(self.client.start())

    def send(self, topic, value, key=None, headers=(), partition=None, timestamp=None, on_ack=None):
        def done(future):
            error = future.exception()
            if on_ack is None:
                if error:
                    self.failures.append(error)
            elif error:
                on_ack(partition, None, repr(error))
            else:
                on_ack(future.result().partition, future.result().offset, None)

        future = wait(self.client.send(topic, value, key=key, partition=partition, timestamp_ms=timestamp, headers=list(headers)))
        LOOP.call_soon_threadsafe(future.add_done_callback, done)

    def flush(self):
        wait(self.client.flush())
        if self.failures:
            raise Failed(f"delivery failed: {self.failures[0]!r}")

    def close(self):
        self.flush()
        wait(self.client.stop())

    def begin(self):
        wait(self.client.begin_transaction())

    def commit(self):
        wait(self.client.commit_transaction())

    def abort(self):
        wait(self.client.abort_transaction())


class Consumer:
    def __init__(self, settings, topic):
        self.client = wait(built(aiokafka.AIOKafkaConsumer, **settings))
        self.topic, self.started = topic, False

    def start(self):
        """aiokafka joins in start(), which therefore belongs to the time until the first record."""
        if not self.started:
            self.started = True
            if self.topic:
                self.client.subscribe([self.topic])
            wait(self.client.start())

    def subscribe(self, topic):
        self.topic = topic

    def poll(self, seconds, most=500):
        self.start()
        batches = wait(self.client.getmany(timeout_ms=int(seconds * 1000), max_records=most))
        return [to_record(message) for batch in batches.values() for message in batch]

    def assignment(self):
        return {p.partition for p in self.client.assignment()}

    def commit(self):
        wait(self.client.commit())

    def reached(self, ends):
        async def positions():
            return {p.partition: await self.client.position(p) for p in self.client.assignment()}

        return all(place >= ends[p] for p, place in wait(positions()).items())

    def close(self):
        wait(self.client.stop())


class Aiokafka(Client):
    cannot = {"kip848": "classic groups only", "cooperative": "no cooperative assignor"}

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.opened_admin = None

    @property
    def admin(self):
        if self.opened_admin is None:
            self.opened_admin = wait(built(AIOKafkaAdminClient, bootstrap_servers=self.bootstrap))
            wait(self.opened_admin.start())
        return self.opened_admin

    def producer(self, codec="none", idempotent=False, transactional_id=None):
        settings = {"bootstrap_servers": self.bootstrap, "linger_ms": 20, "acks": "all", "compression_type": None if codec == "none" else codec}
        if transactional_id:
            settings["transactional_id"] = transactional_id
        else:
            settings["enable_idempotence"] = idempotent
        return Producer(settings)

    def consumer(self, group, topic, protocol="classic", auto_commit=True):
        settings = {"bootstrap_servers": self.bootstrap, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": auto_commit,
                    "session_timeout_ms": 10_000, "heartbeat_interval_ms": 500}
        if protocol.startswith("static:"):
            settings["group_instance_id"] = protocol.partition(":")[2]
        return Consumer(settings, topic)

    def reader(self, topic, committed_only=False):
        isolation = "read_committed" if committed_only else "read_uncommitted"
        reader = Consumer({"bootstrap_servers": self.bootstrap, "enable_auto_commit": False, "auto_offset_reset": "earliest", "isolation_level": isolation}, None)
        reader.start()

        async def begin():
            places = [aiokafka.TopicPartition(topic, p) for p in range(partitions)]
            reader.client.assign(places)
            await reader.client.seek_to_beginning(*places)

        partitions = self.partition_count(topic)
        wait(begin())
        return reader

    def ask(self, question):
        async def asked():
            asker = aiokafka.AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
            await asker.start()
            try:
                return await question(asker)
            finally:
                await asker.stop()

        return wait(asked())

    def end_offsets(self, topic):
        places = [aiokafka.TopicPartition(topic, p) for p in range(self.partition_count(topic))]
        return {p.partition: end for p, end in self.ask(lambda asker: asker.end_offsets(places)).items()}

    def create_topic(self, topic, partitions, configs=None):
        raise_errors(wait(self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs or {})])).topic_errors)

    def delete_topic(self, topic):
        raise_errors(wait(self.admin.delete_topics([topic])).topic_error_codes)

    def list_topics(self):
        return set(wait(self.admin.list_topics()))

    def partition_count(self, topic):
        return len(wait(self.admin.describe_topics([topic]))[0]["partitions"])

    def create_partitions(self, topic, count):
        raise_errors(wait(self.admin.create_partitions({topic: NewPartitions(count)})).topic_errors)

    def topic_config(self, topic, name):
        (answer,) = wait(self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        (error_code, message, _, _, entries), *_ = answer.resources
        if error_code:
            raise Failed(f"describe configs answered {error_code} {message}")
        return {entry[0]: entry[1] for entry in entries}[name]

    def alter_topic_config(self, topic, name, value):
        for answer in wait(self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})])):
            raise_errors([(row[3], row[0]) for row in answer.resources])

    def offset_for_time(self, topic, partition, timestamp):
        place = aiokafka.TopicPartition(topic, partition)
        found = self.ask(lambda asker: asker.offsets_for_times({place: timestamp}))[place]
        return found.offset if found else None

    def delete_records(self, topic, partition, offset):
        wait(self.admin.delete_records({aiokafka.TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)}))

    def list_groups(self):
        return {group[0] for group in wait(self.admin.list_consumer_groups())}

    def describe_group(self, group):
        _, _, state, _, _, members, *_ = wait(self.admin.describe_consumer_groups([group]))[0].groups[0]
        return state.lower(), len(members)

    def delete_group(self, group):
        raise NotSupported("delete group")


main(Aiokafka)
