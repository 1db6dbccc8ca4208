//! The topic `_mirror` at the target: what was copied from where to where.
//!
//! It is written before the records that it tells of. As only one mirror writes to a topic, and its records take one offset each, the
//! end of the partition then says how many of the planned records arrived, whenever and however the mirror ended. This needs no
//! transactions, which some clusters do not serve, and a reader of uncommitted records sees nothing twice either.
//!
//! A second mirror of the same source puts its name below the first one's last plan. Before each of its plans is carried out, a mirror
//! reads the journal up to it, and stops if it finds another name there.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::BaseRecord;
use serde::{Deserialize, Serialize};

use super::end::{ANSWER_WITHIN, End, OWN_GROUP, Polled, Reports, Sender, Talk, answers};
use super::map::{OffsetMap, Run};
use super::topics::create;
use super::{MirrorError, Pulse};

pub(super) const TOPIC: &str = "_mirror";

/// A record of the journal holds about so many runs.
const SEGMENT_RUNS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
enum Key {
    Session { from: String },
    Offsets { from: String, topic: String, partition: i32, at: i64 },
    Group { from: String, group: String, topic: String, partition: i32 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    session: String,
}

/// A part of a partition's map; the last part says where it ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Offsets {
    runs: Vec<(i64, i64, i64)>,
    source_next: i64,
    target_next: i64,
    mark: Option<Mark>,
}

/// A record that was copied, by which a topic is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub source: i64,
    pub crc: u32,
}

/// What a group has committed there by a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The offset before, -1 for none.
    pub was: i64,
    pub now: i64,
    /// Which offset of the source that stands for.
    pub source: i64,
}

/// A partition on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pub map: OffsetMap,
    pub mark: Option<Mark>,
    /// Keys of the journal's records.
    parts: Vec<i64>,
    /// The run with which the last of them begins.
    part_begins: usize,
}

impl Lane {
    pub fn new(map: OffsetMap) -> Lane {
        Lane { map, ..Lane::default() }
    }

    /// Plans these records of the source. The offset of the first of them at the target.
    pub fn plan(&mut self, offsets: &[i64]) -> i64 {
        let base = self.map.target_next;
        let full = self.map.runs.len().saturating_sub(self.part_begins) >= SEGMENT_RUNS;
        let mut apart = self.parts.is_empty() || full;
        if apart {
            self.parts.push(base);
            self.part_begins = self.map.runs.len();
        }
        for offset in offsets {
            self.map.push(*offset, std::mem::take(&mut apart));
        }
        base
    }

    fn offsets(&self, runs: &[Run]) -> Offsets {
        Offsets {
            runs: runs.iter().map(|run| (run.source, run.target, run.length)).collect(),
            source_next: self.map.source_next,
            target_next: self.map.target_next,
            mark: self.mark,
        }
    }
}

pub(super) type Lanes = HashMap<(String, i32), Lane>;
pub(super) type Commits = HashMap<(String, String, i32), Commit>;

/// What a journal tells of one source.
#[derive(Default)]
pub(super) struct Told {
    pub lanes: Lanes,
    pub commits: Commits,
}

/// A record of the journal that is to be written; without a value it takes an older one away.
pub(super) struct Entry {
    key: Key,
    value: Option<Vec<u8>>,
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads what the journal at this end tells of a source; nothing if there is none.
pub(super) fn read(end: &End, from: &str) -> Result<(Told, i64), MirrorError> {
    if end.partition_count(TOPIC)?.is_none() {
        return Ok((Told::default(), 0));
    }
    let (start, stop) = end.bounds(TOPIC, 0)?;
    let mut found: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
    let tail = tail(end, start)?;
    let mut next = start;
    let begun = Instant::now();
    while next < stop {
        match end.poll(&tail, Duration::from_millis(200))? {
            Polled::Record(message) => {
                next = message.offset() + 1;
                let Some(key) = message.key().and_then(|key| serde_json::from_slice::<Key>(key).ok()) else { continue };
                match message.payload() {
                    Some(value) => found.insert(key, value.to_vec()),
                    None => found.remove(&key),
                };
            }
            Polled::EndOf(_) => break,
            Polled::Nothing if begun.elapsed() > ANSWER_WITHIN => {
                return Err(end.wrong(&format!("{TOPIC} cannot be read; run this again when the cluster is well")));
            }
            Polled::Nothing => {}
        }
    }
    let mut told = Told::default();
    for (key, value) in found {
        let unreadable = |error: serde_json::Error| {
            end.wrong(&format!(
                "{TOPIC} holds something that is no journal of a mirror ({error}); delete that topic and the copies to begin anew"
            ))
        };
        match key {
            Key::Offsets { from: of, topic, partition, at } if of == from => {
                let part: Offsets = serde_json::from_slice(&value).map_err(unreadable)?;
                let lane = told.lanes.entry((topic, partition)).or_default();
                lane.parts.push(at);
                lane.part_begins = lane.map.runs.len();
                lane.map.runs.extend(part.runs.iter().map(|(source, target, length)| Run {
                    source: *source,
                    target: *target,
                    length: *length,
                }));
                (lane.map.source_next, lane.map.target_next, lane.mark) = (part.source_next, part.target_next, part.mark);
            }
            Key::Group { from: of, group, topic, partition } if of == from => {
                told.commits.insert((group, topic, partition), serde_json::from_slice(&value).map_err(unreadable)?);
            }
            _ => {}
        }
    }
    Ok((told, next))
}

fn tail(end: &End, from: i64) -> Result<BaseConsumer<Talk>, MirrorError> {
    let tail = end.consumer_of(OWN_GROUP)?;
    let failed = |error: KafkaError| end.failed(&format!("cannot read {TOPIC}"), &error);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, rdkafka::Offset::Offset(from)).map_err(failed)?;
    tail.assign(&list).map_err(failed)?;
    Ok(tail)
}

/// The writing mirror's hand on the journal.
pub(super) struct Journal {
    from: String,
    session: String,
    sender: Sender,
    reports: Reports,
    tail: BaseConsumer<Talk>,
    tail_next: i64,
}

impl Journal {
    /// Makes the topic if it is not there, puts this mirror's name into it, and reads what was planned before that.
    pub fn open(to: &End, from: &str, pulse: &Pulse) -> Result<(Journal, Told), MirrorError> {
        if to.partition_count(TOPIC)?.is_none() {
            create(to, TOPIC, 1, &[("cleanup.policy".to_owned(), "compact".to_owned())])?;
        }
        let (sender, reports) = to.producer(1_000_000)?;
        let session = uuid::Uuid::new_v4().to_string();
        let name = Entry { key: Key::Session { from: from.to_owned() }, value: Some(json(&Session { session: session.clone() })) };
        let own = send(to, &sender, &reports, &[name], pulse)?;
        let journal = Journal { from: from.to_owned(), session, sender, reports, tail: tail(to, own + 1)?, tail_next: own + 1 };
        // What another one planned before it could see this name is told as well.
        let (told, _) = read(to, from)?;
        Ok((journal, told))
    }

    /// The last part of the lane's map.
    pub fn plan_of(&self, topic: &str, partition: i32, lane: &Lane) -> Entry {
        let at = lane.parts.last().copied().unwrap_or(lane.map.target_next);
        let runs = lane.map.runs.get(lane.part_begins..).unwrap_or_default();
        Entry { key: self.offsets_key(topic, partition, at), value: Some(json(&lane.offsets(runs))) }
    }

    /// The lane's whole map, in place of all that was told of it.
    pub fn anew(&self, topic: &str, partition: i32, lane: &mut Lane) -> Vec<Entry> {
        let old = std::mem::take(&mut lane.parts);
        let mut entries = Vec::new();
        lane.part_begins = 0;
        for (n, runs) in lane.map.runs.chunks(SEGMENT_RUNS).enumerate() {
            let at = runs.first().map_or(lane.map.target_next, |run| run.target);
            lane.part_begins = n * SEGMENT_RUNS;
            lane.parts.push(at);
            entries.push(Entry { key: self.offsets_key(topic, partition, at), value: Some(json(&lane.offsets(runs))) });
        }
        if lane.parts.is_empty() {
            lane.parts.push(lane.map.target_next);
            entries.push(self.plan_of(topic, partition, lane));
        }
        let gone = old.into_iter().filter(|at| !lane.parts.contains(at));
        entries.extend(gone.map(|at| Entry { key: self.offsets_key(topic, partition, at), value: None }));
        entries
    }

    pub fn commit_of(&self, group: &str, topic: &str, partition: i32, commit: Commit) -> Entry {
        let (from, group, topic) = (self.from.clone(), group.to_owned(), topic.to_owned());
        Entry { key: Key::Group { from, group, topic, partition }, value: Some(json(&commit)) }
    }

    fn offsets_key(&self, topic: &str, partition: i32, at: i64) -> Key {
        Key::Offsets { from: self.from.clone(), topic: topic.to_owned(), partition, at }
    }

    /// Writes these, and looks whether another mirror has begun meanwhile.
    pub fn write(&mut self, to: &End, entries: &[Entry], pulse: &Pulse) -> Result<(), MirrorError> {
        let last = send(to, &self.sender, &self.reports, entries, pulse)?;
        self.look(to, last, pulse)
    }

    fn look(&mut self, to: &End, last: i64, pulse: &Pulse) -> Result<(), MirrorError> {
        while self.tail_next <= last {
            if let Polled::Record(message) = to.poll(&self.tail, Duration::from_millis(100))? {
                self.tail_next = message.offset() + 1;
                let key = message.key().and_then(|key| serde_json::from_slice::<Key>(key).ok());
                if key != Some(Key::Session { from: self.from.clone() }) {
                    continue;
                }
                let other = message.payload().and_then(|value| serde_json::from_slice::<Session>(value).ok());
                if other.is_some_and(|other| other.session != self.session) {
                    return Err(to.wrong("another mirror of the same source has begun after this one, which therefore stops"));
                }
            } else if !pulse.waits(&to.name(), None) {
                return Err(MirrorError::stopped());
            }
        }
        Ok(())
    }
}

/// The offset of the last of them.
fn send(to: &End, sender: &Sender, reports: &Reports, entries: &[Entry], pulse: &Pulse) -> Result<i64, MirrorError> {
    for entry in entries {
        let key = json(&entry.key);
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(TOPIC).partition(0).key(key.as_slice());
            record.payload = entry.value.as_deref();
            match sender.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => sender.poll(Duration::from_millis(50)),
                Err((error, _)) => return Err(to.failed(&format!("cannot write to {TOPIC}"), &error)),
            }
        }
    }
    let waiting = |reason: Option<String>| pulse.waits(&to.name(), reason);
    let Some(delivered) = answers(to, sender, reports, entries.len(), TOPIC, waiting)? else {
        return Err(MirrorError::stopped());
    };
    // An answer that got lost is told without its offset.
    let unknown = delivered.iter().any(|report| matches!(report.offset, Ok(offset) if offset < 0));
    let last = delivered.iter().filter_map(|report| report.offset.as_ref().ok().copied()).max().unwrap_or(-1);
    if unknown { Ok(to.bounds(TOPIC, 0)?.1 - 1) } else { Ok(last) }
}
