//! OffsetFetch (9), versions 1-9 (all topics and a top-level error: v2, leader epoch: KIP-320 in v5, stable offsets: KIP-447 in v7,
//! several groups: KIP-709 in v8, member epochs: KIP-848 in v9).
//!
//! An offset that was never committed is -1 with empty metadata, not an error.

use std::collections::HashSet;

use kafka_protocol::messages::OffsetFetchRequest;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::{FetchedOffset, OffsetFetchReply};
use crate::coordinator::group::request::OffsetFetch as Fetch;
use crate::coordinator::group::{GroupId, MemberId, Reply as Answer, Request};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, TopicName};
use crate::security::{Operation, Resource};
use crate::wire::convert::{text, wire_topic_name};

pub struct OffsetFetch;

impl Api for OffsetFetch {
    const KEY: i16 = 9;
    const NAME: &'static str = "OffsetFetch";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=9;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = OffsetFetchRequest;

    async fn handle(ctx: &Context, version: i16, request: OffsetFetchRequest) -> Result<Reply, HangUp> {
        if version >= 8 {
            return several(ctx, version, request).await;
        }
        let topics = request.topics.map(|list| {
            list.iter().map(|t| (TopicName::new(&t.name.0), t.partition_indexes.iter().map(|p| PartitionId(*p)).collect())).collect()
        });
        let fetch = Fetch {
            group: request.group_id.as_str().into(),
            topics,
            member_id: MemberId::default(),
            member_epoch: -1,
            require_stable: version >= 7 && request.require_stable,
        };
        let mut reply = ask(ctx, fetch.clone()).await;
        if version < 2 && reply.error != ErrorCode::None {
            reply.topics = refused_topics(&fetch, reply.error);
        }
        let mut response = OffsetFetchResponse::default();
        if version >= 2 {
            response.error_code = reply.error.code();
        }
        response.topics = reply.topics.iter().map(|(name, list)| named(name, list)).collect();
        ctx.reply(&response)
    }
}

async fn several(ctx: &Context, version: i16, request: OffsetFetchRequest) -> Result<Reply, HangUp> {
    let mut response = OffsetFetchResponse::default();
    // Each once, however often it is named: a small request must not ask for a large multiple of the same answer.
    let mut seen = HashSet::new();
    for group in request.groups.into_iter().filter(|group| seen.insert(group.group_id.clone())) {
        let topics = group.topics.map(|list| {
            list.iter().map(|t| (TopicName::new(&t.name.0), t.partition_indexes.iter().map(|p| PartitionId(*p)).collect())).collect()
        });
        let fetch = Fetch {
            group: group.group_id.as_str().into(),
            topics,
            member_id: group.member_id.filter(|_| version >= 9).map_or(MemberId::default(), |id| id.as_str().into()),
            member_epoch: if version >= 9 { group.member_epoch } else { -1 },
            require_stable: request.require_stable,
        };
        let reply = ask(ctx, fetch).await;
        let mut answered = OffsetFetchResponseGroup::default();
        answered.group_id = group.group_id;
        answered.error_code = reply.error.code();
        answered.topics = reply.topics.iter().map(|(name, list)| grouped(name, list)).collect();
        response.groups.push(answered);
    }
    ctx.reply(&response)
}

async fn ask(ctx: &Context, mut fetch: Fetch) -> OffsetFetchReply {
    let group: GroupId = fetch.group.clone();
    ctx.note(|facts| facts.name(group.shared()));
    let refused = |error| OffsetFetchReply { error, topics: Vec::new() };
    if let Err(error) = ctx.check_group(Operation::Describe, &group) {
        return refused(error);
    }
    let may_see = |name: &TopicName| ctx.check_topic(Operation::Describe, name.as_str());
    let mut barred = Vec::new();
    if let Some(topics) = &mut fetch.topics {
        topics.retain(|(name, partitions)| match may_see(name) {
            Ok(()) => true,
            Err(error) => {
                barred.push((name.clone(), partitions.iter().map(|p| nothing(*p, error)).collect()));
                false
            }
        });
    }
    let mut reply = match ctx.broker.groups.ask(&group, Request::OffsetFetch(fetch)).await {
        Ok(Answer::OffsetFetch(reply)) => reply,
        Ok(_) => refused(ErrorCode::UnknownServerError),
        Err(error) => refused(error),
    };
    reply.topics.retain(|(name, _)| ctx.may(Operation::Describe, Resource::topic(name.as_str())));
    reply.topics.append(&mut barred);
    reply
}

fn nothing(partition: PartitionId, error: ErrorCode) -> FetchedOffset {
    FetchedOffset { partition, offset: Offset::NONE, leader_epoch: LeaderEpoch::UNKNOWN, metadata: "".into(), error }
}

/// Version 1 has no top-level error: it stands on every partition that was asked for.
fn refused_topics(fetch: &Fetch, error: ErrorCode) -> Vec<(TopicName, Vec<FetchedOffset>)> {
    let asked = fetch.topics.iter().flatten();
    asked.map(|(name, list)| (name.clone(), list.iter().map(|p| nothing(*p, error)).collect())).collect()
}

fn named(name: &TopicName, list: &[FetchedOffset]) -> OffsetFetchResponseTopic {
    let mut topic = OffsetFetchResponseTopic::default();
    topic.name = wire_topic_name(name);
    topic.partitions = list
        .iter()
        .map(|o| {
            let mut p = OffsetFetchResponsePartition::default();
            p.partition_index = o.partition.0;
            p.committed_offset = o.offset.0;
            p.committed_leader_epoch = o.leader_epoch.0;
            p.metadata = Some(text(&o.metadata));
            p.error_code = o.error.code();
            p
        })
        .collect();
    topic
}

fn grouped(name: &TopicName, list: &[FetchedOffset]) -> OffsetFetchResponseTopics {
    let mut topic = OffsetFetchResponseTopics::default();
    topic.name = wire_topic_name(name);
    topic.partitions = list
        .iter()
        .map(|o| {
            let mut p = OffsetFetchResponsePartitions::default();
            p.partition_index = o.partition.0;
            p.committed_offset = o.offset.0;
            p.committed_leader_epoch = o.leader_epoch.0;
            p.metadata = Some(text(&o.metadata));
            p.error_code = o.error.code();
            p
        })
        .collect();
    topic
}
