//! `/api/report`: what a student takes home.

use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use super::HttpState;
use super::answer::{InQuery, Refused};
use super::caller::Caller;
use super::course::{About, course};
use crate::workshop::Role;
use crate::workshop::course::Form;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    /// `md` (also when it is left out) or `html`.
    format: Option<String>,
    /// `on`: with what the instructor reads it by.
    rubric: Option<String>,
    /// Whom it is about: the instructor may name somebody else.
    #[serde(rename = "student")]
    _student: Option<String>,
}

pub(super) async fn report(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    about: About,
    InQuery(wanted): InQuery<ReportQuery>,
) -> Result<impl IntoResponse, Refused> {
    let (form, kind, ending) = match wanted.format.as_deref() {
        None | Some("md") => (Form::Markdown, "text/markdown; charset=utf-8", "md"),
        Some("html") => (Form::Html, "text/html; charset=utf-8", "html"),
        Some(_) => return Err(Refused::new(StatusCode::NOT_FOUND, "there is no such format", "ask for ?format=md or ?format=html")),
    };
    let rubric = wanted.rubric.as_deref() == Some("on") && caller.role == Role::Instructor;
    let text = course(&state)?.report(&about.student, form, rubric);
    let name = format!("attachment; filename=\"report-{}.{ending}\"", about.student.id);
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], text))
}
