//! A verdict as a terminal shows it. The student's tool, scripts and notebooks print what is made here.

use super::verdict::{Check, CheckStatus, MatchedMistake, Status, Verdict};

/// Columns of a line, so that it fits beside an editor.
const WIDTH: usize = 96;
const MARGIN: &str = "        ";

impl Verdict {
    /// `title` and `points` are the challenge's. Plain ASCII around what the checks say: consoles differ.
    pub fn to_text(&self, title: &str, points: u32) -> String {
        let outcome = match self.status {
            Status::Pass => "passed",
            Status::Partial => "partly right",
            Status::Fail => "not yet",
            Status::Error => "nothing to judge",
        };
        let mut lines = vec![format!("{}  {title}: {outcome}", self.challenge.to_uppercase())];
        paragraph(&mut lines, "  ", &self.message);
        let widest = self.checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
        if !self.checks.is_empty() {
            lines.push(String::new());
        }
        self.checks.iter().for_each(|check| of_check(&mut lines, check, widest));
        if let Some(mistake) = &self.matched_mistake {
            of_mistake(&mut lines, mistake);
        }
        if !self.stars.is_empty() {
            lines.extend([String::new(), format!("  stars: {}", self.stars.join(", "))]);
        }
        if !self.evidence.is_empty() {
            lines.extend([String::new(), "  What the broker saw:".to_owned()]);
            self.evidence.iter().for_each(|seen| paragraph(&mut lines, "    ", seen));
        }
        if let Some(fix) = &self.fix {
            lines.push(String::new());
            paragraph(&mut lines, "  ", &format!("Next: {fix}"));
        }
        lines.extend([String::new(), self.last_line(points)]);
        // What a student's program wrote must not steer somebody's terminal.
        lines.join("\n").chars().map(|letter| if letter.is_control() && letter != '\n' { '?' } else { letter }).collect()
    }

    fn last_line(&self, points: u32) -> String {
        let mut facts = Vec::new();
        if self.attempt > 0 {
            facts.push(format!("attempt {}", self.attempt));
        }
        facts.push(format!("{} of {points} points", self.score));
        if let Some(ticket) = &self.ticket {
            facts.push(format!("ticket {}", ticket.chars().take(8).collect::<String>()));
        }
        facts.push(format!("checked in {} ms", self.took_ms));
        format!("  {}", facts.join(", "))
    }
}

fn of_check(lines: &mut Vec<String>, check: &Check, widest: usize) {
    let mark = match check.status {
        CheckStatus::Pass => "ok  ",
        CheckStatus::Fail => "FAIL",
        CheckStatus::Skip => "-   ",
    };
    let head = format!("  {mark}  {:widest$}  ", check.id);
    let margin = " ".repeat(head.len());
    wrapped(lines, &head, &margin, &check.message);
    let values: Vec<String> = [("got", &check.got), ("expected", &check.expected)]
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")))
        .collect();
    if !values.is_empty() && check.status == CheckStatus::Fail {
        paragraph(lines, &margin, &values.join(", "));
    }
    if let (Some(hint), CheckStatus::Fail) = (&check.hint, check.status) {
        paragraph(lines, &margin, &format!("Look at: {hint}"));
    }
    if let (Some(doc), CheckStatus::Fail) = (&check.doc, check.status) {
        lines.push(format!("{margin}{doc}"));
    }
}

fn of_mistake(lines: &mut Vec<String>, mistake: &MatchedMistake) {
    lines.extend([String::new(), format!("  A known mistake: {}", mistake.title)]);
    paragraph(lines, MARGIN, &mistake.message);
    if let Some(doc) = &mistake.doc {
        lines.push(format!("{MARGIN}{doc}"));
    }
}

fn paragraph(lines: &mut Vec<String>, margin: &str, text: &str) {
    wrapped(lines, margin, margin, text);
}

/// Breaks between words; a word that is too long stands alone.
fn wrapped(lines: &mut Vec<String>, first: &str, margin: &str, text: &str) {
    let mut start = first;
    for part in text.lines().filter(|part| !part.trim().is_empty()) {
        let mut line = start.to_owned();
        start = margin;
        let mut empty = true;
        for word in part.split_whitespace() {
            if !empty && line.chars().count().saturating_add(word.chars().count()) >= WIDTH {
                lines.push(std::mem::replace(&mut line, margin.to_owned()));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn a_verdict_reads_as_a_short_report() {
        let verdict = Verdict {
            challenge: "c02".into(),
            student: "quiet-otter".into(),
            status: Status::Fail,
            score: 0,
            message: "2 of 3 checks fail.".into(),
            fix: Some("change the comparison and run the script again".into()),
            checks: vec![
                Check::pass("summaries", "5 summaries, one after every 10th purchase"),
                Check { hint: Some("the comparison".into()), ..Check::fail("filter", "47 purchases are counted, too many").got(47) },
                Check::skip("revenue", "not looked at: the count is wrong"),
            ],
            matched_mistake: Some(MatchedMistake {
                id: "at-least".into(),
                title: ">= instead of >".into(),
                message: "47 is what you get when purchases of exactly 500.00 are counted too. ".repeat(2),
                doc: None,
            }),
            stars: vec![],
            evidence: vec!["Your client read 8,213 records of ecommerce-events.".into()],
            ticket: Some("9f3a77c1d2".into()),
            attempt: 2,
            at_ms: Timestamp(0),
            took_ms: 12,
        };
        let expected = "\
C02  High-value purchases: not yet
  2 of 3 checks fail.

  ok    summaries  5 summaries, one after every 10th purchase
  FAIL  filter     47 purchases are counted, too many
                   got 47
                   Look at: the comparison
  -     revenue    not looked at: the count is wrong

  A known mistake: >= instead of >
        47 is what you get when purchases of exactly 500.00 are counted too. 47 is what you get
        when purchases of exactly 500.00 are counted too.

  What the broker saw:
    Your client read 8,213 records of ecommerce-events.

  Next: change the comparison and run the script again

  attempt 2, 0 of 100 points, ticket 9f3a77c1, checked in 12 ms";
        assert_eq!(verdict.to_text("High-value purchases", 100), expected);
    }
}
