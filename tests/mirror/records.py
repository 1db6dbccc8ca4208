"""What a cluster holds, seen by a client: records, configs and what groups have committed."""

import bisect
import functools
import hashlib
import random
import time

from confluent_kafka import OFFSET_INVALID, Consumer, ConsumerGroupTopicPartitions, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LIMIT = 60


@functools.cache
def admin(address):
    # It outlives the broker, and would tell of it.
    return AdminClient({"bootstrap.servers": address, "log_level": 0})


def create(address, name, partitions, configs=None):
    admin(address).create_topics([NewTopic(name, partitions, 1, config=configs or {})])[name].result()
    for _ in range(100):
        if name in admin(address).list_topics(timeout=10).topics:
            return
        time.sleep(0.05)


def partitions_of(address, topic):
    return len(admin(address).list_topics(topic, timeout=10).topics[topic].partitions)


def topics_of(address):
    return sorted(name for name in admin(address).list_topics(timeout=10).topics if not name.startswith("_"))


def produce(address, topic, partition, records, **settings):
    """`records`: key, value, time, headers."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 20, "batch.size": 100_000, "log_level": 0, **settings})
    problems = []
    for key, value, stamp, headers in records:
        while True:
            try:
                producer.produce(topic, key=key, value=value, partition=partition, timestamp=stamp, headers=headers,
                                 on_delivery=lambda error, _: problems.append(error) if error else None)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(LIMIT)
    assert not left and not problems, (left, problems[:3])


def made(dice, count, first=0):
    """Records with keys, headers, empty and absent values, and times that do not only grow."""
    for n in range(first, first + count):
        key = dice.choice((None, b"", b"key-%d" % dice.randrange(50)))
        value = dice.choice((None, b"", b"%d " % n + dice.randbytes(dice.randrange(200))))
        headers = [(dice.choice(("a", "b", "trace-id")), dice.choice((None, b"", b"x" * dice.randrange(20)))) for _ in range(dice.choice((0, 0, 1, 3)))]
        yield key, value, 1_767_571_200_000 + n * 250 + dice.randrange(-2000, 2000), headers


def fill(address, topic, dice, count):
    """So many records into each partition, in batches of every codec."""
    share = count // len(CODECS)
    for partition in range(partitions_of(address, topic)):
        for at, codec in enumerate(CODECS):
            produce(address, topic, partition, made(dice, share, at * share), **{"compression.type": codec})


def transactions(address, topic, dice, count):
    """Every third one is aborted, the last one too."""
    producer = Producer({"bootstrap.servers": address, "transactional.id": f"test-{dice.random()}"})
    producer.init_transactions(LIMIT)
    for n in range(count):
        producer.begin_transaction()
        for key, value, stamp, headers in made(dice, dice.randrange(1, 8), n * 10):
            producer.produce(topic, key=key, value=value, partition=n % 2, timestamp=stamp, headers=headers)
        if n % 3 == 0 or n == count - 1:
            producer.flush(LIMIT)
            producer.abort_transaction(LIMIT)
        else:
            producer.commit_transaction(LIMIT)


def reader(address, isolation="read_committed"):
    return Consumer({"bootstrap.servers": address, "group.id": "test-reader", "enable.auto.commit": False, "auto.offset.reset": "earliest",
                     "enable.partition.eof": True, "isolation.level": isolation, "fetch.wait.max.ms": 20})


def read(address, topic, partition, offset=None, most=None, isolation="read_committed", into=None):
    """(key, value, headers, time) of each record from an offset on (the first one by default), up to the end. `into` gets their offsets."""
    consumer = reader(address, isolation)
    if offset is None:
        offset = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[0]
    consumer.assign([TopicPartition(topic, partition, offset)])
    found, heard = [], time.monotonic()
    try:
        while most is None or len(found) < most:
            message = consumer.poll(1.0)
            if message is None:
                assert time.monotonic() - heard < LIMIT, f"{topic}-{partition} cannot be read at {address}"
                continue
            heard = time.monotonic()
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    break
                raise AssertionError(message.error())
            if into is not None:
                into.append(message.offset())
            found.append((message.key(), message.value(), message.headers(), message.timestamp()))
    finally:
        consumer.close()
    return found


def contents(address, topic, isolation="read_committed"):
    """Count and hash of each partition."""
    each = (read(address, topic, partition, isolation=isolation) for partition in range(partitions_of(address, topic)))
    return [(len(records), hashlib.sha256(repr(records).encode()).hexdigest()) for records in each]


def overrides(address, topic):
    entries = next(iter(admin(address).describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values())).result()
    # 1: set on the topic itself
    return {name: entry.value for name, entry in entries.items() if int(entry.source) == 1}


def alter(address, topic, name, value):
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    next(iter(admin(address).incremental_alter_configs([resource]).values())).result()


def ends(address, topic):
    places = [TopicPartition(topic, partition) for partition in range(partitions_of(address, topic))]
    found = admin(address).list_offsets({place: OffsetSpec.latest() for place in places})
    return [found[place].result().offset for place in places]


def commit(address, group, places):
    """`places`: topic, partition, offset, metadata."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, partition, offset, metadata) for topic, partition, offset, metadata in places], asynchronous=False)
    consumer.close()


def committed(address, group):
    answer = admin(address).list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result()
    return {(place.topic, place.partition): (place.offset, place.metadata or "") for place in answer.topic_partitions if place.offset != OFFSET_INVALID}


def next_records(address, group):
    """What the group reads next in each partition, with the metadata of its offset."""
    return {place: (read(address, *place, offset=offset, most=1), metadata) for place, (offset, metadata) in committed(address, group).items()}


def holdings(address, topics, groups, isolation):
    """All that has to be the same at both ends, of topics that nobody writes to: records, configs, and what each group reads next."""
    found, offsets = {}, {}
    for place in [(topic, partition) for topic in topics for partition in range(partitions_of(address, topic))]:
        offsets[place] = []
        found[place] = read(address, *place, isolation=isolation, into=offsets[place])
    for group in groups:
        for place, (offset, metadata) in committed(address, group).items():
            found[group, *place] = (found[place][bisect.bisect_left(offsets[place], offset):][:1], metadata)
    return found | {topic: overrides(address, topic) for topic in topics}


def dice(seed):
    return random.Random(seed)
