//! Every request type by its key, so that tests can go over all of them.

use bytes::{Bytes, BytesMut};
use headwater::wire::WireError;
use headwater::wire::{request, response};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Request};

/// What can be done with one API's messages without knowing their types.
#[allow(dead_code, reason = "each test uses its part")]
pub struct Codec {
    pub key: i16,
    /// Decodes a request's body as the server does, and encodes it again.
    pub request: fn(i16, &Bytes) -> Result<Bytes, WireError>,
    /// Decodes a request's body by the codec alone; returns how many bytes it left.
    pub unguarded: fn(i16, &Bytes) -> Result<usize, String>,
    /// Decodes an answer's body, which must be used up, and encodes it as the server does, with size and header.
    pub answer: fn(i16, i32, &Bytes) -> Result<Bytes, String>,
}

pub fn codec(key: i16) -> &'static Codec {
    CODECS.iter().find(|codec| codec.key == key).unwrap_or_else(|| panic!("no codec for key {key}"))
}

const fn of<T: Request>() -> Codec {
    Codec { key: T::KEY, request: request_again::<T>, unguarded: unguarded::<T>, answer: answer_again::<T> }
}

fn request_again<T: Request>(version: i16, body: &Bytes) -> Result<Bytes, WireError> {
    let decoded: T = request::decode_body(version, body)?;
    let mut out = BytesMut::new();
    decoded.encode(&mut out, version).map_err(|error| WireError::Encode { key: T::KEY, version, reason: error.to_string() })?;
    Ok(out.freeze())
}

fn unguarded<T: Request>(version: i16, body: &Bytes) -> Result<usize, String> {
    let mut body = body.clone();
    T::decode(&mut body, version).map_err(|error| error.to_string())?;
    Ok(body.len())
}

fn answer_again<T: Request>(version: i16, correlation_id: i32, body: &Bytes) -> Result<Bytes, String> {
    let mut body = body.clone();
    let decoded = T::Response::decode(&mut body, version).map_err(|error| error.to_string())?;
    if !body.is_empty() {
        return Err(format!("{} bytes left", body.len()));
    }
    response::encode(T::KEY, version, correlation_id, &decoded).map_err(|error| error.to_string())
}

pub static CODECS: &[Codec] = &[
    of::<ProduceRequest>(),
    of::<FetchRequest>(),
    of::<ListOffsetsRequest>(),
    of::<MetadataRequest>(),
    of::<OffsetCommitRequest>(),
    of::<OffsetFetchRequest>(),
    of::<FindCoordinatorRequest>(),
    of::<JoinGroupRequest>(),
    of::<HeartbeatRequest>(),
    of::<LeaveGroupRequest>(),
    of::<SyncGroupRequest>(),
    of::<DescribeGroupsRequest>(),
    of::<ListGroupsRequest>(),
    of::<SaslHandshakeRequest>(),
    of::<ApiVersionsRequest>(),
    of::<CreateTopicsRequest>(),
    of::<DeleteTopicsRequest>(),
    of::<DeleteRecordsRequest>(),
    of::<InitProducerIdRequest>(),
    of::<OffsetForLeaderEpochRequest>(),
    of::<AddPartitionsToTxnRequest>(),
    of::<AddOffsetsToTxnRequest>(),
    of::<EndTxnRequest>(),
    of::<TxnOffsetCommitRequest>(),
    of::<DescribeAclsRequest>(),
    of::<CreateAclsRequest>(),
    of::<DeleteAclsRequest>(),
    of::<DescribeConfigsRequest>(),
    of::<AlterConfigsRequest>(),
    of::<DescribeLogDirsRequest>(),
    of::<SaslAuthenticateRequest>(),
    of::<CreatePartitionsRequest>(),
    of::<DeleteGroupsRequest>(),
    of::<ElectLeadersRequest>(),
    of::<IncrementalAlterConfigsRequest>(),
    of::<AlterPartitionReassignmentsRequest>(),
    of::<ListPartitionReassignmentsRequest>(),
    of::<OffsetDeleteRequest>(),
    of::<DescribeClientQuotasRequest>(),
    of::<AlterClientQuotasRequest>(),
    of::<DescribeUserScramCredentialsRequest>(),
    of::<AlterUserScramCredentialsRequest>(),
    of::<DescribeQuorumRequest>(),
    of::<DescribeClusterRequest>(),
    of::<DescribeProducersRequest>(),
    of::<DescribeTransactionsRequest>(),
    of::<ListTransactionsRequest>(),
    of::<ConsumerGroupHeartbeatRequest>(),
    of::<ConsumerGroupDescribeRequest>(),
    of::<ListConfigResourcesRequest>(),
    of::<DescribeTopicPartitionsRequest>(),
];
