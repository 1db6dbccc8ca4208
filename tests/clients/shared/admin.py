"""The admin scenario: a topic and a group through their whole life, by the client's own admin calls."""

import time

from members import Member, wait_for
from verdict import NotSupported, check


def administer(scenarios):
    client = scenarios.client
    topic, group = scenarios.topic("admin"), f"{scenarios.prefix}-admin"
    steps = Steps(client, topic, group)
    missing = []
    for step in (steps.create, steps.grow, steps.configure, steps.find_by_time, steps.truncate, steps.groups, steps.delete):
        try:
            step()
        except NotSupported as reason:
            missing.append(str(reason))
    return "without " + ", ".join(missing) if missing else ""


class Steps:
    def __init__(self, client, topic, group):
        self.client, self.topic, self.group = client, topic, group

    def create(self):
        self.client.create_topic(self.topic, 2, {"retention.ms": "3600000"})
        wait_for("the topic is listed", lambda: self.topic in self.client.list_topics(), 10)
        wait_for("it has two partitions", lambda: self.client.partition_count(self.topic) == 2, 10)
        wait_for("its setting is kept", lambda: self.client.topic_config(self.topic, "retention.ms") == "3600000", 10)
        check(self.client.topic_config(self.topic, "cleanup.policy") == "delete", "a default setting is not described")

    def grow(self):
        self.client.create_partitions(self.topic, 3)
        wait_for("it has three partitions", lambda: self.client.partition_count(self.topic) == 3, 10)

    def configure(self):
        self.client.alter_topic_config(self.topic, "retention.ms", "7200000")
        wait_for("the new setting is described", lambda: self.client.topic_config(self.topic, "retention.ms") == "7200000", 10)

    def find_by_time(self):
        self.start = int(time.time() * 1000) - 600_000
        producer = self.client.producer()
        for number in range(30):
            producer.send(self.topic, b"%d" % number, partition=0, timestamp=self.start + number * 1000)
        producer.close()
        for timestamp, wanted in ((0, 0), (10_000, 10), (10_001, 11), (29_000, 29), (29_001, None)):
            found = self.client.offset_for_time(self.topic, 0, self.start + timestamp)
            check(found == wanted, f"the first offset at +{timestamp} ms is {wanted}, the broker says {found}")

    def truncate(self):
        self.client.delete_records(self.topic, 0, 5)
        found = self.client.offset_for_time(self.topic, 0, self.start)
        check(found == 5, f"after deleting what is before offset 5 the first offset is {found}")

    def groups(self):
        member = Member(self.client, self.group, self.topic, "classic")
        wait_for("the group's member reads", lambda: len(member.records) >= 20, 20, [member])
        wait_for("the group is listed", lambda: self.group in self.client.list_groups(), 10)
        wait_for("the group is Stable with one member", lambda: self.client.describe_group(self.group) == ("stable", 1), 10)
        member.leave()
        wait_for("the group is Empty", lambda: self.client.describe_group(self.group) == ("empty", 0), 10)
        self.client.delete_group(self.group)
        wait_for("the group is gone", lambda: self.group not in self.client.list_groups(), 10)

    def delete(self):
        self.client.delete_topic(self.topic)
        wait_for("the topic is gone", lambda: self.topic not in self.client.list_topics(), 10)
