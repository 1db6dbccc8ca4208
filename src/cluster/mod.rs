//! Floor 3: the port to "some Kafka cluster". Generators, checks and pages work through this trait, so that pointing it at an
//! external cluster moves all of them there. What only an embedded broker can know is an optional part, `Inspection`.
//!
//! It never hands out a lock, a map slice or a wire message. Start with the trait; `embedded.rs` is the broker in this process.


mod inspection;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicId, TopicName};


pub use inspection::{ApiRequests, Inspection, MetricsSnapshot};

/// A record on its way into a partition.
#[derive(Clone, Debug)]
pub struct NewRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub timestamp: Timestamp,
    pub headers: Vec<(String, Bytes)>,
}

/// A record as it lies in a partition.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// What a cluster answered instead of doing what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} ({code:?})")]
pub struct ClusterError {
    pub code: ErrorCode,
    pub message: String,
}

#[derive(Clone, Debug)]
pub struct TopicSummary {
    pub name: TopicName,
    pub id: TopicId,
    pub internal: bool,
    pub partitions: Vec<PartitionSummary>,
}

#[derive(Clone, Copy, Debug)]
pub struct PartitionSummary {
    pub partition: PartitionId,
    pub start_offset: Offset,
    pub end_offset: Offset,
    pub size_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct GroupSummary {
    pub group: String,
    /// As ListGroups names it: `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`.
    pub state: String,
    pub protocol_type: String,
    pub members: usize,
    /// Committed offsets, with the end of the partition at the same moment.
    pub offsets: Vec<GroupOffset>,
}

#[derive(Clone, Debug)]
pub struct GroupOffset {
    pub topic: TopicName,
    pub partition: PartitionId,
    pub committed: Offset,
    pub end_offset: Offset,
}

impl GroupOffset {
    /// Records between what was committed and the end. Never negative.
    pub fn lag(&self) -> i64 {
        (self.end_offset.0 - self.committed.0).max(0)
    }
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Cluster: Send + Sync {
    /// All topics, by name.
    fn topics(&self) -> BoxFuture<'_, Result<Vec<TopicSummary>, ClusterError>>;
    /// Creates the topic if it does not exist, with partition count and configs.
    fn ensure_topic<'a>(
        &'a self,
        name: &'a TopicName,
        partitions: i32,
        configs: &'a [(&'a str, String)],
    ) -> BoxFuture<'a, Result<(), ClusterError>>;
    /// Appends the records to one partition as one batch, in order. The offset is the first one's.
    fn append<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>>;
    /// The last `count` records of a partition, oldest first.
    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>>;
    /// All consumer groups with their committed offsets, by name.
    fn groups(&self) -> BoxFuture<'_, Result<Vec<GroupSummary>, ClusterError>>;
    /// What only a broker in this process can tell.
    fn inspection(&self) -> Option<&dyn Inspection>;
}
