//! `headwater log verify` and `headwater log dump` on copies of a data folder, whole and damaged.

#[path = "process/copy.rs"]
mod copy;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use copy::copy;
use running::{Ended, Running, command, ended};
use tempfile::{TempDir, tempdir};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture/data");

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("file"));
        }
    }
    found
}

/// A folder whose `data` is a copy of the fixture, changed.
fn copied(change: impl FnOnce(&Path)) -> TempDir {
    let folder = tempdir().expect("folder");
    let data = folder.path().join("data");
    copy(Path::new(FIXTURE), &data);
    change(&data);
    folder
}

/// Runs `headwater log`, and sees to it that no file was touched.
fn log(folder: &TempDir, arguments: &[&str]) -> Ended {
    let before = files(folder.path());
    let mut command = command(folder.path());
    command.arg("log").args(arguments);
    let ended = ended(command);
    assert!(files(folder.path()) == before, "a file was changed");
    ended
}

fn flip(path: PathBuf, at: usize) {
    let mut bytes = fs::read(&path).expect("file");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("write");
}

fn verify(change: impl FnOnce(&Path)) -> (Option<i32>, String) {
    let ended = log(&copied(change), &["verify", "data"]);
    assert_eq!(ended.stderr, "");
    (ended.status.code(), ended.stdout)
}

#[test]
fn a_whole_folder_is_explained_and_has_no_damage() {
    let (status, text) = verify(|_| ());
    assert_eq!(status, Some(0), "{text}");
    for wanted in [
        "last stop: clean",
        "segments-0\n  topic id QwcKQHr1TSCiW2S6ojPQ5g, log start 60, synced below 120",
        "  segment 54..108: ",
        "gzip",
        "zstd",
        "  producers: ",
        "  a start serves 60..120 at leader epoch 0",
        "10 partitions, no damage",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
    assert!(!text.contains("DAMAGE") && !text.contains("a start would"), "{text}");
}

#[test]
fn a_flipped_bit_anywhere_is_named() {
    let segment = "segments-0/00000000000000000054.log";
    let cases: [(&str, usize, &str); 11] = [
        (segment, 200, "DAMAGE bytes 0.."),
        (segment, 3, "DAMAGE bytes 0.."),
        ("segments-0/00000000000000000054.index", 3, "DAMAGE 00000000000000000054.index"),
        ("segments-0/00000000000000000054.timeindex", 9, "DAMAGE 00000000000000000054.timeindex"),
        ("segments-0/00000000000000000120.snapshot", 8, "DAMAGE 00000000000000000120.snapshot cannot be read"),
        ("segments-0/leader-epoch-checkpoint", 1, "DAMAGE leader-epoch-checkpoint cannot be read"),
        (segment, 15, "says leader epoch 16, leader-epoch-checkpoint does not"),
        ("segments-0/partition.metadata", 25, "DAMAGE partition.metadata names another topic"),
        ("topics/segments.json", 3, "DAMAGE topics/segments.json cannot be read"),
        ("meta.properties", 12, "DAMAGE meta.properties cannot be read"),
        ("shutdown.json", 1, "DAMAGE shutdown.json cannot be read"),
    ];
    for (file, at, wanted) in cases {
        let (status, text) = verify(|data| flip(data.join(file), at));
        assert_eq!(status, Some(1), "{file} {at}: {text}");
        assert!(text.contains(wanted), "{file} {at}: {wanted:?} is not in\n{text}");
    }
}

#[test]
fn a_torn_tail_after_a_crash_is_no_damage_and_what_a_start_cuts_is_said() {
    let log = "plain-0/00000000000000000000.log";
    let len = fs::metadata(Path::new(FIXTURE).join(log)).expect("file").len();
    let tear = |data: &Path| {
        let mut bytes = fs::read(data.join(log)).expect("file");
        bytes.extend([0; 700]);
        fs::write(data.join(log), bytes).expect("write");
    };
    let (status, text) = verify(|data| {
        tear(data);
        let marker = fs::read_to_string(data.join("shutdown.json")).expect("marker").replace("true", "false");
        fs::write(data.join("shutdown.json"), marker).expect("write");
    });
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("torn tail of 700 bytes"), "{text}");
    assert!(text.contains(&format!("a start would cut 00000000000000000000.log to {len} bytes")), "{text}");
    let (status, text) = verify(tear);
    assert_eq!(status, Some(1), "after a clean stop nothing is torn: {text}");
}

#[test]
fn a_dump_shows_batches_and_records_and_passes_over_damage() {
    let whole = log(&copied(|_| ()), &["dump", "data", "--topic", "idempotent"]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(whole.stdout.starts_with("idempotent-0\n  batch 0..=") && whole.stdout.contains(" producer "), "{}", whole.stdout);
    assert!(!whole.stdout.contains("plain-0") && whole.stdout.contains(" value \""), "{}", whole.stdout);
    let batches = |text: &str| text.lines().filter(|line| line.starts_with("  batch ")).count();
    let folder = copied(|data| flip(data.join("idempotent-0/00000000000000000000.log"), 70));
    let damaged = log(&folder, &["dump", "data", "--topic", "idempotent"]);
    assert_eq!((damaged.status.code(), batches(&damaged.stdout) + 1), (Some(1), batches(&whole.stdout)), "{}", damaged.stdout);
    assert!(damaged.stdout.contains("  DAMAGE segment 0: bytes 0.."), "{}", damaged.stdout);
}

#[test]
fn a_folder_in_use_and_one_that_is_none_are_refused() {
    let folder = tempdir().expect("folder");
    let running = Running::start(folder.path(), &[]);
    let mut verify = command(folder.path());
    verify.args(["log", "verify", "data"]);
    let refused = ended(verify);
    assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("is in use by process"), "{}", refused.stderr);
    running.stop();
    let missing = log(&folder, &["verify", "nowhere"]);
    assert!(missing.status.code() == Some(1) && missing.stderr.starts_with("headwater: "), "{missing:?}");
}
