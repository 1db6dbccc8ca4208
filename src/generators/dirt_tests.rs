//! Dirt is there at the stated rates, and the ledger says the truth: both found by somebody who has only the bytes.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Value, json};

use super::chronicle::{Chronicle, Event};
use super::dirt::{DirtLevel, LATENESS, OUT_OF_ORDER, REACH_MS};
use super::schema::{STREAMS, StreamId};
use super::world::World;
use crate::model::Timestamp;

const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// No network takes as long.
const NETWORK_MS: i64 = 1_000;

fn told(seed: u64, level: DirtLevel, from_ms: i64, to_ms: i64) -> impl Iterator<Item = Event> {
    let chronicle = Chronicle::new(World::new(seed, level), ORIGIN, ORIGIN.plus_ms(from_ms));
    chronicle.take_while(move |event| event.arrival < ORIGIN.plus_ms(to_ms))
}

/// What a reader of the topics knows of one event, without knowing how it was made.
struct Seen {
    key: Bytes,
    value: Bytes,
    happened: i64,
    arrivals: Vec<i64>,
    /// The fields that a note has to have, but for those of time.
    shown: Vec<(&'static str, &'static str)>,
}

type Id = (usize, String);

/// What the topics and the ledger hold of the events that happened within a stretch from the origin.
struct Evidence {
    seen: BTreeMap<Id, Seen>,
    notes: HashMap<Id, Value>,
}

impl Evidence {
    fn of(seed: u64, level: DirtLevel, stretch_ms: i64) -> Evidence {
        let mut evidence = Evidence { seen: BTreeMap::new(), notes: HashMap::new() };
        let reach = if level == DirtLevel::None { NETWORK_MS } else { REACH_MS + NETWORK_MS };
        for event in told(seed, level, 0, stretch_ms + reach) {
            // Lines about incidents are about no event.
            if event.key.starts_with(b"incident-") {
                continue;
            }
            let id = if event.stream == StreamId::TRUTH { std::str::from_utf8(&event.key).ok() } else { id_of(&event.value) };
            let id = id.unwrap_or_else(|| panic!("{event:?}"));
            let happened = id_time_ms(id);
            if happened >= ORIGIN.0 + stretch_ms {
                continue;
            }
            if event.stream == StreamId::TRUTH {
                evidence.add_note(id, happened, &event);
            } else {
                evidence.add_event((event.stream.0, id.to_owned()), happened, event);
            }
        }
        evidence
    }

    fn add_note(&mut self, id: &str, happened: i64, event: &Event) {
        let mut note: Value = serde_json::from_slice(&event.value).unwrap();
        assert_eq!((note["event_id"].as_str(), time_ms(&note)), (Some(id), Some(happened)), "{note}");
        let stream = STREAMS.iter().position(|stream| stream.topic == note["topic"]).unwrap();
        note["arrival"] = json!(event.arrival.0);
        assert!(self.notes.insert((stream, id.to_owned()), note).is_none(), "noted twice: {id}");
    }

    fn add_event(&mut self, id: Id, happened: i64, event: Event) {
        let Event { key, value, arrival, .. } = event;
        let stream = StreamId(id.0);
        let first =
            || Seen { shown: shown(stream, &key, &value, arrival), key: key.clone(), value: value.clone(), happened, arrivals: vec![] };
        let seen = self.seen.entry(id).or_insert_with(first);
        assert!(seen.key == key && seen.value == value, "a copy differs: {value:?}");
        seen.arrivals.push(arrival.0);
    }
}

impl Seen {
    fn delay_ms(&self) -> i64 {
        self.arrivals[0] - self.happened
    }

    fn shows(&self, name: &str) -> Option<&'static str> {
        self.shown.iter().find(|(shown, _)| *shown == name).map(|(_, what)| *what)
    }

    /// Duplicates, delays, faults and who is behind it, as the table of rates names them.
    fn dirt(&self) -> Vec<&'static str> {
        // Who measures in Fahrenheit does so at every level.
        let shown = self.shown.iter().filter(|(name, _)| *name != "unit");
        let mut dirt: Vec<&'static str> = shown.map(|(name, what)| if *name == "fault" { *what } else { *name }).collect();
        if self.arrivals.len() > 1 {
            dirt.push("duplicate");
        }
        let delay = self.delay_ms() as f64 / 1000.0;
        if delay >= OUT_OF_ORDER.0 {
            dirt.push(match LATENESS.iter().rposition(|(from, _)| delay >= *from) {
                None => "out-of-order",
                Some(class) => LATE[class],
            });
        }
        dirt
    }
}

/// What a reader notices in a value.
fn shown(stream: StreamId, key: &[u8], value: &[u8], arrival: Timestamp) -> Vec<(&'static str, &'static str)> {
    let parsed: Option<Value> = serde_json::from_slice(value).ok();
    let mut shown = Vec::new();
    shown.extend(fault(stream, value, parsed.as_ref(), arrival).map(|fault| ("fault", fault)));
    let parsed = parsed.unwrap_or_default();
    if stream == StreamId::ECOMMERCE && key.starts_with(b"test-") {
        shown.push(("tester", "account"));
    } else if parsed["is_test"] == true {
        shown.push(("tester", "marked"));
    }
    if parsed["is_bot"] == true {
        shown.push(("writer", "bot"));
    }
    if parsed["unit"] == "F" {
        shown.push(("unit", "F"));
    }
    shown
}

/// Names what is wrong with a value, by the rules that the documentation gives.
fn fault(stream: StreamId, value: &[u8], parsed: Option<&Value>, arrival: Timestamp) -> Option<&'static str> {
    let Some(parsed) = parsed else {
        return Some(if value.starts_with(b"{e") && value.ends_with(b"}") { "not-json" } else { "truncated" });
    };
    let far_ahead = time_ms(parsed).is_some_and(|at| at > arrival.0 + HOUR_MS);
    match stream {
        StreamId::ECOMMERCE if parsed["user_id"].is_null() => Some("null-user"),
        StreamId::ECOMMERCE if parsed["price"].is_string() => Some("price-as-text"),
        StreamId::ECOMMERCE if parsed["price"].as_f64().is_some_and(|price| price <= 0.0) => Some("price-not-positive"),
        StreamId::ECOMMERCE if parsed["event_type"] == "hover" => Some("unknown-type"),
        StreamId::ECOMMERCE if parsed.get("product_id").is_none() => Some("missing-field"),
        StreamId::ECOMMERCE if far_ahead => Some("future-timestamp"),
        StreamId::IOT if parsed["value"].is_null() => Some("null-value"),
        StreamId::IOT if parsed["value"] == -999.0 => Some("sentinel"),
        StreamId::SOCIAL if parsed["content_preview"] == "" => Some("empty-text"),
        StreamId::FINANCE if parsed["amount"].as_f64().is_some_and(|amount| amount < 0.0) => Some("negative-amount"),
        _ => None,
    }
}

const LATE: [&str; 3] = ["late", "later", "latest"];

fn time_ms(value: &Value) -> Option<i64> {
    let text = value["timestamp"].as_str()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let of_day = ((number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?) * 1000 + number(20, 23)?;
    // All samples lie within one month, that of the origin's day.
    let first_day: i64 = std::str::from_utf8(&super::json::rfc3339_ms(ORIGIN.0)[8..10]).ok()?.parse().ok()?;
    Some(ORIGIN.0 - ORIGIN.0.rem_euclid(24 * HOUR_MS) + (number(8, 10)? - first_day) * 24 * HOUR_MS + of_day)
}

/// The id in a value that may be cut off behind it.
fn id_of(value: &[u8]) -> Option<&str> {
    let start = value.windows(8).position(|window| window == b"event_id")? + 8;
    let id = value.get(start..)?.iter().position(u8::is_ascii_alphanumeric)? + start;
    std::str::from_utf8(value.get(id..id + 26)?).ok()
}

/// The time that an id begins with, as the documentation says.
fn id_time_ms(id: &str) -> i64 {
    let digits = id.bytes().take(10).map(|digit| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".iter().position(|&known| known == digit).unwrap());
    digits.fold(0, |time, digit| time << 5 | digit as i64)
}

/// Holds the ledger against the bytes, both ways: what each has, the other has.
fn assert_ledger(evidence: &Evidence) {
    for (id, note) in &evidence.notes {
        let seen = evidence.seen.get(id).unwrap_or_else(|| panic!("of no event: {note}"));
        assert_eq!(note["arrival"], seen.arrivals[0], "a note comes with its event: {note}");
    }
    for (id, seen) in &evidence.seen {
        let stream = StreamId(id.0);
        let copies = (seen.arrivals.len() > 1).then_some(seen.arrivals.len());
        let Some(note) = evidence.notes.get(id) else {
            let clean = seen.shown.is_empty() && copies.is_none() && seen.delay_ms() < NETWORK_MS;
            assert!(clean, "not in the ledger: {id:?} {:?} {copies:?} {} ms", seen.shown, seen.delay_ms());
            continue;
        };
        let held_up = seen.delay_ms() - note["delay_ms"].as_i64().unwrap_or(0);
        assert!((0..NETWORK_MS).contains(&held_up), "{} ms after it happened: {note}", seen.delay_ms());
        assert_eq!(note["copies"].as_u64(), copies.map(|copies| copies as u64), "{note}");
        let noted = note.as_object().unwrap();
        // What is no JSON shows its damage only.
        let legible = !["truncated", "not-json"].map(Some).contains(&seen.shows("fault"));
        for label in ["fault", "tester", "writer", "unit"].into_iter().take(if legible { 4 } else { 1 }) {
            assert_eq!(note[label].as_str(), seen.shows(label), "{label}: {note}");
        }
        let head = ["topic", "event_id", "timestamp", "arrival"];
        assert!(noted.keys().any(|name| !head.contains(&name.as_str())), "says nothing: {note}");
        let texts = stream == StreamId::SOCIAL && !seen.value.windows(6).any(|window| window == b"\"like\"");
        assert!(!noted.contains_key("sentiment") || stream == StreamId::SOCIAL && texts, "{note}");
        assert!(!noted.contains_key("fraud") || stream == StreamId::FINANCE, "{note}");
    }
}

/// Counts of each stream's events, and of each kind of dirt in them.
#[derive(Default)]
struct Counts {
    events: [f64; STREAMS.len()],
    dirt: HashMap<(usize, &'static str), f64>,
}

impl Counts {
    fn add(&mut self, evidence: &Evidence) {
        for ((stream, _), seen) in &evidence.seen {
            self.events[*stream] += 1.0;
            seen.dirt().into_iter().for_each(|what| *self.dirt.entry((*stream, what)).or_default() += 1.0);
        }
    }

    /// Within four and a half standard deviations of a count; tests come by the visit, so that theirs is wider.
    fn assert_stated(&self, factor: f64) {
        for stream in STREAMS {
            let rates = stream.dirt;
            let late = LATE.into_iter().zip(rates.late);
            let faults = rates.faults.iter().map(|fault| (fault.name, fault.rate));
            let (testers, bots) = (
                if stream.id == StreamId::ECOMMERCE { super::ecommerce::TESTS } else { 0.0 },
                if stream.id == StreamId::SOCIAL { super::social::BOTS } else { 0.0 },
            );
            let others = [("duplicate", rates.duplicates), ("out-of-order", rates.out_of_order), ("tester", testers), ("writer", bots)];
            for (what, rate) in late.chain(others).chain(faults) {
                let expected = self.events[stream.id.0] * rate * factor;
                let found = self.dirt.get(&(stream.id.0, what)).copied().unwrap_or_default();
                let of = self.events[stream.id.0];
                println!("{} {what}: {:.3} %, stated {:.3} %, {found} of {of}", stream.topic, 100.0 * found / of, 100.0 * rate * factor);
                let tolerance = 4.5 * expected.sqrt() * if what == "tester" { 13.0_f64.sqrt() } else { 1.0 };
                assert!((found - expected).abs() <= tolerance, "{} {what}: {found}, expected {expected}", stream.topic);
            }
            let stated: HashSet<&str> = faults_of(stream.id).collect();
            let strangers = self.dirt.keys().filter(|(of, what)| *of == stream.id.0 && !stated.contains(what));
            assert_eq!(strangers.filter(|key| self.dirt[*key] > 0.0).count(), 0);
        }
    }
}

fn faults_of(stream: StreamId) -> impl Iterator<Item = &'static str> {
    let others = ["duplicate", "out-of-order", "tester", "writer"];
    STREAMS[stream.0].dirt.faults.iter().map(|fault| fault.name).chain(LATE).chain(others)
}

fn assert_level(level: DirtLevel) {
    let mut counts = Counts::default();
    for seed in [7, 8, 9] {
        let evidence = Evidence::of(seed, level, 30 * MINUTE_MS);
        assert_ledger(&evidence);
        counts.add(&evidence);
    }
    counts.assert_stated(level.factor());
}

#[test]
fn without_dirt_neither_bytes_nor_ledger_show_any() {
    assert_level(DirtLevel::None);
}

#[test]
fn stated_dirt_stands_in_the_ledger_as_in_the_bytes_at_its_rates() {
    assert_level(DirtLevel::Stated);
}

#[test]
fn heavy_dirt_stands_in_the_ledger_as_in_the_bytes_at_three_times_the_rates() {
    assert_level(DirtLevel::Heavy);
}

#[test]
fn one_in_twenty_is_overtaken_within_its_partition() {
    let (mut newest, mut ids) = (HashMap::new(), HashSet::new());
    let mut counts = [(0.0, 0.0); STREAMS.len()];
    for event in told(7, DirtLevel::Stated, 0, HOUR_MS).filter(|event| event.stream != StreamId::TRUTH) {
        let id = id_of(&event.value).unwrap();
        let happened = id_time_ms(id);
        if event.arrival.0 - happened >= 30_000 || !ids.insert(id.to_owned()) {
            continue;
        }
        let newest = newest.entry((event.stream, event.partition)).or_insert(happened);
        let (behind, total) = &mut counts[event.stream.0];
        *total += 1.0;
        *behind += f64::from(u8::from(happened + NETWORK_MS < *newest));
        *newest = happened.max(*newest);
    }
    for (stream, (behind, total)) in STREAMS.iter().zip(counts) {
        println!("{}: {:.2} % overtaken", stream.topic, 100.0 * behind / total);
        assert!((0.035..0.055).contains(&(behind / total)), "{}: {behind} of {total}", stream.topic);
    }
}

#[test]
fn dirt_changes_nothing_else() {
    let stretch = 8 * MINUTE_MS;
    let (clean, dirty) = (Evidence::of(7, DirtLevel::None, stretch), Evidence::of(7, DirtLevel::Stated, stretch));
    let missing: Vec<&Id> = clean.seen.keys().filter(|id| !dirty.seen.contains_key(*id)).collect();
    // Testers do not pay.
    assert!(!missing.is_empty() && missing.iter().all(|(stream, _)| *stream == StreamId::FINANCE.0));
    let mut touched = 0;
    for (id, seen) in &dirty.seen {
        let clean = &clean.seen[id];
        let marks = ["fault", "tester", "writer"];
        if dirty.notes.get(id).is_some_and(|note| marks.iter().any(|mark| !note[*mark].is_null())) {
            assert_ne!(seen.value, clean.value);
            touched += 1;
        } else {
            assert_eq!((&seen.key, &seen.value), (&clean.key, &clean.value));
        }
    }
    assert!(touched > 300, "{touched}");
}

#[test]
fn starting_anywhere_gives_the_tail_with_its_dirt_and_notes() {
    let end = 100 * MINUTE_MS;
    let whole: Vec<Event> = told(7, DirtLevel::Heavy, 0, end).collect();
    for from_ms in [599_999, end - 10_001] {
        let tail = whole.iter().filter(|event| event.arrival >= ORIGIN.plus_ms(from_ms));
        assert!(told(7, DirtLevel::Heavy, from_ms, end).eq(tail.cloned()), "from {from_ms}");
    }
}

#[test]
fn testers_buy_without_paying() {
    let (mut orders, mut paid) = (HashSet::new(), HashSet::new());
    for event in told(7, DirtLevel::Stated, 0, HOUR_MS) {
        let Ok(value) = serde_json::from_slice::<Value>(&event.value) else { continue };
        let order = value["order_id"].as_str().map(str::to_owned);
        let tests = value["is_test"] == true || event.key.starts_with(b"test-");
        match event.stream {
            StreamId::ECOMMERCE => orders.extend(order.filter(|_| tests)),
            StreamId::FINANCE => paid.extend(order),
            _ => {}
        }
    }
    assert!(orders.len() > 20 && orders.is_disjoint(&paid));
}
