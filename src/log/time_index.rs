//! From a timestamp to an offset at which to start looking.

use crate::model::{Offset, Timestamp};

/// Bytes of one entry.
pub(super) const ENTRY_LEN: usize = 12;

/// A sparse table of growing maxima: up to the batch that ends at an entry's offset no record is younger than its timestamp.
///
/// | bytes | field |
/// |---|---|
/// | 0-7 | largest timestamp so far |
/// | 8-11 | last offset of the batch that has it, relative to the segment's base offset |
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeIndex {
    entries: Vec<(i64, u32)>,
    written: usize,
    file_is_longer: bool,
}

impl TimeIndex {
    /// Empty, in the place of a file whatever that holds.
    pub(super) fn replacing_file() -> TimeIndex {
        TimeIndex { file_is_longer: true, ..TimeIndex::default() }
    }

    /// Reads a file, `None` unless it is sane: whole entries, both columns growing.
    pub(super) fn parse(bytes: &[u8]) -> Option<TimeIndex> {
        let (chunks, rest) = bytes.as_chunks::<ENTRY_LEN>();
        let mut entries: Vec<(i64, u32)> = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let (timestamp, relative) = chunk.split_first_chunk::<8>()?;
            let entry = (i64::from_be_bytes(*timestamp), u32::from_be_bytes(*relative.first_chunk()?));
            if entries.last().is_some_and(|last| last.0 >= entry.0 || last.1 >= entry.1) {
                return None;
            }
            entries.push(entry);
        }
        let written = entries.len();
        rest.is_empty().then_some(TimeIndex { entries, written, file_is_longer: false })
    }

    /// Adds an entry if it is a new maximum.
    pub(super) fn push(&mut self, base: Offset, timestamp: Timestamp, offset: Offset) {
        let Ok(relative) = u32::try_from(offset.0.saturating_sub(base.0)) else { return };
        if timestamp.0 >= 0 && self.entries.last().is_none_or(|last| last.0 < timestamp.0 && last.1 < relative) {
            self.entries.push((timestamp.0, relative));
        }
    }

    /// The last entry older than `timestamp`: so is every record up to its offset.
    pub(super) fn before(&self, base: Offset, timestamp: Timestamp) -> Option<(Timestamp, Offset)> {
        let after = self.entries.partition_point(|entry| entry.0 < timestamp.0);
        let entry = after.checked_sub(1).and_then(|index| self.entries.get(index))?;
        Some((Timestamp(entry.0), base.plus(i64::from(entry.1))))
    }

    /// Largest timestamps and the last offsets of the batches that have them.
    pub(super) fn entries(&self, base: Offset) -> impl Iterator<Item = (Timestamp, Offset)> {
        self.entries.iter().map(move |entry| (Timestamp(entry.0), base.plus(i64::from(entry.1))))
    }

    pub(super) fn last(&self, base: Offset) -> Option<(Timestamp, Offset)> {
        self.entries.last().map(|entry| (Timestamp(entry.0), base.plus(i64::from(entry.1))))
    }

    /// Forgets batches that end at or after `offset`.
    pub(super) fn truncate(&mut self, base: Offset, offset: Offset) {
        let relative = offset.0.saturating_sub(base.0);
        let kept = self.entries.partition_point(|entry| i64::from(entry.1) < relative);
        self.entries.truncate(kept);
        self.file_is_longer |= kept < self.written;
        self.written = self.written.min(kept);
    }

    /// Where in the file the entries go that it does not hold yet, and their bytes.
    pub(super) fn unwritten(&self) -> Option<(u64, Vec<u8>)> {
        let entries = self.entries.get(self.written..).unwrap_or_default();
        if entries.is_empty() && !self.file_is_longer {
            return None;
        }
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_LEN);
        for (timestamp, relative) in entries {
            bytes.extend_from_slice(&timestamp.to_be_bytes());
            bytes.extend_from_slice(&relative.to_be_bytes());
        }
        Some(((self.written * ENTRY_LEN) as u64, bytes))
    }

    pub(super) fn mark_written(&mut self) {
        self.written = self.entries.len();
        self.file_is_longer = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset(10);

    #[test]
    fn only_new_maxima_are_kept_and_the_layout_is_kafkas() {
        let mut index = TimeIndex::default();
        for (timestamp, offset) in [(-1, 11), (50, 12), (50, 13), (40, 14), (70, 20)] {
            index.push(BASE, Timestamp(timestamp), Offset(offset));
        }
        let (_, bytes) = index.unwritten().unwrap();
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 70, 0, 0, 0, 10]);
        assert_eq!(TimeIndex::parse(&bytes).unwrap().entries, index.entries);
        assert!(TimeIndex::parse(&bytes[..23]).is_none());
        assert_eq!(index.last(BASE), Some((Timestamp(70), Offset(20))));
    }

    #[test]
    fn lookups_never_skip_a_record_that_is_young_enough() {
        let mut index = TimeIndex::default();
        index.push(BASE, Timestamp(50), Offset(12));
        index.push(BASE, Timestamp(70), Offset(20));
        for (timestamp, offset) in [(1, None), (50, None), (51, Some(12)), (70, Some(12)), (71, Some(20))] {
            let found = index.before(BASE, Timestamp(timestamp)).map(|entry| entry.1);
            assert_eq!(found, offset.map(Offset), "{timestamp}");
        }
    }
}
