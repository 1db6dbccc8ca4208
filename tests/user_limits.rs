//! What one user may have of the broker: bytes, partitions and connections, and what who wants more is told.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;

use std::time::{Duration, Instant};

use bytes::Bytes;
use classroom::{Classroom, PASSWORD, handshake, token};
use client::{Client, fetch_request, text, topic_name};
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;

const POLICY_VIOLATION: i16 = 44;
const LOGIN_FAILED: i16 = 58;
const THROTTLING_QUOTA_EXCEEDED: i16 = 89;
const BATCH_BYTES: usize = 64 << 10;

fn quota(room: &Classroom, user: Option<&str>, key: &str, value: Option<f64>) {
    let entity = EntityData::default().with_entity_type(text("user")).with_entity_name(user.map(text));
    let op = OpData::default().with_key(text(key)).with_value(value.unwrap_or(0.0)).with_remove(value.is_none());
    let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
    let answer = room.login("instructor").ask(1, &AlterClientQuotasRequest::default().with_entries(vec![entry]));
    assert_eq!(answer.entries[0].error_code, 0, "{answer:?}");
}

fn batch() -> Bytes {
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(&[7; BATCH_BYTES]), ..NewRecord::default() });
    batch.build().expect("a batch").to_bytes()
}

/// The throttle time of the answer.
fn produce(client: &mut Client, records: &Bytes) -> i32 {
    let data = PartitionProduceData::default().with_records(Some(records.clone()));
    let data = TopicProduceData::default().with_name(topic_name("ws.otter.c01")).with_partition_data(vec![data]);
    let answer = client.ask(9, &ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![data]));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    answer.throttle_time_ms
}

fn create(client: &mut Client, version: i16, name: &str, partitions: i32) -> (i16, String, i32) {
    let topic = CreatableTopic::default().with_name(topic_name(name)).with_num_partitions(partitions).with_replication_factor(1);
    let answer = client.ask(version, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000));
    let message = answer.topics[0].error_message.as_ref().map(ToString::to_string);
    (answer.topics[0].error_code, message.unwrap_or_default(), answer.throttle_time_ms)
}

#[test]
fn who_sends_more_than_the_quota_is_told_and_held_to_it_over_all_connections() {
    let room = Classroom::open();
    let rate = 2.0 * 1024.0 * 1024.0;
    quota(&room, Some("otter"), "producer_byte_rate", Some(rate));
    let (mut clients, records) = ([room.login("otter"), room.login("otter")], batch());
    // What ten seconds bring may be sent at once.
    let begun = Instant::now();
    let mut sent = 0;
    while clients.iter_mut().map(|client| produce(client, &records)).all(|throttle| throttle == 0) {
        sent += 2 * records.len();
    }
    assert!(sent as f64 > 9.5 * rate && begun.elapsed() < Duration::from_secs(9), "{sent} bytes in {:?}", begun.elapsed());
    let begun = Instant::now();
    let (mut sent, mut throttled) = (0, 0);
    while begun.elapsed() < Duration::from_secs(4) {
        for client in &mut clients {
            throttled += usize::from(produce(client, &records) > 0);
            sent += records.len();
        }
    }
    let measured = sent as f64 / begun.elapsed().as_secs_f64();
    assert!((0.85 * rate..1.15 * rate).contains(&measured), "{measured} bytes a second");
    assert!(throttled > 10, "{throttled} answers said so");
    // Nobody else is slowed, nor is otter once the quota is gone.
    let mut heron = room.login("heron");
    let asked = Instant::now();
    (0..20).for_each(|_| drop(heron.metadata(Some(&[]))));
    assert!(asked.elapsed() < Duration::from_secs(1));
    quota(&room, Some("otter"), "producer_byte_rate", None);
    let _ = produce(&mut clients[0], &records);
    assert_eq!(produce(&mut clients[0], &records), 0);
}

#[test]
fn a_reader_gets_its_answer_at_once_and_rests_after_it() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    let records = batch();
    (0..8).for_each(|_| assert_eq!(produce(&mut otter, &records), 0));
    quota(&room, None, "consumer_byte_rate", Some(50_000.0));
    let asked = Instant::now();
    // Ten seconds' worth is 500,000 bytes, and this is 524,288 and a little.
    let answer = otter.ask(12, &fetch_request("ws.otter.c01", 0, 0, 0));
    assert!(asked.elapsed() < Duration::from_millis(400) && answer.throttle_time_ms > 300, "{}", answer.throttle_time_ms);
    let rest = Duration::from_millis(answer.throttle_time_ms as u64);
    otter.metadata(Some(&[]));
    assert!(asked.elapsed() >= rest.mul_f64(0.9), "what it asks meanwhile is read later");
}

#[test]
fn the_thread_s_time_and_topic_changes_have_quotas_too() {
    let room = Classroom::open();
    quota(&room, Some("otter"), "controller_mutation_rate", Some(0.5));
    let mut otter = room.login("otter");
    assert_eq!(create(&mut otter, 7, "ws.otter.a", 6).0, 0, "ten seconds' worth is five, and who owes nothing may");
    let (error, _, throttle) = create(&mut otter, 7, "ws.otter.b", 1);
    assert_eq!(error, THROTTLING_QUOTA_EXCEEDED);
    assert!((1_000..=2_000).contains(&throttle), "{throttle}");
    let asked = Instant::now();
    let (error, _, throttle) = create(&mut otter, 5, "ws.otter.c", 1);
    assert!(error == 0 && throttle > 1_000, "an older client waits: {throttle}");
    assert!(asked.elapsed() > Duration::from_millis(900), "the refusal was followed by a rest as well");
    // A tenth of a millisecond of each second, ten of them at once.
    quota(&room, Some("heron"), "request_percentage", Some(0.01));
    let mut heron = room.login("heron");
    let slowest = (0..200).map(|_| {
        let asked = Instant::now();
        heron.metadata(None);
        asked.elapsed()
    });
    assert!(slowest.into_iter().any(|took| took > Duration::from_millis(100)));
}

#[test]
fn a_student_has_a_hundred_partitions_however_they_come_into_being() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    // One is there already.
    assert_eq!(create(&mut otter, 7, "ws.otter.a", 95).0, 0);
    let (error, message, _) = create(&mut otter, 7, "ws.otter.b", 5);
    assert_eq!(error, POLICY_VIOLATION);
    assert!(message.contains("otter has 96 partitions and may have 100") && message.contains("headwater.user.partitions.max"), "{message}");
    let grow = CreatePartitionsTopic::default().with_name(topic_name("ws.otter.c01")).with_count(6).with_assignments(None);
    let grown = otter.ask(3, &CreatePartitionsRequest::default().with_topics(vec![grow]).with_timeout_ms(5_000));
    assert_eq!(grown.results[0].error_code, POLICY_VIOLATION);
    // Auto-creation counts: four partitions are the default.
    let asked = |otter: &mut Client, name: &str| otter.metadata(Some(&[name])).topics[0].error_code;
    assert_eq!((asked(&mut otter, "ws.otter.1"), asked(&mut otter, "ws.otter.1")), (3, 0));
    assert_eq!(asked(&mut otter, "ws.otter.2"), POLICY_VIOLATION);
    assert_eq!(create(&mut room.login("heron"), 7, "ws.heron.a", 100).0, 0);
    assert_eq!(create(&mut room.login("instructor"), 7, "ws.otter.6", 50).0, 0, "the instructor may");
}

#[test]
fn requests_at_once_cannot_get_more_partitions_than_one_after_the_other() {
    let room = Classroom::open();
    let mut otters: Vec<Client> = (0..20).map(|_| room.login("otter")).collect();
    for (otter, n) in otters.iter_mut().zip(0..) {
        let topic = CreatableTopic::default().with_name(topic_name(&format!("ws.otter.t{n}"))).with_num_partitions(20);
        otter.send(7, &CreateTopicsRequest::default().with_topics(vec![topic.with_replication_factor(1)]).with_timeout_ms(5_000));
    }
    otters.iter_mut().for_each(|otter| drop(otter.receive().expect("an answer")));
    let have: i32 =
        room.broker.catalog.list().iter().filter(|t| t.name.as_str().starts_with("ws.otter.")).map(|t| t.partition_count()).sum();
    assert_eq!(have, 81, "four of them and the one that was there");
}

#[test]
fn one_connection_more_than_a_user_may_have_is_told_why() {
    let room = Classroom::open();
    let mut open: Vec<Client> = (0..200).map(|_| room.login("otter")).collect();
    let mut one_more = room.stranger();
    handshake(&mut one_more, "PLAIN");
    let answer = token(&mut one_more, format!("\0otter\0{PASSWORD}").as_bytes()).unwrap();
    assert_eq!(answer.error_code, LOGIN_FAILED);
    let message = answer.error_message.unwrap();
    assert!(message.contains("Too many connections: otter has 200 open"), "{message}");
    assert!(one_more.receive().is_err());
    room.login("heron").metadata(None);
    open.pop();
    let begun = Instant::now();
    while room.broker.meters.seat(&headwater::security::Principal::user("otter"), 200).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(5), "the place of the closed one");
        std::thread::sleep(Duration::from_millis(10));
    }
    room.login("otter").metadata(None);
    assert_eq!(room.broker.security.penalty("otter", [127, 0, 0, 1].into()), Duration::ZERO, "it was no wrong password");
}

#[test]
fn the_instructor_s_password_is_changed_by_the_instructor_and_never_taken_away() {
    let room = Classroom::open();
    let mut instructor = room.login("instructor");
    let deletion = alter_user_scram_credentials_request::ScramCredentialDeletion::default();
    let answer = instructor.ask(
        0,
        &AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion.with_name(text("instructor")).with_mechanism(1)]),
    );
    assert_eq!(answer.results[0].error_code, 93, "{answer:?}");
    // Who was given the right to alter the cluster cannot make themselves the instructor.
    let acl = create_acls_request::AclCreation::default().with_resource_type(4).with_resource_name(text("kafka-cluster"));
    let acl = acl.with_resource_pattern_type(3).with_principal(text("User:otter")).with_host(text("*")).with_operation(7);
    let made = instructor.ask(3, &CreateAclsRequest::default().with_creations(vec![acl.with_permission_type(3)]));
    assert_eq!(made.results[0].error_code, 0);
    let put = |user: &str| {
        let put = alter_user_scram_credentials_request::ScramCredentialUpsertion::default().with_name(text(user)).with_mechanism(1);
        let salted = headwater::security::Hash::Sha256.salted_password(b"changed", b"salt", 4096);
        let put = put.with_iterations(4096).with_salt(Bytes::from_static(b"salt")).with_salted_password(salted.into());
        AlterUserScramCredentialsRequest::default().with_upsertions(vec![put])
    };
    let mut otter = room.login("otter");
    assert_eq!(otter.ask(0, &put("instructor")).results[0].error_code, 31);
    assert_eq!(otter.ask(0, &put("newcomer")).results[0].error_code, 0);
    assert_eq!(instructor.ask(0, &put("instructor")).results[0].error_code, 0);
    assert!(room.broker.security.rules().credentials.get("instructor", headwater::security::Hash::Sha256).unwrap().fits("changed"));
}

/// Requests that each of so many connections got answered within the time.
fn answered(users: Vec<Client>, counted_from: Duration, until: Duration) -> usize {
    let begun = Instant::now();
    let working = users.into_iter().map(|mut client| {
        std::thread::spawn(move || {
            let mut count = 0;
            while begun.elapsed() < until {
                client.metadata(None);
                count += usize::from(begun.elapsed() >= counted_from);
            }
            count
        })
    });
    let working: Vec<_> = working.collect();
    working.into_iter().map(|thread| thread.join().expect("answers")).sum()
}

#[test]
fn who_opens_many_connections_takes_no_more_from_others_than_who_opens_one() {
    let room = Classroom::open();
    let users: Vec<String> = (0..50).map(|n| format!("user-{n}")).collect();
    for user in &users {
        room.broker.security.set_password(user, PASSWORD).expect("a user");
    }
    // Topics to look through, so that an answer is work for the broker and little for the client.
    (0..9).for_each(|n| drop(create(&mut room.login("instructor"), 7, &format!("others-{n}"), 100)));
    let good = || users.iter().map(|user| room.login(user)).collect::<Vec<Client>>();
    let second = Duration::from_secs(1);
    let alone = answered(good(), second, 4 * second);
    let abuser: Vec<Client> = (0..75).map(|_| room.login("otter")).collect();
    let others = good();
    let abusing = std::thread::spawn(move || answered(abuser, 7 * second, 10 * second));
    let beside = answered(others, 7 * second, 10 * second);
    let taken = abusing.join().expect("answers");
    let again = answered(good(), second, 4 * second);
    let share = 100.0 * (1.0 - beside as f64 / (alone.min(again)) as f64);
    println!(
        "50 users: {alone} and {again} answers in 3 s alone, {beside} beside an abuser on 75 connections ({share:.0} % less), who got {taken}"
    );
    // Shares do not depend on what else the machine does; how much there is to share does.
    assert!(taken * users.len() < 2 * beside, "{beside} for {} users, {taken} for the abuser", users.len());
}

#[test]
fn a_student_s_topics_keep_so_much_and_no_more() {
    let room = Classroom::open();
    let setting = incremental_alter_configs_request::AlterableConfig::default()
        .with_name(text("headwater.user.storage.bytes.max"))
        .with_config_operation(0)
        .with_value(Some(text("1000")));
    let resource = incremental_alter_configs_request::AlterConfigsResource::default().with_resource_type(4).with_configs(vec![setting]);
    let change = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(room.login("instructor").ask(1, &change).responses[0].error_code, 0);
    let mut otter = room.login("otter");
    let records = batch();
    assert_eq!(otter.try_produce("ws.otter.c01", 0, records.clone()).unwrap().0, 0);
    std::thread::sleep(Duration::from_millis(1_100));
    let after = otter.try_produce("ws.otter.c01", 0, records.clone()).unwrap().0;
    assert_eq!(after, 44, "{} bytes are kept already", records.len());
    assert_eq!(room.login("instructor").try_produce("ws.otter.c01", 0, records).unwrap().0, 0, "the instructor is exempt");
}
