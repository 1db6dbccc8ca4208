use super::*;
use crate::log::error::ReadError;
use crate::log::leader_epochs;
use crate::log::log_view::{AtLeast, LogView, ReadUpTo};
use crate::log::memory_store::MemoryStore;
use crate::log::partition_log::METADATA;
use crate::model::{Batch, BatchBuilder, Batches, CheckedBatch, Codec, ControlType, ErrorCode, NewRecord, ProducerEpoch, ProducerId};

const NOW: Timestamp = Timestamp(1_000_000);
const ID: TopicId = TopicId(*b"0123456789abcdef");

fn config() -> LogConfig {
    LogConfig { segment_bytes: 2000, index_interval_bytes: 200, ..LogConfig::default() }
}

fn facts(last_stop: LastStop, recovery_point: i64) -> OpenFacts {
    OpenFacts { last_stop, recovery_point: Offset(recovery_point), log_start: Offset::ZERO, now: NOW }
}

fn try_open(store: &MemoryStore, facts: OpenFacts) -> Result<(PartitionLog, RecoveryReport), LogError> {
    PartitionLog::open(Arc::new(store.clone()), TopicPartition::new("t", 0), ID, config(), facts)
}

fn open(store: &MemoryStore, facts: OpenFacts) -> (PartitionLog, RecoveryReport) {
    try_open(store, facts).unwrap()
}

/// A log of `batches` batches of ten records each; `close`d if `clean`.
fn filled(batches: usize) -> (MemoryStore, PartitionLog) {
    let store = MemoryStore::new();
    let (mut log, _) = open(&store, facts(LastStop::Clean, 0));
    for _ in 0..batches {
        append(&mut log);
    }
    (store, log)
}

fn append(log: &mut PartitionLog) -> Offset {
    log.append(CheckedBatch::trusted(BatchBuilder::example(10)), NOW).unwrap().base_offset
}

fn produced(id: i64, sequence: i32) -> CheckedBatch {
    let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(id), ProducerEpoch(0), sequence);
    builder.append(NewRecord { timestamp: NOW, value: Some(b"x"), ..NewRecord::default() });
    CheckedBatch::trusted(builder.build().unwrap())
}

#[test]
fn a_retry_is_known_after_a_kill_however_old_its_records_are() {
    let (store, mut log) = filled(1);
    log.append(produced(5, 0), NOW).unwrap();
    drop(log);
    let later = OpenFacts { now: NOW.plus_ms(100_000_000), ..facts(LastStop::SameBoot, 0) };
    let (mut log, _) = open(&store, later);
    assert!(log.append(produced(5, 0), later.now).unwrap().duplicate);
}

/// The base offsets that can be read from `from` on, up to the end or an error.
fn bases(view: &LogView, from: i64) -> Result<Vec<i64>, ReadError> {
    let mut found = Vec::new();
    let mut next = Offset(from);
    while next < view.end_offset() {
        let read = view.read(next, 1 << 20, AtLeast::OneBatch, ReadUpTo::End)?;
        for slice in &read.slices {
            for batch in Batches::new(slice) {
                let batch = batch.unwrap();
                batch.verify_crc().unwrap();
                found.push(batch.header.base_offset.0);
                next = batch.header.next_offset();
            }
        }
    }
    Ok(found)
}

fn tens(range: std::ops::Range<i64>) -> Vec<i64> {
    range.step_by(10).collect()
}

fn active(store: &MemoryStore) -> String {
    store.list().unwrap().into_iter().rfind(|name| name.ends_with(".log")).unwrap()
}

#[test]
fn a_clean_stop_is_opened_without_a_scan() {
    let (store, mut log) = filled(40);
    log.close().unwrap();
    let (mut log, report) = open(&store, facts(LastStop::Clean, 400));
    assert!(log.view().segments().len() > 3);
    assert!(report.scanned_bytes < 1000, "{}", report.scanned_bytes);
    assert_eq!((report.snapshot_used, report.is_alarming()), (Some(Offset(400)), false));
    assert_eq!(bases(&log.view(), 0).unwrap(), tens(0..400));
    assert_eq!(append(&mut log), Offset(400));
}

#[test]
fn starts_and_stops_leave_the_files_as_they_are() {
    for batches in 1..24 {
        let (store, mut log) = filled(batches);
        log.close().unwrap();
        let files = || -> Vec<_> { store.list().unwrap().into_iter().map(|name| (store.read(&name).unwrap(), name)).collect() };
        let before = files();
        for _ in 0..2 {
            open(&store, facts(LastStop::Clean, batches as i64 * 10)).0.close().unwrap();
            let changed: Vec<String> = files().into_iter().filter(|file| !before.contains(file)).map(|(_, name)| name).collect();
            assert!(changed.is_empty() && files().len() == before.len(), "{batches} batches: {changed:?}");
        }
    }
}

#[test]
fn after_a_kill_only_the_end_is_scanned_and_a_torn_batch_is_cut() {
    let (store, mut log) = filled(3);
    log.checkpoint().unwrap();
    append(&mut log);
    drop(log);
    let name = active(&store);
    let torn = BatchBuilder::example(10).to_bytes();
    store.damage(&name, |bytes| bytes.extend_from_slice(&torn[..100]));
    let (mut log, report) = open(&store, facts(LastStop::SameBoot, 0));
    assert_eq!(report.cut_bytes, 100);
    assert!(report.scanned_bytes < 1000, "{}", report.scanned_bytes);
    assert!(!report.epoch_bumped && !report.is_alarming());
    assert_eq!(append(&mut log), Offset(40));
    assert_eq!(bases(&log.view(), 0).unwrap(), tens(0..50));
}

#[test]
fn zeros_after_a_power_cut_are_cut_and_bump_the_epoch() {
    let (store, log) = filled(3);
    drop(log);
    store.damage(&active(&store), |bytes| bytes.resize(bytes.len() + 4096, 0));
    let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 10));
    assert_eq!((report.cut_bytes, report.epoch_bumped), (4096, true));
    assert_eq!(log.leader_epoch(), LeaderEpoch(1));
    append(&mut log);
    let view = log.view();
    assert_eq!(bases(&view, 0).unwrap(), tens(0..40));
    assert_eq!((view.epoch_of(Offset(29)), view.epoch_of(Offset(30))), (LeaderEpoch(0), LeaderEpoch(1)));
    assert_eq!(view.end_offset_for_epoch(LeaderEpoch(0)), Some((LeaderEpoch(0), Offset(30))));
    assert_eq!(view.end_offset_for_epoch(LeaderEpoch(2)), None);
}

#[test]
fn a_power_cut_that_leaves_no_trace_bumps_the_epoch() {
    let (store, log) = filled(3);
    drop(log);
    let (log, report) = open(&store.crash(|| false), facts(LastStop::OtherBoot, 0));
    assert_eq!((log.end_offset(), log.leader_epoch(), report.epoch_bumped), (Offset(0), LeaderEpoch(1), true), "(0, 0) was given out");
    let len = BatchBuilder::example(10).len();
    store.damage(&active(&store), |bytes| bytes.truncate(2 * len));
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!((log.end_offset(), log.leader_epoch(), report.cut_bytes), (Offset(20), LeaderEpoch(1), 0));
}

#[test]
fn what_an_earlier_cut_took_does_not_come_back_when_the_file_grows_over_it() {
    let (store, log) = filled(3);
    drop(log);
    let name = active(&store);
    let len = BatchBuilder::example(10).len();
    let before = store.read(&name).unwrap().unwrap();
    store.damage(&name, |bytes| bytes.truncate(len));
    let (mut log, _) = open(&store, facts(LastStop::OtherBoot, 0));
    append(&mut log);
    drop(log);
    // The length of the file reached the disk, the bytes did not: there is still what was there.
    store.damage(&name, |bytes| *bytes = before);
    let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!((log.end_offset(), report.is_alarming(), report.cut_bytes), (Offset(10), false, 2 * len as u64));
    assert_eq!(append(&mut log), Offset(10));
    drop(log);
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!((bases(&log.view(), 0).unwrap(), report.is_alarming()), (vec![0, 10], false));
}

#[test]
fn an_epoch_that_lost_all_its_records_is_not_used_again() {
    let (store, log) = filled(3);
    drop(log);
    store.replace(leader_epochs::FILE, b"0\n2\n0 0\n2 90\n").unwrap();
    assert_eq!(open(&store, facts(LastStop::OtherBoot, 0)).0.leader_epoch(), LeaderEpoch(3));
}

#[test]
fn what_a_killed_process_did_not_sync_goes_with_the_first_flush() {
    let (store, log) = filled(40);
    drop(log);
    let killed = store.kill();
    let (mut log, _) = open(&killed, facts(LastStop::SameBoot, 0));
    log.flush().unwrap();
    let (log, report) = open(&killed.crash(|| false), facts(LastStop::OtherBoot, 400));
    assert_eq!((log.end_offset(), report.is_alarming()), (Offset(400), false));
}

#[test]
fn bytes_of_a_failed_sync_are_written_again() {
    let (store, mut log) = filled(40);
    store.fail_at(1);
    assert!(log.flush().is_err() && matches!(log.append(CheckedBatch::trusted(BatchBuilder::example(1)), NOW), Err(LogError::Offline(_))));
    let killed = store.kill();
    let (mut log, report) = open(&killed, facts(LastStop::SameBoot, 0));
    assert_eq!((log.end_offset(), report.is_alarming(), log.offline()), (Offset(400), false, None));
    log.flush().unwrap();
    let (log, report) = open(&killed.crash(|| false), facts(LastStop::OtherBoot, 400));
    assert_eq!((log.end_offset(), report.is_alarming()), (Offset(400), false), "the second sync wrote what the first one dropped");
}

#[test]
fn what_a_failed_write_left_does_not_come_back_behind_a_sealed_segment() {
    let (store, mut log) = filled(1);
    let base = log.view().segments()[0].base_offset;
    store.fail_at(1);
    assert!(log.append(CheckedBatch::trusted(BatchBuilder::example(10)), NOW).is_err());
    log.flush().unwrap();
    while log.view().segments().len() < 2 {
        append(&mut log);
        log.flush().unwrap();
    }
    let end = log.end_offset();
    let (log, _) = open(&store.crash(|| false), facts(LastStop::OtherBoot, end.0));
    assert_eq!((log.start_offset(), bases(&log.view(), 0).unwrap()), (base, tens(0..end.0)));
}

#[test]
fn a_tail_torn_across_the_end_of_a_segment_is_cut_like_any_other() {
    for blank in [&b""[..], &[0; 700], b"half a batch"] {
        let (store, log) = filled(40);
        drop(log);
        let logs: Vec<String> = store.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
        let [.., torn, last] = &logs[..] else { panic!() };
        let newest = last[..20].parse().unwrap();
        store.damage(torn, |bytes| bytes.truncate(bytes.len() - 30));
        store.damage(last, |bytes| *bytes = blank.to_vec());
        let synced = store.crash(|| true);
        let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 0));
        let end = log.end_offset().0;
        assert!(!report.is_alarming() && report.cut_bytes > 0 && report.epoch_bumped, "{report:?}");
        assert_eq!((end, bases(&log.view(), 0).unwrap()), (newest - 10, tens(0..end)));
        assert_eq!(append(&mut log), Offset(end));
        drop(log);
        let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
        assert_eq!((report.is_alarming(), bases(&log.view(), 0).unwrap()), (false, tens(0..newest)));
        let (log, report) = open(&synced, facts(LastStop::OtherBoot, newest));
        assert_eq!(report.damaged.len(), 1, "what was synced is no torn tail");
        assert!(log.end_offset() >= Offset(newest));
    }
}

#[test]
fn a_torn_end_with_batches_behind_it_in_the_next_segment_is_kept_as_damage() {
    let (store, log) = filled(40);
    drop(log);
    let logs: Vec<String> = store.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
    store.damage(&logs[logs.len() - 2], |bytes| bytes.truncate(bytes.len() - 30));
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!((report.damaged.len(), log.end_offset()), (1, Offset(400)));
}

#[test]
fn new_damage_is_noted_though_old_damage_was_deleted() {
    let (store, mut log) = filled(40);
    log.flush().unwrap();
    drop(log);
    let names: Vec<String> = store.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
    store.damage(&names[0], |bytes| bytes[80] ^= 1);
    open(&store, facts(LastStop::OtherBoot, 0));
    store.damage(&names[2], |bytes| bytes[80] ^= 1);
    let third = OpenFacts { log_start: Offset(names[2][..20].parse().unwrap()), ..facts(LastStop::OtherBoot, 0) };
    assert_eq!(open(&store, third).1.damaged.len(), 1);
    assert_eq!(open(&store, OpenFacts { last_stop: LastStop::Clean, ..third }).1.damaged.len(), 1);
}

#[test]
fn damage_in_the_middle_is_marked_kept_and_the_rest_served() {
    let (store, mut log) = filled(40);
    log.flush().unwrap();
    drop(log);
    let len = BatchBuilder::example(10).len();
    store.damage("00000000000000000000.log", |bytes| bytes[len + 80] ^= 1);
    let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    let expected = BadRange { segment: Offset(0), bytes: len as u64..2 * len as u64, offsets: Offset(10)..Offset(20) };
    assert_eq!(report.damaged, [expected]);
    assert!(report.is_alarming() && report.cut_bytes == 0);
    let check = |view: &LogView| {
        assert_eq!(bases(view, 20).unwrap(), tens(20..400));
        for offset in [10, 15, 19] {
            assert!(matches!(bases(view, offset), Err(ReadError::Corrupt(_))), "{offset}");
        }
        let before = view.read(Offset(0), 1 << 20, AtLeast::OneBatch, ReadUpTo::End).unwrap();
        assert_eq!(before.size, len, "what lies before the damage is served alone");
    };
    check(&log.view());
    assert!(store.list().unwrap().contains(&"00000000000000000000.log.quarantine".to_owned()));
    log.close().unwrap();
    let (log, report) = open(&store, facts(LastStop::Clean, 400));
    assert_eq!(report.damaged.len(), 1, "still known after a clean stop");
    check(&log.view());
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!(report.damaged.len(), 1, "not found twice");
    check(&log.view());
}

#[test]
fn a_damaged_end_below_the_recovery_point_is_no_torn_tail() {
    let (store, log) = filled(3);
    drop(log);
    let len = BatchBuilder::example(10).len();
    store.damage(&active(&store), |bytes| bytes[2 * len + 80] ^= 1);
    let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 30));
    assert_eq!(report.damaged.len(), 1);
    assert_eq!((report.lost, report.epoch_bumped, report.cut_bytes), (Some((Offset(20), Offset(30))), true, 0));
    assert_eq!(append(&mut log), Offset(30), "no synced offset is given out twice");
    assert!(matches!(bases(&log.view(), 20), Err(ReadError::Corrupt(Offset(20)))));
    assert_eq!(bases(&log.view(), 30).unwrap(), [30]);
    drop(log);
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 30));
    assert_eq!(report.lost, None, "a loss is dealt with once");
    assert_eq!(bases(&log.view(), 30).unwrap(), [30]);
}

#[test]
fn a_file_that_lost_synced_batches_bumps_the_epoch() {
    let (store, log) = filled(3);
    drop(log);
    let len = BatchBuilder::example(10).len();
    store.damage(&active(&store), |bytes| bytes.truncate(len));
    let (mut log, report) = open(&store, facts(LastStop::SameBoot, 30));
    assert_eq!((report.lost, report.epoch_bumped), (Some((Offset(10), Offset(30))), true));
    assert_eq!(append(&mut log), Offset(30));
    assert_eq!(bases(&log.view(), 0).unwrap(), [0, 30]);
}

#[test]
fn unusable_indexes_and_snapshots_are_rebuilt() {
    for garbage in [&b""[..], b"garbage!", b"garbage that is longer than it should be"] {
        let (store, mut log) = filled(40);
        for sequence in 0..3 {
            log.append(produced(7, sequence), NOW).unwrap();
        }
        log.close().unwrap();
        drop(log);
        for name in store.list().unwrap() {
            if !name.ends_with(".log") && !name.contains("partition") && !name.contains("epoch") {
                store.damage(&name, |bytes| *bytes = garbage.to_vec());
            }
        }
        for stop in [LastStop::Clean, LastStop::SameBoot, LastStop::OtherBoot] {
            let (mut log, report) = open(&store.kill(), facts(stop, 403));
            assert!(!report.is_alarming(), "{report:?}");
            assert_eq!(bases(&log.view(), 0).unwrap().len(), 43);
            assert!(log.append(produced(7, 1), NOW).unwrap().duplicate);
            assert!(!log.append(produced(7, 3), NOW).unwrap().duplicate);
        }
    }
}

#[test]
fn files_without_a_segment_go_and_unknown_ones_are_renamed_aside() {
    let (store, mut log) = filled(3);
    log.close().unwrap();
    store.put("00000000000000000777.index", b"x").unwrap();
    store.put("notes.txt", b"mine").unwrap();
    store.put("00000000000000000000.log.tmp", b"x").unwrap();
    let (_, report) = open(&store, facts(LastStop::Clean, 30));
    assert_eq!(report.renamed_aside, ["notes.txt"]);
    let names = store.list().unwrap();
    assert!(names.iter().any(|name| name.starts_with("notes.txt") && name.ends_with(".unknown")));
    assert!(!names.iter().any(|name| name.contains("777") || name.ends_with(".tmp")));
    let (_, report) = open(&store, facts(LastStop::Clean, 30));
    assert!(report.renamed_aside.is_empty());
}

#[test]
fn a_newer_format_and_another_topic_are_refused() {
    let (store, _) = filled(1);
    store.put(leader_epochs::FILE, b"1\n0\n").unwrap();
    assert!(matches!(try_open(&store, facts(LastStop::Clean, 0)), Err(LogError::NewerFormat { version: 1, .. })));
    let (store, _) = filled(1);
    store.put(METADATA, b"version: 7\ntopic_id: MDEyMzQ1Njc4OWFiY2RlZg").unwrap();
    assert!(matches!(try_open(&store, facts(LastStop::Clean, 0)), Err(LogError::NewerFormat { version: 7, .. })));
    let (store, _) = filled(1);
    let other = PartitionLog::open(Arc::new(store), TopicPartition::new("t", 0), TopicId([9; 16]), config(), facts(LastStop::Clean, 0));
    assert!(matches!(other, Err(LogError::OtherTopic { found: ID, .. })));
}

#[test]
fn unreadable_metadata_is_renamed_aside_and_written_anew() {
    let (store, mut log) = filled(3);
    log.close().unwrap();
    store.put(METADATA, b"\xff").unwrap();
    store.put(leader_epochs::FILE, b"junk").unwrap();
    let (log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!(report.renamed_aside, [METADATA, leader_epochs::FILE]);
    assert_eq!((log.leader_epoch(), log.end_offset()), (LeaderEpoch(1), Offset(30)), "the file may have known of a later epoch");
    assert_eq!(store.read(METADATA).unwrap().unwrap(), b"version: 0\ntopic_id: MDEyMzQ1Njc4OWFiY2RlZg");
}

#[test]
fn the_last_five_batches_of_a_producer_survive_every_stop() {
    let store = MemoryStore::new();
    let (mut log, _) = open(&store, facts(LastStop::Clean, 0));
    for sequence in 0..9 {
        log.append(produced(7, sequence), NOW).unwrap();
    }
    let killed = store.kill();
    log.close().unwrap();
    for (store, stop) in [(store.kill(), LastStop::Clean), (killed.kill(), LastStop::SameBoot), (killed, LastStop::OtherBoot)] {
        let (mut log, _) = open(&store, facts(stop, 0));
        for sequence in 4..9 {
            let outcome = log.append(produced(7, sequence), NOW).unwrap();
            assert_eq!((outcome.duplicate, outcome.base_offset.0), (true, i64::from(sequence)), "{stop:?}");
        }
        assert!(matches!(log.append(produced(7, 3), NOW), Err(LogError::OutOfOrderSequence { .. })));
        assert_eq!(log.append(produced(7, 9), NOW).unwrap().base_offset, Offset(9));
    }
}

#[test]
fn a_snapshot_past_the_end_is_not_believed() {
    let (store, mut log) = filled(1);
    log.append(produced(7, 0), NOW).unwrap();
    log.close().unwrap();
    drop(log);
    let len = BatchBuilder::example(10).len();
    store.damage(&active(&store), |bytes| bytes.truncate(len));
    let (mut log, report) = open(&store, facts(LastStop::OtherBoot, 0));
    assert_eq!(report.snapshot_used, None);
    assert!(!log.append(produced(7, 0), NOW).unwrap().duplicate);
}

#[test]
fn open_and_aborted_transactions_survive() {
    let store = MemoryStore::new();
    let (mut log, _) = open(&store, facts(LastStop::Clean, 0));
    let transactional = |id: i64| -> Batch {
        let mut builder = BatchBuilder::new(Codec::Gzip).producer(ProducerId(id), ProducerEpoch(0), 0).transactional();
        builder.append(NewRecord { timestamp: NOW, value: Some(b"x"), ..NewRecord::default() });
        builder.build().unwrap()
    };
    for id in [1, 2, 3] {
        log.append(CheckedBatch::trusted(transactional(id)), NOW).unwrap();
    }
    let abort = BatchBuilder::control(ProducerId(1), ProducerEpoch(0), ControlType::Abort, 0, NOW);
    log.append_internal(abort, NOW).unwrap();
    let commit = BatchBuilder::control(ProducerId(2), ProducerEpoch(0), ControlType::Commit, 0, NOW);
    log.append_internal(commit, NOW).unwrap();
    let check = |view: &LogView| {
        assert_eq!((view.end_offset(), view.last_stable_offset()), (Offset(5), Offset(2)));
        let committed = view.read(Offset(0), 1 << 20, AtLeast::OneBatch, ReadUpTo::LastStable).unwrap();
        assert_eq!(committed.slices.iter().flat_map(|slice| Batches::new(slice)).count(), 2);
        let aborted = view.aborted_transactions(Offset(0), Offset(2)).unwrap();
        assert_eq!(aborted.iter().map(|txn| (txn.producer_id.0, txn.first_offset.0, txn.last_offset.0)).collect::<Vec<_>>(), [(1, 0, 3)]);
        assert!(view.aborted_transactions(Offset(4), Offset(5)).unwrap().is_empty());
    };
    check(&log.view());
    let killed = store.kill();
    log.close().unwrap();
    for (store, stop) in [(store.kill(), LastStop::Clean), (killed.kill(), LastStop::SameBoot), (killed, LastStop::OtherBoot)] {
        let (log, _) = open(&store, facts(stop, 0));
        check(&log.view());
    }
}

#[test]
fn deleted_records_stay_deleted() {
    let (store, mut log) = filled(40);
    assert_eq!(log.delete_records(Offset(215), NOW).unwrap(), Offset(215));
    log.close().unwrap();
    let restart = OpenFacts { log_start: Offset(215), ..facts(LastStop::Clean, 400) };
    let (log, _) = open(&store, restart);
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(215), Offset(400)));
    assert_eq!(bases(&log.view(), 215).unwrap(), tens(210..400));
    // The log's end lies below its start: everything was lost, the start stands.
    let lost = OpenFacts { log_start: Offset(900), ..facts(LastStop::OtherBoot, 0) };
    let (mut log, report) = open(&store.kill(), lost);
    assert!(report.epoch_bumped);
    assert_eq!((log.start_offset(), append(&mut log)), (Offset(900), Offset(900)));
}

#[test]
fn a_loss_of_everything_is_dealt_with_once() {
    let (store, mut log) = filled(3);
    log.flush().unwrap();
    drop(log);
    store.remove(&active(&store)).unwrap();
    assert_eq!(open(&store, facts(LastStop::OtherBoot, 30)).1.lost, Some((Offset(0), Offset(30))));
    let (log, report) = open(&store, facts(LastStop::Clean, 30));
    assert_eq!((report.lost, report.epoch_bumped, log.end_offset()), (None, false, Offset(30)));
}

#[test]
fn a_new_partition_ignores_checkpoints_of_a_former_one() {
    let (mut log, report) = open(&MemoryStore::new(), facts(LastStop::OtherBoot, 500));
    assert_eq!((report, append(&mut log)), (RecoveryReport::default(), Offset(0)));
}

#[test]
fn arbitrary_bytes_as_segment_index_snapshot_and_marks_never_panic() {
    let (good, mut log) = filled(20);
    log.close().unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..400 {
        let store = good.kill();
        for name in good.list().unwrap() {
            if next() % 3 == 0 {
                let (at, value, cut) = (next(), next() as u8, next());
                store.damage(&name, |bytes| {
                    if bytes.is_empty() || value % 7 == 0 {
                        bytes.extend((0..cut % 300).map(|i| (i as u8).wrapping_mul(value)));
                    } else if value % 5 == 0 {
                        bytes.truncate(cut as usize % bytes.len());
                    } else {
                        let at = at as usize % bytes.len();
                        bytes[at] = value;
                    }
                });
            }
        }
        for stop in [LastStop::Clean, LastStop::SameBoot, LastStop::OtherBoot] {
            // What lies below the recovery point is not scanned after a power cut.
            let recovery_point = if stop == LastStop::OtherBoot { 0 } else { 100 };
            let Ok((mut log, _)) = try_open(&store.kill(), facts(stop, recovery_point)) else { continue };
            let view = log.view();
            if stop == LastStop::OtherBoot {
                for from in (view.start_offset().0..view.end_offset().0).step_by(7) {
                    let _ = bases(&view, from);
                }
            } else {
                let _ = view.read(view.start_offset(), 4000, AtLeast::OneBatch, ReadUpTo::End);
            }
            let _ = view.offset_for_timestamp(Timestamp(1005), ReadUpTo::End);
            let _ = log.enforce_retention(Timestamp(i64::MAX / 2));
            let _ = log.append(CheckedBatch::trusted(BatchBuilder::example(2)), NOW);
            assert_eq!(ErrorCode::CorruptMessage.code(), 2, "round {round}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_looked_at_is_no_empty_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let store = Arc::new(crate::log::folder::FolderStore::new(file.join("t-0")));
    let opened = PartitionLog::open(store, TopicPartition::new("t", 0), ID, config(), facts(LastStop::SameBoot, 7));
    assert!(matches!(opened, Err(LogError::Io(_))), "{:?}", opened.map(|(log, _)| log.view().end_offset()));
}
