//! What each kind of incident does, and that no order changes what was told before it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::generators::chronicle::{Chronicle, Event};
use crate::generators::dirt::DirtLevel;
use crate::generators::schema::StreamId;
use crate::generators::world::World;
use crate::model::Timestamp;

const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
const MINUTE_MS: i64 = 60_000;

fn world() -> Arc<World> {
    World::new(7, DirtLevel::None)
}

fn told(world: &Arc<World>, from_ms: i64, to_ms: i64) -> Vec<Event> {
    let chronicle = Chronicle::new(world.clone(), ORIGIN, ORIGIN.plus_ms(from_ms));
    chronicle.take_while(|event| event.arrival < ORIGIN.plus_ms(to_ms)).collect()
}

fn of(events: &[Event], stream: StreamId) -> Vec<Value> {
    let of_stream = events.iter().filter(|event| event.stream == stream);
    of_stream.map(|event| serde_json::from_slice(&event.value).expect("valid JSON")).collect()
}

/// The town with one incident, ordered at minute 10.
fn with(kind: &str, target: Option<&str>, minutes: f64) -> Arc<World> {
    let base = world();
    let wish = Wish { kind: kind.to_owned(), target: target.map(str::to_owned), minutes: Some(minutes), in_minutes: None };
    let order = wish.order(base.seed(), &base.town, 1, 10 * MINUTE_MS).unwrap();
    base.with_commands(&[Command { at: 10 * MINUTE_MS, order }])
}

fn happened(value: &Value) -> i64 {
    let text = value["timestamp"].as_str().unwrap();
    let of_hour = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let ms = (of_hour(14, 16) * 60 + of_hour(17, 19)) * 1000 + of_hour(20, 23);
    // The origin is a full hour, and no test looks further than that.
    assert_eq!(ORIGIN.0 % 3_600_000, 0);
    ms
}

fn minute(value: &Value) -> i64 {
    happened(value) / MINUTE_MS
}

/// Payments of the ledger's incident lines aside, what the ledger says about events.
fn labels(events: &[Event]) -> HashMap<String, Value> {
    let notes = of(events, StreamId::TRUTH).into_iter();
    notes.filter_map(|note| Some((note["event_id"].as_str()?.to_owned(), note))).collect()
}

#[test]
fn an_order_changes_nothing_that_was_told_before_it() {
    let base = World::new(11, DirtLevel::Heavy);
    let until = 9 * MINUTE_MS;
    for (number, row) in KINDS.iter().enumerate() {
        let mut chronicle = Chronicle::new(base.clone(), ORIGIN, ORIGIN);
        let mut before: Vec<Event> = Vec::new();
        while chronicle.next_arrival() <= ORIGIN.plus_ms(3 * MINUTE_MS + 777 * number as i64) {
            before.push(chronicle.next().unwrap());
        }
        let at = chronicle.next_page();
        assert!(at - 3 * MINUTE_MS <= 20_000, "{at}");
        let wish = Wish { kind: row.name.to_owned(), minutes: Some(row.minutes.min(4.0)), ..Wish::default() };
        let begin = Command { at, order: wish.order(11, &base.town, 1, at).unwrap() };
        let under = base.with_commands(std::slice::from_ref(&begin));
        let from = chronicle.next_arrival();
        let mut live = Chronicle::new(under.clone(), ORIGIN, from);
        let mut after: Vec<Event> = Vec::new();
        while live.next_arrival() <= ORIGIN.plus_ms(5 * MINUTE_MS) {
            after.push(live.next().unwrap());
        }
        // The second order ends the incident early, and slows a stream down.
        let at = live.next_page();
        let log = [
            begin,
            Command { at, order: Order::End { id: 1 } },
            Command { at, order: Order::Rate { topic: Some(STREAMS[number % 4].topic.to_owned()), factor: 0.3 } },
        ];
        let ended = base.with_commands(&log);
        let rest = Chronicle::new(ended.clone(), ORIGIN, live.next_arrival());
        after.extend(rest.take_while(|event| event.arrival < ORIGIN.plus_ms(until)));
        before.extend(after);
        let again: Vec<Event> =
            Chronicle::new(ended.clone(), ORIGIN, ORIGIN).take_while(|event| event.arrival < ORIGIN.plus_ms(until)).collect();
        assert_eq!(before.len(), again.len(), "{}", row.name);
        let differs = before.iter().zip(&again).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{}", row.name);
        assert_ne!(told(&base, 0, until).len(), again.len(), "{} did nothing", row.name);
        let middle = ORIGIN.plus_ms(5 * MINUTE_MS + 123);
        let tail: Vec<Event> = Chronicle::new(ended, ORIGIN, middle).take_while(|event| event.arrival < ORIGIN.plus_ms(until)).collect();
        let expected: Vec<&Event> = again.iter().filter(|event| event.arrival >= middle).collect();
        assert!(tail.iter().eq(expected.into_iter()), "{}: a start in the middle tells something else", row.name);
    }
}

#[test]
fn each_incident_has_its_line_in_the_ledger() {
    for row in &KINDS {
        let world = with(row.name, None, row.minutes);
        let lines = of(&told(&world, 0, 11 * MINUTE_MS), StreamId::TRUTH);
        let line = lines.iter().find(|line| line["id"] == 1).unwrap_or_else(|| panic!("{}", row.name));
        assert_eq!(line["incident"], row.name);
        assert_eq!(line["target"].is_string(), row.target != TargetKind::Nothing, "{}", row.name);
        let length_ms = world.timeline.incidents()[0].to - world.timeline.incidents()[0].from;
        assert_eq!(length_ms, (row.minutes * 60_000.0) as i64);
    }
}

#[test]
fn a_flash_sale_brings_visits_to_one_category_at_seven_tenths_of_the_price() {
    let sale = of(&told(&with("flash-sale", Some("books"), 10.0), 10 * MINUTE_MS, 20 * MINUTE_MS), StreamId::ECOMMERCE);
    let usual = of(&told(&world(), 10 * MINUTE_MS, 20 * MINUTE_MS), StreamId::ECOMMERCE);
    assert!(sale.len() > usual.len() * 2, "{} events beside {}", sale.len(), usual.len());
    let prices = |events: &[Value]| -> HashMap<String, i64> {
        let of_books = events.iter().filter(|event| event["product"]["category"] == "books");
        of_books.map(|event| (event["product_id"].to_string(), (event["price"].as_f64().unwrap() * 100.0).round() as i64)).collect()
    };
    let began_in_sale: Vec<Value> = sale.iter().filter(|event| event["context"]["campaign"] == "flash-sale").cloned().collect();
    let (usual_prices, sale_prices) = (prices(&usual), prices(&began_in_sale));
    let both: Vec<_> = sale_prices.iter().filter_map(|(id, price)| Some((*price, *usual_prices.get(id)?))).collect();
    assert!(both.len() > 5, "{}", both.len());
    assert!(both.iter().all(|(price, before)| *price == (before * 70 + 50) / 100), "{both:?}");
}

#[test]
fn purchases_of_a_sale_are_paid_to_the_cent() {
    let events = told(&with("flash-sale", Some("books"), 10.0), 0, 30 * MINUTE_MS);
    let paid: HashMap<String, f64> = of(&events, StreamId::FINANCE)
        .iter()
        .filter_map(|payment| Some((payment["order_id"].as_str()?.to_owned(), payment["amount"].as_f64()?)))
        .collect();
    let purchases = of(&events, StreamId::ECOMMERCE).into_iter().filter(|event| event["event_type"] == "purchase");
    let compared: Vec<(f64, f64)> = purchases
        .filter_map(|event| {
            let paid = *paid.get(event["order_id"].as_str()?)?;
            Some((paid, event["price"].as_f64()? * event["quantity"].as_f64()?))
        })
        .collect();
    assert!(compared.len() > 1_000, "{}", compared.len());
    assert!(compared.iter().all(|(paid, owed)| (paid - owed).abs() < 0.001));
}

#[test]
fn during_a_payment_outage_nothing_is_paid_and_then_everything_within_half_a_minute() {
    let events = told(&with("payment-outage", None, 3.0), 0, 20 * MINUTE_MS);
    let usual = told(&world(), 0, 20 * MINUTE_MS);
    let payments = |events: &[Event], from: i64, to: i64| -> Vec<Event> {
        let in_time = ORIGIN.plus_ms(from)..ORIGIN.plus_ms(to);
        events.iter().filter(|event| event.stream == StreamId::FINANCE && in_time.contains(&event.arrival)).cloned().collect()
    };
    assert_eq!(payments(&events, 10 * MINUTE_MS, 13 * MINUTE_MS), []);
    let burst = payments(&events, 13 * MINUTE_MS, 13 * MINUTE_MS + effects::BURST_MS);
    let held = payments(&usual, 10 * MINUTE_MS, 13 * MINUTE_MS);
    assert!(held.len() > 500 && burst.len() >= held.len(), "{} held, {} in the burst", held.len(), burst.len());
    let values: HashSet<&[u8]> = burst.iter().map(|event| &event.value[..]).collect();
    assert!(held.iter().all(|event| values.contains(&event.value[..])), "they say when they happened, as ever");
    let labels = labels(&events);
    let held_ids: Vec<String> =
        of(&held, StreamId::FINANCE).iter().map(|payment| payment["event_id"].as_str().unwrap().to_owned()).collect();
    assert!(held_ids.iter().all(|id| labels[id]["incident"] == "payment-outage"));
}

#[test]
fn a_fraud_spike_is_five_times_the_payments_of_one_country() {
    for country in ["US", "AE"] {
        let in_country =
            |events: &[Event]| of(events, StreamId::FINANCE).into_iter().filter(|p| p["country"] == country).collect::<Vec<_>>();
        let spiked = told(&with("fraud-spike", Some(country), 6.0), 10 * MINUTE_MS, 16 * MINUTE_MS);
        let (spike, usual) = (in_country(&spiked), in_country(&told(&world(), 10 * MINUTE_MS, 16 * MINUTE_MS)));
        let times = spike.len() as f64 / usual.len() as f64;
        assert!((3.8..6.5).contains(&times), "{country}: {times}");
        let labels = labels(&spiked);
        let fraud =
            spike.iter().filter(|p| labels.get(p["event_id"].as_str().unwrap()).is_some_and(|note| note["fraud"].is_string())).count();
        let share = fraud as f64 / spike.len() as f64;
        assert!((0.22..0.42).contains(&share), "{country}: {share}");
    }
}

#[test]
fn the_seed_plans_a_spike_in_each_twenty_five_minutes() {
    let world = world();
    let mut begins = Vec::new();
    for chapter in 0..6 * 6 * 60 {
        if let Some(spike) = world.timeline.planned_spike(chapter * 10_000).filter(|spike| spike.from == chapter * 10_000) {
            begins.push(spike.from);
        }
    }
    assert!((14..=15).contains(&begins.len()), "{begins:?}");
    let apart: Vec<i64> = begins.windows(2).map(|pair| (pair[1] - pair[0]) / MINUTE_MS).collect();
    assert!(apart.iter().all(|minutes| (20..=30).contains(minutes)), "{apart:?}");
}

#[test]
fn a_stuck_sensor_reports_one_value_and_a_site_offline_none() {
    let stuck = of(&told(&with("sensor-stuck", Some("dubai-temperature-2"), 5.0), 0, 15 * MINUTE_MS), StreamId::IOT);
    let of_it: Vec<&Value> = stuck.iter().filter(|r| r["device_id"] == "dubai-temperature-2").collect();
    let values = |on: bool| of_it.iter().filter(|r| (minute(r) >= 10) == on).map(|r| r["value"].to_string()).collect::<HashSet<_>>();
    assert_eq!(of_it.iter().filter(|r| minute(r) >= 10).count(), 60);
    assert!(values(true).len() == 1 && values(false).len() > 50);

    let offline = of(&told(&with("site-offline", Some("lisbon"), 2.0), 0, 15 * MINUTE_MS), StreamId::IOT);
    let count = |site: &str, minute_: i64| offline.iter().filter(|r| r["location"] == site && minute(r) == minute_).count();
    assert_eq!((count("Lisbon", 10), count("Lisbon", 11)), (0, 0));
    assert!(count("Lisbon", 9) > 140 && count("Lisbon", 12) > 140 && count("Dubai", 10) > 140);
}

#[test]
fn new_firmware_comes_to_a_sites_thermometers_one_by_one_and_speaks_fahrenheit() {
    let readings = of(&told(&with("fahrenheit-firmware", Some("Sydney"), 5.0), 0, 17 * MINUTE_MS), StreamId::IOT);
    let new: Vec<&Value> = readings.iter().filter(|r| r["firmware"] == "4.0.0").collect();
    assert!(new.iter().all(|r| r["unit"] == "F" && r["location"] == "Sydney" && r["sensor_type"] == "temperature"));
    let devices_at = |second: i64| {
        let until = 10 * MINUTE_MS + second * 1000;
        new.iter().filter(|r| happened(r) < until).map(|r| r["device_id"].to_string()).collect::<HashSet<_>>().len()
    };
    assert_eq!([devices_at(15), devices_at(35), devices_at(300)], [1, 2, 5]);
    assert!(new.iter().all(|r| (10..15).contains(&minute(r))), "and is taken back");
    assert!(new.iter().all(|r| (40.0..100.0).contains(&r["value"].as_f64().unwrap())));
}

#[test]
fn a_viral_post_is_one_hot_key() {
    let events = told(&with("viral-post", None, 10.0), 10 * MINUTE_MS, 21 * MINUTE_MS);
    let mut by_post: HashMap<String, usize> = HashMap::new();
    for action in of(&events, StreamId::SOCIAL) {
        let root = action["parent_post_id"].as_str().or(action["post_id"].as_str()).unwrap().to_owned();
        *by_post.entry(root).or_default() += 1;
    }
    assert_eq!(by_post.values().max(), Some(&1_501));
}

#[test]
fn a_bot_raid_is_many_posts_of_few_texts() {
    let events = of(&told(&with("bot-raid", Some("garden"), 5.0), 10 * MINUTE_MS, 16 * MINUTE_MS), StreamId::SOCIAL);
    let raid: Vec<&Value> = events.iter().filter(|event| event["is_bot"] == true).collect();
    assert!((3_000..8_000).contains(&raid.len()), "{}", raid.len());
    let distinct = |field: &str| raid.iter().map(|event| event[field].to_string()).collect::<HashSet<_>>().len();
    assert_eq!((distinct("content_preview"), distinct("user_id"), distinct("post_id")), (5, 40, raid.len()));
}

#[test]
fn drift_adds_an_optional_field_and_counts_the_version() {
    for stream in STREAMS {
        let events = told(&with("schema-drift", Some(stream.topic), 2.0), 0, 13 * MINUTE_MS);
        let (mut old, mut new) = (0, 0);
        for event in of(&events, stream.id) {
            let field = &event[stream.drift.field.name];
            match event["schema_version"].as_i64() {
                Some(2) => assert!((10..12).contains(&minute(&event)) && !field.is_null(), "{event}"),
                _ => assert!(!(10..12).contains(&minute(&event)) && field.is_null(), "{event}"),
            }
            if field.is_null() { old += 1 } else { new += 1 }
        }
        assert!(old > 500 && new > 100, "{}: {old} old, {new} new", stream.topic);
    }
}

#[test]
fn poison_is_no_json_object_and_in_the_ledger() {
    let world = with("poison-pill", Some("iot-sensor-data"), 2.0);
    let events = told(&world, 10 * MINUTE_MS, 12 * MINUTE_MS);
    let pills: Vec<&Event> = events.iter().filter(|event| event.stream == StreamId::IOT && event.key == PILL_KEY).collect();
    assert_eq!(pills.len(), 6);
    assert!(pills.iter().all(|pill| serde_json::from_slice::<serde_json::Map<String, Value>>(&pill.value).is_err()));
    let noted = of(&events, StreamId::TRUTH).into_iter().filter(|note| note["incident"] == "poison-pill" && note["topic"].is_string());
    assert_eq!(noted.count(), 6);
}

#[test]
fn rates_go_up_and_down_by_fractions_and_a_pause_is_silence() {
    let order = |minute: i64, order: Order| Command { at: minute * MINUTE_MS, order };
    let rate = |minute, factor| order(minute, Order::Rate { topic: None, factor });
    let log = [rate(10, 0.25), rate(20, 2.5), order(30, Order::Pause { topic: None }), order(40, Order::Resume { topic: None })];
    let events = told(&world().with_commands(&log), 0, 48 * MINUTE_MS);
    let usual = told(&world(), 0, 48 * MINUTE_MS);
    for stream in STREAMS {
        let minutes = |events: &[Event]| of(events, stream.id).iter().map(minute).collect::<Vec<_>>();
        let (minutes, usual_minutes) = (minutes(&events), minutes(&usual));
        let count = |minutes: &[i64], from: i64, to: i64| minutes.iter().filter(|minute| (from..to).contains(minute)).count() as f64;
        // What is under way when the order comes runs to its end; new sensors come within five minutes.
        let times = |from: i64, to: i64| count(&minutes, from, to) / count(&usual_minutes, from, to);
        let name = stream.topic;
        assert!((times(0, 10) - 1.0).abs() < 1e-9, "{name}");
        assert!((0.2..0.4).contains(&times(17, 20)), "{name}: {}", times(17, 20));
        assert!((2.0..3.0).contains(&times(27, 30)), "{name}: {}", times(27, 30));
        assert_eq!(count(&minutes, 30, 40), 0.0, "{name}");
        assert!((1.7..3.2).contains(&times(45, 48)), "{name}: {}", times(45, 48));
    }
    let orders = |stream| -> HashSet<String> {
        of(&events, stream).iter().filter_map(|event| Some(event["order_id"].as_str()?.to_owned())).collect()
    };
    let orphans = orders(StreamId::FINANCE).difference(&orders(StreamId::ECOMMERCE)).count();
    assert_eq!(orphans, 0, "no payment without its purchase");
}

#[test]
fn a_wish_that_makes_no_sense_is_explained() {
    let town = Town::new(7);
    let refused = |wish: Wish| wish.order(7, &town, 1, 0).unwrap_err();
    let wish = |kind: &str| Wish { kind: kind.to_owned(), ..Wish::default() };
    assert!(refused(wish("earthquake")).contains("there is no incident \"earthquake\"; there are flash-sale, payment-outage"));
    assert_eq!(refused(Wish { minutes: Some(31.0), ..wish("flash-sale") }), "flash-sale lasts more than 0 and at most 30 minutes, not 31");
    assert!(refused(Wish { minutes: Some(f64::NAN), ..wish("flash-sale") }).contains("not NaN"));
    assert!(refused(Wish { target: Some("XX".to_owned()), ..wish("fraud-spike") }).contains("\"XX\" is no country; choose one of US, GB"));
    assert!(refused(Wish { target: Some("x".to_owned()), ..wish("payment-outage") }).contains("has no target"));
    assert!(refused(Wish { in_minutes: Some(-1.0), ..wish("bot-raid") }).contains("in 0 to 1440 minutes"));
    assert!(checked_factor(20.5).is_err() && checked_factor(f64::NAN).is_err() && checked_factor(0.1).is_ok());
    assert!(checked_topic(Some("orders".to_owned())).unwrap_err().contains("ecommerce-events"));
}
