//! The records of one topic: from where the target stands to where the source ended when it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Message};
use rdkafka::producer::BaseRecord;

use super::end::{Delivered, End, Polled, Reports, Sender, answers};
use super::journal::Journal;
use super::stand::crc;
use super::told::{Lane, Mark};
use super::topics::Topic;
use super::{Counts, MirrorError, Pulse};

/// What is read before it is written, over all partitions of a topic.
const ROUND_RECORDS: usize = 10_000;
const ROUND_BYTES: usize = 4 << 20;

/// How long the source may have nothing to say before what it said so far is written.
const PATIENCE: Duration = Duration::from_millis(200);

/// Writes the records.
pub(super) struct Producer {
    sender: Sender,
    reports: Reports,
    /// Partitions in which the target has a batch of it.
    begun: BTreeSet<(String, i32)>,
}

impl Producer {
    pub fn new((sender, reports): (Sender, Reports)) -> Producer {
        Producer { sender, reports, begun: BTreeSet::new() }
    }
}

/// Copies one topic.
pub(super) struct Copier<'a> {
    pub from: &'a End,
    pub to: &'a End,
    pub pulse: &'a Pulse,
    pub journal: &'a mut Journal,
    pub producer: &'a mut Producer,
    pub topic: &'a Topic,
    /// Of this topic, by partition.
    pub lanes: BTreeMap<i32, &'a mut Lane>,
}

impl Copier<'_> {
    /// Up to where the source ends now.
    pub fn run(&mut self, counts: &mut Counts) -> Result<(), MirrorError> {
        let name = self.topic.name.as_str();
        let (mut ends, mut begins) = (BTreeMap::new(), Vec::new());
        for (partition, lane) in &self.lanes {
            let (_, end) = self.from.bounds(name, *partition)?;
            if end > lane.map.source_next {
                ends.insert(*partition, end);
                // The marked record is looked at once more.
                begins.push((*partition, lane.mark.map_or(lane.map.source_next, |mark| mark.source.min(lane.map.source_next))));
            }
        }
        if ends.is_empty() {
            return Ok(());
        }
        counts.lag = ends.iter().map(|(partition, end)| end - self.lanes.get(partition).map_or(0, |lane| lane.map.source_next)).sum();
        self.from.read_from(name, &begins)?;
        let mut open: BTreeMap<i32, i64> = ends.clone();
        // Where the reader stands, and whose end was early, as `Walk` says.
        let mut stands: BTreeMap<i32, i64> = begins.into_iter().collect();
        let (mut early, mut asked) = (BTreeSet::new(), BTreeSet::new());
        let from = self.from;
        let mut round = Round::default();
        let mut heard = Instant::now();
        while !(open.is_empty() || self.pulse.is_stopped()) {
            let wait = if round.records.is_empty() { Duration::from_millis(100) } else { Duration::from_millis(20) };
            match from.poll(&from.reader, wait)? {
                Polled::Record(message) => {
                    heard = Instant::now();
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(end) = open.get(&partition).copied() else { continue };
                    stands.insert(partition, offset + 1);
                    asked.remove(&partition);
                    self.recognise(&message)?;
                    let known = self.lanes.get(&partition).is_none_or(|lane| offset < lane.map.source_next);
                    if offset < end && !known {
                        round.add(message);
                    }
                    if offset >= end - 1 {
                        open.remove(&partition);
                    }
                }
                Polled::EndOf(partition) if asked.contains(&partition) => {
                    open.remove(&partition);
                }
                Polled::EndOf(partition) if open.contains_key(&partition) => {
                    early.insert(partition);
                }
                Polled::EndOf(_) => {}
                Polled::Nothing if heard.elapsed() > Duration::from_secs(1) && !self.pulse.waits(&from.name(), None) => break,
                Polled::Nothing => {}
            }
            early.retain(|partition| open.contains_key(partition));
            if !early.is_empty() && early.len() == open.len() {
                let mut places = Vec::new();
                for partition in std::mem::take(&mut early) {
                    from.bounds(name, partition)?;
                    places.push((partition, stands.get(&partition).copied().unwrap_or(0)));
                    asked.insert(partition);
                }
                from.read_from(name, &places)?;
            }
            if round.is_full() || open.is_empty() || (!round.records.is_empty() && heard.elapsed() > PATIENCE) {
                self.write(std::mem::take(&mut round), counts)?;
            }
        }
        self.write(round, counts)?;
        let _ = from.reader.unassign();
        // Markers and gaps behind the last record have been passed as well.
        let mut passed = Vec::new();
        for (partition, end) in ends.iter().filter(|(partition, _)| !open.contains_key(partition)) {
            if let Some(lane) = self.lanes.get_mut(partition).filter(|lane| lane.map.source_next < *end) {
                lane.map.source_next = *end;
                passed.push(self.journal.plan_of(name, *partition, lane));
            }
        }
        if !passed.is_empty() {
            self.journal.write(self.to, &passed, self.pulse)?;
        }
        counts.lag = open.iter().map(|(partition, end)| end - self.lanes.get(partition).map_or(0, |lane| lane.map.source_next)).sum();
        Ok(())
    }

    /// A record that was copied is still the one that it was, or the topic is another by now.
    fn recognise(&self, message: &BorrowedMessage<'_>) -> Result<(), MirrorError> {
        let mark = self.lanes.get(&message.partition()).and_then(|lane| lane.mark);
        if mark.is_none_or(|mark| mark.source != message.offset() || mark.crc == crc(message, time(message))) {
            return Ok(());
        }
        let name = &self.topic.name;
        Err(self.from.wrong(&format!(
            "{name}-{} has another record at offset {} than the one that was copied: the topic was deleted and made anew; delete {name} at \
             the target to copy it from the beginning",
            message.partition(),
            message.offset()
        )))
    }

    fn write(&mut self, round: Round<'_>, counts: &mut Counts) -> Result<(), MirrorError> {
        if round.records.is_empty() {
            return Ok(());
        }
        let name = self.topic.name.as_str();
        let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        let mut marks = BTreeMap::new();
        for message in &round.records {
            offsets.entry(message.partition()).or_default().push(message.offset());
            marks.insert(message.partition(), message);
        }
        let (mut plans, mut expected) = (Vec::new(), BTreeMap::new());
        for (partition, offsets) in &offsets {
            let Some(lane) = self.lanes.get_mut(partition) else { continue };
            expected.insert(*partition, lane.plan(offsets));
            lane.mark = marks.get(partition).map(|message| Mark { source: message.offset(), crc: crc(message, time(message)) });
            plans.push(self.journal.plan_of(name, *partition, lane));
        }
        self.journal.write(self.to, &plans, self.pulse)?;
        // The target takes any batch as a producer's first one in a partition, also one behind a batch that it has refused. So the first
        // record of a partition goes alone; behind it the target misses what is not there.
        let begun = &mut self.producer.begun;
        let (first, rest): (Vec<_>, Vec<_>) =
            round.records.iter().partition(|message| begun.insert((name.to_owned(), message.partition())));
        let mut delivered = self.send_all(&first)?;
        delivered.extend(self.send_all(&rest)?);
        self.verify(&delivered, expected)?;
        counts.records += round.records.len() as u64;
        counts.bytes += round.bytes as u64;
        let copied = i64::try_from(round.records.len()).unwrap_or(i64::MAX);
        counts.lag = (counts.lag - copied).max(0);
        self.pulse.beat(|| format!("{name}: {} records, {} bytes copied, about {} to go", counts.records, counts.bytes, counts.lag));
        Ok(())
    }

    fn send_all(&mut self, messages: &[&BorrowedMessage<'_>]) -> Result<Vec<Delivered>, MirrorError> {
        for message in messages {
            self.journal.still_ours(self.to, self.pulse)?;
            if !self.send(message)? {
                break;
            }
        }
        let waiting = |reason: Option<String>| self.pulse.waits(&self.to.name(), reason);
        let answers = answers(self.to, &self.producer.sender, &self.producer.reports, messages.len(), &self.topic.name, waiting)?;
        answers.ok_or_else(MirrorError::stopped)
    }

    /// False: the sender was ended by a record that it has already, whose answer says why.
    fn send(&self, message: &BorrowedMessage<'_>) -> Result<bool, MirrorError> {
        let name = self.topic.name.as_str();
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(name).partition(message.partition());
            record.key = message.key();
            record.payload = message.payload();
            record.timestamp = Some(time(message));
            record.headers = message.headers().map(BorrowedHeaders::detach);
            match self.producer.sender.send(record) {
                Ok(()) => return Ok(true),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), _)) => return Ok(false),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.sender.poll(Duration::from_millis(50))
                }
                Err((error, _)) => {
                    let at = format!("{name}-{} (offset {} of the source)", message.partition(), message.offset());
                    return Err(self.to.failed(&format!("cannot write to {at}"), &error));
                }
            }
        }
    }

    /// The records are where the journal says that they are. The reports mostly say so; those of records that were sent again, as the
    /// target had ended meanwhile, may not. As each of them is there once, the end of the partition then tells.
    fn verify(&self, delivered: &[Delivered], mut expected: BTreeMap<i32, i64>) -> Result<(), MirrorError> {
        let name = self.topic.name.as_str();
        let mut unclear = BTreeSet::new();
        for report in delivered {
            let (Ok(offset), Some(next)) = (&report.offset, expected.get_mut(&report.partition)) else { continue };
            if offset != next {
                unclear.insert(report.partition);
            }
            *next += 1;
        }
        for (partition, next) in expected.into_iter().filter(|(partition, _)| unclear.contains(partition)) {
            let (_, end) = self.to.bounds(name, partition)?;
            if end != next {
                return Err(self.to.wrong(&format!(
                    "{name}-{partition} ends at {end} instead of {next}: somebody else writes to it, or it lost records; stop that, delete \
                     {name} there and run this again to copy it anew"
                )));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Round<'a> {
    records: Vec<BorrowedMessage<'a>>,
    bytes: usize,
}

impl<'a> Round<'a> {
    fn add(&mut self, message: BorrowedMessage<'a>) {
        self.bytes += message.key().map_or(0, <[u8]>::len) + message.payload().map_or(0, <[u8]>::len);
        self.records.push(message);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= ROUND_RECORDS || self.bytes >= ROUND_BYTES
    }
}

fn time(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or(-1)
}
