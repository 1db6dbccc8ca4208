//! `headwater serve`: opens the folder, binds both ports, serves until told to stop.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use super::startup::{StartError, banner, bound, listen};
use crate::broker::security::Access;
use crate::broker::{Broker, BrokerOptions, Endpoint, clock};
use crate::cluster::{Cluster, Embedded, Topics};
use crate::config::{Protocol, Settings};
use crate::generators::{DirtLevel, Runner};
use crate::handlers::APIS;
use crate::http::{self, HttpState};
use crate::server::{Limits, Listener, Server};

/// Threads for what blocks on the disk.
const BLOCKING_THREADS_MAX: usize = 16;

/// Returns when the broker was told to stop, or could not start.
pub(super) fn serve(settings: &Settings) -> Result<(), StartError> {
    start_log(&settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    // One network thread: on two cores it has the best latency and the least CPU.
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build().map_err(StartError::Runtime)?;
    runtime.block_on(run(settings))
}

async fn run(settings: &Settings) -> Result<(), StartError> {
    let mut stop = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let kafka = listen("--listen", &settings.listen).await?;
    let web = match &settings.http {
        Some(address) => Some(listen("--http", address).await?),
        None => None,
    };
    let options = BrokerOptions {
        data_dir: settings.data_dir.clone(),
        access: Access::Everyone,
        configs: settings.broker.clone(),
        guards: settings.guards,
    };
    let broker = Broker::open(options).map_err(|error| StartError::Broker { folder: settings.data_dir.clone(), error })?;
    let api_names = APIS.iter().map(|row| (row.key, row.name)).collect();
    let cluster: Arc<dyn Cluster> = Arc::new(Embedded::new(Arc::clone(&broker), api_names));
    let kafka_address = bound(&kafka, &settings.listen);
    let web_address = web.as_ref().zip(settings.http.as_ref()).map(|(listener, asked)| bound(listener, asked));
    let bound_to = kafka.local_addr().map_err(StartError::Runtime)?;
    let endpoint = Arc::new(Endpoint::new("PLAINTEXT", Protocol::Plaintext, bound_to, settings.advertise.clone()));
    broker.node.add_endpoint(Arc::clone(&endpoint));
    let listener = Listener::new(kafka, endpoint, None);
    let serving = tokio::spawn(Server { limits: limits(&broker), broker: Arc::clone(&broker) }.run(listener));
    let generators = settings.generators.then(|| {
        let dirt = DirtLevel::from_number(settings.dirt).unwrap_or_default();
        let runner = Runner::new(Arc::clone(&cluster) as Arc<dyn Topics>, Arc::new(clock::now), settings.seed, dirt);
        Arc::new(runner.with_clock(settings.clock))
    });
    let state = HttpState::new(Arc::clone(&cluster), kafka_address.clone(), settings.advertise.clone()).with_generators(generators.clone());
    let pages = web.map(|listener| start_pages(&broker, state, listener));
    let generators = generators.map(|runner| tokio::spawn(async move { runner.run().await }));
    // A closed terminal is no reason to stop.
    let _ = std::io::stdout().write_all(banner(&kafka_address, web_address.as_ref()).as_bytes());

    tokio::select! {
        // Ctrl+C, or the signal that service managers and containers send.
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(StartError::Runtime)?,
        _ = stop.recv() => {}
    }
    broker.stop();
    if let Some(generators) = generators {
        generators.abort();
    }
    let _ = serving.await;
    if let Some(pages) = pages {
        pages.abort();
    }
    let closing = Arc::clone(&broker);
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    Ok(())
}

fn start_pages(broker: &Arc<Broker>, state: HttpState, listener: TcpListener) -> tokio::task::JoinHandle<()> {
    let stopping = Arc::clone(broker);
    let stop = async move { stopping.stopped().await };
    tokio::spawn(async move {
        if let Err(error) = http::serve(listener, state, stop).await {
            tracing::error!(%error, "the web page is down");
        }
    })
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
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false);
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
