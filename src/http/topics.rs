//! `/api/topics`: what there is, and topics that are made and deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Asked, InPath, InQuery, Refused};
use super::caller::Caller;
use super::groups::lag_of_all;
use super::history::TopicRate;
use super::overview::{is_stream, may_see_topic};
use super::paces::Pace;
use super::snapshot::{Snapshot, snapshot};
use super::{HttpState, schemas};
use crate::broker::is_internal;
use crate::cluster::{ClusterError, GroupOffset, GroupSummary, PartitionSummary, Spent, TopicSummary, TopicWish};
use crate::generators::STREAMS;
use crate::model::{ErrorCode, TopicName};
use crate::workshop::Role;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TopicKind {
    /// One of the town's.
    Stream,
    /// Of whoever asks.
    Mine,
    /// Somebody else's.
    Other,
    /// The broker's own.
    Internal,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct GroupLag {
    pub group: String,
    /// `null`: nothing was committed yet.
    pub lag: Option<i64>,
    /// Partitions that it leaves out: nothing was committed there yet.
    pub uncounted: usize,
}

/// One topic in the list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct TopicRow {
    pub name: String,
    pub kind: TopicKind,
    pub partitions: usize,
    pub records: i64,
    /// On the disk. `null` where another cluster's brokers know it; so is what is written in bytes.
    pub size_bytes: Option<u64>,
    /// `D0`, `D1` or `D2`.
    pub durability: Option<String>,
    pub messages_per_s: f64,
    pub bytes_per_s: Option<f64>,
    /// Messages a second, one number for five seconds, newest last; up to five minutes.
    pub spark: Vec<f64>,
    /// When a record last came; `null` if that is not known.
    pub last_write_ms: Option<i64>,
    /// Where its JSON Schema is.
    pub schema: Option<String>,
    pub about: Option<String>,
    /// Of each group that reads it and may be seen.
    pub lag: Vec<GroupLag>,
    pub may_write: bool,
    pub may_delete: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TopicList {
    pub topics: Vec<TopicRow>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListTopics {
    /// With the broker's own; only the instructor gets them.
    pub internal: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopicAsk {
    pub name: String,
    /// As many as the broker gives a new topic if it is left out.
    pub partitions: Option<i32>,
    #[serde(default)]
    pub configs: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MadeTopic {
    pub name: String,
    pub partitions: i32,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeletedTopic {
    /// Its name.
    pub deleted: String,
}

/// What a cluster answered, as an answer of these pages.
pub(super) fn refused(error: ClusterError) -> Refused {
    let (status, fix) = match error.code {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => {
            (StatusCode::NOT_FOUND, "it may just have been deleted; the list of topics has those that there are")
        }
        ErrorCode::TopicAlreadyExists => (StatusCode::CONFLICT, "choose another name, or delete the topic first"),
        ErrorCode::InvalidTopicException => (StatusCode::BAD_REQUEST, "choose another name"),
        ErrorCode::InvalidPartitions => (StatusCode::BAD_REQUEST, "ask for one partition or more"),
        ErrorCode::InvalidConfig => (StatusCode::BAD_REQUEST, "docs/configs.md lists the configs and their values"),
        ErrorCode::PolicyViolation => (StatusCode::CONFLICT, "make room first; docs/limits.md lists the limits"),
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "send a smaller record; the topic's max.message.bytes says how large one may be")
        }
        ErrorCode::InvalidRecord | ErrorCode::InvalidTimestamp | ErrorCode::InvalidRequest => {
            (StatusCode::BAD_REQUEST, "a compacted topic needs a key with each record; change it and try again")
        }
        ErrorCode::OffsetOutOfRange => (StatusCode::CONFLICT, "the records were deleted meanwhile; ask again without a cursor"),
        ErrorCode::TopicDeletionDisabled => (StatusCode::CONFLICT, "set delete.topic.enable=true at the broker's start"),
        ErrorCode::UnsupportedVersion => (StatusCode::NOT_IMPLEMENTED, "use the cluster's own tools"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "try again; if it stays so, the broker's log says more"),
    };
    Refused::new(status, error.message, fix)
}

pub(super) fn not_there(error: impl Into<String>, fix: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, error, fix)
}

/// A topic that the caller may see. Of others they do not learn whether they are there.
pub(super) fn seen(state: &HttpState, caller: &Caller, name: &str) -> Result<TopicSummary, Refused> {
    if !may_see_topic(caller, name) {
        let fix = "look at the streams, or at topics of your own; the list of topics has both";
        return Err(Refused::new(StatusCode::FORBIDDEN, "this topic is somebody else's, or there is none", fix));
    }
    let none = || not_there(format!("there is no topic {name}"), "the list of topics has those that there are");
    state.cluster.topic(name).ok_or_else(none)
}

/// Whether records may be written by who asks, and the topic be made.
pub(super) fn check_own(caller: &Caller, name: &str) -> Result<(), Refused> {
    if is_internal(name) {
        let fix = "leave it to the broker; use a topic of your own";
        return Err(Refused::new(StatusCode::FORBIDDEN, format!("{name} is the broker's own"), fix));
    }
    if caller.role == Role::Instructor || caller.owns_topic(name) {
        return Ok(());
    }
    let prefix = caller.identity.as_ref().map(crate::workshop::Identity::prefix).unwrap_or_default();
    let fix = format!("names of your own topics begin with {prefix}");
    let error = if is_stream(name) { "the streams are the town's to write" } else { "this name is somebody else's, or nobody's" };
    Err(Refused::new(StatusCode::FORBIDDEN, error, fix))
}

/// The same for deleting.
pub(super) fn check_deletable(state: &HttpState, caller: &Caller, name: &str) -> Result<(), Refused> {
    check_own(caller, name)?;
    if is_stream(name) && state.generators.is_some() {
        let fix = "POST /api/reset begins all streams anew";
        return Err(Refused::new(StatusCode::CONFLICT, "the generators write to this stream", fix));
    }
    Ok(())
}

/// Whose limits count: a student's.
pub(super) fn limited(caller: &Caller) -> Option<&str> {
    if caller.role == Role::Instructor { None } else { caller.user.as_deref() }
}

/// Refuses while a user has used up what there is in a second.
pub(super) fn check_owed(state: &HttpState, caller: &Caller, what: Spent) -> Result<(), Refused> {
    let wait = limited(caller).map_or(Duration::ZERO, |user| state.cluster.owed(user, what));
    if wait.is_zero() {
        return Ok(());
    }
    let error = match what {
        Spent::ProducedBytes => "you have written as many bytes as one may in this time",
        Spent::Partitions => "you have made or deleted as many partitions as one may in this time",
    };
    Err(Refused::too_many(error, wait))
}

pub(super) fn may_see_group(caller: &Caller, group: &str) -> bool {
    caller.role == Role::Instructor || caller.owns_group(group)
}

fn kind(state: &HttpState, caller: &Caller, topic: &TopicSummary) -> TopicKind {
    let name = topic.name.as_str();
    match () {
        () if topic.internal => TopicKind::Internal,
        () if is_stream(name) => TopicKind::Stream,
        () if state.workshop.is_none() || caller.owns_topic(name) => TopicKind::Mine,
        () => TopicKind::Other,
    }
}

pub(super) fn records_of(partition: &PartitionSummary) -> i64 {
    partition.end_offset.0.saturating_sub(partition.start_offset.0)
}

fn lag_of(group: &GroupSummary, topic: &str) -> Option<GroupLag> {
    let lags: Vec<Option<i64>> = group.offsets.iter().filter(|offset| offset.topic.as_str() == topic).map(GroupOffset::lag).collect();
    let uncounted = lags.iter().filter(|lag| lag.is_none()).count();
    (!lags.is_empty()).then(|| GroupLag { group: group.id.clone(), lag: lag_of_all(lags.into_iter()), uncounted })
}

pub(super) fn row(
    state: &HttpState,
    caller: &Caller,
    topic: &TopicSummary,
    groups: &[GroupSummary],
    rate: TopicRate,
    pace: &Pace,
) -> TopicRow {
    let name = topic.name.as_str();
    let seen = groups.iter().filter(|group| may_see_group(caller, &group.id));
    TopicRow {
        name: name.to_owned(),
        kind: kind(state, caller, topic),
        partitions: topic.partitions.len(),
        records: topic.partitions.iter().map(records_of).sum(),
        size_bytes: topic.partitions.iter().map(|partition| partition.size_bytes).sum(),
        durability: topic.durability.map(|durability| format!("{durability:?}")),
        messages_per_s: rate.messages_in,
        bytes_per_s: state.counted(rate.bytes_in),
        spark: state.history.spark(topic.name.as_str()),
        last_write_ms: rate.last_write_ms.or_else(|| pace.last_write.map(|time| time.0)),
        schema: schemas::link(name),
        about: STREAMS.iter().find(|stream| stream.topic == name).map(|stream| format!("{}.", stream.about)),
        lag: seen.filter_map(|group| lag_of(group, name)).collect(),
        may_write: check_own(caller, name).is_ok(),
        may_delete: check_deletable(state, caller, name).is_ok(),
    }
}

pub(super) async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InQuery(asked): InQuery<ListTopics>,
) -> Json<TopicList> {
    let now = snapshot(&state).await;
    let Snapshot { topics, groups, .. } = now.as_ref();
    let rate = state.rate();
    let internal = asked.internal == Some(true) && caller.role == Role::Instructor;
    let shown = topics.iter().filter(|topic| may_see_topic(&caller, topic.name.as_str()) && (internal || !topic.internal));
    let rows = shown.map(|topic| {
        let rate = rate.topics.get(&topic.name).copied().unwrap_or_default();
        row(&state, &caller, topic, groups, rate, &state.paces.pace(topic.name.as_str()))
    });
    Json(TopicList { topics: rows.collect() })
}

pub(super) async fn create(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<NewTopicAsk>,
) -> Result<Json<MadeTopic>, Refused> {
    check_own(&caller, &asked.name)?;
    check_owed(&state, &caller, Spent::Partitions)?;
    let wish = TopicWish { name: TopicName::new(&asked.name), partitions: asked.partitions, configs: asked.configs.into_iter().collect() };
    let partitions = state.cluster.create_topic(limited(&caller), wish).await.map_err(refused)?;
    Ok(Json(MadeTopic { name: asked.name, partitions }))
}

pub(super) async fn delete(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath,
) -> Result<Json<DeletedTopic>, Refused> {
    check_deletable(&state, &caller, &name)?;
    check_owed(&state, &caller, Spent::Partitions)?;
    seen(&state, &caller, &name)?;
    state.cluster.delete_topic(limited(&caller), &TopicName::new(&name)).await.map_err(refused)?;
    tracing::info!(topic = name, user = caller.user.as_deref().unwrap_or_default(), "a topic was deleted from the page");
    Ok(Json(DeletedTopic { deleted: name }))
}
