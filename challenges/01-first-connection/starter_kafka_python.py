"""C1 with kafka-python: connect to the broker and show the first 50 events of the shop."""

import json
import logging

from kafka import KafkaConsumer

import workshop

TOPIC = "ecommerce-events"
COUNT = 50

# kafka-python tells what is wrong with a login in its log, and nowhere else.
logging.basicConfig(level=logging.ERROR)

# Every run begins with a new ticket: what you read after this moment counts.
ticket = workshop.ticket("c01")

consumer = KafkaConsumer(
    TOPIC,
    # Where the broker is and who you are: bootstrap_servers, security_protocol, sasl_*
    **workshop.kafka_python(),
    # The broker remembers for each group how far it has read.
    group_id=workshop.group("c01"),
    # To do: where does a group begin that the broker does not know yet? The setting is auto_offset_reset.
    # The place is remembered every few seconds, and once more by close().
    enable_auto_commit=True,
)

records = []
try:
    while len(records) < COUNT:
        # A dict of lists, by partition; empty if nothing came within a second. That is not the end: a stream has no end.
        batches = consumer.poll(timeout_ms=1000, max_records=COUNT - len(records))
        if not batches:
            print("waiting ...")
        for message in (message for batch in batches.values() for message in batch):
            print(message.value)
            workshop.todo("make a dict of the value with json.loads, and append (partition, offset, event_id) to records")
except KeyboardInterrupt:
    print("stopped")
finally:
    # Says goodbye to the group and commits.
    consumer.close()

workshop.submit("c01", ticket=ticket.nonce, records=records)
