//! What is written to `__consumer_offsets`, in Kafka's own formats.

use std::sync::Arc;

use bytes::Bytes;

use super::group::{GroupId, InstanceId, MemberId};
use crate::model::{LeaderEpoch, Offset, PartitionId, Timestamp, TopicName};

/// One record: a key, and a value or a tombstone (None).
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Offset { group: GroupId, topic: TopicName, partition: PartitionId, value: Option<CommittedOffset> },
    Group { group: GroupId, value: Option<GroupMetadata> },
}

impl Record {
    pub fn group(&self) -> &GroupId {
        match self {
            Record::Offset { group, .. } | Record::Group { group, .. } => group,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: Arc<str>,
    pub commit_timestamp: Timestamp,
    /// Set by commits of v2-v4 that asked for a retention of their own; else `Timestamp::NONE`.
    pub expire_timestamp: Timestamp,
}

/// A classic group as of its last completed rebalance.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadata {
    /// Empty for a group that never had members.
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    pub current_state_timestamp: Timestamp,
    pub members: Vec<MemberMetadata>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MemberMetadata {
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Metadata of the chosen protocol.
    pub subscription: Bytes,
    pub assignment: Bytes,
}
