import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** A group member that polls in its own thread, as a program of its own would. */
final class Member extends Thread {
    final List<ConsumerRecord<byte[], byte[]>> records = new CopyOnWriteArrayList<>();
    final List<Set<Integer>> assignments = new CopyOnWriteArrayList<>(List.of(Set.of()));
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final String topic;
    private volatile boolean leaving;
    private volatile Throwable error;

    Member(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        this.consumer = consumer;
        this.topic = topic;
        setDaemon(true);
        start();
    }

    @Override
    public void run() {
        try (consumer) {
            consumer.subscribe(Collections.singleton(topic));
            while (!leaving) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
                Set<Integer> now = consumer.assignment().stream().map(TopicPartition::partition).collect(Collectors.toSet());
                if (!now.equals(assignment())) {
                    assignments.add(now);
                }
            }
        } catch (Throwable thrown) {
            error = thrown;
        }
    }

    Set<Integer> assignment() {
        if (error != null) {
            throw new Verdict.Failed("a member ended with " + error);
        }
        return assignments.get(assignments.size() - 1);
    }

    Set<Integer> numbers() {
        return records.stream().map(r -> Integer.parseInt(new String(r.value()))).collect(Collectors.toSet());
    }

    void leave() throws InterruptedException {
        leaving = true;
        join(30_000);
        Verdict.check(!isAlive(), "a member did not close within 30 s");
        Verdict.check(error == null, "a member ended with " + error);
    }
}
