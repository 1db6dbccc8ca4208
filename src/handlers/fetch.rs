//! Fetch (1), versions 4-17 (incremental sessions: KIP-227 from v7, epochs: KIP-320 from v9, diverging epoch: KIP-595 in v12,
//! topic ids: KIP-516 from v13, current leader: KIP-951 from v16).
//!
//! Whole batches only, as slices of the segment maps. A request with less than `min_bytes` to answer waits on the bells of its
//! partitions until `max_wait_ms`. A topic or partition that does not exist does not end the wait of the others; an error found
//! while reading does. Not implemented: preferred read replicas (there is one replica), fetches by followers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::FetchRequest;
use tokio::time::Instant;

use super::fetch_read::{Limits, Served, read_all, warm};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::fetch_sessions::{FetchAsk, FetchKey, FetchScope, TopicRef, Wanted};
use crate::broker::meters::Meter;
use crate::broker::{Partition, Waiter};
use crate::model::request_seen::RequestFacts;
use crate::model::{ErrorCode, Offset, PartitionId, TopicId, TopicName};
use crate::security::{Operation, Principal};
use crate::wire::fetch_response::{self, FetchResponse, FetchedPartition, FetchedTopic};

pub struct Fetch;

const IDS_FROM: i16 = 13;

/// A partition of the request and where its records are, or why there are none.
pub struct Source {
    pub wanted: Wanted,
    pub partition: Result<Arc<Partition>, ErrorCode>,
}

impl Api for Fetch {
    const KEY: i16 = 1;
    const NAME: &'static str = "Fetch";
    const VERSIONS: std::ops::RangeInclusive<i16> = 4..=17;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    type Request = FetchRequest;

    async fn handle(ctx: &Context, version: i16, request: FetchRequest) -> Result<Reply, HangUp> {
        let by_id = version >= IDS_FROM;
        let asked = asked(ctx, by_id, &request);
        let forgotten = forgotten(by_id, &request);
        let (session_id, session_epoch) = if version >= 7 { (request.session_id, request.session_epoch) } else { (0, -1) };
        let sessions = &ctx.broker.fetch_sessions;
        let owner = ctx.principal.clone().unwrap_or_else(Principal::anonymous);
        let begun = sessions.begin(&owner, session_id, session_epoch, by_id, asked, forgotten, ctx.broker.now());
        let (scope, wanted) = match begun {
            Ok(begun) => begun,
            Err(error) => return answer(ctx, version, refused(error)),
        };
        let limits = Limits::of(ctx, version, &request);
        let sources: Vec<Source> = wanted.into_iter().map(|w| resolve(ctx, w)).collect();
        // Kafka looks at the isolation level once there is something to read.
        if !matches!(request.isolation_level, 0 | 1) && sources.iter().any(|s| s.partition.is_ok()) {
            return answer(ctx, version, refused_whole(by_id, &request, ErrorCode::UnknownServerError));
        }
        warm(&sources, &limits).await;
        let served = serve(&sources, &limits, &request).await;
        finish(ctx, version, scope, by_id, sources, served)
    }
}

/// The partitions of the request in order, each once; of a partition named twice the last wish counts.
fn asked(ctx: &Context, by_id: bool, request: &FetchRequest) -> Vec<Wanted> {
    let count = request.topics.iter().map(|topic| topic.partitions.len()).fold(0, usize::saturating_add);
    let mut places: HashMap<FetchKey, usize> = HashMap::new();
    let mut asked: Vec<Wanted> = Vec::with_capacity(count);
    for topic in &request.topics {
        let (reference, name) = if by_id {
            let id = TopicId(topic.topic_id.into_bytes());
            (TopicRef::Id(id), ctx.broker.catalog.by_id(id).map(|t| t.name.clone()))
        } else {
            (TopicRef::Name(TopicName::new(&topic.topic.0)), None)
        };
        for p in &topic.partitions {
            let ask = FetchAsk {
                fetch_offset: p.fetch_offset,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
                partition_max_bytes: p.partition_max_bytes,
            };
            let partition = PartitionId(p.partition);
            let wanted = Wanted { topic: reference.clone(), partition, ask, name: name.clone() };
            let place = if count == 1 { 0 } else { *places.entry((reference.clone(), partition)).or_insert(asked.len()) };
            match asked.get_mut(place) {
                Some(earlier) => *earlier = wanted,
                None => asked.push(wanted),
            }
        }
    }
    asked
}

fn forgotten(by_id: bool, request: &FetchRequest) -> Vec<FetchKey> {
    let reference = |name: &str, id: uuid::Uuid| {
        if by_id { TopicRef::Id(TopicId(id.into_bytes())) } else { TopicRef::Name(TopicName::new(name)) }
    };
    request
        .forgotten_topics_data
        .iter()
        .flat_map(|t| t.partitions.iter().map(move |p| (reference(&t.topic.0, t.topic_id), PartitionId(*p))))
        .collect()
}

fn resolve(ctx: &Context, wanted: Wanted) -> Source {
    let topic = match &wanted.topic {
        TopicRef::Name(name) => ctx.broker.catalog.get(name.as_str()).ok_or(ErrorCode::UnknownTopicOrPartition),
        TopicRef::Id(id) => ctx.broker.catalog.by_id(*id).ok_or(match wanted.name {
            Some(_) => ErrorCode::UnknownTopicOrPartition,
            None => ErrorCode::UnknownTopicId,
        }),
    };
    let topic = match &wanted.topic {
        TopicRef::Name(name) => ctx.check_topic(Operation::Read, name.as_str()).and(topic),
        TopicRef::Id(_) => topic.and_then(|topic| ctx.check_topic(Operation::Read, topic.name.as_str()).map(|()| topic)),
    };
    let partition = topic.and_then(|t| t.partition(wanted.partition).ok_or(ErrorCode::UnknownTopicOrPartition));
    Source { wanted, partition }
}

/// Reads, and waits for more where the request says so.
async fn serve(sources: &[Source], limits: &Limits, request: &FetchRequest) -> Vec<Served> {
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let min_bytes = u64::try_from(request.min_bytes).unwrap_or(0).min(limits.total_bytes as u64);
    let nothing_to_wait_for = request.max_wait_ms <= 0 || !sources.iter().any(|s| s.partition.is_ok());
    let enough = |served: &[Served]| {
        nothing_to_wait_for
            || served
                .iter()
                .zip(sources)
                .any(|(s, source)| source.partition.is_ok() && (s.error != ErrorCode::None || s.diverging.is_some()))
            || served.iter().map(|s| s.bytes as u64).sum::<u64>() >= min_bytes
    };
    let mut served = read_all(sources, limits);
    if enough(&served) {
        return served;
    }
    let waiter = Waiter::new();
    loop {
        for partition in sources.iter().filter_map(|s| s.partition.as_ref().ok()) {
            partition.bell().hang(&waiter);
        }
        // What came in before the bells hung has rung nowhere.
        let in_time = moved(sources, &served) || tokio::time::timeout_at(deadline, waiter.woken()).await.is_ok();
        if !in_time && !moved(sources, &served) {
            return served;
        }
        served = read_all(sources, limits);
        if !in_time || enough(&served) || Instant::now() >= deadline {
            return served;
        }
    }
}

/// Whether a read would find something else than was read.
fn moved(sources: &[Source], served: &[Served]) -> bool {
    sources.iter().zip(served).any(|(source, served)| source.partition.as_ref().is_ok_and(|partition| served.is_stale(partition)))
}

fn finish(ctx: &Context, version: i16, scope: FetchScope, by_id: bool, sources: Vec<Source>, served: Vec<Served>) -> Result<Reply, HangUp> {
    let notes = || served.iter().map(Served::note);
    let mut response = refused(ErrorCode::None);
    // Without a session, and when one begins, all partitions are in the answer.
    let carried: Vec<bool> = match scope {
        FetchScope::Sessionless => Vec::new(),
        FetchScope::Full => {
            let list = sources.iter().map(|s| s.wanted.clone()).zip(notes()).collect();
            let owner = ctx.principal.clone().unwrap_or_else(Principal::anonymous);
            response.session_id = ctx.broker.fetch_sessions.establish(&owner, by_id, list, ctx.broker.now());
            Vec::new()
        }
        FetchScope::Incremental(handle) => {
            let list: Vec<_> = sources.iter().map(|s| (s.wanted.topic.clone(), s.wanted.partition)).zip(notes()).collect();
            response.session_id = handle.id;
            match handle.changed(&list) {
                Ok(changed) => changed,
                Err(error) => return answer(ctx, version, refused(error)),
            }
        }
    };
    note(ctx, &sources, &served);
    ctx.note(|facts| tell(facts, &sources, &served));
    ctx.charge(Meter::FetchedBytes, served.iter().map(|served| served.bytes as f64).sum());
    response.throttle_time_ms = ctx.throttle_time_ms();
    let carried = carried.into_iter().chain(std::iter::repeat(true));
    for ((source, served), carried) in sources.iter().zip(served).zip(carried) {
        if served.error != ErrorCode::None {
            ctx.broker.metrics.error(Fetch::KEY, served.error);
        }
        if let Ok(partition) = &source.partition {
            partition.traffic.bytes_out.add(served.bytes as u64);
        }
        if carried {
            push(&mut response, source, served);
        }
    }
    answer(ctx, version, response)
}

/// For the log of requests. What records came from has been named before.
fn tell(facts: &mut RequestFacts, sources: &[Source], served: &[Served]) {
    facts.parts = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let bytes = served.iter().map(|served| served.bytes).fold(0, usize::saturating_add);
    facts.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    if let Some((source, failed)) = sources.iter().zip(served).find(|(_, served)| served.error != ErrorCode::None) {
        facts.error = failed.error.code();
        facts.about = None;
        name(facts, source);
    }
    if let Some(source) = sources.first() {
        name(facts, source);
    }
}

fn name(facts: &mut RequestFacts, source: &Source) {
    match (&source.partition, &source.wanted.topic, &source.wanted.name) {
        (Ok(partition), ..) => facts.name(partition.topic().shared()),
        (_, TopicRef::Name(name), _) | (_, _, Some(name)) => facts.name(name.shared()),
        _ => {}
    }
}

/// Notes which records were handed out to whom.
fn note(ctx: &Context, sources: &[Source], served: &[Served]) {
    let Some(principal) = &ctx.principal else { return };
    let handed = |(source, served): (&Source, &Served)| {
        let (partition, end) = (source.partition.as_ref().ok()?, served.next_offset()?);
        Some((partition.name.topic.clone(), source.wanted.partition, Offset(source.wanted.ask.fetch_offset)..end))
    };
    let handed: Vec<_> = sources.iter().zip(served).filter_map(handed).collect();
    ctx.note(|facts| {
        for (topic, _, offsets) in &handed {
            facts.name(topic.shared());
            let records = offsets.end.0.saturating_sub(offsets.start.0);
            facts.records = facts.records.saturating_add(u32::try_from(records).unwrap_or(0));
        }
    });
    if !handed.is_empty() {
        ctx.broker.evidence.fetched(principal, || ctx.peer.software_text(), &handed, ctx.broker.now());
    }
}

/// Consecutive partitions of one topic share its entry.
fn push(response: &mut FetchResponse, source: &Source, served: Served) {
    let partition = served.into_response(source.wanted.partition);
    let (name, id) = match &source.wanted.topic {
        TopicRef::Name(name) => (name.clone(), TopicId::ZERO),
        TopicRef::Id(id) => (TopicName::new(""), *id),
    };
    match response.topics.last_mut() {
        Some(last) if last.name == name && last.id == id => last.partitions.push(partition),
        _ => response.topics.push(FetchedTopic { name, id, partitions: vec![partition] }),
    }
}

fn refused(error_code: ErrorCode) -> FetchResponse {
    FetchResponse { throttle_time_ms: 0, error_code, session_id: 0, topics: Vec::new(), node_endpoints: Vec::new() }
}

/// Refuses everything that was named. By id the top-level error says enough.
fn refused_whole(by_id: bool, request: &FetchRequest, error: ErrorCode) -> FetchResponse {
    let partition =
        |index: i32| FetchedPartition { aborted_transactions: Some(Vec::new()), ..FetchedPartition::refused(PartitionId(index), error) };
    let topics = request.topics.iter().filter(|_| !by_id).map(|topic| FetchedTopic {
        name: TopicName::new(&topic.topic.0),
        id: TopicId::ZERO,
        partitions: topic.partitions.iter().map(|p| partition(p.partition)).collect(),
    });
    FetchResponse { session_id: request.session_id, topics: topics.collect(), ..refused(error) }
}

fn answer(ctx: &Context, version: i16, response: FetchResponse) -> Result<Reply, HangUp> {
    if response.error_code != ErrorCode::None {
        ctx.note(|facts| facts.error = response.error_code.code());
    }
    Ok(Reply::Parts(fetch_response::encode(version, ctx.header.correlation_id, response)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};

    #[test]
    fn a_fetch_refused_as_a_whole_names_its_partitions_unless_they_came_by_id() {
        let mut topic = FetchTopic::default();
        topic.topic = crate::wire::convert::wire_topic_name(&TopicName::new("a"));
        topic.partitions = vec![FetchPartition::default(), FetchPartition::default()];
        let mut request = FetchRequest::default();
        request.session_id = 9;
        request.topics = vec![topic];
        let by_name = refused_whole(false, &request, ErrorCode::UnknownServerError);
        assert_eq!((by_name.session_id, by_name.error_code), (9, ErrorCode::UnknownServerError));
        assert_eq!(by_name.topics.iter().map(|t| (t.name.as_str(), t.partitions.len())).collect::<Vec<_>>(), [("a", 2)]);
        assert!(by_name.topics[0].partitions.iter().all(|p| p.error_code == ErrorCode::UnknownServerError));
        assert!(refused_whole(true, &request, ErrorCode::UnknownServerError).topics.is_empty());
    }
}
