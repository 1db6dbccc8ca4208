//! Hands out producer ids. No id is given twice, not even after kill -9: a block is reserved on disk before any of it is used.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::model::ProducerId;

/// File `producer-ids` in the data folder: one line, the first id that no block has reserved.
const FILE: &str = "producer-ids";
const BLOCK: i64 = 1000;

pub struct ProducerIds {
    folder: PathBuf,
    block: Mutex<Block>,
}

struct Block {
    next: i64,
    end: i64,
}

impl ProducerIds {
    pub fn open(folder: &Path) -> io::Result<ProducerIds> {
        let next = match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text.trim().parse().map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} in the data folder holds {text:?} instead of a number"))
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        Ok(ProducerIds { folder: folder.to_path_buf(), block: Mutex::new(Block { next, end: next }) })
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
        let temporary = self.folder.join(format!("{FILE}.tmp"));
        let mut file = File::create(&temporary)?;
        writeln!(file, "{end}")?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()
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
            let ids = ProducerIds::open(folder.path()).unwrap();
            for _ in 0..700 {
                assert!(seen.insert(ids.allocate().unwrap()));
            }
        }
    }
}
