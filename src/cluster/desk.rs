//! What pages change on behalf of a user, within what that user may have and use. Whether it is theirs to change was asked before.

use std::time::Duration;

use super::{BoxFuture, ClusterError, NewRecord};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicWish {
    pub name: TopicName,
    /// `None`: as many as the broker gives a new topic.
    pub partitions: Option<i32>,
    pub configs: Vec<(String, String)>,
}

/// One config of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSetting {
    pub name: String,
    /// In force now.
    pub value: Option<String>,
    /// In force if the topic had none of its own.
    pub default: Option<String>,
    /// The topic has one of its own.
    pub overridden: bool,
    /// Kafka's word, such as `LONG`.
    pub kind: &'static str,
    pub about: &'static str,
    /// Why the value has no effect on this cluster; `None` where it has.
    pub idle: Option<String>,
}

/// What became of records that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The first one's.
    pub offset: Offset,
    /// The first one's, as it is stored.
    pub timestamp: Timestamp,
}

/// What a user has so much of in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    ProducedBytes,
    /// Partitions made or deleted.
    Partitions,
}

/// A cluster that does not say otherwise lets nobody change anything here. `user` is whose limits count; `None` has none.
pub trait Desk: Send + Sync {
    /// Makes a topic; the answer is how many partitions it has.
    fn create_topic<'a>(&'a self, user: Option<&'a str>, wish: TopicWish) -> BoxFuture<'a, Result<i32, ClusterError>> {
        let _ = (user, wish);
        not_yet()
    }

    /// Deletes a topic, with what groups had committed of it.
    fn delete_topic<'a>(&'a self, user: Option<&'a str>, topic: &'a TopicName) -> BoxFuture<'a, Result<(), ClusterError>> {
        let _ = (user, topic);
        not_yet()
    }

    /// Appends records as a producer's would be: checked and stamped by the topic's configs.
    fn produce<'a>(
        &'a self,
        user: Option<&'a str>,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Produced, ClusterError>> {
        let _ = (user, topic, partition, records);
        not_yet()
    }

    /// All configs of a topic, sorted by name.
    fn topic_settings<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<TopicSetting>, ClusterError>> {
        let _ = topic;
        not_yet()
    }

    /// How long a user has to wait until more may be spent.
    fn owed(&self, user: &str, what: Spent) -> Duration {
        let _ = (user, what);
        Duration::ZERO
    }
}

fn unsupported() -> ClusterError {
    let message = "topics of this cluster are not changed through Headwater yet; use the cluster's own tools".to_owned();
    ClusterError { code: ErrorCode::UnsupportedVersion, message }
}

fn not_yet<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, ClusterError>> {
    Box::pin(std::future::ready(Err(unsupported())))
}
