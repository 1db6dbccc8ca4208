//! `/`: the first page. Address, first program and topics are in the markup; the rest follows once a second by script.

use std::fmt::Write;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse};

use super::caller::{Caller, Secure};
use super::settings::{CLIENTS, first_program};
use super::{HttpState, overview, schemas};
use crate::cluster::TopicSummary;
use crate::config::Protocol;

const TEMPLATE: &str = include_str!("assets/page.html");

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
    let page = TEMPLATE
        .replace("{{bootstrap}}", &escaped(&bootstrap))
        .replace("{{protocol}}", protocol)
        .replace("{{snippet}}", &escaped(&snippet))
        .replace("{{clients}}", &choices(CLIENTS.iter().map(|(name, _)| *name)))
        .replace("{{listeners}}", &choices(entrances.iter().map(|entrance| entrance.listener.name.as_str())))
        .replace("{{topics}}", &topic_rows(&topics));
    // It shows what the caller may see.
    ([(header::VARY, "cookie")], Html(page))
}

fn choices<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("<option>{}</option>", escaped(name))).collect()
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
