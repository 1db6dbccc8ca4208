//! `headwater mirror`: moves topics and groups from one Kafka cluster to another.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::wrong;
use crate::cluster::Access;
use crate::cluster::mirror::{Mirror, MirrorError, Outcome, Wishes};
use crate::config::SettingError;

/// What the command line asks for.
#[derive(Debug)]
pub struct MirrorCommand {
    from: Access,
    to: Access,
    wishes: Wishes,
}

/// Whether both ends hold the same.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    Different,
}

const NOTES: &str = "\
HEADWATER_FROM_PASSWORD and HEADWATER_TO_PASSWORD may hold the passwords in place of the properties files. \
Ended in any way, the same command goes on where it stopped. It ends with 0 if both ends hold the same records, with 1 if not.";

pub fn commands() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).long(name).value_name(value).help(help);
    let file = |name, help| option(name, "FILE", help).value_parser(clap::value_parser!(PathBuf));
    let list = |name, help| option(name, "LIST", help).value_delimiter(',').action(ArgAction::Append);
    let switch = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("mirror")
        .about("Move topics, their configs and what groups have committed from one Kafka cluster to another")
        .arg(option("from", "kafka://HOST:PORT[,...]", "The cluster that has them").required(true))
        .arg(option("to", "kafka://HOST:PORT[,...]", "The cluster that gets them").required(true))
        .arg(file("from-config", "What clients of the first need: a properties file with security.protocol, sasl.* and ssl.*"))
        .arg(file("to-config", "The same of the second"))
        .arg(list("topics", "Only these topics, with commas between them; * stands for anything"))
        .arg(list("groups", "Only these groups"))
        .arg(switch("no-groups", "No groups").conflicts_with("groups"))
        .arg(switch("workshop", "Also the topics that Headwater keeps for itself: _headwater, _progress, _truth, _workshop"))
        .arg(switch("follow", "Go on until stopped with Ctrl+C"))
        .arg(switch("dry-run", "Only say what would be done").conflicts_with("follow"))
        .after_help(NOTES)
}

pub fn command(matches: &ArgMatches, variables: &[(String, String)]) -> Result<MirrorCommand, SettingError> {
    let end = |flag: &str, config: &str, variable: &'static str| {
        let address = matches.get_one::<String>(flag).cloned().unwrap_or_default();
        let file = matches.get_one::<PathBuf>(config).map(PathBuf::as_path);
        let password = variables.iter().find(|(name, _)| name == variable).map(|(_, password)| password.clone());
        let access = Access::parse(&address).map_err(|message| wrong(flag, &message))?;
        access.with_variable(variable).with_file(file, password).map_err(|message| wrong(config, &message))
    };
    let list = |name: &str| -> Vec<String> {
        let given = matches.get_many::<String>(name).into_iter().flatten();
        given.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    Ok(MirrorCommand {
        from: end("from", "from-config", "HEADWATER_FROM_PASSWORD")?,
        to: end("to", "to-config", "HEADWATER_TO_PASSWORD")?,
        wishes: Wishes {
            topics: list("topics"),
            groups: list("groups"),
            no_groups: matches.get_flag("no-groups"),
            workshop: matches.get_flag("workshop"),
            follow: matches.get_flag("follow"),
            dry_run: matches.get_flag("dry-run"),
        },
    })
}

/// Returns when all is moved and compared, or when told to stop.
pub fn run(command: &MirrorCommand, out: &mut impl Write) -> Result<Verdict, MirrorError> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || listen(&told));
    // A closed terminal is no reason to stop.
    let say = Box::new(|line: &str| _ = writeln!(std::io::stdout(), "{line}"));
    let mirror = Mirror::connect(&command.from, &command.to, command.wishes.clone(), stop, say)?;
    let outcome = mirror.run()?;
    let _ = print(&outcome, &command.wishes, out);
    Ok(if command.wishes.dry_run || command.wishes.follow || outcome.is_whole() { Verdict::Whole } else { Verdict::Different })
}

/// The first signal ends it after what is under way, the second at once: what is on its way then is found out by the next run.
fn listen(stop: &AtomicBool) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let (Ok(mut end), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else { return };
        loop {
            tokio::select! {
                _ = end.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(1);
            }
        }
    });
}

fn print(outcome: &Outcome, wishes: &Wishes, out: &mut impl Write) -> std::io::Result<()> {
    let wide = outcome.topics.keys().map(String::len).max().unwrap_or(0).max(5);
    if wishes.dry_run {
        writeln!(out, "{:wide$} {:>12}", "topic", "offsets to go")?;
        for (topic, (counts, _)) in &outcome.topics {
            writeln!(out, "{topic:wide$} {:>12}", counts.lag)?;
        }
        let names: Vec<&str> = outcome.groups.moved.keys().map(String::as_str).collect();
        writeln!(out, "groups: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })?;
        return writeln!(out, "nothing was written");
    }
    writeln!(out, "{:wide$} {:>10} {:>12} {:>8} {:>10} {:>10}", "topic", "copied now", "bytes", "lag", "source", "target")?;
    for (topic, (counts, compared)) in &outcome.topics {
        write!(out, "{topic:wide$} {:>10} {:>12} {:>8}", counts.records, counts.bytes, counts.lag)?;
        match compared {
            Some(found) => {
                write!(out, " {:>10} {:>10}  ", found.source, found.target)?;
                match (&found.first_wrong, found.deleted) {
                    (Some(first), _) => writeln!(out, "DIFFERENT ({}): {first}", found.wrong)?,
                    (None, 0) => writeln!(out, "equal")?,
                    (None, deleted) => writeln!(out, "equal but for {deleted} that compaction or retention has deleted at one end")?,
                }
            }
            None => writeln!(out, "          -          -  not compared")?,
        }
    }
    let offsets: usize = outcome.groups.moved.values().sum();
    writeln!(out, "groups moved: {}, with {offsets} offsets", outcome.groups.moved.len())?;
    for (group, why) in &outcome.groups.left_alone {
        writeln!(out, "group {group} was left alone: {why}")?;
    }
    let copied: u64 = outcome.topics.values().map(|(counts, _)| counts.records).sum();
    let compared = outcome.topics.values().filter_map(|(_, compared)| compared.as_ref());
    let (source, target) = compared.fold((0, 0), |(source, target), found| (source + found.source, target + found.target));
    let verdict = match (wishes.follow, outcome.is_whole()) {
        (true, _) => "stopped; run it once without --follow, which moves the groups and compares".to_owned(),
        (false, true) => format!("{source} at the source, {target} at the target: equal"),
        (false, false) => format!("{source} at the source, {target} at the target: DIFFERENT, see above"),
    };
    writeln!(out, "{copied} records copied; {verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Result<MirrorCommand, String> {
        let matches = commands().try_get_matches_from([&["mirror"], words].concat()).map_err(|error| error.to_string())?;
        let variables = [("HEADWATER_TO_PASSWORD".to_owned(), "secret".to_owned())];
        command(&matches, &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn two_ends_and_what_is_moved() {
        let ends = ["--from", "kafka://a:1", "--to", "b:2,c:3"];
        let all = given(&ends).unwrap();
        assert_eq!((all.from.bootstrap(), all.to.bootstrap()), ("a:1", "b:2,c:3"));
        assert!(all.wishes.topics.is_empty() && !all.wishes.follow && !format!("{all:?}").contains("secret"));
        assert_eq!((all.from.client().get("sasl.password"), all.to.client().get("sasl.password")), (None, Some("secret")));
        let some = given(&[&ends[..], &["--topics", "ws.*, orders", "--topics", "x", "--groups", "g", "--follow", "--workshop"]].concat());
        let wishes = some.unwrap().wishes;
        assert_eq!((wishes.topics, wishes.groups), (vec!["ws.*".into(), "orders".into(), "x".into()], vec!["g".to_owned()]));
        assert!(wishes.follow && wishes.workshop && !wishes.dry_run && !wishes.no_groups);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let login = folder.path().join("login.properties").display().to_string();
        std::fs::write(&login, "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=ann\n").unwrap();
        for (words, said) in [
            (&["--from", "a:1"][..], "--to"),
            (&["--from", "a", "--to", "b:1"], "--from: \"a\" is not accepted"),
            (&["--from", "a:1", "--to", "b:1", "--to-config", "nowhere.properties"], "--to-config: cannot read nowhere.properties"),
            (&["--from", "a:1", "--to", "b:1", "--follow", "--dry-run"], "--dry-run"),
            (&["--from", "a:1", "--to", "b:1", "--groups", "g", "--no-groups"], "--no-groups"),
            (&["--from", "a:1", "--to", "b:1", "--from-config", &login], "(or HEADWATER_FROM_PASSWORD)"),
        ] {
            let error = given(words).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
