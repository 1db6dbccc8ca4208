// KafkaJS: `node client.js BOOTSTRAP SCENARIO PREFIX [STOP_FILE]`, with the modules found through NODE_PATH.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const kafkajs = require('kafkajs');
const snappy = require('kafkajs-snappy');
const lz4 = require('lz4-napi');
const zstd = require('@mongodb-js/zstd');

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder) => zstd.compress(encoder.buffer, 3),
  decompress: (buffer) => zstd.decompress(buffer),
});

const CANNOT = {
  cooperative: 'no cooperative assignor',
  static: 'no static members',
  kip848: 'classic groups only',
};
const FIRST_RECORD_LIMIT = 2.0; // ten times the 0.2 s that the project promises

const [bootstrap, scenario, prefix, stopFile] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [bootstrap], clientId: 'kafkajs-tests', logLevel: kafkajs.logLevel.WARN, retry: { retries: 12, maxRetryTime: 2000 } });
const admin = kafka.admin();

class Failed extends Error {}
function check(condition, message) {
  if (!condition) throw new Failed(message);
}
const say = (line) => fs.writeSync(1, `${JSON.stringify(line)}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const numbers = (begin, end) => Array.from({ length: end - begin }, (_, i) => begin + i);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function waitFor(what, condition, seconds) {
  const begin = process.hrtime.bigint();
  while (!(await condition())) {
    check(since(begin) < seconds, `after ${seconds} s still not: ${what}`);
    await sleep(20);
  }
  return since(begin);
}
const since = (begin) => Number(process.hrtime.bigint() - begin) / 1e9;

async function createTopic(name, numPartitions, configEntries = []) {
  const topic = `${prefix}-${name}`;
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }], waitForLeaders: true });
  return topic;
}

async function producing(settings, work) {
  const producer = kafka.producer({ allowAutoTopicCreation: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner, ...settings });
  await producer.connect();
  try {
    return await work(producer);
  } finally {
    await producer.disconnect();
  }
}

async function produceNumbers(topic, begin, end, partitions) {
  await producing({}, (producer) =>
    producer.send({ topic, messages: numbers(begin, end).map((n) => ({ value: String(n), partition: n % partitions })) }));
}

/** A group member; what it was given is read from its own events. */
class Member {
  constructor(group, topic, settings = {}) {
    this.records = [];
    this.assignment = [];
    this.topic = topic;
    this.consumer = kafka.consumer({ groupId: group, sessionTimeout: 10000, heartbeatInterval: 500, maxWaitTimeInMs: 200, ...settings });
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      this.assignment = payload.memberAssignment[topic] || [];
    });
    this.consumer.on(this.consumer.events.REBALANCING, () => {
      this.assignment = [];
    });
  }

  async start(runSettings = {}, onRecord = () => {}) {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    await this.consumer.run({
      ...runSettings,
      eachMessage: async ({ partition, message }) => {
        this.records.push({ partition, ...message });
        onRecord(message);
      },
    });
    return this;
  }

  leave() {
    return this.consumer.disconnect();
  }
}

/** KafkaJS reads only in a group, so a whole topic is read by a group of one. */
async function readAll(topic, settings = {}) {
  const ends = await admin.fetchTopicOffsets(topic);
  const found = Object.fromEntries(ends.map((end) => [end.partition, []]));
  const places = Object.fromEntries(ends.map((end) => [end.partition, Number(end.low)]));
  const member = new Member(`${topic}-reader-${crypto.randomUUID()}`, topic, settings);
  member.consumer.on(member.consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    places[payload.partition] = Math.max(places[payload.partition], Number(payload.lastOffset) + 1);
  });
  await member.start();
  const complete = () => ends.every((end) => places[end.partition] >= Number(end.high));
  await waitFor(`the whole of ${topic} is read`, complete, 20);
  await member.leave();
  for (const record of member.records) found[record.partition].push(record);
  return found;
}

function samples() {
  const start = Date.now() - 60000;
  const random = crypto.createHash('shake256', { outputLength: 20000 }).update('seed').digest();
  const kinds = [
    (i) => Buffer.from(`order ${i}, \u20ac 12.50`),
    () => Buffer.from(numbers(0, 256)),
    () => Buffer.alloc(0),
    () => null,
    () => Buffer.from('{"sku":"A-1","qty":3},'.repeat(2500)),
    () => random,
  ];
  return numbers(0, 40).map((i) => ({
    key: i % 5 === 0 ? null : Buffer.from(`key-${i}`),
    value: kinds[i % kinds.length](i),
    headers: i % 3 === 0 ? { trace: [Buffer.from([0, 255, 128]), Buffer.from('the same name again')], größe: Buffer.from('über') } : {},
    timestamp: String(start + i),
    partition: 0,
  }));
}

const scenarios = {
  async codecs() {
    const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };
    for (const [name, compression] of Object.entries(codecs)) {
      const topic = await createTopic(name, 1);
      const sent = samples();
      await producing({}, (producer) => producer.send({ topic, compression, acks: -1, messages: sent }));
      const read = (await readAll(topic))[0];
      check(read.length === sent.length, `${name}: sent ${sent.length} records, read ${read.length}`);
      read.forEach((record, place) => {
        check(record.offset === String(place), `${name}: offset ${record.offset} at place ${place}`);
        for (const part of ['key', 'value', 'headers', 'timestamp']) {
          check(same(record[part], sent[place][part]), `${name}: record ${place} came back with another ${part}`);
        }
      });
    }
    return Object.keys(codecs).join(' ');
  },

  async idempotent() {
    const topic = await createTopic('idempotent', 2);
    await producing({ idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
      for (const begin of numbers(0, 10)) {
        await producer.send({ topic, acks: -1, messages: numbers(begin * 100, begin * 100 + 100).map((n) => ({ value: String(n), partition: n % 2 })) });
      }
    });
    for (const [partition, records] of Object.entries(await readAll(topic))) {
      const wanted = numbers(0, 500).map((n) => n * 2 + Number(partition));
      check(same(records.map((r) => Number(r.value)), wanted), `partition ${partition} is not 0..999 once and in order`);
    }
  },

  async transactions() {
    const topic = await createTopic('transactions', 1);
    await producing({ transactionalId: `${prefix}-producer`, idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
      for (const number of numbers(0, 4)) {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: numbers(0, 10).map((place) => ({ value: `${number}-${place}`, partition: 0 })) });
        await (number % 2 === 0 ? transaction.commit() : transaction.abort());
      }
    });
    // a batch that ends in a control record or in an aborted transaction is not reported as read, so a closing record is
    await produceNumbers(topic, 99, 100, 1);
    const wanted = [0, 2].flatMap((number) => numbers(0, 10).map((place) => `${number}-${place}`)).concat('99');
    const committed = (await readAll(topic))[0].map((r) => String(r.value));
    check(same(committed, wanted), `read_committed saw ${committed.length} records: ${committed}`);
    const everything = (await readAll(topic, { readUncommitted: true }))[0];
    check(everything.length === 41, `read_uncommitted saw ${everything.length} records of 41`);
  },

  async resume() {
    const topic = await createTopic('resume', 2);
    await produceNumbers(topic, 0, 60, 2);
    const runs = [];
    for (const most of [25, 35]) {
      const seen = [];
      const consumer = kafka.consumer({ groupId: `${prefix}-resume`, maxWaitTimeInMs: 200 });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message }) => {
          if (seen.length < most) {
            seen.push(Number(message.value));
            await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }]);
          }
        },
      });
      await waitFor(`run ${runs.length + 1} reads ${most} records`, () => seen.length === most, 20);
      await consumer.disconnect();
      runs.push(seen);
    }
    const all = runs.flat().sort((a, b) => a - b);
    check(same(all, numbers(0, 60)), `the second run did not resume: ${runs[0]} then ${runs[1]}`);
  },

  async rebalance() {
    const topic = await createTopic('classic', 4);
    const first = await new Member(`${prefix}-classic`, topic).start();
    await waitFor('one member has all four partitions', () => first.assignment.length === 4, 20);
    const second = await new Member(`${prefix}-classic`, topic).start();
    const shared = () => first.assignment.length === 2 && second.assignment.length === 2;
    const joined = await waitFor('two members share the partitions two and two', shared, 20);
    await produceNumbers(topic, 0, 100, 4);
    const read = (members) => new Set(members.flatMap((m) => m.records.map((r) => Number(r.value))));
    await waitFor('both together read 100 records', () => read([first, second]).size === 100, 20);
    check(second.records.length > 0, 'the second member read nothing');
    await second.leave();
    const taken = await waitFor('the first member takes over', () => first.assignment.length === 4, 20);
    await produceNumbers(topic, 100, 200, 4);
    await waitFor('the first member reads the next 100 alone', () => numbers(100, 200).every((n) => read([first]).has(n)), 20);
    await first.leave();
    return `shared after ${joined.toFixed(1)} s, taken over after ${taken.toFixed(1)} s`;
  },

  async first() {
    const topic = await createTopic('first', 4);
    await produceNumbers(topic, 0, 8, 4);
    const times = [];
    for (const attempt of numbers(0, 3)) {
      let took = null;
      const begin = process.hrtime.bigint();
      const member = new Member(`${prefix}-first-${attempt}`, topic);
      await member.start({}, () => {
        took ??= since(begin);
      });
      await waitFor('the first record', () => took !== null, 30);
      times.push(took);
      await member.leave();
    }
    const text = `first record after ${times.map((t) => t.toFixed(3)).join(', ')} s`;
    check(Math.min(...times) < FIRST_RECORD_LIMIT, text);
    return text;
  },

  async autocreate() {
    const topic = `${prefix}-auto-${crypto.randomUUID().slice(0, 8)}`;
    await producing({}, (producer) => producer.send({ topic, messages: numbers(0, 10).map((n) => ({ value: String(n) })) }));
    const read = await readAll(topic);
    const values = Object.values(read).flat().map((r) => Number(r.value)).sort((a, b) => a - b);
    check(same(values, numbers(0, 10)), `read back ${values}`);
    return `${Object.keys(read).length} partitions`;
  },

  async admin() {
    const topic = await createTopic('admin', 2, [{ name: 'retention.ms', value: '3600000' }]);
    const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
    const config = async (name) => {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] });
      return resources[0].configEntries.find((entry) => entry.configName === name).configValue;
    };
    check((await admin.listTopics()).includes(topic), 'the topic is not listed');
    check((await partitions()) === 2, 'it does not have two partitions');
    check((await config('retention.ms')) === '3600000', 'its setting is not kept');
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await waitFor('it has three partitions', async () => (await partitions()) === 3, 10);
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] });
    await waitFor('the new setting is described', async () => (await config('retention.ms')) === '7200000', 10);

    const start = Date.now() - 600000;
    const messages = numbers(0, 30).map((n) => ({ value: String(n), partition: 0, timestamp: String(start + n * 1000) }));
    await producing({}, (producer) => producer.send({ topic, messages }));
    const at = async (timestamp) => (await admin.fetchTopicOffsetsByTimestamp(topic, start + timestamp)).find((p) => p.partition === 0).offset;
    for (const [timestamp, wanted] of [[0, '0'], [10000, '10'], [10001, '11'], [29000, '29']]) {
      check((await at(timestamp)) === wanted, `the first offset at +${timestamp} ms is ${wanted}, the broker says ${await at(timestamp)}`);
    }
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
    check((await at(0)) === '5', `after deleting what is before offset 5 the first offset is ${await at(0)}`);

    const groupId = `${prefix}-admin`;
    const described = async () => (await admin.describeGroups([groupId])).groups[0];
    const listed = async () => (await admin.listGroups()).groups.some((group) => group.groupId === groupId);
    const member = await new Member(groupId, topic).start();
    await waitFor("the group's member reads", () => member.records.length >= 20, 20);
    check(await listed(), 'the group is not listed');
    const stable = await described();
    check(stable.state === 'Stable' && stable.members.length === 1, `the group is ${stable.state} with ${stable.members.length} members`);
    await member.leave();
    await waitFor('the group is Empty', async () => (await described()).state === 'Empty', 10);
    await admin.deleteGroups([groupId]);
    await waitFor('the group is gone', async () => !(await listed()), 10);
    await admin.deleteTopics({ topics: [topic] });
    await waitFor('the topic is gone', async () => !(await admin.listTopics()).includes(topic), 10);
  },

  async kill9() {
    const topic = await createTopic('kill9', 2);
    const member = await new Member(`${prefix}-kill9`, topic).start();
    const acknowledged = [];
    let number = 0;
    let ready = false;
    await producing({ idempotent: true, maxInFlightRequests: 1 }, async (producer) => {
      while (!fs.existsSync(stopFile)) {
        const batch = numbers(number, number + 4);
        number += 4;
        await producer.send({ topic, acks: -1, messages: batch.map((n) => ({ value: String(n), partition: n % 2 })) });
        acknowledged.push(...batch);
        if (!ready && acknowledged.length >= 100 && member.records.length > 0) {
          ready = true;
          say({ event: 'ready' });
        }
        await sleep(20);
      }
    });
    for (const [partition, records] of Object.entries(await readAll(topic))) {
      const wanted = acknowledged.filter((n) => n % 2 === Number(partition));
      const found = records.map((r) => Number(r.value));
      check(same(found, wanted), `partition ${partition}: ${wanted.length} acknowledged, ${found.length} there, or another order`);
      records.forEach((record, place) => check(record.offset === String(place), `partition ${partition} has gaps in its offsets`));
    }
    const seen = () => new Set(member.records.map((r) => Number(r.value)));
    await waitFor('the consumer read every acknowledged record', () => acknowledged.every((n) => seen().has(n)), 40);
    await member.leave();
    return `${number} records acknowledged, exactly once, in order`;
  },
};

async function judge() {
  if (CANNOT[scenario]) return { verdict: 'n/a', detail: CANNOT[scenario] };
  try {
    await admin.connect();
    return { verdict: 'ok', detail: (await scenarios[scenario]()) || '' };
  } catch (error) {
    if (!(error instanceof Failed)) process.stderr.write(`${error.stack}\n`);
    return { verdict: 'fail', detail: error instanceof Failed ? error.message : String(error) };
  }
}

judge().then((verdict) => {
  say(verdict);
  process.exit(verdict.verdict === 'fail' ? 1 : 0);
});
