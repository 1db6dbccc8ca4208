"""kafka-python 2.0.2, 2.3 and 3.0: `client.py BOOTSTRAP SCENARIO PREFIX [STOP_FILE]`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

if sys.version_info >= (3, 12):
    try:  # 2.0.2 carries a `six` that these Pythons cannot import; later versions carry none
        import six.moves

        sys.modules["kafka.vendor.six.moves"] = six.moves
    except ImportError:
        pass

import kafka
import kafka.errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from scenarios import Client, Record, main
from verdict import Failed, NotSupported

VERSION = tuple(int(part) for part in kafka.__version__.split("."))
OLD = VERSION < (2, 1)
NEW = VERSION >= (3,)


def to_record(message):
    headers = tuple((name, value) for name, value in message.headers or ())
    return Record(message.partition, message.offset, message.key, message.value, headers, message.timestamp)


class Producer:
    def __init__(self, settings):
        self.client = kafka.KafkaProducer(**settings)
        self.failures = []
        if settings.get("transactional_id"):
            self.client.init_transactions()

    def send(self, topic, value, key=None, headers=(), partition=None, timestamp=None, on_ack=None):
        future = self.client.send(topic, value, key, list(headers), partition, timestamp)
        if on_ack is None:
            future.add_errback(self.failures.append)
        else:
            future.add_callback(lambda place: on_ack(place.partition, place.offset, None))
            future.add_errback(lambda error: on_ack(partition, None, repr(error)))

    def flush(self):
        self.client.flush(timeout=60)
        if self.failures:
            raise Failed(f"delivery failed: {self.failures[0]!r}")

    def close(self):
        self.flush()
        self.client.close(timeout=10)

    def begin(self):
        self.client.begin_transaction()

    def commit(self):
        self.client.commit_transaction()

    def abort(self):
        self.client.abort_transaction()


class Consumer:
    def __init__(self, settings, topic):
        self.client = kafka.KafkaConsumer(**settings)
        self.group = settings["group_id"]
        if topic:
            self.subscribe(topic)

    def subscribe(self, topic):
        self.client.subscribe([topic])

    def poll(self, seconds, most=500):
        if NEW and self.group:
            # 3.0.12 loses a join for good when poll() runs out of time between its answer and the next poll (seen against
            # Apache Kafka, one in ten fresh groups at 0.1 s); poll() returns with the first record anyway
            seconds = max(seconds, 1.0)
        try:
            batches = self.client.poll(timeout_ms=int(seconds * 1000), max_records=most)
        except kafka.errors.KafkaConnectionError:
            # 3.0 raises it, now and then, when the coordinator's connection is refused while the broker is down; it is retriable
            return []
        return [to_record(message) for batch in batches.values() for message in batch]

    def assignment(self):
        return {p.partition for p in self.client.assignment()}

    def commit(self):
        self.client.commit()

    def reached(self, ends):
        return all(self.client.position(p) >= ends[p.partition] for p in self.client.assignment())

    def close(self):
        self.client.close()


class KafkaPython(Client):
    cannot = {"kip848": "classic groups only"}
    if OLD:
        cannot.update(idempotent="no idempotence before 2.1", transactions="no transactions before 2.1", static="no static members before 2.1")
    if not NEW:
        cannot["cooperative"] = "no cooperative assignor before 3.0"

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.opened_admin = None

    @property
    def admin(self):
        if self.opened_admin is None:
            self.opened_admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self.opened_admin

    def producer(self, codec="none", idempotent=False, transactional_id=None):
        settings = {"bootstrap_servers": self.bootstrap, "acks": "all", "linger_ms": 20, "compression_type": None if codec == "none" else codec}
        if OLD:
            settings["retries"] = 1000
        elif transactional_id:
            settings["transactional_id"] = transactional_id
        else:
            settings["enable_idempotence"] = idempotent
        return Producer(settings)

    def consumer(self, group, topic, protocol="classic", auto_commit=True):
        settings = {"bootstrap_servers": self.bootstrap, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": auto_commit,
                    "session_timeout_ms": 10_000, "heartbeat_interval_ms": 500}
        if protocol == "cooperative":
            from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

            settings["partition_assignment_strategy"] = [CooperativeStickyAssignor]
        if protocol.startswith("static:"):
            settings["group_instance_id"] = protocol.partition(":")[2]
        return Consumer(settings, topic)

    def reader(self, topic, committed_only=False):
        settings = {"bootstrap_servers": self.bootstrap, "group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
        if committed_only:
            settings["isolation_level"] = "read_committed"
        reader = Consumer(settings, None)
        places = self.places(reader.client, topic)
        reader.client.assign(places)
        reader.client.seek_to_beginning(*places)
        return reader

    @staticmethod
    def places(consumer, topic):
        deadline = time.monotonic() + 20
        while not (partitions := consumer.partitions_for_topic(topic)):
            if time.monotonic() > deadline:
                raise Failed(f"no partitions of {topic} in 20 s")
            time.sleep(0.05)
        return [kafka.TopicPartition(topic, p) for p in sorted(partitions)]

    def end_offsets(self, topic):
        asker = kafka.KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None)
        try:
            return {p.partition: end for p, end in asker.end_offsets(self.places(asker, topic)).items()}
        finally:
            asker.close()

    def create_topic(self, topic, partitions, configs=None):
        self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs or {})])

    def delete_topic(self, topic):
        self.admin.delete_topics([topic])

    def list_topics(self):
        return set(self.admin.list_topics())

    def partition_count(self, topic):
        return len(self.admin.describe_topics([topic])[0]["partitions"])

    def create_partitions(self, topic, count):
        self.admin.create_partitions({topic: NewPartitions(count)})

    def topic_config(self, topic, name):
        if NEW:
            answer = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
            return answer["topic"][topic][name]["value"]
        (answer,) = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        (error_code, message, _, _, entries), *_ = answer.resources
        if error_code:
            raise Failed(f"describe configs answered {error_code} {message}")
        return {entry[0]: entry[1] for entry in entries}[name]

    def alter_topic_config(self, topic, name, value):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})])

    def offset_for_time(self, topic, partition, timestamp):
        place = kafka.TopicPartition(topic, partition)
        asker = kafka.KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None)
        try:
            found = asker.offsets_for_times({place: timestamp})[place]
            return found.offset if found else None
        finally:
            asker.close()

    def delete_records(self, topic, partition, offset):
        if OLD:
            raise NotSupported("delete records")
        self.admin.delete_records({kafka.TopicPartition(topic, partition): offset})

    def list_groups(self):
        if NEW:
            return {group["group_id"] for group in self.admin.list_groups()}
        return {group[0] for group in self.admin.list_consumer_groups()}

    def describe_group(self, group):
        if NEW:
            described = self.admin.describe_groups([group])[group]
            return described["group_state"].lower(), len(described["members"])
        described = self.admin.describe_consumer_groups([group])[0]
        return described.state.lower(), len(described.members)

    def delete_group(self, group):
        if NEW:
            self.admin.delete_groups([group])
        else:
            self.admin.delete_consumer_groups([group])


main(KafkaPython)
