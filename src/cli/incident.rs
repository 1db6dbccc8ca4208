//! `headwater incident`: gives orders to the generators of a running broker, over HTTP.

use std::io::Write;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::pages::{Pages, PagesError, arguments};
use crate::generators::incidents::{KINDS, KindRow};

/// A request to the broker's web side, and what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentCommand {
    pages: Pages,
    method: &'static str,
    path: String,
    body: Option<Value>,
}

pub(super) fn commands() -> Command {
    let topic = || Arg::new("topic").value_name("TOPIC").help("One of the four topics; all if none is named");
    let factor = Arg::new("factor").value_name("FACTOR").required(true).value_parser(clap::value_parser!(f64));
    let id = Arg::new("id").value_name("ID").required(true).value_parser(clap::value_parser!(u32));
    let command = Command::new("incident")
        .about("Let something happen in the generated streams of a running broker, change their rates, pause them")
        .subcommand_required(true)
        .subcommand_value_name("INCIDENT")
        .args(arguments())
        .subcommand(Command::new("list").about("What is planned, running and over, and the rates"))
        .subcommand(Command::new("end").about("End an incident early, or take it back").arg(id.help("Its number, as list shows it")))
        .subcommand(
            Command::new("rate")
                .about("Multiply a stream's usual rate")
                .arg(factor.help("0.5 halves it, 10 is ten times as much; 0 to 20"))
                .arg(topic()),
        )
        .subcommand(Command::new("pause").about("Stop the streams").arg(topic()))
        .subcommand(Command::new("resume").about("Let them go on").arg(topic()));
    KINDS.iter().fold(command, |command, row| command.subcommand(kind(row)))
}

fn kind(row: &'static KindRow) -> Command {
    let minutes = |name: &'static str, long| Arg::new(name).long(long).value_name("MINUTES").value_parser(clap::value_parser!(f64));
    let lasts = minutes("minutes", "minutes").help(format!("How long, {} at most [default: {}]", row.minutes_max, row.minutes));
    let command = Command::new(row.name)
        .about(row.about)
        .after_help(format!("The lesson: {}.", row.lesson))
        .arg(lasts)
        .arg(minutes("in", "in").help("Begin so many minutes from now [default: 0]"));
    match row.target.name() {
        Some(what) => {
            command.arg(Arg::new("target").long("target").value_name("NAME").help(format!("Which {what}; one is picked if none is named")))
        }
        None => command,
    }
}

pub(super) fn command(matches: &ArgMatches) -> Option<IncidentCommand> {
    let (verb, inner) = matches.subcommand()?;
    let pages = Pages::of(inner).or_else(|| Pages::of(matches))?;
    let which = || json!({ "topic": inner.get_one::<String>("topic") });
    let (method, path, body) = match verb {
        "list" => ("GET", "/api/generators".to_owned(), None),
        "end" => ("DELETE", format!("/api/incidents/{}", inner.get_one::<u32>("id")?), None),
        "rate" => {
            let body = json!({ "topic": inner.get_one::<String>("topic"), "factor": inner.get_one::<f64>("factor") });
            ("PUT", "/api/generators/rate".to_owned(), Some(body))
        }
        "pause" | "resume" => ("PUT", format!("/api/generators/{verb}"), Some(which())),
        kind => {
            let target = inner.try_get_one::<String>("target").ok().flatten();
            let body =
                json!({ "kind": kind, "target": target, "minutes": inner.get_one::<f64>("minutes"), "in": inner.get_one::<f64>("in") });
            ("POST", "/api/incidents".to_owned(), Some(body))
        }
    };
    Some(IncidentCommand { pages, method, path, body })
}

pub(super) fn run(command: &IncidentCommand, out: &mut impl Write) -> Result<(), PagesError> {
    let answer = command.pages.ask(command.method, &command.path, command.body.as_ref())?;
    match command.method {
        "GET" => list(&answer, out)?,
        _ => writeln!(out, "{}", told(&answer))?,
    }
    Ok(())
}

/// One sentence on the order that was taken.
fn told(order: &Value) -> String {
    let minutes = |ms: Option<i64>| format!("{} min", ms.unwrap_or(0) as f64 / 60_000.0);
    let topic = || order["topic"].as_str().unwrap_or("all topics").to_owned();
    let id = order["id"].as_i64().unwrap_or(0);
    match order["order"].as_str() {
        Some("begin") => {
            let ms = |field: &str| order[field].as_i64();
            let lasts = ms("to").zip(ms("from")).map(|(to, from)| to - from);
            let ahead = ms("from").zip(ms("at")).map_or(0, |(from, at)| from - at);
            let begins = if ahead > 0 { format!("in {}", minutes(Some(ahead))) } else { "within 10 s".to_owned() };
            let target = order["target"].as_str().map(|target| format!(" ({target})")).unwrap_or_default();
            let kind = order["kind"].as_str().unwrap_or_default();
            format!("{kind}{target} begins {begins} and lasts {}; `headwater incident end {id}` ends it", minutes(lasts))
        }
        Some("end") => format!("incident {id} ends within 10 s"),
        Some("rate") => format!("{}: {} times the usual rate, within 10 s", topic(), order["factor"]),
        Some("pause") => format!("{}: paused within 10 s; `headwater incident resume` goes on", topic()),
        _ => format!("{}: going on within 10 s", topic()),
    }
}

fn list(generators: &Value, out: &mut impl Write) -> std::io::Result<()> {
    let (phase, seed) = (generators["phase"].as_str().unwrap_or("unknown"), &generators["seed"]);
    writeln!(out, "generators: {phase}, seed {seed}, dirt {}", generators["dirt"])?;
    for stream in generators["streams"].as_array().into_iter().flatten() {
        let factor = stream["factor"].as_f64().unwrap_or(1.0);
        let pace = if factor == 0.0 { "paused".to_owned() } else { format!("{factor} x") };
        let topic = stream["topic"].as_str().unwrap_or_default();
        writeln!(out, "  {topic:<24} {pace:>8} {:>8.1} events/s", stream["events_per_s"].as_f64().unwrap_or(0.0))?;
    }
    let incidents = generators["incidents"].as_array();
    if incidents.is_none_or(Vec::is_empty) {
        return writeln!(out, "no incidents yet; `headwater incident --help` lists what can happen");
    }
    writeln!(out, "{:>4}  {:<20} {:<8} {:>8}  target", "id", "incident", "state", "minutes")?;
    for incident in incidents.into_iter().flatten() {
        let text = |field: &str| incident[field].as_str().unwrap_or_default().to_owned();
        let minutes = (incident["to"].as_i64().unwrap_or(0) - incident["from"].as_i64().unwrap_or(0)) as f64 / 60_000.0;
        let id = incident["id"].as_i64().unwrap_or(0);
        writeln!(out, "{id:>4}  {:<20} {:<8} {minutes:>8.1}  {}", text("kind"), text("state"), text("target"))?;
    }
    Ok(())
}
