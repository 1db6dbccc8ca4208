//! Topics and records over HTTP, for every role, on a broker that really keeps them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::class_fixture::{Answer, Class, class};
use super::course_tests::Pupil;
use super::*;
use crate::broker::security::Access;
use crate::broker::{Broker, BrokerOptions, clock};
use crate::cluster::{Embedded, NewRecord, TopicWish, Topics};
use crate::config::{BrokerLayers, Guards};
use crate::generators::partition_of;
use crate::model::{PartitionId, Timestamp, TopicName};

const STREAM: &str = "ecommerce-events";

struct Room {
    class: Class,
    otter: Pupil,
    heron: Pupil,
    instructor: String,
}

impl Room {
    /// With a stream, and two students.
    async fn open() -> Room {
        let class = class().await;
        let (otter, heron) = (class.pupil().await, class.pupil().await);
        let instructor = class.instructor().await;
        class.cluster.ensure_topic(&STREAM.into(), 6, &[]).await.unwrap();
        Room { class, otter, heron, instructor }
    }

    fn own(&self, name: &str) -> String {
        format!("ws.{}.{name}", self.otter.id)
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.class.ask(method, path, Some(&self.otter.token), &body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    async fn make(&self, name: &str, partitions: i32, configs: Value) -> String {
        let name = self.own(name);
        let made = self.ask("POST", "/api/topics", json!({ "name": name, "partitions": partitions, "configs": configs })).await;
        assert_eq!((made.status, made.json()), (200, json!({ "name": name, "partitions": partitions })), "{}", made.body);
        name
    }

    async fn produce(&self, topic: &str, body: Value) -> Value {
        let answer = self.ask("POST", &format!("/api/topics/{topic}/records"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Records of these values, one millisecond apart, straight into the log.
    async fn append(&self, topic: &str, partition: i32, values: impl Iterator<Item = Vec<u8>>) {
        let begin = clock::now().0;
        let record = |(n, value): (i64, Vec<u8>)| NewRecord {
            key: None,
            value: Some(Bytes::from(value)),
            timestamp: Timestamp(begin + n),
            headers: Vec::new(),
        };
        let records = (0..).zip(values).map(record).collect();
        self.class.cluster.append(&topic.into(), PartitionId(partition), records).await.unwrap();
    }
}

fn values(page: &Value) -> Vec<&str> {
    page["records"].as_array().unwrap().iter().map(|record| record["value"]["text"].as_str().unwrap()).collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_student_makes_fills_and_deletes_topics_of_their_own_and_no_others() {
    let room = Room::open().await;
    let own = room.make("c02", 3, json!({ "retention.ms": "60000" })).await;
    let others = format!("ws.{}.c02", room.heron.id);
    room.class.cluster.ensure_topic(&TopicName::new(&others), 1, &[]).await.unwrap();
    room.class.cluster.ensure_topic(&"orders".into(), 1, &[]).await.unwrap();
    for name in [others.as_str(), "orders", STREAM, "_workshop", "__consumer_offsets", "ws.nobody.x"] {
        for (method, path, body) in [
            ("POST", format!("/api/topics/{name}/records"), json!({ "value": "x" })),
            ("DELETE", format!("/api/topics/{name}"), Value::Null),
            ("POST", "/api/topics".to_owned(), json!({ "name": name })),
        ] {
            assert_eq!(room.ask(method, &path, body).await.status, 403, "{method} {path}");
        }
        let reads = if name == STREAM { 200 } else { 403 };
        for path in ["", "/records", "/download"] {
            assert_eq!(room.ask("GET", &format!("/api/topics/{name}{path}"), Value::Null).await.status, reads, "{name}{path}");
        }
    }
    let list = room.get("/api/topics?internal=true").await;
    let row = |name: &str| list["topics"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!(list["topics"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!((&row(&own)["kind"], &row(&own)["may_write"], &row(&own)["may_delete"]), (&json!("mine"), &json!(true), &json!(true)));
    assert_eq!(
        (&row(STREAM)["kind"], &row(STREAM)["may_write"], &row(STREAM)["may_delete"]),
        (&json!("stream"), &json!(false), &json!(false))
    );
    // The instructor.
    let as_instructor = async |method: &str, path: &str, body: Value| room.class.ask(method, path, Some(&room.instructor), &body).await;
    let all = as_instructor("GET", "/api/topics?internal=true", Value::Null).await.json();
    assert!(all["topics"].as_array().unwrap().iter().any(|row| row["kind"] == "internal" && row["may_write"] == false), "{all}");
    assert!(
        as_instructor("GET", "/api/topics", Value::Null).await.json()["topics"].as_array().unwrap().iter().all(|r| r["kind"] != "internal")
    );
    assert_eq!(as_instructor("POST", &format!("/api/topics/{others}/records"), json!({ "value": "x" })).await.status, 200);
    assert_eq!(as_instructor("DELETE", "/api/topics/_workshop", Value::Null).await.status, 403);
    assert_eq!(as_instructor("GET", "/api/topics/_workshop/records", Value::Null).await.status, 403, "it holds a secret");
    assert_eq!(as_instructor("DELETE", "/api/topics/orders", Value::Null).await.status, 200);
    // And the end.
    let deleted = room.ask("DELETE", &format!("/api/topics/{own}"), Value::Null).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({ "deleted": own })));
    assert_eq!(room.ask("GET", &format!("/api/topics/{own}"), Value::Null).await.status, 404);
}

#[tokio::test]
async fn topics_are_made_by_the_rules_that_kafkas_clients_meet() {
    let room = Room::open().await;
    room.make("a.b", 1, json!({})).await;
    let make = async |name: &str, more: Value| {
        let mut body = json!({ "name": room.own(name) });
        more.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        let answer = room.ask("POST", "/api/topics", body).await;
        (answer.status, answer.body)
    };
    assert_eq!(make("a.b", json!({})).await.0, 409);
    assert_eq!(make("a_b", json!({})).await.0, 400, "it differs only in a dot");
    assert_eq!(make("no blanks", json!({})).await.0, 400);
    assert_eq!(make(&"x".repeat(250), json!({})).await.0, 400);
    for partitions in [0, -1, -7] {
        assert_eq!(make("c", json!({ "partitions": partitions })).await.0, 400, "{partitions}");
    }
    let many = make("c", json!({ "partitions": 100_000 })).await;
    assert_eq!(many.0, 409, "{}", many.1);
    assert_eq!(make("c", json!({ "configs": { "nonsense": "1" } })).await.0, 400);
    assert_eq!(make("c", json!({ "configs": { "retention.ms": "soon" } })).await.0, 400);
    assert_eq!(make("c", json!({ "shape": 1 })).await.0, 400);
    assert_eq!(make("c", json!({})).await.0, 200);
    // So many at a time, with what goes.
    let mut statuses = BTreeSet::new();
    for n in 0..40 {
        statuses.insert(make(&format!("n{n}"), json!({ "partitions": 5 })).await.0);
    }
    assert!(statuses.contains(&429) || statuses.contains(&409), "{statuses:?}");
}

#[tokio::test]
async fn a_topics_page_says_what_the_tables_say() {
    let room = Room::open().await;
    let page = room.get(&format!("/api/topics/{STREAM}")).await;
    let stream = &crate::generators::STREAMS[0];
    assert!(page["story"].as_str().unwrap().contains(stream.about) && page["about"].as_str().unwrap().contains(stream.about));
    let fields = page["fields"].as_array().unwrap();
    assert_eq!(fields.len(), stream.all_fields().count());
    for (field, shown) in stream.fields.iter().zip(fields) {
        assert_eq!((&shown["name"], &shown["meaning"]), (&json!(field.name), &json!(field.meaning())));
        assert_eq!(shown["values"].is_array(), field.listed().is_some());
        assert!(serde_json::from_str::<Value>(shown["example"].as_str().unwrap()).is_ok(), "{shown}");
    }
    let config = |name: &str| page["configs"].as_array().unwrap().iter().find(|config| config["name"] == name).unwrap();
    assert_eq!((&config("retention.ms")["overridden"], &config("retention.ms")["type"]), (&json!(false), &json!("long")));
    assert_eq!((&config("min.insync.replicas")["has_effect"], page["partition_list"].as_array().unwrap().len()), (&json!(false), 6));
    let templates = page["templates"].as_array().unwrap();
    let value: Value = serde_json::from_str(templates[0]["value"].as_str().unwrap()).unwrap();
    assert!(value["event_id"].is_string() && templates[1]["name"].as_str().unwrap().starts_with("a bad record"), "{templates:?}");
    // A topic of one's own is known by its records.
    let own = room.make("own", 2, json!({ "cleanup.policy": "compact" })).await;
    room.produce(
        &own,
        json!({ "key": "k", "value": r#"{"n":1,"who":{"name":"Ada"},"tags":[]}"#, "headers": [{ "name": "h", "value": null }] }),
    )
    .await;
    room.produce(&own, json!({ "key": "k", "value": r#"{"n":1.5,"who":{}}"#, "partition": 1 })).await;
    let page = room.get(&format!("/api/topics/{own}")).await;
    let fields = page["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}: {fields:?}"));
    assert_eq!((&field("who.name")["type"], &field("who.name")["required"]), (&json!("string"), &json!(false)));
    assert_eq!((&field("n")["required"], &field("n")["meaning"]), (&json!(true), &json!("")));
    assert_eq!(page["templates"][0]["name"], "like the last record");
    let policy = page["configs"].as_array().unwrap().iter().find(|config| config["name"] == "cleanup.policy").unwrap();
    assert_eq!((&policy["value"], &policy["default"], &policy["overridden"]), (&json!("compact"), &json!("delete"), &json!(true)));
    let shares: f64 = page["partition_list"].as_array().unwrap().iter().map(|row| row["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 0.001 && page["records"] == 2, "{page}");
    // No key: a compacted topic does not take it.
    let refused = room.ask("POST", &format!("/api/topics/{own}/records"), json!({ "value": "x" })).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[tokio::test]
async fn what_is_written_comes_back_as_it_was() {
    let room = Room::open().await;
    let topic = room.make("t", 4, json!({})).await;
    let headers = json!([{ "name": "trace", "value": "a" }, { "name": "trace", "value": null }, { "name": "ü", "value": "" }]);
    let key = "user-42";
    let made = room.produce(&topic, json!({ "key": key, "value": "{\"a\":1}", "headers": headers })).await;
    let partition = partition_of(key.as_bytes(), 4).0;
    assert_eq!((&made["partition"], &made["offset"], &made["count"]), (&json!(partition), &json!(0), &json!(1)));
    let one = room.get(&format!("/api/topics/{topic}/records/{partition}/0")).await;
    assert_eq!((&one["key"]["text"], &one["value"]["kind"], &one["timestamp_ms"]), (&json!(key), &json!("json"), &made["timestamp_ms"]));
    let shown: Vec<Value> = one["headers"].as_array().unwrap().iter().map(|h| json!([h["name"], h["value"]["text"]])).collect();
    assert_eq!(shown, [json!(["trace", "a"]), json!(["trace", null]), json!(["ü", ""])]);
    // A tombstone, bytes, copies.
    let tombstone = room.produce(&topic, json!({ "key": key, "value": null })).await;
    assert_eq!(tombstone["offset"], 1);
    let bytes = STANDARD.encode([0xff, 0x00, 0x3c]);
    let binary = room
        .produce(
            &topic,
            json!({ "key": bytes, "key_encoding": "base64", "value": bytes, "value_encoding": "base64", "partition": 3, "copies": 1000 }),
        )
        .await;
    assert_eq!((&binary["partition"], &binary["count"]), (&json!(3), &json!(1000)));
    let page = room.get(&format!("/api/topics/{topic}/records?partition=3&limit=2")).await;
    let newest = &page["records"][0];
    assert_eq!(
        (&newest["value"]["kind"], &newest["value"]["text"], &newest["value"]["bytes"]),
        (&json!("binary"), &json!(bytes), &json!(3))
    );
    let dead = room.get(&format!("/api/topics/{topic}/records?filter=value:null")).await;
    assert_eq!((&dead["matched"], &dead["records"][0]["offset"], &dead["scanned"]), (&json!(1), &json!(1), &json!(1002)));
    // Without a key: any partition, not always the same.
    let mut partitions = BTreeSet::new();
    for _ in 0..40 {
        partitions.insert(room.produce(&topic, json!({ "value": "x" })).await["partition"].as_i64().unwrap());
    }
    assert!(partitions.len() > 1, "{partitions:?}");
    for (body, status) in [
        (json!({ "value": "x", "partition": 4 }), 404),
        (json!({ "value": "x", "partition": -1 }), 404),
        (json!({ "value": "x", "copies": 0 }), 400),
        (json!({ "value": "x", "copies": 1001 }), 400),
        (json!({ "value": "not base64!", "value_encoding": "base64" }), 400),
        (json!({ "value": 7 }), 400),
        (json!({ "value": "x".repeat(200_000), "copies": 100 }), 413),
        (json!({ "value": "x".repeat(300_000) }), 413),
    ] {
        let answer = room.ask("POST", &format!("/api/topics/{topic}/records"), body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let small = room.make("small", 1, json!({ "max.message.bytes": "5000" })).await;
    let large = room.ask("POST", &format!("/api/topics/{small}/records"), json!({ "value": "x".repeat(6_000) })).await;
    assert_eq!(large.status, 413, "{}", large.body);
    assert_eq!(room.produce(&small, json!({ "value": "x".repeat(1_000), "copies": 20 })).await["count"], 20, "in several batches");
    assert_eq!(room.class.cluster.topic(&small).unwrap().partitions[0].end_offset.0, 20);
}

#[tokio::test]
async fn who_writes_too_much_is_told_to_wait() {
    let room = Room::open().await;
    let topic = room.make("t", 1, json!({})).await;
    let body = json!({ "value": "x".repeat(200_000), "copies": 40 });
    let mut statuses = Vec::new();
    // Ten seconds' worth of 5 MB may come at once.
    for _ in 0..9 {
        let answer = room.ask("POST", &format!("/api/topics/{topic}/records"), body.clone()).await;
        assert!(answer.status == 200 || answer.head.to_lowercase().contains("retry-after: "), "{}", answer.body);
        statuses.push(answer.status);
    }
    assert!(statuses[0] == 200 && statuses[8] == 429, "{statuses:?}");
    // Others do not wait for that, and the instructor never.
    let others = format!("ws.{}.t", room.heron.id);
    room.class
        .cluster
        .create_topic(None, TopicWish { name: TopicName::new(&others), partitions: Some(1), configs: Vec::new() })
        .await
        .unwrap();
    let path = format!("/api/topics/{others}/records");
    assert_eq!(room.class.ask("POST", &path, Some(&room.heron.token), &json!({ "value": "x" })).await.status, 200);
    assert_eq!(room.class.ask("POST", &path, Some(&room.instructor), &body).await.status, 200);
}

#[tokio::test]
async fn records_are_browsed_from_anywhere() {
    let room = Room::open().await;
    let topic = room.make("t", 2, json!({})).await;
    let empty = room.get(&format!("/api/topics/{topic}/records")).await;
    assert_eq!(
        (&empty["ended"], &empty["after"], &empty["before"], &empty["scanned"]),
        (&json!("end"), &json!("0:0,1:0"), &Value::Null, &json!(0))
    );
    let begin = clock::now().0;
    for n in 0..20_i64 {
        let record = NewRecord {
            key: None,
            value: Some(Bytes::from(format!("{{\"n\":{n}}}"))),
            timestamp: Timestamp(begin + n * 10),
            headers: Vec::new(),
        };
        room.class.cluster.append(&topic.as_str().into(), PartitionId((n % 2) as i32), vec![record]).await.unwrap();
    }
    let browse = async |query: &str| room.get(&format!("/api/topics/{topic}/records?{query}")).await;
    let numbers = |page: &Value| values(page).iter().map(|text| text[5..text.len() - 1].parse::<i64>().unwrap()).collect::<Vec<_>>();
    let newest = browse("limit=5").await;
    assert_eq!((numbers(&newest), &newest["ended"]), (vec![19, 18, 17, 16, 15], &json!("limit")));
    let older = browse(&format!("limit=50&before={}", newest["before"].as_str().unwrap())).await;
    assert_eq!((numbers(&older), &older["ended"], &older["before"]), ((0..15).rev().collect(), &json!("end"), &Value::Null));
    let tail = browse(&format!("after={}", older["after"].as_str().unwrap())).await;
    assert_eq!(numbers(&tail), [15, 16, 17, 18, 19]);
    assert_eq!(numbers(&browse("from=oldest&limit=3").await), [0, 1, 2]);
    assert_eq!(numbers(&browse("from=offset&offset=8").await), [16, 17, 18, 19]);
    assert_eq!(numbers(&browse("from=offset&offset=8&partition=1").await), [17, 19]);
    assert_eq!(numbers(&browse(&format!("from=time&time_ms={}", begin + 175)).await), [18, 19]);
    assert_eq!(numbers(&browse(&format!("from=time&time_ms={}", i64::MAX)).await), Vec::<i64>::new());
    assert_eq!(numbers(&browse(&format!("filter={}", encoded("n:>=5 n:<8 -n:6"))).await), [7, 5]);
    assert_eq!(numbers(&browse("partition=0&limit=2").await), [18, 16]);
    let end = browse("limit=1").await;
    let nothing = browse(&format!("after={}", end["after"].as_str().unwrap())).await;
    assert_eq!((numbers(&nothing).len(), &nothing["after"], &nothing["ended"]), (0, &end["after"], &json!("end")));
    for wrong in [
        "limit=0",
        "limit=501",
        "limit=x",
        "from=middle",
        "from=offset",
        "from=time",
        "after=x",
        "before=0:-1",
        "after=0:0&before=0:0",
        "filter=%22open",
        "colour=red",
        "after=0:0&partition=1",
        "offset=x",
    ] {
        let answer = room.ask("GET", &format!("/api/topics/{topic}/records?{wrong}"), Value::Null).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    let wrong = room.ask("GET", &format!("/api/topics/{topic}/records?filter={}", encoded("n:> x")), Value::Null).await;
    assert!(wrong.json()["error"].as_str().unwrap().contains("at character 4"), "{}", wrong.body);
    for path in ["records?partition=2", "records?partition=-1", "records/0/10", "records/7/0", "records/0/99"] {
        assert_eq!(room.ask("GET", &format!("/api/topics/{topic}/{path}"), Value::Null).await.status, 404, "{path}");
    }
    for path in ["records/x/0", "records/0/-1", "records/0/99999999999999999999"] {
        assert_eq!(room.ask("GET", &format!("/api/topics/{topic}/{path}"), Value::Null).await.status, 400, "{path}");
    }
    // The topic begins anew under an old page's cursor.
    room.ask("DELETE", &format!("/api/topics/{topic}"), Value::Null).await;
    room.make("t", 2, json!({})).await;
    room.append(&topic, 0, [b"{\"n\":7}".to_vec()].into_iter()).await;
    assert_eq!(numbers(&browse(&format!("after={}", end["after"].as_str().unwrap())).await), [7]);
}

#[tokio::test]
async fn a_live_tail_misses_nothing_and_repeats_nothing() {
    let room = Room::open().await;
    let topic = room.make("t", 3, json!({})).await;
    let cluster = Arc::clone(&room.class.cluster);
    let name = TopicName::new(&topic);
    let writing = tokio::spawn(async move {
        for n in 0..300_i32 {
            let record = NewRecord { key: None, value: Some(Bytes::from(n.to_string())), timestamp: clock::now(), headers: Vec::new() };
            cluster.append(&name, PartitionId(n * 7 % 3), vec![record]).await.unwrap();
            if n % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let first = room.get(&format!("/api/topics/{topic}/records?limit=500")).await;
    let mut met: Vec<i32> = values(&first).iter().map(|text| text.parse().unwrap()).collect();
    let mut after = first["after"].as_str().unwrap().to_owned();
    for polls in 0.. {
        assert!(polls < 1_000, "{} met", met.len());
        let ended = writing.is_finished();
        let page = room.get(&format!("/api/topics/{topic}/records?limit=7&after={after}")).await;
        met.extend(values(&page).iter().map(|text| text.parse::<i32>().unwrap()));
        after = page["after"].as_str().unwrap().to_owned();
        if ended && page["ended"] == "end" {
            break;
        }
    }
    met.sort_unstable();
    assert_eq!(met, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn hostile_contents_leave_as_text_and_are_cut() {
    let room = Room::open().await;
    let topic = room.make("t", 1, json!({})).await;
    let large = vec![b'x'; 1_000_000];
    let contents: Vec<Vec<u8>> = vec![
        b"<script>alert(1)</script>".to_vec(),
        b"\xff\xfe\x00\x01".to_vec(),
        b"\x00\x01\x1b[31m\x7f".to_vec(),
        "\u{202e}\u{2028}\u{feff}</script>".as_bytes().to_vec(),
        vec![b'['; 200_000],
        large.clone(),
        b"=cmd|' /C calc'!A0".to_vec(),
    ];
    room.append(&topic, 0, contents.iter().cloned()).await;
    let page = room.get(&format!("/api/topics/{topic}/records?from=oldest")).await;
    let records = page["records"].as_array().unwrap();
    assert_eq!(records.len(), contents.len());
    for (record, content) in records.iter().zip(&contents) {
        let shown = &record["value"];
        assert_eq!(shown["bytes"], content.len());
        assert_eq!(shown["cut"], content.len() > 2_048);
        match std::str::from_utf8(content) {
            Ok(text) => assert!(shown["kind"] == "text" && text.starts_with(shown["text"].as_str().unwrap())),
            Err(_) => assert_eq!((&shown["kind"], &shown["text"]), (&json!("binary"), &json!(STANDARD.encode(content)))),
        }
    }
    let answer = room.ask("GET", &format!("/api/topics/{topic}/records/0/0"), Value::Null).await;
    assert!(answer.head.contains("application/json") && answer.head.contains("nosniff"), "{}", answer.head);
    let whole = room.get(&format!("/api/topics/{topic}/records/0/5")).await;
    assert_eq!((whole["value"]["text"].as_str().unwrap().len(), &whole["value"]["cut"]), (large.len(), &json!(false)));
    for format in ["csv", "json", "ndjson"] {
        let file = room.ask("GET", &format!("/api/topics/{topic}/download?format={format}&from=oldest"), Value::Null).await;
        assert_eq!(file.status, 200);
        assert!(file.head.contains(&format!("attachment; filename=\"{topic}.{format}\"")), "{}", file.head);
        assert!(file.head.contains("nosniff") && !file.head.contains("text/html"), "{}", file.head);
        assert!(format != "csv" || file.body.contains("\"'=cmd|' /C calc'!A0\""), "a formula");
    }
    assert_eq!(room.ask("GET", &format!("/api/topics/{topic}/download?format=exe"), Value::Null).await.status, 400);
    // A topic's page looks at them too.
    assert_eq!(room.get(&format!("/api/topics/{topic}")).await["fields"], json!([]));
}

#[tokio::test]
async fn a_scan_stops_at_its_budget_and_goes_on() {
    let room = Room::open().await;
    let topic = room.make("t", 2, json!({})).await;
    // More than a page may read.
    for partition in 0..2 {
        for n in 0..20 {
            room.append(&topic, partition, (0..1).map(|_| format!("{partition}-{n} {}", "x".repeat(1_000_000)).into_bytes())).await;
        }
    }
    let (mut pages, mut scanned, mut query) = (0, 0, "filter=nothing-like-it".to_owned());
    loop {
        let page = room.get(&format!("/api/topics/{topic}/records?{query}")).await;
        pages += 1;
        scanned += page["scanned"].as_i64().unwrap();
        assert!(page["scanned"].as_i64().unwrap() > 0 && pages < 60, "{page}");
        if page["ended"] == "end" {
            break;
        }
        assert_eq!(page["ended"], "budget");
        query = format!("filter=nothing-like-it&before={}", page["before"].as_str().unwrap());
    }
    assert!(pages > 1 && scanned == 40, "{pages} pages, {scanned} records");
}

#[tokio::test]
async fn a_download_has_all_of_it_and_not_more_than_was_asked_for() {
    let room = Room::open().await;
    room.append(STREAM, 0, (0..1_700).map(|n| format!("{{\"event_id\":\"{n}\",\"price\":{n}}}").into_bytes())).await;
    room.append(STREAM, 4, (0..300).map(|n| format!("{{\"event_id\":\"p{n}\",\"price\":-1}}").into_bytes())).await;
    let download = async |query: &str| room.ask("GET", &format!("/api/topics/{STREAM}/download?{query}"), Value::Null).await;
    let lines = download("format=ndjson&from=oldest").await;
    // In pieces, with their lengths between.
    let rows = |answer: &Answer| answer.body.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(rows(&lines), 2_000);
    assert!(lines.head.contains("transfer-encoding: chunked") && lines.head.contains("application/x-ndjson"), "{}", lines.head);
    assert_eq!(rows(&download(&format!("format=ndjson&filter={}", encoded("price:>=1500"))).await), 200);
    assert_eq!(rows(&download("format=ndjson&limit=777").await), 777);
    assert_eq!(rows(&download("format=ndjson&partition=4").await), 300);
    assert_eq!(download("limit=100001").await.status, 400);
    let table = download("partition=4&limit=1").await;
    assert!(table.body.contains("partition,offset,timestamp,key,event_id,") && table.body.contains("4,299,"), "{}", table.body);
}

#[tokio::test]
async fn damaged_records_are_passed_over_and_told() {
    let room = Room::open().await;
    let folder = tempfile::tempdir().unwrap();
    let open = |data_dir: std::path::PathBuf| {
        let guards = Guards { ballast_bytes: 0, floor_bytes: 0, floor_percent: 0, ..Guards::default() };
        Broker::open(BrokerOptions { data_dir, access: Access::Everyone, configs: BrokerLayers::default(), guards }).unwrap()
    };
    let write = async |broker: Arc<Broker>| {
        let cluster = Embedded::new(Arc::clone(&broker), Vec::new());
        cluster.ensure_topic(&"t".into(), 1, &[]).await.unwrap();
        for batch in 0..3 {
            let record = |n: i64| NewRecord {
                key: None,
                value: Some(Bytes::from(format!("{n} {}", "x".repeat(500)))),
                timestamp: Timestamp(clock::now().0 + n),
                headers: Vec::new(),
            };
            cluster.append(&"t".into(), PartitionId(0), (batch * 10..batch * 10 + 10).map(record).collect()).await.unwrap();
        }
        broker.stop();
        broker.close();
    };
    // With a runtime of its own: the broker's tasks end with it.
    let data_dir = folder.path().to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { write(open(data_dir)).await });
    });
    written.await.unwrap();
    let log = folder.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&log, bytes).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        HttpState::new(Arc::new(Embedded::new(open(folder.path().to_owned()), Vec::new()))),
        std::future::pending(),
    ));
    let single = Class { address, ..room.class };
    let get = async |path: &str| single.ask("GET", path, None, &Value::Null).await;
    let sound: Vec<i64> = (0..10).chain(20..30).collect();
    let offsets = |page: &Value| page["records"].as_array().unwrap().iter().map(|r| r["offset"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(offsets(&get("/api/topics/t/records?from=oldest").await.json()), sound);
    let newest = get("/api/topics/t/records?limit=13").await.json();
    assert_eq!(offsets(&newest), sound.iter().rev().take(13).copied().collect::<Vec<_>>());
    let older = get(&format!("/api/topics/t/records?before={}", newest["before"].as_str().unwrap())).await.json();
    assert_eq!(offsets(&older), (0..7).rev().collect::<Vec<_>>());
    assert_eq!(get("/api/topics/t/records/0/15").await.status, 404);
    let file = get("/api/topics/t/download?format=ndjson").await;
    assert_eq!(file.body.lines().filter(|line| line.starts_with('{')).count(), 20);
    let page = get("/api/topics/t").await.json();
    assert_eq!(
        (&page["partition_list"][0]["damaged"], &page["kind"], &page["may_write"]),
        (&json!([[10, 20]]), &json!("mine"), &json!(true))
    );
    drop(single.workshop);
}

#[tokio::test]
async fn looking_for_a_time_takes_a_turn_like_all_reading() {
    let room = Room::open().await;
    let group = format!("{}-app", room.otter.id);
    room.class.cluster.commit_offsets(&group, vec![(STREAM.into(), PartitionId(0), crate::model::Offset(0))]).await.unwrap();
    let state = HttpState::new(Arc::clone(&room.class.cluster));
    let identity = room.class.workshop.roster().get(&room.otter.id).cloned();
    let caller = caller::Caller { role: crate::workshop::Role::Student, user: Some(room.otter.id.clone()), identity };
    let turns = (state.scans.turn(&caller).await.unwrap(), state.scans.turn(&caller).await.unwrap());
    let browse = |from, time_ms| records::Browse { from: Some(from), time_ms, ..records::Browse::default() };
    assert!(records::view(&state, &caller, STREAM, &browse(records::From::Oldest, None)).await.is_ok(), "nothing is read for it");
    let refused = records::view(&state, &caller, STREAM, &browse(records::From::Time, Some(0))).await.err().unwrap();
    assert!(refused.status.as_u16() == 429 && refused.retry_after.is_some(), "{refused:?}");
    let ask = |to: &str| {
        let asked = serde_json::from_value(json!({ "to": to, "minutes": 5 })).unwrap();
        let (state, caller) = (axum::extract::State(state.clone()), axum::extract::Extension(caller.clone()));
        groups_page::offsets(state, caller, answer::InPath(group.clone()), answer::Asked(asked))
    };
    assert!(ask("latest").await.is_ok());
    assert_eq!(ask("back").await.err().unwrap().status.as_u16(), 429);
    drop(turns);
    assert!(ask("back").await.is_ok());
}
