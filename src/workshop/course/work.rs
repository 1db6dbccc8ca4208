//! What one student has done about one challenge.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::Ticket;
use crate::workshop::verdict::{Status, Verdict};

/// Answers that are told apart. Older ones count as new again.
const ANSWERS_MAX: usize = 64;
/// Tickets that are kept of each student and challenge.
pub(super) const TICKETS_MAX: usize = 8;

/// The value of a record with the key `work:STUDENT:CHALLENGE`, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Work {
    /// 1.
    pub version: u32,
    /// When the first ticket was issued.
    pub began_ms: Option<Timestamp>,
    /// How many different answers have been judged.
    pub attempts: u32,
    /// The fingerprints of the newest of them. Nobody is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub answers: Vec<String>,
    /// How many records the last of them had.
    pub length: usize,
    /// The ticket whose right values have been told.
    pub told: Option<String>,
    /// The best so far.
    pub status: Option<Status>,
    /// The best so far.
    pub score: u32,
    /// All that were earned.
    pub stars: Vec<String>,
    /// When it was passed first.
    pub passed_ms: Option<Timestamp>,
    /// How often each was recognised.
    pub mistakes: BTreeMap<String, u32>,
    /// The last answer was about records that the broker saw none of the student's users fetch.
    pub unread: bool,
    /// A fingerprint of what the broker had seen of the student at the last answer.
    pub sight: String,
    /// What the last answer's records were read with.
    pub client: Option<String>,
    /// How many of them the broker handed out.
    pub records: i64,
    /// How many have been given.
    pub hints: usize,
    /// What was answered to the question about the own result.
    pub explained: Option<Explained>,
    /// Since when, and what about.
    pub stuck: Option<Stuck>,
    /// What the instructor decided.
    pub ruling: Option<Ruling>,
    /// The last verdict, whole.
    pub last: Option<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The last choice.
    pub choice: usize,
    pub right: bool,
    pub tries: u32,
    /// Right at the first try.
    pub at_once: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stuck {
    pub since_ms: Timestamp,
    pub note: String,
}

/// What an instructor decides for one student.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// Need not be solved. Gives no points.
    Skipped,
    /// Counts as solved, with the challenge's points.
    Granted,
}

/// How far one is with a challenge, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Open,
    /// There is a ticket.
    Begun,
    Fail,
    /// Some checks passed.
    Partial,
    Pass,
    /// With the instructor's leave.
    Skipped,
    /// By the instructor.
    Granted,
}

impl Work {
    pub fn standing(&self) -> Standing {
        match (self.passed_ms, self.ruling, self.status) {
            (Some(_), ..) => Standing::Pass,
            (None, Some(Ruling::Granted), _) => Standing::Granted,
            (None, Some(Ruling::Skipped), _) => Standing::Skipped,
            (None, None, Some(Status::Partial)) => Standing::Partial,
            (None, None, Some(_)) => Standing::Fail,
            (None, None, None) if self.began_ms.is_some() => Standing::Begun,
            (None, None, None) => Standing::Open,
        }
    }

    /// From the first ticket to the first pass.
    pub fn first_pass_ms(&self) -> Option<i64> {
        Some(self.passed_ms?.since(self.began_ms?).max(0))
    }

    /// What counts, of a challenge with so many points.
    pub fn points(&self, of: u32) -> u32 {
        if self.ruling == Some(Ruling::Granted) { self.score.max(of) } else { self.score }
    }

    pub(super) fn knows(&self, answer: &str) -> bool {
        self.answers.iter().any(|known| known == answer)
    }

    /// Whether it is the answer that was judged last.
    pub(super) fn knows_last(&self, answer: &str) -> bool {
        self.answers.last().is_some_and(|last| last == answer)
    }

    /// Counts an answer unless it was there before, or goes on from where the last one was: `beginning` is the fingerprint of what it had
    /// in common with that.
    pub(super) fn count(&mut self, answer: &str, length: usize, beginning: Option<&str>) -> bool {
        if self.knows(answer) {
            return false;
        }
        self.length = length;
        if let Some(last) = self.answers.last_mut().filter(|last| beginning == Some(last)) {
            *last = answer.to_owned();
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.remove(0);
        }
        self.answers.push(answer.to_owned());
        true
    }

    /// Takes in what came of an answer.
    pub(super) fn take(&mut self, verdict: &Verdict, is_new: bool) {
        if verdict.status == Status::Error {
            return;
        }
        if is_new && let Some(mistake) = &verdict.matched_mistake {
            let count = self.mistakes.entry(mistake.id.clone()).or_default();
            *count = count.saturating_add(1);
        }
        if verdict.status == Status::Pass {
            self.passed_ms = self.passed_ms.or(Some(verdict.at_ms));
            self.stuck = None;
        }
        if self.status.is_none_or(|best| rank(verdict.status) > rank(best)) {
            self.status = Some(verdict.status);
        }
        self.score = self.score.max(verdict.score);
        for star in &verdict.stars {
            if !self.stars.contains(star) {
                self.stars.push(star.clone());
            }
        }
    }
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Error => 0,
        Status::Fail => 1,
        Status::Partial => 2,
        Status::Pass => 3,
    }
}

/// A ticket with what was there when it was issued. `tickets:STUDENT:CHALLENGE` has a list of them, the newest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    pub ticket: Ticket,
    /// The ends of the partitions that the answer goes to. An answer begins there.
    pub from: BTreeMap<PartitionId, Offset>,
    /// Ids of the topics, that of the answer included: one that was made anew has other records under the same offsets.
    pub ids: BTreeMap<TopicName, String>,
}

impl Issued {
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ticket.expires_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answer_counts_once_and_what_is_kept_of_answers_is_bounded() {
        let mut work = Work::default();
        for n in 0..200 {
            assert!(work.count(&format!("answer {n}"), 1, None));
            assert!(!work.count(&format!("answer {n}"), 1, None));
        }
        assert_eq!((work.attempts, work.answers.len()), (200, ANSWERS_MAX));
    }

    #[test]
    fn an_answer_that_goes_on_is_no_other() {
        let mut work = Work::default();
        assert!(work.count("one record", 1, None));
        assert!(!work.count("two records", 2, Some("one record")));
        assert_eq!((work.attempts, work.length, work.answers.as_slice()), (1, 2, &["two records".to_owned()][..]));
        assert!(work.count("two others", 2, Some("another record")));
        assert_eq!((work.attempts, work.answers.len()), (2, 2));
    }

    #[test]
    fn a_record_without_some_fields_can_be_read() {
        let work: Work = serde_json::from_str(r#"{"attempts": 3}"#).unwrap();
        assert_eq!((work.attempts, work.standing()), (3, Standing::Open));
    }
}
