//! One run: a workload, its faults, and the crashes drawn from it.

use headwater::config::LogConfig;
use headwater::log::{LastStop, LogError, MemoryStore, PartitionLog};
use headwater::model::{CheckedBatch, Offset};

use super::judge::{Case, Opened, batch, open};
use super::model::{Model, NOW, Rows, Written};
use super::{Counts, Dice, Level};

const STEPS: usize = 40;
const PRODUCERS: i64 = 3;

pub struct World {
    dice: Dice,
    level: Level,
    /// One call in so many fails; 0 for none.
    faults: u64,
    config: LogConfig,
    store: MemoryStore,
    log: PartitionLog,
    model: Model,
    counts: Counts,
    records: u64,
    first_producer: i64,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let level = [Level::PageCache, Level::Background, Level::EveryRecord][(seed % 3) as usize];
        let segment_bytes = [1500, 6000, 20_000][dice.roll(3) as usize];
        let config = LogConfig { segment_bytes, index_interval_bytes: 300, retention_ms: -1, ..LogConfig::default() };
        let store = MemoryStore::new();
        let (log, _) = open(&store, &config, Rows::default(), LastStop::Clean);
        store.record();
        let faults = if dice.one_in(3) { 12 } else { 0 };
        World { dice, level, faults, config, store, log, model: Model::default(), counts: Counts::default(), records: 0, first_producer: 1 }
    }

    pub fn level(&self) -> Level {
        self.level
    }

    pub fn run(mut self) -> Counts {
        for _ in 0..STEPS {
            let before = self.model.clone();
            if self.faults > 0 && self.dice.one_in(self.faults) {
                let call = 1 + self.dice.roll(4);
                self.store.fail_at(call);
                self.step();
                self.counts.failed_calls += u64::from(self.store.heal() == 0);
            } else {
                self.step();
            }
            self.model.start = self.model.start.max(self.log.start_offset().0);
            self.judge_states(&before);
            if self.log.offline().is_some() || self.dice.one_in(12) {
                self.restart();
            }
        }
        self.counts
    }

    fn step(&mut self) {
        match self.dice.roll(20) {
            0..=10 => self.append(),
            11 => self.append_again(),
            12..=14 if self.level != Level::PageCache => self.flush(),
            15 => {
                let _ = self.log.checkpoint();
                self.model.rows = Rows::of(&self.log);
            }
            16 => self.model.rows = Rows::of(&self.log),
            17 => self.delete_records(),
            18 => self.retain(),
            _ => self.append(),
        }
        if self.level == Level::EveryRecord {
            self.flush();
        }
    }

    fn append(&mut self) {
        let producer = self.first_producer + self.dice.roll(PRODUCERS as u64) as i64;
        let sequence = self.model.producers.get(&producer).copied().unwrap_or(0);
        let count = 1 + self.dice.roll(4) as usize;
        let len = self.dice.roll(self.config.segment_bytes.min(8000) / 6) as usize;
        self.records += 1;
        let mut value = self.records.to_be_bytes().to_vec();
        value.resize(8 + len, (self.records % 251) as u8);
        let batch = batch(producer, sequence, count, &value);
        let crc = batch.header().crc;
        let end = self.model.end;
        match self.log.append(CheckedBatch::trusted(batch), NOW) {
            Ok(outcome) => {
                assert_eq!((outcome.duplicate, outcome.base_offset), (false, Offset(end)));
                let epoch = self.log.leader_epoch().0;
                self.model.note(Written { base: end, end: outcome.last_offset.0 + 1, epoch, crc, producer, sequence });
            }
            Err(error) => {
                assert!(matches!(error, LogError::Io(_) | LogError::Offline(_)), "{error}");
                assert_eq!(self.log.end_offset(), Offset(end), "a refused append moved the end");
            }
        }
    }

    /// A retry of a producer's last batch.
    fn append_again(&mut self) {
        let Some(last) = self.model.batches.last().filter(|last| last.base >= self.model.start) else { return };
        let again = batch(last.producer, last.sequence, (last.end - last.base) as usize, b"again");
        match self.log.append(CheckedBatch::trusted(again), NOW) {
            Ok(outcome) => assert_eq!((outcome.duplicate, outcome.base_offset), (true, Offset(last.base))),
            Err(error) => assert!(matches!(error, LogError::Offline(_)), "{error}"),
        }
    }

    /// As the broker does it: the disk works while others append.
    fn flush(&mut self) {
        let dirty = match self.log.dirty_files() {
            Ok(dirty) => dirty,
            Err(error) => return assert!(matches!(error, LogError::Offline(_) | LogError::Io(_)), "{error}"),
        };
        if self.level == Level::Background && self.dice.one_in(4) {
            self.append();
        }
        match dirty.sync_blocking() {
            Ok(()) => {
                self.log.mark_flushed(dirty.up_to);
                self.model.flushed = self.model.flushed.max(dirty.up_to.0);
            }
            Err(error) => {
                self.log.sync_failed(&error);
                self.counts.failed_syncs += 1;
            }
        }
    }

    fn delete_records(&mut self) {
        let span = (self.model.end - self.model.start).max(0) as u64;
        let before = self.model.start + (self.dice.roll(span + 1) / 2) as i64;
        // The start is told only once the checkpoint has it.
        let outcome = self.log.delete_records(Offset(before), NOW);
        self.model.start = self.model.start.max(self.log.start_offset().0);
        if outcome.is_ok() {
            self.model.rows = Rows::of(&self.log);
        }
    }

    fn retain(&mut self) {
        let bytes = (self.config.segment_bytes * self.dice.roll(4)) as i64;
        self.log.set_config(LogConfig { retention_bytes: bytes, ..self.config.clone() });
        let _ = self.log.enforce_retention(NOW);
        self.log.set_config(self.config.clone());
    }

    fn crash(&mut self, state: &MemoryStore) -> MemoryStore {
        let (yes, of) = [(1, 2), (1, 4), (3, 4), (1, 10), (9, 10), (0, 1)][self.dice.roll(6) as usize];
        let dice = &mut self.dice;
        state.crash(|| dice.roll(of) < yes)
    }

    fn judge_states(&mut self, before: &Model) {
        let after = self.model.clone();
        for state in self.store.recorded() {
            let stop = if self.dice.one_in(4) { LastStop::SameBoot } else { LastStop::OtherBoot };
            let image = if stop == LastStop::SameBoot { state.kill() } else { self.crash(&state) };
            self.judge(image, stop, before, &after);
        }
    }

    fn judge(&mut self, image: MemoryStore, stop: LastStop, before: &Model, after: &Model) {
        let config = self.config.clone();
        let case = Case { level: self.level, config: &config, last_stop: stop, before, after };
        match stop {
            LastStop::OtherBoot => self.counts.power_cuts += 1,
            _ => self.counts.kills += 1,
        }
        let nested = self.dice.one_in(10);
        if nested {
            image.record();
        }
        let opened = case.judge(image, &mut self.counts);
        if nested {
            let states = opened.store.recorded();
            for state in states {
                // A recovery that was begun by one kind of start and cut short by the power.
                let image = self.crash(&state);
                let case = Case { last_stop: LastStop::OtherBoot, ..case };
                case.judge(image, &mut self.counts);
                self.counts.in_recovery += 1;
            }
        }
        if self.dice.one_in(5) {
            opened.probe(&case, &mut self.dice);
        }
    }

    /// The run goes on from a crash, or from a clean stop.
    fn restart(&mut self) {
        let before = self.model.clone();
        let clean = self.dice.one_in(3) && self.log.close().is_ok();
        if clean {
            self.model.flushed = self.model.end;
            self.model.rows = Rows::of(&self.log);
        }
        self.judge_states(&before);
        let stop = match self.dice.roll(2) {
            _ if clean => LastStop::Clean,
            0 => LastStop::SameBoot,
            _ => LastStop::OtherBoot,
        };
        let image = if stop == LastStop::OtherBoot { self.crash(&self.store.clone()) } else { self.store.kill() };
        let config = self.config.clone();
        let case = Case { level: self.level, config: &config, last_stop: stop, before: &self.model, after: &self.model };
        let opened = case.judge(image, &mut self.counts);
        if clean {
            let old = !self.model.holes.is_empty();
            assert!((old || !opened.report.is_alarming()) && !opened.report.epoch_bumped, "{:?}", opened.report);
        }
        self.go_on_with(opened);
    }

    fn go_on_with(&mut self, opened: Opened) {
        let Opened { store, log, report, found } = opened;
        store.record();
        let model = &mut self.model;
        // Deleted batches count too: a segment that came back may lie before some that did not, and so may its producers' sequences.
        let first = log.view().segments().first().map_or(0, |segment| segment.base_offset.0);
        let lost = model.batches.iter().any(|batch| batch.base >= first && !found.batches.contains(batch));
        let first = found.batches.first().map_or(i64::MAX, |first| first.base);
        model.batches.retain(|batch| batch.end <= log.start_offset().0 && batch.base < first);
        model.batches.extend(found.batches);
        model.holes = report.damaged.iter().map(|bad| bad.offsets.start.0..bad.offsets.end.0).collect();
        model.end = log.end_offset().0;
        // After retention took everything, the end may be known from the last checkpoint only.
        model.flushed = model.flushed.min(model.end);
        model.start = model.start.min(model.end).max(log.start_offset().0);
        model.epoch = log.leader_epoch().0;
        model.rows = Rows { recovery_point: model.rows.recovery_point.min(model.end), ..model.rows };
        if lost {
            // Who lost a batch starts anew: what the log knows of it is judged elsewhere.
            self.first_producer += PRODUCERS;
            model.producers.clear();
        }
        self.store = store;
        self.log = log;
    }
}
