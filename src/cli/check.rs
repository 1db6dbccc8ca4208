//! `headwater check`: asks a running broker whether answers are right, as the CI of a course does.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::pages::{Pages, PagesError, arguments};
use crate::workshop::truth::receipt_of;

#[derive(Clone, Debug, PartialEq)]
pub struct CheckCommand {
    pages: Pages,
    /// They have to pass.
    challenges: Vec<String>,
    /// The others too, where somebody has tried them.
    all: bool,
    student: Option<String>,
    junit: Option<PathBuf>,
    /// Files of this computer that hold the answer.
    path: Option<PathBuf>,
    /// The ticket that they are about.
    ticket: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
}

pub(super) fn commands() -> Command {
    Command::new("check")
        .about("Ask a running broker whether the answers to its challenges are right")
        .after_help(
            "Ends with 0 if all that were asked for pass, with 1 if not. Of --all, challenges that nobody has asked a ticket for \
             are skipped, but for those that are named; it fails if all are skipped.",
        )
        .args(arguments())
        .arg(
            Arg::new("challenges")
                .value_name("CHALLENGE")
                .num_args(1..)
                .required_unless_present("all")
                .help("c01, c02, ...: they have to pass"),
        )
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("All that were tried, and those that are named"))
        .arg(
            Arg::new("path")
                .long("path")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with("all")
                .help("Read the answer from the tables in this folder (Delta, Parquet or lines of JSON), with one CHALLENGE"),
        )
        .arg(Arg::new("ticket").long("ticket").value_name("NONCE").requires("path").help("The ticket of the tables [default: the newest]"))
        .arg(Arg::new("student").long("student").value_name("ID").help("Whose answers, in a classroom"))
        .arg(
            Arg::new("junit")
                .long("junit")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Write the results there too, as JUnit XML"),
        )
}

pub(super) fn command(matches: &ArgMatches) -> Option<CheckCommand> {
    let challenges = matches.get_many::<String>("challenges").into_iter().flatten().map(|id| id.to_lowercase()).collect();
    Some(CheckCommand {
        pages: Pages::of(matches)?,
        challenges,
        all: matches.get_flag("all"),
        student: matches.get_one::<String>("student").cloned(),
        junit: matches.get_one::<PathBuf>("junit").cloned(),
        path: matches.get_one::<PathBuf>("path").cloned(),
        ticket: matches.get_one::<String>("ticket").cloned(),
    })
}

pub(super) fn run(command: &CheckCommand, out: &mut impl Write) -> Result<Outcome, PagesError> {
    let ids = if command.all { all(&command.pages)? } else { command.challenges.clone() };
    if let Some(id) = command.challenges.iter().find(|id| !ids.contains(id)) {
        return Err(PagesError::Refused(format!("there is no challenge {id}; there are {}", ids.join(", "))));
    }
    let mut verdicts = Vec::new();
    for id in ids {
        let body = match &command.path {
            Some(path) => json!({ "receipt": receipt(command, &id, path)? }),
            None => json!({}),
        };
        let verdict = command.pages.ask("POST", &of_student("/api/check", &id, command.student.as_deref()), Some(&body))?;
        let skipped = !command.challenges.contains(&id) && verdict["ticket"].is_null();
        if skipped {
            writeln!(out, "{}  not tried\n", id.to_uppercase())?;
        } else {
            writeln!(out, "{}\n", verdict["text"].as_str().unwrap_or_default())?;
        }
        verdicts.push((id, verdict, skipped));
    }
    if let Some(file) = &command.junit {
        let report =
            junit(&verdicts).to_string().map_err(|error| PagesError::Refused(format!("the results cannot be written: {error}")))?;
        std::fs::write(file, report).map_err(|error| PagesError::Refused(format!("{} cannot be written: {error}", file.display())))?;
    }
    let passed = verdicts.iter().filter(|(_, verdict, _)| verdict["status"] == "pass").count();
    let skipped = verdicts.iter().filter(|(.., skipped)| *skipped).count();
    let failed = verdicts.len() - passed - skipped;
    writeln!(out, "{passed} passed, {failed} failed, {skipped} not tried")?;
    Ok(if failed == 0 && passed > 0 { Outcome::Passed } else { Outcome::Failed })
}

/// What a notebook would have printed about these tables.
fn receipt(command: &CheckCommand, id: &str, folder: &Path) -> Result<Value, PagesError> {
    let nonce = match &command.ticket {
        Some(nonce) => nonce.clone(),
        None => {
            let tickets = command.pages.ask("GET", &of_student("/api/tickets", id, command.student.as_deref()), None)?;
            let newest = tickets[0]["nonce"].as_str().map(str::to_owned);
            newest.ok_or_else(|| PagesError::Refused(format!("there is no ticket for {id} yet; the notebook asks for one at its start")))?
        }
    };
    let sheet = command.pages.ask("GET", &of_student("/api/challenges", id, None), None)?;
    let kind = sheet["kind"].as_str().unwrap_or_default();
    receipt_of(folder, kind, &nonce).map_err(PagesError::Refused)
}

fn all(pages: &Pages) -> Result<Vec<String>, PagesError> {
    let list = pages.ask("GET", "/api/challenges", None)?;
    Ok(list.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect())
}

/// What ids are made of, so that none leaves its place in a path.
pub(super) fn plain(id: &str) -> String {
    id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect()
}

fn of_student(path: &str, id: &str, student: Option<&str>) -> String {
    let student = student.map_or_else(String::new, |student| format!("?student={}", plain(student)));
    format!("{path}/{}{student}", plain(id))
}

/// One suite for each challenge, one case for each check.
fn junit(verdicts: &[(String, Value, bool)]) -> Report {
    let mut report = Report::new("headwater");
    for (id, verdict, skipped) in verdicts {
        let mut suite = TestSuite::new(id.as_str());
        let message = verdict["message"].as_str().unwrap_or_default();
        for check in verdict["checks"].as_array().into_iter().flatten() {
            let mut case = TestCase::new(check["id"].as_str().unwrap_or_default(), status(check["status"].as_str()));
            case.set_classname(id.as_str());
            explain(&mut case.status, check["message"].as_str().unwrap_or_default(), verdict);
            suite.add_test_case(case);
        }
        if suite.test_cases.is_empty() {
            let outcome = if *skipped { TestCaseStatus::skipped() } else { status(verdict["status"].as_str()) };
            let mut case = TestCase::new("answer", outcome);
            case.set_classname(id.as_str());
            explain(&mut case.status, message, verdict);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report
}

fn status(of: Option<&str>) -> TestCaseStatus {
    match of {
        Some("pass") => TestCaseStatus::success(),
        Some("skip") => TestCaseStatus::skipped(),
        Some("error") => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    }
}

fn explain(status: &mut TestCaseStatus, message: &str, verdict: &Value) {
    if !matches!(status, TestCaseStatus::Success { .. }) {
        status.set_message(message);
    }
    if matches!(status, TestCaseStatus::NonSuccess { .. }) {
        status.set_description(verdict["text"].as_str().unwrap_or(message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_has_a_case_for_each_check_and_for_what_could_not_be_judged() {
        let right = json!({ "status": "pass", "ticket": "a", "checks": [{ "id": "filter", "status": "pass", "message": "" }] });
        let wrong = json!({ "status": "fail", "ticket": "b", "text": "C04: <not> yet", "checks": [
            { "id": "alerts", "status": "fail", "message": "3 alerts & more" }, { "id": "averages", "status": "skip", "message": "-" },
        ] });
        let empty = json!({ "status": "error", "ticket": "c", "message": "nothing arrived", "checks": [] });
        let untried = json!({ "status": "error", "ticket": null, "message": "no ticket", "checks": [] });
        let all = [("c02", right, false), ("c04", wrong, false), ("c01", empty, false), ("c03", untried, true)];
        let xml = junit(&all.map(|(id, verdict, skipped)| (id.to_owned(), verdict, skipped))).to_string().unwrap();
        assert!(xml.contains(r#"<testsuites name="headwater" tests="5" skipped="2" failures="1" errors="1">"#), "{xml}");
        for part in [r#"message="3 alerts &amp; more""#, "C04: &lt;not", r#"name="answer" classname="c03""#, "<skipped"] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(of_student("/api/check", "../c02?x", Some("quiet-otter&a=b")), "/api/check/c02x?student=quiet-otterab");
    }
}
