//! The companion of `headwater`: the same commands, and `generate` itself.

use std::process::ExitCode;

use headwater::cli::{feed_here, run};

fn main() -> ExitCode {
    run(std::env::args_os(), std::env::vars_os(), feed_here)
}
