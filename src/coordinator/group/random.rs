//! Random requests, times, failed writes and restarts, against what must always hold.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::request::*;
use super::script::Stage;
use super::*;
use crate::coordinator::Token;
use crate::model::*;

/// What a client of the group may have heard.
#[derive(Default)]
struct Heard {
    members: Vec<(GroupId, MemberId, Option<InstanceId>)>,
    generations: BTreeMap<GroupId, i32>,
    /// Joins and syncs that are still open, or have been looked at.
    joins: BTreeMap<Token, (GroupId, Option<InstanceId>)>,
    syncs: BTreeMap<Token, (GroupId, i32, String)>,
    /// Who was given what, per group, its life and generation.
    owners: BTreeMap<(GroupId, u32, i32, String), String>,
    lives: BTreeMap<GroupId, u32>,
}

const NAMES: [&str; 3] = ["g", "h", "i"];
const PROTOCOLS: [&str; 3] = ["range", "sticky", "roundrobin"];

struct Player {
    rng: ChaCha8Rng,
    stage: Stage,
    heard: Heard,
}

impl Player {
    fn new(seed: u64) -> Player {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let config = GroupConfig {
            initial_rebalance_delay_ms: if rng.random_bool(0.5) { 0 } else { 3000 },
            group_size_max: if rng.random_bool(0.3) { 3 } else { 100 },
            offsets_retention_ms: 400_000,
            offsets_retention_check_interval_ms: 60_000,
            ..GroupConfig::default()
        };
        let stage = Stage::new(config, Box::new(ChaCha8Rng::seed_from_u64(seed ^ 1)));
        Player { rng, stage, heard: Heard::default() }
    }

    fn one_of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.rng.random_range(0..from.len())].clone()
    }

    fn somebody(&mut self) -> (GroupId, MemberId, Option<InstanceId>) {
        if self.heard.members.is_empty() || self.rng.random_bool(0.1) {
            let group = self.one_of(&NAMES).into();
            return (group, "stranger".into(), None);
        }
        let recent = self.heard.members.len().min(12);
        let index = self.heard.members.len() - 1 - self.rng.random_range(0..recent);
        let (group, member, instance) = self.heard.members[index].clone();
        let instance = if self.rng.random_bool(0.05) { Some("i0".into()) } else { instance };
        (group, member, instance)
    }

    fn generation(&mut self, group: &GroupId) -> i32 {
        let known = self.heard.generations.get(group).copied().unwrap_or(0);
        if self.rng.random_bool(0.9) { known } else { self.rng.random_range(-1..3) }
    }

    fn join(&mut self) {
        let (mut group, mut member_id, mut instance_id) = self.somebody();
        if self.rng.random_bool(0.35) {
            group = self.one_of(&NAMES).into();
            member_id = MemberId::default();
            instance_id = self.rng.random_bool(0.4).then(|| format!("i{}", self.rng.random_range(0..3)).into());
        }
        let sane = self.rng.random_bool(0.8);
        self.join_of(group, member_id, instance_id, sane);
    }

    fn join_of(&mut self, group: GroupId, member_id: MemberId, instance_id: Option<InstanceId>, sane: bool) {
        let mut names = PROTOCOLS.to_vec();
        names.rotate_left(self.rng.random_range(0..3));
        names.truncate(if sane { 3 } else { self.rng.random_range(1..4) });
        let topic = self.one_of(&["t", "u"]);
        let metadata = Bytes::from(format!("\0\x01\0\0\0\x01\0\x01{topic}"));
        let request = JoinGroup {
            version: self.rng.random_range(0..10),
            group: group.clone(),
            member_id,
            instance_id: instance_id.clone(),
            client_id: "c".into(),
            client_host: "/h".into(),
            session_timeout_ms: if sane { 10_000 } else { self.one_of(&[6_000, 30_000, 5]) },
            rebalance_timeout_ms: self.one_of(&[2_000, 5_000, 60_000, -1]),
            protocol_type: if sane { "consumer" } else { self.one_of(&["consumer", "connect", ""]) }.into(),
            protocols: names.into_iter().map(|name| JoinProtocol { name: name.into(), metadata: metadata.clone() }).collect(),
        };
        let token = self.stage.ask("join", Request::JoinGroup(request));
        self.heard.joins.insert(token, (group, instance_id));
    }

    /// Gives each partition to one of the members heard of, as a leader would.
    fn sync(&mut self) {
        let somebody = self.somebody();
        self.sync_of(somebody);
    }

    /// All who were heard of lately behave: they join, wait, and sync.
    fn settle(&mut self) {
        let lately: Vec<_> = self.heard.members.iter().rev().take(6).cloned().collect();
        for (group, member_id, instance_id) in lately {
            self.join_of(group, member_id, instance_id, true);
        }
        self.stage.advance(self.stage.now.plus_ms(5_000));
        self.listen();
        let lately: Vec<_> = self.heard.members.iter().rev().take(6).cloned().collect();
        lately.into_iter().for_each(|member| self.sync_of(member));
    }

    fn sync_of(&mut self, (group, member_id, instance_id): (GroupId, MemberId, Option<InstanceId>)) {
        let generation = self.generation(&group);
        let peers: Vec<MemberId> =
            self.heard.members.iter().rev().filter(|(g, ..)| *g == group).take(4).map(|(_, m, _)| m.clone()).collect();
        let mut shares: BTreeMap<MemberId, String> = BTreeMap::new();
        for partition in 0..4 {
            if !peers.is_empty() {
                let owner = self.one_of(&peers);
                shares.entry(owner).or_default().push_str(&format!("{partition} "));
            }
        }
        let owner = instance_id.as_ref().map_or_else(|| member_id.to_string(), |i| format!("instance {i}"));
        let request = SyncGroup {
            version: self.rng.random_range(0..5),
            group: group.clone(),
            generation,
            member_id,
            instance_id,
            protocol_type: None,
            protocol_name: None,
            assignments: shares.into_iter().map(|(id, text)| (id, Bytes::from(text))).collect(),
        };
        let token = self.stage.ask("sync", Request::SyncGroup(request));
        self.heard.syncs.insert(token, (group, generation, owner));
    }

    fn other(&mut self) {
        let (group, member_id, instance_id) = self.somebody();
        let generation = self.generation(&group);
        let topics = [TopicName::new("t"), TopicName::new("u")];
        let topic = self.one_of(&topics);
        let partition = PartitionId(self.rng.random_range(0..2));
        let request = match self.rng.random_range(0..21) {
            0..6 => Request::Heartbeat(Heartbeat { group, generation, member_id, instance_id }),
            6..9 => Request::LeaveGroup(LeaveGroup { group, members: vec![LeavingMember { member_id, instance_id }] }),
            9..14 => Request::OffsetCommit(OffsetCommit {
                version: 9,
                group,
                generation,
                member_id: if generation < 0 { MemberId::default() } else { member_id },
                instance_id,
                retention_ms: -1,
                topics: vec![CommitTopic {
                    topic,
                    topic_id: TopicId::ZERO,
                    partitions: vec![CommitPartition {
                        partition,
                        offset: Offset(self.rng.random_range(0..100)),
                        leader_epoch: LeaderEpoch(0),
                        metadata: String::new(),
                    }],
                }],
            }),
            14 => Request::OffsetFetch(OffsetFetch { group, topics: None, member_id, member_epoch: -1, require_stable: true }),
            15 => Request::DescribeGroup(DescribeGroup { version: 6, group }),
            16 => Request::ListGroups(ListGroups::default()),
            17 => Request::OffsetDelete(OffsetDelete { group, topics: vec![(topic, vec![partition])] }),
            18 => Request::TopicsDeleted(vec![topic]),
            19 => Request::EraseGroup(group),
            _ => Request::DeleteGroup(group),
        };
        self.stage.ask("other", request);
    }

    fn act(&mut self) {
        if self.rng.random_bool(0.1) {
            self.stage.world.fail = None;
        }
        match self.rng.random_range(0..100) {
            0..30 => self.join(),
            30..55 => self.sync(),
            55..60 => self.settle(),
            60..85 => self.other(),
            85..97 => {
                let ms = self.one_of(&[0, 1, 100, 1000, 3000, 6000, 20_000, 90_000]);
                self.stage.advance(self.stage.now.plus_ms(ms));
            }
            97 => self.stage.world.fail = Some(ErrorCode::CoordinatorNotAvailable),
            98 => self.stage.world.fail = None,
            _ => {
                if self.rng.random_bool(0.3) {
                    self.stage.restart();
                    // Generations that were not written may be given again.
                    self.heard.generations.clear();
                }
            }
        }
        self.stage.shard.check();
        self.listen();
    }

    fn listen(&mut self) {
        let answered = &self.stage.world.answered;
        let done: BTreeSet<Token> =
            self.heard.joins.keys().chain(self.heard.syncs.keys()).filter(|t| answered.contains_key(t)).copied().collect();
        for token in done {
            match &self.stage.world.answered[&token] {
                Reply::JoinGroup(reply) => {
                    let (group, instance) = self.heard.joins.remove(&token).unwrap();
                    if !reply.member_id.is_empty() && (reply.error.is_ok() || reply.error == ErrorCode::MemberIdRequired) {
                        self.heard.members.push((group.clone(), reply.member_id.clone(), instance));
                    }
                    if reply.error.is_ok() {
                        let last = self.heard.generations.insert(group.clone(), reply.generation).unwrap_or(0);
                        assert!(reply.generation >= last, "generation of {group} went from {last} to {}", reply.generation);
                        assert!(reply.members.is_empty() || reply.members.iter().any(|m| m.member_id == reply.leader));
                    }
                }
                Reply::SyncGroup(reply) => {
                    let (group, generation, owner) = self.heard.syncs.remove(&token).unwrap();
                    let life = self.heard.lives.get(&group).copied().unwrap_or(0);
                    for partition in String::from_utf8_lossy(&reply.assignment).split_whitespace() {
                        let key = (group.clone(), life, generation, partition.to_string());
                        let first = self.heard.owners.entry(key).or_insert_with(|| owner.clone());
                        assert_eq!(*first, owner, "partition {partition} of {group} has two owners in generation {generation}");
                    }
                }
                _ => unreachable!("only joins and syncs are listened to"),
            }
        }
        // A group that has vanished begins a new life, also one that was empty and came back because that could not be written.
        let seen = std::mem::take(&mut self.stage.world.seen);
        for name in NAMES {
            let group = GroupId::from(name);
            let erased = format!("erase group {name}");
            let came_back = seen.iter().any(|line| line.starts_with("failed: ") && line.ends_with(&erased));
            if came_back || !self.stage.shard.knows(&group) {
                *self.heard.lives.entry(group.clone()).or_insert(0) += 1;
                self.heard.generations.remove(&group);
            }
        }
    }
}

/// Gives the number of partitions that found an owner.
fn play(seed: u64, steps: usize) -> usize {
    let mut player = Player::new(seed);
    for _ in 0..steps {
        player.act();
    }
    player.stage.check_end();
    player.stage.shard.check();
    player.heard.owners.len()
}

#[test]
fn whatever_comes_every_request_is_answered_once_and_replay_equals_live() {
    let mut owned = 0;
    for seed in 0..150 {
        let run = std::panic::catch_unwind(|| play(seed, 400));
        owned += run.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(owned > 2000, "hardly any group became stable: {owned}");
}
