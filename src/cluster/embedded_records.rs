//! Records of the broker in this process, and what it saw its users do with them.

use bytes::Bytes;

use super::embedded::{Embedded, blocking};
use super::{BoxFuture, ClusterError, Records, StoredRecord, Witness};
use crate::broker::{ReadUpTo, error_code};
use crate::model::evidence::Evidence;
use crate::model::{Offset, PartitionId, Record, Timestamp, TopicName};

/// Headers of one record that are looked at. Kafka has no limit, and in a compressed batch millions take no room.
const HEADERS_MAX: usize = 10_000;

pub(super) fn stored(partition: PartitionId, record: &Record<'_>) -> StoredRecord {
    let header = |(name, value): (&[u8], Option<&[u8]>)| (String::from_utf8_lossy(name).into_owned(), value.map(Bytes::copy_from_slice));
    StoredRecord {
        partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.map(Bytes::copy_from_slice),
        value: record.value.map(Bytes::copy_from_slice),
        headers: record.headers().take(HEADERS_MAX).map(header).collect(),
    }
}

impl Embedded {
    async fn read_from(
        &self,
        topic: &TopicName,
        id: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> Result<Vec<StoredRecord>, ClusterError> {
        let partition = self.partition(topic, id)?;
        let read = move || {
            let view = partition.view();
            let (mut records, mut at, mut bytes) = (Vec::new(), from.max(view.start_offset()), 0_usize);
            while (records.is_empty() || bytes < bytes_max) && at < view.end_offset() {
                let take = |record: &Record<'_>| {
                    let takes = records.is_empty() || bytes < bytes_max;
                    if takes {
                        let record = stored(id, record);
                        bytes = bytes.saturating_add(record.held());
                        records.push(record);
                    }
                    takes
                };
                let next = partition
                    .visit_while(&view, at, bytes_max, take)
                    .map_err(|error| ClusterError { code: error_code(&error), message: error.to_string() })?;
                if next <= at {
                    break;
                }
                at = next;
            }
            Ok(records)
        };
        blocking(read).await
    }

    async fn find_time(&self, topic: &TopicName, id: PartitionId, time: Timestamp) -> Result<Offset, ClusterError> {
        let partition = self.partition(topic, id)?;
        let find = move || {
            let view = partition.view();
            let found = view.offset_for_timestamp(time, ReadUpTo::End);
            let unreadable = |error: crate::broker::ReadError| ClusterError {
                code: crate::broker::read_error_code(&error),
                message: format!("{error:?}"),
            };
            Ok(found.map_err(unreadable)?.map_or(view.end_offset(), |found| found.offset))
        };
        blocking(find).await
    }
}

impl Records for Embedded {
    fn read<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(self.read_from(topic, partition, from, bytes_max))
    }

    fn offset_at<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        time: Timestamp,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        Box::pin(self.find_time(topic, partition, time))
    }
}

impl Witness for crate::broker::evidence::Evidences {
    fn evidence(&self, user: &str) -> Evidence {
        self.of(user)
    }
}
