//! Snapshots of a live board: events per second, revenue per minute, the products that sell best.
//!
//! Parameters: `topic`.
//!
//! The results topic has, every five seconds, `{"at", "offsets": {PARTITION: NEXT}, "events_per_second", "revenue_per_minute":
//! {MINUTE: REVENUE}, "top_products": [{"product_id", "revenue"}]}`: of the records from the ticket's start up to `offsets`.
//!
//! Events per second are the arrivals of the last ten seconds, before `at` or before the newest record. Revenue is that of purchases,
//! price times quantity, by the minute in which they happened; copies and negative prices may count or not. Everything may be 2 % off.
//!
//! | check | |
//! |---|---|
//! | `rhythm` | six snapshots or more, each five seconds after the one before, give or take two; the last beyond the ticket's end |
//! | `rate` | events per second; not 0 in all snapshots while records come |
//! | `revenue` | each minute that is listed, at least two with sales, with one of the three newest among them |
//! | `top` | five products that are among the best five, or within 2 % of the fifth, and their revenue |
//! | `one-consumer` | the board did not begin again under its ticket, and did not ask for a consumer again and again |
//!
//! The newest twelve snapshots are looked at. Revenue or products that are wrong have to be those of the mistake, in each of them.
//!
//! | mistake | its answer | facts |
//! |---|---|---|
//! | `new-consumer-per-rerun` | offsets that fall back, or more consumers than a board needs | `consumers` |
//! | `all-events` | revenue of events of every type | |
//! | `cumulative` | each minute has the revenue of all those up to it | `minute` (the newest one listed), `got` |
//! | `arrival-minute` | minutes are those of the arrival | `minute` (the first one listed that is wrong) |
//! | `by-count` | products by number of purchases | `product`: one that is not among the best by revenue |

use std::collections::{BTreeMap, BTreeSet};

use crate::model::evidence::{Evidence, GroupSeen};
use crate::model::{Offset, TopicName};
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};
use crate::workshop::{Ticket, TicketWish};

use super::board::{Revenue, Snapshot, Stretch, Tally};
use super::money::written;
use super::parameters::Parameters;
use super::run::{counted, excerpt};
use super::times::minute_text;

use super::{Case, LogError, Truth, not_seen, scan};

/// Seconds between snapshots, in milliseconds.
const SPACING_MS: std::ops::RangeInclusive<i64> = 3_000..=7_000;
const SNAPSHOTS: usize = 6;
/// Snapshots that are held against the log.
const LOOKED_AT: usize = 12;
const RATE_MS: i64 = 10_000;
/// Events per second that a rate may be off in any case: what lies on the edges.
const RATE_SLACK: f64 = 0.3;
const TOP: usize = 5;
/// From so many consumers on they are not those of one board that was started anew.
const CONSUMERS: u64 = 4;

pub struct LiveBoard {
    topic: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let wish = parameters.wish(vec![topic.clone()], 10..15, 30)?;
    parameters.finish()?;
    Ok(Box::new(LiveBoard { topic, wish }))
}

/// The snapshots that are looked at, with what the log holds up to each of them.
struct Board {
    snapshots: Vec<Snapshot>,
    truths: Vec<Stretch>,
}

impl Truth for LiveBoard {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["rhythm", "rate", "revenue", "top", "one-consumer"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["new-consumer-per-rerun", "all-events", "cumulative", "arrival-minute", "by-count"]
    }

    fn witnessed(&self) -> &'static [(&'static str, &'static str)] {
        WITNESSED
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let read = case.answer.records.iter().map(|record| Snapshot::of(record, case.ticket, self.topic.as_str()));
        let all = match read.collect::<Result<Vec<Snapshot>, String>>() {
            Ok(all) if all.is_empty() => return Ok(nothing("Nothing arrived in your results topic.")),
            Ok(all) => all,
            Err(message) => return Ok(nothing(&message)),
        };
        let resets = all.iter().zip(all.iter().skip(1)).filter(|(before, after)| after.is_behind(before)).count();
        let (rhythm, looked_at) = self.rhythm(&all, resets, case.ticket);
        let board = match self.board(looked_at, case)? {
            Ok(board) => board,
            Err(message) => return Ok(nothing(&message)),
        };
        let (one_consumer, consumers) = one_consumer(resets, case);
        let checks = vec![rhythm, rate(&board), revenue(&board), top(&board), one_consumer];
        let mut judgement = Judgement { checks, ..Judgement::default() };
        if !judgement.passed() {
            let again = consumers.map(|consumers| Mistaken::new("new-consumer-per-rerun").with("consumers", consumers));
            judgement.mistake = again.or_else(|| mistake(&board, &judgement.checks));
        }
        Ok(judgement)
    }
}

fn nothing(message: &str) -> Judgement {
    let skip = |id| Check::skip(id, "There is no snapshot to look at.");
    let checks = vec![Check::fail("rhythm", message), skip("rate"), skip("revenue"), skip("top"), skip("one-consumer")];
    Judgement { checks, ..Judgement::default() }
}

impl LiveBoard {
    /// And the snapshots to look at: the newest of the last run.
    fn rhythm(&self, all: &[Snapshot], resets: usize, ticket: &Ticket) -> (Check, Vec<Snapshot>) {
        let id = "rhythm";
        let pairs = || all.iter().zip(all.iter().skip(1)).enumerate();
        let last_reset =
            pairs().filter(|(_, (before, after))| after.is_behind(before) || after.at_ms < before.at_ms).map(|(at, _)| at).max();
        let run = all.get(last_reset.map_or(0, |at| at.saturating_add(1))..).unwrap_or_default();
        // A board that begins again and again still has a rhythm.
        let timed = if resets > 1 { all } else { run };
        let mut best: &[Snapshot] = &[];
        let mut from = 0;
        for (at, snapshot) in timed.iter().enumerate() {
            let broken = at
                .checked_sub(1)
                .and_then(|before| timed.get(before))
                .is_some_and(|before| !SPACING_MS.contains(&(snapshot.at_ms.saturating_sub(before.at_ms))));
            if broken {
                from = at;
            }
            let streak = timed.get(from..=at).unwrap_or_default();
            if streak.len() >= SNAPSHOTS.min(best.len()) {
                best = streak;
            }
        }
        let newest = |of: &[Snapshot]| of.get(of.len().saturating_sub(LOOKED_AT)..).unwrap_or_default().to_vec();
        let got = counted(best.len(), "snapshot in a row", "snapshots in a row");
        let short = run.last().and_then(|last| {
            let mut ranges = ticket.ranges_of(self.topic.as_str());
            ranges.find(|(partition, range)| last.offsets.get(partition).is_none_or(|next| *next < range.end))
        });
        let check = if best.len() < SNAPSHOTS {
            let message = "Too few snapshots in a row that are five seconds apart, give or take two.";
            Check::fail(id, message).expected(format!("{SNAPSHOTS} or more")).got(got)
        } else if let Some((partition, _)) = short {
            Check::fail(id, format!("Your last snapshot has not reached your ticket's end in partition {partition}: let the board run on."))
        } else {
            Check::pass(id, format!("{got}, five seconds apart.")).got(got)
        };
        (check, newest(run))
    }

    /// `Ok(Err)`: the snapshots tell of records that there are not.
    fn board(&self, snapshots: Vec<Snapshot>, case: &Case<'_>) -> Result<Result<Board, String>, LogError> {
        let mut ticket = case.ticket.clone();
        let Some(last) = snapshots.last() else { return Ok(Err("There is no snapshot to look at.".to_owned())) };
        for range in ticket.ranges.iter_mut().filter(|(topic, _)| **topic == self.topic).flat_map(|(_, ranges)| ranges) {
            let (partition, (start, end)) = range;
            *end = last.offsets.get(partition).copied().unwrap_or(*start);
        }
        let tallies = scan(case.log, &ticket, self.topic.as_str(), |partition| Tally::of(partition, &snapshots), Tally::visit)?;
        let mut truths: Vec<Stretch> = Vec::new();
        for at in 0..snapshots.len() {
            let mut truth = truths.last().cloned().unwrap_or_default();
            for (_, tally) in &tallies {
                if let Some(stretch) = tally.stretches.get(at) {
                    truth.join(stretch);
                }
            }
            truths.push(truth);
        }
        for (partition, tally) in &tallies {
            let next = last.offsets.get(partition).copied().unwrap_or(Offset::ZERO);
            let (_, range) = ticket.ranges_of(self.topic.as_str()).find(|(of, _)| of == partition).unwrap_or((*partition, next..next));
            if tally.end.unwrap_or(range.start) < next {
                return Ok(Err(format!("Your \"offsets\" say {next} for partition {partition}: there are not so many records yet.")));
            }
        }
        Ok(Ok(Board { snapshots, truths }))
    }
}

impl Board {
    fn each(&self) -> impl Iterator<Item = (usize, &Snapshot, &Stretch)> {
        (1..).zip(self.snapshots.iter().zip(&self.truths)).map(|(n, (snapshot, truth))| (n, snapshot, truth))
    }
}

/// Within 2 % and a cent of what lies between the two.
fn near(got: i64, (least, most): (i64, i64)) -> bool {
    let slack = |of: i64| of.saturating_abs() / 50 + 1;
    got >= least.saturating_sub(slack(least)) && got <= most.saturating_add(slack(most))
}

fn high_or_low(is_high: bool) -> &'static str {
    if is_high { "too high" } else { "too low" }
}

fn rate(board: &Board) -> Check {
    let id = "rate";
    let mut least: f64 = f64::INFINITY;
    for (n, snapshot, truth) in board.each() {
        let Some(got) = snapshot.rate else {
            return Check::fail(id, format!("Snapshot {n} (offset {}): \"events_per_second\" is no number.", snapshot.record));
        };
        let newest = truth.arrived_ms.iter().copied().max().unwrap_or_default();
        let until = |end: i64| {
            truth.arrived_ms.iter().filter(|at| **at > end.saturating_sub(RATE_MS) && **at <= end).count() as f64 * 1_000.0 / RATE_MS as f64
        };
        let rates = [until(snapshot.at_ms), until(newest)];
        least = least.min(rates[1]);
        if !rates.iter().any(|rate| (got - rate).abs() <= (rate * 0.02).max(RATE_SLACK)) {
            let direction = high_or_low(rates.iter().all(|rate| got > *rate));
            let message = format!("Snapshot {n} (offset {}): \"events_per_second\" is {direction}.", snapshot.record);
            return Check::fail(id, message).expected(format!("{:.1}", rates[1])).got(got);
        }
    }
    // At a time long after its records a snapshot rightly has none: `at` is whatever was written there.
    let moves = board.snapshots.first().map(|first| &first.offsets) != board.snapshots.last().map(|last| &last.offsets);
    if moves
        && least > 2.0 * RATE_SLACK
        && board.snapshots.iter().all(|snapshot| snapshot.rate.is_some_and(|rate| rate.abs() <= RATE_SLACK))
    {
        return Check::fail(id, "\"events_per_second\" is 0 in each snapshot, and records came all the while: too low.");
    }
    Check::pass(id, "Events per second are right in each snapshot.")
}

fn revenue(board: &Board) -> Check {
    let id = "revenue";
    for (n, snapshot, truth) in board.each() {
        let place = format!("Snapshot {n} (offset {})", snapshot.record);
        let Some(minutes) = &snapshot.minutes else {
            return Check::fail(id, format!("{place}: \"revenue_per_minute\" is no object of minutes and amounts."));
        };
        let wrong = minutes.iter().find(|(minute, got)| !near(**got, right(&truth.minutes, **minute)));
        if let Some((minute, got)) = wrong {
            let (least, most) = right(&truth.minutes, *minute);
            let message = format!("{place}: the revenue of {} is {}.", minute_text(*minute), high_or_low(*got > most));
            let expected = if least == most { written(most) } else { format!("{} to {}", written(least), written(most)) };
            return Check::fail(id, message).expected(expected).got(written(*got));
        }
        // Minutes in which nothing was sold may be listed, and show nothing.
        let sold = |minute: &i64| right(&truth.minutes, *minute) != (0, 0);
        let listed: Vec<i64> = minutes.keys().copied().filter(sold).collect();
        let wanted = truth.minutes.keys().filter(|minute| sold(minute)).count().min(2);
        if listed.len() < wanted {
            let message =
                format!("{place}: \"revenue_per_minute\" has {} with sales: too few.", counted(listed.len(), "minute", "minutes"));
            return Check::fail(id, message);
        }
        let up_to = truth.newest.unwrap_or(i64::MIN);
        let newest = truth.minutes.keys().copied().filter(|minute| *minute <= up_to && sold(minute)).max();
        let newest_listed = listed.iter().copied().max().unwrap_or(i64::MIN);
        if newest.is_some_and(|newest| newest_listed < newest.saturating_sub(2)) {
            return Check::fail(id, format!("{place}: the newest minutes are missing from \"revenue_per_minute\"."));
        }
    }
    Check::pass(id, "Revenue per minute is right in each snapshot.")
}

fn right(of: &BTreeMap<i64, Revenue>, minute: i64) -> (i64, i64) {
    of.get(&minute).map_or((0, 0), Revenue::right)
}

/// What is wrong with the products, and one that does not belong there.
fn wrong_products(
    got: &[(String, i64)],
    truth: &Stretch,
    of: impl Fn(&Revenue) -> (i64, i64),
    named: &str,
) -> Option<(String, Option<String>)> {
    let mut best: Vec<i64> = truth.products.values().map(|revenue| of(revenue).0).filter(|revenue| *revenue > 0).collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let wanted = best.len().min(TOP);
    let distinct: BTreeSet<&str> = got.iter().map(|(product, _)| product.as_str()).collect();
    if got.len() != wanted || distinct.len() != wanted {
        return Some((format!("there are {}, not {wanted} different ones", counted(distinct.len(), "product", "products")), None));
    }
    let fifth = wanted.checked_sub(1).and_then(|at| best.get(at)).copied().unwrap_or_default();
    for (product, revenue) in got {
        let range = truth.products.get(product).map_or((0, 0), &of);
        if range.1 < fifth.saturating_sub(fifth / 50) {
            return Some((format!("{} is not among the best by {named}", excerpt(product)), Some(excerpt(product))));
        }
        if !near(*revenue, range) {
            return Some((format!("the {named} of {} is {}", excerpt(product), high_or_low(*revenue > range.1)), None));
        }
    }
    None
}

fn top(board: &Board) -> Check {
    let id = "top";
    for (n, snapshot, truth) in board.each() {
        let place = format!("Snapshot {n} (offset {})", snapshot.record);
        let Some(top) = &snapshot.top else {
            return Check::fail(id, format!("{place}: \"top_products\" is no list of objects with \"product_id\" and \"revenue\"."));
        };
        if let Some((message, _)) = wrong_products(top, truth, Revenue::right, "revenue") {
            return Check::fail(id, format!("{place}: {message}."));
        }
    }
    Check::pass(id, "The best products are right in each snapshot.")
}

const WITNESSED: &[(&str, &str)] = &[("one-consumer", "how many consumers joined your groups")];

/// How many consumers there were, if there were too many.
fn one_consumer(resets: usize, case: &Case<'_>) -> (Check, Option<u64>) {
    let id = "one-consumer";
    if resets > 1 {
        let message = format!("Your board went back to earlier offsets {resets} times under one ticket.");
        return (Check::fail(id, message), Some((resets as u64).saturating_add(1)));
    }
    let Some(evidence) = case.evidence else {
        return (not_seen(id, WITNESSED), None);
    };
    let groups = groups_since(evidence, case.ticket);
    let members = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.members));
    match members {
        0 => (Check::skip(id, "No group of yours began after this ticket was issued: there is nothing to count."), None),
        CONSUMERS.. => (Check::fail(id, format!("{members} consumers joined your groups since this ticket was issued.")), Some(members)),
        _ => (Check::pass(id, "Your board keeps its consumer."), None),
    }
}

/// Groups that began after the ticket: those that name it or its challenge, if some do.
fn groups_since<'a>(evidence: &'a Evidence, ticket: &Ticket) -> Vec<&'a GroupSeen> {
    let fresh: Vec<&GroupSeen> = evidence.groups.iter().filter(|group| group.joined_ms >= ticket.issued_ms).collect();
    let naming = |text: &str| fresh.iter().copied().filter(|group| group.group.contains(text)).collect::<Vec<_>>();
    let named = [naming(&ticket.nonce), naming(&ticket.challenge)];
    named.into_iter().find(|groups| !groups.is_empty()).unwrap_or(fresh)
}

fn mistake(board: &Board, checks: &[Check]) -> Option<Mistaken> {
    let failed = |id: &str| checks.iter().any(|check| check.id == id && check.status == CheckStatus::Fail);
    let (revenue_failed, top_failed) = (failed("revenue"), failed("top"));
    let minutes_are = |value: &dyn Fn(&Stretch, i64) -> (i64, i64)| {
        let is = |(_, snapshot, truth): (usize, &Snapshot, &Stretch)| {
            let minutes = snapshot.minutes.as_ref()?;
            (!minutes.is_empty() && minutes.iter().all(|(minute, got)| near(*got, value(truth, *minute)))).then_some(())
        };
        board.each().all(|each| is(each).is_some())
    };
    let products_are = |value: &dyn Fn(&Revenue) -> (i64, i64)| {
        board.each().all(|(_, snapshot, truth)| snapshot.top.as_ref().is_some_and(|top| wrong_products(top, truth, value, "").is_none()))
    };
    let every = |revenue: &Revenue| (revenue.every, revenue.every);
    let of_every = |truth: &Stretch, minute: i64| truth.minutes.get(&minute).map_or((0, 0), every);
    if (revenue_failed || top_failed) && (!revenue_failed || minutes_are(&of_every)) && (!top_failed || products_are(&every)) {
        return Some(Mistaken::new("all-events"));
    }
    let last = board.snapshots.last()?;
    if revenue_failed && !top_failed {
        let minutes = last.minutes.as_ref()?;
        let up_to = |truth: &Stretch, minute: i64| {
            let ranges = truth.minutes.range(..=minute).map(|(_, revenue)| revenue.right());
            ranges.fold((0, 0), |sum: (i64, i64), range| (sum.0.saturating_add(range.0), sum.1.saturating_add(range.1)))
        };
        if minutes_are(&up_to) {
            let (minute, got) = minutes.iter().next_back()?;
            return Some(Mistaken::new("cumulative").with("minute", minute_text(*minute)).with("got", written(*got)));
        }
        if minutes_are(&|truth, minute| right(&truth.arrivals, minute)) {
            let wrong = board.each().find_map(|(_, snapshot, truth)| {
                let minutes = snapshot.minutes.as_ref()?;
                minutes.iter().find(|(minute, got)| !near(**got, right(&truth.minutes, **minute))).map(|(minute, _)| *minute)
            });
            return Some(Mistaken::new("arrival-minute").with("minute", minute_text(wrong.or_else(|| minutes.keys().next().copied())?)));
        }
    }
    if top_failed && !revenue_failed && board.each().all(|(_, snapshot, truth)| is_by_count(snapshot, truth)) {
        let surplus = board
            .each()
            .find_map(|(_, snapshot, truth)| wrong_products(snapshot.top.as_ref()?, truth, Revenue::right, "").and_then(|wrong| wrong.1));
        return Some(Mistaken::new("by-count").with("product", surplus.unwrap_or_default()));
    }
    None
}

/// The products are the best by number of purchases, give or take copies, whatever is given as their revenue.
fn is_by_count(snapshot: &Snapshot, truth: &Stretch) -> bool {
    let count = |revenue: &Revenue| (revenue.count as i64, i64::MAX);
    let Some(top) = &snapshot.top else { return false };
    let mut counts: Vec<i64> = truth.products.values().map(|revenue| count(revenue).0).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let fifth = counts.get(TOP.saturating_sub(1)).copied().unwrap_or_default();
    let distinct: BTreeSet<&str> = top.iter().map(|(product, _)| product.as_str()).collect();
    distinct.len() == TOP.min(counts.len())
        && distinct.iter().all(|product| truth.products.get(*product).is_some_and(|revenue| count(revenue).0 >= fifth))
}
