//! What all connections share: memory for requests and answers in flight, and how many connections there may be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::strangers::Strangers;

/// Permits are counted in units of this many bytes.
const UNIT_BYTES: usize = 1024;
/// Connections that have not logged in yet.
const STRANGERS_MAX: usize = 256;
const IN_FLIGHT_BYTES_MAX: usize = 256 << 20;

#[derive(Clone)]
pub struct Limits {
    pub request_bytes_max: usize,
    pub idle: Duration,
    /// From the first byte of a connection to the end of its login, TLS included.
    pub login_within: Duration,
    /// From the first byte of a frame to its last.
    pub frame_within: Duration,
    /// Bytes a second that a frame has to come in with, once its first seconds are over.
    pub frame_rate_min: u64,
    /// A reader that takes nothing for this long is closed. Also how long an answer is waited for after the client has closed its side.
    pub drain_within: Duration,
    requests: Memory,
    answers: Memory,
    connections: Arc<Semaphore>,
    pub strangers: Strangers,
}

impl Limits {
    pub fn new(request_bytes_max: usize, in_flight_bytes_max: usize, connections_max: usize, idle: Duration) -> Limits {
        Limits {
            request_bytes_max,
            idle,
            login_within: Duration::from_secs(10),
            frame_within: Duration::from_secs(30),
            frame_rate_min: 1024,
            drain_within: Duration::from_secs(30),
            requests: Memory::new(in_flight_bytes_max),
            answers: Memory::new(IN_FLIGHT_BYTES_MAX),
            connections: Arc::new(Semaphore::new(connections_max)),
            strangers: Strangers::new(STRANGERS_MAX),
        }
    }

    #[must_use]
    pub fn with_answer_memory(mut self, bytes_max: usize) -> Limits {
        self.answers = Memory::new(bytes_max);
        self
    }

    /// For frames that are being read or answered.
    pub fn requests(&self) -> &Memory {
        &self.requests
    }

    /// For answers that the client has not read yet.
    pub fn answers(&self) -> &Memory {
        &self.answers
    }

    /// A place for one more connection, or none.
    pub fn connection(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }
}

/// A number of bytes that connections share.
#[derive(Clone)]
pub struct Memory {
    free: Arc<Semaphore>,
    units: usize,
}

/// What one connection has of it.
#[derive(Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    fn units(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.0 {
            Some(held) => held.merge(more),
            None => self.0 = Some(more),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn release(&mut self) {
        self.0 = None;
    }
}

impl Memory {
    fn new(bytes: usize) -> Memory {
        let units = (bytes / UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Memory { free: Arc::new(Semaphore::new(units)), units }
    }

    fn missing(&self, held: &Held, bytes: usize) -> u32 {
        // Who wants more than there is takes everything, or it would wait for ever.
        let wanted = (bytes / UNIT_BYTES).saturating_add(1).min(self.units);
        u32::try_from(wanted.saturating_sub(held.units())).unwrap_or(u32::MAX)
    }

    /// Waits until `held` is enough for so many bytes.
    pub async fn grow(&self, held: &mut Held, bytes: usize) {
        let missing = self.missing(held, bytes);
        if missing > 0
            && let Ok(more) = Arc::clone(&self.free).acquire_many_owned(missing).await
        {
            held.add(more);
        }
    }

    /// The same without waiting: false if there is not enough.
    pub fn try_grow(&self, held: &mut Held, bytes: usize) -> bool {
        match self.missing(held, bytes) {
            0 => true,
            missing => Arc::clone(&self.free).try_acquire_many_owned(missing).map(|more| held.add(more)).is_ok(),
        }
    }

    /// So little is left that who holds some and makes no use of it has to give it back.
    pub fn is_short(&self) -> bool {
        self.free.available_permits() < self.units / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_what_came_and_goes_back_at_once() {
        let memory = Memory::new(100 << 10);
        let (mut one, mut other) = (Held::default(), Held::default());
        assert!(memory.try_grow(&mut one, 10 << 10) && memory.try_grow(&mut one, 5 << 10), "what is held already is enough");
        assert_eq!(one.units(), 11);
        assert!(memory.try_grow(&mut one, 60 << 10) && !memory.is_short());
        assert!(!memory.try_grow(&mut other, 60 << 10) && other.is_empty());
        assert!(memory.try_grow(&mut other, 38 << 10) && memory.is_short());
        one.release();
        assert!(memory.try_grow(&mut other, 1 << 30), "more than everything takes everything");
        assert_eq!(other.units(), 100);
    }
}
