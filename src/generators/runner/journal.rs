//! What the generators remember: seed, dirt, clock origin and unfilled gaps. A record of the internal topic `_headwater`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cluster::{ClusterError, NewRecord, Topics};
use crate::generators::dirt::DirtLevel;
use crate::generators::incidents::Command;
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

pub const TOPIC: &str = "_headwater";
const KEY: &[u8] = b"generators";

/// A stretch of time without events: longer than what is filled. Half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The value of the record with the key `generators`, as JSON.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `seed` | what the town was drawn from |
/// | `dirt` | 0 to 2; absent: 0 |
/// | `origin` | the town's time 0, in milliseconds since 1970 |
/// | `gaps` | pairs `from`, `to`: nothing that arrived in between is ever written; the last ones, oldest first |
/// | `commands` | what was ordered (incidents, rates, pauses), oldest first; absent: nothing |
/// | `virtual_to` | of a town with a virtual clock only: nothing that arrives later has been written |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    pub seed: u64,
    #[serde(default)]
    pub dirt: u8,
    pub origin: Timestamp,
    pub gaps: Vec<Gap>,
    #[serde(default)]
    pub commands: Vec<Command>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_to: Option<Timestamp>,
}

/// More gaps than this are not shown.
const GAPS_KEPT: usize = 20;

impl Journal {
    pub fn begin(seed: u64, dirt: DirtLevel, origin: Timestamp) -> Journal {
        Journal { version: 1, seed, dirt: dirt.number(), origin, gaps: Vec::new(), commands: Vec::new(), virtual_to: None }
    }

    pub fn dirt(&self) -> DirtLevel {
        DirtLevel::from_number(self.dirt).unwrap_or_default()
    }

    /// Nothing that arrived earlier is written any more.
    pub fn fill_from(&self) -> Timestamp {
        self.gaps.last().map_or(self.origin, |gap| gap.to)
    }

    pub fn leave_open(&mut self, gap: Gap) {
        self.gaps.push(gap);
        if self.gaps.len() > GAPS_KEPT {
            self.gaps.remove(0);
        }
    }

    /// The newest journal in the topic, which others use too: so look further back until it is found.
    pub async fn read(cluster: &dyn Topics) -> Result<Option<Journal>, ClusterError> {
        let topic = TopicName::new(TOPIC);
        cluster.ensure_topic(&topic, 1, &[("cleanup.policy", "compact".to_owned())]).await?;
        let mut count = 64;
        loop {
            let records = cluster.tail(&topic, PartitionId(0), count).await?;
            if let Some(record) = records.iter().rev().find(|record| record.key.as_deref() == Some(KEY)) {
                // A record without a value is a reset's: the town begins anew.
                let Some(value) = &record.value else { return Ok(None) };
                return serde_json::from_slice(value).map(Some).map_err(|error| ClusterError {
                    code: ErrorCode::InvalidRecord,
                    message: format!("the generators' record in {TOPIC} cannot be read: {error}"),
                });
            }
            if records.len() < count {
                return Ok(None);
            }
            count *= 8;
        }
    }

    /// Writes that there is none, so that the next run begins anew.
    pub async fn forget(cluster: &dyn Topics, now: Timestamp) -> Result<(), ClusterError> {
        let record = NewRecord { key: Some(Bytes::from_static(KEY)), value: None, timestamp: now, headers: Vec::new() };
        cluster.append(&TopicName::new(TOPIC), PartitionId(0), vec![record]).await?;
        Ok(())
    }

    pub async fn write(&self, cluster: &dyn Topics, now: Timestamp) -> Result<(), ClusterError> {
        let value = serde_json::to_vec(self).map_err(|error| ClusterError {
            code: ErrorCode::UnknownServerError,
            message: format!("the generators' record cannot be written: {error}"),
        })?;
        let record = NewRecord { key: Some(Bytes::from_static(KEY)), value: Some(Bytes::from(value)), timestamp: now, headers: Vec::new() };
        cluster.append(&TopicName::new(TOPIC), PartitionId(0), vec![record]).await?;
        Ok(())
    }
}
