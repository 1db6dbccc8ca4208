//! OffsetForLeaderEpoch (23), versions 2-4 (KIP-320).
//!
//! The end offset of an epoch, from the epochs that stand on disk. An epoch later than the current one answers (-1, -1) without an
//! error.

use kafka_protocol::messages::OffsetForLeaderEpochRequest;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::fetch_read::fenced;
use super::{Access, Api, Context, HangUp, Reply};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId};
use crate::security::Operation;

pub struct OffsetForLeaderEpoch;

impl Api for OffsetForLeaderEpoch {
    const KEY: i16 = 23;
    const NAME: &'static str = "OffsetForLeaderEpoch";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=4;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = OffsetForLeaderEpochRequest;

    async fn handle(ctx: &Context, _version: i16, request: OffsetForLeaderEpochRequest) -> Result<Reply, HangUp> {
        let mut response = OffsetForLeaderEpochResponse::default();
        for topic in &request.topics {
            let mut answered = OffsetForLeaderTopicResult::default();
            answered.topic = topic.topic.clone();
            answered.partitions = topic
                .partitions
                .iter()
                .map(|asked| {
                    let mut end = EpochEndOffset::default();
                    end.partition = asked.partition;
                    match look_up(ctx, &topic.topic.0, asked) {
                        Ok((epoch, offset)) => (end.leader_epoch, end.end_offset) = (epoch.0, offset.0),
                        Err(error) => (end.error_code, end.leader_epoch, end.end_offset) = (error.code(), -1, -1),
                    }
                    end
                })
                .collect();
            response.topics.push(answered);
        }
        ctx.reply(&response)
    }
}

fn look_up(ctx: &Context, topic: &str, asked: &OffsetForLeaderPartition) -> Result<(LeaderEpoch, Offset), ErrorCode> {
    ctx.check_topic(Operation::Describe, topic)?;
    let partition = ctx.broker.catalog.get(topic).and_then(|t| t.partition(PartitionId(asked.partition)));
    let view = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?.view();
    if asked.current_leader_epoch < -1 {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if let Some(error) = fenced(asked.current_leader_epoch, view.leader_epoch()) {
        return Err(error);
    }
    Ok(view.end_offset_for_epoch(LeaderEpoch(asked.leader_epoch)).unwrap_or((LeaderEpoch::UNKNOWN, Offset::NONE)))
}
