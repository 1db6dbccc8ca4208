//! Records of another cluster: a few consumers, each for one question at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::sync::Semaphore;

use super::external::External;
use super::remote_client::{Talk, blocking, reading};
use super::remote_read::{read_from, read_tail};
use super::settling::{ANSWERED_WITHIN, passes, settled, unsettled};
use super::{BoxFuture, ClusterError, Records, StoredRecord};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

/// Questions at a time. Each waits on a thread of its own.
const READERS: usize = 6;

pub(super) struct Readers {
    config: ClientConfig,
    idle: Arc<Mutex<Vec<BaseConsumer<Talk>>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub fn new(config: &ClientConfig) -> Readers {
        let mut config = reading(config);
        config
            .set("group.id", "headwater-pages")
            // What lies behind the end of the log has to be told from what was deleted before it.
            .set("auto.offset.reset", "error")
            // A question is about a few records more often than about all: what is fetched ahead for it is thrown away.
            .set("fetch.message.max.bytes", "524288")
            .set("queued.max.messages.kbytes", "4096");
        Readers { config, idle: Arc::default(), turns: Arc::new(Semaphore::new(READERS)) }
    }

    /// Lends a consumer to a thread that may wait. It asks again where a partition has just been made or gets another leader; one that
    /// failed is not used again.
    async fn lend<T: Send + 'static>(
        &self,
        topic: &TopicName,
        patience: Duration,
        what: String,
        ask: impl Fn(&BaseConsumer<Talk>) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let closed = |_| ClusterError { code: ErrorCode::UnknownServerError, message: "the Kafka client is closed".to_owned() };
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        let (idle, config, topic) = (Arc::clone(&self.idle), self.config.clone(), topic.to_string());
        let asking = move || {
            let _turn = turn;
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = kept.map_or_else(|| config.create_with_context(Talk::default()), Ok)?;
            let answer = settled(patience, || {
                let answer = ask(&reader);
                if answer.as_ref().is_err_and(passes) {
                    // What this client knows of the topic is old.
                    let _ = reader.fetch_metadata(Some(&topic), ANSWERED_WITHIN);
                }
                answer
            })?;
            if reader.unassign().is_ok() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            }
            Ok(answer)
        };
        blocking(asking).await?.map_err(|error: KafkaError| unsettled(&error, &what))
    }
}

impl External {
    /// How long a partition is waited for. One that nobody has led for a while is not.
    fn patience(&self, topic: &TopicName, id: PartitionId) -> Result<Duration, ClusterError> {
        self.reachable()?;
        let left = self.watch.view().patience(topic.as_str(), id);
        let message = || format!("no broker leads {topic}-{id}: nobody can read or write it until one that keeps it is back");
        left.ok_or_else(|| ClusterError { code: ErrorCode::LeaderNotAvailable, message: message() })
    }

    pub(super) async fn read_last(&self, topic: &TopicName, id: PartitionId, count: usize) -> Result<Vec<StoredRecord>, ClusterError> {
        let patience = self.patience(topic, id)?;
        let name = topic.to_string();
        self.readers.lend(topic, patience, format!("cannot read {topic}-{id}"), move |reader| read_tail(reader, &name, id, count)).await
    }

    async fn read_on(&self, topic: &TopicName, id: PartitionId, from: Offset, bytes: usize) -> Result<Vec<StoredRecord>, ClusterError> {
        let patience = self.patience(topic, id)?;
        let name = topic.to_string();
        self.readers
            .lend(topic, patience, format!("cannot read {topic}-{id}"), move |reader| read_from(reader, &name, id, from, bytes))
            .await
    }

    async fn find_time(&self, topic: &TopicName, id: PartitionId, time: Timestamp) -> Result<Offset, ClusterError> {
        let patience = self.patience(topic, id)?;
        let name = topic.to_string();
        let find = move |reader: &BaseConsumer<Talk>| {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(&name, id.0, At::Offset(time.0.max(0)))?;
            let found = reader.offsets_for_times(asked, ANSWERED_WITHIN)?;
            let found = found.find_partition(&name, id.0);
            found.as_ref().map_or(Ok(()), |found| found.error())?;
            match found.map(|found| found.offset()) {
                Some(At::Offset(offset)) => Ok(offset),
                _ => reader.fetch_watermarks(&name, id.0, ANSWERED_WITHIN).map(|(_, end)| end),
            }
        };
        self.readers.lend(topic, patience, format!("cannot look for a time in {topic}-{id}"), find).await.map(Offset)
    }
}

impl Records for External {
    fn read<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(self.read_on(topic, partition, from, bytes_max))
    }

    fn offset_at<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        time: Timestamp,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        Box::pin(self.find_time(topic, partition, time))
    }
}
