//! A small blocking Kafka client: the codec's messages over one connection.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// An answer that takes longer is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

pub struct Client {
    pub stream: TcpStream,
    correlation_id: i32,
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A request's whole frame, size first.
pub fn frame<T: Request>(version: i16, correlation_id: i32, request: &T) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(T::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text("binary-test")));
    let mut out = BytesMut::new();
    header.encode(&mut out, T::header_version(version)).expect("a header");
    request.encode(&mut out, version).expect("a body");
    let size = i32::try_from(out.len()).expect("a size");
    [&size.to_be_bytes()[..], &out].concat()
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(ANSWER_WITHIN)).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        Client { stream, correlation_id: 0 }
    }

    /// Sends a request and leaves.
    pub fn send<T: Request>(&mut self, version: i16, request: &T) {
        self.correlation_id += 1;
        self.stream.write_all(&frame(version, self.correlation_id, request)).expect("send");
    }

    /// The next answer's frame, without its size.
    pub fn receive(&mut self) -> io::Result<Bytes> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a size")];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub fn try_ask<T: Request>(&mut self, version: i16, request: &T) -> io::Result<T::Response> {
        self.correlation_id += 1;
        self.stream.write_all(&frame(version, self.correlation_id, request))?;
        let mut answer = self.receive()?;
        let header = ResponseHeader::decode(&mut answer, T::Response::header_version(version)).expect("a header");
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = T::Response::decode(&mut answer, version).expect("an answer");
        assert!(answer.is_empty(), "{} bytes left over", answer.len());
        Ok(response)
    }

    pub fn ask<T: Request>(&mut self, version: i16, request: &T) -> T::Response {
        self.try_ask(version, request).expect("an answer")
    }

    /// Nothing has come yet.
    pub fn is_waiting(&self) -> bool {
        self.stream.set_nonblocking(true).expect("nonblocking");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("blocking");
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Metadata of these topics, or of all.
    pub fn metadata(&mut self, topics: Option<&[&str]>) -> MetadataResponse {
        let asked = topics.map(|names| names.iter().map(|n| MetadataRequestTopic::default().with_name(Some(topic_name(n)))).collect());
        self.ask(12, &MetadataRequest::default().with_topics(asked).with_allow_auto_topic_creation(true))
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(k, v)| CreatableTopicConfig::default().with_name(text(k)).with_value(Some(text(v))));
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let answer = self.ask(7, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000));
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics[0].error_message);
    }

    /// Error code and base offset.
    pub fn try_produce(&mut self, topic: &str, partition: i32, batches: Bytes) -> io::Result<(i16, i64)> {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batches));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data]);
        let answer = self.try_ask(9, &request)?;
        let partition = &answer.responses[0].partition_responses[0];
        Ok((partition.error_code, partition.base_offset))
    }

    pub fn produce(&mut self, topic: &str, partition: i32, batches: Bytes) -> i64 {
        let (error, offset) = self.try_produce(topic, partition, batches).expect("an answer");
        assert_eq!(error, 0, "{topic}-{partition}");
        offset
    }

    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let mut answer = self.ask(12, &fetch_request(topic, partition, offset, 0));
        assert_eq!(answer.error_code, 0);
        answer.responses.remove(0).partitions.remove(0)
    }

    /// Error code and offset. -2 asks for the first, -1 for the end.
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> (i16, i64) {
        let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
        let asked = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![asked]);
        let answer = self.ask(7, &ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked]));
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.offset)
    }

    /// The values of a topic's configs (kind 2) or a broker's (kind 4), with their source.
    pub fn configs(&mut self, kind: i8, name: &str) -> Vec<(String, Option<String>, i8)> {
        let resource =
            DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name)).with_configuration_keys(None);
        let answer = self.ask(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
        let result = &answer.results[0];
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
        let row = |c: &describe_configs_response::DescribeConfigsResourceResult| {
            (c.name.to_string(), c.value.as_ref().map(ToString::to_string), c.config_source)
        };
        result.configs.iter().map(row).collect()
    }
}

pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let asked = FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(64 << 20);
    let asked = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![asked]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(64 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![asked])
}

/// A first member without an id, as clients before KIP-394 ask.
pub fn join_request(group: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(&[0, 0, 0, 0, 0, 0]));
    JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}
