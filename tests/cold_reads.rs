//! The network thread never waits for the disk when records are read that are no longer in memory: the page faults are taken by
//! blocking threads. Counted by the kernel, thread by thread.

#[path = "process/client.rs"]
mod client;

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use client::{Client, fetch_request};
use headwater::broker::security::Access;
use headwater::broker::{Broker, BrokerOptions};
use headwater::config::BrokerLayers;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use headwater::server::{Limits, Listener, Server};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

const BATCHES: usize = 5;
/// More than the kernel reads ahead.
const VALUE_BYTES: usize = 9_000_000;

/// A broker whose network runs on one thread, the number of which is known.
struct Serving {
    address: SocketAddr,
    network: OsString,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

fn serve(folder: &Path) -> Serving {
    let (sender, started) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let data_dir = folder.to_owned();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let configs = BrokerLayers::new([("log.segment.bytes".to_owned(), "10000000".to_owned())].into()).unwrap();
            let broker = Broker::open(BrokerOptions { data_dir, access: Access::Everyone, configs, guards: Default::default() }).unwrap();
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let network = std::fs::read_link("/proc/thread-self").unwrap().file_name().unwrap().to_owned();
            sender.send((listener.address().unwrap(), network)).unwrap();
            let limits = Limits::new(10 << 20, 16 << 20, 10, Duration::from_secs(60));
            let serving = tokio::spawn(Server { broker: broker.clone(), limits }.run(listener));
            let _ = stopped.await;
            broker.stop();
            serving.await.unwrap();
            tokio::task::spawn_blocking(move || broker.close()).await.unwrap();
        });
    });
    let (address, network) = started.recv().unwrap();
    Serving { address, network, stop, thread }
}

impl Serving {
    fn end(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }

    /// Page faults that had to read from the disk: of the network thread, of all others.
    fn major_faults(&self) -> (u64, u64) {
        let (mut network, mut others) = (0, 0);
        for task in std::fs::read_dir("/proc/self/task").unwrap() {
            let task = task.unwrap();
            // A thread may end meanwhile.
            let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            let faults: u64 = fields[9].parse().unwrap();
            match task.file_name() == self.network {
                true => network = faults,
                false => others += faults,
            }
        }
        (network, others)
    }
}

fn batch() -> bytes::Bytes {
    let value = vec![7; VALUE_BYTES];
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(&value), ..NewRecord::default() });
    batch.build().unwrap().to_bytes()
}

/// Throws every log file out of memory. Nobody may have it mapped.
fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            forget(&path);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let file = File::open(&path).unwrap();
            file.sync_all().unwrap();
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
    }
}

fn seek(client: &mut Client, timestamp: i64) -> i64 {
    let asked = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
    let asked = ListOffsetsTopic::default().with_name(client::topic_name("t")).with_partitions(vec![asked]);
    let answer = client.ask(7, &ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked]));
    answer.topics[0].partitions[0].offset
}

#[test]
fn cold_records_are_read_from_the_disk_by_blocking_threads_alone() {
    let folder = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let serving = serve(folder.path());
    let mut client = Client::connect(serving.address);
    client.create_topic("t", 1, &[("max.message.bytes", "10000000")]);
    for _ in 0..BATCHES {
        client.produce("t", 0, batch());
    }
    drop(client);
    serving.end();
    // Large answers, a batch that is larger than what was asked for, a search by time: each of what is cold.
    let everything = |client: &mut Client| {
        let mut offset = 0;
        while offset < BATCHES as i64 {
            let answer = client.fetch("t", 0, offset);
            let size = answer.records.map_or(0, |records| records.len());
            assert!(size > VALUE_BYTES, "offset {offset}: {size} bytes");
            offset += (size / VALUE_BYTES) as i64;
        }
    };
    let one_byte = |client: &mut Client| {
        for offset in 0..BATCHES as i64 {
            let mut request = fetch_request("t", 0, offset, 0).with_max_bytes(1);
            request.topics[0].partitions[0].partition_max_bytes = 1;
            let answer = client.ask(12, &request);
            let records = answer.responses[0].partitions[0].records.as_ref().map_or(0, |records| records.len());
            assert!(records > VALUE_BYTES, "offset {offset}: {records} bytes");
        }
    };
    let by_time = |client: &mut Client| assert_eq!(seek(client, 1), 0);
    type Way<'a> = (&'a str, &'a dyn Fn(&mut Client));
    let ways: [Way<'_>; 3] = [("large answers", &everything), ("one batch each", &one_byte), ("by time", &by_time)];
    let mut told = Vec::new();
    for (name, read) in ways {
        forget(folder.path());
        let serving = serve(folder.path());
        let mut client = Client::connect(serving.address);
        client.metadata(Some(&["t"]));
        let before = serving.major_faults();
        read(&mut client);
        let after = serving.major_faults();
        told.push((name, after.0 - before.0, after.1.saturating_sub(before.1)));
        drop(client);
        serving.end();
    }
    println!("major faults of the network thread, and of others: {told:?}");
    if told[0].2 == 0 {
        println!("skipped: this file system keeps everything in memory");
        return;
    }
    for (name, network, _) in told {
        assert_eq!(network, 0, "{name}");
    }
}
