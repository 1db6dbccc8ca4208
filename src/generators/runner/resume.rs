//! Finds where to go on: reads seed and origin back, and recognises in each partition the last event that is ours.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::cluster::{ClusterError, StoredRecord};
use crate::model::{PartitionId, Timestamp, TopicName};

use super::clock::VIRTUAL_START;
use super::journal::{Gap, Journal};
use super::{GRACE_MS, HISTORY_MS, Lane, Runner, SLICE_EVENTS, Writer};
use crate::generators::chronicle::Chronicle;
use crate::generators::schema::{STREAMS, StreamId};
use crate::generators::world::World;

/// Retention as the workshop states it: a day.
const RETENTION_MS: i64 = 24 * 3_600_000;
/// Only closed segments expire, so a segment may not last as long as a day.
const SEGMENT_MS: i64 = 3_600_000;

/// To the present, what a virtual clock tells is a past or a future, so age says nothing: about a day of the town is kept by size.
const VIRTUAL_RETENTION_BYTES: i64 = 128 << 20;
const VIRTUAL_SEGMENT_BYTES: i64 = 16 << 20;

/// Records looked at from a partition's end; eight times as many when none of them is ours.
const TAIL_RECORDS: usize = 64;

/// Chapters told between two chances for other tasks to run.
const SLICE_CHAPTERS: usize = 2;

impl Runner {
    /// Everything needed to go on, after a first start as after a crash.
    pub(super) async fn resume(&self) -> Result<Writer, ClusterError> {
        let mut journal = self.journal().await?;
        match journal.virtual_to {
            // Not later than this; how much earlier, the topics tell.
            Some(latest) => self.clock.stand_at(latest),
            None => self.clock.follow_present(),
        }
        let now = self.clock.now();
        let world = World::new(journal.seed, journal.dirt()).with_commands(&journal.commands);
        self.change_status(|status| status.timeline = world.timeline.clone());
        let mut lanes = self.lanes(journal.virtual_to.is_some()).await?;
        let newest = self.recognise(&world, &journal, now, &mut lanes).await?;

        // What a virtual clock passed long ago was written, or its lane had nothing to write.
        let passed = journal.virtual_to.map_or(Timestamp::NONE, |latest| latest.plus_ms(-(HISTORY_MS + GRACE_MS)));
        let next = |lane: &Lane, journal: &Journal| lane.written_to.max(journal.fill_from()).max(passed);
        let from = lanes.iter().map(|lane| next(lane, &journal)).min().unwrap_or(now);
        if journal.virtual_to.is_some() {
            let written_to = lanes.iter().map(|lane| lane.written_to).max().unwrap_or(VIRTUAL_START);
            self.clock.stand_at(written_to.max(VIRTUAL_START));
        } else if now.since(from) > HISTORY_MS + GRACE_MS {
            let to = now.plus_ms(-HISTORY_MS);
            journal.leave_open(Gap { from: newest.plus_ms(1).max(journal.fill_from()).min(to), to });
            journal.write(self.cluster.as_ref(), now).await?;
        }
        let from = lanes.iter().map(|lane| next(lane, &journal)).min().unwrap_or(now);
        self.change_status(|status| status.gaps = journal.gaps.clone());
        let chronicle = prepared(Chronicle::new(world, journal.origin, from)).await;
        let last = lanes.iter().map(|lane| lane.written_to).max().unwrap_or(Timestamp::NONE);
        Ok(Writer { beginning: 0, chronicle, journal, lanes, taken: self.written(), last })
    }

    /// What is remembered, or a new beginning two hours ago. A folder keeps its seed: other events under the same ids and orders
    /// would contradict what has been written.
    async fn journal(&self) -> Result<Journal, ClusterError> {
        let journal = match Journal::read(self.cluster.as_ref()).await? {
            Some(journal) => journal,
            None => {
                let virtual_to = self.clock.asked_virtual().then_some(VIRTUAL_START);
                let now = virtual_to.unwrap_or_else(|| self.clock.present());
                let start = now.plus_ms(-HISTORY_MS);
                let origin = Timestamp(start.0 - start.0.rem_euclid(1000));
                let mut journal = Journal::begin(self.seed, self.dirt, origin);
                journal.virtual_to = virtual_to;
                journal.write(self.cluster.as_ref(), now).await?;
                journal
            }
        };
        let ignored = (journal.seed != self.seed).then_some(self.seed);
        if let Some(asked) = ignored {
            tracing::warn!(
                asked,
                used = journal.seed,
                "the data folder's topics were made from another seed; it stays in use until a reset"
            );
        }
        let dirt_ignored = (journal.dirt() != self.dirt).then_some(self.dirt);
        if let Some(asked) = dirt_ignored {
            let used = journal.dirt();
            tracing::warn!(%asked, %used, "the data folder's topics were made with another level of dirt; it stays in use until a reset");
        }
        let is_virtual = journal.virtual_to.is_some();
        let clock_ignored = is_virtual != self.clock.asked_virtual();
        if clock_ignored {
            let used = if is_virtual { "virtual" } else { "real" };
            tracing::warn!(used, "the data folder's topics were made under another clock; it stays in use until a reset");
        }
        self.change_status(|status| {
            status.is_virtual = is_virtual;
            status.clock_ignored = clock_ignored;
            status.seed = journal.seed;
            status.seed_ignored = ignored;
            status.dirt = journal.dirt();
            status.dirt_ignored = dirt_ignored;
            status.origin = Some(journal.origin);
        });
        Ok(journal)
    }

    async fn lanes(&self, is_virtual: bool) -> Result<Vec<Lane>, ClusterError> {
        let configs = if is_virtual {
            vec![
                ("retention.ms", "-1".to_owned()),
                ("retention.bytes", VIRTUAL_RETENTION_BYTES.to_string()),
                ("segment.bytes", VIRTUAL_SEGMENT_BYTES.to_string()),
            ]
        } else {
            vec![("retention.ms", RETENTION_MS.to_string()), ("segment.ms", SEGMENT_MS.to_string())]
        };
        let mut lanes = Vec::new();
        for stream in STREAMS {
            self.cluster.ensure_topic(&TopicName::new(stream.topic), stream.partitions, &configs).await?;
            lanes.extend((0..stream.partitions).map(|partition| Lane {
                stream: stream.id,
                partition: PartitionId(partition),
                written_to: Timestamp::NONE,
                held: 0,
                records: Vec::new(),
            }));
        }
        self.cluster.ensure_topic(&TopicName::new(StreamId::TRUTH.topic()), 1, &configs).await?;
        lanes.push(Lane { stream: StreamId::TRUTH, partition: PartitionId(0), written_to: Timestamp::NONE, held: 0, records: Vec::new() });
        Ok(lanes)
    }

    /// Sets each lane's `written_to` and `held`. Others may have produced into the same partitions, even copies of our events: a record is
    /// ours if the chronicle has an event with its arrival, its partition and its bytes. Returns the newest arrival of any record.
    async fn recognise(
        &self,
        world: &Arc<World>,
        journal: &Journal,
        now: Timestamp,
        lanes: &mut [Lane],
    ) -> Result<Timestamp, ClusterError> {
        let mut newest = Timestamp::NONE;
        let earliest = now.plus_ms(-(HISTORY_MS + GRACE_MS)).max(journal.fill_from());
        let mut open: Vec<usize> = (0..lanes.len()).collect();
        let mut count = TAIL_RECORDS;
        while !open.is_empty() {
            let mut candidates: HashMap<(usize, Timestamp), Vec<Bytes>> = HashMap::new();
            let mut unread = Vec::new();
            for &index in &open {
                let Some(lane) = lanes.get(index) else { continue };
                let topic = TopicName::new(lane.stream.topic());
                let tail = self.cluster.tail(&topic, lane.partition, count).await?;
                let complete = tail.len() < count || tail.first().is_some_and(|record| record.timestamp < earliest);
                if !complete {
                    unread.push(index);
                }
                for StoredRecord { timestamp, value, .. } in tail {
                    newest = newest.max(timestamp);
                    if let (Some(value), true) = (value, timestamp >= earliest) {
                        candidates.entry((index, timestamp)).or_default().push(value);
                    }
                }
            }
            self.match_candidates(world, journal, &candidates, lanes).await;
            open = unread.into_iter().filter(|&index| lanes.get(index).is_some_and(|lane| lane.written_to == Timestamp::NONE)).collect();
            count *= 8;
        }
        Ok(newest)
    }

    /// Tells the stretch that the candidates span once more and notes each lane's last match.
    async fn match_candidates(
        &self,
        world: &Arc<World>,
        journal: &Journal,
        candidates: &HashMap<(usize, Timestamp), Vec<Bytes>>,
        lanes: &mut [Lane],
    ) {
        let arrivals = candidates.keys().map(|(_, arrival)| *arrival);
        let (Some(first), Some(last)) = (arrivals.clone().min(), arrivals.max()) else { return };
        // What claims to be from the future is nobody's we know; a little of it may be ours if the clock was set back.
        let last = last.min(self.clock.now().plus_ms(GRACE_MS));
        let mut chronicle = prepared(Chronicle::new(world.clone(), journal.origin, first)).await;
        // Each lane's millisecond, and how many of its events were told.
        let mut told = vec![(Timestamp::NONE, 0); lanes.len()];
        let mut in_slice = 0;
        while chronicle.next_arrival() <= last {
            let Some(event) = chronicle.next() else { break };
            let found = lanes.iter_mut().enumerate().find(|(_, lane)| lane.stream == event.stream && lane.partition == event.partition);
            let Some((index, lane)) = found else { continue };
            let Some(told) = told.get_mut(index) else { continue };
            *told = if told.0 == event.arrival { (told.0, told.1 + 1) } else { (event.arrival, 1) };
            if candidates.get(&(index, event.arrival)).is_some_and(|values| values.contains(&event.value)) {
                (lane.written_to, lane.held) = *told;
            }
            in_slice += 1;
            if in_slice == SLICE_EVENTS {
                in_slice = 0;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The chronicle with everything from before its start told, in slices.
pub(super) async fn prepared(mut chronicle: Chronicle) -> Chronicle {
    loop {
        for _ in 0..SLICE_CHAPTERS {
            if chronicle.prepare() {
                return chronicle;
            }
        }
        tokio::task::yield_now().await;
    }
}
