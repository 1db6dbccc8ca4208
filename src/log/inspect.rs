//! A data folder read from outside, while nothing runs on it: what is in each log, what is damaged, what the next start would do.
//! Nothing is changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::checkpoint::CheckpointDefect;
use super::compaction::{GAPS, parse_gaps};
use super::damage::{self, DAMAGE};
use super::data_folder::{self, BOOT_ID, DataFolderError, LOCK, LOG_STARTS, MARKER, META, Marker, PartitionCheckpoint, RECOVERY_POINTS};
use super::error::LogError;
use super::folder::FolderStore;
use super::kept_file;
use super::leader_epochs::{self, LeaderEpochs};
use super::offset_index::OffsetIndex;
use super::partition_log::{METADATA, PartitionLog};
use super::producer_snapshot;
use super::recovery::{LastStop, OpenFacts, RecoveryReport, parse_metadata};
use super::rehearsal::Rehearsal;
use super::scan::{Gaps, ScanRules, scan};
use super::segment::{BadRange, INDEX, Indexes, LOG, SNAPSHOT, TIME_INDEX, TXN_INDEX, Walk, file_name, parse_file_name};
use super::store::{Opening, Store};
use super::time_index::TimeIndex;
use super::txn_index;
use crate::config::LogConfig;
use crate::model::batch::BatchView;
use crate::model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicId, TopicPartition};

/// A folder, held so that no broker starts on it meanwhile.
pub struct Inspection {
    path: PathBuf,
    /// How the next start will judge the last stop.
    pub last_stop: LastStop,
    /// Files of the folder itself that cannot be read.
    pub unreadable: Vec<String>,
    pub partitions: Vec<TopicPartition>,
    checkpoints: BTreeMap<TopicPartition, PartitionCheckpoint>,
    _lock: Option<File>,
}

/// One partition's log.
pub struct PartitionInspection {
    pub topic_id: Option<TopicId>,
    pub recovery_point: Offset,
    pub log_start: Offset,
    pub segments: Vec<SegmentInspection>,
    /// Files that cannot be read, or do not agree with the batches.
    pub defects: Vec<String>,
    pub start: Result<StartPlan, LogError>,
}

#[derive(Debug)]
pub struct SegmentInspection {
    pub base_offset: Offset,
    pub end_offset: Offset,
    pub bytes: u64,
    pub batches: u64,
    pub records: u64,
    /// Batches by codec.
    pub codecs: BTreeMap<&'static str, u64>,
    pub times: Option<(Timestamp, Timestamp)>,
    pub damaged: Vec<BadRange>,
    /// Bytes at the end of the last segment that no batch fills.
    pub torn_bytes: u64,
}

/// What the next start would come to.
pub struct StartPlan {
    pub report: RecoveryReport,
    /// Changes in the folder, in order.
    pub actions: Vec<String>,
    pub start_offset: Offset,
    pub end_offset: Offset,
    pub leader_epoch: LeaderEpoch,
    /// Producer, epoch, last sequence.
    pub producers: Vec<(ProducerId, ProducerEpoch, i32)>,
}

impl PartitionInspection {
    pub fn is_damaged(&self) -> bool {
        let bad_start = self.start.as_ref().map_or(true, |plan| plan.report.is_alarming());
        bad_start || !self.defects.is_empty() || self.segments.iter().any(|segment| !segment.damaged.is_empty())
    }
}

impl Inspection {
    /// Refused while a broker uses the folder.
    pub fn open(path: &Path) -> Result<Inspection, DataFolderError> {
        let io = |error| DataFolderError::Io { path: path.to_owned(), error };
        let lock = hold(path)?;
        let mut unreadable = Vec::new();
        let boot_id = fs::read_to_string(BOOT_ID).map(|id| id.trim().to_owned()).unwrap_or_default();
        let marker = data_folder::read_file(path, MARKER)?.and_then(|bytes| {
            let marker: Option<Marker> = serde_json::from_slice(&bytes).ok();
            if marker.is_none() {
                unreadable.push(MARKER.to_owned());
            }
            marker
        });
        let (last_stop, _) = data_folder::judge(marker.as_ref(), &boot_id);
        let mut checkpoints: BTreeMap<TopicPartition, PartitionCheckpoint> = BTreeMap::new();
        for (partition, offset) in rows(path, RECOVERY_POINTS, &mut unreadable)? {
            checkpoints.entry(partition).or_default().recovery_point = Some(offset);
        }
        for (partition, offset) in rows(path, LOG_STARTS, &mut unreadable)? {
            checkpoints.entry(partition).or_default().log_start = Some(offset);
        }
        if data_folder::read_file(path, META)?.is_some_and(|bytes| !matches!(data_folder::parse_meta(&bytes), Ok(Some(_)))) {
            unreadable.push(META.to_owned());
        }
        unreadable.extend(damaged_kept_files(path).map_err(io)?);
        let mut partitions = Vec::new();
        for entry in fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().into_string().unwrap_or_default();
            partitions.extend(data_folder::parse_partition(&name).filter(|_| entry.path().is_dir()));
        }
        partitions.sort_unstable();
        Ok(Inspection { path: path.to_owned(), last_stop, unreadable, partitions, checkpoints, _lock: lock })
    }

    fn store(&self, partition: &TopicPartition) -> FolderStore {
        FolderStore::new(self.path.join(partition.to_string()))
    }

    fn whole_below(&self, partition: &TopicPartition) -> Offset {
        match self.last_stop {
            LastStop::OtherBoot => self.checkpoints.get(partition).and_then(|checkpoint| checkpoint.recovery_point).unwrap_or(Offset::ZERO),
            LastStop::Clean | LastStop::SameBoot => Offset(i64::MAX),
        }
    }

    fn topic_id(&self, partition: &TopicPartition) -> Option<TopicId> {
        let bytes = fs::read(self.path.join("topics").join(format!("{}.json", partition.topic))).ok()?;
        TopicId::from_base64(kept_file::whole(&bytes)?.get("id")?.as_str()?)
    }

    /// Reads all of a partition. Blocks.
    pub fn partition(&self, partition: &TopicPartition, config: &LogConfig, now: Timestamp) -> io::Result<PartitionInspection> {
        let store = self.store(partition);
        let checkpoint = self.checkpoints.get(partition).copied().unwrap_or_default();
        let recovery_point = checkpoint.recovery_point.unwrap_or(Offset::ZERO);
        let log_start = checkpoint.log_start.unwrap_or(Offset::ZERO);
        let mut defects = Vec::new();
        let topic_id = store.read(METADATA)?.and_then(|bytes| parse_metadata(&bytes).ok().flatten());
        match topic_id {
            None => defects.push(format!("{METADATA} is missing or cannot be read")),
            Some(id) if self.topic_id(partition).is_some_and(|expected| expected != id) => {
                defects.push(format!("{METADATA} names another topic than topics/{}.json", partition.topic));
            }
            Some(_) => {}
        }
        let damaged = read_damage(&store, &mut defects)?;
        let bases = bases(&store)?;
        let gaps_below = gaps_below(&store, &mut defects)?;
        let whole_below = self.whole_below(partition);
        let epochs = store.read(leader_epochs::FILE)?.and_then(|bytes| LeaderEpochs::parse(&bytes).ok()).unwrap_or_default();
        let mut segments = Vec::with_capacity(bases.len());
        for (index, base) in bases.iter().enumerate() {
            let known: Vec<BadRange> = damaged.iter().filter(|bad| bad.segment == *base).cloned().collect();
            let next = bases.get(index + 1).copied();
            let rules = rules(*base, gaps_below, whole_below, config);
            segments.push(inspect_segment(&store, rules, next, known, &epochs, &mut defects)?);
        }
        if let Some(last) = segments.last_mut() {
            // What was synced, or written before a clean stop, is no torn tail.
            let damage = last.torn_bytes > 0 && (self.last_stop == LastStop::Clean || last.end_offset < recovery_point);
            if damage {
                let bytes = last.bytes - last.torn_bytes..last.bytes;
                last.damaged.push(BadRange {
                    segment: last.base_offset,
                    bytes,
                    offsets: last.end_offset..recovery_point.max(last.end_offset),
                });
                last.torn_bytes = 0;
            }
        }
        check_small_files(&store, &mut defects)?;
        let facts = OpenFacts { last_stop: self.last_stop, recovery_point, log_start, now };
        let start = rehearse(store, partition, topic_id, config, facts);
        Ok(PartitionInspection { topic_id, recovery_point, log_start, segments, defects, start })
    }

    /// Every batch of a partition in the order of the files, with its position; damaged bytes are passed over and named.
    pub fn each_batch(
        &self,
        partition: &TopicPartition,
        config: &LogConfig,
        mut each: impl FnMut(Offset, u64, Result<BatchView<'_>, &BadRange>) -> io::Result<()>,
    ) -> io::Result<()> {
        let store = self.store(partition);
        let gaps_below = gaps_below(&store, &mut Vec::new())?;
        for base in bases(&store)? {
            let Some(bytes) = whole(&store, base)? else { continue };
            let scanned = scan(&bytes, 0, rules(base, gaps_below, self.whole_below(partition), config), &[], Indexes::default());
            let mut damaged = scanned.damaged.iter().peekable();
            let valid = bytes.get(..usize::try_from(scanned.end).unwrap_or(usize::MAX)).unwrap_or_default();
            for located in Walk::new(valid, 0, scanned.damaged.clone().into()).map_while(Result::ok) {
                while let Some(bad) = damaged.next_if(|bad| bad.bytes.start < located.position) {
                    each(base, bad.bytes.start, Err(bad))?;
                }
                if let Ok(batch) = BatchView::parse(Walk::batch_bytes(valid, 0, &located)) {
                    each(base, located.position, Ok(batch))?;
                }
            }
            for bad in damaged {
                each(base, bad.bytes.start, Err(bad))?;
            }
        }
        Ok(())
    }
}

/// Holds the folder's lock, if it has one, together with others who only read.
fn hold(path: &Path) -> Result<Option<File>, DataFolderError> {
    let file = match File::open(path.join(LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataFolderError::Io { path: path.join(LOCK), error }),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let pid = fs::read_to_string(path.join(LOCK)).ok().and_then(|text| text.trim().parse().ok());
            Err(DataFolderError::Locked { path: path.to_owned(), pid })
        }
        Err(errno) => Err(DataFolderError::Io { path: path.join(LOCK), error: errno.into() }),
    }
}

fn rows(path: &Path, name: &str, unreadable: &mut Vec<String>) -> Result<Vec<(TopicPartition, Offset)>, DataFolderError> {
    let Some(bytes) = data_folder::read_file(path, name)? else { return Ok(Vec::new()) };
    match data_folder::parse_rows(&bytes) {
        Ok(rows) => Ok(rows),
        Err(CheckpointDefect::Newer(version)) => Err(DataFolderError::NewerFormat { file: path.join(name), version }),
        Err(CheckpointDefect::Malformed) => {
            unreadable.push(name.to_owned());
            Ok(Vec::new())
        }
    }
}

/// Those of the folder's JSON files whose checksum is wrong.
fn damaged_kept_files(path: &Path) -> io::Result<Vec<String>> {
    let mut names = vec!["broker-configs.json".to_owned(), "producer-ids".to_owned()];
    match fs::read_dir(path.join("topics")) {
        Ok(entries) => {
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                names.extend(Some(format!("topics/{name}")).filter(|name| name.ends_with(".json")));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    names.sort_unstable();
    names.retain(|name| fs::read(path.join(name)).is_ok_and(|bytes| kept_file::whole(&bytes).is_none()));
    Ok(names)
}

fn bases(store: &FolderStore) -> io::Result<Vec<Offset>> {
    let names = store.list()?;
    let bases = names.iter().filter_map(|name| parse_file_name(name).filter(|(_, extension)| *extension == LOG).map(|(base, _)| base));
    Ok(bases.collect())
}

/// Below what offset compaction may have left gaps.
fn gaps_below(store: &FolderStore, defects: &mut Vec<String>) -> io::Result<Offset> {
    Ok(match store.read(GAPS)?.map(|bytes| parse_gaps(&bytes)) {
        None => Offset::ZERO,
        Some(Ok(below)) => below,
        Some(Err(_)) => {
            defects.push(format!("{GAPS} cannot be read"));
            Offset(i64::MAX)
        }
    })
}

fn rules(base: Offset, gaps_below: Offset, whole_below: Offset, config: &LogConfig) -> ScanRules {
    let gaps = if base < gaps_below { Gaps::Allowed } else { Gaps::None };
    ScanRules { segment: base, expected: base, gaps, interval_bytes: config.index_interval_bytes, whole_below, newest_epoch: None }
}

fn whole(store: &FolderStore, base: Offset) -> io::Result<Option<bytes::Bytes>> {
    let name = file_name(base, LOG);
    let len = store.size(&name)?;
    if len == 0 {
        return Ok(None);
    }
    Ok(store.open_segment(&name, len, Opening::Existing)?.slice(0..len))
}

fn read_damage(store: &FolderStore, defects: &mut Vec<String>) -> io::Result<Vec<BadRange>> {
    let Some(bytes) = store.read(DAMAGE)? else { return Ok(Vec::new()) };
    let parsed = damage::parse(&bytes);
    if parsed.is_err() {
        defects.push(format!("{DAMAGE} cannot be read"));
    }
    Ok(parsed.unwrap_or_default())
}

fn check_small_files(store: &FolderStore, defects: &mut Vec<String>) -> io::Result<()> {
    if store.read(leader_epochs::FILE)?.is_some_and(|bytes| LeaderEpochs::parse(&bytes).is_err()) {
        defects.push(format!("{} cannot be read", leader_epochs::FILE));
    }
    for name in store.list()? {
        if let Some((_, SNAPSHOT)) = parse_file_name(&name)
            && store.read(&name)?.is_some_and(|bytes| producer_snapshot::decode(&bytes).is_none())
        {
            defects.push(format!("{name} cannot be read"));
        }
    }
    Ok(())
}

fn inspect_segment(
    store: &FolderStore,
    rules: ScanRules,
    next: Option<Offset>,
    known: Vec<BadRange>,
    epochs: &LeaderEpochs,
    defects: &mut Vec<String>,
) -> io::Result<SegmentInspection> {
    let base = rules.segment;
    let bytes = whole(store, base)?.unwrap_or_default();
    let len = bytes.len() as u64;
    let scanned = scan(&bytes, 0, rules, &known, Indexes::default());
    let mut found = SegmentInspection {
        base_offset: base,
        end_offset: scanned.end_offset,
        bytes: len,
        batches: 0,
        records: 0,
        codecs: BTreeMap::new(),
        times: None,
        damaged: known,
        torn_bytes: 0,
    };
    found.damaged.extend(scanned.damaged);
    if let Some(next) = next.filter(|next| scanned.tail_bytes > 0 || (scanned.end_offset < *next && rules.gaps == Gaps::None)) {
        let bad = BadRange { segment: base, bytes: scanned.end..len, offsets: scanned.end_offset..next };
        if !found.damaged.contains(&bad) {
            found.damaged.push(bad);
        }
    } else {
        found.torn_bytes = scanned.tail_bytes;
    }
    let valid = bytes.get(..usize::try_from(scanned.end).unwrap_or(usize::MAX)).unwrap_or_default();
    let mut ends = BTreeMap::new();
    let mut maxima = BTreeMap::new();
    let mut other_epoch = None;
    for located in Walk::new(valid, 0, found.damaged.clone().into()).map_while(Result::ok) {
        let header = located.header;
        found.batches += 1;
        found.records = found.records.saturating_add(u64::try_from(header.record_count).unwrap_or(0));
        *found.codecs.entry(header.attributes.codec().map_or("unknown", |codec| codec.name())).or_default() += 1;
        let (first, last) = found.times.unwrap_or((header.base_timestamp, header.max_timestamp));
        found.times = Some((first.min(header.base_timestamp), last.max(header.max_timestamp)));
        ends.insert(located.position, header.last_offset());
        maxima.insert(header.last_offset(), header.max_timestamp);
        // Neither has a checksum; each tells of a flipped bit in the other.
        let wrong = match epochs.epoch_of(header.last_offset()) {
            Some(epoch) => epoch != header.leader_epoch,
            // Below the log's start the list only says which epoch came later.
            None => epochs.start().and_then(|start| epochs.epoch_of(start)).is_some_and(|later| header.leader_epoch > later),
        };
        if wrong {
            other_epoch.get_or_insert((header.base_offset, header.leader_epoch));
        }
    }
    if let Some((offset, epoch)) = other_epoch {
        defects.push(format!("the batch at {offset} says leader epoch {epoch}, {} does not", leader_epochs::FILE));
    }
    check_indexes(store, base, len, &ends, &maxima, defects)?;
    Ok(found)
}

/// Index files are derived: a start that does not believe them builds them again.
fn check_indexes(
    store: &FolderStore,
    base: Offset,
    len: u64,
    ends: &BTreeMap<u64, Offset>,
    maxima: &BTreeMap<Offset, Timestamp>,
    defects: &mut Vec<String>,
) -> io::Result<()> {
    let read = |extension| store.read(&file_name(base, extension));
    if let Some(bytes) = read(INDEX)? {
        let agrees = |(position, offset): (u64, Offset)| ends.get(&position) == Some(&offset);
        match OffsetIndex::parse(&bytes, len.max(1)) {
            Some(index) if index.entries(base).all(agrees) => {}
            Some(_) => defects.push(format!("{} does not agree with the batches", file_name(base, INDEX))),
            None => defects.push(format!("{} cannot be read", file_name(base, INDEX))),
        }
    }
    if let Some(bytes) = read(TIME_INDEX)? {
        let agrees = |(timestamp, offset): (Timestamp, Offset)| maxima.get(&offset) == Some(&timestamp);
        match TimeIndex::parse(&bytes) {
            Some(index) if index.entries(base).all(agrees) => {}
            Some(_) => defects.push(format!("{} does not agree with the batches", file_name(base, TIME_INDEX))),
            None => defects.push(format!("{} cannot be read", file_name(base, TIME_INDEX))),
        }
    }
    if read(TXN_INDEX)?.is_some_and(|bytes| txn_index::parse(&bytes).is_none()) {
        defects.push(format!("{} cannot be read", file_name(base, TXN_INDEX)));
    }
    Ok(())
}

fn rehearse(
    store: FolderStore,
    partition: &TopicPartition,
    topic_id: Option<TopicId>,
    config: &LogConfig,
    facts: OpenFacts,
) -> Result<StartPlan, LogError> {
    let rehearsal = Arc::new(Rehearsal::new(store));
    let store: Arc<dyn Store> = Arc::clone(&rehearsal) as Arc<dyn Store>;
    let topic_id = topic_id.unwrap_or(TopicId([0; 16]));
    let (log, report) = PartitionLog::open(store, partition.clone(), topic_id, config.clone(), facts)?;
    let mut producers: Vec<_> = log.producers().iter().map(|entry| (entry.producer_id, entry.epoch, entry.last_sequence())).collect();
    producers.sort_unstable();
    Ok(StartPlan {
        report,
        actions: rehearsal.actions(),
        start_offset: log.start_offset(),
        end_offset: log.end_offset(),
        leader_epoch: log.leader_epoch(),
        producers,
    })
}
