//! The parameters of a kind of truth, as a challenge's folder gives them. What is wrong with one is said with its name.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;

use toml::Value;

use crate::model::TopicName;
use crate::workshop::TicketWish;

/// Reads each parameter by its name; `finish` refuses those that nobody asked for.
pub struct Parameters<'a> {
    table: &'a toml::Table,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Parameters<'a> {
    pub fn of(table: &'a toml::Table) -> Parameters<'a> {
        Parameters { table, known: RefCell::default() }
    }

    fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(name);
        self.table.get(name)
    }

    fn needed(&self, name: &'static str) -> Result<&'a Value, String> {
        self.get(name).ok_or_else(|| format!("the parameter {name:?} is missing"))
    }

    pub fn text(&self, name: &'static str) -> Result<String, String> {
        let text = self.needed(name)?.as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| wrong(name, "a text"))
    }

    pub fn topic(&self, name: &'static str) -> Result<TopicName, String> {
        self.text(name).map(|topic| TopicName::new(&topic))
    }

    pub fn number(&self, name: &'static str) -> Result<f64, String> {
        number(self.needed(name)?).ok_or_else(|| wrong(name, "a number"))
    }

    pub fn number_or(&self, name: &'static str, default: f64) -> Result<f64, String> {
        self.get(name).map_or(Ok(default), |value| number(value).ok_or_else(|| wrong(name, "a number")))
    }

    /// A whole number from 1 on.
    pub fn count(&self, name: &'static str) -> Result<u64, String> {
        count(self.needed(name)?).ok_or_else(|| wrong(name, "a whole number from 1 on"))
    }

    /// What tickets are like: `history_minutes = [least, most]` and `live_seconds`, where the folder wants others than the kind.
    pub fn wish(&self, topics: Vec<TopicName>, history_minutes: Range<i64>, live_seconds: i64) -> Result<TicketWish, String> {
        const MINUTE_MS: i64 = 60_000;
        let minutes = match self.get("history_minutes") {
            None => history_minutes,
            Some(value) => span(value).ok_or_else(|| wrong("history_minutes", "two whole numbers from 0 to 1440, [least, most]"))?,
        };
        let seconds = match self.get("live_seconds") {
            None => live_seconds,
            Some(value) => {
                let seconds = value.as_integer().filter(|seconds| (0..=600).contains(seconds));
                seconds.ok_or_else(|| wrong("live_seconds", "a whole number from 0 to 600"))?
            }
        };
        Ok(TicketWish { topics, history_ms: minutes.start * MINUTE_MS..minutes.end * MINUTE_MS, live_ms: seconds * 1_000 })
    }

    pub fn finish(self) -> Result<(), String> {
        let known = self.known.into_inner();
        match self.table.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(format!("there is no parameter {name:?}; there are {}", known.join(", "))),
        }
    }
}

fn wrong(name: &str, wanted: impl Display) -> String {
    format!("the parameter {name:?} is not {wanted}")
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    number.filter(|number| number.abs() < 1e12)
}

fn count(value: &Value) -> Option<u64> {
    value.as_integer().filter(|count| (1..=1_000_000_000).contains(count)).map(i64::unsigned_abs)
}

fn span(value: &Value) -> Option<Range<i64>> {
    let [least, most] = value.as_array()?.as_slice() else { return None };
    let (least, most) = (least.as_integer()?, most.as_integer()?);
    (0 <= least && least <= most && most <= 1_440).then_some(least..most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let table = table("topic = 7\nevery = 0\nhistory_minutes = [9, 3]\nlive_seconds = -1\ntypo = 1\n");
        let parameters = Parameters::of(&table);
        assert!(parameters.text("topic").unwrap_err().contains("topic"));
        assert!(parameters.count("every").unwrap_err().contains("every"));
        assert!(parameters.number("price_over").unwrap_err().contains("price_over"));
        assert!(parameters.wish(Vec::new(), 1..2, 3).unwrap_err().contains("history_minutes"));
        parameters.get("live_seconds");
        assert!(parameters.finish().unwrap_err().contains("typo"));
    }

    #[test]
    fn a_ticket_is_as_the_kind_has_it_or_as_the_folder_has_it() {
        let (own, other) = (table(""), table("history_minutes = [1, 2]\nlive_seconds = 0"));
        let wish = |table| Parameters::of(table).wish(Vec::new(), 15..25, 5).unwrap();
        assert_eq!((wish(&own).history_ms, wish(&own).live_ms), (900_000..1_500_000, 5_000));
        assert_eq!((wish(&other).history_ms, wish(&other).live_ms), (60_000..120_000, 0));
    }
}
