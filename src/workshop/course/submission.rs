//! What a student handed in: the records of the topic that the answer goes to, or a receipt.

use std::collections::VecDeque;

use serde_json::Value;

use super::progress::Progress;
use super::student::Student;
use super::ticketing::answer_topic;
use super::work::Issued;
use crate::cluster::{Cluster, ClusterError, StoredRecord, TopicSummary};
use crate::model::{Offset, PartitionId, Timestamp, TopicName};
use crate::workshop::challenge::Place;
use crate::workshop::receipt::{self, ReceiptError};
use crate::workshop::{Answer, AnswerRecord, Challenge, TICKET_HEADER};

/// Records of an answer that are looked at: the newest.
pub(super) const RECORDS_MAX: usize = 50_000;
/// Their keys and values together: of a topic of one's own, which holds a whole stream.
const BYTES_MAX: usize = 16 << 20;
/// The same of results, which are a fraction of it. They take many times as much memory while they are looked at.
const RESULT_BYTES_MAX: usize = 4 << 20;
/// What is read of the topic to find them.
const READ_BYTES_MAX: usize = 128 << 20;
const CHUNK_BYTES: usize = 1 << 20;

pub(super) struct Found {
    pub issued: Issued,
    pub answer: Answer,
    /// It was longer than what is looked at.
    pub cut: bool,
    /// There is a newer ticket, without an answer.
    pub newer: bool,
    /// It is the receipt that was handed in before.
    pub again: bool,
}

/// Why there is nothing to judge.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    NoTicket,
    /// Nothing has come for this ticket.
    Empty(Box<Issued>),
    /// It carries the nonce of somebody else's ticket.
    SomebodyElses,
    /// It carries the nonce of one's own ticket for this challenge.
    OtherChallenge(String),
    /// The nonce of the ticket that has.
    Expired(String),
    Unknown(String),
    /// Records without the header. `in_value`: the nonce stands in their values.
    NoHeader {
        records: usize,
        in_value: bool,
    },
    /// The receipt has no field `ticket`.
    NoNonce,
    Unreadable(String),
    TooMuch,
}

pub(super) struct Reader<'a> {
    pub cluster: &'a dyn Cluster,
    pub progress: &'a Progress,
    pub student: &'a Student,
    pub challenge: &'a Challenge,
    /// The one ticket that is asked about: a team's other laptop may have begun anew meanwhile.
    pub only: Option<&'a str>,
    pub now: Timestamp,
}

/// A receipt as it was sent: JSON, or the text that a notebook printed.
pub(super) fn receipt(sent: Value) -> Result<Value, Missing> {
    receipt::from_value(sent).map_err(|error| match error {
        ReceiptError::NoTicket => Missing::NoNonce,
        error => Missing::Unreadable(format!("the receipt cannot be read: {error}")),
    })
}

/// The nonce in a record's header.
fn nonce(record: &StoredRecord) -> Option<&str> {
    let header = record.headers.iter().rev().find(|(name, _)| name == TICKET_HEADER)?;
    std::str::from_utf8(header.1.as_deref()?).ok().map(str::trim)
}

/// The newest records with one nonce, as many as are looked at.
struct Kept {
    bytes_max: usize,
    records: VecDeque<AnswerRecord>,
    bytes: usize,
    cut: bool,
}

impl Kept {
    fn new(place: Place) -> Kept {
        let bytes_max = if place == Place::OwnTopic { BYTES_MAX } else { RESULT_BYTES_MAX };
        Kept { bytes_max, records: VecDeque::new(), bytes: 0, cut: false }
    }

    fn push(&mut self, record: StoredRecord) {
        let size = |record: &AnswerRecord| [&record.key, &record.value].into_iter().flatten().map(|part| part.len()).sum::<usize>();
        let StoredRecord { partition, offset, timestamp, key, value, .. } = record;
        let record = AnswerRecord { partition, offset, timestamp, key, value };
        self.bytes = self.bytes.saturating_add(size(&record));
        self.records.push_back(record);
        while self.records.len() > RECORDS_MAX || self.bytes > self.bytes_max {
            let Some(first) = self.records.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(size(&first));
            self.cut = true;
        }
    }
}

/// What stands between the beginning of one ticket's answers and that of the next.
#[derive(Default)]
struct Segment {
    records: usize,
    without: usize,
    in_value: bool,
    /// The nonce of the last record, if it has one.
    last: Option<Option<String>>,
}

impl Reader<'_> {
    pub async fn find(&self, receipt: Option<Value>) -> Result<Result<Found, Missing>, ClusterError> {
        let mut tickets = self.progress.tickets(&self.student.id, self.challenge.id());
        tickets.reverse();
        let Some(newest) = tickets.first() else { return Ok(Err(Missing::NoTicket)) };
        match (self.challenge.sheet.submission.to, receipt) {
            (Place::Receipt, Some(receipt)) => Ok(self.by_receipt(&tickets, receipt)),
            (Place::Receipt, None) => Ok(match self.progress.receipt(&self.student.id, self.challenge.id()) {
                Some(receipt) => self.by_receipt(&tickets, receipt).map(|found| Found { again: true, ..found }),
                None if newest.is_live(self.now) => Err(Missing::Empty(Box::new(newest.clone()))),
                None => Err(Missing::Expired(newest.ticket.nonce.clone())),
            }),
            (Place::ResultsTopic | Place::OwnTopic, receipt) => {
                let receipt = receipt.or_else(|| self.progress.receipt(&self.student.id, self.challenge.id()));
                let Some(nonce) = self.only else { return self.in_topic(&tickets, receipt).await };
                let issued = match self.live(&tickets, nonce) {
                    Ok((_, issued)) => issued,
                    Err(missing) => return Ok(Err(missing)),
                };
                if let Some(found) = self.under_one(issued, receipt.clone()).await? {
                    return Ok(found);
                }
                // What came instead says more than that nothing of this ticket did.
                let instead = self.in_topic(&tickets, receipt).await?;
                Ok(Err(instead.err().unwrap_or_else(|| Missing::Empty(Box::new(issued.clone())))))
            }
        }
    }

    fn by_receipt(&self, tickets: &[Issued], receipt: Value) -> Result<Found, Missing> {
        let nonce = receipt.get(TICKET_HEADER).and_then(Value::as_str).map(str::trim).filter(|nonce| !nonce.is_empty());
        let nonce = nonce.ok_or(Missing::NoNonce)?.to_owned();
        let (place, issued) = self.live(tickets, &nonce)?;
        let answer = Answer { records: Vec::new(), receipt: Some(receipt) };
        Ok(Found { issued: issued.clone(), answer, cut: false, newer: place > 0, again: false })
    }

    /// The ticket of a nonce, or why there is none to judge by.
    fn live<'t>(&self, tickets: &'t [Issued], nonce: &str) -> Result<(usize, &'t Issued), Missing> {
        let own = tickets.iter().enumerate().find(|(_, issued)| issued.ticket.nonce == nonce);
        match own {
            Some((_, issued)) if !issued.is_live(self.now) => Err(Missing::Expired(nonce.to_owned())),
            Some(found) => Ok(found),
            None => Err(match self.progress.owner(nonce) {
                Some((student, challenge)) if student == self.student.id => Missing::OtherChallenge(challenge),
                Some(_) => Missing::SomebodyElses,
                None => Missing::Unknown(nonce.chars().take(40).collect()),
            }),
        }
    }

    /// From the newest ticket back: the first whose time anything was written in decides.
    async fn in_topic(&self, tickets: &[Issued], receipt: Option<Value>) -> Result<Result<Found, Missing>, ClusterError> {
        let (Some(newest), Some(name)) = (tickets.first(), answer_topic(self.student, self.challenge)) else {
            return Ok(Err(Missing::NoTicket));
        };
        let live = tickets.iter().take_while(|issued| issued.is_live(self.now)).count();
        let nothing = || if live == 0 { Missing::Expired(newest.ticket.nonce.clone()) } else { Missing::Empty(Box::new(newest.clone())) };
        let Some(topic) = self.cluster.topic_now(name.as_str()).await? else { return Ok(Err(nothing())) };
        let mut kept: Vec<Kept> = tickets.iter().map(|_| Kept::new(self.challenge.sheet.submission.to)).collect();
        let mut budget = READ_BYTES_MAX;
        let mut until: Vec<Offset> = topic.partitions.iter().map(|partition| partition.end_offset).collect();
        for issued in tickets.iter().take(live.max(1)) {
            let from = begins(issued, &topic);
            let segment = match self.segment(&topic, tickets, &from, &until, &mut kept, &mut budget).await? {
                Ok(segment) => segment,
                Err(missing) => return Ok(Err(missing)),
            };
            if segment.records > 0 {
                return Ok(self.decide(tickets, segment, kept, receipt));
            }
            until = from;
        }
        Ok(Err(nothing()))
    }

    /// Whatever else stands in the topic by now. `None`: something came since, but nothing of this ticket.
    async fn under_one(&self, issued: &Issued, receipt: Option<Value>) -> Result<Option<Result<Found, Missing>>, ClusterError> {
        let topic = match answer_topic(self.student, self.challenge) {
            Some(name) => self.cluster.topic_now(name.as_str()).await?,
            None => None,
        };
        let empty = || Some(Err(Missing::Empty(Box::new(issued.clone()))));
        let Some(topic) = topic else { return Ok(empty()) };
        let (tickets, mut kept) = ([issued.clone()], [Kept::new(self.challenge.sheet.submission.to)]);
        let until: Vec<Offset> = topic.partitions.iter().map(|partition| partition.end_offset).collect();
        let (from, mut budget) = (begins(issued, &topic), READ_BYTES_MAX);
        let segment = match self.segment(&topic, &tickets, &from, &until, &mut kept, &mut budget).await? {
            Ok(segment) => segment,
            Err(missing) => return Ok(Some(Err(missing))),
        };
        let [kept] = kept;
        Ok(match (kept.records.len(), segment.records) {
            (0, 0) => empty(),
            (0, _) => None,
            _ => Some(Ok(found(issued, kept, receipt, false))),
        })
    }

    fn decide(&self, tickets: &[Issued], segment: Segment, kept: Vec<Kept>, receipt: Option<Value>) -> Result<Found, Missing> {
        let last = segment.last.flatten();
        let Some(last) = last else { return Err(Missing::NoHeader { records: segment.without, in_value: segment.in_value }) };
        self.live(tickets, &last)?;
        let answered = kept.into_iter().zip(tickets).enumerate().find(|(_, (kept, _))| !kept.records.is_empty());
        let Some((place, (kept, issued))) = answered else { return Err(Missing::Unknown(last)) };
        if segment.without > 0 {
            return Err(Missing::NoHeader { records: segment.without, in_value: segment.in_value });
        }
        Ok(found(issued, kept, receipt, place > 0))
    }

    async fn segment(
        &self,
        topic: &TopicSummary,
        tickets: &[Issued],
        from: &[Offset],
        until: &[Offset],
        kept: &mut [Kept],
        budget: &mut usize,
    ) -> Result<Result<Segment, Missing>, ClusterError> {
        let mut segment = Segment::default();
        let mut newest = Timestamp::NONE;
        for (partition, (from, until)) in topic.partitions.iter().zip(from.iter().zip(until)) {
            let mut at = *from;
            while at < *until {
                let some = self.read(&topic.name, partition.partition, at).await?;
                let Some(next) = some.last().map(|record| record.offset.plus(1)).filter(|next| *next > at) else { break };
                let bytes = some.iter().map(|record| record.size().saturating_add(64)).fold(0, usize::saturating_add);
                let Some(left) = budget.checked_sub(bytes) else { return Ok(Err(Missing::TooMuch)) };
                *budget = left;
                for record in some.into_iter().filter(|record| record.offset >= at && record.offset < *until) {
                    segment.see(record, tickets, kept, &mut newest);
                }
                at = next;
            }
        }
        Ok(Ok(segment))
    }

    async fn read(&self, topic: &TopicName, partition: PartitionId, at: Offset) -> Result<Vec<StoredRecord>, ClusterError> {
        self.cluster.read(topic, partition, at, CHUNK_BYTES).await
    }
}

/// A receipt is of another ticket's answer, unless it says this one's.
fn found(issued: &Issued, kept: Kept, receipt: Option<Value>, newer: bool) -> Found {
    let nonce = |receipt: &Value| receipt.get(TICKET_HEADER).and_then(Value::as_str) == Some(issued.ticket.nonce.as_str());
    let answer = Answer { records: last_run(kept.records.into()), receipt: receipt.filter(nonce) };
    Found { issued: issued.clone(), answer, cut: kept.cut, newer, again: false }
}

impl Segment {
    fn see(&mut self, record: StoredRecord, tickets: &[Issued], kept: &mut [Kept], newest: &mut Timestamp) {
        self.records = self.records.saturating_add(1);
        let nonce = nonce(&record).map(str::to_owned);
        if record.timestamp >= *newest {
            *newest = record.timestamp;
            self.last = Some(nonce.clone());
        }
        let Some(nonce) = nonce else {
            self.without = self.without.saturating_add(1);
            self.in_value |= tickets.iter().any(|issued| holds(&record, &issued.ticket.nonce));
            return;
        };
        let place = tickets.iter().position(|issued| issued.ticket.nonce == nonce);
        if let Some(kept) = place.and_then(|place| kept.get_mut(place)) {
            kept.push(record);
        }
    }
}

fn holds(record: &StoredRecord, nonce: &str) -> bool {
    memchr::memmem::find(record.value.as_deref().unwrap_or_default(), nonce.as_bytes()).is_some()
}

/// Where the answers to a ticket begin in each partition. In a topic that was made anew, at its beginning.
fn begins(issued: &Issued, topic: &TopicSummary) -> Vec<Offset> {
    let is_same = issued.ids.get(&topic.name).is_some_and(|id| *id == topic.id.to_string());
    let of = |partition: PartitionId| issued.from.get(&partition).copied().filter(|_| is_same).unwrap_or(Offset::ZERO);
    topic.partitions.iter().map(|p| of(p.partition).max(p.start_offset).min(p.end_offset)).collect()
}

/// A record with `"final": true` ends a run; what stands before the last run was an earlier one's.
fn last_run(mut records: Vec<AnswerRecord>) -> Vec<AnswerRecord> {
    let Some((_, before)) = records.split_last() else { return records };
    let ended = before.iter().rposition(is_final);
    records.drain(..ended.map_or(0, |at| at.saturating_add(1)));
    records
}

fn is_final(record: &AnswerRecord) -> bool {
    let value = record.value.as_deref().unwrap_or_default();
    memchr::memmem::find(value, b"\"final\"").is_some()
        && serde_json::from_slice::<Value>(value).is_ok_and(|value| value.get("final") == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(text: &str) -> AnswerRecord {
        let value = Some(bytes::Bytes::from(text.to_owned()));
        AnswerRecord { partition: PartitionId(0), offset: Offset(0), timestamp: Timestamp(0), key: None, value }
    }

    #[test]
    fn what_is_no_receipt_is_told_from_one_without_a_ticket() {
        assert_eq!(receipt(json!({ "rows": 1 })), Err(Missing::NoNonce));
        for wrong in [json!("abc"), json!("WS1.%%%"), json!(7), json!([1])] {
            assert!(matches!(receipt(wrong.clone()), Err(Missing::Unreadable(_))), "{wrong}");
        }
    }

    #[test]
    fn the_last_of_several_runs_counts() {
        let run = |n: i32| [format!("{{\"n\": {n}}}"), format!("{{\"final\": true, \"count\": {n}}}")];
        let texts: Vec<String> = [run(1), run(2)].concat();
        let last = |texts: &[String]| last_run(texts.iter().map(|text| record(text)).collect()).len();
        assert_eq!((last(&texts), last(&texts[..3]), last(&texts[..2]), last(&[])), (2, 1, 2, 0));
        assert!(!is_final(&record("{\"n\": \"\\\"final\\\"\"}")) && !is_final(&record("{\"final\": false}")));
    }
}
