//! The pages over a real socket, in front of a made-up cluster.

use super::*;
use crate::cluster::{
    BoxFuture, ClusterError, Desk, GroupOffset, GroupSummary, NewRecord, PartitionSummary, Records, StoredRecord, TopicSummary, Topics,
    Users,
};
use crate::config::Protocol;
use crate::model::metrics::{Histogram, MetricsSnapshot, RequestCount, TopicCount};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicId, TopicName};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Town {
    problem: Option<String>,
    started: Instant,
}

const HOSTILE: &str = "{\"user\":\"<img src=x onerror=alert(1)>\"}";

/// The pages never write.
fn read_only() -> ClusterError {
    ClusterError { code: ErrorCode::PolicyViolation, message: "the town cannot be written to".into() }
}

impl Cluster for Town {
    fn cluster_id(&self) -> String {
        "town".into()
    }

    fn listeners(&self) -> Vec<ListenerSummary> {
        vec![ListenerSummary {
            name: "PLAINTEXT".into(),
            protocol: Protocol::Plaintext,
            bound: Some("0.0.0.0:9092".parse().unwrap()),
            advertise: Advertise::Auto,
            mechanisms: Vec::new(),
        }]
    }

    fn health(&self) -> Result<(), String> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    fn topics(&self) -> Vec<TopicSummary> {
        let seconds = self.started.elapsed().as_millis() as i64 / 20;
        let partition = |p| PartitionSummary {
            partition: PartitionId(p),
            start_offset: Offset(0),
            end_offset: Offset(2000 + seconds),
            size_bytes: Some(700_000),
            damaged: Vec::new(),
            indexes_rebuilt: 0,
        };
        let topic = |name: &str, internal| TopicSummary {
            name: name.into(),
            id: TopicId([7; 16]),
            internal,
            durability: Some(crate::config::Durability::D1),
            partitions: (0..if internal { 50 } else { 4 }).map(partition).collect(),
        };
        vec![
            topic("__consumer_offsets", true),
            topic("ecommerce-events", false),
            topic("financial-transactions", false),
            topic("iot-sensors", false),
            topic("social-media-posts", false),
        ]
    }

    fn groups(&self) -> BoxFuture<'_, Vec<GroupSummary>> {
        let offset = |p| GroupOffset {
            topic: "ecommerce-events".into(),
            partition: PartitionId(p),
            committed: Some(Offset(1900)),
            end_offset: Offset(2000),
        };
        let group = GroupSummary {
            id: "dashboard-lesson".into(),
            protocol: "classic".into(),
            state: "Stable".into(),
            members: 2,
            offsets: (0..4).map(offset).collect(),
        };
        Box::pin(async move { vec![group] })
    }

    fn metrics(&self) -> MetricsSnapshot {
        let counted = self.started.elapsed().as_millis() as u64 / 10;
        let topic = |name: &str| TopicCount { topic: name.into(), messages_in: counted, bytes_in: counted * 300, bytes_out: 0 };
        MetricsSnapshot {
            started: Some(Timestamp(1_795_000_000_000)),
            requests: vec![RequestCount { api: "Produce".into(), version: 9, count: 12 }],
            topics: ["ecommerce-events", "financial-transactions", "iot-sensors", "social-media-posts"].map(topic).into(),
            bytes_in: counted * 1200,
            bytes_out: counted * 2400,
            connections_open: 3,
            produce_latency: Histogram { bounds: vec![0.001, 0.01], counts: vec![10, 2, 0], sum_seconds: 0.02 },
            ..MetricsSnapshot::default()
        }
    }

    fn erase(&self, _: Vec<TopicName>, _: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Users for Town {}

impl Records for Town {}

impl Desk for Town {}

impl Topics for Town {
    fn ensure_topic<'a>(&'a self, _: &'a TopicName, _: i32, _: &'a [(&'a str, String)]) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async { Err(read_only()) })
    }

    fn append<'a>(&'a self, _: &'a TopicName, _: PartitionId, _: Vec<NewRecord>) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        Box::pin(async { Err(read_only()) })
    }

    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        let seconds = self.started.elapsed().as_millis() as i64 / 20;
        let value = match topic.as_str() {
            "ecommerce-events" => HOSTILE.to_owned(),
            other => format!(
                "{{\"topic\":\"{other}\",\"partition\":{partition},\"temperature\":21.4,\"status\":\"ok\",\"note\":\"a longer value that has to be cut on one line\"}}"
            ),
        };
        let record = |n: i64| StoredRecord {
            partition,
            offset: Offset(2000 + seconds - n),
            timestamp: Timestamp(1_795_000_000_000 + seconds * 20 - n * 40 + i64::from(partition.0)),
            key: Some(Bytes::from_static(b"k1")),
            value: Some(Bytes::from(value.clone())),
            headers: Vec::new(),
        };
        let records = (0..count as i64).rev().map(record).collect();
        Box::pin(async move { Ok(records) })
    }
}

async fn start(problem: Option<&str>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let town = Town { problem: problem.map(Into::into), started: Instant::now() };
    let state = HttpState::new(Arc::new(town)).with_host_names(&["lab-pc.local".to_owned()]);
    tokio::spawn(serve(listener, state, std::future::pending()));
    address
}

async fn get(address: std::net::SocketAddr, path: &str, host: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    openapi_tests::check("GET", path, head[9..12].parse().unwrap(), &head, body);
    (head, body.to_owned())
}

#[tokio::test]
async fn the_page_names_the_address_the_browser_came_to() {
    let address = start(None).await;
    let (head, page) = get(address, "/plain", "lab-pc.local:8080").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/html"));
    assert!(page.contains("<code id=\"bootstrap\">lab-pc.local:9092</code>"));
    assert!(page.contains("&quot;bootstrap.servers&quot;: &quot;lab-pc.local:9092&quot;"));
    assert!(page.contains("<code>ecommerce-events</code>") && !page.contains("__consumer_offsets"));
    assert!(!page.contains("{{"), "a placeholder is left");
}

#[tokio::test]
async fn a_made_up_host_header_does_not_reach_the_page() {
    let address = start(None).await;
    let (head, page) = get(address, "/plain", "a\"><script>alert(1)</script>").await;
    assert!(head.starts_with("http/1.1 421") && !page.contains("alert(1)"), "{head}");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let address = start(None).await;
    for path in ["/", "/plain", "/plain.css", "/topics/x", "/healthz", "/metrics", "/api/overview", "/assets/none.js", "/nothing-here"] {
        let (head, _) = get(address, path, "localhost:8080").await;
        assert!(head.contains("content-security-policy: default-src 'none';") && head.contains("frame-ancestors 'none'"), "{path}");
        assert!(head.contains("x-content-type-options: nosniff") && head.contains("cache-control: "), "{path}");
        assert!(!head.contains("access-control-"), "{path}");
    }
    assert!(get(address, "/assets/..%2Findex.html", "localhost").await.0.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn the_overview_carries_topics_records_and_lag_and_no_internal_topic() {
    let address = start(None).await;
    let (head, body) = get(address, "/api/overview", "localhost").await;
    assert!(head.contains("content-type: application/json"));
    let overview: serde_json::Value = serde_json::from_str(&body).unwrap();
    let topics = overview.get("topics").and_then(|t| t.as_array()).unwrap();
    assert_eq!(topics.len(), 4);
    let last = topics[0]["last"].as_array().unwrap();
    assert_eq!(last.len(), 5);
    assert_eq!(last[0]["value"]["text"], HOSTILE);
    assert!(last.windows(2).all(|w| w[0]["timestamp"].as_i64() >= w[1]["timestamp"].as_i64()));
    assert_eq!((&overview["groups"][0]["lag"], &overview["connections"]), (&400.into(), &3.into()));
}

#[tokio::test]
async fn each_stream_has_its_schema_where_the_page_says() {
    let address = start(None).await;
    for stream in crate::generators::STREAMS {
        let (head, body) = get(address, &format!("/schemas/{}.json", stream.topic), "localhost").await;
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: application/schema+json"), "{head}");
        let schema: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(schema["title"], stream.topic);
        assert_eq!(schema["properties"]["event_id"]["type"], "string");
    }
    for path in ["/schemas/_truth.json", "/schemas/ecommerce-events", "/schemas/..%2Fsecret.json"] {
        assert!(get(address, path, "localhost").await.0.starts_with("http/1.1 404"), "{path}");
    }
    let (_, page) = get(address, "/plain", "localhost").await;
    assert!(page.contains("<a href=\"/schemas/ecommerce-events.json\">schema</a>"));
    let overview: serde_json::Value = serde_json::from_str(&get(address, "/api/overview", "localhost").await.1).unwrap();
    assert_eq!(
        (&overview["topics"][0]["schema"], &overview["topics"][2]["schema"]),
        (&"/schemas/ecommerce-events.json".into(), &().into())
    );
}

#[tokio::test]
async fn metrics_are_in_prometheus_form() {
    let address = start(None).await;
    let (head, body) = get(address, "/metrics", "localhost").await;
    assert!(head.contains("text/plain; version=0.0.4"));
    for line in [
        "# TYPE headwater_requests_total counter",
        "headwater_requests_total{api=\"Produce\",version=\"9\"} 12",
        "headwater_log_start_offset{topic=\"iot-sensors\",partition=\"3\"} 0",
        "headwater_group_lag{group=\"dashboard-lesson\",topic=\"ecommerce-events\",partition=\"0\"} 100",
        "headwater_produce_latency_seconds_bucket{le=\"+Inf\"} 12",
        "headwater_up 1",
    ] {
        assert!(body.lines().any(|l| l == line), "{line}");
    }
    for line in body.lines().filter(|l| !l.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
        assert!(body.contains(&format!("# TYPE {family} ")), "{name} has no TYPE line");
    }
}

#[tokio::test]
async fn health_says_what_is_wrong() {
    assert!(get(start(None).await, "/healthz", "x").await.0.starts_with("http/1.1 200"));
    let (head, body) = get(start(Some("the disk is full")).await, "/healthz", "x").await;
    assert!(head.starts_with("http/1.1 503") && body.contains("the disk is full"));
}
