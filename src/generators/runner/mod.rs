//! Brings the town's events into the cluster: two hours of history at first start, then each event when its time has come.
//!
//! There is one chronicle and no seam: history is what has already arrived when the runner first looks at the clock. Whatever
//! ends a run (a crash, a full disk, a sleeping laptop) is met in the same way: look at what the partitions hold (`resume`) and go on behind it.
//!
//! A partition's last event, and which of its millisecond it is, tell exactly what the partition has: a batch that a crash tore is
//! completed.

mod clock;
mod journal;
mod orders;
mod resume;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cluster::{ClusterError, NewRecord, Topics};
use crate::config::ClockSetting;
use crate::model::{PartitionId, Timestamp, TopicName};

use super::chronicle::{Chronicle, Event};
use super::dirt::DirtLevel;
use super::incidents::Timeline;
use super::schema::{STREAMS, StreamId};
use clock::TownClock;
pub use clock::{Clock, VIRTUAL_START};
pub use journal::Gap;
use journal::Journal;
pub use orders::{IncidentStatus, KindStatus, OrderRefused, OrdersStatus, Request};
use orders::{WAITING_MAX, Waiting};
use tokio::sync::mpsc;

/// How much is told at first start, and the longest gap that is filled.
pub const HISTORY_MS: i64 = 2 * 3_600_000;

/// A gap counts as longer than what is filled only by this much more, so that a run that ended while it wrote the history goes on with it.
const GRACE_MS: i64 = 10 * 60_000;

const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// How long a reset waits for the room that it has made, and how often it looks.
const ROOM_PAUSE: Duration = Duration::from_millis(50);
const ROOM_TRIES: usize = 100;

/// How long somebody who gives an order waits for the answer.
const ORDER_WITHIN: Duration = Duration::from_secs(10);

/// Records in a batch of history.
const BATCH_RECORDS: usize = 500;

/// Events written between two chances for other tasks to run: well under 2 ms of work.
const SLICE_EVENTS: usize = 200;

/// Behind by more than this, the runner says that it is filling history.
const LIVE_WITHIN_MS: i64 = 5_000;

/// A virtual clock's journal says up to which full one of these there may be events.
const VIRTUAL_STRETCH_MS: i64 = 3_600_000;

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
    /// The folder's clock, like the seed; and whether the other one was asked for.
    pub is_virtual: bool,
    pub clock_ignored: bool,
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

/// When a run is over. Without either it never is.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    /// This many events of the four topics are written, and then those that arrived no later than any other that is there.
    pub events: Option<u64>,
    /// So much of the town's time has passed: since the start of the run, or, of a virtual clock, since the end of the history.
    pub after_ms: Option<i64>,
}

pub struct Runner {
    cluster: Arc<dyn Topics>,
    clock: TownClock,
    end: End,
    seed: u64,
    dirt: DirtLevel,
    status: Mutex<RunnerStatus>,
    orders: mpsc::Sender<Waiting>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Waiting>>,
    /// Which beginning is being told. Held while something is written, so that a new one waits for that and nothing of the former comes
    /// after it.
    beginning: tokio::sync::Mutex<u64>,
    begun_anew: tokio::sync::Notify,
}

impl Runner {
    pub fn new(cluster: Arc<dyn Topics>, clock: Clock, seed: u64, dirt: DirtLevel) -> Runner {
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
            is_virtual: false,
            clock_ignored: false,
            origin: None,
            timeline: Timeline::default(),
            backfilled: 0.0,
            gaps: Vec::new(),
            trouble: None,
            streams,
            measured: None,
        };
        let (orders, waiting) = mpsc::channel(WAITING_MAX);
        let clock = TownClock::new(clock, ClockSetting::Real);
        Runner {
            cluster,
            clock,
            end: End::default(),
            seed,
            dirt,
            status: Mutex::new(status),
            orders,
            waiting: tokio::sync::Mutex::new(waiting),
            beginning: tokio::sync::Mutex::new(0),
            begun_anew: tokio::sync::Notify::new(),
        }
    }

    /// With the clock that was asked for; the topics' own stays in use.
    pub fn with_clock(self, setting: ClockSetting) -> Runner {
        Runner { clock: TownClock::new(self.clock.into_present(), setting), ..self }
    }

    pub fn with_end(self, end: End) -> Runner {
        Runner { end, ..self }
    }

    pub fn status(&self) -> RunnerStatus {
        self.change_status(|status| status.clone())
    }

    /// Lets the town begin anew, with a fresh history: forgets where it was, while nothing is written does what is to be done meanwhile
    /// (delete the topics), and goes on.
    pub async fn begin_anew<T>(&self, meanwhile: impl Future<Output = Result<T, ClusterError>>) -> Result<T, ClusterError> {
        let mut beginning = self.beginning.lock().await;
        // On a full disk this works only once there is room, and then it has to.
        let mut forgotten = Journal::forget(self.cluster.as_ref(), self.clock.present()).await;
        let done = meanwhile.await;
        // The broker looks at its disk from time to time, so that room that has just been made may not count yet.
        for _ in 0..ROOM_TRIES {
            if forgotten.is_ok() {
                break;
            }
            tokio::time::sleep(ROOM_PAUSE).await;
            forgotten = Journal::forget(self.cluster.as_ref(), self.clock.present()).await;
        }
        forgotten?;
        *beginning += 1;
        self.begun_anew.notify_one();
        done
    }

    /// Runs to its end, if it has one. May be dropped at any time: the next run goes on where this one ended.
    pub async fn run(&self) {
        // No error is final.
        let _ = self.run_unless(|_| false).await;
    }

    /// The same, but ends with an error of which it is said that waiting does not mend it.
    pub async fn run_unless(&self, is_final: impl Fn(&ClusterError) -> bool) -> Result<(), ClusterError> {
        let started = self.clock.present();
        loop {
            let error = match self.run_until_error(started).await {
                Ok(Pause::AtEnd) => return Ok(()),
                Ok(Pause::AfterJump | Pause::Anew) => None,
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                if is_final(&error) {
                    return Err(error);
                }
                let message = format!("{:?}: {}", error.code, error.message);
                let news = self.change_status(|status| status.trouble.replace(message.clone()).as_ref() != Some(&message));
                if news {
                    tracing::warn!(%message, "the generators could not write; they look again at what the topics hold");
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    async fn run_until_error(&self, started: Timestamp) -> Result<Pause, ClusterError> {
        let mut writer = {
            let beginning = self.beginning.lock().await;
            Writer { beginning: *beginning, ..self.resume().await? }
        };
        let is_virtual = self.clock.is_virtual();
        let since = if is_virtual { VIRTUAL_START } else { started };
        let end = self.end.after_ms.map(|ms| since.plus_ms(ms));
        // What a virtual clock has passed is written before it moves.
        let mut now = self.clock.now();
        loop {
            let until = end.map_or(now, |end| now.min(end));
            if !is_virtual && now.since(writer.chronicle.next_arrival()) > HISTORY_MS + GRACE_MS {
                return Ok(Pause::AfterJump);
            }
            self.allow(&mut writer, until).await?;
            if !self.catch_up(&mut writer, until).await? {
                return Ok(Pause::Anew);
            }
            if end.is_some_and(|end| now >= end) || self.has_enough(&mut writer) {
                return Ok(Pause::AtEnd);
            }
            tokio::select! {
                () = tokio::time::sleep(self.clock.tick()) => {}
                () = self.begun_anew.notified() => return Ok(Pause::Anew),
                Some(order) = self.next_order() => self.obey(&mut writer, order).await?,
            }
            now = self.clock.advance();
        }
    }

    /// Notes how far a virtual clock may get before it gets there.
    async fn allow(&self, writer: &mut Writer, now: Timestamp) -> Result<(), ClusterError> {
        if writer.journal.virtual_to.is_none_or(|latest| now <= latest) {
            return Ok(());
        }
        let current = self.beginning.lock().await;
        if *current != writer.beginning {
            return Ok(());
        }
        let stretch = now.0.div_euclid(VIRTUAL_STRETCH_MS) + 1;
        writer.journal.virtual_to = Some(Timestamp(stretch * VIRTUAL_STRETCH_MS));
        writer.journal.write(self.cluster.as_ref(), now).await
    }

    /// Events of the four topics that this process has written.
    fn written(&self) -> u64 {
        self.change_status(|status| status.streams.iter().map(|stream| stream.events_written).sum())
    }

    fn has_enough(&self, writer: &mut Writer) -> bool {
        self.end.events.is_some_and(|events| writer.taken >= events) && writer.chronicle.next_arrival() > writer.last
    }

    /// Writes everything that has arrived by `now` and is not there yet. False if the town begins anew.
    async fn catch_up(&self, writer: &mut Writer, now: Timestamp) -> Result<bool, ClusterError> {
        let start = writer.chronicle.next_arrival();
        // A fast virtual clock makes long steps, and is where it should be after each.
        let stepped = self.clock.is_virtual() && now > VIRTUAL_START;
        let behind = now.since(start) > LIVE_WITHIN_MS && !stepped;
        self.change_status(|status| status.phase = if behind { Phase::Backfilling } else { Phase::Live });
        let mut in_slice = 0;
        while writer.chronicle.next_arrival() <= now && !self.has_enough(writer) {
            let Some(event) = writer.chronicle.next() else { break };
            if let Some(batch) = writer.take(event)
                && !self.append(writer.beginning, batch).await?
            {
                return Ok(false);
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
            if !self.append(writer.beginning, batch).await? {
                return Ok(false);
            }
        }
        self.change_status(|status| {
            status.phase = Phase::Live;
            status.backfilled = 1.0;
            status.trouble = None;
            status.measure_rates(self.clock.present(), behind);
        });
        Ok(true)
    }

    /// False if the town begins anew, and nothing is written then.
    async fn append(&self, beginning: u64, batch: Batch) -> Result<bool, ClusterError> {
        let current = self.beginning.lock().await;
        if *current != beginning {
            return Ok(false);
        }
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
        Ok(true)
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

/// Why a run stops to look around.
enum Pause {
    AtEnd,
    /// The clock has jumped further than what is filled.
    AfterJump,
    /// There was a reset.
    Anew,
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
    /// How many of that very millisecond it holds.
    held: usize,
    records: Vec<NewRecord>,
}

/// Sorts the chronicle's events into batches.
struct Writer {
    /// Which beginning it tells.
    beginning: u64,
    chronicle: Chronicle,
    journal: Journal,
    lanes: Vec<Lane>,
    /// Events of the four topics taken, and those that this process had written before.
    taken: u64,
    /// Arrival of the last event that any lane has.
    last: Timestamp,
}

impl Writer {
    /// Puts the event into its lane. Returns the batch that had to make room: full, and ending with a whole millisecond.
    fn take(&mut self, event: Event) -> Option<Batch> {
        let lane = self.lanes.iter_mut().find(|lane| lane.stream == event.stream && lane.partition == event.partition)?;
        if event.arrival < lane.written_to {
            return None;
        }
        if event.arrival == lane.written_to && lane.held > 0 {
            lane.held -= 1;
            return None;
        }
        self.taken += u64::from(event.stream != StreamId::TRUTH);
        self.last = self.last.max(event.arrival);
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
