//! A board's snapshots, and what the log holds up to each of them.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::StoredRecord;
use crate::model::{Offset, PartitionId};
use crate::workshop::{AnswerRecord, Ticket};

use super::events::{Field, Seen, read};
use super::money::cents;
use super::run::{excerpt, object, shown};
use super::times::{MINUTE_MS, milliseconds};

/// What one record of the results topic says.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub record: Offset,
    pub at_ms: i64,
    /// The next offset of each partition of the ticket.
    pub offsets: BTreeMap<PartitionId, Offset>,
    pub rate: Option<f64>,
    /// Cents by minute since 1970.
    pub minutes: Option<BTreeMap<i64, i64>>,
    pub top: Option<Vec<(String, i64)>>,
}

impl Snapshot {
    pub fn of(record: &AnswerRecord, ticket: &Ticket, topic: &str) -> Result<Snapshot, String> {
        let told = |what: String| format!("Snapshot at offset {} of your results topic: {what}.", record.offset);
        let value = object(record.value.as_deref()).map_err(told)?;
        let at_ms = value.get("at").and_then(Value::as_str).and_then(milliseconds);
        let at_ms = at_ms.ok_or_else(|| told(format!("\"at\" is {}, no time in UTC", shown(value.get("at")))))?;
        let given = value.get("offsets").and_then(Value::as_object);
        let given = given.ok_or_else(|| told("\"offsets\" is no object of partitions and offsets".to_owned()))?;
        let mut offsets: BTreeMap<PartitionId, Offset> =
            ticket.ranges_of(topic).map(|(partition, range)| (partition, range.start)).collect();
        for (partition, next) in given {
            let place = partition.parse().ok().map(PartitionId).and_then(|partition| offsets.get_mut(&partition));
            let place = place.ok_or_else(|| told(format!("partition {:?} is not in your ticket", excerpt(partition))))?;
            let next = next.as_i64().filter(|next| *next >= place.0);
            *place = next.map(Offset).ok_or_else(|| told(format!("the offset of partition {partition} is before your ticket's start")))?;
        }
        Ok(Snapshot {
            record: record.offset,
            at_ms,
            offsets,
            rate: value.get("events_per_second").and_then(Value::as_f64),
            minutes: minutes(&value),
            top: top(&value),
        })
    }

    /// Whether a partition is behind where it was.
    pub fn is_behind(&self, other: &Snapshot) -> bool {
        self.offsets.iter().any(|(partition, next)| other.offsets.get(partition).is_some_and(|before| next < before))
    }
}

fn minutes(value: &Value) -> Option<BTreeMap<i64, i64>> {
    let given = value.get("revenue_per_minute")?.as_object()?;
    given.iter().map(|(minute, revenue)| Some((milliseconds(minute)?.div_euclid(MINUTE_MS), cents(revenue.as_f64()?)?))).collect()
}

fn top(value: &Value) -> Option<Vec<(String, i64)>> {
    let given = value.get("top_products")?.as_array()?;
    given.iter().map(|entry| Some((entry.get("product_id")?.as_str()?.to_owned(), cents(entry.get("revenue")?.as_f64()?)?))).collect()
}

/// Revenue, in cents, in the ways that it may be counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revenue {
    /// Of purchases: what is positive and what is not, with copies and without.
    all: (i64, i64),
    once: (i64, i64),
    /// Of events of every type.
    pub every: i64,
    /// Purchases.
    pub count: u64,
}

impl Revenue {
    fn join(&mut self, other: &Revenue) {
        self.all = (self.all.0.saturating_add(other.all.0), self.all.1.saturating_add(other.all.1));
        self.once = (self.once.0.saturating_add(other.once.0), self.once.1.saturating_add(other.once.1));
        self.every = self.every.saturating_add(other.every);
        self.count = self.count.saturating_add(other.count);
    }

    /// The least and the most that is right: copies may count once, and negative prices not at all.
    pub fn right(&self) -> (i64, i64) {
        let ways = [self.all.0, self.all.0.saturating_add(self.all.1), self.once.0, self.once.0.saturating_add(self.once.1)];
        (ways.into_iter().min().unwrap_or_default(), ways.into_iter().max().unwrap_or_default())
    }
}

/// What lies between one snapshot and the next.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    pub minutes: BTreeMap<i64, Revenue>,
    /// By the minute of arrival.
    pub arrivals: BTreeMap<i64, Revenue>,
    pub products: HashMap<String, Revenue>,
    pub arrived_ms: Vec<i64>,
    /// The latest minute in which something happened, of what had happened when it arrived.
    pub newest: Option<i64>,
}

impl Stretch {
    /// Adds what came after it.
    pub fn join(&mut self, later: &Stretch) {
        for (to, from) in [(&mut self.minutes, &later.minutes), (&mut self.arrivals, &later.arrivals)] {
            for (minute, revenue) in from {
                to.entry(*minute).or_default().join(revenue);
            }
        }
        for (product, revenue) in &later.products {
            match self.products.get_mut(product) {
                Some(sum) => sum.join(revenue),
                None => {
                    self.products.insert(product.clone(), *revenue);
                }
            }
        }
        self.arrived_ms.extend(&later.arrived_ms);
        self.newest = self.newest.max(later.newest);
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    event_id: Field<'a>,
    #[serde(borrow, default)]
    event_type: Field<'a>,
    #[serde(borrow, default)]
    product_id: Field<'a>,
    #[serde(borrow, default)]
    price: Field<'a>,
    #[serde(borrow, default)]
    quantity: Field<'a>,
    #[serde(borrow, default)]
    timestamp: Field<'a>,
}

/// One partition's, cut at the offsets of the snapshots.
pub struct Tally {
    cuts: Vec<Offset>,
    pub stretches: Vec<Stretch>,
    /// Behind the last record.
    pub end: Option<Offset>,
    seen: Seen,
}

impl Tally {
    pub fn of(partition: PartitionId, snapshots: &[Snapshot]) -> Tally {
        let cuts: Vec<Offset> = snapshots.iter().filter_map(|snapshot| snapshot.offsets.get(&partition).copied()).collect();
        Tally { stretches: vec![Stretch::default(); cuts.len()], cuts, end: None, seen: Seen::default() }
    }

    pub fn visit(&mut self, record: &StoredRecord) {
        self.end = Some(record.offset.plus(1));
        let at = self.cuts.partition_point(|cut| *cut <= record.offset);
        let Some(stretch) = self.stretches.get_mut(at) else { return };
        stretch.arrived_ms.push(record.timestamp.0);
        let Some(event) = read::<Event<'_>>(record.value.as_ref()) else { return };
        let happened = event.timestamp.text().and_then(milliseconds);
        if let Some(happened) = happened.filter(|happened| *happened <= record.timestamp.0) {
            stretch.newest = stretch.newest.max(Some(happened.div_euclid(MINUTE_MS)));
        }
        let quantity = event.quantity.number().unwrap_or(1.0).clamp(-1e6, 1e6);
        let Some(line) = event.price.number().and_then(|price| cents(price * quantity)) else { return };
        let mut revenue = Revenue { every: line, ..Revenue::default() };
        if event.event_type.is("purchase") {
            let signed = if line > 0 { (line, 0) } else { (0, line) };
            let once = if self.seen.again(&event.event_id) { (0, 0) } else { signed };
            revenue = Revenue { all: signed, once, every: line, count: 1 };
        }
        if let Some(happened) = happened {
            stretch.minutes.entry(happened.div_euclid(MINUTE_MS)).or_default().join(&revenue);
        }
        stretch.arrivals.entry(record.timestamp.0.div_euclid(MINUTE_MS)).or_default().join(&revenue);
        if let Some(product) = event.product_id.text() {
            match stretch.products.get_mut(product) {
                Some(sum) => sum.join(&revenue),
                None => {
                    stretch.products.insert(product.to_owned(), revenue);
                }
            }
        }
    }
}
