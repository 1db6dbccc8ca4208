//! A compaction that ends at any of its steps.

use std::sync::Mutex;

use super::tests::{NOW, Rows, config, open_with, pass, row, rows, write};
use super::*;
use crate::log::LastStop;
use crate::log::MemoryStore;
use crate::log::store::{Opening, SegmentFile};
use crate::model::{BatchBuilder, Codec};

/// Keeps what a kill, or a power cut drawn from a seed, would leave before each change of the folder.
#[derive(Debug)]
struct Filmed {
    disk: MemoryStore,
    cut: Option<u64>,
    states: Mutex<Vec<MemoryStore>>,
}

impl Filmed {
    fn new(cut: Option<u64>) -> Arc<Filmed> {
        Arc::new(Filmed { disk: MemoryStore::new(), cut, states: Mutex::default() })
    }

    fn shot(&self) -> &MemoryStore {
        let mut states = self.states.lock().unwrap();
        let state = self.cut.map_or_else(
            || self.disk.kill(),
            |seed| {
                let mut dice = (seed + states.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                self.disk.crash(|| {
                    dice ^= dice << 13;
                    dice ^= dice >> 7;
                    dice ^= dice << 17;
                    dice & 1 == 0
                })
            },
        );
        states.push(state);
        &self.disk
    }

    fn take(&self) -> Vec<MemoryStore> {
        std::mem::take(&mut *self.states.lock().unwrap())
    }
}

impl Store for Filmed {
    fn exists(&self) -> io::Result<bool> {
        self.disk.exists()
    }
    fn rewrite(&self, name: &str, position: u64) -> io::Result<()> {
        self.shot().rewrite(name, position)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(name)
    }
    fn size(&self, name: &str) -> io::Result<u64> {
        self.disk.size(name)
    }
    fn modified(&self, name: &str) -> io::Result<Timestamp> {
        self.disk.modified(name)
    }
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.shot().replace(name, bytes)
    }
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.shot().put(name, bytes)
    }
    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.shot().put_tail(name, position, bytes)
    }
    fn sync_file(&self, name: &str) -> io::Result<()> {
        self.shot().sync_file(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.shot().remove(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shot().rename(from, to)
    }
    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()> {
        self.shot().keep_copy(name, copy)
    }
    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.shot().truncate(name, len)
    }
    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>> {
        self.disk.open_segment(name, capacity, opening)
    }
    fn sync_folder(&self) -> io::Result<()> {
        self.shot().sync_folder()
    }
    fn delete_folder(&self) -> io::Result<()> {
        self.shot().delete_folder()
    }
}

/// Two rounds of keys, marks of deletion in the second, so that a record that comes back is seen.
fn fill(log: &mut PartitionLog) {
    for i in 0..60 {
        let key = format!("{}", i % 12);
        let value = (![48, 49].contains(&i)).then(|| format!("{i} {}", "v".repeat(30)));
        let codec = if i % 5 == 0 { Codec::Zstd } else { Codec::None };
        write(log, BatchBuilder::new(codec), &[row(&key, value.as_deref()), row("often", Some(&format!("{i}")))]);
    }
    log.flush().unwrap();
}

fn latest(rows: &Rows) -> std::collections::BTreeMap<String, Option<String>> {
    rows.values().map(|row| (row.key.clone().unwrap(), row.value.clone())).collect()
}

fn live(rows: &Rows) -> std::collections::BTreeMap<String, Option<String>> {
    latest(rows).into_iter().filter(|(_, value)| value.is_some()).collect()
}

/// Opens what a crash left: every key has its last value, and the next compaction runs to its end.
fn check_state(state: &MemoryStore, expected: &Rows, end: Offset, stop: LastStop) {
    let (mut log, report) = open_with(Arc::new(state.clone()), config(), stop, end);
    assert!(!report.is_alarming() && report.cut_bytes == 0, "{report:?}\n{:?}", state.list());
    assert!(!report.epoch_bumped || stop == LastStop::OtherBoot, "{report:?}");
    assert_eq!(log.end_offset(), end);
    let names = state.list().unwrap();
    assert!(names.iter().all(|name| [CLEANED, SWAP, DELETED].iter().all(|suffix| !name.ends_with(suffix))), "{names:?}");
    let found = rows(&log.view());
    assert_eq!(live(&found), live(expected));
    for (offset, row) in &found {
        assert_eq!(expected.get(offset), Some(row));
    }
    pass(&mut log, Offset::ZERO, NOW.plus_ms(5000), 1 << 20).unwrap();
    assert_eq!(live(&rows(&log.view())), live(expected));
}

#[test]
fn a_kill_at_any_step_loses_no_key_and_brings_no_old_value_back() {
    let filmed = Filmed::new(None);
    let mut log = open_with(filmed.clone(), config(), LastStop::Clean, Offset::ZERO).0;
    fill(&mut log);
    let (expected, end) = (rows(&log.view()), log.end_offset());
    filmed.take();
    let before = log.view().size_bytes();
    // Little memory first; then compacted segments go together; then the marks of deletion go.
    let mut compacted_to = Offset::ZERO;
    while let Some(done) = pass(&mut log, compacted_to, NOW, 600) {
        compacted_to = done.end;
    }
    for later in [10, 2000] {
        pass(&mut log, Offset::ZERO, NOW.plus_ms(later), 1 << 20).unwrap();
    }
    assert!(log.view().size_bytes() < before / 2);
    assert_eq!(live(&expected).len() + 2, latest(&expected).len());
    assert_eq!(latest(&rows(&log.view())), live(&expected), "marks of deletion are gone");
    let states = filmed.take();
    assert!(states.len() > 150, "{}", states.len());
    let mut interrupted = 0;
    for (index, state) in states.iter().enumerate() {
        println!("state {index} of {}", states.len());
        interrupted += u32::from(state.list().unwrap().iter().any(|name| name.ends_with(SWAP)));
        for stop in [LastStop::SameBoot, LastStop::OtherBoot, LastStop::Clean] {
            check_state(&state.kill(), &expected, end, stop);
        }
    }
    assert!(interrupted > 50, "{interrupted}");
}

#[test]
fn a_power_cut_at_any_step_loses_no_key() {
    for round in 0..6_u64 {
        let filmed = Filmed::new(Some(round * 1000));
        let mut log = open_with(filmed.clone(), config(), LastStop::Clean, Offset::ZERO).0;
        fill(&mut log);
        let (expected, end) = (rows(&log.view()), log.end_offset());
        // A flush of the log leaves these to the kernel.
        filmed.sync_file("partition.metadata").unwrap();
        filmed.sync_file("leader-epoch-checkpoint").unwrap();
        filmed.take();
        pass(&mut log, Offset::ZERO, NOW, 1 << 20).unwrap();
        for state in filmed.take() {
            check_state(&state, &expected, end, LastStop::OtherBoot);
        }
    }
}

#[test]
fn an_error_at_any_step_leaves_a_log_that_is_read_and_opened() {
    let mut kinds = [0; 3];
    for operations in 0.. {
        let disk = MemoryStore::new();
        let mut log = open_with(Arc::new(disk.clone()), config(), LastStop::Clean, Offset::ZERO).0;
        fill(&mut log);
        let (expected, end) = (rows(&log.view()), log.end_offset());
        let plan = log.plan_compaction(Offset::ZERO, NOW).unwrap().unwrap();
        disk.fail_after(Some(operations));
        let outcome = plan.run(1 << 20, &|| false, &mut |cleaned| log.swap(&cleaned));
        disk.fail_after(None);
        assert_eq!(live(&rows(&log.view())), live(&expected), "after {operations}");
        kinds[if outcome.is_ok() { 0 } else { 1 + usize::from(log.offline().is_some()) }] += 1;
        check_state(&disk.kill(), &expected, end, LastStop::SameBoot);
        if outcome.is_err() && log.offline().is_none() {
            // A later attempt succeeds.
            pass(&mut log, Offset::ZERO, NOW, 1 << 20).unwrap();
            check_state(&disk.kill(), &expected, end, LastStop::SameBoot);
        }
        if outcome.is_ok() {
            break;
        }
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}
