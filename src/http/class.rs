//! `/api/class`, `/api/leaderboard`: where everybody stands.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::caller::Caller;
use super::course::course;
use crate::model::Timestamp;
use crate::workshop::Role;
use crate::workshop::course::{Board, ClassBoard, Row, Ruling};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    /// `skipped`, `granted` or `none`.
    status: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Decided {
    status: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaderboardSwitch {
    on: Option<bool>,
    /// True: it stays as it is now.
    frozen: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Leaderboard {
    /// Whether students see it.
    on: bool,
    /// Since when it stays as it is.
    frozen: Option<Timestamp>,
    rows: Vec<Row>,
}

pub(super) async fn show(State(state): State<HttpState>) -> Result<Json<ClassBoard>, Refused> {
    Ok(Json(course(&state)?.class()))
}

pub(super) async fn decide(
    State(state): State<HttpState>,
    InPath((student, id)): InPath<(String, String)>,
    Asked(asked): Asked<Decide>,
) -> Result<Json<Decided>, Refused> {
    let course = course(&state)?;
    let wrong = || Refused::new(StatusCode::BAD_REQUEST, "there is no such status", "send \"skipped\", \"granted\" or \"none\"");
    let ruling = Ruling::named(&asked.status).ok_or_else(wrong)?;
    course.rule(&course.student(&student)?, &id, ruling).await?;
    Ok(Json(Decided { status: asked.status }))
}

fn told(board: &Board, rows: Vec<Row>) -> Json<Leaderboard> {
    Json(Leaderboard { on: board.on, frozen: board.frozen.as_ref().map(|frozen| frozen.at_ms), rows })
}

pub(super) async fn leaderboard(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Leaderboard>, Refused> {
    let course = course(&state)?;
    let board = course.board();
    // The instructor looks at it before the class does.
    if !board.on && caller.role != Role::Instructor {
        return Err(Refused::new(StatusCode::NOT_FOUND, "there is no leaderboard", "the instructor may switch one on"));
    }
    Ok(told(&board, course.leaderboard()))
}

pub(super) async fn set_leaderboard(
    State(state): State<HttpState>,
    Asked(asked): Asked<LeaderboardSwitch>,
) -> Result<Json<Leaderboard>, Refused> {
    let course = course(&state)?;
    let board = course.set_leaderboard(asked.on, asked.frozen).await?;
    Ok(told(&board, course.leaderboard()))
}
