//! An event that is decided but not yet written down.

use std::any::Any;
use std::sync::Arc;

use super::dirt::{self, Dirt};
use super::ecommerce::ShopEvent;
use super::finance::Payment;
use super::incidents::{Incident, Kind};
use super::iot::Reading;
use super::schema::StreamId;
use super::social::Action;

/// A chapter is ten seconds of the town's time.
pub const CHAPTER_MS: i64 = 10_000;

/// The furthest that a story reaches beyond the start of its chapter, until its last clean event has arrived.
pub const STORY_REACH_MS: i64 = 32 * 60_000;

/// The same with what dirt delays.
pub const REACH_MS: i64 = STORY_REACH_MS + dirt::REACH_MS;

/// What kind of story an event comes from. The number is part of every seed and serial: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    Session = 0,
    Cascade = 1,
    Sensor = 2,
    Card = 3,
    Spike = 4,
    Raid = 5,
    Incident = 6,
    Fraud = 7,
}

/// Stories of one kind that can begin in a chapter.
pub const STORIES_MAX: usize = 1 << 12;

/// Where in the town's history an event stands; unique within a stream.
///
/// | bits | content |
/// |---|---|
/// | 32 | chapter, counted from 64 before the origin |
/// | 4 | kind of story |
/// | 12 | index of the story in its chapter |
/// | 16 | step of the story |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(pub u64);

impl Serial {
    pub fn new(story: Story, chapter: i64, index: usize, step: usize) -> Serial {
        let chapter = (chapter + 64).max(0) as u64 & 0xffff_ffff;
        Serial((chapter << 32) | ((story as u64) << 28) | ((index as u64 & 0xfff) << 16) | (step as u64 & 0xffff))
    }
}

/// What is said; one kind per stream.
#[derive(Clone, Debug)]
pub enum Body {
    Shop(ShopEvent),
    Reading(Reading),
    Action(Action),
    Payment(Payment),
    /// A record that is no event: which one, in which stream.
    Pill(StreamId, usize),
    /// Of a stream that brings its own type along.
    #[allow(dead_code, reason = "docs/fifth-stream.md")]
    Other(StreamId, Arc<dyn Any + Send + Sync>),
    /// Lines of the ledger.
    Begun(Incident),
    EndedEarly(Incident),
}

impl Body {
    #[allow(dead_code, reason = "docs/fifth-stream.md")]
    pub fn other(stream: StreamId, said: impl Any + Send + Sync) -> Body {
        Body::Other(stream, Arc::new(said))
    }
}

/// Times are milliseconds of the town's time: since its clock origin.
#[derive(Clone, Debug)]
pub struct Draft {
    pub arrival: i64,
    pub happened: i64,
    pub serial: Serial,
    /// Sent again: the same bytes a second time.
    pub copy: bool,
    pub dirt: Dirt,
    /// What of an instructor's doing changed it.
    pub incident: Option<Kind>,
    /// Written under the next version of the schema.
    pub drifted: bool,
    pub body: Body,
}

impl Draft {
    pub fn stream(&self) -> StreamId {
        match self.body {
            Body::Shop(_) => StreamId::ECOMMERCE,
            Body::Reading(_) => StreamId::IOT,
            Body::Action(_) => StreamId::SOCIAL,
            Body::Payment(_) => StreamId::FINANCE,
            Body::Pill(stream, _) | Body::Other(stream, _) => stream,
            Body::Begun(_) | Body::EndedEarly(_) => StreamId::TRUTH,
        }
    }

    /// What a stream with its own type has to say.
    #[allow(dead_code, reason = "docs/fifth-stream.md")]
    pub fn said<T: 'static>(&self) -> Option<&T> {
        let Body::Other(_, said) = &self.body else { return None };
        said.downcast_ref()
    }

    /// The order in which the town's events are told. Total: a serial is unique within its stream, but for its copy.
    pub fn order(&self) -> (i64, StreamId, Serial, bool) {
        (self.arrival, self.stream(), self.serial, self.copy)
    }
}

/// Takes the drafts of a chapter's stories.
pub struct Drafts<'a> {
    accept: &'a mut dyn FnMut(Draft),
}

impl<'a> Drafts<'a> {
    pub fn new(accept: &'a mut dyn FnMut(Draft)) -> Drafts<'a> {
        Drafts { accept }
    }

    /// Adds an event that arrives `delay_ms` after it happened.
    pub fn add(&mut self, happened: i64, delay_ms: i64, serial: Serial, body: Body) {
        (self.accept)(Draft {
            arrival: happened + delay_ms.max(0),
            happened,
            serial,
            copy: false,
            dirt: Dirt::default(),
            incident: None,
            drifted: false,
            body,
        });
    }

    /// Adds an event that an incident caused.
    pub fn add_for(&mut self, kind: Kind, happened: i64, delay_ms: i64, serial: Serial, body: Body) {
        let arrival = happened + delay_ms.max(0);
        (self.accept)(Draft { arrival, happened, serial, copy: false, dirt: Dirt::default(), incident: Some(kind), drifted: false, body });
    }
}
