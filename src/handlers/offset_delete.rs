//! OffsetDelete (47), version 0 (KIP-496).
//!
//! Drops committed offsets of topics that the group does not subscribe to.

use std::collections::HashMap;

use kafka_protocol::messages::OffsetDeleteRequest;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::OffsetDeleteReply;
use crate::coordinator::group::request::OffsetDelete as Delete;
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::{ErrorCode, PartitionId, TopicName};
use crate::security::Operation;

pub struct OffsetDelete;

impl Api for OffsetDelete {
    const KEY: i16 = 47;
    const NAME: &'static str = "OffsetDelete";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = OffsetDeleteRequest;

    async fn handle(ctx: &Context, _version: i16, request: OffsetDeleteRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        if let Err(error) = ctx.check_group(Operation::Delete, &group) {
            let mut response = OffsetDeleteResponse::default();
            response.error_code = error.code();
            return ctx.reply(&response);
        }
        let delete = Delete { group: group.clone(), topics: known_partitions(ctx, &request) };
        let reply = match ctx.broker.groups.ask(&group, Request::OffsetDelete(delete)).await {
            Ok(Answer::OffsetDelete(reply)) => reply,
            other => OffsetDeleteReply { error: other.err().unwrap_or(ErrorCode::UnknownServerError), topics: Vec::new() },
        };
        let mut response = OffsetDeleteResponse::default();
        response.error_code = reply.error.code();
        if reply.error != ErrorCode::None {
            return ctx.reply(&response);
        }
        let errors: HashMap<(TopicName, PartitionId), ErrorCode> =
            reply.topics.into_iter().flat_map(|(t, list)| list.into_iter().map(move |(p, e)| ((t.clone(), p), e))).collect();
        for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let mut answered = OffsetDeleteResponseTopic::default();
            answered.name = topic.name.clone();
            let barred = ctx.check_topic(Operation::Read, &topic.name.0).err();
            for p in &topic.partitions {
                let key = (TopicName::new(&topic.name.0), PartitionId(p.partition_index));
                let mut one = OffsetDeleteResponsePartition::default();
                one.partition_index = p.partition_index;
                one.error_code = errors.get(&key).copied().or(barred).unwrap_or(ErrorCode::UnknownTopicOrPartition).code();
                answered.partitions.push(one);
            }
            response.topics.push(answered);
        }
        ctx.reply(&response)
    }
}

fn known_partitions(ctx: &Context, request: &OffsetDeleteRequest) -> Vec<(TopicName, Vec<PartitionId>)> {
    let mut known = Vec::new();
    for topic in &request.topics {
        let Some(existing) = ctx.broker.catalog.get(&topic.name.0) else { continue };
        if ctx.check_topic(Operation::Read, &topic.name.0).is_err() {
            continue;
        }
        let ids = topic.partitions.iter().map(|p| PartitionId(p.partition_index));
        let partitions: Vec<PartitionId> = ids.filter(|id| existing.partition(*id).is_some()).collect();
        if !partitions.is_empty() {
            known.push((existing.name.clone(), partitions));
        }
    }
    known
}
