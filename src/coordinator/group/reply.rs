//! What groups answer.

use std::sync::Arc;

use bytes::Bytes;

use super::{GroupId, InstanceId, MemberId};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, TopicName};

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    JoinGroup(JoinGroupReply),
    SyncGroup(SyncGroupReply),
    Heartbeat(ErrorCode),
    LeaveGroup(LeaveGroupReply),
    OffsetCommit(PartitionErrors),
    OffsetFetch(OffsetFetchReply),
    DescribeGroup(GroupDescription),
    ListGroups(ListGroupsReply),
    Survey(Vec<SurveyedGroup>),
    DeleteGroup(ErrorCode),
    OffsetDelete(OffsetDeleteReply),
    /// To `Request::TopicsDeleted`.
    Done(ErrorCode),
}

/// None in `protocol_type` and `protocol_name` is null from v7 on and the empty string before.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinGroupReply {
    pub error: ErrorCode,
    /// -1 with an error.
    pub generation: i32,
    pub protocol_type: Option<Arc<str>>,
    pub protocol_name: Option<Arc<str>>,
    /// Empty with an error.
    pub leader: MemberId,
    /// v9+.
    pub skip_assignment: bool,
    pub member_id: MemberId,
    /// Only the leader is told.
    pub members: Vec<JoinedMember>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JoinedMember {
    pub member_id: MemberId,
    /// v5+.
    pub instance_id: Option<InstanceId>,
    pub metadata: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SyncGroupReply {
    pub error: ErrorCode,
    pub protocol_type: Option<Arc<str>>,
    pub protocol_name: Option<Arc<str>>,
    pub assignment: Bytes,
}

/// v0-v2 answer with the error of the group, else with that of the one member.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveGroupReply {
    pub error: ErrorCode,
    pub members: Vec<LeftMember>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeftMember {
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    pub error: ErrorCode,
}

/// One error per partition, in the order of the request.
pub type PartitionErrors = Vec<(TopicName, Vec<(PartitionId, ErrorCode)>)>;

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchReply {
    /// v2+ top level, v8+ per group. With an error `topics` is empty; v0-v1 put the error on each partition asked for.
    pub error: ErrorCode,
    pub topics: Vec<(TopicName, Vec<FetchedOffset>)>,
}

/// A committed offset; -1, epoch -1 and empty metadata if there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchedOffset {
    pub partition: PartitionId,
    pub offset: Offset,
    /// v5+.
    pub leader_epoch: LeaderEpoch,
    pub metadata: Arc<str>,
    pub error: ErrorCode,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupDescription {
    pub error: ErrorCode,
    /// v6+.
    pub error_message: Option<String>,
    pub group: GroupId,
    pub state: &'static str,
    pub protocol_type: Arc<str>,
    /// The chosen protocol (`protocol_data` on the wire); empty outside Stable.
    pub protocol: Arc<str>,
    pub members: Vec<DescribedMember>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribedMember {
    pub member_id: MemberId,
    /// v4+.
    pub instance_id: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    /// Empty outside Stable.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ListGroupsReply {
    pub error: ErrorCode,
    pub groups: Vec<ListedGroup>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ListedGroup {
    pub group: GroupId,
    pub protocol_type: Arc<str>,
    /// v4+: `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`.
    pub state: &'static str,
    /// v5+: `classic` or `consumer`.
    pub group_type: &'static str,
}

/// A group as a page shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyedGroup {
    pub group: GroupId,
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
    pub members: usize,
    /// In the order of topics and partitions.
    pub committed: Vec<(TopicName, PartitionId, Offset)>,
    /// What each member was given, as the leader wrote it.
    pub assignments: Vec<Bytes>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetDeleteReply {
    pub error: ErrorCode,
    /// Empty with an error.
    pub topics: PartitionErrors,
}

impl JoinGroupReply {
    pub fn refused(error: ErrorCode, member_id: MemberId) -> JoinGroupReply {
        JoinGroupReply {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: MemberId::default(),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

impl SyncGroupReply {
    pub fn refused(error: ErrorCode) -> SyncGroupReply {
        SyncGroupReply { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

impl Reply {
    /// The same reply with this error, as when what it speaks of could not be written.
    pub fn refused(self, error: ErrorCode) -> Reply {
        match self {
            Reply::JoinGroup(reply) => Reply::JoinGroup(JoinGroupReply::refused(error, reply.member_id)),
            Reply::SyncGroup(_) => Reply::SyncGroup(SyncGroupReply::refused(error)),
            Reply::Heartbeat(_) => Reply::Heartbeat(error),
            Reply::LeaveGroup(_) => Reply::LeaveGroup(LeaveGroupReply { error, members: Vec::new() }),
            Reply::OffsetCommit(topics) => Reply::OffsetCommit(each(topics, error)),
            Reply::OffsetFetch(_) => Reply::OffsetFetch(OffsetFetchReply { error, topics: Vec::new() }),
            Reply::DescribeGroup(reply) => Reply::DescribeGroup(GroupDescription { error, members: Vec::new(), ..reply }),
            Reply::ListGroups(_) => Reply::ListGroups(ListGroupsReply { error, groups: Vec::new() }),
            Reply::Survey(_) => Reply::Survey(Vec::new()),
            Reply::DeleteGroup(_) => Reply::DeleteGroup(error),
            Reply::OffsetDelete(_) => Reply::OffsetDelete(OffsetDeleteReply { error, topics: Vec::new() }),
            Reply::Done(_) => Reply::Done(error),
        }
    }
}

fn each(topics: PartitionErrors, error: ErrorCode) -> PartitionErrors {
    topics.into_iter().map(|(topic, partitions)| (topic, partitions.into_iter().map(|(id, _)| (id, error)).collect())).collect()
}
