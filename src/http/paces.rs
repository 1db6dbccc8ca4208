//! Of each topic: what came to its partitions lately, and when its last record came if that was before this process began.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::cluster::{Cluster, TopicSummary};
use crate::model::{Timestamp, TopicName};

/// Partitions that are asked for their last record at a time.
const PARTITIONS_ASKED: usize = 16;

#[derive(Default)]
pub(super) struct Paces {
    topics: Mutex<HashMap<TopicName, Kept>>,
}

#[derive(Default)]
struct Kept {
    pace: Pace,
    /// Of each partition, and when they were looked at.
    ends: Vec<i64>,
    looked_at: Option<Instant>,
    asked: bool,
}

/// How a topic did lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// The last record's time, of a topic that had records when this process began.
    pub last_write: Option<Timestamp>,
    /// Messages a second in each partition.
    pub partitions: Vec<f64>,
}

impl Paces {
    /// One look at the ends of all partitions.
    pub async fn look(&self, cluster: &dyn Cluster, at: Instant) {
        let topics = cluster.topics();
        self.note(at, &topics);
        self.ask_for_last(cluster, &topics).await;
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TopicName, Kept>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, at: Instant, topics: &[TopicSummary]) {
        let mut all = self.kept();
        let there: HashSet<&TopicName> = topics.iter().map(|topic| &topic.name).collect();
        all.retain(|name, _| there.contains(name));
        for topic in topics {
            let kept = all.entry(topic.name.clone()).or_default();
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
    async fn ask_for_last(&self, cluster: &dyn Cluster, topics: &[TopicSummary]) {
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
            if let Some(kept) = self.kept().get_mut(&topic.name) {
                kept.pace.last_write = kept.pace.last_write.or(newest);
            }
        }
    }

    fn begin_to_ask(&self, topic: &TopicName) -> bool {
        self.kept().get_mut(topic).is_some_and(|kept| kept.pace.last_write.is_none() && !std::mem::replace(&mut kept.asked, true))
    }

    pub fn pace(&self, topic: &str) -> Pace {
        self.kept().get(topic).map(|kept| kept.pace.clone()).unwrap_or_default()
    }
}
