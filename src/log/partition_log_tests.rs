use super::*;
use crate::log::error::ReadError;
use crate::log::folder::FolderStore;
use crate::log::log_view::{AtLeast, ReadUpTo, TimestampedOffset};
use crate::log::memory_store::MemoryStore;
use crate::log::recovery::{LastStop, OpenFacts};
use crate::model::{BatchBuilder, Batches, NewRecord, ProducerEpoch, ProducerId};

const NOW: Timestamp = Timestamp(1_000_000);

fn open(store: impl Store + 'static, config: LogConfig) -> PartitionLog {
    let facts = OpenFacts { last_stop: LastStop::Clean, recovery_point: Offset::ZERO, log_start: Offset::ZERO, now: NOW };
    PartitionLog::open(Arc::new(store), TopicPartition::new("t", 0), TopicId([7; 16]), config, facts).unwrap().0
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::default() }
}

fn batch(codec: Codec, timestamps: &[i64]) -> CheckedBatch {
    let mut builder = BatchBuilder::new(codec);
    for timestamp in timestamps {
        builder.append(NewRecord { timestamp: Timestamp(*timestamp), value: Some(b"some value"), ..NewRecord::default() });
    }
    CheckedBatch::trusted(builder.build().unwrap())
}

fn add(log: &mut PartitionLog, timestamps: &[i64]) -> Offset {
    log.append(batch(Codec::None, timestamps), NOW).unwrap().base_offset
}

fn offsets(view: &LogView, from: i64, max_bytes: usize, at_least: AtLeast) -> Vec<i64> {
    let read = view.read(Offset(from), max_bytes, at_least, ReadUpTo::End).unwrap();
    assert_eq!(read.size, read.slices.iter().map(|slice| slice.len()).sum::<usize>());
    let batches = read.slices.iter().flat_map(|slice| Batches::new(slice));
    batches.map(|batch| batch.unwrap()).inspect(|batch| batch.verify_crc().unwrap()).map(|batch| batch.header.base_offset.0).collect()
}

#[test]
fn offsets_are_dense_and_batches_stamped() {
    let mut log = open(MemoryStore::new(), LogConfig::default());
    assert_eq!((add(&mut log, &[1, 2, 3]), add(&mut log, &[4]), add(&mut log, &[5, 6])), (Offset(0), Offset(3), Offset(4)));
    let view = log.view();
    assert_eq!((view.start_offset(), view.end_offset()), (Offset(0), Offset(6)));
    assert_eq!(offsets(&view, 0, 1 << 20, AtLeast::OneBatch), [0, 3, 4]);
    assert_eq!(offsets(&view, 2, 1 << 20, AtLeast::OneBatch), [0, 3, 4], "a read from inside a batch gives the whole batch");
    assert_eq!(offsets(&view, 6, 1 << 20, AtLeast::OneBatch), [0_i64; 0]);
    let error = view.read(Offset(7), 1, AtLeast::OneBatch, ReadUpTo::End).unwrap_err();
    assert!(matches!(error, ReadError::OffsetOutOfRange { end: Offset(6), .. }));
}

#[test]
fn a_log_without_records_has_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t-0");
    let mut log = open(FolderStore::new(&path), LogConfig::default());
    log.flush().unwrap();
    log.checkpoint().unwrap();
    log.enforce_retention(NOW).unwrap();
    log.close().unwrap();
    assert!(!path.exists());
    add(&mut log, &[1]);
    let view = log.view();
    let mut names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["00000000000000000000.log", "leader-epoch-checkpoint", "partition.metadata"]);
    log.delete().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(offsets(&view, 0, 100, AtLeast::OneBatch), [0], "slices outlive the folder");
}

#[test]
fn reads_keep_to_their_budget_and_cross_segments() {
    let mut log = open(MemoryStore::new(), small());
    for _ in 0..30 {
        add(&mut log, &[1, 2]);
    }
    let view = log.view();
    assert!(view.segments().len() > 2);
    let len = batch(Codec::None, &[1, 2]).batch().len();
    for start in 0..30 {
        for batches in 1..8 {
            let expected: Vec<i64> = (start..(start + batches).min(30)).map(|i| i * 2).collect();
            for extra in [0, 1, len - 1] {
                let budget = len * batches as usize + extra;
                assert_eq!(offsets(&view, start * 2 + 1, budget, AtLeast::Nothing), expected, "{start} {batches} {extra}");
            }
        }
        assert_eq!(offsets(&view, start * 2, 1, AtLeast::Nothing), [0_i64; 0]);
        assert_eq!(offsets(&view, start * 2, 1, AtLeast::OneBatch), [start * 2]);
    }
    assert_eq!(offsets(&view, 0, usize::MAX, AtLeast::Nothing).len(), 30);
}

#[test]
fn a_view_is_a_moment() {
    let mut log = open(MemoryStore::new(), small());
    add(&mut log, &[1]);
    let view = log.view();
    for _ in 0..50 {
        add(&mut log, &[1]);
    }
    assert_eq!(offsets(&view, 0, 1 << 20, AtLeast::OneBatch), [0]);
    assert_eq!(view.size_bytes(), batch(Codec::None, &[1]).batch().len() as u64);
    fn is_send_and_sync<T: Send + Sync + Clone + 'static>() {}
    is_send_and_sync::<LogView>();
}

#[test]
fn segments_roll_by_time_and_a_batch_must_fit_one() {
    let mut log = open(MemoryStore::new(), LogConfig { segment_ms: 1000, ..small() });
    add(&mut log, &[5000]);
    add(&mut log, &[6000]);
    assert_eq!(log.view().segments().len(), 1);
    add(&mut log, &[6001]);
    assert_eq!(log.view().segments().len(), 2);
    let error = log.append(batch(Codec::None, &[1; 100]), NOW).unwrap_err();
    assert!(matches!(error, LogError::BatchLargerThanSegment { .. }));
    log.set_config(LogConfig::default());
    log.append(batch(Codec::None, &[1; 100]), NOW).unwrap();
    assert_eq!(offsets(&log.view(), 0, 1 << 20, AtLeast::OneBatch), [0, 1, 2, 3], "larger settings take effect at once");
}

#[test]
fn a_duplicate_answers_with_the_original() {
    let mut log = open(MemoryStore::new(), LogConfig::default());
    let produced = |sequence, timestamp| {
        let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(5), ProducerEpoch(0), sequence);
        builder.append(NewRecord { timestamp: Timestamp(timestamp), ..NewRecord::default() });
        CheckedBatch::trusted(builder.build().unwrap())
    };
    add(&mut log, &[1]);
    let first = log.append(produced(0, 77), NOW).unwrap();
    assert_eq!((first.base_offset, first.log_append_time, first.duplicate), (Offset(1), Timestamp::NONE, false));
    log.append(produced(1, 78), NOW).unwrap();
    let again = log.append(produced(0, 77), NOW).unwrap();
    assert_eq!((again.base_offset, again.log_append_time, again.duplicate), (Offset(1), Timestamp(77), true));
    assert_eq!(log.end_offset(), Offset(3));
    assert!(matches!(log.append(produced(5, 1), NOW), Err(LogError::OutOfOrderSequence { .. })));
}

#[test]
fn log_append_time_is_answered() {
    let mut log = open(MemoryStore::new(), LogConfig::default());
    let mut stamped = batch(Codec::None, &[1]).into_batch();
    stamped.stamp_log_append_time(NOW);
    assert_eq!(log.append(CheckedBatch::trusted(stamped), NOW).unwrap().log_append_time, NOW);
}

#[test]
fn records_are_found_by_time_also_inside_compressed_batches() {
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd, Codec::Lz4, Codec::Snappy] {
        let mut log = open(MemoryStore::new(), small());
        let mut times = Vec::new();
        for i in 0..40_i64 {
            // Not in order: inside a batch, nor across batches.
            let batch_times = [1000 + i * 10, 1000 + (i * 37) % 400, 990 + i * 10];
            times.extend(batch_times);
            log.append(batch(codec, &batch_times), NOW).unwrap();
        }
        let check = |view: &LogView, start: usize| {
            for wanted in (900..1500).step_by(3) {
                let expected = times.iter().enumerate().skip(start).find(|(_, time)| **time >= wanted);
                let found = view.offset_for_timestamp(Timestamp(wanted), ReadUpTo::End).unwrap();
                let found = found.map(|TimestampedOffset { offset, timestamp, .. }| (offset.0 as usize, timestamp.0));
                assert_eq!(found, expected.map(|(offset, time)| (offset, *time)), "{codec:?} {wanted} from {start}");
            }
            let max = *times.iter().skip(start).max().unwrap();
            let first = times.iter().enumerate().skip(start).find(|(_, time)| **time == max).unwrap().0;
            let found = view.offset_of_max_timestamp().unwrap().unwrap();
            assert_eq!((found.offset.0 as usize, found.timestamp.0), (first, max), "{codec:?} from {start}");
        };
        check(&log.view(), 0);
        for start in [1, 50, 119] {
            log.delete_records(Offset(start as i64), NOW).unwrap();
            check(&log.view(), start);
        }
    }
    let log = open(MemoryStore::new(), small());
    assert_eq!(log.view().offset_for_timestamp(Timestamp(0), ReadUpTo::End).unwrap(), None);
    assert_eq!(log.view().offset_of_max_timestamp().unwrap(), None);
}

#[test]
fn a_full_disk_is_an_error_and_appends_go_on_when_space_returns() {
    let store = MemoryStore::new();
    let mut log = open(store.clone(), small());
    for round in 0..60_u64 {
        store.fail_after(Some(round % 5));
        let _ = log.append(batch(Codec::None, &[1, 2]), NOW);
        let end = log.end_offset();
        assert!(log.append(batch(Codec::None, &[1, 2]), NOW).is_ok() || log.end_offset() == end);
        store.fail_after(None);
        assert_eq!(log.append(batch(Codec::None, &[1, 2]), NOW).unwrap().base_offset, end.max(log.end_offset().plus(-2)));
        let view = log.view();
        let expected: Vec<i64> = (0..view.end_offset().0).step_by(2).collect();
        assert_eq!(offsets(&view, 0, usize::MAX, AtLeast::OneBatch), expected, "round {round}");
    }
}

#[test]
fn a_failed_flush_takes_the_partition_offline_for_good() {
    let store = MemoryStore::new();
    let mut log = open(store.clone(), small());
    add(&mut log, &[1]);
    store.fail_after(Some(0));
    assert!(log.flush().is_err());
    store.fail_after(None);
    assert!(matches!(log.append(batch(Codec::None, &[1]), NOW), Err(LogError::Offline(_))));
    assert!(matches!(log.flush(), Err(LogError::Offline(_))));
    assert_eq!((offsets(&log.view(), 0, 100, AtLeast::OneBatch), log.recovery_point()), (vec![0], Offset(0)));
}

#[test]
fn flushing_outside_the_lock_moves_the_recovery_point_as_far_as_it_went() {
    let mut log = open(MemoryStore::new(), small());
    for _ in 0..20 {
        add(&mut log, &[1, 2]);
    }
    let dirty = log.dirty_files().unwrap();
    assert_eq!(dirty.files.len(), log.view().segments().len());
    add(&mut log, &[3]);
    dirty.sync_blocking().unwrap();
    log.mark_flushed(dirty.up_to);
    assert_eq!(log.recovery_point(), Offset(40));
    assert_eq!(log.dirty_files().unwrap().files.len(), 1);
    log.flush().unwrap();
    assert!(log.dirty_files().unwrap().is_empty());
}

#[test]
fn retention_by_time_and_size_never_breaks_readers() {
    let dir = tempfile::tempdir().unwrap();
    let store = || FolderStore::new(dir.path().join("t-0"));
    let mut log = open(store(), small());
    for i in 0..40 {
        add(&mut log, &[1000 + i, 1000 + i]);
    }
    // Opened again, so that no segment but the last was touched yet.
    log.close().unwrap();
    let mut log = open(store(), small());
    let old = log.view();
    log.set_config(LogConfig { retention_ms: 100, ..small() });
    assert_eq!(log.enforce_retention(Timestamp(1100)).unwrap().segments, 0);
    let some = log.enforce_retention(Timestamp(1120)).unwrap();
    assert!(some.segments > 0 && log.start_offset() > Offset(0) && log.start_offset() <= Offset(40));
    let files = std::fs::read_dir(dir.path().join("t-0")).unwrap().count();
    let all = log.enforce_retention(Timestamp(9999)).unwrap();
    assert!(all.bytes > 0 && std::fs::read_dir(dir.path().join("t-0")).unwrap().count() < files);
    let view = log.view();
    assert_eq!((view.start_offset(), view.end_offset(), view.size_bytes()), (Offset(80), Offset(80), 0));
    assert_eq!(offsets(&old, 0, usize::MAX, AtLeast::OneBatch), (0..80).step_by(2).collect::<Vec<i64>>());
    assert!(view.read(Offset(3), 1, AtLeast::OneBatch, ReadUpTo::End).is_err());
    assert_eq!(log.enforce_retention(Timestamp(99_999)).unwrap().segments, 0);
    log.close().unwrap();
    let mut log = open(store(), LogConfig { retention_bytes: 2000, ..small() });
    for i in 0..40 {
        add(&mut log, &[9000 + i]);
    }
    assert_eq!(log.start_offset(), Offset(80));
    log.enforce_retention(Timestamp(9000)).unwrap();
    let size = log.view().size_bytes();
    assert!((2000..3000).contains(&size), "{size}");
}

#[test]
fn delete_records_follows_kafkas_answers() {
    let mut log = open(MemoryStore::new(), small());
    for _ in 0..40 {
        add(&mut log, &[1, 2]);
    }
    assert_eq!(log.delete_records(Offset(31), NOW).unwrap(), Offset(31));
    assert_eq!(log.delete_records(Offset(5), NOW).unwrap(), Offset(31), "below the start: the start");
    assert!(log.view().segments()[0].base_offset <= Offset(31) && log.view().segments()[0].base_offset > Offset(0));
    for beyond in [81, -2] {
        assert!(matches!(log.delete_records(Offset(beyond), NOW), Err(LogError::OffsetOutOfRange { .. })));
    }
    assert_eq!(offsets(&log.view(), 31, 1, AtLeast::OneBatch), [30]);
    assert_eq!(log.delete_records(Offset::NONE, NOW).unwrap(), Offset(80));
    assert_eq!(add(&mut log, &[1]), Offset(80));
}

#[test]
fn only_what_this_process_wrote_last_is_hot() {
    let store = MemoryStore::new();
    let mut log = open(store.clone(), LogConfig::default());
    assert!(log.view().is_hot(Offset(0)));
    for _ in 0..100 {
        add(&mut log, &[1; 50]);
    }
    assert!(log.view().is_hot(Offset(0)));
    log.close().unwrap();
    let mut log = open(store, LogConfig::default());
    assert!(!log.view().is_hot(Offset(4990)) && log.view().is_hot(Offset(5000)));
    for _ in 0..100 {
        add(&mut log, &[1; 50]);
    }
    assert!(log.view().is_hot(Offset(9990)) && !log.view().is_hot(Offset(10)));
    log.view().warm_blocking(Offset(10), 1 << 20);
}
