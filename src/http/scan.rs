//! Reading records for pages: forwards or backwards through all partitions of a topic at once, by time, with a filter and a budget.
//!
//! It runs on a thread that may block and holds what it has read ahead of each partition: at most the budget. Where it stopped it goes on
//! from there the next time, so no record is lost or met twice, however many arrive meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Refused;
use super::caller::Caller;
use super::filter::Filter;
use crate::cluster::{ClusterError, Records, StoredRecord};
use crate::model::{Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::Role;

/// Scans at once, for everybody, and for one user.
const AT_ONCE: usize = 4;
const AT_ONCE_OF_ONE: usize = 2;
const OWN_WAIT_MAX: Duration = Duration::from_secs(3);
/// A class that filters at once gets its turns in order.
const WAIT_MAX: Duration = Duration::from_secs(12);

/// Bytes read of a partition at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Read for each offset of a step back: what lies behind the step is read in vain.
const BYTES_AN_OFFSET: usize = 1 << 10;
/// More than this of what was read backwards is read again in smaller steps.
const BACK_BYTES_MAX: usize = 2 << 20;
const STEP_RECORDS: i64 = 64;
const STEP_RECORDS_MAX: i64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Back,
}

/// What is still to be read of one partition: `at..end` forwards, `start..at` backwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub partition: PartitionId,
    pub start: i64,
    pub end: i64,
    pub at: i64,
}

impl Lane {
    fn is_done(&self, way: Way) -> bool {
        match way {
            Way::Forward => self.at >= self.end,
            Way::Back => self.at <= self.start,
        }
    }
}

/// What one scan may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub records: u64,
    pub bytes: usize,
    pub time: Duration,
    /// Bytes of what was found that are held for the answer.
    pub held: usize,
}

impl Budget {
    pub const PAGE: Budget = Budget { records: 200_000, bytes: 32 << 20, time: Duration::from_secs(1), held: 4 << 20 };
    /// While others wait for a turn: everybody gets on, in smaller steps.
    pub const CROWDED: Budget = Budget { time: Duration::from_millis(150), ..Budget::PAGE };
}

pub(super) struct Job {
    pub source: Arc<dyn Records>,
    pub topic: TopicName,
    pub lanes: Vec<Lane>,
    pub way: Way,
    pub filter: Arc<Filter>,
    pub limit: usize,
    pub budget: Budget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Limit,
    End,
    Budget,
}

pub(super) struct Found<T> {
    pub items: Vec<T>,
    /// Where to go on.
    pub lanes: Vec<Lane>,
    pub scanned: u64,
    pub ended: Ended,
}

/// A record that was read; without its content if the filter does not let it through.
struct Read {
    offset: i64,
    timestamp: Timestamp,
    fitting: Option<StoredRecord>,
}

struct Ahead {
    lane: Lane,
    /// In the order of reading.
    read: VecDeque<Read>,
    /// How many offsets the next step back takes.
    step: i64,
}

struct Scanner<'a> {
    job: &'a Job,
    runtime: Handle,
    begun: Instant,
    records: u64,
    bytes: usize,
    loads: u64,
}

/// Blocks: for a thread that may. `make` gives what is kept of a record, and about how many bytes that is.
pub(super) fn scan<T>(job: &Job, make: impl Fn(StoredRecord) -> (T, usize)) -> Result<Found<T>, ClusterError> {
    let mut scanner = Scanner { job, runtime: Handle::current(), begun: Instant::now(), records: 0, bytes: 0, loads: 0 };
    // Without a filter no more than what was asked for is needed of any partition.
    let step = if job.filter.is_empty() { i64::try_from(job.limit).unwrap_or(STEP_RECORDS).clamp(1, 1024) } else { STEP_RECORDS };
    let mut lanes: Vec<Ahead> = job.lanes.iter().map(|lane| Ahead { lane: lane.clone(), read: VecDeque::new(), step }).collect();
    let (mut items, mut scanned, mut held) = (Vec::new(), 0_u64, 0_usize);
    let ended = loop {
        if items.len() >= job.limit {
            let all = lanes.iter().all(|ahead| ahead.read.is_empty() && ahead.lane.is_done(job.way));
            break if all { Ended::End } else { Ended::Limit };
        }
        if held >= job.budget.held || (scanner.is_spent() && scanned > 0 && lanes.iter().any(|ahead| ahead.needs_more(job.way))) {
            break Ended::Budget;
        }
        for ahead in lanes.iter_mut().filter(|ahead| ahead.needs_more(job.way)) {
            // Somebody has to get on: what was read by now goes out, even if others might come before it.
            if scanner.is_spent() {
                break;
            }
            scanner.load(ahead)?;
        }
        let Some(first) =
            lanes.iter_mut().filter(|ahead| !ahead.read.is_empty()).reduce(|a, b| if b.goes_before(a, job.way) { b } else { a })
        else {
            break if lanes.iter().all(|ahead| ahead.lane.is_done(job.way)) { Ended::End } else { Ended::Budget };
        };
        let Some(read) = first.read.pop_front() else { continue };
        first.lane.at = if job.way == Way::Forward { read.offset.saturating_add(1) } else { read.offset };
        scanned = scanned.saturating_add(1);
        if let Some(record) = read.fitting {
            let (item, bytes) = make(record);
            held = held.saturating_add(bytes);
            items.push(item);
        }
    };
    Ok(Found { items, lanes: lanes.into_iter().map(|ahead| ahead.lane).collect(), scanned, ended })
}

impl Ahead {
    fn needs_more(&self, way: Way) -> bool {
        self.read.is_empty() && !self.lane.is_done(way)
    }

    fn goes_before(&self, other: &Ahead, way: Way) -> bool {
        let rank = |ahead: &Ahead| ahead.read.front().map(|read| (read.timestamp, ahead.lane.partition, read.offset));
        match way {
            Way::Forward => rank(self) < rank(other),
            Way::Back => rank(self) > rank(other),
        }
    }
}

impl Scanner<'_> {
    fn is_spent(&self) -> bool {
        let budget = &self.job.budget;
        self.loads > 0 && (self.records >= budget.records || self.bytes >= budget.bytes || self.begun.elapsed() >= budget.time)
    }

    /// Records before `to`. Others that were read with them cost nothing but time.
    fn read(&mut self, partition: PartitionId, from: i64, to: i64, bytes: usize) -> Result<Vec<StoredRecord>, ClusterError> {
        let reading = self.job.source.read(&self.job.topic, partition, Offset(from), bytes);
        let mut records = self.runtime.block_on(reading)?;
        records.retain(|record| record.offset.0 < to);
        self.loads = self.loads.saturating_add(1);
        self.records = self.records.saturating_add(records.len() as u64);
        self.bytes = self.bytes.saturating_add(records.iter().map(StoredRecord::held).fold(0, usize::saturating_add));
        Ok(records)
    }

    fn kept(&self, record: StoredRecord) -> Read {
        let (offset, timestamp) = (record.offset.0, record.timestamp);
        Read { offset, timestamp, fitting: self.job.filter.fits(&record).then_some(record) }
    }

    /// Reads on in one partition. It has something then, or is further on.
    fn load(&mut self, ahead: &mut Ahead) -> Result<(), ClusterError> {
        match self.job.way {
            Way::Forward => self.load_forward(ahead),
            Way::Back => self.load_back(ahead),
        }
    }

    fn load_forward(&mut self, ahead: &mut Ahead) -> Result<(), ClusterError> {
        let lane = &mut ahead.lane;
        let records = self.read(lane.partition, lane.at, lane.end, CHUNK_BYTES)?;
        ahead.read.extend(records.into_iter().map(|record| self.kept(record)));
        if ahead.read.is_empty() {
            // What is left has no records: compacted, damaged, or marks of transactions.
            lane.at = lane.end;
        }
        Ok(())
    }

    fn load_back(&mut self, ahead: &mut Ahead) -> Result<(), ClusterError> {
        while !ahead.lane.is_done(Way::Back) {
            let (at, start) = (ahead.lane.at, ahead.lane.start);
            let from = at.saturating_sub(ahead.step).max(start);
            let Some(records) = self.read_between(ahead.lane.partition, from, at)? else {
                ahead.step = (ahead.step / 8).max(1);
                continue;
            };
            if !records.is_empty() {
                ahead.step = ahead.step.saturating_mul(2).min(STEP_RECORDS_MAX);
                ahead.read = records.into_iter().rev().map(|record| self.kept(record)).collect();
                return Ok(());
            }
            ahead.step = ahead.step.saturating_mul(4).min(STEP_RECORDS_MAX);
            ahead.lane.at = from;
            if self.is_spent() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// All records of these offsets; `None` if they are too many bytes to be held, and more than one.
    fn read_between(&mut self, partition: PartitionId, from: i64, to: i64) -> Result<Option<Vec<StoredRecord>>, ClusterError> {
        let (mut at, mut bytes) = (from, 0_usize);
        let mut all: Vec<StoredRecord> = Vec::new();
        let step = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let chunk = step.saturating_mul(BYTES_AN_OFFSET).min(CHUNK_BYTES);
        while at < to {
            let records = self.read(partition, at, to, chunk)?;
            let Some(last) = records.last() else { break };
            at = last.offset.0.saturating_add(1);
            for record in records {
                bytes = bytes.saturating_add(record.held());
                all.push(record);
            }
            if bytes > BACK_BYTES_MAX && all.len() > 1 {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }
}

/// Who may scan: a few at once.
pub(super) struct Scans {
    all: Arc<Semaphore>,
    /// Of their own: a few students who read all the time keep no instructor waiting.
    instructors: Arc<Semaphore>,
    by_user: Arc<Mutex<HashMap<String, usize>>>,
    waiting: Arc<AtomicUsize>,
    wait_max: Duration,
}

impl Default for Scans {
    fn default() -> Scans {
        Scans {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            instructors: Arc::new(Semaphore::new(AT_ONCE_OF_ONE)),
            by_user: Arc::default(),
            waiting: Arc::default(),
            wait_max: WAIT_MAX,
        }
    }
}

/// A place among those who scan.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _own: Own,
    waiting: Arc<AtomicUsize>,
}

impl Turn {
    /// What a page may cost now.
    pub fn budget(&self) -> Budget {
        if self.waiting.load(Ordering::Relaxed) == 0 { Budget::PAGE } else { Budget::CROWDED }
    }
}

/// One who waits for a place.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(waiting: &Arc<AtomicUsize>) -> Waiting {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(Arc::clone(waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Own {
    user: String,
    by_user: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_user.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                by_user.remove(&self.user);
            }
        }
    }
}

impl Scans {
    /// Waits for a place, not for long.
    pub async fn turn(&self, caller: &Caller) -> Result<Turn, Refused> {
        let begun = Instant::now();
        let user = caller.user.as_deref().unwrap_or_default();
        let most = if caller.role == Role::Instructor { AT_ONCE } else { AT_ONCE_OF_ONE };
        let own = loop {
            match self.own(user, most) {
                Some(own) => break own,
                None if begun.elapsed() >= OWN_WAIT_MAX => {
                    let error = "you are reading records in too many places at once";
                    return Err(Refused::too_many(error, Duration::from_secs(2)));
                }
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let places = if caller.role == Role::Instructor { &self.instructors } else { &self.all };
        let waiting = Waiting::new(&self.waiting);
        let place = tokio::time::timeout(self.wait_max, Arc::clone(places).acquire_owned()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(Turn { _place: place, _own: own, waiting: Arc::clone(&self.waiting) }),
            _ => {
                let busy = Refused::too_many("too many people are reading records at the moment", Duration::from_secs(2));
                Err(Refused { status: axum::http::StatusCode::SERVICE_UNAVAILABLE, ..busy })
            }
        }
    }

    fn own(&self, user: &str, most: usize) -> Option<Own> {
        let mut by_user = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_user.entry(user.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Own { user: user.to_owned(), by_user: Arc::clone(&self.by_user) })
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
