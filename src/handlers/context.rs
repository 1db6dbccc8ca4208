//! What a handler is given beside its request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::HangUp;
use super::login::Login;
use super::thread_time::ThreadTime;
use super::told::Told;
use crate::broker::meters::Seat;
use crate::broker::security::Rules;
use crate::broker::sightings::{Mishap, Place};
use crate::broker::{Broker, Endpoint};
use crate::model::Pace;
use crate::model::request_seen::{RequestClient, RequestFacts};
use crate::security::{Operation, Principal, Resource, ResourceType};
use crate::wire::request::RequestHeader;
use crate::wire::response;

/// Producer ids that a connection gets at once before their rate counts.
const PRODUCER_IDS_AT_ONCE: u32 = 10;

const SOFTWARE_CHARS_MAX: usize = 100;

/// The other end of a connection, and which end of ours it reached.
pub struct Peer {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// The listener it came in by.
    pub endpoint: Arc<Endpoint>,
    /// The name by which it asked for us in TLS.
    pub server_name: Option<String>,
    /// Where it is, as rules name it.
    host: String,
    /// Name and version as the client gave them in ApiVersions (KIP-511), empty before.
    software: Mutex<(String, String)>,
    /// How fast it gets producer ids.
    producer_ids: Mutex<(Instant, Pace)>,
    login: Mutex<Login>,
    /// Its place among its user's connections.
    seat: Mutex<Option<Seat>>,
    /// The user that a login failed as, if there is one of that name.
    claimed: Mutex<Option<String>>,
    /// It was told an address that is not the one it reached, and has done nothing but ask since.
    sent_away: AtomicBool,
    pub time: ThreadTime,
}

impl Peer {
    pub fn new(remote: SocketAddr, local: SocketAddr, endpoint: Arc<Endpoint>, server_name: Option<String>) -> Peer {
        let producer_ids = Mutex::new((Instant::now(), Pace::new(PRODUCER_IDS_AT_ONCE)));
        let login = Mutex::new(if endpoint.protocol.logs_in() { Login::Expected } else { Login::In(Principal::anonymous()) });
        let host = remote.ip().to_canonical().to_string();
        Peer {
            remote,
            local,
            endpoint,
            server_name,
            host,
            software: Mutex::default(),
            producer_ids,
            login,
            seat: Mutex::default(),
            claimed: Mutex::default(),
            sent_away: AtomicBool::new(false),
            time: ThreadTime::default(),
        }
    }

    /// Where it was seen.
    pub fn place(&self) -> Place<'_> {
        Place { from: self.remote.ip(), listener: &self.endpoint.name }
    }

    pub fn with_login<T>(&self, look: impl FnOnce(&Login) -> T) -> T {
        look(&self.login.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_login(&self, login: Login) {
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = login;
    }

    /// Keeps its place until it closes.
    pub fn take_seat(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
    }

    pub fn set_claimed(&self, user: &str) {
        *self.claimed.lock().unwrap_or_else(PoisonError::into_inner) = Some(user.to_owned());
    }

    pub fn claimed(&self) -> Option<String> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_sent_away(&self) {
        self.sent_away.store(true, Relaxed);
    }

    /// Whether it was sent away and now works here all the same.
    pub fn stays_after_all(&self) -> bool {
        self.sent_away.load(Relaxed) && self.sent_away.swap(false, Relaxed)
    }

    /// Takes the login's state out. Nobody is in until it is put back.
    pub fn take_login(&self) -> Login {
        std::mem::replace(&mut *self.login.lock().unwrap_or_else(PoisonError::into_inner), Login::Failed)
    }

    /// Who it is: nobody until the login is done.
    pub fn principal(&self) -> Option<Principal> {
        self.with_login(|login| match login {
            Login::In(principal) => Some(principal.clone()),
            Login::Expected | Login::Exchange { .. } | Login::Failed => None,
        })
    }

    pub fn is_logged_in(&self) -> bool {
        self.with_login(|login| matches!(login, Login::In(_)))
    }

    /// Whether the next frame is a token without a header.
    pub fn expects_token(&self) -> bool {
        self.with_login(|login| matches!(login, Login::Exchange { bare: true, .. }))
    }

    /// How long the next producer id has to wait.
    pub fn wait_for_producer_id(&self, per_second: u32) -> Duration {
        let mut pace = self.producer_ids.lock().unwrap_or_else(PoisonError::into_inner);
        let now = u64::try_from(pace.0.elapsed().as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(pace.1.take(now, per_second))
    }

    pub fn set_software(&self, name: &str, version: &str) {
        // Kept as long as the connection: a client must not say how much.
        let cut = |text: &str| text.chars().take(SOFTWARE_CHARS_MAX).collect::<String>();
        *self.software.lock().unwrap_or_else(PoisonError::into_inner) = (cut(name), cut(version));
    }

    /// The client as a log line names it: software if it said, and client id.
    pub fn name(&self, client_id: &str) -> String {
        let (name, version) = self.software();
        if name.is_empty() { format!("client id {client_id:?}") } else { format!("{name} {version}, client id {client_id:?}") }
    }

    /// As the log of requests names it.
    pub fn request_client(&self, client_id: &str) -> RequestClient {
        RequestClient {
            client_id: client_id.to_owned(),
            software: self.software_text(),
            listener: self.endpoint.name.clone(),
            from: self.host.clone(),
        }
    }

    /// Name and version in one text, empty if the client gave none.
    pub fn software_text(&self) -> String {
        let (name, version) = self.software();
        format!("{name} {version}").trim().to_owned()
    }

    /// Whether `software_text` is this.
    pub fn says_it_is(&self, software: &str) -> bool {
        let said = self.software.lock().unwrap_or_else(PoisonError::into_inner);
        software.strip_prefix(said.0.as_str()).is_some_and(|rest| rest.trim_start() == said.1)
    }

    pub fn software(&self) -> (String, String) {
        self.software.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub struct Context {
    pub broker: Arc<Broker>,
    pub header: RequestHeader,
    pub peer: Arc<Peer>,
    /// Who asks; before the login nobody.
    pub principal: Option<Principal>,
    /// The rules when the request came.
    pub rules: Arc<Rules>,
    /// How long the connection rests after the answer.
    pub(super) rest_ms: AtomicI32,
    /// What the log of requests will tell of this one.
    facts: Mutex<RequestFacts>,
}

/// What goes back on the connection.
pub enum Reply {
    /// Whole frame, size prefix first.
    Frame(Bytes),
    /// The pieces of one frame, in order: small headers and big slices that nobody copied.
    Parts(Vec<Bytes>),
    /// Whole frame, after which the connection ends.
    Last(Bytes),
    /// Nothing is sent (acks=0).
    Nothing,
}

impl Reply {
    /// The same as the last thing that is said.
    pub fn and_hang_up(self) -> Reply {
        match self {
            Reply::Frame(frame) => Reply::Last(frame),
            other => other,
        }
    }
}

impl Context {
    pub fn new(broker: Arc<Broker>, header: RequestHeader, peer: Arc<Peer>) -> Context {
        let (principal, rules) = (peer.principal(), broker.security.rules());
        Context { broker, header, peer, principal, rules, rest_ms: AtomicI32::new(0), facts: Mutex::default() }
    }

    /// Whether who asks may do this.
    pub fn may(&self, operation: Operation, resource: Resource<'_>) -> bool {
        let allows = |principal| self.rules.authorizer.allows(principal, &self.peer.host, operation, resource);
        self.principal.as_ref().is_some_and(allows)
    }

    /// Whether who asks logged in as somebody who has been removed since.
    pub fn user_is_gone(&self) -> bool {
        let gone = |principal: &Principal| self.rules.credentials.of(principal.name()).is_empty();
        self.peer.endpoint.protocol.logs_in() && self.principal.as_ref().is_some_and(gone)
    }

    /// Whether there is any resource of this type on which who asks may do this.
    pub fn may_on_any(&self, operation: Operation, kind: ResourceType) -> bool {
        let allows = |principal| self.rules.authorizer.allows_on_any(principal, &self.peer.host, operation, kind);
        self.principal.as_ref().is_some_and(allows)
    }

    pub fn reply<R: Encodable + Told>(&self, response: &R) -> Result<Reply, HangUp> {
        let header = &self.header;
        self.note(|facts| response.told(facts));
        Ok(Reply::Frame(response::encode(header.api_key, header.api_version, header.correlation_id, response)?))
    }

    /// The same of a client that does not say which software it is.
    pub fn note_client_once(&self) {
        if self.peer.software().0.is_empty() && !self.peer.endpoint.protocol.logs_in() {
            self.note_client();
        }
    }

    /// Adds to what the log of requests will tell of this one.
    pub fn note(&self, add: impl FnOnce(&mut RequestFacts)) {
        add(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn take_facts(&self) -> RequestFacts {
        std::mem::take(&mut *self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the client that who asks is using.
    pub fn note_client(&self) {
        if let Some(principal) = self.peer.principal() {
            let (name, version) = self.peer.software();
            let place = self.peer.place();
            self.broker.sightings.connected(&principal, (&name, &version), self.client_id(), place, self.broker.now());
        }
    }

    /// Notes that who asks was refused something.
    fn note_refusal(&self, operation: Operation, resource: Resource<'_>) {
        let Some(principal) = &self.principal else { return };
        let what = format!("not allowed: {operation:?} on {:?} {}", resource.kind, resource.name.chars().take(100).collect::<String>());
        let fix = "Names of your own topics and groups begin with your prefix (whoami shows it); the workshop's topics can be read.";
        let place = self.peer.place();
        self.broker.sightings.trouble(Some(principal.name()), Mishap::new(what, fix), place, self.broker.now());
    }

    /// Whether who asks may do this; if not, it is noted.
    pub fn allowed(&self, operation: Operation, resource: Resource<'_>) -> bool {
        let may = self.may(operation, resource);
        if !may {
            self.note_refusal(operation, resource);
        }
        may
    }

    /// Host and port that clients are told to connect to.
    pub fn advertised(&self) -> (StrBytes, i32) {
        let (host, port) = self.peer.endpoint.advertised(self.peer.local, self.peer.server_name.as_deref());
        (StrBytes::from_string(host), i32::from(port))
    }

    /// Notes that who asks is told to go on at another address than it reached.
    pub fn note_sent_away(&self, host: &str, port: i32) {
        let Peer { local, server_name, .. } = self.peer.as_ref();
        let reached = local.ip().to_canonical().to_string();
        let same_host = host == reached || server_name.as_deref() == Some(host);
        if same_host && port == i32::from(local.port()) {
            return;
        }
        let Some(principal) = &self.principal else { return };
        self.peer.set_sent_away();
        let told = format!("{host}:{port}");
        self.broker.sightings.sent_away(
            principal,
            self.peer.remote,
            (&told, &format!("{reached}:{}", local.port())),
            self.peer.place(),
            self.broker.now(),
        );
    }

    pub fn client_id(&self) -> &str {
        self.header.client_id.as_deref().unwrap_or("")
    }

    /// The client as a log line names it.
    pub fn client_name(&self) -> String {
        self.peer.name(self.client_id())
    }
}
