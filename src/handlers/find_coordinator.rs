//! FindCoordinator (10), versions 0-5 (key types: KIP-98, batches from v4: KIP-699).
//!
//! This broker coordinates everything, so the answer is always itself. The first look-up of a group creates `__consumer_offsets`.
//! Not implemented: share groups (key type 2, v6).

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Access, Api, Context, HangUp, Reply};
use crate::model::ErrorCode;
use crate::security::{Operation, Resource};

pub struct FindCoordinator;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

impl Api for FindCoordinator {
    const KEY: i16 = 10;
    const NAME: &'static str = "FindCoordinator";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = FindCoordinatorRequest;

    async fn handle(ctx: &Context, version: i16, request: FindCoordinatorRequest) -> Result<Reply, HangUp> {
        let key_type = if version >= 1 { request.key_type } else { GROUP };
        let error = match key_type {
            GROUP => ctx.broker.groups.ensure_offsets_topic().await.err(),
            TRANSACTION => None,
            _ => Some(ErrorCode::InvalidRequest),
        };
        let keys = if version >= 4 { request.coordinator_keys } else { vec![request.key] };
        let message = StrBytes::from_static_str(message(version, key_type, error));
        let barred = |key: &StrBytes| match key_type {
            GROUP => ctx.check_group(Operation::Describe, key).err(),
            TRANSACTION if !ctx.may(Operation::Describe, Resource::transactional_id(key)) => {
                Some(ErrorCode::TransactionalIdAuthorizationFailed)
            }
            _ => None,
        };
        let found: Vec<Coordinator> = keys
            .into_iter()
            .map(|key| {
                let error = barred(&key).or(error);
                coordinator(ctx, key, error, &message)
            })
            .collect();
        let mut response = FindCoordinatorResponse::default();
        if version >= 4 {
            response.coordinators = found;
        } else if let Some(one) = found.into_iter().next() {
            response.error_code = one.error_code;
            response.error_message = one.error_message;
            response.node_id = one.node_id;
            response.host = one.host;
            response.port = one.port;
        }
        ctx.reply(&response)
    }
}

/// From version 4 on only a key type that is none gets words; before, every answer does.
fn message(version: i16, key_type: i8, error: Option<ErrorCode>) -> &'static str {
    match (key_type, error) {
        (GROUP | TRANSACTION | SHARE, _) if version >= 4 => "",
        (_, None) => "NONE",
        (GROUP, Some(_)) => "the topic of the committed offsets cannot be created",
        _ => "the key type is neither group (0) nor transaction (1)",
    }
}

fn coordinator(ctx: &Context, key: StrBytes, error: Option<ErrorCode>, message: &StrBytes) -> Coordinator {
    let mut found = Coordinator::default();
    found.key = key;
    found.error_message = Some(message.clone());
    if let Some(error) = error {
        found.error_code = error.code();
        found.node_id = BrokerId(-1);
        found.port = -1;
        return found;
    }
    let (host, port) = ctx.advertised();
    found.node_id = BrokerId(ctx.broker.node.id.0);
    found.host = host;
    found.port = port;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batched_answers_have_words_for_unknown_key_types_only() {
        let refused = Some(ErrorCode::InvalidRequest);
        assert_eq!((message(3, GROUP, None), message(4, GROUP, None), message(4, SHARE, refused)), ("NONE", "", ""));
        assert!(!message(4, 9, refused).is_empty() && !message(3, SHARE, refused).is_empty());
    }
}
