//! The web shop: visits as funnels from looking to buying. A purchase drafts its own payment.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, Serial, Story};
use super::finance;
use super::identifier::{event_id, short_id};
use super::incidents::Kind;
use super::json::JsonObject;
use super::random::{Dice, mix};
use super::schema::{Field, StreamId, Values};
use super::town::people::{BROWSING, Person};
use super::town::places::COUNTRIES;
use super::town::products::CATEGORIES;
use super::truth::Labels;
use super::world::{World, network_delay_ms};

pub const FIELDS: &[Field] = &[
    Field::EVENT_ID,
    Field::SCHEMA_VERSION,
    Field::new("user_id", "string", "who; the record's key").with(Values::Like("^(u-[0-9]{4}|test-[0-9]{2})$")),
    Field::new("event_type", "string", "view, search, add_to_cart, remove_from_cart, checkout or purchase")
        .with(Values::OneOf(|| EventType::ALL.map(EventType::name).to_vec())),
    Field::new("product_id", "string", "which product; for a search the first one found, for a checkout the first one in the cart")
        .with(Values::Like("^p-[0-9]{3}$")),
    Field::new("price", "number", "price of one, two decimals").in_unit("USD").with(Values::MoreThan(0.0)),
    Field::new("timestamp", "time", "when it happened; the record's timestamp says when it arrived"),
    Field::new("session_id", "string", "the visit; it ends after 30 idle minutes at the latest")
        .with(Values::Like("^s-[0-9a-hjkmnp-tv-z]{12}$")),
    Field::new("quantity", "integer", "how many").with(Values::Between(1.0, 4.0)),
    Field::new("currency", "string", "USD").with(Values::OneOf(|| vec!["USD"])),
    Field::new("order_id", "string", "the order, as its payment names it; purchases only")
        .only_in_some()
        .with(Values::Like("^o-[0-9a-hjkmnp-tv-z]{12}$"))
        .only_if("event_type", "purchase"),
    Field::new("is_test", "boolean", "made by one of the shop's own testers; accounts that begin with test- are theirs too"),
    Field::new("product.category", "string", "one of twelve")
        .with(Values::OneOf(|| CATEGORIES.iter().map(|category| category.name).collect())),
    Field::new("product.brand", "string", "its maker")
        .with(Values::OneOf(|| CATEGORIES.iter().flat_map(|category| category.makers.iter().copied()).collect())),
    Field::new("context.device.type", "string", "mobile, tablet or desktop")
        .with(Values::OneOf(|| BROWSING.iter().map(|browsing| browsing.kind).collect())),
    Field::new("context.device.os", "string", "operating system")
        .with(Values::OneOf(|| BROWSING.iter().map(|browsing| browsing.os).collect())),
    Field::new("context.device.browser", "string", "browser")
        .with(Values::OneOf(|| BROWSING.iter().map(|browsing| browsing.browser).collect())),
    Field::new("context.geo.country", "string", "ISO code of the visitor's country")
        .with(Values::OneOf(|| COUNTRIES.iter().map(|country| country.code).collect())),
    Field::new("context.geo.city", "string", "the visitor's city")
        .with(Values::OneOf(|| COUNTRIES.iter().flat_map(|country| country.cities.iter().copied()).collect())),
    Field::new("context.referrer", "string", "what led to the shop").with(Values::OneOf(|| WAYS_IN.iter().map(|way| way.0).collect())),
    Field::new("context.campaign", "string?", "the campaign that led to it, if one did")
        .with(Values::OneOf(|| WAYS_IN.iter().filter_map(|way| way.1).collect())),
];

pub static DIRT: Rates = Rates {
    duplicates: 0.005,
    late: [0.02, 0.003, 0.0005],
    out_of_order: 0.05,
    faults: &[
        Fault::new("null-user", 0.002, Edit::Set("user_id", "null")),
        Fault::new("price-not-positive", 0.002, Edit::Negate("price")),
        Fault::new("unknown-type", 0.002, Edit::Set("event_type", "\"hover\"")),
        Fault::new("price-as-text", 0.002, Edit::Quote("price")),
        Fault::new("future-timestamp", 0.002, Edit::Postpone("timestamp", 48 * 3_600_000)),
        Fault::new("missing-field", 0.002, Edit::Drop("product_id")),
        Fault::new("truncated", 0.0005, Edit::Truncate),
        Fault::new("not-json", 0.0005, Edit::Unquote),
    ],
};

/// Share of visits by the shop's own testers: half are marked as such, half have an account of theirs.
pub const TESTS: f64 = 0.01;
const TEST_ACCOUNTS_COUNT: usize = 12;

/// Visits that begin in a second: 25 events a second, at 12.3 events in a mean visit.
const SESSIONS_PER_S: f64 = 25.0 / 12.3;

const STEPS_BROWSED_MIN: usize = 3;
/// With at most four products in the cart: 20 steps of browsing, a checkout and four purchases make 25 events.
const STEPS_BROWSED_MAX: usize = 20;
const CART_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    View,
    Search,
    AddToCart,
    RemoveFromCart,
    Checkout,
    Purchase,
}

impl EventType {
    pub const ALL: [EventType; 6] =
        [EventType::View, EventType::Search, EventType::AddToCart, EventType::RemoveFromCart, EventType::Checkout, EventType::Purchase];

    fn name(self) -> &'static str {
        match self {
            EventType::View => "view",
            EventType::Search => "search",
            EventType::AddToCart => "add_to_cart",
            EventType::RemoveFromCart => "remove_from_cart",
            EventType::Checkout => "checkout",
            EventType::Purchase => "purchase",
        }
    }
}

/// What led a visitor to the shop, and with which campaign.
const WAYS_IN: [(&str, Option<&str>); 11] = [
    ("direct", None),
    ("direct", None),
    ("direct", None),
    ("search", None),
    ("search", None),
    ("search", None),
    ("social", None),
    ("social", Some("share-and-save")),
    ("newsletter", Some("weekly-letter")),
    ("banner", Some("season-opening")),
    ("newsletter", Some("flash-sale")),
];

/// Only while something is on sale.
const SALE_WAY_IN: u8 = 10;
/// Share of the visits during a sale that it led to.
const SALE_SHARE: f64 = 2.0 / 3.0;
/// What is left of the price, in hundredths.
const SALE_PRICE: i64 = 70;
/// Chance that who came for the sale looks at something that is on sale.
const SALE_INTEREST: f64 = 0.8;

#[derive(Clone, Debug)]
pub struct ShopEvent {
    kind: EventType,
    person: u16,
    product: u16,
    price_cents: i64,
    quantity: u8,
    /// Index into `BROWSING`.
    device: u8,
    /// Index into `WAYS_IN`.
    way_in: u8,
    session: u64,
    tester: Option<Tester>,
    /// The hash behind the order's id; purchases only.
    order: Option<u64>,
}

/// Who visits to see whether the shop works. Buys without paying.
#[derive(Clone, Copy, Debug)]
enum Tester {
    Marked,
    Account(u8),
}

/// How set on buying a visitor is.
struct Intent {
    /// Chance that a view ends in the cart.
    adds: f64,
    /// Chance that what is in the cart at the end is bought.
    buys: f64,
}

const SET_ON_BUYING: Intent = Intent { adds: 0.30, buys: 0.825 };
const JUST_LOOKING: Intent = Intent { adds: 0.078, buys: 0.37 };
const SHARE_SET_ON_BUYING: f64 = 0.4;

const SEARCHES: f64 = 0.073;
const LOOKS_AGAIN: f64 = 0.25;
const REMOVES: f64 = 0.052;
const CHECKS_OUT_BEFORE_BUYING: f64 = 0.2;
const CHECKS_OUT_IN_VAIN: f64 = 0.2;

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Session, chapter, SESSIONS_PER_S) {
        Session::begin(world, chapter, index).tell(drafts);
    }
}

/// A visit in the making.
struct Session<'w> {
    world: &'w World,
    dice: Dice,
    chapter: i64,
    index: usize,
    step: usize,
    clock: i64,
    person: u16,
    device: u8,
    way_in: u8,
    session: u64,
    tester: Option<Tester>,
    /// The category that is on sale when the visit begins, and whether that led to it.
    sale: Option<(usize, bool)>,
    cart: Vec<(u16, u8)>,
}

impl<'w> Session<'w> {
    fn begin(world: &'w World, chapter: i64, index: usize) -> Session<'w> {
        let mut dice = world.story_dice(Story::Session, chapter, index);
        let person = world.town.shoppers.pick(&mut dice) as u16;
        let sale = world.timeline.on(Kind::FlashSale, chapter * CHAPTER_MS).next().map(|sale| (sale.target, dice.chance(SALE_SHARE)));
        Session {
            chapter,
            index,
            step: 0,
            clock: chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64,
            person,
            device: *dice.pick(&world.town.people[usize::from(person)].devices),
            way_in: if let Some((_, true)) = sale { SALE_WAY_IN } else { dice.below(SALE_WAY_IN as usize) as u8 },
            session: dice.word(),
            tester: tester(world, chapter, index),
            sale,
            cart: Vec::new(),
            dice,
            world,
        }
    }

    fn person(&self) -> &'w Person {
        &self.world.town.people[usize::from(self.person)]
    }

    fn tell(mut self, drafts: &mut Drafts<'_>) {
        let came_for_sale = matches!(self.sale, Some((_, true)));
        let intent = if self.dice.chance(SHARE_SET_ON_BUYING) || came_for_sale { SET_ON_BUYING } else { JUST_LOOKING };
        self.browse(&intent, drafts);
        self.close(&intent, drafts);
    }

    fn browse(&mut self, intent: &Intent, drafts: &mut Drafts<'_>) {
        let spread = STEPS_BROWSED_MAX - STEPS_BROWSED_MIN;
        let steps = STEPS_BROWSED_MIN + self.dice.below(spread / 2 + 1) + self.dice.below(spread - spread / 2 + 1);
        let mut product = self.next_product();
        while self.step < steps {
            if self.step > 0 && !self.dice.chance(LOOKS_AGAIN) {
                product = self.next_product();
            }
            if self.dice.chance(SEARCHES) {
                self.say(EventType::Search, product, 1, drafts);
                self.think(7.0, 0.7);
                continue;
            }
            self.say(EventType::View, product, 1, drafts);
            self.think(10.0, 0.9);
            if self.step < steps && self.cart.len() < CART_MAX && self.dice.chance(intent.adds * self.fancy(product)) {
                if self.cart.iter().all(|&(held, _)| held != product) {
                    let quantity = self.quantity(product);
                    self.cart.push((product, quantity));
                    self.say(EventType::AddToCart, product, quantity, drafts);
                    self.think(6.0, 0.7);
                }
            } else if self.step < steps && !self.cart.is_empty() && self.dice.chance(REMOVES) {
                let (removed, held) = self.cart.remove(self.dice.below(self.cart.len()));
                self.say(EventType::RemoveFromCart, removed, held, drafts);
                self.think(6.0, 0.7);
            }
        }
    }

    fn close(&mut self, intent: &Intent, drafts: &mut Drafts<'_>) {
        let cart = std::mem::take(&mut self.cart);
        let Some(&(first, held)) = cart.first() else { return };
        let bought: Vec<(u16, u8)> = cart.iter().copied().filter(|_| self.dice.chance(intent.buys)).collect();
        let checks_out = if bought.is_empty() { CHECKS_OUT_IN_VAIN } else { CHECKS_OUT_BEFORE_BUYING };
        if self.dice.chance(checks_out) {
            let (product, quantity) = bought.first().copied().unwrap_or((first, held));
            self.say(EventType::Checkout, product, quantity, drafts);
            self.think(25.0, 0.5);
        }
        for (product, quantity) in bought {
            self.buy(product, quantity, drafts);
            self.think(4.0, 0.5);
        }
    }

    fn buy(&mut self, product: u16, quantity: u8, drafts: &mut Drafts<'_>) {
        let order = mix(self.session, self.step as u64);
        let item = &self.world.town.products[usize::from(product)];
        let purchase = finance::Purchase {
            person: usize::from(self.person),
            order,
            amount_cents: self.price_cents(product) * i64::from(quantity),
            category: item.category,
            at: self.clock,
            serial: Serial::new(Story::Session, self.chapter, self.index, self.step),
        };
        self.draft(EventType::Purchase, product, quantity, Some(order), drafts);
        // The payment's dice are its own: how a purchase is paid changes nothing about the visit.
        if self.tester.is_some() {
            return;
        }
        finance::pay(self.world, &purchase, &mut Dice::new(order), drafts);
    }

    fn say(&mut self, kind: EventType, product: u16, quantity: u8, drafts: &mut Drafts<'_>) {
        self.draft(kind, product, quantity, None, drafts);
    }

    fn draft(&mut self, kind: EventType, product: u16, quantity: u8, order: Option<u64>, drafts: &mut Drafts<'_>) {
        let event = ShopEvent {
            kind,
            person: self.person,
            product,
            price_cents: self.price_cents(product),
            quantity,
            device: self.device,
            way_in: self.way_in,
            session: self.session,
            tester: self.tester,
            order,
        };
        let delay = network_delay_ms(&mut self.dice, 15.0, 400.0);
        drafts.add(self.clock, delay, Serial::new(Story::Session, self.chapter, self.index, self.step), Body::Shop(event));
        self.step += 1;
    }

    /// What somebody looks at next.
    fn next_product(&mut self) -> u16 {
        match self.sale {
            Some((category, true)) if self.dice.chance(SALE_INTEREST) => {
                let (members, weights) = &self.world.town.by_category[category];
                members[weights.pick(&mut self.dice)]
            }
            _ => self.world.town.popularity.pick(&mut self.dice) as u16,
        }
    }

    /// The price that a visit sees from its beginning to its end.
    fn price_cents(&self, product: u16) -> i64 {
        let item = &self.world.town.products[usize::from(product)];
        match self.sale {
            Some((category, _)) if category == item.category => (item.price_cents * SALE_PRICE + 50) / 100,
            _ => item.price_cents,
        }
    }

    /// Time passes until the next step: most take seconds, none more than a minute.
    fn think(&mut self, median_s: f64, spread: f64) {
        self.clock += (self.dice.log_normal(median_s, spread).clamp(0.8, 60.0) * 1000.0) as i64;
    }

    /// How much likelier than on average this person takes this product: the rich prefer the dear ones, the thrifty the cheap ones.
    /// Averages to 1 over all people, so that it moves no price distribution.
    fn fancy(&self, product: u16) -> f64 {
        let dearness = self.world.town.products[usize::from(product)].dearness;
        1.0 + 0.8 * (2.0 * self.person().affluence - 1.0) * (2.0 * dearness - 1.0)
    }

    /// Mostly one, and no more than the budget allows.
    fn quantity(&mut self, product: u16) -> u8 {
        let price_cents = self.world.town.products[usize::from(product)].price_cents.max(1);
        let wanted = match self.dice.unit() {
            u if u < 0.82 => 1,
            u if u < 0.94 => 2,
            u if u < 0.98 => 3,
            _ => 4,
        };
        wanted.min(self.person().budget_cents / price_cents).max(1) as u8
    }
}

fn tester(world: &World, chapter: i64, index: usize) -> Option<Tester> {
    let mut dice = world.dirt_dice(Story::Session, chapter, index);
    match dice.unit() / world.dirt.factor() {
        u if u < TESTS / 2.0 => Some(Tester::Marked),
        u if u < TESTS => Some(Tester::Account(dice.below(TEST_ACCOUNTS_COUNT) as u8 + 1)),
        _ => None,
    }
}

pub fn labels(_: &World, draft: &Draft) -> Labels {
    let Body::Shop(event) = &draft.body else { return [None; 2] };
    let name = event.tester.map(|tester| match tester {
        Tester::Marked => "marked",
        Tester::Account(_) => "account",
    });
    [name.map(|name| ("tester", name)), None]
}

pub fn write(world: &World, draft: &Draft, origin_ms: i64, out: &mut Vec<u8>) -> Bytes {
    let Body::Shop(event) = &draft.body else { return Bytes::new() };
    let person = &world.town.people[usize::from(event.person)];
    let product = &world.town.products[usize::from(event.product)];
    let browsing = &BROWSING[usize::from(event.device)];
    let (referrer, campaign) = WAYS_IN[usize::from(event.way_in)];
    let user = match event.tester {
        Some(Tester::Account(number)) => Bytes::from(format!("test-{number:02}")),
        _ => person.id.clone(),
    };
    let happened_ms = origin_ms + draft.happened;
    let mut object = JsonObject::open(out);
    object
        .text("event_id", event_id(world.seed, StreamId::ECOMMERCE.0 as u64, draft.serial.0, happened_ms))
        .integer("schema_version", 1)
        .text("user_id", &user)
        .text("event_type", event.kind.name())
        .text("product_id", &product.id)
        .decimal("price", event.price_cents, 2)
        .time("timestamp", happened_ms)
        .text("session_id", short_id("s", event.session))
        .integer("quantity", i64::from(event.quantity))
        .text("currency", "USD");
    if let Some(order) = event.order {
        object.text("order_id", short_id("o", order));
    }
    object
        .boolean("is_test", matches!(event.tester, Some(Tester::Marked)))
        .object("product", |inner| {
            inner.text("category", CATEGORIES[product.category].name).text("brand", product.maker);
        })
        .object("context", |context| {
            context
                .object("device", |inner| {
                    inner.text("type", browsing.kind).text("os", browsing.os).text("browser", browsing.browser);
                })
                .object("geo", |inner| {
                    inner.text("country", COUNTRIES[usize::from(person.country)].code).text("city", person.city);
                })
                .text("referrer", referrer)
                .maybe_text("campaign", campaign);
        });
    object.close();
    user
}
