//! `headwater reset`: lets a running broker begin anew, over HTTP, after it has said what dies.

use std::io::{BufRead, IsTerminal, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::pages::{Pages, PagesError, arguments};

/// What has to be typed.
const WORD: &str = "reset";
/// Topics, and groups, that are named; a class has hundreds.
const LINES_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub struct ResetCommand {
    pages: Pages,
    /// Do not ask.
    yes: bool,
}

pub(super) fn commands() -> Command {
    let yes = Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Do it without asking");
    Command::new("reset")
        .about("Delete all topics and groups of a running broker and let its streams begin anew; who has joined stays")
        .args(arguments())
        .arg(yes)
}

pub(super) fn command(matches: &ArgMatches) -> Option<ResetCommand> {
    Some(ResetCommand { pages: Pages::of(matches)?, yes: matches.get_flag("yes") })
}

pub(super) fn run(command: &ResetCommand, out: &mut impl Write) -> Result<(), PagesError> {
    let doomed = command.pages.ask("POST", "/api/reset", None)?;
    tell(&doomed, out)?;
    if !command.yes && !confirmed(out)? {
        return Err(PagesError::Refused("nothing was reset".to_owned()));
    }
    let mut order = json!({ "confirm": doomed["confirm"] });
    if let Some(secret) = &command.pages.secret {
        order["secret"] = json!(secret);
    }
    let done = command.pages.ask("POST", "/api/reset", Some(&order))?;
    let count = |field: &str| done[field].as_array().map_or(0, Vec::len);
    writeln!(out, "{} topics and {} groups deleted in {} ms; the streams begin anew", count("topics"), count("groups"), done["took_ms"])?;
    for group in done["kept"].as_array().into_iter().flatten() {
        writeln!(out, "  group {} has members and goes on from the new beginning", group.as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn tell(doomed: &Value, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "This dies:")?;
    for (what, field, name, counted) in [("topic", "topics", "name", "records"), ("group", "groups", "id", "members")] {
        let all = doomed[field].as_array().map_or(&[][..], Vec::as_slice);
        for one in all.iter().take(LINES_MAX) {
            writeln!(out, "  {what} {:<40} {:>12} {counted}", one[name].as_str().unwrap_or_default(), one[counted])?;
        }
        if all.len() > LINES_MAX {
            writeln!(out, "  and {} more {field}", all.len() - LINES_MAX)?;
        }
    }
    writeln!(out, "Users, passwords and settings stay.")
}

fn confirmed(out: &mut impl Write) -> Result<bool, PagesError> {
    if !std::io::stdin().is_terminal() {
        return Err(PagesError::Refused("nobody is there to be asked; give --yes to reset without asking".to_owned()));
    }
    write!(out, "Type {WORD} to do it: ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == WORD)
}
