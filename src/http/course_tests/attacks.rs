//! What somebody tries who would rather not solve it, and what happens to somebody who is unlucky.

use super::*;
use crate::workshop::course::Ask;

#[tokio::test]
async fn a_few_compressed_bytes_are_read_a_record_at_a_time() {
    let class = class().await;
    let topic = TopicName::new("squeezed");
    class.cluster.ensure_topic(&topic, 1, &[]).await.unwrap();
    let partition = class.broker.catalog.get("squeezed").unwrap().partition(PartitionId(0)).unwrap();
    let zeros = vec![b'0'; 3 << 20];
    let record = || crate::model::NewRecord { timestamp: clock::now(), key: None, value: Some(&zeros), headers: &[] };
    for _ in 0..20 {
        let mut builder = BatchBuilder::new(Codec::Zstd);
        (0..2).for_each(|_| builder.append(record()));
        partition.append(&builder.build().unwrap().to_bytes(), 9, clock::now()).unwrap();
    }
    // All of it is less than what is asked for, until it is decompressed.
    let mut at = Offset(0);
    while at < Offset(40) {
        let some = class.cluster.read(&topic, PartitionId(0), at, 1 << 20).await.unwrap();
        assert_eq!(some.iter().map(|record| record.offset).collect::<Vec<_>>(), [at]);
        at = at.plus(1);
    }
    assert!(class.cluster.read(&topic, PartitionId(0), at, 1 << 20).await.unwrap().is_empty());
    let all = class.cluster.read(&topic, PartitionId(0), Offset(3), 1 << 30).await.unwrap();
    assert_eq!((all.len(), all.iter().map(crate::cluster::StoredRecord::size).sum::<usize>()), (37, 37 * zeros.len()));
}

#[tokio::test]
async fn checks_while_a_script_still_writes_are_one_attempt() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let (topic, nonce) = (text(&ticket, "results"), text(&ticket, "nonce"));
    let wrong = class.totals(&ticket, false).await;
    for value in &wrong {
        class.produce(topic, Some(nonce), std::slice::from_ref(value));
        let verdict = class.check(&pupil, "c02").await;
        assert_eq!((&verdict["status"] == "pass", &verdict["attempt"]), (false, &json!(1)), "{verdict}");
        assert!(verdict["checks"].as_array().unwrap().iter().all(|check| check["expected"].is_null()), "{verdict}");
    }
    class.produce(topic, Some(nonce), &class.totals(&ticket, true).await);
    let verdict = class.check(&pupil, "c02").await;
    assert_eq!((&verdict["status"], &verdict["attempt"]), (&json!("pass"), &json!(2)), "{verdict}");
}

#[tokio::test]
async fn values_that_were_told_are_no_answer_to_the_ticket_that_they_are_of() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let (topic, nonce) = (text(&ticket, "results"), text(&ticket, "nonce"));
    let mut told = Vec::new();
    for n in 0..3 {
        class.produce(topic, Some(nonce), &[json!({ "final": true, "count": n, "revenue": n })]);
        told.push(class.check(&pupil, "c02").await["checks"][0]["expected"].is_string());
    }
    assert_eq!(told, [false, false, true]);
    class.produce(topic, Some(nonce), &class.totals(&ticket, true).await);
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["status"] == "error" && text(&verdict, "message").contains("been told"), "{verdict}");
    assert!(text(&verdict, "fix").contains("new ticket"));
    assert_eq!(class.get(&pupil, "/api/progress").await.json()["points"], 0);
    // The same code with another ticket.
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    class.produce(topic, Some(text(&ticket, "nonce")), &class.totals(&ticket, true).await);
    assert_eq!(class.check(&pupil, "c02").await["status"], "pass");
}

#[tokio::test]
async fn a_ticket_of_no_records_cannot_be_answered() {
    let class = class().await;
    class.cluster.ensure_topic(&STREAM.into(), 1, &[]).await.unwrap();
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.produce(text(&ticket, "results"), Some(text(&ticket, "nonce")), &[json!({ "final": true, "count": 0, "revenue": 0 })]);
    let verdict = class.check(&pupil, "c02").await;
    assert!(verdict["status"] == "error" && text(&verdict, "message").contains("no records"), "{verdict}");
}

#[tokio::test]
async fn an_answer_is_looked_for_beside_the_network_thread() {
    let class = Arc::new(taught().await);
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let value = "y".repeat(90_000);
    for _ in 0..60 {
        class.produce(text(&ticket, "results"), None, &vec![json!(value); 10]);
    }
    let student = class.course.student(&pupil.id).unwrap();
    let course = Arc::clone(&class.course);
    let began = std::time::Instant::now();
    let checking = tokio::spawn(async move { course.check(&student, "c02", Ask::default()).await.unwrap() });
    let (mut longest, mut last) = (Duration::ZERO, std::time::Instant::now());
    while !checking.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        longest = longest.max(last.elapsed());
        last = std::time::Instant::now();
    }
    let took = began.elapsed();
    assert!(checking.await.unwrap().message.contains("600 records"));
    assert!(longest < took / 2 || took < Duration::from_millis(100), "the network waited for {longest:?} of {took:?}");
}

#[tokio::test]
async fn what_a_broker_has_forgotten_is_not_held_against_anybody() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c01").await;
    let records: Vec<Value> = (0..5).map(|n| json!([0, n, format!("0-{n}")])).collect();
    let receipt = json!({ "ticket": ticket["nonce"], "records": records });
    assert_eq!(class.post(&pupil, "/api/check/c01", json!({ "receipt": receipt })).await.json()["status"], "partial");
    class.ahead_ms.store(5_000, Ordering::Relaxed);
    let restarted = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    let verdict = restarted.check(&class.course.student(&pupil.id).unwrap(), "c01", Ask::default()).await.unwrap();
    assert_eq!(verdict.status, crate::workshop::verdict::Status::Pass, "{verdict:?}");
    assert!(verdict.evidence.iter().any(|told| told.contains("started again")), "{verdict:?}");
}

#[tokio::test]
async fn a_check_that_is_at_work_keeps_nothing_of_somebody_who_is_taken_out() {
    let class = taught().await;
    let instructor = class.instructor().await;
    for _ in 0..4 {
        let pupil = class.pupil().await;
        let ticket = class.ticket(&pupil, "c02").await;
        class.go_on(&ticket).await;
        class.produce(text(&ticket, "results"), Some(text(&ticket, "nonce")), &class.totals(&ticket, false).await);
        let student = class.course.student(&pupil.id).unwrap();
        let checking = class.course.check(&student, "c02", Ask::default());
        let path = format!("/api/students/{}", pupil.id);
        let removing = class.ask("DELETE", &path, Some(&instructor), &Value::Null);
        let (_, removed) = tokio::join!(checking, removing);
        assert_eq!(removed.status, 200, "{}", removed.body);
        assert_eq!(class.course.export().students, Default::default());
    }
}

#[tokio::test]
async fn the_same_answer_is_not_judged_again_and_again_for_those_who_watch() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    class.produce(text(&ticket, "results"), Some(text(&ticket, "nonce")), &class.totals(&ticket, false).await);
    let first = class.check(&pupil, "c02").await;
    class.ahead_ms.store(60_000, Ordering::Relaxed);
    let again = class.check(&pupil, "c02").await;
    assert_eq!((&again["at_ms"], &again["status"]), (&first["at_ms"], &json!("partial")), "{again}");
}

#[tokio::test]
async fn claims_that_lie_apart_do_not_cost_what_lies_between_them() {
    let class = taught().await;
    let pupil = class.pupil().await;
    for _ in 0..40 {
        let record = |n| NewRecord { value: Some(Bytes::from(vec![b'x'; 300])), ..purchase(0, n, clock::now()) };
        class.cluster.append(&STREAM.into(), PartitionId(0), (0..500).map(record).collect()).await.unwrap();
    }
    let ticket = class.ticket(&pupil, "c01").await;
    let began = std::time::Instant::now();
    assert!(class.cluster.read(&STREAM.into(), PartitionId(0), Offset(0), 64 << 20).await.unwrap().len() > 20_000);
    let all = began.elapsed();
    let records: Vec<Value> = (0..100).map(|n| json!([0, n * 201, "none"])).collect();
    let receipt = json!({ "ticket": ticket["nonce"], "records": records });
    let began = std::time::Instant::now();
    assert_eq!(class.post(&pupil, "/api/check/c01", json!({ "receipt": receipt })).await.json()["status"], "fail");
    let took = began.elapsed();
    assert!(took < 12 * all, "a hundred records took {took:?}, all of them together {all:?}");
}

#[tokio::test]
async fn a_team_s_second_laptop_does_not_take_the_first_one_s_answer_away() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let (first, second) = (class.ticket(&pupil, "c02").await, class.ticket(&pupil, "c02").await);
    class.go_on(&second).await;
    class.go_on(&first).await;
    let topic = text(&first, "results");
    class.produce(topic, Some(text(&first, "nonce")), &class.totals(&first, true).await);
    // The other one is still at work, and left the header out once.
    class.produce(topic, Some(text(&second, "nonce")), &[json!({ "n": 1, "count": 10, "revenue": 1.0 })]);
    class.produce(topic, None, &[json!({ "n": 2, "count": 20, "revenue": 2.0 })]);
    assert_eq!(class.check(&pupil, "c02").await["status"], "error");
    let of = async |ticket: &Value| {
        let asked = json!({ "ticket": text(ticket, "nonce") });
        class.post(&pupil, "/api/check/c02", asked).await.json()
    };
    let verdict = of(&first).await;
    assert_eq!((&verdict["status"], &verdict["ticket"]), (&json!("pass"), &first["nonce"]), "{verdict}");
    assert_eq!(of(&second).await["status"], "fail");
    // What came instead is told.
    let third = class.ticket(&pupil, "c02").await;
    assert!(text(&of(&third).await, "message").contains("nothing has arrived"));
    class.produce(topic, Some("nobody's"), &[json!({ "n": 1 })]);
    let verdict = of(&third).await;
    assert!(text(&verdict, "message").contains("nobody has been issued"), "{verdict}");
    let unknown = class.post(&pupil, "/api/check/c02", json!({ "ticket": "nobody's" })).await.json();
    assert!(text(&unknown, "message").contains("nobody has been issued"), "{unknown}");
}
