//! `/api/live`: an open page, which is told by server-sent events what changes.
//!
//! A page that reads slowly gets the newest when it reads again: nothing is kept for it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
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
use super::door::{Held, Occupied};
use super::live::{EVERYTHING, Entered, Frame, LOOK_EVERY};
use super::live_events::event;
use super::{HttpState, course};
use crate::workshop::course::Told;
use crate::workshop::{Role, Room};

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
    _occupied: Option<Held>,
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
