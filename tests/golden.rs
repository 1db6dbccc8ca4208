//! Golden wire bytes: what real clients and a real Apache Kafka said, against the wire floor.

#[path = "golden/codec.rs"]
mod codec;
#[path = "golden/exchange.rs"]
mod exchange;

use bytes::Bytes;
use codec::codec;
use exchange::exchanges;
use headwater::model::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerId, TopicId, TopicName};
use headwater::wire::fetch_response::{
    self, AbortedTransaction, CurrentLeader, DivergingEpoch, FetchResponse, FetchedPartition, FetchedTopic, NodeEndpoint,
};
use headwater::wire::request::RequestHeader;
use headwater::wire::schema_table::APIS;
use headwater::wire::{guard, response};
use kafka_protocol::messages::FetchResponse as CodecFetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::protocol::Decodable;

/// The answer's correlation id, and its body after the header.
fn answer_body(key: i16, version: i16, answer: &Bytes) -> (i32, Bytes) {
    let header = if response::has_flexible_header(key, version) { 5 } else { 4 };
    (i32::from_be_bytes(answer[..4].try_into().expect("4 bytes")), answer.slice(header..))
}

#[test]
fn every_request_of_the_table_has_a_golden_request_in_every_version() {
    let exchanges = exchanges();
    let missing: Vec<String> = APIS
        .iter()
        .flat_map(|api| (api.version_min..=api.version_max).map(move |version| (api, version)))
        .filter(|(api, version)| !exchanges.iter().any(|found| found.key == api.key && found.version == *version))
        .map(|(api, version)| format!("{} v{version}", api.name))
        .collect();
    assert!(missing.is_empty(), "no golden request: {missing:?}");
}

#[test]
fn golden_requests_pass_the_guard_untouched_and_decode_to_the_same_bytes() {
    for exchange in exchanges() {
        let (header, body) = RequestHeader::split(&exchange.request).unwrap_or_else(|e| panic!("{}: {e}", exchange.name()));
        assert_eq!((header.api_key, header.api_version), (exchange.key, exchange.version));
        let checked = guard::check(exchange.key, exchange.version, &body).unwrap_or_else(|e| panic!("{}: {e}", exchange.name()));
        assert_eq!(checked.body, body, "{}", exchange.name());
        assert_eq!(checked.body.as_ptr(), body.as_ptr(), "{}: copied", exchange.name());
        assert_eq!((codec(exchange.key).unguarded)(exchange.version, &body), Ok(0), "{}", exchange.name());
        let again = (codec(exchange.key).request)(exchange.version, &body).unwrap_or_else(|e| panic!("{}: {e}", exchange.name()));
        assert_eq!(again, body, "{}", exchange.name());
    }
}

#[test]
fn golden_answers_decode_and_encode_to_the_same_bytes() {
    for exchange in exchanges() {
        let Some(answer) = &exchange.answer else { continue };
        let (correlation_id, body) = answer_body(exchange.key, exchange.version, answer);
        let again = (codec(exchange.key).answer)(exchange.version, correlation_id, &body);
        let again = again.unwrap_or_else(|error| panic!("{}: {error}", exchange.name()));
        assert_eq!(again[4..], answer[..], "{}", exchange.name());
        assert_eq!(again[..4], (answer.len() as i32).to_be_bytes(), "{}", exchange.name());
    }
}

#[test]
fn the_fetch_writer_reproduces_kafkas_answers() {
    let (mut with_records, mut aborted, mut diverging, mut leaders) = (0, 0, 0, 0);
    for exchange in exchanges().into_iter().filter(|exchange| exchange.key == 1) {
        let Some(answer) = &exchange.answer else { continue };
        let (correlation_id, mut body) = answer_body(1, exchange.version, answer);
        let decoded = CodecFetchResponse::decode(&mut body, exchange.version).expect("a golden answer");
        let ours = FetchResponse {
            throttle_time_ms: decoded.throttle_time_ms,
            error_code: ErrorCode::from_code(decoded.error_code).expect("a known code"),
            session_id: decoded.session_id,
            topics: decoded
                .responses
                .iter()
                .map(|topic| FetchedTopic {
                    name: TopicName::new(topic.topic.as_str()),
                    id: TopicId(topic.topic_id.into_bytes()),
                    partitions: topic.partitions.iter().map(partition).collect(),
                })
                .collect(),
            node_endpoints: decoded
                .node_endpoints
                .iter()
                .map(|node| NodeEndpoint {
                    node_id: BrokerId(node.node_id.0),
                    host: node.host.to_string(),
                    port: node.port,
                    rack: node.rack.as_ref().map(ToString::to_string),
                })
                .collect(),
        };
        for partition in ours.topics.iter().flat_map(|topic| &topic.partitions) {
            with_records += usize::from(!partition.records.is_empty());
            aborted += usize::from(partition.aborted_transactions.as_ref().is_some_and(|list| !list.is_empty()));
            diverging += usize::from(partition.diverging_epoch.is_some());
            leaders += usize::from(partition.current_leader.is_some());
        }
        let slices: Vec<*const u8> =
            ours.topics.iter().flat_map(|t| &t.partitions).flat_map(|p| &p.records).map(|slice| slice.as_ptr()).collect();
        let pieces = fetch_response::encode(exchange.version, correlation_id, ours).expect("an answer");
        let written = pieces.concat();
        assert_eq!(written[..4], (answer.len() as i32).to_be_bytes(), "{}", exchange.name());
        assert_eq!(written[4..], answer[..], "{}", exchange.name());
        for slice in slices {
            assert!(pieces.iter().any(|piece| piece.as_ptr() == slice), "{}: a record slice was copied", exchange.name());
        }
    }
    assert!(with_records > 14 && aborted > 13 && diverging > 5 && leaders > 0, "{with_records} {aborted} {diverging} {leaders}");
}

/// A partition of a decoded answer in our words, its records cut in two.
fn partition(data: &PartitionData) -> FetchedPartition {
    let records = data.records.clone().unwrap_or_default();
    let half = records.len() / 2;
    let diverging = &data.diverging_epoch;
    let leader = &data.current_leader;
    FetchedPartition {
        index: PartitionId(data.partition_index),
        error_code: ErrorCode::from_code(data.error_code).expect("a known code"),
        high_watermark: Offset(data.high_watermark),
        last_stable_offset: Offset(data.last_stable_offset),
        log_start_offset: Offset(data.log_start_offset),
        aborted_transactions: data.aborted_transactions.as_ref().map(|list| {
            list.iter()
                .map(|entry| AbortedTransaction { producer_id: ProducerId(entry.producer_id.0), first_offset: Offset(entry.first_offset) })
                .collect()
        }),
        diverging_epoch: (diverging.epoch >= 0)
            .then_some(DivergingEpoch { epoch: LeaderEpoch(diverging.epoch), end_offset: Offset(diverging.end_offset) }),
        current_leader: (leader.leader_id.0 >= 0)
            .then_some(CurrentLeader { leader_id: BrokerId(leader.leader_id.0), leader_epoch: LeaderEpoch(leader.leader_epoch) }),
        records: if records.is_empty() { Vec::new() } else { vec![records.slice(..half), records.slice(half..)] },
    }
}
