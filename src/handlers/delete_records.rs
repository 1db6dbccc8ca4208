//! DeleteRecords (21), versions 0-2 (KIP-107).
//!
//! Moves a partition's log start; -1 means its end. Moving it back is no error and changes nothing.

use std::sync::Arc;

use kafka_protocol::messages::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult};

use super::partition_map::{PartitionMap, TopicWishes};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::Partition;
use crate::model::{ErrorCode, Offset, PartitionId};
use crate::security::Operation;

pub struct DeleteRecords;

const TO_THE_END: i64 = -1;

impl Api for DeleteRecords {
    const KEY: i16 = 21;
    const NAME: &'static str = "DeleteRecords";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = DeleteRecordsRequest;

    async fn handle(ctx: &Context, _version: i16, request: DeleteRecordsRequest) -> Result<Reply, HangUp> {
        let mut response = DeleteRecordsResponse::default();
        let mut offsets = PartitionMap::new();
        for topic in &request.topics {
            for asked in &topic.partitions {
                offsets.put(&topic.name, asked.partition_index, asked.offset);
            }
        }
        for TopicWishes { topic, partitions } in offsets.into_topics() {
            let mut answered = DeleteRecordsTopicResult::default();
            answered.name = topic.clone();
            for (partition_index, offset) in partitions {
                let mut result = DeleteRecordsPartitionResult::default();
                result.partition_index = partition_index;
                match delete(ctx, &topic.0, partition_index, offset).await {
                    Ok(start) => result.low_watermark = start.0,
                    Err(error) => (result.error_code, result.low_watermark) = (error.code(), -1),
                }
                answered.partitions.push(result);
            }
            response.topics.push(answered);
        }
        ctx.reply(&response)
    }
}

async fn delete(ctx: &Context, topic: &str, index: i32, offset: i64) -> Result<Offset, ErrorCode> {
    ctx.check_topic(Operation::Delete, topic)?;
    let partition: Arc<Partition> =
        ctx.broker.catalog.get(topic).and_then(|t| t.partition(PartitionId(index))).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if crate::broker::is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    if !partition.config().cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let view = partition.view();
    let before = if offset == TO_THE_END { view.end_offset() } else { Offset(offset) };
    if before.0 < 0 || before > view.end_offset() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    ctx.broker.delete_records(partition, before).await.map_err(|refused| refused.error)
}
