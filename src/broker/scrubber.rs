//! The scrubber: reads closed segments again, slowly, so that damage is known before a reader comes by.
//!
//! One blocking thread reads at a time, past the page cache and without a lock; between two reads it rests as long as the rate asks for.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::partition::Partition;
use super::{Broker, clock};
use crate::log::{Scrub, ScrubStep};
use crate::model::Offset;

/// Longest time until a changed setting is noticed.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// The first pass does not come into the way of a start.
const FIRST_AFTER_MAX_MS: i64 = 60_000;

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

impl Broker {
    pub(super) async fn scrub_loop(self: Arc<Self>) {
        let mut due = clock::now().plus_ms(self.configs.broker().scrub_interval_ms.min(FIRST_AFTER_MAX_MS));
        loop {
            let wait = Duration::from_millis(u64::try_from(due.since(clock::now())).unwrap_or(0)).min(LOOK_MAX);
            if self.rest(wait).await == Next::Stop {
                return;
            }
            let settings = self.configs.broker();
            // Also a clock that was set back does not hold off a pass for longer than the interval.
            due = due.min(clock::now().plus_ms(settings.scrub_interval_ms));
            if clock::now() < due || settings.scrub_bytes_per_second == 0 {
                continue;
            }
            due = clock::now().plus_ms(settings.scrub_interval_ms);
            if self.scrub_all().await == Next::Stop {
                return;
            }
        }
    }

    async fn rest(&self, time: Duration) -> Next {
        tokio::select! {
            () = tokio::time::sleep(time) => Next::On,
            () = self.stopped() => Next::Stop,
        }
    }

    async fn scrub_all(&self) -> Next {
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                let mut from = Offset::ZERO;
                while let Some(scrub) = partition.view().scrub(from) {
                    from = scrub.base_offset().plus(1);
                    if self.scrub(partition, scrub).await == Next::Stop {
                        return Next::Stop;
                    }
                }
            }
        }
        self.metrics.scrub_pass_ended.store(clock::now().0, Relaxed);
        Next::On
    }

    /// One segment, to its end or the end of its partition.
    async fn scrub(&self, partition: &Partition, mut scrub: Scrub) -> Next {
        while !partition.is_deleted() {
            let stepped = tokio::task::spawn_blocking(move || {
                let step = scrub.step_blocking();
                (scrub, step)
            });
            let Ok((back, step)) = stepped.await else { return Next::On };
            scrub = back;
            match step {
                Ok(ScrubStep::Read(bytes)) => {
                    self.metrics.scrubbed_bytes.add(bytes);
                    let rate = self.configs.broker().scrub_bytes_per_second.max(1);
                    if self.rest(Duration::from_secs_f64(bytes as f64 / rate as f64)).await == Next::Stop {
                        return Next::Stop;
                    }
                }
                Ok(ScrubStep::Done { found: 0 }) => return Next::On,
                Ok(ScrubStep::Done { found }) => {
                    self.metrics.scrub_found.add(found as u64);
                    tracing::error!(partition = %partition.name, segment = scrub.base_offset().0, found, "damage was found on the disk");
                    return Next::On;
                }
                Err(error) => {
                    // Retention takes segments away at any time.
                    if error.kind() != std::io::ErrorKind::NotFound {
                        tracing::error!(partition = %partition.name, segment = scrub.base_offset().0, %error, "a segment cannot be read");
                    }
                    return Next::On;
                }
            }
        }
        Next::On
    }
}
