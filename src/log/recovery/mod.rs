//! Opening a log: what a stop of any kind left behind becomes a log that can be read and written, or an error.
//!
//! - A torn tail is cut, before the file is mapped for good.
//! - Damage is kept, marked (`damaged-ranges`), answered as CORRUPT_MESSAGE, and the rest is served.
//! - Lost offsets, and every power cut, bump the leader epoch: clients notice, and no (epoch, offset) is given out twice.
//! - Files that are not understood are renamed aside; only derived files are deleted.

mod files;
mod segments;
mod state;

use std::io;
use std::sync::Arc;

pub(super) use files::parse_metadata;

use super::compaction::swap;
use super::damage;
use super::error::LogError;
use super::log_view::LogView;
use super::partition_log::{PartitionLog, SYNC_FAILED};
use super::producer_state::ProducerStates;
use super::segment::{Indexes, LOG, Segment, file_name};
use super::store::Store;
use crate::config::LogConfig;
use crate::model::{BatchHeader, LeaderEpoch, Offset, Timestamp, TopicId, TopicPartition};

pub use super::segment::BadRange;

/// How the process that wrote the log before us ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastStop {
    Clean,
    /// It was killed; what it wrote is in the page cache: only the last segment's end is scanned.
    SameBoot,
    /// The machine went down: everything from the recovery point on is scanned.
    OtherBoot,
}

/// What the data folder knows about a partition when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenFacts {
    pub last_stop: LastStop,
    /// From `recovery-point-offset-checkpoint`, 0 if unknown: everything below was synced.
    pub recovery_point: Offset,
    /// From `log-start-offset-checkpoint`, 0 if unknown.
    pub log_start: Offset,
    pub now: Timestamp,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    pub scanned_bytes: u64,
    /// Bytes cut from a torn tail, which may reach over several files.
    pub cut_bytes: u64,
    /// All damage known, old and new. Anything in it is an alarm.
    pub damaged: Vec<BadRange>,
    /// Offsets that were synced once and are gone.
    pub lost: Option<(Offset, Offset)>,
    pub epoch_bumped: bool,
    pub renamed_aside: Vec<String>,
    pub snapshot_used: Option<Offset>,
}

impl RecoveryReport {
    /// Something an operator should look at.
    pub fn is_alarming(&self) -> bool {
        !self.damaged.is_empty() || self.lost.is_some() || !self.renamed_aside.is_empty()
    }
}

impl PartitionLog {
    /// Opens the log of a partition. An empty store is an empty log: nothing is created before the first append.
    pub fn open(
        store: Arc<dyn Store>,
        partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        facts: OpenFacts,
    ) -> Result<(PartitionLog, RecoveryReport), LogError> {
        // Without a folder this is a new partition, whatever a checkpoint says about a former one of its name.
        if !store.exists()? {
            return Ok((PartitionLog::empty(store, partition, topic_id, config), RecoveryReport::default()));
        }
        Recovery {
            store,
            config,
            facts,
            report: RecoveryReport::default(),
            damaged: Vec::new(),
            scanned_from: None,
            gaps_below: Offset::ZERO,
            epochs_unreadable: false,
            newest_epoch: None,
            distrust: facts.last_stop == LastStop::OtherBoot,
        }
        .run(partition, topic_id)
    }

    fn empty(store: Arc<dyn Store>, partition: TopicPartition, topic_id: TopicId, config: LogConfig) -> PartitionLog {
        let view = LogView {
            start_offset: Offset::ZERO,
            end_offset: Offset::ZERO,
            last_stable_offset: Offset::ZERO,
            leader_epoch: LeaderEpoch(0),
            epochs: Arc::default(),
            segments: Arc::default(),
            active_len: 0,
        };
        PartitionLog {
            partition,
            topic_id,
            config,
            store,
            view,
            producers: ProducerStates::default(),
            recovery_point: Offset::ZERO,
            last_snapshot: None,
            active_since: None,
            folder_is_dirty: false,
            sealed: Vec::new(),
            offline: None,
            damage_stored: 0,
        }
    }
}

struct Recovery {
    store: Arc<dyn Store>,
    config: LogConfig,
    facts: OpenFacts,
    report: RecoveryReport,
    damaged: Vec<BadRange>,
    /// Base of the first segment that was scanned whole: its aborted transactions are known only from a replay.
    scanned_from: Option<Offset>,
    /// Compaction may have left gaps in segments below.
    gaps_below: Offset,
    epochs_unreadable: bool,
    /// As it was told before this start, and where it began.
    newest_epoch: Option<(LeaderEpoch, Offset)>,
    /// The page cache is not to be believed: whole segments are scanned from the recovery point on.
    distrust: bool,
}

/// The folder's files that matter, sorted.
#[derive(Default)]
struct Listing {
    segments: Vec<Offset>,
    snapshots: Vec<Offset>,
    sync_failed: bool,
}

/// Where a scan begins: position, the offset expected there, and the indexes up to it.
type ScanStart = (u64, Offset, Indexes);

/// How the last segment ended.
struct Tail {
    end_offset: Offset,
    last: Option<BatchHeader>,
}

impl Recovery {
    fn run(mut self, partition: TopicPartition, topic_id: TopicId) -> Result<(PartitionLog, RecoveryReport), LogError> {
        swap::settle(&*self.store)?;
        let mut listing = self.tidy()?;
        self.gaps_below = self.load_gaps()?;
        let sync_failed = listing.sync_failed;
        self.distrust |= sync_failed;
        self.check_metadata(topic_id)?;
        let known_epochs = self.load_epochs()?;
        // What was synced needs no such look, and is not lost to a file of epochs that was damaged itself.
        let newest = known_epochs.newest().filter(|_| self.distrust);
        self.newest_epoch = newest.map(|(epoch, start)| (epoch, start.max(self.facts.recovery_point)));
        self.damaged = self.load_damage(&listing)?;
        let known_damage = self.damaged.clone();
        self.drop_below_start(&mut listing)?;
        self.drop_blank_end(&mut listing)?;
        let (mut segments, tail) = self.load_segments(&listing)?;
        let given_out = self.facts.recovery_point.max(self.facts.log_start);
        // Offsets that were given out and synced are never given out again.
        let end = tail.end_offset.max(given_out);
        self.report.lost = (tail.end_offset < given_out).then_some((tail.end_offset, given_out));
        let epochs = self.settle_epochs(known_epochs, &tail, end, &segments)?;
        let epoch = epochs.latest().unwrap_or(LeaderEpoch(0));
        if self.damaged != known_damage {
            // Damage is alarming news: it is on disk before the log is served.
            damage::store(&*self.store, &self.damaged)?;
        }
        let start = segments.first().map_or(end, |segment| segment.base_offset.max(self.facts.log_start)).min(end);
        if self.report.lost.is_some() {
            if let Some(last) = segments.last() {
                last.finish_indexes()?;
                last.sync_indexes()?;
            }
            segments.push(self.new_active(end)?);
        }
        let producers = self.load_producers(&listing, &segments, end)?;
        let active_len = segments.last().map_or(0, |segment| segment.len());
        let view = LogView {
            start_offset: start,
            end_offset: end,
            last_stable_offset: producers.first_unstable().unwrap_or(end),
            leader_epoch: epoch,
            epochs: Arc::new(epochs),
            segments: Arc::new(segments),
            active_len,
        };
        self.report.damaged = std::mem::take(&mut self.damaged);
        // Names and indexes that the last process did not come to sync go with the first flush of this one.
        let newest = view.segments.last().map_or(Offset::ZERO, |active| active.base_offset.plus(1));
        let in_doubt = self.facts.last_stop != LastStop::Clean && self.facts.recovery_point < end.max(newest);
        let sealed = if in_doubt { sealed_since(&view.segments, self.facts.recovery_point) } else { Vec::new() };
        let offline = if sync_failed { self.write_again(&view.segments).err().map(|error| error.to_string()) } else { None };
        let log = PartitionLog {
            partition,
            topic_id,
            config: self.config,
            store: self.store,
            view,
            producers,
            recovery_point: self.facts.recovery_point.min(end),
            last_snapshot: self.report.snapshot_used,
            active_since: None,
            folder_is_dirty: in_doubt,
            sealed,
            offline,
            damage_stored: self.report.damaged.len(),
        };
        Ok((log, self.report))
    }

    /// After a failed sync the system takes lost bytes for written, and the next sync would succeed without them. Written once more they
    /// are dirty again.
    fn write_again(&self, segments: &[Arc<Segment>]) -> io::Result<()> {
        for segment in segments {
            let position = segment.with_indexes(|indexes| indexes.offsets.lookup(segment.base_offset, self.facts.recovery_point))?;
            if position < segment.len() {
                self.store.rewrite(&file_name(segment.base_offset, LOG), position)?;
            }
        }
        self.store.remove(SYNC_FAILED)
    }
}

fn sealed_since(segments: &[Arc<Segment>], recovery_point: Offset) -> Vec<Arc<Segment>> {
    let ended = segments.iter().zip(segments.iter().skip(1).map(|next| next.base_offset));
    ended.filter(|(_, end)| *end >= recovery_point).map(|(segment, _)| Arc::clone(segment)).collect()
}

#[cfg(test)]
mod tests;
