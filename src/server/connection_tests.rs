use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::broker::security::Access;
use crate::broker::{BrokerOptions, NewTopic};
use crate::config::BrokerLayers;
use crate::server::{Listener, Server};

struct House {
    broker: Arc<Broker>,
    address: std::net::SocketAddr,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let options = BrokerOptions {
        data_dir: folder.path().to_owned(),
        access: Access::Everyone,
        configs: BrokerLayers::new([].into()).unwrap(),
        guards: Default::default(),
    };
    let broker = Broker::open(options).unwrap();
    broker.create_topic(NewTopic { name: "t".into(), partitions: 1, overrides: [].into() }).await.unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.address().unwrap();
    let mut limits = Limits::new(1 << 20, 1 << 20, 10, Duration::from_secs(60));
    limits.drain_within = Duration::from_millis(500);
    limits.frame_within = Duration::from_millis(300);
    tokio::spawn(Server { broker: Arc::clone(&broker), limits }.run(listener));
    House { broker, address, _folder: folder }
}

fn fetch(max_wait_ms: i32) -> Vec<u8> {
    fetch_of("", max_wait_ms)
}

/// Fetch version 4 of the empty partition `t-0`.
fn fetch_of(client: &str, max_wait_ms: i32) -> Vec<u8> {
    let mut body = [&[0, 1, 0, 4, 0, 0, 0, 7][..], &u16::try_from(client.len()).unwrap().to_be_bytes(), client.as_bytes()].concat();
    body.extend([255; 4]);
    body.extend(max_wait_ms.to_be_bytes());
    body.extend([0, 0, 0, 1, 0, 16, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1]);
    body.extend([0; 12]);
    body.extend([0, 16, 0, 0]);
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

async fn closes_within(house: &House, limit: Duration) {
    let started = Instant::now();
    while house.broker.metrics.connections.get() > 0 {
        assert!(started.elapsed() < limit, "the connection is still served after {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_client_that_closed_its_side_still_gets_its_answers() {
    let house = house().await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    // The second request arrives while the first waits.
    client.write_all(&fetch(200)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.write_all(&fetch(0)).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    let size = u32::from_be_bytes(answers[..4].try_into().unwrap()) as usize + 4;
    assert_eq!(answers.len(), 2 * size);
    assert_eq!((&answers[4..8], &answers[size + 4..size + 8]), (&[0, 0, 0, 7][..], &[0, 0, 0, 7][..]));
}

#[tokio::test]
async fn a_waiting_request_of_a_client_that_is_gone_is_given_up() {
    let house = house().await;
    for reset in [true, false] {
        let mut client = TcpStream::connect(house.address).await.unwrap();
        client.write_all(&fetch(60_000)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(house.broker.metrics.connections.get(), 1);
        if reset {
            client.set_zero_linger().unwrap();
        }
        drop(client);
        closes_within(&house, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_connection_that_rests_after_a_large_request_is_not_taken_for_a_slow_one() {
    let house = house().await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    // Also one that fills the read buffer to the last byte: the socket then seems to hold more.
    for length in [20_000, 3, READ_BYTES - fetch(0).len()] {
        client.write_all(&fetch_of(&"c".repeat(length), 0)).await.unwrap();
        let mut size = [0; 4];
        client.read_exact(&mut size).await.unwrap();
        client.read_exact(&mut vec![0; u32::from_be_bytes(size) as usize]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(house.broker.metrics.connections.get(), 1, "closed after a client id of {length} bytes");
    }
}
