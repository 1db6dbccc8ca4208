"""Reads a topic from its beginning and goes on until Ctrl+C, in pure Python.  python -m pip install "kafka-python>=3" """

import json
import logging
import os

from kafka import KafkaConsumer

# The connection. On your own machine the address is all; in a class also user and password, as joining showed them.
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:9092")
USER = os.environ.get("KAFKA_USER", "")
PASSWORD = os.environ.get("KAFKA_PASSWORD", "")
CA = os.environ.get("KAFKA_CA", "")  # the server's ca.pem, for the port with TLS (9093)
PROTOCOL = os.environ.get("KAFKA_PROTOCOL") or ("SASL_SSL" if CA else "SASL_PLAINTEXT" if USER else "PLAINTEXT")

TOPIC = "ecommerce-events"
GROUP = f"{USER or 'me'}-kafka-python"  # in a class it has to begin with your user

logging.basicConfig(level=logging.ERROR)  # or a wrong password looks like a time-out
settings = {"bootstrap_servers": BOOTSTRAP, "security_protocol": PROTOCOL, "group_id": GROUP, "auto_offset_reset": "earliest"}
if USER:
    settings |= {"sasl_mechanism": "SCRAM-SHA-256", "sasl_plain_username": USER, "sasl_plain_password": PASSWORD}
if CA:
    settings["ssl_cafile"] = CA

consumer = KafkaConsumer(TOPIC, **settings)
broken = 0
try:
    while True:
        for partition, records in consumer.poll(timeout_ms=1000).items():
            for record in records:
                try:
                    event = json.loads(record.value)
                except (TypeError, ValueError):
                    broken += 1  # some records of the streams are no JSON, on purpose
                    continue
                print(partition.partition, record.offset, event.get("timestamp"), event.get("event_type"))
except KeyboardInterrupt:
    pass
finally:
    consumer.close()  # else the group waits 45 seconds for a member that is gone
    print(f"closed; {broken} records were no JSON")
