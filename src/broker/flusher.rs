//! Brings partitions to the disk, many at a time, and tells those who wait for it.
//!
//! Whoever waits is gathered into rounds: what arrives while one runs goes with the next, so that many acknowledgements share one sync.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::partition::{AppendRefused, FlushTurn, Partition, error_code};
use crate::log::DataFolder;
use crate::model::{ErrorCode, Offset};

/// One `syncfs` is cheaper than more `fdatasync` than this.
const FILES_ONE_BY_ONE_MAX: usize = 32;

const SYNCS_AT_ONCE: usize = 8;

type Flushed = Result<(), ErrorCode>;
/// A partition, and who waits for it.
type Waiting = (Arc<Partition>, Vec<oneshot::Sender<Flushed>>);

struct Ask {
    partition: Arc<Partition>,
    done: oneshot::Sender<Flushed>,
}

#[derive(Clone)]
pub struct Flusher {
    asks: mpsc::UnboundedSender<Ask>,
}

/// Ends once the disk has what was asked for.
pub struct FlushWait(oneshot::Receiver<Flushed>);

impl FlushWait {
    pub async fn ended(self) -> Result<(), AppendRefused> {
        self.0.await.unwrap_or(Err(ErrorCode::UnknownServerError)).map_err(AppendRefused::new)
    }
}

impl Flusher {
    /// Ends with the last clone.
    pub(super) fn start(folder: Arc<DataFolder>) -> Flusher {
        // Each of those in it holds up a request of its own, so their number is bounded by the connections.
        let (asks, inbox) = mpsc::unbounded_channel();
        tokio::spawn(run(folder, inbox));
        Flusher { asks }
    }

    /// With `flush.messages` so many records are unsynced by now that the answer to those below `end` has to wait. `None`: it has not.
    pub fn due(&self, partition: &Arc<Partition>, end: Offset) -> Option<FlushWait> {
        partition.flush_is_due(end).then(|| {
            let (done, flushed) = oneshot::channel();
            // Without a flusher the receiver ends at once, with an error.
            let _ = self.asks.send(Ask { partition: Arc::clone(partition), done });
            FlushWait(flushed)
        })
    }
}

async fn run(folder: Arc<DataFolder>, mut inbox: mpsc::UnboundedReceiver<Ask>) {
    while let Some(first) = inbox.recv().await {
        let round = gather(first, &mut inbox);
        if round.len() > FILES_ONE_BY_ONE_MAX {
            flush_together(&folder, round).await;
        } else {
            flush_side_by_side(round).await;
        }
    }
}

/// Everybody who waits by now, by partition.
fn gather(first: Ask, inbox: &mut mpsc::UnboundedReceiver<Ask>) -> Vec<Waiting> {
    let mut round: HashMap<*const Partition, Waiting> = HashMap::new();
    let mut next = Some(first);
    while let Some(Ask { partition, done }) = next {
        round.entry(Arc::as_ptr(&partition)).or_insert_with(|| (partition, Vec::new())).1.push(done);
        next = inbox.try_recv().ok();
    }
    round.into_values().collect()
}

fn answer(waiting: Vec<oneshot::Sender<Flushed>>, flushed: Flushed) {
    for one in waiting {
        // The connection may be gone.
        let _ = one.send(flushed);
    }
}

async fn flush_side_by_side(round: Vec<Waiting>) {
    let mut flushes = JoinSet::new();
    for (partition, waiting) in round {
        flushes.spawn_blocking(move || answer(waiting, partition.flush().map_err(|error| error_code(&error))));
    }
    while flushes.join_next().await.is_some() {}
}

async fn flush_together(folder: &Arc<DataFolder>, round: Vec<Waiting>) {
    let folder = Arc::clone(folder);
    let flushed = tokio::task::spawn_blocking(move || {
        flush_blocking(&folder, round.iter().filter_map(|(partition, _)| partition.begin_flush().ok().flatten()).collect());
        for (partition, waiting) in round {
            answer(waiting, if partition.is_offline() { Err(ErrorCode::KafkaStorageError) } else { Ok(()) });
        }
    });
    // A panic drops the senders, which is an answer too.
    let _ = flushed.await;
}

/// One round over these partitions. Each that fails is offline when this returns.
pub(super) fn flush_blocking(folder: &DataFolder, round: Vec<FlushTurn<'_>>) {
    let files: usize = round.iter().map(FlushTurn::files).sum();
    if files <= FILES_ONE_BY_ONE_MAX {
        let synced = sync_side_by_side(&round);
        for (turn, synced) in round.into_iter().zip(synced) {
            // Logged by `end`.
            let _ = turn.end(synced);
        }
        return;
    }
    end_together(round, folder.sync_all_blocking());
}

/// Syncs that wait at the same time share what the file system writes for each. In the order of `round`.
fn sync_side_by_side(round: &[FlushTurn<'_>]) -> Vec<io::Result<()>> {
    let share = round.len().div_ceil(SYNCS_AT_ONCE).max(1);
    let one_by_one = |turns: &[FlushTurn<'_>]| turns.iter().map(FlushTurn::sync_blocking).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let threads: Vec<_> = round.chunks(share).map(|turns| (turns.len(), scope.spawn(move || one_by_one(turns)))).collect();
        let outcome = |(turns, thread): (usize, std::thread::ScopedJoinHandle<'_, Vec<io::Result<()>>>)| {
            let failed = |_| (0..turns).map(|_| Err(io::Error::other("the flushing thread panicked"))).collect();
            thread.join().unwrap_or_else(failed)
        };
        threads.into_iter().flat_map(outcome).collect()
    })
}

/// If it failed, it cannot be told whose pages were lost: all are offline.
fn end_together(round: Vec<FlushTurn<'_>>, synced: io::Result<()>) {
    for turn in round {
        let _ = turn.end(synced.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string())));
    }
}

#[cfg(test)]
#[path = "flusher_tests.rs"]
mod tests;
