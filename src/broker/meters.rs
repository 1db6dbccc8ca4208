//! Who used how much lately: bytes, requests, new partitions and the network thread's time, by whom a limit is shared; and how many
//! connections each user has.
//!
//! Nobody is refused for being too fast: an answer says how long to rest, and the connection is not read from for that long. While the
//! network thread is busy its time is shared among users, however many connections each has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::security::Principal;
use crate::security::quota::{Bucket, Limit, THROTTLE_MAX_MS};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meter {
    ProducedBytes,
    FetchedBytes,
    Requests,
    /// Of the network thread, in percent of a second.
    ThreadTime,
    /// Created and deleted.
    Partitions,
}

/// Most limits that are followed at a time. Who comes when all are taken shares one with others of the same user.
const METERS_MAX: usize = 10_000;
const STORED_FOR: Duration = Duration::from_secs(1);
const SWEEP_EVERY_MS: i64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    meter: Meter,
    user: Option<Principal>,
    client_id: Option<String>,
}

#[derive(Default)]
struct Buckets {
    by_key: HashMap<Key, Bucket>,
    swept_at_ms: i64,
}

pub struct Meters {
    begun: Instant,
    buckets: Mutex<Buckets>,
    shares: Mutex<Shares>,
    connections: Mutex<HashMap<Principal, usize>>,
    /// What was found lately of the bytes that a student's topics keep.
    stored: Mutex<HashMap<String, (Instant, u64)>>,
    /// Held while a user's partitions are counted and added to.
    pub adding_partitions: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Meters {
    fn default() -> Meters {
        Meters {
            begun: Instant::now(),
            buckets: Mutex::default(),
            shares: Mutex::default(),
            connections: Mutex::default(),
            stored: Mutex::default(),
            adding_partitions: tokio::sync::Mutex::default(),
        }
    }
}

impl Meters {
    /// By a clock that does not go back.
    fn now_ms(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Takes an amount. Gives the milliseconds to rest.
    pub fn charge(&self, meter: Meter, who: (&Principal, &str), limit: Limit, amount: f64) -> i64 {
        lock(&self.buckets).charge(meter, who, limit, amount, self.now_ms())
    }

    /// Notes time that the network thread spent on a user's connection. Gives the milliseconds to rest: none unless the thread is busy
    /// and the user has had its share of this second.
    pub fn share(&self, user: &Principal, spent: Duration) -> i64 {
        lock(&self.shares).note(user, spent.as_secs_f64() * 1000.0, self.now_ms())
    }

    /// Bytes that somebody's topics keep, counted anew once a second.
    pub fn stored(&self, owner: &str, count: impl FnOnce() -> u64) -> u64 {
        let mut stored = lock(&self.stored);
        if let Some((_, bytes)) = stored.get(owner).filter(|(at, _)| at.elapsed() < STORED_FOR) {
            return *bytes;
        }
        if stored.len() >= METERS_MAX {
            stored.clear();
        }
        let bytes = count();
        stored.insert(owner.to_owned(), (Instant::now(), bytes));
        bytes
    }

    /// A place for one more connection of a user, or none.
    pub fn seat(self: &Arc<Self>, user: &Principal, connections_max: usize) -> Option<Seat> {
        let mut connections = lock(&self.connections);
        let open = connections.entry(user.clone()).or_default();
        if *open >= connections_max {
            return None;
        }
        *open = open.saturating_add(1);
        Some(Seat { meters: Arc::clone(self), user: user.clone() })
    }
}

/// A user's connection, for as long as it is open.
pub struct Seat {
    meters: Arc<Meters>,
    user: Principal,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = lock(&self.meters.connections).entry(self.user.clone()) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

impl Buckets {
    fn charge(&mut self, meter: Meter, (user, client_id): (&Principal, &str), limit: Limit, amount: f64, now_ms: i64) -> i64 {
        let user = limit.by_user.then(|| user.clone());
        let mut key = Key { meter, user, client_id: limit.by_client_id.then(|| client_id.to_owned()) };
        if self.by_key.len() >= METERS_MAX && !self.by_key.contains_key(&key) {
            self.sweep(now_ms);
            if self.by_key.len() >= METERS_MAX {
                key.client_id = None;
            }
        }
        let bucket = self.by_key.entry(key).or_insert_with(|| Bucket::full(limit.rate, now_ms));
        bucket.take(amount, limit.rate, now_ms)
    }

    /// Forgets who has used nothing for a while.
    fn sweep(&mut self, now_ms: i64) {
        if now_ms.saturating_sub(self.swept_at_ms) >= SWEEP_EVERY_MS {
            self.swept_at_ms = now_ms;
            self.by_key.retain(|_, bucket| !bucket.is_idle(now_ms));
        }
    }
}

const WINDOW_MS: f64 = 1_000.0;
/// The thread is busy from this part of its time on.
const BUSY: f64 = 0.85;
/// So much more than its share a user may have before it rests: where all want the same, nobody rests and no time is lost.
const SLACK: f64 = 1.25;
/// Once it is no longer busy, each second shares grow by this.
const GROWTH: f64 = 1.25;

/// The network thread's time in this second, by user.
struct Shares {
    began_ms: i64,
    used_ms: HashMap<Principal, f64>,
    /// Most that one user may have of a second; infinite while there is enough for all.
    share_ms: f64,
}

impl Default for Shares {
    fn default() -> Shares {
        Shares { began_ms: 0, used_ms: HashMap::new(), share_ms: f64::INFINITY }
    }
}

impl Shares {
    fn note(&mut self, user: &Principal, spent_ms: f64, now_ms: i64) -> i64 {
        let elapsed = now_ms.saturating_sub(self.began_ms) as f64;
        if elapsed >= WINDOW_MS {
            self.next_window(elapsed);
            self.began_ms = now_ms;
        }
        let used = self.used_ms.entry(user.clone()).or_default();
        *used += spent_ms;
        if *used <= self.share_ms {
            return 0;
        }
        let left = WINDOW_MS - now_ms.saturating_sub(self.began_ms) as f64;
        (left.ceil() as i64).clamp(1, THROTTLE_MAX_MS)
    }

    /// Sets the share for the next second by what was used in the last.
    fn next_window(&mut self, elapsed_ms: f64) {
        let per_second = WINDOW_MS / elapsed_ms;
        let mut used: Vec<f64> = self.used_ms.drain().map(|(_, used)| used * per_second).collect();
        let room = BUSY * WINDOW_MS;
        if used.iter().sum::<f64>() > room {
            self.share_ms = self.share_ms.min(SLACK * fair_share(&mut used, room));
        } else {
            self.share_ms *= GROWTH;
        }
        if self.share_ms >= WINDOW_MS {
            self.share_ms = f64::INFINITY;
        }
    }
}

/// The most that each may have so that all together have `room`: who wants less leaves the rest to the others.
fn fair_share(used: &mut [f64], room: f64) -> f64 {
    used.sort_by(f64::total_cmp);
    let mut left = room;
    for (place, one) in used.iter().enumerate() {
        let share = left / (used.len() - place) as f64;
        if *one >= share {
            return share;
        }
        left -= one;
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: f64, by_user: bool, by_client_id: bool) -> Limit {
        Limit { rate, by_user, by_client_id }
    }

    #[test]
    fn a_limit_is_shared_by_those_whom_it_names() {
        let mut buckets = Buckets::default();
        let (ada, bob) = (Principal::user("ada"), Principal::user("bob"));
        let mut charge = |who, client: &str, limit| buckets.charge(Meter::ProducedBytes, (who, client), limit, 1_000.0, 0);
        let by_user = limit(100.0, true, false);
        assert_eq!((charge(&ada, "one", by_user), charge(&ada, "two", by_user)), (0, THROTTLE_MAX_MS), "both are ada");
        assert_eq!(charge(&bob, "one", by_user), 0);
        let by_client = limit(100.0, false, true);
        assert_eq!((charge(&ada, "app", by_client), charge(&bob, "app", by_client)), (0, THROTTLE_MAX_MS), "both are app");
        let both = limit(100.0, true, true);
        assert_eq!((charge(&ada, "app", both), charge(&ada, "other", both)), (0, 0));
        assert_eq!(buckets.charge(Meter::FetchedBytes, (&ada, "one"), by_user, 1_000.0, 0), 0, "another thing is measured");
    }

    #[test]
    fn however_many_client_ids_there_are_memory_is_bounded_and_nobody_starts_afresh() {
        let mut buckets = Buckets::default();
        let (ada, by_both) = (Principal::user("ada"), limit(100.0, true, true));
        for n in 0..METERS_MAX + 500 {
            buckets.charge(Meter::Requests, (&ada, &n.to_string()), by_both, 10.0, 0);
        }
        assert_eq!(buckets.by_key.len(), METERS_MAX + 1, "the last ones share one");
        assert!(buckets.charge(Meter::Requests, (&ada, "new"), by_both, 1.0, 0) > 0);
        assert_eq!(buckets.charge(Meter::Requests, (&ada, "new"), by_both, 1.0, 70_000), 0);
        assert_eq!(buckets.by_key.len(), 1, "who was idle is forgotten");
    }

    #[test]
    fn while_the_thread_is_busy_each_user_gets_the_same_time_and_leaves_what_it_does_not_want() {
        let mut shares = Shares::default();
        let greedy = Principal::user("greedy");
        let users: Vec<Principal> = (0..9).map(|n| Principal::user(&format!("user-{n}"))).collect();
        for user in &users {
            assert_eq!(shares.note(user, 20.0, 500), 0);
        }
        assert_eq!(shares.note(&greedy, 800.0, 900), 0, "nobody else wanted it so far");
        // 980 ms were used: what the others leave of 850 is the greedy one's, and a quarter more.
        assert_eq!(shares.note(&greedy, 800.0, 1_000), 0);
        assert_eq!(shares.share_ms.floor(), 837.0);
        assert_eq!(shares.note(&greedy, 100.0, 1_400), 600, "until the second is over");
        assert_eq!(shares.note(&users[0], 100.0, 1_400), 0);
        for second in 2..8 {
            shares.note(&greedy, 1.0, second * 1_000);
        }
        assert!(shares.share_ms.is_infinite(), "an idle thread is for whoever wants it");
    }

    #[test]
    fn a_user_has_so_many_connections_and_gets_a_place_back_when_one_closes() {
        let (meters, ada) = (Arc::new(Meters::default()), Principal::user("ada"));
        let seats: Vec<_> = (0..3).map(|_| meters.seat(&ada, 3).unwrap()).collect();
        assert!(meters.seat(&ada, 3).is_none() && meters.seat(&Principal::user("bob"), 3).is_some());
        drop(seats);
        assert!(meters.seat(&ada, 3).is_some());
        assert!(lock(&meters.connections).is_empty(), "users without a connection take no memory");
    }
}
