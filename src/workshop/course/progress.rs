//! How far everybody is, and how it is kept: records of a hidden, compacted topic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::scoreboard::Board;
use super::work::{Issued, TICKETS_MAX, Work};
use super::written::Written;
use crate::cluster::{Cluster, ClusterError, NewRecord};
use crate::model::{ErrorCode, PartitionId, Timestamp, TopicName};

/// Hidden, and the instructor's alone.
///
/// | key | value |
/// |---|---|
/// | `work:STUDENT:CHALLENGE` | [`Work`] |
/// | `tickets:STUDENT:CHALLENGE` | a list of [`Issued`] |
/// | `receipt:STUDENT:CHALLENGE` | the receipt that was handed in last |
/// | `report:STUDENT:` | [`Written`] |
/// | `board` | [`Board`] |
///
/// A record without a value takes back those before it.
pub const TOPIC: &str = "_progress";

const BOARD_KEY: &str = "board";
/// Records that are written together.
const TOGETHER_MAX: usize = 500;

/// Student and challenge.
pub type Key = (String, String);

type Clock = dyn Fn() -> Timestamp + Send + Sync;
/// Whether a student takes part, by id.
pub type IsHere = dyn Fn(&str) -> bool + Send + Sync;

#[derive(Clone, Default)]
struct State {
    works: BTreeMap<Key, Work>,
    tickets: BTreeMap<Key, Vec<Issued>>,
    receipts: BTreeMap<Key, Value>,
    /// Of no challenge: the second part of their keys is empty.
    reports: BTreeMap<Key, Written>,
    board: Board,
}

pub struct Progress {
    cluster: Arc<dyn Cluster>,
    now: Arc<Clock>,
    is_here: Box<IsHere>,
    state: Mutex<State>,
    /// Held from what is read to what is kept: the records come in the order of the changes.
    changing: tokio::sync::Mutex<()>,
}

impl Progress {
    /// With what the cluster keeps, but of nobody who has gone.
    pub async fn open(cluster: Arc<dyn Cluster>, now: Arc<Clock>, is_here: Box<IsHere>) -> Result<Progress, ClusterError> {
        let mut state = State::default();
        // On a full disk a topic cannot be made. What asks to be kept is refused then, and all else goes on.
        let kept = match ensure(cluster.as_ref()).await {
            Ok(()) => cluster.tail(&TopicName::new(TOPIC), PartitionId(0), usize::MAX).await?,
            Err(error) => {
                tracing::warn!(%error, "progress cannot be kept");
                Vec::new()
            }
        };
        for record in kept {
            let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { continue };
            state.apply(key, record.value.as_deref())?;
        }
        let progress = Progress { cluster, now, is_here, state: Mutex::new(state), changing: tokio::sync::Mutex::default() };
        let gone: Vec<String> = progress.students().into_iter().filter(|student| !(progress.is_here)(student)).collect();
        for student in gone {
            progress.forget(Some(&student)).await?;
        }
        Ok(progress)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn work(&self, student: &str, challenge: &str) -> Work {
        self.state().works.get(&key(student, challenge)).cloned().unwrap_or_default()
    }

    /// By challenge.
    pub fn of_student(&self, student: &str) -> BTreeMap<String, Work> {
        let state = self.state();
        let theirs = state.works.range(key(student, "")..).take_while(|((who, _), _)| who == student);
        theirs.map(|((_, challenge), work)| (challenge.clone(), work.clone())).collect()
    }

    /// Visits what one student has done, without a copy: a class is three hundred of them.
    pub fn each_of(&self, student: &str, mut visit: impl FnMut(&str, &Work)) {
        let state = self.state();
        let theirs = state.works.range(key(student, "")..).take_while(|((who, _), _)| who == student);
        theirs.for_each(|((_, challenge), work)| visit(challenge, work));
    }

    /// Visits all that has been done.
    pub fn each(&self, mut visit: impl FnMut(&str, &str, &Work)) {
        for ((student, challenge), work) in &self.state().works {
            visit(student, challenge, work);
        }
    }

    fn students(&self) -> Vec<String> {
        let state = self.state();
        let mut all: Vec<String> = state.keys().map(|(_, key)| key.0.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The newest last.
    pub fn tickets(&self, student: &str, challenge: &str) -> Vec<Issued> {
        self.state().tickets.get(&key(student, challenge)).cloned().unwrap_or_default()
    }

    /// What was handed in last, where it did not go to a topic.
    pub fn receipt(&self, student: &str, challenge: &str) -> Option<Value> {
        self.state().receipts.get(&key(student, challenge)).cloned()
    }

    pub async fn keep_receipt(self: &Arc<Self>, student: &str, challenge: &str, receipt: Value) -> Result<(), ClusterError> {
        let (progress, key) = (Arc::clone(self), key(student, challenge));
        to_its_end(async move {
            let _alone = progress.changing.lock().await;
            progress.still_here(&key.0)?;
            if progress.receipt(&key.0, &key.1).as_ref() != Some(&receipt) {
                progress.write(vec![(name("receipt", &key), Some(json(&receipt)?))]).await?;
                progress.state().receipts.insert(key, receipt);
            }
            Ok(())
        })
        .await
    }

    /// What is written of a report.
    pub fn written(&self, student: &str) -> Written {
        self.state().reports.get(&key(student, "")).cloned().unwrap_or_default()
    }

    /// When reports were handed in, and of how many words, by student.
    pub fn submitted(&self) -> BTreeMap<String, (Timestamp, usize)> {
        let state = self.state();
        let of = |(key, written): (&Key, &Written)| {
            let submitted = written.submitted.as_ref()?;
            Some((key.0.clone(), (submitted.at_ms, submitted.words)))
        };
        state.reports.iter().filter_map(of).collect()
    }

    pub async fn change_written(
        self: &Arc<Self>,
        student: &str,
        change: impl FnOnce(&mut Written) + Send + 'static,
    ) -> Result<(), ClusterError> {
        let (progress, key) = (Arc::clone(self), key(student, ""));
        to_its_end(async move {
            let _alone = progress.changing.lock().await;
            progress.still_here(&key.0)?;
            let before = progress.written(&key.0);
            let mut written = Written { version: 1, ..before.clone() };
            change(&mut written);
            if written != before {
                progress.write(vec![(name("report", &key), Some(json(&written)?))]).await?;
                progress.state().reports.insert(key, written);
            }
            Ok(())
        })
        .await
    }

    /// Whose a nonce is, and for what.
    pub fn owner(&self, nonce: &str) -> Option<Key> {
        let state = self.state();
        let has = |issued: &Vec<Issued>| issued.iter().any(|issued| issued.ticket.nonce == nonce);
        state.tickets.iter().find(|(_, issued)| has(issued)).map(|(key, _)| key.clone())
    }

    /// Nothing is kept of anybody who was taken out while a check was at work. Asked while no other change can come between.
    fn still_here(&self, student: &str) -> Result<(), ClusterError> {
        let gone = || ClusterError { code: ErrorCode::InvalidRequest, message: format!("{student} takes no part any more") };
        if (self.is_here)(student) { Ok(()) } else { Err(gone()) }
    }

    pub fn board(&self) -> Board {
        self.state().board.clone()
    }

    /// Changes what is known of one student and challenge, and ends once it is kept. Goes on when whoever asked has gone.
    pub async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        student: &str,
        challenge: &str,
        change: impl FnOnce(&mut Work) -> T + Send + 'static,
    ) -> Result<T, ClusterError> {
        let (progress, key) = (Arc::clone(self), key(student, challenge));
        to_its_end(async move {
            let _alone = progress.changing.lock().await;
            progress.still_here(&key.0)?;
            let before = progress.state().works.get(&key).cloned().unwrap_or_default();
            let mut work = Work { version: 1, ..before.clone() };
            let told = change(&mut work);
            if work != before {
                progress.write(vec![(name("work", &key), Some(json(&work)?))]).await?;
                progress.state().works.insert(key, work);
            }
            Ok(told)
        })
        .await
    }

    /// Keeps a ticket, beside the newest of those before it.
    pub async fn keep_ticket(self: &Arc<Self>, issued: Issued) -> Result<(), ClusterError> {
        let progress = Arc::clone(self);
        to_its_end(async move {
            let _alone = progress.changing.lock().await;
            progress.still_here(&issued.ticket.student)?;
            let key = key(&issued.ticket.student, &issued.ticket.challenge);
            let at = issued.ticket.issued_ms;
            let mut tickets = progress.tickets(&key.0, &key.1);
            tickets.drain(..tickets.len().saturating_sub(TICKETS_MAX - 1));
            tickets.push(issued);
            let mut records = vec![(name("tickets", &key), Some(json(&tickets)?))];
            let mut work = progress.work(&key.0, &key.1);
            if work.began_ms.is_none() {
                work = Work { version: 1, began_ms: Some(at), ..work };
                records.push((name("work", &key), Some(json(&work)?)));
            }
            progress.write(records).await?;
            let mut state = progress.state();
            state.works.insert(key.clone(), work);
            state.tickets.insert(key, tickets);
            Ok(())
        })
        .await
    }

    pub async fn set_board(self: &Arc<Self>, board: Board) -> Result<(), ClusterError> {
        let progress = Arc::clone(self);
        to_its_end(async move {
            let _alone = progress.changing.lock().await;
            progress.write(vec![(BOARD_KEY.to_owned(), Some(json(&board)?))]).await?;
            progress.state().board = board;
            Ok(())
        })
        .await
    }

    /// Erases what is known of a student, or everything. Tells how many records that were.
    pub async fn erase(self: &Arc<Self>, student: Option<&str>) -> Result<usize, ClusterError> {
        let (progress, student) = (Arc::clone(self), student.map(str::to_owned));
        to_its_end(async move { progress.forget(student.as_deref()).await }).await
    }

    async fn forget(&self, student: Option<&str>) -> Result<usize, ClusterError> {
        let _alone = self.changing.lock().await;
        let theirs = |key: &&Key| student.is_none_or(|student| key.0 == student);
        let mut names: Vec<String> = {
            let state = self.state();
            state.keys().filter(|(_, key)| theirs(key)).map(|(kind, key)| name(kind, key)).collect()
        };
        let count = names.len();
        if student.is_none() {
            names.push(BOARD_KEY.to_owned());
        }
        for some in names.chunks(TOGETHER_MAX) {
            self.write(some.iter().map(|name| (name.clone(), None)).collect()).await?;
        }
        let mut state = self.state();
        state.works.retain(|key, _| !theirs(&key));
        state.tickets.retain(|key, _| !theirs(&key));
        state.receipts.retain(|key, _| !theirs(&key));
        state.reports.retain(|key, _| !theirs(&key));
        if student.is_none() {
            state.board = Board::default();
        }
        Ok(count)
    }

    async fn write(&self, records: Vec<(String, Option<Bytes>)>) -> Result<(), ClusterError> {
        let now = (self.now)();
        let record =
            |(key, value): (String, Option<Bytes>)| NewRecord { key: Some(Bytes::from(key)), value, timestamp: now, headers: Vec::new() };
        ensure(self.cluster.as_ref()).await?;
        self.cluster.append(&TopicName::new(TOPIC), PartitionId(0), records.into_iter().map(record).collect()).await.map(|_| ())
    }
}

impl State {
    fn keys(&self) -> impl Iterator<Item = (&'static str, &Key)> {
        let works = self.works.keys().map(|key| ("work", key));
        let handed = self.tickets.keys().map(|key| ("tickets", key)).chain(self.receipts.keys().map(|key| ("receipt", key)));
        works.chain(handed).chain(self.reports.keys().map(|key| ("report", key)))
    }

    fn apply(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), ClusterError> {
        if name == BOARD_KEY {
            self.board = value.map(parsed).transpose()?.unwrap_or_default();
            return Ok(());
        }
        let mut parts = name.splitn(3, ':');
        let (Some(kind), Some(student), Some(challenge)) = (parts.next(), parts.next(), parts.next()) else { return Ok(()) };
        let key = key(student, challenge);
        match (kind, value) {
            ("work", Some(value)) => drop(self.works.insert(key, parsed(value)?)),
            ("work", None) => drop(self.works.remove(&key)),
            ("tickets", Some(value)) => drop(self.tickets.insert(key, parsed(value)?)),
            ("tickets", None) => drop(self.tickets.remove(&key)),
            ("receipt", Some(value)) => drop(self.receipts.insert(key, parsed(value)?)),
            ("receipt", None) => drop(self.receipts.remove(&key)),
            ("report", Some(value)) => drop(self.reports.insert(key, parsed(value)?)),
            ("report", None) => drop(self.reports.remove(&key)),
            _ => {}
        }
        Ok(())
    }
}

async fn ensure(cluster: &dyn Cluster) -> Result<(), ClusterError> {
    // What is still being written is never compacted, and all of it is read at the start.
    let configs = [("cleanup.policy", "compact".to_owned()), ("segment.bytes", (8 << 20).to_string())];
    cluster.ensure_topic(&TopicName::new(TOPIC), 1, &configs).await
}

fn key(student: &str, challenge: &str) -> Key {
    (student.to_owned(), challenge.to_owned())
}

fn name(kind: &str, (student, challenge): &Key) -> String {
    format!("{kind}:{student}:{challenge}")
}

fn json(value: &impl Serialize) -> Result<Bytes, ClusterError> {
    let unwritable = |error| ClusterError { code: ErrorCode::UnknownServerError, message: format!("cannot be written: {error}") };
    serde_json::to_vec(value).map(Bytes::from).map_err(unwritable)
}

fn parsed<T: DeserializeOwned>(value: &[u8]) -> Result<T, ClusterError> {
    serde_json::from_slice(value)
        .map_err(|error| ClusterError { code: ErrorCode::InvalidRecord, message: format!("a record of {TOPIC} cannot be read: {error}") })
}

async fn to_its_end<T: Send + 'static>(change: impl Future<Output = Result<T, ClusterError>> + Send + 'static) -> Result<T, ClusterError> {
    let failed = || ClusterError { code: ErrorCode::UnknownServerError, message: "the workshop failed at this request".to_owned() };
    tokio::spawn(change).await.unwrap_or_else(|_| Err(failed()))
}
