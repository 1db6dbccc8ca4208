//! A partition's log on a machine that loses its power, its process or a write, at every operation.
//!
//! A seed is a run: a workload of some forty steps, and after each step all states the disk went through in it. From each state a
//! power cut is drawn, and from some a `kill -9`; the log is opened on what is left and judged by `judge.rs`. A run goes on from some
//! of these, so that crashes follow on crashes.

pub mod judge;
pub mod model;
pub mod world;

/// xorshift: a seed is a run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// How a run treats what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Never synced: the control. It has to lose acknowledged records, or the power cuts prove nothing.
    PageCache,
    /// Synced now and then.
    Background,
    /// Every record is synced before it counts as acknowledged.
    EveryRecord,
}

/// What was counted over many runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub states: u64,
    pub power_cuts: u64,
    pub kills: u64,
    /// Crashes in the middle of a recovery from a crash.
    pub in_recovery: u64,
    pub failed_calls: u64,
    pub failed_syncs: u64,
    /// States in which acknowledged records are gone.
    pub lost: u64,
    pub damaged: u64,
    pub torn: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.states += other.states;
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.in_recovery += other.in_recovery;
        self.failed_calls += other.failed_calls;
        self.failed_syncs += other.failed_syncs;
        self.lost += other.lost;
        self.damaged += other.damaged;
        self.torn += other.torn;
    }
}
