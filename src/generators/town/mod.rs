//! Who lives in the town, what its shop sells, where its sensors hang. Drawn once from the seed.

pub mod people;
pub mod places;
pub mod products;
pub mod sites;

use super::random::{Dice, Weights, sin_turns};
use people::Person;
use places::COUNTRIES;
use products::Product;
use sites::Device;

/// People who shop and pay with a card. Everyone writes.
pub const SHOPPERS: usize = 2_000;
pub const PEOPLE: usize = 5_000;
pub const PRODUCTS: usize = 200;

pub struct Town {
    pub people: Vec<Person>,
    /// Who shops and pays how often: an index into `people`.
    pub shoppers: Weights,
    /// Who writes how often: an index into `writer_by_rank`.
    pub writers: Weights,
    pub writer_by_rank: Vec<u16>,
    /// In order of popularity.
    pub products: Vec<Product>,
    /// What share of the sales each product has over the years.
    pub popularity: Weights,
    /// The same at a time: for each ten minutes of a cycle.
    fashion: Vec<Weights>,
    /// For each category, its products' indexes and their popularity among themselves.
    pub by_category: Vec<(Vec<u16>, Weights)>,
    /// For each country, the shoppers at home there and how often each pays.
    pub by_country: Vec<(Vec<u16>, Weights)>,
    /// For each stretch of the day, each country's share of the payments, by those at home there.
    country_shares: Vec<[f64; COUNTRIES.len()]>,
    pub devices: Vec<Device>,
}

impl Town {
    pub fn new(seed: u64) -> Town {
        let mut dice = Dice::of(seed, &[0x70]);
        let popularity = Weights::zipf(PRODUCTS, 1.05, 0.0);
        let products = products::draw(&mut dice, &popularity);
        let by_category: Vec<(Vec<u16>, Weights)> = (0..products::CATEGORIES.len())
            .map(|category| {
                let members: Vec<u16> = (0..products.len()).filter(|&i| products[i].category == category).map(|i| i as u16).collect();
                let weights = Weights::new(members.iter().map(|&i| popularity.share(usize::from(i))));
                (members, weights)
            })
            .collect();
        let sold = |members: &[u16]| members.iter().map(|&i| popularity.share(usize::from(i))).sum::<f64>();
        let categories = Weights::new(by_category.iter().map(|(members, _)| sold(members)));
        let mut writer_by_rank: Vec<u16> = (0..PEOPLE as u16).collect();
        dice.shuffle(&mut writer_by_rank);
        let people = people::draw(&mut dice, &categories);
        // The shift keeps the busiest of 2,000 shoppers at a dozen visits an hour, as visits take minutes.
        let shoppers = Weights::zipf(SHOPPERS, 0.8, 100.0);
        let of_country = |country: usize| -> Vec<u16> {
            (0..SHOPPERS).filter(|&i| usize::from(people[i].country) == country).map(|i| i as u16).collect()
        };
        let by_country: Vec<(Vec<u16>, Weights)> = (0..COUNTRIES.len())
            .map(of_country)
            .map(|members| {
                let weights = Weights::new(members.iter().map(|&i| shoppers.share(usize::from(i))));
                (members, weights)
            })
            .collect();
        Town {
            country_shares: country_shares(&people, &shoppers),
            by_country,
            people,
            shoppers,
            writers: Weights::zipf(PEOPLE, 1.2, 8.0),
            writer_by_rank,
            fashion: fashion(&mut Dice::of(seed, &[0x71]), &products, &popularity),
            products,
            popularity,
            by_category,
            devices: sites::draw(&mut dice),
        }
    }

    /// What sells at a time.
    pub fn popularity_at(&self, at_ms: i64) -> &Weights {
        let step = at_ms.div_euclid(FASHION_STEP_MS).rem_euclid(self.fashion.len().max(1) as i64);
        self.fashion.get(step as usize).unwrap_or(&self.popularity)
    }

    /// The share of a country's people in the payments at a time of day.
    pub fn country_share(&self, country: usize, time_of_day: f64) -> f64 {
        let stretch = (time_of_day * STRETCHES as f64) as usize;
        self.country_shares.get(stretch).and_then(|shares| shares.get(country)).copied().unwrap_or(0.0)
    }

    /// Who shops or pays at a time of day: the busy more often than others, everyone rather at their own hours.
    pub fn shopper(&self, dice: &mut Dice, time_of_day: f64) -> usize {
        let mut index = self.shoppers.pick(dice);
        for _ in 0..TRIES {
            if dice.chance(self.people[index].activity(time_of_day)) {
                break;
            }
            index = self.shoppers.pick(dice);
        }
        index
    }
}

/// How many people who shop at other hours are passed over.
const TRIES: usize = 3;

/// Into how many a day is cut to know each country's share.
const STRETCHES: usize = 30;

/// What comes of choosing as `shopper` does.
fn country_shares(people: &[Person], shoppers: &Weights) -> Vec<[f64; COUNTRIES.len()]> {
    let at_stretch = |stretch: usize| {
        let now = (stretch as f64 + 0.5) / STRETCHES as f64;
        let shares = || people.iter().take(SHOPPERS).enumerate().map(|(index, person)| (person, shoppers.share(index)));
        let passed: f64 = 1.0 - shares().map(|(person, share)| share * person.activity(now)).sum::<f64>();
        let (asked, left) = (0..TRIES).fold((0.0, 1.0), |(asked, left), _| (asked + left, left * passed));
        let mut of_country = [0.0; COUNTRIES.len()];
        for (person, share) in shares() {
            of_country[usize::from(person.country)] += share * (person.activity(now) * asked + left);
        }
        of_country
    };
    (0..STRETCHES).map(at_stretch).collect()
}

const FASHION_STEP_MS: i64 = 600_000;
/// A day and a half, so that two days in a row differ.
const FASHION_STEPS: usize = 216;
/// How many waves of a product's fashion fit into the cycle: from nine hours each down to four.
const FASHION_WAVES: (usize, usize) = (4, 9);
/// How much a wave adds and takes.
const FASHION_SWING: f64 = 0.6;

/// Lets each product's popularity rise and fall in its own rhythm. Cheap and dear products, of electronics and of the rest, keep
/// their shares of the sales at all times, so that prices stay as stated.
fn fashion(dice: &mut Dice, products: &[Product], popularity: &Weights) -> Vec<Weights> {
    let band = |product: &Product| {
        let electronics = product.category == products::ELECTRONICS;
        let dear = if electronics { product.price_cents > 50_000 } else { product.dearness > 0.5 };
        usize::from(electronics) * 2 + usize::from(dear)
    };
    let rhythms: Vec<(f64, f64)> =
        products.iter().map(|_| ((FASHION_WAVES.0 + dice.below(FASHION_WAVES.1 - FASHION_WAVES.0 + 1)) as f64, dice.unit())).collect();
    let at_step = |step: usize| {
        let (mut before, mut after) = ([0.0; 4], [0.0; 4]);
        let risen: Vec<(usize, f64)> = products
            .iter()
            .zip(&rhythms)
            .enumerate()
            .map(|(index, (product, (waves, phase)))| {
                let (band, share) = (band(product), popularity.share(index));
                let now = share * (1.0 + FASHION_SWING * sin_turns(phase + waves * step as f64 / FASHION_STEPS as f64));
                before[band] += share;
                after[band] += now;
                (band, now)
            })
            .collect();
        Weights::new(risen.into_iter().map(|(band, now)| now * before[band] / after[band]))
    };
    (0..FASHION_STEPS).map(at_step).collect()
}
