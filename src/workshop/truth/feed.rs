//! What people wrote, and what of it is to be kept.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde::Deserialize;

use crate::model::{Offset, PartitionId, lexicon};

use super::events::{ByEvent, EventKey, Field, Texts, read};
use super::times::milliseconds;

/// How long a window of the ranking is.
pub const WINDOW_MS: i64 = 600_000;

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow, default)]
    event_id: Field<'a>,
    #[serde(borrow, default)]
    post_id: Field<'a>,
    #[serde(borrow, default)]
    action_type: Field<'a>,
    #[serde(borrow, default)]
    content_preview: Field<'a>,
    #[serde(borrow, default)]
    is_bot: Field<'a>,
    #[serde(borrow, default)]
    hashtags: Texts<'a>,
    #[serde(borrow, default)]
    timestamp: Field<'a>,
}

/// Whether an event with a text is to be kept, or who would keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Kept,
    /// Somebody who keeps likes too.
    Like,
    /// Somebody who keeps bots too.
    Bot,
}

/// An event with a text. Of those that were handed in, score and fields (as hashes) are kept to hold others against them; of what is to be
/// kept, the post.
#[derive(Clone, Debug)]
pub struct Source {
    pub class: Class,
    pub partition: PartitionId,
    pub offset: Offset,
    /// How often it arrived.
    pub copies: u32,
    pub score: i32,
    pub post: u64,
    pub action: u64,
    pub hashtags: u64,
    pub timestamp: u64,
}

pub fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A field that is a text; what is none is like nothing.
pub fn hashed_text(field: &Field<'_>) -> u64 {
    hashed(field.text())
}

pub fn hashed_texts(texts: &Texts<'_>) -> u64 {
    hashed(texts.0.as_deref().unwrap_or_default())
}

/// How often a hashtag was used in a window: by all events, and without copies.
pub type Counts = HashMap<String, (u64, u64)>;

pub struct Tally<'a> {
    partition: PartitionId,
    /// Events that somebody handed something in about: only theirs are looked at closely.
    handed: &'a ByEvent<u32>,
    pub sources: ByEvent<Source>,
    pub windows: BTreeMap<i64, Counts>,
    /// The latest time at which something that is kept happened.
    pub newest_ms: Option<i64>,
}

impl<'a> Tally<'a> {
    pub fn of(partition: PartitionId, handed: &'a ByEvent<u32>) -> Tally<'a> {
        Tally { partition, handed, sources: ByEvent::default(), windows: BTreeMap::new(), newest_ms: None }
    }

    pub fn visit(&mut self, offset: Offset, value: Option<&Bytes>) {
        let Some(action) = read::<Action<'_>>(value) else { return };
        let (Some(id), Some(text)) = (action.event_id.text(), action.content_preview.text()) else { return };
        if text.trim().is_empty() {
            return;
        }
        let class = match (action.action_type.text(), action.is_bot == Field::Flag(true)) {
            (Some("post" | "share" | "comment"), false) => Class::Kept,
            (Some("post" | "share" | "comment"), true) => Class::Bot,
            (Some("like"), false) => Class::Like,
            _ => return,
        };
        let (key, is_kept) = (EventKey::of(id), class == Class::Kept);
        let is_handed = is_kept && self.handed.contains_key(&key);
        let of_handed = |hash: &dyn Fn() -> u64| if is_handed { hash() } else { 0 };
        let mut again = true;
        let source = self.sources.entry(key).or_insert_with(|| {
            again = false;
            Source {
                class,
                partition: self.partition,
                offset,
                copies: 0,
                score: if is_handed { lexicon::score(text) as i32 } else { 0 },
                post: if is_kept { hashed_text(&action.post_id) } else { 0 },
                action: of_handed(&|| hashed_text(&action.action_type)),
                hashtags: of_handed(&|| hashed_texts(&action.hashtags)),
                timestamp: of_handed(&|| hashed_text(&action.timestamp)),
            }
        });
        source.copies = source.copies.saturating_add(1);
        if is_kept {
            self.rank(&action, again);
        }
    }

    fn rank(&mut self, action: &Action<'_>, again: bool) {
        let Some(at) = action.timestamp.text().and_then(milliseconds) else { return };
        self.newest_ms = self.newest_ms.max(Some(at));
        for hashtag in action.hashtags.0.iter().flatten() {
            let counts = self.windows.entry(at.div_euclid(WINDOW_MS)).or_default();
            if !counts.contains_key(hashtag.as_ref()) {
                counts.insert(hashtag.to_string(), (0, 0));
            }
            if let Some((all, once)) = counts.get_mut(hashtag.as_ref()) {
                *all = all.saturating_add(1);
                *once = once.saturating_add(u64::from(!again));
            }
        }
    }
}

/// What a topic's range holds.
#[derive(Default)]
pub struct Feed {
    pub sources: ByEvent<Source>,
    pub windows: BTreeMap<i64, Counts>,
    pub newest_ms: Option<i64>,
}

impl Feed {
    pub fn of<'t>(tallies: impl IntoIterator<Item = Tally<'t>>) -> Feed {
        let mut feed = Feed::default();
        for tally in tallies {
            if feed.sources.is_empty() {
                feed.sources = tally.sources;
            } else {
                feed.sources.extend(tally.sources);
            }
            feed.newest_ms = feed.newest_ms.max(tally.newest_ms);
            for (window, counts) in tally.windows {
                let sums = feed.windows.entry(window).or_default();
                for (hashtag, (all, once)) in counts {
                    let sum = sums.entry(hashtag).or_default();
                    *sum = (sum.0.saturating_add(all), sum.1.saturating_add(once));
                }
            }
        }
        feed
    }

    pub fn kept(&self, key: &EventKey) -> Option<&Source> {
        self.sources.get(key).filter(|source| source.class == Class::Kept)
    }

    pub fn count(&self, class: Class) -> usize {
        self.sources.values().filter(|source| source.class == class).count()
    }
}
