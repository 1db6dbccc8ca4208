//! What an instructor lets happen to the town: incidents, rates, pauses. Each is a command in a log, and the log belongs to the town
//! like its seed: the same seed, origin and commands give the same bytes.
//!
//! A command takes effect with the first chapter that has not been handed out when it comes, ten seconds away at most. It changes
//! nothing that happened before, so telling the town again under the longer log repeats what was written and goes on from there.
//! Some incidents begin stories (`stories`), some change drafts on their way (`effects`).
//!
//! One kind happens by itself: every 20 to 30 minutes a country has a spike of payments, by the seed.

mod effects;
#[cfg(test)]
mod page;
mod stories;
#[cfg(test)]
mod tests;
mod timeline;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::random::Dice;
use super::schema::STREAMS;
use super::town::Town;
use super::town::places::COUNTRIES;
use super::town::products::CATEGORIES;
use super::town::sites::{DEVICES, SITES};

pub use effects::apply;
pub use stories::{PILL_KEY, pill, tell};
pub use timeline::{Incident, Timeline};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IncidentKind")]
pub enum Kind {
    FlashSale,
    PaymentOutage,
    FraudSpike,
    SensorStuck,
    SiteOffline,
    FahrenheitFirmware,
    ViralPost,
    BotRaid,
    SchemaDrift,
    PoisonPill,
}

/// What an incident happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    Nothing,
    Category,
    Country,
    Device,
    Site,
    Topic,
}

/// What there is to know about a kind of incident.
pub struct KindRow {
    pub kind: Kind,
    pub name: &'static str,
    pub about: &'static str,
    pub lesson: &'static str,
    pub target: TargetKind,
    /// How long it lasts if nobody says, and at most.
    pub minutes: f64,
    pub minutes_max: f64,
}

const fn row(
    kind: Kind,
    name: &'static str,
    target: TargetKind,
    minutes: (f64, f64),
    about: &'static str,
    lesson: &'static str,
) -> KindRow {
    KindRow { kind, name, about, lesson, target, minutes: minutes.0, minutes_max: minutes.1 }
}

/// In the order of [`Kind`].
pub static KINDS: [KindRow; 10] = [
    row(
        Kind::FlashSale,
        "flash-sale",
        TargetKind::Category,
        (10.0, 30.0),
        "A category is 30 % off: three times the visits, most of them to its products, by the campaign flash-sale",
        "Load comes in bursts and skews keys; revenue per minute follows visits with a delay",
    ),
    row(
        Kind::PaymentOutage,
        "payment-outage",
        TargetKind::Nothing,
        (3.0, 20.0),
        "No payment arrives; at its end all of them come within half a minute, with the times at which they happened",
        "Event time is not arrival time: watermarks and late data",
    ),
    row(
        Kind::FraudSpike,
        "fraud-spike",
        TargetKind::Country,
        (6.0, 30.0),
        "Five times the payments in one country, three of ten of them fraudulent",
        "Windows per key, and a baseline to compare them with",
    ),
    row(
        Kind::SensorStuck,
        "sensor-stuck",
        TargetKind::Device,
        (10.0, 120.0),
        "A sensor goes on reporting, and always the same value",
        "A value in its range can still be wrong: watch the variance",
    ),
    row(
        Kind::SiteOffline,
        "site-offline",
        TargetKind::Site,
        (5.0, 60.0),
        "Nothing comes from a site's sensors; their counters show what is missing",
        "Silence is a signal: alert on what does not come",
    ),
    row(
        Kind::FahrenheitFirmware,
        "fahrenheit-firmware",
        TargetKind::Site,
        (60.0, 1_440.0),
        "New firmware 4.0.0 goes to a site's thermometers, one each twenty seconds, and they report Fahrenheit",
        "Read the unit of each record; a rollout is a join with a version",
    ),
    row(
        Kind::ViralPost,
        "viral-post",
        TargetKind::Category,
        (10.0, 25.0),
        "One post on a category's product gathers 1,500 reactions",
        "A hot key: one partition gets what the others do not",
    ),
    row(
        Kind::BotRaid,
        "bot-raid",
        TargetKind::Category,
        (5.0, 60.0),
        "Forty bots post the same five texts about a product, 15 posts a second",
        "Filter before you count: trends can be bought",
    ),
    row(
        Kind::SchemaDrift,
        "schema-drift",
        TargetKind::Topic,
        (30.0, 1_440.0),
        "A topic's events carry schema_version 2 and one more optional field",
        "Schemas grow: read what you know, keep what you do not",
    ),
    row(
        Kind::PoisonPill,
        "poison-pill",
        TargetKind::Topic,
        (1.0, 10.0),
        "Every twenty seconds a record comes that is no JSON object: broken UTF-8, an Avro record, a thousand open brackets",
        "One record must not stop a consumer: dead letters",
    ),
];

impl Kind {
    pub fn row(self) -> &'static KindRow {
        &KINDS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn by_name(name: &str) -> Option<Kind> {
        KINDS.iter().find(|row| row.name == name).map(|row| row.kind)
    }
}

impl TargetKind {
    pub fn name(self) -> Option<&'static str> {
        match self {
            TargetKind::Nothing => None,
            TargetKind::Category => Some("category"),
            TargetKind::Country => Some("country"),
            TargetKind::Device => Some("device"),
            TargetKind::Site => Some("site"),
            TargetKind::Topic => Some("topic"),
        }
    }

    /// What can be named, by its number.
    pub(super) fn choices(self, town: &Town) -> Vec<String> {
        match self {
            TargetKind::Nothing => Vec::new(),
            TargetKind::Category => CATEGORIES.iter().map(|category| category.name.to_owned()).collect(),
            TargetKind::Country => COUNTRIES.iter().map(|country| country.code.to_owned()).collect(),
            TargetKind::Device => {
                town.devices.iter().take(DEVICES).map(|device| String::from_utf8_lossy(&device.id).into_owned()).collect()
            }
            TargetKind::Site => SITES.iter().map(|site| site.name.to_owned()).collect(),
            TargetKind::Topic => STREAMS.iter().map(|stream| stream.topic.to_owned()).collect(),
        }
    }
}

/// A line of the log of commands. Times are the town's, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TownCommand")]
pub struct Command {
    /// Nothing that happened earlier is changed. The start of a chapter.
    pub at: i64,
    #[serde(flatten)]
    pub order: Order,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "order", rename_all = "kebab-case")]
#[schemars(rename = "TownOrder")]
pub enum Order {
    Begin {
        id: u32,
        kind: Kind,
        target: Option<String>,
        from: i64,
        to: i64,
    },
    /// Ends an incident early, or takes back one that has not begun.
    End {
        id: u32,
    },
    /// Of one topic, or of all.
    Rate {
        topic: Option<String>,
        factor: f64,
    },
    Pause {
        topic: Option<String>,
    },
    Resume {
        topic: Option<String>,
    },
}

/// The fastest a stream goes. At 20 the shop has 40 visits a second.
pub const FACTOR_MAX: f64 = 20.0;

/// The furthest ahead that an incident is planned.
const AHEAD_MAX_MINUTES: f64 = 24.0 * 60.0;

/// What somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IncidentWish")]
pub struct Wish {
    /// The kind's name.
    pub kind: String,
    /// What it happens to; one is picked if none is named.
    pub target: Option<String>,
    pub minutes: Option<f64>,
    /// How far ahead.
    #[serde(rename = "in")]
    pub in_minutes: Option<f64>,
}

impl Wish {
    /// The order for it, or one sentence on what is wrong with it.
    pub(super) fn order(&self, seed: u64, town: &Town, id: u32, at: i64) -> Result<Order, String> {
        let names = || KINDS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let kind = Kind::by_name(&self.kind).ok_or_else(|| format!("there is no incident {:?}; there are {}", self.kind, names()))?;
        let row = kind.row();
        let minutes = self.minutes.unwrap_or(row.minutes);
        if !(minutes > 0.0 && minutes <= row.minutes_max) {
            return Err(format!("{} lasts more than 0 and at most {} minutes, not {minutes}", row.name, row.minutes_max));
        }
        let ahead = self.in_minutes.unwrap_or(0.0);
        if !(0.0..=AHEAD_MAX_MINUTES).contains(&ahead) {
            return Err(format!("an incident begins in 0 to {AHEAD_MAX_MINUTES} minutes, not in {ahead}"));
        }
        let from = at + chapters_ms(ahead * 60_000.0);
        let to = from + chapters_ms(minutes * 60_000.0).max(super::draft::CHAPTER_MS);
        Ok(Order::Begin { id, kind, target: target(row, self.target.as_deref(), seed, town, id)?, from, to })
    }
}

/// Whole chapters, as nothing begins or ends within one.
fn chapters_ms(ms: f64) -> i64 {
    let chapter = super::draft::CHAPTER_MS;
    (ms as i64 + chapter / 2) / chapter * chapter
}

fn target(row: &KindRow, wished: Option<&str>, seed: u64, town: &Town, id: u32) -> Result<Option<String>, String> {
    let Some(what) = row.target.name() else {
        return match wished {
            None => Ok(None),
            Some(wished) => Err(format!("{} has no target, so it cannot be {wished:?}", row.name)),
        };
    };
    let choices = row.target.choices(town);
    match wished {
        Some(wished) => match choices.iter().find(|choice| choice.eq_ignore_ascii_case(wished)) {
            Some(choice) => Ok(Some(choice.clone())),
            None => Err(format!("{wished:?} is no {what}; choose one of {}", choices.join(", "))),
        },
        None => Ok(Some(Dice::of(seed, &[0x1c, u64::from(id)]).pick(&choices).clone())),
    }
}

/// Checks a factor for a stream's rate.
pub fn checked_factor(factor: f64) -> Result<f64, String> {
    if (0.0..=FACTOR_MAX).contains(&factor) {
        Ok(factor)
    } else {
        Err(format!("a rate is multiplied with 0 to {FACTOR_MAX}, not {factor}"))
    }
}

/// Checks that a topic is one of the streams'.
pub fn checked_topic(topic: Option<String>) -> Result<Option<String>, String> {
    match topic {
        Some(topic) if STREAMS.iter().all(|stream| stream.topic != topic) => {
            let topics: Vec<_> = STREAMS.iter().map(|stream| stream.topic).collect();
            Err(format!("{topic:?} is no topic of the generators; there are {}", topics.join(", ")))
        }
        topic => Ok(topic),
    }
}
