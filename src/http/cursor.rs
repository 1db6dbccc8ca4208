//! Where a page of records begins or ends: `0:123,1:456`, an offset for each partition.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::StatusCode;

use super::answer::Refused;
use super::scan::Lane;

const PARTITIONS_MAX: usize = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor(BTreeMap<i32, i64>);

impl Cursor {
    pub fn parse(text: &str) -> Result<Cursor, Refused> {
        let wrong = || {
            let fix = "send a cursor as an answer gave it (after, before), or leave it out";
            Refused::new(StatusCode::BAD_REQUEST, "this is no cursor", fix)
        };
        let mut offsets = BTreeMap::new();
        for part in text.split(',') {
            let (partition, offset) = part.split_once(':').ok_or_else(wrong)?;
            let partition = partition.parse().ok().filter(|partition| *partition >= 0).ok_or_else(wrong)?;
            let offset = offset.parse().ok().filter(|offset| *offset >= 0).ok_or_else(wrong)?;
            if offsets.len() >= PARTITIONS_MAX || offsets.insert(partition, offset).is_some() {
                return Err(wrong());
            }
        }
        Ok(Cursor(offsets))
    }

    pub fn of(lanes: &[Lane]) -> Cursor {
        Cursor(lanes.iter().map(|lane| (lane.partition.0, lane.at)).collect())
    }

    pub fn get(&self, partition: i32) -> Option<i64> {
        self.0.get(&partition).copied()
    }

    /// Whether it names all partitions that there were, not one alone: then others have been added since.
    pub fn is_whole(&self) -> bool {
        self.0.len() > 1 && self.0.keys().zip(0..).all(|(partition, index)| *partition == index)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (partition, offset)) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{partition}:{offset}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_and_nonsense_does_not() {
        for text in ["0:123,1:456", "3:0", "0:9223372036854775807"] {
            assert_eq!(Cursor::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "0", "0:", ":1", "-1:5", "0:-5", "0:1,", "0:1,0:2", "0:99999999999999999999", "a:b", "0:1;1:2"] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
        assert!(Cursor::parse("0:1,1:2").unwrap().is_whole());
        assert!(!Cursor::parse("0:1").unwrap().is_whole() && !Cursor::parse("0:1,2:2").unwrap().is_whole());
    }
}
