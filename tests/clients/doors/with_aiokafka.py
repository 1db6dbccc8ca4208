"""aiokafka, as work.py says."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.helpers import create_ssl_context
from work import main, overhear


def settings(job, **more):
    found = {
        "bootstrap_servers": job.bootstrap, "security_protocol": job.protocol, "sasl_mechanism": job.mechanism,
        "sasl_plain_username": job.user, "sasl_plain_password": job.password,
    }
    if job.protocol == "SASL_SSL":
        found["ssl_context"] = create_ssl_context(cafile=job.ca or None)
    return found | more


async def consuming(job, over):
    consumer = AIOKafkaConsumer(job.topic, group_id=job.group, auto_offset_reset=job.reset, **settings(job))
    try:
        await consumer.start()
        while not over():
            try:
                found = await consumer.getmany(timeout_ms=100)
            except Exception as error:
                if not job.stays:
                    raise
                job.said(error)
                await asyncio.sleep(0.5)
                continue
            job.read((r.partition, r.offset, r.timestamp) for records in found.values() for r in records)
    finally:
        await consumer.stop()


async def producing(job, topic, over):
    producer = AIOKafkaProducer(**settings(job))
    try:
        await producer.start()
        while not over():
            try:
                sent = await asyncio.wait_for(producer.send_and_wait(topic, b"x"), job.limit or 60)
                job.wrote(sent.partition, sent.offset)
            except Exception as error:
                job.said(error)
            if not job.stays:
                return
            await asyncio.sleep(0.2)
    finally:
        await producer.stop()


def read(job):
    overhear("aiokafka", job)
    asyncio.run(consuming(job, lambda: job.records >= 5))


def produce(job):
    overhear("aiokafka", job)
    asyncio.run(producing(job, job.topic, lambda: False))


def stay(job, ended):
    overhear("aiokafka", job)

    async def both():
        await asyncio.gather(consuming(job, ended.is_set), producing(job, job.out, ended.is_set))

    asyncio.run(both())


if __name__ == "__main__":
    main(read, produce, stay)
