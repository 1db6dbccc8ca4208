//! Floor 6: the command. Reads flags, variables and the settings file, then calls the floors below.
//!
//! Whatever goes wrong ends as one line on the error output, `headwater: ...`, and a status that is not 0: 2 for what was
//! written wrong, 1 for what could not be started or read. `log verify` ends with 1 as well if it finds damage, `mirror`
//! if the two ends differ.

mod arguments;
mod check;
mod doors;
mod generate;
mod health;
mod incident;
mod likeness;
mod log;
mod manual;
mod mirror;
mod pages;
mod reach;
mod report;
mod reset;
mod serve;
mod serve_cluster;
pub mod startup;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use arguments::{Invocation, parse};

/// Runs the command that these arguments and variables ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>, variables: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    match parse(arguments, variables) {
        Ok(Invocation::Serve(settings)) => match serve::serve(&settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Log(command)) => match log::run(&command, &mut std::io::stdout().lock()) {
            Ok(log::Verdict::Whole) => ExitCode::SUCCESS,
            Ok(log::Verdict::Damaged) => ExitCode::from(1),
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Generate(command)) => match generate::run(&command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Mirror(command)) => match mirror::run(&command, &mut std::io::stdout()) {
            Ok(mirror::Verdict::Whole) => ExitCode::SUCCESS,
            Ok(mirror::Verdict::Different) => ExitCode::from(1),
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Incident(command)) => match incident::run(&command, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Reset(command)) => match reset::run(&command, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Health(command)) => match health::run(&command, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Check(command)) => match check::run(&command, &mut std::io::stdout().lock()) {
            Ok(check::Outcome::Passed) => ExitCode::SUCCESS,
            Ok(check::Outcome::Failed) => ExitCode::from(1),
            Err(error) => refuse(&error, 2),
        },
        Ok(Invocation::Report(command)) => match report::run(&command, &mut std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, 1),
        },
        Ok(Invocation::Print(text)) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error, 2),
    }
}

fn refuse(error: &dyn std::fmt::Display, status: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "headwater: {error}");
    ExitCode::from(status)
}
