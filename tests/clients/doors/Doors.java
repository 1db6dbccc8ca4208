import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client, as work.py says. */
final class Doors {
    private static final int AT_ONCE = 4;
    private static volatile boolean ended;

    private final Map<String, String> fields = new HashMap<>();
    private final List<String> words = new ArrayList<>();
    private final Pattern until;
    private final boolean stays;
    private long begin;
    private volatile boolean told;
    private volatile int records;

    private Doors(String line) {
        for (String field : line.split("\t")) {
            fields.put(field.substring(0, field.indexOf('=')), field.substring(field.indexOf('=') + 1));
        }
        String given = fields.getOrDefault("until", "");
        until = Pattern.compile(given.isEmpty() ? "(?!)" : given, Pattern.CASE_INSENSITIVE);
        stays = get("kind").equals("stay");
    }

    private String get(String name) {
        return fields.getOrDefault(name, "");
    }

    private double seconds() {
        return (System.nanoTime() - begin) / 1e9;
    }

    private boolean over() {
        return told || seconds() > Double.parseDouble(get("limit"));
    }

    private static String quoted(String text) {
        String one = text.replaceAll("\\s+", " ").replaceAll("\\p{Cntrl}", "");
        return '"' + one.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static void say(String format, Object... values) {
        synchronized (System.out) {
            System.out.println(String.format(java.util.Locale.ROOT, format, values));
            System.out.flush();
        }
    }

    private void say(String name, String value) {
        say("{\"id\": %s, \"at\": %.3f, \"%s\": %s}", quoted(get("id")), System.currentTimeMillis() / 1000.0, name, value);
    }

    private synchronized void said(Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = error; at != null; at = at.getCause()) {
            text.append(text.isEmpty() ? "" : "; caused by ").append(at.getClass().getSimpleName()).append(": ").append(at.getMessage());
        }
        if (stays) {
            say("words", quoted(text.toString()));
            return;
        }
        words.add(String.format(java.util.Locale.ROOT, "[%.2f, %s]", seconds(), quoted(text.toString())));
        told = told || until.matcher(text).find();
    }

    private Properties settings() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", get("bootstrap"));
        settings.put("security.protocol", get("protocol"));
        settings.put("sasl.mechanism", get("mechanism"));
        String module = get("mechanism").equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
        settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module
                + " required username=\"" + get("user") + "\" password=\"" + get("password") + "\";");
        if (!get("ca").isEmpty()) {
            settings.put("ssl.truststore.type", "PEM");
            settings.put("ssl.truststore.location", get("ca"));
        }
        return settings;
    }

    private void consuming(BooleanSupplier over) {
        Properties settings = settings();
        settings.put("group.id", get("group"));
        settings.put("auto.offset.reset", get("reset"));
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(get("topic")));
            while (!over.getAsBoolean()) {
                try {
                    read(consumer.poll(Duration.ofMillis(100)));
                } catch (RuntimeException error) {
                    if (!stays) {
                        throw error;
                    }
                    said(error);
                }
            }
        }
    }

    private void read(Iterable<ConsumerRecord<byte[], byte[]>> found) {
        Map<Integer, String> first = new TreeMap<>();
        for (var record : found) {
            records += 1;
            first.putIfAbsent(record.partition(), "[" + record.partition() + ", " + record.offset() + ", " + record.timestamp() + "]");
        }
        if (stays && !first.isEmpty()) {
            say("read", "[" + String.join(", ", first.values()) + "]");
        }
    }

    private void producing(String topic, BooleanSupplier over) throws InterruptedException {
        try (var producer = new KafkaProducer<>(settings(), new ByteArraySerializer(), new ByteArraySerializer())) {
            while (!over.getAsBoolean()) {
                try {
                    RecordMetadata sent = producer.send(new ProducerRecord<>(topic, "x".getBytes())).get();
                    records += 1;
                    if (stays) {
                        say("wrote", "[" + sent.partition() + ", " + sent.offset() + "]");
                    }
                } catch (ExecutionException error) {
                    said(error.getCause());
                } catch (RuntimeException error) {
                    said(error);
                }
                if (!stays) {
                    producer.close(Duration.ZERO);
                    return;
                }
                Thread.sleep(200);
            }
        }
    }

    private void run() {
        begin = System.nanoTime();
        try {
            if (stays) {
                Thread other = new Thread(() -> {
                    try {
                        producing(get("out"), () -> ended);
                    } catch (InterruptedException | RuntimeException error) {
                        said(error);
                    }
                });
                other.setDaemon(true);
                other.start();
                consuming(() -> ended);
            } else if (get("kind").equals("read")) {
                consuming(() -> over() || records >= 5);
            } else {
                producing(get("topic"), this::over);
            }
        } catch (InterruptedException | RuntimeException error) {
            said(error);
        }
        if (!stays) {
            say("{\"id\": %s, \"records\": %d, \"seconds\": %.2f, \"words\": [%s]}", quoted(get("id")), records, seconds(), String.join(", ", words));
        }
    }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE);
        BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in));
        for (String line = jobs.readLine(); line != null; line = jobs.readLine()) {
            pool.submit(new Doors(line)::run);
        }
        ended = true;
        pool.shutdown();
        pool.awaitTermination(5, TimeUnit.MINUTES);
        System.exit(0);
    }
}
