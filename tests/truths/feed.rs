use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use headwater::model::evidence::{Evidence, Fetched, Produced};
use headwater::model::{PartitionId, Timestamp, TopicName, lexicon};
use headwater::workshop::Answer;
use headwater::workshop::truth::Truth;
use headwater::workshop::verdict::{CheckStatus, Judgement};
use serde_json::{Value, json};

use crate::support::{Dice, ORIGIN, Town, answer_record, check, events, failed, judge, merged, mistake, parsed, told, towns, truth};

const TOPIC: &str = "social-media-feed";

fn kind() -> Box<dyn Truth> {
    truth("processed-feed", "topic = \"social-media-feed\"\n")
}

#[derive(Clone, Copy)]
struct Script {
    likes: bool,
    bots: bool,
    dedup: bool,
}

const RIGHT: Script = Script { likes: false, bots: false, dedup: false };

impl Script {
    fn run(self, town: &Town) -> Vec<Value> {
        let ticket = town.ticket(TOPIC, "c09");
        let records = merged(&town.records(&ticket, TOPIC), &mut Dice(town.seed));
        let parsed = parsed(&records);
        let keeps = |event: &Value| {
            (self.bots || event["is_bot"] == false)
                && event["content_preview"].as_str().is_some_and(|text| !text.is_empty())
                && (self.likes || event["action_type"] != "like")
        };
        let processed = |event: &Value| {
            let text = event["content_preview"].as_str().unwrap();
            json!({"source_event_id": event["event_id"], "post_id": event["post_id"], "action_type": event["action_type"],
                "sentiment": lexicon::label(text), "score": lexicon::score(text), "hashtags": event["hashtags"],
                "timestamp": event["timestamp"]})
        };
        events(&records, &parsed, self.dedup).into_iter().filter(|event| keeps(event)).map(processed).collect()
    }
}

/// In a topic, with keys.
fn produced(values: &[Value]) -> Answer {
    let record = |(offset, value): (i64, &Value)| answer_record(offset, value["post_id"].as_str(), Bytes::from(value.to_string()));
    Answer { records: (0..).zip(values).map(record).collect(), receipt: None }
}

fn wrote(records: usize, unacknowledged: u64) -> Evidence {
    let unacknowledged_ms = (unacknowledged > 0).then_some(Timestamp(i64::MAX));
    let produced = Produced { topic: TopicName::new("own"), records: records as u64, unacknowledged, unacknowledged_ms, at_ms: ORIGIN };
    Evidence { produced: vec![produced], ..Evidence::default() }
}

fn judged(town: &Town, answer: &Answer, evidence: Option<&Evidence>) -> Judgement {
    judge(&*kind(), town, &town.ticket(TOPIC, "c09"), answer, evidence)
}

/// The three hashtags used most, by windows.
fn ranking(values: &[Value]) -> Value {
    let mut windows: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    for value in values {
        let start = format!("{}0:00Z", &value["timestamp"].as_str().unwrap()[..15]);
        for hashtag in value["hashtags"].as_array().unwrap() {
            *windows.entry(start.clone()).or_default().entry(hashtag.as_str().unwrap()).or_default() += 1;
        }
    }
    let top = |counts: &BTreeMap<&str, i64>| {
        let mut hashtags: Vec<(&&str, &i64)> = counts.iter().collect();
        hashtags.sort_by_key(|(_, count)| -**count);
        hashtags.iter().take(3).map(|(hashtag, _)| **hashtag).collect::<Vec<_>>().join(" ")
    };
    let window =
        |(start, counts): (&String, &BTreeMap<&str, i64>)| json!({"start": start, "top": top(counts).split(' ').collect::<Vec<_>>()});
    json!({"ticket": "n-1", "windows": windows.iter().map(window).collect::<Vec<_>>()})
}

#[test]
fn what_is_right_passes_with_copies_and_without_and_a_ranking_earns_its_star() {
    for town in towns() {
        for dedup in [false, true].into_iter().take(1 + usize::from(town.dirt)) {
            let run = Script { dedup, ..RIGHT }.run(town);
            assert!(run.len() > 1_000);
            let mut answer = produced(&run);
            let judgement = judged(town, &answer, Some(&wrote(run.len(), 0)));
            assert!(judgement.passed() && judgement.stars.is_empty(), "{}", told(town, "right", &judgement));
            assert_eq!(check(&judgement, "ranking").status, CheckStatus::Skip);
            answer.receipt = Some(ranking(&run));
            // What was written without waiting before this ticket is another run's.
            let mut seen = wrote(run.len() + 9, 9);
            seen.produced[0].unacknowledged_ms = Some(Timestamp(0));
            let judgement = judged(town, &answer, Some(&seen));
            assert!(judgement.checks.iter().all(|check| check.status == CheckStatus::Pass), "{}", told(town, "right", &judgement));
            assert_eq!((judgement.stars, judgement.mistake), (vec!["trending"], None));
        }
    }
}

#[test]
fn each_mistake_gets_its_name() {
    for town in towns() {
        let right = RIGHT.run(town);
        let name = |expected: &str, answer: &Answer, evidence: Option<&Evidence>| {
            let judgement = judged(town, answer, evidence);
            assert!(!judgement.passed());
            assert_eq!(mistake(&judgement), Some(expected), "{}", told(town, expected, &judgement));
        };
        let dedup = town.dirt == 2;
        name("likes-kept", &produced(&Script { likes: true, dedup, ..RIGHT }.run(town)), None);
        if town.dirt > 0 {
            name("bots-kept", &produced(&Script { bots: true, dedup, ..RIGHT }.run(town)), None);
        }
        let mut keyless = produced(&right);
        keyless.records.iter_mut().for_each(|record| record.key = None);
        name("keyless", &keyless, None);
        name("acks-ignored", &produced(&right), Some(&wrote(right.len(), right.len() as u64)));
        // After a run that waited for its answers, and before one that did.
        let mut twice = wrote(2 * right.len(), right.len() as u64);
        name("acks-ignored", &produced(&right), Some(&twice));
        twice.produced[0].unacknowledged_ms = Some(Timestamp(0));
        assert!(judged(town, &produced(&right), Some(&twice)).passed());
        // The end did not arrive, and what was sent last in another order.
        name("no-flush", &produced(&right[..right.len() - 40]), Some(&wrote(right.len(), 0)));
        let last: HashSet<String> = right[right.len() - 300..].iter().map(|value| value["post_id"].to_string()).collect();
        let sent =
            |value: &&Value| !last.contains(&value["post_id"].to_string()) || value["post_id"].to_string().as_bytes()[7].is_multiple_of(3);
        name("no-flush", &produced(&right.iter().filter(sent).cloned().collect::<Vec<_>>()), None);
        // Its own topic, where a source is called otherwise, or taken over.
        let again: Vec<Value> = right.iter().chain(&right[..500]).cloned().collect();
        name("own-topic-loop", &produced(&again), None);
        let mut without = again.clone();
        without[right.len()..].iter_mut().for_each(|value| value["source_event_id"] = json!(null));
        name("own-topic-loop", &produced(&without), None);
        let mut reader = wrote(again.len(), 0);
        assert_eq!(mistake(&judged(town, &produced(&again), Some(&reader))), None);
        let topic = TopicName::new("own");
        let at = ORIGIN.plus_ms(5);
        reader.fetched.push(Fetched {
            topic,
            partition: PartitionId(0),
            offsets: Vec::new(),
            first_ms: at,
            at_ms: at,
            software: String::new(),
        });
        name("own-topic-loop", &produced(&again), Some(&reader));
    }
}

#[test]
fn an_arbitrary_answer_gets_no_name() {
    for town in towns() {
        let right = RIGHT.run(town);
        let spoil = |spoil: &dyn Fn(&mut Vec<Value>), expected: &[&str]| {
            let mut wrong = right.clone();
            spoil(&mut wrong);
            let judgement = judged(town, &produced(&wrong), None);
            assert_eq!((failed(&judgement), mistake(&judgement)), (expected.to_vec(), None), "{}", told(town, "arbitrary", &judgement));
            check(&judgement, expected[0]).message.clone()
        };
        let mut dice = Dice(town.seed);
        let thinned: Vec<Value> = right.iter().filter(|_| dice.below(10) > 0).cloned().collect();
        assert!(spoil(&|run| run.clone_from(&thinned), &["kept"]).contains("Too few"));
        assert!(spoil(&|run| run.truncate(0), &["kept"]).contains("Nothing arrived"));
        assert!(spoil(&|run| run[3]["source_event_id"] = json!("x"), &["kept"]).contains("event x, at offset 3"));
        assert!(spoil(&|run| run[3]["action_type"] = json!("like"), &["kept"]).contains("action_type"));
        assert!(spoil(&|run| run[3]["hashtags"] = json!(["none"]), &["kept"]).contains("hashtags"));
        assert!(spoil(&|run| run[3]["sentiment"] = json!("sad"), &["sentiment"]).contains("sentiment"));
        assert!(spoil(&|run| run[3]["score"] = json!(17), &["sentiment"]).contains("score"));
        assert!(spoil(&|run| run[3]["post_id"] = json!("post-1"), &["keyed"]).contains("post_id"));
    }
}

#[test]
fn another_model_has_to_agree_with_most() {
    let town = &towns()[4];
    let mut run = RIGHT.run(town);
    let all = run.len();
    for (at, value) in run.iter_mut().enumerate() {
        value["model"] = json!("vader");
        value["score"] = json!(0.44);
        if at * 100 < all * 15 {
            value["sentiment"] = json!("no idea");
        }
    }
    assert!(judged(town, &produced(&run), None).passed());
    run.iter_mut().take(all / 4).for_each(|value| value["sentiment"] = json!("no idea"));
    assert_eq!(failed(&judged(town, &produced(&run), None)), ["sentiment"]);
}

#[test]
fn a_ranking_that_is_wrong_is_told_and_ties_may_come_in_any_order() {
    // Forty minutes, so that some windows are closed.
    let town = Town::told(towns()[7].seed, 1, 40);
    let run = RIGHT.run(&town);
    let mut answer = produced(&run);
    let right = ranking(&run);
    let mut judged = |windows: Value| {
        answer.receipt = Some(windows);
        let judgement = judged(&town, &answer, None);
        assert_eq!(mistake(&judgement), None);
        (failed(&judgement).len(), check(&judgement, "ranking").message.clone())
    };
    assert_eq!(judged(right.clone()).0, 0);
    let count = right["windows"].as_array().unwrap().len();
    assert!(count >= 4);
    let spoil = |spoil: &dyn Fn(&mut Value)| {
        let mut wrong = right.clone();
        spoil(&mut wrong["windows"]);
        wrong
    };
    let open = judged(spoil(&|windows| windows.as_array_mut().unwrap().truncate(count - 2)));
    assert_eq!(open.0, 0, "windows that a watermark keeps open: {}", open.1);
    assert!(judged(spoil(&|windows| drop(windows.as_array_mut().unwrap().remove(2)))).1.contains("missing"));
    assert!(judged(spoil(&|windows| windows[1]["top"][0] = json!("nothing"))).1.contains("not among the first"));
    assert!(judged(spoil(&|windows| windows[1]["top"] = json!([]))).1.contains("0 hashtags"));
    assert!(judged(spoil(&|windows| windows[1]["top"].as_array_mut().unwrap().reverse())).1.contains("order"));
    assert!(judged(spoil(&|windows| windows[1]["start"] = json!("2026-11-23T10:15:00Z"))).1.contains("ten minutes"));
    assert!(judged(spoil(&|windows| *windows = json!("x"))).1.contains("no list"));
    assert_eq!(
        judged(spoil(&|windows| windows[1]["top"][0] = json!(format!("#{}", right["windows"][1]["top"][0].as_str().unwrap())))).0,
        0
    );
}

#[test]
fn what_all_users_of_a_team_wrote_counts() {
    let town = &towns()[1];
    let run = RIGHT.run(town);
    let mut evidence = wrote(10, 0);
    evidence.produced.extend(wrote(run.len() - 10, 0).produced);
    let judgement = judged(town, &produced(&run), Some(&evidence));
    assert!(judgement.passed(), "{}", told(town, "a team", &judgement));
}

#[test]
fn a_ranking_of_nothing_earns_no_star() {
    // A range so short that no window of it is closed.
    let town = &towns()[0];
    let run = RIGHT.run(town);
    for windows in [json!([]), json!([{"start": "2099-01-01T00:00:00Z", "top": []}])] {
        let mut answer = produced(&run);
        answer.receipt = Some(json!({"ticket": "n-1", "windows": windows}));
        let judgement = judged(town, &answer, Some(&wrote(run.len(), 0)));
        assert!(judgement.stars.is_empty(), "{}", told(town, "no ranking", &judgement));
    }
}
