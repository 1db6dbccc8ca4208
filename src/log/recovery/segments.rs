//! The segments: what is scanned, what is believed, where the log ends.

use std::io;
use std::sync::Arc;

use super::{Listing, Recovery, ScanStart, Tail};
use crate::log::error::LogError;
use crate::log::scan::{Gaps, ScanRules, Scanned, scan};
use crate::log::segment::{BadRange, INDEX, Indexes, LOG, NewSegment, Segment, TIME_INDEX, TXN_INDEX, file_name};
use crate::log::store::Opening;
use crate::log::torn_roll::blank_segments;
use crate::model::{BatchHeader, Offset, Timestamp};

impl Recovery {
    /// Segments that lie wholly below the log's start were deleted on request.
    pub(super) fn drop_below_start(&mut self, listing: &mut Listing) -> io::Result<()> {
        let doomed = listing.segments.iter().skip(1).take_while(|next| **next <= self.facts.log_start).count();
        listing.segments.drain(..doomed).try_for_each(|base| self.drop_segment(base))
    }

    /// What is left then ends with a torn tail, which is cut like any other.
    pub(super) fn drop_blank_end(&mut self, listing: &mut Listing) -> io::Result<()> {
        if !self.distrust {
            return Ok(());
        }
        let sure_below = self.facts.recovery_point.max(self.gaps_below);
        let blank = blank_segments(&*self.store, &listing.segments, sure_below, &self.damaged, |base| self.rules(base, base))?;
        if blank == 0 {
            return Ok(());
        }
        let kept = listing.segments.len().saturating_sub(blank);
        for base in listing.segments.split_off(kept) {
            self.report.cut_bytes = self.report.cut_bytes.saturating_add(self.store.size(&file_name(base, LOG))?);
            self.drop_segment(base)?;
        }
        self.store.sync_folder()
    }

    fn drop_segment(&mut self, base: Offset) -> io::Result<()> {
        for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            self.store.remove(&file_name(base, extension))?;
        }
        self.damaged.retain(|bad| bad.segment != base);
        Ok(())
    }

    pub(super) fn load_segments(&mut self, listing: &Listing) -> Result<(Vec<Arc<Segment>>, Tail), LogError> {
        let mut segments = Vec::with_capacity(listing.segments.len());
        let bases = &listing.segments;
        for (base, next) in bases.iter().zip(bases.iter().skip(1)) {
            segments.push(Arc::new(self.load_sealed(*base, *next)?));
        }
        let Some(active) = bases.last() else {
            return Ok((segments, Tail { end_offset: Offset::ZERO, last: None }));
        };
        let (segment, tail) = self.load_active(*active, listing)?;
        segments.push(Arc::new(segment));
        Ok((segments, tail))
    }

    /// The page cache is not torn, and neither is what was synced.
    fn whole_below(&self) -> Offset {
        if self.distrust { self.facts.recovery_point } else { Offset(i64::MAX) }
    }

    /// What was compacted once keeps its gaps, whatever the policy is now.
    fn may_have_gaps(&self, base: Offset) -> bool {
        base < self.gaps_below
    }

    fn segment(&self, base: Offset, len: u64, capacity: u64, indexes: Option<Indexes>) -> Result<Segment, LogError> {
        let created = self.store.modified(&file_name(base, LOG)).unwrap_or(self.facts.now);
        let created = if created == Timestamp::NONE { self.facts.now } else { created };
        let damaged = self.damaged.iter().filter(|bad| bad.segment == base).cloned().collect();
        let interval_bytes = self.config.index_interval_bytes;
        let new = NewSegment { base_offset: base, len, capacity, interval_bytes, created, damaged, indexes };
        let segment = Segment::new(&self.store, new);
        Ok(if self.may_have_gaps(base) { segment } else { segment.dense() })
    }

    fn load_sealed(&mut self, base: Offset, next: Offset) -> Result<Segment, LogError> {
        let len = self.store.size(&file_name(base, LOG))?;
        // At exactly the recovery point the batches were synced, the index files perhaps not.
        if !self.distrust || next < self.facts.recovery_point {
            return self.segment(base, len, len, None);
        }
        let (from, expected, indexes) = self.whole(base);
        let scanned = self.scan_segment(base, from, expected, len, indexes)?;
        self.damaged.extend(scanned.damaged);
        if scanned.end_offset < next || scanned.tail_bytes > 0 {
            // Later segments exist, so this is no torn tail.
            self.note_damage(BadRange { segment: base, bytes: scanned.end..len, offsets: scanned.end_offset..next });
        }
        let segment = self.segment(base, len, len, Some(scanned.indexes))?;
        segment.finish_indexes()?;
        Ok(segment)
    }

    /// Missing bytes have no place where a later scan would come by them, so that it finds them again.
    fn note_damage(&mut self, bad: BadRange) {
        if !self.damaged.contains(&bad) {
            self.damaged.push(bad);
        }
    }

    fn rules(&self, base: Offset, expected: Offset) -> ScanRules {
        let gaps = if self.may_have_gaps(base) { Gaps::Allowed } else { Gaps::None };
        let interval_bytes = self.config.index_interval_bytes;
        let (whole_below, newest_epoch) = (self.whole_below(), self.newest_epoch);
        ScanRules { segment: base, expected, gaps, interval_bytes, whole_below, newest_epoch }
    }

    fn scan_segment(&mut self, base: Offset, from: u64, expected: Offset, len: u64, indexes: Indexes) -> io::Result<Scanned> {
        let rules = self.rules(base, expected);
        if from >= len {
            return Ok(scan(&[], from, rules, &[], indexes));
        }
        // Its own short-lived map: a torn tail is cut before the segment's real one is made.
        let file = self.store.open_segment(&file_name(base, LOG), len, Opening::Existing)?;
        let bytes = file.slice(from..len).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        self.report.scanned_bytes = self.report.scanned_bytes.saturating_add(len - from);
        let known: Vec<BadRange> = self.damaged.iter().filter(|bad| bad.segment == base).cloned().collect();
        Ok(scan(&bytes, from, rules, &known, indexes))
    }

    fn load_active(&mut self, base: Offset, listing: &Listing) -> Result<(Segment, Tail), LogError> {
        let len = self.store.size(&file_name(base, LOG))?;
        let (from, expected, indexes) = match self.scan_start(base, len, listing)? {
            Some(start) => start,
            None => self.whole(base),
        };
        let scanned = self.scan_segment(base, from, expected, len, indexes)?;
        self.damaged.extend(scanned.damaged);
        let end_offset = scanned.end_offset;
        let mut valid_len = scanned.end;
        if scanned.tail_bytes > 0 && end_offset < self.facts.recovery_point {
            // These bytes were synced once: damage, not a torn tail. They stay for whoever wants to look.
            self.damaged.push(BadRange { segment: base, bytes: scanned.end..len, offsets: end_offset..self.facts.recovery_point });
            valid_len = len;
        } else if scanned.tail_bytes > 0 {
            self.store.truncate(&file_name(base, LOG), scanned.end)?;
            self.report.cut_bytes = self.report.cut_bytes.saturating_add(scanned.tail_bytes);
        }
        let mut indexes = scanned.indexes;
        indexes.truncate_txns(end_offset);
        let segment = self.segment(base, valid_len, self.config.segment_bytes.max(valid_len), Some(indexes))?;
        Ok((segment, Tail { end_offset, last: scanned.last }))
    }

    /// Scans a segment from its beginning.
    fn whole(&mut self, base: Offset) -> ScanStart {
        self.scanned_from = Some(self.scanned_from.map_or(base, |first| first.min(base)));
        (0, base, Indexes::replacing_files())
    }

    /// From where the last segment must be scanned, `None` for its beginning.
    fn scan_start(&self, base: Offset, len: u64, listing: &Listing) -> Result<Option<ScanStart>, LogError> {
        if self.distrust {
            return Ok(None);
        }
        let snapshot = listing.snapshots.iter().rev().find(|offset| self.read_snapshot(**offset).is_some());
        let Some(snapshot) = snapshot.filter(|snapshot| **snapshot > base) else { return Ok(None) };
        // The index as of the last checkpoint; a rebuilt one would be a scan of its own.
        let segment = self.segment(base, len, len, None)?;
        let found = segment.with_indexes(|indexes| {
            let position = indexes.offsets.lookup(base, snapshot.plus(-1));
            let named = indexes.offsets.entries(base).find(|entry| entry.0 == position).map(|entry| entry.1);
            (position, named, indexes.clone())
        })?;
        let (position, named, mut indexes) = found;
        let head = segment.slice(position..len)?;
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(None) };
        // No CRC covers a base offset: what the scan is to expect must be known from elsewhere too.
        let first = position == 0 && (header.base_offset == base || self.config.cleanup_compact || self.may_have_gaps(base));
        if named.map_or(!first, |named| header.last_offset() != named) || header.base_offset >= *snapshot {
            return Ok(None);
        }
        indexes.truncate(base, position, header.base_offset);
        indexes.truncate_txns(*snapshot);
        Ok(Some((position, header.base_offset, indexes)))
    }

    /// A segment after a loss. It is there at once, so that the next start finds the loss dealt with.
    pub(super) fn new_active(&self, end: Offset) -> io::Result<Arc<Segment>> {
        let segment = Segment::new(
            &self.store,
            NewSegment {
                base_offset: end,
                len: 0,
                capacity: self.config.segment_bytes,
                interval_bytes: self.config.index_interval_bytes,
                created: self.facts.now,
                damaged: Vec::new(),
                indexes: Some(Indexes::default()),
            },
        );
        segment.file()?;
        self.store.sync_folder()?;
        Ok(Arc::new(segment.dense()))
    }
}
