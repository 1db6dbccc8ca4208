//! Traffic per second over the last seconds, from counters that only grow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::cluster::{Cluster, TopicSummary};
use crate::model::metrics::MetricsSnapshot;
use crate::model::{Timestamp, TopicName};

/// Samples kept: with one a second, rates are means over five seconds.
const SAMPLES: usize = 6;

/// Samples from one point of a curve to the next, and points kept.
const SAMPLES_OF_A_POINT: u64 = 5;
const POINTS: usize = 60;
/// Partitions that are asked for their last record at a time.
const PARTITIONS_ASKED: usize = 16;

#[derive(Default)]
pub(super) struct Rates {
    samples: Mutex<VecDeque<Sample>>,
    paces: Mutex<Paces>,
}

#[derive(Default)]
struct Paces {
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

struct Sample {
    at: Instant,
    bytes_in: u64,
    bytes_out: u64,
    messages: u64,
    topics: HashMap<TopicName, (u64, u64)>,
}

/// Per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub messages_in: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub topics: HashMap<TopicName, TopicRate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TopicRate {
    pub messages_in: f64,
    pub bytes_in: f64,
}

impl Rates {
    /// One look at the counters; `wall` is the time of day.
    pub fn note_paces(&self, at: Instant, wall: Timestamp, metrics: &MetricsSnapshot) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
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
            let there: std::collections::HashSet<&TopicName> = metrics.topics.iter().map(|count| &count.topic).collect();
            paces.topics.retain(|name, _| there.contains(name));
        }
    }

    /// Whether it is time to look at the partitions.
    pub fn looks_at_partitions(&self) -> bool {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).samples.is_multiple_of(SAMPLES_OF_A_POINT)
    }

    pub fn note_partitions(&self, at: Instant, topics: &[TopicSummary]) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
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
            let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = paces.topics.get_mut(&topic.name) {
                kept.pace.last_write = kept.pace.last_write.or(newest);
            }
        }
    }

    fn begin_to_ask(&self, topic: &TopicName) -> bool {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        paces.topics.get_mut(topic).is_some_and(|kept| kept.pace.last_write.is_none() && !std::mem::replace(&mut kept.asked, true))
    }

    pub fn pace(&self, topic: &str) -> Pace {
        let paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        paces.topics.get(topic).map(|kept| kept.pace.clone()).unwrap_or_default()
    }

    pub fn sample(&self, at: Instant, metrics: &MetricsSnapshot) {
        let sample = Sample {
            at,
            // Of records, generated ones included: the sockets alone would not fit the messages beside it.
            bytes_in: metrics.topics.iter().map(|t| t.bytes_in).sum(),
            bytes_out: metrics.bytes_out,
            messages: metrics.topics.iter().map(|t| t.messages_in).sum(),
            topics: metrics.topics.iter().map(|t| (t.topic.clone(), (t.messages_in, t.bytes_in))).collect(),
        };
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// Zeros until there are two samples. A topic that was not there at the first sample counts from nothing.
    pub fn rate(&self) -> Rate {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else { return Rate::default() };
        let seconds = last.at.saturating_duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return Rate::default();
        }
        let per_second = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        let topic = |(name, (messages, bytes)): (&TopicName, &(u64, u64))| {
            let (messages_before, bytes_before) = first.topics.get(name).copied().unwrap_or_default();
            let rate = TopicRate { messages_in: per_second(messages_before, *messages), bytes_in: per_second(bytes_before, *bytes) };
            (name.clone(), rate)
        };
        Rate {
            messages_in: per_second(first.messages, last.messages),
            bytes_in: per_second(first.bytes_in, last.bytes_in),
            bytes_out: per_second(first.bytes_out, last.bytes_out),
            topics: last.topics.iter().map(topic).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::TopicCount;
    use std::time::Duration;

    #[test]
    fn rates_are_means_over_the_samples_kept() {
        let rates = Rates::default();
        assert_eq!(rates.rate(), Rate::default());
        let start = Instant::now();
        for second in 0..10u64 {
            let topics = vec![TopicCount { topic: "t".into(), messages_in: second * second, bytes_in: second * 100, bytes_out: 0 }];
            let metrics = MetricsSnapshot { bytes_in: second * 7, topics, ..MetricsSnapshot::default() };
            rates.sample(start + Duration::from_secs(second), &metrics);
        }
        let rate = rates.rate();
        assert_eq!((rate.bytes_in, rate.messages_in), (100.0, (81.0 - 16.0) / 5.0));
        assert_eq!(rate.topics.get("t").map(|t| t.bytes_in), Some(100.0));
    }
}
