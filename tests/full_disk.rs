//! A disk that is full and gets room again, on a small file system of its own.
//!
//! It has to be mounted, so this needs root and is left out of a plain `cargo test`: `cargo test --test full_disk -- --ignored --nocapture`.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, text, topic_name};
use headwater::model::{BatchBuilder, Batches, Codec, NewRecord, Timestamp};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{DeleteTopicsRequest, GroupId, OffsetCommitRequest, OffsetFetchRequest};
use running::Running;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

const STORAGE_ERROR: i16 = 56;
const ROUNDS: usize = 3;
/// The disk is small, so the floors are too.
const FLAGS: [&str; 6] = ["--disk-floor-mib", "4", "--disk-floor-percent", "0", "--ballast-mib", "8"];
const LEDGER: &str = "ledger";
const PARTITIONS: i32 = 2;

/// 64 MiB of ext4 on a loop device; where that cannot be had, of tmpfs.
struct SmallDisk {
    folder: TempDir,
    kind: &'static str,
}

fn done(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

impl SmallDisk {
    fn mount() -> SmallDisk {
        let folder = tempdir().unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("disk"));
        std::fs::create_dir(&at).unwrap();
        File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let (image, at) = (image.to_str().unwrap(), at.to_str().unwrap());
        // Without blocks that only root may fill: this runs as root.
        let kind = if done("mkfs.ext4", &["-q", "-F", "-m", "0", image]) && done("mount", &["-o", "loop", image, at]) {
            "ext4 on a loop device"
        } else {
            assert!(done("mount", &["-t", "tmpfs", "-o", "size=64m", "tmpfs", at]), "no file system can be mounted here");
            "tmpfs"
        };
        SmallDisk { folder, kind }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(self.path()).unwrap();
        space.f_bavail * space.f_frsize
    }

    /// A foreign file that takes what is left, to the last block.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("foreign");
        let file = File::create(&path).unwrap();
        let (mut at, mut step) = (0, 8 << 20);
        while step >= 4096 {
            match fallocate(&file, FallocateFlags::empty(), at, step) {
                Ok(()) => at += step,
                Err(_) => step /= 2,
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        done("umount", &["-l", self.path().to_str().unwrap()]);
    }
}

/// Everything that was acknowledged: partition and offset, with the value's number.
type Ledger = BTreeMap<(i32, i64), u64>;

fn batch(number: u64, bytes: usize) -> Bytes {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(bytes, b'x');
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp::NONE, value: Some(&value), ..NewRecord::default() });
    batch.build().unwrap().to_bytes()
}

struct Writer {
    client: Client,
    ledger: Ledger,
    sent: u64,
}

impl Writer {
    /// The answer's error, and how long it took.
    fn write(&mut self, bytes: usize) -> (i16, Duration) {
        self.sent += 1;
        let partition = (self.sent % PARTITIONS as u64) as i32;
        let begun = Instant::now();
        let (error, offset) = self.client.try_produce(LEDGER, partition, batch(self.sent, bytes)).unwrap();
        if error == 0 {
            assert_eq!(self.ledger.insert((partition, offset), self.sent), None, "offset {offset} was given twice");
        }
        (error, begun.elapsed())
    }

    /// Until one is refused; the longest that an answer took.
    fn write_until_refused(&mut self) -> Duration {
        let mut longest = Duration::ZERO;
        loop {
            let (error, took) = self.write(200_000);
            longest = longest.max(took);
            if error != 0 {
                assert_eq!(error, STORAGE_ERROR);
                return longest;
            }
        }
    }

    fn wait_until_taken(&mut self) -> Duration {
        let begun = Instant::now();
        while self.write(1000).0 != 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "still refused");
            std::thread::sleep(Duration::from_millis(5));
        }
        begun.elapsed()
    }
}

fn commit(client: &mut Client, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name(LEDGER)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text("readers"))).with_topics(vec![topic]);
    client.ask(8, &request).topics[0].partitions[0].error_code
}

fn committed(client: &mut Client) -> i64 {
    let topic = OffsetFetchRequestTopics::default().with_name(topic_name(LEDGER)).with_partition_indexes(vec![0]);
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text("readers"))).with_topics(Some(vec![topic]));
    client.ask(8, &OffsetFetchRequest::default().with_groups(vec![group])).groups[0].topics[0].partitions[0].committed_offset
}

fn delete(client: &mut Client, topic: &str) -> i16 {
    let state = DeleteTopicState::default().with_name(Some(topic_name(topic)));
    client.ask(6, &DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(10_000)).responses[0].error_code
}

/// Every record there is.
fn read_all(client: &mut Client) -> Ledger {
    let mut found = Ledger::new();
    for partition in 0..PARTITIONS {
        let (_, end) = client.list_offset(LEDGER, partition, -1);
        let mut at = 0;
        while at < end {
            let records = client.fetch(LEDGER, partition, at).records.unwrap();
            for batch in Batches::new(&records) {
                let batch = batch.unwrap();
                for record in batch.records().unwrap().iter() {
                    let record = record.unwrap();
                    let number = u64::from_be_bytes(record.value.unwrap()[..8].try_into().unwrap());
                    found.insert((partition, record.offset.0), number);
                    at = record.offset.0 + 1;
                }
            }
        }
    }
    found
}

fn assert_nothing_lost(client: &mut Client, ledger: &Ledger) {
    let found = read_all(client);
    let lost = ledger.iter().filter(|(place, number)| found.get(place) != Some(number)).count();
    assert_eq!(lost, 0, "of {} acknowledged records", ledger.len());
}

/// While the disk is full: what does not need room works, and says what is the matter.
fn assert_serves_the_others(running: &Running, client: &mut Client, offset: i64) {
    let begun = Instant::now();
    assert_eq!(commit(client, offset), 0, "a commit");
    assert_eq!(committed(client), offset);
    assert!(!client.fetch(LEDGER, 0, 0).records.unwrap().is_empty());
    while running.get("/healthz").status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(1), "still healthy");
        std::thread::sleep(Duration::from_millis(5));
    }
    let health = running.get("/healthz");
    assert!(health.status == 503 && health.body.contains("the disk is full"), "{health:?}");
    assert!(running.get("/metrics").body.contains("\nheadwater_disk_full 1\n"));
    assert!(running.get("/api/overview").body.contains("the disk is full"));
    assert_eq!(running.get("/").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
#[ignore = "mounts a file system, which needs root"]
fn on_a_full_disk_nothing_acknowledged_is_lost_and_all_but_producers_go_on() {
    let disk = SmallDisk::mount();
    let mut running = Running::start(&disk.path(), &FLAGS);
    let mut admin = Client::connect(running.kafka);
    admin.create_topic(LEDGER, PARTITIONS, &[("segment.bytes", "4194304")]);
    let mut writer = Writer { client: Client::connect(running.kafka), ledger: Ledger::new(), sent: 0 };
    (0..100).for_each(|_| assert_eq!(writer.write(10_000).0, 0));
    let mut offset = 0;
    println!("{}, {} MiB free", disk.kind, disk.free() >> 20);
    for round in 1..=ROUNDS {
        // By what is produced: a topic that can be deleted takes most of it.
        admin.create_topic("bulk", 1, &[("segment.bytes", "4194304")]);
        while admin.try_produce("bulk", 0, batch(0, 500_000)).unwrap().0 == 0 {}
        let refused_in = writer.write_until_refused();
        offset += 1;
        assert_serves_the_others(&running, &mut admin, offset);
        assert_eq!(delete(&mut admin, "bulk"), 0);
        let by_produce = (refused_in, writer.wait_until_taken());
        // By somebody else, to the last byte.
        let foreign = disk.fill();
        let refused_in = writer.write_until_refused();
        offset += 1;
        assert_serves_the_others(&running, &mut admin, offset);
        let left = disk.free();
        std::fs::remove_file(foreign).unwrap();
        let by_other = (refused_in, writer.wait_until_taken());
        for (refused, resumed) in [by_produce, by_other] {
            assert!(refused < Duration::from_secs(1), "refused after {refused:?}");
            assert!(resumed < Duration::from_secs(2), "resumed after {resumed:?}");
        }
        let begun = Instant::now();
        while running.get("/healthz").status != 200 || !running.get("/metrics").body.contains("ballast_bytes 8388608\n") {
            assert!(begun.elapsed() < Duration::from_secs(5), "{}", running.get("/healthz").body);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_nothing_lost(&mut admin, &writer.ledger);
        println!(
            "round {round}: filled by produce: slowest answer {:?}, taken again after {:?}; filled by a foreign file ({} KiB left): \
             {:?}, {:?}; {} acknowledged, 0 lost",
            by_produce.0,
            by_produce.1,
            left >> 10,
            by_other.0,
            by_other.1,
            writer.ledger.len()
        );
    }
    // And once more across kill -9 on the full disk.
    let foreign = disk.fill();
    writer.write_until_refused();
    offset += 1;
    assert_eq!(commit(&mut admin, offset), 0);
    running.end(Signal::KILL);
    running = Running::start(&disk.path(), &FLAGS);
    let mut admin = Client::connect(running.kafka);
    assert_eq!(committed(&mut admin), offset);
    assert_nothing_lost(&mut admin, &writer.ledger);
    writer.client = Client::connect(running.kafka);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(writer.write(1000).0, STORAGE_ERROR);
    std::fs::remove_file(foreign).unwrap();
    let resumed = writer.wait_until_taken();
    assert!(resumed < Duration::from_secs(2), "resumed after {resumed:?}");
    assert_nothing_lost(&mut admin, &writer.ledger);
    println!("kill -9 on the full disk: {} acknowledged, 0 lost; {:?} to be taken again", writer.ledger.len(), resumed);
    running.stop();
    assert_left_clean(&disk.path());
}

/// The clean marker found its room too.
fn assert_left_clean(folder: &Path) {
    let marker = std::fs::read_to_string(folder.join("data/shutdown.json")).unwrap();
    assert!(marker.contains("\"clean\":true"), "{marker}");
}
