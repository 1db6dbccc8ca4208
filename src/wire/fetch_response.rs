//! The Fetch answer, written around record slices instead of copying them.
//!
//! Versions 4 to 17. The codec would copy every record byte into its buffer; here the small parts go into one buffer and the
//! slices that the log gave out are passed on as they are, for one vectored write.

use bytes::{BufMut, Bytes, BytesMut};

use super::varint::put_varint;
use super::{WireError, response};
use crate::model::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerId, TopicId, TopicName};

const FETCH: i16 = 1;
/// Compact lengths and tagged fields (KIP-482), and the tags for truncation (KIP-595).
const FLEXIBLE: i16 = 12;
/// Topics by id instead of name (KIP-516).
const TOPIC_IDS: i16 = 13;
/// Addresses of new leaders (KIP-951).
const NODE_ENDPOINTS: i16 = 16;

/// Bytes of a partition's entry without records and aborted transactions, rounded up.
const PARTITION_BYTES: usize = 80;

/// One answer to Fetch. In wire order:
///
/// | field | versions | |
/// |---|---|---|
/// | throttle_time_ms | all | int32 |
/// | error_code, session_id | 7 | int16, int32 |
/// | responses | all | array of [`FetchedTopic`] |
/// | node_endpoints | 16 | tag 0, left out when empty |
#[derive(Clone, Debug)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub session_id: i32,
    pub topics: Vec<FetchedTopic>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic of the answer: its name up to version 12, its id (16 bytes) from 13 on; then the array of partitions.
#[derive(Clone, Debug)]
pub struct FetchedTopic {
    pub name: TopicName,
    pub id: TopicId,
    pub partitions: Vec<FetchedPartition>,
}

/// A partition of the answer. In wire order:
///
/// | field | versions | |
/// |---|---|---|
/// | partition_index, error_code | all | int32, int16 |
/// | high_watermark, last_stable_offset | all | int64 each |
/// | log_start_offset | 5 | int64 |
/// | aborted_transactions | all | nullable array of producer id, first offset |
/// | preferred_read_replica | 11 | int32, always -1 |
/// | records | all | length and bytes, length 0 when there are none |
/// | diverging_epoch | 12 | tag 0: int32 epoch, int64 end offset |
/// | current_leader | 12 | tag 1: int32 id, int32 epoch |
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    pub index: PartitionId,
    pub error_code: ErrorCode,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start_offset: Offset,
    /// None for readers that see uncommitted records.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub diverging_epoch: Option<DivergingEpoch>,
    pub current_leader: Option<CurrentLeader>,
    /// Whole batches, in order, in as many slices as the log gave.
    pub records: Vec<Bytes>,
}

/// Records of this producer from this offset on belong to an aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
}

/// Where the log of the broker leaves the one that the fetcher knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DivergingEpoch {
    pub epoch: LeaderEpoch,
    pub end_offset: Offset,
}

/// Whom to ask instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentLeader {
    pub leader_id: BrokerId,
    pub leader_epoch: LeaderEpoch,
}

/// Address of a broker named as a current leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEndpoint {
    pub node_id: BrokerId,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl FetchedPartition {
    /// A partition with nothing to read: the offsets are unknown (-1).
    pub fn refused(index: PartitionId, error_code: ErrorCode) -> FetchedPartition {
        FetchedPartition {
            index,
            error_code,
            high_watermark: Offset::NONE,
            last_stable_offset: Offset::NONE,
            log_start_offset: Offset::NONE,
            aborted_transactions: None,
            diverging_epoch: None,
            current_leader: None,
            records: Vec::new(),
        }
    }
}

/// Encodes an answer as a frame in pieces: size, header and small fields in between the record slices.
pub fn encode(version: i16, correlation_id: i32, answer: FetchResponse) -> Result<Vec<Bytes>, WireError> {
    if !(4..=17).contains(&version) {
        return Err(failed(version, "not a version that is written here"));
    }
    let partitions = answer.topics.iter().map(|topic| topic.partitions.len()).fold(0_usize, usize::saturating_add);
    let mut writer = Writer {
        version,
        flexible: version >= FLEXIBLE,
        small: BytesMut::with_capacity(partitions.saturating_mul(PARTITION_BYTES).saturating_add(256)),
        slices: Vec::with_capacity(partitions),
    };
    writer.small.put_i32(0);
    response::put_header(&mut writer.small, FETCH, version, correlation_id);
    writer.put_answer(answer)?;
    writer.finish()
}

struct Writer {
    version: i16,
    flexible: bool,
    small: BytesMut,
    /// Record slices, each with the position in `small` that it goes before.
    slices: Vec<(usize, Bytes)>,
}

impl Writer {
    fn put_answer(&mut self, answer: FetchResponse) -> Result<(), WireError> {
        self.small.put_i32(answer.throttle_time_ms);
        if self.version >= 7 {
            self.small.put_i16(answer.error_code.code());
            self.small.put_i32(answer.session_id);
        }
        self.put_length(answer.topics.len())?;
        for topic in answer.topics {
            self.put_topic(topic)?;
        }
        let mut tags = Tags::default();
        if self.version >= NODE_ENDPOINTS && !answer.node_endpoints.is_empty() {
            tags.push(0, self.node_endpoints(&answer.node_endpoints)?);
        }
        self.put_tags(tags);
        Ok(())
    }

    fn put_topic(&mut self, topic: FetchedTopic) -> Result<(), WireError> {
        if self.version >= TOPIC_IDS {
            self.small.put_slice(&topic.id.0);
        } else {
            self.put_string(topic.name.as_str())?;
        }
        self.put_length(topic.partitions.len())?;
        for partition in topic.partitions {
            self.put_partition(partition)?;
        }
        self.put_tags(Tags::default());
        Ok(())
    }

    fn put_partition(&mut self, partition: FetchedPartition) -> Result<(), WireError> {
        self.small.put_i32(partition.index.0);
        self.small.put_i16(partition.error_code.code());
        self.small.put_i64(partition.high_watermark.0);
        self.small.put_i64(partition.last_stable_offset.0);
        if self.version >= 5 {
            self.small.put_i64(partition.log_start_offset.0);
        }
        self.put_aborted(partition.aborted_transactions.as_deref())?;
        if self.version >= 11 {
            self.small.put_i32(-1);
        }
        self.put_records(partition.records)?;
        let mut tags = Tags::default();
        if let Some(diverging) = partition.diverging_epoch {
            let mut content = BytesMut::with_capacity(13);
            content.put_i32(diverging.epoch.0);
            content.put_i64(diverging.end_offset.0);
            content.put_u8(0);
            tags.push(0, content);
        }
        if let Some(leader) = partition.current_leader {
            let mut content = BytesMut::with_capacity(9);
            content.put_i32(leader.leader_id.0);
            content.put_i32(leader.leader_epoch.0);
            content.put_u8(0);
            tags.push(1, content);
        }
        self.put_tags(tags);
        Ok(())
    }

    fn put_aborted(&mut self, aborted: Option<&[AbortedTransaction]>) -> Result<(), WireError> {
        let Some(aborted) = aborted else {
            if self.flexible {
                self.small.put_u8(0);
            } else {
                self.small.put_i32(-1);
            }
            return Ok(());
        };
        self.put_length(aborted.len())?;
        for transaction in aborted {
            self.small.put_i64(transaction.producer_id.0);
            self.small.put_i64(transaction.first_offset.0);
            self.put_tags(Tags::default());
        }
        Ok(())
    }

    fn put_records(&mut self, records: Vec<Bytes>) -> Result<(), WireError> {
        self.put_length(records.iter().map(Bytes::len).fold(0, usize::saturating_add))?;
        let at = self.small.len();
        self.slices.extend(records.into_iter().filter(|slice| !slice.is_empty()).map(|slice| (at, slice)));
        Ok(())
    }

    /// Length of an array or of bytes.
    fn put_length(&mut self, length: usize) -> Result<(), WireError> {
        let length = i32::try_from(length).map_err(|_| failed(self.version, "larger than a frame can be"))?;
        if self.flexible {
            put_varint(&mut self.small, length.cast_unsigned().saturating_add(1));
        } else {
            self.small.put_i32(length);
        }
        Ok(())
    }

    fn put_string(&mut self, text: &str) -> Result<(), WireError> {
        let length = i16::try_from(text.len()).map_err(|_| failed(self.version, "string longer than 32767 bytes"))?;
        if self.flexible {
            put_varint(&mut self.small, u32::from(length.cast_unsigned()).saturating_add(1));
        } else {
            self.small.put_i16(length);
        }
        self.small.put_slice(text.as_bytes());
        Ok(())
    }

    fn put_tags(&mut self, tags: Tags) {
        if self.flexible {
            tags.write(&mut self.small);
        }
    }

    /// Content of the tag: an array of node id, host, port and nullable rack.
    fn node_endpoints(&mut self, endpoints: &[NodeEndpoint]) -> Result<BytesMut, WireError> {
        let outer = std::mem::take(&mut self.small);
        self.put_length(endpoints.len())?;
        for endpoint in endpoints {
            self.small.put_i32(endpoint.node_id.0);
            self.put_string(&endpoint.host)?;
            self.small.put_i32(endpoint.port);
            match &endpoint.rack {
                Some(rack) => self.put_string(rack)?,
                None => self.small.put_u8(0),
            }
            self.small.put_u8(0);
        }
        Ok(std::mem::replace(&mut self.small, outer))
    }

    /// Puts the size in front and cuts the small bytes where slices go in between.
    fn finish(self) -> Result<Vec<Bytes>, WireError> {
        let Writer { version, mut small, slices, .. } = self;
        let total = slices.iter().map(|(_, slice)| slice.len()).fold(small.len(), usize::saturating_add);
        let size = i32::try_from(total.saturating_sub(4)).map_err(|_| failed(version, "larger than a frame can be"))?;
        if let Some(prefix) = small.first_chunk_mut::<4>() {
            *prefix = size.to_be_bytes();
        }
        let mut small = small.freeze();
        let mut pieces = Vec::with_capacity(slices.len().saturating_mul(2).saturating_add(1));
        let mut written = 0_usize;
        for (at, slice) in slices {
            let piece = small.split_to(at.saturating_sub(written));
            written = at;
            if !piece.is_empty() {
                pieces.push(piece);
            }
            pieces.push(slice);
        }
        if !small.is_empty() {
            pieces.push(small);
        }
        Ok(pieces)
    }
}

/// Tagged fields of one struct, in ascending order.
#[derive(Default)]
struct Tags(Vec<(u32, BytesMut)>);

impl Tags {
    fn push(&mut self, tag: u32, content: BytesMut) {
        self.0.push((tag, content));
    }

    fn write(self, out: &mut BytesMut) {
        put_varint(out, u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for (tag, content) in self.0 {
            put_varint(out, tag);
            put_varint(out, u32::try_from(content.len()).unwrap_or(u32::MAX));
            out.put_slice(&content);
        }
    }
}

fn failed(version: i16, reason: &str) -> WireError {
    WireError::Encode { key: FETCH, version, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::FetchResponse as CodecFetchResponse;
    use kafka_protocol::protocol::Decodable;

    fn answer() -> FetchResponse {
        let full = FetchedPartition {
            error_code: ErrorCode::None,
            high_watermark: Offset(900),
            last_stable_offset: Offset(800),
            log_start_offset: Offset(7),
            aborted_transactions: Some(vec![AbortedTransaction { producer_id: ProducerId(5), first_offset: Offset(6) }]),
            diverging_epoch: Some(DivergingEpoch { epoch: LeaderEpoch(3), end_offset: Offset(44) }),
            current_leader: Some(CurrentLeader { leader_id: BrokerId(2), leader_epoch: LeaderEpoch(9) }),
            records: vec![Bytes::from(vec![1; 200]), Bytes::new(), Bytes::from(vec![2; 300])],
            ..FetchedPartition::refused(PartitionId(3), ErrorCode::None)
        };
        let partitions = vec![full, FetchedPartition::refused(PartitionId(4), ErrorCode::OffsetOutOfRange)];
        let rack = Some("r".to_owned());
        FetchResponse {
            throttle_time_ms: 1,
            error_code: ErrorCode::None,
            session_id: 12,
            topics: vec![FetchedTopic { name: TopicName::new("town"), id: TopicId([8; 16]), partitions }],
            node_endpoints: vec![
                NodeEndpoint { node_id: BrokerId(2), host: "here".to_owned(), port: 9092, rack },
                NodeEndpoint { node_id: BrokerId(3), host: "there".to_owned(), port: 9093, rack: None },
            ],
        }
    }

    #[test]
    fn the_codec_reads_back_what_was_written_in_every_version() {
        for version in 4..=17 {
            let frame = encode(version, 77, answer()).unwrap().concat();
            assert_eq!(frame[..4], (frame.len() as i32 - 4).to_be_bytes());
            assert_eq!(frame[4..8], 77_i32.to_be_bytes());
            let mut body = Bytes::from(frame).split_off(if version >= FLEXIBLE { 9 } else { 8 });
            let decoded = CodecFetchResponse::decode(&mut body, version).unwrap();
            assert!(body.is_empty(), "v{version}");
            let topic = &decoded.responses[0];
            if version >= TOPIC_IDS {
                assert_eq!(topic.topic_id.as_bytes(), &[8; 16]);
            } else {
                assert_eq!(topic.topic.as_str(), "town");
            }
            let [full, refused] = &topic.partitions[..] else { panic!("v{version}: two partitions") };
            assert_eq!(full.records.as_deref(), Some(&[vec![1; 200], vec![2; 300]].concat()[..]));
            assert_eq!((full.high_watermark, full.last_stable_offset), (900, 800));
            assert_eq!(full.log_start_offset, if version >= 5 { 7 } else { -1 });
            assert_eq!(full.aborted_transactions.as_ref().map(|list| (list[0].producer_id.0, list[0].first_offset)), Some((5, 6)));
            let tags = (full.diverging_epoch.end_offset, full.current_leader.leader_epoch);
            assert_eq!(tags, if version >= FLEXIBLE { (44, 9) } else { (-1, -1) });
            assert_eq!((refused.partition_index, refused.error_code, refused.aborted_transactions.as_ref()), (4, 1, None));
            assert_eq!(refused.records.as_deref(), Some(&[][..]), "no records are length 0, not null");
            let hosts: Vec<&str> = decoded.node_endpoints.iter().map(|node| node.host.as_str()).collect();
            assert_eq!(hosts, if version >= NODE_ENDPOINTS { vec!["here", "there"] } else { vec![] });
        }
    }

    #[test]
    fn record_slices_go_out_as_they_are() {
        let answer = answer();
        let given: Vec<*const u8> = answer.topics[0].partitions[0].records.iter().filter(|r| !r.is_empty()).map(|r| r.as_ptr()).collect();
        let pieces = encode(12, 1, answer).unwrap();
        assert_eq!(pieces.iter().map(|piece| piece.as_ptr()).filter(|at| given.contains(at)).collect::<Vec<_>>(), given);
        assert_eq!(pieces.len(), 4, "small bytes, two slices, small bytes");
    }

    #[test]
    fn what_no_frame_can_hold_is_an_error() {
        assert!(encode(3, 1, answer()).is_err());
        assert!(encode(18, 1, answer()).is_err());
        let mut long_name = answer();
        long_name.topics[0].name = TopicName::new(&"x".repeat(40_000));
        assert!(encode(4, 1, long_name).is_err());
        let mut huge = answer();
        huge.topics[0].partitions[0].records = vec![Bytes::from(vec![0; 1 << 20]); 2048];
        assert!(encode(4, 1, huge).is_err(), "2 GiB of records");
    }
}
