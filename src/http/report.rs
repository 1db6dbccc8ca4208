//! `/api/report`: what a student takes home, and hands in.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InQuery, Refused};
use super::caller::Caller;
use super::checks::Nothing;
use super::course::{About, course, own};
use crate::workshop::course::{Form, HandedIn, Saved};
use crate::workshop::{Role, Student};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    /// `md` (also when it is left out), `html` or `json`.
    format: Option<String>,
    /// `on`: with what the instructor reads it by.
    rubric: Option<String>,
    /// Whom it is about: the instructor may name somebody else.
    #[serde(rename = "student")]
    _student: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// By the question's id; each of at most 20 KiB. Questions that are left out keep their answers, an empty text takes one away.
    answers: BTreeMap<String, String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Reports {
    /// The newest first.
    reports: Vec<HandedIn>,
}

pub(super) async fn report(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    about: About,
    InQuery(wanted): InQuery<ReportQuery>,
) -> Result<Response, Refused> {
    let course = course(&state)?;
    // What is not handed in is nobody else's to read.
    let is_own = own(&state, &caller).is_some_and(|own| own.id == about.student.id);
    let sheet = course.sheet(&about.student, !is_own);
    let (form, kind, ending) = match wanted.format.as_deref() {
        None | Some("md") => (Form::Markdown, "text/markdown; charset=utf-8", "md"),
        Some("html") => (Form::Html, "text/html; charset=utf-8", "html"),
        Some("json") => return Ok(Json(sheet).into_response()),
        Some(_) => {
            let fix = "ask for ?format=md, ?format=html or ?format=json";
            return Err(Refused::new(StatusCode::NOT_FOUND, "there is no such format", fix));
        }
    };
    let rubric = wanted.rubric.as_deref() == Some("on") && caller.role == Role::Instructor;
    let text = course.report(&sheet, form, rubric);
    let name = format!("attachment; filename=\"report-{}.{ending}\"", about.student.id);
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

/// Nobody writes another one's report.
fn mine(state: &HttpState, caller: &Caller) -> Result<Student, Refused> {
    own(state, caller).ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "nobody is logged in", "log in (POST /api/login)"))
}

pub(super) async fn save(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<Answers>,
) -> Result<Json<Saved>, Refused> {
    let (course, student) = (course(&state)?, mine(&state, &caller)?);
    Ok(Json(course.save_answers(&student, asked.answers).await?))
}

pub(super) async fn submit(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Saved>, Refused> {
    let (course, student) = (course(&state)?, mine(&state, &caller)?);
    Ok(Json(course.submit_report(&student).await?))
}

pub(super) async fn list(State(state): State<HttpState>) -> Result<Json<Reports>, Refused> {
    Ok(Json(Reports { reports: course(&state)?.handed_in() }))
}
