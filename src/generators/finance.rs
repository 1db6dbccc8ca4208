//! Card payments: each of the web shop's purchases causes its own; people also pay at tills and draw cash.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, STORIES_MAX, Serial, Story};
use super::fraud::{self, Pattern};
use super::identifier::{event_id, short_id};
use super::incidents::Kind;
use super::json::JsonObject;
use super::random::{Dice, mix};
use super::schema::{Field, StreamId, Values};
use super::town::people::{Person, SPENDING_SPREAD};
use super::town::places::{COUNTRIES, Country};
use super::town::products::CATEGORIES;
use super::truth::Labels;
use super::world::{World, network_delay_ms, time_of_day};

pub const FIELDS: &[Field] = &[
    Field::EVENT_ID,
    Field::SCHEMA_VERSION,
    Field::new("transaction_id", "string", "unique; a second attempt at the same order has its own")
        .with(Values::Like("^t-[0-9a-hjkmnp-tv-z]{12}$")),
    Field::new("user_id", "string", "whose card; the record's key, as in ecommerce-events").with(Values::Like("^u-[0-9]{4}$")),
    Field::new("order_id", "string?", "the web shop's order; null for everything else").with(Values::Like("^o-[0-9a-hjkmnp-tv-z]{12}$")),
    Field::new("amount", "number", "in `currency`, two decimals").in_unit("as `currency` says").with(Values::MoreThan(0.0)),
    Field::new("currency", "string", "USD in the web shop, the payer's own money elsewhere")
        .with(Values::OneOf(|| COUNTRIES.iter().map(|country| country.currency).collect())),
    Field::new("amount_usd", "number", "the amount in US dollars, two decimals").in_unit("USD").with(Values::MoreThan(0.0)),
    Field::new("merchant_category", "string", "what kind of merchant was paid").with(Values::OneOf(merchants)),
    Field::new("channel", "string", "online, pos or atm").with(Values::OneOf(|| vec!["online", "pos", "atm"])),
    Field::new("status", "string", "approved, declined or reversed").with(Values::OneOf(|| Status::ALL.map(Status::name).to_vec())),
    Field::new("risk_score", "number", "0 to 1, the bank's guess whether it is fraud").with(Values::Between(0.0, 1.0)),
    Field::new("country", "string", "ISO code of the country in which the card was used")
        .with(Values::OneOf(|| COUNTRIES.iter().map(|country| country.code).collect())),
    Field::new("card_last4", "string", "last four digits of a card that does not exist").with(Values::Like("^[0-9]{4}$")),
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

/// Honest payments without an order in a second. With the frauds they make 2.5.
const CARD_USES_PER_S: f64 = 2.44;

const NEVER_PAID: f64 = 0.03;
const DECLINED: f64 = 0.03;
/// Share of payments that are tried again: a declined one, mostly with success.
const SECOND_ATTEMPTS: f64 = 0.01;
const SECOND_ATTEMPT_SUCCEEDS: f64 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Approved,
    Declined,
    Reversed,
}

impl Status {
    pub const ALL: [Status; 3] = [Status::Approved, Status::Declined, Status::Reversed];

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
    pub(super) person: u16,
    pub(super) order: Option<u64>,
    pub(super) amount_cents: i64,
    pub(super) amount_usd_cents: i64,
    /// Index into `COUNTRIES`: whose money.
    pub(super) money: u8,
    /// Index into `COUNTRIES`: where the card was used.
    pub(super) country: u8,
    pub(super) merchant: &'static str,
    pub(super) channel: &'static str,
    pub(super) status: Status,
    /// In ten-thousandths.
    pub(super) risk: u16,
    pub(super) card: u16,
    /// When the purchase happened that it pays for.
    pub(super) caused_at: Option<i64>,
    /// Of a fraudulent payment.
    pub(super) fraud: Option<Pattern>,
}

/// An account in the wrong hands.
#[derive(Clone, Copy, Debug)]
pub struct Theft {
    pub victim: u16,
    /// Index into `COUNTRIES`: where the thief sits.
    pub country: u8,
    /// Index into the country's cities.
    pub city: u8,
}

impl Theft {
    pub fn city(&self) -> &'static str {
        COUNTRIES[usize::from(self.country)].cities[usize::from(self.city)]
    }
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
    pub theft: Option<Theft>,
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
    let payment = Payment {
        person: purchase.person as u16,
        order: Some(purchase.order),
        amount_cents: purchase.amount_cents,
        amount_usd_cents: purchase.amount_cents,
        money: US_DOLLAR,
        country: purchase.theft.map_or(person.country, |theft| theft.country),
        merchant: CATEGORIES[purchase.category].merchant,
        channel: "online",
        status,
        risk: risk(dice, purchase.theft.is_some()),
        card: *dice.pick(&person.cards),
        caused_at: Some(purchase.at),
        fraud: purchase.theft.map(|_| Pattern::AccountTakeover),
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

/// All that `merchant_category` can be.
fn merchants() -> Vec<&'static str> {
    PLACES.iter().map(|place| place.0).chain(CATEGORIES.iter().map(|category| category.merchant)).collect()
}

/// Share of people who are on a journey, and how long one lasts.
const TRAVELS: f64 = 0.04;
const JOURNEY_MS: i64 = 3 * 3_600_000;
const REVERSED: f64 = 0.01;

/// Share of payments at tills of one price, and not of a sum of several; and the hundredths that such prices have.
const SINGLE_PRICES: f64 = 0.35;
const PRICE_ENDINGS: [i64; 8] = [99, 99, 99, 0, 0, 50, 95, 90];

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Card, chapter, CARD_USES_PER_S) {
        let mut dice = world.story_dice(Story::Card, chapter, index);
        let at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        let payment = card_use(world, at, &mut dice);
        let delay = network_delay_ms(&mut dice, 10.0, 120.0);
        drafts.add(at, delay, Serial::new(Story::Card, chapter, index, 0), Body::Payment(payment));
    }
    fraud::tell(world, chapter, drafts);
}

/// How many times a country's payments come during a spike, and which share of them is fraudulent.
const SPIKE_FACTOR: f64 = 5.0;
const SPIKE_FRAUD: f64 = 0.3;
const PAYMENTS_PER_S: f64 = 4.2;
/// Where a spike's stolen cards are spent: merchant, channel, median and spread of the amount in dollars.
const SPIKE_PLACE: (&str, &str, f64, f64) = ("electronics", "online", 160.0, 0.9);

/// The payments that a spike adds to a country's own.
pub fn tell_spike(world: &World, chapter: i64, number: usize, country: usize, drafts: &mut Drafts<'_>) {
    let (residents, weights) = &world.town.by_country[country];
    let added = SPIKE_FACTOR - 1.0;
    let per_s = PAYMENTS_PER_S * world.town.country_share(country, time_of_day(chapter * CHAPTER_MS)) * added;
    for index in 0..world.beginnings(Story::Spike, chapter, per_s) {
        let index = (number * STORIES_MAX / 4 + index) % STORIES_MAX;
        let mut dice = world.story_dice(Story::Spike, chapter, index);
        let at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        // All of the fraud comes on top.
        let fraud = dice.chance(SPIKE_FRAUD * SPIKE_FACTOR / added).then_some(Pattern::CountrySpike);
        let (person, place) = match fraud {
            Some(_) => (world.town.shoppers.pick(&mut dice), SPIKE_PLACE),
            None => (usize::from(residents[weights.pick(&mut dice)]), place(&mut dice)),
        };
        let payment = Payment { country: country as u8, ..card_use_of(world, person, at, place, fraud, &mut dice) };
        let delay = network_delay_ms(&mut dice, 10.0, 120.0);
        drafts.add_for(Kind::FraudSpike, at, delay, Serial::new(Story::Spike, chapter, index, 0), Body::Payment(payment));
    }
}

/// When the purchase happened that a payment pays for, if it pays for one.
pub fn caused_at(payment: &Payment) -> Option<i64> {
    payment.caused_at
}

fn card_use(world: &World, at: i64, dice: &mut Dice) -> Payment {
    let index = world.town.shopper(dice, time_of_day(at));
    let place = place(dice);
    card_use_of(world, index, at, place, None, dice)
}

/// Merchant, channel, median and spread of the amount in dollars.
type Place = (&'static str, &'static str, f64, f64);

fn card_use_of(world: &World, index: usize, at: i64, place: Place, fraud: Option<Pattern>, dice: &mut Dice) -> Payment {
    let person = &world.town.people[index];
    let (merchant, channel, median, spread) = place;
    let home = &COUNTRIES[usize::from(person.country)];
    // The rest of the spread is between people.
    let dollars = person.spending * dice.log_normal(median, (spread * spread - SPENDING_SPREAD * SPENDING_SPREAD).sqrt());
    let mut amount_cents = local_amount(home, dollars, channel == "atm");
    if channel == "pos" && home.has_cents && dice.chance(SINGLE_PRICES) {
        amount_cents = (amount_cents / 100 * 100 + dice.pick(&PRICE_ENDINGS)).max(50);
    }
    Payment {
        person: index as u16,
        order: None,
        amount_cents,
        amount_usd_cents: in_dollars(home, amount_cents),
        money: person.country,
        country: if channel == "online" { person.country } else { whereabouts(world, index, person, at) },
        merchant,
        channel,
        status: match dice.unit() {
            u if u < REVERSED => Status::Reversed,
            u if u < REVERSED + DECLINED => Status::Declined,
            _ => Status::Approved,
        },
        risk: risk(dice, fraud.is_some()),
        card: *dice.pick(&person.cards),
        caused_at: None,
        fraud,
    }
}

/// The country in which somebody walks into a shop: their own, unless they are on a journey.
fn whereabouts(world: &World, index: usize, person: &Person, at: i64) -> u8 {
    let mut dice = Dice::of(world.seed, &[0x7e, index as u64, at.div_euclid(JOURNEY_MS) as u64]);
    if dice.chance(TRAVELS) { dice.below(COUNTRIES.len()) as u8 } else { person.country }
}

pub(super) fn in_dollars(country: &Country, amount_cents: i64) -> i64 {
    (amount_cents * 10_000 + country.rate / 2) / country.rate
}

fn place(dice: &mut Dice) -> Place {
    let mut target = dice.unit() * PLACES.iter().map(|place| place.2).sum::<f64>();
    let passed = |&&(_, _, weight, ..): &&(&str, &str, f64, f64, f64)| {
        target -= weight;
        target < 0.0
    };
    let (merchant, channel, _, median, spread) = *PLACES.iter().find(passed).unwrap_or(&PLACES[0]);
    (merchant, channel, median, spread)
}

/// An amount in the country's money, in hundredths: whole where the money has none, round at cash machines.
pub(super) fn local_amount(country: &Country, dollars: f64, cash: bool) -> i64 {
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
pub(super) fn risk(dice: &mut Dice, fraud: bool) -> u16 {
    let score = if fraud { dice.beta_as_order_statistic(8, 9) } else { dice.beta_as_order_statistic(2, 7) };
    (score * 10_000.0) as u16
}

pub fn labels(_: &World, draft: &Draft) -> Labels {
    let Body::Payment(payment) = &draft.body else { return [None; 2] };
    [payment.fraud.map(|pattern| ("fraud", pattern.name())), None]
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
