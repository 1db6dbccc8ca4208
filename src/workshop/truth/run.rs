//! An answer in a results topic: records of one run of a script, the last with `"final": true`.

use serde_json::Value;

use crate::model::Offset;
use crate::workshop::{Answer, AnswerRecord};

use super::money::cents;

/// The last run under a ticket. One that was begun and has no end yet is the last.
#[derive(Debug, Default)]
pub struct Run<'a> {
    pub entries: Vec<Entry>,
    pub end: Option<Entry>,
    /// The first record that is no JSON object.
    pub malformed: Option<Malformed<'a>>,
    /// Runs before it.
    pub earlier: usize,
}

#[derive(Debug)]
pub struct Entry {
    pub offset: Offset,
    pub value: Value,
}

#[derive(Debug)]
pub struct Malformed<'a> {
    pub record: &'a AnswerRecord,
    pub reason: String,
}

impl<'a> Run<'a> {
    pub fn last_of(answer: &'a Answer) -> Run<'a> {
        let mut run = Run::default();
        for record in &answer.records {
            if run.end.is_some() {
                run = Run { earlier: run.earlier.saturating_add(1), ..Run::default() };
            }
            match object(record.value.as_deref()) {
                Ok(value) if value.get("final") == Some(&Value::Bool(true)) => run.end = Some(Entry { offset: record.offset, value }),
                Ok(value) => run.entries.push(Entry { offset: record.offset, value }),
                Err(reason) => run.malformed = run.malformed.or(Some(Malformed { record, reason })),
            }
        }
        run
    }

    /// What is wrong with the records as such.
    pub fn complaint(&self) -> Option<String> {
        let Malformed { record, reason } = self.malformed.as_ref()?;
        Some(format!("The record at offset {} of your results topic is no JSON object: {reason}.", record.offset))
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.end.is_none() && self.malformed.is_none()
    }
}

pub fn object(value: Option<&[u8]>) -> Result<Value, String> {
    let bytes = value.ok_or("it has no value")?;
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err("it is JSON, but no object".to_owned()),
        Err(_) if bytes.windows(3).any(|part| part == b"NaN") => Err("NaN is no JSON number".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Entry {
    pub fn number(&self, field: &str) -> Option<f64> {
        self.value.get(field)?.as_f64()
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.value.get(field)?.as_str()
    }

    /// A whole number from 0 on, also if it is written as `3.0`.
    pub fn count(&self, field: &str) -> Option<u64> {
        whole(self.value.get(field)?)
    }

    pub fn cents(&self, field: &str) -> Option<i64> {
        self.number(field).and_then(cents)
    }
}

pub fn whole(value: &Value) -> Option<u64> {
    let of_float = |number: f64| (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

/// A field as it was handed in, for a message; never long.
pub fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    excerpt(&text)
}

/// The beginning of a text that may be long.
pub fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 60;
    let mut short: String = text.chars().take(CHARACTERS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// One thing or several.
pub fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PartitionId, Timestamp};
    use bytes::Bytes;

    fn answer(values: &[&str]) -> Answer {
        let record = |(offset, value): (i64, &&str)| AnswerRecord {
            partition: PartitionId(0),
            offset: Offset(offset),
            timestamp: Timestamp(0),
            key: None,
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        Answer { records: (0..).zip(values).map(record).collect(), receipt: None }
    }

    #[test]
    fn the_last_run_counts_also_without_an_end() {
        let answers = answer(&["{\"n\":1}", "x", "{\"final\":true}", "{\"n\":1}", "{\"n\":2}"]);
        let run = Run::last_of(&answers);
        assert_eq!((run.entries.len(), run.end.is_none(), run.malformed.is_none(), run.earlier), (2, true, true, 1));
        let ended = answer(&["{\"final\":true}", "{\"n\":1}", "{\"final\":true, \"count\": 3.0}"]);
        let run = Run::last_of(&ended);
        assert_eq!((run.entries.len(), run.end.and_then(|end| end.count("count")), run.earlier), (1, Some(3), 1));
    }

    #[test]
    fn what_is_no_object_is_told_with_its_offset() {
        for (value, told) in
            [("[1]", "no object"), ("{\"a\": NaN}", "NaN"), ("{\"a\": 1e999}", "range"), ("{", "EOF"), ("null", "no object")]
        {
            let answers = answer(&["{}", value]);
            let complaint = Run::last_of(&answers).complaint().unwrap();
            assert!(complaint.contains("offset 1") && complaint.contains(told), "{complaint}");
        }
        let deep = answer(&[&"[".repeat(100_000)]);
        assert!(Run::last_of(&deep).complaint().is_some());
    }

    #[test]
    fn numbers_are_taken_as_they_are_meant() {
        let whole = |text: &str| whole(&serde_json::from_str(text).unwrap());
        assert_eq!(["3", "3.0", "-1", "2.5", "1e300", "\"3\""].map(whole), [Some(3), Some(3), None, None, None, None]);
        assert_eq!(excerpt(&"é".repeat(100)).chars().count(), 61);
    }
}
