//! What only an embedded broker saw: its counters.

/// One API key's requests since the start.
#[derive(Clone, Debug)]
pub struct ApiRequests {
    pub api: &'static str,
    pub key: i16,
    /// Version and count, only versions that were asked.
    pub by_version: Vec<(i16, u64)>,
    /// Upper bound in microseconds and how many took at most that long; the total count is `count`.
    pub within_us: Vec<(u64, u64)>,
    pub count: u64,
    pub micros: u64,
}

/// The broker's counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct MetricsSnapshot {
    pub uptime_seconds: f64,
    /// Only keys that were asked.
    pub requests: Vec<ApiRequests>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub connections_open: u64,
    pub connections_opened: u64,
    pub connections_refused: u64,
    pub produced_records: u64,
    pub produced_bytes: u64,
    pub fetched_bytes: u64,
    pub fetch_sessions: u64,
    /// Connections closed on a request whose key or version is not served.
    pub unsupported_requests: u64,
    /// Connections closed on bytes that are no Kafka request.
    pub malformed_requests: u64,
    /// Connections closed because a produce request with acks=0 failed.
    pub acks_0_failures: u64,
    pub panics: u64,
}

pub trait Inspection: Send + Sync {
    fn metrics(&self) -> MetricsSnapshot;
    /// Why the broker cannot serve, if it cannot.
    fn unhealthy(&self) -> Option<String>;
}
