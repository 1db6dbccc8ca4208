//! `docs/dirt.md`, from the streams' tables.

use std::fmt::Write;
use std::path::Path;

use super::chronicle::Chronicle;
use super::dirt::{DirtLevel, Edit};
use super::schema::{STREAMS, StreamId};
use super::world::World;
use crate::model::Timestamp;

const HEAD: &str = "# Dirt and the truth ledger

This page is made from the tables in `src/generators`; `UPDATE_DOCS=1 cargo test --lib dirt_page` writes it again.

The four streams have faults in them, planted by the seed: the same seed has the same faults in the same places. `--dirt` says how many:
`0` none, `1` the rates below, `2` three times as many. A data folder keeps the level that it began with, as it keeps its seed.

## What is planted

Shares of a stream's events at `--dirt 1`; an event can be late, sent twice and damaged at once. A test holds the bytes of three seeds
against these rates, within four standard deviations of a count.

";

const DETAILS: &str = "
- A duplicate has the same key, bytes and `event_id`, and arrives 0.2 to 20 s after the first copy.
- What is out of order is held up for 1 to 29 s, so that others of its partition overtake it.
- A record's timestamp is when it arrived, `timestamp` in its value when it happened; late is what lies between. The first ten characters
  of an `event_id` are the event's time too (milliseconds since 1970 in Crockford's base 32), and no fault touches them: a value that is
  cut off ends behind its id.
- An event without a `user_id` keeps its key. A negative `amount` leaves `amount_usd` as it was.
- Testers buy without paying: the orders of their purchases are in no payment. Whether a visit is a test is decided by the visit, so tests
  come in runs. Of half of them `is_test` is true, the others' `user_id` begins with `test-`.
- Six of the 96 sensors report Fahrenheit, at every level; their `unit` says so.

## Damaged values

| stream | fault | share | what it is |
|---|---|---|---|
";

const LEDGER: &str = "
## The ledger

Each of these is noted in the topic `_truth`, with what else is true of an event and not in its bytes. The topic is internal: it is in no
list of topics and cannot be written to; whoever asks for it by name can read it. It has one partition and keeps a day, like the streams.
A note stands right behind its event: same record timestamp, and its key is the event's id. An event of which there is nothing to say
has none, and a duplicate shares the note of its first copy.

| field | |
|---|---|
| `topic`, `event_id` | which event |
| `timestamp` | when it happened, whatever a damaged event says |
| `fault` | the damage, by its name above |
| `delay_ms` | how long it was held up, besides the network's time (less than a second): to 29 s it is out of order, from 60 s on late |
| `copies` | 2 for an event that is sent twice |
| `tester` | `marked` or `account` |
| `writer` | `bot` |
| `unit` | `F` |
| `fraud` | of fraudulent payments: the pattern |
| `sentiment` | of posts, comments and shares: `positive`, `negative` or `neutral` |
";

const AGREEMENT: &str = "\
The ledger agrees with the bytes both ways: a test finds the faults in the bytes alone, for three seeds and every level, and holds them
against the notes. Fraud and sentiment cannot be found in that way.
";

fn percent(rate: f64) -> String {
    if rate == 0.0 {
        return "-".to_owned();
    }
    format!("{} %", (rate * 1e7).round() / 1e5)
}

fn explained(edit: &Edit) -> String {
    match edit {
        Edit::Set(name, json) => format!("`{name}` is `{json}`"),
        Edit::Drop(name) => format!("`{name}` is missing"),
        Edit::Quote(name) => format!("`{name}` is a text: `\"12.50\"`"),
        Edit::Negate(name) => format!("`{name}` is negative"),
        Edit::Postpone(name, by_ms) => format!("`{name}` is {} hours ahead", by_ms / 3_600_000),
        Edit::Truncate => "the value ends in the middle".to_owned(),
        Edit::Unquote => "the names have no quotes: no JSON".to_owned(),
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| |");
    STREAMS.iter().for_each(|stream| write!(page, " `{}` |", stream.topic).unwrap());
    page += &format!("\n|---|{}\n", "---|".repeat(STREAMS.len()));
    let mut row = |name: &str, rate: &dyn Fn(usize) -> f64| {
        let cells: Vec<String> = (0..STREAMS.len()).map(|stream| percent(rate(stream))).collect();
        writeln!(page, "| {name} | {} |", cells.join(" | ")).unwrap();
    };
    row("duplicate", &|stream| STREAMS[stream].dirt.duplicates);
    row("out of order", &|stream| STREAMS[stream].dirt.out_of_order);
    for (class, name) in ["late, 1 to 5 min", "late, 10 to 30 min", "late, 60 to 90 min"].into_iter().enumerate() {
        row(name, &|stream| STREAMS[stream].dirt.late[class]);
    }
    row("of testers", &|stream| if stream == StreamId::ECOMMERCE.0 { super::ecommerce::TESTS } else { 0.0 });
    row("of bots", &|stream| if stream == StreamId::SOCIAL.0 { super::social::BOTS } else { 0.0 });
    row("damaged", &|stream| STREAMS[stream].dirt.faults.iter().map(|fault| fault.rate).sum());
    page.push_str(DETAILS);
    for stream in STREAMS {
        for fault in stream.dirt.faults {
            let (name, share, what) = (fault.name, percent(fault.rate), explained(&fault.edit));
            writeln!(page, "| `{}` | `{name}` | {share} | {what} |", stream.topic).unwrap();
        }
    }
    page + LEDGER + "\n```json checked\n" + &example() + "\n```\n\n" + AGREEMENT
}

/// A note as it stands in the topic: the first of a damaged reading.
fn example() -> String {
    let origin = Timestamp(1_795_428_000_000);
    let mut notes = Chronicle::new(World::new(42, DirtLevel::Stated), origin, origin).filter(|event| event.stream == StreamId::TRUTH);
    let about = |value: &str| value.contains("iot-sensor-data") && value.contains("\"fault\"") && value.len() < 130;
    notes.find_map(|note| std::str::from_utf8(&note.value).ok().filter(|value| about(value)).map(str::to_owned)).unwrap()
}

#[test]
fn the_committed_page_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dirt.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == page(), "docs/dirt.md is old; `UPDATE_DOCS=1 cargo test --lib dirt_page` writes it again");
}
