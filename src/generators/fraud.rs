//! Frauds, each a story of several payments. Three patterns, as the truth ledger names them.
//!
//! | pattern | payments | who | where | amounts in dollars | within |
//! |---|---|---|---|---|---|
//! | `stolen-card` | 2 to 4, then 2 to 4 | one card of one person | one country, not the person's | 1 to 2, then some hundreds | 25 minutes |
//! | `account-takeover` | 3 to 6, each of a purchase | one person, not at their hour | another country and city | growing | 25 minutes |
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
    /// No story, but one of many payments while an incident lasts.
    CountrySpike,
}

impl Pattern {
    pub fn name(self) -> &'static str {
        match self {
            Pattern::StolenCard => "stolen-card",
            Pattern::AccountTakeover => "account-takeover",
            Pattern::Ring => "ring",
            Pattern::CountrySpike => "country-spike",
        }
    }
}

/// Frauds that begin in a second. With 6, 4.4 and 10.5 payments in a mean one of each pattern they make 0.08 payments a second.
const FRAUDS_PER_S: f64 = 0.0131;
/// Shares of the frauds; the rest are rings.
const STOLEN_CARDS: f64 = 0.42;
const TAKEOVERS: f64 = 0.37;

/// Where a thief tries whether a card works, and where they spend with it.
const TRIALS: [&str; 3] = ["entertainment", "books", "transport"];
const SPREES: [&str; 3] = ["electronics", "electronics", "travel"];
const SPREE_DECLINED: f64 = 0.15;

/// Rings that are about, and how many accounts each has.
pub(super) const RINGS: usize = 8;
pub(super) const RING_ACCOUNTS: (usize, usize) = (5, 8);
const RING_PAYMENTS: (usize, usize) = (8, 13);
const RING_MS: usize = 600_000;
pub(super) const RING_LIMITS: [f64; 4] = [200.0, 250.0, 300.0, 500.0];
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
        let mut till = Till { merchant: self.dice.pick::<&'static str>(&TRIALS), channel: "online", country, pattern: Pattern::StolenCard };
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
            caused_at: None,
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
