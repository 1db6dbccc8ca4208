//! Records that were read: any of a topic, by partition, offset and event id.
//!
//! Parameters: `topic`, `count`.
//!
//! The receipt is `{"ticket", "records": [[partition, offset, event_id], ...], "group"}`; the group may be left out.
//!
//! | check | |
//! |---|---|
//! | `records` | at least `count` different records are real: what lies at that offset is an event with that id |
//! | `seen` | the broker handed them to this user after the ticket was issued |
//! | `committed` | a group of the user's has committed beyond the last of them in each partition |
//!
//! | mistake | its answer | facts |
//! |---|---|---|
//! | `latest` | no records | |
//! | `stopped-early` | fewer than `count`, all of them real | `got`, `count` |
//! | `not-decoded` | ids are bytes as Python shows them, `b'...'` | `example` |
//! | `errors-as-records` | entries without a partition, an offset or an id; the others are real | `errors`, `got` |
//! | `not-closed` | all is well but for the commit, and no member of the group said goodbye | `group`, `partition` |

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::model::evidence::{Committed, Evidence};
use crate::model::{Offset, PartitionId, TopicName};
use crate::workshop::TicketWish;
use crate::workshop::verdict::{Check, Judgement, Mistaken};

use super::events::{Field, read};
use super::parameters::Parameters;
use super::run::{counted, excerpt, shown};
use super::{Case, Log, LogError, Truth, not_seen};

/// Entries that are looked at.
const ENTRIES_MAX: usize = 5_000;
/// Records that are passed over rather than beginning to read again.
const GAP_MAX: i64 = 200;

pub struct FirstRecords {
    topic: TopicName,
    count: usize,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let count = usize::try_from(parameters.count("count")?).unwrap_or(ENTRIES_MAX);
    if count > ENTRIES_MAX {
        return Err(format!("the parameter \"count\" is more than {ENTRIES_MAX}"));
    }
    // Which records are read is the student's choice: the ranges are where to find some.
    let wish = parameters.wish(vec![topic.clone()], 2..5, 0)?;
    parameters.finish()?;
    Ok(Box::new(FirstRecords { topic, count, wish }))
}

/// One entry of the receipt that has all three parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    partition: PartitionId,
    offset: Offset,
    event_id: String,
}

/// What the receipt holds.
#[derive(Debug, Default)]
struct Receipt {
    claims: BTreeSet<Claim>,
    /// Entries that have not all three parts.
    errors: usize,
    first_error: Option<(usize, String)>,
    entries: usize,
    group: Option<String>,
}

impl Truth for FirstRecords {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["records", "seen", "committed"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["latest", "stopped-early", "not-decoded", "errors-as-records", "not-closed"]
    }

    fn witnessed(&self) -> &'static [(&'static str, &'static str)] {
        WITNESSED
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let receipt = match receipt(case.answer.receipt.as_ref()) {
            Ok(receipt) => receipt,
            Err(message) => return Ok(unreadable(&message)),
        };
        let partitions: BTreeSet<PartitionId> = case.ticket.ranges_of(self.topic.as_str()).map(|(partition, _)| partition).collect();
        let real = self.real(case.log, &receipt, &partitions)?;
        let records = self.records(&receipt, &real);
        let (seen, committed) = match (real.is_empty(), case.evidence) {
            (true, _) => (Check::skip("seen", NOTHING_REAL), Check::skip("committed", NOTHING_REAL)),
            (_, None) => (not_seen("seen", WITNESSED), not_seen("committed", WITNESSED)),
            (_, Some(evidence)) => (self.seen(evidence, &real, case), self.committed(evidence, &real, &receipt).0),
        };
        let mut judgement = Judgement { checks: vec![records, seen, committed], ..Judgement::default() };
        if !judgement.passed() {
            judgement.mistake = self.mistake(&receipt, &real, case.evidence);
        }
        judgement.evidence = case.evidence.map(|evidence| self.sentences(evidence)).unwrap_or_default();
        Ok(judgement)
    }
}

const NOTHING_REAL: &str = "There is no real record in your receipt to look for.";
const WITNESSED: &[(&str, &str)] = &[
    ("seen", "whether these records were handed to your own client since the ticket was issued"),
    ("committed", "whether a group of yours has committed how far it has read"),
];

fn unreadable(message: &str) -> Judgement {
    let skip = |id| Check::skip(id, "Your receipt cannot be read.");
    Judgement { checks: vec![Check::fail("records", message), skip("seen"), skip("committed")], ..Judgement::default() }
}

fn receipt(value: Option<&Value>) -> Result<Receipt, String> {
    let value = value.ok_or("There is no receipt.")?;
    let records = value.get("records").ok_or("Your receipt has no \"records\".")?;
    let records = records.as_array().ok_or_else(|| format!("\"records\" is no list, but {}.", shown(Some(records))))?;
    if records.len() > ENTRIES_MAX {
        return Err(format!("\"records\" has more than {ENTRIES_MAX} entries."));
    }
    let group = value.get("group").and_then(Value::as_str).map(str::to_owned);
    let mut receipt = Receipt { entries: records.len(), group, ..Receipt::default() };
    for (index, entry) in records.iter().enumerate() {
        match claim(entry) {
            Some(claim) => {
                receipt.claims.insert(claim);
            }
            None => {
                receipt.errors = receipt.errors.saturating_add(1);
                receipt.first_error.get_or_insert_with(|| (index, shown(Some(entry))));
            }
        }
    }
    Ok(receipt)
}

/// `[partition, offset, event_id]`, or an object with these names.
fn claim(entry: &Value) -> Option<Claim> {
    let (partition, offset, id) = match entry {
        Value::Array(parts) => (parts.first()?, parts.get(1)?, parts.get(2)?),
        Value::Object(parts) => (parts.get("partition")?, parts.get("offset")?, parts.get("event_id")?),
        _ => return None,
    };
    let partition = i32::try_from(partition.as_i64()?).ok().filter(|partition| *partition >= 0)?;
    let offset = offset.as_i64().filter(|offset| *offset >= 0)?;
    let event_id = id.as_str().filter(|id| !id.is_empty())?;
    Some(Claim { partition: PartitionId(partition), offset: Offset(offset), event_id: event_id.to_owned() })
}

/// `b'...'`, as Python shows bytes.
fn is_shown_bytes(id: &str) -> bool {
    (id.starts_with("b'") && id.ends_with('\'')) || (id.starts_with("b\"") && id.ends_with('"'))
}

impl FirstRecords {
    /// The claims that are true. The ticket names all partitions that there are.
    fn real<'a>(&self, log: &dyn Log, receipt: &'a Receipt, partitions: &BTreeSet<PartitionId>) -> Result<Vec<&'a Claim>, LogError> {
        let mut real = Vec::new();
        let mut rest: Vec<&Claim> = receipt.claims.iter().filter(|claim| partitions.contains(&claim.partition)).collect();
        while let Some(first) = rest.first() {
            let mut end = first.offset;
            let near = |claim: &&&Claim| {
                let joins = claim.partition == first.partition && claim.offset.0.saturating_sub(end.0) <= GAP_MAX;
                if joins {
                    end = claim.offset;
                }
                joins
            };
            let count = rest.iter().take_while(near).count();
            let later = rest.split_off(count);
            self.look_up(log, &rest, end.plus(1), &mut real)?;
            rest = later;
        }
        Ok(real)
    }

    /// Claims of one partition, close together.
    fn look_up<'a>(&self, log: &dyn Log, claims: &[&'a Claim], end: Offset, real: &mut Vec<&'a Claim>) -> Result<(), LogError> {
        let Some(first) = claims.first() else { return Ok(()) };
        let wanted: BTreeSet<Offset> = claims.iter().map(|claim| claim.offset).collect();
        let mut found: BTreeMap<Offset, String> = BTreeMap::new();
        let read = log.read(self.topic.as_str(), first.partition, first.offset..end, &mut |record| {
            if wanted.contains(&record.offset)
                && let Some(id) = event_id(record.value.as_ref())
            {
                found.insert(record.offset, id);
            }
        });
        match read {
            Err(LogError::Unreadable(reason)) => return Err(LogError::Unreadable(reason)),
            // Claims are a student's: an offset may be one that is not there.
            Err(LogError::Gone { .. }) | Ok(()) => {}
        }
        real.extend(claims.iter().filter(|claim| found.get(&claim.offset) == Some(&claim.event_id)));
        Ok(())
    }

    fn records(&self, receipt: &Receipt, real: &[&Claim]) -> Check {
        let got = counted(real.len(), "real record", "different real records");
        let expected = format!("at least {} different records", self.count);
        if receipt.claims.is_empty() && receipt.errors == 0 {
            return Check::fail("records", "\"records\" is empty.").expected(expected).got(got);
        }
        if real.len() < self.count {
            let wrong = receipt.claims.iter().find(|claim| !real.contains(claim));
            let message = match (wrong, &receipt.first_error) {
                (Some(Claim { partition, offset, event_id }), _) => {
                    format!("There is no event {:?} at offset {offset} of partition {partition}.", excerpt(event_id))
                }
                (None, Some((index, entry))) => {
                    format!("Entry {index} of \"records\" is not [partition, offset, event_id], but {entry}.")
                }
                (None, None) if receipt.entries > real.len() => "Too few: some records are listed more than once.".to_owned(),
                (None, None) => "Too few records.".to_owned(),
            };
            return Check::fail("records", message).expected(expected).got(got);
        }
        Check::pass("records", format!("{got} of {}.", self.topic)).got(got)
    }

    fn seen(&self, evidence: &Evidence, real: &[&Claim], case: &Case<'_>) -> Check {
        let since = |partition| {
            let of = |fetched: &&crate::model::evidence::Fetched| {
                fetched.topic == self.topic && fetched.partition == partition && fetched.at_ms >= case.ticket.issued_ms
            };
            evidence.fetched.iter().any(|fetched| of(&fetched))
        };
        let unseen = |claim: &&&Claim| !evidence.was_fetched(self.topic.as_str(), claim.partition, claim.offset) || !since(claim.partition);
        match real.iter().find(unseen) {
            None => Check::pass("seen", "The broker handed these records to you."),
            Some(Claim { partition, offset, .. }) => {
                let message = format!(
                    "The broker has not handed you offset {offset} of partition {partition} since this ticket was issued: \
                     read the records with your own user, after asking for the ticket."
                );
                Check::fail("seen", message)
            }
        }
    }

    /// With the group and the partition that lack a commit, if no member of the group said goodbye.
    fn committed(&self, evidence: &Evidence, real: &[&Claim], receipt: &Receipt) -> (Check, Option<(String, PartitionId)>) {
        let mut needed: BTreeMap<PartitionId, Offset> = BTreeMap::new();
        for claim in real {
            let last = needed.entry(claim.partition).or_insert(Offset::ZERO);
            *last = (*last).max(claim.offset.plus(1));
        }
        let of = |commit: &&Committed| commit.topic == self.topic && receipt.group.as_ref().is_none_or(|group| *group == commit.group);
        let commits: Vec<&Committed> = evidence.committed.iter().filter(of).collect();
        let lacking = needed
            .iter()
            .find(|(partition, offset)| !commits.iter().any(|commit| commit.partition == **partition && commit.offset >= **offset));
        let Some((partition, _)) = lacking else {
            return (Check::pass("committed", "Your group has committed how far it has read."), None);
        };
        let group = receipt.group.clone().or_else(|| commits.last().map(|commit| commit.group.clone()));
        let group = group.or_else(|| evidence.groups.last().map(|seen| seen.group.clone()));
        let Some(group) = group else {
            return (Check::fail("committed", "None of your consumers was in a group."), None);
        };
        let seen = evidence.groups.iter().find(|seen| seen.group == group);
        let message = match commits.iter().find(|commit| commit.partition == *partition) {
            None => format!("Group {:?} has committed nothing for partition {partition}.", excerpt(&group)),
            Some(commit) => format!(
                "Group {:?} has committed {} for partition {partition}: too low, you have read further.",
                excerpt(&group),
                commit.offset
            ),
        };
        let left = seen.is_some_and(|seen| seen.left_ms.is_some_and(|left| left >= seen.joined_ms));
        (Check::fail("committed", message), (seen.is_some() && !left).then_some((group, *partition)))
    }

    fn mistake(&self, receipt: &Receipt, real: &[&Claim], evidence: Option<&Evidence>) -> Option<Mistaken> {
        let shown_bytes = receipt.claims.iter().find(|claim| is_shown_bytes(&claim.event_id));
        let all_real = real.len() == receipt.claims.len();
        if receipt.entries == 0 {
            return Some(Mistaken::new("latest"));
        }
        if let Some(claim) = shown_bytes {
            return Some(Mistaken::new("not-decoded").with("example", excerpt(&claim.event_id)));
        }
        if receipt.errors > 0 && all_real && real.len() < self.count {
            return Some(Mistaken::new("errors-as-records").with("errors", receipt.errors).with("got", real.len()));
        }
        if all_real && receipt.entries < self.count {
            return Some(Mistaken::new("stopped-early").with("got", real.len()).with("count", self.count));
        }
        if real.len() < self.count {
            return None;
        }
        let (group, partition) = self.committed(evidence?, real, receipt).1?;
        Some(Mistaken::new("not-closed").with("group", excerpt(&group)).with("partition", partition))
    }

    fn sentences(&self, evidence: &Evidence) -> Vec<String> {
        let softwares: BTreeSet<&str> = evidence
            .fetched
            .iter()
            .filter(|fetched| fetched.topic == self.topic && !fetched.software.is_empty())
            .map(|fetched| fetched.software.as_str())
            .collect();
        let user = excerpt(&evidence.user);
        softwares.into_iter().map(|software| format!("{user} read {} with {}.", self.topic, excerpt(software))).collect()
    }
}

fn event_id(value: Option<&bytes::Bytes>) -> Option<String> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, default)]
        event_id: Field<'a>,
    }
    read::<Event<'_>>(value)?.event_id.text().map(str::to_owned)
}
