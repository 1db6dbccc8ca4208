//! The runner against a cluster in memory: no gap and no duplicate, whatever happens.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use bytes::Bytes;

use super::journal::Journal;
use super::*;
use crate::cluster::{BoxFuture, StoredRecord};
use crate::generators::incidents::{Command, Wish};
use crate::generators::world::World;
use crate::model::{ErrorCode, Offset};

const NOW: Timestamp = Timestamp(1_795_435_200_321);
const MINUTE_MS: i64 = 60_000;

/// A topic, a partition, and the arrivals and values that it holds.
pub(super) type Held = (&'static str, i32, Vec<(Timestamp, Bytes)>);

/// Keeps records in memory. After a number of appends it fails, as if the process had died before the write.
#[derive(Default)]
pub(super) struct MemoryCluster {
    topics: Mutex<BTreeMap<(String, i32), Vec<StoredRecord>>>,
    pub(super) configs: Mutex<HashMap<String, HashMap<String, String>>>,
    appends_left: Mutex<Option<usize>>,
    /// The append that fails leaves the first half of its records.
    pub(super) tears: AtomicBool,
}

impl MemoryCluster {
    pub(super) fn dies_after(&self, appends: Option<usize>) {
        *self.appends_left.lock().unwrap() = appends;
    }

    pub(super) fn records(&self, topic: &str, partition: i32) -> Vec<StoredRecord> {
        self.topics.lock().unwrap().get(&(topic.to_owned(), partition)).cloned().unwrap_or_default()
    }

    pub(super) fn push(&self, topic: &str, partition: i32, records: Vec<NewRecord>) -> Offset {
        let mut topics = self.topics.lock().unwrap();
        let log = topics.entry((topic.to_owned(), partition)).or_default();
        let base = Offset(log.len() as i64);
        for record in records {
            let offset = Offset(log.len() as i64);
            log.push(StoredRecord {
                partition: PartitionId(partition),
                offset,
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: Vec::new(),
            });
        }
        base
    }

    pub(super) fn cut(&self, topic: &str, partition: i32, count: usize) {
        if let Some(log) = self.topics.lock().unwrap().get_mut(&(topic.to_owned(), partition)) {
            log.truncate(count);
        }
    }

    /// What all partitions of the four topics and of the ledger hold.
    pub(super) fn all(&self) -> Vec<Held> {
        let lanes = STREAMS.iter().flat_map(|stream| (0..stream.partitions).map(move |partition| (stream.topic, partition)));
        let lanes = lanes.chain([(StreamId::TRUTH.topic(), 0)]);
        lanes
            .map(|(topic, partition)| {
                let records = self.records(topic, partition);
                (topic, partition, records.into_iter().map(|record| (record.timestamp, record.value.unwrap())).collect())
            })
            .collect()
    }
}

impl Topics for MemoryCluster {
    fn ensure_topic<'a>(
        &'a self,
        name: &'a TopicName,
        partitions: i32,
        configs: &'a [(&'a str, String)],
    ) -> BoxFuture<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            let mut topics = self.topics.lock().unwrap();
            for partition in 0..partitions {
                topics.entry((name.to_string(), partition)).or_default();
            }
            let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            self.configs.lock().unwrap().insert(name.to_string(), configs);
            Ok(())
        })
    }

    fn append<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        mut records: Vec<NewRecord>,
    ) -> BoxFuture<'a, Result<Offset, ClusterError>> {
        Box::pin(async move {
            if let Some(left) = self.appends_left.lock().unwrap().as_mut() {
                let Some(fewer) = left.checked_sub(1) else {
                    if self.tears.load(Ordering::Relaxed) {
                        records.truncate(records.len() / 2);
                        self.push(topic.as_str(), partition.0, records);
                    }
                    return Err(ClusterError { code: ErrorCode::KafkaStorageError, message: "dead".to_owned() });
                };
                *left = fewer;
            }
            assert!(!records.is_empty());
            Ok(self.push(topic.as_str(), partition.0, records))
        })
    }

    fn tail<'a>(
        &'a self,
        topic: &'a TopicName,
        partition: PartitionId,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<StoredRecord>, ClusterError>> {
        Box::pin(async move {
            let records = self.records(topic.as_str(), partition.0);
            Ok(records[records.len().saturating_sub(count)..].to_vec())
        })
    }
}

/// A cluster, and a clock that the test sets.
struct Bench {
    cluster: Arc<MemoryCluster>,
    now: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Bench {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Bench { cluster: Arc::default(), now: Arc::new(AtomicI64::new(NOW.0)), runtime }
    }

    /// A town that began some minutes ago instead of two hours: quicker to tell.
    fn that_began(minutes: i64) -> Bench {
        let bench = Bench::new();
        let journal = Journal::begin(7, DirtLevel::Stated, NOW.plus_ms(-minutes * MINUTE_MS));
        bench.runtime.block_on(journal.write(bench.cluster.as_ref(), NOW)).unwrap();
        bench
    }

    fn runner(&self, seed: u64) -> Runner {
        let now = Arc::clone(&self.now);
        Runner::new(
            Arc::clone(&self.cluster) as Arc<dyn Topics>,
            Arc::new(move || Timestamp(now.load(Ordering::Relaxed))),
            seed,
            DirtLevel::Stated,
        )
    }

    fn pass(&self, ms: i64) -> Timestamp {
        Timestamp(self.now.fetch_add(ms, Ordering::Relaxed) + ms)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    /// A process's life: resume and some ticks. False if it died.
    fn live(&self, tick_ms: &[i64]) -> bool {
        let runner = self.runner(7);
        self.runtime.block_on(async {
            let Ok(mut writer) = runner.resume().await else { return false };
            if runner.catch_up(&mut writer, self.now()).await.is_err() {
                return false;
            }
            for &ms in tick_ms {
                if runner.catch_up(&mut writer, self.pass(ms)).await.is_err() {
                    return false;
                }
            }
            true
        })
    }

    /// Asserts that the partitions hold exactly what the town told from its origin to now, but for the time before `from`.
    fn assert_whole_from(&self, origin: Timestamp, from: Timestamp) {
        let mut expected: BTreeMap<(usize, i32), Vec<(Timestamp, Bytes)>> = BTreeMap::new();
        for event in Chronicle::new(World::new(7, DirtLevel::Stated).with_commands(&self.journal().commands), origin, from)
            .take_while(|event| event.arrival <= self.now())
        {
            expected.entry((event.stream.0, event.partition.0)).or_default().push((event.arrival, event.value));
        }
        for (topic, partition, held) in self.cluster.all() {
            let stream = STREAMS.iter().position(|stream| stream.topic == topic).unwrap_or(StreamId::TRUTH.0);
            let expected = expected.remove(&(stream, partition)).unwrap_or_default();
            let held: Vec<_> = held.into_iter().filter(|(arrival, _)| *arrival >= from).collect();
            assert_eq!(held.len(), expected.len(), "{topic}-{partition}");
            assert!(held == expected, "{topic}-{partition}");
        }
    }

    fn journal(&self) -> Journal {
        self.runtime.block_on(Journal::read(self.cluster.as_ref())).unwrap().unwrap()
    }
}

#[test]
fn first_start_writes_two_hours_and_goes_on_without_a_seam() {
    let bench = Bench::new();
    assert!(bench.live(&[100, 100, 137, 1_000, 100]));
    let journal = bench.journal();
    assert_eq!(journal.origin, Timestamp((NOW.0 - HISTORY_MS) / 1000 * 1000));
    bench.assert_whole_from(journal.origin, journal.origin);
    let configs = bench.cluster.configs.lock().unwrap();
    assert_eq!(configs["ecommerce-events"]["retention.ms"], "86400000");
    assert_eq!(configs["_truth"]["retention.ms"], "86400000");
    assert_eq!(configs["_headwater"]["cleanup.policy"], "compact");
}

#[test]
fn a_crash_after_any_append_leaves_neither_gap_nor_duplicate() {
    let bench = Bench::that_began(9);
    let origin = bench.journal().origin;
    // Each life ends at another append: before the first, inside the history, inside a tick.
    let mut lives = 0;
    for appends in (0..40).chain([43, 3, 71, 9]) {
        bench.cluster.dies_after(Some(appends));
        lives += usize::from(!bench.live(&[100, 250, 100]));
        bench.pass(700);
    }
    assert!(lives >= 20, "{lives}");
    bench.cluster.dies_after(None);
    assert!(bench.live(&[100]));
    bench.assert_whole_from(origin, origin);
}

#[test]
fn a_crash_in_the_middle_of_the_history_is_not_a_gap() {
    let bench = Bench::new();
    bench.cluster.dies_after(Some(150));
    assert!(!bench.live(&[]));
    bench.cluster.dies_after(None);
    bench.pass(3 * MINUTE_MS);
    assert!(bench.live(&[100]));
    let journal = bench.journal();
    assert!(journal.gaps.is_empty());
    bench.assert_whole_from(journal.origin, journal.origin);
}

#[test]
fn a_short_absence_is_filled() {
    let bench = Bench::that_began(1);
    assert!(bench.live(&[100]));
    bench.pass(25 * MINUTE_MS);
    assert!(bench.live(&[100]));
    let journal = bench.journal();
    assert!(journal.gaps.is_empty());
    bench.assert_whole_from(journal.origin, journal.origin);
}

#[test]
fn a_long_absence_is_left_open_but_for_its_last_two_hours() {
    let bench = Bench::that_began(2);
    assert!(bench.live(&[100]));
    let left = bench.now();
    let back = bench.pass(5 * HISTORY_MS);
    assert!(bench.live(&[100, 100]));
    let journal = bench.journal();
    let [gap] = journal.gaps[..] else { panic!("{:?}", journal.gaps) };
    assert!(gap.from <= left.plus_ms(1) && left.since(gap.from) < 2_000, "{gap:?}");
    assert_eq!(gap.to, back.plus_ms(-HISTORY_MS));
    bench.assert_whole_from(journal.origin, gap.to);
    let in_gap = |arrival: Timestamp| arrival >= gap.from && arrival < gap.to;
    assert!(bench.cluster.all().iter().all(|(_, _, held)| !held.iter().any(|(arrival, _)| in_gap(*arrival))));
    // The next start goes on; the gap does not grow.
    bench.pass(5_000);
    assert!(bench.live(&[100]));
    assert_eq!(bench.journal().gaps, [gap]);
    bench.assert_whole_from(journal.origin, gap.to);
}

#[test]
fn what_others_produce_into_the_topics_does_not_mislead() {
    let bench = Bench::that_began(3);
    assert!(bench.live(&[100]));
    let origin = bench.journal().origin;
    let foreign = |value: Bytes, timestamp| NewRecord { key: None, value: Some(value), timestamp, headers: Vec::new() };
    let topic = "ecommerce-events";
    let copy = bench.cluster.records(topic, 0)[5].value.clone().unwrap();
    // Many records behind ours: garbage, and copies of our own event under the present time.
    let now = bench.now();
    let mut records: Vec<_> = (0..700).map(|_| foreign(Bytes::from_static(b"{\"event_id\":\"mine\"}"), now)).collect();
    records.push(foreign(copy, now.plus_ms(200)));
    let count = records.len();
    bench.cluster.push(topic, 0, records);
    bench.pass(4_000);
    assert!(bench.live(&[100]));
    let before: Vec<_> = bench.cluster.records(topic, 0);
    let ours = Chronicle::new(World::new(7, DirtLevel::Stated), origin, origin)
        .take_while(|event| event.arrival <= bench.now())
        .filter(|event| event.stream == StreamId::ECOMMERCE && event.partition == PartitionId(0));
    assert_eq!(before.len(), ours.count() + count);
}

#[test]
fn the_folders_seed_stays_in_use_until_a_reset() {
    let bench = Bench::that_began(1);
    let runner = bench.runner(99);
    bench.runtime.block_on(async {
        let mut writer = runner.resume().await.unwrap();
        runner.catch_up(&mut writer, bench.now()).await.unwrap();
    });
    let status = runner.status();
    assert_eq!((status.seed, status.seed_ignored), (7, Some(99)));
    let origin = bench.journal().origin;
    bench.assert_whole_from(origin, origin);
}

#[test]
fn the_folders_dirt_stays_in_use_until_a_reset() {
    let bench = Bench::that_began(1);
    let cluster = Arc::clone(&bench.cluster) as Arc<dyn Topics>;
    let now = bench.now();
    let runner = Runner::new(cluster, Arc::new(move || now), 7, DirtLevel::Heavy);
    bench.runtime.block_on(async {
        let mut writer = runner.resume().await.unwrap();
        runner.catch_up(&mut writer, now).await.unwrap();
    });
    let status = runner.status();
    assert_eq!((status.dirt, status.dirt_ignored), (DirtLevel::Stated, Some(DirtLevel::Heavy)));
    let origin = bench.journal().origin;
    bench.assert_whole_from(origin, origin);
}

#[test]
fn a_folder_from_before_there_was_dirt_stays_clean() {
    let journal: Journal = serde_json::from_str(r#"{"version":1,"seed":7,"origin":1795428000000,"gaps":[]}"#).unwrap();
    assert_eq!(journal.dirt(), DirtLevel::None);
}

#[test]
fn a_note_that_a_crash_kept_from_its_event_is_written_later_and_once() {
    let bench = Bench::that_began(4);
    let origin = bench.journal().origin;
    // What is due is written lane by lane, the ledger last: with one append too few, the events are there and their notes are not.
    let lanes = STREAMS.iter().map(|stream| stream.partitions as usize).sum::<usize>();
    assert!(bench.live(&[]));
    let notes = || bench.cluster.records(StreamId::TRUTH.topic(), 0).len();
    let before = notes();
    assert!(before > 500, "{before}");
    bench.pass(30_000);
    bench.cluster.dies_after(Some(lanes));
    assert!(!bench.live(&[]));
    assert_eq!(notes(), before);
    bench.cluster.dies_after(None);
    assert!(bench.live(&[100]));
    assert!(notes() > before + 100, "{before}, {}", notes());
    bench.assert_whole_from(origin, origin);
}

#[test]
fn no_batch_splits_a_millisecond_and_none_of_history_is_huge() {
    let mut writer = Writer {
        beginning: 0,
        journal: Journal::begin(7, DirtLevel::Stated, NOW),
        chronicle: Chronicle::new(World::new(7, DirtLevel::Stated), NOW, NOW),
        lanes: vec![Lane { stream: StreamId::IOT, partition: PartitionId(0), written_to: Timestamp::NONE, held: 0, records: Vec::new() }],
        taken: 0,
        last: Timestamp::NONE,
    };
    let event = |arrival: i64| Event {
        stream: StreamId::IOT,
        partition: PartitionId(0),
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(b"v"),
        arrival: Timestamp(arrival),
    };
    let mut batches: Vec<Batch> = (0..2_000).filter_map(|i| writer.take(event(1_000 + i / 7))).collect();
    batches.extend(writer.rest());
    for pair in batches.windows(2) {
        assert!(pair[0].records.last().unwrap().timestamp < pair[1].records[0].timestamp);
        assert!((BATCH_RECORDS..BATCH_RECORDS + 7).contains(&pair[0].records.len()));
    }
    assert_eq!(batches.iter().map(|batch| batch.records.len()).sum::<usize>(), 2_000);
}

#[test]
fn running_it_recovers_from_errors_and_shows_what_it_does() {
    let bench = Bench::that_began(1);
    bench.cluster.dies_after(Some(0));
    let runner = bench.runner(7);
    let past = |ms| tokio::time::timeout(Duration::from_millis(ms), runner.run());
    bench.runtime.block_on(async {
        assert!(past(300).await.is_err());
        assert!(runner.status().trouble.is_some_and(|trouble| trouble.contains("dead")));
        bench.cluster.dies_after(None);
        let ticking = async {
            loop {
                bench.pass(100);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! { _ = past(3_000) => {}, () = ticking => {} }
    });
    let status = runner.status();
    assert_eq!((status.phase, status.trouble.clone(), status.backfilled), (Phase::Live, None, 1.0));
    let iot = &status.streams[StreamId::IOT.0];
    assert!(iot.events_written > 1_000 && (5.0..40.0).contains(&iot.events_per_s), "{iot:?}");
    assert!(iot.last_arrival.is_some_and(|arrival| bench.now().since(arrival) < 2_000));
}

#[test]
fn a_reset_begins_anew_and_nothing_of_before_comes_after_it() {
    let bench = Bench::that_began(30);
    let runner = bench.runner(7);
    let live = async || {
        while runner.status().phase != Phase::Live || runner.status().origin.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let reset = async || {
        let cleared = async {
            bench.cluster.topics.lock().unwrap().retain(|(topic, _), _| topic == journal::TOPIC);
            Ok(())
        };
        runner.begin_anew(cleared).await.unwrap();
    };
    bench.runtime.block_on(async {
        let resets = async {
            live().await;
            bench.pass(MINUTE_MS);
            tokio::time::sleep(Duration::from_millis(100)).await;
            reset().await;
            // In the middle of the history, too.
            tokio::time::sleep(Duration::from_millis(30)).await;
            bench.pass(7 * MINUTE_MS);
            reset().await;
            let origin = bench.now().plus_ms(-HISTORY_MS);
            while runner.status().origin != Some(Timestamp(origin.0 - origin.0.rem_euclid(1000))) || runner.status().phase != Phase::Live {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! { () = runner.run() => {}, () = resets => {} }
    });
    let origin = bench.journal().origin;
    assert_eq!(bench.now().since(origin) / 1000, HISTORY_MS / 1000);
    bench.assert_whole_from(origin, origin);
}

/// Gives an order to a running runner, in the way of `run`.
fn ordered(bench: &Bench, runner: &Runner, writer: &mut Writer, request: Request) -> Result<Command, OrderRefused> {
    bench.runtime.block_on(async {
        let obeyed = async {
            let order = runner.next_order().await.unwrap();
            runner.obey(writer, order).await
        };
        let (answer, _) = tokio::join!(runner.order(request), obeyed);
        answer
    })
}

fn begin(kind: &str) -> Request {
    Request::Begin(Wish { kind: kind.to_owned(), ..Wish::default() })
}

#[test]
fn orders_take_effect_at_once_and_outlive_every_restart() {
    let bench = Bench::that_began(5);
    let origin = bench.journal().origin;
    {
        let runner = bench.runner(7);
        let mut writer = bench.runtime.block_on(runner.resume()).unwrap_or_else(|error| panic!("{error}"));
        let pass = |writer: &mut Writer, ms| bench.runtime.block_on(runner.catch_up(writer, bench.pass(ms))).unwrap();
        pass(&mut writer, 100);
        let outage = ordered(&bench, &runner, &mut writer, begin("payment-outage")).unwrap();
        let now = bench.now().since(origin);
        assert!((now..=now + 10_000).contains(&outage.at), "{} at {now}", outage.at);
        // A second order in the same breath.
        let rate = Request::Rate { topic: Some("iot-sensor-data".to_owned()), factor: 0.5 };
        assert!(ordered(&bench, &runner, &mut writer, rate).unwrap().at >= outage.at);
        for _ in 0..50 {
            pass(&mut writer, 1_000);
        }
        ordered(&bench, &runner, &mut writer, Request::End(1)).unwrap();
        ordered(&bench, &runner, &mut writer, begin("poison-pill")).unwrap();
        for _ in 0..20 {
            pass(&mut writer, 1_000);
        }
        let refused = ordered(&bench, &runner, &mut writer, Request::End(1)).unwrap_err();
        assert_eq!(refused.to_string(), "incident 1 is over");
        assert!(ordered(&bench, &runner, &mut writer, Request::End(9)).unwrap_err().to_string().contains("no incident 9"));
        let status = runner.orders_status();
        let shown: Vec<_> = status.incidents.iter().map(|incident| (incident.id, incident.kind, incident.state)).collect();
        assert_eq!(shown, [(2, "poison-pill", "running"), (1, "payment-outage", "over")]);
        assert_eq!(status.rates[1], ("iot-sensor-data", 0.5));
    }
    bench.assert_whole_from(origin, origin);
    assert!(bench.live(&[100, 30_000, 100]));
    bench.assert_whole_from(origin, origin);
    assert_eq!(bench.journal().commands.len(), 4);
}

#[test]
fn an_order_whose_line_cannot_be_written_is_not_obeyed() {
    let bench = Bench::that_began(3);
    let runner = bench.runner(7);
    let mut writer = bench.runtime.block_on(runner.resume()).unwrap_or_else(|error| panic!("{error}"));
    bench.runtime.block_on(runner.catch_up(&mut writer, bench.now())).unwrap();
    bench.cluster.dies_after(Some(0));
    let refused = ordered(&bench, &runner, &mut writer, begin("flash-sale")).unwrap_err();
    assert!(matches!(refused, OrderRefused::NotNow(_)), "{refused}");
    bench.cluster.dies_after(None);
    assert!(bench.live(&[20_000]));
    assert_eq!(bench.journal().commands, []);
    let origin = bench.journal().origin;
    bench.assert_whole_from(origin, origin);
}
