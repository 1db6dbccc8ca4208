"""C9 with kafka-python: what people say about the shop: filtered, with its sentiment, into a topic of your own."""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

import workshop

# kafka-python tells what is wrong with a login in its log, and nowhere else.
logging.basicConfig(level=logging.ERROR)

LEXICON = json.loads(Path(__file__).with_name("lexicon.json").read_text(encoding="utf-8"))
PRAISE, BLAME = set(LEXICON["praise"]), set(LEXICON["blame"])

# Which records the challenge is about, and the topic that takes the answer. You create that one yourself.
ticket = workshop.ticket("c09")
print(f"{ticket.length} records of {ticket.topic}; the answer goes to {ticket.results}")

# No group: the ticket says where to begin, so there is no place to remember and nobody to share the work with.
consumer = KafkaConsumer(**workshop.kafka_python(), group_id=None)
producer = KafkaProducer(
    **workshop.kafka_python(),
    # Wait for the broker's answer to each record, and let none be there twice when one is sent again.
    acks="all",
    enable_idempotence=True,
    # Wait a little for more records: larger batches, fewer requests.
    linger_ms=20,
    # Which partition a key belongs to is decided as Java and Spark do it (murmur2). confluent-kafka has to be told to.
)


def create_topic(name: str) -> None:
    """Three partitions, like the stream it is made from. There from the last run already: all the better."""
    admin = KafkaAdminClient(**workshop.kafka_python())
    try:
        admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}})
        print(f"created {name}")
    except TopicAlreadyExistsError:
        pass
    finally:
        admin.close()


def messages() -> Iterator:
    """The ticket's records, until the end of each partition's range."""
    # assign() takes the partitions that you name; subscribe() would let a group share them out.
    consumer.assign([TopicPartition(ticket.topic, partition) for partition in ticket.ranges])
    for partition, (start, _) in ticket.ranges.items():
        consumer.seek(TopicPartition(ticket.topic, partition), start)
    to_come = {partition: end for partition, (start, end) in ticket.ranges.items() if start < end}
    while to_come:
        batches = consumer.poll(timeout_ms=1000)  # empty: nothing yet, not the end
        for message in (message for batch in batches.values() for message in batch):
            end = to_come.get(message.partition)
            if end is None:
                continue  # behind the range: it came in the same batch
            if message.offset < end:
                yield message
            if message.offset >= end - 1:
                del to_come[message.partition]


def sentiment(text: str) -> tuple[str, int]:
    """Words of praise less words of blame, and what the sign of that means."""
    workshop.todo("count the words of PRAISE and BLAME in the text; a word is a run of letters, in either case")


def processed(value: bytes) -> Optional[dict]:
    """What is written for an event; None for what is left out."""
    try:
        event = json.loads(value)
    except ValueError:
        return None  # damaged on its way
    workshop.todo("leave out likes, bots and empty texts")
    label, score = sentiment(event["content_preview"])
    return {
        "source_event_id": event["event_id"],
        "post_id": event["post_id"],
        "action_type": event["action_type"],
        "sentiment": label,
        "score": score,
        "hashtags": event["hashtags"],
        "timestamp": event["timestamp"],
    }


arrived, lost = [], []


def send(record: dict) -> None:
    workshop.todo("send the record to ticket.results: key and value as bytes, the ticket's headers; then add_callback and add_errback")


# For the star: how often each hashtag was used, by windows of ten minutes of event time.
windows: dict = defaultdict(Counter)
labels: Counter = Counter()
create_topic(ticket.results)
try:
    for message in messages():
        record = processed(message.value)
        if record is None:
            continue
        send(record)
        labels[record["sentiment"]] += 1
        # For the star: count record["hashtags"] in windows["2026-11-23T10:40:00.000Z"], the window's start.
except KeyboardInterrupt:
    print("stopped: not all records were read")
finally:
    consumer.close()
    # To do: send() only puts a record into a queue. What waits until the broker has all of them?

print(f"{len(arrived)} records arrived, {len(lost)} were lost {lost[:3] or ''}")
print(", ".join(f"{count} {label}" for label, count in labels.most_common()))
ranking = [{"start": start, "top": [tag for tag, _ in counts.most_common(3)]} for start, counts in sorted(windows.items())]
for window in ranking:
    print(f"  {window['start'][11:16]}  {', '.join('#' + tag for tag in window['top'])}")

if ranking:
    workshop.submit("c09", ticket=ticket.nonce, windows=ranking)
else:
    workshop.check("c09")
