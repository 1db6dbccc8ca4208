//! What happens to events on their way: sent twice, late, out of order, damaged. Planted at stated rates, by the seed.
//!
//! A step between a draft and its bytes: it moves arrivals and edits bytes, and no story knows of it. What it does to an event
//! follows from the event's place in the town's history, so a duplicate has the same damage, and a restart repeats it.

use std::fmt;

use super::draft::Draft;
use super::json::rfc3339_ms;
use super::random::Dice;

/// How much dirt: `--dirt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirtLevel {
    /// Every event is clean and in order.
    None,
    /// The rates of the streams' tables.
    #[default]
    Stated,
    /// Three times as much.
    Heavy,
}

impl DirtLevel {
    pub fn from_number(number: u8) -> Option<DirtLevel> {
        [DirtLevel::None, DirtLevel::Stated, DirtLevel::Heavy].get(usize::from(number)).copied()
    }

    pub fn number(self) -> u8 {
        self as u8
    }

    /// What the stated rates are multiplied with.
    pub fn factor(self) -> f64 {
        [0.0, 1.0, 3.0][self as usize]
    }
}

impl fmt::Display for DirtLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A stream's rates, as shares of its events.
pub struct Rates {
    pub duplicates: f64,
    /// In the order of [`LATENESS`].
    pub late: [f64; 3],
    pub out_of_order: f64,
    pub faults: &'static [Fault],
}

/// Damage to an event's bytes. The truth ledger names it.
#[derive(Debug)]
pub struct Fault {
    pub name: &'static str,
    pub rate: f64,
    pub edit: Edit,
}

impl Fault {
    pub const fn new(name: &'static str, rate: f64, edit: Edit) -> Fault {
        Fault { name, rate, edit }
    }
}

/// What a fault does to the JSON of a clean event.
#[derive(Debug)]
pub enum Edit {
    /// Puts this JSON in place of the field's value.
    Set(&'static str, &'static str),
    /// Leaves the field out. Not for a value's first field.
    Drop(&'static str),
    /// Writes a number as a text.
    Quote(&'static str),
    /// Turns a positive number negative.
    Negate(&'static str),
    /// Puts a time this much later, in milliseconds.
    Postpone(&'static str, i64),
    /// Ends in the middle, but behind the id, so that nobody has to guess which event it was.
    Truncate,
    /// Loses the quotes around the names, as a hand-written encoder might.
    Unquote,
}

/// How late a late event is, in seconds: from, to.
pub const LATENESS: [(f64, f64); 3] = [(60.0, 300.0), (600.0, 1_800.0), (3_600.0, 5_400.0)];

/// How far an event of whose neighbours some overtake it falls back, in seconds.
pub const OUT_OF_ORDER: (f64, f64) = (1.0, 29.0);

/// When the second copy of an event arrives after the first, in seconds: a producer that sends again.
const COPY_AFTER: (f64, f64) = (0.2, 20.0);

/// Bytes that stay of a truncated value: `{"event_id":"`, the id and a little.
const LEGIBLE: usize = 48;

/// The furthest that dirt moves an arrival.
pub const REACH_MS: i64 = (LATENESS[2].1 as i64 + COPY_AFTER.1 as i64) * 1000;

/// What happens to one event on its way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dirt {
    /// How long it is held up, beyond the time that its network takes.
    pub delay_ms: i64,
    /// When a second copy follows.
    pub copy_after_ms: Option<i64>,
    pub fault: Option<&'static Fault>,
}

impl Dirt {
    pub fn of(seed: u64, level: DirtLevel, rates: &Rates, draft: &Draft) -> Dirt {
        let factor = level.factor();
        if factor == 0.0 {
            return Dirt::default();
        }
        let mut dice = Dice::of(seed, &[0xd1, draft.stream().0 as u64, draft.serial.0]);
        let mut dirt = Dirt::default();
        let delays = rates.late.iter().copied().zip(LATENESS).chain([(rates.out_of_order, OUT_OF_ORDER)]);
        if let Some((from, to)) = one_of(&mut dice, factor, delays) {
            dirt.delay_ms = (dice.between(from, to) * 1000.0) as i64;
        }
        if dice.chance(rates.duplicates * factor) {
            dirt.copy_after_ms = Some((dice.between(COPY_AFTER.0, COPY_AFTER.1) * 1000.0) as i64);
        }
        dirt.fault = one_of(&mut dice, factor, rates.faults.iter().map(|fault| (fault.rate, fault)));
        dirt
    }
}

/// At most one of several things with small chances.
fn one_of<T>(dice: &mut Dice, factor: f64, chances: impl Iterator<Item = (f64, T)>) -> Option<T> {
    let mut target = dice.unit();
    for (chance, thing) in chances {
        target -= chance * factor;
        if target < 0.0 {
            return Some(thing);
        }
    }
    None
}

impl Edit {
    /// Changes the bytes of one clean event. `happened_ms` since 1970; `dice` says where a text ends.
    pub fn apply(&self, value: &mut Vec<u8>, happened_ms: i64, dice: &mut Dice) {
        match *self {
            Edit::Set(name, json) => replace(value, name, |_| json.as_bytes().to_vec()),
            Edit::Quote(name) => replace(value, name, |number| [b"\"", number, b"\""].concat()),
            Edit::Negate(name) => replace(value, name, |number| [b"-", number].concat()),
            Edit::Postpone(name, by_ms) => replace(value, name, |_| [&b"\""[..], &rfc3339_ms(happened_ms + by_ms)[..], b"\""].concat()),
            Edit::Drop(name) => {
                if let Some(field) = find(value, name) {
                    // With the comma before it.
                    value.drain(field.start - name.len() - 4..field.end);
                }
            }
            Edit::Truncate => {
                let rest = value.len().saturating_sub(LEGIBLE + 1).max(1);
                let text = String::from_utf8_lossy(value);
                let end = text.floor_char_boundary(LEGIBLE + dice.below(rest));
                *value = text.as_bytes().get(..end).unwrap_or_default().to_vec();
            }
            Edit::Unquote => {
                let text = String::from_utf8_lossy(value).replace("\":", ":").replace(",\"", ",").replace("{\"", "{");
                *value = text.into_bytes();
            }
        }
    }
}

fn replace(value: &mut Vec<u8>, name: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    if let Some(field) = find(value, name) {
        let new = change(&value[field.clone()]);
        value.splice(field, new);
    }
}

/// Where a plain field's value stands. Names are unique within an event, nested ones included.
fn find(value: &[u8], name: &str) -> Option<std::ops::Range<usize>> {
    let opening = format!("\"{name}\":");
    let start = value.windows(opening.len()).position(|window| window == opening.as_bytes())? + opening.len();
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in value.iter().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'}' if !quoted => return Some(start..at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edit: &Edit) -> String {
        let mut value = br#"{"id":"a","price":12.50,"text":"one, \"two\"}","at":"x","last":{"os":"b"}}"#.to_vec();
        edit.apply(&mut value, 1_700_000_000_000, &mut Dice::new(1));
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn an_edit_touches_its_field_and_nothing_else() {
        let rest = r#","text":"one, \"two\"}","at":"x","last":{"os":"b"}}"#;
        assert_eq!(edited(&Edit::Set("price", "null")), format!(r#"{{"id":"a","price":null{rest}"#));
        assert_eq!(edited(&Edit::Quote("price")), format!(r#"{{"id":"a","price":"12.50"{rest}"#));
        assert_eq!(edited(&Edit::Negate("price")), format!(r#"{{"id":"a","price":-12.50{rest}"#));
        assert_eq!(edited(&Edit::Drop("price")), format!(r#"{{"id":"a"{rest}"#));
        assert_eq!(edited(&Edit::Set("text", "\"\"")), r#"{"id":"a","price":12.50,"text":"","at":"x","last":{"os":"b"}}"#);
        assert_eq!(edited(&Edit::Set("os", "\"c\"")), r#"{"id":"a","price":12.50,"text":"one, \"two\"}","at":"x","last":{"os":"c"}}"#);
        let later = edited(&Edit::Postpone("at", 86_400_000));
        assert!(later.contains(r#""at":"2023-11-15T22:13:20.000Z""#), "{later}");
    }

    #[test]
    fn malformed_json_does_not_parse() {
        for edit in [Edit::Truncate, Edit::Unquote] {
            let text = edited(&edit);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_truncated_event_keeps_its_id_and_whole_characters() {
        let whole = "{\"event_id\":\"01M86FYZ895XFAH4J6PJ1YHTS8\",\"city\":\"ÄÖÜÄÖÜÄÖÜÄÖÜ\",\"n\":1}";
        let mut lengths = std::collections::HashSet::new();
        for seed in 0..500 {
            let mut value = whole.as_bytes().to_vec();
            Edit::Truncate.apply(&mut value, 0, &mut Dice::new(seed));
            let text = String::from_utf8(value).unwrap();
            assert!(whole.starts_with(&text) && text.len() < whole.len() && text.contains("HTS8\""), "{text}");
            lengths.insert(text.len());
        }
        assert!(lengths.len() > 15, "{lengths:?}");
    }
}
