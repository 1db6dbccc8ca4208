//! The town's people: where they are from, what they can spend, what they like, when they are up, what they browse and pay with.

use bytes::Bytes;

use super::places::{COUNTRIES, Country};
use super::{PEOPLE, SHOPPERS};
use crate::generators::random::{Dice, Weights, exp, normal_quantile};

/// A device somebody browses with.
pub struct Browsing {
    pub kind: &'static str,
    pub os: &'static str,
    pub browser: &'static str,
    weight: f64,
    /// How much more than others those who use it mean to buy. Weighted, 1.
    pub buys: f64,
}

const fn browsing(kind: &'static str, os: &'static str, browser: &'static str, weight: f64, buys: f64) -> Browsing {
    Browsing { kind, os, browser, weight, buys }
}

pub static BROWSING: [Browsing; 10] = [
    browsing("mobile", "android", "chrome", 30.0, 0.85),
    browsing("mobile", "ios", "safari", 22.0, 0.85),
    browsing("mobile", "android", "firefox", 4.0, 0.85),
    browsing("tablet", "ios", "safari", 6.0, 1.0),
    browsing("tablet", "android", "chrome", 3.0, 1.0),
    browsing("desktop", "windows", "chrome", 14.0, 1.24),
    browsing("desktop", "windows", "edge", 8.0, 1.24),
    browsing("desktop", "macos", "safari", 6.0, 1.24),
    browsing("desktop", "macos", "chrome", 4.0, 1.24),
    browsing("desktop", "linux", "firefox", 3.0, 1.24),
];

pub struct Person {
    /// `u-0001` and so on; the record key of what they buy and pay.
    pub id: Bytes,
    /// Index into `COUNTRIES`.
    pub country: u8,
    pub city: &'static str,
    /// Share of the people with a smaller budget, in (0, 1).
    pub affluence: f64,
    /// The most that they spend on one order, in US cents.
    pub budget_cents: i64,
    /// Indexes into `BROWSING`. A person may own the same kind twice.
    pub devices: [u8; 3],
    /// Last four digits of their cards.
    pub cards: [u16; 2],
    /// How much of what others spend at a till they spend: 1 in the middle.
    pub spending: f64,
    /// Indexes into `CATEGORIES`: what they come back for.
    pub favourites: [u8; 2],
    /// The time of day around which they do most of what they do, as a share of the day.
    pub hour: f64,
}

/// How far around their hour people are active, as a share of the day, and how much less they do at other times.
const ACTIVE: f64 = 0.2;
const OTHER_TIMES: f64 = 0.15;

/// How much spending at tills differs from person to person; the spread of a logarithm.
pub const SPENDING_SPREAD: f64 = 0.35;

impl Person {
    /// How likely they are to do at this time what they do: 1 around their hour.
    pub fn activity(&self, time_of_day: f64) -> f64 {
        let apart = (time_of_day - self.hour).abs();
        if apart.min(1.0 - apart) < ACTIVE { 1.0 } else { OTHER_TIMES }
    }
}

/// Share of people who keep their country's hours, and how far around its middle, as a share of the day.
const WITH_THEIR_COUNTRY: f64 = 0.6;
const AROUND: f64 = 0.15;

fn hour(country: &Country, dice: &mut Dice) -> f64 {
    let hour = if dice.chance(WITH_THEIR_COUNTRY) { country.evening + dice.between(-AROUND, AROUND) } else { dice.unit() };
    hour - hour.floor()
}

/// `categories` are weighted by their sales, so that favourites change nothing about what sells in all.
pub fn draw(dice: &mut Dice, categories: &Weights) -> Vec<Person> {
    let countries = Weights::new(COUNTRIES.iter().map(|country| country.weight));
    let browsings = Weights::new(BROWSING.iter().map(|browsing| browsing.weight));
    // Budgets are dealt out evenly rather than drawn, so that the few busiest shoppers do not decide what sells.
    let mut budgets: Vec<usize> = (0..SHOPPERS).collect();
    dice.shuffle(&mut budgets);
    (0..PEOPLE)
        .map(|index| {
            let country = countries.pick(dice);
            let rank = budgets.get(index).copied().unwrap_or(index % SHOPPERS);
            let affluence = (rank as f64 + 0.5) / SHOPPERS as f64;
            Person {
                id: Bytes::from(format!("u-{:04}", index + 1)),
                country: country as u8,
                city: dice.pick::<&'static str>(COUNTRIES[country].cities),
                affluence,
                budget_cents: (60_000.0 * exp(0.7 * normal_quantile(affluence))) as i64,
                devices: [(); 3].map(|()| browsings.pick(dice) as u8),
                cards: [(); 2].map(|()| dice.below(10_000) as u16),
                spending: exp(SPENDING_SPREAD * normal_quantile(affluence)),
                favourites: [(); 2].map(|()| categories.pick(dice) as u8),
                hour: hour(&COUNTRIES[country], dice),
            }
        })
        .collect()
}
