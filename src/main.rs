use std::process::ExitCode;

fn main() -> ExitCode {
    headwater::cli::run(std::env::args_os(), std::env::vars_os())
}
