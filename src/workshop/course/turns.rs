//! Whose turn it is: two cores serve a class.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::Timestamp;

/// Checks that are at work at the same time. Each reads with two threads.
pub(super) const CHECKS_MAX: usize = 2;
/// So many at once, and then one every so many milliseconds.
#[derive(Clone, Copy)]
struct Pace {
    at_once: i64,
    every_ms: i64,
    /// As how many it counts.
    times: i64,
}

const TICKETS: Pace = Pace { at_once: 30, every_ms: 3_000, times: 1 };
/// Hints, questions that are answered, calls for help: each of them is kept.
const NOTES: Pace = Pace { at_once: 60, every_ms: 1_000, times: 1 };
/// A page saves while its student writes. The whole report is kept each time: a long one counts as several.
const REPORTS: Pace = Pace { at_once: 30, every_ms: 2_000, times: 1 };
/// Of a report that counts as one.
const REPORT_BYTES: usize = 64 << 10;

pub(super) struct Turns {
    checking: Mutex<HashSet<String>>,
    at_work: Semaphore,
    /// When what was asked for is used up again, by student.
    tickets: Mutex<HashMap<String, Timestamp>>,
    notes: Mutex<HashMap<String, Timestamp>>,
    reports: Mutex<HashMap<String, Timestamp>>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns {
            checking: Mutex::default(),
            at_work: Semaphore::new(CHECKS_MAX),
            tickets: Mutex::default(),
            notes: Mutex::default(),
            reports: Mutex::default(),
        }
    }
}

/// As long as it is held, the student has no other.
pub(super) struct Own<'a> {
    turns: &'a Turns,
    student: String,
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.turns.checking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.student);
    }
}

impl Turns {
    pub fn of(&self, student: &str) -> Option<Own<'_>> {
        let is_free = self.checking.lock().unwrap_or_else(PoisonError::into_inner).insert(student.to_owned());
        is_free.then(|| Own { turns: self, student: student.to_owned() })
    }

    /// Waits for a place.
    pub async fn any(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.at_work.acquire().await.ok()
    }

    /// Counts a ticket, or says how many seconds to wait.
    pub fn ticket(&self, student: &str, now: Timestamp) -> Result<(), u64> {
        counted(&self.tickets, TICKETS, student, now)
    }

    /// The same, of something else that is kept.
    pub fn note(&self, student: &str, now: Timestamp) -> Result<(), u64> {
        counted(&self.notes, NOTES, student, now)
    }

    /// The same, of a report of so many bytes.
    pub fn report(&self, student: &str, bytes: usize, now: Timestamp) -> Result<(), u64> {
        let times = i64::try_from(bytes / REPORT_BYTES).unwrap_or(i64::MAX).saturating_add(1).min(REPORTS.at_once);
        counted(&self.reports, Pace { times, ..REPORTS }, student, now)
    }
}

fn counted(all: &Mutex<HashMap<String, Timestamp>>, pace: Pace, student: &str, now: Timestamp) -> Result<(), u64> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let used_up = all.get(student).copied().unwrap_or(now).max(now);
    let ahead_ms = used_up.since(now);
    let over_ms = ahead_ms.saturating_sub(pace.at_once.saturating_sub(pace.times).saturating_mul(pace.every_ms));
    if over_ms > 0 {
        return Err(u64::try_from(over_ms / 1000).unwrap_or(0).saturating_add(1));
    }
    all.retain(|_, used_up| *used_up > now);
    all.insert(student.to_owned(), used_up.plus_ms(pace.every_ms.saturating_mul(pace.times)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_tickets_at_once_and_then_one_every_three_seconds() {
        let turns = Turns::default();
        let given = (0..10_000).filter(|_| turns.ticket("otter", Timestamp(0)).is_ok()).count();
        assert_eq!((given, turns.ticket("otter", Timestamp(0))), (30, Err(4)));
        assert_eq!(turns.ticket("heron", Timestamp(0)), Ok(()));
        assert_eq!((0..10_000).filter(|_| turns.note("otter", Timestamp(0)).is_ok()).count(), 60);
        let later = (0..100).filter(|n| turns.ticket("otter", Timestamp(3_000 + n * 300)).is_ok()).count();
        assert_eq!(later, 10);
    }

    #[test]
    fn a_long_report_counts_as_several() {
        let saved = |bytes: usize| {
            let turns = Turns::default();
            let saved = (0..10_000).filter(|_| turns.report("otter", bytes, Timestamp(0)).is_ok()).count();
            (saved, turns.report("otter", bytes, Timestamp(0)).unwrap_err())
        };
        assert_eq!([saved(0), saved(100 << 10), saved(240 << 10)], [(30, 3), (15, 5), (7, 5)]);
        assert_eq!(saved(usize::MAX), (1, 61));
    }

    #[test]
    fn one_check_of_a_student_at_a_time() {
        let turns = Turns::default();
        let own = turns.of("otter");
        assert!(own.is_some() && turns.of("otter").is_none() && turns.of("heron").is_some());
        drop(own);
        assert!(turns.of("otter").is_some());
    }
}
