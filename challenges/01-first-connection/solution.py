"""C1: connect to the broker and show the first 50 events of the shop.

Run it as it is: the "Run" button of VS Code, or `python c01.py`. Ctrl-C ends it.
"""

import json

from confluent_kafka import Consumer

import workshop

TOPIC = "ecommerce-events"
COUNT = 50

# Every run begins with a new ticket: what you read after this moment counts.
ticket = workshop.ticket("c01")

consumer = Consumer(
    {
        # Where the broker is and who you are: bootstrap.servers, security.protocol, sasl.*
        **workshop.confluent(),
        # The broker remembers for each group how far it has read.
        "group.id": workshop.group("c01"),
        ### BEGIN SOLUTION
        # A group that it does not remember begins with the oldest record. The default is "latest": only what comes from now on.
        "auto.offset.reset": "earliest",
        #> # To do: where does a group begin that the broker does not know yet? The setting is auto.offset.reset.
        ### END SOLUTION
        # The place is remembered every few seconds, and once more by close().
        "enable.auto.commit": True,
    }
)
consumer.subscribe([TOPIC])

records = []
try:
    while len(records) < COUNT:
        message = consumer.poll(timeout=1.0)
        if message is None:
            # Nothing within a second, not the end: a stream has no end. The first poll() takes longest, as the group has to form.
            print("waiting ...")
            continue
        ### BEGIN SOLUTION
        if message.error():
            # Not a record but news from the broker or the network. Most of it passes.
            print(f"broker: {message.error()}")
            continue
        try:
            # The value is bytes. json.loads takes them as UTF-8 and makes a dict of them.
            event = json.loads(message.value())
        except ValueError:
            # A few records are damaged on their way. Say so and go on: a stream has worse ones still to come.
            print(f"not JSON: {message.value()[:40]!r}...")
            continue
        records.append((message.partition(), message.offset(), event["event_id"]))
        what, price = event.get("event_type"), event.get("price")
        print(f"{len(records):3}  {message.partition()}-{message.offset():<8} {what:<17} {price!s:>9} USD  {event['timestamp']}")
        #> print(message.value())
        #> workshop.todo("make a dict of the value with json.loads, and append (partition, offset, event_id) to records")
        ### END SOLUTION
except KeyboardInterrupt:
    print("stopped")
finally:
    # Says goodbye to the group and commits. Without it the broker waits 45 seconds for a member that has gone.
    consumer.close()

workshop.submit("c01", ticket=ticket.nonce, records=records)
