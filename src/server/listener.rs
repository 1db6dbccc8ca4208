//! Accepts connections and gives each its task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Limits, connection};
use crate::broker::Broker;
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
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
        Ok(Listener { listener: TcpListener::bind(address).await? })
    }

    pub fn from(listener: TcpListener) -> Listener {
        Listener { listener }
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
                        self.accept(&mut connections, stream, remote);
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

    fn accept(&self, connections: &mut JoinSet<()>, stream: TcpStream, remote: SocketAddr) {
        let Some(place) = self.limits.connection() else {
            tracing::warn!(%remote, "refused: the limit of open connections is reached");
            self.broker.metrics.connections_refused.add(1);
            return;
        };
        let Ok(local) = stream.local_addr() else { return };
        if stream.set_nodelay(true).is_err() || keep_alive(&stream).is_err() {
            return;
        }
        let broker = Arc::clone(&self.broker);
        let limits = self.limits.clone();
        connections.spawn(async move {
            let _open = Open::count(&broker);
            let peer = Arc::new(Peer::new(remote, local));
            connection::serve(&broker, &limits, stream, peer).await;
            drop(place);
        });
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
