//! The course: tickets, answers, verdicts, and how far everybody is.
//!
//! A student asks for a ticket, works on its records, hands in an answer and asks for a check. Which tickets were issued and what came of
//! the answers is kept in the hidden topic `_progress`; the topics `ws.ID.tickets` and `ws.ID.verdicts` are for the student's scripts, who
//! may write to them: nothing is read back from there.

mod checking;
mod medallion;
mod printed;
mod progress;
mod report;
mod room;
mod scoreboard;
mod shown;
mod sight;
mod standing;
mod stored_log;
mod student;
mod submission;
mod ticketing;
mod turns;
mod wording;
mod work;
mod written;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::cluster::{Cluster, ClusterError, INSTRUCTOR, NewRecord};
use crate::model::evidence::Evidence;
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

use super::verdict::Verdict;
use super::{Challenge, Challenges, Noticeboard, Random, Roster, Ticket, Workshop};
use progress::Progress;
use ticketing::{Issue, ensure_notes};
use turns::Turns;
use work::{Explained, Stuck, Work};

pub use checking::{Ask, Told};
pub use medallion::{Layer, LayerName};
pub use report::{Fact, Form, Question, ReportRow, Sheet};
pub use room::{RoomWish, TimerWish};
pub use scoreboard::{Board, Frozen, Row};
pub use shown::{ClassBoard, ExplainAnswer, Export, Progress as OwnProgress};
pub use student::Student;
pub use ticketing::TICKET_MS;
pub use work::{Ruling, Standing};
pub use written::{HandedIn, Saved};

/// What a student may write about being stuck.
const NOTE_LETTERS_MAX: usize = 500;
/// How long a ticket's topics are looked at. Less than whoever asks for it waits.
const TICKET_WITHIN: Duration = Duration::from_secs(16);
/// New verdicts that one who follows them may be behind.
const VERDICTS_FOLLOWED: usize = 64;

type Clock = dyn Fn() -> Timestamp + Send + Sync;

#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    #[error("there is no challenge {0}")]
    Unknown(String),
    #[error("there is no student {0}")]
    NoStudent(String),
    #[error("the instructor has frozen the room")]
    Frozen,
    #[error("{what}")]
    Busy { what: &'static str, wait: u64 },
    #[error("{error}")]
    Wrong { error: String, fix: String },
    #[error("{0}")]
    Cluster(#[from] ClusterError),
}

pub struct CourseOptions {
    pub challenges: Challenges,
    pub random: Random,
    pub now: Arc<Clock>,
}

pub struct Course {
    cluster: Arc<dyn Cluster>,
    /// `None`: one person, who does not log in.
    workshop: Option<Arc<Workshop>>,
    challenges: Challenges,
    random: Random,
    now: Arc<Clock>,
    progress: Arc<Progress>,
    noticeboard: Noticeboard,
    turns: Turns,
    /// Verdicts as they come, for whoever follows them.
    verdicts: broadcast::Sender<Arc<Told>>,
    /// What the broker saw of anybody before is gone.
    opened: Timestamp,
}

/// A ticket as it is handed out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Handed {
    #[serde(flatten)]
    pub ticket: Ticket,
    /// What may become of it before it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// One hint of several.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Hint {
    pub n: usize,
    pub of: usize,
    pub hint: String,
}

impl Course {
    /// With what the cluster keeps of it.
    pub async fn open(cluster: Arc<dyn Cluster>, workshop: Option<Arc<Workshop>>, options: CourseOptions) -> Result<Course, ClusterError> {
        let CourseOptions { challenges, random, now } = options;
        let of = workshop.clone();
        let is_here = Box::new(move |id: &str| is_here(of.as_ref().map(|workshop| workshop.roster()).as_deref(), id));
        let progress = Arc::new(Progress::open(Arc::clone(&cluster), Arc::clone(&now), is_here).await?);
        let noticeboard = Noticeboard::open(Arc::clone(&cluster), progress.board().on).await?;
        let opened = now();
        Ok(Course {
            cluster,
            workshop,
            challenges,
            random,
            now,
            progress,
            noticeboard,
            turns: Turns::default(),
            verdicts: broadcast::Sender::new(VERDICTS_FOLLOWED),
            opened,
        })
    }

    /// The new verdicts on everybody's work from now on.
    pub fn verdicts(&self) -> broadcast::Receiver<Arc<Told>> {
        self.verdicts.subscribe()
    }

    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    pub fn challenge(&self, id: &str) -> Result<&Challenge, CourseError> {
        self.challenges.get(id).ok_or_else(|| CourseError::Unknown(id.chars().take(40).collect()))
    }

    /// Somebody who takes part, by id.
    pub fn student(&self, id: &str) -> Result<Student, CourseError> {
        let unknown = || CourseError::NoStudent(id.chars().take(60).collect());
        match &self.workshop {
            None if id == Student::alone().id => Ok(Student::alone()),
            None => Err(unknown()),
            Some(_) if id == INSTRUCTOR => Ok(Student::instructor()),
            Some(workshop) => workshop.roster().get(id).map(Student::of).ok_or_else(unknown),
        }
    }

    /// Whoever has been taken out since the request came.
    fn still_here(&self, student: &Student) -> Result<(), CourseError> {
        self.student(&student.id).map(|_| ())
    }

    fn evidence(&self, student: &Student) -> Option<Evidence> {
        let witness = self.cluster.witness()?;
        Some(Evidence::together(student.users.iter().map(|user| witness.evidence(user)).collect()))
    }

    /// Checks of a challenge that are skipped here, as no broker tells what they look for.
    pub fn not_seen(&self, challenge: &Challenge) -> &'static [(&'static str, &'static str)] {
        if self.cluster.witness().is_some() { &[] } else { challenge.truth.witnessed() }
    }

    /// Issues a ticket.
    pub async fn ticket(&self, student: &Student, id: &str) -> Result<Handed, CourseError> {
        let challenge = self.challenge(id)?;
        self.still_here(student)?;
        let now = (self.now)();
        self.turns.ticket(&student.id, now).map_err(|wait| CourseError::Busy { what: "too many tickets in a short time", wait })?;
        let issue = Issue { cluster: self.cluster.as_ref(), random: &self.random, student, challenge, now };
        let made = tokio::time::timeout(TICKET_WITHIN, issue.ticket()).await.unwrap_or_else(|_| Err(slow()))?;
        let ticket = made.issued.ticket.clone();
        self.progress.keep_ticket(made.issued).await?;
        // Made now, so that the first verdict does not have to wait for it.
        if let Err(error) = ensure_notes(self.cluster.as_ref(), &student.topic("verdicts")).await {
            tracing::debug!(student = student.id, %error, "the topic for verdicts could not be made");
        }
        self.publish(&student.topic("tickets"), challenge.id(), &ticket).await;
        Ok(Handed { ticket, warning: made.warning })
    }

    /// Those that may still be answered, the newest first.
    pub fn tickets(&self, student: &Student, id: &str) -> Result<Vec<Ticket>, CourseError> {
        let (issued, now) = (self.progress.tickets(&student.id, self.challenge(id)?.id()), (self.now)());
        Ok(issued.into_iter().rev().map(|issued| issued.ticket).filter(|ticket| ticket.expires_ms > now).collect())
    }

    /// Lets the student's scripts know. They can ask again, so it is no failure if they do not hear of it.
    async fn publish(&self, topic: &TopicName, key: &str, what: &impl Serialize) {
        let value = serde_json::to_vec(what).ok().map(Bytes::from);
        let record = NewRecord { key: Some(Bytes::from(key.to_owned())), value, timestamp: (self.now)(), headers: Vec::new() };
        let told = async {
            ensure_notes(self.cluster.as_ref(), topic).await?;
            self.cluster.append(topic, PartitionId(0), vec![record]).await
        };
        if let Err(error) = told.await {
            tracing::debug!(%topic, %error, "a note to a student could not be written");
        }
    }

    pub fn last_verdict(&self, student: &Student, id: &str) -> Result<Option<Verdict>, CourseError> {
        Ok(self.progress.work(&student.id, self.challenge(id)?.id()).last)
    }

    /// The hints that have been given.
    pub fn hints(&self, student: &Student, id: &str) -> Result<Vec<Hint>, CourseError> {
        let challenge = self.challenge(id)?;
        let given = self.progress.work(&student.id, challenge.id()).hints;
        Ok((0..given).filter_map(|n| hint(challenge, n)).collect())
    }

    /// The next one; when all have been given, the last again.
    pub async fn next_hint(&self, student: &Student, id: &str) -> Result<Hint, CourseError> {
        let challenge = self.challenge(id)?;
        let all = challenge.sheet.hints.len();
        let give = move |work: &mut Work| {
            work.hints = work.hints.saturating_add(1).min(all);
            work.hints
        };
        let given = self.change(student, challenge, give).await?;
        let none = || CourseError::Wrong { error: format!("{id} has no hints"), fix: "ask somebody, or say that you are stuck".to_owned() };
        given.checked_sub(1).and_then(|n| hint(challenge, n)).ok_or_else(none)
    }

    /// Queues up for help, or goes.
    pub async fn set_stuck(&self, student: &Student, id: &str, stuck: bool, note: Option<&str>) -> Result<(), CourseError> {
        let now = (self.now)();
        let note: String = note.unwrap_or_default().chars().filter(|c| !c.is_control()).take(NOTE_LETTERS_MAX).collect();
        let set = move |work: &mut Work| {
            // Who asks again keeps the place in the queue.
            let since_ms = work.stuck.as_ref().map_or(now, |stuck| stuck.since_ms);
            work.stuck = stuck.then_some(Stuck { since_ms, note });
        };
        self.change(student, self.challenge(id)?, set).await
    }

    /// Answers the question about one's own result.
    pub async fn explain(&self, student: &Student, id: &str, choice: usize) -> Result<ExplainAnswer, CourseError> {
        let challenge = self.challenge(id)?;
        let chosen = challenge.sheet.explain.choices.get(choice);
        let chosen = chosen.ok_or_else(|| CourseError::Wrong {
            error: format!("there is no choice {choice}"),
            fix: format!("choose a number from 0 to {}", challenge.sheet.explain.choices.len().saturating_sub(1)),
        })?;
        let right = chosen.right;
        let set = move |work: &mut Work| {
            let before = work.explained.take();
            let tries = before.as_ref().map_or(0, |before| before.tries).saturating_add(1);
            let at_once = before.map_or(right, |before| before.at_once);
            work.explained = Some(Explained { choice, right, tries, at_once });
        };
        self.change(student, challenge, set).await?;
        Ok(ExplainAnswer { right, why: chosen.why.clone() })
    }

    /// What the instructor decides for one student.
    pub async fn rule(&self, student: &Student, id: &str, ruling: Option<Ruling>) -> Result<(), CourseError> {
        let challenge = self.challenge(id)?;
        self.still_here(student)?;
        Ok(self.progress.change(&student.id, challenge.id(), move |work| work.ruling = ruling).await?)
    }

    async fn change<T: Send + 'static>(
        &self,
        student: &Student,
        challenge: &Challenge,
        change: impl FnOnce(&mut Work) -> T + Send + 'static,
    ) -> Result<T, CourseError> {
        self.still_here(student)?;
        let busy = |wait| CourseError::Busy { what: "too much in a short time", wait };
        self.turns.note(&student.id, (self.now)()).map_err(busy)?;
        Ok(self.progress.change(&student.id, challenge.id(), change).await?)
    }

    /// Forgets a student, or everything. Tells how many records that were.
    pub async fn erase(&self, student: Option<&str>) -> Result<usize, CourseError> {
        let records = self.progress.erase(student).await?;
        self.noticeboard.show_leaderboard(self.progress.board().on);
        Ok(records)
    }
}

fn slow() -> ClusterError {
    let message = format!("the cluster has not said within {} s what its topics hold", TICKET_WITHIN.as_secs());
    ClusterError { code: ErrorCode::RequestTimedOut, message }
}

fn hint(challenge: &Challenge, n: usize) -> Option<Hint> {
    let all = &challenge.sheet.hints;
    all.get(n).map(|hint| Hint { n: n.saturating_add(1), of: all.len(), hint: hint.clone() })
}

/// Whether what is kept of an id stays. A folder that served a class may serve one person for a while: without a roster nobody has gone.
fn is_here(roster: Option<&Roster>, id: &str) -> bool {
    roster.is_none_or(|roster| id == INSTRUCTOR || id == Student::alone().id || roster.get(id).is_some())
}
