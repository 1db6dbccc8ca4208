//! Where the last record of each key lies.

use std::collections::HashMap;

use crate::model::Offset;

/// What an entry takes beside its key, about.
const ENTRY_BYTES: usize = 64;

/// The last offset of every key in a stretch of the log that ends at `end`. Holds the keys themselves: two keys are never taken for one.
#[derive(Debug)]
pub(super) struct OffsetMap {
    latest: HashMap<Box<[u8]>, Offset>,
    bytes: usize,
    bytes_max: usize,
    end: Offset,
}

impl OffsetMap {
    pub fn new(start: Offset, bytes_max: usize) -> OffsetMap {
        OffsetMap { latest: HashMap::new(), bytes: 0, bytes_max, end: start }
    }

    pub fn put(&mut self, key: &[u8], offset: Offset) {
        if let Some(latest) = self.latest.get_mut(key) {
            *latest = offset;
            return;
        }
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(ENTRY_BYTES);
        self.latest.insert(key.into(), offset);
    }

    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        self.latest.get(key).copied()
    }

    /// No further batch should be put in.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Everything below was seen.
    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn extend_to(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }
}
