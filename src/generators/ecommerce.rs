//! The web shop: visits as funnels from looking to buying. A purchase drafts its own payment.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, Serial, Story};
use super::finance::{self, Theft};
use super::identifier::{event_id, short_id};
use super::incidents::Kind;
use super::json::JsonObject;
use super::random::{Dice, Weights, mix};
use super::schema::{Field, StreamId, Values};
use super::town::people::{BROWSING, Person};
use super::town::places::COUNTRIES;
use super::town::products::CATEGORIES;
use super::truth::Labels;
use super::visitors;
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
pub const SESSIONS_PER_S: f64 = 25.0 / 12.3;

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

/// What led a visitor to the shop, with which campaign, and how much more than others such visitors mean to buy. Those that are
/// open to all average to 1.
const WAYS_IN: [(&str, Option<&str>, f64); 12] = [
    ("direct", None, 1.3),
    ("direct", None, 1.3),
    ("direct", None, 1.3),
    ("search", None, 1.0),
    ("search", None, 1.0),
    ("search", None, 1.0),
    ("social", None, 0.5),
    ("social", Some("share-and-save"), 0.75),
    ("newsletter", Some("weekly-letter"), 1.45),
    ("banner", Some("season-opening"), 0.4),
    ("newsletter", Some("flash-sale"), 1.0),
    ("newsletter", Some("your-cart-waits"), 1.0),
];
/// The last way in is for those who left something in a cart.
const REMINDER: u8 = WAYS_IN.len() as u8 - 1;

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
    pub(super) kind: EventType,
    pub(super) person: u16,
    pub(super) product: u16,
    price_cents: i64,
    quantity: u8,
    /// Index into `BROWSING`.
    device: u8,
    /// Index into `WAYS_IN`.
    way_in: u8,
    session: u64,
    tester: Option<Tester>,
    /// From where a thief uses the account, if one does.
    theft: Option<Theft>,
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

const SET_ON_BUYING: Intent = Intent { adds: 0.29, buys: 0.815 };
const JUST_LOOKING: Intent = Intent { adds: 0.076, buys: 0.36 };
const SHARE_SET_ON_BUYING: f64 = 0.4;

/// How many things a thief buys.
const LOOT: (usize, usize) = (3, 6);

const SEARCHES: f64 = 0.073;
const LOOKS_AGAIN: f64 = 0.25;
const REMOVES: f64 = 0.052;
const CHECKS_OUT_BEFORE_BUYING: f64 = 0.2;
const CHECKS_OUT_IN_VAIN: f64 = 0.2;

/// Share of products looked at that are of a favourite category.
const FAVOURITES: f64 = 0.25;

/// Share of visits by somebody who may have been here before: half an hour to two hours ago, longer than any visit lasts.
const MAY_COME_BACK: f64 = 0.25;
const BACK_AFTER_CHAPTERS: (i64, i64) = (180, 720);
/// Chance that they do, with something left in the cart and without.
const BACK_FOR_CART: f64 = 0.9;
const BACK_FOR_NOTHING: f64 = 0.2;
/// Of those who come back for something, how many were reminded, put it into the cart again, and mean to buy.
const REMINDED: f64 = 0.4;
const ADDS_AGAIN: f64 = 0.55;
const SHARE_SET_ON_BUYING_AGAIN: f64 = 0.5;

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Session, chapter, SESSIONS_PER_S) {
        Session::begin(world, chapter, index).tell(drafts);
    }
}

/// A visit in the making.
struct Session<'w> {
    world: &'w World,
    dice: Dice,
    story: Story,
    chapter: i64,
    index: usize,
    step: usize,
    clock: i64,
    person: u16,
    popularity: &'w Weights,
    device: u8,
    way_in: u8,
    session: u64,
    tester: Option<Tester>,
    theft: Option<Theft>,
    /// The category that is on sale when the visit begins, and whether that led to it.
    sale: Option<(usize, bool)>,
    /// What somebody has come back for.
    wanted: Vec<u16>,
    cart: Vec<(u16, u8)>,
    /// What stayed in the cart at the end.
    left: Vec<u16>,
    /// Told before: only to see what was left.
    replayed: bool,
}

/// A visitor who was here before, and what was left in the cart.
struct Returning {
    person: u16,
    left: Vec<u16>,
}

impl<'w> Session<'w> {
    fn begin(world: &'w World, chapter: i64, index: usize) -> Session<'w> {
        let mut dice = world.story_dice(Story::Session, chapter, index);
        let clock = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        let returning = returning(world, chapter, &mut dice);
        let person = returning.as_ref().map_or_else(|| visitors::visitor(world, chapter, index), |visitor| visitor.person);
        let wanted = returning.map(|visitor| visitor.left).unwrap_or_default();
        let reminded = !wanted.is_empty() && dice.chance(REMINDED);
        let sale = category_on_sale(world, chapter).map(|category| (category, dice.chance(SALE_SHARE)));
        Session {
            story: Story::Session,
            chapter,
            index,
            step: 0,
            clock,
            person,
            popularity: world.town.popularity_at(clock),
            device: *dice.pick(&world.town.people[usize::from(person)].devices),
            way_in: match sale {
                Some((_, true)) => SALE_WAY_IN,
                _ if reminded => REMINDER,
                _ => dice.below(usize::from(SALE_WAY_IN)) as u8,
            },
            session: dice.word(),
            tester: tester(world, chapter, index),
            theft: None,
            sale,
            wanted,
            cart: Vec::new(),
            left: Vec::new(),
            replayed: false,
            dice,
            world,
        }
    }

    fn person(&self) -> &'w Person {
        &self.world.town.people[usize::from(self.person)]
    }

    fn tell(&mut self, drafts: &mut Drafts<'_>) {
        let came_for_sale = matches!(self.sale, Some((_, true)));
        let set = if self.wanted.is_empty() { SHARE_SET_ON_BUYING } else { SHARE_SET_ON_BUYING_AGAIN };
        let set = set * WAYS_IN[usize::from(self.way_in)].2 * BROWSING[usize::from(self.device)].buys;
        let intent = if self.dice.chance(set) || came_for_sale { SET_ON_BUYING } else { JUST_LOOKING };
        self.browse(&intent, drafts);
        self.close(&intent, drafts);
    }

    fn browse(&mut self, intent: &Intent, drafts: &mut Drafts<'_>) {
        let spread = STEPS_BROWSED_MAX - STEPS_BROWSED_MIN;
        let steps = STEPS_BROWSED_MIN + self.dice.below(spread / 2 + 1) + self.dice.below(spread - spread / 2 + 1);
        let mut adds = 0.0;
        let mut product = 0;
        while self.step < steps {
            if self.step == 0 || !self.dice.chance(LOOKS_AGAIN) {
                let wanted = self.wanted.pop();
                product = wanted.unwrap_or_else(|| self.find());
                adds = if wanted.is_some() { ADDS_AGAIN } else { intent.adds * self.fancy(product) };
            }
            if self.dice.chance(SEARCHES) {
                self.say(EventType::Search, product, 1, drafts);
                self.think(7.0, 0.7);
                continue;
            }
            self.say(EventType::View, product, 1, drafts);
            self.think(10.0, 0.9);
            if self.step < steps && self.cart.len() < CART_MAX && self.dice.chance(adds) {
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

    /// A product that this visitor comes upon: one of those that sell at the time, one of a favourite category, or one on sale.
    fn find(&mut self) -> u16 {
        match self.sale {
            Some((category, true)) if self.dice.chance(SALE_INTEREST) => return self.find_in(category),
            _ => {}
        }
        if !self.dice.chance(FAVOURITES) {
            return self.popularity.pick(&mut self.dice) as u16;
        }
        let category = *self.dice.pick(&self.person().favourites);
        self.find_in(usize::from(category))
    }

    fn find_in(&mut self, category: usize) -> u16 {
        let (members, weights) = &self.world.town.by_category[category];
        members[weights.pick(&mut self.dice)]
    }

    fn close(&mut self, intent: &Intent, drafts: &mut Drafts<'_>) {
        let cart = std::mem::take(&mut self.cart);
        let Some(&(first, held)) = cart.first() else { return };
        let (bought, left): (Vec<(u16, u8)>, Vec<_>) = cart.into_iter().partition(|_| self.dice.chance(intent.buys));
        self.left = left.into_iter().map(|(product, _)| product).collect();
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
            serial: self.serial(),
            theft: self.theft,
        };
        self.draft(EventType::Purchase, product, quantity, Some(order), drafts);
        // The payment's dice are its own: how a purchase is paid changes nothing about the visit.
        if self.tester.is_some() || self.replayed {
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
            theft: self.theft,
            order,
        };
        let delay = network_delay_ms(&mut self.dice, 15.0, 400.0);
        drafts.add(self.clock, delay, self.serial(), Body::Shop(event));
        self.step += 1;
    }

    fn serial(&self) -> Serial {
        Serial::new(self.story, self.chapter, self.index, self.step)
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
        let mut seconds = self.dice.log_normal(median_s, spread);
        while !(0.8..60.0).contains(&seconds) {
            seconds = self.dice.log_normal(median_s, spread);
        }
        self.clock += (seconds * 1000.0) as i64;
    }

    fn wait(&mut self, least_s: f64, most_s: f64) {
        self.clock += (self.dice.between(least_s, most_s) * 1000.0) as i64;
    }

    /// What a thief buys: the dearer half of some products that sell, cheap ones first.
    fn loot(&mut self) -> Vec<u16> {
        let count = LOOT.0 + self.dice.below(LOOT.1 - LOOT.0 + 1);
        let mut found: Vec<u16> = Vec::new();
        while found.len() < count + count / 2 {
            let product = self.popularity.pick(&mut self.dice) as u16;
            let price = self.price_cents(product);
            if found.iter().all(|&other| self.price_cents(other) != price) {
                found.push(product);
            }
        }
        found.sort_unstable_by_key(|&product| self.price_cents(product));
        found.split_off(count / 2)
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

fn category_on_sale(world: &World, chapter: i64) -> Option<usize> {
    world.timeline.on(Kind::FlashSale, chapter * CHAPTER_MS).next().map(|sale| sale.target)
}

/// Somebody who was here before: rather one who left something in the cart. What that was is found by telling the visit again,
/// which may itself have been a return; chance ends that soon.
fn returning(world: &World, chapter: i64, dice: &mut Dice) -> Option<Returning> {
    if !dice.chance(MAY_COME_BACK) {
        return None;
    }
    let (least, most) = BACK_AFTER_CHAPTERS;
    let before = chapter - least - dice.below((most - least) as usize) as i64;
    let visits = world.beginnings(Story::Session, before, SESSIONS_PER_S);
    if visits == 0 {
        return None;
    }
    let mut earlier = Session::begin(world, before, dice.below(visits));
    earlier.replayed = true;
    earlier.tell(&mut Drafts::new(&mut |_| {}));
    let back = if earlier.left.is_empty() { BACK_FOR_NOTHING } else { BACK_FOR_CART };
    let comes = dice.chance(back) && !visitors::is_busy(world, earlier.person, chapter);
    comes.then_some(Returning { person: earlier.person, left: earlier.left })
}

/// A thief in somebody's account buys one thing after the other, each dearer than the one before.
pub fn tell_theft(world: &World, chapter: i64, index: usize, mut dice: Dice, theft: Theft, drafts: &mut Drafts<'_>) {
    let clock = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
    let mut visit = Session {
        story: Story::Fraud,
        chapter,
        index,
        step: 0,
        clock,
        person: theft.victim,
        popularity: world.town.popularity_at(clock),
        device: dice.below(BROWSING.len()) as u8,
        way_in: 0,
        session: dice.word(),
        tester: None,
        theft: Some(theft),
        sale: category_on_sale(world, chapter).map(|category| (category, false)),
        wanted: Vec::new(),
        cart: Vec::new(),
        left: Vec::new(),
        replayed: false,
        dice,
        world,
    };
    for product in visit.loot() {
        visit.say(EventType::View, product, 1, drafts);
        visit.wait(4.0, 20.0);
        visit.say(EventType::AddToCart, product, 1, drafts);
        visit.wait(4.0, 15.0);
        visit.buy(product, 1, drafts);
        visit.wait(30.0, 170.0);
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
    let (referrer, campaign, _) = WAYS_IN[usize::from(event.way_in)];
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
                    let (country, city) = event.theft.map_or((person.country, person.city), |theft| (theft.country, theft.city()));
                    inner.text("country", COUNTRIES[usize::from(country)].code).text("city", city);
                })
                .text("referrer", referrer)
                .maybe_text("campaign", campaign);
        });
    object.close();
    user
}
