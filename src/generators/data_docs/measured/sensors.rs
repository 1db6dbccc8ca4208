use std::collections::{BTreeMap, HashSet};

use super::{Row, SECONDS, Told, correlation, mean};
use crate::generators::random::sin_turns;
use crate::generators::town::sites::{SITES, Site};
use crate::generators::world::DAY_MS;

const PERIOD_MS: i64 = 5_000;
/// Readings in a day of the town.
const SLOTS: usize = (DAY_MS / PERIOD_MS) as usize;

#[derive(Default)]
pub struct Sensors {
    events: f64,
    devices: HashSet<String>,
    fahrenheit: HashSet<String>,
    /// Degrees Celsius by number of the reading; by site and device. NaN where one is missing.
    celsius: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    humid: [f64; 2],
}

impl Sensors {
    pub fn add(&mut self, told: &Told) {
        self.events += 1.0;
        let device = told.text("device_id");
        if !self.devices.contains(device) {
            self.devices.insert(device.to_owned());
        }
        let value = told.value()["value"].as_f64().unwrap_or(f64::NAN);
        if told.text("sensor_type") == "humidity" {
            self.humid[usize::from(value > 40.0)] += 1.0;
        }
        if told.text("sensor_type") != "temperature" {
            return;
        }
        let fahrenheit = told.text("unit") == "F";
        if fahrenheit {
            self.fahrenheit.insert(device.to_owned());
        }
        let site = self.celsius.entry(told.text("location").to_owned()).or_default();
        let readings = site.entry(device.to_owned()).or_default();
        let number = told.value()["seq"].as_i64().unwrap_or(1).max(1) as usize - 1;
        if readings.len() <= number {
            readings.resize(number + 1, f64::NAN);
        }
        readings[number] = if fahrenheit { (value - 32.0) / 1.8 } else { value };
    }

    pub fn rows(self) -> Vec<Row> {
        let clean = 1.0 - crate::generators::iot::DIRT.faults.iter().map(|fault| fault.rate).sum::<f64>();
        let mut rows = vec![
            Row::within("sensors", "96", 96.0, 96.0, self.devices.len() as f64),
            Row::within("sites", "8", 8.0, 8.0, self.celsius.len() as f64),
            Row::number("undamaged readings a second", 19.2 * clean, 0.05, self.events / SECONDS),
            Row::share("sensors that report Fahrenheit", 0.06, 0.005, self.fahrenheit.len() as f64 / self.devices.len() as f64),
            Row::within("share of humidity readings above 40", "most", 0.5, 1.0, self.humid[1] / (self.humid[0] + self.humid[1])),
        ];
        for (name, alert, stated) in
            [("Helsinki", "below 0", 0.069), ("Dubai", "above 40", 0.055), ("Lisbon", "either", 0.0), ("Singapore", "either", 0.0)]
        {
            let all: Vec<f64> = self.celsius[name].values().flatten().copied().filter(|value| !value.is_nan()).collect();
            let alerts = all.iter().filter(|&&value| !(0.0..=40.0).contains(&value)).count() as f64;
            let tolerance = if stated > 0.0 { 0.015 } else { 0.0001 };
            rows.push(Row::share(format!("{name}: temperatures {alert}"), stated, tolerance, alerts / all.len() as f64));
        }
        let mut least = 1.0_f64;
        let (mut spreads, mut memories) = (Vec::new(), Vec::new());
        for site in &SITES {
            let days: Vec<Vec<f64>> = self.celsius[site.name].values().map(|readings| mean_day(readings)).collect();
            for (readings, day) in self.celsius[site.name].values().zip(&days) {
                let (spread, memory) = noise(readings, day);
                spreads.push(spread);
                memories.push(memory);
            }
            let whole: Vec<f64> = (0..SLOTS).map(|slot| mean(&days.iter().map(|day| day[slot]).collect::<Vec<f64>>())).collect();
            let wave = wave(site);
            least = least.min(correlation(&whole, &wave));
            let swing = 2.0 * whole.iter().zip(&wave).map(|(value, wave)| value * wave).sum::<f64>() / SLOTS as f64;
            rows.push(Row::number(format!("{}: mean, °C", site.name), site.celsius.0, 0.2, mean(&whole)));
            rows.push(Row::number(format!("{}: swing of the day, °C", site.name), site.celsius.1, 0.2, swing));
        }
        rows.push(Row::within("least correlation of a site's mean day with its sine", "1", 0.99, 1.0, least));
        rows.push(Row::number("spread of the noise, °C", 0.8, 0.03, mean(&spreads)));
        rows.push(Row::number("what of the noise carries over to the next reading (code)", 0.8, 0.03, mean(&memories)));
        rows
    }
}

fn wave(site: &Site) -> Vec<f64> {
    (0..SLOTS).map(|slot| sin_turns((slot as f64 + 0.5) / SLOTS as f64 + site.day_offset)).collect()
}

/// The mean of each time of the day.
fn mean_day(readings: &[f64]) -> Vec<f64> {
    let at = |slot: usize| readings.iter().skip(slot).step_by(SLOTS).copied().filter(|value| !value.is_nan()).collect::<Vec<f64>>();
    (0..SLOTS).map(|slot| mean(&at(slot))).collect()
}

/// Standard deviation about the mean day, and correlation of neighbours.
fn noise(readings: &[f64], day: &[f64]) -> (f64, f64) {
    let rest: Vec<f64> = readings.iter().enumerate().map(|(number, value)| value - day[number % SLOTS]).collect();
    let known: Vec<f64> = rest.iter().copied().filter(|value| !value.is_nan()).collect();
    let days = readings.len() as f64 / SLOTS as f64;
    let spread = (known.iter().map(|value| value * value).sum::<f64>() / known.len() as f64 * days / (days - 1.0)).sqrt();
    let pairs = rest.windows(2).filter(|pair| pair.iter().all(|value| !value.is_nan()));
    let (before, after): (Vec<f64>, Vec<f64>) = pairs.map(|pair| (pair[0], pair[1])).unzip();
    (spread, correlation(&before, &after))
}
