//! What everything that speaks to another cluster through librdkafka shares: clients, threads that may wait, errors in words.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ClusterError;
use crate::model::ErrorCode;

/// The cluster has to show up within this.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One question to the cluster.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What librdkafka's log calls a connection that could not be made or was lost.
const CONNECTION_FAILED: &str = "FAIL";

/// What librdkafka has to say between the answers.
#[derive(Clone, Default)]
pub(super) struct Talk {
    last: Arc<Mutex<Option<String>>>,
}

impl Talk {
    pub fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, reason: &str) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// What was said before does not count any more.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ClientContext for Talk {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "{message}");
        if facility == CONNECTION_FAILED {
            // In front stands the client's thread.
            let words = message.split_once("]: ").map_or(message, |(_, words)| words);
            self.say(words);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the Kafka client reports an error");
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.say(reason);
        }
    }
}

impl ConsumerContext for Talk {}

/// For a consumer that is given partitions and offsets, and never joins its group.
pub(super) fn reading(config: &ClientConfig) -> ClientConfig {
    let mut reading = config.clone();
    reading
        .set("group.id", "headwater-generate")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_uncommitted")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "10");
    reading
}

/// Also of what an administrator's client was answered.
pub(super) fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Kafka's own codes keep their number; librdkafka's are below 0.
pub(super) fn refused(error: &KafkaError, what: &str) -> ClusterError {
    let code = code_of(error);
    let kafkas = code.and_then(|code| i16::try_from(code as i32).ok()).filter(|code| *code > 0);
    let code = match code {
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => ErrorCode::UnknownTopicOrPartition,
        Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::MessageTimedOut) => ErrorCode::RequestTimedOut,
        _ => kafkas.and_then(ErrorCode::from_code).unwrap_or(ErrorCode::UnknownServerError),
    };
    ClusterError { code, message: format!("{what}: {error}") }
}

/// Nobody answered the first question.
pub(super) fn unanswered(address: &str, talk: &Talk, error: &KafkaError) -> ClusterError {
    let reason = talk.last().map_or_else(|| error.to_string(), |reason| reason.replace('\n', " "));
    let message = format!("no Kafka cluster answers at {address} within {} s: {reason}; {}", CONNECT_WITHIN.as_secs(), advice(&reason));
    ClusterError { code: ErrorCode::BrokerNotAvailable, message }
}

/// What to do about what librdkafka says is in the way.
pub(super) fn advice(reason: &str) -> &'static str {
    let reason = reason.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    match () {
        () if says(&["authentication", "sasl", "credential"]) => {
            "check sasl.username, sasl.password and sasl.mechanism of its properties file"
        }
        () if says(&["certificate verify", "unable to get local issuer"]) => {
            "give its certificate authority with ssl.ca.location in its properties file"
        }
        () if says(&["ssl", "tls", "certificate"]) => "check security.protocol and ssl.* of its properties file",
        () if says(&["resolve", "name or service"]) => "check the host's name",
        () if says(&["refused"]) => "check that it runs and that this is its address",
        () if says(&["disconnected", "broker handle destroyed"]) => "check that security.protocol is what this port speaks",
        () => "check its address and security.protocol, and that the network lets this machine through",
    }
}

/// On a thread that may wait: librdkafka's questions do.
pub(super) async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, ClusterError> {
    tokio::task::spawn_blocking(what)
        .await
        .map_err(|_| ClusterError { code: ErrorCode::UnknownServerError, message: "the Kafka client failed at this request".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_administrator_was_answered_keeps_its_code() {
        let told = |code| refused(&KafkaError::AdminOp(code), "cannot create a").code;
        assert_eq!(told(RDKafkaErrorCode::InvalidConfig), ErrorCode::InvalidConfig);
        assert_eq!(told(RDKafkaErrorCode::UnknownTopicOrPartition), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(told(RDKafkaErrorCode::OperationTimedOut), ErrorCode::RequestTimedOut);
    }

    #[test]
    fn what_is_in_the_way_is_told_with_what_to_do() {
        for (said, wanted) in [
            ("ssl://h:1/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed: Authentication failed", "sasl.password"),
            ("SSL handshake failed: certificate verify failed: broker certificate could not be verified", "ssl.ca.location"),
            ("SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?", "security.protocol and ssl.*"),
            ("Failed to resolve 'nowhere:9092': Name or service not known", "the host's name"),
            ("Connect to ipv4#127.0.0.1:1 failed: Connection refused", "that it runs"),
            ("Disconnected while requesting ApiVersion", "what this port speaks"),
            ("Local: Timed out", "the network"),
        ] {
            assert!(advice(said).contains(wanted), "{said}: {}", advice(said));
        }
    }
}
