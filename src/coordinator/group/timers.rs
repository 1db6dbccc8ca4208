//! Deadlines of all groups of a shard, earliest first.

use std::collections::BTreeSet;

use super::{GroupId, MemberId};
use crate::model::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    /// A member's session, or a pending member's time to come back with its id.
    Member(GroupId, MemberId),
    /// The end of a group's wait for joins.
    Join(GroupId),
    /// The end of a group's wait for SyncGroup.
    Sync(GroupId),
    /// The next look for expired offsets.
    Retention,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Timestamp, Deadline)>,
    /// What the caller was last told to wake up at.
    told: Option<Timestamp>,
}

/// A deadline that mostly moves later, such as a session. Moving it later does not touch the queue: when its old entry comes up, the
/// owner looks at `due` and queues it again. So a heartbeat costs nothing here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moving {
    pub due: Option<Timestamp>,
    queued: Option<Timestamp>,
}

impl Timers {
    pub fn add(&mut self, at: Timestamp, deadline: Deadline) {
        self.queue.insert((at, deadline));
    }

    pub fn remove(&mut self, at: Timestamp, deadline: Deadline) {
        self.queue.remove(&(at, deadline));
    }

    pub fn rearm(&mut self, moving: &mut Moving, at: Timestamp, deadline: impl FnOnce() -> Deadline) {
        moving.due = Some(at);
        match moving.queued {
            Some(queued) if queued <= at => {}
            queued => {
                let deadline = deadline();
                if let Some(queued) = queued {
                    self.remove(queued, deadline.clone());
                }
                self.add(at, deadline);
                moving.queued = Some(at);
            }
        }
    }

    pub fn disarm(&mut self, moving: &mut Moving, deadline: Deadline) {
        if let Some(queued) = moving.queued {
            self.remove(queued, deadline);
        }
        *moving = Moving::default();
    }

    /// The entry of a moving deadline has come up: true if it is due, else it is queued again for when it is.
    pub fn came_up(&mut self, moving: &mut Moving, now: Timestamp, deadline: Deadline) -> bool {
        moving.queued = None;
        match moving.due {
            Some(due) if due > now => {
                self.add(due, deadline);
                moving.queued = Some(due);
                false
            }
            Some(_) => {
                moving.due = None;
                true
            }
            None => false,
        }
    }

    /// Takes out the earliest entry that is up by `now`.
    pub fn pop(&mut self, now: Timestamp) -> Option<Deadline> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        self.queue.pop_first().map(|(_, deadline)| deadline)
    }

    /// The caller's alarm has gone off: it must be told again.
    pub fn forget_told(&mut self) {
        self.told = None;
    }

    /// The time to wake up at, if it is not the one already told.
    pub fn news(&mut self) -> Option<Timestamp> {
        let next = self.queue.first().map(|(at, _)| *at);
        let news = if next == self.told { None } else { next };
        self.told = next;
        news
    }
}
