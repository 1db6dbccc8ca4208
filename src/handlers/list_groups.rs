//! ListGroups (16), versions 0-5 (states filter: KIP-518 in v4, types filter: KIP-848 in v5).

use kafka_protocol::messages::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};

use super::{Access, Api, Context, HangUp, Reply};
use crate::coordinator::group::request::ListGroups as List;
use crate::coordinator::group::{Reply as Answer, Request};
use crate::model::ErrorCode;
use crate::security::{Operation, Resource};
use crate::wire::convert::{owned, text};

pub struct ListGroups;

impl Api for ListGroups {
    const KEY: i16 = 16;
    const NAME: &'static str = "ListGroups";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const ACCESS: Access = Access::LoggedIn;
    type Request = ListGroupsRequest;

    async fn handle(ctx: &Context, version: i16, request: ListGroupsRequest) -> Result<Reply, HangUp> {
        let list =
            List { states: request.states_filter.iter().map(owned).collect(), types: request.types_filter.iter().map(owned).collect() };
        let mut response = ListGroupsResponse::default();
        let answers = match ctx.broker.groups.ask_all(Request::ListGroups(list)).await {
            Ok(answers) => answers,
            Err(error) => {
                response.error_code = error.code();
                Vec::new()
            }
        };
        let sees_all = ctx.may(Operation::Describe, Resource::CLUSTER);
        for answer in answers {
            let Answer::ListGroups(reply) = answer else { continue };
            if reply.error != ErrorCode::None {
                response.error_code = reply.error.code();
            }
            let mine = reply.groups.into_iter().filter(|g| sees_all || ctx.may(Operation::Describe, Resource::group(&g.group)));
            response.groups.extend(mine.map(|g| {
                let mut listed = ListedGroup::default();
                listed.group_id = kafka_protocol::messages::GroupId(text(&g.group));
                listed.protocol_type = text(&g.protocol_type);
                if version >= 4 {
                    listed.group_state = text(g.state);
                }
                if version >= 5 {
                    listed.group_type = text(g.group_type);
                }
                listed
            }));
        }
        ctx.reply(&response)
    }
}
