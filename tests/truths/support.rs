//! A log in memory with a town's events, tickets about parts of it, and answers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use headwater::cluster::StoredRecord;
use headwater::generators::{Chronicle, DirtLevel, Event, World};
use headwater::model::evidence::Evidence;
use headwater::model::{Offset, PartitionId, Timestamp, TopicName};
use headwater::workshop::truth::{Case, Log, LogError, Truth, kind};
use headwater::workshop::verdict::{Check, CheckStatus, Judgement};
use headwater::workshop::{Answer, AnswerRecord, Ticket};
use serde_json::Value;

pub const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
pub const MINUTE_MS: i64 = 60_000;
/// When what is read begins: two hours after the town did, so that there are late events.
const FROM_MS: i64 = 120 * MINUTE_MS;

#[derive(Default)]
pub struct MemoryLog {
    pub partitions: BTreeMap<(String, PartitionId), Vec<StoredRecord>>,
}

impl Log for MemoryLog {
    fn read(
        &self,
        topic: &str,
        partition: PartitionId,
        range: Range<Offset>,
        visit: &mut dyn FnMut(&StoredRecord),
    ) -> Result<(), LogError> {
        let records = self.partitions.get(&(topic.to_owned(), partition));
        let records = records.ok_or_else(|| LogError::Unreadable(format!("there is no {topic}-{partition}")))?;
        let first = records.first().map_or(Offset::ZERO, |record| record.offset);
        if range.start < first {
            return Err(LogError::Gone { topic: topic.to_owned(), partition, start: range.start });
        }
        let at = records.partition_point(|record| record.offset < range.start);
        records[at..].iter().take_while(|record| record.offset < range.end).for_each(visit);
        Ok(())
    }
}

/// A town of which some minutes are in a log.
pub struct Town {
    pub seed: u64,
    pub dirt: u8,
    pub log: MemoryLog,
    /// The ledger's notes.
    pub notes: Vec<Value>,
}

impl Town {
    pub fn told(seed: u64, dirt: u8, minutes: i64) -> Town {
        let end = ORIGIN.plus_ms(FROM_MS + minutes * MINUTE_MS);
        Town::told_while(seed, dirt, |_, event| event.arrival < end, |_| true)
    }

    /// So many records of one topic.
    pub fn told_of(seed: u64, dirt: u8, topic: &str, records: usize) -> Town {
        let count = |town: &Town| town.log.partitions.values().map(Vec::len).sum::<usize>();
        Town::told_while(seed, dirt, |town, _| count(town) < records, |of| of == topic)
    }

    fn told_while(seed: u64, dirt: u8, more: impl Fn(&Town, &Event) -> bool, wanted: impl Fn(&str) -> bool) -> Town {
        let world = World::new(seed, DirtLevel::from_number(dirt).unwrap());
        let mut town = Town { seed, dirt, log: MemoryLog::default(), notes: Vec::new() };
        for event in Chronicle::new(world, ORIGIN, ORIGIN.plus_ms(FROM_MS)) {
            if !more(&town, &event) {
                break;
            }
            let topic = event.stream.topic();
            if !wanted(topic) {
                continue;
            }
            if topic == "_truth" {
                town.notes.push(serde_json::from_slice(&event.value).unwrap());
                continue;
            }
            let records = town.log.partitions.entry((topic.to_owned(), event.partition)).or_default();
            records.push(StoredRecord {
                partition: event.partition,
                // Logs do not begin at 0.
                offset: Offset(1_000 * i64::from(event.partition.0) + 77 + records.len() as i64),
                timestamp: event.arrival,
                key: Some(event.key),
                value: Some(event.value),
                headers: Vec::new(),
            });
        }
        town
    }

    /// A ticket about all but the first and the last few records of each partition.
    pub fn ticket(&self, topic: &str, challenge: &str) -> Ticket {
        let of_topic = self.log.partitions.iter().filter(|((name, _), _)| name == topic);
        let ranges = of_topic.map(|((_, partition), records)| {
            let (first, last) = (records[0].offset, records[records.len() - 1].offset);
            (*partition, (first.plus(5 + i64::from(partition.0)), last.plus(-9)))
        });
        Ticket {
            student: "me".to_owned(),
            challenge: challenge.to_owned(),
            nonce: "n-1".to_owned(),
            results: Some(TopicName::new("own")),
            ranges: BTreeMap::from([(TopicName::new(topic), ranges.collect())]),
            live: BTreeMap::new(),
            issued_ms: ORIGIN,
            expires_ms: ORIGIN.plus_ms(60 * MINUTE_MS),
        }
    }

    /// A ticket's records, partition by partition.
    pub fn records<'a>(&'a self, ticket: &'a Ticket, topic: &'a str) -> Vec<&'a StoredRecord> {
        let of = |(partition, range): (PartitionId, Range<Offset>)| {
            let records = &self.log.partitions[&(topic.to_owned(), partition)];
            records.iter().filter(move |record| range.contains(&record.offset))
        };
        ticket.ranges_of(topic).flat_map(of).collect()
    }
}

/// A seed that nobody has tried, and how to try it again.
pub fn drawn_seed() -> u64 {
    static DRAWN: OnceLock<u64> = OnceLock::new();
    *DRAWN.get_or_init(|| {
        let drawn = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 % 1_000_000;
        let seed = std::env::var("HEADWATER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(drawn);
        eprintln!("the seed drawn for this run is {seed}: HEADWATER_TEST_SEED={seed} repeats it");
        seed
    })
}

/// Three seeds, one of them drawn, with each level of dirt.
pub fn towns() -> &'static [Arc<Town>] {
    static TOWNS: OnceLock<Vec<Arc<Town>>> = OnceLock::new();
    TOWNS.get_or_init(|| {
        let of = |seed| (0..=2).map(move |dirt| (seed, dirt));
        let wanted: Vec<(u64, u8)> = [7, 42, drawn_seed()].into_iter().flat_map(of).collect();
        std::thread::scope(|scope| {
            let tell = |(seed, dirt)| scope.spawn(move || Arc::new(Town::told(seed, dirt, 9)));
            let told: Vec<_> = wanted.into_iter().map(tell).collect();
            told.into_iter().map(|town| town.join().unwrap()).collect()
        })
    })
}

pub fn truth(name: &str, parameters: &str) -> Box<dyn Truth> {
    kind(name, &parameters.parse().unwrap()).unwrap()
}

/// The event in a record, if it is one.
pub fn event(record: &StoredRecord) -> Option<Value> {
    serde_json::from_slice::<Value>(record.value.as_ref()?).ok().filter(Value::is_object)
}

/// The events of some records, by where they are.
pub type Parsed = HashMap<(PartitionId, Offset), Value>;

pub fn parsed(records: &[&StoredRecord]) -> Parsed {
    records.iter().filter_map(|record| Some(((record.partition, record.offset), event(record)?))).collect()
}

/// The events in the order of the records; without copies, only the first of those with the same id.
pub fn events<'p>(records: &[&StoredRecord], parsed: &'p Parsed, dedup: bool) -> Vec<&'p Value> {
    let mut seen = HashSet::new();
    let all = records.iter().filter_map(|record| parsed.get(&(record.partition, record.offset)));
    all.filter(|event| !dedup || seen.insert(event["event_id"].to_string())).collect()
}

/// Numbers that look random and follow from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// The same records in another order, in which those of each partition stay in theirs.
pub fn merged<'a>(records: &[&'a StoredRecord], dice: &mut Dice) -> Vec<&'a StoredRecord> {
    let mut queues: BTreeMap<PartitionId, std::collections::VecDeque<&StoredRecord>> = BTreeMap::new();
    for record in records {
        queues.entry(record.partition).or_default().push_back(record);
    }
    let mut all = Vec::new();
    while !queues.is_empty() {
        let partition = *queues.keys().nth(dice.below(queues.len())).unwrap();
        let queue = queues.get_mut(&partition).unwrap();
        let batch = (1 + dice.below(200)).min(queue.len());
        all.extend(queue.drain(..batch));
        if queue.is_empty() {
            queues.remove(&partition);
        }
    }
    all
}

pub fn answer_record(offset: i64, key: Option<&str>, value: Bytes) -> AnswerRecord {
    let key = key.map(|key| Bytes::copy_from_slice(key.as_bytes()));
    AnswerRecord { partition: PartitionId(0), offset: Offset(offset), timestamp: ORIGIN, key, value: Some(value) }
}

pub fn answer(values: &[Value]) -> Answer {
    let record = |(offset, value): (i64, &Value)| answer_record(offset, None, Bytes::from(value.to_string()));
    Answer { records: (0..).zip(values).map(record).collect(), receipt: None }
}

pub fn receipt(value: Value) -> Answer {
    Answer { records: Vec::new(), receipt: Some(value) }
}

pub fn judge(truth: &dyn Truth, town: &Town, ticket: &Ticket, answer: &Answer, evidence: Option<&Evidence>) -> Judgement {
    let case = Case { ticket, answer, log: &town.log, evidence, now: ORIGIN };
    let judgement = truth.judge(&case).unwrap();
    let ids: Vec<&str> = judgement.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids, truth.checks(), "a judgement has all checks");
    assert!(judgement.mistake.as_ref().is_none_or(|mistake| truth.mistakes().contains(&mistake.id)));
    assert!(judgement.stars.iter().all(|star| truth.stars().contains(star)));
    assert!(judgement.passed() || judgement.checks.iter().any(|check| check.status == CheckStatus::Fail));
    for check in judgement.checks.iter().filter(|check| check.status == CheckStatus::Fail) {
        let long = check.expected.as_ref().filter(|expected| expected.len() > 3);
        assert!(long.is_none_or(|expected| !check.message.contains(expected)), "the right value is in the message: {check:?}");
    }
    judgement
}

pub fn check<'a>(judgement: &'a Judgement, id: &str) -> &'a Check {
    judgement.checks.iter().find(|check| check.id == id).unwrap()
}

pub fn failed(judgement: &Judgement) -> Vec<&str> {
    judgement.checks.iter().filter(|check| check.status == CheckStatus::Fail).map(|check| check.id.as_str()).collect()
}

pub fn mistake(judgement: &Judgement) -> Option<&'static str> {
    judgement.mistake.as_ref().map(|mistake| mistake.id)
}

pub fn told(town: &Town, what: &str, judgement: &Judgement) -> String {
    format!("seed {}, dirt {}, {what}: {judgement:#?}", town.seed, town.dirt)
}

/// `2026-11-23T10:15:30.123Z`.
pub fn rfc3339(at_ms: i64) -> String {
    String::from_utf8(headwater::generators::rfc3339_ms(at_ms).to_vec()).unwrap()
}
