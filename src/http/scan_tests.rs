//! Every record is met once, whatever gaps, sizes and times there are, and however it is cut into pages.

use proptest::prelude::*;

use super::*;
use crate::cluster::BoxFuture;

/// Partitions of records, as they are left by compaction and damage.
struct Made(Mutex<Vec<Vec<StoredRecord>>>);

impl Records for Made {
    fn read<'a>(
        &'a self,
        _: &'a TopicName,
        partition: PartitionId,
        from: Offset,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(async move {
            let all = self.0.lock().unwrap();
            let (mut read, mut bytes) = (Vec::new(), 0);
            for record in all[partition.0 as usize].iter().filter(|record| record.offset >= from) {
                if !read.is_empty() && bytes >= bytes_max {
                    break;
                }
                bytes += record.held();
                read.push(record.clone());
            }
            Ok(read)
        })
    }
}

fn record(partition: usize, offset: i64, timestamp: i64, size: usize) -> StoredRecord {
    StoredRecord {
        partition: PartitionId(partition as i32),
        offset: Offset(offset),
        timestamp: Timestamp(timestamp),
        key: None,
        value: Some(vec![b'a' + (offset % 3) as u8; size].into()),
        headers: Vec::new(),
    }
}

const SMALL: Budget = Budget { records: 7, bytes: 2_000, time: Duration::from_secs(60), held: 5_000 };

fn job(source: &Arc<Made>, lanes: Vec<Lane>, way: Way, filter: &str, limit: usize, budget: Budget) -> Job {
    let filter = Arc::new(Filter::parse(filter).unwrap());
    Job { source: Arc::clone(source) as _, topic: "t".into(), lanes, way, filter, limit, budget }
}

fn run(job: Job) -> Found<(usize, i64)> {
    let make = |record: StoredRecord| ((record.partition.0 as usize, record.offset.0), record.size());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _in = runtime.enter();
    scan(&job, make).unwrap()
}

/// Of each partition: gaps, times and sizes of its records, and offsets that are left after the last one.
type Plan = Vec<(Vec<(i64, i64, usize)>, i64)>;

fn plan() -> impl Strategy<Value = Plan> {
    let size = prop_oneof![9 => 0..200_usize, 1 => 1_000..3_000_usize];
    let records = proptest::collection::vec((prop_oneof![5 => Just(1_i64), 1 => 2..2_000_i64], 0..1_000_i64, size), 0..40);
    proptest::collection::vec((records, 0..300_i64), 1..4)
}

fn made(plan: &Plan) -> (Arc<Made>, Vec<Lane>) {
    let mut lanes = Vec::new();
    let mut all = Vec::new();
    for (index, (steps, rest)) in plan.iter().enumerate() {
        let mut at = 9;
        let mut records = Vec::new();
        for (step, timestamp, size) in steps {
            at += step;
            records.push(record(index, at, *timestamp, *size));
        }
        lanes.push(Lane { partition: PartitionId(index as i32), start: 10, end: at + 1 + rest, at: 10 });
        all.push(records);
    }
    (Arc::new(Made(Mutex::new(all))), lanes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pages_lose_and_repeat_nothing(plan in plan(), back: bool, limit in 1..9_usize, filtered: bool, tight: bool) {
        let (source, mut lanes) = made(&plan);
        let way = if back { Way::Back } else { Way::Forward };
        if back {
            lanes.iter_mut().for_each(|lane| lane.at = lane.end);
        }
        let mut expected: Vec<Vec<i64>> = source.0.lock().unwrap().iter()
            .map(|records| records.iter().map(|record| record.offset.0).filter(|offset| !filtered || offset % 3 == 1).collect()).collect();
        // An empty value has no letter in it.
        if filtered {
            let all = source.0.lock().unwrap();
            for (offsets, records) in expected.iter_mut().zip(all.iter()) {
                offsets.retain(|offset| records.iter().any(|record| record.offset.0 == *offset && record.size() > 0));
            }
        }
        let mut met = vec![Vec::new(); plan.len()];
        let mut scanned = 0;
        for pages in 0.. {
            prop_assert!(pages < 3_000, "it does not end: {lanes:?}");
            let budget = if tight { SMALL } else { Budget::PAGE };
            let before = lanes.clone();
            let found = run(job(&source, lanes, way, if filtered { "b" } else { "" }, limit, budget));
            prop_assert!(found.items.len() <= limit);
            scanned += found.scanned as usize;
            found.items.iter().for_each(|(partition, offset)| met[*partition].push(*offset));
            lanes = found.lanes;
            if found.ended == Ended::End {
                break;
            }
            prop_assert!(lanes != before, "no progress");
        }
        if back {
            met.iter_mut().for_each(|offsets| offsets.reverse());
        }
        prop_assert_eq!(met, expected);
        prop_assert_eq!(scanned, source.0.lock().unwrap().iter().map(Vec::len).sum::<usize>());
    }

    #[test]
    fn what_arrives_meanwhile_comes_once(plan in plan(), more in proptest::collection::vec((0..3_usize, 0..1_000_i64), 1..30), limit in 1..9_usize) {
        let (source, mut lanes) = made(&plan);
        let mut arriving = more.into_iter().peekable();
        let mut met: Vec<(usize, i64)> = Vec::new();
        for pages in 0.. {
            prop_assert!(pages < 3_000);
            let found = run(job(&source, lanes, Way::Forward, "", limit, SMALL));
            met.extend(&found.items);
            lanes = found.lanes;
            // Some more come after each page; a poll asks for what is there then.
            for (partition, timestamp) in arriving.by_ref().take(2) {
                let lane = &mut lanes[partition % plan.len()];
                let new = record(lane.partition.0 as usize, lane.end, timestamp, 50);
                lane.end += 1;
                source.0.lock().unwrap()[lane.partition.0 as usize].push(new);
            }
            if found.ended == Ended::End && arriving.peek().is_none() && lanes.iter().all(|lane| lane.at >= lane.end) {
                break;
            }
        }
        let mut expected: Vec<(usize, i64)> =
            source.0.lock().unwrap().iter().enumerate().flat_map(|(p, records)| records.iter().map(move |r| (p, r.offset.0))).collect();
        met.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(met, expected);
    }
}

#[test]
fn partitions_are_told_in_order_of_time() {
    let plan: Plan = (0..3).map(|p| ((0..20).map(|n| (1, n * 30 + p * 10, 20)).collect(), 0)).collect();
    let (source, lanes) = made(&plan);
    let back: Vec<Lane> = lanes.iter().map(|lane| Lane { at: lane.end, ..*lane }).collect();
    let newest = run(job(&source, back, Way::Back, "", 7, Budget::PAGE)).items;
    assert_eq!(newest, [(2, 29), (1, 29), (0, 29), (2, 28), (1, 28), (0, 28), (2, 27)]);
    let oldest = run(job(&source, lanes, Way::Forward, "", 4, Budget::PAGE)).items;
    assert_eq!(oldest, [(0, 10), (1, 10), (2, 10), (0, 11)]);
}

#[test]
fn large_records_are_read_in_small_steps_and_a_scan_holds_no_more_than_its_budget() {
    let plan: Plan = vec![((0..60).map(|n| (1, n, if n < 20 { 10 } else { 1 << 20 })).collect(), 0)];
    let (source, mut lanes) = made(&plan);
    lanes[0].at = lanes[0].end;
    let mut met = 0;
    let mut pages = 0;
    loop {
        let found = run(job(&source, lanes, Way::Back, "", 500, Budget::PAGE));
        met += found.items.len();
        pages += 1;
        lanes = found.lanes;
        assert!(found.items.len() <= 24 || pages > 9, "what is held is bounded: {}", found.items.len());
        if found.ended == Ended::End {
            break;
        }
        assert_eq!(found.ended, Ended::Budget);
    }
    assert_eq!(met, 60);
}

#[tokio::test]
async fn a_few_scan_at_once_and_others_are_told() {
    let scans = Scans { wait_max: Duration::from_millis(200), ..Scans::default() };
    let student = |n: usize| Caller { role: Role::Student, user: Some(format!("s{n}")), identity: None };
    let first = (scans.turn(&student(0)).await.unwrap(), scans.turn(&student(0)).await.unwrap());
    let refused = scans.turn(&student(0)).await.err().unwrap();
    assert_eq!((refused.status.as_u16(), refused.retry_after.is_some()), (429, true));
    let second = (scans.turn(&student(1)).await.unwrap(), scans.turn(&student(2)).await.unwrap());
    assert_eq!(scans.turn(&student(3)).await.err().unwrap().status.as_u16(), 503);
    drop((first, second));
    scans.turn(&student(3)).await.unwrap();
    assert!(scans.by_user.lock().unwrap().is_empty(), "nobody is remembered");
}

#[tokio::test]
async fn a_class_that_scans_at_once_gets_on_in_small_steps() {
    let scans = Arc::new(Scans::default());
    let scanning = (0..100).map(|n| {
        let scans = Arc::clone(&scans);
        tokio::spawn(async move {
            let turn = scans.turn(&Caller { role: Role::Student, user: Some(format!("s{n}")), identity: None }).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            turn.budget().time
        })
    });
    let mut times = Vec::new();
    for task in scanning.collect::<Vec<_>>() {
        times.push(task.await.unwrap());
    }
    let small = times.iter().filter(|time| **time == Budget::CROWDED.time).count();
    assert!(small >= 90, "{small} of 100 went on in small steps");
    assert_eq!(times.iter().filter(|time| **time == Budget::PAGE.time).count(), 100 - small, "who is alone has all the time of a page");
    assert!((Budget::CROWDED.time * 300 / u32::try_from(AT_ONCE).unwrap()) < WAIT_MAX, "300 students get their turn");
}

#[test]
fn records_without_any_bytes_cost_what_is_held_of_them() {
    let records = (0..10_000).map(|offset| record(0, offset, offset, 0)).collect();
    let lanes = vec![Lane { partition: PartitionId(0), start: 0, end: 10_000, at: 0 }];
    let budget = Budget { records: u64::MAX, bytes: 300 << 10, ..SMALL };
    let found = run(job(&Arc::new(Made(Mutex::new(vec![records]))), lanes, Way::Forward, "none", 10_000, budget));
    assert!(found.ended == Ended::Budget && (1_000..5_000).contains(&found.scanned), "{}", found.scanned);
}
