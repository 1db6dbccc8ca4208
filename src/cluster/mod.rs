//! Floor 3: the port to "some Kafka cluster". Everything above appends and reads through this trait.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

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
#[derive(Clone, Debug)]
pub struct ClusterError {
    pub code: ErrorCode,
    pub message: String,
}

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Cluster: Send + Sync {
    /// Creates the topic if it does not exist, with partition count and configs.
    fn ensure_topic<'a>(
        &'a self,
        name: &'a TopicName,
        partitions: i32,
        configs: &'a [(&'a str, String)],
    ) -> BoxFuture<'a, Result<(), ClusterError>>;
    /// Appends the records to one partition as one batch, in order.
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
}
