//! What another cluster needs a moment for: a topic that was just made, a broker that has just gone or come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ClusterError;
use super::remote_client::{ANSWER_WITHIN, blocking, code_of, refused};

/// Somebody else leads a broker's partitions within this, also where brokers take nine seconds to find out that it has gone.
pub(super) const SETTLES_WITHIN: Duration = Duration::from_secs(13);
/// One question to one broker. What is asked of a broker that has gone waits for it to come back, so that the question has to end before
/// another broker can be asked.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Asks again, after pauses that grow, until the answer is final or the time is over: then the last answer stands.
pub(super) fn again<T>(within: Duration, mut ask: impl FnMut() -> T, is_final: impl Fn(&T) -> bool) -> T {
    let mut patience = Patience::new(within);
    loop {
        let answer = ask();
        match patience.pause().filter(|_| !is_final(&answer)) {
            Some(pause) => std::thread::sleep(pause),
            None => return answer,
        }
    }
}

/// Asks again for as long as what went wrong passes by itself.
pub(super) fn settled<T>(within: Duration, ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    again(within, ask, |answer| !answer.as_ref().is_err_and(passes))
}

/// An administrator's client, which everybody may use.
pub(super) type Admin = Arc<AdminClient<DefaultClientContext>>;

/// The same for what an administrator asks. Its client learns only from a list of the brokers that the one it asks has gone.
pub(super) async fn administered<T, F>(admin: &Admin, ask: impl Fn() -> F) -> Result<T, KafkaError>
where
    F: Future<Output = Result<T, KafkaError>>,
{
    let mut patience = Patience::new(SETTLES_WITHIN);
    loop {
        let answer = ask().await;
        let Some(pause) = patience.pause().filter(|_| answer.as_ref().is_err_and(passes)) else { return answer };
        let listing = Arc::clone(admin);
        // Who does not answer now may do so at the next attempt.
        let _ = blocking(move || listing.inner().fetch_metadata(None, ANSWERED_WITHIN).map(|_| ())).await;
        tokio::time::sleep(pause).await;
    }
}

struct Patience {
    ends: Instant,
    pause: Duration,
}

impl Patience {
    fn new(within: Duration) -> Patience {
        let now = Instant::now();
        Patience { ends: now.checked_add(within).unwrap_or(now), pause: FIRST_PAUSE }
    }

    /// How long to wait before the next attempt, if there is time for one.
    fn pause(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        (self.ends.saturating_duration_since(Instant::now()) > pause).then_some(pause)
    }
}

/// How many partitions a topic has; none if it does not exist, 0 while a leader is still being chosen. Asked by a consumer: a producer's
/// question would create it.
pub(super) fn partition_count<C: ConsumerContext>(client: &BaseConsumer<C>, name: &str) -> Result<Option<usize>, KafkaError> {
    let metadata = client.fetch_metadata(Some(name), ANSWERED_WITHIN)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    match topic.map(|topic| (topic.error().map(RDKafkaErrorCode::from), topic.partitions().len())) {
        None | Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic), _)) => Ok(None),
        Some((Some(RDKafkaErrorCode::LeaderNotAvailable), _)) => Ok(Some(0)),
        Some((Some(code), _)) => Err(KafkaError::MetadataFetch(code)),
        Some((None, count)) => Ok(Some(count)),
    }
}

/// The partitions of a topic that was just made: every broker has to hear of it before it can be used.
pub(super) fn appears<C: ConsumerContext>(client: &BaseConsumer<C>, name: &str) -> Result<Option<usize>, KafkaError> {
    again(
        ANSWER_WITHIN,
        || partition_count(client, name),
        |found| match found {
            Ok(found) => found.is_some_and(|count| count > 0),
            Err(error) => !passes(error),
        },
    )
}

/// Errors that a moment mends.
pub(super) fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let passing = [
        Code::AllBrokersDown,
        Code::BrokerNotAvailable,
        Code::BrokerTransportFailure,
        Code::CoordinatorLoadInProgress,
        Code::CoordinatorNotAvailable,
        Code::DestroyBroker,
        Code::LeaderNotAvailable,
        Code::NetworkException,
        Code::NotCoordinator,
        Code::NotLeaderForPartition,
        Code::OffsetNotAvailable,
        Code::OperationTimedOut,
        Code::RequestTimedOut,
        Code::Resolve,
        Code::UnknownPartition,
        Code::UnknownTopicOrPartition,
        Code::WaitingForCoordinator,
    ];
    code_of(error).is_some_and(|code| passing.contains(&code))
}

/// What is told of a question that was asked again for so long.
pub(super) fn unsettled(error: &KafkaError, what: &str) -> ClusterError {
    let plain = refused(error, what);
    let gone = [RDKafkaErrorCode::UnknownPartition, RDKafkaErrorCode::UnknownTopicOrPartition];
    if passes(error) && !code_of(error).is_some_and(|code| gone.contains(&code)) {
        let message = format!("{}; a broker of the cluster may have just gone: try again in a few seconds", plain.message);
        return ClusterError { message, ..plain };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorCode;

    fn failed(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MetadataFetch(code)
    }

    #[test]
    fn what_passes_is_asked_again_and_anything_else_is_not() {
        let asked = |first: RDKafkaErrorCode| {
            let mut times = 0;
            let answer = settled(Duration::from_secs(5), || {
                times += 1;
                if times < 3 { Err(failed(first)) } else { Ok(times) }
            });
            (answer.ok(), times)
        };
        assert_eq!(asked(RDKafkaErrorCode::NotLeaderForPartition), (Some(3), 3));
        assert_eq!(asked(RDKafkaErrorCode::OperationTimedOut), (Some(3), 3));
        assert_eq!(asked(RDKafkaErrorCode::TopicAuthorizationFailed), (None, 1));
        assert!(passes(&KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut)));
    }

    #[test]
    fn the_last_answer_stands_when_the_time_is_over() {
        let (began, mut times) = (Instant::now(), 0);
        let answer = again(
            Duration::from_millis(300),
            || {
                times += 1;
                times
            },
            |_| false,
        );
        assert!(answer == times && times > 1, "{answer} of {times}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[test]
    fn who_waited_in_vain_hears_that_a_broker_may_have_gone() {
        let told = unsettled(&failed(RDKafkaErrorCode::OperationTimedOut), "cannot read a-0");
        assert_eq!(told.code, ErrorCode::RequestTimedOut);
        assert!(
            told.message.starts_with("cannot read a-0: ") && told.message.contains("a broker of the cluster may have just gone"),
            "{told}"
        );
        let told = unsettled(&failed(RDKafkaErrorCode::UnknownTopicOrPartition), "cannot read a-0");
        assert_eq!(told.code, ErrorCode::UnknownTopicOrPartition);
        assert!(!told.message.contains("try again"), "{told}");
    }
}
