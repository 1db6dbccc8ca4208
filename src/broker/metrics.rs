//! What the broker counts. Plain atomics, read by `snapshot`; nothing here decides anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Catalog;
use crate::model::metrics::{ErrorCount, Histogram, MetricsSnapshot, RequestCount, TopicCount, UnsupportedCount};
use crate::model::{ErrorCode, Timestamp};

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
const BUCKETS_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];
/// Error codes and unsupported requests told apart; more are only counted together.
const TOLD_APART_MAX: usize = 1000;

/// Characters of a client's name that are kept.
const CLIENT_CHARS_MAX: usize = 64;

const KEYS: usize = 96;
const VERSIONS: usize = 20;
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;

#[derive(Default)]
struct Latency {
    /// The last bucket has no bound.
    buckets: [Counter; BUCKETS_US.len() + 1],
    micros: Counter,
}

impl Latency {
    fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS_US.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(1);
        }
        self.micros.add(micros);
    }

    fn histogram(&self) -> Histogram {
        Histogram {
            bounds: BUCKETS_US.iter().map(|us| *us as f64 / 1e6).collect(),
            counts: self.buckets.iter().map(Counter::get).collect(),
            sum_seconds: self.micros.get() as f64 / 1e6,
        }
    }
}

/// One partition's traffic.
#[derive(Default)]
pub struct Traffic {
    pub messages_in: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
}

const LOG_EVERY: Duration = Duration::from_secs(60);

pub struct Metrics {
    started: Timestamp,
    /// By API key and version.
    requests: Vec<[Counter; VERSIONS]>,
    produce_latency: Latency,
    fetch_latency: Latency,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub connections: Counter,
    pub connections_opened: Counter,
    pub connections_refused: Counter,
    pub panics: Counter,
    pub compactions: Counter,
    pub compaction_bytes_reclaimed: Counter,
    pub scrubbed_bytes: Counter,
    pub scrub_found: Counter,
    /// When the last pass of the scrubber over everything ended, in milliseconds since 1970; 0 before.
    pub scrub_pass_ended: AtomicI64,
    told: Mutex<Told>,
}

/// What is counted under names.
#[derive(Default)]
struct Told {
    errors: BTreeMap<(i16, i16), u64>,
    unsupported: BTreeMap<(i16, i16, String), u64>,
    garbage_logged: Option<Instant>,
    lines: Lines,
}

/// Lines of the log that anybody can cause: so many at once, then so many a second, or one who knocks all night fills the disk.
struct Lines {
    left: f64,
    at: Instant,
    left_out: u64,
}

const LINES_AT_ONCE: f64 = 100.0;
const LINES_PER_S: f64 = 1.0;

impl Default for Lines {
    fn default() -> Lines {
        Lines { left: LINES_AT_ONCE, at: Instant::now(), left_out: 0 }
    }
}

impl Metrics {
    pub fn new(started: Timestamp) -> Metrics {
        Metrics {
            started,
            requests: (0..KEYS).map(|_| Default::default()).collect(),
            produce_latency: Latency::default(),
            fetch_latency: Latency::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            connections: Counter::default(),
            connections_opened: Counter::default(),
            connections_refused: Counter::default(),
            panics: Counter::default(),
            compactions: Counter::default(),
            compaction_bytes_reclaimed: Counter::default(),
            scrubbed_bytes: Counter::default(),
            scrub_found: Counter::default(),
            scrub_pass_ended: AtomicI64::new(0),
            told: Mutex::default(),
        }
    }

    pub fn request(&self, key: i16, version: i16, took: Duration) {
        let versions = usize::try_from(key).ok().and_then(|k| self.requests.get(k));
        if let Some(count) = versions.and_then(|v| v.get(usize::try_from(version).ok()?)) {
            count.add(1);
        }
        match key {
            PRODUCE => self.produce_latency.note(took),
            FETCH => self.fetch_latency.note(took),
            _ => {}
        }
    }

    /// An error code that was answered.
    pub fn error(&self, key: i16, code: ErrorCode) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let row = (key, code.code());
        if told.errors.len() < TOLD_APART_MAX || told.errors.contains_key(&row) {
            *told.errors.entry(row).or_default() += 1;
        }
    }

    /// A connection closed on a request that is not served. Logged once per client and request.
    pub fn unsupported(&self, remote: SocketAddr, client: &str, key: i16, version: i16) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let client: String = client.chars().take(CLIENT_CHARS_MAX).collect();
        let named = (key, version, client.clone());
        let full = told.unsupported.len() >= TOLD_APART_MAX && !told.unsupported.contains_key(&named);
        let row = if full { (-1, -1, "others".to_owned()) } else { named };
        let count = told.unsupported.entry(row).or_default();
        *count += 1;
        if *count == 1 {
            tracing::warn!(%remote, client, "connection closed: the client asked for API key {key} version {version}, which is not served");
        }
    }

    /// Whether a line may be logged that a client caused.
    pub fn may_log(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = &mut told.lines;
        lines.left = (lines.left + lines.at.elapsed().as_secs_f64() * LINES_PER_S).min(LINES_AT_ONCE);
        lines.at = Instant::now();
        if lines.left < 1.0 {
            lines.left_out += 1;
            return false;
        }
        lines.left -= 1.0;
        let left_out = std::mem::take(&mut lines.left_out);
        if left_out > 0 {
            tracing::warn!(left_out, "clients caused more lines than are logged");
        }
        true
    }

    /// A connection closed on bytes that are no Kafka request: mostly scanners, so logged once a minute.
    pub fn garbage(&self, remote: SocketAddr, reason: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.garbage_logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            told.garbage_logged = Some(Instant::now());
            tracing::warn!(%remote, reason, "connection closed: not a Kafka request");
        }
    }

    pub fn snapshot(&self, api_names: &[(i16, &'static str)], catalog: &Catalog) -> MetricsSnapshot {
        let name = |key: i16| api_names.iter().find(|(k, _)| *k == key).map_or_else(|| format!("key_{key}"), |(_, n)| (*n).to_owned());
        let versions = |(key, versions): (i16, &[Counter; VERSIONS])| {
            let counts: Vec<(i16, u64)> = (0..).zip(versions.iter().map(Counter::get)).filter(|(_, count)| *count > 0).collect();
            counts.into_iter().map(move |(version, count)| (key, version, count))
        };
        let mut requests: Vec<RequestCount> = (0..)
            .zip(&self.requests)
            .flat_map(versions)
            .map(|(key, version, count)| RequestCount { api: name(key), version, count })
            .collect();
        requests.sort_by(|a, b| (&a.api, a.version).cmp(&(&b.api, b.version)));
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let errors = told.errors.iter().map(|((key, code), count)| ErrorCount { api: name(*key), code: *code, count: *count });
        let unsupported = told.unsupported.iter().map(|((api_key, version, client), count)| UnsupportedCount {
            api_key: *api_key,
            version: *version,
            client: client.clone(),
            count: *count,
        });
        MetricsSnapshot {
            started: Some(self.started),
            requests,
            errors: errors.collect(),
            unsupported: unsupported.collect(),
            topics: topic_counts(catalog),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            connections_open: self.connections.get(),
            connections_accepted: self.connections_opened.get(),
            connections_refused: self.connections_refused.get(),
            produce_latency: self.produce_latency.histogram(),
            fetch_latency: self.fetch_latency.histogram(),
            panics: self.panics.get(),
            compactions: self.compactions.get(),
            compaction_bytes_reclaimed: self.compaction_bytes_reclaimed.get(),
            compactions_given_up: given_up(catalog),
            scrubbed_bytes: self.scrubbed_bytes.get(),
            scrub_found: self.scrub_found.get(),
            scrub_pass_ended: Some(Timestamp(self.scrub_pass_ended.load(Relaxed))).filter(|ended| ended.0 > 0),
            ..MetricsSnapshot::default()
        }
    }
}

fn given_up(catalog: &Catalog) -> u64 {
    let of = |topic: &Arc<super::Topic>| topic.partitions().iter().filter(|partition| partition.is_given_up_by_cleaner()).count();
    catalog.list().iter().map(|topic| of(topic) as u64).sum()
}

fn topic_counts(catalog: &Catalog) -> Vec<TopicCount> {
    let count = |topic: &Arc<super::Topic>| {
        let mut total = TopicCount { topic: topic.name.clone(), messages_in: 0, bytes_in: 0, bytes_out: 0 };
        for partition in topic.partitions().iter() {
            total.messages_in += partition.traffic.messages_in.get();
            total.bytes_in += partition.traffic.bytes_in.get();
            total.bytes_out += partition.traffic.bytes_out.get();
        }
        total
    };
    catalog.list().iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_of_errors_counts_on() {
        let metrics = Metrics::new(Timestamp(0));
        for key in 0..=TOLD_APART_MAX as i16 {
            metrics.error(key, ErrorCode::InvalidRequest);
        }
        metrics.error(3, ErrorCode::InvalidRequest);
        let told = metrics.told.lock().unwrap();
        assert_eq!((told.errors.len(), told.errors[&(3, ErrorCode::InvalidRequest.code())]), (TOLD_APART_MAX, 2));
    }

    #[test]
    fn what_clients_invent_does_not_fill_the_memory() {
        let metrics = Metrics::new(Timestamp(0));
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        for i in 0..3000_i16 {
            metrics.unsupported(remote, &"n".repeat(10_000), i, i);
        }
        let told = metrics.told.lock().unwrap();
        assert_eq!(told.unsupported.len(), TOLD_APART_MAX + 1);
        assert_eq!(told.unsupported.values().sum::<u64>(), 3000);
        assert!(told.unsupported.keys().all(|(_, _, client)| client.len() <= CLIENT_CHARS_MAX));
    }
}
