//! Traffic per second over the last seconds, from counters that only grow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::model::TopicName;
use crate::model::metrics::MetricsSnapshot;

/// Samples kept: with one a second, rates are means over five seconds.
const SAMPLES: usize = 6;

#[derive(Default)]
pub(super) struct Rates {
    samples: Mutex<VecDeque<Sample>>,
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
