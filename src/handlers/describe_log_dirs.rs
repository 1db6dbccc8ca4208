//! DescribeLogDirs (35), versions 1-4 (KIP-113, top-level error: v3, disk space: KIP-827 in v4).
//!
//! One directory, the data folder. Sizes are those of the `.log` files.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::{Access, Api, Context, HangUp, Reply};
use crate::model::{ErrorCode, PartitionId, TopicName};
use crate::security::Operation;
use crate::wire::convert::{text, wire_topic_name};

pub struct DescribeLogDirs;

impl Api for DescribeLogDirs {
    const KEY: i16 = 35;
    const NAME: &'static str = "DescribeLogDirs";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
    const ACCESS: Access = Access::Instructor(ErrorCode::ClusterAuthorizationFailed);
    type Request = DescribeLogDirsRequest;

    async fn handle(ctx: &Context, version: i16, request: DescribeLogDirsRequest) -> Result<Reply, HangUp> {
        if let Err(error) = ctx.check_cluster(Operation::Describe) {
            let mut response = DescribeLogDirsResponse::default();
            response.error_code = error.code();
            return ctx.reply(&response);
        }
        let wanted: Option<HashSet<(TopicName, PartitionId)>> = request.topics.map(|topics| {
            topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (TopicName::new(&t.topic.0), PartitionId(*p)))).collect()
        });
        let mut topics: BTreeMap<TopicName, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
        for topic in ctx.broker.catalog.list().into_iter().filter(|topic| wanted.is_some() || !topic.is_hidden()) {
            for partition in topic.partitions().iter() {
                if wanted.as_ref().is_some_and(|w| !w.contains(&(topic.name.clone(), partition.id()))) {
                    continue;
                }
                let mut described = DescribeLogDirsPartition::default();
                described.partition_index = partition.id().0;
                described.partition_size = i64::try_from(partition.view().size_bytes()).unwrap_or(i64::MAX);
                topics.entry(topic.name.clone()).or_default().push(described);
            }
        }
        let mut result = DescribeLogDirsResult::default();
        result.log_dir = text(&ctx.broker.folder.path().display().to_string());
        result.topics = topics
            .into_iter()
            .map(|(name, partitions)| {
                let mut topic = DescribeLogDirsTopic::default();
                topic.name = wire_topic_name(&name);
                topic.partitions = partitions;
                topic
            })
            .collect();
        if version >= 4 {
            let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let (usable, total) = ctx.broker.folder.space().map_or((-1, -1), |(free, total)| (bytes(free), bytes(total)));
            (result.total_bytes, result.usable_bytes) = (total, usable);
        }
        let mut response = DescribeLogDirsResponse::default();
        response.results = vec![result];
        ctx.reply(&response)
    }
}
