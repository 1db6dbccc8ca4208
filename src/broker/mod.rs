//! Floor 2: what is shared and changes: topics, partitions, configs, groups, sessions, counters.
//!
//! It never sees a socket or a wire message. `Broker` is a struct of parts; a handler borrows the part it names. Verbs on `Broker`
//! itself are those that touch several parts (a deleted topic's offsets go too).
//! Invariants: a partition's log is behind one lock that is never held across an await; readers hold a cloned view; what blocks on
//! the disk runs on a blocking thread. Start with `partition.rs`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod allowance;
mod authority;
mod bell;
pub mod catalog;
mod cleaner;
pub mod clock;
mod configs;
pub mod evidence;
pub mod fetch_sessions;
mod flusher;
mod group_clerk;
mod groups;
mod housekeeping;
mod listeners;
pub mod meters;
pub mod metrics;
mod node;
mod partition;
mod producer_ids;
pub mod request_log;
mod scrubber;
pub mod security;
pub mod sightings;
mod space;
mod start;
mod topic;

pub use crate::log::{AppendOutcome, AtLeast, LogView, ReadError, ReadUpTo, TimestampedOffset};
pub use bell::{Bell, Waiter};
pub use catalog::{Catalog, NewTopic, Refused};
pub use configs::Configs;
pub use flusher::{FlushWait, Flusher};
pub use groups::{Groups, OFFSETS_TOPIC};
pub use metrics::Metrics;
pub use node::{CaInfo, Endpoint, Node};
pub use partition::{AppendRefused, OwnRecord, Partition, error_code, read_error_code};
pub use space::Space;
pub use start::{BrokerOptions, StartError};
pub use topic::{Topic, is_internal};

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::config::{BrokerLayers, TopicConfig};
use crate::coordinator::group::{GroupId, Request};
use crate::log::DataFolder;
use crate::model::{ErrorCode, Offset, Timestamp, TopicName, TopicPartition};
use evidence::Evidences;
use fetch_sessions::FetchSessions;
use meters::Meters;
use producer_ids::ProducerIds;
use request_log::RequestLog;
use security::{Rules, Security};
use sightings::Sightings;

pub struct Broker {
    pub node: Node,
    pub folder: Arc<DataFolder>,
    pub configs: Arc<Configs>,
    pub catalog: Arc<Catalog>,
    pub groups: Groups,
    pub producer_ids: ProducerIds,
    pub fetch_sessions: FetchSessions,
    pub metrics: Metrics,
    pub meters: Arc<Meters>,
    pub security: Arc<Security>,
    pub sightings: Sightings,
    pub requests: RequestLog,
    pub evidence: Evidences,
    pub space: Arc<Space>,
    pub flusher: Flusher,
    /// Held from reading configs until what was made of them is in force: of two changes at once neither gets lost.
    pub config_changes: tokio::sync::Mutex<()>,
    /// Held while the checkpoint files are written.
    checkpoint_files: Mutex<()>,
    /// True once the broker stops.
    pub shutdown: watch::Sender<bool>,
}

impl Broker {
    pub fn now(&self) -> Timestamp {
        clock::now()
    }

    /// Returns once the broker stops.
    pub async fn stopped(&self) {
        // The only error is that the sender is gone, which is the same.
        let _ = self.shutdown.subscribe().wait_for(|down| *down).await;
    }

    /// What keeps the broker from serving everybody everything, in one sentence.
    pub fn problem(&self) -> Option<String> {
        if *self.shutdown.borrow() {
            return Some("the broker is shutting down".to_owned());
        }
        self.space.refusal().or_else(|| match self.offline_partitions().as_slice() {
            [] => None,
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                Some(format!("{first}{more} can be read but not written: the disk could not be synced. A new start checks them"))
            }
        })
    }

    /// Partitions that a failed flush has closed to writers.
    pub fn offline_partitions(&self) -> Vec<TopicPartition> {
        let topics = self.catalog.list();
        let all = topics.iter().flat_map(|topic| topic.partitions().to_vec());
        all.filter(|partition| partition.is_offline()).map(|partition| partition.name.clone()).collect()
    }

    /// Runs what blocks on the disk away from the network thread, with room for it.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Broker) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let broker = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            broker.space.make_room();
            what(&broker)
        })
        .await;
        done.unwrap_or_else(|_| Err(Refused::new(ErrorCode::UnknownServerError, "the broker failed at this request")))
    }

    pub async fn create_topic(self: &Arc<Self>, new: NewTopic) -> Result<Arc<Topic>, Refused> {
        self.blocking(move |broker| broker.catalog.create(new, broker.now())).await
    }

    /// Creates a topic because somebody asked for it, and says whether it did. One that collides with another or exists by now is left
    /// alone.
    pub async fn auto_create(self: &Arc<Self>, name: &TopicName) -> Result<bool, Refused> {
        if self.catalog.colliding(name).is_some() || self.catalog.get(name.as_str()).is_some() {
            return Ok(false);
        }
        if name.as_str() == OFFSETS_TOPIC {
            let made = self.groups.ensure_offsets_topic().await;
            return made.map(|()| true).map_err(|error| Refused::new(error, format!("cannot create {OFFSETS_TOPIC}")));
        }
        let partitions = self.configs.broker().num_partitions;
        match self.create_topic(NewTopic { name: name.clone(), partitions, overrides: Default::default() }).await {
            Ok(_) => Ok(true),
            // Others asked for it at the same time.
            Err(refused) if refused.error == ErrorCode::TopicAlreadyExists => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    /// Deletes a topic with its committed offsets, else a topic of the same name would start with them. Goes on to its end also if
    /// nobody waits for it any more.
    pub async fn delete_topic(self: &Arc<Self>, name: &TopicName) -> Result<(), Refused> {
        let (broker, name) = (Arc::clone(self), name.clone());
        let deleting = tokio::spawn(async move {
            let topic = name.clone();
            broker.blocking(move |broker| broker.delete_topic_blocking(&topic)).await?;
            if let Err(error) = broker.groups.ask_all(Request::TopicsDeleted(vec![name])).await {
                tracing::error!(?error, "cannot drop the committed offsets of a deleted topic");
            }
            Ok(())
        });
        deleting.await.unwrap_or_else(|_| Err(Refused::new(ErrorCode::UnknownServerError, "the broker failed at this request")))
    }

    /// Deletes topics and groups at once. A group that has members stays, without members and offsets: a member that went on would read a
    /// new topic from where it was in the old one, and commit that. Goes on to its end also if nobody waits for it any more.
    pub async fn erase(self: &Arc<Self>, topics: Vec<TopicName>, groups: Vec<GroupId>) -> Result<(), Refused> {
        let broker = Arc::clone(self);
        let erasing = tokio::spawn(async move {
            let names = topics.clone();
            let deleted = broker.blocking(move |broker| Ok(broker.delete_topics_blocking(&names))).await?;
            broker.groups.ask_all(Request::TopicsDeleted(topics)).await.map_err(|error| Refused::new(error, "the groups do not answer"))?;
            for group in groups {
                // One that went meanwhile is no failure.
                let _ = broker.groups.ask(&group, Request::EraseGroup(group.clone())).await;
            }
            deleted
        });
        erasing.await.unwrap_or_else(|_| Err(Refused::new(ErrorCode::UnknownServerError, "the broker failed at this request")))
    }

    fn delete_topics_blocking(&self, names: &[TopicName]) -> Result<(), Refused> {
        let gone = self.catalog.delete_all(names);
        if let Err(error) = self.write_checkpoint_rows().and_then(|()| self.write_cleaner_offsets()) {
            tracing::error!(%error, "the checkpoints still name deleted topics");
        }
        gone.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    fn delete_topic_blocking(&self, name: &TopicName) -> Result<(), Refused> {
        // Dropped here: with the last hold on its maps the disk space goes, and that takes time.
        let _gone = self.catalog.delete(name)?;
        if let Err(error) = self.write_checkpoint_rows().and_then(|()| self.write_cleaner_offsets()) {
            tracing::error!(topic = %name, %error, "the checkpoints still name a deleted topic");
        }
        Ok(())
    }

    /// Moves a partition's log start, and notes it on disk before that is told.
    pub async fn delete_records(self: &Arc<Self>, partition: Arc<Partition>, before: Offset) -> Result<Offset, Refused> {
        self.blocking(move |broker| {
            let deleted = partition.delete_records(before, broker.now());
            let start = deleted.map_err(|e| Refused::new(error_code(&e), e.to_string()))?;
            broker.write_checkpoint_rows().map_err(|e| storage("cannot write the checkpoints", &e))?;
            Ok(start)
        })
        .await
    }

    pub async fn grow_topic(self: &Arc<Self>, topic: Arc<Topic>, count: i32) -> Result<(), Refused> {
        self.blocking(move |broker| broker.catalog.grow(&topic, count, broker.now())).await
    }

    pub async fn set_topic_config(self: &Arc<Self>, topic: Arc<Topic>, config: TopicConfig) -> Result<(), Refused> {
        self.blocking(move |broker| broker.catalog.set_config(&topic, config)).await
    }

    /// Changes who may come in and what they may do; on disk when it returns.
    pub async fn change_rules<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Rules) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.blocking(move |broker| broker.security.change(change).map_err(|e| storage("cannot write the rules", &e))).await
    }

    pub async fn set_broker_configs(self: &Arc<Self>, layers: BrokerLayers) -> Result<(), Refused> {
        self.blocking(move |broker| {
            broker.configs.replace(layers).map_err(|e| storage("cannot write the broker's configs", &e))?;
            broker.catalog.reconfigure();
            Ok(())
        })
        .await
    }
}

fn storage(what: &str, error: &std::io::Error) -> Refused {
    Refused::new(ErrorCode::KafkaStorageError, format!("{what}: {error}"))
}

#[cfg(test)]
mod broker_tests;
