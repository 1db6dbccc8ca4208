//! `docs/data-measured.md`: 24 hours of all streams with the usual dirt, held against what is stated of them.

mod bank;
mod dirt;
mod feed;
mod sensors;
mod shop;

use std::collections::HashSet;
use std::fmt::Write;

use super::{HOUR_MS, SEED, Told, keep, told};
use crate::generators::dirt::DirtLevel;
use crate::generators::schema::StreamId;
use crate::generators::world::World;

const STRETCH_MS: i64 = 24 * HOUR_MS;
const SECONDS: f64 = STRETCH_MS as f64 / 1000.0;

/// One thing that is stated, and what was found.
struct Row {
    what: String,
    stated: String,
    least: f64,
    most: f64,
    measured: f64,
    /// Shares are shown in percent.
    share: bool,
}

impl Row {
    fn number(what: impl Into<String>, stated: f64, tolerance: f64, measured: f64) -> Row {
        let (least, most) = (stated - tolerance, stated + tolerance);
        Row { what: what.into(), stated: shown(stated, false), least, most, measured, share: false }
    }

    fn share(what: impl Into<String>, stated: f64, tolerance: f64, measured: f64) -> Row {
        Row { stated: shown(stated, true), share: true, ..Row::number(what, stated, tolerance, measured) }
    }

    fn within(what: impl Into<String>, stated: &str, least: f64, most: f64, measured: f64) -> Row {
        Row { what: what.into(), stated: stated.to_owned(), least, most, measured, share: false }
    }

    fn holds(&self) -> bool {
        (self.least..=self.most).contains(&self.measured)
    }
}

fn shown(value: f64, share: bool) -> String {
    let value = if share { value * 100.0 } else { value };
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if share { format!("{text} %") } else { text.to_owned() }
}

/// Ids seen in the last minutes: a second copy follows within 20 seconds of the first.
#[derive(Default)]
struct Recent {
    ids: [HashSet<[u8; 26]>; 2],
    turned_ms: i64,
}

impl Recent {
    /// False for an id that was there before.
    fn is_new(&mut self, told: &Told) -> bool {
        if told.arrived_ms() > self.turned_ms + 60_000 {
            self.turned_ms = told.arrived_ms();
            self.ids.swap(0, 1);
            self.ids[0].clear();
        }
        let id: [u8; 26] = told.event.value[13..39].try_into().unwrap();
        !self.ids[1].contains(&id) && self.ids[0].insert(id)
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product =
        |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum() };
    product(a, mean_a, b, mean_b) / (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt()
}

/// What the busiest make of all, by their number.
fn share_of_first(counts: impl Iterator<Item = f64>, first: usize) -> f64 {
    let mut counts: Vec<f64> = counts.collect();
    counts.sort_unstable_by(|a, b| b.total_cmp(a));
    counts.iter().take(first).sum::<f64>() / counts.iter().sum::<f64>()
}

const HEAD: &str = "# The data, measured

24 hours of the four streams (seed 42, `--dirt 1`, about 5.7 million records), held against what is stated of them.
`UPDATE_DOCS=1 cargo test --lib data_measured` measures again, writes this page, and fails if a row is out of its bounds.

Unless a row is about dirt, damaged records and second copies are left out. Amounts are those of the records; fraud is what the ledger
notes as fraud. `(code)` stands where the value is not a promise but a parameter in `src/generators`.

";

fn measure() -> Vec<(&'static str, Vec<Row>)> {
    let world = World::new(SEED, DirtLevel::Stated);
    let mut recent = Recent::default();
    let (mut shop, mut sensors, mut feed, mut bank) =
        (shop::Shop::default(), sensors::Sensors::default(), feed::Feed::default(), bank::Bank::default());
    let mut dirt = dirt::DirtSeen::default();
    for told in told(SEED, DirtLevel::Stated, 0, STRETCH_MS) {
        let first = recent.is_new(&told);
        dirt.add(&told, first);
        if !first || told.value.is_none() {
            continue;
        }
        let faulty = told.noted("fault").is_some();
        match told.event.stream {
            StreamId::ECOMMERCE => {
                shop.add(&told, faulty);
                bank.add_purchase(&told, faulty);
            }
            StreamId::IOT if !faulty => sensors.add(&told),
            StreamId::SOCIAL => feed.add(&world, &told, faulty),
            StreamId::FINANCE => bank.add_payment(&world, &told, faulty),
            _ => {}
        }
    }
    vec![
        ("The shop", shop.rows()),
        ("Sensors", sensors.rows()),
        ("The feed", feed.rows()),
        ("Payments", bank.rows()),
        ("Dirt", dirt.rows()),
    ]
}

#[test]
fn data_measured_over_a_day_is_within_what_is_stated() {
    let sections = measure();
    let mut page = HEAD.to_owned();
    let mut outside = Vec::new();
    for (title, rows) in &sections {
        write!(page, "## {title}\n\n| what | stated | allowed | measured | |\n|---|---|---|---|---|\n").unwrap();
        for row in rows {
            let shown = |value| shown(value, row.share);
            let allowed = match (row.least.is_finite(), row.most.is_finite()) {
                (true, true) => format!("{} to {}", shown(row.least), shown(row.most)),
                (true, false) => format!("{} or more", shown(row.least)),
                _ => format!("{} or less", shown(row.most)),
            };
            let verdict = if row.holds() { "pass" } else { "FAIL" };
            let line = format!("| {} | {} | {allowed} | {} | {verdict} |", row.what, row.stated, shown(row.measured));
            println!("{line}");
            if !row.holds() {
                outside.push(line.clone());
            }
            page.push_str(&line);
            page.push('\n');
        }
        page.push('\n');
    }
    assert!(outside.is_empty(), "{}", outside.join("\n"));
    keep("data-measured.md", &(page.trim_end().to_owned() + "\n"));
}
