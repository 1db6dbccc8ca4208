//! What happens without a request: flushing, rolling, expiring. One blocking thread, woken by the clock.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::flusher::flush_blocking;
use super::{Broker, clock};

/// Segments are looked at this often for rolling by time and for retention, whatever the configured interval is at most.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(300);
/// Longest time until a changed `flush.ms` or a new topic is seen. The first records of a topic wait no longer for the disk than others.
const FLUSH_LOOK_MAX: Duration = Duration::from_millis(100);
/// How much a start after kill -9 has to scan at most, in time.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

impl Broker {
    /// Starts the background work. It ends when the broker shuts down.
    pub fn start_housekeeping(self: &Arc<Self>) {
        tokio::spawn(Arc::clone(self).flush_loop());
        tokio::spawn(Arc::clone(self).space_loop());
        if !self.space.is_read_only() {
            tokio::spawn(Arc::clone(self).retention_loop());
            tokio::spawn(Arc::clone(self).forget_unclean_starts());
        }
        tokio::spawn(Arc::clone(self).checkpoint_loop());
        tokio::spawn(Arc::clone(self).cleaner_loop());
        tokio::spawn(Arc::clone(self).scrub_loop());
    }

    async fn flush_loop(self: Arc<Self>) {
        loop {
            let broker = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || broker.flush_what_is_due()).await;
            tokio::select! {
                () = tokio::time::sleep(looked.unwrap_or(FLUSH_LOOK_MAX)) => {}
                () = self.stopped() => return,
            }
        }
    }

    /// One flush of all partitions whose `flush.ms` is over. Gives the time until the next look: the interval is from one begin to the next,
    /// as what came during a flush has waited since. Blocks.
    fn flush_what_is_due(&self) -> Duration {
        let topics = self.catalog.list();
        let partitions: Vec<_> = topics.iter().map(|topic| topic.partitions()).collect();
        let (now, begun) = (clock::now(), Instant::now());
        // Offline was logged when it became so.
        let due = partitions.iter().flat_map(|of_topic| of_topic.iter()).filter_map(|partition| partition.begin_flush_if_due(now).ok()?);
        flush_blocking(&self.folder, due.collect());
        let shortest = partitions.iter().filter_map(|of_topic| Some(of_topic.first()?.config().flush_ms)).min();
        let shortest = u64::try_from(shortest.unwrap_or(i64::MAX)).unwrap_or(1);
        let interval = Duration::from_millis(shortest.max(1)).min(FLUSH_LOOK_MAX);
        // A disk that does not keep up gets some rest.
        interval.saturating_sub(begun.elapsed()).max(interval / 4)
    }

    pub(super) fn flush_everything_blocking(&self) {
        let partitions: Vec<_> = self.catalog.list().iter().map(|topic| topic.partitions()).collect();
        // Offline was logged when it became so.
        let dirty = partitions.iter().flat_map(|of_topic| of_topic.iter()).filter_map(|partition| partition.begin_flush_if_free().ok()?);
        flush_blocking(&self.folder, dirty.collect());
    }

    async fn retention_loop(self: Arc<Self>) {
        loop {
            let every = self.configs.broker().retention_check_interval_ms;
            let rest = Duration::from_millis(u64::try_from(every).unwrap_or(1).max(1)).min(LOOK_EVERY_MAX);
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.stopped() => return,
            }
            let broker = Arc::clone(&self);
            let _ = tokio::task::spawn_blocking(move || broker.housekeep_all()).await;
        }
    }

    pub(super) fn housekeep_all(&self) {
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                if let Err(error) = partition.housekeep(clock::now()) {
                    tracing::error!(partition = %partition.name, %error, "cannot roll or expire segments");
                }
            }
        }
    }

    async fn checkpoint_loop(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(CHECKPOINT_EVERY) => {}
                () = self.stopped() => return,
            }
            let broker = Arc::clone(&self);
            let work = move || {
                broker.forget_surplus_producers();
                broker.write_checkpoints()
            };
            let written = tokio::task::spawn_blocking(work).await;
            if let Ok(Err(error)) = written {
                tracing::error!(%error, "cannot write the checkpoints; a start after a crash takes longer");
            }
        }
    }

    /// Keeps the number of remembered producers of all partitions together below `headwater.producer.ids.max`. Each partition gives
    /// the same share of those that it remembers.
    pub(super) fn forget_surplus_producers(&self) {
        let most = self.configs.broker().producer_ids_max;
        let topics = self.catalog.list();
        let of_each: Vec<_> = topics.iter().flat_map(|topic| topic.partitions().to_vec()).map(|p| (p.producer_count(), p)).collect();
        let all: usize = of_each.iter().map(|(count, _)| count).sum();
        if all <= most {
            return;
        }
        tracing::info!(all, most, "more producers than are remembered; the longest idle are forgotten");
        for (count, partition) in of_each {
            partition.keep_most_producers(count.saturating_mul(most) / all);
        }
    }

    pub(super) fn write_checkpoints(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                // One partition's trouble is not the others'.
                outcome = outcome.and(partition.checkpoint());
            }
        }
        outcome.and(self.write_checkpoint_rows())
    }

    /// The two checkpoint files alone. Due at once after records or topics were deleted: a start after a crash must not take a row of
    /// a topic that is gone for one of a topic made since.
    pub(super) fn write_checkpoint_rows(&self) -> io::Result<()> {
        let _order = self.checkpoint_files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = Vec::new();
        for topic in self.catalog.list() {
            for partition in topic.partitions().iter() {
                rows.push((partition.name.clone(), partition.checkpoint_row()));
            }
        }
        self.folder.write_recovery_points(rows.iter().map(|(name, (recovery_point, _))| (name, *recovery_point)))?;
        self.folder.write_log_starts(rows.iter().map(|(name, (_, log_start))| (name, *log_start)))
    }
}
