//! Closed segments read again from the disk, to find damage before a reader does.

use std::io;
use std::sync::Arc;

use super::log_view::LogView;
use super::scan::{Gaps, ScanRules, scan};
use super::segment::{BadRange, Indexes, Segment, Walk};
use super::store::SegmentFile;
use crate::model::{BatchHeader, Offset, Timestamp};

/// Bytes read at once.
const WINDOW: u64 = 1 << 20;
/// So far a valid batch is looked for behind damage.
const WINDOW_MAX: u64 = 128 << 20;

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubStep {
    /// So many bytes were read, and there are more.
    Read(u64),
    /// The segment has been read; so many parts of it were not known to be damaged before.
    Done { found: usize },
}

/// A closed segment on its way through the check. Holds no lock between steps, nor in one.
#[derive(Debug)]
pub struct Scrub {
    segment: Arc<Segment>,
    file: Option<Arc<dyn SegmentFile>>,
    /// The offset after the segment.
    limit: Offset,
    position: u64,
    expected: Offset,
    window: u64,
    found: Vec<BadRange>,
    fresh: Indexes,
    claims: Claims,
}

/// What the index in memory says of the segment, and how much of it the batches bear out.
#[derive(Debug, Default)]
struct Claims {
    positions: Vec<(u64, Offset)>,
    times: Vec<(Offset, Timestamp)>,
    borne_out: usize,
}

impl Claims {
    fn of(segment: &Segment) -> Claims {
        let of = |indexes: &Indexes| Claims {
            positions: indexes.offsets.entries(segment.base_offset).collect(),
            times: indexes.times.entries(segment.base_offset).map(|(timestamp, offset)| (offset, timestamp)).collect(),
            borne_out: 0,
        };
        segment.with_loaded_indexes(of).unwrap_or_default()
    }

    fn compare(&mut self, position: u64, header: &BatchHeader) {
        let last = header.last_offset();
        self.borne_out += usize::from(self.positions.binary_search(&(position, last)).is_ok());
        self.borne_out += usize::from(self.times.binary_search(&(last, header.max_timestamp)).is_ok());
    }

    fn all_borne_out(&self) -> bool {
        self.borne_out == self.positions.len() + self.times.len()
    }
}

impl LogView {
    /// The first closed segment that begins at `from` or later. Reads nothing.
    pub fn scrub(&self, from: Offset) -> Option<Scrub> {
        let mut closed = self.segments.iter().zip(self.segments.iter().skip(1));
        let (segment, next) = closed.find(|(segment, _)| segment.base_offset >= from)?;
        Some(Scrub {
            segment: Arc::clone(segment),
            file: None,
            limit: next.base_offset,
            position: 0,
            expected: segment.base_offset,
            window: WINDOW,
            found: Vec::new(),
            fresh: Indexes::replacing_files(),
            claims: Claims::of(segment),
        })
    }
}

impl Scrub {
    pub fn base_offset(&self) -> Offset {
        self.segment.base_offset
    }

    pub fn len(&self) -> u64 {
        self.segment.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads and checks the next part.
    pub fn step_blocking(&mut self) -> io::Result<ScrubStep> {
        let known = self.segment.damaged();
        while let Some(bad) = known.iter().find(|bad| bad.bytes.contains(&self.position)) {
            self.position = bad.bytes.end;
            self.expected = self.expected.max(bad.offsets.end);
        }
        let len = self.segment.len();
        if self.position >= len {
            return Ok(self.finish());
        }
        let next_known =
            known.iter().filter(|bad| bad.bytes.start > self.position && !bad.bytes.is_empty()).min_by_key(|bad| bad.bytes.start);
        let stop = next_known.map_or(len, |bad| bad.bytes.start);
        let limit = next_known.map_or(self.limit, |bad| bad.offsets.start);
        let end = stop.min(self.position.saturating_add(self.window));
        let bytes = self.file()?.read_past_cache(self.position..end)?;
        self.check(&bytes, end, stop, limit);
        Ok(ScrubStep::Read(bytes.len() as u64))
    }

    fn file(&mut self) -> io::Result<Arc<dyn SegmentFile>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = self.segment.file_for_a_while()?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// `bytes` begin at the position and end at `end`; without known damage batches go on to `stop` and `limit`.
    fn check(&mut self, bytes: &[u8], end: u64, stop: u64, limit: Offset) {
        let part = whole_batches(bytes);
        let gaps = if self.segment.is_dense() { Gaps::None } else { Gaps::Allowed };
        let interval_bytes = self.segment.interval_bytes();
        let whole_below = Offset(i64::MAX);
        let rules =
            ScanRules { segment: self.segment.base_offset, expected: self.expected, gaps, interval_bytes, whole_below, newest_epoch: None };
        // The batch at the position does not end in the window.
        let cut = part.is_empty() && BatchHeader::parse(bytes).is_ok() && end < stop && self.window < WINDOW_MAX;
        if !cut {
            let part = if part.is_empty() { bytes } else { part };
            let scanned = scan(part, self.position, rules, &[], self.fresh.clone());
            if scanned.end > self.position || !scanned.damaged.is_empty() {
                self.compare(part, scanned.end, &scanned.damaged);
                self.found.extend(scanned.damaged.iter().cloned());
                self.mark(scanned.damaged);
                (self.position, self.expected, self.fresh, self.window) = (scanned.end, scanned.end_offset, scanned.indexes, WINDOW);
                return;
            }
        }
        if end < stop && self.window < WINDOW_MAX {
            self.window = self.window.saturating_mul(4);
            return;
        }
        let bad = BadRange { segment: self.segment.base_offset, bytes: self.position..stop, offsets: self.expected..limit };
        self.found.push(bad.clone());
        self.mark(vec![bad]);
        (self.position, self.expected, self.window) = (stop, limit, WINDOW);
    }

    fn compare(&mut self, part: &[u8], end: u64, damaged: &[BadRange]) {
        let claims = &mut self.claims;
        for located in Walk::new(part, self.position, damaged.into()).map_while(Result::ok).take_while(|located| located.position < end) {
            claims.compare(located.position, &located.header);
        }
    }

    /// Seen by readers and in the counters at once.
    fn mark(&self, found: Vec<BadRange>) {
        for bad in &found {
            tracing::error!(segment = self.segment.base_offset.0, ?bad, "the log is damaged; what can be read is served");
        }
        if !found.is_empty() {
            self.segment.add_damage(found);
        }
    }

    fn finish(&mut self) -> ScrubStep {
        let wrong = self.segment.damaged().is_empty() && !self.claims.all_borne_out();
        if wrong {
            tracing::warn!(segment = self.segment.base_offset.0, "the index does not agree with the batches: rebuilt");
            self.segment.note_rebuilt();
        }
        if (wrong || !self.found.is_empty()) && self.segment.with_loaded_indexes(|_| ()).is_some() {
            self.segment.replace_indexes(std::mem::take(&mut self.fresh));
        }
        ScrubStep::Done { found: std::mem::take(&mut self.found).len() }
    }
}

/// The part that whole batches fill, by their headers.
fn whole_batches(bytes: &[u8]) -> &[u8] {
    let whole = Walk::new(bytes, 0, Arc::default()).map_while(Result::ok);
    let end = whole.fold(0_usize, |end, located| end.saturating_add(located.header.size));
    bytes.get(..end).unwrap_or_default()
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
