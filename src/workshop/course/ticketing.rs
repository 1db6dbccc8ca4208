//! Issuing tickets: which offsets, how much of them is still to come.

use std::collections::BTreeMap;
use std::ops::Range;

use futures_util::future::{try_join, try_join_all};

use super::student::Student;
use super::work::Issued;
use crate::cluster::{Cluster, ClusterError, PartitionSummary, TopicSummary};
use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::challenge::Place;
use crate::workshop::{Challenge, Random, Ticket, TicketWish};

/// How long an answer to a ticket is taken.
pub const TICKET_MS: i64 = 60 * 60 * 1000;
/// The rate of a partition is that of its records of the last so many milliseconds.
pub(super) const RATE_OVER_MS: i64 = 20_000;
/// More records than this are never awaited in one partition.
const LIVE_MAX: i64 = 50_000;
/// What is in a results topic is of no use after the workshop. Retention takes whole segments.
const RESULTS_CONFIGS: [(&str, &str); 3] = [("cleanup.policy", "delete"), ("retention.bytes", "67108864"), ("segment.bytes", "16777216")];
/// A topic without a limit of its own would grow with each ticket and verdict.
const NOTES_CONFIGS: [(&str, &str); 3] = [("cleanup.policy", "delete"), ("retention.bytes", "1048576"), ("segment.bytes", "1048576")];

pub(super) struct Issue<'a> {
    pub cluster: &'a dyn Cluster,
    pub random: &'a Random,
    pub student: &'a Student,
    pub challenge: &'a Challenge,
    pub now: Timestamp,
}

/// A ticket, and what may become of it before it expires.
pub(super) struct Made {
    pub issued: Issued,
    pub warning: Option<String>,
}

/// Where the answer to a challenge goes.
pub(super) fn answer_topic(student: &Student, challenge: &Challenge) -> Option<TopicName> {
    match challenge.sheet.submission.to {
        Place::ResultsTopic => Some(student.topic(challenge.id())),
        Place::OwnTopic => Some(TopicName::new(&student.own_topic)),
        Place::Receipt => None,
    }
}

pub(super) async fn ensure_results(cluster: &dyn Cluster, topic: &TopicName) -> Result<(), ClusterError> {
    cluster.ensure_topic(topic, 1, &RESULTS_CONFIGS.map(|(name, value)| (name, value.to_owned()))).await
}

pub(super) async fn ensure_notes(cluster: &dyn Cluster, topic: &TopicName) -> Result<(), ClusterError> {
    cluster.ensure_topic(topic, 1, &NOTES_CONFIGS.map(|(name, value)| (name, value.to_owned()))).await
}

impl Issue<'_> {
    pub async fn ticket(&self) -> Result<Made, ClusterError> {
        let wish = self.challenge.truth.wish();
        let results = answer_topic(self.student, self.challenge);
        if self.challenge.sheet.submission.to == Place::ResultsTopic
            && let Some(topic) = &results
        {
            ensure_results(self.cluster, topic).await?;
        }
        // Before the ranges are measured: what is written from then on may be an answer.
        let answers_to = match &results {
            Some(topic) => self.cluster.topic_now(topic.as_str()).await?,
            None => None,
        };
        let from = answers_to.iter().flat_map(|topic| &topic.partitions).map(|p| (p.partition, p.end_offset)).collect();
        let topics = try_join_all(wish.topics.iter().map(|name| self.known(name))).await?;
        let span = self.span(&wish, &topics).await?;
        let (mut ranges, mut live) = (BTreeMap::new(), BTreeMap::new());
        // All at the same time: another cluster takes a while to answer for each.
        let each = topics.iter().map(|topic| {
            let ranges = topic.partitions.iter().map(|partition| self.range(topic, partition, &span, wish.live_ms));
            try_join_all(ranges)
        });
        for (topic, found) in topics.iter().zip(try_join_all(each).await?) {
            let mut of_topic = BTreeMap::new();
            let mut to_come = 0_u64;
            for (partition, (range, awaited)) in topic.partitions.iter().zip(found) {
                to_come = to_come.saturating_add(u64::try_from(awaited).unwrap_or(0));
                of_topic.insert(partition.partition, (range.start, range.end));
            }
            ranges.insert(topic.name.clone(), of_topic);
            live.insert(topic.name.clone(), to_come);
        }
        let ids = topics.iter().chain(&answers_to).map(|topic| (topic.name.clone(), topic.id.to_string())).collect();
        let ticket = Ticket {
            student: self.student.id.clone(),
            challenge: self.challenge.id().to_owned(),
            nonce: self.random.nonce(),
            results,
            ranges,
            live,
            issued_ms: self.now,
            expires_ms: self.now.plus_ms(TICKET_MS),
        };
        Ok(Made { issued: Issued { ticket, from, ids }, warning: span.warning() })
    }

    async fn known(&self, name: &TopicName) -> Result<TopicSummary, ClusterError> {
        self.cluster.topic_now(name.as_str()).await?.ok_or_else(|| ClusterError {
            code: ErrorCode::UnknownTopicOrPartition,
            message: format!("there is no topic {name}: are the generators on?"),
        })
    }

    /// From when on the ticket reaches, drawn.
    async fn span(&self, wish: &TicketWish, topics: &[TopicSummary]) -> Result<Span, ClusterError> {
        let filled = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |partition| (&topic.name, partition)));
        let filled: Vec<_> = filled.filter(|(_, partition)| partition.end_offset > partition.start_offset).collect();
        let ends = filled.iter().map(|(name, partition)| async move {
            let last = self.cluster.tail(name, partition.partition, 1).await?;
            let first = self.cluster.read(name, partition.partition, partition.start_offset, 1).await?;
            Ok::<_, ClusterError>((first.first().map(|record| record.timestamp), last.last().map(|record| record.timestamp)))
        });
        let ends = try_join_all(ends).await?;
        let oldest = ends.iter().filter_map(|(first, _)| *first).min();
        let newest = ends.iter().filter_map(|(_, last)| *last).max();
        let loses = filled.iter().any(|(_, partition)| partition.start_offset > Offset::ZERO);
        // A clock of the generators' own, or a pause: the present is where the records end.
        let present = newest.unwrap_or(self.now).min(self.now);
        let there_are = present.since(oldest.unwrap_or(present)).max(0);
        // Of a short log everybody would get all, and the same.
        let (least, most) =
            if there_are < wish.history_ms.end { (there_are / 2, there_are) } else { (wish.history_ms.start, wish.history_ms.end) };
        let least = least.min(most).max(0);
        let drawn = self.random.below(usize::try_from(most.saturating_sub(least)).unwrap_or(0).max(1));
        let back = least.saturating_add(i64::try_from(drawn).unwrap_or(0));
        Ok(Span { from: present.plus_ms(-back), present, moves: self.now.since(present) < RATE_OVER_MS, oldest: oldest.filter(|_| loses) })
    }

    /// The range in one partition, and how many of its offsets do not exist yet.
    async fn range(
        &self,
        topic: &TopicSummary,
        partition: &PartitionSummary,
        span: &Span,
        live_ms: i64,
    ) -> Result<(Range<Offset>, i64), ClusterError> {
        let (name, id, end) = (&topic.name, partition.partition, partition.end_offset);
        let rate_since = span.present.plus_ms(-RATE_OVER_MS);
        let (start, rate_from) =
            try_join(self.cluster.offset_at(name, id, span.from), self.cluster.offset_at(name, id, rate_since)).await?;
        let (start, rate_from) = (start.max(partition.start_offset).min(end), rate_from.max(partition.start_offset));
        let lately = if span.moves { end.0.saturating_sub(rate_from.0).max(0) } else { 0 };
        let awaited = lately.saturating_mul(live_ms.max(0)).div_euclid(RATE_OVER_MS).min(LIVE_MAX);
        Ok((start..end.plus(awaited), awaited))
    }
}

struct Span {
    from: Timestamp,
    present: Timestamp,
    /// Records arrive now, and are stamped with the time that it is.
    moves: bool,
    /// The first record that is left, where some have gone already.
    oldest: Option<Timestamp>,
}

impl Span {
    /// Half of the records must be there for as long as the ticket is.
    fn warning(&self) -> Option<String> {
        let middle = self.from.plus_ms(self.present.since(self.from) / 2);
        let left_ms = middle.since(self.oldest?);
        let minutes = left_ms / 60_000;
        (left_ms < TICKET_MS).then(|| {
            format!("half of these records will have been deleted by the topic's retention in about {minutes} min: hand in before, or take a new ticket")
        })
    }
}

/// Records of a ticket that do not exist yet, and about how many seconds they take. `None` seconds: nothing arrives.
pub(super) async fn still_to_come(
    cluster: &dyn Cluster,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<Option<(i64, Option<i64>)>, ClusterError> {
    let (mut missing, mut wait_ms) = (0_i64, Some(0_i64));
    for (name, ranges) in &ticket.ranges {
        let Some(topic) = cluster.topic_now(name.as_str()).await? else { continue };
        let left = topic.partitions.iter().filter_map(|partition| {
            let (_, end) = ranges.get(&partition.partition)?;
            let left = end.0.saturating_sub(partition.end_offset.0);
            (left > 0).then_some((partition, left))
        });
        let rates = left.map(|(partition, left)| async move {
            let lately = lately(cluster, name, partition.partition, partition.end_offset, now).await?;
            Ok::<_, ClusterError>((left, lately))
        });
        for (left, lately) in try_join_all(rates).await? {
            missing = missing.saturating_add(left);
            let takes = if lately == 0 { None } else { Some(left.saturating_mul(RATE_OVER_MS) / lately) };
            wait_ms = wait_ms.zip(takes).map(|(a, b)| a.max(b));
        }
    }
    Ok((missing > 0).then(|| (missing, wait_ms.map(|ms| ms / 1000 + 1))))
}

async fn lately(cluster: &dyn Cluster, topic: &TopicName, id: PartitionId, end: Offset, now: Timestamp) -> Result<i64, ClusterError> {
    let from = cluster.offset_at(topic, id, now.plus_ms(-RATE_OVER_MS)).await?;
    Ok(end.0.saturating_sub(from.0).max(0))
}
