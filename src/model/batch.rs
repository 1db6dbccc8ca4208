//! Record batches, format version 2: the only unit that is stored and sent.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::compress::{Codec, DecompressError, decompress};
use super::record::DecodedRecords;
use super::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// Bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;
/// Bytes in front of what `batchLength` counts.
pub const LENGTH_OVERHEAD: usize = 12;
/// The CRC covers everything from here on.
pub const CRC_START: usize = 21;

const BASE_OFFSET: usize = 0;
const BATCH_LENGTH: usize = 8;
const LEADER_EPOCH: usize = 12;
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const RECORD_COUNT: usize = 57;

/// What is wrong with a batch's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchDefect {
    #[error("the bytes end inside a batch")]
    Incomplete,
    #[error("batch length {0} is too small")]
    Length(i32),
    #[error("magic {0} is not 2")]
    Magic(i8),
    #[error("stored crc {stored:08x}, computed {computed:08x}")]
    Crc { stored: u32, computed: u32 },
    #[error("unknown compression codec {0}")]
    Codec(i16),
    #[error("the records do not decompress")]
    Decompress,
    #[error("the records decompress to more than is allowed")]
    Bomb,
    #[error("{0}")]
    Record(&'static str),
}

impl From<DecompressError> for BatchDefect {
    fn from(error: DecompressError) -> Self {
        match error {
            DecompressError::TooLarge => BatchDefect::Bomb,
            DecompressError::Malformed => BatchDefect::Decompress,
        }
    }
}

/// A batch's attribute bits.
///
/// | bits | meaning |
/// |---|---|
/// | 0-2 | codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd |
/// | 3 | timestamps: 0 CreateTime, 1 LogAppendTime (every record has the batch's maxTimestamp) |
/// | 4 | transactional |
/// | 5 | control: the records are transaction markers |
/// | 6 | baseTimestamp is a delete horizon |
/// | 7-15 | reserved |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    pub const LOG_APPEND_TIME: i16 = 1 << 3;
    pub const TRANSACTIONAL: i16 = 1 << 4;
    pub const CONTROL: i16 = 1 << 5;
    pub const DELETE_HORIZON: i16 = 1 << 6;
    const KNOWN: i16 = 0x7f;

    pub fn codec(self) -> Result<Codec, BatchDefect> {
        Codec::from_id(self.0 & 7).ok_or(BatchDefect::Codec(self.0 & 7))
    }
    pub fn is_log_append_time(self) -> bool {
        self.0 & Self::LOG_APPEND_TIME != 0
    }
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }
}

/// The 61 bytes in front of a batch's records, parsed.
///
/// | bytes | field | crc'd |
/// |---|---|---|
/// | 0-7 | baseOffset | no |
/// | 8-11 | batchLength: bytes that follow this field | no |
/// | 12-15 | partitionLeaderEpoch | no |
/// | 16 | magic = 2 | no |
/// | 17-20 | crc: CRC-32C of bytes 21 to the end | - |
/// | 21-22 | attributes | yes |
/// | 23-26 | lastOffsetDelta | yes |
/// | 27-34 | baseTimestamp | yes |
/// | 35-42 | maxTimestamp | yes |
/// | 43-50 | producerId | yes |
/// | 51-52 | producerEpoch | yes |
/// | 53-56 | baseSequence | yes |
/// | 57-60 | record count | yes |
/// | 61- | records, compressed as one block unless the codec is none | yes |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Bytes of the whole batch, header included.
    pub size: usize,
    pub leader_epoch: LeaderEpoch,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: Timestamp,
    pub max_timestamp: Timestamp,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Parses the header at the start of `bytes`, which may end before the batch does.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchDefect> {
        let head: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(BatchDefect::Incomplete)?;
        let length = i32::from_be_bytes(field(head, BATCH_LENGTH));
        let size = usize::try_from(length).ok().map(|length| length.saturating_add(LENGTH_OVERHEAD));
        let size = size.filter(|size| *size >= HEADER_LEN).ok_or(BatchDefect::Length(length))?;
        let magic = i8::from_be_bytes(field(head, MAGIC));
        if magic != 2 {
            return Err(BatchDefect::Magic(magic));
        }
        Ok(BatchHeader {
            base_offset: Offset(i64::from_be_bytes(field(head, BASE_OFFSET))),
            size,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(head, LEADER_EPOCH))),
            crc: u32::from_be_bytes(field(head, CRC)),
            attributes: Attributes(i16::from_be_bytes(field(head, ATTRIBUTES))),
            last_offset_delta: i32::from_be_bytes(field(head, LAST_OFFSET_DELTA)),
            base_timestamp: Timestamp(i64::from_be_bytes(field(head, BASE_TIMESTAMP))),
            max_timestamp: Timestamp(i64::from_be_bytes(field(head, MAX_TIMESTAMP))),
            producer_id: ProducerId(i64::from_be_bytes(field(head, PRODUCER_ID))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(head, PRODUCER_EPOCH))),
            base_sequence: i32::from_be_bytes(field(head, BASE_SEQUENCE)),
            record_count: i32::from_be_bytes(field(head, RECORD_COUNT)),
        })
    }

    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }

    pub fn has_producer(&self) -> bool {
        self.producer_id.0 >= 0
    }

    /// Sequence of the last record. Sequences wrap from 2^31-1 to 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta.max(0));
        i32::try_from(last % (i64::from(i32::MAX) + 1)).unwrap_or(0)
    }
}

fn field<const N: usize>(head: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn put<const N: usize>(head: &mut [u8; HEADER_LEN], at: usize, value: [u8; N]) {
    if let Some(slot) = head.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *slot = value;
    }
}

/// One whole batch inside borrowed bytes: header parsed, CRC not yet checked.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    pub header: BatchHeader,
    pub bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchDefect> {
        let header = BatchHeader::parse(bytes)?;
        let bytes = bytes.get(..header.size).ok_or(BatchDefect::Incomplete)?;
        Ok(BatchView { header, bytes })
    }

    pub fn verify_crc(&self) -> Result<(), BatchDefect> {
        let computed = crc32c::crc32c(self.bytes.get(CRC_START..).unwrap_or_default());
        if computed == self.header.crc { Ok(()) } else { Err(BatchDefect::Crc { stored: self.header.crc, computed }) }
    }

    /// The records as stored, compressed or not.
    pub fn record_bytes(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The records, decompressed within the cap of `compress`.
    pub fn records(&self) -> Result<DecodedRecords<'a>, BatchDefect> {
        let stored = self.record_bytes();
        match self.header.attributes.codec()? {
            Codec::None => Ok(DecodedRecords::borrowed(self.header, stored)),
            codec => {
                let mut plain = Vec::new();
                decompress(codec, stored, &mut plain)?;
                Ok(DecodedRecords::owned(self.header, plain))
            }
        }
    }
}

/// The batches that lie one after the other in a byte slice. Ends at the first incomplete one; after a defect it ends too.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Batches { rest: bytes }
    }

    /// Bytes that were not consumed: what follows the last batch returned.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Behind the last offset of the last whole batch. Looks at lengths only: for bytes that were checked before.
    pub fn next_offset_at_end(self) -> Option<Offset> {
        let (mut rest, mut last) = (self.rest, None);
        while let Some(size) = rest.get(BATCH_LENGTH..LENGTH_OVERHEAD).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes) {
            let size = usize::try_from(size).ok().and_then(|size| size.checked_add(LENGTH_OVERHEAD));
            let Some((batch, behind)) = size.and_then(|size| rest.split_at_checked(size)) else { break };
            (last, rest) = (Some(batch), behind);
        }
        BatchHeader::parse(last?).ok().map(|header| header.next_offset())
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchDefect>;

    fn next(&mut self) -> Option<Self::Item> {
        match BatchView::parse(self.rest) {
            Ok(view) => {
                self.rest = self.rest.get(view.header.size..).unwrap_or_default();
                Some(Ok(view))
            }
            Err(BatchDefect::Incomplete) => None,
            Err(defect) => {
                self.rest = &[];
                Some(Err(defect))
            }
        }
    }
}

/// A batch that can be stamped: its header is our own copy, its records stay the bytes they came in.
///
/// Writers write `slices()` one after the other, so the records are copied once, from the socket's buffer to the page cache.
#[derive(Clone, Debug)]
pub struct Batch {
    head: [u8; HEADER_LEN],
    records: Bytes,
    header: BatchHeader,
}

impl Batch {
    /// Takes exactly one batch and checks its length, magic and CRC.
    pub fn from_bytes(bytes: &Bytes) -> Result<Batch, BatchDefect> {
        let view = BatchView::parse(bytes)?;
        view.verify_crc()?;
        if view.header.size != bytes.len() {
            return Err(BatchDefect::Record("bytes follow the batch"));
        }
        Batch::from_checked(bytes, view.header)
    }

    pub(crate) fn from_checked(bytes: &Bytes, header: BatchHeader) -> Result<Batch, BatchDefect> {
        let head = bytes.first_chunk().copied().ok_or(BatchDefect::Incomplete)?;
        if header.size > bytes.len() {
            return Err(BatchDefect::Incomplete);
        }
        Ok(Batch { head, records: bytes.slice(HEADER_LEN..header.size), header })
    }

    /// A batch of our own: the header's size and CRC are computed here.
    pub(crate) fn assemble(mut header: BatchHeader, records: Bytes) -> Batch {
        header.size = HEADER_LEN.saturating_add(records.len());
        let mut head = [0; HEADER_LEN];
        let length = i32::try_from(header.size - LENGTH_OVERHEAD).unwrap_or(i32::MAX);
        put(&mut head, BASE_OFFSET, header.base_offset.0.to_be_bytes());
        put(&mut head, BATCH_LENGTH, length.to_be_bytes());
        put(&mut head, LEADER_EPOCH, header.leader_epoch.0.to_be_bytes());
        put(&mut head, MAGIC, [2]);
        put(&mut head, ATTRIBUTES, header.attributes.0.to_be_bytes());
        put(&mut head, LAST_OFFSET_DELTA, header.last_offset_delta.to_be_bytes());
        put(&mut head, BASE_TIMESTAMP, header.base_timestamp.0.to_be_bytes());
        put(&mut head, MAX_TIMESTAMP, header.max_timestamp.0.to_be_bytes());
        put(&mut head, PRODUCER_ID, header.producer_id.0.to_be_bytes());
        put(&mut head, PRODUCER_EPOCH, header.producer_epoch.0.to_be_bytes());
        put(&mut head, BASE_SEQUENCE, header.base_sequence.to_be_bytes());
        put(&mut head, RECORD_COUNT, header.record_count.to_be_bytes());
        let mut batch = Batch { head, records, header };
        batch.seal_crc();
        batch
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    pub fn len(&self) -> usize {
        self.header.size
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// The batch's bytes in two pieces, in order.
    pub fn slices(&self) -> [&[u8]; 2] {
        [&self.head, &self.records]
    }

    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.len());
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(&self.records);
        bytes.freeze()
    }

    pub fn records(&self) -> Result<DecodedRecords<'_>, BatchDefect> {
        match self.header.attributes.codec()? {
            Codec::None => Ok(DecodedRecords::borrowed(self.header, &self.records)),
            codec => {
                let mut plain = Vec::new();
                decompress(codec, &self.records, &mut plain)?;
                Ok(DecodedRecords::owned(self.header, plain))
            }
        }
    }

    /// Outside the CRC: costs nothing.
    pub fn set_base_offset(&mut self, offset: Offset) {
        self.header.base_offset = offset;
        put(&mut self.head, BASE_OFFSET, offset.0.to_be_bytes());
    }

    /// Outside the CRC: costs nothing.
    pub fn set_leader_epoch(&mut self, epoch: LeaderEpoch) {
        self.header.leader_epoch = epoch;
        put(&mut self.head, LEADER_EPOCH, epoch.0.to_be_bytes());
    }

    /// Every record gets the time of its arrival: bit 3 and maxTimestamp. Recomputes the CRC.
    pub fn stamp_log_append_time(&mut self, now: Timestamp) {
        self.restamp(Attributes::LOG_APPEND_TIME, now);
    }

    /// The records keep their own times: clears bit 3 and corrects maxTimestamp. Recomputes the CRC only if either changes.
    pub fn stamp_create_time(&mut self, max_timestamp: Timestamp) {
        self.restamp(0, max_timestamp);
    }

    fn restamp(&mut self, timestamp_bit: i16, max_timestamp: Timestamp) {
        let attributes = self.header.attributes.0;
        if attributes & Attributes::LOG_APPEND_TIME == timestamp_bit && self.header.max_timestamp == max_timestamp {
            return;
        }
        // Like Apache Kafka, a rewritten header loses the reserved bits.
        let attributes = Attributes((attributes & Attributes::KNOWN & !Attributes::LOG_APPEND_TIME) | timestamp_bit);
        self.header.attributes = attributes;
        self.header.max_timestamp = max_timestamp;
        put(&mut self.head, ATTRIBUTES, attributes.0.to_be_bytes());
        put(&mut self.head, MAX_TIMESTAMP, max_timestamp.0.to_be_bytes());
        self.seal_crc();
    }

    fn seal_crc(&mut self) {
        let head = crc32c::crc32c(self.head.get(CRC_START..).unwrap_or_default());
        self.header.crc = crc32c::crc32c_append(head, &self.records);
        put(&mut self.head, CRC, self.header.crc.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch_builder::{BatchBuilder, NewRecord};

    fn one(value: &'static [u8]) -> Batch {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(NewRecord { timestamp: Timestamp(5), value: Some(value), ..NewRecord::default() });
        builder.build().unwrap()
    }

    #[test]
    fn a_batch_reads_back_what_it_was_built_from() {
        let bytes = one(b"x").to_bytes();
        let batch = Batch::from_bytes(&bytes).unwrap();
        assert_eq!(batch.header().record_count, 1);
        assert_eq!(batch.header().max_timestamp, Timestamp(5));
        assert_eq!(batch.to_bytes(), bytes);
        assert_eq!(bytes[16], 2);
    }

    #[test]
    fn stamping_offset_and_epoch_leaves_the_crc_alone() {
        let mut batch = one(b"x");
        let crc = batch.header().crc;
        batch.set_base_offset(Offset(77));
        batch.set_leader_epoch(LeaderEpoch(3));
        let read = Batch::from_bytes(&batch.to_bytes()).unwrap();
        assert_eq!((read.header().base_offset, read.header().leader_epoch, read.header().crc), (Offset(77), LeaderEpoch(3), crc));
    }

    #[test]
    fn log_append_time_sets_bit_three_and_a_new_crc() {
        let mut batch = one(b"x");
        batch.stamp_log_append_time(Timestamp(99));
        let read = Batch::from_bytes(&batch.to_bytes()).unwrap();
        assert!(read.header().attributes.is_log_append_time());
        assert_eq!(read.header().max_timestamp, Timestamp(99));
        let records = read.records().unwrap();
        assert_eq!(records.iter().next().unwrap().unwrap().timestamp, Timestamp(99));
        batch.stamp_create_time(Timestamp(5));
        assert_eq!(batch.to_bytes(), one(b"x").to_bytes());
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let bytes = one(b"hello").to_bytes();
        for cut in 0..bytes.len() {
            assert!(Batch::from_bytes(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = Batch::from_bytes(&Bytes::from(flipped));
            // Base offset and leader epoch lie outside the CRC.
            let outside = bit / 8 < 8 || (12..16).contains(&(bit / 8));
            assert_eq!(outcome.is_ok(), outside, "bit {bit}");
        }
    }

    #[test]
    fn batches_end_at_an_incomplete_one_and_after_a_defect() {
        let mut bytes = one(b"a").to_bytes().to_vec();
        bytes.extend_from_slice(&one(b"b").to_bytes());
        let whole = bytes.len();
        bytes.extend_from_slice(&one(b"c").to_bytes()[..70 - 12]);
        let mut batches = Batches::new(&bytes);
        assert_eq!(batches.by_ref().filter(Result::is_ok).count(), 2);
        assert_eq!(batches.rest().len(), bytes.len() - whole);
        assert_eq!(Batches::new(&bytes).next_offset_at_end(), Some(Offset(1)), "both begin at 0");
        assert_eq!(Batches::new(&bytes[..60]).next_offset_at_end(), None);
        bytes[8..12].copy_from_slice(&(-13_i32).to_be_bytes());
        assert_eq!(Batches::new(&bytes).next_offset_at_end(), None);
        bytes[8..12].copy_from_slice(&one(b"a").to_bytes()[8..12]);
        bytes[16] = 1;
        assert!(matches!(Batches::new(&bytes).collect::<Vec<_>>()[..], [Err(BatchDefect::Magic(1))]));
    }

    #[test]
    fn sequences_wrap_inside_a_batch() {
        let mut header = *one(b"a").header();
        header.base_sequence = i32::MAX - 1;
        header.last_offset_delta = 3;
        assert_eq!(header.last_sequence(), 1);
    }
}
