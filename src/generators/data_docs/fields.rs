//! `docs/data.md`, with a picture of each field and twenty records of each stream.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::svg::{bars, histogram, ranks};
use super::{HOUR_MS, SEED, Told, keep, one_day, told};
use crate::generators::dirt::{DirtLevel, Edit};
use crate::generators::examples::{examples, is_dull};
use crate::generators::schema::{Field, STREAMS, Stream, Values};

const SAMPLES: usize = 20;
const SHOWN: usize = 3;

/// What the events of a stretch have in their fields.
pub struct Fields {
    streams: Vec<Seen>,
}

#[derive(Default)]
struct Seen {
    events: usize,
    bytes: usize,
    columns: Vec<Column>,
}

#[derive(Default)]
struct Column {
    example: Option<Value>,
    numbers: Vec<f64>,
    names: BTreeMap<String, f64>,
    /// The same, most frequent first.
    ranked: Vec<(String, f64)>,
}

impl Fields {
    pub fn new() -> Fields {
        let seen = |stream: &Stream| Seen { columns: stream.fields.iter().map(|_| Column::default()).collect(), ..Seen::default() };
        Fields { streams: STREAMS.iter().map(seen).collect() }
    }

    pub fn add(&mut self, told: &Told) {
        let id = told.event.stream.0;
        let seen = &mut self.streams[id];
        seen.events += 1;
        seen.bytes += told.event.value.len();
        for (field, column) in STREAMS[id].fields.iter().zip(&mut seen.columns) {
            field.of(told.value()).into_iter().for_each(|value| column.add(field, value));
        }
    }

    pub fn sorted(mut self) -> Fields {
        for column in self.streams.iter_mut().flat_map(|seen| &mut seen.columns) {
            column.numbers.sort_unstable_by(f64::total_cmp);
            column.ranked = std::mem::take(&mut column.names).into_iter().collect();
            // Stable: equally frequent names stay in their own order.
            column.ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        }
        self
    }
}

impl Column {
    fn add(&mut self, field: &Field, value: &Value) {
        if self.example.is_none() && !is_dull(value) {
            self.example = Some(value.clone());
        }
        match value {
            Value::Number(number) => self.numbers.extend(number.as_f64()),
            Value::String(text) if !matches!(field.kind, "time") && !matches!(field.values, Values::Length(..)) => self.count(text),
            Value::Bool(is) => self.count(if *is { "true" } else { "false" }),
            Value::Null => self.count("null"),
            Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(|item| self.count(item)),
            _ => {}
        }
    }

    fn count(&mut self, name: &str) {
        match self.names.get_mut(name) {
            Some(count) => *count += 1.0,
            None => drop(self.names.insert(name.to_owned(), 1.0)),
        }
    }

    /// None for what never or always differs.
    fn picture(&self, field: &Field, events: usize) -> Option<String> {
        if let (Some(first), Some(last)) = (self.numbers.first(), self.numbers.last()) {
            return (first < last).then(|| histogram(&self.numbers, matches!(field.values, Values::MoreThan(_))));
        }
        match (field.values, self.ranked.len()) {
            (_, 0 | 1) => None,
            // Ids of which most are used once: how many are null is all there is to see.
            (Values::Like(_), many) if field.kind.ends_with('?') && many > 100 => {
                let null: f64 = self.ranked.iter().filter(|(name, _)| name == "null").map(|(_, count)| count).sum();
                let total: f64 = self.ranked.iter().map(|(_, count)| count).sum();
                Some(bars(&[("null".to_owned(), null), ("an id".to_owned(), total - null)]))
            }
            // Ids that are used once, or as often as a visit is long.
            (Values::Like(_), many) if many * 4 > events || self.ranked[0].1 < 50.0 => None,
            (Values::Like(_), many) if many > 8 => Some(ranks(&self.ranked)),
            _ => Some(bars(&self.ranked)),
        }
    }
}

const HEAD: &str = "# The data

This page, its pictures, the [samples](samples) and the [schemas](schemas) are made from the code in `src/generators`;
`UPDATE_DOCS=1 cargo test --lib data_docs` writes them again.

All values are JSON objects in UTF-8 and all keys are texts. A record's timestamp is when it arrived, `timestamp` in its value when it
happened. The pictures show one day of the town (an hour: seed 42, from 11:00, no dirt). Of a numeric field they name the middle value and
those that one in a thousand is below and above; of an id, how often each is used.

A clean value fits its topic's JSON Schema, which the broker also serves as `/schemas/TOPIC.json` on its HTTP port. Damage that is JSON
does not fit, with one exception: a time two days ahead is a time. How dirt is planted is in [dirt.md](dirt.md), how well all this is kept in
[data-measured.md](data-measured.md), a day of each stream in [pictures](#a-day), and how real it is in
[how-the-data-differs.md](how-the-data-differs.md).
";

fn page(fields: &Fields) -> String {
    let mut page = HEAD.to_owned();
    for (stream, seen) in STREAMS.iter().zip(&fields.streams) {
        let (topic, about) = (stream.topic, stream.about);
        let rate = (seen.events as f64 / (HOUR_MS / 1000) as f64 * 10.0).round() / 10.0;
        write!(page, "\n## {topic}\n\n{about}.\n\n").unwrap();
        page.push_str("| key | partitions | records a second | bytes in a value | schema |\n|---|---|---|---|---|\n");
        let (key, partitions, bytes) = (stream.key_field, stream.partitions, seen.bytes / seen.events.max(1));
        writeln!(page, "| `{key}` | {partitions} | {rate} | {bytes} | [{topic}.schema.json](schemas/{topic}.schema.json) |\n").unwrap();
        page.push_str("| field | type | unit | meaning | example | distribution |\n|---|---|---|---|---|---|\n");
        for (field, column) in stream.fields.iter().zip(&seen.columns) {
            page.push_str(&row(stream, field, column, seen.events));
        }
        page.push_str(&records(stream));
        page.push_str(&dirt(stream));
    }
    page + super::day::SECTION
}

fn row(stream: &Stream, field: &Field, column: &Column, events: usize) -> String {
    let kind = field.type_text();
    let kind = if field.optional { format!("{kind}, in some") } else { kind };
    let example = column.example.as_ref().map(Value::to_string).unwrap_or_default();
    let picture = column.picture(field, events).map(|_| format!("![]({})", picture_file(stream, field))).unwrap_or_default();
    format!("| `{}` | {kind} | {} | {} | `{example}` | {picture} |\n", field.name, field.unit, field.about)
}

fn picture_file(stream: &Stream, field: &Field) -> String {
    format!("pictures/{}.{}.svg", stream.topic, field.name)
}

/// The first values that arrive after the first hour, with the usual dirt.
fn samples(stream: &Stream) -> Vec<String> {
    let values = told(SEED, DirtLevel::Stated, HOUR_MS, 2 * HOUR_MS).filter(|told| told.event.stream == stream.id);
    values.take(SAMPLES).map(|told| String::from_utf8(told.event.value.to_vec()).unwrap()).collect()
}

fn records(stream: &Stream) -> String {
    let shown = samples(stream)[..SHOWN].join("\n");
    let topic = stream.topic;
    format!("\nThree values ([twenty](samples/{topic}.jsonl), as they arrive, with the usual dirt):\n\n```json checked\n{shown}\n```\n")
}

fn dirt(stream: &Stream) -> String {
    let percent = |rate: f64| format!("{} %", (rate * 1e7).round() / 1e5);
    let dirt = stream.dirt;
    let delays = [("out of order, up to 29 s", dirt.out_of_order), ("late, 1 to 5 min", dirt.late[0])];
    let longer = [("late, 10 to 30 min", dirt.late[1]), ("late, 60 to 90 min", dirt.late[2]), ("sent twice", dirt.duplicates)];
    let faults = dirt.faults.iter().map(|fault| (fault.name, fault.rate, refused(&fault.edit)));
    let mut table = "\n| dirt at `--dirt 1` | share of events | fits the schema |\n|---|---|---|\n".to_owned();
    for (name, rate, fits) in delays.into_iter().chain(longer).map(|(name, rate)| (name, rate, "yes")).chain(faults) {
        if rate > 0.0 {
            writeln!(table, "| {name} | {} | {fits} |", percent(rate)).unwrap();
        }
    }
    table
}

fn refused(edit: &Edit) -> &'static str {
    match edit {
        Edit::Truncate | Edit::Unquote => "no JSON",
        Edit::Postpone(..) => "yes",
        _ => "no",
    }
}

#[test]
fn the_committed_page_samples_and_pictures_are_what_the_code_makes() {
    let (fields, _) = one_day();
    for (stream, seen) in STREAMS.iter().zip(&fields.streams) {
        keep(&format!("samples/{}.jsonl", stream.topic), &(samples(stream).join("\n") + "\n"));
        for (field, column) in stream.fields.iter().zip(&seen.columns) {
            if let Some(picture) = column.picture(field, seen.events) {
                keep(&picture_file(stream, field), &picture);
            }
        }
    }
    let page = page(fields);
    keep("data.md", &page);
    for picture in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures")).unwrap() {
        let name = picture.unwrap().file_name();
        if !name.to_string_lossy().ends_with(".svg") {
            // Of programs, for other pages.
            continue;
        }
        assert!(page.contains(&*name.to_string_lossy()), "docs/pictures/{} is on no page", name.display());
    }
}

#[test]
fn the_pages_show_the_same_examples() {
    let (fields, _) = one_day();
    for (stream, seen) in STREAMS.iter().zip(&fields.streams) {
        let shown = examples(stream.topic).unwrap();
        for (field, column) in stream.fields.iter().zip(&seen.columns) {
            assert_eq!(shown.of(field.name), column.example.as_ref(), "{}.{}", stream.topic, field.name);
        }
    }
    assert!(examples("_truth").is_none());
}

#[test]
fn every_field_was_met_and_every_listed_value_occurs_in_a_day_or_is_rare() {
    let (fields, _) = one_day();
    for (stream, seen) in STREAMS.iter().zip(&fields.streams) {
        for (field, column) in stream.fields.iter().zip(&seen.columns) {
            assert!(column.example.is_some(), "{} has no {}", stream.topic, field.name);
            let Values::OneOf(list) = field.values else { continue };
            let met: Vec<&str> = list().into_iter().filter(|value| column.ranked.iter().any(|(name, _)| name == value)).collect();
            println!("{}.{}: {} of {} met", stream.topic, field.name, met.len(), list().len());
            assert!(met.len() * 3 >= list().len() * 2, "{}.{}: only {met:?}", stream.topic, field.name);
        }
    }
}
