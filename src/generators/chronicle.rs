//! The town's events in order of arrival, from any point in time.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{PartitionId, Timestamp};

use super::dirt::{self, Dirt};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, REACH_MS, STORY_REACH_MS};
use super::incidents;
use super::partitioner::partition_of;
use super::random::Dice;
use super::schema::{STREAMS, StreamId};
use super::truth;
use super::world::World;

/// One event as it goes into its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub stream: StreamId,
    pub partition: PartitionId,
    pub key: Bytes,
    pub value: Bytes,
    /// When it reaches the broker; the record's timestamp. The value's `timestamp` says when it happened.
    pub arrival: Timestamp,
}

/// Iterates over the events that arrive from a given time on. Never ends.
pub struct Chronicle {
    world: Arc<World>,
    origin_ms: i64,
    /// In the town's time: what arrives earlier is left out.
    from: i64,
    /// The next chapter whose stories have not been told.
    untold: i64,
    /// The first chapter whose arrivals are wanted.
    first: i64,
    /// Drafts by chapter of arrival; the front belongs to the next chapter to be put in order.
    waiting: VecDeque<Vec<Draft>>,
    /// The chapter being handed out, last event first.
    current: Vec<Draft>,
    /// The ledger's line about the last event.
    note: Option<Event>,
    buffer: Vec<u8>,
}

impl Chronicle {
    /// Cheap: stories are told when they are needed.
    pub fn new(world: Arc<World>, origin: Timestamp, from: Timestamp) -> Chronicle {
        let from = from.since(origin).max(0);
        let first = from.div_euclid(CHAPTER_MS);
        // Before the origin only sensors were at work, and their stories are short of the reach like all others.
        let reach = world.timeline.reach_ms() + if world.dirt.factor() > 0.0 { REACH_MS } else { STORY_REACH_MS };
        let untold = (first - reach / CHAPTER_MS).max(-EARLIEST_CHAPTERS);
        Chronicle {
            world,
            origin_ms: origin.0,
            from,
            untold,
            first,
            waiting: VecDeque::new(),
            current: Vec::new(),
            note: None,
            buffer: Vec::with_capacity(1024),
        }
    }

    /// Tells one more chapter from before the start, as those reach into what is wanted. True when none is left. `next` does
    /// this by itself; a caller that must not block for long does it in steps.
    pub fn prepare(&mut self) -> bool {
        if self.untold < self.first {
            self.tell();
        }
        self.untold >= self.first
    }

    /// When the next event arrives.
    pub fn next_arrival(&mut self) -> Timestamp {
        if let Some(note) = &self.note {
            return note.arrival;
        }
        loop {
            if let Some(draft) = self.current.last() {
                return Timestamp(self.origin_ms + draft.arrival);
            }
            self.turn_page();
        }
    }

    fn turn_page(&mut self) {
        while !self.prepare() {}
        // Nothing told later can arrive in this chapter.
        self.tell();
        self.current = self.waiting.pop_front().unwrap_or_default();
        self.current.sort_unstable_by_key(|draft| std::cmp::Reverse(draft.order()));
    }

    fn tell(&mut self) {
        let (chapter, from, world, waiting) = (self.untold, self.from, &self.world, &mut self.waiting);
        let front = chapter.max(self.first);
        let reach = dirt::REACH_MS + world.timeline.reach_ms();
        let mut place = |draft: Draft| {
            let Some(draft) = incidents::apply(world, draft) else { return };
            if draft.arrival < from {
                return;
            }
            let page = (draft.arrival.div_euclid(CHAPTER_MS) - front).max(0) as usize;
            if waiting.len() <= page {
                waiting.resize_with(page + 1, Vec::new);
            }
            if let Some(drafts) = waiting.get_mut(page) {
                drafts.push(draft);
            }
        };
        let mut accept = |mut draft: Draft| {
            if draft.arrival + reach < from {
                return;
            }
            if !matches!(draft.body, Body::Pill(..) | Body::Begun(_) | Body::EndedEarly(_)) {
                draft.dirt = Dirt::of(world.seed, world.dirt, STREAMS[draft.stream().0].dirt, &draft);
            }
            draft.arrival += draft.dirt.delay_ms;
            if let Some(after) = draft.dirt.copy_after_ms {
                place(Draft { arrival: draft.arrival + after, copy: true, ..draft.clone() });
            }
            place(draft);
        };
        let mut drafts = Drafts::new(&mut accept);
        for stream in STREAMS {
            (stream.tell)(world, chapter, &mut drafts);
        }
        incidents::tell(world, chapter, &mut drafts);
        self.untold += 1;
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The start of the first chapter, in the town's time, of which nothing has been handed out: what is ordered now begins there.
    pub fn next_page(&mut self) -> i64 {
        // Turns the page of the next event, if that is still to be done.
        self.next_arrival();
        self.untold * CHAPTER_MS
    }

    fn write(&mut self, draft: &Draft) -> Event {
        let id = draft.stream();
        let arrival = Timestamp(self.origin_ms + draft.arrival);
        let line = match &draft.body {
            Body::Begun(incident) => Some(truth::begun(incident, self.origin_ms)),
            Body::EndedEarly(incident) => Some(truth::ended_early(incident, self.origin_ms)),
            _ => None,
        };
        if let Some((key, value)) = line {
            return Event { stream: id, partition: PartitionId(0), key, value, arrival };
        }
        let stream = &STREAMS[id.0];
        self.note = truth::note(&self.world, draft, self.origin_ms);
        if let Body::Pill(_, number) = draft.body {
            let (key, value) = (Bytes::from_static(incidents::PILL_KEY), Bytes::from(incidents::pill(number)));
            return Event { stream: id, partition: partition_of(&key, stream.partitions), key, value, arrival };
        }
        self.buffer.clear();
        let key = (stream.write)(&self.world, draft, self.origin_ms, &mut self.buffer);
        if draft.drifted {
            stream.drift.apply(&mut self.buffer, draft.serial);
        }
        if let Some(fault) = draft.dirt.fault {
            let mut dice = Dice::of(self.world.seed, &[0xd2, id.0 as u64, draft.serial.0]);
            fault.edit.apply(&mut self.buffer, self.origin_ms + draft.happened, &mut dice);
        }
        Event { stream: id, partition: partition_of(&key, stream.partitions), key, value: Bytes::copy_from_slice(&self.buffer), arrival }
    }
}

/// How many chapters before the origin a story can have begun: five minutes of a sensor.
const EARLIEST_CHAPTERS: i64 = 30;

impl Iterator for Chronicle {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.note.is_some() {
            return self.note.take();
        }
        loop {
            if let Some(draft) = self.current.pop() {
                return Some(self.write(&draft));
            }
            self.turn_page();
        }
    }
}
