//! The topic `_mirror` at the target: what was copied from where to where.
//!
//! It is written before the records that it tells of. As only one mirror writes to a topic, and its records take one offset each, the
//! end of the partition then says how many of the planned records arrived, whenever and however the mirror ended. This needs no
//! transactions, which some clusters do not serve, and a reader of uncommitted records sees nothing twice either.
//!
//! A second mirror of the same source puts its name below the first one's last plan. Before each of its plans is carried out, a mirror
//! reads the journal up to it, and stops if it finds another name there. What the records say is `told.rs`.

use std::time::{Duration, SystemTime};

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::BaseRecord;

use super::end::{End, OWN_GROUP, Polled, Reports, Sender, Talk, answers};
use super::told::{Commit, Entry, Lane, Records, Told, json, session_of};
use super::topics::create_journal;
use super::walk::Walk;
use super::{MirrorError, Pulse};

pub(super) const TOPIC: &str = "_mirror";

/// How old a look into the journal may be when records are sent: a mirror that stood still meanwhile looks again.
const LOOKED_WITHIN: Duration = Duration::from_secs(2);

/// Reads what the journal at this end tells of a source; nothing if there is none.
pub(super) fn read(end: &End, from: &str, pulse: &Pulse) -> Result<Told, MirrorError> {
    if end.partition_count(TOPIC)?.is_none() {
        return Ok(Told::default());
    }
    let (start, stop) = end.bounds(TOPIC, 0)?;
    let mut found = Records::new();
    let reader = end.consumer_of(OWN_GROUP)?;
    let mut walk = Walk::begin(end, &reader, pulse, (TOPIC, 0), start, stop)?;
    while let Some(message) = walk.next()? {
        let Some(key) = message.key().and_then(|key| serde_json::from_slice(key).ok()) else { continue };
        match message.payload() {
            Some(value) => found.insert(key, value.to_vec()),
            None => found.remove(&key),
        };
    }
    Told::of(found, from).map_err(|error| {
        end.wrong(&format!(
            "{TOPIC} holds something that is no journal of a mirror ({error}); delete that topic and the copies to begin anew"
        ))
    })
}

/// The writing mirror's hand on the journal.
pub(super) struct Journal {
    from: String,
    session: String,
    sender: Sender,
    reports: Reports,
    tail: BaseConsumer<Talk>,
    tail_next: i64,
    /// No other mirror had begun by then.
    looked: SystemTime,
}

impl Journal {
    /// Makes the topic if it is not there, puts this mirror's name into it, and reads what was planned before that.
    pub fn open(to: &End, from: &str, pulse: &Pulse) -> Result<(Journal, Told), MirrorError> {
        if to.partition_count(TOPIC)?.is_none() {
            create_journal(to)?;
        }
        let (sender, reports) = to.producer(1_000_000)?;
        let session = uuid::Uuid::new_v4().to_string();
        let looked = SystemTime::now();
        let own = send(to, &sender, &reports, &[Entry::session(from, &session)], pulse)?;
        let tail = to.consumer_of(OWN_GROUP)?;
        to.assign(&tail, TOPIC, &[(0, own + 1)])?;
        let journal = Journal { from: from.to_owned(), session, sender, reports, tail, tail_next: own + 1, looked };
        // What another one planned before it could see this name is told as well.
        let told = read(to, from, pulse)?;
        Ok((journal, told))
    }

    /// The last part of the lane's map.
    pub fn plan_of(&self, topic: &str, partition: i32, lane: &Lane) -> Entry {
        lane.last_part(&self.from, topic, partition)
    }

    /// The lane's whole map, in place of all that was told of it.
    pub fn anew(&self, topic: &str, partition: i32, lane: &mut Lane) -> Vec<Entry> {
        lane.anew(&self.from, topic, partition)
    }

    pub fn commit_of(&self, group: &str, topic: &str, partition: i32, commit: Commit) -> Entry {
        Entry::commit(&self.from, group, topic, partition, commit)
    }

    /// Writes these, and looks whether another mirror has begun meanwhile.
    pub fn write(&mut self, to: &End, entries: &[Entry], pulse: &Pulse) -> Result<(), MirrorError> {
        let looked = SystemTime::now();
        let last = send(to, &self.sender, &self.reports, entries, pulse)?;
        self.look(to, last, pulse)?;
        self.looked = looked;
        Ok(())
    }

    /// Looks again if this mirror stood still since it looked: a laptop that slept, a process that was stopped.
    pub fn still_ours(&mut self, to: &End, pulse: &Pulse) -> Result<(), MirrorError> {
        // A clock that went back says nothing.
        if self.looked.elapsed().is_ok_and(|ago| ago < LOOKED_WITHIN) {
            return Ok(());
        }
        let looked = SystemTime::now();
        let (_, end) = to.bounds(TOPIC, 0)?;
        self.look(to, end - 1, pulse)?;
        self.looked = looked;
        Ok(())
    }

    fn look(&mut self, to: &End, last: i64, pulse: &Pulse) -> Result<(), MirrorError> {
        while self.tail_next <= last {
            if let Polled::Record(message) = to.poll(&self.tail, Duration::from_millis(100))? {
                self.tail_next = message.offset() + 1;
                if session_of(&self.from, message.key(), message.payload()).is_some_and(|other| other != self.session) {
                    return Err(to.wrong("another mirror of the same source has begun after this one, which therefore stops"));
                }
            } else if !pulse.waits(&to.name(), None) {
                return Err(MirrorError::stopped());
            }
        }
        Ok(())
    }
}

/// The offset of the last of them.
fn send(to: &End, sender: &Sender, reports: &Reports, entries: &[Entry], pulse: &Pulse) -> Result<i64, MirrorError> {
    'entries: for entry in entries {
        let key = json(&entry.key);
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(TOPIC).partition(0).key(key.as_slice());
            record.payload = entry.value.as_deref();
            match sender.send(record) {
                Ok(()) => break,
                // The answer to an earlier one says why.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), _)) => break 'entries,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => sender.poll(Duration::from_millis(50)),
                Err((error, _)) => return Err(to.failed(&format!("cannot write to {TOPIC}"), &error)),
            }
        }
    }
    let waiting = |reason: Option<String>| pulse.waits(&to.name(), reason);
    let Some(delivered) = answers(to, sender, reports, entries.len(), TOPIC, waiting)? else {
        return Err(MirrorError::stopped());
    };
    // An answer that got lost is told without its offset.
    let unknown = delivered.iter().any(|report| matches!(report.offset, Ok(offset) if offset < 0));
    let last = delivered.iter().filter_map(|report| report.offset.as_ref().ok().copied()).max().unwrap_or(-1);
    if unknown { Ok(to.bounds(TOPIC, 0)?.1 - 1) } else { Ok(last) }
}
