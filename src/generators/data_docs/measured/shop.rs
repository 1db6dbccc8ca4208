use std::collections::HashMap;

use super::{Row, SECONDS, STRETCH_MS, Told, correlation, mean, quantile, share_of_first};
use crate::generators::random::{ln, sin_turns};
use crate::generators::town::SHOPPERS;
use crate::generators::world::DAY_MS;

#[derive(Default)]
pub struct Shop {
    events: f64,
    kinds: HashMap<String, f64>,
    prices: Vec<f64>,
    sold: HashMap<String, f64>,
    sessions: HashMap<String, Session>,
    people: HashMap<String, f64>,
    minutes: Vec<f64>,
}

#[derive(Default)]
struct Session {
    /// When its events happened, and which were views.
    times: Vec<(i64, bool)>,
}

impl Shop {
    pub fn add(&mut self, told: &Told, faulty: bool) {
        self.events += 1.0;
        let minute = (told.happened_ms() / 60_000) as usize;
        if self.minutes.len() <= minute {
            self.minutes.resize(minute + 1, 0.0);
        }
        self.minutes[minute] += 1.0;
        let kind = told.text("event_type");
        self.sessions.entry(told.text("session_id").to_owned()).or_default().times.push((told.happened_ms(), kind == "view"));
        if faulty {
            return;
        }
        *self.kinds.entry(kind.to_owned()).or_default() += 1.0;
        if !told.text("user_id").starts_with("test-") {
            *self.people.entry(told.text("user_id").to_owned()).or_default() += 1.0;
        }
        if kind == "purchase" {
            self.prices.extend(told.value()["price"].as_f64());
            *self.sold.entry(told.text("product_id").to_owned()).or_default() += 1.0;
        }
    }

    pub fn rows(mut self) -> Vec<Row> {
        let mut rows = vec![Row::number("events a second", 25.0, 0.5, self.events / SECONDS)];
        let known: f64 = self.kinds.values().sum();
        for (kind, share) in
            [("view", 0.76), ("search", 0.06), ("add_to_cart", 0.10), ("remove_from_cart", 0.01), ("checkout", 0.01), ("purchase", 0.06)]
        {
            let tolerance = if share > 0.05 { 0.01 } else { 0.002 };
            rows.push(Row::share(format!("`{kind}` of all events"), share, tolerance, self.kinds[kind] / known));
        }
        rows.push(Row::share("`purchase` to `add_to_cart`", 0.6, 0.03, self.kinds["purchase"] / self.kinds["add_to_cart"]));
        self.prices.sort_unstable_by(f64::total_cmp);
        let dear = self.prices.iter().filter(|&&price| price > 500.0).count() as f64 / self.prices.len() as f64;
        let exact = self.prices.iter().filter(|&&price| price == 500.0).count() as f64;
        rows.extend([
            Row::share("purchases above 500 USD", 0.099, 0.02, dear),
            Row::number("median price of a purchase, USD", 66.0, 12.0, quantile(&self.prices, 0.5)),
            Row::number("mean price of a purchase, USD", 177.0, 20.0, mean(&self.prices)),
            Row::within("purchases at exactly 500.00 USD", "some", 1.0, f64::INFINITY, exact),
            Row::within("products sold", "200", 190.0, 200.0, self.sold.len() as f64),
            Row::share("sales of the five best-selling products", 0.42, 0.04, share_of_first(self.sold.values().copied(), 5)),
            Row::number("Zipf exponent of sales, ranks 3 to 100", 1.05, 0.15, zipf(&self.sold)),
        ]);
        rows.extend([
            Row::within("people who visit", "2000", 1_980.0, 2_000.0, self.people.len() as f64),
            Row::share(
                "events of the busiest tenth of them (code)",
                0.19,
                0.02,
                share_of_first(self.people.values().copied(), SHOPPERS / 10),
            ),
        ]);
        rows.extend(self.visits());
        let wave: Vec<f64> = (0..self.minutes.len()).map(|minute| sin_turns((minute as f64 + 0.5) * 60_000.0 / DAY_MS as f64)).collect();
        let level = mean(&self.minutes);
        let swing = 2.0 * self.minutes.iter().zip(&wave).map(|(count, wave)| count / level * wave).sum::<f64>() / wave.len() as f64;
        rows.push(Row::number("swing of the day: rate x (1 ± ...)", 0.4, 0.03, swing));
        rows.push(Row::within("correlation of events a minute with the day's sine", "1", 0.9, 1.0, correlation(&self.minutes, &wave)));
        rows
    }

    fn visits(&mut self) -> Vec<Row> {
        let whole = |session: &&mut Session| session.times.iter().all(|(at, _)| (DAY_MS..STRETCH_MS - 3 * DAY_MS).contains(at));
        let (mut lengths, mut after_views, mut longest_gap) = (Vec::new(), Vec::new(), 0);
        for session in self.sessions.values_mut().filter(whole) {
            session.times.sort_unstable();
            lengths.push(session.times.len() as f64);
            for pair in session.times.windows(2) {
                let gap = pair[1].0 - pair[0].0;
                longest_gap = longest_gap.max(gap);
                if pair[0].1 {
                    after_views.push(gap as f64 / 1000.0);
                }
            }
        }
        lengths.sort_unstable_by(f64::total_cmp);
        after_views.sort_unstable_by(f64::total_cmp);
        // A visit that lost a record to damage can look one or two shorter.
        vec![
            Row::within("events in the shortest visits (first in a thousand)", "3", 3.0, 25.0, quantile(&lengths, 0.001)),
            Row::within("events in the longest visit", "25", 3.0, 25.0, quantile(&lengths, 1.0)),
            Row::number("events in a mean visit (code)", 12.3, 0.3, mean(&lengths)),
            Row::within("longest time between two steps of a visit, min", "30 or less", 0.0, 30.0, longest_gap as f64 / 60_000.0),
            Row::number("median time after a view, s (code)", 10.0, 0.5, quantile(&after_views, 0.5)),
        ]
    }
}

/// Slope of count over rank, both in logarithms, by least squares.
fn zipf(counts: &HashMap<String, f64>) -> f64 {
    let mut counts: Vec<f64> = counts.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.total_cmp(a));
    let points: Vec<(f64, f64)> = (2..100.min(counts.len())).map(|rank| (ln(rank as f64 + 1.0), ln(counts[rank]))).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let (mean_x, mean_y) = (mean(&xs), mean(&ys));
    let slope = xs.iter().zip(&ys).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    -slope / xs.iter().map(|x| (x - mean_x) * (x - mean_x)).sum::<f64>()
}
