//! A check, from the question to the verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::stored_log::StoredLog;
use super::student::Student;
use super::submission::{self, Found, Missing, Reader};
use super::ticketing::{answer_topic, still_to_come};
use super::work::Issued;
use super::{Course, CourseError, sight, wording};
use crate::model::Timestamp;
use crate::model::evidence::Evidence;
use crate::workshop::truth::{Case, LogError};
use crate::workshop::verdict::{Judgement, Status, Verdict};
use crate::workshop::{AnswerRecord, Challenge};

/// A kind of truth that needs longer is stopped.
const JUDGE_WITHIN: Duration = Duration::from_secs(20);
/// How long a check waits for its turn among those of others.
const TURN_WITHIN: Duration = Duration::from_secs(30);

/// What a check is asked about.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// What is handed in with it.
    pub receipt: Option<Value>,
    /// The nonce of the ticket whose answer it is. `None`: the newest that has one.
    pub ticket: Option<String>,
}

/// What came of an answer.
struct Outcome {
    verdict: Verdict,
    /// This answer has not been judged before.
    is_new: bool,
}

impl Course {
    /// Judges the newest answer of a student. One at a time for each, and a few at a time for all: what has begun keeps its turn to the
    /// end, also when whoever asked has gone.
    pub async fn check(self: &Arc<Self>, student: &Student, id: &str, ask: Ask) -> Result<Verdict, CourseError> {
        self.challenge(id)?;
        self.still_here(student)?;
        self.still_goes_on(student)?;
        let (course, student, id) = (Arc::clone(self), student.clone(), id.to_owned());
        let checking = tokio::spawn(async move { course.check_to_its_end(&student, &id, ask).await });
        let failed = |_| Err(CourseError::Busy { what: "the check failed", wait: 1 });
        checking.await.unwrap_or_else(failed)
    }

    async fn check_to_its_end(self: &Arc<Self>, student: &Student, id: &str, ask: Ask) -> Result<Verdict, CourseError> {
        let challenge = self.challenge(id)?;
        let _own = self.turns.of(&student.id).ok_or(CourseError::Busy { what: "your last check is still at work", wait: 1 })?;
        let began = Instant::now();
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.any()).await;
        let _turn = turn.map_err(|_| CourseError::Busy { what: "many answers are being checked", wait: 10 })?;
        self.still_goes_on(student)?;
        let outcome = self.outcome(student, challenge, ask).await?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.keep(student, challenge, Verdict { took_ms, ..outcome.verdict }, outcome.is_new).await
    }

    async fn outcome(self: &Arc<Self>, student: &Student, challenge: &Challenge, ask: Ask) -> Result<Outcome, CourseError> {
        let now = (self.now)();
        let Ask { receipt, ticket } = ask;
        let found = match receipt.map(submission::receipt).transpose() {
            Ok(receipt) => self.find(student, challenge, Ask { receipt, ticket }, now).await?,
            Err(missing) => Err(missing),
        };
        let evidence = self.evidence(student);
        match found {
            Ok((found, marks)) => self.judged(student, challenge, found, marks, evidence, now).await,
            Err(missing) => {
                let passed = self.passed_before(student, challenge, &missing);
                let verdict = passed.unwrap_or_else(|| self.nothing(student, challenge, &missing, evidence.as_ref(), now));
                Ok(Outcome { verdict, is_new: false })
            }
        }
    }

    /// On a thread that may block: an answer may be long, and what it is looked for in longer.
    async fn find(
        self: &Arc<Self>,
        student: &Student,
        challenge: &Challenge,
        ask: Ask,
        now: Timestamp,
    ) -> Result<Result<(Found, Marks), Missing>, CourseError> {
        let (course, student, id, runtime) = (Arc::clone(self), student.clone(), challenge.id().to_owned(), Handle::current());
        let finding = tokio::task::spawn_blocking(move || {
            let challenge = course.challenge(&id)?;
            let only = ask.ticket.as_deref().map(str::trim);
            let reader = Reader { cluster: course.cluster.as_ref(), progress: &course.progress, student: &student, challenge, only, now };
            let found = runtime.block_on(reader.find(ask.receipt))?;
            let before = course.progress.work(&student.id, &id).length;
            Ok(found.map(|found| {
                let marks = Marks::of(&found, before);
                (found, marks)
            }))
        });
        finding.await.unwrap_or(Err(CourseError::Busy { what: "the check failed", wait: 1 }))
    }

    /// An answer that was right stays so when its ticket has expired.
    fn passed_before(&self, student: &Student, challenge: &Challenge, missing: &Missing) -> Option<Verdict> {
        let Missing::Expired(nonce) = missing else { return None };
        let last = self.progress.work(&student.id, challenge.id()).last?;
        (last.status == Status::Pass && last.ticket.as_ref() == Some(nonce)).then_some(last)
    }

    fn nothing(&self, student: &Student, challenge: &Challenge, missing: &Missing, seen: Option<&Evidence>, now: Timestamp) -> Verdict {
        let place = answer_topic(student, challenge).map(|topic| topic.to_string()).unwrap_or_default();
        let (message, fix) = wording::told(missing, challenge, &place);
        let mut verdict = self.error(student, challenge, now, message, fix);
        let tickets = self.progress.tickets(&student.id, challenge.id());
        verdict.ticket = tickets.last().map(|issued| issued.ticket.nonce.clone());
        if let (Missing::Empty(issued), Some(seen)) = (missing, seen) {
            verdict.evidence = sight::instead(seen, &issued.ticket, &student.prefix, &place);
        }
        verdict
    }

    fn error(&self, student: &Student, challenge: &Challenge, now: Timestamp, message: String, fix: String) -> Verdict {
        wording::error(challenge, &student.id, &self.progress.work(&student.id, challenge.id()), now, message, fix)
    }

    /// What keeps the records of a ticket from being looked at.
    async fn unready(&self, challenge: &Challenge, issued: &Issued, now: Timestamp) -> Result<Option<(String, String)>, CourseError> {
        let again = "run your script again from its first line: it asks for a new ticket".to_owned();
        for (name, ranges) in &issued.ticket.ranges {
            let topic = self.cluster.topic(name.as_str());
            let topic = topic.filter(|topic| issued.ids.get(name).is_none_or(|id| *id == topic.id.to_string()));
            let Some(topic) = topic else { return Ok(Some((format!("{name} was made anew since this ticket was issued"), again))) };
            for partition in &topic.partitions {
                let Some((start, end)) = ranges.get(&partition.partition) else { continue };
                if partition.start_offset > *start && start < end {
                    let gone = format!(
                        "the first records of this ticket in {name}, partition {}, have been deleted by the topic's retention",
                        partition.partition
                    );
                    return Ok(Some((gone, again)));
                }
            }
        }
        let length = issued.ticket.topics().map(|topic| issued.ticket.length(topic.as_str())).fold(0, i64::saturating_add);
        if length == 0 && challenge.truth.wish().live_ms > 0 {
            return Ok(Some(("this ticket is about no records: nothing had arrived when it was issued".to_owned(), again)));
        }
        let waits = still_to_come(self.cluster.as_ref(), &issued.ticket, now).await?;
        Ok(waits.map(|(records, seconds)| {
            let what = format!("{records} records of this ticket are still to come");
            let fix = match seconds {
                Some(seconds) => format!("read on to the end offsets of the ticket; they are there in about {seconds} s"),
                None => "nothing arrives at the moment: ask whether the generators are paused, or take a new ticket".to_owned(),
            };
            (what, fix)
        }))
    }

    async fn judged(
        self: &Arc<Self>,
        student: &Student,
        challenge: &Challenge,
        found: Found,
        marks: Marks,
        seen: Option<Evidence>,
        now: Timestamp,
    ) -> Result<Outcome, CourseError> {
        let nonce = found.issued.ticket.nonce.clone();
        let forgotten = seen.is_some() && found.issued.ticket.issued_ms < self.opened;
        let seen = seen.filter(|_| !forgotten);
        let error = |message: String, fix: String| {
            let verdict = Verdict { ticket: Some(nonce.clone()), ..self.error(student, challenge, now, message, fix) };
            Ok(Outcome { verdict, is_new: false })
        };
        if let Some(receipt) = found.answer.receipt.clone().filter(|_| !found.again) {
            self.progress.keep_receipt(&student.id, challenge.id(), receipt).await?;
        }
        if let Some((message, fix)) = self.unready(challenge, &found.issued, now).await? {
            return error(message, fix);
        }
        let Marks { answer, length, beginning } = marks;
        let (before, sight) = (self.progress.work(&student.id, challenge.id()), sight::fingerprint(seen.as_ref()));
        if let Some(last) = before.last.as_ref().filter(|last| before.knows_last(&answer) && last.ticket.as_ref() == Some(&nonce)) {
            // Who watches asks every few seconds.
            let sees_the_same = !challenge.truth.looks_at_evidence() || before.sight == sight;
            let is_same = last.status == Status::Pass || (last.status != Status::Error && sees_the_same);
            if is_same {
                return Ok(Outcome { verdict: last.clone(), is_new: false });
            }
        }
        let (cut, newer, ticket) = (found.cut, found.newer, found.issued.ticket.clone());
        let judgement = match self.judge(challenge, found, seen.clone(), now).await {
            Ok(judgement) => judgement,
            Err(why) => {
                return error(format!("the records of this ticket could not be looked at: {why}"), "check again in a moment".to_owned());
            }
        };
        let (counted, reading) = (answer.clone(), sight::reading(seen.as_ref(), &ticket));
        let (course, who) = (Arc::clone(self), student.clone());
        // What was at work when the room was frozen does not count either.
        let work = self.progress.change(&student.id, challenge.id(), move |work| {
            course.still_goes_on(&who)?;
            let is_new = work.count(&counted, length, beginning.as_deref());
            work.sight = sight;
            work.unread = reading.unread;
            work.client = reading.client.or_else(|| work.client.take());
            work.records = work.records.max(reading.records);
            Ok::<_, CourseError>((is_new, work.clone()))
        });
        let (is_new, work) = work.await??;
        if judgement.passed() && work.told.as_ref() == Some(&ticket.nonce) {
            let (message, fix) = wording::told_before();
            return error(message, fix);
        }
        let mut verdict = wording::verdict(challenge, &student.id, &work, now, judgement);
        verdict.ticket = Some(ticket.nonce.clone());
        if challenge.truth.tells_all() && verdict.checks.iter().any(|check| check.expected.is_some()) {
            let told = ticket.nonce.clone();
            self.progress.change(&student.id, challenge.id(), |work| work.told = Some(told)).await?;
        }
        if cut {
            verdict.evidence.push(wording::cut());
        }
        if forgotten {
            verdict
                .evidence
                .push("The broker was started again since this ticket was issued: what it had seen before, it does not know.".to_owned());
        }
        if newer {
            verdict.evidence.push("There is a newer ticket; nothing has been handed in for it yet.".to_owned());
        }
        verdict.evidence.extend(seen.iter().filter_map(|seen| sight::read(seen, &ticket)));
        Ok(Outcome { verdict, is_new })
    }

    /// On a thread that may block, for as long as a check may take.
    async fn judge(
        self: &Arc<Self>,
        challenge: &Challenge,
        found: Found,
        seen: Option<Evidence>,
        now: Timestamp,
    ) -> Result<Judgement, String> {
        let (course, id) = (Arc::clone(self), challenge.id().to_owned());
        let log = StoredLog { cluster: Arc::clone(&self.cluster), runtime: Handle::current(), deadline: Instant::now() + JUDGE_WITHIN };
        let judging = tokio::task::spawn_blocking(move || {
            let challenge = course.challenges.get(&id).ok_or_else(|| "the challenge is gone".to_owned())?;
            let Found { issued, answer, .. } = found;
            let case = Case { ticket: &issued.ticket, answer: &answer, log: &log, evidence: seen.as_ref(), now };
            challenge.truth.judge(&case).map_err(|error: LogError| error.to_string())
        });
        judging.await.unwrap_or_else(|_| Err("the check failed".to_owned()))
    }

    /// Keeps a verdict as the last, and lets the student's scripts know. The same one again is nothing new.
    async fn keep(
        self: &Arc<Self>,
        student: &Student,
        challenge: &Challenge,
        verdict: Verdict,
        is_new: bool,
    ) -> Result<Verdict, CourseError> {
        let (kept, course, who) = (verdict.clone(), Arc::clone(self), student.clone());
        let is_news = self.progress.change(&student.id, challenge.id(), move |work| {
            course.still_goes_on(&who)?;
            let same = |last: &Verdict| Verdict { at_ms: kept.at_ms, took_ms: kept.took_ms, ..last.clone() } == kept;
            if work.last.as_ref().is_some_and(same) {
                return Ok::<_, CourseError>(false);
            }
            work.take(&kept, is_new);
            work.last = Some(kept);
            Ok(true)
        });
        if is_news.await?? {
            let told = Arc::new(self.told(&verdict));
            // Nobody may follow.
            let _ = self.verdicts.send(Arc::clone(&told));
            self.publish(&student.topic("verdicts"), challenge.id(), told.as_ref()).await;
        }
        Ok(verdict)
    }

    /// With the text that a terminal shows.
    pub fn told(&self, verdict: &Verdict) -> Told {
        let sheet = self.challenges.get(&verdict.challenge).map(|challenge| &challenge.sheet);
        let text = sheet.map(|sheet| verdict.to_text(&sheet.title, sheet.points)).unwrap_or_default();
        Told { verdict: verdict.clone(), text }
    }
}

/// A verdict as it is handed out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Verdict")]
pub struct Told {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What a terminal shows.
    pub text: String,
}

/// What an answer is told from others by.
struct Marks {
    answer: String,
    length: usize,
    /// Of as many records as the answer before had: whoever watches checks while the script still writes.
    beginning: Option<String>,
}

impl Marks {
    fn of(found: &Found, before: usize) -> Marks {
        let (nonce, records, receipt) = (&found.issued.ticket.nonce, &found.answer.records, found.answer.receipt.as_ref());
        let beginning = records.get(..before).filter(|some| !some.is_empty()).map(|some| fingerprint(nonce, some, receipt));
        Marks { answer: fingerprint(nonce, records, receipt), length: records.len(), beginning }
    }
}

/// Two answers are the same if they say the same under the same ticket.
fn fingerprint(nonce: &str, records: &[AnswerRecord], receipt: Option<&Value>) -> String {
    let mut hash = Sha256::new();
    hash.update(nonce);
    for record in records {
        for part in [&record.key, &record.value] {
            let bytes = part.as_deref().unwrap_or_default();
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        }
    }
    hash.update(receipt.map(Value::to_string).unwrap_or_default());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
