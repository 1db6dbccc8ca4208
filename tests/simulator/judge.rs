//! Opens a log on what a crash left, and compares.

use std::ops::Range;
use std::sync::Arc;

use headwater::config::LogConfig;
use headwater::log::{AtLeast, LastStop, LogError, MemoryStore, PartitionLog, ReadError, ReadUpTo, RecoveryReport, Store};
use headwater::model::{
    Batch, BatchBuilder, Batches, CheckedBatch, Codec, NewRecord, Offset, ProducerEpoch, ProducerId, TopicId, TopicPartition,
};

use super::model::{Model, NOW, Rows, Written};
use super::{Counts, Dice, Level};

/// A crash, and what may be found after it.
pub struct Case<'a> {
    pub level: Level,
    pub config: &'a LogConfig,
    pub last_stop: LastStop,
    /// What was promised before the step in which it crashed.
    pub before: &'a Model,
    /// What was there when the step was done: some of it may be found.
    pub after: &'a Model,
}

pub struct Opened {
    pub store: MemoryStore,
    pub log: PartitionLog,
    pub report: RecoveryReport,
    pub found: Found,
}

/// What a reader finds from the log's start to its end.
#[derive(Default)]
pub struct Found {
    pub batches: Vec<Written>,
    /// Offsets that are answered as damaged.
    pub corrupt: Vec<Range<i64>>,
}

pub fn open(store: &MemoryStore, config: &LogConfig, rows: Rows, stop: LastStop) -> (PartitionLog, RecoveryReport) {
    let store: Arc<dyn Store> = Arc::new(store.clone());
    let opened = PartitionLog::open(store, TopicPartition::new("t", 0), TopicId([7; 16]), config.clone(), rows.facts(stop));
    opened.unwrap_or_else(|error| panic!("the log does not open: {error}"))
}

pub fn batch(producer: i64, sequence: i32, count: usize, value: &[u8]) -> Batch {
    let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(producer), ProducerEpoch(0), sequence);
    for _ in 0..count {
        builder.append(NewRecord { timestamp: NOW, value: Some(value), ..NewRecord::default() });
    }
    builder.build().expect("a batch")
}

/// Reads the log from end to end.
pub fn read(log: &PartitionLog, deleted_below: i64) -> Found {
    let view = log.view();
    let mut found = Found::default();
    let (mut next, end) = (view.start_offset().0, view.end_offset().0);
    while next < end {
        match view.read(Offset(next), 1 << 20, AtLeast::OneBatch, ReadUpTo::End) {
            Ok(read) => {
                let before = next;
                for batch in read.slices.iter().flat_map(|slice| Batches::new(slice)) {
                    let batch = batch.expect("a whole batch");
                    batch.verify_crc().expect("served bytes are right");
                    let header = batch.header;
                    assert_eq!(header.record_count, header.last_offset_delta + 1);
                    next = header.next_offset().0;
                    found.batches.push(Written {
                        base: header.base_offset.0,
                        end: next,
                        epoch: header.leader_epoch.0,
                        crc: header.crc,
                        producer: header.producer_id.0,
                        sequence: header.base_sequence,
                    });
                }
                if next == before && next < deleted_below {
                    // Deleted segments may have come back, each by itself.
                    next += 1;
                    continue;
                }
                assert!(next > before, "nothing is served at {before} though the log ends at {end}: {:?}", view.segments());
            }
            Err(ReadError::Corrupt(offset)) => {
                assert!(offset.0 == next || offset.0 <= deleted_below, "{next} is damaged, not {offset}");
                next = offset.0 + 1;
                match found.corrupt.last_mut() {
                    Some(last) if last.end == offset.0 => last.end = next,
                    _ => found.corrupt.push(offset.0..next),
                }
            }
            Err(error) => panic!("reading {next}: {error}"),
        }
    }
    found
}

fn segments(store: &MemoryStore) -> Vec<(String, u64)> {
    let names = store.list().expect("a list").into_iter().filter(|name| name.ends_with(".log"));
    names.map(|name| (name.clone(), store.size(&name).expect("a size"))).collect()
}

impl Case<'_> {
    /// Opens what the crash left and judges all that can be seen from outside.
    pub fn judge(&self, image: MemoryStore, counts: &mut Counts) -> Opened {
        let rows = self.before.rows;
        let files = segments(&image);
        let (log, report) = open(&image, self.config, rows, self.last_stop);
        let found = read(&log, self.after.start);
        let (start, end) = (log.start_offset().0, log.end_offset().0);
        // First segments whose names never reached the disk are missed by nobody: a log may begin anywhere.
        assert!(start >= rows.log_start && start <= end, "log start {start}, rows {rows:?}");
        assert!(end <= self.after.end.max(rows.log_start), "log end {end}");
        self.judge_batches(&found, &report, start, end);
        self.judge_epochs(&log, &found, end);
        self.judge_files(&image, &files, &report, end);
        let acknowledged = if self.level == Level::EveryRecord { self.before.flushed } else { self.before.end };
        let gone =
            |batch: &&Written| batch.base >= start.max(self.after.start) && batch.end <= acknowledged && !found.batches.contains(batch);
        let lost = self.before.batches.iter().filter(gone).count();
        counts.states += 1;
        counts.lost += u64::from(lost > 0);
        counts.damaged += u64::from(!found.corrupt.is_empty());
        counts.torn += u64::from(report.cut_bytes > 0);
        Opened { store: image, log, report, found }
    }

    fn judge_batches(&self, found: &Found, report: &RecoveryReport, start: i64, end: i64) {
        // What survives a dead process is everything; what survives a power cut is what was synced.
        let promised = if self.last_stop == LastStop::OtherBoot { self.before.flushed } else { self.before.end };
        let rows_start = self.before.rows.log_start;
        for batch in &self.before.batches {
            if batch.base >= self.after.start.max(rows_start) && batch.end <= promised {
                assert!(found.batches.contains(batch), "an acknowledged batch is gone: {batch:?} of {promised}; {report:?}");
            }
        }
        let mut next = start;
        for batch in &found.batches {
            assert_eq!(self.after.at(batch.base), Some(batch), "a batch that nobody wrote");
            let missing = next.max(self.after.start)..batch.base;
            let known = |offset: i64| report.damaged.iter().any(|bad| (bad.offsets.start.0..bad.offsets.end.0).contains(&offset));
            assert!(missing.clone().all(known), "offsets {missing:?} are gone and nobody says so: {report:?}");
            next = batch.end;
        }
        for corrupt in &found.corrupt {
            let old = |offset: i64| self.before.holes.iter().any(|hole| hole.contains(&offset)) || offset < self.after.start;
            assert!(corrupt.clone().all(|offset| offset >= promised || old(offset)), "{corrupt:?} was synced: {report:?}");
            let followed = found.batches.iter().any(|batch| batch.base >= corrupt.end);
            assert!(followed || corrupt.clone().any(old), "nothing is behind {corrupt:?}: a torn tail, no damage: {report:?}");
        }
        if let Some((from, to)) = report.lost {
            assert!(to.0 <= self.before.rows.log_start.max(self.after.start), "synced offsets are lost: {from}..{to}");
        }
        for (index, bad) in report.damaged.iter().enumerate() {
            assert!(!report.damaged[..index].contains(bad), "the same damage twice: {report:?}");
        }
        assert!(next <= end);
    }

    fn judge_epochs(&self, log: &PartitionLog, found: &Found, end: i64) {
        let epoch = log.leader_epoch().0;
        assert!(epoch >= self.before.epoch, "the leader epoch went back from {} to {epoch}", self.before.epoch);
        for (given, until) in &self.before.given {
            assert!(*given < epoch || *until <= end, "({given}, {end}) would be given a second time: it went to {until}");
        }
        let view = log.view();
        for batch in &found.batches {
            assert_eq!(view.epoch_of(Offset(batch.end - 1)).0, batch.epoch, "epoch of {batch:?}");
        }
    }

    /// No file that a reader may want is removed or shortened, but for a torn tail.
    fn judge_files(&self, store: &MemoryStore, before: &[(String, u64)], report: &RecoveryReport, end: i64) {
        let after = segments(store);
        let mut cut = 0;
        for (index, (name, len)) in before.iter().enumerate() {
            let base = |file: &(String, u64)| file.0.split('.').next()?.parse::<i64>().ok();
            let next = before.get(index + 1).and_then(base);
            match after.iter().find(|other| other.0 == *name) {
                Some(file) => cut += len.saturating_sub(file.1),
                // It held no batch, and was behind a torn tail.
                None if base(&before[index]).is_some_and(|base| base > end) => cut += len,
                None => assert!(next.is_some_and(|next| next <= self.before.rows.log_start), "{name} was deleted"),
            }
        }
        assert_eq!(cut, report.cut_bytes);
    }
}

impl Opened {
    /// Writes on: what the producers know, what comes next, and what a start after it finds.
    pub fn probe(mut self, case: &Case<'_>, dice: &mut Dice) {
        // Deleted segments that came back tell nothing of what was deleted after them.
        let start = self.log.start_offset().0.max(case.after.start);
        for producer in case.before.producers.keys() {
            let own: Vec<&Written> = self.found.batches.iter().filter(|b| b.producer == *producer && b.base >= start).collect();
            for known in own.iter().rev().take(5) {
                let again = batch(*producer, known.sequence, (known.end - known.base) as usize, b"again");
                let outcome = self.log.append(CheckedBatch::trusted(again), NOW).expect("a duplicate is an answer");
                assert!(outcome.duplicate && outcome.base_offset.0 == known.base, "{known:?}: {outcome:?}");
            }
            let Some(last) = own.last() else { continue };
            let next = last.sequence + (last.end - last.base) as i32;
            match self.log.append(CheckedBatch::trusted(batch(*producer, next, 1, b"next")), NOW) {
                Ok(outcome) => assert!(!outcome.duplicate, "a lost batch is taken for one that is there: {last:?}, {outcome:?}"),
                Err(LogError::OutOfOrderSequence { .. }) => panic!("the producer knows sequences after {last:?} that are gone"),
                Err(error) => panic!("{error}"),
            }
        }
        let end = self.log.append(CheckedBatch::trusted(batch(999, 0, 2, b"new")), NOW).expect("room").last_offset.0 + 1;
        self.log.flush().expect("a healthy disk");
        let rows = Rows::of(&self.log);
        let written = read(&self.log, case.after.start);
        let cut = self.store.crash(|| dice.one_in(3));
        let (log, report) = open(&cut, case.config, rows, LastStop::OtherBoot);
        assert_eq!((report.lost, log.end_offset().0), (None, end), "{report:?} after {:?} {:?}", case.last_stop, self.report);
        let survivors = read(&log, case.after.start);
        assert_eq!(survivors.batches, written.batches, "what was flushed survives the next power cut");
        self.log.close().expect("a healthy disk");
        let (log, report) = open(&self.store, case.config, Rows::of(&self.log), LastStop::Clean);
        assert_eq!((read(&log, case.after.start).batches, report.epoch_bumped), (written.batches, false), "a clean stop changes nothing");
    }
}
