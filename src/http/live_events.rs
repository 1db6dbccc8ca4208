//! What `/api/live` sends.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::light::Light;
use crate::workshop::Room;
use crate::workshop::course::Told;

/// What is sent in events; each has one of these in its data, by the event's name.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described")]
pub(super) enum LiveEvent {
    /// `tick`
    Tick(Tick),
    /// `mine`
    Mine(Mine),
    /// `verdict`
    Verdict(Box<Told>),
    /// `room`
    Room(Room),
}

/// Once a second, or as often as was asked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Tick {
    pub at_ms: i64,
    pub healthy: bool,
    /// What keeps the broker from serving everybody everything.
    pub problem: Option<String>,
    /// What will become a problem; for the instructor.
    pub warning: Option<String>,
    /// Of Kafka clients. `null` where another cluster's brokers count them; so are bytes and sizes.
    pub connections: Option<u64>,
    pub messages_in_per_s: f64,
    /// Of records, generated ones included.
    pub bytes_in_per_s: Option<f64>,
    /// To Kafka clients.
    pub bytes_out_per_s: Option<f64>,
    /// Of one core, by this process.
    pub cpu_percent: f64,
    pub memory_bytes: u64,
    pub phase: TownPhase,
    /// The streams; for the instructor all topics but internal ones.
    pub topics: Vec<TopicTick>,
    /// For the instructor.
    pub groups: Vec<GroupTick>,
    /// Pages that are open.
    pub pages: usize,
}

/// What the generators do.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TownPhase {
    /// There are none.
    Off,
    Starting,
    /// They write events of the past.
    Backfilling,
    Live,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct TopicTick {
    pub name: String,
    pub messages_per_s: f64,
    pub bytes_per_s: Option<f64>,
    pub records: i64,
    pub size_bytes: Option<u64>,
    /// `null`: not since the broker started.
    pub last_write_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct GroupTick {
    pub id: String,
    /// Kafka's word, such as `Stable` or `Empty`.
    pub state: String,
    pub members: usize,
    /// `null`: nothing was committed yet.
    pub lag: Option<i64>,
}

/// When it has changed. Whoever sees all topics and groups in the tick gets the light alone.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Mine {
    pub topics: Vec<TopicTick>,
    pub groups: Vec<GroupTick>,
    pub light: Light,
}

pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    // Without line breaks, as JSON is written here.
    let _ = serde_json::to_writer(&mut text, data);
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}
