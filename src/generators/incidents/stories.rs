//! The stories that incidents begin, and the ledger's lines about incidents.

use crate::generators::draft::{Body, CHAPTER_MS, Drafts, Serial, Story};
use crate::generators::schema::StreamId;
use crate::generators::world::World;
use crate::generators::{finance, social};

use super::{Incident, Kind};

const PILLS_EVERY_MS: i64 = 20_000;

/// Drafts what incidents add to a chapter.
pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    let at = chapter * CHAPTER_MS;
    let planned = world.timeline.planned_spike(at);
    let spikes = planned.iter().chain(world.timeline.on(Kind::FraudSpike, at));
    for (number, spike) in spikes.enumerate() {
        finance::tell_spike(world, chapter, number, spike.target, drafts);
    }
    for (number, raid) in world.timeline.on(Kind::BotRaid, at).enumerate() {
        social::tell_raid(world, chapter, number, raid, drafts);
    }
    for incident in planned.iter().chain(world.timeline.incidents()).filter(|incident| incident.to > incident.from) {
        begin(world, chapter, incident, drafts);
    }
}

fn begin(world: &World, chapter: i64, incident: &Incident, drafts: &mut Drafts<'_>) {
    let at = chapter * CHAPTER_MS;
    let number = incident.id as usize;
    if incident.from == at {
        drafts.add(at, 0, Serial::new(Story::Incident, chapter, number, 0), Body::Begun(incident.clone()));
        if incident.kind == Kind::ViralPost {
            social::tell_viral(world, chapter, incident, drafts);
        }
    }
    if incident.to == at && incident.to < incident.ordered_to {
        drafts.add(at, 0, Serial::new(Story::Incident, chapter, number, 1), Body::EndedEarly(incident.clone()));
    }
    if incident.kind == Kind::PoisonPill && incident.is_on(at) && (at - incident.from) % PILLS_EVERY_MS == 0 {
        let pill = ((at - incident.from) / PILLS_EVERY_MS) as usize;
        let serial = Serial::new(Story::Incident, chapter, number, 2);
        drafts.add_for(incident.kind, at, 0, serial, Body::Pill(StreamId(incident.target), pill));
    }
}

/// The key of records that are no events.
pub const PILL_KEY: &[u8] = b"poison";

/// The bytes of a record that stops a careless consumer.
pub fn pill(number: usize) -> Vec<u8> {
    match number % 3 {
        0 => b"{\"event_id\": \"\xff\xfe\xfa\", \"price\": \x80}".to_vec(),
        // As Confluent's serialisers begin: a zero and the id of a schema.
        1 => [&[0, 0, 0, 0, 42, 16][..], b"u-000042", &[2, 0x80, 0x7f, 0, 0]].concat(),
        _ => vec![b'['; 1_000],
    }
}
