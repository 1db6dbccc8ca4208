//! Room on the disk: who is refused when there is little, and what is given up when there is none.
//!
//! Producers and generators stop at the floor. Commits, deletions and checkpoints go on below it; when even they have no room, the
//! ballast goes. It is made again before producers are let in.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Broker;
use crate::config::Guards;
use crate::log::{DataFolder, LogError};
use crate::model::metrics::DiskGauge;

/// How often the disk is asked where it is far from full, and where it is not.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_CLOSELY_EVERY: Duration = Duration::from_millis(100);
/// More than producers write between two looks.
const FAR_BYTES: u64 = 4 << 30;
/// Room for a topic of many partitions, checkpoints or markers.
const SMALL_FILES_BYTES: u64 = 1 << 20;
/// A run of this length without trouble was no crash at start.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Level {
    #[default]
    Enough,
    /// Worth a warning.
    Low,
    /// Producers are refused.
    Full,
}

#[derive(Default)]
struct Seen {
    level: Level,
    gauge: Option<DiskGauge>,
    ballast_failed: bool,
}

pub struct Space {
    folder: Arc<DataFolder>,
    guards: Guards,
    /// Why nothing is taken for as long as this process lives.
    read_only: Option<String>,
    seen: Mutex<Seen>,
    /// `Level::Full`, for those who ask at every append.
    full: AtomicBool,
    look_now: Notify,
}

impl Space {
    pub(super) fn new(folder: Arc<DataFolder>, guards: Guards, unclean_starts: u32) -> Space {
        let read_only = (guards.read_only_after > 0 && unclean_starts >= guards.read_only_after).then(|| {
            format!(
                "read-only, because {unclean_starts} starts in a row found no clean stop: see in the log what ended them; \
                 to leave this, stop it and start it again with --read-only-after 0"
            )
        });
        Space { folder, guards, read_only, seen: Mutex::default(), full: AtomicBool::new(false), look_now: Notify::new() }
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only.is_some()
    }

    /// Why producers are refused now.
    pub fn refusal(&self) -> Option<String> {
        if self.read_only.is_some() {
            return self.read_only.clone();
        }
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        let gauge = self.gauge().unwrap_or_default();
        Some(format!(
            "the disk is full: {} MiB are free and producers are refused below {} MiB; deleting topics or other files lets them in again",
            gauge.free_bytes >> 20,
            gauge.floor_bytes >> 20
        ))
    }

    /// What stops nothing yet.
    pub fn warning(&self) -> Option<String> {
        let seen = self.seen();
        let gauge = seen.gauge.filter(|_| seen.level == Level::Low)?;
        Some(format!(
            "the disk is nearly full: {} MiB are free; below {} MiB producers are refused",
            gauge.free_bytes >> 20,
            gauge.floor_bytes >> 20
        ))
    }

    /// The disk as it was last looked at.
    pub fn gauge(&self) -> Option<DiskGauge> {
        self.seen().gauge
    }

    /// Somebody was told by the disk that it is full: no need to wait for the next look.
    pub fn look_soon(&self) {
        self.look_now.notify_one();
    }

    /// Gives up the ballast for somebody who found no room. Says whether that is worth another try. One unlink of one file: short
    /// enough for the network thread.
    pub(super) fn make_room_for(&self, error: &LogError) -> bool {
        let LogError::Io(error) = error else { return false };
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return false;
        }
        self.give_ballast()
    }

    /// The same for whoever is about to write several small files.
    pub(super) fn make_room(&self) {
        if self.folder.space().is_ok_and(|(free, _)| free < SMALL_FILES_BYTES) {
            self.give_ballast();
        }
    }

    fn give_ballast(&self) -> bool {
        self.look_soon();
        let released = self.folder.release_ballast().unwrap_or(false);
        if released {
            tracing::warn!("the ballast was given up: the disk has no room for the broker's own records");
        }
        released
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the disk, and moves the ballast. Says whether it has become full just now. Blocks.
    fn look_blocking(&self) -> io::Result<bool> {
        let (free_bytes, total_bytes) = self.folder.space()?;
        let has_ballast = self.guards.ballast_bytes == 0 || self.folder.has_ballast(self.guards.ballast_bytes);
        let before = self.seen().level;
        let level = self.level(before, free_bytes, total_bytes, has_ballast);
        let mut ballast = has_ballast;
        if level == Level::Full && has_ballast && free_bytes < self.guards.ballast_bytes / 2 {
            ballast = !self.folder.release_ballast()?;
        } else if level != Level::Full && !has_ballast {
            let made = self.folder.make_ballast_blocking(self.guards.ballast_bytes);
            ballast = made.is_ok();
            self.note_ballast(made);
        }
        let gauge = DiskGauge {
            free_bytes,
            total_bytes,
            warning_bytes: self.guards.warning(total_bytes),
            floor_bytes: self.guards.floor(total_bytes),
            full: level == Level::Full,
            ballast_bytes: if ballast { self.guards.ballast_bytes } else { 0 },
        };
        let mut seen = self.seen();
        seen.level = level;
        seen.gauge = Some(gauge);
        drop(seen);
        self.full.store(level == Level::Full, Ordering::Release);
        self.tell(before, level);
        Ok(level == Level::Full && before != Level::Full)
    }

    fn level(&self, before: Level, free: u64, total: u64, has_ballast: bool) -> Level {
        // The ballast has to be made again before anybody else gets the space.
        let usable = if has_ballast { free } else { free.saturating_sub(self.guards.ballast_bytes) };
        let floor = self.guards.floor(total);
        // Not in and out at every checkpoint.
        let way_out = if before == Level::Full { floor.saturating_add(floor / 16) } else { floor };
        match usable {
            usable if usable < way_out => Level::Full,
            usable if usable < self.guards.warning(total) => Level::Low,
            _ => Level::Enough,
        }
    }

    fn note_ballast(&self, made: io::Result<()>) {
        let failed_before = std::mem::replace(&mut self.seen().ballast_failed, made.is_err());
        if let Err(error) = made
            && !failed_before
        {
            tracing::warn!(%error, "there is no ballast; on a full disk commits and deletions may fail too");
        }
    }

    fn tell(&self, before: Level, level: Level) {
        match level {
            _ if level == before => {}
            Level::Full => tracing::error!("{}", self.refusal().unwrap_or_default()),
            Level::Low => tracing::warn!("{}", self.warning().unwrap_or_default()),
            Level::Enough => tracing::info!("there is room on the disk again"),
        }
    }

    fn look_again_in(&self) -> Duration {
        let far = self.gauge().is_some_and(|gauge| gauge.free_bytes.saturating_sub(gauge.floor_bytes) > FAR_BYTES);
        if far { LOOK_EVERY } else { LOOK_CLOSELY_EVERY }
    }
}

impl Broker {
    pub(super) async fn space_loop(self: Arc<Self>) {
        loop {
            let broker = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                let full_now = broker.space.look_blocking();
                if matches!(full_now, Ok(true)) && !broker.space.is_read_only() {
                    // What is due to be deleted need not wait for its hour.
                    broker.housekeep_all();
                }
                full_now
            });
            if let Ok(Err(error)) = looked.await {
                tracing::error!(%error, "cannot ask the disk how full it is");
            }
            let rest = tokio::time::sleep(self.space.look_again_in());
            tokio::select! {
                () = rest => {}
                () = async {
                    self.space.look_now.notified().await;
                    // Thousands may be told at once.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                } => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Once the broker has been well for a while, the next crash is the first in a row again.
    pub(super) async fn forget_unclean_starts(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HEALTHY_AFTER) => {}
                () = self.stopped() => return,
            }
            if self.problem().is_some() {
                continue;
            }
            let folder = Arc::clone(&self.folder);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || folder.forget_unclean_starts()).await {
                tracing::warn!(%error, "cannot note that this run is well");
                continue;
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TopicId;

    fn space(guards: Guards, unclean_starts: u32) -> (tempfile::TempDir, Space) {
        let path = tempfile::tempdir().unwrap();
        let (folder, _) = DataFolder::open(path.path(), 1, (TopicId([1; 16]), TopicId([2; 16]))).unwrap();
        (path, Space::new(Arc::new(folder), guards, unclean_starts))
    }

    #[test]
    fn the_floor_counts_without_the_ballast_and_is_left_with_a_margin() {
        let mib = |n: u64| n << 20;
        let guards = Guards { floor_bytes: mib(160), warn_percent: 25, ..Guards::default() };
        let (_path, space) = space(guards, 0);
        let level = |before, free, ballast| space.level(before, mib(free), mib(1000), ballast);
        assert_eq!(level(Level::Enough, 160, true), Level::Low);
        assert_eq!(level(Level::Enough, 159, true), Level::Full);
        assert_eq!(level(Level::Full, 169, true), Level::Full);
        assert_eq!(level(Level::Full, 170, true), Level::Low);
        assert_eq!(level(Level::Full, 201, false), Level::Full);
        assert_eq!(level(Level::Full, 202, false), Level::Low);
    }

    #[test]
    fn a_disk_below_the_floor_refuses_and_one_above_keeps_a_ballast() {
        let (path, space) = space(Guards { floor_percent: 0, floor_bytes: 0, ballast_bytes: 1 << 20, ..Guards::default() }, 0);
        assert!(!space.look_blocking().unwrap());
        assert_eq!((space.refusal(), space.gauge().unwrap().ballast_bytes), (None, 1 << 20));
        assert!(path.path().join("ballast").exists());
        let no_room = LogError::Io(io::Error::from(io::ErrorKind::StorageFull));
        assert!(space.make_room_for(&no_room) && !space.make_room_for(&no_room));
        let full = Space::new(Arc::clone(&space.folder), Guards { floor_percent: 101, ceiling_bytes: u64::MAX, ..space.guards }, 0);
        assert!(full.look_blocking().unwrap() && !full.look_blocking().unwrap());
        assert!(full.refusal().unwrap().starts_with("the disk is full"));
        assert!(!path.path().join("ballast").exists());
    }

    #[test]
    fn the_third_unclean_start_is_read_only_unless_that_is_turned_off() {
        let refused = |unclean_starts, read_only_after| space(Guards { read_only_after, ..Guards::default() }, unclean_starts).1.refusal();
        assert_eq!((refused(2, 3), refused(7, 0)), (None, None));
        assert!(refused(3, 3).unwrap().contains("--read-only-after 0"));
    }
}
