"""C4: alerts for temperatures below 0 and above 40 degrees Celsius, and the average of each place.

Run it as it is: the "Run" button of VS Code, or `python c04.py`. It ends when it has read all records of its ticket.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, Optional

from confluent_kafka import Consumer, Message, Producer, TopicPartition

import workshop

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

consumer = Consumer(
    {
        # Where the broker is and who you are: bootstrap.servers, security.protocol, sasl.*
        **workshop.confluent(),
        # librdkafka wants a group even where nobody shares the work.
        "group.id": workshop.group("c04"),
        # The ticket says where to begin, so there is no place to remember.
        "enable.auto.commit": False,
    }
)
producer = Producer({**workshop.confluent(), "acks": "all", "enable.idempotence": True})


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


def reading_of(value: bytes) -> Optional[dict]:
    """A reading that counts, with `celsius`; None for everything else."""
    try:
        reading = json.loads(value)
    except ValueError:
        return None  # damaged on its way
    workshop.todo("keep temperatures that are readings, and set reading['celsius']: a few sensors report Fahrenheit, `unit` says so")


def send(result: dict) -> None:
    """The header names the ticket. Without it nobody knows which question this answers."""
    producer.produce(ticket.results, json.dumps(result), headers=ticket.headers)
    producer.poll(0)


readings: dict = defaultdict(list)  # by place
alerts = 0
try:
    for message in messages():
        reading = reading_of(message.value())
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
