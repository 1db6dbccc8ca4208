//! Compaction: of each key the last record stays, at its offset and in its order.
//!
//! One pass reads the dirty part of a log into a map of keys, then writes every closed segment up to the map's end anew, oldest first,
//! small ones together, and swaps each in (`swap.rs`). Older records of a key always go before a mark of its deletion does, so that
//! none comes back.
//!
//! As in Kafka: marks of deletion stay for `delete.retention.ms` after the first pass that leaves them (the batch's delete horizon);
//! batches keep their offsets; one without records stays where it holds a producer's last sequence or the end of what was compacted.
//! The last batch of each compacted segment stays too: a segment always ends where the next one begins, so that a lost end is noticed.
//!
//! Reading and writing need no lock on the log; only `PartitionLog::adopt` does. Records that a power cut might still take away are
//! not compacted: the owner flushes first.

mod filter;
mod offset_map;
pub(super) mod swap;
mod transactions;
mod writer;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::checkpoint::{self, CheckpointDefect};
use super::error::LogError;
use super::partition_log::PartitionLog;
use super::segment::Segment;
use super::store::Store;
use super::txn_index::AbortedTxn;
use crate::config::LogConfig;
use crate::model::batch::{BatchView, Batches};
use crate::model::{BatchDefect, Offset, ProducerEpoch, ProducerId, Timestamp};
use filter::{Filter, Verdict};
use offset_map::OffsetMap;
pub use swap::{CleanedSegment, Swapped};
use transactions::Transactions;
use writer::Writer;

/// One row: segments that begin below this offset may have gaps between their batches. Written before the first gap is.
pub(super) const GAPS: &str = "compacted-below";
pub(super) const CLEANED: &str = ".cleaned";
pub(super) const SWAP: &str = ".swap";
pub(super) const DELETED: &str = ".deleted";

pub(super) fn parse_gaps(bytes: &[u8]) -> Result<Offset, CheckpointDefect> {
    let rows = checkpoint::parse(bytes, |row| row.parse().ok().map(Offset))?;
    rows.first().copied().ok_or(CheckpointDefect::Malformed)
}

fn note_gaps(store: &dyn Store, below: Offset) -> io::Result<()> {
    let known = store.read(GAPS)?.and_then(|bytes| parse_gaps(&bytes).ok()).unwrap_or(Offset::ZERO);
    if known < below { store.replace(GAPS, &checkpoint::format_sealed([below.to_string()])) } else { Ok(()) }
}

/// How much of a log waits to be compacted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirtiness {
    pub clean_bytes: u64,
    /// Bytes of closed segments that may be compacted now.
    pub dirty_bytes: u64,
    /// `max.compaction.lag.ms` is over for a part of it.
    pub overdue: bool,
}

impl Dirtiness {
    pub fn ratio(&self) -> f64 {
        self.dirty_bytes as f64 / (self.clean_bytes.saturating_add(self.dirty_bytes).max(1)) as f64
    }

    fn is_due(&self, min_ratio: f64) -> bool {
        self.dirty_bytes > 0 && (self.overdue || self.ratio() > min_ratio)
    }
}

/// Where the state of a producer comes from after a restart.
#[derive(Clone, Copy, Debug)]
enum LastOfProducer {
    Data(Offset),
    MarkerOf(ProducerEpoch),
}

/// What one pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionPass {
    /// The log is compacted up to here.
    pub end: Offset,
    /// There is more: the keys did not fit the memory.
    pub more: bool,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// What a pass works on, taken from the log at one moment.
#[derive(Debug)]
pub struct CompactionPlan {
    pub dirtiness: Dirtiness,
    store: Arc<dyn Store>,
    config: LogConfig,
    /// From the log's beginning to `end`.
    segments: Vec<Arc<Segment>>,
    first_dirty: Offset,
    end: Offset,
    last_of_producers: HashMap<ProducerId, LastOfProducer>,
    aborted: Vec<AbortedTxn>,
    now: Timestamp,
}

impl PartitionLog {
    /// What is to do, `None` if nothing is. `compacted_to` is where the last pass ended.
    pub fn plan_compaction(&self, compacted_to: Offset, now: Timestamp) -> Result<Option<CompactionPlan>, LogError> {
        if !self.config.cleanup_compact {
            return Ok(None);
        }
        if let Some(reason) = &self.offline {
            return Err(LogError::Offline(reason.clone()));
        }
        let known = compacted_to >= self.view.start_offset && compacted_to <= self.view.end_offset;
        let first_dirty = if known { compacted_to } else { self.view.start_offset };
        let (count, end) = self.compactable(first_dirty, now)?;
        let segments: Vec<Arc<Segment>> = self.view.segments.iter().take(count).cloned().collect();
        let dirtiness = self.dirtiness(&segments, first_dirty, end, now)?;
        if !dirtiness.is_due(self.config.min_cleanable_dirty_ratio) {
            return Ok(None);
        }
        if segments.iter().any(|segment| !segment.damaged().is_empty()) {
            return Err(BatchDefect::Record("a damaged segment is not compacted").into());
        }
        let last_of_producers = self.producers.iter().map(|entry| {
            let last = entry.batches.back().map(|batch| LastOfProducer::Data(batch.last_offset));
            (entry.producer_id, last.unwrap_or(LastOfProducer::MarkerOf(entry.epoch)))
        });
        let mut aborted = Vec::new();
        for segment in self.view.segments.iter() {
            segment.with_indexes(|indexes| aborted.extend_from_slice(&indexes.txns))?;
        }
        Ok(Some(CompactionPlan {
            dirtiness,
            store: Arc::clone(&self.store),
            config: self.config.clone(),
            segments,
            first_dirty,
            end,
            last_of_producers: last_of_producers.collect(),
            aborted,
            now,
        }))
    }

    /// How many segments may be compacted, and where the last of them ends: closed ones, on the disk, without open transactions, and
    /// old enough.
    fn compactable(&self, first_dirty: Offset, now: Timestamp) -> io::Result<(usize, Offset)> {
        let bound = self.view.last_stable_offset.min(self.recovery_point);
        let lag = self.config.min_compaction_lag_ms;
        let (mut count, mut end) = (0, Offset::ZERO);
        for (segment, next) in self.view.segments.iter().zip(self.view.segments.iter().skip(1)) {
            let next = next.base_offset;
            if next > bound {
                break;
            }
            if lag > 0 && next > first_dirty {
                let newest = segment.max_timestamp()?.map_or(segment.created, |max| max.0);
                if now.since(newest) < lag {
                    break;
                }
            }
            (count, end) = (count + 1, next);
        }
        Ok((count, end))
    }

    fn dirtiness(&self, segments: &[Arc<Segment>], first_dirty: Offset, end: Offset, now: Timestamp) -> io::Result<Dirtiness> {
        let mut dirtiness = Dirtiness { clean_bytes: 0, dirty_bytes: 0, overdue: false };
        let max_lag = self.config.max_compaction_lag_ms;
        for (index, segment) in segments.iter().enumerate() {
            let next = segments.get(index + 1).map_or(end, |next| next.base_offset);
            if next <= first_dirty {
                dirtiness.clean_bytes = dirtiness.clean_bytes.saturating_add(segment.len());
                continue;
            }
            dirtiness.dirty_bytes = dirtiness.dirty_bytes.saturating_add(segment.len());
            if max_lag < i64::MAX && !dirtiness.overdue {
                let first = segment.first_timestamp()?.filter(|first| *first > Timestamp(0));
                dirtiness.overdue = first.is_some_and(|first| now.since(first) > max_lag);
            }
        }
        Ok(dirtiness)
    }
}

/// A segment's batches in order, each checked: what compaction writes has a good CRC, so it may read nothing else.
fn each_batch(segment: &Segment, mut each: impl FnMut(BatchView<'_>, bool) -> Result<bool, LogError>) -> Result<bool, LogError> {
    let bytes = segment.slice(0..segment.len())?;
    let mut batches = Batches::new(&bytes);
    while let Some(batch) = batches.next() {
        let batch = batch?;
        batch.verify_crc()?;
        if !each(batch, batches.rest().is_empty())? {
            return Ok(false);
        }
    }
    if batches.rest().is_empty() { Ok(true) } else { Err(BatchDefect::Incomplete.into()) }
}

impl CompactionPlan {
    /// One pass. `swap` puts each cleaned segment in force. `None` if `stop` or `swap` ended it early: the part that was done stays
    /// done.
    pub fn run(
        &self,
        keys_bytes_max: usize,
        stop: &dyn Fn() -> bool,
        swap: &mut dyn FnMut(CleanedSegment) -> Result<Swapped, LogError>,
    ) -> Result<Option<CompactionPass>, LogError> {
        let Some(map) = self.map_keys(keys_bytes_max, stop)? else { return Ok(None) };
        let mut pass = CompactionPass { end: map.end(), more: map.end() < self.end, bytes_before: 0, bytes_after: 0 };
        let mut filter = Filter::new(self, &map);
        for (group, end) in self.groups(map.end()) {
            let before: u64 = group.iter().map(|segment| segment.len()).sum();
            pass.bytes_before = pass.bytes_before.saturating_add(before);
            let Some(outcome) = self.clean(group, end, &mut filter, stop)? else { return Ok(None) };
            let Some(cleaned) = outcome else {
                pass.bytes_after = pass.bytes_after.saturating_add(before);
                continue;
            };
            pass.bytes_after = pass.bytes_after.saturating_add(cleaned.bytes_after());
            if swap(cleaned)? == Swapped::Overtaken {
                return Ok(None);
            }
        }
        Ok(Some(pass))
    }

    /// The last offset of each key from the first dirty offset on, up to the end of the plan or of the memory.
    fn map_keys(&self, keys_bytes_max: usize, stop: &dyn Fn() -> bool) -> Result<Option<OffsetMap>, LogError> {
        let mut map = OffsetMap::new(self.first_dirty, keys_bytes_max);
        let mut transactions = Transactions::new(&self.aborted);
        let first = self.segments.partition_point(|segment| segment.base_offset <= self.first_dirty).saturating_sub(1);
        for (index, segment) in self.segments.iter().enumerate().skip(first) {
            let mut stopped = false;
            let whole = each_batch(segment, |batch, _| {
                stopped = stop();
                if stopped || (map.is_full() && map.end() > self.first_dirty) {
                    return Ok(false);
                }
                let discard = transactions.can_discard(&batch)?;
                let header = batch.header;
                if header.last_offset() < self.first_dirty {
                    return Ok(true);
                }
                if !discard && !header.attributes.is_control() {
                    for record in &batch.records()? {
                        let record = record?;
                        if let Some(key) = record.key.filter(|_| record.offset >= self.first_dirty) {
                            map.put(key, record.offset);
                        }
                    }
                }
                map.extend_to(header.next_offset());
                Ok(true)
            })?;
            if stopped {
                return Ok(None);
            }
            if !whole {
                return Ok(Some(map));
            }
            map.extend_to(self.segments.get(index + 1).map_or(self.end, |next| next.base_offset));
        }
        Ok(Some(map))
    }

    /// Runs of segments below `end` that together fit one, each with the offset at which it ends.
    fn groups(&self, end: Offset) -> Vec<(&[Arc<Segment>], Offset)> {
        let count = self.segments.partition_point(|segment| segment.base_offset < end);
        let next_base = |index: usize| self.segments.get(index).map_or(self.end, |next| next.base_offset);
        let mut groups = Vec::new();
        let mut from = 0;
        while from < count {
            let base = next_base(from);
            let mut bytes = 0_u64;
            let mut to = from;
            while let Some(segment) = self.segments.get(to).filter(|_| to < count) {
                bytes = bytes.saturating_add(segment.len());
                let span = next_base(to + 1).0.saturating_sub(base.0);
                if to > from && (bytes > self.config.segment_bytes || span > i64::from(i32::MAX)) {
                    break;
                }
                to += 1;
            }
            groups.push((self.segments.get(from..to).unwrap_or_default(), next_base(to)));
            from = to;
        }
        groups
    }

    /// Writes a group anew. Outer `None`: stopped. Inner `None`: nothing would change.
    fn clean(
        &self,
        group: &[Arc<Segment>],
        end: Offset,
        filter: &mut Filter<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Option<CleanedSegment>>, LogError> {
        let Some(last) = group.iter().rposition(|segment| segment.len() > 0) else { return Ok(Some(None)) };
        let mut writer = Writer::new(&self.store, group, end, self.config.index_interval_bytes);
        writer.clear()?;
        let mut changed = group.len() > 1;
        let written = self.write_group(group, last, filter, stop, &mut writer, &mut changed);
        let aborted = filter.transactions.take_ended();
        match written {
            Ok(true) if changed => Ok(Some(Some(writer.finish(aborted)?))),
            outcome => {
                let cleared = writer.clear();
                let whole = outcome?;
                cleared?;
                Ok(whole.then_some(None))
            }
        }
    }

    fn write_group(
        &self,
        group: &[Arc<Segment>],
        last: usize,
        filter: &mut Filter<'_>,
        stop: &dyn Fn() -> bool,
        writer: &mut Writer,
        changed: &mut bool,
    ) -> Result<bool, LogError> {
        for (index, segment) in group.iter().enumerate() {
            let whole = each_batch(segment, |batch, ends_segment| {
                if stop() {
                    return Ok(false);
                }
                match filter.judge(&batch, ends_segment && index == last)? {
                    Verdict::Same => writer.push(&batch.header, &[batch.bytes])?,
                    Verdict::Changed(batch) => {
                        *changed = true;
                        writer.push(batch.header(), &batch.slices())?;
                    }
                    Verdict::Gone => *changed = true,
                }
                Ok(true)
            })?;
            if !whole {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
