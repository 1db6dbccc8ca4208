//! The small files of a partition's folder: what each says, and what becomes of one that cannot be read.

use std::io;

use super::{Listing, Recovery};
use crate::log::compaction;
use crate::log::damage::{self, DAMAGE, QUARANTINE};
use crate::log::error::LogError;
use crate::log::leader_epochs::{self, LeaderEpochs};
use crate::log::partition_log::{METADATA, SYNC_FAILED};
use crate::log::segment::{BadRange, INDEX, LOG, SNAPSHOT, TIME_INDEX, TXN_INDEX, parse_file_name};
use crate::model::{Offset, TopicId};

const ASIDE: &str = ".unknown";

impl Recovery {
    /// Sorts the folder's files: leftovers of ours go, what nobody knows is renamed aside.
    pub(super) fn tidy(&mut self) -> Result<Listing, LogError> {
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

    pub(super) fn check_metadata(&mut self, expected: TopicId) -> Result<(), LogError> {
        let Some(bytes) = self.read_unless_blank(METADATA)? else { return Ok(()) };
        match parse_metadata(&bytes)? {
            Some(found) if found == expected => Ok(()),
            Some(found) if !differ_in_one_sign(found, expected) => Err(LogError::OtherTopic { expected, found }),
            _ => {
                self.set_aside(METADATA)?;
                let text = format!("version: 0\ntopic_id: {expected}");
                Ok(self.store.replace(METADATA, text.as_bytes())?)
            }
        }
    }

    pub(super) fn load_epochs(&mut self) -> Result<LeaderEpochs, LogError> {
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

    pub(super) fn load_damage(&mut self, listing: &Listing) -> Result<Vec<BadRange>, LogError> {
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

    pub(super) fn load_gaps(&mut self) -> Result<Offset, LogError> {
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
}

/// No two topics have ids this much alike: one of them was damaged.
fn differ_in_one_sign(a: TopicId, b: TopicId) -> bool {
    let (a, b) = (a.to_base64(), b.to_base64());
    a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() == 1
}

/// The topic id in a `partition.metadata` file, `None` if it cannot be read.
pub(in crate::log) fn parse_metadata(bytes: &[u8]) -> Result<Option<TopicId>, LogError> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim));
    let Some(version) = field("version").and_then(|version| version.parse::<i64>().ok()) else { return Ok(None) };
    if version > 0 {
        return Err(LogError::NewerFormat { file: METADATA.to_owned(), version });
    }
    Ok(field("topic_id").and_then(TopicId::from_base64))
}
