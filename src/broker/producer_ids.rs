//! Hands out producer ids. No id is given twice, not even after kill -9: a block is reserved on disk before any of it is used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::log::kept_file::{self, Kept};
use crate::model::ProducerId;

/// File `producer-ids` in the data folder: `next` is the first id that no block has reserved. Earlier versions wrote the bare number.
const FILE: &str = "producer-ids";
const BLOCK: i64 = 1000;
/// A file that is lost altogether is made up for by a leap that nobody has come to on foot.
const LEAP: i64 = 1 << 40;

pub struct ProducerIds {
    file: PathBuf,
    /// 1 if the file was found damaged.
    pub restored: usize,
    block: Mutex<Block>,
}

struct Block {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// No id below `unused_from` is given out, whatever the file says: records bear them.
    pub fn open(folder: &Path, unused_from: i64) -> io::Result<ProducerIds> {
        let file = folder.join(FILE);
        let number = |value: &Value| value.get("next").unwrap_or(value).as_i64();
        let (next, restored) = match kept_file::read(&file)? {
            Kept::Absent => (Some(0), 0),
            Kept::Whole(value) => (number(&value), 0),
            Kept::Restored(value, _) => (number(&value), 1),
            Kept::Damaged(_) => (None, 1),
        };
        if next.is_none() || restored > 0 {
            tracing::error!(file = FILE, "a damaged file of producer ids was set aside");
        }
        let next = next.unwrap_or_else(|| unused_from.saturating_add(LEAP)).max(unused_from);
        Ok(ProducerIds { file, restored, block: Mutex::new(Block { next, end: next }) })
    }

    pub fn allocate(&self) -> io::Result<ProducerId> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.next == block.end {
            let end = block.end + BLOCK;
            self.reserve(end)?;
            block.end = end;
        }
        let id = block.next;
        block.next += 1;
        Ok(ProducerId(id))
    }

    fn reserve(&self, end: i64) -> io::Result<()> {
        kept_file::write(&self.file, &json!({ "next": end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_given_twice_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5 {
            let ids = ProducerIds::open(folder.path(), 0).unwrap();
            for _ in 0..700 {
                assert!(seen.insert(ids.allocate().unwrap()));
            }
        }
        assert!(ProducerIds::open(folder.path(), 1_000_000).unwrap().allocate().unwrap() >= ProducerId(1_000_000), "ids in use");
        for damaged in [&b"{"[..], b"999999999x"] {
            std::fs::write(folder.path().join(FILE), damaged).unwrap();
            let ids = ProducerIds::open(folder.path(), 0).unwrap();
            assert!(ids.restored == 1 && seen.insert(ids.allocate().unwrap()), "after damage");
            let _ = std::fs::remove_file(folder.path().join("producer-ids.copy"));
        }
    }
}
