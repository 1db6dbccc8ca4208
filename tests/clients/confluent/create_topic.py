"""`create_topic.py BOOTSTRAP TOPIC PARTITIONS`, for clients that cannot create a topic themselves."""

import sys
import time

from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, topic, partitions = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})
admin.create_topics([NewTopic(topic, int(partitions), 1)])[topic].result(20)
while topic not in admin.list_topics(timeout=20).topics:
    time.sleep(0.02)
