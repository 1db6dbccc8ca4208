//! What can go wrong, by who must act.

use std::io;

use thiserror::Error;

use crate::model::{BatchDefect, Offset, TopicId};

/// Why a log operation failed.
#[derive(Debug, Error)]
pub enum LogError {
    /// The client: OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error("out of order sequence: {found} after {last}")]
    OutOfOrderSequence { last: i32, found: i32 },
    /// The client: INVALID_PRODUCER_EPOCH.
    #[error("producer epoch {found} is older than {current}")]
    InvalidProducerEpoch { current: i16, found: i16 },
    /// The transaction coordinator: TRANSACTION_COORDINATOR_FENCED.
    #[error("coordinator epoch {found} is older than {current}")]
    CoordinatorFenced { current: i32, found: i32 },
    /// The client: RECORD_LIST_TOO_LARGE.
    #[error("batch of {size} bytes does not fit a segment of {segment_bytes}")]
    BatchLargerThanSegment { size: u64, segment_bytes: u64 },
    /// The client: OFFSET_OUT_OF_RANGE.
    #[error("offset {offset} is outside {start}..{end}")]
    OffsetOutOfRange { offset: Offset, start: Offset, end: Offset },
    /// The client: INVALID_RECORD. A control batch whose marker cannot be read.
    #[error("malformed batch: {0}")]
    Batch(#[from] BatchDefect),
    /// The operator: the disk. KAFKA_STORAGE_ERROR; appends work again once a write succeeds.
    #[error("storage: {0}")]
    Io(#[from] io::Error),
    /// The operator: the partition was taken offline by a failed flush. KAFKA_STORAGE_ERROR until restart.
    #[error("partition is offline: {0}")]
    Offline(String),
    /// The operator: files written by a newer version.
    #[error("{file} has format version {version}, newer than this program knows")]
    NewerFormat { file: String, version: i64 },
    /// The operator: the folder belongs to another topic of the same name.
    #[error("the folder holds topic id {found}, expected {expected}")]
    OtherTopic { expected: TopicId, found: TopicId },
}

/// Why a read gave no bytes.
#[derive(Debug, Error)]
pub enum ReadError {
    /// OFFSET_OUT_OF_RANGE.
    #[error("offset {offset} is outside {start}..{end}")]
    OffsetOutOfRange { offset: Offset, start: Offset, end: Offset },
    /// CORRUPT_MESSAGE: the offset lies in a range that recovery or a reader found damaged.
    #[error("the log is damaged at offset {0}")]
    Corrupt(Offset),
    /// KAFKA_STORAGE_ERROR.
    #[error("storage: {0}")]
    Io(#[from] io::Error),
}
