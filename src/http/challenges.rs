//! `/api/challenges`: what there is to do, and the files to begin with. Nothing here gives a right answer away, but to the instructor.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::HttpState;
use super::answer::{InPath, Refused};
use super::caller::Caller;
use super::course::{course, own};
use crate::workshop::challenge::{Prompt, StarText, Submission, Track, markers, notebook};
use crate::workshop::course::Standing;
use crate::workshop::{Challenge, Challenges, Role};

/// What a list shows.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChallengeRow {
    id: String,
    slug: String,
    title: String,
    /// One sentence.
    summary: String,
    track: Track,
    /// For a pair.
    minutes: u32,
    /// The rest is for those who are fast.
    core: bool,
    points: u32,
    /// Topics that are read.
    topics: Vec<String>,
    /// How far one is oneself; left out for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Standing>,
}

/// One of them, whole.
#[derive(Serialize, JsonSchema)]
pub(super) struct ChallengePage {
    #[serde(flatten)]
    row: ChallengeRow,
    /// Markdown.
    readme: String,
    /// Which kind of truth it is checked against.
    kind: String,
    submission: Submission,
    /// JSON Schema of what is handed in.
    submission_schema: Value,
    /// The ids of what is looked at.
    checks: Vec<String>,
    /// Those that need what only a broker sees and are skipped on this cluster, with what each looks for.
    not_seen: Vec<NotSeen>,
    stars: Vec<StarText>,
    /// How many.
    hints: usize,
    starters: Vec<Starter>,
    prompts: Vec<Prompt>,
    /// What the student looks at and ticks off. Gives no points.
    self_checks: Vec<String>,
    explain: Question,
}

/// A check that is skipped.
#[derive(Serialize, JsonSchema)]
struct NotSeen {
    check: String,
    what: String,
}

/// A file to begin with.
#[derive(Serialize, JsonSchema)]
struct Starter {
    name: String,
    client: String,
    /// The same for those who open no Databricks source.
    notebook: Option<String>,
    /// The files that go beside it.
    needs: BTreeSet<String>,
}

/// About one's own result.
#[derive(Serialize, JsonSchema)]
struct Question {
    question: String,
    choices: Vec<String>,
}

fn row(challenge: &Challenge, status: Option<Standing>) -> ChallengeRow {
    let sheet = &challenge.sheet;
    ChallengeRow {
        id: sheet.id.clone(),
        slug: challenge.slug.clone(),
        title: sheet.title.clone(),
        summary: sheet.summary.clone(),
        track: sheet.track,
        minutes: sheet.minutes,
        core: sheet.core,
        points: sheet.points,
        topics: sheet.topics.clone(),
        status,
    }
}

pub(super) async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Result<Json<Vec<ChallengeRow>>, Refused> {
    let course = course(&state)?;
    let student = own(&state, &caller);
    let status = |challenge: &Challenge| student.as_ref().map(|student| course.status(student, challenge));
    Ok(Json(course.challenges().all().iter().map(|challenge| row(challenge, status(challenge))).collect()))
}

pub(super) async fn one(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath(id): InPath,
) -> Result<Json<ChallengePage>, Refused> {
    let course = course(&state)?;
    let challenge = course.challenge(&id)?;
    let sheet = &challenge.sheet;
    let status = own(&state, &caller).map(|student| course.status(&student, challenge));
    let clients = sheet.solutions.values().zip(challenge.starters());
    let choices = sheet.explain.choices.iter().map(|choice| choice.text.clone()).collect();
    Ok(Json(ChallengePage {
        row: row(challenge, status),
        readme: challenge.readme.clone(),
        kind: sheet.truth.kind.clone(),
        submission: sheet.submission.clone(),
        submission_schema: serde_json::from_str(&challenge.submission_schema).unwrap_or_default(),
        checks: sheet.checks.iter().map(|check| check.id.clone()).collect(),
        not_seen: course
            .not_seen(challenge)
            .iter()
            .map(|(check, what)| NotSeen { check: (*check).to_owned(), what: (*what).to_owned() })
            .collect(),
        stars: sheet.stars.clone(),
        hints: sheet.hints.len(),
        starters: clients.map(|(client, name)| starter(course.challenges(), challenge, client, name)).collect(),
        prompts: sheet.prompts.clone(),
        self_checks: sheet.self_checks.clone(),
        explain: Question { question: sheet.explain.question.clone(), choices },
    }))
}

fn starter(challenges: &Challenges, challenge: &Challenge, client: &str, name: String) -> Starter {
    let notebook = name.strip_suffix(".py").map(|stem| format!("{stem}.ipynb"));
    let notebook = notebook.filter(|notebook| challenge.starter_notebook(notebook).is_some());
    Starter { name, client: client.to_owned(), notebook, needs: challenges.needs(challenge, client) }
}

/// A starter, a file that all scripts share, or for the instructor a solution.
pub(super) async fn file(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InPath((id, name)): InPath<(String, String)>,
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
        let fix = format!("the page of {} names its starters", challenge.id());
        Refused::new(StatusCode::NOT_FOUND, "there is no such file", fix)
    };
    let text = text.ok_or_else(nothing)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
