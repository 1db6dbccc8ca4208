//! Purchases and payments, joined in the right way and in wrong ones.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::Timestamp;

use super::digest::{Digest, Salt};
use super::shop::Reason;

/// A purchase or a payment, once for all its copies.
#[derive(Clone, Debug)]
pub struct Side {
    pub user: String,
    /// Empty for a payment without an order.
    pub order: String,
    /// Of a payment.
    pub transaction: String,
    pub happened: Timestamp,
    pub late: bool,
    pub broken: Option<Reason>,
    pub test: bool,
    pub copies: u64,
}

pub struct Sides {
    pub purchases: Vec<Side>,
    pub payments: Vec<Side>,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub by_order: bool,
    /// How long after the purchase the payment may come, at least and at most.
    from_ms: i64,
    to_ms: i64,
}

impl Way {
    pub const WITHIN_MS: i64 = 120_000;

    pub const RIGHT: Way = Way { by_order: true, from_ms: 0, to_ms: Way::WITHIN_MS };

    /// With the mistake's id, and its kind.
    pub const WRONG: [(Way, &'static str, &'static str); 4] = [
        (Way { by_order: false, ..Way::RIGHT }, "no-order-id", ""),
        (Way { to_ms: i64::MAX, ..Way::RIGHT }, "one-direction", "no upper bound"),
        (Way { from_ms: -Way::WITHIN_MS, to_ms: 0, by_order: true }, "one-direction", "before the purchase"),
        (Way { from_ms: -Way::WITHIN_MS, to_ms: Way::WITHIN_MS, by_order: false }, "no-order-id", ""),
    ];

    fn holds(&self, purchase: &Side, payment: &Side) -> bool {
        let after = payment.happened.since(purchase.happened);
        purchase.user == payment.user && (self.from_ms..=self.to_ms).contains(&after)
    }
}

/// Which copies are joined with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    purchases: bool,
    payments: bool,
}

/// What a condition gives: digests of the pairs on time by what is wrong with their events, each event once or as often as it came.
pub struct Joined {
    digests: BTreeMap<(Option<Reason>, Option<Reason>), [Digest; 4]>,
    late: HashMap<u32, usize>,
}

impl Joined {
    pub const ONCE: Times = Times { purchases: false, payments: false };
    pub const LEFT: Times = Times { purchases: true, payments: false };
    pub const RIGHT: Times = Times { purchases: false, payments: true };
    pub const BOTH: Times = Times { purchases: true, payments: true };

    pub fn of(sides: &Sides, way: Way, salt: &Salt) -> Joined {
        let mut joined = Joined { digests: BTreeMap::new(), late: HashMap::new() };
        let key = |side: &Side| if way.by_order { side.order.clone() } else { side.user.clone() };
        let mut by_key: HashMap<String, Vec<&Side>> = HashMap::new();
        for payment in sides.payments.iter().filter(|payment| !way.by_order || !payment.order.is_empty()) {
            by_key.entry(key(payment)).or_default().push(payment);
        }
        by_key.values_mut().for_each(|payments| payments.sort_by_key(|payment| payment.happened));
        for purchase in sides.purchases.iter().filter(|purchase| !purchase.user.is_empty()) {
            let payments = by_key.get(&key(purchase)).map(Vec::as_slice).unwrap_or_default();
            let first = payments.partition_point(|payment| payment.happened < purchase.happened.plus_ms(way.from_ms));
            let near = payments
                .get(first..)
                .unwrap_or_default()
                .iter()
                .take_while(|payment| payment.happened.since(purchase.happened) <= way.to_ms);
            near.filter(|payment| way.holds(purchase, payment)).for_each(|payment| joined.put(purchase, payment, salt));
        }
        joined
    }

    fn put(&mut self, purchase: &Side, payment: &Side, salt: &Salt) {
        let crc = salt.of(&[purchase.order.as_bytes(), payment.transaction.as_bytes()]);
        if purchase.late || payment.late {
            *self.late.entry(crc).or_default() += 1;
            return;
        }
        let digests = self.digests.entry((purchase.broken, payment.broken)).or_default();
        let times = [1, purchase.copies, payment.copies, purchase.copies.saturating_mul(payment.copies)];
        digests.iter_mut().zip(times).for_each(|(digest, times)| digest.put_times(crc, times));
    }

    /// Whether a digest is that of these pairs, with any of those that are not valid or without.
    pub fn is(&self, found: Digest, times: Times) -> bool {
        self.different(found, times).is_some()
    }

    /// If it is: how many different pairs those are.
    pub fn different(&self, found: Digest, times: Times) -> Option<u64> {
        let which = usize::from(times.purchases) + 2 * usize::from(times.payments);
        let digest = |digests: &[Digest; 4], which: usize| digests.get(which).copied().unwrap_or_default();
        let all: Vec<(_, Digest, u64)> =
            self.digests.iter().map(|(broken, digests)| (*broken, digest(digests, which), digest(digests, 0).count)).collect();
        let purchases = sets(all.iter().map(|((purchase, _), ..)| *purchase));
        let payments = sets(all.iter().map(|((_, payment), ..)| *payment));
        purchases.iter().find_map(|purchases| {
            payments.iter().find_map(|payments| {
                let kept = all.iter().filter(|((purchase, payment), ..)| {
                    purchase.is_none_or(|reason| purchases.contains(&reason)) && payment.is_none_or(|reason| payments.contains(&reason))
                });
                let (digest, once) = kept.fold((Digest::default(), 0), |(sum, count), (_, digest, once)| (sum + *digest, count + once));
                (digest == found).then_some(once)
            })
        })
    }

    /// How many pairs on time there are at least and at most.
    pub fn counts(&self) -> (u64, u64) {
        let count = |digests: &[Digest; 4]| digests.first().map_or(0, |digest| digest.count);
        let valid = self.digests.get(&(None, None)).map_or(0, count);
        (valid, self.digests.values().map(count).sum())
    }

    pub fn late(&self) -> &HashMap<u32, usize> {
        &self.late
    }
}

/// All sets of the reasons that there are.
fn sets(reasons: impl Iterator<Item = Option<Reason>>) -> Vec<Vec<Reason>> {
    let mut reasons: Vec<Reason> = reasons.flatten().collect();
    reasons.sort_unstable();
    reasons.dedup();
    (0_u32..1 << reasons.len())
        .map(|bits| reasons.iter().zip(0..).filter(|(_, bit)| bits >> bit & 1 > 0).map(|(reason, _)| *reason).collect())
        .collect()
}

impl Sides {
    /// Checksums of the orders that nobody paid for within the two minutes: those that a left outer join must have given up when its
    /// watermark has passed a time, and those that it may have.
    pub fn unpaid(&self, salt: &Salt, given_up: Timestamp) -> (HashSet<u32>, HashSet<u32>) {
        let mut by_order: HashMap<&str, Vec<&Side>> = HashMap::new();
        for payment in self.payments.iter().filter(|payment| !payment.order.is_empty()) {
            by_order.entry(&payment.order).or_default().push(payment);
        }
        let (mut must, mut may) = (HashSet::new(), HashSet::new());
        for purchase in &self.purchases {
            let payments = by_order.get(purchase.order.as_str()).map(Vec::as_slice).unwrap_or_default();
            let mut pairs = payments.iter().filter(|payment| Way::RIGHT.holds(purchase, payment)).peekable();
            let none = pairs.peek().is_none();
            let crc = salt.one(purchase.order.as_bytes());
            if none && purchase.broken.is_none() && !purchase.test && !purchase.late && purchase.happened <= given_up {
                must.insert(crc);
            }
            if purchase.late || pairs.all(|payment| payment.late || payment.broken.is_some()) {
                may.insert(crc);
            }
        }
        (must, may)
    }
}
