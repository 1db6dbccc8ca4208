//! One of the two clusters, with the clients that it takes.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminClient;
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use tokio::runtime::{Builder, Runtime};

use super::{MirrorError, Pulse};
use crate::cluster::Access;
use crate::cluster::remote_client::{self, code_of};
use crate::cluster::settling::{ANSWERED_WITHIN, appears, partition_count, passes};

/// The cluster has to show up within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One question to it.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A producer that was ended says why within this.
const REASON_WITHIN: Duration = Duration::from_secs(3);

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
    pulse: Rc<Pulse>,
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
    pub fn connect(flag: &'static str, access: &Access, isolation: &str, pulse: Rc<Pulse>) -> Result<End, MirrorError> {
        let unusable = |error: KafkaError| MirrorError::new(format!("{flag} {}: cannot use this address: {error}", access.bootstrap()));
        let mut asking = consumer_config(access, OWN_GROUP);
        asking.set("isolation.level", isolation);
        let talk = Talk::default();
        let ends: BaseConsumer<Talk> = asking.create_with_context(talk.clone()).map_err(unusable)?;
        let answer = ends.fetch_metadata(None, CONNECT_WITHIN);
        answer.map_err(|error| {
            let reason = talk.last().unwrap_or_else(|| error.to_string());
            let (within, advice) = (CONNECT_WITHIN.as_secs(), remote_client::advice(&reason));
            MirrorError::new(format!("{flag} {}: no Kafka cluster answers within {within} s: {reason}; {advice}", access.bootstrap()))
        })?;
        let cluster_id = ends.client().fetch_cluster_id(ANSWER_WITHIN).filter(|id| !id.is_empty());
        let cluster_id = cluster_id.ok_or_else(|| {
            let what = "the cluster has no id, by which a mirror knows it again; give a cluster of Apache Kafka 0.10.1 or later";
            MirrorError::new(format!("{flag} {}: {what}", access.bootstrap()))
        })?;
        Ok(End {
            flag,
            access: access.clone(),
            pulse,
            cluster_id,
            reader: consumer_config(access, OWN_GROUP).create_with_context(Talk::default()).map_err(unusable)?,
            ends,
            admin: access.client().create().map_err(unusable)?,
            runtime: Builder::new_current_thread()
                .build()
                .map_err(|error| MirrorError::new(format!("cannot start: {error}; try again with fewer programs running")))?,
        })
    }

    /// As in `--to 127.0.0.1:9092`.
    pub fn name(&self) -> String {
        format!("{} {}", self.flag, self.access.bootstrap())
    }

    /// This end, what was tried, what came of it, and what helps.
    pub fn failed(&self, what: &str, error: &KafkaError) -> MirrorError {
        let advice = code_of(error).map_or("", advice);
        let text = format!("{}: {what}: {error}{advice}", self.name());
        MirrorError { text, passes: passes(error) }
    }

    pub fn wrong(&self, what: &str) -> MirrorError {
        MirrorError::new(format!("{}: {what}", self.name()))
    }

    pub fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// A consumer that speaks for this group.
    pub fn consumer_of(&self, group: &str) -> Result<BaseConsumer<Talk>, MirrorError> {
        let made = consumer_config(&self.access, group).create_with_context(Talk::default());
        made.map_err(|error| self.failed(&format!("cannot look at group {group}"), &error))
    }

    /// Idempotent, and never gives up on a record by time. One that the target refuses ends it before any that follow: in a partition
    /// there is never a gap. One batch at a time: the one that is sent again after an outage is then the last that the target knows of,
    /// which any broker recognises.
    pub fn producer(&self, batch_bytes: i64) -> Result<(Sender, Reports), MirrorError> {
        let reports = Reports::default();
        let mut config = self.access.client();
        config.set_log_level(RDKafkaLogLevel::Info);
        config
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
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

    /// First offset and end of a partition. With `--follow` an outage may last.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), MirrorError> {
        let begun = Instant::now();
        let answer = loop {
            match self.ends.fetch_watermarks(topic, partition, ANSWERED_WITHIN) {
                // A topic that was just made, or a broker that just came back.
                Err(error) if passes(&error) && (begun.elapsed() < ANSWER_WITHIN || self.pulse.outlasts && is_outage(&error)) => {
                    if !self.pulse.waits(&self.name(), Some(error.to_string())) {
                        return Err(MirrorError::stopped());
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                other => break other,
            }
        };
        answer.map_err(|error| self.failed(&format!("cannot ask where {topic}-{partition} begins and ends"), &error))
    }

    /// How many replicas a partition has, and how many of them are in sync.
    pub fn replicas(&self, topic: &str, partition: i32) -> Result<(usize, usize), MirrorError> {
        let metadata = self.ends.fetch_metadata(Some(topic), ANSWER_WITHIN);
        let metadata = metadata.map_err(|error| self.failed(&format!("cannot look at {topic}"), &error))?;
        let mut partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
        let found = partitions.find(|found| found.id() == partition);
        // Without an answer it counts as one of several that is being looked for.
        Ok(found.map_or((2, 0), |found| (found.replicas().len(), found.isr().len())))
    }

    /// Lets the own reader read from these partitions, each from its offset on.
    pub fn read_from(&self, topic: &str, partitions: &[(i32, i64)]) -> Result<(), MirrorError> {
        self.assign(&self.reader, topic, partitions)
    }

    pub fn assign(&self, reader: &BaseConsumer<Talk>, topic: &str, partitions: &[(i32, i64)]) -> Result<(), MirrorError> {
        let failed = |error: KafkaError| self.failed(&format!("cannot read {topic}"), &error);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(*offset)).map_err(failed)?;
        }
        reader.assign(&list).map_err(failed)
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

/// Those of a cluster that is away. A topic that is not there may as well have been deleted.
fn is_outage(error: &KafkaError) -> bool {
    passes(error) && code_of(error) != Some(RDKafkaErrorCode::UnknownTopicOrPartition)
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
        Code::LeaderNotAvailable => "; run this again when the cluster is well",
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
    let mut ended: Option<Instant> = None;
    while delivered.len() < sent {
        sender.poll(Duration::from_millis(100));
        delivered.extend(reports.take());
        let (own, other) = refusals(&delivered);
        if let Some(error) = own {
            return Err(end.failed(&format!("cannot write to {what}"), error));
        }
        if let Some((code, reason)) = sender.client().fatal_error() {
            // What the target said to a record comes a little later, and says what to do.
            if ended.get_or_insert_with(Instant::now).elapsed() > REASON_WITHIN {
                return Err(end.wrong(&format!("cannot write to {what}: {reason} ({code}); run this again, it goes on where it stopped")));
            }
        } else if let Some(error) = other {
            return Err(end.failed(&format!("cannot write to {what}"), error));
        }
        if delivered.len() < sent && !going_on(reports.talk.last()) {
            return Ok(None);
        }
    }
    Ok(Some(delivered))
}

/// The first error that is a record's own, and the first that it has because of another one.
fn refusals(delivered: &[Delivered]) -> (Option<&KafkaError>, Option<&KafkaError>) {
    use RDKafkaErrorCode::{Fatal, GaplessGuarantee, PurgeInflight, PurgeQueue};
    let of_another = |error: &&KafkaError| {
        let code = error.rdkafka_error_code();
        code.is_some_and(|code| [Fatal, GaplessGuarantee, PurgeInflight, PurgeQueue].contains(&code))
    };
    let errors = || delivered.iter().filter_map(|report| report.offset.as_ref().err());
    (errors().find(|error| !of_another(error)), errors().find(of_another))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_that_was_refused_says_why_and_not_those_behind_it() {
        let report = |offset| Delivered { partition: 0, offset };
        let error = |code| Err(KafkaError::MessageProduction(code));
        let fatal = || report(error(RDKafkaErrorCode::Fatal));
        let codes = |all: &[Delivered]| {
            let (own, other) = refusals(all);
            (own.and_then(KafkaError::rdkafka_error_code), other.and_then(KafkaError::rdkafka_error_code))
        };
        let (large, gap) = (RDKafkaErrorCode::MessageSizeTooLarge, RDKafkaErrorCode::GaplessGuarantee);
        assert_eq!(codes(&[report(Ok(3))]), (None, None));
        assert_eq!(codes(&[report(Ok(3)), report(error(gap)), fatal()]), (None, Some(gap)));
        assert_eq!(codes(&[fatal(), report(error(large)), fatal()]), (Some(large), Some(RDKafkaErrorCode::Fatal)));
    }
}
