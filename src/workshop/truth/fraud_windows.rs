//! `fraud-windows`: payments by country in windows of five minutes of event time, and the countries where they jump (C7).
//!
//! Parameters: `topic`.
//!
//! A row is a window and a country: the number of payments, the mean of `amount_usd`, the number of those with `risk_score > 0.7`, and
//! whether it is a spike: at least 20 payments, and at least three times the mean of the same country's three rows before it. Records
//! that cannot be parsed are left out. Repeated payments may count once or as often as they came, and payments with a negative
//! `amount` may be left out.
//! Only closed windows count: those that end ten minutes (the watermark) or more before the newest event. A payment that arrived 570 s
//! or more after it happened may be missing. Windows from before the ticket's range need not be there.
//!
//! The receipt:
//!
//! | field | content |
//! |---|---|
//! | `ticket`, `table`, `schema`, `versions` | as in `bronze` |
//! | `offsets` | by partition `[from, to]`: what the query read; the first `startOffset` and the last `endOffset` of its progress |
//! | `windows` | `[[window, country, payments, average_usd, high_risk, spike], ...]`, `window` as `2026-11-23T10:15Z` |
//! | `dashboard` | may be missing: the exported `.lvdash.json` |
//!
//! | check | passes when |
//! |---|---|
//! | `receipt` | it can be read; it is only there if not |
//! | `covers` | the ticket's range was read |
//! | `windows` | every closed window of every country is there, once, and none that has no payments |
//! | `counts` | each `payments` lies between the payments on time and all |
//! | `averages` | each `average_usd` is right to 0.01 for some choice of the late payments |
//! | `high-risk` | each `high_risk` too |
//! | `spikes` | of ten spikes at least nine are marked, and at most two other rows |
//! | `dashboard` | it reads the table, in three widgets or more |
//!
//! | mistake | the rows are what comes of | facts |
//! |---|---|---|
//! | `processing-time` | windows of arrival, or of the time of the run | `window`, `country`: the first row that differs |
//! | `at-least` | `risk_score >= 0.7` | `windows`, how many differ |
//! | `raw-amount` | the mean of `amount`, whatever the currency | `window`, `country` |
//! | `complete-mode` | writing a window again and again as it grows, without replacing it | `windows`, `rows` |
//! | `malformed-counted` | rows of no country | `rows` |
//!
//! Windows that were still open are no mistake; a sentence of the evidence says so.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::StoredRecord;
use crate::model::{Timestamp, TopicName};
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};

use super::events::{ByEvent, EventKey};
use super::gold::{Key, Payment, Reading, Row, WINDOW_MS, Windows};
use super::parameters::Parameters;
use super::payments::PaymentEvent;
use super::tables::{self, DELAY_MS, Offsets};
use super::times::{minute_of, time};
use super::{Case, LogError, Truth};

pub struct FraudWindows {
    topic: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let wish = parameters.wish(vec![topic.clone()], 60..90, 5)?;
    parameters.finish()?;
    Ok(Box::new(FraudWindows { topic, wish }))
}

#[derive(Deserialize)]
struct Receipt {
    #[serde(default)]
    table: String,
    offsets: Offsets,
    windows: Vec<ReceiptRow>,
    #[serde(default)]
    dashboard: Option<Value>,
}

/// Of what could not be parsed, window and country are null.
type ReceiptRow = (Option<String>, Option<String>, u64, Option<f64>, u64, Option<bool>);

impl Truth for FraudWindows {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["receipt", "covers", "windows", "counts", "averages", "high-risk", "spikes", "dashboard"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["processing-time", "at-least", "raw-amount", "complete-mode", "malformed-counted"]
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let receipt: Receipt = match tables::read(case) {
            Ok(receipt) => receipt,
            Err(judgement) => return Ok(judgement),
        };
        let rows = rows(&receipt).and_then(|rows| tables::sensible(&receipt.offsets).map(|()| rows));
        let rows = match rows {
            Ok(rows) => rows,
            Err(message) => return Ok(Judgement { checks: vec![Check::fail("receipt", message)], ..Judgement::default() }),
        };
        let log = self.log(case, &receipt.offsets)?;
        let frame = Frame { from: from(case, &self.topic, &log), rows: &rows };
        let failures = |checks: &[Check]| checks.iter().filter(|check| check.status == CheckStatus::Fail).count();
        // Of the ways to count that are right, the first that fits, or the one that fits best.
        let mut best: Option<(Vec<Check>, Windows)> = None;
        for reading in Reading::RIGHT {
            let windows = Windows::of(&log, reading);
            let checks = frame.checks(&windows);
            if best.as_ref().is_none_or(|(before, _)| failures(&checks) < failures(before)) {
                best = Some((checks, windows));
            }
            if best.as_ref().is_some_and(|(checks, _)| failures(checks) == 0) {
                break;
            }
        }
        let Some((best, windows)) = best else { return Ok(Judgement::default()) };
        let mut checks = vec![tables::covers(case, &self.topic, &receipt.offsets)];
        checks.extend(best);
        checks.push(dashboard(&receipt));
        let mut judgement =
            Judgement { checks, evidence: tables::fetched(case, &self.topic).into_iter().collect(), ..Judgement::default() };
        let open = rows.iter().filter(|row| row.key.end() > windows.closed).count();
        if open > 0 {
            judgement.evidence.push(format!("{open} rows are of windows that were still open: they do not count, and are no mistake."));
        }
        judgement.evidence.push(format!(
            "The watermark stands at {}: a window that ends later is not in the table before newer payments come.",
            minute_of(windows.closed)
        ));
        if !judgement.passed() {
            judgement.mistake = mistake(case, &frame, &windows, &log);
        }
        Ok(judgement)
    }
}

fn rows(receipt: &Receipt) -> Result<Vec<Row>, String> {
    let row = |(window, country, payments, average, high, spike): &ReceiptRow| {
        let start = match window {
            None => Timestamp::NONE,
            Some(text) => time(text)
                .filter(|start| start.0.rem_euclid(60_000) == 0)
                .ok_or_else(|| format!("A window begins at {text:?}, which is no time such as 2026-11-23T10:15Z."))?,
        };
        let key = Key { start, country: country.clone().unwrap_or_default() };
        Ok(Row { key, payments: *payments, average: average.unwrap_or(f64::NAN), high: *high, spike: spike.unwrap_or_default() })
    };
    receipt.windows.iter().map(row).collect()
}

impl FraudWindows {
    fn log(&self, case: &Case<'_>, offsets: &Offsets) -> Result<Vec<Payment>, LogError> {
        let visit = |read: &mut Read, record: &StoredRecord| {
            let Some(event) = PaymentEvent::parse(record.value.as_deref().unwrap_or_default()) else { return };
            let (Some(happened), Some(country)) = (event.timestamp.time(), event.country.text()) else { return };
            let repeated = read.seen.insert(EventKey::of(event.event_id.text().unwrap_or_default()), ()).is_some();
            let country = read.country(country);
            read.payments.push(Payment {
                happened,
                arrived: record.timestamp,
                country,
                usd: event.amount_usd.cents().unwrap_or_default(),
                raw: event.amount.cents().unwrap_or_default(),
                risk: event.risk_score.number().unwrap_or_default(),
                repeated,
                offset: record.offset,
                partition: record.partition,
            });
        };
        let parts = tables::scan_offsets(case, &self.topic, offsets, |_| Read::default(), visit)?;
        Ok(parts.into_iter().flat_map(|(_, read)| read.payments).collect())
    }
}

/// What has been read of a partition.
#[derive(Default)]
struct Read {
    seen: ByEvent<()>,
    /// Each name once.
    countries: Vec<Arc<str>>,
    payments: Vec<Payment>,
}

impl Read {
    fn country(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.countries.iter().find(|known| known.as_ref() == name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(name);
        self.countries.push(Arc::clone(&new));
        new
    }
}

/// The first window that lies in the ticket's range in all partitions.
fn from(case: &Case<'_>, topic: &TopicName, log: &[Payment]) -> Timestamp {
    let firsts = case.ticket.ranges_of(topic.as_str()).filter_map(|(partition, range)| {
        log.iter().filter(|payment| payment.partition == partition && range.contains(&payment.offset)).map(|payment| payment.arrived).min()
    });
    let from = firsts.max().unwrap_or(Timestamp(i64::MAX));
    Timestamp(from.0.saturating_add(WINDOW_MS - 1).div_euclid(WINDOW_MS).saturating_mul(WINDOW_MS))
}

/// The student's rows, and the first window that must be there.
struct Frame<'a> {
    from: Timestamp,
    rows: &'a [Row],
}

impl Frame<'_> {
    /// The rows whose windows are closed.
    fn closed<'r>(&'r self, windows: &'r Windows) -> impl Iterator<Item = &'r Row> {
        self.rows.iter().filter(move |row| row.key.end() <= windows.closed)
    }

    fn checks(&self, windows: &Windows) -> Vec<Check> {
        let presence = self.presence(windows);
        if presence.status == CheckStatus::Fail {
            return [presence].into_iter().chain(tables::skipped(["counts", "averages", "high-risk", "spikes"])).collect();
        }
        let each = |id: &str, good: &str, wrong: &dyn Fn(&Row) -> Option<String>| {
            let first = self.closed(windows).find_map(|row| wrong(row).map(|message| (row, message)));
            match first {
                None => Check::pass(id, good),
                Some((row, message)) => {
                    Check::fail(id, format!("The window {} of {} has {message}.", minute_of(row.key.start), row.key.country))
                }
            }
        };
        let counts = each("counts", "All counts are right.", &|row| {
            let (least, most) = windows.counts(&row.key)?;
            match row.payments {
                count if count < least => Some("too few payments".to_owned()),
                count if count > most => Some("too many payments".to_owned()),
                _ => None,
            }
        });
        if counts.status == CheckStatus::Fail {
            return [presence, counts].into_iter().chain(tables::skipped(["averages", "high-risk", "spikes"])).collect();
        }
        let averages = each("averages", "All averages are right.", &|row| {
            let (least, most) = windows.averages(&row.key, row.payments)?;
            match row.average {
                average if average >= least - 0.01 && average <= most + 0.01 => None,
                average if average < least => Some("an average that is too low".to_owned()),
                _ => Some("an average that is too high, or none".to_owned()),
            }
        });
        let high = each("high-risk", "All counts of high risks are right.", &|row| {
            let (least, most) = windows.highs(&row.key, row.payments)?;
            match row.high {
                high if high < least => Some("too few payments of high risk".to_owned()),
                high if high > most => Some("too many payments of high risk".to_owned()),
                _ => None,
            }
        });
        vec![presence, counts, averages, high, self.spikes(windows)]
    }

    /// The check `windows`.
    fn presence(&self, windows: &Windows) -> Check {
        let mut found: BTreeMap<&Key, usize> = BTreeMap::new();
        self.rows.iter().for_each(|row| *found.entry(&row.key).or_default() += 1);
        if let Some((key, times)) = found.iter().find(|(_, times)| **times > 1) {
            let message = format!("The window {} of {} is there {times} times.", minute_of(key.start), key.country);
            return Check::fail("windows", message);
        }
        if let Some(row) = self.closed(windows).find(|row| windows.counts(&row.key).is_none()) {
            let message = format!("There are no payments of {:?} in the window {}.", row.key.country, minute_of(row.key.start));
            return Check::fail("windows", message);
        }
        let wanted = windows.closed_keys().filter(|key| key.start >= self.from && windows.counts(key).is_some_and(|(least, _)| least > 0));
        let (mut count, mut missing) = (0, None);
        for key in wanted {
            count += 1;
            if !found.contains_key(key) {
                missing = missing.or(Some(key));
            }
        }
        match missing {
            Some(key) => Check::fail("windows", format!("The window {} of {} is missing.", minute_of(key.start), key.country)),
            None if count == 0 => Check::fail("windows", "No window of the ticket's range is closed yet: wait, and run the query again."),
            None => Check::pass("windows", format!("All {count} closed windows of the ticket's range are there.")),
        }
    }

    fn spikes(&self, windows: &Windows) -> Check {
        let (certain, possible) = windows.spikes();
        let in_frame: HashSet<&Key> = self.closed(windows).map(|row| &row.key).collect();
        let marked: HashSet<&Key> = self.closed(windows).filter(|row| row.spike).map(|row| &row.key).collect();
        let certain: Vec<&Key> = certain.iter().filter(|key| in_frame.contains(key)).collect();
        let found = certain.iter().filter(|key| marked.contains(**key)).count();
        let surplus = marked.iter().filter(|key| !possible.contains(**key)).count();
        if found * 10 < certain.len() * 9 {
            let first = certain.iter().find(|key| !marked.contains(**key));
            let first = first.map_or(String::new(), |key| format!(", the first of {} at {}", key.country, minute_of(key.start)));
            return Check::fail("spikes", format!("Spikes are not marked{first}.")).expected(certain.len()).got(found);
        }
        if surplus > 2 {
            return Check::fail("spikes", format!("{surplus} rows are marked that are no spikes."))
                .expected(possible.len())
                .got(marked.len());
        }
        Check::pass("spikes", format!("{found} spikes are marked."))
    }

    /// Whether the rows, but for those at the edges, are what a mistake makes.
    fn fits(&self, windows: &Windows) -> bool {
        let inner: Vec<&Row> = self.closed(windows).collect();
        let same = |row: &&Row| {
            let high = windows.highs(&row.key, row.payments);
            windows.counts(&row.key).is_some_and(|(least, most)| (least..=most).contains(&row.payments))
                && high.is_some_and(|(least, most)| (least..=most).contains(&row.high))
                && windows
                    .averages(&row.key, row.payments)
                    .is_some_and(|(least, most)| row.average >= least - 0.01 && row.average <= most + 0.01)
        };
        inner.len() >= 3 && inner.len() * 2 > self.rows.len() && inner.iter().all(same)
    }
}

/// How many windows of the time of a run there may be: it was run a few times, within a quarter of an hour.
const RUN_WINDOWS_MAX: usize = 4;

fn mistake(case: &Case<'_>, frame: &Frame<'_>, right: &Windows, log: &[Payment]) -> Option<Mistaken> {
    let keys: HashSet<&Key> = frame.rows.iter().map(|row| &row.key).collect();
    if frame.rows.iter().any(|row| row.key.country.is_empty()) {
        let rows = frame.rows.iter().filter(|row| row.key.country.is_empty()).count();
        return Some(Mistaken::new("malformed-counted").with("rows", rows));
    }
    // Where a row is there several times, the last that it came to is the right one.
    let grown = |key: &Key| frame.rows.iter().filter(|row| row.key == *key).map(|row| row.payments).max();
    let ends_right =
        |key: &&Key| right.counts(key).is_none_or(|(least, most)| grown(key).is_some_and(|count| (least..=most).contains(&count)));
    if keys.len() < frame.rows.len() && keys.iter().filter(|key| key.end() <= right.closed).all(ends_right) {
        return Some(Mistaken::new("complete-mode").with("windows", keys.len()).with("rows", frame.rows.len()));
    }
    // The time of the run: everything in a few windows that no event happened in, or nearly none.
    let run_starts: HashSet<Timestamp> = frame.rows.iter().map(|row| row.key.start).collect();
    let counted: u64 = frame.rows.iter().map(|row| row.payments).fold(0, u64::saturating_add);
    // More of them are hours of another time zone.
    let at_run =
        run_starts.len() <= RUN_WINDOWS_MAX && run_starts.iter().all(|start| start.0.saturating_add(WINDOW_MS) > case.ticket.issued_ms.0);
    let first = |keys: &mut dyn Iterator<Item = &Row>| keys.next().map(|row| (minute_of(row.key.start), row.key.country.clone()));
    let processing = |row: Option<(String, String)>| {
        let (window, country) = row.unwrap_or_default();
        Some(Mistaken::new("processing-time").with("window", window).with("country", country))
    };
    if !run_starts.is_empty() && at_run && counted.saturating_mul(2) > log.len() as u64 {
        return processing(first(&mut frame.rows.iter()));
    }
    let differs = |row: &&Row| {
        right.counts(&row.key).is_none_or(|(least, most)| !(least..=most).contains(&row.payments))
            || right.highs(&row.key, row.payments).is_none_or(|(least, most)| !(least..=most).contains(&row.high))
            || right.averages(&row.key, row.payments).is_none_or(|(least, most)| row.average < least - 0.01 || row.average > most + 0.01)
    };
    if frame.fits(right) {
        return None;
    }
    let found = Reading::WRONG.into_iter().find(|reading| frame.fits(&Windows::of(log, *reading)))?;
    let differing = || frame.closed(right).filter(differs);
    match found {
        reading if reading.by_arrival => processing(first(&mut differing())),
        reading if reading.inclusive => Some(Mistaken::new("at-least").with("windows", differing().count())),
        _ => {
            let (window, country) = first(&mut differing()).unwrap_or_default();
            Some(Mistaken::new("raw-amount").with("window", window).with("country", country))
        }
    }
}

fn dashboard(receipt: &Receipt) -> Check {
    let Some(dashboard) = &receipt.dashboard else { return Check::skip("dashboard", "No dashboard was handed in.") };
    let list = |of: &Value, name: &str| of.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let table = receipt.table.rsplit('.').next().unwrap_or_default();
    let reads = |dataset: &Value| {
        let lines = dataset.get("queryLines").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = dataset.get("query").cloned().into_iter().chain(lines).filter_map(|line| line.as_str().map(str::to_owned));
        !table.is_empty() && text.collect::<String>().contains(table)
    };
    let widgets: usize = list(dashboard, "pages").iter().map(|page| list(page, "layout").len()).sum();
    if !list(dashboard, "datasets").iter().any(reads) {
        Check::fail("dashboard", format!("No data set of the dashboard reads the table {table:?}."))
    } else if widgets < 3 {
        Check::fail("dashboard", "The dashboard has too few widgets.").expected("at least 3").got(widgets)
    } else {
        Check::pass("dashboard", format!("The dashboard reads the table, in {widgets} widgets."))
    }
}

const _: () = assert!(DELAY_MS == 2 * WINDOW_MS);
