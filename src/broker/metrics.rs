//! What the broker counts. Plain atomics, read by `snapshot`; nothing here decides anything.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of the duration buckets, in microseconds.
pub const BUCKETS_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// One API key's requests: how many by version, and how long they took.
#[derive(Default)]
pub struct RequestStats {
    pub by_version: [Counter; VERSIONS],
    /// The last bucket has no bound.
    pub buckets: [Counter; BUCKETS_US.len() + 1],
    pub micros: Counter,
}

const KEYS: usize = 96;
const VERSIONS: usize = 20;
/// Clients whose unsupported requests were logged; more are only counted.
const LOGGED_MAX: usize = 1000;
const LOG_EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Metrics {
    requests: Vec<RequestStats>,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub connections: Counter,
    pub connections_opened: Counter,
    pub connections_refused: Counter,
    pub produced_bytes: Counter,
    pub produced_records: Counter,
    pub fetched_bytes: Counter,
    pub panics: Counter,
    pub unsupported: Counter,
    pub malformed: Counter,
    pub acks_0_failures: Counter,
    logged: Mutex<Logged>,
}

#[derive(Default)]
struct Logged {
    unsupported: HashSet<String>,
    malformed: Option<Instant>,
}

impl Metrics {
    pub fn new() -> Metrics {
        Metrics { requests: (0..KEYS).map(|_| RequestStats::default()).collect(), ..Metrics::default() }
    }

    pub fn request(&self, key: i16, version: i16, took: Duration) {
        let Some(stats) = usize::try_from(key).ok().and_then(|k| self.requests.get(k)) else { return };
        if let Some(count) = usize::try_from(version).ok().and_then(|v| stats.by_version.get(v)) {
            count.add(1);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS_US.len());
        if let Some(bucket) = stats.buckets.get(bucket) {
            bucket.add(1);
        }
        stats.micros.add(micros);
    }

    pub fn requests(&self) -> impl Iterator<Item = (i16, &RequestStats)> {
        (0_i16..).zip(&self.requests)
    }

    pub fn produced(&self, bytes: u64, records: i64) {
        self.produced_bytes.add(bytes);
        self.produced_records.add(u64::try_from(records).unwrap_or(0));
    }

    /// Counts a connection that was closed on its client, and says so once: per client and request for unsupported ones, once a
    /// minute for garbage, which is mostly scanners.
    pub fn hang_up(&self, remote: SocketAddr, client: &str, kind: &'static str, reason: &str) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            "unsupported" => {
                self.unsupported.add(1);
                let line = format!("{client}: {reason}");
                if logged.unsupported.len() < LOGGED_MAX && logged.unsupported.insert(line) {
                    tracing::warn!(%remote, client, reason, "connection closed on an unsupported request");
                }
            }
            "acks_0" => {
                self.acks_0_failures.add(1);
                tracing::info!(%remote, client, reason, "connection closed");
            }
            _ => {
                self.malformed.add(1);
                if logged.malformed.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    logged.malformed = Some(Instant::now());
                    tracing::warn!(%remote, reason, "connection closed on bytes that are no Kafka request");
                }
            }
        }
    }
}
