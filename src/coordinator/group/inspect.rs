//! DescribeGroups, ListGroups, DeleteGroups.

use bytes::Bytes;

use super::GroupId;
use super::offsets::{group_tombstones, offset_tombstones};
use super::rebalance::Turn;
use super::reply::{DescribedMember, GroupDescription, ListGroupsReply, ListedGroup, SurveyedGroup};
use super::request::{DescribeGroup, ListGroups};
use super::shard::{Groups, Hard};
use super::state::{ClassicGroup, GroupState, Member};
use crate::model::ErrorCode;

const CLASSIC: &str = "classic";
const DEAD: &str = "Dead";
/// From this version on an unknown group is an error and not just dead (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

pub(super) fn describe(groups: &Groups, request: DescribeGroup) -> GroupDescription {
    match groups.get(&request.group) {
        Some(group) => describe_known(group),
        None => {
            let found = request.version < NOT_FOUND_FROM;
            GroupDescription {
                error: if found { ErrorCode::None } else { ErrorCode::GroupIdNotFound },
                error_message: if found { None } else { Some(format!("Group {} not found.", request.group)) },
                group: request.group,
                state: DEAD,
                protocol_type: "".into(),
                protocol: "".into(),
                members: Vec::new(),
            }
        }
    }
}

/// Outside Stable the protocol is not settled and not shown; assignments are those of the last round.
fn describe_known(group: &ClassicGroup) -> GroupDescription {
    let settled = group.protocol.as_ref().filter(|_| group.state == GroupState::Stable);
    let member = |m: &Member| DescribedMember {
        member_id: m.id.clone(),
        instance_id: m.instance_id.clone(),
        client_id: m.client_id.clone(),
        client_host: m.client_host.clone(),
        metadata: settled.map_or_else(Bytes::new, |protocol| m.metadata_for(Some(protocol))),
        assignment: m.assignment.clone(),
    };
    GroupDescription {
        error: ErrorCode::None,
        error_message: None,
        group: group.id.clone(),
        state: group.state.name(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol: settled.cloned().unwrap_or_default(),
        members: group.members.values().map(member).collect(),
    }
}

pub(super) fn list(groups: &Groups, filters: &ListGroups) -> ListGroupsReply {
    let passes = |filter: &[String], value: &str| filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value));
    // Kafka forgives spaces around a state, not around a type.
    let states: Vec<String> = filters.states.iter().map(|state| state.trim().to_owned()).collect();
    let wanted = |group: &&ClassicGroup| passes(&states, group.state.name()) && passes(&filters.types, CLASSIC);
    let listed = groups.values().filter(wanted).map(|group| ListedGroup {
        group: group.id.clone(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        state: group.state.name(),
        group_type: CLASSIC,
    });
    ListGroupsReply { error: ErrorCode::None, groups: listed.collect() }
}

pub(super) fn survey(groups: &Groups, hard: &Hard) -> Vec<SurveyedGroup> {
    let committed = |group: &ClassicGroup| {
        let offsets = hard.groups.get(&group.id).into_iter().flat_map(|group| &group.offsets);
        offsets.flat_map(|(topic, all)| all.iter().map(move |(id, committed)| (topic.clone(), *id, committed.offset))).collect()
    };
    let survey = |group: &ClassicGroup| SurveyedGroup {
        group: group.id.clone(),
        state: group.state.name(),
        group_type: CLASSIC,
        members: group.members.len(),
        committed: committed(group),
        assignments: group.members.values().map(|member| member.assignment.clone()).collect(),
    };
    groups.values().map(survey).collect()
}

pub(super) fn delete(groups: &mut Groups, hard: &Hard, id: &GroupId, turn: &mut Turn) -> ErrorCode {
    let Some(group) = groups.get_mut(id) else { return ErrorCode::GroupIdNotFound };
    if group.state != GroupState::Empty {
        return ErrorCode::NonEmptyGroup;
    }
    group.dissolve(ErrorCode::GroupIdNotFound, turn);
    groups.remove(id);
    turn.persist(group_tombstones(id, hard));
    ErrorCode::None
}

pub(super) fn erase(groups: &mut Groups, hard: &Hard, id: &GroupId, turn: &mut Turn) -> ErrorCode {
    let Some(group) = groups.get_mut(id).filter(|group| group.state != GroupState::Empty) else { return delete(groups, hard, id, turn) };
    for member in group.pending.keys().cloned().collect::<Vec<_>>() {
        group.forget_pending(&member, turn);
    }
    for member in group.members.keys().cloned().collect::<Vec<_>>() {
        group.drop_member(&member, turn);
    }
    turn.persist(offset_tombstones(id, hard));
    group.member_gone(turn);
    ErrorCode::None
}
