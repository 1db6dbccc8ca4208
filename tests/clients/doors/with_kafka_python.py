"""kafka-python, as work.py says."""

import threading
import time

from kafka import KafkaConsumer, KafkaProducer
from work import main, overhear


def settings(job, **more):
    found = {
        "bootstrap_servers": job.bootstrap, "security_protocol": job.protocol, "sasl_mechanism": job.mechanism,
        "sasl_plain_username": job.user, "sasl_plain_password": job.password,
    }
    if job.ca:
        found["ssl_cafile"] = job.ca
    return found | more


def consuming(job, over):
    consumer = KafkaConsumer(job.topic, group_id=job.group, auto_offset_reset=job.reset, **settings(job))
    try:
        while not over():
            try:
                # In a shorter time it can lose its own join: the broker has its assignment, and it never takes it.
                found = consumer.poll(timeout_ms=1000)
            except Exception as error:
                if not job.stays:
                    raise
                job.said(error)
                time.sleep(0.5)
                continue
            job.read((r.partition, r.offset, r.timestamp) for records in found.values() for r in records)
    finally:
        consumer.close()


def producing(job, topic, over):
    producer = KafkaProducer(**settings(job))
    while not over():
        try:
            sent = producer.send(topic, b"x").get(timeout=job.limit or 60)
            job.wrote(sent.partition, sent.offset)
        except Exception as error:
            job.said(error)
        if not job.stays:
            return
        time.sleep(0.2)


def read(job):
    overhear("kafka", job)
    consuming(job, lambda: job.records >= 5)


def produce(job):
    overhear("kafka", job)
    producing(job, job.topic, lambda: False)


def stay(job, ended):
    overhear("kafka", job)
    other = threading.Thread(target=producing, args=(job, job.out, ended.is_set), daemon=True)
    other.start()
    consuming(job, ended.is_set)


if __name__ == "__main__":
    main(read, produce, stay)
