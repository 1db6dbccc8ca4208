//! Opening a log: what a stop of any kind left behind becomes a log that can be read and written, or an error.
//!
//! - A torn tail is cut, before the file is mapped for good.
//! - Damage is kept, marked (`damaged-ranges`), answered as CORRUPT_MESSAGE, and the rest is served.
//! - Lost offsets, and every power cut, bump the leader epoch: clients notice, and no (epoch, offset) is given out twice.
//! - Files that are not understood are renamed aside; only derived files are deleted.

use std::io;
use std::sync::Arc;

use super::compaction::{self, swap};
use super::damage::{self, DAMAGE, QUARANTINE};
use super::error::LogError;
use super::leader_epochs::{self, LeaderEpochs};
use super::log_view::LogView;
use super::partition_log::{METADATA, PartitionLog, SYNC_FAILED};
use super::producer_snapshot;
use super::producer_state::ProducerStates;
use super::scan::{Gaps, ScanRules, Scanned, scan};
use super::segment::{INDEX, Indexes, LOG, NewSegment, SNAPSHOT, Segment, TIME_INDEX, TXN_INDEX, file_name, parse_file_name};
use super::store::{Opening, Store};
use super::torn_roll::blank_segments;
use crate::config::LogConfig;
use crate::model::{BatchHeader, LeaderEpoch, Offset, Timestamp, TopicId, TopicPartition};

pub use super::segment::BadRange;

const ASIDE: &str = ".unknown";

/// How the process that wrote the log before us ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastStop {
    Clean,
    /// It was killed; what it wrote is in the page cache: only the last segment's end is scanned.
    SameBoot,
    /// The machine went down: everything from the recovery point on is scanned.
    OtherBoot,
}

/// What the data folder knows about a partition when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenFacts {
    pub last_stop: LastStop,
    /// From `recovery-point-offset-checkpoint`, 0 if unknown: everything below was synced.
    pub recovery_point: Offset,
    /// From `log-start-offset-checkpoint`, 0 if unknown.
    pub log_start: Offset,
    pub now: Timestamp,
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    pub scanned_bytes: u64,
    /// Bytes cut from a torn tail, which may reach over several files.
    pub cut_bytes: u64,
    /// All damage known, old and new. Anything in it is an alarm.
    pub damaged: Vec<BadRange>,
    /// Offsets that were synced once and are gone.
    pub lost: Option<(Offset, Offset)>,
    pub epoch_bumped: bool,
    pub renamed_aside: Vec<String>,
    pub snapshot_used: Option<Offset>,
}

impl RecoveryReport {
    /// Something an operator should look at.
    pub fn is_alarming(&self) -> bool {
        !self.damaged.is_empty() || self.lost.is_some() || !self.renamed_aside.is_empty()
    }
}

impl PartitionLog {
    /// Opens the log of a partition. An empty store is an empty log: nothing is created before the first append.
    pub fn open(
        store: Arc<dyn Store>,
        partition: TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
        facts: OpenFacts,
    ) -> Result<(PartitionLog, RecoveryReport), LogError> {
        Recovery {
            existed: store.exists(),
            store,
            config,
            facts,
            report: RecoveryReport::default(),
            damaged: Vec::new(),
            scanned_from: None,
            gaps_below: Offset::ZERO,
            epochs_unreadable: false,
            newest_epoch: None,
            distrust: facts.last_stop == LastStop::OtherBoot,
        }
        .run(partition, topic_id)
    }
}

struct Recovery {
    store: Arc<dyn Store>,
    config: LogConfig,
    facts: OpenFacts,
    report: RecoveryReport,
    damaged: Vec<BadRange>,
    /// Base of the first segment that was scanned whole: its aborted transactions are known only from a replay.
    scanned_from: Option<Offset>,
    /// Compaction may have left gaps in segments below.
    gaps_below: Offset,
    existed: bool,
    epochs_unreadable: bool,
    /// As it was told before this start, and where it began.
    newest_epoch: Option<(LeaderEpoch, Offset)>,
    /// The page cache is not to be believed: whole segments are scanned from the recovery point on.
    distrust: bool,
}

/// The folder's files that matter, sorted.
#[derive(Default)]
struct Listing {
    segments: Vec<Offset>,
    snapshots: Vec<Offset>,
    sync_failed: bool,
}

/// Where a scan begins: position, the offset expected there, and the indexes up to it.
type ScanStart = (u64, Offset, Indexes);

/// How the last segment ended.
struct Tail {
    end_offset: Offset,
    last: Option<BatchHeader>,
}

impl Recovery {
    fn run(mut self, partition: TopicPartition, topic_id: TopicId) -> Result<(PartitionLog, RecoveryReport), LogError> {
        swap::settle(&*self.store)?;
        let mut listing = self.tidy()?;
        self.gaps_below = self.load_gaps()?;
        let sync_failed = listing.sync_failed;
        self.distrust |= sync_failed;
        let known_before = self.check_metadata(topic_id)?;
        let known_epochs = self.load_epochs()?;
        // What was synced needs no such look, and is not lost to a file of epochs that was damaged itself.
        let newest = known_epochs.newest().filter(|_| self.distrust);
        self.newest_epoch = newest.map(|(epoch, start)| (epoch, start.max(self.facts.recovery_point)));
        self.damaged = self.load_damage(&listing)?;
        let known_damage = self.damaged.clone();
        self.drop_below_start(&mut listing)?;
        self.drop_blank_end(&mut listing)?;
        let (mut segments, tail) = self.load_segments(&listing)?;
        // Without a folder this is a new partition, whatever a checkpoint says about a former one of its name.
        let known = known_before || self.existed;
        let given_out = if known { self.facts.recovery_point.max(self.facts.log_start) } else { Offset::ZERO };
        // Offsets that were given out and synced are never given out again.
        let end = tail.end_offset.max(given_out);
        self.report.lost = (tail.end_offset < given_out).then_some((tail.end_offset, given_out));
        let epochs = self.settle_epochs(known_epochs, &tail, end, &segments)?;
        let epoch = epochs.latest().unwrap_or(LeaderEpoch(0));
        if self.damaged != known_damage {
            // Damage is alarming news: it is on disk before the log is served.
            damage::store(&*self.store, &self.damaged)?;
        }
        let start = segments.first().map_or(end, |segment| segment.base_offset.max(self.facts.log_start)).min(end);
        if self.report.lost.is_some() {
            if let Some(last) = segments.last() {
                last.finish_indexes()?;
                last.sync_indexes()?;
            }
            segments.push(self.new_active(end)?);
        }
        let producers = self.load_producers(&listing, &segments, end)?;
        let active_len = segments.last().map_or(0, |segment| segment.len());
        let view = LogView {
            start_offset: start,
            end_offset: end,
            last_stable_offset: producers.first_unstable().unwrap_or(end),
            leader_epoch: epoch,
            epochs: Arc::new(epochs),
            segments: Arc::new(segments),
            active_len,
        };
        self.report.damaged = std::mem::take(&mut self.damaged);
        // Names and indexes that the last process did not come to sync go with the first flush of this one.
        let newest = view.segments.last().map_or(Offset::ZERO, |active| active.base_offset.plus(1));
        let in_doubt = self.facts.last_stop != LastStop::Clean && self.facts.recovery_point < end.max(newest);
        let sealed = if in_doubt { sealed_since(&view.segments, self.facts.recovery_point) } else { Vec::new() };
        let offline = if sync_failed { self.write_again(&view.segments).err().map(|error| error.to_string()) } else { None };
        let log = PartitionLog {
            partition,
            topic_id,
            config: self.config,
            store: self.store,
            view,
            producers,
            recovery_point: self.facts.recovery_point.min(end),
            last_snapshot: self.report.snapshot_used,
            active_since: None,
            folder_is_dirty: in_doubt,
            sealed,
            offline,
            damage_stored: self.report.damaged.len(),
        };
        Ok((log, self.report))
    }

    /// Sorts the folder's files: leftovers of ours go, what nobody knows is renamed aside.
    fn tidy(&mut self) -> Result<Listing, LogError> {
        let names = self.store.list()?;
        let mut listing = Listing::default();
        for name in &names {
            match parse_file_name(name) {
                Some((base, LOG)) => listing.segments.push(base),
                Some((offset, SNAPSHOT)) => listing.snapshots.push(offset),
                Some((_, INDEX | TIME_INDEX | TXN_INDEX | QUARANTINE)) => {}
                _ if name == SYNC_FAILED => listing.sync_failed = true,
                _ if [METADATA, leader_epochs::FILE, DAMAGE, compaction::GAPS].contains(&name.as_str()) || name.ends_with(ASIDE) => {}
                _ if name.ends_with(".tmp") || name.ends_with(".deleted") || name.ends_with(".cleaned") => self.store.remove(name)?,
                _ => self.set_aside(name)?,
            }
        }
        listing.segments.sort_unstable();
        listing.snapshots.sort_unstable();
        for name in &names {
            if let Some((base, INDEX | TIME_INDEX | TXN_INDEX)) = parse_file_name(name)
                && listing.segments.binary_search(&base).is_err()
            {
                self.store.remove(name)?;
            }
        }
        Ok(listing)
    }

    fn set_aside(&mut self, name: &str) -> io::Result<()> {
        self.report.renamed_aside.push(name.to_owned());
        self.store.rename(name, &format!("{name}.{}{ASIDE}", self.facts.now))
    }

    /// A file of the first append, which nothing synced: a power cut may leave it without its bytes.
    fn read_unless_blank(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.store.read(name)?.filter(|bytes| bytes.iter().any(|byte| *byte != 0)))
    }

    /// Whether the folder was this topic's before.
    fn check_metadata(&mut self, expected: TopicId) -> Result<bool, LogError> {
        let Some(bytes) = self.read_unless_blank(METADATA)? else { return Ok(false) };
        match parse_metadata(&bytes)? {
            Some(found) if found != expected => Err(LogError::OtherTopic { expected, found }),
            Some(_) => Ok(true),
            None => {
                self.set_aside(METADATA)?;
                let text = format!("version: 0\ntopic_id: {expected}");
                self.store.replace(METADATA, text.as_bytes())?;
                Ok(true)
            }
        }
    }

    fn load_epochs(&mut self) -> Result<LeaderEpochs, LogError> {
        let Some(bytes) = self.read_unless_blank(leader_epochs::FILE)? else { return Ok(LeaderEpochs::default()) };
        match LeaderEpochs::parse(&bytes) {
            Ok(epochs) => Ok(epochs),
            Err(defect) => {
                defect.refuse_newer(leader_epochs::FILE)?;
                // Every batch carries its epoch, so all can be found again but one that wrote nothing yet.
                self.set_aside(leader_epochs::FILE)?;
                self.epochs_unreadable = true;
                Ok(LeaderEpochs::default())
            }
        }
    }

    fn load_damage(&mut self, listing: &Listing) -> Result<Vec<BadRange>, LogError> {
        let Some(bytes) = self.store.read(DAMAGE)? else { return Ok(Vec::new()) };
        match damage::parse(&bytes) {
            Ok(mut damaged) => {
                damaged.retain(|bad| listing.segments.binary_search(&bad.segment).is_ok());
                Ok(damaged)
            }
            Err(defect) => {
                defect.refuse_newer(DAMAGE)?;
                self.set_aside(DAMAGE)?;
                Ok(Vec::new())
            }
        }
    }

    fn load_gaps(&mut self) -> Result<Offset, LogError> {
        let Some(bytes) = self.store.read(compaction::GAPS)? else { return Ok(Offset::ZERO) };
        match compaction::parse_gaps(&bytes) {
            Ok(below) => Ok(below),
            Err(defect) => {
                defect.refuse_newer(compaction::GAPS)?;
                // Better a gap that is not noticed than whole batches that are taken for damage.
                self.set_aside(compaction::GAPS)?;
                Ok(Offset(i64::MAX))
            }
        }
    }

    /// Segments that lie wholly below the log's start were deleted on request.
    fn drop_below_start(&mut self, listing: &mut Listing) -> io::Result<()> {
        let doomed = listing.segments.iter().skip(1).take_while(|next| **next <= self.facts.log_start).count();
        listing.segments.drain(..doomed).try_for_each(|base| self.drop_segment(base))
    }

    /// What is left then ends with a torn tail, which is cut like any other.
    fn drop_blank_end(&mut self, listing: &mut Listing) -> io::Result<()> {
        if !self.distrust {
            return Ok(());
        }
        let sure_below = self.facts.recovery_point.max(self.gaps_below);
        let blank = blank_segments(&*self.store, &listing.segments, sure_below, &self.damaged, |base| self.rules(base, base))?;
        if blank == 0 {
            return Ok(());
        }
        let kept = listing.segments.len().saturating_sub(blank);
        for base in listing.segments.split_off(kept) {
            self.report.cut_bytes = self.report.cut_bytes.saturating_add(self.store.size(&file_name(base, LOG))?);
            self.drop_segment(base)?;
        }
        self.store.sync_folder()
    }

    fn drop_segment(&mut self, base: Offset) -> io::Result<()> {
        for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            self.store.remove(&file_name(base, extension))?;
        }
        self.damaged.retain(|bad| bad.segment != base);
        Ok(())
    }

    fn load_segments(&mut self, listing: &Listing) -> Result<(Vec<Arc<Segment>>, Tail), LogError> {
        let mut segments = Vec::with_capacity(listing.segments.len());
        let bases = &listing.segments;
        for (base, next) in bases.iter().zip(bases.iter().skip(1)) {
            segments.push(Arc::new(self.load_sealed(*base, *next)?));
        }
        let Some(active) = bases.last() else {
            return Ok((segments, Tail { end_offset: Offset::ZERO, last: None }));
        };
        let (segment, tail) = self.load_active(*active, listing)?;
        segments.push(Arc::new(segment));
        Ok((segments, tail))
    }

    fn segment(&self, base: Offset, len: u64, capacity: u64, indexes: Option<Indexes>) -> Result<Segment, LogError> {
        let created = self.store.modified(&file_name(base, LOG)).unwrap_or(self.facts.now);
        let created = if created == Timestamp::NONE { self.facts.now } else { created };
        let damaged = self.damaged.iter().filter(|bad| bad.segment == base).cloned().collect();
        let interval_bytes = self.config.index_interval_bytes;
        let new = NewSegment { base_offset: base, len, capacity, interval_bytes, created, damaged, indexes };
        let segment = Segment::new(&self.store, new);
        Ok(if self.config.cleanup_compact { segment } else { segment.dense() })
    }

    fn load_sealed(&mut self, base: Offset, next: Offset) -> Result<Segment, LogError> {
        let len = self.store.size(&file_name(base, LOG))?;
        // At exactly the recovery point the batches were synced, the index files perhaps not.
        if !self.distrust || next < self.facts.recovery_point {
            return self.segment(base, len, len, None);
        }
        let (from, expected, indexes) = self.whole(base);
        let scanned = self.scan_segment(base, from, expected, len, indexes)?;
        self.damaged.extend(scanned.damaged);
        if scanned.end_offset < next || scanned.tail_bytes > 0 {
            // Later segments exist, so this is no torn tail.
            self.note_damage(BadRange { segment: base, bytes: scanned.end..len, offsets: scanned.end_offset..next });
        }
        let segment = self.segment(base, len, len, Some(scanned.indexes))?;
        segment.finish_indexes()?;
        Ok(segment)
    }

    /// Missing bytes have no place where a later scan would come by them, so that it finds them again.
    fn note_damage(&mut self, bad: BadRange) {
        if !self.damaged.contains(&bad) {
            self.damaged.push(bad);
        }
    }

    fn rules(&self, base: Offset, expected: Offset) -> ScanRules {
        let gaps = if base < self.gaps_below { Gaps::Allowed } else { Gaps::None };
        let interval_bytes = self.config.index_interval_bytes;
        ScanRules { segment: base, expected, gaps, interval_bytes, newest_epoch: self.newest_epoch }
    }

    fn scan_segment(&mut self, base: Offset, from: u64, expected: Offset, len: u64, indexes: Indexes) -> io::Result<Scanned> {
        let rules = self.rules(base, expected);
        if from >= len {
            return Ok(scan(&[], from, rules, &[], indexes));
        }
        // Its own short-lived map: a torn tail is cut before the segment's real one is made.
        let file = self.store.open_segment(&file_name(base, LOG), len, Opening::Existing)?;
        let bytes = file.slice(from..len).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        self.report.scanned_bytes = self.report.scanned_bytes.saturating_add(len - from);
        let known: Vec<BadRange> = self.damaged.iter().filter(|bad| bad.segment == base).cloned().collect();
        Ok(scan(&bytes, from, rules, &known, indexes))
    }

    fn load_active(&mut self, base: Offset, listing: &Listing) -> Result<(Segment, Tail), LogError> {
        let len = self.store.size(&file_name(base, LOG))?;
        let (from, expected, indexes) = match self.scan_start(base, len, listing)? {
            Some(start) => start,
            None => self.whole(base),
        };
        let scanned = self.scan_segment(base, from, expected, len, indexes)?;
        self.damaged.extend(scanned.damaged);
        let end_offset = scanned.end_offset;
        let mut valid_len = scanned.end;
        if scanned.tail_bytes > 0 && end_offset < self.facts.recovery_point {
            // These bytes were synced once: damage, not a torn tail. They stay for whoever wants to look.
            self.damaged.push(BadRange { segment: base, bytes: scanned.end..len, offsets: end_offset..self.facts.recovery_point });
            valid_len = len;
        } else if scanned.tail_bytes > 0 {
            self.store.truncate(&file_name(base, LOG), scanned.end)?;
            self.report.cut_bytes = self.report.cut_bytes.saturating_add(scanned.tail_bytes);
        }
        let mut indexes = scanned.indexes;
        indexes.truncate_txns(end_offset);
        let segment = self.segment(base, valid_len, self.config.segment_bytes.max(valid_len), Some(indexes))?;
        Ok((segment, Tail { end_offset, last: scanned.last }))
    }

    /// Scans a segment from its beginning.
    fn whole(&mut self, base: Offset) -> ScanStart {
        self.scanned_from = Some(self.scanned_from.map_or(base, |first| first.min(base)));
        (0, base, Indexes::replacing_files())
    }

    /// From where the last segment must be scanned, `None` for its beginning.
    fn scan_start(&self, base: Offset, len: u64, listing: &Listing) -> Result<Option<ScanStart>, LogError> {
        if self.distrust {
            return Ok(None);
        }
        let snapshot = listing.snapshots.iter().rev().find(|offset| self.read_snapshot(**offset).is_some());
        let Some(snapshot) = snapshot.filter(|snapshot| **snapshot > base) else { return Ok(None) };
        // The index as of the last checkpoint; a rebuilt one would be a scan of its own.
        let segment = self.segment(base, len, len, None)?;
        let found = segment.with_indexes(|indexes| {
            let position = indexes.offsets.lookup(base, snapshot.plus(-1));
            let named = indexes.offsets.entries(base).find(|entry| entry.0 == position).map(|entry| entry.1);
            (position, named, indexes.clone())
        })?;
        let (position, named, mut indexes) = found;
        let head = segment.slice(position..len)?;
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(None) };
        // No CRC covers a base offset: what the scan is to expect must be known from elsewhere too.
        let first = position == 0 && (header.base_offset == base || self.config.cleanup_compact);
        if named.map_or(!first, |named| header.last_offset() != named) || header.base_offset >= *snapshot {
            return Ok(None);
        }
        indexes.truncate(base, position, header.base_offset);
        indexes.truncate_txns(*snapshot);
        Ok(Some((position, header.base_offset, indexes)))
    }

    /// A segment after a loss. It is there at once, so that the next start finds the loss dealt with.
    fn new_active(&self, end: Offset) -> io::Result<Arc<Segment>> {
        let segment = Segment::new(
            &self.store,
            NewSegment {
                base_offset: end,
                len: 0,
                capacity: self.config.segment_bytes,
                interval_bytes: self.config.index_interval_bytes,
                created: self.facts.now,
                damaged: Vec::new(),
                indexes: Some(Indexes::default()),
            },
        );
        segment.file()?;
        self.store.sync_folder()?;
        Ok(Arc::new(segment))
    }

    /// The epochs from now on. What changed is on disk before anything is served.
    fn settle_epochs(
        &mut self,
        known: LeaderEpochs,
        tail: &Tail,
        end: Offset,
        segments: &[Arc<Segment>],
    ) -> Result<LeaderEpochs, LogError> {
        let first = segments.first().map_or(end, |segment| segment.base_offset.max(self.facts.log_start));
        // The file is missing, or it forgot the epochs of deleted segments that a power cut brought back.
        let covered = known.start().is_some_and(|start| start <= first);
        let mut epochs = if covered { known.clone() } else { epochs_of_batches(segments)?.and_then(&known) };
        if let Some(last) = tail.last.filter(|last| last.leader_epoch >= LeaderEpoch(0)) {
            epochs.assign(last.leader_epoch, last.base_offset);
        }
        epochs.truncate_end(end);
        // An epoch that began past the end wrote what is lost. It was told, and the epoch never goes back.
        if let Some(latest) = known.latest() {
            epochs.assign(latest, end);
        }
        // A power cut can take whole batches from the end and leave no trace of them. So every one counts as a loss: readers may have
        // seen what is gone. The folder itself is on disk before the first batch is.
        let power_cut = self.facts.last_stop == LastStop::OtherBoot && self.existed;
        if self.report.lost.is_some() || power_cut || self.epochs_unreadable {
            let next = epochs.latest().map_or(1, |latest| latest.0.saturating_add(1));
            epochs.assign(LeaderEpoch(next), end);
            self.report.epoch_bumped = true;
        } else if !segments.is_empty() && epochs.latest().is_none() {
            epochs.assign(LeaderEpoch(0), self.facts.log_start.min(end));
        }
        if epochs != known {
            self.store.replace(leader_epochs::FILE, &epochs.format())?;
        }
        Ok(epochs)
    }

    /// After a failed sync the system takes lost bytes for written, and the next sync would succeed without them. Written once more they
    /// are dirty again.
    fn write_again(&self, segments: &[Arc<Segment>]) -> io::Result<()> {
        for segment in segments {
            let position = segment.with_indexes(|indexes| indexes.offsets.lookup(segment.base_offset, self.facts.recovery_point))?;
            if position < segment.len() {
                self.store.rewrite(&file_name(segment.base_offset, LOG), position)?;
            }
        }
        self.store.remove(SYNC_FAILED)
    }

    fn read_snapshot(&self, offset: Offset) -> Option<ProducerStates> {
        let bytes = self.store.read(&file_name(offset, SNAPSHOT)).ok().flatten()?;
        producer_snapshot::decode(&bytes)
    }

    /// Producer state as of `end`: the newest usable snapshot, and the headers of what came after it.
    fn load_producers(&mut self, listing: &Listing, segments: &[Arc<Segment>], end: Offset) -> Result<ProducerStates, LogError> {
        let mut producers = ProducerStates::default();
        let newest = self.scanned_from.unwrap_or(end);
        let first = segments.first().map_or(Offset::ZERO, |segment| segment.base_offset);
        for offset in listing.snapshots.iter().rev() {
            // A snapshot past the log's end knows batches that are gone.
            match self.read_snapshot(*offset).filter(|_| *offset <= end) {
                // Between one before the first segment and that segment something may be missing: better to know nothing of a producer
                // than to find a gap in what it sends.
                Some(_) if *offset > newest || *offset < first => {}
                Some(states) => {
                    producers = states;
                    self.report.snapshot_used = Some(*offset);
                    break;
                }
                None => self.store.remove(&file_name(*offset, SNAPSHOT))?,
            }
        }
        let from = self.report.snapshot_used.unwrap_or(Offset::ZERO);
        // After a clean stop nothing is left to replay, and no segment is opened before it is needed.
        let segments = if from < end { segments } else { &[] };
        let first = segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        for segment in segments.iter().skip(first) {
            producer_snapshot::replay(segment, from, &mut producers)?;
        }
        producers.remove_expired(self.facts.now, self.config.producer_id_expiration_ms);
        Ok(producers)
    }
}

fn sealed_since(segments: &[Arc<Segment>], recovery_point: Offset) -> Vec<Arc<Segment>> {
    let ended = segments.iter().zip(segments.iter().skip(1).map(|next| next.base_offset));
    ended.filter(|(_, end)| *end >= recovery_point).map(|(segment, _)| Arc::clone(segment)).collect()
}

/// The epochs as the batches tell them, for want of the file.
fn epochs_of_batches(segments: &[Arc<Segment>]) -> Result<LeaderEpochs, LogError> {
    let mut epochs = LeaderEpochs::default();
    for segment in segments {
        let bytes = segment.slice(0..segment.len())?;
        for located in segment.walk(&bytes, 0).map_while(Result::ok).filter(|located| located.header.leader_epoch >= LeaderEpoch(0)) {
            epochs.assign(located.header.leader_epoch, located.header.base_offset);
        }
    }
    Ok(epochs)
}

/// The topic id in a `partition.metadata` file, `None` if it cannot be read.
pub(super) fn parse_metadata(bytes: &[u8]) -> Result<Option<TopicId>, LogError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim));
    let Some(version) = field("version").and_then(|version| version.parse::<i64>().ok()) else { return Ok(None) };
    if version > 0 {
        return Err(LogError::NewerFormat { file: METADATA.to_owned(), version });
    }
    Ok(field("topic_id").and_then(TopicId::from_base64))
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
