/* librdkafka at full speed, for the broker's sake. The library is the one inside confluent-kafka's wheel, which brings no header:
 * the few declarations below are its public, stable interface.
 *
 *   librdkafka produce BROKERS TOPIC SIZE COUNT PID
 *   librdkafka consume BROKERS TOPIC SIZE COUNT PID
 *   librdkafka mock TOPIC           its own mock cluster in a process of its own; prints its address, ends with the standard input
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_mock_cluster_s rd_kafka_mock_cluster_t;
typedef struct {
  int err;
  rd_kafka_topic_t *rkt;
  int32_t partition;
  void *payload;
  size_t len;
  void *key;
  size_t key_len;
  int64_t offset;
  void *private_;
} rd_kafka_message_t;

enum { PRODUCER, CONSUMER, FLAG_COPY = 2, QUEUE_FULL = -184, OFFSET_BEGINNING = -2 };

rd_kafka_conf_t *rd_kafka_conf_new(void);
int rd_kafka_conf_set(rd_kafka_conf_t *, const char *, const char *, char *, size_t);
void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *, void (*)(rd_kafka_t *, const rd_kafka_message_t *, void *));
rd_kafka_t *rd_kafka_new(int, rd_kafka_conf_t *, char *, size_t);
rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *, const char *, void *);
int rd_kafka_metadata(rd_kafka_t *, int, rd_kafka_topic_t *, const void **, int);
int rd_kafka_produce(rd_kafka_topic_t *, int32_t, int, void *, size_t, const void *, size_t, void *);
int rd_kafka_last_error(void);
const char *rd_kafka_err2str(int);
int rd_kafka_poll(rd_kafka_t *, int);
int rd_kafka_flush(rd_kafka_t *, int);
int rd_kafka_consume_start(rd_kafka_topic_t *, int32_t, int64_t);
ssize_t rd_kafka_consume_batch(rd_kafka_topic_t *, int32_t, int, rd_kafka_message_t **, size_t);
void rd_kafka_message_destroy(rd_kafka_message_t *);
rd_kafka_mock_cluster_t *rd_kafka_mock_cluster_new(rd_kafka_t *, int);
int rd_kafka_mock_topic_create(rd_kafka_mock_cluster_t *, const char *, int, int);
const char *rd_kafka_mock_cluster_bootstraps(const rd_kafka_mock_cluster_t *);

static long delivered, failed;

static void fail(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
  (void)rk, (void)opaque;
  if (message->err)
    failed++;
  else
    delivered++;
}

static double seconds(clockid_t clock) {
  struct timespec now;
  return clock_gettime(clock, &now) ? 0 : now.tv_sec + now.tv_nsec / 1e9;
}

/* The CPU clock of another process: user and system time. */
static double cpu_of(int pid) { return seconds((clockid_t)((~(unsigned)pid << 3) | 2)); }

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[512];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error)) fail(error);
}

static rd_kafka_t *client(int kind, const char *brokers) {
  char error[512];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  if (brokers) set(conf, "bootstrap.servers", brokers);
  set(conf, "log_level", "2");
  if (kind == PRODUCER) {
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "message.timeout.ms", "60000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  } else {
    set(conf, "queued.min.messages", "1000000");
    set(conf, "fetch.wait.max.ms", "100");
  }
  rd_kafka_t *rk = rd_kafka_new(kind, conf, error, sizeof error);
  if (!rk) fail(error);
  return rk;
}

static void report(double began, double broker, double own, int pid, long count, long size) {
  double took = seconds(CLOCK_MONOTONIC) - began, cpu = cpu_of(pid) - broker, mine = seconds(CLOCK_PROCESS_CPUTIME_ID) - own;
  printf("{\"krec_s\": %f, \"us_rec\": %f, \"mb_s\": %f, \"seconds\": %f, \"cores\": %f, \"client_cores\": %f}\n", count / took / 1e3,
         cpu / count * 1e6, count * (double)size / took / 1e6, took, cpu / took, mine / took);
}

static void produce(const char *brokers, const char *topic, long size, long count, int pid) {
  rd_kafka_t *rk = client(PRODUCER, brokers);
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  const void *metadata;
  if (rd_kafka_metadata(rk, 0, rkt, &metadata, 10000)) fail("no metadata");
  unsigned char *payload = malloc(size);
  srand(1);
  for (long at = 0; at < size; at++) payload[at] = rand() >> 7;
  double began = seconds(CLOCK_MONOTONIC), broker = cpu_of(pid), own = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (long number = 0; number < count; number++) {
    while (rd_kafka_produce(rkt, 0, FLAG_COPY, payload, size, NULL, 0, NULL)) {
      if (rd_kafka_last_error() != QUEUE_FULL) fail(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(rk, 1);
    }
    if (number % 1024 == 0) rd_kafka_poll(rk, 0);
  }
  if (rd_kafka_flush(rk, 60000) || failed || delivered != count) fail("not everything was delivered");
  report(began, broker, own, pid, count, size);
}

static void consume(const char *brokers, const char *topic, long size, long count, int pid) {
  rd_kafka_t *rk = client(CONSUMER, brokers);
  rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
  const void *metadata;
  if (rd_kafka_metadata(rk, 0, rkt, &metadata, 10000)) fail("no metadata");
  double began = seconds(CLOCK_MONOTONIC), broker = cpu_of(pid), own = seconds(CLOCK_PROCESS_CPUTIME_ID), heard = began;
  if (rd_kafka_consume_start(rkt, 0, OFFSET_BEGINNING)) fail("cannot start to consume");
  static rd_kafka_message_t *messages[10000];
  long seen = 0;
  while (seen < count) {
    ssize_t got = rd_kafka_consume_batch(rkt, 0, 100, messages, sizeof messages / sizeof *messages);
    for (ssize_t at = 0; at < got; at++) {
      if (!messages[at]->err && (long)messages[at]->len == size) seen++;
      rd_kafka_message_destroy(messages[at]);
    }
    double now = seconds(CLOCK_MONOTONIC);
    if (got > 0) heard = now;
    if (now - heard > 10) fail("nothing came for ten seconds");
  }
  report(began, broker, own, pid, count, size);
}

static void mock(const char *topic) {
  rd_kafka_t *rk = client(PRODUCER, NULL);
  rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
  if (!cluster || rd_kafka_mock_topic_create(cluster, topic, 1, 1)) fail("no mock cluster");
  printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
  fflush(stdout);
  char nothing[64];
  while (read(0, nothing, sizeof nothing) > 0) {
  }
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "mock")) {
    mock(argv[2]);
  } else if (argc == 7) {
    long size = atol(argv[4]), count = atol(argv[5]);
    (strcmp(argv[1], "produce") ? consume : produce)(argv[2], argv[3], size, count, atoi(argv[6]));
  } else {
    fail("librdkafka produce|consume BROKERS TOPIC SIZE COUNT PID, librdkafka mock TOPIC");
  }
  _exit(fflush(stdout));
}
