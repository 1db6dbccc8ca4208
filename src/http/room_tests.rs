//! The room, reports, the doctor and the console over HTTP, for everybody who may ask and for those who try what they may not.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::class_fixture::{Answer, Class, class, open_course};
use super::course_tests::{Pupil, STREAM, taught, text};
use super::*;
use crate::broker::Endpoint;
use crate::config::Protocol;
use crate::model::{PartitionId, TopicName};
use crate::workshop::{Challenges, CourseOptions, Random, Role};

mod console;
mod reports;

impl Class {
    pub(super) async fn teacher(&self) -> Pupil {
        Pupil { id: "instructor".to_owned(), token: self.instructor().await }
    }

    pub(super) async fn put(&self, who: &Pupil, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, Some(&who.token), &body).await
    }

    /// Points on the leaderboard, by student.
    async fn points(&self, who: &Pupil) -> std::collections::BTreeMap<String, i64> {
        let board = self.get(who, "/api/leaderboard").await.json();
        let rows = board["rows"].as_array().unwrap_or_else(|| panic!("{board}"));
        rows.iter().map(|row| (text(row, "student").to_owned(), row["points"].as_i64().unwrap())).collect()
    }
}

#[tokio::test]
async fn the_room_is_the_instructors_to_change_everybodys_to_read_and_kept() {
    let class = class().await;
    let (teacher, pupil) = (class.teacher().await, class.pupil().await);
    let empty = json!({ "announcement": null, "frozen": false, "timer": null, "leaderboard": false });
    assert_eq!(class.get(&pupil, "/api/room").await.json(), empty);
    assert_eq!(class.ask("GET", "/api/room", None, &Value::Null).await.status, 401);
    assert_eq!(class.put(&pupil, "/api/room", json!({ "frozen": true })).await.status, 403);
    let mut heard = class.course.room_channel().subscribe();
    let told =
        class.put(&teacher, "/api/room", json!({ "announcement": " Coffee at <b>11</b> ", "timer": { "minutes": 20, "label": "C2" } }));
    let told = told.await.json();
    assert_eq!((text(&told["announcement"], "text"), text(&told["timer"], "label")), ("Coffee at <b>11</b>", "C2"));
    let left = told["timer"]["ends_ms"].as_i64().unwrap() - crate::broker::clock::now().0;
    assert!((1_190_000..=1_200_000).contains(&left), "{left}");
    assert!(heard.has_changed().unwrap() && heard.borrow_and_update().timer.is_some());
    // What is left out stays, and the same again is no news.
    class.put(&teacher, "/api/room", json!({ "announcement": "Coffee at <b>11</b>" })).await;
    assert!(!heard.has_changed().unwrap());
    class.put(&teacher, "/api/leaderboard", json!({ "on": true })).await;
    assert!(heard.has_changed().unwrap() && heard.borrow_and_update().leaderboard);
    assert_eq!(class.get(&pupil, "/api/room").await.json()["announcement"], told["announcement"]);
    // Longer, by this clock alone.
    let ends = |room: &Value| room["timer"]["ends_ms"].as_i64().unwrap();
    let longer = class.put(&teacher, "/api/room", json!({ "longer": 5 })).await.json();
    assert_eq!((ends(&longer) - ends(&told), text(&longer["timer"], "label")), (300_000, "C2"));
    class.ahead_ms.fetch_add(60 * 60_000, Ordering::Relaxed);
    let again = class.put(&teacher, "/api/room", json!({ "longer": 5 })).await.json();
    let left = ends(&again) - crate::broker::clock::now().0 - 60 * 60_000;
    assert!((290_000..=300_000).contains(&left), "its time was up: {left}");
    let most = class.put(&teacher, "/api/room", json!({ "longer": 600 })).await.json();
    assert!(ends(&most) - crate::broker::clock::now().0 <= 660 * 60_000, "{most}");
    class.ahead_ms.fetch_sub(60 * 60_000, Ordering::Relaxed);
    // Wrong.
    for wrong in [
        json!({ "longer": 0 }),
        json!({ "longer": 1e300 }),
        json!({ "longer": 5, "timer": { "minutes": 5 } }),
        json!({ "announcement": "x".repeat(501) }),
        json!({ "announcement": 5 }),
        json!({ "timer": { "minutes": 0 } }),
        json!({ "timer": { "minutes": 1e300, "label": "" } }),
        json!({ "timer": { "minutes": -5, "label": "" } }),
        json!({ "timer": { "minutes": 5, "label": "y".repeat(61) } }),
        json!({ "timer": { "label": "x" } }),
        json!({ "frozen": "yes" }),
        json!({ "freeze": true }),
    ] {
        let answer = class.put(&teacher, "/api/room", wrong.clone()).await;
        assert!(answer.status == 400 && answer.json()["fix"].is_string(), "{wrong}: {}", answer.body);
    }
    let control = class.put(&teacher, "/api/room", json!({ "announcement": "a\u{0}\u{1b}b\nc" })).await.json();
    assert_eq!(text(&control["announcement"], "text"), "ab\nc");
    class.put(&teacher, "/api/room", json!({ "frozen": true })).await;
    // A start later.
    let again = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    let (room, now) = (serde_json::to_value(again.room()).unwrap(), class.get(&pupil, "/api/room").await.json());
    assert_eq!(room, now);
    assert_eq!((&room["frozen"], &room["leaderboard"], &room["timer"]), (&json!(true), &json!(true), &most["timer"]));
    // Who takes part is still known beside it.
    let roster = crate::workshop::Workshop::open(
        Arc::clone(&class.cluster),
        crate::workshop::WorkshopOptions {
            code: None,
            streams: vec![STREAM.to_owned()],
            random: Random::new(|| [7; 32]),
            now: Arc::new(crate::broker::clock::now),
        },
    );
    assert!(roster.await.unwrap().roster().get(&pupil.id).is_some());
    let gone = class.put(&teacher, "/api/room", json!({ "announcement": null, "timer": null, "frozen": false })).await.json();
    assert_eq!((&gone["announcement"], &gone["timer"], &gone["frozen"]), (&Value::Null, &Value::Null, &json!(false)));
    assert_eq!(class.put(&teacher, "/api/room", json!({ "announcement": " \n " })).await.json()["announcement"], Value::Null);
}

#[tokio::test]
async fn in_a_frozen_room_no_check_counts_and_the_leaderboard_stays() {
    let class = taught().await;
    let (teacher, pupil, other) = (class.teacher().await, class.pupil().await, class.pupil().await);
    class.put(&teacher, "/api/leaderboard", json!({ "on": true })).await;
    let ticket = class.ticket(&pupil, "c02").await;
    class.go_on(&ticket).await;
    let (topic, nonce) = (text(&ticket, "results").to_owned(), text(&ticket, "nonce").to_owned());
    class.produce(&topic, Some(&nonce), &class.totals(&ticket, false).await);
    assert_eq!(class.check(&pupil, "c02").await["status"], "partial");
    let before = class.points(&pupil).await;
    assert!(before[&pupil.id] > 0 && before[&other.id] == 0, "{before:?}");
    class.put(&teacher, "/api/room", json!({ "frozen": true })).await;
    class.produce(&topic, Some(&nonce), &class.totals(&ticket, true).await);
    let refused = class.post(&pupil, "/api/check/c02", json!({})).await;
    assert_eq!((refused.status, text(&refused.json(), "error")), (409, "the instructor has frozen the room"));
    assert_eq!(class.get(&pupil, "/api/verdict/c02").await.json()["status"], "partial");
    // Working goes on: tickets, hints, calls for help.
    assert_eq!(class.post(&pupil, "/api/ticket/c01", json!({})).await.status, 200);
    assert_eq!(class.post(&pupil, "/api/hint/c01", json!({})).await.status, 200);
    // What the instructor shows does not count anyway; what they grant is seen later.
    assert_eq!(class.post(&teacher, "/api/check/c01", json!({})).await.status, 200);
    assert_eq!(class.put(&teacher, &format!("/api/class/{}/c01", other.id), json!({ "status": "granted" })).await.status, 200);
    assert_eq!(class.points(&pupil).await, before);
    class.put(&teacher, "/api/leaderboard", json!({ "frozen": false })).await;
    assert_eq!(class.points(&pupil).await, before, "a frozen room holds the board");
    // A start later it is all the same.
    let again = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    let student = crate::workshop::Student::of(class.workshop.roster().get(&pupil.id).unwrap());
    assert!(again.check(&student, "c02", crate::workshop::course::Ask::default()).await.is_err());
    assert!(again.leaderboard().iter().all(|row| before[&row.student] == i64::from(row.points)));
    class.put(&teacher, "/api/room", json!({ "frozen": false })).await;
    assert_eq!(class.check(&pupil, "c02").await["status"], "pass");
    let after = class.points(&pupil).await;
    assert!(after[&pupil.id] >= 100 && after[&other.id] == 100, "{after:?}");
    // A board that was frozen by itself stays so when the room goes on.
    class.put(&teacher, "/api/leaderboard", json!({ "frozen": true })).await;
    for frozen in [true, false] {
        class.put(&teacher, "/api/room", json!({ "frozen": frozen })).await;
    }
    assert!(class.get(&pupil, "/api/leaderboard").await.json()["frozen"].is_i64());
    // Erasing all progress takes the board with it, and every page hears of that.
    class.ask("DELETE", "/api/progress", Some(&teacher.token), &json!({})).await;
    assert_eq!(class.get(&pupil, "/api/room").await.json()["leaderboard"], json!(false));
}

#[tokio::test]
async fn a_check_that_is_at_work_when_the_room_is_frozen_does_not_count() {
    let class = Arc::new(taught().await);
    let teacher = class.teacher().await;
    let mut pupils = Vec::new();
    for _ in 0..12 {
        let pupil = class.pupil().await;
        let ticket = class.ticket(&pupil, "c02").await;
        pupils.push((pupil, ticket));
    }
    for (_, ticket) in &pupils {
        class.go_on(ticket).await;
        let answer = class.totals(ticket, true).await;
        class.produce(text(ticket, "results"), Some(text(ticket, "nonce")), &answer);
    }
    let checks: Vec<_> = pupils
        .into_iter()
        .map(|(pupil, _)| {
            let class = Arc::clone(&class);
            tokio::spawn(async move { class.post(&pupil, "/api/check/c02", json!({})).await.status })
        })
        .collect();
    // Some are at work by now, the others wait for their turn.
    while !checks.iter().any(|check| check.is_finished()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(class.put(&teacher, "/api/room", json!({ "frozen": true })).await.status, 200);
    let passes = || {
        let board = serde_json::to_value(class.course.class()).unwrap();
        let students = board["students"].as_array().unwrap().clone();
        students.iter().filter(|student| student["challenges"]["c02"]["status"] == "pass").count()
    };
    let then = passes();
    let (mut counted, mut refused) = (0, 0);
    for check in checks {
        match check.await.unwrap() {
            200 => counted += 1,
            409 => refused += 1,
            other => panic!("{other}"),
        }
    }
    println!("{counted} counted, {refused} were stopped");
    assert_eq!((passes(), counted), (then, then));
    assert!(counted >= 1 && refused >= 1, "{counted} {refused}");
}

#[tokio::test]
async fn the_join_code_is_an_address_and_a_picture_for_the_instructor() {
    let class = class().await;
    let (teacher, pupil) = (class.teacher().await, class.pupil().await);
    let told = class.get(&teacher, "/api/join-code").await.json();
    assert_eq!(text(&told, "url"), format!("http://{}/#code=otter-4821", class.address));
    assert_eq!((text(&told, "code"), text(&told, "address")), ("otter-4821", format!("http://{}/", class.address).as_str()));
    let picture = class.get(&teacher, "/api/join-code?format=svg").await;
    assert!(picture.head.contains("image/svg+xml") && picture.body.starts_with("<svg") && !picture.body.contains("otter"));
    assert_eq!(class.get(&pupil, "/api/join-code").await.status, 403);
    assert_eq!(class.get(&teacher, "/api/join-code?format=png").await.status, 404);
    assert_eq!(class.get(&teacher, "/api/join-code?size=5").await.status, 400);
}

#[tokio::test]
async fn the_instructor_resets_one_student_in_two_steps() {
    let class = class().await;
    let (teacher, pupil, other) = (class.teacher().await, class.pupil().await, class.pupil().await);
    for id in [&pupil.id, &other.id] {
        class.cluster.ensure_topic(&TopicName::new(&format!("ws.{id}.c02")), 1, &[]).await.unwrap();
    }
    let path = format!("/api/students/{}/reset", pupil.id);
    assert_eq!(class.post(&pupil, &path, json!({})).await.status, 403);
    assert_eq!(class.post(&teacher, "/api/students/nobody-here/reset", json!({})).await.status, 404);
    assert_eq!(class.post(&teacher, &path, json!({ "confirm": "guess" })).await.status, 409);
    let told = class.post(&teacher, &path, json!({})).await.json();
    assert_eq!(told["topics"][0]["name"], json!(format!("ws.{}.c02", pupil.id)));
    // The word is for this student alone, and not the student's own.
    let confirm = json!({ "confirm": told["confirm"] });
    assert_eq!(class.post(&teacher, &format!("/api/students/{}/reset", other.id), confirm.clone()).await.status, 409);
    assert_eq!(class.post(&pupil, "/api/me/reset", confirm.clone()).await.status, 409);
    let done = class.post(&teacher, &path, confirm.clone()).await.json();
    assert_eq!(done["topics"], json!([format!("ws.{}.c02", pupil.id)]));
    assert_eq!(class.post(&teacher, &path, confirm).await.status, 409);
    let left: Vec<String> = class.cluster.topics().iter().filter(|t| !t.internal).map(|t| t.name.to_string()).collect();
    assert_eq!(left, [format!("ws.{}.c02", other.id)]);
    assert_eq!(class.get(&pupil, "/api/me").await.json()["id"], json!(pupil.id));
}

fn finding<'a>(told: &'a Value, name: &str) -> &'a Value {
    let all = told["checks"].as_array().unwrap();
    all.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {told}"))
}

#[tokio::test]
async fn the_doctor_compares_the_pages_address_with_the_advertised_one() {
    let class = class().await;
    let (teacher, pupil) = (class.teacher().await, class.pupil().await);
    let everywhere = "0.0.0.0:9095".parse().unwrap();
    let local = Advertise::As { host: "localhost".to_owned(), port: None };
    class.broker.node.add_endpoint(Arc::new(Endpoint::new("LAN", Protocol::SaslPlaintext, everywhere, local)));
    let ask = async |who: &Pupil, host: &str, query: &str| {
        let bearer = format!("Bearer {}", who.token);
        let headers = [("host", host), ("authorization", bearer.as_str())];
        let answer = class.raw("GET", &format!("/api/doctor{query}"), &headers, "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let near = ask(&pupil, "localhost:8080", "").await;
    assert_eq!((&finding(&near, "address LAN")["status"], &finding(&near, "broker")["status"]), (&json!("ok"), &json!("ok")));
    let far = ask(&pupil, "192.0.2.7:8080", "").await;
    let lan = finding(&far, "address LAN");
    assert!(lan["status"] == "bad" && text(lan, "words").contains("their own machine"), "{lan}");
    assert!(text(lan, "fix").starts_with("The instructor can set it with one click, to 192.0.2.7"), "{lan}");
    let own = ask(&teacher, "192.0.2.7:8080", "").await;
    assert!(text(finding(&own, "address LAN"), "fix").contains("/api/listeners/LAN"), "{own}");
    // One that nobody else reaches anyway.
    assert!(text(finding(&far, "address CLASS"), "words").contains("own machine only"));
    class.put(&teacher, "/api/listeners/LAN", json!({ "advertise": "192.0.2.7" })).await;
    assert_eq!(finding(&ask(&pupil, "192.0.2.7:8080", "").await, "address LAN")["status"], "ok");
    assert_eq!(finding(&ask(&pupil, "192.0.2.8:8080", "").await, "address LAN")["status"], "warn");
    // Clocks.
    let now = crate::broker::clock::now().0;
    let late = ask(&pupil, "localhost", &format!("?clock_ms={}", now - 3_600_000)).await;
    let clock = finding(&late, "clock");
    assert!(clock["status"] == "warn" && text(clock, "words").contains("behind"), "{clock}");
    assert_eq!(finding(&ask(&pupil, "localhost", &format!("?clock_ms={now}")).await, "clock")["status"], "ok");
    for odd in [i64::MIN, i64::MAX] {
        ask(&pupil, "localhost", &format!("?clock_ms={odd}")).await;
    }
    // What went wrong before a login came from this address; a wrong password is one's own.
    let place = || crate::broker::sightings::Place { from: "127.0.0.1".parse().unwrap(), listener: "LAN" };
    let mishap = |what: &str| crate::broker::sightings::Mishap::new(what, "do this");
    let sightings = &class.broker.sightings;
    sightings.trouble(None, mishap("PLAINTEXT on a SASL port"), place(), crate::broker::clock::now());
    sightings.trouble(Some(&pupil.id), mishap("wrong password"), place(), crate::broker::clock::now());
    let told = ask(&pupil, "localhost", "").await;
    assert!(text(finding(&told, "strangers"), "words").contains("PLAINTEXT on a SASL port"), "{told}");
    let troubled = told["checks"].as_array().unwrap().iter().any(|check| check["name"] == "clients" && check["status"] == "bad");
    assert!(troubled && told.to_string().contains("wrong password"), "{told}");
    let others = ask(&class.pupil().await, "localhost", "").await;
    assert!(!others.to_string().contains("wrong password"), "it is somebody else's");
    class.put(&teacher, "/api/room", json!({ "frozen": true })).await;
    assert_eq!(finding(&ask(&pupil, "localhost", "").await, "room")["status"], "warn");
    assert_eq!(class.ask("GET", "/api/doctor", None, &Value::Null).await.status, 401);
}

/// The broker's own challenges, for a class that is there already.
async fn with_own_challenges(class: Class) -> Class {
    let options = CourseOptions {
        challenges: Challenges::own().unwrap(),
        random: Random::new(|| uuid::Uuid::new_v4().into_bytes().repeat(2).try_into().unwrap()),
        now: Arc::new(crate::broker::clock::now),
    };
    let course = Arc::new(Course::open(Arc::clone(&class.cluster), Some(Arc::clone(&class.workshop)), options).await.unwrap());
    let state =
        HttpState::new(Arc::clone(&class.cluster)).with_workshop(Some(Arc::clone(&class.workshop))).with_course(Some(Arc::clone(&course)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, state, std::future::pending()));
    Class { address, course, ..class }
}

#[tokio::test]
async fn layers_have_the_rows_that_the_last_receipt_named() {
    let class = with_own_challenges(taught().await).await;
    let (teacher, pupil) = (class.teacher().await, class.pupil().await);
    let layers = class.get(&pupil, "/api/medallion").await.json()["layers"].clone();
    let names: Vec<(&str, &str)> = layers.as_array().unwrap().iter().map(|layer| (text(layer, "layer"), text(layer, "from"))).collect();
    assert_eq!(names, [("bronze", "c05"), ("silver", "c06"), ("gold", "c07"), ("gold", "c08")]);
    assert!(layers.as_array().unwrap().iter().all(|layer| layer["rows"].is_null() && layer["at_ms"].is_null()), "{layers}");
    let ticket = class.ticket(&pupil, "c05").await;
    class.go_on(&ticket).await;
    let part = json!({ "rows": 1_000, "offsets": 1_000, "min": 0, "max": 999, "sum": 1, "xor": 1 });
    let receipt =
        json!({ "ticket": ticket["nonce"], "table": "bronze", "schema": [], "versions": [], "partitions": { "0": part, "1": part } });
    let verdict = class.post(&pupil, "/api/check/c05", json!({ "receipt": receipt })).await.json();
    assert!(verdict["checks"].as_array().is_some_and(|checks| !checks.is_empty()), "{verdict}");
    let of = async |who: &Pupil, query: &str| class.get(who, &format!("/api/medallion{query}")).await;
    let bronze = of(&pupil, "").await.json()["layers"][0].clone();
    assert_eq!((&bronze["rows"], &bronze["rejected"]), (&json!(2_000), &Value::Null), "{bronze}");
    assert!(bronze["at_ms"].is_i64() && text(&bronze, "note").contains("partly right"), "{bronze}");
    // Of somebody else's only the instructor asks.
    assert_eq!(of(&teacher, &format!("?student={}", pupil.id)).await.json()["layers"][0]["rows"], 2_000);
    assert_eq!(of(&class.pupil().await, &format!("?student={}", pupil.id)).await.status, 403);
}

#[tokio::test]
async fn the_board_of_three_hundred_is_told_at_once() {
    let class = class().await;
    let teacher = class.teacher().await;
    let joining: Vec<_> = (0..300)
        .map(|_| {
            let workshop = Arc::clone(&class.workshop);
            tokio::spawn(async move { workshop.join(super::class_fixture::CODE, None).await.unwrap() })
        })
        .collect();
    for joined in joining {
        let student = crate::workshop::Student::of(&joined.await.unwrap().identity);
        for id in ["c01", "c02"] {
            class.course.set_stuck(&student, id, true, Some(&"x".repeat(400))).await.unwrap();
            class.course.check(&student, id, crate::workshop::course::Ask::default()).await.unwrap();
        }
        class.course.save_answers(&student, [("built".to_owned(), "words ".repeat(3_000))].into()).await.unwrap();
        class.course.submit_report(&student).await.unwrap();
    }
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(class.course.class().students.len(), 300);
    }
    let board = began.elapsed() / 10;
    let began = Instant::now();
    let answer = class.get(&teacher, "/api/class").await;
    println!("the board of 300: made in {board:?}, told in {:?}, {} bytes", began.elapsed(), answer.body.len());
    let told = answer.json();
    assert_eq!((told["students"].as_array().unwrap().len(), told["stuck"].as_array().unwrap().len()), (300, 600));
    assert!(told["students"].as_array().unwrap().iter().all(|row| row["report_ms"].is_i64()));
    assert!(board < Duration::from_millis(500), "{board:?}");
    let reports = class.get(&teacher, "/api/reports").await.json();
    assert!(reports["reports"].as_array().unwrap().iter().all(|report| report["words"] == 3_000));
}

#[tokio::test]
async fn one_person_alone_has_a_room_a_report_and_a_console_too() {
    let class = taught().await;
    let course = CourseOptions {
        challenges: super::class_fixture::challenges(),
        random: Random::new(|| [5; 32]),
        now: Arc::new(crate::broker::clock::now),
    };
    let course = Arc::new(Course::open(Arc::clone(&class.cluster), None, course).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let topics = Arc::clone(&class.cluster) as Arc<dyn crate::cluster::Topics>;
    let town = Arc::new(Runner::new(topics, Arc::new(crate::broker::clock::now), 7, crate::generators::DirtLevel::default()));
    let state = HttpState::new(Arc::clone(&class.cluster)).with_course(Some(course)).with_generators(Some(town));
    tokio::spawn(serve(listener, state, std::future::pending()));
    let single = Class { address, ..class };
    let ask = async |method: &str, path: &str, body: Value| single.ask(method, path, None, &body).await;
    assert_eq!(ask("PUT", "/api/room", json!({ "frozen": true, "announcement": "hello" })).await.json()["frozen"], json!(true));
    assert_eq!(ask("POST", "/api/check/c01", json!({})).await.status, 409);
    assert_eq!(ask("PUT", "/api/report", json!({ "answers": { "built": "a board" } })).await.status, 200);
    assert_eq!(ask("POST", "/api/report", json!({})).await.status, 200);
    let reports = ask("GET", "/api/reports", Value::Null).await.json();
    assert_eq!((text(&reports["reports"][0], "student"), &reports["reports"][0]["words"]), ("me", &json!(2)));
    let doctor = ask("GET", "/api/doctor", Value::Null).await.json();
    let streams = finding(&doctor, "streams");
    assert!(streams["status"] == "warn" && text(streams, "words").contains("still being written"), "{doctor}");
    for (path, status) in [("/api/join-code", 409), ("/api/doctor", 200), ("/api/verbs", 200), ("/api/medallion", 200)] {
        assert_eq!(ask("GET", path, Value::Null).await.status, status, "{path}");
    }
    for line in ["whoami", "topics", "doctor", "consume ecommerce-events -n 2", "produce my-own k v", "groups", "hint c01"] {
        let told = ask("POST", "/api/console", json!({ "line": line })).await.json();
        assert!(told["ok"] == true && !told["lines"].as_array().unwrap().is_empty(), "{line}: {told}");
    }
    assert_eq!(Role::Instructor.name(), ask("GET", "/api/me", Value::Null).await.json()["role"]);
    assert_eq!(single.cluster.tail(&"my-own".into(), PartitionId(0), 9).await.map(|records| records.len()).unwrap_or(0), 1);
}
