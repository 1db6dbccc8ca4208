//! `/api/groups`: who reads what, how far they are, and setting offsets anew.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::caller::Caller;
use super::groups::{GroupNow, LAG_STEP_S, TopicNow, now_ms};
use super::overview::may_see_topic;
use crate::cluster::{ClusterError, GroupMembers, GroupOffset, TopicSummary};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::Role;

/// Partitions whose offsets are set anew at once.
const PARTITIONS_MAX: usize = 1_000;
const MINUTE_MS: i64 = 60_000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Groups")]
pub(super) struct GroupsAnswer {
    /// When all of this was so.
    at_ms: i64,
    groups: Vec<GroupRow>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GroupRow {
    id: String,
    /// `classic` or `consumer`.
    protocol: String,
    /// Kafka's word, such as `Stable` or `Empty`.
    state: String,
    members: usize,
    /// Records between what is committed and the end, of the partitions that it has committed offsets of; `null`: there are none.
    lag: Option<i64>,
    /// Partitions that the lag leaves out: they are read, and nothing was committed there yet.
    uncounted: usize,
    topics: Vec<TopicLag>,
    /// Whether it is the caller's own.
    mine: bool,
    /// Records per second that come into its partitions.
    rate_in: f64,
    /// Records per second that it commits.
    rate_out: f64,
    /// Seconds until nothing is left, at these rates; `null`: never.
    eta_s: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TopicLag {
    name: String,
    /// `null`: nothing was committed yet.
    lag: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct GroupAnswer {
    /// When offsets and lag were so.
    at_ms: i64,
    id: String,
    /// `classic` or `consumer`.
    protocol: String,
    /// Kafka's word, such as `Stable` or `Empty`.
    state: String,
    /// How partitions are given out, such as `range`; `null` while that is not settled.
    assignor: Option<String>,
    members: Vec<MemberRow>,
    partitions: Vec<GroupPartition>,
    /// Of the partitions that it has committed offsets of; `null`: there are none.
    lag: Option<i64>,
    /// Partitions that the lag leaves out: they are read, and nothing was committed there yet.
    uncounted: usize,
    rate_in: f64,
    rate_out: f64,
    eta_s: Option<f64>,
    history: LagHistory,
    may_reset: bool,
    /// Why not.
    why_not: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MemberRow {
    member_id: String,
    client_id: String,
    /// Address of the client.
    host: String,
    instance_id: Option<String>,
    assignment: Vec<AssignedTopic>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AssignedTopic {
    topic: String,
    partitions: Vec<i32>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GroupPartition {
    topic: String,
    partition: i32,
    start_offset: i64,
    /// `null`: nothing was committed yet.
    committed: Option<i64>,
    end_offset: i64,
    /// Records between the two; `null` where nothing was committed.
    lag: Option<i64>,
    /// The member that reads it.
    owner: Option<String>,
}

/// Lists of one length, the newest last.
#[derive(Serialize, JsonSchema)]
pub(super) struct LagHistory {
    step_s: u32,
    at_ms: Vec<i64>,
    /// `null`: nothing was committed yet.
    lag: Vec<Option<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResetTo {
    /// The first record that is left.
    Earliest,
    /// The end: only what comes from now on.
    Latest,
    /// `offset`
    Offset,
    /// The first record at or after `time_ms`.
    Time,
    /// The first record of the last `minutes`.
    Back,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OffsetsAsk {
    /// Without: all topics that the group has committed offsets of.
    topic: Option<String>,
    /// Without: all of the topic.
    partitions: Option<Vec<i32>>,
    to: ResetTo,
    offset: Option<i64>,
    time_ms: Option<i64>,
    minutes: Option<i64>,
    /// `false`: only says what would change.
    #[serde(default)]
    apply: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OffsetsAnswer {
    changes: Vec<OffsetChange>,
    applied: bool,
    /// What this means for the consumers, in words.
    explanation: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OffsetChange {
    topic: String,
    partition: i32,
    /// `null`: nothing was committed.
    from: Option<i64>,
    to: i64,
    lag_after: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DeletedGroup {
    deleted: String,
}

pub(super) async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Json<GroupsAnswer> {
    let now = state.groups.now(state.cluster.as_ref()).await;
    let groups: Vec<GroupRow> = match (caller.role, &caller.identity) {
        (Role::Instructor, _) => now.groups.iter().map(|group| row(group, &caller)).collect(),
        (_, Some(identity)) => {
            let own = now.beginning_with(identity.group_prefix()).filter(|group| identity.owns_group(&group.summary.id));
            own.map(|group| row(group, &caller)).collect()
        }
        _ => Vec::new(),
    };
    Json(GroupsAnswer { at_ms: now.at_ms, groups })
}

/// Members may say that they read whatever topic they like: of those that are nobody's business nothing is told.
pub(super) fn seen_topics<'a>(group: &'a GroupNow, caller: &'a Caller) -> impl Iterator<Item = &'a TopicNow> {
    group.topics.iter().filter(|topic| may_see_topic(caller, &topic.name))
}

fn row(group: &GroupNow, caller: &Caller) -> GroupRow {
    let summary = &group.summary;
    GroupRow {
        id: summary.id.clone(),
        protocol: summary.protocol.clone(),
        state: summary.state.clone(),
        members: summary.members,
        lag: group.lag,
        uncounted: seen_topics(group, caller).map(|topic| topic.uncounted).sum(),
        topics: seen_topics(group, caller).map(|topic| TopicLag { name: topic.name.clone(), lag: topic.lag }).collect(),
        mine: is_mine(caller, &summary.id),
        rate_in: group.rate_in,
        rate_out: group.rate_out,
        eta_s: group.eta_s,
    }
}

/// Where nobody logs in all are the one person's.
fn is_mine(caller: &Caller, group: &str) -> bool {
    caller.user.is_none() || caller.owns_group(group)
}

fn may_see(caller: &Caller, group: &str) -> Result<(), Refused> {
    if caller.role == Role::Instructor || caller.owns_group(group) {
        return Ok(());
    }
    // Whether there is such a group is nobody else's business.
    Err(Refused::new(
        StatusCode::FORBIDDEN,
        "this is not one of your groups",
        "ids of your groups begin with your own id; the list of groups has them",
    ))
}

fn no_group(id: &str) -> Refused {
    let id: String = id.chars().take(100).collect();
    Refused::new(StatusCode::NOT_FOUND, format!("there is no group {id}"), "the list of groups has those that there are")
}

pub(super) async fn one(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath,
) -> Result<Json<GroupAnswer>, Refused> {
    may_see(&caller, &id)?;
    let members = state.cluster.group_members(&id).await.unwrap_or_default();
    let now = state.groups.now_with(&id, state.cluster.as_ref()).await;
    let group = now.get(&id).ok_or_else(|| no_group(&id))?;
    let partitions = partitions(&state, &caller, group, &members);
    let (may_reset, why_not) = match members.members.len().max(group.summary.members) {
        0 => (true, None),
        members => (false, Some(stop_first(members))),
    };
    let history = state.groups.lag_history(&id);
    Ok(Json(GroupAnswer {
        at_ms: now.at_ms,
        id,
        protocol: group.summary.protocol.clone(),
        state: group.summary.state.clone(),
        assignor: Some(members.assignor).filter(|name| !name.is_empty()),
        members: members.members.into_iter().map(member).collect(),
        uncounted: partitions.iter().filter(|row| row.committed.is_none()).count(),
        partitions,
        lag: group.lag,
        rate_in: group.rate_in,
        rate_out: group.rate_out,
        eta_s: group.eta_s,
        history: LagHistory {
            step_s: LAG_STEP_S,
            at_ms: history.iter().map(|(at_ms, _)| *at_ms).collect(),
            lag: history.iter().map(|(_, lag)| *lag).collect(),
        },
        may_reset,
        why_not,
    }))
}

fn stop_first(members: usize) -> String {
    let whose = if members == 1 { "its member".to_owned() } else { format!("its {members} members") };
    format!("the group is at work: stop {whose} first, or they would commit over what you set")
}

fn member(member: crate::cluster::GroupMember) -> MemberRow {
    let topic = |(topic, partitions): (TopicName, Vec<PartitionId>)| AssignedTopic {
        topic: topic.to_string(),
        partitions: partitions.into_iter().map(|partition| partition.0).collect(),
    };
    MemberRow {
        member_id: member.member_id,
        client_id: member.client_id,
        host: member.host,
        instance_id: member.instance_id,
        assignment: member.assignment.into_iter().map(topic).collect(),
    }
}

/// Those of the look that all pages share, with its numbers, and those that a member has been given since.
fn partitions(state: &HttpState, caller: &Caller, group: &GroupNow, members: &GroupMembers) -> Vec<GroupPartition> {
    let mut owners: HashMap<(&str, i32), &str> = HashMap::new();
    for member in &members.members {
        for (topic, partitions) in member.assignment.iter().filter(|(topic, _)| may_see_topic(caller, topic.as_str())) {
            for partition in partitions.iter().take(PARTITIONS_MAX) {
                owners.insert((topic.as_str(), partition.0), &member.member_id);
            }
        }
    }
    let mut topics: HashMap<String, Option<TopicSummary>> = HashMap::new();
    let mut ends = |topic: &str, partition: i32| -> Option<(i64, i64)> {
        let summary = topics.entry(topic.to_owned()).or_insert_with(|| state.cluster.topic(topic));
        let found = summary.as_ref()?.partitions.iter().find(|p| p.partition.0 == partition)?;
        Some((found.start_offset.0, found.end_offset.0))
    };
    let mut rows: Vec<GroupPartition> = Vec::new();
    for offset in group.summary.offsets.iter().filter(|offset| may_see_topic(caller, offset.topic.as_str())) {
        let GroupOffset { topic, partition, committed, end_offset } = offset;
        let start_offset = ends(topic.as_str(), partition.0).map_or(0, |(start, _)| start);
        rows.push(GroupPartition {
            topic: topic.to_string(),
            partition: partition.0,
            start_offset,
            committed: committed.map(|committed| committed.0),
            end_offset: end_offset.0,
            lag: offset.lag(),
            owner: owners.remove(&(topic.as_str(), partition.0)).map(str::to_owned),
        });
    }
    for ((topic, partition), owner) in owners {
        let Some((start_offset, end_offset)) = ends(topic, partition) else { continue };
        let (topic, owner) = (topic.to_owned(), Some(owner.to_owned()));
        rows.push(GroupPartition { topic, partition, start_offset, committed: None, end_offset, lag: None, owner });
    }
    rows.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    rows
}

pub(super) async fn offsets(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath,
    Asked(asked): Asked<OffsetsAsk>,
) -> Result<Json<OffsetsAnswer>, Refused> {
    may_see(&caller, &id)?;
    let now = state.groups.now_with(&id, state.cluster.as_ref()).await;
    let group = now.get(&id).ok_or_else(|| no_group(&id))?;
    // As it is now, not as it was at the last look.
    let members = state.cluster.group_members(&id).await.map_or(group.summary.members, |members| members.members.len());
    if members > 0 && asked.apply {
        return Err(Refused::new(StatusCode::CONFLICT, stop_first(members), "stop the group first"));
    }
    let chosen = chosen(&state, &caller, group, &asked)?;
    let _turn = match asked.to {
        // Each look-up reads of the log.
        ResetTo::Time | ResetTo::Back => Some(state.scans.turn(&caller).await?),
        _ => None,
    };
    let mut changes = Vec::with_capacity(chosen.len());
    let mut commits = Vec::with_capacity(chosen.len());
    for place in &chosen {
        let to = target(&state, place, &asked).await?;
        let from = group.summary.offsets.iter().find(|o| o.topic == place.topic && o.partition == place.partition);
        changes.push(OffsetChange {
            topic: place.topic.to_string(),
            partition: place.partition.0,
            from: from.and_then(|offset| offset.committed).map(|committed| committed.0),
            to: to.0,
            lag_after: place.end.0.saturating_sub(to.0).max(0),
        });
        commits.push((place.topic.clone(), place.partition, to));
    }
    if asked.apply {
        state.cluster.commit_offsets(&id, commits).await.map_err(refused)?;
        state.groups.forget().await;
    }
    let explanation = explanation(&changes, asked.to, asked.apply, members);
    Ok(Json(OffsetsAnswer { changes, applied: asked.apply, explanation }))
}

/// A partition whose offset is set anew.
struct Place {
    topic: TopicName,
    partition: PartitionId,
    start: Offset,
    end: Offset,
}

fn chosen(state: &HttpState, caller: &Caller, group: &GroupNow, asked: &OffsetsAsk) -> Result<Vec<Place>, Refused> {
    let wrong = |error: String, fix: &str| Err(Refused::new(StatusCode::BAD_REQUEST, error, fix));
    if asked.partitions.as_ref().is_some_and(Vec::is_empty) {
        let fix = "name the topic and send numbers, such as [0, 2]; or leave partitions out: all of the topic, or all that were committed";
        return wrong("the list of partitions is empty".to_owned(), fix);
    }
    if asked.topic.is_none() && asked.partitions.is_some() {
        return wrong("partitions of which topic?".to_owned(), "name the topic, or leave the partitions out");
    }
    let topics: Vec<String> = match &asked.topic {
        Some(topic) => vec![topic.clone()],
        None => group.topics.iter().filter(|topic| topic.lag.is_some()).map(|topic| topic.name.clone()).collect(),
    };
    let mut places = Vec::new();
    for name in topics {
        let known = state.cluster.topic(&name).filter(|topic| !topic.internal && may_see_topic(caller, &name));
        let Some(topic) = known else {
            let name: String = name.chars().take(100).collect();
            return Err(Refused::new(
                StatusCode::NOT_FOUND,
                format!("there is no topic {name}"),
                "the list of topics has those that there are",
            ));
        };
        let committed = |partition: PartitionId| {
            let of = |o: &&GroupOffset| o.topic == topic.name && o.partition == partition;
            group.summary.offsets.iter().find(of).is_some_and(|offset| offset.committed.is_some())
        };
        let wanted = |partition: PartitionId| match (&asked.partitions, &asked.topic) {
            (Some(wanted), _) => wanted.contains(&partition.0),
            (None, Some(_)) => true,
            (None, None) => committed(partition),
        };
        if let Some(missing) = asked.partitions.iter().flatten().find(|id| !topic.partitions.iter().any(|p| p.partition.0 == **id)) {
            return wrong(format!("{name} has no partition {missing}"), "its page lists those that it has");
        }
        let of_topic = topic.partitions.iter().filter(|p| wanted(p.partition));
        places.extend(of_topic.map(|p| Place {
            topic: topic.name.clone(),
            partition: p.partition,
            start: p.start_offset,
            end: p.end_offset,
        }));
    }
    match places.len() {
        0 => wrong("the group has committed nothing yet".to_owned(), "name a topic: its offsets will be the first"),
        1..=PARTITIONS_MAX => Ok(places),
        many => wrong(format!("{many} partitions are too many at once"), "name a topic"),
    }
}

async fn target(state: &HttpState, place: &Place, asked: &OffsetsAsk) -> Result<Offset, Refused> {
    let missing = |what: &str| Refused::new(StatusCode::BAD_REQUEST, format!("{what} is missing"), format!("send it as {what}"));
    let since = match asked.to {
        ResetTo::Earliest => return Ok(place.start),
        ResetTo::Latest => return Ok(place.end),
        ResetTo::Offset => {
            let offset = asked.offset.ok_or_else(|| missing("offset"))?;
            return Ok(Offset(offset).clamp(place.start, place.end.max(place.start)));
        }
        ResetTo::Time => asked.time_ms.ok_or_else(|| missing("time_ms"))?,
        ResetTo::Back => now_ms().saturating_sub(asked.minutes.ok_or_else(|| missing("minutes"))?.max(0).saturating_mul(MINUTE_MS)),
    };
    let found = state.cluster.offset_at(&place.topic, place.partition, Timestamp(since.max(0))).await.map_err(refused)?;
    Ok(found.clamp(place.start, place.end.max(place.start)))
}

fn explanation(changes: &[OffsetChange], to: ResetTo, applied: bool, members: usize) -> String {
    let again: i64 = changes.iter().filter_map(|c| Some(c.from?.saturating_sub(c.to).max(0))).fold(0, i64::saturating_add);
    let skipped: i64 = changes.iter().filter_map(|c| Some(c.to.saturating_sub(c.from?).max(0))).fold(0, i64::saturating_add);
    let left: i64 = changes.iter().map(|change| change.lag_after).fold(0, i64::saturating_add);
    let first = match to {
        ResetTo::Earliest => "The group starts again at the first record that is left.".to_owned(),
        ResetTo::Latest => "The group goes on with what is written from now on.".to_owned(),
        ResetTo::Offset => "The group goes on at that offset, or at the nearest that is there.".to_owned(),
        ResetTo::Time | ResetTo::Back => "The group goes on at the first record stamped at that time or later.".to_owned(),
    };
    let mut sentences = vec![first];
    if again > 0 {
        sentences.push(format!("{again} records will be read a second time: whoever counts them must be able to bear that."));
    }
    if skipped > 0 {
        sentences.push(format!("{skipped} records will never be read by this group."));
    }
    sentences.push(format!("Then {left} records lie ahead of it."));
    if members > 0 {
        sentences.push("It has members now; stop them before you apply this.".to_owned());
    }
    sentences.push(if applied {
        "Done: the consumers start there the next time that they join.".to_owned()
    } else {
        "Nothing has changed yet.".to_owned()
    });
    sentences.join(" ")
}

pub(super) async fn delete(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath,
) -> Result<Json<DeletedGroup>, Refused> {
    may_see(&caller, &id)?;
    state.cluster.delete_group(&id).await.map_err(refused)?;
    state.groups.forget().await;
    Ok(Json(DeletedGroup { deleted: id }))
}

fn refused(error: ClusterError) -> Refused {
    let (status, fix) = match error.code {
        ErrorCode::UnknownMemberId | ErrorCode::NonEmptyGroup => (StatusCode::CONFLICT, "stop the group first"),
        ErrorCode::GroupIdNotFound => (StatusCode::NOT_FOUND, "the list of groups has those that there are"),
        ErrorCode::UnknownTopicOrPartition => (StatusCode::NOT_FOUND, "the list of topics has those that there are"),
        ErrorCode::UnsupportedVersion => (StatusCode::NOT_IMPLEMENTED, "use the cluster's tools"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "try again; if it stays so, the broker's log says more"),
    };
    Refused::new(status, error.message, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_counts_what_is_read_twice_and_what_never() {
        let change = |from, to, lag_after| OffsetChange { topic: "t".into(), partition: 0, from, to, lag_after };
        let changes = [change(Some(10), 4, 16), change(Some(3), 8, 1), change(None, 5, 0)];
        let text = explanation(&changes, ResetTo::Offset, false, 0);
        assert!(text.contains("6 records will be read a second time") && text.contains("5 records will never be read"), "{text}");
        assert!(text.contains("Then 17 records lie ahead") && text.ends_with("Nothing has changed yet."), "{text}");
    }
}
