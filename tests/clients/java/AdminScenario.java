import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** A topic and a group through their whole life, by admin calls. */
final class AdminScenario {
    private final Connections broker;
    private final Admin admin;
    private final String topic;
    private final String group;

    AdminScenario(Connections broker, String prefix) {
        this.broker = broker;
        this.admin = broker.admin;
        this.topic = prefix + "-admin";
        this.group = prefix + "-admin";
    }

    String run() throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "3600000")))).all().get();
        Verdict.waitFor("the topic is listed", () -> admin.listTopics().names().get().contains(topic), 10);
        Verdict.waitFor("it has two partitions", () -> partitions() == 2, 10);
        Verdict.waitFor("its setting is kept", () -> config("retention.ms").equals("3600000"), 10);
        Verdict.check(config("cleanup.policy").equals("delete"), "a default setting is not described");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        Verdict.waitFor("it has three partitions", () -> partitions() == 3, 10);
        var change = new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource(), (Collection<AlterConfigOp>) List.of(change))).all().get();
        Verdict.waitFor("the new setting is described", () -> config("retention.ms").equals("7200000"), 10);
        records();
        groups();
        admin.deleteTopics(List.of(topic)).all().get();
        Verdict.waitFor("the topic is gone", () -> !admin.listTopics().names().get().contains(topic), 10);
        return null;
    }

    private void records() throws Exception {
        long start = System.currentTimeMillis() - 600_000;
        try (var producer = broker.producer()) {
            for (int number = 0; number < 30; number++) {
                producer.send(new ProducerRecord<>(topic, 0, start + number * 1000L, null, Integer.toString(number).getBytes()));
            }
        }
        long[][] wanted = {{0, 0}, {10_000, 10}, {10_001, 11}, {29_000, 29}, {29_001, -1}};
        for (long[] pair : wanted) {
            long found = offset(OffsetSpec.forTimestamp(start + pair[0]));
            Verdict.check(found == pair[1], "the first offset at +" + pair[0] + " ms is " + pair[1] + ", the broker says " + found);
        }
        Verdict.check(offset(OffsetSpec.maxTimestamp()) == 29, "the offset of the latest timestamp is " + offset(OffsetSpec.maxTimestamp()));
        admin.deleteRecords(Map.of(place(), RecordsToDelete.beforeOffset(5))).all().get();
        Verdict.check(offset(OffsetSpec.earliest()) == 5, "after deleting what is before offset 5 the first offset is " + offset(OffsetSpec.earliest()));
    }

    private void groups() throws Exception {
        Member member = new Member(broker.consumer(group, "classic"), topic);
        Verdict.waitFor("the group's member reads", () -> member.records.size() >= 20, 20);
        Verdict.waitFor("the group is listed", this::listed, 10);
        Verdict.waitFor("the group is Stable with one member", () -> described("Stable", 1), 10);
        member.leave();
        Verdict.waitFor("the group is Empty", () -> described("Empty", 0), 10);
        long committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place()).offset();
        Verdict.check(committed == 30, "the group's committed offset is " + committed);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Verdict.waitFor("the group is gone", () -> !listed(), 10);
    }

    private boolean listed() throws Exception {
        return admin.listConsumerGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group));
    }

    private boolean described(String state, int members) throws Exception {
        ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        return described.state().toString().equals(state) && described.members().size() == members;
    }

    private ConfigResource resource() {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private TopicPartition place() {
        return new TopicPartition(topic, 0);
    }

    private String config(String name) throws Exception {
        return admin.describeConfigs(List.of(resource())).all().get().get(resource()).get(name).value();
    }

    private int partitions() throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    }

    private long offset(OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(place(), spec)).all().get().get(place()).offset();
    }
}
