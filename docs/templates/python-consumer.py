"""Reads a topic from its beginning and goes on until Ctrl+C.  python -m pip install confluent-kafka"""

import json
import os

from confluent_kafka import Consumer

# The connection. On your own machine the address is all; in a class also user and password, as joining showed them.
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
USER = os.environ.get("KAFKA_USER", "")
PASSWORD = os.environ.get("KAFKA_PASSWORD", "")
CA = os.environ.get("KAFKA_CA", "")  # the server's ca.pem, for the port with TLS (9093)
PROTOCOL = os.environ.get("KAFKA_PROTOCOL") or ("SASL_SSL" if CA else "SASL_PLAINTEXT" if USER else "PLAINTEXT")

TOPIC = "ecommerce-events"
GROUP = f"{USER or 'me'}-consumer"  # in a class it has to begin with your user

settings = {
    "bootstrap.servers": BOOTSTRAP,
    "security.protocol": PROTOCOL,
    "group.id": GROUP,
    "auto.offset.reset": "earliest",  # where a group begins that has never read; "latest" is only what comes from now on
    "error_cb": lambda error: print("connection:", error),
}
if USER:
    settings |= {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": USER, "sasl.password": PASSWORD}
if CA:
    settings["ssl.ca.location"] = CA

consumer = Consumer(settings)
consumer.subscribe([TOPIC])
broken = 0
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue  # nothing came within a second; it is not the end
        if message.error():
            print("record:", message.error())
            continue
        try:
            event = json.loads(message.value())
        except (TypeError, ValueError):
            broken += 1  # some records of the streams are no JSON, on purpose
            continue
        print(message.partition(), message.offset(), event.get("timestamp"), event.get("event_type"))
except KeyboardInterrupt:
    pass
finally:
    consumer.close()  # else the group waits 45 seconds for a member that is gone
    print(f"closed; {broken} records were no JSON")
