//! Floor 3: the port to "some Kafka cluster". Everything above reads and writes through it.
//!
//! Topics and counters are snapshots and come at once; what has to be read or asked for comes later.

pub mod summary;

use std::pin::Pin;

use crate::model::metrics::MetricsSnapshot;
use crate::model::{ErrorCode, PartitionId, TopicName};
pub use summary::{GroupOffset, GroupSummary, PartitionSummary, StoredRecord, TopicSummary};

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Cluster: Send + Sync {
    /// Ready to serve, or one sentence why not.
    fn health(&self) -> Result<(), String>;

    /// All topics, sorted by name.
    fn topics(&self) -> Vec<TopicSummary>;

    /// The last `count` records of a partition, oldest first.
    fn tail(&self, topic: TopicName, partition: PartitionId, count: usize) -> Later<'_, Result<Vec<StoredRecord>, ErrorCode>>;

    /// All groups, sorted by id.
    fn groups(&self) -> Later<'_, Vec<GroupSummary>>;

    fn metrics(&self) -> MetricsSnapshot;
}
