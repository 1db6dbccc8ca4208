//! Apache Kafka's own tool reads what we wrote: batches, indexes, snapshots.
//!
//! Needs Java and Apache Kafka's jars in `$KAFKA_JARS`, or in `.cache/clients/kafka-tools/lib`, where `make test` puts them. Where
//! they cannot be had, `make test` leaves this test out and counts it as skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use headwater::config::LogConfig;
use headwater::log::{FolderStore, LastStop, OpenFacts, PartitionLog, Swapped};
use headwater::model::{
    BatchBuilder, CheckedBatch, Codec, ControlType, NewRecord, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId, TopicPartition,
};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const BATCHES: i32 = 200;
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn jars() -> Option<PathBuf> {
    let named = std::env::var_os("KAFKA_JARS").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/clients/kafka-tools/lib");
    Some(named.unwrap_or(installed)).filter(|folder| folder.is_dir())
}

fn dump(jars: &Path, arguments: &[&str]) -> String {
    let output = Command::new("java")
        .args(["-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
        .arg(jars.join("*"))
        .arg("org.apache.kafka.tools.DumpLogSegments")
        .args(arguments)
        .output()
        .unwrap();
    // Complaints come on the error stream.
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{text}");
    text
}

fn write_log(folder: &Path) {
    let config = LogConfig { segment_bytes: 20_000, index_interval_bytes: 500, ..LogConfig::default() };
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: NOW };
    let store = Arc::new(FolderStore::new(folder));
    let (mut log, _) = PartitionLog::open(store, TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap();
    for i in 0..BATCHES {
        let id = ProducerId(1000 + i64::from(i % 3));
        let mut builder = BatchBuilder::new(CODECS[i as usize % 5]).producer(id, ProducerEpoch(2), i / 3 * 10);
        if i == BATCHES - 1 {
            builder = builder.transactional();
        }
        for j in 0..10 {
            let value = format!("value {i} {j}");
            builder.append(NewRecord {
                timestamp: NOW.plus_ms(i64::from(i * 100 - j)),
                key: (j % 2 == 0).then_some(b"key"),
                value: Some(value.as_bytes()),
                headers: &[(b"h", Some(b"1")), (b"h", None)],
            });
        }
        let mut batch = builder.build().unwrap();
        if i == 50 {
            batch.stamp_log_append_time(NOW.plus_ms(5001));
        }
        log.append(CheckedBatch::trusted(batch), NOW).unwrap();
    }
    let last = ProducerId(1000 + i64::from((BATCHES - 1) % 3));
    log.append_internal(BatchBuilder::control(last, ProducerEpoch(2), ControlType::Abort, 4, NOW), NOW).unwrap();
    log.close().unwrap();
}

fn files(folder: &Path, extension: &str) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(extension))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no {extension} files");
    found
}

fn needed_jars() -> PathBuf {
    jars().expect(
        "Apache Kafka's jars are missing: `make test` installs them (it needs Java and Maven), KAFKA_JARS names a folder of them, and \
         `cargo test -- --skip apache_kafka` leaves this test out",
    )
}

#[test]
fn apache_kafka_reads_our_folder() {
    let jars = needed_jars();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("t-0");
    write_log(&folder);

    let logs = files(&folder, ".log");
    assert!(logs.len() > 1);
    let text = dump(&jars, &["--deep-iteration", "--print-data-log", "--files", &logs.join(",")]);
    assert_eq!(text.matches("| offset: ").count(), BATCHES as usize * 10 + 1);
    // The tool takes -1 for what comes before a segment, whatever its base.
    let gaps = text.lines().filter(|line| line.contains(" is followed by ") && !line.contains("-1 is followed by"));
    assert_eq!(gaps.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(!text.contains("invalid bytes at the end"));
    assert!(!text.contains("isvalid: false") && text.matches("isvalid: true").count() > BATCHES as usize);
    for codec in CODECS {
        assert!(text.contains(&format!("compresscodec: {}", codec.name())), "{codec:?}");
    }
    assert!(text.contains("payload: value 199 9") && text.contains("headerKeys: [h,h]") && text.contains("endTxnMarker: ABORT"));
    assert!(text.contains("LogAppendTime"));

    // The tool names every entry that does not fit the log.
    let indexes = files(&folder, ".index");
    let text = dump(&jars, &["--files", &indexes.join(",")]);
    assert!(text.matches("offset: ").count() > 20 && !text.to_lowercase().contains("mismatch"), "{text}");
    let text = dump(&jars, &["--index-sanity-check", "--files", &indexes.join(",")]);
    assert_eq!(text.matches("passed sanity check").count(), indexes.len(), "{text}");

    let times = files(&folder, ".timeindex");
    let text = dump(&jars, &["--files", &times.join(",")]);
    assert!(text.matches("timestamp: ").count() > 20, "{text}");
    for complaint in ["mismatch", "out of order", "not found"] {
        assert!(!text.contains(complaint), "{text}");
    }
    let text = dump(&jars, &["--index-sanity-check", "--files", &times.join(",")]);
    assert_eq!(text.matches("passed sanity check").count(), times.len(), "{text}");

    let snapshots = files(&folder, ".snapshot");
    let text = dump(&jars, &["--files", snapshots.last().unwrap()]);
    for id in [1000, 1001, 1002] {
        assert!(text.contains(&format!("producerId: {id} producerEpoch: 2")), "{text}");
    }
    assert!(text.contains("coordinatorEpoch: 4"), "{text}");

    let text = dump(&jars, &["--files", files(&folder, ".txnindex").last().unwrap()]);
    assert!(text.contains("producerId: 1001") && text.contains(&format!("lastOffset: {}", BATCHES * 10)), "{text}");

    // The tool does complain where there is something wrong.
    let mut broken = std::fs::read(&indexes[0]).unwrap();
    broken[3] ^= 1;
    std::fs::write(&indexes[0], broken).unwrap();
    assert!(dump(&jars, &["--files", &indexes[0]]).contains("Mismatches in"));
}

/// Twenty keys over and over, in every codec; some are deleted in the end.
fn write_compacted_log(folder: &Path) {
    let compacted = LogConfig { cleanup_compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
    let config = LogConfig { segment_bytes: 8000, index_interval_bytes: 500, ..compacted };
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: NOW };
    let store = Arc::new(FolderStore::new(folder));
    let (mut log, _) = PartitionLog::open(store, TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap();
    for i in 0..BATCHES {
        // The first batch is another producer's only one, whose sequence has to stay.
        let (id, sequence) = if i == 0 { (2000, 0) } else { (1000, (i - 1) * 10) };
        let mut builder = BatchBuilder::new(CODECS[i as usize % 5]).producer(ProducerId(id), ProducerEpoch(2), sequence);
        for j in 0..10 {
            let (key, value) = (format!("key {}", (i * 10 + j) % 400), format!("value {i} {j} {}", "v".repeat(20)));
            builder.append(NewRecord {
                timestamp: NOW.plus_ms(i64::from(i * 100 + j)),
                key: Some(key.as_bytes()),
                value: (j % 10 != 3 || i < 100).then_some(value.as_bytes()),
                headers: &[(b"h", Some(b"1"))],
            });
        }
        log.append(CheckedBatch::trusted(builder.build().unwrap()), NOW).unwrap();
    }
    log.flush().unwrap();
    // The second pass puts together what the first made small.
    for _ in 0..2 {
        let plan = log.plan_compaction(Offset::ZERO, NOW).unwrap().unwrap();
        let pass = plan.run(1 << 20, &|| false, &mut |cleaned| {
            let swapped = log.swap(&cleaned)?;
            assert_eq!(swapped, Swapped::Done);
            Ok(swapped)
        });
        assert!(pass.unwrap().is_some());
    }
    log.close().unwrap();
}

#[test]
fn apache_kafka_reads_a_compacted_folder() {
    let jars = needed_jars();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("t-0");
    write_compacted_log(&folder);
    let logs = files(&folder, ".log");
    let text = dump(&jars, &["--deep-iteration", "--print-data-log", "--files", &logs.join(",")]);
    let found = text.matches("| offset: ").count();
    assert!((400..800).contains(&found), "{found} of {}", BATCHES * 10);
    for last in 360..400 {
        assert!(text.contains(&format!("key: key {last}")), "key {last}");
    }
    assert!(!text.contains("invalid bytes at the end") && !text.contains("isvalid: false"), "{text}");
    let horizons = text.lines().filter(|line| line.contains("deleteHorizonMs: OptionalLong["));
    let horizon = format!("OptionalLong[{}]", NOW.plus_ms(LogConfig::default().delete_retention_ms).0);
    assert!(horizons.clone().count() > 5 && horizons.clone().all(|line| line.contains(&horizon)));
    for codec in CODECS {
        assert!(horizons.clone().any(|line| line.contains(&format!("compresscodec: {}", codec.name()))), "{codec:?}");
    }
    let emptied = |line: &str| line.contains("baseOffset: 0 lastOffset: 9 count: 0 baseSequence: 0 lastSequence: 9 producerId: 2000 ");
    assert!(text.lines().any(emptied), "a batch that only keeps its offsets and sequence");
    for extension in [".index", ".timeindex"] {
        let indexes = files(&folder, extension);
        let text = dump(&jars, &["--files", &indexes.join(",")]).to_lowercase();
        assert!(["mismatch", "out of order", "not found"].iter().all(|complaint| !text.contains(complaint)), "{text}");
        let text = dump(&jars, &["--index-sanity-check", "--files", &indexes.join(",")]);
        assert_eq!(text.matches("passed sanity check").count(), indexes.len(), "{text}");
    }
}
