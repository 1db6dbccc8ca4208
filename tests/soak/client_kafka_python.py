"""kafka-python as `worker.py` wants it."""

import logging
import time

import kafka
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError, MessageSizeTooLargeError, OffsetOutOfRangeError

ERRORS = (KafkaError, OSError)


class Listening(logging.Handler):
    """kafka-python tells of lost connections in its log only."""

    trouble = None

    def emit(self, record):
        if Listening.trouble:
            Listening.trouble(record.getMessage()[:100])


logging.getLogger("kafka").addHandler(Listening(logging.WARNING))
QUICK = {"reconnect_backoff_ms": 20, "reconnect_backoff_max_ms": 500, "retry_backoff_ms": 50}


def is_offset_reset(error):
    return isinstance(error, OffsetOutOfRangeError) or "NoOffsetForPartition" in repr(error)


class Producer:
    def __init__(self, settings, dice, trouble):
        Listening.trouble, self.failed = trouble, False
        self.client = kafka.KafkaProducer(bootstrap_servers=settings["address"], acks="all", enable_idempotence=settings["idempotent"],
                                          linger_ms=dice.choice((0, 5, 50)), compression_type=dice.choice((None, "gzip", "lz4")), **QUICK)

    def send(self, topic, partition, key, value, done):
        def refused(error):
            self.failed = True
            done("fail" if isinstance(error, MessageSizeTooLargeError) else "info", None, repr(error))

        try:
            future = self.client.send(topic, value, key, None, partition)
        except ERRORS as error:
            refused(error)
            return
        future.add_callback(lambda place: done("ok", place.offset, None))
        future.add_errback(refused)

    def serve(self, seconds):
        time.sleep(seconds)

    def close(self, seconds):
        self.client.close(timeout=seconds)


class Consumer(kafka.ConsumerRebalanceListener):
    def __init__(self, settings, trouble):
        Listening.trouble, self.generation = trouble, 0
        self.client = kafka.KafkaConsumer(
            bootstrap_servers=settings["address"], group_id=settings["group"], enable_auto_commit=False, session_timeout_ms=6000,
            heartbeat_interval_ms=500, fetch_max_wait_ms=100, auto_offset_reset="earliest" if settings["group"] else "none",
            partition_assignment_strategy=[RangePartitionAssignor], **QUICK)
        # Its 3.0.12 loses a join for good when poll() runs out of time between the join's answer and the next poll.
        self.least = 1.0 if settings["group"] else 0.0

    def assign(self, offsets):
        places = {kafka.TopicPartition(*place): offset for place, offset in offsets.items()}
        self.client.assign(list(places))
        for place, offset in places.items():
            self.client.seek(place, offset)

    def subscribe(self, topics):
        self.client.subscribe(topics, listener=self)

    def on_partitions_assigned(self, assigned):
        self.generation += 1

    def on_partitions_revoked(self, revoked):
        self.generation += 1

    def poll(self, seconds):
        before = self.generation
        batches = self.client.poll(timeout_ms=int(max(seconds, self.least) * 1000), max_records=500)
        records = [(m.topic, m.partition, m.offset, m.value) for batch in batches.values() for m in batch]
        return records, before, self.generation

    def commit(self, offsets):
        self.client.commit({kafka.TopicPartition(*place): kafka.OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()})

    def close(self):
        self.client.close()
