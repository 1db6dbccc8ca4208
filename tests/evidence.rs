//! What the broker saw a user do: told of that user alone, by what really happened.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;

use bytes::Bytes;
use classroom::Classroom;
use client::{join_request, text, topic_name};
use headwater::model::evidence::Evidence;
use headwater::model::{BatchBuilder, Codec, NewRecord, Offset, PartitionId, Timestamp};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;

fn batch(records: usize) -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None);
    for _ in 0..records {
        batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"v"), ..NewRecord::default() });
    }
    batch.build().expect("a batch").to_bytes()
}

#[test]
fn fetches_and_writes_are_seen_with_their_offsets_and_refused_ones_are_not() {
    let room = Classroom::open();
    let (mut otter, mut instructor) = (room.login("otter"), room.login("instructor"));
    for records in [3, 2, 4] {
        instructor.produce("ecommerce-events", 0, batch(records));
    }
    assert_eq!(otter.fetch("ecommerce-events", 0, 3).error_code, 0);
    assert_eq!(otter.fetch("ecommerce-events", 0, 9).error_code, 0, "nothing is there yet");
    assert_eq!(otter.try_produce("ecommerce-events", 0, batch(1)).unwrap().0, 29, "not allowed");
    assert_eq!(otter.fetch("ws.heron.c01", 0, 0).error_code, 29, "not allowed");
    otter.produce("ws.otter.c01", 0, batch(5));
    let data = PartitionProduceData::default().with_records(Some(batch(2)));
    let data = TopicProduceData::default().with_name(topic_name("ws.otter.c01")).with_partition_data(vec![data]);
    otter.send(9, &ProduceRequest::default().with_acks(0).with_timeout_ms(1_000).with_topic_data(vec![data]));
    // Answered once the one before is done.
    otter.metadata(None);

    let seen = room.broker.evidence.of("otter");
    let [fetched] = seen.fetched.as_slice() else { panic!("{seen:?}") };
    assert_eq!(
        (fetched.topic.as_str(), fetched.partition, &*fetched.offsets),
        ("ecommerce-events", PartitionId(0), &[Offset(3)..Offset(9)][..])
    );
    let [produced] = seen.produced.as_slice() else { panic!("{seen:?}") };
    assert_eq!((produced.topic.as_str(), produced.records, produced.unacknowledged), ("ws.otter.c01", 7, 2));
    assert_eq!(room.broker.evidence.of("heron"), Evidence { user: "heron".to_owned(), ..Evidence::default() });
    let of_instructor = room.broker.evidence.of("instructor");
    assert_eq!(of_instructor.produced.iter().map(|p| p.records).sum::<u64>(), 9);
}

#[test]
fn groups_and_what_they_commit_are_seen_and_whether_their_members_said_goodbye() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    let joined = otter.ask(3, &join_request("otter-app"));
    assert_eq!(joined.error_code, 0);
    let seen = room.broker.evidence.of("otter");
    let [group] = seen.groups.as_slice() else { panic!("{seen:?}") };
    assert_eq!((group.group.as_str(), group.members, group.left_ms), ("otter-app", 1, None));
    let sync = SyncGroupRequest::default().with_group_id(GroupId(text("otter-app"))).with_member_id(joined.member_id.clone());
    assert_eq!(otter.ask(3, &sync.with_generation_id(joined.generation_id)).error_code, 0);

    let mut commit = |generation: i32, offset: i64| {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default().with_name(topic_name("ecommerce-events")).with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default().with_group_id(GroupId(text("otter-app"))).with_member_id(joined.member_id.clone());
        let answer = otter.ask(7, &commit.with_generation_id_or_member_epoch(generation).with_topics(vec![topic]));
        answer.topics[0].partitions[0].error_code
    };
    assert_eq!(commit(joined.generation_id, 42), 0);
    assert_eq!(commit(joined.generation_id + 5, 77), 22, "of another generation");
    let member = MemberIdentity::default().with_member_id(joined.member_id.clone());
    let leave = LeaveGroupRequest::default().with_group_id(GroupId(text("otter-app"))).with_members(vec![member]);
    assert_eq!(otter.ask(3, &leave).error_code, 0);

    let seen = room.broker.evidence.of("otter");
    let [committed] = seen.committed.as_slice() else { panic!("{seen:?}") };
    assert_eq!((committed.group.as_str(), committed.topic.as_str(), committed.offset), ("otter-app", "ecommerce-events", Offset(42)));
    assert!(seen.groups.iter().all(|group| group.left_ms.is_some()), "{seen:?}");
}
