//! Reads both ends once more and holds record against record.
//!
//! The map says where each record of the source has to be. What only one end has is explained where that end's neighbour deletes by
//! itself: a compacted topic, or a log that begins later by now. Everything else is a fault.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::end::{ANSWER_WITHIN, End, Polled};
use super::journal::Lane;
use super::topics::Topic;
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

/// The committed records of a partition, up to an offset.
struct Walk<'a> {
    end: &'a End,
    pulse: &'a Pulse,
    stop: i64,
    over: bool,
}

impl<'a> Walk<'a> {
    fn begin(end: &'a End, pulse: &'a Pulse, topic: &str, partition: i32, start: i64, stop: i64) -> Result<Walk<'a>, MirrorError> {
        let over = start >= stop;
        if !over {
            end.read_from(topic, &[(partition, start)])?;
        }
        Ok(Walk { end, pulse, stop, over })
    }

    fn next(&mut self) -> Result<Option<BorrowedMessage<'a>>, MirrorError> {
        let begun = Instant::now();
        while !self.over {
            match self.end.poll(&self.end.reader, Duration::from_millis(200))? {
                Polled::Record(message) if message.offset() < self.stop => {
                    self.over = message.offset() == self.stop - 1;
                    return Ok(Some(message));
                }
                Polled::Record(_) | Polled::EndOf(_) => self.over = true,
                Polled::Nothing if begun.elapsed() > ANSWER_WITHIN => {
                    return Err(self.end.wrong("it does not answer while the records are compared; run this again"));
                }
                Polled::Nothing => {}
            }
            if self.pulse.is_stopped() {
                return Err(MirrorError::stopped());
            }
        }
        Ok(None)
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
    let mut here = Walk::begin(from, pulse, name, partition, source_start, map.source_next)?;
    let mut there = Walk::begin(to, pulse, name, partition, target_start, map.target_next)?;
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
                (source, target) = (here.next()?, there.next()?);
            }
            (Some(one), other) if other.as_ref().is_none_or(|other| place.flatten().is_some_and(|place| place < other.offset())) => {
                into.source += 1;
                if topic.compacted || place.flatten().is_some_and(|place| place < target_start) {
                    into.deleted += 1;
                } else {
                    into.fault(|| format!("{name}-{partition} lacks the record of offset {} of the source at the target", one.offset()));
                }
                source = here.next()?;
            }
            (_, Some(other)) => {
                into.target += 1;
                let original = back.record(other.offset());
                if original.is_some_and(|original| topic.compacted || original < source_start) {
                    into.deleted += 1;
                } else {
                    into.fault(|| {
                        format!("{name}-{partition} has a record at offset {} of the target that is not of the source", other.offset())
                    });
                }
                target = there.next()?;
            }
            (Some(_), None) => source = here.next()?,
        }
        pulse.beat(|| format!("{name}: {} records compared", into.same));
    }
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
