//! `/api/topics/{name}/records`: browsing a topic, and one record whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{InPath, InQuery, Refused};
use super::caller::Caller;
use super::content::{IN_LIST, StreamRecord, WHOLE};
use super::cursor::Cursor;
use super::filter::Filter;
use super::scan::{Budget, Ended, Found, Job, Lane, Way, scan};
use super::topics::{not_there, refused, seen};
use crate::cluster::{Records, StoredRecord, TopicSummary};
use crate::model::{Offset, PartitionId, Timestamp};

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 500;
/// Records of one look-up.
const ONE_BYTES: usize = 1;

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum From {
    /// At the end, going back: newest first.
    #[default]
    Newest,
    /// At the beginning.
    Oldest,
    /// At `offset` in each partition.
    Offset,
    /// At the first record of `time_ms` or later.
    Time,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Browse {
    pub from: Option<From>,
    /// For `from=offset`.
    pub offset: Option<i64>,
    /// For `from=time`.
    pub time_ms: Option<i64>,
    /// Only this one.
    pub partition: Option<i32>,
    /// 1 to 500; 50 if it is left out. For a download 1 to 100,000; 10,000.
    pub limit: Option<usize>,
    /// Words that all have to fit; see docs/http.md.
    pub filter: Option<String>,
    /// A cursor: what came after it, oldest first.
    pub after: Option<String>,
    /// A cursor: what came before it, newest first.
    pub before: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EndedBy {
    /// As many as were asked for.
    Limit,
    /// There are no more.
    End,
    /// So much was read that it stopped: ask again with the cursor to scan further.
    Budget,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RecordPage {
    pub records: Vec<StreamRecord>,
    /// How many were looked at.
    pub scanned: u64,
    /// How many of them fit the filter.
    pub matched: usize,
    pub took_ms: u64,
    pub ended: EndedBy,
    /// Where to go on towards the newest, also for what has not come yet.
    pub after: Option<String>,
    /// Where to go on towards the oldest; `null` if there is nothing older.
    pub before: Option<String>,
}

/// A look at a topic that was asked for and may be had.
pub(super) struct View {
    pub topic: TopicSummary,
    pub lanes: Vec<Lane>,
    pub way: Way,
    pub filter: Arc<Filter>,
}

pub(super) fn bad(error: impl Into<String>, fix: impl Into<String>) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, error, fix)
}

pub(super) fn limit(asked: Option<usize>, usual: usize, most: usize) -> Result<usize, Refused> {
    match asked {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(bad("the limit is not possible", format!("ask for 1 to {most} records"))),
    }
}

pub(super) async fn view(state: &HttpState, caller: &Caller, name: &str, asked: &Browse) -> Result<View, Refused> {
    let topic = seen(state, caller, name)?;
    if name == "_workshop" {
        let fix = "the students' page shows who has joined";
        return Err(Refused::new(StatusCode::FORBIDDEN, "these records hold the secret that sessions are signed with", fix));
    }
    let filter = Filter::parse(asked.filter.as_deref().unwrap_or_default());
    let filter =
        filter.map_err(|wrong| bad(format!("the filter is wrong at character {}: {}", wrong.at, wrong.what), "correct it there"))?;
    let (way, lanes) = match (&asked.after, &asked.before) {
        (Some(_), Some(_)) => return Err(bad("both after and before are given", "give one of them")),
        (Some(cursor), None) => (Way::Forward, lanes_of(&topic, asked.partition, Way::Forward, &Cursor::parse(cursor)?)?),
        (None, Some(cursor)) => (Way::Back, lanes_of(&topic, asked.partition, Way::Back, &Cursor::parse(cursor)?)?),
        (None, None) => begin(state, caller, &topic, asked).await?,
    };
    Ok(View { topic, lanes, way, filter: Arc::new(filter) })
}

/// All partitions, or the one that was asked for, at their beginning.
fn lanes(topic: &TopicSummary, only: Option<i32>) -> Result<Vec<Lane>, Refused> {
    let wanted = topic.partitions.iter().filter(|partition| only.is_none_or(|only| partition.partition.0 == only));
    let lane = |p: &crate::cluster::PartitionSummary| Lane {
        partition: p.partition,
        start: p.start_offset.0,
        end: p.end_offset.0,
        at: p.start_offset.0,
    };
    let lanes: Vec<Lane> = wanted.map(lane).collect();
    if lanes.is_empty() {
        let (name, count) = (&topic.name, topic.partitions.len());
        let error = format!("{name} has no partition {}", only.unwrap_or_default());
        return Err(Refused::new(StatusCode::NOT_FOUND, error, format!("it has {count}, counted from 0")));
    }
    Ok(lanes)
}

async fn begin(state: &HttpState, caller: &Caller, topic: &TopicSummary, asked: &Browse) -> Result<(Way, Vec<Lane>), Refused> {
    let mut lanes = lanes(topic, asked.partition)?;
    match asked.from.unwrap_or_default() {
        From::Newest => {
            lanes.iter_mut().for_each(|lane| lane.at = lane.end);
            return Ok((Way::Back, lanes));
        }
        From::Oldest => {}
        From::Offset => {
            let offset = asked.offset.ok_or_else(|| bad("from=offset needs an offset", "add &offset=NUMBER"))?;
            lanes.iter_mut().for_each(|lane| lane.at = offset.clamp(lane.start, lane.end));
        }
        From::Time => {
            let time = asked.time_ms.ok_or_else(|| bad("from=time needs a time", "add &time_ms=MILLISECONDS since 1970"))?;
            // Each look-up reads of the log.
            let _turn = state.scans.turn(caller).await?;
            for lane in &mut lanes {
                let found = state.cluster.offset_at(&topic.name, lane.partition, Timestamp(time)).await;
                lane.at = found.map_err(refused)?.0.clamp(lane.start, lane.end);
            }
        }
    }
    Ok((Way::Forward, lanes))
}

fn lanes_of(topic: &TopicSummary, only: Option<i32>, way: Way, cursor: &Cursor) -> Result<Vec<Lane>, Refused> {
    let mut lanes = lanes(topic, only)?;
    // Partitions that were added since begin with what came after.
    let others = cursor.is_whole() && way == Way::Forward;
    lanes.retain(|lane| others || cursor.get(lane.partition.0).is_some());
    for lane in &mut lanes {
        lane.at = match cursor.get(lane.partition.0) {
            // A topic of the same name that began anew.
            Some(at) if at > lane.end && way == Way::Forward => lane.start,
            Some(at) => at.clamp(lane.start, lane.end),
            None => lane.start,
        };
    }
    if lanes.is_empty() {
        return Err(bad("this cursor is of another partition", "leave it out, or the partition"));
    }
    Ok(lanes)
}

/// Reads once, as far as the budget goes. `held`: bytes of what was found that are held for the answer.
pub(super) async fn read<T: Send + 'static>(
    state: &HttpState,
    caller: &Caller,
    view: &View,
    limit: usize,
    held: usize,
    make: impl Fn(StoredRecord) -> (T, usize) + Send + 'static,
) -> Result<Found<T>, Refused> {
    let is_done = |lane: &Lane| if view.way == Way::Forward { lane.at >= lane.end } else { lane.at <= lane.start };
    if view.lanes.iter().all(is_done) {
        return Ok(Found { items: Vec::new(), lanes: view.lanes.clone(), scanned: 0, ended: Ended::End });
    }
    let turn = state.scans.turn(caller).await?;
    let source: Arc<dyn Records> = Arc::clone(&state.cluster) as _;
    let job = Job {
        source,
        topic: view.topic.name.clone(),
        lanes: view.lanes.clone(),
        way: view.way,
        filter: Arc::clone(&view.filter),
        limit,
        budget: Budget { held, ..turn.budget() },
    };
    let scanned = tokio::task::spawn_blocking(move || {
        let found = scan(&job, make);
        drop(turn);
        found
    })
    .await;
    let failed = |_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the records could not be read", "the broker's log says more");
    scanned.map_err(failed)?.map_err(refused)
}

pub(super) async fn browse(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath,
    InQuery(asked): InQuery<Browse>,
) -> Result<Json<RecordPage>, Refused> {
    let begun = Instant::now();
    let limit = limit(asked.limit, LIMIT, LIMIT_MAX)?;
    let view = view(&state, &caller, &name, &asked).await?;
    let make = |record: StoredRecord| {
        let shown = StreamRecord::of(&record, IN_LIST);
        let weight = shown.weight();
        (shown, weight)
    };
    let found = read(&state, &caller, &view, limit, Budget::PAGE.held, make).await?;
    let (newer, older) = if view.way == Way::Forward { (&found.lanes, &view.lanes) } else { (&view.lanes, &found.lanes) };
    let any_older = older.iter().any(|lane| lane.at > lane.start);
    Ok(Json(RecordPage {
        scanned: found.scanned,
        matched: found.items.len(),
        took_ms: millis(begun.elapsed()),
        ended: match found.ended {
            Ended::Limit => EndedBy::Limit,
            Ended::End => EndedBy::End,
            Ended::Budget => EndedBy::Budget,
        },
        after: Some(Cursor::of(newer).to_string()),
        before: any_older.then(|| Cursor::of(older).to_string()),
        records: found.items,
    }))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn one(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath((name, partition, offset)): InPath<(String, String, String)>,
) -> Result<Json<StreamRecord>, Refused> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let wrong = || bad("a partition and an offset are numbers", "ask for /api/topics/NAME/records/PARTITION/OFFSET");
    let partition = number(&partition).and_then(|number| i32::try_from(number).ok()).ok_or_else(wrong)?;
    let offset = number(&offset).ok_or_else(wrong)?;
    let view = view(&state, &caller, &name, &Browse { partition: Some(partition), ..Browse::default() }).await?;
    let _turn = state.scans.turn(&caller).await?;
    let topic = &view.topic.name;
    let read = state.cluster.read(topic, PartitionId(partition), Offset(offset), ONE_BYTES).await.map_err(refused)?;
    let record = read.into_iter().find(|record| record.offset.0 == offset).ok_or_else(|| {
        let fix = "it may have been deleted by retention or compaction, or be damaged, or not be written yet";
        not_there(format!("there is no record {topic}-{partition} at offset {offset}"), fix)
    })?;
    let shown = tokio::task::spawn_blocking(move || StreamRecord::of(&record, WHOLE)).await;
    shown.map(Json).map_err(|_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the record cannot be shown", "download it"))
}
