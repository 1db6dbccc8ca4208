//! From what a kind of truth found to what a student is told.

use std::collections::BTreeMap;

use super::submission::{Missing, RECORDS_MAX};
use super::work::Work;
use crate::model::Timestamp;
use crate::workshop::Challenge;
use crate::workshop::challenge::Place;
use crate::workshop::verdict::{Check, CheckStatus, GUARDED_ATTEMPTS, Judgement, MatchedMistake, Mistaken, Status, Verdict};

/// Of a check's sentence, and of each value in it.
const LETTERS_MAX: usize = 600;
const AGAIN: &str = "each run takes a new ticket";

/// A verdict without anything to judge.
pub(super) fn error(challenge: &Challenge, student: &str, work: &Work, now: Timestamp, message: String, fix: String) -> Verdict {
    Verdict {
        challenge: challenge.id().to_owned(),
        student: student.to_owned(),
        status: Status::Error,
        score: 0,
        message,
        fix: Some(fix),
        checks: Vec::new(),
        matched_mistake: None,
        stars: Vec::new(),
        evidence: Vec::new(),
        ticket: None,
        attempt: work.attempts,
        at_ms: now,
        took_ms: 0,
    }
}

/// What happened, and what to do.
pub(super) fn told(missing: &Missing, challenge: &Challenge, place: &str) -> (String, String) {
    let id = challenge.id();
    let again =
        format!("run your script again from its first line: it asks for a new ticket ({id}) and puts its nonce into what it hands in");
    match missing {
        Missing::NoTicket => {
            (format!("there is no ticket for {id} yet"), format!("run your script: its first step asks for a ticket ({id})"))
        }
        Missing::Empty(_) => match challenge.sheet.submission.to {
            Place::Receipt => (
                "nothing has been handed in for this ticket".to_owned(),
                format!("let your code end with submit(\"{id}\", ...), or paste the receipt that it prints"),
            ),
            _ => (
                format!("nothing has arrived in {place} for this ticket"),
                format!("produce your results to {place} with the header ticket, and flush() before the script ends"),
            ),
        },
        Missing::SomebodyElses => (
            "this answer carries the ticket of another student".to_owned(),
            format!("everybody has records of their own to work on, so it cannot be right for yours: {again}"),
        ),
        Missing::OtherChallenge(other) => (format!("this answer carries your ticket for {other}, not for {id}"), again),
        Missing::Expired(_) => ("the ticket of this answer has expired".to_owned(), again),
        Missing::Unknown(nonce) => (format!("nobody has been issued the ticket {nonce:?}, or it was long ago"), again),
        Missing::NoHeader { records, in_value } => {
            let what = if *records == 1 { "1 record".to_owned() } else { format!("{records} records") };
            let fix = if *in_value {
                "the nonce stands in the value; put it into the header: produce(..., headers=ticket.headers)"
            } else {
                "send the header with every record: produce(..., headers=ticket.headers)"
            };
            (format!("{what} in {place} without the header ticket"), fix.to_owned())
        }
        Missing::NoNonce => {
            ("the receipt has no field ticket".to_owned(), "put the nonce of your ticket there; submit() does it".to_owned())
        }
        Missing::Unreadable(why) => (why.clone(), "send it once more, as it was printed".to_owned()),
        Missing::TooMuch => (
            format!("there is too much in {place} since this ticket was issued to look through"),
            format!("stop what else writes there; {again}"),
        ),
    }
}

/// Right, but so would be a copy of what was told.
pub(super) fn told_before() -> (String, String) {
    let message = "all checks pass, but you have been told the right values of this ticket";
    let fix = "run your script once more from its first line: it asks for a new ticket, of other records, and passes if it is right";
    (message.to_owned(), fix.to_owned())
}

/// What was judged, in words that suit the attempt. `work` has counted it.
pub(super) fn verdict(challenge: &Challenge, student: &str, work: &Work, now: Timestamp, judgement: Judgement) -> Verdict {
    let sheet = &challenge.sheet;
    let passed = judgement.passed();
    let guarded = work.attempts <= GUARDED_ATTEMPTS;
    let checks: Vec<Check> = judgement.checks.into_iter().map(|check| worded(challenge, check, guarded)).collect();
    let count = |status: CheckStatus| checks.iter().filter(|check| check.status == status).count();
    let (right, wrong) = (count(CheckStatus::Pass), count(CheckStatus::Fail));
    let stars: Vec<String> = if passed { judgement.stars.iter().map(|star| (*star).to_owned()).collect() } else { Vec::new() };
    let earned = sheet.stars.iter().filter(|star| stars.contains(&star.id));
    let (star_points, star_titles) = earned.fold((0_u32, Vec::new()), |(points, titles), star| {
        (points.saturating_add(star.points), [titles, vec![star.title.as_str()]].concat())
    });
    let status = match (passed, right) {
        (true, _) => Status::Pass,
        (false, 0) => Status::Fail,
        (false, _) => Status::Partial,
    };
    let score = if passed { sheet.points.saturating_add(star_points) } else { part(sheet.points, right, wrong) };
    let mistake = judgement.mistake.filter(|_| !passed).and_then(|mistake| matched(challenge, &mistake));
    let all = right.saturating_add(wrong);
    let message = match (&status, star_titles.is_empty()) {
        (Status::Pass, true) => "solved: all checks pass".to_owned(),
        (Status::Pass, false) => format!("solved, with a star: {}", star_titles.join(", ")),
        (Status::Partial, _) => format!("{right} of {all} checks pass"),
        _ => "no check passes yet".to_owned(),
    };
    let fix = match (&mistake, passed) {
        (_, true) => None,
        (Some(_), false) => Some(format!("if that is what your code does, change it, run it again ({AGAIN}) and check again")),
        (None, false) => Some(format!("look at the first check that fails; then run your code again ({AGAIN}) and check again")),
    };
    Verdict {
        status,
        score,
        message,
        fix,
        checks,
        matched_mistake: mistake,
        stars,
        evidence: judgement.evidence,
        ..error(challenge, student, work, now, String::new(), String::new())
    }
}

/// In proportion to what is right, and at most half.
fn part(points: u32, right: usize, wrong: usize) -> u32 {
    let all = u64::try_from(right.saturating_add(wrong)).unwrap_or(1).max(1);
    u32::try_from(u64::from(points / 2).saturating_mul(u64::try_from(right).unwrap_or(0)) / all).unwrap_or(0)
}

/// A check that fails gets its hint and its page; the right value is kept back at first.
fn worded(challenge: &Challenge, check: Check, guarded: bool) -> Check {
    let check = Check { message: clipped(check.message), expected: check.expected.map(clipped), got: check.got.map(clipped), ..check };
    if check.status != CheckStatus::Fail {
        return check;
    }
    let text = challenge.sheet.checks.iter().find(|text| text.id == check.id);
    let (hint, doc) = text.map_or((None, None), |text| (Some(text.hint.clone()), Some(text.doc.clone()).filter(|doc| !doc.is_empty())));
    Check {
        expected: check.expected.clone().filter(|_| !guarded),
        hint: check.hint.clone().or(hint),
        doc: check.doc.clone().or(doc),
        ..check
    }
}

/// What was handed in may stand in it, and that may be long.
fn clipped(text: String) -> String {
    match text.char_indices().nth(LETTERS_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

fn matched(challenge: &Challenge, mistake: &Mistaken) -> Option<MatchedMistake> {
    let text = challenge.sheet.mistakes.iter().find(|text| text.id == mistake.id)?;
    let doc = Some(text.doc.clone()).filter(|doc| !doc.is_empty());
    Some(MatchedMistake { id: text.id.clone(), title: text.title.clone(), message: filled(&text.message, &mistake.facts), doc })
}

/// Puts facts in the places that are named after them. A name that is no fact's stays as it stands.
fn filled(text: &str, facts: &BTreeMap<&'static str, String>) -> String {
    let (mut told, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        told.push_str(before);
        let fact = after.split_once('}').and_then(|(name, behind)| Some((facts.get(name)?, behind)));
        match fact {
            Some((fact, behind)) => {
                told.push_str(fact);
                rest = behind;
            }
            None => {
                told.push('{');
                rest = after;
            }
        }
    }
    told.push_str(rest);
    told
}

pub(super) fn cut() -> String {
    format!("The answer has more than {RECORDS_MAX} records, or more bytes than are looked at: only the newest of them were looked at.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_where_they_are_named_and_are_not_looked_through_again() {
        let facts = BTreeMap::from([("mine", "{yours}".to_owned()), ("yours", "7".to_owned())]);
        assert_eq!(filled("a {mine} b {yours} c {none} {", &facts), "a {yours} b 7 c {none} {");
    }

    #[test]
    fn what_was_handed_in_is_not_kept_at_length() {
        assert_eq!(clipped("é".repeat(LETTERS_MAX)), "é".repeat(LETTERS_MAX));
        assert_eq!(clipped("é".repeat(60_000)), format!("{}…", "é".repeat(LETTERS_MAX)));
    }

    #[test]
    fn a_part_is_at_most_half() {
        assert_eq!((part(100, 2, 1), part(100, 99, 1), part(100, 0, 0), part(25, 1, 1)), (33, 49, 0, 6));
    }
}
