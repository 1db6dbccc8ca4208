//! A report on paper: Markdown and HTML. What people wrote stands in both as text.

use std::fmt::Write;

use super::report::{Fact, MISTAKES, RUBRIC, ReportRow, STARS, Sheet};

const COLUMNS: [&str; 6] = ["challenge", "result", "attempts", "until the first pass", "hints", "points"];

fn cells(row: &ReportRow) -> [String; 6] {
    let took = row.first_pass_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} min", ms.saturating_add(59_999) / 60_000));
    let points = format!("{} of {}", row.points, row.points_of);
    [row.title.clone(), row.result.to_owned(), row.attempts.to_string(), took, row.hints.to_string(), points]
}

/// Sentences about the whole.
fn summary(sheet: &Sheet) -> impl Iterator<Item = String> {
    sheet.facts.iter().filter(|fact| fact.name != MISTAKES && fact.name != STARS).map(|Fact { name, value }| format!("{name}: {value}."))
}

/// What stands in a list.
fn lists(sheet: &Sheet) -> impl Iterator<Item = (&'static str, Vec<&str>)> {
    let of = |name: &'static str| {
        let items: Vec<&str> = sheet.facts.iter().filter(|fact| fact.name == name).map(|fact| fact.value.as_str()).collect();
        (name, items)
    };
    [MISTAKES, STARS].into_iter().map(of).filter(|(_, items)| !items.is_empty())
}

pub(super) fn markdown(sheet: &Sheet, rubric: bool) -> String {
    let (name, id) = (plain(&sheet.name), plain(&sheet.student));
    let mut text = format!("# Workshop report: {name}\n\n{id}, {}\n\n## What the broker knows\n\n", sheet.day);
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "));
    if sheet.challenges.is_empty() {
        text.push_str("No challenge has been begun.\n");
    } else {
        text.push_str(&line(&COLUMNS.map(str::to_owned)));
        text.push_str("|---|---|---|---|---|---|\n");
        sheet.challenges.iter().for_each(|row| text.push_str(&line(&cells(row))));
    }
    text.push('\n');
    summary(sheet).for_each(|sentence| text.push_str(&format!("{}\n\n", plain(&sentence))));
    for (title, list) in lists(sheet) {
        let _ = write!(text, "{title}:\n\n");
        list.iter().for_each(|item| text.push_str(&format!("- {}\n", plain(item))));
        text.push('\n');
    }
    for question in &sheet.questions {
        let _ = write!(text, "## {}\n\n*{}*\n\n{}\n\n", question.title, question.ask, paragraphs(&question.answer));
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
        if matches!(letter, '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '&' | '!' | '~') {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// Lines stay lines, and what they begin with makes no list, no rule and no block.
fn paragraphs(text: &str) -> String {
    let line = |line: &str| {
        let (rest, indent) = (line.trim_start(), line.chars().take_while(|letter| letter.is_whitespace()).count());
        let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = rest.strip_suffix(behind).unwrap_or_default();
        let guards = if digits.is_empty() { ['-', '+', '=', ':'].as_slice() } else { &['.', ')'] };
        let guard = if behind.starts_with(guards) { "\\" } else { "" };
        format!("{}{digits}{guard}{}", "\u{a0}".repeat(indent), plain(behind))
    };
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("  \n").replace("\n  \n", "\n\n")
}

const STYLE: &str = "body{font:11pt/1.45 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;color:#1a1a1a;background:#fff}\
h1{font-size:1.6em}h2{font-size:1.2em;margin:1.6em 0 .3em;break-after:avoid}table{border-collapse:collapse;width:100%;margin:.8em 0}\
tr{break-inside:avoid}th,td{text-align:left;padding:.25em .6em .25em 0;border-bottom:1px solid #bbb;vertical-align:top;\
overflow-wrap:anywhere}.ask{color:#444;font-style:italic;break-after:avoid}.answer{white-space:pre-wrap;overflow-wrap:anywhere;\
orphans:3;widows:3;margin:.5em 0}.room{border:1px solid #bbb;border-radius:4px;margin:.5em 0;break-inside:avoid}\
@media print{body{margin:0;max-width:none;padding:0}.rubric{break-before:page}}@page{margin:18mm}";

pub(super) fn html(sheet: &Sheet, rubric: bool) -> String {
    let (name, id) = (escaped(&sheet.name), escaped(&sheet.student));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Workshop report: {name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Workshop report: {name}</h1>\n\
         <p>{id}, {}</p>\n<h2>What the broker knows</h2>\n",
        sheet.day
    );
    if sheet.challenges.is_empty() {
        text.push_str("<p>No challenge has been begun.</p>\n");
    } else {
        text.push_str(&table(&COLUMNS, &sheet.challenges.iter().map(cells).collect::<Vec<_>>()));
    }
    summary(sheet).for_each(|sentence| text.push_str(&format!("<p>{}</p>\n", escaped(&sentence))));
    for (title, list) in lists(sheet) {
        let items: String = list.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
        let _ = write!(text, "<p>{title}:</p>\n<ul>\n{items}</ul>\n");
    }
    for question in &sheet.questions {
        let _ = write!(text, "<h2>{}</h2>\n<p class=\"ask\">{}</p>\n", question.title, question.ask);
        if question.answer.trim().is_empty() {
            let height = question.lines.saturating_mul(3) / 2;
            let _ = writeln!(text, "<div class=\"room\" style=\"min-height:{height}em\"></div>");
        } else {
            let lines: Vec<String> = question.answer.trim_end().lines().map(escaped).collect();
            let _ = writeln!(text, "<div class=\"answer\">{}</div>", lines.join("\n"));
        }
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
    use crate::model::Timestamp;
    use crate::workshop::course::report::{QUESTIONS, Question};

    fn sheet(answer: &str) -> Sheet {
        let question = |(id, title, ask, lines): (&'static str, &'static str, &'static str, usize)| Question {
            id,
            title,
            ask,
            lines,
            answer: if id == "ai" { answer.to_owned() } else { String::new() },
        };
        Sheet {
            student: "quiet-otter".into(),
            name: "<b>Ada</b> & \"Grace\" | *x*".into(),
            facts: vec![
                Fact { name: "Points", value: "125".into() },
                Fact { name: "Client libraries that the broker saw", value: "librdkafka 2.16".into() },
                Fact { name: MISTAKES, value: "First: Reading from the end (2 times)".into() },
            ],
            challenges: vec![ReportRow {
                id: "c01".into(),
                title: "First".into(),
                result: "solved",
                attempts: 3,
                first_pass_ms: Some(700_000),
                hints: 1,
                points: 100,
                points_of: 100,
            }],
            questions: QUESTIONS.into_iter().map(question).collect(),
            submitted_ms: Some(Timestamp(5)),
            saved_ms: None,
            day: "2026-11-18".into(),
        }
    }

    #[test]
    fn a_name_and_an_answer_are_text_in_both_forms() {
        let sheet = sheet("<script>x</script>\n# no heading\n\n```\n- one\n1. two\n    code & more\n===\n|a|");
        let (marked, page) = (markdown(&sheet, false), html(&sheet, false));
        assert!(page.contains("&lt;b&gt;Ada&lt;/b&gt; &amp; &quot;Grace&quot;") && !page.contains("<b>"), "{page}");
        assert!(marked.contains("\\<b\\>Ada") && marked.contains("\\| \\*x\\*"), "{marked}");
        assert!(!page.contains("http") && !page.contains("<script"), "self-contained");
        assert!(page.contains("<div class=\"answer\">&lt;script&gt;x&lt;/script&gt;\n# no heading\n\n```\n- one"), "{page}");
        let wanted = "\\<script\\>x\\</script\\>  \n\\# no heading  \n\n\\`\\`\\`  \n\\- one  \n1\\. two  \n\u{a0}\u{a0}\u{a0}\u{a0}code \\& more  \n\\===  \n\\|a\\|\n\n## Three";
        assert!(marked.contains(wanted), "{marked}");
        assert_eq!(page.matches("class=\"room\"").count(), 5, "what is not answered has room");
    }

    #[test]
    fn every_question_is_there_and_the_rubric_only_for_the_instructor() {
        for form in [markdown, html] {
            let (own, instructors) = (form(&sheet(""), false), form(&sheet(""), true));
            for (_, title, asks, _) in QUESTIONS {
                assert!(own.contains(title) && own.contains(asks), "{title}");
            }
            assert!(own.contains("2 times") && own.contains("12 min") && own.contains("2026-11-18"), "{own}");
            for (what, ..) in RUBRIC {
                assert!(!own.contains(what) && instructors.contains(what), "{what}");
            }
        }
    }
}
