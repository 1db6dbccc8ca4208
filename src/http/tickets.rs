//! `/api/ticket/{id}` and `/api/tickets/{id}`: which records to work on.

use axum::Json;
use axum::extract::State;

use super::HttpState;
use super::answer::{InPath, Refused};
use super::course::{About, course};
use crate::workshop::Ticket;
use crate::workshop::course::Handed;

pub(super) async fn issue(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Handed>, Refused> {
    Ok(Json(course(&state)?.ticket(&about.student, &id).await?))
}

pub(super) async fn list(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Vec<Ticket>>, Refused> {
    Ok(Json(course(&state)?.tickets(&about.student, &id)?))
}
