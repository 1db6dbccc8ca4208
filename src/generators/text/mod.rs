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
}

impl<'d> Sentence<'d> {
    fn new(dice: &'d mut Dice) -> Sentence<'d> {
        Sentence { dice, text: String::with_capacity(160) }
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
        match mood {
            Mood::Glad => self.any(GLAD),
            Mood::Cross => self.any(CROSS),
            Mood::Neutral => self.any(PLAIN),
        }
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

    /// "turned out remarkably sturdy"
    fn verdict(&mut self, mood: Mood) -> &mut Self {
        self.any(VERBS);
        if mood == Mood::Neutral {
            return self.any(PLAIN);
        }
        if self.dice.chance(0.6) {
            self.any(ADVERBS);
        }
        let before = self.text.len();
        self.adjective(mood);
        if self.dice.chance(0.25) {
            let first = self.text.split_at(before).1.to_owned();
            self.any(SECONDS).adjective(mood);
            // The same word twice would say nothing: once is enough.
            if self.text.ends_with(&first) {
                self.text.truncate(before + first.len());
            }
        }
        self
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

pub fn post(dice: &mut Dice, subject: Subject, mood: Mood) -> String {
    let form = dice.below(if mood == Mood::Neutral { 8 } else { 5 });
    let mut s = Sentence::new(dice);
    match form {
        0 => s.any(OPENERS).subject(subject).verdict(mood).any(WHEN).mark("."),
        1 => s.subject(subject).verdict(mood).any(WHEN).mark(", and").any(FRIENDS).any(AGREES).mark("."),
        2 => s.any(FRIENDS).any(GAVE).subject(subject).mark(";").say("it").verdict(mood).any(WHEN).mark("."),
        3 => s.any(TIMES).any(PLACES).mark(":").subject(subject).verdict(mood).mark("."),
        4 => s.any(OPENERS).any(FRIENDS).any(SAYS).subject(subject).verdict(mood).any(WHEN).mark("."),
        5 => s.any(ASKS).any_such(subject).any(WHEN).mark("?").any(QUESTIONS).mark("?"),
        6 => s.any(FRIENDS).any(TOOK).subject(subject).any(PLACES).any(TIMES).mark("."),
        _ => s.any(TIPS).any(CARES).subject(subject).any(HOW).mark(",").any(WHEN).mark("."),
    };
    s.closing(mood);
    s.done()
}

pub fn comment(dice: &mut Dice, subject: Subject, mood: Mood) -> String {
    let form = dice.below(4);
    let mut s = Sentence::new(dice);
    match form {
        0 => s.any(REACTIONS).any(OURS).verdict(mood).any(WHEN).mark("."),
        1 => s.any(REACTIONS).any(FRIENDS).any(SAYS).any(OURS).verdict(mood).mark("."),
        2 => s.any(REACTIONS).any(QUESTIONS).any(WHEN).mark("?").any(FRIENDS).any(WONDERS).any_such(subject).mark("."),
        _ => s.any(OURS).verdict(mood).any(WHEN).mark(",").any(REASONS).mark("."),
    };
    if s.dice.chance(0.35) {
        s.closing(mood);
    }
    s.done()
}

pub fn share(dice: &mut Dice, subject: Subject) -> String {
    let form = dice.below(3);
    let mut s = Sentence::new(dice);
    match form {
        0 => s.any(SHARES).any(FRIENDS).any(WONDERS).subject(subject).any(WHEN).mark("."),
        1 => s.any(SHARES).any(FRIENDS).any(SAYS).any_such(subject).verdict(Mood::Neutral).any(WHEN).mark("."),
        _ => s.any(TIMES).any(PLACES).any(FRIENDS).any(WONDERS).subject(subject).mark(".").any(FRIENDS).any(AGREES).mark("."),
    };
    s.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    const SUBJECT: Subject = Subject { maker: "Talverin", noun: "camera" };

    fn texts(write: impl Fn(&mut Dice) -> String) -> Vec<String> {
        (0..10_000).map(|seed| preview(write(&mut Dice::new(seed)))).collect()
    }

    /// At most one text in a hundred has the same six words in a row. The feed, with its many products, has to do twice as well.
    fn assert_varied(texts: &[String]) {
        let distinct: HashSet<&String> = texts.iter().collect();
        assert!(distinct.len() * 100 >= texts.len() * 95, "{} of {}", distinct.len(), texts.len());
        let mut runs: HashMap<Vec<&str>, usize> = HashMap::new();
        for text in texts {
            let words: Vec<&str> = text.split_whitespace().collect();
            let in_text: HashSet<&[&str]> = words.windows(6).collect();
            in_text.into_iter().for_each(|run| *runs.entry(run.to_vec()).or_default() += 1);
        }
        let worst = runs.iter().max_by_key(|(_, count)| **count).unwrap();
        assert!(*worst.1 * 100 <= texts.len(), "{worst:?}");
    }

    #[test]
    fn even_about_one_product_hardly_anything_is_said_twice() {
        for mood in [Mood::Glad, Mood::Cross, Mood::Neutral] {
            assert_varied(&texts(|dice| post(dice, SUBJECT, mood)));
            assert_varied(&texts(|dice| comment(dice, SUBJECT, mood)));
        }
        assert_varied(&texts(|dice| share(dice, SUBJECT)));
    }

    #[test]
    fn texts_are_short_clean_sentences() {
        for text in texts(|dice| post(dice, SUBJECT, Mood::Glad)).into_iter().chain(texts(|dice| share(dice, SUBJECT))) {
            assert!(text.len() <= 140 && text.len() >= 20, "{text}");
            assert!(text.is_ascii() && !text.contains("  ") && !text.contains(" ,") && !text.contains(" ."), "{text}");
            assert!(text.starts_with(|c: char| c.is_ascii_uppercase()), "{text}");
            assert!(text.ends_with(['.', '?', '!']), "{text}");
        }
    }

    #[test]
    fn no_part_is_longer_than_five_words() {
        for part in ALL {
            for words in *part {
                assert!(words.split(' ').count() <= 5, "{words}");
            }
        }
    }
}
