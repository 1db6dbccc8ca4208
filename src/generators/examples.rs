//! Events of the town to be looked at, one and the same wherever examples are shown.

use std::sync::OnceLock;

use serde_json::Value;

use super::chronicle::{Chronicle, Event};
use super::dirt::{DirtLevel, Fault};
use super::random::Dice;
use super::schema::{STREAMS, Stream, StreamId};
use super::world::World;
use crate::model::Timestamp;

/// 23 November 2026, ten o'clock.
pub(super) const ORIGIN: Timestamp = Timestamp(1_795_428_000_000);
pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const SEED: u64 = 42;

/// Events of a stream among which the one with most fields is chosen.
const CHOICE: usize = 100;

/// What a stream's events look like, without dirt.
pub struct Examples {
    fields: Vec<(&'static str, Option<Value>)>,
    event: Option<Event>,
    has: usize,
    met: usize,
}

/// Of a stream. The first call takes as long as it takes to live through some minutes of the town: for a thread that may block.
pub fn examples(topic: &str) -> Option<&'static Examples> {
    static ALL: OnceLock<Vec<Examples>> = OnceLock::new();
    let stream = STREAMS.iter().find(|stream| stream.topic == topic)?;
    ALL.get_or_init(lived).get(stream.id.0)
}

/// Nothing to be learned from.
pub(super) fn is_dull(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn lived() -> Vec<Examples> {
    let none =
        |stream: &Stream| Examples { fields: stream.fields.iter().map(|field| (field.name, None)).collect(), event: None, has: 0, met: 0 };
    let mut all: Vec<Examples> = STREAMS.iter().map(none).collect();
    let chronicle = Chronicle::new(World::new(SEED, DirtLevel::None), ORIGIN, ORIGIN.plus_ms(HOUR_MS));
    for event in chronicle.take_while(|event| event.arrival < ORIGIN.plus_ms(2 * HOUR_MS)) {
        let Some(stream) = STREAMS.get(event.stream.0).filter(|_| event.stream != StreamId::TRUTH) else { continue };
        if let Some(examples) = all.get_mut(event.stream.0) {
            examples.add(stream, event);
        }
        if all.iter().all(Examples::is_complete) {
            break;
        }
    }
    all
}

impl Examples {
    fn is_complete(&self) -> bool {
        self.met >= CHOICE && self.fields.iter().all(|(_, example)| example.is_some())
    }

    fn add(&mut self, stream: &Stream, event: Event) {
        let Ok(value) = serde_json::from_slice::<Value>(&event.value) else { return };
        let mut has = 0;
        for (field, (_, example)) in stream.fields.iter().zip(&mut self.fields) {
            let Some(found) = field.of(&value).filter(|found| !is_dull(found)) else { continue };
            has += 1;
            example.get_or_insert_with(|| found.clone());
        }
        if self.met < CHOICE && has > self.has {
            (self.event, self.has) = (Some(event), has);
        }
        self.met += 1;
    }

    /// An example of a field.
    pub fn of(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| *name == field).and_then(|(_, example)| example.as_ref())
    }

    /// Key and value of an event that has most of its stream's fields.
    pub fn event(&self) -> Option<(&[u8], &[u8])> {
        self.event.as_ref().map(|event| (event.key.as_ref(), event.value.as_ref()))
    }

    /// The same event with the first damage of the stream's table, and what that is called.
    pub fn damaged(&self, topic: &str) -> Option<(&'static str, Vec<u8>)> {
        let fault: &Fault = STREAMS.iter().find(|stream| stream.topic == topic)?.dirt.faults.first()?;
        let event = self.event.as_ref()?;
        let mut value = event.value.to_vec();
        fault.edit.apply(&mut value, event.arrival.0, &mut Dice::of(SEED, &[]));
        Some((fault.name, value))
    }
}
