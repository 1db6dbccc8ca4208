//! The eight sites and their 96 sensors.

use bytes::Bytes;

use crate::generators::incidents::FACTOR_MAX;
use crate::generators::random::{Dice, sin_turns};

pub struct Site {
    pub name: &'static str,
    /// Degrees Celsius: mean, and how far the day moves it either way.
    pub celsius: (f64, f64),
    pub humidity: (f64, f64),
    /// Share of a day by which the site is ahead of the first.
    pub day_offset: f64,
}

impl Site {
    /// The mean temperature at a time, given in days.
    pub fn celsius_at(&self, days: f64) -> f64 {
        self.celsius.0 + self.celsius.1 * sin_turns(days + self.day_offset)
    }
}

const fn site(name: &'static str, celsius: (f64, f64), humidity: (f64, f64), day_offset: f64) -> Site {
    Site { name, celsius, humidity, day_offset }
}

/// Only Helsinki freezes and only Dubai passes 40 degrees, each for a small part of its day.
pub static SITES: [Site; 8] = [
    site("Helsinki", (6.0, 6.0), (72.0, 10.0), 0.08),
    site("Lisbon", (18.0, 7.0), (66.0, 12.0), 0.0),
    site("Dubai", (31.0, 9.0), (48.0, 14.0), 0.17),
    site("Singapore", (24.0, 5.0), (80.0, 8.0), 0.33),
    site("Nairobi", (19.0, 6.0), (60.0, 14.0), 0.12),
    site("Toronto", (12.0, 7.0), (64.0, 11.0), 0.79),
    site("Santiago", (16.0, 8.0), (55.0, 13.0), 0.81),
    site("Sydney", (20.0, 6.0), (62.0, 12.0), 0.42),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorType {
    Temperature,
    Humidity,
    Battery,
    Vibration,
}

impl SensorType {
    pub const ALL: [SensorType; 4] = [SensorType::Temperature, SensorType::Humidity, SensorType::Battery, SensorType::Vibration];

    pub fn name(self) -> &'static str {
        match self {
            SensorType::Temperature => "temperature",
            SensorType::Humidity => "humidity",
            SensorType::Battery => "battery",
            SensorType::Vibration => "vibration",
        }
    }
}

/// What hangs at each site.
const EQUIPMENT: [(SensorType, usize); 4] =
    [(SensorType::Temperature, 5), (SensorType::Humidity, 3), (SensorType::Battery, 2), (SensorType::Vibration, 2)];

/// Six of the 96 devices (6 %) were ordered from the wrong catalogue and report Fahrenheit: one at each of six sites.
const FAHRENHEIT_SITES: usize = 6;

pub struct Device {
    /// `helsinki-temperature-1`; the record key of its readings.
    pub id: Bytes,
    pub site: &'static Site,
    pub sensor_type: SensorType,
    pub fahrenheit: bool,
    /// How its place differs from the site's mean; evenly spread, so that no seed makes a site warmer.
    pub offset: f64,
    pub firmware: &'static str,
    /// When in each five seconds it reads.
    pub phase_ms: i64,
}

impl SensorType {
    pub fn unit(self, fahrenheit: bool) -> &'static str {
        match self {
            SensorType::Temperature if fahrenheit => "F",
            SensorType::Temperature => "C",
            SensorType::Humidity => "%",
            SensorType::Battery => "V",
            SensorType::Vibration => "mm/s",
        }
    }
}

impl Device {
    /// Another of the same kind at the same site.
    pub fn is_beside(&self, other: &Device) -> bool {
        self.site.name == other.site.name && self.sensor_type == other.sensor_type
    }
}

/// Devices that report unless a higher rate is ordered.
pub const DEVICES: usize = 96;

/// The devices that hang at the sites, then those that are added when a higher rate is ordered, as many again at a time.
pub fn draw(dice: &mut Dice) -> Vec<Device> {
    let mut devices = Vec::with_capacity(DEVICES * RINGS);
    for ring in 0..RINGS {
        draw_ring(dice, ring, &mut devices);
    }
    devices
}

const RINGS: usize = FACTOR_MAX as usize;

fn draw_ring(dice: &mut Dice, ring: usize, devices: &mut Vec<Device>) {
    const FIRMWARE: [&str; 4] = ["2.3.1", "2.4.0", "2.4.2", "3.0.0"];
    let mut sites: Vec<usize> = (0..SITES.len()).collect();
    dice.shuffle(&mut sites);
    sites.truncate(FAHRENHEIT_SITES);
    for (site_index, site) in SITES.iter().enumerate() {
        for (sensor_type, count) in EQUIPMENT {
            let odd_one = dice.below(count) + 1;
            for number in 1..=count {
                devices.push(Device {
                    id: Bytes::from(format!("{}-{}-{}", site.name.to_ascii_lowercase(), sensor_type.name(), ring * count + number)),
                    site,
                    sensor_type,
                    fahrenheit: ring == 0 && sensor_type == SensorType::Temperature && number == odd_one && sites.contains(&site_index),
                    offset: 0.6 * ((number as f64 - 0.5) / count as f64 - 0.5),
                    firmware: dice.pick::<&'static str>(&FIRMWARE),
                    phase_ms: dice.below(4_800) as i64,
                });
            }
        }
    }
}
