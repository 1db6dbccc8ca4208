//! A data folder that an earlier build wrote (`fixture/`), opened by this one: what was stored then has to be read now.

#[path = "process/client.rs"]
mod client;
#[path = "process/copy.rs"]
mod copy;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use client::{Client, text, topic_name};
use copy::copy;
use headwater::model::{BatchBuilder, Batches, Codec, NewRecord, ProducerEpoch, ProducerId, Timestamp, TopicId};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, InitProducerIdRequest, OffsetFetchRequest};
use running::Running;
use rustix::process::Signal;
use serde::Deserialize;
use tempfile::{TempDir, tempdir};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture");
/// The folder grows old; what it holds must not expire with it.
const FLAGS: [&str; 2] = ["--set", "offsets.retention.minutes=2147483647"];

const OFFSET_OUT_OF_RANGE: i16 = 1;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const DYNAMIC_TOPIC: i8 = 1;
const DYNAMIC_BROKER: i8 = 2;
const DYNAMIC_DEFAULT_BROKER: i8 = 3;

/// contents.json, as the client that wrote the folder was told it.
#[derive(Deserialize)]
struct Contents {
    topics: BTreeMap<String, Topic>,
    log_starts: BTreeMap<String, i64>,
    records: Vec<Record>,
    committed: Vec<Committed>,
    /// By broker, empty for all.
    broker_configs: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Topic {
    id: String,
    partitions: usize,
    configs: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Record {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

#[derive(Deserialize)]
struct Committed {
    group: String,
    topic: String,
    partition: i32,
    offset: i64,
    metadata: String,
}

fn contents() -> Contents {
    serde_json::from_str(&fs::read_to_string(format!("{FIXTURE}/contents.json")).expect("contents.json")).expect("JSON")
}

/// A folder whose `data` is a copy of the fixture.
fn copied() -> TempDir {
    let folder = tempdir().expect("folder");
    copy(&Path::new(FIXTURE).join("data"), &folder.path().join("data"));
    folder
}

/// Every file below a folder, by its path in it.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).expect("below").to_owned(), fs::read(&path).expect("file"));
            }
        }
    }
    found
}

fn owned(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The batches of a partition from an offset on, as they are stored.
fn batches(client: &mut Client, topic: &str, partition: i32, from: i64) -> Vec<Bytes> {
    let (mut found, mut next) = (Vec::new(), from);
    loop {
        let data = client.fetch(topic, partition, next);
        assert_eq!(data.error_code, 0, "{topic}-{partition} from {next}");
        let bytes = data.records.unwrap_or_default();
        if bytes.is_empty() {
            return found;
        }
        for batch in Batches::new(&bytes) {
            let batch = batch.expect("a batch");
            batch.verify_crc().expect("crc");
            next = batch.header.next_offset().0;
            found.push(bytes.slice_ref(batch.bytes));
        }
    }
}

fn records(client: &mut Client, topic: &str, partition: i32, from: i64) -> Vec<Record> {
    let stored = batches(client, topic, partition, from);
    let decoded = stored.iter().map(|bytes| Batches::new(bytes).next().expect("a batch").expect("a batch").records().expect("records"));
    let decoded: Vec<_> = decoded.collect();
    let record = |r: headwater::model::Record<'_>| Record {
        topic: topic.to_owned(),
        partition,
        offset: r.offset.0,
        timestamp: r.timestamp.0,
        key: r.key.map(owned),
        value: r.value.map(owned),
        headers: r.headers().map(|(name, value)| (owned(name), value.map(owned))).collect(),
    };
    decoded.iter().flat_map(|records| records.iter()).map(|r| record(r.expect("a record"))).filter(|r| r.offset >= from).collect()
}

fn assert_records(client: &mut Client, contents: &Contents) {
    let mut count = 0;
    for (name, topic) in &contents.topics {
        let start = contents.log_starts.get(name).copied().unwrap_or(0);
        for partition in 0..i32::try_from(topic.partitions).expect("a count") {
            let wanted: Vec<Record> = contents.records.iter().filter(|r| r.topic == *name && r.partition == partition).cloned().collect();
            let held = records(client, name, partition, start);
            assert_eq!(held, wanted, "{name}-{partition}");
            let end = wanted.last().map_or(0, |r| r.offset + 1);
            assert_eq!(client.list_offset(name, partition, -2), (0, start), "{name}-{partition}: first");
            assert_eq!(client.list_offset(name, partition, -1), (0, end), "{name}-{partition}: end");
            count += held.len();
        }
    }
    assert_eq!(count, contents.records.len());
}

fn assert_topics(client: &mut Client, contents: &Contents) {
    let metadata = client.metadata(None);
    for (name, topic) in &contents.topics {
        let described = metadata.topics.iter().find(|t| t.name.as_ref().is_some_and(|n| n.0.as_str() == name)).expect(name);
        assert_eq!(TopicId(described.topic_id.into_bytes()).to_base64(), topic.id, "{name}");
        assert_eq!(described.partitions.len(), topic.partitions, "{name}");
        let configs = client.configs(2, name);
        let own =
            |(n, value, source): &(String, Option<String>, i8)| (*source == DYNAMIC_TOPIC).then(|| Some((n.clone(), value.clone()?)))?;
        assert_eq!(configs.iter().filter_map(own).collect::<BTreeMap<_, _>>(), topic.configs, "{name}");
    }
    let own = metadata.topics.iter().filter(|t| !t.is_internal).count();
    assert_eq!(own, contents.topics.len(), "a topic came back");
    assert_eq!(metadata.cluster_id.as_deref(), Some(property("cluster.id").as_str()));
}

fn property(name: &str) -> String {
    let text = fs::read_to_string(format!("{FIXTURE}/data/meta.properties")).expect("meta.properties");
    text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).expect(name).to_owned()
}

fn assert_broker_configs(client: &mut Client, contents: &Contents) {
    for (broker, source) in [("", DYNAMIC_DEFAULT_BROKER), ("1", DYNAMIC_BROKER)] {
        let held = client.configs(4, broker);
        for (name, value) in &contents.broker_configs[broker] {
            let wanted = (name.clone(), Some(value.clone()), source);
            assert!(held.contains(&wanted), "{wanted:?} of {broker:?}: {:?}", held.iter().find(|(n, ..)| n == name));
        }
    }
}

fn assert_committed(client: &mut Client, contents: &Contents) {
    for wanted in &contents.committed {
        let topic = OffsetFetchRequestTopic::default().with_name(topic_name(&wanted.topic)).with_partition_indexes(vec![wanted.partition]);
        let request = OffsetFetchRequest::default().with_group_id(GroupId(text(&wanted.group))).with_topics(Some(vec![topic]));
        let answer = client.ask(7, &request);
        let held = &answer.topics[0].partitions[0];
        let found = (answer.error_code, held.error_code, held.committed_offset, held.metadata.as_deref());
        assert_eq!(found, (0, 0, wanted.offset, Some(wanted.metadata.as_str())), "{} {}-{}", wanted.group, wanted.topic, wanted.partition);
    }
}

/// As a producer sends it: offset 0, no leader epoch. Neither is in the checksum.
fn as_sent(stored: &Bytes) -> Bytes {
    let mut sent = stored.to_vec();
    sent[..8].fill(0);
    sent[12..16].fill(0xff);
    sent.into()
}

/// Writes: the last of all checks.
fn assert_producer_is_known(client: &mut Client) {
    let stored = batches(client, "idempotent", 0, 0);
    assert!(stored.len() > 1);
    let (_, end) = client.list_offset("idempotent", 0, -1);
    let header = |bytes: &Bytes| Batches::new(bytes).next().expect("a batch").expect("a batch").header;
    for bytes in &stored {
        let base = header(bytes).base_offset.0;
        assert_eq!(client.try_produce("idempotent", 0, as_sent(bytes)).expect("an answer"), (0, base), "the duplicate of {base}");
    }
    assert_eq!(client.list_offset("idempotent", 0, -1), (0, end), "a duplicate was appended");
    let last = header(stored.last().expect("a batch"));
    let next = |sequence: i32| {
        let mut batch = BatchBuilder::new(Codec::None).producer(last.producer_id, last.producer_epoch, sequence);
        batch.append(NewRecord { timestamp: Timestamp(4_000_000_000_100), value: Some(b"next"), ..NewRecord::default() });
        batch.build().expect("a batch").to_bytes()
    };
    let gap = client.try_produce("idempotent", 0, next(last.last_sequence() + 2)).expect("an answer");
    assert_eq!(gap.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(client.produce("idempotent", 0, next(last.last_sequence() + 1)), end);
    let given = client.ask(4, &InitProducerIdRequest::default().with_transaction_timeout_ms(1000).with_transactional_id(None));
    assert_eq!(given.error_code, 0);
    let given = (ProducerId(given.producer_id.0), ProducerEpoch(given.producer_epoch));
    assert!(given.0 > last.producer_id && given.1 == ProducerEpoch(0), "{given:?} was given before");
}

fn assert_everything(running: &Running, contents: &Contents) {
    let mut client = Client::connect(running.kafka);
    assert_topics(&mut client, contents);
    assert_records(&mut client, contents);
    assert_broker_configs(&mut client, contents);
    assert_committed(&mut client, contents);
    for (topic, start) in &contents.log_starts {
        assert_eq!(client.fetch(topic, 0, start - 1).error_code, OFFSET_OUT_OF_RANGE, "{topic} below its start");
    }
    assert!(!running.stderr().contains("ERROR") && !running.stderr().contains("renamed aside"), "{}", running.stderr());
}

#[test]
fn all_that_an_earlier_build_stored_is_there() {
    let (folder, contents) = (copied(), contents());
    let running = Running::start(folder.path(), &FLAGS);
    assert!(!running.stderr().contains("did not end cleanly"), "{}", running.stderr());
    assert_everything(&running, &contents);
    assert_producer_is_known(&mut Client::connect(running.kafka));
    running.stop();
    println!("{} records, {} topics, {} committed offsets", contents.records.len(), contents.topics.len(), contents.committed.len());
}

#[test]
fn starting_and_stopping_leaves_every_file_as_it_was() {
    let folder = copied();
    let data = folder.path().join("data");
    let mut before = files(&data);
    for start in 0..2 {
        Running::start(folder.path(), &FLAGS).stop();
        let mut after = files(&data);
        assert!(after.remove(Path::new(".lock")).is_some());
        // Space to be given up on a full disk: made by each start that finds room for it.
        after.remove(Path::new("ballast"));
        if start == 0 {
            // The first start gives checksums to what nothing rebuilds, and copies.
            let given = |path: &Path| {
                path.extension().is_some_and(|end| end == "copy" || end == "json") || path.ends_with("log-start-offset-checkpoint")
            };
            let given = |path: &Path| given(path) || path.ends_with("recovery-point-offset-checkpoint");
            assert_eq!(after.keys().filter(|path| !before.contains_key(*path)).filter(|path| !given(path)).count(), 0);
            before.extend(after.iter().filter(|(path, _)| given(path)).map(|(path, bytes)| (path.clone(), bytes.clone())));
        }
        assert!(before.keys().eq(after.keys()), "{:?}\n{:?}", before.keys(), after.keys());
        let changed = before.iter().filter(|(path, bytes)| after[*path] != **bytes).map(|(path, _)| path.as_path());
        // Says which boot of which machine ran last.
        let changed: Vec<&Path> = changed.filter(|path| *path != Path::new("shutdown.json")).collect();
        assert!(changed.is_empty(), "{changed:?}");
    }
}

#[test]
fn after_a_crash_the_same_is_there_and_no_record_was_touched() {
    let (folder, contents) = (copied(), contents());
    let data = folder.path().join("data");
    let logs = |data: &Path| {
        let all = files(data).into_iter();
        all.filter(|(path, _)| path.extension().is_some_and(|e| e == "log")).collect::<BTreeMap<_, _>>()
    };
    let before = logs(&data);
    Running::start(folder.path(), &FLAGS).end(Signal::KILL);
    let running = Running::start(folder.path(), &FLAGS);
    assert!(running.stderr().contains("did not end cleanly"), "{}", running.stderr());
    assert_everything(&running, &contents);
    running.stop();
    assert_eq!(logs(&data), before);
}

#[test]
fn from_the_logs_alone_everything_is_built_again() {
    let (folder, contents) = (copied(), contents());
    let data = folder.path().join("data");
    let mut removed = 0;
    for path in files(&data).keys() {
        let name = path.to_string_lossy();
        let derived = [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint", "recovery-point-offset-checkpoint", "shutdown.json"];
        if derived.iter().any(|end| name.ends_with(end)) {
            fs::remove_file(data.join(path)).expect("remove");
            removed += 1;
        }
    }
    assert!(removed > 30);
    let running = Running::start(folder.path(), &FLAGS);
    assert_everything(&running, &contents);
    assert_producer_is_known(&mut Client::connect(running.kafka));
    running.stop();
}
