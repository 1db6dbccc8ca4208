//! From an offset to a position in the segment.

use crate::model::Offset;

/// Bytes of one entry.
pub(super) const ENTRY_LEN: usize = 8;

/// A sparse table of batches, one for about every `index.interval.bytes`; held in memory, written at roll, close and checkpoint.
///
/// | bytes | field |
/// |---|---|
/// | 0-3 | last offset of a batch, relative to the segment's base offset |
/// | 4-7 | that batch's position in the segment file |
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffsetIndex {
    entries: Vec<(u32, u32)>,
    /// Entries that the file already holds.
    written: usize,
    /// The file holds more than `written` entries.
    file_is_longer: bool,
}

impl OffsetIndex {
    /// Empty, in the place of a file whatever that holds.
    pub(super) fn replacing_file() -> OffsetIndex {
        OffsetIndex { file_is_longer: true, ..OffsetIndex::default() }
    }

    /// Reads a file, `None` unless it is sane: whole entries, both columns growing, positions inside the segment.
    pub(super) fn parse(bytes: &[u8], segment_len: u64) -> Option<OffsetIndex> {
        let (chunks, rest) = bytes.as_chunks::<ENTRY_LEN>();
        let mut entries: Vec<(u32, u32)> = Vec::with_capacity(chunks.len());
        for [a, b, c, d, e, f, g, h] in chunks {
            let entry = (u32::from_be_bytes([*a, *b, *c, *d]), u32::from_be_bytes([*e, *f, *g, *h]));
            let grows = entries.last().is_none_or(|last| last.0 < entry.0 && last.1 < entry.1);
            if !grows || u64::from(entry.1) >= segment_len {
                return None;
            }
            entries.push(entry);
        }
        let written = entries.len();
        rest.is_empty().then_some(OffsetIndex { entries, written, file_is_longer: false })
    }

    pub(super) fn push(&mut self, base: Offset, last_offset: Offset, position: u64) {
        let relative = u32::try_from(last_offset.0.saturating_sub(base.0));
        let (Ok(relative), Ok(position)) = (relative, u32::try_from(position)) else { return };
        if self.entries.last().is_none_or(|last| last.0 < relative && last.1 < position) {
            self.entries.push((relative, position));
        }
    }

    /// Position of a batch that ends at or before `offset`, or 0.
    pub(super) fn lookup(&self, base: Offset, offset: Offset) -> u64 {
        let relative = offset.0.saturating_sub(base.0);
        let after = self.entries.partition_point(|entry| i64::from(entry.0) <= relative);
        self.position_before(after)
    }

    /// The entry that `lookup` of this offset uses, alone.
    pub(super) fn near(&self, base: Offset, offset: Offset) -> OffsetIndex {
        let relative = offset.0.saturating_sub(base.0);
        let after = self.entries.partition_point(|entry| i64::from(entry.0) <= relative);
        let entry = after.checked_sub(1).and_then(|index| self.entries.get(index));
        OffsetIndex { entries: entry.copied().into_iter().collect(), ..OffsetIndex::default() }
    }

    /// The largest known batch position that is at most `position`, or 0.
    pub(super) fn floor_position(&self, position: u64) -> u64 {
        let after = self.entries.partition_point(|entry| u64::from(entry.1) <= position);
        self.position_before(after)
    }

    fn position_before(&self, index: usize) -> u64 {
        index.checked_sub(1).and_then(|index| self.entries.get(index)).map_or(0, |entry| u64::from(entry.1))
    }

    /// Positions and the last offsets of the batches there.
    pub(super) fn entries(&self, base: Offset) -> impl Iterator<Item = (u64, Offset)> {
        self.entries.iter().map(move |entry| (u64::from(entry.1), base.plus(i64::from(entry.0))))
    }

    pub(super) fn last_position(&self) -> Option<u64> {
        self.entries.last().map(|entry| u64::from(entry.1))
    }

    pub(super) fn last_offset(&self, base: Offset) -> Option<Offset> {
        self.entries.last().map(|entry| base.plus(i64::from(entry.0)))
    }

    /// Forgets batches at or after `position`.
    pub(super) fn truncate(&mut self, position: u64) {
        let kept = self.entries.partition_point(|entry| u64::from(entry.1) < position);
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
        let bytes = entries.iter().flat_map(|entry| [entry.0.to_be_bytes(), entry.1.to_be_bytes()]).flatten().collect();
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

    const BASE: Offset = Offset(100);

    fn index() -> OffsetIndex {
        let mut index = OffsetIndex::default();
        for (offset, position) in [(109, 5000), (119, 10_000), (130, 15_000)] {
            index.push(BASE, Offset(offset), position);
        }
        index
    }

    #[test]
    fn the_layout_is_kafkas() {
        let (at, bytes) = index().unwritten().unwrap();
        assert_eq!((at, &bytes[..16]), (0, &[0, 0, 0, 9, 0, 0, 0x13, 0x88, 0, 0, 0, 19, 0, 0, 0x27, 0x10][..]));
        assert_eq!(OffsetIndex::parse(&bytes, 16_000).unwrap().entries, index().entries);
    }

    #[test]
    fn lookups_find_the_batch_at_or_before() {
        for (offset, position) in [(100, 0), (108, 0), (109, 5000), (118, 5000), (119, 10_000), (999, 15_000), (5, 0)] {
            assert_eq!(index().lookup(BASE, Offset(offset)), position, "{offset}");
        }
        assert_eq!((index().floor_position(4999), index().floor_position(10_000)), (0, 10_000));
    }

    #[test]
    fn insane_files_are_refused() {
        let (_, good) = index().unwritten().unwrap();
        assert!(OffsetIndex::parse(&good[..20], 16_000).is_none(), "half an entry");
        assert!(OffsetIndex::parse(&good, 15_000).is_none(), "position past the end");
        let mut zeroed = good.clone();
        zeroed[8..16].fill(0);
        assert!(OffsetIndex::parse(&zeroed, 16_000).is_none(), "a page that never arrived");
    }

    #[test]
    fn a_shortened_index_is_written_again() {
        let mut index = index();
        index.mark_written();
        assert_eq!(index.unwritten(), None);
        index.truncate(10_000);
        assert_eq!(index.unwritten(), Some((8, Vec::new())));
    }
}
