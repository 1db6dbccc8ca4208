// One small working day of KafkaJS: clients.mjs ADDRESS TOPIC.
import pkg from "kafkajs";

const { Kafka, logLevel } = pkg;
const [address, topic] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "kafkajs", brokers: [address], logLevel: logLevel.ERROR });
const producer = kafka.producer({ idempotent: true });
await producer.connect();
await producer.send({ topic, messages: [{ key: "k", value: "one", headers: { h: "1" } }, { value: "two" }] });
await producer.disconnect();
const consumer = kafka.consumer({ groupId: `${topic}-kafkajs` });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await new Promise((done) => {
  consumer.run({ eachMessage: async () => done() });
});
await new Promise((done) => setTimeout(done, 4000));
await consumer.disconnect();
const admin = kafka.admin();
await admin.connect();
await admin.fetchTopicOffsets(topic);
await admin.listGroups();
await admin.describeCluster();
await admin.fetchOffsets({ groupId: `${topic}-kafkajs`, topics: [topic] });
await admin.disconnect();
