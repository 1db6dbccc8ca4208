//! A stream's JSON Schema (draft 2020-12), from its table of fields. What a clean event must be; most damage breaks it.
//!
//! Objects are open: a new optional field breaks no reader.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::schema::{Field, STREAMS, Stream, Values};

/// JSON whose fields stay in order, whatever serde_json was built with.
enum Ordered {
    Object(Vec<(String, Ordered)>),
    Leaf(Value),
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Ordered::Leaf(value) => value.serialize(serializer),
            Ordered::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

#[derive(Default)]
struct Object(Vec<(String, Ordered)>);

impl Object {
    fn leaf(mut self, name: &str, value: impl Into<Value>) -> Object {
        self.0.push((name.to_owned(), Ordered::Leaf(value.into())));
        self
    }

    fn object(mut self, name: &str, value: Object) -> Object {
        self.0.push((name.to_owned(), Ordered::Object(value.0)));
        self
    }
}

/// The schema of a topic's values, as text.
pub fn json_schema(topic: &str) -> Option<String> {
    let stream = STREAMS.iter().find(|stream| stream.topic == topic)?;
    let schema = Ordered::Object(of_stream(stream).0);
    serde_json::to_string_pretty(&schema).ok().map(|text| text + "\n")
}

fn of_stream(stream: &Stream) -> Object {
    let head = Object::default()
        .leaf("$schema", "https://json-schema.org/draft/2020-12/schema")
        .leaf("$id", format!("urn:headwater:schema:{}", stream.topic))
        .leaf("title", stream.topic)
        .leaf("description", stream.about);
    let fields: Vec<(&str, &Field)> = stream.all_fields().map(|field| (field.name, field)).collect();
    let mut schema = of_object(head, &fields);
    for field in stream.fields {
        let Some((other, value)) = field.only_if else { continue };
        let then = Object::default().leaf("required", json!([field.name]));
        let otherwise = Object::default().object("properties", Object::default().leaf(field.name, false));
        schema = schema.leaf("if", json!({"properties": {other: {"const": value}}})).object("then", then).object("else", otherwise);
    }
    schema
}

/// `fields` with their names as seen from this object.
fn of_object(head: Object, fields: &[(&str, &Field)]) -> Object {
    let mut properties = Object::default();
    let mut required: Vec<&str> = Vec::new();
    for &(path, field) in fields {
        let Some((outer, _)) = path.split_once('.') else {
            properties = properties.object(path, of_field(field));
            if !field.optional {
                required.push(path);
            }
            continue;
        };
        if required.contains(&outer) {
            continue;
        }
        required.push(outer);
        let inner: Vec<(&str, &Field)> =
            fields.iter().filter_map(|&(path, field)| Some((path.strip_prefix(outer)?.strip_prefix('.')?, field))).collect();
        properties = properties.object(outer, of_object(Object::default(), &inner));
    }
    head.leaf("type", "object").object("properties", properties).leaf("required", required)
}

fn of_field(field: &Field) -> Object {
    let kind = field.kind.trim_end_matches('?');
    let nullable = kind != field.kind;
    let kind = if kind == "time" { "string" } else { kind };
    let object = Object::default().leaf("description", field.meaning());
    if kind == "strings" {
        let items = bounds(Object::default().leaf("type", "string"), field, false);
        return object.leaf("type", "array").object("items", items).leaf("uniqueItems", true);
    }
    let object = if nullable { object.leaf("type", json!([kind, "null"])) } else { object.leaf("type", kind) };
    bounds(object, field, nullable)
}

fn bounds(object: Object, field: &Field, nullable: bool) -> Object {
    if field.kind == "time" {
        return object.leaf("format", "date-time").leaf("pattern", "^[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z$");
    }
    match field.values {
        Values::Any => object,
        Values::OneOf(_) => {
            let mut values: Vec<Option<&str>> = field.listed().into_iter().flatten().map(Some).collect();
            if nullable {
                values.push(None);
            }
            object.leaf("enum", json!(values))
        }
        Values::Like(pattern) => object.leaf("pattern", pattern),
        Values::Length(least, most) => object.leaf("minLength", least).leaf("maxLength", most),
        Values::Between(least, most) => object.leaf("minimum", number(field, least)).leaf("maximum", number(field, most)),
        Values::MoreThan(limit) => object.leaf("exclusiveMinimum", number(field, limit)),
    }
}

/// A bound as the field's kind writes it.
fn number(field: &Field, bound: f64) -> Value {
    if field.kind == "integer" || bound.fract() == 0.0 { json!(bound as i64) } else { json!(bound) }
}
