//! What the log should hold, and what it told the world so far.

use std::collections::BTreeMap;
use std::ops::Range;

use headwater::log::OpenFacts;
use headwater::log::{LastStop, PartitionLog};
use headwater::model::{Offset, Timestamp};

pub const NOW: Timestamp = Timestamp(1_000_000);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub base: i64,
    /// The offset after it.
    pub end: i64,
    pub epoch: i32,
    /// Of the payload: no two batches are alike.
    pub crc: u32,
    pub producer: i64,
    pub sequence: i32,
}

/// The two checkpoint files of the data folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows {
    pub recovery_point: i64,
    pub log_start: i64,
}

impl Rows {
    pub fn facts(self, last_stop: LastStop) -> OpenFacts {
        OpenFacts { last_stop, recovery_point: Offset(self.recovery_point), log_start: Offset(self.log_start), now: NOW }
    }

    pub fn of(log: &PartitionLog) -> Rows {
        Rows { recovery_point: log.recovery_point().0, log_start: log.start_offset().0 }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    /// By offset, without those that a crash took.
    pub batches: Vec<Written>,
    pub end: i64,
    /// Records below may be gone.
    pub start: i64,
    /// Everything below was acknowledged after a sync.
    pub flushed: i64,
    /// Offsets that a crash took out of the middle, marked as damaged.
    pub holes: Vec<Range<i64>>,
    pub epoch: i32,
    /// By epoch, the offset after the last one given out in it.
    pub given: BTreeMap<i32, i64>,
    /// By producer: its next sequence.
    pub producers: BTreeMap<i64, i32>,
    pub rows: Rows,
}

impl Model {
    pub fn note(&mut self, batch: Written) {
        self.end = batch.end;
        self.given.insert(batch.epoch, batch.end);
        self.producers.insert(batch.producer, batch.sequence + (batch.end - batch.base) as i32);
        self.batches.push(batch);
    }

    pub fn at(&self, base: i64) -> Option<&Written> {
        self.batches.binary_search_by_key(&base, |batch| batch.base).ok().and_then(|index| self.batches.get(index))
    }
}
