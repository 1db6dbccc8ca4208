//! Which leader epoch wrote which offsets.

use super::checkpoint::{self, CheckpointDefect};
use crate::model::{LeaderEpoch, Offset};

pub(super) const FILE: &str = "leader-epoch-checkpoint";

/// The epochs of a log and the offset at which each began, growing in both.
///
/// On disk a checkpoint file whose rows are `epoch start_offset`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    pub(super) fn parse(bytes: &[u8]) -> Result<LeaderEpochs, CheckpointDefect> {
        let entries = checkpoint::parse(bytes, |row| {
            let (epoch, start) = row.split_once(' ')?;
            Some((LeaderEpoch(epoch.parse().ok()?), Offset(start.parse().ok()?)))
        })?;
        if entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) { Ok(LeaderEpochs { entries }) } else { Err(CheckpointDefect::Malformed) }
    }

    pub(super) fn format(&self) -> Vec<u8> {
        checkpoint::format(self.entries.iter().map(|(epoch, start)| format!("{epoch} {start}")))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the first epoch begins.
    pub(super) fn start(&self) -> Option<Offset> {
        self.entries.first().map(|entry| entry.1)
    }

    /// These epochs, and what `later` knows beyond them.
    pub(super) fn and_then(mut self, later: &LeaderEpochs) -> LeaderEpochs {
        for (epoch, start) in &later.entries {
            self.assign(*epoch, *start);
        }
        self
    }

    /// The latest epoch and where it began.
    pub(super) fn newest(&self) -> Option<(LeaderEpoch, Offset)> {
        self.entries.last().copied()
    }

    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.0)
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.1 <= offset);
        after.checked_sub(1).and_then(|index| self.entries.get(index)).map(|entry| entry.0)
    }

    /// A new epoch begins at `start`. Returns whether anything changed.
    pub(super) fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        // An epoch that wrote nothing leaves no entry of its own.
        self.entries.retain(|entry| entry.1 < start);
        self.entries.push((epoch, start));
        true
    }

    /// The log ends at `end`: epochs that would begin later never did.
    pub(super) fn truncate_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.1 <= end);
        before != self.entries.len()
    }

    /// The log starts at `start`: the epoch in force there begins there now.
    pub(super) fn truncate_start(&mut self, start: Offset) -> bool {
        let after = self.entries.partition_point(|entry| entry.1 <= start);
        let Some(index) = after.checked_sub(1) else { return false };
        let changed = index > 0 || self.entries.first().is_some_and(|entry| entry.1 != start);
        self.entries.drain(..index);
        if let Some(first) = self.entries.first_mut() {
            first.1 = start;
        }
        changed
    }

    /// Kafka's OffsetForLeaderEpoch: the largest epoch up to `asked` and where it ended; for one before all others, where the first
    /// began. `None` for an epoch that is not known. While nothing was written, `current` is the epoch that will begin at the end.
    pub fn end_offset(&self, asked: LeaderEpoch, current: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest().unwrap_or(current);
        if asked == LeaderEpoch::UNKNOWN || asked > latest {
            return None;
        }
        if asked == latest {
            return Some((asked, log_end));
        }
        let after = self.entries.partition_point(|entry| entry.0 <= asked);
        let next_start = self.entries.get(after).map_or(log_end, |entry| entry.1);
        let floor = after.checked_sub(1).and_then(|index| self.entries.get(index));
        Some((floor.map_or(asked, |entry| entry.0), next_start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs { entries: entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))).collect() }
    }

    #[test]
    fn the_file_is_kafkas() {
        let some = epochs(&[(0, 0), (3, 120)]);
        assert_eq!(some.format(), b"0\n2\n0 0\n3 120\n");
        assert_eq!(LeaderEpochs::parse(&some.format()), Ok(some));
        assert_eq!(LeaderEpochs::parse(b"0\n2\n3 5\n1 9\n"), Err(CheckpointDefect::Malformed));
    }

    #[test]
    fn end_offsets_follow_kafka() {
        let some = epochs(&[(1, 10), (3, 120)]);
        let ask = |epoch| some.end_offset(LeaderEpoch(epoch), LeaderEpoch(3), Offset(500)).map(|(epoch, end)| (epoch.0, end.0));
        assert_eq!(
            (ask(3), ask(1), ask(2), ask(0), ask(4), ask(-1), ask(-2)),
            (Some((3, 500)), Some((1, 120)), Some((1, 120)), Some((0, 10)), None, None, Some((-2, 10)))
        );
        assert_eq!((some.epoch_of(Offset(119)), some.epoch_of(Offset(9))), (Some(LeaderEpoch(1)), None));
    }

    #[test]
    fn in_an_empty_log_the_current_epoch_ends_where_the_log_ends() {
        let ask =
            |epoch| LeaderEpochs::default().end_offset(LeaderEpoch(epoch), LeaderEpoch(2), Offset(7)).map(|(epoch, end)| (epoch.0, end.0));
        assert_eq!((ask(2), ask(1), ask(-2)), (Some((2, 7)), Some((1, 7)), Some((-2, 7))));
        assert_eq!((ask(-1), ask(3)), (None, None));
    }

    #[test]
    fn truncation_keeps_the_epoch_in_force() {
        let mut some = epochs(&[(1, 10), (3, 120), (4, 200)]);
        assert!(some.truncate_start(Offset(130)));
        assert_eq!(some, epochs(&[(3, 130), (4, 200)]));
        assert!(some.truncate_end(Offset(150)));
        assert_eq!(some, epochs(&[(3, 130)]));
        assert!(some.assign(LeaderEpoch(5), Offset(150)) && some.assign(LeaderEpoch(6), Offset(150)));
        assert_eq!(some, epochs(&[(3, 130), (6, 150)]));
        assert!(!some.assign(LeaderEpoch(6), Offset(160)));
    }
}
