//! Groups of another cluster. What a group has committed is asked by a consumer that bears its id and never joins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::groups::{GroupInfo, GroupMemberInfo};
use rdkafka::{ClientConfig, Offset as At, TopicPartitionList};

use super::external::External;
use super::external_watch::View;
use super::remote_client::{Talk, blocking, reading, refused};
use super::remote_write::waiting;
use super::settling::{ANSWERED_WITHIN, administered, unsettled};
use super::summary::add_uncommitted;
use super::{ClusterError, GroupMember, GroupMembers, GroupOffset, GroupSummary};
use crate::coordinator::group::assignment;
use crate::model::{ErrorCode, Offset, PartitionId, TopicName};

/// Those of a coordinator that has just gone are shown as they were last known.
const ASK_WITHIN: Duration = ANSWERED_WITHIN;
/// All questions for one look at the groups. What is not known by then is asked at the next.
const LOOK_WITHIN: Duration = Duration::from_secs(3);
/// What was committed is asked again after this: consumers commit every five seconds, and nobody commits for an empty group.
const FRESH: Duration = Duration::from_secs(3);
const FRESH_WHEN_EMPTY: Duration = Duration::from_secs(15);
/// Consumers that are kept for the next question. Each has connections of its own.
const CLIENTS_KEPT: usize = 48;
/// Groups that are asked for at the same time.
const ASKED_AT_ONCE: usize = 4;
/// Headwater's own.
const OWN: &str = "headwater-";

type Committed = Vec<(TopicName, PartitionId, Offset)>;

pub(super) struct Groups {
    config: ClientConfig,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    clients: HashMap<String, Arc<BaseConsumer<Talk>>>,
    committed: HashMap<String, (Instant, Committed)>,
    /// The last list, for as long as a broker that coordinates some of them is away.
    listed: Vec<Listed>,
}

#[derive(Clone)]
struct Listed {
    id: String,
    protocol: String,
    state: String,
    members: usize,
    /// What its members read.
    assigned: Vec<(TopicName, Vec<PartitionId>)>,
}

impl Groups {
    pub fn new(config: &ClientConfig) -> Groups {
        let mut config = reading(config);
        config.remove("group.id");
        Groups { config, kept: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, group: &str) -> Result<Arc<BaseConsumer<Talk>>, KafkaError> {
        if let Some(client) = self.kept().clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let client: BaseConsumer<Talk> = self.config.clone().set("group.id", group).create_with_context(Talk::default())?;
        let client = Arc::new(client);
        let mut kept = self.kept();
        if kept.clients.len() < CLIENTS_KEPT {
            kept.clients.insert(group.to_owned(), Arc::clone(&client));
        }
        Ok(client)
    }

    /// The next who asks gets what is committed then.
    fn forget(&self, group: &str) {
        self.kept().committed.remove(group);
    }

    fn known(&self, group: &Listed) -> Option<Committed> {
        let fresh = if group.members == 0 { FRESH_WHEN_EMPTY } else { FRESH };
        self.kept().committed.get(&group.id).filter(|(at, _)| at.elapsed() < fresh).map(|(_, committed)| committed.clone())
    }

    fn keep(&self, group: &str, committed: Committed) {
        self.kept().committed.insert(group.to_owned(), (Instant::now(), committed));
    }
}

impl External {
    pub(super) async fn all_groups(&self) -> Vec<GroupSummary> {
        if self.reachable().is_err() {
            return Vec::new();
        }
        let listed = self.list().await;
        let unknown: Vec<&Listed> = listed.iter().filter(|group| self.known_groups.known(group).is_none()).collect();
        let began = Instant::now();
        for some in unknown.chunks(ASKED_AT_ONCE).take_while(|_| began.elapsed() < LOOK_WITHIN) {
            let asking: Vec<_> = some.iter().map(|group| (group.id.clone(), self.ask_committed(&group.id))).collect();
            for (group, committed) in asking {
                match committed.await {
                    Ok(Ok(Ok(committed))) => self.known_groups.keep(&group, committed),
                    Ok(Ok(Err(error))) => tracing::debug!(group, %error, "what a group has committed is not known"),
                    _ => {}
                }
            }
        }
        let view = self.watch.view();
        let kept = self.known_groups.kept();
        let summary = |group: &Listed| {
            let committed = kept.committed.get(&group.id).map(|(_, committed)| committed.as_slice()).unwrap_or_default();
            let mut offsets = committed.iter().filter_map(|one| group_offset(one, &view)).collect();
            add_uncommitted(group.assigned.iter().cloned(), &mut offsets, |topic, partition| view.end(topic.as_str(), partition));
            GroupSummary {
                id: group.id.clone(),
                protocol: group.protocol.clone(),
                state: group.state.clone(),
                members: group.members,
                offsets,
            }
        };
        listed.iter().map(summary).collect()
    }

    async fn list(&self) -> Vec<Listed> {
        let found = self.watch.group_list(None).await;
        let mut gone = Vec::new();
        let mut kept = self.known_groups.kept();
        match found {
            Ok(found) => {
                kept.listed = found.into_iter().filter(|group| !group.id.starts_with(OWN)).map(Described::listed).collect();
                kept.listed.sort_by(|a, b| a.id.cmp(&b.id));
                let Kept { clients, committed, listed } = &mut *kept;
                let is_there = |id: &String| listed.binary_search_by(|group| group.id.cmp(id)).is_ok();
                gone.extend(clients.extract_if(|id, _| !is_there(id)));
                committed.retain(|id, _| is_there(id));
            }
            Err(error) => tracing::debug!(%error, "the groups cannot be listed"),
        }
        let listed = kept.listed.clone();
        drop(kept);
        // A consumer that ends waits for its broker.
        tokio::task::spawn_blocking(move || drop(gone));
        listed
    }

    fn ask_committed(&self, group: &str) -> tokio::task::JoinHandle<Result<Result<Committed, KafkaError>, ClusterError>> {
        let client = self.known_groups.client(group);
        let view = self.watch.view();
        tokio::spawn(blocking(move || committed(client?.as_ref(), &view)))
    }

    pub(super) async fn members_of(&self, group: &str) -> Option<GroupMembers> {
        self.reachable().ok()?;
        let found = self.watch.group_list(Some(group.to_owned())).await.ok()?;
        let found = found.into_iter().find(|one| one.id == group)?;
        Some(GroupMembers { assignor: found.assignor, members: found.members })
    }

    pub(super) async fn commit(&self, group: &str, offsets: Vec<(TopicName, PartitionId, Offset)>) -> Result<(), ClusterError> {
        self.reachable()?;
        if self.members_of(group).await.is_some_and(|members| !members.members.is_empty()) {
            return Err(has_members(ErrorCode::UnknownMemberId, group));
        }
        let failed = |error: KafkaError| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration) => has_members(ErrorCode::UnknownMemberId, group),
            _ => refused(&error, &format!("the offsets of {group} could not be committed")),
        };
        let client = self.known_groups.client(group).map_err(failed)?;
        let commit = move || {
            let mut list = TopicPartitionList::with_capacity(offsets.len());
            for (topic, partition, offset) in &offsets {
                list.add_partition_offset(topic.as_str(), partition.0, At::Offset(offset.0))?;
            }
            client.commit(&list, CommitMode::Sync)
        };
        let outcome = blocking(commit).await?.map_err(failed);
        self.known_groups.forget(group);
        outcome
    }

    pub(super) async fn drop_group(&self, group: &str) -> Result<(), ClusterError> {
        self.reachable()?;
        let answers = administered(&self.admin, || self.admin.delete_groups(&[group], &waiting())).await;
        let answers = answers.map_err(|error| unsettled(&error, &format!("cannot delete the group {group}")))?;
        self.known_groups.forget(group);
        match answers.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::NonEmptyGroup))) => Err(has_members(ErrorCode::NonEmptyGroup, group)),
            Some(Err((_, code))) => Err(refused(&KafkaError::AdminOp(code), &format!("cannot delete the group {group}"))),
            _ => Ok(()),
        }
    }
}

/// A group as the cluster describes it.
pub(super) struct Described {
    id: String,
    protocol_type: String,
    state: String,
    assignor: String,
    members: Vec<GroupMember>,
}

impl Described {
    pub(super) fn of(info: &GroupInfo) -> Described {
        Described {
            id: info.name().to_owned(),
            protocol_type: info.protocol_type().to_owned(),
            state: info.state().to_owned(),
            assignor: info.protocol().to_owned(),
            members: info.members().iter().map(member).collect(),
        }
    }

    /// A group of the protocol of KIP-848 is not described to this client: it has no type then.
    fn listed(self) -> Listed {
        let is_new = self.protocol_type.is_empty() && self.members.is_empty() && self.state != "Empty";
        let protocol = if is_new { "consumer" } else { "classic" };
        let members = self.members.len();
        let assigned = self.members.into_iter().flat_map(|member| member.assignment).collect();
        Listed { id: self.id, protocol: protocol.to_owned(), state: self.state, members, assigned }
    }
}

fn member(info: &GroupMemberInfo) -> GroupMember {
    GroupMember {
        member_id: info.id().to_owned(),
        client_id: info.client_id().to_owned(),
        // Java's way of writing it.
        host: info.client_host().trim_start_matches('/').to_owned(),
        instance_id: None,
        assignment: info.assignment().and_then(assignment::decode).unwrap_or_default(),
    }
}

fn committed(client: &BaseConsumer<Talk>, view: &View) -> Result<Committed, KafkaError> {
    let mut asked = TopicPartitionList::new();
    for topic in view.topics.values().filter(|topic| !topic.internal) {
        for partition in &topic.partitions {
            asked.add_partition(topic.name.as_str(), partition.partition.0);
        }
    }
    let found = client.committed_offsets(asked, ASK_WITHIN)?;
    let one = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match (element.error(), element.offset()) {
        (Ok(()), At::Offset(offset)) => Some((TopicName::new(element.topic()), PartitionId(element.partition()), Offset(offset))),
        _ => None,
    };
    Ok(found.elements().iter().filter_map(one).collect())
}

fn group_offset((topic, partition, committed): &(TopicName, PartitionId, Offset), view: &View) -> Option<GroupOffset> {
    let end_offset = view.end(topic.as_str(), *partition)?;
    Some(GroupOffset { topic: topic.clone(), partition: *partition, committed: Some(*committed), end_offset })
}

fn has_members(code: ErrorCode, group: &str) -> ClusterError {
    ClusterError { code, message: format!("the group {group} has members") }
}
