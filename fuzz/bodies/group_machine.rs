//! Requests, time, failed writes and restarts for two groups: every request is answered once, a group's generation does not fall,
//! and what was written gives the same state when it is read back.
//!
//! Four bytes of the input are a step: what, who, and two for details.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use headwater::coordinator::Token;
use headwater::coordinator::group::request::*;
use headwater::coordinator::group::{Effects, GroupConfig, GroupId, GroupShard, InstanceId, MemberId, MemberIds, Output, Reply, Request};
use headwater::coordinator::records::Record;
use headwater::model::{ErrorCode, LeaderEpoch, Offset, PartitionId, Timestamp, TopicId, TopicName};

const STEPS_MAX: usize = 300;
/// Longer than any timeout that is asked for here.
const LONG_MS: i64 = 4_000_000;

#[derive(Default)]
struct World {
    written: Vec<Record>,
    replies: Vec<(Token, Reply)>,
    wake: Option<Timestamp>,
    fails: bool,
    /// Groups that begin anew, or fall back to what is written because more could not be: then a member is told its former generation.
    fell_back: Vec<GroupId>,
}

impl Effects for World {
    fn append(&mut self, group: &GroupId, records: &[Record]) -> Result<(), ErrorCode> {
        if records.iter().any(|record| matches!(record, Record::Group { value, .. } if self.fails || value.is_none())) {
            self.fell_back.push(group.clone());
        }
        if self.fails {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        assert!(records.iter().all(|record| record.group() == group), "a batch is of one group");
        self.written.extend_from_slice(records);
        Ok(())
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        self.replies.push((token, reply));
    }

    fn wake(&mut self, at: Timestamp) {
        self.wake = Some(at);
    }
}

#[derive(Default)]
struct Ids(u128);

impl MemberIds for Ids {
    fn random(&mut self) -> [u8; 16] {
        self.0 += 1;
        self.0.to_be_bytes()
    }
}

struct Play {
    shard: GroupShard,
    world: World,
    ids: Ids,
    now: Timestamp,
    next: u64,
    waiting: BTreeMap<Token, GroupId>,
    members: Vec<(GroupId, MemberId)>,
    generations: BTreeMap<GroupId, i32>,
}

fn config() -> GroupConfig {
    GroupConfig { group_size_max: 4, offsets_retention_ms: 400_000, offsets_retention_check_interval_ms: 60_000, ..GroupConfig::default() }
}

fn protocols(details: u8) -> Vec<JoinProtocol> {
    let names: &[&str] = match details % 3 {
        0 => &["range"],
        1 => &["sticky", "range"],
        _ => &["other"],
    };
    names.iter().map(|name| JoinProtocol { name: (*name).into(), metadata: Bytes::from_static(&[0, 0, 0, 0, 0, 0]) }).collect()
}

impl Play {
    fn start() -> Play {
        let mut play = Play {
            shard: GroupShard::new(config()),
            world: World::default(),
            ids: Ids::default(),
            now: Timestamp(0),
            next: 0,
            waiting: BTreeMap::new(),
            members: Vec::new(),
            generations: BTreeMap::new(),
        };
        let first = play.shard.start(play.now);
        play.carry_out(first);
        play
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        self.shard.carry_out(self.now, outputs, &mut self.world);
        for group in std::mem::take(&mut self.world.fell_back) {
            self.generations.remove(&group);
        }
        for (token, reply) in std::mem::take(&mut self.world.replies) {
            let group = self.waiting.remove(&token).expect("each request is answered once");
            if let Reply::DescribeGroup(description) = &reply
                && description.error == ErrorCode::GroupIdNotFound
            {
                // A group that is gone begins anew.
                self.generations.remove(&group);
            }
            if let Reply::JoinGroup(reply) = reply
                && (reply.error == ErrorCode::None || reply.error == ErrorCode::MemberIdRequired)
            {
                if reply.error == ErrorCode::None {
                    let last = self.generations.insert(group.clone(), reply.generation).unwrap_or(0);
                    assert!(reply.generation >= last, "{group:?}: {last} to {}", reply.generation);
                }
                self.members.push((group, reply.member_id));
            }
        }
    }

    fn ask(&mut self, group: &GroupId, request: Request) {
        let token = Token(self.next);
        self.next += 1;
        self.waiting.insert(token, group.clone());
        let outputs = self.shard.decide(self.now, token, request, &mut self.ids);
        self.carry_out(outputs);
    }

    fn pass(&mut self, ms: i64) {
        let until = self.now.plus_ms(ms);
        for _ in 0..10_000 {
            let Some(at) = self.world.wake.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.world.wake = None;
            let due = self.shard.tick(self.now);
            self.carry_out(due);
        }
        self.now = until;
    }

    fn restart(&mut self) {
        let mut again = GroupShard::new(config());
        self.world.written.iter().for_each(|record| again.apply(record));
        assert!(again.hard() == self.shard.hard(), "what is read back is what there was");
        // Whoever waited lost the connection.
        self.waiting.clear();
        self.generations.clear();
        self.world.wake = None;
        self.shard = again;
        let first = self.shard.start(self.now);
        self.carry_out(first);
    }

    fn step(&mut self, what: u8, who: u8, details: u8, more: u8) {
        let known = (!self.members.is_empty()).then(|| self.members[usize::from(who >> 1) % self.members.len()].clone());
        let (group, member_id) =
            known.filter(|_| who & 1 == 0).unwrap_or_else(|| (if who & 2 == 0 { "g" } else { "h" }.into(), MemberId::default()));
        let generation = self.generations.get(&group).copied().unwrap_or(0) + if more & 7 == 7 { i32::from(more >> 3) - 16 } else { 0 };
        let instance_id: Option<InstanceId> = (details & 0x30 == 0x30).then(|| if more & 1 == 0 { "i" } else { "j" }.into());
        let topic = TopicName::new(if more & 2 == 0 { "t" } else { "u" });
        let partition = PartitionId(i32::from(more & 1));
        let request = match what % 16 {
            0..=3 => Request::JoinGroup(JoinGroup {
                version: i16::from(details % 10),
                group: group.clone(),
                member_id,
                instance_id,
                client_id: "c".into(),
                client_host: "/h".into(),
                session_timeout_ms: if more & 0x40 == 0 { 10_000 } else { i32::from(details) * 100 },
                rebalance_timeout_ms: if more & 0x80 == 0 { 5_000 } else { i32::from(details) * 300 - 1 },
                protocol_type: if more == 255 { "" } else { "consumer" }.into(),
                protocols: protocols(more >> 2),
            }),
            4..=6 => Request::SyncGroup(SyncGroup {
                version: i16::from(details % 6),
                group: group.clone(),
                generation,
                member_id: member_id.clone(),
                instance_id,
                protocol_type: None,
                protocol_name: None,
                assignments: vec![(member_id, Bytes::copy_from_slice(&[details, more]))],
            }),
            7 => Request::Heartbeat(Heartbeat { group: group.clone(), generation, member_id, instance_id }),
            8 => Request::LeaveGroup(LeaveGroup { group: group.clone(), members: vec![LeavingMember { member_id, instance_id }] }),
            9 => Request::OffsetCommit(OffsetCommit {
                version: 9,
                group: group.clone(),
                generation: if more & 4 == 0 { generation } else { -1 },
                member_id,
                instance_id,
                retention_ms: -1,
                topics: vec![CommitTopic {
                    topic,
                    topic_id: TopicId::ZERO,
                    partitions: vec![CommitPartition {
                        partition,
                        offset: Offset(details.into()),
                        leader_epoch: LeaderEpoch(0),
                        metadata: String::new(),
                    }],
                }],
            }),
            10 => match details % 6 {
                0 => Request::OffsetFetch(OffsetFetch {
                    group: group.clone(),
                    topics: None,
                    member_id,
                    member_epoch: -1,
                    require_stable: true,
                }),
                1 => Request::DescribeGroup(DescribeGroup { version: 6, group: group.clone() }),
                2 => Request::ListGroups(ListGroups::default()),
                3 => Request::OffsetDelete(OffsetDelete { group: group.clone(), topics: vec![(topic, vec![partition])] }),
                4 => Request::TopicsDeleted(vec![topic]),
                _ => Request::DeleteGroup(group.clone()),
            },
            11 | 12 => return self.pass(i64::from(details) * 20),
            13 => return self.pass(i64::from(details) * 2_000),
            14 => return self.world.fails = details & 3 == 0,
            _ if details < 32 => return self.restart(),
            _ => return,
        };
        self.ask(&group, request);
    }

    /// Looks whether the groups are still there.
    fn look(&mut self) {
        for name in ["g", "h"] {
            let group = GroupId::from(name);
            self.ask(&group, Request::DescribeGroup(DescribeGroup { version: 6, group: group.clone() }));
        }
    }
}

pub fn run(input: &[u8]) {
    let mut play = Play::start();
    for step in input.chunks_exact(4).take(STEPS_MAX) {
        play.step(step[0], step[1], step[2], step[3]);
        play.look();
    }
    play.world.fails = false;
    play.pass(LONG_MS);
    let open: BTreeSet<_> = play.waiting.values().collect();
    assert!(open.is_empty(), "never answered: {open:?}");
    play.restart();
}
