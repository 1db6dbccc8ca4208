//! A segment that takes the place of others, while it is written.

use std::io;
use std::sync::Arc;

use super::CLEANED;
use super::swap::CleanedSegment;
use crate::log::segment::{INDEX, Indexes, LOG, NewSegment, Segment, TIME_INDEX, TXN_INDEX, file_name};
use crate::log::store::Store;
use crate::log::txn_index::AbortedTxn;
use crate::model::{BatchHeader, Offset, Timestamp};

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;

pub(super) struct Writer {
    store: Arc<dyn Store>,
    replaced: Vec<Arc<Segment>>,
    base: Offset,
    end: Offset,
    interval_bytes: u64,
    indexes: Indexes,
    pending: Vec<u8>,
    written: u64,
}

impl Writer {
    /// Takes the place of `replaced`, which ends at `end`.
    pub fn new(store: &Arc<dyn Store>, replaced: &[Arc<Segment>], end: Offset, interval_bytes: u64) -> Writer {
        Writer {
            store: Arc::clone(store),
            replaced: replaced.to_vec(),
            base: replaced.first().map_or(end, |first| first.base_offset),
            end,
            interval_bytes,
            indexes: Indexes::default(),
            pending: Vec::new(),
            written: 0,
        }
    }

    pub fn push(&mut self, header: &BatchHeader, parts: &[&[u8]]) -> io::Result<()> {
        let position = self.written.saturating_add(self.pending.len() as u64);
        self.indexes.note(self.base, header, position, self.interval_bytes);
        for part in parts {
            self.pending.extend_from_slice(part);
        }
        if self.pending.len() >= CHUNK { self.put_down() } else { Ok(()) }
    }

    fn name(&self, extension: &str) -> String {
        format!("{}{CLEANED}", file_name(self.base, extension))
    }

    fn put_down(&mut self) -> io::Result<()> {
        self.store.put_tail(&self.name(LOG), self.written, &self.pending)?;
        self.written = self.written.saturating_add(self.pending.len() as u64);
        self.pending.clear();
        Ok(())
    }

    /// Takes away what there is of it, also from an earlier attempt: a start takes `.cleaned` beside `.swap` for an unfinished swap.
    pub fn clear(&self) -> io::Result<()> {
        [LOG, INDEX, TIME_INDEX, TXN_INDEX].into_iter().try_for_each(|extension| self.store.remove(&self.name(extension)))
    }

    /// Everything is on the disk when this returns, under names that the next start would remove.
    pub fn finish(mut self, aborted: Vec<AbortedTxn>) -> io::Result<CleanedSegment> {
        self.put_down()?;
        self.store.sync_file(&self.name(LOG))?;
        let mut had_txns = !aborted.is_empty();
        for segment in &self.replaced {
            had_txns |= segment.with_indexes(|indexes| !indexes.txns.is_empty())?;
        }
        self.indexes.txns = aborted;
        let mut extensions = Vec::new();
        for (extension, bytes) in self.indexes.finish(self.base) {
            // An old file of aborted transactions must not outlive them.
            if extension != TXN_INDEX || had_txns {
                self.store.put_tail(&self.name(extension), 0, &bytes)?;
                self.store.sync_file(&self.name(extension))?;
                extensions.push(extension);
            }
        }
        self.store.sync_folder()?;
        let created = self.replaced.iter().map(|segment| segment.created).max().unwrap_or(Timestamp::NONE);
        let segment = Segment::new(
            &self.store,
            NewSegment {
                base_offset: self.base,
                len: self.written,
                capacity: self.written,
                interval_bytes: self.interval_bytes,
                created,
                damaged: Vec::new(),
                indexes: Some(self.indexes),
            },
        );
        Ok(CleanedSegment::new(self.store, Arc::new(segment), self.replaced, self.end, extensions))
    }
}
