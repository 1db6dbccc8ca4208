//! On a plaintext Fetch no record byte is copied between the segment's map and the socket.
//!
//! Two counts: the pieces of the answer point into the map, byte for byte; and serving them over a real socket allocates next to
//! nothing, so there is no buffer they could have gone through.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater::broker::security::Access;
use headwater::broker::{AtLeast, Broker, BrokerOptions, Endpoint, NewTopic, OwnRecord, ReadUpTo};
use headwater::config::BrokerLayers;
use headwater::handlers::{Context, Peer, Reply, dispatch};
use headwater::model::{Offset, Timestamp, TopicName};
use headwater::server::{Limits, Listener, Server};
use headwater::wire::request::RequestHeader;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::protocol::{Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const VERSION: i16 = 12;
const TOPIC: &str = "bulk";
const BATCHES: usize = 48;
const VALUE_BYTES: usize = 256 * 1024;

async fn broker_with_records(folder: &std::path::Path) -> Arc<Broker> {
    let configs = BrokerLayers::new([("fetch.max.bytes".to_owned(), "57671680".to_owned())].into()).unwrap();
    let broker =
        Broker::open(BrokerOptions { data_dir: folder.to_path_buf(), access: Access::Everyone, configs, guards: Default::default() })
            .unwrap();
    let new = NewTopic { name: TopicName::new(TOPIC), partitions: 1, overrides: Default::default() };
    let topic = broker.create_topic(new).await.unwrap();
    let partition = topic.partition(headwater::model::PartitionId(0)).unwrap();
    for i in 0..BATCHES {
        let value = Some(Bytes::from(vec![i as u8; VALUE_BYTES]));
        partition.append_own(&[OwnRecord { timestamp: Timestamp(1), key: None, value }], Timestamp(1)).unwrap();
    }
    broker
}

fn fetch_body() -> Bytes {
    let partition = FetchPartition::default().with_partition(0).with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default()
        .with_topic(kafka_protocol::messages::TopicName(StrBytes::from_static_str(TOPIC)))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default().with_max_bytes(50 << 20).with_session_epoch(-1).with_topics(vec![topic]);
    let mut body = bytes::BytesMut::new();
    request.encode(&mut body, VERSION).unwrap();
    body.freeze()
}

#[tokio::test]
async fn record_bytes_are_copied_zero_times_between_map_and_socket() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker_with_records(folder.path()).await;

    // Where the records lie in the map.
    let partition = broker.catalog.get(TOPIC).unwrap().partition(headwater::model::PartitionId(0)).unwrap();
    let mapped = partition.view().read(Offset(0), usize::MAX, AtLeast::OneBatch, ReadUpTo::End).unwrap();
    let total: usize = mapped.size;
    assert!(total > BATCHES * VALUE_BYTES);
    let in_map = |piece: &Bytes| {
        let (start, end) = (piece.as_ptr() as usize, piece.as_ptr() as usize + piece.len());
        mapped.slices.iter().any(|s| start >= s.as_ptr() as usize && end <= s.as_ptr() as usize + s.len())
    };

    let address = "127.0.0.1:1".parse().unwrap();
    let header = RequestHeader { api_key: 1, api_version: VERSION, correlation_id: 7, client_id: None };
    let ctx = Context::new(Arc::clone(&broker), header, Arc::new(Peer::new(address, address, Endpoint::plaintext(address), None)));
    let Reply::Parts(parts) = dispatch(&ctx, fetch_body()).await.unwrap() else { panic!("a Fetch is answered in parts") };
    let from_map: usize = parts.iter().filter(|p| in_map(p)).map(Bytes::len).sum();
    let other: usize = parts.iter().filter(|p| !in_map(p)).map(Bytes::len).sum();
    assert_eq!(from_map, total, "every record byte of the answer is a byte of the map");
    assert!(other < 200, "{other} bytes beside the records");

    let answer_bytes: usize = parts.iter().map(Bytes::len).sum();
    let allocated = allocated_while_serving(&broker, answer_bytes).await;
    println!("{total} record bytes served, {allocated} bytes allocated, {other} bytes of header");
    assert!(allocated < total as u64 / 100, "{allocated} bytes allocated while {total} record bytes were served");
}

/// Bytes the process allocates while one answer crosses a socket.
async fn allocated_while_serving(broker: &Arc<Broker>, answer_bytes: usize) -> u64 {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.address().unwrap();
    let limits = Limits::new(1 << 20, 16 << 20, 10, std::time::Duration::from_secs(60));
    tokio::spawn(Server { broker: Arc::clone(broker), limits }.run(listener));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let body = fetch_body();
    let mut frame = Vec::new();
    frame.extend_from_slice(&(body.len() as i32 + 11).to_be_bytes());
    frame.extend_from_slice(&1_i16.to_be_bytes());
    frame.extend_from_slice(&VERSION.to_be_bytes());
    frame.extend_from_slice(&7_i32.to_be_bytes());
    frame.extend_from_slice(&(-1_i16).to_be_bytes());
    frame.push(0);
    frame.extend_from_slice(&body);
    let mut buffer = vec![0; 64 * 1024];
    let before = ALLOCATED.load(Ordering::Relaxed);
    client.write_all(&frame).await.unwrap();
    let mut read = 0;
    while read < answer_bytes {
        let n = client.read(&mut buffer).await.unwrap();
        assert!(n > 0, "closed after {read} of {answer_bytes} bytes");
        read += n;
    }
    ALLOCATED.load(Ordering::Relaxed) - before
}
