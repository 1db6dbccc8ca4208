"""One small working day of a Python client: clients_py.py CLIENT ADDRESS TOPIC."""

import asyncio
import sys
import time

client, address, topic = sys.argv[1:4]


def confluent():
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

    base = {"bootstrap.servers": address, "client.id": client}
    producer = Producer({**base, "enable.idempotence": True})
    for n in range(10):
        producer.produce(topic, value=f"value {n}", key="k", headers={"h": b"1"})
    producer.flush(10)
    producer = Producer({**base, "transactional.id": topic + "-tx"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, value="in a transaction")
    producer.commit_transaction(20)
    for extra in ({}, {"group.protocol": "consumer"}):
        group = f"{topic}-{client}-{len(extra)}"
        consumer = Consumer({**base, **extra, "group.id": group, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        got = 0
        for _ in range(60):
            got += consumer.poll(0.5) is not None
            if got >= 10:
                break
        consumer.commit(asynchronous=False)
        consumer.close()
    admin = AdminClient(base)
    for futures in (
        lambda: admin.create_topics([NewTopic(topic + "-x", 1, 1)]).values(),
        lambda: admin.create_partitions([NewPartitions(topic + "-x", 2)]).values(),
        lambda: admin.describe_configs([ConfigResource("topic", topic)]).values(),
        lambda: [admin.list_consumer_groups()],
        lambda: admin.describe_consumer_groups([f"{topic}-{client}-0"]).values(),
        lambda: admin.delete_topics([topic + "-x"]).values(),
    ):
        for future in futures():
            future.result(20)
        time.sleep(0.5)


def kafka_python():
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic

    base = {"bootstrap_servers": address, "client_id": client}
    producer = KafkaProducer(**base)
    for n in range(10):
        producer.send(topic, f"value {n}".encode(), key=b"k")
    producer.flush(10)
    producer.close()
    consumer = KafkaConsumer(topic, group_id=f"{topic}-{client}", auto_offset_reset="earliest", consumer_timeout_ms=4000, **base)
    for n, _ in enumerate(consumer):
        if n >= 10:
            break
    consumer.commit()
    consumer.offsets_for_times({TopicPartition(topic, 0): 1000})
    consumer.close()
    admin = KafkaAdminClient(**base)
    admin.create_topics([NewTopic(topic + "-y", 1, 1)])
    admin.delete_topics([topic + "-y"])
    (getattr(admin, "list_consumer_groups", None) or admin.list_groups)()
    admin.close()


async def aiokafka():
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=address, client_id=client, enable_idempotence=True)
    await producer.start()
    for n in range(10):
        await producer.send_and_wait(topic, f"value {n}".encode())
    await producer.stop()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, client_id=client, group_id=f"{topic}-{client}", auto_offset_reset="earliest")
    await consumer.start()
    for _ in range(10):
        await consumer.getone()
    await consumer.commit()
    await consumer.stop()


if client == "confluent":
    confluent()
elif client == "aiokafka":
    asyncio.run(aiokafka())
else:
    kafka_python()
