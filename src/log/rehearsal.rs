//! A folder that can be opened as if to start, and stays as it is: what the start would change is kept aside and listed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::FolderStore;
use super::memory_store::MemoryStore;
use super::store::{Opening, SegmentFile, Store};
use crate::model::Timestamp;

#[derive(Debug)]
pub(super) struct Rehearsal {
    folder: FolderStore,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// Files written whole; `None` for those that went.
    files: BTreeMap<String, Option<Vec<u8>>>,
    lengths: BTreeMap<String, u64>,
    made: BTreeSet<String>,
    actions: Vec<String>,
}

impl Changes {
    fn note(&mut self, action: String) {
        if !self.actions.contains(&action) {
            self.actions.push(action);
        }
    }
}

fn absent() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Rehearsal {
    pub fn new(folder: FolderStore) -> Rehearsal {
        Rehearsal { folder, changes: Mutex::default() }
    }

    /// What would have been done, in order.
    pub fn actions(&self) -> Vec<String> {
        self.changes().actions.clone()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let mut changes = self.changes();
        changes.files.insert(name.to_owned(), Some(bytes.to_vec()));
        changes.note(format!("write {name}"));
    }
}

impl Store for Rehearsal {
    fn exists(&self) -> io::Result<bool> {
        self.folder.exists()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let changes = self.changes();
        let mut names: BTreeSet<String> = self.folder.list()?.into_iter().collect();
        for (name, file) in &changes.files {
            if file.is_some() {
                names.insert(name.clone())
            } else {
                names.remove(name)
            };
        }
        names.extend(changes.made.iter().cloned());
        Ok(names.into_iter().collect())
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.changes().files.get(name) {
            Some(file) => Ok(file.clone()),
            None => self.folder.read(name),
        }
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        let changes = self.changes();
        match (changes.files.get(name), changes.lengths.get(name)) {
            (Some(file), _) => file.as_ref().map(|bytes| bytes.len() as u64).ok_or_else(absent),
            (None, Some(len)) => Ok(*len),
            (None, None) => self.folder.size(name),
        }
    }

    fn modified(&self, name: &str) -> io::Result<Timestamp> {
        self.folder.modified(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes);
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes);
        Ok(())
    }

    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        let mut whole = self.read(name)?.unwrap_or_default();
        whole.resize(usize::try_from(position).map_err(io::Error::other)?, 0);
        whole.extend_from_slice(bytes);
        self.write(name, &whole);
        Ok(())
    }

    fn sync_file(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    fn rewrite(&self, name: &str, position: u64) -> io::Result<()> {
        self.changes().note(format!("write {name} once more from byte {position} on"));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.list()?.iter().any(|other| other == name) {
            let mut changes = self.changes();
            changes.files.insert(name.to_owned(), None);
            changes.note(format!("delete {name}"));
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let bytes = self.read(from)?.ok_or_else(absent)?;
        let mut changes = self.changes();
        changes.files.insert(from.to_owned(), None);
        changes.files.insert(to.to_owned(), Some(bytes));
        changes.note(format!("rename {from} to {to}"));
        Ok(())
    }

    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()> {
        if self.folder.size(copy).is_err() {
            self.changes().note(format!("keep {name} as {copy}"));
        }
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut changes = self.changes();
        changes.lengths.insert(name.to_owned(), len);
        changes.note(format!("cut {name} to {len} bytes"));
        Ok(())
    }

    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>> {
        if self.folder.size(name).is_ok() {
            return self.folder.open_segment(name, capacity, Opening::Existing);
        }
        if opening == Opening::Create {
            let mut changes = self.changes();
            changes.made.insert(name.to_owned());
            changes.note(format!("begin {name}"));
        }
        MemoryStore::new().open_segment(name, capacity, opening)
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn delete_folder(&self) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}
