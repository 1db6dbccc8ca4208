//! What students might try on tickets and checks, and a class that does it at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::course_tests::{Pupil, taught, text};
use super::*;
use crate::broker::clock;
use crate::cluster::NewRecord;
use crate::model::{PartitionId, TopicName};
use crate::workshop::Student;

#[tokio::test]
async fn what_a_student_sends_cannot_hurt() {
    let class = taught().await;
    let pupil = class.pupil().await;
    // 10,000 tickets.
    let student = Student::of(class.workshop.roster().get(&pupil.id).unwrap());
    let mut given = 0;
    for _ in 0..10_000 {
        given += usize::from(class.course.ticket(&student, "c01").await.is_ok());
    }
    assert!((30..=40).contains(&given), "{given}");
    let refused = class.post(&pupil, "/api/ticket/c01", json!({})).await;
    assert!(refused.status == 429 && refused.head.contains("retry-after: "), "{}", refused.body);
    // Receipts.
    let deep = format!("{{\"receipt\": {}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let headers = [("content-type", "application/json"), ("authorization", &format!("Bearer {}", pupil.token))];
    assert_eq!(class.raw("POST", "/api/check/c01", &headers, &deep).await.status, 400);
    let huge = json!({ "receipt": { "ticket": "x".repeat(270_000) } });
    assert_eq!(class.post(&pupil, "/api/check/c01", huge).await.status, 413);
    for body in [json!({ "receipt": null }), json!({})] {
        assert_eq!(class.post(&pupil, "/api/check/c01", body).await.status, 200);
    }
    assert_eq!(class.post(&pupil, "/api/check/c01", json!({ "student": "x" })).await.status, 400);
    // Paths.
    let instructor = Pupil { id: String::new(), token: class.instructor().await };
    for file in ["starter.py", "words.json"] {
        let answer = class.get(&pupil, &format!("/api/challenges/c01/{file}")).await;
        assert!(answer.status == 200 && !answer.body.contains("secret") && answer.head.contains("text/plain"), "{}", answer.body);
    }
    for file in
        ["challenge.toml", "wrong%2Fnone.toml", "..%2F..%2FCargo.toml", "..%2f02-totals%2Fsolution.py", "solution.py%00", "%FF", "no.py"]
    {
        for who in [&pupil, &instructor] {
            let answer = class.get(who, &format!("/api/challenges/c01/{file}")).await;
            assert!(matches!(answer.status, 400 | 404), "{file}: {} {}", answer.status, answer.body);
        }
    }
    assert_eq!(class.get(&pupil, "/api/challenges/c01/solution.py").await.status, 403);
    let solution = class.get(&instructor, "/api/challenges/c01/solution.py").await;
    assert_eq!((solution.status, solution.body.as_str()), (200, "import x\nsecret()\n"));
    for id in ["c99", "..%2Fc01", "%F0%9F%A6%A6", "c01%00"] {
        for (method, path) in [("POST", "ticket"), ("POST", "check"), ("POST", "hint"), ("GET", "verdict"), ("GET", "challenges")] {
            let body = if method == "POST" { json!({}) } else { Value::Null };
            let answer = class.ask(method, &format!("/api/{path}/{id}"), Some(&pupil.token), &body).await;
            assert!(matches!(answer.status, 400 | 404), "{path}/{id}: {}", answer.status);
        }
    }
    // Nothing of what is for later.
    let sheet = class.get(&pupil, "/api/challenges/c01").await;
    assert!(!sheet.body.contains("\"one\"") && !sheet.body.contains("\"right\"") && !sheet.body.contains("\"why\":"), "{}", sheet.body);
    assert_eq!(sheet.json()["starters"][0]["needs"], json!(["words.json"]));
    // A ticket that a student made up and wrote to the own topic is none.
    let forged = TopicName::new(&format!("ws.{}.tickets", pupil.id));
    let ticket = json!({ "nonce": "mine", "student": pupil.id, "challenge": "c01" }).to_string();
    let record = NewRecord { key: None, value: Some(Bytes::from(ticket)), timestamp: clock::now(), headers: Vec::new() };
    class.cluster.append(&forged, PartitionId(0), vec![record]).await.unwrap();
    let verdict = class.post(&pupil, "/api/check/c01", json!({ "receipt": { "ticket": "mine", "records": [] } })).await.json();
    assert!(text(&verdict, "message").contains("nobody has been issued"), "{verdict}");
    let note = json!({ "stuck": true, "note": "🦦".repeat(5_000) });
    assert_eq!(class.post(&pupil, "/api/stuck/c01", note).await.status, 200);
    let waiting = class.course.class();
    assert_eq!(waiting.stuck[0].note.chars().count(), 500);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_cut_and_one_that_never_ends_is_refused() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let (topic, nonce) = (text(&ticket, "results").to_owned(), text(&ticket, "nonce").to_owned());
    let some: Vec<Value> = (0..10_000).map(|n| json!({ "n": n })).collect();
    for _ in 0..6 {
        class.produce(&topic, Some(&nonce), &some);
    }
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["evidence"].to_string().contains("more than 50000 records"), "{verdict}");
    let large: Vec<Value> = (0..10).map(|_| json!({ "x": "y".repeat(90_000) })).collect();
    for _ in 0..160 {
        class.produce(&topic, Some(&nonce), &large);
    }
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["status"] == "error" && text(&verdict, "message").contains("too much"), "{verdict}");
    // Headers are read too.
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let padded = format!("{}{}", text(&ticket, "nonce"), " ".repeat(90_000));
    for _ in 0..160 {
        class.produce(&topic, Some(&padded), &vec![json!({}); 10]);
    }
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["status"] == "error" && text(&verdict, "message").contains("too much"), "{verdict}");
}

#[tokio::test]
async fn forty_students_who_check_at_once_leave_the_network_thread_free() {
    let class = Arc::new(taught().await);
    let mut pupils = Vec::new();
    for _ in 0..40 {
        let pupil = class.pupil().await;
        let ticket = class.ticket(&pupil, "c02").await;
        pupils.push((pupil, ticket));
    }
    // Theirs are of one moment, so that what one awaits does not make the next one's rate.
    for (n, (_, ticket)) in pupils.iter().enumerate() {
        class.go_on(ticket).await;
        let answer = class.totals(ticket, n % 2 == 0).await;
        class.produce(text(ticket, "results"), Some(text(ticket, "nonce")), &answer);
    }
    let began = Instant::now();
    let checks: Vec<_> = pupils
        .into_iter()
        .map(|(pupil, _)| {
            let class = Arc::clone(&class);
            tokio::spawn(async move { class.check(&pupil, "c02").await })
        })
        .collect();
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    while !checks.iter().all(|check| check.is_finished()) {
        let asks = Instant::now();
        assert_eq!(class.ask("GET", "/healthz", None, &Value::Null).await.status, 200);
        slowest = slowest.max(asks.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    let mut outcomes = BTreeMap::new();
    let mut waited = Vec::new();
    for check in checks {
        let verdict = check.await.unwrap();
        waited.push(verdict["took_ms"].as_u64().unwrap());
        *outcomes.entry(text(&verdict, "status").to_owned()).or_insert(0) += 1;
    }
    waited.sort_unstable();
    println!("from the question to the verdict, in ms: {waited:?}");
    println!("40 checks at once: {took:?}; {asked} other requests meanwhile, the slowest {slowest:?}");
    assert_eq!(outcomes, BTreeMap::from([("partial".to_owned(), 20), ("pass".to_owned(), 20)]));
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
