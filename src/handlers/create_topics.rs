//! CreateTopics (19), versions 2-7 (validate only: v1, defaults by -1: KIP-464, configs in the answer: KIP-525 in v5, ids: v7).
//!
//! One broker: a replication factor above 1 is refused as Kafka refuses it.

use std::collections::HashMap;

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::throttle::WhenUsedUp;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::{NewTopic, Refused, Topic};
use crate::config::TopicConfig;
use crate::model::{ErrorCode, TopicId, TopicName};
use crate::security::{Operation, Resource};
use crate::wire::convert::{optional_text, text};

pub struct CreateTopics;

/// The controller's own log in Kafka; nobody may take its name.
const METADATA_TOPIC: &str = "__cluster_metadata";
const ONE_REPLICA: i16 = 1;
/// From here on a client knows that it was too fast (KIP-599).
const REFUSED_FROM: i16 = 6;

struct Made {
    id: TopicId,
    partitions: i32,
    config: TopicConfig,
}

impl Api for CreateTopics {
    const KEY: i16 = 19;
    const NAME: &'static str = "CreateTopics";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=7;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = CreateTopicsRequest;

    async fn handle(ctx: &Context, version: i16, request: CreateTopicsRequest) -> Result<Reply, HangUp> {
        let mut response = CreateTopicsResponse::default();
        let mut counts: HashMap<StrBytes, usize> = HashMap::new();
        for topic in &request.topics {
            *counts.entry(topic.name.0.clone()).or_default() += 1;
        }
        // Two names that collide with each other within one request are both created, as in Kafka: look at what was there before.
        let colliding: Vec<Option<TopicName>> =
            request.topics.iter().map(|t| ctx.broker.catalog.colliding(&TopicName::new(&t.name.0))).collect();
        for (topic, colliding) in request.topics.iter().zip(colliding) {
            let outcome = match counts.get(&topic.name.0) {
                None => continue,
                Some(1) => create(ctx, version, topic, colliding, request.validate_only).await,
                Some(_) => {
                    counts.remove(&topic.name.0);
                    Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
                }
            };
            response.topics.push(result(ctx, version, topic, outcome));
        }
        response.throttle_time_ms = ctx.throttle_time_ms();
        ctx.reply(&response)
    }
}

async fn create(
    ctx: &Context,
    version: i16,
    topic: &CreatableTopic,
    colliding: Option<TopicName>,
    validate_only: bool,
) -> Result<Made, Refused> {
    let name = topic.name.as_str();
    if name == METADATA_TOPIC {
        return Err(Refused::new(ErrorCode::InvalidRequest, format!("Creation of internal topic {METADATA_TOPIC} is prohibited.")));
    }
    ctx.check_creation(name).map_err(|error| Refused::new(error, "Authorization failed."))?;
    let existing = ctx.broker.catalog.get(name);
    check_name(name, existing.as_deref(), colliding)?;
    let given = topic.configs.iter().map(|config| (config.name.as_str(), config.value.as_ref().map(|value| value.as_str())));
    let config = TopicConfig::from_request(given, &ctx.broker.configs.layers()).map_err(|e| Refused::new(e.code, e.message))?;
    let partitions = partition_count(ctx, topic)?;
    let new = NewTopic { name: TopicName::new(name), partitions, overrides: config.values().clone() };
    let _room = ctx.room_for(name, partitions).await?;
    if validate_only {
        let config = ctx.broker.catalog.check_new(&new)?;
        // The id that the topic would have had, as Kafka gives one.
        return Ok(Made { id: TopicId(Uuid::new_v4().into_bytes()), partitions, config });
    }
    let when = if version >= REFUSED_FROM { WhenUsedUp::Refuse } else { WhenUsedUp::Rest };
    ctx.charge_partitions(partitions, when)?;
    let made = ctx.broker.create_topic(new).await?;
    Ok(Made { id: made.id, partitions, config: (*made.config()).clone() })
}

fn check_name(name: &str, existing: Option<&Topic>, colliding: Option<TopicName>) -> Result<(), Refused> {
    if !TopicName::is_legal(name) {
        let rule = "a topic name has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-', and is neither '.' nor '..'";
        return Err(Refused::new(ErrorCode::InvalidTopicException, format!("Topic name {name:?} is illegal: {rule}.")));
    }
    if existing.is_some() {
        return Err(Refused::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    match colliding {
        Some(other) => {
            let text = format!("Topic '{name}' collides with existing topic: {other} (they differ only in '.' and '_').");
            Err(Refused::new(ErrorCode::InvalidTopicException, text))
        }
        None => Ok(()),
    }
}

fn partition_count(ctx: &Context, topic: &CreatableTopic) -> Result<i32, Refused> {
    if !topic.assignments.is_empty() {
        return assigned_count(ctx, topic);
    }
    if topic.replication_factor == 0 || topic.replication_factor < -1 {
        let text = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refused::new(ErrorCode::InvalidReplicationFactor, text));
    }
    if topic.num_partitions == 0 || topic.num_partitions < -1 {
        let text = "Number of partitions was set to an invalid non-positive value.";
        return Err(Refused::new(ErrorCode::InvalidPartitions, text));
    }
    match topic.replication_factor {
        -1 | ONE_REPLICA => {}
        wanted => {
            let text = format!(
                "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} cannot be reached \
                 because only 1 broker(s) are registered. Use 1, or -1 for the default."
            );
            return Err(Refused::new(ErrorCode::InvalidReplicationFactor, text));
        }
    }
    match topic.num_partitions {
        -1 => Ok(ctx.broker.configs.broker().num_partitions),
        count => Ok(count),
    }
}

/// Explicit assignments: partitions 0 to n-1, each on this broker alone.
fn assigned_count(ctx: &Context, topic: &CreatableTopic) -> Result<i32, Refused> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let text = "A manual partition assignment was specified, but partition count or replication factor was not set to -1.";
        return Err(Refused::new(ErrorCode::InvalidRequest, text));
    }
    let bad = |text: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, text));
    let mut indexes = Vec::with_capacity(topic.assignments.len());
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        match assignment.broker_ids.as_slice() {
            [] => return bad(format!("The manual partition assignment of partition {index} is empty.")),
            [one] if one.0 == ctx.broker.node.id.0 => {}
            other => {
                return bad(format!(
                    "The manual partition assignment of partition {index} names brokers {other:?}; there is one, {}.",
                    ctx.broker.node.id
                ));
            }
        }
        indexes.push(index);
    }
    indexes.sort_unstable();
    let dense = indexes.iter().zip(0..).all(|(have, want)| *have == want);
    match i32::try_from(indexes.len()) {
        Ok(count) if dense => Ok(count),
        _ => bad("partitions should be a consecutive 0-based integer sequence".to_owned()),
    }
}

fn result(ctx: &Context, version: i16, topic: &CreatableTopic, outcome: Result<Made, Refused>) -> CreatableTopicResult {
    let mut result = CreatableTopicResult::default();
    result.name = topic.name.clone();
    result.error_message = None;
    result.num_partitions = -1;
    result.replication_factor = -1;
    match outcome {
        Err(refused) => {
            result.error_code = refused.error.code();
            result.error_message = optional_text(refused.words());
        }
        Ok(made) if version >= 5 && !ctx.may(Operation::DescribeConfigs, Resource::topic(&topic.name.0)) => {
            result.topic_id = Uuid::from_bytes(made.id.0);
            result.topic_config_error_code = ErrorCode::TopicAuthorizationFailed.code();
        }
        Ok(made) if version >= 5 => {
            result.topic_id = Uuid::from_bytes(made.id.0);
            result.num_partitions = made.partitions;
            result.replication_factor = ONE_REPLICA;
            let entries = made.config.describe(&ctx.broker.configs.layers());
            result.configs = Some(
                entries
                    .into_iter()
                    .map(|entry| {
                        let mut config = CreatableTopicConfigs::default();
                        config.name = text(&entry.name);
                        // An override is shown in the spelling it was given, unlike in DescribeConfigs.
                        config.value = optional_text(made.config.values().get(&entry.name).or(entry.value.as_ref()).map(String::as_str));
                        config.read_only = entry.read_only;
                        config.config_source = entry.source.code();
                        config.is_sensitive = entry.sensitive;
                        config
                    })
                    .collect(),
            );
        }
        Ok(_) => {}
    }
    result
}
