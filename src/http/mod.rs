//! Floor 5: the web page, its data, and what monitoring asks for.
//!
//! Reads the cluster through `Cluster` only. Content of messages is hostile: it leaves as JSON and is put on the page as
//! text, never as markup. Every answer carries the headers of `router.rs`. Start with `router.rs`: one line per page.

mod answer;
mod attempts;
mod caller;
mod challenges;
mod checks;
mod class;
mod console;
mod content;
mod course;
mod cursor;
mod dashboard;
mod doctor;
mod door;
mod download;
mod encrypted;
mod fields;
mod filter;
mod generators;
mod groups;
mod groups_page;
mod guards;
mod health;
mod history;
mod join_code;
mod joining;
mod light;
mod live;
mod live_events;
mod live_page;
mod medallion;
mod metrics;
pub mod openapi;
mod overview;
mod paces;
mod plain;
mod produce;
mod progress;
mod records;
mod report;
mod request_errors;
pub mod request_words;
mod requests;
mod reset;
mod room;
mod router;
pub mod routes;
mod scan;
mod schemas;
mod seen;
mod server_info;
pub mod settings;
mod snapshot;
pub mod snippet;
mod student_tool;
mod students;
mod tickets;
mod topic_page;
mod topics;
mod wheelhouse;
mod wheels;
mod whose;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use axum::serve::ListenerExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broker::CaInfo;
use crate::cluster::{Cluster, Kind, ListenerSummary};
use crate::config::{Address, Advertise};
use crate::generators::Runner;
use crate::workshop::{Course, Room, Workshop};
use caller::Secure;

pub use encrypted::serve_encrypted;
pub use wheelhouse::Wheelhouse;

/// Counters are read again for whoever asks when they were read longer ago.
const SAMPLE_WITHIN: Duration = Duration::from_secs(1);

/// What every page can reach.
#[derive(Clone)]
pub struct HttpState {
    cluster: Arc<dyn Cluster>,
    /// `None`: one person, who does not log in.
    workshop: Option<Arc<Workshop>>,
    /// `None`: there are no challenges.
    course: Option<Arc<Course>>,
    /// Rates of the last seconds, and what was over the last day.
    history: Arc<history::History>,
    groups: Arc<groups::Groups>,
    paces: Arc<paces::Paces>,
    live: Arc<live::Live>,
    /// Somebody looks at the cluster for all pages.
    looked_at: Arc<AtomicBool>,
    overview: Arc<overview::OverviewCache>,
    attempts: Arc<attempts::Attempts>,
    words: Arc<reset::Words>,
    snapshot: Arc<snapshot::SnapshotCache>,
    scans: Arc<scan::Scans>,
    downloads: Arc<download::Downloads>,
    /// What everybody in the room is told; `subscribe()` hears of changes.
    room: Arc<watch::Sender<Room>>,
    commands: Arc<console::Commands>,
    generators: Option<Arc<Runner>>,
    authority: Option<Arc<CaInfo>>,
    https_port: Option<u16>,
    /// Of another cluster: by what students' clients log in.
    student_login: Option<Arc<StudentLogin>>,
    /// Packages that students install.
    wheelhouse: Option<Arc<Wheelhouse>>,
    /// Names that the pages answer to, in lower case, beside those that everybody has.
    host_names: Arc<Vec<String>>,
}

/// By what students' clients log in to a cluster whose users are not Headwater's; what is not known each student puts in.
#[derive(Clone, Debug, Default)]
pub struct StudentLogin {
    pub user: Option<String>,
    pub password: Option<String>,
}

/// A listener, and the address by which a client reaches it.
struct Entrance {
    listener: ListenerSummary,
    address: Address,
}

impl HttpState {
    /// For one person who does not log in.
    pub fn new(cluster: Arc<dyn Cluster>) -> HttpState {
        HttpState {
            cluster,
            workshop: None,
            course: None,
            history: Arc::default(),
            groups: Arc::default(),
            paces: Arc::default(),
            live: Arc::default(),
            looked_at: Arc::default(),
            overview: Arc::default(),
            attempts: Arc::default(),
            words: Arc::default(),
            snapshot: Arc::default(),
            scans: Arc::default(),
            downloads: Arc::default(),
            room: Arc::new(watch::Sender::new(Room::default())),
            commands: Arc::default(),
            generators: None,
            authority: None,
            https_port: None,
            student_login: None,
            wheelhouse: None,
            host_names: Arc::new(guards::machine_names()),
        }
    }

    /// For a class: people log in.
    pub fn with_workshop(self, workshop: Option<Arc<Workshop>>) -> HttpState {
        HttpState { workshop, ..self }
    }

    /// With challenges.
    pub fn with_course(self, course: Option<Arc<Course>>) -> HttpState {
        let room = course.as_ref().map_or_else(|| Arc::clone(&self.room), |course| course.room_channel());
        HttpState { course, room, ..self }
    }

    /// With the generators that fill the cluster's topics.
    pub fn with_generators(self, generators: Option<Arc<Runner>>) -> HttpState {
        HttpState { generators, ..self }
    }

    /// With the certificate that signed our own, and the port on which these pages are encrypted.
    pub fn with_tls(self, authority: Option<Arc<CaInfo>>, https_port: Option<u16>) -> HttpState {
        HttpState { authority, https_port, ..self }
    }

    /// With the login that students' clients have at another cluster.
    pub fn with_student_login(self, login: StudentLogin) -> HttpState {
        HttpState { student_login: Some(Arc::new(login)), ..self }
    }

    /// With packages that students install from here.
    pub fn with_wheelhouse(self, wheelhouse: Option<Arc<Wheelhouse>>) -> HttpState {
        HttpState { wheelhouse, ..self }
    }

    /// With more names that these pages may be asked for by.
    pub fn with_host_names(self, names: &[String]) -> HttpState {
        let more = names.iter().map(|name| name.to_ascii_lowercase());
        HttpState { host_names: Arc::new(self.host_names.iter().cloned().chain(more).collect()), ..self }
    }

    /// Counts what came since the last time.
    fn sample(&self) -> history::Process {
        let process = history::Process::look();
        self.history.sample(Instant::now(), groups::now_ms(), &self.cluster.metrics(), process);
        process
    }

    /// Rates as of now.
    fn rate(&self) -> history::Rate {
        if !self.history.is_fresh(SAMPLE_WITHIN) {
            self.sample();
        }
        self.history.rate()
    }

    /// What only the broker in this process counts; nothing where the cluster is another.
    fn counted<T>(&self, value: T) -> Option<T> {
        (self.cluster.kind() == Kind::Embedded).then_some(value)
    }

    /// Begins to look at the cluster for all pages, once.
    fn look_on(&self) -> Option<JoinHandle<()>> {
        let is_first = !self.looked_at.swap(true, Ordering::Relaxed);
        is_first.then(|| tokio::spawn(live::Live::look_on(self.clone())))
    }

    /// The listeners with the addresses to give a Kafka client on the machine that asked with these headers.
    fn entrances(&self, headers: &HeaderMap) -> Vec<Entrance> {
        let asked = headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(host_of);
        let entrance = |listener: ListenerSummary| Entrance { address: address(&listener, asked.as_deref()), listener };
        self.cluster.listeners().into_iter().map(entrance).collect()
    }
}

/// `asked` is the host by which the pages were reached.
fn address(listener: &ListenerSummary, asked: Option<&str>) -> Address {
    let ip = listener.bound.map_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), |bound| bound.ip().to_canonical());
    let bound_port = listener.bound.map_or(0, |bound| bound.port());
    match &listener.advertise {
        Advertise::As { host, port } => Address { host: host.clone(), port: port.unwrap_or(bound_port) },
        // Any of this machine's addresses: the one that just worked.
        _ if ip.is_unspecified() => Address { host: asked.unwrap_or("127.0.0.1").to_owned(), port: bound_port },
        _ => Address { host: ip.to_string(), port: bound_port },
    }
}

/// The host in a Host header, with or without a port.
fn host_of(header: &str) -> Option<String> {
    let with_port = Address::parse(header).or_else(|| Address::parse(&format!("{header}:0")));
    with_port.map(|address| address.host)
}

/// Pages that stay open end with the server, or it would wait for them.
async fn ending(stop: impl Future<Output = ()>, live: Arc<live::Live>) {
    stop.await;
    live.stop();
}

/// Serves until `stop` ends. The listener is bound by the caller, so that a taken port is known before anything else.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: HttpState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (looking, live) = (state.look_on(), Arc::clone(&state.live));
    let listener = listener.tap_io(|stream| door::prepare(stream));
    let served = door::serve(listener, Secure(false), router::router(state), ending(stop, live)).await;
    looking.iter().for_each(JoinHandle::abort);
    served
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod class_fixture;

#[cfg(test)]
mod openapi_tests;

#[cfg(test)]
mod live_tests;

#[cfg(test)]
mod groups_tests;

#[cfg(test)]
mod roles_tests;

#[cfg(test)]
mod records_tests;

#[cfg(test)]
mod course_tests;

#[cfg(test)]
mod course_hostile_tests;

#[cfg(test)]
mod room_tests;
