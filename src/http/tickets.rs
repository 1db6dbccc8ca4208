//! `/api/ticket/{id}` and `/api/tickets/{id}`: which records to work on.

use std::sync::Arc;
use std::time::{Duration, Instant};

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

const PRESENT_WITHIN: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn issue(
    State(state): State<HttpState>,
    about: About,
    InPath(id): InPath,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Handed>, Refused> {
    Ok(Json(issued(&state, &about.student, &id).await?))
}

pub(super) async fn issued(state: &HttpState, student: &Student, id: &str) -> Result<Handed, Refused> {
    if !is_present(state.generators.as_ref()).await {
        let wait = "the town's history is still being written; try again in a few seconds";
        return Err(Refused::new(StatusCode::CONFLICT, "the streams have not reached the present yet", wait));
    }
    Ok(course(state)?.ticket(student, id).await?)
}

/// Whether the streams are at the present, waited for a while: after an outage of the cluster they catch up within a few seconds.
async fn is_present(generators: Option<&Arc<Runner>>) -> bool {
    let past = || generators.is_some_and(|runner| runner.status().phase != Phase::Live);
    let began = Instant::now();
    while past() {
        if began.elapsed() > PRESENT_WITHIN {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}

pub(super) async fn list(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Vec<Ticket>>, Refused> {
    Ok(Json(course(&state)?.tickets(&about.student, &id)?))
}
