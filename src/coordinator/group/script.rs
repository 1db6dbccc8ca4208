//! Plays the scripts in `scripts/`. A script is a list of steps; the indented lines under a step are all that came of it, in order.
//!
//! `HEADWATER_WRITE_SCRIPTS=1 cargo test` writes what comes of each step back into the files, to be read before it is committed.
//!
//! | step | |
//! |---|---|
//! | `== name` | a new script: empty shard at time 0 |
//! | `config key=value ...` | before anything else |
//! | `at MS` | time passes, alarms go off |
//! | `TOKEN: VERB GROUP key=value ...` | a request |
//! | `restart` | everything but the written records is lost |
//! | `fail CODE`, `ok` | appends fail with this error from now on, or not any more |
//!
//! A member id is shown as `client#N`: N counts the ids given out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use bytes::Bytes;

use super::request::*;
use super::shard::Effects;
use super::*;
use crate::coordinator::Token;
use crate::coordinator::records::{GroupMetadata, Record};
use crate::model::*;

/// Ids whose random part is a count.
#[derive(Default)]
pub(super) struct CountingIds(u64);

impl MemberIds for CountingIds {
    fn random(&mut self) -> [u8; 16] {
        self.0 += 1;
        u128::from(self.0).to_be_bytes()
    }
}

fn short(id: &str) -> String {
    match id.split_at_checked(id.len().saturating_sub(36)) {
        Some((name, uuid)) if uuid.starts_with("00000000-0000-4000-8000-") => {
            format!("{}#{}", name.trim_end_matches('-'), u64::from_str_radix(&uuid[24..], 16).unwrap())
        }
        _ => id.to_string(),
    }
}

fn long(id: &str) -> MemberId {
    match id.split_once('#') {
        Some((name, n)) => format!("{name}-00000000-0000-4000-8000-{:012x}", n.parse::<u64>().unwrap()).into(),
        None => id.into(),
    }
}

struct Arguments<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Arguments<'a> {
    fn read(words: impl Iterator<Item = &'a str>) -> Arguments<'a> {
        Arguments(words.map(|w| w.split_once('=').unwrap_or((w, ""))).collect())
    }

    fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> N {
        self.0.get(key).map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{key}={v} is no number")))
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.0.get(key).copied().unwrap_or(default).to_string()
    }

    fn instance(&self) -> Option<InstanceId> {
        self.0.get("instance").map(|i| (*i).into())
    }

    fn member(&self) -> MemberId {
        long(&self.text("member", ""))
    }

    /// `a:1,b:2`
    fn pairs(&self, key: &str, default: &str) -> Vec<(String, String)> {
        let pair = |p: &str| p.split_once(':').map_or((p.to_string(), String::new()), |(a, b)| (a.to_string(), b.to_string()));
        self.text(key, default).split(',').filter(|p| !p.is_empty()).map(pair).collect()
    }

    /// `t-0,t-1`
    fn partitions(&self) -> Vec<(TopicName, Vec<PartitionId>)> {
        let mut topics: Vec<(TopicName, Vec<PartitionId>)> = Vec::new();
        for (tp, _) in self.pairs("of", "") {
            let (topic, partition) = tp.rsplit_once('-').unwrap();
            let partition = PartitionId(partition.parse().unwrap());
            match topics.last_mut().filter(|(last, _)| last.as_str() == topic) {
                Some((_, all)) => all.push(partition),
                None => topics.push((topic.into(), vec![partition])),
            }
        }
        topics
    }
}

/// The metadata of a member: `t+u` is a subscription to both, `=x` the bytes themselves.
fn metadata(text: &str) -> Bytes {
    if let Some(raw) = text.strip_prefix('=') {
        return Bytes::copy_from_slice(raw.as_bytes());
    }
    let topics: Vec<&str> = text.split('+').filter(|t| !t.is_empty()).collect();
    let mut out = vec![0, 1];
    out.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        out.extend((topic.len() as i16).to_be_bytes());
        out.extend(topic.as_bytes());
    }
    out.into()
}

fn show_metadata(bytes: &Bytes) -> String {
    match subscription::topics(bytes) {
        Some(topics) => topics.iter().map(TopicName::as_str).collect::<Vec<_>>().join("+"),
        None if bytes.is_empty() => "-".to_string(),
        None => format!("={}", String::from_utf8_lossy(bytes)),
    }
}

fn request(verb: &str, group: &str, a: &Arguments) -> Request {
    let version = a.number("v", 9);
    let group = GroupId::from(if group == "\"\"" { "" } else { group });
    let generation = a.number("gen", -1);
    match verb {
        "join" => Request::JoinGroup(JoinGroup {
            version,
            group,
            member_id: a.member(),
            instance_id: a.instance(),
            client_id: a.text("client", "c"),
            client_host: "/127.0.0.1".to_string(),
            session_timeout_ms: a.number("session", 30_000),
            rebalance_timeout_ms: a.number("rebalance", 60_000),
            protocol_type: a.text("type", "consumer"),
            protocols: a
                .pairs("protos", "range:t")
                .into_iter()
                .map(|(name, text)| JoinProtocol { name, metadata: metadata(&text) })
                .collect(),
        }),
        "sync" => Request::SyncGroup(SyncGroup {
            version: a.number("v", 3),
            group,
            generation,
            member_id: a.member(),
            instance_id: a.instance(),
            protocol_type: a.0.get("type").map(|t| t.to_string()),
            protocol_name: a.0.get("proto").map(|t| t.to_string()),
            assignments: a.pairs("assign", "").into_iter().map(|(id, b)| (long(&id), Bytes::from(b))).collect(),
        }),
        "heartbeat" => Request::Heartbeat(Heartbeat { group, generation, member_id: a.member(), instance_id: a.instance() }),
        "leave" => Request::LeaveGroup(LeaveGroup {
            group,
            // `id`, `id:instance` or `:instance`
            members: a
                .pairs("members", "")
                .into_iter()
                .map(|(id, instance)| LeavingMember {
                    member_id: long(&id),
                    instance_id: Some(instance).filter(|i| !i.is_empty()).map(InstanceId::from),
                })
                .collect(),
        }),
        "commit" => Request::OffsetCommit(OffsetCommit {
            version,
            group,
            generation,
            member_id: a.member(),
            instance_id: a.instance(),
            retention_ms: a.number("retention", -1),
            topics: a
                .partitions()
                .into_iter()
                .map(|(topic, partitions)| CommitTopic {
                    topic,
                    topic_id: TopicId([7; 16]),
                    partitions: partitions
                        .into_iter()
                        .map(|partition| CommitPartition {
                            partition,
                            offset: Offset(a.number("offset", 5)),
                            leader_epoch: LeaderEpoch(a.number("epoch", -1)),
                            metadata: "x".repeat(a.number("metadata", 0)),
                        })
                        .collect(),
                })
                .collect(),
        }),
        "fetch" => Request::OffsetFetch(OffsetFetch {
            group,
            topics: a.0.contains_key("of").then(|| a.partitions()),
            member_id: MemberId::default(),
            member_epoch: -1,
            require_stable: false,
        }),
        "describe" => Request::DescribeGroup(DescribeGroup { version: a.number("v", 5), group }),
        "list" => {
            let words = |key: &str| a.pairs(key, "").into_iter().map(|(word, _)| word).collect();
            Request::ListGroups(ListGroups { states: words("states"), types: words("types") })
        }
        "delete" => Request::DeleteGroup(group),
        "erase" => Request::EraseGroup(group),
        "delete-offsets" => Request::OffsetDelete(OffsetDelete { group, topics: a.partitions() }),
        "topics-deleted" => Request::TopicsDeleted(vec![group.as_str().into()]),
        other => panic!("no such verb: {other}"),
    }
}

fn errors(topics: &reply::PartitionErrors) -> String {
    let of_topic = |(topic, all): &(TopicName, Vec<(PartitionId, ErrorCode)>)| {
        all.iter().map(|(id, error)| format!(" {topic}-{id}:{}", error.code())).collect::<String>()
    };
    topics.iter().map(of_topic).collect()
}

fn optional(text: Option<&str>) -> &str {
    text.unwrap_or("null")
}

fn instance(id: &Option<InstanceId>) -> String {
    id.as_ref().map_or(String::new(), |i| format!("({i})"))
}

pub(super) fn show(reply: &Reply) -> String {
    let mut s = String::new();
    match reply {
        Reply::JoinGroup(r) if !r.error.is_ok() => {
            write!(s, "error {} member={}", r.error.code(), short(&r.member_id)).unwrap();
            assert_eq!((r.generation, &*r.leader, r.members.len()), (-1, "", 0));
        }
        Reply::JoinGroup(r) => {
            let (kind, protocol) = (optional(r.protocol_type.as_deref()), optional(r.protocol_name.as_deref()));
            write!(s, "gen={} {kind}/{protocol} leader={} member={}", r.generation, short(&r.leader), short(&r.member_id)).unwrap();
            for m in &r.members {
                write!(s, " [{}{} {}]", short(&m.member_id), instance(&m.instance_id), show_metadata(&m.metadata)).unwrap();
            }
            if r.skip_assignment {
                s.push_str(" skip");
            }
        }
        Reply::SyncGroup(r) if !r.error.is_ok() => write!(s, "error {}", r.error.code()).unwrap(),
        Reply::SyncGroup(r) => {
            let (kind, protocol) = (optional(r.protocol_type.as_deref()), optional(r.protocol_name.as_deref()));
            write!(s, "{kind}/{protocol} {:?}", String::from_utf8_lossy(&r.assignment)).unwrap();
        }
        Reply::Heartbeat(error) | Reply::DeleteGroup(error) | Reply::Done(error) => write!(s, "error {}", error.code()).unwrap(),
        Reply::LeaveGroup(r) => {
            write!(s, "error {}", r.error.code()).unwrap();
            for m in &r.members {
                write!(s, " [{}{} {}]", short(&m.member_id), instance(&m.instance_id), m.error.code()).unwrap();
            }
        }
        Reply::OffsetCommit(topics) => s.push_str(errors(topics).trim_start()),
        Reply::OffsetFetch(r) => {
            write!(s, "error {}", r.error.code()).unwrap();
            for (topic, all) in &r.topics {
                for f in all {
                    write!(s, " {topic}-{}={}@{}", f.partition, f.offset, f.leader_epoch).unwrap();
                    if !f.metadata.is_empty() {
                        write!(s, "+{}", f.metadata.len()).unwrap();
                    }
                }
            }
        }
        Reply::DescribeGroup(r) => {
            write!(s, "error {} {} {}/{}", r.error.code(), r.state, r.protocol_type, r.protocol).unwrap();
            for m in &r.members {
                let assignment = String::from_utf8_lossy(&m.assignment);
                write!(s, " [{}{} {} {assignment:?}]", short(&m.member_id), instance(&m.instance_id), show_metadata(&m.metadata)).unwrap();
            }
        }
        Reply::Survey(groups) => write!(s, "{} groups", groups.len()).unwrap(),
        Reply::ListGroups(r) => {
            let groups = r.groups.iter().map(|g| format!("{}:{}:{}:{}", g.group, g.protocol_type, g.state, g.group_type));
            s.push_str(&groups.collect::<Vec<_>>().join(" "));
        }
        Reply::OffsetDelete(r) => write!(s, "error {}{}", r.error.code(), errors(&r.topics)).unwrap(),
    }
    s
}

fn show_record(record: &Record) -> String {
    match record {
        Record::Group { group, value: None } => format!("erase group {group}"),
        Record::Offset { group, topic, partition, value: None } => format!("erase offset {group} {topic}-{partition}"),
        Record::Offset { group, topic, partition, value: Some(v) } => format!("write offset {group} {topic}-{partition}={}", v.offset),
        Record::Group { group, value: Some(v) } => {
            let GroupMetadata { protocol_type, generation, protocol, leader, .. } = v;
            let leader = leader.as_deref().map_or("null".to_string(), short);
            let mut s = format!("write group {group} gen={generation} {protocol_type}/{} leader={leader}", optional(protocol.as_deref()));
            for m in &v.members {
                let assignment = String::from_utf8_lossy(&m.assignment);
                let subscription = show_metadata(&m.subscription);
                write!(s, " [{}{} {subscription} {assignment:?}]", short(&m.member_id), instance(&m.instance_id)).unwrap();
            }
            s
        }
    }
}

/// What is written, as bytes, and who was answered.
#[derive(Default)]
pub(super) struct World {
    log: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub fail: Option<ErrorCode>,
    pub answered: BTreeMap<Token, Reply>,
    names: BTreeMap<Token, String>,
    alarm: Option<Timestamp>,
    pub seen: Vec<String>,
}

impl Effects for World {
    fn append(&mut self, group: &GroupId, records: &[Record]) -> Result<(), ErrorCode> {
        assert!(!records.is_empty() && records.iter().all(|r| r.group() == group), "a batch belongs to one group");
        if let Some(error) = self.fail {
            self.seen.push(format!("failed: {}", records.iter().map(show_record).collect::<Vec<_>>().join("; ")));
            return Err(error);
        }
        for record in records {
            self.seen.push(show_record(record));
            self.log.push((record.encode_key(), record.encode_value()));
        }
        Ok(())
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        let name = self.names.get(&token).cloned().unwrap_or_else(|| format!("{}", token.0));
        self.seen.push(format!("{name}: {}", show(&reply)));
        assert!(self.answered.insert(token, reply).is_none(), "{name} is answered twice");
    }

    fn wake(&mut self, at: Timestamp) {
        self.alarm = Some(at);
    }
}

/// A shard, its surroundings and a clock.
pub(super) struct Stage {
    pub shard: GroupShard,
    config: GroupConfig,
    pub world: World,
    pub now: Timestamp,
    asked: u64,
    pub ids: Box<dyn MemberIds>,
}

impl Stage {
    pub fn new(config: GroupConfig, ids: Box<dyn MemberIds>) -> Stage {
        let shard = GroupShard::new(config.clone());
        let mut stage = Stage { shard, config, world: World::default(), now: Timestamp(0), asked: 0, ids };
        stage.start();
        stage
    }

    fn start(&mut self) {
        let outputs = self.shard.start(self.now);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        self.shard.carry_out(self.now, outputs, &mut self.world);
    }

    pub fn ask(&mut self, name: &str, request: Request) -> Token {
        self.asked += 1;
        let token = Token(self.asked);
        self.world.names.insert(token, name.to_string());
        let outputs = self.shard.decide(self.now, token, request, &mut *self.ids);
        self.carry_out(outputs);
        token
    }

    /// Lets time pass, with every alarm on its way.
    pub fn advance(&mut self, to: Timestamp) {
        while let Some(alarm) = self.world.alarm.take_if(|alarm| *alarm <= to) {
            self.now = self.now.max(alarm);
            let outputs = self.shard.tick(self.now);
            self.carry_out(outputs);
        }
        self.now = self.now.max(to);
    }

    /// What was written, read back by a shard that knows nothing else.
    pub fn read_back(&self) -> GroupShard {
        let mut shard = GroupShard::new(self.config.clone());
        for (key, value) in &self.world.log {
            shard.apply(&Record::decode(key, value.as_deref()).unwrap());
        }
        shard
    }

    /// Tokens of those who wait are lost with the process.
    pub fn restart(&mut self) {
        self.shard = self.read_back();
        self.world.names.retain(|token, _| self.world.answered.contains_key(token));
        self.start();
    }

    /// Replay equals live, and nobody waits for ever.
    pub fn check_end(&mut self) {
        assert_eq!(self.read_back().hard(), self.shard.hard(), "what was written does not give what is known");
        self.world.fail = None;
        self.advance(self.now.plus_ms(3 * 3_600_000));
        for (token, name) in &self.world.names {
            assert!(self.world.answered.contains_key(token), "{name} was never answered");
        }
        assert_eq!(self.read_back().hard(), self.shard.hard());
    }
}

fn step(stage: &mut Stage, line: &str) {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap();
    if let Some(name) = first.strip_suffix(':') {
        let verb = words.next().unwrap();
        let group = words.next().unwrap_or("");
        let group = if verb == "list" && group.contains('=') { "" } else { group };
        let request = request(verb, group, &Arguments::read(line.split_whitespace().skip(2)));
        stage.ask(name, request);
        return;
    }
    match first {
        "at" => stage.advance(Timestamp(words.next().unwrap().parse().unwrap())),
        "restart" => stage.restart(),
        "fail" => stage.world.fail = ErrorCode::from_code(words.next().unwrap().parse().unwrap()),
        "ok" => stage.world.fail = None,
        "config" => {
            let a = Arguments::read(words);
            let d = GroupConfig::default();
            let config = GroupConfig {
                initial_rebalance_delay_ms: a.number("delay", 0),
                group_size_max: a.number("size", d.group_size_max),
                offsets_retention_ms: a.number("retention", d.offsets_retention_ms),
                offsets_retention_check_interval_ms: a.number("check", d.offsets_retention_check_interval_ms),
                ..d
            };
            *stage = Stage::new(config, Box::<CountingIds>::default());
        }
        other => panic!("no such step: {other}"),
    }
}

/// Plays one file; gives it as it would be if what came of each step were what it says.
fn play(text: &str) -> String {
    let mut out = String::new();
    let mut stage: Option<Stage> = None;
    for line in text.lines() {
        if line.starts_with("    ") {
            continue;
        }
        writeln!(out, "{line}").unwrap();
        if line.starts_with("== ") {
            if let Some(mut stage) = stage.take() {
                stage.check_end();
            }
            stage = Some(Stage::new(GroupConfig::default(), Box::<CountingIds>::default()));
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            let stage = stage.as_mut().expect("a script begins with ==");
            step(stage, line);
            for seen in stage.world.seen.drain(..) {
                writeln!(out, "    {seen}").unwrap();
            }
        }
    }
    stage.expect("a file has a script").check_end();
    out
}

fn play_file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/group/scripts").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let played = play(&text);
    if std::env::var_os("HEADWATER_WRITE_SCRIPTS").is_some() {
        std::fs::write(&path, &played).unwrap();
        return;
    }
    for (n, (is, was)) in played.lines().zip(text.lines()).enumerate() {
        assert_eq!(is, was, "{name}, line {}", n + 1);
    }
    assert_eq!(played.lines().count(), text.lines().count(), "{name}");
}

macro_rules! scripts {
    ($($test:ident: $file:literal),* $(,)?) => { $(#[test] fn $test() { play_file($file); })* };
}

scripts! {
    joining_goes_as_in_kafka: "join.txt",
    rebalances_go_as_in_kafka: "rebalance.txt",
    syncing_and_heartbeats_go_as_in_kafka: "sync.txt",
    leaving_goes_as_in_kafka: "leave.txt",
    timeouts_go_as_in_kafka: "timeouts.txt",
    static_members_go_as_in_kafka: "static.txt",
    offsets_go_as_in_kafka: "offsets.txt",
    groups_are_shown_and_deleted_as_in_kafka: "inspect.txt",
    restarts_and_failed_writes_lose_no_member_and_no_answer: "restart.txt",
}
