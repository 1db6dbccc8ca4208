//! The writer of one partition.

use std::io;
use std::sync::Arc;

use super::damage;
use super::error::LogError;
use super::leader_epochs::{self, LeaderEpochs};
use super::log_view::LogView;
use super::producer_snapshot;
use super::producer_state::{EndedTxn, Marker, ProducerStates, WrittenBatch};
use super::segment::{NewSegment, SNAPSHOT, Segment, file_name};
use super::store::{SegmentFile, Store};
use super::txn_index::AbortedTxn;
use crate::config::{CompressionType, LogConfig, TimestampType};
use crate::model::{
    Batch, BatchHeader, CheckedBatch, Codec, ControlType, LeaderEpoch, Offset, ProduceRules, Timestamp, TopicId, TopicPartition,
};

pub(super) const METADATA: &str = "partition.metadata";
/// From so many segments on a log closes one early (by its age, or by a small size) only when it has `SHORT_BYTES`: each is a file and a
/// map, of which all topics together can have only so many.
const SEGMENTS_MANY: usize = 100;
const SHORT_BYTES: u64 = 1 << 20;

/// Empty; there from a failed sync until a start has written the bytes in doubt once more.
pub(super) const SYNC_FAILED: &str = "sync-failed";

/// What an append came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// The batch's time if the log stamped it, and for a duplicate the original's largest; else `Timestamp::NONE`.
    pub log_append_time: Timestamp,
    /// The batch was one of the producer's last five: nothing was written, these are the original's offsets.
    pub duplicate: bool,
    pub log_start: Offset,
}

/// Files with bytes that a power cut would lose. Syncing them needs no lock on the log.
#[derive(Debug)]
pub struct DirtyFiles {
    pub files: Vec<Arc<dyn SegmentFile>>,
    /// Segments that were sealed since.
    pub(super) sealed: Vec<Arc<Segment>>,
    pub(super) folder: Option<Arc<dyn Store>>,
    /// Everything below is durable once `sync_blocking` (or a `syncfs`) has succeeded.
    pub up_to: Offset,
}

impl DirtyFiles {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.sealed.is_empty() && self.folder.is_none()
    }

    /// An error here means the partition must go offline: a second try would succeed and prove nothing.
    pub fn sync_blocking(&self) -> io::Result<()> {
        for file in &self.files {
            file.sync()?;
        }
        for segment in &self.sealed {
            segment.sync_sealed()?;
        }
        self.folder.as_ref().map_or(Ok(()), |folder| folder.sync_folder())
    }
}

/// The rules a topic's settings make for produced batches.
pub fn produce_rules<'a>(config: &LogConfig, partition: &'a TopicPartition, request_version: i16, now: Timestamp) -> ProduceRules<'a> {
    ProduceRules {
        partition,
        request_version,
        now,
        log_append_time: config.timestamp_type == TimestampType::LogAppendTime,
        max_message_bytes: config.max_message_bytes,
        compacted: config.cleanup_compact,
        timestamp_before_max_ms: config.timestamp_before_max_ms,
        timestamp_after_max_ms: config.timestamp_after_max_ms,
        compression: match config.compression_type {
            CompressionType::Producer => None,
            CompressionType::Uncompressed => Some(Codec::None),
            CompressionType::Gzip => Some(Codec::Gzip),
            CompressionType::Snappy => Some(Codec::Snappy),
            CompressionType::Lz4 => Some(Codec::Lz4),
            CompressionType::Zstd => Some(Codec::Zstd),
        },
    }
}

/// One partition's log: the only writer of its folder. Whoever owns it publishes `view()` after each change.
#[derive(Debug)]
pub struct PartitionLog {
    pub(super) partition: TopicPartition,
    pub(super) topic_id: TopicId,
    pub(super) config: LogConfig,
    pub(super) store: Arc<dyn Store>,
    pub(super) view: LogView,
    pub(super) producers: ProducerStates,
    /// Everything below is on disk, not only in the page cache.
    pub(super) recovery_point: Offset,
    pub(super) last_snapshot: Option<Offset>,
    /// Largest timestamp of the active segment's first batch, from which `segment.ms` counts.
    pub(super) active_since: Option<Timestamp>,
    pub(super) folder_is_dirty: bool,
    /// Segments whose index files were closed and not yet synced.
    pub(super) sealed: Vec<Arc<Segment>>,
    pub(super) offline: Option<String>,
    /// Damaged ranges that the folder's list has.
    pub(super) damage_stored: usize,
}

impl PartitionLog {
    pub fn view(&self) -> LogView {
        self.view.clone()
    }

    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    pub fn start_offset(&self) -> Offset {
        self.view.start_offset
    }

    pub fn end_offset(&self) -> Offset {
        self.view.end_offset
    }

    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    pub fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    /// Appends a produced batch, or recognises it as one that was already written.
    pub fn append(&mut self, batch: CheckedBatch, now: Timestamp) -> Result<AppendOutcome, LogError> {
        self.check_online()?;
        if let Some(original) = self.producers.check(batch.batch().header())? {
            return Ok(self.duplicate_of(&original));
        }
        self.write(batch.into_batch(), None, now)
    }

    /// Appends a batch of the broker's own: coordinator records, transaction markers, generated events.
    pub fn append_internal(&mut self, batch: Batch, now: Timestamp) -> Result<AppendOutcome, LogError> {
        self.check_online()?;
        let marker = if batch.header().attributes.is_control() { Marker::read(&batch.records()?)? } else { None };
        if let Some(marker) = &marker {
            self.producers.check_marker(batch.header(), marker)?;
        }
        self.write(batch, marker, now)
    }

    fn check_online(&self) -> Result<(), LogError> {
        self.offline.as_ref().map_or(Ok(()), |reason| Err(LogError::Offline(reason.clone())))
    }

    /// Refuses every further append until the next start.
    pub fn take_offline(&mut self, reason: impl Into<String>) {
        self.offline = Some(reason.into());
    }

    /// A sync failed: the system may have dropped what was dirty and takes it for written, so that another try would prove nothing. A note
    /// in the folder tells that to a start on the same boot.
    pub fn sync_failed(&mut self, error: &io::Error) {
        if let Err(error) = self.store.put(SYNC_FAILED, &[]) {
            tracing::error!(partition = %self.partition, %error, "cannot note in the folder that a sync failed");
        }
        self.take_offline(format!("fdatasync failed: {error}"));
    }

    pub fn offline(&self) -> Option<&str> {
        self.offline.as_deref()
    }

    fn duplicate_of(&self, original: &WrittenBatch) -> AppendOutcome {
        AppendOutcome {
            base_offset: original.base_offset(),
            last_offset: original.last_offset,
            log_append_time: original.timestamp,
            duplicate: true,
            log_start: self.view.start_offset,
        }
    }

    fn write(&mut self, mut batch: Batch, marker: Option<Marker>, now: Timestamp) -> Result<AppendOutcome, LogError> {
        let size = batch.len() as u64;
        if size > self.config.segment_bytes {
            return Err(LogError::BatchLargerThanSegment { size, segment_bytes: self.config.segment_bytes });
        }
        let segment = self.segment_for(batch.header(), now)?;
        batch.set_base_offset(self.view.end_offset);
        batch.set_leader_epoch(self.view.leader_epoch);
        segment.append(&batch)?;
        let header = *batch.header();
        self.active_since.get_or_insert(header.max_timestamp);
        self.view.end_offset = header.next_offset();
        self.view.active_len = segment.len();
        if let Some(ended) = self.producers.apply(&header, marker.as_ref()) {
            self.note_ended(&segment, ended)?;
        }
        self.view.last_stable_offset = self.producers.first_unstable().unwrap_or(self.view.end_offset);
        let stamped = header.attributes.is_log_append_time();
        Ok(AppendOutcome {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time: if stamped { header.max_timestamp } else { Timestamp::NONE },
            duplicate: false,
            log_start: self.view.start_offset,
        })
    }

    fn note_ended(&self, segment: &Segment, ended: EndedTxn) -> io::Result<()> {
        if ended.kind == ControlType::Commit {
            return Ok(());
        }
        let last_stable_offset = self.producers.first_unstable().unwrap_or(self.view.end_offset);
        let EndedTxn { producer_id, first_offset, last_offset, .. } = ended;
        segment.with_indexes_mut(|indexes| indexes.txns.push(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset }))
    }

    /// The segment that takes the batch: the active one, or a new one.
    fn segment_for(&mut self, header: &BatchHeader, now: Timestamp) -> Result<Arc<Segment>, LogError> {
        let Some(active) = self.view.segments.last().cloned() else {
            self.create_folder()?;
            return Ok(self.add_segment(now)?);
        };
        if self.active_since.is_none() {
            // Opened with bytes in it and not written since.
            self.active_since = active.first_timestamp()?;
        }
        if !self.is_full(&active, header, now) {
            return Ok(active);
        }
        Ok(self.roll(now)?)
    }

    fn is_full(&self, active: &Segment, header: &BatchHeader, now: Timestamp) -> bool {
        let limit = self.segment_bytes().min(active.capacity());
        let may_be_short = !self.is_crowded() || active.len() >= SHORT_BYTES;
        let relative = self.view.end_offset.plus(i64::from(header.last_offset_delta)).0.saturating_sub(active.base_offset.0);
        let too_far = relative > i64::from(i32::MAX);
        let waited = match self.active_since {
            Some(since) if since > Timestamp::NONE => header.max_timestamp.since(since),
            _ => now.since(active.created),
        };
        let len = active.len();
        len > 0 && (len.saturating_add(header.size as u64) > limit || waited > self.roll_ms() && may_be_short || too_far)
            // A segment that was opened at its full length cannot grow under its map.
            || active.capacity().saturating_sub(len) < header.size as u64
    }

    /// Whether there are so many segments that settings or timestamps must not make more of them than the bytes need.
    fn is_crowded(&self) -> bool {
        self.view.segments.len() >= SEGMENTS_MANY
    }

    /// What a segment holds.
    fn segment_bytes(&self) -> u64 {
        if self.is_crowded() { self.config.segment_bytes.max(SHORT_BYTES) } else { self.config.segment_bytes }
    }

    /// Only closed segments are compacted, so one that must be soon closes soon.
    fn roll_ms(&self) -> i64 {
        if self.config.cleanup_compact { self.config.segment_ms.min(self.config.max_compaction_lag_ms) } else { self.config.segment_ms }
    }

    /// First append: the folder's own files. The names become durable with the first flush.
    fn create_folder(&mut self) -> io::Result<()> {
        self.store.put(METADATA, format!("version: 0\ntopic_id: {}\n", self.topic_id).trim_end().as_bytes())?;
        if self.view.epochs.latest().is_none() {
            let mut epochs = LeaderEpochs::default();
            epochs.assign(self.view.leader_epoch, self.view.end_offset);
            self.store.put(leader_epochs::FILE, &epochs.format())?;
            self.view.epochs = Arc::new(epochs);
        }
        Ok(())
    }

    /// Closes the active segment and begins a new one at the end of the log.
    pub(super) fn roll(&mut self, now: Timestamp) -> io::Result<Arc<Segment>> {
        if let Some(active) = self.view.segments.last().cloned() {
            if active.len() == 0 && active.base_offset == self.view.end_offset {
                // Grown settings: the same place, a larger map. Nobody holds a slice of an empty file.
                let kept = self.view.segments.iter().take(self.view.segments.len() - 1).cloned().collect();
                self.view.segments = Arc::new(kept);
                return self.add_segment(now);
            }
            active.seal()?;
            self.sealed.push(active);
        }
        if let Err(error) = self.write_snapshot() {
            tracing::warn!(partition = %self.partition, %error, "no producer snapshot at roll");
        }
        self.add_segment(now)
    }

    fn add_segment(&mut self, now: Timestamp) -> io::Result<Arc<Segment>> {
        let new = NewSegment {
            base_offset: self.view.end_offset,
            len: 0,
            capacity: self.segment_bytes(),
            interval_bytes: self.config.index_interval_bytes,
            created: now,
            damaged: Vec::new(),
            indexes: Some(Default::default()),
        };
        let segment = Arc::new(Segment::new(&self.store, new).dense());
        segment.file()?;
        self.folder_is_dirty = true;
        let mut segments: Vec<_> = self.view.segments.iter().cloned().collect();
        segments.push(Arc::clone(&segment));
        self.view.segments = Arc::new(segments);
        self.view.active_len = 0;
        self.active_since = None;
        Ok(segment)
    }

    /// The state of the producers as of the log's end.
    fn write_snapshot(&mut self) -> io::Result<()> {
        let end = self.view.end_offset;
        if self.last_snapshot == Some(end) {
            return Ok(());
        }
        self.store.put(&file_name(end, SNAPSHOT), &producer_snapshot::encode(&self.producers))?;
        // Snapshots at a segment's base stay for the day when a later one is unreadable.
        if let Some(previous) = self.last_snapshot.replace(end)
            && self.view.segments.iter().all(|segment| segment.base_offset != previous)
        {
            self.store.remove(&file_name(previous, SNAPSHOT))?;
        }
        Ok(())
    }

    /// Files that hold bytes from the recovery point on. Of an offline partition nothing is synced any more: it would seem to succeed.
    pub fn dirty_files(&mut self) -> Result<DirtyFiles, LogError> {
        self.check_online()?;
        let mut files = Vec::new();
        if self.recovery_point < self.view.end_offset {
            let first = self.view.segments.partition_point(|segment| segment.base_offset <= self.recovery_point).saturating_sub(1);
            for segment in self.view.segments.iter().skip(first) {
                files.push(Arc::clone(segment.file()?));
            }
        }
        let folder = std::mem::take(&mut self.folder_is_dirty).then(|| Arc::clone(&self.store));
        Ok(DirtyFiles { files, sealed: std::mem::take(&mut self.sealed), folder, up_to: self.view.end_offset })
    }

    /// `DirtyFiles::sync_blocking` succeeded for everything below `up_to`.
    pub fn mark_flushed(&mut self, up_to: Offset) {
        self.recovery_point = self.recovery_point.max(up_to.min(self.view.end_offset));
    }

    /// Syncs under the caller's lock. On an error the partition is offline.
    pub fn flush(&mut self) -> Result<(), LogError> {
        let dirty = self.dirty_files()?;
        if let Err(error) = dirty.sync_blocking() {
            self.sync_failed(&error);
            return Err(error.into());
        }
        self.mark_flushed(dirty.up_to);
        Ok(())
    }

    /// Writes indexes and producer state, so that a start after `kill -9` scans only what comes after. Cheap if nothing changed.
    pub fn checkpoint(&mut self) -> io::Result<()> {
        self.store_damage()?;
        let Some(active) = self.view.segments.last() else { return Ok(()) };
        if self.last_snapshot == Some(self.view.end_offset) {
            return Ok(());
        }
        active.write_indexes()?;
        self.write_snapshot()
    }

    /// What reads found damaged since the last call.
    fn store_damage(&mut self) -> io::Result<()> {
        let damaged = self.view.damaged();
        if damaged.len() > self.damage_stored {
            damage::store(&*self.store, &damaged)?;
        }
        self.damage_stored = damaged.len();
        Ok(())
    }

    /// Flushes and writes everything the next start wants to find. The caller then writes the clean marker.
    pub fn close(&mut self) -> Result<(), LogError> {
        self.flush()?;
        if let Some(active) = self.view.segments.last() {
            active.seal()?;
            active.sync_sealed()?;
            self.write_snapshot()?;
            self.store.sync_folder()?;
        }
        Ok(())
    }

    /// Removes the partition's folder. Views that are still held stay readable.
    pub fn delete(self) -> io::Result<()> {
        self.store.delete_folder()
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.view.leader_epoch
    }

    /// Keeps this many producers at most, if they have no open transaction.
    pub fn keep_most_producers(&mut self, most: usize) {
        self.producers.keep_most(most);
    }

    /// Forgets idle producers (`producer.id.expiration.ms`).
    pub fn expire_producers(&mut self, now: Timestamp) {
        self.producers.remove_expired(now, self.config.producer_id_expiration_ms);
    }
}

#[cfg(test)]
#[path = "partition_log_tests.rs"]
mod tests;
