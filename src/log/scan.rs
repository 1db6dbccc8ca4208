//! Reading a segment without trust: which batches are whole, which bytes are damaged, where the tail was torn.

use std::io;
use std::ops::Range;

use super::segment::{BadRange, Indexes, Segment};
use crate::model::batch::{BatchView, HEADER_LEN};
use crate::model::{BatchHeader, LeaderEpoch, Offset};

/// Bytes whose CRC a search for the next valid batch may compute, as a multiple of what is searched: hostile payloads hold
/// many things that look like headers.
const SEARCH_CRC_FACTOR: usize = 4;
const MAGIC_AT: usize = 16;
/// What a disk writes as one.
const SECTOR: u64 = 512;
const BASE_OFFSET_LEN: u64 = 8;

/// How to scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanRules {
    pub segment: Offset,
    /// Base offset that the first batch must have.
    pub expected: Offset,
    /// Compacted logs have gaps between batches.
    pub gaps: Gaps,
    pub interval_bytes: u64,
    /// No power cut has torn what lies below.
    pub whole_below: Offset,
    /// The epoch in force from this offset on. A file that grows again after a power cut can uncover what the disk had of it before: batches
    /// of an older epoch, which ended here.
    pub newest_epoch: Option<(LeaderEpoch, Offset)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    None,
    Allowed,
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Scanned {
    pub indexes: Indexes,
    /// Position after the last valid batch.
    pub end: u64,
    pub end_offset: Offset,
    pub damaged: Vec<BadRange>,
    /// Bytes after `end` in which no valid batch was found.
    pub tail_bytes: u64,
    pub last: Option<BatchHeader>,
}

/// Scans `bytes`, which lie at `start` in the segment. `indexes` holds what is known before `start`.
pub(super) fn scan(bytes: &[u8], start: u64, rules: ScanRules, known: &[BadRange], mut indexes: Indexes) -> Scanned {
    let mut rest = bytes;
    let mut position = start;
    let mut expected = rules.expected;
    let (mut damaged, mut last) = (Vec::new(), None);
    while !rest.is_empty() {
        let before = rest.len();
        if let Some(bad) = known.iter().find(|bad| bad.bytes.start == position && !bad.bytes.is_empty()) {
            expected = expected.max(bad.offsets.end);
            rest = skip(rest, bad.bytes.end.saturating_sub(position));
        } else if let Some(header) = valid_batch(rest, expected, rules) {
            indexes.note(rules.segment, &header, position, rules.interval_bytes);
            expected = header.next_offset();
            last = Some(header);
            rest = skip(rest, header.size as u64);
        } else if let Some((distance, header)) = next_valid(rest, position, expected, rules) {
            let bytes = Range { start: position, end: position.saturating_add(distance) };
            let offsets = Range { start: expected, end: header.base_offset };
            damaged.push(BadRange { segment: rules.segment, bytes, offsets });
            expected = header.base_offset;
            rest = skip(rest, distance);
        } else {
            break;
        }
        position = position.saturating_add((before - rest.len()) as u64);
    }
    Scanned { indexes, end: position, end_offset: expected, damaged, tail_bytes: rest.len() as u64, last }
}

fn skip(bytes: &[u8], count: u64) -> &[u8] {
    usize::try_from(count).ok().and_then(|count| bytes.get(count..)).unwrap_or_default()
}

/// The batch at the start of `bytes`, if it is whole and belongs here.
pub(super) fn valid_batch(bytes: &[u8], expected: Offset, rules: ScanRules) -> Option<BatchHeader> {
    let view = plausible(bytes, expected, rules)?;
    let contiguous = view.header.base_offset == expected || rules.gaps == Gaps::Allowed;
    (contiguous && view.verify_crc().is_ok()).then_some(view.header)
}

/// A header whose offsets may lie here and whose batch lies inside `bytes`.
fn plausible<'a>(bytes: &'a [u8], expected: Offset, rules: ScanRules) -> Option<BatchView<'a>> {
    let view = BatchView::parse(bytes).ok()?;
    let header = &view.header;
    let relative = header.last_offset().0.checked_sub(rules.segment.0)?;
    let fits = header.base_offset >= expected && (0..=i64::from(u32::MAX >> 1)).contains(&relative);
    let left_over = rules.newest_epoch.is_some_and(|(epoch, start)| header.base_offset >= start && header.leader_epoch < epoch);
    (fits && !left_over && header.last_offset_delta >= 0 && header.record_count >= 0).then_some(view)
}

/// Whether a batch after a hole has the base offset that was written, which no CRC covers: a hole takes at least one offset, and a
/// field that lies in two sectors may be half from before, unless the batch behind it agrees.
fn base_is_sure(rest: &[u8], position: u64, header: &BatchHeader, expected: Offset, rules: ScanRules) -> bool {
    let untorn = header.next_offset() <= rules.whole_below;
    let in_one_sector = position % SECTOR <= SECTOR - BASE_OFFSET_LEN;
    let followed = || BatchHeader::parse(skip(rest, header.size as u64)).is_ok_and(|next| next.base_offset == header.next_offset());
    header.base_offset > expected && (untorn || in_one_sector || followed())
}

/// The nearest valid batch after the start of `bytes`, which lie at `position`, and its distance.
fn next_valid(bytes: &[u8], position: u64, expected: Offset, rules: ScanRules) -> Option<(u64, BatchHeader)> {
    let sure = |rest: &[u8], distance: usize, header: &BatchHeader| {
        base_is_sure(rest, position.saturating_add(distance as u64), header, expected, rules)
    };
    let proven = |distance: usize| {
        let rest = bytes.get(distance..)?;
        let view = plausible(rest, expected, rules)?;
        (sure(rest, distance, &view.header) && view.verify_crc().is_ok()).then_some((distance as u64, view.header))
    };
    // The usual case: a payload was hit and the length still leads to the next batch.
    let by_length = BatchHeader::parse(bytes).ok().and_then(|header| proven(header.size));
    if by_length.is_some() {
        return by_length;
    }
    let mut budget = bytes.len().saturating_mul(SEARCH_CRC_FACTOR);
    let magics = bytes.iter().enumerate().skip(MAGIC_AT + 1).filter(|(_, byte)| **byte == 2);
    for (at, _) in magics {
        let distance = at - MAGIC_AT;
        let Some(rest) = bytes.get(distance..) else { break };
        let Some(candidate) = plausible(rest, expected, rules).filter(|found| sure(rest, distance, &found.header)) else { continue };
        if candidate.header.size > budget {
            return None;
        }
        budget -= candidate.header.size;
        if candidate.verify_crc().is_ok() {
            return Some((distance as u64, candidate.header));
        }
    }
    None
}

/// Indexes of a segment whose index files are of no use. Trusts the headers: CRCs are recovery's business.
pub(super) fn rebuild_indexes(segment: &Segment, interval_bytes: u64) -> io::Result<Indexes> {
    let mut indexes = Indexes::replacing_files();
    let len = segment.len();
    if len < HEADER_LEN as u64 {
        return Ok(indexes);
    }
    let bytes = segment.slice(0..len)?;
    for located in segment.walk(&bytes, 0).map_while(Result::ok) {
        indexes.note(segment.base_offset, &located.header, located.position, interval_bytes);
    }
    Ok(indexes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BatchBuilder;

    fn segment(batches: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for i in 0..batches {
            let mut batch = BatchBuilder::example(10);
            batch.set_base_offset(Offset(i as i64 * 10));
            starts.push(bytes.len());
            bytes.extend_from_slice(&batch.to_bytes());
        }
        (bytes, starts)
    }

    fn scan_all(bytes: &[u8]) -> Scanned {
        let rules = ScanRules {
            segment: Offset(0),
            expected: Offset(0),
            gaps: Gaps::None,
            interval_bytes: 100,
            whole_below: Offset::ZERO,
            newest_epoch: None,
        };
        scan(bytes, 0, rules, &[], Indexes::default())
    }

    #[test]
    fn every_cut_leaves_the_whole_batches_before_it() {
        let (bytes, starts) = segment(4);
        for cut in 0..=bytes.len() {
            let scanned = scan_all(&bytes[..cut]);
            let whole = starts.iter().filter(|start| **start + starts[1] <= cut).count();
            assert_eq!(scanned.end_offset, Offset(whole as i64 * 10), "cut at {cut}");
            assert_eq!((scanned.end + scanned.tail_bytes) as usize, cut);
            assert!(scanned.damaged.is_empty());
        }
    }

    #[test]
    fn a_flipped_byte_costs_exactly_its_batch() {
        let (bytes, starts) = segment(5);
        for byte in 0..bytes.len() {
            let hit = starts.iter().rposition(|start| *start <= byte).unwrap();
            // The leader epoch is not protected and not needed to find the way.
            if (12..16).contains(&(byte - starts[hit])) {
                continue;
            }
            let mut flipped = bytes.clone();
            flipped[byte] ^= 0x41;
            let scanned = scan_all(&flipped);
            if hit == 4 {
                assert_eq!((scanned.end_offset, scanned.tail_bytes), (Offset(40), starts[1] as u64), "byte {byte}");
                continue;
            }
            assert_eq!(scanned.end_offset, Offset(50), "byte {byte}");
            let expected = BadRange {
                segment: Offset(0),
                bytes: starts[hit] as u64..starts[hit + 1] as u64,
                offsets: Offset(hit as i64 * 10)..Offset(hit as i64 * 10 + 10),
            };
            assert_eq!(scanned.damaged, [expected], "byte {byte}");
        }
    }

    #[test]
    fn zeros_after_the_end_are_a_tail() {
        let (mut bytes, _) = segment(2);
        bytes.resize(bytes.len() + 5000, 0);
        let scanned = scan_all(&bytes);
        assert_eq!((scanned.end_offset, scanned.tail_bytes), (Offset(20), 5000));
    }

    #[test]
    fn a_base_offset_torn_between_two_sectors_is_not_believed() {
        let mut batch = BatchBuilder::example(10);
        batch.set_base_offset(Offset(6));
        let batch = batch.to_bytes();
        // All but the last byte of the base offset lies before the boundary, in a sector that was never written.
        let mut bytes = vec![0; 506 + batch.len()];
        bytes[506..].copy_from_slice(&batch);
        bytes[506 + 7] = 0;
        assert_eq!(scan_all(&bytes).tail_bytes, bytes.len() as u64);
        bytes[506 + 7] = 6;
        assert_eq!(scan_all(&bytes).tail_bytes, bytes.len() as u64, "nothing says that it is right");
        let mut next = BatchBuilder::example(10);
        next.set_base_offset(Offset(16));
        bytes.extend_from_slice(&next.to_bytes());
        assert_eq!(scan_all(&bytes).end_offset, Offset(26), "the next batch says so");
    }

    #[test]
    fn old_batches_of_a_recycled_file_are_not_taken_for_new_ones() {
        let (bytes, starts) = segment(3);
        let rules = ScanRules {
            segment: Offset(0),
            expected: Offset(20),
            gaps: Gaps::None,
            interval_bytes: 100,
            whole_below: Offset::ZERO,
            newest_epoch: None,
        };
        let scanned = scan(&bytes[..starts[2]], 0, rules, &[], Indexes::default());
        assert_eq!((scanned.end, scanned.end_offset), (0, Offset(20)));
    }
}
