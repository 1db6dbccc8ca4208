//! `/api/ticket/{id}` and `/api/tickets/{id}`: which records to work on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::checks::Nothing;
use super::course::{About, course};
use crate::generators::{Phase, Runner};
use crate::workshop::course::Handed;
use crate::workshop::{Student, Ticket};

pub(super) async fn issue(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Handed>, Refused> {
    Ok(Json(issued(&state, &about.student, &id).await?))
}

pub(super) async fn issued(state: &HttpState, student: &Student, id: &str) -> Result<Handed, Refused> {
    let past = |runner: &Arc<Runner>| runner.status().phase != Phase::Live;
    if state.generators.as_ref().is_some_and(past) {
        let wait = "the town's history is still being written; try again in a few seconds";
        return Err(Refused::new(StatusCode::CONFLICT, "the streams have not reached the present yet", wait));
    }
    Ok(course(state)?.ticket(student, id).await?)
}

pub(super) async fn list(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Vec<Ticket>>, Refused> {
    Ok(Json(course(&state)?.tickets(&about.student, &id)?))
}
