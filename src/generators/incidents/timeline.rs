//! The log of commands, in the form in which the town's stories look things up.

use crate::generators::draft::CHAPTER_MS;
use crate::generators::random::Dice;
use crate::generators::schema::{STREAMS, StreamId};
use crate::generators::town::Town;
use crate::generators::town::places::COUNTRIES;

use super::{Command, Kind, Order, TargetKind};

/// An incident with its target found. Half-open; times are the town's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// 0 for those that the seed plans.
    pub id: u32,
    pub kind: Kind,
    pub from: i64,
    pub to: i64,
    /// The end that was ordered at first. What is told about the whole of it at its beginning goes by this one.
    pub ordered_to: i64,
    /// The target's number among its choices.
    pub target: usize,
    pub target_name: Option<String>,
}

impl Incident {
    pub fn is_on(&self, at: i64) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// One spike falls into each of these stretches, in its first five minutes: 20 to 30 minutes lie between two.
const SPIKE_EVERY_MS: i64 = 25 * 60_000;
const SPIKE_WITHIN_MS: i64 = 5 * 60_000;
const SPIKE_MS: i64 = 6 * 60_000;

/// What was ordered and planned.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    seed: u64,
    /// In the order of the log.
    incidents: Vec<Incident>,
    /// Of each stream: since when which factor, oldest first. Before the first it is 1.
    rates: Vec<Vec<(i64, f64)>>,
}

impl Timeline {
    pub fn new(seed: u64, town: &Town, commands: &[Command]) -> Timeline {
        let mut timeline = Timeline { seed, incidents: Vec::new(), rates: vec![Vec::new(); STREAMS.len()] };
        let mut paces = vec![Pace { factor: 1.0, paused: false }; STREAMS.len()];
        for command in commands {
            match &command.order {
                Order::Begin { id, kind, target, from, to } => timeline.begin(town, *id, *kind, target.as_deref(), (*from, *to)),
                Order::End { id } => {
                    for incident in timeline.incidents.iter_mut().filter(|incident| incident.id == *id) {
                        incident.to = incident.to.min(command.at.max(incident.from));
                    }
                }
                Order::Rate { topic, factor } => {
                    timeline.change(&mut paces, command.at, topic.as_deref(), |pace| pace.factor = *factor);
                }
                Order::Pause { topic } => timeline.change(&mut paces, command.at, topic.as_deref(), |pace| pace.paused = true),
                Order::Resume { topic } => timeline.change(&mut paces, command.at, topic.as_deref(), |pace| pace.paused = false),
            }
        }
        timeline
    }

    fn begin(&mut self, town: &Town, id: u32, kind: Kind, target: Option<&str>, (from, to): (i64, i64)) {
        let choices = kind.row().target.choices(town);
        let number = target.and_then(|target| choices.iter().position(|choice| choice == target));
        // A target that this version does not know: nothing can happen to it.
        if number.is_none() && kind.row().target != TargetKind::Nothing {
            return;
        }
        let (target, target_name) = (number.unwrap_or(0), target.map(str::to_owned));
        self.incidents.push(Incident { id, kind, from, to, ordered_to: to, target, target_name });
    }

    fn change(&mut self, paces: &mut [Pace], at: i64, topic: Option<&str>, change: impl Fn(&mut Pace)) {
        for ((pace, rates), stream) in paces.iter_mut().zip(&mut self.rates).zip(STREAMS) {
            if topic.is_none_or(|topic| topic == stream.topic) {
                change(pace);
                rates.push((at, if pace.paused { 0.0 } else { pace.factor }));
            }
        }
    }

    /// Those of a kind that were ordered and are on.
    pub fn on(&self, kind: Kind, at: i64) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(move |incident| incident.kind == kind && incident.is_on(at))
    }

    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// What a stream's rate is multiplied with.
    pub fn rate(&self, stream: StreamId, at: i64) -> f64 {
        let changes = self.rates.get(stream.0).map_or(&[][..], Vec::as_slice);
        let before = changes.partition_point(|(since, _)| *since <= at);
        before.checked_sub(1).and_then(|last| changes.get(last)).map_or(1.0, |(_, factor)| *factor)
    }

    /// The same, as last ordered.
    pub fn rate_last(&self, stream: StreamId) -> f64 {
        self.rate(stream, i64::MAX)
    }

    /// Whether no draft is changed on its way.
    pub fn is_quiet(&self) -> bool {
        self.incidents.is_empty() && self.rates.iter().all(Vec::is_empty)
    }

    /// How much longer than without it an event can be on its way.
    pub fn reach_ms(&self) -> i64 {
        let outages = self.incidents.iter().filter(|incident| incident.kind == Kind::PaymentOutage);
        outages.map(|outage| outage.to - outage.from + super::effects::BURST_MS).max().unwrap_or(0)
    }

    /// The spike of payments that the seed plans, if one is on. Its target is a country.
    pub fn planned_spike(&self, at: i64) -> Option<Incident> {
        let stretch = at.div_euclid(SPIKE_EVERY_MS);
        if stretch < 0 {
            return None;
        }
        let mut dice = Dice::of(self.seed, &[0x5b, stretch as u64]);
        let chapters = dice.below((SPIKE_WITHIN_MS / CHAPTER_MS) as usize) as i64;
        let from = stretch * SPIKE_EVERY_MS + chapters * CHAPTER_MS;
        let (to, target) = (from + SPIKE_MS, dice.below(COUNTRIES.len()));
        let target_name = COUNTRIES.get(target).map(|country| country.code.to_owned());
        let spike = Incident { id: 0, kind: Kind::FraudSpike, from, to, ordered_to: to, target, target_name };
        spike.is_on(at).then_some(spike)
    }
}

#[derive(Clone)]
struct Pace {
    factor: f64,
    paused: bool,
}
