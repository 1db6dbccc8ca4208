//! Reads the partitions of one fetch request under its limits.

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;

use super::Context;
use super::fetch::Source;
use crate::broker::fetch_sessions::{Answered, FetchAsk};
use crate::broker::{AtLeast, LogView, Partition, ReadUpTo, read_error_code};
use crate::model::batch::Batches;
use crate::model::{BrokerId, ErrorCode, LeaderEpoch, Offset, PartitionId};
use crate::wire::fetch_response::{AbortedTransaction, CurrentLeader, DivergingEpoch, FetchedPartition};

/// What bounds one answer.
pub struct Limits {
    pub total_bytes: usize,
    read_committed: bool,
    /// A follower's id: nobody follows this broker.
    from_replica: bool,
    /// A negative total is refused at the first partition, as Kafka does.
    negative_total: bool,
    node_id: BrokerId,
    leader_in_errors: bool,
}

impl Limits {
    pub fn of(ctx: &Context, version: i16, request: &FetchRequest) -> Limits {
        let replica = if version >= 15 { request.replica_state.replica_id } else { request.replica_id };
        let cap = ctx.broker.configs.broker().fetch_bytes_max;
        Limits {
            total_bytes: usize::try_from(request.max_bytes).unwrap_or(0).min(cap),
            read_committed: request.isolation_level == 1,
            from_replica: replica.0 >= 0,
            negative_total: request.max_bytes < 0,
            node_id: ctx.broker.node.id,
            leader_in_errors: version >= 16,
        }
    }
}

/// What one partition contributes to the answer.
pub struct Served {
    pub error: ErrorCode,
    pub high_watermark: Offset,
    pub last_stable: Offset,
    pub log_start: Offset,
    pub diverging: Option<(LeaderEpoch, Offset)>,
    pub records: Vec<Bytes>,
    pub bytes: usize,
    aborted: Option<Vec<AbortedTransaction>>,
    current_leader: Option<CurrentLeader>,
}

impl Served {
    fn refused(error: ErrorCode, read_committed: bool) -> Served {
        Served {
            error,
            high_watermark: Offset::NONE,
            last_stable: Offset::NONE,
            log_start: Offset::NONE,
            diverging: None,
            records: Vec::new(),
            bytes: 0,
            aborted: read_committed.then(Vec::new),
            current_leader: None,
        }
    }

    pub fn note(&self) -> Answered {
        Answered {
            error: self.error,
            has_records: self.bytes > 0,
            diverging: self.diverging.is_some(),
            high_watermark: self.high_watermark,
            log_start: self.log_start,
        }
    }

    /// Whether the partition has moved on since this was read from it.
    pub fn is_stale(&self, partition: &Partition) -> bool {
        let view = partition.view();
        partition.is_deleted()
            || view.end_offset() != self.high_watermark
            || view.last_stable_offset() != self.last_stable
            || view.start_offset() != self.log_start
    }

    /// Behind the last record that is handed out, if any is.
    pub fn next_offset(&self) -> Option<Offset> {
        Batches::new(self.records.last()?).next_offset_at_end()
    }

    pub fn into_response(self, partition: PartitionId) -> FetchedPartition {
        FetchedPartition {
            index: partition,
            error_code: self.error,
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable,
            log_start_offset: self.log_start,
            aborted_transactions: self.aborted,
            diverging_epoch: self.diverging.map(|(epoch, end_offset)| DivergingEpoch { epoch, end_offset }),
            current_leader: self.current_leader,
            records: self.records,
        }
    }
}

/// Reads in order until the limit is reached. The first partition with records gives at least one batch, however large.
pub fn read_all(sources: &[Source], limits: &Limits) -> Vec<Served> {
    let mut left = limits.total_bytes;
    let mut none_yet = true;
    let mut served = Vec::with_capacity(sources.len());
    for source in sources {
        let one = match &source.partition {
            Err(error) => Served { aborted: Some(Vec::new()), ..Served::refused(*error, limits.read_committed) },
            Ok(partition) => read(partition, &source.wanted.ask, limits, left, none_yet),
        };
        left = left.saturating_sub(one.bytes);
        none_yet &= one.bytes == 0;
        served.push(one);
    }
    served
}

fn read(partition: &Partition, ask: &FetchAsk, limits: &Limits, left: usize, none_yet: bool) -> Served {
    let refused = |error| Served::refused(error, limits.read_committed);
    if partition.is_deleted() {
        return refused(ErrorCode::UnknownTopicOrPartition);
    }
    if limits.from_replica {
        return not_here(ErrorCode::NotLeaderOrFollower, partition.view().leader_epoch(), limits);
    }
    if limits.negative_total && none_yet {
        return refused(ErrorCode::UnknownServerError);
    }
    let view = partition.view();
    if let Some(error) = fenced(ask.current_leader_epoch, view.leader_epoch()) {
        return not_here(error, view.leader_epoch(), limits);
    }
    let mut served = Served {
        high_watermark: view.end_offset(),
        last_stable: view.last_stable_offset(),
        log_start: view.start_offset(),
        ..Served::refused(ErrorCode::None, limits.read_committed)
    };
    if ask.last_fetched_epoch >= 0 {
        match diverging(&view, ask) {
            Err(error) => return refused(error),
            Ok(Some(end)) => return Served { diverging: Some(end), ..served },
            Ok(None) => {}
        }
    }
    let max_bytes = left.min(usize::try_from(ask.partition_max_bytes).unwrap_or(0));
    let at_least = if none_yet { AtLeast::OneBatch } else { AtLeast::Nothing };
    let up_to = if limits.read_committed { ReadUpTo::LastStable } else { ReadUpTo::End };
    match view.read(Offset(ask.fetch_offset), max_bytes, at_least, up_to) {
        Ok(read) => {
            served.bytes = read.size;
            served.records = read.slices;
            served
        }
        // A deletion that came in between takes files away that were not open yet.
        Err(_) if partition.is_deleted() => refused(ErrorCode::UnknownTopicOrPartition),
        Err(error) => refused(read_error_code(&error)),
    }
}

/// An error about who leads. Whoever knows an older leader is told the current one (KIP-951); whoever knows a later one is not.
fn not_here(error: ErrorCode, leader_epoch: LeaderEpoch, limits: &Limits) -> Served {
    let told = limits.leader_in_errors && matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
    let current = CurrentLeader { leader_id: limits.node_id, leader_epoch };
    Served { current_leader: told.then_some(current), ..Served::refused(error, limits.read_committed) }
}

/// KIP-320: a client that knows another leader epoch than ours must look again.
pub fn fenced(asked: i32, current: LeaderEpoch) -> Option<ErrorCode> {
    match asked {
        ..0 => None,
        _ if asked < current.0 => Some(ErrorCode::FencedLeaderEpoch),
        _ if asked > current.0 => Some(ErrorCode::UnknownLeaderEpoch),
        _ => None,
    }
}

/// Where the log of a reader that last read `last_fetched_epoch` parted from ours, if it did.
fn diverging(view: &LogView, ask: &FetchAsk) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let (epoch, end) = view.end_offset_for_epoch(LeaderEpoch(ask.last_fetched_epoch)).ok_or(ErrorCode::OffsetOutOfRange)?;
    let parted = epoch.0 < ask.last_fetched_epoch || end.0 < ask.fetch_offset;
    Ok(parted.then_some((epoch, end)))
}

/// Brings cold records into memory on a blocking thread: a page fault must not stop the network thread.
pub async fn warm(sources: &[Source], limits: &Limits) {
    let cold: Vec<(LogView, Offset, usize)> = sources
        .iter()
        .filter_map(|source| {
            let view = source.partition.as_ref().ok()?.view();
            let from = Offset(source.wanted.ask.fetch_offset);
            let max_bytes = usize::try_from(source.wanted.ask.partition_max_bytes).unwrap_or(0).min(limits.total_bytes);
            let cold = from >= view.start_offset() && !view.is_hot(from) && !view.is_resident(from, max_bytes);
            cold.then_some((view, from, max_bytes))
        })
        .collect();
    if cold.is_empty() {
        return;
    }
    let total = limits.total_bytes;
    let read = move || {
        let mut left = total;
        for (view, from, max_bytes) in cold {
            left = left.saturating_sub(view.warm_blocking(from, max_bytes.min(left)));
            if left == 0 {
                break;
            }
        }
    };
    // A failure shows when the read itself is tried.
    let _ = tokio::task::spawn_blocking(read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(leader_in_errors: bool) -> Limits {
        let node_id = BrokerId(1);
        Limits { total_bytes: 1, read_committed: false, from_replica: false, negative_total: false, node_id, leader_in_errors }
    }

    #[test]
    fn the_current_leader_is_told_to_those_who_know_an_older_one() {
        let told = |error, in_errors| {
            not_here(error, LeaderEpoch(4), &limits(in_errors)).current_leader.map(|l| (l.leader_id.0, l.leader_epoch.0))
        };
        assert_eq!(told(ErrorCode::NotLeaderOrFollower, true), Some((1, 4)));
        assert_eq!(told(ErrorCode::FencedLeaderEpoch, true), Some((1, 4)));
        assert_eq!(told(ErrorCode::UnknownLeaderEpoch, true), None);
        assert_eq!(told(ErrorCode::FencedLeaderEpoch, false), None);
    }

    #[test]
    fn leader_epochs_are_compared_unless_unknown() {
        let of = |asked| fenced(asked, LeaderEpoch(4));
        assert_eq!((of(3), of(4), of(5), of(-1)), (Some(ErrorCode::FencedLeaderEpoch), None, Some(ErrorCode::UnknownLeaderEpoch), None));
    }
}
