//! What the receipts of all Spark challenges have in common: the table they are about, and the offsets that it was made from.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::{Offset, PartitionId, TopicName};
use crate::workshop::verdict::{Check, Judgement};

use super::{Case, LogError, scan};

/// More offsets than any workshop writes: a receipt that names more is wrong.
const LENGTH_MAX: i64 = 50_000_000;

/// How long after it happened an event may arrive before Spark may drop it: the watermark's ten minutes, less half a minute, as Spark
/// measures it by the batches before.
pub const ON_TIME_MS: i64 = 570_000;

/// The watermark's delay.
pub const DELAY_MS: i64 = 600_000;

/// The offsets of each partition that a table was made from: the first, and the one behind the last.
pub type Offsets = BTreeMap<PartitionId, (Offset, Offset)>;

/// A commit of a Delta table that wrote rows: its version, how many, and the number of the streaming batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Version(pub u64, pub u64, #[serde(default)] pub Option<u64>);

/// Reads a receipt, or says in a check which of its fields is wrong.
pub fn read<T: DeserializeOwned>(case: &Case<'_>) -> Result<T, Judgement> {
    let failed = |message: String| Judgement { checks: vec![Check::fail("receipt", message)], ..Judgement::default() };
    let receipt = case.answer.receipt.as_ref().ok_or_else(|| failed("No receipt was handed in.".to_owned()))?;
    T::deserialize(receipt).map_err(|error| failed(format!("The receipt is not as it has to be: {error}.")))
}

/// Names and types, as `name:type` in Spark's short words. Text and binary, the whole numbers among themselves, and the numbers with a
/// fraction are as good as each other.
pub fn schema(found: &[String], wanted: &[(&str, &str)]) -> Check {
    let pairs: Vec<(&str, &str)> = found.iter().map(|column| column.split_once(':').unwrap_or((column, ""))).collect();
    for (name, kind) in wanted {
        match pairs.iter().find(|(found, _)| found == name) {
            None => return Check::fail("schema", format!("The table has no column `{name}`.")).got(found.join(", ")),
            Some((_, is)) if family(is) != family(kind) && *is != "any" => {
                let message = format!("The column `{name}` has the type {is}, which is not the one it should have.");
                return Check::fail("schema", message).expected(format!("{name}:{kind}")).got(format!("{name}:{is}"));
            }
            Some(_) => {}
        }
    }
    Check::pass("schema", format!("All {} columns are there, with their types.", wanted.len()))
}

fn family(kind: &str) -> &str {
    match kind {
        "tinyint" | "smallint" | "int" | "bigint" => "bigint",
        "float" | "double" => "double",
        "timestamp" | "timestamp_ntz" => "timestamp",
        decimal if decimal.starts_with("decimal") => "double",
        other => other,
    }
}

/// Whether a table was made from all of the ticket's records, and maybe more around them.
pub fn covers(case: &Case<'_>, topic: &TopicName, offsets: &Offsets) -> Check {
    for (partition, range) in case.ticket.ranges_of(topic.as_str()) {
        if range.is_empty() {
            continue;
        }
        let Some((from, to)) = offsets.get(&partition) else {
            return Check::fail("covers", format!("Nothing of {topic}-{partition} is in it."));
        };
        if *from > range.start {
            let message = format!("Of {topic}-{partition} it begins at offset {from}: after the beginning of the ticket's range.");
            return Check::fail("covers", message).expected(format!("at most {}", range.start)).got(from);
        }
        if *to < range.end {
            let message =
                format!("Of {topic}-{partition} it ends before offset {to}, and the ticket's range goes on. Run the query again.");
            return Check::fail("covers", message).expected(format!("at least {}", range.end)).got(to);
        }
    }
    Check::pass("covers", format!("It holds the whole range of the ticket in {topic}."))
}

/// Whether these offsets can be read: what is not their length is found out by reading them.
pub fn sensible(offsets: &Offsets) -> Result<(), String> {
    let mut length = 0_i64;
    for (partition, (from, to)) in offsets {
        if from.0 < 0 || to < from {
            return Err(format!("The offsets of partition {partition} go from {from} to {to}."));
        }
        length = length.saturating_add(to.0.saturating_sub(from.0));
    }
    if length > LENGTH_MAX { Err(format!("{length} offsets are more than the topic has.")) } else { Ok(()) }
}

/// Reads these offsets of a topic instead of the ticket's ranges.
pub fn scan_offsets<T: Send>(
    case: &Case<'_>,
    topic: &TopicName,
    offsets: &Offsets,
    empty: impl Fn(PartitionId) -> T + Sync,
    visit: impl Fn(&mut T, &crate::cluster::StoredRecord) + Sync,
) -> Result<Vec<(PartitionId, T)>, LogError> {
    let ticket = crate::workshop::Ticket { ranges: BTreeMap::from([(topic.clone(), offsets.clone())]), ..case.ticket.clone() };
    scan(case.log, &ticket, topic.as_str(), empty, visit)
}

/// A sentence when the broker saw nothing of the topic handed to this student: a copied answer looks like that, and so does a table that
/// was filled from files.
pub fn fetched(case: &Case<'_>, topic: &TopicName) -> Option<String> {
    let evidence = case.evidence?;
    let of_ticket = |partition: PartitionId, range: &Range<Offset>| {
        let seen = |fetched: &&crate::model::evidence::Fetched| fetched.topic == *topic && fetched.partition == partition;
        let overlaps = |offsets: &Range<Offset>| offsets.start < range.end && range.start < offsets.end;
        evidence.fetched.iter().filter(seen).any(|fetched| fetched.offsets.iter().any(overlaps))
    };
    let any = case.ticket.ranges_of(topic.as_str()).any(|(partition, range)| of_ticket(partition, &range));
    Some(if any {
        format!("The broker handed out records of {topic} to you.")
    } else {
        format!("The broker has handed out none of the ticket's records of {topic} to you.")
    })
}

/// Whether a history shows at least so many versions that added rows, and together all of them.
pub fn history(versions: &[Version], rows: u64, at_least: usize) -> Check {
    if versions.is_empty() {
        return Check::skip("history", "The table has no history: it is no Delta table.");
    }
    let writes: Vec<u64> = versions.iter().map(|version| version.1).filter(|rows| *rows > 0).collect();
    if writes.len() < at_least {
        let message =
            format!("The history has {} version(s) that wrote rows. Run the cell again when there are more records.", writes.len());
        return Check::fail("history", message).expected(format!("at least {at_least}")).got(writes.len());
    }
    let written = writes.iter().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
    if written != rows {
        let message =
            format!("The versions wrote {written} rows and the table has {rows}: some version replaced rows instead of adding to them.");
        return Check::fail("history", message);
    }
    Check::pass("history", format!("{} versions added rows, and none took one away.", writes.len()))
}

/// What was not looked at, because something before it is wrong.
pub fn skipped<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<Check> {
    ids.into_iter().map(|id| Check::skip(id, "Not looked at: what comes before it is wrong.")).collect()
}
