//! How long a check takes over a million records. `cargo test --release --test truths -- --ignored --nocapture` prints it.

use std::time::Instant;

use headwater::workshop::Answer;
use headwater::workshop::truth::Case;
use serde_json::json;

use crate::support::{ORIGIN, Town, answer, truth};

const RECORDS: usize = 1_000_000;

fn million(topic: &str) -> Town {
    let began = Instant::now();
    let town = Town::told_of(7, 1, topic, RECORDS);
    println!("{topic}: {RECORDS} records told in {:.1?}", began.elapsed());
    town
}

fn timed(town: &Town, topic: &str, name: &str, parameters: &str, answer: &Answer) {
    let (truth, ticket) = (truth(name, parameters), town.ticket(topic, "c00"));
    let case = Case { ticket: &ticket, answer, log: &town.log, evidence: None, now: ORIGIN };
    let times: Vec<u128> = (0..3)
        .map(|_| {
            let began = Instant::now();
            let judgement = truth.judge(&case).unwrap();
            assert!(!judgement.passed());
            began.elapsed().as_millis()
        })
        .collect();
    let length = ticket.length(topic);
    println!("{name}: {length} records in {times:?} ms");
    assert!(cfg!(debug_assertions) || times.iter().min().is_some_and(|best| *best < 1_000), "a check takes too long: {times:?}");
}

#[test]
#[ignore = "tells a million records: for a release build"]
fn a_check_over_a_million_records_takes_less_than_a_second() {
    let topic = "ecommerce-events";
    let town = million(topic);
    let totals = answer(&[json!({"n": 1, "count": 10, "revenue": 7_000}), json!({"final": true, "count": 19, "revenue": 9_000})]);
    timed(
        &town,
        topic,
        "running-totals",
        "topic = \"ecommerce-events\"\nevent_type = \"purchase\"\nprice_over = 500\nevery = 10\n",
        &totals,
    );
    let offsets: serde_json::Map<String, serde_json::Value> =
        town.ticket(topic, "c03").ranges_of(topic).map(|(partition, range)| (partition.to_string(), json!(range.end.0))).collect();
    let snapshot = json!({"at": "2026-11-23T10:15:30.123Z", "offsets": offsets, "events_per_second": 1,
        "revenue_per_minute": {"2026-11-23T10:15Z": 1}, "top_products": []});
    timed(&town, topic, "live-board", "topic = \"ecommerce-events\"\n", &answer(&[snapshot]));
    drop(town);
    let topic = "iot-sensor-data";
    let town = million(topic);
    let alerts = answer(&[json!({"event_id": "x"}), json!({"final": true, "averages": {"Helsinki": 1}})]);
    let parameters = "topic = \"iot-sensor-data\"\nsensor_type = \"temperature\"\nbelow = 0\nabove = 40\n";
    timed(&town, topic, "threshold-alerts", parameters, &alerts);
    drop(town);
    let topic = "social-media-feed";
    let town = million(topic);
    timed(&town, topic, "processed-feed", "topic = \"social-media-feed\"\n", &answer(&[json!({"source_event_id": "x"})]));
}
