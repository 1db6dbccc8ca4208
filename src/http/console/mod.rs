//! `/api/console`: a command line on the page. Each verb asks what the routes ask, with the rights of whoever typed it. Nothing is ever
//! started: a line is parsed here (`line.rs`), and the table of verbs (`verbs.rs`) is all that there is.

mod course;
mod groups;
mod line;
mod printed;
mod topics;
mod verbs;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{Asked, Refused};
use super::caller::{Caller, Peer};
use line::Line;
use printed::Printed;
use verbs::{VERBS, Verb};

pub(super) use printed::{Said, Style};

/// More is no command.
const LINE_BYTES_MAX: usize = 16 << 10;
/// So many commands at once, and then one every so often, of one user.
const AT_ONCE: u32 = 30;
const EVERY: Duration = Duration::from_millis(500);

/// Who typed how much lately.
#[derive(Default)]
pub(super) struct Commands(Mutex<HashMap<String, Instant>>);

impl Commands {
    fn begin(&self, who: &str) -> Result<(), Refused> {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used_up = all.get(who).copied().unwrap_or(now).max(now);
        let over = (used_up - now).saturating_sub(EVERY * (AT_ONCE - 1));
        if !over.is_zero() {
            return Err(Refused::too_many("too many commands in a short time", over));
        }
        all.retain(|_, used_up| *used_up > now);
        all.insert(who.to_owned(), used_up + EVERY);
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandLine {
    /// What was typed: a verb and what belongs to it. Quotes hold words together.
    line: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConsoleOutput")]
pub(super) struct Output {
    /// Whether it was done.
    ok: bool,
    /// At most 200 lines and 64 KiB.
    lines: Vec<Said>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Verbs {
    verbs: Vec<VerbRow>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct VerbRow {
    verb: &'static str,
    /// As one types it.
    usage: &'static str,
    /// One sentence.
    about: &'static str,
    /// What each argument is: `verb`, `topic`, `group`, `challenge`, `key` or `value`.
    arguments: &'static [&'static str],
    /// Options with a value, such as `--from`.
    options: Vec<&'static str>,
}

pub(super) async fn verbs() -> Json<Verbs> {
    let row = |verb: &Verb| VerbRow {
        verb: verb.verb,
        usage: verb.usage,
        about: verb.about,
        arguments: verb.arguments,
        options: verb.options.to_vec(),
    };
    Json(Verbs { verbs: VERBS.iter().map(row).collect() })
}

/// Whoever typed a command.
struct Seat<'a> {
    state: &'a HttpState,
    caller: &'a Caller,
    peer: Peer,
    headers: &'a HeaderMap,
}

pub(super) async fn run(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Asked(command): Asked<CommandLine>,
) -> Result<Json<Output>, Refused> {
    state.commands.begin(caller.user.as_deref().unwrap_or_default())?;
    let mut printed = Printed::default();
    let seat = Seat { state: &state, caller: &caller, peer, headers: &headers };
    let done = seat.obey(&command.line, &mut printed).await;
    if let Err(refused) = &done {
        printed.error(&refused.error);
        printed.say(Style::Dim, &refused.fix);
    }
    Ok(Json(Output { ok: done.is_ok(), lines: printed.lines() }))
}

/// What a command did not do, and what to do next.
fn wrong(error: impl Into<String>, fix: impl Into<String>) -> Refused {
    Refused::new(axum::http::StatusCode::BAD_REQUEST, error, fix)
}

impl Seat<'_> {
    async fn obey(&self, text: &str, printed: &mut Printed) -> Result<(), Refused> {
        if text.len() > LINE_BYTES_MAX {
            let fix = "records of that size are produced by a program; POST /api/topics/{name}/records takes more, too";
            return Err(wrong(format!("the line has {} KiB; a command has at most {}", text.len() >> 10, LINE_BYTES_MAX >> 10), fix));
        }
        let line = Line::parse(text)?;
        let Some(word) = line.verb() else { return Ok(()) };
        let verb = verbs::named(word)?;
        let asked = line.asked(verb)?;
        match verb.verb {
            "help" => verbs::help(asked.argument(0), printed),
            "topics" => self.topics(printed),
            "describe" => self.describe(asked.required(0)?, printed),
            "consume" => self.consume(&asked, printed).await,
            "produce" => self.produce(&asked, printed).await,
            "groups" => self.groups(printed).await,
            "lag" => self.lag(asked.required(0)?, printed).await,
            "ticket" => self.ticket(asked.required(0)?, printed).await,
            "check" => self.check(asked.required(0)?, printed).await,
            "hint" => self.hint(asked.required(0)?, printed).await,
            "whoami" => self.whoami(printed),
            "doctor" => self.doctor(printed),
            other => Err(wrong(format!("{other} is not done here"), "help lists all verbs")),
        }
    }

    fn whoami(&self, printed: &mut Printed) -> Result<(), Refused> {
        let user = self.caller.user.as_deref().unwrap_or("nobody in particular: this broker serves one person");
        printed.pair("user", user);
        printed.pair("role", self.caller.role.name());
        if let Some(identity) = &self.caller.identity {
            printed.pair("name", &identity.name);
            printed.pair("topics", &format!("{}…, and processed-social-feed.{}", identity.prefix(), identity.id));
            printed.pair("groups", &format!("{}…", identity.group_prefix()));
            let team: Vec<&str> = identity.users.iter().map(|account| account.user.as_str()).collect();
            if team.len() > 1 {
                printed.pair("team", &team.join(", "));
            }
        }
        for entrance in self.state.entrances(self.headers) {
            printed.pair("address", &format!("{} ({}, {})", entrance.address, entrance.listener.name, entrance.listener.protocol.name()));
        }
        Ok(())
    }

    fn doctor(&self, printed: &mut Printed) -> Result<(), Refused> {
        for finding in super::doctor::examine(self.state, self.caller, self.peer, self.headers, None) {
            let (mark, style) = match finding.status {
                super::doctor::Health::Ok => ("ok  ", Style::Plain),
                super::doctor::Health::Warn => ("warn", Style::Strong),
                super::doctor::Health::Bad => ("bad ", Style::Error),
            };
            printed.say(style, &format!("{mark}  {}: {}", finding.name, finding.words));
            if let Some(fix) = &finding.fix {
                printed.say(Style::Dim, &format!("      {fix}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_types_thirty_commands_at_once_and_then_two_a_second() {
        let commands = Commands::default();
        assert_eq!((0..1_000).filter(|_| commands.begin("otter").is_ok()).count(), 30);
        assert!(commands.begin("otter").is_err() && commands.begin("heron").is_ok());
    }
}
