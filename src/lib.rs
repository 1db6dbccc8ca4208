//! Headwater: one binary that replaces a Kafka cluster in a classroom.
//!
//! Modules in floor order; a module imports only from floors below it (`tests/architecture.rs` holds the list).

pub mod model;

pub mod config;

pub mod coordinator;
pub mod log;
pub mod security;
pub mod wire;

pub mod broker;

pub mod cluster;
pub mod handlers;

pub mod generators;
pub mod server;
pub mod tables;
pub mod workshop;

pub mod http;

pub mod cli;
