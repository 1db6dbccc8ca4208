"""C1: the first fifty events of the shop."""

import json

from confluent_kafka import Consumer

import workshop

ticket = workshop.ticket("c01")
consumer = Consumer({**workshop.confluent(), "group.id": workshop.group("c01"), "auto.offset.reset": "earliest"})
consumer.subscribe(["ecommerce-events"])
records = []
try:
    while len(records) < 50:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        try:
            event = json.loads(message.value())
        except ValueError:
            continue  # some records are no JSON, on purpose
        records.append((message.partition(), message.offset(), event["event_id"]))
        print(event["timestamp"], event["event_type"], event["event_id"])
finally:
    consumer.close()

workshop.submit("c01", ticket=ticket.nonce, records=records)
