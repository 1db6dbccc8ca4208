//! How long the network thread works for a connection: reading, handling and writing, and none of the waits between.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Measures only while somebody asks for it.
#[derive(Default)]
pub struct ThreadTime {
    measured: AtomicBool,
    nanos: AtomicU64,
}

impl ThreadTime {
    /// What came together since it was taken last, or since measuring began.
    pub fn take(&self) -> Duration {
        self.measured.store(true, Relaxed);
        Duration::from_nanos(self.nanos.swap(0, Relaxed))
    }

    pub fn stop(&self) {
        if self.measured.load(Relaxed) {
            self.measured.store(false, Relaxed);
            self.nanos.store(0, Relaxed);
        }
    }

    /// Runs a connection's work, measured.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if !self.measured.load(Relaxed) {
                return work.as_mut().poll(cx);
            }
            let begun = Instant::now();
            let polled: Poll<T> = work.as_mut().poll(cx);
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.nanos.fetch_add(nanos, Relaxed);
            polled
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_measured_and_waiting_is_not() {
        let time = ThreadTime::default();
        let work = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            std::thread::sleep(Duration::from_millis(5));
        };
        time.of(work()).await;
        assert_eq!(time.take(), Duration::ZERO, "nobody had asked");
        time.of(work()).await;
        let took = time.take();
        assert!(took >= Duration::from_millis(5) && took < Duration::from_millis(45), "{took:?}");
        time.stop();
        time.of(work()).await;
        assert_eq!(time.take(), Duration::ZERO);
    }
}
