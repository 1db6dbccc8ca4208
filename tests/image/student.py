"""A student's program: joins with the code, and reads the first record of a stream.

student.py PAGE CODE SECONDS     prints where it was sent and what it read, as JSON
"""

import json
import sys
import time
import urllib.request

from confluent_kafka import Consumer, KafkaException

STREAM = "ecommerce-events"


def ask(base, method, path, body=None, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(base + path, None if body is None else json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def login(bootstrap, user, password, **more):
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": user,
        "sasl.password": password,
        **more,
    }


def first_record(settings, group, seconds):
    """(partition, offset, key) of the first record that comes, or None; and the last thing that went wrong."""
    said = []
    settings = {**settings, "group.id": group, "auto.offset.reset": "earliest", "error_cb": lambda error: said.append(str(error))}
    consumer = Consumer(settings, logger=Quiet())
    try:
        consumer.subscribe([STREAM])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = consumer.poll(0.1)
            if message is not None and message.error():
                said.append(str(message.error()))
            elif message is not None:
                return (message.partition(), message.offset(), message.key().decode()), said[-1:]
    except KafkaException as error:
        said.append(str(error))
    finally:
        consumer.close()
    return None, said[-1:]


class Quiet:
    """The library's own log, which would stand between the lines of the test."""

    def log(self, *_):
        pass


def take_part(page, code, seconds):
    me = ask(page, "POST", "/api/join", {"code": code})
    # What is typed from the page: its address, whatever the page thinks is advertised.
    host = page.split("//")[1].rsplit(":", 1)[0]
    told = ask(page, "GET", "/api/server")["listeners"][0]
    record, said = first_record(login(f"{host}:{told['port']}", me["user"], me["password"]), me["group_prefix"] + "-first", seconds)
    return {"user": me["user"], "told": f"{told['host']}:{told['port']}", "record": record, "said": said}


if __name__ == "__main__":
    print(json.dumps(take_part(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
