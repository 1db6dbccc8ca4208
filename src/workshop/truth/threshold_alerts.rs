//! Alerts on readings beyond two limits, and averages by place.
//!
//! Parameters: `topic`, `sensor_type`, `below`, `above`, and `sentinel` (-999), which a sensor says that has no reading.
//!
//! An alert is a reading of the type that is, in degrees Celsius, below the one or above the other limit. A place's average is that of
//! all its readings of the type, whether or not those that arrived twice count twice. Sentinels and what is no number are no readings.
//!
//! The results topic has `{"event_id", "location", "celsius"}` for each alert, and `{"final": true, "averages": {PLACE: CELSIUS}}` at the
//! end.
//!
//! | check | |
//! |---|---|
//! | `alerts` | the alerts, as a set of event ids, each with its place |
//! | `celsius` | the temperatures of those that are alerts, within 0.01 |
//! | `averages` | for all places and no others, within 0.01 |
//!
//! Alerts or averages that are wrong have to be those of the mistake, those that are right need not.
//!
//! | mistake | its answer | facts, besides `got`: how many alerts were handed in |
//! |---|---|---|
//! | `fahrenheit` | Fahrenheit is taken for Celsius | `readings`: how many are in Fahrenheit; `surplus`: alerts that are none |
//! | `all-sensors` | sensors of every type count | `surplus` |
//! | `sentinel` | sentinels count as readings | `sentinels`: how many; `value`: what they say |
//! | `inclusive` | readings at a limit are alerts too | `boundary`: how many |
//! | `alerts-only` | averages of the alerts | `place`, `average`: the first that is wrong |
//! | `average-of-averages` | the averages of sensors or partitions are averaged | `place`, `average`, `parts`: `sensors` or `partitions` |

use std::collections::HashSet;

use crate::model::TopicName;
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};

use super::events::EventKey;
use super::parameters::Parameters;
use super::readings::{Averages, Candidate, Group, Limits, Mean, Readings, Tally, to_celsius, ways};
use super::run::{Entry, Run, counted, excerpt, shown};
use super::{Case, LogError, Truth, scan};

/// How far a temperature may be off: what rounding to two decimals does, twice over.
const TOLERANCE: f64 = 0.01 + 1e-9;

pub struct ThresholdAlerts {
    topic: TopicName,
    limits: Limits,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let limits = Limits {
        sensor_type: parameters.text("sensor_type")?,
        below: parameters.number("below")?,
        above: parameters.number("above")?,
        sentinel: parameters.number_or("sentinel", -999.0)?,
    };
    if limits.below >= limits.above {
        return Err("the parameter \"below\" is not below \"above\"".to_owned());
    }
    let wish = parameters.wish(vec![topic.clone()], 15..25, 5)?;
    parameters.finish()?;
    Ok(Box::new(ThresholdAlerts { topic, limits, wish }))
}

/// An answer as far as it can be read.
struct Handed<'r> {
    alerts: Vec<(EventKey, &'r Entry)>,
    keys: HashSet<EventKey>,
    averages: Option<Averages>,
}

impl Truth for ThresholdAlerts {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["alerts", "celsius", "averages"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["fahrenheit", "all-sensors", "sentinel", "inclusive", "alerts-only", "average-of-averages"]
    }

    fn looks_at_evidence(&self) -> bool {
        false
    }

    fn tells_all(&self) -> bool {
        true
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let run = Run::last_of(case.answer);
        let visit = |tally: &mut Tally, record: &crate::cluster::StoredRecord| {
            tally.visit(&self.limits, record.offset, record.value.as_ref());
        };
        let tallies = scan(case.log, case.ticket, self.topic.as_str(), Tally::of, visit)?;
        let readings = Readings::of(tallies.into_iter().map(|(_, tally)| tally));
        let key = |entry: &'_ Entry| entry.text("event_id").map(EventKey::of);
        let alerts: Vec<(EventKey, &Entry)> = run.entries.iter().filter_map(|entry| Some((key(entry)?, entry))).collect();
        let keys = alerts.iter().map(|(key, _)| *key).collect();
        let handed = Handed { alerts, keys, averages: averages(&run) };
        let checks =
            vec![alert_check(&run, &handed, &readings), celsius_check(&handed, &readings), average_check(&run, &handed, &readings)];
        let mut judgement = Judgement { checks, ..Judgement::default() };
        if !judgement.passed() {
            judgement.mistake = self.mistake(&handed, &readings, &judgement.checks);
        }
        Ok(judgement)
    }
}

fn averages(run: &Run<'_>) -> Option<Averages> {
    let places = run.end.as_ref()?.value.get("averages")?.as_object()?;
    places.iter().map(|(place, value)| Some((place.clone(), value.as_f64()?))).collect()
}

/// The alerts by one way to decide.
fn of_way(readings: &Readings, way: u8) -> impl Iterator<Item = (&EventKey, &Candidate)> {
    readings.candidates.iter().filter(move |(_, candidate)| candidate.ways & way != 0)
}

fn is_set(keys: &HashSet<EventKey>, readings: &Readings, way: u8) -> bool {
    of_way(readings, way).count() == keys.len() && of_way(readings, way).all(|(key, _)| keys.contains(key))
}

fn alert_check(run: &Run<'_>, handed: &Handed<'_>, readings: &Readings) -> Check {
    let id = "alerts";
    if run.is_empty() {
        return Check::fail(id, "Nothing arrived in your results topic.");
    }
    if let Some(complaint) = run.complaint() {
        return Check::fail(id, complaint);
    }
    if let Some(entry) = run.entries.iter().find(|entry| entry.text("event_id").is_none()) {
        return Check::fail(id, format!("The record at offset {} of your results topic has no \"event_id\".", entry.offset));
    }
    let right = |key: &EventKey| readings.candidates.get(key).filter(|candidate| candidate.ways & ways::RIGHT != 0);
    let expected = counted(of_way(readings, ways::RIGHT).count(), "alert", "alerts");
    let got = counted(handed.keys.len(), "alert", "alerts");
    let missing = || of_way(readings, ways::RIGHT).filter(|(key, _)| !handed.keys.contains(key));
    let first_missing = missing().map(|(_, candidate)| (candidate.partition, candidate.offset)).min();
    let surplus: HashSet<&EventKey> = handed.keys.iter().filter(|key| right(key).is_none()).collect();
    let mut wrong = Vec::new();
    if let Some((_, entry)) = handed.alerts.iter().find(|(key, _)| surplus.contains(key)) {
        let event = excerpt(entry.text("event_id").unwrap_or_default());
        let are = if surplus.len() == 1 { "is none" } else { "are none" };
        wrong.push(format!("Too many: {} of yours {are}, the first is event {event}{}.", surplus.len(), place_of(entry, readings)));
    }
    if let Some((partition, offset)) = first_missing {
        let one = missing().count() == 1;
        wrong.push(format!(
            "Too few: {} missing; the first is at offset {offset} of partition {partition}.",
            if one { "one is" } else { "some are" }
        ));
    }
    if !wrong.is_empty() {
        return Check::fail(id, wrong.join(" ")).expected(expected).got(got);
    }
    let misplaced =
        |(key, entry): &&(EventKey, &Entry)| right(key).is_some_and(|candidate| entry.text("location") != Some(&candidate.place));
    if let Some((_, entry)) = handed.alerts.iter().find(misplaced) {
        let event = excerpt(entry.text("event_id").unwrap_or_default());
        let location = shown(entry.value.get("location"));
        return Check::fail(id, format!("The \"location\" of event {event} is {location}: not where its sensor is.")).got(got);
    }
    Check::pass(id, format!("All {got} are right, and none is missing.")).got(got)
}

fn place_of(entry: &Entry, readings: &Readings) -> String {
    let candidate = entry.text("event_id").and_then(|id| readings.candidates.get(&EventKey::of(id)));
    candidate.map_or_else(String::new, |at| format!(" at offset {} of partition {}", at.offset, at.partition))
}

fn celsius_check(handed: &Handed<'_>, readings: &Readings) -> Check {
    let id = "celsius";
    let mut looked_at: usize = 0;
    for (key, entry) in &handed.alerts {
        let Some(candidate) = readings.candidates.get(key).filter(|candidate| candidate.ways & ways::RIGHT != 0) else { continue };
        looked_at = looked_at.saturating_add(1);
        let event = format!("event {}{}", excerpt(entry.text("event_id").unwrap_or_default()), place_of(entry, readings));
        let Some(got) = entry.number("celsius") else {
            let got = shown(entry.value.get("celsius"));
            return Check::fail(id, format!("The \"celsius\" of {event} is no number.")).got(got);
        };
        if (got - candidate.celsius).abs() > TOLERANCE {
            let direction = if got > candidate.celsius { "too high" } else { "too low" };
            let expected = format!("{:.2}", candidate.celsius);
            return Check::fail(id, format!("The \"celsius\" of {event} is {direction}.")).expected(expected).got(got);
        }
    }
    match looked_at {
        0 if of_way(readings, ways::RIGHT).next().is_none() => Check::pass(id, "There are no alerts in your range."),
        0 => Check::skip(id, "None of your alerts is one."),
        _ => Check::pass(id, "The temperatures of your alerts are right."),
    }
}

/// With and without copies.
fn right_averages(readings: &Readings) -> (Averages, Averages) {
    let wanted = |once: bool| move |group: &Group| group.wanted.then(|| of(group, once));
    (readings.averages(wanted(false)), readings.averages(wanted(true)))
}

fn of(group: &Group, once: bool) -> Mean {
    if once { group.celsius.once } else { group.celsius.all }
}

fn listed(averages: &Averages) -> String {
    let places: Vec<String> = averages.iter().map(|(place, celsius)| format!("{place} {celsius:.2}")).collect();
    places.join(", ")
}

fn average_check(run: &Run<'_>, handed: &Handed<'_>, readings: &Readings) -> Check {
    let id = "averages";
    let (all, once) = right_averages(readings);
    let Some(end) = &run.end else { return Check::fail(id, "No record with \"final\": true arrived.") };
    let Some(got) = &handed.averages else {
        let shown = shown(end.value.get("averages"));
        return Check::fail(id, "The final \"averages\" is no object of places and numbers.").expected(listed(&all)).got(shown);
    };
    let fail = |message: String| Check::fail(id, message).expected(listed(&all)).got(excerpt(&listed(got)));
    if let Some(place) = all.keys().find(|place| !got.contains_key(*place)) {
        return fail(format!("There is no average of {place}."));
    }
    if let Some(place) = got.keys().find(|place| !all.contains_key(*place)) {
        return fail(format!("{:?} is no place with such readings in your range.", excerpt(place)));
    }
    for (place, got) in got {
        let right = [all.get(place), once.get(place)];
        let off = |right: &&f64| (got - **right).abs() <= TOLERANCE;
        if !right.into_iter().flatten().any(|right| off(&right)) {
            let high = right.into_iter().flatten().all(|right| got > right);
            return fail(format!("The average of {place} is too {}.", if high { "high" } else { "low" })).got(got);
        }
    }
    Check::pass(id, format!("Right for {}.", counted(got.len(), "place", "places")))
}

fn same(got: &Averages, wanted: &Averages) -> bool {
    let close = |(place, value): (&String, &f64)| wanted.get(place).is_some_and(|wanted| (value - wanted).abs() <= TOLERANCE);
    got.len() == wanted.len() && got.iter().all(close)
}

impl ThresholdAlerts {
    fn mistake(&self, handed: &Handed<'_>, readings: &Readings, checks: &[Check]) -> Option<Mistaken> {
        let failed = |id: &str| checks.iter().any(|check| check.id == id && check.status == CheckStatus::Fail);
        let (alerts_failed, averages_failed) = (failed("alerts"), failed("averages"));
        let got = handed.averages.as_ref();
        // Alerts may be wrong in something else than which they are.
        let right_set = is_set(&handed.keys, readings, ways::RIGHT);
        // A part that is wrong has to be the mistake's; averages that were not handed in are no part.
        let explained = |way: u8, averages: &dyn Fn(bool) -> Averages| {
            let alerts = alerts_failed.then(|| is_set(&handed.keys, readings, way) && !right_set);
            let means = got.filter(|_| averages_failed).map(|got| same(got, &averages(false)) || same(got, &averages(true)));
            (alerts.is_some() || means.is_some()) && alerts != Some(false) && means != Some(false)
        };
        let wanted = |once: bool, mean: &dyn Fn(&Group) -> Mean| {
            let _ = once;
            readings.averages(|group| group.wanted.then(|| mean(group)))
        };
        let right = |once: bool| wanted(once, &|group| of(group, once));
        let raw = |once: bool| wanted(once, &|group| if once { group.raw.once } else { group.raw.all });
        let every = |once: bool| readings.averages(|group| Some(of(group, once)));
        let with_sentinels =
            |once: bool, value: &dyn Fn(&Group) -> Option<f64>| wanted(once, &|group| self.with_sentinels(group, once, value(group)));
        let sentinel = self.limits.sentinel;
        let converted = |once| with_sentinels(once, &|group| Some(if group.fahrenheit { to_celsius(sentinel) } else { sentinel }));
        let plain = |once| with_sentinels(once, &|_| Some(sentinel));
        let fahrenheit_only = |once| with_sentinels(once, &|group| group.fahrenheit.then(|| to_celsius(sentinel)));
        let alerts_only = |once| readings.averages_of_alerts(ways::RIGHT, once);
        let by_device = |once| readings.averages_of_averages(|group| group.device.as_str(), |group| group.wanted.then(|| of(group, once)));
        let by_partition = |once| readings.averages_of_averages(|group| group.partition, |group| group.wanted.then(|| of(group, once)));
        let mistaken = |id| Mistaken::new(id).with("got", handed.keys.len());
        let surplus = || handed.keys.len().saturating_sub(of_way(readings, ways::RIGHT).count());
        if explained(ways::RAW, &raw) {
            let readings =
                readings.groups.iter().filter(|group| group.wanted && group.fahrenheit).map(|group| group.raw.all.count).sum::<u64>();
            return Some(mistaken("fahrenheit").with("readings", readings).with("surplus", surplus()));
        }
        if explained(ways::ANY_TYPE, &every) {
            return Some(mistaken("all-sensors").with("surplus", surplus()));
        }
        if explained(ways::SENTINEL, &converted)
            || explained(ways::SENTINEL, &plain)
            || explained(ways::SENTINEL_CONVERTED, &fahrenheit_only)
        {
            let count = readings.groups.iter().filter(|group| group.wanted).map(|group| group.sentinels.0).sum::<u64>();
            return Some(mistaken("sentinel").with("sentinels", count).with("value", sentinel));
        }
        if explained(ways::INCLUSIVE, &right) {
            let boundary = of_way(readings, ways::INCLUSIVE).filter(|(_, candidate)| candidate.ways & ways::RIGHT == 0).count();
            return Some(mistaken("inclusive").with("boundary", boundary));
        }
        let (place, average) = self.first_wrong(got?, readings)?;
        let mistaken = |id| mistaken(id).with("place", excerpt(&place)).with("average", format!("{average:.2}"));
        if explained(ways::RIGHT, &alerts_only) {
            return Some(mistaken("alerts-only"));
        }
        if explained(ways::RIGHT, &by_partition) {
            return Some(mistaken("average-of-averages").with("parts", "partitions"));
        }
        explained(ways::RIGHT, &by_device).then(|| mistaken("average-of-averages").with("parts", "sensors"))
    }

    /// The sentinels of a group count as readings of this value.
    fn with_sentinels(&self, group: &Group, once: bool, value: Option<f64>) -> Mean {
        let mut mean = of(group, once);
        let count = if once { group.sentinels.1 } else { group.sentinels.0 };
        if let Some(value) = value {
            mean.join(Mean { sum: value * count as f64, count });
        }
        mean
    }

    fn first_wrong(&self, got: &Averages, readings: &Readings) -> Option<(String, f64)> {
        let (all, once) = right_averages(readings);
        let close = |got: f64, right: Option<&f64>| right.is_some_and(|right| (got - right).abs() <= TOLERANCE);
        let wrong = |(place, value): &(&String, &f64)| !close(**value, all.get(*place)) && !close(**value, once.get(*place));
        let first = got.iter().find(wrong).or_else(|| got.iter().next())?;
        Some((first.0.clone(), *first.1))
    }
}
