//! What the broker counts, as plain numbers at one moment.

use super::{Timestamp, TopicName};

/// All counters since the start of the process. Lists are sorted by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsSnapshot {
    pub started: Option<Timestamp>,
    pub requests: Vec<RequestCount>,
    pub errors: Vec<ErrorCount>,
    pub unsupported: Vec<UnsupportedCount>,
    pub topics: Vec<TopicCount>,
    /// Bytes read from and written to Kafka sockets.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub connections_open: u64,
    pub connections_accepted: u64,
    pub connections_refused: u64,
    pub produce_latency: Histogram,
    pub fetch_latency: Histogram,
    /// Tasks that ended by a panic.
    pub panics: u64,
    /// Passes of the cleaner over a partition.
    pub compactions: u64,
    pub compaction_bytes_reclaimed: u64,
    /// Partitions that the cleaner cannot read and leaves alone until the next start.
    pub compactions_given_up: u64,
    /// Bytes of closed segments read again to find damage, parts found damaged that way, the end of the last pass over all.
    pub scrubbed_bytes: u64,
    pub scrub_found: u64,
    pub scrub_pass_ended: Option<Timestamp>,
    pub disk: Option<DiskGauge>,
    /// Nothing is taken from producers after too many unclean starts.
    pub read_only: bool,
    /// Files found damaged at the start.
    pub files_damaged: usize,
    /// Topics of the folder that could not be opened at the start.
    pub topics_closed: usize,
    /// Partitions closed to writers because the disk failed.
    pub partitions_offline: usize,
}

/// The disk under the data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskGauge {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Below this a warning is given.
    pub warning_bytes: u64,
    /// Below this producers are refused.
    pub floor_bytes: u64,
    /// Whether they are.
    pub full: bool,
    /// What could still be given up.
    pub ballast_bytes: u64,
}

/// Requests answered, by API and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCount {
    pub api: String,
    pub version: i16,
    pub count: u64,
}

/// Error codes answered, by API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCount {
    pub api: String,
    pub code: i16,
    pub count: u64,
}

/// Requests that are not served, by who sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedCount {
    pub api_key: i16,
    pub version: i16,
    pub client: String,
    pub count: u64,
}

/// One topic's traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCount {
    pub topic: TopicName,
    pub messages_in: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Durations sorted into buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds in seconds, ascending; above the last one there is one more bucket.
    pub bounds: Vec<f64>,
    /// Durations in each bucket by itself: one more than there are bounds.
    pub counts: Vec<u64>,
    pub sum_seconds: f64,
}
