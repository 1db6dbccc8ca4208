//! Floor 4: sockets. Accepts connections, cuts them into requests, sends replies in order, holds the limits.
//!
//! It never looks into a body and knows no API key but those it must answer before a handler can.
//! Invariants: one task per connection; memory for a frame is taken before the frame is read; replies leave in the order of
//! the requests; a connection that breaks the protocol is closed and nothing else notices.
//! Start with `listener.rs`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod buffers;
mod connection;
mod ended;
mod limits;
mod listener;
mod mishap;
mod outbox;
mod strangers;
mod stream;
mod tls;
mod tls_files;

pub use limits::Limits;
pub use listener::{Listener, Server};
pub use tls::{Certificates, TlsError, own_addresses};
pub use tokio_rustls::rustls::ServerConfig as TlsConfig;
