//! `/api/check`, `/api/verdict`, `/api/hint`, `/api/stuck`, `/api/explain`: what a student asks about an answer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::course::{About, course};
use crate::workshop::course::{Ask, ExplainAnswer, Hint, Told};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckAsk {
    /// What is handed in with it: a JSON object, or the text that a notebook printed.
    receipt: Option<Value>,
    /// The nonce of the ticket whose answer it is; the newest that has one when it is left out.
    ticket: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StuckAsk {
    stuck: bool,
    /// What about, for the instructor.
    note: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct StuckAnswer {
    stuck: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// From 0.
    choice: usize,
}

/// `{}` alone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn check(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(asked): Asked<CheckAsk>,
) -> Result<Json<Told>, Refused> {
    let course = course(&state)?;
    let verdict = course.check(&about.student, &id, Ask { receipt: asked.receipt, ticket: asked.ticket }).await?;
    Ok(Json(course.told(&verdict)))
}

pub(super) async fn verdict(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Told>, Refused> {
    let course = course(&state)?;
    let none = || Refused::new(StatusCode::NOT_FOUND, "nothing has been checked yet", format!("ask for it: POST /api/check/{id}"));
    course.last_verdict(&about.student, &id)?.map(|last| Json(course.told(&last))).ok_or_else(none)
}

pub(super) async fn hints(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Vec<Hint>>, Refused> {
    Ok(Json(course(&state)?.hints(&about.student, &id)?))
}

pub(super) async fn next_hint(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Hint>, Refused> {
    Ok(Json(course(&state)?.next_hint(&about.student, &id).await?))
}

pub(super) async fn stuck(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(asked): Asked<StuckAsk>,
) -> Result<Json<StuckAnswer>, Refused> {
    course(&state)?.set_stuck(&about.student, &id, asked.stuck, asked.note.as_deref()).await?;
    Ok(Json(StuckAnswer { stuck: asked.stuck }))
}

pub(super) async fn explain(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(asked): Asked<Chosen>,
) -> Result<Json<ExplainAnswer>, Refused> {
    Ok(Json(course(&state)?.explain(&about.student, &id, asked.choice).await?))
}
