//! What the broker saw, in sentences.

use std::ops::Range;

use crate::model::Offset;
use crate::model::evidence::{Evidence, Fetched};
use crate::workshop::Ticket;

fn overlap(a: &Range<Offset>, b: &Range<Offset>) -> i64 {
    a.end.min(b.end).0.saturating_sub(a.start.max(b.start).0).max(0)
}

/// Offsets of a ticket that one partition's fetches covered.
fn covered(fetched: &Fetched, ticket: &Ticket) -> i64 {
    let ranges = ticket.ranges_of(fetched.topic.as_str()).filter(|(partition, _)| *partition == fetched.partition);
    let pairs = ranges.flat_map(|(_, range)| fetched.offsets.iter().map(move |seen| overlap(seen, &range)));
    pairs.fold(0, i64::saturating_add)
}

fn records_of(seen: &Evidence, ticket: &Ticket) -> i64 {
    let all = ticket.topics().map(|topic| ticket.length(topic.as_str())).fold(0, i64::saturating_add);
    seen.fetched.iter().map(|fetched| covered(fetched, ticket)).fold(0, i64::saturating_add).min(all)
}

/// Whether the ticket's records were handed out. Where none of them was to come, any record of its topics that was handed out since will do:
/// such a ticket only says when to begin.
pub(super) fn has_read(seen: &Evidence, ticket: &Ticket) -> bool {
    let of_topics = |fetched: &Fetched| ticket.topics().any(|topic| *topic == fetched.topic) && fetched.at_ms >= ticket.issued_ms;
    records_of(seen, ticket) > 0 || (ticket.live.values().all(|live| *live == 0) && seen.fetched.iter().any(of_topics))
}

/// All that was handed out, as far as it is remembered.
pub(super) fn records_read(seen: &Evidence) -> i64 {
    let of = |fetched: &Fetched| fetched.offsets.iter().map(|range| range.end.0.saturating_sub(range.start.0)).fold(0, i64::saturating_add);
    seen.fetched.iter().map(of).fold(0, i64::saturating_add)
}

/// How much of a ticket was handed out, and to which client.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub unread: bool,
    pub client: Option<String>,
    pub records: i64,
}

pub(super) fn reading(seen: Option<&Evidence>, ticket: &Ticket) -> Reading {
    let Some(seen) = seen else { return Reading::default() };
    Reading { unread: !has_read(seen, ticket), client: client(seen, ticket), records: records_of(seen, ticket) }
}

/// The one that asked last for records of a ticket's topics.
fn client(seen: &Evidence, ticket: &Ticket) -> Option<String> {
    let of_topics = seen.fetched.iter().filter(|fetched| ticket.topics().any(|topic| *topic == fetched.topic));
    let newest = of_topics.filter(|fetched| fetched.at_ms >= ticket.issued_ms).max_by_key(|fetched| fetched.at_ms);
    newest.map(|fetched| fetched.software.clone()).filter(|software| !software.is_empty())
}

/// Whether a ticket's records were read, and by what.
pub(super) fn read(seen: &Evidence, ticket: &Ticket) -> Option<String> {
    let all = ticket.topics().map(|topic| ticket.length(topic.as_str())).fold(0, i64::saturating_add);
    if all == 0 {
        return None;
    }
    let records = records_of(seen, ticket);
    if records == 0 && has_read(seen, ticket) {
        return None;
    }
    if records == 0 {
        return Some("The broker did not see any of your users fetch a record of this ticket.".to_owned());
    }
    let by = client(seen, ticket).map(|client| format!(" ({client})")).unwrap_or_default();
    Some(format!("The broker handed your client{by} {records} of the {all} records of this ticket."))
}

/// What was done where nothing has arrived.
pub(super) fn instead(seen: &Evidence, ticket: &Ticket, prefix: &str, place: &str) -> Vec<String> {
    let mut told = Vec::new();
    let since = ticket.issued_ms;
    let read = seen.fetched.iter().filter(|fetched| fetched.at_ms >= since && covered(fetched, ticket) > 0);
    let records = read.map(|fetched| covered(fetched, ticket)).fold(0, i64::saturating_add);
    let any = seen.fetched.iter().any(|fetched| fetched.at_ms >= since);
    let produced: Vec<_> = seen.produced.iter().filter(|produced| produced.at_ms >= since && produced.records > 0).collect();
    told.push(match (records, any) {
        (0, false) => "Since the ticket was issued, the broker has not seen any of your users fetch a record.".to_owned(),
        (0, true) => "Your client fetches, but no records of this ticket.".to_owned(),
        (records, _) => format!("Your client was handed {records} records of this ticket."),
    });
    if !place.is_empty() {
        let elsewhere: Vec<_> = produced.iter().filter(|produced| produced.topic.as_str() != place).collect();
        told.extend(elsewhere.iter().map(|produced| format!("It wrote to {}, not to {place}.", produced.topic)));
        if produced.is_empty() {
            told.push(format!("It wrote nothing to {place} or to any other topic that begins with {prefix}"));
        }
    }
    told
}
