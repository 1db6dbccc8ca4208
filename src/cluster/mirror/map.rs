//! Which offset a record has at the other end.
//!
//! Offsets differ where a log does not begin at 0, and where compaction, retention or the markers of transactions left gaps: the copy
//! has its records without gaps. A map is runs of records that stand side by side at both ends.

/// Records that follow one another at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub source: i64,
    pub target: i64,
    pub length: i64,
}

/// The records of one partition, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OffsetMap {
    pub runs: Vec<Run>,
    /// All before this offset of the source is in the map.
    pub source_next: i64,
    /// Where the next record goes.
    pub target_next: i64,
}

impl OffsetMap {
    pub fn new(source_next: i64, target_next: i64) -> OffsetMap {
        OffsetMap { runs: Vec::new(), source_next, target_next }
    }

    /// The source's next record, which goes to `target_next`. `apart`: a run of its own, whatever stands before it.
    pub fn push(&mut self, source: i64, apart: bool) {
        let target = self.target_next;
        match self.runs.last_mut().filter(|last| !apart && last.source + last.length == source && last.target + last.length == target) {
            Some(last) => last.length += 1,
            None => self.runs.push(Run { source, target, length: 1 }),
        }
        self.source_next = source + 1;
        self.target_next = target + 1;
    }

    /// Where a reader that stands at this offset of the source goes on at the target: at the same record, in a gap at the next one.
    pub fn translate(&self, source: i64) -> i64 {
        let at = self.runs.partition_point(|run| run.source + run.length <= source);
        self.runs.get(at).map_or(self.target_next, |run| run.target + (source - run.source).max(0))
    }

    /// Where this very record is.
    pub fn record(&self, source: i64) -> Option<i64> {
        let at = self.runs.partition_point(|run| run.source + run.length <= source);
        self.runs.get(at).filter(|run| run.source <= source).map(|run| run.target + source - run.source)
    }

    /// Forgets what was planned and is not there: the target ends at `end`.
    pub fn cut(&mut self, end: i64) -> bool {
        if end >= self.target_next {
            return false;
        }
        let whole = self.runs.partition_point(|run| run.target + run.length <= end);
        if let Some(first) = self.runs.get_mut(whole) {
            let kept = (end - first.target).max(0);
            self.source_next = first.source + kept;
            first.length = kept;
            self.runs.truncate(if kept > 0 { whole + 1 } else { whole });
        }
        self.target_next = end;
        true
    }

    /// The same from the other end.
    pub fn inverse(&self) -> OffsetMap {
        let turned = |run: &Run| Run { source: run.target, target: run.source, length: run.length };
        OffsetMap { runs: self.runs.iter().map(turned).collect(), source_next: self.target_next, target_next: self.source_next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Offsets of a log with gaps, its end, and where the copy begins.
    fn logs() -> impl Strategy<Value = (Vec<i64>, i64, i64)> {
        (0..1000_i64, prop::collection::vec((0..4_i64, 1..6_usize), 0..40), 0..5_i64, 0..1000_i64).prop_map(|(start, parts, tail, base)| {
            let (mut next, mut offsets) = (start, Vec::new());
            for (gap, length) in parts {
                next += gap;
                for _ in 0..length {
                    offsets.push(next);
                    next += 1;
                }
            }
            (offsets, next + tail, base)
        })
    }

    fn mapped(offsets: &[i64], end: i64, base: i64, apart_every: usize) -> OffsetMap {
        let mut map = OffsetMap::new(offsets.first().copied().unwrap_or(end), base);
        for (n, offset) in offsets.iter().enumerate() {
            map.push(*offset, apart_every > 0 && n % apart_every == 0);
        }
        map.source_next = end;
        map
    }

    proptest! {
        #[test]
        fn a_reader_goes_on_at_the_same_record((offsets, end, base) in logs(), every in 0..5_usize) {
            let map = mapped(&offsets, end, base, every);
            for reader in 0..end + 3 {
                // The records before the reader are those before it at the target.
                let before = offsets.iter().filter(|offset| **offset < reader).count() as i64;
                prop_assert_eq!(map.translate(reader), base + before);
            }
            for (n, offset) in offsets.iter().enumerate() {
                prop_assert_eq!(map.record(*offset), Some(base + n as i64));
            }
            prop_assert_eq!(map.record(end + 1), None);
        }

        #[test]
        fn a_run_that_was_cut_short_goes_on_without_a_gap_or_a_duplicate((offsets, end, base) in logs(), landed in 0..250_i64, every in 0..5_usize) {
            let whole = mapped(&offsets, end, base, every);
            let mut map = whole.clone();
            map.cut(base + landed.min(offsets.len() as i64));
            let next = map.source_next;
            let rest: Vec<i64> = offsets.iter().copied().filter(|offset| *offset >= next).collect();
            prop_assert_eq!(rest.len() as i64, offsets.len() as i64 - landed.min(offsets.len() as i64));
            for offset in rest {
                map.push(offset, false);
            }
            for offset in &offsets {
                prop_assert_eq!(map.record(*offset), whole.record(*offset));
            }
        }

        #[test]
        fn there_and_back_is_the_same_record((offsets, end, base) in logs(), every in 0..5_usize) {
            let map = mapped(&offsets, end, base, every);
            let back = map.inverse();
            prop_assert_eq!(back.inverse(), map.clone());
            for offset in &offsets {
                prop_assert_eq!(back.translate(map.translate(*offset)), *offset);
            }
            prop_assert_eq!((back.source_next, back.target_next), (map.target_next, end));
            prop_assert_eq!(back.translate(map.target_next), end);
        }
    }

    #[test]
    fn neighbours_are_one_run() {
        let map = mapped(&[7, 8, 9, 12, 13], 15, 0, 0);
        assert_eq!(map.runs, [Run { source: 7, target: 0, length: 3 }, Run { source: 12, target: 3, length: 2 }]);
        assert_eq!((map.translate(0), map.translate(10), map.translate(14), map.translate(99)), (0, 3, 5, 5));
        assert_eq!((map.record(10), map.record(12)), (None, Some(3)));
    }
}
