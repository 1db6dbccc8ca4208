use std::collections::{BTreeMap, HashSet};

use headwater::cluster::StoredRecord;
use headwater::model::evidence::{Evidence, GroupSeen};
use headwater::workshop::truth::Truth;
use headwater::workshop::verdict::{CheckStatus, Judgement};
use serde_json::{Value, json};

use crate::support::{ORIGIN, Parsed, Town, answer, check, failed, judge, mistake, parsed, rfc3339, told, towns, truth};

const TOPIC: &str = "ecommerce-events";

fn kind() -> Box<dyn Truth> {
    truth("live-board", "topic = \"ecommerce-events\"\n")
}

#[derive(Clone, Copy)]
struct Script {
    purchases_only: bool,
    cumulative: bool,
    by_arrival: bool,
    by_count: bool,
    dedup: bool,
}

const RIGHT: Script = Script { purchases_only: true, cumulative: false, by_arrival: false, by_count: false, dedup: false };

const MISTAKES: [(&str, Script); 4] = [
    ("all-events", Script { purchases_only: false, ..RIGHT }),
    ("cumulative", Script { cumulative: true, ..RIGHT }),
    ("arrival-minute", Script { by_arrival: true, ..RIGHT }),
    ("by-count", Script { by_count: true, ..RIGHT }),
];

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Script {
    fn snapshot(self, town: &Town, parsed: &Parsed, until_ms: i64) -> Value {
        let ticket = town.ticket(TOPIC, "c03");
        let mut offsets: BTreeMap<String, i64> = BTreeMap::new();
        let mut records: Vec<&StoredRecord> = Vec::new();
        for (partition, range) in ticket.ranges_of(TOPIC) {
            let all = &town.log.partitions[&(TOPIC.to_owned(), partition)];
            let read: Vec<&StoredRecord> = all.iter().filter(|r| r.offset >= range.start && r.timestamp.0 <= until_ms).collect();
            offsets.insert(partition.to_string(), read.last().map_or(range.start.0, |record| record.offset.0 + 1));
            records.extend(read);
        }
        let recent = records.iter().filter(|record| record.timestamp.0 > until_ms - 10_000).count();
        let mut seen = HashSet::new();
        let with_arrival = |record: &&&StoredRecord| Some((parsed.get(&(record.partition, record.offset))?, rfc3339(record.timestamp.0)));
        let events = records.iter().filter_map(|record| with_arrival(&record));
        let events = events.filter(|(event, _)| !self.dedup || seen.insert(event["event_id"].to_string()));
        let (mut minutes, mut products, mut counts) =
            (BTreeMap::<String, f64>::new(), BTreeMap::<String, f64>::new(), BTreeMap::<String, i64>::new());
        for (event, arrived) in events.filter(|(event, _)| !self.purchases_only || event["event_type"] == "purchase") {
            let (Some(price), Some(quantity)) = (event["price"].as_f64(), event["quantity"].as_f64()) else { continue };
            let time = if self.by_arrival { &arrived } else { event["timestamp"].as_str().unwrap() };
            *minutes.entry(format!("{}Z", &time[..16])).or_default() += price * quantity;
            if let Some(product) = event["product_id"].as_str() {
                *products.entry(product.to_owned()).or_default() += price * quantity;
                *counts.entry(product.to_owned()).or_default() += 1;
            }
        }
        if self.cumulative {
            let mut sum = 0.0;
            for revenue in minutes.values_mut() {
                sum += *revenue;
                *revenue = sum;
            }
        }
        let last: BTreeMap<&String, f64> = minutes.iter().rev().take(4).map(|(minute, revenue)| (minute, rounded(*revenue))).collect();
        let mut top: Vec<(&String, f64)> = products.iter().map(|(product, revenue)| (product, *revenue)).collect();
        let order = |product: &String, revenue: f64| if self.by_count { counts[product] as f64 } else { revenue };
        top.sort_by(|a, b| order(b.0, b.1).total_cmp(&order(a.0, a.1)));
        let top: Vec<Value> =
            top.iter().take(5).map(|(product, revenue)| json!({"product_id": product, "revenue": rounded(*revenue)})).collect();
        let rate = recent as f64 / 10.0;
        json!({"at": rfc3339(until_ms), "offsets": offsets, "events_per_second": rate, "revenue_per_minute": last, "top_products": top})
    }

    fn run(self, town: &Town) -> Vec<Value> {
        self.run_of(town, &read(town))
    }

    fn run_of(self, town: &Town, parsed: &Parsed) -> Vec<Value> {
        let all = town.log.partitions.iter().filter(|((topic, _), _)| topic == TOPIC);
        let end = all.map(|(_, records)| records[records.len() - 9].timestamp.0).max().unwrap() + 50;
        (0..8).map(|n| self.snapshot(town, parsed, end - (7 - n) * 5_000)).collect()
    }
}

fn read(town: &Town) -> Parsed {
    let of_topic = town.log.partitions.iter().filter(|((topic, _), _)| topic == TOPIC);
    parsed(&of_topic.flat_map(|(_, records)| records).collect::<Vec<_>>())
}

fn judged(town: &Town, run: &[Value], evidence: Option<&Evidence>) -> Judgement {
    judge(&*kind(), town, &town.ticket(TOPIC, "c03"), &answer(run), evidence)
}

fn groups(seen: &[(&str, i64, u64)]) -> Evidence {
    let group = |(group, after, members): &(&str, i64, u64)| GroupSeen {
        group: (*group).to_owned(),
        joined_ms: ORIGIN.plus_ms(*after),
        members: *members,
        left_ms: None,
    };
    Evidence { groups: seen.iter().map(group).collect(), ..Evidence::default() }
}

#[test]
fn what_is_right_passes_with_copies_and_without() {
    let evidence = groups(&[("c03-board", 10, 1), ("c02", -5_000, 40)]);
    for (at, town) in towns().iter().enumerate() {
        let run = Script { dedup: at % 2 == 0, ..RIGHT }.run(town);
        let judgement = judged(town, &run, Some(&evidence));
        assert!(judgement.checks.iter().all(|check| check.status == CheckStatus::Pass), "{}", told(town, "right", &judgement));
        assert_eq!(judgement.mistake, None);
        // Others that the board wrote before it was started again do not matter.
        let again: Vec<Value> = run[3..].iter().chain(&run).cloned().collect();
        assert!(judged(town, &again, None).passed());
    }
}

#[test]
fn each_mistake_gets_its_name() {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for town in towns() {
        let parsed = read(town);
        for (name, script) in MISTAKES {
            let judgement = judged(town, &script.run_of(town, &parsed), None);
            if judgement.passed() {
                assert!(name == "arrival-minute" || name == "by-count", "{}", told(town, name, &judgement));
                continue;
            }
            assert_eq!(mistake(&judgement), Some(name), "{}", told(town, name, &judgement));
            *named.entry(name).or_default() += 1;
        }
    }
    eprintln!("mistakes named: {named:?}");
    assert!(MISTAKES.iter().all(|(name, _)| named.contains_key(name)), "{named:?}");
}

#[test]
fn a_board_that_asks_for_a_consumer_again_and_again_is_named() {
    let town = &towns()[1];
    let run = RIGHT.run(town);
    for (seen, expected) in [
        (groups(&[("n-1-1", 10, 1), ("n-1-2", 20, 1), ("n-1-3", 30, 1), ("n-1-4", 40, 1)]), Some("new-consumer-per-rerun")),
        (groups(&[("c03", 10, 9)]), Some("new-consumer-per-rerun")),
        (groups(&[("c03", 10, 2), ("other", 20, 9)]), None),
        (groups(&[("c03", -10, 9)]), None),
    ] {
        let judgement = judged(town, &run, Some(&seen));
        assert_eq!((judgement.passed(), mistake(&judgement)), (expected.is_none(), expected), "{}", told(town, "groups", &judgement));
    }
    // Without a group, the board shows it: it begins at the start again and again.
    let mut again = run.clone();
    for snapshot in again.iter_mut().skip(1).step_by(2) {
        snapshot["offsets"] = json!({});
    }
    let judgement = judged(town, &again, None);
    assert_eq!(mistake(&judgement), Some("new-consumer-per-rerun"), "{}", told(town, "resets", &judgement));
}

#[test]
fn an_arbitrary_answer_gets_no_name() {
    for town in towns().iter().skip(3) {
        let right = RIGHT.run(town);
        let spoil = |spoil: &dyn Fn(&mut Vec<Value>), expected: &[&str]| {
            let mut wrong = right.clone();
            spoil(&mut wrong);
            let judgement = judged(town, &wrong, None);
            assert_eq!((failed(&judgement), mistake(&judgement)), (expected.to_vec(), None), "{}", told(town, "arbitrary", &judgement));
            check(&judgement, expected[0]).message.clone()
        };
        spoil(&|run| run.drain(..3).for_each(drop), &["rhythm"]);
        spoil(&|run| drop(run.remove(4)), &["rhythm"]);
        assert!(spoil(&|run| drop(run.pop()), &["rhythm"]).contains("has not reached"));
        assert!(
            spoil(&|run| run[5]["events_per_second"] = json!(1_000), &["rate"])
                .contains("Snapshot 6 (offset 5): \"events_per_second\" is too high")
        );
        let halve = |run: &mut Vec<Value>| {
            for revenue in run[6]["revenue_per_minute"].as_object_mut().unwrap().values_mut() {
                *revenue = json!(revenue.as_f64().unwrap() / 2.0);
            }
        };
        assert!(spoil(&halve, &["revenue"]).contains("too low"));
        assert!(spoil(&|run| run[6]["revenue_per_minute"] = json!({}), &["revenue"]).contains("0 minutes"));
        assert!(spoil(&|run| run[2]["top_products"][4]["product_id"] = json!("p-000"), &["top"]).contains("p-000 is not among the best"));
        assert!(spoil(&|run| run[2]["top_products"][4] = run[2]["top_products"][0].clone(), &["top"]).contains("4 products"));
        spoil(&|run| run[7]["offsets"]["0"] = json!(i64::MAX), &["rhythm"]);
        spoil(&|run| run[7]["at"] = json!("now"), &["rhythm"]);
    }
    let judgement = judged(&towns()[0], &[], None);
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["rhythm"], None));
}

#[test]
fn a_board_that_shows_nothing_is_not_right() {
    for town in towns() {
        let right = RIGHT.run(town);
        let altered = |alter: &dyn Fn(usize, &mut Value)| {
            let mut run = right.clone();
            run.iter_mut().enumerate().for_each(|(n, snapshot)| alter(n, snapshot));
            judged(town, &run, None)
        };
        // Minutes of which everybody knows that they have no revenue.
        let nothing = |_: usize, snapshot: &mut Value| {
            snapshot["revenue_per_minute"] = json!({"2099-01-01T00:00Z": 0.0, "2099-01-01T00:01Z": 0.0, "1999-01-01T00:00Z": 0})
        };
        let judgement = altered(&nothing);
        assert!(failed(&judgement).contains(&"revenue"), "{}", told(town, "no minutes", &judgement));
        // Snapshots of a time at which nothing had come for long.
        let late = |n: usize, snapshot: &mut Value| {
            snapshot["at"] = json!(rfc3339(ORIGIN.0 + 1_000_000_000_000 + n as i64 * 5_000));
            snapshot["events_per_second"] = json!(0);
        };
        let judgement = altered(&late);
        assert!(failed(&judgement).contains(&"rate"), "{}", told(town, "no rate", &judgement));
        // Empty minutes beside the others do no harm.
        let beside = |_: usize, snapshot: &mut Value| snapshot["revenue_per_minute"]["1999-01-01T00:00Z"] = json!(0);
        assert!(altered(&beside).passed());
    }
}
