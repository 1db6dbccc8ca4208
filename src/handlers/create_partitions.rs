//! CreatePartitions (37), versions 0-3 (KIP-195).
//!
//! A topic only grows. Where assignments are given they must name this broker.

use std::collections::HashMap;

use kafka_protocol::messages::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use super::throttle::WhenUsedUp;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::optional_text;

pub struct CreatePartitions;

/// Kafka answers a growth beyond this with UNKNOWN_SERVER_ERROR.
const COUNT_MAX: i32 = 10_000;
/// From here on a client knows that it was too fast (KIP-599).
const REFUSED_FROM: i16 = 3;

impl Api for CreatePartitions {
    const KEY: i16 = 37;
    const NAME: &'static str = "CreatePartitions";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = CreatePartitionsRequest;

    async fn handle(ctx: &Context, version: i16, request: CreatePartitionsRequest) -> Result<Reply, HangUp> {
        let mut response = CreatePartitionsResponse::default();
        let mut counts: HashMap<_, usize> = HashMap::new();
        for topic in &request.topics {
            *counts.entry(topic.name.0.clone()).or_default() += 1;
        }
        for topic in &request.topics {
            let outcome = match counts.get(&topic.name.0) {
                None => continue,
                Some(1) => grow(ctx, version, topic, request.validate_only).await,
                Some(_) => {
                    counts.remove(&topic.name.0);
                    Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
                }
            };
            let mut result = CreatePartitionsTopicResult::default();
            result.name = topic.name.clone();
            if let Err(refused) = outcome {
                result.error_code = refused.error.code();
                result.error_message = optional_text(refused.words());
            }
            response.results.push(result);
        }
        response.throttle_time_ms = ctx.throttle_time_ms();
        ctx.reply(&response)
    }
}

async fn grow(ctx: &Context, version: i16, asked: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refused> {
    ctx.check_topic(Operation::Alter, &asked.name.0).map_err(|error| Refused::new(error, "Authorization failed."))?;
    let topic = ctx.broker.catalog.get(&asked.name.0).ok_or(Refused::new(ErrorCode::UnknownTopicOrPartition, ""))?;
    let have = topic.partition_count();
    let more = match asked.count.checked_sub(have) {
        Some(0) => return Err(Refused::new(ErrorCode::InvalidPartitions, format!("Topic already has {have} partition(s)."))),
        Some(more) if more > 0 && asked.count > 0 => more,
        _ => {
            let text = format!("The topic {} currently has {have} partition(s); {} would not be an increase.", topic.name, asked.count);
            return Err(Refused::new(ErrorCode::InvalidPartitions, text));
        }
    };
    if asked.count > COUNT_MAX {
        return Err(Refused::new(ErrorCode::UnknownServerError, format!("{more} partitions are too many for one request.")));
    }
    if let Some(assignments) = &asked.assignments {
        let named = i32::try_from(assignments.len()).unwrap_or(i32::MAX);
        if named != more {
            let text = format!("Attempted to add {more} additional partition(s), but only {named} assignment(s) were specified.");
            return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, text));
        }
        let own = ctx.broker.node.id.0;
        if assignments.iter().any(|a| a.broker_ids.len() != 1 || a.broker_ids.iter().any(|b| b.0 != own)) {
            let text = format!("The manual partition assignment names other brokers than the only one, {own}.");
            return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, text));
        }
    }
    let _room = ctx.room_for(topic.name.as_str(), more).await?;
    if validate_only {
        return Ok(());
    }
    let when = if version >= REFUSED_FROM { WhenUsedUp::Refuse } else { WhenUsedUp::Rest };
    ctx.charge_partitions(more, when)?;
    ctx.broker.grow_topic(topic, asked.count).await
}
