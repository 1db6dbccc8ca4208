//! How a run ends and what the next one finds: SIGTERM while clients wait, kill -9 while they write, two on one folder.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, fetch_request, join_request};
use headwater::model::{BatchBuilder, Batches, Codec, NewRecord, Timestamp};
use running::{Running, command, ended};
use rustix::process::Signal;
use tempfile::tempdir;

/// What a stop may take with everybody waiting.
const STOP_WITHIN: Duration = Duration::from_secs(3);
const WAIT_MS: i32 = 30_000;
const PARTITIONS: i32 = 4;
const BIG_RECORDS: i64 = 500;

fn batch(values: impl IntoIterator<Item = String>) -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None);
    for value in values {
        batch.append(NewRecord { timestamp: Timestamp(1_700_000_000_000), value: Some(value.as_bytes()), ..NewRecord::default() });
    }
    batch.build().expect("a batch").to_bytes()
}

/// All values of a partition with their offsets, by a fetch loop.
fn values(client: &mut Client, topic: &str, partition: i32) -> Vec<(i64, String)> {
    let mut found: Vec<(i64, String)> = Vec::new();
    loop {
        let next = found.last().map_or(0, |(offset, _)| offset + 1);
        let data = client.fetch(topic, partition, next);
        assert_eq!(data.error_code, 0);
        let bytes = data.records.unwrap_or_default();
        let before = found.len();
        for batch in Batches::new(&bytes) {
            let batch = batch.expect("a batch");
            batch.verify_crc().expect("crc");
            let records = batch.records().expect("records");
            let record =
                |r: headwater::model::Record<'_>| (r.offset.0, String::from_utf8(r.value.unwrap_or_default().to_vec()).expect("text"));
            found.extend(records.iter().map(|r| record(r.expect("a record"))).filter(|(offset, _)| *offset >= next));
        }
        if found.len() == before {
            return found;
        }
    }
}

fn marker(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join("data/shutdown.json")).expect("a marker")).expect("JSON")
}

/// 25 connections in a Fetch that finds nothing, 25 in a JoinGroup that waits for others.
fn fifty_waiting(address: SocketAddr) -> Vec<Client> {
    let waiting: Vec<Client> = (0..50)
        .map(|n| {
            let mut client = Client::connect(address);
            if n % 2 == 0 {
                client.send(12, &fetch_request("quiet", n % PARTITIONS, 0, WAIT_MS));
            } else {
                client.send(3, &join_request(&format!("group-{n}")));
            }
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(waiting.iter().all(Client::is_waiting), "an answer came although there was nothing to say");
    waiting
}

#[test]
fn a_stop_with_fifty_long_polls_is_quick_and_clean_and_the_next_start_trusts_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempdir().unwrap();
        let mut running = Running::start(folder.path(), &["--set", "group.initial.rebalance.delay.ms=30000"]);
        let mut client = Client::connect(running.kafka);
        client.create_topic("quiet", PARTITIONS, &[]);
        client.create_topic("written", 1, &[]);
        client.produce("written", 0, batch((0..10).map(|n| n.to_string())));
        let mut waiting = fifty_waiting(running.kafka);
        assert_eq!(marker(folder.path())["clean"], false);
        let (status, took) = running.end(signal);
        println!("stopped by {signal:?} in {took:?} with {} long polls", waiting.len());
        assert!(status.success() && took < STOP_WITHIN, "{status:?} after {took:?}\n{}", running.stderr());
        assert!(!running.stderr().contains("panicked") && !running.stderr().contains("ERROR"), "{}", running.stderr());
        assert_eq!(marker(folder.path())["clean"], true);
        assert_eq!(marker(folder.path())["unclean_starts"], 0);
        for client in &mut waiting {
            assert!(client.receive().is_err(), "an answer was made up");
        }
        let again = Running::start(folder.path(), &[]);
        assert_eq!(values(&mut Client::connect(again.kafka), "written", 0).len(), 10);
        assert!(!again.stderr().contains("did not end cleanly"), "{}", again.stderr());
        again.stop();
    }
}

/// How much is mapped and read at once while a broker starts. A scan reads every page.
fn start_peak_mib(folder: &Path) -> u64 {
    let running = Running::start(folder, &[]);
    let peak = running.memory_kib("VmHWM:") / 1024;
    assert_eq!(Client::connect(running.kafka).list_offset("written", 0, -1), (0, BIG_RECORDS));
    running.stop();
    peak
}

#[test]
fn a_start_after_a_clean_stop_does_not_read_the_logs_and_any_other_does() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("written", 1, &[]);
    for _ in 0..BIG_RECORDS / 10 {
        client.produce("written", 0, batch((0..10).map(|_| "x".repeat(100_000))));
    }
    running.stop();
    let clean = start_peak_mib(folder.path());
    std::fs::remove_file(folder.path().join("data/shutdown.json")).unwrap();
    std::fs::remove_file(folder.path().join("data/recovery-point-offset-checkpoint")).unwrap();
    let scanned = start_peak_mib(folder.path());
    println!("a log of {} MiB: {clean} MiB after a clean stop, {scanned} MiB after none", BIG_RECORDS / 10);
    assert!(scanned > clean + 40, "the scan that the other start must not do cannot be seen: {clean} {scanned}");
    assert!(clean < 40, "{clean} MiB");
}

#[test]
fn a_stop_does_not_wait_for_those_who_do_not_read_or_do_not_finish() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("big", 1, &[]);
    for _ in 0..16 {
        client.produce("big", 0, batch((0..9).map(|_| "x".repeat(100_000))));
    }
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut deaf = Client::connect(running.kafka);
        (0..10).for_each(|_| deaf.send(12, &fetch_request("big", 0, 0, 0)));
        open.push(deaf.stream);
        let mut slow = Client::connect(running.kafka).stream;
        std::io::Write::write_all(&mut slow, &[0, 0, 1, 0, 0, 3]).unwrap();
        open.push(slow);
        let mut page = std::net::TcpStream::connect(running.http.unwrap()).unwrap();
        std::io::Write::write_all(&mut page, b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
        open.push(page);
    }
    std::thread::sleep(Duration::from_millis(300));
    let took = running.stop();
    println!("stopped in {took:?} with {} connections that hold on", open.len());
    assert!(took < STOP_WITHIN, "{took:?}");
    assert_eq!(marker(folder.path())["clean"], true);
}

#[test]
fn a_second_broker_on_the_folder_is_refused_and_the_first_goes_on() {
    let folder = tempdir().unwrap();
    let first = Running::start(folder.path(), &[]);
    let mut client = Client::connect(first.kafka);
    client.create_topic("kept", 1, &[]);
    client.produce("kept", 0, batch(["before".to_owned()]));
    let mut second = command(folder.path());
    second.args(["--data-dir", "data", "--listen", "127.0.0.1:0", "--http", "off", "--generators", "off"]);
    let refused = ended(second);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains(&format!("in use by process {}", first.pid())), "{refused:?}");
    client.produce("kept", 0, batch(["after".to_owned()]));
    assert_eq!(values(&mut client, "kept", 0).len(), 2);
    first.stop();
    let third = Running::start(folder.path(), &[]);
    assert_eq!(values(&mut Client::connect(third.kafka), "kept", 0).len(), 2);
    third.stop();
}

#[test]
fn after_kill_nine_every_acknowledged_record_is_where_its_answer_said() {
    let folder = tempdir().unwrap();
    let mut acknowledged: Vec<(i32, i64, String)> = Vec::new();
    for round in 0..3 {
        let mut running = Running::start(folder.path(), &[]);
        let mut client = Client::connect(running.kafka);
        if round == 0 {
            client.create_topic("written", PARTITIONS, &[]);
        } else {
            assert!(running.stderr().contains("did not end cleanly"), "{}", running.stderr());
        }
        assert_held(&mut client, &acknowledged);
        acknowledged.extend(write_until_killed(&mut running, round));
    }
    let running = Running::start(folder.path(), &[]);
    assert_held(&mut Client::connect(running.kafka), &acknowledged);
    println!("{} acknowledged records over 3 kills", acknowledged.len());
    assert!(acknowledged.len() > 300);
    running.stop();
}

/// Four writers; the broker is killed under them once enough was acknowledged.
fn write_until_killed(running: &mut Running, round: usize) -> Vec<(i32, i64, String)> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicUsize::new(0));
    let writer = |partition: i32| {
        let (mut client, acknowledged, count) = (Client::connect(running.kafka), Arc::clone(&acknowledged), Arc::clone(&count));
        std::thread::spawn(move || {
            for n in 0.. {
                let texts: Vec<String> = (0..3).map(|i| format!("round {round} partition {partition} batch {n} record {i}")).collect();
                // Killed: what was not acknowledged may or may not be there.
                let Ok((0, base)) = client.try_produce("written", partition, batch(texts.clone())) else { return };
                let mut all = acknowledged.lock().expect("lock");
                all.extend((base..).zip(texts).map(|(offset, text)| (partition, offset, text)));
                count.fetch_add(3, Ordering::Relaxed);
            }
        })
    };
    let writers: Vec<_> = (0..PARTITIONS).map(writer).collect();
    let begun = Instant::now();
    while count.load(Ordering::Relaxed) < 1500 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (status, _) = running.end(Signal::KILL);
    assert_eq!(status.signal(), Some(9));
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    std::mem::take(&mut *acknowledged.lock().expect("lock"))
}

fn assert_held(client: &mut Client, acknowledged: &[(i32, i64, String)]) {
    for partition in 0..PARTITIONS {
        let held = values(client, "written", partition);
        assert!(held.iter().map(|(offset, _)| *offset).eq(0..held.len() as i64), "offsets of {partition} have holes");
        for (_, offset, text) in acknowledged.iter().filter(|(p, ..)| *p == partition) {
            let found = usize::try_from(*offset).ok().and_then(|at| held.get(at));
            assert_eq!(found.map(|(_, text)| text), Some(text), "partition {partition} offset {offset}");
        }
    }
}
