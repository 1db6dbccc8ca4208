//! The last requests of each user: what a page shows of them. Bounded, and gone with the process.
//!
//! A connection finds its user's ring once and then writes into it: a lock that nobody else holds and a few stores for each request.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;
use crate::model::request_seen::{RequestClient, RequestFacts, RequestSeen};

/// Requests that are kept of each user.
pub const KEPT: usize = 200;
/// Beside those, failed ones that are older: whoever reads makes 200 requests in a few seconds.
pub const FAILED_KEPT: usize = 50;
/// Users of whom requests are kept. Beyond that the one whose last connection closed the longest ago is forgotten.
const USERS_MAX: usize = 1_000;
const TEXT_MAX: usize = 100;

/// What is kept of one request.
#[derive(Clone, Debug)]
pub struct Noted {
    pub at: Timestamp,
    pub api_key: i16,
    pub version: i16,
    pub took_us: u32,
    pub bytes_in: u32,
    pub bytes_out: u32,
    pub facts: RequestFacts,
}

#[derive(Default)]
pub struct RequestLog {
    next: Arc<AtomicU64>,
    users: Mutex<HashMap<String, Arc<Ring>>>,
}

#[derive(Default)]
struct Ring {
    last: Mutex<Last>,
    /// The id of the last one in it.
    newest: AtomicU64,
}

#[derive(Default)]
struct Last {
    all: VecDeque<RequestSeen>,
    failed: VecDeque<RequestSeen>,
}

impl Last {
    /// Gives what is no longer kept.
    fn push(&mut self, seen: RequestSeen) -> Option<RequestSeen> {
        let oldest = if self.all.len() >= KEPT { self.all.pop_front() } else { None };
        self.all.push_back(seen);
        match oldest {
            Some(failed) if failed.facts.error != 0 => {
                self.failed.push_back(failed);
                if self.failed.len() > FAILED_KEPT { self.failed.pop_front() } else { None }
            }
            other => other,
        }
    }
}

/// A connection's place in its user's ring.
pub struct RequestSlot {
    ring: Arc<Ring>,
    next: Arc<AtomicU64>,
    client: Arc<RequestClient>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RequestLog {
    /// For the requests of one client of a user. `None`: too many users are connected.
    pub fn slot(&self, user: &str, client: RequestClient) -> Option<RequestSlot> {
        let mut users = lock(&self.users);
        if !users.contains_key(user) {
            if users.len() >= USERS_MAX {
                let unused = users.iter().filter(|(_, ring)| Arc::strong_count(ring) == 1);
                let oldest = unused.min_by_key(|(_, ring)| ring.newest.load(Relaxed)).map(|(user, _)| user.clone())?;
                users.remove(&oldest);
            }
            users.insert(user.to_owned(), Arc::default());
        }
        let ring = users.get(user).map(Arc::clone)?;
        let cut = |text: String| if text.len() <= TEXT_MAX { text } else { text.chars().take(TEXT_MAX).collect() };
        let RequestClient { client_id, software, listener, from } = client;
        let client = Arc::new(RequestClient { client_id: cut(client_id), software: cut(software), listener, from });
        Some(RequestSlot { ring, next: Arc::clone(&self.next), client })
    }

    /// The last ones of these users, or of all, the newest first.
    pub fn last(&self, users: Option<&[&str]>, most: usize) -> Vec<RequestSeen> {
        let rings: Vec<Arc<Ring>> = {
            let all = lock(&self.users);
            match users {
                Some(users) => users.iter().filter_map(|user| all.get(*user)).map(Arc::clone).collect(),
                None => all.values().map(Arc::clone).collect(),
            }
        };
        let mut last: Vec<RequestSeen> = Vec::new();
        for ring in &rings {
            let kept = lock(&ring.last);
            last.extend(kept.all.iter().chain(&kept.failed).cloned());
            drop(kept);
            if last.len() > most.saturating_mul(8) {
                keep_newest(&mut last, most);
            }
        }
        keep_newest(&mut last, most);
        last
    }

    /// A user who is gone.
    pub fn forget(&self, user: &str) {
        lock(&self.users).remove(user);
    }
}

fn keep_newest(list: &mut Vec<RequestSeen>, most: usize) {
    list.sort_by_key(|seen| std::cmp::Reverse(seen.id));
    list.truncate(most);
}

impl RequestSlot {
    pub fn client(&self) -> &RequestClient {
        &self.client
    }

    pub fn note(&self, noted: Noted) {
        let Noted { at, api_key, version, took_us, bytes_in, bytes_out, facts } = noted;
        let id = self.next.fetch_add(1, Relaxed).wrapping_add(1);
        let client = Arc::clone(&self.client);
        let seen = RequestSeen { id, at, api_key, version, client, took_us, bytes_in, bytes_out, facts };
        self.ring.newest.store(id, Relaxed);
        let gone = lock(&self.ring.last).push(seen);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> RequestClient {
        RequestClient { client_id: id.to_owned(), ..RequestClient::default() }
    }

    fn noted(at: i64) -> Noted {
        Noted { at: Timestamp(at), api_key: 1, version: 4, took_us: 1, bytes_in: 1, bytes_out: 1, facts: RequestFacts::default() }
    }

    #[test]
    fn the_last_ones_of_a_user_are_kept_and_no_one_elses_are_told() {
        let log = RequestLog::default();
        let (ada, bob) = (log.slot("ada", client("a")).unwrap(), log.slot("bob", client("b")).unwrap());
        for n in 0..500 {
            ada.note(noted(n));
            if n % 100 == 0 {
                bob.note(noted(n));
            }
        }
        let last = log.last(Some(&["ada"]), KEPT);
        assert_eq!((last.len(), last[0].at, last[199].at), (KEPT, Timestamp(499), Timestamp(300)));
        assert!(last.iter().all(|seen| seen.client.client_id == "a"));
        assert_eq!(log.last(Some(&["bob"]), KEPT).len(), 5);
        assert_eq!(log.last(None, 3).iter().map(|seen| seen.at.0).collect::<Vec<_>>(), [499, 498, 497]);
        assert!(log.last(Some(&["eve"]), KEPT).is_empty());
    }

    #[test]
    fn what_failed_is_kept_for_longer() {
        let log = RequestLog::default();
        let ada = log.slot("ada", client("a")).unwrap();
        for n in 0..2_000 {
            let error = if n % 10 == 0 { 3 } else { 0 };
            ada.note(Noted { facts: RequestFacts { error, ..RequestFacts::default() }, ..noted(n) });
        }
        let last = log.last(Some(&["ada"]), usize::MAX);
        assert_eq!((last.len(), last.iter().filter(|seen| seen.facts.error != 0).count()), (KEPT + FAILED_KEPT, KEPT / 10 + FAILED_KEPT));
        assert!(last.is_sorted_by(|newer, older| newer.id > older.id));
    }

    #[test]
    fn users_are_bounded_and_who_is_connected_stays() {
        let log = RequestLog::default();
        let here = log.slot("here", client("x")).unwrap();
        here.note(noted(0));
        for n in 0..USERS_MAX * 2 {
            log.slot(&format!("user-{n}"), client(&"c".repeat(10_000))).unwrap().note(noted(1));
        }
        let users = lock(&log.users).len();
        assert_eq!((users, log.last(Some(&["here"]), 9).len()), (USERS_MAX, 1));
        let connected: Vec<_> = (0..USERS_MAX - 1).filter_map(|n| log.slot(&format!("held-{n}"), client("x"))).collect();
        assert_eq!(connected.len(), USERS_MAX - 1);
        assert!(log.slot("one-more", client("x")).is_none(), "all of them are connected");
    }

    #[test]
    fn what_is_kept_of_a_request_is_small() {
        assert!(size_of::<RequestSeen>() <= 96, "{}", size_of::<RequestSeen>());
    }
}
