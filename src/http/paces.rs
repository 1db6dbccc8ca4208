//! How each topic did lately: a curve of five minutes, when something last came, and how fast each partition grows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::cluster::{Cluster, TopicSummary};
use crate::model::metrics::MetricsSnapshot;
use crate::model::{Timestamp, TopicName};

/// Samples from one point of a curve to the next, and points kept.
const SAMPLES_OF_A_POINT: u64 = 5;
const POINTS: usize = 60;
/// Partitions that are asked for their last record at a time.
const PARTITIONS_ASKED: usize = 16;

#[derive(Default)]
pub(super) struct Paces(Mutex<All>);

#[derive(Default)]
struct All {
    samples: u64,
    point_at: Option<Instant>,
    topics: HashMap<TopicName, Kept>,
}

#[derive(Default)]
struct Kept {
    messages: u64,
    messages_at_point: u64,
    pace: Pace,
    /// Of each partition, and when they were looked at.
    ends: Vec<i64>,
    looked_at: Option<Instant>,
    asked: bool,
}

/// How a topic did lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// Messages a second, one number for five seconds, newest last.
    pub curve: VecDeque<f64>,
    pub last_write: Option<Timestamp>,
    /// Messages a second in each partition.
    pub partitions: Vec<f64>,
}

impl Paces {
    /// One look at the counters; `wall` is the time of day.
    pub fn note(&self, at: Instant, wall: Timestamp, metrics: &MetricsSnapshot) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = paces.samples == 0;
        paces.samples = paces.samples.saturating_add(1);
        let due = paces.samples.is_multiple_of(SAMPLES_OF_A_POINT);
        let seconds = paces.point_at.map_or(0.0, |point| at.saturating_duration_since(point).as_secs_f64());
        for count in &metrics.topics {
            let kept = paces.topics.entry(count.topic.clone()).or_insert_with(|| {
                // Of what was there at the start it is not known when it came.
                let before = if first { count.messages_in } else { 0 };
                Kept { messages: before, messages_at_point: before, ..Kept::default() }
            });
            if count.messages_in != kept.messages {
                kept.messages = count.messages_in;
                kept.pace.last_write = Some(wall);
            }
            if due {
                let more = kept.messages.saturating_sub(kept.messages_at_point) as f64;
                kept.messages_at_point = kept.messages;
                if seconds > 0.0 {
                    kept.pace.curve.push_back((more / seconds * 10.0).round() / 10.0);
                }
                if kept.pace.curve.len() > POINTS {
                    kept.pace.curve.pop_front();
                }
            }
        }
        if due || first {
            paces.point_at = Some(at);
        }
        if due {
            let there: HashSet<&TopicName> = metrics.topics.iter().map(|count| &count.topic).collect();
            paces.topics.retain(|name, _| there.contains(name));
        }
    }

    /// Whether it is time to look at the partitions.
    pub fn looks_at_partitions(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).samples.is_multiple_of(SAMPLES_OF_A_POINT)
    }

    pub fn note_partitions(&self, at: Instant, topics: &[TopicSummary]) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            let Some(kept) = paces.topics.get_mut(&topic.name) else { continue };
            let ends: Vec<i64> = topic.partitions.iter().map(|partition| partition.end_offset.0).collect();
            let seconds = kept.looked_at.map_or(0.0, |before| at.saturating_duration_since(before).as_secs_f64());
            let rate = |(index, end): (usize, &i64)| {
                let before = kept.ends.get(index).copied().unwrap_or(*end);
                if seconds > 0.0 { (end.saturating_sub(before).max(0) as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 }
            };
            kept.pace.partitions = ends.iter().enumerate().map(rate).collect();
            (kept.ends, kept.looked_at) = (ends, Some(at));
        }
    }

    /// Of topics that were there at the start: when their last record came. A few at a time.
    pub async fn ask_for_last(&self, cluster: &dyn Cluster, topics: &[TopicSummary]) {
        let mut asked = 0;
        for topic in topics {
            let has_records = topic.partitions.iter().any(|partition| partition.end_offset > partition.start_offset);
            if asked >= PARTITIONS_ASKED || !has_records || !self.begin_to_ask(&topic.name) {
                continue;
            }
            let mut newest: Option<Timestamp> = None;
            for partition in topic.partitions.iter().filter(|p| p.end_offset > p.start_offset).take(PARTITIONS_ASKED) {
                asked += 1;
                let last = cluster.tail(&topic.name, partition.partition, 1).await.unwrap_or_default();
                newest = newest.max(last.last().map(|record| record.timestamp));
            }
            let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = paces.topics.get_mut(&topic.name) {
                kept.pace.last_write = kept.pace.last_write.or(newest);
            }
        }
    }

    fn begin_to_ask(&self, topic: &TopicName) -> bool {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paces.topics.get_mut(topic).is_some_and(|kept| kept.pace.last_write.is_none() && !std::mem::replace(&mut kept.asked, true))
    }

    pub fn of(&self, topic: &str) -> Pace {
        let paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paces.topics.get(topic).map(|kept| kept.pace.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::TopicCount;
    use std::time::Duration;

    #[test]
    fn a_point_is_a_mean_over_five_seconds_and_a_write_is_seen() {
        let (paces, start) = (Paces::default(), Instant::now());
        let count = |name: &str, messages_in| TopicCount { topic: name.into(), messages_in, bytes_in: 0, bytes_out: 0 };
        for second in 0..400_u64 {
            let mut topics = vec![count("old", 1_000), count("busy", second * 3)];
            if second >= 12 {
                topics.push(count("new", 10));
            }
            let metrics = MetricsSnapshot { topics, ..MetricsSnapshot::default() };
            paces.note(start + Duration::from_secs(second), Timestamp(second as i64 * 1_000), &metrics);
        }
        let busy = paces.of("busy");
        assert_eq!((busy.curve.len(), busy.last_write), (POINTS, Some(Timestamp(399_000))));
        assert!(busy.curve.iter().all(|rate| *rate == 3.0), "{:?}", busy.curve);
        assert_eq!((paces.of("old").last_write, paces.of("new").last_write), (None, Some(Timestamp(12_000))));
        assert!(paces.of("new").curve.iter().all(|rate| *rate == 0.0 || *rate == 2.0));
        let gone = MetricsSnapshot::default();
        (400..410).for_each(|second| paces.note(start + Duration::from_secs(second), Timestamp(0), &gone));
        assert_eq!(paces.of("busy"), Pace::default());
    }
}
