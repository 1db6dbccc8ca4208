//! The sensors: each follows its site's day, with noise that has a memory.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, Serial, Story};
use super::identifier::event_id;
use super::json::JsonObject;
use super::random::{Dice, sin_turns};
use super::schema::{Field, StreamId, Values};
use super::town::sites::{DEVICES, Device, SITES, SensorType, Site};
use super::truth::Labels;
use super::world::{DAY_MS, World, network_delay_ms};

pub const FIELDS: &[Field] = &[
    Field::EVENT_ID,
    Field::SCHEMA_VERSION,
    Field::new("device_id", "string", "which sensor; the record's key").with(Values::Like("^[a-z]+-[a-z]+-[0-9]+$")),
    Field::new("sensor_type", "string", "temperature, humidity, battery or vibration")
        .with(Values::OneOf(|| SensorType::ALL.map(SensorType::name).to_vec())),
    Field::new("value", "number", "the reading, two decimals").in_unit("as `unit` says").with(Values::Between(-100.0, 200.0)),
    Field::new("unit", "string", "C or F for temperature, % for humidity, V for batteries, mm/s for vibration")
        .with(Values::OneOf(|| vec!["C", "F", "%", "V", "mm/s"])),
    Field::new("location", "string", "the sensor's site").with(Values::OneOf(|| SITES.iter().map(|site| site.name).collect())),
    Field::new("timestamp", "time", "when it was read; the record's timestamp says when it arrived"),
    Field::new("seq", "integer", "counts the sensor's readings from 1").in_unit("readings").with(Values::Between(1.0, 1e15)),
    Field::new("status", "string", "what the sensor says of itself: ok, degraded or fault")
        .with(Values::OneOf(|| Status::ALL.map(Status::name).to_vec())),
    Field::new("firmware", "string", "version of the sensor's software").with(Values::Like("^[0-9]+[.][0-9]+[.][0-9]+$")),
];

pub static DIRT: Rates = Rates {
    duplicates: 0.005,
    late: [0.01, 0.0, 0.0],
    out_of_order: 0.05,
    faults: &[
        Fault::new("sentinel", 0.002, Edit::Set("value", "-999.00")),
        Fault::new("null-value", 0.002, Edit::Set("value", "null")),
        Fault::new("truncated", 0.000_25, Edit::Truncate),
        Fault::new("not-json", 0.000_25, Edit::Unquote),
    ],
};

const NEW_FIRMWARE: &str = "4.0.0";

const PERIOD_MS: i64 = 5_000;

/// A sensor's story lasts five minutes, 60 readings. The sensors take turns to begin, so that each chapter tells a few.
const STORY_CHAPTERS: i64 = 30;
const READINGS: i64 = STORY_CHAPTERS * CHAPTER_MS / PERIOD_MS;

/// How much of the noise carries over to the next reading, and what is added so that its standard deviation stays 1.
const MEMORY: f64 = 0.8;
const FRESH: f64 = 0.6;

/// Chances that a spell begins during a story, in which a sensor says that it is not well. Together 1.5 % and 0.1 % of the readings.
const DEGRADED: f64 = 0.048;
const FAULT: f64 = 0.0032;
/// How many readings a spell lasts: median and spread; never longer than a story.
const SPELL: (f64, f64) = (14.0, 0.9);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Degraded,
    Fault,
}

impl Status {
    pub const ALL: [Status; 3] = [Status::Ok, Status::Degraded, Status::Fault];

    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Degraded => "degraded",
            Status::Fault => "fault",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Reading {
    device: u16,
    seq: i64,
    /// In hundredths of the unit.
    value: i64,
    fahrenheit: bool,
    /// Has the firmware of the incident `fahrenheit-firmware`.
    updated: bool,
    status: Status,
}

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    let turn = chapter.rem_euclid(STORY_CHAPTERS) as usize;
    let ordered = reporting(world.timeline.rate(StreamId::IOT, chapter * CHAPTER_MS));
    for index in (turn..ordered.max(DEVICES)).step_by(STORY_CHAPTERS as usize) {
        tell_sensor(world, chapter, index, drafts);
    }
}

fn tell_sensor(world: &World, chapter: i64, index: usize, drafts: &mut Drafts<'_>) {
    let device = &world.town.devices[index];
    let mut noise = remembered_noise(world, chapter - STORY_CHAPTERS, index);
    let mut fresh = noise_dice(world, chapter, index);
    let mut dice = world.story_dice(Story::Sensor, chapter, index);
    let spells = [Spell::of(world, chapter, index), Spell::of(world, chapter - STORY_CHAPTERS, index)];
    let first = chapter * CHAPTER_MS / PERIOD_MS;
    for step in 0..READINGS {
        noise = MEMORY * noise + FRESH * fresh.normal();
        let number = first + step;
        let at = number * PERIOD_MS + device.phase_ms + dice.below(200) as i64;
        let delay = network_delay_ms(&mut dice, 5.0, 90.0);
        if number < 0 {
            continue;
        }
        let value = (level(device, at, noise) * 100.0).round() as i64;
        let spell = spells.iter().flatten().find(|spell| (spell.from..spell.to).contains(&number));
        let status = spell.map_or(Status::Ok, |spell| spell.status);
        let reading = Reading { device: index as u16, seq: number + 1, value, fahrenheit: device.fahrenheit, updated: false, status };
        drafts.add(at, delay, Serial::new(Story::Sensor, chapter, index, step as usize), Body::Reading(reading));
    }
}

/// Readings, counted from the origin, in which a sensor is not well. It may outlast the story in which it begins by another one.
struct Spell {
    status: Status,
    from: i64,
    to: i64,
}

impl Spell {
    /// The one that begins during a story, if one does.
    fn of(world: &World, chapter: i64, index: usize) -> Option<Spell> {
        let mut dice = Dice::of(world.seed, &[0xa2, index as u64, chapter as u64]);
        let status = match dice.unit() {
            u if u < FAULT => Status::Fault,
            u if u < FAULT + DEGRADED => Status::Degraded,
            _ => return None,
        };
        let from = chapter * CHAPTER_MS / PERIOD_MS + dice.below(READINGS as usize) as i64;
        let mut lasts = dice.log_normal(SPELL.0, SPELL.1);
        while lasts > READINGS as f64 {
            lasts = dice.log_normal(SPELL.0, SPELL.1);
        }
        Some(Spell { status, from, to: from + (lasts as i64).max(1) })
    }
}

/// How many devices report under a factor: fewer than all, or more than there were.
fn reporting(factor: f64) -> usize {
    (DEVICES as f64 * factor).round() as usize
}

/// Whether the reading's device is one of those that report under a factor. A lower one silences some at each site.
pub fn reports(reading: &Reading, factor: f64) -> bool {
    const STRIDE: usize = 37;
    let index = usize::from(reading.device);
    let rank = if index < DEVICES { index * STRIDE % DEVICES } else { index };
    rank < reporting(factor)
}

pub fn is_of(reading: &Reading, device: usize) -> bool {
    usize::from(reading.device) == device
}

pub fn is_at(world: &World, reading: &Reading, site: &Site) -> bool {
    world.town.devices[usize::from(reading.device)].site.name == site.name
}

/// Makes it the value that the device had at a time.
pub fn stick(world: &World, reading: &mut Reading, at: i64) {
    reading.value = (level(&world.town.devices[usize::from(reading.device)], at, 0.0) * 100.0).round() as i64;
}

/// When a site's next thermometer gets new firmware.
const ROLLOUT_STEP_MS: i64 = 20_000;

/// Makes it a reading by the new firmware, if the device has it so long after the rollout began.
pub fn update_firmware(world: &World, reading: &mut Reading, after_ms: i64) -> bool {
    let index = usize::from(reading.device);
    let device = &world.town.devices[index];
    let place = world.town.devices[..index].iter().filter(|other| other.is_beside(device)).count() as i64;
    if device.sensor_type != SensorType::Temperature || after_ms < place * ROLLOUT_STEP_MS {
        return false;
    }
    if !reading.fahrenheit {
        reading.value = reading.value * 9 / 5 + 3_200;
        reading.fahrenheit = true;
    }
    reading.updated = true;
    true
}

fn noise_dice(world: &World, chapter: i64, index: usize) -> Dice {
    Dice::of(world.seed, &[0xa1, index as u64, chapter as u64])
}

/// The noise at the end of an earlier story, as far as it is remembered: what lay before that story has faded to a millionth.
/// So no sensor's past has to be replayed further than five minutes.
fn remembered_noise(world: &World, chapter: i64, index: usize) -> f64 {
    let mut fresh = noise_dice(world, chapter, index);
    (0..READINGS).fold(0.0, |noise, _| MEMORY * noise + FRESH * fresh.normal())
}

/// The reading in the device's unit. `noise` has standard deviation 1.
fn level(device: &Device, at: i64, noise: f64) -> f64 {
    let day = at as f64 / DAY_MS as f64 + device.site.day_offset;
    let wave = sin_turns(day);
    match device.sensor_type {
        SensorType::Temperature => {
            let (mean, swing) = device.site.celsius;
            let celsius = mean + device.offset + swing * wave + 0.8 * noise;
            if device.fahrenheit { celsius * 1.8 + 32.0 } else { celsius }
        }
        SensorType::Humidity => {
            // Warm air is dry: humidity falls while the temperature rises.
            let (mean, swing) = device.site.humidity;
            (mean + 4.0 * device.offset - swing * wave + 1.5 * noise).clamp(2.0, 100.0)
        }
        // A solar panel charges it by day; the charge lags behind the sun.
        SensorType::Battery => 3.7 + 0.3 * device.offset + 0.22 * sin_turns(day - 0.15) + 0.01 * noise,
        SensorType::Vibration => (2.4 + device.offset + 1.1 * wave + 0.35 * noise).max(0.05),
    }
}

pub fn labels(_: &World, draft: &Draft) -> Labels {
    let Body::Reading(reading) = &draft.body else { return [None; 2] };
    [reading.fahrenheit.then_some(("unit", "F")), None]
}

pub fn write(world: &World, draft: &Draft, origin_ms: i64, out: &mut Vec<u8>) -> Bytes {
    let Body::Reading(reading) = &draft.body else { return Bytes::new() };
    let device = &world.town.devices[usize::from(reading.device)];
    let happened_ms = origin_ms + draft.happened;
    let mut object = JsonObject::open(out);
    object
        .text("event_id", event_id(world.seed, StreamId::IOT.0 as u64, draft.serial.0, happened_ms))
        .integer("schema_version", 1)
        .text("device_id", &device.id)
        .text("sensor_type", device.sensor_type.name())
        .decimal("value", reading.value, 2)
        .text("unit", device.sensor_type.unit(reading.fahrenheit))
        .text("location", device.site.name)
        .time("timestamp", happened_ms)
        .integer("seq", reading.seq)
        .text("status", reading.status.name())
        .text("firmware", if reading.updated { NEW_FIRMWARE } else { device.firmware });
    object.close();
    device.id.clone()
}
