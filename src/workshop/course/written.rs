//! What students write for their reports: saved as they go, and handed in when they are done.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::QUESTIONS;
use super::{Course, CourseError, Student};
use crate::model::Timestamp;

/// Of each answer.
const BYTES_MAX: usize = 20 << 10;

/// The value of a record with the key `report:STUDENT:`, as JSON.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `answers` | what is saved, by the question's id |
/// | `saved_ms` | when |
/// | `submitted` | what was handed in, and when: the instructor reads that |
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Written {
    pub version: u32,
    pub answers: BTreeMap<String, String>,
    pub saved_ms: Option<Timestamp>,
    pub submitted: Option<Submitted>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submitted {
    pub at_ms: Timestamp,
    /// In all answers together.
    pub words: usize,
    pub answers: BTreeMap<String, String>,
}

/// A report that was handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HandedIn {
    pub student: String,
    /// What is shown of the student.
    pub name: String,
    pub submitted_ms: Timestamp,
    /// In all answers together.
    pub words: usize,
}

/// When a report was saved and handed in last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReportSaved")]
pub struct Saved {
    pub saved_ms: Option<Timestamp>,
    pub submitted_ms: Option<Timestamp>,
}

impl Course {
    /// Saves these answers; others stay as they are.
    pub async fn save_answers(&self, student: &Student, answers: BTreeMap<String, String>) -> Result<Saved, CourseError> {
        let answers = answers.into_iter().map(checked).collect::<Result<BTreeMap<_, _>, _>>()?;
        let (now, new) = ((self.now)(), bytes(&answers));
        let save = move |written: &mut Written| {
            let before = written.answers.clone();
            written.answers.extend(answers);
            written.answers.retain(|_, answer| !answer.is_empty());
            if written.answers != before {
                written.saved_ms = Some(now);
            }
        };
        self.write(student, new, save).await
    }

    /// Hands in what is saved, in place of what was handed in before.
    pub async fn submit_report(&self, student: &Student) -> Result<Saved, CourseError> {
        if self.progress.written(&student.id).answers.is_empty() {
            let fix = "answer a question first; PUT /api/report saves answers".to_owned();
            return Err(CourseError::Wrong { error: "nothing has been written yet".to_owned(), fix });
        }
        let (now, new) = ((self.now)(), bytes(&self.progress.written(&student.id).answers));
        self.write(student, new, move |written| {
            written.submitted = Some(Submitted { at_ms: now, words: words(&written.answers), answers: written.answers.clone() })
        })
        .await
    }

    /// `new`: bytes that come to those that are kept.
    async fn write(&self, student: &Student, new: usize, change: impl FnOnce(&mut Written) + Send + 'static) -> Result<Saved, CourseError> {
        self.still_here(student)?;
        let busy = |wait| CourseError::Busy { what: "the report was saved too often in a short time", wait };
        let kept = self.progress.written(&student.id);
        let all = bytes(&kept.answers).saturating_add(kept.submitted.map_or(0, |submitted| bytes(&submitted.answers)));
        self.turns.report(&student.id, all.saturating_add(new), (self.now)()).map_err(busy)?;
        self.progress.change_written(&student.id, change).await?;
        let written = self.progress.written(&student.id);
        Ok(Saved { saved_ms: written.saved_ms, submitted_ms: written.submitted.map(|submitted| submitted.at_ms) })
    }

    /// What has been handed in, the newest first.
    pub fn handed_in(&self) -> Vec<HandedIn> {
        let submitted = self.progress.submitted();
        let of = |student: Student| {
            let (at, words) = submitted.get(&student.id).copied()?;
            Some(HandedIn { student: student.id, name: student.name, submitted_ms: at, words })
        };
        let mut all: Vec<HandedIn> = self.students().into_iter().filter_map(of).collect();
        all.sort_by_key(|report| std::cmp::Reverse(report.submitted_ms));
        all
    }
}

fn bytes(answers: &BTreeMap<String, String>) -> usize {
    answers.values().map(String::len).fold(0, usize::saturating_add)
}

/// Counted once: the board is asked for all the time.
fn words(answers: &BTreeMap<String, String>) -> usize {
    answers.values().map(|answer| answer.split_whitespace().count()).sum()
}

fn checked((id, answer): (String, String)) -> Result<(String, String), CourseError> {
    let wrong = |error: String, fix: String| CourseError::Wrong { error, fix };
    if !QUESTIONS.iter().any(|(known, ..)| *known == id) {
        let ids: Vec<&str> = QUESTIONS.iter().map(|(id, ..)| *id).collect();
        let id: String = id.chars().take(40).collect();
        return Err(wrong(format!("the report has no question {id:?}"), format!("answer one of: {}", ids.join(", "))));
    }
    if answer.len() > BYTES_MAX {
        let fix = format!("shorten it to {} KiB; a report is read by a person", BYTES_MAX >> 10);
        return Err(wrong(format!("the answer to {id:?} is too long: {} KiB", answer.len() >> 10), fix));
    }
    let answer: String =
        answer.replace("\r\n", "\n").chars().filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control()).collect();
    Ok((id, if answer.trim().is_empty() { String::new() } else { answer }))
}
