//! What a broker saw a user do with records: fetched, committed, produced. It proves what needs no answer of a student's.

use std::ops::Range;

use serde::Serialize;

use super::{Offset, PartitionId, Timestamp, TopicName};

/// Of one user, since the broker started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub user: String,
    pub fetched: Vec<Fetched>,
    pub committed: Vec<Committed>,
    pub produced: Vec<Produced>,
    pub groups: Vec<GroupSeen>,
}

/// What was handed out of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub topic: TopicName,
    pub partition: PartitionId,
    /// Sorted, without overlaps, the newest of a bounded number. Whole batches are handed out: a client may have asked for less.
    pub offsets: Vec<Range<Offset>>,
    pub first_ms: Timestamp,
    pub at_ms: Timestamp,
    /// Name and version of the client that asked first, as it gave them (KIP-511).
    pub software: String,
}

/// The last commit of a group for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub group: String,
    pub topic: TopicName,
    pub partition: PartitionId,
    pub offset: Offset,
    pub at_ms: Timestamp,
}

/// What was written to one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    pub topic: TopicName,
    pub records: u64,
    /// Of these, without waiting for an answer (`acks=0`).
    pub unacknowledged: u64,
    /// When the last of those came.
    pub unacknowledged_ms: Option<Timestamp>,
    pub at_ms: Timestamp,
}

/// A group that the user's clients were members of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupSeen {
    pub group: String,
    pub joined_ms: Timestamp,
    /// How often a member joined with no id of its own before: once for each consumer that began.
    pub members: u64,
    /// The last time that a member said goodbye, as `close()` does.
    pub left_ms: Option<Timestamp>,
}

impl Evidence {
    /// Of all the users of one student.
    pub fn together(of: Vec<Evidence>) -> Evidence {
        let mut all = Evidence::default();
        for one in of {
            if all.user.is_empty() {
                all.user = one.user;
            }
            all.fetched.extend(one.fetched);
            all.committed.extend(one.committed);
            all.produced.extend(one.produced);
            all.groups.extend(one.groups);
        }
        all
    }

    /// Whether this offset was handed out.
    pub fn was_fetched(&self, topic: &str, partition: PartitionId, offset: Offset) -> bool {
        let of = |fetched: &&Fetched| fetched.topic.as_str() == topic && fetched.partition == partition;
        self.fetched.iter().filter(of).any(|fetched| fetched.offsets.iter().any(|range| range.contains(&offset)))
    }
}
