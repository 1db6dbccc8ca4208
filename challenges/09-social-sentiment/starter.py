"""C9: what people say about the shop: filtered, with its sentiment, into a topic of your own.

Run it as it is: the "Run" button of VS Code, or `python c09.py`. It ends when it has read all records of its ticket.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import workshop

LEXICON = json.loads(Path(__file__).with_name("lexicon.json").read_text(encoding="utf-8"))
PRAISE, BLAME = set(LEXICON["praise"]), set(LEXICON["blame"])

# Which records the challenge is about, and the topic that takes the answer. You create that one yourself.
ticket = workshop.ticket("c09")
print(f"{ticket.length} records of {ticket.topic}; the answer goes to {ticket.results}")

consumer = Consumer({**workshop.confluent(), "group.id": workshop.group("c09"), "enable.auto.commit": False})
producer = Producer(
    {
        # Where the broker is and who you are: bootstrap.servers, security.protocol, sasl.*
        **workshop.confluent(),
        # Wait for the broker's answer to each record, and let none be there twice when one is sent again.
        "acks": "all",
        "enable.idempotence": True,
        # Which partition a key belongs to. librdkafka's own way differs from that of Java, Spark and kafka-python; with this one all of
        # them agree, and records of one post meet in one partition whoever wrote them.
        "partitioner": "murmur2_random",
        # Wait a little for more records: larger batches, fewer requests.
        "linger.ms": 20,
    }
)


def create_topic(name: str) -> None:
    """Three partitions, like the stream it is made from. There from the last run already: all the better."""
    admin = AdminClient(workshop.confluent())
    try:
        admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(timeout=10)
        print(f"created {name}")
    except KafkaException as reason:
        if reason.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise


def messages() -> Iterator[Message]:
    """The ticket's records, until the end of each partition's range."""
    consumer.assign([TopicPartition(ticket.topic, partition, start) for partition, (start, _) in ticket.ranges.items()])
    to_come = {partition: end for partition, (start, end) in ticket.ranges.items() if start < end}
    while to_come:
        message = consumer.poll(timeout=1.0)
        if message is None:
            continue  # nothing yet, not the end
        if message.error():
            print(f"broker: {message.error()}")
            continue
        end = to_come.get(message.partition())
        if end is None:
            continue  # behind the range: it came in the same batch
        if message.offset() < end:
            yield message
        if message.offset() >= end - 1:
            del to_come[message.partition()]


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


arrived, lost = 0, []


def delivered(error: Optional[KafkaError], message: Message) -> None:
    """librdkafka calls this for each record, from poll() and flush(): only now is it known what became of it."""
    global arrived
    if error:
        lost.append(f"{message.key()}: {error}")
    else:
        arrived += 1


def send(record: dict) -> None:
    workshop.todo("produce the record to ticket.results: with a key, the ticket's headers and on_delivery, as JSON")


# For the star: how often each hashtag was used, by windows of ten minutes of event time.
windows: dict = defaultdict(Counter)
labels: Counter = Counter()
create_topic(ticket.results)
try:
    for message in messages():
        record = processed(message.value())
        if record is None:
            continue
        send(record)
        labels[record["sentiment"]] += 1
        # For the star: count record["hashtags"] in windows["2026-11-23T10:40:00.000Z"], the window's start.
except KeyboardInterrupt:
    print("stopped: not all records were read")
finally:
    consumer.close()
    # To do: produce() only puts a record into a queue. What waits until the broker has all of them?

print(f"{arrived} records arrived, {len(lost)} were lost {lost[:3] or ''}")
print(", ".join(f"{count} {label}" for label, count in labels.most_common()))
ranking = [{"start": start, "top": [tag for tag, _ in counts.most_common(3)]} for start, counts in sorted(windows.items())]
for window in ranking:
    print(f"  {window['start'][11:16]}  {', '.join('#' + tag for tag in window['top'])}")

if ranking:
    workshop.submit("c09", ticket=ticket.nonce, windows=ranking)
else:
    workshop.check("c09")
