//! DeleteTopics (20), versions 1-6 (error message: v5, by id: KIP-516 in v6).
//!
//! The topics' committed offsets go with them.

use std::collections::HashMap;
use std::hash::Hash;

use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::throttle::WhenUsedUp;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::{Refused, is_internal};
use crate::model::{ErrorCode, TopicId, TopicName};
use crate::security::{Operation, Resource};
use crate::wire::convert::{optional_text, topic_id, wire_topic_id, wire_topic_name};

pub struct DeleteTopics;

/// From here on a client knows that it was too fast (KIP-599).
const REFUSED_FROM: i16 = 5;
const NOT_HERE: &str = "This server does not host this topic-partition.";

/// What is said about one topic of the request.
struct Outcome {
    name: Option<StrBytes>,
    id: Uuid,
    refused: Option<Refused>,
}

impl Api for DeleteTopics {
    const KEY: i16 = 20;
    const NAME: &'static str = "DeleteTopics";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = DeleteTopicsRequest;

    async fn handle(ctx: &Context, version: i16, request: DeleteTopicsRequest) -> Result<Reply, HangUp> {
        let asked: Vec<(Option<StrBytes>, Uuid)> = if version >= 6 {
            request.topics.into_iter().map(|t| (t.name.map(|n| n.0), t.topic_id)).collect()
        } else {
            request.topic_names.into_iter().map(|n| (Some(n.0), Uuid::nil())).collect()
        };
        // Whether a topic is there is told to those who may know.
        let (asked, barred): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|(name, _)| name.as_ref().is_none_or(|name| ctx.check_topic(Operation::Describe, name).is_ok()));
        let (mut outcomes, doomed) = if ctx.broker.configs.broker().delete_topic {
            let sees = |name: &TopicName| ctx.may(Operation::Describe, Resource::topic(name.as_str()));
            let by_id = |id: Uuid| ctx.broker.catalog.by_id(topic_id(id)).map(|topic| topic.name.clone()).filter(sees);
            sort_out(asked, &|name| ctx.broker.catalog.get(name).map(|topic| topic.id), &by_id)
        } else {
            let error = if version >= 3 { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
            let refused = || Some(Refused::new(error, "Topic deletion is disabled (delete.topic.enable)."));
            (asked.into_iter().map(|(name, id)| Outcome { name, id, refused: refused() }).collect(), Vec::new())
        };
        let refused = || Some(Refused::new(ErrorCode::TopicAuthorizationFailed, "Authorization failed."));
        outcomes.extend(barred.into_iter().map(|(name, id)| Outcome { name, id, refused: refused() }));
        for (name, id) in doomed {
            let refused = match ctx.check_topic(Operation::Delete, name.as_str()) {
                Ok(()) => delete(ctx, version, &name).await.err(),
                Err(error) => Some(Refused::new(error, "Authorization failed.")),
            };
            outcomes.push(Outcome { name: Some(wire_topic_name(&name).0), id: wire_topic_id(id), refused });
        }
        let mut response = DeleteTopicsResponse::default();
        response.responses = outcomes.into_iter().map(|outcome| result(version, outcome)).collect();
        response.throttle_time_ms = ctx.throttle_time_ms();
        ctx.reply(&response)
    }
}

/// What can be answered at once, and the topics to delete. A topic that is named in two ways is not deleted.
fn sort_out(
    asked: Vec<(Option<StrBytes>, Uuid)>,
    by_name: &(dyn Fn(&str) -> Option<TopicId> + Sync),
    by_id: &(dyn Fn(Uuid) -> Option<TopicName> + Sync),
) -> (Vec<Outcome>, Vec<(TopicName, TopicId)>) {
    let refuse = |name, id, error, words: &str| Outcome { name, id, refused: Some(Refused::new(error, words)) };
    let mut outcomes = Vec::new();
    let mut names: Counted<StrBytes> = Counted::default();
    let mut ids: Counted<Uuid> = Counted::default();
    for (name, id) in asked {
        match (name, id.is_nil()) {
            (Some(name), true) => names.add(name),
            (None, false) => ids.add(id),
            (None, true) => {
                outcomes.push(refuse(None, id, ErrorCode::InvalidRequest, "Neither topic name nor id were specified."));
            }
            (name, false) => {
                outcomes.push(refuse(name, id, ErrorCode::InvalidRequest, "You may not specify both topic name and topic id."));
            }
        }
    }
    let mut doomed: Vec<(TopicName, TopicId)> = Vec::new();
    for (id, count) in ids.in_order() {
        match by_id(id) {
            _ if count > 1 => outcomes.push(refuse(None, id, ErrorCode::InvalidRequest, "Duplicate topic id.")),
            Some(name) => doomed.push((name, topic_id(id))),
            None => outcomes.push(refuse(None, id, ErrorCode::UnknownTopicId, "This server does not host this topic ID.")),
        }
    }
    let mut named = Vec::new();
    for (name, count) in names.in_order() {
        match by_name(&name) {
            _ if count > 1 => outcomes.push(refuse(Some(name), Uuid::nil(), ErrorCode::InvalidRequest, "Duplicate topic name.")),
            None => outcomes.push(refuse(Some(name), Uuid::nil(), ErrorCode::UnknownTopicOrPartition, NOT_HERE)),
            Some(id) if ids.has(&wire_topic_id(id)) => {
                doomed.retain(|(_, other)| *other != id);
                let words = "The topic of this name was given by its id too.";
                outcomes.push(refuse(Some(name), wire_topic_id(id), ErrorCode::InvalidRequest, words));
            }
            Some(id) => named.push((TopicName::new(&name), id)),
        }
    }
    doomed.extend(named);
    (outcomes, doomed)
}

/// Keys with how often they came, in the order in which they came first.
struct Counted<K> {
    order: Vec<K>,
    counts: HashMap<K, usize>,
}

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Counted { order: Vec::new(), counts: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Counted<K> {
    fn add(&mut self, key: K) {
        let count = self.counts.entry(key.clone()).or_default();
        *count += 1;
        if *count == 1 {
            self.order.push(key);
        }
    }

    fn has(&self, key: &K) -> bool {
        self.counts.contains_key(key)
    }

    fn in_order(&self) -> impl Iterator<Item = (K, usize)> {
        self.order.iter().map(|key| (key.clone(), self.counts.get(key).copied().unwrap_or(0)))
    }
}

fn result(version: i16, outcome: Outcome) -> DeletableTopicResult {
    let mut result = DeletableTopicResult::default();
    result.name = outcome.name.map(kafka_protocol::messages::TopicName);
    result.topic_id = outcome.id;
    if let Some(refused) = outcome.refused {
        result.error_code = refused.error.code();
        if version >= 5 {
            result.error_message = optional_text(refused.words());
        }
    }
    result
}

async fn delete(ctx: &Context, version: i16, name: &TopicName) -> Result<(), Refused> {
    if is_internal(name.as_str()) {
        return Err(Refused::new(ErrorCode::InvalidRequest, format!("{name} is the broker's own and cannot be deleted.")));
    }
    if let Some(topic) = ctx.broker.catalog.get(name.as_str()) {
        let when = if version >= REFUSED_FROM { WhenUsedUp::Refuse } else { WhenUsedUp::Rest };
        ctx.charge_partitions(topic.partition_count(), when)?;
    }
    ctx.broker.delete_topic(name).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_bytes([1; 16]);
    const NIL: Uuid = Uuid::nil();

    /// The error codes told at once, and the names that will be deleted. There are topics a (with id A) and b.
    fn sorted(asked: &[(Option<&'static str>, Uuid)]) -> (Vec<i16>, Vec<String>) {
        let asked = asked.iter().map(|(name, id)| (name.map(StrBytes::from_static_str), *id)).collect();
        let by_name = |name: &str| match name {
            "a" => Some(topic_id(A)),
            "b" => Some(TopicId([2; 16])),
            _ => None,
        };
        let (outcomes, doomed) = sort_out(asked, &by_name, &|id| (id == A).then(|| TopicName::new("a")));
        let codes = outcomes.iter().map(|o| o.refused.as_ref().map_or(0, |r| r.error.code())).collect();
        (codes, doomed.into_iter().map(|(name, _)| name.to_string()).collect())
    }

    #[test]
    fn a_topic_that_is_given_twice_is_not_deleted() {
        assert_eq!(sorted(&[(None, A), (Some("b"), NIL)]), (vec![], vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(sorted(&[(None, A), (Some("a"), NIL)]), (vec![42], vec![]));
        assert_eq!(sorted(&[(None, A), (None, A), (Some("b"), NIL), (Some("b"), NIL)]), (vec![42, 42], vec![]));
        // Twice by name, once by id: the id stands.
        assert_eq!(sorted(&[(None, A), (Some("a"), NIL), (Some("a"), NIL)]), (vec![42], vec!["a".to_owned()]));
    }

    #[test]
    fn what_names_no_topic_or_both_ways_at_once_is_answered_one_by_one() {
        assert_eq!(sorted(&[(None, NIL), (None, NIL), (Some("a"), A), (Some("a"), A)]), (vec![42; 4], vec![]));
        assert_eq!(sorted(&[(Some("none"), NIL), (None, Uuid::from_bytes([9; 16]))]), (vec![100, 3], vec![]));
    }
}
