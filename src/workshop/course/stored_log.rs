//! The cluster's records for a thread that may block.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::cluster::{Cluster, ClusterError, StoredRecord};
use crate::model::{Offset, PartitionId, TopicName};
use crate::workshop::truth::{Log, LogError};

/// What is asked of the cluster at a time.
const CHUNK_BYTES: usize = 4 << 20;
/// What is asked of the cluster for each record of a short range, so that one record does not cost a chunk.
const RECORD_BYTES: usize = 1 << 10;

pub(super) struct StoredLog {
    pub cluster: Arc<dyn Cluster>,
    /// Of the runtime that the cluster lives in. Asked from threads outside of it only.
    pub runtime: Handle,
    pub deadline: Instant,
}

fn unreadable(error: &ClusterError) -> LogError {
    LogError::Unreadable(error.message.clone())
}

impl Log for StoredLog {
    fn read(
        &self,
        topic: &str,
        partition: PartitionId,
        range: Range<Offset>,
        visit: &mut dyn FnMut(&StoredRecord),
    ) -> Result<(), LogError> {
        let name = TopicName::new(topic);
        let mut at = range.start;
        while at < range.end {
            if Instant::now() > self.deadline {
                return Err(LogError::Unreadable("the check took too long".to_owned()));
            }
            // Asked each time: retention does not wait for a check.
            let left = self.cluster.topic(topic).and_then(|topic| topic.partitions.into_iter().find(|p| p.partition == partition));
            let left = left.ok_or_else(|| LogError::Unreadable(format!("there is no partition {topic}-{partition}")))?;
            if left.start_offset > at {
                return Err(LogError::Gone { topic: topic.to_owned(), partition, start: left.start_offset });
            }
            let records = usize::try_from(range.end.0.saturating_sub(at.0)).unwrap_or(usize::MAX);
            let bytes = records.saturating_mul(RECORD_BYTES).min(CHUNK_BYTES);
            let some = self.runtime.block_on(self.cluster.read(&name, partition, at, bytes)).map_err(|error| unreadable(&error))?;
            let Some(last) = some.last() else { break };
            let next = last.offset.plus(1).max(at.plus(1));
            some.iter().filter(|record| record.offset >= at && record.offset < range.end).for_each(&mut *visit);
            at = next;
        }
        Ok(())
    }
}
