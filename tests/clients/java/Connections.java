import static java.util.stream.Collectors.toList;
import static java.util.stream.Collectors.toMap;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Producers, consumers and the admin client of one broker, with the settings that the scenarios share. */
final class Connections {
    final String bootstrap;
    final Admin admin;

    Connections(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(settings());
    }

    Properties settings(String... pairs) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) {
            settings.put(pairs[i], pairs[i + 1]);
        }
        return settings;
    }

    KafkaProducer<byte[], byte[]> producer(String... pairs) {
        Properties settings = settings("linger.ms", "20");
        settings.putAll(settings(pairs));
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** `protocol` is classic, cooperative, static:NAME or consumer. */
    KafkaConsumer<byte[], byte[]> consumer(String group, String protocol, String... pairs) {
        Properties settings = settings("group.id", group, "auto.offset.reset", "earliest");
        if (protocol.equals("consumer")) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.putAll(settings("session.timeout.ms", "10000", "heartbeat.interval.ms", "500"));
        }
        if (protocol.equals("cooperative")) {
            settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
        }
        if (protocol.startsWith("static:")) {
            settings.put("group.instance.id", protocol.substring("static:".length()));
        }
        settings.putAll(settings(pairs));
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Every record of the topic, partition by partition, read without a group. */
    Map<Integer, List<ConsumerRecord<byte[], byte[]>>> readAll(String topic, String isolation) {
        Properties settings = settings("isolation.level", isolation, "auto.offset.reset", "earliest", "enable.auto.commit", "false");
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> found = new TreeMap<>();
        try (var reader = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> places = reader.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).collect(toList());
            places.forEach(place -> found.put(place.partition(), new ArrayList<>()));
            reader.assign(places);
            reader.seekToBeginning(places);
            Map<TopicPartition, Long> ends = reader.endOffsets(places);
            long begin = System.nanoTime();
            while (places.stream().anyMatch(place -> reader.position(place) < ends.get(place))) {
                int sofar = found.values().stream().mapToInt(List::size).sum();
                Verdict.check(Verdict.since(begin) < 20, "only " + sofar + " records read within 20 s, ends " + ends);
                reader.poll(Duration.ofMillis(200)).forEach(record -> found.get(record.partition()).add(record));
            }
        }
        return found;
    }

    Map<Integer, List<String>> readTexts(String topic, String isolation) {
        return readAll(topic, isolation).entrySet().stream()
                .collect(toMap(Map.Entry::getKey, e -> e.getValue().stream().map(r -> new String(r.value())).collect(toList()), (a, b) -> a, TreeMap::new));
    }
}
