//! Groups of the broker in this process.

use std::collections::BTreeMap;

use super::embedded::Embedded;
use super::summary::add_uncommitted;
use super::{ClusterError, GroupMember, GroupMembers, GroupOffset, GroupSummary};
use crate::coordinator::group::assignment;
use crate::coordinator::group::reply::{DescribedMember, SurveyedGroup};
use crate::coordinator::group::request::{CommitPartition, CommitTopic, DescribeGroup, OffsetCommit};
use crate::coordinator::group::{GroupId, MemberId, Reply, Request};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, TopicName};

/// From this version on an unknown group is an error.
const DESCRIBE_VERSION: i16 = 6;
const COMMIT_VERSION: i16 = 9;

impl Embedded {
    /// One question to each shard, however many groups there are. Ends are read after what was committed: nobody has committed what is
    /// written later.
    pub(super) async fn survey(&self) -> Result<Vec<GroupSummary>, ClusterError> {
        let replies = self.broker.groups.ask_all(Request::Survey).await.map_err(unanswered)?;
        let mut groups = Vec::new();
        for reply in replies {
            let Reply::Survey(surveyed) = reply else { continue };
            groups.extend(surveyed.into_iter().map(|group| self.summary_of(group)));
        }
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    fn summary_of(&self, surveyed: SurveyedGroup) -> GroupSummary {
        let mut offsets = Vec::with_capacity(surveyed.committed.len());
        for of_topic in surveyed.committed.chunk_by(|one, next| one.0 == next.0) {
            let Some(topic) = of_topic.first().and_then(|(name, ..)| self.broker.catalog.get(name.as_str())) else { continue };
            for (name, partition, committed) in of_topic {
                let Some(end_offset) = topic.partition(*partition).map(|partition| partition.view().end_offset()) else { continue };
                offsets.push(GroupOffset { topic: name.clone(), partition: *partition, committed: Some(*committed), end_offset });
            }
        }
        let assigned = surveyed.assignments.iter().filter_map(|bytes| assignment::decode(bytes)).flatten();
        let end = |topic: &TopicName, id| Some(self.broker.catalog.get(topic.as_str())?.partition(id)?.view().end_offset());
        add_uncommitted(assigned, &mut offsets, end);
        GroupSummary {
            id: surveyed.group.to_string(),
            protocol: surveyed.group_type.to_owned(),
            state: surveyed.state.to_owned(),
            members: surveyed.members,
            offsets,
        }
    }

    pub(super) async fn members(&self, group: &str) -> Option<GroupMembers> {
        let group = GroupId::from(group);
        let describe = Request::DescribeGroup(DescribeGroup { version: DESCRIBE_VERSION, group: group.clone() });
        match self.broker.groups.ask(&group, describe).await {
            Ok(Reply::DescribeGroup(described)) if described.error.is_ok() => Some(GroupMembers {
                assignor: described.protocol.to_string(),
                members: described.members.into_iter().map(member).collect(),
            }),
            _ => None,
        }
    }

    pub(super) async fn commit(&self, group: &str, offsets: Vec<(TopicName, PartitionId, Offset)>) -> Result<(), ClusterError> {
        let mut topics: BTreeMap<TopicName, Vec<CommitPartition>> = BTreeMap::new();
        for (topic, partition, offset) in offsets {
            self.partition(&topic, partition)?;
            let one = CommitPartition { partition, offset, leader_epoch: LeaderEpoch::UNKNOWN, metadata: String::new() };
            topics.entry(topic).or_default().push(one);
        }
        let of_topic = |(topic, partitions): (TopicName, Vec<CommitPartition>)| {
            let topic_id = self.broker.catalog.get(topic.as_str()).map_or(crate::model::TopicId::ZERO, |topic| topic.id);
            CommitTopic { topic, topic_id, partitions }
        };
        let group = GroupId::from(group);
        let commit = OffsetCommit {
            version: COMMIT_VERSION,
            group: group.clone(),
            generation: -1,
            member_id: MemberId::default(),
            instance_id: None,
            retention_ms: -1,
            topics: topics.into_iter().map(of_topic).collect(),
        };
        let Reply::OffsetCommit(answered) = self.broker.groups.ask(&group, Request::OffsetCommit(commit)).await.map_err(unanswered)? else {
            return Err(unanswered(ErrorCode::UnknownServerError));
        };
        match answered.iter().flat_map(|(_, partitions)| partitions).find(|(_, error)| !error.is_ok()) {
            None => Ok(()),
            Some((_, ErrorCode::UnknownMemberId)) => Err(has_members(ErrorCode::UnknownMemberId, &group)),
            Some((partition, error)) => {
                Err(ClusterError { code: *error, message: format!("the offset of partition {partition} could not be committed") })
            }
        }
    }

    pub(super) async fn delete(&self, group: &str) -> Result<(), ClusterError> {
        let group = GroupId::from(group);
        match self.broker.groups.ask(&group, Request::DeleteGroup(group.clone())).await.map_err(unanswered)? {
            Reply::DeleteGroup(ErrorCode::None) => Ok(()),
            Reply::DeleteGroup(ErrorCode::NonEmptyGroup) => Err(has_members(ErrorCode::NonEmptyGroup, &group)),
            Reply::DeleteGroup(error) => Err(ClusterError { code: error, message: format!("there is no group {group}") }),
            _ => Err(unanswered(ErrorCode::UnknownServerError)),
        }
    }
}

fn member(described: DescribedMember) -> GroupMember {
    GroupMember {
        member_id: described.member_id.to_string(),
        client_id: described.client_id.to_string(),
        // Java's way of writing it.
        host: described.client_host.trim_start_matches('/').to_owned(),
        instance_id: described.instance_id.map(|id| id.to_string()),
        assignment: assignment::decode(&described.assignment).unwrap_or_default(),
    }
}

fn unanswered(code: ErrorCode) -> ClusterError {
    ClusterError { code, message: "the group coordinator did not answer".to_owned() }
}

fn has_members(code: ErrorCode, group: &GroupId) -> ClusterError {
    ClusterError { code, message: format!("the group {group} has members") }
}
