//! Some records of a topic, within a budget: a command reads so much and no more.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, ClusterError, StoredRecord, TopicSummary};
use crate::model::{Offset, PartitionId, Timestamp};

const RECORDS_MAX: usize = 200_000;
const BYTES_MAX: usize = 32 << 20;
const WITHIN: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 1 << 20;
/// Offsets that are looked at first, when it goes backwards; then four times as many.
const STEP: i64 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The newest.
    End,
    Start,
    At(Offset),
}

pub struct Wish<'a> {
    pub topic: &'a TopicSummary,
    /// `None`: all of them.
    pub partition: Option<PartitionId>,
    pub begin: Begin,
    pub count: usize,
    /// What is in the key, the value or a header.
    pub filter: Option<&'a str>,
}

pub struct Found<T> {
    pub records: Vec<T>,
    pub looked_at: usize,
    /// The budget was used up before there were enough.
    pub cut: bool,
}

struct Budget {
    records: usize,
    bytes: usize,
    until: Instant,
}

impl Budget {
    fn is_used_up(&self) -> bool {
        self.records >= RECORDS_MAX || self.bytes >= BYTES_MAX || Instant::now() >= self.until
    }
}

type Kept<T> = (Timestamp, PartitionId, Offset, T);

/// `show` is asked at once, so that no large record is kept. Oldest first.
pub async fn read<T>(cluster: &dyn Cluster, wish: &Wish<'_>, show: impl Fn(&StoredRecord) -> T) -> Result<Found<T>, ClusterError> {
    let mut budget = Budget { records: 0, bytes: 0, until: Instant::now() + WITHIN };
    let mut kept: Vec<Kept<T>> = Vec::new();
    let filter = wish.filter.map(|filter| memchr::memmem::Finder::new(filter.as_bytes()));
    let matches = |record: &StoredRecord| {
        filter.as_ref().is_none_or(|filter| {
            let parts = [&record.key, &record.value].into_iter().flatten();
            let headers = record.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]).flatten();
            parts.map(|part| &part[..]).chain(headers).any(|part| filter.find(part).is_some())
        })
    };
    let partitions: Vec<_> = wish.topic.partitions.iter().filter(|p| wish.partition.is_none_or(|wanted| p.partition == wanted)).collect();
    for partition in partitions {
        let (id, start, end) = (partition.partition, partition.start_offset, partition.end_offset);
        let (mut from, mut until, mut step) = match wish.begin {
            Begin::Start => (start, end, 0),
            Begin::At(offset) => (offset.clamp(start, end), end, 0),
            Begin::End => (Offset(end.0.saturating_sub(STEP.max(i64::try_from(wish.count).unwrap_or(STEP)))).max(start), end, STEP),
        };
        let mut found = 0;
        // Forwards it is one round; backwards each round looks at what lies before the last.
        loop {
            let mut at = from;
            while at < until && (step > 0 || found < wish.count) && !budget.is_used_up() {
                let records = cluster.read(&wish.topic.name, id, at, CHUNK_BYTES).await?;
                let Some(next) = records.last().map(|record| record.offset.plus(1)).filter(|next| *next > at) else { break };
                for record in records.iter().filter(|record| record.offset >= at && record.offset < until) {
                    budget.records = budget.records.saturating_add(1);
                    budget.bytes = budget.bytes.saturating_add(record.size());
                    if matches(record) && (step > 0 || found < wish.count) {
                        found = found.saturating_add(1);
                        kept.push((record.timestamp, id, record.offset, show(record)));
                    }
                }
                at = next;
            }
            if step == 0 || from <= start || found >= wish.count || budget.is_used_up() {
                break;
            }
            step = step.saturating_mul(4);
            until = from;
            from = Offset(until.0.saturating_sub(step)).max(start);
        }
        trim(&mut kept, wish);
    }
    Ok(Found {
        cut: budget.is_used_up() && kept.len() < wish.count,
        looked_at: budget.records,
        records: kept.into_iter().map(|kept| kept.3).collect(),
    })
}

/// The newest of them, or the oldest.
fn trim<T>(kept: &mut Vec<Kept<T>>, wish: &Wish<'_>) {
    kept.sort_by_key(|(at, partition, offset, _)| (*at, *partition, *offset));
    let over = kept.len().saturating_sub(wish.count);
    match wish.begin {
        Begin::End => drop(kept.drain(..over)),
        Begin::Start | Begin::At(_) => kept.truncate(wish.count),
    }
}
