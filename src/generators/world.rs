//! Everything about the town that does not change with time, and the day's shape.

use std::sync::Arc;

use super::dirt::DirtLevel;
use super::draft::{CHAPTER_MS, Story};
use super::random::{Dice, sin_turns};
use super::town::Town;

/// The workshop's day: it lasts an hour, so that a class sees one go by.
pub const DAY_MS: i64 = 3_600_000;

/// A seed and the town that it stands for.
pub struct World {
    pub(super) seed: u64,
    pub(super) dirt: DirtLevel,
    pub(super) town: Town,
}

impl World {
    pub fn new(seed: u64, dirt: DirtLevel) -> Arc<World> {
        Arc::new(World { seed, dirt, town: Town::new(seed) })
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
        if chapter < 0 {
            return 0;
        }
        let expected = per_s * (CHAPTER_MS / 1000) as f64 * day_shape(chapter * CHAPTER_MS + CHAPTER_MS / 2);
        self.chapter_dice(story, chapter).poisson(expected)
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
