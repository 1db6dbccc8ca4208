//! The data folder: who owns it, how the last run ended, and the checkpoints of all partitions.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::folder::{FolderStore, put_synced, replace_file, sync_folder};
use super::partition_log::METADATA;
use super::recovery::{LastStop, parse_metadata};
use super::self_test::{self, FolderFacts};
use super::{ballast, checkpoint};
use crate::model::{Offset, TopicId, TopicPartition};

pub(super) const LOCK: &str = ".lock";
pub(super) const META: &str = "meta.properties";
pub(super) const MARKER: &str = "shutdown.json";
pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
pub(super) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const DELETED: &str = "-delete";
/// Version of the folder's layout.
const FORMAT: i64 = 1;

/// Why a folder cannot be used. Each is one line for the operator.
#[derive(Debug, Error)]
pub enum DataFolderError {
    #[error("{path} is used by another process", path = path.display())]
    Locked { path: PathBuf, pid: Option<u32> },
    #[error("{file} has format version {version}; this program knows {FORMAT}: use a newer one")]
    NewerFormat { file: PathBuf, version: i64 },
    #[error("{0}")]
    Unfit(String),
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// How the last run ended, written at start (`clean: false`) and at the end (`clean: true`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Marker {
    version: i64,
    pub(super) clean: bool,
    boot_id: String,
    /// Starts in a row that found no clean stop, this one included.
    unclean_starts: u32,
}

/// A partition's offsets in the checkpoint files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionCheckpoint {
    pub recovery_point: Option<Offset>,
    pub log_start: Option<Offset>,
    /// Compacted up to here.
    pub cleaner_offset: Option<Offset>,
}

/// What was found at start.
#[derive(Clone, Debug)]
pub struct StartReport {
    pub last_stop: LastStop,
    /// 0 after a clean stop. From 3 on the broker should start read-only.
    pub unclean_starts: u32,
    pub facts: FolderFacts,
    pub checkpoints: BTreeMap<TopicPartition, PartitionCheckpoint>,
    /// Folders that hold partitions, with the topic id in them where it can be read.
    pub partitions: Vec<(TopicPartition, Option<TopicId>)>,
    pub renamed_aside: Vec<String>,
}

/// The data folder, locked by this process for as long as the value lives.
///
/// | file | content |
/// |---|---|
/// | `.lock` | the owner's process id; flock |
/// | `meta.properties` | `version=1`, `cluster.id`, `directory.id`, `node.id` |
/// | `shutdown.json` | `{version, clean, boot_id, unclean_starts}` |
/// | `ballast` | nothing worth keeping: given up when the disk is full |
/// | `recovery-point-offset-checkpoint` | rows `topic partition offset`, and a checksum: everything below is synced |
/// | `log-start-offset-checkpoint` | the same: everything below is deleted |
/// | `cleaner-offset-checkpoint` | the same: everything below is compacted |
/// | `<topic>-<partition>/` | a partition |
/// | `<topic>-<partition>.<unique>-delete/` | being deleted |
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    cluster_id: String,
    directory_id: String,
    marker: Mutex<Marker>,
    /// Open for as long as the process lives: `syncfs` reports a write error once per descriptor that was open when it came.
    lock: File,
}

impl DataFolder {
    /// Locks and tests the folder, reads how the last run ended and marks this one as running. Ids are drawn by the caller
    /// and used only where the folder has none yet.
    pub fn open(path: &Path, node_id: i32, new_ids: (TopicId, TopicId)) -> Result<(DataFolder, StartReport), DataFolderError> {
        let io = |error| DataFolderError::Io { path: path.to_owned(), error };
        fs::create_dir_all(path).map_err(io)?;
        let lock = lock(path)?;
        self_test::run(path).map_err(DataFolderError::Unfit)?;
        let facts = self_test::facts(path).map_err(io)?;
        let mut renamed_aside = Vec::new();
        let (cluster_id, directory_id) = identity(path, node_id, new_ids, &mut renamed_aside)?;
        let boot_id = fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned()).unwrap_or_default();
        let previous = read_marker(path, &mut renamed_aside)?;
        let (last_stop, unclean_starts) = judge(previous.as_ref(), &boot_id);
        let marker = Marker { version: FORMAT, clean: false, boot_id, unclean_starts };
        let folder = DataFolder { path: path.to_owned(), cluster_id, directory_id, marker: Mutex::new(marker), lock };
        folder.change_marker(|_| ()).map_err(io)?;
        let partitions = folder.find_partitions().map_err(io)?;
        let checkpoints = folder.read_checkpoints(&mut renamed_aside)?;
        let report = StartReport { last_stop, unclean_starts, facts, checkpoints, partitions, renamed_aside };
        Ok((folder, report))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub fn directory_id(&self) -> &str {
        &self.directory_id
    }

    /// The store of one partition.
    pub fn store(&self, partition: &TopicPartition) -> FolderStore {
        FolderStore::new(self.path.join(partition.to_string()))
    }

    /// Free and total bytes right now, from the file system itself.
    pub fn space(&self) -> io::Result<(u64, u64)> {
        ballast::space(&self.path)
    }

    /// One call that syncs every file of the folder: cheaper than many `fdatasync` above some thirty dirty files.
    pub fn sync_all_blocking(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.lock)?)
    }

    /// Rewrites the recovery points. Only offsets that a successful sync covers belong in here.
    pub fn write_recovery_points<'a>(&self, rows: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> io::Result<()> {
        self.write_checkpoint(RECOVERY_POINTS, rows)
    }

    pub fn write_log_starts<'a>(&self, rows: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> io::Result<()> {
        self.write_checkpoint(LOG_STARTS, rows)
    }

    pub fn write_cleaner_offsets<'a>(&self, rows: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> io::Result<()> {
        self.write_checkpoint(CLEANER_OFFSETS, rows)
    }

    fn write_checkpoint<'a>(&self, name: &str, rows: impl Iterator<Item = (&'a TopicPartition, Offset)>) -> io::Result<()> {
        let row = |(tp, offset): (&TopicPartition, Offset)| format!("{} {} {offset}", tp.topic, tp.partition);
        replace_file(&self.path.join(name), &checkpoint::format_sealed(rows.map(row)))
    }

    /// Every partition is closed and checkpointed: the next start may trust the folder.
    pub fn mark_clean(&self) -> io::Result<()> {
        self.change_marker(|marker| {
            marker.clean = true;
            marker.unclean_starts = 0;
        })
    }

    /// The run has been healthy for long enough that a crash now is a first one.
    pub fn forget_unclean_starts(&self) -> io::Result<()> {
        self.change_marker(|marker| marker.unclean_starts = 0)
    }

    fn change_marker(&self, change: impl FnOnce(&mut Marker)) -> io::Result<()> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut marker);
        let text = serde_json::to_vec(&*marker).map_err(io::Error::other)?;
        replace_file(&self.path.join(MARKER), &text)
    }

    fn find_partitions(&self) -> io::Result<Vec<(TopicPartition, Option<TopicId>)>> {
        let mut partitions = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let deleted = name.strip_suffix(DELETED).and_then(|name| name.rsplit_once('.')).and_then(|(name, _)| parse_partition(name));
            if deleted.is_some() {
                // A deletion that a stop interrupted.
                fs::remove_dir_all(entry.path())?;
            } else if let Some(partition) = parse_partition(&name) {
                let metadata = fs::read(entry.path().join(METADATA)).unwrap_or_default();
                partitions.push((partition, parse_metadata(&metadata).ok().flatten()));
            }
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    fn read_checkpoints(&self, aside: &mut Vec<String>) -> Result<BTreeMap<TopicPartition, PartitionCheckpoint>, DataFolderError> {
        let mut checkpoints: BTreeMap<TopicPartition, PartitionCheckpoint> = BTreeMap::new();
        for (partition, offset) in read_rows(&self.path, RECOVERY_POINTS, aside)? {
            checkpoints.entry(partition).or_default().recovery_point = Some(offset);
        }
        for (partition, offset) in read_rows(&self.path, LOG_STARTS, aside)? {
            checkpoints.entry(partition).or_default().log_start = Some(offset);
        }
        for (partition, offset) in read_rows(&self.path, CLEANER_OFFSETS, aside)? {
            checkpoints.entry(partition).or_default().cleaner_offset = Some(offset);
        }
        Ok(checkpoints)
    }
}

fn lock(path: &Path) -> Result<File, DataFolderError> {
    let file = path.join(LOCK);
    let io = |error: io::Error| DataFolderError::Io { path: file.clone(), error };
    let mut lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file).map_err(io)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            ballast::give_way(path).and_then(|()| lock.set_len(0)).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(io)?;
            Ok(lock)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let pid = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            Err(DataFolderError::Locked { path: path.to_owned(), pid })
        }
        Err(errno) => Err(io(errno.into())),
    }
}

pub(super) fn judge(previous: Option<&Marker>, boot_id: &str) -> (LastStop, u32) {
    match previous {
        // A first start has nothing to distrust, and a folder that lost its marker has nothing to show for itself.
        None => (LastStop::OtherBoot, 0),
        Some(marker) if marker.clean => (LastStop::Clean, 0),
        Some(marker) => {
            let same = !boot_id.is_empty() && marker.boot_id == boot_id;
            (if same { LastStop::SameBoot } else { LastStop::OtherBoot }, marker.unclean_starts.saturating_add(1))
        }
    }
}

pub(super) fn read_file(path: &Path, name: &str) -> Result<Option<Vec<u8>>, DataFolderError> {
    match fs::read(path.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataFolderError::Io { path: path.join(name), error }),
    }
}

fn set_aside(path: &Path, name: &str, aside: &mut Vec<String>) -> Result<(), DataFolderError> {
    let target = (0..).map(|n| format!("{name}.{n}.unknown")).find(|target| !path.join(target).exists()).unwrap_or_default();
    let io = |error| DataFolderError::Io { path: path.join(name), error };
    fs::rename(path.join(name), path.join(&target)).map_err(io)?;
    sync_folder(path).map_err(io)?;
    aside.push(target);
    Ok(())
}

fn read_marker(path: &Path, aside: &mut Vec<String>) -> Result<Option<Marker>, DataFolderError> {
    let Some(bytes) = read_file(path, MARKER)? else { return Ok(None) };
    let version = serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|value| value.get("version")?.as_i64());
    if let Some(version) = version.filter(|version| *version > FORMAT) {
        return Err(DataFolderError::NewerFormat { file: path.join(MARKER), version });
    }
    match serde_json::from_slice(&bytes) {
        Ok(marker) => Ok(Some(marker)),
        Err(_) => set_aside(path, MARKER, aside).map(|()| None),
    }
}

/// The cluster's and the folder's id, `None` if one is missing. A newer version is an error.
pub(super) fn parse_meta(bytes: &[u8]) -> Result<Option<(String, String)>, i64> {
    let text = String::from_utf8_lossy(bytes);
    let field = |name: &str| text.lines().find_map(|line| Some(line.split_once('=')?).filter(|(key, _)| *key == name)).map(|(_, v)| v);
    if let Some(version) = field("version").and_then(|version| version.parse::<i64>().ok()).filter(|version| *version > FORMAT) {
        return Err(version);
    }
    Ok(field("cluster.id").zip(field("directory.id")).map(|(cluster, directory)| (cluster.to_owned(), directory.to_owned())))
}

fn identity(
    path: &Path,
    node_id: i32,
    (new_cluster, new_directory): (TopicId, TopicId),
    aside: &mut Vec<String>,
) -> Result<(String, String), DataFolderError> {
    if let Some(bytes) = read_file(path, META)? {
        match parse_meta(&bytes) {
            Err(version) => return Err(DataFolderError::NewerFormat { file: path.join(META), version }),
            Ok(Some(ids)) => return Ok(ids),
            Ok(None) => {}
        }
        set_aside(path, META, aside)?;
    }
    let text = format!("version={FORMAT}\ncluster.id={new_cluster}\ndirectory.id={new_directory}\nnode.id={node_id}\n");
    // The marker comes next, and makes the names in the folder durable.
    put_synced(&path.join(META), text.as_bytes()).map_err(|error| DataFolderError::Io { path: path.join(META), error })?;
    Ok((new_cluster.to_string(), new_directory.to_string()))
}

fn read_rows(path: &Path, name: &str, aside: &mut Vec<String>) -> Result<Vec<(TopicPartition, Offset)>, DataFolderError> {
    let Some(bytes) = read_file(path, name)? else { return Ok(Vec::new()) };
    match parse_rows(&bytes) {
        Ok(rows) => Ok(rows),
        Err(checkpoint::CheckpointDefect::Newer(version)) => Err(DataFolderError::NewerFormat { file: path.join(name), version }),
        Err(checkpoint::CheckpointDefect::Malformed) => set_aside(path, name, aside).map(|()| Vec::new()),
    }
}

pub(super) fn parse_rows(bytes: &[u8]) -> Result<Vec<(TopicPartition, Offset)>, checkpoint::CheckpointDefect> {
    checkpoint::parse(bytes, |row| {
        let mut fields = row.split(' ');
        let topic = fields.next()?;
        let partition = fields.next()?.parse().ok().filter(|partition: &i32| *partition >= 0)?;
        Some((TopicPartition::new(topic, partition), Offset(fields.next()?.parse().ok()?)))
    })
}

/// `<topic>-<partition>`; the topic may contain dashes itself.
pub(super) fn parse_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let canonical = partition.parse::<i32>().ok().filter(|number| *number >= 0 && number.to_string() == partition)?;
    crate::model::TopicName::is_legal(topic).then(|| TopicPartition::new(topic, canonical))
}

#[cfg(test)]
#[path = "data_folder_tests.rs"]
mod tests;
