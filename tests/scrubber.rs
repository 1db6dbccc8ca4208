//! The scrubber of a running broker finds a flipped byte on the disk that no client has read, and says so.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use client::Client;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use running::Running;
use tempfile::tempdir;

const INTERVAL: Duration = Duration::from_millis(500);
const CORRUPT_MESSAGE: i16 = 2;
const RECORDS: i64 = 4;

fn metric(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {page}"));
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect(name)
}

#[test]
fn a_byte_flipped_in_a_closed_segment_is_found_without_a_reader() {
    let folder = tempdir().expect("folder");
    let interval = format!("headwater.scrub.interval.ms={}", INTERVAL.as_millis());
    let running = Running::start(folder.path(), &["--set", &interval]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("t", 1, &[("internal.segment.bytes", "20000"), ("retention.ms", "-1")]);
    for i in 0..60_u8 {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..RECORDS {
            builder.append(NewRecord { timestamp: Timestamp(1_700_000_000_000), value: Some(&[i; 500]), ..NewRecord::default() });
        }
        client.produce("t", 0, builder.build().expect("a batch").to_bytes());
    }
    let metrics = || running.get("/metrics").body;
    let damaged = r#"headwater_log_damaged_ranges{topic="t",partition="0"}"#;
    // A whole pass over what is whole.
    let begun = Instant::now();
    while metric(&metrics(), "headwater_scrub_last_pass_timestamp_seconds") == 0.0
        || metric(&metrics(), "headwater_scrub_bytes_total") < 80_000.0
    {
        assert!(begun.elapsed() < Duration::from_secs(20), "no pass");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((metric(&metrics(), damaged), metric(&metrics(), "headwater_scrub_found_total")), (0.0, 0.0));
    let path = folder.path().join("data/t-0/00000000000000000000.log");
    let file = OpenOptions::new().read(true).write(true).open(&path).expect("the segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 5000).expect("read");
    file.write_all_at(&[byte[0] ^ 0x10], 5000).expect("write");
    let flipped = Instant::now();
    // Marked at once, counted when the segment has been read.
    while metric(&metrics(), damaged) == 0.0 || metric(&metrics(), "headwater_scrub_found_total") == 0.0 {
        assert!(flipped.elapsed() < Duration::from_secs(20), "not found: {}", metrics());
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("found after {:?}", flipped.elapsed());
    assert_eq!((metric(&metrics(), damaged), metric(&metrics(), "headwater_scrub_found_total")), (1.0, 1.0));
    let page: serde_json::Value = serde_json::from_str(&running.get("/api/overview").body).expect("JSON");
    let damage = &page["damage"][0];
    let (first, end) = (damage["first_offset"].as_i64().expect("an offset"), damage["end_offset"].as_i64().expect("an offset"));
    assert_eq!((damage["topic"].as_str(), damage["partition"].as_i64(), end - first), (Some("t"), Some(0), RECORDS));
    std::thread::sleep(INTERVAL * 3);
    assert_eq!(running.stderr().matches("damage was found on the disk").count(), 1, "told once: {}", running.stderr());
    assert_eq!(client.fetch("t", 0, first).error_code, CORRUPT_MESSAGE);
    let after = client.fetch("t", 0, end);
    assert!(after.error_code == 0 && after.records.is_some_and(|records| !records.is_empty()), "the rest is served");
    running.stop();
}
