//! `/api/topics/{name}/download`: records as a file, read and sent a page at a time.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Frame;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::HttpState;
use super::answer::{InPath, InQuery, Refused};
use super::caller::Caller;
use super::content::{WHOLE, is_json};
use super::records::{Browse, From, View, limit, read, view};
use super::scan::{Ended, Found, Lane, Way};
use crate::cluster::StoredRecord;
use crate::generators::{STREAMS, rfc3339_ms};
use crate::workshop::Role;

const LIMIT: usize = 10_000;
const LIMIT_MAX: usize = 100_000;
/// Records read at a time.
const PAGE: usize = 500;
/// Reading and sending together.
const WITHIN: Duration = Duration::from_secs(300);
/// Whoever takes none of these bytes for so long gets no more.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
const TAKEN_BYTES: usize = 64 << 10;
/// Of all students: who reads slowly holds a place for minutes, so there is one for each of a class.
const AT_ONCE: usize = 64;
const AT_ONCE_OF_ONE: usize = 2;
/// While so many are open each may have one.
const MANY: usize = 24;
/// What each of them holds of the log.
const HELD: usize = 1 << 20;
/// Others read: it goes on after so long.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Of a table whose columns are found in its records.
const COLUMNS_MAX: usize = 200;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileFormat {
    /// A table: partition, offset, timestamp, key, and a column for each field of the values.
    #[default]
    Csv,
    /// One array.
    Json,
    /// An object on each line.
    Ndjson,
}

/// As for browsing; `limit` is 1 to 100,000, and 10,000 if it is left out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DownloadAsk {
    pub format: Option<FileFormat>,
    pub from: Option<From>,
    pub offset: Option<i64>,
    pub time_ms: Option<i64>,
    pub partition: Option<i32>,
    pub limit: Option<usize>,
    pub filter: Option<String>,
    pub after: Option<String>,
    pub before: Option<String>,
}

/// Who downloads, and how often at once.
#[derive(Default)]
pub(super) struct Downloads(Mutex<HashMap<String, usize>>);

struct Place {
    downloads: Arc<Downloads>,
    user: String,
}

impl Downloads {
    fn place(self: &Arc<Self>, caller: &Caller) -> Result<Place, Refused> {
        let user = caller.user.clone().unwrap_or_default();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, all) = (open.get(&user).copied().unwrap_or(0), open.values().sum::<usize>());
        let is_student = caller.role != Role::Instructor;
        let most = if is_student && all >= MANY { 1 } else { AT_ONCE_OF_ONE };
        if own >= most {
            let error = if own == 1 { "a file of yours is being made already" } else { "two files of yours are being made already" };
            return Err(Refused::too_many(error, Duration::from_secs(10)));
        }
        // Students who read slowly keep no instructor out.
        if is_student && all >= AT_ONCE {
            let busy = Refused::too_many("too many files are being made at the moment", Duration::from_secs(10));
            return Err(Refused { status: StatusCode::SERVICE_UNAVAILABLE, ..busy });
        }
        open.insert(user.clone(), own + 1);
        Ok(Place { downloads: Arc::clone(self), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.downloads.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// A body whose pieces come one after the other. What ends before it is whole ends the connection, so that nobody takes half a file for a
/// whole one.
pub(super) struct Pieces {
    pub pieces: mpsc::Receiver<Bytes>,
    pub is_whole: Arc<AtomicBool>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let is_whole = Arc::clone(&self.is_whole);
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None if is_whole.load(Ordering::Acquire) => None,
            None => Some(Err(std::io::Error::other("the file ended early"))),
        })
    }
}

pub(super) async fn download(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(name): InPath,
    InQuery(asked): InQuery<DownloadAsk>,
) -> Result<Response, Refused> {
    let wanted = limit(asked.limit, LIMIT, LIMIT_MAX)?;
    let format = asked.format.unwrap_or_default();
    let browse = Browse {
        from: asked.from,
        offset: asked.offset,
        time_ms: asked.time_ms,
        partition: asked.partition,
        limit: None,
        filter: asked.filter,
        after: asked.after,
        before: asked.before,
    };
    let view = view(&state, &caller, &name, &browse).await?;
    let place = state.downloads.place(&caller)?;
    let (kind, ending) = match format {
        FileFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        FileFormat::Json => ("application/json", "json"),
        FileFormat::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let (send, pieces) = mpsc::channel(1);
    let is_whole = Arc::new(AtomicBool::new(false));
    let body = Body::new(Pieces { pieces, is_whole: Arc::clone(&is_whole) });
    tokio::spawn(async move {
        let _place = place;
        let live = Arc::clone(&state.live);
        let written = tokio::select! {
            written = write(&state, &caller, view, wanted, format, &send) => written,
            () = live.ended() => Err("the broker stops".to_owned()),
        };
        match written {
            Ok(()) => is_whole.store(true, Ordering::Release),
            Err(error) => tracing::debug!(error, "a download ended early"),
        }
        drop(send);
    });
    let disposition = format!("attachment; filename=\"{name}.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}

async fn write(
    state: &HttpState,
    caller: &Caller,
    mut view: View,
    mut wanted: usize,
    format: FileFormat,
    to: &mpsc::Sender<Bytes>,
) -> Result<(), String> {
    let until = Instant::now() + WITHIN;
    let mut file = File::new(format, view.topic.name.as_str());
    loop {
        let found = read_patiently(state, caller, &view, wanted.min(PAGE), until).await?;
        wanted = wanted.saturating_sub(found.items.len());
        view.lanes = found.lanes;
        let is_done = |lane: &Lane| if view.way == Way::Forward { lane.at >= lane.end } else { lane.at <= lane.start };
        let last = wanted == 0 || found.ended == Ended::End || view.lanes.iter().all(is_done);
        let items = found.items;
        let made = tokio::task::spawn_blocking(move || {
            let piece = file.piece(&items, last);
            (file, piece)
        });
        let piece;
        (file, piece) = made.await.map_err(|_| "the file could not be written".to_owned())?;
        hand_over(to, Bytes::from(piece), TAKEN_WITHIN, until).await?;
        if last {
            return Ok(());
        }
    }
}

/// What is begun goes on when it is its turn again.
async fn read_patiently(
    state: &HttpState,
    caller: &Caller,
    view: &View,
    limit: usize,
    until: Instant,
) -> Result<Found<StoredRecord>, String> {
    let make = |record: StoredRecord| {
        let held = record.held();
        (record, held)
    };
    loop {
        match read(state, caller, view, limit, HELD, make).await {
            Err(refused) if refused.retry_after.is_some() && Instant::now() < until => tokio::time::sleep(AGAIN_AFTER).await,
            found => return found.map_err(|refused| refused.error),
        }
    }
}

/// In small parts, so that whoever takes little at a time is told from one who takes nothing.
pub(super) async fn hand_over(to: &mpsc::Sender<Bytes>, mut piece: Bytes, within: Duration, until: Instant) -> Result<(), &'static str> {
    while !piece.is_empty() {
        let part = piece.split_to(piece.len().min(TAKEN_BYTES));
        let left = until.saturating_duration_since(Instant::now());
        let sent = tokio::time::timeout(within.min(left), to.send(part)).await;
        let gone = |_| if left < within { "the file took too long" } else { "nobody takes the file" };
        sent.map_err(gone)?.map_err(|_| "whoever asked has gone")?;
    }
    Ok(())
}

/// What has been written so far.
struct File {
    format: FileFormat,
    columns: Vec<String>,
    /// The head is written.
    begun: bool,
    written: usize,
}

impl File {
    fn new(format: FileFormat, topic: &str) -> File {
        let stream = STREAMS.iter().find(|stream| stream.topic == topic);
        let mut columns: Vec<String> = Vec::new();
        for field in stream.into_iter().flat_map(|stream| stream.all_fields()) {
            let top = field.name.split('.').next().unwrap_or(field.name);
            if !columns.iter().any(|column| column == top) {
                columns.push(top.to_owned());
            }
        }
        File { format, columns, begun: false, written: 0 }
    }

    fn piece(&mut self, records: &[StoredRecord], last: bool) -> String {
        let mut out = String::new();
        match self.format {
            FileFormat::Csv => self.rows(records, &mut out),
            FileFormat::Ndjson => records.iter().for_each(|record| {
                let _ = writeln!(out, "{}", object(record));
            }),
            FileFormat::Json => {
                out.push_str(if self.begun { "" } else { "[" });
                for record in records {
                    let comma = if self.written > 0 { "," } else { "" };
                    let _ = write!(out, "{comma}\n{}", object(record));
                    self.written += 1;
                }
                out.push_str(if last { "\n]\n" } else { "" });
                self.begun = true;
            }
        }
        out
    }

    fn rows(&mut self, records: &[StoredRecord], out: &mut String) {
        let parsed: Vec<Option<Value>> = records.iter().map(fields_of).collect();
        if !self.begun {
            self.begun = true;
            if self.columns.is_empty() {
                let names: BTreeSet<&String> = parsed.iter().flatten().filter_map(Value::as_object).flat_map(|o| o.keys()).collect();
                self.columns = names.into_iter().take(COLUMNS_MAX).cloned().collect();
            }
            let head = ["partition", "offset", "timestamp", "key"].map(str::to_owned);
            let tail = ["value", "other_fields"].map(str::to_owned);
            let names: Vec<String> = head.iter().chain(&self.columns).chain(&tail).map(|name| cell(name)).collect();
            let _ = write!(out, "{}\r\n", names.join(","));
        }
        for (record, fields) in records.iter().zip(&parsed) {
            let fields = fields.as_ref().and_then(Value::as_object);
            let mut row = vec![record.partition.0.to_string(), record.offset.0.to_string(), time(record.timestamp.0)];
            row.push(record.key.as_deref().map(|key| cell(&plain(key))).unwrap_or_default());
            row.extend(self.columns.iter().map(|name| fields.and_then(|f| f.get(name)).map(value_cell).unwrap_or_default()));
            let whole = record.value.as_deref().filter(|_| fields.is_none());
            row.push(whole.map(|value| cell(&plain(value))).unwrap_or_default());
            let others = |fields: &serde_json::Map<String, Value>| {
                let others: serde_json::Map<String, Value> =
                    fields.iter().filter(|(name, _)| !self.columns.contains(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
                if others.is_empty() { String::new() } else { cell(&Value::Object(others).to_string()) }
            };
            row.push(fields.map(others).unwrap_or_default());
            let _ = write!(out, "{}\r\n", row.join(","));
        }
    }
}

fn fields_of(record: &StoredRecord) -> Option<Value> {
    let value = record.value.as_deref().filter(|value| value.len() <= WHOLE)?;
    serde_json::from_slice(value).ok().filter(Value::is_object)
}

fn time(ms: i64) -> String {
    if ms < 0 { String::new() } else { String::from_utf8_lossy(&rfc3339_ms(ms)).into_owned() }
}

/// Text, or base64 of what is none. The beginning of what is very long.
fn plain(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.get(..text.floor_char_boundary(WHOLE)).unwrap_or_default().to_owned(),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes.get(..WHOLE).unwrap_or(bytes))),
    }
}

fn value_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // A number is no formula, whatever its sign.
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::String(text) => cell(text),
        nested => cell(&nested.to_string()),
    }
}

/// A text in a table. A spreadsheet takes one that begins like a formula for a formula, so it gets a quote in front.
fn cell(text: &str) -> String {
    let like_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '＝', '＋', '－', '＠']);
    let guard = if like_formula { "'" } else { "" };
    if like_formula || text.contains([',', '"', '\r', '\n', ';', '\t']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// One record: its value as JSON if it is that, else as text, else `{"base64": ...}`.
fn object(record: &StoredRecord) -> String {
    let content = |bytes: &Option<Bytes>| match bytes.as_deref() {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() <= WHOLE && is_json(bytes) => on_one_line(bytes),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text.get(..text.floor_char_boundary(WHOLE)).unwrap_or_default()).to_string(),
            Err(_) => json!({ "base64": STANDARD.encode(bytes.get(..WHOLE).unwrap_or(bytes)) }).to_string(),
        },
    };
    let header = |(name, value): &(String, Option<Bytes>)| {
        let value = value.as_deref().map(plain);
        json!({ "name": name, "value": value })
    };
    let headers: Vec<Value> = record.headers.iter().map(header).collect();
    format!(
        "{{\"partition\":{},\"offset\":{},\"timestamp\":{},\"key\":{},\"value\":{},\"headers\":{}}}",
        record.partition.0,
        record.offset.0,
        if record.timestamp.0 < 0 { "null".to_owned() } else { Value::from(time(record.timestamp.0)).to_string() },
        content(&record.key),
        content(&record.value),
        Value::Array(headers)
    )
}

/// JSON without the blanks between its parts; numbers and order stay as they were written.
fn on_one_line(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len());
    let (mut within, mut escaped) = (false, false);
    for &byte in json {
        if within || !byte.is_ascii_whitespace() {
            out.push(byte);
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            _ => {}
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
