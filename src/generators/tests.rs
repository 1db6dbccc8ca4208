//! What the four streams promise, held against two simulated hours.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::chronicle::{Chronicle, Event};
use super::dirt::DirtLevel;
use super::draft::{CHAPTER_MS, Draft, Drafts, STORY_REACH_MS};
use super::schema::{STREAMS, StreamId};
use super::world::World;
use crate::model::Timestamp;

const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
const HOUR_MS: i64 = 3_600_000;

fn told(seed: u64, from_ms: i64, to_ms: i64) -> Vec<Event> {
    let chronicle = Chronicle::new(World::new(seed, DirtLevel::None), ORIGIN, ORIGIN.plus_ms(from_ms));
    chronicle.take_while(|event| event.arrival < ORIGIN.plus_ms(to_ms)).filter(|event| event.stream != StreamId::TRUTH).collect()
}

/// Two hours of seed 7, parsed once for all tests.
fn two_hours() -> &'static [(Event, Value)] {
    static TOLD: OnceLock<Vec<(Event, Value)>> = OnceLock::new();
    TOLD.get_or_init(|| {
        let parse = |event: Event| {
            let value = serde_json::from_slice(&event.value).expect("valid JSON");
            (event, value)
        };
        told(7, 0, 2 * HOUR_MS).into_iter().map(parse).collect()
    })
}

fn of(stream: StreamId) -> impl Iterator<Item = &'static Value> {
    two_hours().iter().filter(move |(event, _)| event.stream == stream).map(|(_, value)| value)
}

/// Payments in countries that have no spike at the time.
fn usual_payments() -> impl Iterator<Item = &'static Value> {
    let world = World::new(7, DirtLevel::None);
    of(StreamId::FINANCE).filter(move |value| {
        let spike = world.timeline.planned_spike(time_ms(value) - ORIGIN.0);
        spike.is_none_or(|spike| spike.target_name.as_deref() != Some(text(value, "country")))
    })
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

fn cents(value: &Value) -> i64 {
    (value.as_f64().unwrap() * 100.0).round() as i64
}

fn time_ms(value: &Value) -> i64 {
    let text = text(value, "timestamp");
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    // All of the sample lies on one day.
    let origin = super::json::rfc3339_ms(ORIGIN.0);
    assert_eq!(text.as_bytes()[..10], origin[..10]);
    let of_day = ((number(11, 13) * 60 + number(14, 16)) * 60 + number(17, 19)) * 1000 + number(20, 23);
    ORIGIN.0 - ORIGIN.0.rem_euclid(86_400_000) + of_day
}

fn shares<'v>(values: impl Iterator<Item = &'v str>) -> HashMap<&'v str, f64> {
    let mut counts: HashMap<&str, f64> = HashMap::new();
    let mut total = 0.0;
    for value in values {
        *counts.entry(value).or_default() += 1.0;
        total += 1.0;
    }
    counts.values_mut().for_each(|count| *count /= total);
    counts
}

fn assert_near(what: &str, actual: f64, expected: f64, tolerance: f64) {
    println!("{what}: {actual:.4}, stated {expected}");
    assert!((actual - expected).abs() <= tolerance, "{what}: {actual:.4}, stated {expected} within {tolerance}");
}

fn fingerprint<'e>(events: impl IntoIterator<Item = &'e Event>) -> u64 {
    events.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, event| {
        let head = [event.stream.0 as u8, event.partition.0 as u8];
        let arrival = event.arrival.0.to_be_bytes();
        let bytes = head.iter().chain(&arrival).chain(&event.key).chain(&event.value);
        bytes.fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    })
}

#[test]
fn same_seed_and_origin_give_the_bytes_committed_here() {
    let first_minutes = |seed| format!("{:016x}", fingerprint(&told(seed, 0, HOUR_MS / 4)));
    assert_eq!(first_minutes(7), first_minutes(7));
    assert_ne!(first_minutes(7), first_minutes(8));
    let a_day_later = format!("{:016x}", fingerprint(&told(7, 24 * HOUR_MS, 24 * HOUR_MS + 60_000)));
    // Change these only with a change of the town that is meant, and say so: every data folder's future depends on them.
    assert_eq!((first_minutes(7).as_str(), a_day_later.as_str()), ("68e69d550d139d55", "fdde379afa9eacf2"));
    let with_dirt = Chronicle::new(World::new(7, DirtLevel::Stated), ORIGIN, ORIGIN.plus_ms(2 * HOUR_MS));
    let with_dirt: Vec<Event> = with_dirt.take_while(|event| event.arrival < ORIGIN.plus_ms(2 * HOUR_MS + 60_000)).collect();
    assert_eq!(format!("{:016x}", fingerprint(&with_dirt)), "70bb72f5baa3e68c");
}

#[test]
fn starting_anywhere_gives_the_tail_of_starting_at_the_origin() {
    let whole = told(7, 0, HOUR_MS);
    for from_ms in [1, 9_999, 10_000, 250_123, 1_999_999, 2_345_678, 3_599_000] {
        let tail: Vec<Event> = whole.iter().filter(|event| event.arrival >= ORIGIN.plus_ms(from_ms)).cloned().collect();
        assert!(told(7, from_ms, HOUR_MS) == tail, "from {from_ms}");
    }
}

#[test]
fn events_come_in_order_of_arrival_and_never_before_they_happened() {
    let mut last = ORIGIN;
    let mut ids = HashSet::new();
    for (event, value) in two_hours() {
        assert!(event.arrival >= last);
        last = event.arrival;
        let delay = event.arrival.0 - time_ms(value);
        assert!((0..1000).contains(&delay), "{delay} {value}");
        assert!(time_ms(value) >= ORIGIN.0);
        assert!(ids.insert(text(value, "event_id")), "{value}");
    }
}

#[test]
fn no_story_reaches_further_than_the_chronicle_looks_back() {
    let world = World::new(7, DirtLevel::None);
    let mut furthest = 0;
    for chapter in 0..3000 {
        let start = chapter * CHAPTER_MS;
        let mut accept = |draft: Draft| {
            assert!(draft.happened >= start && draft.arrival >= draft.happened);
            furthest = furthest.max(draft.arrival - start);
        };
        let mut drafts = Drafts::new(&mut accept);
        STREAMS.iter().for_each(|stream| (stream.tell)(&world, chapter, &mut drafts));
    }
    println!("furthest {furthest} ms");
    assert!(furthest < STORY_REACH_MS);
}

/// Names and kinds of all leaves of a value, as the field table writes them.
fn leaves(prefix: &str, value: &Value, out: &mut Vec<(String, &'static str)>) {
    let kind = match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&path, inner, out);
            }
            return;
        }
        Value::String(_) => "string",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "strings",
        Value::Null => "null",
    };
    out.push((prefix.to_owned(), kind));
}

#[test]
fn every_event_has_the_fields_of_its_table() {
    for (event, value) in two_hours() {
        let stream = &STREAMS[event.stream.0];
        let mut found = Vec::new();
        leaves("", value, &mut found);
        let found: HashMap<String, &str> = found.into_iter().collect();
        let mut known = 0;
        for field in stream.fields {
            let Some(kind) = found.get(field.name) else {
                assert!(field.optional, "{} is missing in {value}", field.name);
                continue;
            };
            known += 1;
            let fits = match field.kind {
                "time" => *kind == "string",
                "number" => matches!(*kind, "number" | "integer"),
                "string?" => matches!(*kind, "string" | "null"),
                exact => *kind == exact,
            };
            assert!(fits, "{} is {kind} in {value}", field.name);
        }
        assert_eq!(known, found.len(), "{value}");
        assert_eq!(event.key, text(value, stream.key_field));
        assert_eq!(event.partition, super::partition_of(&event.key, stream.partitions));
        assert_eq!(text(value, "event_id").len(), 26);
        assert_eq!(value["schema_version"], 1);
    }
}

#[test]
fn fields_are_written_in_the_order_of_the_table() {
    for stream in STREAMS {
        let (event, _) = two_hours().iter().find(|(event, _)| event.stream == stream.id).unwrap();
        let json = std::str::from_utf8(&event.value).unwrap();
        let position = |name: &str| json.find(&format!("\"{}\":", name.rsplit('.').next().unwrap()));
        let places: Vec<usize> = stream.fields.iter().filter(|field| !field.optional).map(|field| position(field.name).unwrap()).collect();
        assert!(places.is_sorted(), "{json}");
    }
}

#[test]
fn rates_are_as_stated() {
    let rate = |stream| if stream == StreamId::FINANCE { usual_payments().count() } else { of(stream).count() } as f64 / 7200.0;
    assert_near("shop events a second", rate(StreamId::ECOMMERCE), 25.0, 1.0);
    assert_near("readings a second", rate(StreamId::IOT), 19.2, 0.05);
    assert_near("social events a second", rate(StreamId::SOCIAL), 17.0, 1.3);
    assert_near("payments a second", rate(StreamId::FINANCE), 4.0, 0.25);
}

#[test]
fn the_day_has_a_shape() {
    let in_quarter = |quarter: i64| {
        let from = ORIGIN.plus_ms(HOUR_MS + quarter * HOUR_MS / 4);
        let within = |event: &Event| event.arrival >= from && event.arrival < from.plus_ms(HOUR_MS / 4);
        two_hours().iter().filter(|(event, _)| event.stream == StreamId::ECOMMERCE && within(event)).count() as f64
    };
    let (busy, quiet) = (in_quarter(0) + in_quarter(1), in_quarter(2) + in_quarter(3));
    assert_near("busy half to quiet half", busy / quiet, 1.68, 0.2);
}

#[test]
fn the_funnel_has_the_stated_mix() {
    let mix = shares(of(StreamId::ECOMMERCE).map(|value| text(value, "event_type")));
    for (kind, share) in
        [("view", 0.76), ("search", 0.06), ("add_to_cart", 0.10), ("remove_from_cart", 0.01), ("checkout", 0.01), ("purchase", 0.06)]
    {
        assert_near(kind, mix[kind], share, if share > 0.05 { 0.012 } else { 0.003 });
    }
    assert_eq!(mix.len(), 6);
}

#[test]
fn a_session_is_a_funnel_of_one_person() {
    let mut sessions: HashMap<&str, Vec<&Value>> = HashMap::new();
    of(StreamId::ECOMMERCE).for_each(|value| sessions.entry(text(value, "session_id")).or_default().push(value));
    let mut lengths = 0;
    for events in sessions.values() {
        let mut cart = HashSet::new();
        assert!(events.len() <= 25);
        lengths += events.len();
        for pair in events.windows(2) {
            assert_eq!(pair[0]["user_id"], pair[1]["user_id"]);
            assert_eq!(pair[0]["context"], pair[1]["context"]);
            assert!(time_ms(pair[1]) - time_ms(pair[0]) < 30 * 60_000);
        }
        for event in events {
            let product = text(event, "product_id");
            match text(event, "event_type") {
                "add_to_cart" => assert!(cart.insert(product)),
                "remove_from_cart" => assert!(cart.remove(product)),
                "purchase" => assert!(cart.remove(product), "{event}"),
                "checkout" => assert!(cart.contains(product)),
                _ => {}
            }
        }
    }
    let in_the_middle = sessions.values().filter(|events| time_ms(events[0]) < ORIGIN.0 + HOUR_MS);
    assert!(in_the_middle.clone().all(|events| events.len() >= 3));
    assert_near("events in a session", lengths as f64 / sessions.len() as f64, 12.3, 0.4);
}

#[test]
fn a_purchase_causes_its_payment() {
    let purchases: HashMap<&str, &Value> =
        of(StreamId::ECOMMERCE).filter(|value| value["event_type"] == "purchase").map(|value| (text(value, "order_id"), value)).collect();
    assert!(of(StreamId::ECOMMERCE).all(|value| value.get("order_id").is_some() == (value["event_type"] == "purchase")));
    let mut attempts: HashMap<&str, Vec<&Value>> = HashMap::new();
    for payment in of(StreamId::FINANCE).filter(|value| !value["order_id"].is_null()) {
        attempts.entry(text(payment, "order_id")).or_default().push(payment);
    }
    let mut delays = Vec::new();
    for (order, payments) in &attempts {
        let purchase = purchases[order];
        for payment in payments {
            assert_eq!(payment["user_id"], purchase["user_id"]);
            let amount = cents(&purchase["price"]) * purchase["quantity"].as_i64().unwrap();
            assert_eq!((cents(&payment["amount"]), cents(&payment["amount_usd"])), (amount, amount));
            assert_eq!((text(payment, "currency"), text(payment, "channel")), ("USD", "online"));
        }
        delays.push(time_ms(payments[0]) - time_ms(purchase));
    }
    delays.sort_unstable();
    let quantile = |share: f64| delays[(delays.len() as f64 * share) as usize] as f64 / 1000.0;
    assert_near("median delay", quantile(0.5), 3.0, 0.15);
    assert_near("95 % delay", quantile(0.95), 11.2, 1.0);
    assert!(delays[0] >= 0 && quantile(0.9999) <= 100.0);
    let orders = purchases.len() as f64;
    assert_near("paid at all", attempts.len() as f64 / orders, 0.97, 0.006);
    assert_near("tried twice", attempts.values().filter(|payments| payments.len() == 2).count() as f64 / orders, 0.01, 0.004);
    let approved = attempts.values().filter(|payments| payments[0]["status"] == "approved").count();
    assert_near("approved at once", approved as f64 / orders, 0.94, 0.01);
    let ids: HashSet<&str> = of(StreamId::FINANCE).map(|value| text(value, "transaction_id")).collect();
    assert_eq!(ids.len(), of(StreamId::FINANCE).count());
}

#[test]
fn shop_and_bank_put_a_person_into_the_same_partition() {
    let mut homes: HashMap<&[u8], i32> = HashMap::new();
    let shared = [StreamId::ECOMMERCE, StreamId::FINANCE];
    for (event, _) in two_hours().iter().filter(|(event, _)| shared.contains(&event.stream)) {
        assert_eq!(*homes.entry(&event.key).or_insert(event.partition.0), event.partition.0);
    }
    assert_eq!(homes.values().collect::<HashSet<_>>().len(), 6);
}

#[test]
fn prices_follow_the_stated_distribution_for_every_seed() {
    let prices = |seed: u64| -> Vec<i64> {
        let world = World::new(seed, DirtLevel::None);
        let mut dice = super::random::Dice::new(seed);
        let town = &world.town;
        let mut prices: Vec<i64> = (0..20_000).map(|_| town.products[town.popularity.pick(&mut dice)].price_cents).collect();
        prices.sort_unstable();
        prices
    };
    for seed in 0..20 {
        let prices = prices(seed);
        let count = prices.len() as f64;
        assert_near("sold for more than 500", prices.iter().filter(|&&price| price > 50_000).count() as f64 / count, 0.099, 0.02);
        assert_near("median price", prices[prices.len() / 2] as f64 / 100.0, 66.0, 12.0);
        assert_near("mean price", prices.iter().sum::<i64>() as f64 / count / 100.0, 177.0, 20.0);
        assert!(prices.contains(&50_000), "seed {seed}");
    }
    let bought: Vec<i64> =
        of(StreamId::ECOMMERCE).filter(|value| value["event_type"] == "purchase").map(|value| cents(&value["price"])).collect();
    let dear = bought.iter().filter(|&&price| price > 50_000).count() as f64 / bought.len() as f64;
    assert_near("purchases above 500", dear, 0.099, 0.025);
    let sold = shares(of(StreamId::ECOMMERCE).filter(|value| value["event_type"] == "purchase").map(|value| text(value, "product_id")));
    let mut top: Vec<f64> = sold.into_values().collect();
    top.sort_unstable_by(|a, b| b.total_cmp(a));
    assert_near("sales of the top five", top.iter().take(5).sum(), 0.42, 0.05);
}

#[test]
fn two_in_a_hundred_payments_look_risky() {
    let risks: Vec<f64> = usual_payments().map(|value| value["risk_score"].as_f64().unwrap()).collect();
    assert!(risks.iter().all(|risk| (0.0..=1.0).contains(risk)));
    assert_near("risk above 0.7", risks.iter().filter(|&&risk| risk > 0.7).count() as f64 / risks.len() as f64, 0.02, 0.004);
    let countries = shares(usual_payments().map(|value| text(value, "country")));
    assert_eq!(countries.len(), 12);
    // Eight rows in a five-minute window at the quietest time of the day.
    let rows = countries.values().fold(1.0_f64, |least, &share| least.min(share)) * 4.0 * 300.0 * 0.6;
    assert!(rows >= 16.0, "{rows}");
    for value in of(StreamId::FINANCE) {
        assert!(cents(&value["amount"]) > 0 && cents(&value["amount_usd"]) > 0);
        assert_eq!(text(value, "card_last4").len(), 4);
        assert!(["online", "pos", "atm"].contains(&text(value, "channel")));
    }
}

#[test]
fn sensors_follow_their_sites() {
    let mut celsius: HashMap<&str, Vec<f64>> = HashMap::new();
    let mut last_seq: HashMap<&str, i64> = HashMap::new();
    let mut fahrenheit = HashSet::new();
    for value in of(StreamId::IOT) {
        let reading = value["value"].as_f64().unwrap();
        let device = text(value, "device_id");
        let seq = value["seq"].as_i64().unwrap();
        assert_eq!(last_seq.insert(device, seq).unwrap_or(0) + 1, seq);
        let fits = match (text(value, "sensor_type"), text(value, "unit")) {
            ("temperature", "C") => (-10.0..50.0).contains(&reading),
            ("temperature", "F") => (14.0..122.0).contains(&reading),
            ("humidity", "%") => (0.0..=100.0).contains(&reading),
            ("battery", "V") => (3.0..4.3).contains(&reading),
            ("vibration", "mm/s") => (0.0..8.0).contains(&reading),
            _ => false,
        };
        assert!(fits, "{value}");
        if value["sensor_type"] == "temperature" {
            if value["unit"] == "F" {
                fahrenheit.insert(device);
            }
            let degrees = if value["unit"] == "F" { (reading - 32.0) / 1.8 } else { reading };
            celsius.entry(text(value, "location")).or_default().push(degrees);
        }
    }
    assert_eq!((last_seq.len(), celsius.len(), fahrenheit.len()), (96, 8, 6));
    let share = |site: &str, alert: fn(&f64) -> bool| {
        let readings = &celsius[site];
        readings.iter().filter(|degrees| alert(degrees)).count() as f64 / readings.len() as f64
    };
    assert_near("Helsinki below 0", share("Helsinki", |&degrees| degrees < 0.0), 0.069, 0.02);
    assert_near("Dubai above 40", share("Dubai", |&degrees| degrees > 40.0), 0.055, 0.02);
    for site in celsius.keys().filter(|site| !["Helsinki", "Dubai"].contains(site)) {
        assert_eq!(share(site, |&degrees| !(0.0..=40.0).contains(&degrees)), 0.0, "{site}");
    }
}

#[test]
fn a_sensor_remembers_without_a_jump_between_its_stories() {
    let mut last: HashMap<&str, f64> = HashMap::new();
    let (mut at_seams, mut elsewhere) = (Vec::new(), Vec::new());
    for value in of(StreamId::IOT).filter(|value| value["unit"] == "C") {
        let reading = value["value"].as_f64().unwrap();
        if let Some(before) = last.insert(text(value, "device_id"), reading) {
            let steps = if time_ms(value).rem_euclid(10_000) < 5_000 { &mut at_seams } else { &mut elsewhere };
            steps.push((reading - before).powi(2));
        }
    }
    let mean = |steps: &[f64]| steps.iter().sum::<f64>() / steps.len() as f64;
    assert_near("step where stories can change, to other steps", mean(&at_seams) / mean(&elsewhere), 1.0, 0.05);
}

#[test]
fn the_feed_has_the_stated_mix_and_its_threads_hold_together() {
    let mix = shares(of(StreamId::SOCIAL).map(|value| text(value, "action_type")));
    for (kind, share) in [("like", 0.62), ("comment", 0.17), ("share", 0.13), ("post", 0.08)] {
        assert_near(kind, mix[kind], share, 0.01);
    }
    let posts: HashMap<&str, &Value> =
        of(StreamId::SOCIAL).filter(|value| value["action_type"] == "post").map(|value| (text(value, "post_id"), value)).collect();
    for value in of(StreamId::SOCIAL).filter(|value| value["action_type"] != "post") {
        let post = posts[text(value, "parent_post_id")];
        assert_eq!(post["hashtags"], value["hashtags"]);
        assert_eq!(value["action_type"] == "like", value["post_id"] == value["parent_post_id"]);
        if value["action_type"] == "like" {
            assert_eq!(value["content_preview"], post["content_preview"]);
        }
        assert!(value["engagement_score"].as_i64().unwrap() > 0);
    }
    let writers = shares(of(StreamId::SOCIAL).map(|value| text(value, "user_id")));
    let mut by_writer: Vec<f64> = writers.into_values().collect();
    by_writer.sort_unstable_by(|a, b| b.total_cmp(a));
    assert_near("written by a tenth of the people", by_writer.iter().take(500).sum(), 0.8, 0.12);
}

#[test]
fn ten_thousand_posts_are_hardly_ever_the_same() {
    let mut texts: Vec<&str> =
        of(StreamId::SOCIAL).filter(|value| value["action_type"] != "like").map(|value| text(value, "content_preview")).collect();
    texts.truncate(10_000);
    let distinct: HashSet<&&str> = texts.iter().collect();
    assert_near("distinct texts", distinct.len() as f64 / texts.len() as f64, 1.0, 0.05);
    let mut runs: HashMap<Vec<&str>, usize> = HashMap::new();
    for text in &texts {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.windows(6).map(<[&str]>::to_vec).collect::<HashSet<_>>().into_iter().for_each(|run| *runs.entry(run).or_default() += 1);
    }
    let worst = runs.iter().max_by_key(|(_, count)| **count).unwrap();
    println!("most used run of six words: {worst:?}");
    assert!(*worst.1 * 200 <= texts.len(), "{worst:?}");
}

#[test]
fn the_world_is_shared_between_chronicles() {
    let world = World::new(3, DirtLevel::None);
    let first = Chronicle::new(Arc::clone(&world), ORIGIN, ORIGIN).nth(500);
    assert_eq!(first, Chronicle::new(world, ORIGIN, ORIGIN).nth(500));
}

#[test]
fn another_origin_tells_the_same_town_at_another_time() {
    let later = ORIGIN.plus_ms(86_400_000);
    let world = World::new(7, DirtLevel::None);
    let events = |origin| Chronicle::new(Arc::clone(&world), origin, origin).filter(|event| event.stream != StreamId::TRUTH);
    for (event, original) in events(later).take(2000).zip(events(ORIGIN)) {
        assert_eq!((event.arrival.since(later), &event.key), (original.arrival.since(ORIGIN), &original.key));
    }
}

/// What docs/look-at-the-data.py looks at: a file a topic, a record a line.
#[test]
#[ignore = "writes 1.1 GB into the folder that NDJSON names"]
fn twelve_hours_are_told_into_files() {
    let Some(folder) = std::env::var_os("NDJSON").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let create = |name: &str| std::io::BufWriter::new(std::fs::File::create(folder.join(format!("{name}.ndjson"))).unwrap());
    let mut files: Vec<_> = STREAMS.iter().map(|stream| create(stream.topic)).collect();
    let events = Chronicle::new(World::new(42, DirtLevel::None), ORIGIN, ORIGIN);
    for event in events.take_while(|event| event.arrival < ORIGIN.plus_ms(12 * HOUR_MS)).filter(|event| event.stream != StreamId::TRUTH) {
        files[event.stream.0].write_all(&event.value).unwrap();
        files[event.stream.0].write_all(b"\n").unwrap();
    }
}
