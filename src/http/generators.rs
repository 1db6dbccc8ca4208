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

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use crate::generators::incidents::{Command, Wish};
use crate::generators::{IncidentStatus, KindStatus, OrderRefused, Phase, Request, Runner};
use crate::model::Timestamp;

#[derive(Serialize, JsonSchema)]
pub(super) struct Generators {
    phase: GeneratorsPhase,
    seed: u64,
    dirt: u8,
    origin: Option<Timestamp>,
    now: Timestamp,
    trouble: Option<String>,
    streams: Vec<Stream>,
    incidents: Vec<IncidentStatus>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum GeneratorsPhase {
    Starting,
    /// History is being written.
    Backfilling,
    Live,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct IncidentKinds {
    kinds: Vec<KindStatus>,
}

#[derive(Serialize, JsonSchema)]
struct Stream {
    topic: &'static str,
    /// What its usual rate is multiplied with; 0 is paused.
    factor: f64,
    events_per_s: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateAsk {
    /// All of them when it is left out.
    topic: Option<String>,
    /// What its usual rate is multiplied with.
    factor: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamAsk {
    /// All of them when it is left out.
    topic: Option<String>,
}

pub(super) async fn show(State(state): State<HttpState>) -> Result<Json<Generators>, Refused> {
    let runner = runner(&state)?;
    let (status, orders) = (runner.status(), runner.orders_status());
    let rate = |topic| status.streams.iter().find(|stream| stream.topic == topic).map_or(0.0, |stream| stream.events_per_s);
    let streams = orders.rates.iter().map(|&(topic, factor)| Stream { topic, factor, events_per_s: rate(topic) });
    Ok(Json(Generators {
        phase: match status.phase {
            Phase::Starting => GeneratorsPhase::Starting,
            Phase::Backfilling => GeneratorsPhase::Backfilling,
            Phase::Live => GeneratorsPhase::Live,
        },
        seed: status.seed,
        dirt: status.dirt.number(),
        origin: status.origin,
        now: runner.now(),
        trouble: status.trouble.clone(),
        streams: streams.collect(),
        incidents: orders.incidents,
    }))
}

pub(super) async fn kinds(State(state): State<HttpState>) -> Result<Json<IncidentKinds>, Refused> {
    Ok(Json(IncidentKinds { kinds: runner(&state)?.kinds() }))
}

/// The line of the log, once it is written.
type Ordered = Result<Json<Command>, Refused>;

pub(super) async fn begin(State(state): State<HttpState>, Asked(wish): Asked<Wish>) -> Ordered {
    order(&state, Request::Begin(wish)).await
}

pub(super) async fn end(State(state): State<HttpState>, InPath(id): InPath) -> Ordered {
    let wrong = |_| Refused::new(StatusCode::BAD_REQUEST, format!("{id} is not the number of an incident"), LISTED);
    order(&state, Request::End(id.parse().map_err(wrong)?)).await
}

pub(super) async fn rate(State(state): State<HttpState>, Asked(rate): Asked<RateAsk>) -> Ordered {
    order(&state, Request::Rate { topic: rate.topic, factor: rate.factor }).await
}

pub(super) async fn pause(State(state): State<HttpState>, Asked(which): Asked<StreamAsk>) -> Ordered {
    order(&state, Request::Pause { topic: which.topic }).await
}

pub(super) async fn resume(State(state): State<HttpState>, Asked(which): Asked<StreamAsk>) -> Ordered {
    order(&state, Request::Resume { topic: which.topic }).await
}

const LISTED: &str = "GET /api/incidents and GET /api/generators list what there is";

async fn order(state: &HttpState, request: Request) -> Ordered {
    match Runner::order(runner(state)?, request).await {
        Ok(command) => Ok(Json(command)),
        Err(OrderRefused::Wrong(why)) => Err(Refused::new(StatusCode::BAD_REQUEST, why, LISTED)),
        Err(not_now) => Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, not_now.to_string(), "try again in a moment")),
    }
}

fn runner(state: &HttpState) -> Result<&Arc<Runner>, Refused> {
    let off = || Refused::new(StatusCode::CONFLICT, "this broker was started with --generators off", "start it with --generators on");
    state.generators.as_ref().ok_or_else(off)
}
