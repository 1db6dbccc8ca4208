//! `headwater incident` and the pages behind it, against a running broker; and what the topics hold afterwards.

#[path = "process/running.rs"]
mod running;

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use running::{Ended, Running, command, ended};
use tempfile::tempdir;

fn incident(folder: &Path, running: &Running, arguments: &[&str]) -> Ended {
    let mut command = command(folder);
    command.arg("incident").args(arguments).arg("--http").arg(running.http.expect("a page").to_string());
    ended(command)
}

fn told(folder: &Path, running: &Running, arguments: &[&str]) -> String {
    let ended = incident(folder, running, arguments);
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

/// The list, with one space between words.
fn listed(folder: &Path, running: &Running) -> String {
    told(folder, running, &["list"]).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refused(folder: &Path, running: &Running, arguments: &[&str]) -> String {
    let ended = incident(folder, running, arguments);
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
    ended.stderr
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn orders_from_the_command_line_reach_the_topics_and_outlive_a_restart() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let running = Running::start(folder, &["--generators", "on", "--dirt", "0"]);
    until("live", || running.get("/api/generators").body.contains("\"phase\":\"live\""));
    assert!(told(folder, &running, &["list"]).contains("no incidents yet"));

    let begun = told(folder, &running, &["poison-pill", "--target", "iot-sensor-data"]);
    assert_eq!(begun, "poison-pill (iot-sensor-data) begins within 10 s and lasts 1 min; `headwater incident end 1` ends it\n");
    let planned = told(folder, &running, &["flash-sale", "--target", "Books", "--minutes", "7.5", "--in", "30"]);
    assert!(planned.starts_with("flash-sale (books) begins in 30 min and lasts 7.5 min;"), "{planned}");
    assert_eq!(told(folder, &running, &["rate", "0.5", "social-media-feed"]), "social-media-feed: 0.5 times the usual rate, within 10 s\n");
    assert!(told(folder, &running, &["pause", "ecommerce-events"]).contains("paused within 10 s"));
    until("the incident runs", || listed(folder, &running).contains("1 poison-pill running 1.0 iot-sensor-data"));
    let list = listed(folder, &running);
    assert!(list.contains("2 flash-sale planned 7.5 books"), "{list}");
    assert!(list.contains("ecommerce-events paused"), "{list}");
    assert!(list.contains("social-media-feed 0.5 x"), "{list}");
    assert!(told(folder, &running, &["end", "2"]).contains("incident 2 ends"));
    running.stop();

    let running = Running::start(folder, &["--generators", "on", "--dirt", "0"]);
    until("live again", || running.get("/api/generators").body.contains("\"phase\":\"live\""));
    let list = listed(folder, &running);
    assert!(list.contains("1 poison-pill") && list.contains("ecommerce-events paused"), "{list}");
    assert!(told(folder, &running, &["resume"]).contains("all topics: going on"));
    running.stop();

    let mut dump = command(folder);
    dump.args(["log", "dump", "data", "--topic", "iot-sensor-data"]);
    let records = ended(dump).stdout;
    assert!(records.lines().any(|line| line.contains("poison")), "no pill in {} lines", records.lines().count());
    let mut dump = command(folder);
    dump.args(["log", "dump", "data", "--topic", "_truth"]);
    let ledger = ended(dump).stdout;
    assert!(ledger.contains("incident-1") && !ledger.contains("incident-2"), "the second was taken back");
}

#[test]
fn a_wrong_order_is_explained_and_changes_nothing() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let running = Running::start(folder, &["--generators", "on"]);
    until("live", || running.get("/api/generators").body.contains("\"phase\":\"live\""));
    let said = |arguments: &[&str]| refused(folder, &running, arguments);
    assert!(said(&["site-offline", "--target", "Atlantis"]).contains("\"Atlantis\" is no site; choose one of Helsinki, Lisbon"));
    assert!(said(&["flash-sale", "--minutes", "90"]).contains("at most 30 minutes, not 90"));
    assert!(said(&["end", "5"]).contains("there is no incident 5"));
    assert!(said(&["rate", "21"]).contains("0 to 20, not 21"));
    assert!(said(&["pause", "orders"]).contains("\"orders\" is no topic of the generators"));
    assert!(said(&["earthquake"]).contains("earthquake"));
    assert!(told(folder, &running, &["list"]).contains("no incidents yet"));
    running.stop();
}

#[test]
fn without_a_broker_or_generators_it_says_so() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let running = Running::start(folder, &["--generators", "off"]);
    assert!(refused(folder, &running, &["list"]).contains("started with --generators off"));
    let address = running.http.expect("a page").to_string();
    running.stop();
    let mut gone = command(folder);
    gone.args(["incident", "list", "--http", &address]);
    let gone = ended(gone);
    assert_eq!(gone.status.code(), Some(1));
    assert!(gone.stderr.contains(&format!("cannot reach http://{address}")) && gone.stderr.contains("is the broker running"), "{gone:?}");
}
