//! A tail that a power cut tore across the end of a segment.

use std::io;

use bytes::Bytes;

use super::scan::{ScanRules, scan, valid_batch};
use super::segment::{BadRange, Indexes, LOG, file_name};
use super::store::{Opening, Store};
use crate::model::Offset;

/// How many segments at the end are none: a power cut may spare the name of a new one and take the end of the one before, which was as
/// little synced. Nothing follows that tail, for all the files behind it. `known` is damage that was marked at an earlier start.
pub(super) fn blank_segments(
    store: &dyn Store,
    segments: &[Offset],
    sure_below: Offset,
    known: &[BadRange],
    rules: impl Fn(Offset) -> ScanRules,
) -> io::Result<usize> {
    let mut blank = 0;
    for (base, next) in segments.iter().zip(segments.iter().skip(1)).rev() {
        // Whoever synced as far as to a segment's base had the whole of the one before.
        if *next <= sure_below || holds_a_batch(store, rules(*next))? || end_of(store, known, rules(*base))? >= *next {
            break;
        }
        blank += 1;
    }
    Ok(blank)
}

fn bytes_of(store: &dyn Store, base: Offset) -> io::Result<Bytes> {
    let name = file_name(base, LOG);
    let len = store.size(&name)?;
    if len == 0 {
        return Ok(Bytes::new());
    }
    // A map of its own: the file may be cut or removed next.
    let file = store.open_segment(&name, len, Opening::Existing)?;
    file.slice(0..len).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

fn holds_a_batch(store: &dyn Store, rules: ScanRules) -> io::Result<bool> {
    let bytes = bytes_of(store, rules.segment)?;
    Ok(valid_batch(&bytes, rules.expected, rules).is_some() || scan(&bytes, 0, rules, &[], Indexes::default()).last.is_some())
}

fn end_of(store: &dyn Store, known: &[BadRange], rules: ScanRules) -> io::Result<Offset> {
    let known: Vec<BadRange> = known.iter().filter(|bad| bad.segment == rules.segment).cloned().collect();
    Ok(scan(&bytes_of(store, rules.segment)?, 0, rules, &known, Indexes::default()).end_offset)
}
