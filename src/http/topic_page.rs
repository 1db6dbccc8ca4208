//! `/api/topics/{name}`: one topic with all that is known of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::HttpState;
use super::answer::{InPath, Refused};
use super::caller::Caller;
use super::fields::{Template, TopicField, fields, templates};
use super::groups::lag_of_all;
use super::records::{Browse, read, view};
use super::scan::Budget;
use super::snapshot::snapshot;
use super::topics::{TopicRow, may_see_group, records_of, refused, row, seen};
use crate::cluster::{GroupOffset, GroupSummary, StoredRecord, TopicSetting, TopicSummary};
use crate::generators::STREAMS;

/// Records that are looked at for what a topic that is no stream is made of.
const LOOKED_AT: usize = 30;

/// One partition.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PartitionRow {
    pub partition: i32,
    pub start_offset: i64,
    pub end_offset: i64,
    /// Offsets between start and end: compaction may have left fewer records.
    pub records: i64,
    pub size_bytes: Option<u64>,
    pub messages_per_s: f64,
    /// Of all records, 0 to 1.
    pub share: f64,
    /// Offsets that are damaged and not served: from, to (not included).
    pub damaged: Vec<(i64, i64)>,
}

/// One config of a topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConfigRow {
    pub name: String,
    pub value: Option<String>,
    /// In force if the topic had none of its own.
    pub default: Option<String>,
    /// The topic has one of its own.
    pub overridden: bool,
    /// Kafka's word in lower case, such as `long`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it does; and why nothing here, where it has no effect.
    pub about: String,
    pub has_effect: bool,
}

/// What a group has read of one partition.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CommittedRow {
    pub partition: i32,
    /// `null`: nothing was committed yet.
    pub committed: Option<i64>,
    pub end_offset: i64,
    /// `null`: nothing was committed yet.
    pub lag: Option<i64>,
}

/// A group that reads the topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TopicGroup {
    pub id: String,
    pub state: String,
    /// Of the partitions that it has committed offsets of; `null`: there are none.
    pub lag: Option<i64>,
    /// Partitions that it leaves out: nothing was committed there yet.
    pub uncounted: usize,
    pub partitions: Vec<CommittedRow>,
}

/// One topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TopicPage {
    #[serde(flatten)]
    pub row: TopicRow,
    /// As Kafka writes it.
    pub id: String,
    /// What it is about, and how it is keyed; of a stream.
    pub story: Option<String>,
    pub fields: Vec<TopicField>,
    pub partition_list: Vec<PartitionRow>,
    pub configs: Vec<ConfigRow>,
    pub groups: Vec<TopicGroup>,
    pub templates: Vec<Template>,
}

fn story(topic: &str) -> Option<String> {
    let stream = STREAMS.iter().find(|stream| stream.topic == topic)?;
    Some(format!(
        "{}. Each record's value is a JSON object; its key is the text of {}, so that all records with the same {} are in one of the {} \
         partitions, in order. A record's timestamp says when it arrived, timestamp in its value when it happened.",
        stream.about, stream.key_field, stream.key_field, stream.partitions
    ))
}

fn partitions(topic: &TopicSummary, rates: &[f64]) -> Vec<PartitionRow> {
    let all: i64 = topic.partitions.iter().map(records_of).sum();
    let row = |(index, partition): (usize, &crate::cluster::PartitionSummary)| PartitionRow {
        partition: partition.partition.0,
        start_offset: partition.start_offset.0,
        end_offset: partition.end_offset.0,
        records: records_of(partition),
        size_bytes: partition.size_bytes,
        messages_per_s: rates.get(index).copied().unwrap_or(0.0),
        share: if all > 0 { (records_of(partition) as f64 / all as f64 * 1e4).round() / 1e4 } else { 0.0 },
        damaged: partition.damaged.iter().map(|range| (range.start.0, range.end.0)).collect(),
    };
    topic.partitions.iter().enumerate().map(row).collect()
}

fn config(setting: TopicSetting) -> ConfigRow {
    let about = match &setting.idle {
        None => setting.about.to_owned(),
        Some(reason) => format!("{} It is kept and has no effect here: {}", setting.about, reason),
    };
    ConfigRow {
        name: setting.name,
        value: setting.value,
        default: setting.default,
        overridden: setting.overridden,
        kind: setting.kind.to_lowercase(),
        about,
        has_effect: setting.idle.is_none(),
    }
}

fn group(group: &GroupSummary, topic: &str) -> Option<TopicGroup> {
    let committed = |offset: &GroupOffset| CommittedRow {
        partition: offset.partition.0,
        committed: offset.committed.map(|committed| committed.0),
        end_offset: offset.end_offset.0,
        lag: offset.lag(),
    };
    let mut partitions: Vec<CommittedRow> = group.offsets.iter().filter(|o| o.topic.as_str() == topic).map(committed).collect();
    partitions.sort_unstable_by_key(|row| row.partition);
    let lag = lag_of_all(partitions.iter().map(|row| row.lag));
    let uncounted = partitions.iter().filter(|row| row.lag.is_none()).count();
    (!partitions.is_empty()).then(|| TopicGroup { id: group.id.clone(), state: group.state.clone(), lag, uncounted, partitions })
}

pub(super) async fn show(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath,
) -> Result<Json<TopicPage>, Refused> {
    let topic = seen(&state, &caller, &name)?;
    let last = last_records(&state, &caller, &topic).await;
    let settings = state.cluster.topic_settings(&name).await.map_err(refused)?;
    let now = snapshot(&state).await;
    let pace = state.paces.pace(&name);
    let rate = state.rate().topics.get(&topic.name).copied().unwrap_or_default();
    let about = name.clone();
    // The town's examples are made when they are first asked for.
    let made = tokio::task::spawn_blocking(move || (fields(&about, &last), templates(&about, &last))).await;
    let (fields, templates) = made.unwrap_or_default();
    Ok(Json(TopicPage {
        row: row(&state, &caller, &topic, &now.groups, rate, &pace),
        id: topic.id.to_base64(),
        story: story(&name),
        fields,
        partition_list: partitions(&topic, &pace.partitions),
        configs: settings.into_iter().map(config).collect(),
        groups: now.groups.iter().filter(|one| may_see_group(&caller, &one.id)).filter_map(|one| group(one, &name)).collect(),
        templates,
    }))
}

/// Newest first. None of what need not be looked at, and none when too many others are reading.
async fn last_records(state: &HttpState, caller: &Caller, topic: &TopicSummary) -> Arc<Vec<StoredRecord>> {
    if topic.internal || STREAMS.iter().any(|stream| stream.topic == topic.name.as_str()) {
        return Arc::default();
    }
    let Ok(view) = view(state, caller, topic.name.as_str(), &Browse::default()).await else { return Arc::default() };
    let make = |record: StoredRecord| {
        let held = record.held();
        (record, held)
    };
    read(state, caller, &view, LOOKED_AT, Budget::PAGE.held, make).await.map(|found| Arc::new(found.items)).unwrap_or_default()
}
