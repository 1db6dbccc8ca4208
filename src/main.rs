use std::process::ExitCode;

use headwater::cli::{hand_over, run};

fn main() -> ExitCode {
    run(std::env::args_os(), std::env::vars_os(), hand_over)
}
