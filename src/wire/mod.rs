//! Floor 1: bytes on a socket, without the socket.
//!
//! What it is: frames out of a byte stream, request headers, request bodies behind the guard, answers as frames.
//! What it never does: read a socket, know a topic, decide an error code.
//!
//! Invariants:
//! - No byte from a socket reaches `kafka_protocol` before `guard` has walked over it: the codec allocates whatever
//!   a length field claims and would abort the process. `request::decode_body` is the one way in.
//! - Nothing here panics on input; a malformed request is a `WireError` and the connection is closed.
//! - Decoded names are views into the request's frame. What outlives the request is copied out (`convert`).
//! - Record batches pass through as opaque bytes in both directions.
//!
//! Start reading at `request.rs`, then `guard.rs`. The requests are the rows of `schema_table.rs`.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod convert;
pub mod error;
pub mod fetch_response;
pub mod frame;
pub mod guard;
mod lossy_text;
pub mod request;
pub mod response;
pub mod schema;
pub mod schema_table;
mod varint;

pub use error::WireError;
