//! Topics made and records written in another cluster.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};

use super::remote_client::{Talk, refused};
use super::settling::{Admin, administered, unsettled};
use super::{ClusterError, NewRecord, Produced};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp};

/// A cluster that leaves little to its users still takes these.
const ALWAYS_TAKEN: &[&str] = &["cleanup.policy", "retention.ms", "retention.bytes"];

/// Longer than a question: a topic is made or gone on all brokers only after a while.
const DONE_WITHIN: Duration = Duration::from_secs(4);

/// Asked again, a cluster that has done it by then says so.
pub(super) fn waiting() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(DONE_WITHIN)).request_timeout(Some(DONE_WITHIN))
}

/// Creates a topic with the cluster's own replication, unless there is one.
pub(super) async fn create(admin: &Admin, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), ClusterError> {
    // That a record is on a disk is for the replicas to promise.
    let wanted: Vec<(&str, &str)> =
        configs.iter().map(|(key, value)| (*key, value.as_str())).filter(|(key, _)| *key != "flush.messages").collect();
    let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let full = wanted.iter().fold(plain.set("message.timestamp.type", "CreateTime"), |topic, (key, value)| topic.set(key, value));
    let outcome = create_or_find(admin, name, &full).await;
    // Some clusters refuse, say, small segments.
    if outcome.as_ref().is_err_and(|error| matches!(error.code, ErrorCode::InvalidConfig | ErrorCode::PolicyViolation)) {
        let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        let few = wanted.iter().filter(|(key, _)| ALWAYS_TAKEN.contains(key));
        return create_or_find(admin, name, &few.fold(plain, |topic, (key, value)| topic.set(key, value))).await;
    }
    outcome
}

/// The same with these configs and no others. That there is one already is an error.
pub(super) async fn create_with(admin: &Admin, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<(), ClusterError> {
    let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let topic = configs.iter().fold(plain, |topic, (key, value)| topic.set(key, value));
    create_once(admin, name, &topic).await
}

async fn create_or_find(admin: &Admin, name: &str, topic: &NewTopic<'_>) -> Result<(), ClusterError> {
    match create_once(admin, name, topic).await {
        Err(error) if error.code == ErrorCode::TopicAlreadyExists => Ok(()),
        outcome => outcome,
    }
}

async fn create_once(admin: &Admin, name: &str, topic: &NewTopic<'_>) -> Result<(), ClusterError> {
    let answers = administered(admin, || admin.create_topics([topic], &waiting())).await;
    let answers = answers.map_err(|error| unsettled(&error, &format!("cannot create {name}")))?;
    match answers.into_iter().next() {
        Some(Err((_, code))) => Err(refused(&KafkaError::AdminOp(code), &format!("cannot create {name}"))),
        _ => Ok(()),
    }
}

/// Sends the records to one partition, in order, and waits until the cluster has them. The offset is the first one's.
pub(super) async fn send(
    producer: &FutureProducer<Talk>,
    name: &str,
    partition: PartitionId,
    records: &[NewRecord],
) -> Result<Produced, ClusterError> {
    let failed = |error: &KafkaError| refused(error, &format!("cannot write to {name}-{partition}"));
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        match producer.send_result(message(name, partition, record)) {
            Ok(delivery) => deliveries.push(delivery),
            Err((error, _)) => {
                // What is in the queue already must not go out with the next append.
                producer.purge(PurgeConfig::default().queue());
                return Err(failed(&error));
            }
        }
    }
    let mut first = None;
    for delivery in deliveries {
        let outcome = delivery.await.map_err(|_| failed(&KafkaError::Canceled))?;
        let delivered = outcome.map_err(|(error, _)| failed(&error))?;
        let timestamp = delivered.timestamp.to_millis().map_or(Timestamp::NONE, Timestamp);
        first.get_or_insert(Produced { offset: Offset(delivered.offset), timestamp });
    }
    Ok(first.unwrap_or(Produced { offset: Offset(-1), timestamp: Timestamp::NONE }))
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
