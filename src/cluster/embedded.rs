//! The broker in this process as a cluster.

use std::sync::Arc;

use super::embedded_desk::batch_of;
use super::embedded_records::stored;
use super::{
    BoxFuture, Cluster, ClusterError, GroupOffset, GroupSummary, ListenerSummary, NewRecord, PartitionSummary, Sightings, StoredRecord,
    TopicSummary, Topics, Witness,
};
use crate::broker::{Broker, Endpoint, NewTopic, Partition, Refused, Topic};
use crate::config::{Advertise, Durability};
use crate::coordinator::group::request::{DescribeGroup, ListGroups, OffsetFetch};
use crate::coordinator::group::{GroupId, MemberId, Reply, Request};
use crate::model::metrics::MetricsSnapshot;
use crate::model::sighting::{Sighting, Trouble};
use crate::model::{ErrorCode, Offset, PartitionId, TopicName};
use crate::security::Mechanism;

pub struct Embedded {
    pub(super) broker: Arc<Broker>,
    /// The names of the API keys, for the counters.
    api_names: Vec<(i16, &'static str)>,
}

impl Embedded {
    pub fn new(broker: Arc<Broker>, api_names: Vec<(i16, &'static str)>) -> Embedded {
        Embedded { broker, api_names }
    }

    pub(super) fn partition(&self, topic: &TopicName, id: PartitionId) -> Result<Arc<Partition>, ClusterError> {
        self.broker.catalog.get(topic.as_str()).and_then(|t| t.partition(id)).ok_or_else(|| ClusterError {
            code: ErrorCode::UnknownTopicOrPartition,
            message: format!("there is no partition {topic}-{id}"),
        })
    }

    async fn ensure(&self, name: &TopicName, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
        if self.broker.catalog.get(name.as_str()).is_some() {
            return Ok(());
        }
        let overrides = configs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        match self.broker.create_topic(NewTopic { name: name.clone(), partitions, overrides }).await {
            Err(refused) if refused.error != ErrorCode::TopicAlreadyExists => Err(refused.into()),
            _ => Ok(()),
        }
    }

    async fn read_tail(&self, topic: &TopicName, id: PartitionId, count: usize) -> Result<Vec<StoredRecord>, ClusterError> {
        let partition = self.partition(topic, id)?;
        let read = move || {
            let view = partition.view();
            let start = view.start_offset();
            let mut reach = i64::try_from(count).unwrap_or(i64::MAX);
            loop {
                let from = Offset(view.end_offset().0.saturating_sub(reach)).max(start);
                let mut records = Vec::new();
                partition
                    .read_all(from, |record| records.push(stored(id, record)))
                    .map_err(|error| ClusterError { code: crate::broker::error_code(&error), message: error.to_string() })?;
                // Compaction leaves fewer records than offsets.
                if records.len() >= count || from == start || !partition.config().cleanup_compact {
                    records.drain(..records.len().saturating_sub(count));
                    return Ok(records);
                }
                reach = reach.saturating_mul(8);
            }
        };
        blocking(read).await
    }

    async fn list_groups(&self) -> Result<Vec<GroupSummary>, ClusterError> {
        let replies = self.broker.groups.ask_all(Request::ListGroups(ListGroups::default())).await.map_err(code)?;
        let mut groups = Vec::new();
        for reply in replies {
            let Reply::ListGroups(list) = reply else { continue };
            for listed in list.groups {
                groups.push(GroupSummary {
                    id: listed.group.to_string(),
                    protocol: listed.group_type.to_owned(),
                    state: listed.state.to_owned(),
                    members: self.member_count(&listed.group).await?,
                    offsets: self.offsets(&listed.group).await?,
                });
            }
        }
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    async fn member_count(&self, group: &GroupId) -> Result<usize, ClusterError> {
        let describe = Request::DescribeGroup(DescribeGroup { version: 5, group: group.clone() });
        match self.broker.groups.ask(group, describe).await.map_err(code)? {
            Reply::DescribeGroup(described) => Ok(described.members.len()),
            _ => Ok(0),
        }
    }

    async fn offsets(&self, group: &GroupId) -> Result<Vec<GroupOffset>, ClusterError> {
        let fetch =
            OffsetFetch { group: group.clone(), topics: None, member_id: MemberId::default(), member_epoch: -1, require_stable: false };
        let Reply::OffsetFetch(fetched) = self.broker.groups.ask(group, Request::OffsetFetch(fetch)).await.map_err(code)? else {
            return Ok(Vec::new());
        };
        let with_end = |topic: &TopicName, partition: PartitionId, committed: Offset| {
            let end_offset = self.partition(topic, partition).ok()?.view().end_offset();
            Some(GroupOffset { topic: topic.clone(), partition, committed, end_offset })
        };
        let each = fetched.topics.iter().flat_map(|(t, list)| list.iter().map(move |o| (t, o.partition, o.offset)));
        Ok(each.filter_map(|(t, p, o)| with_end(t, p, o)).collect())
    }
}

fn code(code: ErrorCode) -> ClusterError {
    ClusterError { code, message: "the group coordinator did not answer".to_owned() }
}

impl From<Refused> for ClusterError {
    fn from(refused: Refused) -> Self {
        ClusterError { code: refused.error, message: refused.message }
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    let failed = |_| Err(ClusterError { code: ErrorCode::UnknownServerError, message: "the broker failed at this request".to_owned() });
    tokio::task::spawn_blocking(what).await.unwrap_or_else(failed)
}

fn summary(topic: &Topic) -> TopicSummary {
    let partition = |partition: &Arc<Partition>| {
        let view = partition.view();
        PartitionSummary {
            partition: partition.id(),
            start_offset: view.start_offset(),
            end_offset: view.end_offset(),
            size_bytes: view.size_bytes(),
            damaged: view.damaged().into_iter().map(|bad| bad.offsets).collect(),
            indexes_rebuilt: view.indexes_rebuilt(),
        }
    };
    TopicSummary {
        name: topic.name.clone(),
        id: topic.id,
        internal: topic.is_internal(),
        durability: topic.partition(PartitionId(0)).map_or(Durability::D1, |partition| partition.config().durability()),
        partitions: topic.partitions().iter().map(partition).collect(),
    }
}

impl Cluster for Embedded {
    fn cluster_id(&self) -> String {
        self.broker.node.cluster_id.clone()
    }

    fn listeners(&self) -> Vec<ListenerSummary> {
        let takes = |endpoint: &Endpoint, mechanism: &Mechanism| {
            endpoint.protocol.logs_in() && (*mechanism != Mechanism::Plain || endpoint.takes_plain)
        };
        let listener = |endpoint: &Arc<Endpoint>| ListenerSummary {
            name: endpoint.name.clone(),
            protocol: endpoint.protocol,
            bound: endpoint.bound,
            advertise: endpoint.advertise(),
            mechanisms: Mechanism::ALL.iter().filter(|mechanism| takes(endpoint, mechanism)).map(|m| m.name()).collect(),
        };
        self.broker.node.endpoints().iter().map(listener).collect()
    }

    fn health(&self) -> Result<(), String> {
        self.broker.problem().map_or(Ok(()), Err)
    }

    fn warning(&self) -> Option<String> {
        self.broker.space.warning()
    }

    fn topics(&self) -> Vec<TopicSummary> {
        self.broker.catalog.list().iter().map(|topic| summary(topic)).collect()
    }

    fn topic(&self, name: &str) -> Option<TopicSummary> {
        self.broker.catalog.get(name).map(|topic| summary(&topic))
    }

    fn groups(&self) -> BoxFuture<'_, Vec<GroupSummary>> {
        Box::pin(async move {
            self.list_groups().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot list the groups");
                Vec::new()
            })
        })
    }

    fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot {
            disk: self.broker.space.gauge(),
            read_only: self.broker.space.is_read_only(),
            files_damaged: self.broker.catalog.files_damaged() + self.broker.producer_ids.restored,
            topics_closed: self.broker.catalog.closed(),
            partitions_offline: self.broker.offline_partitions().len(),
            ..self.broker.metrics.snapshot(&self.api_names, &self.broker.catalog)
        }
    }

    fn erase(&self, topics: Vec<TopicName>, groups: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let groups = groups.iter().map(|group| GroupId::from(group.as_str())).collect();
        Box::pin(async move { Ok(self.broker.erase(topics, groups).await?) })
    }

    fn set_advertised<'a>(&'a self, listener: &'a str, advertise: Advertise) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move { Ok(self.broker.set_advertised(listener, advertise).await?) })
    }

    fn sightings(&self) -> Option<&dyn Sightings> {
        Some(&self.broker.sightings)
    }

    fn witness(&self) -> Option<&dyn Witness> {
        Some(&self.broker.evidence)
    }
}

impl Sightings for crate::broker::sightings::Sightings {
    fn user(&self, user: &str) -> Option<Sighting> {
        self.user(user)
    }

    fn users(&self) -> Vec<Sighting> {
        self.users()
    }

    fn strangers(&self) -> Vec<Trouble> {
        self.strangers()
    }
}

impl Topics for Embedded {
    fn ensure_topic<'a>(
        &'a self,
        name: &'a TopicName,
        partitions: i32,
        configs: &'a [(&'a str, String)],
    ) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.ensure(name, partitions, configs))
    }

    fn append<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        Box::pin(async move {
            let partition = self.partition(topic, partition)?;
            if let Some(message) = self.broker.space.refusal() {
                return Err(ClusterError { code: ErrorCode::KafkaStorageError, message });
            }
            let count = records.len();
            let batch = batch_of(&records)?;
            let base = partition
                .append_batch(batch, self.broker.now())
                .map_err(|error| ClusterError { code: crate::broker::error_code(&error), message: error.to_string() })?;
            let end = Offset(base.0.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)));
            if let Some(flush) = self.broker.flusher.due(&partition, end) {
                let unsynced = |_| ClusterError { code: ErrorCode::KafkaStorageError, message: format!("{topic} could not be synced") };
                flush.ended().await.map_err(unsynced)?;
            }
            Ok(base)
        })
    }

    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(self.read_tail(topic, partition, count))
    }
}
