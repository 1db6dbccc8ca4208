//! `payment-join`: purchases of the web shop beside the payments that they caused (C8).
//!
//! Parameters: `purchases`, `payments`, the two topics.
//!
//! A pair is a purchase and a payment with the same `user_id` and the same `order_id`, the payment at the same time as the purchase or up
//! to two minutes after it. Each pair is there once, however often its events came. Purchases and payments that are not valid may be
//! left out. A pair is late if one of its events arrived 570 s or more after it happened: it may be missing.
//!
//! The table has the columns of [`COLUMNS`]: times of the events end in `_at`, those of their arrival in `_arrived_at`. A left outer join
//! has purchases without a payment too, with a null `transaction_id`.
//!
//! The receipt; the id of a pair is `order_id|transaction_id`:
//!
//! | field | content |
//! |---|---|
//! | `ticket`, `table`, `schema`, `versions` | as in `bronze` |
//! | `offsets` | by topic and partition `[from, to]`: what the query read |
//! | `on_time` | [`Digest`] of the pairs that are not late |
//! | `late` | a list of the checksums of the late ones |
//! | `unmatched` | may be missing: a list of the checksums of the `order_id` of each purchase without a payment |
//! | `watermark` | the last `eventTime.watermark` of the query's progress, or null |
//!
//! | check | passes when |
//! |---|---|
//! | `receipt` | it can be read; it is only there if not |
//! | `schema`, `covers` | as in `bronze`; both topics |
//! | `pairs` | the pairs on time are exactly those of the log |
//! | `late` | the late ones are some of those of the log |
//! | `watermark` | the query has one |
//!
//! | star | is given when |
//! |---|---|
//! | `left-outer` | `unmatched` holds every purchase on time that nobody paid within the two minutes, and none that was paid on time |
//!
//! | mistake | the table is what comes of | facts |
//! |---|---|---|
//! | `no-order-id` | joining by `user_id` and time alone | `rows`, `factor`: how many times too many rows |
//! | `one-direction` | a window that is open at one end, or lies before the purchase | `rows`, `which`: `no upper bound` or `before the purchase` |
//! | `duplicates-doubled` | joining repeated events with each other | `twice`, `which`: `purchases`, `payments` or `both` |
//! | `no-watermark` | a query that keeps all it has seen | none |

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::cluster::StoredRecord;
use crate::model::{Timestamp, TopicName};
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};

use super::digest::{Digest, Salt};
use super::events::{ByEvent, EventKey};
use super::pairs::{Joined, Side, Sides, Way};
use super::parameters::Parameters;
use super::payments::PaymentEvent;
use super::shop::{Reason, ShopEvent, Test, lateness_ms};
use super::tables::{self, DELAY_MS, ON_TIME_MS, Offsets};
use super::times::time;
use super::{Case, LogError, Truth};

pub const COLUMNS: &[(&str, &str)] = &[
    ("order_id", "string"),
    ("transaction_id", "string"),
    ("user_id", "string"),
    ("product_id", "string"),
    ("price", "double"),
    ("quantity", "int"),
    ("amount", "double"),
    ("status", "string"),
    ("purchased_at", "timestamp"),
    ("paid_at", "timestamp"),
    ("purchase_arrived_at", "timestamp"),
    ("payment_arrived_at", "timestamp"),
];

/// How much behind the watermark the end of a purchase's two minutes has to be for the purchase to be given up for certain.
const SURELY_MS: i64 = 60_000;

pub struct PaymentJoin {
    purchases: TopicName,
    payments: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let purchases = parameters.topic("purchases")?;
    let payments = parameters.topic("payments")?;
    let wish = parameters.wish(vec![purchases.clone(), payments.clone()], 30..60, 5)?;
    parameters.finish()?;
    Ok(Box::new(PaymentJoin { purchases, payments, wish }))
}

#[derive(Deserialize)]
struct Receipt {
    schema: Vec<String>,
    offsets: BTreeMap<TopicName, Offsets>,
    on_time: Digest,
    #[serde(default)]
    late: Vec<u32>,
    #[serde(default)]
    unmatched: Option<Vec<u32>>,
    #[serde(default)]
    watermark: Option<String>,
}

impl Truth for PaymentJoin {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["receipt", "schema", "covers", "pairs", "late", "watermark"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["no-order-id", "one-direction", "duplicates-doubled", "no-watermark"]
    }

    fn stars(&self) -> &'static [&'static str] {
        &["left-outer"]
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let receipt: Receipt = match tables::read(case) {
            Ok(receipt) => receipt,
            Err(judgement) => return Ok(judgement),
        };
        if let Some(message) = receipt.offsets.values().find_map(|offsets| tables::sensible(offsets).err()) {
            return Ok(Judgement { checks: vec![Check::fail("receipt", message)], ..Judgement::default() });
        }
        let sides = Sides { purchases: self.purchases(case, &receipt)?, payments: self.payments(case, &receipt)? };
        let salt = Salt::new(&case.ticket.nonce);
        let right = Joined::of(&sides, Way::RIGHT, &salt);
        let mut checks = vec![tables::schema(&receipt.schema, COLUMNS), self.covers(case, &receipt)];
        checks.push(pairs(&receipt, &right));
        checks.push(late(&receipt, &right));
        checks.push(watermark(&receipt));
        let evidence = [&self.purchases, &self.payments].into_iter().filter_map(|topic| tables::fetched(case, topic)).collect();
        let mut judgement = Judgement { checks, evidence, ..Judgement::default() };
        if judgement.passed() && unmatched(&receipt, &sides, &salt) {
            judgement.stars.push("left-outer");
        } else if !judgement.passed() {
            judgement.mistake = mistake(&receipt, &sides, &right, &salt);
        }
        Ok(judgement)
    }
}

impl PaymentJoin {
    fn covers(&self, case: &Case<'_>, receipt: &Receipt) -> Check {
        let empty = Offsets::new();
        let each = [&self.purchases, &self.payments];
        let checks = each.map(|topic| tables::covers(case, topic, receipt.offsets.get(topic).unwrap_or(&empty)));
        let [one, other] = checks;
        match (one.status, other.status) {
            (CheckStatus::Fail, _) => one,
            (_, CheckStatus::Fail) => other,
            _ => Check::pass("covers", "It holds the whole range of the ticket in both topics."),
        }
    }

    fn side(
        &self,
        case: &Case<'_>,
        receipt: &Receipt,
        topic: &TopicName,
        read: impl Fn(&StoredRecord) -> Option<Read> + Sync,
    ) -> Result<Vec<Side>, LogError> {
        let empty = Offsets::new();
        let offsets = receipt.offsets.get(topic).unwrap_or(&empty);
        let visit = |(known, sides): &mut (ByEvent<usize>, Vec<Side>), record: &StoredRecord| {
            let Some(Read { event_id, side }) = read(record) else { return };
            match known.get(&event_id).and_then(|place| sides.get_mut(*place)) {
                Some(first) => first.copies += 1,
                None => {
                    known.insert(event_id, sides.len());
                    sides.push(side);
                }
            }
        };
        let parts = tables::scan_offsets(case, topic, offsets, |_| (ByEvent::default(), Vec::new()), visit)?;
        Ok(parts.into_iter().flat_map(|(_, (_, sides))| sides).collect())
    }

    fn purchases(&self, case: &Case<'_>, receipt: &Receipt) -> Result<Vec<Side>, LogError> {
        let purchase = memchr::memmem::Finder::new("purchase");
        self.side(case, receipt, &self.purchases, |record| {
            let value = record.value.as_deref().unwrap_or_default();
            // Most events are none, and need not be parsed.
            purchase.find(value)?;
            let event = ShopEvent::parse(value)?;
            if event.event_type.text() != Some("purchase") {
                return None;
            }
            let side = Side {
                user: event.user_id.text().unwrap_or_default().to_owned(),
                order: event.order_id.text()?.to_owned(),
                transaction: String::new(),
                happened: event.timestamp.time()?,
                late: lateness_ms(event.timestamp.time(), record) >= ON_TIME_MS,
                broken: event.broken(record.timestamp),
                test: event.test() != Test::No,
                copies: 1,
            };
            Some(Read { event_id: EventKey::of(event.event_id.text()?), side })
        })
    }

    fn payments(&self, case: &Case<'_>, receipt: &Receipt) -> Result<Vec<Side>, LogError> {
        self.side(case, receipt, &self.payments, |record| {
            let event = PaymentEvent::parse(record.value.as_deref().unwrap_or_default())?;
            let side = Side {
                user: event.user_id.text()?.to_owned(),
                order: event.order_id.text().unwrap_or_default().to_owned(),
                transaction: event.transaction_id.text()?.to_owned(),
                happened: event.timestamp.time()?,
                late: lateness_ms(event.timestamp.time(), record) >= ON_TIME_MS,
                broken: event.amount.number().is_none_or(|amount| amount <= 0.0).then_some(Reason::PriceNotPositive),
                test: false,
                copies: 1,
            };
            Some(Read { event_id: EventKey::of(event.event_id.text()?), side })
        })
    }
}

struct Read {
    event_id: EventKey,
    side: Side,
}

fn pairs(receipt: &Receipt, right: &Joined) -> Check {
    if right.is(receipt.on_time, Joined::ONCE) {
        return Check::pass("pairs", format!("All {} pairs on time are there, once each, and nothing else.", receipt.on_time.count));
    }
    let (least, most) = right.counts();
    let message = match receipt.on_time.count {
        count if count < least => "The table has too few pairs.",
        count if count > most => "The table has too many pairs.",
        _ => "The table has about as many pairs as it should have, and some are others.",
    };
    Check::fail("pairs", message).expected(most).got(receipt.on_time.count)
}

fn late(receipt: &Receipt, right: &Joined) -> Check {
    let known = right.late();
    let mut seen: HashMap<u32, usize> = HashMap::new();
    receipt.late.iter().for_each(|crc| *seen.entry(*crc).or_default() += 1);
    match seen.iter().filter(|(crc, times)| known.get(*crc).copied().unwrap_or_default() < **times).count() {
        0 => Check::pass("late", format!("The {} late pairs that are there belong there.", receipt.late.len())),
        wrong => Check::fail("late", format!("{wrong} of the late pairs do not belong there, or are there more than once.")),
    }
}

fn watermark(receipt: &Receipt) -> Check {
    let at = receipt.watermark.as_deref().and_then(time);
    match at {
        Some(at) if at > Timestamp(0) => {
            Check::pass("watermark", "The query has a watermark, so that it can forget what can have no pair any more.")
        }
        _ => Check::fail("watermark", "The query has no watermark: it keeps every purchase and every payment for ever."),
    }
}

/// Whether these are the purchases without a payment.
fn unmatched(receipt: &Receipt, sides: &Sides, salt: &Salt) -> bool {
    let Some(found) = &receipt.unmatched else { return false };
    let newest = |sides: &[Side], valid: bool| sides.iter().filter(|side| !valid || side.broken.is_none()).map(|side| side.happened).max();
    let (Some(shop), Some(bank)) = (newest(&sides.purchases, true), newest(&sides.payments, false)) else { return false };
    // The watermark that the query reports, as far as it can be true: Spark may have left out payments that have no order before.
    let newest = shop.min(bank).plus_ms(-DELAY_MS);
    let reported = receipt.watermark.as_deref().and_then(time).unwrap_or(newest);
    let given_up = reported.clamp(newest.plus_ms(-DELAY_MS), newest).plus_ms(-SURELY_MS - Way::WITHIN_MS);
    let (must, may) = sides.unpaid(salt, given_up);
    let mut times: HashMap<u32, usize> = HashMap::new();
    found.iter().for_each(|crc| *times.entry(*crc).or_default() += 1);
    !must.is_empty() && must.iter().all(|crc| times.contains_key(crc)) && times.iter().all(|(crc, times)| *times == 1 && may.contains(crc))
}

fn mistake(receipt: &Receipt, sides: &Sides, right: &Joined, salt: &Salt) -> Option<Mistaken> {
    let found = receipt.on_time;
    if right.is(found, Joined::ONCE) {
        return (watermark(receipt).status == CheckStatus::Fail).then(|| Mistaken::new("no-watermark"));
    }
    let most = right.counts().1;
    for (times, which) in [(Joined::BOTH, "both"), (Joined::LEFT, "purchases"), (Joined::RIGHT, "payments")] {
        if let Some(once) = right.different(found, times) {
            return Some(Mistaken::new("duplicates-doubled").with("twice", found.count.saturating_sub(once)).with("which", which));
        }
    }
    let any = [Joined::ONCE, Joined::BOTH, Joined::LEFT, Joined::RIGHT];
    for (way, id, which) in Way::WRONG {
        let wrong = Joined::of(sides, way, salt);
        if any.iter().any(|times| wrong.is(found, *times)) {
            let mistake = Mistaken::new(id).with("rows", found.count);
            return Some(if way.by_order {
                mistake.with("which", which)
            } else {
                mistake.with("factor", format!("{:.1}", found.count as f64 / most.max(1) as f64))
            });
        }
    }
    None
}
