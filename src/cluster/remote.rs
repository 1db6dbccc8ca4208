//! Any other Kafka cluster, through librdkafka.
//!
//! The producer is idempotent and never gives up on a message by time: through an outage of the cluster an append waits, and what
//! it has sent by then is neither lost nor there twice. An append is mostly one batch, as its messages linger until the last one is
//! in the queue, but librdkafka does not promise that: a crash may leave the first of its records without the others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};
use rdkafka::{Offset as ReadFrom, TopicPartitionList};

use super::{Access, BoxFuture, ClusterError, Desk, NewRecord, StoredRecord, Topics, Users};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

/// The cluster has to show up within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One question to the cluster.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longer than an append usually takes to fill the queue.
const LINGER_MS: &str = "5";

pub struct Remote {
    address: String,
    prefix: String,
    producer: FutureProducer<Talk>,
    admin: AdminClient<DefaultClientContext>,
    /// Reads one partition at a time.
    reader: Arc<Mutex<BaseConsumer<Talk>>>,
}

/// What librdkafka has to say between the answers.
#[derive(Clone, Default)]
struct Talk {
    last: Arc<Mutex<Option<String>>>,
}

impl Talk {
    fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Talk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the Kafka client reports an error");
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Talk {}

impl Remote {
    /// Looks whether a Kafka cluster answers there. Every topic's name gets the prefix.
    pub async fn connect(access: &Access, prefix: &str) -> Result<Remote, ClusterError> {
        let mut config = access.client();
        let address = access.bootstrap();
        config.set_log_level(RDKafkaLogLevel::Info);
        let talk = Talk::default();
        let mut producing = config.clone();
        producing.set("enable.idempotence", "true").set("linger.ms", LINGER_MS).set("message.timeout.ms", "0");
        let mut reading = config.clone();
        reading
            .set("group.id", "headwater-generate")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_uncommitted")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10");
        let unusable = |error: KafkaError| refused(&error, &format!("cannot use {address}"));
        let remote = Remote {
            address: address.to_owned(),
            prefix: prefix.to_owned(),
            producer: producing.create_with_context(talk.clone()).map_err(unusable)?,
            admin: config.create().map_err(unusable)?,
            reader: Arc::new(Mutex::new(reading.create_with_context(talk.clone()).map_err(unusable)?)),
        };
        let producer = remote.producer.clone();
        let answer = blocking(move || producer.client().fetch_metadata(None, CONNECT_WITHIN).map(|_| ())).await?;
        answer.map_err(|error| {
            let reason = talk.last().map_or_else(|| error.to_string(), |reason| reason.replace('\n', " "));
            let message = format!("no Kafka cluster answers at {address} within {} s: {reason}", CONNECT_WITHIN.as_secs());
            ClusterError { code: ErrorCode::BrokerNotAvailable, message }
        })?;
        Ok(remote)
    }

    fn name(&self, topic: &TopicName) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// How many partitions the topic has; none if it does not exist. Asked by the reader: a producer's question would create it.
    async fn partition_count(&self, name: &str) -> Result<Option<usize>, ClusterError> {
        let (reader, asked) = (Arc::clone(&self.reader), name.to_owned());
        let ask = move || {
            let metadata = locked(&reader).fetch_metadata(Some(&asked), ANSWER_WITHIN)?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == asked);
            match topic.map(|topic| (topic.error().map(RDKafkaErrorCode::from), topic.partitions().len())) {
                None | Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic), _)) => Ok(None),
                Some((None, count)) => Ok(Some(count)),
                // A leader is still being chosen.
                Some((Some(RDKafkaErrorCode::LeaderNotAvailable), _)) => Ok(Some(0)),
                Some((Some(code), _)) => Err(KafkaError::MetadataFetch(code)),
            }
        };
        blocking(ask).await?.map_err(|error| refused(&error, &format!("cannot look at {name} at {}", self.address)))
    }

    async fn ensure(&self, topic: &TopicName, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
        let name = self.name(topic);
        let wanted = usize::try_from(partitions).unwrap_or(0);
        let mut found = self.partition_count(&name).await?;
        if found.is_none() {
            self.create(&name, partitions, configs).await?;
            // Every broker has to hear of it before it can be produced to.
            let begun = Instant::now();
            while found.is_none_or(|count| count == 0) && begun.elapsed() < ANSWER_WITHIN {
                tokio::time::sleep(Duration::from_millis(50)).await;
                found = self.partition_count(&name).await?;
            }
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

    async fn create(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
        let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(-1)).set("message.timestamp.type", "CreateTime");
        let topic = configs.iter().fold(plain, |topic, (key, value)| topic.set(key, value));
        let options = AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN)).request_timeout(Some(ANSWER_WITHIN));
        let answers = self.admin.create_topics([&topic], &options).await;
        let answers = answers.map_err(|error| refused(&error, &format!("cannot create {name}")))?;
        match answers.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                Err(refused(&KafkaError::AdminOp(code), &format!("cannot create {name}")))
            }
            _ => Ok(()),
        }
    }

    async fn send(&self, topic: &TopicName, partition: PartitionId, records: &[NewRecord]) -> Result<Offset, ClusterError> {
        let name = self.name(topic);
        let failed = |error: &KafkaError| refused(error, &format!("cannot write to {name}-{partition}"));
        let mut deliveries = Vec::with_capacity(records.len());
        for record in records {
            match self.producer.send_result(message(&name, partition, record)) {
                Ok(delivery) => deliveries.push(delivery),
                Err((error, _)) => {
                    // What is in the queue already must not go out with the next append.
                    self.producer.purge(PurgeConfig::default().queue());
                    return Err(failed(&error));
                }
            }
        }
        let mut base = None;
        for delivery in deliveries {
            let outcome = delivery.await.map_err(|_| failed(&KafkaError::Canceled))?;
            let delivered = outcome.map_err(|(error, _)| failed(&error))?;
            base.get_or_insert(delivered.offset);
        }
        Ok(Offset(base.unwrap_or(-1)))
    }
}

fn locked(reader: &Mutex<BaseConsumer<Talk>>) -> MutexGuard<'_, BaseConsumer<Talk>> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message<'a>(name: &'a str, partition: PartitionId, record: &'a NewRecord) -> FutureRecord<'a, [u8], [u8]> {
    let mut message = FutureRecord::to(name).partition(partition.0).timestamp(record.timestamp.0);
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let add = |headers: OwnedHeaders, (key, value): &(String, Option<Bytes>)| headers.insert(Header { key, value: value.as_deref() });
        message.headers = Some(record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), add));
    }
    message
}

/// The last records of a partition. Compaction leaves fewer records than offsets, so it looks further back until there are enough.
fn read_tail(reader: &BaseConsumer<Talk>, name: &str, partition: PartitionId, count: usize) -> Result<Vec<StoredRecord>, KafkaError> {
    let (start, end) = reader.fetch_watermarks(name, partition.0, ANSWER_WITHIN)?;
    let mut reach = i64::try_from(count).unwrap_or(i64::MAX);
    loop {
        let from = end.saturating_sub(reach).max(start);
        let mut records = read_range(reader, name, partition, from, end)?;
        if records.len() >= count || from == start {
            records.drain(..records.len().saturating_sub(count));
            return Ok(records);
        }
        reach = reach.saturating_mul(8);
    }
}

fn read_range(
    reader: &BaseConsumer<Talk>,
    name: &str,
    partition: PartitionId,
    from: i64,
    end: i64,
) -> Result<Vec<StoredRecord>, KafkaError> {
    let mut records = Vec::new();
    if from >= end {
        return Ok(records);
    }
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(name, partition.0, ReadFrom::Offset(from))?;
    reader.assign(&assignment)?;
    let mut heard = Instant::now();
    loop {
        match reader.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let offset = message.offset();
                if offset < end {
                    records.push(StoredRecord {
                        partition,
                        offset: Offset(offset),
                        timestamp: message.timestamp().to_millis().map_or(Timestamp::NONE, Timestamp),
                        key: message.key().map(Bytes::copy_from_slice),
                        value: message.payload().map(Bytes::copy_from_slice),
                        headers: headers_of(&message),
                    });
                }
                if offset >= end - 1 {
                    break;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) if is_about_this(&error) => return Err(error),
            _ if heard.elapsed() > ANSWER_WITHIN => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            _ => {}
        }
    }
    reader.unassign()?;
    Ok(records)
}

fn headers_of(message: &impl Message) -> Vec<(String, Option<Bytes>)> {
    let each = message.headers().into_iter().flat_map(|headers| headers.iter());
    each.map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice))).collect()
}

/// Errors that waiting does not mend. Those of the group do not matter: nothing is committed.
fn is_about_this(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let fatal = [TopicAuthorizationFailed, UnknownTopicOrPartition, UnknownTopic, UnknownPartition];
    error.rdkafka_error_code().is_some_and(|code| fatal.contains(&code))
}

/// Kafka's own codes keep their number; librdkafka's are below 0.
fn refused(error: &KafkaError, what: &str) -> ClusterError {
    let code = error.rdkafka_error_code();
    let kafkas = code.and_then(|code| i16::try_from(code as i32).ok()).filter(|code| *code > 0);
    let code = match code {
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => ErrorCode::UnknownTopicOrPartition,
        Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::MessageTimedOut) => ErrorCode::RequestTimedOut,
        _ => kafkas.and_then(ErrorCode::from_code).unwrap_or(ErrorCode::UnknownServerError),
    };
    ClusterError { code, message: format!("{what}: {error}") }
}

async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, ClusterError> {
    tokio::task::spawn_blocking(what)
        .await
        .map_err(|_| ClusterError { code: ErrorCode::UnknownServerError, message: "the Kafka client failed at this request".to_owned() })
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
        Box::pin(async move { self.send(topic, partition, &records).await })
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
                let records = read_tail(&locked(&reader), &name, partition, count);
                records.map_err(|error| refused(&error, &format!("cannot read {name}-{partition}")))
            };
            blocking(read).await?
        })
    }
}
