//! Moves topics, their configs and what groups have committed from one Kafka cluster to another, resumable and exactly counted.
//!
//! `map.rs` and `told.rs` are the pure parts: which offset a record has at the other end, and how that is written down. `journal.rs` keeps
//! it at the target and says how the copy is exact without transactions; `topics.rs` makes the topics, `stand.rs` finds out where a copy
//! stands, `copy.rs` goes on with it, `groups.rs` moves the offsets, `compare.rs` reads both ends and holds record against record. One
//! thread does one thing after the other; only Kafka's clients have threads of their own.

mod compare;
mod copy;
mod end;
mod groups;
mod journal;
mod map;
mod stand;
mod told;
mod topics;
mod walk;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::Access;

pub use compare::Compared;
use copy::{Copier, Producer};
use end::End;
pub use groups::GroupReport;
use groups::Groups;
use journal::Journal;
use stand::Stand;
use told::{Lane, Told};
use topics::Topic;

const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// How long an outage is waited for after a stop was asked for.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(10);
const FOLLOWS_EVERY: Duration = Duration::from_secs(1);

/// Which end, what happened, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct MirrorError {
    text: String,
    /// Waiting may mend it.
    passes: bool,
}

impl MirrorError {
    fn new(text: String) -> MirrorError {
        MirrorError { text, passes: false }
    }

    fn stopped() -> MirrorError {
        MirrorError::new("stopped before all was copied; the same command goes on from there".to_owned())
    }
}

/// What is to be moved.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Names, `*` stands for anything; none: all but Kafka's internal ones and those that Headwater keeps for itself.
    pub topics: Vec<String>,
    pub groups: Vec<String>,
    pub no_groups: bool,
    /// Also the topics that Headwater keeps for itself.
    pub workshop: bool,
    /// Goes on until it is stopped.
    pub follow: bool,
    pub dry_run: bool,
}

/// Of one topic, in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub records: u64,
    /// Of keys and values.
    pub bytes: u64,
    /// Offsets of the source that are still to come.
    pub lag: i64,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Outcome {
    pub topics: BTreeMap<String, (Counts, Option<Compared>)>,
    pub groups: GroupReport,
}

impl Outcome {
    /// Whether both ends hold the same, as far as that was looked at.
    pub fn is_whole(&self) -> bool {
        self.topics.values().all(|(counts, compared)| counts.lag == 0 && compared.as_ref().is_none_or(|compared| compared.wrong == 0))
    }
}

/// Whether to go on, and what is said meanwhile.
pub(in crate::cluster) struct Pulse {
    stop: Arc<AtomicBool>,
    say: Box<dyn Fn(&str)>,
    said: RefCell<Instant>,
    stopped_at: RefCell<Option<Instant>>,
    /// An outage is waited for as long as it lasts.
    outlasts: bool,
}

impl Pulse {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn beat(&self, what: impl FnOnce() -> String) {
        if self.said.borrow().elapsed() >= PROGRESS_EVERY {
            (self.say)(&what());
            self.said.replace(Instant::now());
        }
    }

    /// An answer is being waited for. False: no longer.
    fn waits(&self, end: &str, reason: Option<String>) -> bool {
        if self.is_stopped() {
            let since = *self.stopped_at.borrow_mut().get_or_insert_with(Instant::now);
            return since.elapsed() < GIVES_UP_WITHIN;
        }
        self.beat(|| format!("waiting for {end}{}", reason.map_or_else(String::new, |reason| format!(": {reason}"))));
        true
    }
}

/// Lanes by topic and partition, and whether the journal has to learn of them.
type Found = BTreeMap<(String, i32), (Lane, bool)>;

/// By the size of their batches.
type Producers = BTreeMap<i64, Producer>;

/// What a move has come to.
struct State {
    journal: Journal,
    /// By this way, and by the way back.
    told: Told,
    other: Told,
    /// Since then no other mirror makes plans at the target.
    opened: Instant,
    lanes: BTreeMap<(String, i32), Lane>,
    producers: Producers,
    groups_at: Option<Instant>,
    outcome: Outcome,
}

impl State {
    /// Where the copies stand is to be found out again, as at a start.
    fn forget(&mut self) {
        self.told.lanes.extend(std::mem::take(&mut self.lanes));
        // What they have not sent is not sent any more.
        self.producers.clear();
        self.opened = Instant::now();
    }
}

/// A move, from the first look to the comparison.
pub struct Mirror {
    from: End,
    to: End,
    wishes: Wishes,
    pulse: Rc<Pulse>,
}

impl Mirror {
    /// `stop` ends it after what is under way; `say` gets a line every ten seconds, and one for what is left out.
    pub fn connect(
        from: &Access,
        to: &Access,
        wishes: Wishes,
        stop: Arc<AtomicBool>,
        say: Box<dyn Fn(&str)>,
    ) -> Result<Mirror, MirrorError> {
        let (said, stopped_at) = (RefCell::new(Instant::now()), RefCell::new(None));
        let pulse = Rc::new(Pulse { stop, say, said, stopped_at, outlasts: wishes.follow });
        let from = End::connect("--from", from, "read_committed", Rc::clone(&pulse))?;
        let to = End::connect("--to", to, "read_uncommitted", Rc::clone(&pulse))?;
        if from.cluster_id == to.cluster_id {
            return Err(to.wrong("this is the same cluster as --from; give another one"));
        }
        Ok(Mirror { from, to, wishes, pulse })
    }

    pub fn run(&self) -> Result<Outcome, MirrorError> {
        let mut topics = topics::find(&self.from, &self.to, &self.wishes)?;
        let other = journal::read(&self.from, &self.to.cluster_id, &self.pulse)?;
        if self.wishes.dry_run {
            return self.preview(&topics, &other);
        }
        // Before anything is made or written, all that stands in the way is known.
        let told = journal::read(&self.to, &self.from.cluster_id, &self.pulse)?;
        self.lanes(&topics, &told, &other, None)?;
        let (journal, told) = Journal::open(&self.to, &self.from.cluster_id, &self.pulse)?;
        let mut state = State {
            journal,
            told,
            other,
            opened: Instant::now(),
            lanes: BTreeMap::new(),
            producers: Producers::new(),
            groups_at: None,
            outcome: Outcome::default(),
        };
        let mut turns = 0_u64;
        loop {
            let looked = if turns == 0 { Ok(()) } else { self.look_again(&mut topics, &mut state) };
            turns += 1;
            match looked.and_then(|()| self.turn(&mut topics, &mut state)) {
                Ok(()) if !self.wishes.follow || self.pulse.is_stopped() => break,
                Ok(()) => {}
                // An outage ends nothing: it goes on as a new run would.
                Err(error) if self.wishes.follow && error.passes && self.pulse.waits("an answer", Some(error.to_string())) => {
                    state.forget();
                    std::thread::sleep(FOLLOWS_EVERY);
                }
                Err(error) => return Err(error),
            }
        }
        if self.wishes.follow {
            return Ok(state.outcome);
        }
        if self.pulse.is_stopped() {
            return Err(MirrorError::stopped());
        }
        self.compare(&topics, &state.lanes, &mut state.outcome)?;
        Ok(state.outcome)
    }

    /// Brings the target up to where the source is, and then waits a little.
    fn turn(&self, topics: &mut [Topic], state: &mut State) -> Result<(), MirrorError> {
        self.make(topics)?;
        let new: Vec<Topic> = topics.iter().filter(|topic| !state.lanes.contains_key(&(topic.name.clone(), 0))).cloned().collect();
        for ((name, partition), (mut lane, changed)) in self.lanes(&new, &state.told, &state.other, Some(state.opened))? {
            if changed {
                let entries = state.journal.anew(&name, partition, &mut lane);
                // Known even if only a part of it is written.
                state.told.lanes.insert((name.clone(), partition), lane.clone());
                state.journal.write(&self.to, &entries, &self.pulse)?;
            }
            state.lanes.insert((name, partition), lane);
        }
        self.pass(topics, state)?;
        if !self.pulse.is_stopped() && state.groups_at.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
            state.groups_at = Some(Instant::now());
            let names = groups::names(&self.from, &self.wishes)?;
            let (own, other) = (&mut state.told.commits, &state.other.commits);
            let mut groups = Groups { from: &self.from, to: &self.to, pulse: &self.pulse, lanes: &state.lanes, own, other };
            groups.run(&mut state.journal, &names, &mut state.outcome.groups)?;
        }
        if !self.wishes.follow {
            return Ok(());
        }
        self.pulse.beat(|| {
            let records: u64 = state.outcome.topics.values().map(|(counts, _)| counts.records).sum();
            format!("{records} records copied, the target is up to date")
        });
        let begun = Instant::now();
        while begun.elapsed() < FOLLOWS_EVERY && !self.pulse.is_stopped() {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Which topics there are by now, at either end.
    fn look_again(&self, topics: &mut Vec<Topic>, state: &mut State) -> Result<(), MirrorError> {
        let known = std::mem::replace(topics, topics::find(&self.from, &self.to, &self.wishes)?);
        for topic in topics.iter_mut() {
            if let Some(known) = known.iter().find(|known| known.name == topic.name) {
                topic.left_out.clone_from(&known.left_out);
            }
            if topic.exists || !state.lanes.contains_key(&(topic.name.clone(), 0)) {
                continue;
            }
            (self.pulse.say)(&format!("{} was deleted at {}: it is copied anew", topic.name, self.to.name()));
            state.forget();
        }
        Ok(())
    }

    fn make(&self, topics: &mut [Topic]) -> Result<(), MirrorError> {
        for topic in topics.iter_mut().filter(|topic| !topic.exists) {
            topic.create(&self.to)?;
            for (config, why) in &topic.left_out {
                (self.pulse.say)(&format!("{}: {config} is left out: {why}", topic.name));
            }
        }
        Ok(())
    }

    fn lanes(&self, topics: &[Topic], told: &Told, other: &Told, opened: Option<Instant>) -> Result<Found, MirrorError> {
        let stand = Stand { own: told, other };
        let mut lanes = BTreeMap::new();
        for topic in topics {
            for partition in 0..topic.partitions {
                let ends = (&self.from, &self.to);
                lanes.insert((topic.name.clone(), partition), stand.lane(ends, &self.pulse, topic, partition, opened)?);
            }
        }
        Ok(lanes)
    }

    /// Every topic once, up to where it ends now.
    fn pass(&self, topics: &[Topic], state: &mut State) -> Result<(), MirrorError> {
        let State { journal, lanes, producers, outcome, .. } = state;
        for topic in topics {
            if self.pulse.is_stopped() {
                return Ok(());
            }
            let producer = match producers.entry(topic.batch_bytes) {
                std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => place.insert(Producer::new(self.to.producer(topic.batch_bytes)?)),
            };
            let own = lanes.iter_mut().filter(|((name, _), _)| *name == topic.name).map(|((_, partition), lane)| (*partition, lane));
            let counts = &mut outcome.topics.entry(topic.name.clone()).or_default().0;
            let mut copier = Copier {
                from: &self.from,
                to: &self.to,
                pulse: &self.pulse,
                journal: &mut *journal,
                producer,
                topic,
                lanes: own.collect(),
            };
            copier.run(counts)?;
        }
        Ok(())
    }

    fn compare(&self, topics: &[Topic], lanes: &BTreeMap<(String, i32), Lane>, outcome: &mut Outcome) -> Result<(), MirrorError> {
        for topic in topics {
            let mut compared = Compared::default();
            for ((_, partition), lane) in lanes.iter().filter(|((name, _), _)| *name == topic.name) {
                compare::compare((&self.from, &self.to), &self.pulse, topic, *partition, lane, &mut compared)?;
            }
            outcome.topics.entry(topic.name.clone()).or_default().1 = Some(compared);
        }
        Ok(())
    }

    /// What would be done. Nothing is written, not even the journal.
    fn preview(&self, topics: &[Topic], other: &Told) -> Result<Outcome, MirrorError> {
        let told = journal::read(&self.to, &self.from.cluster_id, &self.pulse)?;
        let lanes = self.lanes(topics, &told, other, None)?;
        let mut outcome = Outcome::default();
        for topic in topics {
            let mut lag = 0;
            for partition in 0..topic.partitions {
                let (_, end) = self.from.bounds(&topic.name, partition)?;
                lag += lanes.get(&(topic.name.clone(), partition)).map_or(0, |(lane, _)| (end - lane.map.source_next).max(0));
            }
            for (config, why) in &topic.left_out {
                (self.pulse.say)(&format!("{}: {config} would be left out: {why}", topic.name));
            }
            outcome.topics.insert(topic.name.clone(), (Counts { lag, ..Counts::default() }, None));
        }
        for group in groups::names(&self.from, &self.wishes)? {
            outcome.groups.moved.insert(group, 0);
        }
        Ok(outcome)
    }
}
