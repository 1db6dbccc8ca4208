//! The aborted transactions of a segment.

use crate::model::{Offset, ProducerId};

/// Bytes of one entry.
pub(super) const ENTRY_LEN: usize = 34;

/// A transaction that was aborted: a read_committed consumer drops this producer's batches of `first_offset..=last_offset`.
///
/// | bytes | field |
/// |---|---|
/// | 0-1 | version, 0 |
/// | 2-9 | producer id |
/// | 10-17 | first offset of the transaction |
/// | 18-25 | offset of its abort marker |
/// | 26-33 | last stable offset when the marker was written |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    fn encode(&self) -> [u8; ENTRY_LEN] {
        let fields = [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        let mut bytes = [0; ENTRY_LEN];
        for (to, from) in bytes.iter_mut().skip(2).zip(fields.iter().flat_map(|field| field.to_be_bytes())) {
            *to = from;
        }
        bytes
    }

    fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<AbortedTxn> {
        let (version, fields) = bytes.split_first_chunk::<2>()?;
        let mut fields = fields.as_chunks::<8>().0.iter().map(|field| i64::from_be_bytes(*field));
        let mut next = || fields.next();
        let entry = AbortedTxn {
            producer_id: ProducerId(next()?),
            first_offset: Offset(next()?),
            last_offset: Offset(next()?),
            last_stable_offset: Offset(next()?),
        };
        (*version == [0, 0] && entry.first_offset <= entry.last_offset).then_some(entry)
    }
}

/// Reads a file; `None` unless it is whole and in the order of the markers.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<AbortedTxn>> {
    let (chunks, rest) = bytes.as_chunks::<ENTRY_LEN>();
    let entries: Vec<AbortedTxn> = chunks.iter().map(AbortedTxn::decode).collect::<Option<_>>()?;
    (rest.is_empty() && entries.is_sorted_by(|a, b| a.last_offset < b.last_offset)).then_some(entries)
}

pub(super) fn encode(entries: &[AbortedTxn]) -> Vec<u8> {
    entries.iter().flat_map(AbortedTxn::encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_and_a_cut_file_is_refused() {
        let entry = |first, last| AbortedTxn {
            producer_id: ProducerId(7),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(first),
        };
        let entries = vec![entry(5, 9), entry(3, 12)];
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), 68);
        assert_eq!(bytes[..18], [0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(parse(&bytes), Some(entries));
        assert_eq!(parse(&bytes[..40]), None);
    }
}
