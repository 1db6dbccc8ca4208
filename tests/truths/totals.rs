use headwater::cluster::StoredRecord;
use headwater::workshop::truth::Truth;
use headwater::workshop::verdict::CheckStatus;
use serde_json::{Value, json};

use crate::support::{Dice, Town, answer, check, events, failed, judge, merged, mistake, parsed, told, towns, truth};

const TOPIC: &str = "ecommerce-events";

fn kind() -> Box<dyn Truth> {
    truth("running-totals", "topic = \"ecommerce-events\"\nevent_type = \"purchase\"\nprice_over = 500\nevery = 10\n")
}

/// What a hit makes, as a script would compute it; `None` for what is none.
type Rule = fn(&Value) -> Option<f64>;

fn price(event: &Value) -> Option<f64> {
    event["price"].as_f64()
}

fn line(event: &Value) -> Option<f64> {
    Some(event["price"].as_f64()? * event["quantity"].as_f64()?)
}

fn is_purchase(event: &Value) -> bool {
    event["event_type"] == "purchase"
}

fn right(event: &Value) -> Option<f64> {
    (is_purchase(event) && price(event)? > 500.0).then(|| line(event))?
}

fn at_least(event: &Value) -> Option<f64> {
    (is_purchase(event) && price(event)? >= 500.0).then(|| line(event))?
}

fn no_quantity(event: &Value) -> Option<f64> {
    (is_purchase(event) && price(event)? > 500.0).then(|| price(event))?
}

fn all_events(event: &Value) -> Option<f64> {
    (price(event)? > 500.0).then(|| line(event))?
}

fn text_price(event: &Value) -> Option<f64> {
    let price = price(event).or_else(|| event["price"].as_str()?.parse().ok())?;
    (is_purchase(event) && price > 500.0).then(|| Some(price * event["quantity"].as_f64()?))?
}

fn line_total(event: &Value) -> Option<f64> {
    line(event).filter(|total| is_purchase(event) && *total > 500.0)
}

const MISTAKES: [(&str, Rule); 5] = [
    ("at-least", at_least),
    ("no-quantity", no_quantity),
    ("all-events", all_events),
    ("text-price", text_price),
    ("line-total", line_total),
];

/// What a script writes: floats are added up and rounded.
fn run(events: &[&Value], rule: Rule) -> Vec<Value> {
    let (mut count, mut revenue, mut written) = (0, 0.0, Vec::new());
    let rounded = |revenue: f64| (revenue * 100.0).round() / 100.0;
    for event in events {
        let Some(made) = rule(event) else { continue };
        count += 1;
        revenue += made;
        if count % 10 == 0 {
            written.push(json!({"n": count / 10, "count": count, "revenue": rounded(revenue)}));
        }
    }
    written.push(json!({"final": true, "count": count, "revenue": rounded(revenue)}));
    written
}

/// What a script writes that is right.
fn all_right(town: &Town) -> Vec<Value> {
    let ticket = town.ticket(TOPIC, "c02");
    let records = town.records(&ticket, TOPIC);
    run(&events(&records, &parsed(&records), false), right)
}

fn orders<'a>(town: &Town, records: &[&'a StoredRecord]) -> [Vec<&'a StoredRecord>; 3] {
    let mut by_time = records.to_vec();
    by_time.sort_by_key(|record| (record.timestamp, record.partition));
    let mut dice = Dice(town.seed);
    // Equal times must not tear a partition's order apart: the sort is stable.
    [records.to_vec(), by_time, merged(records, &mut dice)]
}

#[test]
fn what_is_right_passes_in_every_order_of_the_partitions_with_copies_and_without() {
    let truth = kind();
    let mut starred = 0;
    for town in towns() {
        let ticket = town.ticket(TOPIC, "c02");
        let records = town.records(&ticket, TOPIC);
        let parsed = parsed(&records);
        for records in orders(town, &records) {
            let (all, unique) = (run(&events(&records, &parsed, false), right), run(&events(&records, &parsed, true), right));
            for (dedup, written) in [(false, &all), (true, &unique)].into_iter().take(1 + usize::from(town.dirt)) {
                assert!(written.len() > 5);
                let judgement = judge(&*truth, town, &ticket, &answer(written), None);
                assert!(judgement.passed() && judgement.mistake.is_none(), "{}", told(town, "right", &judgement));
                assert!(judgement.checks.iter().all(|check| check.status == CheckStatus::Pass), "{}", told(town, "right", &judgement));
                let star = dedup && all.last() != unique.last();
                assert_eq!(judgement.stars, if star { vec!["dedup"] } else { vec![] }, "{}", told(town, "right", &judgement));
                starred += usize::from(star);
            }
        }
    }
    assert!(starred > 0, "no range has a copy of a hit");
}

#[test]
fn each_mistake_gets_its_name_with_copies_and_without() {
    let truth = kind();
    let mut named = std::collections::BTreeMap::new();
    for town in towns() {
        let ticket = town.ticket(TOPIC, "c02");
        let records = merged(&town.records(&ticket, TOPIC), &mut Dice(town.seed));
        let parsed = parsed(&records);
        let rights = [false, true].map(|dedup| run(&events(&records, &parsed, dedup), right).pop());
        // Without dirt there are no copies.
        for dedup in [false, true].into_iter().take(1 + usize::from(town.dirt)) {
            let events = events(&records, &parsed, dedup);
            let finals: Vec<(&str, Option<Value>)> = MISTAKES.iter().map(|(name, rule)| (*name, run(&events, *rule).pop())).collect();
            for (name, rule) in MISTAKES {
                let written = run(&events, rule);
                let judgement = judge(&*truth, town, &ticket, &answer(&written), None);
                if rights.contains(&written.last().cloned()) {
                    assert!(judgement.passed(), "{}", told(town, name, &judgement));
                    continue;
                }
                // Of mistakes that make the same, the first is named.
                let same = finals.iter().find(|(_, end)| *end == written.last().cloned()).unwrap().0;
                assert_eq!(mistake(&judgement), Some(same), "{}", told(town, name, &judgement));
                assert_eq!(check(&judgement, "revenue").status, CheckStatus::Fail);
                assert!(judgement.stars.is_empty());
                *named.entry(same).or_insert(0) += 1;
            }
        }
    }
    eprintln!("mistakes named: {named:?}");
    for (name, _) in MISTAKES {
        assert!(named.contains_key(name), "{name} is never another answer than the right one");
    }
}

#[test]
fn an_arbitrary_answer_gets_no_name() {
    let truth = kind();
    for town in towns() {
        let ticket = town.ticket(TOPIC, "c02");
        let right = all_right(town);
        let end = right.last().unwrap();
        let (count, revenue) = (end["count"].as_u64().unwrap(), end["revenue"].as_f64().unwrap());
        for (count, revenue) in [(count, revenue + 0.01), (count + 1, revenue), (count * 3, revenue * 3.0), (0, 0.0)] {
            let mut wrong = right.clone();
            *wrong.last_mut().unwrap() = json!({"final": true, "count": count, "revenue": revenue});
            let judgement = judge(&*truth, town, &ticket, &answer(&wrong), None);
            assert!(!judgement.passed() && judgement.mistake.is_none(), "{}", told(town, "arbitrary", &judgement));
        }
    }
}

#[test]
fn summaries_have_to_be_what_some_order_of_the_partitions_gives() {
    let (truth, town) = (kind(), &towns()[1]);
    let ticket = town.ticket(TOPIC, "c02");
    let right = all_right(town);
    let spoilt = |spoil: &dyn Fn(&mut Vec<Value>)| {
        let mut wrong = right.clone();
        spoil(&mut wrong);
        let judgement = judge(&*truth, town, &ticket, &answer(&wrong), None);
        assert_eq!(failed(&judgement), ["summaries"], "{judgement:#?}");
        assert_eq!(judgement.mistake, None);
        check(&judgement, "summaries").message.clone()
    };
    assert!(spoilt(&|run| drop(run.remove(0))).contains("\"n\" is 2, not 1"));
    assert!(spoilt(&|run| run[1]["count"] = json!(21)).contains("\"count\" is 21, not 20"));
    assert!(spoilt(&|run| run[0]["revenue"] = json!("12")).contains("no amount"));
    assert!(spoilt(&|run| run[0]["revenue"] = json!(4_000.0)).contains("summary 1 is too low"));
    assert!(spoilt(&|run| run[0]["revenue"] = json!(1e9)).contains("summary 1 is too high"));
    assert!(spoilt(&|run| drop(run.remove(run.len() - 2))).contains("fewer summaries"));
}

#[test]
fn an_end_that_did_not_arrive_is_named() {
    let (truth, town) = (kind(), &towns()[1]);
    let ticket = town.ticket(TOPIC, "c02");
    let mut run = all_right(town);
    let end = run.pop();
    let lost = judge(&*truth, town, &ticket, &answer(&run[..run.len() - 1]), None);
    let facts = &lost.mistake.as_ref().unwrap().facts;
    assert_eq!((mistake(&lost), facts["summaries"].parse().ok()), (Some("no-flush"), Some(run.len() - 1)));
    let nothing = judge(&*truth, town, &ticket, &answer(&[]), None);
    assert_eq!((failed(&nothing), mistake(&nothing)), (vec!["filter", "revenue"], None));
    assert!(nothing.checks[0].message.contains("Nothing arrived"));
    // The last run counts, also where it is behind a whole one.
    let again: Vec<Value> = run.iter().chain(&end).chain(&run).cloned().collect();
    assert_eq!(mistake(&judge(&*truth, town, &ticket, &answer(&again), None)), Some("no-flush"));
    let twice: Vec<Value> = run.iter().chain(&end).chain(&run).chain(&end).cloned().collect();
    assert!(judge(&*truth, town, &ticket, &answer(&twice), None).passed());
}
