//! One of the two clusters, with the clients that it takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminClient;
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use tokio::runtime::{Builder, Runtime};

use super::MirrorError;
use crate::cluster::Access;
use crate::cluster::settling::{ANSWERED_WITHIN, appears, partition_count, settled};

/// The cluster has to show up within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One question to it.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The consumers' group, of which nothing is committed.
pub(super) const OWN_GROUP: &str = "headwater-mirror";

/// What librdkafka has to say between the answers.
#[derive(Clone, Default)]
pub(super) struct Talk {
    last: Arc<Mutex<Option<String>>>,
}

impl Talk {
    pub fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|text| text.replace('\n', " "))
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

/// Where a record went, or why it did not.
pub(super) struct Delivered {
    pub partition: i32,
    pub offset: Result<i64, KafkaError>,
}

/// The reports of a producer, in the order of each partition.
#[derive(Clone, Default)]
pub(super) struct Reports {
    pub talk: Talk,
    delivered: Arc<Mutex<Vec<Delivered>>>,
}

impl Reports {
    pub fn take(&self) -> Vec<Delivered> {
        std::mem::take(&mut *self.delivered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.talk.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.talk.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let (message, error) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(error.clone())),
        };
        let offset = error.map_or(Ok(message.offset()), Err);
        let report = Delivered { partition: message.partition(), offset };
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }
}

pub(super) type Sender = BaseProducer<Reports>;

/// A cluster, and the flag that named it.
pub(super) struct End {
    flag: &'static str,
    access: Access,
    pub cluster_id: String,
    /// Sees what a reader of committed records sees.
    pub reader: BaseConsumer<Talk>,
    /// Asks where partitions begin and end.
    ends: BaseConsumer<Talk>,
    pub admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

impl End {
    /// `isolation`: up to where a partition goes, to its last stable offset (`read_committed`) or to its last record.
    pub fn connect(flag: &'static str, access: &Access, isolation: &str) -> Result<End, MirrorError> {
        let unusable = |error: KafkaError| MirrorError(format!("{flag} {}: cannot use this address: {error}", access.bootstrap()));
        let mut asking = consumer_config(access, OWN_GROUP);
        asking.set("isolation.level", isolation);
        let talk = Talk::default();
        let ends: BaseConsumer<Talk> = asking.create_with_context(talk.clone()).map_err(unusable)?;
        let answer = ends.fetch_metadata(None, CONNECT_WITHIN);
        answer.map_err(|error| {
            let reason = talk.last().unwrap_or_else(|| error.to_string());
            MirrorError(format!("{flag} {}: no Kafka cluster answers within {} s: {reason}", access.bootstrap(), CONNECT_WITHIN.as_secs()))
        })?;
        let cluster_id = ends.client().fetch_cluster_id(ANSWER_WITHIN).filter(|id| !id.is_empty());
        let cluster_id = cluster_id.ok_or_else(|| MirrorError(format!("{flag} {}: the cluster has no id", access.bootstrap())))?;
        Ok(End {
            flag,
            access: access.clone(),
            cluster_id,
            reader: consumer_config(access, OWN_GROUP).create_with_context(Talk::default()).map_err(unusable)?,
            ends,
            admin: access.client().create().map_err(unusable)?,
            runtime: Builder::new_current_thread()
                .build()
                .map_err(|error| MirrorError(format!("cannot start: {error}; try again with fewer programs running")))?,
        })
    }

    /// As in `--to 127.0.0.1:9092`.
    pub fn name(&self) -> String {
        format!("{} {}", self.flag, self.access.bootstrap())
    }

    /// This end, what was tried, what came of it, and what helps.
    pub fn failed(&self, what: &str, error: &KafkaError) -> MirrorError {
        let advice = error.rdkafka_error_code().map_or("", advice);
        MirrorError(format!("{}: {what}: {error}{advice}", self.name()))
    }

    pub fn wrong(&self, what: &str) -> MirrorError {
        MirrorError(format!("{}: {what}", self.name()))
    }

    pub fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// A consumer that speaks for this group.
    pub fn consumer_of(&self, group: &str) -> Result<BaseConsumer<Talk>, MirrorError> {
        let made = consumer_config(&self.access, group).create_with_context(Talk::default());
        made.map_err(|error| self.failed(&format!("cannot look at group {group}"), &error))
    }

    /// Idempotent, and never gives up on a record by time. One batch at a time: the one that is sent again after an outage is then the
    /// last that the target knows of, which any broker recognises.
    pub fn producer(&self, batch_bytes: i64) -> Result<(Sender, Reports), MirrorError> {
        let reports = Reports::default();
        let mut config = self.access.client();
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("enable.idempotence", "true")
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", "0")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("batch.size", batch_bytes.to_string())
            .set("message.max.bytes", "1000000000");
        let made = config.create_with_context(reports.clone());
        made.map(|producer| (producer, reports)).map_err(|error| self.failed("cannot write there", &error))
    }

    /// How many partitions each topic has, by name.
    pub fn partition_counts(&self) -> Result<Vec<(String, usize)>, MirrorError> {
        let metadata = self.ends.fetch_metadata(None, ANSWER_WITHIN).map_err(|error| self.failed("cannot list the topics", &error))?;
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    }

    /// How many partitions the topic has; none if it does not exist.
    pub fn partition_count(&self, topic: &str) -> Result<Option<usize>, MirrorError> {
        partition_count(&self.ends, topic).map_err(|error| self.failed(&format!("cannot look at {topic}"), &error))
    }

    /// Waits for a topic that was just made.
    pub fn appears(&self, topic: &str) -> Result<bool, MirrorError> {
        let found = appears(&self.ends, topic).map_err(|error| self.failed(&format!("cannot look at {topic}"), &error))?;
        Ok(found.is_some_and(|count| count > 0))
    }

    /// First offset and end of a partition.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), MirrorError> {
        let answer = settled(ANSWER_WITHIN, || self.ends.fetch_watermarks(topic, partition, ANSWERED_WITHIN));
        answer.map_err(|error| self.failed(&format!("cannot ask where {topic}-{partition} begins and ends"), &error))
    }

    /// Lets the reader read from these partitions, each from its offset on.
    pub fn read_from(&self, topic: &str, partitions: &[(i32, i64)]) -> Result<(), MirrorError> {
        let failed = |error: KafkaError| self.failed(&format!("cannot read {topic}"), &error);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(*offset)).map_err(failed)?;
        }
        self.reader.assign(&list).map_err(failed)
    }
}

/// What of a poll matters.
pub(super) enum Polled<'a> {
    Record(BorrowedMessage<'a>),
    EndOf(i32),
    Nothing,
}

impl End {
    pub fn poll<'a>(&self, reader: &'a BaseConsumer<Talk>, wait: Duration) -> Result<Polled<'a>, MirrorError> {
        match reader.poll(wait) {
            Some(Ok(message)) => Ok(Polled::Record(message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => Ok(Polled::EndOf(partition)),
            Some(Err(error)) if is_final(&error) => Err(self.failed("cannot read", &error)),
            _ => Ok(Polled::Nothing),
        }
    }
}

fn consumer_config(access: &Access, group: &str) -> ClientConfig {
    let mut config = access.client();
    config.set_log_level(RDKafkaLogLevel::Info);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.wait.max.ms", "50");
    config
}

/// Errors that waiting does not mend.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        Authentication, BadCompression, NotImplemented, TopicAuthorizationFailed, UnknownPartition, UnknownTopic, UnknownTopicOrPartition,
    };
    let codes =
        [TopicAuthorizationFailed, UnknownTopicOrPartition, UnknownTopic, UnknownPartition, Authentication, BadCompression, NotImplemented];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

fn advice(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed | Code::GroupAuthorizationFailed => {
            "; give a login there that may do it, such as the administrator's"
        }
        Code::MessageSizeTooLarge => "; raise max.message.bytes of the topic there, then run this again",
        Code::InvalidTimestamp => "; raise message.timestamp.after.max.ms of the topic there, then run this again",
        Code::InvalidTopic => "; a Headwater broker writes its own topics itself: leave --workshop out",
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => "; it was deleted meanwhile: run this again",
        _ => "",
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.reader.unassign();
    }
}

/// Waits until what was sent is answered for; `going_on` says whether to wait longer.
pub(super) fn answers(
    end: &End,
    sender: &Sender,
    reports: &Reports,
    sent: usize,
    what: &str,
    mut going_on: impl FnMut(Option<String>) -> bool,
) -> Result<Option<Vec<Delivered>>, MirrorError> {
    let mut delivered = Vec::with_capacity(sent);
    while delivered.len() < sent {
        sender.poll(Duration::from_millis(100));
        delivered.extend(reports.take());
        if let Some(error) = delivered.iter().find_map(|report| report.offset.as_ref().err()) {
            return Err(end.failed(&format!("cannot write to {what}"), error));
        }
        if let Some((code, reason)) = sender.client().fatal_error() {
            return Err(end.wrong(&format!("cannot write to {what}: {reason} ({code}); run this again, it goes on where it stopped")));
        }
        if delivered.len() < sent && !going_on(reports.talk.last()) {
            return Ok(None);
        }
    }
    Ok(Some(delivered))
}
