//! Card payments: each of the web shop's purchases causes its own; people also pay at tills and draw cash.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, STORIES_MAX, Serial, Story};
use super::identifier::{event_id, short_id};
use super::incidents::Kind;
use super::json::JsonObject;
use super::random::{Dice, mix};
use super::schema::{Field, StreamId};
use super::town::places::{COUNTRIES, Country};
use super::town::products::CATEGORIES;
use super::truth::Labels;
use super::world::{World, network_delay_ms};

pub const FIELDS: &[Field] = &[
    Field::new("event_id", "string", "unique; sorts by time"),
    Field::new("schema_version", "integer", "1"),
    Field::new("transaction_id", "string", "unique; a second attempt at the same order has its own"),
    Field::new("user_id", "string", "whose card; the record's key, as in ecommerce-events"),
    Field::new("order_id", "string?", "the web shop's order; null for everything else"),
    Field::new("amount", "number", "in `currency`, two decimals"),
    Field::new("currency", "string", "USD in the web shop, the payer's own money elsewhere"),
    Field::new("amount_usd", "number", "the amount in US dollars, two decimals"),
    Field::new("merchant_category", "string", "what kind of merchant was paid"),
    Field::new("channel", "string", "online, pos or atm"),
    Field::new("status", "string", "approved, declined or reversed"),
    Field::new("risk_score", "number", "0 to 1, the bank's guess whether it is fraud"),
    Field::new("country", "string", "ISO code of the country in which the card was used"),
    Field::new("card_last4", "string", "last four digits of a card that does not exist"),
    Field::new("timestamp", "time", "when it happened; the record's timestamp says when it arrived"),
];

pub static DIRT: Rates = Rates {
    duplicates: 0.003,
    late: [0.02, 0.005, 0.0005],
    out_of_order: 0.05,
    faults: &[
        Fault::new("negative-amount", 0.003, Edit::Negate("amount")),
        Fault::new("truncated", 0.000_25, Edit::Truncate),
        Fault::new("not-json", 0.000_25, Edit::Unquote),
    ],
};

/// Payments without an order that begin in a second.
const CARD_USES_PER_S: f64 = 2.5;

const NEVER_PAID: f64 = 0.03;
const DECLINED: f64 = 0.03;
/// Share of payments that are tried again: a declined one, mostly with success.
const SECOND_ATTEMPTS: f64 = 0.01;
const SECOND_ATTEMPT_SUCCEEDS: f64 = 0.9;
const FRAUD: f64 = 0.02;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Approved,
    Declined,
    Reversed,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Approved => "approved",
            Status::Declined => "declined",
            Status::Reversed => "reversed",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Payment {
    person: u16,
    order: Option<u64>,
    amount_cents: i64,
    amount_usd_cents: i64,
    /// Index into `COUNTRIES`: whose money.
    money: u8,
    /// Index into `COUNTRIES`: where the card was used.
    country: u8,
    merchant: &'static str,
    channel: &'static str,
    status: Status,
    /// In ten-thousandths.
    risk: u16,
    card: u16,
    /// When the purchase happened that it pays for.
    caused_at: Option<i64>,
    /// The pattern of a fraudulent payment.
    fraud: Option<&'static str>,
}

/// What a payment has to know of its purchase.
pub struct Purchase {
    pub person: usize,
    pub order: u64,
    pub amount_cents: i64,
    /// Index into `CATEGORIES`.
    pub category: usize,
    pub at: i64,
    pub serial: Serial,
}

/// Serial steps above those of any visit, so that a payment never shares its purchase's number.
const FIRST_ATTEMPT_STEP: u64 = 1 << 8;
const SECOND_ATTEMPT_STEP: u64 = 1 << 9;

/// Drafts the payment of a purchase: seconds later, for exactly its amount. Some are never made, declined, or tried twice.
pub fn pay(world: &World, purchase: &Purchase, dice: &mut Dice, drafts: &mut Drafts<'_>) {
    let outcome = dice.unit();
    if outcome < NEVER_PAID {
        return;
    }
    let status = if outcome < NEVER_PAID + DECLINED { Status::Declined } else { Status::Approved };
    let person = &world.town.people[purchase.person];
    let fraud = dice.chance(FRAUD);
    let payment = Payment {
        person: purchase.person as u16,
        order: Some(purchase.order),
        amount_cents: purchase.amount_cents,
        amount_usd_cents: purchase.amount_cents,
        money: US_DOLLAR,
        country: if fraud && dice.chance(0.6) { dice.below(COUNTRIES.len()) as u8 } else { person.country },
        merchant: CATEGORIES[purchase.category].merchant,
        channel: "online",
        status,
        risk: risk(dice, fraud),
        card: *dice.pick(&person.cards),
        caused_at: Some(purchase.at),
        fraud: fraud.then_some(STOLEN_CARD),
    };
    let paid_at = purchase.at + (dice.log_normal(3.0, 0.8).min(100.0) * 1000.0) as i64;
    let again = status == Status::Declined && dice.chance(SECOND_ATTEMPTS / DECLINED);
    let delay = network_delay_ms(dice, 10.0, 120.0);
    drafts.add(paid_at, delay, Serial(purchase.serial.0 | FIRST_ATTEMPT_STEP), Body::Payment(payment.clone()));
    if again {
        let status = if dice.chance(SECOND_ATTEMPT_SUCCEEDS) { Status::Approved } else { Status::Declined };
        let retried_at = paid_at + (dice.between(5.0, 60.0) * 1000.0) as i64;
        let delay = network_delay_ms(dice, 10.0, 120.0);
        let second = Payment { status, card: *dice.pick(&person.cards), ..payment };
        drafts.add(retried_at, delay, Serial(purchase.serial.0 | SECOND_ATTEMPT_STEP), Body::Payment(second));
    }
}

const US_DOLLAR: u8 = 0;

/// Where people pay without an order: kind of merchant, channel, weight, median and spread of the amount in dollars.
const PLACES: [(&str, &str, f64, f64, f64); 12] = [
    ("grocery", "pos", 27.0, 32.0, 0.7),
    ("restaurant", "pos", 16.0, 24.0, 0.6),
    ("fuel", "pos", 8.0, 46.0, 0.4),
    ("transport", "pos", 10.0, 6.0, 0.7),
    ("pharmacy", "pos", 6.0, 17.0, 0.7),
    ("clothing", "pos", 6.0, 55.0, 0.7),
    ("electronics", "pos", 3.0, 140.0, 0.8),
    ("household", "pos", 5.0, 40.0, 0.8),
    ("entertainment", "online", 5.0, 14.0, 0.5),
    ("utilities", "online", 3.0, 68.0, 0.5),
    ("travel", "online", 2.0, 210.0, 0.8),
    ("cash", "atm", 9.0, 70.0, 0.6),
];

const TRAVELS: f64 = 0.04;
const REVERSED: f64 = 0.01;

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Card, chapter, CARD_USES_PER_S) {
        let mut dice = world.story_dice(Story::Card, chapter, index);
        let at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        let payment = card_use(world, &mut dice);
        let delay = network_delay_ms(&mut dice, 10.0, 120.0);
        drafts.add(at, delay, Serial::new(Story::Card, chapter, index, 0), Body::Payment(payment));
    }
}

/// How many times a country's payments come during a spike, and which share of them is fraudulent.
const SPIKE_FACTOR: f64 = 5.0;
const SPIKE_FRAUD: f64 = 0.3;
const PAYMENTS_PER_S: f64 = 4.2;

/// The payments that a spike adds to a country's own.
pub fn tell_spike(world: &World, chapter: i64, number: usize, country: usize, drafts: &mut Drafts<'_>) {
    let (residents, weights) = &world.town.by_country[country];
    let added = SPIKE_FACTOR - 1.0;
    let per_s = PAYMENTS_PER_S * world.town.country_shares[country] * added;
    for index in 0..world.beginnings(Story::Spike, chapter, per_s) {
        let index = (number * STORIES_MAX / 4 + index) % STORIES_MAX;
        let mut dice = world.story_dice(Story::Spike, chapter, index);
        let at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        // All of the fraud comes on top.
        let fraud = dice.chance(SPIKE_FRAUD * SPIKE_FACTOR / added);
        let person = if fraud { world.town.shoppers.pick(&mut dice) } else { usize::from(residents[weights.pick(&mut dice)]) };
        let payment =
            Payment { country: country as u8, fraud: fraud.then_some("country-spike"), ..card_use_of(world, person, fraud, &mut dice) };
        let delay = network_delay_ms(&mut dice, 10.0, 120.0);
        drafts.add_for(Kind::FraudSpike, at, delay, Serial::new(Story::Spike, chapter, index, 0), Body::Payment(payment));
    }
}

/// When the purchase happened that a payment pays for, if it pays for one.
pub fn caused_at(payment: &Payment) -> Option<i64> {
    payment.caused_at
}

fn card_use(world: &World, dice: &mut Dice) -> Payment {
    let person = world.town.shoppers.pick(dice);
    let fraud = dice.chance(FRAUD);
    card_use_of(world, person, fraud, dice)
}

fn card_use_of(world: &World, index: usize, fraud: bool, dice: &mut Dice) -> Payment {
    let person = &world.town.people[index];
    let (merchant, channel, _, median, spread) = if fraud { (FRAUDULENT, "online", 0.0, 160.0, 0.9) } else { place(dice) };
    let home = &COUNTRIES[usize::from(person.country)];
    let dollars = dice.log_normal(median, spread);
    let amount_cents = local_amount(home, dollars, channel == "atm");
    let away = dice.chance(if fraud { 0.6 } else { TRAVELS });
    Payment {
        person: index as u16,
        order: None,
        amount_cents,
        amount_usd_cents: (amount_cents * 10_000 + home.rate / 2) / home.rate,
        money: person.country,
        country: if away { dice.below(COUNTRIES.len()) as u8 } else { person.country },
        merchant,
        channel,
        status: match dice.unit() {
            u if u < REVERSED => Status::Reversed,
            u if u < REVERSED + DECLINED => Status::Declined,
            _ => Status::Approved,
        },
        risk: risk(dice, fraud),
        card: *dice.pick(&person.cards),
        caused_at: None,
        fraud: fraud.then_some(STOLEN_CARD),
    }
}

const STOLEN_CARD: &str = "stolen-card";

/// Where stolen cards are spent.
const FRAUDULENT: &str = "electronics";

fn place(dice: &mut Dice) -> (&'static str, &'static str, f64, f64, f64) {
    let mut target = dice.unit() * PLACES.iter().map(|place| place.2).sum::<f64>();
    for place in PLACES {
        target -= place.2;
        if target < 0.0 {
            return place;
        }
    }
    PLACES[0]
}

/// An amount in the country's money, in hundredths: whole where the money has none, round at cash machines.
fn local_amount(country: &Country, dollars: f64, cash: bool) -> i64 {
    let cents = (dollars * 100.0).max(50.0) as i64 * country.rate / 10_000;
    let step = match (cash, country.has_cents, country.rate) {
        (true, _, rate) if rate > 500_000 => 50_000,
        (true, ..) => 1_000,
        (false, true, _) => 1,
        (false, false, _) => 100,
    };
    ((cents + step / 2) / step).max(1) * step
}

/// Honest payments score low (Beta(2, 6): 0.4 % above 0.7), fraudulent ones high (Beta(8, 2): 80 % above 0.7).
fn risk(dice: &mut Dice, fraud: bool) -> u16 {
    let score = if fraud { dice.beta_as_order_statistic(8, 9) } else { dice.beta_as_order_statistic(2, 7) };
    (score * 10_000.0) as u16
}

pub fn labels(_: &World, draft: &Draft) -> Labels {
    let Body::Payment(payment) = &draft.body else { return [None; 2] };
    [payment.fraud.map(|pattern| ("fraud", pattern)), None]
}

pub fn write(world: &World, draft: &Draft, origin_ms: i64, out: &mut Vec<u8>) -> Bytes {
    let Body::Payment(payment) = &draft.body else { return Bytes::new() };
    let person = &world.town.people[usize::from(payment.person)];
    let happened_ms = origin_ms + draft.happened;
    let card = [1000, 100, 10, 1].map(|place| b'0' + (payment.card / place % 10) as u8);
    let mut object = JsonObject::open(out);
    object
        .text("event_id", event_id(world.seed, StreamId::FINANCE.0 as u64, draft.serial.0, happened_ms))
        .integer("schema_version", 1)
        .text("transaction_id", short_id("t", mix(mix(world.seed, 0x7a), draft.serial.0)))
        .text("user_id", &person.id)
        .maybe_text("order_id", payment.order.map(|order| short_id("o", order)).as_deref())
        .decimal("amount", payment.amount_cents, 2)
        .text("currency", COUNTRIES[usize::from(payment.money)].currency)
        .decimal("amount_usd", payment.amount_usd_cents, 2)
        .text("merchant_category", payment.merchant)
        .text("channel", payment.channel)
        .text("status", payment.status.name())
        .decimal("risk_score", i64::from(payment.risk), 4)
        .text("country", COUNTRIES[usize::from(payment.country)].code)
        .text("card_last4", card)
        .time("timestamp", happened_ms);
    object.close();
    person.id.clone()
}
