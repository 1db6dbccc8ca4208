//! A student's report: what the broker knows, and what the student writes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::work::{Standing, Work};
use super::{Course, Student, printed, sight};
use crate::model::Timestamp;
use crate::workshop::Challenge;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Markdown,
    Html,
}

/// Its id, a heading, what is asked, and how much room a sheet of paper has for it, in lines.
pub(super) const QUESTIONS: [(&str, &str, &str, usize); 6] = [
    ("built", "What I built", "In five lines, for somebody who was not there.", 6),
    (
        "ai",
        "How I used AI tools",
        "Two prompts that worked. One answer that misled or confused me: the prompt, an excerpt, and the test that showed it was wrong. What \
         I had to correct or debug.",
        12,
    ),
    ("concepts", "Three concepts that I understand now", "In my own words, each with an example from the streams.", 8),
    ("next", "One thing that I want to explore next", "And where I would begin.", 4),
    ("project", "Kafka in a project of my own", "Producers, topics, keys, consumers; and why not a database.", 8),
    ("failed", "An approach that failed", "What I tried, how I noticed, what I did instead. This counts as much as what worked.", 6),
];

/// For whoever reads the reports. Checking counts most, right results do not count.
pub(super) const RUBRIC: [(&str, &str, [&str; 3]); 5] = [
    (
        "Evidence of checking AI (counts double)",
        "2",
        [
            "no prompts, or answers taken as they came",
            "prompts, and a claim that they were checked",
            "an answer, the test that refuted it, and what was changed",
        ],
    ),
    ("What was built", "1", ["cannot be told from the text", "what it does is clear", "what it does, and why it was made so"]),
    ("Concepts", "1", ["words without meaning", "right, in the words of the course", "right, in own words, with an example from the data"]),
    (
        "Use in an own project",
        "1",
        [
            "a stream where a file would do",
            "topics and consumers fit the purpose",
            "keys, partitions and the case against a database are thought through",
        ],
    ),
    ("A failed approach", "1", ["none, or somebody else's fault", "what failed", "what failed, how it was noticed, what it taught"]),
];

/// A report as a page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub struct Sheet {
    pub student: String,
    pub name: String,
    /// What the broker knows: points, client libraries, records read, and one for each mistake and star.
    pub facts: Vec<Fact>,
    /// The challenges that were begun.
    pub challenges: Vec<ReportRow>,
    /// What the student writes.
    pub questions: Vec<Question>,
    /// When it was handed in last. What is shown to the instructor is what was handed in.
    pub submitted_ms: Option<Timestamp>,
    /// When an answer was saved last.
    pub saved_ms: Option<Timestamp>,
    /// The day of this sheet, in UTC.
    pub day: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReportFact")]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReportRow {
    pub id: String,
    pub title: String,
    /// In words.
    pub result: &'static str,
    pub attempts: u32,
    /// From the first ticket to the first pass.
    pub first_pass_ms: Option<i64>,
    /// Hints that were asked for.
    pub hints: usize,
    pub points: u32,
    /// How many there are without stars.
    pub points_of: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReportQuestion")]
pub struct Question {
    pub id: &'static str,
    pub title: &'static str,
    /// What is asked, in a sentence or more.
    pub ask: &'static str,
    /// How many lines an answer may have on paper.
    pub lines: usize,
    /// Empty: not answered yet.
    pub answer: String,
}

pub(super) const MISTAKES: &str = "Mistakes that were recognised on the way";
pub(super) const STARS: &str = "Stars";

impl Course {
    /// `rubric`: for the instructor.
    pub fn report(&self, sheet: &Sheet, form: Form, rubric: bool) -> String {
        match form {
            Form::Markdown => printed::markdown(sheet, rubric),
            Form::Html => printed::html(sheet, rubric),
        }
    }

    /// With what the student has saved, or with what was handed in.
    pub fn sheet(&self, student: &Student, handed_in: bool) -> Sheet {
        let works = self.progress.of_student(&student.id);
        let (mut points, mut rows, mut mistakes, mut stars) = (0_u32, Vec::new(), Vec::new(), Vec::new());
        for challenge in self.challenges.all() {
            let Some(work) = works.get(challenge.id()) else { continue };
            points = points.saturating_add(work.points(challenge.sheet.points));
            rows.push(row(challenge, work));
            let title = |id: &str| {
                challenge.sheet.mistakes.iter().find(|text| text.id == id).map_or_else(|| id.to_owned(), |text| text.title.clone())
            };
            mistakes
                .extend(work.mistakes.iter().map(|(id, count)| format!("{}: {} ({})", challenge.sheet.title, title(id), times(*count))));
            let star =
                |id: &str| challenge.sheet.stars.iter().find(|text| text.id == id).map_or_else(|| id.to_owned(), |text| text.title.clone());
            stars.extend(work.stars.iter().map(|id| format!("{}: {}", challenge.sheet.title, star(id))));
        }
        let kept = works.values().map(|work| work.records).fold(0, i64::saturating_add);
        let records = self.evidence(student).map_or(0, |seen| sight::records_read(&seen)).max(kept);
        let mut clients = self.clients(student);
        clients.extend(works.values().filter_map(|work| work.client.clone()));
        clients.sort();
        clients.dedup();
        let mut facts = vec![Fact { name: "Points", value: points.to_string() }];
        let more = [
            ("Client libraries that the broker saw", !clients.is_empty(), clients.join(", ")),
            ("Records that the broker handed out to these programs", records > 0, format!("about {records}")),
        ];
        facts.extend(more.into_iter().filter(|(_, is_known, _)| *is_known).map(|(name, _, value)| Fact { name, value }));
        facts.extend(mistakes.into_iter().map(|value| Fact { name: MISTAKES, value }));
        facts.extend(stars.into_iter().map(|value| Fact { name: STARS, value }));
        let written = self.progress.written(&student.id);
        let none = BTreeMap::new();
        let answers = match (&written.submitted, handed_in) {
            (Some(submitted), true) => &submitted.answers,
            (None, true) => &none,
            (_, false) => &written.answers,
        };
        let question = |(id, title, ask, lines): (&'static str, &'static str, &'static str, usize)| Question {
            id,
            title,
            ask,
            lines,
            answer: answers.get(id).cloned().unwrap_or_default(),
        };
        Sheet {
            student: student.id.clone(),
            name: student.name.clone(),
            facts,
            challenges: rows,
            questions: QUESTIONS.into_iter().map(question).collect(),
            submitted_ms: written.submitted.as_ref().map(|submitted| submitted.at_ms),
            saved_ms: written.saved_ms,
            day: day((self.now)()),
        }
    }

    /// The libraries that the student's programs came with.
    fn clients(&self, student: &Student) -> Vec<String> {
        let Some(sightings) = self.cluster.sightings() else { return Vec::new() };
        let seen = student.users.iter().filter_map(|user| sightings.user(user)).flat_map(|sighting| sighting.clients);
        seen.filter(|client| !client.software.is_empty()).map(|client| format!("{} {}", client.software, client.version)).collect()
    }
}

fn row(challenge: &Challenge, work: &Work) -> ReportRow {
    ReportRow {
        id: challenge.id().to_owned(),
        title: challenge.sheet.title.clone(),
        result: match work.standing() {
            Standing::Pass => "solved",
            Standing::Granted => "granted by the instructor",
            Standing::Skipped => "skipped with the instructor",
            Standing::Partial => "partly right",
            Standing::Open | Standing::Begun | Standing::Fail => "begun",
        },
        attempts: work.attempts,
        first_pass_ms: work.first_pass_ms(),
        hints: work.hints,
        points: work.points(challenge.sheet.points),
        points_of: challenge.sheet.points,
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// `2026-11-23`, in UTC.
fn day(at: Timestamp) -> String {
    let days = at.0.div_euclid(86_400_000);
    // Days are counted from the first of March of the year 0, so that leap days come last.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era.saturating_mul(400) + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let told = [(0, "1970-01-01"), (951_782_400_000, "2000-02-29"), (1_798_675_200_000, "2026-12-31"), (-1, "1969-12-31")];
        told.iter().for_each(|(ms, wanted)| assert_eq!(day(Timestamp(*ms)), *wanted));
    }
}
