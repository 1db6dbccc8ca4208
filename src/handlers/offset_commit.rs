//! OffsetCommit (8), versions 2-9 (leader epoch: KIP-320 in v6, static members: KIP-345 in v7, member epochs: KIP-848 in v9).
//!
//! Partitions that do not exist are refused one by one; the rest goes to the group. Version 10 (topic ids) is not served: requests by
//! name do everything, and clients negotiate down.

use std::collections::HashMap;

use kafka_protocol::messages::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::request::{CommitPartition, CommitTopic, OffsetCommit as Commit};
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, TopicName};
use crate::security::Operation;

pub struct OffsetCommit;

impl Api for OffsetCommit {
    const KEY: i16 = 8;
    const NAME: &'static str = "OffsetCommit";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=9;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = OffsetCommitRequest;

    async fn handle(ctx: &Context, version: i16, request: OffsetCommitRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        let refused = match ctx.check_group(Operation::Read, &group) {
            Ok(()) => ctx.room_for_group(&group).await.err(),
            refused => refused.err(),
        };
        let topics = if refused.is_some() { Vec::new() } else { known_partitions(ctx, version, &request) };
        let errors: HashMap<(TopicName, PartitionId), ErrorCode> = if topics.is_empty() {
            HashMap::new()
        } else {
            let commit = Commit {
                version,
                group: group.clone(),
                generation: request.generation_id_or_member_epoch,
                member_id: request.member_id.as_str().into(),
                instance_id: request.group_instance_id.as_ref().map(|id| id.as_str().into()),
                retention_ms: if version <= 4 { request.retention_time_ms } else { -1 },
                topics: topics.clone(),
            };
            let listed = match ctx.broker.groups.ask(&group, Request::OffsetCommit(commit)).await {
                Ok(Answer::OffsetCommit(listed)) => listed,
                other => {
                    let error = other.err().unwrap_or(ErrorCode::UnknownServerError);
                    topics.iter().map(|t| (t.topic.clone(), t.partitions.iter().map(|p| (p.partition, error)).collect())).collect()
                }
            };
            listed.into_iter().flat_map(|(topic, list)| list.into_iter().map(move |(p, e)| ((topic.clone(), p), e))).collect()
        };
        note(ctx, &group, &topics, &errors);
        let mut response = OffsetCommitResponse::default();
        for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let mut answered = OffsetCommitResponseTopic::default();
            answered.name = topic.name.clone();
            let refused = refused.or(ctx.check_topic(Operation::Read, &topic.name.0).err());
            answered.partitions = topic
                .partitions
                .iter()
                .map(|p| {
                    let key = (TopicName::new(&topic.name.0), PartitionId(p.partition_index));
                    let mut one = OffsetCommitResponsePartition::default();
                    one.partition_index = p.partition_index;
                    one.error_code = errors.get(&key).copied().or(refused).unwrap_or(ErrorCode::UnknownTopicOrPartition).code();
                    one
                })
                .collect();
            response.topics.push(answered);
        }
        ctx.reply(&response)
    }
}

/// Notes what the group now has.
fn note(ctx: &Context, group: &GroupId, topics: &[CommitTopic], errors: &HashMap<(TopicName, PartitionId), ErrorCode>) {
    let Some(principal) = &ctx.principal else { return };
    let each = topics.iter().flat_map(|topic| topic.partitions.iter().map(|p| (topic.topic.clone(), p.partition, p.offset)));
    let done = |(topic, partition, _): &(TopicName, PartitionId, Offset)| {
        errors.get(&(topic.clone(), *partition)).is_some_and(|error| *error == ErrorCode::None)
    };
    let committed: Vec<_> = each.filter(done).collect();
    if !committed.is_empty() {
        ctx.broker.evidence.committed(principal, group, &committed, ctx.broker.now());
    }
}

fn known_partitions(ctx: &Context, version: i16, request: &OffsetCommitRequest) -> Vec<CommitTopic> {
    let mut known = Vec::new();
    for topic in &request.topics {
        let Some(existing) = ctx.broker.catalog.get(&topic.name.0) else { continue };
        if ctx.check_topic(Operation::Read, &topic.name.0).is_err() {
            continue;
        }
        let partitions: Vec<CommitPartition> = topic
            .partitions
            .iter()
            .filter(|p| existing.partition(PartitionId(p.partition_index)).is_some())
            .map(|p| CommitPartition {
                partition: PartitionId(p.partition_index),
                offset: Offset(p.committed_offset),
                leader_epoch: LeaderEpoch(if version >= 6 { p.committed_leader_epoch } else { -1 }),
                metadata: p.committed_metadata.as_ref().map_or(String::new(), |m| m.as_str().to_owned()),
            })
            .collect();
        if !partitions.is_empty() {
            known.push(CommitTopic { topic: existing.name.clone(), topic_id: existing.id, partitions });
        }
    }
    known
}
