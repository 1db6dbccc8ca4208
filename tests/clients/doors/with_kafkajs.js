// KafkaJS, as work.py says.
'use strict';

const fs = require('fs');
const readline = require('readline');
const { Kafka, logLevel, Partitioners } = require('kafkajs');

const AT_ONCE = 4;
const say = (line) => fs.writeSync(1, `${JSON.stringify(line)}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Job {
  constructor(line) {
    for (const field of line.split('\t')) this[field.slice(0, field.indexOf('='))] = field.slice(field.indexOf('=') + 1);
    this.until_ = this.until ? new RegExp(this.until, 'i') : /(?!)/;
    this.limit = Number(this.limit || 0);
    this.records = 0;
    this.words = [];
    this.told = false;
    this.stays = this.kind === 'stay';
  }

  get seconds() {
    return Math.round((Date.now() - this.begin) / 10) / 100;
  }

  said(words) {
    const text = (words instanceof Error ? `${words.name}: ${words.message}` : words).replace(/\s+/g, ' ');
    if (this.stays) return say({ id: this.id, at: Date.now() / 1000, words: text });
    this.words.push([this.seconds, text]);
    this.told = this.told || this.until_.test(text);
  }

  get over() {
    return this.told || this.seconds > this.limit;
  }

  kafka() {
    const settings = {
      clientId: this.id.replace(/[^a-z0-9]/gi, '-'),
      brokers: [this.bootstrap],
      sasl: { mechanism: this.mechanism.toLowerCase(), username: this.user, password: this.password },
      logLevel: logLevel.ERROR,
      logCreator: () => ({ log }) => this.said(`${log.message} ${log.error || ''}`),
    };
    if (this.protocol === 'SASL_SSL') settings.ssl = this.ca ? { ca: [fs.readFileSync(this.ca)] } : true;
    return new Kafka(settings);
  }
}

/** Waits for the work, for the job's end at the latest. */
async function inTime(job, work) {
  let done = false;
  const noted = work().catch((error) => job.said(error)).finally(() => (done = true));
  while (!done && !job.over) await sleep(20);
  return noted;
}

async function consuming(job, over) {
  const consumer = job.kafka().consumer({ groupId: job.group });
  await consumer.connect();
  await consumer.subscribe({ topics: [job.topic], fromBeginning: job.reset === 'earliest' });
  let crashed = null;
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    job.said(payload.error);
    if (!payload.restart) crashed = payload.error;
  });
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      if (batch.messages.length === 0) return;
      const first = batch.messages[0];
      job.records += batch.messages.length;
      if (job.stays) say({ id: job.id, at: Date.now() / 1000, read: [[batch.partition, Number(first.offset), Number(first.timestamp)]] });
      resolveOffset(batch.lastOffset());
      await heartbeat();
    },
  });
  while (!over() && !crashed) await sleep(20);
  await consumer.disconnect();
}

async function producing(job, topic, over) {
  const producer = job.kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  while (!over()) {
    try {
      const [sent] = await producer.send({ topic, messages: [{ value: 'x' }] });
      if (job.stays) say({ id: job.id, at: Date.now() / 1000, wrote: [sent.partition, Number(sent.baseOffset)] });
      job.records += 1;
    } catch (error) {
      job.said(error);
    }
    if (!job.stays) break;
    await sleep(200);
  }
  await producer.disconnect();
}

let ended = false;
async function one(job) {
  job.begin = Date.now();
  if (job.stays) {
    const noted = (work) => work.catch((error) => job.said(error));
    await Promise.all([noted(consuming(job, () => ended)), noted(producing(job, job.out, () => ended))]);
    return;
  }
  const work = job.kind === 'read' ? () => consuming(job, () => job.records >= 5) : () => producing(job, job.topic, () => false);
  await Promise.race([inTime(job, work), (async () => { while (!job.over) await sleep(20); })()]);
  say({ id: job.id, records: job.records, seconds: job.seconds, words: job.words });
}

const waiting = [];
let running = 0;
function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    one(new Job(waiting.shift())).finally(() => { running -= 1; next(); });
  }
  if (ended && running === 0) process.exit(0);
}

process.on('unhandledRejection', () => {});
readline.createInterface({ input: process.stdin })
  .on('line', (line) => { waiting.push(line); next(); })
  .on('close', () => { ended = true; next(); });
