use std::collections::BTreeMap;

use super::*;
use crate::log::MemoryStore;
use crate::log::{AtLeast, LastStop, LogView, OpenFacts, ReadUpTo, RecoveryReport};
use crate::model::{Batch, BatchBuilder, CheckedBatch, Codec, ControlType, NewRecord, TopicId, TopicPartition};

pub(super) const NOW: Timestamp = Timestamp(10_000_000);
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const PLENTY: usize = 1 << 20;

pub(super) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1500,
        index_interval_bytes: 200,
        cleanup_compact: true,
        cleanup_delete: false,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 1000,
        ..LogConfig::default()
    }
}

pub(super) fn open_with(
    store: Arc<dyn Store>,
    config: LogConfig,
    last_stop: LastStop,
    recovery_point: Offset,
) -> (PartitionLog, RecoveryReport) {
    let facts = OpenFacts { last_stop, recovery_point, log_start: Offset::ZERO, now: NOW };
    PartitionLog::open(store, TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap()
}

fn fresh() -> (MemoryStore, PartitionLog) {
    let store = MemoryStore::new();
    let log = open_with(Arc::new(store.clone()), config(), LastStop::Clean, Offset::ZERO).0;
    (store, log)
}

/// A record as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub key: Option<String>,
    pub value: Option<String>,
    pub timestamp: i64,
}

pub(super) type Rows = BTreeMap<i64, Row>;

pub(super) fn row(key: &str, value: Option<&str>) -> Row {
    Row { key: Some(key.to_owned()), value: value.map(str::to_owned), timestamp: NOW.0 }
}

pub(super) fn write(log: &mut PartitionLog, builder: BatchBuilder, rows: &[Row]) -> Offset {
    let mut builder = builder;
    for row in rows {
        builder.append(NewRecord {
            timestamp: Timestamp(row.timestamp),
            key: row.key.as_ref().map(|key| key.as_bytes()),
            value: row.value.as_ref().map(|value| value.as_bytes()),
            headers: &[(b"h", row.value.as_ref().map(|value| value.as_bytes()))],
        });
    }
    log.append(CheckedBatch::trusted(builder.build().unwrap()), NOW).unwrap().base_offset
}

fn put(log: &mut PartitionLog, key: &str, value: Option<&str>) -> Offset {
    write(log, BatchBuilder::new(Codec::None), &[row(key, value)])
}

/// Closes the active segment behind a record of its own.
fn close_segment(log: &mut PartitionLog) {
    log.roll(NOW).unwrap();
    put(log, "the active segment", Some("x"));
    log.flush().unwrap();
}

pub(super) fn pass(log: &mut PartitionLog, from: Offset, now: Timestamp, keys_bytes_max: usize) -> Option<CompactionPass> {
    log.flush().unwrap();
    let plan = log.plan_compaction(from, now).unwrap()?;
    plan.run(keys_bytes_max, &|| false, &mut |cleaned| log.swap(&cleaned)).unwrap()
}

pub(super) fn batches(view: &LogView, from: Offset) -> Vec<Batch> {
    let mut found = Vec::new();
    let mut next = from;
    while next < view.end_offset() {
        let read = view.read(next, 700, AtLeast::OneBatch, ReadUpTo::End).unwrap();
        assert!(read.size > 0, "nothing at {next}");
        for batch in read.slices.iter().flat_map(|slice| Batches::new(slice)) {
            let batch = Batch::from_bytes(&bytes::Bytes::copy_from_slice(batch.unwrap().bytes)).unwrap();
            assert!(batch.header().last_offset() >= next);
            next = batch.header().next_offset();
            found.push(batch);
        }
    }
    found
}

pub(super) fn rows(view: &LogView) -> Rows {
    let mut found = Rows::new();
    for batch in batches(view, view.start_offset()).iter().filter(|batch| !batch.header().attributes.is_control()) {
        for record in &batch.records().unwrap() {
            let record = record.unwrap();
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
            let row = Row { key: text(record.key), value: text(record.value), timestamp: record.timestamp.0 };
            assert_eq!(record.headers().next(), Some((&b"h"[..], record.value)));
            assert!(found.insert(record.offset.0, row).is_none());
        }
    }
    found
}

/// xorshift: a seed is a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What must hold after passes up to `end` over a log that was written as `written`.
fn check(written: &Rows, view: &LogView, end: Offset) {
    let left = rows(view);
    for (offset, row) in &left {
        assert_eq!(written.get(offset), Some(row), "a record changed at {offset}");
    }
    let mut latest: BTreeMap<&String, i64> = BTreeMap::new();
    for (offset, row) in written {
        latest.extend(row.key.as_ref().map(|key| (key, *offset)));
    }
    let mut latest_below: BTreeMap<&String, i64> = BTreeMap::new();
    for (offset, row) in written.range(..end.0) {
        latest_below.extend(row.key.as_ref().map(|key| (key, *offset)));
    }
    for (key, offset) in &latest {
        let is_mark = written[offset].value.is_none();
        assert!(left.contains_key(offset) || is_mark, "the last record of {key} is gone: {offset}");
        if !left.contains_key(offset) {
            assert!(left.values().all(|row| row.key.as_ref() != Some(key)), "an old record of {key} outlives the mark of its deletion");
        }
    }
    for (offset, row) in left.range(..end.0) {
        let key = row.key.as_ref().expect("a record without a key stays");
        assert_eq!(latest_below[key], *offset, "{key} has an older record");
    }
    for offset in end.0..view.end_offset().0 {
        assert_eq!(left.get(&offset), written.get(&offset), "what is not compacted is as it was");
    }
    // A read inside a gap gives the batch that covers it or the next one.
    let all = batches(view, view.start_offset());
    for offset in view.start_offset().0..view.end_offset().0 {
        let first = view.read(Offset(offset), 1, AtLeast::OneBatch, ReadUpTo::End).unwrap();
        let first = Batches::new(&first.slices[0]).next().unwrap().unwrap().header.base_offset;
        let expected = all.iter().find(|batch| batch.header().last_offset().0 >= offset).unwrap();
        assert_eq!(first, expected.header().base_offset, "at {offset}");
    }
    assert!(batches(view, Offset::ZERO).is_sorted_by_key(|batch| batch.header().base_offset));
}

#[test]
fn the_last_record_of_each_key_stays_at_its_offset() {
    let (mut shrunk, mut several) = (0, 0);
    for seed in 1..=120_u64 {
        println!("seed {seed}");
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (store, mut log) = fresh();
        let mut store = store;
        let mut written = Rows::new();
        let (mut end, mut now, mut sequence) = (Offset::ZERO, NOW, 0);
        for step in 0..60 {
            match dice.roll(12) {
                0 => {
                    let memory = if dice.roll(2) == 0 { PLENTY } else { 150 + dice.roll(400) as usize };
                    while let Some(pass) = pass(&mut log, end, now, memory) {
                        shrunk += u32::from(pass.bytes_after < pass.bytes_before);
                        several += u32::from(pass.more);
                        assert!(pass.end > end);
                        end = pass.end;
                        check(&written, &log.view(), end);
                        if !pass.more {
                            break;
                        }
                    }
                    now = now.plus_ms(400);
                }
                1 => {
                    // Everything was flushed by the last pass or is found by the scan.
                    store = if dice.roll(2) == 0 { store.kill() } else { store };
                    let stop = if dice.roll(2) == 0 { LastStop::SameBoot } else { LastStop::OtherBoot };
                    let (reopened, report) = open_with(Arc::new(store.clone()), config(), stop, Offset::ZERO);
                    assert!(!report.is_alarming() && (!report.epoch_bumped || stop == LastStop::OtherBoot), "{report:?}");
                    log = reopened;
                    check(&written, &log.view(), end);
                }
                _ => {
                    let count = 1 + dice.roll(8);
                    let new: Vec<Row> = (0..count)
                        .map(|i| {
                            let value = (dice.roll(4) > 0).then(|| format!("{step} {i} {}", "v".repeat(dice.roll(30) as usize)));
                            let key = (dice.roll(30) > 0).then(|| format!("key {}", dice.roll(12)));
                            Row { key, value, timestamp: NOW.0 + dice.roll(1000) as i64 }
                        })
                        .collect();
                    let mut builder = BatchBuilder::new(CODECS[dice.roll(5) as usize]);
                    if dice.roll(2) == 0 {
                        builder = builder.producer(ProducerId(5), ProducerEpoch(0), sequence);
                        sequence += count as i32;
                    }
                    let base = write(&mut log, builder, &new).0;
                    written.extend((base..).zip(new));
                }
            }
        }
        check(&written, &log.view(), end);
    }
    assert!(shrunk > 100 && several > 20, "{shrunk} {several}");
}

#[test]
fn a_mark_of_deletion_stays_until_its_horizon_and_takes_its_key_along() {
    let (_store, mut log) = fresh();
    put(&mut log, "a", Some("1"));
    put(&mut log, "b", Some("1"));
    put(&mut log, "a", None);
    close_segment(&mut log);
    let first = pass(&mut log, Offset::ZERO, NOW, PLENTY).unwrap();
    let left = rows(&log.view());
    assert_eq!(left.keys().copied().collect::<Vec<_>>(), [1, 2, 3], "the mark stays, what it deletes goes");
    let marked = batches(&log.view(), Offset(2)).remove(0);
    assert!(marked.header().attributes.has_delete_horizon());
    assert_eq!((marked.header().base_timestamp, marked.header().max_timestamp), (NOW.plus_ms(1000), NOW));
    let mut end = first.end;
    for (later, stays) in [(999, true), (1000, false)] {
        close_segment(&mut log);
        end = pass(&mut log, end, NOW.plus_ms(later), PLENTY).unwrap().end;
        let left = rows(&log.view());
        assert!(!left.contains_key(&0) && left.contains_key(&1));
        assert_eq!(left.contains_key(&2), stays, "{later} ms later");
    }
}

#[test]
fn a_log_is_due_by_its_share_of_dirty_bytes_or_its_age() {
    let (_store, mut log) = fresh();
    for i in 0..30 {
        put(&mut log, &format!("{i}"), Some("some value that is not short"));
    }
    log.flush().unwrap();
    let plan = |log: &PartitionLog, from| log.plan_compaction(from, NOW).unwrap();
    let sealed = log.view().segments().last().unwrap().base_offset;
    assert_eq!(plan(&log, Offset::ZERO).unwrap().dirtiness.ratio(), 1.0);
    assert!(plan(&log, sealed).is_none(), "only the active segment is left");
    let second = log.view().segments()[1].base_offset;
    let ratio = plan(&log, second).unwrap().dirtiness.ratio();
    assert!(ratio > 0.0 && ratio < 1.0);
    log.set_config(LogConfig { min_cleanable_dirty_ratio: ratio, ..config() });
    assert!(plan(&log, second).is_none(), "not more than the least share");
    log.set_config(LogConfig { min_cleanable_dirty_ratio: 1.0, max_compaction_lag_ms: 10, ..config() });
    assert!(log.plan_compaction(second, NOW.plus_ms(10)).unwrap().is_none());
    assert!(log.plan_compaction(second, NOW.plus_ms(11)).unwrap().is_some(), "max.compaction.lag.ms is over");
    log.set_config(LogConfig { min_compaction_lag_ms: 10, ..config() });
    assert!(log.plan_compaction(Offset::ZERO, NOW.plus_ms(9)).unwrap().is_none());
    assert!(log.plan_compaction(Offset::ZERO, NOW.plus_ms(10)).unwrap().is_some());
    log.set_config(LogConfig { cleanup_compact: false, ..config() });
    assert!(plan(&log, Offset::ZERO).is_none());
}

#[test]
fn what_is_not_on_the_disk_is_not_compacted() {
    let (_store, mut log) = fresh();
    for i in 0..60 {
        put(&mut log, "k", Some(&format!("{i}")));
    }
    assert!(log.plan_compaction(Offset::ZERO, NOW).unwrap().is_none());
    log.flush().unwrap();
    assert!(log.plan_compaction(Offset::ZERO, NOW).unwrap().is_some());
}

#[test]
fn small_segments_are_put_together_and_old_views_stay_readable() {
    let (store, mut log) = fresh();
    for i in 0..100 {
        put(&mut log, &format!("{}", i % 3), Some(&format!("{i} {}", "v".repeat(40))));
    }
    let before = log.view();
    let slices = before.read(Offset::ZERO, 1 << 20, AtLeast::OneBatch, ReadUpTo::End).unwrap();
    let (segments, held) = (before.segments().len(), rows(&before));
    // As in Kafka, what goes together is judged by the size before: the first pass makes them small.
    let end = pass(&mut log, Offset::ZERO, NOW, PLENTY).unwrap().end;
    close_segment(&mut log);
    pass(&mut log, end, NOW, PLENTY).unwrap();
    let after = log.view();
    assert!(segments > 5 && after.segments().len() < 4, "{segments} {:?}", after.segments());
    assert_eq!(rows(&before), held);
    assert_eq!(slices.size, before.size_bytes() as usize);
    let names = store.list().unwrap();
    assert_eq!(names.iter().filter(|name| name.ends_with(".log")).count(), after.segments().len(), "{names:?}");
    assert!(names.iter().all(|name| [CLEANED, SWAP, DELETED].iter().all(|suffix| !name.ends_with(suffix))), "{names:?}");
    // The index files are of the new segment.
    let reopened = open_with(Arc::new(store), config(), LastStop::Clean, log.end_offset()).0;
    assert_eq!(rows(&reopened.view()), rows(&after));
}

#[test]
fn a_producers_last_batch_stays_and_knows_retries_after_a_restart() {
    let (store, mut log) = fresh();
    let produced = |sequence| BatchBuilder::new(Codec::Lz4).producer(ProducerId(9), ProducerEpoch(2), sequence);
    write(&mut log, produced(0), &[row("a", Some("1"))]);
    write(&mut log, produced(1), &[row("a", Some("2")), row("a", Some("3"))]);
    put(&mut log, "a", Some("4"));
    close_segment(&mut log);
    pass(&mut log, Offset::ZERO, NOW, PLENTY).unwrap();
    let left = batches(&log.view(), Offset::ZERO);
    let header = *left[0].header();
    assert_eq!((header.base_offset, header.last_offset(), header.record_count), (Offset(1), Offset(2), 0));
    assert_eq!((header.producer_id, header.base_sequence, header.last_sequence()), (ProducerId(9), 1, 2));
    for name in store.list().unwrap().iter().filter(|name| name.ends_with(".snapshot")) {
        store.remove(name).unwrap();
    }
    let (mut log, _) = open_with(Arc::new(store), config(), LastStop::OtherBoot, log.end_offset());
    let mut retry = produced(1);
    retry.append(NewRecord::default());
    retry.append(NewRecord::default());
    let outcome = log.append(CheckedBatch::trusted(retry.build().unwrap()), NOW).unwrap();
    assert!(outcome.duplicate);
    assert_eq!((outcome.base_offset, outcome.last_offset), (Offset(1), Offset(2)));
    write(&mut log, produced(3), &[row("a", Some("5"))]);
}

#[test]
fn aborted_records_go_at_once_and_markers_when_nothing_needs_them() {
    let (_store, mut log) = fresh();
    put(&mut log, "a", Some("old"));
    let (aborting, committing) = (ProducerId(1), ProducerId(2));
    let in_txn = |id| BatchBuilder::new(Codec::None).producer(id, ProducerEpoch(0), 0).transactional();
    write(&mut log, in_txn(aborting), &[row("a", Some("aborted"))]);
    write(&mut log, in_txn(committing), &[row("b", Some("committed"))]);
    for (id, kind) in [(aborting, ControlType::Abort), (committing, ControlType::Commit)] {
        log.append_internal(BatchBuilder::control(id, ProducerEpoch(0), kind, 0, NOW), NOW).unwrap();
    }
    put(&mut log, "b", Some("new"));
    // Else the last batches of the producers would stay for their sequences.
    log.expire_producers(NOW);
    log.expire_producers(NOW.plus_ms(100_000_000));
    close_segment(&mut log);
    let values = |log: &PartitionLog| rows(&log.view()).into_values().filter_map(|row| row.value).collect::<Vec<_>>();
    let controls = |log: &PartitionLog| batches(&log.view(), Offset::ZERO).iter().filter(|b| b.header().attributes.is_control()).count();
    let mut end = pass(&mut log, Offset::ZERO, NOW, PLENTY).unwrap().end;
    assert_eq!(values(&log), ["old", "new", "x"]);
    assert_eq!(controls(&log), 2);
    assert_eq!(log.view().aborted_transactions(Offset::ZERO, Offset(9)).unwrap().len(), 1);
    // The second pass finds no batch of either, the third comes after the horizon.
    for (later, left) in [(1, 2), (2, 2), (1001, 0)] {
        close_segment(&mut log);
        end = pass(&mut log, end, NOW.plus_ms(later), PLENTY).unwrap().end;
        assert_eq!((controls(&log), later), (left, later));
    }
    assert!(log.view().aborted_transactions(Offset::ZERO, Offset(9)).unwrap().is_empty());
}

#[test]
fn damage_is_never_compacted_away() {
    let (store, mut log) = fresh();
    for i in 0..60 {
        put(&mut log, "k", Some(&format!("{i} {}", "v".repeat(30))));
    }
    log.flush().unwrap();
    store.damage("00000000000000000000.log", |bytes| bytes[200] ^= 1);
    let plan = log.plan_compaction(Offset::ZERO, NOW).unwrap().unwrap();
    let outcome = plan.run(PLENTY, &|| false, &mut |cleaned| log.swap(&cleaned));
    assert!(matches!(outcome, Err(LogError::Batch(_))));
    assert!(store.list().unwrap().iter().all(|name| !name.ends_with(CLEANED)));
    let (mut log, report) = open_with(Arc::new(store), config(), LastStop::OtherBoot, Offset::ZERO);
    assert_eq!(report.damaged.len(), 1);
    log.flush().unwrap();
    assert!(matches!(log.plan_compaction(Offset::ZERO, NOW), Err(LogError::Batch(_))));
}

#[test]
fn damage_in_a_compacted_segment_is_told_from_its_gaps() {
    let (store, mut log) = fresh();
    for i in 0..80 {
        put(&mut log, &format!("{}", i % 20), Some(&format!("{i} {}", "v".repeat(30))));
    }
    pass(&mut log, Offset::ZERO, NOW, PLENTY).unwrap();
    let (whole, end) = (rows(&log.view()), log.end_offset());
    let name = "00000000000000000000.log";
    let (_, report) = open_with(Arc::new(store.kill()), config(), LastStop::OtherBoot, Offset::ZERO);
    assert!(!report.is_alarming() && report.cut_bytes == 0, "{report:?}");
    // A policy that changed does not make gaps damage.
    let plain = LogConfig { cleanup_compact: false, ..config() };
    let (_, report) = open_with(Arc::new(store.kill()), plain, LastStop::OtherBoot, Offset::ZERO);
    assert!(!report.is_alarming() && report.cut_bytes == 0, "{report:?}");
    let len = store.size(name).unwrap() as usize;
    for at in (0..len).step_by(97) {
        let hit = store.kill();
        hit.damage(name, |bytes| bytes.truncate(at));
        let (log, report) = open_with(Arc::new(hit), config(), LastStop::OtherBoot, Offset::ZERO);
        assert_eq!((report.damaged.len(), log.end_offset()), (1, end), "cut at {at}");
        let hit = store.kill();
        hit.damage(name, |bytes| bytes[at] ^= 0x10);
        let (log, report) = open_with(Arc::new(hit), config(), LastStop::OtherBoot, Offset::ZERO);
        assert_eq!(log.end_offset(), end);
        // Only a batch's own offset can lie about itself without being found out: its CRC does not cover it.
        for bad in &report.damaged {
            assert!(whole.keys().filter(|offset| bad.offsets.contains(&Offset(**offset))).count() <= 2, "{report:?}");
        }
    }
}
