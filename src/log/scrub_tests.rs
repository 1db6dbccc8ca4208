use super::*;
use crate::config::LogConfig;
use crate::log::{AtLeast, LastStop, MemoryStore, OpenFacts, PartitionLog, ReadError, ReadUpTo, Store};
use crate::model::{BatchBuilder, CheckedBatch, Codec, NewRecord, TopicId, TopicPartition};

const NOW: Timestamp = Timestamp(1_000_000);
const BATCHES: i64 = 30;

/// Three records a batch, several segments, all written by this process.
fn written(value_len: usize) -> (MemoryStore, PartitionLog) {
    let store = MemoryStore::new();
    let config =
        LogConfig { segment_bytes: 10 * (value_len as u64 * 3 + 100), index_interval_bytes: 300, retention_ms: -1, ..LogConfig::default() };
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: NOW };
    let (mut log, _) = PartitionLog::open(Arc::new(store.clone()), TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap();
    for i in 0..BATCHES {
        let mut builder = BatchBuilder::new(Codec::None);
        for record in 0..3 {
            let value = vec![(i * 7 + record) as u8; value_len];
            builder.append(NewRecord { timestamp: Timestamp(NOW.0 + i), value: Some(&value), ..NewRecord::default() });
        }
        log.append(CheckedBatch::trusted(builder.build().unwrap()), NOW).unwrap();
    }
    assert!(log.view().segments().len() >= 3);
    (store, log)
}

/// Parts found, bytes read.
fn pass(log: &PartitionLog) -> (usize, u64) {
    let (mut from, mut found, mut bytes) = (Offset::ZERO, 0, 0);
    while let Some(mut scrub) = log.view().scrub(from) {
        from = scrub.base_offset().plus(1);
        loop {
            match scrub.step_blocking().unwrap() {
                ScrubStep::Read(count) => bytes += count,
                ScrubStep::Done { found: more } => break found += more,
            }
        }
    }
    (found, bytes)
}

#[test]
fn a_sound_log_is_read_once_and_nothing_is_found() {
    for value_len in [50, 200_000] {
        let (_, log) = written(value_len);
        let closed: u64 = log.view().segments().iter().rev().skip(1).map(|segment| segment.size_bytes).sum();
        let (found, bytes) = pass(&log);
        assert!(found == 0 && bytes >= closed, "{bytes} of {closed}");
        assert_eq!((log.view().damaged(), log.view().indexes_rebuilt()), (Vec::new(), 0));
    }
}

#[test]
fn a_flipped_byte_costs_its_batch_and_is_told_once() {
    let (store, mut log) = written(50);
    let name = "00000000000000000000.log";
    let len = store.size(name).unwrap() as usize;
    let mut marked = 0;
    for byte in (0..len).step_by(13) {
        let (store, log) = written(50);
        store.damage(name, |bytes| bytes[byte] ^= 0x41);
        let (found, _) = pass(&log);
        let damaged = log.view().damaged();
        assert_eq!((found, damaged.len()), (damaged.len(), damaged.len()), "byte {byte}");
        let Some(bad) = damaged.first() else { continue };
        marked += 1;
        assert!(
            damaged.len() == 1 && bad.bytes.contains(&(byte as u64)) && bad.offsets.end.0 - bad.offsets.start.0 == 3,
            "byte {byte}: {bad:?}"
        );
        assert_eq!(pass(&log).0, 0, "known by now");
        let read = |at: Offset| log.view().read(at, 1, AtLeast::OneBatch, ReadUpTo::End);
        assert!(matches!(read(bad.offsets.start), Err(ReadError::Corrupt(_))));
        assert!(read(bad.offsets.end).unwrap().size > 0, "what comes after is served");
    }
    assert!(marked * 13 > len * 9 / 10, "{marked} of {len}");
    store.damage(name, |bytes| bytes[100] ^= 1);
    assert_eq!(pass(&log).0, 1);
    log.checkpoint().unwrap();
    assert!(store.list().unwrap().iter().any(|name| name == "damaged-ranges"), "the next start knows");
}

#[test]
fn the_last_batch_of_a_segment_and_one_larger_than_a_window_are_found() {
    for value_len in [50, 500_000] {
        let (store, log) = written(value_len);
        let name = "00000000000000000000.log";
        let len = store.size(name).unwrap() as usize;
        store.damage(name, |bytes| bytes[len - 1] ^= 1);
        assert_eq!(pass(&log).0, 1);
        let next = log.view().segments()[1].base_offset;
        assert_eq!(log.view().damaged()[0].offsets, Offset(next.0 - 3)..next, "{value_len}");
    }
}

#[test]
fn segments_that_went_meanwhile_are_still_read_to_their_end() {
    let (_, mut log) = written(50);
    let mut scrub = log.view().scrub(Offset::ZERO).unwrap();
    assert!(matches!(scrub.step_blocking().unwrap(), ScrubStep::Read(_)));
    log.delete_records(Offset::NONE, NOW).unwrap();
    assert_eq!(scrub.step_blocking().unwrap(), ScrubStep::Done { found: 0 });
    assert!(log.view().scrub(Offset::ZERO).is_none());
}
