//! Values of an event as a schema-bound reader sees them: of the wrong type is not the same as missing, and neither spoils the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::Timestamp;

use super::{money, times};

/// A field of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    #[default]
    Missing,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// An object or a list.
    Nested,
}

impl Scalar<'_> {
    pub fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// In cents, so that sums in any order agree.
    pub fn cents(&self) -> Option<i64> {
        self.number().and_then(money::cents)
    }

    pub fn time(&self) -> Option<Timestamp> {
        self.text().and_then(times::time)
    }

    pub fn is_there(&self) -> bool {
        !matches!(self, Scalar::Missing | Scalar::Null)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar<'a>, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow, default)]
        a: Scalar<'a>,
        #[serde(borrow, default)]
        b: Scalar<'a>,
    }

    #[test]
    fn a_field_of_another_type_spoils_nothing_else() {
        let event: Event<'_> = serde_json::from_str(r#"{"a":{"x":[1,{}]},"b":"12.50","c":1}"#).unwrap();
        assert_eq!((event.a, event.b.text(), event.b.cents()), (Scalar::Nested, Some("12.50"), None));
        let event: Event<'_> = serde_json::from_str(r#"{"a":null,"z":0}"#).unwrap();
        assert_eq!((event.a, event.b), (Scalar::Null, Scalar::Missing));
        let event: Event<'_> = serde_json::from_str(r#"{"a":12.57,"b":"\u00e9"}"#).unwrap();
        assert_eq!((event.a.cents(), event.b.text()), (Some(1_257), Some("é")));
        assert!(serde_json::from_str::<Event<'_>>(r#"{"a":1"#).is_err() && serde_json::from_str::<Event<'_>>("{a:1}").is_err());
    }
}
