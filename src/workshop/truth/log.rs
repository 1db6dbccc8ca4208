//! The log as a kind of truth reads it: by ranges, two partitions at a time.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cluster::StoredRecord;
use crate::model::{Offset, PartitionId};
use crate::workshop::Ticket;

/// Partitions that are read at the same time.
const READERS: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The range begins before the first record that is left.
    #[error("the records of {topic}-{partition} before offset {start} have been deleted")]
    Gone { topic: String, partition: PartitionId, start: Offset },
    #[error("{0}")]
    Unreadable(String),
}

/// Reads what is stored. Blocks.
pub trait Log: Sync {
    /// Visits the records of a range in the order of their offsets.
    fn read(&self, topic: &str, partition: PartitionId, range: Range<Offset>, visit: &mut dyn FnMut(&StoredRecord))
    -> Result<(), LogError>;
}

/// Folds each partition of a ticket's topic into a tally of its own, and gives them by partition.
pub fn scan<T: Send>(
    log: &dyn Log,
    ticket: &Ticket,
    topic: &str,
    empty: impl Fn(PartitionId) -> T + Sync,
    visit: impl Fn(&mut T, &StoredRecord) + Sync,
) -> Result<Vec<(PartitionId, T)>, LogError> {
    let ranges: Vec<(PartitionId, Range<Offset>)> = ticket.ranges_of(topic).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let read_some = || {
        while let Some((partition, range)) = ranges.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut tally = empty(*partition);
            let read = log.read(topic, *partition, range.clone(), &mut |record| visit(&mut tally, record));
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((*partition, read.map(|()| tally)));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..READERS.min(ranges.len()) {
            scope.spawn(read_some);
        }
        read_some();
    });
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut tallies = done.into_iter().map(|(partition, tally)| Ok((partition, tally?))).collect::<Result<Vec<_>, LogError>>()?;
    tallies.sort_by_key(|(partition, _)| *partition);
    Ok(tallies)
}
