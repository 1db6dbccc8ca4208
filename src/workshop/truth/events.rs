//! Events as a student's code can read them: JSON objects whose fields may be missing or of any type. Nothing is copied that need not be.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// A field of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field<'a> {
    #[default]
    Absent,
    Null,
    Flag(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An object or an array.
    Other,
}

impl Field<'_> {
    pub fn text(&self) -> Option<&str> {
        if let Field::Text(text) = self { Some(text) } else { None }
    }

    pub fn number(&self) -> Option<f64> {
        if let Field::Number(number) = self { Some(*number) } else { None }
    }

    pub fn is(&self, wanted: &str) -> bool {
        self.text() == Some(wanted)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field<'de>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

/// A list of texts; what is no text in it is left out. `None` for what is no list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts<'a>(pub Option<Vec<Cow<'a, str>>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_unit<E>(self) -> Result<Texts<'de>, E> {
        Ok(Texts(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element::<Field<'de>>()? {
            if let Field::Text(text) = item {
                texts.push(text);
            }
        }
        Ok(Texts(Some(texts)))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Texts<'de>, A::Error> {
        FieldVisitor.visit_map(entries).map(|_| Texts(None))
    }
}

/// Reads a value as one event; `None` for what is no JSON object in UTF-8.
pub fn read<'a, T: Deserialize<'a>>(value: Option<&'a Bytes>) -> Option<T> {
    let text = std::str::from_utf8(value?).ok()?;
    // What is derived for a struct would take an array for one too.
    text.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

/// An event's id in 16 bytes. The ids of the streams are 26 digits to the base 32 and fit; others are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey(u128);

impl EventKey {
    pub fn of(id: &str) -> EventKey {
        EventKey(digits(id).unwrap_or_else(|| {
            let hash: [u8; 32] = Sha256::digest(id.as_bytes()).into();
            hash.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
        }))
    }
}

/// Crockford's digits: no I, L, O, U. 255 for what is none.
const DIGITS: [u8; 256] = {
    let mut table = [255; 256];
    let (digits, mut value) = (*b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 0);
    while value < 32 {
        #[allow(clippy::indexing_slicing, reason = "in a constant: it would not compile")]
        {
            table[digits[value] as usize] = value as u8;
        }
        value += 1;
    }
    table
};

fn digits(id: &str) -> Option<u128> {
    let id: &[u8; 26] = id.as_bytes().try_into().ok()?;
    // 130 bits in all: the first digit has three.
    let mut number = 0;
    for (place, byte) in id.iter().enumerate() {
        let digit = *DIGITS.get(usize::from(*byte))?;
        if digit > if place == 0 { 7 } else { 31 } {
            return None;
        }
        number = number << 5 | u128::from(digit);
    }
    Some(number)
}

/// The events that were there before. A copy of an event has its key, so both lie in one partition.
#[derive(Debug, Default)]
pub struct Seen {
    keys: HashSet<EventKey, BuildHasherDefault<KeyHasher>>,
}

impl Seen {
    /// Whether an event with this id was there before. One without an id never was.
    pub fn again(&mut self, id: &Field<'_>) -> bool {
        id.text().is_some_and(|id| !self.keys.insert(EventKey::of(id)))
    }
}

/// The lower bits of an id are as good as random.
#[derive(Debug, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = (key as u64 ^ (key >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Two<'a> {
        #[serde(borrow, default)]
        a: Field<'a>,
        #[serde(borrow, default)]
        b: Field<'a>,
    }

    #[test]
    fn a_field_of_any_type_is_a_field() {
        let of = |text: &'static str| {
            read::<Two>(Some(&Bytes::from_static(text.as_bytes()))).map(|two| (two.a == two.b, format!("{:?}", two.a)))
        };
        for (text, a) in [
            (r#"{"a": 12.50, "b": "x"}"#, "Number(12.5)"),
            (r#" {"a": "12.50"}"#, "Text(\"12.50\")"),
            (r#"{"a": "\u0041", "more": [{}]}"#, "Text(\"A\")"),
            (r#"{"a": null, "b": []}"#, "Null"),
            (r#"{"b": 1}"#, "Absent"),
            (r#"{"a": {"x": [1]}}"#, "Other"),
            (r#"{"a": false}"#, "Flag(false)"),
        ] {
            assert_eq!(of(text), Some((false, a.to_owned())), "{text}");
        }
        for text in ["", "[1, 2]", "{\"a\": 1", "{a: 1}", "null", "{\"a\": 1} x"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert!(read::<Two>(Some(&Bytes::from_static(b"{\"x\": \"\xff\"}"))).is_none() && read::<Two>(None).is_none());
    }

    #[test]
    fn ids_that_differ_have_keys_that_differ() {
        let ids = [
            "01M84103M976CW5NC1NM2DZ221",
            "01M84103M976CW5NC1NM2DZ222",
            "81M84103M976CW5NC1NM2DZ221",
            "",
            "a",
            "01m84103m976cw5nc1nm2dz221",
        ];
        let keys: HashSet<EventKey> = ids.iter().map(|id| EventKey::of(id)).collect();
        assert_eq!(keys.len(), ids.len());
        let mut seen = Seen::default();
        let of = |id: &'static str| Field::Text(id.into());
        assert_eq!(
            [seen.again(&of("a")), seen.again(&of("a")), seen.again(&Field::Null), seen.again(&Field::Null)],
            [false, true, false, false]
        );
    }
}
