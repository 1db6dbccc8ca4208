//! A connection's bytes, in clear or inside TLS.

use std::io::{self, IoSlice};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Waits until a read may find something; no proof.
    pub async fn readable(&self) -> io::Result<()> {
        // What is decrypted already shows at no socket.
        if let Stream::Tls(tls) = self
            && !tls.get_ref().1.wants_read()
        {
            return Ok(());
        }
        self.socket().readable().await
    }

    pub async fn read_buf(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read_buf(buffer).await,
            Stream::Tls(tls) => tls.read_buf(buffer).await.or_else(an_end_without_notice),
        }
    }

    pub async fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Stream::Plain(socket), [one]) => socket.write(one).await,
            (Stream::Plain(socket), several) => socket.write_vectored(several).await,
            (Stream::Tls(tls), [one]) => tls.write(one).await,
            (Stream::Tls(tls), several) => tls.write_vectored(several).await,
        }
    }

    /// Waits until what is encrypted has gone to the socket.
    pub async fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(tls) => tls.flush().await,
        }
    }

    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }
}

/// A client that goes without TLS's closing message has gone all the same: frames have lengths, so nothing can be cut off unseen.
fn an_end_without_notice(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::UnexpectedEof { Ok(0) } else { Err(error) }
}
