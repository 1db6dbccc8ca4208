//! One partition: its log behind a lock, the view that readers hold, and the bell that wakes them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

use bytes::Bytes;

use super::bell::Bell;
use super::metrics::Traffic;
use crate::config::LogConfig;
use crate::log::{
    AppendOutcome, AtLeast, DirtyFiles, LogError, LogView, OpenFacts, PartitionLog, ReadError, ReadUpTo, Store, produce_rules,
};
use crate::model::batch::Batches;
use crate::model::batch_builder::{BatchBuilder, NewRecord};
use crate::model::compress::Codec;
use crate::model::produce_check::{BatchError, LogStart, RecordError, check_produced};
use crate::model::{Batch, ErrorCode, LeaderEpoch, Offset, PartitionId, ProducerId, Record, Timestamp, TopicId, TopicName, TopicPartition};

pub struct Partition {
    pub name: TopicPartition,
    /// None once the partition was deleted.
    log: Mutex<Option<PartitionLog>>,
    view: RwLock<LogView>,
    config: RwLock<Arc<LogConfig>>,
    bell: Bell,
    pub traffic: Traffic,
    deleted: AtomicBool,
    /// Held while the disk syncs. A failed sync is reported once, to whoever asked first: nobody else may ask at the same time.
    flushing: Mutex<()>,
    /// Offset below which all is on the disk.
    flushed_to: AtomicI64,
    /// When the last flush in the background began.
    flushed_at: AtomicI64,
    pub(super) offline: AtomicBool,
    /// Files that could not be read at the start.
    pub(super) files_set_aside: usize,
    /// Held while the log is compacted. Who holds it before the log's lock keeps compaction away for good.
    compacting: Mutex<()>,
    /// Held by who takes segments away: compaction, retention, DeleteRecords. Comes before the log's lock.
    pub(super) reshaping: Mutex<()>,
    pub(super) compaction: Compaction,
    /// Bytes appended since the last checkpoint.
    unchecked: AtomicU64,
}

/// How far compaction has come.
#[derive(Default)]
pub(super) struct Compaction {
    /// Everything below is compacted. Kept in `cleaner-offset-checkpoint`.
    pub offset: AtomicI64,
    /// What could not be read will not be readable at the next try.
    pub given_up: AtomicBool,
}

/// A record of the broker's own: group state, generated events.
#[derive(Clone, Debug)]
pub struct OwnRecord {
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// Why an append was refused, as the producer gets it.
#[derive(Clone, Debug)]
pub struct AppendRefused {
    pub error: ErrorCode,
    pub message: Option<String>,
    pub record_errors: Vec<RecordError>,
    /// Told where Kafka tells it.
    pub log_start: Option<Offset>,
}

impl AppendRefused {
    pub fn new(error: ErrorCode) -> AppendRefused {
        AppendRefused { error, message: None, record_errors: Vec::new(), log_start: None }
    }
}

/// As it stands before a log was looked at.
impl From<BatchError> for AppendRefused {
    fn from(refusal: BatchError) -> Self {
        AppendRefused { error: refusal.code, message: refusal.message, record_errors: refusal.record_errors, log_start: None }
    }
}

impl Partition {
    pub(super) fn open(
        store: Arc<dyn Store>,
        name: TopicPartition,
        id: TopicId,
        config: Arc<LogConfig>,
        facts: OpenFacts,
    ) -> Result<Partition, LogError> {
        let (log, report) = PartitionLog::open(store, name.clone(), id, (*config).clone(), facts)?;
        if report.cut_bytes > 0 {
            tracing::warn!(partition = %name, bytes = report.cut_bytes, "a torn tail was cut");
        }
        if report.is_alarming() {
            tracing::error!(partition = %name, ?report, "the log is damaged; what can be read is served");
        }
        let view = log.view();
        let flushed_to = AtomicI64::new(log.recovery_point().0);
        let offline = AtomicBool::new(log.offline().is_some());
        Ok(Partition {
            name,
            log: Mutex::new(Some(log)),
            view: RwLock::new(view),
            config: RwLock::new(config),
            bell: Bell::default(),
            traffic: Traffic::default(),
            deleted: AtomicBool::new(false),
            flushing: Mutex::default(),
            flushed_to,
            flushed_at: AtomicI64::default(),
            offline,
            files_set_aside: report.renamed_aside.len(),
            compacting: Mutex::default(),
            reshaping: Mutex::default(),
            compaction: Compaction { offset: AtomicI64::new(0), given_up: AtomicBool::new(false) },
            unchecked: AtomicU64::default(),
        })
    }

    pub fn id(&self) -> PartitionId {
        self.name.partition
    }

    pub fn topic(&self) -> &TopicName {
        &self.name.topic
    }

    /// What readers may see now.
    pub fn view(&self) -> LogView {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same as the view's, without a view.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.view.read().unwrap_or_else(PoisonError::into_inner).leader_epoch()
    }

    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_config(&self, config: Arc<LogConfig>) {
        if let Some(log) = self.log().as_mut() {
            log.set_config((*config).clone());
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(super) fn producer_count(&self) -> usize {
        self.log().as_ref().map_or(0, |log| log.producers().len())
    }

    pub(super) fn producer_id_max(&self) -> Option<ProducerId> {
        self.log().as_ref().and_then(|log| log.producers().iter().map(|producer| producer.producer_id).max())
    }

    pub(super) fn keep_most_producers(&self, most: usize) {
        if let Some(log) = self.log().as_mut() {
            log.keep_most_producers(most);
        }
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Option<PartitionLog>> {
        lock(&self.log)
    }

    /// Waits for a running compaction and holds off the next one.
    pub(super) fn without_compaction(&self) -> MutexGuard<'_, ()> {
        lock(&self.compacting)
    }

    /// Gives the view that was published before. With it the last hold on deleted segments may go, and that costs time: drop it
    /// after the log's lock.
    pub(super) fn publish(&self, log: &PartitionLog) -> LogView {
        let before = std::mem::replace(&mut *self.view.write().unwrap_or_else(PoisonError::into_inner), log.view());
        self.bell.ring();
        before
    }

    /// Appends what a producer sent, checked and stamped.
    pub fn append(&self, records: &Bytes, version: i16, now: Timestamp) -> Result<AppendOutcome, AppendRefused> {
        let config = self.config();
        let batch = check_produced(records, &produce_rules(&config, &self.name, version, now)).map_err(|error| self.refused(error))?;
        let mut guard = self.log();
        let Some(log) = guard.as_mut() else { return Err(AppendRefused::new(ErrorCode::UnknownTopicOrPartition)) };
        let outcome = log.append(batch, now).map_err(|error| self.refused_by_the_log(&error))?;
        if !outcome.duplicate {
            self.publish(log);
            self.count_in(&outcome, records.len());
        }
        Ok(outcome)
    }

    fn count_in(&self, outcome: &AppendOutcome, bytes: usize) {
        self.traffic.messages_in.add(u64::try_from(outcome.last_offset.0 - outcome.base_offset.0 + 1).unwrap_or(0));
        self.traffic.bytes_in.add(bytes as u64);
        self.unchecked.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn refused(&self, error: BatchError) -> AppendRefused {
        let log_start = (error.log_start == LogStart::Told).then(|| self.view().start_offset());
        AppendRefused { log_start, ..AppendRefused::from(error) }
    }

    fn refused_by_the_log(&self, error: &LogError) -> AppendRefused {
        let refused = AppendRefused::new(error_code(error));
        match refused.error {
            ErrorCode::RecordListTooLarge | ErrorCode::KafkaStorageError => refused,
            _ => AppendRefused { log_start: Some(self.view().start_offset()), ..refused },
        }
    }

    /// Appends records of the broker's own as one batch.
    pub fn append_own(&self, records: &[OwnRecord], now: Timestamp) -> Result<Offset, LogError> {
        let mut builder = BatchBuilder::new(Codec::None);
        for record in records {
            builder.append(NewRecord {
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &[],
            });
        }
        self.append_batch(builder.build().map_err(io::Error::other)?, now)
    }

    /// Appends a batch that was made here.
    pub fn append_batch(&self, batch: Batch, now: Timestamp) -> Result<Offset, LogError> {
        let mut guard = self.log();
        let log = guard.as_mut().ok_or_else(deleted)?;
        let bytes = batch.len();
        let outcome = log.append_internal(batch, now)?;
        self.publish(log);
        self.count_in(&outcome, bytes);
        Ok(outcome.base_offset)
    }

    /// Every record from `from` on, read one batch after the other, past what is damaged. Blocks; for the broker's own topics and small
    /// reads.
    pub fn read_own(&self, from: Offset, mut each: impl FnMut(Offset, OwnRecord)) -> Result<(), LogError> {
        self.read_all(from, |record| {
            let (key, value) = (record.key.map(Bytes::copy_from_slice), record.value.map(Bytes::copy_from_slice));
            each(record.offset, OwnRecord { timestamp: record.timestamp, key, value });
        })
    }

    /// The same, uncopied.
    pub fn read_all(&self, from: Offset, mut each: impl FnMut(&Record<'_>)) -> Result<(), LogError> {
        let view = self.view();
        let mut at = from.max(view.start_offset());
        while at < view.end_offset() {
            let next = self.visit(&view, at, READ_BYTES, &mut each)?;
            if next <= at {
                break;
            }
            at = next;
        }
        Ok(())
    }

    /// Visits the records in about this many bytes from an offset on. The offset to go on at, which is the same at the end.
    pub fn visit(&self, view: &LogView, from: Offset, bytes_max: usize, mut each: impl FnMut(&Record<'_>)) -> Result<Offset, LogError> {
        self.visit_while(view, from, bytes_max, |record| {
            each(record);
            true
        })
    }

    /// The same, to the first record that is not taken: it is where to go on. A few compressed bytes may be very many records.
    pub fn visit_while(
        &self,
        view: &LogView,
        from: Offset,
        bytes_max: usize,
        mut takes: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Offset, LogError> {
        let read = match view.read(from, bytes_max, AtLeast::OneBatch, ReadUpTo::End) {
            Ok(read) => read,
            Err(ReadError::Corrupt(_)) if view.after_damage(from) > from => {
                let next = view.after_damage(from);
                tracing::error!(partition = %self.name, from = from.0, to = next.0, "damaged records are passed over");
                return Ok(next);
            }
            Err(error) => return Err(io::Error::other(error).into()),
        };
        let mut next = from;
        for slice in &read.slices {
            for batch in Batches::new(slice) {
                let batch = batch.map_err(LogError::from)?;
                next = batch.header.next_offset();
                if batch.header.attributes.is_control() {
                    continue;
                }
                let decoded = batch.records().map_err(LogError::from)?;
                for record in decoded.iter() {
                    let record = record.map_err(LogError::from)?;
                    if record.offset >= from && !takes(&record) {
                        return Ok(record.offset);
                    }
                }
            }
        }
        Ok(next)
    }

    /// Moves the log start (DeleteRecords). Blocks.
    pub fn delete_records(&self, before: Offset, now: Timestamp) -> Result<Offset, LogError> {
        let _former_view;
        let _alone = lock(&self.reshaping);
        let mut guard = self.log();
        let log = guard.as_mut().ok_or_else(deleted)?;
        let outcome = log.delete_records(before, now);
        // Also after an error: the start may have moved before a file could not be removed.
        _former_view = self.publish(log);
        outcome
    }

    /// Expires segments and producers that are due, and notes the recovery point. Blocks.
    pub(super) fn housekeep(&self, now: Timestamp) -> Result<(), LogError> {
        let _former_view;
        let _alone = lock(&self.reshaping);
        let mut guard = self.log();
        let Some(log) = guard.as_mut() else { return Ok(()) };
        log.expire_producers(now);
        let start = log.start_offset();
        let outcome = log.enforce_retention(now);
        if log.start_offset() != start {
            _former_view = self.publish(log);
        }
        Ok(outcome.map(|_| ())?)
    }

    /// Writes what is dirty to the disk; what was written while an earlier flush ran goes with one sync. Blocks.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        match self.begin_flush()? {
            None => Ok(()),
            Some(turn) => {
                let synced = turn.sync_blocking();
                turn.end(synced)
            }
        }
    }

    /// Takes the turn to flush, after whoever has it now; `None` if there is nothing to flush. Blocks.
    pub(super) fn begin_flush(&self) -> Result<Option<FlushTurn<'_>>, LogError> {
        self.turn(self.flushing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same if `flush.ms` is over. `None` also if somebody flushes at this moment.
    pub(super) fn begin_flush_if_due(&self, now: Timestamp) -> Result<Option<FlushTurn<'_>>, LogError> {
        let since = now.0.saturating_sub(self.flushed_at.load(Ordering::Relaxed));
        // A clock that was set back is no reason to wait. One that was slowed down makes a look come early, not in vain.
        let flush_ms = self.config().flush_ms;
        if (0..flush_ms - flush_ms / 20).contains(&since) {
            return Ok(None);
        }
        self.flushed_at.store(now.0, Ordering::Relaxed);
        self.begin_flush_if_free()
    }

    /// `None` also if somebody flushes at this moment: who holds the turns of many partitions may not wait for one.
    pub(super) fn begin_flush_if_free(&self) -> Result<Option<FlushTurn<'_>>, LogError> {
        match self.flushing.try_lock() {
            Ok(order) => self.turn(order),
            Err(TryLockError::Poisoned(order)) => self.turn(order.into_inner()),
            Err(TryLockError::WouldBlock) => Ok(None),
        }
    }

    fn turn<'a>(&'a self, order: MutexGuard<'a, ()>) -> Result<Option<FlushTurn<'a>>, LogError> {
        let dirty = match self.log().as_mut() {
            Some(log) => log.dirty_files()?,
            None => return Ok(None),
        };
        Ok((!dirty.is_empty()).then_some(FlushTurn { partition: self, dirty, _order: order }))
    }

    /// The disk failed: nothing more is written until the next start.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Notes on disk what a start after kill -9 would otherwise have to find by scanning. Blocks.
    pub(super) fn checkpoint(&self) -> io::Result<()> {
        self.unchecked.store(0, Ordering::Relaxed);
        self.log().as_mut().map_or(Ok(()), PartitionLog::checkpoint)
    }

    /// Makes a checkpoint out of turn, on a thread that may block, after much was appended: what a start after kill -9 has to scan is
    /// bounded in bytes, however fast they come.
    pub fn checkpoint_after_much(self: &Arc<Self>) {
        if self.unchecked.load(Ordering::Relaxed) < CHECKPOINT_BYTES {
            return;
        }
        // Who comes next finds it begun.
        self.unchecked.store(0, Ordering::Relaxed);
        let partition = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = partition.checkpoint() {
                tracing::warn!(partition = %partition.name, %error, "no checkpoint; a start after a crash takes longer");
            }
        });
    }

    /// What the checkpoint files say about this partition: recovery point and log start.
    pub(super) fn checkpoint_row(&self) -> (Offset, Offset) {
        self.log().as_ref().map_or((Offset::ZERO, Offset::ZERO), |log| (log.recovery_point(), log.start_offset()))
    }

    pub(super) fn close(&self) -> Result<(), LogError> {
        let _alone = self.without_compaction();
        self.log().as_mut().map_or(Ok(()), PartitionLog::close)
    }

    pub(super) fn delete(&self) -> io::Result<()> {
        // Ends a running compaction.
        self.deleted.store(true, Ordering::Release);
        let _alone = self.without_compaction();
        let log = self.log().take();
        self.bell.ring();
        log.map_or(Ok(()), PartitionLog::delete)
    }

    /// With `flush.messages` so many records below `end` are not on the disk that they have to go there now.
    pub(super) fn flush_is_due(&self, end: Offset) -> bool {
        let unsynced = end.0.saturating_sub(self.flushed_to.load(Ordering::Acquire));
        u64::try_from(unsynced).is_ok_and(|unsynced| unsynced > 0 && unsynced >= self.config().flush_messages)
    }
}

/// The right to flush one partition, and what is to be flushed. The log's lock is not held while the disk works.
pub(super) struct FlushTurn<'a> {
    partition: &'a Partition,
    dirty: DirtyFiles,
    _order: MutexGuard<'a, ()>,
}

impl FlushTurn<'_> {
    pub fn files(&self) -> usize {
        self.dirty.files.len()
    }

    pub fn sync_blocking(&self) -> io::Result<()> {
        self.dirty.sync_blocking()
    }

    /// A failed flush takes the partition offline: the kernel may have dropped the pages, and trying again would only seem to succeed.
    pub fn end(self, synced: io::Result<()>) -> Result<(), LogError> {
        let mut guard = self.partition.log();
        let Some(log) = guard.as_mut() else { return Ok(()) };
        match synced {
            Ok(()) => {
                log.mark_flushed(self.dirty.up_to);
                self.partition.flushed_to.store(log.recovery_point().0, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                log.sync_failed(&error);
                self.partition.offline.store(true, Ordering::Release);
                tracing::error!(
                    partition = %self.partition.name, %error,
                    "flush failed: the partition is offline until the next start"
                );
                Err(error.into())
            }
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const READ_BYTES: usize = 1 << 20;
/// What a start after kill -9 scans of a partition at most, give or take what comes in while the checkpoint is written.
const CHECKPOINT_BYTES: u64 = 16 << 20;

fn deleted() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the partition was deleted")
}

/// The one place where a failed change of a log becomes an answer.
pub fn error_code(error: &LogError) -> ErrorCode {
    match error {
        LogError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        LogError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        LogError::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        LogError::BatchLargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
        LogError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        LogError::Batch(_) => ErrorCode::InvalidRecord,
        LogError::Io(_) | LogError::Offline(_) | LogError::NewerFormat { .. } | LogError::OtherTopic { .. } => ErrorCode::KafkaStorageError,
    }
}

/// The one place where a failed read of a log becomes an answer.
pub fn read_error_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt(_) => ErrorCode::CorruptMessage,
        ReadError::Io(_) => ErrorCode::KafkaStorageError,
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
