"""C4 with kafka-python: alerts for temperatures below 0 and above 40 degrees Celsius, and the average of each place."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, Optional

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

import workshop

# kafka-python tells what is wrong with a login in its log, and nowhere else.
logging.basicConfig(level=logging.ERROR)

# What a sensor says when it has nothing to say.
NO_READING = -999


class Rule(NamedTuple):
    """A reading outside of these is an alert; the bounds themselves are not."""

    below: float
    above: float


# Sensors of another type get another row here. Those without one are not watched.
RULES = {"temperature": Rule(below=0, above=40)}

# Which records the challenge is about: of each partition from an offset up to (not including) another. The last ones are yet to come.
ticket = workshop.ticket("c04")
print(f"{ticket.length} records of {ticket.topic}; the answer goes to {ticket.results}")

# No group: the ticket says where to begin, so there is no place to remember and nobody to share the work with.
consumer = KafkaConsumer(**workshop.kafka_python(), group_id=None)
# The broker has answered that it has the record: nothing is lost, and with this nothing is there twice.
producer = KafkaProducer(**workshop.kafka_python(), acks="all", enable_idempotence=True)


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


def reading_of(value: bytes) -> Optional[dict]:
    """A reading that counts, with `celsius`; None for everything else."""
    try:
        reading = json.loads(value)
    except ValueError:
        return None  # damaged on its way
    workshop.todo("keep temperatures that are readings, and set reading['celsius']: a few sensors report Fahrenheit, `unit` says so")


def send(result: dict) -> None:
    """The header names the ticket. Without it nobody knows which question this answers."""
    producer.send(ticket.results, json.dumps(result).encode(), headers=ticket.headers)


readings: dict = defaultdict(list)  # by place
alerts = 0
try:
    for message in messages():
        reading = reading_of(message.value)
        if reading is None:
            continue
        workshop.todo("keep the reading for its place, and send an alert if it is below or above its rule's bounds")

    averages = {}  # To do: {"Helsinki": 6.12, ...}
    print(f"\n{alerts} alerts")
    for place, average in sorted(averages.items()):
        print(f"  {place:<12} {average:7.2f} C on average of {len(readings[place])} readings")
    send({"final": True, "averages": {place: round(average, 3) for place, average in averages.items()}})
except KeyboardInterrupt:
    print("stopped: not all records were read")
finally:
    consumer.close()
    producer.flush()  # waits until the broker has all of them

workshop.check("c04")
