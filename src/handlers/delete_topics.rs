//! DeleteTopics (20), versions 1-6 (error message: v5, by id: KIP-516 in v6).
//!
//! The topics' committed offsets go with them.

use std::collections::HashMap;

use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Api, Context, HangUp, Reply};
use crate::broker::Refused;
use crate::model::{ErrorCode, TopicId, TopicName};
use crate::wire::convert::text;

pub struct DeleteTopics;

const ALIKE: &str = "This server does not host this topic-partition.";

/// One topic as asked: exactly one of the two should be set.
struct Asked {
    name: Option<StrBytes>,
    id: Uuid,
}

impl Api for DeleteTopics {
    const KEY: i16 = 20;
    const NAME: &'static str = "DeleteTopics";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    type Request = DeleteTopicsRequest;

    async fn handle(ctx: &Context, version: i16, request: DeleteTopicsRequest) -> Result<Reply, HangUp> {
        let asked: Vec<Asked> = if version >= 6 {
            request.topics.into_iter().map(|t| Asked { name: t.name.map(|n| n.0), id: t.topic_id }).collect()
        } else {
            request.topic_names.into_iter().map(|n| Asked { name: Some(n.0), id: Uuid::nil() }).collect()
        };
        let mut response = DeleteTopicsResponse::default();
        let mut seen: HashMap<(Option<StrBytes>, Uuid), usize> = HashMap::new();
        for one in &asked {
            *seen.entry((one.name.clone(), one.id)).or_default() += 1;
        }
        for one in asked {
            let key = (one.name.clone(), one.id);
            let outcome = match seen.get(&key) {
                None => continue,
                Some(1) => delete(ctx, version, &one).await,
                Some(_) => {
                    seen.remove(&key);
                    Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name or topic id."))
                }
            };
            let mut result = DeletableTopicResult::default();
            result.topic_id = one.id;
            result.name = one.name.map(kafka_protocol::messages::TopicName);
            match outcome {
                Ok((name, id)) => {
                    result.name = Some(kafka_protocol::messages::TopicName(text(name.as_str())));
                    result.topic_id = Uuid::from_bytes(id.0);
                }
                Err(refused) => {
                    result.error_code = refused.error.code();
                    if version >= 5 {
                        result.error_message = Some(text(&refused.message));
                    }
                }
            }
            response.responses.push(result);
        }
        ctx.reply(&response)
    }
}

async fn delete(ctx: &Context, version: i16, asked: &Asked) -> Result<(TopicName, TopicId), Refused> {
    if !ctx.broker.configs.broker().delete_topic {
        let error = if version >= 3 { ErrorCode::TopicDeletionDisabled } else { ErrorCode::InvalidRequest };
        return Err(Refused::new(error, "Topic deletion is disabled (delete.topic.enable)."));
    }
    let topic = match (&asked.name, asked.id.is_nil()) {
        (Some(_), false) => return Err(Refused::new(ErrorCode::InvalidRequest, "You may not specify both topic name and topic id.")),
        (None, true) => return Err(Refused::new(ErrorCode::InvalidRequest, "Neither topic name nor id were specified.")),
        (Some(name), true) => ctx.broker.catalog.get(name).ok_or(Refused::new(ErrorCode::UnknownTopicOrPartition, ALIKE))?,
        (None, false) => ctx
            .broker
            .catalog
            .by_id(TopicId(asked.id.into_bytes()))
            .ok_or(Refused::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID."))?,
    };
    if topic.is_internal() {
        return Err(Refused::new(ErrorCode::InvalidRequest, format!("{} holds the groups' offsets and cannot be deleted.", topic.name)));
    }
    let (name, id) = (topic.name.clone(), topic.id);
    drop(topic);
    ctx.broker.delete_topic(&name).await?;
    Ok((name, id))
}
