//! SyncGroup (14), versions 0-5 (static members: KIP-345 in v3, protocol type and name: KIP-559 in v5).
//!
//! The leader hands in the assignments, everybody gets their own; who asks before the leader waits for it.

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::SyncGroupReply;
use crate::coordinator::group::request::SyncGroup as Sync;
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::{optional_owned, optional_text};

pub struct SyncGroup;

impl Api for SyncGroup {
    const KEY: i16 = 14;
    const NAME: &'static str = "SyncGroup";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = SyncGroupRequest;

    async fn handle(ctx: &Context, version: i16, request: SyncGroupRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        let sync = Sync {
            version,
            group: group.clone(),
            generation: request.generation_id,
            member_id: request.member_id.as_str().into(),
            instance_id: request.group_instance_id.as_ref().map(|id| id.as_str().into()),
            protocol_type: optional_owned(&request.protocol_type),
            protocol_name: optional_owned(&request.protocol_name),
            assignments: request
                .assignments
                .iter()
                .map(|a| (a.member_id.as_str().into(), bytes::Bytes::copy_from_slice(&a.assignment)))
                .collect(),
        };
        let answer = match ctx.check_group(Operation::Read, &group) {
            Ok(()) => ctx.broker.groups.ask(&group, Request::SyncGroup(sync)).await,
            Err(error) => Err(error),
        };
        let reply = match answer {
            Ok(Answer::SyncGroup(reply)) => reply,
            Ok(_) => SyncGroupReply::refused(ErrorCode::UnknownServerError),
            Err(error) => SyncGroupReply::refused(error),
        };
        let mut response = SyncGroupResponse::default();
        response.error_code = reply.error.code();
        if version >= 5 {
            response.protocol_type = optional_text(reply.protocol_type.as_deref());
            response.protocol_name = optional_text(reply.protocol_name.as_deref());
        }
        response.assignment = reply.assignment;
        ctx.reply(&response)
    }
}
