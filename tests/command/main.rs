//! The command as its user meets it: starts, the banner, the address that clients are told; settings, refusals and pages in files of their own.

#[path = "../process/client.rs"]
mod client;
mod pages;
#[path = "../process/prometheus.rs"]
mod prometheus;
mod refusals;
#[path = "../process/running.rs"]
mod running;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::Client;
use headwater::config::settings::{SETTING_ROWS, SettingKind};
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use running::{Ended, Running, command, command_with_usual_flags, ended};
use tempfile::{TempDir, tempdir};

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

/// The address that Metadata names when it is asked at `address`.
fn told(address: SocketAddr) -> String {
    let metadata = Client::connect(address).metadata(None);
    let broker = &metadata.brokers[0];
    format!("{}:{}", broker.host, broker.port)
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
