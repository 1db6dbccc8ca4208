//! From the command line to `Settings`. Flags, help and variables all come from `SETTING_ROWS`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::check::{self, CheckCommand};
use super::generate::GenerateCommand;
use super::health::{self, HealthCommand};
use super::incident::{self, IncidentCommand};
use super::log::LogCommand;
use super::manual;
use super::mirror::{self, MirrorCommand};
use super::report::{self, ReportCommand};
use super::reset::{self, ResetCommand};
use crate::cluster::{Access, PASSWORD_VARIABLE};
use crate::config::clock::parse_duration;
use crate::config::settings::{SETTING_ROWS, SettingKind, SettingRow, setting_row};
use crate::config::{ClockSetting, Given, SettingError, Settings, Speed};
use crate::generators::End;

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    Serve(Box<Settings>),
    Log(LogCommand),
    Generate(GenerateCommand),
    Mirror(Box<MirrorCommand>),
    Incident(IncidentCommand),
    Reset(ResetCommand),
    Health(HealthCommand),
    Check(CheckCommand),
    Report(ReportCommand),
    /// The help or the version.
    Print(String),
}

const ABOUT: &str = "One binary that replaces a Kafka cluster in a classroom";
const NOTES: &str = "\
Each setting is also a variable, HEADWATER_LISTEN for --listen, and a key of the settings file, listen = \"...\". \
A flag beats a variable, a variable beats the file. HEADWATER_SET and HEADWATER_LISTENER take several with ; between them; \
the file has listeners as a list, listener = [\"...\"], and broker configs in its table [broker].";

/// Reads arguments (the program's name first), variables and the settings file.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, SettingError> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => return Ok(Invocation::Print(e.to_string())),
        Err(e) => return Err(SettingError { origin: "command line".to_owned(), message: one_line(&e.to_string()) }),
    };
    if let Some(text) = manual::text(&matches, command) {
        return Ok(Invocation::Print(text));
    }
    if let Some(command) = matches.subcommand_matches("log").and_then(log_command) {
        return Ok(Invocation::Log(command));
    }
    if let Some(matches) = matches.subcommand_matches("generate") {
        return generate_command(matches, variables).map(Invocation::Generate);
    }
    if let Some(matches) = matches.subcommand_matches("mirror") {
        return mirror::command(matches, &own_variables(variables)?).map(|command| Invocation::Mirror(Box::new(command)));
    }
    if let Some(command) = matches.subcommand_matches("incident").and_then(incident::command) {
        return Ok(Invocation::Incident(command));
    }
    if let Some(command) = matches.subcommand_matches("reset").and_then(reset::command) {
        return Ok(Invocation::Reset(command));
    }
    if let Some(command) = matches.subcommand_matches("health").and_then(health::command) {
        return Ok(Invocation::Health(command));
    }
    if let Some(command) = matches.subcommand_matches("check").and_then(check::command) {
        return Ok(Invocation::Check(command));
    }
    if let Some(command) = matches.subcommand_matches("report").and_then(report::command) {
        return Ok(Invocation::Report(command));
    }
    let matches = matches.subcommand_matches("serve").unwrap_or(&matches);
    let mut given = Given { flags: flags(matches), variables: own_variables(variables)?, file: None };
    given.file = settings_file(&given)?;
    let settings = Settings::from_given(&given)?;
    if settings.clock == ClockSetting::Virtual(Speed::Max) {
        return Err(wrong("speed", "max is for headwater generate: it would fill the disk; give a number from 0 to 10000"));
    }
    Ok(Invocation::Serve(Box::new(settings)))
}

fn command() -> Command {
    let with_settings = |command: Command| SETTING_ROWS.iter().fold(command, |command, row| command.arg(argument(row))).after_help(NOTES);
    let serve = with_settings(Command::new("serve").about("Run the broker (as without any command)"));
    with_settings(Command::new("headwater").about(ABOUT).version(env!("CARGO_PKG_VERSION")).args_conflicts_with_subcommands(true))
        .subcommand(serve)
        .subcommand(generate_arguments())
        .subcommand(mirror::commands())
        .subcommand(log_commands())
        .subcommand(incident::commands())
        .subcommand(reset::commands())
        .subcommand(health::commands())
        .subcommand(check::commands())
        .subcommand(report::commands())
        .subcommands(manual::commands())
}

/// The settings that `generate` shares with the broker.
const GENERATE_SETTINGS: &[&str] = &["seed", "dirt", "clock", "speed", "log-level"];

fn generate_arguments() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).allow_hyphen_values(true)
    };
    let own = Command::new("generate")
        .about("Feed the town's four topics into a Kafka cluster that is already there")
        .arg(option("to", "kafka://HOST:PORT[,...]", "Where the cluster is").required(true))
        .arg(
            option("to-config", "FILE", "What its clients need: a properties file with security.protocol, sasl.* and ssl.*")
                .value_parser(clap::value_parser!(PathBuf)),
        )
        .arg(option("topic-prefix", "TEXT", "Put before every topic's name").default_value("").hide_default_value(true))
        .arg(option("events", "NUMBER", "Stop after so many events"))
        .arg(option(
            "until",
            "DURATION",
            "Stop after so much of the town's time, such as 90s, 15m, 2h, 1d: a virtual clock's since the history's end",
        ));
    let shared = SETTING_ROWS.iter().filter(|row| GENERATE_SETTINGS.contains(&row.name));
    shared.fold(own, |command, row| command.arg(argument(row)))
}

pub(super) fn wrong(flag: &str, message: &str) -> SettingError {
    SettingError { origin: format!("--{flag}"), message: message.to_owned() }
}

fn generate_command(
    matches: &ArgMatches,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<GenerateCommand, SettingError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let refuse = |name: &str, given: &str, accepted: &str| wrong(name, &format!("\"{given}\" is not accepted; give {accepted}"));
    let config = matches.get_one::<PathBuf>("to-config").map(PathBuf::as_path);
    let to = Access::parse(&text("to").unwrap_or_default()).map_err(|message| wrong("to", &message))?;
    let (passwords, variables): (Vec<_>, Vec<_>) = own_variables(variables)?.into_iter().partition(|(name, _)| name == PASSWORD_VARIABLE);
    let password = passwords.into_iter().next().map(|(_, password)| password);
    let to = to.with_file(config, password).map_err(|message| wrong("to-config", &message))?;
    let topic_prefix = text("topic-prefix").unwrap_or_default();
    if !topic_prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) || topic_prefix.len() > 200 {
        return Err(refuse("topic-prefix", &topic_prefix, "at most 200 letters, digits, '.', '_' and '-'"));
    }
    let number = |given: String| given.parse().map_err(|_| refuse("events", &given, "a whole number from 0 on"));
    let duration = |given: String| parse_duration(&given).ok_or_else(|| refuse("until", &given, "a time such as 90s, 15m, 2h or 1d"));
    let end = End { events: text("events").map(number).transpose()?, after_ms: text("until").map(duration).transpose()? };
    let shared = SETTING_ROWS.iter().filter(|row| GENERATE_SETTINGS.contains(&row.name));
    let flags = shared.filter_map(|row| text(row.name).map(|text| (row.name.to_owned(), text))).collect();
    let settings = Settings::from_given(&Given { flags, variables, file: None })?;
    if settings.clock == ClockSetting::Virtual(Speed::Max) && end.events.is_none() && end.after_ms.is_none() {
        return Err(wrong("speed", "max needs an end; give --events or --until as well"));
    }
    Ok(GenerateCommand { to, topic_prefix, settings: Box::new(settings), end })
}

fn log_commands() -> Command {
    let folder = || Arg::new("folder").value_name("DIR").required(true).help("A data folder that no broker uses");
    let topic = Arg::new("topic").long("topic").value_name("TOPIC").help("Only this topic");
    let verify = Command::new("verify").about("Check every batch and file, and say what a start would do; status 1 if there is damage");
    let dump = Command::new("dump").about("Print every batch and record");
    Command::new("log")
        .about("Read a data folder offline; nothing in it is changed")
        .subcommand_required(true)
        .subcommand(verify.arg(folder()))
        .subcommand(dump.arg(folder()).arg(topic))
}

fn log_command(matches: &ArgMatches) -> Option<LogCommand> {
    let (verb, matches) = matches.subcommand()?;
    let folder = matches.get_one::<String>("folder")?.into();
    match verb {
        "verify" => Some(LogCommand::Verify { folder }),
        _ => Some(LogCommand::Dump { folder, topic: matches.get_one::<String>("topic").cloned() }),
    }
}

fn argument(row: &'static SettingRow) -> Arg {
    let shown_default = if row.default.is_empty() { String::new() } else { format!(" [default: {}]", row.default) };
    let repeatable = matches!(row.kind, SettingKind::BrokerConfig | SettingKind::Listener);
    let action = if repeatable { ArgAction::Append } else { ArgAction::Set };
    let argument = Arg::new(row.name).long(row.name).value_name(row.value).help(format!("{}{shown_default}", row.doc)).action(action);
    if row.kind == SettingKind::Switch {
        // What follows it on the command line may be another flag.
        return argument.num_args(0..=1).default_missing_value("on");
    }
    argument.allow_hyphen_values(true)
}

fn flags(matches: &ArgMatches) -> Vec<(String, String)> {
    let given = |row: &SettingRow| {
        let texts: Vec<String> = matches.get_many::<String>(row.name).into_iter().flatten().cloned().collect();
        texts.into_iter().map(|text| (row.name.to_owned(), text)).collect::<Vec<_>>()
    };
    SETTING_ROWS.iter().flat_map(given).collect()
}

fn own_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, SettingError> {
    let mut own = Vec::new();
    for (name, text) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("HEADWATER_")) else { continue };
        let text = text.into_string().map_err(|_| SettingError { origin: name.to_owned(), message: "is not UTF-8 text".to_owned() })?;
        own.push((name.to_owned(), text));
    }
    own.sort();
    Ok(own)
}

/// The file that `--config` or HEADWATER_CONFIG names, read.
fn settings_file(given: &Given) -> Result<Option<(String, String)>, SettingError> {
    let variable = setting_row("config").map(SettingRow::variable).unwrap_or_default();
    let flag = given.flags.iter().find(|(name, _)| name == "config").map(|(_, path)| ("--config".to_owned(), path));
    let named = flag.or_else(|| given.variables.iter().find(|(name, _)| *name == variable).map(|(name, path)| (name.clone(), path)));
    let Some((origin, path)) = named else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|e| SettingError { origin, message: format!("cannot read {path}: {e}") })?;
    Ok(Some((path.clone(), text)))
}

/// Clap's message without its usage and hints below.
fn one_line(message: &str) -> String {
    let words = message.trim_start_matches("error: ");
    let first: Vec<&str> = words.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let tip = words.lines().map(str::trim).find_map(|line| line.strip_prefix("tip: "));
    match tip {
        Some(tip) => format!("{}; {tip}", first.join(" ")),
        None => format!("{}; see headwater --help", first.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, String> {
        let arguments = ["headwater"].iter().chain(arguments).map(OsString::from);
        let variables = variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v)));
        match parse(arguments, variables) {
            Ok(Invocation::Serve(settings)) => Ok(*settings),
            Ok(Invocation::Print(text)) => Err(text),
            Ok(Invocation::Log(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Generate(command)) => {
                Err(format!("{} {} {:?} {:?}", command.to.bootstrap(), command.topic_prefix, command.settings.clock, command.end))
            }
            Ok(Invocation::Mirror(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Incident(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Reset(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Health(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Check(command)) => Err(format!("{command:?}")),
            Ok(Invocation::Report(command)) => Err(format!("{command:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_check_is_of_named_challenges_or_of_all() {
        let said = |words: &[&str]| parsed(words, &[]).unwrap_err();
        assert!(said(&["check", "C02", "c04"]).contains(r#"challenges: ["c02", "c04"]"#), "{}", said(&["check", "C02", "c04"]));
        let all = said(&["check", "--all", "--junit", "out.xml", "--student", "quiet-otter", "--http", "h:1"]);
        assert!(
            all.contains("challenges: [], all: true, student: Some(\"quiet-otter\"), junit: Some(\"out.xml\"), path: None, ticket: None"),
            "{all}"
        );
        assert!(said(&["check", "--all", "C02"]).contains(r#"challenges: ["c02"], all: true"#));
        for wrong in [&["check"][..], &["check", "--all", "--path", "t"], &["check", "c05", "--ticket", "x"]] {
            assert!(!said(wrong).contains("CheckCommand"), "{wrong:?}");
        }
        assert!(said(&["report", "--out", "there"]).contains(r#"folder: "there", student: None"#));
    }

    #[test]
    fn with_and_without_the_verb_the_settings_are_the_same() {
        let flags = ["--listen", "127.0.0.1:19092", "--set", "log.retention.hours=1", "--set", "log.retention.bytes=-1"];
        let bare = parsed(&flags, &[]).unwrap();
        let verb = parsed(&[&["serve"][..], &flags].concat(), &[]).unwrap();
        assert_eq!(bare, verb);
        assert_eq!((bare.doors.listeners[0].bind.port, bare.broker.long("log.retention.hours")), (19092, 1));
    }

    #[test]
    fn logs_are_read_by_folder_and_topic() {
        let message = parsed(&["log", "dump", "data", "--topic", "t"], &[]).unwrap_err();
        assert_eq!(message, r#"Dump { folder: "data", topic: Some("t") }"#);
        assert_eq!(parsed(&["log", "verify", "data"], &[]).unwrap_err(), r#"Verify { folder: "data" }"#);
        for arguments in [&["log"][..], &["log", "verify"], &["log", "mend", "data"]] {
            assert!(parsed(arguments, &[]).unwrap_err().len() > 20);
        }
    }

    #[test]
    fn another_cluster_is_fed_with_the_settings_of_the_town() {
        let flags =
            ["generate", "--to", "a:9092,[::1]:9093", "--topic-prefix", "x.", "--clock", "virtual", "--speed", "max", "--until", "2h"];
        let shown = parsed(&flags, &[]).unwrap_err();
        assert_eq!(shown, "a:9092,[::1]:9093 x. Virtual(Max) End { events: None, after_ms: Some(7200000) }");
        for (flags, message) in [
            (&["generate"][..], "--to"),
            (&["generate", "--to", "a"], "--to: \"a\" is not accepted"),
            (&["generate", "--to", "kafka://a:1", "--to-config", "/no/such/file"], "--to-config: cannot read /no/such/file"),
            (&["generate", "--to", "a:1", "--until", "2"], "--until: \"2\" is not accepted"),
            (&["generate", "--to", "a:1", "--events", "-2"], "--events"),
            (&["generate", "--to", "a:1", "--topic-prefix", "a/"], "--topic-prefix: \"a/\""),
            (&["generate", "--to", "a:1", "--clock", "virtual", "--speed", "max"], "--speed: max needs an end"),
            (&["--clock", "virtual", "--speed", "max"], "--speed: max is for headwater generate"),
        ] {
            let said = parsed(flags, &[]).unwrap_err();
            assert!(said.contains(message) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn mistakes_are_one_line() {
        for arguments in [&["--lisen", "x"][..], &["nonsense"], &["--listen"], &["--config", "/no/such/file"], &["--seed", "-1"]] {
            let message = parsed(arguments, &[]).unwrap_err();
            assert!(!message.contains('\n') && message.len() > 20, "{message}");
        }
        assert!(parsed(&["--lisen", "x"], &[]).unwrap_err().contains("--listen"));
        assert!(parsed(&["--seed", "-1"], &[]).unwrap_err().starts_with("--seed: \"-1\" is not accepted"));
    }

    #[test]
    fn a_switch_may_stand_alone_and_listeners_may_be_many() {
        let flags = ["serve", "--classroom", "--listener", "A=SASL_SSL://[::1]:0", "--listener", "B=SASL_SSL://[::1]:0", "--http", "off"];
        let doors = parsed(&flags, &[]).unwrap().doors;
        assert_eq!((doors.classroom, doors.listeners.len(), doors.http), (true, 2, None));
        assert!(!parsed(&["--classroom=off"], &[]).unwrap().doors.classroom);
        let secret = [("HEADWATER_INSTRUCTOR_SECRET", "correct horse")];
        assert_eq!(parsed(&["--classroom"], &secret).unwrap().doors.instructor_secret.as_deref(), Some("correct horse"));
    }

    #[test]
    fn completions_and_manual_know_every_verb_and_setting() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let text = parsed(&["completions", shell], &[]).unwrap_err();
            assert!(text.contains("disk-floor-percent") && text.contains("incident"), "{shell}");
        }
        let manual = parsed(&["man"], &[]).unwrap_err();
        assert!(manual.contains(".TH") && manual.matches(".SH \"HEADWATER ").count() >= 8, "{manual}");
        for row in SETTING_ROWS {
            assert!(manual.contains(&row.name.replace('-', "\\-")), "{}", row.name);
        }
        assert!(parsed(&["completions", "cmd"], &[]).unwrap_err().contains("cmd"));
    }

    #[test]
    fn help_lists_every_setting() {
        let help = parsed(&["--help"], &[]).unwrap_err();
        for row in SETTING_ROWS {
            assert!(help.contains(&format!("--{}", row.name)), "{}", row.name);
        }
        assert!(parsed(&["--version"], &[]).unwrap_err().starts_with("headwater 0."));
    }

    #[test]
    fn the_file_is_named_by_flag_or_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hw.toml");
        std::fs::write(&path, "seed = 5\nnode-id = 3\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(parsed(&["--config", path], &[("HEADWATER_SEED", "6")]).unwrap().seed, 6);
        assert_eq!(parsed(&[], &[("HEADWATER_CONFIG", path)]).unwrap().seed, 5);
        std::fs::write(path, "sed = 5\n").unwrap();
        assert!(parsed(&["--config", path], &[]).unwrap_err().ends_with("sed: there is no such setting; did you mean seed?"));
    }
}
