use headwater::model::evidence::{Committed, Evidence, Fetched, GroupSeen};
use headwater::model::{Offset, PartitionId, Timestamp, TopicName};
use headwater::workshop::truth::Truth;
use headwater::workshop::verdict::{CheckStatus, Judgement};
use serde_json::{Value, json};

use crate::support::{Dice, ORIGIN, Town, check, event, failed, judge, merged, mistake, receipt, told, towns, truth};

const TOPIC: &str = "ecommerce-events";

fn kind() -> Box<dyn Truth> {
    truth("first-records", "topic = \"ecommerce-events\"\ncount = 50\n")
}

fn read(town: &Town, count: usize) -> Vec<Value> {
    let ticket = town.ticket(TOPIC, "c01");
    let records = merged(&town.records(&ticket, TOPIC), &mut Dice(town.seed));
    let entry = |record: &&headwater::cluster::StoredRecord| Some(json!([record.partition, record.offset, event(record)?["event_id"]]));
    records.iter().filter_map(entry).take(count).collect()
}

fn after(ms: i64) -> Timestamp {
    ORIGIN.plus_ms(ms)
}

/// What a broker sees of a script that reads these.
fn seen(records: &[Value]) -> Evidence {
    let topic = TopicName::new(TOPIC);
    let mut evidence = Evidence { user: "me".to_owned(), ..Evidence::default() };
    for partition in 0..6 {
        let of = records.iter().filter(|entry| entry[0] == partition).map(|entry| entry[1].as_i64().unwrap());
        let Some((first, last)) = of.clone().min().zip(of.max()) else { continue };
        let partition = PartitionId(partition);
        evidence.fetched.push(Fetched {
            topic: topic.clone(),
            partition,
            offsets: std::iter::once(Offset(first)..Offset(last + 500)).collect(),
            first_ms: after(1),
            at_ms: after(1),
            software: "librdkafka 2.16".to_owned(),
        });
        evidence.committed.push(Committed {
            group: "me-1".to_owned(),
            topic: topic.clone(),
            partition,
            offset: Offset(last + 1),
            at_ms: after(2),
        });
    }
    evidence.groups.push(GroupSeen { group: "me-1".to_owned(), joined_ms: after(1), members: 1, left_ms: Some(after(3)) });
    evidence
}

fn judged(town: &Town, records: &[Value], evidence: Option<&Evidence>) -> Judgement {
    let answer = receipt(json!({"ticket": "n-1", "records": records, "group": "me-1"}));
    judge(&*kind(), town, &town.ticket(TOPIC, "c01"), &answer, evidence)
}

#[test]
fn fifty_real_records_pass_with_evidence_and_without() {
    for town in towns() {
        let records = read(town, 50 + town.dirt as usize);
        let judgement = judged(town, &records, Some(&seen(&records)));
        assert!(judgement.checks.iter().all(|check| check.status == CheckStatus::Pass), "{}", told(town, "right", &judgement));
        assert_eq!((judgement.mistake, judgement.evidence), (None, vec!["me read ecommerce-events with librdkafka 2.16.".to_owned()]));
        let judgement = judged(town, &records, None);
        assert!(judgement.passed() && check(&judgement, "seen").status == CheckStatus::Skip, "{}", told(town, "right", &judgement));
        // Objects with names will do.
        let named: Vec<Value> = records.iter().map(|e| json!({"partition": e[0], "offset": e[1], "event_id": e[2], "more": 1})).collect();
        assert!(judged(town, &named, None).passed());
    }
}

#[test]
fn each_mistake_gets_its_name() {
    for town in towns() {
        let records = read(town, 50);
        let few = &records[..17];
        let shown: Vec<Value> = records.iter().map(|e| json!([e[0], e[1], format!("b'{}'", e[2].as_str().unwrap())])).collect();
        let mut errors = few.to_vec();
        errors.extend(vec![json!([null, null, null]); 20].into_iter().chain([json!([0, -1001, null]), json!("KafkaError")]));
        let mut open = seen(&records);
        open.committed.clear();
        open.groups[0].left_ms = None;
        let mut behind = open.clone();
        behind.committed = seen(few).committed;
        for (name, records, evidence) in [
            ("latest", &[][..], seen(&records)),
            ("stopped-early", few, seen(few)),
            ("not-decoded", &shown, seen(&records)),
            ("errors-as-records", &errors, seen(few)),
            ("not-closed", &records, open),
            ("not-closed", &records, behind),
        ] {
            let judgement = judged(town, records, Some(&evidence));
            assert!(!judgement.passed());
            assert_eq!(mistake(&judgement), Some(name), "{}", told(town, name, &judgement));
        }
    }
}

#[test]
fn an_arbitrary_receipt_gets_no_name() {
    let town = &towns()[1];
    let records = read(town, 50);
    let mut wrong = records.clone();
    wrong[7][2] = json!("01M84103M976CW5NC1NM2DZ221");
    let judgement = judged(town, &wrong, None);
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["records"], None));
    assert!(check(&judgement, "records").message.contains("There is no event \"01M84103M976CW5NC1NM2DZ221\" at offset"));
    wrong[7] = wrong[8].clone();
    let judgement = judged(town, &wrong, None);
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["records"], None));
    assert!(check(&judgement, "records").message.contains("more than once"));
    // One that is far away, deleted, or in a partition that is not there.
    for entry in [json!([0, 9_000_000_000_i64, "x"]), json!([0, 0, "x"]), json!([99, 5, "x"])] {
        wrong[7] = entry;
        let judgement = judge(&*kind(), town, &town.ticket(TOPIC, "c01"), &receipt(json!({"records": wrong[..7]})), None);
        assert!(!judgement.passed());
    }
}

#[test]
fn what_the_broker_has_not_seen_is_told() {
    let town = &towns()[1];
    let records = read(town, 50);
    let mut elsewhere = seen(&records);
    elsewhere.fetched.pop();
    let judgement = judged(town, &records, Some(&elsewhere));
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["seen"], None));
    let mut before = seen(&records);
    before.fetched[0].at_ms = after(-1);
    assert_eq!(failed(&judged(town, &records, Some(&before))), ["seen"]);
    // Closed, but told not to commit.
    let mut closed = seen(&records);
    closed.committed.clear();
    let judgement = judged(town, &records, Some(&closed));
    assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["committed"], None));
    let judgement = judged(town, &records, Some(&Evidence::default()));
    assert_eq!(failed(&judgement), ["seen", "committed"]);
}

#[test]
fn a_receipt_that_cannot_be_read_is_told() {
    let town = &towns()[0];
    let kind = kind();
    for wrong in
        [json!(null), json!([]), json!({}), json!({"records": "x"}), json!({"records": {"a": 1}}), json!({"records": vec![0; 6_000]})]
    {
        let judgement = judge(&*kind, town, &town.ticket(TOPIC, "c01"), &receipt(wrong), None);
        assert_eq!((failed(&judgement), mistake(&judgement)), (vec!["records"], None));
    }
}
