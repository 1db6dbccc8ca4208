//! A filter and running totals: how many events of a type are above a price, and what they make, with a summary after every few.
//!
//! Parameters: `topic`, `event_type`, `price_over`, `every`.
//!
//! A hit is an event of the type whose price is a number above `price_over`; it makes price times quantity. An event that arrived twice
//! counts twice or once: both are right, the latter earns the star `dedup`. Events without an id are never copies; an event without a
//! quantity is one piece.
//!
//! The results topic has `{"n", "count", "revenue"}` after every few hits (n = 1, 2, ...; count = n times `every`), and
//! `{"final": true, "count", "revenue"}` at the end. The ticket's partitions may be merged in any order.
//!
//! | check | |
//! |---|---|
//! | `filter` | the final count |
//! | `revenue` | the final revenue, by the same counting |
//! | `summaries` | one for every few hits, with a revenue that some order of the partitions gives |
//!
//! | mistake | its answer, with or without copies | facts, besides `got_count` and `got_revenue` |
//! |---|---|---|
//! | `at-least` | prices of exactly `price_over` count too | `limit`, `boundary`: how many cost just that |
//! | `no-quantity` | a hit makes its price | `multiple`: hits of more than one piece |
//! | `all-events` | events of every type count | `others`: how many are of another type |
//! | `text-price` | prices that are texts count | `texts`: how many |
//! | `line-total` | price times quantity is compared | `below`: how many cost less apiece |
//! | `no-flush` | summaries, but no end | `summaries`: how many arrived, `last`: the count of the last; no others |

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::cluster::StoredRecord;
use crate::model::TopicName;
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};

use super::events::{Field, Seen, read};
use super::merges::Merges;
use super::money::{cents, written};
use super::parameters::Parameters;
use super::run::{Entry, Run, counted, shown};
use super::{Case, LogError, Truth, scan};

pub struct RunningTotals {
    topic: TopicName,
    event_type: String,
    price_over: f64,
    every: u64,
    wish: TicketWish,
    /// A record in which neither stands cannot count, whatever the mistake.
    type_finder: Finder<'static>,
    price_finder: Finder<'static>,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let event_type = parameters.text("event_type")?;
    let price_over = parameters.number("price_over")?;
    if price_over < 0.0 {
        return Err("the parameter \"price_over\" is negative".to_owned());
    }
    let every = parameters.count("every")?;
    let wish = parameters.wish(vec![topic.clone()], 15..25, 5)?;
    parameters.finish()?;
    let type_finder = Finder::new(event_type.as_bytes()).into_owned();
    let price_finder = Finder::new(b"\"price\"").into_owned();
    Ok(Box::new(RunningTotals { topic, event_type, price_over, every, wish, type_finder, price_finder }))
}

#[derive(Deserialize)]
struct Sale<'a> {
    #[serde(borrow, default)]
    event_id: Field<'a>,
    #[serde(borrow, default)]
    event_type: Field<'a>,
    #[serde(borrow, default)]
    price: Field<'a>,
    #[serde(borrow, default)]
    quantity: Field<'a>,
}

/// The ways to count; the first is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Right,
    AtLeast,
    NoQuantity,
    AllEvents,
    TextPrice,
    LineTotal,
}

const MISTAKES: [(Way, &str); 5] = [
    (Way::AtLeast, "at-least"),
    (Way::NoQuantity, "no-quantity"),
    (Way::AllEvents, "all-events"),
    (Way::TextPrice, "text-price"),
    (Way::LineTotal, "line-total"),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    cents: i64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.count = self.count.saturating_add(other.count);
        self.cents = self.cents.saturating_add(other.cents);
    }
}

/// Of one way: all, and without copies.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: Sum,
    once: Sum,
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.all.add(other.all);
        self.once.add(other.once);
    }
}

/// Of one partition.
#[derive(Default)]
struct Tally {
    ways: [Sums; 6],
    /// Of the right hits, how many are of more than one piece.
    multiple: u64,
    /// The cents of each right hit, in their order, and whether it is a copy.
    hits: Vec<(i64, bool)>,
    seen: Seen,
}

impl Tally {
    fn count(&mut self, way: Way, cents: i64, again: bool) {
        let sum = Sum { count: 1, cents };
        if let Some(sums) = self.ways.get_mut(way as usize) {
            sums.add(Sums { all: sum, once: if again { Sum::default() } else { sum } });
        }
        if way == Way::Right {
            self.hits.push((cents, again));
        }
    }
}

struct Totals {
    ways: [Sums; 6],
    multiple: u64,
    partitions: Vec<Vec<(i64, bool)>>,
}

impl Totals {
    fn of(&self, way: Way) -> Sums {
        self.ways.get(way as usize).copied().unwrap_or_default()
    }
}

impl RunningTotals {
    /// Cheap, and never false for a record that counts in some way.
    fn may_count(&self, value: &[u8]) -> bool {
        if self.type_finder.find(value).is_some() {
            return true;
        }
        // Other types count where their price is high: look at the first digits behind its name.
        let mut rest = value;
        while let Some(at) = self.price_finder.find(rest) {
            rest = rest.get(at.saturating_add(b"\"price\"".len())..).unwrap_or_default();
            let number = rest.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start();
            let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
            // Something else than plain digits, as an exponent or a sign, is left to the parser.
            let plain = digits > 0
                && number.get(digits).is_some_and(|byte| matches!(byte, b'.' | b',' | b'}'))
                && !number.get(digits..).is_some_and(has_exponent);
            let whole = number.iter().take(digits).fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit - b'0'));
            if !plain || whole + 1.0 > self.price_over {
                return true;
            }
        }
        // Names may be written with escapes.
        memchr::memchr(b'\\', value).is_some()
    }

    fn visit(&self, tally: &mut Tally, record: &StoredRecord) {
        let Some(value) = record.value.as_ref().filter(|value| self.may_count(value)) else { return };
        self.weigh(tally, value);
    }

    fn weigh(&self, tally: &mut Tally, value: &Bytes) {
        let Some(sale) = read::<Sale<'_>>(Some(value)) else { return };
        let is_type = sale.event_type.is(&self.event_type);
        let quantity = sale.quantity.number().unwrap_or(1.0).clamp(-1e6, 1e6);
        let (price, is_text) = match &sale.price {
            Field::Number(price) => (*price, false),
            Field::Text(text) => match text.trim().parse::<f64>() {
                Ok(price) => (price, true),
                Err(_) => return,
            },
            _ => return,
        };
        let (Some(single), Some(line)) = (cents(price), cents(price * quantity)) else { return };
        let (over, line_over) = (price > self.price_over, price * quantity > self.price_over);
        let ways = [
            (Way::Right, is_type && !is_text && over, line),
            (Way::AtLeast, is_type && !is_text && price >= self.price_over, line),
            (Way::NoQuantity, is_type && !is_text && over, single),
            (Way::AllEvents, !is_text && over, line),
            (Way::TextPrice, is_type && over, line),
            (Way::LineTotal, is_type && !is_text && line_over, line),
        ];
        if !ways.iter().any(|(_, counts, _)| *counts) {
            return;
        }
        let again = tally.seen.again(&sale.event_id);
        for (way, _, cents) in ways.into_iter().filter(|(_, counts, _)| *counts) {
            tally.count(way, cents, again);
        }
        if is_type && !is_text && over && line != single {
            tally.multiple = tally.multiple.saturating_add(1);
        }
    }

    fn totals(&self, case: &Case<'_>) -> Result<Totals, LogError> {
        let empty = |_| Tally::default();
        let tallies = scan(case.log, case.ticket, self.topic.as_str(), empty, |tally, record| self.visit(tally, record))?;
        let mut totals = Totals { ways: Default::default(), multiple: 0, partitions: Vec::new() };
        for (_, tally) in tallies {
            for (sums, more) in totals.ways.iter_mut().zip(tally.ways) {
                sums.add(more);
            }
            totals.multiple = totals.multiple.saturating_add(tally.multiple);
            totals.partitions.push(tally.hits);
        }
        Ok(totals)
    }
}

fn has_exponent(rest: &[u8]) -> bool {
    let tail = rest.iter().skip(1).find(|byte| !byte.is_ascii_digit());
    rest.first() == Some(&b'.') && tail.is_some_and(|byte| matches!(byte, b'e' | b'E'))
}

/// The end of a run as far as it can be read.
struct End {
    count: Option<u64>,
    cents: Option<i64>,
}

impl Truth for RunningTotals {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["filter", "revenue", "summaries"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["at-least", "no-quantity", "all-events", "text-price", "line-total", "no-flush"]
    }

    fn stars(&self) -> &'static [&'static str] {
        &["dedup"]
    }

    fn looks_at_evidence(&self) -> bool {
        false
    }

    fn tells_all(&self) -> bool {
        true
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let run = Run::last_of(case.answer);
        let totals = self.totals(case)?;
        let right = totals.of(Way::Right);
        let end = run.end.as_ref().map(|end| End { count: end.count("count"), cents: end.cents("revenue") });
        let filter = filter(&run, end.as_ref(), right);
        let revenue = revenue(&run, end.as_ref(), right);
        let good = filter.status == CheckStatus::Pass && revenue.status == CheckStatus::Pass;
        let summaries = self.summaries(&run, end.as_ref(), good, &totals);
        let mut judgement = Judgement { checks: vec![filter, revenue, summaries], ..Judgement::default() };
        let copies = right.all.count.saturating_sub(right.once.count);
        if good && copies > 0 && end.as_ref().and_then(|end| end.count) == Some(right.once.count) {
            judgement.stars.push("dedup");
        }
        if good && copies == 0 {
            judgement.evidence.push("No hit in your range arrived twice, so it cannot show whether you count copies once.".to_owned());
        }
        if !good {
            judgement.mistake = self.mistake(&run, end.as_ref(), &totals);
        }
        Ok(judgement)
    }
}

fn no_end(run: &Run<'_>) -> String {
    if run.is_empty() { "Nothing arrived in your results topic.".to_owned() } else { "No record with \"final\": true arrived.".to_owned() }
}

fn told(right: Sums, value: impl Fn(Sum) -> String) -> String {
    let (all, once) = (value(right.all), value(right.once));
    if all == once { all } else { format!("{all}, or {once} without copies") }
}

fn direction<T: PartialOrd>(got: T, a: T, b: T) -> &'static str {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if got > high {
        "too high"
    } else if got < low {
        "too low"
    } else {
        "neither what all hits make nor what they make without copies"
    }
}

fn filter(run: &Run<'_>, end: Option<&End>, right: Sums) -> Check {
    let Some(end) = end else { return Check::fail("filter", no_end(run)) };
    let expected = told(right, |sum| sum.count.to_string());
    let Some(count) = end.count else {
        let got = shown(run.end.as_ref().and_then(|end| end.value.get("count")));
        return Check::fail("filter", "The final \"count\" is no whole number.").expected(expected).got(got);
    };
    if count == right.all.count || count == right.once.count {
        return Check::pass("filter", "The final count is right.").got(count);
    }
    let direction = direction(count, right.all.count, right.once.count);
    Check::fail("filter", format!("Your final count is {direction}.")).expected(expected).got(count)
}

fn revenue(run: &Run<'_>, end: Option<&End>, right: Sums) -> Check {
    let Some(end) = end else { return Check::fail("revenue", no_end(run)) };
    let expected = told(right, |sum| written(sum.cents));
    let Some(got) = end.cents else {
        let got = shown(run.end.as_ref().and_then(|end| end.value.get("revenue")));
        return Check::fail("revenue", "The final \"revenue\" is no amount.").expected(expected).got(got);
    };
    // By the counting that the count is of; where the count is wrong, by either.
    let matches = |sum: Sum| got == sum.cents && end.count == Some(sum.count);
    let count_is_wrong = end.count != Some(right.all.count) && end.count != Some(right.once.count);
    if matches(right.all) || matches(right.once) || (count_is_wrong && (got == right.all.cents || got == right.once.cents)) {
        return Check::pass("revenue", "The final revenue is right, to the cent.").got(written(got));
    }
    let message = match direction(got, right.all.cents, right.once.cents) {
        _ if got == right.all.cents || got == right.once.cents => {
            "Your final revenue and your final count are not of the same hits: one of them counts copies.".to_owned()
        }
        direction => format!("Your final revenue is {direction}."),
    };
    Check::fail("revenue", message).expected(expected).got(written(got))
}

impl RunningTotals {
    /// Their form is held against the student's own end; their revenues against the log, once the end is right.
    fn summaries(&self, run: &Run<'_>, end: Option<&End>, good: bool, totals: &Totals) -> Check {
        let id = "summaries";
        if let Some(complaint) = run.complaint() {
            return Check::fail(id, complaint);
        }
        let got = counted(run.entries.len(), "summary", "summaries");
        for (n, entry) in (1..).zip(&run.entries) {
            if let Some(message) = self.misshapen(n, entry) {
                return Check::fail(id, message).got(got);
            }
        }
        let Some(count) = end.and_then(|end| end.count) else {
            return Check::skip(id, "They are looked at once there is a final count.").got(got);
        };
        let wanted = count / self.every;
        let arrived = run.entries.len() as u64;
        if arrived != wanted {
            let direction = if arrived < wanted { "fewer" } else { "more" };
            let message = format!("There are {direction} summaries than your own final count asks for.");
            return Check::fail(id, message).expected(counted(wanted as usize, "summary", "summaries")).got(got);
        }
        if !good {
            return Check::skip(id, "Their counts fit your final count; their revenues are looked at once that is right.").got(got);
        }
        self.possible(run, count, totals).got(got)
    }

    fn misshapen(&self, n: u64, entry: &Entry) -> Option<String> {
        let place = format!("Summary {n} (offset {})", entry.offset);
        let wanted = n.saturating_mul(self.every);
        if entry.count("n") != Some(n) {
            return Some(format!("{place}: \"n\" is {}, not {n}.", shown(entry.value.get("n"))));
        }
        if entry.count("count") != Some(wanted) {
            return Some(format!("{place}: \"count\" is {}, not {wanted}.", shown(entry.value.get("count"))));
        }
        match entry.cents("revenue") {
            None => Some(format!("{place}: \"revenue\" is {}, no amount.", shown(entry.value.get("revenue")))),
            Some(_) => None,
        }
    }

    fn possible(&self, run: &Run<'_>, count: u64, totals: &Totals) -> Check {
        let with_copies = count == totals.of(Way::Right).all.count;
        let hits =
            |partition: &Vec<(i64, bool)>| partition.iter().filter(|(_, again)| with_copies || !again).map(|(cents, _)| *cents).collect();
        let partitions: Vec<Vec<i64>> = totals.partitions.iter().map(hits).collect();
        let merges = Merges::of(&partitions);
        let mut before = 0;
        for (n, entry) in (1_u64..).zip(&run.entries) {
            let revenue = entry.cents("revenue").unwrap_or_default();
            let place = usize::try_from(n.saturating_mul(self.every)).unwrap_or(usize::MAX);
            let (least, most) = merges.after(place);
            let message = match () {
                () if revenue < before => "is lower than that of the one before",
                () if revenue < least => "is too low: no order of the partitions gives it",
                () if revenue > most => "is too high: no order of the partitions gives it",
                () => {
                    before = revenue;
                    continue;
                }
            };
            let expected = if least == most { written(least) } else { format!("{} to {}", written(least), written(most)) };
            return Check::fail("summaries", format!("The revenue of summary {n} {message}.")).expected(format!("summary {n}: {expected}"));
        }
        Check::pass("summaries", format!("One after every {} hits, each with a revenue that the log gives.", self.every))
    }

    fn mistake(&self, run: &Run<'_>, end: Option<&End>, totals: &Totals) -> Option<Mistaken> {
        let Some(end) = end else {
            let formed = (1..).zip(&run.entries).all(|(n, entry)| self.misshapen(n, entry).is_none());
            let last = run.entries.last().filter(|_| formed && run.malformed.is_none())?.count("count")?;
            return Some(Mistaken::new("no-flush").with("summaries", run.entries.len()).with("last", last));
        };
        let got = Sum { count: end.count?, cents: end.cents? };
        let right = totals.of(Way::Right).all.count;
        let (way, id) = MISTAKES.into_iter().find(|(way, _)| {
            let sums = totals.of(*way);
            got == sums.all || got == sums.once
        })?;
        let more = totals.of(way).all.count.saturating_sub(right);
        let mistaken = Mistaken::new(id).with("got_count", got.count).with("got_revenue", written(got.cents));
        Some(match way {
            Way::AtLeast => mistaken.with("limit", format!("{:.2}", self.price_over)).with("boundary", more),
            Way::NoQuantity => mistaken.with("multiple", totals.multiple),
            Way::AllEvents => mistaken.with("others", more),
            Way::TextPrice => mistaken.with("texts", more),
            Way::LineTotal | Way::Right => mistaken.with("below", more),
        })
    }
}
