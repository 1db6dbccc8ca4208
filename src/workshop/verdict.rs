//! What a student is told about an answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// Attempts on which the right value is kept back.
pub const GUARDED_ATTEMPTS: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "VerdictStatus")]
pub enum Status {
    Pass,
    /// Some checks pass.
    Partial,
    Fail,
    /// There is nothing to judge: no ticket, no answer, or one that is not theirs.
    Error,
}

/// As the HTTP API, the terminal and the topic `ws.ID.verdicts` give it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "KeptVerdict")]
pub struct Verdict {
    pub challenge: String,
    pub student: String,
    pub status: Status,
    /// Points, stars included.
    pub score: u32,
    /// In one sentence.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    pub checks: Vec<Check>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_mistake: Option<MatchedMistake>,
    /// What was done beyond what was asked, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stars: Vec<String>,
    /// What the broker saw, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The nonce of the ticket that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// How many different answers there have been, this one included.
    pub attempt: u32,
    pub at_ms: Timestamp,
    /// How long the check took.
    pub took_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Pass,
    Fail,
    /// Could not be looked at: another check failed before, or this cluster does not show it.
    Skip,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub id: String,
    pub status: CheckStatus,
    /// What was looked at, and what was wrong with it. Never holds the right value.
    pub message: String,
    /// The right value, where it may be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
}

impl Check {
    pub fn pass(id: &str, message: impl Into<String>) -> Check {
        Check { id: id.to_owned(), status: CheckStatus::Pass, message: message.into(), expected: None, got: None, hint: None, doc: None }
    }

    pub fn fail(id: &str, message: impl Into<String>) -> Check {
        Check { status: CheckStatus::Fail, ..Check::pass(id, message) }
    }

    pub fn skip(id: &str, message: impl Into<String>) -> Check {
        Check { status: CheckStatus::Skip, ..Check::pass(id, message) }
    }

    /// With the right value, which is kept back at first.
    pub fn expected(self, expected: impl ToString) -> Check {
        Check { expected: Some(expected.to_string()), ..self }
    }

    pub fn got(self, got: impl ToString) -> Check {
        Check { got: Some(got.to_string()), ..self }
    }
}

/// A mistake whose wrong answer is the student's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatchedMistake {
    pub id: String,
    pub title: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
}

/// What a kind of truth finds in an answer, before it is put into words that suit the attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    pub checks: Vec<Check>,
    pub mistake: Option<Mistaken>,
    /// Stars that were earned, by the name that the challenge's folder has for them.
    pub stars: Vec<&'static str>,
    /// Sentences about what was seen.
    pub evidence: Vec<String>,
}

/// A mistake that was recognised, with the facts that its text in the challenge's folder names as `{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistaken {
    pub id: &'static str,
    pub facts: BTreeMap<&'static str, String>,
}

impl Mistaken {
    pub fn new(id: &'static str) -> Mistaken {
        Mistaken { id, facts: BTreeMap::new() }
    }

    pub fn with(mut self, name: &'static str, fact: impl ToString) -> Mistaken {
        self.facts.insert(name, fact.to_string());
        self
    }
}

impl Judgement {
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.status != CheckStatus::Fail)
    }
}
