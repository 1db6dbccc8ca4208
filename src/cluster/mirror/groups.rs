//! What groups have committed, moved to the same records at the target.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::end::{ANSWER_WITHIN, End, OWN_GROUP, Talk};
use super::journal::Journal;
use super::told::{Commit, Commits, Lane};
use super::topics::is_wanted;
use super::{MirrorError, Pulse, Wishes};
use crate::cluster::settling::settled;

/// One question. A coordinator that has just started says so for a while, and is asked again.
const COORDINATOR_WITHIN: Duration = Duration::from_secs(5);

/// What became of the groups.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GroupReport {
    /// Groups whose offsets are at the target now, with how many.
    pub moved: BTreeMap<String, usize>,
    /// Groups that were not touched, or not in all partitions, and why.
    pub left_alone: BTreeMap<String, String>,
}

type Committed = BTreeMap<(String, i32), (i64, String)>;

/// Names of the groups that are wished for.
pub(super) fn names(from: &End, wishes: &Wishes) -> Result<Vec<String>, MirrorError> {
    if wishes.no_groups {
        return Ok(Vec::new());
    }
    let list = from.reader.fetch_group_list(None, ANSWER_WITHIN).map_err(|error| from.failed("cannot list the groups", &error))?;
    let mut names: Vec<String> = list.groups().iter().map(|group| group.name().to_owned()).collect();
    names.retain(|name| !name.is_empty() && name != OWN_GROUP && is_wanted(&wishes.groups, name));
    names.sort();
    Ok(names)
}

fn committed(end: &End, client: &BaseConsumer<Talk>, group: &str, lanes: &BTreeMap<(String, i32), Lane>) -> Result<Committed, MirrorError> {
    let failed = |error: KafkaError| end.failed(&format!("cannot ask what group {group} has committed"), &error);
    let mut asked = TopicPartitionList::with_capacity(lanes.len());
    for (topic, partition) in lanes.keys() {
        asked.add_partition(topic, *partition);
    }
    let answer = settled(ANSWER_WITHIN, || client.committed_offsets(asked.clone(), COORDINATOR_WITHIN)).map_err(failed)?;
    let known = answer.elements().into_iter().filter_map(|one| {
        let offset = one.offset().to_raw().filter(|offset| *offset >= 0)?;
        Some(((one.topic().to_owned(), one.partition()), (offset, one.metadata().to_owned())))
    });
    Ok(known.collect())
}

pub(super) struct Groups<'a> {
    pub from: &'a End,
    pub to: &'a End,
    pub pulse: &'a Pulse,
    pub lanes: &'a BTreeMap<(String, i32), Lane>,
    /// What mirrors have committed at the target, and what that of the other way has committed at the source.
    pub own: &'a mut Commits,
    pub other: &'a Commits,
}

impl Groups<'_> {
    pub fn run(&mut self, journal: &mut Journal, names: &[String], report: &mut GroupReport) -> Result<(), MirrorError> {
        for group in names {
            if self.pulse.is_stopped() {
                return Err(MirrorError::stopped());
            }
            let here = committed(self.from, &self.from.consumer_of(group)?, group, self.lanes)?;
            if !here.is_empty() {
                self.one(journal, group, here, report)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, journal: &mut Journal, group: &str, here: Committed, report: &mut GroupReport) -> Result<(), MirrorError> {
        let client = self.to.consumer_of(group)?;
        let there = committed(self.to, &client, group, self.lanes)?;
        let failed = |error: KafkaError| self.to.failed(&format!("cannot commit for group {group}"), &error);
        let (mut wanted, mut entries, mut commits, mut settled, mut own_way) = (TopicPartitionList::new(), Vec::new(), Vec::new(), 0, 0);
        for (place, (offset, metadata)) in here {
            let Some(lane) = self.lanes.get(&place) else { continue };
            let now = lane.map.translate(offset);
            let id = (group.to_owned(), place.0.clone(), place.1);
            let at = there.get(&place);
            if at.is_some_and(|(at, text)| *at == now && *text == metadata) {
                settled += 1;
                continue;
            }
            let was = at.map_or(-1, |(at, _)| *at);
            let by_mirror = self.own.get(&id).is_some_and(|last| last.was == was || last.now == was);
            let moved_from = self.other.get(&id).is_some_and(|last| last.source == was);
            if was >= 0 && was != now && !by_mirror && !moved_from {
                own_way += 1;
                continue;
            }
            let commit = Commit { was, now, source: offset };
            entries.push(journal.commit_of(group, &place.0, place.1, commit));
            commits.push((id, commit));
            let mut one = wanted.add_partition(&place.0, place.1);
            one.set_offset(rdkafka::Offset::Offset(now)).map_err(failed)?;
            one.set_metadata(metadata);
        }
        if own_way > 0 {
            let why = format!("it has committed by itself there in {own_way} partitions; delete it there to have it moved again");
            report.left_alone.insert(group.to_owned(), why);
        }
        let count = commits.len();
        if count > 0 {
            // Told before it is done: a group that stands at either offset was put there by a mirror.
            journal.write(self.to, &entries, self.pulse)?;
            if let Some(why) = self.commit(&client, group, &wanted)? {
                report.moved.remove(group);
                report.left_alone.insert(group.to_owned(), why);
                return Ok(());
            }
            self.own.extend(commits);
        }
        if own_way == 0 {
            report.left_alone.remove(group);
        }
        if count + settled > 0 {
            report.moved.insert(group.to_owned(), count + settled);
        }
        Ok(())
    }

    /// Why the group is left alone, if it is.
    fn commit(&self, client: &BaseConsumer<Talk>, group: &str, offsets: &TopicPartitionList) -> Result<Option<String>, MirrorError> {
        use RDKafkaErrorCode::{IllegalGeneration, NonEmptyGroup, RebalanceInProgress, StaleMemberEpoch, UnknownMemberId};
        let Err(error) = settled(ANSWER_WITHIN, || client.commit(offsets, CommitMode::Sync)) else { return Ok(None) };
        match error.rdkafka_error_code() {
            Some(UnknownMemberId | IllegalGeneration | RebalanceInProgress | NonEmptyGroup | StaleMemberEpoch) => {
                Ok(Some("it has members there; stop them and run this again".to_owned()))
            }
            _ => Err(self.to.failed(&format!("cannot commit for group {group}"), &error)),
        }
    }
}
