//! Putting a cleaned segment in the place of those it was made from, so that a crash at any moment leaves all of the old or all of the
//! new.
//!
//! | step | on disk afterwards | the next start |
//! |---|---|---|
//! | 1 cleaned files written and synced | `.cleaned` beside the old | removes them |
//! | 2 indexes, then the log are renamed | some `.cleaned`, some `.swap`, the old | removes both |
//! | 2 done | all `.swap`, the old | finishes: removes the old, renames `.swap` |
//! | 3 the old are renamed, the first segment's log first | `.swap`, some `.deleted` | the same, and removes `.deleted` |
//! | 4 indexes, then the log lose `.swap` | the new, `.deleted` | removes `.deleted` |
//!
//! The folder is synced after each step.

use std::io;
use std::sync::Arc;

use super::{CLEANED, DELETED, SWAP, note_gaps};
use crate::log::error::LogError;
use crate::log::partition_log::PartitionLog;
use crate::log::segment::{INDEX, LOG, SNAPSHOT, Segment, TIME_INDEX, TXN_INDEX, file_name, parse_file_name};
use crate::log::store::{Opening, Store};
use crate::model::Offset;
use crate::model::batch::Batches;

const INDEXES: [&str; 3] = [INDEX, TIME_INDEX, TXN_INDEX];

/// A segment of what is left of others, complete on the disk and not yet in force.
#[derive(Debug)]
pub struct CleanedSegment {
    store: Arc<dyn Store>,
    segment: Arc<Segment>,
    replaced: Vec<Arc<Segment>>,
    /// Where the replaced ones end.
    end: Offset,
    /// The index files it has.
    extensions: Vec<&'static str>,
}

/// What putting a cleaned segment in force came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    Done,
    /// The log has changed meanwhile: the pass ends.
    Overtaken,
}

impl CleanedSegment {
    pub(super) fn new(
        store: Arc<dyn Store>,
        segment: Arc<Segment>,
        replaced: Vec<Arc<Segment>>,
        end: Offset,
        extensions: Vec<&'static str>,
    ) -> CleanedSegment {
        CleanedSegment { store, segment, replaced, end, extensions }
    }

    pub fn bytes_before(&self) -> u64 {
        self.replaced.iter().map(|segment| segment.len()).sum()
    }

    pub fn bytes_after(&self) -> u64 {
        self.segment.len()
    }

    fn names(&self, extension: &str) -> [String; 3] {
        let name = file_name(self.segment.base_offset, extension);
        [format!("{name}{CLEANED}"), format!("{name}{SWAP}"), name]
    }

    /// Steps 1 and 2: from here on a start would finish what `complete` does. After an error all is as it was.
    pub fn prepare(&self) -> io::Result<()> {
        let outcome = self.try_prepare();
        if outcome.is_err() {
            self.discard();
        }
        outcome
    }

    fn try_prepare(&self) -> io::Result<()> {
        for old in &self.replaced {
            old.hold_files()?;
        }
        note_gaps(&*self.store, self.end)?;
        for extension in self.extensions.iter().copied().chain([LOG]) {
            let [cleaned, swap, _] = self.names(extension);
            self.store.rename(&cleaned, &swap)?;
        }
        self.store.sync_folder()
    }

    /// Steps 3 and 4. After an error only the next start knows which files are which.
    pub fn complete(&self) -> io::Result<()> {
        for old in &self.replaced {
            for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
                let name = file_name(old.base_offset, extension);
                match self.store.rename(&name, &format!("{name}{DELETED}")) {
                    // Not every segment has every index.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && extension != LOG => {}
                    outcome => outcome?,
                }
            }
        }
        self.store.sync_folder()?;
        for extension in self.extensions.iter().copied().chain([LOG]) {
            let [_, swap, name] = self.names(extension);
            self.store.rename(&swap, &name)?;
        }
        self.store.sync_folder()
    }

    /// Gives up what is not in force. Never leaves a `.swap` that a start would take for a finished one.
    pub fn discard(&self) {
        let [cleaned, swap, _] = self.names(LOG);
        let undone = match self.store.rename(&swap, &cleaned) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.store.remove(&swap),
            _ => Ok(()),
        };
        let others = self.extensions.iter().flat_map(|extension| self.names(extension).into_iter().take(2));
        let removed = others.chain([cleaned]).try_for_each(|name| self.store.remove(&name));
        if let Err(error) = undone.and(removed) {
            tracing::warn!(segment = self.segment.base_offset.0, %error, "files of an unfinished compaction stay until the next start");
        }
    }

    /// Frees the space of what was replaced. Slices and views that readers hold stay readable.
    pub fn remove_replaced(&self) {
        for old in &self.replaced {
            for extension in [LOG, INDEX, TIME_INDEX, TXN_INDEX] {
                if let Err(error) = self.store.remove(&format!("{}{DELETED}", file_name(old.base_offset, extension))) {
                    tracing::warn!(segment = old.base_offset.0, %error, "a compacted segment's file stays until the next start");
                }
            }
        }
    }
}

impl PartitionLog {
    /// Where the replaced segments lie in the log, `None` if one of them is gone.
    fn place_of(&self, cleaned: &CleanedSegment) -> Option<usize> {
        let first = cleaned.replaced.first()?;
        let at = self.view.segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let there = self.view.segments.get(at..at.checked_add(cleaned.replaced.len())?)?;
        let all = there.iter().zip(&cleaned.replaced).all(|(here, old)| Arc::ptr_eq(here, old));
        let active = at.saturating_add(there.len()) >= self.view.segments.len();
        (all && !active).then_some(at)
    }

    pub fn holds_originals_of(&self, cleaned: &CleanedSegment) -> bool {
        self.place_of(cleaned).is_some()
    }

    /// Puts a cleaned segment in force whose files are in place. Whoever owns the log publishes the view.
    pub fn adopt(&mut self, cleaned: &CleanedSegment) -> Swapped {
        let Some(at) = self.place_of(cleaned) else { return Swapped::Overtaken };
        let (before, rest) = self.view.segments.split_at_checked(at).unwrap_or_default();
        let after = rest.get(cleaned.replaced.len()..).unwrap_or_default();
        let segments = before.iter().chain([&cleaned.segment]).chain(after).cloned().collect();
        self.view.segments = Arc::new(segments);
        // Snapshots at the beginnings of segments that are none any more.
        for old in cleaned.replaced.iter().skip(1).filter(|old| self.last_snapshot != Some(old.base_offset)) {
            if let Err(error) = self.store.remove(&file_name(old.base_offset, SNAPSHOT)) {
                tracing::warn!(partition = %self.partition, %error, "a producer snapshot that nobody needs stays");
            }
        }
        Swapped::Done
    }

    /// Everything at once, for an owner who lets nobody else at the log meanwhile.
    pub fn swap(&mut self, cleaned: &CleanedSegment) -> Result<Swapped, LogError> {
        if !self.holds_originals_of(cleaned) {
            cleaned.discard();
            return Ok(Swapped::Overtaken);
        }
        cleaned.prepare()?;
        if let Err(error) = cleaned.complete() {
            self.take_offline(format!("a compacted segment could not be put in place: {error}"));
            return Err(error.into());
        }
        let swapped = self.adopt(cleaned);
        cleaned.remove_replaced();
        Ok(swapped)
    }
}

/// Finishes or undoes what a stop interrupted. Comes before any other look at the folder.
pub(in crate::log) fn settle(store: &dyn Store) -> Result<(), LogError> {
    let names = store.list()?;
    let ours = |name: &String, suffix: &str| {
        let inner = name.strip_suffix(suffix).and_then(parse_file_name);
        inner.filter(|(_, extension)| *extension == LOG || INDEXES.contains(extension)).map(|(base, extension)| (base, extension == LOG))
    };
    let swaps: Vec<(Offset, bool)> = names.iter().filter_map(|name| ours(name, SWAP)).collect();
    if swaps.is_empty() {
        // `.cleaned` and `.deleted` alone are leftovers.
        return Ok(());
    }
    let unfinished: Vec<Offset> = names.iter().filter_map(|name| Some(ours(name, CLEANED)?.0)).collect();
    for (base, _) in swaps.iter().filter(|(base, is_log)| *is_log && !unfinished.contains(base)) {
        match end_of(store, *base)? {
            Some(end) => finish(store, &names, *base, end)?,
            // Not what was synced. The old, if it is there, is better.
            None if names.contains(&file_name(*base, LOG)) => {}
            None => finish(store, &names, *base, *base)?,
        }
    }
    // What is unfinished stays recognisable as that until the last moment.
    for suffix in [SWAP, CLEANED] {
        for name in names.iter().filter(|name| ours(name, suffix).is_some()) {
            store.remove(name)?;
        }
    }
    store.sync_folder()?;
    Ok(())
}

fn finish(store: &dyn Store, names: &[String], base: Offset, end: Offset) -> io::Result<()> {
    for name in names {
        if let Some((offset, extension)) = parse_file_name(name)
            && (extension == LOG || INDEXES.contains(&extension))
            && base < offset
            && offset < end
        {
            store.remove(name)?;
        }
    }
    for extension in INDEXES.into_iter().chain([LOG]) {
        let name = file_name(base, extension);
        let swap = format!("{name}{SWAP}");
        // An index without `.swap` has its place already.
        if names.contains(&swap) {
            store.rename(&swap, &name)?;
        }
    }
    store.sync_folder()
}

/// Where the batches of a `.swap` end, `None` unless they fill it.
fn end_of(store: &dyn Store, base: Offset) -> io::Result<Option<Offset>> {
    let name = format!("{}{SWAP}", file_name(base, LOG));
    let len = store.size(&name)?;
    let file = store.open_segment(&name, len, Opening::Existing)?;
    let bytes = if len == 0 { None } else { file.slice(0..len) };
    let Some(bytes) = bytes else { return Ok(None) };
    let mut batches = Batches::new(&bytes);
    let mut end = None;
    for batch in batches.by_ref() {
        let Ok(batch) = batch else { return Ok(None) };
        end = Some(batch.header.next_offset());
    }
    Ok(end.filter(|_| batches.rest().is_empty()))
}
