//! What incidents, rates and pauses do to a draft on its way to the topic.

use crate::generators::draft::{Body, Draft};
use crate::generators::finance;
use crate::generators::iot;
use crate::generators::schema::StreamId;
use crate::generators::town::sites::SITES;
use crate::generators::world::World;

use super::{Incident, Kind};

/// How long the burst takes with which an outage ends.
pub const BURST_MS: i64 = 30_000;

/// The draft as it goes on, or nothing if it never gets there.
pub fn apply(world: &World, mut draft: Draft) -> Option<Draft> {
    let timeline = &world.timeline;
    if timeline.is_quiet() {
        return Some(draft);
    }
    let stream = draft.stream();
    let rate = timeline.rate(stream, draft.happened);
    // No purchase, no payment.
    let cause = if let Body::Payment(payment) = &draft.body { finance::caused_at(payment) } else { None };
    if rate == 0.0 || cause.is_some_and(|at| timeline.rate(StreamId::ECOMMERCE, at) == 0.0) {
        return None;
    }
    if let Body::Reading(reading) = &draft.body
        && !iot::reports(reading, rate)
    {
        return None;
    }
    timeline.incidents().iter().try_for_each(|incident| touch(world, incident, stream, &mut draft))?;
    Some(draft)
}

fn touch(world: &World, incident: &Incident, stream: StreamId, draft: &mut Draft) -> Option<()> {
    let (on, happened) = (incident.is_on(draft.happened), draft.happened);
    match (incident.kind, &mut draft.body) {
        (Kind::PaymentOutage, Body::Payment(_)) if incident.is_on(draft.arrival) => {
            draft.arrival = incident.to + (draft.arrival - incident.from) * BURST_MS / (incident.to - incident.from).max(1);
        }
        (Kind::SensorStuck, Body::Reading(reading)) if on && iot::is_of(reading, incident.target) => {
            iot::stick(world, reading, incident.from);
        }
        (Kind::SiteOffline, Body::Reading(reading))
            if on && SITES.get(incident.target).is_some_and(|site| iot::is_at(world, reading, site)) =>
        {
            return None;
        }
        (Kind::FahrenheitFirmware, Body::Reading(reading))
            if on && SITES.get(incident.target).is_some_and(|site| iot::is_at(world, reading, site)) =>
        {
            if !iot::update_firmware(world, reading, happened - incident.from) {
                return Some(());
            }
        }
        (Kind::SchemaDrift, _) if on && stream.0 == incident.target => {
            draft.drifted = true;
            return Some(());
        }
        _ => return Some(()),
    }
    draft.incident = Some(incident.kind);
    Some(())
}
