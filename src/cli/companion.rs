//! `headwater generate` is carried out by a program of its own beside this one: the client library that it needs would make the
//! broker, which never uses it, larger in memory by half a megabyte.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::generate::{GenerateCommand, GenerateError};

const COMPANION: &str = "headwater-generate";

/// Becomes the companion, under the same process id, with the same arguments. Returns only if it cannot.
pub fn hand_over(_: &GenerateCommand) -> Result<(), GenerateError> {
    let own = std::env::current_exe().map_err(|error| GenerateError::Companion(COMPANION.into(), error))?;
    let companion = own.parent().unwrap_or(Path::new(".")).join(COMPANION);
    let error = Command::new(&companion).args(std::env::args_os().skip(1)).exec();
    Err(GenerateError::Companion(companion, error))
}
