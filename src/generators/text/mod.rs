//! Sentences: a small grammar whose parts are so many that hardly a post is written twice, and no run of six words is worn out.
//!
//! A part has at most five words, so any six in a row span two parts drawn independently. All parts go with every product, are
//! harmless, and name nobody real.

#[rustfmt::skip]
mod words;

use super::random::Dice;
use words::*;

/// What a post talks about.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub maker: &'static str,
    pub noun: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Glad,
    Cross,
    Neutral,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Frosty,
    Chilly,
    Mild,
    Warm,
    Hot,
}

/// A place of the town, and what it is like there.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub site: &'static str,
    pub weather: Weather,
}

/// What somebody writes about. Same topic, same dice, same text.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    pub subject: Subject,
    pub mood: Mood,
    pub scene: Option<Scene>,
}

/// What those who answer a post go by.
#[derive(Clone, Copy, Debug)]
pub struct Gist {
    pub mood: Mood,
    /// Has a question to all.
    pub asks: bool,
}

pub struct Post {
    pub text: String,
    pub gist: Gist,
    /// What it says of its product, in a few words.
    verdict: Option<String>,
}

const PREVIEW_CHARS_MAX: usize = 140;

/// Cuts a text at a word's end so that a preview is at most 140 characters long.
pub fn preview(mut text: String) -> String {
    if text.len() > PREVIEW_CHARS_MAX {
        let room = PREVIEW_CHARS_MAX - 3;
        let end = text.as_bytes().iter().take(room).rposition(|&byte| byte == b' ').unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// A sentence in the making.
struct Sentence<'d> {
    dice: &'d mut Dice,
    text: String,
    /// Where in the text the first verdict stands.
    verdict: Option<std::ops::Range<usize>>,
}

impl<'d> Sentence<'d> {
    fn new(dice: &'d mut Dice) -> Sentence<'d> {
        Sentence { dice, text: String::with_capacity(160), verdict: None }
    }

    /// Adds words, after a space if any came before.
    fn say(&mut self, words: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(words);
        self
    }

    fn any(&mut self, part: &[&'static str]) -> &mut Self {
        let words = *self.dice.pick(part);
        self.say(words)
    }

    fn mark(&mut self, mark: &str) -> &mut Self {
        self.text.push_str(mark);
        self
    }

    fn adjective(&mut self, mood: Mood) -> &mut Self {
        self.any(if mood == Mood::Glad { GLAD } else { CROSS })
    }

    /// Names the product: "my Talverin camera", "the camera from Talverin".
    fn subject(&mut self, subject: Subject) -> &mut Self {
        self.any(DETERMINERS).name(subject)
    }

    /// The same, where it is nobody's in particular.
    fn any_such(&mut self, subject: Subject) -> &mut Self {
        self.any(ARTICLES).name(subject)
    }

    fn name(&mut self, subject: Subject) -> &mut Self {
        if self.dice.chance(0.3) { self.say(subject.noun).any(FROM).say(subject.maker) } else { self.say(subject.maker).say(subject.noun) }
    }

    /// "turned out remarkably sturdy and also elegant", "is probably in the van"
    fn verdict(&mut self, mood: Mood) -> &mut Self {
        if mood == Mood::Neutral {
            return self.any(PLAIN_VERBS).any(PLAIN);
        }
        let start = self.text.len() + 1;
        self.any(VERBS);
        let roundabout = self.dice.chance(ROUNDABOUT);
        match mood {
            Mood::Glad if roundabout => self.any(NOT_AT_ALL).any(CROSS),
            Mood::Cross if roundabout => self.any(NOT_AT_ALL).any(GLAD),
            _ if self.dice.chance(0.6) => self.any(ADVERBS).adjective(mood),
            _ => self.adjective(mood),
        };
        let end = self.text.len();
        self.verdict.get_or_insert(start..end);
        if !roundabout && self.dice.chance(0.25) {
            let first = self.text.get(start..end).and_then(|words| words.rsplit(' ').next()).unwrap_or_default().to_owned();
            self.any(SECONDS).adjective(mood);
            // The same word twice would say nothing: once is enough.
            if self.text.ends_with(&first) {
                self.text.truncate(end);
            }
        }
        self
    }

    /// On what occasion something is so.
    fn when(&mut self, mood: Mood) -> &mut Self {
        if mood == Mood::Neutral { self.any(PLAIN_WHEN) } else { self.any(WHEN) }
    }

    /// Gives each sentence its capital.
    fn done(self) -> String {
        let mut starts = true;
        let capital = |letter: char| {
            let written = if starts { letter.to_ascii_uppercase() } else { letter };
            starts = matches!(letter, '.' | '?' | '!') || (starts && !letter.is_ascii_alphanumeric());
            written
        };
        self.text.chars().map(capital).collect()
    }

    fn closing(&mut self, mood: Mood) {
        if self.dice.chance(0.7) {
            match mood {
                Mood::Glad => self.any(GLAD_CLOSERS),
                Mood::Cross => self.any(CROSS_CLOSERS),
                Mood::Neutral => self.any(PLAIN_CLOSERS),
            };
        }
    }
}

/// Share of verdicts that say the opposite of the opposite: "far from flimsy". A list of words takes them for the wrong mood.
const ROUNDABOUT: f64 = 0.02;

pub fn post(dice: &mut Dice, topic: &Topic) -> Post {
    let Topic { subject, mood, scene } = *topic;
    let (form, gist) = form(dice, topic);
    let mut s = Sentence::new(dice);
    match scene {
        Some(scene) => post_from(&mut s, form, scene, subject, mood),
        None => post_about(&mut s, form, subject, mood),
    }
    s.closing(mood);
    let verdict = s.verdict.clone().and_then(|range| s.text.get(range)).map(str::to_owned);
    Post { text: s.done(), gist, verdict }
}

/// What the post of these dice is about, without writing it.
pub fn gist(dice: &mut Dice, topic: &Topic) -> Gist {
    form(dice, topic).1
}

/// A post's first throw.
fn form(dice: &mut Dice, topic: &Topic) -> (usize, Gist) {
    let neutral = topic.mood == Mood::Neutral;
    let (count, question) = match topic.scene {
        Some(_) => (if neutral { 3 } else { 2 }, 2),
        None => (if neutral { 9 } else { 6 }, 6),
    };
    let form = dice.below(count);
    (form, Gist { mood: topic.mood, asks: form == question })
}

fn post_about(s: &mut Sentence<'_>, form: usize, subject: Subject, mood: Mood) {
    match form {
        0 => s.any(OPENERS).subject(subject).verdict(mood).when(mood).mark("."),
        1 => s.subject(subject).verdict(mood).when(mood).mark(", and").any(FRIENDS).any(AGREES).mark("."),
        2 => s.any(FRIENDS).any(GAVE).subject(subject).mark(";").say("it").verdict(mood).when(mood).mark("."),
        3 => s.any(TIMES).any(PLACES).mark(":").subject(subject).verdict(mood).mark("."),
        4 => s.any(OPENERS).any(FRIENDS).any(SAYS).subject(subject).verdict(mood).when(mood).mark("."),
        5 => s.any(EVENTS).subject(subject).verdict(mood).mark(".").any(FRIENDS).any(AGREES).mark("."),
        6 => s.any(ASKS).any_such(subject).any(WHEN).mark("?").any(QUESTIONS).mark("?"),
        7 => s.any(FRIENDS).any(TOOK).subject(subject).any(PLACES).any(TIMES).mark("."),
        _ => s.any(TIPS).any(CARES).subject(subject).any(HOW).mark(",").any(WHEN).mark("."),
    };
}

/// The same, from one of the town's places.
fn post_from(s: &mut Sentence<'_>, form: usize, scene: Scene, subject: Subject, mood: Mood) {
    let weather = match scene.weather {
        Weather::Frosty => FROSTY,
        Weather::Chilly => CHILLY,
        Weather::Mild => MILD,
        Weather::Warm => WARM,
        Weather::Hot => HOT,
    };
    match form {
        0 => s.any(weather).say(scene.site).any(TIMES).mark(", and").subject(subject).verdict(mood).mark("."),
        1 => s.any(weather).say(scene.site).mark(".").any(FRIENDS).any(SAYS).subject(subject).verdict(mood).when(mood).mark("."),
        _ => s.any(weather).say(scene.site).any(TIMES).mark(".").any(ASKS).any_such(subject).any(WHEN).mark("?"),
    };
}

/// An answer: it helps who asked, and agrees or not with who judged.
pub fn comment(dice: &mut Dice, subject: Subject, mood: Mood, on: Gist) -> String {
    let mut s = Sentence::new(dice);
    let judged = mood != Mood::Neutral && on.mood != Mood::Neutral;
    let reactions = match judged {
        true if mood == on.mood => AGREEING,
        true => DIFFERING,
        false if on.asks => ANSWERS,
        false => REACTIONS,
    };
    match s.dice.below(if on.asks { 3 } else { 4 }) {
        0 => s.any(reactions).any(OURS).verdict(mood).when(mood).mark("."),
        1 => s.any(reactions).any(FRIENDS).any(SAYS).any(OURS).verdict(mood).mark("."),
        2 => s.any(reactions).any(OURS).verdict(mood).mark(",").any(REASONS).mark("."),
        _ if mood != Mood::Neutral => s.any(reactions).any(OURS).verdict(mood).mark(".").any(QUESTIONS).mark("?"),
        _ => s.any(reactions).any(QUESTIONS).mark("?").any(FRIENDS).any(WONDERS).any_such(subject).mark("."),
    };
    if s.dice.chance(0.35) {
        s.closing(mood);
    }
    s.done()
}

/// Passes a post on, with what it says.
pub fn share(dice: &mut Dice, subject: Subject, post: &Post) -> String {
    let mut s = Sentence::new(dice);
    let form = s.dice.below(3);
    if let Some(verdict) = post.verdict.as_ref().filter(|_| post.gist.mood != Mood::Neutral) {
        let quote = format!("\"{verdict}\"");
        match form {
            0 => s.any(SHARES).any_such(subject).say(&quote).mark(".").any(FRIENDS).any(WONDERS).say("it").any(WHEN).mark("."),
            1 => s.any(FRIENDS).any(WONDERS).any_such(subject).any(TIMES).mark(";").any(REPORTS).say(&quote).mark("."),
            _ => s.any(OPENERS).any(REPORTS).say(&quote).mark(".").any(FRIENDS).any(WONDERS).any_such(subject).mark("."),
        };
        return s.done();
    }
    match form {
        0 => s.any(SHARES).any(FRIENDS).any(WONDERS).subject(subject).any(WHEN).mark("."),
        1 => s.any(SHARES).any(FRIENDS).any(SAYS).any_such(subject).verdict(Mood::Neutral).any(PLAIN_WHEN).mark("."),
        _ => s.any(TIMES).any(PLACES).any(FRIENDS).any(WONDERS).subject(subject).mark(".").any(FRIENDS).any(AGREES).mark("."),
    };
    s.done()
}

#[cfg(test)]
mod tests;
