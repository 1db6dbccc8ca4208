//! What groups are asked. `version` is the request's API version where the answer depends on it.

use bytes::Bytes;

use super::{GroupId, InstanceId, MemberId};
use crate::model::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName};

#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    JoinGroup(JoinGroup),
    SyncGroup(SyncGroup),
    Heartbeat(Heartbeat),
    LeaveGroup(LeaveGroup),
    OffsetCommit(OffsetCommit),
    OffsetFetch(OffsetFetch),
    DescribeGroup(DescribeGroup),
    ListGroups(ListGroups),
    /// All groups with how many members they have, what these read and what was committed, as of one moment.
    Survey,
    DeleteGroup(GroupId),
    /// Its topics begin anew: members and offsets go. Without members the group goes too, otherwise it stays and is empty, so that each
    /// member is told that it is unknown, which every client takes for a reason to join anew. Answered with `Reply::DeleteGroup`.
    EraseGroup(GroupId),
    OffsetDelete(OffsetDelete),
    /// These topics are gone: their committed offsets go too. Answered with `Reply::Done`.
    TopicsDeleted(Vec<TopicName>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct JoinGroup {
    pub version: i16,
    pub group: GroupId,
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    /// From the request header; empty if it was null.
    pub client_id: String,
    /// As Java prints addresses: `/127.0.0.1`.
    pub client_host: String,
    pub session_timeout_ms: i32,
    /// v0 has no such field and passes its session timeout.
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    /// In order of preference.
    pub protocols: Vec<JoinProtocol>,
}

/// A way of assigning partitions that a member offers, and what the leader must know about the member for it. The bytes are opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinProtocol {
    pub name: String,
    pub metadata: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SyncGroup {
    pub version: i16,
    pub group: GroupId,
    pub generation: i32,
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    /// Empty unless it comes from the leader.
    pub assignments: Vec<(MemberId, Bytes)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    pub group: GroupId,
    pub generation: i32,
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
}

/// v0-v2 name one member; the handler makes it a list of one and answers with that member's error.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaveGroup {
    pub group: GroupId,
    pub members: Vec<LeavingMember>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeavingMember {
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
}

/// The handler has already refused topics and partitions that do not exist (3) or may not be read (29): they are not in here.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetCommit {
    pub version: i16,
    pub group: GroupId,
    /// Or the member epoch of a KIP-848 group. -1: from outside any generation.
    pub generation: i32,
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    /// v2-v4 only; -1 everywhere else.
    pub retention_ms: i64,
    pub topics: Vec<CommitTopic>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CommitTopic {
    pub topic: TopicName,
    /// Written beside the offset, so that a topic that is made again under the same name does not inherit it. `TopicId::ZERO` if unknown.
    pub topic_id: TopicId,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CommitPartition {
    pub partition: PartitionId,
    pub offset: Offset,
    /// v6+; -1 before.
    pub leader_epoch: LeaderEpoch,
    /// null is the empty string.
    pub metadata: String,
}

/// One group of an OffsetFetch. Empty group names are allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetch {
    pub group: GroupId,
    /// None: every topic with a committed offset (v2+, null list).
    pub topics: Option<Vec<(TopicName, Vec<PartitionId>)>>,
    /// v9+, KIP-848: empty or null for none.
    pub member_id: MemberId,
    /// v9+, KIP-848: -1 for none.
    pub member_epoch: i32,
    /// v7+.
    pub require_stable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeGroup {
    pub version: i16,
    pub group: GroupId,
}

/// Empty filters let everything through. Case does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListGroups {
    pub states: Vec<String>,
    pub types: Vec<String>,
}

/// The handler has already refused topics and partitions that do not exist (3).
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetDelete {
    pub group: GroupId,
    pub topics: Vec<(TopicName, Vec<PartitionId>)>,
}
