//! The requests of the classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use std::collections::HashMap;

use bytes::Bytes;

use super::rebalance::Turn;
use super::reply::{JoinGroupReply, LeaveGroupReply, LeftMember, Reply, SyncGroupReply};
use super::request::{Heartbeat, JoinGroup, LeaveGroup, LeavingMember, SyncGroup};
use super::shard::{Groups, MemberIds};
use super::state::{ClassicGroup, GroupState, Member};
use super::timers::{Deadline, Moving};
use super::{InstanceId, MemberId};
use crate::coordinator::Token;
use crate::model::ErrorCode;

/// From this version on a dynamic member must come back with the id it is given (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// From this version on a static leader that returns is told not to assign anew (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// From this version on SyncGroup names the protocol (KIP-559).
const PROTOCOL_NAMED_FROM: i16 = 5;

pub(super) fn join(groups: &mut Groups, token: Token, request: JoinGroup, ids: &mut dyn MemberIds, turn: &mut Turn) {
    match admit(groups, &request, turn) {
        Err(refusal) => turn.reply(token, Reply::JoinGroup(refusal)),
        Ok(group) if request.member_id.is_empty() => join_new(group, token, &request, ids, turn),
        Ok(group) => join_again(group, token, &request, turn),
    }
}

/// The group that a join goes to, made if need be.
fn admit<'a>(groups: &'a mut Groups, request: &JoinGroup, turn: &mut Turn) -> Result<&'a mut ClassicGroup, JoinGroupReply> {
    let refuse = |error| JoinGroupReply::refused(error, request.member_id.clone());
    if request.group.is_empty() {
        return Err(refuse(ErrorCode::InvalidGroupId));
    }
    let allowed = turn.config.session_timeout_min_ms..=turn.config.session_timeout_max_ms;
    if !allowed.contains(&request.session_timeout_ms) {
        return Err(refuse(ErrorCode::InvalidSessionTimeout));
    }
    let is_new = !groups.contains_key(&request.group);
    if is_new && !request.member_id.is_empty() {
        return Err(refuse(ErrorCode::UnknownMemberId));
    }
    if is_new && (request.protocol_type.is_empty() || request.protocols.is_empty()) {
        return Err(refuse(ErrorCode::InconsistentGroupProtocol));
    }
    if is_new && turn.is_full(groups) {
        return Err(refuse(ErrorCode::GroupMaxSizeReached));
    }
    if request.protocols.iter().map(|p| p.name.len() + p.metadata.len()).sum::<usize>() > turn.config.member_metadata_bytes_max {
        return Err(refuse(ErrorCode::InvalidRequest));
    }
    let group = groups.entry(request.group.clone()).or_insert_with(|| ClassicGroup::new(request.group.clone(), turn.now));
    if is_new {
        turn.persist(vec![group.record()]);
    }
    if !has_room(group, &request.member_id, turn.config.group_size_max) {
        group.forget_pending(&request.member_id, turn);
        group.drop_member(&request.member_id, turn);
        group.complete_if_all_joined(turn);
        return Err(JoinGroupReply::refused(ErrorCode::GroupMaxSizeReached, MemberId::default()));
    }
    if !group.can_work_with(&request.protocol_type, &request.protocols) {
        return Err(refuse(ErrorCode::InconsistentGroupProtocol));
    }
    Ok(group)
}

/// While the group prepares, the seats go to those who have come back, not to those who were there.
fn has_room(group: &ClassicGroup, member: &MemberId, size_max: usize) -> bool {
    let known = group.members.get(member);
    match group.state {
        GroupState::Empty => true,
        GroupState::PreparingRebalance => known.is_some_and(Member::is_awaiting_join) || group.joins_awaited() < size_max,
        GroupState::CompletingRebalance | GroupState::Stable => known.is_some() || group.members.len() < size_max,
    }
}

fn join_new(group: &mut ClassicGroup, token: Token, request: &JoinGroup, ids: &mut dyn MemberIds, turn: &mut Turn) {
    let name = request.instance_id.as_deref().unwrap_or(&request.client_id);
    let uuid = uuid::Builder::from_random_bytes(ids.random()).into_uuid();
    let id = MemberId::from(format!("{name}-{uuid}"));
    let holder = request.instance_id.as_ref().and_then(|instance| group.static_members.get(instance)).cloned();
    match (&request.instance_id, holder) {
        (Some(instance), Some(holder)) => take_place(group, instance, &holder, id, token, request, turn),
        (None, _) if request.version >= MEMBER_ID_REQUIRED_FROM && group.pending.len() >= turn.config.group_size_max => {
            turn.reply(token, Reply::JoinGroup(JoinGroupReply::refused(ErrorCode::GroupMaxSizeReached, MemberId::default())));
        }
        (None, _) if request.version >= MEMBER_ID_REQUIRED_FROM => {
            let mut session = Moving::default();
            let at = turn.now.plus_ms(i64::from(request.session_timeout_ms));
            turn.timers.rearm(&mut session, at, || Deadline::Member(group.id.clone(), id.clone()));
            group.pending.insert(id.clone(), session);
            turn.reply(token, Reply::JoinGroup(JoinGroupReply::refused(ErrorCode::MemberIdRequired, id)));
        }
        _ => {
            let member = Member::new(id, request, group);
            group.add_member(member, &request.protocol_type, token, turn);
        }
    }
}

/// A static member has come back without its id: it takes the place of its former self, which is fenced.
fn take_place(
    group: &mut ClassicGroup,
    instance: &InstanceId,
    holder: &MemberId,
    id: MemberId,
    token: Token,
    request: &JoinGroup,
    turn: &mut Turn,
) {
    let leader_before = group.leader.clone().unwrap_or_default();
    replace_static(group, instance, holder, &id, turn);
    group.keep_alive(&id, turn);
    group.update(&id, request);
    match group.state {
        // The assignment stands, unless the members would now choose another protocol.
        GroupState::Stable if group.select_protocol() == group.protocol => {
            turn.persist(vec![group.record()]);
            let mut reply = group.joined_reply(&id);
            if request.version >= SKIP_ASSIGNMENT_FROM {
                reply.skip_assignment = group.is_leader(&id);
            } else {
                // The old leader's name keeps the member from assigning.
                reply.leader = leader_before;
                reply.members = Vec::new();
            }
            turn.reply(token, Reply::JoinGroup(reply));
        }
        // In CompletingRebalance the leader may already be assigning to the old id.
        _ => {
            group.await_join(&id, token, turn);
            group.rebalance_or_complete(turn);
        }
    }
}

fn replace_static(group: &mut ClassicGroup, instance: &InstanceId, holder: &MemberId, id: &MemberId, turn: &mut Turn) {
    let led = group.is_leader(holder);
    let owes_sync = group.pending_sync.contains(holder);
    if let Some(parked) = group.take_join(holder) {
        turn.reply(parked, Reply::JoinGroup(JoinGroupReply::refused(ErrorCode::FencedInstanceId, holder.clone())));
    }
    let Some(mut member) = group.detach(holder) else { return };
    if let Some(parked) = member.awaiting_sync.take() {
        turn.reply(parked, Reply::SyncGroup(SyncGroupReply::refused(ErrorCode::FencedInstanceId)));
    }
    turn.timers.disarm(&mut member.session, Deadline::Member(group.id.clone(), holder.clone()));
    member.id = id.clone();
    member.instance_id = Some(instance.clone());
    member.is_new = false;
    group.insert(member);
    if led {
        group.leader = Some(id.clone());
    }
    if owes_sync {
        group.pending_sync.insert(id.clone());
    }
}

fn join_again(group: &mut ClassicGroup, token: Token, request: &JoinGroup, turn: &mut Turn) {
    let id = &request.member_id;
    if group.pending.contains_key(id) && request.instance_id.is_none() {
        let member = Member::new(id.clone(), request, group);
        return group.add_member(member, &request.protocol_type, token, turn);
    }
    if let Err(error) = group.validate(id, request.instance_id.as_ref()) {
        return turn.reply(token, Reply::JoinGroup(JoinGroupReply::refused(error, id.clone())));
    }
    let unchanged = group.members.get(id).is_some_and(|member| member.offers_exactly(&request.protocols));
    let repeat = match group.state {
        // It may have missed our answer.
        GroupState::CompletingRebalance => unchanged,
        // A leader comes back to assign anew, for instance because a topic has grown.
        GroupState::Stable => unchanged && !group.is_leader(id),
        GroupState::PreparingRebalance | GroupState::Empty => false,
    };
    if repeat {
        return turn.reply(token, Reply::JoinGroup(group.joined_reply(id)));
    }
    group.update(id, request);
    group.await_join(id, token, turn);
    group.rebalance_or_complete(turn);
}

pub(super) fn sync(groups: &mut Groups, token: Token, request: SyncGroup, turn: &mut Turn) {
    match sync_state(groups, &request) {
        Err(error) => turn.reply(token, Reply::SyncGroup(SyncGroupReply::refused(error))),
        Ok(group) if group.state == GroupState::Stable => {
            group.sync_received(&request.member_id, turn);
            group.keep_alive(&request.member_id, turn);
            let assignment = group.members.get(&request.member_id).map(|member| member.assignment.clone()).unwrap_or_default();
            turn.reply(token, Reply::SyncGroup(group.synced_reply(assignment)));
        }
        Ok(group) => {
            group.sync_received(&request.member_id, turn);
            if let Some(member) = group.members.get_mut(&request.member_id)
                && let Some(given_up) = member.awaiting_sync.replace(token)
            {
                turn.reply(given_up, Reply::SyncGroup(SyncGroupReply::refused(ErrorCode::RebalanceInProgress)));
            }
            if group.is_leader(&request.member_id) {
                take_assignments(group, request.assignments, turn);
                group.answer_syncs(ErrorCode::None, turn);
            }
        }
    }
}

fn sync_state<'a>(groups: &'a mut Groups, request: &SyncGroup) -> Result<&'a mut ClassicGroup, ErrorCode> {
    if request.version >= PROTOCOL_NAMED_FROM && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    if request.group.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let group = groups.get_mut(&request.group).ok_or(ErrorCode::UnknownMemberId)?;
    group.validate_current(&request.member_id, request.instance_id.as_ref(), request.generation)?;
    let differs = |named: &Option<String>, is: Option<&str>| named.is_some() && named.as_deref() != is;
    if differs(&request.protocol_type, group.protocol_type.as_deref()) || differs(&request.protocol_name, group.protocol.as_deref()) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    match group.state {
        GroupState::Empty => Err(ErrorCode::UnknownMemberId),
        GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
        GroupState::CompletingRebalance | GroupState::Stable => Ok(group),
    }
}

/// The leader has decided. A member that it left out gets nothing; an id that it made up is not looked at.
fn take_assignments(group: &mut ClassicGroup, assignments: Vec<(MemberId, Bytes)>, turn: &mut Turn) {
    let by_member: HashMap<MemberId, Bytes> = assignments.into_iter().collect();
    for member in group.members.values_mut() {
        member.assignment = by_member.get(&member.id).map(|bytes| Bytes::copy_from_slice(bytes)).unwrap_or_default();
    }
    turn.persist(vec![group.record()]);
    group.transition(GroupState::Stable, turn.now);
}

pub(super) fn heartbeat(groups: &mut Groups, request: &Heartbeat, turn: &mut Turn) -> ErrorCode {
    if request.group.is_empty() {
        return ErrorCode::InvalidGroupId;
    }
    let Some(group) = groups.get_mut(&request.group) else { return ErrorCode::UnknownMemberId };
    if let Err(error) = group.validate_current(&request.member_id, request.instance_id.as_ref(), request.generation) {
        return error;
    }
    group.keep_alive(&request.member_id, turn);
    match group.state {
        GroupState::Empty => ErrorCode::UnknownMemberId,
        GroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
        GroupState::CompletingRebalance | GroupState::Stable => ErrorCode::None,
    }
}

pub(super) fn leave(groups: &mut Groups, request: LeaveGroup, turn: &mut Turn) -> LeaveGroupReply {
    if request.group.is_empty() {
        return LeaveGroupReply { error: ErrorCode::InvalidGroupId, members: Vec::new() };
    }
    let mut group = groups.get_mut(&request.group);
    let mut dropped = false;
    let mut members = Vec::with_capacity(request.members.len());
    for LeavingMember { member_id, instance_id } in request.members {
        let error = match group.as_deref_mut().map(|group| leave_one(group, &member_id, instance_id.as_ref(), turn)) {
            Some(Ok(())) => {
                dropped = true;
                ErrorCode::None
            }
            Some(Err(error)) => error,
            None => ErrorCode::UnknownMemberId,
        };
        members.push(LeftMember { member_id, instance_id, error });
    }
    if let Some(group) = group.filter(|_| dropped) {
        group.member_gone(turn);
    }
    LeaveGroupReply { error: ErrorCode::None, members }
}

fn leave_one(group: &mut ClassicGroup, member: &MemberId, instance: Option<&InstanceId>, turn: &mut Turn) -> Result<(), ErrorCode> {
    if group.forget_pending(member, turn) {
        return Ok(());
    }
    // An administrator removes a static member by its instance id alone.
    let by_instance = instance.filter(|_| member.is_empty()).and_then(|instance| group.static_members.get(instance)).cloned();
    let id = match by_instance {
        Some(id) => id,
        None if member.is_empty() => return Err(ErrorCode::UnknownMemberId),
        None => group.validate(member, instance).map(|()| member.clone())?,
    };
    group.drop_member(&id, turn);
    Ok(())
}
