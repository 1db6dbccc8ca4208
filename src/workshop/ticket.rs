//! A ticket: which records an answer is about. Everybody's is another, and part of it did not exist when it was issued.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Offset, PartitionId, Timestamp, TopicName};

/// The header of a record, or the field of a receipt, that carries the nonce.
pub const TICKET_HEADER: &str = "ticket";

/// As the HTTP API and the topic `ws.ID.tickets` give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    pub student: String,
    pub challenge: String,
    /// Goes into the header `ticket` of every record of the answer, or into its receipt.
    pub nonce: String,
    /// The topic that the answer goes to, where it goes to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<TopicName>,
    /// By topic and partition, `[start, end)` in offsets; the end may not exist yet.
    pub ranges: BTreeMap<TopicName, BTreeMap<PartitionId, (Offset, Offset)>>,
    /// By topic, how many records of the ranges did not exist at the time of issue.
    #[serde(default)]
    pub live: BTreeMap<TopicName, u64>,
    pub issued_ms: Timestamp,
    pub expires_ms: Timestamp,
}

impl Ticket {
    /// The ranges of a topic, by partition.
    pub fn ranges_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = (PartitionId, Range<Offset>)> + 'a {
        let of_topic = self.ranges.iter().filter(move |(name, _)| name.as_str() == topic);
        of_topic.flat_map(|(_, ranges)| ranges.iter().map(|(partition, (start, end))| (*partition, *start..*end)))
    }

    pub fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.ranges.keys()
    }

    /// How many offsets of a topic it is about.
    pub fn length(&self, topic: &str) -> i64 {
        self.ranges_of(topic).map(|(_, range)| range.end.0.saturating_sub(range.start.0)).fold(0, i64::saturating_add)
    }
}

/// What a kind of truth asks of the tickets of its challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketWish {
    pub topics: Vec<TopicName>,
    /// How far it reaches back from now, at least and at most: drawn for each ticket.
    pub history_ms: Range<i64>,
    /// How much is still to come.
    pub live_ms: i64,
}
