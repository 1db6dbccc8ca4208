//! The pages, pictures and schemas in `docs/` that are made from the code: `UPDATE_DOCS=1 cargo test --lib data_docs` writes them.

mod day;
mod fields;
mod measured;
mod schema_tests;
mod svg;

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use super::chronicle::{Chronicle, Event};
use super::dirt::DirtLevel;
use super::examples::{HOUR_MS, ORIGIN, SEED};
use super::schema::StreamId;
use super::world::World;

/// An event of a stream, and what the ledger notes of it.
struct Told {
    event: Event,
    /// None of what is no JSON.
    value: Option<Value>,
    note: Option<Value>,
}

impl Told {
    fn value(&self) -> &Value {
        self.value.as_ref().unwrap_or(&Value::Null)
    }

    fn text(&self, field: &str) -> &str {
        self.value()[field].as_str().unwrap_or("")
    }

    fn noted(&self, field: &str) -> Option<&str> {
        self.note.as_ref()?[field].as_str()
    }

    /// When it happened, since the origin: the first ten characters of its id say so, whatever a damaged event says.
    fn happened_ms(&self) -> i64 {
        let id = &self.event.value[13..23];
        let digit = |byte: u8| "0123456789ABCDEFGHJKMNPQRSTVWXYZ".bytes().position(|other| other == byte).unwrap() as i64;
        id.iter().fold(0, |time, &byte| (time << 5) | digit(byte)) - ORIGIN.0
    }

    fn arrived_ms(&self) -> i64 {
        self.event.arrival.since(ORIGIN)
    }
}

/// What arrives in a stretch, with its notes.
fn told(seed: u64, level: DirtLevel, from_ms: i64, to_ms: i64) -> impl Iterator<Item = Told> {
    let chronicle = Chronicle::new(World::new(seed, level), ORIGIN, ORIGIN.plus_ms(from_ms));
    let mut events = chronicle.take_while(move |event| event.arrival < ORIGIN.plus_ms(to_ms)).peekable();
    std::iter::from_fn(move || {
        let event = events.by_ref().find(|event| event.stream != StreamId::TRUTH)?;
        let note = events.next_if(|next| next.stream == StreamId::TRUTH);
        let note = note.map(|note| serde_json::from_slice(&note.value).unwrap());
        let value = serde_json::from_slice(&event.value).ok();
        Some(Told { event, value, note })
    })
}

/// Writes a file that is made from the code, or says that the committed one is old.
fn keep(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/{file} is old; `UPDATE_DOCS=1 cargo test --lib data_docs` writes it again");
}

/// One day of the town, an hour, without dirt: what the pictures show.
fn one_day() -> &'static (fields::Fields, day::Day) {
    static DAY: OnceLock<(fields::Fields, day::Day)> = OnceLock::new();
    DAY.get_or_init(|| {
        let mut fields = fields::Fields::new();
        let mut day = day::Day::new(HOUR_MS);
        for told in told(SEED, DirtLevel::None, HOUR_MS, 2 * HOUR_MS) {
            fields.add(&told);
            day.add(&told);
        }
        (fields.sorted(), day)
    })
}
