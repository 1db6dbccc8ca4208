//! What a page shows of a cluster: plain data.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

use crate::config::{Advertise, Durability, Protocol};
use crate::model::{Offset, PartitionId, Timestamp, TopicId, TopicName};

/// One topic with its partitions in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSummary {
    pub name: TopicName,
    pub id: TopicId,
    /// Made by the broker for itself, such as `__consumer_offsets`.
    pub internal: bool,
    /// `None`: what a cluster with replicas promises is in its own configs.
    pub durability: Option<Durability>,
    pub partitions: Vec<PartitionSummary>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSummary {
    pub partition: PartitionId,
    pub start_offset: Offset,
    pub end_offset: Offset,
    /// On the disk. `None`: others know.
    pub size_bytes: Option<u64>,
    /// Offsets that are damaged and not served.
    pub damaged: Vec<Range<Offset>>,
    /// Segments whose index files were found missing or damaged.
    pub indexes_rebuilt: usize,
}

/// One record as it is stored, decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    pub partition: PartitionId,
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// In their order, names may repeat. Whatever is no UTF-8 in a name is replaced.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl StoredRecord {
    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        size_of(&self.key, &self.value, &self.headers)
    }

    /// About how much of the memory it takes: also a record without any bytes takes some, and a few compressed bytes may be millions of
    /// those.
    pub fn held(&self) -> usize {
        const AROUND_RECORD: usize = 128;
        const AROUND_HEADER: usize = 64;
        self.size().saturating_add(AROUND_RECORD).saturating_add(self.headers.len().saturating_mul(AROUND_HEADER))
    }
}

pub(super) fn size_of(key: &Option<Bytes>, value: &Option<Bytes>, headers: &[(String, Option<Bytes>)]) -> usize {
    let bytes = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
    let each = headers.iter().map(|(name, value)| name.len().saturating_add(bytes(value)));
    each.fold(bytes(key).saturating_add(bytes(value)), usize::saturating_add)
}

/// Partitions of one group that its members say they read.
const ASSIGNED_MAX: usize = 10_000;

/// Adds partitions that members read and that nothing was committed of, and puts all into their order.
pub(super) fn add_uncommitted(
    assigned: impl Iterator<Item = (TopicName, Vec<PartitionId>)>,
    offsets: &mut Vec<GroupOffset>,
    end_of: impl Fn(&TopicName, PartitionId) -> Option<Offset>,
) {
    let mut known: HashSet<(TopicName, PartitionId)> = offsets.iter().map(|offset| (offset.topic.clone(), offset.partition)).collect();
    let mut looked_at = 0_usize;
    for (topic, partitions) in assigned {
        // Clients write what they like.
        looked_at = looked_at.saturating_add(partitions.len());
        if looked_at > ASSIGNED_MAX {
            break;
        }
        for partition in partitions {
            let Some(end_offset) = end_of(&topic, partition) else { continue };
            if known.insert((topic.clone(), partition)) {
                offsets.push(GroupOffset { topic: topic.clone(), partition, committed: None, end_offset });
            }
        }
    }
    offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
}

/// One group of consumers, with what it has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    pub id: String,
    /// `classic` or `consumer`.
    pub protocol: String,
    /// Kafka's word, such as `Stable` or `Empty`.
    pub state: String,
    pub members: usize,
    /// Of all partitions that it has committed offsets of or that a member reads, by topic and partition.
    pub offsets: Vec<GroupOffset>,
}

/// Who is in a group, and who reads what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMembers {
    /// How partitions are given out, such as `range`; empty while that is not settled.
    pub assignor: String,
    pub members: Vec<GroupMember>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    pub member_id: String,
    pub client_id: String,
    /// Address of the client.
    pub host: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    pub assignment: Vec<(TopicName, Vec<PartitionId>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    pub topic: TopicName,
    pub partition: PartitionId,
    /// `None`: nothing was committed yet.
    pub committed: Option<Offset>,
    pub end_offset: Offset,
}

impl GroupOffset {
    /// Records between the committed offset and the end of the partition. There is none where nothing was committed: where a consumer
    /// begins there is its own business.
    pub fn lag(&self) -> Option<i64> {
        self.committed.map(|committed| self.end_offset.0.saturating_sub(committed.0).max(0))
    }
}

/// One listener for Kafka clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSummary {
    pub name: String,
    pub protocol: Protocol,
    /// `None`: it is no listener of this process.
    pub bound: Option<SocketAddr>,
    pub advertise: Advertise,
    /// The SASL mechanisms it takes, by Kafka's names.
    pub mechanisms: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_not_committed_stands_beside_what_is() {
        let known = GroupOffset { topic: "b".into(), partition: PartitionId(0), committed: Some(Offset(3)), end_offset: Offset(9) };
        let mut offsets = vec![known.clone()];
        let assigned = vec![("b".into(), vec![PartitionId(0), PartitionId(1)]), ("a".into(), vec![PartitionId(7), PartitionId(8)])];
        // Nobody knows a-8.
        let end = |topic: &TopicName, partition: PartitionId| (topic.as_str() != "a" || partition.0 == 7).then_some(Offset(5));
        add_uncommitted(assigned.into_iter(), &mut offsets, end);
        let added = |topic: &str, partition| GroupOffset {
            topic: topic.into(),
            partition: PartitionId(partition),
            committed: None,
            end_offset: Offset(5),
        };
        assert_eq!(offsets, [added("a", 7), known, added("b", 1)]);
    }
}
