//! How many allocations a request costs, from its first byte on the socket to the last byte of its answer, against
//! `tests/budget/budget.toml`.
#![allow(unsafe_code)]

#[path = "process/client.rs"]
mod client;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use client::{Client, fetch_request, frame, topic_name};
use headwater::broker::security::Access;
use headwater::broker::{Broker, BrokerOptions};
use headwater::config::BrokerLayers;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use headwater::server::{Limits, Listener, Server};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiVersionsRequest, HeartbeatRequest, ProduceRequest};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/budget/budget.toml");
const HEAD: &str = "[allocations]\n";
const TIMES: u32 = 2_000;
/// Above the budget by more than this share fails.
const ALLOWED: f64 = 1.10;

/// Serves until the test ends, on a thread of its own.
fn server(folder: std::path::PathBuf) -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Nothing is flushed while allocations are counted.
            let configs = BrokerLayers::new([("log.flush.interval.ms".to_owned(), i64::MAX.to_string())].into()).unwrap();
            let broker =
                Broker::open(BrokerOptions { data_dir: folder, access: Access::Everyone, configs, guards: Default::default() }).unwrap();
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            sender.send(listener.address().unwrap()).unwrap();
            let limits = Limits::new(1 << 20, 16 << 20, 10, Duration::from_secs(60));
            Server { broker: Arc::clone(&broker), limits }.run(listener).await;
        });
    });
    address.recv().unwrap()
}

fn produce(records: i64) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Codec::None);
    (0..records).for_each(|n| batch.append(NewRecord { timestamp: Timestamp(n), value: Some(&[7; 100]), ..NewRecord::default() }));
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build().unwrap().to_bytes()));
    let data = TopicProduceData::default().with_name(topic_name("t")).with_partition_data(vec![data]);
    frame(9, 1, &ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data]))
}

fn requests() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ApiVersions", frame(3, 1, &ApiVersionsRequest::default())),
        ("Heartbeat", frame(4, 1, &HeartbeatRequest::default().with_group_id(kafka_protocol::messages::GroupId(client::text("g"))))),
        ("Produce, 1 record", produce(1)),
        ("Produce, 100 records", produce(100)),
        ("Fetch, 100 records", frame(12, 1, &fetch_request("t", 0, 0, 0))),
        ("Fetch, nothing new", frame(12, 1, &fetch_request("t", 0, 100, 0))),
    ]
}

/// Allocations a request; the client makes none.
fn cost(address: SocketAddr, request: &[u8]) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut ask = || {
        stream.write_all(request).unwrap();
        stream.read_exact(&mut buffer[..4]).unwrap();
        let size = u32::from_be_bytes(*buffer.first_chunk().unwrap()) as usize;
        stream.read_exact(&mut buffer[..size]).unwrap();
    };
    (0..100).for_each(|_| ask());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..TIMES).for_each(|_| ask());
    (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / f64::from(TIMES)
}

fn costs() -> BTreeMap<&'static str, f64> {
    let folder = tempfile::tempdir().unwrap();
    let address = server(folder.path().to_owned());
    let mut requests = requests();
    // Fetched are 100 records, so the fetches come before the other produces.
    Client::connect(address).create_topic("t", 1, &[]);
    let mut filler = TcpStream::connect(address).unwrap();
    filler.write_all(&produce(100)).unwrap();
    filler.read_exact(&mut [0; 4]).unwrap();
    requests.sort_by_key(|(name, _)| name.starts_with("Produce"));
    requests.into_iter().map(|(name, request)| (name, cost(address, &request))).collect()
}

#[test]
fn a_request_costs_no_more_allocations_than_its_budget() {
    let budget: toml::Table = std::fs::read_to_string(BUDGET).unwrap().parse().unwrap();
    let mut over = Vec::new();
    for (name, cost) in costs() {
        let allowed = budget["allocations"].get(name).and_then(toml::Value::as_float).unwrap_or(0.0);
        println!("{name:24} {cost:6.1} allocations, budget {allowed:6.1}");
        if cost > allowed * ALLOWED {
            over.push(format!("{name}: {cost:.1} allocations a request, budget {allowed:.1}"));
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}

#[test]
#[ignore = "writes the budget"]
fn write_the_budget() {
    let text = std::fs::read_to_string(BUDGET).unwrap();
    let (before, _) = text.split_once(HEAD).unwrap();
    let rows: String = costs().iter().map(|(name, cost)| format!("\"{name}\" = {cost:.1}\n")).collect();
    std::fs::write(BUDGET, format!("{before}{HEAD}{rows}")).unwrap();
}
