//! Logins that are right in most parts, and users who are in and try to be or to reach somebody else.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;

use std::io::Write;

use classroom::{Classroom, PASSWORD, Scram, bare_token, handshake, token};
use client::{Client, fetch_request, frame, text, topic_name};
use headwater::security::Hash;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;

const OK: i16 = 0;
const FAILED: i16 = 58;
const TOPIC_REFUSED: i16 = 29;

fn is_served(client: &mut Client) -> bool {
    client.try_ask(9, &MetadataRequest::default().with_topics(Some(Vec::new()))).is_ok()
}

/// A SCRAM login up to the server's challenge.
fn challenged(room: &Classroom, it: &Scram) -> (Client, String) {
    let mut client = room.stranger();
    handshake(&mut client, it.mechanism());
    let answer = token(&mut client, it.first().as_bytes()).unwrap();
    assert_eq!(answer.error_code, OK);
    (client, String::from_utf8(answer.auth_bytes.to_vec()).unwrap())
}

fn ends(mut client: Client, last: &str) -> i16 {
    let error = token(&mut client, last.as_bytes()).unwrap().error_code;
    assert_eq!(is_served(&mut client), error == OK);
    error
}

fn forgive(room: &Classroom) {
    for user in ["otter", "heron", "instructor", ""] {
        room.broker.security.succeeded(user, [127, 0, 0, 1].into());
    }
}

#[test]
fn a_proof_for_another_connection_hash_or_user_is_refused() {
    let room = Classroom::open();
    // Two logins at once, and each shows the other's proof.
    let (one, two) = (Scram::new("otter", PASSWORD), Scram::new("otter", PASSWORD));
    let ((first, challenge), (second, other)) = (challenged(&room, &one), challenged(&room, &two));
    assert_eq!((ends(first, &two.last(&other).0), ends(second, &one.last(&challenge).0)), (FAILED, FAILED));
    forgive(&room);
    // The same password under the other hash.
    let it = Scram::new("otter", PASSWORD);
    let (client, challenge) = challenged(&room, &it);
    let longer =
        Scram { hash: Hash::Sha512, gs2: it.gs2.clone(), nonce: it.nonce.clone(), bare: it.bare.clone(), password: PASSWORD.into() };
    assert_eq!(ends(client, &longer.last(&challenge).0), FAILED);
    forgive(&room);
    // Heron's proof of heron's password, in an exchange that began as otter.
    let (client, challenge) = challenged(&room, &it);
    let heron = Scram { bare: it.bare.replace("otter", "heron"), nonce: it.nonce.clone(), ..Scram::new("heron", PASSWORD) };
    assert_eq!(ends(client, &heron.last(&challenge).0), FAILED);
    forgive(&room);
    // The server's own words, sent back.
    for reflected in [0, 1] {
        let (client, challenge) = challenged(&room, &it);
        let signature = it.last(&challenge).1;
        assert_eq!(ends(client, if reflected == 0 { &challenge } else { &signature }), FAILED);
        forgive(&room);
    }
}

#[test]
fn a_second_name_in_the_same_message_is_nobody() {
    let room = Classroom::open();
    let it = Scram::new("otter", PASSWORD);
    let twice = Scram { bare: format!("{},n=instructor", it.bare), nonce: it.nonce.clone(), ..Scram::new("otter", PASSWORD) };
    let (mut client, challenge) = challenged(&room, &twice);
    assert_eq!(token(&mut client, twice.last(&challenge).0.as_bytes()).unwrap().error_code, OK, "an extension that means nothing");
    assert_eq!(client.ask(4, &DescribeLogDirsRequest::default().with_topics(None)).error_code, 31, "it is otter");
}

#[test]
fn names_that_look_like_the_instructors_are_not() {
    let room = Classroom::open();
    let long = "i".repeat(256);
    for user in [
        "Instructor",
        "INSTRUCTOR",
        "instructor ",
        " instructor",
        "instructor\u{200b}",
        "ｉnstructor",
        "User:instructor",
        "instructor\n",
        "*",
        "ANONYMOUS",
        "User:ANONYMOUS",
        "otter-2",
        "otter,instructor",
        &long,
    ] {
        let mut client = room.stranger();
        handshake(&mut client, "PLAIN");
        let error = token(&mut client, format!("\0{user}\0{PASSWORD}").as_bytes()).unwrap().error_code;
        assert_eq!((error, is_served(&mut client)), (FAILED, false), "{user:?}");
        forgive(&room);
    }
    assert!(room.broker.sightings.users().iter().all(|seen| ["otter", "heron", "instructor"].contains(&seen.user.as_str())));
}

#[test]
fn a_guess_sent_all_at_once_is_a_guess() {
    let room = Classroom::open();
    let it = Scram::new("otter", PASSWORD);
    let messages = [
        frame(1, 1, &SaslHandshakeRequest::default().with_mechanism(text("SCRAM-SHA-256"))),
        frame(2, 2, &SaslAuthenticateRequest::default().with_auth_bytes(it.first().into_bytes().into())),
        frame(2, 3, &SaslAuthenticateRequest::default().with_auth_bytes(b"c=biws,r=abc,p=AAAA".to_vec().into())),
        frame(9, 4, &MetadataRequest::default().with_topics(None)),
    ];
    let mut client = room.stranger();
    client.stream.write_all(&messages.concat()).unwrap();
    let answers = (0..4).take_while(|_| client.receive().is_ok()).count();
    assert_eq!(answers, 3, "the request behind the failed login is not answered");
}

#[test]
fn who_is_removed_or_given_another_password_in_the_middle_of_a_login_does_not_come_in() {
    let room = Classroom::open();
    let it = Scram::new("otter", PASSWORD);
    let (client, challenge) = challenged(&room, &it);
    room.broker.security.set_password("otter", "another password").unwrap();
    assert_eq!(ends(client, &it.last(&challenge).0), FAILED, "the old password has ended");
    forgive(&room);
    let it = Scram::new("heron", PASSWORD);
    let (client, challenge) = challenged(&room, &it);
    room.broker.security.change(|rules| rules.credentials.remove_user("heron")).unwrap();
    assert_eq!(ends(client, &it.last(&challenge).0), FAILED);
}

#[test]
fn ways_of_sending_tokens_are_not_mixed() {
    let room = Classroom::open();
    // A bare token was announced, a request comes: it is read as a token.
    let mut client = room.stranger();
    assert_eq!(client.ask(0, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))).error_code, OK);
    assert!(token(&mut client, format!("\0otter\0{PASSWORD}").as_bytes()).is_err());
    forgive(&room);
    // A request was announced, a bare token comes.
    let mut client = room.stranger();
    handshake(&mut client, "PLAIN");
    assert!(bare_token(&mut client, format!("\0otter\0{PASSWORD}").as_bytes()).is_err());
    // Versions that there are not.
    for version in [-1, 3, 99, i16::MAX] {
        let mut client = room.stranger();
        handshake(&mut client, "PLAIN");
        let mut request =
            frame(2, 2, &SaslAuthenticateRequest::default().with_auth_bytes(format!("\0otter\0{PASSWORD}").into_bytes().into()));
        request[6..8].copy_from_slice(&version.to_be_bytes());
        client.stream.write_all(&request).unwrap();
        assert!(client.receive().is_err(), "{version}");
    }
    // A version of ApiVersions that there is not is answered, and lets nobody in.
    let mut client = room.stranger();
    let mut request =
        frame(4, 2, &ApiVersionsRequest::default().with_client_software_name(text("x")).with_client_software_version(text("1")));
    request[6..8].copy_from_slice(&99i16.to_be_bytes());
    client.stream.write_all(&request).unwrap();
    assert!(client.receive().is_ok() && !is_served(&mut client));
}

#[test]
fn large_tokens_cost_nothing_and_let_nobody_in() {
    let room = Classroom::open();
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        for size in [16 * 1024 + 1, 60_000] {
            let mut client = room.stranger();
            handshake(&mut client, mechanism);
            assert_eq!(token(&mut client, &vec![b'a'; size]).unwrap().error_code, FAILED);
            forgive(&room);
        }
    }
    let nonces = ["", "a b", "ü", &"n".repeat(257)];
    for nonce in nonces {
        let mut client = room.stranger();
        handshake(&mut client, "SCRAM-SHA-256");
        assert_eq!(token(&mut client, format!("n,,n=otter,r={nonce}").as_bytes()).unwrap().error_code, FAILED, "{nonce:?}");
        forgive(&room);
    }
}

#[test]
fn nobody_reads_or_writes_as_a_follower_by_id_or_without_an_answer() {
    let room = Classroom::open();
    let mut heron = room.login("heron");
    let mut follower = fetch_request("ws.otter.c01", 0, 0, 0);
    follower.replica_id = BrokerId(2);
    assert_eq!(heron.ask(12, &follower).responses[0].partitions[0].error_code, TOPIC_REFUSED);
    // By its id, which heron should not know.
    let id = uuid::Uuid::from_bytes(room.broker.catalog.get("ws.otter.c01").unwrap().id.0);
    let asked = metadata_request::MetadataRequestTopic::default().with_topic_id(id).with_name(None);
    let answer = heron.ask(12, &MetadataRequest::default().with_topics(Some(vec![asked])));
    assert_eq!((answer.topics[0].error_code, answer.topics[0].name.is_none()), (100, true), "as if there were none");
    let mut by_id = fetch_request("", 0, 0, 0);
    by_id.topics[0].topic_id = id;
    let partition = &heron.ask(13, &by_id).responses[0].partitions[0];
    assert!(partition.error_code != OK && partition.records.as_ref().is_none_or(|records| records.is_empty()));
    let doomed = delete_topics_request::DeleteTopicState::default().with_name(None).with_topic_id(id);
    assert_eq!(heron.ask(6, &DeleteTopicsRequest::default().with_topics(vec![doomed])).responses[0].error_code, 100);
    // Somebody else's transactional id.
    let transactional = InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId(text("otter-t"))));
    assert_eq!(heron.ask(4, &transactional).error_code, 53);
    // Without an answer: the connection ends, and nothing is there.
    let data = TopicProduceData::default()
        .with_name(topic_name("ws.otter.c01"))
        .with_partition_data(vec![PartitionProduceData::default().with_records(Some(batch()))]);
    heron.send(9, &ProduceRequest::default().with_acks(0).with_timeout_ms(1_000).with_topic_data(vec![data]));
    assert!(heron.receive().is_err());
    assert_eq!(room.login("otter").list_offset("ws.otter.c01", 0, -1), (OK, 0));
}

fn batch() -> bytes::Bytes {
    use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"x"), ..NewRecord::default() });
    batch.build().expect("a batch").to_bytes()
}

#[test]
fn somebody_elses_fetch_session_is_not_there() {
    let room = Classroom::open();
    let (mut otter, mut heron) = (room.login("otter"), room.login("heron"));
    let begun = otter.ask(12, &fetch_request("ws.otter.c01", 0, 0, 0).with_session_epoch(0));
    assert!(begun.session_id != 0);
    let in_it = |epoch| fetch_request("", 0, 0, 0).with_topics(Vec::new()).with_session_id(begun.session_id).with_session_epoch(epoch);
    let guessed = heron.ask(12, &in_it(1));
    assert_eq!((guessed.error_code, guessed.responses.len()), (70, 0), "it would name otter's topics");
    heron.ask(12, &in_it(-1));
    heron.ask(12, &in_it(0));
    assert_eq!(otter.ask(12, &in_it(1)).error_code, OK, "it goes on");
}

#[test]
fn groups_of_others_cannot_be_joined_left_read_or_moved() {
    let room = Classroom::open();
    let (mut otter, mut heron) = (room.login("otter"), room.login("heron"));
    let group = |id: &str| GroupId(text(id));
    let first = otter.ask(9, &client::join_request("otter-g"));
    let member = first.member_id.clone();
    assert_eq!(first.error_code, 79, "a member id is given first");
    let leaving = leave_group_request::MemberIdentity::default().with_member_id(member.clone());
    let left = heron.ask(5, &LeaveGroupRequest::default().with_group_id(group("otter-g")).with_members(vec![leaving]));
    assert_eq!(left.error_code, 30);
    assert_eq!(heron.ask(9, &client::join_request("otter-g")).error_code, 30);
    assert_eq!(heron.ask(4, &HeartbeatRequest::default().with_group_id(group("otter-g")).with_member_id(member)).error_code, 30);
    // In one's own group, offsets of somebody else's topic say nothing.
    let commit = |client: &mut Client, id: &str| {
        use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name("ws.otter.c01"))
            .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)]);
        let request = OffsetCommitRequest::default().with_group_id(group(id)).with_generation_id_or_member_epoch(-1);
        client.ask(8, &request.with_topics(vec![topic])).topics[0].partitions[0].error_code
    };
    assert_eq!((commit(&mut heron, "heron-g"), commit(&mut heron, "otter-h"), commit(&mut otter, "otter-h")), (TOPIC_REFUSED, 30, OK));
    let fetch = offset_fetch_request::OffsetFetchRequestGroup::default().with_group_id(group("otter-h")).with_topics(None);
    let fetched = heron.ask(8, &OffsetFetchRequest::default().with_groups(vec![fetch]));
    assert_eq!((fetched.groups[0].error_code, fetched.groups[0].topics.len()), (30, 0));
}

#[test]
fn one_user_does_not_take_all_groups() {
    let room = Classroom::open();
    let (mut otter, mut heron) = (room.login("otter"), room.login("heron"));
    let commit = |client: &mut Client, id: &str| {
        use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name("ecommerce-events"))
            .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)]);
        let request = OffsetCommitRequest::default().with_group_id(GroupId(text(id))).with_generation_id_or_member_epoch(-1);
        client.ask(8, &request.with_topics(vec![topic])).topics[0].partitions[0].error_code
    };
    let made = (0..300).filter(|n| commit(&mut heron, &format!("heron-{n}")) == OK).count();
    assert_eq!(made, 200);
    assert_eq!((commit(&mut heron, "heron-300"), heron.ask(9, &client::join_request("heron-301")).error_code), (81, 81));
    assert_eq!((commit(&mut heron, "heron-7"), commit(&mut otter, "otter-1")), (OK, OK), "those that are there go on");
}
