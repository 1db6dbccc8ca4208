//! Any other Kafka cluster, through librdkafka.
//!
//! The producer is idempotent and never gives up on a message by time: through an outage of the cluster an append waits, and what
//! it has sent by then is neither lost nor there twice. An append is mostly one batch, as its messages linger until the last one is
//! in the queue, but librdkafka does not promise that: a crash may leave the first of its records without the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, Producer};

use super::external_turn::Fence;
use super::remote_client::{CONNECT_WITHIN, Talk, blocking, reading, refused, unanswered};
use super::remote_read::read_tail;
use super::remote_write::{create, send};
use super::settling::{Admin, SETTLES_WITHIN, appears, partition_count, settled};
use super::{Access, BoxFuture, ClusterError, Desk, NewRecord, StoredRecord, Topics, Users};
use crate::model::{ErrorCode, Offset, PartitionId, TopicName};

/// Longer than an append usually takes to fill the queue.
const LINGER_MS: &str = "5";

pub struct Remote {
    address: String,
    prefix: String,
    producer: FutureProducer<Talk>,
    pub(super) fence: Fence,
    admin: Admin,
    /// Reads one partition at a time.
    reader: Arc<Mutex<BaseConsumer<Talk>>>,
}

impl Remote {
    /// Looks whether a Kafka cluster answers there. Every topic's name gets the prefix.
    pub async fn connect(access: &Access, prefix: &str) -> Result<Remote, ClusterError> {
        let mut config = access.client();
        let address = access.bootstrap();
        config.set_log_level(RDKafkaLogLevel::Info);
        let talk = Talk::default();
        let mut producing = config.clone();
        producing.set("enable.idempotence", "true").set("linger.ms", LINGER_MS).set("message.timeout.ms", "0");
        let unusable = |error: KafkaError| refused(&error, &format!("cannot use {address}"));
        let remote = Remote {
            address: address.to_owned(),
            prefix: prefix.to_owned(),
            producer: producing.create_with_context(talk.clone()).map_err(unusable)?,
            fence: Fence::default(),
            admin: Arc::new(config.create().map_err(unusable)?),
            reader: Arc::new(Mutex::new(reading(&config).create_with_context(talk.clone()).map_err(unusable)?)),
        };
        let producer = remote.producer.clone();
        let answer = blocking(move || producer.client().fetch_metadata(None, CONNECT_WITHIN).map(|_| ())).await?;
        answer.map_err(|error| unanswered(address, &talk, &error))?;
        Ok(remote)
    }

    fn name(&self, topic: &TopicName) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// Asks the reader about a topic.
    async fn ask<T: Send + 'static>(
        &self,
        name: &str,
        ask: impl FnOnce(&BaseConsumer<Talk>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let (reader, asked) = (Arc::clone(&self.reader), name.to_owned());
        let answer = blocking(move || ask(&locked(&reader), &asked)).await?;
        answer.map_err(|error| refused(&error, &format!("cannot look at {name} at {}", self.address)))
    }

    async fn ensure(&self, topic: &TopicName, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
        let name = self.name(topic);
        let wanted = usize::try_from(partitions).unwrap_or(0);
        let mut found = self.ask(&name, partition_count).await?;
        if found.is_none() {
            create(&self.admin, &name, partitions, configs).await?;
            found = self.ask(&name, appears).await?;
        }
        match found {
            Some(count) if count == wanted => Ok(()),
            Some(count) => Err(ClusterError {
                code: ErrorCode::InvalidPartitions,
                message: format!("{name} has {count} partitions, and the town needs {wanted}; delete it, or choose another --topic-prefix"),
            }),
            None => {
                Err(ClusterError { code: ErrorCode::UnknownTopicOrPartition, message: format!("{name} was created and did not appear") })
            }
        }
    }
}

fn locked(reader: &Mutex<BaseConsumer<Talk>>) -> MutexGuard<'_, BaseConsumer<Talk>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers each time that it cannot: users of another cluster are kept by hand.
impl Users for Remote {}

/// The same of what pages change.
impl Desk for Remote {}

impl Topics for Remote {
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
            self.fence.pass()?;
            send(&self.producer, &self.name(topic), partition, &records).await.map(|sent| sent.offset)
        })
    }

    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(async move {
            let (reader, name) = (Arc::clone(&self.reader), self.name(topic));
            let read = move || {
                let reader = locked(&reader);
                let records = settled(SETTLES_WITHIN, || read_tail(&reader, &name, partition, count));
                records.map_err(|error| refused(&error, &format!("cannot read {name}-{partition}")))
            };
            blocking(read).await?
        })
    }
}
