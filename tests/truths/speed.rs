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
    // The feed is read in full, and each of its events is remembered.
    let limit_ms = if name == "processed-feed" { 1_500 } else { 1_000 };
    let (truth, ticket) = (truth(name, parameters), town.ticket(topic, "c00"));
    let case = Case { ticket: &ticket, answer, log: &town.log, evidence: None, now: ORIGIN };
    let measure = |_| {
        let (began, worked) = (Instant::now(), processor_ms());
        let judgement = truth.judge(&case).unwrap();
        assert!(!judgement.passed());
        (began.elapsed().as_millis() as u64, processor_ms() - worked)
    };
    let times: Vec<(u64, u64)> = (0..3).map(measure).collect();
    let length = ticket.length(topic);
    println!("{name}: {length} records; milliseconds by the clock and of the processors: {times:?}");
    // Two threads read: on a computer that does something else too, the clock says little.
    let best = times.iter().map(|(clock, processor)| (*clock).min(processor / 2)).min();
    assert!(cfg!(debug_assertions) || best.is_some_and(|best| best < limit_ms), "a check takes too long: {times:?}");
}

/// What this process has used; 0 where the system does not say.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    // In hundredths of a second, in user mode and in the system.
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10
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
