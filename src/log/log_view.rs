//! What readers hold: a consistent picture of a partition, cheap to clone.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::damage::Checked;
use super::error::ReadError;
use super::leader_epochs::LeaderEpochs;
use super::mapped::is_resident;
use super::segment::{BadRange, Located, Segment, Walk};
use super::txn_index::AbortedTxn;
use crate::model::batch::BatchView;
use crate::model::{LeaderEpoch, Offset, Timestamp};

/// The end of a log that was written by this process is taken to be in the page cache.
const HOT_BYTES: u64 = 4 << 20;
/// What a read touches beside the batches that it gives.
const AROUND_BYTES: u64 = 64 << 10;
/// The smallest page of any machine.
const PAGE_BYTES: usize = 4096;

/// What a read gives when not even one batch fits its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLeast {
    Nothing,
    OneBatch,
}

/// How far a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadUpTo {
    /// read_uncommitted: the high watermark.
    End,
    /// read_committed: the last stable offset.
    LastStable,
}

/// Whole batches without a copy, in offset order, one slice per segment touched.
#[derive(Clone, Debug, Default)]
pub struct ReadOutcome {
    pub slices: Vec<Bytes>,
    pub size: usize,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: LeaderEpoch,
}

/// For the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub base_offset: Offset,
    pub size_bytes: u64,
    pub damaged_bytes: u64,
}

/// A partition as of one moment. Holding it keeps its segments readable, also after they were deleted.
#[derive(Clone, Debug)]
pub struct LogView {
    pub(super) start_offset: Offset,
    pub(super) end_offset: Offset,
    pub(super) last_stable_offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) epochs: Arc<LeaderEpochs>,
    /// By base offset; the last one is being written.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
    /// Published bytes of the last segment.
    pub(super) active_len: u64,
}

impl LogView {
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// The next offset to be written. On a single node also the high watermark.
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    pub fn last_stable_offset(&self) -> Offset {
        self.last_stable_offset
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    pub fn epoch_of(&self, offset: Offset) -> LeaderEpoch {
        self.epochs.epoch_of(offset).unwrap_or(self.leader_epoch)
    }

    /// Kafka's OffsetForLeaderEpoch; `None` for an epoch that is not known.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.epochs.end_offset(epoch, self.leader_epoch, self.end_offset)
    }

    pub fn size_bytes(&self) -> u64 {
        (0..self.segments.len()).map(|index| self.len_of(index)).sum()
    }

    pub fn segments(&self) -> Vec<SegmentInfo> {
        let info = |(index, segment): (usize, &Arc<Segment>)| SegmentInfo {
            base_offset: segment.base_offset,
            size_bytes: self.len_of(index),
            damaged_bytes: segment.damaged().iter().map(|bad| bad.bytes.end.saturating_sub(bad.bytes.start)).sum(),
        };
        self.segments.iter().enumerate().map(info).collect()
    }

    /// All that is known to be damaged by now.
    pub fn damaged(&self) -> Vec<BadRange> {
        self.segments.iter().flat_map(|segment| segment.damaged().to_vec()).collect()
    }

    /// Segments whose index files were found missing or damaged and made anew.
    pub fn indexes_rebuilt(&self) -> usize {
        self.segments.iter().filter(|segment| segment.is_rebuilt()).count()
    }

    fn len_of(&self, index: usize) -> u64 {
        if index + 1 == self.segments.len() { self.active_len } else { self.segments.get(index).map_or(0, |segment| segment.len()) }
    }

    /// The first offset from `offset` on that is not known to be damaged.
    pub fn after_damage(&self, offset: Offset) -> Offset {
        let damaged = self.damaged();
        let mut at = offset;
        while let Some(bad) = damaged.iter().find(|bad| bad.offsets.contains(&at)) {
            at = bad.offsets.end;
        }
        at
    }

    /// The offset after a segment.
    fn limit_of(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.end_offset, |next| next.base_offset)
    }

    /// Index of the segment that would hold `offset`.
    fn segment_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
    }

    fn check_range(&self, offset: Offset) -> Result<(), ReadError> {
        if offset < self.start_offset || offset > self.end_offset {
            return Err(ReadError::OffsetOutOfRange { offset, start: self.start_offset, end: self.end_offset });
        }
        Ok(())
    }

    fn limit(&self, up_to: ReadUpTo) -> Offset {
        match up_to {
            ReadUpTo::End => self.end_offset,
            ReadUpTo::LastStable => self.last_stable_offset,
        }
    }

    /// Whole batches from the one that holds `from`. Touches the map: a cold page blocks the thread (see `is_hot`).
    pub fn read(&self, from: Offset, max_bytes: usize, at_least: AtLeast, up_to: ReadUpTo) -> Result<ReadOutcome, ReadError> {
        self.check_range(from)?;
        let upper = self.limit(up_to);
        let mut outcome = ReadOutcome::default();
        if from >= upper {
            return Ok(outcome);
        }
        let mut budget = max_bytes as u64;
        for (index, segment) in self.segments.iter().enumerate().skip(self.segment_of(from)) {
            let len = self.len_of(index);
            if segment.base_offset >= upper || (outcome.size > 0 && budget == 0) {
                break;
            }
            let at_least = if outcome.size == 0 { at_least } else { AtLeast::Nothing };
            let found = match self.sound_part(index, from.max(segment.base_offset), budget, at_least, upper) {
                Ok(None) => continue,
                Ok(Some(found)) => found,
                // What was read so far is good; the next read reports the damage.
                Err(_) if outcome.size > 0 => break,
                Err(error) => return Err(error),
            };
            let (first, end) = (found.start, found.end);
            if found.is_empty() {
                break;
            }
            outcome.slices.push(segment.slice(first..end)?);
            let size = end - first;
            outcome.size = outcome.size.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            budget = budget.saturating_sub(size);
            if end < len {
                break;
            }
        }
        Ok(outcome)
    }

    /// Whole batches of one segment from the one that holds `from`, checked if they are cold. `None` if the segment has none.
    fn sound_part(
        &self,
        index: usize,
        from: Offset,
        budget: u64,
        at_least: AtLeast,
        upper: Offset,
    ) -> Result<Option<Range<u64>>, ReadError> {
        let Some(segment) = self.segments.get(index) else { return Ok(None) };
        let len = self.len_of(index);
        let limit = self.limit_of(index);
        if segment.damaged().iter().any(|bad| bad.offsets.contains(&from)) {
            return Err(ReadError::Corrupt(from));
        }
        let part = || -> Result<Option<Range<u64>>, ReadError> {
            let Some(first) = segment.locate(from, len)? else { return Ok(None) };
            let stop = self.stop_of(segment, &first, len, upper)?;
            let mut end = segment.whole_batches_end(first.position, stop, budget)?;
            if end <= first.position && at_least == AtLeast::OneBatch {
                end = first.position.saturating_add(first.header.size as u64).min(stop);
            }
            Ok(Some(first.position..end))
        };
        match part() {
            Ok(None) => Ok(None),
            Ok(Some(found)) if segment.check(from, found.clone(), limit)? == Checked::Sound => Ok(Some(found)),
            Err(ReadError::Corrupt(_)) if segment.hot_from() > 0 => {
                segment.rescan(limit)?;
                part()
            }
            Ok(Some(_)) => part(),
            Err(error) => Err(error),
        }
    }

    /// Where reading must stop in a segment: its end, the first damage, or the first batch at or past `upper`.
    fn stop_of(&self, segment: &Segment, first: &Located, len: u64, upper: Offset) -> Result<u64, ReadError> {
        let damage = segment.damaged();
        let damage = damage.iter().map(|bad| bad.bytes.start).filter(|start| *start > first.position).min();
        let stop = damage.map_or(len, |damage| damage.min(len));
        if upper >= self.end_offset {
            return Ok(stop);
        }
        let bound = match segment.locate(upper, len) {
            Ok(located) => located.map_or(len, |located| located.position),
            Err(ReadError::Corrupt(_)) => len,
            Err(error) => return Err(error),
        };
        Ok(stop.min(bound))
    }

    /// Whether a read from `offset` on would find its bytes in the page cache for sure.
    pub fn is_hot(&self, offset: Offset) -> bool {
        if offset >= self.end_offset {
            return true;
        }
        let Some(active) = self.segments.last().filter(|active| active.base_offset <= offset) else { return false };
        let position = active.with_indexes(|indexes| indexes.offsets.lookup(active.base_offset, offset)).unwrap_or(0);
        position >= active.hot_from() && position.saturating_add(HOT_BYTES) >= self.active_len
    }

    /// Whether a read of so much would find its bytes in memory and checked: a thread that must not block may do it.
    pub fn is_resident(&self, from: Offset, max_bytes: usize) -> bool {
        let mut budget = max_bytes as u64;
        for (index, segment) in self.segments.iter().enumerate().skip(self.segment_of(from)) {
            // To read the index files would block too.
            let start = segment.with_loaded_indexes(|indexes| indexes.offsets.lookup(segment.base_offset, from));
            let Some(start) = start else { return false };
            // The entry lies before what is asked for, and the header of the batch after the last one is looked at.
            let end = self.len_of(index).min(start.saturating_add(budget).saturating_add(AROUND_BYTES));
            let Ok(bytes) = segment.slice(start..end) else { return false };
            if end.min(segment.hot_from()) > segment.checked() || !is_resident(&bytes) {
                return false;
            }
            budget = budget.saturating_sub(end.saturating_sub(start));
            if budget == 0 {
                break;
            }
        }
        // A first batch is given whole, however large.
        self.read(from, max_bytes, AtLeast::OneBatch, ReadUpTo::End)
            .is_ok_and(|read| read.size <= max_bytes || read.slices.iter().all(|slice| is_resident(slice)))
    }

    /// Brings what a read would give into memory, for threads that may block: also the rest of a first batch that is larger than
    /// asked for, and the headers in which the read finds its end. Gives the number of bytes.
    pub fn warm_blocking(&self, from: Offset, max_bytes: usize) -> usize {
        self.populate_blocking(from, max_bytes);
        let Ok(read) = self.read(from, max_bytes, AtLeast::OneBatch, ReadUpTo::End) else { return 0 };
        for slice in &read.slices {
            // A byte of each page. Most are there by now and cost nothing.
            std::hint::black_box(slice.iter().step_by(PAGE_BYTES).fold(0, |all, byte| all ^ byte));
        }
        read.size
    }

    fn populate_blocking(&self, from: Offset, max_bytes: usize) {
        let mut budget = max_bytes as u64;
        for (index, segment) in self.segments.iter().enumerate().skip(self.segment_of(from)) {
            let Ok(start) = segment.with_indexes(|indexes| indexes.offsets.lookup(segment.base_offset, from)) else { return };
            let end = self.len_of(index).min(start.saturating_add(budget));
            let Ok(file) = segment.file() else { return };
            file.populate_blocking(start..end);
            budget = budget.saturating_sub(end.saturating_sub(start));
            if budget == 0 {
                return;
            }
        }
    }

    /// The first record at or after `timestamp`, looked for inside batches, compressed ones too. Blocks on cold pages.
    pub fn offset_for_timestamp(&self, timestamp: Timestamp, up_to: ReadUpTo) -> Result<Option<TimestampedOffset>, ReadError> {
        let upper = self.limit(up_to);
        for (index, segment) in self.segments.iter().enumerate().skip(self.segment_of(self.start_offset)) {
            if segment.max_timestamp()?.is_none_or(|max| max.0 < timestamp) {
                continue;
            }
            let wanted = |found: Timestamp| found >= timestamp;
            let find = || -> Result<Option<TimestampedOffset>, ReadError> {
                let from = segment.position_of_time(timestamp, self.start_offset)?;
                self.find_record(segment, from, self.len_of(index), wanted)
            };
            let found = match find() {
                // What is marked now is passed over.
                Err(ReadError::Corrupt(_)) if segment.hot_from() > 0 => {
                    segment.rescan(self.limit_of(index))?;
                    find()?
                }
                found => found?,
            };
            if let Some(found) = found {
                return Ok(Some(found).filter(|found| found.offset < upper));
            }
        }
        Ok(None)
    }

    /// The first record that bears the largest timestamp of the log; `None` if no record bears one.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut best: Option<(Timestamp, usize)> = None;
        for (index, segment) in self.segments.iter().enumerate() {
            if let Some((timestamp, _)) = segment.max_timestamp()?
                && best.is_none_or(|best| best.0 < timestamp)
            {
                best = Some((timestamp, index));
            }
        }
        let Some((timestamp, index)) = best else { return Ok(None) };
        let Some(segment) = self.segments.get(index) else { return Ok(None) };
        let found = self.find_record(segment, 0, self.len_of(index), |found| found >= timestamp)?;
        if found.is_some() {
            return Ok(found);
        }
        // The record was deleted from the front of its segment, or compaction left only its batch: judge what is left.
        self.max_of_the_rest()
    }

    fn max_of_the_rest(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        let mut max = Timestamp::NONE;
        let mut found = None;
        for (index, segment) in self.segments.iter().enumerate().skip(self.segment_of(self.start_offset)) {
            while let Some(next) = self.find_record(segment, 0, self.len_of(index), |timestamp| timestamp > max)? {
                max = next.timestamp;
                found = Some(next);
            }
        }
        Ok(found)
    }

    /// The first record from `position` on, not below the log's start, whose time is wanted. Only batches whose maximum is
    /// wanted are opened.
    fn find_record(
        &self,
        segment: &Segment,
        position: u64,
        len: u64,
        wanted: impl Fn(Timestamp) -> bool,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        if position >= len {
            return Ok(None);
        }
        let bytes = segment.slice(position..len)?;
        for located in segment.walk(&bytes, position) {
            let located = located.map_err(|_| ReadError::Corrupt(segment.base_offset))?;
            let header = located.header;
            if header.last_offset() < self.start_offset || !wanted(header.max_timestamp) {
                continue;
            }
            let corrupt = |_| ReadError::Corrupt(header.base_offset);
            let batch = BatchView::parse(Walk::batch_bytes(&bytes, position, &located)).map_err(corrupt)?;
            if (segment.checked()..segment.hot_from()).contains(&located.position) {
                batch.verify_crc().map_err(corrupt)?;
            }
            let records = batch.records();
            for record in &records.map_err(corrupt)? {
                let record = record.map_err(corrupt)?;
                if record.offset >= self.start_offset && wanted(record.timestamp) {
                    let found = TimestampedOffset { offset: record.offset, timestamp: record.timestamp, leader_epoch: header.leader_epoch };
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The aborted transactions that overlap `from..to`, by first offset.
    pub fn aborted_transactions(&self, from: Offset, to: Offset) -> io::Result<Vec<AbortedTxn>> {
        let mut found: Vec<AbortedTxn> = Vec::new();
        for segment in self.segments.iter().skip(self.segment_of(from)) {
            let done = segment.with_indexes(|indexes| {
                let overlaps = |txn: &&AbortedTxn| txn.last_offset >= from && txn.first_offset < to;
                found.extend(indexes.txns.iter().filter(overlaps));
                // Nothing that begins before `to` can end after a marker that saw a stable offset past it.
                indexes.txns.iter().any(|txn| txn.last_stable_offset >= to)
            })?;
            if done {
                break;
            }
        }
        found.sort_unstable_by_key(|txn| txn.first_offset);
        Ok(found)
    }
}
