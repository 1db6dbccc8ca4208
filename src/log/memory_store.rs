//! A store in memory that is a whole machine: a page cache, a disk below it, and a power switch.
//!
//! | what | after the process dies (`kill`) | after a power cut (`crash`) |
//! |---|---|---|
//! | synced bytes and names | there | there |
//! | a page written since | there | new, old, or torn between sectors; any subset of pages |
//! | a file's length | as it was | any between the synced and the last |
//! | names made, renamed, removed since | there | the first few, or any subset |
//! | pages that were dirty when a sync failed | there | old; no later sync writes them |

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::store::{Opening, SegmentFile, Store};
use crate::model::Timestamp;

/// What the system writes back as one.
const PAGE: usize = 4096;
/// What a disk writes as one.
const SECTOR: usize = 512;

/// Clones share the files.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    machine: Arc<Mutex<Machine>>,
}

#[derive(Debug, Default)]
struct Machine {
    disk: Disk,
    /// Operations that changed something, or tried to.
    operations: u64,
    /// Operations that need room, left until every further one fails.
    room: Option<u64>,
    /// Operations that fail as on a bad disk.
    failing: BTreeSet<u64>,
    recording: Option<Vec<Disk>>,
}

type Inode = u64;

#[derive(Clone, Debug, Default)]
struct Disk {
    exists: bool,
    names: BTreeMap<String, Inode>,
    /// As of the last `sync_folder`.
    durable_names: BTreeMap<String, Inode>,
    /// What happened to names since, in order.
    renamings: Vec<Renaming>,
    contents: BTreeMap<Inode, Arc<Content>>,
}

/// One change of names: it reaches the disk whole or not at all.
#[derive(Clone, Debug)]
struct Renaming {
    gone: Option<String>,
    made: Option<(String, Inode)>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Pages written since the last sync.
    dirty: BTreeSet<usize>,
}

impl Content {
    fn new(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(0, bytes);
        content
    }

    fn write(&mut self, position: usize, bytes: &[u8]) {
        let end = position.saturating_add(bytes.len());
        let touched = position.min(self.live.len());
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        for (to, from) in self.live.iter_mut().skip(position).zip(bytes) {
            *to = *from;
        }
        self.dirty.extend(touched / PAGE..end.div_ceil(PAGE));
    }

    fn truncate(&mut self, len: usize) {
        if len < self.live.len() {
            self.live.truncate(len);
            self.dirty.insert(len / PAGE);
        }
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.live);
        self.dirty.clear();
    }

    /// The disk took every other page and then reported an error. The rest counts as written from now on.
    fn fail_sync(&mut self) {
        for page in std::mem::take(&mut self.dirty).into_iter().filter(|page| page % 2 == 1) {
            let range = page * PAGE..self.live.len().min((page + 1) * PAGE);
            if self.durable.len() < range.end {
                self.durable.resize(range.end, 0);
            }
            overwrite(&mut self.durable, &self.live, range);
        }
    }

    fn after_power_cut(&self, keep: &mut impl FnMut() -> bool) -> Vec<u8> {
        let (live, durable) = (self.live.len(), self.durable.len());
        let mut len = live;
        if live > durable {
            while len > durable && !keep() {
                len = (len - 1) / SECTOR * SECTOR;
            }
            len = len.max(durable);
        } else if live < durable && !keep() {
            len = durable;
        }
        let mut left = self.durable.clone();
        left.resize(len, 0);
        for page in &self.dirty {
            let range = page * PAGE..len.min(live).min((page + 1) * PAGE);
            if keep() {
                overwrite(&mut left, &self.live, range);
            } else if keep() {
                for sector in range.clone().step_by(SECTOR) {
                    if keep() {
                        overwrite(&mut left, &self.live, sector..range.end.min(sector + SECTOR));
                    }
                }
            }
        }
        left
    }
}

fn overwrite(to: &mut [u8], from: &[u8], range: Range<usize>) {
    if let (Some(to), Some(from)) = (to.get_mut(range.clone()), from.get(range)) {
        to.copy_from_slice(from);
    }
}

impl Disk {
    fn rename(&mut self, gone: Option<String>, made: Option<(String, Inode)>) {
        let renaming = Renaming { gone, made };
        renaming.apply(&mut self.names);
        self.renamings.push(renaming);
    }

    fn create(&mut self, content: Content) -> Inode {
        let inode = self.contents.last_key_value().map_or(0, |last| last.0 + 1);
        self.contents.insert(inode, Arc::new(content));
        inode
    }

    fn find(&self, name: &str) -> io::Result<Inode> {
        self.names.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn find_or_create(&mut self, name: &str) -> Inode {
        if let Some(inode) = self.names.get(name) {
            return *inode;
        }
        let inode = self.create(Content::default());
        self.rename(None, Some((name.to_owned(), inode)));
        inode
    }

    fn content(&self, inode: Inode) -> Arc<Content> {
        self.contents.get(&inode).cloned().unwrap_or_default()
    }

    fn content_mut(&mut self, inode: Inode) -> &mut Content {
        Arc::make_mut(self.contents.entry(inode).or_default())
    }

    fn sync_names(&mut self) {
        self.durable_names.clone_from(&self.names);
        self.renamings.clear();
    }

    fn after_power_cut(&self, keep: &mut impl FnMut() -> bool) -> Disk {
        let mut names = self.durable_names.clone();
        let in_order = keep();
        for renaming in &self.renamings {
            if keep() {
                renaming.apply(&mut names);
            } else if in_order {
                break;
            }
        }
        let left = |inode: &Inode, keep: &mut _| self.content(*inode).after_power_cut(keep);
        let contents = self.contents.keys().filter(|inode| names.values().any(|named| named == *inode));
        let contents = contents.map(|inode| (*inode, left(inode, keep)));
        let contents =
            contents.map(|(inode, bytes)| (inode, Arc::new(Content { live: bytes.clone(), durable: bytes, dirty: BTreeSet::new() })));
        let contents = contents.collect();
        Disk { exists: self.exists, durable_names: names.clone(), names, renamings: Vec::new(), contents }
    }
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, inode)) = &self.made {
            names.insert(name.clone(), *inode);
        }
    }
}

/// Whether an operation takes room on the disk.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Room,
    Nothing,
}

impl Machine {
    /// Every change begins here. An error is one the disk reports.
    fn operate(&mut self, takes: Takes) -> io::Result<()> {
        self.record();
        self.disk.exists = true;
        self.operations += 1;
        if self.failing.remove(&self.operations) {
            return Err(io::Error::other("the disk reports an error"));
        }
        match &mut self.room {
            Some(0) if takes == Takes::Room => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(left) if takes == Takes::Room => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn record(&mut self) {
        let disk = &self.disk;
        if let Some(states) = &mut self.recording {
            states.push(disk.clone());
        }
    }
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn with(disk: Disk) -> MemoryStore {
        MemoryStore { machine: Arc::new(Mutex::new(Machine { disk, ..Machine::default() })) }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every operation that needs room after the next `operations` fails as on a full disk; `None` heals it.
    pub fn fail_after(&self, operations: Option<u64>) {
        self.machine().room = operations;
    }

    /// One operation fails: the next one for 1.
    pub fn fail_at(&self, operation: u64) {
        let mut machine = self.machine();
        let at = machine.operations + operation;
        machine.failing.insert(at);
    }

    /// Operations that are still to fail.
    pub fn heal(&self) -> usize {
        std::mem::take(&mut self.machine().failing).len()
    }

    /// From now on the machine's state before every operation is kept, and half-way through every write.
    pub fn record(&self) {
        self.machine().recording = Some(Vec::new());
    }

    /// The states since the last call, each a machine of its own.
    pub fn recorded(&self) -> Vec<MemoryStore> {
        let states = self.machine().recording.as_mut().map(std::mem::take);
        states.unwrap_or_default().into_iter().map(MemoryStore::with).collect()
    }

    /// The same machine after the process died: the page cache and what is dirty in it.
    pub fn kill(&self) -> MemoryStore {
        MemoryStore::with(self.machine().disk.clone())
    }

    /// The machine after a power cut: all that was synced, and of the rest what `keep` says yes to.
    pub fn crash(&self, mut keep: impl FnMut() -> bool) -> MemoryStore {
        MemoryStore::with(self.machine().disk.after_power_cut(&mut keep))
    }

    /// Changes a file in place, as a bad disk would. Returns whether it exists.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut machine = self.machine();
        let Ok(inode) = machine.disk.find(name) else { return false };
        let content = machine.disk.content_mut(inode);
        let clean = content.dirty.is_empty() && content.live.len() == content.durable.len();
        change(&mut content.live);
        if clean {
            content.sync();
        }
        true
    }
}

impl Store for MemoryStore {
    fn exists(&self) -> io::Result<bool> {
        Ok(self.machine().disk.exists)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.machine().disk.names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let disk = &self.machine().disk;
        Ok(disk.find(name).ok().map(|inode| disk.content(inode).live.clone()))
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        let disk = &self.machine().disk;
        disk.find(name).map(|inode| disk.content(inode).live.len() as u64)
    }

    fn modified(&self, name: &str) -> io::Result<Timestamp> {
        self.machine().disk.find(name).map(|_| Timestamp::NONE)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let mut content = Content::new(bytes);
        content.sync();
        let inode = machine.disk.create(content);
        machine.disk.rename(None, Some((name.to_owned(), inode)));
        machine.disk.sync_names();
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let inode = machine.disk.create(Content::new(bytes));
        machine.disk.rename(None, Some((name.to_owned(), inode)));
        Ok(())
    }

    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let inode = machine.disk.find_or_create(name);
        let content = machine.disk.content_mut(inode);
        content.write(position as usize, bytes);
        content.truncate(position as usize + bytes.len());
        Ok(())
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        let inode = self.machine().disk.find(name);
        inode.map_or(Ok(()), |inode| self.sync_inode(inode))
    }

    fn rewrite(&self, name: &str, position: u64) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let inode = machine.disk.find(name)?;
        let content = machine.disk.content_mut(inode);
        let bytes = content.live.get(position as usize..).unwrap_or_default().to_vec();
        content.write(position as usize, &bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Nothing)?;
        if machine.disk.find(name).is_ok() {
            machine.disk.rename(Some(name.to_owned()), None);
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let inode = machine.disk.find(from)?;
        machine.disk.rename(Some(from.to_owned()), Some((to.to_owned(), inode)));
        Ok(())
    }

    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        let inode = machine.disk.find(name)?;
        if machine.disk.find(copy).is_err() {
            machine.disk.rename(None, Some((copy.to_owned(), inode)));
        }
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Nothing)?;
        let inode = machine.disk.find(name)?;
        let content = machine.disk.content_mut(inode);
        content.truncate(len as usize);
        content.sync();
        Ok(())
    }

    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>> {
        let mut machine = self.machine();
        if machine.disk.find(name).is_err() {
            if opening == Opening::Existing {
                return Err(io::Error::from(io::ErrorKind::NotFound));
            }
            machine.operate(Takes::Room)?;
        }
        let inode = machine.disk.find_or_create(name);
        let len = machine.disk.content(inode).live.len() as u64;
        Ok(Arc::new(MemoryFile { store: self.clone(), inode, capacity: capacity.max(len), readable: AtomicU64::new(len) }))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Takes::Room)?;
        machine.disk.sync_names();
        Ok(())
    }

    fn delete_folder(&self) -> io::Result<()> {
        self.machine().disk = Disk::default();
        Ok(())
    }
}

impl MemoryStore {
    fn sync_inode(&self, inode: Inode) -> io::Result<()> {
        let mut machine = self.machine();
        let outcome = machine.operate(Takes::Room);
        let content = machine.disk.content_mut(inode);
        if outcome.is_ok() {
            content.sync();
        } else {
            content.fail_sync();
        }
        outcome
    }
}

#[derive(Debug)]
struct MemoryFile {
    store: MemoryStore,
    inode: Inode,
    capacity: u64,
    readable: AtomicU64,
}

impl SegmentFile for MemoryFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.store.machine().disk.content(self.inode).live.len() as u64)
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()> {
        let bytes = parts.concat();
        let mut machine = self.store.machine();
        let outcome = machine.operate(Takes::Room);
        // A process can die in the middle of a write, and a full disk leaves a part behind.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        machine.disk.content_mut(self.inode).write(position as usize, first);
        outcome?;
        machine.record();
        machine.disk.content_mut(self.inode).write(position as usize + first.len(), second);
        self.readable.fetch_max(position + bytes.len() as u64, Ordering::Release);
        Ok(())
    }

    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        if range.end > self.readable.load(Ordering::Acquire) {
            return None;
        }
        let content = self.store.machine().disk.content(self.inode);
        content.live.get(range.start as usize..range.end as usize).map(Bytes::copy_from_slice)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut machine = self.store.machine();
        machine.operate(Takes::Nothing)?;
        if len >= self.readable.load(Ordering::Acquire) {
            machine.disk.content_mut(self.inode).truncate(len as usize);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.store.sync_inode(self.inode)
    }

    fn read_past_cache(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.slice(range).map(|bytes| bytes.to_vec()).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    fn populate_blocking(&self, _range: Range<u64>) {}
}
