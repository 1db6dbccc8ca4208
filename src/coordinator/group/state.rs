//! A classic group: its members, what they offer and what they were given. Nothing here answers anybody; see `rebalance.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::reply::JoinedMember;
use super::request::{JoinGroup, JoinProtocol};
use super::timers::Moving;
use super::{GroupId, InstanceId, MemberId, subscription};
use crate::coordinator::Token;
use crate::coordinator::records::{GroupMetadata, MemberMetadata, Record, java_hash};
use crate::model::{ErrorCode, Timestamp, TopicName};

pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    pub name: Arc<str>,
    pub metadata: Bytes,
}

#[derive(Debug)]
pub(super) struct Member {
    pub id: MemberId,
    pub instance_id: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// In order of preference.
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    /// Who waits for the end of the join phase. Set through the group, which counts.
    awaiting_join: Option<Token>,
    pub awaiting_sync: Option<Token>,
    /// Has joined and not been answered yet, so it cannot send heartbeats.
    pub is_new: bool,
    pub session: Moving,
    /// Order of arrival: the oldest member inherits the lead.
    arrival: u64,
}

/// Invariants: `leader` is a member, or None; `static_members` has exactly the members with an instance id; `offers` and `joins_awaited`
/// count what is in `members`; Empty has no members; Completing and Stable have a chosen protocol that all members offer.
#[derive(Debug)]
pub(super) struct ClassicGroup {
    pub id: GroupId,
    pub state: GroupState,
    pub previous_state: GroupState,
    pub state_timestamp: Timestamp,
    /// None until there was a member: a simple group, which only keeps offsets.
    pub protocol_type: Option<Arc<str>>,
    pub generation: i32,
    /// The highest generation that anybody was told. Above `generation` only if that could not be written: it is not given out again.
    pub generation_told: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    pub members: BTreeMap<MemberId, Member>,
    pub static_members: HashMap<InstanceId, MemberId>,
    /// Have an id (KIP-394) and have not joined with it yet.
    pub pending: BTreeMap<MemberId, Moving>,
    /// Were told to sync in this generation and have not.
    pub pending_sync: BTreeSet<MemberId>,
    /// During the initial delay: someone came since it began.
    pub new_member_added: bool,
    pub initial_delay: Option<InitialDelay>,
    pub join_deadline: Option<Timestamp>,
    pub sync_deadline: Option<Timestamp>,
    /// None if it is not known what the members read.
    pub subscribed: Option<HashSet<TopicName>>,
    offers: HashMap<Arc<str>, usize>,
    joins_awaited: usize,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    pub delay_ms: i64,
    pub remaining_ms: i64,
}

impl Member {
    pub fn new(id: MemberId, request: &JoinGroup, known_names: &ClassicGroup) -> Member {
        Member {
            id,
            instance_id: request.instance_id.clone(),
            client_id: Arc::from(request.client_id.as_str()),
            client_host: Arc::from(request.client_host.as_str()),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: known_names.keep(&request.protocols),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
            session: Moving::default(),
            arrival: 0,
        }
    }

    fn restored(group: &GroupMetadata, metadata: &MemberMetadata) -> Member {
        let protocol = group.protocol.iter().map(|name| Protocol { name: name.clone(), metadata: metadata.subscription.clone() });
        Member {
            id: metadata.member_id.clone(),
            instance_id: metadata.instance_id.clone(),
            client_id: metadata.client_id.clone(),
            client_host: metadata.client_host.clone(),
            rebalance_timeout_ms: metadata.rebalance_timeout_ms,
            session_timeout_ms: metadata.session_timeout_ms,
            protocols: protocol.collect(),
            assignment: metadata.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
            session: Moving::default(),
            arrival: 0,
        }
    }

    pub fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub fn offers_exactly(&self, protocols: &[JoinProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self.protocols.iter().zip(protocols).all(|(old, new)| *old.name == *new.name && old.metadata == new.metadata)
    }

    pub fn metadata_for(&self, protocol: Option<&str>) -> Bytes {
        self.protocols.iter().find(|p| Some(&*p.name) == protocol).map(|p| p.metadata.clone()).unwrap_or_default()
    }

    fn offered_names(&self) -> BTreeSet<Arc<str>> {
        self.protocols.iter().map(|p| p.name.clone()).collect()
    }
}

impl ClassicGroup {
    pub fn new(id: GroupId, now: Timestamp) -> ClassicGroup {
        ClassicGroup {
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Empty,
            state_timestamp: now,
            protocol_type: None,
            generation: 0,
            generation_told: 0,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            new_member_added: false,
            initial_delay: None,
            join_deadline: None,
            sync_deadline: None,
            subscribed: None,
            offers: HashMap::new(),
            joins_awaited: 0,
            arrivals: 0,
        }
    }

    /// As it was written last. Deadlines are the caller's to set.
    pub fn restored(id: GroupId, metadata: Option<&GroupMetadata>, now: Timestamp) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, now);
        let Some(metadata) = metadata else { return group };
        group.generation = metadata.generation;
        group.state_timestamp = metadata.current_state_timestamp;
        for member in &metadata.members {
            group.insert(Member::restored(metadata, member));
        }
        group.protocol_type = Some(metadata.protocol_type.clone()).filter(|kind| !kind.is_empty());
        group.leader = metadata.leader.clone().filter(|leader| group.members.contains_key(leader)).or_else(|| group.oldest());
        if !group.members.is_empty() {
            group.protocol = metadata.protocol.clone();
            group.state = GroupState::Stable;
            group.previous_state = GroupState::CompletingRebalance;
        }
        group.subscribed = group.read_subscriptions();
        group
    }

    pub fn transition(&mut self, to: GroupState, now: Timestamp) {
        self.previous_state = self.state;
        self.state = to;
        self.state_timestamp = now;
    }

    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    pub fn is_subscribed_to(&self, topic: &TopicName) -> bool {
        self.subscribed.as_ref().map_or_else(|| self.uses_consumer_protocol(), |topics| topics.contains(topic))
    }

    pub fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    pub fn all_have_joined(&self) -> bool {
        self.joins_awaited == self.members.len() && self.pending.is_empty()
    }

    pub fn joins_awaited(&self) -> usize {
        self.joins_awaited
    }

    /// The longest that any member asks for.
    pub fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|m| i64::from(m.rebalance_timeout_ms.max(0))).max().unwrap_or(0)
    }

    /// Whether a member that offers these can take part: in a group with members, at least one must be offered by all of them.
    pub fn can_work_with(&self, protocol_type: &str, protocols: &[JoinProtocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|p| self.offers.get(p.name.as_str()).copied().unwrap_or(0) == self.members.len())
    }

    /// The member as its id and instance id name it. A static member's old id is fenced.
    pub fn validate(&self, member: &MemberId, instance: Option<&InstanceId>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(holder) if holder != member => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// As `validate`, and the generation must be the current one.
    pub fn validate_current(&self, member: &MemberId, instance: Option<&InstanceId>, generation: i32) -> Result<(), ErrorCode> {
        self.validate(member, instance)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Copies what a member offers, so that it does not pin the request; names that the group knows already are shared.
    fn keep(&self, protocols: &[JoinProtocol]) -> Vec<Protocol> {
        let name = |text: &str| self.offers.get_key_value(text).map_or_else(|| Arc::from(text), |(name, _)| name.clone());
        protocols.iter().map(|p| Protocol { name: name(&p.name), metadata: Bytes::copy_from_slice(&p.metadata) }).collect()
    }

    pub fn insert(&mut self, mut member: Member) {
        self.arrivals = self.arrivals.saturating_add(1);
        member.arrival = self.arrivals;
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.count_offers(&member, 1);
        self.joins_awaited += usize::from(member.is_awaiting_join());
        self.pending.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; the oldest that is left inherits the lead.
    pub fn detach(&mut self, id: &MemberId) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.count_offers(&member, -1);
        self.joins_awaited -= usize::from(member.is_awaiting_join());
        if let Some(instance) = &member.instance_id {
            self.static_members.remove(instance);
        }
        self.pending_sync.remove(id);
        if self.is_leader(id) {
            self.leader = self.oldest();
        }
        Some(member)
    }

    fn oldest(&self) -> Option<MemberId> {
        self.members.values().min_by_key(|m| m.arrival).map(|m| m.id.clone())
    }

    fn count_offers(&mut self, member: &Member, change: isize) {
        for name in member.offered_names() {
            let count = self.offers.entry(name.clone()).or_insert(0);
            *count = count.saturating_add_signed(change);
            if *count == 0 {
                self.offers.remove(&name);
            }
        }
    }

    /// Takes over what a member offers and asks for now.
    pub fn update(&mut self, id: &MemberId, request: &JoinGroup) {
        let protocols = self.keep(&request.protocols);
        let Some(mut member) = self.members.remove(id) else { return };
        self.count_offers(&member, -1);
        member.protocols = protocols;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        self.count_offers(&member, 1);
        self.members.insert(id.clone(), member);
    }

    /// Parks a join; gives the one that the same member had parked before.
    pub fn park_join(&mut self, id: &MemberId, token: Token) -> Option<Token> {
        let member = self.members.get_mut(id)?;
        let before = member.awaiting_join.replace(token);
        self.joins_awaited += usize::from(before.is_none());
        before
    }

    pub fn take_join(&mut self, id: &MemberId) -> Option<Token> {
        let token = self.members.get_mut(id)?.awaiting_join.take()?;
        self.joins_awaited -= 1;
        Some(token)
    }

    /// Whether someone who has joined leads, after passing the lead on if the leader has not. The longest-standing goes first.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref().and_then(|id| self.members.get(id)) else { return false };
        if leader.is_awaiting_join() {
            return true;
        }
        let heir = self.members.values().filter(|m| m.is_awaiting_join()).min_by_key(|m| m.arrival).map(|m| m.id.clone());
        let found = heir.is_some();
        self.leader = heir.or(self.leader.take());
        found
    }

    pub fn next_generation(&mut self, now: Timestamp) {
        self.generation = self.generation.max(self.generation_told).checked_add(1).unwrap_or(0);
        self.generation_told = self.generation;
        self.protocol = self.select_protocol();
        self.subscribed = self.read_subscriptions();
        self.pending_sync.clear();
        let next = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.transition(next, now);
    }

    /// Each member votes for the first of its protocols that all offer; the most votes win. A tie falls as in Kafka: to the name that
    /// comes first in a Java hash map of sixteen buckets.
    pub fn select_protocol(&self) -> Option<Arc<str>> {
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(|p| self.offers.get(&p.name) == Some(&self.members.len()));
            if let Some(vote) = vote {
                *votes.entry(&vote.name).or_insert(0) += 1;
            }
        }
        let bucket = |name: &str| {
            let hash = java_hash(name) as u32;
            (hash ^ (hash >> 16)) & 15
        };
        votes.into_iter().min_by_key(|(name, count)| (std::cmp::Reverse(*count), bucket(name))).map(|(name, _)| name.clone())
    }

    fn read_subscriptions(&self) -> Option<HashSet<TopicName>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut all = HashSet::new();
        for member in self.members.values() {
            all.extend(subscription::topics(&member.metadata_for(self.protocol.as_deref()))?);
        }
        Some(all)
    }

    /// What the leader is told: everybody, with the metadata for the chosen protocol.
    pub fn joined_members(&self) -> Vec<JoinedMember> {
        let told = |m: &Member| JoinedMember {
            member_id: m.id.clone(),
            instance_id: m.instance_id.clone(),
            metadata: m.metadata_for(self.protocol.as_deref()),
        };
        self.members.values().map(told).collect()
    }

    pub fn record(&self) -> Record {
        Record::Group { group: self.id.clone(), value: Some(self.metadata()) }
    }

    fn metadata(&self) -> GroupMetadata {
        let member = |m: &Member| MemberMetadata {
            member_id: m.id.clone(),
            instance_id: m.instance_id.clone(),
            client_id: m.client_id.clone(),
            client_host: m.client_host.clone(),
            rebalance_timeout_ms: m.rebalance_timeout_ms,
            session_timeout_ms: m.session_timeout_ms,
            subscription: m.metadata_for(self.protocol.as_deref()),
            assignment: m.assignment.clone(),
        };
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_timestamp,
            members: self.members.values().map(member).collect(),
        }
    }

    #[cfg(test)]
    pub fn check(&self) {
        let members = self.members.len();
        assert!(self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader)));
        assert_eq!(self.leader.is_none(), members == 0);
        assert_eq!(self.joins_awaited, self.members.values().filter(|m| m.is_awaiting_join()).count());
        let named: BTreeMap<_, _> = self.members.values().filter_map(|m| Some((m.instance_id.clone()?, m.id.clone()))).collect();
        assert_eq!(self.static_members.iter().map(|(i, m)| (i.clone(), m.clone())).collect::<BTreeMap<_, _>>(), named);
        let mut offers: HashMap<Arc<str>, usize> = HashMap::new();
        self.members.values().flat_map(Member::offered_names).for_each(|name| *offers.entry(name).or_insert(0) += 1);
        assert_eq!(self.offers, offers);
        assert!(self.members.keys().all(|id| !self.pending.contains_key(id)));
        assert!(self.pending_sync.iter().all(|id| self.members.contains_key(id)));
        let settled = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        match self.state {
            GroupState::Empty => assert!(members == 0 && self.protocol.is_none()),
            GroupState::PreparingRebalance => assert!(self.join_deadline.is_some(), "nothing ends the wait for joins"),
            _ => assert!(members > 0 && self.joins_awaited == 0),
        }
        if settled {
            assert_eq!(self.protocol.as_ref().and_then(|name| self.offers.get(name)), Some(&members));
        }
        for member in self.members.values() {
            assert!(member.awaiting_sync.is_none() || self.state == GroupState::CompletingRebalance);
            let waits = member.is_awaiting_join() || member.awaiting_sync.is_some();
            assert!(member.session.due.is_some() || waits, "nothing ends the session of {}", member.id);
        }
    }
}
