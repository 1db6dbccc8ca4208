//! Giving space back: `retention.ms`, `retention.bytes` and DeleteRecords.

use std::io;
use std::sync::Arc;

use super::error::LogError;
use super::leader_epochs;
use super::partition_log::PartitionLog;
use super::segment::{SNAPSHOT, Segment, file_name, parse_file_name};
use crate::model::{Offset, Timestamp};

/// What retention took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionOutcome {
    pub segments: usize,
    pub bytes: u64,
}

impl PartitionLog {
    /// Deletes the oldest segments that are too old, too much, or below the log's start. Without `cleanup.policy=delete`
    /// only the last.
    pub fn enforce_retention(&mut self, now: Timestamp) -> io::Result<RetentionOutcome> {
        let mut doomed = self.below_start();
        if self.config.cleanup_delete {
            doomed = doomed.max(self.too_old(now)?).max(self.too_much());
        }
        self.drop_oldest(doomed, now)
    }

    fn below_start(&self) -> usize {
        let next_bases = self.view.segments.iter().skip(1).map(|segment| segment.base_offset);
        next_bases.take_while(|base| *base <= self.view.start_offset).count()
    }

    fn too_old(&self, now: Timestamp) -> io::Result<usize> {
        if self.config.retention_ms < 0 {
            return Ok(0);
        }
        for (index, segment) in self.view.segments.iter().enumerate() {
            let newest = segment.max_timestamp()?.map_or(segment.created, |max| max.0);
            if self.is_empty_end(index) || now.since(newest) <= self.config.retention_ms {
                return Ok(index);
            }
        }
        Ok(self.view.segments.len())
    }

    fn too_much(&self) -> usize {
        let Ok(limit) = u64::try_from(self.config.retention_bytes) else { return 0 };
        let mut surplus = self.view.size_bytes().saturating_sub(limit);
        let mut doomed = 0;
        for (index, segment) in self.view.segments.iter().enumerate() {
            let len = segment.len();
            if surplus < len || self.is_empty_end(index) {
                break;
            }
            surplus -= len;
            doomed += 1;
        }
        doomed
    }

    /// An empty last segment holds the log's end and stays.
    fn is_empty_end(&self, index: usize) -> bool {
        index + 1 >= self.view.segments.len() && self.view.segments.get(index).is_none_or(|segment| segment.len() == 0)
    }

    fn drop_oldest(&mut self, doomed: usize, now: Timestamp) -> io::Result<RetentionOutcome> {
        let mut doomed = doomed;
        // The end offset lives on in an empty segment's name. Without room for one the last segment waits, and the others make room.
        if doomed > 0
            && doomed >= self.view.segments.len()
            && let Err(error) = self.roll(now)
        {
            if doomed == 1 {
                return Err(error);
            }
            doomed -= 1;
        }
        if doomed == 0 {
            return Ok(RetentionOutcome::default());
        }
        let gone: Vec<Arc<Segment>> = self.view.segments.iter().take(doomed).cloned().collect();
        let kept: Vec<Arc<Segment>> = self.view.segments.iter().skip(doomed).cloned().collect();
        let first = kept.first().map_or(self.view.end_offset, |segment| segment.base_offset);
        self.view.segments = Arc::new(kept);
        self.move_start(self.view.start_offset.max(first));
        for segment in &gone {
            segment.remove_files()?;
        }
        self.remove_old_snapshots(first)?;
        self.folder_is_dirty = true;
        Ok(RetentionOutcome { segments: gone.len(), bytes: gone.iter().map(|segment| segment.len()).sum() })
    }

    fn move_start(&mut self, start: Offset) {
        self.view.start_offset = start;
        let mut epochs = (*self.view.epochs).clone();
        let entries = epochs.len();
        if !epochs.truncate_start(start) {
            return;
        }
        // The file of before says all that this one does and more. So it is only written where an epoch has gone, and where it cannot
        // be written, as on a full disk, it does.
        if epochs.len() < entries
            && let Err(error) = self.store.replace(leader_epochs::FILE, &epochs.format())
        {
            tracing::warn!(partition = %self.partition, %error, "the file of leader epochs keeps epochs of deleted records");
        }
        self.view.epochs = Arc::new(epochs);
    }

    fn remove_old_snapshots(&self, first: Offset) -> io::Result<()> {
        for name in self.store.list()? {
            if let Some((offset, SNAPSHOT)) = parse_file_name(&name)
                && offset < first
                && self.last_snapshot != Some(offset)
            {
                self.store.remove(&file_name(offset, SNAPSHOT))?;
            }
        }
        Ok(())
    }

    /// Makes everything below `before` unreadable and deletes the segments that lie wholly below. -1 means the log's end.
    /// Answers the new start. The caller checkpoints it.
    pub fn delete_records(&mut self, before: Offset, now: Timestamp) -> Result<Offset, LogError> {
        let before = if before == Offset::NONE { self.view.end_offset } else { before };
        if before < Offset::ZERO || before > self.view.end_offset {
            return Err(LogError::OffsetOutOfRange { offset: before, start: self.view.start_offset, end: self.view.end_offset });
        }
        if before > self.view.start_offset {
            self.move_start(before);
            self.drop_oldest(self.below_start(), now)?;
        }
        Ok(self.view.start_offset)
    }
}
