//! Whose turn it is to feed a cluster: two programs that write the same streams would write each event twice. Both join one group of
//! consumers that reads the one partition of the orders; whoever has that partition writes, the other waits until it is free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::oneshot;

use super::external::External;
use super::remote_client::{Talk, reading, refused};
use super::{ClusterError, Topics};
use crate::model::{ErrorCode, TopicName};

const GROUP: &str = "headwater-town";
/// Where the generators keep seed, clock and orders.
const TOPIC: &str = "_headwater";
/// The least that brokers take as they are: after a kill the next start waits as long.
const SESSION_MS: &str = "6000";
const POLL: Duration = Duration::from_millis(200);
/// Who stood still for so long, like a laptop that slept, may have lost its turn meanwhile. It hears of that with an answer to a heartbeat,
/// well within the same time.
const STILL_MAX: Duration = Duration::from_secs(3);
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A group that is new settles within this.
const SAID_AFTER: Duration = Duration::from_secs(10);

/// Held for as long as it writes.
pub struct Turn {
    keeping: Arc<AtomicBool>,
    /// Told by the thread at its end.
    left: Option<oneshot::Receiver<()>>,
}

/// What is written passes it, so that nobody writes after their turn.
#[derive(Default)]
pub(super) struct Fence(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// Whether this program takes turns with others.
    takes_turns: bool,
    /// When it was last known to have the turn.
    seen: Option<Instant>,
    /// Somebody else may have written since the last record.
    missed: bool,
}

impl Fence {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        let mut held = self.held();
        (held.takes_turns, held.seen) = (true, Some(Instant::now()));
    }

    fn close(&self) {
        let mut held = self.held();
        held.takes_turns = true;
        held.missed |= held.seen.take().is_some();
    }

    /// An error for as long as it is closed, and once more after that: what the topics hold has to be looked at anew.
    pub fn pass(&self) -> Result<(), ClusterError> {
        let mut held = self.held();
        if !held.takes_turns {
            return Ok(());
        }
        let is_open = held.seen.is_some_and(|seen| seen.elapsed() < STILL_MAX);
        let missed = std::mem::replace(&mut held.missed, !is_open);
        if is_open && !missed {
            return Ok(());
        }
        let message = "another Headwater may have fed the cluster meanwhile".to_owned();
        Err(ClusterError { code: ErrorCode::NotLeaderOrFollower, message })
    }
}

impl Turn {
    /// Lets the next one have it at once. Who is just gone keeps it for a while.
    pub async fn leave(mut self) {
        self.keeping.store(false, Ordering::Relaxed);
        if let Some(left) = self.left.take() {
            // Also a thread that died has left.
            let _ = left.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.keeping.store(false, Ordering::Relaxed);
    }
}

impl External {
    /// Waits for it, and says so.
    pub async fn turn_to_feed(&self) -> Turn {
        loop {
            match self.take_turn().await {
                Ok(turn) => {
                    self.watch.remark(None);
                    return turn;
                }
                Err(error) => {
                    let words = format!("the streams are not written yet: {error}");
                    tracing::warn!("{words}");
                    self.watch.remark(Some(words));
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn take_turn(&self) -> Result<Turn, ClusterError> {
        self.ensure_topic(&TopicName::new(TOPIC), 1, &[("cleanup.policy", "compact".to_owned())]).await?;
        let mut config = reading(&self.access.client());
        config
            .set("group.id", GROUP)
            .set("session.timeout.ms", SESSION_MS)
            .set("heartbeat.interval.ms", "1500")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "latest");
        let failed = |error| refused(&error, "cannot join the group headwater-town");
        let member: BaseConsumer<Talk> = config.create_with_context(Talk::default()).map_err(failed)?;
        member.subscribe(&[TOPIC]).map_err(failed)?;
        let keeping = Arc::new(AtomicBool::new(true));
        let (mine, watch, town) = (Arc::clone(&keeping), Arc::clone(&self.watch), self.town());
        let (told, has_it) = oneshot::channel();
        let (leaves, left) = oneshot::channel();
        // A consumer that is not polled loses its membership.
        std::thread::spawn(move || {
            let (began, mut told) = (Instant::now(), Some(told));
            let (mut polled, mut stood_still) = (began, None::<Instant>);
            while mine.load(Ordering::Relaxed) {
                if let Some(Err(error)) = member.poll(POLL) {
                    tracing::debug!(%error, "the group of those who feed the streams");
                }
                if polled.elapsed() > STILL_MAX {
                    stood_still = Some(Instant::now());
                }
                polled = Instant::now();
                let is_heard = stood_still.is_none_or(|at| at.elapsed() > STILL_MAX);
                let has = is_heard && member.assignment().is_ok_and(|assignment| assignment.count() > 0);
                if has {
                    town.fence.open()
                } else {
                    town.fence.close()
                }
                if has && let Some(told) = told.take() {
                    // Whoever waited for it may have gone.
                    let _ = told.send(());
                } else if told.is_some() && began.elapsed() > SAID_AFTER {
                    watch.remark(Some(
                        "another Headwater feeds this cluster, or its group headwater-town cannot be joined: the streams are not written \
                         from here until the other one ends"
                            .to_owned(),
                    ));
                }
            }
            drop(member);
            // Nobody may wait for it.
            let _ = leaves.send(());
        });
        let turn = Turn { keeping, left: Some(left) };
        let lost = |_| ClusterError { code: ErrorCode::UnknownServerError, message: "the group's member ended".to_owned() };
        has_it.await.map_err(lost).map(|()| turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_after_their_turn_or_before_they_have_looked_again() {
        let fence = Fence::default();
        let may = || fence.pass().is_ok();
        assert!(may(), "who takes no turns may always write");
        fence.close();
        assert!(!may());
        fence.open();
        assert!(!may() && may(), "the first one looks again");
        fence.close();
        fence.open();
        assert!(!may() && may(), "also when nothing was tried meanwhile");
        fence.held().seen = Instant::now().checked_sub(STILL_MAX);
        assert!(!may() && !may(), "it stood still");
        fence.open();
        assert!(!may() && may());
    }

    #[test]
    fn the_first_turn_has_missed_nothing() {
        let fence = Fence::default();
        fence.close();
        fence.open();
        assert!(fence.pass().is_ok());
    }
}
