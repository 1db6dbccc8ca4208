use super::*;
use crate::log::producer_snapshot::{decode, encode};
use crate::model::batch::Attributes;
use crate::model::{BatchBuilder, Codec, NewRecord};

fn header(id: i64, epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
    let mut header = *BatchBuilder::example(1).header();
    header.producer_id = ProducerId(id);
    header.producer_epoch = ProducerEpoch(epoch);
    header.base_sequence = sequence;
    header.last_offset_delta = count - 1;
    header.record_count = count;
    header.base_offset = Offset(offset);
    header
}

fn code(states: &ProducerStates, header: &BatchHeader) -> &'static str {
    match states.check(header) {
        Ok(None) => "new",
        Ok(Some(_)) => "again",
        Err(LogError::OutOfOrderSequence { .. }) => "45",
        Err(LogError::InvalidProducerEpoch { .. }) => "47",
        Err(_) => "other",
    }
}

fn with_batches(count: i32) -> ProducerStates {
    let mut states = ProducerStates::default();
    for i in 0..count {
        states.apply(&header(7, 1, i * 10, 10, i64::from(i) * 10), None);
    }
    states
}

#[test]
fn the_last_five_batches_are_recognised_and_older_ones_are_out_of_order() {
    let states = with_batches(8);
    for i in 3..8 {
        let original = states.check(&header(7, 1, i * 10, 10, 0)).unwrap().unwrap();
        assert_eq!((original.base_offset(), original.last_offset), (Offset(i64::from(i) * 10), Offset(i64::from(i) * 10 + 9)));
    }
    assert_eq!(code(&states, &header(7, 1, 20, 10, 0)), "45");
    assert_eq!(code(&states, &header(7, 1, 70, 5, 0)), "45", "a part of a stored batch");
    assert_eq!(code(&states, &header(7, 1, 70, 20, 0)), "45", "a superset of a stored batch");
    assert_eq!(code(&states, &header(7, 1, 80, 1, 0)), "new");
    assert_eq!(code(&states, &header(7, 1, 81, 1, 0)), "45", "a gap");
}

#[test]
fn epochs_fence_and_start_over_at_zero() {
    let states = with_batches(2);
    assert_eq!(code(&states, &header(7, 0, 20, 1, 0)), "47");
    assert_eq!(code(&states, &header(7, 2, 20, 1, 0)), "45");
    assert_eq!(code(&states, &header(7, 2, 0, 1, 0)), "new");
    assert_eq!(code(&states, &header(8, 0, 999, 1, 0)), "new", "an unknown producer may start anywhere");
}

#[test]
fn sequences_wrap() {
    let mut states = ProducerStates::default();
    states.apply(&header(7, 0, i32::MAX - 1, 2, 0), None);
    assert_eq!(code(&states, &header(7, 0, 0, 3, 0)), "new");
    states.apply(&header(7, 0, 0, 3, 2), None);
    let mut states = ProducerStates::default();
    let inside = header(7, 0, i32::MAX - 1, 5, 0);
    states.apply(&inside, None);
    assert_eq!(code(&states, &inside), "again");
    assert_eq!(code(&states, &header(7, 0, 3, 1, 0)), "new");
}

#[test]
fn transactions_hold_the_stable_offset_until_their_marker() {
    let mut states = ProducerStates::default();
    let transactional = |id, sequence, offset| {
        let mut header = header(id, 0, sequence, 2, offset);
        header.attributes = Attributes(Attributes::TRANSACTIONAL);
        header
    };
    states.apply(&transactional(1, 0, 10), None);
    states.apply(&transactional(2, 0, 12), None);
    states.apply(&transactional(1, 2, 14), None);
    assert_eq!(states.first_unstable(), Some(Offset(10)));
    let abort = BatchBuilder::control(ProducerId(1), ProducerEpoch(0), ControlType::Abort, 3, Timestamp(5));
    let marker = Marker::read(&abort.records().unwrap()).unwrap().unwrap();
    assert_eq!(marker, Marker { kind: ControlType::Abort, coordinator_epoch: 3 });
    let mut at = *abort.header();
    at.base_offset = Offset(16);
    let ended = states.apply(&at, Some(&marker)).unwrap();
    assert_eq!((ended.first_offset, ended.last_offset, ended.kind), (Offset(10), Offset(16), ControlType::Abort));
    assert_eq!(states.first_unstable(), Some(Offset(12)));
    let older = Marker { coordinator_epoch: 2, ..marker };
    assert!(matches!(states.check_marker(&at, &older), Err(LogError::CoordinatorFenced { .. })));
    assert_eq!(code(&states, &header(1, 0, 4, 1, 0)), "new", "a marker does not move the sequence");
}

#[test]
fn idle_producers_expire_unless_a_transaction_is_open() {
    let mut states = with_batches(1);
    let mut open = header(9, 0, 0, 1, 10);
    open.attributes = Attributes(Attributes::TRANSACTIONAL);
    states.apply(&open, None);
    let now = Timestamp(100_000);
    states.remove_expired(now, 1000);
    assert_eq!(code(&states, &header(7, 1, 0, 10, 0)), "again", "its records are old, but it sent them just now");
    states.apply(&header(7, 1, 10, 10, 20), None);
    states.remove_expired(now.plus_ms(1000), 1000);
    assert_eq!(code(&states, &header(7, 1, 10, 10, 0)), "again", "it has sent since the look before");
    states.remove_expired(now.plus_ms(2000), 1000);
    assert_eq!(states.iter().map(|entry| entry.producer_id.0).collect::<Vec<_>>(), [9]);
}

#[test]
fn snapshots_survive_and_damaged_ones_are_refused() {
    let mut states = with_batches(7);
    let mut open = header(9, 4, 3, 2, 70);
    open.attributes = Attributes(Attributes::TRANSACTIONAL);
    states.apply(&open, None);
    let bytes = encode(&states);
    let read = decode(&bytes).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read.first_unstable(), Some(Offset(70)));
    for i in 2..7 {
        assert_eq!(code(&read, &header(7, 1, i * 10, 10, 0)), "again", "batch {i}");
    }
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_none(), "cut at {cut}");
    }
    for byte in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 0x10;
        assert!(decode(&flipped).is_none(), "byte {byte}");
    }
}

#[test]
fn a_snapshot_that_apache_kafka_wrote_is_read() {
    // One producer: id 5, epoch 0, last sequence 2, last offset 2, delta 2, timestamp 1000, no transaction.
    let mut body = 1_i32.to_be_bytes().to_vec();
    body.extend(5_i64.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    body.extend(2_i32.to_be_bytes());
    body.extend(2_i64.to_be_bytes());
    body.extend(2_i32.to_be_bytes());
    body.extend(1000_i64.to_be_bytes());
    body.extend((-1_i32).to_be_bytes());
    body.extend((-1_i64).to_be_bytes());
    let mut bytes = 1_i16.to_be_bytes().to_vec();
    bytes.extend(crc32c::crc32c(&body).to_be_bytes());
    bytes.extend(body);
    let states = decode(&bytes).unwrap();
    assert_eq!(code(&states, &header(5, 0, 0, 3, 0)), "again");
    assert_eq!(code(&states, &header(5, 0, 3, 1, 0)), "new");
}

#[test]
fn too_many_producers_forget_the_longest_idle() {
    let mut states = ProducerStates::default();
    for id in 0..=PRODUCERS_MAX as i64 {
        states.apply(&header(id, 0, 0, 1, id), None);
    }
    assert!(states.len() <= PRODUCERS_MAX);
    assert_eq!(code(&states, &header(0, 0, 5, 1, 0)), "new");
    assert_eq!(code(&states, &header(PRODUCERS_MAX as i64, 0, 0, 1, 0)), "again");
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NewRecord::default());
    assert!(states.apply(builder.build().unwrap().header(), None).is_none(), "no producer, no state");
}
