//! Connections as they come in: not too many, none that dawdles, each to its end when the broker stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::caller::{Peer, Secure};

/// A class with three tabs each. Others wait until one closes.
const CONNECTIONS_MAX: usize = 1024;
/// From the first byte of a request, or from the end of the last one, to the end of its head.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Bytes that nobody takes from us for so long end the connection.
const UNREAD_MAX_MS: u32 = 30_000;

/// Accepts until `stop` ends, then lets what is being answered end.
pub(super) async fn serve<L>(mut listener: L, secure: Secure, router: Router, stop: impl Future<Output = ()> + Send) -> io::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    L::Io: Sync,
{
    let (stopping, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepting = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stop => break,
            accepted = accepting => accepted,
        };
        let attended = attend(stream, Peer(peer), secure, router.clone(), stopped.clone());
        connections.spawn(async move {
            attended.await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    let _ = stopping.send(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// What cannot be set is not needed to serve.
pub(super) fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, UNREAD_MAX_MS);
}

/// Answers the requests of one connection, encrypted or not.
async fn attend<S>(stream: S, peer: Peer, secure: Secure, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pages = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(secure);
        pages.call(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
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
