//! A line as somebody types it: words, quotes, options.

use super::verbs::Verb;
use super::wrong;
use crate::http::answer::Refused;

/// One word, and where it stands in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// Some of it was in quotes: it is no option, and `null` is a word.
    quoted: bool,
    start: usize,
}

#[derive(Debug)]
pub struct Line<'a> {
    text: &'a str,
    words: Vec<Word>,
}

/// What stands behind the verb.
#[derive(Debug)]
pub struct Asking<'a> {
    text: &'a str,
    verb: &'static Verb,
    arguments: Vec<Word>,
    options: Vec<(&'static str, String)>,
}

impl<'a> Line<'a> {
    /// Words are parted by white space. `"…"` and `'…'` hold what is in them together, the first with `\"` and `\\`.
    pub fn parse(text: &'a str) -> Result<Line<'a>, Refused> {
        let (mut words, mut letters) = (Vec::new(), text.char_indices().peekable());
        let mut open: Option<Word> = None;
        while let Some((at, letter)) = letters.next() {
            if letter.is_whitespace() || letter.is_control() {
                words.extend(open.take());
                continue;
            }
            let word = open.get_or_insert_with(|| Word { text: String::new(), quoted: false, start: at });
            match letter {
                '"' | '\'' => {
                    word.quoted = true;
                    let mut closed = false;
                    while let Some((_, inner)) = letters.next() {
                        match inner {
                            inner if inner == letter => {
                                closed = true;
                                break;
                            }
                            '\\' if letter == '"' => match letters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                                Some((_, next)) => word.text.push(next),
                                None => word.text.push('\\'),
                            },
                            inner => word.text.push(inner),
                        }
                    }
                    if !closed {
                        return Err(wrong(format!("the quote {letter} at letter {} is not closed", at + 1), "close it, or leave it out"));
                    }
                }
                letter => word.text.push(letter),
            }
        }
        words.extend(open);
        Ok(Line { text, words })
    }

    pub fn verb(&self) -> Option<&str> {
        self.words.first().map(|word| word.text.as_str())
    }

    /// What stands behind the verb, as the verb takes it.
    pub fn asked(self, verb: &'static Verb) -> Result<Asking<'a>, Refused> {
        let (mut arguments, mut options) = (Vec::new(), Vec::new());
        let mut words = self.words.into_iter().skip(1);
        while let Some(word) = words.next() {
            // The last argument goes on to the end of the line, whatever it looks like.
            let is_text = verb.rest && arguments.len().saturating_add(1) >= verb.arguments.len();
            let is_option = !word.quoted && !is_text && word.text.len() > 1 && word.text.starts_with('-');
            if !is_option || word.text.parse::<f64>().is_ok() {
                arguments.push(word);
                continue;
            }
            let (name, given) =
                word.text.split_once('=').map_or((word.text.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
            let unknown = || wrong(format!("{} has no option {}", verb.verb, shortened(name)), format!("usage: {}", verb.usage));
            let known = verb.options.iter().copied().find(|option| *option == name).ok_or_else(unknown)?;
            let value = given.or_else(|| words.next().map(|word| word.text));
            let value = value.ok_or_else(|| wrong(format!("{known} needs a value"), format!("usage: {}", verb.usage)))?;
            options.push((known, value));
        }
        if arguments.len() > verb.arguments.len() && !verb.rest {
            return Err(wrong(format!("{} takes fewer words", verb.verb), format!("usage: {}; quotes hold words together", verb.usage)));
        }
        Ok(Asking { text: self.text, verb, arguments, options })
    }
}

/// Of what somebody typed, as much as an answer repeats.
pub fn shortened(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

impl Asking<'_> {
    pub fn argument(&self, n: usize) -> Option<&str> {
        self.arguments.get(n).map(|word| word.text.as_str())
    }

    pub fn required(&self, n: usize) -> Result<&str, Refused> {
        let missing = || {
            let what = self.verb.arguments.get(n).copied().unwrap_or("word");
            wrong(format!("{}: which {what}?", self.verb.verb), format!("usage: {}", self.verb.usage))
        };
        self.argument(n).ok_or_else(missing)
    }

    /// The same, but `null` without quotes is nothing.
    pub fn or_null(&self, n: usize) -> Result<Option<&str>, Refused> {
        let text = self.required(n)?;
        let is_null = text == "null" && self.arguments.get(n).is_some_and(|word| !word.quoted);
        Ok(Some(text).filter(|_| !is_null))
    }

    /// From an argument to the end of the line, as it was typed: JSON has quotes of its own. A single word in quotes goes without them.
    pub fn rest(&self, n: usize) -> Result<Option<&str>, Refused> {
        if self.arguments.len() <= n.saturating_add(1) {
            let word = self.or_null(n)?;
            let raw = self.arguments.get(n).and_then(|word| self.text.get(word.start..)).map(str::trim);
            return Ok(word.map(|word| raw.filter(|raw| !raw.starts_with(['"', '\''])).unwrap_or(word)));
        }
        Ok(self.arguments.get(n).and_then(|word| self.text.get(word.start..)).map(str::trim))
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(option, _)| *option == name).map(|(_, value)| value.as_str())
    }

    /// A number within bounds.
    pub fn number(&self, name: &str, within: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Refused> {
        let Some(text) = self.option(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| within.contains(number));
        let bad = || wrong(format!("{name} {} is no number from {} to {}", shortened(text), within.start(), within.end()), self.verb.usage);
        number.map(Some).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::console::verbs::{VERBS, named};
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        Line::parse(text).unwrap().words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words("  produce  a 'b  c' \"d \\\" \\\\ \\n\" e\"f\"'g' "), ["produce", "a", "b  c", "d \" \\ \\n", "efg"]);
        assert_eq!(words("a '' b"), ["a", "", "b"]);
        assert_eq!(words("\u{7}\u{0}\r\n"), Vec::<String>::new());
        for open in ["say 'x", "say \"x\\\"", "\""] {
            assert!(Line::parse(open).unwrap_err().error.contains("not closed"), "{open}");
        }
    }

    #[test]
    fn the_last_argument_of_produce_is_the_rest_of_the_line() {
        let rest = |text| Line::parse(text).unwrap().asked(named("produce").unwrap()).unwrap().rest(2).unwrap().map(str::to_owned);
        assert_eq!(rest(r#"produce t k {"a": 1, "b": [2]}  "#).as_deref(), Some(r#"{"a": 1, "b": [2]}"#));
        assert_eq!(rest(r#"produce t k {"a":"b"}"#).as_deref(), Some(r#"{"a":"b"}"#));
        assert_eq!(rest("produce t k 'two words'").as_deref(), Some("two words"));
        assert_eq!(rest("produce t k two words -n --from").as_deref(), Some("two words -n --from"));
        assert_eq!(rest("produce t k --from").as_deref(), Some("--from"));
        assert_eq!((rest("produce t k null"), rest("produce t k 'null'").as_deref()), (None, Some("null")));
    }

    #[test]
    fn options_have_values_and_unknown_ones_are_refused() {
        let asked = Line::parse("consume t -n 3 --from=-5 --filter 'a b'").unwrap().asked(named("consume").unwrap()).unwrap();
        assert_eq!((asked.option("-n"), asked.option("--from"), asked.option("--filter")), (Some("3"), Some("-5"), Some("a b")));
        assert!(asked.number("-n", 4..=9).is_err() && asked.number("--partition", 0..=1).unwrap().is_none());
        for wrong in ["consume t --form end", "consume t -n", "topics a", "describe a b"] {
            let verb = named(wrong.split(' ').next().unwrap()).unwrap();
            assert!(Line::parse(wrong).unwrap().asked(verb).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_refused(text in "\\PC{0,80}|[ '\"\\\\a-c\\-=\u{0}-\u{1f}]{0,60}") {
            for verb in VERBS {
                if let Ok(asked) = Line::parse(&text).and_then(|line| line.asked(verb)) {
                    let _ = (asked.required(0), asked.rest(2), asked.or_null(1), asked.number("-n", 1..=5));
                }
            }
        }
    }
}
