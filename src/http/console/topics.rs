//! `topics`, `describe`, `consume`, `produce`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use bytes::Bytes;

use super::line::{Asking, shortened};
use super::printed::{Printed, Style, begun};
use super::verbs::nearest;
use super::{Seat, wrong};
use crate::cluster::{StoredRecord, TopicSummary};
use crate::config::Durability;
use crate::http::answer::{Asked, InPath, Refused};
use crate::http::doctor::utc;
use crate::http::overview::may_see_topic;
use crate::http::produce::{self, ProduceAsk};
use crate::http::records::{self, Browse, From};
use crate::http::scan::{Budget, Ended};
use crate::http::topics::{self, NewTopicAsk, check_own};

/// Records that one command shows.
const RECORDS_MAX: i64 = 90;
/// Of a key, a header, and a value.
const KEY_BYTES: usize = 200;
const VALUE_BYTES: usize = 2 << 10;
/// Of what stands above a value.
const HEAD_BYTES: usize = 2 << 10;
const HEADERS_MAX: usize = 10;

fn records_of(topic: &TopicSummary) -> i64 {
    topic.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).fold(0, i64::saturating_add)
}

/// A dash where another cluster's brokers know it.
fn size(bytes: Option<u64>) -> String {
    let Some(bytes) = bytes else { return "-".to_owned() };
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

impl Seat<'_> {
    fn visible(&self) -> Vec<TopicSummary> {
        let all = self.state.cluster.topics();
        all.into_iter().filter(|topic| !topic.internal && may_see_topic(self.caller, topic.name.as_str())).collect()
    }

    /// A topic that may be read. One of somebody else's is as good as not there.
    fn topic(&self, name: &str) -> Result<TopicSummary, Refused> {
        let found = self.state.cluster.topic(name).filter(|_| may_see_topic(self.caller, name));
        found.ok_or_else(|| {
            let visible = self.visible();
            let fix = match nearest(name, visible.iter().map(|topic| topic.name.as_str())) {
                Some(near) => format!("did you mean {near}? topics lists what you may read"),
                None => "topics lists what you may read".to_owned(),
            };
            wrong(format!("there is no topic {} that you may read", shortened(name)), fix)
        })
    }

    pub(super) fn topics(&self, printed: &mut Printed) -> Result<(), Refused> {
        let topics = self.visible();
        if topics.is_empty() {
            printed.say(Style::Plain, "There are no topics yet.");
            return Ok(());
        }
        let width = topics.iter().map(|topic| topic.name.as_str().len()).max().unwrap_or(0).clamp(5, 60);
        printed.say(Style::Strong, &format!("{:<width$}  {:>10}  {:>12}  {:>10}", "topic", "partitions", "records", "size"));
        for topic in &topics {
            let bytes = topic.partitions.iter().map(|p| p.size_bytes).sum::<Option<u64>>();
            let row =
                format!("{:<width$}  {:>10}  {:>12}  {:>10}", topic.name.as_str(), topic.partitions.len(), records_of(topic), size(bytes));
            printed.content(Style::Plain, &row);
        }
        Ok(())
    }

    pub(super) fn describe(&self, name: &str, printed: &mut Printed) -> Result<(), Refused> {
        let topic = self.topic(name)?;
        printed.content(Style::Strong, &format!("{}: {} partitions, {} records", topic.name, topic.partitions.len(), records_of(&topic)));
        for partition in &topic.partitions {
            let (start, end) = (partition.start_offset, partition.end_offset);
            let count = end.0.saturating_sub(start.0);
            let row =
                format!("  partition {}: offsets {start} to {end}, {count} records, {}", partition.partition, size(partition.size_bytes));
            printed.say(Style::Plain, &row);
        }
        let durability = match topic.durability {
            Some(Durability::D0) => "an acknowledged record is written, and on the disk a moment later",
            Some(_) => "an acknowledged record is on the disk",
            None => "what an acknowledged record is safe from is up to the cluster's replicas",
        };
        printed.say(Style::Dim, durability);
        Ok(())
    }

    pub(super) async fn consume(&self, asked: &Asking<'_>, printed: &mut Printed) -> Result<(), Refused> {
        let topic = self.topic(asked.required(0)?)?;
        let count = usize::try_from(asked.number("-n", 1..=RECORDS_MAX)?.unwrap_or(5)).unwrap_or(5);
        let partition = asked.number("--partition", 0..=i64::from(i32::MAX))?.and_then(|partition| i32::try_from(partition).ok());
        let (from, offset) = match asked.option("--from") {
            None | Some("end" | "newest" | "latest") => (From::Newest, None),
            Some("start" | "oldest" | "earliest" | "beginning") => (From::Oldest, None),
            Some(text) => {
                let bad = || wrong(format!("--from {} is neither end, start nor an offset", shortened(text)), "such as --from 1200");
                (From::Offset, Some(text.parse().ok().filter(|offset| *offset >= 0).ok_or_else(bad)?))
            }
        };
        let filter = asked.option("--filter").map(str::to_owned);
        let browse = Browse { from: Some(from), offset, partition, limit: Some(count), filter, ..Browse::default() };
        let view = records::view(self.state, self.caller, topic.name.as_str(), &browse).await?;
        // What is kept of a record is bounded, however large it is.
        let mut found =
            records::read(self.state, self.caller, &view, count, Budget::PAGE.held, |record| (shown(&record), HEAD_BYTES + VALUE_BYTES))
                .await?;
        if from == From::Newest {
            found.items.reverse();
        }
        for record in &found.items {
            let (style, value) = match &record.value {
                Some(value) => (Style::Plain, value.as_str()),
                None => (Style::Dim, "null (a tombstone)"),
            };
            printed.content(Style::Dim, &record.head);
            printed.content(style, value);
        }
        let (shown, scanned) = (found.items.len(), found.scanned);
        printed.say(
            Style::Dim,
            &match (shown, found.ended) {
                (0, Ended::End) if scanned == 0 => "There are no records there.".to_owned(),
                (_, Ended::Budget) => {
                    format!("{shown} records shown, {scanned} looked at: as far as one command reads. Begin elsewhere with --from.")
                }
                _ => format!("{shown} records shown, {scanned} looked at"),
            },
        );
        Ok(())
    }

    pub(super) async fn produce(&self, asked: &Asking<'_>, printed: &mut Printed) -> Result<(), Refused> {
        let name = asked.required(0)?;
        let (key, value) = (asked.or_null(1)?.map(str::to_owned), asked.rest(2)?.map(str::to_owned));
        check_own(self.caller, name)?;
        if self.state.cluster.topic(name).is_none() {
            self.make(name, printed).await?;
        }
        let record = ProduceAsk { key, value, ..ProduceAsk::default() };
        let has_key = record.key.is_some();
        let (state, caller) = (State(self.state.clone()), Extension(self.caller.clone()));
        let Json(written) = produce::produce(state, caller, InPath(name.to_owned()), Asked(record)).await?;
        printed.content(Style::Plain, &format!("written to {name}, partition {}, offset {}", written.partition, written.offset));
        if has_key {
            printed.say(Style::Dim, "The key decides the partition: the same key always lands there.");
        }
        Ok(())
    }

    /// As a producer's first look at a topic makes it.
    async fn make(&self, name: &str, printed: &mut Printed) -> Result<(), Refused> {
        if !self.state.cluster.makes_topics() {
            let fix = "make it first, on the page of topics: topics are not made by writing here (auto.create.topics.enable)";
            return Err(wrong(format!("there is no topic {}", shortened(name)), fix));
        }
        let wish = NewTopicAsk { name: name.to_owned(), partitions: None, configs: BTreeMap::new() };
        let made = topics::create(State(self.state.clone()), Extension(self.caller.clone()), Asked(wish)).await?;
        printed.content(Style::Dim, &format!("{} is made, with {} partitions", made.name, made.partitions));
        Ok(())
    }
}

/// A record as two lines.
struct Shown {
    head: String,
    value: Option<String>,
}

fn shown(record: &StoredRecord) -> Shown {
    let text = |bytes: &Bytes, most: usize| match std::str::from_utf8(bytes) {
        Ok(text) => begun(text, most),
        Err(_) => {
            let hex: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
            format!("{} bytes that are no text: {hex}{}", bytes.len(), if bytes.len() > 32 { "…" } else { "" })
        }
    };
    let mut head = format!("partition {}  offset {}  {}", record.partition, record.offset, utc(record.timestamp));
    if let Some(key) = &record.key {
        head.push_str(&format!("  key {}", text(key, KEY_BYTES)));
    }
    for (name, value) in record.headers.iter().take(HEADERS_MAX) {
        let value = value.as_ref().map_or_else(|| "null".to_owned(), |value| text(value, KEY_BYTES));
        head.push_str(&format!("  {}={value}", begun(name, KEY_BYTES)));
    }
    Shown { head: begun(&head, HEAD_BYTES), value: record.value.as_ref().map(|value| text(value, VALUE_BYTES)) }
}
