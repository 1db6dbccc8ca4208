//! One bit flipped in any file of a partition: no wrong byte is served, nothing but the hit batch is lost, nothing is deleted, and the
//! damage is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater::config::LogConfig;
use headwater::log::{AtLeast, LastStop, LogError, MemoryStore, OpenFacts, PartitionLog, ReadError, ReadUpTo, RecoveryReport, Store};
use headwater::model::{
    BatchBuilder, Batches, CheckedBatch, Codec, LeaderEpoch, NewRecord, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId,
    TopicPartition,
};

const NOW: Timestamp = Timestamp(1_000_000);
const HEADER: usize = 61;
/// The leader epoch of a batch has no checksum, and serving a wrong one misleads nobody: clients take it from the answer's frame.
const EPOCH: std::ops::Range<usize> = 12..16;

fn config() -> LogConfig {
    // What is older than half of NOW would be deleted, and nothing is.
    LogConfig { segment_bytes: 2500, index_interval_bytes: 400, retention_ms: NOW.0 / 2, ..LogConfig::default() }
}

fn open(store: &MemoryStore, last_stop: LastStop, end: Offset) -> Result<(PartitionLog, RecoveryReport), LogError> {
    let facts = OpenFacts { last_stop, recovery_point: end, log_start: Offset::ZERO, now: NOW };
    PartitionLog::open(Arc::new(store.clone()), TopicPartition::new("t", 0), TopicId([7; 16]), config(), facts)
}

/// A log of several segments after a clean stop, and its batches by base offset.
struct Written {
    store: MemoryStore,
    end: Offset,
    batches: Vec<(i64, Vec<u8>)>,
}

fn written() -> Written {
    let store = MemoryStore::new();
    let (mut log, _) = open(&store, LastStop::Clean, Offset::ZERO).unwrap();
    for i in 0..24_i32 {
        let codec = [Codec::None, Codec::Lz4, Codec::Zstd][i as usize % 3];
        let mut builder = BatchBuilder::new(codec).producer(ProducerId(i64::from(i % 2)), ProducerEpoch(0), i / 2 * 3);
        for record in 0..3 {
            let value = vec![(i * 7 + record) as u8; 60 + (i as usize * 37) % 90];
            builder.append(NewRecord { timestamp: Timestamp(NOW.0 + i64::from(i)), value: Some(&value), ..NewRecord::default() });
        }
        log.append(CheckedBatch::trusted(builder.build().unwrap()), NOW).unwrap();
    }
    log.close().unwrap();
    let end = log.end_offset();
    let view = log.view();
    assert!(view.segments().len() >= 2 && view.leader_epoch() == LeaderEpoch(0));
    let read = view.read(Offset::ZERO, 1 << 20, AtLeast::OneBatch, ReadUpTo::End).unwrap();
    let batches = read.slices.iter().flat_map(|slice| Batches::new(slice)).map(|batch| batch.unwrap());
    Written { store, end, batches: batches.map(|batch| (batch.header.base_offset.0, batch.bytes.to_vec())).collect() }
}

fn without_epoch(batch: &[u8]) -> Vec<u8> {
    [&batch[..EPOCH.start], &batch[EPOCH.end..]].concat()
}

/// The base offsets served, and the offsets answered as damaged.
fn read(written: &Written, log: &PartitionLog, max_bytes: usize) -> (Vec<i64>, BTreeSet<i64>) {
    let view = log.view();
    let (mut served, mut damaged) = (Vec::new(), BTreeSet::new());
    let mut next = view.start_offset().0;
    while next < written.end.0 {
        match view.read(Offset(next), max_bytes, AtLeast::OneBatch, ReadUpTo::End) {
            Ok(read) => {
                let before = next;
                for batch in read.slices.iter().flat_map(|slice| Batches::new(slice)) {
                    let batch = batch.expect("a whole batch");
                    let base = batch.header.base_offset.0;
                    let original = written.batches.iter().find(|original| original.0 == base).expect("a batch that was written");
                    assert_eq!(without_epoch(batch.bytes), without_epoch(&original.1), "wrong bytes at {base}");
                    served.push(base);
                    next = batch.header.next_offset().0;
                }
                assert!(next > before, "nothing is served at {before}: {read:?} {:?}", view.segments());
            }
            Err(ReadError::Corrupt(_)) => {
                damaged.insert(next);
                next += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    (served, damaged)
}

fn segments(store: &MemoryStore) -> Vec<(String, u64)> {
    let names = store.list().unwrap().into_iter().filter(|name| name.ends_with(".log"));
    names.map(|name| (name.clone(), store.size(&name).unwrap())).collect()
}

#[derive(Debug, Default)]
struct Counts {
    flips: u64,
    damaged: u64,
    refused: u64,
    harmless: u64,
}

fn try_flip(written: &Written, name: &str, bit: usize, stop: LastStop, counts: &mut Counts) {
    let store = written.store.kill();
    store.damage(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    counts.flips += 1;
    let before = segments(&store);
    let (mut log, report) = match open(&store, stop, written.end) {
        Ok(opened) => opened,
        Err(error) => {
            // Who it belongs to, or a format from the future: nothing is served, nothing is touched.
            let other = matches!(error, LogError::OtherTopic { .. }) && name == "partition.metadata";
            assert!(other || matches!(error, LogError::NewerFormat { .. }), "{error}");
            assert_eq!(segments(&store), before);
            counts.refused += 1;
            return;
        }
    };
    let (served, damaged) = read(written, &log, [300, 1 << 20][bit % 2]);
    for (file, len) in &before {
        assert!(segments(&store).contains(&(file.clone(), *len)), "{file} was removed or cut");
    }
    assert!(log.end_offset() >= written.end && log.start_offset() == Offset::ZERO);
    let missing: Vec<i64> = written.batches.iter().map(|batch| batch.0).filter(|base| !served.contains(base)).collect();
    if missing.is_empty() {
        assert!(damaged.is_empty());
        counts.harmless += 1;
    } else {
        assert!(name.ends_with(".log") && missing.len() == 1, "{missing:?} are gone: {report:?}");
        assert_eq!(damaged, (missing[0]..missing[0] + 3).collect(), "exactly the hit batch is answered as damaged");
        assert_eq!(log.view().damaged().len(), 1, "the damage is known");
        log.checkpoint().unwrap();
        assert!(store.list().unwrap().iter().any(|name| name == "damaged-ranges"), "and kept");
        counts.damaged += 1;
    }
    for i in 0..written.batches.len() as i64 {
        // Each batch has a time of its own. What is damaged is passed over.
        let found = log.view().offset_for_timestamp(Timestamp(NOW.0 + i), ReadUpTo::End).unwrap().map(|found| found.offset.0);
        let wanted = (i * 3..written.end.0).step_by(3).find(|base| !missing.contains(base));
        assert_eq!(found, wanted, "the time of batch {i}");
    }
    assert_eq!(log.enforce_retention(NOW).unwrap().segments, 0, "nothing is too old");
    // Served again, the same.
    assert_eq!(read(written, &log, 700), (served, damaged));
}

#[test]
fn a_flipped_bit_costs_its_batch_and_nothing_else() {
    let written = written();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut dice = |sides: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % sides
    };
    let mut counts = Counts::default();
    for name in written.store.list().unwrap() {
        let bytes = written.store.read(&name).unwrap().unwrap();
        let mut headers = BTreeSet::new();
        let mut at = 0;
        for batch in Batches::new(&bytes).map_while(Result::ok).filter(|_| name.ends_with(".log")) {
            headers.extend((at..at + HEADER).filter(|byte| !EPOCH.contains(&(byte - at))));
            at += batch.bytes.len();
        }
        for bit in 0..bytes.len() * 8 {
            // Headers and small files more than the records in between.
            let odds = if headers.contains(&(bit / 8)) {
                4
            } else if name.ends_with(".log") {
                20
            } else {
                1
            };
            if dice(odds) == 0 {
                let stop = [LastStop::Clean, LastStop::SameBoot, LastStop::OtherBoot][dice(3) as usize];
                // Shown when the test fails.
                println!("bit {bit} of {name}, {stop:?}");
                try_flip(&written, &name, bit, stop, &mut counts);
            }
        }
    }
    println!("{counts:?}");
    assert!(counts.damaged > 300 && counts.harmless > 300 && counts.refused > 5, "{counts:?}");
}
