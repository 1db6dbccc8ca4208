//! `/api/class`, `/api/leaderboard`: where everybody stands.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::caller::Caller;
use super::course::course;
use crate::workshop::Role;
use crate::workshop::course::{Board, Ruling};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    on: Option<bool>,
    frozen: Option<bool>,
}

pub(super) async fn show(State(state): State<HttpState>) -> Result<Json<Value>, Refused> {
    Ok(Json(course(&state)?.class()))
}

pub(super) async fn decide(
    State(state): State<HttpState>,
    Path((student, id)): Path<(String, String)>,
    Asked(asked): Asked<Decided>,
) -> Result<Json<Value>, Refused> {
    let course = course(&state)?;
    let wrong = || Refused::new(StatusCode::BAD_REQUEST, "there is no such status", "send \"skipped\", \"granted\" or \"none\"");
    let ruling = Ruling::named(&asked.status).ok_or_else(wrong)?;
    course.rule(&course.student(&student)?, &id, ruling).await?;
    Ok(Json(json!({ "status": asked.status })))
}

fn told(board: &Board, rows: Value) -> Json<Value> {
    Json(json!({ "on": board.on, "frozen": board.frozen.as_ref().map(|frozen| frozen.at_ms), "rows": rows }))
}

pub(super) async fn leaderboard(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Result<Json<Value>, Refused> {
    let course = course(&state)?;
    let board = course.board();
    // The instructor looks at it before the class does.
    if !board.on && caller.role != Role::Instructor {
        return Err(Refused::new(StatusCode::NOT_FOUND, "there is no leaderboard", "the instructor may switch one on"));
    }
    Ok(told(&board, json!(course.leaderboard())))
}

pub(super) async fn set_leaderboard(State(state): State<HttpState>, Asked(asked): Asked<Switch>) -> Result<Json<Value>, Refused> {
    let course = course(&state)?;
    let board = course.set_leaderboard(asked.on, asked.frozen).await?;
    Ok(told(&board, json!(course.leaderboard())))
}
