//! Who lives in the town, what its shop sells, where its sensors hang. Drawn once from the seed.

pub mod people;
pub mod places;
pub mod products;
pub mod sites;

use super::random::{Dice, Weights};
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
    pub popularity: Weights,
    /// For each category, its products' indexes and their popularity among themselves.
    pub by_category: Vec<(Vec<u16>, Weights)>,
    /// For each country, the shoppers at home there and how often each pays.
    pub by_country: Vec<(Vec<u16>, Weights)>,
    /// For each country, the share of payments by those at home there.
    pub country_shares: Vec<f64>,
    pub devices: Vec<Device>,
}

impl Town {
    pub fn new(seed: u64) -> Town {
        let mut dice = Dice::of(seed, &[0x70]);
        let popularity = Weights::zipf(PRODUCTS, 1.05, 0.0);
        let products = products::draw(&mut dice, &popularity);
        let by_category = (0..products::CATEGORIES.len())
            .map(|category| {
                let members: Vec<u16> = (0..products.len()).filter(|&i| products[i].category == category).map(|i| i as u16).collect();
                let weights = Weights::new(members.iter().map(|&i| popularity.share(usize::from(i))));
                (members, weights)
            })
            .collect();
        let mut writer_by_rank: Vec<u16> = (0..PEOPLE as u16).collect();
        dice.shuffle(&mut writer_by_rank);
        let people = people::draw(&mut dice);
        // The shift keeps the busiest of 2,000 shoppers at about one visit a minute.
        let shoppers = Weights::zipf(SHOPPERS, 0.8, 20.0);
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
        let share = |(members, _): &(Vec<u16>, Weights)| members.iter().map(|&i| shoppers.share(usize::from(i))).sum();
        Town {
            country_shares: by_country.iter().map(share).collect(),
            by_country,
            people,
            shoppers,
            writers: Weights::zipf(PEOPLE, 1.2, 8.0),
            writer_by_rank,
            products,
            popularity,
            by_category,
            devices: sites::draw(&mut dice),
        }
    }
}
