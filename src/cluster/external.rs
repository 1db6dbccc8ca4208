//! Any other Kafka cluster as the workshop's: what the pages, the checks and the generators ask it goes through librdkafka.
//!
//! Topics and their offsets are looked at once a second by one task (`external_watch.rs`); whoever must know at once asks for one topic.
//! The generators have a producer of their own, which waits through an outage (`remote.rs`); that of everybody else gives up after
//! fifteen seconds and says so. What only a broker sees of its clients is not to be had here.

use std::sync::Arc;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::FutureProducer;

use super::external_groups::Groups;
use super::external_records::Readers;
use super::external_users::KeptUsers;
use super::external_watch::Watch;
use super::remote_client::{Talk, refused};
use super::remote_write::{create, send};
use super::settling::Admin;
use super::{
    Access, BoxFuture, Cluster, ClusterError, GroupMembers, GroupSummary, Kind, ListenerSummary, NewRecord, Remote, StoredRecord,
    TopicSummary, Topics,
};
use crate::config::{Address, Advertise, Protocol};
use crate::model::metrics::{MetricsSnapshot, TopicCount};
use crate::model::{ErrorCode, Offset, PartitionId, TopicName};
use crate::security::Mechanism;

/// How long a record that is no generator's waits to be written.
const WRITTEN_WITHIN_MS: &str = "15000";

pub struct External {
    pub(super) access: Access,
    /// What students' clients are told; the same address without a login where nothing else was given.
    students: Access,
    town: Arc<Remote>,
    pub(super) producer: FutureProducer<Talk>,
    pub(super) admin: Admin,
    pub(super) readers: Readers,
    pub(super) watch: Arc<Watch>,
    pub(super) known_groups: Groups,
    pub(super) kept_users: KeptUsers,
}

impl External {
    /// Looks whether a Kafka cluster answers there, and begins to look at it.
    pub async fn connect(access: &Access, students: &Access) -> Result<External, ClusterError> {
        let town = Remote::connect(access, "").await?;
        let mut config = access.client();
        config.set_log_level(RDKafkaLogLevel::Info);
        let mut producing = config.clone();
        producing.set("enable.idempotence", "true").set("linger.ms", "2").set("message.timeout.ms", WRITTEN_WITHIN_MS);
        let unusable = |error| refused(&error, &format!("cannot use {}", access.bootstrap()));
        Ok(External {
            access: access.clone(),
            students: students.clone(),
            town: Arc::new(town),
            producer: producing.create_with_context(Talk::default()).map_err(unusable)?,
            admin: Arc::new(config.create().map_err(unusable)?),
            readers: Readers::new(&config),
            watch: Watch::begin(&config, access.bootstrap()).await?,
            known_groups: Groups::new(&config),
            kept_users: KeptUsers::default(),
        })
    }

    /// For the generators: what they append waits through an outage.
    pub fn town(&self) -> Arc<Remote> {
        Arc::clone(&self.town)
    }

    async fn ensure(&self, name: &TopicName, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
        if self.topic(name.as_str()).is_some() {
            return Ok(());
        }
        self.reachable()?;
        if !self.watch.is_there(name.as_str()).await? {
            create(&self.admin, name.as_str(), partitions, configs).await?;
        }
        self.watch.appeared(name.as_str()).await.map(|_| ())
    }

    /// Nobody waits half a minute for a cluster that is known to be away.
    pub(super) fn reachable(&self) -> Result<(), ClusterError> {
        self.watch.problem().map_or(Ok(()), |message| Err(ClusterError { code: ErrorCode::BrokerNotAvailable, message }))
    }
}

impl Cluster for External {
    fn kind(&self) -> Kind {
        Kind::External { address: self.access.bootstrap().to_owned() }
    }

    fn cluster_id(&self) -> String {
        self.watch.cluster_id()
    }

    fn listeners(&self) -> Vec<ListenerSummary> {
        let protocol = Protocol::by_name(&self.students.security_protocol()).unwrap_or(Protocol::Plaintext);
        let first = self.students.bootstrap().split(',').next().and_then(Address::parse);
        let Some(Address { host, port }) = first else { return Vec::new() };
        let mechanism = Mechanism::ALL.iter().map(|mechanism| mechanism.name());
        let mechanisms = mechanism.filter(|name| protocol.logs_in() && self.students.mechanism() == Some(*name)).collect();
        let advertise = Advertise::As { host, port: Some(port) };
        vec![ListenerSummary { name: protocol.name().to_owned(), protocol, bound: None, advertise, mechanisms }]
    }

    fn health(&self) -> Result<(), String> {
        self.watch.problem().map_or(Ok(()), Err)
    }

    fn warning(&self) -> Option<String> {
        self.watch.warning()
    }

    fn topics(&self) -> Vec<TopicSummary> {
        self.watch.view().topics.values().cloned().collect()
    }

    fn topic(&self, name: &str) -> Option<TopicSummary> {
        self.watch.view().topics.get(name).cloned()
    }

    fn topic_now<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicSummary>, ClusterError>> {
        Box::pin(async move {
            self.reachable()?;
            self.watch.look_at(name).await
        })
    }

    fn groups(&self) -> BoxFuture<'_, Vec<GroupSummary>> {
        Box::pin(self.all_groups())
    }

    fn group_members<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Option<GroupMembers>> {
        Box::pin(self.members_of(group))
    }

    fn commit_offsets<'a>(
        &'a self,
        group: &'a str,
        offsets: Vec<(TopicName, PartitionId, Offset)>,
    ) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.commit(group, offsets))
    }

    fn delete_group<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.drop_group(group))
    }

    /// Records by topic, from the ends of the partitions. Bytes, requests and connections are the brokers' to count.
    fn metrics(&self) -> MetricsSnapshot {
        let count = |topic: &TopicSummary| TopicCount {
            topic: topic.name.clone(),
            messages_in: topic.partitions.iter().map(|p| u64::try_from(p.end_offset.0).unwrap_or(0)).sum(),
            bytes_in: 0,
            bytes_out: 0,
        };
        MetricsSnapshot { topics: self.watch.view().topics.values().map(count).collect(), ..MetricsSnapshot::default() }
    }

    fn connections(&self) -> Option<u64> {
        None
    }

    fn erase(&self, topics: Vec<TopicName>, groups: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(self.erase_all(topics, groups))
    }
}

impl Topics for External {
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
            self.reachable()?;
            send(&self.producer, topic.as_str(), partition, &records).await.map(|sent| sent.offset)
        })
    }

    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(self.read_last(topic, partition, count))
    }
}
