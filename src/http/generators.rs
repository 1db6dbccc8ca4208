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
//! An order is answered with its line of the log, once it is written: 200, or `{"error"}` with 400 (wrong), 409 (no generators here) or
//! 503 (not now).

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::HttpState;
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

type Body<T> = Result<Json<T>, JsonRejection>;

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

pub(super) async fn begin(State(state): State<HttpState>, wish: Body<Wish>) -> Response {
    order(&state, wish.map(|Json(wish)| Request::Begin(wish))).await
}

pub(super) async fn end(State(state): State<HttpState>, Path(id): Path<u32>) -> Response {
    order(&state, Ok(Request::End(id))).await
}

pub(super) async fn rate(State(state): State<HttpState>, rate: Body<Rate>) -> Response {
    order(&state, rate.map(|Json(rate)| Request::Rate { topic: rate.topic, factor: rate.factor })).await
}

pub(super) async fn pause(State(state): State<HttpState>, which: Body<Which>) -> Response {
    order(&state, which.map(|Json(which)| Request::Pause { topic: which.topic })).await
}

pub(super) async fn resume(State(state): State<HttpState>, which: Body<Which>) -> Response {
    order(&state, which.map(|Json(which)| Request::Resume { topic: which.topic })).await
}

async fn order(state: &HttpState, request: Result<Request, JsonRejection>) -> Response {
    let Some(runner) = &state.generators else { return off() };
    let request = match request {
        Ok(request) => request,
        Err(rejection) => return refused(rejection.status(), &rejection.body_text()),
    };
    match Runner::order(runner, request).await {
        Ok(command) => Json(command).into_response(),
        Err(OrderRefused::Wrong(why)) => refused(StatusCode::BAD_REQUEST, &why),
        Err(not_now) => refused(StatusCode::SERVICE_UNAVAILABLE, &not_now.to_string()),
    }
}

fn off() -> Response {
    refused(StatusCode::CONFLICT, "this broker was started with --generators off")
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
