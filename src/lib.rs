//! Headwater: one binary that replaces a Kafka cluster in a classroom.
//!
//! Modules in floor order; a module imports only from floors below it (`tests/architecture.rs` holds the list).

pub mod cluster;
pub mod config;
pub mod generators;
pub mod model;
