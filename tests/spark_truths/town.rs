//! What the generators write, in memory, and a ticket for some of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use headwater::cluster::StoredRecord;
use headwater::generators::{Chronicle, DirtLevel, STREAMS, VIRTUAL_START, World};
use headwater::model::{Offset, PartitionId, Timestamp, TopicName};
use headwater::workshop::truth::{Case, Log, LogError, kind};
use headwater::workshop::verdict::{CheckStatus, Judgement};
use headwater::workshop::{Answer, Ticket};
use serde_json::Value;

pub const SHOP: &str = "ecommerce-events";
pub const BANK: &str = "financial-transactions";

pub const MINUTE_MS: i64 = 60_000;

/// How long the town's history is. Of the shop's topic the last minutes are kept: it is the larger one.
pub const MINUTES: i64 = 75;
const SHOP_MINUTES: i64 = 16;

/// Towns are big: they are told once.
type Told = BTreeMap<(u64, u8), Arc<Town>>;
static TOLD: LazyLock<Mutex<Told>> = LazyLock::new(Mutex::default);

pub struct Town {
    pub nonce: String,
    topics: BTreeMap<&'static str, Vec<Vec<StoredRecord>>>,
}

/// Three seeds at three levels of dirt.
pub fn towns() -> impl Iterator<Item = Arc<Town>> {
    [7, 11, 4_711].into_iter().flat_map(|seed| (0..3).map(move |dirt| Town::of(seed, dirt)))
}

/// Each seed and each level of dirt once, paired otherwise in each run; all nine with `HEADWATER_ALL_TOWNS`.
pub fn some_towns() -> impl Iterator<Item = Arc<Town>> {
    let minutes = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60);
    let turn = std::env::var("HEADWATER_TURN").ok().and_then(|turn| turn.parse().ok()).unwrap_or(minutes) % 3;
    eprintln!("HEADWATER_TURN={turn} repeats this choice of towns");
    let all = std::env::var_os("HEADWATER_ALL_TOWNS").is_some();
    let towns = (0..).zip([7, 11, 4_711]).flat_map(|(place, seed)| (0..3).map(move |dirt| (place, seed, dirt)));
    towns.filter(move |(place, _, dirt)| all || (place + turn) % 3 == u64::from(*dirt)).map(|(_, seed, dirt)| Town::of(seed, dirt))
}

impl Town {
    pub fn of(seed: u64, dirt: u8) -> Arc<Town> {
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(told.entry((seed, dirt)).or_insert_with(|| Arc::new(Town::tell(seed, dirt, MINUTES))))
    }

    pub fn tell(seed: u64, dirt: u8, minutes: i64) -> Town {
        let world = World::new(seed, DirtLevel::from_number(dirt).unwrap());
        let end = VIRTUAL_START.plus_ms(minutes * MINUTE_MS);
        let lanes = |topic: &str| vec![Vec::new(); STREAMS.iter().find(|stream| stream.topic == topic).unwrap().partitions as usize];
        let mut topics = BTreeMap::from([(SHOP, lanes(SHOP)), (BANK, lanes(BANK))]);
        for event in Chronicle::new(world, VIRTUAL_START, VIRTUAL_START).take_while(|event| event.arrival <= end) {
            let Some(lanes) = topics.get_mut(event.stream.topic()) else { continue };
            if event.stream.topic() == SHOP && end.since(event.arrival) > SHOP_MINUTES * MINUTE_MS {
                continue;
            }
            let lane: &mut Vec<StoredRecord> = &mut lanes[event.partition.0 as usize];
            lane.push(StoredRecord {
                partition: event.partition,
                offset: Offset(lane.len() as i64),
                timestamp: event.arrival,
                key: Some(event.key),
                value: Some(event.value),
                headers: Vec::new(),
            });
        }
        Town { nonce: format!("nonce-{seed}-{dirt}"), topics }
    }

    pub fn partitions(&self, topic: &str) -> &[Vec<StoredRecord>] {
        &self.topics[topic]
    }

    pub fn records(&self, topic: &str) -> impl Iterator<Item = &StoredRecord> {
        self.topics[topic].iter().flatten()
    }

    /// Each record and its value, where that is an object.
    pub fn objects(&self, topic: &str) -> Vec<(StoredRecord, Option<Value>)> {
        let object = |record: &StoredRecord| serde_json::from_slice::<Value>(record.value.as_ref()?).ok().filter(Value::is_object);
        self.records(topic).map(|record| (record.clone(), object(record))).collect()
    }

    /// The same records again and again, each with an id of its own.
    pub fn repeated(&self, times: usize) -> Town {
        let renamed = |record: &StoredRecord, time: usize| {
            let mut value = record.value.clone().unwrap_or_default().to_vec();
            // Behind `{"event_id":"`, the last letters of the id.
            if let Some(end) = value.get_mut(34..38) {
                end.copy_from_slice(format!("{time:04}").as_bytes());
            }
            StoredRecord { value: Some(value.into()), ..record.clone() }
        };
        let repeat = |lanes: &Vec<Vec<StoredRecord>>| {
            let lane = |lane: &Vec<StoredRecord>| {
                let all = (0..times).flat_map(|time| lane.iter().map(move |record| renamed(record, time)));
                all.zip(0..).map(|(record, offset)| StoredRecord { offset: Offset(offset), ..record }).collect()
            };
            lanes.iter().map(lane).collect()
        };
        Town { nonce: self.nonce.clone(), topics: self.topics.iter().map(|(topic, lanes)| (*topic, repeat(lanes))).collect() }
    }

    /// The records of each partition in an order of their own, with the times and offsets of the places that they come to.
    pub fn shuffled(&self, mut next: impl FnMut(usize) -> usize) -> Town {
        let mut topics = self.topics.clone();
        for lane in topics.values_mut().flatten() {
            // Only neighbours change places, as in a busy network: nobody becomes late by it.
            for at in (1..lane.len()).rev() {
                let other = at.saturating_sub(next(8));
                let (one, two) = (lane[at].clone(), lane[other].clone());
                lane[at] = StoredRecord { offset: one.offset, timestamp: one.timestamp, ..two.clone() };
                lane[other] = StoredRecord { offset: two.offset, timestamp: two.timestamp, ..one };
            }
        }
        Town { nonce: self.nonce.clone(), topics }
    }

    /// All but the first records.
    pub fn ticket(&self, topics: &[&str]) -> Ticket {
        let of_lane = |lane: &Vec<StoredRecord>| (Offset(lane.len() as i64 / 5), Offset(lane.len() as i64));
        let of_topic = |topic: &str| (0..).map(PartitionId).zip(self.topics[topic].iter().map(of_lane)).collect();
        Ticket {
            student: "me".to_owned(),
            challenge: "c05".to_owned(),
            nonce: self.nonce.clone(),
            results: None,
            ranges: topics.iter().map(|topic| (TopicName::new(topic), of_topic(topic))).collect(),
            live: BTreeMap::new(),
            issued_ms: VIRTUAL_START.plus_ms((MINUTES - 1) * MINUTE_MS),
            expires_ms: Timestamp(i64::MAX),
        }
    }

    pub fn judge(&self, name: &str, parameters: &str, topics: &[&str], receipt: &Value) -> Judgement {
        let truth = kind(name, &toml::from_str(parameters).unwrap()).unwrap();
        let (ticket, answer) = (self.ticket(topics), Answer { records: Vec::new(), receipt: Some(receipt.clone()) });
        let judgement = truth.judge(&Case { ticket: &ticket, answer: &answer, log: self, evidence: None, now: Timestamp(0) }).unwrap();
        assert!(judgement.checks.iter().all(|check| truth.checks().contains(&check.id.as_str())), "{judgement:?}");
        assert!(judgement.mistake.iter().all(|mistake| truth.mistakes().contains(&mistake.id)), "{judgement:?}");
        assert!(judgement.stars.iter().all(|star| truth.stars().contains(star)), "{judgement:?}");
        judgement
    }
}

impl Log for Town {
    fn read(
        &self,
        topic: &str,
        partition: PartitionId,
        range: Range<Offset>,
        visit: &mut dyn FnMut(&StoredRecord),
    ) -> Result<(), LogError> {
        let lane = self.topics.get(topic).and_then(|lanes| lanes.get(partition.0 as usize)).map(Vec::as_slice).unwrap_or_default();
        let (from, to) = (range.start.0 as usize, (range.end.0 as usize).min(lane.len()));
        lane.get(from..to).unwrap_or_default().iter().for_each(visit);
        Ok(())
    }
}

/// The checks that failed.
pub fn failed(judgement: &Judgement) -> Vec<&str> {
    judgement.checks.iter().filter(|check| check.status == CheckStatus::Fail).map(|check| check.id.as_str()).collect()
}

pub fn assert_passes(judgement: &Judgement) {
    assert!(judgement.passed() && judgement.mistake.is_none(), "{judgement:?}");
}

/// That an answer fails, and with which mistake.
pub fn assert_mistake(judgement: &Judgement, id: Option<&str>) {
    assert!(!judgement.passed(), "{judgement:?}");
    assert_eq!(judgement.mistake.as_ref().map(|mistake| mistake.id), id, "{judgement:?}");
}
