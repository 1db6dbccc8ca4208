//! A set of groups with everything they need: hard state, soft state, deadlines.

use std::collections::BTreeMap;

use super::{GroupId, Reply, Request};
use crate::coordinator::records::{CommittedOffset, GroupMetadata, Record};
use crate::coordinator::{self, Token};
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

pub type Output = coordinator::Output<Record, Reply>;

/// Where member ids get their random part from.
pub trait MemberIds {
    fn random(&mut self) -> [u8; 16];
}

impl<R: rand::Rng> MemberIds for R {
    fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill_bytes(&mut bytes);
        bytes
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max_ms: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`
    pub group_size_max: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval_ms: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        GroupConfig {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 0,
            group_size_max: i32::MAX as usize,
            offset_metadata_bytes_max: 4096,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offsets_retention_check_interval_ms: 600_000,
        }
    }
}

/// What is written: it moves only in [`Hard::apply`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hard {
    pub(super) groups: BTreeMap<GroupId, HardGroup>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct HardGroup {
    pub metadata: Option<GroupMetadata>,
    pub offsets: BTreeMap<TopicName, BTreeMap<PartitionId, CommittedOffset>>,
}

/// What is lost with the process: rebalances under way, who waits, deadlines.
#[derive(Debug)]
pub struct Soft {
    pub(super) config: GroupConfig,
}

/// Life of a shard: `new`, `apply` every record read back, `start`, then `decide`, `tick`, `apply` and `persist_failed` as outputs ask.
#[derive(Debug)]
pub struct GroupShard {
    hard: Hard,
    soft: Soft,
}

impl GroupShard {
    pub fn new(config: GroupConfig) -> GroupShard {
        GroupShard { hard: Hard::default(), soft: Soft { config } }
    }

    /// All records of the shard have been applied: members get fresh session deadlines. Gives the first `Wake`.
    pub fn start(&mut self, _now: Timestamp) -> Vec<Output> {
        Vec::new()
    }

    pub fn hard(&self) -> &Hard {
        &self.hard
    }

    /// Answers a request, at once or later through its token.
    pub fn decide(&mut self, now: Timestamp, token: Token, request: Request, ids: &mut dyn MemberIds) -> Vec<Output> {
        decide(&self.hard, &mut self.soft, now, token, request, ids)
    }

    /// Does what is due by now.
    pub fn tick(&mut self, _now: Timestamp) -> Vec<Output> {
        Vec::new()
    }

    /// One record that has been written, or is read back.
    pub fn apply(&mut self, record: &Record) {
        self.hard.apply(record);
    }

    /// These records of one `Persist` could not be appended. Groups whose membership was in them fall back to what is written, as after
    /// a restart; whoever waits in them is answered with the error.
    pub fn persist_failed(&mut self, _now: Timestamp, _records: &[Record], _error: ErrorCode) -> Vec<Output> {
        Vec::new()
    }
}

impl Hard {
    pub fn apply(&mut self, _record: &Record) {}
}

/// Decides what a request means now. Hard state is only looked at.
pub fn decide(_hard: &Hard, _soft: &mut Soft, _now: Timestamp, _token: Token, _request: Request, _ids: &mut dyn MemberIds) -> Vec<Output> {
    Vec::new()
}
