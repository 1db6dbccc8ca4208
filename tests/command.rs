//! The command as its user meets it: starts, settings, refusals, the banner, the pages, the address that clients are told.

#[path = "process/client.rs"]
mod client;
#[path = "process/prometheus.rs"]
mod prometheus;
#[path = "process/running.rs"]
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, text};
use headwater::config::settings::{SETTING_ROWS, SettingKind, SettingRow};
use headwater::http::snippet::FIRST_TOPIC;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{ApiVersionsRequest, GroupId, OffsetCommitRequest};
use prometheus::assert_prometheus;
use running::{Ended, Running, command, command_with_usual_flags, ended};
use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

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

fn with_usual_flags(folder: &Path, but: &str) -> Command {
    command_with_usual_flags(folder, &[&format!("--{but}")])
}

/// Every file below a folder with its content.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            found.insert(name, Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(name, std::fs::read(&path).expect("file"));
        }
    }
    found
}

/// One line on the error output that begins with the program's name, a status that is not 0, nothing else printed.
fn assert_refused(ended: &Ended, wanted: &[&str]) {
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("headwater: "), "{ended:?}");
    assert!(ended.status.code().is_some_and(|code| code != 0), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for words in wanted {
        assert!(lines[0].contains(words), "{words:?} is not in {:?}", lines[0]);
    }
}

/// The banner with its ports blanked.
fn shape(running: &Running) -> String {
    let ports = [running.kafka.port(), running.http.expect("pages").port()];
    ports.iter().fold(running.banner.clone(), |text, port| text.replace(&format!(":{port}"), ":PORT"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address").port()
}

#[test]
fn with_and_without_the_verb_the_same_broker_starts() {
    let (bare, verb) = (tempdir().unwrap(), tempdir().unwrap());
    let flags = ["--data-dir", "data", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--generators", "off"];
    let start = |folder: &TempDir, verb: &[&str]| {
        let mut command = command(folder.path());
        command.args(verb).args(flags);
        Running::from_command(command, folder.path())
    };
    let (one, other) = (start(&bare, &[]), start(&verb, &["serve"]));
    assert_eq!(shape(&one), shape(&other));
    let answers = |running: &Running| {
        let configs = Client::connect(running.kafka).configs(4, "1");
        let configs: Vec<_> = configs.into_iter().filter(|(name, ..)| name != "listeners").collect();
        (running.get("/healthz").status, Client::connect(running.kafka).metadata(None).topics.len(), configs)
    };
    assert_eq!(answers(&one), answers(&other));
    let files = |folder: &TempDir| -> BTreeSet<String> {
        let root = folder.path().to_string_lossy().into_owned();
        contents(&folder.path().join("data")).keys().map(|path| path.replace(&root, "")).collect()
    };
    assert_eq!(files(&bare), files(&verb));
    one.stop();
    other.stop();
}

#[test]
fn what_the_banner_says_is_true_when_it_appears() {
    let folder = tempdir().unwrap();
    let begun = Instant::now();
    let running = Running::start(folder.path(), &[]);
    println!("ready after {:?}", begun.elapsed());
    let http = running.http.expect("pages");
    for address in [running.kafka, http] {
        assert!(running.banner.contains(&address.to_string()), "{}", running.banner);
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("already reachable");
    }
    assert_eq!(Client::connect(running.kafka).metadata(None).brokers.len(), 1);
    assert_eq!(running.get("/healthz").body, "ok\n");
    running.stop();
}

#[test]
fn help_names_every_setting_and_touches_nothing() {
    let folder = tempdir().unwrap();
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let mut asked = command(folder.path());
        asked.args(arguments);
        let help = ended(asked);
        assert!(help.status.success() && help.stderr.is_empty(), "{help:?}");
        let words = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for row in SETTING_ROWS {
            let value = if row.kind == SettingKind::Switch { format!("[<{}>]", row.value) } else { format!("<{}>", row.value) };
            assert!(words.contains(&format!("--{} {value} {}", row.name, row.doc)), "{}", row.name);
            assert!(row.default.is_empty() || words.contains(&format!("{} [default: {}]", row.doc, row.default)), "{}", row.name);
        }
    }
    let mut asked = command(folder.path());
    asked.arg("--version");
    assert_eq!(ended(asked).stdout.trim(), format!("headwater {}", env!("CARGO_PKG_VERSION")));
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn a_taken_port_is_refused_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["listen", "http"] {
        let folder = tempdir().unwrap();
        let mut start = with_usual_flags(folder.path(), flag);
        start.args([&format!("--{flag}"), &address]);
        let refused = ended(start);
        assert_refused(&refused, &[&format!("port {} on 127.0.0.1 is taken", taken.local_addr().unwrap().port()), &format!("--{flag}")]);
        assert!(contents(folder.path()).is_empty());
    }
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_has_it() {
    let folder = tempdir().unwrap();
    let mut first = Running::start(folder.path(), &["--ballast-mib", "0"]);
    let before = contents(&folder.path().join("data"));
    let refused = ended(with_usual_flags(folder.path(), ""));
    assert_refused(&refused, &[&format!("in use by process {}", first.pid()), "--data-dir"]);
    assert_eq!(contents(&folder.path().join("data")), before);
    assert!(first.is_alive());
    assert_eq!(Client::connect(first.kafka).metadata(None).brokers.len(), 1);
    first.stop();
}

#[test]
fn a_folder_that_cannot_be_used_is_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "not a folder").unwrap();
    for path in ["file", "file/below", "/proc/headwater-data"] {
        let before = contents(folder.path());
        let mut start = with_usual_flags(folder.path(), "data-dir");
        start.args(["--data-dir", path]);
        assert_refused(&ended(start), &[path, "--data-dir"]);
        assert_eq!(contents(folder.path()), before, "{path}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempdir().unwrap();
    for (path, mode) in [(folder.path().to_owned(), 0o755), (folder.path().join("locked"), 0o555)] {
        let _ = std::fs::create_dir(&path);
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    for path in ["locked", "locked/below"] {
        let mut start = with_usual_flags(folder.path(), "data-dir");
        if rustix::process::geteuid().is_root() {
            // Root may write everywhere, so somebody else starts it, from where anybody may.
            let binary = folder.path().join("headwater");
            // Copied by another process: a child started meanwhile would inherit the open file, and a program open for writing cannot run.
            assert!(Command::new("cp").arg(start.get_program()).arg(&binary).status().unwrap().success());
            let mut copied = Command::new(binary);
            copied.args(start.get_args()).current_dir(folder.path()).uid(65_534);
            copied.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            start = copied;
        }
        start.args(["--data-dir", path]);
        assert_refused(&ended(start), &[path, "--data-dir"]);
        assert!(std::fs::read_dir(folder.path().join("locked")).unwrap().next().is_none());
    }
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

#[test]
fn what_is_not_known_is_refused_with_what_was_meant() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("unknown.toml"), "lisen = \"127.0.0.1:9092\"\n").unwrap();
    std::fs::write(folder.path().join("broken.toml"), "listen = \n").unwrap();
    for (arguments, wanted) in [
        (&["--lisen", "127.0.0.1:0"][..], "--listen"),
        (&["--nonsense"], "--nonsense"),
        (&["serv"], "serve"),
        (&["serve", "now"], "now"),
        (&["--set", "log.retention.hour=3"], "log.retention.hours"),
        (&["--config", "unknown.toml"], "listen"),
        (&["--config", "broken.toml"], "line 1"),
        (&["--config", "missing.toml"], "missing.toml"),
    ] {
        let mut start = command(folder.path());
        start.args(arguments);
        assert_refused(&ended(start), &[wanted]);
    }
    assert!(!folder.path().join("headwater-data").exists());
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

fn eventually(running: &Running, path: &str, words: &str) {
    let begun = Instant::now();
    while !running.get(path).body.contains(words) {
        assert!(begun.elapsed() < Duration::from_secs(10), "no {words:?} in {}", running.get(path).body);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn metric<'a>(page: &'a str, name: &str) -> &'a str {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("no {name} in {page}"))
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
fn another_cluster_is_refused_with_what_is_a_brokers_and_when_it_cannot_be_reached() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("wrong.properties"), "security.protocol=SASL_SSL\n").unwrap();
    std::fs::write(folder.path().join("hw.toml"), "cluster = \"kafka://127.0.0.1:1\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let at = ["--cluster", "kafka://127.0.0.1:1", "--http", "off"];
    for (more, wanted) in [
        (&["--listen", "127.0.0.1:0"][..], &["--listen: ", "with --cluster there is none here"][..]),
        (&["--listener", "A=PLAINTEXT://127.0.0.1:0"], &["--listener: ", "with --cluster there is none here"]),
        (&["--data-dir", "data"], &["--data-dir: ", "with --cluster there is none here"]),
        (&["--https", "127.0.0.1:0"], &["--https: ", "--tls-cert and --tls-key"]),
        (&["--cluster-config", "none.properties"], &["--cluster-config: ", "none.properties"]),
        (&["--cluster-config", "wrong.properties"], &["--cluster-config: ", "needs sasl.username and sasl.password"]),
        (&["--cluster", "kafka://nowhere"], &["--cluster: ", "kafka://HOST:PORT"]),
        (&[], &["no Kafka cluster answers at 127.0.0.1:1 within 10 s", "Connection refused", "check that it runs"]),
    ] {
        let mut start = command(folder.path());
        start.args(at.iter().filter(|_| !more.contains(&"--cluster") || more.is_empty())).args(more);
        assert_refused(&ended(start), wanted);
    }
    let mut start = command(folder.path());
    start.args(["--config", "hw.toml"]);
    assert_refused(&ended(start), &["hw.toml: listen", "there is none here"]);
    let mut start = command(folder.path());
    start.args(["--cluster-config", "wrong.properties"]);
    assert_refused(&ended(start), &["--cluster-config: ", "--cluster only"]);
    assert!(!folder.path().join("headwater-data").exists() && !folder.path().join("data").exists());
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

#[test]
fn the_page_and_its_parts_carry_their_guard() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    for (path, status, kind) in [
        ("/", 200, "text/html"),
        ("/plain", 200, "text/html"),
        ("/plain.css", 200, "text/css"),
        ("/api/overview", 200, "application/json"),
        ("/healthz", 200, "text/plain"),
        ("/metrics", 200, "text/plain; version=0.0.4"),
        ("/nothing", 404, ""),
        ("/assets/..%2f..%2fetc%2fpasswd", 404, ""),
    ] {
        let page = running.get(path);
        assert_eq!(page.status, status, "{path}: {page:?}");
        assert!(page.header("content-type").unwrap_or("").starts_with(kind), "{path}: {:?}", page.headers);
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    assert!(running.get("/").body.contains("<title>"));
    running.stop();
}

#[test]
fn metrics_are_strict_prometheus_text_whatever_clients_call_themselves() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    assert_prometheus(&running.get("/metrics").body);
    let mut client = Client::connect(running.kafka);
    client.create_topic("measured", 2, &[]);
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"x"), ..NewRecord::default() });
    client.produce("measured", 0, batch.build().unwrap().to_bytes());
    client.fetch("measured", 0, 0);
    client.list_offset("no such topic", 0, -1);
    let commit = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(1);
    let commit = OffsetCommitRequestTopic::default().with_name(client::topic_name("measured")).with_partitions(vec![commit]);
    for group in ["plain", "a\"b\\c\nd", "{}=, "] {
        let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![commit.clone()]);
        assert_eq!(client.ask(8, &request).topics[0].partitions[0].error_code, 0, "{group:?}");
    }
    for (key, client_id) in [(0x7fff_u16, "odd"), (4, "q\"\\\n{}"), (4, "other"), (0xffff, "")] {
        let header = [&key.to_be_bytes()[..], &[0, 0, 0, 0, 0, 1], &(client_id.len() as i16).to_be_bytes(), client_id.as_bytes()].concat();
        let mut odd = Client::connect(running.kafka);
        std::io::Write::write_all(&mut odd.stream, &[&(header.len() as i32).to_be_bytes()[..], &header].concat()).unwrap();
        assert!(odd.receive().is_err());
    }
    assert_eq!(Client::connect(running.kafka).ask(0, &ApiVersionsRequest::default()).error_code, 0);
    // Groups are looked at once in a while for all who ask.
    let end = Instant::now() + Duration::from_secs(5);
    let mut page = running.get("/metrics").body;
    while !page.contains("headwater_group_lag{group=\"a") && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        page = running.get("/metrics").body;
    }
    let families = assert_prometheus(&page);
    println!("{families} families, {} samples", page.lines().filter(|line| !line.starts_with('#')).count());
    for wanted in [
        "headwater_topic_messages_in_total{topic=\"measured\"} 1\n",
        "headwater_log_end_offset{topic=\"measured\",partition=\"0\"} 1\n",
        "headwater_group_lag{group=\"a\\\"b\\\\c\\nd\",topic=\"measured\",partition=\"0\"} 0\n",
        "headwater_up 1\n",
        "headwater_panics_total 0\n",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in\n{page}");
    }
    running.stop();
}

/// The address that Metadata names when it is asked at `address`.
fn told(address: SocketAddr) -> String {
    let metadata = Client::connect(address).metadata(None);
    let broker = &metadata.brokers[0];
    format!("{}:{}", broker.host, broker.port)
}

#[test]
fn clients_are_told_the_address_that_they_reached() {
    let folder = tempdir().unwrap();
    let listeners = ["--listener", "A=PLAINTEXT://127.0.0.1:0", "--listener", "B=PLAINTEXT://127.9.8.7:0"];
    let running = Running::start(folder.path(), &listeners);
    assert_eq!(running.kafka, running.listener("A, PLAINTEXT"), "the banner names an address that can be reached");
    for name in ["A", "B"] {
        let address = running.listener(name);
        assert_eq!(told(address), address.to_string());
    }
    running.stop();
}

#[test]
fn a_fixed_address_is_told_to_everyone() {
    for (advertise, wanted) in [("lab-pc", "lab-pc:PORT"), ("10.0.0.5:19092", "10.0.0.5:19092")] {
        let folder = tempdir().unwrap();
        let running = Running::start(folder.path(), &["--advertise", advertise]);
        assert_eq!(told(running.kafka), wanted.replace("PORT", &running.kafka.port().to_string()));
        running.stop();
    }
}

/// A Python that has the client of the banner's program.
fn python() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/clients/confluent-2.16.1/bin/python");
    let has_client = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import confluent_kafka"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    [own, "python3"].into_iter().find(has_client).map(ToOwned::to_owned)
}

#[test]
fn the_banners_program_prints_ten_records() {
    let python = python().expect(
        "no python3 has confluent_kafka: `make test` installs it, and `cargo test -- --skip the_banners_program` leaves this test out",
    );
    let folder = tempdir().unwrap();
    // With dirt, one in a thousand is no JSON.
    let running = Running::start(folder.path(), &["--generators", "on", "--dirt", "0"]);
    let program = running.banner.lines().skip_while(|line| !line.starts_with("from ")).collect::<Vec<_>>().join("\n");
    let mut pasted = Command::new(python);
    pasted.args(["-c", &program]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let printed = ended(pasted);
    assert!(printed.status.success(), "{printed:?}");
    let records: Vec<serde_json::Value> = printed.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(records.len(), 10, "{}", printed.stdout);
    assert!(records.iter().all(serde_json::Value::is_object));
    running.stop();
}

/// Bytes of the frame are the test's business here, not the client's.
#[test]
fn an_answer_is_read_back_byte_for_byte() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("bytes", 1, &[]);
    let mut batch = BatchBuilder::new(Codec::Zstd);
    (0..50).for_each(|n| batch.append(NewRecord { timestamp: Timestamp(n), value: Some(b"the same again"), ..NewRecord::default() }));
    let sent = batch.build().unwrap().to_bytes();
    assert_eq!(client.produce("bytes", 0, sent.clone()), 0);
    let read: Bytes = client.fetch("bytes", 0, 0).records.expect("records");
    // Offset and leader epoch are the broker's.
    assert_eq!((&read[8..12], &read[16..]), (&sent[8..12], &sent[16..]));
    running.stop();
}
