//! So many a second: who comes too early is told how long to wait.

/// Lets through `per_second` on average and `burst` at once. Time is an argument, in microseconds of any clock that does not go back.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    burst: u32,
    /// When the next one would come if they came evenly.
    due_us: u64,
}

impl Pace {
    pub fn new(burst: u32) -> Pace {
        Pace { burst, due_us: 0 }
    }

    /// Takes one place. Gives the microseconds to wait for it, and none if it is there. A rate of 0 is taken for 1.
    pub fn take(&mut self, now_us: u64, per_second: u32) -> u64 {
        let step = 1_000_000 / u64::from(per_second.clamp(1, 1_000_000));
        let due = self.due_us.max(now_us);
        self.due_us = due.saturating_add(step);
        due.saturating_sub(step.saturating_mul(u64::from(self.burst.saturating_sub(1)))).saturating_sub(now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_at_once_and_the_rest_evenly() {
        let mut pace = Pace::new(3);
        let waits: Vec<u64> = (0..5).map(|_| pace.take(7_000_000, 10)).collect();
        assert_eq!(waits, [0, 0, 0, 100_000, 200_000]);
        assert_eq!(pace.take(7_500_000, 10), 0, "what was waited for counts");
    }

    #[test]
    fn what_comes_slower_than_the_rate_never_waits_and_saves_nothing_up() {
        let mut pace = Pace::new(1);
        assert!((0..100).all(|n| pace.take(n * 100_000, 10) == 0));
        assert_eq!((pace.take(60_000_000, 10), pace.take(60_000_000, 10)), (0, 100_000));
        assert_eq!(Pace::new(0).take(0, 0), 0);
    }
}
