//! Accepts connections and gives each its task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::strangers::Place;
use super::stream::Stream;
use super::{Limits, TlsConfig, connection, mishap};
use crate::broker::sightings::Place as SeenAt;
use crate::broker::{Broker, Endpoint};
use crate::handlers::Peer;
use crate::model::Pace;

/// How long an accept loop rests when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After this the connections that still wait are cut.
const GRACE: Duration = Duration::from_millis(1500);
/// Connections that are accepted at once before their rate counts.
const BURST: u32 = 500;

pub struct Listener {
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
    /// Looked at for each connection, so that a new certificate serves the next one.
    tls: Option<watch::Receiver<Arc<TlsConfig>>>,
}

impl Listener {
    /// In clear, for whoever comes.
    pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
        let listener = TcpListener::bind(address).await?;
        let endpoint = Endpoint::plaintext(listener.local_addr()?);
        Ok(Listener::new(listener, endpoint, None))
    }

    /// `tls` is for endpoints that encrypt.
    pub fn new(listener: TcpListener, endpoint: Arc<Endpoint>, tls: Option<watch::Receiver<Arc<TlsConfig>>>) -> Listener {
        Listener { listener, endpoint, tls }
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves the Kafka protocol on one listener until the broker shuts down.
pub struct Server {
    pub broker: Arc<Broker>,
    pub limits: Limits,
}

impl Server {
    pub async fn run(self, listener: Listener) {
        if let Err(error) = rustix::net::listen(&listener.listener, self.broker.configs.broker().listen_backlog) {
            tracing::warn!(%error, "the queue of connections keeps its length");
        }
        let mut connections = JoinSet::new();
        let (begun, mut pace) = (Instant::now(), Pace::new(BURST));
        let mut rest = None;
        loop {
            let accepting = async {
                // Also a rest that is over takes until the clock's next tick.
                if let Some(until) = rest {
                    tokio::time::sleep_until(until).await;
                }
                listener.listener.accept().await
            };
            tokio::select! {
                accepted = accepting => match accepted {
                    Ok((stream, remote)) => {
                        let elapsed = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                        let wait = pace.take(elapsed, self.broker.configs.broker().connection_rate_max);
                        rest = (wait > 0).then(|| Instant::now() + Duration::from_micros(wait));
                        self.accept(&mut connections, stream, remote, &listener);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended && error.is_panic() {
                        self.broker.metrics.panics.add(1);
                    }
                }
                () = self.broker.stopped() => break,
            }
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, ended).await;
        connections.shutdown().await;
    }

    fn accept(&self, connections: &mut JoinSet<()>, stream: TcpStream, remote: SocketAddr, listener: &Listener) {
        let Some(place) = self.limits.connection() else {
            if self.broker.metrics.may_log() {
                tracing::warn!(%remote, "refused: the limit of open connections is reached");
            }
            self.broker.metrics.connections_refused.add(1);
            return;
        };
        let Ok(local) = stream.local_addr() else { return };
        if stream.set_nodelay(true).is_err() || keep_alive(&stream).is_err() {
            return;
        }
        let broker = Arc::clone(&self.broker);
        let limits = self.limits.clone();
        let endpoint = Arc::clone(&listener.endpoint);
        let tls = listener.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
        connections.spawn(async move {
            let _open = Open::count(&broker);
            let stranger = (tls.is_some() || endpoint.protocol.logs_in()).then(|| limits.strangers.enter());
            let (stream, server_name) = match tls {
                None => (Stream::Plain(stream), None),
                Some(tls) => match handshake(stream, tls, &limits, stranger.as_ref()).await {
                    Ok(encrypted) => encrypted,
                    Err(reason) => {
                        broker.metrics.garbage(remote, &reason);
                        let place = SeenAt { from: remote.ip(), listener: &endpoint.name };
                        let mishap = mishap::of_handshake(&reason, endpoint.protocol);
                        return broker.sightings.trouble(None, mishap, place, broker.now());
                    }
                },
            };
            let peer = Arc::new(Peer::new(remote, local, endpoint, server_name));
            connection::serve(&broker, &limits, stream, peer, stranger).await;
            drop(place);
        });
    }
}

/// TLS's handshake, and the name by which the client asked for us.
async fn handshake(
    stream: TcpStream,
    tls: Arc<TlsConfig>,
    limits: &Limits,
    stranger: Option<&Place>,
) -> Result<(Stream, Option<String>), String> {
    let pushed_out = async {
        match stranger {
            Some(place) => place.pushed_out().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = tokio::time::timeout(limits.login_within, TlsAcceptor::from(tls).accept(stream)) => match done {
            Ok(Ok(stream)) => {
                let server_name = stream.get_ref().1.server_name().map(str::to_owned);
                Ok((Stream::Tls(Box::new(stream)), server_name))
            }
            Ok(Err(error)) => Err(format!("no TLS: {error}")),
            Err(_) => Err("no TLS handshake within the time allowed".to_owned()),
        },
        () = pushed_out => Err("no TLS handshake before others needed its place".to_owned()),
    }
}

/// A machine that vanished (a closed lid, a network that went) says nothing: after a minute and a half of silence its connections end.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(sockopt::set_socket_keepalive(stream, true)?)
}

/// Counts a connection for as long as its task lives, however that ends.
struct Open<'a>(&'a Broker);

impl Open<'_> {
    fn count(broker: &Broker) -> Open<'_> {
        broker.metrics.connections.add(1);
        broker.metrics.connections_opened.add(1);
        Open(broker)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.metrics.connections.sub(1);
    }
}
