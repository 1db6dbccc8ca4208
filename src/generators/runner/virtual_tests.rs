//! The runner under a virtual clock: the seed alone decides about every byte, whatever the present does.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;

use super::journal::Journal;
use super::tests::{Held, MemoryCluster};
use super::*;
use crate::config::{ClockSetting, Speed};
use crate::generators::world::World;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A cluster and the present, which has nothing to do with the town's time.
struct Bench {
    cluster: Arc<MemoryCluster>,
    present: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// A town whose history is some minutes long instead of two hours: quicker to tell.
    fn new(present: i64) -> Bench {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let bench = Bench { cluster: Arc::default(), present: Arc::new(AtomicI64::new(present)), runtime };
        let mut journal = Journal::begin(7, DirtLevel::Stated, origin());
        journal.virtual_to = Some(VIRTUAL_START);
        bench.runtime.block_on(journal.write(bench.cluster.as_ref(), VIRTUAL_START)).unwrap();
        bench
    }

    fn runner(&self, setting: ClockSetting) -> Runner {
        let present = Arc::clone(&self.present);
        let clock: Clock = Arc::new(move || Timestamp(present.load(Ordering::Relaxed)));
        Runner::new(Arc::clone(&self.cluster) as Arc<dyn Topics>, clock, 7, DirtLevel::Stated).with_clock(setting)
    }

    /// Runs to its end as the command does.
    fn run(&self, speed: Speed, end: End) -> Runner {
        let runner = self.runner(ClockSetting::Virtual(speed)).with_end(end);
        self.runtime.block_on(runner.run_unless(|_| true)).unwrap();
        runner
    }

    /// A process's life in ticks of the present. Returns where the town's time stood in the end, and whether it died.
    fn live(&self, speed: f64, tick_ms: &[i64]) -> (Timestamp, bool) {
        let runner = self.runner(ClockSetting::Virtual(Speed::Times(speed)));
        let life = async {
            let mut writer = runner.resume().await?;
            runner.catch_up(&mut writer, runner.now()).await?;
            for ms in tick_ms {
                self.present.fetch_add(*ms, Ordering::Relaxed);
                let now = runner.clock.advance();
                runner.allow(&mut writer, now).await?;
                runner.catch_up(&mut writer, now).await?;
            }
            Ok::<(), ClusterError>(())
        };
        let died = self.runtime.block_on(life).is_err();
        (runner.now(), died)
    }

    fn journal(&self) -> Journal {
        self.runtime.block_on(Journal::read(self.cluster.as_ref())).unwrap().unwrap()
    }
}

fn origin() -> Timestamp {
    VIRTUAL_START.plus_ms(-5 * MINUTE_MS)
}

/// What all partitions should hold.
fn told(to: Timestamp) -> Vec<Held> {
    let mut held = MemoryCluster::default().all();
    for event in Chronicle::new(World::new(7, DirtLevel::Stated), origin(), origin()).take_while(|event| event.arrival <= to) {
        let lane = held.iter_mut().find(|(topic, partition, _)| *topic == event.stream.topic() && *partition == event.partition.0);
        lane.unwrap().2.push((event.arrival, event.value));
    }
    held
}

fn count(held: &[Held]) -> usize {
    held.iter().filter(|(topic, ..)| *topic != StreamId::TRUTH.topic()).map(|(.., records)| records.len()).sum()
}

#[test]
fn the_town_begins_on_a_monday_at_midnight() {
    assert_eq!(&crate::generators::rfc3339_ms(VIRTUAL_START.0), b"2026-01-05T00:00:00.000Z");
    let days = VIRTUAL_START.0.div_euclid(24 * HOUR_MS);
    // 1970-01-01 was a Thursday.
    assert_eq!((days + 3) % 7, 0);
}

#[test]
fn two_runs_give_the_same_bytes_at_any_speed_and_any_present() {
    let end = End { after_ms: Some(20 * MINUTE_MS), ..End::default() };
    let (fast, late) = (Bench::new(0), Bench::new(1_900_000_000_000));
    fast.run(Speed::Max, end);
    // 180 times with ticks of its own, in two lives.
    let (_, died) = late.live(180.0, &[100, 37, 100, 1_000, 251]);
    assert!(!died);
    late.live(180.0, &[1_000, 1_100, 100]);
    late.run(Speed::Max, end);
    let (one, other) = (fast.cluster.all(), late.cluster.all());
    assert!(count(&one) > 60_000, "{}", count(&one));
    assert!(one == other && one == told(VIRTUAL_START.plus_ms(20 * MINUTE_MS)));
    let configs = fast.cluster.configs.lock().unwrap();
    assert_eq!(configs["ecommerce-events"]["retention.ms"], "-1");
    assert_eq!(configs["_truth"]["retention.bytes"], "134217728");
}

#[test]
fn a_first_start_has_two_hours_of_history_and_speed_0_stands_still_behind_it() {
    let bench = Bench { cluster: Arc::default(), ..Bench::new(1_800_000_000_000) };
    let (now, _) = bench.live(0.0, &[100, 10_000]);
    assert_eq!(now, VIRTUAL_START);
    let journal = bench.journal();
    assert_eq!((journal.origin, journal.virtual_to), (VIRTUAL_START.plus_ms(-HISTORY_MS), Some(VIRTUAL_START)));
    let newest = bench.cluster.all().iter().filter_map(|(.., records)| records.last().map(|record| record.0)).max().unwrap();
    assert!(newest <= VIRTUAL_START && VIRTUAL_START.since(newest) < 1_000);
}

#[test]
fn speed_60_tells_a_minute_in_a_second() {
    let counts: Vec<usize> = [1.0, 60.0, 0.5]
        .into_iter()
        .map(|speed| {
            let bench = Bench::new(1_800_000_000_000);
            bench.live(speed, &[]);
            let before = count(&bench.cluster.all());
            let (now, _) = bench.live(speed, &[100; 100]);
            assert!(bench.cluster.all() == told(now));
            assert_eq!(now.since(VIRTUAL_START), (10_000.0 * speed) as i64);
            count(&bench.cluster.all()) - before
        })
        .collect();
    // The same town, so that only the hour's ups and downs stand between.
    let ratio = counts[1] as f64 / counts[0] as f64;
    assert!((40.0..90.0).contains(&ratio), "{counts:?}");
    assert!(counts[2] < counts[0], "{counts:?}");
}

#[test]
fn a_crash_within_any_append_leaves_no_seam_and_the_time_away_does_not_count() {
    let bench = Bench::new(1_800_000_000_000);
    bench.cluster.tears.store(true, Ordering::Relaxed);
    let mut deaths = 0;
    let mut before = VIRTUAL_START;
    for appends in [0, 1, 2, 3, 5, 8, 13, 18, 19, 20, 27, 38, 40, 60, 1_000, 1] {
        bench.cluster.dies_after(Some(appends));
        let (now, died) = bench.live(600.0, &[100, 250, 1_000]);
        deaths += usize::from(died);
        bench.cluster.dies_after(None);
        bench.present.fetch_add(5 * HOUR_MS, Ordering::Relaxed);
        let (at, _) = bench.live(600.0, &[]);
        assert!(at >= before && at <= now.max(VIRTUAL_START), "{before:?} {at:?} {now:?}");
        before = at;
    }
    assert!(deaths >= 10, "{deaths}");
    let (now, _) = bench.live(600.0, &[100]);
    assert!(now.since(VIRTUAL_START) > 20 * MINUTE_MS, "{}", now.since(VIRTUAL_START));
    assert!(bench.cluster.all() == told(now));
    let journal = bench.journal();
    assert!(journal.gaps.is_empty() && journal.virtual_to.is_some_and(|latest| latest >= now));
}

#[test]
fn a_torn_millisecond_is_completed() {
    let bench = Bench::new(0);
    bench.live(1.0, &[]);
    let whole = bench.cluster.all();
    // Every partition loses its end down to between two events of one millisecond.
    let mut torn = 0;
    for (topic, partition, records) in &whole {
        let Some(at) = records.windows(2).rposition(|pair| pair[0].0 == pair[1].0) else { continue };
        bench.cluster.cut(topic, *partition, at + 1);
        torn += 1;
    }
    assert!(torn > 10, "{torn}");
    assert!(bench.cluster.all() != whole);
    bench.live(1.0, &[]);
    assert!(bench.cluster.all() == whole);
}

#[test]
fn what_others_produce_under_the_present_does_not_move_the_clock() {
    let bench = Bench::new(1_800_000_000_000);
    let (before, _) = bench.live(60.0, &[1_000]);
    let foreign = |ms| NewRecord { key: None, value: Some(Bytes::from_static(b"{}")), timestamp: Timestamp(ms), headers: Vec::new() };
    for partition in 0..6 {
        bench.cluster.push("ecommerce-events", partition, (0..100).map(|n| foreign(1_800_000_000_000 + n)).collect());
        bench.cluster.push("ecommerce-events", partition, vec![foreign(before.0 + 2_000), foreign(before.0 + 60 * HOUR_MS)]);
    }
    let (at, _) = bench.live(60.0, &[]);
    assert!(at <= before && before.since(at) < 1_000, "{at:?} {before:?}");
    let (now, _) = bench.live(60.0, &[1_000]);
    let held: Vec<Held> =
        bench.cluster.all().into_iter().map(|(t, p, all)| (t, p, all.into_iter().filter(|r| r.1 != "{}").collect())).collect();
    assert!(held == told(now));
}

#[test]
fn a_number_of_events_ends_a_run_with_a_whole_millisecond_and_the_next_goes_on() {
    let bench = Bench::new(0);
    let history = count(&told(VIRTUAL_START)) as u64;
    let mut total = 0;
    for events in [1, 1_000, history, 777] {
        let runner = bench.run(Speed::Times(1.0), End { events: Some(events.min(history - total)), ..End::default() });
        let now: usize = count(&bench.cluster.all());
        let written = now as u64 - total;
        assert!(written >= events.min(history - total) && written < events + 200, "{written} of {events}");
        total = now as u64;
        let last = runner.status().streams.iter().filter_map(|stream| stream.last_arrival).max();
        assert!(last.is_none_or(|last| bench.cluster.all() == told(last)));
        if total >= history {
            break;
        }
    }
}

#[test]
fn a_folder_keeps_its_clock_until_a_reset() {
    let bench = Bench::new(1_800_000_000_000);
    let runner = bench.runner(ClockSetting::Real);
    bench.runtime.block_on(runner.resume()).unwrap();
    let status = runner.status();
    assert!(status.is_virtual && status.clock_ignored);
    assert_eq!(runner.now(), VIRTUAL_START);
    let real = Journal::begin(7, DirtLevel::Stated, Timestamp(1_800_000_000_000 - MINUTE_MS));
    bench.runtime.block_on(real.write(bench.cluster.as_ref(), VIRTUAL_START)).unwrap();
    let runner = bench.runner(ClockSetting::Virtual(Speed::Times(2.0)));
    bench.runtime.block_on(runner.resume()).unwrap();
    let status = runner.status();
    assert!(!status.is_virtual && status.clock_ignored);
    assert_eq!(runner.now(), Timestamp(1_800_000_000_000));
}
