//! DescribeGroups (15), versions 0-6 (authorized operations: KIP-430 in v3, static members: KIP-345 in v4, unknown groups: KIP-1043 in v6).
//!
//! An unknown group is "Dead" without an error up to v5, GROUP_ID_NOT_FOUND from v6 on.

use std::collections::HashSet;

use kafka_protocol::messages::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{DescribeGroupsResponse, DescribedGroup, DescribedGroupMember};

use super::access::OPERATIONS_OMITTED;
use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::reply::GroupDescription;
use crate::coordinator::group::request::DescribeGroup;
use crate::coordinator::group::{GroupId, Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::{Operation, Resource};
use crate::wire::convert::{optional_text, text};

pub struct DescribeGroups;

impl Api for DescribeGroups {
    const KEY: i16 = 15;
    const NAME: &'static str = "DescribeGroups";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const ACCESS: Access = Access::Owner(ErrorCode::GroupAuthorizationFailed);
    type Request = DescribeGroupsRequest;

    async fn handle(ctx: &Context, version: i16, request: DescribeGroupsRequest) -> Result<Reply, HangUp> {
        let mut response = DescribeGroupsResponse::default();
        // Each once, however often it is named: a small request must not ask for a large multiple of the same answer.
        let mut seen = HashSet::new();
        for asked in request.groups.iter().filter(|asked| seen.insert((*asked).clone())) {
            let group = GroupId::from(asked.as_str());
            let describe = Request::DescribeGroup(DescribeGroup { version, group: group.clone() });
            let answer = match ctx.check_group(Operation::Describe, &group) {
                Ok(()) => ctx.broker.groups.ask(&group, describe).await,
                Err(error) => Err(error),
            };
            let mut described = match answer {
                Ok(Answer::DescribeGroup(reply)) => describe_one(version, reply),
                other => failed(&group, other.err().unwrap_or(ErrorCode::UnknownServerError)),
            };
            let wanted = request.include_authorized_operations && described.error_code == 0;
            described.authorized_operations = if wanted { ctx.operations(Resource::group(&group)) } else { OPERATIONS_OMITTED };
            response.groups.push(described);
        }
        ctx.reply(&response)
    }
}

fn failed(group: &GroupId, error: ErrorCode) -> DescribedGroup {
    let mut described = DescribedGroup::default();
    described.group_id = kafka_protocol::messages::GroupId(text(group));
    described.error_code = error.code();
    described
}

fn describe_one(version: i16, reply: GroupDescription) -> DescribedGroup {
    let mut described = DescribedGroup::default();
    described.error_code = reply.error.code();
    if version >= 6 {
        described.error_message = optional_text(reply.error_message.as_deref());
    }
    described.group_id = kafka_protocol::messages::GroupId(text(&reply.group));
    described.group_state = text(reply.state);
    described.protocol_type = text(&reply.protocol_type);
    described.protocol_data = text(&reply.protocol);
    described.members = reply
        .members
        .into_iter()
        .map(|m| {
            let mut member = DescribedGroupMember::default();
            member.member_id = text(&m.member_id);
            member.group_instance_id = if version >= 4 { m.instance_id.map(|id| text(&id)) } else { None };
            member.client_id = text(&m.client_id);
            member.client_host = text(&m.client_host);
            member.member_metadata = m.metadata;
            member.member_assignment = m.assignment;
            member
        })
        .collect();
    described
}
