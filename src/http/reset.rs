//! `/api/reset` and `/api/me/reset`: everything, or what is one's own, begins anew. The first request tells what dies and gives a word;
//! the second, with that word (and for everything the instructor's secret), does it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, InPath, Refused};
use super::caller::{Caller, Peer};
use super::joining::workshop;
use super::overview::is_stream;
use crate::cluster::{ClusterError, INSTRUCTOR, Kind};
use crate::workshop::{Doomed, DoomedGroup, DoomedTopic, Erased, Identity, Refusal};

/// How long a word is good for.
const WORD_FOR: Duration = Duration::from_secs(300);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetAsk {
    /// The word that the first request gave.
    confirm: Option<String>,
    /// The instructor's password, to reset everything.
    secret: Option<String>,
}

/// Of one student: nothing else dies, so a secret is not asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneReset {
    confirm: Option<String>,
}

/// What a reset answers, the first time and the second.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ResetAnswer {
    Told(ResetTold),
    Done(ResetDone),
}

/// What dies.
#[derive(Serialize, JsonSchema)]
pub(super) struct ResetTold {
    /// What to send to do it.
    confirm: String,
    /// In words.
    what: String,
    topics: Vec<DoomedTopic>,
    groups: Vec<DoomedGroup>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
pub(super) struct ResetDone {
    topics: Vec<String>,
    groups: Vec<String>,
    /// Groups that had members: they go on, and begin anew.
    kept: Vec<String>,
    took_ms: u64,
}

/// The words that were given out, one for each who asked.
#[derive(Default)]
pub(super) struct Words(Mutex<HashMap<String, (String, Instant)>>);

impl Words {
    fn give(&self, who: &str) -> String {
        let word = uuid::Uuid::new_v4().simple().to_string();
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.retain(|_, (_, given)| given.elapsed() < WORD_FOR);
        words.insert(who.to_owned(), (word.clone(), Instant::now()));
        word
    }

    /// Whether it is the word that was given; it is used up then.
    fn take(&self, who: &str, word: &str) -> bool {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.retain(|_, (_, given)| given.elapsed() < WORD_FOR);
        let fits = words.get(who).is_some_and(|(given, _)| given == word);
        if fits {
            words.remove(who);
        }
        fits
    }

    fn check(&self, who: &str, word: &str) -> Result<(), Refused> {
        if self.take(who, word) {
            return Ok(());
        }
        Err(Refused::new(
            StatusCode::CONFLICT,
            "this is not the word that the first request gave, or it is older than five minutes",
            "ask again without confirm, look at what dies, and send the word it gives",
        ))
    }
}

fn told(doomed: Doomed, confirm: String, what: &str) -> Json<ResetAnswer> {
    let records: i64 = doomed.topics.iter().map(|topic| topic.records).sum();
    let what = format!(
        "{} topics with {records} records and {} groups are deleted. {what} Send the same request with \"confirm\" to do it.",
        doomed.topics.len(),
        doomed.groups.len()
    );
    Json(ResetAnswer::Told(ResetTold { confirm, what, topics: doomed.topics, groups: doomed.groups }))
}

fn done(erased: Erased, began: Instant) -> Json<ResetAnswer> {
    let Erased { topics, groups, kept } = erased;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Json(ResetAnswer::Done(ResetDone { topics, groups, kept, took_ms }))
}

fn failed(error: ClusterError) -> Refused {
    Refused::from(Refusal::Cluster(error))
}

/// Of another cluster only what the workshop made: others use it too.
async fn doomed(state: &HttpState) -> Doomed {
    let is_ours = |name: &str| {
        is_stream(name) || name.starts_with("ws.") || name == "processed-social-feed" || name.starts_with("processed-social-feed.")
    };
    match state.cluster.kind() {
        Kind::Embedded => Doomed::everything(state.cluster.as_ref()).await,
        Kind::External { .. } => Doomed::ours(state.cluster.as_ref(), is_ours).await,
    }
}

pub(super) async fn everything(
    State(state): State<HttpState>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<ResetAsk>,
) -> Result<Json<ResetAnswer>, Refused> {
    let Some(confirm) = asked.confirm else {
        let what = "The streams begin anew with a fresh history; who has joined and what they have solved stays, and open tickets end.";
        return Ok(told(doomed(&state).await, state.words.give(INSTRUCTOR), what));
    };
    if let Some(workshop) = &state.workshop {
        let from = peer.network();
        tokio::time::sleep(state.attempts.instructor_waits(from)).await;
        workshop.log_in(INSTRUCTOR, asked.secret.as_deref().unwrap_or_default()).await.map_err(|_| {
            let fix = "send the instructor's password as \"secret\" too: a forgotten session must not be enough";
            Refused::new(StatusCode::FORBIDDEN, "a reset needs the instructor's secret once more", fix)
        })?;
        state.attempts.logged_in(INSTRUCTOR, from);
    }
    state.words.check(INSTRUCTOR, &confirm)?;
    let began = Instant::now();
    let erase = async { doomed(&state).await.erase(state.cluster.as_ref()).await };
    let erased = match &state.generators {
        Some(generators) => generators.begin_anew(erase).await,
        None => erase.await,
    };
    let erased = erased.map_err(failed)?;
    tracing::warn!(peer = %peer.0.ip(), topics = erased.topics.len(), groups = erased.groups.len(), "everything was reset");
    Ok(done(erased, began))
}

pub(super) async fn mine(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ResetAsk>,
) -> Result<Json<ResetAnswer>, Refused> {
    workshop(&state)?;
    let Some(identity) = &caller.identity else {
        return Err(Refused::new(StatusCode::CONFLICT, "this is for students", "everything is reset by POST /api/reset"));
    };
    let cluster = state.cluster.as_ref();
    let Some(confirm) = asked.confirm else {
        let word = state.words.give(&identity.id);
        return Ok(told(
            Doomed::of(cluster, identity).await,
            word,
            "They are yours alone; nobody else loses anything. What you have solved stays.",
        ));
    };
    state.words.check(&identity.id, &confirm)?;
    erase(&state, identity).await
}

/// What is one student's, by the instructor.
pub(super) async fn student(
    State(state): State<HttpState>,
    InPath(id): InPath,
    Asked(asked): Asked<OneReset>,
) -> Result<Json<ResetAnswer>, Refused> {
    let roster = workshop(&state)?.roster();
    let identity = roster.get(&id).ok_or_else(|| Refusal::Unknown(id.chars().take(60).collect()))?;
    // Of its own kind: no student has a word that fits.
    let who = format!("{INSTRUCTOR}:{}", identity.id);
    let Some(confirm) = asked.confirm else {
        let what = format!("They are {}'s alone; nobody else loses anything. What was solved stays, and so do the users.", identity.id);
        return Ok(told(Doomed::of(state.cluster.as_ref(), identity).await, state.words.give(&who), &what));
    };
    state.words.check(&who, &confirm)?;
    erase(&state, identity).await
}

async fn erase(state: &HttpState, identity: &Identity) -> Result<Json<ResetAnswer>, Refused> {
    let (cluster, began) = (state.cluster.as_ref(), Instant::now());
    let erased = Doomed::of(cluster, identity).await.erase(cluster).await.map_err(failed)?;
    tracing::info!(
        id = identity.id,
        topics = erased.topics.len(),
        groups = erased.groups.len(),
        "a student's topics and groups were reset"
    );
    Ok(done(erased, began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_good_once_and_for_whom_it_was_given() {
        let words = Words::default();
        let word = words.give("quiet-otter");
        assert!(!words.take("brave-heron", &word) && !words.take("quiet-otter", "guess"));
        assert!(words.take("quiet-otter", &word) && !words.take("quiet-otter", &word));
        let first = words.give("quiet-otter");
        assert_ne!(words.give("quiet-otter"), first);
        assert!(!words.take("quiet-otter", &first), "the newest counts");
    }
}
