//! `/api/medallion`: rows of a student's own tables.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::HttpState;
use super::answer::Refused;
use super::course::{About, course};
use crate::workshop::course::Layer;

#[derive(Serialize, JsonSchema)]
pub(super) struct Medallion {
    layers: Vec<Layer>,
}

pub(super) async fn medallion(State(state): State<HttpState>, about: About) -> Result<Json<Medallion>, Refused> {
    Ok(Json(Medallion { layers: course(&state)?.medallion(&about.student) }))
}
