use super::*;
use crate::log::{LastStop, MemoryStore};
use std::sync::atomic::AtomicU64;

fn partition(store: &MemoryStore, config: LogConfig) -> Partition {
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: Timestamp(0) };
    let name = TopicPartition { topic: "t".into(), partition: PartitionId(0) };
    Partition::open(Arc::new(store.clone()), name, TopicId([1; 16]), Arc::new(config), facts).unwrap()
}

fn write(partition: &Partition, at: i64) -> Result<Offset, LogError> {
    let record = OwnRecord { timestamp: Timestamp(at), key: None, value: Some(Bytes::from(vec![b'x'; 600])) };
    partition.append_own(&[record], Timestamp(at))
}

#[test]
fn a_failed_flush_is_never_followed_by_one_that_succeeds() {
    let store = MemoryStore::new();
    let partition = partition(&store, LogConfig::default());
    write(&partition, 1).unwrap();
    store.fail_after(Some(0));
    assert!(matches!(partition.flush(), Err(LogError::Io(_))));
    store.fail_after(None);
    assert!(matches!(partition.flush(), Err(LogError::Offline(_))));
    assert_eq!(partition.checkpoint_row().0, Offset::ZERO);
    assert!(matches!(write(&partition, 2), Err(LogError::Offline(_))));
}

#[test]
fn retention_frees_segments_on_a_full_disk() {
    let store = MemoryStore::new();
    let config = LogConfig { segment_bytes: 1000, retention_ms: 10, ..LogConfig::default() };
    let partition = partition(&store, config);
    for at in 0..4 {
        write(&partition, at).unwrap();
    }
    store.fail_after(Some(0));
    assert!(matches!(write(&partition, 5), Err(LogError::Io(_))));
    partition.housekeep(Timestamp(1000)).unwrap();
    assert_eq!((partition.view().start_offset(), partition.view().end_offset()), (Offset(3), Offset(4)));
    store.fail_after(None);
    assert_eq!(write(&partition, 6).unwrap(), Offset(4));
}

fn keyed(partition: &Partition, at: i64) {
    let record = OwnRecord {
        timestamp: Timestamp(at),
        key: Some(Bytes::from(format!("key {}", at % 7))),
        value: Some(Bytes::from(format!("{at} {}", "v".repeat(50)))),
    };
    partition.append_own(&[record], Timestamp(at)).unwrap();
}

#[test]
fn appends_reads_and_retention_go_on_while_a_log_is_compacted() {
    let store = MemoryStore::new();
    let config = LogConfig { segment_bytes: 1000, cleanup_compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
    let config = LogConfig { retention_ms: -1, retention_bytes: 3000, ..config };
    let partition = partition(&store, config);
    let done = AtomicBool::new(false);
    let passes = AtomicU64::new(0);
    let written = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                match partition.compact(Timestamp(1), 1 << 20, &|| false) {
                    Ok(compacted) => _ = passes.fetch_add(compacted.passes, Ordering::Relaxed),
                    // Retention took what was to be flushed. The next pass goes on.
                    Err(LogError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                partition.housekeep(Timestamp(1)).unwrap();
                let mut last = Offset::NONE;
                partition
                    .read_own(Offset::ZERO, |offset, _| {
                        assert!(offset > last);
                        last = offset;
                    })
                    .unwrap();
            }
        });
        let (mut at, started) = (0, std::time::Instant::now());
        while at < 3000 || (passes.load(Ordering::Relaxed) < 2 && started.elapsed() < std::time::Duration::from_secs(60)) {
            // From a hundred segments on they are not closed at this size, and nothing can go from the one that is open.
            while partition.view().size_bytes() > 50_000 {
                std::thread::yield_now();
            }
            keyed(&partition, at);
            at += 1;
        }
        done.store(true, Ordering::Relaxed);
        at
    });
    assert!(passes.into_inner() > 1);
    partition.housekeep(Timestamp(1)).unwrap();
    let mut latest = std::collections::BTreeMap::new();
    partition
        .read_own(Offset::ZERO, |offset, record| {
            latest.insert(record.key.unwrap(), offset.0);
        })
        .unwrap();
    assert_eq!(latest.into_values().max(), Some(written - 1));
    assert!(partition.view().size_bytes() < 5000);
}

#[test]
fn a_deleted_partition_is_not_compacted_on() {
    let store = MemoryStore::new();
    let config = LogConfig { segment_bytes: 1000, cleanup_compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
    let partition = partition(&store, config);
    for at in 0..300 {
        keyed(&partition, at);
    }
    std::thread::scope(|scope| {
        let compacting = scope.spawn(|| partition.compact(Timestamp(1), 100, &|| partition.is_deleted()));
        partition.delete().unwrap();
        compacting.join().unwrap().unwrap();
    });
    assert_eq!(store.list().unwrap(), Vec::<String>::new());
}
