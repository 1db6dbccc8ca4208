//! Everything about the town that does not change with time, and the day's shape.

use std::sync::Arc;

use super::dirt::DirtLevel;
use super::draft::{CHAPTER_MS, STORIES_MAX, Story};
use super::incidents::{Command, Kind, Timeline};
use super::random::{Dice, sin_turns};
use super::schema::StreamId;
use super::town::Town;
use super::visitors::Visitors;

/// The workshop's day: it lasts an hour, so that a class sees one go by.
pub const DAY_MS: i64 = 3_600_000;

/// How many times the visits come while something is on sale.
const SALE_VISITS: f64 = 3.0;

/// A seed and the town that it stands for, and what is ordered to happen in it.
pub struct World {
    pub(super) seed: u64,
    pub(super) dirt: DirtLevel,
    pub(super) town: Arc<Town>,
    pub(super) timeline: Timeline,
    pub(super) visitors: Arc<Visitors>,
}

impl World {
    pub fn new(seed: u64, dirt: DirtLevel) -> Arc<World> {
        let (town, visitors) = (Arc::new(Town::new(seed)), Arc::default());
        World { seed, dirt, town, timeline: Timeline::default(), visitors }.with_commands(&[])
    }

    /// The same town under this log of commands.
    pub fn with_commands(&self, commands: &[Command]) -> Arc<World> {
        let timeline = Timeline::new(self.seed, &self.town, commands);
        Arc::new(World { seed: self.seed, dirt: self.dirt, town: Arc::clone(&self.town), timeline, visitors: Arc::clone(&self.visitors) })
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The dice that decide how many stories of a kind begin in a chapter.
    pub(super) fn chapter_dice(&self, story: Story, chapter: i64) -> Dice {
        Dice::of(self.seed, &[0xc4, story as u64, chapter as u64])
    }

    /// The dice of one story.
    pub(super) fn story_dice(&self, story: Story, chapter: i64, index: usize) -> Dice {
        Dice::of(self.seed, &[0x57, story as u64, chapter as u64, index as u64])
    }

    /// The dice that decide whether a story, or a step of it, is dirt. Its own, so that the clean stories are those of every level.
    pub(super) fn dirt_dice(&self, story: Story, chapter: i64, index: usize) -> Dice {
        Dice::of(self.seed, &[0xd3, story as u64, chapter as u64, index as u64])
    }

    /// How many stories begin in a chapter, for a rate at midday level. Nothing begins before the origin.
    pub(super) fn beginnings(&self, story: Story, chapter: i64, per_s: f64) -> usize {
        self.beginnings_times(story, chapter, per_s, self.ordered_factor(story, chapter * CHAPTER_MS))
    }

    /// The same, had nobody ordered anything.
    pub(super) fn usual_beginnings(&self, story: Story, chapter: i64, per_s: f64) -> usize {
        self.beginnings_times(story, chapter, per_s, 1.0)
    }

    fn beginnings_times(&self, story: Story, chapter: i64, per_s: f64, factor: f64) -> usize {
        if chapter < 0 || factor == 0.0 {
            return 0;
        }
        let expected = per_s * (CHAPTER_MS / 1000) as f64 * day_shape(chapter * CHAPTER_MS + CHAPTER_MS / 2) * factor;
        self.chapter_dice(story, chapter).poisson(expected).min(STORIES_MAX)
    }

    /// What rates and incidents make of the number of a kind's stories.
    fn ordered_factor(&self, story: Story, at: i64) -> f64 {
        match story {
            Story::Session if self.timeline.on(Kind::FlashSale, at).next().is_some() => {
                SALE_VISITS * self.timeline.rate(StreamId::ECOMMERCE, at)
            }
            Story::Session => self.timeline.rate(StreamId::ECOMMERCE, at),
            Story::Cascade | Story::Raid => self.timeline.rate(StreamId::SOCIAL, at),
            Story::Card | Story::Spike | Story::Fraud => self.timeline.rate(StreamId::FINANCE, at),
            Story::Sensor | Story::Incident => 1.0,
        }
    }
}

/// The share of the day that has passed.
pub fn time_of_day(at_ms: i64) -> f64 {
    at_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64
}

/// How busy the town is: 0.6 at night to 1.4 at the height of the day, 1 on average and at the origin.
pub fn day_shape(at_ms: i64) -> f64 {
    1.0 + 0.4 * sin_turns(at_ms as f64 / DAY_MS as f64)
}

/// Milliseconds from an event to its arrival over a network: `least` and up, mostly short, at most `least + spread`.
pub(super) fn network_delay_ms(dice: &mut Dice, least: f64, spread: f64) -> i64 {
    (least + spread * dice.unit() * dice.unit()) as i64
}
