//! What is said to everybody in the room: an announcement, a timer, and whether checks count at the moment.

use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::roster::{TOPIC, ensure, parsed};
use crate::cluster::{Cluster, ClusterError, NewRecord};
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

const ROOM_KEY: &str = "room";

/// The value of the record with the key `room` in the topic `_workshop`, as JSON.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `announcement` | what everybody reads |
/// | `frozen` | true: no check counts |
/// | `timer` | when time is up, and what for |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoomRecord {
    pub version: u32,
    pub announcement: Option<Announcement>,
    pub frozen: bool,
    pub timer: Option<Timer>,
}

/// What every page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Room {
    /// What the instructor says to everybody.
    pub announcement: Option<Announcement>,
    /// Checks are refused, and the leaderboard stays as it is.
    pub frozen: bool,
    pub timer: Option<Timer>,
    /// Whether there is a leaderboard to look at.
    pub leaderboard: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Announcement {
    pub text: String,
    /// When it was made.
    pub at_ms: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timer {
    /// When time is up. It stays until it is taken away.
    pub ends_ms: Timestamp,
    /// What for.
    pub label: String,
}

/// Keeps the room and tells whoever listens.
pub struct Noticeboard {
    cluster: Arc<dyn Cluster>,
    shown: Arc<watch::Sender<Room>>,
    /// Held from what is read to what is shown.
    changing: tokio::sync::Mutex<()>,
}

impl Noticeboard {
    /// With what the cluster keeps.
    pub async fn open(cluster: Arc<dyn Cluster>, leaderboard: bool) -> Result<Noticeboard, ClusterError> {
        let mut record = RoomRecord::default();
        let topic = TopicName::new(TOPIC);
        if cluster.topic(TOPIC).is_some() {
            let kept = cluster.tail(&topic, PartitionId(0), usize::MAX).await?;
            let last = kept.into_iter().rev().find(|kept| kept.key.as_deref() == Some(ROOM_KEY.as_bytes()));
            if let Some(value) = last.and_then(|last| last.value) {
                record = parsed(&value)?;
            }
        }
        let shown = Arc::new(watch::Sender::new(shown(record, leaderboard)));
        Ok(Noticeboard { cluster, shown, changing: tokio::sync::Mutex::default() })
    }

    pub fn room(&self) -> Room {
        self.shown.borrow().clone()
    }

    pub fn is_frozen(&self) -> bool {
        self.shown.borrow().frozen
    }

    /// For whoever wants to hear of changes.
    pub fn channel(&self) -> Arc<watch::Sender<Room>> {
        Arc::clone(&self.shown)
    }

    /// Changes what is shown, and ends once it is kept.
    pub async fn change(&self, change: impl FnOnce(&mut RoomRecord), now: Timestamp) -> Result<Room, ClusterError> {
        let _alone = self.changing.lock().await;
        let Room { announcement, frozen, timer, .. } = self.room();
        let before = RoomRecord { version: 1, announcement, frozen, timer };
        let mut record = before.clone();
        change(&mut record);
        if record != before {
            self.write(&record, now).await?;
            self.shown.send_modify(|room| *room = shown(record, room.leaderboard));
        }
        Ok(self.room())
    }

    /// It is kept elsewhere.
    pub fn show_leaderboard(&self, on: bool) {
        self.shown.send_if_modified(|room| std::mem::replace(&mut room.leaderboard, on) != on);
    }

    async fn write(&self, record: &RoomRecord, now: Timestamp) -> Result<(), ClusterError> {
        let unwritable =
            |error| ClusterError { code: ErrorCode::UnknownServerError, message: format!("the room cannot be written: {error}") };
        let value = serde_json::to_vec(record).map_err(unwritable)?;
        ensure(self.cluster.as_ref()).await?;
        let record = NewRecord {
            key: Some(Bytes::from_static(ROOM_KEY.as_bytes())),
            value: Some(value.into()),
            timestamp: now,
            headers: Vec::new(),
        };
        self.cluster.append(&TopicName::new(TOPIC), PartitionId(0), vec![record]).await.map(|_| ())
    }
}

fn shown(record: RoomRecord, leaderboard: bool) -> Room {
    let RoomRecord { announcement, frozen, timer, .. } = record;
    Room { announcement, frozen, timer, leaderboard }
}
