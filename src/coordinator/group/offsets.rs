//! Committed offsets: commit, fetch, delete, expire.

use std::sync::Arc;

use super::GroupId;
use super::rebalance::Turn;
use super::reply::{FetchedOffset, OffsetDeleteReply, OffsetFetchReply, PartitionErrors};
use super::request::{CommitPartition, OffsetCommit, OffsetDelete, OffsetFetch};
use super::shard::{Groups, Hard, HardGroup};
use super::state::{ClassicGroup, GroupState};
use crate::coordinator::records::{CommittedOffset, Record};
use crate::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, Timestamp, TopicName};

/// From this version on GROUP_ID_NOT_FOUND may be answered.
const GROUP_NOT_FOUND_FROM: i16 = 9;

pub(super) fn commit(groups: &mut Groups, request: OffsetCommit, turn: &mut Turn) -> PartitionErrors {
    let refusal = may_commit(groups, &request, turn).err();
    let expire_timestamp = if request.retention_ms == -1 { Timestamp::NONE } else { turn.now.plus_ms(request.retention_ms) };
    let mut records = Vec::new();
    let mut answer = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut errors = Vec::with_capacity(topic.partitions.len());
        for CommitPartition { partition, offset, leader_epoch, metadata } in topic.partitions {
            // Counted as Java counts.
            let too_long = metadata.encode_utf16().count() > turn.config.offset_metadata_bytes_max;
            let error = refusal.unwrap_or(if too_long { ErrorCode::OffsetMetadataTooLarge } else { ErrorCode::None });
            errors.push((partition, error));
            if !error.is_ok() {
                continue;
            }
            let value = CommittedOffset {
                offset,
                leader_epoch,
                metadata: Arc::from(metadata),
                commit_timestamp: turn.now,
                expire_timestamp,
                topic_id: topic.topic_id,
            };
            records.push(Record::Offset { group: request.group.clone(), topic: topic.topic.clone(), partition, value: Some(value) });
        }
        answer.push((topic.topic, errors));
    }
    turn.persist(records);
    answer
}

/// Who may commit: a member of the current generation, or anybody from outside while there are no members.
fn may_commit(groups: &mut Groups, request: &OffsetCommit, turn: &mut Turn) -> Result<(), ErrorCode> {
    let outside = request.generation < 0;
    if !outside && !groups.contains_key(&request.group) {
        let unknown = if request.version >= GROUP_NOT_FOUND_FROM { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration };
        return Err(unknown);
    }
    if !groups.contains_key(&request.group) && turn.is_full(groups) {
        return Err(ErrorCode::GroupMaxSizeReached);
    }
    // A commit from outside makes a simple group.
    let group = groups.entry(request.group.clone()).or_insert_with(|| ClassicGroup::new(request.group.clone(), turn.now));
    if outside && group.state == GroupState::Empty {
        return Ok(());
    }
    if outside && request.member_id.is_empty() && request.instance_id.is_none() {
        return Err(ErrorCode::UnknownMemberId);
    }
    group.validate_current(&request.member_id, request.instance_id.as_ref(), request.generation)?;
    if group.state == GroupState::CompletingRebalance {
        return Err(ErrorCode::RebalanceInProgress);
    }
    group.keep_alive(&request.member_id, turn);
    Ok(())
}

pub(super) fn fetch(hard: &Hard, request: OffsetFetch) -> OffsetFetchReply {
    let committed = hard.groups.get(&request.group).map(|group| &group.offsets);
    let topics = match request.topics {
        Some(topics) => topics
            .into_iter()
            .map(|(topic, partitions)| {
                let of_topic = committed.and_then(|all| all.get(&topic));
                let fetched = partitions.into_iter().map(|id| fetched(id, of_topic.and_then(|all| all.get(&id))));
                (topic.clone(), fetched.collect())
            })
            .collect(),
        None => committed
            .into_iter()
            .flatten()
            .map(|(topic, all)| (topic.clone(), all.iter().map(|(id, offset)| fetched(*id, Some(offset))).collect()))
            .collect(),
    };
    OffsetFetchReply { error: ErrorCode::None, topics }
}

fn fetched(partition: PartitionId, committed: Option<&CommittedOffset>) -> FetchedOffset {
    FetchedOffset {
        partition,
        offset: committed.map_or(Offset::NONE, |c| c.offset),
        leader_epoch: committed.map_or(LeaderEpoch::UNKNOWN, |c| c.leader_epoch),
        metadata: committed.map_or_else(|| Arc::from(""), |c| c.metadata.clone()),
        error: ErrorCode::None,
    }
}

pub(super) fn delete(groups: &Groups, hard: &Hard, request: OffsetDelete, turn: &mut Turn) -> OffsetDeleteReply {
    let refuse = |error| OffsetDeleteReply { error, topics: Vec::new() };
    if request.group.is_empty() {
        return refuse(ErrorCode::InvalidGroupId);
    }
    let Some(group) = groups.get(&request.group) else { return refuse(ErrorCode::GroupIdNotFound) };
    // What members of another protocol type read is not known.
    if group.state != GroupState::Empty && !group.uses_consumer_protocol() {
        return refuse(ErrorCode::NonEmptyGroup);
    }
    let mut records = Vec::new();
    let mut answer = Vec::with_capacity(request.topics.len());
    for (topic, partitions) in request.topics {
        let error = if group.is_subscribed_to(&topic) { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
        let committed = hard.groups.get(&request.group).and_then(|group| group.offsets.get(&topic));
        for partition in &partitions {
            if error.is_ok() && committed.is_some_and(|all| all.contains_key(partition)) {
                records.push(tombstone(&request.group, &topic, *partition));
            }
        }
        answer.push((topic, partitions.into_iter().map(|id| (id, error)).collect()));
    }
    turn.persist(records);
    OffsetDeleteReply { error: ErrorCode::None, topics: answer }
}

/// What was committed beyond the end of its partition, at that end: a power cut took records that a reader had dealt with, and other
/// records will stand at their offsets.
pub(super) fn beyond_the_end(hard: &Hard, end_of: impl Fn(&TopicName, PartitionId) -> Option<Offset>) -> Vec<Record> {
    let mut moved = Vec::new();
    for (id, group) in &hard.groups {
        for (topic, all) in &group.offsets {
            for (partition, committed) in all {
                let Some(end) = end_of(topic, *partition).filter(|end| *end < committed.offset) else { continue };
                let value = Some(CommittedOffset { offset: end, ..committed.clone() });
                moved.push(Record::Offset { group: id.clone(), topic: topic.clone(), partition: *partition, value });
            }
        }
    }
    moved
}

/// Topics that are gone take their offsets with them.
pub(super) fn forget_topics(hard: &Hard, topics: &[TopicName], turn: &mut Turn) {
    for (id, group) in &hard.groups {
        let of_topic = |topic| group.offsets.get(topic).into_iter().flatten().map(move |(partition, _)| tombstone(id, topic, *partition));
        turn.persist(topics.iter().flat_map(of_topic).collect());
    }
}

pub(super) fn offset_tombstones(id: &GroupId, hard: &Hard) -> Vec<Record> {
    let offsets = hard.groups.get(id).into_iter().flat_map(|group| &group.offsets);
    offsets.flat_map(|(topic, all)| all.keys().map(move |partition| tombstone(id, topic, *partition))).collect()
}

/// Everything that says a group was there.
pub(super) fn group_tombstones(id: &GroupId, hard: &Hard) -> Vec<Record> {
    let mut records = offset_tombstones(id, hard);
    records.push(Record::Group { group: id.clone(), value: None });
    records
}

/// Drops offsets whose time is over, and groups that have nothing left.
pub(super) fn expire(groups: &mut Groups, hard: &Hard, turn: &mut Turn) {
    let mut empty = Vec::new();
    for (id, group) in groups.iter() {
        let Some(starts) = retention_starts(group) else { continue };
        let (expired, kept) = hard.groups.get(id).map_or((Vec::new(), 0), |hard| expired_offsets(id, group, hard, starts, turn));
        if kept == 0 && group.state == GroupState::Empty && group.pending.is_empty() {
            empty.push(id.clone());
        } else {
            turn.persist(expired);
        }
    }
    for id in empty {
        if hard.groups.contains_key(&id) {
            turn.persist(group_tombstones(&id, hard));
        }
        groups.remove(&id);
    }
}

/// When the retention time of a group's offsets begins; None if none of them may expire now.
#[derive(Clone, Copy)]
enum RetentionStart {
    AtCommit,
    At(Timestamp),
}

fn retention_starts(group: &ClassicGroup) -> Option<RetentionStart> {
    match group.state {
        _ if group.protocol_type.is_none() => Some(RetentionStart::AtCommit),
        GroupState::Empty if group.state_timestamp == Timestamp::NONE => Some(RetentionStart::AtCommit),
        GroupState::Empty => Some(RetentionStart::At(group.state_timestamp)),
        GroupState::Stable if group.subscribed.is_some() => Some(RetentionStart::AtCommit),
        _ => None,
    }
}

/// Tombstones for what has expired, and the number of offsets that stay.
fn expired_offsets(id: &GroupId, group: &ClassicGroup, hard: &HardGroup, starts: RetentionStart, turn: &Turn) -> (Vec<Record>, usize) {
    let (mut expired, mut kept) = (Vec::new(), 0);
    for (topic, all) in &hard.offsets {
        let read_now = group.is_subscribed_to(topic);
        for (partition, offset) in all {
            let start = match starts {
                RetentionStart::AtCommit => offset.commit_timestamp,
                RetentionStart::At(time) => time,
            };
            let over = if offset.expire_timestamp == Timestamp::NONE {
                turn.now.since(start) >= turn.config.offsets_retention_ms
            } else {
                turn.now >= offset.expire_timestamp
            };
            if over && !read_now {
                expired.push(tombstone(id, topic, *partition));
            } else {
                kept += 1;
            }
        }
    }
    (expired, kept)
}

fn tombstone(group: &GroupId, topic: &TopicName, partition: PartitionId) -> Record {
    Record::Offset { group: group.clone(), topic: topic.clone(), partition, value: None }
}
