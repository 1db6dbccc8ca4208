"""Steps with records: one is written, read again, and the student's own topic and group are looked at."""

from __future__ import annotations

import difflib
import secrets
import time

from headwater.look_network import Network
from headwater.records import batch, records
from headwater.steps import Fault, Skip
from headwater.target import STREAMS
from headwater.wire import GROUP_DENIED, TOPIC_DENIED, TOPIC_EXISTS, Refused, WireError, error_name

RETRIED = {3, 5, 6, 7, 14, 15, 16}
TRIES, PAUSE = 20, 0.15


class Records:
    def __init__(self, network: Network, note):
        self.network, self.target, self.note = network, network.target, note
        self.topic = network.target.doctor_topic()
        self.value = secrets.token_hex(16).encode()
        self.offset = None
        self.created = False
        self.told_foreign = False

    def produce(self) -> str:
        try:
            with self.network.open() as asked:
                detail = self._write(asked)
        except (WireError, Refused, OSError) as reason:
            raise Fault("not-written", f"{self.topic}: {reason}", given=str(reason)) from reason
        wanted = self.target.topic
        if wanted and wanted not in STREAMS and not self.target.is_own(wanted):
            self.told_foreign = True
            raise Fault("topic-not-yours", f"{wanted} does not begin with {self.target.prefix}", topic=wanted)
        return detail

    def _write(self, asked):
        error = asked.create_topic(self.topic)
        self.created = error == 0
        if error == TOPIC_DENIED:
            raise Fault("topic-not-yours", f"{self.topic}: {error_name(error)}", topic=self.topic)
        if error not in (0, TOPIC_EXISTS):
            raise Fault("not-written", f"{self.topic} was not created: {error_name(error)}", given=error_name(error))
        for _ in range(TRIES):
            error, offset = self._at_leader(lambda leader: leader.produce(self.topic, 0, batch(b"doctor", self.value, int(time.time() * 1000))))
            if error == 0:
                self.offset = offset
                return f"{self.topic}, offset {offset}"
            if error not in RETRIED:
                break
            time.sleep(PAUSE)
        if error == TOPIC_DENIED:
            raise Fault("topic-not-yours", f"{self.topic}: {error_name(error)}", topic=self.topic)
        raise Fault("not-written", f"{self.topic}: {error_name(error)}", given=error_name(error))

    def _at_leader(self, ask):
        """What the broker that has the student's topic answers, or the error of who looks for it."""
        try:
            with self.network.open_leader(self.topic, 0) as leader:
                return ask(leader)
        except Refused as reason:
            return reason.code, None

    def fetch(self) -> str:
        try:
            with self.network.open() as asked:
                told = [self._read_back()] if self.offset is not None else []
                told += self._look_at_topic(asked)
                return ", ".join(part for part in told if part)
        except (WireError, Refused, OSError) as reason:
            raise Fault("not-read", f"{self.topic}: {reason}", given=str(reason)) from reason

    def _read_back(self):
        for _ in range(TRIES):
            error, data = self._at_leader(lambda leader: leader.fetch(self.topic, 0, self.offset))
            if error == 0 and any(value == self.value for _, _, value in records(data)):
                return "the record came back"
            if error not in RETRIED | {0}:
                break
            time.sleep(PAUSE)
        shown = error_name(error) if error else "it is not there"
        raise Fault("not-read", f"{self.topic}, offset {self.offset}: {shown}", given=shown)

    def _look_at_topic(self, asked):
        """The topic of the student's settings, or one of the streams."""
        names = {topic.name: topic for topic in asked.metadata().topics}
        wanted = self.target.topic
        if self.told_foreign:
            return []
        if wanted and wanted not in names:
            error = asked.metadata([wanted]).topics[0].error
            alike = difflib.get_close_matches(wanted, names, 1, 0.6)
            if error == TOPIC_DENIED and not self.target.is_own(wanted) and not alike:
                raise Fault("topic-not-yours", f"{wanted}: {error_name(error)}", topic=wanted)
            if alike:
                raise Fault("topic-misspelt", f"There is no topic {wanted}.", topic=wanted, like=alike[0])
            raise Fault("topic-not-there", f"There is no topic {wanted}.", topic=wanted)
        shown = wanted or next((name for name in STREAMS if name in names), None)
        if not shown:
            return []
        first = last = 0
        for partition in names[shown].partitions:
            with self.network.open_leader(shown, partition) as leader:
                bounds = leader.offset(shown, partition, -2), leader.offset(shown, partition, -1)
            if any(error for error, _ in bounds):
                code = next(error for error, _ in bounds if error)
                raise Fault(
                    "topic-not-yours" if code == TOPIC_DENIED else "not-read",
                    f"{shown}: {error_name(code)}",
                    topic=shown,
                    given=error_name(code),
                )
            first, last = first + bounds[0][1], last + bounds[1][1]
        return [f"{shown} has {last - first} records"]

    def clean_up(self) -> None:
        """The topic goes again if it was made here. Where that is not allowed it stays: it is the student's own."""
        if not self.created:
            return
        try:
            with self.network.open() as asked:
                asked.delete_topic(self.topic)
        except (WireError, Refused, OSError):
            pass

    def group(self) -> str:
        group = self.target.group
        if not group:
            raise Skip("no group.id was given")
        if not self.target.is_own_group(group):
            raise Fault("foreign-group", f"{group} does not begin with {self.target.group_prefix}")
        try:
            with self.network.open_coordinator(group) as asked:
                error, state, members = self._describe(asked, group)
                if error == GROUP_DENIED:
                    raise Fault("foreign-group", f"{group}: {error_name(error)}")
                if members:
                    self._members(group, members)
                at_end = self.target.topic and not members and self._at_end(asked, group, self.target.topic)
        except (WireError, Refused, OSError) as reason:
            raise Skip(f"{group}: {reason}") from reason
        if at_end:
            self.note(
                "group", Fault("group-at-end", f"{group} has read {self.target.topic} to its end.", group=group, topic=self.target.topic)
            )
        return f"{group}: {state.lower() if not error else error_name(error)}, {len(members)} members"

    @staticmethod
    def _describe(asked, group):
        for _ in range(TRIES):
            found = asked.group(group)
            if found[0] not in RETRIED:
                break
            time.sleep(PAUSE)
        return found

    def _members(self, group, members):
        here = {self.network.own_address, "127.0.0.1", "::1"}
        local = [member for member in members if member.host.lstrip("/") in here]
        if len(members) == 1 and local:
            self.note("group", Fault("ghost-member", f"{group} has a member from this computer: {members[0].client}.", group=group))
            return
        self.note("group", Fault("shared-group", f"{group} has {len(members)} members.", group=group))

    def _at_end(self, asked, group, topic):
        found = next((row for row in asked.metadata([topic]).topics if not row.error), None)
        if not found:
            return False
        committed = asked.committed(group, topic, found.partitions)
        ends = {}
        for index in found.partitions:
            with self.network.open_leader(topic, index) as leader:
                ends[index] = leader.offset(topic, index, -1)[1]
        filled = [index for index, end in ends.items() if end > 0]
        return bool(filled) and all(committed.get(index, -1) >= ends[index] for index in filled)
