//! Frauds, each a story of several payments. Three patterns, as the truth ledger names them.
//!
//! | pattern | payments | who | where | amounts in dollars | within |
//! |---|---|---|---|---|---|
//! | `stolen-card` | 2 to 4, then 2 to 4 | one card of one person | one country, not the person's | 1 to 2, then some hundreds | 25 minutes |
//! | `account-takeover` | 3 to 6, each of a purchase | one person, not at their hour | another country and city | growing | 20 minutes |
//! | `ring` | 8 to 13 | 5 to 8 accounts, the same again and again | one country, one kind of merchant | just under a round limit | 10 minutes |
//!
//! Together they are 2 % of all payments. What the bank thinks of each (`risk_score`) is drawn as for any fraudulent payment.

use super::draft::{Body, CHAPTER_MS, Drafts, Serial, Story};
use super::ecommerce;
use super::finance::{Payment, Status, Theft, in_dollars, local_amount, risk};
use super::random::Dice;
use super::town::SHOPPERS;
use super::town::places::COUNTRIES;
use super::world::{World, network_delay_ms, time_of_day};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    StolenCard,
    AccountTakeover,
    Ring,
}

impl Pattern {
    pub fn name(self) -> &'static str {
        match self {
            Pattern::StolenCard => "stolen-card",
            Pattern::AccountTakeover => "account-takeover",
            Pattern::Ring => "ring",
        }
    }
}

/// Frauds that begin in a second. With 6, 4.4 and 10.5 payments in a mean one of each pattern they make 0.08 payments a second.
const FRAUDS_PER_S: f64 = 0.0125;
/// Shares of the frauds; the rest are rings.
const STOLEN_CARDS: f64 = 0.42;
const TAKEOVERS: f64 = 0.37;

/// Where a thief tries whether a card works, and where they spend with it.
const TRIALS: [&str; 3] = ["entertainment", "books", "transport"];
const SPREES: [&str; 3] = ["electronics", "electronics", "travel"];
const SPREE_DECLINED: f64 = 0.15;

/// Rings that are about, and how many accounts each has.
const RINGS: usize = 8;
const RING_ACCOUNTS: (usize, usize) = (5, 8);
const RING_PAYMENTS: (usize, usize) = (8, 13);
const RING_MS: usize = 600_000;
const RING_LIMITS: [f64; 4] = [200.0, 250.0, 300.0, 500.0];
const RING_MERCHANTS: [(&str, &str); 4] = [("electronics", "pos"), ("travel", "online"), ("clothing", "pos"), ("entertainment", "online")];

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Fraud, chapter, FRAUDS_PER_S) {
        let mut dice = world.story_dice(Story::Fraud, chapter, index);
        match dice.unit() {
            u if u < STOLEN_CARDS => Scheme::new(world, chapter, index, dice).steal_card(drafts),
            u if u < STOLEN_CARDS + TAKEOVERS => take_over(world, chapter, index, dice, drafts),
            _ => Scheme::new(world, chapter, index, dice).ring(drafts),
        }
    }
}

/// A fraud in the making.
struct Scheme<'w> {
    world: &'w World,
    dice: Dice,
    chapter: i64,
    index: usize,
    step: usize,
    clock: i64,
}

/// What the payments of a story have in common.
struct Till {
    merchant: &'static str,
    channel: &'static str,
    country: u8,
    pattern: Pattern,
}

impl<'w> Scheme<'w> {
    fn new(world: &'w World, chapter: i64, index: usize, mut dice: Dice) -> Scheme<'w> {
        let clock = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        Scheme { world, dice, chapter, index, step: 0, clock }
    }

    /// A card's number has leaked: some small payments show that it works, then large ones use it up.
    fn steal_card(mut self, drafts: &mut Drafts<'_>) {
        let victim = self.world.town.shoppers.pick(&mut self.dice);
        let card = *self.dice.pick(&self.world.town.people[victim].cards);
        let country = abroad(self.world, victim, &mut self.dice);
        let mut till = Till { merchant: *self.dice.pick(&TRIALS), channel: "online", country, pattern: Pattern::StolenCard };
        for _ in 0..2 + self.dice.below(3) {
            let dollars = self.dice.between(1.0, 2.0);
            self.pay(&till, victim, card, dollars, Status::Approved, drafts);
            self.wait(12.0, 55.0);
        }
        self.wait(90.0, 420.0);
        for _ in 0..2 + self.dice.below(3) {
            till.merchant = self.dice.pick::<&'static str>(&SPREES);
            let dollars = self.dice.log_normal(420.0, 0.45).clamp(150.0, 1_900.0);
            let status = if self.dice.chance(SPREE_DECLINED) { Status::Declined } else { Status::Approved };
            self.pay(&till, victim, card, dollars, status, drafts);
            self.wait(40.0, 200.0);
        }
    }

    /// Several accounts, opened for this, drain one kind of merchant, each payment just under what would be looked into.
    fn ring(mut self, drafts: &mut Drafts<'_>) {
        let accounts = ring_accounts(self.world, self.dice.below(RINGS));
        let (merchant, channel) = *self.dice.pick(&RING_MERCHANTS);
        let country = self.dice.below(COUNTRIES.len()) as u8;
        let till = Till { merchant, channel, country, pattern: Pattern::Ring };
        let limit = *self.dice.pick(&RING_LIMITS);
        let (least, most) = RING_PAYMENTS;
        let begin = self.clock;
        let mut times: Vec<i64> = (0..least + self.dice.below(most - least + 1)).map(|_| self.dice.below(RING_MS) as i64).collect();
        times.sort_unstable();
        for after in times {
            self.clock = begin + after;
            let account = *self.dice.pick(&accounts);
            let card = self.world.town.people[account].cards[0];
            let dollars = limit * self.dice.between(0.965, 0.998);
            self.pay(&till, account, card, dollars, Status::Approved, drafts);
        }
    }

    fn pay(&mut self, till: &Till, payer: usize, card: u16, dollars: f64, status: Status, drafts: &mut Drafts<'_>) {
        let money = self.world.town.people[payer].country;
        let home = &COUNTRIES[usize::from(money)];
        let amount_cents = local_amount(home, dollars, false);
        let payment = Payment {
            person: payer as u16,
            order: None,
            amount_cents,
            amount_usd_cents: in_dollars(home, amount_cents),
            money,
            country: till.country,
            merchant: till.merchant,
            channel: till.channel,
            status,
            risk: risk(&mut self.dice, true),
            card,
            fraud: Some(till.pattern),
        };
        let delay = network_delay_ms(&mut self.dice, 10.0, 120.0);
        let serial = Serial::new(Story::Fraud, self.chapter, self.index, self.step);
        drafts.add(self.clock, delay, serial, Body::Payment(payment));
        self.step += 1;
    }

    fn wait(&mut self, least_s: f64, most_s: f64) {
        self.clock += (self.dice.between(least_s, most_s) * 1000.0) as i64;
    }
}

/// Somebody signs in as another, from another country and at another hour, and goes shopping.
fn take_over(world: &World, chapter: i64, index: usize, mut dice: Dice, drafts: &mut Drafts<'_>) {
    let of_day = time_of_day(chapter * CHAPTER_MS);
    let mut victim = world.town.shoppers.pick(&mut dice);
    for _ in 0..8 {
        if world.town.people[victim].activity(of_day) < 1.0 {
            break;
        }
        victim = world.town.shoppers.pick(&mut dice);
    }
    let country = abroad(world, victim, &mut dice);
    let city = dice.below(COUNTRIES[usize::from(country)].cities.len()) as u8;
    ecommerce::tell_theft(world, chapter, index, dice, Theft { victim: victim as u16, country, city }, drafts);
}

fn abroad(world: &World, person: usize, dice: &mut Dice) -> u8 {
    let home = world.town.people[person].country;
    (home + 1 + dice.below(COUNTRIES.len() - 1) as u8) % COUNTRIES.len() as u8
}

fn ring_accounts(world: &World, ring: usize) -> Vec<usize> {
    let mut dice = Dice::of(world.seed, &[0xf1, ring as u64]);
    let (least, most) = RING_ACCOUNTS;
    (0..least + dice.below(most - least + 1)).map(|_| dice.below(SHOPPERS)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::sync::OnceLock;

    use super::*;
    use crate::generators::dirt::DirtLevel;
    use crate::generators::draft::Draft;
    use crate::generators::finance;

    const HOURS: i64 = 24;

    struct Seen {
        at: i64,
        story: u64,
        payment: Payment,
    }

    /// All payments of a day of seed 7.
    fn day() -> &'static [Seen] {
        static DAY: OnceLock<Vec<Seen>> = OnceLock::new();
        DAY.get_or_init(|| {
            let world = World::new(7, DirtLevel::None);
            let mut seen = Vec::new();
            let mut accept = |draft: Draft| {
                if let Body::Payment(payment) = draft.body {
                    seen.push(Seen { at: draft.happened, story: draft.serial.0 >> 16, payment });
                }
            };
            for chapter in 0..HOURS * 3_600_000 / CHAPTER_MS {
                ecommerce::tell(&world, chapter, &mut Drafts::new(&mut accept));
                finance::tell(&world, chapter, &mut Drafts::new(&mut accept));
            }
            seen
        })
    }

    /// The payments of each fraud of a pattern, in order of time.
    fn stories(pattern: Pattern) -> Vec<Vec<&'static Seen>> {
        let mut stories: BTreeMap<u64, Vec<&Seen>> = BTreeMap::new();
        for seen in day().iter().filter(|seen| seen.payment.fraud == Some(pattern)) {
            stories.entry(seen.story).or_default().push(seen);
        }
        stories.values_mut().for_each(|story| story.sort_by_key(|seen| seen.at));
        stories.into_values().collect()
    }

    /// Where each person pays most, as anyone can see.
    fn homes() -> HashMap<u16, u8> {
        let mut counts: HashMap<u16, [u32; COUNTRIES.len()]> = HashMap::new();
        for Seen { payment, .. } in day() {
            counts.entry(payment.person).or_default()[usize::from(payment.country)] += 1;
        }
        let most = |counts: [u32; COUNTRIES.len()]| (0..counts.len()).max_by_key(|&country| counts[country]).unwrap() as u8;
        counts.into_iter().map(|(person, counts)| (person, most(counts))).collect()
    }

    struct Score {
        precision: f64,
        recall: f64,
    }

    impl Score {
        fn f1(&self) -> f64 {
            2.0 * self.precision * self.recall / (self.precision + self.recall)
        }
    }

    fn score(suspects: impl Fn(&Payment) -> bool) -> Score {
        let (mut right, mut suspected, mut frauds) = (0.0, 0.0, 0.0);
        for Seen { payment, .. } in day() {
            let (suspect, fraud) = (suspects(payment), payment.fraud.is_some());
            suspected += f64::from(u8::from(suspect));
            frauds += f64::from(u8::from(fraud));
            right += f64::from(u8::from(suspect && fraud));
        }
        Score { precision: right / suspected, recall: right / frauds }
    }

    #[test]
    fn two_in_a_hundred_payments_are_fraud_and_risk_scores_are_as_stated() {
        let share = |of: &dyn Fn(&Payment) -> bool, among: &dyn Fn(&Payment) -> bool| {
            let among: Vec<&Seen> = day().iter().filter(|seen| among(&seen.payment)).collect();
            among.iter().filter(|seen| of(&seen.payment)).count() as f64 / among.len() as f64
        };
        let risky = |payment: &Payment| payment.risk > 7_000;
        let all = share(&|payment| payment.fraud.is_some(), &|_| true);
        let (legit, fraud) = (share(&risky, &|payment| payment.fraud.is_none()), share(&risky, &|payment| payment.fraud.is_some()));
        let per_s = day().len() as f64 / (HOURS * 3600) as f64;
        println!("{per_s:.2} payments a second, {:.2} % fraud; above 0.7: {:.2} % and {:.1} %", 100.0 * all, 100.0 * legit, 100.0 * fraud);
        assert!((0.0185..0.0215).contains(&all) && (0.003..0.005).contains(&legit) && (0.78..0.82).contains(&fraud));
        assert!((3.9..4.25).contains(&per_s));
        for pattern in [Pattern::StolenCard, Pattern::AccountTakeover, Pattern::Ring] {
            let share = share(&|payment| payment.fraud == Some(pattern), &|payment| payment.fraud.is_some());
            println!("{}: {:.1} % of the frauds' payments, {} frauds", pattern.name(), 100.0 * share, stories(pattern).len());
            assert!(share > 0.2);
        }
    }

    #[test]
    fn a_rule_on_three_features_beats_the_risk_score_alone() {
        let homes = homes();
        let rule = score(|payment| {
            let away = payment.country != homes[&payment.person];
            payment.risk > RULE_RISK && (away || payment.amount_usd_cents > RULE_USD_CENTS)
        });
        let alone: Vec<(u16, Score)> =
            (50..100).map(|hundredth| (hundredth * 100, score(|payment| payment.risk > hundredth * 100))).collect();
        let (threshold, best) = alone.iter().max_by(|a, b| a.1.f1().total_cmp(&b.1.f1())).unwrap();
        let usual = &alone.iter().find(|(threshold, _)| *threshold == 7_000).unwrap().1;
        let show = |what: &str, score: &Score| {
            println!("{what}: precision {:.3}, recall {:.3}, F1 {:.3}", score.precision, score.recall, score.f1());
        };
        show("risk_score > 0.7", usual);
        show(&format!("best threshold {threshold}"), best);
        show("rule", &rule);
        assert!(rule.f1() > best.f1() + 0.08);
        assert!(rule.precision > usual.precision && rule.recall > usual.recall);
    }

    /// The rule of docs/fraud.md.
    const RULE_RISK: u16 = 5_500;
    const RULE_USD_CENTS: i64 = 40_000;

    #[test]
    fn a_stolen_card_is_tried_and_then_used_up_abroad() {
        for story in stories(Pattern::StolenCard) {
            let small = story.iter().take_while(|seen| seen.payment.amount_usd_cents <= 201).count();
            let large = &story[small..];
            assert!((2..=4).contains(&small) && (2..=4).contains(&large.len()));
            assert!(
                large
                    .iter()
                    .all(|seen| seen.payment.amount_usd_cents > 10_000 && ["electronics", "travel"].contains(&seen.payment.merchant))
            );
            assert!(story[small - 1].at - story[0].at < 4 * 60_000 && story[story.len() - 1].at - story[0].at < 25 * 60_000);
            let first = &story[0].payment;
            assert!(story.iter().all(|Seen { payment, .. }| {
                (payment.card, payment.person, payment.country) == (first.card, first.person, first.country)
                    && payment.country != payment.money
            }));
        }
    }

    #[test]
    fn a_taken_account_buys_dearer_and_dearer_from_abroad() {
        let world = World::new(7, DirtLevel::None);
        let mut at_other_hours = 0.0;
        let stories = stories(Pattern::AccountTakeover);
        for story in &stories {
            let person = &world.town.people[usize::from(story[0].payment.person)];
            at_other_hours += f64::from(u8::from(person.activity(time_of_day(story[0].at)) < 1.0));
            assert!(story[story.len() - 1].at - story[0].at < 30 * 60_000);
            let mut amounts: HashMap<u64, (i64, i64)> = HashMap::new();
            for Seen { at, payment, .. } in story {
                assert!(payment.country != person.country && payment.channel == "online");
                amounts.entry(payment.order.unwrap()).or_insert((payment.amount_cents, *at));
            }
            assert!(amounts.len() <= 6);
            let mut amounts: Vec<(i64, i64)> = amounts.into_values().collect();
            amounts.sort_unstable();
            // A payment can overtake the one before, as a bank takes its time.
            assert!(amounts.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1 + 100_000));
        }
        assert!(at_other_hours / stories.len() as f64 > 0.9);
    }

    #[test]
    fn a_ring_pays_one_kind_of_merchant_just_under_a_limit() {
        let mut members: HashSet<u16> = HashSet::new();
        let stories = stories(Pattern::Ring);
        for story in &stories {
            let first = &story[0].payment;
            assert!((8..=13).contains(&story.len()) && story[story.len() - 1].at - story[0].at < 600_000);
            let payers: HashSet<u16> = story.iter().map(|seen| seen.payment.person).collect();
            assert!((2..=8).contains(&payers.len()));
            members.extend(payers);
            let limit = RING_LIMITS.iter().map(|limit| (limit * 100.0) as i64).find(|&limit| first.amount_usd_cents < limit).unwrap();
            for Seen { payment, .. } in story {
                assert_eq!((payment.country, payment.merchant), (first.country, first.merchant));
                assert!((limit * 96 / 100..limit).contains(&payment.amount_usd_cents), "{payment:?}");
            }
        }
        // The same accounts come back.
        assert!(stories.len() > 100 && members.len() <= RINGS * RING_ACCOUNTS.1);
    }
}
