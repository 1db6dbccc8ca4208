//! `/api/challenges`: what there is to do, and the files to begin with. Nothing here gives a right answer away, but to the instructor.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::HttpState;
use super::answer::{InPath, Refused};
use super::caller::Caller;
use super::course::{course, own};
use crate::workshop::challenge::{markers, notebook};
use crate::workshop::{Challenge, Challenges, Role};

/// What a list shows.
fn row(challenge: &Challenge, status: Option<&str>) -> Value {
    let sheet = &challenge.sheet;
    let mut row = json!({
        "id": sheet.id, "slug": challenge.slug, "title": sheet.title, "summary": sheet.summary, "track": sheet.track,
        "minutes": sheet.minutes, "core": sheet.core, "points": sheet.points, "topics": sheet.topics,
    });
    if let (Some(status), Some(fields)) = (status, row.as_object_mut()) {
        fields.insert("status".to_owned(), json!(status));
    }
    row
}

pub(super) async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Result<Json<Vec<Value>>, Refused> {
    let course = course(&state)?;
    let student = own(&state, &caller);
    let status = |challenge: &Challenge| student.as_ref().map(|student| course.status(student, challenge));
    Ok(Json(course.challenges().all().iter().map(|challenge| row(challenge, status(challenge))).collect()))
}

pub(super) async fn one(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath,
) -> Result<Json<Value>, Refused> {
    let course = course(&state)?;
    let challenge = course.challenge(&id)?;
    let sheet = &challenge.sheet;
    let status = own(&state, &caller).map(|student| course.status(&student, challenge));
    let starters: Vec<Value> = sheet
        .solutions
        .values()
        .zip(challenge.starters())
        .map(|(client, name)| starter(course.challenges(), challenge, client, &name))
        .collect();
    let choices: Vec<&str> = sheet.explain.choices.iter().map(|choice| choice.text.as_str()).collect();
    let schema: Value = serde_json::from_str(&challenge.submission_schema).unwrap_or_default();
    let mut told = row(challenge, status);
    let more = json!({
        "readme": challenge.readme,
        "kind": sheet.truth.kind,
        "submission": sheet.submission,
        "submission_schema": schema,
        "checks": sheet.checks.iter().map(|check| &check.id).collect::<Vec<_>>(),
        "stars": sheet.stars,
        "hints": sheet.hints.len(),
        "starters": starters,
        "prompts": sheet.prompts,
        "self_checks": sheet.self_checks,
        "explain": { "question": sheet.explain.question, "choices": choices },
    });
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    Ok(Json(told))
}

/// With the files that go beside it; `notebook` is the same for those who open no Databricks source.
fn starter(challenges: &Challenges, challenge: &Challenge, client: &str, name: &str) -> Value {
    let notebook = name.strip_suffix(".py").map(|stem| format!("{stem}.ipynb"));
    let notebook = notebook.filter(|notebook| challenge.starter_notebook(notebook).is_some());
    json!({ "name": name, "client": client, "notebook": notebook, "needs": challenges.needs(challenge, client) })
}

/// A starter, a file that all scripts share, or for the instructor a solution.
pub(super) async fn file(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Path((id, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let course = course(&state)?;
    let challenge = course.challenge(&id)?;
    let solution = name.strip_suffix(".ipynb").map_or_else(|| name.clone(), |stem| format!("{stem}.py"));
    let text = if challenge.sheet.solutions.contains_key(&solution) {
        if caller.role != Role::Instructor {
            return Err(Refused::new(StatusCode::FORBIDDEN, "a solution is for the instructor", "begin with the starter"));
        }
        let text = challenge.file(&solution).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let shown = text.and_then(|text| markers::shown(text).ok());
        if solution == name { shown } else { shown.and_then(|text| notebook::ipynb(&text)) }
    } else {
        let beside = || String::from_utf8(course.challenges().beside(challenge, &name)?.to_vec()).ok();
        challenge.starter(&name).or_else(|| challenge.starter_notebook(&name)).or_else(beside)
    };
    let nothing = || {
        let fix = format!("GET /api/challenges/{} names the starters", challenge.id());
        Refused::new(StatusCode::NOT_FOUND, "there is no such file", fix)
    };
    let text = text.ok_or_else(nothing)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
