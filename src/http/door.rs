//! Connections as they come in: not too many, none that dawdles, each to its end when the broker stops.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::caller::{Peer, Secure};

/// A class with three tabs each. When there are more, the one that has asked for nothing the longest ends: who only holds places keeps
/// nobody out.
const CONNECTIONS_MAX: usize = 1024;
/// From the first byte of a request, or from the end of the last one, to the end of its head.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Of a request's head; also what is read of a body at once.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes that nobody takes from us for so long end the connection.
const UNREAD_MAX_MS: u32 = 30_000;

/// Accepts until `stop` ends, then lets what is being answered end.
pub(super) async fn serve<L>(mut listener: L, secure: Secure, router: Router, stop: impl Future<Output = ()> + Send) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    L::Io: Sync,
{
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut seats: Vec<Seat> = Vec::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        if seats.len() >= CONNECTIONS_MAX {
            seats.retain(|seat| !seat.task.is_finished());
        }
        if seats.len() >= CONNECTIONS_MAX {
            let quietest = seats.iter().enumerate().min_by_key(|(_, seat)| seat.asks.rank()).map(|(at, _)| at);
            if let Some(at) = quietest {
                seats.swap_remove(at).task.abort();
            }
        }
        let asks = Arc::new(Asks::default());
        let attended = attend(stream, Peer(peer), secure, router.clone(), stopped.clone(), Arc::clone(&asks));
        seats.push(Seat { asks, task: connections.spawn(attended) });
    }
    let _ = stopping.send(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// One connection among those that are open.
struct Seat {
    asks: Arc<Asks>,
    task: AbortHandle,
}

/// What a connection asks for.
struct Asks {
    /// Requests that are not answered yet.
    open: AtomicUsize,
    last: Mutex<Instant>,
}

impl Default for Asks {
    fn default() -> Asks {
        Asks { open: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Asks {
    /// Least is who ends first.
    fn rank(&self) -> (bool, Instant) {
        (self.open.load(Relaxed) > 0, *self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self) {
        self.open.fetch_add(1, Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn end(&self) {
        self.open.fetch_sub(1, Relaxed);
    }
}

/// The connection that a request came by, for an answer that goes on: it is at work as long as that is held.
#[derive(Clone)]
pub(super) struct Occupied(Arc<Asks>);

pub(super) struct Held(Arc<Asks>);

impl Occupied {
    pub fn hold(self) -> Held {
        self.0.begin();
        Held(self.0)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What cannot be set is not needed to serve.
pub(super) fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, UNREAD_MAX_MS);
}

/// Answers the requests of one connection, encrypted or not.
async fn attend<S>(stream: S, peer: Peer, secure: Secure, router: Router, mut stopped: watch::Receiver<bool>, asks: Arc<Asks>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pages = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(secure);
        request.extensions_mut().insert(Occupied(Arc::clone(&asks)));
        let (asks, answering) = (Arc::clone(&asks), pages.call(request.map(Body::new)));
        async move {
            asks.begin();
            let answer = answering.await;
            asks.end();
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ended_by(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %address(peer), %error, "an HTTP connection ended early");
    }
}

async fn ended_by(stopped: &mut watch::Receiver<bool>) {
    // The only error is that the sender is gone, which is the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn address(Peer(address): Peer) -> SocketAddr {
    address
}
