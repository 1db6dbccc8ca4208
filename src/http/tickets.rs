//! `/api/ticket/{id}`: which records to work on.

use axum::Json;
use axum::extract::State;

use super::HttpState;
use super::answer::{InPath, Refused};
use super::course::{About, course};
use crate::workshop::course::Handed;

pub(super) async fn issue(State(state): State<HttpState>, about: About, InPath(id): InPath) -> Result<Json<Handed>, Refused> {
    Ok(Json(course(&state)?.ticket(&about.student, &id).await?))
}
