//! What pages change in the broker in this process, by the rules that Kafka's clients meet.

use std::sync::Arc;
use std::time::Duration;

use super::embedded::{Embedded, blocking};
use super::{BoxFuture, ClusterError, Desk, NewRecord, Produced, Spent, TopicSetting, TopicWish};
use crate::broker::meters::Meter;
use crate::broker::{AppendRefused, NewTopic, Partition, is_internal};
use crate::config::{Honoured, TopicConfig, topic_row};
use crate::model::{Batch, BatchBuilder, Codec, ErrorCode, Offset, PartitionId, Timestamp, TopicName};
use crate::security::Principal;

/// The version of Produce whose rules count.
const PRODUCE_VERSION: i16 = 9;
/// The controller's own log in Kafka; nobody may take its name.
const METADATA_TOPIC: &str = "__cluster_metadata";

fn refused(code: ErrorCode, message: impl Into<String>) -> ClusterError {
    ClusterError { code, message: message.into() }
}

fn append_to(builder: &mut BatchBuilder, record: &NewRecord) {
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref())).collect();
    builder.append(crate::model::NewRecord {
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &headers,
    });
}

fn built(builder: BatchBuilder) -> Result<Batch, ClusterError> {
    builder.build().map_err(|error| refused(ErrorCode::InvalidRecord, error.to_string()))
}

/// One batch of these records.
pub(super) fn batch_of(records: &[NewRecord]) -> Result<Batch, ClusterError> {
    let mut builder = BatchBuilder::new(Codec::None);
    records.iter().for_each(|record| append_to(&mut builder, record));
    built(builder)
}

/// The same in batches of which none is larger than the topic takes, unless one record alone is.
fn batches_of(records: &[NewRecord], bytes_max: usize) -> Result<Vec<(Batch, Timestamp)>, ClusterError> {
    /// Lengths, deltas and counts.
    const AROUND_RECORD: usize = 32;
    const AROUND_HEADER: usize = 12;
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::new(Codec::None);
    let mut first = Timestamp::NONE;
    for record in records {
        let size = record.size().saturating_add(AROUND_RECORD).saturating_add(record.headers.len().saturating_mul(AROUND_HEADER));
        if !builder.is_empty() && builder.uncompressed_len().saturating_add(size) > bytes_max {
            batches.push((built(std::mem::replace(&mut builder, BatchBuilder::new(Codec::None)))?, first));
        }
        if builder.is_empty() {
            first = record.timestamp;
        }
        append_to(&mut builder, record);
    }
    batches.push((built(builder)?, first));
    Ok(batches)
}

fn not_appended(refusal: &AppendRefused) -> ClusterError {
    let record = refusal.record_errors.first().map(|error| error.message.clone());
    let message = refusal.message.clone().or(record).unwrap_or_else(|| format!("the record was refused: {:?}", refusal.error));
    refused(refusal.error, message)
}

impl Embedded {
    fn charge(&self, user: &str, what: Spent, amount: f64) -> Duration {
        let meter = match what {
            Spent::ProducedBytes => Meter::ProducedBytes,
            Spent::Partitions => Meter::Partitions,
        };
        let principal = Principal::user(user);
        let rules = self.broker.security.rules();
        let wait = self.broker.limit(&rules, &principal, "", meter).map(|limit| {
            let who = (&principal, "");
            self.broker.meters.charge(meter, who, limit, amount)
        });
        Duration::from_millis(wait.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0))
    }

    async fn make_topic(&self, user: Option<&str>, wish: TopicWish) -> Result<i32, ClusterError> {
        let name = wish.name.as_str();
        if !TopicName::is_legal(name) {
            let rule = "a topic name has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-', and is neither '.' nor '..'";
            return Err(refused(
                ErrorCode::InvalidTopicException,
                format!("the name {:?} is not possible: {rule}", name.chars().take(60).collect::<String>()),
            ));
        }
        if is_internal(name) || name == METADATA_TOPIC {
            return Err(refused(ErrorCode::InvalidTopicException, format!("{name} is a name of the broker's own")));
        }
        if self.broker.catalog.get(name).is_some() {
            return Err(refused(ErrorCode::TopicAlreadyExists, format!("there is a topic {name} already")));
        }
        if let Some(other) = self.broker.catalog.colliding(&wish.name) {
            let text = format!("{name} differs from the topic {other} only in '.' and '_', which Kafka's metrics cannot tell apart");
            return Err(refused(ErrorCode::InvalidTopicException, text));
        }
        let partitions = wish.partitions.unwrap_or_else(|| self.broker.configs.broker().num_partitions);
        let given = wish.configs.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let config = TopicConfig::from_request(given, &self.broker.configs.layers()).map_err(|e| refused(e.code, e.message))?;
        let new = NewTopic { name: wish.name.clone(), partitions, overrides: config.values().clone() };
        self.broker.catalog.check_new(&new)?;
        let _room = match user {
            Some(_) => self.broker.room_for(name, partitions).await?,
            None => None,
        };
        if let Some(user) = user {
            self.charge(user, Spent::Partitions, f64::from(partitions));
        }
        Ok(self.broker.create_topic(new).await?.partition_count())
    }

    async fn drop_topic(&self, user: Option<&str>, name: &TopicName) -> Result<(), ClusterError> {
        if is_internal(name.as_str()) {
            return Err(refused(ErrorCode::InvalidRequest, format!("{name} is the broker's own and cannot be deleted")));
        }
        if !self.broker.configs.broker().delete_topic {
            return Err(refused(ErrorCode::TopicDeletionDisabled, "topics cannot be deleted here (delete.topic.enable)"));
        }
        if let (Some(user), Some(topic)) = (user, self.broker.catalog.get(name.as_str())) {
            self.charge(user, Spent::Partitions, f64::from(topic.partition_count()));
        }
        Ok(self.broker.delete_topic(name).await?)
    }

    async fn send(
        &self,
        user: Option<&str>,
        topic: &TopicName,
        id: PartitionId,
        records: Vec<NewRecord>,
    ) -> Result<Produced, ClusterError> {
        let partition = self.partition(topic, id)?;
        if is_internal(topic.as_str()) {
            return Err(refused(ErrorCode::InvalidTopicException, format!("{topic} is the broker's own")));
        }
        if user.is_some() {
            self.broker.room_for_records(topic.as_str())?;
        }
        if let Some(message) = self.broker.space.refusal() {
            return Err(refused(ErrorCode::KafkaStorageError, message));
        }
        let bytes: usize = records.iter().map(NewRecord::size).fold(0, usize::saturating_add);
        if let Some(user) = user {
            self.charge(user, Spent::ProducedBytes, bytes as f64);
        }
        let (to, now) = (Arc::clone(&partition), self.broker.now());
        let (produced, end) = blocking(move || append_all(&to, &records, now)).await?;
        partition.checkpoint_after_much();
        if let Some(flush) = self.broker.flusher.due(&partition, end) {
            flush.ended().await.map_err(|refusal| not_appended(&refusal))?;
        }
        Ok(produced)
    }
}

/// What was produced, and the offset after it.
fn append_all(partition: &Partition, records: &[NewRecord], now: Timestamp) -> Result<(Produced, Offset), ClusterError> {
    let bytes_max = usize::try_from(partition.config().max_message_bytes).unwrap_or(usize::MAX);
    let mut produced = None;
    let mut end = Offset::ZERO;
    for (batch, timestamp) in batches_of(records, bytes_max)? {
        let outcome = partition.append(&batch.to_bytes(), PRODUCE_VERSION, now).map_err(|refusal| not_appended(&refusal))?;
        let stamped = outcome.log_append_time;
        let timestamp = if stamped == Timestamp::NONE { timestamp } else { stamped };
        produced.get_or_insert(Produced { offset: outcome.base_offset, timestamp });
        end = outcome.last_offset.plus(1);
    }
    produced.map(|produced| (produced, end)).ok_or_else(|| refused(ErrorCode::InvalidRecord, "there is no record to append"))
}

impl Desk for Embedded {
    fn create_topic<'a>(&'a self, user: Option<&'a str>, wish: TopicWish) -> BoxFuture<'a, Result<i32, ClusterError>> {
        Box::pin(self.make_topic(user, wish))
    }

    fn delete_topic<'a>(&'a self, user: Option<&'a str>, topic: &'a TopicName) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(self.drop_topic(user, topic))
    }

    fn produce<'a>(
        &'a self,
        user: Option<&'a str>,
        topic: &'a TopicName,
        partition: PartitionId,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Produced, ClusterError>> {
        Box::pin(self.send(user, topic, partition, records))
    }

    fn topic_settings<'a>(&'a self, topic: &'a str) -> BoxFuture<'a, Result<Vec<TopicSetting>, ClusterError>> {
        Box::pin(std::future::ready(self.settings_of(topic)))
    }

    fn owed(&self, user: &str, what: Spent) -> Duration {
        self.charge(user, what, 0.0)
    }
}

impl Embedded {
    fn settings_of(&self, topic: &str) -> Result<Vec<TopicSetting>, ClusterError> {
        let found = self.broker.catalog.get(topic);
        let topic = found.ok_or_else(|| refused(ErrorCode::UnknownTopicOrPartition, format!("there is no topic {topic}")))?;
        let (config, layers, plain) = (topic.config(), self.broker.configs.layers(), TopicConfig::default());
        let setting = |entry: crate::config::ConfigEntry| {
            let idle = topic_row(&entry.name).and_then(|row| match row.def.honoured {
                Honoured::Yes => None,
                Honoured::SetBy(setting) => Some(format!("it is set by {setting}")),
                Honoured::No(reason) => Some(reason.to_owned()),
            });
            TopicSetting {
                default: plain.value(&entry.name, &layers),
                overridden: config.values().contains_key(&entry.name),
                value: entry.value,
                kind: entry.kind.map_or("STRING", crate::config::ConfigType::name),
                about: entry.doc.unwrap_or_default(),
                name: entry.name,
                idle,
            }
        };
        Ok(config.describe(&layers).into_iter().map(setting).collect())
    }
}
