//! What people write: posts about the town's products, and the cascade of likes, comments and shares that each sets off.

use bytes::Bytes;

use super::dirt::{Edit, Fault, Rates};
use super::draft::{Body, CHAPTER_MS, Draft, Drafts, STORIES_MAX, Serial, Story};
use super::identifier::{event_id, short_id};
use super::incidents::Incident;
use super::json::JsonObject;
use super::random::{Dice, mix};
use super::schema::{Field, StreamId, Values};
use super::text::{self, Mood, Scene, Subject, Topic, Weather};
use super::town::PEOPLE;
use super::town::products::CATEGORIES;
use super::town::sites::SITES;
use super::truth::Labels;
use super::world::{DAY_MS, World, network_delay_ms};

pub const FIELDS: &[Field] = &[
    Field::EVENT_ID,
    Field::SCHEMA_VERSION,
    Field::new("post_id", "string", "the post, comment or share itself, for a like the post that is liked; the record's key")
        .with(Values::Like("^post-[0-9a-hjkmnp-tv-z]{12}$")),
    Field::new("user_id", "string", "who did it").with(Values::Like("^u-[0-9]{4}$")),
    Field::new("action_type", "string", "post, like, share or comment")
        .with(Values::OneOf(|| ActionType::ALL.map(ActionType::name).to_vec())),
    Field::new("content_preview", "string", "the first 140 characters; for a like those of the post").with(Values::Length(1, 140)),
    Field::new("timestamp", "time", "when it happened; the record's timestamp says when it arrived"),
    Field::new("engagement_score", "number", "what the post has gathered so far: 1 for a like, 2 for a comment, 3 for a share")
        .in_unit("points")
        .with(Values::Between(0.0, 1e6)),
    Field::new("hashtags", "strings", "without the number sign")
        .with(Values::OneOf(|| CATEGORIES.iter().flat_map(|category| category.hashtags).collect())),
    Field::new("lang", "string", "language of the text").with(Values::OneOf(|| vec!["en"])),
    Field::new("parent_post_id", "string?", "the post that is liked, shared or answered; null for a post")
        .with(Values::Like("^post-[0-9a-hjkmnp-tv-z]{12}$")),
    Field::new("is_bot", "boolean", "written by a program"),
];

pub static DIRT: Rates = Rates {
    duplicates: 0.003,
    late: [0.01, 0.0, 0.0],
    out_of_order: 0.05,
    faults: &[
        Fault::new("empty-text", 0.005, Edit::Set("content_preview", "\"\"")),
        Fault::new("truncated", 0.000_25, Edit::Truncate),
        Fault::new("not-json", 0.000_25, Edit::Unquote),
    ],
};

/// Share of what is done that programs do, and how many accounts they have.
pub const BOTS: f64 = 0.03;
const BOT_ACCOUNTS: usize = 40;

/// Posts that begin in a second. With 11.5 reactions to each they make 17 events.
const POSTS_PER_S: f64 = 1.36;

/// The smallest cascade before rounding, set so that the mean is 11.5.
const CASCADE_SCALE: f64 = 5.03;
const CASCADE_MAX: f64 = 400.0;
/// Shares of reactions; the rest are likes. Of all events: like 62 %, comment 17 %, share 13 %, post 8 %.
const COMMENTS: f64 = 17.0 / 92.0;
const SHARES: f64 = 13.0 / 92.0;

/// Nobody reacts to a post that is older.
const ATTENTION_S: f64 = 20.0 * 60.0;

/// Share of posts that also say where they come from, and what the weather is like there.
const SCENES: f64 = 0.1;

/// Two topics at a time are on everyone's lips, for ten minutes.
const BURST_MS: i64 = 600_000;
const BURST_FACTOR: f64 = 6.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionType {
    Post,
    Like,
    Share,
    Comment,
}

impl ActionType {
    pub const ALL: [ActionType; 4] = [ActionType::Post, ActionType::Like, ActionType::Share, ActionType::Comment];

    fn name(self) -> &'static str {
        match self {
            ActionType::Post => "post",
            ActionType::Like => "like",
            ActionType::Share => "share",
            ActionType::Comment => "comment",
        }
    }

    fn engagement(self) -> u32 {
        match self {
            ActionType::Post => 0,
            ActionType::Like => 1,
            ActionType::Comment => 2,
            ActionType::Share => 3,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Action {
    kind: ActionType,
    person: u16,
    /// The number of the bot that does it in place of the person.
    bot: Option<u8>,
    /// The hash behind the post's id, and the seed of its text.
    post: u64,
    /// The same of what this action adds, for a post and a like equal to `post`.
    own: u64,
    product: u16,
    /// Which of the category's hashtags the post has, one bit each.
    hashtags: u8,
    /// From where the post comes.
    scene: Option<Scene>,
    engagement: u32,
}

pub fn tell(world: &World, chapter: i64, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Cascade, chapter, POSTS_PER_S) {
        tell_cascade(world, chapter, index, drafts);
    }
}

const VIRAL_REACTIONS: usize = 1_500;
/// Steps of an incident's story below are its own.
const VIRAL_STEP: usize = 16;

/// One post on a category's best-known product, and how it goes round until the incident's end.
pub fn tell_viral(world: &World, chapter: i64, incident: &Incident, drafts: &mut Drafts<'_>) {
    let index = incident.id as usize;
    let mut dice = world.story_dice(Story::Incident, chapter, index);
    let post = dice.word();
    let product = world.town.by_category[incident.target].0[0];
    let mut action = Action {
        kind: ActionType::Post,
        person: writer(world, &mut dice),
        bot: None,
        post,
        own: post,
        product,
        hashtags: 0b011,
        scene: None,
        engagement: 0,
    };
    let lasts = (incident.ordered_to - incident.from) as f64;
    let mut delays: Vec<i64> =
        (0..VIRAL_REACTIONS).map(|_| dice.log_normal(lasts / 4.0, 0.7).min(lasts * dice.unit().max(0.5)) as i64).collect();
    delays.sort_unstable();
    delays.insert(0, 0);
    let mut audience = Audience::of(action.person);
    for (step, after) in delays.into_iter().enumerate() {
        if step > 0 {
            audience.react(world, &mut action, None, &mut dice);
        }
        let happened = incident.from + after;
        let delay = network_delay_ms(&mut dice, 20.0, 500.0);
        if happened < incident.to {
            let serial = Serial::new(Story::Incident, chapter, index, VIRAL_STEP + step);
            drafts.add_for(incident.kind, happened, delay, serial, Body::Action(action.clone()));
        }
    }
}

const RAID_POSTS_PER_S: f64 = 15.0;
const RAID_TEXTS: usize = 5;

/// Bots that all say the same.
pub fn tell_raid(world: &World, chapter: i64, number: usize, raid: &Incident, drafts: &mut Drafts<'_>) {
    for index in 0..world.beginnings(Story::Raid, chapter, RAID_POSTS_PER_S) {
        let index = (number * STORIES_MAX / 4 + index) % STORIES_MAX;
        let mut dice = world.story_dice(Story::Raid, chapter, index);
        let at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
        let action = Action {
            kind: ActionType::Post,
            person: 0,
            bot: Some(dice.below(BOT_ACCOUNTS) as u8 + 1),
            // The text is one of a few, and the post its own.
            post: mix(u64::from(raid.id), dice.below(RAID_TEXTS) as u64),
            own: dice.word(),
            product: world.town.by_category[raid.target].0[0],
            hashtags: 0b111,
            scene: None,
            engagement: 0,
        };
        let delay = network_delay_ms(&mut dice, 20.0, 500.0);
        drafts.add_for(raid.kind, at, delay, Serial::new(Story::Raid, chapter, index, 0), Body::Action(action));
    }
}

fn tell_cascade(world: &World, chapter: i64, index: usize, drafts: &mut Drafts<'_>) {
    let mut dice = world.story_dice(Story::Cascade, chapter, index);
    let mut dirt_dice = world.dirt_dice(Story::Cascade, chapter, index);
    let mut bot = || dirt_dice.chance(BOTS * world.dirt.factor()).then(|| dirt_dice.below(BOT_ACCOUNTS) as u8 + 1);
    let posted_at = chapter * CHAPTER_MS + dice.below(CHAPTER_MS as usize) as i64;
    let person = writer(world, &mut dice);
    let post = dice.word();
    let hashtags = match dice.unit() {
        u if u < 0.08 => 0b000,
        u if u < 0.70 => 0b001,
        u if u < 0.82 => 0b011,
        u if u < 0.92 => 0b101,
        _ => 0b110,
    };
    let product = product_of(world, posted_at, &mut dice);
    let scene = dice.chance(SCENES).then(|| scene(posted_at, &mut dice));
    let mut action = Action { kind: ActionType::Post, person, bot: bot(), post, own: post, product, hashtags, scene, engagement: 0 };
    let serial = |step| Serial::new(Story::Cascade, chapter, index, step);
    let delay = network_delay_ms(&mut dice, 20.0, 500.0);
    drafts.add(posted_at, delay, serial(0), Body::Action(action.clone()));

    let size = dice.pareto_cut(CASCADE_SCALE, 1.6, CASCADE_MAX) as usize;
    let mut delays: Vec<i64> = (0..size).map(|_| attention_ms(&mut dice)).collect();
    delays.sort_unstable();
    let mut audience = Audience::of(person);
    for (step, after) in delays.into_iter().enumerate() {
        audience.react(world, &mut action, bot(), &mut dice);
        let delay = network_delay_ms(&mut dice, 20.0, 500.0);
        drafts.add(posted_at + after, delay, serial(step + 1), Body::Action(action.clone()));
    }
}

/// Share of the reactions to a post that come from its writer's circle, how many belong to one.
const FROM_CIRCLE: f64 = 0.3;
const CIRCLE: usize = 12;

/// Who reacts to a post: rather its writer's circle than others. Nobody likes or shares it twice, and its writer never.
struct Audience {
    writer: u16,
    /// One bit for each of the people.
    liked: [u64; PEOPLE.div_ceil(64)],
    shared: [u64; PEOPLE.div_ceil(64)],
}

impl Audience {
    fn of(writer: u16) -> Audience {
        let mut audience = Audience { writer, liked: [0; _], shared: [0; _] };
        mark(&mut audience.liked, writer);
        mark(&mut audience.shared, writer);
        audience
    }

    /// Makes of an action the next that follows the same post.
    fn react(&mut self, world: &World, action: &mut Action, bot: Option<u8>, dice: &mut Dice) {
        action.kind = match dice.unit() {
            u if u < COMMENTS => ActionType::Comment,
            u if u < COMMENTS + SHARES => ActionType::Share,
            _ => ActionType::Like,
        };
        action.person = self.somebody(world, dice);
        let once = match action.kind {
            ActionType::Like => Some(&mut self.liked),
            ActionType::Share => Some(&mut self.shared),
            _ => None,
        };
        if let Some(already) = once {
            while !mark(already, action.person) {
                action.person = writer(world, dice);
            }
        }
        action.bot = bot;
        action.own = if action.kind == ActionType::Like { action.post } else { dice.word() };
        action.engagement += action.kind.engagement();
    }

    fn somebody(&self, world: &World, dice: &mut Dice) -> u16 {
        if !dice.chance(FROM_CIRCLE) {
            return writer(world, dice);
        }
        let member = dice.below(CIRCLE) as u64;
        writer(world, &mut Dice::of(world.seed, &[0xc1, u64::from(self.writer), member]))
    }
}

/// False if somebody's bit was set before.
fn mark(bits: &mut [u64], person: u16) -> bool {
    let (word, bit) = (usize::from(person) / 64, 1 << (person % 64));
    let is_new = bits[word] & bit == 0;
    bits[word] |= bit;
    is_new
}

fn writer(world: &World, dice: &mut Dice) -> u16 {
    world.town.writer_by_rank[world.town.writers.pick(dice)]
}

/// Milliseconds from a post to a reaction: half come within a minute.
fn attention_ms(dice: &mut Dice) -> i64 {
    let seconds = dice.log_normal(60.0, 1.3);
    let seconds = if seconds < ATTENTION_S { seconds } else { dice.between(60.0, ATTENTION_S) };
    (seconds.max(1.0) * 1000.0) as i64
}

/// One of the sensors' sites, with the weather that they measure.
fn scene(at: i64, dice: &mut Dice) -> Scene {
    let site = dice.pick(&SITES);
    let weather = match site.celsius_at(at as f64 / DAY_MS as f64) {
        celsius if celsius < 3.0 => Weather::Frosty,
        celsius if celsius < 14.0 => Weather::Chilly,
        celsius if celsius < 23.0 => Weather::Mild,
        celsius if celsius < 32.0 => Weather::Warm,
        _ => Weather::Hot,
    };
    Scene { site: site.name, weather }
}

/// What a post is about: first the topic, as people talk of what others talk of; then a product that is often sold.
fn product_of(world: &World, at: i64, dice: &mut Dice) -> u16 {
    let bursting = bursting(world, at);
    let count = CATEGORIES.len();
    let mut target = dice.unit() * ((count - bursting.len()) as f64 + BURST_FACTOR * bursting.len() as f64);
    let mut topic = 0;
    for candidate in 0..count {
        topic = candidate;
        target -= if bursting.contains(&candidate) { BURST_FACTOR } else { 1.0 };
        if target < 0.0 {
            break;
        }
    }
    let (members, weights) = &world.town.by_category[topic];
    members[weights.pick(dice)]
}

/// The two topics that are talked about most at a time.
pub fn bursting(world: &World, at: i64) -> [usize; 2] {
    let mut dice = Dice::of(world.seed, &[0xb5, at.div_euclid(BURST_MS) as u64]);
    let first = dice.below(CATEGORIES.len());
    let second = (first + 1 + dice.below(CATEGORIES.len() - 1)) % CATEGORIES.len();
    [first, second]
}

pub fn write(world: &World, draft: &Draft, origin_ms: i64, out: &mut Vec<u8>) -> Bytes {
    let Body::Action(action) = &draft.body else { return Bytes::new() };
    let happened_ms = origin_ms + draft.happened;
    let post_id = short_id("post", action.own);
    let parent = (action.kind != ActionType::Post).then(|| short_id("post", action.post));
    let user = match action.bot {
        Some(number) => Bytes::from(format!("u-{:04}", PEOPLE + usize::from(number))),
        None => world.town.people[usize::from(action.person)].id.clone(),
    };
    let tags = &CATEGORIES[world.town.products[usize::from(action.product)].category].hashtags;
    let mut object = JsonObject::open(out);
    object
        .text("event_id", event_id(world.seed, StreamId::SOCIAL.0 as u64, draft.serial.0, happened_ms))
        .integer("schema_version", 1)
        .text("post_id", &post_id)
        .text("user_id", &user)
        .text("action_type", action.kind.name())
        .text("content_preview", content(world, action))
        .time("timestamp", happened_ms)
        .integer("engagement_score", i64::from(action.engagement))
        .texts("hashtags", tags.iter().enumerate().filter(|(bit, _)| action.hashtags & (1 << bit) != 0).map(|(_, tag)| *tag))
        .text("lang", "en")
        .maybe_text("parent_post_id", parent.as_deref())
        .boolean("is_bot", action.bot.is_some());
    object.close();
    Bytes::from(post_id)
}

pub fn labels(world: &World, draft: &Draft) -> Labels {
    let Body::Action(action) = &draft.body else { return [None; 2] };
    [sentiment(world, action).map(|name| ("sentiment", name)), action.bot.map(|_| ("writer", "bot"))]
}

/// What a text says of its product, as whoever wrote it meant it. Who shares a post says what it says.
fn sentiment(world: &World, action: &Action) -> Option<&'static str> {
    let hash = match action.kind {
        ActionType::Post | ActionType::Share => action.post,
        ActionType::Comment => action.own,
        ActionType::Like => return None,
    };
    Some(match mood_of(world, action, &mut text_dice(hash)) {
        Mood::Glad => "positive",
        Mood::Cross => "negative",
        Mood::Neutral => "neutral",
    })
}

/// The dice of a post's text, or a comment's or share's: same hash, same text. So a like shows what is liked.
fn text_dice(hash: u64) -> Dice {
    Dice::new(mix(hash, 1))
}

fn mood_of(world: &World, action: &Action, dice: &mut Dice) -> Mood {
    mood(world.town.products[usize::from(action.product)].quality, dice)
}

fn content(world: &World, action: &Action) -> String {
    let product = &world.town.products[usize::from(action.product)];
    let subject = Subject { maker: product.maker, noun: product.noun };
    let mut posts_dice = text_dice(action.post);
    let topic = Topic { subject, mood: mood_of(world, action, &mut posts_dice), scene: action.scene };
    let mut dice = text_dice(action.own);
    text::preview(match action.kind {
        ActionType::Post | ActionType::Like => text::post(&mut posts_dice, &topic).text,
        ActionType::Comment => {
            let mood = mood_of(world, action, &mut dice);
            text::comment(&mut dice, subject, mood, text::gist(&mut posts_dice, &topic))
        }
        ActionType::Share => text::share(&mut dice, subject, &text::post(&mut posts_dice, &topic)),
    })
}

/// Good products are praised more often; a third of what is said is neither praise nor blame.
fn mood(quality: f64, dice: &mut Dice) -> Mood {
    if dice.chance(0.33) {
        Mood::Neutral
    } else if dice.chance(0.45 + 0.45 * quality) {
        Mood::Glad
    } else {
        Mood::Cross
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::generators::dirt::DirtLevel;
    use crate::model::lexicon;

    /// Kind, truth and text of everything but the likes, from the first chapters of a seed.
    fn written(seed: u64, chapters: i64) -> Vec<(ActionType, &'static str, String)> {
        let world = World::new(seed, DirtLevel::None);
        let mut written = Vec::new();
        for chapter in 0..chapters {
            let mut accept = |draft: Draft| {
                let Body::Action(action) = &draft.body else { return };
                if let Some(sentiment) = sentiment(&world, action) {
                    written.push((action.kind, sentiment, content(&world, action)));
                }
            };
            tell(&world, chapter, &mut Drafts::new(&mut accept));
        }
        written
    }

    /// Distinct texts, and the run of six words that most of them have.
    fn variety<'t>(texts: &[&'t str]) -> (f64, usize, Vec<&'t str>) {
        let distinct: HashSet<&&str> = texts.iter().collect();
        let mut runs: HashMap<Vec<&str>, usize> = HashMap::new();
        for text in texts {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.windows(6).map(<[&str]>::to_vec).collect::<HashSet<_>>().into_iter().for_each(|run| *runs.entry(run).or_default() += 1);
        }
        let (run, count) = runs.into_iter().max_by_key(|(_, count)| *count).unwrap();
        (distinct.len() as f64 / texts.len() as f64, count, run)
    }

    #[test]
    fn of_ten_thousand_texts_nearly_all_differ_and_no_six_words_are_worn_out() {
        for seed in [7, 8, 9, 42] {
            let written = written(seed, 790);
            let only = |kinds: &[ActionType]| -> Vec<&str> {
                let texts = written.iter().filter(|(kind, ..)| kinds.contains(kind)).map(|(.., text)| text.as_str());
                texts.take(10_000).collect()
            };
            for kinds in [
                &[ActionType::Post][..],
                &[ActionType::Post, ActionType::Comment],
                &[ActionType::Post, ActionType::Comment, ActionType::Share],
            ] {
                let texts = only(kinds);
                assert_eq!(texts.len(), 10_000);
                let (distinct, count, run) = variety(&texts);
                println!("seed {seed}, {kinds:?}: {:.2} % distinct; {count} have {:?}", 100.0 * distinct, run.join(" "));
                assert!(distinct >= 0.95 && count <= 50, "{distinct} {count} {run:?}");
            }
        }
    }

    #[test]
    fn a_small_lexicon_finds_the_sentiment_that_was_meant() {
        let written = written(7, 300);
        for kind in [ActionType::Post, ActionType::Comment, ActionType::Share] {
            let agree = |wanted: &dyn Fn(&str) -> bool| {
                let of: Vec<_> = written.iter().filter(|(of, truth, _)| *of == kind && wanted(truth)).collect();
                of.iter().filter(|(_, truth, text)| lexicon::label(text) == *truth).count() as f64 / of.len() as f64
            };
            let (opinions, neutral) = (agree(&|truth| truth != "neutral"), agree(&|truth| truth == "neutral"));
            println!("{kind:?}: lexicon agrees on {:.1} % of opinions, {:.1} % of the rest", 100.0 * opinions, 100.0 * neutral);
            // Not on all: some say it in words that no small list has.
            assert!((0.9..0.995).contains(&opinions) && neutral > 0.9);
        }
    }

    #[test]
    fn some_posts_say_where_they_come_from() {
        let written = written(7, 300);
        let posts: Vec<&str> = written.iter().filter(|(kind, ..)| *kind == ActionType::Post).map(|(.., text)| text.as_str()).collect();
        let from = |name: &str| posts.iter().filter(|text| text.contains(name)).count();
        let places: usize = SITES.iter().map(|site| from(site.name)).sum();
        let share = places as f64 / posts.len() as f64;
        assert!((0.07..0.13).contains(&share), "{share}");
        assert!(posts.iter().filter(|text| text.contains("Dubai")).all(|text| !text.to_ascii_lowercase().contains("frozen taps")));
    }
}
