//! What a request was, in a sentence: one for each API key that is served.

use std::sync::Arc;

use super::request_errors::{self, is_usual};
use crate::model::Timestamp;
use crate::model::request_seen::{RequestFacts, RequestSeen};

/// `name` is what Kafka calls the API key.
pub(super) fn words(seen: &RequestSeen, name: &str) -> String {
    let facts = &seen.facts;
    let what = match facts.error {
        0 => done(seen).unwrap_or_else(|| format!("answered in {}", time(u64::from(seen.took_us)))),
        code => match is_usual(seen.api_key, code) {
            Some(usual) => usual.to_owned(),
            None => failed(seen, code),
        },
    };
    let rest = match facts.throttled_ms {
        0 => String::new(),
        ms => format!("; then a rest of {}, as it was too much at once", time(u64::from(ms) * 1_000)),
    };
    format!("{name}: {what}{rest}")
}

/// Whether requests of this key have a sentence of their own.
pub fn has_words(api_key: i16) -> bool {
    let (at, client, facts) = (Timestamp(0), Arc::default(), RequestFacts::default());
    done(&RequestSeen { id: 0, at, api_key, version: 0, client, took_us: 0, bytes_in: 0, bytes_out: 0, facts }).is_some()
}

fn done(seen: &RequestSeen) -> Option<String> {
    let facts = &seen.facts;
    let took = u64::from(seen.took_us);
    Some(match seen.api_key {
        0 => produced(facts),
        1 => fetched(seen),
        2 => format!("asked for the offset of a time or an end, of {}", of(facts, "partition")),
        3 => match (&facts.about, facts.parts) {
            (_, 0) => "asked where the broker is".to_owned(),
            (Some(topic), 1) => format!("asked where {topic} is"),
            (_, parts) => format!("asked where {} are", count(parts, "topic")),
        },
        8 => format!("group {} noted how far it has read, in {}", about(facts), count(facts.parts, "partition")),
        9 => format!("group {} asked how far it had read, in {}", about(facts), count(facts.parts, "partition")),
        10 => format!("asked who looks after {}", about(facts)),
        11 => {
            let waited = if took >= WAITED_US { format!(" after {} of waiting for others", time(took)) } else { String::new() };
            let leads = match facts.parts {
                0 => String::new(),
                members => format!(", and shares out the partitions among {}", count(members, "member")),
            };
            format!("joined group {}, generation {}{waited}{leads}", about(facts), facts.number)
        }
        12 => format!("still in group {}", about(facts)),
        13 => format!("left group {}", about(facts)),
        14 => {
            let waited = if took >= WAITED_US { format!(" after {}", time(took)) } else { String::new() };
            format!("was told which partitions of group {} are its own{waited}", about(facts))
        }
        15 => format!("asked who is in {}", of(facts, "group")),
        16 => format!("asked for all groups, and got {}", facts.parts),
        17 => "said how it logs in".to_owned(),
        18 => "asked what this broker can do".to_owned(),
        19 => format!("created {}", of(facts, "topic")),
        20 => format!("deleted {}", of(facts, "topic")),
        21 => format!("deleted old records of {}", of(facts, "partition")),
        22 => "got a producer id, so that nothing is written twice".to_owned(),
        23 => format!("asked whether records were lost, in {}", of(facts, "partition")),
        29 => "asked for rights".to_owned(),
        30 => format!("gave {}", count(facts.parts, "right")),
        31 => "took rights away".to_owned(),
        32 => format!("asked for the configs of {}", of(facts, "topic or broker")),
        33 | 44 => format!("changed configs of {}", of(facts, "topic or broker")),
        35 => "asked how large the logs are".to_owned(),
        36 => "logged in".to_owned(),
        37 => format!("gave more partitions to {}", of(facts, "topic")),
        42 => format!("deleted {}", of(facts, "group")),
        47 => format!("deleted offsets of group {}", about(facts)),
        48 => "asked for limits".to_owned(),
        49 => "changed limits".to_owned(),
        50 => "asked which users have passwords".to_owned(),
        51 => format!("changed the password of {}", of(facts, "user")),
        60 => "asked what the cluster is".to_owned(),
        68 => format!("still in group {}", about(facts)),
        69 => format!("asked who is in {}", of(facts, "group")),
        75 => format!("asked for the partitions of {}", of(facts, "topic")),
        _ => return None,
    })
}

/// What took so long did not work but wait.
const WAITED_US: u64 = 200_000;

fn produced(facts: &RequestFacts) -> String {
    let where_to = match facts.parts {
        0 | 1 => format!("to {}", about(facts)),
        parts => format!("to {} of {}", count(parts, "partition"), about(facts)),
    };
    let sure = if facts.number == 0 { "; with acks=0 nobody tells the client whether it worked" } else { "" };
    match facts.records {
        0 => format!("had been written {where_to} before; not written twice{sure}"),
        records => format!("wrote {} ({}) {where_to}{sure}", count(records, "record"), bytes(facts.bytes)),
    }
}

fn fetched(seen: &RequestSeen) -> String {
    let (facts, took) = (&seen.facts, u64::from(seen.took_us));
    match (facts.records, facts.bytes) {
        (0, 0) if facts.parts == 0 => "asked for no partition".to_owned(),
        (0, 0) if took < 1_000 => "nothing new".to_owned(),
        (0, 0) => format!("waited {}, nothing new", time(took)),
        (records, sent) => {
            let waited = if took >= 20_000 { format!(", after {} of waiting", time(took)) } else { String::new() };
            format!("got {} ({}) of {}{waited}", count(records, "record"), bytes(sent), about(facts))
        }
    }
}

fn failed(seen: &RequestSeen, code: i16) -> String {
    let words = request_errors::words(seen.api_key, code);
    match &seen.facts.about {
        Some(about) => format!("refused for {about}: {words}"),
        None => format!("refused: {words}"),
    }
}

fn about(facts: &RequestFacts) -> &str {
    facts.about.as_deref().filter(|name| !name.is_empty()).unwrap_or("(no name)")
}

/// The one that it is, or how many.
fn of(facts: &RequestFacts, what: &str) -> String {
    match (&facts.about, facts.parts) {
        (Some(name), 0 | 1) => name.to_string(),
        (Some(name), parts) if what == "partition" => format!("{} of {name}", count(parts, what)),
        (_, parts) => count(parts, what),
    }
}

fn count(number: u32, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

fn bytes(number: u32) -> String {
    match number {
        0..1_024 => count(number, "byte"),
        1_024..1_048_576 => format!("{:.1} KiB", f64::from(number) / 1_024.0),
        _ => format!("{:.1} MiB", f64::from(number) / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn seen(api_key: i16, took_us: u32, facts: RequestFacts) -> RequestSeen {
        RequestSeen { id: 1, at: Timestamp(0), api_key, version: 0, client: Arc::default(), took_us, bytes_in: 1, bytes_out: 1, facts }
    }

    fn told(api_key: i16, took_us: u32, facts: RequestFacts) -> String {
        words(&seen(api_key, took_us, facts), "X")
    }

    #[test]
    fn what_happens_most_reads_well() {
        let about = |name: &str| RequestFacts { about: Some(name.into()), ..RequestFacts::default() };
        assert_eq!(told(1, 500_200, RequestFacts { parts: 4, ..about("t") }), "X: waited 500 ms, nothing new");
        let some = RequestFacts { parts: 4, records: 37, bytes: 8_400, ..about("t") };
        assert_eq!(told(1, 120_000, some), "X: got 37 records (8.2 KiB) of t, after 120 ms of waiting");
        let written = RequestFacts { parts: 1, records: 1, bytes: 90, number: -1, ..about("t") };
        assert_eq!(told(0, 300, written), "X: wrote 1 record (90 bytes) to t");
        let twice = RequestFacts { parts: 2, number: -1, throttled_ms: 1_200, ..about("t") };
        assert_eq!(
            told(0, 300, twice),
            "X: had been written to 2 partitions of t before; not written twice; then a rest of 1.2 s, as it was too much at once"
        );
        let joined = RequestFacts { number: 3, parts: 2, ..about("g") };
        assert_eq!(
            told(11, 3_000_000, joined),
            "X: joined group g, generation 3 after 3.0 s of waiting for others, and shares out the partitions among 2 members"
        );
        let barred = RequestFacts { error: 29, parts: 1, ..about("ws.other.t") };
        assert!(told(0, 1, barred).starts_with("X: refused for ws.other.t: "));
        assert!(told(11, 1, RequestFacts { error: 79, ..about("g") }).contains("member id"));
    }
}
