//! Values of an event as a schema-bound reader sees them: of the wrong type is not the same as missing, and neither spoils the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::Timestamp;

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
        self.number().map(|number| (number * 100.0).round() as i64)
    }

    pub fn time(&self) -> Option<Timestamp> {
        self.text().and_then(time)
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

/// `2026-11-23T10:15:30.123Z`, with or without its fraction.
pub fn time(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.splitn(3, ':').map(digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    let within = (1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !within || hour > 23 || minute > 59 || second > 59 || fraction.len() > 9 {
        return None;
    }
    // Thousandths, however many digits there are.
    let scale = 10_i64.pow(fraction.len() as u32);
    let ms = digits(fraction)? * 1_000 / scale;
    Some(Timestamp((((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + ms))
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the odd day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// `2026-11-23T10:15Z`.
pub fn minute_text(at: Timestamp) -> String {
    let minutes = at.0.div_euclid(60_000);
    let (day, minute) = (minutes.div_euclid(1_440), minutes.rem_euclid(1_440));
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}Z", minute / 60, minute % 60)
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

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        assert_eq!(time("2026-11-23T10:15:30.123Z"), Some(Timestamp(1_795_428_930_123)));
        assert_eq!(time("2026-11-23T10:15:30.123456Z"), Some(Timestamp(1_795_428_930_123)));
        assert_eq!(time("2000-02-29T23:59Z"), Some(Timestamp(951_868_740_000)));
        for wrong in ["", "2026-11-23", "2026-11-23T10:15:30", "2026-13-23T10:15:30Z", "x026-11-23T10:15:30Z", "2026-11-23T10:15:3éZ"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        for at in [0, 951_868_740_000, 1_795_428_900_000, 4_102_444_740_000] {
            assert_eq!(time(&minute_text(Timestamp(at))), Some(Timestamp(at)));
        }
        assert_eq!(minute_text(Timestamp(1_795_428_930_123)), "2026-11-23T10:15Z");
    }
}
