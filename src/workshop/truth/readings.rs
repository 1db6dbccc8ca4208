//! Sensor readings, gathered by sensor, so that every way to average them can be computed afterwards.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;

use crate::model::{Offset, PartitionId};

use super::events::{EventKey, Field, Seen, read};

/// Which readings, and where the limits are.
#[derive(Clone, Debug)]
pub struct Limits {
    pub sensor_type: String,
    pub below: f64,
    pub above: f64,
    /// What a sensor says that has no reading.
    pub sentinel: f64,
}

#[derive(Deserialize)]
struct Reading<'a> {
    #[serde(borrow, default)]
    event_id: Field<'a>,
    #[serde(borrow, default)]
    device_id: Field<'a>,
    #[serde(borrow, default)]
    sensor_type: Field<'a>,
    #[serde(borrow, default)]
    value: Field<'a>,
    #[serde(borrow, default)]
    unit: Field<'a>,
    #[serde(borrow, default)]
    location: Field<'a>,
}

/// A sum and how many it is of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    pub sum: f64,
    pub count: u64,
}

impl Mean {
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count = self.count.saturating_add(1);
    }

    pub fn join(&mut self, other: Mean) {
        self.sum += other.sum;
        self.count = self.count.saturating_add(other.count);
    }

    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Readings of one sensor: all, and without copies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Both {
    pub all: Mean,
    pub once: Mean,
}

impl Both {
    pub fn add(&mut self, value: f64, again: bool) {
        self.all.add(value);
        if !again {
            self.once.add(value);
        }
    }
}

/// One sensor's, as long as its place, type and unit stay.
#[derive(Clone, Debug)]
pub struct Group {
    pub partition: PartitionId,
    pub device: String,
    pub place: String,
    /// Of the type that is asked for.
    pub wanted: bool,
    pub fahrenheit: bool,
    /// As they came, in the sensor's unit, without sentinels.
    pub raw: Both,
    /// The same in degrees Celsius.
    pub celsius: Both,
    /// How often it said that it has no reading: all, and without copies.
    pub sentinels: (u64, u64),
}

/// Why a reading is an alert: one bit for each way to decide.
pub mod ways {
    pub const RIGHT: u8 = 1;
    /// Fahrenheit taken for Celsius.
    pub const RAW: u8 = 2;
    /// Of any type.
    pub const ANY_TYPE: u8 = 4;
    /// The right ones and sentinels.
    pub const SENTINEL: u8 = 8;
    /// The right ones and the sentinels of sensors in Fahrenheit: those that are not -999 any more once they are converted.
    pub const SENTINEL_CONVERTED: u8 = 16;
    /// At the limits too.
    pub const INCLUSIVE: u8 = 32;
}

/// A reading that is an alert in some way.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub partition: PartitionId,
    pub offset: Offset,
    pub ways: u8,
    pub celsius: f64,
    pub place: String,
    pub copies: u64,
}

pub struct Tally {
    partition: PartitionId,
    devices: HashMap<Box<str>, Vec<usize>>,
    groups: Vec<Group>,
    /// Key, offset, ways, celsius and group.
    candidates: Vec<(EventKey, Offset, u8, f64, usize)>,
    seen: Seen,
}

/// What a topic's range holds.
#[derive(Default)]
pub struct Readings {
    pub groups: Vec<Group>,
    pub candidates: HashMap<EventKey, Candidate>,
}

/// In Celsius, to a billionth of a degree, so that what is just at a limit is at it however it is computed.
pub fn to_celsius(value: f64) -> f64 {
    ((value - 32.0) * 5.0 / 9.0 * 1e9).round() / 1e9
}

impl Limits {
    fn beyond(&self, value: f64) -> bool {
        value < self.below || value > self.above
    }

    fn at_or_beyond(&self, value: f64) -> bool {
        value <= self.below || value >= self.above
    }

    fn ways(&self, wanted: bool, fahrenheit: bool, raw: f64, celsius: f64) -> u8 {
        let bit = |way, holds: bool| if holds { way } else { 0 };
        if raw == self.sentinel {
            // Its own alert where somebody takes it for a reading.
            let converted = bit(ways::SENTINEL_CONVERTED, wanted && fahrenheit && self.beyond(celsius));
            return bit(ways::SENTINEL, wanted && self.beyond(celsius)) | converted;
        }
        let right = wanted && self.beyond(celsius);
        bit(ways::RIGHT | ways::SENTINEL | ways::SENTINEL_CONVERTED, right)
            | bit(ways::RAW, wanted && self.beyond(raw))
            | bit(ways::ANY_TYPE, self.beyond(celsius))
            | bit(ways::INCLUSIVE, wanted && self.at_or_beyond(celsius))
    }
}

impl Tally {
    pub fn of(partition: PartitionId) -> Tally {
        Tally { partition, devices: HashMap::new(), groups: Vec::new(), candidates: Vec::new(), seen: Seen::default() }
    }

    pub fn visit(&mut self, limits: &Limits, offset: Offset, value: Option<&Bytes>) {
        let Some(reading) = read::<Reading<'_>>(value) else { return };
        let (Some(raw), Some(place)) = (reading.value.number(), reading.location.text()) else { return };
        let (wanted, fahrenheit) = (reading.sensor_type.is(&limits.sensor_type), reading.unit.is("F"));
        let celsius = if fahrenheit { to_celsius(raw) } else { raw };
        let again = self.seen.again(&reading.event_id);
        let at = self.group(reading.device_id.text().unwrap_or_default(), place, wanted, fahrenheit);
        let Some(group) = self.groups.get_mut(at) else { return };
        if raw == limits.sentinel {
            group.sentinels.0 = group.sentinels.0.saturating_add(1);
            group.sentinels.1 = group.sentinels.1.saturating_add(u64::from(!again));
        } else {
            group.raw.add(raw, again);
            group.celsius.add(celsius, again);
        }
        let ways = limits.ways(wanted, fahrenheit, raw, celsius);
        if ways != 0
            && let Some(id) = reading.event_id.text()
        {
            self.candidates.push((EventKey::of(id), offset, ways, celsius, at));
        }
    }

    /// Where the group of a sensor is; a new one if it has none.
    fn group(&mut self, device: &str, place: &str, wanted: bool, fahrenheit: bool) -> usize {
        let same = |group: &Group| group.wanted == wanted && group.fahrenheit == fahrenheit && group.place == place;
        if let Some(of_device) = self.devices.get(device)
            && let Some(at) = of_device.iter().find(|at| self.groups.get(**at).is_some_and(same))
        {
            return *at;
        }
        let at = self.groups.len();
        self.groups.push(Group {
            partition: self.partition,
            device: device.to_owned(),
            place: place.to_owned(),
            wanted,
            fahrenheit,
            raw: Both::default(),
            celsius: Both::default(),
            sentinels: (0, 0),
        });
        self.devices.entry(device.into()).or_default().push(at);
        at
    }
}

impl Readings {
    pub fn of(tallies: impl IntoIterator<Item = Tally>) -> Readings {
        let mut readings = Readings::default();
        for tally in tallies {
            for (key, offset, ways, celsius, at) in &tally.candidates {
                let place = || tally.groups.get(*at).map(|group| group.place.clone()).unwrap_or_default();
                let first =
                    || Candidate { partition: tally.partition, offset: *offset, ways: *ways, celsius: *celsius, place: place(), copies: 0 };
                let candidate = readings.candidates.entry(*key).or_insert_with(first);
                candidate.copies = candidate.copies.saturating_add(1);
            }
            readings.groups.extend(tally.groups);
        }
        readings
    }

    /// Averages by place of the groups' means, which `of` takes and alters; without the places that have none.
    pub fn averages(&self, of: impl Fn(&Group) -> Option<Mean>) -> Averages {
        let mut places: BTreeMap<&str, Mean> = BTreeMap::new();
        for group in &self.groups {
            if let Some(mean) = of(group).filter(|mean| mean.count > 0) {
                places.entry(&group.place).or_default().join(mean);
            }
        }
        finished(places)
    }

    /// Averages by place of averages by `part`.
    pub fn averages_of_averages<'a, P: Ord>(&'a self, part: impl Fn(&'a Group) -> P, of: impl Fn(&Group) -> Option<Mean>) -> Averages {
        let mut parts: BTreeMap<(&str, P), Mean> = BTreeMap::new();
        for group in &self.groups {
            if let Some(mean) = of(group) {
                parts.entry((group.place.as_str(), part(group))).or_default().join(mean);
            }
        }
        let mut places: BTreeMap<&str, Mean> = BTreeMap::new();
        for ((place, _), mean) in parts {
            if let Some(value) = mean.value() {
                places.entry(place).or_default().add(value);
            }
        }
        finished(places)
    }

    /// Averages by place of those readings only that are alerts.
    pub fn averages_of_alerts(&self, way: u8, once: bool) -> Averages {
        let mut places: BTreeMap<&str, Mean> = BTreeMap::new();
        for candidate in self.candidates.values().filter(|candidate| candidate.ways & way != 0) {
            let count = if once { 1 } else { candidate.copies };
            places.entry(&candidate.place).or_default().join(Mean { sum: candidate.celsius * count as f64, count });
        }
        finished(places)
    }
}

/// By place.
pub type Averages = BTreeMap<String, f64>;

fn finished(places: BTreeMap<&str, Mean>) -> Averages {
    places.into_iter().filter_map(|(place, mean)| Some((place.to_owned(), mean.value()?))).collect()
}
