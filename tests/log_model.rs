//! The log against a plain `Vec`: append, roll, kill with a torn tail, reopen, retain, delete; in memory and on disk. Power cuts are
//! the crash simulator's.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use headwater::config::LogConfig;
use headwater::log::{AtLeast, FolderStore, LastStop, LogError, MemoryStore, OpenFacts, PartitionLog, ReadUpTo, RecoveryReport, Store};
use headwater::model::{
    BatchBuilder, Batches, CheckedBatch, Codec, LeaderEpoch, NewRecord, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId,
    TopicPartition,
};

/// Throws from given bytes as long as there are some, then xorshift: a seed is a run.
struct Dice(u64, std::vec::IntoIter<u8>);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        if let Some(byte) = self.1.next() {
            return u64::from(byte) % sides;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    timestamp: i64,
    value: Vec<u8>,
    epoch: LeaderEpoch,
}

/// What the log should hold.
#[derive(Clone, Default)]
struct Model {
    rows: Vec<Row>,
    start: usize,
    flushed: usize,
    producer: i64,
    /// The producer's batches: sequence and base offset.
    batches: Vec<(i32, i64)>,
    sequence: i32,
}

trait Disk {
    fn fresh() -> Self
    where
        Self: Sized;
    fn store(&self) -> Arc<dyn Store>;
    /// The process died in the middle of a write.
    fn kill(&mut self, dice: &mut Dice);
}

impl Disk for MemoryStore {
    fn fresh() -> Self {
        MemoryStore::new()
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    fn kill(&mut self, dice: &mut Dice) {
        *self = MemoryStore::kill(self);
        if let Some(name) = last_segment(self) {
            let torn = torn_bytes(dice);
            self.damage(&name, |bytes| bytes.extend(torn));
        }
    }
}

struct OnDisk(tempfile::TempDir);

impl Disk for OnDisk {
    fn fresh() -> Self {
        OnDisk(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(FolderStore::new(self.0.path().join("t-0")))
    }

    fn kill(&mut self, dice: &mut Dice) {
        if let Some(name) = last_segment(&*self.store()) {
            let path: &Path = &self.0.path().join("t-0").join(name);
            std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&torn_bytes(dice)).unwrap();
        }
    }
}

fn last_segment(store: &dyn Store) -> Option<String> {
    store.list().unwrap().into_iter().rfind(|name| name.ends_with(".log"))
}

fn torn_bytes(dice: &mut Dice) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"never acknowledged"), ..NewRecord::default() });
    let whole = batch.build().unwrap().to_bytes();
    let len = dice.roll(whole.len() as u64) as usize;
    match dice.roll(3) {
        0 => vec![0; len * 40],
        1 => whole[..len].to_vec(),
        _ => Vec::new(),
    }
}

struct Run<D: Disk> {
    disk: D,
    dice: Dice,
    model: Model,
    log: PartitionLog,
    now: i64,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 3000, index_interval_bytes: 300, retention_ms: -1, ..LogConfig::default() }
}

fn open(disk: &dyn Disk, last_stop: LastStop, model: &Model) -> (PartitionLog, RecoveryReport) {
    let facts = OpenFacts {
        last_stop,
        recovery_point: Offset(model.flushed as i64),
        log_start: Offset(model.start as i64),
        now: Timestamp(1_000_000),
    };
    PartitionLog::open(disk.store(), TopicPartition::new("t", 0), TopicId([7; 16]), config(), facts).unwrap()
}

impl<D: Disk> Run<D> {
    fn new(seed: u64) -> Run<D> {
        let (disk, model) = (D::fresh(), Model::default());
        let (log, _) = open(&disk, LastStop::Clean, &model);
        Run { disk, dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, Vec::new().into_iter()), model, log, now: 1000 }
    }

    fn step(&mut self) {
        match self.dice.roll(40) {
            0..=19 => self.append(),
            20..=23 => self.append_again(),
            24..=26 => self.flush(),
            27 | 28 => self.log.checkpoint().unwrap(),
            29 => self.delete_records(),
            30 => self.retain(),
            31 | 32 => self.stop_cleanly(),
            33..=35 => self.kill(),
            _ => self.check(),
        }
    }

    fn append(&mut self) {
        const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
        let idempotent = self.dice.roll(2) == 0;
        let mut builder = BatchBuilder::new(CODECS[self.dice.roll(5) as usize]);
        if idempotent {
            builder = builder.producer(ProducerId(self.model.producer), ProducerEpoch(0), self.model.sequence);
        }
        let count = 1 + self.dice.roll(20) as i32;
        let base = self.model.rows.len() as i64;
        for _ in 0..count {
            self.now += self.dice.roll(20) as i64 - 5;
            let value = format!("{}-{}", self.model.rows.len(), self.dice.roll(1 << 40)).into_bytes();
            builder.append(NewRecord { timestamp: Timestamp(self.now), value: Some(&value), ..NewRecord::default() });
            self.model.rows.push(Row { timestamp: self.now, value, epoch: self.log.leader_epoch() });
        }
        let outcome = self.log.append(CheckedBatch::trusted(builder.build().unwrap()), Timestamp(self.now)).unwrap();
        assert_eq!((outcome.base_offset, outcome.last_offset), (Offset(base), Offset(base + i64::from(count) - 1)));
        assert!(!outcome.duplicate);
        if idempotent {
            self.model.batches.push((self.model.sequence, base));
            self.model.sequence += count;
        }
    }

    /// A retry of one of the producer's last batches.
    fn append_again(&mut self) {
        let known = self.model.batches.len();
        let Some(back) = (known > 0).then(|| 1 + self.dice.roll(7) as usize).filter(|back| *back <= known) else { return };
        let (sequence, base) = self.model.batches[known - back];
        let next = self.model.batches.get(known - back + 1).map_or(self.model.sequence, |next| next.0);
        let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(self.model.producer), ProducerEpoch(0), sequence);
        for _ in sequence..next {
            builder.append(NewRecord { timestamp: Timestamp(1), ..NewRecord::default() });
        }
        match self.log.append(CheckedBatch::trusted(builder.build().unwrap()), Timestamp(self.now)) {
            Ok(outcome) => assert_eq!((outcome.duplicate, outcome.base_offset, back <= 5), (true, Offset(base), true)),
            Err(error) => assert!(matches!(error, LogError::OutOfOrderSequence { .. }) && back > 5, "{error} {back}"),
        }
    }

    fn flush(&mut self) {
        self.log.flush().unwrap();
        self.model.flushed = self.log.recovery_point().0 as usize;
        assert_eq!(self.model.flushed, self.model.rows.len());
    }

    fn delete_records(&mut self) {
        let span = (self.model.rows.len() - self.model.start) as u64;
        let before = self.model.start + (self.dice.roll(span + 1) / 3) as usize;
        assert_eq!(self.log.delete_records(Offset(before as i64), Timestamp(self.now)).unwrap(), Offset(before as i64));
        self.model.start = before;
    }

    fn retain(&mut self) {
        let bytes = 2000 + self.dice.roll(20_000) as i64;
        self.log.set_config(LogConfig { retention_bytes: bytes, ..config() });
        self.log.enforce_retention(Timestamp(self.now)).unwrap();
        self.log.set_config(config());
        let start = self.log.start_offset().0 as usize;
        assert!(start >= self.model.start);
        assert!(self.log.view().size_bytes() < bytes as u64 + 3000);
        self.model.start = start;
    }

    fn stop_cleanly(&mut self) {
        self.log.close().unwrap();
        self.model.flushed = self.model.rows.len();
        let (log, report) = open(&self.disk, LastStop::Clean, &self.model);
        assert!(!report.is_alarming() && !report.epoch_bumped && report.cut_bytes == 0, "{report:?}");
        assert!(report.scanned_bytes <= 3000);
        self.log = log;
        self.check();
    }

    fn kill(&mut self) {
        self.disk.kill(&mut self.dice);
        let stop = if self.dice.roll(4) == 0 { LastStop::OtherBoot } else { LastStop::SameBoot };
        let (log, report) = open(&self.disk, stop, &self.model);
        assert!(!report.is_alarming(), "{report:?}");
        let existed = self.disk.store().exists().unwrap();
        assert_eq!(report.epoch_bumped, stop == LastStop::OtherBoot && existed, "a power cut counts as a loss");
        self.log = log;
        self.check();
    }

    /// Every offset reads back.
    fn check(&self) {
        let view = self.log.view();
        assert_eq!((view.start_offset().0 as usize, view.end_offset().0 as usize), (self.model.start, self.model.rows.len()));
        let mut next = self.model.start as i64;
        while (next as usize) < self.model.rows.len() {
            let read = view.read(Offset(next), 700, AtLeast::OneBatch, ReadUpTo::End).unwrap();
            assert!(read.size > 0);
            for slice in &read.slices {
                next = self.check_slice(slice, next);
            }
        }
        self.check_times();
    }

    fn check_slice(&self, slice: &[u8], mut next: i64) -> i64 {
        let mut batches = Batches::new(slice);
        for batch in batches.by_ref() {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            assert!(batch.header.base_offset.0 <= next, "gap before {}", batch.header.base_offset);
            for record in &batch.records().unwrap() {
                let record = record.unwrap();
                let row = &self.model.rows[record.offset.0 as usize];
                assert_eq!(record.value, Some(&row.value[..]));
                assert_eq!((record.timestamp.0, batch.header.leader_epoch), (row.timestamp, row.epoch));
            }
            next = batch.header.next_offset().0;
        }
        assert!(batches.rest().is_empty(), "a batch is cut");
        next
    }

    fn check_times(&self) {
        let view = self.log.view();
        let rows = || self.model.rows.iter().enumerate().skip(self.model.start);
        for wanted in [0, self.now - 300, self.now - 50, self.now, self.now + 100] {
            let expected = rows().find(|(_, row)| row.timestamp >= wanted).map(|(offset, _)| offset as i64);
            let found = view.offset_for_timestamp(Timestamp(wanted), ReadUpTo::End).unwrap();
            assert_eq!(found.map(|found| found.offset.0), expected, "time {wanted}");
        }
    }
}

fn run<D: Disk>(seed: u64, steps: usize) {
    // Shown when the test fails.
    println!("seed {seed}");
    let mut run = Run::<D>::new(seed);
    for _ in 0..steps {
        run.step();
    }
    run.check();
}

/// Bytes as throws, until there are none.
#[allow(dead_code, reason = "for the fuzzer")]
pub fn play(throws: Vec<u8>) {
    let mut run = Run::<MemoryStore>::new(1);
    run.dice.1 = throws.into_iter();
    while run.dice.1.len() > 0 {
        run.step();
    }
    run.check();
}

#[test]
fn the_log_in_memory_equals_a_vec() {
    for seed in 1..=150 {
        run::<MemoryStore>(seed, 200);
    }
}

#[test]
fn the_log_on_disk_equals_a_vec() {
    for seed in 1..=25 {
        run::<OnDisk>(seed, 200);
    }
}
