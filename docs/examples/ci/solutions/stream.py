"""What the solutions share: the records of a ticket, and where an answer goes."""

import json

from confluent_kafka import Consumer, Producer, TopicPartition

import workshop


def events(ticket):
    """The ticket's records that are JSON, each partition up to the end of its range."""
    consumer = Consumer({**workshop.confluent(), "group.id": workshop.group(ticket.challenge), "enable.auto.commit": False})
    consumer.assign([TopicPartition(ticket.topic, partition, start) for partition, (start, _) in ticket.ranges.items()])
    ends = {partition: end for partition, (start, end) in ticket.ranges.items() if start < end}
    try:
        while ends:
            message = consumer.poll(1.0)
            if message is None or message.error() or message.partition() not in ends:
                continue
            end = ends[message.partition()]
            if message.offset() >= end - 1:
                del ends[message.partition()]
            if message.offset() < end:
                try:
                    yield json.loads(message.value())
                except ValueError:
                    pass  # some records are no JSON, on purpose
    finally:
        consumer.close()


class Answer:
    """Sends results under the ticket, and at the end waits until the broker has them."""

    def __init__(self, ticket):
        self.ticket, self.producer = ticket, Producer({**workshop.confluent(), "enable.idempotence": True})

    def send(self, **result):
        self.producer.produce(self.ticket.results, json.dumps(result), headers=self.ticket.headers)
        self.producer.poll(0)

    def close(self):
        self.producer.flush()
