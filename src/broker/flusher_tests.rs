use super::*;
use crate::broker::OwnRecord;
use crate::config::LogConfig;
use crate::log::{FolderStore, LastStop, MemoryStore, OpenFacts, Store};
use crate::model::{PartitionId, Timestamp, TopicId, TopicPartition};

fn folder(path: &std::path::Path) -> Arc<DataFolder> {
    Arc::new(DataFolder::open(path, 1, (TopicId([1; 16]), TopicId([2; 16]))).unwrap().0)
}

fn partition(store: Arc<dyn Store>, id: i32, flush_messages: u64) -> Arc<Partition> {
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: Timestamp(0) };
    let name = TopicPartition { topic: "t".into(), partition: PartitionId(id) };
    let config = LogConfig { flush_messages, segment_bytes: 1 << 20, ..LogConfig::default() };
    Arc::new(Partition::open(store, name, TopicId([1; 16]), Arc::new(config), facts).unwrap())
}

/// The offset behind what was written.
fn write(partition: &Partition) -> Offset {
    let record = OwnRecord { timestamp: Timestamp(1), key: None, value: Some("v".into()) };
    partition.append_own(&[record], Timestamp(1)).unwrap().plus(1)
}

#[tokio::test]
async fn with_flush_messages_1_an_answer_waits_for_the_disk_and_with_more_only_every_so_often() {
    let path = tempfile::tempdir().unwrap();
    let flusher = Flusher::start(folder(path.path()));
    let waits = |flush_messages| {
        let (store, flusher) = (MemoryStore::new(), flusher.clone());
        async move {
            let partition = partition(Arc::new(store), 0, flush_messages);
            let mut waits = Vec::new();
            for _ in 0..6 {
                let end = write(&partition);
                let flush = flusher.due(&partition, end);
                waits.push(flush.is_some());
                if let Some(flush) = flush {
                    flush.ended().await.unwrap();
                    assert_eq!(partition.checkpoint_row().0, end);
                    assert!(flusher.due(&partition, end).is_none(), "what is on the disk is waited for again");
                }
            }
            waits
        }
    };
    assert_eq!(waits(1).await, [true; 6]);
    assert_eq!(waits(3).await, [false, false, true, false, false, true]);
    assert_eq!(waits(u64::MAX).await, [false; 6]);
}

#[tokio::test]
async fn a_failed_flush_acknowledges_none_of_those_who_wait_and_no_other_partition_suffers() {
    let path = tempfile::tempdir().unwrap();
    let flusher = Flusher::start(folder(path.path()));
    let store = MemoryStore::new();
    let (bad, good) = (partition(Arc::new(store.clone()), 0, 1), partition(Arc::new(MemoryStore::new()), 1, 1));
    let ask = |partition: &Arc<Partition>| flusher.due(partition, write(partition)).unwrap();
    let waiting: Vec<_> = (0..200).map(|_| (ask(&bad), ask(&good))).collect();
    store.fail_after(Some(0));
    for (failed, succeeded) in waiting {
        assert_eq!(failed.ended().await.unwrap_err().error, ErrorCode::KafkaStorageError);
        succeeded.ended().await.unwrap();
    }
    // The disk seems to be well again, but what it lost is lost.
    store.fail_after(None);
    let retried = flusher.due(&bad, Offset(1)).unwrap().ended().await;
    assert_eq!(retried.unwrap_err().error, ErrorCode::KafkaStorageError);
    assert!(bad.is_offline() && !good.is_offline());
}

#[tokio::test]
async fn a_round_of_many_partitions_is_one_sync() {
    let path = tempfile::tempdir().unwrap();
    let folder = folder(path.path());
    let flusher = Flusher::start(Arc::clone(&folder));
    let many = FILES_ONE_BY_ONE_MAX as i32 + 8;
    let partitions: Vec<_> =
        (0..many).map(|id| partition(Arc::new(FolderStore::new(path.path().join(format!("t-{id}")))), id, 1)).collect();
    let waiting: Vec<_> = partitions.iter().map(|partition| flusher.due(partition, write(partition)).unwrap()).collect();
    for flush in waiting {
        flush.ended().await.unwrap();
    }
    assert!(partitions.iter().all(|partition| partition.checkpoint_row().0 == Offset(1)));
    // Each of the partitions of a round that fails as a whole is offline, and only those.
    let late = partitions.split_last().unwrap().1;
    for partition in late {
        write(partition);
    }
    let turns = late.iter().filter_map(|partition| partition.begin_flush().unwrap());
    end_together(turns.collect(), Err(io::Error::other("lost pages")));
    assert_eq!(partitions.iter().filter(|partition| partition.is_offline()).count(), late.len());
}
