//! `silver`: the valid events of the web shop, once each, flat and typed, and a quarantine for the rest (C6).
//!
//! Parameters: `topic`.
//!
//! An event is valid with a `user_id`, `event_id`, `product_id` and `timestamp`, one of the six types, a `price` that is a number above
//! 0, and a `timestamp` not more than five minutes after its arrival. What is not goes into the quarantine, value and all. Tests
//! (`is_test`, or a `user_id` that begins with `test-`) go nowhere; those that are not valid either may go into the quarantine.
//! The quarantine may hold a repeated record once or as often as it came.
//!
//! The table has the columns of [`COLUMNS`]; `event_time` is the event's `timestamp` and `arrived_at` the record's. `hour_of_day` is 0 to
//! 23 and `day_of_week` 1 for Sunday, both in UTC. A row is late if it arrived 570 s or more after it happened; a deduplication that
//! goes by a watermark may have lost it, and both is right.
//!
//! The receipt; ids are `event_id`, and a column that is null counts as the word `null`:
//!
//! | field | content |
//! |---|---|
//! | `ticket`, `table`, `schema`, `versions` | as in `bronze` |
//! | `offsets` | by partition `[from, to]`: what silver was made from; bronze's least offset and its greatest + 1 |
//! | `on_time`, `late` | [`Digest`] of the ids of the rows that are not late, and of those that are |
//! | `derived` | of `event_id\|hour_of_day\|day_of_week` of the rows that are not late |
//! | `nested` | of `event_id\|category\|brand\|device_type\|country` of the same |
//! | `quarantine` | of the values in the quarantine |
//! | `rejected` | the message of the error with which Delta refused a write that did not fit; not from files |
//!
//! | check | passes when |
//! |---|---|
//! | `receipt` | it can be read; it is only there if not |
//! | `schema`, `covers` | as in `bronze` |
//! | `rows` | the ids on time are exactly those of the valid events that are no tests, once each, and the late ones are some of theirs |
//! | `derived`, `nested` | the digests are right |
//! | `quarantine` | it holds what is not valid |
//! | `history` | at least two versions wrote rows |
//! | `rejected` | the message is one of Delta's |
//!
//! | mistake | the tables are what comes of | facts |
//! |---|---|---|
//! | `tests-kept` | keeping tests: all, or those of one of the two ways to say so | `tests`, `which` |
//! | `dedup-missing` | keeping repeated events | `twice` |
//! | `invalid-kept` | a rule that is missing | `invalid`, `which` |
//! | `nulls-filtered` | a condition that is neither true nor false for a null | `lost`, `which` |
//! | `wrong-type-nulls` | a schema with a wrong type: fields that come out null | `which` |
//! | `local-zone` | hours in a local time zone | `hours`, such as `+2` |
//! | `week-from-monday` | days counted from Monday | `first`, the number that Monday has |
//! | `no-quarantine` | losing what cannot be parsed, or all that is not valid | `lost` |

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cluster::StoredRecord;
use crate::model::TopicName;
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, Judgement, Mistaken};

use super::digest::Digest;
use super::parameters::Parameters;
use super::silver_tally::{self as tally, Kept, Sorted};
use super::tables::{self, Offsets, Version};
use super::{Case, LogError, Truth};

pub const COLUMNS: &[(&str, &str)] = &[
    ("event_id", "string"),
    ("user_id", "string"),
    ("event_type", "string"),
    ("product_id", "string"),
    ("price", "double"),
    ("quantity", "int"),
    ("event_time", "timestamp"),
    ("arrived_at", "timestamp"),
    ("category", "string"),
    ("brand", "string"),
    ("device_type", "string"),
    ("country", "string"),
    ("hour_of_day", "int"),
    ("day_of_week", "int"),
];

pub struct Silver {
    topic: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let wish = parameters.wish(vec![topic.clone()], 20..40, 5)?;
    parameters.finish()?;
    Ok(Box::new(Silver { topic, wish }))
}

#[derive(Deserialize)]
struct Receipt {
    schema: Vec<String>,
    offsets: Offsets,
    on_time: Digest,
    late: Digest,
    derived: Digest,
    nested: Digest,
    quarantine: Digest,
    #[serde(default)]
    versions: Vec<Version>,
    #[serde(default)]
    rejected: Option<String>,
}

impl Truth for Silver {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["receipt", "schema", "covers", "rows", "derived", "nested", "quarantine", "history", "rejected"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &[
            "tests-kept",
            "dedup-missing",
            "invalid-kept",
            "nulls-filtered",
            "wrong-type-nulls",
            "local-zone",
            "week-from-monday",
            "no-quarantine",
        ]
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let receipt: Receipt = match tables::read(case) {
            Ok(receipt) => receipt,
            Err(judgement) => return Ok(judgement),
        };
        if let Err(message) = tables::sensible(&receipt.offsets) {
            return Ok(Judgement { checks: vec![Check::fail("receipt", message)], ..Judgement::default() });
        }
        let nonce = &case.ticket.nonce;
        let visit = |sorted: &mut Sorted, record: &StoredRecord| sorted.put(record);
        let parts = tables::scan_offsets(case, &self.topic, &receipt.offsets, |_| Sorted::new(nonce), visit)?;
        let sorted = Sorted::together(parts.into_iter().map(|(_, part)| part));
        let right = Kept::default();
        let (on_time, late) = (sorted.silver(&right, false), sorted.silver(&right, true));
        let rows_right = receipt.on_time == on_time && receipt.late.may_be_part_of(late);
        let mut checks = vec![tables::schema(&receipt.schema, COLUMNS), tables::covers(case, &self.topic, &receipt.offsets)];
        checks.push(rows(&receipt, on_time, late));
        if rows_right {
            checks.push(column(
                "derived",
                receipt.derived == sorted.derived,
                "`hour_of_day` or `day_of_week` is not that of `event_time` in UTC, in some rows or all.",
                "`hour_of_day` and `day_of_week` are right in every row.",
            ));
            checks.push(column(
                "nested",
                receipt.nested == sorted.nested,
                "`category`, `brand`, `device_type` or `country` is not what stands in the event, in some rows or all.",
                "The nested fields are right in every row.",
            ));
        } else {
            checks.extend(tables::skipped(["derived", "nested"]));
        }
        checks.push(quarantine(&receipt, &sorted));
        checks.push(versions(&receipt));
        checks.push(rejected(&receipt));
        let mut judgement =
            Judgement { checks, evidence: tables::fetched(case, &self.topic).into_iter().collect(), ..Judgement::default() };
        if receipt.late.count < late.count && rows_right {
            judgement.evidence.push(format!(
                "{} rows that arrived long after they happened are not in the table: the watermark let them go, which is right too.",
                late.count.saturating_sub(receipt.late.count)
            ));
        }
        if !judgement.passed() {
            judgement.mistake = if rows_right {
                self.mistaken_columns(case, &receipt, &sorted)?.or_else(|| mistaken_quarantine(&receipt, &sorted))
            } else {
                mistaken_rows(&receipt, &sorted)
            };
        }
        Ok(judgement)
    }
}

fn rows(receipt: &Receipt, on_time: Digest, late: Digest) -> Check {
    let (has, should) = (receipt.on_time.count, on_time.count);
    if has != should {
        let which = if has > should { "too many" } else { "too few" };
        return Check::fail("rows", format!("The table has {which} rows.")).expected(should).got(has);
    }
    if receipt.on_time != on_time {
        return Check::fail("rows", "The table has as many rows as it should have, and they are others.".to_owned());
    }
    if !receipt.late.may_be_part_of(late) {
        return Check::fail("rows", "Of the events that arrived late the table has others than the valid ones.")
            .expected(late.count)
            .got(receipt.late.count);
    }
    Check::pass("rows", "All valid events that are no tests are there, once each, and nothing else.")
}

fn column(id: &str, right: bool, wrong: &str, good: &str) -> Check {
    if right { Check::pass(id, good) } else { Check::fail(id, wrong) }
}

fn quarantine(receipt: &Receipt, sorted: &Sorted) -> Check {
    let options = sorted.quarantines();
    if options.contains(&receipt.quarantine) {
        return Check::pass("quarantine", format!("The quarantine holds the {} records that are not valid.", receipt.quarantine.count));
    }
    let counts = options.map(|digest| digest.count);
    let (least, most) = (counts.iter().min().copied().unwrap_or_default(), counts.iter().max().copied().unwrap_or_default());
    let message = match receipt.quarantine.count {
        count if count < least => "The quarantine has too few records.",
        count if count > most => "The quarantine has too many records.",
        _ => "The quarantine has other records than those that are not valid, or other values.",
    };
    Check::fail("quarantine", message).expected(least).got(receipt.quarantine.count)
}

fn versions(receipt: &Receipt) -> Check {
    if receipt.versions.is_empty() {
        return Check::skip("history", "The table has no history: it is no Delta table.");
    }
    // Making the table is a version too, and so is a batch that only cleans up the state.
    match receipt.versions.iter().filter(|version| version.1 > 0).count() {
        count @ 0..2 => {
            let message = format!("The history has {count} version(s) that wrote rows. Run the query again when there are more records.");
            Check::fail("history", message).expected("at least 2").got(count)
        }
        count => Check::pass("history", format!("{count} versions wrote rows.")),
    }
}

fn rejected(receipt: &Receipt) -> Check {
    match &receipt.rejected {
        None => Check::skip("rejected", "A refused write leaves nothing in a table: only a notebook's receipt shows it."),
        Some(text) if text.contains("DELTA_") => Check::pass("rejected", "Delta refused a write that did not fit."),
        Some(text) => {
            let message =
                "The receipt holds no refusal of Delta's: try to append a column that the table does not have, and keep the error.";
            Check::fail("rejected", message).expected("an error with DELTA_ in it").got(text.chars().take(80).collect::<String>())
        }
    }
}

/// Which toggles make the rows that the table has.
fn mistaken_rows(receipt: &Receipt, sorted: &Sorted) -> Option<Mistaken> {
    if receipt.on_time.count == 0 && receipt.late.count == 0 && sorted.may_be_everything(receipt.quarantine.count) {
        return Some(Mistaken::new("wrong-type-nulls").with("which", "a field that every event has"));
    }
    let kept = Kept::all().into_iter().find(|kept| sorted.silver(kept, false) == receipt.on_time)?;
    let right = sorted.silver(&Kept::default(), false);
    let is = sorted.silver(&kept, false);
    let (more, less) = (is.count.saturating_sub(right.count), right.count.saturating_sub(is.count));
    Some(match () {
        () if kept.tests() > 0 => Mistaken::new("tests-kept").with("tests", more).with("which", kept.tests_named()),
        () if kept.invalid.is_some() => {
            Mistaken::new("invalid-kept").with("invalid", more).with("which", kept.invalid.map_or("", |reason| reason.name()))
        }
        () if kept.repeated => Mistaken::new("dedup-missing").with("twice", more),
        () => Mistaken::new("nulls-filtered").with("lost", less).with("which", kept.without.map_or("", |null| null.name())),
    })
}

fn mistaken_quarantine(receipt: &Receipt, sorted: &Sorted) -> Option<Mistaken> {
    let lost =
        |found: Digest| sorted.quarantines().map(|digest| digest.count).into_iter().min().unwrap_or_default().saturating_sub(found.count);
    if sorted.quarantines().contains(&receipt.quarantine) {
        return None;
    }
    if receipt.quarantine.count == 0 {
        return Some(Mistaken::new("no-quarantine").with("lost", lost(receipt.quarantine)));
    }
    let missing = sorted.quarantine_without(receipt.quarantine)?;
    let names: Vec<&str> = missing.iter().map(|reason| reason.name()).collect();
    let id = if missing.contains(&super::shop::Reason::Malformed) && missing.len() == 1 { "no-quarantine" } else { "nulls-filtered" };
    let mistake = Mistaken::new(id).with("lost", lost(receipt.quarantine));
    Some(if id == "nulls-filtered" { mistake.with("which", names.join(", ")) } else { mistake })
}

impl Silver {
    /// The rows are right and columns are not: looks at the log again, through other clocks and with fields that are null.
    fn mistaken_columns(&self, case: &Case<'_>, receipt: &Receipt, sorted: &Sorted) -> Result<Option<Mistaken>, LogError> {
        let wrong = tally::Wrong { derived: receipt.derived != sorted.derived, nested: receipt.nested != sorted.nested };
        if !wrong.derived && !wrong.nested {
            return Ok(None);
        }
        let nonce = &case.ticket.nonce;
        let visit = |columns: &mut tally::Columns, record: &StoredRecord| columns.put(record);
        let parts = tables::scan_offsets(case, &self.topic, &receipt.offsets, |_| tally::Columns::new(nonce, wrong), visit)?;
        let mut nested: BTreeMap<&'static str, Digest> = BTreeMap::new();
        let mut clocks: BTreeMap<tally::Calendar, Digest> = BTreeMap::new();
        for (_, part) in parts {
            part.nested().for_each(|(name, digest)| *nested.entry(name).or_default() += digest);
            part.clocks().for_each(|(calendar, digest)| *clocks.entry(calendar).or_default() += digest);
        }
        if wrong.nested
            && let Some((which, _)) = nested.iter().find(|(_, digest)| **digest == receipt.nested)
        {
            return Ok(Some(Mistaken::new("wrong-type-nulls").with("which", *which)));
        }
        let calendar = clocks.iter().find(|(_, digest)| **digest == receipt.derived).map(|(calendar, _)| *calendar);
        Ok(calendar.map(|calendar| match calendar.monday {
            Some(first) => Mistaken::new("week-from-monday").with("first", first),
            None => Mistaken::new("local-zone").with("hours", calendar.hours()),
        }))
    }
}
