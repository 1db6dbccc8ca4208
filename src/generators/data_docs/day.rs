//! One day of the town, drawn: a picture of each stream.

use std::collections::BTreeMap;

use super::svg::{Anchor, Axis, COLOURS, GREY, Panel, Svg, legend};
use super::{HOUR_MS, Told, keep, one_day};
use crate::generators::schema::StreamId;
use crate::generators::town::places::COUNTRIES;
use crate::generators::town::products::CATEGORIES;
use crate::generators::town::sites::SITES;

pub const SECTION: &str = "
## A day

The town's day lasts an hour. One of them, without dirt, by minutes of event time:

![Visits to the shop](pictures/day-ecommerce-events.svg)

![Temperatures of the sites](pictures/day-iot-sensor-data.svg)

![Posts and what they set off](pictures/day-social-media-feed.svg)

![Payments and fraud](pictures/day-financial-transactions.svg)
";

const MINUTES: usize = 60;
const WINDOWS: usize = 12;
const WIDTH: f64 = 760.0;

/// Counts of the minutes of a day.
type Minutes = [f64; MINUTES];

pub struct Day {
    from_ms: i64,
    shop: BTreeMap<String, Minutes>,
    /// Sums and counts of degrees Celsius.
    degrees: BTreeMap<String, (Minutes, Minutes)>,
    actions: BTreeMap<String, Minutes>,
    posts_by_topic: Vec<Minutes>,
    payments: Vec<Payment>,
}

struct Payment {
    window: usize,
    country: usize,
    amount: f64,
    risk: f64,
    fraud: bool,
}

impl Day {
    pub fn new(from_ms: i64) -> Day {
        Day {
            from_ms,
            shop: BTreeMap::new(),
            degrees: BTreeMap::new(),
            actions: BTreeMap::new(),
            posts_by_topic: vec![[0.0; MINUTES]; CATEGORIES.len()],
            payments: Vec::new(),
        }
    }

    pub fn add(&mut self, told: &Told) {
        let since = told.happened_ms() - self.from_ms;
        let Some(minute) = usize::try_from(since / 60_000).ok().filter(|&minute| since >= 0 && minute < MINUTES) else { return };
        match told.event.stream {
            StreamId::ECOMMERCE => self.shop.entry(told.text("event_type").to_owned()).or_insert([0.0; MINUTES])[minute] += 1.0,
            StreamId::IOT => self.add_reading(told, minute),
            StreamId::SOCIAL => self.add_action(told, minute),
            StreamId::FINANCE => self.add_payment(told, minute),
            _ => {}
        }
    }

    fn add_reading(&mut self, told: &Told, minute: usize) {
        if told.text("sensor_type") != "temperature" {
            return;
        }
        let value = told.value()["value"].as_f64().unwrap_or(0.0);
        let celsius = if told.text("unit") == "F" { (value - 32.0) / 1.8 } else { value };
        let (sums, counts) = self.degrees.entry(told.text("location").to_owned()).or_insert(([0.0; MINUTES], [0.0; MINUTES]));
        sums[minute] += celsius;
        counts[minute] += 1.0;
    }

    fn add_action(&mut self, told: &Told, minute: usize) {
        let action = told.text("action_type");
        self.actions.entry(action.to_owned()).or_insert([0.0; MINUTES])[minute] += 1.0;
        let tag = told.value()["hashtags"][0].as_str();
        let topic = tag.and_then(|tag| CATEGORIES.iter().position(|category| category.hashtags.contains(&tag)));
        if let Some(topic) = topic.filter(|_| action == "post") {
            self.posts_by_topic[topic][minute] += 1.0;
        }
    }

    fn add_payment(&mut self, told: &Told, minute: usize) {
        let value = told.value();
        self.payments.push(Payment {
            window: minute * WINDOWS / MINUTES,
            country: COUNTRIES.iter().position(|country| country.code == told.text("country")).unwrap_or(0),
            amount: value["amount_usd"].as_f64().unwrap_or(0.0),
            risk: value["risk_score"].as_f64().unwrap_or(0.0),
            fraud: told.noted("fraud").is_some(),
        });
    }
}

fn highest<'a>(curves: impl IntoIterator<Item = &'a Minutes>) -> f64 {
    curves.into_iter().flatten().copied().fold(1.0, f64::max) * 1.05
}

fn panel(top: f64, height: f64, y: Axis) -> Panel {
    Panel { left: 44.0, top, width: WIDTH - 44.0 - 130.0, height, x: Axis::new(0.0, 60.0), y }
}

fn curves(svg: &mut Svg, panel: &Panel, named: &[(&str, &Minutes)]) {
    for (row, (_, values)) in named.iter().enumerate() {
        panel.curve(svg, &values[..], COLOURS[row % COLOURS.len()], 1.5);
    }
    legend(svg, WIDTH - 122.0, panel.top + 8.0, named.iter().enumerate().map(|(row, (name, _))| (*name, COLOURS[row % COLOURS.len()])));
}

fn of<'d>(curves: &'d BTreeMap<String, Minutes>, names: &[&'static str]) -> Vec<(&'static str, &'d Minutes)> {
    names.iter().filter_map(|&name| Some((name, curves.get(name)?))).collect()
}

fn shop(day: &Day) -> String {
    let mut svg = Svg::new(WIDTH, 400.0);
    let many = of(&day.shop, &["view"]);
    let few = of(&day.shop, &["add_to_cart", "search", "purchase", "checkout", "remove_from_cart"]);
    for (top, height, title, named) in
        [(20.0, 130.0, "ecommerce-events: views a minute", many), (205.0, 160.0, "everything else a minute", few)]
    {
        let panel = panel(top, height, Axis::new(0.0, highest(named.iter().map(|(_, values)| *values))));
        panel.draw(&mut svg, title, "minutes");
        curves(&mut svg, &panel, &named);
    }
    svg.done()
}

fn temperatures(day: &Day) -> String {
    let mut svg = Svg::new(WIDTH, 300.0);
    let panel = panel(20.0, 240.0, Axis::new(-4.0, 44.0));
    panel.draw(
        &mut svg,
        "iot-sensor-data: mean temperature of each site's five sensors, degrees Celsius; below 0 and above 40 is an alert",
        "minutes",
    );
    for limit in [0.0, 40.0] {
        svg.line([panel.at(0.0, limit), panel.at(60.0, limit)], "#c8504f", 1.0);
    }
    let means: Vec<(&str, Minutes)> = SITES
        .iter()
        .filter_map(|site| {
            let (sums, counts) = day.degrees.get(site.name)?;
            Some((site.name, std::array::from_fn(|minute| sums[minute] / f64::max(counts[minute], 1.0))))
        })
        .collect();
    let named: Vec<(&str, &Minutes)> = means.iter().map(|(name, values)| (*name, values)).collect();
    curves(&mut svg, &panel, &named);
    svg.done()
}

fn feed(day: &Day) -> String {
    let mut svg = Svg::new(WIDTH, 420.0);
    let actions = of(&day.actions, &["like", "comment", "share", "post"]);
    let first = panel(20.0, 130.0, Axis::new(0.0, highest(actions.iter().map(|(_, values)| *values))));
    first.draw(&mut svg, "social-media-feed: actions a minute", "minutes");
    curves(&mut svg, &first, &actions);
    // Smoothed over five minutes: a topic has a few posts a minute.
    let smooth = |values: &Minutes| -> Minutes {
        std::array::from_fn(|minute| {
            let near = &values[minute.saturating_sub(2)..(minute + 3).min(MINUTES)];
            near.iter().sum::<f64>() / near.len() as f64
        })
    };
    let topics: Vec<(&str, Minutes)> =
        CATEGORIES.iter().zip(&day.posts_by_topic).map(|(category, values)| (category.name, smooth(values))).collect();
    let named: Vec<(&str, &Minutes)> = topics.iter().map(|(name, values)| (*name, values)).collect();
    let second = panel(205.0, 180.0, Axis::new(0.0, highest(named.iter().map(|(_, values)| *values))));
    second.draw(&mut svg, "posts a minute by topic, mean of five minutes: two at a time are in fashion for ten minutes", "minutes");
    curves(&mut svg, &second, &named);
    svg.done()
}

fn payments(day: &Day) -> String {
    let mut svg = Svg::new(WIDTH, 570.0);
    let scatter = Panel { x: Axis::log(1.0, 10_000.0), ..panel(20.0, 200.0, Axis::new(0.0, 1.0)) };
    scatter.draw(&mut svg, "financial-transactions: risk_score by amount", "amount_usd");
    let dots = |fraud: bool, every: usize| {
        let chosen = day.payments.iter().filter(move |payment| payment.fraud == fraud).step_by(every);
        chosen.map(|payment| scatter.at(payment.amount, payment.risk)).collect::<Vec<_>>()
    };
    svg.dots(dots(false, 8), GREY, 2.0);
    svg.dots(dots(true, 1), COLOURS[3], 2.5);
    svg.line([scatter.at(1.0, 0.7), scatter.at(10_000.0, 0.7)], COLOURS[1], 0.7);
    legend(&mut svg, WIDTH - 122.0, 28.0, [("fraud", COLOURS[3]), ("one honest in eight", GREY), ("0.7", COLOURS[1])]);
    windows(day, &mut svg);
    svg.done()
}

/// Payments of each country in windows of five minutes, the fraudulent ones in their own colour.
fn windows(day: &Day, svg: &mut Svg) {
    svg.text(44.0, 268.0, Anchor::Start, GREY, "payments in windows of five minutes, by country; each to its own scale; red: fraud");
    for (index, country) in COUNTRIES.iter().enumerate() {
        let mut counts = [[0.0_f64; 2]; WINDOWS];
        let here = day.payments.iter().filter(|payment| payment.country == index);
        here.for_each(|payment| counts[payment.window][usize::from(payment.fraud)] += 1.0);
        let most = counts.iter().map(|[honest, fraud]| honest + fraud).fold(1.0, f64::max);
        let (left, floor) = (44.0 + 178.0 * (index % 4) as f64, 360.0 + 95.0 * (index / 4) as f64);
        for (window, [honest, fraud]) in counts.into_iter().enumerate() {
            let x = left + 13.0 * window as f64;
            let [honest, fraud] = [honest, fraud].map(|count| 64.0 * count / most);
            svg.bar(x, floor - honest, 12.0, honest, COLOURS[0]);
            svg.bar(x, floor - honest - fraud, 12.0, fraud, COLOURS[3]);
        }
        svg.text(left, floor + 11.0, Anchor::Start, GREY, &format!("{}, at most {most}", country.code));
    }
}

#[test]
fn the_committed_pictures_of_a_day_are_what_the_streams_did() {
    let (_, day) = one_day();
    let topic = |stream: StreamId| stream.topic();
    for (stream, picture) in [
        (StreamId::ECOMMERCE, shop(day)),
        (StreamId::IOT, temperatures(day)),
        (StreamId::SOCIAL, feed(day)),
        (StreamId::FINANCE, payments(day)),
    ] {
        assert!(picture.len() < 64_000, "{} is a big picture: {}", topic(stream), picture.len());
        keep(&format!("pictures/day-{}.svg", topic(stream)), &picture);
    }
    assert_eq!(day.from_ms, HOUR_MS);
}
