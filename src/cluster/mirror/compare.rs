//! Reads both ends once more and holds record against record.
//!
//! The map says where each record of the source has to be. What only one end has is explained where that end's neighbour deletes by
//! itself: a log that begins later by now, or a compacted topic that has a later record of that key. Everything else is a fault.

use std::collections::HashMap;

use rdkafka::consumer::Consumer;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::end::End;
use super::told::Lane;
use super::topics::Topic;
use super::walk::Walk;
use super::{MirrorError, Pulse};

/// What was found in a topic.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Compared {
    pub source: u64,
    pub target: u64,
    /// Records that are equal in key, value, headers and time.
    pub same: u64,
    /// Records that one end has deleted by compaction or retention.
    pub deleted: u64,
    /// Records that are missing, differ or are too many, and the first of them.
    pub wrong: u64,
    pub first_wrong: Option<String>,
}

impl Compared {
    fn fault(&mut self, what: impl FnOnce() -> String) {
        self.wrong += 1;
        self.first_wrong.get_or_insert_with(what);
    }
}

/// What one end of a compacted topic lacks. Compaction takes a record for a later one of its key, a record that is the last of its key
/// and has no value, and one without a key.
#[derive(Default)]
struct Lacking {
    /// The newest of each key, by the other end's offset.
    keys: HashMap<Vec<u8>, i64>,
    /// Those that are explained.
    deleted: u64,
}

impl Lacking {
    fn lacks(&mut self, key: Option<&[u8]>, has_value: bool, offset: i64) {
        match key {
            Some(key) if has_value => self.deleted += u64::from(self.keys.insert(key.to_vec(), offset).is_some()),
            Some(key) => self.deleted += 1 + u64::from(self.keys.remove(key).is_some()),
            None => self.deleted += 1,
        }
    }

    /// This end has a record of that key, behind all that it lacked so far.
    fn has(&mut self, key: Option<&[u8]>) {
        if !self.keys.is_empty()
            && let Some(key) = key
        {
            self.deleted += u64::from(self.keys.remove(key).is_some());
        }
    }

    /// What is left is explained by nothing.
    fn settle(self, into: &mut Compared, what: impl Fn(i64) -> String) {
        into.deleted += self.deleted;
        let mut left: Vec<i64> = self.keys.into_values().collect();
        left.sort_unstable();
        for offset in left {
            into.fault(|| what(offset));
        }
    }
}

/// One partition. `into` collects over the topic.
pub(super) fn compare(
    ends: (&End, &End),
    pulse: &Pulse,
    topic: &Topic,
    partition: i32,
    lane: &Lane,
    into: &mut Compared,
) -> Result<(), MirrorError> {
    let (from, to) = ends;
    let name = topic.name.as_str();
    let (source_start, _) = from.bounds(name, partition)?;
    let (target_start, target_end) = to.bounds(name, partition)?;
    let map = &lane.map;
    if target_end != map.target_next {
        into.fault(|| format!("{name}-{partition} ends at {target_end} at the target instead of {}", map.target_next));
    }
    let walk = |end, start, stop| Walk::begin(end, &end.reader, pulse, (name, partition), start, stop);
    let mut here = walk(from, source_start, map.source_next)?;
    let mut there = walk(to, target_start, map.target_next)?;
    let (mut lacking_here, mut lacking_there) = (Lacking::default(), Lacking::default());
    let lacks_there = |offset| format!("{name}-{partition} lacks the record of offset {offset} of the source at the target");
    let lacks_here = |offset| format!("{name}-{partition} has a record at offset {offset} of the target that is not of the source");
    let back = map.inverse();
    let (mut source, mut target) = (here.next()?, there.next()?);
    loop {
        let place = source.as_ref().map(|message| map.record(message.offset()));
        match (&source, &target) {
            (None, None) => break,
            (Some(one), _) if place == Some(None) => {
                into.source += 1;
                into.fault(|| format!("{name}-{partition} has a record at offset {} of the source that was not copied", one.offset()));
                source = here.next()?;
            }
            (Some(one), Some(other)) if place == Some(Some(other.offset())) => {
                into.source += 1;
                into.target += 1;
                if equal(one, other) {
                    into.same += 1;
                } else {
                    into.fault(|| {
                        format!("{name}-{partition} differs at offset {} of the source, {} of the target", one.offset(), other.offset())
                    });
                }
                lacking_here.has(one.key());
                lacking_there.has(other.key());
                (source, target) = (here.next()?, there.next()?);
            }
            (Some(one), other) if other.as_ref().is_none_or(|other| place.flatten().is_some_and(|place| place < other.offset())) => {
                into.source += 1;
                if place.flatten().is_some_and(|place| place < target_start) {
                    into.deleted += 1;
                } else if topic.compacted {
                    lacking_there.lacks(one.key(), one.payload().is_some(), one.offset());
                } else {
                    into.fault(|| lacks_there(one.offset()));
                }
                lacking_here.has(one.key());
                source = here.next()?;
            }
            (_, Some(other)) => {
                into.target += 1;
                let original = back.record(other.offset());
                if original.is_some_and(|original| original < source_start) {
                    into.deleted += 1;
                } else if original.is_some() && topic.compacted {
                    lacking_here.lacks(other.key(), other.payload().is_some(), other.offset());
                } else {
                    into.fault(|| lacks_here(other.offset()));
                }
                lacking_there.has(other.key());
                target = there.next()?;
            }
            (Some(_), None) => source = here.next()?,
        }
        pulse.beat(|| format!("{name}: {} records compared", into.same));
    }
    if !lacking_here.keys.is_empty() {
        // What came to the source after the copy may be what they were taken for.
        let (_, end) = from.bounds(name, partition)?;
        let mut later = walk(from, map.source_next, end)?;
        while let Some(message) = later.next()? {
            lacking_here.has(message.key());
        }
    }
    lacking_there.settle(into, lacks_there);
    lacking_here.settle(into, lacks_here);
    let _ = (from.reader.unassign(), to.reader.unassign());
    Ok(())
}

fn equal(one: &BorrowedMessage<'_>, other: &BorrowedMessage<'_>) -> bool {
    let headers = |message: &BorrowedMessage<'_>| -> Vec<(String, Option<Vec<u8>>)> {
        let each = message.headers().into_iter().flat_map(|headers| headers.iter());
        each.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    };
    one.key() == other.key()
        && one.payload() == other.payload()
        && one.timestamp().to_millis() == other.timestamp().to_millis()
        && headers(one) == headers(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deleted, wrong, and the first that is wrong.
    fn settled(lacking: Lacking) -> (u64, u64, Option<String>) {
        let mut compared = Compared::default();
        lacking.settle(&mut compared, |offset| offset.to_string());
        (compared.deleted, compared.wrong, compared.first_wrong)
    }

    #[test]
    fn a_record_is_excused_only_by_a_later_one_of_its_key() {
        let mut lacking = Lacking::default();
        for offset in 0..4 {
            lacking.lacks(Some(b"kept"), true, offset);
            lacking.lacks(Some(b"lost"), true, 10 + offset);
        }
        lacking.has(Some(b"kept"));
        lacking.has(Some(b"other"));
        lacking.lacks(Some(b"lost too"), true, 5);
        // Of "lost" the newest is missing, not those before it.
        assert_eq!(settled(lacking), (4 + 3, 2, Some("5".to_owned())));
    }

    #[test]
    fn a_record_behind_the_one_that_is_there_is_not_excused() {
        let mut lacking = Lacking::default();
        lacking.has(Some(b"a"));
        lacking.lacks(Some(b"a"), true, 7);
        assert_eq!(settled(lacking), (0, 1, Some("7".to_owned())));
    }

    #[test]
    fn tombstones_and_what_they_took_are_excused() {
        let mut lacking = Lacking::default();
        lacking.lacks(Some(b"a"), true, 0);
        lacking.lacks(Some(b"a"), false, 1);
        lacking.lacks(None, true, 2);
        assert_eq!(settled(lacking), (3, 0, None));
    }
}
