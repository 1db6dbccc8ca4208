//! A group of 300 members: how long a whole rebalance takes, and one heartbeat.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use headwater::coordinator::Token;
use headwater::coordinator::group::reply::JoinGroupReply;
use headwater::coordinator::group::request::{Heartbeat, JoinGroup, JoinProtocol, SyncGroup};
use headwater::coordinator::group::{Effects, GroupConfig, GroupId, GroupShard, MemberId, Reply, Request};
use headwater::coordinator::records::Record;
use headwater::model::{ErrorCode, Timestamp};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const MEMBERS: u64 = 300;

/// Keeps the answers to joins.
#[derive(Default)]
struct Answers(Vec<JoinGroupReply>);

impl Effects for Answers {
    fn append(&mut self, _: &GroupId, records: &[Record]) -> Result<(), ErrorCode> {
        records.iter().for_each(|record| drop(black_box(record.encode_value())));
        Ok(())
    }

    fn reply(&mut self, _: Token, reply: Reply) {
        if let Reply::JoinGroup(reply) = reply {
            self.0.push(reply);
        }
    }

    fn wake(&mut self, _: Timestamp) {}
}

struct Class {
    shard: GroupShard,
    answers: Answers,
    ids: ChaCha8Rng,
    now: Timestamp,
}

impl Class {
    fn new() -> Class {
        let mut class = Class {
            shard: GroupShard::new(GroupConfig { initial_rebalance_delay_ms: 100, ..GroupConfig::default() }),
            answers: Answers::default(),
            ids: ChaCha8Rng::seed_from_u64(1),
            now: Timestamp(0),
        };
        class.shard.start(class.now);
        class
    }

    fn ask(&mut self, token: u64, request: Request) {
        let outputs = self.shard.decide(self.now, Token(token), request, &mut self.ids);
        self.shard.carry_out(self.now, outputs, &mut self.answers);
    }

    fn join(&mut self, token: u64, member_id: MemberId) {
        let request = JoinGroup {
            version: 3,
            group: "class".into(),
            member_id,
            instance_id: None,
            client_id: "student".to_string(),
            client_host: "/127.0.0.1".to_string(),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 300_000,
            protocol_type: "consumer".to_string(),
            protocols: vec![JoinProtocol { name: "range".to_string(), metadata: Bytes::from_static(&[0; 200]) }],
        };
        self.ask(token, Request::JoinGroup(request));
    }

    /// Everybody joins, the delay passes, everybody syncs.
    fn rebalance(&mut self) -> Vec<MemberId> {
        (0..MEMBERS).for_each(|token| self.join(token, MemberId::default()));
        self.now = self.now.plus_ms(100);
        while self.answers.0.is_empty() {
            let outputs = self.shard.tick(self.now);
            self.shard.carry_out(self.now, outputs, &mut self.answers);
            self.now = self.now.plus_ms(100);
        }
        let joined = std::mem::take(&mut self.answers.0);
        let everybody: Vec<MemberId> = joined.iter().map(|reply| reply.member_id.clone()).collect();
        for reply in joined {
            let leads = reply.member_id == reply.leader;
            let share = |id: &MemberId| (id.clone(), Bytes::from_static(&[0; 60]));
            let request = SyncGroup {
                version: 3,
                group: "class".into(),
                generation: reply.generation,
                member_id: reply.member_id,
                instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: if leads { everybody.iter().map(share).collect() } else { Vec::new() },
            };
            self.ask(1000, Request::SyncGroup(request));
        }
        everybody
    }
}

fn coordinator(c: &mut Criterion) {
    c.bench_function("300 members join and sync", |b| {
        b.iter_batched(Class::new, |mut class| black_box(class.rebalance()), BatchSize::SmallInput);
    });
    let mut class = Class::new();
    let everybody = class.rebalance();
    let mut next = everybody.iter().cycle();
    c.bench_function("one heartbeat among 300 members", |b| {
        b.iter(|| {
            let member_id = next.next().cloned().unwrap_or_default();
            let request = Heartbeat { group: "class".into(), generation: 1, member_id, instance_id: None };
            class.now = class.now.plus_ms(1);
            class.ask(2000, Request::Heartbeat(request));
        });
    });
}

criterion_group!(benches, coordinator);
criterion_main!(benches);
