//! `/api/overview`: what the first page shows, as JSON. Made at most twice a second, however many pages are open; a student gets the part
//! of it that they may see.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;

use super::caller::Caller;
use super::groups::GroupNow;
use super::history::TopicRate;
use super::whose::{Whose, told_to_all, whose};
use super::{HttpState, schemas};
use crate::cluster::{PartitionSummary, StoredRecord, TopicSummary};
use crate::generators::STREAMS;
use crate::model::Offset;
use crate::workshop::Role;

const FRESH: Duration = Duration::from_millis(500);
/// Records shown of each topic.
const LAST_RECORDS: usize = 5;
/// Partitions that are asked for their last records, and topics that are shown with them.
const PARTITIONS_READ: usize = 16;
const TOPICS_READ: usize = 24;
/// For all of them: those who come wait for it.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// For the streams. In another cluster, what a broker led that has just gone cannot be read for some seconds.
const STREAMS_WITHIN: Duration = Duration::from_secs(4);
/// Damaged parts that are listed.
const DAMAGE_SHOWN: usize = 20;
/// Bytes shown of a key or value.
const TEXT_BYTES: usize = 2048;

/// The last overview made. Those who come while one is being made wait for it.
#[derive(Default)]
pub(super) struct OverviewCache {
    last: Mutex<Option<Made>>,
}

struct Made {
    at: Instant,
    overview: Arc<Overview>,
    /// All of it, as JSON.
    body: Bytes,
}

#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Overview {
    healthy: bool,
    problem: Option<String>,
    warning: Option<String>,
    cluster: Whose,
    /// What of the logs is damaged.
    damage: Vec<Damage>,
    /// Of Kafka clients. `null` where another cluster's brokers count them; so are the bytes.
    connections: Option<u64>,
    messages_in_per_s: f64,
    bytes_in_per_s: Option<f64>,
    bytes_out_per_s: Option<f64>,
    topics: Vec<Topic>,
    groups: Vec<Group>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Damage {
    topic: String,
    partition: i32,
    first_offset: i64,
    end_offset: i64,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "OverviewTopic")]
struct Topic {
    name: String,
    partitions: usize,
    records: i64,
    size_bytes: Option<u64>,
    /// `D0`, `D1` or `D2`.
    durability: Option<String>,
    messages_per_s: f64,
    bytes_per_s: Option<f64>,
    /// Where its JSON Schema is, for one of the town's streams.
    schema: Option<String>,
    last: Vec<Record>,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "OverviewRecord")]
struct Record {
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<Text>,
    value: Option<Text>,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "OverviewText")]
struct Text {
    text: String,
    bytes: usize,
    cut: bool,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "OverviewGroup")]
struct Group {
    id: String,
    protocol: String,
    state: String,
    members: usize,
    /// `null`: nothing was committed yet.
    lag: Option<i64>,
    topics: Vec<GroupTopic>,
}

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "OverviewGroupTopic")]
struct GroupTopic {
    name: String,
    lag: Option<i64>,
}

pub(super) async fn overview(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Response {
    let (overview, body) = {
        let mut last = state.overview.last.lock().await;
        let made = match last.take() {
            Some(made) if made.at.elapsed() < FRESH => made,
            _ => {
                let overview = Arc::new(collect(&state).await);
                let body = Bytes::from(serde_json::to_vec(overview.as_ref()).unwrap_or_default());
                Made { at: Instant::now(), overview, body }
            }
        };
        let made = last.insert(made);
        (Arc::clone(&made.overview), made.body.clone())
    };
    let body = if caller.role == Role::Instructor { body } else { overview.seen_by(&state, &caller) };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Students see the streams and what is theirs; nobody sees anything of others.
pub(super) fn may_see_topic(caller: &Caller, topic: &str) -> bool {
    match caller.role {
        Role::Instructor => true,
        Role::Student => is_stream(topic) || caller.owns_topic(topic),
        Role::Nobody => false,
    }
}

pub(super) fn is_stream(topic: &str) -> bool {
    STREAMS.iter().any(|stream| stream.topic == topic)
}

impl Overview {
    fn seen_by(&self, state: &HttpState, caller: &Caller) -> Bytes {
        let part = Overview {
            damage: self.damage.iter().filter(|damage| may_see_topic(caller, &damage.topic)).cloned().collect(),
            topics: self.topics.iter().filter(|topic| may_see_topic(caller, &topic.name)).cloned().collect(),
            groups: self.groups.iter().filter(|group| caller.owns_group(&group.id)).map(|group| group.seen_by(caller)).collect(),
            // These speak of the machine and name topics.
            problem: self.problem.as_ref().map(|problem| told_to_all(state, problem)),
            warning: None,
            cluster: self.cluster.clone(),
            ..*self
        };
        Bytes::from(serde_json::to_vec(&part).unwrap_or_default())
    }
}

impl Group {
    /// Its members may say that they read whatever topic they like.
    fn seen_by(&self, caller: &Caller) -> Group {
        let topics = self.topics.iter().filter(|topic| may_see_topic(caller, &topic.name)).cloned().collect();
        Group { topics, ..self.clone() }
    }
}

async fn collect(state: &HttpState) -> Overview {
    let rate = state.rate();
    let problem = state.cluster.health().err();
    let mut topics = Vec::new();
    let all = state.cluster.topics();
    let damage = all.iter().flat_map(damage).take(DAMAGE_SHOWN).collect();
    let shown = all.into_iter().filter(|topic| !topic.internal);
    let (mut others, begun) = (0, Instant::now());
    for summary in shown {
        // The streams are what pages are open for.
        let read = is_stream(summary.name.as_str()) || (others < TOPICS_READ && begun.elapsed() < READ_WITHIN);
        others += usize::from(!is_stream(summary.name.as_str()));
        let last = if read { last_records(state, &summary, begun).await } else { Vec::new() };
        topics.push(topic(state, &summary, rate.topics.get(&summary.name).copied().unwrap_or_default(), last));
    }
    Overview {
        healthy: problem.is_none(),
        problem,
        warning: state.cluster.warning(),
        cluster: whose(state),
        damage,
        connections: state.cluster.connections(),
        messages_in_per_s: rate.messages_in,
        bytes_in_per_s: state.counted(rate.bytes_in),
        bytes_out_per_s: state.counted(rate.bytes_out),
        topics,
        groups: state.groups.now(state.cluster.as_ref()).await.groups.iter().map(group).collect(),
    }
}

fn damage(topic: &TopicSummary) -> Vec<Damage> {
    let of = |partition: &PartitionSummary| {
        let (topic, partition, ranges) = (topic.name.to_string(), partition.partition.0, partition.damaged.clone());
        let damage =
            move |range: Range<Offset>| Damage { topic: topic.clone(), partition, first_offset: range.start.0, end_offset: range.end.0 };
        ranges.into_iter().map(damage)
    };
    topic.partitions.iter().flat_map(of).collect()
}

/// The newest records of a topic, newest first. A partition that cannot be read is left out.
async fn last_records(state: &HttpState, topic: &TopicSummary, begun: Instant) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let within = if is_stream(topic.name.as_str()) { STREAMS_WITHIN } else { READ_WITHIN };
    for partition in topic.partitions.iter().filter(|p| p.end_offset > p.start_offset).take(PARTITIONS_READ) {
        let left = within.saturating_sub(begun.elapsed()).min(READ_WITHIN);
        if left.is_zero() {
            break;
        }
        let read = tokio::time::timeout(left, state.cluster.tail(&topic.name, partition.partition, LAST_RECORDS)).await;
        // Only what is shown is kept: a few compressed bytes may be a very long record.
        records.extend(read.ok().and_then(Result::ok).unwrap_or_default().into_iter().map(record));
    }
    records.sort_by_key(|r| std::cmp::Reverse((r.timestamp, r.offset)));
    records.truncate(LAST_RECORDS);
    records
}

fn topic(state: &HttpState, summary: &TopicSummary, rate: TopicRate, last: Vec<Record>) -> Topic {
    Topic {
        name: summary.name.to_string(),
        partitions: summary.partitions.len(),
        records: summary.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).sum(),
        size_bytes: summary.partitions.iter().map(|p| p.size_bytes).sum(),
        durability: summary.durability.map(|durability| format!("{durability:?}")),
        messages_per_s: rate.messages_in,
        bytes_per_s: state.counted(rate.bytes_in),
        schema: schemas::link(summary.name.as_str()),
        last,
    }
}

fn record(stored: StoredRecord) -> Record {
    Record {
        partition: stored.partition.0,
        offset: stored.offset.0,
        timestamp: stored.timestamp.0,
        key: stored.key.as_deref().map(shown),
        value: stored.value.as_deref().map(shown),
    }
}

/// The beginning of some bytes as text; what is not UTF-8 shows as U+FFFD.
fn shown(bytes: &[u8]) -> Text {
    let start = bytes.get(..TEXT_BYTES).unwrap_or(bytes);
    let mut text = String::from_utf8_lossy(start).into_owned();
    let cut = start.len() < bytes.len();
    if cut && text.ends_with('\u{FFFD}') {
        text.pop();
    }
    Text { text, bytes: bytes.len(), cut }
}

fn group(group: &GroupNow) -> Group {
    let summary = &group.summary;
    Group {
        id: summary.id.clone(),
        protocol: summary.protocol.clone(),
        state: summary.state.clone(),
        members: summary.members,
        lag: group.lag,
        topics: group.topics.iter().map(|topic| GroupTopic { name: topic.name.clone(), lag: topic.lag }).collect(),
    }
}
