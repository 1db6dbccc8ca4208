//! `/`: the first page. Address, first program and topics are in the markup; the rest follows once a second by script.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse};

use super::snippet::python_snippet;
use super::{HttpState, schemas};
use crate::cluster::TopicSummary;

const TEMPLATE: &str = include_str!("assets/page.html");

pub(super) async fn page(State(state): State<HttpState>, headers: HeaderMap) -> impl IntoResponse {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let bootstrap = state.bootstrap(host);
    let page = TEMPLATE
        .replace("{{bootstrap}}", &escaped(&bootstrap.to_string()))
        .replace("{{snippet}}", &escaped(&python_snippet(&bootstrap)))
        .replace("{{topics}}", &topic_rows(&state.cluster.topics()));
    Html(page)
}

/// Topics for a browser without script.
fn topic_rows(topics: &[TopicSummary]) -> String {
    let mut rows = String::new();
    for topic in topics.iter().filter(|topic| !topic.internal) {
        let records: i64 = topic.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).sum();
        let schema =
            schemas::link(topic.name.as_str()).map(|link| format!(", <a href=\"{}\">schema</a>", escaped(&link))).unwrap_or_default();
        let (name, partitions) = (escaped(topic.name.as_str()), topic.partitions.len());
        let _ = writeln!(
            rows,
            "<article class=\"card topic\"><h3>{name}</h3><p class=\"facts\">{partitions} partitions, {records} records{schema}</p></article>"
        );
    }
    rows
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
