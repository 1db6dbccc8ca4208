//! A topic: its identity, its partitions, its overrides.

use std::sync::{Arc, PoisonError, RwLock};

use super::partition::Partition;
use crate::config::TopicConfig;
use crate::model::{PartitionId, TopicId, TopicName};

pub struct Topic {
    pub name: TopicName,
    pub id: TopicId,
    partitions: RwLock<Arc<[Arc<Partition>]>>,
    config: RwLock<Arc<TopicConfig>>,
}

/// Topics that Kafka's clients call internal: they are skipped by pattern subscriptions and refused to producers.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
/// The generators' notes, their ledger, who has joined, and how far they are. Internal too, and not in lists: nobody meets them who does not ask by name.
const HIDDEN: [&str; 4] = ["_headwater", "_progress", "_truth", "_workshop"];

impl Topic {
    pub(super) fn new(name: TopicName, id: TopicId, partitions: Vec<Arc<Partition>>, config: TopicConfig) -> Topic {
        Topic { name, id, partitions: RwLock::new(partitions.into()), config: RwLock::new(Arc::new(config)) }
    }

    pub fn is_internal(&self) -> bool {
        is_internal(self.name.as_str())
    }

    pub fn is_hidden(&self) -> bool {
        HIDDEN.contains(&self.name.as_str())
    }

    pub fn partitions(&self) -> Arc<[Arc<Partition>]> {
        Arc::clone(&self.partitions.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn partition(&self, id: PartitionId) -> Option<Arc<Partition>> {
        let index = usize::try_from(id.0).ok()?;
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(index).cloned()
    }

    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.read().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(i32::MAX)
    }

    pub fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_partitions(&self, partitions: Vec<Arc<Partition>>) {
        *self.partitions.write().unwrap_or_else(PoisonError::into_inner) = partitions.into();
    }

    pub(super) fn set_config(&self, config: TopicConfig) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name) || HIDDEN.contains(&name)
}
