//! Connections that have not said who they are. There may be few of them, and for a short time; when there are too many the oldest goes,
//! since a login takes milliseconds and only who does not mean to log in gets old.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Clone)]
pub struct Strangers {
    waiting: Arc<Mutex<VecDeque<Arc<Notify>>>>,
    most: usize,
}

/// A place among them, for as long as it is held.
pub struct Place {
    strangers: Strangers,
    pushed_out: Arc<Notify>,
}

impl Strangers {
    pub fn new(most: usize) -> Strangers {
        Strangers { waiting: Arc::default(), most }
    }

    pub fn enter(&self) -> Place {
        let pushed_out = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.most
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.notify_one();
        }
        waiting.push_back(Arc::clone(&pushed_out));
        Place { strangers: self.clone(), pushed_out }
    }
}

impl Place {
    /// Returns when others need the place.
    pub async fn pushed_out(&self) {
        self.pushed_out.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.strangers.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|other| !Arc::ptr_eq(other, &self.pushed_out));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_oldest_makes_room_and_who_left_takes_none() {
        let strangers = Strangers::new(2);
        let (first, second) = (strangers.enter(), strangers.enter());
        drop(second);
        let third = strangers.enter();
        let soon = |place: &Place| {
            let pushed_out = Arc::clone(&place.pushed_out);
            async move { tokio::time::timeout(Duration::from_millis(20), pushed_out.notified()).await.is_ok() }
        };
        assert!(!soon(&first).await && !soon(&third).await);
        let fourth = strangers.enter();
        assert!(soon(&first).await && !soon(&third).await && !soon(&fourth).await);
        drop(first);
        assert_eq!(strangers.waiting.lock().unwrap().len(), 2);
    }
}
