//! A student's report: the facts filled in, the questions left to them.

use std::fmt::Write;

use super::work::{Standing, Work};
use super::{Course, Student, sight};
use crate::model::Timestamp;
use crate::workshop::Challenge;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Markdown,
    Html,
}

/// A heading, what is asked, and how much room a sheet of paper has for it, in lines.
const QUESTIONS: [(&str, &str, usize); 6] = [
    ("What I built", "In five lines, for somebody who was not there.", 6),
    (
        "How I used AI tools",
        "Two prompts that worked. One answer that misled or confused me: the prompt, an excerpt, and the test that showed it was wrong. What \
         I had to correct or debug.",
        12,
    ),
    ("Three concepts that I understand now", "In my own words, each with an example from the streams.", 8),
    ("One thing that I want to explore next", "And where I would begin.", 4),
    ("Kafka in a project of my own", "Producers, topics, keys, consumers; and why not a database.", 8),
    ("An approach that failed", "What I tried, how I noticed, what I did instead. This counts as much as what worked.", 6),
];

/// For whoever reads the reports. Checking counts most, right results do not count.
const RUBRIC: [(&str, &str, [&str; 3]); 5] = [
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

/// What a report says before its questions.
struct Facts {
    name: String,
    id: String,
    at: String,
    points: u32,
    clients: Vec<String>,
    records: i64,
    rows: Vec<[String; 6]>,
    mistakes: Vec<String>,
    stars: Vec<String>,
}

const COLUMNS: [&str; 6] = ["challenge", "result", "attempts", "until the first pass", "hints", "points"];

impl Course {
    /// `rubric`: for the instructor.
    pub fn report(&self, student: &Student, form: Form, rubric: bool) -> String {
        let facts = self.facts(student);
        match form {
            Form::Markdown => markdown(&facts, rubric),
            Form::Html => html(&facts, rubric),
        }
    }

    fn facts(&self, student: &Student) -> Facts {
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
        let (name, id, at) = (student.name.clone(), student.id.clone(), day((self.now)()));
        Facts { name, id, at, points, clients, records, rows, mistakes, stars }
    }

    /// The libraries that the student's programs came with.
    fn clients(&self, student: &Student) -> Vec<String> {
        let Some(sightings) = self.cluster.sightings() else { return Vec::new() };
        let seen = student.users.iter().filter_map(|user| sightings.user(user)).flat_map(|sighting| sighting.clients);
        seen.filter(|client| !client.software.is_empty()).map(|client| format!("{} {}", client.software, client.version)).collect()
    }
}

fn row(challenge: &Challenge, work: &Work) -> [String; 6] {
    let result = match work.standing() {
        Standing::Pass => "solved",
        Standing::Granted => "granted by the instructor",
        Standing::Skipped => "skipped with the instructor",
        Standing::Partial => "partly right",
        Standing::Open | Standing::Begun | Standing::Fail => "begun",
    };
    let took = work.first_pass_ms().map_or_else(|| "-".to_owned(), |ms| format!("{} min", ms.saturating_add(59_999) / 60_000));
    let points = format!("{} of {}", work.points(challenge.sheet.points), challenge.sheet.points);
    [challenge.sheet.title.clone(), result.to_owned(), work.attempts.to_string(), took, work.hints.to_string(), points]
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

/// Sentences about the whole.
fn summary(facts: &Facts) -> Vec<String> {
    let mut told = vec![format!("{} points in all.", facts.points)];
    if !facts.clients.is_empty() {
        told.push(format!("Client libraries that the broker saw: {}.", facts.clients.join(", ")));
    }
    if facts.records > 0 {
        told.push(format!("Records that the broker handed out to these programs: about {}.", facts.records));
    }
    told
}

fn markdown(facts: &Facts, rubric: bool) -> String {
    let mut text =
        format!("# Workshop report: {}\n\n{}, {}\n\n## What the broker knows\n\n", plain(&facts.name), plain(&facts.id), facts.at);
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "));
    if facts.rows.is_empty() {
        text.push_str("No challenge has been begun.\n");
    } else {
        text.push_str(&line(&COLUMNS.map(str::to_owned)));
        text.push_str("|---|---|---|---|---|---|\n");
        facts.rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    text.push('\n');
    summary(facts).iter().for_each(|sentence| text.push_str(&format!("{}\n\n", plain(sentence))));
    for (title, list) in [("Mistakes that were recognised on the way", &facts.mistakes), ("Stars", &facts.stars)] {
        if !list.is_empty() {
            let _ = write!(text, "{title}:\n\n");
            list.iter().for_each(|item| text.push_str(&format!("- {}\n", plain(item))));
            text.push('\n');
        }
    }
    for (title, asks, _) in QUESTIONS {
        let _ = write!(text, "## {title}\n\n*{asks}*\n\n\n\n");
    }
    if rubric {
        text.push_str("## For the instructor\n\nRight results give no points here.\n\n| | weight | 0 | 1 | 2 |\n|---|---|---|---|---|\n");
        for (what, weight, levels) in RUBRIC {
            let _ = writeln!(text, "| {what} | {weight} | {} |", levels.join(" | "));
        }
    }
    text
}

/// Text without what Markdown takes for its own.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if matches!(letter, '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '&' | '!') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

const STYLE: &str = "body{font:11pt/1.45 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#1a1a1a;background:#fff}\
h1{font-size:1.6em}h2{font-size:1.2em;margin:1.6em 0 .3em;break-after:avoid}table{border-collapse:collapse;width:100%;margin:.8em 0}\
th,td{text-align:left;padding:.25em .6em .25em 0;border-bottom:1px solid #bbb;vertical-align:top}.ask{color:#444;font-style:italic}\
.room{border:1px solid #bbb;border-radius:4px;margin:.5em 0}@media print{body{margin:0;max-width:none}.rubric{break-before:page}}\
@page{margin:18mm}";

fn html(facts: &Facts, rubric: bool) -> String {
    let (name, id) = (escaped(&facts.name), escaped(&facts.id));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Workshop report: {name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Workshop report: {name}</h1>\n\
         <p>{id}, {}</p>\n<h2>What the broker knows</h2>\n",
        facts.at
    );
    if facts.rows.is_empty() {
        text.push_str("<p>No challenge has been begun.</p>\n");
    } else {
        text.push_str(&table(&COLUMNS, &facts.rows));
    }
    summary(facts).iter().for_each(|sentence| text.push_str(&format!("<p>{}</p>\n", escaped(sentence))));
    for (title, list) in [("Mistakes that were recognised on the way", &facts.mistakes), ("Stars", &facts.stars)] {
        if !list.is_empty() {
            let items: String = list.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
            let _ = write!(text, "<p>{title}:</p>\n<ul>\n{items}</ul>\n");
        }
    }
    for (title, asks, lines) in QUESTIONS {
        let height = lines.saturating_mul(3) / 2;
        let _ = write!(text, "<h2>{title}</h2>\n<p class=\"ask\">{asks}</p>\n<div class=\"room\" style=\"min-height:{height}em\"></div>\n");
    }
    if rubric {
        let rows: Vec<[String; 5]> =
            RUBRIC.iter().map(|(what, weight, [a, b, c])| [what, weight, a, b, c].map(|cell| (*cell).to_owned())).collect();
        let _ = write!(
            text,
            "<section class=\"rubric\">\n<h2>For the instructor</h2>\n<p>Right results give no points here.</p>\n{}</section>\n",
            table(&["", "weight", "0", "1", "2"], &rows)
        );
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn table<const N: usize>(columns: &[&str; N], rows: &[[String; N]]) -> String {
    let head: String = columns.iter().map(|column| format!("<th>{}</th>", escaped(column))).collect();
    let body =
        |row: &[String; N]| format!("<tr>{}</tr>\n", row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect::<String>());
    format!("<table>\n<tr>{head}</tr>\n{}</table>\n", rows.iter().map(body).collect::<String>())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            name: "<b>Ada</b> & \"Grace\" | *x*".into(),
            id: "quiet-otter".into(),
            at: day(Timestamp(1_795_000_000_000)),
            points: 125,
            clients: vec!["librdkafka 2.16".into()],
            records: 4_000,
            rows: vec![["First".into(), "solved".into(), "3".into(), "12 min".into(), "1".into(), "100 of 100".into()]],
            mistakes: vec!["First: Reading from the end (2 times)".into()],
            stars: Vec::new(),
        }
    }

    #[test]
    fn a_name_is_text_in_both_forms() {
        let (marked, page) = (markdown(&facts(), false), html(&facts(), false));
        assert!(page.contains("&lt;b&gt;Ada&lt;/b&gt; &amp; &quot;Grace&quot;") && !page.contains("<b>"), "{page}");
        assert!(marked.contains("\\<b\\>Ada") && marked.contains("\\| \\*x\\*"), "{marked}");
        assert!(!page.contains("http") && !page.contains("<script"), "self-contained");
    }

    #[test]
    fn every_question_is_there_and_the_rubric_only_for_the_instructor() {
        for form in [markdown, html] {
            let (own, instructors) = (form(&facts(), false), form(&facts(), true));
            for (title, asks, _) in QUESTIONS {
                assert!(own.contains(title) && own.contains(asks), "{title}");
            }
            assert!(own.contains("2 times") && own.contains("12 min") && own.contains("2026-11-18"), "{own}");
            for (what, ..) in RUBRIC {
                assert!(!own.contains(what) && instructors.contains(what), "{what}");
            }
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let told = [(0, "1970-01-01"), (951_782_400_000, "2000-02-29"), (1_798_675_200_000, "2026-12-31"), (-1, "1969-12-31")];
        told.iter().for_each(|(ms, wanted)| assert_eq!(day(Timestamp(*ms)), *wanted));
    }
}
