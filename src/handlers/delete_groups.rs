//! DeleteGroups (42), versions 0-2 (KIP-229).
//!
//! Only groups without members can be deleted; their committed offsets go with them. A group named twice is answered once.

use std::collections::HashSet;

use kafka_protocol::messages::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::Operation;

pub struct DeleteGroups;

impl Api for DeleteGroups {
    const KEY: i16 = 42;
    const NAME: &'static str = "DeleteGroups";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = DeleteGroupsRequest;

    async fn handle(ctx: &Context, _version: i16, request: DeleteGroupsRequest) -> Result<Reply, HangUp> {
        let mut response = DeleteGroupsResponse::default();
        let mut seen = HashSet::new();
        for asked in request.groups_names {
            if !seen.insert(asked.clone()) {
                continue;
            }
            let group = GroupId::from(asked.as_str());
            let answer = match ctx.check_group(Operation::Delete, &group) {
                Ok(()) => ctx.broker.groups.ask(&group, Request::DeleteGroup(group.clone())).await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(Answer::DeleteGroup(error)) | Err(error) => error,
                Ok(_) => ErrorCode::UnknownServerError,
            };
            let mut result = DeletableGroupResult::default();
            result.group_id = asked;
            result.error_code = error.code();
            response.results.push(result);
        }
        ctx.reply(&response)
    }
}
