//! A broker in this process with a listener that asks who comes in, and three users: the instructor, otter and heron.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater::broker::security::Access;
use headwater::broker::{Broker, BrokerOptions, Endpoint, NewTopic};
use headwater::config::{Advertise, BrokerLayers, Protocol};
use headwater::security::{Acl, Hash, Operation, PatternType, Permission, ResourceType};
use headwater::server::{Limits, Listener, Server};
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest};

use super::client::{Client, text};

pub const PASSWORD: &str = "correct horse";
pub const USERS: [&str; 3] = ["instructor", "otter", "heron"];

pub struct Classroom {
    pub broker: Arc<Broker>,
    /// The listener with a login.
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// What a student may do.
fn rights(user: &str) -> Vec<Acl> {
    use Operation::{All, Delete, DescribeConfigs, IdempotentWrite, Read};
    use PatternType::{Literal, Prefixed};
    use ResourceType::{Cluster, Group, Topic, TransactionalId};
    let allow = |resource, pattern, name: String, operation| Acl {
        resource,
        name,
        pattern,
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation,
        permission: Permission::Allow,
    };
    vec![
        allow(Topic, Prefixed, format!("ws.{user}."), All),
        allow(Topic, Literal, "ecommerce-events".to_owned(), Read),
        allow(Topic, Literal, "ecommerce-events".to_owned(), DescribeConfigs),
        allow(Group, Prefixed, user.to_owned(), Read),
        allow(Group, Prefixed, user.to_owned(), Delete),
        allow(TransactionalId, Prefixed, user.to_owned(), All),
        allow(Cluster, Literal, "kafka-cluster".to_owned(), IdempotentWrite),
    ]
}

impl Classroom {
    pub fn open() -> Classroom {
        Classroom::with(|_| {})
    }

    pub fn with(limit: impl FnOnce(&mut Limits) + Send + 'static) -> Classroom {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        let (sender, opened) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let configs = BrokerLayers::new([].into()).expect("configs");
                let options = BrokerOptions { data_dir: path, access: Access::Instructor, configs, guards: Default::default() };
                let broker = Broker::open(options).expect("a broker");
                for user in USERS {
                    broker.security.set_password(user, PASSWORD).expect("a user");
                }
                let rules = ["otter", "heron"].into_iter().flat_map(rights);
                broker.security.change(|all| rules.for_each(|acl| all.authorizer.add(acl))).expect("rules");
                for name in ["ecommerce-events", "ws.otter.c01"] {
                    broker.create_topic(NewTopic { name: name.into(), partitions: 1, overrides: [].into() }).await.expect("a topic");
                }
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                let endpoint = Arc::new(Endpoint::new("CLASS", Protocol::SaslPlaintext, address, Advertise::Auto));
                let mut limits = Limits::new(1 << 20, 16 << 20, 1_000, Duration::from_secs(60));
                limit(&mut limits);
                let serving = Server { broker: Arc::clone(&broker), limits }.run(Listener::new(listener, endpoint, None));
                sender.send((broker, address)).expect("somebody waits");
                serving.await;
            });
        });
        let (broker, address) = opened.recv_timeout(Duration::from_secs(60)).expect("it opens");
        Classroom { broker, address, _folder: folder }
    }

    /// A connection that has not said who it is.
    pub fn stranger(&self) -> Client {
        let client = Client::connect(self.address);
        client.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        client
    }

    pub fn login(&self, user: &str) -> Client {
        let mut client = self.stranger();
        handshake(&mut client, "PLAIN");
        let answer = token(&mut client, format!("\0{user}\0{PASSWORD}").as_bytes()).expect("an answer");
        assert_eq!(answer.error_code, 0, "{answer:?}");
        client
    }
}

/// SaslHandshake, version 1, which has to succeed.
pub fn handshake(client: &mut Client, mechanism: &str) {
    let answer = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text(mechanism)));
    assert_eq!(answer.error_code, 0, "{answer:?}");
}

pub fn token(client: &mut Client, bytes: &[u8]) -> io::Result<SaslAuthenticateResponse> {
    client.try_ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(bytes.to_vec().into()))
}

/// A token as a frame of its own.
pub fn bare_token(client: &mut Client, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let size = u32::try_from(bytes.len()).expect("a size");
    client.stream.write_all(&[&size.to_be_bytes()[..], bytes].concat())?;
    client.receive().map(|frame| frame.to_vec())
}

/// A SCRAM client that can be told to say something wrong at any place.
pub struct Scram {
    pub hash: Hash,
    pub gs2: String,
    pub nonce: String,
    pub bare: String,
    pub password: String,
}

impl Scram {
    pub fn new(user: &str, password: &str) -> Scram {
        let nonce = format!("n{:?}", std::time::Instant::now()).replace(|c: char| !c.is_ascii_alphanumeric(), "");
        Scram { hash: Hash::Sha256, gs2: "n,,".to_owned(), bare: format!("n={user},r={nonce}"), nonce, password: password.to_owned() }
    }

    pub fn mechanism(&self) -> &'static str {
        match self.hash {
            Hash::Sha256 => "SCRAM-SHA-256",
            Hash::Sha512 => "SCRAM-SHA-512",
        }
    }

    pub fn first(&self) -> String {
        format!("{}{}", self.gs2, self.bare)
    }

    /// The final message to the server's challenge, and the signature that the server owes.
    pub fn last(&self, challenge: &str) -> (String, String) {
        let part = |name: &str| challenge.split(',').find_map(|p| p.strip_prefix(name)).expect("a part").to_owned();
        let (nonce, salt, iterations) = (part("r="), STANDARD.decode(part("s=")).expect("base64"), part("i=").parse().expect("a number"));
        assert!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len());
        self.prove(challenge, &nonce, &salt, iterations)
    }

    pub fn prove(&self, challenge: &str, nonce: &str, salt: &[u8], iterations: u32) -> (String, String) {
        let salted = self.hash.salted_password(self.password.as_bytes(), salt, iterations);
        self.prove_by(&salted, challenge, nonce)
    }

    pub fn prove_by(&self, salted: &[u8], challenge: &str, nonce: &str) -> (String, String) {
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(&self.gs2));
        let message = format!("{},{challenge},{without_proof}", self.bare);
        let key = self.hash.hmac(salted, &[b"Client Key"]);
        let signature = self.hash.hmac(&self.hash.digest(&key), &[message.as_bytes()]);
        let proof: Vec<u8> = key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hash.hmac(salted, &[b"Server Key"]);
        let owed = format!("v={}", STANDARD.encode(self.hash.hmac(&server_key, &[message.as_bytes()])));
        (format!("{without_proof},p={}", STANDARD.encode(proof)), owed)
    }
}
