//! Metadata (3), versions 0-13 (topic ids: KIP-516 from v10, bootstrap error: KIP-1102 in v13).
//!
//! Topics by name, by id (v12+; v10 and v11 refuse ids although their schema has them), or all. An unknown topic may be created by
//! being asked for; the answer that triggers it still says UNKNOWN_TOPIC_OR_PARTITION, as Kafka's does, and clients ask again.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::describe_cluster::{CLUSTER_OPERATIONS, OPERATIONS_OMITTED, TOPIC_OPERATIONS};
use super::{Api, Context, HangUp, Reply};
use crate::broker::Topic;
use crate::model::{ErrorCode, TopicId, TopicName};
use crate::wire::convert;

pub struct Metadata;

impl Api for Metadata {
    const KEY: i16 = 3;
    const NAME: &'static str = "Metadata";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
    type Request = MetadataRequest;

    async fn handle(ctx: &Context, version: i16, request: MetadataRequest) -> Result<Reply, HangUp> {
        let node = &ctx.broker.node;
        let (host, port) = ctx.advertised();
        let mut response = MetadataResponse::default();
        let mut broker = MetadataResponseBroker::default();
        broker.node_id = BrokerId(node.id.0);
        broker.host = host;
        broker.port = port;
        broker.rack = convert::optional_text(node.rack.as_deref());
        response.brokers = vec![broker];
        response.cluster_id = Some(StrBytes::from_string(node.cluster_id.clone()));
        response.controller_id = BrokerId(node.id.0);
        response.cluster_authorized_operations =
            if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { OPERATIONS_OMITTED };
        response.topics = topics(ctx, version, &request).await;
        ctx.reply(&response)
    }
}

async fn topics(ctx: &Context, version: i16, request: &MetadataRequest) -> Vec<MetadataResponseTopic> {
    let operations = if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { OPERATIONS_OMITTED };
    let answer = |topic: &Topic| described(ctx, topic, operations);
    let asked = match &request.topics {
        None => return all(ctx, answer),
        Some(asked) if asked.is_empty() && version == 0 => return all(ctx, answer),
        Some(asked) => asked,
    };
    if let Some(error) = refusal(version, asked) {
        return asked.iter().map(|t| refused(t.name.as_ref().map(|n| n.0.clone()), t.topic_id, error)).collect();
    }
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
        found.push(match ctx.broker.catalog.get(&name.0) {
            Some(topic) => answer(&topic),
            None => refused(Some(name.0.clone()), Uuid::nil(), missing(ctx, &name.0, &mut create).await),
        });
    }
    found
}

fn all(ctx: &Context, answer: impl Fn(&Topic) -> MetadataResponseTopic) -> Vec<MetadataResponseTopic> {
    ctx.broker.catalog.list().iter().filter(|t| !t.is_hidden()).map(|t| answer(t)).collect()
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

fn by_id(ctx: &Context, asked: &[MetadataRequestTopic], answer: impl Fn(&Topic) -> MetadataResponseTopic) -> Vec<MetadataResponseTopic> {
    let mut seen = std::collections::HashSet::new();
    asked
        .iter()
        .filter(|t| !t.topic_id.is_nil() && seen.insert(t.topic_id))
        .map(|t| match ctx.broker.catalog.by_id(TopicId(t.topic_id.into_bytes())) {
            Some(topic) => answer(&topic),
            None => refused(None, t.topic_id, ErrorCode::UnknownTopicId),
        })
        .collect()
}

/// The error for a topic that is not there, after its creation where that is allowed. What hinders one hinders all: the first that
/// fails is the last that is tried.
async fn missing(ctx: &Context, name: &str, create: &mut bool) -> ErrorCode {
    if !TopicName::is_legal(name) {
        return ErrorCode::InvalidTopicException;
    }
    if *create && let Err(error) = ctx.broker.auto_create(&TopicName::new(name)).await {
        *create = false;
        tracing::warn!(topic = name, %error, "auto-creation failed");
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
            p.leader_epoch = partition.view().leader_epoch().0;
            p.replica_nodes = vec![node];
            p.isr_nodes = vec![node];
            p
        })
        .collect();
    described
}
