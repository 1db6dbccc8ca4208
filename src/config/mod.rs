//! Floor 0: every setting, each a row in a table. Parses and validates; never reads a file or the environment.

pub mod log;

pub use log::{CompressionType, LogConfig, TimestampType};
