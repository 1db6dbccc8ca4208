//! `/api/progress`: how far one is; for the instructor all that is kept, and its end.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::course::{About, course};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    student: Option<String>,
}

pub(super) async fn own(State(state): State<HttpState>, about: About) -> Result<Json<Value>, Refused> {
    Ok(Json(course(&state)?.own_progress(&about.student)))
}

pub(super) async fn export(State(state): State<HttpState>) -> Result<Json<Value>, Refused> {
    Ok(Json(course(&state)?.export()))
}

pub(super) async fn erase(State(state): State<HttpState>, Asked(asked): Asked<Erase>) -> Result<Json<Value>, Refused> {
    let course = course(&state)?;
    if let Some(student) = &asked.student {
        course.student(student)?;
    }
    let records = course.erase(asked.student.as_deref()).await?;
    tracing::warn!(student = asked.student, records, "progress was erased");
    Ok(Json(json!({ "erased": records })))
}
