//! A set of groups with everything they need: hard state, soft state, deadlines.

use std::collections::BTreeMap;

use super::rebalance::Turn;
use super::state::ClassicGroup;
use super::timers::{Deadline, Timers};
use super::{GroupId, Reply, Request, classic, inspect, offsets};
use crate::coordinator::records::{CommittedOffset, GroupMetadata, Record};
use crate::coordinator::{self, Token};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};

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
    /// `headwater.groups.max`, for all shards together. Whoever runs through group names is refused then; those that nobody uses expire.
    pub groups_max: usize,
    /// `headwater.group.member.metadata.max.bytes`
    pub member_metadata_bytes_max: usize,
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
            groups_max: 2_000,
            member_metadata_bytes_max: 65_536,
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

pub(super) type Groups = BTreeMap<GroupId, ClassicGroup>;

/// What is lost with the process: rebalances under way, who waits, deadlines.
#[derive(Debug)]
pub struct Soft {
    config: GroupConfig,
    /// Groups of the other shards, as of the last word from them.
    elsewhere: usize,
    /// Every group there is: those in `Hard`, and new ones on their way there.
    groups: Groups,
    timers: Timers,
}

/// Life of a shard: `new`, `apply` every record read back, `start`, then `decide` and `tick`, each time carrying out what they give.
#[derive(Debug)]
pub struct GroupShard {
    hard: Hard,
    soft: Soft,
}

/// What a shard needs done while outputs are carried out.
pub trait Effects {
    /// Appends records, all of one group, as one batch to that group's partition of `__consumer_offsets`.
    fn append(&mut self, group: &GroupId, records: &[Record]) -> Result<(), ErrorCode>;
    fn reply(&mut self, token: Token, reply: Reply);
    fn wake(&mut self, at: Timestamp);
}

impl GroupShard {
    pub fn new(config: GroupConfig) -> GroupShard {
        GroupShard { hard: Hard::default(), soft: Soft { config, elsewhere: 0, groups: Groups::new(), timers: Timers::default() } }
    }

    /// All records of the shard have been applied: members get fresh sessions. Gives the first `Wake`.
    pub fn start(&mut self, now: Timestamp) -> Vec<Output> {
        let GroupShard { hard, soft } = self;
        soft.timers = Timers::default();
        soft.groups = hard.groups.iter().map(|(id, written)| (id.clone(), written.revive(id, now))).collect();
        soft.turn(now, |groups, turn| {
            groups.values_mut().for_each(|group| group.begin_sessions(turn));
            turn.timers.add(now.plus_ms(turn.config.offsets_retention_check_interval_ms), Deadline::Retention);
        })
    }

    pub fn hard(&self) -> &Hard {
        &self.hard
    }

    /// Settings changed while running: they hold from the next decision on.
    pub fn set_config(&mut self, config: GroupConfig) {
        self.soft.config = config;
    }

    /// How many groups there are in this shard.
    pub fn group_count(&self) -> usize {
        self.soft.groups.len()
    }

    /// How many there are in all others, for the limit that holds for all together.
    pub fn set_elsewhere(&mut self, groups: usize) {
        self.soft.elsewhere = groups;
    }

    /// Answers a request, at once or later through its token.
    pub fn decide(&mut self, now: Timestamp, token: Token, request: Request, ids: &mut dyn MemberIds) -> Vec<Output> {
        decide(&self.hard, &mut self.soft, now, token, request, ids)
    }

    /// Does what is due by now. Calling it early or late is harmless.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Output> {
        tick(&self.hard, &mut self.soft, now)
    }

    /// One record that has been written, or is read back.
    pub fn apply(&mut self, record: &Record) {
        self.hard.apply(record);
    }

    /// Commits beyond the end of their partition, moved back to it: to be written and applied before `start`.
    pub fn commits_beyond_the_end(&self, end_of: impl Fn(&TopicName, PartitionId) -> Option<Offset>) -> Vec<Record> {
        offsets::beyond_the_end(&self.hard, end_of)
    }

    /// These records of one `Persist` could not be appended. If the group's membership was in them, it falls back to what is written, as
    /// after a restart, and whoever waits in it is answered with the error. Carry these outputs out after those of the decision.
    pub fn persist_failed(&mut self, now: Timestamp, records: &[Record], error: ErrorCode) -> Vec<Output> {
        let GroupShard { hard, soft } = self;
        let Some(id) = records.first().map(Record::group) else { return Vec::new() };
        let written = hard.groups.get(id);
        let only_offsets = records.iter().all(|record| matches!(record, Record::Offset { .. }));
        if only_offsets && written.is_some() {
            return Vec::new();
        }
        soft.turn(now, |groups, turn| {
            let mut generation_told = 0;
            if let Some(mut group) = groups.remove(id) {
                generation_told = group.generation_told;
                group.dissolve(error, turn);
            }
            if let Some(written) = written {
                let mut group = written.revive(id, now);
                group.generation_told = generation_told;
                group.begin_sessions(turn);
                groups.insert(id.clone(), group);
            }
        })
    }

    /// Carries outputs out in order, as `Output` demands.
    pub fn carry_out(&mut self, now: Timestamp, outputs: Vec<Output>, effects: &mut impl Effects) {
        let mut outputs = outputs;
        while !outputs.is_empty() {
            let mut failed = None;
            let mut consequences = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist(records) => {
                        let Some(group) = records.first().map(Record::group) else { continue };
                        failed = effects.append(group, &records).err();
                        match failed {
                            None => records.iter().for_each(|record| self.apply(record)),
                            Some(error) => consequences.extend(self.persist_failed(now, &records, error)),
                        }
                    }
                    Output::Reply(token, reply) => {
                        effects.reply(token, if let Some(error) = failed { reply.refused(error) } else { reply })
                    }
                    Output::Wake(at) => effects.wake(at),
                }
            }
            outputs = consequences;
        }
    }
}

impl Hard {
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Group { group, value } => {
                self.groups.entry(group.clone()).or_default().metadata = value.clone();
            }
            Record::Offset { group, topic, partition, value: Some(value) } => {
                let offsets = &mut self.groups.entry(group.clone()).or_default().offsets;
                offsets.entry(topic.clone()).or_default().insert(*partition, value.clone());
            }
            Record::Offset { group, topic, partition, value: None } => {
                if let Some(offsets) = self.groups.get_mut(group).map(|group| &mut group.offsets)
                    && let Some(of_topic) = offsets.get_mut(topic)
                {
                    of_topic.remove(partition);
                    if of_topic.is_empty() {
                        offsets.remove(topic);
                    }
                }
            }
        }
        let id = record.group();
        if self.groups.get(id).is_some_and(|group| group.metadata.is_none() && group.offsets.is_empty()) {
            self.groups.remove(id);
        }
    }
}

impl HardGroup {
    fn revive(&self, id: &GroupId, now: Timestamp) -> ClassicGroup {
        ClassicGroup::restored(id.clone(), self.metadata.as_ref(), now)
    }
}

impl Soft {
    /// Runs one decision and adds the time to wake up at, if that has changed.
    fn turn(&mut self, now: Timestamp, act: impl FnOnce(&mut Groups, &mut Turn)) -> Vec<Output> {
        let Soft { config, elsewhere, groups, timers } = self;
        let mut turn = Turn { config, groups_elsewhere: *elsewhere, timers, now, outputs: Vec::new() };
        act(groups, &mut turn);
        let mut outputs = turn.outputs;
        outputs.extend(timers.news().map(Output::Wake));
        outputs
    }
}

/// Decides what a request means now. Hard state is only looked at.
pub fn decide(hard: &Hard, soft: &mut Soft, now: Timestamp, token: Token, request: Request, ids: &mut dyn MemberIds) -> Vec<Output> {
    soft.turn(now, |groups, turn| {
        let reply = match request {
            Request::JoinGroup(request) => return classic::join(groups, token, request, ids, turn),
            Request::SyncGroup(request) => return classic::sync(groups, token, request, turn),
            Request::Heartbeat(request) => Reply::Heartbeat(classic::heartbeat(groups, &request, turn)),
            Request::LeaveGroup(request) => Reply::LeaveGroup(classic::leave(groups, request, turn)),
            Request::OffsetCommit(request) => Reply::OffsetCommit(offsets::commit(groups, request, turn)),
            Request::OffsetFetch(request) => Reply::OffsetFetch(offsets::fetch(hard, request)),
            Request::DescribeGroup(request) => Reply::DescribeGroup(inspect::describe(groups, request)),
            Request::ListGroups(request) => Reply::ListGroups(inspect::list(groups, &request)),
            Request::Survey => Reply::Survey(inspect::survey(groups, hard)),
            Request::DeleteGroup(group) => Reply::DeleteGroup(inspect::delete(groups, hard, &group, turn)),
            Request::EraseGroup(group) => Reply::DeleteGroup(inspect::erase(groups, hard, &group, turn)),
            Request::OffsetDelete(request) => Reply::OffsetDelete(offsets::delete(groups, hard, request, turn)),
            Request::TopicsDeleted(topics) => {
                offsets::forget_topics(hard, &topics, turn);
                Reply::Done(ErrorCode::None)
            }
        };
        turn.reply(token, reply);
    })
}

/// Does what is due by now.
pub fn tick(hard: &Hard, soft: &mut Soft, now: Timestamp) -> Vec<Output> {
    soft.timers.forget_told();
    soft.turn(now, |groups, turn| {
        while let Some(deadline) = turn.timers.pop(now) {
            match deadline {
                Deadline::Member(group, member) => on(groups, &group, |group| group.member_deadline_up(&member, turn)),
                Deadline::Join(group) => on(groups, &group, |group| group.join_deadline_passed(turn)),
                Deadline::Sync(group) => on(groups, &group, |group| group.sync_deadline_passed(turn)),
                Deadline::Retention => {
                    offsets::expire(groups, hard, turn);
                    turn.timers.add(now.plus_ms(turn.config.offsets_retention_check_interval_ms.max(1)), Deadline::Retention);
                }
            }
        }
    })
}

fn on(groups: &mut Groups, id: &GroupId, act: impl FnOnce(&mut ClassicGroup)) {
    if let Some(group) = groups.get_mut(id) {
        act(group);
    }
}

#[cfg(test)]
impl GroupShard {
    pub(super) fn knows(&self, group: &GroupId) -> bool {
        self.soft.groups.contains_key(group)
    }

    pub(super) fn check(&self) {
        self.soft.groups.values().for_each(ClassicGroup::check);
        assert!(self.hard.groups.keys().all(|id| self.soft.groups.contains_key(id)));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::coordinator::group::MemberId;
    use crate::coordinator::group::request::{CommitPartition, CommitTopic, JoinGroup, JoinProtocol, OffsetCommit};
    use crate::model::{LeaderEpoch, Offset, TopicId};

    #[derive(Default)]
    struct Replies(Vec<Reply>);

    impl Effects for Replies {
        fn append(&mut self, _: &GroupId, _: &[Record]) -> Result<(), ErrorCode> {
            Ok(())
        }
        fn reply(&mut self, _: Token, reply: Reply) {
            self.0.push(reply);
        }
        fn wake(&mut self, _: Timestamp) {}
    }

    struct Room {
        shard: GroupShard,
        ids: rand_chacha::ChaCha12Rng,
    }

    impl Room {
        fn new(group_size_max: usize) -> Room {
            let config = GroupConfig { group_size_max, ..GroupConfig::default() };
            Room { shard: GroupShard::new(config), ids: rand_chacha::ChaCha12Rng::seed_from_u64(1) }
        }

        fn ask(&mut self, request: Request) -> Reply {
            let mut replies = Replies::default();
            let outputs = self.shard.decide(Timestamp(0), Token(1), request, &mut self.ids);
            self.shard.carry_out(Timestamp(0), outputs, &mut replies);
            replies.0.pop().unwrap()
        }

        fn commit(&mut self, group: &str) -> ErrorCode {
            let partition =
                CommitPartition { partition: PartitionId(0), offset: Offset(1), leader_epoch: LeaderEpoch(0), metadata: String::new() };
            let reply = self.ask(Request::OffsetCommit(OffsetCommit {
                version: 8,
                group: group.into(),
                generation: -1,
                member_id: MemberId::default(),
                instance_id: None,
                retention_ms: -1,
                topics: vec![CommitTopic { topic: "t".into(), topic_id: TopicId::ZERO, partitions: vec![partition] }],
            }));
            let Reply::OffsetCommit(topics) = reply else { panic!("{reply:?}") };
            topics[0].1[0].1
        }

        fn join(&mut self, group: &str, metadata: usize) -> ErrorCode {
            let reply = self.ask(Request::JoinGroup(JoinGroup {
                version: 4,
                group: group.into(),
                member_id: MemberId::default(),
                instance_id: None,
                client_id: "c".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout_ms: 10_000,
                rebalance_timeout_ms: 10_000,
                protocol_type: "consumer".into(),
                protocols: vec![JoinProtocol { name: "range".into(), metadata: vec![0; metadata].into() }],
            }));
            let Reply::JoinGroup(reply) = reply else { panic!("{reply:?}") };
            reply.error
        }
    }

    #[test]
    fn nobody_fills_the_memory_with_groups() {
        let mut room = Room::new(10);
        room.shard.set_elsewhere(1_990);
        for number in 0..10 {
            assert_eq!(room.commit(&format!("g{number}")), ErrorCode::None);
        }
        assert_eq!(room.commit("one more"), ErrorCode::GroupMaxSizeReached);
        assert_eq!(room.join("one more", 1), ErrorCode::GroupMaxSizeReached);
        assert!(!room.shard.knows(&"one more".into()));
        assert_eq!(room.commit("g7"), ErrorCode::None);
    }

    #[test]
    fn a_group_hands_out_no_more_member_ids_than_it_has_room_for() {
        let mut room = Room::new(3);
        for _ in 0..3 {
            assert_eq!(room.join("g", 1), ErrorCode::MemberIdRequired);
        }
        assert_eq!(room.join("g", 1), ErrorCode::GroupMaxSizeReached);
    }

    #[test]
    fn a_member_offers_no_more_than_a_bounded_number_of_bytes() {
        let mut room = Room::new(3);
        assert_eq!(room.join("g", 65_536), ErrorCode::InvalidRequest);
        assert!(!room.shard.knows(&"g".into()));
        assert_eq!(room.join("g", 65_531), ErrorCode::MemberIdRequired);
    }
}
