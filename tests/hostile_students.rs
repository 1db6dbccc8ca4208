//! Students who try what is not theirs, against the running program with the rights that joining really gives.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use client::{Client, text, topic_name};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::*;
use running::Running;
use serde_json::{Value, json};
use tempfile::tempdir;

const CODE: &str = "otter-4821";
const CLUSTER_REFUSED: i16 = 31;

fn classroom(folder: &Path) -> Running {
    Running::start(folder, &["--classroom", "--workshop-code", CODE, "--ballast-mib", "0"])
}

fn ask(address: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n{token}");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|_| json!(body)))
}

struct Student {
    id: String,
    user: String,
    password: String,
    token: String,
}

fn join(broker: &Running) -> Student {
    let (status, answer) = ask(broker.http.unwrap(), "POST", "/api/join", None, &json!({ "code": CODE }));
    assert_eq!(status, 200, "{answer}");
    let text = |field: &str| answer[field].as_str().unwrap_or_else(|| panic!("no {field}")).to_owned();
    Student { id: text("id"), user: text("user"), password: text("password"), token: text("token") }
}

fn try_login(broker: &Running, user: &str, password: &str) -> (i16, Client) {
    let mut client = Client::connect(broker.kafka);
    let handshake = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    assert_eq!(handshake.error_code, 0);
    let bytes = format!("\0{user}\0{password}").into_bytes().into();
    let answer = client.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(bytes));
    (answer.error_code, client)
}

fn login(broker: &Running, user: &str, password: &str) -> Client {
    let (error, client) = try_login(broker, user, password);
    assert_eq!(error, 0);
    client
}

impl Student {
    fn client(&self, broker: &Running) -> Client {
        login(broker, &self.user, &self.password)
    }
}

fn instructor(broker: &Running) -> String {
    let body = json!({ "user": "instructor", "password": broker.instructor_secret() });
    let (status, answer) = ask(broker.http.unwrap(), "POST", "/api/login", None, &body);
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

fn commit(client: &mut Client, group: &str, topic: &str) {
    let request =
        OffsetCommitRequest::default().with_group_id(GroupId(text(group))).with_generation_id_or_member_epoch(-1).with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(0)]),
        ]);
    assert_eq!(client.ask(8, &request).topics[0].partitions[0].error_code, 0);
}

#[test]
fn a_student_learns_nothing_of_other_users_rules_groups_and_files() {
    let folder = tempdir().unwrap();
    let broker = classroom(folder.path());
    let (one, other) = (join(&broker), join(&broker));
    let mut victim = one.client(&broker);
    let topic = format!("ws.{}.diary", one.id);
    victim.create_topic(&topic, 1, &[]);
    commit(&mut victim, &format!("{}-secret", one.id), &topic);
    let mut eve = other.client(&broker);
    let everything =
        DescribeAclsRequest::default().with_resource_type_filter(1).with_pattern_type_filter(1).with_operation(1).with_permission_type(1);
    assert_eq!(eve.ask(3, &everything).error_code, CLUSTER_REFUSED, "rules name every student");
    let users = DescribeUserScramCredentialsRequest::default().with_users(None);
    assert_eq!(eve.ask(0, &users).error_code, CLUSTER_REFUSED, "who there is");
    let folders = eve.ask(4, &DescribeLogDirsRequest::default().with_topics(None));
    assert_eq!(folders.error_code, CLUSTER_REFUSED, "all topics with their sizes");
    assert_eq!(eve.ask(1, &DescribeClientQuotasRequest::default()).error_code, CLUSTER_REFUSED);
    let groups = eve.ask(4, &ListGroupsRequest::default()).groups;
    assert!(groups.is_empty(), "{groups:?}");
    let mut instructor = login(&broker, "instructor", broker.instructor_secret());
    assert_eq!(instructor.ask(4, &ListGroupsRequest::default()).groups.len(), 1);
    // What idempotent producers need is still there.
    let idempotent = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000);
    assert_eq!(eve.ask(4, &idempotent).error_code, 0);
}
