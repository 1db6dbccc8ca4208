//! Floor 3: the port to "some Kafka cluster". Generators, checks and pages work through this trait, so that pointing it at an
//! external cluster moves all of them there.
//!
//! It never hands out a lock, a slice of a map or a wire message. Topics and counters are snapshots and come at once; what has to be
//! read or asked for comes later. `embedded.rs` is the broker in this process, `external.rs` any other cluster; `remote.rs` only feeds one.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod access;
mod desk;
mod embedded;
mod embedded_desk;
mod embedded_groups;
mod embedded_records;
mod embedded_users;
mod external;
mod external_desk;
mod external_groups;
mod external_records;
mod external_turn;
mod external_users;
mod external_watch;
pub mod mirror;
#[cfg(test)]
pub mod reader;
mod remote;
mod remote_client;
mod remote_read;
mod remote_write;
mod settling;
mod summary;
mod users;

use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;

use crate::config::Advertise;
use crate::model::evidence::Evidence;
use crate::model::metrics::MetricsSnapshot;
use crate::model::request_seen::RequestSeen;
use crate::model::sighting::{Latest, Sighting, Trouble};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

pub use crate::broker::security::INSTRUCTOR;
pub use access::{Access, PASSWORD_VARIABLE};
pub use desk::{Desk, Produced, Spent, TopicSetting, TopicWish};
pub use embedded::Embedded;
pub use external::External;
pub use remote::Remote;
pub use summary::{GroupMember, GroupMembers, GroupOffset, GroupSummary, ListenerSummary, PartitionSummary, StoredRecord, TopicSummary};
pub use users::{Limits, Rights, UserChange, Users};

/// A record on its way into a partition.
#[derive(Clone, Debug)]
pub struct NewRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub timestamp: Timestamp,
    /// In their order, names may repeat.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl NewRecord {
    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        summary::size_of(&self.key, &self.value, &self.headers)
    }
}

/// What a cluster answered instead of doing what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} ({code:?})")]
pub struct ClusterError {
    pub code: ErrorCode,
    pub message: String,
}

/// An answer that comes later.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the generators need of a cluster.
pub trait Topics: Send + Sync {
    /// Creates the topic if it does not exist, with partition count and configs.
    fn ensure_topic<'a>(
        &'a self,
        name: &'a TopicName,
        partitions: i32,
        configs: &'a [(&'a str, String)],
    ) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Appends the records to one partition, in order. The offset is the first one's. A crash may leave the first of them without the
    /// others.
    fn append<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>>;

    /// The last `count` records of a partition, oldest first. Fewer only if it has no more.
    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>>;
}

/// What the checks need of a cluster.
pub trait Records: Send + Sync {
    /// Records from an offset on, in order: at least one if there is one, and about this many bytes of them. Empty at the end of the
    /// partition. Records before the first that is left are passed over.
    fn read<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        let _ = (topic, partition, from, bytes_max);
        Box::pin(std::future::ready(Err(unreadable())))
    }

    /// The first offset whose record is stamped at this time or later; the end of the partition if there is none.
    fn offset_at<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        time: Timestamp,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        let _ = (topic, partition, time);
        Box::pin(std::future::ready(Err(unreadable())))
    }
}

fn unreadable() -> ClusterError {
    ClusterError { code: ErrorCode::UnsupportedVersion, message: "the records of this cluster cannot be read here".to_owned() }
}

fn unmanaged_groups() -> ClusterError {
    ClusterError { code: ErrorCode::UnsupportedVersion, message: "the groups of this cluster are not changed from here".to_owned() }
}

/// What a broker saw its users do with records, since it started.
pub trait Witness: Send + Sync {
    fn evidence(&self, user: &str) -> Evidence;
}

/// What a broker saw of its clients, since it started.
pub trait Sightings: Send + Sync {
    fn user(&self, user: &str) -> Option<Sighting>;

    /// Everyone, by name.
    fn users(&self) -> Vec<Sighting>;

    /// The troubles of those that nobody knows.
    fn strangers(&self) -> Vec<Trouble>;

    /// The newest that was seen of a user.
    fn latest(&self, user: &str) -> Option<Latest>;

    /// Names of all users that were seen.
    fn names(&self) -> Vec<String>;

    /// The newest trouble of somebody unknown at this address.
    fn stranger(&self, from: IpAddr) -> Option<Trouble>;
}

/// The last requests of a broker's clients.
pub trait Requests: Send + Sync {
    /// Of these users, or of all; the newest first.
    fn last(&self, users: Option<&[&str]>, most: usize) -> Vec<RequestSeen>;

    /// What Kafka calls an API key.
    fn name(&self, api_key: i16) -> Option<&'static str>;
}

/// Whose cluster it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The broker in this process.
    Embedded,
    /// Another one's. Others may use it too.
    External { address: String },
}

pub trait Cluster: Topics + Users + Records + Desk {
    fn kind(&self) -> Kind {
        Kind::Embedded
    }

    /// What the cluster calls itself.
    fn cluster_id(&self) -> String;

    /// Where its clients connect.
    fn listeners(&self) -> Vec<ListenerSummary>;

    /// Ready to serve, or one sentence why not.
    fn health(&self) -> Result<(), String>;

    /// One sentence on what will become a problem.
    fn warning(&self) -> Option<String> {
        None
    }

    /// All topics, sorted by name.
    fn topics(&self) -> Vec<TopicSummary>;

    /// One topic.
    fn topic(&self, name: &str) -> Option<TopicSummary> {
        self.topics().into_iter().find(|topic| topic.name.as_str() == name)
    }

    /// The same with where its partitions end now: a snapshot may be as old as a second.
    fn topic_now<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<TopicSummary>, ClusterError>> {
        Box::pin(std::future::ready(Ok(self.topic(name))))
    }

    /// All groups, sorted by id.
    fn groups(&self) -> BoxFuture<'_, Vec<GroupSummary>>;

    /// Who is in a group, and who reads what. `None`: there is no such group, or it cannot be asked.
    fn group_members<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Option<GroupMembers>> {
        let _ = group;
        Box::pin(std::future::ready(None))
    }

    /// Commits offsets for a group from outside, which is refused (UNKNOWN_MEMBER_ID) while it has members.
    fn commit_offsets<'a>(
        &'a self,
        group: &'a str,
        offsets: Vec<(TopicName, PartitionId, Offset)>,
    ) -> BoxFuture<'a, Result<(), ClusterError>> {
        let _ = (group, offsets);
        Box::pin(std::future::ready(Err(unmanaged_groups())))
    }

    /// Deletes a group with what it committed, unless it has members (NON_EMPTY_GROUP).
    fn delete_group<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<(), ClusterError>> {
        let _ = group;
        Box::pin(std::future::ready(Err(unmanaged_groups())))
    }

    /// Of another's cluster the records by topic alone: bytes, requests and connections are counted by its own brokers.
    fn metrics(&self) -> MetricsSnapshot;

    /// Connections of clients that are open now. `None`: others know.
    fn connections(&self) -> Option<u64> {
        Some(self.metrics().connections_open)
    }

    /// Deletes topics and groups. A group that has members stays, without what it had committed, and its members join anew.
    fn erase(&self, topics: Vec<TopicName>, groups: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>>;

    /// Whether a topic is made when a client asks for one that is not there.
    fn makes_topics(&self) -> bool {
        false
    }

    /// Changes where the clients of a listener are sent.
    fn set_advertised<'a>(&'a self, listener: &'a str, advertise: Advertise) -> BoxFuture<'a, Result<(), ClusterError>> {
        let _ = (listener, advertise);
        let message = "the addresses of this cluster are not Headwater's to change".to_owned();
        Box::pin(std::future::ready(Err(ClusterError { code: ErrorCode::UnsupportedVersion, message })))
    }

    /// What only a broker in this process saw of its clients.
    fn sightings(&self) -> Option<&dyn Sightings> {
        None
    }

    /// The same, of what they asked.
    fn requests(&self) -> Option<&dyn Requests> {
        None
    }

    /// The same, of what its users did with records.
    fn witness(&self) -> Option<&dyn Witness> {
        None
    }
}
