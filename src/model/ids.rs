//! Names and numbers that identify things. Numbers that differ in meaning differ in type.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use number;

number!(
    /// Index of a partition inside its topic, from 0.
    PartitionId(i32)
);
number!(
    /// Id of a broker node. A single Headwater is node 1 unless `node.id` says otherwise.
    BrokerId(i32)
);
number!(
    /// Identifies one idempotent or transactional producer. -1 means none.
    ProducerId(i64)
);
number!(
    /// Generation of a producer id. -1 means none.
    ProducerEpoch(i16)
);
number!(
    /// Leader epoch of a partition: bumped only when a recovery lost data. -1 means unknown.
    LeaderEpoch(i32)
);

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);
}
impl ProducerEpoch {
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}
impl LeaderEpoch {
    pub const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
}

/// A topic's name. Cheap to clone and owned: it never pins a request frame.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(inline, description = "A topic's name.")]
pub struct TopicName(Arc<str>);

impl TopicName {
    pub fn new(name: &str) -> Self {
        TopicName(Arc::from(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name itself, shared.
    pub fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// Kafka's rule for topic names: 1 to 249 characters of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
    pub fn is_legal(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= 249
            && name != "."
            && name != ".."
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
}

impl From<String> for TopicName {
    fn from(name: String) -> Self {
        TopicName(Arc::from(name))
    }
}
impl From<&str> for TopicName {
    fn from(name: &str) -> Self {
        TopicName::new(name)
    }
}
impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0.to_string()
    }
}
impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}
impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A topic's id: 128 bits, drawn at creation, stable for the topic's life, never all zero (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    pub const ZERO: TopicId = TopicId([0; 16]);

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Kafka writes ids as unpadded URL-safe base64 in files and tool output.
    pub fn to_base64(self) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = u128::from_be_bytes(self.0);
        // 22 characters of six bits: the last one carries the lowest two bits and four zero bits.
        (0..22)
            .map(|i| {
                let index = if i < 21 { (value >> (122 - 6 * i)) & 63 } else { (value & 3) << 4 };
                char::from(ALPHABET.get(index as usize).copied().unwrap_or(b'A'))
            })
            .collect()
    }

    pub fn from_base64(text: &str) -> Option<TopicId> {
        if text.len() != 22 {
            return None;
        }
        let mut value: u128 = 0;
        for (i, c) in text.bytes().enumerate() {
            let six = match c {
                b'A'..=b'Z' => c - b'A',
                b'a'..=b'z' => c - b'a' + 26,
                b'0'..=b'9' => c - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            value = if i < 21 { (value << 6) | u128::from(six) } else { (value << 2) | u128::from(six >> 4) };
        }
        Some(TopicId(value.to_be_bytes()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}
impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// One partition of one topic. Its folder is named `<topic>-<partition>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: TopicName,
    pub partition: PartitionId,
}

impl TopicPartition {
    pub fn new(topic: impl Into<TopicName>, partition: i32) -> Self {
        TopicPartition { topic: topic.into(), partition: PartitionId(partition) }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_id_survives_base64() {
        let id = TopicId(*b"0123456789abcdef");
        assert_eq!(TopicId::from_base64(&id.to_base64()), Some(id));
        assert_eq!(id.to_base64(), "MDEyMzQ1Njc4OWFiY2RlZg");
    }

    #[test]
    fn names_follow_kafkas_rule() {
        for good in ["a", "a.b", "A_b-9", &"x".repeat(249)] {
            assert!(TopicName::is_legal(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!TopicName::is_legal(bad), "{bad}");
        }
    }
}
