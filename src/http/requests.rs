//! `/api/requests`: the last requests of one's own clients, in plain words.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{InQuery, Refused};
use super::caller::Caller;
use super::request_errors::{self, RequestError};
use super::request_words::words;
use super::whose::unseen;
use crate::cluster::Requests;
use crate::model::request_seen::RequestSeen;
use crate::workshop::Role;

/// What is kept of each user; and how many failed ones beside those.
const KEPT: usize = 200;
const FAILED_KEPT: usize = 50;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestsQuery {
    /// At most so many, the newest; 200 without.
    limit: Option<usize>,
    /// `true`: only those that failed; `first`: those before the others.
    errors: Option<Errors>,
    /// One user alone.
    user: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Errors {
    True,
    False,
    First,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Requests")]
pub(super) struct RequestsAnswer {
    /// The newest first.
    requests: Vec<RequestRow>,
    /// How many are kept of each user. Of those that failed some more are.
    kept: usize,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RequestRow {
    /// Grows with time.
    id: u64,
    /// When it was answered.
    at_ms: i64,
    /// Kafka's name of it, such as `Fetch`.
    api: String,
    version: i16,
    client_id: String,
    /// Name and version as the client gave them; empty if it did not.
    software: String,
    listener: String,
    /// Address of the client.
    from: String,
    /// From the request to its answer, waiting included.
    took_ms: f64,
    bytes_in: u32,
    bytes_out: u32,
    /// What it was: `Fetch: waited 500 ms, nothing new`.
    words: String,
    error: Option<RequestError>,
}

pub(super) async fn requests(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<RequestsQuery>,
) -> Result<Json<RequestsAnswer>, Refused> {
    let log = state.cluster.requests().ok_or_else(|| unseen(&state, "the requests of your clients"))?;
    let limit = query.limit.unwrap_or(KEPT).clamp(1, KEPT);
    let asked = query.user.as_deref();
    let own: Vec<&str> = caller.identity.iter().flat_map(|identity| &identity.users).map(|account| account.user.as_str()).collect();
    let users: Option<Vec<&str>> = match (caller.role, asked) {
        (Role::Instructor, None) => None,
        (Role::Instructor, Some(user)) => Some(vec![user]),
        (_, None) => Some(own),
        (_, Some(user)) if own.contains(&user) => Some(vec![user]),
        _ => return Err(Refused::new(StatusCode::FORBIDDEN, "this is somebody else's", "leave ?user= out: it shows what is yours")),
    };
    // Which of them failed is known only after a look at all that are kept.
    let seen = log.last(users.as_deref(), KEPT + FAILED_KEPT);
    let mut requests: Vec<RequestRow> = seen.iter().map(|seen| row(log, seen)).collect();
    match query.errors {
        Some(Errors::True) => requests.retain(|row| row.error.is_some()),
        Some(Errors::First) => requests.sort_by_key(|row| row.error.is_none()),
        Some(Errors::False) | None => {}
    }
    requests.truncate(limit);
    Ok(Json(RequestsAnswer { requests, kept: KEPT }))
}

fn row(log: &dyn Requests, seen: &RequestSeen) -> RequestRow {
    let api = log.name(seen.api_key).map_or_else(|| format!("API key {}", seen.api_key), str::to_owned);
    RequestRow {
        id: seen.id,
        at_ms: seen.at.0,
        words: words(seen, &api),
        api,
        version: seen.version,
        client_id: seen.client.client_id.clone(),
        software: seen.client.software.clone(),
        listener: seen.client.listener.clone(),
        from: seen.client.from.clone(),
        took_ms: f64::from(seen.took_us) / 1_000.0,
        bytes_in: seen.bytes_in,
        bytes_out: seen.bytes_out,
        error: request_errors::error(seen.api_key, seen.facts.error),
    }
}
