//! InitProducerId (22), versions 0-5 (KIP-98, resuming with an id and epoch: KIP-360 in v3).
//!
//! Gives an idempotent producer a fresh id with epoch 0, every time it asks; who asks too often waits. Not implemented: transactional ids, which are answered
//! with UNSUPPORTED_VERSION (the APIs of transactions are not listed either).

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{Access, Api, Context, HangUp, Reply};
use crate::model::ErrorCode;
use crate::security::{Operation, Resource, ResourceType};

pub struct InitProducerId;

impl Api for InitProducerId {
    const KEY: i16 = 22;
    const NAME: &'static str = "InitProducerId";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const ACCESS: Access = Access::LoggedIn;
    type Request = InitProducerIdRequest;

    async fn handle(ctx: &Context, version: i16, request: InitProducerIdRequest) -> Result<Reply, HangUp> {
        let mut response = InitProducerIdResponse::default();
        response.producer_id = ProducerId(-1);
        response.producer_epoch = -1;
        let wait = ctx.peer.wait_for_producer_id(ctx.broker.configs.broker().producer_ids_rate_max);
        response.throttle_time_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        tokio::time::sleep(wait).await;
        match allocate(ctx, version, &request).await {
            Ok(id) => (response.producer_id, response.producer_epoch) = (ProducerId(id), 0),
            Err(error) => response.error_code = error.code(),
        }
        ctx.reply(&response)
    }
}

async fn allocate(ctx: &Context, version: i16, request: &InitProducerIdRequest) -> Result<i64, ErrorCode> {
    if request.transactional_id.as_ref().is_some_and(|id| !ctx.may(Operation::Write, Resource::transactional_id(&id.0))) {
        return Err(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    if request.transactional_id.is_none()
        && !ctx.may(Operation::IdempotentWrite, Resource::CLUSTER)
        && !ctx.may_on_any(Operation::Write, ResourceType::Topic)
    {
        return Err(ErrorCode::ClusterAuthorizationFailed);
    }
    let half_given = (request.producer_id.0 == -1) != (request.producer_epoch == -1);
    match &request.transactional_id {
        Some(id) if id.0.is_empty() => return Err(ErrorCode::InvalidRequest),
        Some(_) => return Err(ErrorCode::UnsupportedVersion),
        None if version >= 3 && half_given => return Err(ErrorCode::InvalidRequest),
        None => {}
    }
    let broker = std::sync::Arc::clone(&ctx.broker);
    let allocated = tokio::task::spawn_blocking(move || broker.producer_ids.allocate()).await;
    match allocated {
        Ok(Ok(id)) => Ok(id.0),
        other => {
            tracing::error!(?other, "cannot reserve producer ids");
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }
}
