//! Where a partition's files live: the trait, and a double in memory that can crash.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::Timestamp;

/// One partition's folder. It need not exist until something is written.
pub trait Store: Debug + Send + Sync {
    /// The names of the files. A folder that does not exist has none.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A small file's bytes, `None` if there is no such file.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    fn size(&self, name: &str) -> io::Result<u64>;
    fn modified(&self, name: &str) -> io::Result<Timestamp>;
    /// Puts a whole file in place: old or new after a crash, and on disk when this returns.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Puts a whole file in place, with no promise after a power cut. For what can be rebuilt.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes at `position` and ends the file there. For what can be rebuilt.
    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable. An absent file is no error.
    fn sync_file(&self, name: &str) -> io::Result<()>;
    /// An absent file is no error.
    fn remove(&self, name: &str) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// A second name for the same bytes, which outlives `remove` of the first.
    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()>;
    /// Shortens a segment file. Only recovery calls this, before the file is opened.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;
    /// Opens a segment file that may grow to `capacity`.
    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>>;
    /// Makes creations, renames and removals durable.
    fn sync_folder(&self) -> io::Result<()>;
    /// Renames the folder to `<name>.<unique>-delete`, then removes it. Open slices stay readable.
    fn delete_folder(&self) -> io::Result<()>;
}

/// Whether a segment file must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Existing,
    Create,
}

/// An append-only file under a read-only map.
pub trait SegmentFile: Debug + Send + Sync {
    /// The file's length, which may exceed what was published (a failed write leaves a part behind).
    fn file_len(&self) -> io::Result<u64>;
    /// Bytes the map covers: the file may grow up to here.
    fn capacity(&self) -> u64;
    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()>;
    /// Bytes without a copy; `None` unless they were written through this handle or lay in the file when it was opened.
    fn slice(&self, range: Range<u64>) -> Option<Bytes>;
    /// Drops what lies past the published length.
    fn cut(&self, len: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Faults pages in, so that a later read of them does not block. A hint.
    fn populate_blocking(&self, range: Range<u64>);
}

/// A store in memory. Clones share the files; `crash` gives what a power cut would have left.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    files: Arc<Mutex<Files>>,
}

#[derive(Debug, Default)]
struct Files {
    names: BTreeMap<String, MemoryFile>,
    /// What the folder held at the last `sync_folder`.
    durable_names: BTreeMap<String, MemoryFile>,
    /// Writing operations left until every further one fails.
    operations_left: Option<u64>,
}

impl Files {
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
struct MemoryFile {
    content: Arc<Mutex<Content>>,
    store: std::sync::Weak<Mutex<Files>>,
    capacity: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
}

/// Bytes that reach a disk or not as one.
const PAGE: usize = 512;

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Every writing operation after the next `operations` fails as on a full disk; `None` heals it.
    pub fn fail_after(&self, operations: Option<u64>) {
        lock(&self.files).operations_left = operations;
    }

    /// What is left after the process died: everything that was written.
    pub fn kill(&self) -> MemoryStore {
        self.copy(|content| content.live.clone(), |files| files.names.clone())
    }

    /// What is left after a power cut: all that was synced, and of the rest the pages and names that `keep` says yes to.
    pub fn crash(&self, mut keep: impl FnMut() -> bool) -> MemoryStore {
        let names_kept = keep();
        self.copy(
            |content| {
                let mut left = content.durable.clone();
                let grown_to = (content.durable.len()..=content.live.len()).rev().find(|_| keep()).unwrap_or(content.durable.len());
                left.resize(grown_to, 0);
                for (page, (target, source)) in left.chunks_mut(PAGE).zip(content.live.chunks(PAGE)).enumerate() {
                    if (page + 1) * PAGE > content.durable.len() && keep() {
                        for (to, from) in target.iter_mut().zip(source) {
                            *to = *from;
                        }
                    }
                }
                left
            },
            |files| if names_kept { files.names.clone() } else { files.durable_names.clone() },
        )
    }

    /// Changes a file in place, as a bad disk would. Returns whether it exists.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(file) = lock(&self.files).names.get(name).cloned() else { return false };
        change(&mut lock(&file.content).live);
        true
    }

    fn copy(
        &self,
        mut content: impl FnMut(&Content) -> Vec<u8>,
        names: impl FnOnce(&Files) -> BTreeMap<String, MemoryFile>,
    ) -> MemoryStore {
        let copy = MemoryStore::new();
        let survivors = names(&lock(&self.files));
        let mut files = lock(&copy.files);
        for (name, file) in survivors {
            let bytes = content(&lock(&file.content));
            let content = Content { live: bytes.clone(), durable: bytes };
            let store = Arc::downgrade(&copy.files);
            files.names.insert(name, MemoryFile { content: Arc::new(Mutex::new(content)), store, capacity: 0 });
        }
        files.durable_names = files.names.clone();
        drop(files);
        copy
    }

    fn file(&self, name: &str) -> io::Result<MemoryFile> {
        lock(&self.files).names.get(name).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn new_file(&self, bytes: &[u8], durable: bool) -> MemoryFile {
        let content = Content { live: bytes.to_vec(), durable: if durable { bytes.to_vec() } else { Vec::new() } };
        MemoryFile { content: Arc::new(Mutex::new(content)), store: Arc::downgrade(&self.files), capacity: 0 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.files).names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.file(name).ok().map(|file| lock(&file.content).live.clone()))
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        self.file(name).map(|file| lock(&file.content).live.len() as u64)
    }

    fn modified(&self, name: &str) -> io::Result<Timestamp> {
        self.file(name).map(|_| Timestamp::NONE)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.new_file(bytes, true);
        let mut files = lock(&self.files);
        files.spend()?;
        files.names.insert(name.to_owned(), file.clone());
        files.durable_names.insert(name.to_owned(), file);
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.new_file(bytes, false);
        let mut files = lock(&self.files);
        files.spend()?;
        files.names.insert(name.to_owned(), file);
        Ok(())
    }

    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        lock(&self.files).spend()?;
        let fresh = self.new_file(&[], false);
        let file = lock(&self.files).names.entry(name.to_owned()).or_insert(fresh).clone();
        let mut content = lock(&file.content);
        content.live.resize(position as usize, 0);
        content.live.extend_from_slice(bytes);
        Ok(())
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        lock(&self.files).spend()?;
        self.file(name).map_or(Ok(()), |file| file.sync_content())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut files = lock(&self.files);
        files.names.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.files);
        files.spend()?;
        let file = files.names.remove(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        files.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()> {
        let file = self.file(name)?;
        lock(&self.files).names.insert(copy.to_owned(), file);
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = self.file(name)?;
        let mut content = lock(&file.content);
        content.live.truncate(len as usize);
        content.durable.truncate(len as usize);
        Ok(())
    }

    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>> {
        let fresh = self.new_file(&[], false);
        let mut files = lock(&self.files);
        if !files.names.contains_key(name) {
            if opening == Opening::Existing {
                return Err(io::Error::from(io::ErrorKind::NotFound));
            }
            files.spend()?;
        }
        let mut file = files.names.entry(name.to_owned()).or_insert(fresh).clone();
        file.capacity = capacity.max(lock(&file.content).live.len() as u64);
        Ok(Arc::new(file))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut files = lock(&self.files);
        files.spend()?;
        files.durable_names = files.names.clone();
        Ok(())
    }

    fn delete_folder(&self) -> io::Result<()> {
        let mut files = lock(&self.files);
        files.names.clear();
        files.durable_names.clear();
        Ok(())
    }
}

impl MemoryFile {
    fn sync_content(&self) -> io::Result<()> {
        let mut content = lock(&self.content);
        content.durable = content.live.clone();
        Ok(())
    }

    /// How many of `wanted` bytes a write may still put down.
    fn spend(&self, wanted: usize) -> (usize, io::Result<()>) {
        let Some(store) = self.store.upgrade() else { return (wanted, Ok(())) };
        match lock(&store).spend() {
            Ok(()) => (wanted, Ok(())),
            // A full disk leaves a part of the batch behind.
            Err(error) => (wanted / 2, Err(error)),
        }
    }
}

impl SegmentFile for MemoryFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(lock(&self.content).live.len() as u64)
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()> {
        let bytes = parts.concat();
        let (allowed, outcome) = self.spend(bytes.len());
        let mut content = lock(&self.content);
        let start = position as usize;
        if content.live.len() < start + allowed {
            content.live.resize(start + allowed, 0);
        }
        for (to, from) in content.live.iter_mut().skip(start).zip(bytes.iter().take(allowed)) {
            *to = *from;
        }
        outcome
    }

    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let content = lock(&self.content);
        content.live.get(range.start as usize..range.end as usize).map(Bytes::copy_from_slice)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        lock(&self.content).live.truncate(len as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (_, outcome) = self.spend(0);
        outcome?;
        self.sync_content()
    }

    fn populate_blocking(&self, _range: Range<u64>) {}
}
