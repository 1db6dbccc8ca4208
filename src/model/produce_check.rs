//! What a broker checks in a produced batch before the log sees it, with Apache Kafka 4.3's answer to each defect.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::batch::{Attributes, Batch, BatchDefect, BatchHeader, BatchView, HEADER_LEN, LENGTH_OVERHEAD};
use super::batch_builder::{BatchBuilder, NewRecord};
use super::compress::{Codec, DecompressError, OUTPUT_BYTES_MAX, SMALL_INPUT_BYTES, decompress, decompress_small};
use super::record::{Record, RecordIter};
use super::{ErrorCode, Offset, Timestamp, TopicPartition};

/// The smallest message any format version knows; a shorter one is corruption before its magic is looked at.
const MESSAGE_LEN_MIN: i32 = 14;
/// Bytes needed to see a batch's magic.
const MAGIC_END: usize = 17;
const ATTRIBUTES: usize = 21;
/// Record errors listed in one answer. Kafka lists all; a batch may hold a million.
const RECORD_ERRORS_MAX: usize = 1000;
/// A scratch buffer above this size is not kept between batches.
const SCRATCH_KEPT_BYTES: usize = 4 << 20;

/// The topic's settings a produced batch is held against.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules<'a> {
    pub partition: &'a TopicPartition,
    /// Version of the Produce request: zstd needs 7.
    pub request_version: i16,
    pub now: Timestamp,
    /// `message.timestamp.type=LogAppendTime`: the log stamps `now`.
    pub log_append_time: bool,
    pub max_message_bytes: u64,
    /// `cleanup.policy` contains `compact`: keys are required.
    pub compacted: bool,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// `compression.type`, `None` for `producer`.
    pub compression: Option<Codec>,
}

/// A record that was refused, by its index in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    pub batch_index: i32,
    pub message: String,
}

/// Why a produced batch was refused: what goes into the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError {
    pub code: ErrorCode,
    /// For the answer's `error_message`; Kafka gives one with record errors, and where no batch can be made out.
    pub message: Option<String>,
    pub record_errors: Vec<RecordError>,
    /// Whether the answer says where the log starts: not where Kafka refuses before it looks at the log.
    pub log_start: LogStart,
    /// For our own log and dashboard.
    pub reason: String,
}

/// Whether an answer that refuses a batch carries the log's start offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStart {
    Told,
    Unknown,
}

impl BatchError {
    fn new(code: ErrorCode, reason: impl Into<String>) -> BatchError {
        let log_start = match code {
            ErrorCode::MessageTooLarge | ErrorCode::CorruptMessage => LogStart::Unknown,
            _ => LogStart::Told,
        };
        BatchError { code, message: None, record_errors: Vec::new(), log_start, reason: reason.into() }
    }

    /// Bytes in which no batch can be made out.
    fn garbage(reason: String) -> BatchError {
        BatchError { message: Some(reason.clone()), ..BatchError::new(ErrorCode::CorruptMessage, reason) }
    }

    fn invalid(reason: impl Into<String>) -> BatchError {
        BatchError::new(ErrorCode::InvalidRecord, reason)
    }
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.code, self.reason)
    }
}

impl std::error::Error for BatchError {}

/// A batch that may be appended: every record was looked at, maxTimestamp is true, LogAppendTime is stamped.
#[derive(Clone, Debug)]
pub struct CheckedBatch(Batch);

impl CheckedBatch {
    /// For batches that our own builder made.
    pub fn trusted(batch: Batch) -> CheckedBatch {
        CheckedBatch(batch)
    }

    pub fn batch(&self) -> &Batch {
        &self.0
    }

    pub fn into_batch(self) -> Batch {
        self.0
    }
}

/// Checks the records field of one partition in a Produce request.
pub fn check_produced(bytes: &Bytes, rules: &ProduceRules<'_>) -> Result<CheckedBatch, BatchError> {
    let size = check_only_batch(bytes, rules.request_version)?;
    let header = check_envelope(bytes, size, rules)?;
    check_header(&header)?;
    let mut batch = Batch::from_checked(bytes, header).map_err(|defect| BatchError::invalid(defect.to_string()))?;
    let source = codec_of(&header)?;
    let target = rules.compression.unwrap_or(source);
    let stored = bytes.get(HEADER_LEN..size).unwrap_or_default();
    if source == Codec::None {
        settle(&mut batch, stored, Shape::Plain, target, rules)?;
    } else {
        with_scratch(|plain| {
            let _turn = open(source, stored, plain).map_err(|error| match BatchDefect::from(error) {
                // The client may split the batch and try again.
                BatchDefect::Bomb => BatchError::new(ErrorCode::MessageTooLarge, "decompresses to more than is allowed"),
                defect => BatchError::new(ErrorCode::UnknownServerError, defect.to_string()),
            })?;
            settle(&mut batch, plain, Shape::Compressed, target, rules)
        })?;
    }
    Ok(CheckedBatch(batch))
}

/// How the records arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Compressed,
}

/// What Kafka checks before it looks at the topic's settings or the request's acks: that there is one batch, of a format and codec for
/// this version. Returns its size; what follows it and is not a batch is dropped.
pub fn check_only_batch(bytes: &[u8], request_version: i16) -> Result<usize, BatchError> {
    only_batch(bytes, request_version).map_err(|error| BatchError { log_start: LogStart::Unknown, ..error })
}

fn only_batch(bytes: &[u8], request_version: i16) -> Result<usize, BatchError> {
    let size = next_batch(bytes)?.ok_or_else(|| BatchError::invalid("no complete batch"))?;
    if magic_of(bytes) != 2 {
        return Err(BatchError::invalid("magic is below 2"));
    }
    if request_version < 7 && bytes.get(22).is_some_and(|low| low & 7 == Codec::Zstd as u8) {
        return Err(BatchError::new(ErrorCode::UnsupportedCompressionType, "zstd needs Produce version 7"));
    }
    let second = next_batch(bytes.get(size..).unwrap_or_default()).map_err(|error| BatchError { message: None, ..error })?;
    if second.is_some() {
        return Err(BatchError::invalid("more than one batch"));
    }
    Ok(size)
}

/// Whether the records field of one partition opens with a transactional batch. Kafka asks this of every partition first, and where
/// no batch can be made out it refuses the whole request.
pub fn opens_with_transaction(bytes: &[u8]) -> Result<bool, BatchError> {
    let whole = next_batch(bytes)?.is_some();
    let attributes = bytes.get(ATTRIBUTES..).and_then(|field| field.first_chunk()).map_or(0, |field| i16::from_be_bytes(*field));
    Ok(whole && magic_of(bytes) == 2 && Attributes(attributes).is_transactional())
}

/// Kafka's scan for a complete message of any format version.
fn next_batch(bytes: &[u8]) -> Result<Option<usize>, BatchError> {
    let Some(length) = bytes.get(8..12).and_then(|field| field.first_chunk()) else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    if length < MESSAGE_LEN_MIN {
        return Err(BatchError::garbage(format!("The batch length {length} is smaller than any batch.")));
    }
    if bytes.len() < MAGIC_END {
        return Ok(None);
    }
    let magic = magic_of(bytes);
    if !(0..=2).contains(&magic) {
        return Err(BatchError::garbage(format!("No batch has the magic number {magic}.")));
    }
    // Kafka's sum overflows here.
    let Some(size) = length.checked_add(LENGTH_OVERHEAD as i32) else {
        return Err(BatchError::new(ErrorCode::UnknownServerError, format!("batch length {length}")));
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok((size <= bytes.len()).then_some(size))
}

fn magic_of(bytes: &[u8]) -> i8 {
    bytes.get(MAGIC_END - 1).map_or(-1, |magic| i8::from_be_bytes([*magic]))
}

/// Base offset, size, CRC: in this order.
fn check_envelope(bytes: &[u8], size: usize, rules: &ProduceRules<'_>) -> Result<BatchHeader, BatchError> {
    if bytes.get(..8).is_some_and(|base_offset| base_offset != [0; 8]) {
        return Err(BatchError::invalid("the base offset of a produced batch must be 0"));
    }
    check_size(size, rules)?;
    let view = bytes.get(..size).map(BatchView::parse).unwrap_or(Err(BatchDefect::Incomplete));
    let checked = view.and_then(|view| view.verify_crc().map(|()| view.header));
    checked.map_err(|defect| BatchError::new(ErrorCode::CorruptMessage, defect.to_string()))
}

fn check_size(size: usize, rules: &ProduceRules<'_>) -> Result<(), BatchError> {
    if size as u64 > rules.max_message_bytes {
        let reason = format!("batch of {size} bytes, max.message.bytes is {}", rules.max_message_bytes);
        return Err(BatchError::new(ErrorCode::MessageTooLarge, reason));
    }
    Ok(())
}

fn check_header(header: &BatchHeader) -> Result<(), BatchError> {
    codec_of(header)?;
    let span = i64::from(header.last_offset_delta) + 1;
    if span <= 0 {
        return Err(BatchError::invalid("invalid offset range"));
    }
    if header.record_count <= 0 {
        return Err(BatchError::invalid(format!("record count {}", header.record_count)));
    }
    if span != i64::from(header.record_count) {
        return Err(BatchError::invalid("offset range and record count do not fit each other"));
    }
    if header.attributes.is_control() {
        return Err(BatchError::invalid("clients may not write control batches"));
    }
    if header.has_producer() && header.base_sequence < 0 {
        return Err(BatchError::invalid(format!("sequence {}", header.base_sequence)));
    }
    Ok(())
}

fn codec_of(header: &BatchHeader) -> Result<Codec, BatchError> {
    header.attributes.codec().map_err(|defect| BatchError::new(ErrorCode::UnknownServerError, defect.to_string()))
}

/// Looks at every record, then corrects the header or writes the batch anew in the topic's codec.
fn settle(batch: &mut Batch, plain: &[u8], shape: Shape, target: Codec, rules: &ProduceRules<'_>) -> Result<(), BatchError> {
    let rebuild = codec_of(batch.header())? != target;
    let kind = if shape == Shape::Compressed && !rebuild { "PartialDefaultRecord" } else { "DefaultRecord" };
    let walked = walk(batch.header(), plain, kind, rules)?;
    if walked.gaps && shape == Shape::Compressed && !rebuild {
        return Err(BatchError::new(ErrorCode::UnknownServerError, "offset deltas of a compressed batch are not 0, 1, 2, .."));
    }
    if rebuild {
        *batch = recompress(batch.header(), plain, target)?;
        check_size(batch.len(), rules)?;
    }
    if rules.log_append_time {
        batch.stamp_log_append_time(rules.now);
    } else {
        batch.stamp_create_time(walked.max_timestamp);
    }
    Ok(())
}

struct Walked {
    max_timestamp: Timestamp,
    /// The records' offsets are not 0, 1, 2, ..
    gaps: bool,
}

/// `kind` is what Kafka calls a record that is read in this way.
fn walk(header: &BatchHeader, plain: &[u8], kind: &'static str, rules: &ProduceRules<'_>) -> Result<Walked, BatchError> {
    let mut walked = Walked { max_timestamp: Timestamp::NONE, gaps: false };
    let mut refused = Refused { kind, errors: Vec::new(), total: 0, by_timestamp: false };
    for (index, record) in RecordIter::new(header, plain).enumerate() {
        let record = record.map_err(|defect| BatchError::invalid(defect.to_string()))?;
        refused.check(index, &record, header, rules);
        walked.max_timestamp = walked.max_timestamp.max(record.timestamp);
        walked.gaps |= record.offset != Offset(index as i64);
    }
    refused.into_result().map(|()| walked)
}

/// The records that break a rule of the topic.
struct Refused {
    kind: &'static str,
    errors: Vec<RecordError>,
    total: usize,
    by_timestamp: bool,
}

impl Refused {
    #[inline]
    fn check(&mut self, index: usize, record: &Record<'_>, header: &BatchHeader, rules: &ProduceRules<'_>) {
        if rules.compacted && record.key.is_none() {
            let message = format!("Compacted topic cannot accept message without key in topic partition {}", rules.partition);
            return self.push(index, message);
        }
        if !rules.log_append_time && record.timestamp != Timestamp::NONE {
            let age = rules.now.since(record.timestamp);
            if age > rules.timestamp_before_max_ms || age.saturating_neg() > rules.timestamp_after_max_ms {
                self.push_out_of_range(index, record, rules);
            }
        } else if header.attributes.is_log_append_time() {
            self.push_stamped(index, record);
        }
    }

    #[cold]
    fn push_out_of_range(&mut self, index: usize, record: &Record<'_>, rules: &ProduceRules<'_>) {
        self.by_timestamp = true;
        let oldest = rules.now.0.wrapping_sub(rules.timestamp_before_max_ms);
        let newest = rules.now.0.wrapping_add(rules.timestamp_after_max_ms);
        let (timestamp, offset) = (record.timestamp, record.offset);
        let message = format!(
            "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be within [{oldest}, {newest}]"
        );
        self.push(index, message);
    }

    #[cold]
    fn push_stamped(&mut self, index: usize, record: &Record<'_>) {
        self.by_timestamp = true;
        let message = format!(
            "Invalid timestamp type in message {}. Producer should not set timestamp type to LogAppendTime.",
            describe(self.kind, record)
        );
        self.push(index, message);
    }

    #[cold]
    fn push(&mut self, index: usize, message: String) {
        self.total += 1;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { batch_index: i32::try_from(index).unwrap_or(i32::MAX), message });
        }
    }

    fn into_result(self) -> Result<(), BatchError> {
        if self.total == 0 {
            return Ok(());
        }
        let (code, message) = if self.by_timestamp {
            (ErrorCode::InvalidTimestamp, "One or more records have been rejected due to invalid timestamp".to_owned())
        } else {
            (ErrorCode::InvalidRecord, self.summary())
        };
        Err(BatchError { message: Some(message.clone()), record_errors: self.errors, ..BatchError::new(code, message) })
    }

    fn summary(&self) -> String {
        let shown: Vec<String> = self
            .errors
            .iter()
            .take(3)
            .map(|error| format!("RecordError(batchIndex={}, message='{}')", error.batch_index, error.message))
            .collect();
        format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
            self.total,
            shown.join(", ")
        )
    }
}

/// A record as Kafka's messages name it.
fn describe(kind: &str, record: &Record<'_>) -> String {
    let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let (key, value) = (len(record.key), len(record.value));
    format!("{kind}(offset={}, timestamp={}, key={key} bytes, value={value} bytes)", record.offset, record.timestamp)
}

fn recompress(header: &BatchHeader, plain: &[u8], target: Codec) -> Result<Batch, BatchError> {
    let mut builder = BatchBuilder::new(target).producer(header.producer_id, header.producer_epoch, header.base_sequence);
    if header.attributes.is_transactional() {
        builder = builder.transactional();
    }
    for record in RecordIter::new(header, plain) {
        let record = record.map_err(|defect| BatchError::invalid(defect.to_string()))?;
        if record.timestamp < Timestamp::NONE {
            return Err(BatchError::new(ErrorCode::UnknownServerError, "a negative timestamp cannot be written anew"));
        }
        // Kafka's header keys are text: what is not, is replaced when they are written again.
        let keys: Vec<_> = record.headers().map(|(key, _)| String::from_utf8_lossy(key)).collect();
        let headers: Vec<_> = keys.iter().map(|key| key.as_bytes()).zip(record.headers().map(|(_, value)| value)).collect();
        builder.append(NewRecord { timestamp: record.timestamp, key: record.key, value: record.value, headers: &headers });
    }
    builder.build().map_err(|error| BatchError::new(ErrorCode::UnknownServerError, error.to_string()))
}

/// Held while a batch is open that becomes large: one at a time, so that many bombs take no more memory than one.
static LARGE: Mutex<()> = Mutex::new(());
const LARGE_CAPACITY: usize = OUTPUT_BYTES_MAX + (1 << 20);

fn open(codec: Codec, stored: &[u8], plain: &mut Vec<u8>) -> Result<Option<MutexGuard<'static, ()>>, DecompressError> {
    if stored.len() <= SMALL_INPUT_BYTES {
        return decompress(codec, stored, plain).map(|()| None);
    }
    match decompress_small(codec, stored, plain) {
        Err(DecompressError::TooLarge) => {}
        outcome => return outcome.map(|()| None),
    }
    // Nobody waits for the turn with much in hand.
    *plain = Vec::new();
    let turn = LARGE.lock().unwrap_or_else(PoisonError::into_inner);
    // Of this size allocators ask the system each time and give it back, where a growing buffer would leave its last size behind on
    // every thread. Pages that are not written take no memory.
    plain.reserve_exact(LARGE_CAPACITY);
    decompress(codec, stored, plain).map(|()| Some(turn))
}

/// Lends a buffer that this thread keeps, so that a compressed batch costs no allocation.
fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
    let mut plain = SCRATCH.take();
    let outcome = work(&mut plain);
    if plain.capacity() <= SCRATCH_KEPT_BYTES {
        SCRATCH.set(plain);
    }
    outcome
}

#[cfg(test)]
#[path = "produce_check_tests.rs"]
mod tests;
