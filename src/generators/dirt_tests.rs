//! Dirt is there at the stated rates, and the ledger says the truth: both found by somebody who has only the bytes.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::chronicle::{Chronicle, Event};
use super::dirt::{DirtLevel, LATENESS};
use super::schema::{STREAMS, StreamId};
use super::world::World;
use crate::model::Timestamp;

const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
const HOUR_MS: i64 = 3_600_000;

fn told(seed: u64, level: DirtLevel, hours: i64) -> Vec<Event> {
    let chronicle = Chronicle::new(World::new(seed, level), ORIGIN, ORIGIN);
    chronicle.take_while(|event| event.arrival < ORIGIN.plus_ms(hours * HOUR_MS)).collect()
}

/// What a reader of the topics can tell of one event without knowing how it was made.
#[derive(Default)]
struct Seen {
    arrivals: Vec<i64>,
    fault: Option<&'static str>,
}

/// Names what is wrong with a value, by the rules that the documentation gives to students.
fn diagnose(stream: StreamId, value: &[u8], arrival: i64) -> Option<&'static str> {
    let Ok(parsed) = serde_json::from_slice::<Value>(value) else {
        return Some(if value.last() == Some(&b'}') && value.starts_with(b"{e") { "not-json" } else { "truncated" });
    };
    let far_ahead = time_ms(&parsed).is_some_and(|at| at > arrival + HOUR_MS);
    match stream {
        StreamId::ECOMMERCE if parsed["user_id"].is_null() => Some("null-user"),
        StreamId::ECOMMERCE if parsed["price"].is_string() => Some("price-as-text"),
        StreamId::ECOMMERCE if parsed["price"].as_f64().is_some_and(|price| price <= 0.0) => Some("price-not-positive"),
        StreamId::ECOMMERCE if parsed["event_type"] == "hover" => Some("unknown-type"),
        StreamId::ECOMMERCE if parsed["product_id"].is_null() => Some("missing-field"),
        StreamId::ECOMMERCE if far_ahead => Some("future-timestamp"),
        StreamId::IOT if parsed["value"].is_null() => Some("null-value"),
        StreamId::IOT if parsed["value"] == -999.0 => Some("sentinel"),
        StreamId::SOCIAL if parsed["content_preview"] == "" => Some("empty-text"),
        StreamId::FINANCE if parsed["amount"].as_f64().is_some_and(|amount| amount < 0.0) => Some("negative-amount"),
        _ => None,
    }
}

fn time_ms(value: &Value) -> Option<i64> {
    let text = value["timestamp"].as_str()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let day_of_month = number(8, 10)? - crate_day(ORIGIN)?;
    let of_day = ((number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?) * 1000 + number(20, 23)?;
    Some(ORIGIN.0 - ORIGIN.0.rem_euclid(24 * HOUR_MS) + day_of_month * 24 * HOUR_MS + of_day)
}

/// The samples lie within one month.
fn crate_day(at: Timestamp) -> Option<i64> {
    std::str::from_utf8(&super::json::rfc3339_ms(at.0)[8..10]).ok()?.parse().ok()
}

/// The id in a value that may be cut off behind it.
fn id_of(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let start = text.find("event_id")? + "event_id".len();
    let id = text.get(start..)?.trim_start_matches(['"', ':']);
    id.get(..26)
}

#[test]
fn the_ledger_agrees_with_what_the_bytes_show() {
    for seed in [7, 8, 9] {
        for level in [DirtLevel::None, DirtLevel::Stated, DirtLevel::Heavy] {
            assert_ledger(&told(seed, level, 3), level);
        }
    }
}

fn assert_ledger(events: &[Event], level: DirtLevel) {
    let mut seen: HashMap<(usize, String), Seen> = HashMap::new();
    let mut illegible = 0;
    for event in events.iter().filter(|event| event.stream != StreamId::TRUTH) {
        let Some(id) = id_of(&event.value) else {
            illegible += 1;
            continue;
        };
        let found = seen.entry((event.stream.0, id.to_owned())).or_default();
        found.arrivals.push(event.arrival.0);
        found.fault = diagnose(event.stream, &event.value, event.arrival.0);
    }
    let mut noted = HashSet::new();
    let (mut faults, mut copies, mut late, mut unseen) = (0, 0, 0, 0);
    for event in events.iter().filter(|event| event.stream == StreamId::TRUTH) {
        let note: Value = serde_json::from_slice(&event.value).unwrap();
        let stream = STREAMS.iter().position(|stream| stream.topic == note["topic"]).unwrap();
        let id = note["event_id"].as_str().unwrap();
        assert_eq!(event.key, id.as_bytes());
        let Some(found) = seen.get(&(stream, id.to_owned())) else {
            // Its event ends before its id does.
            assert_eq!(note["fault"], "truncated", "{note}");
            unseen += if note["copies"].is_null() { 1 } else { 2 };
            continue;
        };
        assert!(noted.insert((stream, id.to_owned())), "noted twice: {note}");
        assert_eq!(note["fault"].as_str(), found.fault, "{note}");
        let lasts = found.arrivals.len() == 1 && event.arrival.plus_ms(25_000) >= ORIGIN.plus_ms(3 * HOUR_MS);
        assert!(note["copies"].as_i64().unwrap_or(1) == found.arrivals.len() as i64 || lasts, "{note} {:?}", found.arrivals);
        assert_eq!(event.arrival.0, found.arrivals[0], "a note comes with its event");
        let happened = time_ms(&note).unwrap();
        let delay = found.arrivals[0] - happened;
        let is_late = delay >= LATENESS[0].0 as i64 * 1000;
        assert_eq!(note["late_ms"].is_i64(), is_late, "{note}: arrived after {delay} ms");
        faults += usize::from(found.fault.is_some());
        copies += usize::from(found.arrivals.len() > 1);
        late += usize::from(is_late);
    }
    assert!(unseen >= illegible, "{illegible} events without an id, {unseen} of them noted");
    for (key, found) in seen.iter().filter(|(key, _)| !noted.contains(*key)) {
        assert!(found.fault.is_none() && found.arrivals.len() == 1, "not in the ledger: {key:?} {:?}", found.fault);
    }
    if level == DirtLevel::None {
        assert_eq!((faults, copies, late, illegible), (0, 0, 0, 0));
    } else {
        assert!(faults > 100 && copies > 100 && late > 100, "{faults} faults, {copies} copies, {late} late");
    }
}

#[test]
fn dirt_has_the_stated_rates() {
    let events = told(7, DirtLevel::Stated, 4);
    let mut total = [0_f64; STREAMS.len()];
    events.iter().filter(|event| event.stream != StreamId::TRUTH).for_each(|event| total[event.stream.0] += 1.0);
    let mut counts: HashMap<(usize, String), f64> = HashMap::new();
    for event in events.iter().filter(|event| event.stream == StreamId::TRUTH) {
        let note: Value = serde_json::from_slice(&event.value).unwrap();
        let stream = STREAMS.iter().position(|stream| stream.topic == note["topic"]).unwrap();
        let mut count = |what: &str| *counts.entry((stream, what.to_owned())).or_default() += 1.0;
        note["fault"].as_str().into_iter().for_each(&mut count);
        note["copies"].as_i64().into_iter().for_each(|_| count("duplicate"));
        if let Some(late) = note["late_ms"].as_i64() {
            let class = LATENESS.iter().rposition(|(from, _)| late >= (from * 1000.0) as i64).unwrap();
            count(["late", "later", "latest"][class]);
        }
    }
    for stream in &STREAMS {
        let rates = stream.dirt;
        let [late, later, latest] = rates.late;
        let stated = [("duplicate", rates.duplicates), ("late", late), ("later", later), ("latest", latest)];
        for (what, rate) in stated.into_iter().chain(rates.faults.iter().map(|fault| (fault.name, fault.rate))) {
            let of = total[stream.id.0];
            let found = counts.get(&(stream.id.0, what.to_owned())).copied().unwrap_or_default();
            println!("{} {what}: {:.3} %, stated {:.3} %", stream.topic, 100.0 * found / of, 100.0 * rate);
            // Four standard deviations of a count; what is late at the end of the sample has not come yet.
            let spread = 4.0 * (rate * of).sqrt() + 0.35 * rate * of + 1.0;
            assert!((found - rate * of).abs() <= spread, "{} {what}: {found} of {of}, stated {rate}", stream.topic);
        }
    }
}

#[test]
fn one_in_twenty_is_overtaken() {
    let mut newest = HashMap::new();
    let (mut behind, mut total) = (0.0, 0.0);
    for event in told(7, DirtLevel::Stated, 1) {
        let Ok(value) = serde_json::from_slice::<Value>(&event.value) else { continue };
        let Some(happened) = time_ms(&value).filter(|at| *at <= event.arrival.0) else { continue };
        if event.stream != StreamId::ECOMMERCE || event.arrival.0 - happened > 60_000 {
            continue;
        }
        let newest = newest.entry(event.partition).or_insert(happened);
        total += 1.0;
        behind += f64::from(happened + 600 < *newest);
        *newest = happened.max(*newest);
    }
    assert!((0.03..0.08).contains(&(behind / total)), "{behind} of {total}");
}

#[test]
fn testers_buy_without_paying_and_are_one_in_a_hundred() {
    let (mut tests, mut total) = (0.0, 0.0);
    let (mut orders, mut paid) = (HashSet::new(), HashSet::new());
    for event in told(7, DirtLevel::Stated, 2) {
        let Ok(value) = serde_json::from_slice::<Value>(&event.value) else { continue };
        let order = value["order_id"].as_str().map(str::to_owned);
        match event.stream {
            StreamId::ECOMMERCE => {
                let test = value["is_test"] == true || value["user_id"].as_str().is_some_and(|user| user.starts_with("test-"));
                total += 1.0;
                tests += f64::from(test);
                orders.extend(order.filter(|_| test));
            }
            StreamId::FINANCE => paid.extend(order),
            _ => {}
        }
    }
    assert!((0.007..0.013).contains(&(tests / total)), "{tests} of {total}");
    assert!(orders.len() > 20 && orders.is_disjoint(&paid));
}
