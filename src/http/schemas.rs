//! `/schemas/TOPIC.json`: what a clean value of a stream looks like, as a JSON Schema.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::generators::{STREAMS, json_schema};

pub(super) async fn schema(Path(name): Path<String>) -> Response {
    match name.strip_suffix(".json").and_then(json_schema) {
        Some(text) => ([(header::CONTENT_TYPE, "application/schema+json"), (header::CACHE_CONTROL, "no-cache")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Where a topic's schema is, if it has one.
pub(super) fn link(topic: &str) -> Option<String> {
    STREAMS.iter().any(|stream| stream.topic == topic).then(|| format!("/schemas/{topic}.json"))
}
