//! The same pages inside TLS.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use super::caller::Secure;
use super::{HttpState, door, ending, router};

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Handshakes at once. When there are more the oldest ends: a handshake takes milliseconds, and only who means harm lets it get old.
const HANDSHAKES_MAX: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` ends. The certificate is looked at for each connection.
pub async fn serve_encrypted(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    state: HttpState,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = Encrypted::new(listener, tls)?;
    let (looking, live) = (state.look_on(), Arc::clone(&state.live));
    let served = door::serve(listener, Secure(true), router::router(state), ending(stop, live)).await;
    looking.iter().for_each(JoinHandle::abort);
    served
}

/// Connections whose handshake is done.
pub struct Encrypted {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Encrypted {
    pub fn new(listener: TcpListener, tls: watch::Receiver<Arc<ServerConfig>>) -> io::Result<Encrypted> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(HANDSHAKES_MAX);
        tokio::spawn(accept(listener, tls, sender));
        Ok(Encrypted { address, ready })
    }
}

async fn accept(listener: TcpListener, tls: watch::Receiver<Arc<ServerConfig>>, ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    let mut waiting: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Nobody serves them any more.
            () = ready.closed() => return,
        };
        let Ok((stream, remote)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        waiting.retain(|handshake| !handshake.is_finished());
        if waiting.len() >= HANDSHAKES_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.abort();
        }
        door::prepare(&stream);
        let (config, ready) = (Arc::clone(&tls.borrow()), ready.clone());
        let handshake = tokio::spawn(async move {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, TlsAcceptor::from(config).accept(stream)).await {
                let _ = ready.send((stream, remote)).await;
            }
        });
        waiting.push_back(handshake.abort_handle());
    }
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream<TcpStream>, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task is gone, and nobody comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
