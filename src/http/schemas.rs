//! `/schemas/TOPIC.json`: what a clean value of a stream looks like, as a JSON Schema.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{InPath, Refused};
use crate::generators::{STREAMS, json_schema};

pub(super) async fn schema(InPath(name): InPath) -> Response {
    match name.strip_suffix(".json").and_then(json_schema) {
        Some(text) => ([(header::CONTENT_TYPE, "application/schema+json"), (header::CACHE_CONTROL, "no-cache")], text).into_response(),
        None => Refused::new(StatusCode::NOT_FOUND, "there is no such schema", "each stream has one: /schemas/TOPIC.json").into_response(),
    }
}

/// Where a topic's schema is, if it has one.
pub(super) fn link(topic: &str) -> Option<String> {
    STREAMS.iter().any(|stream| stream.topic == topic).then(|| format!("/schemas/{topic}.json"))
}
