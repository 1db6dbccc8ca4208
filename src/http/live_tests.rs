//! The live page, groups and the light over a real socket, on a broker that really keeps users.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::class_fixture::{Class, class};
use super::course_tests::{Pupil, STREAM, taught};
use crate::broker::clock;
use crate::broker::sightings::{Mishap, Place};
use crate::cluster::NewRecord;
use crate::model::{Offset, PartitionId, Timestamp, TopicName};
use crate::security::Principal;

const SOON: Duration = Duration::from_secs(20);

/// An open page.
struct Watching {
    socket: TcpStream,
    text: String,
    /// All that came.
    all: String,
}

impl Watching {
    /// The status too.
    async fn open(class: &Class, token: &str, query: &str) -> (u16, Watching) {
        let mut socket = TcpStream::connect(class.address).await.unwrap();
        // In this version the body has no pieces of its own.
        let request = format!("GET /api/live{query} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\r\n", class.address);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut watching = Watching { socket, text: String::new(), all: String::new() };
        while !watching.text.contains("\r\n\r\n") {
            assert!(watching.read().await, "{}", watching.text);
        }
        let (head, rest) = watching.text.split_once("\r\n\r\n").map(|(head, rest)| (head.to_owned(), rest.to_owned())).unwrap();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
        assert!(status != 200 || head.contains("content-type: text/event-stream"), "{head}");
        watching.text = rest;
        (status, watching)
    }

    async fn new(class: &Class, pupil: &Pupil) -> Watching {
        let (status, watching) = Watching::open(class, &pupil.token, "").await;
        assert_eq!(status, 200, "{}", watching.text);
        watching
    }

    /// False at the end.
    async fn read(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        let count = timeout(SOON, self.socket.read(&mut bytes)).await.expect("nothing comes").unwrap_or(0);
        let text = std::str::from_utf8(&bytes[..count]).unwrap();
        self.text.push_str(text);
        self.all.push_str(text);
        count > 0
    }

    /// The next event; nothing at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n").map(|(event, rest)| (event.to_owned(), rest.to_owned())) {
                self.text = rest;
                if let Some((name, data)) = event.strip_prefix("event: ").and_then(|event| event.split_once("\ndata: ")) {
                    return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
                }
                assert!(event.starts_with("retry: "), "{event}");
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next of this name for which this holds.
    async fn wait_for(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < SOON {
            let (kind, data) = self.next().await.expect("it ended");
            if kind == name && is_it(&data) {
                return data;
            }
        }
        panic!("no such {name}: {}", self.all)
    }

    /// All that comes within this time.
    async fn listen(&mut self, within: Duration) -> Vec<(String, Value)> {
        let (until, mut events) = (Instant::now() + within, Vec::new());
        while let Ok(Some(event)) = timeout(until.saturating_duration_since(Instant::now()), self.next()).await {
            events.push(event);
        }
        events
    }
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

async fn commit(class: &Class, group: &str, topic: &str, offset: i64) {
    class.cluster.commit_offsets(group, vec![(topic.into(), PartitionId(0), Offset(offset))]).await.unwrap();
}

/// As `commit`, and pages know of the group.
async fn new_group(class: &Class, group: &str, topic: &str, offset: i64) {
    commit(class, group, topic, offset).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn append(class: &Class, topic: &TopicName, count: usize, at: Timestamp) {
    let record = || NewRecord { key: None, value: Some(Bytes::from_static(b"{}")), timestamp: at, headers: Vec::new() };
    class.cluster.append(topic, PartitionId(0), (0..count).map(|_| record()).collect()).await.unwrap();
}

fn place() -> Place<'static> {
    Place { from: std::net::Ipv4Addr::LOCALHOST.into(), listener: "CLASS" }
}

#[tokio::test]
async fn a_student_gets_the_streams_and_what_is_theirs_and_nothing_of_another() {
    let class = class().await;
    let (ada, bob) = (class.pupil().await, class.pupil().await);
    let topic = |pupil: &Pupil| format!("ws.{}.c01", pupil.id);
    for name in [STREAM, "secret-plans", &topic(&ada), &topic(&bob)] {
        class.cluster.ensure_topic(&name.into(), 1, &[]).await.unwrap();
        append(&class, &name.into(), 10, clock::now()).await;
    }
    for pupil in [&ada, &bob] {
        new_group(&class, &format!("{}-group", pupil.id), STREAM, 4).await;
    }
    let instructor = class.instructor().await;
    let (_, mut all) = Watching::open(&class, &instructor, "").await;
    let mut own = Watching::new(&class, &ada).await;
    let mine = own.wait_for("mine", |_| true).await;
    assert_eq!((names(&mine["topics"], "name"), names(&mine["groups"], "id")), (vec![topic(&ada)], vec![format!("{}-group", ada.id)]));
    assert_eq!(
        (&mine["groups"][0]["lag"], &mine["topics"][0]["records"], &mine["light"]["colour"]),
        (&json!(6), &json!(10), &json!("grey"))
    );
    own.listen(Duration::from_millis(2_200)).await;
    for others in [bob.id.as_str(), "secret-plans"] {
        assert!(!own.all.contains(others), "{others} in {}", own.all);
    }
    let tick = all.wait_for("tick", |_| true).await;
    assert_eq!(names(&tick["topics"], "name").len(), 4, "{tick}");
    assert_eq!((tick["groups"].as_array().unwrap().len(), tick["connections"].as_u64()), (2, Some(0)));
    assert!(tick["memory_bytes"].as_u64().unwrap() > 1_000_000 && tick["pages"].as_u64().unwrap() >= 1, "{tick}");
    for path in ["/api/history", "/api/groups", "/api/requests", "/api/seen"] {
        let answer = class.get(&ada, path).await;
        assert!(answer.status == 200 && !answer.body.contains(&bob.id) && !answer.body.contains("secret-plans"), "{path}: {}", answer.body);
    }
    for (method, path, body) in
        [("GET", "", Value::Null), ("DELETE", "", Value::Null), ("POST", "/offsets", json!({ "to": "latest", "apply": true }))]
    {
        let path = format!("/api/groups/{}-group{path}", bob.id);
        assert_eq!(class.ask(method, &path, Some(&ada.token), &body).await.status, 403, "{method} {path}");
    }
    assert_eq!(class.get(&ada, &format!("/api/requests?user={}", bob.id)).await.status, 403);
    // Nor a topic of another by way of one's own group.
    let ask = json!({ "to": "latest", "topic": topic(&bob), "apply": true });
    assert_eq!(class.post(&ada, &format!("/api/groups/{}-group/offsets", ada.id), ask).await.status, 404);
}

#[tokio::test]
async fn ticks_come_once_a_second_or_as_often_as_was_asked() {
    let class = class().await;
    let pupil = class.pupil().await;
    let mut each = Watching::new(&class, &pupil).await;
    let (_, mut fifth) = Watching::open(&class, &pupil.token, "?every=5").await;
    let ticks = |events: Vec<(String, Value)>| -> Vec<i64> {
        events.iter().filter(|(name, _)| name == "tick").map(|(_, tick)| tick["at_ms"].as_i64().unwrap()).collect()
    };
    let (each, fifth) = tokio::join!(each.listen(Duration::from_millis(5_900)), fifth.listen(Duration::from_millis(5_900)));
    let (each, fifth) = (ticks(each), ticks(fifth));
    // Machines that do much else at the same time are late.
    assert!((4..=7).contains(&each.len()), "{each:?}");
    assert!(each.windows(2).skip(1).all(|two| two[1] - two[0] >= 700), "{each:?}");
    assert!((1..=2).contains(&fifth.len()) && fifth.windows(2).all(|two| two[1] - two[0] >= 4_400), "{fifth:?}");
    assert_eq!(Watching::open(&class, &pupil.token, "?every=2").await.0, 400);
}

#[tokio::test]
async fn a_page_ends_with_its_session_and_one_has_only_so_many() {
    let class = class().await;
    let (pupil, other) = (class.pupil().await, class.pupil().await);
    let mut watching = Watching::new(&class, &pupil).await;
    let mut others = Watching::new(&class, &other).await;
    assert_eq!(class.post(&pupil, "/api/logout", json!({ "everywhere": true })).await.status, 200);
    let begun = Instant::now();
    while watching.next().await.is_some() {}
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    others.wait_for("tick", |_| true).await;
    let mut open = Vec::new();
    loop {
        let (status, watching) = Watching::open(&class, &other.token, "").await;
        if status != 200 {
            assert_eq!(status, 429);
            break;
        }
        open.push(watching);
    }
    assert_eq!(open.len(), 15, "and the one before");
    drop(open);
    // Whoever closes pages may open others.
    let begun = Instant::now();
    while Watching::open(&class, &other.token, "").await.0 != 200 {
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_verdict_comes_to_whom_it_is_about_however_it_was_asked_for_and_news_of_the_room_to_all() {
    let class = taught().await;
    let (ada, bob) = (class.pupil().await, class.pupil().await);
    let (mut own, mut others) = (Watching::new(&class, &ada).await, Watching::new(&class, &bob).await);
    class.ticket(&ada, "c01").await;
    let verdict = class.check(&ada, "c01").await;
    let came = own.wait_for("verdict", |_| true).await;
    assert_eq!((&came["student"], &came["challenge"], &came["text"]), (&json!(ada.id), &json!("c01"), &verdict["text"]));
    let instructor = class.instructor().await;
    let told = class.ask("PUT", "/api/room", Some(&instructor), &json!({ "announcement": "Coffee at ten" })).await;
    assert_eq!(told.status, 200, "{}", told.body);
    for watching in [&mut own, &mut others] {
        let room = watching.wait_for("room", |room| !room["announcement"].is_null()).await;
        assert_eq!(room["announcement"]["text"], "Coffee at ten");
    }
    assert!(!others.all.contains("event: verdict") && others.all.contains("event: room"));
}

#[tokio::test]
async fn the_light_turns_green_and_red_with_ones_own_clients_alone() {
    let class = class().await;
    let ada = class.pupil().await;
    let (sightings, user) = (&class.broker.sightings, Principal::user(&ada.id));
    let remote = SocketAddr::from(([127, 0, 0, 1], 50_000));
    let mut own = Watching::new(&class, &ada).await;
    own.wait_for("mine", |mine| mine["light"]["colour"] == "grey").await;
    sightings.logged_in(&user, "PLAIN", place(), clock::now());
    sightings.connected(&user, ("librdkafka", "2.6.1"), "mine", place(), clock::now());
    sightings.opened(&user, remote, clock::now());
    let green = own.wait_for("mine", |mine| mine["light"]["colour"] == "green").await["light"].clone();
    assert_eq!(
        (&green["client"]["software"], &green["client"]["listener"], &green["open"]),
        (&json!("librdkafka"), &json!("CLASS"), &json!(1))
    );
    tokio::time::sleep(Duration::from_millis(5)).await;
    sightings.trouble(Some(&ada.id), Mishap::new("a login with a wrong password", "take the right one"), place(), clock::now());
    let red = own.wait_for("mine", |mine| mine["light"]["colour"] == "red").await["light"].clone();
    assert_eq!((&red["headline"], &red["fix"]), (&json!("A login with a wrong password"), &json!("take the right one")));
    assert_eq!(class.get(&ada, "/api/seen").await.json()["light"]["colour"], "red");
    // What comes without a name from the address of this page alone is taken for its own ...
    tokio::time::sleep(Duration::from_millis(5)).await;
    sightings.connected(&user, ("librdkafka", "2.6.1"), "mine", place(), clock::now());
    own.wait_for("mine", |mine| mine["light"]["colour"] == "green").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    sightings.trouble(None, Mishap::new("PLAINTEXT client on a SASL port", "log in"), place(), clock::now());
    own.wait_for("mine", |mine| mine["light"]["headline"] == "PLAINTEXT client on a SASL port").await;
    // ... and of nobody's once somebody else has a page open there.
    let bob = class.pupil().await;
    let mut others = Watching::new(&class, &bob).await;
    others.wait_for("mine", |mine| mine["light"]["colour"] == "grey").await;
    own.wait_for("mine", |mine| mine["light"]["colour"] == "green").await;
}

#[tokio::test]
async fn offsets_are_set_anew_to_each_of_what_can_be_asked_for() {
    let class = class().await;
    let pupil = class.pupil().await;
    let (group, topic) = (format!("{}-app", pupil.id), TopicName::new(STREAM));
    class.cluster.ensure_topic(&topic, 2, &[]).await.unwrap();
    let now = clock::now();
    for minute in 0..10 {
        append(&class, &topic, 10, now.plus_ms((minute - 10) * 60_000 + 30_000)).await;
    }
    new_group(&class, &group, STREAM, 42).await;
    let path = format!("/api/groups/{group}/offsets");
    let four_ago = now.plus_ms(-4 * 60_000).0;
    for (ask, to) in [
        (json!({ "to": "earliest" }), 0),
        (json!({ "to": "latest" }), 100),
        (json!({ "to": "offset", "offset": 17 }), 17),
        (json!({ "to": "offset", "offset": 5_000 }), 100),
        (json!({ "to": "offset", "offset": -3 }), 0),
        (json!({ "to": "time", "time_ms": four_ago }), 60),
        (json!({ "to": "back", "minutes": 2 }), 80),
        (json!({ "to": "earliest", "topic": STREAM, "partitions": [0] }), 0),
    ] {
        let mut ask = ask.clone();
        ask["apply"] = json!(false);
        let told = class.post(&pupil, &path, ask.clone()).await;
        assert_eq!(told.status, 200, "{ask}: {}", told.body);
        let before = class.get(&pupil, &format!("/api/groups/{group}")).await.json();
        ask["apply"] = json!(true);
        let done = class.post(&pupil, &path, ask.clone()).await.json();
        let change = &done["changes"][0];
        assert_eq!((done["changes"].as_array().unwrap().len(), &done["applied"]), (1, &json!(true)), "{ask}");
        assert_eq!((&change["to"], &change["lag_after"]), (&json!(to), &json!(100 - to)), "{ask}");
        assert_eq!(change["from"], before["partitions"][0]["committed"], "nothing was changed by asking: {ask}");
        let after = class.get(&pupil, &format!("/api/groups/{group}")).await.json();
        assert_eq!((&after["partitions"][0]["committed"], &after["lag"]), (&json!(to), &json!(100 - to)), "{ask}");
        assert!(done["explanation"].as_str().unwrap().contains("Done"), "{done}");
    }
    // A topic of which nothing was committed.
    let both = class.post(&pupil, &path, json!({ "to": "latest", "topic": STREAM, "apply": true })).await.json();
    assert_eq!((names(&both["changes"], "topic").len(), &both["changes"][1]["from"]), (2, &Value::Null));
    for (ask, status) in [
        (json!({ "to": "offset", "apply": true }), 400),
        (json!({ "to": "time" }), 400),
        (json!({ "to": "sideways" }), 400),
        (json!({ "to": "latest", "partitions": [0] }), 400),
        (json!({ "to": "latest", "topic": STREAM, "partitions": [7] }), 400),
        (json!({ "to": "latest", "topic": "none" }), 404),
        (json!({ "to": "latest", "surprise": 1 }), 400),
    ] {
        let answer = class.post(&pupil, &path, ask.clone()).await;
        assert_eq!(answer.status, status, "{ask}: {}", answer.body);
    }
    for ask in [json!({ "to": "latest", "topic": STREAM, "partitions": [] }), json!({ "to": "latest", "partitions": [] })] {
        let answer = class.post(&pupil, &path, ask).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["error"]), (400, &json!("the list of partitions is empty")));
        assert!(told["fix"].as_str().unwrap().contains("such as [0, 2]"), "{told}");
    }
    let gone = class.ask("DELETE", &format!("/api/groups/{group}"), Some(&pupil.token), &Value::Null).await;
    assert_eq!((gone.status, gone.json()), (200, json!({ "deleted": group })));
    assert_eq!(class.get(&pupil, &format!("/api/groups/{group}")).await.status, 404);
    assert_eq!(class.get(&pupil, "/api/groups").await.json()["groups"], json!([]));
}

#[tokio::test]
async fn lag_is_never_negative_and_the_same_on_all_pages_while_much_is_written() {
    let class = std::sync::Arc::new(class().await);
    let pupil = class.pupil().await;
    let (group, topic) = (format!("{}-app", pupil.id), TopicName::new(STREAM));
    class.cluster.ensure_topic(&topic, 1, &[]).await.unwrap();
    append(&class, &topic, 1, clock::now()).await;
    new_group(&class, &group, STREAM, 0).await;
    let instructor = class.instructor().await;
    let writing = {
        let (class, topic, group) = (std::sync::Arc::clone(&class), topic.clone(), group.clone());
        tokio::spawn(async move {
            loop {
                append(&class, &topic, 200, clock::now()).await;
                // A reader who is always at the end.
                let end = class.cluster.topic(STREAM).unwrap().partitions[0].end_offset.0;
                commit(&class, &group, STREAM, end).await;
                tokio::task::yield_now().await;
            }
        })
    };
    let mut watching = Watching::new(&class, &pupil).await;
    let (begun, mut compared) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(4) {
        let list = class.get(&pupil, "/api/groups").await.json();
        let one = class.get(&pupil, &format!("/api/groups/{group}")).await.json();
        let sum: i64 = one["partitions"].as_array().unwrap().iter().map(|p| p["lag"].as_i64().unwrap()).sum();
        assert_eq!(one["lag"], json!(sum));
        for partition in one["partitions"].as_array().unwrap() {
            let (committed, end) = (partition["committed"].as_i64().unwrap(), partition["end_offset"].as_i64().unwrap());
            assert!(committed <= end && partition["lag"] == json!(end - committed), "{partition}");
        }
        if list["at_ms"] == one["at_ms"] {
            assert_eq!(list["groups"][0]["lag"], one["lag"]);
            let metrics = class.ask("GET", "/metrics", Some(&instructor), &Value::Null).await.body;
            let again = class.get(&pupil, "/api/groups").await.json();
            let line = format!("headwater_group_lag{{group=\"{group}\",topic=\"{STREAM}\",partition=\"0\"}} {}", one["lag"]);
            assert!(again["at_ms"] != one["at_ms"] || metrics.contains(&line), "{line}");
            compared += 1;
        }
    }
    writing.abort();
    let events = watching.listen(Duration::from_millis(1_500)).await;
    let lags: Vec<i64> =
        events.iter().filter(|(name, _)| name == "mine").filter_map(|(_, mine)| mine["groups"][0]["lag"].as_i64()).collect();
    assert!(!lags.is_empty() && lags.iter().all(|lag| *lag >= 0) && compared > 0, "{lags:?}");
}
