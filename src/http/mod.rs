//! Floor 5: the web page, its data, and what monitoring asks for.
//!
//! Reads the cluster through `Cluster` only. Content of messages is hostile: it leaves as JSON and is put on the page as
//! text, never as markup. Every answer carries the headers of `router.rs`. Start with `router.rs`: one line per page.

mod assets;
mod encrypted;
mod generators;
mod health;
mod metrics;
mod overview;
mod page;
mod rates;
mod router;
mod schemas;
pub mod snippet;

pub use encrypted::serve_encrypted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::config::{Address, Advertise};
use crate::generators::Runner;

/// How often traffic is counted for the rates on the page.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// What every page can reach.
#[derive(Clone)]
pub struct HttpState {
    cluster: Arc<dyn Cluster>,
    kafka: Arc<KafkaAddress>,
    rates: Arc<rates::Rates>,
    overview: Arc<overview::OverviewCache>,
    generators: Option<Arc<Runner>>,
}

/// How clients reach the Kafka side.
struct KafkaAddress {
    advertise: Advertise,
    listen: Address,
}

impl HttpState {
    /// `listen` is the Kafka listener, with the port it really has.
    pub fn new(cluster: Arc<dyn Cluster>, listen: Address, advertise: Advertise) -> HttpState {
        let kafka = Arc::new(KafkaAddress { advertise, listen });
        HttpState { cluster, kafka, rates: Arc::default(), overview: Arc::default(), generators: None }
    }

    /// With the generators that fill the cluster's topics.
    pub fn with_generators(self, generators: Option<Arc<Runner>>) -> HttpState {
        HttpState { generators, ..self }
    }

    /// The address to give a Kafka client on the machine that asked with this Host header.
    fn bootstrap(&self, host_header: Option<&str>) -> Address {
        let listen = &self.kafka.listen;
        if let Advertise::As { host, port } = &self.kafka.advertise {
            return Address { host: host.clone(), port: port.unwrap_or(listen.port) };
        }
        if !matches!(listen.host.as_str(), "0.0.0.0" | "::") {
            return listen.clone();
        }
        let host = host_header.and_then(host_of).unwrap_or_else(|| "127.0.0.1".to_owned());
        Address { host, port: listen.port }
    }
}

/// The host in a Host header, with or without a port.
fn host_of(header: &str) -> Option<String> {
    let with_port = Address::parse(header).or_else(|| Address::parse(&format!("{header}:0")));
    with_port.map(|address| address.host)
}

/// Serves until `stop` ends. The listener is bound by the caller, so that a taken port is known before anything else.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: HttpState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let sampled = state.clone();
    let sampler = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        loop {
            ticks.tick().await;
            sampled.rates.sample(Instant::now(), &sampled.cluster.metrics());
        }
    });
    let served = axum::serve(listener, router::router(state)).with_graceful_shutdown(stop).await;
    sampler.abort();
    served
}

#[cfg(test)]
mod tests;
