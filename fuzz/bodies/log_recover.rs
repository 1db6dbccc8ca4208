//! A partition's folder in which everything but its first batches is arbitrary: opening it never panics, the first batches stay, and
//! it can be written on.
//!
//! | input | |
//! |---|---|
//! | byte 0 | how the last run ended, how much of it was synced |
//! | byte 1 | number of batches that were written |
//! | then | per file: a byte that says which, a length of two bytes, the bytes |

use std::sync::Arc;

use headwater::config::LogConfig;
use headwater::log::{AtLeast, LastStop, LogError, MemoryStore, OpenFacts, PartitionLog, ReadUpTo, Store};
use headwater::model::{
    BatchBuilder, Batches, CheckedBatch, Codec, NewRecord, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId, TopicPartition,
};

const FILES: [&str; 8] = [
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000000.txnindex",
    "00000000000000000000.snapshot",
    "leader-epoch-checkpoint",
    "damaged-ranges",
    "00000000000000000009.snapshot",
    "something-else",
];
const LOG: &str = "00000000000000000000.log";

pub fn run(input: &[u8]) {
    let [how, count, rest @ ..] = input else { return };
    let mut rest = rest;
    let count = i64::from(count % 8);
    let store = MemoryStore::new();
    write(&store, count);
    while let [which, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (bytes, after) = more.split_at(length);
        rest = after;
        match FILES.get(usize::from(*which) % (FILES.len() + 1)) {
            Some(name) => store.put(name, bytes).expect("a file"),
            None => drop(store.damage(LOG, |log| log.extend_from_slice(bytes))),
        }
    }
    let last_stop = if how & 1 == 0 { LastStop::OtherBoot } else { LastStop::SameBoot };
    let synced = if last_stop == LastStop::SameBoot { 0 } else { i64::from(how >> 1) % (count + 1) };
    let facts = OpenFacts { last_stop, recovery_point: Offset(synced), log_start: Offset::ZERO, now: Timestamp(1) };
    let mut log = match open(&store, facts) {
        Ok(log) => log,
        // A format from the future is for a program from the future.
        Err(LogError::NewerFormat { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    assert!(log.end_offset() >= Offset(count), "written: {count}, end: {}", log.end_offset());
    (0..count).for_each(|offset| assert_reads(&log, offset, offset));
    let end = log.end_offset();
    if end.0 > i64::MAX / 2 {
        return;
    }
    log.append(batch(77, Codec::None), Timestamp(2)).expect("an append");
    assert_reads(&log, end.0, 77);
    log.close().expect("a clean end");
    let facts =
        OpenFacts { last_stop: LastStop::Clean, recovery_point: log.recovery_point(), log_start: log.start_offset(), now: Timestamp(3) };
    let log = open(&store, facts).expect("a clean start");
    (0..count).for_each(|offset| assert_reads(&log, offset, offset));
    assert_reads(&log, end.0, 77);
}

fn open(store: &MemoryStore, facts: OpenFacts) -> Result<PartitionLog, LogError> {
    let config = LogConfig { index_interval_bytes: 100, retention_ms: -1, segment_bytes: 1 << 20, ..LogConfig::default() };
    PartitionLog::open(Arc::new(store.clone()), TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).map(|(log, _)| log)
}

fn batch(value: i64, codec: Codec) -> CheckedBatch {
    let mut builder = BatchBuilder::new(codec);
    if codec == Codec::Zstd {
        builder = builder.producer(ProducerId(5), ProducerEpoch(0), 0);
    }
    builder.append(NewRecord { timestamp: Timestamp(value), value: Some(&value.to_be_bytes()), ..NewRecord::default() });
    CheckedBatch::trusted(builder.build().expect("a batch"))
}

fn write(store: &MemoryStore, count: i64) {
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: Timestamp(0) };
    let mut log = open(store, facts).expect("an empty log");
    for value in 0..count {
        let codec = if value == 3 { Codec::Zstd } else { Codec::None };
        log.append(batch(value, codec), Timestamp(0)).expect("an append");
    }
}

fn assert_reads(log: &PartitionLog, offset: i64, value: i64) {
    let read =
        log.view().read(Offset(offset), 1, AtLeast::OneBatch, ReadUpTo::End).unwrap_or_else(|error| panic!("offset {offset}: {error}"));
    let batch = Batches::new(&read.slices[0]).next().expect("a batch").expect("a batch");
    batch.verify_crc().expect("its checksum");
    let records = batch.records().expect("records");
    let record = records.iter().next().expect("a record").expect("a record");
    assert_eq!((record.offset.0, record.value), (offset, Some(&value.to_be_bytes()[..])));
}
