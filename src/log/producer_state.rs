//! What the log knows of its idempotent and transactional producers: enough to tell a retry from a gap.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::error::LogError;
use crate::model::record::DecodedRecords;
use crate::model::{BatchDefect, BatchHeader, ControlType, Offset, ProducerEpoch, ProducerId, Timestamp};

/// Batches remembered per producer: as many as a producer may have in flight.
const BATCHES_KEPT: usize = 5;
/// Above this many producers the longest idle ones are forgotten.
const PRODUCERS_MAX: usize = 100_000;

/// A batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenBatch {
    pub last_sequence: i32,
    pub last_offset: Offset,
    pub offset_delta: i32,
    pub timestamp: Timestamp,
}

impl WrittenBatch {
    pub fn first_sequence(&self) -> i32 {
        match self.last_sequence.checked_sub(self.offset_delta) {
            Some(first) if first >= 0 => first,
            // It wrapped inside the batch.
            _ => i32::MAX.wrapping_sub(self.offset_delta.wrapping_sub(self.last_sequence)).wrapping_add(1),
        }
    }

    pub fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// One producer's state.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerEntry {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// Oldest first, all of the current epoch.
    pub batches: VecDeque<WrittenBatch>,
    pub last_timestamp: Timestamp,
    /// -1 until a transaction marker came.
    pub coordinator_epoch: i32,
    pub current_txn_first_offset: Option<Offset>,
    /// Order of last use, for forgetting.
    touched: u64,
    /// When it was first found to have sent nothing since the look before.
    idle_since: Option<Timestamp>,
}

impl ProducerEntry {
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }
}

/// A marker inside a control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub kind: ControlType,
    pub coordinator_epoch: i32,
}

impl Marker {
    /// `None` for control records that are no transaction markers.
    pub fn read(records: &DecodedRecords<'_>) -> Result<Option<Marker>, BatchDefect> {
        let record = records.iter().next().ok_or(BatchDefect::Record("a control batch without a record"))??;
        let kind = match record.key {
            Some([_, _, 0, 0, ..]) => ControlType::Abort,
            Some([_, _, 0, 1, ..]) => ControlType::Commit,
            Some([_, _, _, _, ..]) => return Ok(None),
            _ => return Err(BatchDefect::Record("a control record without a type")),
        };
        let epoch = record.value.and_then(|value| value.get(2..6)).and_then(|epoch| epoch.first_chunk());
        let epoch = epoch.ok_or(BatchDefect::Record("a transaction marker without a coordinator epoch"))?;
        Ok(Some(Marker { kind, coordinator_epoch: i32::from_be_bytes(*epoch) }))
    }
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub kind: ControlType,
}

/// All producers of a partition.
#[derive(Clone, Debug, Default)]
pub struct ProducerStates {
    producers: HashMap<ProducerId, ProducerEntry>,
    ongoing: BTreeSet<Offset>,
    touches: u64,
}

impl ProducerStates {
    pub fn iter(&self) -> impl Iterator<Item = &ProducerEntry> {
        self.producers.values()
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// First offset of the earliest transaction that is still open: the last stable offset is not past it.
    pub fn first_unstable(&self) -> Option<Offset> {
        self.ongoing.first().copied()
    }

    /// Judges a client's batch: new (`None`), one of the last five again (the original), or an error.
    pub fn check(&self, header: &BatchHeader) -> Result<Option<WrittenBatch>, LogError> {
        if !header.has_producer() {
            return Ok(None);
        }
        let Some(entry) = self.producers.get(&header.producer_id) else { return Ok(None) };
        let (first, last) = (header.base_sequence, header.last_sequence());
        if header.producer_epoch == entry.epoch {
            let same = |batch: &&WrittenBatch| batch.first_sequence() == first && batch.last_sequence == last;
            if let Some(original) = entry.batches.iter().find(same) {
                return Ok(Some(*original));
            }
        }
        if header.producer_epoch < entry.epoch {
            return Err(LogError::InvalidProducerEpoch { current: entry.epoch.0, found: header.producer_epoch.0 });
        }
        // A new epoch starts over; an epoch that only a marker opened has no last sequence and starts at 0 too.
        let last_sequence = if header.producer_epoch > entry.epoch { -1 } else { entry.last_sequence() };
        let next = if last_sequence == i32::MAX { 0 } else { last_sequence + 1 };
        if entry.epoch != ProducerEpoch::NONE && first != next {
            return Err(LogError::OutOfOrderSequence { last: last_sequence, found: first });
        }
        Ok(None)
    }

    /// Judges a transaction marker.
    pub fn check_marker(&self, header: &BatchHeader, marker: &Marker) -> Result<(), LogError> {
        let Some(entry) = self.producers.get(&header.producer_id) else { return Ok(()) };
        if header.producer_epoch < entry.epoch {
            return Err(LogError::InvalidProducerEpoch { current: entry.epoch.0, found: header.producer_epoch.0 });
        }
        if marker.coordinator_epoch < entry.coordinator_epoch {
            return Err(LogError::CoordinatorFenced { current: entry.coordinator_epoch, found: marker.coordinator_epoch });
        }
        Ok(())
    }

    /// Notes a batch that was written. `header` carries its final offsets; `marker` is set for a control batch.
    pub fn apply(&mut self, header: &BatchHeader, marker: Option<&Marker>) -> Option<EndedTxn> {
        if !header.has_producer() {
            return None;
        }
        self.touches += 1;
        let entry = self.producers.entry(header.producer_id).or_insert_with(|| ProducerEntry {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            batches: VecDeque::new(),
            last_timestamp: Timestamp::NONE,
            coordinator_epoch: -1,
            current_txn_first_offset: None,
            touched: 0,
            idle_since: None,
        });
        if entry.epoch != header.producer_epoch {
            entry.epoch = header.producer_epoch;
            entry.batches.clear();
        }
        entry.touched = self.touches;
        entry.idle_since = None;
        entry.last_timestamp = header.max_timestamp;
        if let Some(marker) = marker {
            entry.coordinator_epoch = marker.coordinator_epoch;
            let first_offset = entry.current_txn_first_offset.take()?;
            self.ongoing.remove(&first_offset);
            return Some(EndedTxn { producer_id: header.producer_id, first_offset, last_offset: header.last_offset(), kind: marker.kind });
        }
        if header.attributes.is_control() {
            return None;
        }
        if entry.batches.len() >= BATCHES_KEPT {
            entry.batches.pop_front();
        }
        entry.batches.push_back(WrittenBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        if header.attributes.is_transactional() && entry.current_txn_first_offset.is_none() {
            entry.current_txn_first_offset = Some(header.base_offset);
            self.ongoing.insert(header.base_offset);
        }
        self.forget_surplus();
        None
    }

    /// Forgets producers that were idle for `expiration_ms` and have no open transaction. The broker's clock counts, from the first look on
    /// that finds nothing new: by the times of its records whoever copies old ones would be forgotten between a batch and its retry.
    pub fn remove_expired(&mut self, now: Timestamp, expiration_ms: i64) {
        self.producers.retain(|_, entry| {
            let since = *entry.idle_since.get_or_insert(now);
            entry.current_txn_first_offset.is_some() || now.since(since) < expiration_ms
        });
    }

    fn forget_surplus(&mut self) {
        if self.producers.len() > PRODUCERS_MAX {
            self.keep_most(PRODUCERS_MAX - PRODUCERS_MAX / 16);
        }
    }

    /// Forgets the longest idle producers above this number, but for those with an open transaction.
    pub fn keep_most(&mut self, most: usize) {
        let surplus = self.producers.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let mut idle: Vec<(u64, ProducerId)> =
            self.producers.values().filter(|entry| entry.current_txn_first_offset.is_none()).map(|e| (e.touched, e.producer_id)).collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(surplus) {
            self.producers.remove(&id);
        }
    }

    pub(super) fn insert(&mut self, mut entry: ProducerEntry) {
        self.touches += 1;
        entry.touched = self.touches;
        self.ongoing.extend(entry.current_txn_first_offset);
        self.producers.insert(entry.producer_id, entry);
    }

    /// The entries in the order in which they were last used.
    pub(super) fn by_use(&self) -> Vec<&ProducerEntry> {
        let mut entries: Vec<&ProducerEntry> = self.producers.values().collect();
        entries.sort_unstable_by_key(|entry| entry.touched);
        entries
    }

    pub(super) fn restored(
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        batches: VecDeque<WrittenBatch>,
        last_timestamp: Timestamp,
        coordinator_epoch: i32,
        current_txn_first_offset: Option<Offset>,
    ) -> ProducerEntry {
        ProducerEntry {
            producer_id,
            epoch,
            batches,
            last_timestamp,
            coordinator_epoch,
            current_txn_first_offset,
            touched: 0,
            idle_since: None,
        }
    }
}

#[cfg(test)]
#[path = "producer_state_tests.rs"]
mod tests;
