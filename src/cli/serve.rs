//! `headwater serve`: binds all ports, opens the folder, serves until told to stop.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing_subscriber::filter::LevelFilter;

use super::doors::{self, InstructorSecret};
use super::reach::{self, Surroundings};
use super::serve_cluster;
use super::startup::{Banner, StartError, bound};
use crate::broker::security::Access;
use crate::broker::{Broker, BrokerOptions, clock};
use crate::cluster::{Cluster, Embedded, Topics};
use crate::config::{Address, Advertise, Doors, Protocol, Settings};
use crate::generators::{DirtLevel, Runner, STREAMS};
use crate::handlers::APIS;
use crate::http::{self, HttpState, Wheelhouse};
use crate::server::{Limits, Server, TlsConfig};
use crate::workshop::{Challenges, Course, CourseOptions, Random, Workshop, WorkshopOptions};

/// Threads for what blocks on the disk.
const BLOCKING_THREADS_MAX: usize = 16;

/// Returns when the broker was told to stop, or could not start.
pub(super) fn serve(settings: &Settings) -> Result<(), StartError> {
    start_log(&settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    // The data folder holds what signs sessions, and everybody's records: nobody else on this machine may read them.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match &settings.cluster {
        Some(cluster) => serve_cluster::serve(settings, cluster),
        None => {
            // One network thread: on two cores it has the best latency and the least CPU.
            let threads = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
            threads.map_err(StartError::Runtime)?.block_on(run(settings))
        }
    }
}

async fn run(settings: &Settings) -> Result<(), StartError> {
    let mut stop = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let around = Surroundings::look();
    let challenges = challenges(settings)?;
    let wheelhouse = wheelhouse(settings)?;
    let bound = doors::bind(&settings.doors).await?;
    let options = BrokerOptions {
        data_dir: settings.data_dir.clone(),
        access: if settings.doors.classroom { Access::Instructor } else { Access::Everyone },
        configs: settings.broker.clone(),
        guards: settings.guards,
    };
    let broker = Broker::open(options).map_err(|error| StartError::Broker { folder: settings.data_dir.clone(), error })?;
    let api_names = APIS.iter().map(|row| (row.key, row.name)).collect();
    let cluster: Arc<dyn Cluster> = Arc::new(Embedded::new(Arc::clone(&broker), api_names));
    let opened = async {
        let open = doors::open(&broker, &settings.doors, bound, &around)?;
        let secret = doors::instructor_secret(&broker, &settings.doors).await?;
        let workshop = if settings.doors.classroom { Some(open_workshop(&cluster, settings).await?) } else { None };
        let course = open_course(&cluster, workshop.clone(), challenges).await?;
        Ok((open, secret, workshop, course))
    };
    let (open, secret, workshop, course) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            // Else the next start would take this one for a crash.
            broker.stop();
            broker.close();
            return Err(error);
        }
    };
    let mut banner = banner(&broker, &settings.doors, &open, secret, &around);
    banner.workshop_code = workshop.as_ref().map(|workshop| workshop.code());
    let limits = limits(&broker);
    let mut serving = JoinSet::new();
    for listener in open.listeners {
        serving.spawn(Server { limits: limits.clone(), broker: Arc::clone(&broker) }.run(listener));
    }
    let generators = settings.generators.then(|| {
        let dirt = DirtLevel::from_number(settings.dirt).unwrap_or_default();
        let runner = Runner::new(Arc::clone(&cluster) as Arc<dyn Topics>, Arc::new(clock::now), settings.seed, dirt);
        Arc::new(runner.with_clock(settings.clock))
    });
    let names = [settings.doors.http_names.as_slice(), settings.doors.tls.names.as_slice()].concat();
    let state = HttpState::new(Arc::clone(&cluster))
        .with_workshop(workshop)
        .with_course(Some(course))
        .with_generators(generators.clone())
        .with_tls(broker.node.authority(), broker.node.https().map(|bound| bound.port()))
        .with_wheelhouse(wheelhouse)
        .with_host_names(&names);
    let stopped = || {
        let stopping = Arc::clone(&broker);
        async move { stopping.stopped().await }
    };
    let pages = start_pages(stopped, &state, open.http, open.https);
    let generators = generators.map(|runner| tokio::spawn(async move { runner.run().await }));
    // A closed terminal is no reason to stop.
    let _ = std::io::stdout().write_all(banner.text().as_bytes());
    if let Some(certificates) = open.certificates {
        tokio::spawn(certificates.keep());
    }
    tokio::spawn(reach::watch(Arc::clone(&broker), around));

    tokio::select! {
        // Ctrl+C, or the signal that service managers and containers send.
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(StartError::Runtime)?,
        _ = stop.recv() => {}
    }
    broker.stop();
    if let Some(generators) = generators {
        generators.abort();
    }
    while serving.join_next().await.is_some() {}
    pages.iter().for_each(JoinHandle::abort);
    let closing = Arc::clone(&broker);
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    Ok(())
}

/// Those of this program, and those of a folder.
pub(super) fn challenges(settings: &Settings) -> Result<Challenges, StartError> {
    let mut challenges = Challenges::own().map_err(StartError::Challenges)?;
    if let Some(folder) = &settings.challenges {
        challenges.add_from(folder).map_err(StartError::Challenges)?;
    }
    Ok(challenges)
}

/// Packages for students, and a look at them now and then.
pub(super) fn wheelhouse(settings: &Settings) -> Result<Option<Arc<Wheelhouse>>, StartError> {
    let Some(folder) = &settings.wheelhouse else { return Ok(None) };
    let wheelhouse = Wheelhouse::open(folder).map_err(StartError::Wheelhouse)?;
    tokio::spawn(Arc::clone(&wheelhouse).keep());
    Ok(Some(wheelhouse))
}

fn chance() -> [u8; 32] {
    Sha256::digest([uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat()).into()
}

/// What there is to do, and how far everybody is.
pub(super) async fn open_course(
    cluster: &Arc<dyn Cluster>,
    workshop: Option<Arc<Workshop>>,
    challenges: Challenges,
) -> Result<Arc<Course>, StartError> {
    let options = CourseOptions { challenges, random: Random::new(chance), now: Arc::new(clock::now) };
    Course::open(Arc::clone(cluster), workshop, options).await.map(Arc::new).map_err(StartError::Workshop)
}

/// Who has joined, and what it takes to join.
pub(super) async fn open_workshop(cluster: &Arc<dyn Cluster>, settings: &Settings) -> Result<Arc<Workshop>, StartError> {
    let options = WorkshopOptions {
        code: settings.doors.workshop_code.clone(),
        streams: STREAMS.iter().map(|stream| stream.topic.to_owned()).collect(),
        random: Random::new(chance),
        now: Arc::new(clock::now),
    };
    Workshop::open(Arc::clone(cluster), options).await.map(Arc::new).map_err(StartError::Workshop)
}

type Encrypted = (TcpListener, watch::Receiver<Arc<TlsConfig>>);

pub(super) fn start_pages<F: Future<Output = ()> + Send + 'static>(
    stop: impl Fn() -> F,
    state: &HttpState,
    http: Option<TcpListener>,
    https: Option<Encrypted>,
) -> Vec<JoinHandle<()>> {
    let say = |result: std::io::Result<()>| {
        if let Err(error) = result {
            tracing::error!(%error, "the web page is down");
        }
    };
    let mut pages = Vec::new();
    if let Some(listener) = http {
        let serving = http::serve(listener, state.clone(), stop());
        pages.push(tokio::spawn(async move { say(serving.await) }));
    }
    if let Some((listener, tls)) = https {
        let serving = http::serve_encrypted(listener, tls, state.clone(), stop());
        pages.push(tokio::spawn(async move { say(serving.await) }));
    }
    pages
}

fn banner(broker: &Broker, doors: &Doors, open: &doors::Open, secret: InstructorSecret, around: &Surroundings) -> Banner {
    let listeners = broker.node.endpoints().into_iter().zip(&doors.listeners).map(|(endpoint, setting)| {
        let told = match endpoint.advertise() {
            Advertise::As { host, port } => Some(Address { host, port: port.unwrap_or(endpoint.bound.port()) }.to_string()),
            Advertise::Auto | Advertise::Sni => None,
        };
        let address = Address { host: setting.bind.host.clone(), port: endpoint.bound.port() };
        (address, doors::shown_name(&endpoint), told)
    });
    let page = |listener: Option<&TcpListener>, asked: &Option<Address>| listener.zip(asked.as_ref()).map(|(at, asked)| bound(at, asked));
    Banner {
        classroom: doors.classroom,
        listeners: listeners.collect(),
        cluster: None,
        http: page(open.http.as_ref(), &doors.http),
        https: page(open.https.as_ref().map(|(listener, _)| listener), &doors.https),
        fingerprint: broker.node.authority().map(|authority| authority.fingerprint.clone()),
        secret,
        workshop_code: doors.workshop_code.clone(),
        open: doors.listeners.first().is_some_and(|first| first.protocol == Protocol::Plaintext),
        own: own_name(broker, around),
        container: around.container,
    }
}

/// What students are told about the listeners is good for the pages too.
fn own_name(broker: &Broker, around: &Surroundings) -> String {
    match broker.node.endpoints().first().map(|endpoint| endpoint.advertise()) {
        Some(Advertise::As { host, .. }) => host,
        _ if around.container => "localhost".to_owned(),
        _ => around.own.map_or_else(|| "127.0.0.1".to_owned(), |own| own.to_string()),
    }
}

fn limits(broker: &Broker) -> Limits {
    let config = broker.configs.broker();
    let time = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX / 2));
    let open_files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections_max = connections_within(config.connections_max, open_files);
    if connections_max < config.connections_max {
        tracing::warn!(open_files, connections_max, "fewer connections than max.connections: this process may not open more files");
    }
    let in_flight = config.request_memory_bytes_max.unwrap_or(usize::MAX);
    let limits = Limits::new(config.request_bytes_max, in_flight, connections_max, time(config.connections_idle_max_ms));
    let mut limits = limits.with_answer_memory(config.answer_memory_bytes_max);
    limits.frame_within = time(config.request_read_timeout_ms);
    limits.frame_rate_min = config.request_read_rate_min;
    limits.drain_within = time(config.answer_drain_timeout_ms);
    limits
}

/// Connections must not take the descriptors that segments need: a quarter stays.
fn connections_within(configured: usize, open_files: u64) -> usize {
    let most = open_files - open_files / 4;
    configured.min(usize::try_from(most).unwrap_or(usize::MAX))
}

/// The log goes to the error output, so that what is printed stays clean.
pub(super) fn start_log(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    // Colours are for people: a file, or a container's log, would hold their codes.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    // A line that cannot be written (a file on the full disk) is lost; to complain about it would be a panic.
    let _ = log.log_internal_errors(false).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_segments() {
        assert_eq!(connections_within(10_000, 1024), 768);
        assert_eq!(connections_within(10_000, u64::MAX), 10_000);
        assert_eq!(connections_within(0, 1024), 0);
    }
}
