//! Bytes as a producer's batch: what is taken can be read back, record by record, and a second decoder reads the same.
//!
//! The first byte says how the topic is set and whether length, CRC and counts are put right, so that more than the envelope is tried.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use headwater::model::batch::BatchView;
use headwater::model::{Codec, ProduceRules, Timestamp, TopicPartition, check_produced};
use kafka_protocol::records::RecordBatchDecoder;

const HEADER: usize = 61;

pub fn run(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if flags & 1 != 0 {
        mend(&mut bytes);
    }
    let partition = TopicPartition::new("t", 0);
    let rules = ProduceRules {
        partition: &partition,
        request_version: 9,
        now: Timestamp(1_700_000_000_000),
        log_append_time: flags & 2 != 0,
        max_message_bytes: 1 << 20,
        compacted: flags & 4 != 0,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compression: if flags & 8 != 0 { Codec::from_id(i16::from(flags >> 4) % 5) } else { None },
    };
    let Ok(checked) = check_produced(&Bytes::from(bytes), &rules) else { return };
    let batch = checked.into_batch();
    let stored = batch.to_bytes();
    let view = BatchView::parse(&stored).expect("what was taken is a batch");
    view.verify_crc().expect("what was taken has its checksum");
    let decoded = view.records().expect("what was taken can be opened");
    let mut records = Vec::new();
    for record in &decoded {
        let record = record.expect("what was taken can be read");
        assert!(!rules.compacted || record.key.is_some());
        records.push((record.offset, record.timestamp, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec)));
    }
    assert_eq!(records.len(), usize::try_from(view.header.record_count).expect("a count"));
    // Kafka looks at the offset deltas of compressed batches alone.
    let contiguous = records.iter().zip(view.header.base_offset.0..).all(|((offset, ..), expected)| offset.0 == expected);
    assert!(contiguous || view.header.attributes.codec() == Ok(Codec::None));
    let ours: Vec<Row> = records.into_iter().map(|(offset, _, key, value)| (offset.0, key, value)).collect();
    compare(stored, &ours);
}

type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

/// The codec's own reader of records, given our decompression.
fn compare(stored: Bytes, ours: &[Row]) {
    let plain = RefCell::new(Vec::new());
    let decompress = |bytes: &mut Bytes, compression: kafka_protocol::records::Compression| {
        let codec = Codec::from_id(compression as i16).expect("a codec");
        headwater::model::compress::decompress(codec, bytes, &mut plain.borrow_mut()).expect("opened before");
        Ok(Bytes::from(plain.borrow().clone()))
    };
    // It wants header keys that are text, which Kafka does not.
    let Ok(theirs) = RecordBatchDecoder::decode_with_custom_compression(&mut BytesMut::from(&stored[..]).freeze(), Some(decompress)) else {
        return;
    };
    let theirs: Vec<Row> =
        theirs.records.into_iter().map(|r| (r.offset, r.key.map(|key| key.to_vec()), r.value.map(|value| value.to_vec()))).collect();
    assert_eq!(ours, theirs);
}

/// Base offset, length, magic, CRC and no more than the four codecs.
fn mend(bytes: &mut [u8]) {
    if bytes.len() < HEADER {
        return;
    }
    bytes[..8].fill(0);
    let length = u32::try_from(bytes.len() - 12).expect("a length");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[21] = 0;
    // The number of records and the last offset's distance belong together.
    let count = i32::from_be_bytes(*bytes[57..61].first_chunk().expect("four bytes")).rem_euclid(300).max(1);
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}
