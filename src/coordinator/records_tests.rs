//! Golden bytes: records that Apache Kafka 4.3.1 wrote to `__consumer_offsets`, read back with kcat.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn golden(key: &str, value: Option<&str>, record: Record) {
    let (key, value) = (hex(key), value.map(hex));
    assert_eq!(Record::decode(&key, value.as_deref()), Ok(record.clone()));
    assert_eq!(record.encode_key(), key);
    assert_eq!(record.encode_value(), value);
}

const GROUP: &str = "0002000d676f6c64656e2d67726f757030";
const PARTITION_0: &str = "0001000d676f6c64656e2d67726f757030000c676f6c64656e2d746f70696300000000";
const PARTITION_1: &str = "0001000d676f6c64656e2d67726f757030000c676f6c64656e2d746f70696300000001";
/// The whole group after SyncGroup: one static member.
const STABLE: &str = "00030008636f6e73756d657200000001000572616e6765002769312d66626236303436302d653032372d343234322d613466352d3231386233386536643532610000\
01a21a02dac700000001002769312d66626236303436302d653032372d343234322d613466352d32313862333865366435326100026931000570726f6265000a2f3132372e302e302e31\
000007d00000753000000011000100000001000174ffffffff000000000000000a65766572797468696e67";
/// A commit by OffsetCommit v8.
const COMMIT: &str = "0004000000000000000500000000056e6f7465000001a21a02dac801001075fc54b873f3469c997b90423553ba1e";
/// A commit by OffsetCommit v3 with retention_time_ms = 60000.
const COMMIT_EXPIRING: &str = "0001000000000000000700046e6f7465000001a21a02dac8000001a21a03c528";

fn topic() -> TopicName {
    TopicName::new("golden-topic")
}

fn commit() -> CommittedOffset {
    CommittedOffset {
        offset: Offset(5),
        leader_epoch: LeaderEpoch(0),
        metadata: "note".into(),
        commit_timestamp: Timestamp(0x1a21a02dac8),
        expire_timestamp: Timestamp::NONE,
        topic_id: TopicId(hex("75fc54b873f3469c997b90423553ba1e").try_into().unwrap()),
    }
}

fn stable() -> GroupMetadata {
    let id = MemberId::from("i1-fbb60460-e027-4242-a4f5-218b38e6d52a");
    GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: Some("range".into()),
        leader: Some(id.clone()),
        current_state_timestamp: Timestamp(0x1a21a02dac7),
        members: vec![MemberMetadata {
            member_id: id,
            instance_id: Some("i1".into()),
            client_id: "probe".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 2000,
            session_timeout_ms: 30000,
            subscription: hex("000100000001000174ffffffff00000000").into(),
            assignment: Bytes::from_static(b"everything"),
        }],
    }
}

#[test]
fn group_metadata_is_written_as_kafka_writes_it() {
    golden(GROUP, Some(STABLE), Record::Group { group: "golden-group0".into(), value: Some(stable()) });
}

#[test]
fn new_and_emptied_groups_are_written_as_kafka_writes_them() {
    let empty = |protocol_type: &str, generation, stamp| GroupMetadata {
        protocol_type: protocol_type.into(),
        generation,
        protocol: None,
        leader: None,
        current_state_timestamp: Timestamp(stamp),
        members: Vec::new(),
    };
    let record = |value| Record::Group { group: "golden-group0".into(), value };
    golden(GROUP, Some("0003000000000000ffffffff000001a21a02dac600000000"), record(Some(empty("", 0, 0x1a21a02dac6))));
    let emptied = "00030008636f6e73756d657200000002ffffffff000001a21a02dacc00000000";
    golden(GROUP, Some(emptied), record(Some(empty("consumer", 2, 0x1a21a02dacc))));
    golden(GROUP, None, record(None));
}

#[test]
fn offset_commits_are_written_as_kafka_writes_them() {
    let record =
        |partition, value| Record::Offset { group: "golden-group0".into(), topic: topic(), partition: PartitionId(partition), value };
    golden(PARTITION_0, Some(COMMIT), record(0, Some(commit())));
    let expiring = CommittedOffset {
        offset: Offset(7),
        leader_epoch: LeaderEpoch::UNKNOWN,
        expire_timestamp: Timestamp(0x1a21a03c528),
        topic_id: TopicId::ZERO,
        ..commit()
    };
    golden(PARTITION_1, Some(COMMIT_EXPIRING), record(1, Some(expiring)));
    golden(PARTITION_0, None, record(0, None));
}

#[test]
fn an_offset_of_a_topic_without_id_survives() {
    let record = Record::Offset {
        group: "".into(),
        topic: topic(),
        partition: PartitionId(3),
        value: Some(CommittedOffset { topic_id: TopicId::ZERO, metadata: "ä".repeat(200).into(), ..commit() }),
    };
    let value = record.encode_value().unwrap();
    assert_eq!(value.get(..2), Some(&[0u8, 3][..]));
    assert_eq!(Record::decode(&record.encode_key(), Some(&value)), Ok(record));
}

#[test]
fn long_metadata_survives_the_compact_form() {
    let record = Record::Offset {
        group: "g".into(),
        topic: topic(),
        partition: PartitionId(3),
        value: Some(CommittedOffset { metadata: "x".repeat(4096).into(), ..commit() }),
    };
    assert_eq!(Record::decode(&record.encode_key(), record.encode_value().as_deref()), Ok(record));
}

#[test]
fn older_versions_are_read() {
    let v0 = hex("0000000000000000000700046e6f7465000001a21a02dac8");
    let Ok(Record::Offset { value: Some(value), .. }) = Record::decode(&hex(PARTITION_0), Some(&v0)) else { panic!() };
    assert_eq!((value.offset, value.leader_epoch, value.expire_timestamp), (Offset(7), LeaderEpoch::UNKNOWN, Timestamp::NONE));
    // Group version 0: no state timestamp, no instance id, one timeout.
    let v0 = hex("0000000178000000050001790001610000000100016100016300016800001770000000017300000000");
    let Ok(Record::Group { value: Some(value), .. }) = Record::decode(&hex(GROUP), Some(&v0)) else { panic!() };
    assert_eq!((value.generation, value.current_state_timestamp), (5, Timestamp::NONE));
    assert_eq!(value.members.first().map(|m| (m.rebalance_timeout_ms, m.session_timeout_ms)), Some((6000, 6000)));
}

#[test]
fn every_truncation_and_every_flipped_byte_is_an_answer_not_a_panic() {
    for (key, value) in [(GROUP, STABLE), (PARTITION_0, COMMIT), (PARTITION_1, COMMIT_EXPIRING)] {
        let (key, value) = (hex(key), hex(value));
        for n in 0..key.len() {
            assert_eq!(Record::decode(&key[..n], None), Err(RecordError::Malformed));
        }
        for n in 0..value.len() {
            assert_eq!(Record::decode(&key, Some(&value[..n])), Err(RecordError::Malformed));
        }
        for i in 0..value.len() {
            for flip in [0xff, 0x80, 0x7f, 0x01] {
                let mut bent = value.clone();
                bent[i] ^= flip;
                let _ = Record::decode(&key, Some(&bent));
            }
        }
    }
}

#[test]
fn other_kinds_of_record_are_told_apart() {
    assert_eq!(Record::decode(&hex("00030001"), None), Err(RecordError::OtherKey(3)));
    assert_eq!(Record::decode(&hex(GROUP), Some(&[0, 9])), Err(RecordError::UnknownValueVersion(9)));
}

#[test]
fn groups_are_spread_as_kafka_spreads_them() {
    // Seen in Apache Kafka 4.3.1 with 50 partitions.
    assert_eq!(offsets_partition_for("golden-group0", 50), PartitionId(11));
    assert_eq!(offsets_partition_for("golden-groupb", 50), PartitionId(11));
    // By Java's String.hashCode.
    assert_eq!(offsets_partition_for("my-group", 50), PartitionId(12));
    assert_eq!(java_hash("ä€😀"), 16_603_051);
    assert_eq!(java_hash("my-group"), -1_906_497_762);
    assert_eq!(java_hash("polygenelubricants"), i32::MIN);
    assert_eq!(offsets_partition_for("polygenelubricants", 50), PartitionId(0));
    assert_eq!(offsets_partition_for("", 50), PartitionId(0));
    assert_eq!(offsets_partition_for("g", 0), PartitionId(0));
}
