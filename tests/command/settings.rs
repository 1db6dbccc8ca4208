//! Each setting as a flag, as a variable and in the file: what it does, and what is refused.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use headwater::config::settings::{SETTING_ROWS, SettingKind, SettingRow};
use headwater::http::snippet::FIRST_TOPIC;
use rustix::process::Signal;
use tempfile::tempdir;

use crate::client::Client;
use crate::running::{Running, ended};
use crate::{assert_refused, eventually, free_port, metric, told, with_usual_flags};

/// Where a setting can be given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Flag,
    Variable,
    File,
}

const PLACES: [Place; 3] = [Place::Flag, Place::Variable, Place::File];

/// Gives one setting in one place. Those with a flag of their own are not among `others`.
fn give(command: &mut Command, folder: &Path, place: Place, row: &SettingRow, value: &str) {
    match place {
        Place::Flag => drop(command.args([format!("--{}", row.name), value.to_owned()])),
        Place::Variable => drop(command.env(row.variable(), value)),
        Place::File => {
            let line = match (row.name, value.split_once('=')) {
                ("set", Some((name, value))) => format!("[broker]\n\"{name}\" = \"{value}\"\n"),
                ("set", None) => format!("[broker]\n\"{value}\" = 1\n"),
                _ => format!("{} = \"{value}\"\n", row.name),
            };
            std::fs::write(folder.join("settings.toml"), line).expect("settings file");
            command.args(["--config", "settings.toml"]);
        }
    }
}

/// The places a row may be given in.
fn places(row: &SettingRow) -> Vec<Place> {
    PLACES.into_iter().filter(|place| *place != Place::File || row.in_file || row.name == "set").collect()
}

/// A text that a row does not take; none for those that take any.
fn bad_value(row: &SettingRow) -> Option<&'static str> {
    match row.kind {
        SettingKind::Path | SettingKind::Text => None,
        SettingKind::Address | SettingKind::AddressOrOff => Some("127.0.0.1:99999"),
        SettingKind::Advertise => Some("http://a b"),
        SettingKind::Listener => Some("A=HTTP"),
        SettingKind::Names => Some("a b"),
        SettingKind::OnOff | SettingKind::Switch => Some("perhaps"),
        SettingKind::Number => Some("many"),
        SettingKind::Speed => Some("soon"),
        SettingKind::Choice(_) => Some("loud"),
        SettingKind::BrokerConfig => Some("log.retention.hours=soon"),
    }
}

#[test]
fn a_bad_value_is_refused_wherever_it_stands() {
    let folder = tempdir().unwrap();
    let mut count = 0;
    for row in SETTING_ROWS {
        let Some(bad) = bad_value(row) else { continue };
        for place in places(row) {
            let mut start = with_usual_flags(folder.path(), row.name);
            give(&mut start, folder.path(), place, row, bad);
            let named = match place {
                Place::Flag => format!("--{}", row.name),
                Place::Variable => row.variable(),
                Place::File if row.name == "set" => "settings.toml: [broker] log.retention.hours".to_owned(),
                Place::File => format!("settings.toml: {}", row.name),
            };
            assert_refused(&ended(start), &[&named, bad.rsplit('=').next().unwrap()]);
            assert!(!folder.path().join("data").exists(), "{named}");
            count += 1;
        }
    }
    println!("{count} bad values refused");
}

/// What a row is set to, and how that shows.
struct Shown {
    setting: &'static str,
    value: String,
    check: fn(&mut Running, &Path, &str),
}

fn config(running: &Running, name: &str) -> Option<String> {
    let configs = Client::connect(running.kafka).configs(4, "");
    let configs = if configs.iter().any(|(n, ..)| n == name) { configs } else { own_configs(running) };
    configs.into_iter().find(|(n, ..)| n == name).and_then(|(_, value, _)| value)
}

fn own_configs(running: &Running) -> Vec<(String, Option<String>, i8)> {
    let mut client = Client::connect(running.kafka);
    let id = client.metadata(None).brokers[0].node_id.0.to_string();
    client.configs(4, &id)
}

/// Asks for a topic until it is there; its partitions.
fn asked_into_being(running: &Running, topic: &str) -> usize {
    let mut client = Client::connect(running.kafka);
    let asked = (0..3).map(|_| client.metadata(Some(&[topic])).topics.remove(0).partitions.len());
    asked.last().unwrap()
}

fn shown_settings() -> Vec<Shown> {
    let shown = |setting, value: &str, check| Shown { setting, value: value.to_owned(), check };
    vec![
        shown("data-dir", "elsewhere/deep", |_, folder, value| {
            assert!(folder.join(value).join("meta.properties").is_file());
            assert!(!folder.join("headwater-data").exists() && !folder.join("data").exists());
        }),
        shown("listen", &format!("127.0.0.1:{}", free_port()), |running, _, value| assert_eq!(running.kafka.to_string(), value)),
        shown("listener", "A=PLAINTEXT://127.0.0.1:0@lab-pc:1", |running, _, _| assert_eq!(told(running.kafka), "lab-pc:1")),
        shown("https", "127.0.0.1:0", |running, _, _| assert!(running.banner.contains("https://127.0.0.1:"))),
        shown("tls-names", "a,b", |_, _, _| {}),
        shown("http-names", "a,b", |_, _, _| {}),
        shown("classroom", "on", |running, _, _| assert!(running.instructor_secret().len() > 20)),
        shown("workshop-code", "otter-4821", |running, _, _| assert!(running.stderr().contains("--classroom only"))),
        shown("instructor-secret", "correct horse battery", |running, _, _| assert!(running.stderr().contains("opens nothing"))),
        shown("new-instructor-secret", "on", |running, _, _| assert!(running.stderr().contains("opens nothing"))),
        shown("plain-in-clear", "on", |running, _, _| assert!(running.stderr().contains("can read them"))),
        shown("http", "off", |running, _, _| assert_eq!(running.http, None)),
        shown("http", &format!("127.0.0.1:{}", free_port()), |running, _, value| assert_eq!(running.http.unwrap().to_string(), value)),
        shown("advertise", "lab-pc:19092", |running, _, value| assert_eq!(told(running.kafka), value)),
        shown("generators", "on", |running, _, _| {
            let begun = Instant::now();
            let topics = || Client::connect(running.kafka).metadata(None).topics;
            while !topics().iter().any(|t| t.name.as_ref().is_some_and(|n| n.0.as_str() == FIRST_TOPIC)) {
                assert!(begun.elapsed() < Duration::from_secs(30), "no topic");
                std::thread::sleep(Duration::from_millis(50));
            }
            // The ledger is there for who knows it, and in no list.
            let mut client = Client::connect(running.kafka);
            while client.list_offset(FIRST_TOPIC, 0, -1).1 <= 0 {
                assert!(begun.elapsed() < Duration::from_secs(30), "no record");
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(topics().iter().all(|t| t.name.as_ref().is_some_and(|n| !n.0.starts_with('_'))) && topics().len() == 4);
            let ledger = &client.metadata(Some(&["_truth"])).topics[0];
            assert_eq!((ledger.is_internal, ledger.partitions.len()), (true, 1));
        }),
        shown("generators", "off", |running, _, _| assert!(Client::connect(running.kafka).metadata(None).topics.is_empty())),
        // What it does is for the generators' own tests.
        shown("seed", "7", |_, _, _| {}),
        shown("dirt", "2", |_, _, _| {}),
        shown("clock", "virtual", |_, _, _| {}),
        shown("speed", "1", |_, _, _| {}),
        shown("num-partitions", "3", |running, _, _| {
            assert_eq!(config(running, "num.partitions").as_deref(), Some("3"));
            assert_eq!(asked_into_being(running, "made"), 3);
        }),
        shown("auto-create-topics", "off", |running, _, _| assert_eq!(asked_into_being(running, "never-made"), 0)),
        shown("node-id", "5", |running, _, _| {
            let metadata = Client::connect(running.kafka).metadata(None);
            assert_eq!((metadata.brokers[0].node_id.0, metadata.controller_id.0), (5, 5));
        }),
        shown("log-level", "error", |running, _, _| {
            let mut garbage = Client::connect(running.kafka);
            std::io::Write::write_all(&mut garbage.stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
            assert!(garbage.receive().is_err());
            assert_eq!(running.stderr(), "");
        }),
        // Our own once more: each takes its own place.
        shown("challenges", concat!(env!("CARGO_MANIFEST_DIR"), "/challenges"), |running, _, _| {
            eventually(running, "/api/challenges", "\"id\":\"c01\"");
        }),
        shown("wheelhouse", ".", |running, _, _| assert_eq!(running.get("/wheels/").status, 200)),
        shown("disk-warn-percent", "0", |running, _, _| {
            let page = running.get("/metrics").body;
            assert_eq!(metric(&page, "headwater_disk_warning_bytes"), metric(&page, "headwater_disk_floor_bytes"));
        }),
        shown("disk-floor-percent", "0", |running, _, _| eventually(running, "/metrics", "\nheadwater_disk_floor_bytes 268435456\n")),
        shown("disk-ceiling-mib", "300", |running, _, _| eventually(running, "/metrics", "\nheadwater_disk_floor_bytes 314572800\n")),
        shown("disk-floor-mib", "999999999", |running, _, _| eventually(running, "/healthz", "the disk is full")),
        shown("ballast-mib", "1", |running, _, _| eventually(running, "/metrics", "\nheadwater_disk_ballast_bytes 1048576\n")),
        shown("read-only-after", "1", |running, folder, value| {
            running.end(Signal::KILL);
            *running = Running::start(folder, &["--read-only-after", value]);
            eventually(running, "/healthz", "read-only");
        }),
        shown("set", "log.retention.hours=7", |running, _, _| {
            assert_eq!(config(running, "log.retention.hours").as_deref(), Some("7"));
        }),
    ]
}

#[test]
fn every_setting_works_alone_as_flag_as_variable_and_in_the_file() {
    let all = shown_settings();
    // These do nothing alone; those of another cluster need one (tests/cluster).
    let others = ["config", "tls-cert", "tls-key", "cluster", "cluster-config", "cluster-student-config"];
    let names = SETTING_ROWS.iter().map(|row| row.name).filter(|name| !others.contains(name));
    let untested: Vec<&str> = names.filter(|name| !all.iter().any(|s| s.setting == *name)).collect();
    assert!(untested.is_empty(), "{untested:?}");
    for shown in all {
        let row = SETTING_ROWS.iter().find(|row| row.name == shown.setting).unwrap();
        for place in places(row) {
            let folder = tempdir().unwrap();
            let mut start = with_usual_flags(folder.path(), row.name);
            give(&mut start, folder.path(), place, row, &shown.value);
            let mut running = Running::from_command(start, folder.path());
            (shown.check)(&mut running, folder.path(), &shown.value);
            running.stop();
        }
    }
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_the_file() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("hw.toml"), "node-id = 3\nnum-partitions = 3\nadvertise = \"from-file\"\n").unwrap();
    let mut start = with_usual_flags(folder.path(), "");
    start.env("HEADWATER_CONFIG", "hw.toml").env("HEADWATER_NODE_ID", "4").env("HEADWATER_NUM_PARTITIONS", "4").args(["--node-id", "5"]);
    let running = Running::from_command(start, folder.path());
    let metadata = Client::connect(running.kafka).metadata(None);
    assert_eq!((metadata.brokers[0].node_id.0, metadata.brokers[0].host.as_str()), (5, "from-file"));
    assert_eq!(config(&running, "num.partitions").as_deref(), Some("4"));
    running.stop();
}
