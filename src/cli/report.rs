//! `headwater report`: writes everybody's report, with the facts that a running broker knows and the questions left to the student.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};

use super::check::plain;
use super::pages::{Pages, PagesError, arguments};

#[derive(Clone, Debug, PartialEq)]
pub struct ReportCommand {
    pages: Pages,
    folder: PathBuf,
    student: Option<String>,
}

pub(super) fn commands() -> Command {
    Command::new("report")
        .about("Write each student's report, as Markdown and as HTML")
        .args(arguments())
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .default_value("reports")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Folder for them; what is there under the same names is replaced"),
        )
        .arg(Arg::new("student").long("student").value_name("ID").help("Only this student's"))
}

pub(super) fn command(matches: &ArgMatches) -> Option<ReportCommand> {
    Some(ReportCommand {
        pages: Pages::of(matches)?,
        folder: matches.get_one::<PathBuf>("out")?.clone(),
        student: matches.get_one::<String>("student").cloned(),
    })
}

pub(super) fn run(command: &ReportCommand, out: &mut impl Write) -> Result<(), PagesError> {
    let students = match &command.student {
        Some(student) => vec![student.clone()],
        None => everybody(&command.pages)?,
    };
    let failed = |what: &Path, error: std::io::Error| PagesError::Refused(format!("{} cannot be written: {error}", what.display()));
    std::fs::create_dir_all(&command.folder).map_err(|error| failed(&command.folder, error))?;
    for student in &students {
        for format in ["md", "html"] {
            let path = format!("/api/report?format={format}&student={}", plain(student));
            let text = command.pages.ask_text(&path)?;
            let file = command.folder.join(format!("{}.{format}", plain(student)));
            std::fs::write(&file, text).map_err(|error| failed(&file, error))?;
        }
    }
    let count = students.len();
    writeln!(out, "{count} report{} in {}, each as .md and .html", if count == 1 { "" } else { "s" }, command.folder.display())?;
    Ok(())
}

fn everybody(pages: &Pages) -> Result<Vec<String>, PagesError> {
    let board = pages.ask("GET", "/api/class", None)?;
    let ids: Vec<String> =
        board["students"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
    if ids.is_empty() { Err(PagesError::Refused("nobody has joined yet".to_owned())) } else { Ok(ids) }
}
