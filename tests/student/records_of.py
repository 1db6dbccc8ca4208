"""Writes records of all kinds into a topic, or tells what is in one: run by a Python that has confluent-kafka.

records_of.py write BROKER TOPIC COUNT SEED PAUSE    some hundred at a time, with a pause of so many seconds
records_of.py transact BROKER TOPIC                  transactions that are committed and aborted; the last one is left open for a minute
records_of.py read BROKER TOPIC                      a line of JSON for each record, as the bridge should have written it
"""

import base64
import datetime
import json
import random
import sys
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

ODD = [b"\xff\xfe\x00", b"", None, '\u00e4\u2028\n\r"\\'.encode(), b"\xed\xa0\x80", b'{"a": 1}', "\U0001f9a6".encode()]


def write(broker, topic, count, seed, pause):
    dice, producer = random.Random(int(seed)), Producer({"bootstrap.servers": broker, "linger.ms": 5})
    partitions = sorted(producer.list_topics(topic).topics[topic].partitions)
    for number in range(int(count)):
        value = dice.choice(ODD) if dice.random() < 0.2 else f"record {number} {'x' * dice.randrange(200)}".encode()
        key = dice.choice([b"k", None, b"\xff"]) if dice.random() < 0.3 else str(number).encode()
        headers = [("ticket", b"t"), ("bytes", b"\xfe"), ("none", None)] if dice.random() < 0.3 else None
        at = dice.choice([0, 1, 999, 1_700_000_000_123, 1_700_000_000_000 + number])
        producer.produce(topic, value, key, partition=dice.choice(partitions), timestamp=at, headers=headers)
        if number % 300 == 299:
            producer.flush()
            time.sleep(float(pause))
    producer.flush()


def transact(broker, topic):
    producer = Producer({"bootstrap.servers": broker, "transactional.id": topic, "transaction.timeout.ms": 60000})
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        for number in range(10):
            producer.produce(topic, f"{end.__name__} {number}", partition=0)
        producer.flush()
        end()
        print("ended", flush=True)
        if sys.stdin.readline() == "open\n":
            producer.begin_transaction()
            producer.produce(topic, "open", partition=0)
            producer.flush()
            print("open", flush=True)
            sys.stdin.readline()
            return


def told(name, data):
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(data).decode()}


def read(broker, topic):
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "direct", "enable.auto.commit": False, "enable.partition.eof": True})
    left = set(consumer.list_topics(topic).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in left])
    while left:
        message = consumer.poll(10)
        if message is None:
            sys.exit("nothing comes")
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(str(message.error()))
            left.discard(message.partition())
            continue
        at = datetime.datetime.fromtimestamp(message.timestamp()[1] // 1000, datetime.timezone.utc)
        found = {
            "topic": topic,
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{message.timestamp()[1] % 1000:03}Z",
            "headers": [{"key": name, **told("value", value)} for name, value in message.headers() or []],
            **told("key", message.key()),
            **told("value", message.value()),
        }
        print(json.dumps(found))
    consumer.close()


if __name__ == "__main__":
    {"write": write, "transact": transact, "read": read}[sys.argv[1]](*sys.argv[2:])
