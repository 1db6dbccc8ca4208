//! One bit flipped in any file of a data folder, and the broker started on it: every record outside the hit batch is served, nothing
//! is deleted, committed offsets and settings stay, and the alarm is seen in the counters and by `headwater log verify`.

#[path = "process/copy.rs"]
mod copy;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use copy::copy;
use headwater::broker::security::Access;
use headwater::broker::{AtLeast, Broker, BrokerOptions, ReadError, ReadUpTo, clock};
use headwater::cluster::{Cluster, Embedded};
use headwater::config::{BrokerLayers, Guards, TopicConfig};
use headwater::coordinator::group::request::OffsetFetch;
use headwater::coordinator::group::{GroupId, MemberId, Reply, Request};
use headwater::log::inspect::Inspection;
use headwater::model::Batches;
use headwater::model::metrics::MetricsSnapshot;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture/data");
/// Bits flipped in each file.
const FLIPS: usize = 5;

/// In memory where that is possible: thousands of files are synced.
fn new_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn files(root: &Path, from: &Path, found: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::metadata(&path).unwrap().len());
        }
    }
}

fn listed(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    files(root, root, &mut found);
    found
}

fn open(data: &Path) -> std::io::Result<Arc<Broker>> {
    // The folder grows old; what it holds must not expire with it.
    let configs = BrokerLayers::new([("offsets.retention.minutes".to_owned(), "2147483647".to_owned())].into()).unwrap();
    let guards = Guards { ballast_bytes: 0, read_only_after: 0, ..Guards::default() };
    let options = BrokerOptions { data_dir: data.to_owned(), access: Access::Everyone, configs, guards };
    Broker::open(options).map_err(std::io::Error::other)
}

/// What a broker has and says, from a start to a stop.
struct Run {
    content: Content,
    metrics: MetricsSnapshot,
    damaged: usize,
}

fn run(data: &Path) -> std::io::Result<Run> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // With the runtime go all holds on the broker, and with them the folder's lock.
    runtime.block_on(async {
        let broker = open(data)?;
        let content = content(&broker).await;
        let cluster = Embedded::new(Arc::clone(&broker), Vec::new());
        let (metrics, topics) = (cluster.metrics(), cluster.topics());
        let damaged = topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.damaged.len()).sum();
        broker.stop();
        broker.close();
        Ok(Run { content, metrics, damaged })
    })
}

/// Batches by topic, partition and base offset, without the leader epoch, which no checksum covers.
type Records = BTreeMap<(String, i32, i64), Vec<u8>>;
type Committed = BTreeMap<(String, String, i32), i64>;

#[derive(Debug, Default, PartialEq)]
struct Content {
    records: Records,
    committed: Committed,
    settings: BTreeMap<String, BTreeMap<String, String>>,
}

async fn content(broker: &Broker) -> Content {
    let mut content = Content::default();
    for topic in broker.catalog.list() {
        content.settings.insert(topic.name.to_string(), topic.config().values().clone());
        for partition in topic.partitions().iter() {
            let view = partition.view();
            let mut at = view.start_offset();
            while at < view.end_offset() {
                let read = match view.read(at, 1 << 20, AtLeast::OneBatch, ReadUpTo::End) {
                    Ok(read) => read,
                    Err(ReadError::Corrupt(_)) => {
                        at = at.plus(1);
                        continue;
                    }
                    Err(error) => panic!("{}: {error}", partition.name),
                };
                if read.size == 0 {
                    break;
                }
                for batch in read.slices.iter().flat_map(|slice| Batches::new(slice)) {
                    let batch = batch.unwrap();
                    let key = (topic.name.to_string(), partition.id().0, batch.header.base_offset.0);
                    content.records.insert(key, [&batch.bytes[..12], &batch.bytes[16..]].concat());
                    at = batch.header.next_offset();
                }
            }
        }
    }
    for group in ["readers", "others"] {
        let id = GroupId::from(group);
        let fetch =
            OffsetFetch { group: id.clone(), topics: None, member_id: MemberId::default(), member_epoch: -1, require_stable: false };
        let Ok(Reply::OffsetFetch(reply)) = broker.groups.ask(&id, Request::OffsetFetch(fetch)).await else { panic!("{group}") };
        for (topic, offsets) in reply.topics {
            for offset in offsets {
                content.committed.insert((group.to_owned(), topic.to_string(), offset.partition.0), offset.offset.0);
            }
        }
    }
    content
}

/// Whether `headwater log verify` would find something.
fn verify_finds_damage(data: &Path) -> bool {
    let Ok(inspection) = Inspection::open(data) else { return true };
    let config = |topic: &str| {
        let file: serde_json::Value =
            fs::read(data.join(format!("topics/{topic}.json"))).ok().and_then(|b| serde_json::from_slice(&b).ok())?;
        let configs = serde_json::from_value(file.get("configs")?.clone()).ok()?;
        Some(TopicConfig::restore(configs).resolve(&BrokerLayers::default()))
    };
    let damaged = |partition: &headwater::model::TopicPartition| {
        let config = config(partition.topic.as_str()).unwrap_or_default();
        inspection.partition(partition, &config, clock::now()).unwrap().is_damaged()
    };
    !inspection.unreadable.is_empty() || inspection.partitions.iter().any(damaged)
}

#[derive(Debug, Default)]
struct Counts {
    flips: usize,
    damaged: usize,
    restored: usize,
    harmless: usize,
    refused: usize,
}

struct Written {
    folder: tempfile::TempDir,
    content: Content,
}

impl Written {
    fn new() -> Written {
        let folder = new_folder();
        copy(Path::new(FIXTURE), folder.path());
        let content = run(folder.path()).unwrap().content;
        let counts = (content.records.len(), content.committed.len(), content.settings.len());
        assert!(counts.0 > 30 && counts.1 > 3 && counts.2 > 6, "{counts:?}");
        assert!(!verify_finds_damage(folder.path()));
        Written { folder, content }
    }

    fn try_flip(&self, name: &Path, bit: usize, counts: &mut Counts) {
        let folder = new_folder();
        copy(self.folder.path(), folder.path());
        let mut bytes = fs::read(folder.path().join(name)).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.path().join(name), bytes).unwrap();
        counts.flips += 1;
        let before = listed(folder.path());
        let seen = verify_finds_damage(folder.path());
        let name_text = name.to_string_lossy();
        let Run { content: found, metrics, damaged } = match run(folder.path()) {
            Ok(run) => run,
            Err(error) => {
                // A format that may be from the future: nothing is served, nothing is touched.
                assert!(error.to_string().contains("version") && seen, "{error}");
                counts.refused += 1;
                return;
            }
        };
        for (key, bytes) in &found.records {
            // Where the log starts is forgotten with its file: records deleted from the middle of a segment are back.
            let back = name_text == "log-start-offset-checkpoint" && (key.0.as_str(), key.2) == ("segments", 54);
            assert!(back || self.content.records.get(key) == Some(bytes), "wrong bytes at {key:?}");
        }
        assert!(found.settings == self.content.settings, "{:?}", found.settings);
        let after = listed(folder.path());
        for (file, len) in before.iter().filter(|(file, _)| file.extension().is_some_and(|extension| extension == "log")) {
            assert_eq!(after.get(file), Some(len), "{} was removed or cut", file.display());
        }
        let missing: BTreeSet<_> = self.content.records.keys().filter(|key| !found.records.contains_key(*key)).collect();
        let forgotten = self.content.committed.iter().filter(|(key, offset)| found.committed.get(*key) != Some(*offset)).count();
        if missing.is_empty() {
            assert_eq!((forgotten, damaged), (0, 0));
            counts.harmless += 1;
        } else {
            assert!(name_text.ends_with(".log") && missing.len() == 1, "{missing:?} are gone");
            assert!(damaged == 1 && seen, "the alarm: {damaged} {seen}");
            assert!(forgotten <= if name_text.starts_with("__consumer_offsets") { 2 } else { 0 }, "{forgotten} commits are forgotten");
            counts.damaged += 1;
        }
        if metrics.files_damaged > 0 {
            assert!(seen, "set aside and not seen by verify");
            counts.restored += 1;
        }
        assert_eq!(metrics.topics_closed, 0);
    }
}

fn dice(seed: &mut u64, sides: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as usize % sides
}

#[test]
fn a_flipped_bit_in_any_file_of_the_folder_costs_one_batch_at_most() {
    let written = Written::new();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut counts = Counts::default();
    for (name, len) in listed(written.folder.path()) {
        if len == 0 || name.ends_with(".lock") {
            continue;
        }
        // A leader epoch in a batch has no checksum; bit_flips.rs has the cases.
        for _ in 0..FLIPS {
            let bit = dice(&mut seed, usize::try_from(len).unwrap() * 8);
            // Shown when the test fails.
            println!("bit {bit} of {}", name.display());
            written.try_flip(&name, bit, &mut counts);
        }
    }
    println!("{counts:?}");
    assert!(counts.damaged > 30 && counts.restored > 30 && counts.harmless > 100, "{counts:?}");
}

#[test]
fn no_flipped_bit_in_the_small_files_of_the_folder_deletes_records_or_changes_settings() {
    let written = Written::new();
    let mut counts = Counts::default();
    let small = [
        "log-start-offset-checkpoint",
        "recovery-point-offset-checkpoint",
        "topics/segments.json",
        "producer-ids",
        "segments-0/partition.metadata",
    ];
    for name in small {
        let len = fs::metadata(written.folder.path().join(name)).unwrap().len();
        // Each byte, one of its lower bits: those that make another digit of a digit.
        for byte in 0..usize::try_from(len).unwrap() {
            println!("bit {} of {name}", byte * 8 + byte % 4);
            written.try_flip(Path::new(name), byte * 8 + byte % 4, &mut counts);
        }
    }
    println!("{counts:?}");
    assert!(counts.restored > 500, "{counts:?}");
}
