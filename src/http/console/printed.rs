//! What a command answers: lines of text, bounded.

use schemars::JsonSchema;
use serde::Serialize;

const LINES_MAX: usize = 200;
const BYTES_MAX: usize = 64 << 10;
/// Of one line.
const LINE_BYTES_MAX: usize = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    Plain,
    Strong,
    Dim,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConsoleLine")]
pub struct Said {
    /// Text of whatever origin: never markup.
    pub text: String,
    pub style: Style,
}

#[derive(Default)]
pub struct Printed {
    lines: Vec<Said>,
    bytes: usize,
    cut: bool,
}

impl Printed {
    /// One line, or for a text of several lines as many.
    pub fn say(&mut self, style: Style, text: &str) {
        text.split('\n').for_each(|line| self.line(style, &visible(line)));
    }

    /// Content that somebody else wrote: one line, whatever is in it.
    pub fn content(&mut self, style: Style, text: &str) {
        self.line(style, &visible(text));
    }

    fn line(&mut self, style: Style, text: &str) {
        if self.is_full() {
            self.cut = true;
            return;
        }
        let text = begun(text, LINE_BYTES_MAX);
        self.bytes = self.bytes.saturating_add(text.len());
        self.lines.push(Said { text, style });
    }

    pub fn pair(&mut self, name: &str, value: &str) {
        self.say(Style::Plain, &format!("{name:<8} {value}"));
    }

    pub fn error(&mut self, text: &str) {
        self.say(Style::Error, text);
    }

    /// Whether nothing more is shown.
    pub fn is_full(&self) -> bool {
        self.lines.len().saturating_add(1) >= LINES_MAX || self.bytes.saturating_add(LINE_BYTES_MAX) >= BYTES_MAX
    }

    pub fn lines(mut self) -> Vec<Said> {
        if self.cut {
            self.lines.push(Said { text: "(there is more than is shown here)".to_owned(), style: Style::Dim });
        }
        self.lines
    }
}

/// The beginning of a text.
pub fn begun(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// With what a screen would not show, or show elsewhere, written out.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LINE_BYTES_MAX));
    for letter in text.chars().take(LINE_BYTES_MAX) {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
        if letter.is_control() || turns {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    if text.chars().nth(LINE_BYTES_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_bounded_and_says_so() {
        let mut many = Printed::default();
        (0..100_000).for_each(|n| many.say(Style::Plain, &n.to_string()));
        let lines = many.lines();
        assert!(lines.len() <= LINES_MAX && lines.last().unwrap().text.contains("more than is shown"));
        let mut long = Printed::default();
        (0..100).for_each(|_| long.say(Style::Plain, &"🦦".repeat(100_000)));
        let lines = long.lines();
        let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
        assert!(bytes <= BYTES_MAX && lines.iter().all(|line| line.text.len() <= LINE_BYTES_MAX + 8), "{bytes}");
    }

    #[test]
    fn control_characters_are_written_out() {
        let mut printed = Printed::default();
        printed.content(Style::Plain, "a\u{1b}[31m\u{0}\u{202e}b\nc");
        assert_eq!(printed.lines()[0].text, "a\\u{1b}[31m\\u{0}\\u{202e}b\\nc");
    }
}
