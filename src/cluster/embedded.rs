//! The broker in this process as a cluster.

use std::net::IpAddr;
use std::sync::Arc;

use super::embedded_desk::batch_of;
use super::embedded_records::stored;
use super::{
    BoxFuture, Cluster, ClusterError, GroupMembers, GroupSummary, ListenerSummary, NewRecord, PartitionSummary, Requests, Sightings,
    StoredRecord, TopicSummary, Topics, Witness,
};
use crate::broker::{Broker, Endpoint, NewTopic, Partition, Refused, Topic, clock};
use crate::config::{Advertise, Durability};
use crate::coordinator::group::GroupId;
use crate::model::metrics::MetricsSnapshot;
use crate::model::request_seen::RequestSeen;
use crate::model::sighting::{Latest, Sighting, Trouble};
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
            size_bytes: Some(view.size_bytes()),
            damaged: view.damaged().into_iter().map(|bad| bad.offsets).collect(),
            indexes_rebuilt: view.indexes_rebuilt(),
        }
    };
    TopicSummary {
        name: topic.name.clone(),
        id: topic.id,
        internal: topic.is_internal(),
        durability: Some(topic.partition(PartitionId(0)).map_or(Durability::D1, |partition| partition.config().durability())),
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
            bound: Some(endpoint.bound),
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
            self.survey().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot list the groups");
                Vec::new()
            })
        })
    }

    fn group_members<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Option<GroupMembers>> {
        Box::pin(self.members(group))
    }

    fn commit_offsets<'a>(
        &'a self,
        group: &'a str,
        offsets: Vec<(TopicName, PartitionId, Offset)>,
    ) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.commit(group, offsets))
    }

    fn delete_group<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.delete(group))
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

    fn connections(&self) -> Option<u64> {
        Some(self.broker.metrics.connections.get())
    }

    fn erase(&self, topics: Vec<TopicName>, groups: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let groups = groups.iter().map(|group| GroupId::from(group.as_str())).collect();
        Box::pin(async move { Ok(self.broker.erase(topics, groups).await?) })
    }

    fn makes_topics(&self) -> bool {
        self.broker.configs.broker().auto_create_topics
    }

    fn set_advertised<'a>(&'a self, listener: &'a str, advertise: Advertise) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move { Ok(self.broker.set_advertised(listener, advertise).await?) })
    }

    fn sightings(&self) -> Option<&dyn Sightings> {
        Some(&self.broker.sightings)
    }

    fn requests(&self) -> Option<&dyn Requests> {
        Some(self)
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

    fn latest(&self, user: &str) -> Option<Latest> {
        self.latest(user, clock::now())
    }

    fn names(&self) -> Vec<String> {
        self.names()
    }

    fn stranger(&self, from: IpAddr) -> Option<Trouble> {
        self.stranger(from)
    }
}

impl Requests for Embedded {
    fn last(&self, users: Option<&[&str]>, most: usize) -> Vec<RequestSeen> {
        self.broker.requests.last(users, most)
    }

    fn name(&self, api_key: i16) -> Option<&'static str> {
        self.api_names.iter().find(|(key, _)| *key == api_key).map(|(_, name)| *name)
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
