//! `bronze`: a topic as a table, byte for byte, and every record once (C5).
//!
//! Parameters: `topic`.
//!
//! The table has the columns `key` and `value` (string), `topic` (string), `partition` (int), `offset` (bigint), `timestamp` and
//! `ingested_at` (timestamp). It may hold more than the ticket's range. A row's id is `partition|offset|value`, nothing for a `value`
//! that is null or that the table does not have.
//!
//! The receipt:
//!
//! | field | content |
//! |---|---|
//! | `ticket` | the nonce |
//! | `table` | its name |
//! | `schema` | `["partition:int", ...]`: names and types as `DataFrame.dtypes` has them |
//! | `partitions` | by partition: `{"rows": count(*), "offsets": count(distinct offset), "min", "max"}` and the [`Digest`] of its rows, `sum` and `xor` |
//! | `versions` | `[[version, numOutputRows, epochId or null], ...]` of `DESCRIBE HISTORY`, in any order; `[]` without Delta |
//!
//! | check | passes when |
//! |---|---|
//! | `receipt` | it can be read; it is only there if not |
//! | `schema` | the seven columns are there, with their types |
//! | `covers` | the ticket's range is in it, in each partition |
//! | `complete` | between the first and the last offset none is missing |
//! | `unique` | no offset is there twice |
//! | `unchanged` | the digest is that of the log's bytes |
//! | `history` | at least two versions added rows, and together all of them |
//!
//! | mistake | the table is what comes of | facts |
//! |---|---|---|
//! | `latest` | beginning where the topic ended when the query began | `rows`, `missing` |
//! | `shared-checkpoint` | a checkpoint, or a group, that another query reads with too | `missing`, `partitions` |
//! | `parsed-in-bronze` | keeping only what could be parsed | `lost`, the malformed records |
//! | `checkpoint-deleted` | reading from the beginning again into the same table | `twice`, the rows that are there twice |

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cluster::StoredRecord;
use crate::model::{Offset, PartitionId, TopicName};
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, Judgement, Mistaken};

use super::digest::{Digest, Salt};
use super::parameters::Parameters;
use super::tables::{self, Offsets, Version};
use super::{Case, LogError, Truth};

pub const COLUMNS: &[(&str, &str)] = &[
    ("key", "string"),
    ("value", "string"),
    ("topic", "string"),
    ("partition", "int"),
    ("offset", "bigint"),
    ("timestamp", "timestamp"),
    ("ingested_at", "timestamp"),
];

const CHECKS: &[&str] = &["receipt", "schema", "covers", "complete", "unique", "unchanged", "history"];

pub struct Bronze {
    topic: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let wish = parameters.wish(vec![topic.clone()], 20..40, 5)?;
    parameters.finish()?;
    Ok(Box::new(Bronze { topic, wish }))
}

#[derive(Deserialize)]
struct Receipt {
    schema: Vec<String>,
    partitions: BTreeMap<PartitionId, Part>,
    #[serde(default)]
    versions: Vec<Version>,
}

/// What a table holds of one partition.
#[derive(Clone, Copy, Deserialize)]
struct Part {
    rows: u64,
    offsets: u64,
    min: Offset,
    max: Offset,
    sum: u64,
    xor: u32,
}

impl Part {
    fn digest(&self) -> Digest {
        Digest { count: self.rows, sum: self.sum, xor: self.xor }
    }

    fn surplus(&self) -> u64 {
        self.rows.saturating_sub(self.offsets)
    }
}

/// What a partition's log gives, right and wrong.
#[derive(Clone, Copy, Default)]
struct Tally {
    all: Digest,
    /// The first rows, as many as a table has too many.
    again: Digest,
    parseable: Digest,
    /// Without values.
    bare: Digest,
    bare_parseable: Digest,
}

/// Whether a value is a JSON object.
pub fn is_object(value: &[u8]) -> bool {
    value.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(value).is_ok()
}

impl Truth for Bronze {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        CHECKS
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["latest", "shared-checkpoint", "parsed-in-bronze", "checkpoint-deleted"]
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let receipt: Receipt = match tables::read(case) {
            Ok(receipt) => receipt,
            Err(judgement) => return Ok(judgement),
        };
        let offsets: Offsets = receipt.partitions.iter().map(|(id, part)| (*id, (part.min, part.max.plus(1)))).collect();
        if let Err(message) = tables::sensible(&offsets) {
            return Ok(Judgement { checks: vec![Check::fail("receipt", message)], ..Judgement::default() });
        }
        let tallies = self.tally(case, &receipt, &offsets, false)?;
        let mut checks = vec![tables::schema(&receipt.schema, COLUMNS), tables::covers(case, &self.topic, &offsets)];
        checks.extend(rows(&self.topic, &receipt, &tallies));
        let rows = receipt.partitions.values().fold(0_u64, |sum, part| sum.saturating_add(part.rows));
        checks.push(tables::history(&receipt.versions, rows, 2));
        let mut judgement =
            Judgement { checks, evidence: tables::fetched(case, &self.topic).into_iter().collect(), ..Judgement::default() };
        if !judgement.passed() {
            judgement.mistake = self.mistake(case, &receipt, &offsets)?;
        }
        Ok(judgement)
    }
}

impl Bronze {
    /// `closely`: also what mistakes would have made of it.
    fn tally(
        &self,
        case: &Case<'_>,
        receipt: &Receipt,
        offsets: &Offsets,
        closely: bool,
    ) -> Result<BTreeMap<PartitionId, Tally>, LogError> {
        let salt = Salt::new(&case.ticket.nonce);
        let empty = |id: PartitionId| (receipt.partitions.get(&id).map_or(0, Part::surplus), Tally::default());
        let visit = |(surplus, tally): &mut (u64, Tally), record: &StoredRecord| {
            let value = record.value.as_deref().unwrap_or_default();
            let bare = salt.then(&[record.partition.to_string().as_bytes(), record.offset.to_string().as_bytes(), b""]);
            let crc = bare.one(value);
            tally.all.put(crc);
            if closely {
                let bare = bare.one(b"");
                tally.bare.put(bare);
                if tally.all.count <= *surplus {
                    tally.again.put(crc);
                }
                if is_object(value) {
                    tally.parseable.put(crc);
                    tally.bare_parseable.put(bare);
                }
            }
        };
        let tallies = tables::scan_offsets(case, &self.topic, offsets, empty, visit)?;
        Ok(tallies.into_iter().map(|(id, (_, tally))| (id, tally)).collect())
    }

    fn mistake(&self, case: &Case<'_>, receipt: &Receipt, offsets: &Offsets) -> Result<Option<Mistaken>, LogError> {
        let missing = missing(case, &self.topic, offsets);
        if receipt.partitions.is_empty() {
            return Ok((missing > 0).then(|| Mistaken::new("latest").with("rows", 0).with("missing", missing)));
        }
        let tallies = self.tally(case, receipt, offsets, true)?;
        let all = |same: &dyn Fn(&Part, &Tally) -> bool| {
            receipt.partitions.iter().all(|(id, part)| tallies.get(id).is_some_and(|tally| same(part, tally)))
        };
        let twice: u64 = receipt.partitions.values().map(Part::surplus).fold(0, u64::saturating_add);
        if twice > 0 && all(&|part, tally| part.digest() == tally.all + tally.again) {
            return Ok(Some(Mistaken::new("checkpoint-deleted").with("twice", twice)));
        }
        let parsed = all(&|part, tally| part.digest() == tally.parseable) || all(&|part, tally| part.digest() == tally.bare_parseable);
        let lost: u64 = tallies.values().map(|tally| tally.all.count.saturating_sub(tally.parseable.count)).sum();
        if (parsed && lost > 0) || all(&|part, tally| part.digest() == tally.bare) {
            return Ok(Some(Mistaken::new("parsed-in-bronze").with("lost", lost)));
        }
        let right = all(&|part, tally| part.digest() == tally.all);
        let gaps: u64 = receipt
            .partitions
            .iter()
            .fold(0, |sum, (id, part)| sum + tallies.get(id).map_or(0, |tally| tally.all.count.saturating_sub(part.offsets)));
        let absent =
            case.ticket.ranges_of(self.topic.as_str()).filter(|(id, range)| !range.is_empty() && !offsets.contains_key(id)).count();
        let begins_late = case
            .ticket
            .ranges_of(self.topic.as_str())
            .all(|(id, range)| range.is_empty() || offsets.get(&id).is_some_and(|(from, _)| *from > range.start));
        let broken = !unbroken(&receipt.versions);
        Ok(if right && missing > 0 && begins_late && !broken {
            Some(Mistaken::new("latest").with("rows", tallies.values().map(|tally| tally.all.count).sum::<u64>()).with("missing", missing))
        } else if (right && missing > 0 && (absent > 0 || broken)) || (gaps > 0 && broken) {
            Some(Mistaken::new("shared-checkpoint").with("missing", missing.saturating_add(gaps)).with("partitions", absent))
        } else {
            None
        })
    }
}

/// How many of the ticket's records lie before the beginning of what a table has of their partition.
fn missing(case: &Case<'_>, topic: &TopicName, offsets: &Offsets) -> u64 {
    let before = case.ticket.ranges_of(topic.as_str()).map(|(id, range)| {
        let begins = offsets.get(&id).map_or(range.end, |(from, _)| (*from).min(range.end));
        u64::try_from(begins.0.saturating_sub(range.start.0)).unwrap_or_default()
    });
    before.fold(0, u64::saturating_add)
}

/// Whether the batches of a history are all of one query's: from 0, without a hole.
fn unbroken(versions: &[Version]) -> bool {
    let mut epochs: Vec<u64> = versions.iter().filter_map(|version| version.2).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs.iter().zip(0..).all(|(epoch, expected)| *epoch == expected)
}

/// The checks `complete`, `unique` and `unchanged`.
fn rows(topic: &TopicName, receipt: &Receipt, tallies: &BTreeMap<PartitionId, Tally>) -> Vec<Check> {
    if receipt.partitions.is_empty() {
        let [complete, unique, unchanged] = ["complete", "unique", "unchanged"].map(|id| Check::skip(id, "The table is empty."));
        return vec![complete, unique, unchanged];
    }
    let log = |id: &PartitionId| tallies.get(id).copied().unwrap_or_default().all;
    let incomplete = receipt.partitions.iter().find(|(id, part)| part.offsets != log(id).count);
    let complete = match incomplete {
        None => Check::pass("complete", "No offset is missing between the first and the last of any partition."),
        Some((id, part)) if part.offsets < log(id).count => {
            let message = format!("Of {topic}-{id}, offsets are missing between {} and {}: too few rows.", part.min, part.max);
            Check::fail("complete", message).expected(log(id).count).got(part.offsets)
        }
        Some((id, part)) => {
            let message = format!("Of {topic}-{id} there are more offsets between {} and {} than the log has.", part.min, part.max);
            Check::fail("complete", message).expected(log(id).count).got(part.offsets)
        }
    };
    let unique = match receipt.partitions.iter().find(|(_, part)| part.surplus() > 0) {
        None => Check::pass("unique", "Each offset is there once."),
        Some((id, part)) => {
            let message =
                format!("Of {topic}-{id} there are {} rows for {} offsets: some are there more than once.", part.rows, part.offsets);
            Check::fail("unique", message)
        }
    };
    let sound = incomplete.is_none() && receipt.partitions.values().all(|part| part.surplus() == 0);
    let unchanged = match receipt.partitions.iter().find(|(id, part)| part.digest() != log(id)) {
        _ if !sound => Check::skip("unchanged", "Not looked at before every offset is there once."),
        None => Check::pass("unchanged", "The values are those of the log, byte for byte."),
        Some((id, _)) => {
            Check::fail("unchanged", format!("The values of {topic}-{id} are not those of the log: keep `value` as it came, as text."))
        }
    };
    vec![complete, unique, unchanged]
}
