//! `/api/progress`: how far one is; for the instructor all that is kept, and its end.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::course::{About, course};
use crate::workshop::course::{Export, OwnProgress};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    /// Everybody's when it is left out.
    student: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ErasedProgress {
    /// Records.
    erased: usize,
}

pub(super) async fn own(State(state): State<HttpState>, about: About) -> Result<Json<OwnProgress>, Refused> {
    Ok(Json(course(&state)?.own_progress(&about.student)))
}

pub(super) async fn export(State(state): State<HttpState>) -> Result<Json<Export>, Refused> {
    Ok(Json(course(&state)?.export()))
}

pub(super) async fn erase(State(state): State<HttpState>, Asked(asked): Asked<Erase>) -> Result<Json<ErasedProgress>, Refused> {
    let course = course(&state)?;
    if let Some(student) = &asked.student {
        course.student(student)?;
    }
    let erased = course.erase(asked.student.as_deref()).await?;
    tracing::warn!(student = asked.student, records = erased, "progress was erased");
    Ok(Json(ErasedProgress { erased }))
}
