//! Floor 4: the seeded, simulated town behind the four topics.
//!
//! Seed and clock origin in, events out: the same bytes on every machine. Only `runner` knows the present and a cluster.
//!
//! The town's time starts at its origin and is cut into chapters of ten seconds. In each, stories begin: a visit to the shop, a
//! post and its cascade, five minutes of a sensor, a card payment, a fraud. A story has its own dice, seeded by (seed, kind, chapter,
//! index), and drafts all its events at once; a purchase drafts its payment. `chronicle` puts drafts in order of arrival and
//! encodes them. To start at any time, only the chapters within reach are told again.
//!
//! Invariants: no draft arrives before it happened or happens before its chapter; (arrival, stream, serial) orders drafts
//! totally; no event refers to something from before the origin.
//!
//! `dirt` is a step between a draft and its bytes. `truth` notes what the bytes do not say: an event's note follows it at once.
//!
//! `incidents` is what an instructor lets happen: stories that begin, and a step that changes drafts on their way.
//!
//! To add a stream: one file and a row in [`STREAMS`], see `docs/fifth-stream.md`. Start at `chronicle.rs`, then `ecommerce.rs`.

mod chronicle;
mod dirt;
mod draft;
mod ecommerce;
mod examples;
mod finance;
mod fraud;
mod identifier;
pub mod incidents;
mod iot;
mod json;
mod json_schema;
mod partitioner;
mod random;
pub mod runner;
mod schema;
mod social;
mod text;
mod town;
mod truth;
mod visitors;
mod world;

pub use chronicle::{Chronicle, Event};
pub use dirt::DirtLevel;
pub use examples::{Examples, examples};
pub use json::rfc3339_ms;
pub use json_schema::json_schema;
pub use partitioner::partition_of;
pub use runner::{
    Clock, End, Gap, IncidentStatus, KindStatus, OrderRefused, OrdersStatus, Phase, Request, Runner, RunnerStatus, StreamStatus,
    VIRTUAL_START,
};
pub use schema::{Field, STREAMS, Stream, StreamId, Values};
pub use world::World;
#[cfg(test)]
mod data_docs;
#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod dirt_page;
#[cfg(test)]
mod dirt_tests;
#[cfg(test)]
mod tests;
