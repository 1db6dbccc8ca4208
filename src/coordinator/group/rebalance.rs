//! What a rebalance does to a group: who is told to come back, when the waiting ends, who is left out.
//!
//! Empty -> (initial delay) PreparingRebalance -> all have joined, or the time is up -> CompletingRebalance -> the leader's SyncGroup ->
//! Stable. A join, a leave or an expiry in the last two leads back to PreparingRebalance.

use std::sync::Arc;

use bytes::Bytes;

use super::reply::{JoinGroupReply, Reply, SyncGroupReply};
use super::shard::{GroupConfig, Groups, Output};
use super::state::{ClassicGroup, GroupState, InitialDelay, Member};
use super::timers::{Deadline, Timers};
use super::{GroupId, MemberId};
use crate::coordinator::Token;
use crate::coordinator::records::Record;
use crate::model::{ErrorCode, Timestamp};

/// A new member has no id to send heartbeats with, and while it is parked we cannot see it go. If it is still there it will ask again.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 300_000;

/// One decision under way: what it may look at, and what comes of it.
pub(super) struct Turn<'a> {
    pub config: &'a GroupConfig,
    pub groups_elsewhere: usize,
    pub timers: &'a mut Timers,
    pub now: Timestamp,
    pub outputs: Vec<Output>,
}

impl Turn<'_> {
    /// There may be no further group.
    pub fn is_full(&self, groups: &Groups) -> bool {
        groups.len().saturating_add(self.groups_elsewhere) >= self.config.groups_max
    }

    pub fn reply(&mut self, token: Token, reply: Reply) {
        self.outputs.push(Output::Reply(token, reply));
    }

    pub fn persist(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.outputs.push(Output::Persist(records));
        }
    }

    fn keep_alive(&mut self, group: &GroupId, member: &mut Member) {
        let at = self.now.plus_ms(i64::from(member.session_timeout_ms.max(0)));
        let id = &member.id;
        self.timers.rearm(&mut member.session, at, || Deadline::Member(group.clone(), id.clone()));
    }
}

impl ClassicGroup {
    /// The member has shown that it lives.
    pub fn keep_alive(&mut self, id: &MemberId, turn: &mut Turn) {
        if let Some(member) = self.members.get_mut(id) {
            turn.keep_alive(&self.id, member);
        }
    }

    /// A new member, which waits for the end of the join phase.
    pub fn add_member(&mut self, mut member: Member, protocol_type: &str, token: Token, turn: &mut Turn) {
        if self.state == GroupState::PreparingRebalance && self.previous_state == GroupState::Empty {
            self.new_member_added = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(protocol_type));
        }
        self.forget_pending(&member.id, turn);
        let at = turn.now.plus_ms(NEW_MEMBER_JOIN_TIMEOUT_MS);
        turn.timers.rearm(&mut member.session, at, || Deadline::Member(self.id.clone(), member.id.clone()));
        let id = member.id.clone();
        self.insert(member);
        self.park_join(&id, token);
        self.rebalance_or_complete(turn);
    }

    /// Parks a join of a known member. An earlier one of the same member comes from a connection that it has given up.
    pub fn await_join(&mut self, id: &MemberId, token: Token, turn: &mut Turn) {
        if let Some(given_up) = self.park_join(id, token) {
            turn.reply(given_up, Reply::JoinGroup(JoinGroupReply::refused(ErrorCode::RebalanceInProgress, id.clone())));
        }
    }

    pub fn forget_pending(&mut self, id: &MemberId, turn: &mut Turn) -> bool {
        let Some(mut session) = self.pending.remove(id) else { return false };
        turn.timers.disarm(&mut session, Deadline::Member(self.id.clone(), id.clone()));
        true
    }

    /// Something has changed that the members must agree on again.
    pub fn rebalance_or_complete(&mut self, turn: &mut Turn) {
        match self.state {
            GroupState::PreparingRebalance => self.complete_if_all_joined(turn),
            _ => self.prepare_rebalance(turn),
        }
    }

    pub fn prepare_rebalance(&mut self, turn: &mut Turn) {
        if self.state == GroupState::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
            }
            self.answer_syncs(ErrorCode::RebalanceInProgress, turn);
        }
        self.set_sync_deadline(None, turn);
        if self.state != GroupState::Empty {
            self.transition(GroupState::PreparingRebalance, turn.now);
            return self.complete_or_wait(turn);
        }
        self.transition(GroupState::PreparingRebalance, turn.now);
        let delay_ms = i64::from(turn.config.initial_rebalance_delay_ms.max(0));
        if delay_ms == 0 {
            return self.complete_join(turn);
        }
        let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
        self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
        self.set_join_deadline(Some(turn.now.plus_ms(delay_ms)), turn);
    }

    fn complete_or_wait(&mut self, turn: &mut Turn) {
        if self.all_have_joined() {
            self.complete_join(turn);
        } else {
            self.set_join_deadline(Some(turn.now.plus_ms(self.rebalance_timeout_ms())), turn);
        }
    }

    /// The initial delay runs its full length, whoever has joined.
    pub fn complete_if_all_joined(&mut self, turn: &mut Turn) {
        if self.state == GroupState::PreparingRebalance && self.initial_delay.is_none() && self.all_have_joined() {
            self.complete_join(turn);
        }
    }

    pub fn join_deadline_passed(&mut self, turn: &mut Turn) {
        self.join_deadline = None;
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        match self.initial_delay {
            Some(InitialDelay { delay_ms, remaining_ms }) if self.new_member_added && remaining_ms != 0 => {
                self.new_member_added = false;
                let next_ms = i64::from(turn.config.initial_rebalance_delay_ms.max(0)).min(remaining_ms);
                let left_ms = remaining_ms.saturating_sub(delay_ms).max(0);
                self.initial_delay = Some(InitialDelay { delay_ms: next_ms, remaining_ms: left_ms });
                self.set_join_deadline(Some(turn.now.plus_ms(next_ms)), turn);
            }
            _ => self.complete_join(turn),
        }
    }

    /// Ends the join phase. Dynamic members that have not come back are out; static ones stay until their session ends.
    fn complete_join(&mut self, turn: &mut Turn) {
        self.set_join_deadline(None, turn);
        self.initial_delay = None;
        self.new_member_added = false;
        let late = |m: &&Member| !m.is_awaiting_join() && m.instance_id.is_none();
        let late: Vec<MemberId> = self.members.values().filter(late).map(|m| m.id.clone()).collect();
        for id in &late {
            self.drop_member(id, turn);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members, and none is back: wait on, until sessions end.
            let timeout_ms = self.rebalance_timeout_ms().max(1);
            return self.set_join_deadline(Some(turn.now.plus_ms(timeout_ms)), turn);
        }
        self.next_generation(turn.now);
        if self.state == GroupState::Empty {
            return turn.persist(vec![self.record()]);
        }
        self.answer_joins(turn);
        let timeout_ms = self.rebalance_timeout_ms();
        self.set_sync_deadline(Some(turn.now.plus_ms(timeout_ms)), turn);
    }

    fn answer_joins(&mut self, turn: &mut Turn) {
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(token) = self.take_join(&id) {
                let reply = self.joined_reply(&id);
                turn.reply(token, Reply::JoinGroup(reply));
            }
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
                turn.keep_alive(&self.id, member);
            }
            self.pending_sync.insert(id);
        }
    }

    /// The current generation, as a member is told of it. Only the leader hears of the others.
    pub fn joined_reply(&self, id: &MemberId) -> JoinGroupReply {
        JoinGroupReply {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.clone(),
            members: if self.is_leader(id) { self.joined_members() } else { Vec::new() },
        }
    }

    pub fn synced_reply(&self, assignment: Bytes) -> SyncGroupReply {
        SyncGroupReply {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
        }
    }

    /// Answers everybody who waits in SyncGroup: with the assignment, or with an error.
    pub fn answer_syncs(&mut self, error: ErrorCode, turn: &mut Turn) {
        let template = if error.is_ok() { self.synced_reply(Bytes::new()) } else { SyncGroupReply::refused(error) };
        for member in self.members.values_mut() {
            let Some(token) = member.awaiting_sync.take() else { continue };
            // After an error there are no assignments.
            let reply = SyncGroupReply { assignment: member.assignment.clone(), ..template.clone() };
            turn.reply(token, Reply::SyncGroup(reply));
            turn.keep_alive(&self.id, member);
        }
    }

    pub fn sync_received(&mut self, id: &MemberId, turn: &mut Turn) {
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            self.set_sync_deadline(None, turn);
        }
    }

    /// Whoever has not sent SyncGroup in a whole rebalance timeout is out.
    pub fn sync_deadline_passed(&mut self, turn: &mut Turn) {
        self.sync_deadline = None;
        if !matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable) || self.pending_sync.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            self.drop_member(&id, turn);
        }
        self.prepare_rebalance(turn);
    }

    /// A member's queued deadline has come up, maybe an old one.
    pub fn member_deadline_up(&mut self, id: &MemberId, turn: &mut Turn) {
        let entry = || Deadline::Member(self.id.clone(), id.clone());
        if let Some(session) = self.pending.get_mut(id) {
            if turn.timers.came_up(session, turn.now, entry()) {
                self.pending.remove(id);
                self.complete_if_all_joined(turn);
            }
            return;
        }
        let Some(member) = self.members.get_mut(id) else { return };
        if !turn.timers.came_up(&mut member.session, turn.now, entry()) {
            return;
        }
        // Whoever waits for us is alive as far as we can know; its session starts again with our answer.
        let waits_for_us = !member.is_new && (member.is_awaiting_join() || member.awaiting_sync.is_some());
        if !waits_for_us {
            self.drop_member(id, turn);
            self.member_gone(turn);
        }
    }

    /// After members went: the others share anew, or need not wait for them any more.
    pub fn member_gone(&mut self, turn: &mut Turn) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance => self.complete_if_all_joined(turn),
            GroupState::Empty => {}
        }
    }

    /// Takes a member out and answers what it waits for, so that a client that still lives comes back as a new member.
    pub fn drop_member(&mut self, id: &MemberId, turn: &mut Turn) {
        if let Some(token) = self.take_join(id) {
            turn.reply(token, Reply::JoinGroup(JoinGroupReply::refused(ErrorCode::UnknownMemberId, MemberId::default())));
        }
        let Some(mut member) = self.detach(id) else { return };
        if let Some(token) = member.awaiting_sync.take() {
            turn.reply(token, Reply::SyncGroup(SyncGroupReply::refused(ErrorCode::UnknownMemberId)));
        }
        turn.timers.disarm(&mut member.session, Deadline::Member(self.id.clone(), id.clone()));
        if self.pending_sync.is_empty() {
            self.set_sync_deadline(None, turn);
        }
    }

    fn set_join_deadline(&mut self, at: Option<Timestamp>, turn: &mut Turn) {
        let before = std::mem::replace(&mut self.join_deadline, at);
        replace(turn.timers, before, at, Deadline::Join(self.id.clone()));
    }

    fn set_sync_deadline(&mut self, at: Option<Timestamp>, turn: &mut Turn) {
        let before = std::mem::replace(&mut self.sync_deadline, at);
        replace(turn.timers, before, at, Deadline::Sync(self.id.clone()));
    }

    /// After a restart every member has a whole session to show itself.
    pub fn begin_sessions(&mut self, turn: &mut Turn) {
        for member in self.members.values_mut() {
            turn.keep_alive(&self.id, member);
        }
    }

    /// The group is about to be forgotten or read back: none of its deadlines may come up. Whoever waits is answered with the error.
    pub fn dissolve(&mut self, error: ErrorCode, turn: &mut Turn) {
        self.set_join_deadline(None, turn);
        self.set_sync_deadline(None, turn);
        for id in self.pending.keys().cloned().collect::<Vec<_>>() {
            self.forget_pending(&id, turn);
        }
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            if let Some(token) = self.take_join(&id) {
                turn.reply(token, Reply::JoinGroup(JoinGroupReply::refused(error, id.clone())));
            }
            let Some(mut member) = self.detach(&id) else { continue };
            if let Some(token) = member.awaiting_sync.take() {
                turn.reply(token, Reply::SyncGroup(SyncGroupReply::refused(error)));
            }
            turn.timers.disarm(&mut member.session, Deadline::Member(self.id.clone(), id));
        }
    }
}

fn replace(timers: &mut Timers, before: Option<Timestamp>, after: Option<Timestamp>, deadline: Deadline) {
    if let Some(before) = before {
        timers.remove(before, deadline.clone());
    }
    if let Some(after) = after {
        timers.add(after, deadline);
    }
}
