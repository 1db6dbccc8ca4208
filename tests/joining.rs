//! A class comes in: the running program with `--classroom`, over HTTP and with the credentials it gave out.

#[path = "process/client.rs"]
mod client;
#[path = "process/http.rs"]
mod http;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use client::{Client, text};
use http::ask;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use running::Running;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::tempdir;

const CODE: &str = "otter-4821";
const STUDENTS: usize = 300;

fn classroom(folder: &Path) -> Running {
    Running::start(folder, &["--classroom", "--workshop-code", CODE, "--ballast-mib", "0"])
}

fn done((status, answer): (u16, Value)) -> Value {
    assert_eq!(status, 200, "{answer}");
    answer
}

fn join(address: SocketAddr, invite: Option<&str>) -> Value {
    done(ask(address, "POST", "/api/join", None, &json!({ "code": CODE, "invite": invite })))
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn log_in(broker: &Running, user: &str, password: &str) -> (u16, Value) {
    ask(broker.http.unwrap(), "POST", "/api/login", None, &json!({ "user": user, "password": password }))
}

/// Whether a Kafka client gets in with this password, and if so, the connection.
fn kafka_login(broker: &Running, user: &str, password: &str) -> Option<Client> {
    let mut client = Client::connect(broker.kafka);
    let handshake = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    assert_eq!(handshake.error_code, 0);
    let bytes = format!("\0{user}\0{password}").into_bytes().into();
    let answer = client.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(bytes));
    (answer.error_code == 0).then_some(client)
}

#[test]
fn three_hundred_join_at_once_and_all_are_known_after_a_kill() {
    let folder = tempdir().unwrap();
    let mut broker = classroom(folder.path());
    let address = broker.http.unwrap();
    let begun = Instant::now();
    let joining: Vec<_> = (0..STUDENTS).map(|_| std::thread::spawn(move || join(address, None))).collect();
    let joined: Vec<Value> = joining.into_iter().map(|thread| thread.join().expect("a student")).collect();
    let took = begun.elapsed();
    println!("{STUDENTS} joins at once in {took:.2?}: {:.0} a second", STUDENTS as f64 / took.as_secs_f64());
    let distinct = |field: &str| joined.iter().map(|one| text_of(one, field).to_owned()).collect::<BTreeSet<_>>();
    for field in ["id", "user", "password", "prefix", "invite", "token"] {
        assert_eq!(distinct(field).len(), STUDENTS, "{field}");
    }
    for id in distinct("id") {
        let (adjective, animal) = id.split_once('-').expect("two words");
        assert!([adjective, animal].iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())), "{id}");
    }
    broker.end(Signal::KILL);
    // Not one password is on the disk.
    let secrets = distinct("password");
    let mut files = 0;
    let mut folders = vec![folder.path().join("data")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let content = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
            assert!(!secrets.iter().any(|secret| content.contains(secret.as_str())), "{}", entry.display());
            files += 1;
        }
    }
    assert!(files > 5);
    let begun = Instant::now();
    let broker = classroom(folder.path());
    println!("started with {STUDENTS} students in {:.2?}", begun.elapsed());
    for one in joined.iter().step_by(30) {
        let me = done(ask(broker.http.unwrap(), "GET", "/api/me", Some(text_of(one, "token")), &Value::Null));
        assert_eq!((&me["id"], &me["prefix"], &me["invite"]), (&one["id"], &one["prefix"], &one["invite"]));
        assert!(kafka_login(&broker, text_of(one, "user"), text_of(one, "password")).is_some());
    }
    assert!(broker.stop() < Duration::from_secs(20));
}

#[test]
fn a_password_opens_its_own_doors_and_no_others() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let (one, other) = (join(broker.http.unwrap(), None), join(broker.http.unwrap(), None));
    let (user, password) = (text_of(&one, "user"), text_of(&one, "password"));
    assert!(kafka_login(&broker, user, password).is_some());
    assert!(kafka_login(&broker, user, text_of(&other, "password")).is_none());
    assert_eq!(log_in(&broker, user, password).1["role"], "student");
    assert_eq!(log_in(&broker, user, "guess").0, 401);
}

#[test]
fn partners_share_an_identity_each_with_a_password_and_a_team_is_two() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let address = broker.http.unwrap();
    let first = join(address, None);
    let (id, invite) = (text_of(&first, "id"), text_of(&first, "invite"));
    assert_eq!(ask(address, "POST", "/api/join", None, &json!({ "code": CODE, "invite": format!("{id}:AAAAAA") })).0, 403);
    assert_eq!(ask(address, "POST", "/api/join", None, &json!({ "code": "wrong", "invite": invite })).0, 403);
    let second = join(address, Some(&invite.to_lowercase()));
    assert_eq!((text_of(&second, "id"), text_of(&second, "user")), (id, format!("{id}-2").as_str()));
    assert_eq!((&second["prefix"], &second["invite"]), (&first["prefix"], &Value::Null));
    assert_ne!(first["password"], second["password"]);
    let me = done(ask(address, "GET", "/api/me", Some(text_of(&second, "token")), &Value::Null));
    assert_eq!(me["team"], json!([id, format!("{id}-2")]));
    let (status, told) = ask(address, "POST", "/api/join", None, &json!({ "code": CODE, "invite": invite }));
    assert_eq!(status, 403, "{told}");
    let mut client = kafka_login(&broker, text_of(&second, "user"), text_of(&second, "password")).expect("a login");
    client.create_topic(&format!("{}shared", text_of(&first, "prefix")), 1, &[]);
    // Coming back: the same identity, and no second password.
    let again = done(ask(address, "POST", "/api/join", Some(text_of(&first, "token")), &json!({ "code": "" })));
    assert_eq!((&again["id"], &again["user"], &again["password"]), (&first["id"], &first["user"], &Value::Null));
}

#[test]
fn the_instructor_reissues_renames_and_removes_and_it_lasts() {
    let folder = tempdir().unwrap();
    let mut broker = classroom(folder.path());
    let secret = broker.instructor_secret().to_owned();
    let address = broker.http.unwrap();
    let (ada, bob) = (join(address, None), join(address, None));
    let boss = done(log_in(&broker, "instructor", &secret));
    let boss = text_of(&boss, "token");
    let ada_id = text_of(&ada, "id").to_owned();
    let path = format!("/api/students/{ada_id}");
    assert_eq!(done(ask(address, "PUT", &path, Some(boss), &json!({ "name": "Ada <b>L.</b>" })))["name"], "Ada <b>L.</b>");
    assert_eq!(ask(address, "PUT", &path, Some(boss), &json!({ "name": "" })).0, 400);
    let new = done(ask(address, "POST", &format!("{path}/password"), Some(boss), &json!({})));
    assert_eq!((new.as_array().unwrap().len(), &new[0]["user"]), (1, &ada["user"]));
    // The old password and the old session are gone.
    assert!(kafka_login(&broker, &ada_id, text_of(&ada, "password")).is_none());
    let mut client = kafka_login(&broker, &ada_id, text_of(&new[0], "password")).expect("a login");
    assert_eq!(done(ask(address, "GET", "/api/me", Some(text_of(&ada, "token")), &Value::Null))["role"], "nobody");
    let topic = format!("ws.{ada_id}.c01");
    client.create_topic(&topic, 1, &[]);
    // A student renews their own.
    let renewed = done(ask(address, "POST", "/api/me/password", Some(text_of(&bob, "token")), &json!({})));
    assert!(kafka_login(&broker, text_of(&bob, "user"), text_of(&renewed, "password")).is_some());
    assert_eq!(done(ask(address, "GET", "/api/me", Some(text_of(&bob, "token")), &Value::Null))["role"], "nobody");
    let removed = done(ask(address, "DELETE", &path, Some(boss), &Value::Null));
    assert_eq!((&removed["users"], &removed["topics"]), (&json!([ada_id]), &json!([topic])), "{removed}");
    assert_eq!(ask(address, "DELETE", &path, Some(boss), &Value::Null).0, 404);
    broker.end(Signal::KILL);
    let broker = classroom(folder.path());
    let address = broker.http.unwrap();
    assert!(kafka_login(&broker, &ada_id, text_of(&new[0], "password")).is_none());
    assert_eq!(log_in(&broker, &ada_id, text_of(&new[0], "password")).0, 401);
    let list = done(ask(address, "GET", "/api/students", Some(boss), &Value::Null));
    assert_eq!((text_of(&list, "code"), list["students"].as_array().unwrap().len()), (CODE, 1), "{list}");
    assert_eq!(list["students"][0]["id"], bob["id"]);
    // All sessions of the instructor end at once.
    done(ask(address, "POST", "/api/logout", Some(boss), &json!({ "everywhere": true })));
    assert_eq!(ask(address, "GET", "/api/students", Some(boss), &Value::Null).0, 401);
    assert_eq!(log_in(&broker, "instructor", &secret).0, 200);
}

#[test]
fn the_code_is_made_once_kept_and_replaced_by_a_setting() {
    let folder = tempdir().unwrap();
    let code = |broker: &Running| {
        let line = broker.banner.lines().find_map(|line| line.trim_start().strip_prefix("Workshop code")).expect("a code");
        line.trim().to_owned()
    };
    let broker = Running::start(folder.path(), &["--classroom"]);
    let made = code(&broker);
    assert!(made.split_once('-').is_some_and(|(animal, number)| animal.len() > 2 && number.len() == 4), "{made}");
    let joined = done(ask(broker.http.unwrap(), "POST", "/api/join", None, &json!({ "code": format!(" {} ", made.to_uppercase()) })));
    broker.stop();
    let broker = Running::start(folder.path(), &["--classroom"]);
    assert_eq!(code(&broker), made);
    broker.stop();
    let broker = classroom(folder.path());
    assert_eq!(code(&broker), CODE);
    assert_eq!(ask(broker.http.unwrap(), "POST", "/api/join", None, &json!({ "code": made })).0, 403);
    let me = done(ask(broker.http.unwrap(), "GET", "/api/me", Some(text_of(&joined, "token")), &Value::Null));
    assert_eq!(me["id"], joined["id"]);
}
