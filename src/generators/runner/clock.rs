//! The town's time: the present, or a virtual one that begins at a fixed instant.
//!
//! A virtual clock moves only when it is asked to, from where it was: whatever holds the runner up holds the town up too, and no
//! gap comes of it. Where it stood before a restart is read from the topics: it goes on at the last arrival that is written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::{ClockSetting, Speed};
use crate::model::Timestamp;

/// Tells the present.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where the history of every virtual town ends: Monday, 2026-01-05T00:00:00Z.
pub const VIRTUAL_START: Timestamp = Timestamp(1_767_571_200_000);

/// The longest step of a virtual clock.
pub(super) const STEP_MAX_MS: i64 = 10 * 60_000;

const TICK: Duration = Duration::from_millis(100);

pub(super) struct TownClock {
    present: Clock,
    asked: ClockSetting,
    /// Only of a virtual clock.
    stand: Mutex<Option<Stand>>,
}

#[derive(Clone, Copy)]
struct Stand {
    /// In milliseconds since 1970, with fractions of one.
    town: f64,
    /// The present when the clock was moved last.
    seen: Timestamp,
}

impl TownClock {
    pub(super) fn new(present: Clock, asked: ClockSetting) -> TownClock {
        TownClock { present, asked, stand: Mutex::new(None) }
    }

    pub(super) fn into_present(self) -> Clock {
        self.present
    }

    pub(super) fn asked_virtual(&self) -> bool {
        self.asked != ClockSetting::Real
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.stand().is_some()
    }

    pub(super) fn present(&self) -> Timestamp {
        (self.present)()
    }

    /// Becomes the present.
    pub(super) fn follow_present(&self) {
        self.set_stand(None);
    }

    /// Becomes a virtual clock that stands here.
    pub(super) fn stand_at(&self, town: Timestamp) {
        self.set_stand(Some(Stand { town: town.0 as f64, seen: self.present() }));
    }

    /// The town's time. A virtual clock is not moved by this.
    pub(super) fn now(&self) -> Timestamp {
        self.stand().map_or_else(|| self.present(), |stand| Timestamp(stand.town as i64))
    }

    /// Moves a virtual clock by the time that has passed since. Returns the town's time.
    pub(super) fn advance(&self) -> Timestamp {
        let Some(stand) = self.stand() else { return self.present() };
        let seen = self.present();
        let most = STEP_MAX_MS as f64;
        let step = match self.speed() {
            Speed::Times(times) => (seen.since(stand.seen).max(0) as f64 * times).min(most),
            Speed::Max => most,
        };
        let town = stand.town + step;
        self.set_stand(Some(Stand { town, seen }));
        Timestamp(town as i64)
    }

    /// How long to wait before it is looked at again.
    pub(super) fn tick(&self) -> Duration {
        if self.is_virtual() && self.speed() == Speed::Max { Duration::ZERO } else { TICK }
    }

    fn speed(&self) -> Speed {
        match self.asked {
            ClockSetting::Virtual(speed) => speed,
            ClockSetting::Real => Speed::Times(1.0),
        }
    }

    fn stand(&self) -> Option<Stand> {
        *self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_stand(&self, stand: Option<Stand>) {
        *self.stand.lock().unwrap_or_else(PoisonError::into_inner) = stand;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn clock(speed: Speed) -> (TownClock, Arc<AtomicI64>) {
        let present = Arc::new(AtomicI64::new(1_000));
        let told = Arc::clone(&present);
        (TownClock::new(Arc::new(move || Timestamp(told.load(Ordering::Relaxed))), ClockSetting::Virtual(speed)), present)
    }

    #[test]
    fn a_virtual_clock_moves_by_its_speed_never_back_and_never_far() {
        let (clock, present) = clock(Speed::Times(2.5));
        assert!(!clock.is_virtual() && clock.now() == Timestamp(1_000));
        clock.stand_at(VIRTUAL_START);
        for (passed, moved) in [(1, 2), (1, 5), (1, 7), (1_000, 2_507), (-500, 2_507), (400, 3_507), (3_600_000, 603_507)] {
            present.fetch_add(passed, Ordering::Relaxed);
            assert_eq!(clock.advance().since(VIRTUAL_START), moved);
        }
        assert_eq!(clock.now().since(VIRTUAL_START), 603_507);
    }

    #[test]
    fn speed_0_stands_still_and_the_fastest_waits_for_nothing() {
        let (still, present) = clock(Speed::Times(0.0));
        still.stand_at(VIRTUAL_START);
        present.fetch_add(10_000, Ordering::Relaxed);
        assert_eq!(still.advance(), VIRTUAL_START);
        let (fast, _) = clock(Speed::Max);
        fast.stand_at(VIRTUAL_START);
        assert_eq!((fast.advance().since(VIRTUAL_START), fast.tick()), (STEP_MAX_MS, Duration::ZERO));
    }
}
