"""C2: purchases over $500, with running totals, and a summary after every tenth.

Run it as it is: the "Run" button of VS Code, or `python c02.py`. It ends when it has read all records of its ticket.
"""

import json
from collections.abc import Iterator
from typing import Optional

from confluent_kafka import Consumer, Message, Producer, TopicPartition

import workshop

OVER = 500
EVERY = 10

# Which records the challenge is about: of each partition from an offset up to (not including) another. The last ones are yet to come.
ticket = workshop.ticket("c02")
print(f"{ticket.length} records of {ticket.topic}; the answer goes to {ticket.results}")

consumer = Consumer(
    {
        # Where the broker is and who you are: bootstrap.servers, security.protocol, sasl.*
        **workshop.confluent(),
        # librdkafka wants a group even where nobody shares the work.
        "group.id": workshop.group("c02"),
        # The ticket says where to begin, so there is no place to remember.
        "enable.auto.commit": False,
    }
)
producer = Producer(
    {
        **workshop.confluent(),
        # The broker has answered that it has the record: nothing is lost, and with this nothing is there twice.
        "acks": "all",
        "enable.idempotence": True,
    }
)


def messages() -> Iterator[Message]:
    """The ticket's records, until the end of each partition's range."""
    # assign() takes the partitions that you name; subscribe() would let the group share them out.
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


def revenue_of(value: bytes) -> Optional[int]:
    """What a purchase over $500 brings, in cents; None for everything else."""
    try:
        event = json.loads(value)
    except ValueError:
        return None  # damaged on its way
    ### BEGIN SOLUTION
    if event.get("event_type") != "purchase":
        return None
    price = event.get("price")
    if not isinstance(price, (int, float)):
        return None  # some prices are texts: no numbers, so not over $500 either
    if price <= OVER:
        return None  # "over" leaves 500.00 itself out
    # Cents are whole numbers. Sums of dollars as floats drift: 0.1 + 0.2 is not 0.3.
    return round(price * 100) * event["quantity"]
    #> workshop.todo("keep purchases with a price over $500, and return price times quantity in cents: round(price * 100) * quantity")
    ### END SOLUTION


def send(summary: dict) -> None:
    """The header names the ticket. Without it nobody knows which question this answers."""
    producer.produce(ticket.results, json.dumps(summary), headers=ticket.headers)
    producer.poll(0)  # lets librdkafka report what became of the records before


count, cents = 0, 0
try:
    for message in messages():
        revenue = revenue_of(message.value())
        if revenue is None:
            continue
        count, cents = count + 1, cents + revenue
        ### BEGIN SOLUTION
        if count % EVERY == 0:
            print(f"{count:5} purchases over ${OVER}   {cents / 100:14,.2f} USD")
            send({"n": count // EVERY, "count": count, "revenue": cents / 100})
        #> workshop.todo('after every tenth purchase: print count and revenue, and send({"n": 1, "count": 10, "revenue": 7311.50})')
        ### END SOLUTION
    print(f"{count:5} in all              {cents / 100:14,.2f} USD")
    send({"final": True, "count": count, "revenue": cents / 100})
except KeyboardInterrupt:
    print("stopped: not all records were read")
finally:
    consumer.close()
    ### BEGIN SOLUTION
    # produce() only puts a record into a queue. flush() waits until the broker has all of them.
    producer.flush()
    #> # To do: produce() only puts a record into a queue. What waits until the broker has all of them?
    ### END SOLUTION

workshop.check("c02")
