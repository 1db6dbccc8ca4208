"""confluent-kafka (librdkafka): `client.py BOOTSTRAP SCENARIO PREFIX [STOP_FILE]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

import confluent_kafka as ck
from confluent_kafka import admin as ka
from scenarios import Client, Record, main
from verdict import Failed

WAIT = 20


def to_record(message):
    if message.error():
        raise Failed(f"consumer error: {message.error()}")
    headers = tuple(message.headers() or ())
    return Record(message.partition(), message.offset(), message.key(), message.value(), headers, message.timestamp()[1])


class Producer:
    def __init__(self, settings, transactional):
        self.client = ck.Producer(settings)
        if transactional:
            self.client.init_transactions(WAIT)

    def send(self, topic, value, key=None, headers=(), partition=-1, timestamp=0, on_ack=None):
        def delivered(error, message):
            if on_ack is not None:
                on_ack(message.partition(), message.offset(), str(error) if error else None)
            elif error:
                raise Failed(f"delivery failed: {error}")

        self.client.produce(topic, value, key, partition, on_delivery=delivered, timestamp=timestamp, headers=list(headers))
        self.client.poll(0)

    def flush(self):
        if self.client.flush(60):
            raise Failed("the producer could not deliver everything in 60 s")

    close = flush

    def begin(self):
        self.client.begin_transaction()

    def commit(self):
        self.client.commit_transaction(WAIT)

    def abort(self):
        self.client.abort_transaction(WAIT)


class Consumer:
    def __init__(self, settings, topic):
        self.client = ck.Consumer(settings)
        if topic:
            self.subscribe(topic)

    def subscribe(self, topic):
        self.client.subscribe([topic])

    def poll(self, seconds, most=500):
        # consume() waits until it has all it may take, so the first record is taken alone
        first = self.client.poll(seconds)
        return [to_record(m) for m in ([first] + self.client.consume(most - 1, 0) if most > 1 else [first])] if first else []

    def assignment(self):
        return {p.partition for p in self.client.assignment()}

    def commit(self):
        self.client.commit(asynchronous=False)

    def reached(self, ends):
        places = self.client.position([ck.TopicPartition(p.topic, p.partition) for p in self.client.assignment()])
        return all(place.offset >= ends[place.partition] or ends[place.partition] == 0 for place in places)

    def close(self):
        self.client.close()


class Confluent(Client):
    cannot = {} if ck.libversion()[1] >= 0x020C0000 else {"kip848": "the new group protocol is a preview before 2.12"}

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.admin = ka.AdminClient({"bootstrap.servers": bootstrap})

    def producer(self, codec="none", idempotent=False, transactional_id=None):
        settings = {"bootstrap.servers": self.bootstrap, "compression.type": codec, "linger.ms": 20, "enable.idempotence": idempotent}
        if transactional_id:
            settings["transactional.id"] = transactional_id
            del settings["enable.idempotence"]
        return Producer(settings, transactional_id)

    def consumer(self, group, topic, protocol="classic", auto_commit=True):
        settings = {"bootstrap.servers": self.bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": auto_commit}
        if protocol == "consumer":
            settings["group.protocol"] = "consumer"
        else:
            settings.update({"session.timeout.ms": 10_000, "heartbeat.interval.ms": 500})
        if protocol == "cooperative":
            settings["partition.assignment.strategy"] = "cooperative-sticky"
        if protocol.startswith("static:"):
            settings["group.instance.id"] = protocol.partition(":")[2]
        return Consumer(settings, topic)

    def reader(self, topic, committed_only=False):
        isolation = "read_committed" if committed_only else "read_uncommitted"
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused", "isolation.level": isolation,
                           "enable.auto.commit": False, "auto.offset.reset": "earliest"}, None)
        reader.client.assign([ck.TopicPartition(topic, p, 0) for p in range(self.partition_count(topic))])
        return reader

    def end_offsets(self, topic):
        asker = ck.Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused", "isolation.level": "read_uncommitted"})
        try:
            return {p: asker.get_watermark_offsets(ck.TopicPartition(topic, p), WAIT)[1] for p in range(self.partition_count(topic))}
        finally:
            asker.close()

    def create_topic(self, topic, partitions, configs=None):
        self.admin.create_topics([ka.NewTopic(topic, partitions, 1, config=configs or {})])[topic].result(WAIT)

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])[topic].result(WAIT)

    def list_topics(self):
        return set(self.admin.list_topics(timeout=WAIT).topics)

    def partition_count(self, topic):
        return len(self.admin.list_topics(topic, timeout=WAIT).topics[topic].partitions)

    def create_partitions(self, topic, count):
        self.admin.create_partitions([ka.NewPartitions(topic, count)])[topic].result(WAIT)

    def topic_config(self, topic, name):
        resource = ka.ConfigResource(ka.ConfigResource.Type.TOPIC, topic)
        return self.admin.describe_configs([resource])[resource].result(WAIT)[name].value

    def alter_topic_config(self, topic, name, value):
        entry = ka.ConfigEntry(name, value, incremental_operation=ka.AlterConfigOpType.SET)
        resource = ka.ConfigResource(ka.ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(WAIT)

    def offset_for_time(self, topic, partition, timestamp):
        asked = ck.TopicPartition(topic, partition)
        answer = self.admin.list_offsets({asked: ka.OffsetSpec.for_timestamp(timestamp)})[asked].result(WAIT)
        return None if answer.offset < 0 else answer.offset

    def delete_records(self, topic, partition, offset):
        for future in self.admin.delete_records([ck.TopicPartition(topic, partition, offset)]).values():
            future.result(WAIT)

    def list_groups(self):
        return {group.group_id for group in self.admin.list_consumer_groups().result(WAIT).valid}

    def describe_group(self, group):
        described = self.admin.describe_consumer_groups([group])[group].result(WAIT)
        return described.state.name.lower(), len(described.members)

    def delete_group(self, group):
        self.admin.delete_consumer_groups([group])[group].result(WAIT)


main(Confluent)
