//! The pages of a running broker, and what monitoring reads of it.

use std::time::{Duration, Instant};

use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{ApiVersionsRequest, GroupId, OffsetCommitRequest};
use tempfile::tempdir;

use crate::client::{self, Client, text};
use crate::prometheus::assert_prometheus;
use crate::running::Running;

#[test]
fn the_page_and_its_parts_carry_their_guard() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    for (path, status, kind) in [
        ("/", 200, "text/html"),
        ("/plain", 200, "text/html"),
        ("/plain.css", 200, "text/css"),
        ("/api/overview", 200, "application/json"),
        ("/healthz", 200, "text/plain"),
        ("/metrics", 200, "text/plain; version=0.0.4"),
        ("/nothing", 404, ""),
        ("/assets/..%2f..%2fetc%2fpasswd", 404, ""),
    ] {
        let page = running.get(path);
        assert_eq!(page.status, status, "{path}: {page:?}");
        assert!(page.header("content-type").unwrap_or("").starts_with(kind), "{path}: {:?}", page.headers);
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
    assert!(running.get("/").body.contains("<title>"));
    running.stop();
}

#[test]
fn metrics_are_strict_prometheus_text_whatever_clients_call_themselves() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    assert_prometheus(&running.get("/metrics").body);
    let mut client = Client::connect(running.kafka);
    client.create_topic("measured", 2, &[]);
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"x"), ..NewRecord::default() });
    client.produce("measured", 0, batch.build().unwrap().to_bytes());
    client.fetch("measured", 0, 0);
    client.list_offset("no such topic", 0, -1);
    let commit = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(1);
    let commit = OffsetCommitRequestTopic::default().with_name(client::topic_name("measured")).with_partitions(vec![commit]);
    for group in ["plain", "a\"b\\c\nd", "{}=, "] {
        let request = OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![commit.clone()]);
        assert_eq!(client.ask(8, &request).topics[0].partitions[0].error_code, 0, "{group:?}");
    }
    for (key, client_id) in [(0x7fff_u16, "odd"), (4, "q\"\\\n{}"), (4, "other"), (0xffff, "")] {
        let header = [&key.to_be_bytes()[..], &[0, 0, 0, 0, 0, 1], &(client_id.len() as i16).to_be_bytes(), client_id.as_bytes()].concat();
        let mut odd = Client::connect(running.kafka);
        std::io::Write::write_all(&mut odd.stream, &[&(header.len() as i32).to_be_bytes()[..], &header].concat()).unwrap();
        assert!(odd.receive().is_err());
    }
    assert_eq!(Client::connect(running.kafka).ask(0, &ApiVersionsRequest::default()).error_code, 0);
    // Groups are looked at once in a while for all who ask.
    let end = Instant::now() + Duration::from_secs(5);
    let mut page = running.get("/metrics").body;
    while !page.contains("headwater_group_lag{group=\"a") && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        page = running.get("/metrics").body;
    }
    let families = assert_prometheus(&page);
    println!("{families} families, {} samples", page.lines().filter(|line| !line.starts_with('#')).count());
    for wanted in [
        "headwater_topic_messages_in_total{topic=\"measured\"} 1\n",
        "headwater_log_end_offset{topic=\"measured\",partition=\"0\"} 1\n",
        "headwater_group_lag{group=\"a\\\"b\\\\c\\nd\",topic=\"measured\",partition=\"0\"} 0\n",
        "headwater_up 1\n",
        "headwater_panics_total 0\n",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in\n{page}");
    }
    running.stop();
}
