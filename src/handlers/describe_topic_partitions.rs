//! DescribeTopicPartitions (75), version 0 (KIP-966): Metadata's topics in pages.
//!
//! Topics come in the order of their names, from the cursor on, up to the limit of partitions; the answer's cursor says where to go on.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest};
use uuid::Uuid;

use super::access::OPERATIONS_OMITTED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::{Topic, is_internal};
use crate::model::{ErrorCode, TopicName};
use crate::security::{Operation, Resource};
use crate::wire::convert::{text, wire_topic_name};

pub struct DescribeTopicPartitions;

/// `max.request.partition.size.limit`
const LIMIT_MAX: i32 = 2000;

impl Api for DescribeTopicPartitions {
    const KEY: i16 = 75;
    const NAME: &'static str = "DescribeTopicPartitions";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = DescribeTopicPartitionsRequest;

    async fn handle(ctx: &Context, _version: i16, request: DescribeTopicPartitionsRequest) -> Result<Reply, HangUp> {
        let mut response = DescribeTopicPartitionsResponse::default();
        let may_see = |name: &str| ctx.may(Operation::Describe, Resource::topic(name));
        let named = !request.topics.is_empty();
        let mut names: BTreeSet<String> = if named {
            request.topics.iter().map(|t| t.name.as_str().to_owned()).collect()
        } else {
            ctx.broker.catalog.list().iter().filter(|t| !t.is_hidden() && may_see(t.name.as_str())).map(|t| t.name.to_string()).collect()
        };
        let mut first_partition = 0;
        if let Some(cursor) = &request.cursor {
            let from = cursor.topic_name.as_str();
            if cursor.partition_index < 0 || (named && !names.contains(from)) {
                names.retain(|_| named);
                response.topics = names.iter().map(|name| refused(name, ErrorCode::InvalidRequest, OPERATIONS_OMITTED)).collect();
                return ctx.reply(&response);
            }
            names = names.split_off(from);
            if names.first().is_some_and(|first| first == from) {
                first_partition = cursor.partition_index;
            }
        }
        let mut left = request.response_partition_limit.clamp(1, LIMIT_MAX);
        for name in names {
            let from = std::mem::take(&mut first_partition);
            if left == 0 {
                response.next_cursor = Some(cursor_at(&name, from));
                break;
            }
            if !may_see(&name) {
                response.topics.push(refused(&name, ErrorCode::TopicAuthorizationFailed, OPERATIONS_OMITTED));
                continue;
            }
            let Some(topic) = ctx.broker.catalog.get(&name) else {
                let error = if TopicName::is_legal(&name) { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
                response.topics.push(refused(&name, error, ctx.operations(Resource::topic(&name))));
                continue;
            };
            let (described, next) = describe(ctx, &topic, from, &mut left);
            response.topics.push(described);
            if let Some(next) = next {
                response.next_cursor = Some(cursor_at(&name, next));
                break;
            }
        }
        ctx.reply(&response)
    }
}

fn cursor_at(name: &str, partition: i32) -> Cursor {
    let mut cursor = Cursor::default();
    cursor.topic_name = kafka_protocol::messages::TopicName(text(name));
    cursor.partition_index = partition;
    cursor
}

fn refused(name: &str, error: ErrorCode, operations: i32) -> DescribeTopicPartitionsResponseTopic {
    let mut topic = DescribeTopicPartitionsResponseTopic::default();
    topic.error_code = error.code();
    topic.name = Some(kafka_protocol::messages::TopicName(text(name)));
    topic.topic_authorized_operations = operations;
    topic.is_internal = is_internal(name);
    topic
}

/// The topic from partition `from` on, and the partition to go on with if the limit was reached within it.
fn describe(ctx: &Context, topic: &Topic, from: i32, left: &mut i32) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
    let node = BrokerId(ctx.broker.node.id.0);
    let mut described = DescribeTopicPartitionsResponseTopic::default();
    described.name = Some(wire_topic_name(&topic.name));
    described.topic_id = Uuid::from_bytes(topic.id.0);
    described.is_internal = topic.is_internal();
    described.topic_authorized_operations = ctx.operations(Resource::topic(topic.name.as_str()));
    for partition in topic.partitions().iter().filter(|p| p.id().0 >= from) {
        if *left == 0 {
            return (described, Some(partition.id().0));
        }
        *left -= 1;
        let mut p = DescribeTopicPartitionsResponsePartition::default();
        p.partition_index = partition.id().0;
        p.leader_id = node;
        p.leader_epoch = partition.leader_epoch().0;
        p.replica_nodes = vec![node];
        p.isr_nodes = vec![node];
        p.eligible_leader_replicas = Some(Vec::new());
        p.last_known_elr = Some(Vec::new());
        described.partitions.push(p);
    }
    (described, None)
}
