//! `topics`, `describe`, `consume`, `produce`.

use bytes::Bytes;

use super::line::{Asking, shortened};
use super::printed::{Printed, Style, begun};
use super::reading::{Begin, Wish, read};
use super::verbs::nearest;
use super::{Seat, TURN_WITHIN, wrong};
use crate::broker::clock;
use crate::cluster::{ClusterError, NewRecord, StoredRecord, TopicSummary};
use crate::generators::partition_of;
use crate::http::answer::Refused;
use crate::http::doctor::utc;
use crate::http::overview::may_see_topic;
use crate::model::{Offset, PartitionId, TopicName};

/// Records that one command shows.
const RECORDS_MAX: i64 = 90;
/// Of a key, a header, and a value.
const KEY_BYTES: usize = 200;
const VALUE_BYTES: usize = 2 << 10;

fn failed(error: ClusterError) -> Refused {
    wrong(error.message, "try again; topics lists what there is")
}

fn records(topic: &TopicSummary) -> i64 {
    topic.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).fold(0, i64::saturating_add)
}

fn size(bytes: u64) -> String {
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
            let bytes = topic.partitions.iter().map(|p| p.size_bytes).fold(0, u64::saturating_add);
            let row = format!("{:<width$}  {:>10}  {:>12}  {:>10}", topic.name, topic.partitions.len(), records(topic), size(bytes));
            printed.content(Style::Plain, &row);
        }
        Ok(())
    }

    pub(super) fn describe(&self, name: &str, printed: &mut Printed) -> Result<(), Refused> {
        let topic = self.topic(name)?;
        printed.content(Style::Strong, &format!("{}: {} partitions, {} records", topic.name, topic.partitions.len(), records(&topic)));
        for partition in &topic.partitions {
            let (start, end) = (partition.start_offset, partition.end_offset);
            let count = end.0.saturating_sub(start.0);
            let row =
                format!("  partition {}: offsets {start} to {end}, {count} records, {}", partition.partition, size(partition.size_bytes));
            printed.say(Style::Plain, &row);
        }
        let durability = match format!("{:?}", topic.durability).as_str() {
            "D0" => "an acknowledged record is written, and on the disk a moment later",
            _ => "an acknowledged record is on the disk",
        };
        printed.say(Style::Dim, durability);
        Ok(())
    }

    pub(super) async fn consume(&self, asked: &Asking<'_>, printed: &mut Printed) -> Result<(), Refused> {
        let topic = self.topic(asked.required(0)?)?;
        let count = usize::try_from(asked.number("-n", 1..=RECORDS_MAX)?.unwrap_or(5)).unwrap_or(5);
        let partition = asked.number("--partition", 0..=i64::from(i32::MAX))?.and_then(|partition| i32::try_from(partition).ok());
        let partition = partition.map(PartitionId);
        if partition.is_some_and(|wanted| !topic.partitions.iter().any(|p| p.partition == wanted)) {
            let last = topic.partitions.len().saturating_sub(1);
            return Err(wrong(format!("{} has no such partition", topic.name), format!("choose one from 0 to {last}")));
        }
        let begin = match asked.option("--from") {
            None | Some("end" | "newest" | "latest") => Begin::End,
            Some("start" | "oldest" | "earliest" | "beginning") => Begin::Start,
            Some(text) => {
                let bad = || wrong(format!("--from {} is neither end, start nor an offset", shortened(text)), "such as --from 1200");
                Begin::At(text.parse().ok().filter(|offset| *offset >= 0).map(Offset).ok_or_else(bad)?)
            }
        };
        let turn = tokio::time::timeout(TURN_WITHIN, self.state.commands.reading.acquire()).await;
        let _turn = turn.map_err(|_| wrong("many are reading at the moment", "try again in a few seconds"))?;
        let wish = Wish { topic: &topic, partition, begin, count, filter: asked.option("--filter") };
        let found = read(self.state.cluster.as_ref(), &wish, shown).await.map_err(failed)?;
        for record in &found.records {
            printed.content(Style::Dim, &record.head);
            printed.content(
                if record.value.is_some() { Style::Plain } else { Style::Dim },
                record.value.as_deref().unwrap_or("null (a tombstone)"),
            );
        }
        let ending = match (found.records.len(), found.cut) {
            (0, false) if records(&topic) == 0 => "There are no records.".to_owned(),
            (n, false) => format!("{n} records shown, {} looked at", found.looked_at),
            (n, true) => format!(
                "{n} records shown, {} looked at; that is as far as one command reads: begin elsewhere with --from",
                found.looked_at
            ),
        };
        printed.say(Style::Dim, &ending);
        Ok(())
    }

    pub(super) async fn produce(&self, asked: &Asking<'_>, printed: &mut Printed) -> Result<(), Refused> {
        let name = asked.required(0)?;
        let (key, value) = (asked.or_null(1)?, asked.rest(2)?);
        self.may_write(name)?;
        let topic = match self.state.cluster.topic(name) {
            Some(topic) => topic,
            None => self.created(name).await?,
        };
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(1);
        let partition = match key {
            Some(key) => partition_of(key.as_bytes(), partitions),
            // As a producer without keys would: anywhere.
            None => partition_of(uuid::Uuid::new_v4().as_bytes(), partitions),
        };
        let bytes = |text: &str| Bytes::from(text.to_owned());
        let record = NewRecord { key: key.map(bytes), value: value.map(bytes), timestamp: clock::now(), headers: Vec::new() };
        let offset = self.state.cluster.append(&topic.name, partition, vec![record]).await.map_err(failed)?;
        printed.content(Style::Plain, &format!("written to {}, partition {partition}, offset {offset}", topic.name));
        if key.is_some() && partitions > 1 {
            printed.say(Style::Dim, "The key decides the partition: the same key always lands there.");
        }
        Ok(())
    }

    fn may_write(&self, name: &str) -> Result<(), Refused> {
        let internal = self.state.cluster.topic(name).is_some_and(|topic| topic.internal) || name.starts_with("__");
        let own = if self.is_instructor() { !internal } else { self.caller.owns_topic(name) };
        if own {
            return Ok(());
        }
        let fix = match &self.caller.identity {
            Some(identity) => format!("your topics begin with {}: produce {}test KEY VALUE", identity.prefix(), identity.prefix()),
            None => "this topic is the broker's own".to_owned(),
        };
        Err(wrong(format!("you may not write to {}", shortened(name)), fix))
    }

    async fn created(&self, name: &str) -> Result<TopicSummary, Refused> {
        if !TopicName::is_legal(name) {
            let fix = "a topic's name has letters, digits, '.', '_' and '-', 249 at most";
            return Err(wrong(format!("{} is no name for a topic", shortened(name)), fix));
        }
        Err(wrong(format!("there is no topic {}", shortened(name)), "topics lists what there is"))
    }
}

/// A record as two lines.
pub struct Shown {
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
    for (name, value) in record.headers.iter().take(10) {
        let value = value.as_ref().map_or_else(|| "null".to_owned(), |value| text(value, KEY_BYTES));
        head.push_str(&format!("  {}={value}", begun(name, KEY_BYTES)));
    }
    Shown { head, value: record.value.as_ref().map(|value| text(value, VALUE_BYTES)) }
}
