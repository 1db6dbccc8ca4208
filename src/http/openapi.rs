//! `/api/openapi.json`: the table of routes as OpenAPI 3.1, so that the page and other programs know what is asked and answered.
//!
//! A row names its types (`routes.rs`); what stands in a schema comes from them, the descriptions from the comments on their fields.

use axum::http::HeaderMap;
use axum::response::Response;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answer::ErrorAnswer;
use super::caller::COOKIE;
use super::dashboard;
use super::routes::{ROUTES, Route, SHAPES, Shapes};
use crate::workshop::Role;

/// From a type to its schema.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// As a reference to a named schema.
pub(super) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// In full, for the parameters of a query.
pub(super) fn parameters<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// What a route answers with.
pub enum Content {
    Json(Shape),
    Text,
    File,
    /// One event after the other, each with a line of JSON. `None`: they are not described.
    Events(Option<Shape>),
}

/// What may stand behind `->` in the table.
pub(super) trait Answer {
    const CONTENT: Content;
}

impl<T: JsonSchema> Answer for T {
    const CONTENT: Content = Content::Json(shape::<T>);
}

/// Text of any kind: a page, a script, a program to be pasted.
pub(super) struct Text;
/// Something to be kept.
pub(super) struct File;
/// A stream of events; `Events<T>` when T is what can stand in their data.
pub(super) struct Events<T = ()>(std::marker::PhantomData<T>);

impl Answer for Text {
    const CONTENT: Content = Content::Text;
}

impl Answer for File {
    const CONTENT: Content = Content::File;
}

impl<T: JsonSchema + 'static> Answer for Events<T> {
    const CONTENT: Content = Content::Events(if size_of::<T>() == 0 { None } else { Some(shape::<T>) });
}

/// `docs/openapi.json`, which a test holds against `made`.
pub(super) async fn document(headers: HeaderMap) -> Response {
    dashboard::built_in("openapi.json", &headers)
}

/// The whole document, as the code has it.
pub fn made() -> Value {
    let settings = || SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut schemas = Schemas { asked: settings().for_deserialize().into(), answered: settings().for_serialize().into() };
    let mut paths = Map::new();
    for (route, shapes) in ROUTES.iter().zip(SHAPES) {
        let mut operation = schemas.operation(route, shapes);
        // A handler of several rows has a number in the names of the later ones.
        let of_handler = ROUTES.iter().filter(|other| other.handler == route.handler);
        let before = of_handler.take_while(|other| other.path != route.path).count();
        if before > 0 {
            operation["operationId"] = json!(format!("{}.{}", route.handler, before + 1));
        }
        let path = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_owned(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Headwater",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the broker answers over HTTP. x-role is the least that one has to be. Times in *_ms are milliseconds since 1970."
        },
        "paths": paths,
        "components": {
            "schemas": schemas.named(),
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": COOKIE },
                "token": { "type": "http", "scheme": "bearer" }
            }
        }
    })
}

/// What is asked and what is answered: a field that may be left out of the one is always there in the other.
struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn operation(&mut self, route: &Route, shapes: &Shapes) -> Value {
        let error = shape::<ErrorAnswer>(&mut self.answered);
        let mut operation = json!({
            "operationId": route.handler,
            "summary": route.about,
            "x-role": route.who.name(),
            "security": match route.who {
                Role::Nobody => json!([]),
                _ => json!([{ "session": [] }, { "token": [] }]),
            },
            "responses": {
                "200": { "description": "done", "content": self.content(shapes) },
                "default": { "description": "what happened, and what to do", "content": { "application/json": { "schema": error } } }
            }
        });
        let parameters = in_path(route.path).map(path_parameter).chain(self.query(shapes)).collect::<Vec<_>>();
        let body = shapes.body.iter().map(|body| self.body(*body)).next();
        if let Some(operation) = operation.as_object_mut() {
            if !parameters.is_empty() {
                operation.insert("parameters".to_owned(), Value::Array(parameters));
            }
            if let Some(body) = body {
                operation.insert("requestBody".to_owned(), body);
            }
        }
        operation
    }

    fn content(&mut self, shapes: &Shapes) -> Value {
        let mut content = Map::new();
        let mut add = |kind: &str, schema: Value| {
            // Several of a kind are one or the other.
            let before = content.remove(kind).map(|before: Value| before["schema"].clone());
            let schema = before.map_or(schema.clone(), |before| json!({ "anyOf": [before, schema] }));
            content.insert(kind.to_owned(), json!({ "schema": schema }));
        };
        for answer in shapes.answers {
            match answer {
                Content::Json(shape) => add("application/json", shape(&mut self.answered).to_value()),
                Content::Text => add("text/*", json!({ "type": "string" })),
                Content::File => add("*/*", json!({})),
                Content::Events(None) => add("text/event-stream", json!({ "type": "string" })),
                Content::Events(Some(shape)) => add("text/event-stream", shape(&mut self.answered).to_value()),
            }
        }
        Value::Object(content)
    }

    fn query(&mut self, shapes: &Shapes) -> Vec<Value> {
        let Some(query) = shapes.query.first() else { return Vec::new() };
        let schema = query(&mut self.asked).to_value();
        let parameter = |(name, field): (&String, &Value)| {
            let mut field = not_null(field);
            let about = field.as_object_mut().and_then(|field| field.remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "required": is_required(&schema, name), "schema": field });
            if let (Some(parameter), Some(about)) = (parameter.as_object_mut(), about) {
                parameter.insert("description".to_owned(), about);
            }
            parameter
        };
        schema["properties"].as_object().into_iter().flatten().map(parameter).collect()
    }

    fn body(&mut self, body: Shape) -> Value {
        let schema = body(&mut self.asked).to_value();
        let named = schema["$ref"].as_str().and_then(|path| self.asked.definitions().get(path.rsplit('/').next()?));
        // None at all is an empty object.
        let required = named.unwrap_or(&schema)["required"].as_array().is_some_and(|names| !names.is_empty());
        json!({ "required": required, "content": { "application/json": { "schema": schema } } })
    }

    /// All that have names. One that is asked and answered in different shapes is there as it is answered; a test keeps that from happening.
    fn named(&self) -> Map<String, Value> {
        let asked = self.asked.definitions().iter().map(|(name, schema)| (name.clone(), with_plain_fields(schema, true)));
        let answered = self.answered.definitions().iter().map(|(name, schema)| (name.clone(), with_plain_fields(schema, false)));
        asked.chain(answered).collect()
    }
}

/// Without defaults, which programs that make types from them take for fields that are always there; and what may be missing of an answer
/// is not null when it is there.
fn with_plain_fields(schema: &Value, is_asked: bool) -> Value {
    let mut plain = schema.clone();
    for (name, field) in plain.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Some(field) = field.as_object_mut() {
            field.remove("default");
        }
        if !is_asked && !is_required(schema, name) {
            *field = not_null(field);
        }
    }
    plain
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
}

/// The names in the braces of a path.
fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim_start_matches('*')))
}

fn path_parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// What is left out of a query is not null.
fn not_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
        let kind = if let [one] = kinds.as_slice() { (*one).clone() } else { json!(kinds) };
        schema["type"] = kind;
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices: Vec<&Value> = choices.iter().filter(|choice| choice["type"] != "null").collect();
        if let [one] = choices.as_slice() {
            let mut one = (*one).clone();
            if let (Some(one), Some(about)) = (one.as_object_mut(), schema.get("description")) {
                one.insert("description".to_owned(), about.clone());
            }
            return one;
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_shape_each() {
        let document = made();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        // A second type of the same name would get a number.
        let numbered: Vec<_> = schemas.keys().filter(|name| name.ends_with(|last: char| last.is_ascii_digit())).collect();
        assert!(numbered.is_empty(), "name these types otherwise (#[schemars(rename)]): {numbered:?}");
        let settings = || SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
        let mut schemas = Schemas { asked: settings().for_deserialize().into(), answered: settings().for_serialize().into() };
        ROUTES.iter().zip(SHAPES).for_each(|(route, shapes)| drop(schemas.operation(route, shapes)));
        for (name, schema) in schemas.asked.definitions() {
            let answered = schemas.answered.definitions().get(name);
            assert!(
                answered.is_none_or(|answered| answered == schema),
                "{name} is asked and answered in different shapes: make it two types"
            );
        }
    }

    #[test]
    fn a_query_has_no_null() {
        assert_eq!(not_null(&json!({ "type": ["string", "null"] })), json!({ "type": "string" }));
        let either = json!({ "anyOf": [{ "$ref": "#/x" }, { "type": "null" }], "description": "d" });
        assert_eq!(not_null(&either), json!({ "$ref": "#/x", "description": "d" }));
    }

    #[test]
    fn paths_name_their_parts() {
        assert_eq!(in_path("/api/{student}/x/{*rest}").collect::<Vec<_>>(), ["student", "rest"]);
    }
}
