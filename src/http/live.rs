//! `/api/live`: what changes, as server-sent events. One look at the cluster a second for all pages, none while no page is open; what is
//! the same for all is written down once.
//!
//! A page that reads slowly gets the newest when it reads again: nothing is kept for it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame as BodyFrame;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{broadcast, watch};

use super::answer::{InQuery, Refused};
use super::caller::{Caller, Peer};
use super::door::Occupied;
use super::groups::now_ms;
use super::light::{self, Light, Strangers};
use super::live_events::{GroupTick, Mine, Tick, TopicTick, TownPhase, event};
use super::overview::is_stream;
use super::whose::told_to_all;
use super::{HttpState, course};
use crate::cluster::INSTRUCTOR;
use crate::generators::Phase;
use crate::workshop::course::Told;
use crate::workshop::{Role, Room};

/// How often is looked, while somebody looks at it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
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
const EVERYTHING: &str = INSTRUCTOR;

pub(super) struct Live {
    frames: watch::Sender<Option<Arc<Frame>>>,
    watchers: Mutex<HashMap<String, Watcher>>,
    /// True once the pages end.
    stopped: watch::Sender<bool>,
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
struct Frame {
    at: Instant,
    /// For the instructor, as an event.
    all: Bytes,
    /// For students, as an event.
    common: Bytes,
    topics: Vec<TopicTick>,
    groups: Vec<GroupTick>,
    mine: HashMap<String, (u64, Bytes)>,
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
    async fn fresh(&self, state: &HttpState) -> Option<Arc<Frame>> {
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

    fn write(&self, state: &HttpState, frame: &Frame, id: &str, from: &[IpAddr]) -> (u64, Bytes) {
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

    fn enter(self: &Arc<Self>, id: &str, from: IpAddr) -> Result<Entered, Refused> {
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
struct Entered {
    live: Arc<Live>,
    id: String,
    from: IpAddr,
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LiveQuery {
    /// Seconds from one tick to the next: 1, 5 or 15; 1 without.
    every: Option<u32>,
}

pub(super) async fn live(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    occupied: Option<Extension<Occupied>>,
    headers: HeaderMap,
    InQuery(query): InQuery<LiveQuery>,
) -> Result<Response, Refused> {
    let every = match query.every.unwrap_or(1) {
        every @ (1 | 5 | 15) => Duration::from_secs(u64::from(every)),
        other => return Err(Refused::new(StatusCode::BAD_REQUEST, format!("{other} is no pace"), "ask for every=1, 5 or 15")),
    };
    if *state.live.stopped.borrow() {
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the broker stops", "come back when it runs again"));
    }
    let id =
        watched_id(&caller).ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "nobody is logged in", "log in (POST /api/login)"))?;
    let entered = state.live.enter(&id, peer.0.ip().to_canonical())?;
    let mut frames = state.live.frames.subscribe();
    let first = state.live.fresh(&state).await;
    frames.mark_unchanged();
    let own = course::own(&state, &caller).map(|student| student.id);
    let mut page = Page {
        verdicts: state.course.as_ref().map(|course| course.verdicts()),
        stopped: state.live.stopped.subscribe(),
        room: state.room.subscribe(),
        frames,
        queue: VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]),
        every,
        told: None,
        mine_told: 0,
        session: kept_session(&headers),
        caller,
        own,
        state,
        entered,
        _occupied: occupied.map(|Extension(occupied)| occupied.hold()),
    };
    if let Some(frame) = first {
        page.tell(&frame);
    }
    page.tell_room();
    let mut response = Body::new(Events { next: Some(Box::pin(page.next())) }).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy in between must not keep events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The id under which what is theirs is kept.
pub(super) fn watched_id(caller: &Caller) -> Option<String> {
    match (caller.role, &caller.identity) {
        (Role::Instructor, _) => Some(EVERYTHING.to_owned()),
        (Role::Student, Some(identity)) => Some(identity.id.clone()),
        _ => None,
    }
}

/// What says who asks, and no more of the request.
fn kept_session(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [header::AUTHORIZATION, header::COOKIE] {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// One open page.
struct Page {
    frames: watch::Receiver<Option<Arc<Frame>>>,
    verdicts: Option<broadcast::Receiver<Arc<Told>>>,
    stopped: watch::Receiver<bool>,
    room: watch::Receiver<Room>,
    /// What goes out next. Never more than the events of one moment.
    queue: VecDeque<Bytes>,
    every: Duration,
    told: Option<Instant>,
    mine_told: u64,
    session: HeaderMap,
    caller: Caller,
    /// As whom its verdicts are given.
    own: Option<String>,
    state: HttpState,
    entered: Entered,
    _occupied: Option<super::door::Held>,
}

impl Page {
    /// Puts what this look has found into the queue.
    fn tell(&mut self, frame: &Frame) {
        self.told = Some(frame.at);
        self.queue.push_back(if self.caller.role == Role::Instructor { frame.all.clone() } else { frame.common.clone() });
        let (version, text) = match frame.mine.get(&self.entered.id) {
            Some((version, text)) => (*version, text.clone()),
            // It came after that look.
            None => self.state.live.write(&self.state, frame, &self.entered.id, &[self.entered.from]),
        };
        if version != self.mine_told {
            self.mine_told = version;
            self.queue.push_back(text);
        }
    }

    fn tell_room(&mut self) {
        let text = event("room", &*self.room.borrow_and_update());
        self.queue.push_back(text);
    }

    /// Whether whoever opened the page may still see it.
    fn is_welcome(&self) -> bool {
        let Caller { role, user, identity } = Caller::of(&self.state, &self.session);
        let id = |identity: &Option<crate::workshop::Identity>| identity.as_ref().map(|identity| identity.id.clone());
        role == self.caller.role && user == self.caller.user && id(&identity) == id(&self.caller.identity)
    }

    /// The next piece, and the page for the one after; nothing when the page ends.
    async fn next(mut self) -> Option<(Page, Bytes)> {
        loop {
            if let Some(text) = self.queue.pop_front() {
                return Some((self, text));
            }
            let news = tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return None,
                verdict = next_verdict(&mut self.verdicts, self.own.as_deref()) => News::Verdict(verdict),
                _ = self.room.changed() => News::Room,
                _ = self.frames.changed() => News::Look,
            };
            if !self.is_welcome() {
                return None;
            }
            match news {
                News::Verdict(verdict) => {
                    self.queue.push_back(event("verdict", verdict.as_ref()));
                    continue;
                }
                News::Room => {
                    self.tell_room();
                    continue;
                }
                News::Look => {}
            }
            let Some(frame) = self.frames.borrow_and_update().clone() else { continue };
            // Looks come by a clock of their own: half a second early is on time.
            let is_due = |told: Instant| frame.at.saturating_duration_since(told) + LOOK_EVERY / 2 >= self.every;
            if self.told.is_none_or(is_due) {
                self.tell(&frame);
            }
        }
    }
}

enum News {
    Verdict(Arc<Told>),
    Room,
    Look,
}

/// The next verdict on one's own work. What came too fast to be followed is passed over.
async fn next_verdict(verdicts: &mut Option<broadcast::Receiver<Arc<Told>>>, own: Option<&str>) -> Arc<Told> {
    let (Some(verdicts), Some(own)) = (verdicts, own) else { return std::future::pending().await };
    loop {
        match verdicts.recv().await {
            Ok(told) if told.verdict.student == own => return told,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// A page as the body of an answer: the next piece is made when there is room for it on the connection.
struct Events {
    next: Option<NextPiece>,
}

type NextPiece = Pin<Box<dyn Future<Output = Option<(Page, Bytes)>> + Send>>;

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let piece = ready!(next.as_mut().poll(cx));
        self.next = None;
        let Some((page, text)) = piece else { return Poll::Ready(None) };
        self.next = Some(Box::pin(page.next()));
        Poll::Ready(Some(Ok(BodyFrame::data(text))))
    }
}
