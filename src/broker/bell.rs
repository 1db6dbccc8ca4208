//! Wakes the requests that wait for a partition to grow, and only those.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// One waiting request. It may hang on any number of bells and wakes once for all of them.
#[derive(Default)]
pub struct Waiter {
    notify: Notify,
}

impl Waiter {
    pub fn new() -> Arc<Waiter> {
        Arc::default()
    }

    /// Returns when any bell this waiter hangs on has rung since the last return.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

/// The waiters of one partition. A waiter that went away is dropped at the next growth or the next pruning.
#[derive(Default)]
pub struct Bell {
    hung: Mutex<Hung>,
}

#[derive(Default)]
struct Hung {
    waiters: Vec<Weak<Waiter>>,
    prune_at: usize,
}

const PRUNE_MIN: usize = 16;

impl Bell {
    /// The caller must look at the partition again after hanging its waiter, or it may miss a ring.
    pub fn hang(&self, waiter: &Arc<Waiter>) {
        let mut hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner);
        if hung.waiters.len() >= hung.prune_at.max(PRUNE_MIN) {
            hung.waiters.retain(|w| w.strong_count() > 0);
            // One that another bell wakes again and again hangs itself here again and again.
            hung.waiters.sort_unstable_by_key(Weak::as_ptr);
            hung.waiters.dedup_by(|a, b| a.ptr_eq(b));
            hung.prune_at = hung.waiters.len() * 2;
        }
        hung.waiters.push(Arc::downgrade(waiter));
    }

    /// Wakes every waiter once and forgets it.
    pub fn ring(&self) {
        let waiters = {
            let mut hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner);
            if hung.waiters.is_empty() {
                return;
            }
            hung.prune_at = 0;
            std::mem::take(&mut hung.waiters)
        };
        for waiter in waiters {
            if let Some(waiter) = waiter.upgrade() {
                waiter.notify.notify_one();
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.hung.lock().unwrap().waiters.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_before_the_wait_is_not_lost() {
        let (bell, waiter) = (Bell::default(), Waiter::new());
        bell.hang(&waiter);
        bell.ring();
        waiter.woken().await;
    }

    #[test]
    fn waiters_that_went_away_do_not_pile_up() {
        let bell = Bell::default();
        for _ in 0..10_000 {
            bell.hang(&Waiter::new());
        }
        assert!(bell.len() <= PRUNE_MIN * 2, "{}", bell.len());
    }

    #[test]
    fn a_waiter_that_hangs_itself_again_and_again_does_not_pile_up() {
        let (bell, waiter) = (Bell::default(), Waiter::new());
        for _ in 0..10_000 {
            bell.hang(&waiter);
        }
        assert!(bell.len() <= PRUNE_MIN * 2, "{}", bell.len());
    }
}
