//! The filter language of `/api/topics/{name}/records`: words that all have to fit.
//!
//! | word | fits a record |
//! |---|---|
//! | `otter`, `"two words"` | that has it anywhere in key, value or headers |
//! | `status:fault`, `payload.user:ada` | whose JSON field contains it; numbers and booleans are compared whole |
//! | `status:"fault"` | whose field is exactly that |
//! | `price:>100`, `timestamp:<=2026-11-27T10:15` | by number, or by time |
//! | `user_id:null`, `user_id:*` | whose field is null; whose field is there and not null |
//! | `key:x`, `key:null` | by its key; without a key |
//! | `value:x`, `value:null` | by the field `value`, or the whole value if there is no such field; tombstones |
//! | `header.trace:x`, `partition:2`, `offset:>=100` | by the rest of it |
//! | `-` before any of these | that does not fit |
//!
//! Letters are compared without case, but for names of fields. A dot in front of a field (`.key:x`) says that it is one of the value's.

use std::cell::OnceCell;

use memchr::memmem::Finder;
use serde_json::Value;

use super::content::WHOLE;
use crate::cluster::StoredRecord;
use crate::workshop::truth::times::milliseconds;

const CHARS_MAX: usize = 500;
const WORDS_MAX: usize = 20;
const DOTS_MAX: usize = 10;

/// All of its words have to fit.
#[derive(Debug, Default)]
pub(super) struct Filter {
    words: Vec<Word>,
}

/// What is wrong with a filter, and at which character, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub at: usize,
    pub what: String,
}

#[derive(Debug)]
struct Word {
    not: bool,
    place: Place,
    test: Test,
}

#[derive(Debug)]
enum Place {
    Anywhere,
    Key,
    Value,
    Header(String),
    Partition,
    Offset,
    Field(String),
}

#[derive(Debug)]
enum Test {
    Null,
    Present,
    Exact(Needle),
    Part(Needle),
    Compared(Order, Bound),
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Number(f64),
    TimeMs(i64),
}

/// A text in lower case.
#[derive(Debug)]
struct Needle {
    text: String,
    finder: Finder<'static>,
    number: Option<f64>,
}

impl Filter {
    pub fn parse(text: &str) -> Result<Filter, Wrong> {
        let letters: Vec<char> = text.chars().collect();
        if letters.len() > CHARS_MAX {
            return Err(wrong(CHARS_MAX, format!("a filter has at most {CHARS_MAX} characters")));
        }
        let mut reader = Reader { letters: &letters, at: 0 };
        let mut words = Vec::new();
        while reader.skip_blanks() {
            if words.len() >= WORDS_MAX {
                return Err(wrong(reader.at, format!("a filter has at most {WORDS_MAX} words")));
            }
            words.push(reader.word()?);
        }
        Ok(Filter { words })
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub fn fits(&self, record: &StoredRecord) -> bool {
        let look = Look { record, json: OnceCell::new() };
        self.words.iter().all(|word| look.fits(&word.place, &word.test) != word.not)
    }
}

fn wrong(at: usize, what: impl Into<String>) -> Wrong {
    Wrong { at: at.saturating_add(1), what: what.into() }
}

struct Reader<'a> {
    letters: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    /// Whether there is a word.
    fn skip_blanks(&mut self) -> bool {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.peek().is_some()
    }

    /// Letters up to a blank or one of these.
    fn plain(&mut self, stops: &[char]) -> String {
        let start = self.at;
        while self.peek().is_some_and(|letter| !letter.is_whitespace() && !stops.contains(&letter)) {
            self.at += 1;
        }
        self.letters.get(start..self.at).unwrap_or_default().iter().collect()
    }

    /// What stands in quotes, of which the first comes next. A backslash makes a letter of a quote or a backslash.
    fn quoted(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(wrong(start, "this quote is never closed")),
                Some('"') => break,
                Some('\\') if matches!(self.letters.get(self.at + 1), Some('"' | '\\')) => {
                    text.extend(self.letters.get(self.at + 1));
                    self.at += 2;
                }
                Some(letter) => {
                    text.push(letter);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        if self.peek().is_some_and(|next| !next.is_whitespace()) {
            return Err(wrong(self.at, "a blank has to follow a closing quote"));
        }
        Ok(text)
    }

    fn word(&mut self) -> Result<Word, Wrong> {
        let start = self.at;
        let not = self.take_if('-');
        if self.peek() == Some('"') {
            return Ok(Word { not, place: Place::Anywhere, test: Test::Part(needle(&self.quoted()?)) });
        }
        let name = self.plain(&[':', '"']);
        if !self.take_if(':') {
            return match self.peek() {
                Some('"') => Err(wrong(self.at, "a quote stands in the middle of a word; quote the whole word")),
                _ if name.is_empty() => Err(wrong(start, "a minus needs a word behind it")),
                _ => Ok(Word { not, place: Place::Anywhere, test: Test::Part(needle(&name)) }),
            };
        }
        let place = place(&name).map_err(|what| wrong(start, what))?;
        let value_at = self.at;
        let test = self.test()?;
        if matches!(place, Place::Partition | Place::Offset) {
            let fits = matches!(&test, Test::Compared(_, Bound::Number(_))) || matches!(&test, Test::Part(Needle { number: Some(_), .. }));
            if !fits {
                return Err(wrong(value_at, format!("{name} is compared with a number, as in {name}:2 or {name}:>=100")));
            }
        }
        Ok(Word { not, place, test })
    }

    fn test(&mut self) -> Result<Test, Wrong> {
        let order = match self.peek() {
            Some('<') => Some((Order::Less, Order::LessOrEqual)),
            Some('>') => Some((Order::More, Order::MoreOrEqual)),
            _ => None,
        };
        if let Some((strict, or_equal)) = order {
            self.at += 1;
            let order = if self.take_if('=') { or_equal } else { strict };
            let start = self.at;
            let text = if self.peek() == Some('"') { self.quoted()? } else { self.plain(&[]) };
            let bound = bound(&text).ok_or_else(|| {
                let what = "after < or > stands a number or a time, such as 100, 2026-11-27 or 2026-11-27T10:15:30Z";
                wrong(start, what)
            })?;
            return Ok(Test::Compared(order, bound));
        }
        if self.peek() == Some('"') {
            return Ok(Test::Exact(needle(&self.quoted()?)));
        }
        let start = self.at;
        match self.plain(&[]).as_str() {
            "" => Err(wrong(start, "nothing stands behind the colon; quote a word that has a colon in it")),
            "null" => Ok(Test::Null),
            "*" => Ok(Test::Present),
            text => Ok(Test::Part(needle(text))),
        }
    }
}

fn place(name: &str) -> Result<Place, String> {
    let field = name.strip_prefix('.');
    if name.is_empty() || field == Some("") {
        return Err("nothing stands before the colon; quote a word that has a colon in it".to_owned());
    }
    if name.matches('.').count() > DOTS_MAX {
        return Err(format!("a field's name has at most {DOTS_MAX} dots"));
    }
    Ok(match (name, field, name.strip_prefix("header.")) {
        (_, Some(field), _) => Place::Field(field.to_owned()),
        ("key", ..) => Place::Key,
        ("value", ..) => Place::Value,
        ("partition", ..) => Place::Partition,
        ("offset", ..) => Place::Offset,
        (_, _, Some("")) => return Err("a header's name is missing, as in header.trace:x".to_owned()),
        (_, _, Some(header)) => Place::Header(header.to_owned()),
        (name, ..) => Place::Field(name.to_owned()),
    })
}

fn needle(text: &str) -> Needle {
    let text = text.to_lowercase();
    let finder = Finder::new(text.as_bytes()).into_owned();
    Needle { number: text.parse().ok().filter(|number: &f64| number.is_finite()), finder, text }
}

fn bound(text: &str) -> Option<Bound> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Bound::Number).or_else(|| time(text).map(Bound::TimeMs))
}

/// A day, or a time of which the zone may be left out: it is UTC.
fn time(text: &str) -> Option<i64> {
    milliseconds(text).or_else(|| milliseconds(&format!("{text}Z"))).or_else(|| milliseconds(&format!("{text}T00:00Z")))
}

impl Needle {
    fn is_in(&self, bytes: &[u8]) -> bool {
        if self.text.is_ascii() {
            return self.finder.find(&bytes.to_ascii_lowercase()).is_some();
        }
        self.finder.find(String::from_utf8_lossy(bytes).to_lowercase().as_bytes()).is_some()
    }

    fn is(&self, bytes: &[u8]) -> bool {
        // In another case a letter has a few bytes more or less.
        let near = bytes.len() <= self.text.len().saturating_mul(4);
        near && String::from_utf8_lossy(bytes).to_lowercase() == self.text
    }
}

impl Order {
    fn holds<T: PartialOrd>(self, left: T, right: T) -> bool {
        match self {
            Order::Less => left < right,
            Order::LessOrEqual => left <= right,
            Order::More => left > right,
            Order::MoreOrEqual => left >= right,
        }
    }
}

/// One record, looked at.
struct Look<'a> {
    record: &'a StoredRecord,
    json: OnceCell<Option<Value>>,
}

impl Look<'_> {
    /// The value as JSON, parsed once. A very long one is none: parsed it takes many times its bytes.
    fn json(&self) -> Option<&Value> {
        let value = self.record.value.as_deref().filter(|value| value.len() <= WHOLE);
        self.json.get_or_init(|| serde_json::from_slice(value?).ok()).as_ref()
    }

    fn fits(&self, place: &Place, test: &Test) -> bool {
        let record = self.record;
        match place {
            Place::Anywhere => self.anywhere(test),
            Place::Key => bytes_fit(test, record.key.as_deref()),
            Place::Value => match (test, self.json().and_then(|json| json.get("value"))) {
                (Test::Null, _) => record.value.is_none(),
                (_, Some(field)) => leaf_fits(test, field),
                (_, None) => bytes_fit(test, record.value.as_deref()),
            },
            Place::Header(name) => {
                let mut named = record.headers.iter().filter(|(header, _)| header == name);
                named.any(|(_, value)| bytes_fit(test, value.as_deref()))
            }
            Place::Partition => number_fits(test, f64::from(record.partition.0)),
            Place::Offset => number_fits(test, record.offset.0 as f64),
            Place::Field(path) => self.json().is_some_and(|json| any_at(json, path, &|leaf| leaf_fits(test, leaf))),
        }
    }

    fn anywhere(&self, test: &Test) -> bool {
        let Test::Part(needle) = test else { return false };
        let has = |bytes: &Option<bytes::Bytes>| bytes.as_deref().is_some_and(|bytes| needle.is_in(bytes));
        let record = self.record;
        let mut headers = record.headers.iter();
        has(&record.key) || has(&record.value) || headers.any(|(name, value)| needle.is_in(name.as_bytes()) || has(value))
    }
}

/// Whether anything at this path fits. A name may contain dots; of an array each element counts.
fn any_at(json: &Value, path: &str, fits: &dyn Fn(&Value) -> bool) -> bool {
    match json {
        Value::Array(items) => items.iter().any(|item| any_at(item, path, fits)),
        Value::Object(fields) => {
            let deeper = |(dot, _): (usize, &str)| {
                let (name, rest) = path.split_at(dot);
                fields.get(name).zip(rest.get(1..)).is_some_and(|(field, rest)| any_at(field, rest, fits))
            };
            fields.get(path).is_some_and(fits) || path.match_indices('.').any(deeper)
        }
        _ => false,
    }
}

fn leaf_fits(test: &Test, leaf: &Value) -> bool {
    match (test, leaf) {
        (Test::Null, leaf) => leaf.is_null(),
        (Test::Present, leaf) => !leaf.is_null(),
        (test, Value::Array(items)) => items.iter().any(|item| leaf_fits(test, item)),
        (test, Value::Object(fields)) => fields.values().any(|field| leaf_fits(test, field)),
        (Test::Exact(needle), Value::String(text)) => needle.is(text.as_bytes()),
        (Test::Part(needle), Value::String(text)) => needle.is_in(text.as_bytes()),
        (Test::Exact(needle) | Test::Part(needle), Value::Number(number)) => {
            needle.number.is_some_and(|wanted| number.as_f64() == Some(wanted))
        }
        (Test::Exact(needle) | Test::Part(needle), Value::Bool(is)) => needle.text == if *is { "true" } else { "false" },
        (Test::Exact(_) | Test::Part(_), Value::Null) => false,
        (Test::Compared(order, Bound::Number(bound)), Value::Number(number)) => number.as_f64().is_some_and(|n| order.holds(n, *bound)),
        (Test::Compared(order, Bound::TimeMs(bound)), Value::String(text)) => time(text).is_some_and(|at| order.holds(at, *bound)),
        (Test::Compared(order, Bound::TimeMs(bound)), Value::Number(number)) => number.as_i64().is_some_and(|at| order.holds(at, *bound)),
        (Test::Compared(..), _) => false,
    }
}

fn bytes_fit(test: &Test, bytes: Option<&[u8]>) -> bool {
    let Some(bytes) = bytes else { return matches!(test, Test::Null) };
    match test {
        Test::Null => false,
        Test::Present => true,
        Test::Exact(needle) => needle.is(bytes),
        Test::Part(needle) => needle.is_in(bytes),
        Test::Compared(order, bound) => {
            let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= 64).map(str::trim);
            text.is_some_and(|text| match bound {
                Bound::Number(bound) => text.parse().is_ok_and(|number: f64| order.holds(number, *bound)),
                Bound::TimeMs(bound) => time(text).is_some_and(|at| order.holds(at, *bound)),
            })
        }
    }
}

fn number_fits(test: &Test, number: f64) -> bool {
    match test {
        Test::Part(needle) => needle.number == Some(number),
        Test::Compared(order, Bound::Number(bound)) => order.holds(number, *bound),
        _ => false,
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
