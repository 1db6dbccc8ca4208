//! `/api/generators` and `/api/incidents`: what the town does, and what an instructor lets happen in it.
//!
//! | request | does |
//! |---|---|
//! | `GET /api/generators` | phase, seed, rates, and the incidents that were ordered |
//! | `GET /api/incidents` | the kinds of incidents, with what each teaches and what can be named |
//! | `POST /api/incidents` `{"kind", "target", "minutes", "in"}` | begins one, `in` minutes ahead; all but `kind` may be left out |
//! | `DELETE /api/incidents/ID` | ends it, or takes it back |
//! | `PUT /api/generators/rate` `{"topic", "factor"}` | multiplies a stream's usual rate; without `topic` all of them |
//! | `PUT /api/generators/pause`, `.../resume` `{"topic"}` | the same |
//!
//! An order is answered with its line of the log, once it is written: 200, or `{"error", "fix"}` with 400 (wrong), 409 (no generators here) or
//! 503 (not now).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use crate::generators::incidents::Wish;
use crate::generators::{IncidentStatus, KindStatus, OrderRefused, Phase, Request, Runner};
use crate::model::Timestamp;

#[derive(Serialize)]
struct Generators {
    phase: &'static str,
    seed: u64,
    dirt: u8,
    origin: Option<Timestamp>,
    now: Timestamp,
    trouble: Option<String>,
    streams: Vec<Stream>,
    incidents: Vec<IncidentStatus>,
}

#[derive(Serialize)]
struct Kinds {
    kinds: Vec<KindStatus>,
}

#[derive(Serialize)]
struct Stream {
    topic: &'static str,
    factor: f64,
    events_per_s: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    topic: Option<String>,
    factor: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    topic: Option<String>,
}

pub(super) async fn show(State(state): State<HttpState>) -> Response {
    let Some(runner) = &state.generators else { return off() };
    let (status, orders) = (runner.status(), runner.orders_status());
    let rate = |topic| status.streams.iter().find(|stream| stream.topic == topic).map_or(0.0, |stream| stream.events_per_s);
    let streams = orders.rates.iter().map(|&(topic, factor)| Stream { topic, factor, events_per_s: rate(topic) });
    Json(Generators {
        phase: match status.phase {
            Phase::Starting => "starting",
            Phase::Backfilling => "backfilling",
            Phase::Live => "live",
        },
        seed: status.seed,
        dirt: status.dirt.number(),
        origin: status.origin,
        now: runner.now(),
        trouble: status.trouble.clone(),
        streams: streams.collect(),
        incidents: orders.incidents,
    })
    .into_response()
}

pub(super) async fn kinds(State(state): State<HttpState>) -> Response {
    match &state.generators {
        Some(runner) => Json(Kinds { kinds: runner.kinds() }).into_response(),
        None => off(),
    }
}

pub(super) async fn begin(State(state): State<HttpState>, Asked(wish): Asked<Wish>) -> Response {
    order(&state, Request::Begin(wish)).await
}

pub(super) async fn end(State(state): State<HttpState>, InPath(id): InPath) -> Response {
    match id.parse() {
        Ok(id) => order(&state, Request::End(id)).await,
        Err(_) => refused(StatusCode::BAD_REQUEST, &format!("{id} is not the number of an incident"), LISTED),
    }
}

pub(super) async fn rate(State(state): State<HttpState>, Asked(rate): Asked<Rate>) -> Response {
    order(&state, Request::Rate { topic: rate.topic, factor: rate.factor }).await
}

pub(super) async fn pause(State(state): State<HttpState>, Asked(which): Asked<Which>) -> Response {
    order(&state, Request::Pause { topic: which.topic }).await
}

pub(super) async fn resume(State(state): State<HttpState>, Asked(which): Asked<Which>) -> Response {
    order(&state, Request::Resume { topic: which.topic }).await
}

const LISTED: &str = "GET /api/incidents and GET /api/generators list what there is";

async fn order(state: &HttpState, request: Request) -> Response {
    let Some(runner) = &state.generators else { return off() };
    match Runner::order(runner, request).await {
        Ok(command) => Json(command).into_response(),
        Err(OrderRefused::Wrong(why)) => refused(StatusCode::BAD_REQUEST, &why, LISTED),
        Err(not_now) => refused(StatusCode::SERVICE_UNAVAILABLE, &not_now.to_string(), "try again in a moment"),
    }
}

fn off() -> Response {
    refused(StatusCode::CONFLICT, "this broker was started with --generators off", "start it with --generators on")
}

fn refused(status: StatusCode, why: &str, fix: &str) -> Response {
    Refused::new(status, why, fix).into_response()
}
