use std::collections::BTreeMap;

use headwater::workshop::truth::Truth;
use headwater::workshop::verdict::{CheckStatus, Judgement};
use serde_json::{Value, json};

use crate::support::{Dice, Town, answer, check, events, failed, judge, merged, mistake, parsed, told, towns, truth};

const TOPIC: &str = "iot-sensor-data";

fn kind() -> Box<dyn Truth> {
    truth("threshold-alerts", "topic = \"iot-sensor-data\"\nsensor_type = \"temperature\"\nbelow = 0\nabove = 40\n")
}

/// How a script goes about it.
#[derive(Clone, Copy)]
struct Script {
    convert: bool,
    temperatures_only: bool,
    drop_sentinel: bool,
    inclusive: bool,
    average: Average,
}

#[derive(Clone, Copy, PartialEq)]
enum Average {
    All,
    Alerts,
    Sensors,
    Partitions,
}

const RIGHT: Script = Script { convert: true, temperatures_only: true, drop_sentinel: true, inclusive: false, average: Average::All };

const MISTAKES: [(&str, Script); 7] = [
    ("fahrenheit", Script { convert: false, ..RIGHT }),
    ("all-sensors", Script { temperatures_only: false, ..RIGHT }),
    ("sentinel", Script { drop_sentinel: false, ..RIGHT }),
    ("inclusive", Script { inclusive: true, ..RIGHT }),
    ("alerts-only", Script { average: Average::Alerts, ..RIGHT }),
    ("average-of-averages", Script { average: Average::Partitions, ..RIGHT }),
    ("average-of-averages", Script { average: Average::Sensors, ..RIGHT }),
];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Script {
    /// Of events that have their partition.
    fn run(self, events: &[&Value]) -> Vec<Value> {
        let mut written = Vec::new();
        let mut parts: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
        for event in events {
            if self.temperatures_only && event["sensor_type"] != "temperature" {
                continue;
            }
            let Some(value) = event["value"].as_f64() else { continue };
            if self.drop_sentinel && value == -999.0 {
                continue;
            }
            let celsius = if self.convert && event["unit"] == "F" { (value - 32.0) * 5.0 / 9.0 } else { value };
            let alert = if self.inclusive { celsius <= 0.0 || celsius >= 40.0 } else { !(0.0..=40.0).contains(&celsius) };
            if alert {
                let rounded = (celsius * 100.0).round() / 100.0;
                written.push(json!({"event_id": event["event_id"], "location": event["location"], "celsius": rounded}));
            }
            if !alert && self.average == Average::Alerts {
                continue;
            }
            let part = match self.average {
                Average::Sensors => event["device_id"].to_string(),
                Average::Partitions => event["partition"].to_string(),
                _ => String::new(),
            };
            let place = event["location"].as_str().unwrap().to_owned();
            parts.entry(place).or_default().entry(part).or_default().push(celsius);
        }
        let average = |parts: &BTreeMap<String, Vec<f64>>| mean(&parts.values().map(|values| mean(values)).collect::<Vec<_>>());
        let averages: BTreeMap<&String, f64> =
            parts.iter().map(|(place, parts)| (place, (average(parts) * 100.0).round() / 100.0)).collect();
        written.push(json!({"final": true, "averages": averages}));
        written
    }
}

/// What a script reads: in the order of the partitions, or in another.
fn read(town: &Town, dedup: bool, shuffle: bool) -> Vec<Value> {
    let ticket = town.ticket(TOPIC, "c04");
    let records = town.records(&ticket, TOPIC);
    let mut parsed = parsed(&records);
    for ((partition, _), event) in &mut parsed {
        event["partition"] = json!(partition);
    }
    let records = if shuffle { merged(&records, &mut Dice(town.seed)) } else { records };
    events(&records, &parsed, dedup).into_iter().cloned().collect()
}

fn run(script: Script, events: &[Value]) -> Vec<Value> {
    script.run(&events.iter().collect::<Vec<_>>())
}

fn judged(town: &Town, run: &[Value]) -> Judgement {
    judge(&*kind(), town, &town.ticket(TOPIC, "c04"), &answer(run), None)
}

#[test]
fn what_is_right_passes_in_every_order_with_copies_and_without() {
    for town in towns() {
        for (dedup, shuffle) in [(false, false), (true, false), (false, true)] {
            let run = run(RIGHT, &read(town, dedup, shuffle));
            assert!(run.len() > 50);
            let judgement = judged(town, &run);
            assert!(judgement.checks.iter().all(|check| check.status == CheckStatus::Pass), "{}", told(town, "right", &judgement));
            assert_eq!(judgement.mistake, None);
        }
    }
}

#[test]
fn each_mistake_gets_its_name_with_copies_and_without() {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for town in towns() {
        // Without dirt there are no copies.
        let events = [read(town, false, true), read(town, true, true)];
        let events = &events[..if town.dirt == 0 { 1 } else { 2 }];
        for (events, (name, script)) in events.iter().flat_map(|events| MISTAKES.map(|mistake| (events, mistake))) {
            let judgement = judged(town, &run(script, events));
            if judgement.passed() {
                // Only where there is nothing that the mistake would show in, or too little.
                let rare = matches!(name, "inclusive" | "average-of-averages") || (name == "sentinel" && town.dirt == 0);
                assert!(rare, "{}", told(town, name, &judgement));
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
fn a_part_that_is_right_need_not_show_the_mistake() {
    for town in towns().iter().filter(|town| town.dirt > 0) {
        let events = read(town, false, false);
        let right = run(RIGHT, &events);
        for (name, script) in &MISTAKES[..3] {
            let mut mixed = run(*script, &events);
            *mixed.last_mut().unwrap() = right.last().unwrap().clone();
            let judgement = judged(town, &mixed);
            assert_eq!((failed(&judgement)[0], mistake(&judgement)), ("alerts", Some(*name)), "{}", told(town, name, &judgement));
            let mut mixed = right.clone();
            *mixed.last_mut().unwrap() = run(*script, &events).pop().unwrap();
            let judgement = judged(town, &mixed);
            assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["averages"], Some(*name)), "{}", told(town, name, &judgement));
        }
    }
}

#[test]
fn an_arbitrary_answer_gets_no_name() {
    for town in towns() {
        let right = run(RIGHT, &read(town, false, false));
        let spoil = |spoil: &dyn Fn(&mut Vec<Value>), expected: &[&str]| {
            let mut wrong = right.clone();
            spoil(&mut wrong);
            let judgement = judged(town, &wrong);
            assert_eq!((failed(&judgement), mistake(&judgement)), (expected.to_vec(), None), "{}", told(town, "arbitrary", &judgement));
            check(&judgement, expected[0]).message.clone()
        };
        let missing = spoil(&|run| drop(run.remove(3)), &["alerts"]);
        assert!(missing.contains("Too few: one is missing; the first is at offset"), "{missing}");
        assert!(
            spoil(&|run| run.insert(0, json!({"event_id": "x"})), &["alerts"])
                .contains("Too many: 1 of yours is none, the first is event x")
        );
        assert!(spoil(&|run| run[0]["location"] = json!("Nowhere"), &["alerts"]).contains("location"));
        assert!(spoil(&|run| run[0]["celsius"] = json!(run[0]["celsius"].as_f64().unwrap() + 0.03), &["celsius"]).contains("too high"));
        assert!(spoil(&|run| run[0]["celsius"] = json!("7"), &["celsius"]).contains("no number"));
        let end = right.len() - 1;
        let helsinki = right[end]["averages"]["Helsinki"].as_f64().unwrap();
        assert!(spoil(&|run| run[end]["averages"]["Helsinki"] = json!(helsinki - 0.1), &["averages"]).contains("Helsinki is too low"));
        assert!(
            spoil(&|run| drop(run[end]["averages"].as_object_mut().unwrap().remove("Helsinki")), &["averages"]).contains("no average of")
        );
        assert!(spoil(&|run| run[end]["averages"]["Mars"] = json!(1), &["averages"]).contains("Mars"));
        assert!(spoil(&|run| drop(run.pop()), &["averages"]).contains("final"));
        spoil(&|run| run.drain(..run.len() / 2).for_each(drop), &["alerts"]);
    }
}

#[test]
fn an_empty_answer_fails_without_a_name() {
    let judgement = judged(&towns()[1], &[]);
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["alerts", "averages"], None));
}
