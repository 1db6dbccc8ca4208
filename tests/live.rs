//! The live page of the running program: what 300 open pages cost, how they end, and what requests are told as.

#[path = "process/client.rs"]
mod client;
#[path = "process/http.rs"]
mod http;
#[path = "process/running.rs"]
mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, fetch_request, join_request, text};
use headwater::handlers::APIS;
use headwater::http::request_words::has_words;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use http::ask;
use kafka_protocol::messages::{ApiVersionsRequest, GroupId, HeartbeatRequest, SaslAuthenticateRequest, SaslHandshakeRequest};
use running::{Running, get};
use serde_json::{Value, json};
use tempfile::tempdir;

const CODE: &str = "otter-4821";
const PAGES: usize = 300;
/// What a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn every_request_that_is_served_has_a_sentence() {
    let without: Vec<_> = APIS.iter().filter(|row| !has_words(row.key)).map(|row| row.name).collect();
    assert!(without.is_empty(), "{without:?}");
}

fn batch(count: usize) -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None);
    (0..count)
        .for_each(|_| batch.append(NewRecord { timestamp: Timestamp(1_700_000_000_000), value: Some(b"value"), ..NewRecord::default() }));
    batch.build().expect("a batch").to_bytes()
}

/// What was told of the last requests, the oldest first.
fn told(address: SocketAddr, token: Option<&str>, query: &str) -> Vec<Value> {
    let (status, answer) = ask(address, "GET", &format!("/api/requests{query}"), token, &Value::Null);
    assert_eq!(status, 200, "{answer}");
    answer["requests"].as_array().expect("a list").iter().rev().cloned().collect()
}

fn words(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["words"].as_str().expect("words").to_owned()).collect()
}

#[test]
fn requests_are_told_in_plain_words() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &["--set", "group.initial.rebalance.delay.ms=0"]);
    let address = running.http.unwrap();
    let mut client = Client::connect(running.kafka);
    let hello = ApiVersionsRequest::default().with_client_software_name(text("script")).with_client_software_version(text("1.0"));
    client.ask(3, &hello);
    client.create_topic("plans", 1, &[]);
    client.metadata(Some(&["plans"]));
    client.produce("plans", 0, batch(3));
    client.fetch("plans", 0, 0);
    client.ask(12, &fetch_request("plans", 0, 3, 300));
    client.ask(12, &fetch_request("plans", 0, 99, 0));
    client.list_offset("plans", 0, -1);
    client.ask(3, &join_request("readers"));
    let beat = HeartbeatRequest::default().with_group_id(GroupId(text("readers"))).with_generation_id(9).with_member_id(text("none"));
    client.ask(4, &beat);
    let rows = told(address, None, "");
    let words = words(&rows);
    let expected = [
        "ApiVersions: asked what this broker can do",
        "CreateTopics: created plans",
        "Metadata: asked where plans is",
        "Produce: wrote 3 records (",
        "Fetch: got 3 records (",
        "Fetch: waited ",
        "Fetch: refused for plans: the offset asked for is not there",
        "ListOffsets: asked for the offset of a time or an end, of plans",
        "JoinGroup: joined group readers, generation 1",
        "Heartbeat: refused for readers: the group no longer knows this member",
    ];
    assert_eq!(words.len(), expected.len(), "{words:#?}");
    for (words, expected) in words.iter().zip(expected) {
        assert!(words.starts_with(expected), "{words}, and not {expected}");
    }
    let waited = words[5].strip_prefix("Fetch: waited ").and_then(|rest| rest.strip_suffix(" ms, nothing new"));
    assert!(waited.and_then(|ms| ms.parse::<u32>().ok()).is_some_and(|ms| ms >= 300), "{}", words[5]);
    let fetch = &rows[6];
    assert_eq!((&fetch["error"]["name"], &fetch["error"]["code"]), (&json!("OFFSET_OUT_OF_RANGE"), &json!(1)));
    assert!(fetch["error"]["fix"].as_str().unwrap().contains("auto.offset.reset"));
    assert_eq!(
        (&fetch["client_id"], &fetch["software"], &fetch["from"]),
        (&json!("binary-test"), &json!("script 1.0"), &json!("127.0.0.1"))
    );
    assert!(rows[5]["took_ms"].as_f64().unwrap() >= 290.0 && rows[3]["bytes_in"].as_u64().unwrap() > 100);
    assert_eq!(told(address, None, "?errors=true").len(), 2);
    assert!(told(address, None, "?errors=first").last().unwrap()["error"].is_object());
    assert_eq!(told(address, None, "?limit=1").len(), 1);
    assert_eq!(get(address, "/api/requests?errors=perhaps").status, 400);
    let light = ask(address, "GET", "/api/seen", None, &Value::Null).1["light"].clone();
    assert_eq!((&light["colour"], &light["client"]["software"]), (&json!("green"), &json!("script")), "{light}");
    running.stop();
}

fn classroom(folder: &Path) -> Running {
    Running::start(folder, &["--classroom", "--workshop-code", CODE, "--ballast-mib", "0", "--generators", "on"])
}

fn login(broker: &Running, user: &str, password: &str) -> Client {
    let mut client = Client::connect(broker.kafka);
    client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    let bytes = format!("\0{user}\0{password}").into_bytes().into();
    client.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(bytes));
    client
}

#[test]
fn a_students_requests_are_told_to_that_student_alone_and_a_failed_login_too() {
    let folder = tempdir().unwrap();
    let broker = Running::start(folder.path(), &["--classroom", "--workshop-code", CODE, "--ballast-mib", "0"]);
    let address = broker.http.unwrap();
    let join = || ask(address, "POST", "/api/join", None, &json!({ "code": CODE })).1;
    let (ada, bob) = (join(), join());
    let field = |who: &Value, name: &str| who[name].as_str().unwrap().to_owned();
    let mut client = login(&broker, &field(&ada, "user"), &field(&ada, "password"));
    let barred = format!("ws.{}.c01", field(&bob, "id"));
    client.metadata(Some(&[&barred]));
    drop(login(&broker, &field(&ada, "user"), "a wrong password"));
    let token = field(&ada, "token");
    let begun = Instant::now();
    let rows = loop {
        let rows = told(address, Some(&token), "");
        // The failed one is told when its connection ends.
        if rows.len() >= 5 || begun.elapsed() > Duration::from_secs(20) {
            break rows;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let words = words(&rows);
    assert_eq!(words[0], "SaslHandshake: said how it logs in", "{words:#?}");
    assert_eq!(words[1], "SaslAuthenticate: logged in");
    assert!(words[2].starts_with(&format!("Metadata: refused for {barred}: you may not")), "{}", words[2]);
    assert!(words[4].contains("user or password is wrong"), "{words:#?}");
    let light = ask(address, "GET", "/api/seen", Some(&token), &Value::Null).1["light"].clone();
    assert_eq!(light["colour"], "red", "{light}");
    assert!(told(address, Some(&field(&bob, "token")), "").is_empty());
    broker.stop();
}

/// User and system time of a process.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system");
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

fn open_page(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("connect");
    write!(stream, "GET /api/live HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n").expect("request");
    stream.set_nonblocking(true).expect("nonblocking");
    stream
}

/// What comes of all pages within this time, in bytes; and how many have ended.
fn listen(pages: &mut [TcpStream], within: Duration) -> (Vec<usize>, usize) {
    let (begun, mut counts, mut ended) = (Instant::now(), vec![0; pages.len()], 0);
    let mut bytes = vec![0; 64 << 10];
    while begun.elapsed() < within && ended < pages.len() {
        ended = 0;
        for (page, count) in pages.iter_mut().zip(&mut counts) {
            match page.read(&mut bytes) {
                Ok(0) => ended += 1,
                Ok(read) => *count += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => ended += 1,
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    (counts, ended)
}

#[test]
fn three_hundred_open_pages_cost_little_and_end_with_the_broker() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let address = broker.http.unwrap();
    let joining: Vec<_> = (0..PAGES / 2)
        .map(|_| {
            std::thread::spawn(move || {
                ask(address, "POST", "/api/join", None, &json!({ "code": CODE })).1["token"].as_str().unwrap().to_owned()
            })
        })
        .collect();
    let students: Vec<String> = joining.into_iter().map(|thread| thread.join().expect("a student")).collect();
    let secret = broker.instructor_secret();
    let instructor = ask(address, "POST", "/api/login", None, &json!({ "user": "instructor", "password": secret })).1;
    let instructor = instructor["token"].as_str().unwrap();
    // The streams have reached the present.
    let begun = Instant::now();
    while ask(address, "GET", "/api/generators", Some(instructor), &Value::Null).1["phase"] != "live"
        && begun.elapsed() < Duration::from_secs(120)
    {
        std::thread::sleep(Duration::from_millis(500));
    }
    let span = Duration::from_secs(10);
    let share = |work: &mut dyn FnMut()| {
        let (begun, before) = (Instant::now(), cpu(broker.pid()));
        work();
        (cpu(broker.pid()) - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0
    };
    let idle = share(&mut || std::thread::sleep(span));
    let tokens = students.iter().map(String::as_str).chain(std::iter::repeat_n(instructor, PAGES - students.len()));
    let mut pages: Vec<TcpStream> = tokens.map(|token| open_page(address, token)).collect();
    let (first, ended) = listen(&mut pages, Duration::from_secs(3));
    assert!(ended == 0 && first.iter().all(|bytes| *bytes > 500), "{ended} {first:?}");
    let before = broker.memory_kib("VmRSS:");
    let mut heard = Vec::new();
    let busy = share(&mut || heard = listen(&mut pages, span).0);
    let kib = heard.iter().sum::<usize>() as f64 / 1024.0 / span.as_secs_f64();
    println!(
        "{PAGES} pages: {busy:.1} % of a core, {idle:.1} % without them; {kib:.0} KiB a second; {} MiB of memory",
        broker.memory_kib("VmRSS:") / 1024
    );
    // Nobody reads: what is not read is not kept for them.
    std::thread::sleep(Duration::from_secs(5));
    let grown = broker.memory_kib("VmRSS:").saturating_sub(before) / 1024;
    assert!(grown < 64, "{grown} MiB more");
    let took = broker.stop();
    assert!(took < STOP_WITHIN, "{took:?}");
    let (_, ended) = listen(&mut pages, Duration::from_secs(5));
    assert_eq!(ended, PAGES);
}
