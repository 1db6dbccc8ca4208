// What the page on docs lists: links to documentation, prompts for any challenge, words.
import type { Prompt } from "../../api/model";

interface Link { name: string; href: string; about: string }

export const OWN: Link[] = [
  { name: "The day before", href: "/help?doc=setup", about: "Python, VS Code, Databricks, the room" },
  { name: "VS Code and Python", href: "/help?doc=vscode-and-python", about: "from nothing to five records; debugging, Ctrl+C, notebooks" },
  { name: "The data", href: "/help?doc=data", about: "every field of the four streams, with its meaning and an example" },
  { name: "Dirt", href: "/help?doc=dirt", about: "what is damaged, late or there twice, on purpose" },
  { name: "How challenges are checked", href: "/help?doc=challenges", about: "tickets, verdicts, points" },
  { name: "Clients and logins", href: "/help?doc=clients-and-logins", about: "which library wants which settings" },
  { name: "Joining", href: "/help?doc=joining", about: "names, teams of two, what you may do" },
  { name: "Spark", href: "/help?doc=spark", about: "tables, checkpoints, receipts, the bridge" },
  { name: "Databricks", href: "/help?doc=databricks", about: "what a workspace reaches, and what to do where it reaches nothing" },
  { name: "Fraud", href: "/help?doc=fraud", about: "what is hidden in the payments" },
  { name: "Troubleshooting", href: "/help?doc=troubleshooting", about: "the whole page; the search is easier" },
];

export const OTHERS: { title: string; links: Link[] }[] = [
  {
    title: "Apache Kafka",
    links: [
      { name: "Introduction", href: "https://kafka.apache.org/intro", about: "what it is for, in ten minutes" },
      { name: "Documentation", href: "https://kafka.apache.org/documentation/", about: "all of it on one page" },
      { name: "Consumer settings", href: "https://kafka.apache.org/documentation/#consumerconfigs", about: "each with its default" },
      { name: "Producer settings", href: "https://kafka.apache.org/documentation/#producerconfigs", about: "acks, idempotence, batches" },
      { name: "Topic settings", href: "https://kafka.apache.org/documentation/#topicconfigs", about: "retention, compaction" },
    ],
  },
  {
    title: "Clients",
    links: [
      { name: "confluent-kafka for Python", href: "https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html", about: "the library of most starters" },
      { name: "librdkafka's settings", href: "https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md", about: "what confluent-kafka and kcat understand" },
      { name: "kafka-python", href: "https://kafka-python.readthedocs.io/", about: "Python all the way down" },
      { name: "aiokafka", href: "https://aiokafka.readthedocs.io/", about: "for asyncio" },
      { name: "KafkaJS", href: "https://kafka.js.org/docs/getting-started", about: "for Node.js" },
      { name: "kcat", href: "https://github.com/edenhill/kcat", about: "on the command line" },
      { name: "Java client", href: "https://kafka.apache.org/documentation/#api", about: "the original" },
    ],
  },
  {
    title: "Spark and around it",
    links: [
      { name: "Structured Streaming", href: "https://spark.apache.org/docs/latest/streaming/index.html", about: "the guide" },
      { name: "Kafka as a source", href: "https://spark.apache.org/docs/latest/streaming/structured-streaming-kafka-integration.html", about: "its options" },
      { name: "PySpark", href: "https://spark.apache.org/docs/latest/api/python/", about: "functions and classes" },
      { name: "Delta Lake", href: "https://docs.delta.io/latest/index.html", about: "tables, history, streams" },
      { name: "Databricks", href: "https://docs.databricks.com/", about: "workspaces, serverless compute, volumes" },
      { name: "Streamlit", href: "https://docs.streamlit.io/", about: "for the sales dashboard" },
    ],
  },
];

export const WORDS: [string, string][] = [
  ["broker", "The server that keeps the records and hands them out. Here it is this program."],
  ["topic", "A named log of records. Records are added at its end and never changed."],
  ["partition", "A part of a topic with an order of its own. Within one, records stay in order; between two, there is none."],
  ["offset", "The number of a record in its partition, counted from 0. It never changes and is never given twice."],
  ["record", "One entry: a key, a value, headers and a time. Kafka sees bytes; what they mean is up to you."],
  ["key", "What a record is about. Records with the same key go to the same partition, so they stay in order."],
  ["producer", "A program that writes records."],
  ["acks", "What a producer waits for. With all, a record that was answered is safe."],
  ["consumer", "A program that reads records. Reading takes nothing away."],
  ["group", "Consumers with one group.id. They share the partitions: each partition is read by one of them."],
  ["rebalance", "Partitions are handed out anew, as a member of the group came or went."],
  ["commit", "To write down how far a group has come in a partition, so that the next start goes on there."],
  ["lag", "How many records a group has not read yet: the end of the log less what was committed."],
  ["retention", "How long, or how much, a topic keeps. What is older goes, whether anybody has read it or not."],
  ["compaction", "Another way to clean up: of each key, the newest record stays."],
  ["tombstone", "A record with a key and no value. In a compacted topic it says: this key is gone."],
  ["event time", "When something happened, as the value says. The record's own timestamp says when it arrived."],
  ["window", "A span of event time that is counted as one, such as every five minutes."],
  ["watermark", "How far event time has come, less some patience. What is older counts as too late, and its memory is freed."],
  ["checkpoint", "Where a Spark query keeps how far it came and what it remembers. A group on the broker it has none."],
  ["medallion", "Tables in layers: bronze as it came, silver cleaned and typed, gold as somebody asked for."],
];

export const ANY: Prompt[] = [
  {
    ask: "Here is an error with the lines of code around it. Name the two most likely causes, and for each a test of one minute that would rule it out. Do not change my code yet.",
    verify_by: "Run both tests before you change anything. Did one of them really rule a cause out?",
  },
  {
    ask: "Here is my consumer. What happens to it when the broker is away for a minute, when a value is no JSON, and when a second copy of it starts?",
    verify_by: "Try all three. Write down what you expect before you look.",
  },
  {
    ask: "Which settings of my code do you only assume, and which version of the library is your answer for? List them.",
    verify_by: "Compare with the version that pip shows you, and with the documentation of that version.",
  },
  {
    ask: "Explain this piece of code to me line by line, then ask me three questions about it and wait for my answers.",
    verify_by: "Answer without looking. Where you disagree with the tool, print the value in question.",
  },
];
