//! All that a workshop knows of its people, and how it is kept: a compacted topic of one record for the workshop and one for each id.
//! The room's record (`room.rs`) stands there too.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Account, Identity};
use crate::cluster::{Cluster, ClusterError, INSTRUCTOR, NewRecord};
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

/// Hidden, and the instructor's alone.
pub const TOPIC: &str = "_workshop";
const WORKSHOP_KEY: &str = "workshop";
const STUDENT_KEY: &str = "student:";

/// The value of the record with the key `workshop`, as JSON.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `code` | what lets people in |
/// | `secret` | what sessions are signed with, in hex |
/// | `streams` | the topics that everybody may read |
/// | `instructor_generation` | instructor's sessions of an older one have ended |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkshopRecord {
    pub version: u32,
    pub code: String,
    pub secret: String,
    pub streams: Vec<String>,
    pub instructor_generation: u32,
}

/// A snapshot. Whoever changes it makes a new one.
#[derive(Clone, Debug)]
pub struct Roster {
    pub(super) workshop: WorkshopRecord,
    /// By id, those removed included: their ids are used up.
    identities: BTreeMap<String, Identity>,
    /// Which id a user belongs to.
    by_user: HashMap<String, String>,
}

impl Roster {
    pub(super) fn new(workshop: WorkshopRecord) -> Roster {
        Roster { workshop, identities: BTreeMap::new(), by_user: HashMap::new() }
    }

    /// Everybody who takes part, by id.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.identities.values().filter(|identity| !identity.removed)
    }

    pub fn get(&self, id: &str) -> Option<&Identity> {
        self.identities.get(id).filter(|identity| !identity.removed)
    }

    pub fn of_user(&self, user: &str) -> Option<&Identity> {
        self.get(self.by_user.get(user)?)
    }

    /// Taken now or before.
    pub(super) fn is_used(&self, id: &str) -> bool {
        self.identities.contains_key(id)
    }

    /// The generation that a user's sessions have to be of. `None`: nobody has sessions by that name.
    pub(super) fn generation(&self, user: &str) -> Option<u32> {
        if user == INSTRUCTOR {
            return Some(self.workshop.instructor_generation);
        }
        let account = |account: &&Account| account.user == user;
        self.of_user(user)?.users.iter().find(account).map(|account| account.generation)
    }

    pub(super) fn put(&mut self, identity: Identity) {
        self.by_user.retain(|_, id| *id != identity.id);
        for account in identity.users.iter().filter(|_| !identity.removed) {
            self.by_user.insert(account.user.clone(), identity.id.clone());
        }
        self.identities.insert(identity.id.clone(), identity);
    }

    /// What is kept. `None` before the first start.
    pub(super) async fn read(cluster: &dyn Cluster) -> Result<Option<Roster>, ClusterError> {
        ensure(cluster).await?;
        let (mut workshop, mut identities) = (None, HashMap::new());
        for record in cluster.tail(&TopicName::new(TOPIC), PartitionId(0), usize::MAX).await? {
            let Some((key, value)) = record.key.zip(record.value) else { continue };
            match std::str::from_utf8(&key) {
                Ok(WORKSHOP_KEY) => workshop = Some(parsed::<WorkshopRecord>(&value)?),
                Ok(key) if key.starts_with(STUDENT_KEY) => {
                    identities.insert(key.to_owned(), parsed::<Identity>(&value)?);
                }
                _ => {}
            }
        }
        let mut roster = workshop.map(Roster::new);
        if let Some(roster) = &mut roster {
            identities.into_values().for_each(|identity| roster.put(identity));
        }
        Ok(roster)
    }
}

pub(super) async fn ensure(cluster: &dyn Cluster) -> Result<(), ClusterError> {
    // Who has a password in hand must be known after a power cut too.
    let configs = [("cleanup.policy", "compact".to_owned()), ("flush.messages", "1".to_owned())];
    cluster.ensure_topic(&TopicName::new(TOPIC), 1, &configs).await
}

pub(super) fn parsed<T: DeserializeOwned>(value: &[u8]) -> Result<T, ClusterError> {
    serde_json::from_slice(value)
        .map_err(|error| ClusterError { code: ErrorCode::InvalidRecord, message: format!("a record of {TOPIC} cannot be read: {error}") })
}

/// What goes into the topic.
pub(super) enum Note<'a> {
    Workshop(&'a WorkshopRecord),
    Identity(&'a Identity),
}

/// Ends once they are kept.
pub(super) async fn write(cluster: &dyn Cluster, notes: &[Note<'_>], now: Timestamp) -> Result<(), ClusterError> {
    let record = |note: &Note<'_>| {
        let (key, value) = match note {
            Note::Workshop(workshop) => (WORKSHOP_KEY.to_owned(), serde_json::to_vec(workshop)),
            Note::Identity(identity) => (format!("{STUDENT_KEY}{}", identity.id), serde_json::to_vec(identity)),
        };
        let unwritable = |error| ClusterError { code: ErrorCode::UnknownServerError, message: format!("{key} cannot be written: {error}") };
        let value = value.map_err(unwritable)?;
        Ok(NewRecord { key: Some(Bytes::from(key)), value: Some(Bytes::from(value)), timestamp: now, headers: Vec::new() })
    };
    let records = notes.iter().map(record).collect::<Result<Vec<_>, ClusterError>>()?;
    cluster.append(&TopicName::new(TOPIC), PartitionId(0), records).await?;
    Ok(())
}
