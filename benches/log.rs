//! The log alone: append, fetch, recovery. `cargo bench --bench log`.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use headwater::config::LogConfig;
use headwater::log::{AtLeast, FolderStore, LastStop, OpenFacts, PartitionLog, ReadUpTo, produce_rules};
use headwater::model::{BatchBuilder, CheckedBatch, Codec, NewRecord, Offset, Timestamp, TopicId, TopicPartition, check_produced};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// Segments are dropped above this, so that a long run does not fill the disk.
const KEPT_BYTES: i64 = 1 << 30;

fn open(folder: &Path, last_stop: LastStop) -> PartitionLog {
    let config = LogConfig { segment_bytes: 256 << 20, retention_bytes: KEPT_BYTES, retention_ms: -1, ..LogConfig::default() };
    let facts = OpenFacts { last_stop, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: NOW };
    PartitionLog::open(Arc::new(FolderStore::new(folder)), TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap().0
}

/// A batch as a producer sends it.
fn produced(codec: Codec, records: usize, value_len: usize) -> Bytes {
    let value: Vec<u8> = (0..value_len).map(|i| b"abcdefgh"[i % 8]).collect();
    let mut builder = BatchBuilder::new(codec);
    for _ in 0..records {
        builder.append(NewRecord { timestamp: NOW, value: Some(&value), ..NewRecord::default() });
    }
    builder.build().unwrap().to_bytes()
}

fn append(c: &mut Criterion) {
    let partition = TopicPartition::new("t", 0);
    let rules = produce_rules(&LogConfig::default(), &partition, 11, NOW);
    let mut group = c.benchmark_group("append");
    for (name, records, value_len) in
        [("1 x 100 B", 1, 100), ("16 x 1 KiB", 16, 1024), ("160 x 100 B", 160, 100), ("1000 x 1 KiB", 1000, 1024)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(&folder.path().join("t-0"), LastStop::Clean);
        let sent = produced(Codec::None, records, value_len);
        group.throughput(Throughput::Bytes(sent.len() as u64));
        group.bench_function(format!("check {name}"), |b| b.iter(|| check_produced(black_box(&sent), &rules).unwrap()));
        let checked = check_produced(&sent, &rules).unwrap();
        group.bench_function(format!("write {name}"), |b| {
            b.iter_batched(
                || checked.clone(),
                |batch| {
                    let outcome = log.append(batch, NOW).unwrap();
                    if outcome.base_offset.0 % 4096 == 0 {
                        log.enforce_retention(NOW).unwrap();
                    }
                    log.view()
                },
                BatchSize::SmallInput,
            )
        });
    }
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = produced(codec, 160, 100);
        group.throughput(Throughput::Elements(160));
        group.bench_function(format!("check 160 x 100 B {}", codec.name()), |b| {
            b.iter(|| check_produced(black_box(&sent), &rules).unwrap())
        });
    }
    group.finish();
}

fn fetch(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(&folder.path().join("t-0"), LastStop::Clean);
    let checked = CheckedBatch::trusted(headwater::model::Batch::from_bytes(&produced(Codec::None, 16, 1024)).unwrap());
    for _ in 0..10_000 {
        log.append(checked.clone(), NOW).unwrap();
    }
    let view = log.view();
    let end = view.end_offset().0;
    let mut group = c.benchmark_group("fetch");
    let mut next = 0_i64;
    for (name, max_bytes) in [("one batch", 1), ("1 MiB", 1 << 20)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                next = (next + 7919 * 16) % end;
                view.read(Offset(next), max_bytes, AtLeast::OneBatch, ReadUpTo::End).unwrap()
            })
        });
    }
    group.bench_function("at the end", |b| b.iter(|| view.read(Offset(end - 1), 1 << 20, AtLeast::OneBatch, ReadUpTo::End).unwrap()));
    group.bench_function("clone a view", |b| b.iter(|| log.view()));
    group.finish();
}

fn recovery(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let mut log = open(&path, LastStop::Clean);
    let checked = CheckedBatch::trusted(headwater::model::Batch::from_bytes(&produced(Codec::None, 16, 1024)).unwrap());
    for _ in 0..12_000 {
        log.append(checked.clone(), NOW).unwrap();
    }
    log.checkpoint().unwrap();
    let mut group = c.benchmark_group("recovery of 200 MB");
    group.sample_size(10);
    for stop in [LastStop::Clean, LastStop::SameBoot, LastStop::OtherBoot] {
        group.bench_function(format!("{stop:?}"), |b| b.iter(|| open(&path, stop)));
    }
    group.finish();
}

criterion_group!(benches, append, fetch, recovery);
criterion_main!(benches);
