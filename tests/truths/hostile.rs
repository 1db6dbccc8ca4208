//! Answers by people who try what happens.

use std::sync::OnceLock;

use bytes::Bytes;
use headwater::model::{Offset, PartitionId};
use headwater::workshop::truth::{Case, Truth};
use headwater::workshop::verdict::CheckStatus;
use headwater::workshop::{Answer, AnswerRecord};
use serde_json::{Value, json};

use crate::support::{Dice, ORIGIN, Town, answer_record, drawn_seed, truth};

fn town() -> &'static Town {
    static TOWN: OnceLock<Town> = OnceLock::new();
    TOWN.get_or_init(|| Town::told(7, 2, 1))
}

/// A kind, its topic, the records of an answer and a receipt.
type Formed = (Box<dyn Truth>, &'static str, Vec<Value>, Value);

/// Every kind, its topic, and answers as they should be formed.
fn kinds() -> Vec<Formed> {
    let (shop, sensors, feed) = ("ecommerce-events", "iot-sensor-data", "social-media-feed");
    let snapshot = json!({"at": "2026-11-23T12:00:30.000Z", "offsets": {"0": 200, "1": 1_200}, "events_per_second": 25.0,
        "revenue_per_minute": {"2026-11-23T12:00Z": 12.5}, "top_products": [{"product_id": "p-001", "revenue": 3.0}]});
    vec![
        (
            truth("first-records", "topic = \"ecommerce-events\"\ncount = 5\n"),
            shop,
            vec![],
            json!({"records": [[0, 100, "x"], [1, 1_100, "y"]], "group": "g"}),
        ),
        (
            truth("running-totals", "topic = \"ecommerce-events\"\nevent_type = \"purchase\"\nprice_over = 500\nevery = 10\n"),
            shop,
            vec![json!({"n": 1, "count": 10, "revenue": 7_311.5}), json!({"final": true, "count": 11, "revenue": 8_000.25})],
            json!({}),
        ),
        (truth("live-board", "topic = \"ecommerce-events\"\n"), shop, vec![snapshot; 7], json!({})),
        (
            truth("threshold-alerts", "topic = \"iot-sensor-data\"\nsensor_type = \"temperature\"\nbelow = 0\nabove = 40\n"),
            sensors,
            vec![json!({"event_id": "x", "location": "Helsinki", "celsius": -1.5}), json!({"final": true, "averages": {"Helsinki": 6.1}})],
            json!({}),
        ),
        (
            truth("processed-feed", "topic = \"social-media-feed\"\n"),
            feed,
            vec![
                json!({"source_event_id": "x", "post_id": "p", "action_type": "post", "sentiment": "neutral", "score": 0, "hashtags": ["a"], "timestamp": "t", "model": "m"}),
            ],
            json!({"windows": [{"start": "2026-11-23T12:00:00Z", "top": ["a", "b", "c"]}]}),
        ),
    ]
}

/// Judged without a panic, in words that are not long, and not right.
fn refused(truth: &dyn Truth, topic: &str, answer: &Answer, what: &str) {
    let town = town();
    let ticket = town.ticket(topic, "c00");
    let judgement = truth.judge(&Case { ticket: &ticket, answer, log: &town.log, evidence: None, now: ORIGIN }).unwrap();
    assert!(!judgement.passed(), "{what} passes: {judgement:#?}");
    for check in &judgement.checks {
        assert!(check.status != CheckStatus::Fail || !check.message.is_empty());
        let longest = check.message.chars().count().max(check.got.as_ref().map_or(0, |got| got.chars().count()));
        assert!(longest < 500, "{what}: {check:?}");
    }
}

fn hostile_values() -> Vec<Value> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        json!(null),
        json!(true),
        json!(""),
        json!("NaN"),
        json!("b'x'"),
        json!("é".repeat(100_000)),
        json!([]),
        json!({}),
        deep,
        json!(-1),
        json!(0),
        json!(0.1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(-1e308),
        json!(1e-308),
        json!("2026-11-23T12:00Z"),
        json!("99999-99-99T99:99:99.999Z"),
        json!({"0": i64::MAX}),
        json!({"-1": 1, "99999999999": 2}),
        json!([[0, i64::MAX, "x"], [i32::MAX, 0, "x"], [-1, -1, ""]]),
        json!({"Helsinki": 1e308, "\u{0}": -0.0}),
        json!({"9999-12-31T23:59Z": 1e12}),
        json!([{"product_id": "", "revenue": 1e300}, 7]),
    ]
}

/// Puts another value somewhere in a document.
fn spoil(value: &mut Value, with: &Value, dice: &mut Dice) {
    let children = match value {
        Value::Array(items) => items.iter_mut().collect::<Vec<_>>(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    };
    let chosen = dice.below(children.len() + 1);
    match children.into_iter().nth(chosen) {
        Some(child) => spoil(child, with, dice),
        None => *value = with.clone(),
    }
}

#[test]
fn documents_with_something_else_in_a_place_are_judged() {
    let mut dice = Dice(drawn_seed());
    for (truth, topic, records, receipt) in kinds() {
        for with in hostile_values() {
            let (mut records, mut receipt) = (records.clone(), receipt.clone());
            let count = records.len();
            if let Some(record) = records.get_mut(dice.below(count)) {
                spoil(record, &with, &mut dice);
            }
            spoil(&mut receipt, &with, &mut dice);
            let mut answer = crate::support::answer(&records);
            answer.receipt = Some(receipt);
            refused(&*truth, topic, &answer, &format!("{answer:?}").chars().take(2_000).collect::<String>());
        }
    }
}

#[test]
fn every_field_may_be_anything() {
    for (truth, topic, records, receipt) in kinds() {
        let documents = records.last().into_iter().chain(records.is_empty().then_some(&receipt));
        for document in documents {
            for (field, with) in
                document.as_object().unwrap().keys().flat_map(|field| hostile_values().into_iter().map(move |with| (field, with)))
            {
                let mut spoilt = document.clone();
                spoilt[field] = with;
                let mut answer = crate::support::answer(if records.is_empty() { &[] } else { std::slice::from_ref(&spoilt) });
                answer.receipt = Some(spoilt);
                refused(&*truth, topic, &answer, field);
            }
        }
    }
}

#[test]
fn bytes_that_are_no_documents_are_judged() {
    let bytes: Vec<Option<Bytes>> = [
        &b""[..],
        b"null",
        b"[",
        b"{",
        b"{}",
        b"\xff\xfe",
        b"{\"final\": true}",
        b"{\"final\": true, \"count\": NaN}",
        b"{\"at\": 1e999}",
        b"{\"a\": 1, \"a\": 2}",
        b"{\"source_event_id\": 1, \"source_event_id\": 2}",
        b"\"final\"",
        b"{\"final\": \"true\"}",
    ]
    .iter()
    .map(|bytes| Some(Bytes::from_static(bytes)))
    .chain([None, Some(Bytes::from(vec![b'['; 200_000])), Some(Bytes::from(vec![0; 200_000]))])
    .collect();
    let record = |value: &Option<Bytes>| AnswerRecord { value: value.clone(), ..answer_record(i64::MAX, None, Bytes::new()) };
    for (truth, topic, _, _) in kinds() {
        for value in &bytes {
            let answer = Answer { records: vec![record(value)], receipt: None };
            refused(&*truth, topic, &answer, &format!("{:?}", value.as_ref().map(|value| value.slice(..value.len().min(50)))));
        }
        let all = Answer { records: bytes.iter().map(record).collect(), receipt: Some(json!(7)) };
        refused(&*truth, topic, &all, "all of them");
        refused(&*truth, topic, &Answer::default(), "nothing");
    }
}

#[test]
fn a_ticket_without_a_range_has_no_right_answer_to_miss() {
    for (truth, topic, records, receipt) in kinds() {
        let mut ticket = town().ticket(topic, "c00");
        for emptied in 0..2 {
            ticket.ranges.values_mut().for_each(|ranges| match emptied {
                0 => ranges.values_mut().for_each(|(start, end)| *end = *start),
                _ => ranges.clear(),
            });
            let mut answer = crate::support::answer(&records);
            answer.receipt = Some(receipt.clone());
            let judged = truth.judge(&Case { ticket: &ticket, answer: &answer, log: &town().log, evidence: None, now: ORIGIN });
            assert!(!judged.unwrap().passed());
        }
    }
}

#[test]
fn a_range_that_is_gone_is_an_error_and_no_verdict() {
    for (truth, topic, records, _) in kinds().into_iter().skip(1) {
        let mut ticket = town().ticket(topic, "c00");
        ticket.ranges.values_mut().for_each(|ranges| {
            ranges.insert(PartitionId(0), (Offset(0), Offset(100)));
        });
        let answer = crate::support::answer(&records);
        let judged = truth.judge(&Case { ticket: &ticket, answer: &answer, log: &town().log, evidence: None, now: ORIGIN });
        assert!(judged.is_err(), "{topic}: {judged:?}");
    }
}
