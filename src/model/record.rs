//! Records inside a batch: bounded decoding of untrusted bytes.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::borrow::Cow;

use super::batch::{BatchDefect, BatchHeader};
use super::{Offset, Timestamp};

/// One record, borrowed from its batch.
///
/// | field | type |
/// |---|---|
/// | length | zig-zag varint: bytes that follow |
/// | attributes | i8, unused |
/// | timestampDelta | zig-zag varlong, against the batch's baseTimestamp |
/// | offsetDelta | zig-zag varint, against baseOffset |
/// | key length, key | zig-zag varint, -1 is null; bytes |
/// | value length, value | the same |
/// | header count, headers | zig-zag varint; each: key length and key (never null), value length (-1 is null) and value |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    pub offset: Offset,
    /// The batch's maxTimestamp when the batch is stamped with LogAppendTime.
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: u32,
}

/// A record header: ordered, keys may repeat, the value may be null.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

impl<'a> Record<'a> {
    pub fn header_count(&self) -> usize {
        self.header_count as usize
    }

    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.headers;
        // The headers were walked when the record was decoded.
        (0..self.header_count).map_while(move |_| read_header(&mut rest))
    }
}

/// The decompressed records of one batch.
#[derive(Clone, Debug)]
pub struct DecodedRecords<'a> {
    header: BatchHeader,
    plain: Cow<'a, [u8]>,
}

impl<'a> DecodedRecords<'a> {
    pub(crate) fn borrowed(header: BatchHeader, plain: &'a [u8]) -> Self {
        DecodedRecords { header, plain: Cow::Borrowed(plain) }
    }

    pub(crate) fn owned(header: BatchHeader, plain: Vec<u8>) -> Self {
        DecodedRecords { header, plain: Cow::Owned(plain) }
    }

    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.header, &self.plain)
    }
}

impl<'a> IntoIterator for &'a DecodedRecords<'_> {
    type Item = Result<Record<'a>, BatchDefect>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// Yields as many records as the header says, then an error if bytes remain. Ends after the first error.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
    base_offset: Offset,
    base_timestamp: Timestamp,
    log_append_time: Option<Timestamp>,
    left: i32,
}

impl<'a> RecordIter<'a> {
    pub fn new(header: &BatchHeader, plain: &'a [u8]) -> RecordIter<'a> {
        RecordIter {
            rest: plain,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: header.attributes.is_log_append_time().then_some(header.max_timestamp),
            left: header.record_count.max(0),
        }
    }

    fn decode(&mut self) -> Result<Record<'a>, BatchDefect> {
        let length = read_varint(&mut self.rest).ok_or(BatchDefect::Record("the batch ends before its last record"))?;
        let length = usize::try_from(length).map_err(|_| BatchDefect::Record("negative record length"))?;
        let (body, rest) = self.rest.split_at_checked(length).ok_or(BatchDefect::Record("a record is longer than its batch"))?;
        self.rest = rest;
        self.decode_body(body).ok_or(BatchDefect::Record("invalid record structure"))
    }

    fn decode_body(&self, body: &'a [u8]) -> Option<Record<'a>> {
        let (_attributes, mut rest) = body.split_first()?;
        let timestamp_delta = read_varlong(&mut rest)?;
        let offset_delta = read_varint(&mut rest)?;
        let key = read_nullable(&mut rest)?;
        let value = read_nullable(&mut rest)?;
        let header_count = u32::try_from(read_varint(&mut rest)?).ok()?;
        let headers = rest;
        // Each header takes two bytes at least, so the count is bounded by what is there.
        for _ in 0..header_count {
            read_header(&mut rest)?;
        }
        if !rest.is_empty() {
            return None;
        }
        let timestamp = self.log_append_time.unwrap_or(Timestamp(self.base_timestamp.0.wrapping_add(timestamp_delta)));
        Some(Record { offset: self.base_offset.plus(i64::from(offset_delta)), timestamp, key, value, headers, header_count })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchDefect>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            if self.rest.is_empty() {
                return None;
            }
            self.rest = &[];
            return Some(Err(BatchDefect::Record("bytes follow the last record")));
        }
        self.left -= 1;
        let record = self.decode();
        if record.is_err() {
            self.left = 0;
            self.rest = &[];
        }
        Some(record)
    }
}

fn read_header<'a>(rest: &mut &'a [u8]) -> Option<Header<'a>> {
    let key = read_nullable(rest)??;
    Some((key, read_nullable(rest)?))
}

/// Outer `None`: malformed. Inner `None`: null.
fn read_nullable<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = read_varint(rest)?;
    let Ok(length) = usize::try_from(length) else { return Some(None) };
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(Some(bytes))
}

/// A zig-zag varint of at most five bytes.
#[inline]
pub fn read_varint(rest: &mut &[u8]) -> Option<i32> {
    // Deltas and the lengths of most records take no more than two bytes.
    let (raw, after) = match *rest {
        [low @ 0..0x80, after @ ..] => (u32::from(*low), after),
        [low, high @ 0..0x80, after @ ..] => (u32::from(low & 0x7f) | (u32::from(*high) << 7), after),
        _ => return read_long_varint(rest),
    };
    *rest = after;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

fn read_long_varint(rest: &mut &[u8]) -> Option<i32> {
    let mut raw: u32 = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        raw |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((raw >> 1) as i32 ^ -((raw & 1) as i32));
        }
    }
    None
}

/// A zig-zag varint of at most ten bytes.
pub fn read_varlong(rest: &mut &[u8]) -> Option<i64> {
    let mut raw: u64 = 0;
    for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        raw |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
    }
    None
}

pub fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

pub fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Bytes that `write_varlong` would take.
pub fn varlong_len(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (raw | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch_builder::{BatchBuilder, NewRecord};
    use crate::model::{Batch, Codec};
    use proptest::prelude::*;

    #[test]
    fn headers_keep_order_duplicates_and_nulls() {
        let headers: [Header; 4] = [(b"k", Some(b"1")), (b"a", None), (b"k", Some(b"2")), (b"", Some(b""))];
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(NewRecord { key: None, value: Some(b""), headers: &headers, timestamp: Timestamp(1) });
        let batch = builder.build().unwrap();
        let records = batch.records().unwrap();
        let record = records.iter().next().unwrap().unwrap();
        assert_eq!(record.headers().collect::<Vec<_>>(), headers);
        assert_eq!((record.key, record.value), (None, Some(&b""[..])));
    }

    #[test]
    fn varints_have_a_cap() {
        assert_eq!(read_varint(&mut &[0xff; 12][..]), None);
        assert_eq!(read_varlong(&mut &[0xff; 12][..]), None);
        assert_eq!(read_varint(&mut &[0x80][..]), None);
    }

    #[test]
    fn a_blown_up_header_count_is_refused_without_work() {
        let mut body = vec![0, 0, 0, 1, 1];
        write_varint(&mut body, i32::MAX);
        let mut plain = Vec::new();
        write_varint(&mut plain, body.len() as i32);
        plain.extend(body);
        let mut header = *BatchBuilder::example(1).header();
        header.record_count = 1;
        assert!(RecordIter::new(&header, &plain).next().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn varlongs_survive(value: i64, small: i32) {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_len(value));
            prop_assert_eq!(read_varlong(&mut &out[..]), Some(value));
            out.clear();
            write_varint(&mut out, small);
            prop_assert_eq!(read_varint(&mut &out[..]), Some(small));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), count: i32) {
            let mut header: BatchHeader = *BatchBuilder::example(1).header();
            header.record_count = count;
            for record in RecordIter::new(&header, &bytes).take(1000).flatten() {
                let _ = record.headers().count();
            }
            let _ = Batch::from_bytes(&bytes::Bytes::from(bytes));
        }
    }
}
