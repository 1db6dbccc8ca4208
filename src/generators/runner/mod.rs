//! Brings the town's events into the cluster: two hours of history at first start, then each event when its time has come.
//!
//! There is one chronicle and no seam: history is what has already arrived when the runner first looks at the clock. Whatever
//! ends a run (a crash, a full disk, a sleeping laptop) is met in the same way: look at what the partitions hold (`resume`) and go on behind it.
//!
//! A batch never splits a millisecond of a partition. So a partition's last event tells exactly what it has, and a batch that a
//! crash tore is written again as a whole.

mod journal;
mod orders;
mod resume;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cluster::{Cluster, ClusterError, NewRecord};
use crate::model::{PartitionId, Timestamp, TopicName};

use super::chronicle::{Chronicle, Event};
use super::dirt::DirtLevel;
use super::incidents::Timeline;
use super::schema::{STREAMS, StreamId};
pub use journal::Gap;
use journal::Journal;
pub use orders::{IncidentStatus, KindStatus, OrderRefused, OrdersStatus, Request};
use orders::{WAITING_MAX, Waiting};
use tokio::sync::mpsc;

/// Tells the present.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How much is told at first start, and the longest gap that is filled.
pub const HISTORY_MS: i64 = 2 * 3_600_000;

/// A gap counts as longer than what is filled only by this much more, so that a run that ended while it wrote the history goes on with it.
const GRACE_MS: i64 = 10 * 60_000;

const TICK: Duration = Duration::from_millis(100);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// How long somebody who gives an order waits for the answer.
const ORDER_WITHIN: Duration = Duration::from_secs(10);

/// Records in a batch of history.
const BATCH_RECORDS: usize = 500;

/// Events written between two chances for other tasks to run: well under 2 ms of work.
const SLICE_EVENTS: usize = 200;

/// Behind by more than this, the runner says that it is filling history.
const LIVE_WITHIN_MS: i64 = 5_000;

/// The rate that is shown is an average over about this long.
const RATE_OVER_MS: f64 = 10_000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not yet found out where to go on.
    Starting,
    /// Writing events whose time has long come.
    Backfilling,
    Live,
}

#[derive(Clone, Debug)]
pub struct StreamStatus {
    pub topic: &'static str,
    /// By this process.
    pub events_written: u64,
    pub events_per_s: f64,
    pub last_arrival: Option<Timestamp>,
    /// `events_written` when the rate was measured last.
    measured: u64,
}

#[derive(Clone, Debug)]
pub struct RunnerStatus {
    pub phase: Phase,
    /// The seed that the data folder's town was made from.
    pub seed: u64,
    /// The seed that was asked for, if it is another: the folder's is used until a reset.
    pub seed_ignored: Option<u64>,
    /// The folder's, like the seed.
    pub dirt: DirtLevel,
    pub dirt_ignored: Option<DirtLevel>,
    pub origin: Option<Timestamp>,
    pub(super) timeline: Timeline,
    /// How much of what was due at the last (re)start has been written, from 0 to 1.
    pub backfilled: f64,
    /// Gaps that were too long to fill, oldest first.
    pub gaps: Vec<Gap>,
    /// Why events are not being written at the moment.
    pub trouble: Option<String>,
    /// In the order of `STREAMS`.
    pub streams: Vec<StreamStatus>,
    /// Since when rates are measured without interruption, and when that was done last.
    measured: Option<(Timestamp, Timestamp)>,
}

pub struct Runner {
    cluster: Arc<dyn Cluster>,
    clock: Clock,
    seed: u64,
    dirt: DirtLevel,
    status: Mutex<RunnerStatus>,
    orders: mpsc::Sender<Waiting>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Waiting>>,
}

impl Runner {
    pub fn new(cluster: Arc<dyn Cluster>, clock: Clock, seed: u64, dirt: DirtLevel) -> Runner {
        let streams = STREAMS
            .iter()
            .map(|stream| StreamStatus { topic: stream.topic, events_written: 0, events_per_s: 0.0, last_arrival: None, measured: 0 })
            .collect();
        let status = RunnerStatus {
            phase: Phase::Starting,
            seed,
            seed_ignored: None,
            dirt,
            dirt_ignored: None,
            origin: None,
            timeline: Timeline::default(),
            backfilled: 0.0,
            gaps: Vec::new(),
            trouble: None,
            streams,
            measured: None,
        };
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        Runner { cluster, clock, seed, dirt, status: Mutex::new(status), orders, waiting: tokio::sync::Mutex::new(waiting) }
    }

    pub fn status(&self) -> RunnerStatus {
        self.change_status(|status| status.clone())
    }

    /// Runs for ever. May be dropped at any time: the next run goes on where this one ended.
    pub async fn run(&self) {
        loop {
            let error = self.run_until_error().await;
            if let Some(error) = error {
                let message = format!("{:?}: {}", error.code, error.message);
                let news = self.change_status(|status| status.trouble.replace(message.clone()).as_ref() != Some(&message));
                if news {
                    tracing::warn!(%message, "the generators could not write; they look again at what the topics hold");
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    /// Ends with an error, or with none after a jump of the clock that is too long to be filled.
    async fn run_until_error(&self) -> Option<ClusterError> {
        let mut writer = match self.resume().await {
            Ok(writer) => writer,
            Err(error) => return Some(error),
        };
        loop {
            let now = (self.clock)();
            if now.since(writer.chronicle.next_arrival()) > HISTORY_MS + GRACE_MS {
                return None;
            }
            if let Err(error) = self.catch_up(&mut writer, now).await {
                return Some(error);
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                Some(order) = self.next_order() => {
                    if let Err(error) = self.obey(&mut writer, order).await {
                        return Some(error);
                    }
                }
            }
        }
    }

    /// Writes everything that has arrived by `now` and is not there yet.
    async fn catch_up(&self, writer: &mut Writer, now: Timestamp) -> Result<(), ClusterError> {
        let start = writer.chronicle.next_arrival();
        let behind = now.since(start) > LIVE_WITHIN_MS;
        self.change_status(|status| status.phase = if behind { Phase::Backfilling } else { Phase::Live });
        let mut in_slice = 0;
        while writer.chronicle.next_arrival() <= now {
            let Some(event) = writer.chronicle.next() else { break };
            if let Some(batch) = writer.take(event) {
                self.append(batch).await?;
            }
            in_slice += 1;
            if in_slice == SLICE_EVENTS {
                in_slice = 0;
                if behind {
                    let done = writer.chronicle.next_arrival().since(start) as f64 / now.since(start).max(1) as f64;
                    self.change_status(|status| status.backfilled = done.min(1.0));
                }
                tokio::task::yield_now().await;
            }
        }
        for batch in writer.rest() {
            self.append(batch).await?;
        }
        self.change_status(|status| {
            status.phase = Phase::Live;
            status.backfilled = 1.0;
            status.trouble = None;
            status.measure_rates(now, behind);
        });
        Ok(())
    }

    async fn append(&self, batch: Batch) -> Result<(), ClusterError> {
        let count = batch.records.len() as u64;
        let last_arrival = batch.records.last().map(|record| record.timestamp);
        let topic = TopicName::new(batch.stream.topic());
        self.cluster.append(&topic, batch.partition, batch.records).await?;
        self.change_status(|status| {
            if let Some(stream) = status.streams.get_mut(batch.stream.0) {
                stream.events_written += count;
                stream.last_arrival = stream.last_arrival.max(last_arrival);
            }
        });
        Ok(())
    }

    fn change_status<T>(&self, change: impl FnOnce(&mut RunnerStatus) -> T) -> T {
        // A panic while the lock was held leaves at worst a stale figure.
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RunnerStatus {
    /// Moves the rates towards what was written since the last tick. History is not counted: it is written as fast as possible.
    fn measure_rates(&mut self, now: Timestamp, behind: bool) {
        match self.measured {
            Some((since, last)) if !behind => {
                let elapsed_ms = now.since(last) as f64;
                if elapsed_ms < 1.0 {
                    return;
                }
                let weight = elapsed_ms / RATE_OVER_MS.min(now.since(since) as f64).max(elapsed_ms);
                for stream in &mut self.streams {
                    let rate = (stream.events_written - stream.measured) as f64 * 1000.0 / elapsed_ms;
                    stream.events_per_s += (rate - stream.events_per_s) * weight;
                }
                self.measured = Some((since, now));
            }
            _ => self.measured = Some((now, now)),
        }
        self.streams.iter_mut().for_each(|stream| stream.measured = stream.events_written);
    }
}

/// Records on their way into one partition.
struct Batch {
    stream: StreamId,
    partition: PartitionId,
    records: Vec<NewRecord>,
}

/// One partition of one stream: what it has, and what it gets next.
struct Lane {
    stream: StreamId,
    partition: PartitionId,
    /// Arrival of the last event that the partition holds.
    written_to: Timestamp,
    records: Vec<NewRecord>,
}

/// Sorts the chronicle's events into batches.
struct Writer {
    chronicle: Chronicle,
    journal: Journal,
    lanes: Vec<Lane>,
}

impl Writer {
    /// Puts the event into its lane. Returns the batch that had to make room: full, and ending with a whole millisecond.
    fn take(&mut self, event: Event) -> Option<Batch> {
        let lane = self.lanes.iter_mut().find(|lane| lane.stream == event.stream && lane.partition == event.partition)?;
        if event.arrival <= lane.written_to {
            return None;
        }
        let full = lane.records.len() >= BATCH_RECORDS && lane.records.last().is_some_and(|last| last.timestamp < event.arrival);
        let batch = full.then(|| lane.batch());
        lane.records.push(NewRecord { key: Some(event.key), value: Some(event.value), timestamp: event.arrival, headers: Vec::new() });
        batch
    }

    fn rest(&mut self) -> Vec<Batch> {
        self.lanes.iter_mut().filter(|lane| !lane.records.is_empty()).map(Lane::batch).collect()
    }
}

impl Lane {
    fn batch(&mut self) -> Batch {
        Batch { stream: self.stream, partition: self.partition, records: std::mem::take(&mut self.records) }
    }
}
