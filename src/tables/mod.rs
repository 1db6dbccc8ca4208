//! Floor 4: tables in files, as Spark leaves them on a disk: Delta tables, folders of Parquet, and lines of JSON.
//!
//! Reads and never writes. A table gives its columns, its history where it has one, and its rows: some columns of them, one batch after
//! the other, so that memory does not grow with the table. What a file needs and this room does not know (deletion vectors, column
//! mapping, partitioned tables) is refused by its name, never passed over.
//! The Parquet itself is read by the crate `parquet`; only this room names it. Start with `table.rs`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod cell;
mod checkpoint;
mod delta;
mod lines;
mod parquet_file;
mod table;

pub use cell::Cell;
pub use checkpoint::QueryCheckpoint;
pub use table::{Column, Table, TableError, TableVersion};
