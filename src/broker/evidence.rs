//! What users did with records: which offsets they were handed, what they committed and wrote, in which groups they were. All of it is
//! bounded, and gone with the process.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::model::evidence::{Committed, Evidence, Fetched, GroupSeen, Produced};
use crate::model::{Offset, PartitionId, Timestamp, TopicName};
use crate::security::Principal;

/// Users that are remembered. Beyond that the one seen longest ago is forgotten.
const USERS_MAX: usize = 2_000;
/// Of each kind, for each user. Beyond that the oldest goes.
const ENTRIES_MAX: usize = 200;
/// Ranges of a partition. Beyond that the lowest goes, unless it is the newest.
const RANGES_MAX: usize = 64;
/// Characters of a text that came from a client.
const TEXT_MAX: usize = 249;

/// Offsets of a partition that were handed out.
pub type Handed = (TopicName, PartitionId, Range<Offset>);

#[derive(Default)]
pub struct Evidences {
    users: Mutex<HashMap<String, (Timestamp, Evidence)>>,
}

impl Evidences {
    pub fn of(&self, user: &str) -> Evidence {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(user).map_or_else(|| Evidence { user: user.to_owned(), ..Evidence::default() }, |(_, evidence)| evidence.clone())
    }

    fn note(&self, principal: &Principal, now: Timestamp, note: impl FnOnce(&mut Evidence)) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, evidence)) = users.get_mut(principal.name()) {
            *at = now;
            return note(evidence);
        }
        if users.len() >= USERS_MAX
            && let Some(oldest) = users.iter().min_by_key(|(_, (at, _))| *at).map(|(user, _)| user.clone())
        {
            users.remove(&oldest);
        }
        let mut evidence = Evidence { user: principal.name().to_owned(), ..Evidence::default() };
        note(&mut evidence);
        users.insert(principal.name().to_owned(), (now, evidence));
    }

    /// Records of these offsets were handed out.
    pub fn fetched(&self, principal: &Principal, software: impl Fn() -> String, of: &[Handed], now: Timestamp) {
        self.note(principal, now, |evidence| {
            for (topic, partition, range) in of {
                let fresh = || Fetched {
                    topic: topic.clone(),
                    partition: *partition,
                    offsets: Vec::new(),
                    first_ms: now,
                    at_ms: now,
                    software: software(),
                };
                let entry = entry(&mut evidence.fetched, |f| f.topic == *topic && f.partition == *partition, fresh);
                entry.at_ms = now;
                join(&mut entry.offsets, range.clone());
            }
        });
    }

    pub fn committed(&self, principal: &Principal, group: &str, of: &[(TopicName, PartitionId, Offset)], now: Timestamp) {
        let group = cut(group);
        self.note(principal, now, |evidence| {
            for (topic, partition, offset) in of {
                let fresh = || Committed { group: group.clone(), topic: topic.clone(), partition: *partition, offset: *offset, at_ms: now };
                let same = |c: &Committed| c.group == group && c.topic == *topic && c.partition == *partition;
                let entry = entry(&mut evidence.committed, same, fresh);
                (entry.offset, entry.at_ms) = (*offset, now);
            }
        });
    }

    /// `acknowledged`: the producer waited for an answer.
    pub fn produced(&self, principal: &Principal, topic: &str, records: u64, acknowledged: bool, now: Timestamp) {
        self.note(principal, now, |evidence| {
            let fresh = || Produced { topic: TopicName::new(topic), records: 0, unacknowledged: 0, unacknowledged_ms: None, at_ms: now };
            let entry = entry(&mut evidence.produced, |p| p.topic.as_str() == topic, fresh);
            entry.records = entry.records.saturating_add(records);
            if !acknowledged {
                entry.unacknowledged = entry.unacknowledged.saturating_add(records);
                entry.unacknowledged_ms = Some(now);
            }
            entry.at_ms = now;
        });
    }

    /// A member of a group began.
    pub fn joined(&self, principal: &Principal, group: &str, now: Timestamp) {
        self.in_group(principal, group, now, |seen| seen.members = seen.members.saturating_add(1));
    }

    /// A member of a group said goodbye.
    pub fn left(&self, principal: &Principal, group: &str, now: Timestamp) {
        self.in_group(principal, group, now, |seen| seen.left_ms = Some(now));
    }

    fn in_group(&self, principal: &Principal, group: &str, now: Timestamp, note: impl FnOnce(&mut GroupSeen)) {
        let group = cut(group);
        self.note(principal, now, |evidence| {
            let fresh = || GroupSeen { group: group.clone(), joined_ms: now, members: 0, left_ms: None };
            note(entry(&mut evidence.groups, |seen| seen.group == group, fresh));
        });
    }
}

/// The entry that is the same, which becomes the newest; or a fresh one.
fn entry<T>(list: &mut Vec<T>, same: impl Fn(&T) -> bool, fresh: impl FnOnce() -> T) -> &mut T {
    let entry = match list.iter().position(same) {
        Some(at) => list.remove(at),
        None => fresh(),
    };
    if list.len() >= ENTRIES_MAX {
        list.remove(0);
    }
    list.push_mut(entry)
}

/// Adds a range to others that are sorted and do not overlap.
fn join(ranges: &mut Vec<Range<Offset>>, range: Range<Offset>) {
    if range.start >= range.end {
        return;
    }
    let from = ranges.partition_point(|other| other.end < range.start);
    let to = ranges.partition_point(|other| other.start <= range.end);
    let touched = ranges.drain(from..to.max(from));
    let joined = touched.fold(range, |all, other| all.start.min(other.start)..all.end.max(other.end));
    ranges.insert(from, joined);
    if ranges.len() > RANGES_MAX {
        // Somebody who has followed the end all day and now begins at the beginning has read that.
        ranges.remove(usize::from(from == 0));
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(of: &[(i64, i64)]) -> Vec<Range<Offset>> {
        of.iter().map(|(start, end)| Offset(*start)..Offset(*end)).collect()
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut all = Vec::new();
        for (start, end) in [(10, 20), (30, 40), (20, 25), (0, 5), (50, 50), (24, 31)] {
            join(&mut all, Offset(start)..Offset(end));
        }
        assert_eq!(all, ranges(&[(0, 5), (10, 40)]));
        join(&mut all, Offset(0)..Offset(100));
        assert_eq!(all, ranges(&[(0, 100)]));
        for n in 100..300 {
            join(&mut all, Offset(n * 10)..Offset(n * 10 + 1));
        }
        assert_eq!((all.len(), all.first().cloned()), (RANGES_MAX, Some(Offset(2360)..Offset(2361))));
    }

    #[test]
    fn the_range_that_was_handed_out_last_is_never_the_one_that_goes() {
        let mut all = Vec::new();
        for n in (0..200).rev() {
            join(&mut all, Offset(n * 10)..Offset(n * 10 + 1));
            assert_eq!(all.first(), Some(&(Offset(n * 10)..Offset(n * 10 + 1))));
        }
        assert_eq!(all.len(), RANGES_MAX);
    }

    #[test]
    fn what_one_user_does_is_bounded_and_told_of_that_user_alone() {
        let (seen, otter) = (Evidences::default(), Principal::user("otter"));
        for n in 0..1_000_i64 {
            let topic = TopicName::new(&format!("t{n}"));
            seen.fetched(
                &otter,
                || "librdkafka 2.16".to_owned(),
                &[(topic.clone(), PartitionId(0), Offset(n)..Offset(n + 1))],
                Timestamp(n),
            );
            seen.committed(&otter, "g", &[(topic.clone(), PartitionId(0), Offset(n))], Timestamp(n));
            seen.produced(&otter, topic.as_str(), 2, n % 2 == 0, Timestamp(n));
            seen.joined(&otter, &format!("g{n}"), Timestamp(n));
        }
        let of = seen.of("otter");
        assert_eq!((of.fetched.len(), of.committed.len(), of.produced.len(), of.groups.len()), (200, 200, 200, 200));
        assert!(of.was_fetched("t999", PartitionId(0), Offset(999)) && !of.was_fetched("t999", PartitionId(0), Offset(1000)));
        assert_eq!(of.produced.last().map(|p| (p.records, p.unacknowledged)), Some((2, 2)));
        assert_eq!(seen.of("heron"), Evidence { user: "heron".to_owned(), ..Evidence::default() });
    }
}
