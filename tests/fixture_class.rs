//! The data folder of a class that an earlier build wrote (`fixture/class`), opened by this one: who joined, what they may do, what they did.

#[path = "process/client.rs"]
mod client;
#[path = "process/copy.rs"]
mod copy;
#[path = "process/http.rs"]
mod http;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use client::{Client, text, topic_name};
use copy::copy;
use headwater::model::Batches;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    DescribeAclsRequest, DescribeClientQuotasRequest, GroupId, OffsetFetchRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use running::{Running, command_with_usual_flags, ended};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture");
/// The folder grows old; what it holds must not expire with it.
const FLAGS: [&str; 7] =
    ["--classroom", "--listener", "CLASS=SASL_PLAINTEXT://127.0.0.1:0", "--https", "off", "--set", "offsets.retention.minutes=2147483647"];
const TOPIC: i8 = 2;
const ANY: i8 = 1;

fn contents() -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{FIXTURE}/class.json")).expect("class.json")).expect("JSON")
}

fn copied() -> TempDir {
    let folder = tempdir().expect("folder");
    copy(&Path::new(FIXTURE).join("class"), &folder.path().join("data"));
    folder
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn log_in(running: &Running, user: &str, password: &str) -> (u16, Value) {
    http::ask(running.http.expect("pages"), "POST", "/api/login", None, &json!({ "user": user, "password": password }))
}

/// A Kafka connection of somebody.
fn connect(running: &Running, user: &str, password: &str) -> Client {
    let mut client = Client::connect(running.kafka);
    assert_eq!(client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))).error_code, 0);
    let token = format!("\0{user}\0{password}").into_bytes();
    let answer = client.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(token.into()));
    assert_eq!(answer.error_code, 0, "{user}: {:?}", answer.error_message);
    client
}

fn assert_class(running: &Running, wanted: &Value) {
    let pages = running.http.expect("pages");
    let get = |path: &str, token: &str| {
        let (status, body) = http::ask(pages, "GET", path, Some(token), &Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    };
    let (status, teacher) = log_in(running, "instructor", word(wanted, "secret"));
    assert_eq!((status, word(&teacher, "role")), (200, "instructor"));
    let teacher = word(&teacher, "token").to_owned();
    for user in wanted["users"].as_array().expect("users") {
        let (status, told) = log_in(running, word(user, "user"), word(user, "password"));
        assert_eq!(status, 200, "{told}");
        assert_eq!(log_in(running, word(user, "user"), "another password").0, 401);
        let token = word(&told, "token");
        assert_eq!(word(&get("/api/me", token), "id"), word(user, "id"));
        let report = get("/api/report?format=json", token);
        let questions = report["questions"].as_array().expect("questions");
        let built = questions.iter().find(|question| question["id"] == "built").expect("the question");
        assert_eq!(built["answer"], wanted["answers"]["built"]);
    }
    assert_eq!(log_in(running, word(&wanted["gone"], "user"), word(&wanted["gone"], "password")).0, 401, "who was removed");
    let students = get("/api/students", &teacher);
    assert_eq!(students["code"], wanted["code"]);
    let board = get("/api/class", &teacher);
    let rows = board["students"].as_array().expect("students");
    assert_eq!((rows.len(), &rows[0]["name"]), (1, &wanted["name"]), "{board}");
    assert_eq!(rows[0]["challenges"][word(wanted, "granted")]["status"], "granted");
    let room = get("/api/room", &teacher);
    assert_eq!((&room["announcement"]["text"], &room["leaderboard"]), (&wanted["announcement"], &json!(true)));
    let server = get("/api/server", &teacher);
    let listener = &server["listeners"][0];
    assert_eq!(json!(format!("{}:{}", word(listener, "host"), listener["port"])), wanted["advertised"]);
}

fn assert_kafka(running: &Running, wanted: &Value) {
    let user = &wanted["users"][0];
    let topic = word(wanted, "topic");
    let mut client = connect(running, word(user, "user"), word(user, "password"));
    let stored = client.fetch(topic, 0, 0).records.expect("records");
    let mut values = Vec::new();
    for batch in Batches::new(&stored) {
        let records = batch.expect("a batch").records().expect("records");
        values.extend(records.iter().map(|record| String::from_utf8(record.expect("a record").value.expect("a value").to_vec()).unwrap()));
    }
    assert_eq!(json!(values), wanted["records"]);
    let topics = vec![OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![0])];
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(word(wanted, "group")))).with_topics(Some(topics));
    assert_eq!(json!(client.ask(7, &request).topics[0].partitions[0].committed_offset), wanted["committed"]);
    let told = &client.metadata(None).brokers[0];
    assert_eq!(json!(format!("{}:{}", told.host, told.port)), wanted["advertised"]);

    let mut teacher = connect(running, "instructor", word(wanted, "secret"));
    let about = DescribeAclsRequest::default().with_resource_type_filter(TOPIC).with_pattern_type_filter(ANY);
    // By whatever name, for whomever, from wherever.
    let about = about.with_resource_name_filter(None).with_principal_filter(None).with_host_filter(None);
    let rules = teacher.ask(1, &about.with_operation(ANY).with_permission_type(ANY)).resources;
    let given = |name: &str| {
        let of_name = rules.iter().filter(|rule| rule.resource_name.as_str() == name);
        of_name.flat_map(|rule| rule.acls.iter().map(|acl| acl.principal.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(given(word(&wanted["rule"], "topic")), [format!("User:{}", word(&wanted["rule"], "user"))]);
    assert!(!given(&format!("ws.{}.", word(user, "id"))).is_empty(), "{rules:?}");
    let of_user = ComponentData::default().with_entity_type(text("user")).with_match(Some(text(word(&wanted["quota"], "user"))));
    let quotas = teacher.ask(0, &DescribeClientQuotasRequest::default().with_components(vec![of_user])).entries.expect("quotas");
    let values: Vec<(String, f64)> = quotas[0].values.iter().map(|value| (value.key.to_string(), value.value)).collect();
    assert_eq!(json!(values), json!([["producer_byte_rate", wanted["quota"]["producer_byte_rate"]]]));
}

#[test]
fn the_class_of_an_earlier_build_goes_on_and_does_so_after_a_crash() {
    let (folder, wanted) = (copied(), contents());
    let mut running = Running::start(folder.path(), &FLAGS);
    assert!(running.banner.contains(word(&wanted, "code")) && running.banner.contains("password as before"), "{}", running.banner);
    assert_class(&running, &wanted);
    assert_kafka(&running, &wanted);
    running.end(Signal::KILL);
    let running = Running::start(folder.path(), &FLAGS);
    assert_class(&running, &wanted);
    assert_kafka(&running, &wanted);
    assert!(!running.stderr().contains("renamed aside"), "{}", running.stderr());
    running.stop();
}

/// Every file below a folder, but the one that says who has it.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.ends_with(".lock") => {}
                false => drop(found.insert(path.clone(), fs::read(&path).expect("file"))),
            }
        }
    }
    found
}

#[test]
fn a_folder_of_a_later_version_is_refused_and_stays_as_it_is() {
    for (name, from, to) in [("meta.properties", "version=1", "version=2"), ("shutdown.json", "\"version\":1", "\"version\":2")] {
        let folder = copied();
        let (data, path) = (folder.path().join("data"), folder.path().join("data").join(name));
        let text = fs::read_to_string(&path).expect(name);
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).expect(name);
        let before = files(&data);
        let mut start = command_with_usual_flags(folder.path(), &FLAGS);
        start.args(FLAGS);
        let refused = ended(start);
        let lines: Vec<&str> = refused.stderr.lines().collect();
        assert!(!refused.status.success() && lines.len() == 1, "{refused:?}");
        assert!(
            lines[0].contains(name) && lines[0].contains("has format version 2; this program knows 1: use a newer one"),
            "{}",
            lines[0]
        );
        assert_eq!(files(&data), before, "{name}");
    }
}
