//! What all connections share: memory for requests in flight, and how many connections there may be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are counted in units of this many bytes.
const UNIT_BYTES: usize = 1024;

#[derive(Clone)]
pub struct Limits {
    pub request_bytes_max: usize,
    pub idle: Duration,
    /// From the first byte of a frame to its last.
    pub frame_within: Duration,
    /// A reader that takes nothing for this long is closed. Also how long an answer is waited for after the client has closed its side.
    pub drain_within: Duration,
    in_flight: Arc<Semaphore>,
    in_flight_units: usize,
    connections: Arc<Semaphore>,
}

impl Limits {
    pub fn new(request_bytes_max: usize, in_flight_bytes_max: usize, connections_max: usize, idle: Duration) -> Limits {
        Limits {
            request_bytes_max,
            idle,
            frame_within: Duration::from_secs(30),
            drain_within: Duration::from_secs(30),
            in_flight: Arc::new(Semaphore::new(in_flight_bytes_max / UNIT_BYTES)),
            in_flight_units: in_flight_bytes_max / UNIT_BYTES,
            connections: Arc::new(Semaphore::new(connections_max)),
        }
    }

    /// Waits until a frame of this size may be read. Held until the request is answered.
    pub async fn memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // A frame larger than everything takes everything, or it would wait for ever.
        let units = u32::try_from((bytes / UNIT_BYTES + 1).min(self.in_flight_units)).unwrap_or(u32::MAX);
        Arc::clone(&self.in_flight).acquire_many_owned(units).await.ok()
    }

    /// A place for one more connection, or none.
    pub fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }
}
