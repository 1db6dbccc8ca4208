//! The ledger: what is true of an event and cannot be read from its bytes. It goes into the internal topic `_truth`, right behind
//! its event.
//!
//! | field | content |
//! |---|---|
//! | `topic`, `event_id` | the event; the id is also the record's key |
//! | `timestamp` | when it happened, whatever a damaged event says |
//! | `fraud` | the pattern: `stolen-card`, `account-takeover`, `ring` or `country-spike`; of fraudulent payments only |
//! | `sentiment` | `positive`, `negative` or `neutral`, of posts, comments and shares only |
//! | `writer` | `bot`, for what a program wrote |
//! | `tester` | `marked` for `is_test`, `account` for a visitor whose name begins with `test-` |
//! | `unit` | `F`, for temperatures that are not in Celsius |
//! | `fault` | the damage to the bytes, by its name in the stream's table |
//! | `delay_ms` | how long it was held up, besides its network's time: up to 29 s is out of order, from 60 s on late |
//! | `copies` | 2 for an event that is sent twice |
//! | `incident` | the kind of what an instructor or the seed let happen, where the event itself does not say so |
//!
//! An event of which none of these is true has no note. A record that is no event (a poison pill) has one without an id.
//!
//! An incident has a line of its own where it begins: `incident` with its kind, `id` (0 if the seed planned it), `target`, `from` and
//! `to`. One that was ended early has a second line, with `ended_early`. Their key is `incident-` and the id.

use crate::model::{PartitionId, Timestamp};

use bytes::Bytes;

use super::chronicle::Event;
use super::draft::{Body, Draft};
use super::identifier::event_id;
use super::incidents::{Incident, PILL_KEY};
use super::json::JsonObject;
use super::schema::{STREAMS, StreamId};
use super::world::World;

pub const TOPIC: &str = "_truth";

/// The name of a field and its value.
pub type Label = (&'static str, &'static str);

/// What a stream has to say of an event.
pub type Labels = [Option<Label>; 2];

/// What there is to note about an event. Its copy has the same note, which is not written twice.
pub fn note(world: &World, draft: &Draft, origin_ms: i64) -> Option<Event> {
    if draft.copy {
        return None;
    }
    let stream = draft.stream();
    let labels = (STREAMS[stream.0].labels)(world, draft);
    let dirt = &draft.dirt;
    if labels == [None; 2] && dirt.fault.is_none() && dirt.delay_ms == 0 && dirt.copy_after_ms.is_none() && draft.incident.is_none() {
        return None;
    }
    let happened_ms = origin_ms + draft.happened;
    let id = event_id(world.seed, stream.0 as u64, draft.serial.0, happened_ms);
    let mut value = Vec::with_capacity(160);
    let mut object = JsonObject::open(&mut value);
    object.text("topic", stream.topic());
    let is_pill = matches!(draft.body, Body::Pill(..));
    if !is_pill {
        object.text("event_id", id);
    }
    object.time("timestamp", happened_ms);
    for (name, text) in labels.into_iter().flatten() {
        object.text(name, text);
    }
    if let Some(fault) = dirt.fault {
        object.text("fault", fault.name);
    }
    if dirt.delay_ms > 0 {
        object.integer("delay_ms", dirt.delay_ms);
    }
    if dirt.copy_after_ms.is_some() {
        object.integer("copies", 2);
    }
    if let Some(kind) = draft.incident {
        object.text("incident", kind.name());
    }
    object.close();
    Some(Event {
        stream: StreamId::TRUTH,
        partition: PartitionId(0),
        key: if is_pill { Bytes::from_static(PILL_KEY) } else { Bytes::copy_from_slice(&id) },
        value: Bytes::from(value),
        arrival: Timestamp(origin_ms + draft.arrival),
    })
}

/// Key and value of the line for an incident that begins.
pub fn begun(incident: &Incident, origin_ms: i64) -> (Bytes, Bytes) {
    line(incident, |object| {
        object.time("from", origin_ms + incident.from).time("to", origin_ms + incident.ordered_to);
    })
}

/// The same for one that is ended before its time.
pub fn ended_early(incident: &Incident, origin_ms: i64) -> (Bytes, Bytes) {
    line(incident, |object| {
        object.time("ended_early", origin_ms + incident.to);
    })
}

fn line(incident: &Incident, times: impl FnOnce(&mut JsonObject<'_>)) -> (Bytes, Bytes) {
    let mut value = Vec::with_capacity(160);
    let mut object = JsonObject::open(&mut value);
    object
        .text("incident", incident.kind.name())
        .integer("id", i64::from(incident.id))
        .maybe_text("target", incident.target_name.as_deref());
    times(&mut object);
    object.close();
    (Bytes::from(format!("incident-{}", incident.id)), Bytes::from(value))
}
