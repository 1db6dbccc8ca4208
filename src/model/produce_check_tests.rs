use super::*;
use crate::model::batch::Attributes;
use crate::model::record::{write_varint, write_varlong};
use crate::model::{ProducerEpoch, ProducerId};

const NOW: Timestamp = Timestamp(10_000_000);
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn rules(partition: &TopicPartition) -> ProduceRules<'_> {
    ProduceRules {
        partition,
        request_version: 11,
        now: NOW,
        log_append_time: false,
        max_message_bytes: 1_048_588,
        compacted: false,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compression: None,
    }
}

fn batch_of(codec: Codec, timestamps: &[i64]) -> Batch {
    let mut builder = BatchBuilder::new(codec);
    for timestamp in timestamps {
        builder.append(NewRecord { timestamp: Timestamp(*timestamp), key: Some(b"k"), value: Some(b"v"), headers: &[(b"h", None)] });
    }
    builder.build().unwrap()
}

fn check(bytes: impl Into<Vec<u8>>) -> Result<CheckedBatch, BatchError> {
    check_produced(&Bytes::from(bytes.into()), &rules(&TopicPartition::new("t", 0)))
}

fn code(bytes: impl Into<Vec<u8>>) -> i16 {
    check(bytes).err().map_or(0, |error| error.code.code())
}

/// Changes bytes of a batch and makes its CRC fit again.
fn altered(batch: &Batch, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch.to_bytes().to_vec();
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn put(at: usize, value: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes: &mut Vec<u8>| bytes[at..at + value.len()].copy_from_slice(value)
}

/// A batch whose records carry these offset deltas.
fn with_deltas(codec: Codec, deltas: &[i32]) -> Vec<u8> {
    let mut plain = Vec::new();
    for delta in deltas {
        let mut body = vec![0];
        write_varlong(&mut body, 0);
        write_varint(&mut body, *delta);
        body.extend([1, 2, b'v', 0]);
        write_varint(&mut plain, body.len() as i32);
        plain.extend(body);
    }
    let mut header = *batch_of(codec, &vec![5; deltas.len()]).header();
    header.record_count = deltas.len() as i32;
    let stored = crate::model::compress::compress(codec, &plain).unwrap();
    Batch::assemble(header, Bytes::from(stored)).to_bytes().to_vec()
}

#[test]
fn a_good_batch_passes_untouched_in_every_codec() {
    for codec in CODECS {
        let bytes = batch_of(codec, &[1, 3, 2]).to_bytes();
        assert_eq!(check(bytes.clone()).unwrap().batch().to_bytes(), bytes, "{codec:?}");
    }
}

#[test]
fn lengths_and_magics_get_kafkas_codes() {
    let good = batch_of(Codec::None, &[1]);
    let len = good.len();
    assert_eq!(code(Vec::new()), 87);
    assert_eq!(code(&good.to_bytes()[..len - 1]), 87);
    assert_eq!(code(altered(&good, put(8, &1_000_000_i32.to_be_bytes()))), 87);
    assert_eq!(code(altered(&good, put(8, &13_i32.to_be_bytes()))), 2);
    assert_eq!(code(altered(&good, put(8, &(-1_i32).to_be_bytes()))), 2);
    assert_eq!(code(altered(&good, put(8, &20_i32.to_be_bytes()))), 2);
    for (magic, expected) in [(0, 87), (1, 87), (3, 2), (0xff, 2)] {
        assert_eq!(code(altered(&good, put(16, &[magic]))), expected, "magic {magic}");
    }
    let mut wrong = good.to_bytes().to_vec();
    wrong[len - 1] ^= 1;
    assert_eq!(code(wrong), 2);
}

#[test]
fn the_log_start_is_told_once_the_log_was_looked_at() {
    let good = batch_of(Codec::None, &[1]);
    let bytes = good.to_bytes();
    let refusal = |bytes: &[u8]| check(bytes.to_vec()).unwrap_err();
    let unknown = [
        bytes[..50].to_vec(),
        [&bytes[..], &bytes[..]].concat(),
        altered(&good, put(16, &[1])),
        altered(&good, put(16, &[3])),
        altered(&good, put(8, &20_i32.to_be_bytes())),
        batch_of(Codec::None, &[1; 100_000]).to_bytes().to_vec(),
    ];
    for bytes in unknown {
        let error = refusal(&bytes);
        assert_eq!(error.log_start, LogStart::Unknown, "{error}");
    }
    let told = [altered(&good, put(0, &7_i64.to_be_bytes())), altered(&good, put(57, &9_i32.to_be_bytes())), altered(&good, put(22, &[5]))];
    for bytes in told {
        let error = refusal(&bytes);
        assert_eq!(error.log_start, LogStart::Told, "{error}");
    }
}

#[test]
fn bytes_in_which_no_batch_can_be_made_out_are_refused_in_words_and_a_wrong_crc_without() {
    let good = batch_of(Codec::None, &[1]);
    let message = |bytes: Vec<u8>| check(bytes).unwrap_err().message;
    for garbage in [vec![0xee; 100], altered(&good, put(16, &[3])), altered(&good, put(8, &(-1_i32).to_be_bytes()))] {
        assert!(message(garbage).is_some());
    }
    let mut wrong = good.to_bytes().to_vec();
    wrong[70] ^= 1;
    assert_eq!(message(wrong), None);
}

#[test]
fn the_first_batch_says_whether_it_is_transactional_and_garbage_cannot() {
    let plain = batch_of(Codec::None, &[1]);
    let mut builder = BatchBuilder::new(Codec::Gzip).producer(ProducerId(7), ProducerEpoch(1), 5).transactional();
    builder.append(NewRecord::default());
    let transactional = builder.build().unwrap().to_bytes();
    assert_eq!(opens_with_transaction(&transactional), Ok(true));
    assert_eq!(opens_with_transaction(&transactional[..40]), Ok(false), "no whole batch");
    assert_eq!(opens_with_transaction(&plain.to_bytes()), Ok(false));
    assert_eq!(opens_with_transaction(&[&plain.to_bytes()[..], &transactional].concat()), Ok(false));
    assert_eq!(opens_with_transaction(b""), Ok(false));
    assert_eq!(opens_with_transaction(&[0xee; 100]).unwrap_err().code, ErrorCode::CorruptMessage);
    let second = [&plain.to_bytes()[..], &[0xee; 100]].concat();
    assert_eq!(check(second).unwrap_err().message, None);
}

#[test]
fn exactly_one_batch_and_trailing_scraps_are_dropped() {
    let good = batch_of(Codec::None, &[1]).to_bytes().to_vec();
    assert_eq!(code([good.clone(), good.clone()].concat()), 87);
    let scraps = [good.clone(), vec![1, 2, 3]].concat();
    assert_eq!(check(scraps).unwrap().batch().to_bytes(), good);
    let cut = [good.clone(), good[..40].to_vec()].concat();
    assert_eq!(check(cut).unwrap().batch().to_bytes(), good);
}

#[test]
fn a_base_offset_other_than_zero_is_refused_and_the_leader_epoch_ignored() {
    let good = batch_of(Codec::None, &[1]);
    for offset in [100_i64, -5] {
        assert_eq!(code(altered(&good, put(0, &offset.to_be_bytes()))), 87);
    }
    assert_eq!(code(altered(&good, put(12, &99_i32.to_be_bytes()))), 0);
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    let good = batch_of(Codec::None, &[1, 2, 3]);
    for (count, delta) in [(0, 2), (-1, 2), (3, -1), (3, 1), (2, 2), (2, 1), (4, 3), (i32::MAX, i32::MAX - 1)] {
        let bytes = altered(&good, |bytes| {
            put(57, &i32::to_be_bytes(count))(bytes);
            put(23, &i32::to_be_bytes(delta))(bytes);
        });
        assert_eq!(code(bytes), 87, "count {count} delta {delta}");
    }
}

#[test]
fn unknown_codecs_and_broken_payloads_are_unknown_server_errors() {
    let good = batch_of(Codec::None, &[1]);
    for id in [5_u8, 7] {
        assert_eq!(code(altered(&good, put(22, &[id]))), -1);
    }
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        assert_eq!(code(altered(&good, put(22, &[codec as u8]))), -1, "{codec:?}");
    }
}

#[test]
fn odd_offset_deltas_pass_plain_and_fail_compressed() {
    for deltas in [[0, 0, 2], [1, 2, 3]] {
        let plain = with_deltas(Codec::None, &deltas);
        assert_eq!(check(plain.clone()).unwrap().batch().to_bytes(), plain);
        assert_eq!(code(with_deltas(Codec::Gzip, &deltas)), -1);
    }
}

#[test]
fn a_wrong_max_timestamp_is_corrected() {
    for codec in [Codec::None, Codec::Zstd] {
        let good = batch_of(codec, &[10, 30, 20]);
        for wrong in [5_i64, 500, -1] {
            let checked = check(altered(&good, put(35, &wrong.to_be_bytes()))).unwrap();
            assert_eq!(checked.batch().to_bytes(), good.to_bytes());
        }
    }
    assert_eq!(check(batch_of(Codec::None, &[-7, -9]).to_bytes()).unwrap().batch().header().max_timestamp, Timestamp::NONE);
}

#[test]
fn reserved_bits_are_stored_as_sent() {
    let bytes = altered(&batch_of(Codec::None, &[1]), put(21, &[0x7f, 0x40]));
    assert_eq!(check(bytes.clone()).unwrap().batch().to_bytes(), bytes);
}

#[test]
fn a_clients_log_append_time_is_cleared_or_refused() {
    let flagged = altered(&batch_of(Codec::None, &[1, 2]), |bytes| bytes[22] |= Attributes::LOG_APPEND_TIME as u8);
    let cleared = check(flagged.clone()).unwrap();
    assert!(!cleared.batch().header().attributes.is_log_append_time());
    let partition = TopicPartition::new("t", 0);
    let log_append = ProduceRules { log_append_time: true, ..rules(&partition) };
    let error = check_produced(&Bytes::from(flagged), &log_append).unwrap_err();
    assert_eq!((error.code, error.record_errors.len()), (ErrorCode::InvalidTimestamp, 2));
    let stamped = check_produced(&batch_of(Codec::Gzip, &[1]).to_bytes(), &log_append).unwrap();
    assert!(stamped.batch().header().attributes.is_log_append_time());
    assert_eq!(stamped.batch().header().max_timestamp, NOW);
    Batch::from_bytes(&stamped.batch().to_bytes()).unwrap();
}

#[test]
fn records_that_break_the_topics_rules_are_listed() {
    let partition = TopicPartition::new("t", 0);
    let late = batch_of(Codec::Snappy, &[NOW.0, NOW.0 + 3_600_001, -1]);
    let error = check_produced(&late.to_bytes(), &rules(&partition)).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidTimestamp);
    assert_eq!(error.record_errors.iter().map(|error| error.batch_index).collect::<Vec<_>>(), [1]);
    assert_eq!(error.message.as_deref(), Some("One or more records have been rejected due to invalid timestamp"));

    let keyless = BatchBuilder::example(2).to_bytes();
    let error = check_produced(&keyless, &ProduceRules { compacted: true, ..rules(&partition) }).unwrap_err();
    assert_eq!((error.code, error.record_errors.len()), (ErrorCode::InvalidRecord, 2));
    assert_eq!(error.record_errors[1].message, "Compacted topic cannot accept message without key in topic partition t-0");
}

#[test]
fn size_control_sequence_and_zstd_version_are_checked() {
    let partition = TopicPartition::new("t", 0);
    let good = batch_of(Codec::None, &[1]);
    let small = ProduceRules { max_message_bytes: good.len() as u64 - 1, ..rules(&partition) };
    assert_eq!(check_produced(&good.to_bytes(), &small).unwrap_err().code, ErrorCode::MessageTooLarge);
    assert_eq!(code(altered(&good, put(22, &[Attributes::CONTROL as u8]))), 87);
    let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(1), ProducerEpoch(0), -1);
    builder.append(NewRecord::default());
    assert_eq!(code(builder.build().unwrap().to_bytes()), 87);
    let old = ProduceRules { request_version: 6, ..rules(&partition) };
    let zstd = batch_of(Codec::Zstd, &[1]).to_bytes();
    assert_eq!(check_produced(&zstd, &old).unwrap_err().code, ErrorCode::UnsupportedCompressionType);
}

#[test]
fn a_topics_codec_replaces_whatever_came() {
    let partition = TopicPartition::new("t", 0);
    for source in CODECS {
        for target in CODECS {
            let mut builder = BatchBuilder::new(source).producer(ProducerId(7), ProducerEpoch(1), 5).transactional();
            for i in 0..50 {
                let key = format!("k{i}");
                builder.append(NewRecord {
                    timestamp: Timestamp(i),
                    key: Some(key.as_bytes()),
                    value: None,
                    headers: &[(b"h", Some(b"1")), (b"h", None)],
                });
            }
            let sent = builder.build().unwrap();
            let target_rules = ProduceRules { compression: Some(target), ..rules(&partition) };
            let checked = check_produced(&sent.to_bytes(), &target_rules).unwrap();
            let header = checked.batch().header();
            assert_eq!(header.attributes.codec(), Ok(target));
            assert_eq!((header.producer_id, header.base_sequence, header.record_count), (ProducerId(7), 5, 50));
            assert!(header.attributes.is_transactional());
            let (before, after) = (sent.records().unwrap(), checked.batch().records().unwrap());
            for (a, b) in before.iter().zip(after.iter()) {
                let (a, b) = (a.unwrap(), b.unwrap());
                assert_eq!((a.offset, a.timestamp, a.key, a.value), (b.offset, b.timestamp, b.key, b.value));
                assert!(a.headers().eq(b.headers()));
            }
        }
    }
    // Renumbered on the way.
    let odd = Bytes::from(with_deltas(Codec::Gzip, &[1, 2, 3]));
    let zstd = ProduceRules { compression: Some(Codec::Zstd), ..rules(&partition) };
    let checked = check_produced(&odd, &zstd).unwrap();
    assert_eq!(checked.batch().records().unwrap().iter().next().unwrap().unwrap().offset, Offset(0));
}

#[test]
fn bytes_after_the_last_record_are_refused() {
    for codec in CODECS {
        let mut bytes = with_deltas(codec, &[0, 1, 2]);
        put(57, &2_i32.to_be_bytes())(&mut bytes);
        put(23, &1_i32.to_be_bytes())(&mut bytes);
        let crc = crc32c::crc32c(&bytes[21..]);
        put(17, &crc.to_be_bytes())(&mut bytes);
        assert_eq!(code(bytes), 87, "{codec:?}");
    }
}

#[test]
fn rare_defects_get_what_apache_kafka_gives() {
    let good = batch_of(Codec::None, &[1]);
    assert_eq!(code(altered(&good, put(8, &i32::MAX.to_be_bytes()))), -1, "its size overflows");
    let message = |bytes| check(bytes).unwrap_err().message;
    assert!(message(altered(&good, put(16, &[3]))).is_some_and(|text| text.contains("magic number 3")));
    let short = message(altered(&good, put(8, &13_i32.to_be_bytes())));
    assert!(short.is_some_and(|text| text.contains("length 13")));
    let zeros = [good.to_bytes().to_vec(), vec![0; 12]].concat();
    let error = check(zeros).unwrap_err();
    assert_eq!((error.code, error.message), (ErrorCode::CorruptMessage, None), "twelve bytes after the batch are looked at");
}

#[test]
fn writing_anew_is_pickier_than_keeping() {
    let partition = TopicPartition::new("t", 0);
    let gzip = ProduceRules { compression: Some(Codec::Gzip), ..rules(&partition) };
    let negative = batch_of(Codec::Zstd, &[-7]).to_bytes();
    assert_eq!(check_produced(&negative, &gzip).unwrap_err().code, ErrorCode::UnknownServerError);
    assert!(check(negative).is_ok());
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NewRecord { timestamp: Timestamp(1), headers: &[(b"\xff", None)], ..NewRecord::default() });
    let checked = check_produced(&builder.build().unwrap().to_bytes(), &gzip).unwrap();
    let records = checked.batch().records().unwrap();
    let header = records.iter().next().unwrap().unwrap().headers().next().unwrap();
    assert_eq!(header, ("\u{fffd}".as_bytes(), None));
}
