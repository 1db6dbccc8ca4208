//! Payments in windows, by every way to count that is right, and by those that are known to be wrong.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::model::{Offset, PartitionId, Timestamp};

use super::tables::{DELAY_MS, ON_TIME_MS};

pub const WINDOW_MS: i64 = 300_000;

const HIGH_RISK: f64 = 0.7;
const SPIKE_FACTOR: f64 = 3.0;
const SPIKE_LEAST: u64 = 20;
const SPIKE_ROWS: usize = 3;

#[derive(Clone, Debug)]
pub struct Payment {
    pub happened: Timestamp,
    pub arrived: Timestamp,
    pub country: Arc<str>,
    /// In cents.
    pub usd: i64,
    pub raw: i64,
    pub risk: f64,
    /// Not the first of its copies.
    pub repeated: bool,
    pub partition: PartitionId,
    pub offset: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub start: Timestamp,
    pub country: String,
}

impl Key {
    pub fn end(&self) -> Timestamp {
        self.start.plus_ms(WINDOW_MS)
    }
}

/// A row of a gold table.
#[derive(Clone, Debug)]
pub struct Row {
    pub key: Key,
    pub payments: u64,
    pub average: f64,
    pub high: u64,
    pub spike: bool,
}

/// A way to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub repeated: bool,
    pub negative: bool,
    pub by_arrival: bool,
    pub inclusive: bool,
    pub raw: bool,
}

impl Reading {
    pub const RIGHT: [Reading; 4] = Reading::each(false, false, false);

    pub const WRONG: [Reading; 12] = {
        let ([a, b, c, d], [e, f, g, h], [i, j, k, l]) =
            (Reading::each(false, true, false), Reading::each(false, false, true), Reading::each(true, false, false));
        [a, b, c, d, e, f, g, h, i, j, k, l]
    };

    const fn each(by_arrival: bool, inclusive: bool, raw: bool) -> [Reading; 4] {
        let one = Reading { repeated: true, negative: true, by_arrival, inclusive, raw };
        [one, Reading { negative: false, ..one }, Reading { repeated: false, ..one }, Reading { repeated: false, negative: false, ..one }]
    }
}

/// What a window holds of a country: what is on time, and what may be dropped.
#[derive(Clone, Debug, Default)]
struct Tally {
    count: u64,
    cents: i64,
    high: u64,
    /// Cents, and whether the risk is high.
    late: Vec<(i64, bool)>,
}

pub struct Windows {
    tallies: BTreeMap<Key, Tally>,
    /// Windows that end by then are closed.
    pub closed: Timestamp,
}

impl Windows {
    pub fn of(payments: &[Payment], reading: Reading) -> Windows {
        let mut tallies: BTreeMap<(Timestamp, Arc<str>), Tally> = BTreeMap::new();
        let mut newest = Timestamp(i64::MIN);
        for payment in payments {
            if (payment.repeated && !reading.repeated) || (payment.raw <= 0 && !reading.negative) {
                continue;
            }
            let at = if reading.by_arrival { payment.arrived } else { payment.happened };
            newest = newest.max(at);
            let start = Timestamp(at.0.div_euclid(WINDOW_MS).saturating_mul(WINDOW_MS));
            let tally = tallies.entry((start, Arc::clone(&payment.country))).or_default();
            let cents = if reading.raw { payment.raw } else { payment.usd };
            let high = payment.risk > HIGH_RISK || (reading.inclusive && payment.risk >= HIGH_RISK);
            if payment.arrived.since(at) >= ON_TIME_MS {
                tally.late.push((cents, high));
            } else {
                tally.count += 1;
                tally.cents = tally.cents.saturating_add(cents);
                tally.high += u64::from(high);
            }
        }
        tallies.values_mut().for_each(|tally| tally.late.sort_unstable());
        let keyed = tallies.into_iter().map(|((start, country), tally)| (Key { start, country: country.as_ref().to_owned() }, tally));
        Windows { tallies: keyed.collect(), closed: newest.plus_ms(-DELAY_MS) }
    }

    pub fn closed_keys(&self) -> impl Iterator<Item = &Key> {
        self.tallies.keys().filter(|key| key.end() <= self.closed)
    }

    /// The least and the most payments.
    pub fn counts(&self, key: &Key) -> Option<(u64, u64)> {
        self.tallies.get(key).map(|tally| (tally.count, tally.count + tally.late.len() as u64))
    }

    /// The least and the greatest average that so many payments can have.
    pub fn averages(&self, key: &Key, payments: u64) -> Option<(f64, f64)> {
        let tally = self.tallies.get(key)?;
        let late = usize::try_from(payments.checked_sub(tally.count)?).ok().filter(|late| *late <= tally.late.len())?;
        let sum = |some: &mut dyn Iterator<Item = &(i64, bool)>| some.map(|(cents, _)| *cents).fold(tally.cents, i64::saturating_add);
        let least = sum(&mut tally.late.iter().take(late));
        let most = sum(&mut tally.late.iter().rev().take(late));
        let mean = |cents: i64| if payments == 0 { 0.0 } else { cents as f64 / 100.0 / payments as f64 };
        Some((mean(least), mean(most)))
    }

    /// The least and the most payments of high risk among so many.
    pub fn highs(&self, key: &Key, payments: u64) -> Option<(u64, u64)> {
        let tally = self.tallies.get(key)?;
        let late = payments.checked_sub(tally.count).filter(|late| *late <= tally.late.len() as u64)?;
        let high = tally.late.iter().filter(|(_, high)| *high).count() as u64;
        let others = (tally.late.len() as u64).saturating_sub(high);
        Some((tally.high + late.saturating_sub(others), tally.high + late.min(high)))
    }

    /// The closed rows that are spikes whichever late payments count, and those that may be.
    pub fn spikes(&self) -> (HashSet<Key>, HashSet<Key>) {
        let (mut certain, mut possible) = (HashSet::new(), HashSet::new());
        let mut before: BTreeMap<&str, Vec<(Timestamp, u64, u64)>> = BTreeMap::new();
        for key in self.closed_keys() {
            let Some((least, most)) = self.counts(key) else { continue };
            let rows = before.entry(&key.country).or_default();
            let last: Vec<_> = rows.iter().rev().take(SPIKE_ROWS).collect();
            let contiguous =
                last.len() == SPIKE_ROWS && last.iter().zip(1..).all(|(row, steps)| row.0.plus_ms(steps * WINDOW_MS) == key.start);
            let mean = |count: &dyn Fn(&(Timestamp, u64, u64)) -> u64| {
                last.iter().map(|row| count(row)).sum::<u64>() as f64 / last.len().max(1) as f64
            };
            let (low, high) = (mean(&|row| row.1), mean(&|row| row.2));
            if contiguous && least >= SPIKE_LEAST && least as f64 >= SPIKE_FACTOR * high {
                certain.insert(key.clone());
            }
            // A row that has fewer than three before it may be left out or marked.
            if most >= SPIKE_LEAST && (last.len() < SPIKE_ROWS || !contiguous || most as f64 >= SPIKE_FACTOR * low) {
                possible.insert(key.clone());
            }
            rows.push((key.start, least, most));
        }
        (certain, possible)
    }
}
