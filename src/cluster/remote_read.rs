//! Records read from a partition of another cluster, by a consumer that is nobody else's meanwhile. All of it waits.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset as ReadFrom, TopicPartitionList};

use super::StoredRecord;
use super::remote_client::Talk;
use super::settling::ANSWERED_WITHIN;
use crate::model::{Offset, PartitionId, Timestamp};

const POLL: Duration = Duration::from_millis(200);

/// The last records of a partition. Compaction leaves fewer records than offsets, so it looks further back until there are enough.
pub(super) fn read_tail(
    reader: &BaseConsumer<Talk>,
    name: &str,
    partition: PartitionId,
    count: usize,
) -> Result<Vec<StoredRecord>, KafkaError> {
    let (start, end) = reader.fetch_watermarks(name, partition.0, ANSWERED_WITHIN)?;
    let mut reach = i64::try_from(count).unwrap_or(i64::MAX);
    loop {
        let from = end.saturating_sub(reach).max(start);
        let mut records = read_range(reader, name, partition, from, end)?;
        if records.len() >= count || from == start {
            records.drain(..records.len().saturating_sub(count));
            return Ok(records);
        }
        reach = reach.saturating_mul(8);
    }
}

fn assign(reader: &BaseConsumer<Talk>, name: &str, partition: PartitionId, from: i64) -> Result<(), KafkaError> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(name, partition.0, ReadFrom::Offset(from))?;
    reader.assign(&assignment)
}

fn read_range(
    reader: &BaseConsumer<Talk>,
    name: &str,
    partition: PartitionId,
    from: i64,
    end: i64,
) -> Result<Vec<StoredRecord>, KafkaError> {
    let mut records = Vec::new();
    if from >= end {
        return Ok(records);
    }
    assign(reader, name, partition, from)?;
    let mut heard = Instant::now();
    loop {
        match reader.poll(POLL) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let offset = message.offset();
                if offset < end {
                    records.push(stored(partition, &message));
                }
                if offset >= end - 1 {
                    break;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) if is_about_this(&error) => return Err(error),
            _ if heard.elapsed() > ANSWERED_WITHIN => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            _ => {}
        }
    }
    reader.unassign()?;
    Ok(records)
}

/// Records from an offset on: at least one if there is one, and about this many bytes of them. Offsets without a record, such as those
/// that compaction took or that end a transaction, are passed over by the client; the end of the partition it tells.
pub(super) fn read_from(
    reader: &BaseConsumer<Talk>,
    name: &str,
    partition: PartitionId,
    from: Offset,
    bytes_max: usize,
) -> Result<Vec<StoredRecord>, KafkaError> {
    let mut records: Vec<StoredRecord> = Vec::new();
    let (mut at, mut bytes) = (from.0.max(0), 0_usize);
    assign(reader, name, partition, at)?;
    let mut heard = Instant::now();
    while records.is_empty() || bytes < bytes_max {
        match reader.poll(POLL) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let record = stored(partition, &message);
                bytes = bytes.saturating_add(record.held());
                records.push(record);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) if is_out_of_range(&error) => {
                let (start, _) = reader.fetch_watermarks(name, partition.0, ANSWERED_WITHIN)?;
                if at >= start {
                    break;
                }
                at = start;
                assign(reader, name, partition, at)?;
            }
            Some(Err(error)) if is_about_this(&error) => return Err(error),
            _ if heard.elapsed() < ANSWERED_WITHIN => {}
            _ if records.is_empty() => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            _ => break,
        }
    }
    Ok(records)
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange))
}

fn stored(partition: PartitionId, message: &BorrowedMessage<'_>) -> StoredRecord {
    StoredRecord {
        partition,
        offset: Offset(message.offset()),
        timestamp: message.timestamp().to_millis().map_or(Timestamp::NONE, Timestamp),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: headers_of(message),
    }
}

fn headers_of(message: &impl Message) -> Vec<(String, Option<Bytes>)> {
    let each = message.headers().into_iter().flat_map(|headers| headers.iter());
    each.map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice))).collect()
}

/// Errors that waiting does not mend. Those of the group do not matter: nothing is committed.
fn is_about_this(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let fatal = [TopicAuthorizationFailed, UnknownTopicOrPartition, UnknownTopic, UnknownPartition];
    error.rdkafka_error_code().is_some_and(|code| fatal.contains(&code))
}
