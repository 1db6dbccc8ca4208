//! What is written to `__consumer_offsets`, in Kafka's own formats. All numbers are big-endian.

use std::sync::Arc;

use bytes::Bytes;

use super::group::{GroupId, InstanceId, MemberId};
use crate::model::{LeaderEpoch, Offset, PartitionId, Timestamp, TopicId, TopicName};

/// One record: a key, and a value or a tombstone (None).
///
/// | key | fields |
/// |---|---|
/// | offset commit | version i16 = 1, group string, topic string, partition i32 |
/// | group | version i16 = 2, group string |
///
/// A string is a length i16 and UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Offset { group: GroupId, topic: TopicName, partition: PartitionId, value: Option<CommittedOffset> },
    Group { group: GroupId, value: Option<GroupMetadata> },
}

/// A committed offset.
///
/// | version | fields after the version i16 |
/// |---|---|
/// | 0, 2 | offset i64, metadata string, commit timestamp i64 |
/// | 1 | offset i64, metadata string, commit timestamp i64, expire timestamp i64 |
/// | 3 | offset i64, leader epoch i32, metadata string, commit timestamp i64 |
/// | 4 | offset i64, leader epoch i32, metadata compact string, commit timestamp i64, tagged fields: 0 = topic id, 16 bytes |
///
/// Written is 1 if there is an expire timestamp, 3 if the topic id is not known, else 4.
#[derive(Clone, Debug, PartialEq)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub metadata: Arc<str>,
    pub commit_timestamp: Timestamp,
    /// Set by commits of v2-v4 that asked for a retention of their own; else `Timestamp::NONE`.
    pub expire_timestamp: Timestamp,
    /// `TopicId::ZERO` if unknown.
    pub topic_id: TopicId,
}

/// A classic group as of its last completed rebalance.
///
/// | field | since version |
/// |---|---|
/// | protocol type string, generation i32, protocol nullable string, leader nullable string | 0 |
/// | current state timestamp i64 | 2 |
/// | count i32, then [`MemberMetadata`] | 0 |
///
/// Written is 3; read are 0 to 3.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadata {
    /// Empty for a group that never had members.
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    pub current_state_timestamp: Timestamp,
    pub members: Vec<MemberMetadata>,
}

/// A member in [`GroupMetadata`].
///
/// | field | since version |
/// |---|---|
/// | member id string | 0 |
/// | instance id nullable string | 3 |
/// | client id string, client host string | 0 |
/// | rebalance timeout i32 | 1 |
/// | session timeout i32, subscription bytes, assignment bytes (each a length i32 first) | 0 |
#[derive(Clone, Debug, PartialEq)]
pub struct MemberMetadata {
    pub member_id: MemberId,
    pub instance_id: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Metadata of the chosen protocol.
    pub subscription: Bytes,
    pub assignment: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A kind of record that is not kept here; whoever reads the log back skips it.
    #[error("record key of version {0} is not one of a classic group")]
    OtherKey(i16),
    #[error("record value of version {0} is not known")]
    UnknownValueVersion(i16),
    #[error("record is cut short or its lengths do not fit")]
    Malformed,
}

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const GROUP_VALUE: i16 = 3;

impl Record {
    pub fn group(&self) -> &GroupId {
        match self {
            Record::Offset { group, .. } | Record::Group { group, .. } => group,
        }
    }

    pub fn encode_key(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Record::Offset { group, topic, partition, .. } => {
                out.extend(OFFSET_KEY.to_be_bytes());
                put_string(&mut out, group);
                put_string(&mut out, topic.as_str());
                out.extend(partition.0.to_be_bytes());
            }
            Record::Group { group, .. } => {
                out.extend(GROUP_KEY.to_be_bytes());
                put_string(&mut out, group);
            }
        }
        out
    }

    /// None is a tombstone.
    pub fn encode_value(&self) -> Option<Vec<u8>> {
        match self {
            Record::Offset { value, .. } => value.as_ref().map(CommittedOffset::encode),
            Record::Group { value, .. } => value.as_ref().map(GroupMetadata::encode),
        }
    }

    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, RecordError> {
        let mut key = Reader(key);
        match key.i16()? {
            0 | OFFSET_KEY => {
                let (group, topic, partition) = (key.string()?, key.string()?, PartitionId(key.i32()?));
                let value = value.map(CommittedOffset::decode).transpose()?;
                Ok(Record::Offset { group: group.into(), topic: topic.into(), partition, value })
            }
            GROUP_KEY => {
                let group = key.string()?.into();
                Ok(Record::Group { group, value: value.map(GroupMetadata::decode).transpose()? })
            }
            other => Err(RecordError::OtherKey(other)),
        }
    }
}

impl CommittedOffset {
    fn encode(&self) -> Vec<u8> {
        let version: i16 = match self {
            _ if self.expire_timestamp != Timestamp::NONE => 1,
            _ if self.topic_id.is_zero() => 3,
            _ => 4,
        };
        let mut out = Vec::with_capacity(64 + self.metadata.len());
        out.extend(version.to_be_bytes());
        out.extend(self.offset.0.to_be_bytes());
        if version >= 3 {
            out.extend(self.leader_epoch.0.to_be_bytes());
        }
        if version == 4 {
            put_uvarint(&mut out, u32::try_from(self.metadata.len()).unwrap_or(0).saturating_add(1));
            out.extend(self.metadata.as_bytes());
        } else {
            put_string(&mut out, &self.metadata);
        }
        out.extend(self.commit_timestamp.0.to_be_bytes());
        if version == 1 {
            out.extend(self.expire_timestamp.0.to_be_bytes());
        }
        if version == 4 {
            // One tagged field: tag 0, 16 bytes.
            out.extend([1, 0, 16]);
            out.extend(self.topic_id.0);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<CommittedOffset, RecordError> {
        let mut r = Reader(bytes);
        let version = r.i16()?;
        if !(0..=4).contains(&version) {
            return Err(RecordError::UnknownValueVersion(version));
        }
        let offset = Offset(r.i64()?);
        let leader_epoch = if version >= 3 { LeaderEpoch(r.i32()?) } else { LeaderEpoch::UNKNOWN };
        let metadata = if version == 4 { r.compact_string()? } else { r.string()? };
        let metadata = Arc::from(metadata);
        let commit_timestamp = Timestamp(r.i64()?);
        let expire_timestamp = if version == 1 { Timestamp(r.i64()?) } else { Timestamp::NONE };
        let topic_id = if version == 4 { r.topic_id_tag()? } else { TopicId::ZERO };
        Ok(CommittedOffset { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp, topic_id })
    }
}

impl GroupMetadata {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.members.iter().map(|m| 128 + m.subscription.len() + m.assignment.len()).sum::<usize>());
        out.extend(GROUP_VALUE.to_be_bytes());
        put_string(&mut out, &self.protocol_type);
        out.extend(self.generation.to_be_bytes());
        put_nullable(&mut out, self.protocol.as_deref());
        put_nullable(&mut out, self.leader.as_deref());
        out.extend(self.current_state_timestamp.0.to_be_bytes());
        out.extend(i32::try_from(self.members.len()).unwrap_or(i32::MAX).to_be_bytes());
        for member in &self.members {
            member.encode(&mut out);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Result<GroupMetadata, RecordError> {
        let mut r = Reader(bytes);
        let version = r.i16()?;
        if !(0..=GROUP_VALUE).contains(&version) {
            return Err(RecordError::UnknownValueVersion(version));
        }
        let protocol_type = Arc::from(r.string()?);
        let generation = r.i32()?;
        let protocol = r.nullable()?.map(Arc::from);
        let leader = r.nullable()?.map(MemberId::from);
        let current_state_timestamp = if version >= 2 { Timestamp(r.i64()?) } else { Timestamp::NONE };
        let mut members = Vec::new();
        for _ in 0..r.i32()? {
            members.push(MemberMetadata::decode(&mut r, version)?);
        }
        Ok(GroupMetadata { protocol_type, generation, protocol, leader, current_state_timestamp, members })
    }
}

impl MemberMetadata {
    fn encode(&self, out: &mut Vec<u8>) {
        put_string(out, &self.member_id);
        put_nullable(out, self.instance_id.as_deref());
        put_string(out, &self.client_id);
        put_string(out, &self.client_host);
        out.extend(self.rebalance_timeout_ms.to_be_bytes());
        out.extend(self.session_timeout_ms.to_be_bytes());
        put_bytes(out, &self.subscription);
        put_bytes(out, &self.assignment);
    }

    fn decode(r: &mut Reader, version: i16) -> Result<MemberMetadata, RecordError> {
        let member_id = r.string()?.into();
        let instance_id = if version >= 3 { r.nullable()?.map(InstanceId::from) } else { None };
        let (client_id, client_host) = (Arc::from(r.string()?), Arc::from(r.string()?));
        let rebalance = if version >= 1 { Some(r.i32()?) } else { None };
        let session_timeout_ms = r.i32()?;
        Ok(MemberMetadata {
            member_id,
            instance_id,
            client_id,
            client_host,
            // Version 0 knew one timeout for both.
            rebalance_timeout_ms: rebalance.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription: r.bytes()?,
            assignment: r.bytes()?,
        })
    }
}

/// The partition of `__consumer_offsets` that keeps a group: the absolute value of Java's string hash (0 if
/// it has none), modulo the number of partitions.
pub fn offsets_partition_for(group: &str, partitions: i32) -> PartitionId {
    PartitionId(java_hash(group).checked_abs().unwrap_or(0).checked_rem(partitions).unwrap_or(0))
}

/// Java's `String.hashCode`: over UTF-16 units.
pub(super) fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    // What comes from the wire fits: a request's strings are at most 32767 bytes, a compact one is cut here rather than torn.
    let text = cut(text, i16::MAX as usize);
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

fn put_nullable(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_string(out, text),
        None => out.extend((-1i16).to_be_bytes()),
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    out.extend(bytes);
}

fn put_uvarint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is left to read. Every length is checked against it.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], RecordError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(RecordError::Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(RecordError::Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    fn i16(&mut self) -> Result<i16, RecordError> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, RecordError> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    fn text(&mut self, n: usize) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.take(n)?).map_err(|_| RecordError::Malformed)
    }

    fn nullable(&mut self) -> Result<Option<&'a str>, RecordError> {
        match self.i16()? {
            -1 => Ok(None),
            n => self.text(usize::try_from(n).map_err(|_| RecordError::Malformed)?).map(Some),
        }
    }

    fn string(&mut self) -> Result<&'a str, RecordError> {
        self.nullable()?.ok_or(RecordError::Malformed)
    }

    fn bytes(&mut self) -> Result<Bytes, RecordError> {
        let n = usize::try_from(self.i32()?).map_err(|_| RecordError::Malformed)?;
        self.take(n).map(Bytes::copy_from_slice)
    }

    fn uvarint(&mut self) -> Result<usize, RecordError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| RecordError::Malformed);
            }
        }
        Err(RecordError::Malformed)
    }

    fn compact_string(&mut self) -> Result<&'a str, RecordError> {
        let n = self.uvarint()?.checked_sub(1).ok_or(RecordError::Malformed)?;
        self.text(n)
    }

    /// Reads the tagged fields and gives the topic id among them.
    fn topic_id_tag(&mut self) -> Result<TopicId, RecordError> {
        let mut id = TopicId::ZERO;
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()?;
            let value = self.take(size)?;
            if tag == 0 {
                id = TopicId(value.try_into().map_err(|_| RecordError::Malformed)?);
            }
        }
        Ok(id)
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
