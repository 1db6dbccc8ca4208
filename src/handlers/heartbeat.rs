//! Heartbeat (12), versions 0-4 (static members: KIP-345 in v3).

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::request::Heartbeat as Beat;
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::Operation;

pub struct Heartbeat;

impl Api for Heartbeat {
    const KEY: i16 = 12;
    const NAME: &'static str = "Heartbeat";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = HeartbeatRequest;

    async fn handle(ctx: &Context, _version: i16, request: HeartbeatRequest) -> Result<Reply, HangUp> {
        let group = GroupId::from(request.group_id.as_str());
        ctx.note(|facts| facts.name(group.shared()));
        let beat = Beat {
            group: group.clone(),
            generation: request.generation_id,
            member_id: request.member_id.as_str().into(),
            instance_id: request.group_instance_id.as_ref().map(|id| id.as_str().into()),
        };
        let answer = match ctx.check_group(Operation::Read, &group) {
            Ok(()) => ctx.broker.groups.ask(&group, Request::Heartbeat(beat)).await,
            Err(error) => Err(error),
        };
        let error = match answer {
            Ok(Answer::Heartbeat(error)) | Err(error) => error,
            Ok(_) => ErrorCode::UnknownServerError,
        };
        let mut response = HeartbeatResponse::default();
        response.error_code = error.code();
        ctx.reply(&response)
    }
}
