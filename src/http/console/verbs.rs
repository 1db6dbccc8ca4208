//! All verbs.

use super::line::shortened;
use super::printed::{Printed, Style};
use super::wrong;
use crate::http::answer::Refused;

#[derive(Debug)]
pub struct Verb {
    pub verb: &'static str,
    pub usage: &'static str,
    pub about: &'static str,
    pub arguments: &'static [&'static str],
    pub options: &'static [&'static str],
    /// The last argument is the rest of the line.
    pub rest: bool,
}

macro_rules! verbs {
    ($($verb:literal $arguments:tt $options:tt $usage:literal, $about:literal;)+) => {
        pub const VERBS: &[Verb] = &[
            $(Verb { verb: $verb, usage: $usage, about: $about, arguments: &$arguments, options: &$options, rest: is($verb, "produce") },)+
        ];
    };
}

const fn is(verb: &str, other: &str) -> bool {
    verb.len() == other.len() && matches!(verb.as_bytes().first(), Some(b'p'))
}

#[rustfmt::skip]
verbs! {
    "help"     ["verb"]                  []  "help [VERB]", "all verbs, or one of them";
    "topics"   []                        []  "topics", "the topics that you may read, with their records";
    "describe" ["topic"]                 []  "describe TOPIC", "partitions of a topic: offsets, records, size";
    "consume"  ["topic"]                 ["-n", "--from", "--partition", "--filter"]
        "consume TOPIC [-n 5] [--from end|start|OFFSET] [--partition P] [--filter 'event_type:purchase price:>500']",
        "some records of a topic; the filter is that of the page of records; nothing is committed";
    "produce"  ["topic", "key", "value"] []  "produce TOPIC KEY VALUE", "writes one record; null without quotes is no key, or a tombstone";
    "groups"   []                        []  "groups", "your consumer groups: state, members, lag";
    "lag"      ["group"]                 []  "lag GROUP", "how far a group is behind, partition by partition";
    "ticket"   ["challenge"]             []  "ticket c01", "a new ticket: the records to work on";
    "check"    ["challenge"]             []  "check c01", "the verdict on your newest answer";
    "hint"     ["challenge"]             []  "hint c01", "the next hint";
    "whoami"   []                        []  "whoami", "your user, what is yours, and the address to connect to";
    "doctor"   []                        []  "doctor", "what may keep your client from working";
}

pub fn named(word: &str) -> Result<&'static Verb, Refused> {
    let plain = word.to_ascii_lowercase();
    VERBS.iter().find(|verb| verb.verb == plain).ok_or_else(|| {
        let fix = match nearest(&plain, VERBS.iter().map(|verb| verb.verb)) {
            Some(verb) => format!("did you mean {verb}? help lists all verbs"),
            None => "help lists all verbs".to_owned(),
        };
        wrong(format!("there is no verb {}", shortened(word)), fix)
    })
}

/// The name that was probably meant: at most two letters away, or one that it begins.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().take(80).collect();
    if letters.is_empty() {
        return None;
    }
    let score = |name: &str| {
        let away = distance(&letters, &name.chars().collect::<Vec<_>>());
        let begins = letters.len() >= 2 && name.starts_with(word);
        if begins { Some(0) } else { Some(away).filter(|away| *away <= 2 && away.saturating_mul(2) <= letters.len()) }
    };
    names.filter_map(|name| score(name).map(|score| (score, name))).min_by_key(|(score, _)| *score).map(|(_, name)| name)
}

/// Letters to be changed, added or left out (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

pub fn help(verb: Option<&str>, printed: &mut Printed) -> Result<(), Refused> {
    let shown: Vec<&Verb> = match verb {
        Some(verb) => vec![named(verb)?],
        None => VERBS.iter().collect(),
    };
    for verb in shown {
        printed.say(Style::Strong, verb.usage);
        printed.say(Style::Dim, &format!("    {}", verb.about));
    }
    if verb.is_none() {
        printed.say(Style::Plain, "Quotes hold words together: 'two words'.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_that_is_not_there_is_answered_with_the_one_that_was_meant() {
        for (typed, meant) in [("topcis", "topics"), ("cosume", "consume"), ("desc", "describe"), ("hlep", "help"), ("lags", "lag")] {
            assert!(named(typed).unwrap_err().fix.contains(&format!("did you mean {meant}?")), "{typed}");
        }
        for nonsense in ["rm", "curl", "xyzzy", "🦦🦦🦦", &"a".repeat(200_000)] {
            let refused = named(nonsense).unwrap_err();
            assert!(refused.fix == "help lists all verbs" && refused.error.len() < 300, "{}", refused.error);
        }
        assert_eq!(named("TOPICS").unwrap().verb, "topics");
    }

    #[test]
    fn only_produce_takes_the_rest_of_the_line() {
        assert_eq!(VERBS.iter().filter(|verb| verb.rest).map(|verb| verb.verb).collect::<Vec<_>>(), ["produce"]);
        assert!(VERBS.iter().all(|verb| verb.usage.starts_with(verb.verb)));
    }
}
