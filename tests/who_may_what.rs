//! Every API key asked by nobody, by the student whose resource it is about, by another student and by the instructor. What is expected
//! stands in each handler (`ACCESS`); here stands what is asked, and a key without a question fails.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;

use classroom::Classroom;
use client::{Client, fetch_request, join_request, text, topic_name};
use headwater::handlers::{APIS, Access, ApiRow};
use headwater::model::{BatchBuilder, Codec, ErrorCode, NewRecord, Timestamp};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;

const OWNER: &str = "otter";
const ROLES: [&str; 4] = ["nobody", OWNER, "heron", "instructor"];
const TOPIC: &str = "ws.otter.c01";
const GROUP: &str = "otter-g";
const TOPIC_RESOURCE: i8 = 2;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Closed,
    /// The answer as text, its error codes in it.
    Answered(String),
}

impl Outcome {
    /// The error codes that speak of rights.
    fn refusals(&self) -> Vec<i16> {
        let Outcome::Answered(text) = self else { return Vec::new() };
        let codes = text
            .split("error_code: ")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?.parse().ok());
        codes.filter(|code| [29, 30, 31, 53].contains(code)).collect()
    }
}

fn ask<T: Request>(client: &mut Client, request: &T) -> Outcome
where
    T::Response: std::fmt::Debug,
{
    let row = APIS.iter().find(|row| row.key == T::KEY).expect("a served key");
    match client.try_ask(row.max, request) {
        Ok(answer) => Outcome::Answered(format!("{answer:?}")),
        Err(_) => Outcome::Closed,
    }
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// The question of a key, about otter's topic or group.
#[rustfmt::skip]
fn question(key: i16, client: &mut Client) -> Outcome {
    let batch = || {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(NewRecord { timestamp: Timestamp(1), value: Some(b"x"), ..NewRecord::default() });
        Some(batch.build().expect("a batch").to_bytes())
    };
    match key {
        0 => ask(client, &ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![TopicProduceData::default()
            .with_name(topic_name(TOPIC)).with_partition_data(vec![PartitionProduceData::default().with_records(batch())])])),
        1 => {
            // By name: an id would have to be looked up first.
            let answer = client.try_ask(12, &fetch_request(TOPIC, 0, 0, 0));
            answer.map_or(Outcome::Closed, |answer| Outcome::Answered(format!("{answer:?}")))
        }
        2 => ask(client, &ListOffsetsRequest::default().with_topics(vec![ListOffsetsTopic::default().with_name(topic_name(TOPIC))
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)])])),
        3 => ask(client, &MetadataRequest::default().with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)))]))),
        8 => ask(client, &OffsetCommitRequest::default().with_group_id(group(GROUP)).with_generation_id_or_member_epoch(-1)
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(topic_name(TOPIC))
                .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)])])),
        9 => ask(client, &OffsetFetchRequest::default().with_groups(vec![OffsetFetchRequestGroup::default().with_group_id(group(GROUP))
            .with_topics(Some(vec![OffsetFetchRequestTopics::default().with_name(topic_name(TOPIC)).with_partition_indexes(vec![0])]))])),
        10 => ask(client, &FindCoordinatorRequest::default().with_coordinator_keys(vec![text(GROUP)])),
        11 => ask(client, &join_request(GROUP)),
        12 => ask(client, &HeartbeatRequest::default().with_group_id(group(GROUP)).with_member_id(text("m"))),
        13 => ask(client, &LeaveGroupRequest::default().with_group_id(group(GROUP))),
        14 => ask(client, &SyncGroupRequest::default().with_group_id(group(GROUP)).with_member_id(text("m"))),
        15 => ask(client, &DescribeGroupsRequest::default().with_groups(vec![group(GROUP)])),
        16 => ask(client, &ListGroupsRequest::default()),
        17 => ask(client, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))),
        18 => ask(client, &ApiVersionsRequest::default().with_client_software_name(text("x")).with_client_software_version(text("1"))),
        19 => ask(client, &CreateTopicsRequest::default().with_timeout_ms(5_000).with_validate_only(true).with_topics(vec![CreatableTopic::default()
            .with_name(topic_name("ws.otter.new")).with_num_partitions(1).with_replication_factor(1)])),
        20 => ask(client, &DeleteTopicsRequest::default().with_topics(vec![delete_topics_request::DeleteTopicState::default()
            .with_name(Some(topic_name("ws.otter.gone")))])),
        21 => ask(client, &DeleteRecordsRequest::default().with_topics(vec![DeleteRecordsTopic::default().with_name(topic_name(TOPIC))
            .with_partitions(vec![DeleteRecordsPartition::default()])])),
        22 => ask(client, &InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000)),
        23 => ask(client, &OffsetForLeaderEpochRequest::default().with_topics(vec![OffsetForLeaderTopic::default().with_topic(topic_name(TOPIC))
            .with_partitions(vec![OffsetForLeaderPartition::default().with_current_leader_epoch(-1)])])),
        29 => ask(client, &DescribeAclsRequest::default().with_resource_type_filter(1).with_pattern_type_filter(1).with_operation(1)
            .with_permission_type(1)),
        30 => ask(client, &CreateAclsRequest::default().with_creations(vec![create_acls_request::AclCreation::default()
            .with_resource_type(TOPIC_RESOURCE).with_resource_name(text(TOPIC)).with_resource_pattern_type(3)
            .with_principal(text("User:ghost")).with_host(text("*")).with_operation(3).with_permission_type(3)])),
        31 => ask(client, &DeleteAclsRequest::default().with_filters(vec![delete_acls_request::DeleteAclsFilter::default()
            .with_resource_type_filter(1).with_pattern_type_filter(1).with_principal_filter(Some(text("User:ghost"))).with_operation(1)
            .with_permission_type(1)])),
        32 => ask(client, &DescribeConfigsRequest::default().with_resources(vec![DescribeConfigsResource::default()
            .with_resource_type(TOPIC_RESOURCE).with_resource_name(text(TOPIC)).with_configuration_keys(None)])),
        33 => ask(client, &AlterConfigsRequest::default().with_validate_only(true).with_resources(vec![
            alter_configs_request::AlterConfigsResource::default().with_resource_type(TOPIC_RESOURCE).with_resource_name(text(TOPIC))])),
        35 => ask(client, &DescribeLogDirsRequest::default().with_topics(None)),
        36 => ask(client, &SaslAuthenticateRequest::default()),
        37 => ask(client, &CreatePartitionsRequest::default().with_timeout_ms(5_000).with_validate_only(true).with_topics(vec![
            CreatePartitionsTopic::default().with_name(topic_name(TOPIC)).with_count(3).with_assignments(None)])),
        42 => ask(client, &DeleteGroupsRequest::default().with_groups_names(vec![group("otter-gone")])),
        44 => ask(client, &IncrementalAlterConfigsRequest::default().with_validate_only(true).with_resources(vec![
            incremental_alter_configs_request::AlterConfigsResource::default().with_resource_type(TOPIC_RESOURCE).with_resource_name(text(TOPIC))])),
        47 => ask(client, &OffsetDeleteRequest::default().with_group_id(group("otter-gone"))),
        48 => ask(client, &DescribeClientQuotasRequest::default()),
        49 => ask(client, &AlterClientQuotasRequest::default().with_validate_only(true).with_entries(vec![
            alter_client_quotas_request::EntryData::default().with_entity(vec![alter_client_quotas_request::EntityData::default()
                .with_entity_type(text("user")).with_entity_name(Some(text(OWNER)))])])),
        50 => ask(client, &DescribeUserScramCredentialsRequest::default().with_users(None)),
        51 => ask(client, &AlterUserScramCredentialsRequest::default().with_deletions(vec![
            alter_user_scram_credentials_request::ScramCredentialDeletion::default().with_name(text("ghost")).with_mechanism(1)])),
        60 => ask(client, &DescribeClusterRequest::default().with_endpoint_type(1)),
        75 => ask(client, &DescribeTopicPartitionsRequest::default().with_response_partition_limit(10).with_topics(vec![
            describe_topic_partitions_request::TopicRequest::default().with_name(topic_name(TOPIC))])),
        other => panic!("no question for key {other}: add one"),
    }
}

/// What the row says about a role: served, closed, or refused with an error.
fn expected(row: &ApiRow, role: &str) -> Result<Option<ErrorCode>, ()> {
    match (row.access, role) {
        (Access::BeforeLogin, _) => Ok(None),
        (_, "nobody") => Err(()),
        (Access::LoggedIn, _) | (_, "instructor") => Ok(None),
        (Access::Owner(_), OWNER) => Ok(None),
        (Access::Owner(error) | Access::Instructor(error), _) => Ok(Some(error)),
    }
}

#[test]
fn each_key_answers_each_role_as_its_row_says() {
    let room = Classroom::open();
    let mut wrong = Vec::new();
    for row in APIS {
        for role in ROLES {
            let mut client = if role == "nobody" { room.stranger() } else { room.login(role) };
            let outcome = question(row.key, &mut client);
            let fits = match expected(row, role) {
                Err(()) => outcome == Outcome::Closed,
                Ok(None) => outcome != Outcome::Closed && outcome.refusals().is_empty(),
                Ok(Some(error)) => !outcome.refusals().is_empty() && outcome.refusals().iter().all(|code| *code == error.code()),
            };
            if !fits {
                wrong.push(format!("{} by {role}: expected {:?}, got {outcome:?}", row.name, row.access));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} keys x {} roles: {} answers as expected", APIS.len(), ROLES.len(), APIS.len() * ROLES.len());
}

#[test]
fn lists_show_what_one_may_see() {
    let room = Classroom::open();
    let names = |client: &mut Client| {
        let mut names: Vec<String> = client.metadata(None).topics.iter().map(|t| t.name.as_ref().unwrap().to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&mut room.login("otter")), ["ecommerce-events", "ws.otter.c01"]);
    assert_eq!(names(&mut room.login("heron")), ["ecommerce-events"]);
    let all = names(&mut room.login("instructor"));
    assert!(all.contains(&"ws.otter.c01".to_owned()));
    // Groups too.
    for user in ["otter", "heron"] {
        let mut client = room.login(user);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group(&format!("{user}-g")))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![
                OffsetCommitRequestTopic::default()
                    .with_name(topic_name("ecommerce-events"))
                    .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)]),
            ]);
        assert_eq!(client.ask(8, &commit).topics[0].partitions[0].error_code, 0);
    }
    let groups = |user: &str| {
        let listed = room.login(user).ask(4, &ListGroupsRequest::default());
        let mut ids: Vec<String> = listed.groups.iter().map(|g| g.group_id.to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(groups("otter"), ["otter-g"]);
    assert_eq!(groups("heron"), ["heron-g"]);
    assert_eq!(groups("instructor"), ["heron-g", "otter-g"]);
}

#[test]
fn topics_come_into_being_under_ones_own_prefix_only() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    let error = |client: &mut Client, name: &str| client.metadata(Some(&[name])).topics[0].error_code;
    assert_eq!(error(&mut otter, "ws.otter.fresh"), 3, "made by being asked for");
    assert_eq!(error(&mut otter, "ws.otter.fresh"), 0);
    for name in ["ws.heron.fresh", "fresh", "ws.otterly.fresh", "_truth", "__consumer_offsets"] {
        assert_eq!(error(&mut otter, name), 29, "{name}");
        assert!(room.broker.catalog.get(name).is_none() || name.starts_with('_'), "{name}");
    }
    let seen = room.broker.sightings.user("otter").unwrap();
    assert!(seen.troubles.iter().any(|t| t.what == "not allowed: Describe on Topic ws.heron.fresh"), "{seen:?}");
}

/// Kafka says that it is not allowed, which ends readers of a stream that begins anew.
#[test]
fn a_stream_that_is_not_there_is_missing_for_its_readers_and_not_forbidden() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    let stream = "ecommerce-events";
    drop(room.broker.catalog.delete(&headwater::model::TopicName::new(stream)).expect("a stream"));
    assert_eq!(otter.metadata(Some(&[stream])).topics[0].error_code, 3);
    assert!(room.broker.catalog.get(stream).is_none(), "nobody but the broker makes it");
}

#[test]
fn a_right_that_is_taken_away_counts_from_the_next_request_on() {
    let room = Classroom::open();
    let mut otter = room.login("otter");
    let error = |client: &mut Client| {
        client.try_ask(12, &fetch_request("ecommerce-events", 0, 0, 0)).unwrap().responses[0].partitions[0].error_code
    };
    assert_eq!(error(&mut otter), 0);
    let filter = headwater::security::AclFilter { principal: Some("User:otter".to_owned()), ..Default::default() };
    room.broker.security.change(|rules| rules.authorizer.remove(&filter)).unwrap();
    assert_eq!(error(&mut otter), 29);
}
