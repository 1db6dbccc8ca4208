//! The log under power cuts, kills and failing disks. `HEADWATER_SIM_SEED=n` replays one run, `HEADWATER_SIM_STATES=n` sets how many
//! crash states are judged.

mod simulator;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use simulator::world::World;
use simulator::{Counts, Level};

const STATES: u64 = 10_000;
const THREADS: usize = 2;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn run(seed: u64) -> (Level, Counts) {
    let world = World::new(seed);
    let level = world.level();
    match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(counts) => (level, counts),
        Err(cause) => {
            eprintln!("\nHEADWATER_SIM_SEED={seed} replays this ({level:?})\n");
            resume_unwind(cause)
        }
    }
}

/// Runs seeds from 1 on until enough states were judged.
fn run_many(states: u64) -> (u64, BTreeMap<String, Counts>) {
    let (next, judged) = (AtomicU64::new(1), AtomicU64::new(0));
    let worker = || {
        let mut by_level: BTreeMap<String, Counts> = BTreeMap::new();
        while judged.load(Ordering::Relaxed) < states {
            let (level, counts) = run(next.fetch_add(1, Ordering::Relaxed));
            judged.fetch_add(counts.states, Ordering::Relaxed);
            by_level.entry(format!("{level:?}")).or_default().add(&counts);
        }
        by_level
    };
    let mut total: BTreeMap<String, Counts> = BTreeMap::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let counts = worker.join().unwrap_or_else(|cause| resume_unwind(cause));
            counts.iter().for_each(|(level, counts)| total.entry(level.clone()).or_default().add(counts));
        }
    });
    (next.into_inner() - 1, total)
}

#[test]
fn no_crash_takes_what_was_promised() {
    if let Some(seed) = number("HEADWATER_SIM_SEED") {
        let (level, counts) = run(seed);
        return println!("seed {seed}: {level:?} {counts:?}");
    }
    let began = Instant::now();
    let (seeds, by_level) = run_many(number("HEADWATER_SIM_STATES").unwrap_or(STATES));
    let mut all = Counts::default();
    for (level, counts) in &by_level {
        println!("{level}: {counts:?}");
        all.add(counts);
    }
    println!("crash simulator: {} states, seeds 1..={seeds}, {:.1} s", all.states, began.elapsed().as_secs_f64());
    // Each fault happened, else nothing was proven.
    let control = by_level["PageCache"];
    assert!(control.lost * 10 > control.power_cuts, "without a sync a power cut takes what was acknowledged: {control:?}");
    assert_eq!(by_level["EveryRecord"].lost, 0, "with a sync for every record it takes nothing");
    assert!(all.in_recovery > 100 && all.failed_calls > 20 && all.failed_syncs > 2 && all.damaged > 20 && all.torn > 100, "{all:?}");
}
