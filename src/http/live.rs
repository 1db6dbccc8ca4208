//! What all live pages are told (`live_page.rs` is one of them): one look at the cluster a second for all, none while no page is open; what
//! is the same for all is written down once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use super::HttpState;
use super::answer::Refused;
use super::groups::now_ms;
use super::light::{self, Light, Strangers};
use super::live_events::{GroupTick, Mine, Tick, TopicTick, TownPhase, event};
use super::overview::is_stream;
use super::whose::told_to_all;
use crate::cluster::INSTRUCTOR;
use crate::generators::Phase;

/// How often is looked, while somebody looks at it.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often else, for the history.
const LOOKS_WHILE_NOBODY_DOES: u32 = 5;
/// Pages that one may have open. A tab each.
const PAGES_OF_ONE: usize = 16;
const PAGES_OF_THE_INSTRUCTOR: usize = 200;
/// While so many of all are open each may have two, a team's two laptops: there are 1024 connections for everybody.
const PAGES_OF_ALL: usize = 500;
const PAGES_OF_ONE_THEN: usize = 2;
/// Topics and groups that a tick tells of.
const ROWS_MAX: usize = 2_000;

/// The watched id of whoever may do everything.
pub(super) const EVERYTHING: &str = INSTRUCTOR;

pub(super) struct Live {
    pub frames: watch::Sender<Option<Arc<Frame>>>,
    watchers: Mutex<HashMap<String, Watcher>>,
    /// True once the pages end.
    pub stopped: watch::Sender<bool>,
    looking: tokio::sync::Mutex<()>,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            frames: watch::Sender::new(None),
            watchers: Mutex::default(),
            stopped: watch::Sender::new(false),
            looking: tokio::sync::Mutex::default(),
        }
    }
}

/// Somebody with pages open.
#[derive(Default)]
struct Watcher {
    pages: usize,
    /// Where they are open.
    from: HashMap<IpAddr, usize>,
    mine: Option<Written>,
}

/// What is told to one, with a number for each change.
#[derive(Clone)]
struct Written {
    version: u64,
    mine: Mine,
    text: Bytes,
}

/// All that one look has found.
pub(super) struct Frame {
    pub at: Instant,
    /// For the instructor, as an event.
    pub all: Bytes,
    /// For students, as an event.
    pub common: Bytes,
    topics: Vec<TopicTick>,
    groups: Vec<GroupTick>,
    pub mine: HashMap<String, (u64, Bytes)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

impl Live {
    /// Ends when the broker stops: for answers that would take longer.
    pub async fn ended(&self) {
        // The only error is that the sender is gone, which is the same.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// All pages end, and none opens any more.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn pages(&self) -> usize {
        lock(&self.watchers).values().map(|watcher| watcher.pages).sum()
    }

    /// Whose troubles without a name are taken for this one's: at this address nobody else has a page open.
    pub fn strangers(&self, state: &HttpState, id: &str, from: IpAddr) -> Strangers {
        if state.workshop.is_none() {
            return Strangers::All;
        }
        let others =
            lock(&self.watchers).iter().any(|(other, watcher)| other != id && other != EVERYTHING && watcher.from.contains_key(&from));
        if others || id == EVERYTHING { Strangers::Nobodys } else { Strangers::Of(from) }
    }

    /// Looks once a second while pages are open, else for the history alone, until the pages end.
    pub async fn look_on(state: HttpState) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopped = state.live.stopped.subscribe();
        let mut idle = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            if state.live.frames.receiver_count() > 0 {
                let _alone = state.live.looking.lock().await;
                state.live.look(&state).await;
            } else if idle == 0 {
                state.sample();
                state.groups.now(state.cluster.as_ref()).await;
            }
            if idle == 0 {
                state.paces.look(state.cluster.as_ref(), Instant::now()).await;
            }
            idle = (idle + 1) % LOOKS_WHILE_NOBODY_DOES;
        }
    }

    /// The last look, if it is not too old. Those who come while somebody looks wait for it.
    pub async fn fresh(&self, state: &HttpState) -> Option<Arc<Frame>> {
        let is_fresh = |frame: &Arc<Frame>| frame.at.elapsed() < LOOK_EVERY;
        let last = || self.frames.borrow().clone();
        if let Some(frame) = last().filter(is_fresh) {
            return Some(frame);
        }
        let _alone = self.looking.lock().await;
        if last().filter(is_fresh).is_none() {
            self.look(state).await;
        }
        last()
    }

    async fn look(&self, state: &HttpState) {
        let process = state.sample();
        let rate = state.history.rate();
        let problem = state.cluster.health().err();
        let now = state.groups.now(state.cluster.as_ref()).await;
        let groups: Vec<GroupTick> = now.groups.iter().take(ROWS_MAX).map(group_tick).collect();
        let topic = |topic: crate::cluster::TopicSummary| {
            let rate = rate.topics.get(&topic.name).copied().unwrap_or_default();
            TopicTick {
                name: topic.name.to_string(),
                messages_per_s: rounded(rate.messages_in),
                bytes_per_s: state.counted(rounded(rate.bytes_in)),
                records: topic.partitions.iter().map(|p| p.end_offset.0.saturating_sub(p.start_offset.0)).sum(),
                size_bytes: topic.partitions.iter().map(|p| p.size_bytes).sum(),
                last_write_ms: rate.last_write_ms,
            }
        };
        let topics: Vec<TopicTick> = state.cluster.topics().into_iter().filter(|topic| !topic.internal).take(ROWS_MAX).map(topic).collect();
        let mut tick = Tick {
            at_ms: now_ms(),
            healthy: problem.is_none(),
            // It speaks of the machine and names topics.
            problem: problem.as_ref().map(|problem| told_to_all(state, problem)),
            warning: None,
            connections: state.cluster.connections(),
            messages_in_per_s: rounded(rate.messages_in),
            bytes_in_per_s: state.counted(rounded(rate.bytes_in)),
            bytes_out_per_s: state.counted(rounded(rate.bytes_out)),
            cpu_percent: rounded(rate.cpu_percent),
            memory_bytes: process.memory_bytes,
            phase: phase(state),
            topics: topics.iter().filter(|topic| is_stream(&topic.name)).cloned().collect(),
            groups: Vec::new(),
            pages: self.pages(),
        };
        let common = event("tick", &tick);
        tick.problem = problem;
        tick.warning = state.cluster.warning();
        tick.topics = topics;
        tick.groups = groups;
        let all = event("tick", &tick);
        let mut frame = Frame { at: Instant::now(), all, common, topics: tick.topics, groups: tick.groups, mine: HashMap::new() };
        frame.mine = self.write_all(state, &frame);
        self.frames.send_replace(Some(Arc::new(frame)));
    }

    /// What each of those who watch is told.
    fn write_all(&self, state: &HttpState, frame: &Frame) -> HashMap<String, (u64, Bytes)> {
        let who: Vec<(String, Vec<IpAddr>)> =
            lock(&self.watchers).iter().map(|(id, watcher)| (id.clone(), watcher.from.keys().copied().collect())).collect();
        let mut found = HashMap::with_capacity(who.len());
        for (id, from) in who {
            let written = self.write(state, frame, &id, &from);
            found.insert(id, written);
        }
        found
    }

    pub fn write(&self, state: &HttpState, frame: &Frame, id: &str, from: &[IpAddr]) -> (u64, Bytes) {
        let mine = self.mine_of(state, frame, id, from);
        let mut watchers = lock(&self.watchers);
        let before = watchers.get(id).and_then(|watcher| watcher.mine.clone());
        if let Some(before) = before.as_ref().filter(|before| before.mine == mine) {
            return (before.version, before.text.clone());
        }
        let version = before.map_or(1, |before| before.version.wrapping_add(1));
        let text = event("mine", &mine);
        if let Some(watcher) = watchers.get_mut(id) {
            watcher.mine = Some(Written { version, mine, text: text.clone() });
        }
        (version, text)
    }

    fn mine_of(&self, state: &HttpState, frame: &Frame, id: &str, from: &[IpAddr]) -> Mine {
        let light = from.iter().map(|from| self.light_of(state, id, *from));
        let light = light.max_by_key(Light::rank).unwrap_or_default();
        if id == EVERYTHING {
            return Mine { topics: Vec::new(), groups: Vec::new(), light };
        }
        let roster = state.workshop.as_ref().map(|workshop| workshop.roster());
        let Some(identity) = roster.as_ref().and_then(|roster| roster.get(id)) else {
            return Mine { topics: Vec::new(), groups: Vec::new(), light };
        };
        // By name, as the cluster gives them.
        let prefix = identity.prefix();
        let first = frame.topics.partition_point(|topic| topic.name.as_str() < prefix.as_str());
        let own = frame.topics.iter().skip(first).take_while(|topic| topic.name.starts_with(&prefix));
        let results = format!("processed-social-feed.{id}");
        let results = frame.topics.binary_search_by(|topic| topic.name.as_str().cmp(&results)).ok().and_then(|at| frame.topics.get(at));
        let first = frame.groups.partition_point(|group| group.id.as_str() < identity.group_prefix());
        let groups = frame.groups.iter().skip(first).take_while(|group| identity.owns_group(&group.id));
        Mine {
            topics: results.into_iter().filter(|topic| identity.owns_topic(&topic.name)).chain(own).cloned().collect(),
            groups: groups.cloned().collect(),
            light,
        }
    }

    /// The light of somebody whose page is open from this address.
    pub fn light_of(&self, state: &HttpState, id: &str, from: IpAddr) -> Light {
        let Some(sightings) = state.cluster.sightings() else { return Light::default() };
        let strangers = self.strangers(state, id, from);
        let Some(workshop) = &state.workshop else {
            let users = sightings.names();
            return light::of(sightings, &users.iter().map(String::as_str).collect::<Vec<_>>(), &strangers);
        };
        if id == EVERYTHING {
            return light::of(sightings, &[INSTRUCTOR], &strangers);
        }
        let roster = workshop.roster();
        let users = roster.get(id).into_iter().flat_map(|identity| &identity.users).map(|account| account.user.as_str());
        light::of(sightings, &users.collect::<Vec<_>>(), &strangers)
    }

    pub fn enter(self: &Arc<Self>, id: &str, from: IpAddr) -> Result<Entered, Refused> {
        let mut watchers = lock(&self.watchers);
        let all: usize = watchers.values().map(|watcher| watcher.pages).sum();
        let most = match () {
            () if id == EVERYTHING => PAGES_OF_THE_INSTRUCTOR,
            () if all >= PAGES_OF_ALL => PAGES_OF_ONE_THEN,
            () => PAGES_OF_ONE,
        };
        let watcher = watchers.entry(id.to_owned()).or_default();
        if watcher.pages >= most {
            return Err(Refused::too_many("too many pages are open", Duration::from_secs(10)));
        }
        watcher.pages = watcher.pages.saturating_add(1);
        *watcher.from.entry(from).or_default() += 1;
        Ok(Entered { live: Arc::clone(self), id: id.to_owned(), from })
    }
}

fn group_tick(group: &super::groups::GroupNow) -> GroupTick {
    let summary = &group.summary;
    GroupTick { id: summary.id.clone(), state: summary.state.clone(), members: summary.members, lag: group.lag }
}

fn phase(state: &HttpState) -> TownPhase {
    match state.generators.as_ref().map(|runner| runner.status().phase) {
        None => TownPhase::Off,
        Some(Phase::Starting) => TownPhase::Starting,
        Some(Phase::Backfilling) => TownPhase::Backfilling,
        Some(Phase::Live) => TownPhase::Live,
    }
}

/// A page among those that are open.
pub(super) struct Entered {
    live: Arc<Live>,
    pub id: String,
    pub from: IpAddr,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut watchers = lock(&self.live.watchers);
        let Some(watcher) = watchers.get_mut(&self.id) else { return };
        watcher.pages = watcher.pages.saturating_sub(1);
        if let Some(pages) = watcher.from.get_mut(&self.from) {
            *pages = pages.saturating_sub(1);
            if *pages == 0 {
                watcher.from.remove(&self.from);
            }
        }
        if watcher.pages == 0 {
            watchers.remove(&self.id);
        }
    }
}
