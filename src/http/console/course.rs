//! `ticket`, `check`, `hint`.

use super::Seat;
use super::printed::{Printed, Style};
use crate::http::answer::Refused;
use crate::http::course::{course, own};
use crate::http::tickets;
use crate::workshop::Student;
use crate::workshop::course::Ask;
use crate::workshop::verdict::Status;

/// `C2` and `2` are `c02`.
fn id(typed: &str) -> String {
    let plain = typed.trim().to_ascii_lowercase();
    match plain.strip_prefix('c').unwrap_or(&plain).parse::<u32>() {
        Ok(number) if number < 100 => format!("c{number:02}"),
        _ => plain,
    }
}

impl Seat<'_> {
    fn student(&self) -> Result<Student, Refused> {
        own(self.state, self.caller).ok_or_else(|| super::wrong("nobody is logged in", "log in first"))
    }

    pub(super) async fn ticket(&self, challenge: &str, printed: &mut Printed) -> Result<(), Refused> {
        let (student, id) = (self.student()?, id(challenge));
        let handed = tickets::issued(self.state, &student, &id).await?;
        let ticket = &handed.ticket;
        printed.pair("nonce", &ticket.nonce);
        if let Some(results) = &ticket.results {
            printed.pair("answer", &format!("to {results}, each record with the header ticket"));
        }
        for (topic, ranges) in &ticket.ranges {
            let live = ticket.live.get(topic).copied().unwrap_or(0);
            printed.say(Style::Strong, &format!("{topic}: {live} of these records are still to come"));
            for (partition, (start, end)) in ranges {
                printed.say(Style::Plain, &format!("  partition {partition}: offsets {start} to {end}, the last not included"));
            }
        }
        if let Some(warning) = &handed.warning {
            printed.say(Style::Strong, warning);
        }
        printed.say(Style::Dim, "It is good for 60 minutes. A script takes one of its own with workshop.ticket().");
        Ok(())
    }

    pub(super) async fn check(&self, challenge: &str, printed: &mut Printed) -> Result<(), Refused> {
        let (course, student) = (course(self.state)?, self.student()?);
        let verdict = course.check(&student, &id(challenge), Ask::default()).await?;
        let style = match verdict.status {
            Status::Pass => Style::Strong,
            Status::Partial => Style::Plain,
            Status::Fail | Status::Error => Style::Error,
        };
        printed.say(style, &verdict.message);
        printed.say(Style::Plain, course.told(&verdict).text.trim_end());
        Ok(())
    }

    pub(super) async fn hint(&self, challenge: &str, printed: &mut Printed) -> Result<(), Refused> {
        let hint = course(self.state)?.next_hint(&self.student()?, &id(challenge)).await?;
        printed.say(Style::Strong, &format!("Hint {} of {}", hint.n, hint.of));
        printed.say(Style::Plain, &hint.hint);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn a_challenge_may_be_typed_short() {
        assert_eq!(
            ["c02", "C2", "2", " 12", "first", "c", "999", "-1", ""].map(id),
            ["c02", "c02", "c02", "c12", "first", "c", "999", "-1", ""]
        );
    }
}
