//! Floor 0: nouns and formats. No I/O, no clock, no async.
//!
//! Start with `batch.rs`: record batches are the unit that everything above passes around untouched.

pub mod error;
pub mod ids;
pub mod metrics;
pub mod offset;
pub mod time;

pub use error::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, PartitionId, ProducerEpoch, ProducerId, TopicId, TopicName, TopicPartition};
pub use offset::Offset;
pub use time::Timestamp;
