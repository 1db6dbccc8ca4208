//! One partition: its log behind a lock, the view that readers hold, and the bell that wakes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::bell::Bell;
use crate::config::LogConfig;
use crate::log::{AppendOutcome, DataFolder, LogError, LogView, PartitionLog};
use crate::model::batch::BatchView;
use crate::model::batch_builder::{BatchBuilder, NewRecord};
use crate::model::compress::Codec;
use crate::model::produce_check::{BatchRefusal, ProduceRules, check_produced};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicId, TopicName, TopicPartition};

pub struct Partition {
    pub name: TopicPartition,
    log: Mutex<PartitionLog>,
    view: RwLock<LogView>,
    config: RwLock<Arc<LogConfig>>,
    bell: Bell,
    deleted: AtomicBool,
}

/// A record of the broker's own: group state, generated events.
#[derive(Clone, Debug)]
pub struct OwnRecord {
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}

/// Why an append was refused, as the producer gets it.
#[derive(Debug)]
pub struct AppendRefused {
    pub error: ErrorCode,
    pub message: Option<String>,
    pub record_errors: Vec<(i32, Option<String>)>,
    /// Known when the log was reached.
    pub log_start: Option<Offset>,
}

impl From<BatchRefusal> for AppendRefused {
    fn from(refusal: BatchRefusal) -> Self {
        AppendRefused { error: refusal.code, message: refusal.message, record_errors: refusal.record_errors, log_start: None }
    }
}

impl Partition {
    pub(super) fn open(
        folder: &DataFolder,
        name: TopicPartition,
        id: TopicId,
        config: Arc<LogConfig>,
        now: Timestamp,
    ) -> Result<Partition, LogError> {
        let log = PartitionLog::open(folder, name.clone(), id, (*config).clone(), now)?;
        let view = log.view();
        Ok(Partition {
            name,
            log: Mutex::new(log),
            view: RwLock::new(view),
            config: RwLock::new(config),
            bell: Bell::default(),
            deleted: AtomicBool::new(false),
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
        self.log().set_config((*config).clone());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, log: &PartitionLog) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = log.view();
        self.bell.ring();
    }

    /// Appends what a producer sent, checked and stamped.
    pub fn append(&self, records: &Bytes, now: Timestamp) -> Result<AppendOutcome, AppendRefused> {
        let config = self.config();
        let batch = check_produced(records, &ProduceRules::of(&config), now)?;
        let mut log = self.log();
        if self.is_deleted() {
            return Err(AppendRefused {
                error: ErrorCode::UnknownTopicOrPartition,
                message: None,
                record_errors: Vec::new(),
                log_start: None,
            });
        }
        let outcome = log.append(batch, now).map_err(|e| AppendRefused {
            error: error_code(&e),
            message: e.producer_message(),
            record_errors: Vec::new(),
            log_start: Some(log.view().start_offset()),
        })?;
        self.publish(&log);
        Ok(outcome)
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
        let batch = builder.build().map_err(LogError::from)?;
        let mut log = self.log();
        let outcome = log.append_own(batch, now)?;
        self.publish(&log);
        Ok(outcome.base_offset)
    }

    /// Every record from `from` on, read one batch after the other. Blocks; for the broker's own topics and small reads.
    pub fn read_own(&self, from: Offset, mut each: impl FnMut(Offset, OwnRecord)) -> Result<(), LogError> {
        let view = self.view();
        let mut at = from.max(view.start_offset());
        while at < view.end_offset() {
            let read = view.read(at, READ_BYTES, true)?;
            let mut next = at;
            for slice in &read.slices {
                for batch in BatchView::all(slice) {
                    next = batch.header.next_offset();
                    if batch.header.attributes.is_control() {
                        continue;
                    }
                    let decoded = batch.records().map_err(LogError::from)?;
                    for record in decoded.iter() {
                        let record = record.map_err(LogError::from)?;
                        if record.offset >= at {
                            each(
                                record.offset,
                                OwnRecord {
                                    timestamp: record.timestamp,
                                    key: record.key.map(Bytes::copy_from_slice),
                                    value: record.value.map(Bytes::copy_from_slice),
                                },
                            );
                        }
                    }
                }
            }
            if next <= at {
                break;
            }
            at = next;
        }
        Ok(())
    }

    /// Moves the log start (DeleteRecords). Blocks.
    pub fn delete_records(&self, before: Offset) -> Result<Offset, LogError> {
        let mut log = self.log();
        let start = log.delete_records(before)?;
        self.publish(&log);
        Ok(start)
    }

    /// Rolls and expires segments where they are due. Blocks.
    pub(super) fn housekeep(&self, now: Timestamp) -> Result<(), LogError> {
        let mut log = self.log();
        if log.housekeep(now)? {
            self.publish(&log);
        }
        Ok(())
    }

    /// Writes what is dirty to the disk. The lock is not held while the disk works. Blocks.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        let Some(work) = self.log().begin_flush() else { return Ok(()) };
        let outcome = work.sync();
        self.log().end_flush(work, outcome)
    }

    pub(super) fn close(&self) -> Result<(), LogError> {
        self.log().close()
    }

    pub(super) fn delete(&self) -> Result<(), LogError> {
        let mut log = self.log();
        self.deleted.store(true, Ordering::Release);
        let deleted = log.delete();
        self.bell.ring();
        deleted
    }

    pub fn error_code(&self, error: &LogError) -> ErrorCode {
        error_code(error)
    }
}

const READ_BYTES: usize = 1 << 20;

/// The one place where a log's error becomes an answer.
pub fn error_code(error: &LogError) -> ErrorCode {
    error.code()
}
