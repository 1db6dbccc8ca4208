//! What follows from the batches: leader epochs and the producers' sequences.

use std::sync::Arc;

use super::{LastStop, Listing, Recovery, Tail};
use crate::log::error::LogError;
use crate::log::leader_epochs::{self, LeaderEpochs};
use crate::log::producer_snapshot;
use crate::log::producer_state::ProducerStates;
use crate::log::segment::{SNAPSHOT, Segment, file_name};
use crate::model::{LeaderEpoch, Offset};

impl Recovery {
    /// The epochs from now on. What changed is on disk before anything is served.
    pub(super) fn settle_epochs(
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
        // No CRC covers a batch's epoch, and the file has every epoch before a batch does: a higher one is a flipped bit.
        let believed = |epoch| epoch >= LeaderEpoch(0) && known.latest().is_none_or(|latest| epoch <= latest);
        if let Some(last) = tail.last.filter(|last| believed(last.leader_epoch)) {
            epochs.assign(last.leader_epoch, last.base_offset);
        }
        epochs.truncate_end(end);
        // An epoch that began past the end wrote what is lost. It was told, and the epoch never goes back.
        if let Some(latest) = known.latest() {
            epochs.assign(latest, end);
        }
        // A power cut can take whole batches from the end and leave no trace of them. So every one counts as a loss: readers may have
        // seen what is gone. The folder itself is on disk before the first batch is.
        let power_cut = self.facts.last_stop == LastStop::OtherBoot;
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

    pub(super) fn read_snapshot(&self, offset: Offset) -> Option<ProducerStates> {
        let bytes = self.store.read(&file_name(offset, SNAPSHOT)).ok().flatten()?;
        producer_snapshot::decode(&bytes)
    }

    /// Producer state as of `end`: the newest usable snapshot, and the headers of what came after it.
    pub(super) fn load_producers(&mut self, listing: &Listing, segments: &[Arc<Segment>], end: Offset) -> Result<ProducerStates, LogError> {
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
        Ok(producers)
    }
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
