//! Kafka's error codes in plain words, with what to do about those that people meet.

// The code for no error has the same name.
use std::option::Option::None;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ErrorCode;
use crate::model::ErrorCode::*;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct RequestError {
    code: i16,
    /// As Kafka writes it, such as `UNKNOWN_TOPIC_OR_PARTITION`.
    name: String,
    words: String,
    /// What to do about it, where that is known.
    fix: Option<String>,
}

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const JOIN_GROUP: i16 = 11;
const SYNC_GROUP: i16 = 14;
const HEARTBEAT: i16 = 12;
const API_VERSIONS: i16 = 18;

/// `None`: there was none, or one that belongs to the course of things.
pub(super) fn error(api_key: i16, code: i16) -> Option<RequestError> {
    if code == 0 || is_usual(api_key, code).is_some() {
        return None;
    }
    Some(RequestError { code, name: name(code), words: words(api_key, code), fix: fix(api_key, code).map(str::to_owned) })
}

/// Codes by which client and broker find each other, in words of the request that met them.
pub(super) fn is_usual(api_key: i16, code: i16) -> Option<&'static str> {
    match (api_key, ErrorCode::from_code(code)?) {
        (JOIN_GROUP, MemberIdRequired) => Some("was given a member id, and joins with it next"),
        (HEARTBEAT, RebalanceInProgress) => Some("was told that the group shares out its partitions anew; joins again"),
        (SYNC_GROUP, RebalanceInProgress) => Some("somebody else came or went meanwhile; joins again"),
        (FETCH, FetchSessionIdNotFound | InvalidFetchSessionEpoch | FetchSessionTopicIdError) => {
            Some("the broker no longer knew what it had asked for before; asks for all of it again")
        }
        (API_VERSIONS, UnsupportedVersion) => Some("asked in a newer way than the broker knows; asks again in an older one"),
        _ => None,
    }
}

/// `UNKNOWN_TOPIC_OR_PARTITION` for `UnknownTopicOrPartition`.
fn name(code: i16) -> String {
    let Some(known) = ErrorCode::from_code(code) else { return format!("ERROR_{code}") };
    let mut name = String::new();
    for letter in format!("{known:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

pub(super) fn words(api_key: i16, code: i16) -> String {
    let words = match ErrorCode::from_code(code) {
        Some(UnknownServerError) => "the broker failed at it",
        Some(OffsetOutOfRange) => "the offset asked for is not there: already deleted, or not yet written",
        Some(CorruptMessage) => "the records were damaged on their way, or are no records",
        Some(UnknownTopicOrPartition | UnknownTopicId) if api_key == METADATA => "there is no such topic yet",
        Some(UnknownTopicOrPartition | UnknownTopicId) => "there is no such topic or partition",
        Some(RequestTimedOut) => "it took too long",
        Some(MessageTooLarge | RecordListTooLarge) => "the records are larger than the topic takes",
        Some(CoordinatorNotAvailable | CoordinatorLoadInProgress | NotCoordinator) => "the groups are not ready yet",
        Some(InvalidTopicException) => "this is no name for a topic, or one that the broker keeps for itself",
        Some(InvalidRequiredAcks) => "acks may be 0, 1 or all",
        Some(IllegalGeneration) => "the group has shared out its partitions anew since",
        Some(InconsistentGroupProtocol) => "the members of the group do not agree on how to share out partitions",
        Some(InvalidGroupId) => "this is no id for a group",
        Some(UnknownMemberId) => "the group no longer knows this member: it was silent for too long, or the group was reset",
        Some(InvalidSessionTimeout) => "the session timeout is outside what the broker allows",
        Some(RebalanceInProgress) => "the group is sharing out its partitions",
        Some(TopicAuthorizationFailed) => "you may not do this with that topic",
        Some(GroupAuthorizationFailed) => "this group id is not yours",
        Some(ClusterAuthorizationFailed) => "only the instructor may do this",
        Some(TransactionalIdAuthorizationFailed) => "transactions are not yours to use",
        Some(InvalidTimestamp) => "a record's time is too far from now for this topic",
        Some(UnsupportedSaslMechanism) => "this way of logging in is not offered on this listener",
        Some(IllegalSaslState) => "the login came out of turn",
        Some(SaslAuthenticationFailed) => "user or password is wrong",
        Some(UnsupportedVersion) => "this is not served here",
        Some(TopicAlreadyExists) => "there is such a topic already",
        Some(InvalidPartitions) => "the number of partitions is not possible",
        Some(InvalidReplicationFactor) => "there is one broker, so there can be one replica",
        Some(InvalidConfig) => "a config has a value that it cannot have, or is not known",
        Some(InvalidRequest) => "the request contradicts itself or cannot be read",
        Some(PolicyViolation) => "it is more than one user may have",
        Some(OutOfOrderSequenceNumber | UnknownProducerId | InvalidProducerEpoch | ProducerFenced) => {
            "the producer and the broker disagree on what was written last"
        }
        Some(InvalidProducerIdMapping | InvalidTxnState) => "transactions are not served here",
        Some(KafkaStorageError) => "the disk does not take it",
        Some(NonEmptyGroup) => "the group has members",
        Some(GroupIdNotFound) => "there is no such group",
        Some(FencedLeaderEpoch | UnknownLeaderEpoch) => "what the client knew of the partition is out of date",
        Some(UnsupportedCompressionType) => "this compression is not known here",
        Some(GroupMaxSizeReached) => "there are too many groups, or members in it",
        Some(FencedInstanceId) => "another member with the same group.instance.id has taken over",
        Some(GroupSubscribedToTopic) => "the group is reading this topic",
        Some(InvalidRecord) => "a record is not as this topic wants it (a compacted topic wants keys)",
        Some(ThrottlingQuotaExceeded) => "too many topics were changed in a short time",
        Some(OffsetMetadataTooLarge) => "the note beside the offset is too long",
        Some(DuplicateResource) => "it was named twice",
        Some(ResourceNotFound) => "there is no such thing",
        _ => return name(code),
    };
    words.to_owned()
}

fn fix(api_key: i16, code: i16) -> Option<&'static str> {
    Some(match ErrorCode::from_code(code)? {
        OffsetOutOfRange => "Set auto.offset.reset to earliest or latest, or set the group's offsets anew on its page.",
        UnknownTopicOrPartition | UnknownTopicId if api_key == METADATA => {
            "Check how the name is written. A topic of your own begins with your prefix; it may be made by asking for it."
        }
        UnknownTopicOrPartition | UnknownTopicId => "Check how the name is written, and that the topic was not deleted.",
        MessageTooLarge | RecordListTooLarge => {
            "Send smaller records or smaller batches (batch.size), or raise the topic's max.message.bytes."
        }
        CoordinatorNotAvailable | CoordinatorLoadInProgress | NotCoordinator => {
            "Clients ask again by themselves; it takes a moment after a start."
        }
        InvalidTopicException => "Use letters, digits, dots, dashes and underscores.",
        IllegalGeneration | UnknownMemberId => {
            "The client joins again by itself. If it happens often: poll more often, or raise max.poll.interval.ms and session.timeout.ms."
        }
        InconsistentGroupProtocol => "Give all members the same partition.assignment.strategy, or this one another group.id.",
        InvalidSessionTimeout => "Set session.timeout.ms to 6000 or more.",
        TopicAuthorizationFailed => "Write to topics that begin with your prefix (whoami shows it). The streams can be read, not written.",
        GroupAuthorizationFailed => "Begin group.id with your id (whoami shows it).",
        ClusterAuthorizationFailed => "Ask the instructor.",
        InvalidTimestamp => "Check the clock, or the unit: timestamps are in milliseconds.",
        UnsupportedSaslMechanism => "Set sasl.mechanism to SCRAM-SHA-256.",
        SaslAuthenticationFailed => "Take user and password as join gave them, or ask for a new password.",
        UnsupportedVersion => "Use a current version of the client, and no transactions.",
        TopicAlreadyExists => "Use it, or delete it first.",
        InvalidReplicationFactor => "Ask for a replication factor of 1 (or -1).",
        InvalidPartitions => "Ask for 1 or more, and never for fewer than there are.",
        InvalidConfig => "docs/configs.md lists what there is.",
        PolicyViolation => "Delete topics that you no longer need, or ask for fewer partitions.",
        OutOfOrderSequenceNumber | UnknownProducerId | InvalidProducerEpoch | ProducerFenced => "Start the producer again.",
        KafkaStorageError => "The instructor's page says what is wrong with the disk.",
        NonEmptyGroup => "Stop the group's consumers first.",
        FencedInstanceId => "Give each member a group.instance.id of its own.",
        GroupSubscribedToTopic => "Stop the group's consumers first.",
        InvalidRecord if api_key == PRODUCE => "Give each record a key, or use a topic that is not compacted.",
        GroupMaxSizeReached => "Use one group.id again instead of a new one for each run.",
        ThrottlingQuotaExceeded => "Wait a moment; clients ask again by themselves.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kafkas_names_and_words_of_their_own() {
        assert_eq!(name(3), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(name(999), "ERROR_999");
        let barred = error(PRODUCE, 29).unwrap();
        assert_eq!((barred.code, barred.name.as_str()), (29, "TOPIC_AUTHORIZATION_FAILED"));
        assert!(barred.words.contains("may not") && barred.fix.is_some_and(|fix| fix.contains("prefix")));
        assert_eq!((error(PRODUCE, 0), error(JOIN_GROUP, 79)), (None, None));
        assert!(error(SYNC_GROUP, 22).is_some());
    }
}
