//! Which batches belong to aborted transactions, and which markers nobody needs any more.

use std::collections::{HashMap, HashSet};

use crate::log::producer_state::Marker;
use crate::log::txn_index::AbortedTxn;
use crate::model::batch::BatchView;
use crate::model::{BatchDefect, ControlType, Offset, ProducerId};

/// Follows the transactions of a log while its batches go by in order.
#[derive(Debug)]
pub(super) struct Transactions {
    /// By first offset, the next one last.
    to_come: Vec<AbortedTxn>,
    /// Aborted ones that are going on, and whether a batch of theirs came by.
    aborted: HashMap<ProducerId, (AbortedTxn, bool)>,
    /// Others of which a batch came by.
    committed: HashSet<ProducerId>,
    /// Aborted ones that ended and of which a batch came by.
    ended: Vec<AbortedTxn>,
}

impl Transactions {
    pub fn new(aborted: &[AbortedTxn]) -> Transactions {
        let mut to_come = aborted.to_vec();
        to_come.sort_unstable_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        Transactions { to_come, aborted: HashMap::new(), committed: HashSet::new(), ended: Vec::new() }
    }

    /// Looks at the next batch. True if its records can go: those of an aborted transaction at once, a marker once its transaction has
    /// no batches left.
    pub fn can_discard(&mut self, batch: &BatchView<'_>) -> Result<bool, BatchDefect> {
        let header = &batch.header;
        self.begin_up_to(header.last_offset());
        if header.attributes.is_control() {
            return self.end(batch);
        }
        if !header.attributes.is_transactional() {
            return Ok(false);
        }
        if let Some((_, seen)) = self.aborted.get_mut(&header.producer_id) {
            *seen = true;
            return Ok(true);
        }
        self.committed.insert(header.producer_id);
        Ok(false)
    }

    fn begin_up_to(&mut self, offset: Offset) {
        while let Some(txn) = self.to_come.pop_if(|txn| txn.first_offset <= offset) {
            self.aborted.entry(txn.producer_id).or_insert((txn, false));
        }
    }

    fn end(&mut self, batch: &BatchView<'_>) -> Result<bool, BatchDefect> {
        let producer = batch.header.producer_id;
        // A marker that was emptied says nothing any more.
        if batch.header.record_count == 0 {
            return Ok(true);
        }
        match Marker::read(&batch.records()?)?.map(|marker| marker.kind) {
            Some(ControlType::Abort) => match self.aborted.remove(&producer) {
                Some((txn, true)) => {
                    self.ended.push(txn);
                    Ok(false)
                }
                _ => Ok(true),
            },
            Some(ControlType::Commit) => Ok(!self.committed.remove(&producer)),
            None => Ok(false),
        }
    }

    /// The aborted transactions whose markers came by since the last call and are still needed.
    pub fn take_ended(&mut self) -> Vec<AbortedTxn> {
        std::mem::take(&mut self.ended)
    }
}
