//! Floor 1: a partition's bytes on disk, in Kafka's formats. Synchronous; no clock (`now` is an argument), no locks across
//! calls, no network.
//!
//! What it never does: decide who may write, wait for anything, delete what it does not understand.
//!
//! Invariants:
//! - One writer per partition (`PartitionLog`), any number of readers, each holding a cloned `LogView`.
//! - A published byte is never rewritten, and a file is never shortened below a published length.
//! - Offsets grow; the same (leader epoch, offset) is never given out twice.
//! - Only derived files (indexes, snapshots) are deleted and rebuilt; anything else unreadable is renamed aside.
//!
//! Start with `partition_log.rs` (writing) and `log_view.rs` (reading); `recovery/` is what happens at start, `compaction/` what
//! becomes of old records of a key.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod ballast;
mod checkpoint;
pub mod compaction;
mod damage;
pub mod data_folder;
mod direct_read;
pub mod error;
mod folder;
pub mod inspect;
pub mod kept_file;
pub mod leader_epochs;
pub mod log_view;
mod mapped;
mod memory_store;
pub mod offset_index;
pub mod partition_log;
mod producer_snapshot;
pub mod producer_state;
pub mod recovery;
mod rehearsal;
pub mod retention;
mod scan;
mod scrub;
mod segment;
mod self_test;
pub mod store;
pub mod time_index;
mod torn_roll;
pub mod txn_index;

pub use compaction::{CleanedSegment, CompactionPass, CompactionPlan, Swapped};
pub use data_folder::{DataFolder, DataFolderError, PartitionCheckpoint, StartReport};
pub use error::{LogError, ReadError};
pub use folder::FolderStore;
pub use leader_epochs::LeaderEpochs;
pub use log_view::{AtLeast, LogView, ReadOutcome, ReadUpTo, SegmentInfo, TimestampedOffset};
pub use memory_store::MemoryStore;
pub use partition_log::{AppendOutcome, DirtyFiles, PartitionLog, produce_rules};
pub use producer_state::{ProducerEntry, ProducerStates};
pub use recovery::{BadRange, LastStop, OpenFacts, RecoveryReport};
pub use retention::RetentionOutcome;
pub use scrub::{Scrub, ScrubStep};
pub use self_test::FolderFacts;
pub use store::{Opening, SegmentFile, Store};
pub use txn_index::AbortedTxn;
