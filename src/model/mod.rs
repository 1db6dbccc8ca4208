//! Floor 0: nouns and formats. No I/O, no clock, no async.
//!
//! Start with `batch.rs`: record batches are the unit that everything above passes around untouched.

pub mod batch;
pub mod batch_builder;
pub mod compress;
pub mod error;
pub mod evidence;
pub mod ids;
pub mod lexicon;
pub mod metrics;
pub mod offset;
pub mod pace;
pub mod produce_check;
pub mod record;
pub mod request_seen;
pub mod sighting;
pub mod time;

pub use batch::{Attributes, Batch, BatchDefect, BatchHeader, BatchView, Batches};
pub use batch_builder::{BatchBuilder, ControlType, NewRecord};
pub use compress::Codec;
pub use error::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, PartitionId, ProducerEpoch, ProducerId, TopicId, TopicName, TopicPartition};
pub use offset::Offset;
pub use pace::Pace;
pub use produce_check::{BatchError, CheckedBatch, ProduceRules, RecordError, check_only_batch, check_produced, opens_with_transaction};
pub use record::{DecodedRecords, Record};
pub use time::Timestamp;
