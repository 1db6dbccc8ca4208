//! Tickets, answers and verdicts over HTTP, on a broker with a stream of purchases.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::{Value, json};

use super::class_fixture::{Answer, Class, class, open_course};
use super::*;
use crate::broker::clock;
use crate::cluster::NewRecord;
use crate::model::{BatchBuilder, Codec, Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::course::TICKET_MS;
use crate::workshop::{Role, Student};

mod attacks;

pub(super) const STREAM: &str = "ecommerce-events";
pub(super) const PARTITIONS: i32 = 4;

pub(super) struct Pupil {
    pub id: String,
    pub token: String,
}

/// A class with half an hour of purchases, one a second and partition, up to this moment.
pub(super) async fn taught() -> Class {
    let class = class().await;
    class.cluster.ensure_topic(&STREAM.into(), PARTITIONS, &[]).await.unwrap();
    let now = clock::now();
    for partition in 0..PARTITIONS {
        let records = (0..1_800).map(|second| purchase(partition, second, now.plus_ms((second - 1_800) * 1_000))).collect();
        class.cluster.append(&STREAM.into(), PartitionId(partition), records).await.unwrap();
    }
    class
}

/// Every tenth costs more than 500.
fn purchase(partition: i32, n: i64, timestamp: Timestamp) -> NewRecord {
    let price = if n % 10 == 3 { 600.25 + (n % 7) as f64 } else { 20.5 };
    let value = json!({
        "event_id": format!("{partition}-{n}"), "event_type": if n % 20 == 13 { "view" } else { "purchase" },
        "price": price, "quantity": n % 3 + 1,
    });
    NewRecord { key: None, value: Some(Bytes::from(value.to_string())), timestamp, headers: Vec::new() }
}

impl Class {
    pub async fn pupil(&self) -> Pupil {
        let joined = self.join().await;
        let text = |field: &str| joined[field].as_str().unwrap().to_owned();
        Pupil { id: text("id"), token: text("token") }
    }

    pub async fn get(&self, pupil: &Pupil, path: &str) -> Answer {
        self.ask("GET", path, Some(&pupil.token), &Value::Null).await
    }

    pub async fn post(&self, pupil: &Pupil, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(&pupil.token), &body).await
    }

    pub async fn ticket(&self, pupil: &Pupil, id: &str) -> Value {
        let answer = self.post(pupil, &format!("/api/ticket/{id}"), json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub async fn check(&self, pupil: &Pupil, id: &str) -> Value {
        let answer = self.post(pupil, &format!("/api/check/{id}"), json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// What is still missing of a ticket's ranges arrives.
    pub async fn go_on(&self, ticket: &Value) {
        for (partition, start, end) in ranges(ticket) {
            let there = self.cluster.topic(STREAM).unwrap().partitions[partition as usize].end_offset.0;
            let records: Vec<_> = (there..end).map(|n| purchase(partition, n, clock::now())).collect();
            assert!(start <= there);
            if !records.is_empty() {
                self.cluster.append(&STREAM.into(), PartitionId(partition), records).await.unwrap();
            }
        }
    }

    /// As a student's producer would, without or with the header.
    pub fn produce(&self, topic: &str, nonce: Option<&str>, values: &[Value]) {
        let mut builder = BatchBuilder::new(Codec::None);
        let header = nonce.map(|nonce| (&b"ticket"[..], Some(nonce.as_bytes())));
        let texts: Vec<String> = values.iter().map(Value::to_string).collect();
        for text in &texts {
            builder.append(crate::model::NewRecord {
                timestamp: clock::now(),
                key: None,
                value: Some(text.as_bytes()),
                headers: header.as_slice(),
            });
        }
        let partition = self.broker.catalog.get(topic).unwrap().partition(PartitionId(0)).unwrap();
        partition.append(&builder.build().unwrap().to_bytes(), 9, clock::now()).unwrap();
    }

    /// The right totals of a ticket, or those of somebody who forgot the quantity.
    pub async fn totals(&self, ticket: &Value, with_quantity: bool) -> Vec<Value> {
        let (mut told, mut count, mut cents) = (Vec::new(), 0_i64, 0_i64);
        for (partition, start, end) in ranges(ticket) {
            let records = self.cluster.read(&STREAM.into(), PartitionId(partition), Offset(start), 64 << 20).await.unwrap();
            for record in records.iter().filter(|record| (start..end).contains(&record.offset.0)) {
                let event: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
                let price = event["price"].as_f64().unwrap();
                if event["event_type"] != "purchase" || price <= 500.0 {
                    continue;
                }
                let quantity = if with_quantity { event["quantity"].as_i64().unwrap() } else { 1 };
                count += 1;
                cents += (price * 100.0).round() as i64 * quantity;
                if count % 10 == 0 {
                    told.push(json!({ "n": count / 10, "count": count, "revenue": cents as f64 / 100.0 }));
                }
            }
        }
        told.push(json!({ "final": true, "count": count, "revenue": cents as f64 / 100.0 }));
        told
    }
}

fn ranges(ticket: &Value) -> Vec<(i32, i64, i64)> {
    let of = ticket["ranges"][STREAM].as_object().unwrap();
    of.iter().map(|(p, range)| (p.parse().unwrap(), range[0].as_i64().unwrap(), range[1].as_i64().unwrap())).collect()
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

#[tokio::test]
async fn tickets_differ_and_part_of_each_did_not_exist_when_it_was_issued() {
    let class = taught().await;
    let mut starts = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let pupil = class.pupil().await;
        let ticket = class.ticket(&pupil, "c02").await;
        assert_eq!((text(&ticket, "results"), text(&ticket, "student")), (format!("ws.{}.c02", pupil.id).as_str(), pupil.id.as_str()));
        let ranges = ranges(&ticket);
        assert_eq!(ranges.len(), PARTITIONS as usize);
        for (partition, start, end) in &ranges {
            // 15 to 25 minutes back at one a second, and five seconds to come.
            assert!((300..=900).contains(start) && *end > 1_800 && *end <= 1_806, "{partition}: {start}..{end}");
        }
        assert!(ticket["live"][STREAM].as_i64().unwrap() >= 16, "{ticket}");
        assert_eq!(ticket["expires_ms"].as_i64().unwrap() - ticket["issued_ms"].as_i64().unwrap(), TICKET_MS);
        starts.insert(ranges[0].1);
        // The same ticket is on the student's topic, and kept where students do not write.
        let topic = TopicName::new(&format!("ws.{}.tickets", pupil.id));
        let note = class.cluster.tail(&topic, PartitionId(0), 1).await.unwrap();
        let note: Value = serde_json::from_slice(note[0].value.as_deref().unwrap()).unwrap();
        assert_eq!(note["nonce"], ticket["nonce"]);
    }
    assert!(starts.len() >= 4, "{starts:?}");
}

#[tokio::test]
async fn where_nothing_arrives_nothing_is_awaited_and_no_range_begins_before_the_log() {
    let class = class().await;
    class.cluster.ensure_topic(&STREAM.into(), 1, &[]).await.unwrap();
    let pupil = class.pupil().await;
    let empty = class.ticket(&pupil, "c02").await;
    assert_eq!((ranges(&empty), &empty["live"][STREAM]), (vec![(0, 0, 0)], &json!(0)));
    let old = clock::now().plus_ms(-60_000);
    let records = (0..100).map(|n| purchase(0, n, old.plus_ms(n * 100))).collect();
    class.cluster.append(&STREAM.into(), PartitionId(0), records).await.unwrap();
    let short = class.ticket(&pupil, "c02").await;
    let (_, start, end) = ranges(&short)[0];
    assert!((0..=51).contains(&start) && end == 100, "{short}");
}

#[tokio::test]
async fn a_right_answer_passes_and_a_known_mistake_is_named() {
    let class = taught().await;
    let pupil = class.pupil().await;
    assert_eq!(class.get(&pupil, "/api/verdict/c02").await.status, 404);
    let before = class.check(&pupil, "c02").await;
    assert_eq!((text(&before, "status"), &before["ticket"]), ("error", &Value::Null));
    assert!(text(&before, "message").contains("no ticket"), "{before}");
    let ticket = class.ticket(&pupil, "c02").await;
    let topic = text(&ticket, "results").to_owned();
    let empty = class.check(&pupil, "c02").await;
    assert!(text(&empty, "message").contains("nothing has arrived") && text(&empty, "status") == "error", "{empty}");
    assert_eq!(empty["ticket"], ticket["nonce"]);
    // Too early.
    let nonce = text(&ticket, "nonce").to_owned();
    class.produce(&topic, Some(&nonce), &[json!({ "final": true, "count": 1, "revenue": 1.0 })]);
    let early = class.check(&pupil, "c02").await;
    assert!(text(&early, "message").contains("still to come") && text(&early, "fix").contains("about"), "{early}");
    class.go_on(&ticket).await;
    // Three wrong answers: the right values are kept back twice.
    for attempt in 1..=3 {
        let mut wrong = class.totals(&ticket, false).await;
        wrong.truncate(wrong.len());
        wrong.insert(0, json!({ "note": attempt }));
        class.produce(&topic, Some(&nonce), &if attempt == 1 { class.totals(&ticket, false).await } else { wrong });
        let verdict = class.check(&pupil, "c02").await;
        assert_eq!(verdict["attempt"], attempt, "{verdict}");
        assert_ne!(verdict["status"], "pass");
        let hidden = verdict["checks"].as_array().unwrap().iter().all(|check| check["status"] == "pass" || check["expected"].is_null());
        assert_eq!(hidden, attempt <= 2, "{verdict}");
        let again = class.check(&pupil, "c02").await;
        assert_eq!(again["attempt"], attempt, "the same answer is no new attempt");
        if attempt == 1 {
            assert_eq!(verdict["matched_mistake"]["id"], "no-quantity", "{verdict}");
            assert!(text(&verdict["matched_mistake"], "message").starts_with("you did no-quantity"));
            assert!(verdict["score"].as_i64().unwrap() <= 50 && verdict["status"] == "partial", "{verdict}");
            println!("{}\n", text(&verdict, "text"));
        }
    }
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    class.produce(&topic, Some(text(&ticket, "nonce")), &class.totals(&ticket, true).await);
    let right = class.check(&pupil, "c02").await;
    assert_eq!((&right["status"], &right["attempt"], &right["matched_mistake"]), (&json!("pass"), &json!(4), &Value::Null), "{right}");
    assert!(right["score"].as_i64().unwrap() >= 100);
    println!("{}", text(&right, "text"));
    assert_eq!(class.get(&pupil, "/api/verdict/c02").await.json()["status"], "pass");
    // It is on the student's topic too, with the text that a terminal shows.
    let note = class.cluster.tail(&TopicName::new(&format!("ws.{}.verdicts", pupil.id)), PartitionId(0), 1).await.unwrap();
    let note: Value = serde_json::from_slice(note[0].value.as_deref().unwrap()).unwrap();
    assert_eq!((&note["status"], note["text"].is_string()), (&json!("pass"), true));
    // A flag for the instructor, and no more: nobody of theirs fetched any of it.
    let board = class.ask("GET", "/api/class", Some(&class.instructor().await), &Value::Null).await.json();
    let cell = &board["students"][0]["challenges"]["c02"];
    assert_eq!((&cell["status"], &cell["attempts"], &cell["unread"]), (&json!("pass"), &json!(4), &json!(true)), "{board}");
    assert_eq!((&board["mistakes"][0]["id"], &board["mistakes"][0]["students"]), (&json!("no-quantity"), &json!(1)));
    // Long after, it is still right.
    class.ahead_ms.store(TICKET_MS + 1, Ordering::Relaxed);
    assert_eq!(class.check(&pupil, "c02").await["status"], "pass");
}

#[tokio::test]
async fn answers_that_are_not_ones_own_fail_each_with_its_own_message() {
    let class = taught().await;
    let (pupil, other) = (class.pupil().await, class.pupil().await);
    let theirs = class.ticket(&other, "c02").await;
    let first = class.ticket(&pupil, "c01").await;
    // A link that somebody follows, or a browser loads ahead, gives nobody a ticket.
    assert_eq!(class.get(&pupil, "/api/ticket/c01").await.status, 405);
    assert_eq!(class.get(&pupil, "/api/tickets/c01").await.json().as_array().map(Vec::len), Some(1));
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&theirs).await;
    class.go_on(&ticket).await;
    let topic = text(&ticket, "results").to_owned();
    let answer = class.totals(&theirs, true).await;
    let mut told = Vec::new();
    for (nonce, wanted) in [
        (Some(text(&theirs, "nonce")), "another student"),
        (Some("no-such-nonce"), "nobody has been issued"),
        (Some(text(&first, "nonce")), "your ticket for c01"),
        (None, "without the header"),
    ] {
        class.produce(&topic, nonce, &answer);
        let verdict = class.check(&pupil, "c02").await;
        assert_eq!((&verdict["status"], &verdict["score"], &verdict["attempt"]), (&json!("error"), &json!(0), &json!(0)), "{verdict}");
        assert!(text(&verdict, "message").contains(wanted), "{verdict}");
        assert!(!text(&verdict, "fix").is_empty());
        told.push(text(&verdict, "message").to_owned());
    }
    // The nonce in the value instead of the header.
    class.produce(&topic, None, &[json!({ "ticket": ticket["nonce"], "final": true })]);
    assert!(text(&class.check(&pupil, "c02").await, "fix").contains("stands in the value"));
    // Stale: of a ticket that has expired.
    let again = class.ticket(&pupil, "c02").await;
    class.produce(&topic, Some(text(&again, "nonce")), &answer);
    class.ahead_ms.store(TICKET_MS + 1, Ordering::Relaxed);
    let stale = class.check(&pupil, "c02").await;
    assert!(text(&stale, "message").contains("has expired"), "{stale}");
    let newest = class.ticket(&pupil, "c02").await;
    class.produce(&topic, Some(text(&again, "nonce")), &answer);
    let stale = class.check(&pupil, "c02").await;
    assert!(text(&stale, "message").contains("has expired"), "{stale}");
    told.push(text(&stale, "message").to_owned());
    // Two tickets: the newest that has an answer counts.
    class.produce(&topic, Some(text(&newest, "nonce")), &class.totals(&newest, true).await);
    class.go_on(&newest).await;
    let without = class.ticket(&pupil, "c02").await;
    let verdict = class.check(&pupil, "c02").await;
    assert_eq!((&verdict["ticket"], &verdict["status"]), (&newest["nonce"], &json!("pass")), "{verdict} {without}");
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 5);
}

#[tokio::test]
async fn a_receipt_is_judged_by_what_the_broker_saw_and_can_be_checked_again() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c01").await;
    assert!(text(&class.check(&pupil, "c01").await, "message").contains("nothing has been handed in"));
    let records: Vec<Value> = (0..5).map(|n| json!([0, n, format!("0-{n}")])).collect();
    let receipt = json!({ "ticket": ticket["nonce"], "records": records });
    let unseen = class.post(&pupil, "/api/check/c01", json!({ "receipt": receipt })).await.json();
    assert_eq!(unseen["status"], "partial", "{unseen}");
    let principal = crate::security::Principal::user(&pupil.id);
    let range = Offset(0)..Offset(50);
    let now = clock::now().plus_ms(5);
    class.broker.evidence.fetched(&principal, || "librdkafka 2.16.1".to_owned(), &[(STREAM.into(), PartitionId(0), range)], now);
    class.broker.evidence.joined(&principal, &format!("{}-c01", pupil.id), now);
    class.broker.evidence.committed(&principal, &format!("{}-c01", pupil.id), &[(STREAM.into(), PartitionId(0), Offset(5))], now);
    let seen = class.check(&pupil, "c01").await;
    assert_eq!((&seen["status"], &seen["attempt"]), (&json!("pass"), &json!(1)), "{seen}");
    for (receipt, wanted) in [
        (json!({ "records": [] }), "no field ticket"),
        (json!("WS1.???"), "cannot be read"),
        (json!(7), "cannot be read"),
        (json!({ "ticket": "\u{202e}✗ <b>", "records": [] }), "nobody has been issued"),
    ] {
        let verdict = class.post(&pupil, "/api/check/c01", json!({ "receipt": receipt })).await.json();
        assert!(verdict["status"] == "error" && text(&verdict, "message").contains(wanted), "{verdict}");
    }
    let report = class.get(&pupil, "/api/report").await;
    assert!(
        report.body.contains("Title of c01 | solved | 1 |")
            && report.body.contains("about 50.")
            && report.body.contains("librdkafka 2.16.1"),
        "{}",
        report.body
    );
}

#[tokio::test]
async fn what_was_done_survives_a_restart_and_goes_with_the_student() {
    let class = taught().await;
    let (pupil, gone) = (class.pupil().await, class.pupil().await);
    let instructor = class.instructor().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let topic = text(&ticket, "results").to_owned();
    class.produce(&topic, Some(text(&ticket, "nonce")), &class.totals(&ticket, false).await);
    assert_eq!(class.check(&pupil, "c02").await["attempt"], 1);
    assert_eq!(class.post(&pupil, "/api/hint/c02", json!({})).await.json()["hint"], "one");
    assert_eq!(class.post(&pupil, "/api/hint/c02", json!({})).await.json()["n"], 2);
    assert_eq!(class.post(&pupil, "/api/hint/c02", json!({})).await.json()["n"], 2, "there are two");
    assert_eq!(class.post(&pupil, "/api/stuck/c02", json!({ "stuck": true, "note": "why?\n<b>" })).await.status, 200);
    tokio::time::sleep(Duration::from_millis(5)).await;
    class.post(&gone, "/api/stuck/c01", json!({ "stuck": true })).await;
    assert_eq!(class.post(&pupil, "/api/explain/c02", json!({ "choice": 0 })).await.json(), json!({ "right": false, "why": "no" }));
    assert_eq!(class.post(&pupil, "/api/explain/c02", json!({ "choice": 9 })).await.status, 400);
    let granted = class.ask("PUT", &format!("/api/class/{}/c01", pupil.id), Some(&instructor), &json!({ "status": "granted" })).await;
    assert_eq!(granted.status, 200);
    class.ask("PUT", "/api/leaderboard", Some(&instructor), &json!({ "on": true })).await;
    let board = class.get(&pupil, "/api/leaderboard").await.json();
    assert_eq!((&board["rows"][0]["student"], &board["rows"][0]["rank"]), (&json!(pupil.id), &json!(1)), "{board}");
    class.ask("PUT", "/api/leaderboard", Some(&instructor), &json!({ "frozen": true })).await;
    let waiting = class.ask("GET", "/api/class", Some(&instructor), &Value::Null).await.json();
    assert_eq!((waiting["stuck"].as_array().unwrap().len(), &waiting["stuck"][0]["note"]), (2, &json!("why?<b>")));
    // All of it is there again in a course that is opened anew.
    let reopened = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    assert_eq!(reopened.class(), class.course.class());
    assert_eq!((reopened.board(), reopened.export().students), (class.course.board(), class.course.export().students));
    let student = Student::of(class.workshop.roster().get(&pupil.id).unwrap());
    class.produce(&topic, Some(text(&ticket, "nonce")), &class.totals(&ticket, true).await);
    let verdict = reopened.check(&student, "c02", crate::workshop::course::Ask::default()).await.unwrap();
    assert_eq!((verdict.attempt, verdict.ticket.as_deref()), (2, Some(text(&ticket, "nonce"))));
    assert_eq!(verdict.status, crate::workshop::verdict::Status::Pass);
    // A removed student leaves nothing behind.
    let removed = class.ask("DELETE", &format!("/api/students/{}", gone.id), Some(&instructor), &Value::Null).await;
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert!(!class.course.export().students.contains_key(&gone.id));
    let erased = class.ask("DELETE", "/api/progress", Some(&instructor), &json!({ "student": pupil.id })).await.json();
    assert!(erased["erased"].as_i64().unwrap() >= 2, "{erased}");
    let empty = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    assert_eq!(empty.export().students, Default::default());
    class.ask("DELETE", "/api/progress", Some(&instructor), &json!({})).await;
    assert_eq!(class.get(&pupil, "/api/leaderboard").await.status, 404, "the switch goes with everything");
}

#[tokio::test]
async fn a_ticket_of_records_that_are_gone_is_told_so() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    class.produce(text(&ticket, "results"), Some(text(&ticket, "nonce")), &class.totals(&ticket, true).await);
    class.cluster.erase(vec![STREAM.into()], Vec::new()).await.unwrap();
    class.cluster.ensure_topic(&STREAM.into(), PARTITIONS, &[]).await.unwrap();
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["status"] == "error" && text(&verdict, "message").contains("made anew"), "{verdict}");
}

#[tokio::test]
async fn one_person_alone_is_the_student_me() {
    let class = taught().await;
    let cluster = Arc::clone(&class.cluster);
    let options = crate::workshop::CourseOptions {
        challenges: super::class_fixture::challenges(),
        random: crate::workshop::Random::new(|| [7; 32]),
        now: Arc::new(clock::now),
    };
    let course = Arc::new(Course::open(Arc::clone(&cluster), None, options).await.unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, HttpState::new(cluster).with_course(Some(course)), std::future::pending()));
    let single = Class { address, ..class };
    let ticket = single.ask("POST", "/api/ticket/c02", None, &json!({})).await.json();
    assert_eq!((text(&ticket, "student"), text(&ticket, "results")), ("me", "ws.me.c02"), "{ticket}");
    let list = single.ask("GET", "/api/challenges", None, &Value::Null).await.json();
    assert_eq!((&list[0]["status"], &list[1]["status"]), (&json!("open"), &json!("begun")));
    let class = single.ask("GET", "/api/class", None, &Value::Null).await.json();
    assert_eq!(class["students"][0]["id"], "me");
    assert_eq!(single.ask("GET", "/api/progress?student=other", None, &Value::Null).await.status, 404);
    let report = single.ask("GET", "/api/report?format=html&rubric=on", None, &Value::Null).await;
    assert!(report.head.contains("text/html") && report.body.contains("For the instructor"));
    assert!(Role::Instructor > Role::Student);
}
