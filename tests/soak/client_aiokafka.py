"""aiokafka as `worker.py` wants it: one event loop in a thread, and calls that wait for it."""

import asyncio
import concurrent.futures
import logging
import threading

import aiokafka
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OffsetOutOfRangeError

# A stop() that waits for a task which was cancelled meanwhile is cancelled with it.
ERRORS = (KafkaError, TimeoutError, OSError, asyncio.CancelledError, concurrent.futures.CancelledError)
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


class Listening(logging.Handler):
    """aiokafka tells of lost connections in its log only."""

    trouble = None

    def emit(self, record):
        if Listening.trouble:
            Listening.trouble(record.getMessage()[:100])


logging.getLogger("aiokafka").addHandler(Listening(logging.WARNING))


def wait(coroutine, seconds=90):
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(seconds)


def is_offset_reset(error):
    return isinstance(error, OffsetOutOfRangeError)


async def begun(client):
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client


async def started(kind, **settings):
    """aiokafka's clients want to be made within the loop."""
    return await begun(kind(**settings))


class Producer:
    def __init__(self, settings, dice, trouble):
        Listening.trouble, self.failed = trouble, False
        self.client = wait(started(
            aiokafka.AIOKafkaProducer, bootstrap_servers=settings["address"], enable_idempotence=settings["idempotent"], acks="all",
            linger_ms=dice.choice((0, 5, 50)), compression_type=dice.choice((None, "gzip")), retry_backoff_ms=50,
            request_timeout_ms=30_000))

    async def hand_over(self, topic, partition, key, value, done):
        def delivered(future):
            error = None if future.cancelled() else future.exception()
            if error is None and not future.cancelled():
                done("ok", future.result().offset, None)
            else:
                self.failed = True
                done("fail" if isinstance(error, MessageSizeTooLargeError) else "info", None, repr(error))

        (await self.client.send(topic, value, key=key, partition=partition)).add_done_callback(delivered)

    def send(self, topic, partition, key, value, done):
        try:
            wait(self.hand_over(topic, partition, key, value, done))
        except ERRORS as error:
            self.failed = True
            done("info", None, repr(error))

    def serve(self, seconds):
        wait(asyncio.sleep(seconds))

    def close(self, seconds):
        try:
            wait(self.client.stop(), seconds or 2)
        except ERRORS:
            pass  # what was not answered is unknown


class Changes(aiokafka.ConsumerRebalanceListener):
    def __init__(self):
        self.count = 0

    def on_partitions_revoked(self, revoked):
        self.count += 1

    def on_partitions_assigned(self, assigned):
        self.count += 1


class Consumer:
    def __init__(self, settings, trouble):
        Listening.trouble, self.changes = trouble, Changes()
        self.settings = {"bootstrap_servers": settings["address"], "group_id": settings["group"], "enable_auto_commit": False,
                         "auto_offset_reset": "earliest" if settings["group"] else "none", "session_timeout_ms": 6000,
                         "heartbeat_interval_ms": 500, "fetch_max_wait_ms": 100, "request_timeout_ms": 30_000, "retry_backoff_ms": 50,
                         "partition_assignment_strategy": [RangePartitionAssignor]}
        self.client = None

    async def begin(self, topics):
        self.client = aiokafka.AIOKafkaConsumer(**self.settings)
        if topics:
            self.client.subscribe(topics, listener=self.changes)
        await begun(self.client)

    def assign(self, offsets):
        wait(self.begin(None))
        places = {aiokafka.TopicPartition(*place): offset for place, offset in offsets.items()}

        async def at():
            self.client.assign(list(places))
            for place, offset in places.items():
                self.client.seek(place, offset)

        wait(at())

    def subscribe(self, topics):
        wait(self.begin(topics))

    async def some(self, seconds):
        before = self.changes.count
        batches = await self.client.getmany(timeout_ms=int(seconds * 1000), max_records=500)
        return [(m.topic, m.partition, m.offset, m.value) for batch in batches.values() for m in batch], before, self.changes.count

    def poll(self, seconds):
        return wait(self.some(seconds))

    def commit(self, offsets):
        wait(self.client.commit({aiokafka.TopicPartition(*place): offset for place, offset in offsets.items()}))

    def close(self):
        if self.client:
            try:
                wait(self.client.stop(), 30)
            except ERRORS:
                pass
