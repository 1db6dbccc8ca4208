//! What stays of a batch.

use super::offset_map::OffsetMap;
use super::transactions::Transactions;
use super::{CompactionPlan, LastOfProducer};
use crate::log::error::LogError;
use crate::model::batch::BatchView;
use crate::model::batch_builder::RewriteError;
use crate::model::record::Record;
use crate::model::{Batch, BatchBuilder, BatchHeader, Timestamp};

/// What becomes of a batch.
pub(super) enum Verdict {
    Same,
    Changed(Batch),
    Gone,
}

/// Judges the batches of a log, which must come in order.
pub(super) struct Filter<'a> {
    plan: &'a CompactionPlan,
    map: &'a OffsetMap,
    pub transactions: Transactions,
}

impl<'a> Filter<'a> {
    pub fn new(plan: &'a CompactionPlan, map: &'a OffsetMap) -> Filter<'a> {
        Filter { plan, map, transactions: Transactions::new(&plan.aborted) }
    }

    /// `ends_segment`: the batch keeps the offsets of its segment's end and stays, if need be without records.
    pub fn judge(&mut self, batch: &BatchView<'_>, ends_segment: bool) -> Result<Verdict, LogError> {
        let header = &batch.header;
        let horizon = header.attributes.has_delete_horizon().then_some(header.base_timestamp);
        let expired = horizon.is_some_and(|horizon| horizon <= self.plan.now);
        let is_control = header.attributes.is_control();
        let discard = self.transactions.can_discard(batch)?;
        let drop_all = discard && (!is_control || expired);

        let decoded = batch.records()?;
        let mut kept = Vec::new();
        let mut tombstones = false;
        for record in &decoded {
            let record = record?;
            if !drop_all && (is_control || self.keeps(&record, expired)) {
                tombstones |= record.value.is_none();
                kept.push(record);
            }
        }
        if kept.is_empty() {
            let stays = ends_segment || header.next_offset() == self.map.end() || self.is_last_of_producer(header);
            return Ok(match (stays, header.record_count) {
                (false, _) => Verdict::Gone,
                (true, 0) => Verdict::Same,
                (true, _) => Verdict::Changed(BatchBuilder::emptied(header)),
            });
        }
        // The clock of a mark of deletion starts with the first compaction that leaves it.
        let starts_clock = horizon.is_none() && (tombstones || (is_control && discard));
        if kept.len() == usize::try_from(header.record_count).unwrap_or(0) && !starts_clock {
            return Ok(Verdict::Same);
        }
        let horizon = if starts_clock { Some(self.plan.new_horizon()) } else { horizon };
        let changed = BatchBuilder::rewrite(header, &kept, horizon).map_err(|error| match error {
            RewriteError::Batch(defect) => LogError::Batch(defect),
            RewriteError::Compress(error) => LogError::Io(error),
        })?;
        Ok(Verdict::Changed(changed))
    }

    fn keeps(&self, record: &Record<'_>, expired: bool) -> bool {
        if record.offset >= self.map.end() {
            return true;
        }
        // A record without a key came before the topic was compacted; Kafka drops it.
        let Some(key) = record.key else { return false };
        let is_latest = self.map.get(key).is_none_or(|latest| record.offset >= latest);
        is_latest && (record.value.is_some() || !expired)
    }

    /// The batch holds its producer's last sequence, without which a retry would look like a gap.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.has_producer()
            && self.plan.last_of_producers.get(&header.producer_id).is_some_and(|last| match last {
                LastOfProducer::Data(offset) => header.last_offset() == *offset,
                LastOfProducer::MarkerOf(epoch) => header.attributes.is_control() && header.producer_epoch == *epoch,
            })
    }
}

impl CompactionPlan {
    fn new_horizon(&self) -> Timestamp {
        Timestamp(self.now.0.saturating_add(self.config.delete_retention_ms))
    }
}
