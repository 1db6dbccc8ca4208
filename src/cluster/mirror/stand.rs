//! Where each partition of a topic stands at the target: by the two journals, by where the partition ends, and by the record that is
//! there last.

use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedMessage, Message};

use super::end::End;
use super::map::OffsetMap;
use super::told::{Lane, Told};
use super::topics::Topic;
use super::walk::Walk;
use super::{MirrorError, Pulse};

/// A plan that came through in part: whether the rest is still on its way shows within this time where a partition has one replica.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

/// And where it has several: a record counts when all replicas in sync have it, and one that is gone is in sync for up to 30 s more
/// (`replica.lag.time.max.ms`, and some for what follows).
const REPLICAS_SETTLE_WITHIN: Duration = Duration::from_secs(45);

const LOOKS_EVERY: Duration = Duration::from_millis(200);

pub(super) struct Stand<'a> {
    pub own: &'a Told,
    /// Of the mirror that went the other way.
    pub other: &'a Told,
}

impl Stand<'_> {
    /// The lane, and whether the journal has to learn of it. `opened`: since when no other mirror makes plans there; without it nothing
    /// is waited for.
    pub fn lane(
        &self,
        (from, to): (&End, &End),
        pulse: &Pulse,
        topic: &Topic,
        partition: i32,
        opened: Option<Instant>,
    ) -> Result<(Lane, bool), MirrorError> {
        let id = (topic.name.clone(), partition);
        let (start, source_end) = from.bounds(&topic.name, partition)?;
        let (first, mut end) = if topic.exists { to.bounds(&topic.name, partition)? } else { (0, 0) };
        let own = self.own.lanes.get(&id);
        let back = self.other.lanes.get(&id).map(|lane| lane.map.inverse());
        let newer = own.map_or(-1, |own| own.map.target_next);
        let lane = || own.cloned().unwrap_or_else(|| self.own.first(&id));
        let (mut lane, mut changed) = match (own, back) {
            // The way back has moved more of it, or this way was never gone.
            (_, Some(back)) if end > newer && back.target_next >= end => (lane().with(back), true),
            (Some(_), _) if end <= newer => (lane(), false),
            (None, _) if first == end => (lane().with(OffsetMap::new(start, end)), false),
            _ => {
                let name = format!("{}-{partition}", topic.name);
                return Err(to.wrong(&format!(
                    "{name} holds records that no mirror brought there; delete {} there, or leave it out by --topics",
                    topic.name
                )));
            }
        };
        if first < end && (opened.is_none() || pulse.outlasts) {
            recognise((from, to), pulse, &topic.name, partition, &lane.map, end)?;
        }
        if let Some(opened) = opened.filter(|_| topic.exists && end < lane.map.target_next) {
            end = wait(to, pulse, topic, partition, lane.map.target_next, opened)?;
        }
        changed |= lane.map.cut(end);
        if lane.map.runs.is_empty() && first == end {
            // The copy begins anew, maybe of another topic of the same name.
            lane = lane.with(OffsetMap::new(start, end));
        }
        if source_end < lane.map.source_next {
            return Err(from.wrong(&format!(
                "{}-{partition} ends at {source_end}, but was copied up to {}: the topic was deleted and made anew, or lost records; \
                 delete it at the target to copy it from the beginning",
                topic.name, lane.map.source_next
            )));
        }
        Ok((lane, changed))
    }
}

/// The last record there is the one that was copied to that place, or the topic is another by now. If one end has deleted it, nothing
/// can be said.
fn recognise(ends: (&End, &End), pulse: &Pulse, topic: &str, partition: i32, map: &OffsetMap, end: i64) -> Result<(), MirrorError> {
    let (from, to) = ends;
    let Some(source) = map.inverse().record(end - 1) else { return Ok(()) };
    let (Some(here), Some(there)) = (one(from, pulse, topic, partition, source)?, one(to, pulse, topic, partition, end - 1)?) else {
        return Ok(());
    };
    // A time that is not after 1970 is not kept everywhere.
    let time_counts = here.timestamp().to_millis().is_some_and(|time| time > 0);
    let time = |message: &BorrowedMessage<'_>| message.timestamp().to_millis().filter(|_| time_counts).unwrap_or(-1);
    if crc(&here, time(&here)) == crc(&there, time(&there)) {
        return Ok(());
    }
    Err(to.wrong(&format!(
        "{topic}-{partition} has another record at offset {} than the one that was copied there, offset {source} of the source: the topic \
         was deleted and made anew; delete {topic} there to copy it from the beginning",
        end - 1
    )))
}

fn one<'a>(end: &'a End, pulse: &Pulse, topic: &str, partition: i32, offset: i64) -> Result<Option<BorrowedMessage<'a>>, MirrorError> {
    if offset < end.bounds(topic, partition)?.0 {
        return Ok(None);
    }
    Walk::begin(end, &end.reader, pulse, (topic, partition), offset, offset + 1)?.next()
}

/// Of time, key and value.
pub(super) fn crc(message: &BorrowedMessage<'_>, time: i64) -> u32 {
    let parts = [message.key(), message.payload()];
    parts.into_iter().fold(crc32c::crc32c(&time.to_be_bytes()), |crc, part| {
        let length = part.map_or(-1, |part| i64::try_from(part.len()).unwrap_or(i64::MAX)).to_be_bytes();
        crc32c::crc32c_append(crc32c::crc32c_append(crc, &length), part.unwrap_or_default())
    })
}

/// A partition in which planned records are missing.
#[derive(Clone, Copy)]
struct Seen {
    end: i64,
    replicas: usize,
    in_sync: usize,
}

fn wait(to: &End, pulse: &Pulse, topic: &Topic, partition: i32, planned: i64, opened: Instant) -> Result<i64, MirrorError> {
    let (name, mut said) = (topic.name.as_str(), false);
    settled(planned, topic.min_in_sync, || {
        if pulse.is_stopped() {
            return Err(MirrorError::stopped());
        }
        let (replicas, in_sync) = to.replicas(name, partition)?;
        let (_, end) = to.bounds(name, partition)?;
        if replicas > 1 && end < planned && !std::mem::replace(&mut said, true) {
            let seconds = REPLICAS_SETTLE_WITHIN.as_secs();
            (pulse.say)(&format!(
                "{name}-{partition}: an earlier mirror was ended on its way; which of its records came is known when the replicas agree, \
                 in {seconds} s at the latest if all are well"
            ));
        }
        std::thread::sleep(LOOKS_EVERY);
        Ok((opened.elapsed(), Seen { end, replicas, in_sync }))
    })
}

/// Where the partition ends when what a killed mirror had sent has arrived. Each look says how long nobody has sent anything.
fn settled(planned: i64, min_in_sync: usize, mut look: impl FnMut() -> Result<(Duration, Seen), MirrorError>) -> Result<i64, MirrorError> {
    let (mut since, mut known) = (Duration::ZERO, None);
    loop {
        let (now, seen) = look()?;
        if seen.end >= planned {
            return Ok(seen.end);
        }
        // With fewer in sync than the topic wants, records may be there that do not count yet.
        if known.is_some_and(|known| known != seen.end) || seen.in_sync < min_in_sync.min(seen.replicas) {
            since = now;
        }
        let within = if seen.replicas > 1 { REPLICAS_SETTLE_WITHIN } else { SETTLES_WITHIN };
        if known.is_some() && now.saturating_sub(since) >= within {
            return Ok(seen.end);
        }
        known = Some(seen.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end that counts and after how many seconds, if a partition is seen so, second by second.
    fn after(planned: i64, min_in_sync: usize, seen: impl Fn(u64) -> (i64, usize, usize)) -> (i64, u64) {
        let mut second = 0;
        let end = settled(planned, min_in_sync, || {
            let (end, replicas, in_sync) = seen(second);
            second += 1;
            Ok((Duration::from_secs(second - 1), Seen { end, replicas, in_sync }))
        });
        (end.unwrap(), second - 1)
    }

    #[test]
    fn an_end_counts_when_nothing_can_come_any_more() {
        // One replica.
        assert_eq!(after(10, 1, |_| (4, 1, 1)), (4, 3));
        assert_eq!(after(10, 1, |s| (if s < 2 { 4 } else { 7 }, 1, 1)), (7, 5));
        // All is there.
        assert_eq!(after(10, 2, |s| (if s < 2 { 4 } else { 10 }, 3, 3)), (10, 2));
        // A follower is gone: what the leader has counts when that is noticed.
        assert_eq!(after(10, 2, |s| if s < 31 { (4, 3, 3) } else { (8, 3, 2) }), (8, 31 + 45));
        assert_eq!(after(10, 2, |_| (4, 3, 2)), (4, 45));
        // Fewer are in sync than have to be, for two minutes.
        assert_eq!(after(10, 2, |s| if s < 120 { (4, 3, 1) } else { (10, 3, 2) }), (10, 120));
        assert_eq!(after(10, 2, |s| (4, 3, if s < 120 { 1 } else { 2 })), (4, 119 + 45));
    }
}
