//! Bytes that hold no valid batch: the file that lists them, and how the first read of a cold part finds new ones.

use std::io;

use super::checkpoint::{self, CheckpointDefect};
use super::error::ReadError;
use super::scan::{Gaps, ScanRules, scan};
use super::segment::{BadRange, Indexes, LOG, Located, Segment, Walk, file_name};
use super::store::Store;
use crate::model::batch::BatchView;
use crate::model::{BatchHeader, Offset};

/// Rows: segment, first byte, end byte, first offset, end offset.
pub(super) const DAMAGE: &str = "damaged-ranges";
pub(super) const QUARANTINE: &str = "log.quarantine";

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<BadRange>, CheckpointDefect> {
    checkpoint::parse(bytes, |row| {
        let mut fields = row.split(' ');
        let mut next = || fields.next();
        Some(BadRange {
            segment: Offset(next()?.parse().ok()?),
            bytes: next()?.parse().ok()?..next()?.parse().ok()?,
            offsets: Offset(next()?.parse().ok()?)..Offset(next()?.parse().ok()?),
        })
    })
}

/// Durable, with a second name for each segment concerned: whoever wants to look finds the bytes also after retention.
pub(super) fn store(store: &dyn Store, damaged: &[BadRange]) -> io::Result<()> {
    for bad in damaged {
        store.keep_copy(&file_name(bad.segment, LOG), &file_name(bad.segment, QUARANTINE))?;
    }
    let row = |bad: &BadRange| format!("{} {} {} {} {}", bad.segment, bad.bytes.start, bad.bytes.end, bad.offsets.start, bad.offsets.end);
    store.replace(DAMAGE, &checkpoint::format_sealed(damaged.iter().map(row)))
}

/// What a check of bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Sound,
    /// Something was wrong, and the whole segment was read: damage is marked and the index built anew. To be read again.
    Rescanned,
}

impl Segment {
    /// Checks what is about to be served unless this process wrote it or a former read has. `asked` is an offset in the first batch, and
    /// `limit` the offset after the segment.
    pub fn check(&self, asked: Offset, bytes: std::ops::Range<u64>, limit: Offset) -> Result<Checked, ReadError> {
        let end = bytes.end.min(self.hot_from());
        if bytes.start >= end || end <= self.checked() {
            return Ok(Checked::Sound);
        }
        if self.is_sound(asked, bytes.start, end, limit)? {
            self.note_checked(bytes.start, end);
            return Ok(Checked::Sound);
        }
        self.rescan(limit)?;
        Ok(Checked::Rescanned)
    }

    /// CRCs, and what they do not cover: offsets have to follow one another.
    fn is_sound(&self, asked: Offset, start: u64, end: u64, limit: Offset) -> io::Result<bool> {
        let bytes = self.slice(start..end)?;
        let mut expected: Option<Offset> = None;
        let mut position = start;
        for located in self.walk(&bytes, start) {
            let Ok(located) = located else { return Ok(false) };
            if !self.follows(expected, asked, &located, limit) {
                return Ok(false);
            }
            let whole = BatchView::parse(Walk::batch_bytes(&bytes, start, &located));
            if !whole.is_ok_and(|batch| batch.verify_crc().is_ok()) {
                return Ok(false);
            }
            expected = Some(located.header.next_offset());
            position = located.position.saturating_add(located.header.size as u64);
        }
        let behind = self.slice(position..self.len())?;
        // A damaged header behind is found when it is read.
        let next = BatchHeader::parse(&behind).ok().map(|header| header.base_offset);
        let known = self.damaged().iter().any(|bad| bad.bytes.contains(&position));
        Ok(position == end && (known || next.is_none_or(|next| expected.is_none_or(|expected| next >= expected))))
    }

    fn follows(&self, expected: Option<Offset>, asked: Offset, located: &Located, limit: Offset) -> bool {
        let header = &located.header;
        let in_order = match expected {
            Some(expected) if self.is_dense() => header.base_offset == expected,
            Some(expected) => header.base_offset >= expected,
            None if self.is_dense() => (self.base_offset..=asked.max(self.base_offset)).contains(&header.base_offset),
            None => header.base_offset >= self.base_offset,
        };
        in_order && header.last_offset() < limit
    }

    /// Reads the whole cold part without trust. What is damaged is marked; what is not can be read again, whatever the index said.
    pub fn rescan(&self, limit: Offset) -> io::Result<()> {
        let cold = self.hot_from();
        let bytes = self.slice(0..cold)?;
        let gaps = if self.is_dense() { Gaps::None } else { Gaps::Allowed };
        let whole_below = Offset(i64::MAX);
        let base = self.base_offset;
        let rules =
            ScanRules { segment: base, expected: base, gaps, interval_bytes: self.interval_bytes(), whole_below, newest_epoch: None };
        let known = self.damaged();
        let scanned = scan(&bytes, 0, rules, &known, Indexes::replacing_files());
        let mut found = scanned.damaged;
        if scanned.tail_bytes > 0 {
            let after = self.slice(cold..self.len())?;
            let next = BatchHeader::parse(&after).map_or(limit, |header| header.base_offset);
            found.push(BadRange { segment: self.base_offset, bytes: scanned.end..cold, offsets: scanned.end_offset..next });
        }
        for bad in &found {
            tracing::error!(segment = self.base_offset.0, ?bad, "the log is damaged; what can be read is served");
        }
        if cold == self.len() {
            self.replace_indexes(scanned.indexes);
        }
        self.add_damage(found);
        self.note_checked(0, cold);
        Ok(())
    }
}
