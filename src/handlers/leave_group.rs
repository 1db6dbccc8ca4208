//! LeaveGroup (13), versions 0-5 (several members at once: KIP-345 in v3, reason: KIP-800 in v5).
//!
//! Up to v2 one member leaves and its error is the answer's; from v3 on each member has its own.

use kafka_protocol::messages::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::LeaveGroupReply;
use crate::coordinator::group::request::{LeaveGroup as Leave, LeavingMember};
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::text;

pub struct LeaveGroup;

impl Api for LeaveGroup {
    const KEY: i16 = 13;
    const NAME: &'static str = "LeaveGroup";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = LeaveGroupRequest;

    async fn handle(ctx: &Context, version: i16, request: LeaveGroupRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        let members = if version >= 3 {
            request
                .members
                .iter()
                .map(|m| LeavingMember {
                    member_id: m.member_id.as_str().into(),
                    instance_id: m.group_instance_id.as_ref().map(|id| id.as_str().into()),
                })
                .collect()
        } else {
            vec![LeavingMember { member_id: request.member_id.as_str().into(), instance_id: None }]
        };
        let leave = Request::LeaveGroup(Leave { group: group.clone(), members });
        let answer = match ctx.check_group(Operation::Read, &group) {
            Ok(()) => ctx.broker.groups.ask(&group, leave).await,
            Err(error) => Err(error),
        };
        let reply = match answer {
            Ok(Answer::LeaveGroup(reply)) => {
                note(ctx, &group, &reply);
                reply
            }
            Ok(_) => LeaveGroupReply { error: ErrorCode::UnknownServerError, members: Vec::new() },
            Err(error) => LeaveGroupReply { error, members: Vec::new() },
        };
        ctx.reply(&response(version, reply))
    }
}

fn note(ctx: &Context, group: &GroupId, reply: &LeaveGroupReply) {
    let left = reply.error == ErrorCode::None && reply.members.iter().any(|member| member.error == ErrorCode::None);
    if let (Some(principal), true) = (&ctx.principal, left) {
        ctx.broker.evidence.left(principal, group, ctx.broker.now());
    }
}

fn response(version: i16, reply: LeaveGroupReply) -> LeaveGroupResponse {
    let mut response = LeaveGroupResponse::default();
    response.error_code = reply.error.code();
    if version < 3 {
        if let (ErrorCode::None, Some(only)) = (reply.error, reply.members.first()) {
            response.error_code = only.error.code();
        }
        return response;
    }
    response.members = reply
        .members
        .into_iter()
        .map(|m| {
            let mut left = MemberResponse::default();
            left.member_id = text(&m.member_id);
            left.group_instance_id = m.instance_id.map(|id| text(&id));
            left.error_code = m.error.code();
            left
        })
        .collect();
    response
}
