//! What a reset or a removal takes away: told first, then done.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::Identity;
use crate::cluster::{Cluster, ClusterError, GroupSummary};
use crate::model::TopicName;

/// The generators' ledger goes with the streams that it is about. What else is the broker's own stays.
const LEDGER: &str = "_truth";

/// Topics and groups that go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Doomed {
    pub topics: Vec<DoomedTopic>,
    pub groups: Vec<DoomedGroup>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DoomedTopic {
    pub name: String,
    pub partitions: usize,
    /// Offsets in use; records, but for those that compaction took.
    pub records: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DoomedGroup {
    pub id: String,
    /// With members it stays, loses what it has committed, and its members join anew.
    pub members: usize,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Erased {
    pub topics: Vec<String>,
    pub groups: Vec<String>,
    /// Groups that had members: they go on, and begin anew.
    pub kept: Vec<String>,
}

impl Doomed {
    /// All topics but the broker's own, and all groups.
    pub async fn everything(cluster: &dyn Cluster) -> Doomed {
        Doomed::found(cluster, |name, internal| !internal || name == LEDGER, |_| true).await
    }

    /// Of a cluster that others use too: these topics, the ledger, and groups that have read nothing else.
    pub async fn ours(cluster: &dyn Cluster, is_ours: impl Fn(&str) -> bool) -> Doomed {
        let read_ours = |group: &GroupSummary| !group.offsets.is_empty() && group.offsets.iter().all(|one| is_ours(one.topic.as_str()));
        let groups: HashSet<String> = cluster.groups().await.into_iter().filter(read_ours).map(|group| group.id).collect();
        Doomed::found(cluster, |name, _| is_ours(name) || name == LEDGER, |group| groups.contains(group)).await
    }

    /// What is somebody's.
    pub async fn of(cluster: &dyn Cluster, identity: &Identity) -> Doomed {
        Doomed::found(cluster, |name, _| identity.owns_topic(name), |group| identity.owns_group(group)).await
    }

    async fn found(cluster: &dyn Cluster, topic: impl Fn(&str, bool) -> bool, group: impl Fn(&str) -> bool) -> Doomed {
        let topics = cluster.topics().into_iter().filter(|t| topic(t.name.as_str(), t.internal)).map(|t| DoomedTopic {
            name: t.name.to_string(),
            partitions: t.partitions.len(),
            records: t.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).sum(),
        });
        let topics = topics.collect();
        let groups = cluster.groups().await.into_iter().filter(|g| group(&g.id));
        Doomed { topics, groups: groups.map(|g| DoomedGroup { id: g.id, members: g.members }).collect() }
    }

    /// Deletes it.
    pub async fn erase(self, cluster: &dyn Cluster) -> Result<Erased, ClusterError> {
        let topics: Vec<String> = self.topics.into_iter().map(|topic| topic.name).collect();
        let groups: Vec<String> = self.groups.into_iter().map(|group| group.id).collect();
        cluster.erase(topics.iter().map(|name| TopicName::new(name)).collect(), groups.clone()).await?;
        let left: Vec<String> = cluster.groups().await.into_iter().map(|group| group.id).collect();
        let (kept, groups) = groups.into_iter().partition(|group| left.contains(group));
        Ok(Erased { topics, groups, kept })
    }
}
