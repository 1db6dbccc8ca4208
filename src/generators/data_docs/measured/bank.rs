use std::collections::{BTreeMap, HashMap};

use super::{HOUR_MS, Row, SECONDS, STRETCH_MS, Told, World, quantile};

#[derive(Default)]
pub struct Bank {
    payments: f64,
    without_order: f64,
    purchases: HashMap<String, Purchase>,
    /// Scores of honest payments, and of fraud.
    risks: [Vec<f64>; 2],
    windows: BTreeMap<String, BTreeMap<i64, f64>>,
    /// Payments of each country outside of its spikes.
    outside: HashMap<String, f64>,
    /// Beginnings of the spikes that the seed plans, each with its country, payments and fraud.
    spikes: BTreeMap<i64, (String, [f64; 2])>,
}

struct Purchase {
    user: String,
    /// None if the record is damaged.
    cents: Option<i64>,
    at: i64,
    /// When each attempt happened, and whether it was approved.
    attempts: Vec<(i64, bool)>,
    agrees: bool,
}

fn cents(value: &serde_json::Value) -> i64 {
    (value.as_f64().unwrap_or(0.0) * 100.0).round() as i64
}

impl Bank {
    /// Testers buy without paying.
    pub fn add_purchase(&mut self, told: &Told, faulty: bool) {
        let value = told.value();
        let tester = value["is_test"] == true || told.text("user_id").starts_with("test-");
        let Some(order) = value["order_id"].as_str().filter(|_| !tester) else { return };
        // A record that was held up can come after its payment.
        let purchase = self.purchases.entry(order.to_owned()).or_insert_with(Purchase::unknown);
        purchase.user = told.text("user_id").to_owned();
        purchase.at = told.happened_ms();
        purchase.cents = (!faulty).then(|| cents(&value["price"]) * value["quantity"].as_i64().unwrap_or(0));
    }

    pub fn add_payment(&mut self, world: &World, told: &Told, faulty: bool) {
        let value = told.value();
        let fraud = told.noted("fraud").is_some();
        let spike = world.timeline.planned_spike(told.happened_ms());
        let spike = spike.filter(|spike| spike.target_name.as_deref() == value["country"].as_str());
        let country = told.text("country");
        *self.windows.entry(country.to_owned()).or_default().entry(told.happened_ms() / 300_000).or_default() += 1.0;
        if let Some(spike) = &spike {
            let (_, counts) = self.spikes.entry(spike.from).or_insert_with(|| (country.to_owned(), [0.0; 2]));
            counts[usize::from(fraud)] += 1.0;
        } else {
            self.payments += 1.0;
            self.risks[usize::from(fraud)].push(value["risk_score"].as_f64().unwrap_or(0.0));
            *self.outside.entry(country.to_owned()).or_default() += 1.0;
        }
        let Some(order) = value["order_id"].as_str() else {
            self.without_order += f64::from(spike.is_none());
            return;
        };
        let purchase = self.purchases.entry(order.to_owned()).or_insert_with(Purchase::unknown);
        purchase.attempts.push((told.happened_ms(), told.text("status") == "approved"));
        if let Some(wanted) = purchase.cents.filter(|_| !faulty) {
            purchase.agrees &= cents(&value["amount"]) == wanted && cents(&value["amount_usd"]) == wanted;
            purchase.agrees &= purchase.user == told.text("user_id");
        }
    }

    pub fn rows(self) -> Vec<Row> {
        let settled = |purchase: &&Purchase| (0..STRETCH_MS - 2 * HOUR_MS).contains(&purchase.at);
        let purchases: Vec<&Purchase> = self.purchases.values().filter(settled).collect();
        let orders = purchases.len() as f64;
        let share = |holds: &dyn Fn(&Purchase) -> bool| purchases.iter().filter(|purchase| holds(purchase)).count() as f64 / orders;
        let first = |purchase: &Purchase| purchase.attempts.iter().min().copied();
        let mut delays: Vec<f64> =
            purchases.iter().filter_map(|purchase| Some((first(purchase)?.0 - purchase.at) as f64 / 1000.0)).collect();
        delays.sort_unstable_by(f64::total_cmp);
        let mut rows = vec![
            Row::number("payments a second outside of spikes", 4.0, 0.15, self.payments / SECONDS),
            Row::number("of these without an order", 2.5, 0.1, self.without_order / SECONDS),
            Row::share("approved at once", 0.94, 0.006, share(&|purchase| first(purchase).is_some_and(|attempt| attempt.1))),
            Row::share("declined at first", 0.03, 0.004, share(&|purchase| first(purchase).is_some_and(|attempt| !attempt.1))),
            Row::share("never paid", 0.03, 0.004, share(&|purchase| purchase.attempts.is_empty())),
            Row::share("tried a second time", 0.01, 0.003, share(&|purchase| purchase.attempts.len() == 2)),
            Row::share("same person, same amount to the cent", 1.0, 0.0, share(&|purchase| purchase.agrees)),
        ];
        for (name, at, stated, tolerance) in [("median", 0.5, 3.0, 0.15), ("95 %", 0.95, 11.0, 0.8), ("99 %", 0.99, 19.0, 1.5)] {
            rows.push(Row::number(format!("from purchase to payment, {name}, s"), stated, tolerance, quantile(&delays, at)));
        }
        rows.push(Row::within("the longest, s", "about 100", 60.0, 100.0, quantile(&delays, 1.0)));
        rows.extend(self.fraud());
        rows.extend(self.spikes());
        rows
    }

    fn spikes(&self) -> Vec<Row> {
        let gaps: Vec<f64> =
            self.spikes.keys().zip(self.spikes.keys().skip(1)).map(|(from, next)| (next - from) as f64 / 60_000.0).collect();
        let (mut counts, mut normal) = ([0.0; 2], 0.0);
        for (country, [honest, fraud]) in self.spikes.values() {
            counts = [counts[0] + honest, counts[1] + fraud];
            // Six minutes at the country's mean rate outside of its own spikes.
            let own = self.spikes.values().filter(|(other, _)| other == country).count() as f64;
            normal += self.outside[country] / (SECONDS / 360.0 - own);
        }
        let all = counts[0] + counts[1];
        vec![
            Row::within("from spike to spike, shortest, min", "20 to 30", 20.0, 30.0, gaps.iter().copied().fold(f64::INFINITY, f64::min)),
            Row::within("longest, min", "20 to 30", 20.0, 30.0, gaps.iter().copied().fold(0.0, f64::max)),
            Row::number("payments in a spike's country to the normal number", 5.0, 0.5, all / normal),
            Row::share("fraud in spikes", 0.3, 0.03, counts[1] / all),
        ]
    }

    fn fraud(&self) -> Vec<Row> {
        let above = |risks: &[f64]| risks.iter().filter(|&&risk| risk > 0.7).count() as f64;
        let [honest, fraud] = &self.risks;
        let all = (honest.len() + fraud.len()) as f64;
        // Whole windows only, and none that late records still fill.
        let whole = 1..(STRETCH_MS - 2 * HOUR_MS) / 300_000;
        let quietest = self.windows.values().flat_map(|windows| whole.clone().map(|at| windows.get(&at).copied().unwrap_or(0.0)));
        vec![
            Row::share("fraud outside of spikes", 0.02, 0.003, fraud.len() as f64 / all),
            Row::share("risk above 0.7: of honest payments", 0.004, 0.001, above(honest) / honest.len() as f64),
            Row::share("of fraud", 0.8, 0.02, above(fraud) / fraud.len() as f64),
            Row::share("of all outside of spikes", 0.02, 0.003, (above(honest) + above(fraud)) / all),
            Row::within("countries", "12", 12.0, 12.0, self.windows.len() as f64),
            Row::within(
                "fewest payments of a country in five minutes",
                "8 or more",
                8.0,
                f64::INFINITY,
                quietest.fold(f64::INFINITY, f64::min),
            ),
        ]
    }
}

impl Purchase {
    /// A purchase of which only payments have come so far.
    fn unknown() -> Purchase {
        Purchase { user: String::new(), cents: None, at: -1, attempts: Vec::new(), agrees: true }
    }
}
