//! What a student handed in under one ticket.

use bytes::Bytes;
use serde_json::Value;

use crate::model::{Offset, PartitionId, Timestamp};

/// The records of the results topic with the ticket's nonce, in the order of the log, and the receipt that was pasted, if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub records: Vec<AnswerRecord>,
    pub receipt: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    pub partition: PartitionId,
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
}
