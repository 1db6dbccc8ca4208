//! Students who try what is not theirs, against the running program with the rights that joining really gives.

#[path = "process/client.rs"]
mod client;
#[path = "process/http.rs"]
mod http;
#[path = "process/running.rs"]
mod running;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use client::{Client, text, topic_name};
use http::ask;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::*;
use running::Running;
use serde_json::{Value, json};
use tempfile::tempdir;

const CODE: &str = "otter-4821";
const CLUSTER_REFUSED: i16 = 31;

fn classroom(folder: &Path) -> Running {
    Running::start(folder, &["--classroom", "--workshop-code", CODE, "--ballast-mib", "0"])
}

struct Student {
    id: String,
    user: String,
    password: String,
    token: String,
}

fn join(broker: &Running) -> Student {
    let (status, answer) = ask(broker.http.unwrap(), "POST", "/api/join", None, &json!({ "code": CODE }));
    assert_eq!(status, 200, "{answer}");
    let text = |field: &str| answer[field].as_str().unwrap_or_else(|| panic!("no {field}")).to_owned();
    Student { id: text("id"), user: text("user"), password: text("password"), token: text("token") }
}

fn try_login(broker: &Running, user: &str, password: &str) -> (i16, Client) {
    let mut client = Client::connect(broker.kafka);
    let handshake = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    assert_eq!(handshake.error_code, 0);
    let bytes = format!("\0{user}\0{password}").into_bytes().into();
    let answer = client.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(bytes));
    (answer.error_code, client)
}

fn login(broker: &Running, user: &str, password: &str) -> Client {
    let (error, client) = try_login(broker, user, password);
    assert_eq!(error, 0);
    client
}

impl Student {
    fn client(&self, broker: &Running) -> Client {
        login(broker, &self.user, &self.password)
    }
}

fn instructor(broker: &Running) -> String {
    let body = json!({ "user": "instructor", "password": broker.instructor_secret() });
    let (status, answer) = ask(broker.http.unwrap(), "POST", "/api/login", None, &body);
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

fn commit(client: &mut Client, group: &str, topic: &str) {
    let request =
        OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_generation_id_or_member_epoch(-1).with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)]),
        ]);
    assert_eq!(client.ask(8, &request).topics[0].partitions[0].error_code, 0);
}

#[test]
fn a_student_learns_nothing_of_other_users_rules_groups_and_files() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let (one, other) = (join(&broker), join(&broker));
    let mut victim = one.client(&broker);
    let topic = format!("ws.{}.diary", one.id);
    victim.create_topic(&topic, 1, &[]);
    commit(&mut victim, &format!("{}-secret", one.id), &topic);
    let mut eve = other.client(&broker);
    let everything =
        DescribeAclsRequest::default().with_resource_type_filter(1).with_pattern_type_filter(1).with_operation(1).with_permission_type(1);
    assert_eq!(eve.ask(3, &everything).error_code, CLUSTER_REFUSED, "rules name every student");
    let users = DescribeUserScramCredentialsRequest::default().with_users(None);
    assert_eq!(eve.ask(0, &users).error_code, CLUSTER_REFUSED, "who there is");
    let folders = eve.ask(4, &DescribeLogDirsRequest::default().with_topics(None));
    assert_eq!(folders.error_code, CLUSTER_REFUSED, "all topics with their sizes");
    assert_eq!(eve.ask(1, &DescribeClientQuotasRequest::default()).error_code, CLUSTER_REFUSED);
    let groups = eve.ask(4, &ListGroupsRequest::default()).groups;
    assert!(groups.is_empty(), "{groups:?}");
    let mut instructor = login(&broker, "instructor", broker.instructor_secret());
    assert_eq!(instructor.ask(4, &ListGroupsRequest::default()).groups.len(), 1);
    // What idempotent producers need is still there.
    let idempotent = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000);
    assert_eq!(eve.ask(4, &idempotent).error_code, 0);
}

fn batch() -> bytes::Bytes {
    use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1_795_000_000_000), value: Some(b"x"), ..NewRecord::default() });
    batch.build().expect("a batch").to_bytes()
}

#[test]
fn a_student_cannot_break_a_log_into_thousands_of_files() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let one = join(&broker);
    let mut client = one.client(&broker);
    let maps = || std::fs::read_to_string(format!("/proc/{}/maps", broker.pid())).unwrap().lines().count();
    let (before, mut made) = (maps(), 0);
    for (number, config) in [("internal.segment.bytes", "100"), ("segment.ms", "1")].into_iter().enumerate() {
        let topic = format!("ws.{}.t{number}", one.id);
        let create = CreateTopicsRequest::default().with_timeout_ms(5_000).with_topics(vec![
            create_topics_request::CreatableTopic::default()
                .with_name(topic_name(&topic))
                .with_num_partitions(1)
                .with_replication_factor(1)
                .with_configs(vec![
                    create_topics_request::CreatableTopicConfig::default().with_name(text(config.0)).with_value(Some(text(config.1))),
                ]),
        ]);
        if client.ask(7, &create).topics[0].error_code != 0 {
            continue;
        }
        made += 1;
        for _ in 0..300 {
            client.produce(&topic, 0, batch());
        }
    }
    let data = folder.path().join("data");
    let logs = walk(&data).into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "log")).count();
    println!("{made} topics made, {logs} segments, {} maps more", maps() - before);
    assert!(logs < 120, "{logs} segments after 600 records");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() { files.extend(walk(&entry.path())) } else { files.push(entry.path()) }
    }
    files
}

#[test]
fn what_the_broker_keeps_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let (one, _) = (join(&broker), join(&broker));
    one.client(&broker).create_topic(&format!("ws.{}.diary", one.id), 1, &[]);
    let open: Vec<_> = walk(&folder.path().join("data"))
        .into_iter()
        .filter(|path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0)
        .collect();
    assert!(open.is_empty(), "others on this machine can read what signs the sessions: {open:?}");
}

/// What the broker says of a session.
fn role(broker: &Running, token: &str) -> Value {
    ask(broker.http.unwrap(), "GET", "/api/me", Some(token), &Value::Null).1["role"].clone()
}

/// As Kafka's tools change a password.
fn set_password(client: &mut Client, user: &str, password: &str) {
    use alter_user_scram_credentials_request::ScramCredentialUpsertion;
    use headwater::security::Hash;
    let salt = vec![7; 24];
    let salted = Hash::Sha256.salted_password(password.as_bytes(), &salt, 4096);
    let upsertion = ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(1)
        .with_iterations(4096)
        .with_salt(salt.into())
        .with_salted_password(salted.into());
    let answer = client.ask(0, &AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]));
    assert_eq!(answer.results[0].error_code, 0, "{answer:?}");
}

#[test]
fn a_session_ends_with_the_password_however_that_was_changed() {
    let folder = tempdir().unwrap();
    let mut broker = classroom(folder.path());
    let one = join(&broker);
    let stolen = instructor(&broker);
    assert_eq!((role(&broker, &one.token), role(&broker, &stolen)), (json!("student"), json!("instructor")));
    let mut kafka = login(&broker, "instructor", broker.instructor_secret());
    set_password(&mut kafka, &one.user, "another password");
    assert_eq!(role(&broker, &one.token), json!("nobody"));
    set_password(&mut kafka, "instructor", "another password");
    assert_eq!(role(&broker, &stolen), json!("nobody"));
    let body = json!({ "user": "instructor", "password": "another password" });
    let token = ask(broker.http.unwrap(), "POST", "/api/login", None, &body).1["token"].as_str().unwrap().to_owned();
    broker.end(rustix::process::Signal::TERM);
    let flags = ["--classroom", "--workshop-code", CODE, "--ballast-mib", "0"];
    let broker = Running::start(folder.path(), &flags);
    assert_eq!(role(&broker, &token), json!("instructor"), "a restart ends no session");
    drop(broker);
    let broker = Running::start(folder.path(), &[&flags[..], &["--new-instructor-secret"]].concat());
    assert_eq!(role(&broker, &token), json!("nobody"), "a new secret does");
}

#[test]
fn who_is_removed_is_cut_off_at_the_next_request() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let (one, other) = (join(&broker), join(&broker));
    let (mut gone, mut stays) = (one.client(&broker), other.client(&broker));
    gone.metadata(None);
    let token = instructor(&broker);
    let (status, answer) = ask(broker.http.unwrap(), "DELETE", &format!("/api/students/{}", one.id), Some(&token), &Value::Null);
    assert_eq!(status, 200, "{answer}");
    assert!(gone.try_ask(9, &MetadataRequest::default().with_topics(None)).is_err());
    stays.metadata(None);
    assert_eq!(try_login(&broker, &one.user, &one.password).0, 58);
    assert_eq!(role(&broker, &one.token), json!("nobody"));
}

#[test]
fn who_has_the_code_does_not_use_up_all_names() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let address = broker.http.unwrap();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let greedy = || (0..60).map(|_| ask(address, "POST", "/api/join", None, &json!({ "code": CODE })).0).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(greedy)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let joined = statuses.iter().filter(|status| **status == 200).count();
    assert!((400..=430).contains(&joined) && statuses.contains(&429), "{joined} of {}", statuses.len());
    instructor(&broker);
}

#[test]
fn who_only_holds_connections_keeps_nobody_from_the_pages() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let address = broker.http.unwrap();
    let held: Vec<TcpStream> = (0..1_100)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            }
            stream
        })
        .collect();
    let begun = std::time::Instant::now();
    assert_eq!(broker.get("/healthz").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(held);
}

#[test]
fn a_head_takes_little_memory() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let mut stream = TcpStream::connect(broker.http.unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000)).as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[test]
fn who_knocks_all_night_does_not_fill_the_disk_with_lines() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..20 {
            let broker = &broker;
            scope.spawn(move || (0..20).for_each(|n| assert_eq!(try_login(broker, &format!("user-{thread}-{n}"), "guess").0, 58)));
        }
    });
    let lines = broker.stderr().lines().filter(|line| line.contains("a login failed")).count();
    assert!((50..300).contains(&lines), "{lines} lines for 400 failures");
    assert!(broker.stderr().len() < 100_000);
}

#[test]
fn a_stranger_asks_a_few_things_and_then_has_to_log_in() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let mut client = Client::connect(broker.kafka);
    let versions = ApiVersionsRequest::default().with_client_software_name(text("x")).with_client_software_version(text("1"));
    let answered = (0..1_000).take_while(|_| client.try_ask(3, &versions).is_ok()).count();
    assert!((5..=50).contains(&answered), "{answered}");
}

#[test]
fn a_kill_between_joins_and_removals_leaves_nobody_half_in() {
    let folder = tempdir().unwrap();
    let (mut inside, mut outside): (Vec<Student>, Vec<Student>) = (Vec::new(), Vec::new());
    let mut broker = classroom(folder.path());
    let secret = broker.instructor_secret().to_owned();
    for round in 0..4u64 {
        let address = broker.http.unwrap();
        let body = json!({ "user": "instructor", "password": secret });
        let token = ask(address, "POST", "/api/login", None, &body).1["token"].as_str().unwrap().to_owned();
        let stop = std::time::Instant::now() + Duration::from_millis(400 + 130 * round);
        let leaving: Vec<Student> = inside.drain(..inside.len() / 2).collect();
        let (joined, removed) = std::thread::scope(|scope| {
            let joining: Vec<_> = (0..3).map(|_| scope.spawn(move || while_it_lives(|| try_join(address)))).collect();
            let removing = scope.spawn(|| {
                let mut leaving = leaving.into_iter();
                while_it_lives(|| {
                    let one = leaving.next()?;
                    let path = format!("/api/students/{}", one.id);
                    let done = try_ask(address, "DELETE", &path, Some(&token), &Value::Null).is_some_and(|(status, _)| status == 200);
                    Some((one, done))
                })
            });
            std::thread::sleep(stop.saturating_duration_since(std::time::Instant::now()));
            broker.end(rustix::process::Signal::KILL);
            let joined: Vec<Student> = joining.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            (joined, removing.join().unwrap())
        });
        inside.extend(joined);
        // Of the one that was being removed nobody knows.
        outside.extend(removed.into_iter().filter(|(_, done)| *done).map(|(one, _)| one));
        broker = classroom(folder.path());
        assert_eq!(ask(broker.http.unwrap(), "GET", "/api/students", Some(&token), &Value::Null).0, 200, "sessions outlive it");
        for one in &inside {
            assert_eq!(role(&broker, &one.token), json!("student"), "{} of {}", one.id, inside.len());
        }
        assert!(outside.iter().all(|one| role(&broker, &one.token) == json!("nobody")));
        if let (Some(known), Some(gone)) = (inside.last(), outside.last().or(inside.first())) {
            known.client(&broker).metadata(None);
            assert!(outside.is_empty() || try_login(&broker, &gone.user, &gone.password).0 == 58);
        }
    }
    println!("{} are in, {} were removed", inside.len(), outside.len());
}

fn while_it_lives<T>(next: impl FnMut() -> Option<T>) -> Vec<T> {
    std::iter::from_fn(next).collect()
}

fn try_join(address: SocketAddr) -> Option<Student> {
    let (status, answer) = try_ask(address, "POST", "/api/join", None, &json!({ "code": CODE }))?;
    let text = |field: &str| answer[field].as_str().map(str::to_owned);
    (status == 200).then_some(())?;
    Some(Student { id: text("id")?, user: text("user")?, password: text("password")?, token: text("token")? })
}

/// As `ask`, of a broker that may be killed meanwhile.
fn try_ask(address: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &Value) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n{token}");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}
