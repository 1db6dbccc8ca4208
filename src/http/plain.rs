//! `/plain`: the address, a first program and the topics, for a browser without script and for a binary without a dashboard.

use std::fmt::Write;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse};

use super::caller::{Caller, Secure};
use super::settings::first_program;
use super::{HttpState, dashboard, overview, schemas};
use crate::cluster::TopicSummary;
use crate::config::Protocol;

const TEMPLATE: &str = include_str!("assets/plain.html");

const WITHOUT_DASHBOARD: &str = "<p class=\"note\">This binary was built without the dashboard. Everything else is served. \
     For the dashboard install Node.js 20 or later and run <code>make run</code> again.</p>";

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], include_str!("assets/plain.css"))
}

pub(super) async fn page(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(secure): Extension<Secure>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let entrances = state.entrances(&headers);
    let entrance = entrances.first();
    let bootstrap = entrance.map_or_else(String::new, |entrance| entrance.address.to_string());
    let snippet = entrance.map_or_else(String::new, |entrance| first_program(&state, &caller, secure, &headers, entrance));
    let protocol = match entrance.map(|entrance| entrance.listener.protocol) {
        None | Some(Protocol::Plaintext) => "No password, no encryption. Works with every Kafka client.",
        Some(Protocol::Ssl) => "Encrypted, no password.",
        Some(Protocol::SaslPlaintext) => "User and password by SCRAM-SHA-256, no encryption.",
        Some(Protocol::SaslSsl) => "User and password by SCRAM-SHA-256, encrypted.",
    };
    let topics: Vec<TopicSummary> =
        state.cluster.topics().into_iter().filter(|topic| overview::may_see_topic(&caller, topic.name.as_str())).collect();
    let note = if dashboard::is_built() { "" } else { WITHOUT_DASHBOARD };
    let page = TEMPLATE
        .replace("{{note}}", note)
        .replace("{{bootstrap}}", &escaped(&bootstrap))
        .replace("{{protocol}}", protocol)
        .replace("{{snippet}}", &escaped(&snippet))
        .replace("{{topics}}", &topic_rows(&topics));
    // It shows what the caller may see.
    ([(header::VARY, "cookie")], Html(page))
}

fn topic_rows(topics: &[TopicSummary]) -> String {
    let mut rows = String::new();
    for topic in topics.iter().filter(|topic| !topic.internal) {
        let records: i64 = topic.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).sum();
        let schema =
            schemas::link(topic.name.as_str()).map(|link| format!(", <a href=\"{}\">schema</a>", escaped(&link))).unwrap_or_default();
        let (name, partitions) = (escaped(topic.name.as_str()), topic.partitions.len());
        let _ = writeln!(rows, "<li><code>{name}</code>: {partitions} partitions, {records} records{schema}</li>");
    }
    rows
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
