//! JoinGroup (11), versions 0-9 (member id first: KIP-394 in v4, static members: KIP-345 in v5, protocol type in the answer: v7,
//! reason: KIP-800 in v8, skip_assignment: KIP-814 in v9).
//!
//! The answer comes when the rebalance does. Metadata is opaque, so every protocol type works.

use kafka_protocol::messages::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::protocol::StrBytes;

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::JoinGroupReply;
use crate::coordinator::group::request::{JoinGroup as Join, JoinProtocol};
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::Operation;
use crate::wire::convert::{optional_text, text};

pub struct JoinGroup;

impl Api for JoinGroup {
    const KEY: i16 = 11;
    const NAME: &'static str = "JoinGroup";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = JoinGroupRequest;

    async fn handle(ctx: &Context, version: i16, request: JoinGroupRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        if let Err(error) = ctx.check_group(Operation::Read, &group) {
            return ctx.reply(&response(version, JoinGroupReply::refused(error, Default::default())));
        }
        let member_id = request.member_id.as_str().into();
        let join = Join {
            version,
            group: group.clone(),
            member_id,
            instance_id: request.group_instance_id.as_ref().map(|id| id.as_str().into()),
            client_id: ctx.client_id().to_owned(),
            client_host: format!("/{}", ctx.peer.remote.ip()),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms },
            protocol_type: request.protocol_type.as_str().to_owned(),
            protocols: request
                .protocols
                .iter()
                // Copied, so that a long-lived member does not keep its whole request frame in memory.
                .map(|p| JoinProtocol { name: p.name.as_str().to_owned(), metadata: bytes::Bytes::copy_from_slice(&p.metadata) })
                .collect(),
        };
        if let Err(error) = ctx.room_for_group(&group).await {
            return ctx.reply(&response(version, JoinGroupReply::refused(error, Default::default())));
        }
        // From version 4 on a consumer that begins asks twice, the second time with the id that it was given.
        if let (Some(principal), true) = (&ctx.principal, request.member_id.is_empty()) {
            ctx.broker.evidence.joined(principal, &request.group_id.0, ctx.broker.now());
        }
        let reply = match ctx.broker.groups.ask(&group, Request::JoinGroup(join)).await {
            Ok(Answer::JoinGroup(reply)) => reply,
            Ok(_) => JoinGroupReply::refused(ErrorCode::UnknownServerError, request.member_id.as_str().into()),
            Err(error) => JoinGroupReply::refused(error, request.member_id.as_str().into()),
        };
        ctx.reply(&response(version, reply))
    }
}

fn response(version: i16, reply: JoinGroupReply) -> JoinGroupResponse {
    let mut response = JoinGroupResponse::default();
    response.error_code = reply.error.code();
    response.generation_id = reply.generation;
    // Null exists from v7 on.
    let name = |name: Option<std::sync::Arc<str>>| match name {
        None if version >= 7 => None,
        name => Some(text(name.as_deref().unwrap_or(""))),
    };
    response.protocol_type = if version >= 7 { optional_text(reply.protocol_type.as_deref()) } else { None };
    response.protocol_name = name(reply.protocol_name);
    response.leader = text(&reply.leader);
    response.skip_assignment = version >= 9 && reply.skip_assignment;
    response.member_id = text(&reply.member_id);
    response.members = reply
        .members
        .into_iter()
        .map(|m| {
            let mut member = JoinGroupResponseMember::default();
            member.member_id = text(&m.member_id);
            member.group_instance_id = if version >= 5 { m.instance_id.map(|id| StrBytes::from_string(id.to_string())) } else { None };
            member.metadata = m.metadata;
            member
        })
        .collect();
    response
}
