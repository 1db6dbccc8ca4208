//! The table of streams: topic, key, partitions and fields, as the broker creates them and the pages show them.

use bytes::Bytes;

use super::dirt::Rates;
use super::draft::{Draft, Drafts, Serial};
use super::random::mix;
use super::truth::{self, Labels};
use super::world::World;
use super::{ecommerce, finance, iot, social};

/// Index of a stream in [`STREAMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub usize);

impl StreamId {
    pub const ECOMMERCE: StreamId = StreamId(0);
    pub const IOT: StreamId = StreamId(1);
    pub const SOCIAL: StreamId = StreamId(2);
    pub const FINANCE: StreamId = StreamId(3);
    /// The ledger, which is no stream of the town.
    pub const TRUTH: StreamId = StreamId(STREAMS.len());

    pub fn topic(self) -> &'static str {
        STREAMS.get(self.0).map_or(truth::TOPIC, |stream| stream.topic)
    }
}

/// One field of a stream's JSON value. A dot leads into a nested object. `docs/data.md` and the JSON Schemas are made from these rows.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean`, `time` (RFC 3339 in UTC with milliseconds) or `strings`; with `?` it may be null.
    pub kind: &'static str,
    pub about: &'static str,
    /// What a number counts; empty where it counts nothing.
    pub unit: &'static str,
    pub values: Values,
    /// Only in some events; left out of the others.
    pub optional: bool,
    /// Only in the events in which this field has this value, and in all of those.
    pub only_if: Option<(&'static str, &'static str)>,
}

/// What a clean event's field can hold.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    Any,
    OneOf(fn() -> Vec<&'static str>),
    /// A regular expression for the whole text.
    Like(&'static str),
    /// Characters of a text.
    Length(u64, u64),
    Between(f64, f64),
    MoreThan(f64),
}

impl Stream {
    /// All fields, also the one that comes with version 2.
    pub fn all_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().chain([&self.drift.field])
    }
}

impl Field {
    pub const fn new(name: &'static str, kind: &'static str, about: &'static str) -> Field {
        Field { name, kind, about, unit: "", values: Values::Any, optional: false, only_if: None }
    }

    pub const fn in_unit(self, unit: &'static str) -> Field {
        Field { unit, ..self }
    }

    pub const fn with(self, values: Values) -> Field {
        Field { values, ..self }
    }

    pub const fn only_in_some(self) -> Field {
        Field { optional: true, ..self }
    }

    pub const fn only_if(self, field: &'static str, value: &'static str) -> Field {
        Field { optional: true, only_if: Some((field, value)), ..self }
    }

    /// What it means, with its unit.
    pub fn meaning(&self) -> String {
        if self.unit.is_empty() { self.about.to_owned() } else { format!("{}; unit: {}", self.about, self.unit) }
    }

    /// `string`, or `string or null`.
    pub fn type_text(&self) -> String {
        self.kind.strip_suffix('?').map_or_else(|| self.kind.to_owned(), |kind| format!("{kind} or null"))
    }

    /// What it can be, in the order of the code's tables, each once; `None` where it can be much.
    pub fn listed(&self) -> Option<Vec<&'static str>> {
        let Values::OneOf(list) = self.values else { return None };
        let mut values: Vec<&str> = Vec::new();
        for value in list() {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Some(values)
    }

    /// Its value in an event.
    pub fn of<'a>(&self, event: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        self.name.split('.').try_fold(event, |value, name| value.get(name))
    }

    /// What all streams begin with.
    pub const EVENT_ID: Field = Field::new("event_id", "string", "unique; sorts by time").with(Values::Like("^[0-9A-HJKMNP-TV-Z]{26}$"));
    pub const SCHEMA_VERSION: Field =
        Field::new("schema_version", "integer", "1; 2 while the stream's schema drifts").with(Values::Between(1.0, 2.0));
}

/// What the next version of a stream's schema adds: an optional field, and the JSON values that it takes.
pub struct Drift {
    pub field: Field,
    pub values: &'static [&'static str],
}

impl Drift {
    /// Writes an event of version 1 as one of version 2.
    pub(super) fn apply(&self, value: &mut Vec<u8>, serial: Serial) {
        const VERSION: &[u8] = b"\"schema_version\":1";
        if let Some(at) = value.windows(VERSION.len()).position(|window| window == VERSION)
            && let Some(digit) = value.get_mut(at + VERSION.len() - 1)
        {
            *digit = b'2';
        }
        let number = mix(serial.0, 0xdf) as usize % self.values.len().max(1);
        if let (Some(b'}'), Some(new)) = (value.pop(), self.values.get(number)) {
            value.extend_from_slice(format!(",\"{}\":{new}}}", self.field.name).as_bytes());
        }
    }
}

/// One of the town's streams, a row of [`STREAMS`].
pub struct Stream {
    pub id: StreamId,
    pub topic: &'static str,
    /// The field whose text is the record's key.
    pub key_field: &'static str,
    pub partitions: i32,
    pub about: &'static str,
    pub fields: &'static [Field],
    /// Drafts the events of the stories that begin in a chapter.
    pub(super) tell: fn(&World, i64, &mut Drafts<'_>),
    /// Appends the draft's value to the buffer and returns its key. The third argument is the clock origin.
    pub(super) write: fn(&World, &Draft, i64, &mut Vec<u8>) -> Bytes,
    /// What is true of an event and not in its bytes.
    pub(super) labels: fn(&World, &Draft) -> Labels,
    pub(super) dirt: &'static Rates,
    /// What comes with version 2, while the incident `schema-drift` is on.
    pub drift: Drift,
}

pub static STREAMS: &[Stream] = &[
    Stream {
        id: StreamId::ECOMMERCE,
        topic: "ecommerce-events",
        key_field: "user_id",
        partitions: 6,
        about: "What visitors of the town's web shop do: searches, views, carts, purchases",
        fields: ecommerce::FIELDS,
        tell: ecommerce::tell,
        write: ecommerce::write,
        labels: ecommerce::labels,
        dirt: &ecommerce::DIRT,
        drift: Drift {
            field: Field::new("loyalty_tier", "string", "the visitor's rank with the shop").only_in_some(),
            values: &["\"none\"", "\"silver\"", "\"gold\""],
        },
    },
    Stream {
        id: StreamId::IOT,
        topic: "iot-sensor-data",
        key_field: "device_id",
        partitions: 3,
        about: "Readings of 96 sensors at eight sites, one per sensor every five seconds",
        fields: iot::FIELDS,
        tell: iot::tell,
        write: iot::write,
        labels: iot::labels,
        dirt: &iot::DIRT,
        drift: Drift {
            field: Field::new("signal_dbm", "integer", "strength of the radio signal, dBm").only_in_some(),
            values: &["-48", "-57", "-63", "-71", "-84"],
        },
    },
    Stream {
        id: StreamId::SOCIAL,
        topic: "social-media-feed",
        key_field: "post_id",
        partitions: 3,
        about: "What people write about the town's products, and who likes, shares and answers it",
        fields: social::FIELDS,
        tell: social::tell,
        write: social::write,
        labels: social::labels,
        dirt: &social::DIRT,
        drift: Drift { field: Field::new("client", "string", "what it was written with").only_in_some(), values: &["\"app\"", "\"web\""] },
    },
    Stream {
        id: StreamId::FINANCE,
        topic: "financial-transactions",
        key_field: "user_id",
        partitions: 6,
        about: "Card payments: those of the web shop's purchases, and those at tills and cash machines",
        fields: finance::FIELDS,
        tell: finance::tell,
        write: finance::write,
        labels: finance::labels,
        dirt: &finance::DIRT,
        drift: Drift {
            field: Field::new("wallet", "string", "what held the card").only_in_some(),
            values: &["\"card\"", "\"phone\"", "\"watch\""],
        },
    },
];
