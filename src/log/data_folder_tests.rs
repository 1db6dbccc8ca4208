use super::*;
use crate::log::store::Store;

const IDS: (TopicId, TopicId) = (TopicId([1; 16]), TopicId([2; 16]));

fn open(path: &Path) -> Result<(DataFolder, StartReport), DataFolderError> {
    DataFolder::open(path, 1, IDS)
}

#[test]
fn one_process_owns_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(DataFolderError::Locked { pid: Some(pid), .. }) if pid == std::process::id()));
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn how_the_last_run_ended_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let stop = |clean: bool| {
        let (folder, report) = open(dir.path()).unwrap();
        if clean {
            folder.mark_clean().unwrap();
        }
        (report.last_stop, report.unclean_starts)
    };
    assert_eq!(stop(true), (LastStop::OtherBoot, 0), "a first start");
    assert_eq!(stop(false), (LastStop::Clean, 0));
    assert_eq!(stop(false), (LastStop::SameBoot, 1));
    assert_eq!(stop(true), (LastStop::SameBoot, 2));
    assert_eq!(stop(false), (LastStop::Clean, 0));
    let marker = dir.path().join(MARKER);
    let other_boot = fs::read_to_string(&marker).unwrap().replace(&boot_id(), "another");
    fs::write(&marker, other_boot).unwrap();
    assert_eq!(stop(false), (LastStop::OtherBoot, 1));
    fs::write(&marker, "junk").unwrap();
    let (_folder, report) = open(dir.path()).unwrap();
    assert_eq!((report.last_stop, report.renamed_aside.len()), (LastStop::OtherBoot, 1));
}

fn boot_id() -> String {
    fs::read_to_string(BOOT_ID).unwrap().trim().to_owned()
}

#[test]
fn the_cluster_id_is_drawn_once() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = open(dir.path()).unwrap();
    assert_eq!(folder.cluster_id(), IDS.0.to_base64());
    drop(folder);
    let (folder, _) = DataFolder::open(dir.path(), 1, (TopicId([8; 16]), TopicId([9; 16]))).unwrap();
    assert_eq!((folder.cluster_id(), folder.directory_id()), (IDS.0.to_base64().as_str(), IDS.1.to_base64().as_str()));
}

#[test]
fn newer_formats_are_refused_in_one_line() {
    for (name, content) in [(META, "version=2\ncluster.id=x\n"), (MARKER, r#"{"version":9}"#), (LOG_STARTS, "4\n0\n")] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), content).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, DataFolderError::NewerFormat { .. }), "{name}: {error}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn checkpoints_and_partitions_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = open(dir.path()).unwrap();
    let a = TopicPartition::new("a-b.c", 0);
    let b = TopicPartition::new("b", 12);
    folder.write_recovery_points([(&a, Offset(5)), (&b, Offset(7))].into_iter()).unwrap();
    folder.write_log_starts([(&a, Offset(2))].into_iter()).unwrap();
    folder.store(&a).put(METADATA, b"version: 0\ntopic_id: MDEyMzQ1Njc4OWFiY2RlZg").unwrap();
    folder.store(&b).put("x", b"").unwrap();
    fs::create_dir(dir.path().join("b-1.77-0-delete")).unwrap();
    fs::create_dir(dir.path().join("not a partition")).unwrap();
    fs::create_dir(dir.path().join("keep.me-delete")).unwrap();
    let rows = fs::read_to_string(dir.path().join(RECOVERY_POINTS)).unwrap();
    assert!(rows.starts_with("0\n3\na-b.c 0 5\nb 12 7\ncrc32c -1 "), "{rows}");
    drop(folder);
    let (folder, report) = open(dir.path()).unwrap();
    let expected = PartitionCheckpoint { recovery_point: Some(Offset(5)), log_start: Some(Offset(2)), cleaner_offset: None };
    assert_eq!(report.checkpoints.get(&a), Some(&expected));
    assert_eq!(report.partitions, [(a, Some(TopicId(*b"0123456789abcdef"))), (b.clone(), None)]);
    assert!(!dir.path().join("b-1.77-0-delete").exists() && dir.path().join("keep.me-delete").exists());
    folder.store(&b).delete_folder().unwrap();
    assert!(!dir.path().join("b-12").exists());
    folder.sync_all_blocking().unwrap();
    assert!(folder.space().unwrap().1 > 0);
}

#[test]
fn a_malformed_checkpoint_is_renamed_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(RECOVERY_POINTS), "0\n5\na 0 1\n").unwrap();
    let (_folder, report) = open(dir.path()).unwrap();
    assert_eq!(report.renamed_aside.len(), 1);
    assert!(report.checkpoints.is_empty() && dir.path().join(&report.renamed_aside[0]).exists());
}
