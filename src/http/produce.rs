//! `POST /api/topics/{name}/records`: one record, or the same one many times, as a producer would send it.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::caller::Caller;
use super::records::bad;
use super::topics::{check_owed, check_own, limited, refused, seen};
use crate::broker::clock;
use crate::cluster::{NewRecord, Spent};
use crate::generators::partition_of;
use crate::model::PartitionId;

const COPIES_MAX: usize = 1000;
const HEADERS_MAX: usize = 100;
/// Of all copies.
const BYTES_MAX: usize = 8 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    #[default]
    Text,
    Base64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderAsk {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProduceAsk {
    /// Left out: where the key belongs; without a key any one.
    pub partition: Option<i32>,
    /// `null`: no key.
    pub key: Option<String>,
    /// `null`: a tombstone.
    pub value: Option<String>,
    #[serde(default)]
    pub headers: Vec<HeaderAsk>,
    #[serde(default)]
    pub key_encoding: Encoding,
    #[serde(default)]
    pub value_encoding: Encoding,
    /// 1 to 1000; 1 if it is left out.
    pub copies: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProducedRecords {
    pub partition: i32,
    /// Of the first one.
    pub offset: i64,
    pub count: usize,
    /// Of the first one, as it is stored.
    pub timestamp_ms: i64,
}

fn bytes(what: &str, text: Option<String>, encoding: Encoding) -> Result<Option<Bytes>, Refused> {
    match (text, encoding) {
        (None, _) => Ok(None),
        (Some(text), Encoding::Text) => Ok(Some(Bytes::from(text))),
        (Some(text), Encoding::Base64) => {
            let wrong = |error| bad(format!("the {what} is no base64: {error}"), "use the standard alphabet with padding, on one line");
            STANDARD.decode(text.trim()).map(|bytes| Some(Bytes::from(bytes))).map_err(wrong)
        }
    }
}

/// The partition that was asked for, that of the key, or any.
fn choose(asked: Option<i32>, key: Option<&[u8]>, count: usize) -> Result<PartitionId, Refused> {
    let partitions = i32::try_from(count).unwrap_or(i32::MAX);
    match (asked, key) {
        (Some(partition), _) if (0..partitions).contains(&partition) => Ok(PartitionId(partition)),
        (Some(partition), _) => {
            let error = format!("there is no partition {partition}");
            Err(Refused::new(StatusCode::NOT_FOUND, error, format!("the topic has {partitions}, counted from 0")))
        }
        (None, Some(key)) => Ok(partition_of(key, partitions)),
        (None, None) => Ok(partition_of(uuid::Uuid::new_v4().as_bytes(), partitions)),
    }
}

pub(super) async fn produce(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath,
    Asked(asked): Asked<ProduceAsk>,
) -> Result<Json<ProducedRecords>, Refused> {
    check_own(&caller, &name)?;
    let topic = seen(&state, &caller, &name)?;
    let copies = asked.copies.unwrap_or(1);
    if !(1..=COPIES_MAX).contains(&copies) {
        return Err(bad("so many copies are not possible", format!("ask for 1 to {COPIES_MAX}")));
    }
    if asked.headers.len() > HEADERS_MAX {
        return Err(bad("these are too many headers", format!("send at most {HEADERS_MAX}")));
    }
    let record = NewRecord {
        key: bytes("key", asked.key, asked.key_encoding)?,
        value: bytes("value", asked.value, asked.value_encoding)?,
        timestamp: clock::now(),
        headers: asked.headers.into_iter().map(|header| (header.name, header.value.map(Bytes::from))).collect(),
    };
    if record.size().saturating_mul(copies) > BYTES_MAX {
        let error = format!("{copies} copies of this record are more than {} MiB", BYTES_MAX >> 20);
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, error, "ask for fewer copies at a time"));
    }
    let partition = choose(asked.partition, record.key.as_deref(), topic.partitions.len())?;
    check_owed(&state, &caller, Spent::ProducedBytes)?;
    let records = vec![record; copies];
    let produced = state.cluster.produce(limited(&caller), &topic.name, partition, records).await.map_err(refused)?;
    Ok(Json(ProducedRecords { partition: partition.0, offset: produced.offset.0, count: copies, timestamp_ms: produced.timestamp.0 }))
}
