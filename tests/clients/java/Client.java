import static java.util.stream.Collectors.toList;
import static java.util.stream.Collectors.toSet;
import static java.util.stream.IntStream.range;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The Java client: `java -cp ... Client BOOTSTRAP SCENARIO PREFIX [STOP_FILE]`. */
public final class Client {
    private static final double FIRST_RECORD_LIMIT = 2.0; // ten times the 0.2 s that the project promises
    private static final String EVERYTHING = "read_uncommitted";
    private static final List<Header> HEADERS = List.of(
            new RecordHeader("trace", new byte[] {0, -1, -128}),
            new RecordHeader("trace", "the same name again".getBytes()),
            new RecordHeader("gr\u00f6\u00dfe", "\u00fcber".getBytes(StandardCharsets.UTF_8)),
            new RecordHeader("nothing", null));

    private record Acknowledged(int partition, long offset, int number) {}

    private final Connections broker;
    private final String prefix;
    private final String[] arguments;

    private Client(String bootstrap, String prefix, String[] arguments) {
        this.broker = new Connections(bootstrap);
        this.prefix = prefix;
        this.arguments = arguments;
    }

    public static void main(String[] arguments) {
        String[] rest = Arrays.copyOfRange(arguments, 3, arguments.length);
        int code = Verdict.judge(() -> new Client(arguments[0], arguments[2], rest).scenario(arguments[1]).call());
        Runtime.getRuntime().halt(code);
    }

    private Callable<String> scenario(String name) {
        return switch (name) {
            case "codecs" -> this::codecs;
            case "idempotent" -> this::idempotent;
            case "transactions" -> this::transactions;
            case "resume" -> this::resume;
            case "rebalance" -> () -> share("classic", 20);
            case "cooperative" -> () -> share("cooperative", 20);
            case "kip848" -> () -> share("consumer", 40);
            case "static" -> this::staticMembers;
            case "first" -> this::first;
            case "autocreate" -> this::autocreate;
            case "admin" -> new AdminScenario(broker, prefix)::run;
            case "kill9" -> this::kill9;
            default -> throw new IllegalArgumentException(name);
        };
    }

    private String topic(String name, int partitions) throws Exception {
        String topic = prefix + "-" + name;
        broker.admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        return topic;
    }

    private static byte[] text(int number) {
        return Integer.toString(number).getBytes();
    }

    private void produceNumbers(String topic, int begin, int end, int partitions) throws Exception {
        try (var producer = broker.producer()) {
            var sent = new ArrayList<java.util.concurrent.Future<?>>();
            range(begin, end).forEach(n -> sent.add(producer.send(new ProducerRecord<>(topic, n % partitions, null, text(n)))));
            for (var future : sent) {
                future.get();
            }
        }
    }

    private List<ProducerRecord<byte[], byte[]>> samples(String topic) {
        Random dice = new Random(7);
        byte[] random = new byte[20_000];
        dice.nextBytes(random);
        byte[] binary = new byte[256];
        range(0, 256).forEach(i -> binary[i] = (byte) i);
        long start = System.currentTimeMillis() - 60_000;
        return range(0, 40).mapToObj(i -> {
            byte[] value = switch (i % 6) {
                case 0 -> ("order " + i + ", \u20ac 12.50").getBytes(StandardCharsets.UTF_8);
                case 1 -> binary;
                case 2 -> new byte[0];
                case 3 -> null;
                case 4 -> "{\"sku\":\"A-1\",\"qty\":3},".repeat(2500).getBytes();
                default -> random;
            };
            return new ProducerRecord<>(topic, 0, start + i, i % 5 == 0 ? null : ("key-" + i).getBytes(), value, i % 3 == 0 ? HEADERS : List.of());
        }).collect(toList());
    }

    private String codecs() throws Exception {
        List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        for (String codec : codecs) {
            String topic = topic(codec, 1);
            var sent = samples(topic);
            try (var producer = broker.producer("compression.type", codec)) {
                sent.forEach(producer::send);
            }
            var read = broker.readAll(topic, EVERYTHING).get(0);
            Verdict.check(read.size() == sent.size(), codec + ": sent " + sent.size() + " records, read " + read.size());
            range(0, read.size()).forEach(place -> compare(codec, place, read.get(place), sent.get(place)));
        }
        return String.join(" ", codecs);
    }

    private static void compare(String codec, int place, ConsumerRecord<byte[], byte[]> got, ProducerRecord<byte[], byte[]> sent) {
        String where = codec + ": record " + place;
        Verdict.check(got.offset() == place, where + " has offset " + got.offset());
        Verdict.check(Arrays.equals(got.key(), sent.key()), where + " came back with another key");
        Verdict.check(Arrays.equals(got.value(), sent.value()), where + " came back with another value");
        Verdict.check(Arrays.equals(got.headers().toArray(), sent.headers().toArray()), where + " came back with other headers");
        Verdict.check(got.timestamp() == sent.timestamp(), where + " came back with another timestamp");
    }

    private String idempotent() throws Exception {
        String topic = topic("idempotent", 2);
        produceNumbers(topic, 0, 1000, 2);
        broker.readTexts(topic, EVERYTHING).forEach((partition, texts) -> Verdict.check(
                texts.equals(range(0, 500).mapToObj(n -> Integer.toString(n * 2 + partition)).collect(toList())),
                "partition " + partition + " is not 0..999 once and in order"));
        return null;
    }

    private String transactions() throws Exception {
        String topic = topic("transactions", 1);
        List<String> wanted = new ArrayList<>();
        try (var producer = broker.producer("transactional.id", prefix + "-producer")) {
            producer.initTransactions();
            for (int number = 0; number < 4; number++) {
                producer.beginTransaction();
                for (int place = 0; place < 10; place++) {
                    String text = number + "-" + place;
                    producer.send(new ProducerRecord<>(topic, 0, null, text.getBytes()));
                    if (number % 2 == 0) {
                        wanted.add(text);
                    }
                }
                producer.flush();
                if (number % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        List<String> committed = broker.readTexts(topic, "read_committed").get(0);
        Verdict.check(committed.equals(wanted), "read_committed saw " + committed.size() + " records: " + committed);
        int everything = broker.readTexts(topic, EVERYTHING).get(0).size();
        Verdict.check(everything == 40, "read_uncommitted saw " + everything + " records of 40");
        return null;
    }

    private String resume() throws Exception {
        String topic = topic("resume", 2);
        produceNumbers(topic, 0, 60, 2);
        Set<Integer> seen = new TreeSet<>();
        int count = 0;
        for (int wanted : new int[] {25, 60}) {
            try (var consumer = broker.consumer(prefix + "-resume", "classic", "enable.auto.commit", "false", "max.poll.records", "5")) {
                consumer.subscribe(Collections.singleton(topic));
                long begin = System.nanoTime();
                while (count < wanted) {
                    Verdict.check(Verdict.since(begin) < 20, "read " + count + " of " + wanted + " records in 20 s");
                    for (var record : consumer.poll(Duration.ofMillis(200))) {
                        seen.add(Integer.parseInt(new String(record.value())));
                        count++;
                    }
                }
                consumer.commitSync();
            }
            Verdict.check(count == wanted && seen.size() == count, "read " + count + " records, " + seen.size() + " different, to " + wanted);
        }
        return null;
    }

    /** Two members share four partitions; one leaves and the other takes over. */
    private String share(String protocol, double seconds) throws Exception {
        String topic = topic(protocol, 4);
        String group = prefix + "-" + protocol;
        Member first = new Member(broker.consumer(group, protocol), topic);
        Verdict.waitFor("one member has all four partitions", () -> first.assignment().size() == 4, seconds);
        Member second = new Member(broker.consumer(group, protocol), topic);
        double joined = Verdict.waitFor("two members share the partitions two and two",
                () -> first.assignment().size() == 2 && second.assignment().size() == 2
                        && Collections.disjoint(first.assignment(), second.assignment()), seconds);
        if (!protocol.equals("classic")) {
            boolean kept = first.assignments.stream().skip(1).noneMatch(Collection::isEmpty);
            Verdict.check(kept, "the first member lost every partition in between");
        }
        produceNumbers(topic, 0, 100, 4);
        Verdict.waitFor("both together read 100 records", () -> {
            Set<Integer> read = new TreeSet<>(first.numbers());
            read.addAll(second.numbers());
            return read.size() == 100;
        }, seconds);
        Verdict.check(!second.records.isEmpty(), "the second member read nothing");
        second.leave();
        double taken = Verdict.waitFor("the first member takes over", () -> first.assignment().size() == 4, seconds);
        produceNumbers(topic, 100, 200, 4);
        Verdict.waitFor("the first member reads the next 100 alone",
                () -> first.numbers().containsAll(range(100, 200).boxed().collect(toSet())), seconds);
        first.leave();
        return String.format("shared after %.1f s, taken over after %.1f s", joined, taken);
    }

    private String staticMembers() throws Exception {
        String topic = topic("static", 4);
        String group = prefix + "-static";
        Member steady = new Member(broker.consumer(group, "static:steady"), topic);
        Verdict.waitFor("the first static member has all partitions", () -> steady.assignment().size() == 4, 20);
        Member restarting = new Member(broker.consumer(group, "static:restarting"), topic);
        Verdict.waitFor("two static members share", () -> steady.assignment().size() == 2 && restarting.assignment().size() == 2, 20);
        Set<Integer> before = restarting.assignment();
        int changes = steady.assignments.size();
        restarting.leave();
        Member again = new Member(broker.consumer(group, "static:restarting"), topic);
        double took = Verdict.waitFor("the restarted member has its partitions back", () -> again.assignment().equals(before), 20);
        Verdict.check(steady.assignments.size() == changes, "the other member was rebalanced though the member came back in time");
        again.leave();
        steady.leave();
        return String.format("back after %.1f s", took);
    }

    private String first() throws Exception {
        String topic = topic("first", 4);
        produceNumbers(topic, 0, 8, 4);
        List<Double> times = new ArrayList<>();
        for (int attempt = 0; attempt < 3; attempt++) {
            try (var consumer = broker.consumer(prefix + "-first-" + attempt, "classic")) {
                long begin = System.nanoTime();
                consumer.subscribe(Collections.singleton(topic));
                while (consumer.poll(Duration.ofMillis(100)).isEmpty()) {
                    Verdict.check(Verdict.since(begin) < 30, "no record within 30 s");
                }
                times.add(Verdict.since(begin));
            }
        }
        String text = "first record after " + String.join(", ", times.stream().map(t -> String.format("%.3f", t)).toList()) + " s";
        Verdict.check(Collections.min(times) < FIRST_RECORD_LIMIT, text);
        return text;
    }

    private String autocreate() throws Exception {
        String topic = prefix + "-auto-" + UUID.randomUUID().toString().substring(0, 8);
        try (var producer = broker.producer()) {
            for (int number = 0; number < 10; number++) {
                producer.send(new ProducerRecord<>(topic, text(number))).get();
            }
        }
        var read = broker.readTexts(topic, EVERYTHING);
        Set<Integer> numbers = read.values().stream().flatMap(List::stream).map(Integer::parseInt).collect(toSet());
        Verdict.check(numbers.equals(range(0, 10).boxed().collect(toSet())), "read back " + read);
        return read.size() + " partitions";
    }

    /** Produces until the harness, which kills the broker meanwhile, lays down the stop file. */
    private String kill9() throws Exception {
        Path stopFile = Path.of(arguments[0]);
        String topic = topic("kill9", 2);
        Member member = new Member(broker.consumer(prefix + "-kill9", "classic"), topic);
        var acknowledged = new ConcurrentLinkedQueue<Acknowledged>();
        var failures = new ConcurrentLinkedQueue<Exception>();
        int number = 0;
        try (KafkaProducer<byte[], byte[]> producer = broker.producer()) {
            boolean ready = false;
            for (; !Files.exists(stopFile); number++) {
                int sent = number;
                producer.send(new ProducerRecord<>(topic, number % 2, null, text(number)), (place, error) -> {
                    if (error != null) {
                        failures.add(error);
                    } else {
                        acknowledged.add(new Acknowledged(place.partition(), place.offset(), sent));
                    }
                });
                Thread.sleep(5);
                if (!ready && acknowledged.size() >= 100 && !member.records.isEmpty()) {
                    ready = true;
                    Verdict.event("ready");
                }
            }
        }
        Verdict.check(failures.isEmpty(), failures.size() + " of " + number + " deliveries failed, the first with " + failures.peek());
        Verdict.check(acknowledged.size() == number, acknowledged.size() + " of " + number + " records acknowledged");
        verifyLog(broker.readAll(topic, EVERYTHING), acknowledged, number);
        Set<Integer> everything = acknowledged.stream().map(Acknowledged::number).collect(toSet());
        Verdict.waitFor("the consumer read every acknowledged record", () -> member.numbers().containsAll(everything), 40);
        member.leave();
        return number + " records acknowledged, exactly once, in order";
    }

    private static void verifyLog(Map<Integer, List<ConsumerRecord<byte[], byte[]>>> read, Collection<Acknowledged> acknowledged, int count) {
        read.forEach((partition, records) -> {
            List<Integer> wanted = range(0, count).filter(n -> n % 2 == partition).boxed().collect(toList());
            List<Integer> found = records.stream().map(r -> Integer.parseInt(new String(r.value()))).collect(toList());
            Verdict.check(found.equals(wanted), "partition " + partition + ": " + wanted.size() + " acknowledged, " + found.size() + " there, or another order");
            range(0, records.size()).forEach(i -> Verdict.check(records.get(i).offset() == i, "partition " + partition + " has gaps in its offsets"));
        });
        for (Acknowledged ack : acknowledged) {
            if (ack.offset() >= 0) {
                String there = new String(read.get(ack.partition()).get((int) ack.offset()).value());
                Verdict.check(there.equals(Integer.toString(ack.number())), "record " + ack.number() + " was acknowledged where " + there + " is");
            }
        }
    }
}
