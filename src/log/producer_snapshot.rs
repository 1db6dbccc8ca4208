//! Producer state on disk: `<offset>.snapshot`, the state after all batches below that offset; and those that came after it.

use std::collections::{HashMap, VecDeque};

use super::error::LogError;
use super::producer_state::{Marker, ProducerStates, WrittenBatch};
use super::segment::{Segment, Walk};
use super::txn_index::AbortedTxn;
use crate::model::batch::BatchView;
use crate::model::{ControlType, Offset, ProducerEpoch, ProducerId, Timestamp};

const VERSION: i16 = 1;
/// The CRC covers everything from here on.
const CRC_START: usize = 6;
const ENTRY_LEN: usize = 46;
const OLDER_LEN: usize = 32;
/// Marks our part of the file.
const OLDER_MAGIC: [u8; 4] = *b"HWob";

/// Kafka keeps one batch per producer; a retry of an older one would then look like a gap after a restart. So the older
/// batches follow Kafka's part, where its readers do not look.
///
/// | bytes | field |
/// |---|---|
/// | 0-1 | version, 1 |
/// | 2-5 | CRC-32C of bytes 6 to the end |
/// | 6-9 | number of entries |
/// | 46 each | producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64, coordinator epoch i32, first offset of the open transaction i64 (-1: none) |
/// | 4 | `HWob` |
/// | 32 each, to the end | older batches, oldest first: producer id i64, last sequence i32, last offset i64, offset delta i32, timestamp i64 |
pub(super) fn encode(states: &ProducerStates) -> Vec<u8> {
    let entries = states.by_use();
    let mut out = Vec::with_capacity(CRC_START + 8 + entries.len() * (ENTRY_LEN + 4 * OLDER_LEN));
    out.extend(VERSION.to_be_bytes());
    out.extend([0; 4]);
    out.extend((entries.len() as i32).to_be_bytes());
    for entry in &entries {
        let none = WrittenBatch { last_sequence: -1, last_offset: Offset::NONE, offset_delta: 0, timestamp: Timestamp::NONE };
        let last = entry.batches.back().copied().unwrap_or(none);
        out.extend(entry.producer_id.0.to_be_bytes());
        out.extend(entry.epoch.0.to_be_bytes());
        out.extend(last.last_sequence.to_be_bytes());
        out.extend(last.last_offset.0.to_be_bytes());
        out.extend(last.offset_delta.to_be_bytes());
        out.extend(entry.last_timestamp.0.to_be_bytes());
        out.extend(entry.coordinator_epoch.to_be_bytes());
        out.extend(entry.current_txn_first_offset.unwrap_or(Offset::NONE).0.to_be_bytes());
    }
    out.extend(OLDER_MAGIC);
    for entry in &entries {
        for batch in entry.batches.iter().take(entry.batches.len().saturating_sub(1)) {
            out.extend(entry.producer_id.0.to_be_bytes());
            out.extend(batch.last_sequence.to_be_bytes());
            out.extend(batch.last_offset.0.to_be_bytes());
            out.extend(batch.offset_delta.to_be_bytes());
            out.extend(batch.timestamp.0.to_be_bytes());
        }
    }
    let crc = crc32c::crc32c(out.get(CRC_START..).unwrap_or_default());
    if let Some(slot) = out.get_mut(2..CRC_START) {
        slot.copy_from_slice(&crc.to_be_bytes());
    }
    out
}

/// Reads a snapshot, Kafka's or ours. `None` if it is cut, damaged or of another version: it is derived and can be rebuilt.
pub(super) fn decode(bytes: &[u8]) -> Option<ProducerStates> {
    let (head, body) = bytes.split_first_chunk::<CRC_START>()?;
    let [v0, v1, crc @ ..] = *head;
    if i16::from_be_bytes([v0, v1]) != VERSION || u32::from_be_bytes(crc) != crc32c::crc32c(body) {
        return None;
    }
    let mut rest = body;
    let count = usize::try_from(i32::from_be_bytes(take(&mut rest)?)).ok()?;
    let (entries, older) = rest.split_at_checked(count.checked_mul(ENTRY_LEN)?)?;
    let mut older = older_batches(older);
    let mut states = ProducerStates::default();
    for mut entry in entries.chunks_exact(ENTRY_LEN) {
        let rest = &mut entry;
        let producer_id = ProducerId(i64::from_be_bytes(take(rest)?));
        let epoch = ProducerEpoch(i16::from_be_bytes(take(rest)?));
        let last_sequence = i32::from_be_bytes(take(rest)?);
        let last_offset = Offset(i64::from_be_bytes(take(rest)?));
        let offset_delta = i32::from_be_bytes(take(rest)?);
        let timestamp = Timestamp(i64::from_be_bytes(take(rest)?));
        let coordinator_epoch = i32::from_be_bytes(take(rest)?);
        let txn = Offset(i64::from_be_bytes(take(rest)?));
        let mut batches = older.remove(&producer_id).unwrap_or_default();
        if last_offset >= Offset::ZERO {
            batches.push_back(WrittenBatch { last_sequence, last_offset, offset_delta, timestamp });
        }
        let txn = (txn >= Offset::ZERO).then_some(txn);
        states.insert(ProducerStates::restored(producer_id, epoch, batches, timestamp, coordinator_epoch, txn));
    }
    Some(states)
}

fn older_batches(bytes: &[u8]) -> HashMap<ProducerId, VecDeque<WrittenBatch>> {
    let mut older: HashMap<ProducerId, VecDeque<WrittenBatch>> = HashMap::new();
    let Some(batches) = bytes.strip_prefix(&OLDER_MAGIC) else { return older };
    for mut chunk in batches.chunks_exact(OLDER_LEN) {
        if let Some((id, batch)) = older_batch(&mut chunk) {
            older.entry(id).or_default().push_back(batch);
        }
    }
    older
}

fn older_batch(rest: &mut &[u8]) -> Option<(ProducerId, WrittenBatch)> {
    let id = ProducerId(i64::from_be_bytes(take(rest)?));
    let batch = WrittenBatch {
        last_sequence: i32::from_be_bytes(take(rest)?),
        last_offset: Offset(i64::from_be_bytes(take(rest)?)),
        offset_delta: i32::from_be_bytes(take(rest)?),
        timestamp: Timestamp(i64::from_be_bytes(take(rest)?)),
    };
    Some((id, batch))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (value, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*value)
}
/// What the batches from `from` on add.
pub(super) fn replay(segment: &Segment, from: Offset, producers: &mut ProducerStates) -> Result<(), LogError> {
    let start = segment.with_indexes(|indexes| indexes.offsets.lookup(segment.base_offset, from))?;
    let bytes = segment.slice(start.min(segment.len())..segment.len())?;
    for located in segment.walk(&bytes, start).map_while(Result::ok) {
        let header = located.header;
        if header.base_offset < from || !header.has_producer() {
            continue;
        }
        let marker = if header.attributes.is_control() {
            let batch = BatchView::parse(Walk::batch_bytes(&bytes, start, &located)).and_then(|batch| batch.records());
            batch.and_then(|records| Marker::read(&records)).ok().flatten()
        } else {
            None
        };
        let Some(ended) = producers.apply(&header, marker.as_ref()).filter(|ended| ended.kind == ControlType::Abort) else { continue };
        let aborted = AbortedTxn {
            producer_id: ended.producer_id,
            first_offset: ended.first_offset,
            last_offset: ended.last_offset,
            last_stable_offset: producers.first_unstable().unwrap_or(header.next_offset()),
        };
        segment.with_indexes_mut(|indexes| {
            if indexes.txns.last().is_none_or(|last| last.last_offset < aborted.last_offset) {
                indexes.txns.push(aborted);
            }
        })?;
    }
    Ok(())
}
