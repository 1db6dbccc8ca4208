"""Writes ten records into a topic of your own and says which arrived.  python -m pip install confluent-kafka"""

import json
import os
import time

from confluent_kafka import Producer

# The connection. On your own machine the address is all; in a class also user and password, as joining showed them.
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
USER = os.environ.get("KAFKA_USER", "")
PASSWORD = os.environ.get("KAFKA_PASSWORD", "")
CA = os.environ.get("KAFKA_CA", "")  # the server's ca.pem, for the port with TLS (9093)
PROTOCOL = os.environ.get("KAFKA_PROTOCOL") or ("SASL_SSL" if CA else "SASL_PLAINTEXT" if USER else "PLAINTEXT")

TOPIC = f"ws.{USER or 'me'}.play"  # in a class your topics begin with ws.USER.

settings = {
    "bootstrap.servers": BOOTSTRAP,
    "security.protocol": PROTOCOL,
    "enable.idempotence": True,  # a record that is sent again is kept once
    "error_cb": lambda error: print("connection:", error),
}
if USER:
    settings |= {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": USER, "sasl.password": PASSWORD}
if CA:
    settings["ssl.ca.location"] = CA

delivered = 0


def arrived(error, message):
    global delivered
    if error:
        print("not delivered:", error)
    else:
        delivered += 1
        print("partition", message.partition(), "offset", message.offset())


producer = Producer(settings)
for number in range(10):
    event = {"number": number, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    # Records of one key go to one partition and stay in order.
    producer.produce(TOPIC, key=f"k-{number % 3}", value=json.dumps(event).encode(), on_delivery=arrived)
    producer.poll(0)  # lets arrived() be called
left = producer.flush(30)  # without it the program ends before the records have left
print(f"{delivered} delivered to {TOPIC}, {left} still waiting")
