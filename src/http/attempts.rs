//! How often somebody may guess. A classroom is one address, so passwords are counted by user and address, and only wrong codes count.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::INSTRUCTOR;

/// Holds `burst` and is filled at `per_s`.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_s: f64,
}

/// Five a minute for each user from each address.
const LOGINS: Rate = Rate { burst: 5.0, per_s: 5.0 / 60.0 };
/// A class that logs in at once, and then as many as two cores can check beside their work.
const INSTRUCTOR_WAITS_MAX: Duration = Duration::from_secs(8);
const LOGINS_OF_ALL: Rate = Rate { burst: 400.0, per_s: 10.0 };
/// A class that joins at once; then as many as come late. Whoever has the code could use up all names.
const JOINS: Rate = Rate { burst: 400.0, per_s: 10.0 / 60.0 };
const JOINS_OF_ALL: Rate = Rate { burst: 1_200.0, per_s: 1.0 };
/// A class that mistypes; then one guess a second at 648,000 codes.
const WRONG_CODES: Rate = Rate { burst: 60.0, per_s: 1.0 };
const WRONG_CODES_OF_ALL: Rate = Rate { burst: 240.0, per_s: 2.0 };

/// Those remembered of a kind. The fullest are forgotten first: they have guessed least.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, rate: Rate, now: Instant) -> Bucket {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        Bucket { left: (self.left + since * rate.per_s).min(rate.burst), at: now }
    }
}

struct Buckets<K> {
    rate: Rate,
    all: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(rate: Rate) -> Buckets<K> {
        Buckets { rate, all: Mutex::default() }
    }

    /// How long until there is one to take.
    fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(key)?.filled(self.rate, now).left;
        (left < 1.0).then(|| Duration::from_secs_f64((1.0 - left) / self.rate.per_s))
    }

    fn add(&self, key: K, amount: f64, now: Instant) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
            let mut left: Vec<f64> = all.values().map(|bucket| bucket.filled(self.rate, now).left).collect();
            left.sort_by(f64::total_cmp);
            let middle = left.get(left.len() / 2).copied().unwrap_or(0.0);
            all.retain(|_, bucket| bucket.filled(self.rate, now).left < middle);
        }
        let bucket = all.entry(key).or_insert(Bucket { left: self.rate.burst, at: now });
        *bucket = bucket.filled(self.rate, now);
        bucket.left = (bucket.left + amount).clamp(-self.rate.burst, self.rate.burst);
    }
}

pub(super) struct Attempts {
    logins: Buckets<(String, IpAddr)>,
    logins_of_all: Buckets<()>,
    wrong_codes: Buckets<IpAddr>,
    wrong_codes_of_all: Buckets<()>,
    joins: Buckets<IpAddr>,
    joins_of_all: Buckets<()>,
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts {
            logins: Buckets::new(LOGINS),
            logins_of_all: Buckets::new(LOGINS_OF_ALL),
            wrong_codes: Buckets::new(WRONG_CODES),
            wrong_codes_of_all: Buckets::new(WRONG_CODES_OF_ALL),
            joins: Buckets::new(JOINS),
            joins_of_all: Buckets::new(JOINS_OF_ALL),
        }
    }
}

impl Attempts {
    /// Counts a login that begins, or says how long to wait.
    pub fn begin_login(&self, user: &str, from: IpAddr) -> Result<(), Duration> {
        let (key, now) = ((user.to_owned(), from), Instant::now());
        if let Some(wait) = self.logins.wait(&key, now).or_else(|| self.logins_of_all.wait(&(), now)) {
            return Err(wait);
        }
        self.logins.add(key, -1.0, now);
        self.logins_of_all.add((), -1.0, now);
        Ok(())
    }

    /// How long a login of the instructor has to wait for its turn. It is never turned away: others could keep the instructor out then.
    pub fn instructor_waits(&self, from: IpAddr) -> Duration {
        let (key, now) = ((INSTRUCTOR.to_owned(), from), Instant::now());
        let wait = self.logins.wait(&key, now).unwrap_or_default();
        self.logins.add(key, -1.0, now);
        wait.min(INSTRUCTOR_WAITS_MAX)
    }

    /// One that knew the password was no guess.
    pub fn logged_in(&self, user: &str, from: IpAddr) {
        let now = Instant::now();
        self.logins.add((user.to_owned(), from), 2.0 * LOGINS.burst, now);
        self.logins_of_all.add((), 1.0, now);
    }

    /// Counts somebody who comes in, or says how long to wait.
    pub fn begin_join(&self, from: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        if let Some(wait) = self.joins.wait(&from, now).or_else(|| self.joins_of_all.wait(&(), now)) {
            return Err(wait);
        }
        self.joins.add(from, -1.0, now);
        self.joins_of_all.add((), -1.0, now);
        Ok(())
    }

    /// Whether a code from here is looked at.
    pub fn may_try_code(&self, from: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        self.wrong_codes.wait(&from, now).or_else(|| self.wrong_codes_of_all.wait(&(), now)).map_or(Ok(()), Err)
    }

    pub fn wrong_code(&self, from: IpAddr) {
        let now = Instant::now();
        self.wrong_codes.add(from, -1.0, now);
        self.wrong_codes_of_all.add((), -1.0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn five_guesses_a_minute_at_one_user_from_one_address() {
        let attempts = Attempts::default();
        for _ in 0..5 {
            attempts.begin_login("otter", HERE).unwrap();
        }
        let wait = attempts.begin_login("otter", HERE).unwrap_err();
        assert!((11..=12).contains(&wait.as_secs()), "{wait:?}");
        attempts.begin_login("heron", HERE).unwrap();
        attempts.begin_login("otter", THERE).unwrap();
        for _ in 0..50 {
            attempts.begin_login("swan", HERE).unwrap();
            attempts.logged_in("swan", HERE);
        }
    }

    #[test]
    fn many_users_from_one_address_are_bounded_too() {
        let attempts = Attempts::default();
        let passed = (0..1000).filter(|n| attempts.begin_login(&format!("user-{n}"), HERE).is_ok()).count();
        assert!((400..=420).contains(&passed), "{passed}");
    }

    #[test]
    fn nobody_keeps_the_instructor_out() {
        let attempts = Attempts::default();
        (0..1000).for_each(|n| _ = attempts.begin_login(&format!("user-{n}"), HERE));
        assert_eq!(attempts.instructor_waits(THERE), Duration::ZERO, "whoever guesses at others");
        let waits: Vec<u64> = (0..1000).map(|_| attempts.instructor_waits(HERE).as_secs()).collect();
        assert_eq!((waits[4], waits[5], waits[999]), (0, 8, 8), "who guesses at the instructor waits");
        attempts.logged_in(INSTRUCTOR, HERE);
        assert_eq!(attempts.instructor_waits(HERE), Duration::ZERO);
    }

    #[test]
    fn a_class_joins_at_once_and_nobody_uses_up_all_names() {
        let attempts = Attempts::default();
        assert!((400..=401).contains(&(0..2000).filter(|_| attempts.begin_join(HERE).is_ok()).count()));
        assert!(attempts.begin_join(THERE).is_ok());
        let others = (0..10_000u32).filter(|n| attempts.begin_join(IpAddr::V4((n + 1000).into())).is_ok()).count();
        assert!((795..=805).contains(&others), "{others}");
    }

    #[test]
    fn wrong_codes_are_bounded_by_address_and_in_all() {
        let attempts = Attempts::default();
        let guess = |from| {
            let looked_at = attempts.may_try_code(from).is_ok();
            if looked_at {
                attempts.wrong_code(from);
            }
            looked_at
        };
        assert!((60..=62).contains(&(0..200).filter(|_| guess(HERE)).count()));
        assert!(guess(THERE));
        let others = (0..10_000u32).filter(|n| guess(IpAddr::V4((n + 1000).into()))).count();
        assert!((175..=190).contains(&others), "{others}");
    }

    #[test]
    fn those_who_guessed_least_are_forgotten_first() {
        let (buckets, now) = (Buckets::new(LOGINS), Instant::now());
        (0..5).for_each(|_| buckets.add(usize::MAX, -1.0, now));
        (0..3 * REMEMBERED_MAX).for_each(|key| buckets.add(key, -1.0, now));
        assert!(buckets.all.lock().unwrap().len() <= REMEMBERED_MAX);
        assert!(buckets.wait(&usize::MAX, now).is_some());
    }
}
