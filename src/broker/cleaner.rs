//! The cleaner: compacts logs, the dirtiest first, on one blocking thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::partition::{Partition, lock};
use super::{Broker, clock};
use crate::log::{CleanedSegment, LogError, Swapped};
use crate::model::{Offset, Timestamp};

/// Memory for the keys of one pass. A log with more is compacted in several.
const KEYS_BYTES_MAX: usize = 32 << 20;
/// However long the configured rest is, a change of it is noticed within this.
const REST_MAX: Duration = Duration::from_secs(300);

/// What compacting a partition came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compacted {
    pub passes: u64,
    pub bytes_reclaimed: u64,
}

impl Broker {
    pub(super) async fn cleaner_loop(self: Arc<Self>) {
        loop {
            let every = self.configs.broker().cleaner_backoff_ms;
            let rest = Duration::from_millis(u64::try_from(every).unwrap_or(1).max(1)).min(REST_MAX);
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.stopped() => return,
            }
            if self.configs.broker().cleaner_enabled {
                let broker = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || broker.compact_all()).await;
            }
        }
    }

    /// Compacts every log that is due. Blocks.
    pub(super) fn compact_all(&self) {
        let now = clock::now();
        let mut due: Vec<(f64, Arc<Partition>)> = Vec::new();
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                if let Some(ratio) = partition.dirty_ratio(now) {
                    due.push((ratio, Arc::clone(partition)));
                }
            }
        }
        due.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, partition) in due {
            if *self.shutdown.borrow() {
                return;
            }
            self.compact(&partition, now);
        }
    }

    fn compact(&self, partition: &Partition, now: Timestamp) {
        let stop = || *self.shutdown.borrow() || partition.is_deleted();
        match partition.compact(now, KEYS_BYTES_MAX, &stop) {
            Ok(Compacted { passes: 0, .. }) => {}
            Ok(compacted) => {
                self.metrics.compactions.add(compacted.passes);
                self.metrics.compaction_bytes_reclaimed.add(compacted.bytes_reclaimed);
                tracing::debug!(partition = %partition.name, ?compacted, "compacted");
                // Lost, it only costs the work again.
                if let Err(error) = self.write_cleaner_offsets() {
                    tracing::error!(%error, "cannot write how far logs are compacted");
                }
            }
            Err(LogError::Batch(defect)) => {
                partition.compaction.given_up.store(true, Ordering::Relaxed);
                tracing::error!(partition = %partition.name, %defect, "a log cannot be compacted and grows until the next start");
            }
            Err(error) => tracing::warn!(partition = %partition.name, %error, "compaction failed and is tried again"),
        }
    }

    pub(super) fn write_cleaner_offsets(&self) -> std::io::Result<()> {
        let _order = lock(&self.checkpoint_files);
        let mut rows = Vec::new();
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                let offset = partition.cleaner_offset();
                if offset > Offset::ZERO {
                    rows.push((partition.name.clone(), offset));
                }
            }
        }
        self.folder.write_cleaner_offsets(rows.iter().map(|(name, offset)| (name, *offset)))
    }
}

impl Partition {
    pub(super) fn restore_cleaner_offset(&self, offset: Option<Offset>) {
        self.compaction.offset.store(offset.unwrap_or(Offset::ZERO).0, Ordering::Relaxed);
    }

    fn cleaner_offset(&self) -> Offset {
        Offset(self.compaction.offset.load(Ordering::Relaxed))
    }

    pub(super) fn is_given_up_by_cleaner(&self) -> bool {
        self.compaction.given_up.load(Ordering::Relaxed)
    }

    /// Share of bytes that wait for compaction, `None` if it is not due.
    fn dirty_ratio(&self, now: Timestamp) -> Option<f64> {
        if !self.config().cleanup_compact || self.is_given_up_by_cleaner() || self.view().segments().len() < 2 {
            return None;
        }
        // What is closed and not yet on the disk is not compacted.
        if let Err(error) = self.flush() {
            tracing::debug!(partition = %self.name, %error, "not compacted");
            return None;
        }
        match self.log().as_ref()?.plan_compaction(self.cleaner_offset(), now) {
            Ok(plan) => plan.map(|plan| plan.dirtiness.ratio()),
            // Tried once more, and then told.
            Err(_) => Some(0.0),
        }
    }

    /// Compacts what is due, in as many passes as the memory for keys demands. Blocks.
    pub(super) fn compact(&self, now: Timestamp, keys_bytes_max: usize, stop: &dyn Fn() -> bool) -> Result<Compacted, LogError> {
        let _alone = self.without_compaction();
        let mut done = Compacted::default();
        self.flush()?;
        while !stop() {
            let plan = match self.log().as_ref() {
                Some(log) => log.plan_compaction(self.cleaner_offset(), now)?,
                None => None,
            };
            let Some(plan) = plan else { break };
            let Some(pass) = plan.run(keys_bytes_max, stop, &mut |cleaned| self.swap_in(&cleaned))? else { break };
            self.compaction.offset.store(pass.end.0, Ordering::Relaxed);
            done.passes += 1;
            done.bytes_reclaimed = done.bytes_reclaimed.saturating_add(pass.bytes_before.saturating_sub(pass.bytes_after));
            if !pass.more {
                break;
            }
        }
        Ok(done)
    }

    /// Puts a cleaned segment in force. The log's lock is not held while files are renamed and folders synced; that nobody takes
    /// segments away meanwhile is what `reshaping` is for.
    fn swap_in(&self, cleaned: &CleanedSegment) -> Result<Swapped, LogError> {
        let _former_view;
        let _alone = lock(&self.reshaping);
        if !self.log().as_ref().is_some_and(|log| log.holds_originals_of(cleaned)) {
            cleaned.discard();
            return Ok(Swapped::Overtaken);
        }
        cleaned.prepare()?;
        let completed = cleaned.complete();
        let mut guard = self.log();
        let Some(log) = guard.as_mut() else { return Ok(Swapped::Overtaken) };
        if let Err(error) = completed {
            // The files are between two states that only a start can tell apart.
            log.take_offline(format!("a compacted segment could not be put in place: {error}"));
            return Err(error.into());
        }
        let swapped = log.adopt(cleaned);
        _former_view = self.publish(log);
        drop(guard);
        cleaned.remove_replaced();
        Ok(swapped)
    }
}
