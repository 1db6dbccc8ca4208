//! One segment: a file of batches and its indexes.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;

use super::error::ReadError;
use super::offset_index::OffsetIndex;
use super::scan;
use super::store::{Opening, SegmentFile, Store};
use super::time_index::TimeIndex;
use super::txn_index::{self, AbortedTxn};
use crate::model::{Batch, BatchDefect, BatchHeader, Offset, Timestamp};

/// A loaded index that leaves more than this to be walked is rebuilt.
const UNINDEXED_BYTES_MAX: u64 = 16 << 20;

pub(super) const LOG: &str = "log";
pub(super) const INDEX: &str = "index";
pub(super) const TIME_INDEX: &str = "timeindex";
pub(super) const TXN_INDEX: &str = "txnindex";
pub(super) const SNAPSHOT: &str = "snapshot";

pub(super) fn file_name(offset: Offset, extension: &str) -> String {
    format!("{:020}.{extension}", offset.0)
}

/// The offset and extension of a file named `<20 digits>.<extension>`.
pub(super) fn parse_file_name(name: &str) -> Option<(Offset, &str)> {
    let (digits, extension) = name.split_once('.')?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let offset = digits.parse().ok().filter(|_| well_formed)?;
    Some((Offset(offset), extension))
}

/// Bytes of a segment that hold no valid batch, and the offsets that were lost with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRange {
    pub segment: Offset,
    pub bytes: Range<u64>,
    pub offsets: Range<Offset>,
}

/// The tables that find batches in a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    pub offsets: OffsetIndex,
    pub times: TimeIndex,
    pub txns: Vec<AbortedTxn>,
    /// Largest timestamp and the last offset of the first batch that has it.
    pub max_timestamp: Option<(Timestamp, Offset)>,
    bytes_since_entry: u64,
    txns_written: usize,
}

impl Indexes {
    /// Empty, in the place of index files that are not believed.
    pub fn replacing_files() -> Indexes {
        Indexes {
            offsets: OffsetIndex::replacing_file(),
            times: TimeIndex::replacing_file(),
            txns_written: usize::MAX,
            ..Indexes::default()
        }
    }

    /// Notes a batch at `position`.
    pub fn note(&mut self, base: Offset, header: &BatchHeader, position: u64, interval_bytes: u64) {
        if header.max_timestamp > self.max_timestamp.map_or(Timestamp::NONE, |max| max.0) {
            self.max_timestamp = Some((header.max_timestamp, header.last_offset()));
        }
        if self.bytes_since_entry > interval_bytes {
            self.offsets.push(base, header.last_offset(), position);
            self.push_time(base);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry = self.bytes_since_entry.saturating_add(header.size as u64);
    }

    fn push_time(&mut self, base: Offset) {
        if let Some((timestamp, offset)) = self.max_timestamp {
            self.times.push(base, timestamp, offset);
        }
    }

    /// Ends the tables of a segment that will not grow, and gives the bytes of its index files, which the caller writes.
    pub fn finish(&mut self, base: Offset) -> [(&'static str, Vec<u8>); 3] {
        self.push_time(base);
        let bytes = |unwritten: Option<(u64, Vec<u8>)>| unwritten.map_or_else(Vec::new, |(_, bytes)| bytes);
        let files = [
            (INDEX, bytes(self.offsets.unwritten())),
            (TIME_INDEX, bytes(self.times.unwritten())),
            (TXN_INDEX, txn_index::encode(&self.txns)),
        ];
        self.offsets.mark_written();
        self.times.mark_written();
        self.txns_written = self.txns.len();
        files
    }

    /// Forgets transactions that ended at or after `offset`.
    pub fn truncate_txns(&mut self, offset: Offset) {
        let kept = self.txns.partition_point(|txn| txn.last_offset < offset);
        if kept < self.txns.len() {
            self.txns.truncate(kept);
            self.txns_written = usize::MAX;
        }
    }

    /// Forgets the batches at or after `position`, the place of a batch that begins at `offset`.
    pub fn truncate(&mut self, base: Offset, position: u64, offset: Offset) {
        let had_entry = position > 0 && self.offsets.floor_position(position) == position;
        self.offsets.truncate(position);
        self.times.truncate(base, offset);
        self.max_timestamp = self.times.last(base);
        // A batch that had an entry gets it again, else each start would take the last one away.
        self.bytes_since_entry = if had_entry { u64::MAX } else { 0 };
    }
}

/// A segment. Written by one `PartitionLog`, read by every `LogView` that holds it.
#[derive(Debug)]
pub(super) struct Segment {
    pub base_offset: Offset,
    damaged: RwLock<Arc<[BadRange]>>,
    /// When the segment was begun, for `segment.ms` and retention where the records bear no time.
    pub created: Timestamp,
    store: Arc<dyn Store>,
    capacity: u64,
    interval_bytes: u64,
    file: OnceLock<Arc<dyn SegmentFile>>,
    /// Bytes of whole batches.
    len: AtomicU64,
    /// From here on this process wrote the bytes.
    hot_from: u64,
    /// Bytes up to here were checked since the start.
    checked: AtomicU64,
    /// Offsets have no gaps: the log was never compacted.
    dense: bool,
    rebuilt: AtomicBool,
    indexes: RwLock<Option<Indexes>>,
}

/// Where a batch lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub position: u64,
    pub header: BatchHeader,
}

/// What a segment is made from.
pub(super) struct NewSegment {
    pub base_offset: Offset,
    pub len: u64,
    pub capacity: u64,
    pub interval_bytes: u64,
    pub created: Timestamp,
    pub damaged: Vec<BadRange>,
    /// `None`: loaded from the index files when first needed.
    pub indexes: Option<Indexes>,
}

impl Segment {
    pub fn new(store: &Arc<dyn Store>, new: NewSegment) -> Segment {
        Segment {
            base_offset: new.base_offset,
            damaged: RwLock::new(new.damaged.into()),
            created: new.created,
            store: Arc::clone(store),
            capacity: new.capacity,
            interval_bytes: new.interval_bytes,
            file: OnceLock::new(),
            len: AtomicU64::new(new.len),
            hot_from: new.len,
            checked: AtomicU64::new(0),
            dense: false,
            rebuilt: AtomicBool::new(false),
            indexes: RwLock::new(new.indexes),
        }
    }

    /// Says that offsets follow one another without gaps.
    pub fn dense(self) -> Segment {
        Segment { dense: true, ..self }
    }

    pub fn is_dense(&self) -> bool {
        self.dense
    }

    /// What is known to be damaged by now.
    pub fn damaged(&self) -> Arc<[BadRange]> {
        Arc::clone(&self.damaged.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn add_damage(&self, found: Vec<BadRange>) {
        let mut damaged = self.damaged.write().unwrap_or_else(PoisonError::into_inner);
        let new = found.into_iter().filter(|bad| !damaged.contains(bad));
        *damaged = damaged.iter().cloned().chain(new).collect();
    }

    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Only an unbroken part from the beginning is remembered.
    pub fn note_checked(&self, start: u64, end: u64) {
        if start <= self.checked() {
            self.checked.fetch_max(end, Ordering::Relaxed);
        }
    }

    pub fn interval_bytes(&self) -> u64 {
        self.interval_bytes
    }

    pub fn replace_indexes(&self, mut indexes: Indexes) {
        let mut slot = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        // Which transactions were aborted is not in the headers.
        if let Some(before) = slot.take() {
            indexes.txns = before.txns;
            indexes.txns_written = before.txns_written;
        }
        *slot = Some(indexes);
    }

    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    pub fn hot_from(&self) -> u64 {
        self.hot_from
    }

    pub fn file(&self) -> io::Result<&Arc<dyn SegmentFile>> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // Only an empty segment may be created: a missing file with bytes is an error, never a fresh start.
        let opening = if self.len() == 0 { Opening::Create } else { Opening::Existing };
        let file = self.store.open_segment(&file_name(self.base_offset, LOG), self.capacity, opening)?;
        // Two readers may race here; either handle is good.
        Ok(self.file.get_or_init(|| file))
    }

    /// The same for one who reads it once: not kept open for that.
    pub fn file_for_a_while(&self) -> io::Result<Arc<dyn SegmentFile>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = self.store.open_segment(&file_name(self.base_offset, LOG), self.capacity, Opening::Existing)?;
        // Who renames or removes the file holds it open before: then the name may be another file's by now.
        Ok(self.file.get().map_or(file, Arc::clone))
    }

    /// Largest timestamp of the first batch.
    pub fn first_timestamp(&self) -> io::Result<Option<Timestamp>> {
        let bytes = self.slice(0..self.len())?;
        Ok(BatchHeader::parse(&bytes).ok().map(|header| header.max_timestamp))
    }

    pub fn slice(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.file()?.slice(range).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// Writes a stamped batch at the end. Nothing is published until the view is.
    pub fn append(&self, batch: &Batch) -> io::Result<()> {
        let position = self.len();
        // Outside the lock: a write may take milliseconds, and readers look up offsets meanwhile.
        self.file()?.write_all_at(&batch.slices(), position)?;
        self.with_indexes_mut(|indexes| indexes.note(self.base_offset, batch.header(), position, self.interval_bytes))?;
        self.len.store(position.saturating_add(batch.len() as u64), Ordering::Release);
        Ok(())
    }

    pub fn with_indexes<T>(&self, read: impl FnOnce(&Indexes) -> T) -> io::Result<T> {
        if let Some(indexes) = self.indexes.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(read(indexes));
        }
        self.with_indexes_mut(|indexes| read(indexes))
    }

    /// `None` if nobody needed the indexes yet.
    pub fn with_loaded_indexes<T>(&self, read: impl FnOnce(&Indexes) -> T) -> Option<T> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    pub fn with_indexes_mut<T>(&self, change: impl FnOnce(&mut Indexes) -> T) -> io::Result<T> {
        let mut slot = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(indexes) = slot.as_mut() {
            return Ok(change(indexes));
        }
        Ok(change(slot.insert(self.load_indexes()?)))
    }

    fn load_indexes(&self) -> io::Result<Indexes> {
        let len = self.len();
        let read = |extension| self.store.read(&file_name(self.base_offset, extension));
        let offsets = read(INDEX)?.and_then(|bytes| OffsetIndex::parse(&bytes, len));
        let times = read(TIME_INDEX)?.and_then(|bytes| TimeIndex::parse(&bytes));
        let txns = read(TXN_INDEX)?.map_or(Some(Vec::new()), |bytes| txn_index::parse(&bytes));
        if let (Some(offsets), Some(times), Some(txns)) = (&offsets, &times, &txns)
            && len - offsets.last_position().unwrap_or(0) <= UNINDEXED_BYTES_MAX
            && self.agrees(offsets)?
            && self.bears_last(offsets, times)?
        {
            let max_timestamp = times.last(self.base_offset);
            let (offsets, times, txns) = (offsets.clone(), times.clone(), txns.clone());
            let txns_written = txns.len();
            return Ok(Indexes { offsets, times, txns, max_timestamp, bytes_since_entry: 0, txns_written });
        }
        tracing::warn!(segment = self.base_offset.0, "index files are missing or damaged: rebuilt");
        self.rebuilt.store(true, Ordering::Relaxed);
        let rebuilt = scan::rebuild_indexes(self, self.interval_bytes)?;
        Ok(Indexes { txns: txns.unwrap_or_default(), ..rebuilt })
    }

    /// Whether index files had to be made anew since the start.
    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt.load(Ordering::Relaxed)
    }

    pub fn note_rebuilt(&self) {
        self.rebuilt.store(true, Ordering::Relaxed);
    }

    /// Retention judges the segment by the last time, so a batch must bear it.
    fn bears_last(&self, offsets: &OffsetIndex, times: &TimeIndex) -> io::Result<bool> {
        times.last(self.base_offset).map_or(Ok(true), |last| self.bears(offsets, last))
    }

    /// Whether the batch that ends at an offset has this largest timestamp.
    fn bears(&self, offsets: &OffsetIndex, (timestamp, offset): (Timestamp, Offset)) -> io::Result<bool> {
        let from = offsets.lookup(self.base_offset, offset);
        let bytes = self.slice(from.min(self.len())..self.len())?;
        let mut located = self.walk(&bytes, from).map_while(Result::ok);
        let found = located.find(|located| located.header.last_offset() >= offset);
        Ok(found.is_some_and(|found| found.header.last_offset() == offset && found.header.max_timestamp == timestamp))
    }

    /// The position of a batch such that every record before it is older than `timestamp`, and not below `start`.
    pub fn position_of_time(&self, timestamp: Timestamp, start: Offset) -> io::Result<u64> {
        let (entry, offsets) = self.with_indexes(|indexes| {
            let entry = indexes.times.before(self.base_offset, timestamp);
            let near = entry.map(|entry| indexes.offsets.near(self.base_offset, entry.1));
            (entry, near.unwrap_or_default())
        })?;
        let mut offset = self.base_offset;
        if let Some(entry) = entry {
            if self.bears(&offsets, entry)? {
                offset = entry.1;
            } else {
                // Not told by any batch: the search begins at the segment's beginning.
                self.note_rebuilt();
                tracing::warn!(segment = self.base_offset.0, "the time index is damaged");
            }
        }
        self.with_indexes(|indexes| indexes.offsets.lookup(self.base_offset, offset.max(start)))
    }

    /// The last index entry names a batch that is there.
    fn agrees(&self, offsets: &OffsetIndex) -> io::Result<bool> {
        let Some(position) = offsets.last_position() else { return Ok(true) };
        let head = self.slice(position..self.len())?;
        let named = offsets.last_offset(self.base_offset);
        Ok(BatchHeader::parse(&head).is_ok_and(|header| Some(header.last_offset()) == named))
    }

    /// Batches from `position` to `len`, past the damaged ranges.
    pub fn walk<'a>(&self, bytes: &'a [u8], position: u64) -> Walk<'a> {
        Walk::new(bytes, position, self.damaged())
    }

    /// The first batch that ends at or after `offset`, among the first `len` bytes.
    pub fn locate(&self, offset: Offset, len: u64) -> Result<Option<Located>, ReadError> {
        if self.damaged().iter().any(|bad| bad.offsets.contains(&offset)) {
            return Err(ReadError::Corrupt(offset));
        }
        let from = self.with_indexes(|indexes| indexes.offsets.lookup(self.base_offset, offset))?;
        if from >= len {
            return Ok(None);
        }
        let bytes = self.slice(from..len)?;
        for located in self.walk(&bytes, from) {
            let located = located.map_err(|_| ReadError::Corrupt(offset))?;
            let last = located.header.last_offset();
            if from > 0 && located.position == from && last > offset {
                // The index names batches that end at or before the offset. This one does not: the index is wrong.
                return Err(ReadError::Corrupt(offset));
            }
            if last >= offset {
                return Ok(Some(located));
            }
        }
        Ok(None)
    }

    /// Where whole batches end that start at `start`, fit `budget` and end by `stop`.
    pub fn whole_batches_end(&self, start: u64, stop: u64, budget: u64) -> Result<u64, ReadError> {
        let limit = start.saturating_add(budget);
        if limit >= stop {
            return Ok(stop);
        }
        let named = self.with_indexes(|indexes| indexes.offsets.floor_position(limit))?.max(start);
        let mut end = named;
        let bytes = self.slice(end..stop)?;
        for located in self.walk(&bytes, end) {
            let located = match located {
                Ok(located) => located,
                // The index names a place where no batch begins.
                Err(_) if end == named && end > start => return Err(ReadError::Corrupt(self.base_offset)),
                Err(_) => break,
            };
            let next = located.position.saturating_add(located.header.size as u64);
            if next > limit {
                break;
            }
            end = next;
        }
        Ok(end)
    }

    /// Largest timestamp in the segment and the last offset of its batch; `None` if no record bears one.
    pub fn max_timestamp(&self) -> io::Result<Option<(Timestamp, Offset)>> {
        self.with_indexes(|indexes| indexes.max_timestamp)
    }

    /// Writes what the index files do not hold yet.
    pub fn write_indexes(&self) -> io::Result<()> {
        self.with_indexes_mut(|indexes| {
            let name = |extension| file_name(self.base_offset, extension);
            if let Some((position, bytes)) = indexes.offsets.unwritten() {
                self.store.put_tail(&name(INDEX), position, &bytes)?;
                indexes.offsets.mark_written();
            }
            if let Some((position, bytes)) = indexes.times.unwritten() {
                self.store.put_tail(&name(TIME_INDEX), position, &bytes)?;
                indexes.times.mark_written();
            }
            if indexes.txns_written != indexes.txns.len() {
                self.store.put_tail(&name(TXN_INDEX), 0, &txn_index::encode(&indexes.txns))?;
            }
            indexes.txns_written = indexes.txns.len();
            Ok(())
        })?
    }

    /// Ends the segment: cuts what a failed write left, and closes the indexes.
    pub fn seal(&self) -> io::Result<()> {
        self.file()?.cut(self.len())?;
        self.finish_indexes()
    }

    /// The time index ends with the segment's maximum, so that retention can judge the segment by twelve bytes.
    pub fn finish_indexes(&self) -> io::Result<()> {
        self.with_indexes_mut(|indexes| {
            indexes.push_time(self.base_offset);
            // Kafka's tools expect the files even when there is nothing in them.
            if indexes.offsets.last_position().is_none() {
                self.store.put(&file_name(self.base_offset, INDEX), &[])?;
            }
            if indexes.times.last(self.base_offset).is_none() {
                self.store.put(&file_name(self.base_offset, TIME_INDEX), &[])?;
            }
            Ok::<(), io::Error>(())
        })??;
        self.write_indexes()
    }

    /// Makes the index files durable. Recovery believes those of segments that lie below the recovery point.
    pub fn sync_indexes(&self) -> io::Result<()> {
        [INDEX, TIME_INDEX, TXN_INDEX].into_iter().try_for_each(|extension| self.store.sync_file(&file_name(self.base_offset, extension)))
    }

    /// Opens all that is read by name, so that the files may get other names. What was opened stays readable.
    pub fn hold_files(&self) -> io::Result<()> {
        self.file()?;
        self.with_indexes(|_| ())
    }

    /// Makes a sealed segment durable as it is: its indexes, and its length, from which the seal may have cut what a failed write left.
    pub fn sync_sealed(&self) -> io::Result<()> {
        self.file()?.sync()?;
        self.sync_indexes()
    }

    /// Unlinks the segment's files. Slices that readers hold stay readable.
    pub fn remove_files(&self) -> io::Result<()> {
        // A view that is still held may not have touched the file yet.
        if let Err(error) = self.file() {
            tracing::warn!(segment = self.base_offset.0, %error, "could not open a segment before its removal");
        }
        for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
            self.store.remove(&file_name(self.base_offset, extension))?;
        }
        Ok(())
    }
}

/// Iterates over batch headers in a part of a segment.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    start: u64,
    position: u64,
    damaged: Arc<[BadRange]>,
}

impl<'a> Walk<'a> {
    /// Over `bytes`, which begin at `position` in the segment.
    pub fn new(bytes: &'a [u8], position: u64, damaged: Arc<[BadRange]>) -> Walk<'a> {
        Walk { bytes, start: position, position, damaged }
    }

    /// The bytes of a batch this walk came by.
    pub fn batch_bytes(bytes: &'a [u8], start: u64, located: &Located) -> &'a [u8] {
        let from = usize::try_from(located.position.saturating_sub(start)).unwrap_or(usize::MAX);
        bytes.get(from..from.saturating_add(located.header.size)).unwrap_or_default()
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Located, BatchDefect>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(bad) = self.damaged.iter().find(|bad| bad.bytes.contains(&self.position)) {
            self.position = bad.bytes.end;
        }
        let at = usize::try_from(self.position.saturating_sub(self.start)).ok()?;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let position = self.position;
        match BatchHeader::parse(rest) {
            Ok(header) if header.size <= rest.len() => {
                self.position = position.saturating_add(header.size as u64);
                Some(Ok(Located { position, header }))
            }
            outcome => {
                self.position = u64::MAX;
                Some(Err(outcome.err().unwrap_or(BatchDefect::Incomplete)))
            }
        }
    }
}
