//! The checkpoint of a streaming query: what it has read, and where its watermark stands.
//!
//! | file | lines |
//! |---|---|
//! | `offsets/N` | `v1`; the batch as JSON, with `batchWatermarkMs`; for each source where it ends, as JSON |
//! | `commits/N` | there once batch N is done |
//! | `sources/S/0` | a zero byte and `v1`; where source S began, as JSON |
//!
//! Of a Kafka source an offset is `{"topic": {"0": 17, ...}, ...}`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::table::TableError;

/// By topic and partition, the first offset and the one behind the last.
pub type Read = BTreeMap<String, BTreeMap<i32, (i64, i64)>>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryCheckpoint {
    pub read: Read,
    /// 0 for none.
    pub watermark_ms: i64,
}

impl QueryCheckpoint {
    pub fn open(folder: &Path) -> Result<QueryCheckpoint, TableError> {
        let batch = newest(&folder.join("commits"))?;
        let lines = lines(&folder.join("offsets").join(batch.to_string()))?;
        let mut checkpoint = QueryCheckpoint::default();
        let mut documents = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
        let batch = documents.next().unwrap_or_default();
        checkpoint.watermark_ms = batch.get("batchWatermarkMs").and_then(Value::as_i64).unwrap_or_default();
        for (number, ends) in documents.enumerate() {
            let path = folder.join("sources").join(number.to_string()).join("0");
            let begins = match path.is_file() {
                true => lines_of_start(&path)?,
                false => Value::Null,
            };
            for (topic, partition, end) in offsets(&ends) {
                let start = offsets(&begins).find(|(of, id, _)| *of == topic && *id == partition).map_or(0, |(.., start)| start);
                checkpoint.read.entry(topic.to_owned()).or_default().insert(partition, (start, end));
            }
        }
        Ok(checkpoint)
    }
}

fn offsets(document: &Value) -> impl Iterator<Item = (&str, i32, i64)> {
    let topics = document.as_object().into_iter().flatten();
    topics.flat_map(|(topic, partitions)| {
        let partitions = partitions.as_object().into_iter().flatten();
        partitions.filter_map(move |(id, offset)| Some((topic.as_str(), id.parse().ok()?, offset.as_i64()?)))
    })
}

/// The number of the newest batch.
fn newest(folder: &Path) -> Result<u64, TableError> {
    let entries = fs::read_dir(folder).map_err(|error| TableError::unreadable(folder, error))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.max().ok_or_else(|| TableError::Refused(format!("{} shows no batch that is done", folder.display())))
}

/// The lines behind that of the version.
fn lines(path: &Path) -> Result<Vec<String>, TableError> {
    let text = fs::read_to_string(path).map_err(|error| TableError::unreadable(path, error))?;
    let mut lines = text.trim_start_matches('\0').lines().map(str::to_owned);
    match lines.next().as_deref() {
        Some("v1") => Ok(lines.collect()),
        other => Err(TableError::Refused(format!("{} is of the version {other:?}, which is not read here", path.display()))),
    }
}

fn lines_of_start(path: &Path) -> Result<Value, TableError> {
    let lines = lines(path)?;
    Ok(lines.first().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default())
}
