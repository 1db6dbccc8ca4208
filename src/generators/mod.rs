//! Floor 4: the seeded, simulated town behind the four topics.
//!
//! A world is a pure function: seed and clock origin in, events out; the same bytes on every machine and in every run.
//! Nothing here but `runner` knows the present or a cluster.
//!
//! How an event comes about:
//! - The town's time starts at 0, its clock origin, and is cut into chapters of ten seconds (`chronicle`).
//! - In each chapter stories begin: a shopping session, a post and its cascade, five minutes of a sensor, a card payment. Each
//!   has its own dice, seeded by (seed, kind of story, chapter, index), so no story depends on another having been told.
//! - A story drafts all its events at once (`draft::Draft`), at most [`draft::REACH_MS`] into the future. A purchase drafts its payment.
//! - Drafts are put in order of arrival and encoded. To start at any time, only the chapters within reach are told again.
//!
//! Invariants: a draft arrives no earlier than it happened, and it happened no earlier than its chapter; (arrival, stream, serial)
//! orders all drafts totally; no event refers to something from before the origin.
//!
//! Where later parts belong: dirt is a step between a draft and its bytes (moves `arrival`, repeats a draft, spoils bytes);
//! an incident changes the odds of the stories that begin while it lasts, and is an input like the seed; truth is written
//! where it is known: with the draft (who is a fraudster, which mood a post has).
//!
//! To add a stream: one file with `tell` and `write`, and a row in [`STREAMS`]. Start reading at `chronicle.rs`, then `ecommerce.rs`.

mod chronicle;
mod draft;
mod ecommerce;
mod finance;
mod identifier;
mod iot;
mod json;
mod partitioner;
mod random;
pub mod runner;
mod schema;
mod social;
mod text;
mod town;
mod world;

pub use chronicle::{Chronicle, Event};
pub use partitioner::{murmur2, partition_of};
pub use runner::{Clock, Gap, Phase, Runner, RunnerStatus, StreamStatus};
pub use schema::{Field, STREAMS, Stream, StreamId};
pub use world::World;

#[cfg(test)]
mod tests;
