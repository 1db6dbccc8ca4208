//! What is told of where everybody stands, as the HTTP API gives it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::scoreboard::Board;
use super::work::{Ruling, Standing, Work};
use crate::model::Timestamp;
use crate::workshop::verdict::Status;

/// How far one student is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Progress {
    pub student: String,
    /// What is shown of them.
    pub name: String,
    pub points: u32,
    /// In the order of the course.
    pub challenges: Vec<OwnStanding>,
}

/// What a student and the instructor see of one challenge.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cell {
    pub status: Standing,
    /// Different answers that were judged.
    pub attempts: u32,
    /// From the first ticket to the first pass.
    pub first_pass_ms: Option<i64>,
    /// Hints that were given.
    pub hints: usize,
    /// Points, stars included.
    pub score: u32,
    /// The ids of those that were earned.
    pub stars: Vec<String>,
    /// Waits for help.
    pub stuck: bool,
    /// What the instructor decided.
    pub ruling: Option<Ruling>,
}

/// Where a student stands with one challenge.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct OwnStanding {
    pub id: String,
    pub title: String,
    /// What it can give, without stars.
    pub points: u32,
    #[serde(flatten)]
    pub cell: Cell,
    /// When it was passed first.
    pub passed_ms: Option<Timestamp>,
    /// How often each known mistake was recognised, by its id.
    pub mistakes: BTreeMap<String, u32>,
    /// Whether the last answer to the question was right.
    pub explained: Option<bool>,
    /// The last verdict in short.
    pub last: Option<LastVerdict>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LastVerdict {
    pub status: Status,
    pub message: String,
    pub at_ms: Timestamp,
}

/// The board, the mistakes by count, and who waits for help.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClassBoard {
    pub challenges: Vec<Column>,
    pub students: Vec<StudentRow>,
    /// The most frequent first.
    pub mistakes: Vec<MistakeCount>,
    /// Who has waited longest first.
    pub stuck: Vec<Waits>,
}

/// A challenge of the board.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Column {
    pub id: String,
    pub title: String,
    pub points: u32,
}

/// A student of the board.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StudentRow {
    pub id: String,
    pub name: String,
    /// When the report was handed in last.
    pub report_ms: Option<Timestamp>,
    /// By the challenge's id, those that were begun.
    pub challenges: BTreeMap<String, ClassStanding>,
}

/// What the instructor sees of one challenge of one student.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ClassStanding {
    #[serde(flatten)]
    pub cell: Cell,
    /// Passed with records that the broker saw none of the student's users fetch. A flag, no proof: it may have been started anew since.
    pub unread: bool,
    /// What the student wrote about being stuck.
    pub note: Option<String>,
    /// When something was handed in last; before that, when the first ticket was taken.
    pub last_ms: Option<Timestamp>,
}

/// How often a known mistake was made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MistakeCount {
    pub challenge: String,
    pub id: String,
    /// Null when the challenge no longer has it.
    pub title: Option<String>,
    pub count: u32,
    /// How many students made it.
    pub students: u32,
}

/// Somebody who waits for help.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Waits {
    pub student: String,
    pub name: String,
    pub challenge: String,
    pub since_ms: Timestamp,
    pub note: String,
}

/// All that is kept of everybody.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Export {
    /// Of this format.
    pub version: u32,
    pub at_ms: Timestamp,
    /// By student and challenge.
    pub students: BTreeMap<String, BTreeMap<String, KeptWork>>,
    pub leaderboard: Board,
}

/// What is kept of one challenge of one student.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeptWork {
    #[serde(flatten)]
    pub work: Work,
    pub standing: Standing,
    /// From the first ticket to the first pass.
    pub first_pass_ms: Option<i64>,
}

/// What comes of an answer to the question about one's own result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExplainAnswer {
    pub right: bool,
    /// Why it is right, or what is wrong with it.
    pub why: String,
}
