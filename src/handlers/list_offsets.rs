//! ListOffsets (2), versions 1-10 (max timestamp: KIP-734 in v7, earliest local: KIP-405 in v8, latest tiered: KIP-1005 in v9,
//! server-side timeout: v10).
//!
//! Special stamps -1 latest, -2 earliest, -3 earliest record with the largest timestamp, -4 earliest local (= earliest), -5 latest
//! tiered (none). A time is looked up record by record, also inside compressed batches.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse};

use super::fetch_read::fenced;
use super::partition_map::{PartitionMap, TopicWishes};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::{LogView, Partition, ReadError, ReadUpTo, TimestampedOffset, read_error_code};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, Timestamp};
use crate::security::Operation;

pub struct ListOffsets;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

type Found = (Offset, Timestamp, LeaderEpoch);
const NOTHING: Found = (Offset::NONE, Timestamp::NONE, LeaderEpoch::UNKNOWN);

impl Api for ListOffsets {
    const KEY: i16 = 2;
    const NAME: &'static str = "ListOffsets";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = ListOffsetsRequest;

    async fn handle(ctx: &Context, version: i16, request: ListOffsetsRequest) -> Result<Reply, HangUp> {
        let isolation = if version >= 2 { request.isolation_level } else { 0 };
        if !matches!(isolation, 0 | 1) {
            return ctx.reply(&refused(version, &request));
        }
        let mut seen = HashSet::new();
        let mut wishes = PartitionMap::new();
        for topic in &request.topics {
            for asked in &topic.partitions {
                let first = seen.insert((&topic.name, asked.partition_index));
                wishes.put(&topic.name, asked.partition_index, if first { Ok(asked) } else { Err(ErrorCode::InvalidRequest) });
            }
        }
        let mut response = ListOffsetsResponse::default();
        for TopicWishes { topic, partitions } in wishes.into_topics() {
            let mut answered = ListOffsetsTopicResponse::default();
            answered.name = topic.clone();
            for (index, wish) in partitions {
                let outcome = match wish {
                    Err(error) => Err(error),
                    Ok(asked) => look_up(ctx, version, isolation == 1, &topic.0, asked).await,
                };
                answered.partitions.push(answer(version, index, outcome));
            }
            response.topics.push(answered);
        }
        ctx.reply(&response)
    }
}

/// An isolation level that is none: everything that was named is refused as it was named.
fn refused(version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let mut response = ListOffsetsResponse::default();
    for topic in &request.topics {
        let mut answered = ListOffsetsTopicResponse::default();
        answered.name = topic.name.clone();
        let partition = |asked: &ListOffsetsPartition| answer(version, asked.partition_index, Err(ErrorCode::UnknownServerError));
        answered.partitions = topic.partitions.iter().map(partition).collect();
        response.topics.push(answered);
    }
    response
}

fn answer(version: i16, index: i32, outcome: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    let (error, (offset, timestamp, epoch)) = match outcome {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOTHING),
    };
    let mut answered = ListOffsetsPartitionResponse::default();
    answered.partition_index = index;
    answered.error_code = error.code();
    answered.offset = offset.0;
    answered.timestamp = timestamp.0;
    if version >= 4 {
        answered.leader_epoch = epoch.0;
    }
    answered
}

/// Whether a negative stamp means something in this version.
fn is_known(stamp: i64, version: i16) -> bool {
    match stamp {
        LATEST | EARLIEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        _ => stamp >= 0,
    }
}

async fn look_up(ctx: &Context, version: i16, committed: bool, topic: &str, asked: &ListOffsetsPartition) -> Result<Found, ErrorCode> {
    ctx.check_topic(Operation::Describe, topic)?;
    if !is_known(asked.timestamp, version) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let partition = ctx.broker.catalog.get(topic).and_then(|t| t.partition(PartitionId(asked.partition_index)));
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let view = partition.view();
    let up_to = if committed { ReadUpTo::LastStable } else { ReadUpTo::End };
    // Below -1 is fenced here, unlike in Fetch.
    if version >= 4 && asked.current_leader_epoch < -1 {
        return Err(ErrorCode::FencedLeaderEpoch);
    }
    if version >= 4
        && let Some(error) = fenced(asked.current_leader_epoch, view.leader_epoch())
    {
        return Err(error);
    }
    match asked.timestamp {
        LATEST if committed => Ok((view.last_stable_offset(), Timestamp::NONE, view.leader_epoch())),
        LATEST => Ok((view.end_offset(), Timestamp::NONE, view.leader_epoch())),
        EARLIEST | EARLIEST_LOCAL => Ok(earliest(&view)),
        LATEST_TIERED => Ok(NOTHING),
        MAX_TIMESTAMP => search(partition, move |view| view.offset_of_max_timestamp()).await,
        time => search(partition, move |view| view.offset_for_timestamp(Timestamp(time), up_to)).await,
    }
}

fn earliest(view: &LogView) -> Found {
    let epoch = if view.start_offset() < view.end_offset() { view.epoch_of(view.start_offset()) } else { view.leader_epoch() };
    (view.start_offset(), Timestamp::NONE, epoch)
}

/// Searching reads batches, maybe from the disk: not on the network thread.
async fn search<F>(partition: Arc<Partition>, find: F) -> Result<Found, ErrorCode>
where
    F: FnOnce(LogView) -> Result<Option<TimestampedOffset>, ReadError> + Send + 'static,
{
    let view = partition.view();
    let found = tokio::task::spawn_blocking(move || find(view)).await;
    match found {
        Ok(Ok(found)) => Ok(found.map_or(NOTHING, |f| (f.offset, f.timestamp, f.leader_epoch))),
        Ok(Err(error)) => Err(read_error_code(&error)),
        Err(_) => Err(ErrorCode::UnknownServerError),
    }
}
