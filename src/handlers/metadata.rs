//! Metadata (3), versions 0-13 (topic ids: KIP-516 from v10, bootstrap error: KIP-1102 in v13).
//!
//! Topics by name, by id (v12+; v10 and v11 refuse ids although their schema has them), or all. An unknown topic may be created by
//! being asked for; the answer that triggers it still says UNKNOWN_TOPIC_OR_PARTITION, as Kafka's does, and clients ask again.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::access::OPERATIONS_OMITTED;
use super::throttle::WhenUsedUp;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::{Topic, is_internal};
use crate::model::{ErrorCode, TopicId, TopicName};
use crate::security::{Operation, Resource};
use crate::wire::convert;

pub struct Metadata;

impl Api for Metadata {
    const KEY: i16 = 3;
    const NAME: &'static str = "Metadata";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = MetadataRequest;

    async fn handle(ctx: &Context, version: i16, request: MetadataRequest) -> Result<Reply, HangUp> {
        if let Some(error) = request.topics.as_deref().and_then(|asked| refusal(version, asked)) {
            return ctx.reply(&refused_whole(&request, error));
        }
        let node = &ctx.broker.node;
        let (host, port) = ctx.advertised();
        let mut response = MetadataResponse::default();
        let mut broker = MetadataResponseBroker::default();
        broker.node_id = BrokerId(node.id.0);
        ctx.note_sent_away(&host, port);
        broker.host = host;
        broker.port = port;
        broker.rack = convert::optional_text(node.rack.as_deref());
        response.brokers = vec![broker];
        response.cluster_id = Some(StrBytes::from_string(node.cluster_id.clone()));
        response.controller_id = BrokerId(node.id.0);
        response.cluster_authorized_operations =
            if request.include_cluster_authorized_operations { ctx.operations(Resource::CLUSTER) } else { OPERATIONS_OMITTED };
        response.topics = topics(ctx, version, &request).await;
        ctx.reply(&response)
    }
}

async fn topics(ctx: &Context, version: i16, request: &MetadataRequest) -> Vec<MetadataResponseTopic> {
    let wanted = request.include_topic_authorized_operations;
    let operations = |name: &str| if wanted { ctx.operations(Resource::topic(name)) } else { OPERATIONS_OMITTED };
    let answer = |topic: &Topic| described(ctx, topic, operations(topic.name.as_str()));
    let asked = match &request.topics {
        None => return all(ctx, answer),
        Some(asked) if asked.is_empty() && version == 0 => return all(ctx, answer),
        Some(asked) => asked,
    };
    if asked.iter().any(|t| !t.topic_id.is_nil()) {
        return by_id(ctx, asked, answer);
    }
    let mut found = Vec::with_capacity(asked.len());
    let mut seen = std::collections::HashSet::new();
    let mut create = (version < 4 || request.allow_auto_topic_creation) && ctx.broker.configs.broker().auto_create_topics;
    for name in asked.iter().filter_map(|t| t.name.as_ref()) {
        if !seen.insert(name.0.clone()) {
            continue;
        }
        if let Err(error) = ctx.check_topic(Operation::Describe, &name.0) {
            found.push(refused(Some(name.0.clone()), Uuid::nil(), error));
            continue;
        }
        found.push(match ctx.broker.catalog.get(&name.0) {
            Some(topic) => answer(&topic),
            // What may be done is told of a topic that is not there too, as Kafka does, though not by id.
            None => {
                let mut topic = refused(Some(name.0.clone()), Uuid::nil(), missing(ctx, &name.0, &mut create).await);
                topic.topic_authorized_operations = operations(&name.0);
                topic.is_internal = is_internal(&name.0);
                topic
            }
        });
    }
    found
}

fn all(ctx: &Context, answer: impl Fn(&Topic) -> MetadataResponseTopic) -> Vec<MetadataResponseTopic> {
    let may_see = |topic: &Topic| !topic.is_hidden() && ctx.may(Operation::Describe, Resource::topic(topic.name.as_str()));
    ctx.broker.catalog.list().iter().filter(|t| may_see(t)).map(|t| answer(t)).collect()
}

/// What makes a whole request invalid.
fn refusal(version: i16, asked: &[MetadataRequestTopic]) -> Option<ErrorCode> {
    let by_id = asked.iter().any(|t| !t.topic_id.is_nil());
    let neither = asked.iter().any(|t| t.topic_id.is_nil() && t.name.is_none());
    match version {
        10 | 11 if by_id || neither => Some(ErrorCode::InvalidRequest),
        12.. if neither && !by_id => Some(ErrorCode::UnknownServerError),
        _ => None,
    }
}

/// The answer to a request that is invalid as a whole: no brokers, no cluster, every topic as it was named (never null).
fn refused_whole(request: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let mut response = MetadataResponse::default();
    response.error_code = error.code();
    let topic = |t: &MetadataRequestTopic| refused(Some(t.name.clone().unwrap_or_default().0), t.topic_id, error);
    response.topics = request.topics.iter().flatten().map(topic).collect();
    response
}

fn by_id(ctx: &Context, asked: &[MetadataRequestTopic], answer: impl Fn(&Topic) -> MetadataResponseTopic) -> Vec<MetadataResponseTopic> {
    let mut seen = std::collections::HashSet::new();
    asked
        .iter()
        .filter(|t| !t.topic_id.is_nil() && seen.insert(t.topic_id))
        .map(|t| match ctx.broker.catalog.by_id(TopicId(t.topic_id.into_bytes())) {
            Some(topic) if ctx.may(Operation::Describe, Resource::topic(topic.name.as_str())) => answer(&topic),
            // An id must not tell that there is a topic.
            _ => refused(None, t.topic_id, ErrorCode::UnknownTopicId),
        })
        .collect()
}

/// The error for a topic that is not there, after its creation where that is allowed. What hinders one hinders all: the first that
/// fails is the last that is tried.
async fn missing(ctx: &Context, name: &str, create: &mut bool) -> ErrorCode {
    if !TopicName::is_legal(name) {
        return ErrorCode::InvalidTopicException;
    }
    if *create {
        // Who may look at it but not make it is told that it is not there, which it is not. Kafka's answer, that it is not allowed, would
        // end readers of a stream while it begins anew.
        if ctx.check_creation(name).is_err() {
            return ErrorCode::UnknownTopicOrPartition;
        }
        let partitions = ctx.broker.configs.broker().num_partitions;
        let room = match ctx.room_for(name, partitions).await {
            Ok(room) => room,
            Err(refused) => {
                if ctx.broker.metrics.may_log() {
                    tracing::info!(topic = name, client = ctx.client_name(), %refused, "a topic that a client asked for was not created");
                }
                return refused.error;
            }
        };
        // Old clients know no error for this; they rest.
        if let Err(refused) = ctx.charge_partitions(partitions, WhenUsedUp::Rest) {
            return refused.error;
        }
        let made = ctx.broker.auto_create(&TopicName::new(name)).await;
        drop(room);
        match made {
            Ok(true) => tracing::info!(topic = name, client = ctx.client_name(), "topic created because a client asked for it"),
            Ok(false) => {}
            Err(error) => {
                *create = false;
                if ctx.broker.metrics.may_log() {
                    tracing::warn!(topic = name, client = ctx.client_name(), %error, "a topic that a client asked for was not created");
                }
            }
        }
    }
    ErrorCode::UnknownTopicOrPartition
}

fn refused(name: Option<StrBytes>, id: Uuid, error: ErrorCode) -> MetadataResponseTopic {
    let mut topic = MetadataResponseTopic::default();
    topic.error_code = error.code();
    topic.name = name.map(kafka_protocol::messages::TopicName);
    topic.topic_id = id;
    topic.topic_authorized_operations = OPERATIONS_OMITTED;
    topic
}

fn described(ctx: &Context, topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let node = BrokerId(ctx.broker.node.id.0);
    let mut described = MetadataResponseTopic::default();
    described.name = Some(convert::wire_topic_name(&topic.name));
    described.topic_id = Uuid::from_bytes(topic.id.0);
    described.is_internal = topic.is_internal();
    described.topic_authorized_operations = operations;
    described.partitions = topic
        .partitions()
        .iter()
        .map(|partition| {
            let mut p = MetadataResponsePartition::default();
            p.partition_index = partition.id().0;
            p.leader_id = node;
            p.leader_epoch = partition.leader_epoch().0;
            p.replica_nodes = vec![node];
            p.isr_nodes = vec![node];
            p
        })
        .collect();
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response;

    fn asked(name: Option<&str>, id: u128) -> MetadataRequestTopic {
        let mut topic = MetadataRequestTopic::default();
        topic.name = name.map(|n| kafka_protocol::messages::TopicName(convert::text(n)));
        topic.topic_id = Uuid::from_u128(id);
        topic
    }

    #[test]
    fn ids_are_refused_in_versions_ten_and_eleven_and_neither_name_nor_id_in_all() {
        assert_eq!(refusal(9, &[asked(Some("a"), 0)]), None);
        for version in [10, 11] {
            assert_eq!(refusal(version, &[asked(Some("a"), 7)]), Some(ErrorCode::InvalidRequest));
            assert_eq!(refusal(version, &[asked(None, 0)]), Some(ErrorCode::InvalidRequest));
        }
        assert_eq!(refusal(12, &[asked(None, 0)]), Some(ErrorCode::UnknownServerError));
        assert_eq!(refusal(12, &[asked(None, 0), asked(None, 7)]), None);
    }

    #[test]
    fn a_request_refused_as_a_whole_names_its_topics_and_no_broker() {
        let mut request = MetadataRequest::default();
        request.topics = Some(vec![asked(None, 7), asked(Some("a"), 0)]);
        let response = refused_whole(&request, ErrorCode::InvalidRequest);
        assert!(response.brokers.is_empty() && response.cluster_id.is_none());
        assert_eq!((response.controller_id.0, response.error_code), (-1, 42));
        let names: Vec<_> = response.topics.iter().map(|t| (t.name.as_ref().map(|n| n.as_str()), t.error_code)).collect();
        assert_eq!(names, [(Some(""), 42), (Some("a"), 42)]);
        for version in 10..=13 {
            assert!(response::encode(3, version, 1, &response).is_ok(), "version {version}");
        }
    }
}
