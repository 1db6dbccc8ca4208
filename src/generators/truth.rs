//! The ledger: what is true of an event and cannot be read from its bytes. It goes into the internal topic `_truth`, right behind
//! its event.
//!
//! | field | content |
//! |---|---|
//! | `topic`, `event_id` | the event; the id is also the record's key |
//! | `timestamp` | when it happened, whatever a damaged event says |
//! | `fraud` | the pattern, of fraudulent payments only |
//! | `sentiment` | `positive`, `negative` or `neutral`, of texts only |
//! | `sensor` | what ails the sensor, where something does |
//! | `fault` | the damage to the bytes |
//! | `late_ms` | by how much it is late; more than 30 s out of order |
//! | `copies` | 2 for an event that is sent twice |

use crate::model::{PartitionId, Timestamp};

use bytes::Bytes;

use super::chronicle::Event;
use super::draft::Draft;
use super::identifier::event_id;
use super::json::JsonObject;
use super::schema::{STREAMS, StreamId};
use super::world::World;

pub const TOPIC: &str = "_truth";

/// The name of a field and its value.
pub type Label = (&'static str, &'static str);

/// What there is to note about an event. Its copy has the same note, which is not written twice.
pub fn note(world: &World, draft: &Draft, origin_ms: i64) -> Option<Event> {
    if draft.copy {
        return None;
    }
    let stream = draft.stream();
    let label = (STREAMS[stream.0].label)(world, draft);
    let dirt = &draft.dirt;
    if label.is_none() && dirt.fault.is_none() && !dirt.late && dirt.copy_after_ms.is_none() {
        return None;
    }
    let happened_ms = origin_ms + draft.happened;
    let id = event_id(world.seed, stream.0 as u64, draft.serial.0, happened_ms);
    let mut value = Vec::with_capacity(160);
    let mut object = JsonObject::open(&mut value);
    object.text("topic", stream.topic()).text("event_id", id).time("timestamp", happened_ms);
    if let Some((name, text)) = label {
        object.text(name, text);
    }
    if let Some(fault) = dirt.fault {
        object.text("fault", fault.name);
    }
    if dirt.late {
        object.integer("late_ms", dirt.delay_ms);
    }
    if dirt.copy_after_ms.is_some() {
        object.integer("copies", 2);
    }
    object.close();
    Some(Event {
        stream: StreamId::TRUTH,
        partition: PartitionId(0),
        key: Bytes::copy_from_slice(&id),
        value: Bytes::from(value),
        arrival: Timestamp(origin_ms + draft.arrival),
    })
}
