"""confluent-kafka as `worker.py` wants it."""

import time

import confluent_kafka as ck

ERRORS = (ck.KafkaException, BufferError)
# Errors after which the record is certainly not in the log.
REFUSED = {ck.KafkaError.MSG_SIZE_TOO_LARGE, ck.KafkaError.INVALID_MSG, ck.KafkaError.INVALID_RECORD}
QUICK = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 500, "retry.backoff.ms": 20, "retry.backoff.max.ms": 500}

# When a record times out, librdkafka takes a new epoch and sends what followed it again, though it may be in the log already
# (no broker can tell). So an idempotent producer waits for longer than any run of faults.
NEVER = 600_000


def is_offset_reset(error):
    return error.args and isinstance(error.args[0], ck.KafkaError) and error.args[0].code() in (
        ck.KafkaError._AUTO_OFFSET_RESET, ck.KafkaError.OFFSET_OUT_OF_RANGE)


class Producer:
    def __init__(self, settings, dice, trouble):
        self.failed, self.trouble = False, trouble
        own = {"enable.idempotence": True, "linger.ms": dice.choice((0, 5, 50)), "batch.size": 100_000,
               "compression.type": dice.choice(("none", "gzip", "snappy", "lz4", "zstd")), "delivery.timeout.ms": NEVER}
        if not settings["idempotent"]:
            # Every answer is told, and nothing is sent twice.
            own.update({"enable.idempotence": False, "retries": 0, "max.in.flight": 1, "compression.type": "none",
                        "delivery.timeout.ms": 8000})
        self.client = ck.Producer({
            "bootstrap.servers": settings["address"], "acks": "all", "log_level": 0, **QUICK, **own, "error_cb": self.on_error})

    def on_error(self, error):
        self.trouble(error.name())
        self.failed |= error.fatal()

    def send(self, topic, partition, key, value, done):
        def delivered(error, message):
            if error is None:
                done("ok", message.offset(), None)
            else:
                done("fail" if error.code() in REFUSED else "info", None, error.name())

        try:
            self.client.produce(topic, value, key, partition, on_delivery=delivered)
        except BufferError as error:
            done("fail", None, repr(error))
        except ck.KafkaException as error:
            done("info", None, repr(error))
            self.failed = True

    def serve(self, seconds):
        self.client.poll(seconds)

    def close(self, seconds):
        if not seconds:
            self.client.purge()
        self.client.flush(seconds or 2)


class Consumer:
    def __init__(self, settings, trouble):
        self.generation = 0
        self.client = ck.Consumer({
            "bootstrap.servers": settings["address"], "group.id": settings["group"] or "nobody", "enable.auto.commit": False,
            "auto.offset.reset": "earliest" if settings["group"] else "error", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
            "partition.assignment.strategy": "range", "fetch.wait.max.ms": 100, "log_level": 0, **QUICK,
            "error_cb": lambda error: trouble(error.name())})

    def assign(self, offsets):
        self.client.assign([ck.TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()])

    def subscribe(self, topics):
        self.client.subscribe(topics, on_assign=self.changed, on_revoke=self.changed, on_lost=self.changed)

    def changed(self, *_):
        self.generation += 1

    def poll(self, seconds):
        """One at a time, so that a rebalance ends what is returned together."""
        records, before, end = [], self.generation, time.monotonic() + seconds
        while len(records) < 500:
            message = self.client.poll(0 if records else max(0.0, end - time.monotonic()))
            if message is None:
                break
            if message.error():
                raise ck.KafkaException(message.error())
            records.append((message.topic(), message.partition(), message.offset(), message.value()))
            if self.generation != before:
                break
        return records, before, self.generation

    def commit(self, offsets):
        places = [ck.TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        for place in self.client.commit(offsets=places, asynchronous=False):
            if place.error:
                raise ck.KafkaException(place.error)

    def close(self):
        self.client.close()
