use super::*;
use crate::log::{LastStop, MemoryStore};

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
