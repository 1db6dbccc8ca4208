"""confluent-kafka, as work.py says."""

import threading

from confluent_kafka import Consumer, KafkaException, Producer
from work import main


def settings(job, **more):
    found = {
        "bootstrap.servers": job.bootstrap, "security.protocol": job.protocol, "sasl.mechanism": job.mechanism,
        "sasl.username": job.user, "sasl.password": job.password, "error_cb": job.said, "log_level": 0,
    }
    if job.ca:
        found["ssl.ca.location"] = job.ca
    return found | {name.replace("_", "."): value for name, value in more.items()}


def consuming(job, over):
    consumer = Consumer(settings(job, group_id=job.group, auto_offset_reset=job.reset))
    try:
        consumer.subscribe([job.topic])
        while not over():
            messages = consumer.consume(500 if job.stays else 5, timeout=0.1)
            for message in messages:
                if message.error():
                    job.said(message.error())
            job.read((m.partition(), m.offset(), m.timestamp()[1]) for m in messages if not m.error())
    finally:
        consumer.close()


def producing(job, topic, over):
    producer = Producer(settings(job))

    def delivered(error, message):
        job.said(error) if error else job.wrote(message.partition(), message.offset())

    while not over():
        try:
            producer.produce(topic, b"x", on_delivery=delivered)
        except KafkaException as reason:
            # What librdkafka says at once, for as long as it takes the topic for deleted.
            job.said(reason)
            if not job.stays:
                return
        while len(producer) and not over():
            producer.poll(0.1)
        if not job.stays:
            return
        producer.poll(0.2)
    producer.purge()


def stay(job, ended):
    other = threading.Thread(target=producing, args=(job, job.out, ended.is_set))
    other.start()
    consuming(job, ended.is_set)
    other.join()


if __name__ == "__main__":
    main(lambda job: consuming(job, lambda: job.records >= 5), lambda job: producing(job, job.topic, lambda: False), stay)
