//! What the values of a topic are made of: from the town's tables for its streams, from the last records for the others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::content::WHOLE;
use crate::cluster::StoredRecord;
use crate::generators::{STREAMS, examples};

/// Of fields that were found in records.
const FIELDS_MAX: usize = 100;
const DEPTH_MAX: usize = 5;
const EXAMPLE_CHARS: usize = 100;
/// A larger record is no template.
const TEMPLATE_BYTES_MAX: usize = 64 << 10;

/// One field of a topic's values.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct TopicField {
    /// With a dot into a nested object: `payload.amount`.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `time`, `strings`, `array`, `object` or `null`; `string or null`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In every value. Of a topic that is no stream: in each of the last ones.
    pub required: bool,
    /// Empty where nobody said.
    pub meaning: String,
    /// As JSON.
    pub example: Option<String>,
    /// All that it can be; `null` where it can be much.
    pub values: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct TemplateHeader {
    pub name: String,
    pub value: Option<String>,
}

/// A record to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Template {
    pub name: String,
    pub key: Option<String>,
    /// `null`: a tombstone.
    pub value: Option<String>,
    pub headers: Vec<TemplateHeader>,
}

/// May block. `last` are the newest records of the topic, newest first.
pub(super) fn fields(topic: &str, last: &[StoredRecord]) -> Vec<TopicField> {
    let Some(stream) = STREAMS.iter().find(|stream| stream.topic == topic) else { return inferred(last) };
    let shown = examples(topic);
    let field = |field: &crate::generators::Field| TopicField {
        name: field.name.to_owned(),
        kind: field.type_text(),
        required: !field.optional,
        meaning: field.meaning(),
        example: shown.and_then(|shown| shown.of(field.name)).map(Value::to_string),
        values: field.listed().map(|values| values.into_iter().map(str::to_owned).collect()),
    };
    stream.all_fields().map(field).collect()
}

#[derive(Default)]
struct Seen {
    kinds: Vec<&'static str>,
    times: usize,
    example: Option<String>,
}

fn inferred(last: &[StoredRecord]) -> Vec<TopicField> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut values = 0;
    for record in last {
        let value = record.value.as_deref().filter(|value| value.len() <= WHOLE);
        let parsed = value.and_then(|value| serde_json::from_slice::<Value>(value).ok());
        let Some(Value::Object(fields)) = parsed else { continue };
        values += 1;
        let mut within = String::new();
        fields.iter().for_each(|(name, value)| look(&mut seen, &mut within, name, value, 1));
    }
    let field = |(name, seen): (String, Seen)| TopicField {
        name,
        kind: seen.kinds.join(" or "),
        required: seen.times == values,
        meaning: String::new(),
        example: seen.example,
        values: None,
    };
    seen.into_iter().map(field).collect()
}

fn look(seen: &mut BTreeMap<String, Seen>, within: &mut String, name: &str, value: &Value, depth: usize) {
    let length = within.len();
    if length > 0 {
        within.push('.');
    }
    within.extend(name.chars().take(EXAMPLE_CHARS));
    match value {
        Value::Object(fields) if !fields.is_empty() && depth < DEPTH_MAX => {
            fields.iter().for_each(|(name, value)| look(seen, within, name, value, depth + 1));
        }
        leaf if seen.len() < FIELDS_MAX || seen.contains_key(within.as_str()) => {
            let field = seen.entry(within.clone()).or_default();
            field.times += 1;
            let kind = kind(leaf);
            if !field.kinds.contains(&kind) {
                field.kinds.push(kind);
            }
            if field.example.is_none() && !leaf.is_null() {
                field.example = Some(shortened(&leaf.to_string()));
            }
        }
        _ => {}
    }
    within.truncate(length);
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(EXAMPLE_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// May block.
pub(super) fn templates(topic: &str, last: &[StoredRecord]) -> Vec<Template> {
    let mut templates = Vec::new();
    if let Some(example) = event_of(topic, "an event".to_owned()) {
        templates.push(example);
        templates.extend(bad(topic));
    } else {
        templates.extend(last.iter().find_map(like));
        templates.extend(STREAMS.iter().filter_map(|stream| event_of(stream.topic, format!("an event of {}", stream.topic))));
        templates.extend(STREAMS.first().and_then(|stream| bad(stream.topic)));
    }
    let key = templates.iter().find_map(|template| template.key.clone());
    templates.push(Template { name: "a tombstone: a key without a value".to_owned(), key, value: None, headers: Vec::new() });
    templates
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn event_of(topic: &str, name: String) -> Option<Template> {
    let (key, value) = examples(topic)?.event()?;
    Some(Template { name, key: Some(text(key)), value: Some(text(value)), headers: Vec::new() })
}

fn bad(topic: &str) -> Option<Template> {
    let example = examples(topic)?;
    let (fault, value) = example.damaged(topic)?;
    let key = example.event().map(|(key, _)| text(key));
    Some(Template { name: format!("a bad record ({fault})"), key, value: Some(text(&value)), headers: Vec::new() })
}

/// The last record, if it is text.
fn like(record: &StoredRecord) -> Option<Template> {
    let plain = |bytes: &Option<bytes::Bytes>| match bytes {
        None => Some(None),
        Some(bytes) => std::str::from_utf8(bytes).ok().map(|text| Some(text.to_owned())),
    };
    if record.size() > TEMPLATE_BYTES_MAX || record.value.is_none() {
        return None;
    }
    let header = |(name, value): &(String, Option<bytes::Bytes>)| Some(TemplateHeader { name: name.clone(), value: plain(value)? });
    Some(Template {
        name: "like the last record".to_owned(),
        key: plain(&record.key)?,
        value: plain(&record.value)?,
        headers: record.headers.iter().map(header).collect::<Option<_>>()?,
    })
}
