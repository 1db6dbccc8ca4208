//! Who comes to the shop when. Nobody comes while they are likely to be there still.

use std::sync::{Arc, Mutex, PoisonError};

use super::draft::{CHAPTER_MS, Story};
use super::ecommerce::SESSIONS_PER_S;
use super::random::Dice;
use super::town::SHOPPERS;
use super::world::{World, time_of_day};

/// Few visits last longer: 200 seconds.
const VISIT_CHAPTERS: i64 = 20;

/// A plan is made for ten minutes.
const PLAN_CHAPTERS: i64 = 60;
/// How long before its beginning it looks at who comes. Whoever was there even earlier makes hardly a difference.
const WARM_UP_CHAPTERS: i64 = 2 * VISIT_CHAPTERS;

/// How many people are asked until one has time.
const TRIES: usize = 24;

/// Plans that are kept. Visits tell of earlier ones, hours ago, so that plans are needed many times.
const KEPT: usize = 96;

/// The plans made so far. They follow from the seed alone, not from what instructors order: a plan for later must not change.
#[derive(Default)]
pub struct Visitors {
    kept: Mutex<Vec<(i64, Arc<Plan>)>>,
}

#[derive(Default)]
struct Plan {
    people: Vec<u16>,
    /// For each chapter, where in `people` it begins; then their number.
    begins: Vec<usize>,
}

impl Visitors {
    fn plan(&self, world: &World, number: i64) -> Arc<Plan> {
        let slot = number.rem_euclid(KEPT as i64) as usize;
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            match kept.get(slot) {
                Some((of, plan)) if *of == number => return Arc::clone(plan),
                _ => {}
            }
        }
        let plan = Arc::new(Plan::draw(world, number));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() <= slot {
            kept.resize_with(KEPT, || (i64::MIN, Arc::default()));
        }
        kept[slot] = (number, Arc::clone(&plan));
        plan
    }
}

impl Plan {
    fn draw(world: &World, number: i64) -> Plan {
        let first = number * PLAN_CHAPTERS;
        let mut last_visits = vec![i64::MIN / 2; SHOPPERS];
        let mut plan = Plan::default();
        for chapter in (first - WARM_UP_CHAPTERS).max(0)..first + PLAN_CHAPTERS {
            if chapter >= first {
                plan.begins.push(plan.people.len());
            }
            for index in 0..world.usual_beginnings(Story::Session, chapter, SESSIONS_PER_S) {
                let person = ask(world, chapter, index, |person| chapter - last_visits[person] <= VISIT_CHAPTERS);
                last_visits[person] = chapter;
                if chapter >= first {
                    plan.people.push(person as u16);
                }
            }
        }
        plan.begins.push(plan.people.len());
        plan
    }

    /// Who comes in some of the plan's chapters, counted from its first.
    fn between(&self, from: i64, to: i64) -> &[u16] {
        let at = |chapter: i64| self.begins.get(chapter.clamp(0, PLAN_CHAPTERS) as usize).copied().unwrap_or(0);
        self.people.get(at(from)..at(to)).unwrap_or_default()
    }
}

fn ask(world: &World, chapter: i64, index: usize, is_busy: impl Fn(usize) -> bool) -> usize {
    let mut dice = Dice::of(world.seed(), &[0xca, chapter as u64, index as u64]);
    let now = time_of_day(chapter * CHAPTER_MS);
    let mut person = world.town.shopper(&mut dice, now);
    for _ in 1..TRIES {
        if !is_busy(person) {
            break;
        }
        person = world.town.shopper(&mut dice, now);
    }
    person
}

/// Who makes a visit, unless somebody returns who was here before. There are more visits than planned when more are ordered.
pub fn visitor(world: &World, chapter: i64, index: usize) -> u16 {
    let plan = world.visitors.plan(world, chapter.div_euclid(PLAN_CHAPTERS));
    let chapter_of_plan = chapter.rem_euclid(PLAN_CHAPTERS);
    let planned = plan.between(chapter_of_plan, chapter_of_plan + 1).get(index).copied();
    planned.unwrap_or_else(|| ask(world, chapter, index, |person| is_busy(world, person as u16, chapter)) as u16)
}

/// Whether somebody is planned to come within the length of a visit, before or after.
pub fn is_busy(world: &World, person: u16, chapter: i64) -> bool {
    let (from, to) = ((chapter - VISIT_CHAPTERS).max(0), chapter + VISIT_CHAPTERS + 1);
    (from.div_euclid(PLAN_CHAPTERS)..=(to - 1).div_euclid(PLAN_CHAPTERS)).any(|number| {
        let first = number * PLAN_CHAPTERS;
        world.visitors.plan(world, number).between(from - first, to - first).contains(&person)
    })
}
