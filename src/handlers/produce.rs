//! Produce (0), versions 3-12; 0-2 are listed and refused, as in Kafka (old librdkafka probes them to enable compression, KAFKA-18659).
//! Record errors: KIP-467 in v8, current leader: KIP-951 in v10, implicit transaction members: KIP-890 in v12.
//!
//! One batch per partition, the last where several are sent; checked, stamped and appended untouched. A partition whose bytes are no
//! batch fails the whole request. acks=0 is never answered: an error closes the connection. acks=1 and acks=-1 are the same with one
//! replica. Not implemented: transactional batches.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, TransactionalId};

use super::partition_map::{PartitionMap, TopicWishes};
use super::{Access, Api, Context, HangUp, Reply};
use crate::broker::meters::Meter;
use crate::broker::{AppendOutcome, AppendRefused, FlushWait, Partition, is_internal};
use crate::config::CompressionType;
use crate::model::batch::BatchHeader;
use crate::model::compress::SMALL_INPUT_BYTES;
use crate::model::request_seen::RequestFacts;
use crate::model::{Codec, ErrorCode, PartitionId, check_only_batch, opens_with_transaction};
use crate::security::{Operation, Resource};
use crate::wire::convert::text;

pub struct Produce;

/// A compressed batch up to this size is checked at once; larger ones on a thread that may take its time.
const INLINE_BYTES_MAX: usize = SMALL_INPUT_BYTES;

type Outcome = Result<AppendOutcome, AppendRefused>;
/// What was appended, and the flush that its answer has to wait for.
type Appended = Result<(AppendOutcome, Option<FlushWait>), AppendRefused>;

impl Api for Produce {
    const KEY: i16 = 0;
    const NAME: &'static str = "Produce";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=12;
    const ACCESS: Access = Access::Owner(ErrorCode::TopicAuthorizationFailed);
    const SERVED_FROM: i16 = 3;
    type Request = ProduceRequest;

    async fn handle(ctx: &Context, version: i16, request: ProduceRequest) -> Result<Reply, HangUp> {
        let acks = request.acks;
        let mut response = ProduceResponse::default();
        let mut failure = None;
        let may_write = |id: &TransactionalId| ctx.may(Operation::Write, Resource::transactional_id(&id.0));
        let refusal = refusal(&request, may_write);
        let mut batches = PartitionMap::new();
        let mut bytes = 0;
        for topic in &request.topic_data {
            for data in &topic.partition_data {
                bytes += data.records.as_ref().map_or(0, Bytes::len);
                batches.put(&topic.name, data.index, &data.records);
            }
        }
        let mut appended = Vec::new();
        for TopicWishes { topic, partitions } in batches.into_topics() {
            let mut of_topic = Vec::with_capacity(partitions.len());
            for (index, records) in partitions {
                let one = match &refusal {
                    Some(refused) => Err(refused.clone()),
                    None => append(ctx, version, &request, &topic.0, PartitionId(index), records).await,
                };
                of_topic.push((index, one));
            }
            appended.push((topic, of_topic));
        }
        for (topic, partitions) in appended {
            let mut answered = TopicProduceResponse::default();
            answered.name = topic.clone();
            let mut records = 0_u64;
            for (index, appended) in partitions {
                let outcome = flushed(appended).await;
                records = records.saturating_add(outcome.as_ref().map_or(0, written));
                ctx.note(|facts| tell(facts, &topic.0, &outcome));
                if let Err(refused) = &outcome {
                    ctx.broker.metrics.error(Self::KEY, refused.error);
                    failure.get_or_insert_with(|| format!("{:?} for {}-{index}", refused.error, topic.as_str()));
                }
                answered.partition_responses.push(answer(version, index, outcome));
            }
            if let (Some(principal), 1..) = (&ctx.principal, records) {
                ctx.broker.evidence.produced(principal, &topic.0, records, acks != 0, ctx.broker.now());
            }
            response.responses.push(answered);
        }
        ctx.note(|facts| {
            facts.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            facts.number = i32::from(acks);
        });
        ctx.charge(Meter::ProducedBytes, bytes as f64);
        response.throttle_time_ms = ctx.throttle_time_ms();
        match (acks, failure) {
            (0, None) => Ok(Reply::Nothing),
            (0, Some(failure)) => Err(HangUp::UnacknowledgedProduce(failure)),
            _ => ctx.reply(&response),
        }
    }
}

/// Why the whole request is refused before any partition is looked at.
fn refusal(request: &ProduceRequest, may_write: impl Fn(&TransactionalId) -> bool) -> Option<AppendRefused> {
    for records in request.topic_data.iter().flat_map(|topic| &topic.partition_data).filter_map(|data| data.records.as_ref()) {
        match opens_with_transaction(records) {
            Err(error) => return Some(AppendRefused::from(error)),
            Ok(true) if !request.transactional_id.as_ref().is_some_and(&may_write) => {
                return Some(AppendRefused::new(ErrorCode::TransactionalIdAuthorizationFailed));
            }
            // Kafka stops at the first transactional batch.
            Ok(true) => return None,
            Ok(false) => {}
        }
    }
    None
}

async fn append(
    ctx: &Context,
    version: i16,
    request: &ProduceRequest,
    topic: &str,
    index: PartitionId,
    records: &Option<Bytes>,
) -> Appended {
    let refused = |error| Err(AppendRefused::new(error));
    ctx.check_topic(Operation::Write, topic).map_err(AppendRefused::new)?;
    let Some(partition) = ctx.broker.catalog.get(topic).and_then(|t| t.partition(index)) else {
        return refused(ErrorCode::UnknownTopicOrPartition);
    };
    ctx.note(|facts| facts.name(partition.topic().shared()));
    let Some(records) = records else { return refused(ErrorCode::InvalidRecord) };
    check_only_batch(records, version)?;
    if !matches!(request.acks, -1..=1) {
        return refused(ErrorCode::InvalidRequiredAcks);
    }
    if is_internal(topic) {
        return refused(ErrorCode::InvalidTopicException);
    }
    if opens_with_transaction(records)? {
        // No transactional id was ever given out.
        return refused(ErrorCode::InvalidProducerIdMapping);
    }
    ctx.room_for_records(topic).map_err(|refused| AppendRefused { message: Some(refused.message), ..AppendRefused::new(refused.error) })?;
    if let Some(reason) = ctx.broker.space.refusal() {
        return Err(AppendRefused { message: Some(reason), ..AppendRefused::new(ErrorCode::KafkaStorageError) });
    }
    let outcome = if takes_long(records, &partition) {
        let (partition, records, now) = (Arc::clone(&partition), records.clone(), ctx.broker.now());
        let appended = tokio::task::spawn_blocking(move || partition.append(&records, version, now)).await;
        appended.unwrap_or_else(|_| Err(AppendRefused::new(ErrorCode::UnknownServerError)))
    } else {
        partition.append(records, version, ctx.broker.now())
    };
    if outcome.as_ref().is_err_and(|refused| refused.error == ErrorCode::KafkaStorageError) {
        ctx.broker.space.look_soon();
    }
    let outcome = outcome?;
    partition.checkpoint_after_much();
    let flush = if request.acks == 0 { None } else { ctx.broker.flusher.due(&partition, outcome.last_offset.plus(1)) };
    Ok((outcome, flush))
}

/// For the log of requests.
fn tell(facts: &mut RequestFacts, topic: &str, outcome: &Outcome) {
    facts.parts = facts.parts.saturating_add(1);
    match outcome {
        Ok(appended) => facts.records = facts.records.saturating_add(u32::try_from(written(appended)).unwrap_or(u32::MAX)),
        Err(refused) if facts.error == 0 => {
            facts.error = refused.error.code();
            facts.about = None;
            facts.name_text(topic);
        }
        Err(_) => {}
    }
}

/// Records that an append added.
fn written(outcome: &AppendOutcome) -> u64 {
    let added = outcome.last_offset.0.saturating_sub(outcome.base_offset.0).saturating_add(1);
    if outcome.duplicate { 0 } else { u64::try_from(added).unwrap_or(0) }
}

/// Flushes of several partitions were asked for before the first is waited for.
async fn flushed(appended: Appended) -> Outcome {
    let (outcome, flush) = appended?;
    if let Some(flush) = flush {
        flush.ended().await?;
    }
    Ok(outcome)
}

/// Whether checking has to decompress, or compress, enough to hold back the other connections of the network thread.
fn takes_long(records: &[u8], partition: &Partition) -> bool {
    let as_sent = partition.config().compression_type == CompressionType::Producer;
    let compressed = BatchHeader::parse(records).is_ok_and(|header| header.attributes.codec().is_ok_and(|codec| codec != Codec::None));
    records.len() > INLINE_BYTES_MAX && (compressed || !as_sent)
}

fn answer(version: i16, index: i32, outcome: Outcome) -> PartitionProduceResponse {
    let mut answered = PartitionProduceResponse::default();
    answered.index = index;
    match outcome {
        Ok(appended) => {
            answered.base_offset = appended.base_offset.0;
            answered.log_append_time_ms = appended.log_append_time.0;
            answered.log_start_offset = if version >= 5 { appended.log_start.0 } else { -1 };
        }
        Err(refused) => {
            answered.error_code = refused.error.code();
            answered.base_offset = -1;
            answered.log_append_time_ms = -1;
            answered.log_start_offset = if version >= 5 { refused.log_start.map_or(-1, |o| o.0) } else { -1 };
            if version >= 8 {
                answered.error_message = refused.message.as_deref().map(text);
                answered.record_errors = refused
                    .record_errors
                    .iter()
                    .map(|e| {
                        let mut one = BatchIndexAndErrorMessage::default();
                        one.batch_index = e.batch_index;
                        one.batch_index_error_message = Some(text(&e.message));
                        one
                    })
                    .collect();
            }
        }
    }
    answered
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use kafka_protocol::protocol::StrBytes;

    use crate::model::batch_builder::{BatchBuilder, NewRecord};
    use crate::model::compress::Codec;
    use crate::model::{ProducerEpoch, ProducerId};

    fn request(records: &[Bytes]) -> ProduceRequest {
        let mut topic = TopicProduceData::default();
        for one in records {
            let mut data = PartitionProduceData::default();
            data.records = Some(one.clone());
            topic.partition_data.push(data);
        }
        let mut request = ProduceRequest::default();
        request.topic_data = vec![topic];
        request
    }

    fn transactional() -> Bytes {
        let mut builder = BatchBuilder::new(Codec::None).producer(ProducerId(1), ProducerEpoch(0), 0).transactional();
        builder.append(NewRecord::default());
        builder.build().unwrap().to_bytes()
    }

    #[test]
    fn one_partition_without_a_batch_in_its_bytes_fails_the_whole_request() {
        let good = BatchBuilder::example(1).to_bytes();
        let garbage = Bytes::from_static(&[0xee; 100]);
        assert!(refusal(&request(&[good.clone(), Bytes::new()]), |_| true).is_none());
        let refused = refusal(&request(&[good, garbage.clone()]), |_| true).unwrap();
        assert_eq!((refused.error, refused.log_start), (ErrorCode::CorruptMessage, None));
        assert!(refused.message.is_some());
        let mut named = request(&[transactional(), garbage]);
        named.transactional_id = Some(StrBytes::from_static_str("t").into());
        assert!(refusal(&named, |_| true).is_none(), "nothing is looked at after a transactional batch");
    }

    #[test]
    fn a_transactional_batch_without_a_transactional_id_fails_the_whole_request() {
        let error = refusal(&request(&[BatchBuilder::example(1).to_bytes(), transactional()]), |_| true).map(|refused| refused.error);
        assert_eq!(error, Some(ErrorCode::TransactionalIdAuthorizationFailed));
    }
}
