//! Building batches of our own: generators, coordinators, transaction markers, recompression, tests.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use bytes::Bytes;
use thiserror::Error;

use super::batch::{Attributes, Batch, BatchDefect, BatchHeader, HEADER_LEN};
use super::compress::{Codec, compress};
use super::record::{Header, Record, varlong_len, write_varint, write_varlong};
use super::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    pub timestamp: Timestamp,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

impl Default for NewRecord<'_> {
    fn default() -> Self {
        NewRecord { timestamp: Timestamp::NONE, key: None, value: None, headers: &[] }
    }
}

#[derive(Debug, Error)]
pub enum BuildError {
    #[error("a batch needs at least one record")]
    Empty,
    #[error("compression failed: {0}")]
    Compress(#[from] std::io::Error),
}

/// Why a stored batch cannot be written anew.
#[derive(Debug, Error)]
pub enum RewriteError {
    #[error(transparent)]
    Batch(#[from] BatchDefect),
    #[error("compression failed: {0}")]
    Compress(#[from] std::io::Error),
}

/// Attributes of a batch that do not depend on its records.
const KEPT_BY_REWRITE: i16 = Attributes::LOG_APPEND_TIME | Attributes::TRANSACTIONAL | Attributes::CONTROL;

/// What a transaction marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlType {
    Abort,
    Commit,
}

/// Collects records and closes them into one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    codec: Codec,
    attributes: i16,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: i32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    count: i32,
    plain: Vec<u8>,
}

impl BatchBuilder {
    pub fn new(codec: Codec) -> BatchBuilder {
        BatchBuilder {
            codec,
            attributes: 0,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: -1,
            base_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            count: 0,
            plain: Vec::new(),
        }
    }

    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> BatchBuilder {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    pub fn transactional(mut self) -> BatchBuilder {
        self.attributes |= Attributes::TRANSACTIONAL;
        self
    }

    pub fn append(&mut self, record: NewRecord<'_>) {
        self.append_at(self.count, record);
    }

    fn append_at(&mut self, offset_delta: i32, record: NewRecord<'_>) {
        if self.count == 0 && self.attributes & Attributes::DELETE_HORIZON == 0 {
            self.base_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        let timestamp_delta = record.timestamp.0.wrapping_sub(self.base_timestamp.0);
        let length = 1 + varlong_len(timestamp_delta) + varlong_len(i64::from(offset_delta)) + payload_len(&record);
        let out = &mut self.plain;
        write_varlong(out, length as i64);
        out.push(0);
        write_varlong(out, timestamp_delta);
        write_varint(out, offset_delta);
        write_nullable(out, record.key);
        write_nullable(out, record.value);
        write_varlong(out, record.headers.len() as i64);
        for (key, value) in record.headers {
            write_nullable(out, Some(key));
            write_nullable(out, *value);
        }
        self.count = self.count.saturating_add(1);
    }

    pub fn count(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch were it built now without compression.
    pub fn uncompressed_len(&self) -> usize {
        HEADER_LEN + self.plain.len()
    }

    pub fn build(self) -> Result<Batch, BuildError> {
        if self.count == 0 {
            return Err(BuildError::Empty);
        }
        let records = match self.codec {
            Codec::None => Bytes::from(self.plain),
            codec => Bytes::from(compress(codec, &self.plain)?),
        };
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            size: 0,
            leader_epoch: LeaderEpoch::UNKNOWN,
            crc: 0,
            attributes: Attributes(self.attributes | self.codec.id()),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.count,
        };
        Ok(Batch::assemble(header, records))
    }

    /// A batch written anew with some of its records, as compaction does: offsets, times, codec, producer and sequence stay. With a
    /// delete horizon the base timestamp is that, and the records' times count from it.
    pub fn rewrite<'a>(
        header: &BatchHeader,
        records: impl IntoIterator<Item = &'a Record<'a>>,
        delete_horizon: Option<Timestamp>,
    ) -> Result<Batch, RewriteError> {
        let mut builder = BatchBuilder::new(header.attributes.codec()?);
        builder.attributes = header.attributes.0 & KEPT_BY_REWRITE;
        if let Some(horizon) = delete_horizon {
            builder.attributes |= Attributes::DELETE_HORIZON;
            builder.base_timestamp = horizon;
        }
        for record in records {
            let delta = record.offset.0.saturating_sub(header.base_offset.0);
            let delta = i32::try_from(delta).map_err(|_| BatchDefect::Record("a record lies outside its batch"))?;
            let headers: Vec<Header<'_>> = record.headers().collect();
            builder.append_at(delta, NewRecord { timestamp: record.timestamp, key: record.key, value: record.value, headers: &headers });
        }
        let plain = std::mem::take(&mut builder.plain);
        let records = match builder.codec {
            Codec::None => Bytes::from(plain),
            codec => Bytes::from(compress(codec, &plain)?),
        };
        let header = BatchHeader {
            attributes: Attributes(builder.attributes | builder.codec.id()),
            base_timestamp: builder.base_timestamp,
            max_timestamp: if header.attributes.is_log_append_time() { header.max_timestamp } else { builder.max_timestamp },
            record_count: builder.count,
            ..*header
        };
        Ok(Batch::assemble(header, records))
    }

    /// A batch without its records: it still says which offsets it had and what its producer's last sequence is.
    pub fn emptied(header: &BatchHeader) -> Batch {
        let attributes = Attributes(header.attributes.0 & KEPT_BY_REWRITE);
        Batch::assemble(BatchHeader { attributes, base_timestamp: Timestamp::NONE, record_count: 0, ..*header }, Bytes::new())
    }

    /// A transaction marker: one record in a control batch.
    ///
    /// | part | layout |
    /// |---|---|
    /// | key | i16 version 0, i16 type (0 abort, 1 commit) |
    /// | value | i16 version 0, i32 coordinator epoch |
    pub fn control(id: ProducerId, epoch: ProducerEpoch, kind: ControlType, coordinator_epoch: i32, now: Timestamp) -> Batch {
        let mut builder = BatchBuilder::new(Codec::None).producer(id, epoch, -1).transactional();
        builder.attributes |= Attributes::CONTROL;
        let key = [0, 0, 0, u8::from(kind == ControlType::Commit)];
        let [a, b, c, d] = coordinator_epoch.to_be_bytes();
        builder.append(NewRecord { timestamp: now, key: Some(&key), value: Some(&[0, 0, a, b, c, d]), headers: &[] });
        let records = Bytes::from(std::mem::take(&mut builder.plain));
        let header = BatchHeader {
            base_offset: Offset::ZERO,
            size: 0,
            leader_epoch: LeaderEpoch::UNKNOWN,
            crc: 0,
            attributes: Attributes(builder.attributes),
            last_offset_delta: 0,
            base_timestamp: now,
            max_timestamp: now,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: -1,
            record_count: 1,
        };
        Batch::assemble(header, records)
    }

    /// A small plain batch for tests.
    #[cfg(test)]
    pub(crate) fn example(count: usize) -> Batch {
        let mut builder = BatchBuilder::new(Codec::None);
        for i in 0..count {
            let value = format!("value-{i}");
            builder.append(NewRecord { timestamp: Timestamp(1000 + i as i64), value: Some(value.as_bytes()), ..NewRecord::default() });
        }
        builder.build().unwrap()
    }
}

fn payload_len(record: &NewRecord<'_>) -> usize {
    let headers: usize = record.headers.iter().map(|(key, value)| nullable_len(Some(key)) + nullable_len(*value)).sum();
    nullable_len(record.key) + nullable_len(record.value) + varlong_len(record.headers.len() as i64) + headers
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_len(bytes.len() as i64) + bytes.len())
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varlong(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_every_codec() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let mut builder = BatchBuilder::new(codec);
            let values: Vec<String> = (0..300).map(|i| format!("value number {i}").repeat(3)).collect();
            for (i, value) in values.iter().enumerate() {
                let timestamp = Timestamp(5000 - i as i64);
                builder.append(NewRecord { timestamp, key: Some(b"k"), value: Some(value.as_bytes()), headers: &[(b"h", None)] });
            }
            let batch = Batch::from_bytes(&builder.build().unwrap().to_bytes()).unwrap();
            assert_eq!(batch.header().max_timestamp, Timestamp(5000));
            let records = batch.records().unwrap();
            let read: Vec<_> = records.iter().map(Result::unwrap).collect();
            assert_eq!(read.len(), 300, "{codec:?}");
            assert_eq!(read[299].value, Some(values[299].as_bytes()));
            assert_eq!((read[299].offset, read[299].timestamp), (Offset(299), Timestamp(4701)));
        }
    }

    #[test]
    fn a_batch_written_anew_keeps_offsets_times_and_producer() {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let mut builder = BatchBuilder::new(codec).producer(ProducerId(9), ProducerEpoch(1), 40);
            for i in 0..10 {
                let value = format!("value {i}");
                let headers: [Header<'_>; 1] = [(b"h", Some(b"x"))];
                builder.append(NewRecord {
                    timestamp: Timestamp(5000 - i),
                    key: Some(b"k"),
                    value: Some(value.as_bytes()),
                    headers: &headers,
                });
            }
            let mut batch = builder.build().unwrap();
            batch.set_base_offset(Offset(100));
            batch.set_leader_epoch(LeaderEpoch(3));
            let records = batch.records().unwrap();
            let kept: Vec<Record<'_>> = records.iter().map(Result::unwrap).filter(|record| record.offset.0 % 3 == 0).collect();
            for horizon in [None, Some(Timestamp(1 << 45))] {
                let again = BatchBuilder::rewrite(batch.header(), &kept, horizon).unwrap();
                let again = Batch::from_bytes(&again.to_bytes()).unwrap();
                let read = again.records().unwrap();
                let read: Vec<Record<'_>> = read.iter().map(Result::unwrap).collect();
                assert_eq!(read, kept, "{codec:?}");
                assert_eq!(again.header().attributes.has_delete_horizon(), horizon.is_some());
                assert_eq!(horizon.unwrap_or(kept[0].timestamp), again.header().base_timestamp);
                let (old, new) = (batch.header(), again.header());
                assert_eq!((new.max_timestamp, new.record_count), (kept[0].timestamp, 3));
                assert_eq!(
                    (old.last_offset(), old.last_sequence(), old.leader_epoch),
                    (new.last_offset(), new.last_sequence(), new.leader_epoch)
                );
            }
            let empty = Batch::from_bytes(&BatchBuilder::emptied(batch.header()).to_bytes()).unwrap();
            assert_eq!((empty.len(), empty.header().last_offset(), empty.header().last_sequence()), (HEADER_LEN, Offset(109), 49));
            assert_eq!(empty.records().unwrap().iter().count(), 0);
        }
    }

    #[test]
    fn an_empty_batch_cannot_be_built() {
        assert!(matches!(BatchBuilder::new(Codec::None).build(), Err(BuildError::Empty)));
    }
}
